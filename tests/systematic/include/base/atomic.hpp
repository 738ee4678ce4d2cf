// SPDX-License-Identifier: MIT
// Stands in for runtime/base/atomic.hpp in the systematic tests: an Atomic of the same size and the
// same operations, which asks the simulator before every access who runs next, and whose stores
// weaker than seq_cst wait in the storing thread's buffer, as on a processor with total store
// order.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace interlock {
namespace systematic {

/// Where in the product's sources an access stands, for the printed schedule.
struct Place {
  const char *file = nullptr;
  int line = 0;
};

/// Each is called by the accessing thread before it touches the word; returns when it is its turn.
/// Outside a simulated thread they return at once.
void before_load(const void *word, Place place) noexcept;
void before_store(const void *word, Place place) noexcept;
/// Also drains the caller's store buffer.
void before_update(const void *word, Place place) noexcept;

/// The youngest store to `word` that waits in the caller's buffer; false if there is none.
[[nodiscard]] bool find_buffered(const void *word, void *value, std::size_t size) noexcept;
/// Puts a store into the caller's buffer; false where there is none and it must be done at once.
[[nodiscard]] bool buffer_store(void *word, const void *value, std::size_t size) noexcept;
/// After the access, for the printed schedule.
void record(const char *operation, const void *word, std::uint64_t before, std::uint64_t after,
            Place place) noexcept;
/// True now and then: a weak compare-exchange that fails for no reason.
[[nodiscard]] bool fails_for_no_reason() noexcept;
/// The word's life ends.
void forget(const void *word) noexcept;

}  // namespace systematic

template <typename T>
class Atomic {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  using Place = systematic::Place;
  static constexpr auto kSeqCst = std::memory_order_seq_cst;

 public:
  using value_type = T;
  static constexpr bool is_always_lock_free = true;

  constexpr Atomic() noexcept : value_{} {}
  constexpr Atomic(T value) noexcept
      : value_(value) {}  // NOLINT: values convert, as in std::atomic
  ~Atomic() { systematic::forget(this); }
  Atomic(const Atomic &) = delete;
  Atomic &operator=(const Atomic &) = delete;

  [[nodiscard]] T load(std::memory_order = kSeqCst,
                       Place place = {__builtin_FILE(), __builtin_LINE()}) const noexcept {
    systematic::before_load(this, place);
    T value = value_;
    (void)systematic::find_buffered(this, &value, sizeof value);
    systematic::record("load", this, bits(value), bits(value), place);
    return value;
  }
  void store(T value, std::memory_order order = kSeqCst,
             Place place = {__builtin_FILE(), __builtin_LINE()}) noexcept {
    if (order == kSeqCst) {
      systematic::before_update(this, place);
    } else {
      systematic::before_store(this, place);
      if (systematic::buffer_store(this, &value, sizeof value)) {
        systematic::record("store, buffered", this, bits(value), bits(value), place);
        return;
      }
    }
    systematic::record("store", this, bits(value_), bits(value), place);
    value_ = value;
  }
  T exchange(T value, std::memory_order = kSeqCst,
             Place place = {__builtin_FILE(), __builtin_LINE()}) noexcept {
    return update("exchange", place, [value](T) { return value; });
  }
  bool compare_exchange_strong(T &expected, T value, std::memory_order = kSeqCst,
                               std::memory_order = kSeqCst,
                               Place place = {__builtin_FILE(), __builtin_LINE()}) noexcept {
    return compare_exchange(expected, value, false, place);
  }
  bool compare_exchange_weak(T &expected, T value, std::memory_order = kSeqCst,
                             std::memory_order = kSeqCst,
                             Place place = {__builtin_FILE(), __builtin_LINE()}) noexcept {
    return compare_exchange(expected, value, systematic::fails_for_no_reason(), place);
  }
  T fetch_add(T by, std::memory_order = kSeqCst,
              Place place = {__builtin_FILE(), __builtin_LINE()}) noexcept {
    return update("fetch_add", place, [by](T old) { return static_cast<T>(old + by); });
  }
  T fetch_sub(T by, std::memory_order = kSeqCst,
              Place place = {__builtin_FILE(), __builtin_LINE()}) noexcept {
    return update("fetch_sub", place, [by](T old) { return static_cast<T>(old - by); });
  }
  T fetch_and(T with, std::memory_order = kSeqCst,
              Place place = {__builtin_FILE(), __builtin_LINE()}) noexcept {
    return update("fetch_and", place, [with](T old) { return static_cast<T>(old & with); });
  }
  T fetch_or(T with, std::memory_order = kSeqCst,
             Place place = {__builtin_FILE(), __builtin_LINE()}) noexcept {
    return update("fetch_or", place, [with](T old) { return static_cast<T>(old | with); });
  }
  T fetch_xor(T with, std::memory_order = kSeqCst,
              Place place = {__builtin_FILE(), __builtin_LINE()}) noexcept {
    return update("fetch_xor", place, [with](T old) { return static_cast<T>(old ^ with); });
  }

