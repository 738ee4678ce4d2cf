// SPDX-License-Identifier: MIT
// interlock.Channel. Operations first try inside the interpreter and spin there for a moment; only
// one that has to wait longer leaves it.
#include "python/channel.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "channel/sender.hpp"
#include "python/arguments.hpp"
#include "python/blocking.hpp"
#include "transfer/inline_record.hpp"
#include "transfer/transfer.hpp"

namespace interlock {
namespace {

using Direction = Channel::Direction;

// How many items recv_many() makes room for beside those that are there.
constexpr std::size_t kBatch = 64;

struct PolicyName {
  const char *name;
  Channel::Policy policy;
};
constexpr PolicyName kPolicies[] = {{"wait", Channel::Policy::kWait},
                                    {"refuse", Channel::Policy::kRefuse},
                                    {"drop_oldest", Channel::Policy::kDropOldest},
                                    {"drop_newest", Channel::Policy::kDropNewest}};

bool parse_policy(PyObject *object, Channel::Policy &policy) {
  policy = Channel::Policy::kWait;
  if (object == nullptr) return true;
  for (const PolicyName &each : kPolicies) {
    if (!PyUnicode_Check(object) || !PyUnicode_EqualToUTF8(object, each.name)) continue;
    policy = each.policy;
    return true;
  }
  PyErr_Format(PyExc_ValueError,
               "policy must be 'wait', 'refuse', 'drop_oldest' or 'drop_newest', not %R", object);
  return false;
}

bool parse_capacity(PyObject *object, std::size_t &capacity) {
  capacity = object == nullptr ? 1 : Channel::kUnbounded;
  if (object == nullptr || Py_IsNone(object)) return true;
  constexpr const char *kExpected = "capacity must be an int >= 0, or None for no bound";
  if (!is_int(object)) {
    PyErr_Format(PyExc_TypeError, "%s, not %T", kExpected, object);
    return false;
  }
  const Py_ssize_t number = PyNumber_AsSsize_t(object, nullptr);  // the largest if it is larger
  if (number == -1 && PyErr_Occurred()) return false;
  if (number < 0) {
    PyErr_Format(PyExc_ValueError, "%s, not %R", kExpected, object);
    return false;
  }
  capacity = static_cast<std::size_t>(number);
  return true;
}

PyObject *create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static const char *names[] = {"capacity", "policy", nullptr};
  PyObject *capacity_object = nullptr;
  PyObject *policy_object = nullptr;
  std::size_t capacity = 0;
  Channel::Policy policy;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$O:Channel", const_cast<char **>(names),
                                   &capacity_object, &policy_object) ||
      !parse_capacity(capacity_object, capacity) || !parse_policy(policy_object, policy))
    return nullptr;
  auto channel = Channel::create(capacity, policy);
  if (!channel.ok()) return raise(channel.status());
  auto *const self = reinterpret_cast<HandleObject *>(type->tp_alloc(type, 0));
  if (self != nullptr) self->shared = channel.value().leak();
  return reinterpret_cast<PyObject *>(self);
}

PyObject *finish_recv(PyObject *self, const Status &status, Message &message) {
  return status.ok() ? consume(state_of(self).transfer, message) : raise(status);
}

PyObject *recv(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
  static constexpr const char *kParameters[] = {"timeout"};
  PyObject *timeout;
  Deadline deadline;
  Channel *const channel = usable_channel(self);
  if (channel == nullptr ||
      !Arguments{values, count, names}.parse("recv", kParameters, 0, &timeout) ||
      !parse_timeout(timeout, deadline))
    return nullptr;
  Message message;
  const Status status = transfer(*channel, Direction::kReceive, message, deadline);
  return finish_recv(self, status, message);
}

PyObject *try_recv(PyObject *self, PyObject *) {
  Channel *const channel = usable_channel(self);
  if (channel == nullptr) return nullptr;
  Message message;
  const Status status = try_transfer(*channel, Direction::kReceive, message);
  return finish_recv(self, status, message);
}

