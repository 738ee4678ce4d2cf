// SPDX-License-Identifier: MIT
#include "interpreter/arena_pins.hpp"

#include <utility>

#include "interpreter/kept.hpp"

namespace interlock {

ArenaPins *ArenaPins::create_current() {
  if (RefCounted *const known = find_kept(Kept::kArenaPins)) return static_cast<ArenaPins *>(known);
  Ref<ArenaPins> made = make_ref<ArenaPins>();
  return keep(Kept::kArenaPins, made) ? made.get() : nullptr;
}

Ref<ArenaMemory> ArenaPins::default_memory() {
  if (!default_ || default_->is_from_parent()) default_ = make_ref<ArenaMemory>(UINT64_MAX);
  return default_;
}

void ArenaPins::pin_slow(ArenaMemory &memory) {
  if (pinned_.insert(&memory).second) memory.retain();
  give_back_stock();
  last_ = &memory;
}

void ArenaPins::give_back_stock() noexcept {
  if (stock_ != 0) last_->release(std::exchange(stock_, 0));
}

ArenaPins::~ArenaPins() {
  give_back_stock();
  for (ArenaMemory *const each : pinned_) each->release();
}

}  // namespace interlock
