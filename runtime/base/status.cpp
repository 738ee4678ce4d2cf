// SPDX-License-Identifier: MIT
#include "base/status.hpp"

namespace interlock {

const char *code_meaning(Code code) noexcept {
  switch (code) {
    case Code::kOk:
      return "success";
#define INTERLOCK_ERROR(name, value, meaning) \
  case Code::k##name:                         \
    return meaning;
#include "base/errors.def"
#undef INTERLOCK_ERROR
  }
  return "unknown status code";
}

}  // namespace interlock
