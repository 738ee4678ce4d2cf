// SPDX-License-Identifier: MIT
// What Windows says of its errors.
#pragma once

#include <windows.h>

#include <string>

#include "base/status.hpp"
#include "mingw/text.hpp"

namespace interlock::mingw {

/// Without the full stop and the end of the line.
inline std::string message_of(DWORD error) {
  wchar_t text[512];
  const DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS,
                                      nullptr, error, 0, text, sizeof text / sizeof *text, nullptr);
  std::string message = utf8_of({text, length});
  message.resize(message.find_last_not_of(" .\r\n") + 1);
  return message.empty() ? "error " + std::to_string(error) : message;
}

/// "cannot open 'path': what the system says"
inline Status refused(const std::string &what, const std::string &path,
                      DWORD error = GetLastError()) {
  return {Code::kESYSTEM, what + " '" + path + "': " + message_of(error)};
}

}  // namespace interlock::mingw
