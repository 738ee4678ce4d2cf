// SPDX-License-Identifier: MIT
// How interlock.Channel and interlock.Sender send.
#include <vector>

#include "python/arguments.hpp"
#include "python/blocking.hpp"
#include "python/channel.hpp"
#include "transfer/inline_record.hpp"
#include "transfer/move.hpp"
#include "transfer/transfer.hpp"

namespace interlock {
namespace {

using Direction = Channel::Direction;

// How many items of an iterable are prepared before they are sent.
constexpr std::size_t kBatch = 64;

PyObject *finish_send(const Status &status) {
  if (!status.ok()) return raise(status);
  Py_RETURN_NONE;
}

template <typename Send>
PyObject *send_moved(PyObject *self, PyObject *object, Send &send_message) {
  Channel *const channel = usable_channel(self);
  if (channel == nullptr) return nullptr;
  const Ref<Channel> held(channel);  // encoding may run code
  Message message;
  Move move;
  if (Status status = move.encode(object, "message", message); !status.ok()) return raise(status);
  count_sending(*channel, {&message, 1});
  const Status status = send_message(*channel, message);
  if (status.ok()) {
    move.commit();
  } else {
    take_back(*channel, {&message, 1});
    move.undo();
  }
  return finish_send(status);
}

/// Sends `object` with `send_message(channel, message)`. `moves`: an object that says so, or null.
template <typename Send>
PyObject *send(PyObject *self, PyObject *object, PyObject *moves, Send send_message) {
  const int is_moved = moves != nullptr ? PyObject_IsTrue(moves) : 0;
  if (is_moved < 0) return nullptr;
  if (is_moved != 0) return send_moved(self, object, send_message);
  Message message;
  if (Status status = encode(object, "message", message); !status.ok()) return raise(status);
  Channel *const channel = usable_channel(self);
  if (channel == nullptr) return nullptr;
  count_sending(*channel, {&message, 1});
  const Status status = send_message(*channel, message);
  if (!status.ok()) take_back(self, {&message, 1});
  return finish_send(status);
}

/// Sends `messages`; `sent` grows by how many were, also on error.
Status send_all(PyObject *self, Channel &channel, std::span<Message> messages, std::size_t &sent,
                Deadline deadline) {
  std::size_t done = 0;
  Status status;
  if (messages.empty()) return status;
  count_sending(channel, messages);
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

bool encode_item(PyObject *item, std::vector<Message> &messages) {
  const PyRef held = PyRef::borrow(item);  // what encodes it may change where it comes from
  const Status status = encode(item, "message", messages.emplace_back());
  if (!status.ok()) raise(status);
  return status.ok();
}

/// The items of a list or tuple. False with a Python exception set.
bool encode_sequence(PyObject *sequence, std::vector<Message> &messages) {
  messages.reserve(static_cast<std::size_t>(PySequence_Fast_GET_SIZE(sequence)));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence); ++i) {
    PyObject *const item = PySequence_Fast_GET_ITEM(sequence, i);
    if (is_compact_int(item)) {
      messages.push_back(Message::from_header(record_of_compact_int(item)));
    } else if (!encode_item(item, messages)) {
      return false;
    }
  }
  return true;
}

/// The next items of an iterator, a batch at most; `more` says whether it may have others. False
/// with a Python exception set; what came before it is in `messages`.
bool encode_next(PyObject *iterator, std::vector<Message> &messages, bool &more) {
  while (messages.size() < kBatch) {
    const PyRef item = PyRef::steal(PyIter_Next(iterator));
    more = static_cast<bool>(item);
    if (!more) return PyErr_Occurred() == nullptr;
    if (encode_item(item.get(), messages)) continue;
    messages.pop_back();
    return false;
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

/// After an iterator that raised: sends what it gave before, then raises that with `sent`. Who is
/// interrupted does not wait for room any more.
PyObject *send_rest(PyObject *self, std::span<Message> messages, std::size_t sent,
                    Deadline deadline) {
  PyRef failure = PyRef::steal(PyErr_GetRaisedException());
  const bool is_error = PyErr_GivenExceptionMatches(failure.get(), PyExc_Exception) != 0;
  Channel *const channel = usable_channel(self);
  const Status status = channel != nullptr ? send_all(self, *channel, messages, sent,
                                                      is_error ? deadline : Deadline::past())
                                           : Status(Code::kEPYTHON);
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

PyObject *channel_send_many(PyObject *self, PyObject *const *values, Py_ssize_t count,
                            PyObject *names) {
  static constexpr const char *kParameters[] = {"items", "timeout"};
  PyObject *slots[2];
  Deadline deadline;
  if (!Arguments{values, count, names}.parse("send_many", kParameters, 1, slots) ||
      !parse_timeout(slots[1], deadline))
    return nullptr;
  std::size_t sent = 0;
  std::vector<Message> messages;
  const bool is_whole = PyList_CheckExact(slots[0]) || PyTuple_CheckExact(slots[0]);
  const PyRef iterator = is_whole ? PyRef() : PyRef::steal(PyObject_GetIter(slots[0]));
  if (!is_whole && !iterator) return nullptr;
  for (bool more = true; more;) {
    messages.clear();
    const bool is_encoded = is_whole ? encode_sequence(slots[0], messages)
                                     : encode_next(iterator.get(), messages, more);
    if (!is_encoded && !is_whole) return send_rest(self, messages, sent, deadline);
    if (!is_encoded) return raise_after(Code::kEPYTHON, sent);
    Channel *const channel = usable_channel(self);
    if (channel == nullptr) return raise_after(Code::kEPYTHON, sent);
    const Status status = send_all(self, *channel, messages, sent, deadline);
    if (!status.ok()) return raise_after(status, sent);
    if (is_whole) break;
  }
  Py_RETURN_NONE;
}

}  // namespace interlock
