// SPDX-License-Identifier: MIT
// Shared objects of Windows as files: what a private copy of one has to know, and may change,
// before the linker sees it. Any bytes may be given; nothing outside them is read or written, and
// no field is believed. Knows PE32+ only, as Microsoft's "PE Format" describes it. Needs no header
// of Windows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.hpp"

namespace interlock {

/// A view; the bytes must outlive it. Thread: one at a time.
class PeFile {
 public:
  /// From where the file is loaded to.
  using Address = std::uint32_t;

  /// What the linker of this process takes.
#if defined(__aarch64__)
  static constexpr std::uint16_t kMachine = 0xaa64;  // ARM64
#else
  static constexpr std::uint16_t kMachine = 0x8664;  // AMD64
#endif

  struct Section {
    Address start;
    std::uint32_t size;    // in memory
    std::uint32_t offset;  // of what the file has of it, which is inside the file
    std::uint32_t known;   // how much that is, at most `size`; then there are zeros
    bool is_readable;      // not if it is for the linker only
    bool is_writable;
  };
  /// A function that is defined elsewhere.
  struct Import {
    std::string_view library;
    std::string_view name;  // empty: it has a number
    Address place;          // where its address is written
    bool is_delayed;        // until it is called: something else is written there before
  };

  /// Errors: kEINVAL, saying what is wrong with the file.
  [[nodiscard]] static Result<PeFile> open(std::span<std::byte> bytes);

  /// Of the memory that it is loaded to.
  [[nodiscard]] std::uint32_t memory_size() const noexcept { return memory_size_; }
  [[nodiscard]] const std::vector<Section> &sections() const noexcept { return sections_; }
  [[nodiscard]] const std::vector<Import> &imports() const noexcept { return imports_; }
  /// The names of libraries that it needs, at once or later, each once.
  [[nodiscard]] std::vector<std::string_view> needed() const;
  [[nodiscard]] bool has_export(std::string_view name) const noexcept;
  /// Whether it takes something from the Python C API, and so keeps what belongs to an interpreter.
  [[nodiscard]] bool uses_python() const noexcept;
  /// Whether it defines parts of the Python C API: it is CPython, of which there is one.
  [[nodiscard]] bool is_python() const noexcept { return has_export("Py_InitializeEx"); }
  /// Where the linker writes the number of its thread-local storage, or 0.
  [[nodiscard]] Address thread_index() const noexcept { return thread_index_; }

  /// What runs at its begin and end, and those of threads.
  struct Calls {
    Address entry = 0;  // 0: it has none
    Address array = 0;  // of addresses, once they have been relocated: called before `entry`
    std::uint32_t count = 0;
  };
  /// Leaves them to the caller: the linker does not find them any more.
  [[nodiscard]] Calls take_calls() noexcept;

  /// Changes the name of a library that it needs to another one of the same length. False if it
  /// needs none of that name, or something else is written in the same place.
  [[nodiscard]] bool rename(std::string_view name, std::string_view other) noexcept;

  /// Whether both name the same file: Windows takes small letters and capital ones for the same.
  [[nodiscard]] static bool are_same(std::string_view one, std::string_view other) noexcept;

 private:
  /// A part of the file that the headers lead to.
  struct Directory {
    Address start = 0;
    std::uint32_t size = 0;
  };
  /// A library that is needed, as the file names it.
  struct Named {
    std::size_t offset;
    std::string_view name;
  };

  explicit PeFile(std::span<std::byte> bytes) noexcept : bytes_(bytes) {}
  [[nodiscard]] Status read();
  [[nodiscard]] Status read_optional_header(std::size_t offset, std::size_t size);
  [[nodiscard]] Status read_sections(std::size_t offset, std::size_t count);
  [[nodiscard]] Status read_imports();
  [[nodiscard]] Status read_delayed_imports();
  [[nodiscard]] Status read_functions(const Named &library, Address names, Address places,
                                      bool is_delayed);
  [[nodiscard]] Status read_exports();
  [[nodiscard]] Status read_thread_storage();

  /// A T at an offset in the file that is known to be inside it.
  template <typename T>
  [[nodiscard]] T at(std::size_t offset) const noexcept;
  template <typename T>
  void write(std::size_t offset, T value) noexcept;
  [[nodiscard]] bool is_inside(std::uint64_t offset, std::uint64_t size) const noexcept {
    return offset <= bytes_.size() && size <= bytes_.size() - offset;
  }
  /// How many bytes the file has from an address in memory on; `offset`: of these in the file.
  [[nodiscard]] std::size_t room(std::uint64_t address, std::size_t &offset) const noexcept;
  /// Reads a T at an address in memory. False if the file does not have it.
  template <typename T>
  [[nodiscard]] bool read_at(std::uint64_t address, T &value) const noexcept;
  /// The text at an address; empty if it is not wholly inside, or is longer than any name.
  [[nodiscard]] std::string_view text_at(std::uint64_t address) const noexcept;
  [[nodiscard]] std::size_t offset_of(std::string_view text) const noexcept {
    return static_cast<std::size_t>(text.data() - reinterpret_cast<const char *>(bytes_.data()));
  }
  /// An address in memory of one that the file has been linked for; 0 if it is not in there.
  [[nodiscard]] Address address_of(std::uint64_t linked) const noexcept;

  std::span<std::byte> bytes_;
  std::vector<Section> sections_;
  std::vector<Named> needed_;
  std::vector<Import> imports_;
  std::vector<Directory> directories_;
  std::uint64_t linked_base_ = 0;
  std::uint32_t memory_size_ = 0;
  std::size_t entry_offset_ = 0;
  std::size_t calls_offset_ = 0;  // of the address of `calls_.array`, or 0
  std::size_t export_count_ = 0;
  Address export_names_ = 0;
  Address thread_index_ = 0;
  Calls calls_;
};

}  // namespace interlock