/// The list of what `messages` carry. If some cannot be rebuilt, the exception of the first one has
/// the others in its attribute `received`: they have been taken, and would be lost.
PyObject *consume_all(std::span<Message> messages, ModuleState &state) {
  PyRef list = PyRef::steal(PyList_New(static_cast<Py_ssize_t>(messages.size())));
  if (!list) return nullptr;
  PyObject_GC_UnTrack(list.get());  // rebuilding runs code, which must not find it half full
  PyRef failure;
  Py_ssize_t size = 0;
  IntRecycler::Series ints(state.transfer.ints);
  for (Message &message : messages) {
    PyObject *const item =
        is_inline_int(message) ? ints.make(inline_int(message)) : consume(state.transfer, message);
    if (item != nullptr) {
      PyList_SET_ITEM(list.get(), size++, item);
    } else {
      PyRef raised = PyRef::steal(PyErr_GetRaisedException());
      if (!failure) failure = std::move(raised);
    }
  }
  Py_SET_SIZE(list.get(), size);
  PyObject_GC_Track(list.get());
  if (!failure) return list.release();
  if (PyObject_SetAttrString(failure.get(), "received", list.get()) != 0) PyErr_Clear();
  PyErr_SetRaisedException(failure.release());
  return nullptr;
}

PyObject *recv_many(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
  static constexpr const char *kParameters[] = {"n", "timeout"};
  PyObject *slots[2];
  Deadline deadline;
  ModuleState *const state = module_state();
  Channel *const channel = usable_channel(self);
  if (state == nullptr || channel == nullptr ||
      !Arguments{values, count, names}.parse("recv_many", kParameters, 1, slots) ||
      !parse_timeout(slots[1], deadline))
    return nullptr;
  if (!is_int(slots[0])) {
    PyErr_Format(PyExc_TypeError, "n must be an int, not %T", slots[0]);
    return nullptr;
  }
  const Py_ssize_t most = PyNumber_AsSsize_t(slots[0], nullptr);
  if (most == -1 && PyErr_Occurred()) return nullptr;
  if (most < 1) {
    PyErr_Format(PyExc_ValueError, "n must be at least 1, not %R", slots[0]);
    return nullptr;
  }
  std::array<Message, kBatch> few;
  std::vector<Message> many;
  std::span<Message> messages =
      std::span(few).first(std::min(static_cast<std::size_t>(most), kBatch));
  if (static_cast<std::size_t>(most) > kBatch) {
    // What is there now and a batch of what may come: n may be as large as sys.maxsize.
    many.resize(std::min(static_cast<std::size_t>(most), channel->size() + kBatch));
    messages = many;
  }
  std::size_t received = 0;
  if (!attempt_attached(*channel, Direction::kReceive, messages, received)) {
    const Status status =
        run_detached([&] { return channel->recv_many_until(messages, received, deadline); });
    if (!status.ok()) return raise(status);
  }
  return consume_all(messages.first(received), *state);
}

PyObject *next(PyObject *self) {
  Channel *const channel = usable_channel(self);
  if (channel == nullptr) return nullptr;
  Message message;
  const Status status = transfer(*channel, Direction::kReceive, message, Deadline::never());
  if (status.code() == Code::kECLOSED) return nullptr;  // the end of the iteration
  return finish_recv(self, status, message);
}

PyObject *asend(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
  if (usable_channel(self) == nullptr) return nullptr;
  const PyRef object = parse_asend(values, count, names);
  return object ? call_aio("send", self, object.get()) : nullptr;
}

PyObject *arecv(PyObject *self, PyObject *) {
  return usable_channel(self) != nullptr ? call_aio("receive", self) : nullptr;
}

PyObject *anext(PyObject *self) {
  return usable_channel(self) != nullptr ? call_aio("receive_next", self) : nullptr;
}

PyObject *sender(PyObject *self, PyObject *) {
  ModuleState *const state = module_state();
  Channel *const channel = usable_channel(self);
  if (state == nullptr || channel == nullptr) return nullptr;
  if (channel->closed()) return raise(Code::kECLOSED);
  return wrap_sender(*state, make_ref<Sender>(Ref<Channel>(channel)));
}

PyObject *close(PyObject *self, PyObject *) {
  Channel *const channel = usable_channel(self);
  if (channel == nullptr) return nullptr;
  channel->close();
  Py_RETURN_NONE;
}

