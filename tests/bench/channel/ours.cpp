// SPDX-License-Identifier: MIT
// interlock's Channel from C++. This is the one place of the benchmarks that knows its interface.
#include <array>
#include <span>

#include "channel/channel.hpp"
#include "harness.hpp"
#include "lock/parker.hpp"
#if __has_include("channel/select.hpp")
#include "channel/select.hpp"
#endif

using namespace interlock;

namespace {

/// Old: only bounded, made by make_ref.  New: Channel::create.
template <typename C>
concept HasCreate = requires { C::create(std::size_t{1}); };

template <typename C>
Ref<C> make_channel(std::size_t capacity) {
  if constexpr (HasCreate<C>) {
    return C::create(capacity == bench::kUnbounded ? C::kUnbounded : capacity).value();
  } else {
    return make_ref<C>(capacity);
  }
}

template <typename C>
class Queue {
 public:
  static bool can(std::size_t capacity) {
    return HasCreate<C> || (capacity != 0 && capacity != bench::kUnbounded);
  }
  static void sleep_at_once() { Parker::current().set_ladder(Parker::Ladder::kSleep); }

  explicit Queue(std::size_t capacity) : channel_(make_channel<C>(capacity)) {}

  void send(std::uint64_t number) {
    Message message = Message::from_int64(static_cast<std::int64_t>(number));
    done(channel_->send_until(message, Deadline::never()));
  }

  std::uint64_t recv() {
    Message message;
    done(channel_->recv_until(message, Deadline::never()));
    return value(message);
  }

  void send_many(std::uint64_t first, std::size_t count)
    requires requires(C &channel, std::span<Message> messages, std::size_t &sent) {
      (void)channel.send_many_until(messages, sent, Deadline::never());
    }
  {
    std::array<Message, bench::kBatch> messages;
    for (std::size_t i = 0; i < count; ++i)
      messages[i] = Message::from_int64(static_cast<std::int64_t>(first + i));
    std::size_t sent = 0;
    done(channel_->send_many_until(std::span(messages.data(), count), sent, Deadline::never()));
  }

  /// The sum of what it took, which is `taken` messages.
  std::uint64_t recv_many(std::size_t most, std::uint64_t &taken)
    requires requires(C &channel, std::span<Message> messages, std::size_t &received) {
      (void)channel.recv_many_until(messages, received, Deadline::never());
    }
  {
    std::array<Message, bench::kBatch> messages;
    std::size_t received = 0;
    done(channel_->recv_many_until(std::span(messages.data(), most), received, Deadline::never()));
    taken = received;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < received; ++i) sum += value(messages[i]);
    return sum;
  }

 private:
  static void done(const Status &status) { bench::check(status.ok(), "a status of the channel"); }
  static std::uint64_t value(const Message &message) {
    return static_cast<std::uint64_t>(message.as_int64().value_or(0));
  }

  Ref<C> channel_;
};

}  // namespace

int main(int argc, char **argv) {
  return bench::run_main<Queue<Channel>>("interlock", argc, argv);
}
