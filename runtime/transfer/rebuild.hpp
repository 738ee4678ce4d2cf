// SPDX-License-Identifier: MIT
// What the parts of an object are put together with, in pickle's way.
#pragma once

#include "base/python_compat.hpp"

namespace interlock {

// Thread: attached.  May run Python code.  False or null: with a Python exception set.

/// A module, imported if need be (new reference).
[[nodiscard]] PyObject *import_module(PyObject *name);
/// The class, function or attribute that a dotted name means in a module (new reference).
[[nodiscard]] PyObject *import_name(PyObject *module_name, PyObject *qualified_name);
/// What copyreg.__newobj__ gives: an instance of a class, by its __new__ alone (new reference).
[[nodiscard]] PyObject *new_object(PyObject *type, PyObject *args);
/// Appends what is in a list.
[[nodiscard]] bool append_all(PyObject *object, PyObject *items);
/// Sets items; `flat`: a list of keys and values in turn.
[[nodiscard]] bool set_all(PyObject *object, PyObject *flat);
/// Gives `object` its state: by `setter`, else by its __setstate__, else as attributes.
[[nodiscard]] bool set_state(PyObject *object, PyObject *setter, PyObject *state);

}  // namespace interlock
