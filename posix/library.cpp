// SPDX-License-Identifier: MIT
// Which libraries are copied with one, and under which names. A needed library that is found beside
// a copy by the path that the original names is loaded before the copy: the linker then takes it by
// its name, wherever the copy lies.
#include "platform/library.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <vector>

#include "posix/library_copy.hpp"

namespace interlock {
namespace {

[[nodiscard]] std::string directory_of(const std::string &path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash == 0 ? 1 : slash);
}

/// The same file has one such name.
[[nodiscard]] std::string real_path(const std::string &path) {
  char *const found = ::realpath(path.c_str(), nullptr);
  const std::string real = found != nullptr ? found : path;
  std::free(found);
  return real;
}

[[nodiscard]] std::string with_origin(std::string directory, const std::string &origin) {
  for (const std::string_view token : {"${ORIGIN}", "$ORIGIN"}) {
    for (std::size_t at = 0; (at = directory.find(token, at)) != std::string::npos;) {
      directory.replace(at, token.size(), origin);
      at += origin.size();
    }
  }
  return directory;
}

/// Where `name` lies by a search path, or nothing.
[[nodiscard]] std::string find_file(std::string_view search_path, const std::string &origin,
                                    std::string_view name) {
  while (!search_path.empty()) {
    const std::size_t colon = std::min(search_path.find(':'), search_path.size());
    const std::string directory = with_origin(std::string(search_path.substr(0, colon)), origin);
    search_path.remove_prefix(std::min(colon + 1, search_path.size()));
    const std::string path = directory + "/" + std::string(name);
    if (!directory.empty() && ::access(path.c_str(), R_OK) == 0) return path;
  }
  return {};
}

/// A name of the same length that nobody has, for what is called `name`: the first characters
/// count. Nothing if it is too short.
[[nodiscard]] std::string fresh_name(std::string_view name) {
  static constexpr char kDigits[] =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr std::size_t kLength = 4;
  static std::uint64_t last = 0;
  std::string fresh(name);
  if (fresh.size() < kLength + 1) return {};
  std::uint64_t number = ++last;
  for (std::size_t i = kLength; i-- > 0; number /= sizeof kDigits - 1)
    fresh[i] = kDigits[number % (sizeof kDigits - 1)];
  return fresh;
}

[[nodiscard]] Status about(const std::string &path, const Status &status) {
  return {status.code(), "'" + path + "': " + status.message()};
}

/// Libraries that are loaded for as long as something else needs them, or this lives.
class Handles {
 public:
  Handles() = default;
  Handles(const Handles &) = delete;
  Handles &operator=(const Handles &) = delete;
  ~Handles() {
    for (void *const each : all_) ::dlclose(each);
  }
  [[nodiscard]] Status open(const std::string &path) {
    void *const handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const char *const text = ::dlerror();
      return {Code::kESYSTEM, text != nullptr ? text : "the dynamic linker refuses " + path};
    }
    all_.push_back(handle);
    return {};
  }

 private:
  std::vector<void *> all_;
};

}  // namespace

struct PrivateLibraries::Library {
  LibraryCopy copy;
  std::string name;  // by which others need it, or nothing
};

struct PrivateLibraries::Impl {
  [[nodiscard]] Result<const Library *> load(const std::string &path);
  [[nodiscard]] Status load_needed(const std::string &path, ElfFile &file, Handles &shared);
  [[nodiscard]] static Status rename(ElfFile &file, std::string_view name,
                                     const std::string &other);

  std::map<std::string, Library> copies;  // by the real path of the original
  std::vector<std::string> loading;       // likewise: those that need each other
  std::size_t bytes = 0;
};

Status PrivateLibraries::Impl::rename(ElfFile &file, std::string_view name,
                                      const std::string &other) {
  if (!other.empty() && file.rename(name, other)) return {};
  return {Code::kEINVAL, "the name '" + std::string(name) + "' cannot be changed"};
}

/// Those that are found by its search path: `shared`, or copied, with names of their own.
Status PrivateLibraries::Impl::load_needed(const std::string &path, ElfFile &file,
                                           Handles &shared) {
  const std::string origin = directory_of(path);
  for (const std::string_view each : file.needed()) {
    const std::string name(each);
    const std::string found = find_file(file.search_path(), origin, name);
    if (found.empty()) continue;  // the linker knows it, or where to look
    Result<MappedFile> mapped = MappedFile::open(found);
    if (!mapped.ok()) return mapped.status();
    Result<ElfFile> needed = ElfFile::open(mapped.value().bytes());
    if (!needed.ok()) return about(found, needed.status());
    if (needed.value().uses_python() && !needed.value().is_python()) {
      Result<const Library *> copy = load(found);
      if (!copy.ok()) return copy.status();
      if (const Status status = rename(file, name, copy.value()->name); !status.ok())
        return about(path, status);
    } else if (const Status status = shared.open(found); !status.ok()) {
      return status;
    }
  }
  return {};
}

Result<const PrivateLibraries::Library *> PrivateLibraries::Impl::load(const std::string &path) {
  const std::string real = real_path(path);
  if (const auto known = copies.find(real); known != copies.end()) return &known->second;
  if (std::ranges::find(loading, real) != loading.end())
    return Status(Code::kEINVAL, "'" + path + "' needs itself");
  Result<MappedFile> mapped = MappedFile::open(real);
  if (!mapped.ok()) return mapped.status();
  Result<ElfFile> opened = ElfFile::open(mapped.value().bytes());
  if (!opened.ok()) return about(path, opened.status());
  ElfFile &file = opened.value();
  loading.push_back(real);
  Handles shared;
  const Status status = load_needed(real, file, shared);
  loading.pop_back();
  if (!status.ok()) return status;
  const std::string before(file.soname());
  std::string name = fresh_name(before);
  if (!rename(file, before, name).ok()) name.clear();  // nobody can need it, and mostly nobody does
  file.make_private();
  Result<LibraryCopy> copy = LibraryCopy::load(real, mapped.value(), file);
  if (!copy.ok()) return copy.status();
  bytes += copy.value().size();
  const auto added = copies.emplace(real, Library{std::move(copy.value()), name});
  return &added.first->second;
}

PrivateLibraries::PrivateLibraries() : impl_(std::make_unique<Impl>()) {}
PrivateLibraries::~PrivateLibraries() = default;
PrivateLibraries::PrivateLibraries(PrivateLibraries &&) noexcept = default;
PrivateLibraries &PrivateLibraries::operator=(PrivateLibraries &&) noexcept = default;

Result<const PrivateLibraries::Library *> PrivateLibraries::load(const std::string &path) {
  return impl_->load(path);
}

void *PrivateLibraries::find(const Library &library, const char *name) noexcept {
  return library.copy.find(name);
}

std::size_t PrivateLibraries::bytes() const noexcept { return impl_->bytes; }

}  // namespace interlock
