// SPDX-License-Identifier: MIT
// How functions of the runtime fail: a Status, or a Result<T> that holds a value or a Status. No
// C++ exception leaves a function of the runtime; one file (python/error.cpp) turns a Status into a
// Python exception.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>

namespace interlock {

enum class Code : int {
  kOk = 0,
#define INTERLOCK_ERROR(name, value, meaning) k##name = value,
#include "base/errors.def"
#undef INTERLOCK_ERROR
};

/// The fixed sentence for a code, for example "timed out".
[[nodiscard]] const char *code_meaning(Code code) noexcept;

/// Success, or a code with a sentence for people. With kEPYTHON the Python error indicator of the
/// calling thread is set and the sentence is empty.
class [[nodiscard]] Status {
 public:
  Status() noexcept = default;
  Status(Code code) noexcept : code_(code) {}  // NOLINT: codes convert on purpose
  Status(Code code, std::string message)
      : code_(code), message_(std::make_shared<const std::string>(std::move(message))) {}

  [[nodiscard]] bool ok() const noexcept { return code_ == Code::kOk; }
  [[nodiscard]] Code code() const noexcept { return code_; }
  /// The sentence given at construction, else the code's meaning.
  [[nodiscard]] const char *message() const noexcept {
    return message_ == nullptr || message_->empty() ? code_meaning(code_) : message_->c_str();
  }

 private:
  Code code_ = Code::kOk;
  std::shared_ptr<const std::string> message_;  // null mostly: a Status is cheap to return
};

/// A value, or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : held_(std::move(value)) {}         // NOLINT: values convert on purpose
  Result(Status status) : held_(std::move(status)) {}  // NOLINT
  Result(Code code) : held_(Status(code)) {}           // NOLINT

  [[nodiscard]] bool ok() const noexcept { return held_.index() == 0; }
  [[nodiscard]] T &value() noexcept { return *std::get_if<0>(&held_); }
  [[nodiscard]] Status status() const { return ok() ? Status() : *std::get_if<1>(&held_); }

 private:
  std::variant<T, Status> held_;
};

}  // namespace interlock
