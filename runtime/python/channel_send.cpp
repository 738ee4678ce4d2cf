// SPDX-License-Identifier: MIT
// How interlock.Channel and interlock.Sender send.
#include <vector>

#include "python/arguments.hpp"
#include "python/blocking.hpp"
#include "python/channel.hpp"
#include "transfer/inline_record.hpp"
#include "transfer/move.hpp"
#include "transfer/plain.hpp"
#include "transfer/transfer.hpp"

namespace interlock {
namespace {

using Direction = Channel::Direction;

// How many items of an iterable are prepared before they are sent.
constexpr std::size_t kBatch = 64;

/// What a call sends. `moves`: empty if nothing moves, else one for each message.
struct Outgoing {
  std::vector<Message> messages;
  std::vector<Move> moves;

  /// Of the first `sent` messages the sender gives up what moved, of all others it gets it back.
  void settle(std::size_t sent) {
    for (std::size_t i = 0; i < std::min(sent, moves.size()); ++i) moves[i].commit();
    for (std::size_t i = moves.size(); i-- > sent;) moves[i].undo();
    moves.clear();
  }
};

/// Sends `object` with `send_message(channel, message)`. `moves`: an object that says so, or null.
template <typename Send>
PyObject *send(PyObject *self, PyObject *object, PyObject *moves, Send send_message) {
  const int is_moved = moves != nullptr ? PyObject_IsTrue(moves) : 0;
  if (is_moved < 0) return nullptr;
  Message message;
  Move move;
  ModuleState &state = state_of(self);
  const Status encoded = is_moved != 0 ? move.encode(object, "message", message)
                                       : encode(state.transfer, object, "message", message, &move);
  if (!encoded.ok()) return raise(encoded);
  Channel *const channel = usable_channel(self);
  if (channel != nullptr) count_sending(state, *channel, {&message, 1});
  const Status status =
      channel != nullptr ? send_message(*channel, message) : Status(Code::kEPYTHON);
  if (!status.ok()) {
    if (channel != nullptr) take_back(self, {&message, 1});
    move.undo();
    return raise(status);
  }
  move.commit();
  Py_RETURN_NONE;
}

/// Sends `messages`; `sent` grows by how many were, also on error.
Status send_all(PyObject *self, Channel &channel, std::span<Message> messages, std::size_t &sent,
                Deadline deadline) {
  std::size_t done = 0;
  Status status;
  if (messages.empty()) return status;
  count_sending(state_of(self), channel, messages);
  if (!attempt_attached(channel, Direction::kSend, messages, done) || done != messages.size()) {
    const Ref<Channel> held(&channel);  // a Sender may be closed meanwhile
    status = run_detached([&] {
      std::size_t count = 0;
      const Status each = channel.send_many_until(messages.subspan(done), count, deadline);
      done += count;
      return each;
    });
  }
  sent += done;
  if (!status.ok()) take_back(self, messages.subspan(done));
  return status;
}

bool encode_item(PyRef item, Outgoing &outgoing, bool is_moved) {
  if (is_moved) item = mark_moved(std::move(item));
  if (!item) return false;
  Move move;
  const Status status = encode(item.get(), "message", outgoing.messages.emplace_back(), &move);
  if (!status.ok()) {
    outgoing.messages.pop_back();
    raise(status);
    return false;
  }
  if (!move.empty()) {
    outgoing.moves.resize(outgoing.messages.size());
    outgoing.moves.back() = std::move(move);
  }
  return true;
}

/// The items of a list or tuple. False with a Python exception set.
bool encode_sequence(PyObject *sequence, Outgoing &outgoing) {
  outgoing.messages.reserve(static_cast<std::size_t>(PySequence_Fast_GET_SIZE(sequence)));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence); ++i) {
    PyObject *const item = PySequence_Fast_GET_ITEM(sequence, i);
    if (is_compact_int(item)) {
      outgoing.messages.push_back(Message::from_header(record_of_compact_int(item)));
      // Its own reference: what encodes it may change where it comes from.
    } else if (!encode_item(PyRef::borrow(item), outgoing, false)) {
      return false;
    }
  }
  return true;
}

