// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>

#include <string>
#include <thread>

#include "base/atomic.hpp"
#include "platform/thread.hpp"
#include "platform/wait.hpp"

using namespace interlock;

namespace {

constexpr double kLimit = 60;

Thread started(std::size_t stack_bytes, std::function<void()> body) {
  Result<Thread> thread = Thread::start("test", stack_bytes, std::move(body));
  cr_assert(thread.ok());
  return std::move(thread.value());
}

/// Touches about `kibibytes` of stack.
int use_stack(int kibibytes) {
  volatile char page[1024];
  page[0] = static_cast<char>(kibibytes);
  return kibibytes <= 1 ? page[0] : use_stack(kibibytes - 1) + page[0];
}

}  // namespace

Test(thread, runs_its_body_and_is_joined, .timeout = kLimit) {
  int ran = 0;
  Thread thread = started(0, [&] { ++ran; });
  cr_assert(thread.joinable());
  thread.join();
  cr_assert(!thread.joinable());
  cr_assert_eq(ran, 1);
}

Test(thread, can_be_moved, .timeout = kLimit) {
  int ran = 0;
  Thread first = started(0, [&] { ++ran; });
  Thread second = std::move(first);
  cr_assert(!first.joinable());  // NOLINT: what a move leaves is defined here
  first = std::move(second);
  first.join();
  cr_assert_eq(ran, 1);
}

Test(thread, runs_on_when_detached, .timeout = kLimit) {
  static Atomic<std::uint32_t> ran{0};
  Thread thread = started(0, [] {
    ran = 1;
    wake_all(ran);
  });
  thread.detach();
  cr_assert(!thread.joinable());
  while (ran == 0) (void)wait_on_address(ran, 0, Deadline::never());
}

namespace {

std::string order;  // written by one thread at a time

void note(void *text) noexcept { order += static_cast<const char *>(text); }

char first[] = "1";
char second[] = "2";
char third[] = "3";

}  // namespace

Test(thread, calls_what_it_was_asked_to_at_its_end, .timeout = kLimit) {
  started(0, [] {
    call_at_thread_end(note, first);
    call_at_thread_end(note, second);
    order += "0";
  }).join();
  cr_assert_str_eq(order.c_str(), "021");
  std::thread([] { call_at_thread_end(note, third); }).join();
  cr_assert_str_eq(order.c_str(), "0213", "also one that was started elsewhere");
}

Test(thread, must_not_be_lost, .signal = SIGABRT, .timeout = kLimit) {
  const Thread thread = started(0, [] {});
}

Test(thread, has_a_stack_for_recursion_by_default, .timeout = kLimit) {
  int result = -1;
  started(0, [&] { result = use_stack(5 * 1024); }).join();
  cr_assert_neq(result, -1);
}

Test(thread, has_the_stack_it_is_given, .timeout = kLimit) {
  int result = -1;
  started(24u << 20, [&] { result = use_stack(12 * 1024); }).join();
  cr_assert_neq(result, -1);
}

Test(thread, keeps_a_long_name_to_itself, .timeout = kLimit) {
  int ran = 0;
  Result<Thread> thread = Thread::start(std::string(200, 'x'), 0, [&] {
    set_thread_name("");
    ++ran;
  });
  cr_assert(thread.ok());
  thread.value().join();
  cr_assert_eq(ran, 1);
}

Test(thread, leaves_signals_to_other_threads, .timeout = kLimit) {
#ifndef SIGUSR1
  cr_skip("this system has no signals that reach a chosen thread");
#else
  sigset_t in_thread;
  started(0, [&] { pthread_sigmask(SIG_SETMASK, nullptr, &in_thread); }).join();
  cr_assert(sigismember(&in_thread, SIGINT));
  cr_assert(sigismember(&in_thread, SIGUSR1));
  cr_assert(!sigismember(&in_thread, SIGSEGV));
  sigset_t here;
  pthread_sigmask(SIG_SETMASK, nullptr, &here);
  cr_assert(!sigismember(&here, SIGINT), "whoever starts a thread keeps its own mask");
#endif
}

Test(processor, there_is_at_least_one) {
  cr_assert_geq(available_parallelism(), 1u);
  relax_processor();
}

Test(processor, is_known_or_minus_one, .timeout = kLimit) {
  for (int i = 0; i < 1000; ++i) {
    const int processor = current_processor();
    cr_assert_geq(processor, -1);
    cr_assert_lt(processor, 65'536);
  }
}
