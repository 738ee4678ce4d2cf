// SPDX-License-Identifier: MIT
// Select among channels, with other threads at the same ones.
#include "channel/select.hpp"
#include "channel_fixture.hpp"
#include "lock/parker.hpp"

using namespace interlock;
using interlock::systematic::expect;
using interlock::systematic::RecordedChannel;
using interlock::systematic::Run;
using Kind = interlock::test::Operation::Kind;

namespace {

/// Receives from one of the channels; records it. The code of select.
Code receive_from(Run &run, std::vector<RecordedChannel *> channels, int thread, bool biased,
                  Deadline deadline = Deadline::never(), bool *from_first = nullptr) {
  std::vector<Message> messages(channels.size());
  std::vector<SelectCase> cases;
  for (std::size_t i = 0; i < channels.size(); ++i)
    cases.push_back({&channels[i]->channel(), Channel::Direction::kReceive, &messages[i], {}});
  const std::int64_t begin = run.stamp();
  std::size_t index = 0;
  const Status status = select_until(cases, biased, deadline, index);
  for (std::size_t i = 0; i < channels.size(); ++i)
    expect(messages[i].empty() == !(status.ok() && i == index), "only the case of index was done");
  if (from_first != nullptr) *from_first = status.ok() && index == 0;
  if (status.ok())
    channels[index]->note_select(thread, Kind::kReceive, RecordedChannel::value_of(messages[index]),
                                 begin);
  return status.code();
}

/// Two channels, a sender to each; a select over both, and a receiver from the first, who together
/// receive all that is sent.
void select_beside_receiver(Run &run, std::size_t first, std::size_t second) {
  RecordedChannel a(run, first, 4);
  RecordedChannel b(run, second, 4);
  run.thread([&] {
    for (int i = 0; i < 3; ++i) expect(a.send(0, i) == Code::kOk, "it is sent");
  });
  run.thread([&] { expect(b.send(1, 100) == Code::kOk, "it is sent"); });
  run.thread([&] {
    for (int i = 0; i < 2; ++i)
      expect(receive_from(run, {&a, &b}, 2, false) == Code::kOk, "one is received");
  });
  run.thread([&] { expect(a.recv(3) == Code::kOk, "it is received"); });
  run.go();
  while (b.try_recv(3) == Code::kOk || a.try_recv(3) == Code::kOk) continue;
  a.check();
  b.check();
}

SCENARIO(select_over_rings, kWhenIdle, 2) { select_beside_receiver(run, 2, 1); }
SCENARIO(select_over_ring_and_chain, kWhenIdle, 2) { select_beside_receiver(run, 2, SIZE_MAX); }

/// A select that was chosen by one channel and leaves, at its deadline or for another channel, does
/// not keep that wake-up from the plain receiver beside it.
void leave_chosen(Run &run, std::size_t capacity, bool has_deadline) {
  RecordedChannel a(run, capacity, 4);
  RecordedChannel b(run, capacity, 4);
  run.thread([&] { expect(a.send(0, 1) == Code::kOk, "it is sent"); });
  run.thread([&] {
    if (!has_deadline) expect(b.send(1, 100) == Code::kOk, "it is sent");
  });
  run.thread([&] {
    const Deadline deadline = has_deadline ? Deadline::after_ns(30'000) : Deadline::never();
    bool from_a = false;
    const Code code = receive_from(run, {&a, &b}, 2, true, deadline, &from_a);
    expect(code == Code::kOk || (has_deadline && code == Code::kETIMEDOUT),
           "received, or timed out");
    // If it took the one of a, the receiver there gets another.
    if (from_a) expect(a.send(2, 2) == Code::kOk, "it is sent");
  });
  run.thread([&] { expect(a.recv(3) == Code::kOk, "it is received"); });
  run.go();
  while (b.try_recv(3) == Code::kOk || a.try_recv(3) == Code::kOk) continue;
  a.check();
  b.check();
}

SCENARIO(a_chosen_select_leaves_for_another_channel, kWhenIdle, 3) { leave_chosen(run, 2, false); }
SCENARIO(a_chosen_select_times_out, kAnyTime, 2) { leave_chosen(run, 2, true); }

/// Two selects in the same two queues: a notification passes over the one chosen elsewhere.
void select_beside_select(Run &run, std::size_t capacity) {
  RecordedChannel a(run, capacity, 4);
  RecordedChannel b(run, capacity, 4);
  run.thread([&] { expect(a.send(0, 1) == Code::kOk, "it is sent"); });
  run.thread([&] { expect(b.send(1, 100) == Code::kOk, "it is sent"); });
  for (int thread = 2; thread < 4; ++thread) {
    run.thread([&, thread] {
      expect(receive_from(run, {&a, &b}, thread, thread == 2) == Code::kOk, "one is received");
    });
  }
  run.go();
  a.check();
  b.check();
}

SCENARIO(two_selects_over_rings, kWhenIdle, 2) { select_beside_select(run, 1); }
SCENARIO(two_selects_over_rendezvous, kWhenIdle, 2) { select_beside_select(run, 0); }
SCENARIO(two_selects_over_chains, kWhenIdle, 2) { select_beside_select(run, SIZE_MAX); }

/// Selects that send to one another through rendezvous: each sends here or receives there.
SCENARIO(selects_meet_each_other, kWhenIdle, 2) {
  RecordedChannel a(run, 0, 2);
  RecordedChannel b(run, 0, 2);
  for (int thread = 0; thread < 2; ++thread) {
    run.thread([&, thread] {
      RecordedChannel &out = thread == 0 ? a : b;
      RecordedChannel &in = thread == 0 ? b : a;
      Message sent = Message::from_int64(thread);
      Message received;
      SelectCase cases[] = {{&out.channel(), Channel::Direction::kSend, &sent, {}},
                            {&in.channel(), Channel::Direction::kReceive, &received, {}}};
      const std::int64_t begin = run.stamp();
      std::size_t index = 0;
      expect(select_until(cases, thread == 0, Deadline::never(), index).ok(), "they meet");
      expect(sent.empty() == (index == 0) && received.empty() == (index == 0), "one case was done");
      if (index == 0) {
        out.note_select(thread, Kind::kSend, thread, begin);
      } else {
        in.note_select(thread, Kind::kReceive, RecordedChannel::value_of(received), begin);
      }
    });
  }
  run.go();
  a.check();
  b.check();
}

/// A select that sends to two full rings.
SCENARIO(select_sends_where_there_is_room, kWhenIdle, 2) {
  RecordedChannel a(run, 1, 3);
  RecordedChannel b(run, 1, 3);
  expect(a.send(0, 1) == Code::kOk && b.send(0, 2) == Code::kOk, "there is room");
  for (int thread = 0; thread < 2; ++thread) {
    run.thread([&, thread] {
      for (int i = 0; i < 2; ++i) {
        Message messages[] = {Message::from_int64(100 * thread + 10 + i),
                              Message::from_int64(100 * thread + 10 + i)};
        SelectCase cases[] = {{&a.channel(), Channel::Direction::kSend, &messages[0], {}},
                              {&b.channel(), Channel::Direction::kSend, &messages[1], {}}};
        const std::int64_t begin = run.stamp();
        std::size_t index = 0;
        expect(select_until(cases, false, Deadline::never(), index).ok(), "there comes room");
        (index == 0 ? a : b).note_select(thread, Kind::kSend, 100 * thread + 10 + i, begin);
      }
    });
  }
  run.thread([&] {
    for (int i = 0; i < 4; ++i) expect(receive_from(run, {&a, &b}, 2, false) == Code::kOk, "came");
  });
  run.go();
  while (b.try_recv(2) == Code::kOk || a.try_recv(2) == Code::kOk) continue;
  a.check();
  b.check();
}

/// Closing one of the channels ends a select, and a timer does.
SCENARIO(select_ends_by_close, kWhenIdle, 3) {
  RecordedChannel a(run, 1, 2);
  RecordedChannel b(run, SIZE_MAX, 2);
  run.thread([&] {
    expect(receive_from(run, {&a, &b}, 0, false) == Code::kECLOSED, "one of them is closed");
  });
  run.thread([&] { b.channel().close(); });
  run.go();
}

SCENARIO(select_ends_by_timer_or_message, kAnyTime, 3) {
  RecordedChannel a(run, 1, 2);
  run.thread([&] {
    Message message;
    SelectCase cases[] = {
        {&a.channel(), Channel::Direction::kReceive, &message, {}},
        {nullptr, Channel::Direction::kReceive, nullptr, Deadline::after_ns(50'000)}};
    const std::int64_t begin = run.stamp();
    std::size_t index = 0;
    expect(select_until(cases, false, Deadline::never(), index).ok(), "message or timer");
    expect(message.empty() == (index == 1), "the case of index was done");
    if (index == 0) a.note_select(0, Kind::kReceive, RecordedChannel::value_of(message), begin);
  });
  run.thread([&] { expect(a.send(1, 7) == Code::kOk, "there is room"); });
  run.go();
  (void)a.try_recv(0);
  a.check();
}

}  // namespace
