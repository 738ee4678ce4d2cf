// SPDX-License-Identifier: MIT
// A twin of posix/doorbell.cpp, because a socket of Windows is no descriptor: read(), write() and
// close() do not take one, and it has errors of its own.
#include "platform/doorbell.hpp"

#include <uv.h>  // before anything that includes windows.h

#include <string>

namespace interlock {
namespace {

SOCKET socket_of(std::intptr_t descriptor) noexcept { return static_cast<SOCKET>(descriptor); }

/// uv_socketpair() counts on it, and libuv does it with the first loop only.
bool sockets_are_ready() noexcept {
  WSADATA unused;
  static const bool ready = WSAStartup(MAKEWORD(2, 2), &unused) == 0;
  return ready;
}

bool does_not_block(SOCKET socket) noexcept {
  unsigned long yes = 1;
  return ioctlsocket(socket, FIONBIO, &yes) == 0;
}

}  // namespace

Doorbell::~Doorbell() {
  if (reading_ >= 0) closesocket(socket_of(reading_));
  if (writing_ >= 0) closesocket(socket_of(writing_));
}

/// Event loops of Windows wait for sockets alone.
Status Doorbell::open(bool) {
  if (!sockets_are_ready()) return Status(Code::kESYSTEM, "this system has no sockets");
  uv_os_sock_t pair[2];
  const int error = uv_socketpair(SOCK_STREAM, 0, pair, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE);
  if (error != 0)
    return Status(Code::kESYSTEM,
                  std::string("cannot make a pair of sockets: ") + uv_strerror(error));
  reading_ = static_cast<std::intptr_t>(pair[0]);
  writing_ = static_cast<std::intptr_t>(pair[1]);
  // libuv's flag makes them fit for overlapped operations, which block all the same.
  if (!does_not_block(pair[0]) || !does_not_block(pair[1]))
    return Status(Code::kESYSTEM, "cannot make a socket that does not block");
  return {};
}

void Doorbell::ring() noexcept {
  // If it would block, the other end is readable already.
  const char one = 1;
  (void)send(socket_of(writing_), &one, sizeof one, 0);
}

void Doorbell::silence() noexcept {
  char rings[512];
  while (recv(socket_of(reading_), rings, sizeof rings, 0) == sizeof rings) {
  }
}

}  // namespace interlock
