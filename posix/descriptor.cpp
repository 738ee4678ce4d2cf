// SPDX-License-Identifier: MIT
#include "platform/descriptor.hpp"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

namespace interlock {

int duplicate_descriptor(int descriptor) noexcept { return fcntl(descriptor, F_DUPFD_CLOEXEC, 0); }

void write_byte(int descriptor, unsigned char byte) noexcept {
  const int saved = errno;
  while (write(descriptor, &byte, 1) < 0 && errno == EINTR) {
  }
  errno = saved;
}

void close_descriptor(int descriptor) noexcept {
  const int saved = errno;
  close(descriptor);
  errno = saved;
}

}  // namespace interlock
