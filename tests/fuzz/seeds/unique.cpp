// SPDX-License-Identifier: MIT
// Static data that is the same for the whole process: STB_GNU_UNIQUE.
struct Counter {
  static inline int count = 5;
};
template <typename T>
T shared = 6;

int count() { return ++Counter::count + ++shared<int>; }
