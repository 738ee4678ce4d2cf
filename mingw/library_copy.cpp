// SPDX-License-Identifier: MIT
#include "mingw/library_copy.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "mingw/error.hpp"
#include "mingw/handle.hpp"
#include "mingw/library_notices.hpp"
#include "mingw/library_threads.hpp"
#include "platform/memory.hpp"
#include "platform/private_directory.hpp"
#include "posix/finaliser.hpp"

namespace interlock {
namespace {

using mingw::Handle;
using mingw::refused;
using mingw::utf8_of;
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
  Status status = refused("cannot load", path, error);
  if (error != ERROR_MOD_NOT_FOUND) return status;
  for (const std::string_view each : file.needed()) {
    const HMODULE found = LoadLibraryExW(wide_of(each).c_str(), nullptr, kSearchByName);
    const std::string reason = status.message();
    if (found == nullptr)
      return {Code::kESYSTEM, reason + ": it needs '" + std::string(each) + "'"};
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
  std::vector<void *> originals(starters.size());
  const auto find = [](std::span<const Redirection> all, std::string_view name) {
    return std::ranges::find_if(all, [name](const Redirection &each) { return name == each.name; });
  };
  for (const PeFile::Import &each : file.imports()) {
    auto found = find(redirections, each.name);
    bool is_found = found != redirections.end();
    if (!is_found && !each.is_delayed) {
      found = find(starters, each.name);
      is_found = found != starters.end();
      if (is_found)
        std::memcpy(&originals[found - starters.begin()], at(each.place), sizeof(void *));
    }
    if (is_found && !write_to(at(each.place), std::as_bytes(std::span(&found->function, 1))))
      return false;
  }
  LibraryThreads::add(memory_, originals);
  return true;
}

void LibraryCopy::save(const PeFile &file) {
  for (const PeFile::Section &each : file.sections()) {
    std::byte *const start = at(each.start);
    if (each.is_writable) {
      data_.push_back({start, {start, start + each.known}, each.size - each.known});
    } else if (each.is_readable && each.size != 0) {
      fixed_.emplace_back(start, each.size);
    }
  }
  // The linker has written that, perhaps to where the file has nothing but zeros.
  if (file.thread_index() != 0) {
    std::byte *const start = at(file.thread_index());
    changed_.push_back({start, {start, start + sizeof(std::uint32_t)}, 0});
  }
}

/// MinGW's start-up code writes addresses of what is in other libraries to constants.
void LibraryCopy::save_changes(std::span<std::byte> memory, std::span<const std::byte> before) {
  while (!memory.empty()) {
    const std::size_t size = std::min(memory.size(), page_size());
    if (std::memcmp(memory.data(), before.data(), size) != 0)
      changed_.push_back({memory.data(), {before.begin(), before.begin() + size}, 0});
    memory = memory.subspan(size);
    before = before.subspan(size);
  }
}

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

void LibraryCopy::restore() {
  for (const Data &each : data_) {
    std::ranges::copy(each.before, each.start);
    std::memset(each.start + each.before.size(), 0, each.zeros);
  }
  for (const Data &each : changed_) (void)write_to(each.start, each.before);
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
