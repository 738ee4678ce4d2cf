// SPDX-License-Identifier: MIT
// How the extension modules of an interpreter are loaded.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace interlock {

enum class ExtensionPolicy : unsigned char {
  kPrivate,  // an image, but what supports interpreters with own locks as CPython does
  kShared,   // as CPython does, which refuses what does not say that it supports them
  kHome,     // in the main interpreter; others have a proxy
  kRefuse,   // not at all
};

/// "private", "shared", "home" or "refuse"; nothing for another name.
[[nodiscard]] std::optional<ExtensionPolicy> extension_policy(std::string_view name) noexcept;
[[nodiscard]] const char *name_of(ExtensionPolicy policy) noexcept;

/// What is known of single modules.
struct KnownExtension {
  std::string_view module;  // and all in it
  ExtensionPolicy policy;
  bool copies_libraries;  // those that it needs, too, even if they do not use the Python C API
  // How its threads end, which no destructor does: by its handlers of fork, or by its function of
  // this name if they are to be 1. Their image could not be used again.
  bool ends_threads_at_fork;
  const char *sets_thread_count;  // or null
  const char *wrong_warning;      // how a UserWarning begins that images make wrong; or null
  const char *reason;
};
/// What is known of `module`, or null.
[[nodiscard]] const KnownExtension *known_extension(std::string_view module) noexcept;

/// A library that modules load by themselves, as with ctypes, and that interpreters cannot share.
struct KnownLibrary {
  std::string_view file;    // its name, without directories
  std::string_view module;  // whose policy holds
  const char *reason;
};
/// What is known of the library that lies at `path`, or null.
[[nodiscard]] const KnownLibrary *known_library(std::string_view path) noexcept;

/// Whether the shared object `path` has static data that point into other modules, which each
/// interpreter has of its own, whatever the module says of itself. False if it cannot be read.
[[nodiscard]] bool uses_api_of_images(const std::string &path);

/// The policies of an interpreter, by module. A package's holds for all in it, the longest name
/// first. Then comes what is known, then the interpreter's own, `private` if nobody says otherwise.
class ExtensionPolicies {
 public:
  /// `module`: "*" for all others. What is refused there does not concern the standard library, of
  /// which nothing would be left.
  void set(std::string module, ExtensionPolicy policy) {
    policies_.insert_or_assign(std::move(module), policy);
  }
  [[nodiscard]] ExtensionPolicy of(std::string_view module, bool is_standard) const noexcept;
  void clear() noexcept { policies_.clear(); }

 private:
  std::map<std::string, ExtensionPolicy, std::less<>> policies_;
};

}  // namespace interlock
