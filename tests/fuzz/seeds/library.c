/* SPDX-License-Identifier: MIT
 * What most libraries have: data, memory without bytes in the file, relocations, functions that run
 * first and last. */
#include <stdlib.h>

int value = 3;
int zeros[20];
const char *const text = "text";
int (*const function)(const char *) = atoi;

__attribute__((constructor)) static void start(void) { value = getenv("nothing") != NULL; }
__attribute__((destructor)) static void stop(void) { value = 0; }

int get(void) { return value + zeros[3]; }
