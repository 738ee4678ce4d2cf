// SPDX-License-Identifier: MIT
// How extension modules say what they are, by the version of CPython. Part of python_compat.hpp.
#pragma once

#include "base/python_compat.hpp"

namespace interlock {

/// The slots of a module's definition.
class ModuleSlots {
 public:
  /// Of multi-phase initialisation (PEP 489). Thread: attached.
  [[nodiscard]] static bool support_own_lock(const PyModuleDef_Slot *slots) noexcept {
    for (; slots != nullptr && slots->slot != 0; ++slots) {
      if (says_own_lock(slots->slot, slots->value)) return true;
#ifdef Py_slot_subslots
      if (slots->slot == Py_slot_subslots && support_own_lock(static_cast<PySlot *>(slots->value)))
        return true;
      if (slots->slot == Py_mod_slots &&
          support_own_lock(static_cast<PyModuleDef_Slot *>(slots->value)))
        return true;
#endif
    }
    return false;
  }

  // PEP 793 and 820, new in 3.15: a function PyModExport_NAME() gives slots, of which CPython makes
  // a module without a definition that is static data.
#ifdef Py_slot_subslots
  static constexpr bool kCanBeExported = true;
  using Exported = PySlot;
  [[nodiscard]] static bool support_own_lock(const PySlot *slots) noexcept {
    for (; slots != nullptr && slots->sl_id != 0; ++slots) {
      if (says_own_lock(slots->sl_id, slots->sl_ptr)) return true;
      if (slots->sl_id == Py_slot_subslots &&
          support_own_lock(static_cast<PySlot *>(slots->sl_ptr)))
        return true;
      if (slots->sl_id == Py_mod_slots &&
          support_own_lock(static_cast<PyModuleDef_Slot *>(slots->sl_ptr)))
        return true;
    }
    return false;
  }
  [[nodiscard]] static PyObject *create_module(const PySlot *slots, PyObject *spec) {
    return PyModule_FromSlotsAndSpec(slots, spec);
  }
#else
  static constexpr bool kCanBeExported = false;
  using Exported = PyModuleDef_Slot;
  [[nodiscard]] static PyObject *create_module(const Exported *, PyObject *) { return nullptr; }
#endif

 private:
  /// 3.15 has a second number for it, which what is built for it alone has.
  [[nodiscard]] static bool says_own_lock(int slot, void *value) noexcept {
    return (slot == Py_mod_multiple_interpreters || slot == 3 || slot == 86) &&
           value == Py_MOD_PER_INTERPRETER_GIL_SUPPORTED;
  }
};

}  // namespace interlock
