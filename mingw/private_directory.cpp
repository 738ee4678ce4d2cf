// SPDX-License-Identifier: MIT
// A twin, because Windows has no flock(), and takes no file away that is loaded: what a process has
// loaded to its end, the next one removes. Beside the directory NAME lies a file NAME.lock, which
// its process has open from before the directory is there, and nobody else can open: the system
// closes and removes it, however the process ends.
#include "platform/private_directory.hpp"

#include <aclapi.h>
#include <sddl.h>
#include <windows.h>

#include <cstdlib>
#include <cwchar>
#include <mutex>
#include <utility>
#include <vector>

#include "mingw/error.hpp"
#include "mingw/handle.hpp"

namespace interlock {
namespace {

using mingw::Handle;
using mingw::refused;
using mingw::utf8_of;

constexpr const wchar_t *kPrefix = L"interlock-";
constexpr const wchar_t *kLock = L".lock";

/// Memory of the system's, which LocalFree() frees.
template <typename T>
class Local {
 public:
  Local() noexcept = default;
  Local(const Local &) = delete;
  Local &operator=(const Local &) = delete;
  ~Local() { LocalFree(value_); }
  [[nodiscard]] T *place() noexcept { return &value_; }
  [[nodiscard]] T get() const noexcept { return value_; }

 private:
  T value_ = nullptr;
};

/// Who this process runs for.
class User {
 public:
  User() {
    HANDLE token = nullptr;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) return;
    const Handle owned(token);
    DWORD size = 0;
    GetTokenInformation(token, TokenUser, nullptr, 0, &size);
    bytes_.resize(size);
    if (!GetTokenInformation(token, TokenUser, bytes_.data(), size, &size)) bytes_.clear();
  }
  [[nodiscard]] PSID id() const noexcept {
    if (bytes_.empty()) return nullptr;
    return reinterpret_cast<const TOKEN_USER *>(bytes_.data())->User.Sid;
  }
  /// Whose the file is, and only that one's.
  [[nodiscard]] std::wstring as_owner() const {
    Local<LPWSTR> text;
    if (id() == nullptr || !ConvertSidToStringSidW(id(), text.place())) return {};
    const std::wstring name = text.get();
    return L"O:" + name + L"D:P(A;OICI;FA;;;" + name + L")";
  }
  [[nodiscard]] bool owns(const std::wstring &path) const {
    Local<PSECURITY_DESCRIPTOR> descriptor;
    PSID owner = nullptr;
    const DWORD error =
        GetNamedSecurityInfoW(path.c_str(), SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner,
                              nullptr, nullptr, nullptr, descriptor.place());
    return error == ERROR_SUCCESS && id() != nullptr && EqualSid(owner, id());
  }

 private:
  std::vector<std::byte> bytes_;
};

/// Open for as long as the directory has an owner: the process, or who removes it.
[[nodiscard]] Handle lock(const std::wstring &directory, DWORD disposition) {
  return Handle(CreateFileW((directory + kLock).c_str(), GENERIC_WRITE, 0, nullptr, disposition,
                            FILE_FLAG_DELETE_ON_CLOSE | FILE_ATTRIBUTE_TEMPORARY, nullptr));
}

/// Calls `visit(data)` for what lies in a directory, by pattern.
template <typename Visit>
void for_each_file(const std::wstring &pattern, Visit visit) {
  WIN32_FIND_DATAW data;
  const HANDLE all = FindFirstFileW(pattern.c_str(), &data);
  if (all == INVALID_HANDLE_VALUE) return;
  do visit(data);
  while (FindNextFileW(all, &data));
  FindClose(all);
}

/// All that can be: not what is loaded.
void remove_directory(const std::wstring &path) {
  for_each_file(path + L"\\*", [&](const WIN32_FIND_DATAW &each) {
    DeleteFileW((path + L"\\" + each.cFileName).c_str());
  });
  RemoveDirectoryW(path.c_str());
}

/// Removes what processes of this user have left.
void sweep(const std::wstring &place, const User &user) {
  for_each_file(place + kPrefix + L"*", [&](const WIN32_FIND_DATAW &each) {
    // Not what leads elsewhere.
    constexpr DWORD kKind = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT;
    if ((each.dwFileAttributes & kKind) != FILE_ATTRIBUTE_DIRECTORY) return;
    const std::wstring path = place + each.cFileName;
    if (!user.owns(path)) return;
    if (const Handle owner = lock(path, OPEN_ALWAYS)) remove_directory(path);
  });
}

struct Directory {
  std::wstring path;
  Handle lock;
};

/// Removed at exit. What is loaded stays, and with it the directory.
void remove_at_exit(Directory made) {
  static auto *const kept = new Directory(std::move(made));
  (void)std::atexit([] {
    remove_directory(kept->path);
    kept->lock = Handle();
  });
}

[[nodiscard]] Result<std::string> make() {
  std::wstring place(MAX_PATH + 1, L'\0');
  place.resize(GetTempPathW(static_cast<DWORD>(place.size()), place.data()));
  if (place.empty()) return refused("no directory for temporary files", "TMP");
  const User user;
  sweep(place, user);
  Local<PSECURITY_DESCRIPTOR> descriptor;
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(
          user.as_owner().c_str(), SDDL_REVISION_1, descriptor.place(), nullptr))
    return refused("cannot make a directory in", utf8_of(place));
  SECURITY_ATTRIBUTES attributes = {sizeof attributes, descriptor.get(), FALSE};
  constexpr int kTries = 100;  // processes come again with the same number
  for (int i = 0; i < kTries; ++i) {
    const std::wstring path =
        place + kPrefix + std::to_wstring(GetCurrentProcessId()) + L"-" + std::to_wstring(i);
    Handle owner = lock(path, CREATE_NEW);
    if (!owner || !CreateDirectoryW(path.c_str(), &attributes)) continue;
    remove_at_exit({path, std::move(owner)});
    return utf8_of(path);
  }
  return refused("cannot make a directory in", utf8_of(place));
}

}  // namespace

Result<std::string> private_directory() {
  static std::mutex *const mutex = new std::mutex;
  static std::string *const known = new std::string;
  const std::lock_guard<std::mutex> guard(*mutex);
  if (!known->empty()) return *known;
  Result<std::string> made = make();
  if (made.ok()) *known = made.value();
  return made;
}

}  // namespace interlock
