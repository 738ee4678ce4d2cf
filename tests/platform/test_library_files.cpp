// SPDX-License-Identifier: MIT
// Private copies where the dynamic linker wants files with names: these are in the private
// directory, and not for long. Linked with what tests/platform/test_library_named is, and with what
// tests/platform/test_library_bsd is.
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "platform/library.hpp"
#include "platform/private_directory.hpp"

using namespace interlock;

namespace {

std::string cpp_library() {
  Dl_info info{};
  const auto set_terminate =
      static_cast<std::terminate_handler (*)(std::terminate_handler)>(&std::set_terminate);
  return dladdr(reinterpret_cast<void *>(set_terminate), &info) != 0 ? info.dli_fname : "";
}

std::string refusal(const std::string &path) {
  PrivateLibraries libraries;
  Result<PrivateLibraries::Library *> library = libraries.load(path);
  return library.ok() ? "" : library.status().message();
}

/// Of the file that is mapped at an address.
std::string line_of(const void *address) {
  std::ifstream all("/proc/self/maps");
  for (std::string line; std::getline(all, line);) {
    std::uintptr_t start = 0;
    std::uintptr_t end = 0;
    if (std::sscanf(line.c_str(), "%zx-%zx", &start, &end) != 2) continue;
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    if (at >= start && at < end) return line;
  }
  return "";
}

/// Emulators run what the system does not.
bool can_run_in(const std::string &directory) {
  const int file = ::open((directory + "/file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRWXU);
  void *const page = ::mmap(nullptr, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
  ::close(file);
  if (page == MAP_FAILED) return false;
  ::munmap(page, 1);
  return true;
}

/// Makes `directory` one in which nothing may be run, for this process. False if it may not do
/// that.
bool forbid_running(const std::string &directory) {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("none", directory.c_str(), "tmpfs", MS_NOEXEC, nullptr) != 0)
    return false;
  if (!can_run_in(directory)) return true;
  ::umount2(directory.c_str(), MNT_DETACH);
  return false;
}

}  // namespace

#define LIBRARY_OR_SKIP(path)                                     \
  const std::string path = cpp_library();                         \
  if (path.find(".so", path.rfind('/') + 1) == std::string::npos) \
  cr_skip_test("the C++ library is in the program")

Test(library_files, are_in_the_private_directory_and_removed_once_loaded, .timeout = 60) {
  LIBRARY_OR_SKIP(path);
  PrivateLibraries libraries;
  Result<PrivateLibraries::Library *> library = libraries.load(path);
  cr_assert(library.ok(), "%s", library.status().message());
  const std::vector<PrivateLibraries::Copy> all = libraries.all();
  const std::string line = line_of(all.front().memory.data());
  Result<std::string> directory = private_directory();
  cr_assert(directory.ok());
  cr_assert(line.find(directory.value() + "/") != std::string::npos, "%s", line.c_str());
  cr_assert(line.find("(deleted)") != std::string::npos, "%s", line.c_str());
  cr_assert(std::filesystem::is_empty(directory.value()));
}

Test(library_files, that_have_no_place_are_refused_with_the_path, .timeout = 60) {
  LIBRARY_OR_SKIP(path);
  ::setenv("TMPDIR", "/there/is/none", 1);
  const std::string real = std::filesystem::canonical(path);
  cr_assert_eq(refusal(path), "no place for a copy of '" + real +
                                  "': no directory for temporary files at '/there/is/none': "
                                  "No such file or directory");
}

Test(library_files, that_may_not_be_run_are_refused_with_the_way_out, .timeout = 60) {
  LIBRARY_OR_SKIP(path);
  char name[] = "/tmp/test_library_files.XXXXXX";
  cr_assert_neq(::mkdtemp(name), nullptr);
  const std::string directory = name;
  ::setenv("TMPDIR", name, 1);
  const bool is_forbidden = forbid_running(directory);
  const std::string text = is_forbidden ? refusal(path) : "";
  if (is_forbidden) ::umount2(name, MNT_DETACH);
  ::rmdir(name);
  if (!is_forbidden) cr_skip_test("only root can mount file systems, and not everywhere");
  cr_assert(text.find("nothing in '" + directory + "/interlock-") != std::string::npos, "%s",
            text.c_str());
  cr_assert(text.ends_with("may be run: set TMPDIR to a directory without noexec"), "%s",
            text.c_str());
}
