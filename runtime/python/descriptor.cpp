// SPDX-License-Identifier: MIT
// interlock.Descriptor: a descriptor that crosses.
#include "platform/descriptor.hpp"

#include "python/module.hpp"

namespace interlock {
namespace {

class Descriptor final : public Shared {
 public:
  /// Owns `number`.
  explicit Descriptor(int number) noexcept : number_(number) {}
  [[nodiscard]] Kind kind() const noexcept override { return Kind::kDescriptor; }
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  ~Descriptor() override { close_descriptor(number_); }
  const int number_;
};

int duplicate(int number) {
  const int other = duplicate_descriptor(number);
  if (other < 0) PyErr_SetFromErrno(PyExc_OSError);
  return other;
}

PyObject *create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static const char *const names[] = {"fd", nullptr};
  PyObject *file = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Descriptor", const_cast<char **>(names), &file))
    return nullptr;
  const int number = PyObject_AsFileDescriptor(file);
  if (number < 0) return nullptr;
  const int own = duplicate(number);
  if (own < 0) return nullptr;
  Ref<Shared> descriptor = make_ref<Descriptor>(own);
  auto *const self = reinterpret_cast<HandleObject *>(type->tp_alloc(type, 0));
  if (self != nullptr) self->shared = descriptor.leak();
  return reinterpret_cast<PyObject *>(self);
}

PyObject *take(PyObject *self, PyObject *) {
  const auto &descriptor =
      static_cast<Descriptor &>(*reinterpret_cast<HandleObject *>(self)->shared);
  if (!check_process(descriptor, "Descriptor")) return nullptr;
  const int number = duplicate(descriptor.number());
  return number >= 0 ? PyLong_FromLong(number) : nullptr;
}

PyMethodDef methods[] = {
    {"take", take, METH_NOARGS,
     "take($self, /)\n--\n\nAnother descriptor of the same, which the caller is to close."},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc,
     const_cast<char *>("Descriptor(fd)\n--\n\n"
                        "A duplicate of a descriptor, or of an object's fileno(), that can be "
                        "sent.\n\n"
                        "It is closed with the last reference, also when nobody receives it. It "
                        "is not\n"
                        "inherited by programs that are started.")},
    {Py_tp_new, reinterpret_cast<void *>(create)},
    {Py_tp_methods, methods},
    {0, nullptr}};

PyType_Spec spec = {"interlock.Descriptor", sizeof(HandleObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, slots};

}  // namespace

bool add_descriptor(PyObject *module, ModuleState &state) {
  return add_type(module, spec, state.transfer.handle, state.descriptor);
}

}  // namespace interlock
