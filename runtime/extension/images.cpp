// SPDX-License-Identifier: MIT
#include "extension/images.hpp"

#include "interpreter/kept.hpp"
#include "lock/global_lock.hpp"

namespace interlock {
namespace {

/// Paths of what supports interpreters with own locks. Guarded by the global lock.
std::set<std::string> &supporting() {
  static auto *const paths = new std::set<std::string>;
  return *paths;
}

}  // namespace

Images *Images::create_current() {
  if (RefCounted *const known = find_kept(Kept::kImages)) return static_cast<Images *>(known);
  Ref<Images> made = make_ref<Images>();
  return keep(Kept::kImages, made) ? made.get() : nullptr;
}

Images::~Images() {
  const GlobalLockGuard global;
  libraries_ = PrivateLibraries();
}

Result<PrivateLibraries::Library *> Images::load(const std::string &path) {
  return libraries_.load(path);
}

void Images::discard(PrivateLibraries::Library &library, const std::string &path) {
  libraries_.discard(library);
  supporting().insert(path);
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
