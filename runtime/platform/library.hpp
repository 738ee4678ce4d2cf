// SPDX-License-Identifier: MIT
// Shared objects that are loaded once more for one owner alone, with static data of its own:
// private copies. What a copy needs is loaded as ever, unless that uses the Python C API: then it
// is copied, too, once for each owner.
//
// A copy is a file with a name of its own, for dynamic linkers know a library by either. On Linux it
// has the pages that differ, or that the linker looks at; code and constants are the pages of the
// original file, which all copies share, unless the linker runs or changes that code by itself.
// Elsewhere it is whole.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.hpp"

namespace interlock {

/// A function that copies call where the original calls the program's function `name`.
struct Redirection {
  const char *name;
  void *function;
};

/// The copies of one owner. Thread: one at a time, with the global lock held, since initialisers
/// and finalisers run.
class PrivateLibraries {
 public:
  /// `redirections`: the same for all owners, and for good. `about_to_run` is called with the
  /// memory of each copy before its initialisers run.
  explicit PrivateLibraries(std::span<const Redirection> redirections = {},
                            std::function<void(std::span<std::byte>)> about_to_run = {});
  /// Finalises them. What they wrote is gone; the next owner that needs the same gets them as if
  /// they were new. No thread may be in their code, or come back to it, but those that they have
  /// started: what one still works on, nobody gets any more.
  ~PrivateLibraries();
  PrivateLibraries(PrivateLibraries &&) noexcept;
  PrivateLibraries &operator=(PrivateLibraries &&) noexcept;

  /// Whether this system has them; else load() fails.
  [[nodiscard]] static bool are_possible() noexcept;

  /// Ends the finaliser of a copy that the calling thread is in, which waits for what will never
  /// come: nothing more of it runs, and the next one does. Returns if there is none.
  static void leave_finaliser() noexcept;

  /// Child of a fork: no other thread holds anything.
  static void reset_after_fork() noexcept;

  class Library;
  /// Which of the libraries that one needs, and that lie where it says, are copied with it.
  enum class Needed : unsigned char { kPython, kAll };  // those that use the Python C API; all
  /// A copy of the shared object `path`, loaded before or now. Its initialisers run.
  /// Errors: kEINVAL, kESYSTEM, with the path and the reason.
  [[nodiscard]] Result<Library *> load(const std::string &path, Needed copied = Needed::kPython);
  /// At its owner's end, its handlers of fork are called as before one if threads of it run then:
  /// they end these. Not for any library: such a handler may take locks, or wait.
  static void end_threads_at_end(Library &library) noexcept;
  /// What dlopen() would have given for it. It must not be closed.
  [[nodiscard]] static void *handle(const Library &library) noexcept;
  /// What a copy has under this name, or null.
  [[nodiscard]] static void *find(const Library &library, const char *name) noexcept;

  /// A copy, as others see it.
  struct Copy {
    std::string path;                        // of the original
    std::size_t bytes;                       // that it occupies and the original does not, at most
    std::span<std::byte> memory;             // all of it
    std::vector<std::span<std::byte>> data;  // what it may write
  };
  [[nodiscard]] std::vector<Copy> all() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace interlock
