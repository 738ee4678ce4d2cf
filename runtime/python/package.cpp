// SPDX-License-Identifier: MIT
// The package `interlock` as a builtin module, so that it imports in every way of starting Python:
// it finds the directory of its Python files, becomes a package there and runs __init__.py.
#include <filesystem>
#include <fstream>
#include <string>

#include "platform/process.hpp"
#include "python/module.hpp"

namespace interlock {
namespace {

std::string parent(const std::string &path) { return path.substr(0, path.rfind('/')); }

bool is_package(const std::string &directory) {
  std::error_code error;
  return std::filesystem::exists(directory + "/__init__.py", error);
}

/// In a build tree, the file interlock-tree.txt at its top names the directory.
std::string from_build_tree(const std::string &directory) {
  std::ifstream file(directory + "/interlock-tree.txt");
  std::string path;
  std::getline(file, path);
  return path;
}

/// Beside a program in PREFIX/bin, a library in PREFIX/lib[/TRIPLET], or a build tree's .libs.
std::string package_directory() {
  static const int anchor = 0;
  for (const std::string &object : {executable_path(), object_path(&anchor)}) {
    std::string directory = parent(object);
    for (int level = 0; level < 3 && !directory.empty(); ++level, directory = parent(directory)) {
      const std::string tree = from_build_tree(directory);
      if (!tree.empty() && is_package(tree)) return tree;
      const std::string installed = directory + "/share/interlock/interlock";
      if (is_package(installed)) return installed;
    }
  }
  return INTERLOCK_PACKAGE_DIR;
}

int execute(PyObject *module) {
  const std::string directory = package_directory();
  if (!is_package(directory)) {
    PyErr_Format(PyExc_ImportError,
                 "the Python files of interlock are not in %s: is the installation complete?",
                 directory.c_str());
    return -1;
  }
  const std::string file = directory + "/__init__.py";
  const PyRef path =
      PyRef::steal(Py_BuildValue("[N]", PyUnicode_DecodeFSDefault(directory.c_str())));
  const PyRef name = PyRef::steal(PyUnicode_DecodeFSDefault(file.c_str()));
  if (!path || !name || PyModule_AddObjectRef(module, "__path__", path.get()) != 0 ||
      PyModule_AddObjectRef(module, "__file__", name.get()) != 0 ||
      PyModule_AddStringConstant(module, "__package__", "interlock") != 0)
    return -1;
  const PyRef spec = PyRef::steal(PyObject_GetAttrString(module, "__spec__"));
  if (!spec || PyObject_SetAttrString(spec.get(), "submodule_search_locations", path.get()) != 0)
    return -1;
  const PyRef machinery = PyRef::steal(PyImport_ImportModule("importlib.machinery"));
  if (!machinery) return -1;
  const PyRef loader = PyRef::steal(
      PyObject_CallMethod(machinery.get(), "SourceFileLoader", "sO", "interlock", name.get()));
  if (!loader) return -1;
  const PyRef done = PyRef::steal(PyObject_CallMethod(loader.get(), "exec_module", "O", module));
  return done ? 0 : -1;
}

PyModuleDef_Slot slots[] = {{Py_mod_exec, reinterpret_cast<void *>(execute)},
                            {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
                            {0, nullptr}};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "interlock", nullptr, 0, nullptr, slots, nullptr, nullptr, nullptr};

}  // namespace

extern "C" PyObject *PyInit_interlock() { return PyModuleDef_Init(&definition); }

}  // namespace interlock
