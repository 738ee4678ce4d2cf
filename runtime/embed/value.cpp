// SPDX-License-Identifier: MIT
// Values of the C ABI. Nothing here needs an interpreter.
#include "embed/value.hpp"

#include <new>
#include <string_view>

#include "embed/error.hpp"
#include "embed/handles.hpp"
#include "interlock.h"
#include "transfer/freeze.hpp"

namespace interlock {
namespace {

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

}  // namespace

Status message_of_text(const char *text, std::size_t size, Message &message) {
  if (text == nullptr && size != 0) return Status(Code::kEINVAL, "text is null");
  const std::string_view view(text != nullptr ? text : "", size);
  if (!is_utf8(view)) return Status(Code::kEINVAL, "text is not UTF-8");
  message = Message::from_utf8(view);
  return {};
}

Status message_of_bytes(const void *data, std::size_t size, Message &message) {
  if (data == nullptr && size != 0) return Status(Code::kEINVAL, "data is null");
  const auto *const bytes = static_cast<const char *>(data);
  message = Message::from_bytes({bytes != nullptr ? bytes : "", size});
  return {};
}

}  // namespace interlock

using namespace interlock;

namespace {

int report_type(const char *wanted) {
  return report(Status(Code::kETYPE, std::string("the value is not ") + wanted));
}

/// What a frozen str, bytes, int or float is by value; any other message is itself.
const Message &readable(const interlock_value &value) {
  if (!value.message.is_frozen()) return value.message;
  if (value.plain.empty()) value.plain = thaw(value.message);
  return value.plain;
}

int create(Message message, interlock_value_t **value) {
  if (value == nullptr) return report(Status(Code::kEINVAL, "value is null"));
  *value = new (std::nothrow) interlock_value{std::move(message), std::nullopt, {}};
  return *value != nullptr ? INTERLOCK_OK : report(Code::kENOMEM);
}

}  // namespace

extern "C" {

int interlock_value_from_none(interlock_value_t **value) {
  return create(Message::from_none(), value);
}

int interlock_value_from_bool(int truth, interlock_value_t **value) {
  return create(Message::from_bool(truth != 0), value);
}

int interlock_value_from_int64(int64_t number, interlock_value_t **value) {
  return create(Message::from_int64(number), value);
}

int interlock_value_from_double(double number, interlock_value_t **value) {
  return create(Message::from_double(number), value);
}

int interlock_value_from_string(const char *text, size_t size, interlock_value_t **value) {
  Message message;
  if (Status status = message_of_text(text, size, message); !status.ok()) return report(status);
  return create(std::move(message), value);
}

int interlock_value_from_bytes(const void *data, size_t size, interlock_value_t **value) {
  Message message;
  if (Status status = message_of_bytes(data, size, message); !status.ok()) return report(status);
  return create(std::move(message), value);
}

interlock_type_t interlock_value_type(const interlock_value_t *value) {
  switch (readable(*value).type()) {
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
  const auto held = readable(*value).as_bool();
  if (!held) return report_type("a bool");
  *result = *held ? 1 : 0;
  return INTERLOCK_OK;
}

int interlock_value_as_int64(const interlock_value_t *value, int64_t *result) {
  const auto held = readable(*value).as_int64();
  if (!held) return report_type("an int of 64 bits");
  *result = *held;
  return INTERLOCK_OK;
}

int interlock_value_as_double(const interlock_value_t *value, double *result) {
  const auto held = readable(*value).as_double();
  if (!held) return report_type("a float");
  *result = *held;
  return INTERLOCK_OK;
}

int interlock_value_as_string(interlock_value_t *value, const char **text, size_t *size) {
  if (!value->text) value->text = readable(*value).as_utf8();
  if (!value->text) return report_type("a str that UTF-8 can express");
  *text = value->text->c_str();
  *size = value->text->size();
  return INTERLOCK_OK;
}

int interlock_value_as_bytes(const interlock_value_t *value, const void **data, size_t *size) {
  const auto held = readable(*value).as_bytes();
  if (!held) return report_type("bytes");
  *data = held->data();
  *size = held->size();
  return INTERLOCK_OK;
}

void interlock_value_release(interlock_value_t *value) { delete value; }

}  // extern "C"
