// SPDX-License-Identifier: MIT
// The dynamic linkers of the systems, as far as private copies depend on what they do; and what the
// headers of some lack. Nothing else asks which system this is. FreeBSD's and OpenBSD's are known
// by their sources only: what glibc and musl allow and those need not is not done there. The tests
// run with glibc's as if it were theirs.
#pragma once

#include <link.h>

#include <cstdint>
#include <string>

#ifndef ElfW  // OpenBSD, as what follows
#ifdef __LP64__
#define ElfW(type) Elf64_##type
#else
#define ElfW(type) Elf32_##type
#endif
#endif
#ifndef DT_VERSYM
#define DT_VERSYM 0x6ffffff0
#define DT_VERDEF 0x6ffffffc
#define DT_VERNEED 0x6ffffffe
#define DT_VERNEEDNUM 0x6fffffff
#endif
#ifndef PT_GNU_STACK
#define PT_GNU_STACK 0x6474e551
#endif
#ifndef PT_ARM_EXIDX
#define PT_ARM_EXIDX 0x70000001
#endif
#ifndef STB_GNU_UNIQUE
#define STB_GNU_UNIQUE 10
#endif
#ifndef STT_GNU_IFUNC
#define STT_GNU_IFUNC 10
#endif

namespace interlock {

struct Linker {
  /// It opens a file that has no name, by the name that the system gives to its descriptor.
  bool opens_descriptors;
  /// What it has mapped may be mapped anew, and be made writable again. OpenBSD makes mappings
  /// immutable (mimmutable(2), since 7.3): at least those of libraries that are never unloaded.
  bool lets_change_mappings;
  /// A file whose DT_FLAGS or DT_SYMBOLIC say so is looked at first for what it takes. musl's does
  /// not know them. For FreeBSD's they are the only way: it refuses a file with relocations of
  /// another kind among those of the PLT ("Unknown relocation type").
  bool knows_symbolic;
  /// It knows a library by the name in its file. Where this is not known it is tried.
  bool knows_sonames;
  /// dlinfo() leads to its own record of a library, which has a name for people. OpenBSD has no
  /// dlinfo(), and frees that name with the library.
  bool has_link_maps;
};

inline constexpr Linker kLinuxLinker = {.opens_descriptors = true,
                                        .lets_change_mappings = true,
                                        .knows_symbolic = false,
                                        .knows_sonames = false,
                                        .has_link_maps = true};
/// For tests: as where it turns out that there is no memfd_create(), or no /proc.
inline constexpr Linker kLinuxLinkerOfNamedFiles = {.opens_descriptors = false,
                                                    .lets_change_mappings = true,
                                                    .knows_symbolic = false,
                                                    .knows_sonames = false,
                                                    .has_link_maps = true};
inline constexpr Linker kBsdLinker = {.opens_descriptors = false,
                                      .lets_change_mappings = false,
                                      .knows_symbolic = true,
                                      .knows_sonames = true,
                                      .has_link_maps = false};

#if defined(INTERLOCK_LINKER)  // a test
inline constexpr Linker kLinker = INTERLOCK_LINKER;
#elif defined(__FreeBSD__) || defined(__OpenBSD__)
inline constexpr Linker kLinker = kBsdLinker;
#else
inline constexpr Linker kLinker = kLinuxLinker;
#endif

/// Where what was opened as `path` is loaded to, which is linked at address 0; 0 if that is not
/// known.
[[nodiscard]] std::uintptr_t base_of(void *handle, const std::string &path);

/// Lets a library say that it is `path`, in a spelling that leads to nothing: debuggers find its
/// symbols, and it finds the files beside it. Nothing depends on it.
void rename_for_people(void *handle, const std::string &path);

}  // namespace interlock
