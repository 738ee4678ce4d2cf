// SPDX-License-Identifier: MIT
// interlock.Channel. Operations first try inside the interpreter; only one that has to wait leaves
// it.
#include "channel/channel.hpp"

#include "python/blocking.hpp"
#include "python/module.hpp"
#include "transfer/transfer.hpp"

namespace interlock {
namespace {

Channel &channel_of(PyObject *self) {
  return static_cast<Channel &>(*reinterpret_cast<HandleObject *>(self)->shared);
}

bool usable(PyObject *self) { return check_process(channel_of(self), "Channel"); }

PyObject *create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static const char *names[] = {"capacity", nullptr};
  Py_ssize_t capacity = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|n:Channel", const_cast<char **>(names),
                                   &capacity))
    return nullptr;
  if (capacity < 1) {
    PyErr_Format(PyExc_ValueError, "capacity must be at least 1, not %zd", capacity);
    return nullptr;
  }
  auto *const self = reinterpret_cast<HandleObject *>(type->tp_alloc(type, 0));
  if (self == nullptr) return nullptr;
  self->shared = Ref<Channel>(make_ref<Channel>(static_cast<std::size_t>(capacity))).leak();
  return reinterpret_cast<PyObject *>(self);
}

PyObject *finish_send(Status status) {
  if (!status.ok()) return raise(status);
  Py_RETURN_NONE;
}

PyObject *finish_recv(Status status, const Message &message) {
  return status.ok() ? decode(message) : raise(status);
}

PyObject *send(PyObject *self, PyObject *args, PyObject *kwargs) {
  if (!usable(self)) return nullptr;
  static const char *names[] = {"obj", "timeout", nullptr};
  PyObject *object = nullptr;
  PyObject *timeout = nullptr;
  Deadline deadline;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:send", const_cast<char **>(names), &object,
                                   &timeout) ||
      !parse_timeout(timeout, deadline))
    return nullptr;
  Message message;
  if (Status status = encode(object, "message", message); !status.ok()) return raise(status);
  Channel &channel = channel_of(self);
  Status status = channel.try_send(message);
  if (status.code() == Code::kEFULL)
    status = run_detached([&] { return channel.send_until(message, deadline); });
  return finish_send(std::move(status));
}

PyObject *recv(PyObject *self, PyObject *args, PyObject *kwargs) {
  if (!usable(self)) return nullptr;
  static const char *names[] = {"timeout", nullptr};
  PyObject *timeout = nullptr;
  Deadline deadline;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:recv", const_cast<char **>(names), &timeout) ||
      !parse_timeout(timeout, deadline))
    return nullptr;
  Message message;
  Channel &channel = channel_of(self);
  Status status = channel.try_recv(message);
  if (status.code() == Code::kEEMPTY)
    status = run_detached([&] { return channel.recv_until(message, deadline); });
  return finish_recv(std::move(status), message);
}

PyObject *try_send(PyObject *self, PyObject *object) {
  if (!usable(self)) return nullptr;
  Message message;
  if (Status status = encode(object, "message", message); !status.ok()) return raise(status);
  return finish_send(channel_of(self).try_send(message));
}

PyObject *try_recv(PyObject *self, PyObject *) {
  if (!usable(self)) return nullptr;
  Message message;
  Status status = channel_of(self).try_recv(message);
  return finish_recv(std::move(status), message);
}

PyObject *next(PyObject *self) {
  if (!usable(self)) return nullptr;
  Message message;
  Channel &channel = channel_of(self);
  Status status = channel.try_recv(message);
  if (status.code() == Code::kEEMPTY)
    status = run_detached([&] { return channel.recv_until(message, Deadline::never()); });
  if (status.code() == Code::kECLOSED) return nullptr;  // the end of the iteration
  return finish_recv(std::move(status), message);
}

PyObject *close(PyObject *self, PyObject *) {
  if (!usable(self)) return nullptr;
  channel_of(self).close();
  Py_RETURN_NONE;
}

PyObject *enter(PyObject *self, PyObject *) { return Py_NewRef(self); }

PyObject *leave(PyObject *self, PyObject *) { return close(self, nullptr); }

PyObject *get_capacity(PyObject *self, void *) {
  return PyLong_FromSize_t(channel_of(self).capacity());
}

PyObject *get_closed(PyObject *self, void *) {
  if (!usable(self)) return nullptr;
  return PyBool_FromLong(channel_of(self).closed());
}

Py_ssize_t length(PyObject *self) {
  return usable(self) ? static_cast<Py_ssize_t>(channel_of(self).size()) : -1;
}

int is_true(PyObject *) { return 1; }

PyObject *repr(PyObject *self) {
  const Channel &channel = channel_of(self);
  if (channel.is_from_parent())
    return PyUnicode_FromString("<interlock.Channel of the parent process>");
  return PyUnicode_FromFormat("<interlock.Channel at %p: %zu of %zu%s>", &channel, channel.size(),
                              channel.capacity(), channel.closed() ? ", closed" : "");
}

PyMethodDef methods[] = {
    {"send", as_method(send), METH_VARARGS | METH_KEYWORDS,
     "send($self, obj, timeout=None)\n--\n\n"
     "Send a copy of obj, waiting up to timeout seconds for room.\n\n"
     "Raises TransferError (nothing was sent), TimeoutError or ChannelClosed."},
    {"recv", as_method(recv), METH_VARARGS | METH_KEYWORDS,
     "recv($self, timeout=None)\n--\n\n"
     "Take the oldest item, waiting up to timeout seconds for one.\n\n"
     "Raises TimeoutError, or ChannelClosed once the channel is closed and empty."},
    {"try_send", try_send, METH_O,
     "try_send($self, obj, /)\n--\n\nSend without waiting; raises ChannelFull if there is no "
     "room."},
    {"try_recv", try_recv, METH_NOARGS,
     "try_recv($self, /)\n--\n\nTake without waiting; raises ChannelEmpty if there is no item."},
    {"close", close, METH_NOARGS,
     "close($self, /)\n--\n\nRefuse further sends; receivers take what is left. Wakes all who "
     "wait."},
    {"__enter__", enter, METH_NOARGS, nullptr},
    {"__exit__", leave, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef properties[] = {
    {"capacity", get_capacity, nullptr, "How many items wait for a receiver at most.", nullptr},
    {"closed", get_closed, nullptr, "Whether close() was called.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc,
     const_cast<char *>(
         "Channel(capacity=1)\n--\n\n"
         "A bounded queue between interpreters and threads: many senders, many receivers,\n"
         "first in first out. It can itself be sent. Iteration ends when it is closed.")},
    {Py_tp_new, reinterpret_cast<void *>(create)},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {Py_tp_iter, reinterpret_cast<void *>(PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void *>(next)},
    {Py_sq_length, reinterpret_cast<void *>(length)},
    {Py_nb_bool, reinterpret_cast<void *>(is_true)},
    {Py_tp_repr, reinterpret_cast<void *>(repr)},
    {0, nullptr}};

PyType_Spec spec = {"interlock.Channel", sizeof(HandleObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, slots};

}  // namespace

bool add_channel(PyObject *module, ModuleState &state) {
  return add_type(module, spec, state.transfer.handle, state.channel);
}

}  // namespace interlock