  operator T() const noexcept {
    return load(kSeqCst, {});
  }  // NOLINT: converts, as std::atomic does
  T operator=(T value) noexcept {
    store(value, kSeqCst, {});
    return value;
  }
  T operator++() noexcept { return static_cast<T>(fetch_add(1, kSeqCst, {}) + 1); }
  T operator++(int) noexcept { return fetch_add(1, kSeqCst, {}); }
  T operator--() noexcept { return static_cast<T>(fetch_sub(1, kSeqCst, {}) - 1); }
  T operator--(int) noexcept { return fetch_sub(1, kSeqCst, {}); }
  T operator+=(T by) noexcept { return static_cast<T>(fetch_add(by, kSeqCst, {}) + by); }
  T operator-=(T by) noexcept { return static_cast<T>(fetch_sub(by, kSeqCst, {}) - by); }
  T operator&=(T with) noexcept { return static_cast<T>(fetch_and(with, kSeqCst, {}) & with); }
  T operator|=(T with) noexcept { return static_cast<T>(fetch_or(with, kSeqCst, {}) | with); }

 private:
  static std::uint64_t bits(T value) noexcept {
    std::uint64_t result = 0;
    std::memcpy(&result, &value, sizeof value);
    return result;
  }
  template <typename Function>
  T update(const char *operation, Place place, Function function) noexcept {
    systematic::before_update(this, place);
    const T old = value_;
    value_ = function(old);
    systematic::record(operation, this, bits(old), bits(value_), place);
    return old;
  }
  bool compare_exchange(T &expected, T value, bool fails, Place place) noexcept {
    systematic::before_update(this, place);
    const T old = value_;
    if (fails || bits(old) != bits(expected)) {
      systematic::record("compare_exchange, failed", this, bits(old), bits(old), place);
      expected = old;
      return false;
    }
    value_ = value;
    systematic::record("compare_exchange", this, bits(old), bits(value), place);
    return true;
  }
  T value_;
};

// The defaults name the caller's place, which is why they are repeated for each.
#define PLACE systematic::Place place = {__builtin_FILE(), __builtin_LINE()}

template <typename T>
[[nodiscard]] T load_relaxed(const Atomic<T> &word, PLACE) noexcept {
  return word.load(std::memory_order_relaxed, place);
}

template <typename T>
[[nodiscard]] T load_acquire(const Atomic<T> &word, PLACE) noexcept {
  return word.load(std::memory_order_acquire, place);
}

template <typename T>
void store_relaxed(Atomic<T> &word, std::type_identity_t<T> value, PLACE) noexcept {
  word.store(value, std::memory_order_relaxed, place);
}

template <typename T>
void store_release(Atomic<T> &word, std::type_identity_t<T> value, PLACE) noexcept {
  word.store(value, std::memory_order_release, place);
}

template <typename T>
T fetch_add_relaxed(Atomic<T> &word, std::type_identity_t<T> by, PLACE) noexcept {
  return word.fetch_add(by, std::memory_order_relaxed, place);
}

template <typename T>
T fetch_sub_acq_rel(Atomic<T> &word, std::type_identity_t<T> by, PLACE) noexcept {
  return word.fetch_sub(by, std::memory_order_acq_rel, place);
}

#undef PLACE

}  // namespace interlock
