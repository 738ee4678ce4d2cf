// SPDX-License-Identifier: MIT
// A directory for files that this process alone uses and that need a name: copies of shared objects
// on systems whose dynamic linker takes nothing else.
#pragma once

#include <string>

#include "base/status.hpp"

namespace interlock {

/// Its path, inside the system's directory for temporary files. It is made at the first call, and
/// nobody but this user can look into it. It is removed at exit with all that it holds; what a
/// process that crashed has left, the next one of this user that asks removes. The child of a fork
/// gets another one.  Errors: kESYSTEM, with the path.  Thread: any.
[[nodiscard]] Result<std::string> private_directory();

}  // namespace interlock
