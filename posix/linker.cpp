// SPDX-License-Identifier: MIT
#include "posix/linker.hpp"

#include <dlfcn.h>

#include <cstring>

#include "posix/library_file.hpp"

namespace interlock {
namespace {

/// Null where there is none.
[[nodiscard]] link_map *link_map_of([[maybe_unused]] void *handle) {
  link_map *found = nullptr;
#ifndef __OpenBSD__  // it has no such function
  if (!kLinker.has_link_maps || ::dlinfo(handle, RTLD_DI_LINKMAP, &found) != 0) return nullptr;
#endif
  return found;
}

struct Search {
  const std::string &path;
  std::uintptr_t base;
};

int compare(dl_phdr_info *library, std::size_t, void *given) {
  Search &search = *static_cast<Search *>(given);
  if (library->dlpi_name == nullptr || search.path != library->dlpi_name) return 0;
  search.base = static_cast<std::uintptr_t>(library->dlpi_addr);
  return 1;
}

}  // namespace

std::uintptr_t base_of(void *handle, const std::string &path) {
  if (kLinker.has_link_maps) {
    const link_map *const library = link_map_of(handle);
    // A number in some headers, an address in others.
    return library != nullptr ? (std::uintptr_t)library->l_addr : 0;  // NOLINT
  }
  Search search = {path, 0};
  (void)::dl_iterate_phdr(compare, &search);
  return search.base;
}

void rename_for_people(void *handle, const std::string &path) {
  link_map *const library = link_map_of(handle);
  if (library == nullptr) return;
  // glibc frees it with the library; musl never does. The old one is not freed: others may be
  // reading it, and in musl it is part of something else.
  char *const name = ::strdup(spelled(path, next_spelling()).c_str());
  if (name != nullptr) library->l_name = name;
}

}  // namespace interlock
