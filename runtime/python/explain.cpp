// SPDX-License-Identifier: MIT
// `_interlock.explain`, on which interlock._explain is written.
#include "transfer/explain.hpp"

#include "python/module.hpp"

namespace interlock {
namespace {

PyRef text_of(const std::string &text) {
  return PyRef::steal(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

PyObject *index_of(std::size_t index) {
  return index >= Part::kNone >> 8 ? Py_NewRef(Py_None) : PyLong_FromSize_t(index);
}

PyObject *tuple_of(const Part &part) {
  return Py_BuildValue("(NNNsKNN)", index_of(part.parent), text_of(part.step).release(),
                       text_of(part.type).release(), name_of(part.tier),
                       static_cast<unsigned long long>(part.size), text_of(part.reason).release(),
                       index_of(part.same_as));
}

PyObject *tuple_of(const Explanation::Rest &rest) {
  return Py_BuildValue("(NNsK)", index_of(rest.parent), text_of(rest.type).release(),
                       name_of(rest.tier), static_cast<unsigned long long>(rest.count));
}

template <typename Item>
PyRef list_of(const std::vector<Item> &items) {
  PyRef list = PyRef::steal(PyList_New(0));
  for (const Item &each : items) {
    const PyRef tuple = list ? PyRef::steal(tuple_of(each)) : PyRef();
    if (!tuple || PyList_Append(list.get(), tuple.get()) != 0) return {};
  }
  return list;
}

PyRef dict_of(const std::array<Explanation::Total, kTiers> &totals) {
  PyRef dict = PyRef::steal(PyDict_New());
  for (std::size_t i = 0; dict && i < kTiers; ++i) {
    if (totals[i].objects == 0) continue;
    const PyRef pair =
        PyRef::steal(Py_BuildValue("(KK)", static_cast<unsigned long long>(totals[i].objects),
                                   static_cast<unsigned long long>(totals[i].bytes)));
    if (!pair || PyDict_SetItemString(dict.get(), name_of(static_cast<Tier>(i)), pair.get()) != 0)
      return {};
  }
  return dict;
}

}  // namespace

PyRef dict_of(const Contents &contents) {
  PyRef dict = PyRef::steal(PyDict_New());
  for (std::size_t i = 0; dict && i < contents.tiers.size(); ++i) {
    const auto &[messages, objects, bytes] = contents.tiers[i];
    const PyRef counts = PyRef::steal(Py_BuildValue(
        "{s:K,s:K,s:K}", "messages", static_cast<unsigned long long>(messages), "objects",
        static_cast<unsigned long long>(objects), "bytes", static_cast<unsigned long long>(bytes)));
    if (!counts ||
        PyDict_SetItemString(dict.get(), name_of(static_cast<Tier>(i)), counts.get()) != 0)
      return {};
  }
  return dict;
}

PyObject *explain(PyObject *, PyObject *args) {
  PyObject *object = nullptr;
  int moves = 0;
  if (!PyArg_ParseTuple(args, "Op:explain", &object, &moves)) return nullptr;
  Explanation result;
  if (Status status = explain(object, "message", moves != 0, result); !status.ok())
    return raise(status);
  PyRef parts = list_of(result.parts);
  PyRef rests = parts ? list_of(result.rests) : PyRef();
  PyRef totals = rests ? dict_of(result.totals) : PyRef();
  if (!totals) return nullptr;
  return Py_BuildValue("(NNN)", parts.release(), rests.release(), totals.release());
}

}  // namespace interlock
