// SPDX-License-Identifier: MIT
#include "platform/clock.hpp"

#include <time.h>

#include "base/check.hpp"

namespace interlock {

std::int64_t monotonic_ns() noexcept {
  timespec now{};
  CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace interlock
