// SPDX-License-Identifier: MIT
// The images of an interpreter: private copies of the shared objects of its extension modules.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/python_compat.hpp"
#include "base/python_compat_extension.hpp"
#include "base/ref.hpp"
#include "extension/policy.hpp"
#include "extension/redirections.hpp"
#include "platform/library.hpp"

namespace interlock {

/// One for each interpreter that asks for it; the interpreter's lock guards it, the global lock in
/// addition what loads. It goes when the interpreter and its home thread have ended;
/// the images are then ready for another interpreter.
class Images final : public RefCounted {
 public:
  /// Of the calling interpreter, made if need be; null with a Python exception set. Valid until the
  /// interpreter has ended.  Thread: attached.
  [[nodiscard]] static Images *create_current();

  ExtensionPolicies policies;
  std::set<std::string> made_of_images;  // modules, by name
  unsigned any_definition_count = 0;     // of module_maker.hpp

  /// Locks: the global lock.  Errors: those of PrivateLibraries::load().
  [[nodiscard]] Result<PrivateLibraries::Library *> load(const std::string &path,
                                                         PrivateLibraries::Needed copied);
  /// The module is to be loaded as CPython does instead, by every interpreter from now on. The
  /// image stays: its code may have run, and left something.  Locks: the global lock.
  void give_up(const std::string &path, const std::string &module);
  /// Whether any interpreter has.  Locks: the global lock.
  [[nodiscard]] static bool is_given_up(const std::string &path, const std::string &module);
  [[nodiscard]] std::vector<PrivateLibraries::Copy> all() const { return libraries_.all(); }
  /// Paths of images that no module is made of.
  std::set<std::string> unused;

  // Modules of single-phase initialisation, by the file's path and their name, when they are
  // imported once more.
  void remember(const std::string &path, const std::string &module, PyModuleDef *definition);
  [[nodiscard]] PyModuleDef *find(const std::string &path, const std::string &module) const;

 private:
  explicit Images(Entrance &entrance) noexcept : entrance_(entrance) {}
  ~Images() override;
  template <typename T, typename... Args>
  friend Ref<T> make_ref(Args &&...args);

  Entrance &entrance_;  // which is never freed: 100 bytes
  PrivateLibraries libraries_{
      redirections(), [this](std::span<std::byte> memory) { ImageOwners::add(memory, entrance_); }};
  std::map<std::pair<std::string, std::string>, PyModuleDef *> single_phase_;
};

}  // namespace interlock
