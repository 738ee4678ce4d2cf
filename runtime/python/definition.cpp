// SPDX-License-Identifier: MIT
// `_interlock.Definition`, on which interlock._definitions is written.
#include "transfer/definition.hpp"

#include "python/module.hpp"
#include "transfer/registrations.hpp"

namespace interlock {
namespace {

Definition &definition_of(PyObject *self) {
  return static_cast<Definition &>(*reinterpret_cast<HandleObject *>(self)->shared);
}

PyObject *create(PyTypeObject *type, PyObject *args, PyObject *) {
  PyObject *object = nullptr;
  unsigned long long key = 0;
  if (!PyArg_ParseTuple(args, "OK:Definition", &object, &key)) return nullptr;
  Message parts;
  const char *const root = PyType_Check(object) ? "class" : "function";
  if (Status status = encode_for_many(object, root, parts); !status.ok()) return raise(status);
  auto *const self = reinterpret_cast<HandleObject *>(type->tp_alloc(type, 0));
  if (self == nullptr) return nullptr;
  self->shared = make_ref<Definition>(key, std::move(parts)).leak();
  return reinterpret_cast<PyObject *>(self);
}

PyObject *load(PyObject *self, PyObject *) { return decode(definition_of(self).parts()); }

PyObject *get_key(PyObject *self, void *) {
  return PyLong_FromUnsignedLongLong(definition_of(self).key());
}

PyMethodDef methods[] = {
    {"load", load, METH_NOARGS, "load($self, /)\n--\n\nBuild the object from its parts."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef properties[] = {
    {"key", get_key, nullptr, "The same for all versions of the same object.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char *>("Definition(obj, key)\n--\n\nA function or class by value.")},
    {Py_tp_new, reinterpret_cast<void *>(create)},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {0, nullptr}};

PyType_Spec spec = {"_interlock.Definition", sizeof(HandleObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, slots};

}  // namespace

PyObject *add_registration(PyObject *, PyObject *args) {
  const ModuleState *const state = module_state();
  const char *type = nullptr;
  PyObject *reduce = nullptr;
  if (state == nullptr || !PyArg_ParseTuple(args, "sO:add_registration", &type, &reduce))
    return nullptr;
  Registration registration{type, {}};
  if (Py_IS_TYPE(reduce, state->definition)) {
    registration.reduce = Ref<Definition>(&definition_of(reduce));
  } else if (!Py_IsNone(reduce)) {
    return PyErr_Format(PyExc_TypeError, "a Definition or None, not %T", reduce);
  }
  Registrations::instance().add(std::move(registration));
  Py_RETURN_NONE;
}

PyObject *registrations(PyObject *, PyObject *number) {
  const Py_ssize_t first = PyNumber_AsSsize_t(number, PyExc_OverflowError);
  if (first == -1 && PyErr_Occurred() != nullptr) return nullptr;
  PyRef list = PyRef::steal(PyList_New(0));
  if (!list) return nullptr;
  for (Registration &each : Registrations::instance().since(static_cast<std::size_t>(first))) {
    PyObject *const reduce = each.reduce ? wrap_shared(std::move(each.reduce)) : Py_NewRef(Py_None);
    const PyRef pair = PyRef::steal(Py_BuildValue("(sN)", each.type.c_str(), reduce));
    if (!pair || PyList_Append(list.get(), pair.get()) != 0) return nullptr;
  }
  return list.release();
}

bool add_definition(PyObject *module, ModuleState &state) {
  return add_type(module, spec, state.transfer.handle, state.definition);
}

}  // namespace interlock
