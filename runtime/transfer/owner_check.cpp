// SPDX-License-Identifier: MIT
#include "transfer/owner_check.hpp"

#ifdef INTERLOCK_OWNER_TAGS
#include <cstdio>
#include <unordered_set>

#include "transfer/freeze.hpp"
#include "transfer/moved_graph.hpp"
#include "transfer/slots.hpp"

namespace interlock::owner_tags {
namespace {

/// Calls `function(block, what)` for the memory of an object itself and of what it keeps elsewhere.
/// Frozen objects are in memory of their own, and everybody's.
template <typename Function>
void for_each_block(PyObject *object, Function function) {
  if (arena_of(object) != nullptr) return;
  function(memory_of(object), Py_TYPE(object)->tp_name);
  if (PyList_Check(object)) {
    function(reinterpret_cast<PyListObject *>(object)->ob_item, "the items of a list");
  } else if (PyDict_Check(object)) {
    DictTable &table = DictTable::of(object);
    if (!DictTable::is_split(object) && !table.is_of_empty_dicts())
      function(&table, "the table of a dict");
  } else if (PyAnySet_Check(object)) {
    auto *const set = reinterpret_cast<PySetObject *>(object);
    if (set->table != set->smalltable) function(set->table, "the table of a set");
  } else if (PyByteArray_Check(object)) {
    function(ByteArrayStorage::memory(object), "the bytes of a bytearray");
  } else if (PyUnicode_Check(object) && !PyUnicode_IS_COMPACT_ASCII(object)) {
    function(reinterpret_cast<PyCompactUnicodeObject *>(object)->utf8, "the UTF-8 of a str");
  }
}

/// Calls `function(object)` for each object of a graph, once.
template <typename Function>
void for_each_object(const MovedGraph &graph, Function function) {
  std::unordered_set<PyObject *> seen;
  graph.containers.for_each([&](PyObject *each) { seen.insert(each); });
  graph.containers.for_each([&](PyObject *each) {
    function(each);
    for_each_slot(each, [&](PyObject *child) {
      if (seen.insert(child).second) function(child);
    });
  });
  if (graph.containers.size() == 0 && graph.root != nullptr) function(graph.root);
}

struct Walk {
  std::size_t references = 0;
  const char *holder = "";
};

int check_reference(PyObject *object, void *argument) {
  auto &walk = *static_cast<Walk *>(argument);
  ++walk.references;
  const char *const holder = walk.holder;
  // What is immutable and immortal may be anybody's; the bases of static types are such tuples.
  if (_Py_IsImmortal(object) && !PyUnicode_Check(object)) return 0;
  for_each_block(object,
                 [holder](const void *block, const char *what) { check(block, what, holder); });
  return 0;
}

int check_object(PyObject *object, void *argument) {
  auto &walk = *static_cast<Walk *>(argument);
  walk.holder = "the collector";
  (void)check_reference(object, argument);
  PyTypeObject *const type = Py_TYPE(object);
  walk.holder = type->tp_name;
  type->tp_traverse(object, check_reference, argument);
  return 1;  // go on
}

}  // namespace

void leave(const MovedGraph &graph) { for_each_object(graph, leave_leaf); }

void arrive(const MovedGraph &graph) {
  for_each_object(graph, [](PyObject *object) {
    for_each_block(object, [](void *block, const char *what) { arrive(block, what); });
  });
}

void leave_leaf(PyObject *leaf) {
  for_each_block(leaf, [](void *block, const char *what) { leave(block, what); });
}

std::size_t check_interpreter() {
  Walk walk;
  PyUnstable_GC_VisitObjects(check_object, &walk);
  return walk.references;
}

}  // namespace interlock::owner_tags
#endif
