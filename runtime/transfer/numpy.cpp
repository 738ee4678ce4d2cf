// SPDX-License-Identifier: MIT
#include "transfer/numpy.hpp"

#include <cstring>

#include "transfer/encoder.hpp"

namespace interlock {
namespace {

[[nodiscard]] bool is_static(const PyTypeObject *type, const char *name) noexcept {
  return (type->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0 && std::strcmp(type->tp_name, name) == 0;
}

/// Those of a dtype that its class gives by itself; null, perhaps with an exception, for another.
[[nodiscard]] PyRef parts_of_dtype(PyObject *dtype) noexcept {
  PyObject *const type = reinterpret_cast<PyObject *>(Py_TYPE(dtype));
  const PyRef one = PyRef::steal(PyObject_CallNoArgs(type));  // those with parameters want some
  return one.get() == dtype ? PyRef::steal(Py_BuildValue("O()", type)) : PyRef();
}

/// Those of a C-contiguous array whose items are no references, as `rebuild` takes them; null,
/// perhaps with an exception, for another.
[[nodiscard]] PyRef parts_of_ndarray(PyObject *array, PyObject *rebuild) noexcept {
  const PyRef buffer = PyRef::steal(PyPickleBuffer_FromObject(array));
  const Py_buffer *const view = buffer ? PyPickleBuffer_GetBuffer(buffer.get()) : nullptr;
  if (view == nullptr || view->len == 0 || view->format == nullptr ||
      std::strchr(view->format, 'O') != nullptr || PyBuffer_IsContiguous(view, 'C') == 0)
    return {};
  const PyRef dtype = PyRef::steal(PyObject_GetAttrString(array, "dtype"));
  const PyRef shape = dtype ? PyRef::steal(PyObject_GetAttrString(array, "shape")) : PyRef();
  if (!shape) return {};
  return PyRef::steal(
      Py_BuildValue("O(OOOs)", rebuild, buffer.get(), dtype.get(), shape.get(), "C"));
}

/// The function that makes an array of a buffer, if that is what parts say (borrowed), else null.
[[nodiscard]] PyObject *rebuild_in(PyObject *parts) noexcept {
  if (!PyTuple_Check(parts) || PyTuple_GET_SIZE(parts) != 2) return nullptr;
  PyObject *const values = PyTuple_GET_ITEM(parts, 1);
  const bool is_known = PyTuple_Check(values) && PyTuple_GET_SIZE(values) == 4 &&
                        PyPickleBuffer_Check(PyTuple_GET_ITEM(values, 0)) &&
                        is_dtype_class(Py_TYPE(PyTuple_GET_ITEM(values, 1))) &&
                        PyTuple_Check(PyTuple_GET_ITEM(values, 2)) &&
                        PyUnicode_Check(PyTuple_GET_ITEM(values, 3));
  return is_known ? PyTuple_GET_ITEM(parts, 0) : nullptr;
}

}  // namespace

bool is_dtype_class(const PyTypeObject *type) noexcept {
  return is_static(Py_TYPE(type), "numpy._DTypeMeta");
}

bool is_function_of_numpy(PyObject *object) noexcept {
  PyObject *const module = PyFunction_Check(object) ? PyFunction_GetModule(object) : nullptr;
  const bool is_text = module != nullptr && PyUnicode_Check(module);
  const char *const name = is_text ? PyUnicode_AsUTF8(module) : nullptr;
  PyErr_Clear();
  return name != nullptr && std::strncmp(name, "numpy", 5) == 0;
}

bool is_ndarray(const PyTypeObject *type) noexcept { return is_static(type, "numpy.ndarray"); }

/// The parts of a dtype or array; null without an exception if it has to say them.
PyRef Encoder::parts_of_numpy(PyObject *object) noexcept {
  PyRef parts;
  if (is_dtype_class(Py_TYPE(object))) {
    parts = parts_of_dtype(object);
  } else if (state_.rebuild_ndarray != nullptr) {
    parts = parts_of_ndarray(object, state_.rebuild_ndarray);
  }
  PyErr_Clear();
  return parts;
}

/// After the first array has said its parts: the function in them has another name from NumPy to
/// NumPy.
void Encoder::learn_numpy(PyObject *parts) noexcept {
  if (state_.rebuild_ndarray == nullptr) state_.rebuild_ndarray = Py_XNewRef(rebuild_in(parts));
}

}  // namespace interlock
