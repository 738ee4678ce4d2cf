/* SPDX-License-Identifier: MIT
 * Takes something from CPython. */
void PyErr_Clear(void);

#ifdef HIDDEN
/* Nothing can be found in it. */
__attribute__((constructor)) static void start(void) { PyErr_Clear(); }
#else
static __thread int count = 4;
int PyInit_seed(void) {
  PyErr_Clear();
  return ++count;
}
/* As CPython itself. */
void Py_InitializeEx(void) {}
#endif
