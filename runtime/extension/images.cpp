// SPDX-License-Identifier: MIT
#include "extension/images.hpp"

#include "extension/leftovers.hpp"
#include "interpreter/kept.hpp"
#include "lock/global_lock.hpp"

namespace interlock {
namespace {

/// Paths of what supports interpreters with own locks. Guarded by the global lock.
std::set<std::string> &supporting() {
  static auto *const paths = new std::set<std::string>;
  return *paths;
}

constexpr const char *kName = "interlock.leftovers";  // in the interpreter's dict

/// CPython clears that dict before the last garbage collection, when modules are gone.
void clear_at_end(PyObject *capsule) {
  ImageOwners::remove(PyInterpreterState_Get());
  clear_leftovers(*static_cast<Images *>(PyCapsule_GetPointer(capsule, kName)));
}

}  // namespace

Images *Images::create_current() {
  if (RefCounted *const known = find_kept(Kept::kImages)) return static_cast<Images *>(known);
  Ref<Images> made = make_ref<Images>();
  Images *const images = made.get();
  if (!keep(Kept::kImages, std::move(made))) return nullptr;
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
  Result<PrivateLibraries::Library *> loaded = libraries_.load(path, copied);
  tell_owner();
  return loaded;
}

void Images::discard(PrivateLibraries::Library &library, const std::string &path) {
  libraries_.discard(library);
  tell_owner();
  supporting().insert(path);
}

void Images::tell_owner() const {
  std::vector<std::span<std::byte>> memories;
  for (const PrivateLibraries::Copy &each : libraries_.all()) memories.push_back(each.memory);
  ImageOwners::set(PyInterpreterState_Get(), memories);
}

bool Images::is_discarded(const std::string &path) { return supporting().contains(path); }

void Images::remember(const std::string &path, const std::string &module, PyModuleDef *definition) {
  single_phase_.insert_or_assign({path, module}, definition);
}

PyModuleDef *Images::find(const std::string &path, const std::string &module) const {
  const auto found = single_phase_.find({path, module});
  return found != single_phase_.end() ? found->second : nullptr;
}

}  // namespace interlock
