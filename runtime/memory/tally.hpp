// SPDX-License-Identifier: MIT
// Counts of what crosses, by tier. One interpreter at a time writes a tally, under its lock;
// anybody reads it. Counting costs a few instructions, since nobody else writes.
#pragma once

#include <array>
#include <cstdint>

#include "base/atomic.hpp"
#include "base/ref.hpp"

namespace interlock {

/// What a message carries. Bytes: `copied` those written into the message, `moved` and `shared`
/// those of buffers that are handed over or lent. Indices: Tier.
struct Contents {
  struct Count {
    std::uint64_t messages = 0;
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
  };

  std::array<Count, static_cast<std::size_t>(Tier::kRefused)> tiers{};

  [[nodiscard]] Count &operator[](Tier tier) noexcept {
    return tiers[static_cast<std::size_t>(tier)];
  }
};

class Tally {
 public:
  void add(const Contents &contents) noexcept {
    change(contents, [](std::uint64_t value, std::uint64_t by) { return value + by; });
  }
  /// Takes back what was added.
  void subtract(const Contents &contents) noexcept {
    change(contents, [](std::uint64_t value, std::uint64_t by) { return value - by; });
  }
  /// Thread: any.
  void add_to(Contents &sum) const noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      // Relaxed: statistics; nothing is published by them.
      sum.tiers[i].messages += load_relaxed(counts_[i].messages);
      sum.tiers[i].objects += load_relaxed(counts_[i].objects);
      sum.tiers[i].bytes += load_relaxed(counts_[i].bytes);
    }
  }

 private:
  struct Count {
    Atomic<std::uint64_t> messages{0};
    Atomic<std::uint64_t> objects{0};
    Atomic<std::uint64_t> bytes{0};
  };
  template <typename Operation>
  void change(const Contents &contents, Operation operation) noexcept {
    const auto one = [&](Atomic<std::uint64_t> &word, std::uint64_t by) {
      // Relaxed: as above. A load and a store, because nobody else stores.
      if (by != 0) store_relaxed(word, operation(load_relaxed(word), by));
    };
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      one(counts_[i].messages, contents.tiers[i].messages);
      one(counts_[i].objects, contents.tiers[i].objects);
      one(counts_[i].bytes, contents.tiers[i].bytes);
    }
  }

  std::array<Count, static_cast<std::size_t>(Tier::kRefused)> counts_;
};

/// What an interpreter has made messages of, and objects of.
struct Traffic final : RefCounted {
  Tally sent;
  Tally received;
};

}  // namespace interlock
