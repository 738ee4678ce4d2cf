// SPDX-License-Identifier: MIT
// Other processes are children: each that is killed leaves its directory. Each test has a directory
// for temporary files of its own.
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "platform/private_directory.hpp"

using namespace interlock;
namespace fs = std::filesystem;

namespace {

constexpr uid_t kSomebody = 65534;

/// How many of the next locks that are waited for come too late.
std::atomic<int> disturbances{0};
void (*disturb)() = nullptr;

int real_flock(int descriptor, int operation) {
#ifdef __linux__  // also where a program is static
  return static_cast<int>(::syscall(SYS_flock, descriptor, operation));
#else
  using Lock = int (*)(int, int);
  static const auto found = reinterpret_cast<Lock>(::dlsym(RTLD_NEXT, "flock"));
  return found(descriptor, operation);
#endif
}

/// The directory for temporary files.
class Scratch {
 public:
  Scratch() {
    char name[] = "/tmp/test_private_directory.XXXXXX";
    cr_assert_neq(::mkdtemp(name), nullptr);
    path_ = fs::canonical(name);
    ::setenv("TMPDIR", path_.c_str(), 1);
  }
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const fs::path &path() const { return path_; }
  [[nodiscard]] std::size_t count() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
  }
  /// A name that a directory of this user may have.
  [[nodiscard]] fs::path planted() const {
    return path_ / ("interlock-" + std::to_string(::geteuid()) + "-planted");
  }

 private:
  fs::path path_;
};

std::string made() {
  Result<std::string> path = private_directory();
  cr_assert(path.ok(), "%s", path.status().message());
  return path.value();
}

std::string refusal() {
  Result<std::string> path = private_directory();
  return path.ok() ? "" : path.status().message();
}

void write_file(const fs::path &path) { std::ofstream(path) << "text"; }

/// Whether there is something, be it a link that leads nowhere.
bool is_there(const fs::path &path) { return fs::exists(fs::symlink_status(path)); }

/// A process that has such a directory, until it is told to end, or killed.
class Other {
 public:
  /// `also`: what it does once it has the directory.
  explicit Other(void (*also)(const std::string &) = nullptr) {
    cr_assert_eq(::pipe(tell_.data()), 0);
    cr_assert_eq(::pipe(told_.data()), 0);
    process_ = ::fork();
    cr_assert_geq(process_, 0);
    if (process_ == 0) run(also);
    ::close(tell_[0]);
    ::close(told_[1]);
    std::array<char, 4096> text{};
    const ssize_t size = ::read(told_[0], text.data(), text.size());
    cr_assert_gt(size, 0);
    path_.assign(text.data(), static_cast<std::size_t>(size));
    cr_assert(path_.starts_with("/"), "%s", path_.c_str());
  }
  Other(const Other &) = delete;
  Other &operator=(const Other &) = delete;
  ~Other() {
    if (process_ > 0) kill();
    ::close(told_[0]);
  }
  [[nodiscard]] const std::string &path() const { return path_; }
  /// As exit() does.
  void end() {
    ::close(tell_[1]);
    wait();
  }
  void kill() {
    ::kill(process_, SIGKILL);
    ::close(tell_[1]);
    wait();
  }

 private:
  [[noreturn]] void run(void (*also)(const std::string &)) {
    ::close(tell_[1]);
    ::close(told_[0]);
    Result<std::string> path = private_directory();
    if (path.ok() && also != nullptr) also(path.value());
    const std::string text = path.ok() ? path.value() : path.status().message();
    if (::write(told_[1], text.data(), text.size()) < 0) ::_exit(1);
    char byte = 0;
    (void)!::read(tell_[0], &byte, 1);
    std::exit(0);
  }
  void wait() {
    int status = 0;
    cr_assert_eq(::waitpid(process_, &status, 0), process_);
    process_ = -1;
  }

  std::array<int, 2> tell_{};
  std::array<int, 2> told_{};
  pid_t process_ = -1;
  std::string path_;
};

}  // namespace

/// Instead of the C library's.
extern "C" int flock(int descriptor, int operation) noexcept(noexcept(::flock(0, 0))) {
  if ((operation & (LOCK_NB | LOCK_UN)) == 0 && disturbances.fetch_sub(1) > 0) disturb();
  return real_flock(descriptor, operation);
}

