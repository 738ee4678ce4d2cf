// SPDX-License-Identifier: MIT
// Atomic operations named by their memory order, so that each weaker one stands out at its use and
// can carry its SYNC comment. Plain std::atomic operators stay seq_cst.
#pragma once

#include <atomic>
#include <type_traits>

namespace interlock {

/// The atomics of base, platform, lock, memory and channel. The systematic tests put a header of
/// the same name before this one, whose Atomic lets a scheduler decide the order of every access.
template <typename T>
using Atomic = std::atomic<T>;

template <typename T>
[[nodiscard]] T load_relaxed(const Atomic<T> &word) noexcept {
  return word.load(std::memory_order_relaxed);
}

template <typename T>
[[nodiscard]] T load_acquire(const Atomic<T> &word) noexcept {
  return word.load(std::memory_order_acquire);
}

template <typename T>
void store_relaxed(Atomic<T> &word, std::type_identity_t<T> value) noexcept {
  word.store(value, std::memory_order_relaxed);
}

template <typename T>
void store_release(Atomic<T> &word, std::type_identity_t<T> value) noexcept {
  word.store(value, std::memory_order_release);
}

template <typename T>
T fetch_add_relaxed(Atomic<T> &word, std::type_identity_t<T> by) noexcept {
  return word.fetch_add(by, std::memory_order_relaxed);
}

template <typename T>
T fetch_sub_acq_rel(Atomic<T> &word, std::type_identity_t<T> by) noexcept {
  return word.fetch_sub(by, std::memory_order_acq_rel);
}

}  // namespace interlock
