/* SPDX-License-Identifier: MIT
 * The dynamic linker calls it to find what it defines. */
static int one(void) { return 1; }
static int (*choose(void))(void) { return one; }
int chosen(void) __attribute__((ifunc("choose")));
int call(void) { return chosen(); }
