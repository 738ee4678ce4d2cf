// SPDX-License-Identifier: MIT
// Part of python_compat.hpp: the list of the objects that an interpreter's collector knows.
#pragma once

#include "base/python_compat.hpp"

namespace interlock {

/// Tracked objects that are linked to each other as neighbours in the collector's list, from the
/// first to the last.
struct TrackedRun {
  PyObject *first = nullptr;
  PyObject *last = nullptr;
  std::size_t count = 0;
};

/// Runs change their interpreter whole: to take each object out of one list and to put it into
/// another writes to its neighbours each time, a quarter of what moving many objects costs.
/// Writes PyGC_Head (pycore_gc.h; 3.13, 3.14 since 3.14.5, 3.15): two words before the object, the
/// next and the previous one, with notes of the collector in the low bits of the latter. The
/// collector of 3.14.0-3.14.4 and of early 3.15 has notes in the former, too; there, and where
/// verified() finds anything unfamiliar, the C API has to take each object by itself. 3.14 and 3.15
/// also count the objects. Thread: attached. Runs no Python code.
class CollectorList {
 public:
  [[nodiscard]] static bool verified() noexcept {
    static const bool known = verify();
    return known;
  }

  [[nodiscard]] static bool is_tracked(PyObject *object) noexcept {
    return head_of(object).next != 0;
  }
  /// Whether a tracked object may be part of a run, which needs verified(), too.
  [[nodiscard]] static bool is_plain(PyObject *object) noexcept {
    return (head_of(object).previous & kNotes) == 0;
  }
  /// Its finaliser is not called any more. Needs verified().
  static void mark_finalized(PyObject *object) noexcept { head_of(object).previous |= 1; }
  /// Lets a tracked and plain object join a run that is still in the list. False if it is no
  /// neighbour.
  [[nodiscard]] static bool join(TrackedRun &run, PyObject *object) noexcept {
    const Head &head = head_of(object);
    if (head.next == address_of(run.first)) {
      run.first = object;
    } else if (head.previous == address_of(run.last)) {
      run.last = object;
    } else {
      return false;
    }
    ++run.count;
    return true;
  }
  /// Takes a run out of the list, without counting, and puts it before another that is in none.
  static void take_before(const TrackedRun &run, TrackedRun &out) noexcept {
    Head &first = head_of(run.first);
    Head &last = head_of(run.last);
    Head &before = *head_at(first.previous);
    Head &after = *head_at(last.next);
    before.next = address_of(after);
    set_previous(after, before);
    if (out.count == 0) {
      out.last = run.last;
    } else {
      last.next = address_of(out.first);
      head_of(out.first).previous = address_of(last);
    }
    out.first = run.first;
    out.count += run.count;
  }
  /// Counts a run that has been taken out of the calling interpreter's list.
  static void count_out(const TrackedRun &run) noexcept {
    if constexpr (kCounts) count_of(generation_by(run.last)) -= static_cast<Py_ssize_t>(run.count);
  }
  /// Puts a run that is in no list into that of the calling interpreter, among the youngest.
  static void link(const TrackedRun &run) noexcept {
    Head &last = head_of(run.last);
    const std::uintptr_t before_last = last.previous;
    last = {};
    PyObject_GC_Track(run.last);  // as the last of the youngest
    if (run.count == 1) return;
    if constexpr (kCounts) count_of(*head_at(last.next)) += static_cast<Py_ssize_t>(run.count - 1);
    Head &first = head_of(run.first);
    Head &before = *head_at(last.previous);
    before.next = address_of(first);
    set_previous(first, before);
    last.previous = before_last;
  }
  /// Calls `function(object)` for each, which it may free.
  template <typename Function>
  static void for_each(const TrackedRun &run, Function function) {
    PyObject *object = run.first;
    for (std::size_t left = run.count; left != 0; --left) {
      PyObject *const next = left != 1 ? object_at(head_of(object).next) : nullptr;
      function(object);
      object = next;
    }
  }

  class Aside;

 private:
  struct Head {
    std::uintptr_t next = 0;
    std::uintptr_t previous = 0;
  };
  static constexpr std::uintptr_t kNotes = 3;
  // The distance of GCState.heap_size from GCState.generations, the first of which is the list of
  // the youngest.
  static constexpr bool kCounts = PY_VERSION_HEX >= 0x030E0000;
  static constexpr std::size_t kDistance = PY_VERSION_HEX >= 0x030F0000 ? 136 : 192;

