// SPDX-License-Identifier: MIT
// One private copy of a shared object of ELF; see platform/library.hpp.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/status.hpp"
#include "platform/library.hpp"
#include "posix/elf.hpp"
#include "posix/library_source.hpp"

namespace interlock {

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

class LibraryCopy final : public PrivateCopy {
 public:
  /// Loads `original`, the file `path` with what was changed in `file`: LibrarySource::load().
  /// `name`: as `file` says, or nothing.
  [[nodiscard]] static Result<LibraryCopy> load(const std::string &path, const std::string &name,
                                                const MappedFile &original, ElfFile &file,
                                                std::span<const Redirection> redirections);
  LibraryCopy() noexcept = default;
  LibraryCopy(LibraryCopy &&other) noexcept { swap(other); }
  LibraryCopy &operator=(LibraryCopy &&other) noexcept {
    swap(other);
    return *this;
  }
  ~LibraryCopy() override;

  [[nodiscard]] Status start() override;
  void stop(bool ends_threads_at_fork) override;
  [[nodiscard]] bool has_threads() const override;
  void restore() override;
  [[nodiscard]] void *find(const char *name) const noexcept override;
  [[nodiscard]] void *handle() const noexcept override { return handle_; }
  [[nodiscard]] std::size_t size() const noexcept override;
  [[nodiscard]] std::span<std::byte> memory() const noexcept override { return memory_; }
  [[nodiscard]] std::vector<std::span<std::byte>> data() const override;

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
