// SPDX-License-Identifier: MIT
// One private copy of a shared object; see platform/library.hpp.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/status.hpp"
#include "platform/library.hpp"
#include "posix/elf.hpp"

namespace interlock {

/// Tells a file from others, and from what it was before somebody wrote to it.
struct FileIdentity {
  std::uint64_t device;
  std::uint64_t number;
  std::int64_t size;
  std::int64_t seconds;  // of the last change
  std::int64_t nanoseconds;

  bool operator==(const FileIdentity &) const = default;
};

/// A file that is mapped to be changed: pages that are, become private ones. Its descriptor stays
/// open.
class MappedFile {
 public:
  /// Errors: kESYSTEM, saying what the system says.
  [[nodiscard]] static Result<MappedFile> open(const std::string &path);
  MappedFile(MappedFile &&other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)),
        bytes_(std::exchange(other.bytes_, {})),
        identity_(other.identity_) {}
  MappedFile &operator=(MappedFile &&other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(bytes_, other.bytes_);
    std::swap(identity_, other.identity_);
    return *this;
  }
  ~MappedFile();

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] const FileIdentity &identity() const noexcept { return identity_; }

 private:
  MappedFile() noexcept = default;

  int descriptor_ = -1;
  std::span<std::byte> bytes_;
  FileIdentity identity_{};
};

/// What it writes is known, and can be made what it was: a copy serves one owner after another.
class LibraryCopy {
 public:
  /// Loads `original`, the file `path` with what was changed in `file`. Nothing of it runs yet, but
  /// for what the dynamic linker calls to find addresses. `name`: by which others may need it, as
  /// `file` says, or nothing.
  /// Thread: with the global lock held.  Errors: kEINVAL; kESYSTEM with what the linker says.
  [[nodiscard]] static Result<LibraryCopy> load(const std::string &path, const std::string &name,
                                                const MappedFile &original, ElfFile &file,
                                                std::span<const Redirection> redirections);
  LibraryCopy() noexcept = default;
  LibraryCopy(LibraryCopy &&other) noexcept { swap(other); }
  LibraryCopy &operator=(LibraryCopy &&other) noexcept {
    swap(other);
    return *this;
  }
  /// Unloads it. It must not be started.
  ~LibraryCopy();

  /// Runs its initialisers. Thread: with the global lock held.
  void start() const;
  /// Runs its finalisers; before them, if threads of it run and end at a fork, what it wants called
  /// before one.  Thread: with the global lock held.
  void stop(bool ends_threads_at_fork) const;
  /// As PrivateLibraries::leave_finaliser().
  static void leave_finaliser() noexcept;
  /// Makes its data what they were before start(). No thread may be in its code, or come back to
  /// it.
  void restore() const;

  [[nodiscard]] void *find(const char *name) const noexcept;
  [[nodiscard]] void *handle() const noexcept { return handle_; }
  /// Bytes of the file that were copied, and what is kept of its data.
  [[nodiscard]] std::size_t size() const noexcept;
  /// All of it, and what it may write.
  [[nodiscard]] std::span<std::byte> memory() const noexcept { return memory_; }
  [[nodiscard]] std::vector<std::span<std::byte>> data() const;

 private:
  /// Writable memory: what is known of it, then zeros.
  struct Data {
    std::byte *start;
    std::vector<std::byte> before;
    std::size_t zeros;
  };

  void swap(LibraryCopy &other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(base_, other.base_);
    std::swap(memory_, other.memory_);
    std::swap(copied_, other.copied_);
    std::swap(initialisers_, other.initialisers_);
    std::swap(finalisers_, other.finalisers_);
    std::swap(data_, other.data_);
  }
  [[nodiscard]] bool redirect(const ElfFile &file, std::span<const Redirection> redirections) const;
  using Originals = std::array<const void *, 2>;
  [[nodiscard]] bool redirect(const ElfFile &file, ElfFile::Address address,
                              const Originals &originals, void *function) const;
  void protect(const ElfFile &file) const;
  void save(const ElfFile &file);

  void *handle_ = nullptr;
  ElfFile::Address base_ = 0;
  std::span<std::byte> memory_;
  std::size_t copied_ = 0;
  ElfFile::Calls initialisers_;
  ElfFile::Calls finalisers_;
  std::vector<Data> data_;
};

}  // namespace interlock
