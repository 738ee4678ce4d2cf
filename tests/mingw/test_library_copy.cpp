// SPDX-License-Identifier: MIT
// Private copies on Windows, of the libraries in fixtures/: what the linker would have called, what
// is needed, and threads. What is the same on all systems: tests/platform/test_library.cpp.
#include <criterion/criterion.h>
#include <windows.h>

#include <string>
#include <vector>

#include "mingw/text.hpp"
#include "platform/library.hpp"
#include "platform/private_directory.hpp"

using namespace interlock;

namespace {

/// Beside the program, which no working directory changes.
std::string fixture(const std::string &name) {
  std::wstring path(32768, L'\0');
  path.resize(GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size())));
  path.resize(path.find_last_of(L"\\/"));
  return mingw::utf8_of(path) + "\\fixtures\\" + name;
}

const PrivateLibraries::Library &loaded(PrivateLibraries &libraries,
                                        const std::string &name = "library.dll") {
  Result<PrivateLibraries::Library *> library = libraries.load(fixture(name));
  cr_assert(library.ok(), "%s", library.status().message());
  return *library.value();
}

template <typename Function>
Function *find(const PrivateLibraries::Library &library, const char *name) {
  void *const found = PrivateLibraries::find(library, name);
  cr_assert_not_null(found, "%s", name);
  return reinterpret_cast<Function *>(found);
}

int call(const PrivateLibraries::Library &library, const char *name) {
  return find<int()>(library, name)();
}

using Told = void(int);

std::vector<int> told;
void tell(int what) { told.push_back(what); }

/// Grows with their number. Wine does not count them.
std::uintptr_t handles() {
  const HANDLE next = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  CloseHandle(next);
  return reinterpret_cast<std::uintptr_t>(next);
}

HANDLE go_on = nullptr;
HANDLE has_begun = nullptr;
void wait_to_go_on() {
  SetEvent(has_begun);
  WaitForSingleObject(go_on, INFINITE);
}

}  // namespace

Test(library_copy, data_are_the_owners, .timeout = 60) {
  PrivateLibraries one;
  PrivateLibraries other;
  const PrivateLibraries::Library &ones = loaded(one);
  const PrivateLibraries::Library &others = loaded(other);
  cr_assert_eq(call(ones, "add"), 101);
  cr_assert_eq(call(ones, "add"), 102);
  cr_assert_eq(call(ones, "add_to_zeros"), 1);
  cr_assert_eq(call(others, "add"), 101);
  cr_assert_eq(call(others, "add_to_zeros"), 1);
}

Test(library_copy, what_uses_python_is_copied_and_the_rest_is_shared, .timeout = 60) {
  PrivateLibraries one;
  PrivateLibraries other;
  const PrivateLibraries::Library &ones = loaded(one);
  const PrivateLibraries::Library &others = loaded(other);
  cr_assert_eq(call(ones, "add_of_needed"), 1);
  cr_assert_eq(call(others, "add_of_needed"), 1);
  cr_assert_eq(call(ones, "add_of_shared"), 1);
  cr_assert_eq(call(others, "add_of_shared"), 2);
  std::vector<std::string> names;
  for (const PrivateLibraries::Copy &each : one.all())
    names.push_back(each.path.substr(each.path.find_last_of('\\') + 1));
  cr_assert(names == std::vector<std::string>({"needed.dll", "library.dll"}));
  cr_assert_not_null(GetModuleHandleA("shared.dll"));
  cr_assert_null(GetModuleHandleA("needed.dll"));
  cr_assert_null(GetModuleHandleA("library.dll"));
}

Test(library_copy, all_that_is_needed_is_copied_if_that_is_asked_for, .timeout = 60) {
  PrivateLibraries one;
  PrivateLibraries other;
  const std::string path = fixture("library.dll");
  Result<PrivateLibraries::Library *> ones = one.load(path, PrivateLibraries::Needed::kAll);
  Result<PrivateLibraries::Library *> others = other.load(path, PrivateLibraries::Needed::kAll);
  cr_assert(ones.ok(), "%s", ones.status().message());
  cr_assert(others.ok(), "%s", others.status().message());
  cr_assert_eq(call(*ones.value(), "add_of_shared"), 1);
  cr_assert_eq(call(*others.value(), "add_of_shared"), 1);
  cr_assert_not_null(GetModuleHandleA("python3.dll"), "there is one CPython");
}

