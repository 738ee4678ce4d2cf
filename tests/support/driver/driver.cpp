// SPDX-License-Identifier: MIT
// Runs the tests that are linked with it, one after the other, and prints TAP. Arguments: patterns
// with * for suite/name, --list; Criterion's other options are taken and mean nothing.
#include "driver.hpp"

#include <cstdarg>
#include <string>
#include <string_view>
#include <vector>

namespace test_driver {
namespace {

constexpr double kDefaultTimeout = 120;

// Filled by constructors of static objects, in the order of the source.
TestCase *first = nullptr;
TestCase **last = &first;

// In the process of a test.
int current_number = 0;
const TestCase *current = nullptr;
bool has_failed = false;

std::string formatted(const char *format, va_list arguments) {
  if (format == nullptr) return {};
  char text[1024];
  std::vsnprintf(text, sizeof text, format, arguments);
  return text;
}

bool matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] != '*') {
    return !text.empty() && pattern[0] == text[0] && matches(pattern.substr(1), text.substr(1));
  }
  for (std::size_t skipped = 0; skipped <= text.size(); ++skipped) {
    if (matches(pattern.substr(1), text.substr(skipped))) return true;
  }
  return false;
}

bool chosen(const TestCase &test, const std::vector<std::string> &patterns) {
  const std::string name = std::string(test.suite) + "/" + test.name;
  for (const std::string &pattern : patterns) {
    if (matches(pattern, name)) return true;
  }
  return patterns.empty();
}

/// Empty if the test passed, else what was wrong.
std::string problem_of(const Outcome &outcome, const Options &options, double seconds) {
  switch (outcome.kind) {
    case Outcome::Kind::kTimedOut:
      return "timed out after " + std::to_string(seconds) + " s";
    case Outcome::Kind::kSignalled:
      if (options.signal == outcome.value) return {};
      return "ended by signal " + std::to_string(outcome.value);
    case Outcome::Kind::kExited:
      break;
  }
  if (outcome.value == kFailed) return "a check failed";
  if (options.signal != 0) return "did not end by signal " + std::to_string(options.signal);
  if (outcome.value == options.exit_code) return {};
  return "exited with " + std::to_string(outcome.value);
}

/// How much slower this build is than a plain one.
double slowness() {
  const char *const text = std::getenv("INTERLOCK_TEST_SLOWER");
  const double factor = text == nullptr ? 1 : std::atof(text);
  return factor < 1 ? 1 : factor;
}

/// True unless the test failed.
bool run_and_report(const TestCase &test, int number) {
  if (test.options.disabled) {
    std::printf("ok %d - %s::%s # SKIP disabled\n", number, test.suite, test.name);
    return true;
  }
  const double limit = test.options.timeout > 0 ? test.options.timeout : kDefaultTimeout;
  const double seconds = limit * slowness();
  std::fflush(stdout);
  const Outcome outcome = run_isolated(test, number, seconds);
  // The test's process has printed the line, with its reason.
  if (outcome.kind == Outcome::Kind::kExited && outcome.value == kSkipped) return true;
  const std::string problem = problem_of(outcome, test.options, seconds);
  if (!problem.empty()) std::printf("# %s::%s: %s\n", test.suite, test.name, problem.c_str());
  std::printf("%s %d - %s::%s\n", problem.empty() ? "ok" : "not ok", number, test.suite, test.name);
  return problem.empty();
}

int run_all(const std::vector<const TestCase *> &tests) {
  std::printf("1..%d\n", static_cast<int>(tests.size()));
  int number = 0;
  int failures = 0;
  for (const TestCase *const test : tests) {
    if (!run_and_report(*test, ++number)) ++failures;
  }
  std::fflush(stdout);
  return failures == 0 ? 0 : 1;
}

const TestCase *find(std::string_view name) {
  for (const TestCase *test = first; test != nullptr; test = test->next) {
    if (std::string(test->suite) + "/" + test->name == name) return test;
  }
  return nullptr;
}

}  // namespace

TestCase::TestCase(const char *suite_name, const char *test_name, void (*test_body)(),
                   const Options &test_options) noexcept
    : suite(suite_name), name(test_name), body(test_body), options(test_options) {
  *last = this;
  last = &next;
}

void fail(const Place &place, const char *check, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const std::string message = formatted(format, arguments);
  va_end(arguments);
  std::printf("# %s:%d: failed: %s%s%s\n", place.file, place.line, check,
              message.empty() ? "" : ": ", message.c_str());
  std::fflush(stdout);
  has_failed = true;
  if (!place.goes_on) std::_Exit(kFailed);
}

void skip(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const std::string reason = formatted(format, arguments);
  va_end(arguments);
  std::printf("ok %d - %s::%s # SKIP %s\n", current_number, current->suite, current->name,
              reason.c_str());
  std::fflush(stdout);
  std::_Exit(kSkipped);
}

void run_here(const TestCase &test, int number) {
  current = &test;
  current_number = number;
  if (test.options.init != nullptr) test.options.init();
  test.body();
  if (test.options.fini != nullptr) test.options.fini();
  std::exit(has_failed ? kFailed : 0);
}

}  // namespace test_driver

int main(int argc, char **argv) {
  using namespace test_driver;
  std::vector<std::string> patterns;
  bool only_lists = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--list") {
      only_lists = true;
    } else if (argument == "--run-here" && i + 2 < argc) {
      const TestCase *const test = find(argv[i + 1]);
      if (test == nullptr) return 2;
      run_here(*test, std::atoi(argv[i + 2]));
    } else if (argument.starts_with("--filter=")) {
      patterns.push_back(argument.substr(std::strlen("--filter=")));
    } else if (!argument.starts_with("-")) {
      patterns.push_back(argument);
    }
  }
  std::vector<const TestCase *> tests;
  for (const TestCase *test = first; test != nullptr; test = test->next) {
    if (!chosen(*test, patterns)) continue;
    tests.push_back(test);
    if (only_lists) std::printf("%s/%s\n", test->suite, test->name);
  }
  if (only_lists) return 0;
  if (tests.empty()) {
    std::puts("Bail out! No test has that name.");
    return 1;
  }
  return run_all(tests);
}
