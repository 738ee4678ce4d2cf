// SPDX-License-Identifier: MIT
#include "posix/library_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

namespace interlock {
namespace {

/// What begins with this in the directory for temporary files.
[[nodiscard]] std::string temporary(const std::string &name) {
  const char *const directory = std::getenv("TMPDIR");
  return std::string(directory != nullptr && *directory != 0 ? directory : "/tmp") + "/" + name;
}

}  // namespace

LinkerFile::~LinkerFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (has_name_) ::unlink(path_.c_str());
}

bool LinkerFile::open(const std::string &name) {
#ifdef MFD_CLOEXEC
#ifdef MFD_EXEC
  descriptor_ = ::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_EXEC);
  if (descriptor_ < 0 && errno == EINVAL)  // Linux before 6.3
#endif
    descriptor_ = ::memfd_create(name.c_str(), MFD_CLOEXEC);
  path_ = "/proc/self/fd/" + std::to_string(descriptor_);
  if (descriptor_ >= 0 && ::access(path_.c_str(), R_OK) == 0) return true;
  if (descriptor_ >= 0) ::close(descriptor_);
#endif
  path_ = temporary(name + ".XXXXXX");
  descriptor_ = ::mkostemp(path_.data(), O_CLOEXEC);
  has_name_ = descriptor_ >= 0;
  return has_name_;
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

bool LinkerName::create(const std::string &name, const std::string &path) {
  std::string directory = temporary("interlock.XXXXXX");
  if (::mkdtemp(directory.data()) == nullptr) return false;
  directory_ = std::move(directory);
  std::string link = directory_ + "/" + name;
  if (::symlink(path.c_str(), link.c_str()) != 0) return false;
  path_ = std::move(link);
  return true;
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
