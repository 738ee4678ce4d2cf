// SPDX-License-Identifier: MIT
// Shared objects of ELF. A needed library that is found beside a copy by the path that the original
// names is loaded before the copy: the linker then takes it by its name, wherever the copy lies.
#include "posix/library_source.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "posix/library_calls.hpp"
#include "posix/library_copy.hpp"
#include "posix/library_names.hpp"
#include "posix/library_threads.hpp"

namespace interlock {
namespace {

[[nodiscard]] std::string directory_of(const std::string &path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash == 0 ? 1 : slash);
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
  void add(void *handle) { all_.push_back(handle); }

 private:
  std::vector<void *> all_;
};

class ElfSource final : public MappedSource<MappedFile, ElfFile> {
 public:
  ElfSource(const std::string &path, MappedFile mapped)
      : MappedSource(path, std::move(mapped)), origin_(directory_of(path)) {}

  [[nodiscard]] std::vector<Needed> needed() const override {
    std::vector<Needed> all;
    for (const std::string_view name : file_->needed()) {
      const std::string found = find_file(file_->search_path(), origin_, name);
      if (!found.empty()) all.push_back({std::string(name), found});
    }
    return all;
  }
  [[nodiscard]] std::string name() const override { return std::string(file_->soname()); }
  [[nodiscard]] bool rename(const std::string &name, const std::string &other) override {
    return file_->rename(name, other);
  }
  /// It is not always enough to open that: the linker may not know it by the name then, or not find
  /// what it needs itself.
  [[nodiscard]] Status share(const Needed &needed) override {
    const Status status = shared_.open(needed.path);
    if (status.ok() && linker_knows(needed.name)) return status;
    const std::string directories = with_origin(std::string(file_->search_path()), origin_);
    void *const needing =
        load_as_needed(file_->header(), needed.name, directories, file_->is_search_inherited());
    if (needing != nullptr) shared_.add(needing);
    return status.ok() ? status : shared_.open(needed.path);
  }
  [[nodiscard]] Result<std::unique_ptr<PrivateCopy>> load(
      const std::string &name, std::span<const Redirection> redirections) override {
    file_->make_private();
    Result<LibraryCopy> loaded = LibraryCopy::load(path_, name, mapped_, *file_, redirections);
    if (!loaded.ok()) return loaded.status();
    auto copy = std::make_unique<LibraryCopy>(std::move(loaded.value()));
    LibraryCalls::add(copy->memory());
    LibraryThreads::add(copy->memory(), copy->handle());
    return std::unique_ptr<PrivateCopy>(std::move(copy));
  }

 private:
  const std::string origin_;
  Handles shared_;
};

}  // namespace

Result<std::unique_ptr<LibrarySource>> LibrarySource::open(const std::string &path) {
  Result<MappedFile> mapped = MappedFile::open(path);
  if (!mapped.ok()) return mapped.status();
  return std::unique_ptr<LibrarySource>(new ElfSource(path, std::move(mapped.value())));
}

void reset_copies_after_fork() noexcept {
  LibraryCalls::reset_after_fork();
  LibraryThreads::reset_after_fork();
}

}  // namespace interlock
