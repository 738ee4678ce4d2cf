// SPDX-License-Identifier: MIT
// A C++ program whose epoll loop sends lines to an interpreter and receives how many words each
// has.
//
//     c++ -std=c++20 embed_epoll.cpp -o embed_epoll $(pkg-config --cflags --libs interlock)
//     -pthread
//     ./embed_epoll
#include <sys/epoll.h>
#include <unistd.h>

#include <interlock.hpp>
#include <iostream>
#include <optional>
#include <thread>
#include <vector>

namespace {

constexpr const char *kCount = R"(
for line in lines:
    counts.send(len(line.split()))
)";

const std::vector<std::string> kLines = {"one", "one two", "one two three"};

void run(interlock::Loop &loop, const bool &is_over) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event bell{};
  bell.events = EPOLLIN;
  epoll_ctl(epoll, EPOLL_CTL_ADD, static_cast<int>(loop.descriptor()), &bell);
  while (!is_over) {
    epoll_event event{};
    if (epoll_wait(epoll, &event, 1, -1) == 1) loop.dispatch();
  }
  close(epoll);
}

}  // namespace

int main(int argc, char **argv) try {
  interlock::Runtime runtime(argc, argv);
  interlock::Channel lines(1);
  interlock::Channel counts(1);
  interlock::Loop loop;
  std::thread thread([&] {
    interlock::Interpreter interpreter;
    interpreter.give("lines", lines);
    interpreter.give("counts", counts);
    interpreter.run(kCount);
    counts.close();
  });

  std::size_t unsent = kLines.size();
  for (const std::string &line : kLines) {
    loop.send(lines, interlock::Value::from(line), [&](int, std::optional<interlock::Value>) {
      if (--unsent == 0) lines.close();
    });
  }
  std::int64_t words = 0;
  bool is_over = false;
  interlock::Loop::Callback receive = [&](int code, std::optional<interlock::Value> count) {
    is_over = code == INTERLOCK_ECLOSED;
    if (is_over) return;
    words += count->as_int64();
    loop.recv(counts, receive);
  };
  loop.recv(counts, receive);
  run(loop, is_over);
  thread.join();
  std::cout << words << " words, " << unsent << " left\n";
  return words == 6 && unsent == 0 ? 0 : 1;
} catch (const interlock::Error &error) {
  std::cerr << "embed_epoll: " << error.what() << '\n';
  return 1;
}