  [[nodiscard]] static Head &head_of(PyObject *object) noexcept {
    return reinterpret_cast<Head *>(object)[-1];
  }
  [[nodiscard]] static Head *head_at(std::uintptr_t address) noexcept {
    return reinterpret_cast<Head *>(address);
  }
  [[nodiscard]] static PyObject *object_at(std::uintptr_t address) noexcept {
    return reinterpret_cast<PyObject *>(head_at(address) + 1);
  }
  [[nodiscard]] static std::uintptr_t address_of(const Head &head) noexcept {
    return reinterpret_cast<std::uintptr_t>(&head);
  }
  [[nodiscard]] static std::uintptr_t address_of(PyObject *object) noexcept {
    return address_of(head_of(object));
  }
  static void set_previous(Head &head, const Head &previous) noexcept {
    head.previous = address_of(previous) | (head.previous & kNotes);
  }
  [[nodiscard]] static Py_ssize_t &count_of(Head &generation) noexcept {
    return *reinterpret_cast<Py_ssize_t *>(reinterpret_cast<char *>(&generation) + kDistance);
  }
  /// The list of the youngest, found by putting a tracked object there for a moment.
  [[nodiscard]] static Head &generation_by(PyObject *object) noexcept {
    Head &head = head_of(object);
    const Head kept = std::exchange(head, {});
    PyObject_GC_Track(object);
    Head &generation = *head_at(head.next);
    PyObject_GC_UnTrack(object);
    head = kept;
    return generation;
  }

  [[nodiscard]] static bool verify() noexcept {
    const bool has_notes_in_next = (Py_Version >= 0x030E0000 && Py_Version < 0x030E0500) ||
                                   (Py_Version >= 0x030F0000 && Py_Version < 0x030F00C0);
    if (!kKnowsLayouts || has_notes_in_next) return false;
    PyObject *const made[] = {PyList_New(0), PyList_New(0), PyList_New(0)};
    const bool is_made = made[0] != nullptr && made[1] != nullptr && made[2] != nullptr;
    const bool is_known = is_made && looks_familiar(made[0], made[1], made[2]);
    for (PyObject *each : made) Py_XDECREF(each);
    if (!is_made) PyErr_Clear();
    return is_known;
  }
  [[nodiscard]] static bool looks_familiar(PyObject *first, PyObject *second,
                                           PyObject *third) noexcept {
    const auto is_linked = [](PyObject *left, PyObject *right) {
      return head_of(left).next == address_of(right) && head_of(right).previous == address_of(left);
    };
    if (!is_linked(first, second) || !is_linked(second, third)) return false;
    Head &generation = *head_at(head_of(third).next);
    if (generation.previous != address_of(third)) return false;
    if constexpr (!kCounts) return true;
    const Py_ssize_t count = count_of(generation);
    PyObject_GC_UnTrack(first);
    PyObject_GC_UnTrack(second);
    const bool is_count = count_of(generation) == count - 2;
    PyObject_GC_Track(first);
    PyObject_GC_Track(second);
    return is_count && count_of(generation) == count;
  }
};

/// Tracked objects that the collector does not look at for now: they are linked in a list of their
/// own, counted and tracked as before, so that one that is freed leaves it. Needs verified(). Its
/// address is in them: it must stay where it is, also while other stacks run.
/// Thread: attached, to the same interpreter for the whole lifetime.
class CollectorList::Aside {
 public:
  Aside() noexcept = default;
  Aside(const Aside &) = delete;
  Aside &operator=(const Aside &) = delete;
  ~Aside() { put_back(); }

  /// A tracked object, which is no part of a collection that is going on.
  void add(PyObject *object) noexcept {
    Head &head = head_of(object);
    Head &before = *head_at(head.previous & ~kNotes);
    Head &after = *head_at(head.next);
    before.next = address_of(after);
    set_previous(after, before);
    Head &last = *head_at(list_.previous);
    last.next = address_of(head);
    set_previous(head, last);
    head.next = address_of(list_);
    list_.previous = address_of(head);
  }
  /// Puts them all among the youngest.
  void put_back() noexcept {
    if (list_.next == address_of(list_)) return;
    Head &generation = generation_by(object_at(list_.next));
    Head &first = *head_at(list_.next);
    Head &last = *head_at(list_.previous);
    Head &before = *head_at(generation.previous);
    before.next = address_of(first);
    set_previous(first, before);
    last.next = address_of(generation);
    generation.previous = address_of(last);
    list_.next = list_.previous = address_of(list_);
  }

 private:
  Head list_{.next = address_of(list_), .previous = address_of(list_)};
};

}  // namespace interlock
