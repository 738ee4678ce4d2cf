// SPDX-License-Identifier: MIT
// LoopBell and LoopWaiter of `_interlock`, on which lib/interlock/_aio.py builds asyncio's side of
// channels. Both belong to one event loop, so to one interpreter; its lock guards them.
#include "channel/loop_bell.hpp"

#include <memory>

#include "interpreter/interpreter.hpp"
#include "python/channel.hpp"
#include "transfer/move.hpp"

namespace interlock {
namespace {

struct BellObject {
  PyObject_HEAD LoopBell *held;
  Interpreter *home;  // whose home thread runs the loop; null if it is another thread
};

BellObject &bell_of(PyObject *self) { return *reinterpret_cast<BellObject *>(self); }

/// Null with a Python exception if it was made before a fork.
LoopBell *usable_bell(PyObject *self) {
  LoopBell *const bell = bell_of(self).held;
  return check_process(*bell, "LoopBell") ? bell : nullptr;
}

struct WaiterObject {
  PyObject_HEAD LoopWaiter *held;
  PyObject *future;  // what is to be told; null or a future of the loop
  Move *move;        // of what is sent, until it is over; null if nothing in it moves
};

WaiterObject &waiter_of(PyObject *self) { return *reinterpret_cast<WaiterObject *>(self); }

LoopWaiter *usable_waiter(PyObject *self) {
  LoopWaiter *const waiter = waiter_of(self).held;
  return check_process(*waiter, "LoopWaiter") ? waiter : nullptr;
}

PyObject *create_bell(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static const char *names[] = {"as_socket", nullptr};
  int as_socket = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p:LoopBell", const_cast<char **>(names),
                                   &as_socket))
    return nullptr;
  auto bell = LoopBell::create(as_socket != 0);
  if (!bell.ok()) return raise(bell.status());
  PyObject *const self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  bell_of(self).held = bell.value().leak();
  if (Interpreter *const home = Interpreter::current(); home != nullptr) {
    home->retain();  // dealloc_bell() releases
    bell_of(self).home = home;
    home->add_interrupt_target(*bell_of(self).held);
  }
  return self;
}

