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

/// Lets the linker know what is loaded from `directory` by its `name`, if it does not. `like`: of a
/// file that this process takes. What comes of it is seen when something needs that name.
void tell_linker(const ElfFile::Header &like, const std::string &directory,
                 const std::string &name);

}  // namespace interlock
