// SPDX-License-Identifier: MIT
#include "extension/policy.hpp"

#include <algorithm>
#include <array>
#include <fstream>

namespace interlock {
namespace {

constexpr std::array<const char *, 4> kNames = {"private", "shared", "home", "refuse"};

constexpr KnownExtension kKnown[] = {
    {"h5py", ExtensionPolicy::kPrivate, true, false, nullptr, nullptr,
     "libhdf5 is not thread-safe, and calls functions that an image has registered with it"},
    {"numpy._core._multiarray_umath", ExtensionPolicy::kPrivate, false, false, nullptr,
     "NumPy was imported from a Python sub-interpreter",
     "it warns that its static data are shared with other interpreters, which those of an image "
     "are "
     "not"},
    {"scipy.fft._duccfft", ExtensionPolicy::kPrivate, false, true, nullptr, nullptr,
     "no destructor ends its pool of threads, which a fork does"},
    {"cv2", ExtensionPolicy::kPrivate, false, false, "setNumThreads", nullptr,
     "no destructor ends its pool of threads, which goes when it is to have one"},
};

constexpr KnownLibrary kKnownLibraries[] = {
    {"libllvmlite.so", "llvmlite",
     "LLVM's global context is used by one thread at a time, and the lock of llvmlite is one "
     "interpreter's"},
};

/// How shared objects name what they take from other modules and keep in static data.
constexpr std::string_view kApisOfImages[] = {
    "_ARRAY_API",  // NumPy's table of functions and types: import_array() stores where it is
    "_UFUNC_API",  // the same for its universal functions
};

/// `name`, then what it is in, for as long as `find` gives nothing.
template <typename Find>
auto find_outwards(std::string_view name, Find find) {
  for (;;) {
    if (auto found = find(name)) return found;
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos) return decltype(find(name))();
    name = name.substr(0, dot);
  }
}

}  // namespace

std::optional<ExtensionPolicy> extension_policy(std::string_view name) noexcept {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<ExtensionPolicy>(found - kNames.begin());
}

const char *name_of(ExtensionPolicy policy) noexcept {
  return kNames[static_cast<std::size_t>(policy)];
}

const KnownExtension *known_extension(std::string_view module) noexcept {
  return find_outwards(module, [](std::string_view name) -> const KnownExtension * {
    const auto found = std::ranges::find(kKnown, name, &KnownExtension::module);
    return found != std::end(kKnown) ? &*found : nullptr;
  });
}

const KnownLibrary *known_library(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return nullptr;
  const auto found =
      std::ranges::find(kKnownLibraries, path.substr(slash + 1), &KnownLibrary::file);
  return found != std::end(kKnownLibraries) ? &*found : nullptr;
}

bool uses_api_of_images(const std::string &path) {
  // In parts, each with the end of the one before: memory for a whole file, once given back, would
  // have the C library keep as much of what others give back.
  constexpr std::size_t kPart = 64 * 1024;
  constexpr std::size_t kOverlap =
      std::ranges::max(kApisOfImages, {}, &std::string_view::size).size();
  std::ifstream file(path, std::ios::binary);
  std::string part;
  while (file) {
    part.erase(0, part.size() - std::min(part.size(), kOverlap));
    const std::size_t kept = part.size();
    part.resize(kept + kPart);
    file.read(part.data() + kept, kPart);
    part.resize(kept + static_cast<std::size_t>(file.gcount()));
    const auto is_in_part = [&](std::string_view each) {
      return part.find(each) != std::string::npos;
    };
    if (std::ranges::any_of(kApisOfImages, is_in_part)) return true;
  }
  return false;
}

ExtensionPolicy ExtensionPolicies::of(std::string_view module, bool is_standard) const noexcept {
  const auto find = [this](std::string_view name) -> const ExtensionPolicy * {
    const auto found = policies_.find(name);
    return found != policies_.end() ? &found->second : nullptr;
  };
  if (const ExtensionPolicy *const given = find_outwards(module, find)) return *given;
  if (const KnownExtension *const known = known_extension(module)) return known->policy;
  const ExtensionPolicy *const others = find("*");
  const bool is_left_out =
      others == nullptr || (is_standard && *others == ExtensionPolicy::kRefuse);
  return is_left_out ? ExtensionPolicy::kPrivate : *others;
}

}  // namespace interlock
