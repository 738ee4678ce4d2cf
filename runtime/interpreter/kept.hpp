// SPDX-License-Identifier: MIT
// What an interpreter keeps beyond the life of its objects: CPython does not say when the last of
// them is gone before Py_EndInterpreter() has returned. An interpreter that anybody else ends, and
// the main one, keep it for good.
#pragma once

#include "base/python_compat.hpp"
#include "base/ref.hpp"

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

/// First thing in a thread that will call drop_at_thread_end(). What it drops goes after all that
/// is local to the thread and was made later.
void expect_drop_at_thread_end() noexcept;
/// Drops `object`, the only one, when the calling thread ends; later than all else if that is
/// expected.
void drop_at_thread_end(Ref<RefCounted> object) noexcept;

}  // namespace interlock
