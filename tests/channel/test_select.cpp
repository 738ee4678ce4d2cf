// SPDX-License-Identifier: MIT
#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "channel/select.hpp"
#include "channels.hpp"

using namespace interlock;

namespace {

constexpr auto kSend = Channel::Direction::kSend;
constexpr auto kReceive = Channel::Direction::kReceive;

SelectCase timer(std::int64_t ns) { return {.at = Deadline::after_ns(ns)}; }

}  // namespace

Test(select, does_the_first_possible_case, .timeout = kLimit) {
  const auto a = create(1);
  const auto b = create(1);
  cr_assert(send_int(*b, 5).ok());
  Message in;
  SelectCase cases[] = {{a.get(), kReceive, &in}, {b.get(), kReceive, &in}};
  std::size_t index = 9;
  cr_assert(select_until(cases, false, Deadline::never(), index).ok());
  cr_assert_eq(index, 1);
  cr_assert_eq(*in.as_int64(), 5);
  cr_assert(try_select(cases, false, index).code() == Code::kEEMPTY);
}

Test(select, biased_takes_the_first_and_rotating_takes_turns, .timeout = kLimit) {
  const auto a = create(8);
  const auto b = create(8);
  for (int i = 0; i < 8; ++i) {
    cr_assert(send_int(*a, 0).ok());
    cr_assert(send_int(*b, 1).ok());
  }
  Message in;
  SelectCase cases[] = {{a.get(), kReceive, &in}, {b.get(), kReceive, &in}};
  std::size_t index = 9;
  for (int i = 0; i < 4; ++i) {
    cr_assert(select_until(cases, true, Deadline::never(), index).ok());
    cr_assert_eq(index, 0);
  }
  std::set<std::size_t> seen;
  for (int i = 0; i < 2; ++i) {
    cr_assert(select_until(cases, false, Deadline::never(), index).ok());
    seen.insert(index);
  }
  cr_assert_eq(seen.size(), 2);
}

Test(select, waits_for_a_sender_on_any_kind_of_channel, .timeout = kLimit) {
  for (const std::size_t capacity : kEveryKind) {
    const auto quiet = create(1);
    const auto channel = create(capacity);
    std::thread sender([&] {
      for (int i = 0; i < 300; ++i) cr_assert(send_int(*channel, i).ok());
    });
    for (int i = 0; i < 300; ++i) {
      Message in;
      SelectCase cases[] = {{quiet.get(), kReceive, &in}, {channel.get(), kReceive, &in}};
      std::size_t index = 9;
      cr_assert(select_until(cases, false, Deadline::never(), index).ok());
      cr_assert_eq(index, 1);
      cr_assert_eq(*in.as_int64(), i);
    }
    sender.join();
  }
}

Test(select, two_selects_meet_in_a_rendezvous, .timeout = kLimit) {
  const auto there = create(0);
  const auto back = create(0);
  std::thread other([&] {
    for (int i = 0; i < 2000;) {
      Message in;
      Message out = Message::from_int64(i);
      SelectCase cases[] = {{there.get(), kReceive, &in}, {back.get(), kSend, &out}};
      std::size_t index = 9;
      cr_assert(select_until(cases, false, Deadline::never(), index).ok());
      ++i;
    }
    there->close();
    back->close();
  });
  int met = 0;
  for (;;) {
    Message in;
    Message out = Message::from_int64(1);
    SelectCase cases[] = {{there.get(), kSend, &out}, {back.get(), kReceive, &in}};
    std::size_t index = 9;
    if (!select_until(cases, false, Deadline::never(), index).ok()) break;
    ++met;
  }
  other.join();
  cr_assert_eq(met, 2000);
}

Test(select, does_not_meet_itself, .timeout = kLimit) {
  const auto channel = create(0);
  Message in;
  Message out = Message::from_int64(1);
  SelectCase cases[] = {{channel.get(), kSend, &out}, {channel.get(), kReceive, &in}};
  std::size_t index = 9;
  cr_assert(select_until(cases, false, Deadline::after_ns(3'000'000), index).code() ==
            Code::kETIMEDOUT);
  cr_assert(!out.empty());
}

Test(select, names_the_closed_channel, .timeout = kLimit) {
  for (const std::size_t capacity : kEveryKind) {
    const auto open = create(1);
    const auto closing = create(capacity);
    std::thread closer([&] { closing->close(); });
    Message in;
    SelectCase cases[] = {{open.get(), kReceive, &in}, {closing.get(), kReceive, &in}};
    std::size_t index = 9;
    cr_assert(select_until(cases, false, Deadline::never(), index).code() == Code::kECLOSED);
    cr_assert_eq(index, 1);
    closer.join();
  }
}

