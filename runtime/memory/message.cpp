// SPDX-License-Identifier: MIT
// Messages of one plain value, made and read without Python.
#include "memory/message.hpp"

#include <bit>
#include <cstdlib>
#include <cstring>

#include "base/check.hpp"
#include "memory/arena.hpp"
#include "memory/message_builder.hpp"
#include "memory/message_format.hpp"

namespace interlock {
namespace {

Message taken_from(MessageBuilder &builder) {
  Message message;
  CHECK(builder.take(message));  // there is memory
  return message;
}

Message with_data(Tag tag, std::uint64_t operand, const void *data, std::size_t size) {
  MessageBuilder builder;
  builder.put_data(make_header(tag, operand), data, size);
  return taken_from(builder);
}

Message with_shared(Tag tag, Ref<Shared> shared) {
  MessageBuilder builder;
  builder.put(make_header(tag));
  builder.shared.push_back(std::move(shared));
  return taken_from(builder);
}

bool is_ascii(std::string_view text) {
  for (const char each : text) {
    if (static_cast<unsigned char>(each) >= 0x80) return false;
  }
  return true;
}

/// Decodes one code point of valid UTF-8 at `place` and moves on.
char32_t next_code_point(std::string_view text, std::size_t &place) {
  const auto first = static_cast<unsigned char>(text[place++]);
  if (first < 0x80) return first;
  int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  char32_t point = first & (0x3f >> more);
  for (; more != 0 && place < text.size(); --more)
    point = point << 6 | (static_cast<unsigned char>(text[place++]) & 0x3f);
  return point;
}

/// False for a surrogate, which UTF-8 cannot express.
bool append_utf8(std::string &text, char32_t point) {
  if (point >= 0xd800 && point < 0xe000) return false;
  if (point < 0x80) {
    text += static_cast<char>(point);
    return true;
  }
  const int more = point >= 0x10000 ? 3 : point >= 0x800 ? 2 : 1;
  constexpr unsigned char kLead[] = {0, 0xc0, 0xe0, 0xf0};
  text += static_cast<char>(kLead[more] | point >> (6 * more));
  for (int i = more; i-- > 0;) text += static_cast<char>(0x80 | (point >> (6 * i) & 0x3f));
  return true;
}

const void *object_at(std::uint64_t address) noexcept {
  return reinterpret_cast<const void *>(static_cast<std::uintptr_t>(address));
}

template <typename Unit>
std::optional<std::string> to_utf8(const std::uint64_t *data, std::size_t count) {
  std::string text;
  const auto *const bytes = reinterpret_cast<const unsigned char *>(data);
  for (std::size_t i = 0; i < count; ++i) {
    Unit unit;
    std::memcpy(&unit, bytes + i * sizeof unit, sizeof unit);
    if (!append_utf8(text, unit)) return std::nullopt;
  }
  return text;
}

}  // namespace

void Message::destroy_owned() noexcept {
  if (is_frozen()) {
    ArenaMemory::of(object_at(operand_of(header())))->release();
    return;
  }
  Body *const owned = const_cast<Body *>(body());
  owned->~Body();
  std::free(owned);
}

Contents Message::contents() const noexcept {
  Contents contents;
  if (is_frozen()) contents[Tier::kShared] = {.messages = 1, .objects = 1};
  if (body() == nullptr) return contents;
  const Tag tag = tag_of(header());
  Tier tier = tier_of(tag);
  std::uint64_t copied = std::uint64_t{body()->objects} - body()->rebuilt;
  for (const Ref<Shared> &each : body()->shared()) {
    const Shared::Weight weight = each->weight();
    contents[weight.tier].objects += weight.objects;
    contents[weight.tier].bytes += weight.bytes;
    --copied;
    if (tag == Tag::kShared) tier = weight.tier;
  }
  contents[Tier::kCopied].objects += copied;
  contents[Tier::kCopied].bytes += body()->size * sizeof(std::uint64_t);
  contents[Tier::kRebuilt].objects += body()->rebuilt;
  ++contents[tier].messages;
  return contents;
}

Message Message::from_frozen(const void *object, ArenaMemory &memory) noexcept {
  memory.retain();
  return adopt_frozen(object);
}

Message Message::copy() const noexcept {
  if (is_frozen()) {
    const void *const object = object_at(operand_of(header()));
    return from_frozen(object, *ArenaMemory::of(object));
  }
  if (body() == nullptr) return Message(word_);
  const std::uint64_t *const words = body()->words();
  MessageBuilder builder;
  builder.put_data(words[0], words + 1, (body()->size - 1) * sizeof(std::uint64_t));
  builder.shared.assign(body()->shared().begin(), body()->shared().end());
  builder.plain_containers = body()->plain_containers;
  builder.objects = body()->objects;
  builder.rebuilt = body()->rebuilt;
  builder.is_flat = body()->is_flat;
  Message message;
  return builder.take(message) ? std::move(message) : Message();
}

Message Message::from_none() { return from_header(make_header(Tag::kNone)); }

Message Message::from_bool(bool value) {
  return from_header(make_header(value ? Tag::kTrue : Tag::kFalse));
}

Message Message::from_large_int(std::int64_t value) {
  const auto word = static_cast<std::uint64_t>(value);
  if (value < kSmallestInt || value > kLargestInt)
    return with_data(Tag::kBigInt, sizeof word, &word, sizeof word);
  return with_data(Tag::kInt, word, nullptr, 0);
}

Message Message::from_double(double value) {
  return with_data(Tag::kFloat, 0, &value, sizeof value);
}

Message Message::from_bytes(std::string_view bytes) {
  return with_data(Tag::kBytes, bytes.size(), bytes.data(), bytes.size());
}

Message Message::from_utf8(std::string_view utf8) {
  if (is_ascii(utf8)) return with_data(Tag::kAscii, utf8.size(), utf8.data(), utf8.size());
  std::u32string points;
  for (std::size_t place = 0; place < utf8.size();) points += next_code_point(utf8, place);
  return with_data(Tag::kUcs4, points.size(), points.data(), 4 * points.size());
}

Message Message::from_shared(Ref<Shared> shared) {
  return with_shared(Tag::kShared, std::move(shared));
}

Message Message::from_moved(Ref<Shared> graph) {
  return with_shared(Tag::kMoved, std::move(graph));
}

Message::Type Message::type() const noexcept {
  if (empty()) return Type::kEmpty;
  switch (tag_of(header())) {
    case Tag::kNone:
      return Type::kNone;
    case Tag::kTrue:
    case Tag::kFalse:
      return Type::kBool;
    case Tag::kInt:
    case Tag::kBigInt:
      return Type::kInt;
    case Tag::kFloat:
      return Type::kFloat;
    case Tag::kAscii:
    case Tag::kLatin1:
    case Tag::kUcs2:
    case Tag::kUcs4:
      return Type::kStr;
    case Tag::kBytes:
      return Type::kBytes;
    default:
      return Type::kOther;
  }
}

const std::uint64_t *Message::data() const noexcept {
  static constexpr std::uint64_t kNothing = 0;
  return is_inline() ? &kNothing : body()->words() + 1;
}

std::optional<bool> Message::as_bool() const noexcept {
  if (type() != Type::kBool) return std::nullopt;
  return tag_of(header()) == Tag::kTrue;
}

std::optional<std::int64_t> Message::as_large_int() const noexcept {
  if (type() != Type::kInt) return std::nullopt;
  if (tag_of(header()) == Tag::kInt) return signed_operand_of(header());
  if (operand_of(header()) > 8) return std::nullopt;
  return static_cast<std::int64_t>(body()->words()[1]);
}

std::optional<double> Message::as_double() const noexcept {
  if (type() != Type::kFloat) return std::nullopt;
  return std::bit_cast<double>(body()->words()[1]);
}

std::optional<std::string> Message::as_utf8() const {
  if (type() != Type::kStr) return std::nullopt;
  const auto count = static_cast<std::size_t>(operand_of(header()));
  switch (tag_of(header())) {
    case Tag::kUcs2:
      return to_utf8<std::uint16_t>(data(), count);
    case Tag::kUcs4:
      return to_utf8<std::uint32_t>(data(), count);
    default:
      return to_utf8<std::uint8_t>(data(), count);
  }
}

std::optional<std::string_view> Message::as_bytes() const noexcept {
  if (type() != Type::kBytes) return std::nullopt;
  return std::string_view(reinterpret_cast<const char *>(data()),
                          static_cast<std::size_t>(operand_of(header())));
}

std::size_t Message::size() const noexcept {
  if (body() == nullptr) return sizeof *this;
  return sizeof *this + sizeof(Body) + body()->size * sizeof(std::uint64_t) +
         body()->shared().size() * sizeof(Ref<Shared>);
}

}  // namespace interlock
