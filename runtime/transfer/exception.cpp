// SPDX-License-Identifier: MIT
// Exceptions cross as a tuple (traceback text, class name, message, the exception itself or None):
// should the exception not be rebuilt, the texts still are. interlock._errors makes and reads it.
#include "transfer/encoder.hpp"
#include "transfer/move.hpp"
#include "transfer/transfer.hpp"

namespace interlock {
namespace {

constexpr std::size_t kTexts = 3;

PyRef call_errors(const char *function, PyObject *argument) {
  const PyRef module = PyRef::steal(PyImport_ImportModule("interlock._errors"));
  const PyRef callable =
      module ? PyRef::steal(PyObject_GetAttrString(module.get(), function)) : PyRef();
  return callable ? PyRef::steal(PyObject_CallOneArg(callable.get(), argument)) : PyRef();
}

/// A tuple of texts alone, without Python code.
Message plain_description(PyObject *exception) {
  Message message;
  const PyRef parts = PyRef::steal(Py_BuildValue("(sssO)", "", Py_TYPE(exception)->tp_name,
                                                 "it could not be described", Py_None));
  if (!parts || !encode(parts.get(), "exception", message).ok()) PyErr_Clear();
  return message;
}

/// What led to an exception that has been described: frames, and other exceptions. They do not
/// cross, and hold what the exception holds.
void forget_origin(PyObject *exception) {
  if (PyException_SetTraceback(exception, Py_None) != 0) PyErr_Clear();
  PyException_SetContext(exception, nullptr);
  PyException_SetCause(exception, nullptr);
}

/// Describes `exception` whole, else by its texts. False with a Python exception set.
bool describe(PyObject *exception, Message &message) {
  const PyRef parts = call_errors("describe", exception);
  if (!parts) return false;
  const bool is_ours = Py_REFCNT(exception) == 2;  // the caller's, and that in `parts`
  if (is_ours) forget_origin(exception);
  Move move;
  const Status status =
      encode_giving(parts.get(), is_ours ? exception : nullptr, "exception", message, move);
  move.commit();
  if (status.ok()) return true;
  if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) return false;
  PyErr_Clear();
  const PyRef texts = PyRef::steal(PyTuple_GetSlice(parts.get(), 0, kTexts));
  return texts && encode(texts.get(), "exception", message).ok();
}

}  // namespace

Message encode_exception(PyRef exception) {
  Message message;
  PyRef subject = std::move(exception);
  for (bool bare = false; !describe(subject.get(), message); bare = true) {
    PyRef raised = PyRef::steal(PyErr_GetRaisedException());
    if (!PyErr_GivenExceptionMatches(raised.get(), PyExc_KeyboardInterrupt))
      return plain_description(subject.get());
    // An interrupt that arrives here is the outcome, whatever was being described. From the second
    // on it is a new one, so that no code of the program's runs and only more interrupts delay it.
    PyRef next =
        bare ? PyRef::steal(PyObject_CallNoArgs(PyExc_KeyboardInterrupt)) : std::move(raised);
    if (!next) {
      PyErr_Clear();
      return plain_description(subject.get());
    }
    subject = std::move(next);
  }
  return message;
}

PyObject *decode_exception(const Message &message) {
  PyRef parts;
  if (!message.empty()) {
    parts = PyRef::steal(decode(message));
    if (!parts) {
      if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) return PyErr_GetRaisedException();
      PyErr_Clear();
      parts = PyRef::steal(decode_first(message, kTexts));
    }
  }
  PyRef exception = parts ? call_errors("restore", parts.get()) : PyRef();
  if (exception && PyExceptionInstance_Check(exception.get())) return exception.release();
  if (!PyErr_Occurred()) PyErr_SetString(PyExc_RuntimeError, "an exception in another interpreter");
  return PyErr_GetRaisedException();
}

}  // namespace interlock
