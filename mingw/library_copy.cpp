// SPDX-License-Identifier: MIT
#include "mingw/library_copy.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/check.hpp"
#include "mingw/error.hpp"
#include "mingw/handle.hpp"
#include "mingw/library_calls.hpp"
#include "mingw/library_notices.hpp"
#include "mingw/library_threads.hpp"
#include "platform/memory.hpp"
#include "platform/private_directory.hpp"
#include "posix/finaliser.hpp"

namespace interlock {
namespace {

using mingw::Handle;
using mingw::refused;
using mingw::wide_of;
using Entry = BOOL(WINAPI *)(HINSTANCE module, DWORD reason, void *reserved);

// As CPython loads extension modules.
constexpr DWORD kSearch = LOAD_LIBRARY_SEARCH_DEFAULT_DIRS | LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR;
constexpr DWORD kSearchByName = LOAD_LIBRARY_SEARCH_DEFAULT_DIRS | LOAD_LIBRARY_AS_DATAFILE;

/// Nobody needs it by this name.
[[nodiscard]] std::string name_for(const std::string &path) {
  static unsigned last = 0;
  return std::to_string(++last) + "-" + path.substr(path.find_last_of("\\/") + 1);
}

[[nodiscard]] bool write_file(const std::wstring &path, std::span<const std::byte> bytes) {
  const Handle file(CreateFileW(path.c_str(), GENERIC_WRITE, 0, nullptr, CREATE_NEW,
                                FILE_ATTRIBUTE_NORMAL, nullptr));
  if (!file) return false;
  while (!bytes.empty()) {
    constexpr std::size_t kMost = 1 << 30;
    DWORD written = 0;
    const auto size = static_cast<DWORD>(std::min(bytes.size(), kMost));
    if (!WriteFile(file.get(), bytes.data(), size, &written, nullptr)) return false;
    bytes = bytes.subspan(written);
  }
  return true;
}

/// What the linker says, and of what it does not find, the name.
[[nodiscard]] Status not_loaded(const std::string &path, const PeFile &file) {
  const DWORD error = GetLastError();
  const Status status = refused("cannot load", path, error);
  if (error != ERROR_MOD_NOT_FOUND) return status;
  for (const std::string_view each : file.needed()) {
    const HMODULE found = LoadLibraryExW(wide_of(each).c_str(), nullptr, kSearchByName);
    if (found == nullptr)
      return {status.code(),
              std::string(status.message()) + ": it needs '" + std::string(each) + "'"};
    FreeLibrary(found);
  }
  return status;
}

/// Writes to memory that may be protected. False if the system refuses.
[[nodiscard]] bool write_to(std::byte *place, std::span<const std::byte> bytes) {
  DWORD before = 0;
  if (!VirtualProtect(place, bytes.size(), PAGE_READWRITE, &before)) return false;
  std::ranges::copy(bytes, place);
  DWORD ours = 0;
  return VirtualProtect(place, bytes.size(), before, &ours) != 0;
}

}  // namespace

Result<std::unique_ptr<PrivateCopy>> LibraryCopy::load(const std::string &path,
                                                       const std::string &name,
                                                       std::span<const std::byte> bytes,
                                                       PeFile &file,
                                                       std::span<const Redirection> redirections) {
  Result<std::string> directory = private_directory();
  if (!directory.ok()) return directory.status();
  std::unique_ptr<LibraryCopy> copy(new LibraryCopy);
  copy->path_ = path;
  copy->calls_ = file.take_calls();
  copy->copied_ = bytes.size();
  copy->copy_path_ = wide_of(directory.value() + "\\" + (name.empty() ? name_for(path) : name));
  if (!write_file(copy->copy_path_, bytes)) return refused("no place for a copy of", path);
  copy->module_ = LoadLibraryExW(copy->copy_path_.c_str(), nullptr, kSearch);
  if (copy->module_ == nullptr) return not_loaded(path, file);
  copy->memory_ = {reinterpret_cast<std::byte *>(copy->module_), file.memory_size()};
  if (!copy->redirect(file, redirections)) return refused("cannot redirect calls of", path);
  copy->save(file);
  return std::unique_ptr<PrivateCopy>(std::move(copy));
}

LibraryCopy::~LibraryCopy() {
  if (module_ != nullptr) FreeLibrary(module_);
  DeleteFileW(copy_path_.c_str());
}

/// The linker has found them by library and name; the names are enough to know them again.
bool LibraryCopy::redirect(const PeFile &file, std::span<const Redirection> redirections) const {
  const std::span<const Redirection> starters = LibraryThreads::redirections();
  std::vector<Redirection> all(starters.begin(), starters.end());
  for (const auto &each : {LibraryCalls::redirections(), redirections})
    all.insert(all.end(), each.begin(), each.end());
  std::vector<void *> originals(starters.size());
  for (const PeFile::Import &each : file.imports()) {
    const auto found = std::ranges::find_if(
        all, [&](const Redirection &redirection) { return each.name == redirection.name; });
    if (found == all.end()) continue;
    const auto index = static_cast<std::size_t>(found - all.begin());
    if (index < originals.size()) {
      if (each.is_delayed) continue;  // nobody knows the original yet
      std::memcpy(&originals[index], at(each.place), sizeof(void *));
    }
    if (!write_to(at(each.place), std::as_bytes(std::span(&found->function, 1)))) return false;
  }
  LibraryThreads::add(memory_, originals);
  return true;
}

LibraryCopy::Data LibraryCopy::saved(std::byte *start, std::span<const std::byte> before,
                                     std::size_t zeros) {
  MEMORY_BASIC_INFORMATION info{};
  CHECK(VirtualQuery(start, &info, sizeof info) != 0);
  return {start, {before.begin(), before.end()}, zeros, info.Protect};
}

void LibraryCopy::save(const PeFile &file) {
  for (const PeFile::Section &each : file.sections()) {
    std::byte *const start = at(each.start);
    if (each.size == 0) continue;
    if (each.is_writable) {
      data_.push_back(saved(start, {start, each.known}, each.size - each.known));
    } else if (each.is_readable) {
      fixed_.emplace_back(start, each.size);
    }
  }
  // The linker has written that, perhaps to where the file has nothing but zeros.
  if (file.thread_index() != 0) {
    std::byte *const start = at(file.thread_index());
    changed_.push_back(saved(start, {start, sizeof(std::uint32_t)}, 0));
  }
}

/// MinGW's start-up code writes addresses of what is in other libraries to constants.
void LibraryCopy::save_changes(std::span<std::byte> memory, std::span<const std::byte> before) {
  while (!memory.empty()) {
    const std::size_t size = std::min(memory.size(), page_size());
    if (std::memcmp(memory.data(), before.data(), size) != 0)
      changed_.push_back(saved(memory.data(), before.first(size), 0));
    memory = memory.subspan(size);
    before = before.subspan(size);
  }
}

/// Without the lock that the linker has others begin under: threads that it starts meanwhile run,
/// and it is not told of them.
bool LibraryCopy::begin() const {
  const auto *const callbacks =
      reinterpret_cast<const LibraryNotices::Callback *>(at(calls_.array));
  LibraryNotices::Receiver receiver{module_, {callbacks, callbacks + calls_.count}, nullptr};
  if (calls_.entry != 0) receiver.entry = reinterpret_cast<Entry>(at(calls_.entry));
  for (const LibraryNotices::Callback each : receiver.callbacks)
    each(module_, DLL_PROCESS_ATTACH, nullptr);
  const bool is_ready =
      receiver.entry == nullptr || receiver.entry(module_, DLL_PROCESS_ATTACH, nullptr) != FALSE;
  if (is_ready) LibraryNotices::add(receiver);
  return is_ready;
}

Status LibraryCopy::start() {
  std::vector<std::vector<std::byte>> before;
  for (const std::span<std::byte> each : fixed_) before.emplace_back(each.begin(), each.end());
  const bool is_ready = begin();
  for (std::size_t i = 0; i < fixed_.size(); ++i) save_changes(fixed_[i], before[i]);
  fixed_.clear();
  if (is_ready) return {};
  finalise();
  return refused("cannot load", path_, ERROR_DLL_INIT_FAILED);
}

void LibraryCopy::finalise() const {
  const auto *const callbacks =
      reinterpret_cast<const LibraryNotices::Callback *>(at(calls_.array));
  for (std::uint32_t i = 0; i < calls_.count; ++i)
    (void)Finaliser::run([&] { callbacks[i](module_, DLL_PROCESS_DETACH, nullptr); });
  if (calls_.entry == 0) return;
  const auto entry = reinterpret_cast<Entry>(at(calls_.entry));
  (void)Finaliser::run([&] { entry(module_, DLL_PROCESS_DETACH, nullptr); });
}

void LibraryCopy::stop(bool) {
  LibraryNotices::remove(module_);
  finalise();
}

bool LibraryCopy::has_threads() const { return LibraryThreads::are_running(memory_); }

/// Start-up code may have protected what it has written.
void LibraryCopy::restore() {
  for (const auto *const all : {&data_, &changed_}) {
    for (const Data &each : *all) {
      const std::size_t size = each.before.size() + each.zeros;
      DWORD before = 0;
      CHECK(VirtualProtect(each.start, size, PAGE_READWRITE, &before) != 0);
      std::ranges::copy(each.before, each.start);
      std::memset(each.start + each.before.size(), 0, each.zeros);
      CHECK(VirtualProtect(each.start, size, each.protection, &before) != 0);
    }
  }
}

void *LibraryCopy::find(const char *name) const noexcept {
  return reinterpret_cast<void *>(GetProcAddress(module_, name));
}

std::vector<std::span<std::byte>> LibraryCopy::data() const {
  std::vector<std::span<std::byte>> all;
  for (const Data &each : data_) all.emplace_back(each.start, each.before.size() + each.zeros);
  return all;
}

std::size_t LibraryCopy::size() const noexcept {
  std::size_t size = copied_;
  for (const auto *const each : {&data_, &changed_}) {
    for (const Data &data : *each) size += data.before.size();
  }
  return size;
}

}  // namespace interlock