Test(library_copy, a_copy_is_as_new_to_the_next_owner, .timeout = 60) {
  const void *address = nullptr;
  int index = 0;
  std::uintptr_t before = 0;
  for (int i = 0; i < 200; ++i) {
    PrivateLibraries libraries;
    const PrivateLibraries::Library &library = loaded(libraries);
    if (i == 0) address = PrivateLibraries::handle(library);
    if (i == 1) before = handles();
    cr_assert_eq(PrivateLibraries::handle(library), address, "the copy is used again");
    if (i == 0) index = call(library, "thread_index");
    cr_assert_eq(call(library, "thread_index"), index);
    cr_assert_eq(call(library, "add"), 101);
    cr_assert_eq(call(library, "add_to_zeros"), 1);
    cr_assert_eq(call(library, "add_of_needed"), 1);
    cr_assert_eq(call(library, "read_shared"), 42, "start-up code has written a constant again");
  }
  cr_assert_lt(handles(), before + 200);
}

Test(library_copy, finalisers_run_at_the_owners_end, .timeout = 60) {
  for (int i = 0; i < 2; ++i) {
    told.clear();
    {
      PrivateLibraries libraries;
      find<void(Told)>(loaded(libraries), "tell_of_end")(tell);
      cr_assert(told.empty());
    }
    cr_assert(told == std::vector<int>({1, 2}));
  }
}

Test(library_copy, a_finaliser_that_is_left_is_left_alone, .timeout = 60) {
  told.clear();
  {
    PrivateLibraries libraries;
    find<void(Told)>(loaded(libraries), "tell_of_end")([](int what) {
      tell(what);
      PrivateLibraries::leave_finaliser();
      tell(-1);
    });
  }
  cr_assert(told == std::vector<int>({1}));
  PrivateLibraries::leave_finaliser();
  PrivateLibraries libraries;
  cr_assert_eq(call(loaded(libraries), "add"), 101);
}

Test(library_copy, each_of_the_c_librarys_finalisers_can_be_left, .timeout = 60) {
  for (int i = 0; i < 2; ++i) {
    told.clear();
    {
      PrivateLibraries libraries;
      find<void(Told)>(loaded(libraries, "calls.dll"), "tell_of_end")([](int what) {
        tell(what);
        PrivateLibraries::leave_finaliser();
        tell(-1);
      });
    }
    cr_assert(told == std::vector<int>({2, 1}));
  }
}

int not_initialized() { return 7; }

Test(library_copy, calls_are_redirected_before_anything_runs, .timeout = 60) {
  const Redirection redirection = {"Py_IsInitialized", reinterpret_cast<void *>(not_initialized)};
  for (int i = 0; i < 2; ++i) {
    std::vector<std::span<std::byte>> owned;
    PrivateLibraries libraries({&redirection, 1},
                               [&](std::span<std::byte> memory) { owned.push_back(memory); });
    const PrivateLibraries::Library &library = loaded(libraries);
    cr_assert_eq(owned.size(), 2);
    cr_assert_eq(static_cast<void *>(owned[1].data()), PrivateLibraries::handle(library));
    const auto *const code = static_cast<std::byte *>(PrivateLibraries::find(library, "add"));
    cr_assert(code >= owned[1].data() && code < owned[1].data() + owned[1].size());
    cr_assert_eq(call(library, "is_initialized"), 7);
    cr_assert_eq(call(library, "add"), 701, "a constructor has asked");
  }
}

