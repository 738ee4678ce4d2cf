// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <cstdint>
#include <limits>

#include "memory/message.hpp"

using interlock::Message;

Test(message, an_empty_one_carries_nothing) {
  const Message message;
  cr_assert(message.empty());
  cr_assert(message.type() == Message::Type::kEmpty);
  cr_assert(!message.as_int64());
}

Test(message, integers_of_64_bits_come_back) {
  const std::int64_t one = 1;
  for (int bit = 0; bit < 63; ++bit) {
    for (const std::int64_t value : {one << bit, -(one << bit), (one << bit) - 1}) {
      const Message message = Message::from_int64(value);
      cr_assert(message.type() == Message::Type::kInt);
      cr_assert_eq(*message.as_int64(), value);
    }
  }
  const auto lowest = std::numeric_limits<std::int64_t>::min();
  cr_assert_eq(*Message::from_int64(lowest).as_int64(), lowest);
}

Test(message, each_type_is_read_only_as_itself) {
  cr_assert(*Message::from_bool(true).as_bool());
  cr_assert(!*Message::from_bool(false).as_bool());
  cr_assert(!Message::from_int64(1).as_bool());
  cr_assert(!Message::from_bool(true).as_int64());
  cr_assert_eq(*Message::from_double(-0.5).as_double(), -0.5);
  cr_assert(!Message::from_double(1).as_int64());
  cr_assert(Message::from_none().type() == Message::Type::kNone);
  cr_assert(!Message::from_utf8("a").as_bytes());
  cr_assert(!Message::from_bytes("a").as_utf8());
}

Test(message, text_of_every_width_comes_back) {
  for (const char *text :
       {"", "plain", "\xc3\xa4\xc3\xb6", "\xe6\x97\xa5\xe6\x9c\xac", "a\xf0\x9f\x98\x80z"}) {
    const Message message = Message::from_utf8(text);
    cr_assert(message.type() == Message::Type::kStr);
    cr_assert(*message.as_utf8() == text);
  }
}

Test(message, bytes_may_hold_anything) {
  const std::string_view data("\0\xff\0x", 4);
  cr_assert(*Message::from_bytes(data).as_bytes() == data);
  cr_assert(Message::from_bytes({}).as_bytes()->empty());
}
