// SPDX-License-Identifier: MIT
// Which libraries are copied with one, and under which names. Copies of ended owners wait here for
// the next ones. What a system does in its own way is in library_source.hpp.
#include "platform/library.hpp"

#include <stdlib.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <ranges>
#include <set>
#include <utility>
#include <vector>

#include "posix/finaliser.hpp"
#include "posix/library_source.hpp"

namespace interlock {
namespace {

/// The same file has one such name.
[[nodiscard]] std::string real_path(const std::string &path) {
  char *const found = ::realpath(path.c_str(), nullptr);
  const std::string real = found != nullptr ? found : path;
  ::free(found);
  return real;
}

/// A name of the same length that nobody has, for what is called `name`: the first characters
/// count. Nothing if it is too short.
[[nodiscard]] std::string fresh_name(std::string_view name) {
  // Windows takes small letters and capital ones for the same.
  static constexpr char kDigits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  constexpr std::size_t kLength = 4;
  static std::uint64_t last = 0;
  std::string fresh(name);
  if (fresh.size() < kLength + 1) return {};
  std::uint64_t number = ++last;
  for (std::size_t i = kLength; i-- > 0; number /= sizeof kDigits - 1)
    fresh[i] = kDigits[number % (sizeof kDigits - 1)];
  return fresh;
}

/// Reading it takes long, and each copy of what needs it asks.  Locks: the global lock.
[[nodiscard]] Result<LibrarySource::PythonUse> python_use(const std::string &path) {
  struct Known {
    FileIdentity file;
    LibrarySource::PythonUse use;
  };
  static auto *const known = new std::map<std::string, Known>;
  Result<std::unique_ptr<LibrarySource>> opened = LibrarySource::open(path);
  if (!opened.ok()) return opened.status();
  LibrarySource &source = *opened.value();
  const auto found = known->find(path);
  if (found != known->end() && found->second.file == source.identity()) return found->second.use;
  if (const Status status = source.read(); !status.ok()) return status;
  const LibrarySource::PythonUse use = source.python_use();
  known->insert_or_assign(path, Known{source.identity(), use});
  return use;
}

}  // namespace

struct PrivateLibraries::Library {
  std::string path;  // of the original, the real one
  FileIdentity original{};
  std::unique_ptr<PrivateCopy> copy;
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
  [[nodiscard]] Status take(Library &library);
  void give_back(Library &library, bool is_busy);
  [[nodiscard]] Result<std::unique_ptr<Library>> make(const std::string &path,
                                                      LibrarySource &source, Needed copied);
  [[nodiscard]] Status load_needed(LibrarySource &source, Library &library, Needed copied);

