// SPDX-License-Identifier: MIT
// interlock.moved(): marks an object that is to be handed over, wherever it stands in what is sent.
#include "python/module.hpp"

namespace interlock {
namespace {

PyObject *&object_of(PyObject *self) { return reinterpret_cast<MarkedObject *>(self)->object; }

PyObject *create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  PyObject *object = nullptr;
  if (kwargs != nullptr && PyDict_GET_SIZE(kwargs) != 0) {
    PyErr_SetString(PyExc_TypeError, "moved() takes no keyword arguments");
    return nullptr;
  }
  if (!PyArg_UnpackTuple(args, "moved", 1, 1, &object)) return nullptr;
  PyObject *const self = type->tp_alloc(type, 0);
  if (self != nullptr) object_of(self) = Py_NewRef(object);
  return self;
}

int traverse(PyObject *self, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(object_of(self));
  return 0;
}

int clear(PyObject *self) {
  Py_CLEAR(object_of(self));
  return 0;
}

void dealloc(PyObject *self) {
  PyObject_GC_UnTrack(self);
  Py_TRASHCAN_BEGIN(self, dealloc);  // marks of marks end without recursion
  PyTypeObject *const type = Py_TYPE(self);
  (void)clear(self);
  type->tp_free(self);
  Py_DECREF(type);
  Py_TRASHCAN_END;
}

PyObject *repr(PyObject *self) {
  if (object_of(self) == nullptr) return PyUnicode_FromString("<interlock.moved, done>");
  return PyUnicode_FromFormat("<interlock.moved of a %T>", object_of(self));
}

PyObject *take(PyObject *self, PyObject *) {
  PyObject *const object = std::exchange(object_of(self), nullptr);
  if (object == nullptr) PyErr_SetString(PyExc_ValueError, "what it marked has moved before");
  return object;
}

PyMethodDef methods[] = {
    {"take", take, METH_NOARGS,
     "take($self, /)\n--\n\n"
     "The object, for whom it reached without crossing. Once; ValueError if it has moved."},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char *>(
                    "moved(obj, /)\n--\n\n"
                    "Stands for obj in what is sent, passed to a call or returned, at any depth: "
                    "there obj is handed\n"
                    "over rather than copied, as by send(obj, move=True). Good for once; as good "
                    "as new if the sending\n"
                    "fails.")},
    {Py_tp_new, reinterpret_cast<void *>(create)},
    {Py_tp_traverse, reinterpret_cast<void *>(traverse)},
    {Py_tp_clear, reinterpret_cast<void *>(clear)},
    {Py_tp_dealloc, reinterpret_cast<void *>(dealloc)},
    {Py_tp_repr, reinterpret_cast<void *>(repr)},
    {Py_tp_methods, methods},
    {0, nullptr}};

PyType_Spec spec = {"interlock.moved", sizeof(MarkedObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE, slots};

}  // namespace

PyRef mark_moved(PyRef object) {
  const ModuleState *const state = module_state();
  PyTypeObject *const type = state != nullptr ? state->transfer.moved : nullptr;
  PyRef marker = type != nullptr ? PyRef::steal(type->tp_alloc(type, 0)) : PyRef();
  if (marker) object_of(marker.get()) = object.release();
  return marker;
}

bool add_moved(PyObject *module, ModuleState &state) {
  return add_type(module, spec, nullptr, state.transfer.moved);
}

}  // namespace interlock
