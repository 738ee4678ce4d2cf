// SPDX-License-Identifier: MIT
// What an interpreter keeps beyond the life of its objects: CPython does not say when the last of
// them is gone before Py_EndInterpreter() has returned. An interpreter that anybody else ends, and
// the main one, keep it for good.
#pragma once

#include "base/python_compat.hpp"
#include "base/ref.hpp"
#include "platform/thread.hpp"

namespace interlock {

enum class Kept : std::uint8_t {
  kArenaPins,  // until the last object is gone
  kImages,     // until the home thread is gone, too: what is local to a thread ends with it
};

/// What the calling interpreter keeps, or null. Valid until it has ended.  Thread: attached.
[[nodiscard]] RefCounted *find_kept(Kept kind) noexcept;
/// Keeps `object`, the first of its kind.  Thread: attached.  False with a Python exception set.
[[nodiscard]] bool keep(Kept kind, Ref<RefCounted> object);
/// Takes it over from the calling interpreter, which the caller is about to end.  Thread: attached.
[[nodiscard]] Ref<RefCounted> take_kept(Kept kind) noexcept;

/// `thread` is about to end, and nobody else waits for that: `rest` is dropped when it has.
/// Thread: any, attached or not.
void leave_behind(Thread thread, Ref<RefCounted> rest);
/// Drops what was left behind. Thread: any; not attached.  Blocks: for as long as those threads
/// need to end.
void clear_away();
/// Child of a fork: those threads are not here.
void forget_rests_after_fork() noexcept;

}  // namespace interlock
