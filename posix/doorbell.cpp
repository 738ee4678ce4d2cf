// SPDX-License-Identifier: MIT
// An eventfd where there is one, else a pair of sockets from libuv.
#include "platform/doorbell.hpp"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cstring>
#include <string>

#ifdef HAVE_EVENTFD
#include <sys/eventfd.h>
#endif

namespace interlock {

Doorbell::~Doorbell() {
  if (reading_ >= 0) close(static_cast<int>(reading_));
  if (writing_ >= 0 && writing_ != reading_) close(static_cast<int>(writing_));
}

Status Doorbell::open(bool as_socket) {
#ifdef HAVE_EVENTFD
  if (!as_socket) {
    reading_ = writing_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (reading_ >= 0) return {};
    return Status(Code::kESYSTEM, std::string("cannot make an eventfd: ") + std::strerror(errno));
  }
#else
  (void)as_socket;
#endif
  uv_os_sock_t pair[2];
  const int error = uv_socketpair(SOCK_STREAM, 0, pair, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE);
  if (error != 0)
    return Status(Code::kESYSTEM,
                  std::string("cannot make a pair of sockets: ") + uv_strerror(error));
  reading_ = pair[0];
  writing_ = pair[1];
  return {};
}

void Doorbell::ring() noexcept {
  const int saved = errno;
  // Eight bytes, as an eventfd wants them. If it would block, it is readable already.
  const std::uint64_t one = 1;
  if (writing_ == reading_) {
    (void)!write(static_cast<int>(writing_), &one, sizeof one);
  } else {
    (void)!send(static_cast<int>(writing_), &one, sizeof one, MSG_NOSIGNAL);
  }
  errno = saved;
}

void Doorbell::silence() noexcept {
  const int saved = errno;
  std::uint64_t rings[64];
  while (read(static_cast<int>(reading_), rings, sizeof rings) == sizeof rings) {
  }
  errno = saved;
}

}  // namespace interlock
