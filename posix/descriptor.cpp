// SPDX-License-Identifier: MIT
#include "platform/descriptor.hpp"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

namespace interlock {

int duplicate_descriptor(int descriptor) noexcept { return fcntl(descriptor, F_DUPFD_CLOEXEC, 0); }

void close_descriptor(int descriptor) noexcept {
  const int saved = errno;
  close(descriptor);
  errno = saved;
}

}  // namespace interlock
