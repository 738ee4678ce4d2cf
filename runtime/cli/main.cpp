// SPDX-License-Identifier: MIT
// The command: CPython's own, with the runtime among its builtin modules.
#include <cstdio>

#include "python/module.hpp"

int main(int argc, char **argv) {
  if (!interlock::register_builtin_modules()) {
    std::fputs("interlock: out of memory\n", stderr);
    return 1;
  }
  return Py_BytesMain(argc, argv);
}
