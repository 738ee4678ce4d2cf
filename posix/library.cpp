// SPDX-License-Identifier: MIT
// Which libraries are copied with one, and under which names. A needed library that is found beside
// a copy by the path that the original names is loaded before the copy: the linker then takes it by
// its name, wherever the copy lies. Copies of ended owners wait here for the next ones.
#include "platform/library.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <ranges>
#include <set>
#include <utility>
#include <vector>

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

/// What a library has to do with the Python C API.
struct PythonUse {
  bool takes;    // something from it
  bool defines;  // parts of it
};

/// Reading it takes long, and each copy of what needs it asks.  Locks: the global lock.
[[nodiscard]] Result<PythonUse> python_use(const std::string &path) {
  struct Known {
    FileIdentity file;
    PythonUse use;
  };
  static auto *const known = new std::map<std::string, Known>;
  Result<MappedFile> mapped = MappedFile::open(path);
  if (!mapped.ok()) return mapped.status();
  const FileIdentity identity = mapped.value().identity();
  const auto found = known->find(path);
  if (found != known->end() && found->second.file == identity) return found->second.use;
  Result<ElfFile> file = ElfFile::open(mapped.value().bytes());
  if (!file.ok()) return about(path, file.status());
  const PythonUse use = {file.value().uses_python(), file.value().is_python()};
  known->insert_or_assign(path, Known{identity, use});
  return use;
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
  /// What `file` needs as `name`, and finds at `found`. It is not always enough to open that: the
  /// linker may not know it by the name then, or not find what it needs itself.
  [[nodiscard]] Status open_needed(const ElfFile &file, const std::string &name,
                                   const std::string &found, const std::string &origin) {
    const Status status = open(found);
    if (status.ok() && linker_knows(name)) return status;
    const std::string directories = with_origin(std::string(file.search_path()), origin);
    void *const needing =
        load_as_needed(file.header(), name, directories, file.is_search_inherited());
    if (needing != nullptr) all_.push_back(needing);
    return status.ok() ? status : open(found);
  }

 private:
  std::vector<void *> all_;
};

}  // namespace

struct PrivateLibraries::Library {
  std::string path;  // of the original, the real one
  FileIdentity original{};
  LibraryCopy copy;
  std::string name;              // by which others need it, or nothing
  std::vector<Library *> needs;  // copies, which it is bound to for good
  const Impl *owner = nullptr;
  bool ends_threads_at_fork = false;
};

struct PrivateLibraries::Impl {
  Impl(std::span<const Redirection> redirections,
       std::function<void(std::span<std::byte>)> about_to_run)
      : redirections_(redirections), about_to_run_(std::move(about_to_run)) {}
  ~Impl();
  [[nodiscard]] Result<Library *> load(const std::string &path, Needed copied);
  [[nodiscard]] std::vector<Copy> all() const;

 private:
  /// All copies that were ever made, by the path of the original. Those of ended
  /// owners are given to the next ones, and never unloaded: a thread that a library has started, or
  /// the C library, may know an address in it. Guarded by the global lock.
  using Copies = std::vector<std::unique_ptr<Library>>;
  [[nodiscard]] static std::map<std::string, Copies> &stock() {
    static auto *const all = new std::map<std::string, Copies>;
    return *all;
  }
  /// Has what threads of an ended owner still use.
  [[nodiscard]] static const Impl *nobody() {
    static const auto *const impl = new Impl({}, {});
    return impl;
  }
  [[nodiscard]] std::set<const Library *> find_busy() const;
  [[nodiscard]] Library *find_own(const std::string &path) const noexcept;
  [[nodiscard]] bool can_have(const Library &library) const noexcept;
  void take(Library &library);
  [[nodiscard]] Result<std::unique_ptr<Library>> make(const std::string &path, MappedFile &mapped,
                                                      Needed copied);
  [[nodiscard]] Status load_needed(ElfFile &file, Library &library, Needed copied, Handles &shared);
  [[nodiscard]] static Status rename(ElfFile &file, std::string_view name,
                                     const std::string &other);

  const std::span<const Redirection> redirections_;
  const std::function<void(std::span<std::byte>)> about_to_run_;  // or none
  std::vector<Library *> own_;                                    // started, the latest last
  std::vector<std::string> loading_;  // real paths: those that need each other
};

PrivateLibraries::Impl::~Impl() {
  for (Library *const each : own_ | std::views::reverse)
    each->copy.stop(std::exchange(each->ends_threads_at_fork, false));
  const std::set<const Library *> busy = find_busy();
  for (Library *const each : own_) {
    const bool is_busy = busy.contains(each);
    each->owner = is_busy ? nobody() : nullptr;
    if (!is_busy) each->copy.restore();
  }
}

/// Those that a thread is in: one of theirs that has not ended, or one that forks. With what they are
/// bound to, and what is bound to them.
std::set<const PrivateLibraries::Library *> PrivateLibraries::Impl::find_busy() const {
  std::set<const Library *> busy;
  for (const Library *const each : own_) {
    const std::span<std::byte> memory = each->copy.memory();
    if (LibraryThreads::are_running(memory) || LibraryCalls::is_in_fork_call(memory))
      busy.insert(each);
  }
  for (std::size_t before = SIZE_MAX; before != busy.size();) {
    before = busy.size();
    for (const Library *const each : own_) {
      for (const Library *const needed : each->needs) {
        if (busy.contains(each) || busy.contains(needed)) busy.insert({each, needed});
      }
    }
  }
  return busy;
}

PrivateLibraries::Library *PrivateLibraries::Impl::find_own(
    const std::string &path) const noexcept {
  const auto found =
      std::ranges::find_if(own_, [&](const Library *each) { return each->path == path; });
  return found != own_.end() ? *found : nullptr;
}

