// SPDX-License-Identifier: MIT
// How the C ABI reports: a code, and a sentence kept for the calling thread.
#pragma once

#include <string>

#include "base/python_compat.hpp"
#include "base/status.hpp"
#include "platform/clock.hpp"

namespace interlock {

/// Keeps the sentence of a failed `status` for interlock_error_message(); its code.
int report(const Status &status);
/// Takes the Python exception that is set, with its traceback, as the sentence. Thread: attached.
int report_python();

/// Seconds as the C ABI has them; negative is never, not-a-number too.
[[nodiscard]] Deadline deadline_of(double timeout) noexcept;

}  // namespace interlock
