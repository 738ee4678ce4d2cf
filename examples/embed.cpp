// SPDX-License-Identifier: MIT
// A C++ program that counts words in two interpreters at once.
//
//     c++ -std=c++20 embed.cpp -o embed $(pkg-config --cflags --libs interlock) -pthread && ./embed
#include <interlock.hpp>
#include <iostream>
#include <thread>
#include <vector>

namespace {

constexpr const char *kCount = R"(
for line in lines:
    counts.send(len(line.split()))
)";

const std::vector<std::string> kLines = {"one", "one two", "one two three",
                                         "Überraschung für alle"};

}  // namespace

int main(int argc, char **argv) try {
  interlock::Runtime runtime(argc, argv);
  interlock::Channel lines(4);
  interlock::Channel counts(4);
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      interlock::Interpreter interpreter;
      interpreter.give("lines", lines);
      interpreter.give("counts", counts);
      interpreter.run(kCount);
    });
  }
  for (const std::string &line : kLines) lines.send(line);
  lines.close();
  std::int64_t words = 0;
  for (std::size_t i = 0; i < kLines.size(); ++i) words += counts.recv().as_int64();
  for (std::thread &thread : threads) thread.join();
  std::cout << words << " words\n";

  interlock::Interpreter broken("broken");
  try {
    broken.run("1 / 0");
  } catch (const interlock::Error &error) {
    std::cout << "as expected: " << error.what();
    return words == 9 ? 0 : 1;
  }
  return 1;
} catch (const interlock::Error &error) {
  std::cerr << "embed: " << error.what() << '\n';
  return 1;
}
