// SPDX-License-Identifier: MIT
// The command: CPython's own, with the runtime among its builtin modules and an allocator that lets
// objects change their interpreter.
#include <cstdio>

#include "base/python_compat.hpp"
#include "interpreter/owner_tags.hpp"
#include "python/module.hpp"

int main(int argc, char **argv) {
  if (!interlock::register_builtin_modules()) {
    std::fputs("interlock: out of memory\n", stderr);
    return 1;
  }
  const PyStatus status = interlock::preinitialize(argc, argv);
  if (PyStatus_Exception(status)) Py_ExitStatusException(status);
  interlock::owner_tags::install();
  return Py_BytesMain(argc, argv);
}
