// SPDX-License-Identifier: MIT
// Dicts with the same keys come again and again, message after message, as do the places where
// classes are found. Such a list of names gets a number in the process: a message that needs it
// then has the number, and neither side writes, hashes or interns the names.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/atomic.hpp"
#include "base/python_compat.hpp"
#include "lock/mutex.hpp"
#include "memory/message.hpp"

namespace interlock {

/// The lists of the process. What has a number keeps it, so there are only so many.
/// Lock: mutex_ (kLeaf) guards numbers_ and count_.
class KnownNames {
 public:
  static constexpr std::size_t kNone = SIZE_MAX;
  static constexpr std::size_t kMost = 1024;
  static constexpr std::size_t kMostWords = 512;  // of a list's message

  [[nodiscard]] static KnownNames &instance() noexcept;

  /// The number of a list, a tuple of str as a message, new or not; kNone if there is no room.
  /// Thread: any.  Blocks: never for long.
  [[nodiscard]] std::size_t add(Message names);
  /// The list of a number that add() gave to anybody. Thread: any.
  [[nodiscard]] const Message &names(std::size_t number) const noexcept {
    // SYNC: add() has written it before anybody had the number; a message brings that along.
    return names_[number];
  }
  /// In the child of a fork: another thread may have held the lock.
  void reset_after_fork() noexcept { mutex_.reset_after_fork(); }

 private:
  KnownNames() = default;

  mutable Mutex mutex_{LockRank::kLeaf};
  std::unordered_map<std::string, std::size_t> numbers_;  // by the words of the message
  std::size_t count_ = 0;
  Message names_[kMost];
};

/// What an interpreter knows of them, whose lock guards it. Thread: attached. Runs no Python code
/// unless said otherwise; leaves no exception set where the result says nothing of one.
class NameTable {
 public:
  NameTable() = default;
  NameTable(const NameTable &) = delete;
  NameTable &operator=(const NameTable &) = delete;
  ~NameTable() {
    for (GlobalPlace &each : globals_met_) forget(each);
  }

  static constexpr std::size_t kNone = KnownNames::kNone;

  /// The number of the shape of a dict (see ShapeCache::pairs_of), or kNone. A shape that is met
  /// again gets one.
  [[nodiscard]] std::size_t find(PyObject **pairs, std::size_t size) noexcept {
    const std::size_t number = find_known(pairs, size);
    return number != kNone ? number : meet(pairs, size);
  }
  /// The same, but meeting it does not count.
  [[nodiscard]] std::size_t find_known(PyObject **pairs, std::size_t size) const noexcept {
    const Place &place = places_[place_of(pairs, size)];
    const bool is_known = place.first_key == pairs[0] && place.size == size &&
                          has_number(place.number) && has_keys(place.number, pairs, size);
    return is_known ? place.number : kNone;
  }
  /// The keys of a shape that find() gave: every second word.
  [[nodiscard]] PyObject **keys(std::size_t number) const noexcept {
    return DictTable::of(dicts_[number].get()).unicode_entries();
  }
  [[nodiscard]] bool has_keys(std::size_t number, PyObject **pairs,
                              std::size_t size) const noexcept {
    if (static_cast<std::size_t>(PyDict_GET_SIZE(dicts_[number].get())) != size) return false;
    PyObject **const own = keys(number);
    for (std::size_t i = 0; i < size; ++i) {
      if (own[2 * i] != pairs[2 * i]) return false;
    }
    return true;
  }
  /// A dict with the keys of a shape, and None as their values (borrowed, for as long as the
  /// interpreter lives); null with a Python exception set.
  [[nodiscard]] PyObject *dict(std::size_t number) {
    const bool is_there = number < dicts_.size() && dicts_[number];
    return is_there ? dicts_[number].get() : make_dict(number);
  }

  /// The number of a module's name and that of what it has, with dots, or kNone. What is met again
  /// gets one.
  [[nodiscard]] std::size_t find_global(PyObject *module, PyObject *name) noexcept {
    const std::size_t number = find_known_global(module, name);
    return number != kNone ? number : meet_global(module, name);
  }
  /// The same, but meeting it does not count.
  [[nodiscard]] std::size_t find_known_global(PyObject *module, PyObject *name) const noexcept {
    const GlobalPlace &place = globals_met_[place_of(module, name)];
    const bool is_known = place.module == module && place.name == name && has_number(place.number);
    return is_known ? place.number : kNone;
  }
  /// What import finds under that number: a new reference, or null with a Python exception set.
  /// May run Python code.
  [[nodiscard]] PyObject *import(std::size_t number);
  /// "__spec__" (borrowed), or null.
  [[nodiscard]] PyObject *spec_name() noexcept {
    if (!spec_name_) spec_name_ = PyRef::steal(PyUnicode_InternFromString("__spec__"));
    return spec_name_.get();
  }

 private:
  struct GlobalPlace;
  static void forget(GlobalPlace &place) noexcept;
  struct Place {
    PyObject *first_key = nullptr;  // compared only
    std::size_t size = 0;
    std::size_t number = kNone;
  };
  struct GlobalPlace {
    PyObject *module = nullptr;  // owned once it has a number; compared only before
    PyObject *name = nullptr;
    std::size_t number = kNone;
  };
  struct Global {
    PyRef names;   // a tuple
    PyRef module;  // a weak reference to it, which was complete
  };
  static constexpr std::size_t kPlaces = 256;
  static constexpr std::size_t kRefused = kNone - 1;  // at a place: a number was asked for in vain

  [[nodiscard]] static bool has_number(std::size_t number) noexcept { return number < kRefused; }
  [[nodiscard]] static std::size_t place_of(PyObject **pairs, std::size_t size) noexcept {
    return (reinterpret_cast<std::uintptr_t>(pairs[0]) / 16 + size) % kPlaces;
  }
  [[nodiscard]] std::size_t meet(PyObject **pairs, std::size_t size) noexcept;
  [[nodiscard]] std::size_t add_shape(PyObject **pairs, std::size_t size);
  [[nodiscard]] static std::size_t add(const PyRef &names);
  [[nodiscard]] static PyRef names_of_list(std::size_t number);
  [[nodiscard]] PyObject *make_dict(std::size_t number);

  [[nodiscard]] static std::size_t place_of(const PyObject *module, const PyObject *name) noexcept {
    return (reinterpret_cast<std::uintptr_t>(name) / 16 +
            reinterpret_cast<std::uintptr_t>(module) / 32) %
           kPlaces;
  }
  [[nodiscard]] std::size_t meet_global(PyObject *module, PyObject *name) noexcept;
  [[nodiscard]] Global *make_global(std::size_t number);

  Place places_[kPlaces];  // by their first key, whatever was met last
  GlobalPlace globals_met_[kPlaces];
  std::vector<Global> globals_;  // by their number
  PyRef spec_name_;
  std::vector<PyRef> dicts_;  // by their number, or null
};

}  // namespace interlock
