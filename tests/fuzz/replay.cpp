// SPDX-License-Identifier: MIT
// Gives files to what a fuzzer calls, also those in directories: a corpus, or what the fuzzer
// found. usage: replay FILE-OR-DIRECTORY...
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz/fuzz_elf.hpp"

namespace {

using Path = std::filesystem::path;

std::vector<Path> files_of(const Path &path) {
  std::vector<Path> files;
  if (!std::filesystem::is_directory(path)) return {path};
  for (const auto &each : std::filesystem::directory_iterator(path)) {
    if (each.is_regular_file()) files.push_back(each.path());
  }
  std::ranges::sort(files);
  return files;
}

/// Names the file first, for whoever sees it fail. False if it cannot be read.
bool replay(const Path &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return false;
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
  std::printf("%s, %zu bytes\n", path.c_str(), bytes.size());
  std::fflush(stdout);
  (void)LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size());
  return true;
}

}  // namespace

int main(int count, char **arguments) {
  std::size_t files = 0;
  for (int i = 1; i < count; ++i) {
    for (const Path &each : files_of(arguments[i])) {
      if (!replay(each)) {
        std::fprintf(stderr, "replay: cannot read '%s'\n", each.c_str());
        return 1;
      }
      ++files;
    }
  }
  std::printf("%zu files\n", files);
  return files != 0 ? 0 : 1;
}
