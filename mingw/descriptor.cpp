// SPDX-License-Identifier: MIT
// A twin, because fcntl() is missing. Sockets are no descriptors here.
#include "platform/descriptor.hpp"

#include <errno.h>
#include <io.h>
#include <windows.h>

namespace interlock {

int duplicate_descriptor(int descriptor) noexcept {
  const int other = _dup(descriptor);
  if (other >= 0)
    SetHandleInformation(reinterpret_cast<HANDLE>(_get_osfhandle(other)), HANDLE_FLAG_INHERIT, 0);
  return other;
}

void close_descriptor(int descriptor) noexcept {
  const int saved = errno;
  _close(descriptor);
  errno = saved;
}

}  // namespace interlock