/// Whether nobody else has it, nor what it is bound to, and the owner no other copy of that.
bool PrivateLibraries::Impl::can_have(const Library &library) const noexcept {
  if (const Library *const known = find_own(library.path)) return known == &library;
  return library.owner == nullptr &&
         std::ranges::all_of(library.needs,
                             [this](const Library *each) { return can_have(*each); });
}

void PrivateLibraries::Impl::take(Library &library) {
  if (library.owner == this) return;
  for (Library *const each : library.needs) take(*each);
  library.owner = this;
  own_.push_back(&library);
  if (about_to_run_) about_to_run_(library.copy.memory());
  library.copy.start();
}

std::vector<PrivateLibraries::Copy> PrivateLibraries::Impl::all() const {
  std::vector<Copy> copies;
  for (const Library *const each : own_)
    copies.push_back({each->path, each->copy.size(), each->copy.memory(), each->copy.data()});
  return copies;
}

Status PrivateLibraries::Impl::rename(ElfFile &file, std::string_view name,
                                      const std::string &other) {
  if (!other.empty() && file.rename(name, other)) return {};
  return {Code::kEINVAL, "the name '" + std::string(name) + "' cannot be changed"};
}

/// Those that are found by its search path: `shared`, or copied, with names of their own.
Status PrivateLibraries::Impl::load_needed(ElfFile &file, Library &library, Needed copied,
                                           Handles &shared) {
  const std::string origin = directory_of(library.path);
  for (const std::string_view each : file.needed()) {
    const std::string name(each);
    const std::string found = find_file(file.search_path(), origin, name);
    if (found.empty()) continue;  // the linker knows it, or where to look
    Result<PythonUse> use = python_use(found);
    if (!use.ok()) return use.status();
    const bool is_copied = copied == Needed::kAll || use.value().takes;
    if (is_copied && !use.value().defines) {
      Result<Library *> copy = load(found, copied);
      if (!copy.ok()) return copy.status();
      if (const Status status = rename(file, name, copy.value()->name); !status.ok())
        return about(library.path, status);
      library.needs.push_back(copy.value());
    } else if (const Status status = shared.open_needed(file, name, found, origin); !status.ok()) {
      return status;
    }
  }
  return {};
}

Result<std::unique_ptr<PrivateLibraries::Library>> PrivateLibraries::Impl::make(
    const std::string &path, MappedFile &mapped, Needed copied) {
  auto library = std::make_unique<Library>();
  library->path = path;
  library->original = mapped.identity();
  Result<ElfFile> opened = ElfFile::open(mapped.bytes());
  if (!opened.ok()) return about(path, opened.status());
  ElfFile &file = opened.value();
  Handles shared;
  if (const Status status = load_needed(file, *library, copied, shared); !status.ok())
    return status;
  const std::string before(file.soname());
  library->name = fresh_name(before);
  // If it has no name that can be changed nobody can need it, and mostly nobody does.
  if (!rename(file, before, library->name).ok()) library->name.clear();
  file.make_private();
  Result<LibraryCopy> copy = LibraryCopy::load(path, library->name, mapped, file, redirections_);
  if (!copy.ok()) return copy.status();
  library->copy = std::move(copy.value());
  LibraryCalls::add(library->copy.memory());
  LibraryThreads::add(library->copy.memory(), library->copy.handle());
  return library;
}

Result<PrivateLibraries::Library *> PrivateLibraries::Impl::load(const std::string &path,
                                                                 Needed copied) {
  const std::string real = real_path(path);
  if (Library *const known = find_own(real)) return known;
  if (std::ranges::find(loading_, real) != loading_.end())
    return Status(Code::kEINVAL, "'" + path + "' needs itself");
  Result<MappedFile> mapped = MappedFile::open(real);
  if (!mapped.ok()) return mapped.status();
  Copies &copies = stock()[real];
  const auto found = std::ranges::find_if(copies, [&](const auto &each) {
    return each->original == mapped.value().identity() && can_have(*each);
  });
  if (found != copies.end()) {
    take(**found);
    return found->get();
  }
  loading_.push_back(real);
  Result<std::unique_ptr<Library>> made = make(real, mapped.value(), copied);
  loading_.pop_back();
  if (!made.ok()) return made.status();
  Library *const library = copies.emplace_back(std::move(made.value())).get();
  take(*library);
  return library;
}

PrivateLibraries::PrivateLibraries(std::span<const Redirection> redirections,
                                   std::function<void(std::span<std::byte>)> about_to_run)
    : impl_(std::make_unique<Impl>(redirections, std::move(about_to_run))) {}
PrivateLibraries::~PrivateLibraries() = default;
PrivateLibraries::PrivateLibraries(PrivateLibraries &&) noexcept = default;
PrivateLibraries &PrivateLibraries::operator=(PrivateLibraries &&) noexcept = default;

void PrivateLibraries::leave_finaliser() noexcept { LibraryCopy::leave_finaliser(); }

void PrivateLibraries::reset_after_fork() noexcept {
  LibraryCalls::reset_after_fork();
  LibraryThreads::reset_after_fork();
}

bool PrivateLibraries::are_possible() noexcept { return true; }

Result<PrivateLibraries::Library *> PrivateLibraries::load(const std::string &path, Needed copied) {
  return impl_->load(path, copied);
}

void PrivateLibraries::end_threads_at_end(Library &library) noexcept {
  library.ends_threads_at_fork = true;
}

void *PrivateLibraries::handle(const Library &library) noexcept { return library.copy.handle(); }

void *PrivateLibraries::find(const Library &library, const char *name) noexcept {
  return library.copy.find(name);
}

std::vector<PrivateLibraries::Copy> PrivateLibraries::all() const { return impl_->all(); }

}  // namespace interlock
