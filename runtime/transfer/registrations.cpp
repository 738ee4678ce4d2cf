// SPDX-License-Identifier: MIT
#include "transfer/registrations.hpp"

namespace interlock {

Registrations &Registrations::instance() noexcept {
  static auto *const instance = new Registrations;  // threads may outlive static objects
  return *instance;
}

void Registrations::add(Registration registration) {
  const MutexGuard guard(mutex_);
  list_.push_back(std::move(registration));
  count_ = list_.size();
}

std::vector<Registration> Registrations::since(std::size_t number) const {
  const MutexGuard guard(mutex_);
  if (number >= list_.size()) return {};
  return {list_.begin() + static_cast<std::ptrdiff_t>(number), list_.end()};
}

}  // namespace interlock
