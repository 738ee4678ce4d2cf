// SPDX-License-Identifier: MIT
// What is known of types whose instances cross without any code of theirs: those that have no say
// in how they are copied, so that __reduce_ex__(5) is object's and gives nothing but their
// attributes.
#pragma once

#include <unordered_map>
#include <vector>

#include "base/python_compat.hpp"
#include "transfer/shapes.hpp"

namespace interlock {

struct TypeFacts {
  enum class Kind : std::uint8_t {
    kOther,       // they are asked for their parts
    kAttributes,  // what is in __dict__, and nothing else
    kSlots,       // what is in __slots__, and nothing else
  };

  TypeFacts() = default;
  TypeFacts(TypeFacts &&other) noexcept { swap(other); }
  TypeFacts &operator=(TypeFacts &&other) noexcept {
    swap(other);
    return *this;
  }
  ~TypeFacts() {
    for (PyObject *const name : slots) Py_XDECREF(name);
  }
  void swap(TypeFacts &other) noexcept {
    std::swap(kind, other.kind);
    std::swap(is_foreign, other.is_foreign);
    std::swap(is_of_numpy, other.is_of_numpy);
    slots.swap(other.slots);
  }

  Kind kind = Kind::kOther;
  // interlock._foreign is to be asked before the object: pickle would copy the number of a
  // connection's descriptor, copy the bytes of ctypes' arrays and structures twice, and copy what
  // is compared by its identity.
  bool is_foreign = false;
  bool is_of_numpy = false;       // its parts are known, see transfer/numpy.hpp
  std::vector<PyObject *> slots;  // kSlots: each name, owned, then null: by place in the object
};

/// One for each interpreter, whose lock guards it. Holds no types: what it knows of one is valid
/// for a version of it (PyUnstable_Type_AssignVersionTag), which no other type ever has.
class TypeTable {
 public:
  TypeTable() = default;
  TypeTable(const TypeTable &) = delete;
  TypeTable &operator=(const TypeTable &) = delete;

  /// What is known of `type`, valid until the next call. Thread: attached. Runs no Python code;
  /// leaves no exception set.
  [[nodiscard]] const TypeFacts &find(PyTypeObject *type) {
    const bool is_same = type == last_ && type->tp_version_tag == last_version_;
    return is_same ? *last_facts_ : look_up(type);
  }
  /// The number of the present version of a type; 0 if it has none. Thread: attached.
  [[nodiscard]] static unsigned version_of(PyTypeObject *type) noexcept {
    return PyUnstable_Type_AssignVersionTag(type) != 0 ? type->tp_version_tag : 0;
  }
  [[nodiscard]] static bool is_version(const PyTypeObject *type, unsigned long version) noexcept {
    return version != 0 && type->tp_version_tag == version;
  }

 private:
  [[nodiscard]] const TypeFacts &look_up(PyTypeObject *type);

  static constexpr std::size_t kMost = 4096;  // of types that may have ended
  struct Entry {
    unsigned version = 0;
    TypeFacts facts;
  };

  std::unordered_map<PyTypeObject *, Entry> entries_;
  const PyTypeObject *last_ = nullptr;  // asked for, and what is known of it
  unsigned last_version_ = 0;
  const TypeFacts *last_facts_ = nullptr;
  const TypeFacts other_;
};

/// The attributes of an instance, one after the other. References are borrowed.
struct Attributes {
  Attributes() noexcept = default;
  Attributes(const Attributes &) = delete;
  Attributes &operator=(const Attributes &) = delete;

  PyObject **names = nullptr;  // every second word; there is a first one, if only null
  PyObject **values = nullptr;
  std::size_t stride = 1;  // of values, in words
  std::size_t count = 0;
  const std::uint8_t *order = nullptr;  // the indices of the values, or null for 0, 1, 2, ...
  PyObject *ordered[2 * ShapeCache::kMostKeys];  // room for names in that order

  [[nodiscard]] PyObject *name(std::size_t index) const noexcept { return names[2 * index]; }
  [[nodiscard]] PyObject *value(std::size_t index) const noexcept {
    return values[order != nullptr ? order[index] : stride * index];
  }
};

/// Where the attributes of an instance stand, which may have a shape. False if they cannot be read
/// in place. Thread: attached. Runs no Python code.
[[nodiscard]] bool find_attributes(PyObject *object, const TypeFacts &facts,
                                   Attributes &attributes) noexcept;
/// The same, if nothing but the object leads to them. Its dict leads to the same places: if
/// something else holds that, an attribute with one reference may be met twice.
[[nodiscard]] bool find_own_attributes(PyObject *object, const TypeFacts &facts,
                                       Attributes &attributes) noexcept;
/// Whether an instance that has these attributes itself says how it is copied.
[[nodiscard]] bool has_a_say(const Attributes &attributes) noexcept;
/// Whether slots of these names, each with a word behind it, are all that an instance has, in that
/// order.
[[nodiscard]] bool has_slots(const TypeFacts &facts, PyObject *const *names,
                             std::size_t count) noexcept;
/// Whether attributes of these names are the first that an instance has a place in itself for.
[[nodiscard]] bool has_places(const TypeFacts &facts, PyTypeObject *type, PyObject *const *names,
                              std::size_t count) noexcept;

}  // namespace interlock
