// SPDX-License-Identifier: MIT
// What is known of NumPy, whose arrays are what is moved most: their own __reduce_ex__(5) spends
// most of its time on imports, and its dtype is mostly one of two dozen that NumPy makes once.
// Anything else about an array is as its own parts say.
#pragma once

#include "base/python_compat.hpp"

namespace interlock {

/// Whether the instances of a class are dtypes. One without parameters is the only instance that
/// its class gives, which is in numpy.dtypes (NumPy 1.25 and newer); the reducer that copyreg has
/// for such classes says that they cross by their names.
[[nodiscard]] bool is_dtype_class(const PyTypeObject *type) noexcept;
/// Whether a function says that it is of NumPy, as that reducer does.
[[nodiscard]] bool is_function_of_numpy(PyObject *object) noexcept;
/// Whether a class is numpy.ndarray itself.
[[nodiscard]] bool is_ndarray(const PyTypeObject *type) noexcept;

}  // namespace interlock
