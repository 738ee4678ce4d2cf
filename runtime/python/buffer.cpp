// SPDX-License-Identifier: MIT
// `_interlock.Buffer`: what a received memoryview or PickleBuffer looks at.
#include "transfer/buffer.hpp"

#include "python/module.hpp"

namespace interlock {
namespace {

BufferObject &object_of(PyObject *self) { return *reinterpret_cast<BufferObject *>(self); }

int get_buffer(PyObject *self, Py_buffer *view, int flags) {
  return object_of(self).buffer->export_as(self, view, flags);
}

void dealloc(PyObject *self) {
  PyTypeObject *const type = Py_TYPE(self);
  const Ref<Returns> home(object_of(self).buffer->memory()->home());
  object_of(self).buffer->release();
  type->tp_free(self);
  if (home) home->drain_if_home();  // its owner need not wait for the next bytecode
  Py_DECREF(type);
}

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char *>("Memory that a message lent or brought: see its memoryview.")},
    {Py_tp_dealloc, reinterpret_cast<void *>(dealloc)},
    {Py_bf_getbuffer, reinterpret_cast<void *>(get_buffer)},
    {0, nullptr}};

PyType_Spec spec = {
    "_interlock.Buffer", sizeof(BufferObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE, slots};

}  // namespace

bool add_buffer(PyObject *module, ModuleState &state) {
  // CPython keeps it in the module of pickle, which nothing here needs otherwise.
  auto *const pickle_buffer = reinterpret_cast<PyObject *>(&PyPickleBuffer_Type);
  return add_type(module, spec, nullptr, state.transfer.buffer) &&
         PyModule_AddObjectRef(module, "PickleBuffer", pickle_buffer) == 0;
}

PyObject *wrap_buffer(ModuleState &state, Ref<Shared> buffer) {
  PyTypeObject *const type = state.transfer.buffer;
  const PyRef exporter = PyRef::steal(type->tp_alloc(type, 0));
  if (!exporter) return nullptr;
  const auto face = static_cast<Buffer &>(*buffer).face();
  object_of(exporter.get()).buffer = static_cast<Buffer *>(buffer.leak());
  PyRef view = PyRef::steal(PyMemoryView_FromObject(exporter.get()));
  if (!view || face == Buffer::Face::kMemoryView) return view.release();
  return PyPickleBuffer_FromObject(view.get());
}

}  // namespace interlock
