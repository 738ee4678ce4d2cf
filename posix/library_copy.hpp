// SPDX-License-Identifier: MIT
// One private copy of a shared object; see platform/library.hpp.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/status.hpp"
#include "posix/elf.hpp"

namespace interlock {

/// A file that is mapped to be changed: pages that are, become private ones. Its descriptor stays
/// open.
class MappedFile {
 public:
  /// Errors: kESYSTEM, saying what the system says.
  [[nodiscard]] static Result<MappedFile> open(const std::string &path);
  MappedFile(MappedFile &&other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)),
        bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile &operator=(MappedFile &&other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile();

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  MappedFile() noexcept = default;

  int descriptor_ = -1;
  std::span<std::byte> bytes_;
};

class LibraryCopy {
 public:
  /// Loads `original`, the file `path` with what was changed in `file`. Initialisers run.
  /// Thread: with the global lock held.  Errors: kESYSTEM with what the dynamic linker says.
  [[nodiscard]] static Result<LibraryCopy> load(const std::string &path, const MappedFile &original,
                                                ElfFile &file);
  LibraryCopy(LibraryCopy &&other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), size_(other.size_) {}
  LibraryCopy &operator=(LibraryCopy &&other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(size_, other.size_);
    return *this;
  }
  /// Unloads it.
  ~LibraryCopy();

  [[nodiscard]] void *find(const char *name) const noexcept;
  /// Bytes of the file that were copied.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  LibraryCopy(void *handle, std::size_t size) noexcept : handle_(handle), size_(size) {}

  void *handle_;
  std::size_t size_;
};

}  // namespace interlock
