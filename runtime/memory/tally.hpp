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

class Tally : public RefCounted {
 public:
  void add(const Contents &contents) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      change(counts_[i].messages, contents.tiers[i].messages);
      change(counts_[i].objects, contents.tiers[i].objects);
      change(counts_[i].bytes, contents.tiers[i].bytes);
    }
  }
  /// The same for one tier.
  void add(Tier tier, std::uint64_t messages, std::uint64_t objects,
           std::uint64_t bytes = 0) noexcept {
    Count &count = counts_[static_cast<std::size_t>(tier)];
    change(count.messages, messages);
    change(count.objects, objects);
    if (bytes != 0) change(count.bytes, bytes);
  }
  /// Takes back what was added.
  void subtract(Contents contents) noexcept {
    for (Contents::Count &each : contents.tiers)
      each = {.messages = -each.messages, .objects = -each.objects, .bytes = -each.bytes};
    add(contents);
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
  /// Relaxed: as above. A load and a store, because nobody else stores.
  static void change(Atomic<std::uint64_t> &word, std::uint64_t by) noexcept {
    store_relaxed(word, load_relaxed(word) + by);
  }

  std::array<Count, static_cast<std::size_t>(Tier::kRefused)> counts_;
};

}  // namespace interlock
