// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <cstdint>
#include <limits>
#include <string>

#include "memory/message.hpp"
#include "memory/message_builder.hpp"

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

Test(message_builder, takes_all_words_of_a_message_of_any_length) {
  interlock::MessageBuilder builder;
  for (const std::size_t count : {2, 63, 64, 65, 511, 512, 513, 100'000, 3}) {
    for (std::size_t i = 0; i < count; ++i) builder.put(i);
    Message message;
    cr_assert(builder.take(message));
    cr_assert_eq(message.body()->size, count);
    for (std::size_t i = 0; i < count; ++i) cr_assert_eq(message.body()->words()[i], i);
    cr_assert_eq(builder.size(), 0);
  }
}

Test(message_builder, data_is_padded_to_whole_words) {
  const std::string data(1001, 'x');
  interlock::MessageBuilder builder;
  for (const std::size_t size : {0, 1, 7, 8, 9, 1001}) builder.put_data(size, data.data(), size);
  builder.put(7);
  Message message;
  cr_assert(builder.take(message));
  const std::uint64_t *next = message.body()->words();
  for (const std::size_t size : {0, 1, 7, 8, 9, 1001}) {
    cr_assert_eq(*next++, size);
    const std::string_view bytes(reinterpret_cast<const char *>(next), size);
    cr_assert(bytes == std::string_view(data).substr(0, size));
    next += interlock::words_for(size);
  }
  cr_assert_eq(*next, 7);
}

Test(message_builder, a_single_record_needs_no_memory) {
  interlock::MessageBuilder builder;
  builder.put(interlock::make_header(interlock::Tag::kNone));
  Message message;
  cr_assert(builder.take(message));
  cr_assert(message.is_inline());
}

Test(message_builder, want_of_memory_shows_at_the_end) {
  interlock::MessageBuilder builder;
  builder.put(1);
  const volatile std::size_t far_too_much = SIZE_MAX / 2;
  cr_assert_null(builder.put_room(2, far_too_much));
  for (int i = 0; i < 1000; ++i) builder.put(3);
  Message message;
  cr_assert(!builder.take(message));
  cr_assert(message.empty());
  builder.clear();
  builder.put(4);
  builder.put(5);
  cr_assert(builder.take(message));
  cr_assert_eq(message.body()->size, 2);
}
