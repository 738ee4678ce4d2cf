// SPDX-License-Identifier: MIT
// How channels end without close(): with the last Sender, or by cancel().
#include <vector>

#include "channel/channel.hpp"
#include "channel/sender.hpp"
#include "channel_fixture.hpp"

using namespace interlock;
using interlock::systematic::expect;
using interlock::systematic::RecordedChannel;
using interlock::systematic::Run;
using Kind = interlock::test::Operation::Kind;

namespace {

/// Two threads send and drop their Sender; receivers take all, then learn that nobody is left.
void drop_senders(Run &run, std::size_t capacity, std::vector<int> sends) {
  RecordedChannel channel(run, capacity, 4);
  std::vector<Ref<Sender>> senders;
  for (std::size_t i = 0; i < sends.size(); ++i)
    senders.push_back(make_ref<Sender>(Ref<Channel>(&channel.channel())));
  for (int thread = 0; thread < 2; ++thread) {
    run.thread([&, thread] {
      const auto index = static_cast<std::size_t>(thread);
      for (int i = 0; i < sends[index]; ++i)
        expect(channel.send(thread, 100 * thread + i) == Code::kOk, "its Sender keeps it open");
      senders[index] = Ref<Sender>();
    });
  }
  for (int thread = 2; thread < 4; ++thread) {
    run.thread([&, thread] {
      Code code;
      while ((code = channel.recv(thread)) == Code::kOk) continue;
      expect(code == Code::kECLOSED, "nothing else ends this wait");
    });
  }
  run.go();
  channel.check();
  expect(channel.channel().closed(), "the last Sender closed it");
}

SCENARIO(sender_the_last_one_ends_receives_from_a_ring, kWhenIdle, 2) {
  drop_senders(run, 1, {0, 2});
}
SCENARIO(sender_the_last_one_ends_receives_from_a_rendezvous, kWhenIdle, 2) {
  drop_senders(run, 0, {1, 1});
}

/// Several threads share one Sender; another sends into the channel itself, which counts for
/// nothing.
SCENARIO(sender_the_last_one_ends_sends_to_a_ring, kWhenIdle, 3) {
  RecordedChannel channel(run, 1, 3);
  std::vector<Ref<Sender>> shared(2, make_ref<Sender>(Ref<Channel>(&channel.channel())));
  for (Ref<Sender> &own : shared) {
    run.thread([&own] {
      const Ref<Sender> last = std::move(own);
      expect(!last->channel().closed(), "its Sender keeps it open");
    });
  }
  run.thread([&] {
    for (int i = 0; i < 2; ++i) {
      const Code code = channel.send(2, i);
      expect(code == Code::kOk || code == Code::kECLOSED, "nothing else ends this wait");
    }
    expect(channel.channel().closed(), "there was no room for the second one");
  });
  run.go();
  while (channel.try_recv(0) == Code::kOk) continue;
  channel.check();
}

/// Cancel meets senders and receivers in the middle of it: each message that was sent is received,
/// or dropped and counted.
void cancel_at_any_time(Run &run, std::size_t capacity) {
  RecordedChannel channel(run, capacity, 3);
  for (int thread = 0; thread < 2; ++thread) {
    run.thread([&, thread] {
      Code code = Code::kOk;
      for (int i = 0; i < 2 && code == Code::kOk; ++i)
        code = channel.send(thread, 100 * thread + i);
      expect(code == Code::kOk || code == Code::kECLOSED, "nothing else ends this wait");
    });
  }
  run.thread([&] {
    Code code;
    while ((code = channel.recv(2)) == Code::kOk) continue;
    expect(code == Code::kECLOSED, "nothing else ends this wait");
  });
  run.thread([&] { channel.channel().cancel(); });
  run.go();
  const Channel::Stats stats = channel.channel().stats();
  expect(stats.sent == channel.count(Kind::kSend), "what was sent is counted");
  expect(stats.received == channel.count(Kind::kReceive), "what was received is counted");
  expect(stats.received + stats.dropped == stats.sent, "the others were dropped");
  expect(channel.channel().size() == 0, "nothing is left");
}

SCENARIO(cancel_of_a_ring_of_one, kWhenIdle, 2) { cancel_at_any_time(run, 1); }
SCENARIO(cancel_of_a_chain, kWhenIdle, 2) { cancel_at_any_time(run, SIZE_MAX); }
SCENARIO(cancel_of_a_rendezvous, kWhenIdle, 2) { cancel_at_any_time(run, 0); }

/// Nobody receives: what the senders leave is gone when cancel() returns or the last of them does.
SCENARIO(cancel_of_a_full_ring, kWhenIdle, 3) {
  RecordedChannel channel(run, 1, 3);
  expect(channel.send(2, 200) == Code::kOk, "there is room");
  for (int thread = 0; thread < 2; ++thread)
    run.thread([&, thread] { (void)channel.send(thread, 100 * thread); });
  run.thread([&] {
    channel.channel().cancel();
    expect(channel.channel().size() == 0, "nothing is left");
  });
  run.go();
  const Channel::Stats stats = channel.channel().stats();
  expect(stats.sent == channel.count(Kind::kSend) && stats.dropped == stats.sent &&
             stats.received == 0,
         "all that was sent was dropped");
}

/// The same where senders drop the oldest: nothing is dropped twice.
SCENARIO(cancel_of_a_ring_that_drops_the_oldest, kWhenIdle, 2) {
  RecordedChannel channel(run, 1, 2, Channel::Policy::kDropOldest);
  for (int thread = 0; thread < 2; ++thread) {
    run.thread([&, thread] {
      for (int i = 0; i < 2; ++i) (void)channel.send(thread, 100 * thread + i);
    });
  }
  run.thread([&] { channel.channel().cancel(); });
  run.go();
  const Channel::Stats stats = channel.channel().stats();
  expect(stats.sent == channel.count(Kind::kSend), "what was sent is counted");
  expect(stats.dropped == stats.sent && stats.received == 0, "all was dropped");
  expect(channel.channel().size() == 0, "nothing is left");
}

}  // namespace
