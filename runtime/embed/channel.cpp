// SPDX-License-Identifier: MIT
// Channels and values of the C ABI. Nothing here touches Python.
#include "channel/channel.hpp"

#include <new>

#include "embed/error.hpp"
#include "embed/handles.hpp"
#include "interlock.h"

using namespace interlock;

namespace {

int send(interlock_channel_t *channel, Message message, double timeout) {
  if (channel == nullptr) return report(Status(Code::kEINVAL, "channel is null"));
  Channel &target = *channel->channel;
  if (timeout == 0) return report(target.try_send(message));
  return report(target.send_until(message, deadline_of(timeout)));
}

/// Well-formed by table 3-7 of the Unicode standard: no overlong forms, no surrogates.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    if (lead < 0x80) continue;
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || text.size() - i < static_cast<std::size_t>(more))
      return false;
    const auto second = static_cast<unsigned char>(text[i]);
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f))
      return false;
    for (int each = 0; each < more; ++each) {
      if ((static_cast<unsigned char>(text[i++]) & 0xc0) != 0x80) return false;
    }
  }
  return true;
}

int report_type(const char *wanted) {
  return report(Status(Code::kETYPE, std::string("the value is not ") + wanted));
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
  if (text == nullptr && size != 0) return report(Status(Code::kEINVAL, "text is null"));
  const std::string_view view(text != nullptr ? text : "", size);
  if (!is_utf8(view)) return report(Status(Code::kEINVAL, "text is not UTF-8"));
  return send(channel, Message::from_utf8(view), timeout);
}

int interlock_channel_send_bytes(interlock_channel_t *channel, const void *data, size_t size,
                                 double timeout) {
  if (data == nullptr && size != 0) return report(Status(Code::kEINVAL, "data is null"));
  const auto *const bytes = static_cast<const char *>(data);
  return send(channel, Message::from_bytes({bytes != nullptr ? bytes : "", size}), timeout);
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

interlock_type_t interlock_value_type(const interlock_value_t *value) {
  switch (value->message.type()) {
    case Message::Type::kNone:
      return INTERLOCK_TYPE_NONE;
    case Message::Type::kBool:
      return INTERLOCK_TYPE_BOOL;
    case Message::Type::kInt:
      return INTERLOCK_TYPE_INT;
    case Message::Type::kFloat:
      return INTERLOCK_TYPE_DOUBLE;
    case Message::Type::kStr:
      return INTERLOCK_TYPE_STRING;
    case Message::Type::kBytes:
      return INTERLOCK_TYPE_BYTES;
    default:
      return INTERLOCK_TYPE_OTHER;
  }
}

int interlock_value_as_bool(const interlock_value_t *value, int *result) {
  const auto held = value->message.as_bool();
  if (!held) return report_type("a bool");
  *result = *held ? 1 : 0;
  return INTERLOCK_OK;
}

int interlock_value_as_int64(const interlock_value_t *value, int64_t *result) {
  const auto held = value->message.as_int64();
  if (!held) return report_type("an int of 64 bits");
  *result = *held;
  return INTERLOCK_OK;
}

int interlock_value_as_double(const interlock_value_t *value, double *result) {
  const auto held = value->message.as_double();
  if (!held) return report_type("a float");
  *result = *held;
  return INTERLOCK_OK;
}

int interlock_value_as_string(interlock_value_t *value, const char **text, size_t *size) {
  if (!value->text) value->text = value->message.as_utf8();
  if (!value->text) return report_type("a str that UTF-8 can express");
  *text = value->text->c_str();
  *size = value->text->size();
  return INTERLOCK_OK;
}

int interlock_value_as_bytes(const interlock_value_t *value, const void **data, size_t *size) {
  const auto held = value->message.as_bytes();
  if (!held) return report_type("bytes");
  *data = held->data();
  *size = held->size();
  return INTERLOCK_OK;
}

void interlock_value_release(interlock_value_t *value) { delete value; }

}  // extern "C"
