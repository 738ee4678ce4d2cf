// SPDX-License-Identifier: MIT
// What the Python faces of channels share: Channel itself, select and asyncio.
#pragma once

#include <span>

#include "channel/channel.hpp"
#include "lock/wait_ladder.hpp"
#include "python/module.hpp"
#include "transfer/transfer.hpp"

namespace interlock {

/// The channel of a Channel, or of a Sender that is not closed.
[[nodiscard]] Channel &channel_of(PyObject *handle);
/// The same; null with a Python exception if it was made before a fork, or is a closed Sender.
[[nodiscard]] Channel *usable_channel(PyObject *handle);

// Methods of both. send() and send_many() are METH_FASTCALL | METH_KEYWORDS.
PyObject *channel_send(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names);
PyObject *channel_send_many(PyObject *self, PyObject *const *values, Py_ssize_t count,
                            PyObject *names);
PyObject *channel_try_send(PyObject *self, PyObject *const *values, Py_ssize_t count,
                           PyObject *names);
/// What asend(obj, move=False) is to send; null with a Python exception set.
[[nodiscard]] PyRef parse_asend(PyObject *const *values, Py_ssize_t count, PyObject *names);
/// Calls a function of lib/interlock/_aio.py.
PyObject *call_aio(const char *name, PyObject *first, PyObject *second = nullptr,
                   PyObject *third = nullptr);
/// A new handle, for wrap_shared().
PyObject *wrap_sender(ModuleState &state, Ref<Shared> sender);

/// Sends or receives one message: tries inside the interpreter, then waits outside.
/// Thread: attached.  Errors: as Channel::send_until() and recv_until().
[[nodiscard]] Status transfer(Channel &channel, Channel::Direction direction, Message &message,
                              Deadline deadline);
// What the calling interpreter sends is counted before it is sent: the channel may be gone
// afterwards. What could not be sent, and so is left, is taken back. Thread: attached.

void count_sending(const ModuleState &state, Channel &channel, std::span<const Message> messages);
void take_back(Channel &channel, std::span<const Message> left);
/// The same; nothing if `handle` was closed meanwhile.
void take_back(PyObject *handle, std::span<const Message> left);

/// One attempt. Another thread in the middle of the same cell is waited for outside.
[[nodiscard]] Status try_transfer(Channel &channel, Channel::Direction direction, Message &message);

/// Tries, after spin_attached(). True if it is done.
/// Thread: attached.  Blocks: never.
[[nodiscard]] bool attempt_attached(Channel &channel, Channel::Direction direction,
                                    std::span<Message> messages, std::size_t &count);

}  // namespace interlock
