// SPDX-License-Identifier: MIT
#include "dlfcn.h"

#include <windows.h>

#include <mutex>
#include <set>
#include <string>

#include "text.hpp"

namespace {

/// The same text, for good: modules are few.
const char *kept(std::string text) {
  static std::mutex *const mutex = new std::mutex;
  static auto *const texts = new std::set<std::string>;
  const std::lock_guard<std::mutex> guard(*mutex);
  return texts->insert(std::move(text)).first->c_str();
}

}  // namespace

extern "C" int dladdr(const void *address, Dl_info *info) {
  HMODULE module = nullptr;
  const DWORD flags =
      GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
  if (!GetModuleHandleExW(flags, static_cast<LPCWSTR>(address), &module)) return 0;
  std::wstring path(32768, L'\0');  // the longest that Windows has
  path.resize(GetModuleFileNameW(module, path.data(), static_cast<DWORD>(path.size())));
  if (path.empty()) return 0;
  *info = {kept(interlock::mingw::utf8_of(path)), module, nullptr, nullptr};
  return 1;
}
