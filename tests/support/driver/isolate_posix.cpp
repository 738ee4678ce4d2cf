// SPDX-License-Identifier: MIT
// A test's process is a fork of the driver, which has one thread only.
#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver.hpp"

namespace test_driver {
namespace {

volatile sig_atomic_t alarm_rang = 0;

void note_alarm(int) { alarm_rang = 1; }

/// Has SIGALRM end blocking calls after `seconds`, and again and again in case that one was just
/// about to begin; 0 for no more.
void set_alarm(double seconds) {
  struct sigaction action {};
  action.sa_handler = note_alarm;  // without SA_RESTART
  sigaction(SIGALRM, &action, nullptr);
  alarm_rang = 0;
  itimerval timer{};
  timer.it_value.tv_sec = static_cast<time_t>(seconds);
  timer.it_value.tv_usec =
      static_cast<suseconds_t>((seconds - static_cast<double>(timer.it_value.tv_sec)) * 1e6);
  timer.it_interval.tv_usec = 100'000;
  setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace

Outcome run_isolated(const TestCase &test, int number, double seconds) {
  const pid_t child = fork();
  if (child < 0) {
    std::perror("# fork");
    return {Outcome::Kind::kExited, kFailed};
  }
  if (child == 0) {
    signal(SIGALRM, SIG_DFL);  // a child inherits no timer
    run_here(test, number);
  }
  set_alarm(seconds);
  int status = 0;
  bool timed_out = false;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    if (!alarm_rang) continue;
    timed_out = true;
    kill(child, SIGKILL);
  }
  set_alarm(0);
  if (timed_out) return {Outcome::Kind::kTimedOut, 0};
  if (WIFSIGNALED(status)) return {Outcome::Kind::kSignalled, WTERMSIG(status)};
  return {Outcome::Kind::kExited, WEXITSTATUS(status)};
}

}  // namespace test_driver