/// The next items of an iterator, a batch at most; `more` says whether it may have others. False
/// with a Python exception set; what came before it is in `outgoing`.
bool encode_next(PyObject *iterator, Outgoing &outgoing, bool is_moved, bool &more) {
  while (outgoing.messages.size() < kBatch) {
    PyRef item = PyRef::steal(PyIter_Next(iterator));
    more = static_cast<bool>(item);
    if (!more) return PyErr_Occurred() == nullptr;
    // What nothing else holds goes as it is. If it is not sent, it is gone in any case.
    if (Py_REFCNT(item.get()) == 1 && is_large_leaf(item.get())) {
      const Status status = give_away(item, "message", outgoing.messages.emplace_back());
      if (status.ok()) continue;
      outgoing.messages.pop_back();
      raise(status);
      return false;
    }
    if (!encode_item(std::move(item), outgoing, is_moved)) return false;
  }
  return true;
}

/// Raises what `status` says, telling how many items were sent before.
PyObject *raise_after(const Status &status, std::size_t sent) {
  raise(status);
  const PyRef exception = PyRef::steal(PyErr_GetRaisedException());
  const PyRef count = PyRef::steal(PyLong_FromSize_t(sent));
  if (!exception || !count || PyObject_SetAttrString(exception.get(), "sent", count.get()) != 0)
    PyErr_Clear();
  PyErr_SetRaisedException(Py_XNewRef(exception.get()));
  return nullptr;
}

/// The items of a list, which is left empty, or tuple that hands them over: each in what moved()
/// gives. Null with a Python exception set.
PyRef mark_items(PyObject *sequence) {
  PyRef items = PyRef::steal(PyList_New(0));
  for (Py_ssize_t i = 0; items && i < PySequence_Fast_GET_SIZE(sequence); ++i) {
    PyRef item = PyRef::borrow(PySequence_Fast_GET_ITEM(sequence, i));
    if (!is_compact_int(item.get())) item = mark_moved(std::move(item));
    if (!item || PyList_Append(items.get(), item.get()) != 0) return {};
  }
  if (items && PyList_Check(sequence) &&
      PyList_SetSlice(sequence, 0, PyList_GET_SIZE(items.get()), nullptr) != 0)
    return {};
  return items;
}

/// Puts back what was not sent, in front of what came in meanwhile. Leaves a Python exception that
/// is set as it is.
void put_back(PyObject *list, PyObject *marked, std::size_t sent) {
  PyRef raised = PyRef::steal(PyErr_GetRaisedException());
  const ModuleState *const state = module_state();
  for (Py_ssize_t i = PyList_GET_SIZE(marked); i-- > static_cast<Py_ssize_t>(sent);) {
    PyObject *const each = PyList_GET_ITEM(marked, i);
    const bool is_marked = state != nullptr && Py_IS_TYPE(each, state->transfer.moved);
    PyObject *const item = is_marked ? reinterpret_cast<MarkedObject *>(each)->object : each;
    if (item != nullptr && PyList_Insert(list, 0, item) != 0) PyErr_WriteUnraisable(list);
  }
  PyErr_SetRaisedException(raised.release());
}

/// All items of a list or tuple, or none that cannot cross.
PyObject *send_sequence(PyObject *self, PyObject *sequence, bool is_moved, Deadline deadline) {
  const PyRef items = is_moved ? mark_items(sequence) : PyRef::borrow(sequence);
  if (!items) return nullptr;
  std::size_t sent = 0;
  Outgoing outgoing;
  Status status = Code::kEPYTHON;
  if (encode_sequence(items.get(), outgoing)) {
    if (Channel *const channel = usable_channel(self))
      status = send_all(self, *channel, outgoing.messages, sent, deadline);
  }
  outgoing.settle(sent);
  if (is_moved && PyList_Check(sequence)) put_back(sequence, items.get(), sent);
  if (!status.ok()) return raise_after(status, sent);
  Py_RETURN_NONE;
}

