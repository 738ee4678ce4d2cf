// SPDX-License-Identifier: MIT
// Channels of the C ABI. Nothing here touches Python.
#include "channel/channel.hpp"

#include <new>

#include "embed/error.hpp"
#include "embed/handles.hpp"
#include "embed/value.hpp"
#include "interlock.h"

using namespace interlock;

namespace {

int send(interlock_channel_t *channel, Message message, double timeout) {
  if (channel == nullptr) return report(Status(Code::kEINVAL, "channel is null"));
  Channel &target = *channel->channel;
  if (timeout == 0) return report(target.try_send(message));
  return report(target.send_until(message, deadline_of(timeout)));
}

}  // namespace

extern "C" {

int interlock_channel_create(size_t capacity, interlock_channel_t **channel) {
  if (channel == nullptr) return report(Status(Code::kEINVAL, "channel is null"));
  auto created = Channel::create(capacity);
  if (!created.ok()) return report(created.status());
  *channel = new (std::nothrow) interlock_channel{std::move(created.value())};
  return *channel != nullptr ? INTERLOCK_OK : report(Code::kENOMEM);
}

void interlock_channel_release(interlock_channel_t *channel) { delete channel; }

int interlock_channel_close(interlock_channel_t *channel) {
  if (channel == nullptr) return report(Status(Code::kEINVAL, "channel is null"));
  channel->channel->close();
  return INTERLOCK_OK;
}

int interlock_channel_send_none(interlock_channel_t *channel, double timeout) {
  return send(channel, Message::from_none(), timeout);
}

int interlock_channel_send_bool(interlock_channel_t *channel, int value, double timeout) {
  return send(channel, Message::from_bool(value != 0), timeout);
}

int interlock_channel_send_int64(interlock_channel_t *channel, int64_t value, double timeout) {
  return send(channel, Message::from_int64(value), timeout);
}

int interlock_channel_send_double(interlock_channel_t *channel, double value, double timeout) {
  return send(channel, Message::from_double(value), timeout);
}

int interlock_channel_send_string(interlock_channel_t *channel, const char *text, size_t size,
                                  double timeout) {
  Message message;
  if (Status status = message_of_text(text, size, message); !status.ok()) return report(status);
  return send(channel, std::move(message), timeout);
}

int interlock_channel_send_bytes(interlock_channel_t *channel, const void *data, size_t size,
                                 double timeout) {
  Message message;
  if (Status status = message_of_bytes(data, size, message); !status.ok()) return report(status);
  return send(channel, std::move(message), timeout);
}

int interlock_channel_send_value(interlock_channel_t *channel, interlock_value_t *value,
                                 double timeout) {
  if (channel == nullptr || value == nullptr || value->message.empty())
    return report(Status(Code::kEINVAL, "channel or value is null, or the value was sent before"));
  Channel &target = *channel->channel;
  if (timeout == 0) return report(target.try_send(value->message));
  return report(target.send_until(value->message, deadline_of(timeout)));
}

int interlock_channel_recv(interlock_channel_t *channel, interlock_value_t **value,
                           double timeout) {
  if (channel == nullptr || value == nullptr)
    return report(Status(Code::kEINVAL, "channel or value is null"));
  *value = nullptr;
  std::unique_ptr<interlock_value> received(new (std::nothrow) interlock_value);
  if (received == nullptr) return report(Code::kENOMEM);
  Channel &source = *channel->channel;
  const Status status = timeout == 0 ? source.try_recv(received->message)
                                     : source.recv_until(received->message, deadline_of(timeout));
  if (status.ok()) *value = received.release();
  return report(status);
}

}  // extern "C"
