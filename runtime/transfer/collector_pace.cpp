// SPDX-License-Identifier: MIT
#include "transfer/collector_pace.hpp"

namespace interlock {
namespace {

/// The thresholds of the three generations; false where there are none (0 turns the collector off).
bool thresholds(PyObject *gc, std::size_t (&values)[3]) {
  const PyRef tuple = PyRef::steal(PyObject_CallMethod(gc, "get_threshold", nullptr));
  if (!tuple || !PyTuple_Check(tuple.get()) || PyTuple_GET_SIZE(tuple.get()) != 3) return false;
  for (int i = 0; i < 3; ++i) {
    values[i] = PyLong_AsSize_t(PyTuple_GET_ITEM(tuple.get(), i));
    if (PyErr_Occurred() != nullptr) return false;
  }
  return values[0] != 0;
}

}  // namespace

void CollectorPace::collect() {
  const PyRef gc = PyRef::steal(PyImport_ImportModule("gc"));
  std::size_t threshold[3];
  if (PyGC_IsEnabled() == 0 || !gc || !thresholds(gc.get(), threshold)) {
    PyErr_Clear();
    since_last_ = 0;
    return;
  }
  if (since_last_ < threshold[0]) return;
  since_full_ += since_last_;
  since_last_ = 0;
  ++rounds_;
  // As CPython does by itself: an older generation after so many collections of the younger one,
  // and the oldest only if much has been added to it.
  int generation = 0;
  if (threshold[1] != 0 && rounds_ % threshold[1] == 0) generation = 1;
  if (generation == 1 && threshold[2] != 0 && rounds_ % (threshold[1] * threshold[2]) == 0 &&
      since_full_ >= survivors_ / 4)
    generation = 2;
  const PyRef done = PyRef::steal(PyObject_CallMethod(gc.get(), "collect", "i", generation));
  if (generation == 2) {
    const PyRef objects = PyRef::steal(PyObject_CallMethod(gc.get(), "get_objects", nullptr));
    survivors_ = objects ? static_cast<std::size_t>(PyList_GET_SIZE(objects.get())) : 0;
    since_full_ = 0;
  }
  if (PyErr_Occurred() != nullptr) PyErr_WriteUnraisable(gc.get());
}

void CollectorPause::end(CollectorPace &pace) {
  if (!is_on_) return;
  resume();
  is_on_ = false;
  pace.before_attaching(count_);
  made_.put_back();
}

}  // namespace interlock
