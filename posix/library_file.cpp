// SPDX-License-Identifier: MIT
#include "posix/library_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "platform/private_directory.hpp"
#include "posix/linker.hpp"

namespace interlock {
namespace {

[[nodiscard]] Status refused(const std::string &what, const std::string &path) {
  return {Code::kESYSTEM, what + " '" + path + "': " + std::strerror(errno)};
}

/// A path in the private directory that no other has or had.
[[nodiscard]] Result<std::string> fresh_path(const std::string &name) {
  Result<std::string> directory = private_directory();
  if (!directory.ok()) return directory;
  return directory.value() + "/" + std::to_string(next_spelling()) + "." + name;
}

[[nodiscard]] std::string path_of(int descriptor) {
  return "/proc/self/fd/" + std::to_string(descriptor);
}

/// A descriptor of a file without a name that the linker can open, or -1.
[[nodiscard]] int open_unnamed([[maybe_unused]] const std::string &name) {
#ifdef MFD_CLOEXEC
  int descriptor = -1;
#ifdef MFD_EXEC
  descriptor = ::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_EXEC);
  if (descriptor < 0 && errno == EINVAL)  // Linux before 6.3
#endif
    descriptor = ::memfd_create(name.c_str(), MFD_CLOEXEC);
  if (descriptor >= 0 && ::access(path_of(descriptor).c_str(), R_OK) == 0) return descriptor;
  if (descriptor >= 0) ::close(descriptor);
#endif
  return -1;
}

}  // namespace

LinkerFile::~LinkerFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (has_name_) ::unlink(path_.c_str());
}

Status LinkerFile::open(const std::string &name) {
  if (kLinker.opens_descriptors) {
    descriptor_ = open_unnamed(name);
    path_ = spelled(path_of(descriptor_), next_spelling());
    if (descriptor_ >= 0) return {};
  }
  Result<std::string> path = fresh_path(name);
  if (!path.ok()) return path.status();
  path_ = std::move(path.value());
  descriptor_ =
      ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  has_name_ = descriptor_ >= 0;
  return has_name_ ? Status() : refused("cannot make", path_);
}

bool LinkerFile::write(std::uint64_t offset, std::span<const std::byte> bytes) const noexcept {
  while (!bytes.empty()) {
    const ssize_t count =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return true;
}

LinkerName::~LinkerName() {
  if (!path_.empty()) ::unlink(path_.c_str());
  if (!directory_.empty()) ::rmdir(directory_.c_str());
}

Status LinkerName::create(const std::string &name, const std::string &path) {
  Result<std::string> directory = fresh_path("names");
  if (!directory.ok()) return directory.status();
  if (::mkdir(directory.value().c_str(), S_IRWXU) != 0)
    return refused("cannot make", directory.value());
  directory_ = std::move(directory.value());
  std::string link = directory_ + "/" + name;
  if (::symlink(path.c_str(), link.c_str()) != 0) return refused("cannot make", link);
  path_ = std::move(link);
  return {};
}

std::string spelled(const std::string &path, std::uint64_t number) {
  const std::size_t slash = path.rfind('/');
  std::string ways = "/";
  for (; number != 0; number >>= 1) ways += (number & 1) != 0 ? "/./" : "//";
  return path.substr(0, slash == std::string::npos ? 0 : slash) + ways + path.substr(slash + 1);
}

std::uint64_t next_spelling() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace interlock
