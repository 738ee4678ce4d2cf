// SPDX-License-Identifier: MIT
// Dicts with the same keys in the same order have the same shape, as the rows of a table do. A
// message writes a shape once; its dicts are then made as copies of a first one, without hashing
// their keys.
#pragma once

#include <cstddef>
#include <vector>

#include "base/python_compat.hpp"

namespace interlock {

/// Finds the shapes of dicts that one message carries. A shape is worth writing when it is met for
/// the second time.
/// Thread: attached.
class ShapeCache {
 public:
  static constexpr std::size_t kMostKeys = 32;
  static constexpr std::size_t kNone = SIZE_MAX;
  static constexpr std::size_t kNew = SIZE_MAX - 1;

  /// The keys, all of them str, of a dict that may have a shape: the first of pairs with their
  /// values. Null for other dicts.
  [[nodiscard]] static PyObject **pairs_of(PyObject *dict) noexcept {
    const auto size = static_cast<std::size_t>(PyDict_GET_SIZE(dict));
    if (size == 0 || size > kMostKeys || !DictTable::verified() || DictTable::is_split(dict))
      return nullptr;
    DictTable &table = DictTable::of(dict);
    if (table.kind() != DictTable::kUnicode || table.entries() != size) return nullptr;
    return table.unicode_entries();
  }

  /// The number of the shape; kNew for one that add() is now worth; kNone.
  [[nodiscard]] std::size_t find(PyObject **pairs, std::size_t size) noexcept {
    const std::size_t index = place_of(pairs, size);
    Place &place = places_[index];
    if ((used_ >> index & 1) == 0 || place.first_key != pairs[0] || place.size != size) {
      used_ |= 1u << index;
      place = {pairs[0], size, kNone};
      return kNone;
    }
    if (place.shape == kNone) return kNew;
    return has_keys(place.shape, pairs, size) ? place.shape : kNone;
  }
  /// Gives a number to the shape that find() has just found to be new.
  std::size_t add(PyObject **pairs, std::size_t size) {
    if (shapes_.empty()) keys_.reserve(kMostKeys);
    shapes_.push_back({keys_.size(), size});
    for (std::size_t i = 0; i < size; ++i) keys_.push_back(PyRef::borrow(pairs[2 * i]));
    return places_[place_of(pairs, size)].shape = shapes_.size() - 1;
  }
  [[nodiscard]] bool has_keys(std::size_t shape, PyObject **pairs,
                              std::size_t size) const noexcept {
    if (shapes_[shape].size != size) return false;
    const PyRef *const keys = keys_.data() + shapes_[shape].first;
    for (std::size_t i = 0; i < size; ++i) {
      if (keys[i].get() != pairs[2 * i]) return false;
    }
    return true;
  }
  /// How many keys a shape has.
  [[nodiscard]] std::size_t size(std::size_t shape) const noexcept { return shapes_[shape].size; }
  [[nodiscard]] PyObject *key(std::size_t shape, std::size_t index) const noexcept {
    return keys_[shapes_[shape].first + index].get();
  }
  void clear() noexcept {
    used_ = 0;
    shapes_.clear();
    keys_.clear();
  }

 private:
  struct Place {
    PyObject *first_key;  // compared only
    std::size_t size;
    std::size_t shape;
  };
  struct Shape {
    std::size_t first;  // of keys_
    std::size_t size;
  };
  static constexpr std::size_t kPlaces = 16;

  [[nodiscard]] static std::size_t place_of(PyObject **pairs, std::size_t size) noexcept {
    return (reinterpret_cast<std::uintptr_t>(pairs[0]) / 16 + size) % kPlaces;
  }

  std::uint32_t used_ = 0;  // of places_, a bit for each
  Place places_[kPlaces];
  std::vector<Shape> shapes_;
  std::vector<PyRef> keys_;
};

}  // namespace interlock
