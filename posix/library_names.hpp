// SPDX-License-Identifier: MIT
// Names by which the dynamic linker takes a library that is loaded for one that another needs.
// GNU's knows a library by its DT_SONAME. musl's knows it by the name that it has once searched for
// and found it by, and by no other: so it is given something that needs that name, and finds it.
// Thread: with the global lock held.
#pragma once

#include <string>

#include "posix/elf.hpp"

namespace interlock {

/// Whether the linker knows a library by the name in its file.
[[nodiscard]] bool linker_knows_sonames(const ElfFile::Header &like);

/// Whether it takes something that is loaded for what is needed as `name`.
[[nodiscard]] bool linker_knows(const std::string &name);

/// Has the linker load `name` for something that needs it and searches for it in `directories`,
/// with colons between them; and if `is_inherited`, for what `name` needs, too (DT_RPATH; musl does
/// that always). `like`: of a file that this process takes. A handle for dlclose(), or null.
[[nodiscard]] void *load_as_needed(const ElfFile::Header &like, const std::string &name,
                                   const std::string &directories, bool is_inherited);

}  // namespace interlock