void dealloc_bell(PyObject *self) {
  PyTypeObject *const type = Py_TYPE(self);
  if (LoopBell *const bell = bell_of(self).held; bell != nullptr) {
    if (Interpreter *const home = bell_of(self).home; home != nullptr) {
      home->remove_interrupt_target(*bell);
      home->release();
    }
    // Those that were chosen and not taken would keep it.
    if (!bell->is_from_parent()) bell->close();
    bell->release();
  }
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject *fileno_of_bell(PyObject *self, PyObject *) {
  const LoopBell *const bell = usable_bell(self);
  return bell != nullptr ? PyLong_FromSsize_t(bell->descriptor()) : nullptr;
}

PyObject *take(PyObject *self, PyObject *) {
  LoopBell *const bell = usable_bell(self);
  PyRef list = bell != nullptr ? PyRef::steal(PyList_New(0)) : PyRef();
  if (!list) return nullptr;
  for (const auto &waiter : bell->take()) {
    auto *const object = static_cast<PyObject *>(waiter->owner);
    if (object != nullptr && PyList_Append(list.get(), object) != 0) return nullptr;
  }
  return list.release();
}

/// waiter(channel) receives; waiter(channel, obj) sends.
PyObject *create_waiter(PyObject *self, PyObject *args) {
  ModuleState *const state = module_state();
  PyObject *channel = nullptr;
  PyObject *object = nullptr;
  if (state == nullptr ||
      !PyArg_ParseTuple(args, "O!|O:waiter", state->channel, &channel, &object) ||
      usable_channel(channel) == nullptr || usable_bell(self) == nullptr)
    return nullptr;
  Message message;
  Move move;
  if (object != nullptr) {
    if (Status status = encode(object, "message", message, &move); !status.ok())
      return raise(status);
  }
  PyObject *const waiter = state->loop_waiter->tp_alloc(state->loop_waiter, 0);
  if (waiter == nullptr) {
    move.undo();
    return nullptr;
  }
  if (!move.empty()) waiter_of(waiter).move = new Move(std::move(move));
  count_sending(*state, channel_of(channel), {&message, 1});
  waiter_of(waiter).held =
      make_ref<LoopWaiter>(
          Ref<LoopBell>(bell_of(self).held), Ref<Channel>(&channel_of(channel)),
          object != nullptr ? Channel::Direction::kSend : Channel::Direction::kReceive,
          std::move(message))
          .leak();
  waiter_of(waiter).held->owner = waiter;
  return waiter;
}

PyMethodDef bell_methods[] = {
    {"fileno", fileno_of_bell, METH_NOARGS,
     "fileno($self, /)\n--\n\nWhat becomes readable when take() has something to give."},
    {"take", take, METH_NOARGS,
     "take($self, /)\n--\n\nThe waiters that may go on; each is to resume()."},
    {"waiter", create_waiter, METH_VARARGS,
     "waiter($self, channel, obj=..., /)\n--\n\nA LoopWaiter that sends obj, or receives."},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot bell_slots[] = {
    {Py_tp_doc,
     const_cast<char *>("LoopBell(as_socket=False)\n--\n\nHow channels reach one event loop.")},
    {Py_tp_new, reinterpret_cast<void *>(create_bell)},
    {Py_tp_dealloc, reinterpret_cast<void *>(dealloc_bell)},
    {Py_tp_methods, bell_methods},
    {0, nullptr}};

PyType_Spec bell_spec = {"_interlock.LoopBell", sizeof(BellObject), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, bell_slots};

/// The operation is over, or was given up: what moved has gone, or is given back.
void settle_move(PyObject *self) {
  const std::unique_ptr<Move> move(std::exchange(waiter_of(self).move, nullptr));
  LoopWaiter &waiter = *waiter_of(self).held;
  if (move == nullptr) return;
  if (!waiter.is_from_parent() && waiter.is_over() && waiter.outcome() == Attempt::kDone) {
    move->commit();
  } else {
    move->undo();
  }
}

int traverse_waiter(PyObject *self, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(waiter_of(self).future);
  return 0;
}

int clear_waiter(PyObject *self) {
  Py_CLEAR(waiter_of(self).future);
  return 0;
}

void dealloc_waiter(PyObject *self) {
  PyObject_GC_UnTrack(self);
  (void)clear_waiter(self);
  if (LoopWaiter *const waiter = waiter_of(self).held; waiter != nullptr) {
    waiter->owner = nullptr;
    if (!waiter->is_from_parent()) {
      waiter->cancel();
      if (waiter->sends()) take_back(waiter->channel(), {&waiter->message(), 1});
    }
    settle_move(self);
    waiter->release();
  }
  PyTypeObject *const type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

/// True: over; False: wait for the bell; None: start again, a little later.
PyObject *step_result(Step step) {
  switch (step) {
    case Step::kDone:
      Py_RETURN_TRUE;
    case Step::kBlocked:
      Py_RETURN_FALSE;
    default:
      Py_RETURN_NONE;
  }
}

PyObject *start(PyObject *self, PyObject *) {
  LoopWaiter *const waiter = usable_waiter(self);
  return waiter != nullptr ? step_result(waiter->start()) : nullptr;
}

PyObject *resume(PyObject *self, PyObject *) {
  LoopWaiter *const waiter = usable_waiter(self);
  return waiter != nullptr ? step_result(waiter->resume()) : nullptr;
}

PyObject *cancel(PyObject *self, PyObject *) {
  // In the child of a fork it stands in no queue; tasks of the parent are garbage there.
  if (!waiter_of(self).held->is_from_parent()) waiter_of(self).held->cancel();
  settle_move(self);
  Py_RETURN_NONE;
}

PyObject *result(PyObject *self, PyObject *) {
  LoopWaiter *const waiter = usable_waiter(self);
  if (waiter == nullptr) return nullptr;
  if (!waiter->is_over()) return raise(Status(Code::kESTATE, "the operation is not over"));
  settle_move(self);
  if (waiter->outcome() != Attempt::kDone) return raise(code_of(waiter->outcome()));
  if (waiter->message().empty()) Py_RETURN_NONE;  // it was sent
  return decode(waiter->message());
}

PyMethodDef waiter_methods[] = {
    {"start", start, METH_NOARGS,
     "start($self, /)\n--\n\n"
     "Try. True: result() has it; False: wait for the bell; None: start() again a little later."},
    {"resume", resume, METH_NOARGS, "resume($self, /)\n--\n\nAfter the bell, as start()."},
    {"cancel", cancel, METH_NOARGS, "cancel($self, /)\n--\n\nGive up; nothing gets lost."},
    {"result", result, METH_NOARGS,
     "result($self, /)\n--\n\nWhat was received, None for a send, or raise ChannelClosed."},
    {nullptr, nullptr, 0, nullptr}};

PyMemberDef waiter_members[] = {
    {"future", Py_T_OBJECT_EX, offsetof(WaiterObject, future), 0, "What is to be told."},
    {nullptr, 0, 0, 0, nullptr}};

PyType_Slot waiter_slots[] = {
    {Py_tp_doc, const_cast<char *>("One operation of a channel on its way.")},
    {Py_tp_traverse, reinterpret_cast<void *>(traverse_waiter)},
    {Py_tp_clear, reinterpret_cast<void *>(clear_waiter)},
    {Py_tp_dealloc, reinterpret_cast<void *>(dealloc_waiter)},
    {Py_tp_methods, waiter_methods},
    {Py_tp_members, waiter_members},
    {0, nullptr}};

PyType_Spec waiter_spec = {"_interlock.LoopWaiter", sizeof(WaiterObject), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
                               Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           waiter_slots};

}  // namespace

bool add_loop_bell(PyObject *module, ModuleState &state) {
  return add_type(module, bell_spec, nullptr, state.loop_bell) &&
         add_type(module, waiter_spec, nullptr, state.loop_waiter);
}

}  // namespace interlock
