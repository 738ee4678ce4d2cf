// SPDX-License-Identifier: MIT
// Which interpreter owns each block of CPython's memory, in builds with --enable-owner-tags. The
// allocator writes it in front of the block; nobody owns what is in a message. Whoever frees,
// resizes or reaches a block that is another's has broken the ownership law
// (transfer/TRANSFER.md): the process ends with a message that says whose it is.
// In other builds all of this is nothing.
#pragma once

#include <cstdint>

namespace interlock::owner_tags {

#ifdef INTERLOCK_OWNER_TAGS

/// Between preinitialize() and the initialisation of CPython. Where objects do not move anyway, no
/// block has an owner.
void install() noexcept;

// `what` names the block in messages. A block is what the allocator gave; null and any memory that
// it did not give, such as static objects, belong to all.

/// The calling interpreter gives a block away: nobody owns it now.  Thread: attached.
void leave(void *block, const char *what) noexcept;
/// The calling interpreter takes a block that nobody owns, or that is its own.  Thread: attached.
void arrive(void *block, const char *what) noexcept;
/// The calling interpreter reaches a block from `holder`.  Thread: attached.
void check(const void *block, const char *what, const char *holder) noexcept;

#else

inline void install() noexcept {}
inline void leave(void *, const char *) noexcept {}
inline void arrive(void *, const char *) noexcept {}

#endif

}  // namespace interlock::owner_tags
