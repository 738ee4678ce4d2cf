// SPDX-License-Identifier: MIT
// Private copies, of the C++ library: the handler that std::set_terminate() keeps is data of it.
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <unistd.h>
#ifdef _WIN32
#include <windows.h>
#else
#include <dirent.h>
#endif

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "platform/library.hpp"

using namespace interlock;

namespace {

constexpr const char *kSet = "_ZSt13set_terminatePFvvE";
constexpr const char *kGet = "_ZSt13get_terminatev";
using Handler = void (*)();
using Set = Handler (*)(Handler);
using Get = Handler (*)();

void first() {}
void second() {}

/// The file of the C++ library, or one that has it; nothing if it is part of the program.
std::string cpp_library() {
  const char *const given = std::getenv("INTERLOCK_TEST_LIBRARY");
  if (given != nullptr && *given != 0) return given;
  Dl_info info{};
  const bool is_known =
      dladdr(reinterpret_cast<void *>(static_cast<Set>(&std::set_terminate)), &info) != 0;
  const std::string path = is_known ? info.dli_fname : "";
  const bool is_library = path.find(".so", path.rfind('/') + 1) != std::string::npos;
  return is_library ? path : "";
}

template <typename Function>
Function find(const PrivateLibraries::Library &library, const char *name) {
  return reinterpret_cast<Function>(PrivateLibraries::find(library, name));
}

PrivateLibraries::Library &loaded(PrivateLibraries &libraries, const std::string &path) {
  Result<PrivateLibraries::Library *> library = libraries.load(path);
  cr_assert(library.ok(), "%s", library.status().message());
  return *library.value();
}

std::size_t bytes_of(const PrivateLibraries &libraries) {
  std::size_t sum = 0;
  for (const PrivateLibraries::Copy &each : libraries.all()) sum += each.bytes;
  return sum;
}

std::string refusal(const std::string &path) {
  PrivateLibraries libraries;
  Result<PrivateLibraries::Library *> library = libraries.load(path);
  return library.ok() ? "" : library.status().message();
}

#ifdef _WIN32
constexpr bool kSharesCode = false;
constexpr const char *kDirectory = "C:\\windows";
constexpr const char *kNoLibrary = "it is no DLL";

/// Grows with their number; Wine does not count them.
std::size_t open_descriptors() {
  const HANDLE next = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  CloseHandle(next);
  return reinterpret_cast<std::uintptr_t>(next) / 1024;
}
#else
constexpr bool kSharesCode = true;
constexpr const char *kDirectory = "/dev";
constexpr const char *kNoLibrary = "it is no ELF file";

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR *const all = opendir("/proc/self/fd");
  while (all != nullptr && readdir(all) != nullptr) ++count;
  if (all != nullptr) closedir(all);
  return count;
}
#endif

}  // namespace

#define LIBRARY_OR_SKIP(path)             \
  const std::string path = cpp_library(); \
  if (path.empty()) cr_skip_test("the C++ library is linked into the program")

Test(library, each_owner_has_data_of_its_own, .timeout = 60) {
  LIBRARY_OR_SKIP(path);
  PrivateLibraries one;
  PrivateLibraries other;
  const PrivateLibraries::Library &ones = loaded(one, path);
  const PrivateLibraries::Library &others = loaded(other, path);
  const Handler before = std::get_terminate();
  const Handler before_of_other = find<Get>(others, kGet)();
  cr_assert_neq(find<Set>(ones, kSet), find<Set>(others, kSet));
  cr_assert_neq(find<Set>(ones, kSet), static_cast<Set>(&std::set_terminate));
  find<Set>(ones, kSet)(first);
  cr_assert_eq(find<Get>(ones, kGet)(), first);
  cr_assert_eq(find<Get>(others, kGet)(), before_of_other);
  cr_assert_eq(std::get_terminate(), before);
  find<Set>(others, kSet)(second);
  cr_assert_eq(find<Get>(ones, kGet)(), first);
  cr_assert_eq(PrivateLibraries::find(ones, "there_is_no_such_name"), nullptr);
}

