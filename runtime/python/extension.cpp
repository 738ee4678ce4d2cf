// SPDX-License-Identifier: MIT
// The importer of extension modules: what stands for _imp.create_dynamic() in every interpreter but
// the main one, below the normal import system.
#include <algorithm>
#include <iterator>

#include "base/python_compat_types.hpp"
#include "extension/images.hpp"
#include "extension/module_maker.hpp"
#include "lock/global_lock.hpp"
#include "python/blocking.hpp"
#include "python/module.hpp"

namespace interlock {
namespace {

/// Holds the global lock, for an attached thread.
class AttachedGlobalLock {
 public:
  [[nodiscard]] AttachedGlobalLock() : status_(acquire_global_lock(Deadline::never())) {}
  AttachedGlobalLock(const AttachedGlobalLock &) = delete;
  AttachedGlobalLock &operator=(const AttachedGlobalLock &) = delete;
  ~AttachedGlobalLock() {
    if (status_.ok()) (void)GlobalLock::instance().release();
  }
  [[nodiscard]] const Status &status() const noexcept { return status_; }

 private:
  const Status status_;
};

PyObject *create_as_cpython_does(PyObject *module, PyObject *const *values, Py_ssize_t count) {
  Images *const images = Images::create_current();
  if (images == nullptr) return nullptr;
  const CPythonsCheck check(*images);
  const auto &state = *static_cast<ModuleState *>(PyModule_GetState(module));
  return PyObject_Vectorcall(state.create_dynamic, values, static_cast<std::size_t>(count),
                             nullptr);
}

template <typename... Arguments>
bool call_set_up(const char *function, const char *format, Arguments... arguments) {
  const PyRef set_up = PyRef::steal(PyImport_ImportModule("interlock._set_up"));
  return set_up && PyRef::steal(PyObject_CallMethod(set_up.get(), function, format, arguments...));
}

/// Nobody is to be warned of what is not so in an image.
bool ignore_wrong_warning(const KnownExtension *known) {
  return known == nullptr || known->wrong_warning == nullptr ||
         call_set_up("ignore_warning", "sO", known->wrong_warning, PyExc_UserWarning);
}

bool end_threads_at_exit(const KnownExtension *known, PyObject *module) {
  return known == nullptr || known->sets_thread_count == nullptr ||
         call_set_up("end_threads_at_exit", "Os", module, known->sets_thread_count);
}

/// Null without an exception: CPython is to do it.
PyRef create_from_image(ModuleMaker &maker, Images &images) {
  const KnownExtension *const known = known_extension(maker.name());
  PrivateLibraries::Library *library = nullptr;
  {
    const AttachedGlobalLock global;
    if (!global.status().ok()) {
      raise(global.status());
      return {};
    }
    if (Images::is_given_up(maker.path(), maker.name())) return {};
    if (PySys_Audit("import", "sOOOO", maker.name().c_str(), maker.origin(), Py_None, Py_None,
                    Py_None) < 0)
      return {};
    const bool copies_all = known != nullptr && known->copies_libraries;
    Result<PrivateLibraries::Library *> loaded =
        images.load(maker.path(), copies_all ? PrivateLibraries::Needed::kAll
                                             : PrivateLibraries::Needed::kPython);
    if (!loaded.ok()) {
      maker.refuse(loaded.status().message());
      return {};
    }
    library = loaded.value();
    if (known != nullptr && known->ends_threads_at_fork)
      PrivateLibraries::end_threads_at_end(*library);
  }
  if (PyModuleDef *const definition = images.find(maker.path(), maker.name()))
    return maker.make_again(images, *definition);
  if (!maker.call_hook(*library)) return {};
  if (!maker.supports_own_lock() || uses_api_of_images(maker.path())) {
    if (!ignore_wrong_warning(known)) return {};
    PyRef made = maker.make(images);
    return made && end_threads_at_exit(known, made.get()) ? std::move(made) : PyRef();
  }
  const AttachedGlobalLock global;
  if (global.status().ok()) {
    images.give_up(maker.path(), maker.name());
  } else {
    raise(global.status());
  }
  return {};
}

bool is_standard(const std::string &name) {
  PyObject *const names = PySys_GetObject("stdlib_module_names");
  const PyRef first = PyRef::steal(PyUnicode_FromString(name.substr(0, name.find('.')).c_str()));
  const int found = names != nullptr && first ? PySequence_Contains(names, first.get()) : -1;
  if (found < 0) PyErr_Clear();
  return found > 0;
}

PyObject *create_dynamic(PyObject *module, PyObject *const *values, Py_ssize_t count) {
  if (count < 1 || count > 2) {
    PyErr_Format(PyExc_TypeError, "create_dynamic() takes a spec and a file, %zd given", count);
    return nullptr;
  }
  ModuleMaker maker;
  if (!maker.read_spec(values[0])) return nullptr;
  Images *const images = Images::create_current();
  if (images == nullptr) return nullptr;
  switch (images->policies.of(maker.name(), is_standard(maker.name()))) {
    case ExtensionPolicy::kShared:
      return create_as_cpython_does(module, values, count);
    case ExtensionPolicy::kRefuse:
      maker.refuse(
          ("extension module " + maker.name() + " is refused by the policy of this interpreter")
              .c_str());
      return nullptr;
    case ExtensionPolicy::kHome:
    case ExtensionPolicy::kPrivate:
      break;
  }
  if (!PrivateLibraries::are_possible()) return create_as_cpython_does(module, values, count);
  PyRef made = create_from_image(maker, *images);
  if (made || PyErr_Occurred() != nullptr) return made.release();
  return create_as_cpython_does(module, values, count);
}

/// Modules of images may make others while they are executed.
PyObject *execute_any(PyObject *module, PyObject *created) {
  Images *const images = Images::create_current();
  if (images == nullptr) return nullptr;
  const auto &state = *static_cast<ModuleState *>(PyModule_GetState(module));
  const char *const name = PyModule_Check(created) ? PyModule_GetName(created) : "";
  if (name == nullptr) PyErr_Clear();
  if (name == nullptr || !images->made_of_images.contains(name))
    return PyObject_CallOneArg(state.exec_dynamic, created);
  const AnyDefinition any(*images);
  return any.ok() ? PyObject_CallOneArg(state.exec_dynamic, created) : nullptr;
}

PyObject *set_policies(PyObject *, PyObject *given) {
  if (!PyDict_Check(given)) return PyErr_Format(PyExc_TypeError, "a dict is needed, not %T", given);
  Images *const images = Images::create_current();
  if (images == nullptr) return nullptr;
  images->policies.clear();
  PyObject *key;
  PyObject *value;
  for (Py_ssize_t i = 0; PyDict_Next(given, &i, &key, &value) != 0;) {
    const char *const name = PyUnicode_AsUTF8(key);
    const char *const policy = name != nullptr ? PyUnicode_AsUTF8(value) : nullptr;
    if (policy == nullptr) return nullptr;
    const std::optional<ExtensionPolicy> known = extension_policy(policy);
    if (!known) return PyErr_Format(PyExc_ValueError, "%R is no policy", value);
    images->policies.set(name, *known);
  }
  Py_RETURN_NONE;
}

PyObject *images(PyObject *, PyObject *) {
  const Images *const images = Images::create_current();
  PyRef found = images != nullptr ? PyRef::steal(PyDict_New()) : PyRef();
  if (!found) return nullptr;
  for (const PrivateLibraries::Copy &each : images->all()) {
    if (images->unused.contains(each.path)) continue;
    const PyRef path = PyRef::steal(PyUnicode_DecodeFSDefault(each.path.c_str()));
    const PyRef bytes = PyRef::steal(PyLong_FromSize_t(each.bytes));
    if (!path || !bytes || PyDict_SetItem(found.get(), path.get(), bytes.get()) != 0)
      return nullptr;
  }
  return found.release();
}

PyObject *can_have_images(PyObject *, PyObject *) {
  return PyBool_FromLong(PrivateLibraries::are_possible());
}

/// What is left to do for a module that was executed; `done` is null if that failed.
PyObject *finish(PyObject *module, PyObject *created, PyRef done) {
  if (!done || !PyModule_Check(created)) return done.release();
  TypeVersions::assign_own(created);
  const char *const name = PyModule_GetName(created);
  if (name == nullptr) PyErr_Clear();
  const bool is_ctypes = name != nullptr && std::string_view(name) == "_ctypes";
  return is_ctypes && !take_over_ctypes(module, created) ? nullptr : done.release();
}

PyObject *exec_dynamic(PyObject *module, PyObject *created) {
  return finish(module, created, PyRef::steal(execute_any(module, created)));
}

/// Modules of the program that refuse all but the main interpreter.
struct RefusingModule {
  const char *name;
  const char *stand_in;  // null: it keeps nothing, and can be had
};
constexpr RefusingModule kRefusing[] = {
    {"_suggestions", nullptr},
    {"_tracemalloc", "interlock._tracemalloc"},
    {"faulthandler", "interlock._faulthandler"},
};

PyObject *create_stand_in(PyObject *name, const char *stand_in_name) {
  const PyRef stand_in = PyRef::steal(PyImport_ImportModule(stand_in_name));
  PyRef made = stand_in ? PyRef::steal(PyModule_NewObject(name)) : PyRef();
  if (!made || PyDict_Merge(PyModule_GetDict(made.get()), PyModule_GetDict(stand_in.get()), 0) != 0)
    return nullptr;
  return made.release();
}

/// Of modules that are part of the program.
PyObject *create_builtin(PyObject *module, PyObject *spec) {
  const auto &state = *static_cast<ModuleState *>(PyModule_GetState(module));
  const PyRef name = PyRef::steal(PyObject_GetAttrString(spec, "name"));
  if (!name) return nullptr;
  const RefusingModule *const refusing =
      std::ranges::find_if(kRefusing, [&](const RefusingModule &each) {
        return PyUnicode_Check(name.get()) &&
               PyUnicode_CompareWithASCIIString(name.get(), each.name) == 0;
      });
  const bool is_refusing = refusing != std::end(kRefusing);
  if (is_refusing && refusing->stand_in != nullptr)
    return create_stand_in(name.get(), refusing->stand_in);
  Images *const images = Images::create_current();
  if (images == nullptr) return nullptr;
  if (is_refusing) {
    const AnyDefinition any(*images);
    return any.ok() ? PyObject_CallOneArg(state.create_builtin, spec) : nullptr;
  }
  const CPythonsCheck check(*images);
  return PyObject_CallOneArg(state.create_builtin, spec);
}

PyObject *exec_builtin(PyObject *module, PyObject *created) {
  const auto &state = *static_cast<ModuleState *>(PyModule_GetState(module));
  return finish(module, created, PyRef::steal(PyObject_CallOneArg(state.exec_builtin, created)));
}

PyMethodDef functions[] = {
    {"can_have_images", can_have_images, METH_NOARGS,
     "can_have_images()\n--\n\n"
     "Whether interpreters can have extension modules with static data of their own."},
    {"set_extension_policies", set_policies, METH_O,
     "set_extension_policies(policies, /)\n--\n\n"
     "How the calling interpreter loads extension modules from now on: a dict of module, or '*' "
     "for all\nothers, to 'private', 'shared', 'home' or 'refuse'."},
    {"images", images, METH_NOARGS,
     "images()\n--\n\n"
     "The calling interpreter's images: a dict of the real path of the original to the bytes that "
     "the\nimage takes, at most."},
    {nullptr, nullptr, 0, nullptr}};

PyMethodDef importers[] = {{"create_dynamic", as_method(create_dynamic), METH_FASTCALL,
                            "create_dynamic($module, spec, file=None, /)\n--\n\n"
                            "Create an extension module."},
                           {"exec_dynamic", exec_dynamic, METH_O,
                            "exec_dynamic($module, mod, /)\n--\n\n"
                            "Initialize an extension module."},
                           {"create_builtin", create_builtin, METH_O,
                            "create_builtin($module, spec, /)\n--\n\n"
                            "Create a built-in module."},
                           {"exec_builtin", exec_builtin, METH_O,
                            "exec_builtin($module, mod, /)\n--\n\n"
                            "Initialize a built-in module."}};

/// Puts ours in the place of CPython's `_imp.<name>`, which it stores in `original`.
bool replace(PyObject *module, PyMethodDef &function, PyObject *&original) {
  const PyRef imp = PyRef::steal(PyImport_ImportModule("_imp"));
  original = imp ? PyObject_GetAttrString(imp.get(), function.ml_name) : nullptr;
  const PyRef ours =
      original != nullptr ? PyRef::steal(PyCFunction_New(&function, module)) : PyRef();
  return ours && PyObject_SetAttrString(imp.get(), function.ml_name, ours.get()) == 0;
}

}  // namespace

bool add_extensions(PyObject *module, ModuleState &state) {
  const bool is_main = PyInterpreterState_Get() == PyInterpreterState_Main();
  if (!is_main) TypeVersions::assign_own();
  return PyModule_AddFunctions(module, functions) == 0 &&
         (is_main || (replace(module, importers[0], state.create_dynamic) &&
                      replace(module, importers[1], state.exec_dynamic) &&
                      replace(module, importers[2], state.create_builtin) &&
                      replace(module, importers[3], state.exec_builtin)));
}

}  // namespace interlock