Test(private_directory, is_for_its_user_alone_and_stays_the_same, .timeout = 60) {
  const Scratch scratch;
  const std::string path = made();
  struct ::stat info = {};
  cr_assert_eq(::lstat(path.c_str(), &info), 0);
  cr_assert(S_ISDIR(info.st_mode));
  cr_assert_eq(info.st_mode & 07777, 0700);
  cr_assert_eq(info.st_uid, ::geteuid());
  cr_assert_eq(fs::path(path).parent_path(), scratch.path());
  cr_assert_eq(made(), path);
}

Test(private_directory, that_somebody_has_removed_is_made_again, .timeout = 60) {
  const Scratch scratch;
  const std::string before = made();
  cr_assert(fs::remove(before));
  const std::string after = made();
  cr_assert_neq(after, before);
  cr_assert(fs::is_directory(after));
  cr_assert_eq(made(), after);
}

Test(private_directory, is_gone_after_exit_with_whatever_is_in_it, .timeout = 60) {
  const Scratch scratch;
  const fs::path outside = scratch.path() / "outside";
  fs::create_directory(outside);
  write_file(outside / "kept");
  Other other([](const std::string &path) {
    const fs::path place = path;
    write_file(place / "file");
    write_file(place / ".hidden");
    fs::create_hard_link(place / "file", place / "hard");
    fs::create_symlink("../outside", place / "link");
    fs::create_symlink("nothing", place / "dangling");
    (void)::mkfifo((place / "fifo").c_str(), 0600);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, (place / "socket").c_str(), sizeof address.sun_path - 1);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    (void)::bind(socket, reinterpret_cast<sockaddr *>(&address), sizeof address);
    fs::create_directories(place / "deep/deeper");
    write_file(place / "deep/deeper/file");
    fs::create_symlink("../../outside", place / "deep/link");
    fs::permissions(place / "deep/deeper", fs::perms::none);
    fs::permissions(place / "deep", fs::perms::none);
  });
  cr_assert(is_there(fs::path(other.path()) / "socket"));
  other.end();
  cr_assert(!is_there(other.path()));
  cr_assert(is_there(outside / "kept"), "a link was followed");
  cr_assert_eq(scratch.count(), 1);
}

Test(private_directory, of_a_killed_process_is_removed_by_the_next, .timeout = 60) {
  const Scratch scratch;
  Other other([](const std::string &path) { write_file(path + "/file"); });
  other.kill();
  cr_assert(is_there(other.path() + "/file"));
  const std::string own = made();
  cr_assert(!is_there(other.path()));
  cr_assert(is_there(own));
  cr_assert_eq(scratch.count(), 1);
}

Test(private_directory, of_a_living_process_is_kept, .timeout = 60) {
  const Scratch scratch;
  Other other([](const std::string &path) { write_file(path + "/file"); });
  cr_assert_neq(made(), other.path());
  cr_assert(is_there(other.path() + "/file"));
  other.end();
  cr_assert(!is_there(other.path()));
}

Test(private_directory, of_a_forked_child_is_another, .timeout = 60) {
  const Scratch scratch;
  const std::string own = made();
  write_file(own + "/file");
  Other child;
  cr_assert_neq(child.path(), own);
  cr_assert(is_there(child.path()));
  child.end();
  cr_assert(!is_there(child.path()));
  cr_assert(is_there(own + "/file"), "the child has removed its parent's");
  cr_assert_eq(made(), own);
}

Test(private_directory, of_a_killed_process_is_removed_while_its_child_lives, .timeout = 60) {
  const Scratch scratch;
  static std::array<int, 2> until_closed;
  cr_assert_eq(::pipe(until_closed.data()), 0);
  Other other([](const std::string &) {
    std::array<int, 2> forked{};
    char byte = 0;
    if (::pipe(forked.data()) != 0) return;
    if (::fork() != 0) {
      (void)!::read(forked[0], &byte, 1);
      return;
    }
    (void)!::write(forked[1], &byte, 1);
    ::close(until_closed[1]);
    (void)!::read(until_closed[0], &byte, 1);
    ::_exit(0);
  });
  other.kill();
  (void)made();
  cr_assert(!is_there(other.path()));
  ::close(until_closed[1]);
}

