// SPDX-License-Identifier: MIT
// A descriptor that becomes readable when somebody rings: how other threads reach a thread that
// waits in an event loop.
#pragma once

#include <cstdint>

#include "base/status.hpp"

namespace interlock {

class Doorbell {
 public:
  Doorbell() noexcept = default;
  ~Doorbell();
  Doorbell(const Doorbell &) = delete;
  Doorbell &operator=(const Doorbell &) = delete;

  /// `as_socket`: for event loops that wait for sockets alone, as those of Windows do. Once.
  /// Errors: kESYSTEM.
  [[nodiscard]] Status open(bool as_socket);
  /// What to wait for reading on; not blocking, not inherited by programs that are started. On
  /// Windows a SOCKET. Stays this object's.
  [[nodiscard]] std::intptr_t descriptor() const noexcept { return reading_; }

  /// Makes it readable. Thread: any.  Blocks: never.
  void ring() noexcept;
  /// Makes it unreadable until the next ring(). Thread: any.  Blocks: never.
  void silence() noexcept;

 private:
  std::intptr_t reading_ = -1;
  std::intptr_t writing_ = -1;  // the same one where one descriptor is enough
};

}  // namespace interlock
