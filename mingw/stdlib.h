// SPDX-License-Identifier: MIT
// Adds realpath() to the system's <stdlib.h>.
#pragma once

#include_next <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif

/// `path` and the result are UTF-8. `resolved` must be null: the caller frees the result.
char *realpath(const char *path, char *resolved);

#ifdef __cplusplus
}
#endif
