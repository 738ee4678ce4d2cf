// SPDX-License-Identifier: MIT
#include "transfer/moved_graph.hpp"

#include <utility>

#include "transfer/owner_check.hpp"
#include "transfer/slots.hpp"

namespace interlock {
namespace {

[[nodiscard]] bool is_container(PyTypeObject *type) noexcept {
  return type == &PyList_Type || type == &PyDict_Type || type == &PyTuple_Type || is_set(type);
}

// What CPython's own destructors do, but for what they need an interpreter for: free lists, the
// collector's books, the interned strings. None of these objects is in any of them.

void free_text(PyObject *text) noexcept {
  auto *const parts = reinterpret_cast<PyCompactUnicodeObject *>(text);
  if (!PyUnicode_IS_COMPACT_ASCII(text) && parts->utf8 != nullptr) PyMem_Free(parts->utf8);
}

void free_leaf(PyObject *leaf) noexcept {
  PyTypeObject *const type = Py_TYPE(leaf);
  if (type == &PyUnicode_Type) free_text(leaf);
  if (type == &PyByteArray_Type) ByteArrayStorage::free(leaf);
  PyObject_Free(leaf);
}

void drop_leaf(PyObject *leaf) noexcept {
  if (_Py_IsImmortal(leaf)) return;
  const Py_ssize_t left = Py_REFCNT(leaf) - 1;
  if (left != 0) {
    Py_SET_REFCNT(leaf, left);
  } else {
    free_leaf(leaf);
  }
}

void free_container(PyObject *container) noexcept {
  PyTypeObject *const type = Py_TYPE(container);
  if (type == &PyList_Type) {
    PyMem_Free(reinterpret_cast<PyListObject *>(container)->ob_item);
  } else if (type == &PyDict_Type) {
    DictTable &table = DictTable::of(container);
    if (!table.is_of_empty_dicts()) PyMem_Free(&table);
  } else if (is_set(type)) {
    auto *const set = reinterpret_cast<PySetObject *>(container);
    if (set->table != set->smalltable) PyMem_Free(set->table);
  }
  PyObject_Free(memory_of_gc_object(container));
}

}  // namespace

Shared::Weight MovedGraph::weight() const noexcept {
  const bool is_memory = root != nullptr && (PyByteArray_Check(root) || PyBytes_Check(root));
  return {Tier::kMoved, objects, is_memory ? static_cast<std::uint64_t>(Py_SIZE(root)) : 0};
}

PyObject *MovedGraph::attach() {
  if (root == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "what this message moved has been received before");
    return nullptr;
  }
  owner_tags::arrive(*this);
  containers.arrive();
  return std::exchange(root, nullptr);
}

MovedGraph::~MovedGraph() {
  if (root == nullptr) return;
  containers.for_each([](PyObject *container) {
    for_each_slot(container, [](PyObject *child) {
      if (!is_container(Py_TYPE(child))) drop_leaf(child);
    });
  });
  if (containers.size() == 0) drop_leaf(root);
  containers.for_each(free_container);
}

}  // namespace interlock
