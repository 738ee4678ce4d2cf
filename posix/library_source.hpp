// SPDX-License-Identifier: MIT
// What each system has of its own for private copies: its files and its linker. Which libraries are
// copied, and for whom, is the same everywhere: library.cpp.
// Thread: with the global lock held.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.hpp"
#include "platform/library.hpp"

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

/// A copy that is loaded. What it writes is known, and can be made what it was: it serves one owner
/// after another.
class PrivateCopy {
 public:
  PrivateCopy() noexcept = default;
  PrivateCopy(const PrivateCopy &) = delete;
  PrivateCopy &operator=(const PrivateCopy &) = delete;
  /// Unloads it. It must not be started.
  virtual ~PrivateCopy() = default;

  /// Runs its initialisers.  Errors: kESYSTEM, if it says that it cannot be used: then it has
  /// finalised itself.
  [[nodiscard]] virtual Status start() = 0;
  /// Runs its finalisers; before them, if threads of it run and end at a fork, what it wants called
  /// before one.
  virtual void stop(bool ends_threads_at_fork) = 0;
  /// Whether a thread is in it: one that it started and that has not ended, or one that forks.
  [[nodiscard]] virtual bool has_threads() const = 0;
  /// Makes its data what they were before start(). No thread may be in its code, or come back to
  /// it.
  virtual void restore() = 0;

  [[nodiscard]] virtual void *find(const char *name) const noexcept = 0;
  [[nodiscard]] virtual void *handle() const noexcept = 0;
  /// Bytes of the file that were copied, and what is kept of its data.
  [[nodiscard]] virtual std::size_t size() const noexcept = 0;
  /// All of it, and what it may write.
  [[nodiscard]] virtual std::span<std::byte> memory() const noexcept = 0;
  [[nodiscard]] virtual std::vector<std::span<std::byte>> data() const = 0;
};

/// The file of a library, of which a copy can be made once.
class LibrarySource {
 public:
  /// Only looks which file it is. `path`: the real one.  Errors: kEINVAL; kESYSTEM, saying what the
  /// system says.
  [[nodiscard]] static Result<std::unique_ptr<LibrarySource>> open(const std::string &path);
  LibrarySource() noexcept = default;
  LibrarySource(const LibrarySource &) = delete;
  LibrarySource &operator=(const LibrarySource &) = delete;
  virtual ~LibrarySource() = default;
  [[nodiscard]] virtual const FileIdentity &identity() const noexcept = 0;

  /// Before all that follows.  Errors: kEINVAL, saying what is wrong with the file.
  [[nodiscard]] virtual Status read() = 0;
  /// What it has to do with the Python C API.
  struct PythonUse {
    bool takes;    // something from it
    bool defines;  // parts of it
  };
  [[nodiscard]] virtual PythonUse python_use() const noexcept = 0;
  struct Needed {
    std::string name;
    std::string path;
  };
  /// What it needs and is found where it says. The linker knows the rest, or where to look.
  [[nodiscard]] virtual std::vector<Needed> needed() const = 0;
  /// The name that others need it by; nothing if there is none that can be changed.
  [[nodiscard]] virtual std::string name() const = 0;
  /// Changes that, or the name of what it needs, to another of the same length. False if it cannot.
  [[nodiscard]] virtual bool rename(const std::string &name, const std::string &other) = 0;
  /// Loads what it needs, for as long as something else needs that, or this lives.  Errors:
  /// kESYSTEM, with the path.
  [[nodiscard]] virtual Status share(const Needed &needed) = 0;
  /// Loads the copy. Nothing of it runs yet, but for what the linker calls to find addresses.
  /// `name`: by which others may need it, or nothing.  Errors: kEINVAL; kESYSTEM with what the
  /// linker says.
  [[nodiscard]] virtual Result<std::unique_ptr<PrivateCopy>> load(
      const std::string &name, std::span<const Redirection> redirections) = 0;
};

/// One whose file is mapped, and read as a File.
template <typename Mapped, typename File>
class MappedSource : public LibrarySource {
 public:
  MappedSource(const std::string &path, Mapped mapped) : path_(path), mapped_(std::move(mapped)) {}

  [[nodiscard]] const FileIdentity &identity() const noexcept override {
    return mapped_.identity();
  }
  [[nodiscard]] Status read() override {
    Result<File> file = File::open(mapped_.bytes());
    if (!file.ok()) return {file.status().code(), "'" + path_ + "': " + file.status().message()};
    file_.emplace(std::move(file.value()));
    return {};
  }
  [[nodiscard]] PythonUse python_use() const noexcept override {
    return {file_->uses_python(), file_->is_python()};
  }

 protected:
  const std::string path_;
  Mapped mapped_;
  std::optional<File> file_;  // once it was read
};

/// Child of a fork: no other thread holds anything.
void reset_copies_after_fork() noexcept;

}  // namespace interlock