Test(library_copy, what_refuses_to_begin_is_not_there, .timeout = 60) {
  PrivateLibraries libraries;
  SetEnvironmentVariableA("INTERLOCK_TEST_REFUSES", "1");
  for (int i = 0; i < 2; ++i) {
    Result<PrivateLibraries::Library *> library = libraries.load(fixture("library.dll"));
    cr_assert(!library.ok());
    const std::string message = library.status().message();
    cr_assert(message.starts_with("cannot load '") && message.find("library.dll'") != message.npos,
              "%s", message.c_str());
  }
  SetEnvironmentVariableA("INTERLOCK_TEST_REFUSES", nullptr);
  cr_assert_eq(call(loaded(libraries), "add"), 101);
}

Test(library_copy, what_it_needs_and_is_nowhere_is_named, .timeout = 60) {
  Result<std::string> directory = private_directory();
  cr_assert(directory.ok());
  const std::string alone = directory.value() + "\\alone.dll";
  cr_assert(CopyFileW(mingw::wide_of(fixture("library.dll")).c_str(), mingw::wide_of(alone).c_str(),
                      TRUE) != 0);
  PrivateLibraries libraries;
  Result<PrivateLibraries::Library *> library = libraries.load(alone);
  cr_assert(!library.ok());
  const std::string message = library.status().message();
  cr_assert(
      message.find("alone.dll'") != message.npos && message.find(": it needs '") != message.npos,
      "%s", message.c_str());
}

Test(library_copy, it_is_told_of_threads, .timeout = 60) {
  told.clear();
  PrivateLibraries libraries;
  const PrivateLibraries::Library &library = loaded(libraries);
  // So that its data stay as they are when it has no owner any more.
  go_on = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  has_begun = CreateEventW(nullptr, FALSE, FALSE, nullptr);
  cr_assert(find<bool(int, void())>(library, "start_thread")(0, wait_to_go_on));
  WaitForSingleObject(has_begun, INFINITE);
  find<void(Told)>(library, "tell_of_threads")(tell);
  const auto run_thread = [] {
    const auto nothing = [](void *) -> DWORD { return 0; };
    const HANDLE thread = CreateThread(nullptr, 0, nothing, nullptr, 0, nullptr);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
  };
  run_thread();
  cr_assert(told == std::vector<int>({DLL_THREAD_ATTACH, DLL_THREAD_DETACH}));
  libraries = PrivateLibraries();
  cr_assert_eq(told.back(), DLL_PROCESS_DETACH);
  run_thread();
  cr_assert_eq(told.size(), 3);
  SetEvent(go_on);
}

Test(library_copy, a_copy_whose_threads_run_is_nobodys, .timeout = 60) {
  go_on = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  has_begun = CreateEventW(nullptr, FALSE, FALSE, nullptr);
  void *taken[4] = {};
  for (int kind = 0; kind < 4; ++kind) {
    PrivateLibraries libraries;
    const PrivateLibraries::Library &library = loaded(libraries);
    taken[kind] = PrivateLibraries::handle(library);
    for (int i = 0; i < kind; ++i) cr_assert_neq(taken[kind], taken[i]);
    if (kind == 3) break;
    cr_assert(find<bool(int, void())>(library, "start_thread")(kind, wait_to_go_on));
    WaitForSingleObject(has_begun, INFINITE);
  }
  SetEvent(go_on);
}

Test(library_copy, a_copy_whose_threads_have_ended_is_given_on, .timeout = 60) {
  has_begun = CreateEventW(nullptr, FALSE, FALSE, nullptr);
  void *handle = nullptr;
  for (int kind = 0; kind < 3; ++kind) {
    PrivateLibraries libraries;
    const PrivateLibraries::Library &library = loaded(libraries);
    if (handle == nullptr) handle = PrivateLibraries::handle(library);
    cr_assert_eq(PrivateLibraries::handle(library), handle);
    cr_assert_eq(call(library, "add"), 101);
    static HANDLE thread = nullptr;
    cr_assert(find<bool(int, void())>(library, "start_thread")(kind, [] {
      DuplicateHandle(GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &thread,
                      SYNCHRONIZE, FALSE, 0);
      SetEvent(has_begun);
    }));
    WaitForSingleObject(has_begun, INFINITE);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
  }
}
