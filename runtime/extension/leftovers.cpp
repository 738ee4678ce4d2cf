// SPDX-License-Identifier: MIT
#include "extension/leftovers.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/python_compat_collector.hpp"

namespace interlock {
namespace {

/// Places for addresses in memory of which only the bounds are known.
template <typename Function>
void for_each_word(std::byte *start, std::size_t size, Function function) {
  void *at = start;
  if (std::align(alignof(PyObject *), sizeof(PyObject *), at, size) == nullptr) return;
  auto *const words = static_cast<PyObject **>(at);
  for (std::size_t i = 0; i < size / sizeof *words; ++i) function(words[i]);
}

/// The objects of the calling interpreter that can be found: those that its collector knows, and
/// what they lead to of dicts, tuples and extension modules' types that it does not know. Of the
/// references to each, those from the others are taken away, as the collector does. Addresses in
/// static data, and in memory of objects of which only the bounds are known, are taken for the
/// rest. If there are more or fewer of them it is used by somebody else, and so is all that it
/// leads to.
class Leftovers {
 public:
  explicit Leftovers(const Images &images) {
    for (PrivateLibraries::Copy &copy : images.all()) {
      memory_.push_back(copy.memory);
      data_.insert(data_.end(), copy.data.begin(), copy.data.end());
    }
  }

  void find() {
    find_objects();
    references_.reserve(objects_.size());
    for (PyObject *const each : objects_) references_.push_back(Py_REFCNT(each));
    addresses_.resize(objects_.size());
    for (std::size_t i = 0; i < objects_.size(); ++i) {
      visit_references(objects_[i], take_away);
      if (is_in_ring(objects_[i])) {
        ++addresses_[i];
      } else {
        visit_addresses(objects_[i], add_address);
      }
    }
    for (const std::span<std::byte> each : data_)
      for_each_word(each.data(), each.size(), [this](PyObject *word) { add_address(word, this); });
    is_used_.resize(objects_.size());
    use(PyEval_GetBuiltins(), this);
    for (std::size_t i = 0; i < objects_.size(); ++i) {
      if (!is_explained(i)) use(objects_[i], this);
    }
    while (!to_traverse_.empty()) {
      PyObject *const next = to_traverse_.back();
      to_traverse_.pop_back();
      visit_references(next, use);
      visit_addresses(next, use);
    }
  }

  void clear() {
    std::vector<PyObject *> unused;
    for (std::size_t i = 0; i < objects_.size(); ++i) {
      if (is_used_[i]) continue;
      Py_INCREF(objects_[i]);
      // What an image does when an object of its own goes, or is asked what it leads to, may need
      // what is going, too.
      if (!is_of_image(Py_TYPE(objects_[i]))) {
        unused.push_back(objects_[i]);
      } else if (PyObject_IS_GC(objects_[i])) {
        PyObject_GC_UnTrack(objects_[i]);
      }
    }
    PyType_ClearCache();  // the dicts of static types are about to be emptied
    // Callbacks of weak references would run Python code.
    for (PyObject *const each : unused) {
      if (PyObject_IS_GC(each)) CollectorList::mark_finalized(each);
      if (PyWeakref_Check(each)) clear_one(each);
    }
    const PyRef nothing = PyRef::steal(reinterpret_cast<PyObject *>(PyCode_NewEmpty("", "", 0)));
    for (PyObject *const each : unused) {
      if (!PyWeakref_Check(each)) clear_one(each);
      if (PyFunction_Check(each) && nothing) empty_function(each, nothing.get());
    }
    for (PyObject *const each : unused) Py_DECREF(each);
    if (PyErr_Occurred() != nullptr) PyErr_Clear();
  }

 private:
  void find_objects() {
    PyUnstable_GC_VisitObjects(
        [](PyObject *object, void *self) {
          static_cast<Leftovers *>(self)->objects_.push_back(object);
          return 1;
        },
        this);
    for (std::size_t i = 0; i < objects_.size(); ++i) {
      visit_references(objects_[i], add_unknown);
    }
    std::ranges::sort(objects_);
  }
  static int add_unknown(PyObject *object, void *self) {
    auto &leftovers = *static_cast<Leftovers *>(self);
    if (PyObject_IS_GC(object) && PyObject_GC_IsTracked(object)) return 0;
    // The collector takes no notice of dicts and tuples without anything that it knows.
    const bool is_container = PyDict_CheckExact(object) || PyTuple_CheckExact(object);
    if ((is_container || leftovers.is_of_extension(Py_TYPE(object))) &&
        leftovers.unknown_.insert(object).second)
      leftovers.objects_.push_back(object);
    return 0;
  }
  /// Whether objects of the type are freed by C code of a module, and not as those of classes are.
  [[nodiscard]] bool is_of_extension(const PyTypeObject *type) const noexcept {
    const PyTypeObject *const base = freed_as(type);
    return (base->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0 || is_in_image(base);
  }
  /// Whether an image has a part in what is done with objects of the type.
  [[nodiscard]] bool is_of_image(const PyTypeObject *type) const noexcept {
    for (; type != nullptr; type = type->tp_base) {
      if (is_in_image(type) || is_in_image(reinterpret_cast<const void *>(type->tp_dealloc)) ||
          is_in_image(reinterpret_cast<const void *>(type->tp_traverse)) ||
          is_in_image(reinterpret_cast<const void *>(type->tp_clear)))
        return true;
    }
    return false;
  }
  /// The type itself, or what a class has as its first base that is none.
  [[nodiscard]] const PyTypeObject *freed_as(const PyTypeObject *type) const noexcept {
    while ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0 && type->tp_dealloc == dealloc_of_class_)
      type = type->tp_base;
    return type;
  }
  [[nodiscard]] bool is_in_image(const void *address) const noexcept {
    const auto *const at = static_cast<const std::byte *>(address);
    return std::ranges::any_of(memory_, [at](std::span<std::byte> each) {
      return at >= each.data() && at < each.data() + each.size();
    });
  }