Test(select, a_send_does_what_the_policy_says, .timeout = kLimit) {
  for (const std::size_t capacity : {0U, 1U}) {
    const auto full = create(capacity, Channel::Policy::kRefuse);
    const auto other = create(1);
    if (capacity != 0) cr_assert(send_int(*full, 1).ok());
    Message in;
    Message out = Message::from_int64(2);
    SelectCase cases[] = {{other.get(), kReceive, &in}, {full.get(), kSend, &out}, timer(1'000)};
    std::size_t index = 9;
    for (int i = 0; i < 3; ++i) {  // wherever it begins
      cr_assert(select_until({cases, 2}, false, Deadline::never(), index).code() == Code::kEFULL);
      cr_assert_eq(index, 1);
      cr_assert(try_select({cases, 2}, false, index).code() == Code::kEFULL);
    }
    cr_assert_eq(*out.as_int64(), 2, "a refused message is left with its sender");
    while (!cases[2].at.passed()) std::this_thread::yield();
    cr_assert(select_until(cases, false, Deadline::never(), index).ok());
    cr_assert_eq(index, 2, "what is possible comes first");
  }
}

Test(select, timers_are_cases_and_deadlines_are_not, .timeout = kLimit) {
  const auto channel = create(1);
  Message in;
  SelectCase cases[] = {{channel.get(), kReceive, &in}, timer(3'000'000)};
  std::size_t index = 9;
  cr_assert(select_until(cases, false, Deadline::never(), index).ok());
  cr_assert_eq(index, 1);
  cr_assert(select_until({cases, 1}, false, Deadline::after_ns(3'000'000), index).code() ==
            Code::kETIMEDOUT);
  cr_assert(select_until({}, false, Deadline::after_ns(1'000), index).code() == Code::kETIMEDOUT);
  cr_assert(select_until({}, false, Deadline::never(), index).code() == Code::kEINVAL);
}

Test(select, an_interrupt_ends_it_and_leaves_nothing_behind, .timeout = kLimit) {
  const auto a = create(1);
  const auto b = create(0);
  std::atomic<Parker *> parker{nullptr};
  Status status;
  std::thread selecting([&] {
    parker = &Parker::current();
    Message in;
    SelectCase cases[] = {{a.get(), kReceive, &in}, {b.get(), kReceive, &in}};
    std::size_t index = 9;
    status = select_until(cases, false, Deadline::never(), index);
  });
  while (parker == nullptr) std::this_thread::yield();
  parker.load()->interrupt();
  selecting.join();
  cr_assert(status.code() == Code::kEINTERRUPTED);
  Message message = Message::from_int64(1);
  cr_assert(b->try_send(message).code() == Code::kEFULL, "nobody waits there any more");
}

Test(select, many_of_them_lose_and_double_nothing, .timeout = kLimit) {
  constexpr std::int64_t kEach = 10'000;
  for (const std::size_t capacity : kEveryKind) {
    const Ref<Channel> channels[] = {create(capacity), create(capacity), create(2)};
    std::atomic<std::int64_t> sum{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        for (std::int64_t i = 1; i <= kEach; ++i) {
          Message out = Message::from_int64(i);
          SelectCase cases[] = {{channels[0].get(), kSend, &out},
                                {channels[1].get(), kSend, &out},
                                {channels[2].get(), kSend, &out}};
          std::size_t index = 9;
          cr_assert(select_until(cases, false, Deadline::never(), index).ok());
        }
      });
    }
    std::vector<std::thread> receivers;
    for (int t = 0; t < 2; ++t) {
      receivers.emplace_back([&] {
        for (bool open = true; open;) {
          Message in;
          SelectCase cases[] = {{channels[0].get(), kReceive, &in},
                                {channels[1].get(), kReceive, &in},
                                {channels[2].get(), kReceive, &in}};
          std::size_t index = 9;
          open = select_until(cases, true, Deadline::never(), index).ok();
          if (open) sum += *in.as_int64();
        }
      });
    }
    for (auto &thread : threads) thread.join();
    for (const auto &channel : channels) {
      while (channel->size() != 0) std::this_thread::yield();
    }
    for (const auto &channel : channels) channel->close();
    for (auto &receiver : receivers) receiver.join();
    cr_assert_eq(sum.load(), kEach * (kEach + 1));
  }
}