PyObject *cancel(PyObject *self, PyObject *) {
  Channel *const channel = usable_channel(self);
  if (channel == nullptr) return nullptr;
  const LeaveInterpreter leave;
  channel->cancel();
  Py_RETURN_NONE;
}

PyObject *enter(PyObject *self, PyObject *) {
  return usable_channel(self) != nullptr ? Py_NewRef(self) : nullptr;
}

PyObject *leave(PyObject *self, PyObject *args) {
  if (leaves_in_child(channel_of(self), args)) Py_RETURN_NONE;
  return close(self, nullptr);
}

PyObject *stats(PyObject *self, PyObject *) {
  Channel *const channel = usable_channel(self);
  if (channel == nullptr) return nullptr;
  Contents contents = channel->sent_contents();
  const Channel::Stats stats = channel->stats();
  std::uint64_t others = stats.sent;
  for (const Contents::Count &each : contents.tiers) others -= std::min(others, each.messages);
  // Ints and the like, of one record. What is on its way is counted, and not yet sent.
  contents[Tier::kCopied].messages += others;
  contents[Tier::kCopied].objects += others;
  contents[Tier::kCopied].bytes += others * sizeof(std::uint64_t);
  PyRef tiers = dict_of(contents);
  if (!tiers) return nullptr;
  return Py_BuildValue("{s:K,s:K,s:K,s:K,s:K,s:N}", "sent", stats.sent, "received", stats.received,
                       "dropped", stats.dropped, "send_waits", stats.send_waits, "recv_waits",
                       stats.recv_waits, "tiers", tiers.release());
}

PyObject *get_capacity(PyObject *self, void *) {
  const std::size_t capacity = channel_of(self).capacity();
  return capacity == Channel::kUnbounded ? Py_NewRef(Py_None) : PyLong_FromSize_t(capacity);
}

PyObject *get_closed(PyObject *self, void *) {
  Channel *const channel = usable_channel(self);
  if (channel == nullptr) return nullptr;
  return PyBool_FromLong(channel->closed());
}

const char *policy_name(const Channel &channel) {
  for (const PolicyName &each : kPolicies) {
    if (each.policy == channel.policy()) return each.name;
  }
  return "";
}

PyObject *get_policy(PyObject *self, void *) {
  return PyUnicode_FromString(policy_name(channel_of(self)));
}

Py_ssize_t length(PyObject *self) {
  const Channel *const channel = usable_channel(self);
  return channel != nullptr ? static_cast<Py_ssize_t>(channel->size()) : -1;
}

int is_true(PyObject *) { return 1; }

PyObject *repr(PyObject *self) {
  const Channel &channel = channel_of(self);
  if (channel.is_from_parent())
    return PyUnicode_FromString("<interlock.Channel of the parent process>");
  const char *const closed = channel.closed() ? ", closed" : "";
  if (channel.capacity() == Channel::kUnbounded)
    return PyUnicode_FromFormat("<interlock.Channel at %p: %zu%s>", &channel, channel.size(),
                                closed);
  return PyUnicode_FromFormat("<interlock.Channel at %p: %zu of %zu%s>", &channel, channel.size(),
                              channel.capacity(), closed);
}

constexpr int kFast = METH_FASTCALL | METH_KEYWORDS;

