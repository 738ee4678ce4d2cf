// SPDX-License-Identifier: MIT
// What the static data of images still hold when their interpreter ends: mostly a module's own
// functions and classes, in cycles. Nobody will ever use it, and CPython never frees it.
#pragma once

#include "extension/images.hpp"

namespace interlock {

/// Frees what nothing but the images' static data leads to, as the collector frees cycles, but
/// without finalisers: Python code that runs is that of objects that stay, and of those that the
/// collector frees by itself, which it does before.
/// Thread: attached, in the last moments of the interpreter that they belong to, when it can import
/// nothing.
void clear_leftovers(const Images &images);

}  // namespace interlock
