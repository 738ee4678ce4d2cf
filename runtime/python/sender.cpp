// SPDX-License-Identifier: MIT
// interlock.Sender: a channel's sending end that counts.
#include "channel/sender.hpp"

#include "python/channel.hpp"

namespace interlock {
namespace {

/// Its base's `shared` is null once it was closed. The handles of an interpreter stand in a list,
/// so that all are closed when it ends, whatever it leaves behind.
struct SenderObject {
  HandleObject base;
  Py_hash_t hash;  // also once it was closed
  SenderObject *previous;
  SenderObject *next;
};

SenderObject &sender_of(PyObject *self) { return *reinterpret_cast<SenderObject *>(self); }

/// False with a Python exception if it was made before a fork.
bool is_usable(PyObject *self) {
  const Shared *const shared = sender_of(self).base.shared;
  return shared == nullptr || check_process(*shared, "Sender");
}

void link(ModuleState &state, SenderObject &sender) {
  auto *const first = static_cast<SenderObject *>(state.first_sender);
  sender.previous = nullptr;
  sender.next = first;
  if (first != nullptr) first->previous = &sender;
  state.first_sender = &sender;
}

/// Gives up what the handle has. Its last reference may close the channel.
void drop(SenderObject &sender, ModuleState *state) {
  Shared *const shared = std::exchange(sender.base.shared, nullptr);
  if (shared == nullptr) return;
  if (sender.next != nullptr) sender.next->previous = sender.previous;
  if (sender.previous != nullptr) {
    sender.previous->next = sender.next;
  } else if (state != nullptr) {
    state->first_sender = sender.next;
  }
  shared->release();
}

void dealloc(PyObject *self) {
  PyTypeObject *const type = Py_TYPE(self);
  drop(sender_of(self), static_cast<ModuleState *>(PyType_GetModuleState(type)));
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject *close(PyObject *self, PyObject *) {
  ModuleState *const state = module_state();
  if (state == nullptr || !is_usable(self)) return nullptr;
  drop(sender_of(self), state);
  Py_RETURN_NONE;
}

PyObject *enter(PyObject *self, PyObject *) { return is_usable(self) ? Py_NewRef(self) : nullptr; }

PyObject *leave(PyObject *self, PyObject *args) {
  const Shared *const shared = sender_of(self).base.shared;
  if (shared != nullptr && leaves_in_child(*shared, args)) Py_RETURN_NONE;
  return close(self, nullptr);
}

PyObject *get_channel(PyObject *self, void *) {
  return usable_channel(self) != nullptr ? wrap_shared(Ref<Channel>(&channel_of(self))) : nullptr;
}

PyObject *get_closed(PyObject *self, void *) {
  if (!is_usable(self)) return nullptr;
  return PyBool_FromLong(sender_of(self).base.shared == nullptr);
}

PyObject *asend(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
  const PyRef channel = PyRef::steal(get_channel(self, nullptr));
  const PyRef object = channel ? parse_asend(values, count, names) : PyRef();
  return object ? call_aio("send", channel.get(), object.get(), self) : nullptr;
}

Py_hash_t hash(PyObject *self) { return sender_of(self).hash; }

PyObject *repr(PyObject *self) {
  const Shared *const shared = sender_of(self).base.shared;
  if (shared == nullptr) return PyUnicode_FromString("<interlock.Sender, closed>");
  if (shared->is_from_parent())
    return PyUnicode_FromString("<interlock.Sender of the parent process>");
  return PyUnicode_FromFormat("<interlock.Sender of the channel at %p>", &channel_of(self));
}

constexpr int kFast = METH_FASTCALL | METH_KEYWORDS;

PyMethodDef methods[] = {
    {"send", as_method(channel_send), kFast,
     "send($self, obj, timeout=None, move=False)\n--\n\nAs Channel.send()."},
    {"try_send", as_method(channel_try_send), METH_FASTCALL | METH_KEYWORDS,
     "try_send($self, obj, move=False)\n--\n\nAs Channel.try_send()."},
    {"send_many", as_method(channel_send_many), kFast,
     "send_many($self, items, timeout=None, move=False)\n--\n\nAs Channel.send_many()."},
    {"asend", as_method(asend), kFast, "asend($self, obj, move=False)\n--\n\nAs Channel.asend()."},
    {"close", close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Give up this handle. The channel is closed with the last one, wherever it is. Idempotent."},
    {"__enter__", enter, METH_NOARGS, nullptr},
    {"__exit__", leave, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef properties[] = {
    {"channel", get_channel, nullptr, "The channel that it sends into.", nullptr},
    {"closed", get_closed, nullptr, "Whether close() was called.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char *>("A right to send into a channel; Channel.sender() gives one, "
                                   "and it can itself be sent. When\n"
                                   "the last one of a channel is closed, dropped, or ends with its "
                                   "interpreter, the channel is\n"
                                   "closed: receivers get what is left, then ChannelClosed.")},
    {Py_tp_dealloc, reinterpret_cast<void *>(dealloc)},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {Py_tp_repr, reinterpret_cast<void *>(repr)},
    {Py_tp_hash, reinterpret_cast<void *>(hash)},
    {Py_tp_richcompare, reinterpret_cast<void *>(compare_handles)},
    {0, nullptr}};

PyType_Spec spec = {
    "interlock.Sender", sizeof(SenderObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

PyObject *wrap_sender(ModuleState &state, Ref<Shared> sender) {
  PyObject *const handle = state.sender->tp_alloc(state.sender, 0);
  if (handle == nullptr) return nullptr;
  sender_of(handle).hash = Py_HashPointer(sender.get());
  sender_of(handle).base.shared = sender.leak();
  link(state, sender_of(handle));
  return handle;
}

PyObject *close_senders(PyObject *, PyObject *) {
  ModuleState *const state = module_state();
  if (state == nullptr) return nullptr;
  while (state->first_sender != nullptr)
    drop(*static_cast<SenderObject *>(state->first_sender), state);
  Py_RETURN_NONE;
}

bool add_sender(PyObject *module, ModuleState &state) {
  return add_type(module, spec, state.transfer.handle, state.sender);
}

}  // namespace interlock
