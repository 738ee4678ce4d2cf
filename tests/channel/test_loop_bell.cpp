// SPDX-License-Identifier: MIT
#include <uv.h>

#include <thread>
#include <vector>

#include "channel/loop_bell.hpp"
#include "channels.hpp"

using namespace interlock;

namespace {

constexpr auto kSend = Channel::Direction::kSend;
constexpr auto kReceive = Channel::Direction::kReceive;

Ref<LoopBell> create_bell(bool as_socket = false) {
  auto bell = LoopBell::create(as_socket);
  cr_assert(bell.ok());
  return bell.value();
}

/// Receives from a channel in a libuv loop until it is closed.
struct UvReceiver {
  explicit UvReceiver(Ref<Channel> its_channel, bool as_socket)
      : bell(create_bell(as_socket)), channel(std::move(its_channel)) {
    uv_loop_init(&loop);
    // Takes any descriptor, but on Windows, where each bell is a socket.
    uv_poll_init_socket(&loop, &poll, static_cast<uv_os_sock_t>(bell->descriptor()));
    poll.data = this;
    uv_poll_start(&poll, UV_READABLE, [](uv_poll_t *handle, int, int) {
      auto &self = *static_cast<UvReceiver *>(handle->data);
      for (const auto &waiter : self.bell->take()) self.go_on(waiter, waiter->resume());
    });
  }
  ~UvReceiver() { cr_assert_eq(uv_loop_close(&loop), 0); }

  void begin() {
    const auto waiter = make_ref<LoopWaiter>(bell, channel, kReceive, Message());
    pending = waiter;
    go_on(waiter, waiter->start());
  }
  void go_on(const Ref<LoopWaiter> &waiter, Step step) {
    while (step == Step::kBusy) step = waiter->start();
    if (step == Step::kBlocked) return;
    pending = {};
    if (waiter->outcome() == Attempt::kClosed) {
      uv_close(reinterpret_cast<uv_handle_t *>(&poll), nullptr);
      return;
    }
    received.push_back(*waiter->message().as_int64());
    begin();
  }

  uv_loop_t loop;
  uv_poll_t poll;
  const Ref<LoopBell> bell;
  const Ref<Channel> channel;
  Ref<LoopWaiter> pending;
  std::vector<std::int64_t> received;
};

}  // namespace

Test(loop_bell, a_libuv_loop_receives_from_every_kind_of_channel, .timeout = kLimit) {
  for (const bool as_socket : {false, true}) {
    for (const std::size_t capacity : kEveryKind) {
      const auto channel = create(capacity);
      UvReceiver receiver(channel, as_socket);
      std::thread sender([&] {
        for (int i = 0; i < 300; ++i) cr_assert(send_int(*channel, i).ok());
        channel->close();
      });
      receiver.begin();
      uv_run(&receiver.loop, UV_RUN_DEFAULT);
      sender.join();
      cr_assert_eq(receiver.received.size(), 300);
      for (int i = 0; i < 300; ++i) cr_assert_eq(receiver.received[static_cast<std::size_t>(i)], i);
    }
  }
}

Test(loop_bell, sends_when_there_is_room, .timeout = kLimit) {
  const auto bell = create_bell();
  const auto channel = create(1);
  cr_assert(send_int(*channel, 1).ok());
  const auto waiter = make_ref<LoopWaiter>(bell, channel, kSend, Message::from_int64(2));
  cr_assert(waiter->start() == Step::kBlocked);
  cr_assert(bell->take().empty());
  cr_assert_eq(recv_int(*channel), 1);
  const auto chosen = bell->take();
  cr_assert_eq(chosen.size(), 1);
  cr_assert_eq(chosen[0].get(), waiter.get());
  cr_assert(waiter->resume() == Step::kDone);
  cr_assert(waiter->outcome() == Attempt::kDone);
  cr_assert_eq(recv_int(*channel), 2);
}

Test(loop_bell, who_was_chosen_and_gives_up_passes_it_on, .timeout = kLimit) {
  for (const std::size_t capacity : kEveryKind) {
    if (capacity == 0) continue;
    const auto bell = create_bell();
    const auto channel = create(capacity);
    const auto first = make_ref<LoopWaiter>(bell, channel, kReceive, Message());
    const auto second = make_ref<LoopWaiter>(bell, channel, kReceive, Message());
    cr_assert(first->start() == Step::kBlocked);
    cr_assert(second->start() == Step::kBlocked);
    cr_assert(send_int(*channel, 7).ok());
    first->cancel();
    const auto chosen = bell->take();
    cr_assert_eq(chosen.size(), 1, "the one that gave up is not told");
    cr_assert_eq(chosen[0].get(), second.get());
    cr_assert(second->resume() == Step::kDone);
    cr_assert_eq(*second->message().as_int64(), 7);
  }
}

