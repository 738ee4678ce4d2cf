// SPDX-License-Identifier: MIT
// Runs every scenario under every strategy, each scenario in a process of its own; TAP on stdout.
//   systematic [--schedules=N] [--from=SEED] [--scenario=PATTERN]
//   [--strategy=random|priorities|search]
//       [--until=failure]
//   systematic --scenario=NAME --strategy=NAME --seed=SEED|--path=PATH     repeats one schedule
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "simulator.hpp"

using namespace interlock::systematic;

namespace {

struct Options {
  std::uint64_t schedules = 200;
  std::uint64_t from = 1;
  std::string scenario;
  std::string strategy;
  std::string seed;
  std::string path;
  bool one_path = false;
  bool until_failure = false;
};

Run *running = nullptr;

/// A failed CHECK, or a crash: the schedule that led there is what counts.
void on_signal(int signal) {
  std::signal(signal, SIG_DFL);
  if (running != nullptr) running->fail("signal " + std::to_string(signal));
}

std::uint64_t run_once(const Scenario &scenario, Chooser &chooser, Strategy strategy,
                       std::uint64_t seed, std::uint64_t length) {
  Run run(scenario, chooser, strategy, seed, length);
  running = &run;
  scenario.body(run);
  running = nullptr;
  return run.steps();
}

/// What PCT needs to know: how many steps a schedule has. The same in every process.
std::uint64_t typical_length(const Scenario &scenario) {
  Chooser chooser;
  return run_once(scenario, chooser, Strategy::kRandom, 0, 1);
}

void run_seeds(const Scenario &scenario, Strategy strategy, const Options &options) {
  const std::uint64_t length = typical_length(scenario);
  Chooser chooser;
  std::uint64_t seed = options.from;
  std::uint64_t end = seed + options.schedules;
  if (!options.seed.empty()) end = (seed = std::stoull(options.seed)) + 1;
  std::uint64_t steps = 0;
  const std::uint64_t count = end - seed;
  for (; seed < end; ++seed) steps += run_once(scenario, chooser, strategy, seed, length);
  std::printf("#   %s: %llu schedules of %llu steps\n", strategy_name(strategy),
              static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(steps / count));
}

void search(const Scenario &scenario, const Options &options) {
  Chooser chooser;
  std::uint64_t count = 0;
  bool more = true;
  if (options.one_path) chooser.set_path(options.path);
  while (more && count < options.schedules) {
    (void)run_once(scenario, chooser, Strategy::kSearch, 0, 1);
    ++count;
    more = !options.one_path && chooser.next_path();
  }
  std::printf("#   search: %llu schedules%s\n", static_cast<unsigned long long>(count),
              more ? "" : ", all with so many preemptions");
}

void run_all(const Scenario &scenario, Strategy strategy, const Options &options) {
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL})
    std::signal(signal, on_signal);
  if (strategy == Strategy::kSearch) {
    search(scenario, options);
  } else {
    run_seeds(scenario, strategy, options);
  }
}

/// Scenarios of this name show that the simulator finds what it is there to find.
constexpr std::string_view kMustFail = "finds_";

bool passes(const Scenario &scenario, Strategy strategy, const Options &options) {
  const bool must_fail = std::string_view(scenario.name).starts_with(kMustFail);
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    if (must_fail && options.seed.empty() && !options.one_path &&
        std::freopen("/dev/null", "w", stdout) == nullptr)
      _exit(1);
    // Spinning makes schedules long and adds nothing but hints: only the random walk has it.
    set_processors(strategy == Strategy::kRandom ? 2 : 1);
    run_all(scenario, strategy, options);
    std::fflush(stdout);
    _exit(0);
  }
  int status = 1;
  if (child < 0 || waitpid(child, &status, 0) != child) return false;
  return must_fail ? WIFEXITED(status) && WEXITSTATUS(status) == kFound : status == 0;
}

/// The option may have a * at either end, for anything.
bool matches(const Scenario &scenario, const Options &options) {
  std::string_view wanted = options.scenario;
  const std::string_view name = scenario.name;
  if (wanted.empty()) return true;
  const bool any_begin = wanted.starts_with('*');
  if (any_begin) wanted.remove_prefix(1);
  const bool any_end = wanted.ends_with('*');
  if (any_end) wanted.remove_suffix(1);
  if (any_begin && any_end) return name.find(wanted) != std::string_view::npos;
  if (any_begin) return name.ends_with(wanted);
  return any_end ? name.starts_with(wanted) : name == wanted;
}

bool parse(int argc, char **argv, Options &options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::size_t equals = argument.find('=');
    if (argument == "--quiet" || argument == "--tap=-") continue;  // as Criterion's programs
    if (equals == std::string_view::npos) return false;
    const std::string_view name = argument.substr(0, equals);
    const std::string value(argument.substr(equals + 1));
    if (name == "--schedules") {
      options.schedules = std::stoull(value);
    } else if (name == "--from") {
      options.from = std::stoull(value);
    } else if (name == "--scenario") {
      options.scenario = value;
    } else if (name == "--strategy") {
      options.strategy = value;
    } else if (name == "--seed") {
      options.seed = value;
    } else if (name == "--until") {
      options.until_failure = value == "failure";
    } else if (name == "--path") {
      options.path = value;
      options.one_path = true;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char **argv) {
  Options options;
  if (const char *const schedules = std::getenv("SCHEDULES"))
    options.schedules = std::stoull(schedules);
  if (!parse(argc, argv, options)) {
    std::fprintf(stderr, "usage: see the head of tests/systematic/main.cpp\n");
    return 2;
  }
  int failed = 0;
  int number = 0;
  for (const Scenario &each : scenarios()) {
    if (!matches(each, options)) continue;
    for (const Strategy strategy : {Strategy::kRandom, Strategy::kPriorities, Strategy::kSearch}) {
      if (!options.strategy.empty() && options.strategy != strategy_name(strategy)) continue;
      const bool passed = passes(each, strategy, options);
      std::printf("%s %d - %s, %s\n", passed ? "ok" : "not ok", ++number, each.name,
                  strategy_name(strategy));
      failed += passed ? 0 : 1;
      if (failed != 0 && options.until_failure) return 1;
    }
  }
  std::printf("1..%d\n", number);
  return failed != 0 || number == 0 ? 1 : 0;
}
