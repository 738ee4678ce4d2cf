// SPDX-License-Identifier: MIT
#include "mingw/library_calls.hpp"

#include <map>
#include <vector>

#include "lock/mutex.hpp"
#include "posix/finaliser.hpp"

namespace interlock {
namespace {

using Function = int (*)();

// Leaked on purpose: copies may be there when static destructors have run. The mutex guards the
// map.
Mutex &mutex() {
  static Mutex *const made = new Mutex(LockRank::kLeaf);
  return *made;
}
/// By the address of what the C library would keep them in, which is data of the copy.
std::map<const void *, std::vector<Function>> &tables_locked() {
  static auto *const all = new std::map<const void *, std::vector<Function>>;
  return *all;
}

int begin_table(void *table) {
  MutexGuard guard(mutex());
  tables_locked()[table].clear();
  return 0;
}

int add_to_table(void *table, Function function) {
  MutexGuard guard(mutex());
  tables_locked()[table].push_back(function);
  return 0;
}

Function take_last(void *table) {
  MutexGuard guard(mutex());
  std::vector<Function> &functions = tables_locked()[table];
  if (functions.empty()) return nullptr;
  const Function last = functions.back();
  functions.pop_back();
  return last;
}

int call_table(void *table) {
  while (const Function last = take_last(table)) (void)Finaliser::run([last] { last(); });
  return 0;
}

const Redirection kRedirections[] = {
    {"_initialize_onexit_table", reinterpret_cast<void *>(begin_table)},
    {"_register_onexit_function", reinterpret_cast<void *>(add_to_table)},
    {"_execute_onexit_table", reinterpret_cast<void *>(call_table)}};

}  // namespace

std::span<const Redirection> LibraryCalls::redirections() noexcept { return kRedirections; }

}  // namespace interlock
