// SPDX-License-Identifier: MIT
// A directory whose name ends at random (mkdtemp), and that its process holds a lock on (flock):
// who gets the lock of one of this user's knows that its process has ended, and removes it. The
// kernel lets go of the lock when the process ends, in whatever way.
//
// Lock: of `own`. A fork takes it first, so that the child finds it whole.
#include "platform/private_directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

namespace interlock {
namespace {

constexpr int kAsDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr int kAttempts = 100;  // each of which another process has removed meanwhile

class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] bool is_open() const noexcept { return number_ >= 0; }
  [[nodiscard]] int number() const noexcept { return number_; }
  [[nodiscard]] int release() noexcept { return std::exchange(number_, -1); }

 private:
  int number_;
};

/// Names in a directory, but "." and "..".
[[nodiscard]] std::vector<std::string> names_in(int directory) {
  std::vector<std::string> names;
  Descriptor own(::openat(directory, ".", kAsDirectory));
  DIR *const all = own.is_open() ? ::fdopendir(own.number()) : nullptr;
  if (all == nullptr) return names;
  (void)own.release();  // closedir() closes it
  while (const dirent *const each = ::readdir(all)) {
    const std::string name = each->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(all);
  return names;
}

/// Removes what is in a directory that nobody else can reach. No link is followed.
void remove_contents(int directory) {
  for (const std::string &each : names_in(directory)) {
    if (::unlinkat(directory, each.c_str(), 0) == 0) continue;
    struct ::stat info = {};
    const bool is_directory = ::fstatat(directory, each.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                              S_ISDIR(info.st_mode);
    if (!is_directory) continue;
    (void)::fchmodat(directory, each.c_str(), S_IRWXU, 0);
    const Descriptor inner(::openat(directory, each.c_str(), kAsDirectory));
    if (inner.is_open()) remove_contents(inner.number());
    (void)::unlinkat(directory, each.c_str(), AT_REMOVEDIR);
  }
}

/// Whether `directory` is one of ours that has this name.
[[nodiscard]] bool is_own(int directory, int parent, const std::string &name) {
  struct ::stat open = {};
  struct ::stat named = {};
  return ::fstat(directory, &open) == 0 && open.st_uid == ::geteuid() &&
         (open.st_mode & (S_IRWXG | S_IRWXO)) == 0 &&
         ::fstatat(parent, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

[[nodiscard]] bool lock(int directory, int flags) {
  int result = 0;
  do result = ::flock(directory, LOCK_EX | flags);
  while (result != 0 && errno == EINTR);
  return result == 0;
}

/// Removes those that processes which have ended have left.
void sweep(int parent, const std::string &prefix) {
  for (const std::string &each : names_in(parent)) {
    if (!each.starts_with(prefix)) continue;
    const Descriptor left(::openat(parent, each.c_str(), kAsDirectory));
    // Looked at once it is locked: another process may sweep, too.
    if (!left.is_open() || !lock(left.number(), LOCK_NB) || !is_own(left.number(), parent, each))
      continue;
    remove_contents(left.number());
    (void)::unlinkat(parent, each.c_str(), AT_REMOVEDIR);
  }
}

/// Of this process; or of the one that it was forked from, if that called no handlers.
struct Own {
  std::string path;
  int descriptor = -1;  // holds the lock
  pid_t process = 0;
};
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;  // guards `own`
/// Leaked: others may ask while static objects are destroyed.
[[nodiscard]] Own &own() {
  static Own *const all = new Own;
  return *all;
}

void forget_locked() {
  if (own().descriptor >= 0) ::close(own().descriptor);
  own() = Own();
}

void remove_at_exit() {
  ::pthread_mutex_lock(&mutex);
  if (own().descriptor >= 0 && own().process == ::getpid()) {
    remove_contents(own().descriptor);
    (void)::rmdir(own().path.c_str());
    forget_locked();
  }
  ::pthread_mutex_unlock(&mutex);
}

void handle_forks() {
  static const int is_done =
      ::pthread_atfork([] { ::pthread_mutex_lock(&mutex); }, [] { ::pthread_mutex_unlock(&mutex); },
                       [] {
                         forget_locked();
                         ::pthread_mutex_unlock(&mutex);
                       });
  (void)is_done;
}

[[nodiscard]] Status refused(const std::string &what, const std::string &path) {
  return {Code::kESYSTEM, what + " '" + path + "': " + std::strerror(errno)};
}

/// The directory for temporary files, without links in its path.
[[nodiscard]] Result<std::string> temporary_directory() {
  const char *const given = std::getenv("TMPDIR");
  const std::string path = given != nullptr && *given != 0 ? given : "/tmp";
  char *const found = ::realpath(path.c_str(), nullptr);
  if (found == nullptr) return refused("no directory for temporary files at", path);
  const std::string real = found;
  std::free(found);
  return real;
}

/// Whether anybody may put another directory in the place of one in it.
[[nodiscard]] bool can_be_exchanged(int parent) noexcept {
  struct ::stat info = {};
  if (::fstat(parent, &info) != 0) return true;
  return (info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_ISVTX) == 0;
}

/// One that is there and locked, as `own`.
[[nodiscard]] Status make_locked() {
  Result<std::string> place = temporary_directory();
  if (!place.ok()) return place.status();
  const std::string &parent_path = place.value();
  const Descriptor parent(::open(parent_path.c_str(), kAsDirectory));
  if (!parent.is_open()) return refused("cannot open", parent_path);
  if (can_be_exchanged(parent.number()))
    return {Code::kESYSTEM, "others may rename what is in '" + parent_path + "': chmod +t it"};
  const std::string prefix = "interlock-" + std::to_string(::geteuid()) + "-";
  sweep(parent.number(), prefix);
  for (int i = 0; i < kAttempts; ++i) {
    std::string path = parent_path + "/" + prefix + "XXXXXX";
    if (::mkdtemp(path.data()) == nullptr)
      return refused("cannot make a directory in", parent_path);
    Descriptor made(::open(path.c_str(), kAsDirectory));
    if (!made.is_open() && errno == ENOENT) continue;
    if (!made.is_open()) return refused("cannot open", path);
    // Another process that sweeps may have come first: this waits until it has removed it.
    if (!lock(made.number(), 0)) {
      const Status status = refused("cannot lock", path);
      (void)::rmdir(path.c_str());
      return status;
    }
    if (!is_own(made.number(), parent.number(), path.substr(parent_path.size() + 1))) continue;
    own() = {std::move(path), made.release(), ::getpid()};
    return {};
  }
  return {Code::kESYSTEM, "directories made in '" + parent_path + "' do not stay"};
}

}  // namespace

Result<std::string> private_directory() {
  handle_forks();
  ::pthread_mutex_lock(&mutex);
  // Somebody may have cleaned up.
  const bool is_there = own().descriptor >= 0 && own().process == ::getpid() &&
                        is_own(own().descriptor, AT_FDCWD, own().path);
  if (!is_there) forget_locked();
  Status status;
  if (own().descriptor < 0) {
    status = make_locked();
    if (status.ok()) (void)std::atexit(remove_at_exit);  // else the next process removes it
  }
  const std::string path = own().path;
  ::pthread_mutex_unlock(&mutex);
  if (!status.ok()) return status;
  return path;
}

}  // namespace interlock
