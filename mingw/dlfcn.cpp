// SPDX-License-Identifier: MIT
#include "dlfcn.h"

#include <windows.h>

#include <string>

#include "text.hpp"

extern "C" int dladdr(const void *address, Dl_info *info) {
  HMODULE module = nullptr;
  const DWORD flags =
      GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
  if (!GetModuleHandleExW(flags, static_cast<LPCWSTR>(address), &module)) return 0;
  std::wstring path(32768, L'\0');  // the longest that Windows has
  path.resize(GetModuleFileNameW(module, path.data(), static_cast<DWORD>(path.size())));
  thread_local std::string name;
  name = interlock::mingw::utf8_of(path);
  *info = {name.c_str(), module, nullptr, nullptr};
  return path.empty() ? 0 : 1;
}
