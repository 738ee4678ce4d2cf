// SPDX-License-Identifier: MIT
#include "platform/process.hpp"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include <memory>

namespace interlock {

std::string executable_path() {
  std::string path(4096, '\0');
  std::size_t length = path.size();
  if (uv_exepath(path.data(), &length) != 0) return {};
  path.resize(length);
  return path;
}

std::string object_path(const void *address) {
  Dl_info info{};
  if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) return {};
  const std::unique_ptr<char, void (*)(void *)> resolved(realpath(info.dli_fname, nullptr), free);
  return resolved ? std::string(resolved.get()) : std::string();
}

long process_id() noexcept { return static_cast<long>(getpid()); }

void call_in_fork_child(void (*function)()) noexcept { pthread_atfork(nullptr, nullptr, function); }

}  // namespace interlock
