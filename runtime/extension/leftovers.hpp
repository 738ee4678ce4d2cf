// SPDX-License-Identifier: MIT
// What the static data of images still hold when their interpreter ends: mostly a module's own
// functions and classes, in cycles. Nobody will ever use it, and CPython never frees it.
#pragma once

#include "extension/images.hpp"

namespace interlock {

/// Frees what nothing but the images' static data leads to, as the collector frees cycles, but
/// without finalisers. Thread: attached, in the last moments of the interpreter that they belong
/// to, when it can import nothing and runs no more Python code.
void clear_leftovers(const Images &images);

}  // namespace interlock
