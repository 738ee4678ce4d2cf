// SPDX-License-Identifier: MIT
#include "posix/library_names.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "posix/library_file.hpp"
#include "posix/linker.hpp"

namespace interlock {
namespace {

#if defined(__alpha__) || defined(__s390x__)
using HashWord = std::uint64_t;
#else
using HashWord = std::uint32_t;
#endif

/// A shared object with names, and nothing else.
class Names {
 public:
  /// `tag` says what the name is.
  void add(std::int64_t tag, const std::string &name) {
    add(tag, texts_.size());
    texts_ += name + '\0';
  }
  /// The handle of one that is loaded, or null.
  [[nodiscard]] void *load(const ElfFile::Header &like) {
    file_.header = like;
    file_.header.e_type = ET_DYN;
    file_.header.e_entry = 0;
    file_.header.e_phoff = offsetof(File, segments);
    file_.header.e_phnum = 3;
    file_.header.e_shoff = 0;
    file_.header.e_shnum = 0;
    file_.header.e_shstrndx = 0;
    add(DT_STRTAB, sizeof file_);
    add(DT_STRSZ, texts_.size());
    add(DT_SYMTAB, offsetof(File, symbol));
    add(DT_SYMENT, sizeof file_.symbol);
    add(DT_HASH, offsetof(File, hash));
    const std::uint64_t size = sizeof file_ + texts_.size();
    constexpr unsigned kFlags = PF_R | PF_W;
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    set(file_.segments[0], {PT_LOAD, kFlags, 0, size, page});
    set(file_.segments[1],
        {PT_DYNAMIC, kFlags, offsetof(File, dynamic), sizeof file_.dynamic, sizeof(void *)});
    set(file_.segments[2], {PT_GNU_STACK, kFlags, 0, 0, 1});  // else it may run code on stacks
    LinkerFile file;
    const bool is_written = file.open("interlock").ok() &&
                            file.write(0, std::as_bytes(std::span(&file_, 1))) &&
                            file.write(sizeof file_, std::as_bytes(std::span(texts_)));
    if (!is_written) return nullptr;
    return ::dlopen(file.path().c_str(), RTLD_NOW | RTLD_LOCAL);
  }

 private:
  struct Part {
    std::uint32_t type;
    std::uint32_t flags;
    std::uint64_t offset;
    std::uint64_t size;
    std::uint64_t alignment;
  };
  struct File {
    ElfFile::Header header;
    ElfFile::Segment segments[3];
    ElfFile::Entry dynamic[8];  // the last ones are DT_NULL
    ElfFile::Symbol symbol;     // none
    HashWord hash[4];           // one list, of that
  };

  void add(std::int64_t tag, std::uint64_t value) {
    ElfFile::Entry &entry = file_.dynamic[count_++];
    entry.d_tag = static_cast<decltype(entry.d_tag)>(tag);
    entry.d_un.d_val = static_cast<decltype(entry.d_un.d_val)>(value);
  }
  static void set(ElfFile::Segment &segment, const Part &part) {
    segment.p_type = part.type;
    segment.p_flags = part.flags;
    segment.p_offset = static_cast<decltype(segment.p_offset)>(part.offset);
    segment.p_vaddr = segment.p_paddr = static_cast<ElfFile::Address>(part.offset);
    segment.p_filesz = segment.p_memsz = static_cast<decltype(segment.p_filesz)>(part.size);
    segment.p_align = static_cast<decltype(segment.p_align)>(part.alignment);
  }

  File file_{.header = {}, .segments = {}, .dynamic = {}, .symbol = {}, .hash = {1, 1, 0, 0}};
  std::string texts_ = std::string(1, '\0');
  std::size_t count_ = 0;
};

[[nodiscard]] bool try_soname(const ElfFile::Header &like) {
  const std::string name = "interlock-" + std::to_string(next_spelling());
  Names names;
  names.add(DT_SONAME, name);
  void *const handle = names.load(like);
  const bool knows = handle != nullptr && linker_knows(name);
  if (handle != nullptr) ::dlclose(handle);
  return knows;
}

}  // namespace

bool linker_knows_sonames(const ElfFile::Header &like) {
  static const bool knows = kLinker.knows_sonames || try_soname(like);
  return knows;
}

bool linker_knows(const std::string &name) {
  void *const handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
  if (handle == nullptr) {
    (void)::dlerror();
    return false;
  }
  ::dlclose(handle);
  return true;
}

void *load_as_needed(const ElfFile::Header &like, const std::string &name,
                     const std::string &directories, bool is_inherited) {
  Names names;
  names.add(DT_NEEDED, name);
  names.add(is_inherited ? DT_RPATH : DT_RUNPATH, directories);
  return names.load(like);
}

}  // namespace interlock