  /// What it tells the collector of.
  void visit_references(PyObject *object, visitproc visit) {
    const traverseproc traverse = Py_TYPE(object)->tp_traverse;
    if (PyObject_IS_GC(object) && traverse != nullptr) (void)traverse(object, visit, this);
  }
  /// What may be in the memory that it does not tell the collector of: all, or what the instances
  /// of a class have of C.
  void visit_addresses(PyObject *object, visitproc visit) {
    const PyTypeObject *const type = freed_as(Py_TYPE(object));
    if (PyObject_IS_GC(object) && (type->tp_flags & Py_TPFLAGS_HAVE_GC) != 0) return;
    constexpr std::size_t kHeader = sizeof(PyObject);
    const std::size_t size = std::max(static_cast<std::size_t>(type->tp_basicsize), kHeader);
    auto *const start = reinterpret_cast<std::byte *>(object) + kHeader;
    for_each_word(start, size - kHeader, [&](PyObject *word) { (void)visit(word, this); });
  }
  /// Addresses without references are of what is gone, or of what somebody else keeps: nothing is
  /// certain then. But a class is often kept twice, with one reference.
  [[nodiscard]] bool is_explained(std::size_t i) const noexcept {
    if (references_[i] == addresses_[i]) return true;
    return PyType_Check(objects_[i]) && references_[i] >= 0 && references_[i] < addresses_[i];
  }
  /// The entries of functools.lru_cache() are in a ring, with references that the collector is not
  /// told of. It is told of what they lead to, by the cache (3.13-3.15, _functoolsmodule.c).
  [[nodiscard]] static bool is_in_ring(PyObject *object) noexcept {
    return std::string_view(Py_TYPE(object)->tp_name) == "functools._lru_list_elem";
  }
  static int take_away(PyObject *object, void *self) {
    auto &leftovers = *static_cast<Leftovers *>(self);
    if (const std::size_t i = leftovers.index_of(object); i != kNone) --leftovers.references_[i];
    return 0;
  }
  static int add_address(PyObject *object, void *self) {
    auto &leftovers = *static_cast<Leftovers *>(self);
    if (const std::size_t i = leftovers.index_of(object); i != kNone) ++leftovers.addresses_[i];
    return 0;
  }
  static int use(PyObject *object, void *self) {
    auto &leftovers = *static_cast<Leftovers *>(self);
    const std::size_t i = leftovers.index_of(object);
    if (i == kNone || leftovers.is_used_[i]) return 0;
    leftovers.is_used_[i] = true;
    leftovers.to_traverse_.push_back(object);
    return 0;
  }
  static void clear_one(PyObject *object) {
    const inquiry function = PyObject_IS_GC(object) ? Py_TYPE(object)->tp_clear : nullptr;
    if (function != nullptr) (void)function(object);
  }
  /// Clearing leaves a function its code, which is most of it.
  static void empty_function(PyObject *function, PyObject *code) {
    const auto *const old = reinterpret_cast<PyCodeObject *>(PyFunction_GET_CODE(function));
    // Code of another kind would be warned of, which may run Python code.
    if ((old->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)) != 0) return;
    if (PyObject_SetAttrString(function, "__code__", code) != 0) PyErr_Clear();
  }
  [[nodiscard]] std::size_t index_of(PyObject *object) const noexcept {
    const auto found = std::ranges::lower_bound(objects_, object);
    if (found == objects_.end() || *found != object) return kNone;
    return static_cast<std::size_t>(found - objects_.begin());
  }

  /// Of every class that is written in Python, such as one that importing has made.
  [[nodiscard]] static destructor find_dealloc_of_class() {
    const PyRef type = PyRef::steal(PyErr_NewException("interlock.Leftover", nullptr, nullptr));
    if (!type) PyErr_Clear();
    return type ? reinterpret_cast<PyTypeObject *>(type.get())->tp_dealloc : nullptr;
  }

  static constexpr std::size_t kNone = SIZE_MAX;
  const destructor dealloc_of_class_ = find_dealloc_of_class();
  std::vector<std::span<std::byte>> memory_;  // of images
  std::vector<std::span<std::byte>> data_;    // what they may write of it
  std::unordered_set<PyObject *> unknown_;    // to the collector
  std::vector<PyObject *> objects_;           // by address
  std::vector<Py_ssize_t> references_;        // to each that no other object has
  std::vector<Py_ssize_t> addresses_;         // of each that may be references
  std::vector<bool> is_used_;
  std::vector<PyObject *> to_traverse_;
};

}  // namespace

void clear_leftovers(const Images &images) {
  if (images.all().empty() || !CollectorList::verified()) return;
  // As CPython is about to: what it can free is finalised as ever.
  (void)PyGC_Enable();
  (void)PyGC_Collect();
  Leftovers leftovers(images);
  leftovers.find();
  leftovers.clear();
}

}  // namespace interlock
