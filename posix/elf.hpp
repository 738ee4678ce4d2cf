// SPDX-License-Identifier: MIT
// Shared objects as files: what a private copy of one has to know, and may change, before the
// dynamic linker sees it. Any bytes may be given; nothing outside them is read or written, and no
// field is believed. Knows the class, byte order and machine of this process only. System V ABI,
// chapters 4 and 5; DT_GNU_HASH as the GNU and musl linkers read it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "posix/linker.hpp"

namespace interlock {

/// A view; the bytes must outlive it. Thread: one at a time.
class ElfFile {
 public:
  using Header = ElfW(Ehdr);
  using Segment = ElfW(Phdr);
  using Symbol = ElfW(Sym);
  using Entry = ElfW(Dyn);
  using Address = ElfW(Addr);

  /// A part of the memory that it is loaded to, from where that begins.
  struct Table {
    Address start;
    std::uint64_t size;
  };

  /// Errors: kEINVAL, saying what is wrong with the file.
  [[nodiscard]] static Result<ElfFile> open(std::span<std::byte> bytes);

  [[nodiscard]] const Header &header() const noexcept {
    return *reinterpret_cast<const Header *>(bytes_.data());
  }
  /// Of PT_LOAD, in the order of the file: what is mapped. Their bytes are inside the file.
  [[nodiscard]] const std::vector<Segment> &segments() const noexcept { return segments_; }
  /// The name that others need it by, or nothing.
  [[nodiscard]] std::string_view soname() const noexcept { return text_of(DT_SONAME); }
  /// Where to look for what it needs, with colons between directories: DT_RUNPATH, or DT_RPATH if
  /// there is none.
  [[nodiscard]] std::string_view search_path() const noexcept {
    return has(DT_RUNPATH) ? text_of(DT_RUNPATH) : text_of(DT_RPATH);
  }
  /// Whether what it needs searches there, too.
  [[nodiscard]] bool is_search_inherited() const noexcept { return !has(DT_RUNPATH); }
  [[nodiscard]] std::vector<std::string_view> needed() const;
  /// Whether it takes something from the Python C API, and so keeps what belongs to an interpreter.
  [[nodiscard]] bool uses_python() const noexcept { return uses_python_; }
  /// Whether it defines parts of the Python C API: it is CPython, of which there is one.
  [[nodiscard]] bool is_python() const noexcept { return is_python_; }
  /// Whether the dynamic linker runs code of it, or writes to its code, before it is initialised.
  [[nodiscard]] bool is_changed_early() const noexcept { return is_changed_early_; }

  /// Bytes at the file's beginning up to the end of its program headers, which may lie anywhere.
  [[nodiscard]] std::uint64_t headers_end() const noexcept { return headers_end_; }
  /// How many bytes of a segment, from its beginning, the linker looks at before it is initialised,
  /// at most.
  [[nodiscard]] std::uint64_t read_early(const Segment &segment) const noexcept;

  /// What is protected from writing once it has been relocated, in memory.
  [[nodiscard]] Table protected_later() const noexcept { return protected_later_; }

  /// What runs first or last of it, by address; none are 0.
  struct Calls {
    Address function = 0;
    Address array = 0;  // of addresses, once they have been relocated
    std::uint64_t count = 0;
  };
  // Both leave them to the caller: the linker does not find them any more. Errors: kEINVAL if they
  // are not in the file.
  [[nodiscard]] Result<Calls> take_initialisers() noexcept;
  [[nodiscard]] Result<Calls> take_finalisers() noexcept;

  /// Where the linker writes the addresses of symbols that are defined elsewhere: the places of
  /// each.
  [[nodiscard]] std::vector<std::vector<Address>> places_of(
      std::span<const std::string_view> symbols) const;

  /// Changes a name of the file, its own or one that it needs, to another one of the same length.
  /// False if it has no such name, or something else is written in the same place: a symbol's name,
  /// or another name that this one ends with.
  [[nodiscard]] bool rename(std::string_view name, std::string_view other) noexcept;
  /// What it defines comes before what others define by the same name: nothing that the program has
  /// takes its place. After take_initialisers() and take_finalisers(). DF_SYMBOLIC says so; to a
  /// linker that may not know it (musl's) the addresses are given, which leaves it no symbol to
  /// look for. False if there is no room to say so.
  [[nodiscard]] bool prefer_own_symbols(bool linker_knows_symbolic) noexcept;
  /// What protected_later() says is not protected by the linker.
  void leave_writable() noexcept;
  /// Makes symbols that are the same for the whole process ordinary ones: STB_GNU_UNIQUE, to which
  /// C++ compilers turn static variables of inline functions and templates. Returns how many.
  std::size_t make_private() noexcept;

 private:
  explicit ElfFile(std::span<std::byte> bytes) noexcept : bytes_(bytes) {}
  [[nodiscard]] Status read();
  [[nodiscard]] Status read_segments();
  [[nodiscard]] Status read_dynamic();
  [[nodiscard]] Status read_names();
  [[nodiscard]] Status read_symbols();
  [[nodiscard]] Status read_relocations();
  [[nodiscard]] Status check_tables();
  template <typename Visit>
  [[nodiscard]] bool for_each_relocation(Visit visit) const;
  template <typename Relocation>
  void bind(Relocation &relocation) const noexcept;
  void find_tables();
  struct CallTags {
    std::int64_t function;
    std::int64_t array;
    std::int64_t size;
  };
  [[nodiscard]] Result<Calls> take_calls(CallTags tags) noexcept;

  /// `count` T at an offset in the file; empty if they are not all inside, or not aligned.
  template <typename T>
  [[nodiscard]] std::span<T> at(std::uint64_t offset, std::uint64_t count) const noexcept;
  /// The same at an address in memory, which must be in one segment.
  template <typename T>
  [[nodiscard]] std::span<T> mapped(Address address, std::uint64_t count) const noexcept;
  /// How many T there are from an address to the end of its segment's bytes.
  template <typename T>
  [[nodiscard]] std::uint64_t room(Address address) const noexcept;
  [[nodiscard]] bool has(std::int64_t tag) const noexcept;
  /// Of the last entry with this tag, which is the one that linkers take; 0 if there is none.
  [[nodiscard]] std::uint64_t value_of(std::int64_t tag) const noexcept;
  /// The text at an index of the table of names; empty if it is not wholly inside.
  [[nodiscard]] std::string_view name_at(std::uint64_t index) const noexcept;
  [[nodiscard]] Entry *entry_of(std::int64_t tag) const noexcept;
  [[nodiscard]] bool say_symbolic() noexcept;
  [[nodiscard]] std::string_view text_of(std::int64_t tag) const noexcept {
    return has(tag) ? name_at(value_of(tag)) : std::string_view();
  }
  [[nodiscard]] std::uint64_t count_symbols() const noexcept;
  [[nodiscard]] std::uint64_t count_by_gnu_hash(Address table) const noexcept;

  std::span<std::byte> bytes_;
  std::vector<Segment> segments_;
  std::span<Entry> dynamic_;
  std::span<char> names_;
  std::span<Symbol> symbols_;
  std::vector<Table> read_early_;  // size 0: not known, up to the next one
  Table protected_later_{};
  std::uint64_t headers_end_ = 0;
  bool uses_python_ = false;
  bool is_python_ = false;
  bool is_changed_early_ = false;
};

}  // namespace interlock
