// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <string>

#include "text.hpp"

namespace {

/// Without the prefix that turns off the parsing of paths: C:\dir for \\?\C:\dir, and \\host\share
/// for \\?\UNC\host\share.
std::wstring without_prefix(const std::wstring &path) {
  const std::wstring unc = LR"(\\?\UNC\)";
  const std::wstring plain = LR"(\\?\)";
  if (path.starts_with(unc)) return LR"(\\)" + path.substr(unc.size());
  return path.starts_with(plain) ? path.substr(plain.size()) : path;
}

}  // namespace

extern "C" char *realpath(const char *path, char *resolved) {
  if (resolved != nullptr) {
    errno = EINVAL;
    return nullptr;
  }
  const std::wstring wide = interlock::mingw::wide_of(path);
  const DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
  const HANDLE file = CreateFileW(wide.c_str(), 0, share, nullptr, OPEN_EXISTING,
                                  FILE_FLAG_BACKUP_SEMANTICS, nullptr);  // directories, too
  if (file == INVALID_HANDLE_VALUE) {
    errno = ENOENT;
    return nullptr;
  }
  std::wstring real(32768, L'\0');
  const DWORD length = GetFinalPathNameByHandleW(file, real.data(), static_cast<DWORD>(real.size()),
                                                 FILE_NAME_NORMALIZED | VOLUME_NAME_DOS);
  CloseHandle(file);
  if (length == 0 || length >= real.size()) {
    errno = EIO;
    return nullptr;
  }
  real.resize(length);
  return strdup(interlock::mingw::utf8_of(without_prefix(real)).c_str());
}