PyMethodDef methods[] = {
    {"send", as_method(channel_send), kFast,
     "send($self, obj, timeout=None, move=False)\n--\n\n"
     "Send a copy of obj, waiting up to timeout seconds for room. With move=True the contents of "
     "obj\n"
     "leave, and its lists, dicts, sets and bytearrays stay behind empty.\n\n"
     "Raises TransferError (nothing was sent), TimeoutError, ChannelClosed, or ChannelFull "
     "(policy\n"
     "'refuse')."},
    {"recv", as_method(recv), kFast,
     "recv($self, timeout=None)\n--\n\n"
     "Take the oldest item, waiting up to timeout seconds for one.\n\n"
     "Raises TimeoutError, or ChannelClosed once the channel is closed and empty."},
    {"try_send", as_method(channel_try_send), kFast,
     "try_send($self, obj, move=False)\n--\n\nSend without waiting; raises ChannelFull if there is "
     "no "
     "room."},
    {"try_recv", try_recv, METH_NOARGS,
     "try_recv($self, /)\n--\n\nTake without waiting; raises ChannelEmpty if there is no item."},
    {"send_many", as_method(channel_send_many), kFast,
     "send_many($self, items, timeout=None, move=False)\n--\n\n"
     "Send all items in order, many at a time: faster than one by one. With move=True each is "
     "handed "
     "over,\n"
     "and a list is left with those that were not sent.\n\n"
     "A list or tuple is refused as a whole if one item cannot cross; other iterables are taken "
     "64\n"
     "items at a time, and what they give before they raise is sent. Errors as for send(), and "
     "those of\n"
     "the iterable, with an attribute `sent`: how many items were sent."},
    {"recv_many", as_method(recv_many), kFast,
     "recv_many($self, n, timeout=None)\n--\n\n"
     "A list of up to n items: waits for one, then takes what is there. If one cannot be rebuilt, "
     "the\n"
     "exception has the others in its attribute `received`.\n\n"
     "Raises TimeoutError, or ChannelClosed once the channel is closed and empty."},
    {"asend", as_method(asend), kFast,
     "asend($self, obj, move=False)\n--\n\n"
     "Await room and send a copy of obj. In any interpreter's event loop. With move=True it is "
     "handed\n"
     "over when the coroutine starts, and given back if that is cancelled."},
    {"arecv", arecv, METH_NOARGS,
     "arecv($self, /)\n--\n\n"
     "Await the oldest item. A cancelled arecv() has taken none. `async for` receives until the\n"
     "channel is closed and empty."},
    {"sender", sender, METH_NOARGS,
     "sender($self, /)\n--\n\n"
     "A new Sender: with the last one of a channel the channel is closed."},
    {"close", close, METH_NOARGS,
     "close($self, /)\n--\n\nRefuse further sends; receivers take what is left. Wakes all who "
     "wait."},
    {"cancel", cancel, METH_NOARGS,
     "cancel($self, /)\n--\n\nRefuse further sends and drop what is left. Wakes all who wait."},
    {"stats", stats, METH_NOARGS,
     "stats($self, /)\n--\n\n"
     "A dict of counts: sent, received, dropped; send_waits and recv_waits, operations that "
     "slept;\n"
     "tiers: how what was sent crosses, {'copied': {'messages': ..., 'objects': ..., 'bytes': "
     "...}, ...}."},
    {"__enter__", enter, METH_NOARGS, nullptr},
    {"__exit__", leave, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef properties[] = {
    {"capacity", get_capacity, nullptr,
     "How many items wait for a receiver at most: 0 for a rendezvous, None without a bound.",
     nullptr},
    {"closed", get_closed, nullptr, "Whether close() or cancel() was called.", nullptr},
    {"policy", get_policy, nullptr, "What send() does when there is no room.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc,
     const_cast<char *>(
         "Channel(capacity=1, *, policy='wait')\n--\n\n"
         "A queue between interpreters and threads: many senders, many receivers, first in first\n"
         "out. It can itself be sent. Iteration ends when it is closed.\n\n"
         "capacity: how many items may wait for a receiver. 0 is a rendezvous, where send() "
         "returns\n"
         "when the item was taken; None has no bound.\n"
         "policy: what send() does when there is no room: 'wait'; 'refuse' raises ChannelFull;\n"
         "'drop_oldest' and 'drop_newest' make room, or drop the new item.")},
    {Py_tp_new, reinterpret_cast<void *>(create)},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {Py_tp_iter, reinterpret_cast<void *>(PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void *>(next)},
    {Py_am_aiter, reinterpret_cast<void *>(PyObject_SelfIter)},
    {Py_am_anext, reinterpret_cast<void *>(anext)},
    {Py_sq_length, reinterpret_cast<void *>(length)},
    {Py_nb_bool, reinterpret_cast<void *>(is_true)},
    {Py_tp_repr, reinterpret_cast<void *>(repr)},
    {0, nullptr}};

PyType_Spec spec = {"interlock.Channel", sizeof(HandleObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, slots};

}  // namespace

Channel &channel_of(PyObject *handle) {
  Shared *const shared = reinterpret_cast<HandleObject *>(handle)->shared;
  if (shared->kind() == Shared::Kind::kSender) return static_cast<Sender *>(shared)->channel();
  return static_cast<Channel &>(*shared);
}

Channel *usable_channel(PyObject *handle) {
  const Shared *const shared = reinterpret_cast<HandleObject *>(handle)->shared;
  if (shared == nullptr) {
    raise(Status(Code::kECLOSED, "this Sender was closed"));
    return nullptr;
  }
  const bool is_sender = shared->kind() == Shared::Kind::kSender;
  return check_process(*shared, is_sender ? "Sender" : "Channel") ? &channel_of(handle) : nullptr;
}

// What is sent is encoded before the channel is looked at: that may run code which closes the
// Sender.

namespace {

template <typename Change>
void change_tally(std::int64_t owner, Channel &channel, std::span<const Message> messages,
                  Change change) {
  Tally *tally = nullptr;
  for (const Message &message : messages) {
    if (!message.has_contents()) continue;
    if (tally == nullptr) tally = &channel.tally_of(owner);
    change(*tally, message);
  }
}

}  // namespace

void count_sending(const ModuleState &state, Channel &channel, std::span<const Message> messages) {
  change_tally(state.interpreter_id, channel, messages,
               [](Tally &tally, const Message &message) { message.count(tally); });
}

void take_back(Channel &channel, std::span<const Message> left) {
  const std::int64_t owner = PyInterpreterState_GetID(PyInterpreterState_Get());
  change_tally(owner, channel, left,
               [](Tally &tally, const Message &message) { tally.subtract(message.contents()); });
}

void take_back(PyObject *handle, std::span<const Message> left) {
  if (reinterpret_cast<HandleObject *>(handle)->shared != nullptr)
    take_back(channel_of(handle), left);
}

Status transfer(Channel &channel, Channel::Direction direction, Message &message,
                Deadline deadline) {
  const bool sends = direction == Direction::kSend;
  if (sends ? channel.send_now(message) : channel.recv_now(message)) return {};
  std::size_t count = 0;
  if (attempt_attached(channel, direction, {&message, 1}, count)) return {};
  const Ref<Channel> held(&channel);  // a Sender may be closed meanwhile
  return run_detached([&] {
    return sends ? channel.send_until(message, deadline) : channel.recv_until(message, deadline);
  });
}

Status try_transfer(Channel &channel, Channel::Direction direction, Message &message) {
  std::size_t count = 0;
  const Attempt attempt = channel.attempt(direction, {&message, 1}, count);
  if (attempt != Attempt::kBusy) return code_of(attempt);
  const Ref<Channel> held(&channel);  // a Sender may be closed meanwhile
  return run_detached([&] {
    return direction == Direction::kSend ? channel.try_send(message) : channel.try_recv(message);
  });
}

PyObject *call_aio(const char *name, PyObject *first, PyObject *second, PyObject *third) {
  const PyRef module = PyRef::steal(PyImport_ImportModule("interlock._aio"));
  const PyRef function =
      module ? PyRef::steal(PyObject_GetAttrString(module.get(), name)) : PyRef();
  return function ? PyObject_CallFunctionObjArgs(function.get(), first, second, third, nullptr)
                  : nullptr;
}

bool attempt_attached(Channel &channel, Direction direction, std::span<Message> messages,
                      std::size_t &count) {
  if (channel.must_queue(direction)) return false;
  // Before trying: a failed attempt takes words away from who is to make it succeed.
  const auto looks_ready = [&]() noexcept { return channel.looks_ready(direction); };
  if (!looks_ready()) {
    const bool sends = direction == Direction::kSend;
    spin_attached(channel.processor_of(sends ? Direction::kReceive : Direction::kSend),
                  looks_ready);
    if (looks_ready()) WaitLadder::pause(channel.lead(direction));
  }
  return channel.attempt(direction, messages, count) == Attempt::kDone;
}

bool add_channel(PyObject *module, ModuleState &state) {
  return add_type(module, spec, state.transfer.handle, state.channel);
}

}  // namespace interlock
