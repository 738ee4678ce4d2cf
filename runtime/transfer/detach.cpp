// SPDX-License-Identifier: MIT
#include "transfer/detach.hpp"

#include <algorithm>
#include <cstring>

#include "transfer/common_objects.hpp"
#include "transfer/freeze.hpp"
#include "transfer/owner_check.hpp"
#include "transfer/plain.hpp"
#include "transfer/slots.hpp"
#include "transfer/transfer.hpp"

namespace interlock {
namespace {

[[nodiscard]] PyASCIIObject *text_parts(PyObject *text) noexcept {
  return reinterpret_cast<PyASCIIObject *>(text);
}
[[nodiscard]] PySetObject *set_parts(PyObject *set) noexcept {
  return reinterpret_cast<PySetObject *>(set);
}

[[nodiscard]] PyObject *copy_text(PyObject *text) noexcept {
  const Py_ssize_t length = PyUnicode_GET_LENGTH(text);
  PyObject *const copy = PyUnicode_New(length, PyUnicode_MAX_CHAR_VALUE(text));
  if (copy == nullptr) return nullptr;
  std::memcpy(PyUnicode_DATA(copy), PyUnicode_DATA(text),
              static_cast<std::size_t>(length * PyUnicode_KIND(text)));
  // The table of a dict keyed by str counts on it.
  text_parts(copy)->hash = PyObject_Hash(text);
  return copy;
}

[[nodiscard]] PyObject *copy_int(PyObject *number) {
  auto *const parts = reinterpret_cast<PyLongObject *>(number);
  if (PyUnstable_Long_IsCompact(parts))
    return PyLong_FromSsize_t(PyUnstable_Long_CompactValue(parts));
  constexpr int kSigned = Py_ASNATIVEBYTES_LITTLE_ENDIAN;
  const Py_ssize_t size = PyLong_AsNativeBytes(number, nullptr, 0, kSigned);
  if (size < 0) return nullptr;
  std::vector<char> bytes(static_cast<std::size_t>(size));
  if (PyLong_AsNativeBytes(number, bytes.data(), size, kSigned) < 0) return nullptr;
  return PyLong_FromNativeBytes(bytes.data(), bytes.size(), kSigned);
}

/// Null for want of memory, perhaps with a Python exception set.
[[nodiscard]] PyObject *copy_leaf(PyObject *leaf, PyTypeObject *type) {
  if (type == &PyUnicode_Type) return copy_text(leaf);
  if (type == &PyLong_Type) return copy_int(leaf);
  if (type == &PyFloat_Type) return PyFloat_FromDouble(PyFloat_AS_DOUBLE(leaf));
  if (type == &PyComplex_Type) return PyComplex_FromCComplex(PyComplex_AsCComplex(leaf));
  return PyBytes_FromStringAndSize(PyBytes_AS_STRING(leaf), PyBytes_GET_SIZE(leaf));
}

[[nodiscard]] bool is_weakly_referenced(PyObject *object) noexcept {
  return is_set(Py_TYPE(object)) && set_parts(object)->weakreflist != nullptr;
}

// Most of the time goes into waiting for the memory of objects, so it is asked for ahead.

/// Of the places of a large container, so many.
constexpr std::size_t kAhead = 8;
void fetch(const PyObject *object) noexcept { __builtin_prefetch(object); }

/// Those of a list that comes after what is inside the present container: it has been asked for
/// before.
void fetch_contents(PyObject *object) noexcept {
  if (object == nullptr || Py_TYPE(object) != &PyList_Type) return;
  __builtin_prefetch(reinterpret_cast<PyListObject *>(object)->ob_item);
}

/// What was made one after the other mostly stands so in memory, and is visited last things first:
/// what comes soon stands somewhat before what is there now.
void fetch_before(const void *memory) noexcept {
  constexpr std::uintptr_t kBytes = 1024;
  // As a number: there may be nothing.
  __builtin_prefetch(
      reinterpret_cast<const void *>(reinterpret_cast<std::uintptr_t>(memory) - kBytes));
}

void swap_sets(PyObject *set, PyObject *other) noexcept {
  PySetObject *const left = set_parts(set);
  PySetObject *const right = set_parts(other);
  const bool left_is_small = left->table == left->smalltable;
  const bool right_is_small = right->table == right->smalltable;
  std::swap(left->fill, right->fill);
  std::swap(left->used, right->used);
  std::swap(left->mask, right->mask);
  std::swap(left->table, right->table);
  std::swap(left->finger, right->finger);
  std::swap(left->smalltable, right->smalltable);
  if (right_is_small) left->table = left->smalltable;
  if (left_is_small) right->table = right->smalltable;
}

/// Gives two containers of the same type, list, dict, set or bytearray, each other's contents.
void swap_contents(PyObject *container, PyObject *other) noexcept {
  PyTypeObject *const type = Py_TYPE(container);
  if (type == &PyList_Type) {
    auto *const left = reinterpret_cast<PyListObject *>(container);
    auto *const right = reinterpret_cast<PyListObject *>(other);
    std::swap(left->ob_base.ob_size, right->ob_base.ob_size);
    std::swap(left->ob_item, right->ob_item);
    std::swap(left->allocated, right->allocated);
  } else if (type == &PyDict_Type) {
    DictTable::swap(container, other);
  } else if (type == &PySet_Type) {
    swap_sets(container, other);
  } else {
    ByteArrayStorage::swap(container, other);
  }
}

[[nodiscard]] PyObject *new_empty(PyTypeObject *type) noexcept {
  if (type == &PyList_Type) return PyList_New(0);
  if (type == &PyDict_Type) return PyDict_New();
  if (type == &PySet_Type) return PySet_New(nullptr);
  return PyByteArray_FromStringAndSize(nullptr, 0);
}

/// A new container of the same type with references to the same objects.
[[nodiscard]] PyObject *shallow_copy(PyObject *container, PyTypeObject *type) {
  if (type == &PyList_Type) return PyList_GetSlice(container, 0, PyList_GET_SIZE(container));
  if (type == &PyDict_Type) return PyDict_Copy(container);
  if (type == &PySet_Type) return PySet_New(container);
  if (type == &PyFrozenSet_Type) {
    const PyRef elements = PyRef::steal(PySet_New(container));
    return elements ? PyFrozenSet_New(elements.get()) : nullptr;
  }
  if (type == &PyByteArray_Type)
    return PyByteArray_FromStringAndSize(PyByteArray_AS_STRING(container),
                                         PyByteArray_GET_SIZE(container));
  const Py_ssize_t size = PyTuple_GET_SIZE(container);
  PyObject *const copy = PyTuple_New(size);
  for (Py_ssize_t i = 0; copy != nullptr && i < size; ++i)
    PyTuple_SET_ITEM(copy, i, Py_NewRef(PyTuple_GET_ITEM(container, i)));
  return copy;
}

/// Adds to `container` what is in `newer`, of the same type, if anything is.
[[nodiscard]] bool add_all(PyObject *container, PyObject *newer) {
  if (PyObject_Size(newer) == 0) return true;
  if (PyList_CheckExact(container)) return PyList_Extend(container, newer) == 0;
  if (PyDict_CheckExact(container)) return PyDict_Update(container, newer) == 0;
  if (PySet_CheckExact(container))
    return static_cast<bool>(PyRef::steal(PyNumber_InPlaceOr(container, newer)));
  return ByteArrayStorage::append(container, newer);
}

}  // namespace

bool can_move() noexcept {
  return SharedAllocator::is_in_use() && DictTable::verified() && set_dummy() != nullptr;
}

Detachment::~Detachment() {
  for (const Replacement &each : replacements_) Py_DECREF(each.original);
  for (PyObject *each : in_holes_) Py_DECREF(each);
}

Detachment::Result Detachment::run(PyRef &root, Held held, Survey *survey) {
  held_ = held;
  survey_ = survey;
  if (!can_move()) return Result::kForeign;
  PyObject *const goes = take(root.get());
  if (goes == nullptr) return why_;
  if (!in_holes_.empty()) {  // the root itself, which nothing leads to
    in_holes_.clear();
    return Result::kForeign;
  }
  (void)root.release();  // take() took it over
  graph_->root = goes;
  const bool is_done = visit_all();
  graph_->containers.leave();
  if (!is_done) {
    root = take_back();
    return why_;
  }
  owner_tags::leave(*graph_);
  return Result::kDone;
}

bool Detachment::is_shared(PyObject *object, PyTypeObject *type) {
  if (is_of_all(object, type)) return true;
  ArenaMemory *const memory = arena_of(object);
  if (memory == nullptr) return false;
  auto &arenas = graph_->arenas;
  const auto same = [&](const Ref<ArenaMemory> &each) { return each.get() == memory; };
  if (std::none_of(arenas.rbegin(), arenas.rend(), same)) arenas.emplace_back(memory);
  return true;
}

bool Detachment::visit_all() {
  // In variables of their own: what is written to a Visit and read again at once has to wait.
  PyObject **first = nullptr;
  std::size_t count = 0;
  std::size_t stride = 1;
  PyObject *owner = nullptr;
  bool is_held = false;
  for (;;) {
    if (opened_ != nullptr) {
      if (count != 0) {
        fetch_contents(first[(count - 1) * stride]);
        if (!put_off({first, count, stride}, owner, is_held)) return false;
      }
      owner = std::exchange(opened_, nullptr);
      is_held = opened_is_held_;
      Slots rest;
      const Slots slots = slots_of(owner, rest);
      if (rest.count != 0 && !put_off(rest, owner, is_held)) return false;
      is_key_ = is_key_ || rest.count != 0 || is_set(Py_TYPE(owner));
      first = slots.first;
      count = slots.count;
      stride = slots.stride;
      fetch_before(first);
      for (std::size_t i = 2; i <= std::min(count, kAhead); ++i) fetch(first[(count - i) * stride]);
    }
    // Last things first: mostly they were made last, and the collector's list has them in that
    // order.
    while (count != 0 && opened_ == nullptr) {
      if (count > kAhead) fetch(first[(count - 1 - kAhead) * stride]);
      PyObject *&slot = first[--count * stride];
      PyObject *const object = slot;
      if (object == nullptr || object == Py_None) continue;
      PyObject *const goes = is_held ? take_held(object) : take(object);
      if (goes == object) continue;  // writing nothing leaves the memory's caches alone
      if (goes == nullptr) return false;
      if (in_holes_.size() != graph_->holes.size())
        graph_->holes.push_back({owner, place_of(owner, slot), last_index_});
      slot = goes;
    }
    if (opened_ != nullptr) continue;
    if (visits_.empty()) return true;
    const Visit &visit = visits_.back();
    first = visit.slots.first;
    count = visit.slots.count;
    stride = visit.slots.stride;
    owner = visit.owner;
    is_held = visit.is_held;
    is_key_ = visit.is_key;
    visits_.pop_back();
  }
}

/// Places are to be visited later. False for want of memory.
inline bool Detachment::put_off(const Slots &slots, PyObject *owner, bool is_held) noexcept {
  Visit *const visit = visits_.add();
  if (visit == nullptr) return refuse(Result::kNoMemory) != nullptr;
  *visit = {slots, owner, is_held, is_key_};
  return true;
}

/// The object of a place that moves, or what goes instead. Takes over the place's reference; null:
/// it did not.
inline PyObject *Detachment::take(PyObject *object) {
  PyTypeObject *const type = Py_TYPE(object);
  const bool is_only_here = Py_REFCNT(object) == 1;
  fetch_before(object);
  if (type == &PyUnicode_Type) {
    if (is_only_here && !PyUnicode_CHECK_INTERNED(object)) return object;
  } else if (type == &PyLong_Type || type == &PyFloat_Type || type == &PyBytes_Type ||
             type == &PyComplex_Type) {
    if (is_only_here) return object;
  } else if (is_only_here) {
    return take_container(object, type);
  }
  return is_shared(object, type) ? object : replace(object);
}

/// A container that nothing else refers to moves as it is.
PyObject *Detachment::take_container(PyObject *object, PyTypeObject *type) {
  if (!is_plain_container(type) || !is_at_rest(object, type) || is_surveyed(object))
    return take_foreign(object);
  if (is_weakly_referenced(object)) return replace(object);
  if (type == &PyByteArray_Type) return object;
  graph_->containers.add(object);
  open(object, false);
  return object;
}

/// The same for a reference to what somebody else has, too.
PyObject *Detachment::take_held(PyObject *object) {
  return is_shared(object, Py_TYPE(object)) ? object : replace(object);
}

/// What goes instead of `object`, the same for every place that refers to it.
PyObject *Detachment::replace(PyObject *object) {
  PyTypeObject *const type = Py_TYPE(object);
  const bool is_leaf = is_plain_leaf(type);
  if (!is_leaf && !is_plain_container(type)) return take_foreign(object);
  if (is_key_ && is_nan(object, type)) return refuse(Result::kForeign);
  if (type == &PyLong_Type || type == &PyFloat_Type) return replace_number(object, type);
  if (PyObject *const same = stand_in(object)) {
    Py_DECREF(object);
    return Py_NewRef(same);
  }
  if (!is_leaf && (!is_at_rest(object, type) || is_surveyed(object) ||
                   (!is_emptied(type) && !is_copied_blindly(object, type))))
    return take_foreign(object);
  PyObject *const made = is_leaf ? copy_leaf(object, type) : twin_of(object, type);
  if (made == nullptr) return refuse(Result::kNoMemory);
  replaced_.insert(object, replacements_.size());
  replacements_.push_back({object, made});
  return made;
}

/// Numbers have no identity that counts: only those replaced last are looked for.
PyObject *Detachment::replace_number(PyObject *object, PyTypeObject *type) {
  std::size_t &place = numbers_[reinterpret_cast<std::uintptr_t>(object) / 16 % kNumbers];
  if (place < replacements_.size() && replacements_[place].original == object) {
    Py_DECREF(object);
    return Py_NewRef(replacements_[place].stand_in);
  }
  PyObject *const made = copy_leaf(object, type);
  if (made == nullptr) return refuse(Result::kNoMemory);
  place = replacements_.size();
  replacements_.push_back({object, made});
  return made;
}

/// What has another form in the receiver, or none: nothing stands in its place until then. Takes
/// over the place's reference; null: it did not.
PyObject *Detachment::take_foreign(PyObject *object) {
  const auto index = survey_ != nullptr ? survey_->find_foreign(object) : find_handle(object);
  if (!index || is_key_) return refuse(Result::kForeign);
  in_holes_.push_back(object);
  last_index_ = *index;
  return Py_None;
}

/// Handles can be encoded at any time, since that runs no code and asks nothing of the graph.
std::optional<std::size_t> Detachment::find_handle(PyObject *object) {
  const TransferState *const state = transfer_state();
  if (state == nullptr) PyErr_Clear();
  if (state == nullptr || !PyObject_TypeCheck(object, state->handle)) return std::nullopt;
  if (const std::uint64_t *const index = handle_indices_.find(object))
    return static_cast<std::size_t>(*index);
  handle_indices_.insert(object, handles_.size());
  handles_.push_back(object);
  return handles_.size() - 1;
}

/// A twin of a container: it gets the contents, which leaves `object` empty, or references to them.
PyObject *Detachment::twin_of(PyObject *object, PyTypeObject *type) {
  const bool empties = is_emptied(type);
  PyObject *const twin = empties ? new_empty(type) : shallow_copy(object, type);
  if (twin == nullptr) return nullptr;
  if (empties) swap_contents(object, twin);
  if (type == &PyByteArray_Type) return twin;
  // CPython 3.13 tracks a dict or a tuple only if something in it may be part of a cycle.
  const bool is_tracked = PyObject_GC_IsTracked(object) != 0;
  if (PyObject_GC_IsTracked(twin) != 0) PyObject_GC_UnTrack(twin);
  graph_->containers.add_new(twin, is_tracked);
  open(twin, !empties);
  return twin;
}

bool Detachment::is_emptied(PyTypeObject *type) const noexcept {
  return held_ == Held::kEmptied && can_be_emptied(type);
}

/// How many objects a container refers to.
static std::size_t count_of(PyObject *container) noexcept {
  if (PyDict_CheckExact(container)) return 2 * static_cast<std::size_t>(PyDict_GET_SIZE(container));
  return static_cast<std::size_t>(is_set(Py_TYPE(container)) ? PySet_GET_SIZE(container)
                                                             : Py_SIZE(container));
}

/// A container has been added to the graph; its places are visited next.
void Detachment::open(PyObject *container, bool is_held) {
  if (PyDict_CheckExact(container)) DictTable::of(container).forget_version();
  opened_ = container;
  opened_is_held_ = is_held;
  graph_->objects += count_of(container);
}

PyObject *Detachment::refuse(Result why) noexcept {
  PyErr_Clear();
  why_ = why;
  return nullptr;
}

PyRef Detachment::undo() {
  if (graph_->root != nullptr) owner_tags::arrive(*graph_);
  return take_back();
}

PyRef Detachment::take_back() {
  if (graph_->root != nullptr) put_back();
  return PyRef::steal(std::exchange(graph_->root, nullptr));
}

Tier Detachment::tier_of(PyObject *object) {
  for (; known_ < replacements_.size(); ++known_) {  // numbers are in no table yet
    PyObject *const original = replacements_[known_].original;
    if (replaced_.find(original) == nullptr) replaced_.insert(original, known_);
  }
  PyTypeObject *const type = Py_TYPE(object);
  if (is_of_all(object, type) || arena_of(object) != nullptr) return Tier::kShared;
  const bool is_replaced = replaced_.find(object) != nullptr;
  return is_replaced && !is_emptied(type) ? Tier::kCopied : Tier::kMoved;
}

void Detachment::put_back() {
  for (PyObject *part : std::exchange(graph_->parts, {})) Py_DECREF(part);
  for (std::size_t i = 0; i < in_holes_.size(); ++i) graph_->holes[i].slot() = in_holes_[i];
  graph_->holes.clear();
  in_holes_.clear();
  handles_.clear();
  ObjectTable indices;       // of replacements_, by stand-in
  std::vector<PyRef> twins;  // they hold each other: each outlives the repair of all
  for (std::size_t i = 0; i < replacements_.size(); ++i) {
    const auto [original, stand_in] = replacements_[i];
    indices.insert(stand_in, i);
    if (is_plain_container(Py_TYPE(original))) twins.push_back(PyRef::borrow(stand_in));
    if (!is_emptied(Py_TYPE(original))) continue;
    // A view of what came in meanwhile points into the storage that the twin gets.
    if (PyByteArray_CheckExact(original) && !ByteArrayStorage::is_plain(original))
      (void)PyRef::borrow(stand_in).release();  // for ever
    swap_contents(original, stand_in);
  }
  const auto restore = [&](PyObject *&slot) {
    const std::uint64_t *const index = indices.find(slot);
    if (index == nullptr) return;
    const PyRef stand_in = PyRef::steal(std::exchange(slot, Py_NewRef(original_of(*index))));
  };
  graph_->containers.for_each([&](PyObject *object) {
    const std::uint64_t *const index = indices.find(object);
    const bool is_emptied_twin = index != nullptr && is_emptied(Py_TYPE(object));
    for_each_slot(is_emptied_twin ? original_of(*index) : object, restore);
  });
  graph_->containers.arrive([&](PyObject *object) {
    const std::uint64_t *const index = indices.find(object);
    if (index == nullptr) return false;
    // The collector of 3.13 may have forgotten a dict while that was empty.
    PyObject *const original = original_of(*index);
    if (is_emptied(Py_TYPE(object)) && PyObject_GC_IsTracked(original) == 0)
      PyObject_GC_Track(original);
    return true;
  });
  restore(graph_->root);
  // Who was emptied gets back what came in meanwhile.
  for (const PyRef &twin : twins) {
    if (!is_emptied(Py_TYPE(twin.get()))) continue;
    PyObject *const original = original_of(*indices.find(twin.get()));
    if (!add_all(original, twin.get())) PyErr_WriteUnraisable(original);
  }
}

}  // namespace interlock
