// SPDX-License-Identifier: MIT
// Files that are made for the dynamic linker, which wants a path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/status.hpp"

namespace interlock {

/// A file without a name; or where the linker takes none such, in the private directory, for as
/// long as this lives. Empty at first.
class LinkerFile {
 public:
  LinkerFile() noexcept = default;
  LinkerFile(const LinkerFile &) = delete;
  LinkerFile &operator=(const LinkerFile &) = delete;
  ~LinkerFile();

  /// `name` is for people who look at the process.  Errors: kESYSTEM.
  [[nodiscard]] Status open(const std::string &name);
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  /// Which no other has or had.
  [[nodiscard]] const std::string &path() const noexcept { return path_; }
  /// Whether it lies in the private directory.
  [[nodiscard]] bool has_name() const noexcept { return has_name_; }
  /// False with errno.
  [[nodiscard]] bool write(std::uint64_t offset, std::span<const std::byte> bytes) const noexcept;

 private:
  int descriptor_ = -1;
  std::string path_;
  bool has_name_ = false;
};

/// A name of a file in a directory of its own, inside the private one, for as long as this lives.
class LinkerName {
 public:
  LinkerName() noexcept = default;
  LinkerName(const LinkerName &) = delete;
  LinkerName &operator=(const LinkerName &) = delete;
  ~LinkerName();

  /// Errors: kESYSTEM.
  [[nodiscard]] Status create(const std::string &name, const std::string &path);
  [[nodiscard]] const std::string &directory() const noexcept { return directory_; }
  [[nodiscard]] const std::string &path() const noexcept { return path_; }

 private:
  std::string directory_;
  std::string path_;
};

/// A path of the same file that nobody else uses: the linker would take a name that it knows for
/// the library that it knows by it. `number` is written as "/" and "/." between directory and file.
[[nodiscard]] std::string spelled(const std::string &path, std::uint64_t number);
/// One that nothing else was spelled with.
[[nodiscard]] std::uint64_t next_spelling() noexcept;

}  // namespace interlock
