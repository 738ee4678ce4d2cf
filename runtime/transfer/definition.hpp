// SPDX-License-Identifier: MIT
// A function or class that crosses by value: its parts as a message, made once and read by every
// receiver. Its key stays the same for all versions of the same object.
#pragma once

#include <cstdint>

#include "base/ref.hpp"
#include "memory/message.hpp"

namespace interlock {

class Definition final : public Shared {
 public:
  Definition(std::uint64_t key, Message parts) : key_(key), parts_(std::move(parts)) {}

  [[nodiscard]] Kind kind() const noexcept override { return Kind::kDefinition; }
  [[nodiscard]] Weight weight() const noexcept override { return {.tier = Tier::kRebuilt}; }
  [[nodiscard]] std::uint64_t key() const noexcept { return key_; }
  [[nodiscard]] const Message &parts() const noexcept { return parts_; }

 private:
  const std::uint64_t key_;
  const Message parts_;
};

}  // namespace interlock
