// SPDX-License-Identifier: MIT
// What a thread has of the thread that created it, whoever created it and how: with pthread_create()
// by any code of the process, where the program's symbols come first (not with Clang's sanitizers,
// which have a pthread_create() of their own: there by copies of libraries only).
#pragma once

namespace interlock {

struct ThreadHeritage {
  /// What the calling thread gives to one that it is about to create; null for nothing. Called in
  /// the middle of any code: takes locks of the rank kLeaf only.
  void *(*give)() noexcept;
  /// Ends one that was given, in the thread that has it or in the one that could not create it.
  void (*drop)(void *) noexcept;
};

/// From now on threads inherit. Once in a process, while nobody else creates threads.
void set_thread_heritage(const ThreadHeritage &heritage) noexcept;
/// What the calling thread was given, or null. It has it until its last thread-specific data are
/// gone.
[[nodiscard]] void *thread_heritage() noexcept;

/// Child of a fork.
void reset_thread_creation_after_fork() noexcept;

}  // namespace interlock
