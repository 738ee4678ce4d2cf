// SPDX-License-Identifier: MIT
// What posix/ uses of <dlfcn.h>, on modules of Windows.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  const char *dli_fname;  // path of the module, in UTF-8
  void *dli_fbase;
  const char *dli_sname;  // never known here
  void *dli_saddr;
} Dl_info;

int dladdr(const void *address, Dl_info *info);

#ifdef __cplusplus
}
#endif
