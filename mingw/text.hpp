// SPDX-License-Identifier: MIT
// Text of Windows and of POSIX: UTF-16 and UTF-8.
#pragma once

#include <windows.h>

#include <string>
#include <string_view>

namespace interlock::mingw {

inline std::string utf8_of(std::wstring_view wide) {
  const int length = static_cast<int>(wide.size());
  std::string text(3 * wide.size(), '\0');
  text.resize(static_cast<std::size_t>(
      WideCharToMultiByte(CP_UTF8, 0, wide.data(), length, text.data(),
                          static_cast<int>(text.size()), nullptr, nullptr)));
  return text;
}

inline std::wstring wide_of(std::string_view text) {
  const int length = static_cast<int>(text.size());
  std::wstring wide(text.size(), L'\0');
  wide.resize(static_cast<std::size_t>(
      MultiByteToWideChar(CP_UTF8, 0, text.data(), length, wide.data(), length)));
  return wide;
}

}  // namespace interlock::mingw
