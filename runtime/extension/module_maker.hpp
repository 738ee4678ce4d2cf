// SPDX-License-Identifier: MIT
// Makes an extension module of a loaded shared object, in the calling interpreter: what CPython's
// importer does once it has found the module's hook, without its first step for subinterpreters,
// which is to try single-phase initialisation in the main one (import_run_extension(), 3.13-3.15).
#pragma once

#include <string>

#include "base/python_compat.hpp"
#include "extension/images.hpp"

namespace interlock {

/// While one lives, CPython makes modules of definitions that do not support the calling
/// interpreter, as those of images need not. Thread: attached.
class AnyDefinition {
 public:
  [[nodiscard]] explicit AnyDefinition(Images &images);
  AnyDefinition(const AnyDefinition &) = delete;
  AnyDefinition &operator=(const AnyDefinition &) = delete;
  ~AnyDefinition();
  /// Else a Python exception is set.
  [[nodiscard]] bool ok() const noexcept { return ok_; }

 private:
  friend class CPythonsCheck;
  [[nodiscard]] static bool override_check(int value);
  Images &images_;
  bool ok_;
};

/// While one lives, CPython checks definitions as ever, whatever images are being made around it.
class CPythonsCheck {
 public:
  [[nodiscard]] explicit CPythonsCheck(Images &images);
  CPythonsCheck(const CPythonsCheck &) = delete;
  CPythonsCheck &operator=(const CPythonsCheck &) = delete;
  ~CPythonsCheck();

 private:
  Images &images_;
};

/// One module. Thread: attached.
class ModuleMaker {
 public:
  /// False with a Python exception set if `spec` is no importlib.machinery.ModuleSpec of a file.
  /// `spec` must outlive this.
  [[nodiscard]] bool read_spec(PyObject *spec);
  [[nodiscard]] const std::string &name() const noexcept { return full_name_; }
  /// The file that the module is in.
  [[nodiscard]] const std::string &path() const noexcept { return path_; }
  /// The same for Python.
  [[nodiscard]] PyObject *origin() const noexcept { return origin_.get(); }

  /// Calls the hook of the module in `library`. False with a Python exception set.
  [[nodiscard]] bool call_hook(const PrivateLibraries::Library &library);
  /// Whether the module says that it supports interpreters with locks of their own.
  [[nodiscard]] bool supports_own_lock() const noexcept;
  /// The module; null with a Python exception set.
  [[nodiscard]] PyRef make(Images &images);
  /// A module of single-phase initialisation that the interpreter has imported before.
  [[nodiscard]] PyRef make_again(Images &images, PyModuleDef &definition);

  /// Raises an ImportError that says `text`, about this module.
  void refuse(const char *text) const;

 private:
  using Init = PyObject *();
  using Export = const ModuleSlots::Exported *();

  [[nodiscard]] bool encode_name();
  [[nodiscard]] bool check_result();
  [[nodiscard]] bool finish(Images &images, PyObject *module, PyModuleDef &definition);
  void fix_names(PyObject *module) const;
  [[nodiscard]] PyRef create_multi_phase(Images &images) const;

  PyObject *spec_ = nullptr;  // borrowed
  PyRef name_object_;
  PyRef origin_;
  std::string full_name_;
  std::string path_;
  std::string hook_name_;  // what follows PyInit and PyModExport
  bool is_ascii_ = true;

  // Of these one is set by call_hook().
  PyRef module_;
  PyModuleDef *definition_ = nullptr;
  const ModuleSlots::Exported *slots_ = nullptr;
  Init *init_ = nullptr;
};

}  // namespace interlock
