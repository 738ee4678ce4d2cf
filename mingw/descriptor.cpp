// SPDX-License-Identifier: MIT
// A twin, because fcntl() is missing. Sockets are no descriptors here.
#include "platform/descriptor.hpp"

#include <errno.h>
#include <io.h>
#include <winsock2.h>

namespace interlock {

int duplicate_descriptor(int descriptor) noexcept {
  const int other = _dup(descriptor);
  if (other >= 0)
    SetHandleInformation(reinterpret_cast<HANDLE>(_get_osfhandle(other)), HANDLE_FLAG_INHERIT, 0);
  return other;
}

void write_byte(int descriptor, unsigned char byte) noexcept {
  const int saved = errno;
  send(static_cast<SOCKET>(descriptor), reinterpret_cast<const char *>(&byte), 1, 0);
  errno = saved;
}

void close_descriptor(int descriptor) noexcept {
  const int saved = errno;
  _close(descriptor);
  errno = saved;
}

}  // namespace interlock
