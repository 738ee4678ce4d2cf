// SPDX-License-Identifier: MIT
#include "extension/module_maker.hpp"

#include <algorithm>
#include <bit>

namespace interlock {
namespace {

[[nodiscard]] PyRef attribute(PyObject *object, const char *name) {
  return PyRef::steal(PyObject_GetAttrString(object, name));
}

void raise_system_error(const char *format, const std::string &name) {
  const PyRef cause = PyRef::steal(PyErr_GetRaisedException());
  PyErr_Format(PyExc_SystemError, format, name.c_str());
  if (!cause) return;
  PyRef raised = PyRef::steal(PyErr_GetRaisedException());
  PyException_SetCause(raised.get(), Py_NewRef(cause.get()));
  PyException_SetContext(raised.get(), Py_NewRef(cause.get()));
  PyErr_SetRaisedException(raised.release());
}

}  // namespace

AnyDefinition::AnyDefinition(Images &images) : images_(images) {
  // Others of the interpreter's threads may have one, too.
  ok_ = images_.any_definition_count++ != 0 || override_check(-1);
}

AnyDefinition::~AnyDefinition() {
  if (--images_.any_definition_count != 0) return;
  PyRef raised = PyRef::steal(PyErr_GetRaisedException());
  if (!override_check(0)) PyErr_Clear();
  PyErr_SetRaisedException(raised.release());
}

CPythonsCheck::CPythonsCheck(Images &images) : images_(images) {
  if (images_.any_definition_count != 0 && !AnyDefinition::override_check(0)) PyErr_Clear();
}

CPythonsCheck::~CPythonsCheck() {
  if (images_.any_definition_count == 0) return;
  PyRef raised = PyRef::steal(PyErr_GetRaisedException());
  if (!AnyDefinition::override_check(-1)) PyErr_Clear();
  PyErr_SetRaisedException(raised.release());
}

/// `_imp._override_multi_interp_extensions_check()`: 3.12-3.15, for interpreters but the main one.
bool AnyDefinition::override_check(int value) {
  const PyRef module = PyRef::steal(PyImport_ImportModule("_imp"));
  if (!module) return false;
  const PyRef done = PyRef::steal(
      PyObject_CallMethod(module.get(), "_override_multi_interp_extensions_check", "i", value));
  return static_cast<bool>(done);
}

bool ModuleMaker::read_spec(PyObject *spec) {
  spec_ = spec;
  name_object_ = attribute(spec, "name");
  origin_ = name_object_ ? attribute(spec, "origin") : PyRef();
  if (!origin_) return false;
  if (!PyUnicode_Check(name_object_.get()) || !PyUnicode_Check(origin_.get())) {
    PyErr_SetString(PyExc_TypeError, "the spec's name and origin must be str");
    return false;
  }
  PyObject *encoded = nullptr;
  if (PyUnicode_FSConverter(origin_.get(), &encoded) == 0) return false;
  const PyRef path = PyRef::steal(encoded);
  const char *const name = PyUnicode_AsUTF8(name_object_.get());
  if (name == nullptr) return false;
  full_name_ = name;
  path_ = PyBytes_AS_STRING(path.get());
  return encode_name();
}

/// As PEP 489 has it: the last part of the name, in ASCII or Punycode.
bool ModuleMaker::encode_name() {
  const std::string last = full_name_.substr(full_name_.rfind('.') + 1);
  is_ascii_ = std::ranges::all_of(last, [](char each) { return (each & 0x80) == 0; });
  hook_name_ = last;
  if (!is_ascii_) {
    const PyRef text = PyRef::steal(PyUnicode_FromString(last.c_str()));
    const PyRef encoded =
        text ? PyRef::steal(PyUnicode_AsEncodedString(text.get(), "punycode", nullptr)) : PyRef();
    if (!encoded) return false;
    hook_name_ = PyBytes_AS_STRING(encoded.get());
  }
  std::ranges::replace(hook_name_, '-', '_');
  return true;
}

bool ModuleMaker::call_hook(const PrivateLibraries::Library &library) {
  const std::string kind = is_ascii_ ? "_" : "U_";
  if constexpr (ModuleSlots::kCanBeExported) {
    const std::string name = "PyModExport" + kind + hook_name_;
    if (void *const found = PrivateLibraries::find(library, name.c_str())) {
      slots_ = std::bit_cast<Export *>(found)();
      if (slots_ != nullptr || PyErr_Occurred() != nullptr) return slots_ != nullptr;
      raise_system_error("slot export function for module %s failed without setting an exception",
                         hook_name_);
      return false;
    }
  }
  const std::string name = "PyInit" + kind + hook_name_;
  init_ = std::bit_cast<Init *>(PrivateLibraries::find(library, name.c_str()));
  if (init_ == nullptr) {
    refuse(("dynamic module does not define module export function (" + name + ")").c_str());
    return false;
  }
  module_ = PyRef::steal(init_());
  return check_result();
}

/// What the hook gave: a module, or a definition of one.
bool ModuleMaker::check_result() {
  if (!module_) {
    if (PyErr_Occurred() == nullptr)
      raise_system_error("initialization of %s failed without raising an exception", hook_name_);
    return false;
  }
  PyObject *const result = module_.get();
  if (PyErr_Occurred() != nullptr) {
    (void)module_.release();  // nobody knows what it is
    raise_system_error("initialization of %s raised unreported exception", hook_name_);
    return false;
  }
  if (Py_IS_TYPE(result, nullptr)) {
    (void)module_.release();
    raise_system_error("init function of %s returned uninitialized object", hook_name_);
    return false;
  }
  if (PyObject_TypeCheck(result, &PyModuleDef_Type)) {
    definition_ = reinterpret_cast<PyModuleDef *>(module_.release());  // static, borrowed
    return true;
  }
  if (!is_ascii_) {
    raise_system_error("initialization of %s did not return PyModuleDef", hook_name_);
    return false;
  }
  if (!PyModule_Check(result)) {
    raise_system_error("initialization of %s did not return an extension module", hook_name_);
    return false;
  }
  if (PyModule_GetDef(result) == nullptr) {
    PyErr_Clear();
    raise_system_error("initialization of %s did not return a valid extension module", hook_name_);
    return false;
  }
  return true;
}

bool ModuleMaker::supports_own_lock() const noexcept {
  if (slots_ != nullptr) return ModuleSlots::support_own_lock(slots_);
  return definition_ != nullptr && ModuleSlots::support_own_lock(definition_->m_slots);
}

PyRef ModuleMaker::make(Images &images) {
  images.made_of_images.insert(full_name_);
  if (!module_) return create_multi_phase(images);
  PyModuleDef *const definition = PyModule_GetDef(module_.get());
  fix_names(module_.get());
  if (!finish(images, module_.get(), *definition)) return {};
  if (definition->m_size >= 0) {
    definition->m_base.m_init = init_;
  } else {
    // CPython drops it when the interpreter ends (_PyImport_ClearModulesByIndex(), 3.13-3.15).
    PyObject *const copy = PyDict_Copy(PyModule_GetDict(module_.get()));
    if (copy == nullptr) return {};
    Py_XSETREF(definition->m_base.m_copy, copy);
  }
  images.remember(path_, full_name_, definition);
  return std::move(module_);
}

PyRef ModuleMaker::create_multi_phase(Images &images) const {
  const AnyDefinition any(images);
  if (!any.ok()) return {};
  if (slots_ != nullptr) return PyRef::steal(ModuleSlots::create_module(slots_, spec_));
  return PyRef::steal(PyModule_FromDefAndSpec(definition_, spec_));
}

PyRef ModuleMaker::make_again(Images &images, PyModuleDef &definition) {
  if (definition.m_size >= 0) {
    init_ = definition.m_base.m_init;
    module_ = PyRef::steal(init_());
    return check_result() ? make(images) : PyRef();
  }
  // It cannot be initialised twice: its attributes are what they were then.
  PyRef module = PyRef::steal(PyImport_AddModuleRef(full_name_.c_str()));
  if (!module || PyDict_Update(PyModule_GetDict(module.get()), definition.m_base.m_copy) != 0 ||
      !finish(images, module.get(), definition))
    return {};
  return module;
}

/// What CPython does with a module of single-phase initialisation.
bool ModuleMaker::finish(Images &, PyObject *module, PyModuleDef &definition) {
  if (PyObject_SetAttrString(module, "__file__", origin_.get()) != 0) PyErr_Clear();
  // A module may have done it itself; doing it twice would end the process.
  if (PyState_FindModule(&definition) != module && PyState_AddModule(module, &definition) != 0)
    return false;
  return PyObject_SetItem(PyImport_GetModuleDict(), name_object_.get(), module) == 0;
}

/// CPython tells PyModule_Create() the full name, by a variable that is its own: a module of
/// single-phase initialisation knows the last part only.
void ModuleMaker::fix_names(PyObject *module) const {
  const char *const given = PyModule_GetName(module);
  if (given == nullptr) return PyErr_Clear();
  if (given == full_name_ || given != full_name_.substr(full_name_.rfind('.') + 1)) return;
  PyObject *key;
  PyObject *value;
  for (Py_ssize_t i = 0; PyDict_Next(PyModule_GetDict(module), &i, &key, &value) != 0;) {
    if (!PyCFunction_Check(value) || PyCFunction_GET_SELF(value) != module) continue;
    PyObject *&named = reinterpret_cast<PyCFunctionObject *>(value)->m_module;
    Py_XSETREF(named, Py_NewRef(name_object_.get()));
  }
  if (PyObject_SetAttrString(module, "__name__", name_object_.get()) != 0) PyErr_Clear();
}

void ModuleMaker::refuse(const char *text) const {
  const PyRef message = PyRef::steal(PyUnicode_DecodeFSDefault(text));
  if (message) PyErr_SetImportError(message.get(), name_object_.get(), origin_.get());
}

}  // namespace interlock
