// SPDX-License-Identifier: MIT
// The ownership law, checked: which blocks of memory a graph or an interpreter consists of, for the
// tags of interpreter/owner_tags.hpp. In builds without tags all of this is nothing.
#pragma once

#include <cstddef>

#include "base/python_compat.hpp"
#include "interpreter/owner_tags.hpp"

namespace interlock {

class MovedGraph;

namespace owner_tags {

#ifdef INTERLOCK_OWNER_TAGS

/// The calling interpreter has given the graph away, or takes it.  Thread: attached.
void leave(const MovedGraph &graph);
void arrive(const MovedGraph &graph);
/// The same for a leaf with its storage.  Thread: attached.
void leave_leaf(PyObject *leaf);
/// Ends the process if anything that the collector of the calling interpreter knows, or what that
/// leads to, is another's.  Returns how many references it has looked at.  Thread: attached.
[[nodiscard]] std::size_t check_interpreter();

#else

inline void leave(const MovedGraph &) {}
inline void arrive(const MovedGraph &) {}
inline void leave_leaf(PyObject *) {}

#endif

}  // namespace owner_tags
}  // namespace interlock
