// SPDX-License-Identifier: MIT
#include <atomic>

#include "lock/queued_wait.hpp"
#include "lock/wait_queue.hpp"
#include "waiting.hpp"

using namespace interlock;

namespace {

class CountingTarget final : public WakeTarget {
 public:
  void wake() noexcept override { ++wakes; }
  std::atomic<int> wakes{0};
};

/// Tokens, and how to wait for one: the least that QueuedWait needs.
struct Tokens {
  Atomic<int> count{0};
  WaitQueue queue;
  std::atomic<int> looks{0};

  struct Source {
    Tokens &tokens;
    Step attempt() {
      ++tokens.looks;
      int count = tokens.count;
      while (count != 0) {
        if (tokens.count.compare_exchange_weak(count, count - 1)) return Step::kDone;
      }
      return Step::kBlocked;
    }
    bool may() { return tokens.count != 0; }
    bool looks_ready() { return may(); }
  };
  Code take(Deadline deadline = Deadline::never()) {
    QueuedWait wait(queue, Source{*this});
    return wait.run(-1, deadline);
  }
  void give() {
    ++count;
    queue.notify_one();
  }
};

}  // namespace

Test(wait_queue, chooses_in_order_of_arrival_and_from_the_front, .timeout = kLimit) {
  WaitQueue queue;
  const auto target = make_ref<CountingTarget>();
  WaitContext contexts[3] = {WaitContext(*target), WaitContext(*target), WaitContext(*target)};
  Waiter first(contexts[0], 5);
  Waiter second(contexts[1], 6);
  Waiter robbed(contexts[2], 7);
  queue.notify_one();  // nobody: nothing happens
  queue.add(first);
  queue.add(second);
  queue.add(robbed, true);
  queue.notify_one();
  cr_assert_eq(contexts[2].choice(), 7);
  cr_assert_eq(contexts[0].choice(), WaitContext::kWaiting);
  queue.notify_one();
  cr_assert_eq(contexts[0].choice(), 5);
  cr_assert(!queue.remove(first), "who was chosen is no longer there");
  cr_assert(queue.remove(second));
  cr_assert(!queue.has_waiters());
  cr_assert_eq(contexts[1].choice(), WaitContext::kWaiting);
  cr_assert_eq(target->wakes.load(), 2);
}

Test(wait_queue, passes_over_who_was_chosen_elsewhere, .timeout = kLimit) {
  WaitQueue left;
  WaitQueue right;
  const auto target = make_ref<CountingTarget>();
  WaitContext selecting(*target);
  WaitContext plain(*target);
  Waiter at_left(selecting, 0);
  Waiter at_right(selecting, 1);
  Waiter behind(plain, 2);
  left.add(at_left);
  right.add(at_right);
  right.add(behind);
  left.notify_one();
  cr_assert_eq(selecting.choice(), 0);
  right.notify_one();
  cr_assert_eq(plain.choice(), 2, "the notification is not swallowed");
  cr_assert(!right.has_waiters());
}

Test(wait_queue, notify_all_reaches_more_than_are_woken_together, .timeout = kLimit) {
  WaitQueue queue;
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (int n = 0; n < 70; ++n) {
    threads.emplace_back([&] {
      WaitContext context;
      Waiter waiter(context);
      queue.add(waiter);
      ++ready;
      while (context.choice() == WaitContext::kWaiting)
        (void)wait_for_choice(context, -1, Deadline::never());
      cr_assert(!queue.remove(waiter));
    });
  }
  wait_for([&] { return ready == 70; });
  queue.notify_all();
  for (auto &thread : threads) thread.join();
  cr_assert(!queue.has_waiters());
}

Test(wait_for_choice, ends_at_its_deadline_and_by_an_interrupt, .timeout = kLimit) {
  WaitContext context;
  cr_assert(wait_for_choice(context, -1, soon()) == WaitResult::kTimedOut);
  Parker::current().interrupt();
  cr_assert(wait_for_choice(context, -1, Deadline::never()) == WaitResult::kInterrupted);
}

Test(queued_wait, a_timed_out_wait_leaves_nothing_behind, .timeout = kLimit) {
  Tokens tokens;
  cr_assert(tokens.take(soon()) == Code::kETIMEDOUT);
  cr_assert(!tokens.queue.has_waiters());
  cr_assert(!tokens.queue.is_starving());
  tokens.give();
  cr_assert(tokens.take() == Code::kOk);
}

// Two tokens and one notification: whoever was chosen tells the next one.
Test(queued_wait, who_was_chosen_passes_on_what_is_left, .timeout = kLimit) {
  Tokens tokens;
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([&] { cr_assert(tokens.take() == Code::kOk); });
  }
  wait_for([&] { return tokens.queue.sleeps() == 4; });
  tokens.count = 4;
  tokens.queue.notify_one();
  for (auto &thread : threads) thread.join();
  cr_assert_eq(tokens.count.load(), 0);
}

Test(queued_wait, newcomers_queue_up_behind_who_starves_and_are_told, .timeout = kLimit) {
  Tokens tokens;
  tokens.count = 1;
  tokens.queue.begin_starving();
  std::thread newcomer([&] { cr_assert(tokens.take() == Code::kOk); });
  wait_for([&] { return tokens.queue.sleeps() == 1; });
  cr_assert_eq(tokens.looks.load(), 0, "it has not even looked");
  tokens.queue.end_starving();
  tokens.queue.notify_one();  // as whoever ends it has to
  newcomer.join();
  cr_assert_eq(tokens.count.load(), 0);
}

Test(queued_wait, who_is_robbed_before_it_slept_does_not_starve, .timeout = kLimit) {
  Tokens tokens;
  // A source whose first look after registering finds a token, which is gone when it is tried.
  struct Source : Tokens::Source {
    int &stage;
    bool may() {
      if (++stage != 1) return false;
      tokens.queue.notify_one();  // chooses this one
      return true;
    }
  };
  int stage = 0;
  QueuedWait wait(tokens.queue, Source{{tokens}, stage});
  cr_assert(wait.run(-1, soon()) == Code::kETIMEDOUT);
  cr_assert_geq(stage, 2);
  cr_assert(!tokens.queue.is_starving());
}