Test(loop_bell, who_is_served_after_it_was_chosen_is_not_told_again, .timeout = kLimit) {
  const auto bell = create_bell();
  const auto channel = create(2);
  const auto waiter = make_ref<LoopWaiter>(bell, channel, kReceive, Message());
  cr_assert(waiter->start() == Step::kBlocked);
  cr_assert(send_int(*channel, 1).ok());
  cr_assert(waiter->resume() == Step::kDone);
  cr_assert(send_int(*channel, 2).ok());
  cr_assert(bell->take().empty());
  cr_assert_eq(recv_int(*channel), 2);
}

Test(loop_bell, it_stands_in_the_queue_once, .timeout = kLimit) {
  for (const std::size_t capacity : kEveryKind) {
    const auto bell = create_bell();
    const auto channel = create(capacity);
    const auto waiter = make_ref<LoopWaiter>(bell, channel, kReceive, Message());
    for (int i = 0; i < 3; ++i) cr_assert(waiter->start() == Step::kBlocked);
    cr_assert(!waiter->is_over());
    std::thread sender([&] { cr_assert(send_int(*channel, 7).ok()); });
    while (bell->take().empty()) std::this_thread::yield();
    Step step = waiter->resume();
    while (step == Step::kBusy) step = waiter->start();
    sender.join();
    cr_assert(waiter->is_over());
    cr_assert(waiter->start() == Step::kDone);
    cr_assert_eq(*waiter->message().as_int64(), 7);
    cr_assert(channel->stats().received == 1);
  }
}

Test(loop_bell, a_receiver_of_a_rendezvous_takes_nothing_before_it_resumes, .timeout = kLimit) {
  const auto bell = create_bell();
  const auto channel = create(0);
  const auto first = make_ref<LoopWaiter>(bell, channel, kReceive, Message());
  const auto second = make_ref<LoopWaiter>(bell, channel, kReceive, Message());
  cr_assert(first->start() == Step::kBlocked);
  cr_assert(second->start() == Step::kBlocked);
  Message message = Message::from_int64(7);
  cr_assert(channel->try_send(message).code() == Code::kEFULL);
  cr_assert(bell->take().empty(), "a send that does not wait tells nobody");
  std::thread sender([&] { cr_assert(send_int(*channel, 7).ok()); });
  while (channel->stats().send_waits == 0) std::this_thread::yield();
  first->cancel();
  auto chosen = bell->take();
  while (chosen.empty()) chosen = bell->take();
  cr_assert_eq(chosen[0].get(), second.get());
  cr_assert(second->resume() == Step::kDone);
  cr_assert_eq(*second->message().as_int64(), 7);
  sender.join();
  cr_assert_eq(channel->stats().received, 1);
}

Test(loop_bell, many_wakes_ring_once_and_all_are_told, .timeout = kLimit) {
  const auto bell = create_bell();
  const auto channel = create(Channel::kUnbounded);
  std::vector<Ref<LoopWaiter>> waiters;
  for (int i = 0; i < 100; ++i) {
    waiters.push_back(make_ref<LoopWaiter>(bell, channel, kReceive, Message()));
    cr_assert(waiters.back()->start() == Step::kBlocked);
  }
  std::vector<std::thread> senders;
  for (int t = 0; t < 4; ++t) {
    senders.emplace_back([&] {
      for (int i = 0; i < 25; ++i) cr_assert(send_int(*channel, i).ok());
    });
  }
  std::size_t served = 0;
  while (served != 100) {
    for (const auto &waiter : bell->take()) {
      Step step = waiter->resume();
      while (step == Step::kBusy) step = waiter->start();
      if (step == Step::kDone) ++served;
    }
  }
  for (auto &sender : senders) sender.join();
  cr_assert_eq(channel->size(), 0);
}

Test(loop_bell, an_end_before_its_time_leaves_no_waiter, .timeout = kLimit) {
  const auto channel = create(1);
  {
    const auto bell = create_bell();
    const auto waiter = make_ref<LoopWaiter>(bell, channel, kReceive, Message());
    cr_assert(waiter->start() == Step::kBlocked);
  }
  cr_assert(send_int(*channel, 3).ok());
  cr_assert_eq(recv_int(*channel), 3);
}
