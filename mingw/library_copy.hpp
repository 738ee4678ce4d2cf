// SPDX-License-Identifier: MIT
// One private copy of a shared object of Windows; see platform/library.hpp.
#pragma once

#include <windows.h>

#include <span>
#include <string>
#include <vector>

#include "mingw/pe.hpp"
#include "posix/library_source.hpp"

namespace interlock {

class LibraryCopy final : public PrivateCopy {
 public:
  /// Loads `bytes`, the file `path` with what was changed in `file`: LibrarySource::load().
  [[nodiscard]] static Result<std::unique_ptr<PrivateCopy>> load(
      const std::string &path, const std::string &name, std::span<const std::byte> bytes,
      PeFile &file, std::span<const Redirection> redirections);
  ~LibraryCopy() override;

  [[nodiscard]] Status start() override;
  void stop(bool ends_threads_at_fork) override;
  [[nodiscard]] bool has_threads() const override;
  void restore() override;
  [[nodiscard]] void *find(const char *name) const noexcept override;
  [[nodiscard]] void *handle() const noexcept override { return module_; }
  [[nodiscard]] std::size_t size() const noexcept override;
  [[nodiscard]] std::span<std::byte> memory() const noexcept override { return memory_; }
  [[nodiscard]] std::vector<std::span<std::byte>> data() const override;

 private:
  /// Memory that is written to: what is known of it, then zeros.
  struct Data {
    std::byte *start;
    std::vector<std::byte> before;
    std::size_t zeros;
    DWORD protection;
  };

  LibraryCopy() noexcept = default;
  [[nodiscard]] std::byte *at(PeFile::Address address) const noexcept {
    return memory_.data() + address;
  }
  [[nodiscard]] bool redirect(const PeFile &file, std::span<const Redirection> redirections) const;
  void save(const PeFile &file);
  [[nodiscard]] static Data saved(std::byte *start, std::span<const std::byte> before,
                                  std::size_t zeros);
  void save_changes(std::span<std::byte> memory, std::span<const std::byte> before);
  /// What it wants called at its begin (`reason`: DLL_PROCESS_ATTACH), in that order.
  [[nodiscard]] bool begin() const;
  void finalise() const;

  std::string path_;  // of the original
  std::wstring copy_path_;
  HMODULE module_ = nullptr;
  std::span<std::byte> memory_;
  std::size_t copied_ = 0;
  PeFile::Calls calls_;
  std::vector<Data> data_;                   // writable
  std::vector<std::span<std::byte>> fixed_;  // what can be read only, until it has started once
  std::vector<Data> changed_;                // what it has changed of that, or the linker elsewhere
};

}  // namespace interlock