  const std::span<const Redirection> redirections_;
  const std::function<void(std::span<std::byte>)> about_to_run_;  // or none
  std::vector<Library *> own_;                                    // started, the latest last
  std::vector<std::string> loading_;  // real paths: those that need each other
};

PrivateLibraries::Impl::~Impl() {
  for (Library *const each : own_ | std::views::reverse)
    each->copy->stop(std::exchange(each->ends_threads_at_fork, false));
  const std::set<const Library *> busy = find_busy();
  for (Library *const each : own_) give_back(*each, busy.contains(each));
}

/// To the next owner, unless something still works on it.
void PrivateLibraries::Impl::give_back(Library &library, bool is_busy) {
  library.owner = is_busy ? nobody() : nullptr;
  if (!is_busy) library.copy->restore();
}

/// Those that a thread is in: one of theirs that has not ended, or one that forks. With what they
/// are bound to, and what is bound to them.
std::set<const PrivateLibraries::Library *> PrivateLibraries::Impl::find_busy() const {
  std::set<const Library *> busy;
  for (const Library *const each : own_) {
    if (each->copy->has_threads()) busy.insert(each);
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

Status PrivateLibraries::Impl::take(Library &library) {
  if (library.owner == this) return {};
  for (Library *const each : library.needs) {
    if (const Status status = take(*each); !status.ok()) return status;
  }
  library.owner = this;
  own_.push_back(&library);
  if (about_to_run_) about_to_run_(library.copy->memory());
  const Status status = library.copy->start();
  if (status.ok()) return {};
  std::erase(own_, &library);
  give_back(library, library.copy->has_threads());
  return status;
}

std::vector<PrivateLibraries::Copy> PrivateLibraries::Impl::all() const {
  std::vector<Copy> copies;
  for (const Library *const each : own_)
    copies.push_back({each->path, each->copy->size(), each->copy->memory(), each->copy->data()});
  return copies;
}

/// What is found: shared, or copied, with names of their own.
Status PrivateLibraries::Impl::load_needed(LibrarySource &source, Library &library, Needed copied) {
  for (const LibrarySource::Needed &each : source.needed()) {
    Result<LibrarySource::PythonUse> use = python_use(each.path);
    if (!use.ok()) return use.status();
    const bool is_copied = copied == Needed::kAll || use.value().takes;
    if (is_copied && !use.value().defines) {
      Result<Library *> copy = load(each.path, copied);
      if (!copy.ok()) return copy.status();
      const std::string &name = copy.value()->name;
      if (name.empty() || !source.rename(each.name, name))
        return {Code::kEINVAL,
                "'" + library.path + "': the name '" + each.name + "' cannot be changed"};
      library.needs.push_back(copy.value());
    } else if (const Status status = source.share(each); !status.ok()) {
      return status;
    }
  }
  return {};
}

Result<std::unique_ptr<PrivateLibraries::Library>> PrivateLibraries::Impl::make(
    const std::string &path, LibrarySource &source, Needed copied) {
  auto library = std::make_unique<Library>();
  library->path = path;
  library->original = source.identity();
  if (const Status status = source.read(); !status.ok()) return status;
  if (const Status status = load_needed(source, *library, copied); !status.ok()) return status;
  const std::string before = source.name();
  library->name = fresh_name(before);
  // If it has no name that can be changed nobody can need it, and mostly nobody does.
  if (!library->name.empty() && !source.rename(before, library->name)) library->name.clear();
  Result<std::unique_ptr<PrivateCopy>> copy = source.load(library->name, redirections_);
  if (!copy.ok()) return copy.status();
  library->copy = std::move(copy.value());
  return library;
}

Result<PrivateLibraries::Library *> PrivateLibraries::Impl::load(const std::string &path,
                                                                 Needed copied) {
  const std::string real = real_path(path);
  if (Library *const known = find_own(real)) return known;
  if (std::ranges::find(loading_, real) != loading_.end())
    return Status(Code::kEINVAL, "'" + path + "' needs itself");
  Result<std::unique_ptr<LibrarySource>> source = LibrarySource::open(real);
  if (!source.ok()) return source.status();
  Copies &copies = stock()[real];
  const auto found = std::ranges::find_if(copies, [&](const auto &each) {
    return each->original == source.value()->identity() && can_have(*each);
  });
  if (found != copies.end()) {
    if (const Status status = take(**found); !status.ok()) return status;
    return found->get();
  }
  loading_.push_back(real);
  Result<std::unique_ptr<Library>> made = make(real, *source.value(), copied);
  loading_.pop_back();
  source.value().reset();
  if (!made.ok()) return made.status();
  Library *const library = copies.emplace_back(std::move(made.value())).get();
  if (const Status status = take(*library); !status.ok()) return status;
  return library;
}

PrivateLibraries::PrivateLibraries(std::span<const Redirection> redirections,
                                   std::function<void(std::span<std::byte>)> about_to_run)
    : impl_(std::make_unique<Impl>(redirections, std::move(about_to_run))) {}
PrivateLibraries::~PrivateLibraries() = default;
PrivateLibraries::PrivateLibraries(PrivateLibraries &&) noexcept = default;
PrivateLibraries &PrivateLibraries::operator=(PrivateLibraries &&) noexcept = default;

void PrivateLibraries::leave_finaliser() noexcept { Finaliser::leave(); }

void PrivateLibraries::reset_after_fork() noexcept { reset_copies_after_fork(); }

bool PrivateLibraries::are_possible() noexcept { return true; }

Result<PrivateLibraries::Library *> PrivateLibraries::load(const std::string &path, Needed copied) {
  return impl_->load(path, copied);
}

void PrivateLibraries::end_threads_at_end(Library &library) noexcept {
  library.ends_threads_at_fork = true;
}

void *PrivateLibraries::handle(const Library &library) noexcept { return library.copy->handle(); }

void *PrivateLibraries::find(const Library &library, const char *name) noexcept {
  return library.copy->find(name);
}

std::vector<PrivateLibraries::Copy> PrivateLibraries::all() const { return impl_->all(); }

}  // namespace interlock