Test(private_directory, that_is_removed_before_it_is_locked_is_made_again, .timeout = 60) {
  const Scratch scratch;
  static fs::path place;
  place = scratch.path();
  disturb = [] {
    for (const fs::directory_entry &each : fs::directory_iterator(place)) fs::remove(each);
  };
  disturbances = 3;
  const std::string own = made();
  cr_assert(is_there(own));
  cr_assert_leq(disturbances.load(), 0);
  cr_assert_eq(scratch.count(), 1);
}

Test(private_directory, is_kept_by_processes_that_sweep_at_once, .timeout = 120) {
  constexpr int kRounds = 30;
  constexpr int kProcesses = 6;
  const Scratch scratch;
  for (int round = 0; round < kRounds; ++round) {
    std::array<int, 2> start{};
    cr_assert_eq(::pipe(start.data()), 0);
    std::vector<pid_t> processes;
    for (int i = 0; i < kProcesses; ++i) {
      processes.push_back(::fork());
      if (processes.back() != 0) continue;
      ::close(start[1]);
      char byte = 0;
      (void)!::read(start[0], &byte, 1);
      Result<std::string> path = private_directory();
      const bool has_one = path.ok() && std::ofstream(path.value() + "/file").good();
      if (i % 2 == 0) ::_exit(has_one ? 0 : 1);  // and leaves it
      std::exit(has_one && is_there(path.value() + "/file") ? 0 : 1);
    }
    ::close(start[1]);
    for (const pid_t each : processes) {
      int status = 0;
      cr_assert_eq(::waitpid(each, &status, 0), each);
      cr_assert_eq(status, 0, "round %d", round);
    }
    ::close(start[0]);
  }
  (void)made();
  cr_assert_eq(scratch.count(), 1);
}

Test(private_directory, that_others_have_planted_is_left_alone, .timeout = 60) {
  const Scratch scratch;
  const fs::path outside = scratch.path() / "outside";
  fs::create_directory(outside);
  fs::permissions(outside, fs::perms::owner_all);
  write_file(outside / "kept");
  fs::create_directory_symlink(outside, scratch.planted());
  (void)made();
  cr_assert(is_there(outside / "kept"));
  cr_assert(is_there(scratch.planted()));
  cr_assert(fs::remove(scratch.planted()));
  write_file(scratch.planted());
  Other sees_a_file;
  cr_assert(is_there(scratch.planted()));
}

Test(private_directory, of_another_user_is_left_alone, .timeout = 60) {
  if (::geteuid() != 0) cr_skip_test("only root can give a directory away");
  const Scratch scratch;
  fs::create_directory(scratch.planted());
  write_file(scratch.planted() / "kept");
  fs::permissions(scratch.planted(), fs::perms::owner_all);
  cr_assert_eq(::chown(scratch.planted().c_str(), kSomebody, kSomebody), 0);
  (void)made();
  cr_assert(is_there(scratch.planted() / "kept"));
}

Test(private_directory, is_in_tmp_unless_told_otherwise, .timeout = 60) {
  const std::string tmp = fs::canonical("/tmp");
  ::unsetenv("TMPDIR");
  cr_assert_eq(fs::path(made()).parent_path(), tmp);
}

Test(private_directory, that_cannot_be_made_is_refused_with_the_path, .timeout = 60) {
  const Scratch scratch;
  ::setenv("TMPDIR", "/there/is/none", 1);
  cr_assert_eq(refusal(),
               "no directory for temporary files at '/there/is/none': No such file or directory");
  ::setenv("TMPDIR", "/dev/null", 1);
  cr_assert_eq(refusal(), "cannot open '/dev/null': Not a directory");
  ::setenv("TMPDIR", scratch.path().c_str(), 1);
  cr_assert_eq(::chmod(scratch.path().c_str(), 0777), 0);
  cr_assert_eq(refusal(),
               "others may rename what is in '" + scratch.path().string() + "': chmod +t it");
  fs::permissions(scratch.path(), fs::perms::owner_read | fs::perms::owner_exec);
  if (::geteuid() == 0) {
    cr_assert_eq(::chmod(scratch.path().c_str(), 0555), 0);
    cr_assert_eq(::seteuid(kSomebody), 0);
  }
  cr_assert_eq(refusal(),
               "cannot make a directory in '" + scratch.path().string() + "': Permission denied");
  if (::getuid() == 0) cr_assert_eq(::seteuid(0), 0);
  cr_assert_eq(::chmod(scratch.path().c_str(), 01777), 0);
  cr_assert(is_there(made()));
}