/// After an iterator that raised: sends what it gave before, then raises that with `sent`. Who is
/// interrupted does not wait for room any more.
PyObject *send_rest(PyObject *self, Outgoing &outgoing, std::size_t sent, Deadline deadline) {
  PyRef failure = PyRef::steal(PyErr_GetRaisedException());
  const bool is_error = PyErr_GivenExceptionMatches(failure.get(), PyExc_Exception) != 0;
  Channel *const channel = usable_channel(self);
  std::size_t rest = 0;
  const Status status = channel != nullptr ? send_all(self, *channel, outgoing.messages, rest,
                                                      is_error ? deadline : Deadline::past())
                                           : Status(Code::kEPYTHON);
  outgoing.settle(rest);
  sent += rest;
  if (!status.ok() && (is_error || status.code() != Code::kETIMEDOUT)) {
    raise_after(status, sent);
    const PyRef raised = PyRef::steal(PyErr_GetRaisedException());
    PyException_SetContext(raised.get(), failure.release());
    PyErr_SetRaisedException(Py_NewRef(raised.get()));
    return nullptr;
  }
  PyErr_SetRaisedException(failure.release());
  return raise_after(Code::kEPYTHON, sent);
}

}  // namespace

PyObject *channel_send(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
  static constexpr const char *kParameters[] = {"obj", "timeout", "move"};
  PyObject *slots[3];
  Deadline deadline;
  if (!Arguments{values, count, names}.parse("send", kParameters, 1, slots) ||
      !parse_timeout(slots[1], deadline))
    return nullptr;
  return send(self, slots[0], slots[2], [&](Channel &channel, Message &message) {
    return transfer(channel, Direction::kSend, message, deadline);
  });
}

PyObject *channel_try_send(PyObject *self, PyObject *const *values, Py_ssize_t count,
                           PyObject *names) {
  static constexpr const char *kParameters[] = {"obj", "move"};
  PyObject *slots[2];
  if (!Arguments{values, count, names}.parse("try_send", kParameters, 1, slots)) return nullptr;
  return send(self, slots[0], slots[1], [](Channel &channel, Message &message) {
    return try_transfer(channel, Direction::kSend, message);
  });
}

PyRef parse_asend(PyObject *const *values, Py_ssize_t count, PyObject *names) {
  static constexpr const char *kParameters[] = {"obj", "move"};
  PyObject *slots[2];
  if (!Arguments{values, count, names}.parse("asend", kParameters, 1, slots)) return {};
  const int is_moved = slots[1] != nullptr ? PyObject_IsTrue(slots[1]) : 0;
  if (is_moved < 0) return {};
  return is_moved != 0 ? mark_moved(PyRef::borrow(slots[0])) : PyRef::borrow(slots[0]);
}

PyObject *channel_send_many(PyObject *self, PyObject *const *values, Py_ssize_t count,
                            PyObject *names) {
  static constexpr const char *kParameters[] = {"items", "timeout", "move"};
  PyObject *slots[3];
  Deadline deadline;
  if (!Arguments{values, count, names}.parse("send_many", kParameters, 1, slots) ||
      !parse_timeout(slots[1], deadline))
    return nullptr;
  const int is_moved = slots[2] != nullptr ? PyObject_IsTrue(slots[2]) : 0;
  if (is_moved < 0) return nullptr;
  if (PyList_CheckExact(slots[0]) || PyTuple_CheckExact(slots[0]))
    return send_sequence(self, slots[0], is_moved != 0, deadline);
  const PyRef iterator = PyRef::steal(PyObject_GetIter(slots[0]));
  if (!iterator) return nullptr;
  std::size_t sent = 0;
  Outgoing outgoing;
  for (bool more = true; more;) {
    outgoing.messages.clear();
    if (!encode_next(iterator.get(), outgoing, is_moved != 0, more))
      return send_rest(self, outgoing, sent, deadline);
    std::size_t batch = 0;
    Channel *const channel = usable_channel(self);
    const Status status = channel != nullptr
                              ? send_all(self, *channel, outgoing.messages, batch, deadline)
                              : Status(Code::kEPYTHON);
    outgoing.settle(batch);
    sent += batch;
    if (!status.ok()) return raise_after(status, sent);
  }
  Py_RETURN_NONE;
}

}  // namespace interlock
