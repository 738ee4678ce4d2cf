// SPDX-License-Identifier: MIT
#include "extension/images.hpp"

#include "extension/leftovers.hpp"
#include "interpreter/kept.hpp"
#include "interpreter/returns.hpp"
#include "lock/global_lock.hpp"

namespace interlock {
namespace {

/// Files, and modules in them, that support interpreters with own locks. Guarded by the global
/// lock.
std::set<std::pair<std::string, std::string>> &supporting() {
  static auto *const all = new std::set<std::pair<std::string, std::string>>;
  return *all;
}

constexpr const char *kName = "interlock.leftovers";  // in the interpreter's dict

/// CPython clears that dict before the last garbage collection, when modules are gone.
void clear_at_end(PyObject *capsule) {
  clear_leftovers(*static_cast<Images *>(PyCapsule_GetPointer(capsule, kName)));
}

}  // namespace

Images *Images::create_current() {
  if (RefCounted *const known = find_kept(Kept::kImages)) return static_cast<Images *>(known);
  // Before us in the dict: nobody comes in when leftovers are looked for, and it is known what
  // stays with others.
  Ref<Entrance> entrance = Entrance::of_current();
  if (!entrance) {
    PyErr_NoMemory();
    return nullptr;
  }
  Ref<Images> made = make_ref<Images>(*entrance.leak());
  Images *const images = made.get();
  if (!keep(Kept::kImages, std::move(made))) return nullptr;
  if (Returns::create_current() == nullptr) return nullptr;
  const PyRef capsule = PyRef::steal(PyCapsule_New(images, kName, clear_at_end));
  PyObject *const dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
  if (!capsule || PyDict_SetItemString(dict, kName, capsule.get()) != 0) return nullptr;
  return images;
}

Images::~Images() {
  const GlobalLockGuard global;
  libraries_ = PrivateLibraries();
}

Result<PrivateLibraries::Library *> Images::load(const std::string &path,
                                                 PrivateLibraries::Needed copied) {
  return libraries_.load(path, copied);
}

void Images::give_up(const std::string &path, const std::string &module) {
  supporting().insert({path, module});
  unused.insert(path);
}

bool Images::is_given_up(const std::string &path, const std::string &module) {
  return supporting().contains({path, module});
}

void Images::remember(const std::string &path, const std::string &module, PyModuleDef *definition) {
  single_phase_.insert_or_assign({path, module}, definition);
}

PyModuleDef *Images::find(const std::string &path, const std::string &module) const {
  const auto found = single_phase_.find({path, module});
  return found != single_phase_.end() ? found->second : nullptr;
}

}  // namespace interlock