#ifdef COPY_SAYS_ORIGINAL
Test(library, a_copy_says_that_it_is_the_original, .timeout = 60) {
  LIBRARY_OR_SKIP(path);
  PrivateLibraries libraries;
  Dl_info info{};
  cr_assert_neq(dladdr(PrivateLibraries::find(loaded(libraries, path), kSet), &info), 0);
  cr_assert_neq(path, info.dli_fname, "the linker would take the copy for it");
  cr_assert_eq(std::filesystem::canonical(info.dli_fname), std::filesystem::canonical(path));
}
#endif

Test(library, an_owner_has_one_copy, .timeout = 60) {
  LIBRARY_OR_SKIP(path);
  PrivateLibraries libraries;
  const PrivateLibraries::Library &once = loaded(libraries, path);
  const std::size_t slash = path.rfind('/');
  const std::string spelled = path.substr(0, slash) + "/./" + path.substr(slash + 1);
  cr_assert_eq(&loaded(libraries, path), &once);
  cr_assert_eq(&loaded(libraries, spelled), &once);
}

Test(library, code_is_not_copied, .timeout = 60) {
  LIBRARY_OR_SKIP(path);
  if (!kSharesCode) cr_skip_test("here a copy is a whole file");
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const auto size = static_cast<std::size_t>(file.tellg());
  PrivateLibraries libraries;
  (void)loaded(libraries, path);
  cr_assert_gt(bytes_of(libraries), 0);
#ifdef COPIES_ARE_WHOLE  // where the linker may not let it be otherwise
  cr_assert_gt(bytes_of(libraries), size / 4 * 3);
#else
  cr_assert_lt(bytes_of(libraries), size / 4 * 3);
#endif
}

Test(library, a_copy_is_new_to_each_owner, .timeout = 60) {
  LIBRARY_OR_SKIP(path);
  std::size_t before = 0;
  void *address = nullptr;
  Handler handler = nullptr;
  for (int i = 0; i < 300; ++i) {
    PrivateLibraries libraries;
    const PrivateLibraries::Library &library = loaded(libraries, path);
    if (i == 0) {
      before = open_descriptors();  // that of the private directory may be one
      address = PrivateLibraries::find(library, kSet);
      handler = find<Get>(library, kGet)();
    }
    cr_assert_eq(PrivateLibraries::find(library, kSet), address, "the copy is used again");
    cr_assert_eq(find<Get>(library, kGet)(), handler);
    find<Set>(library, kSet)(first);
    cr_assert_eq(find<Get>(library, kGet)(), first);
  }
  cr_assert_eq(open_descriptors(), before);
}

Test(library, owners_are_told_before_anything_runs, .timeout = 60) {
  LIBRARY_OR_SKIP(path);
  for (int i = 0; i < 2; ++i) {
    std::vector<std::span<std::byte>> told;
    PrivateLibraries libraries({}, [&](std::span<std::byte> memory) { told.push_back(memory); });
    auto *const address =
        static_cast<std::byte *>(PrivateLibraries::find(loaded(libraries, path), kSet));
    cr_assert_eq(told.size(), libraries.all().size());
    const std::span<std::byte> last = told.back();
    cr_assert(address >= last.data() && address < last.data() + last.size());
  }
}

Test(library, what_cannot_be_loaded_is_refused_with_the_reason, .timeout = 60) {
  const std::string none = refusal("/there/is/none.so");
  cr_assert(none.starts_with("cannot open '/there/is/none.so': "), "%s", none.c_str());
  cr_assert(refusal(kDirectory).ends_with("' is no file"));
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("test_library." + std::to_string(::getpid()));
  std::ofstream(file).close();
  cr_assert(refusal(file.string()).ends_with(file.filename().string() + "' is empty"));
  std::ofstream(file) << "import os  # this is no shared object, but a text that is long enough\n";
  cr_assert(refusal(file.string()).ends_with(file.filename().string() + "': " + kNoLibrary));
  std::filesystem::remove(file);
}
