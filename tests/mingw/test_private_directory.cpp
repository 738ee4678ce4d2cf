// SPDX-License-Identifier: MIT
// The private directory on Windows. Other processes are this program, which runs the same test.
#include <aclapi.h>
#include <criterion/criterion.h>
#include <windows.h>

#include <cstdio>
#include <string>

#include "mingw/handle.hpp"
#include "mingw/text.hpp"
#include "platform/library.hpp"
#include "platform/private_directory.hpp"

using namespace interlock;
using mingw::Handle;
using mingw::utf8_of;
using mingw::wide_of;

namespace {

constexpr const wchar_t *kRole = L"INTERLOCK_TEST_ROLE";

bool is_other() { return GetEnvironmentVariableW(kRole, nullptr, 0) != 0; }

/// For temporary files, of this test alone: others remove what they find, too.
class Place {
 public:
  Place() {
    std::wstring all(MAX_PATH + 1, L'\0');
    all.resize(GetTempPathW(static_cast<DWORD>(all.size()), all.data()));
    int number = 0;
    do path_ = all + L"test-private-directory-" + std::to_wstring(++number);
    while (!CreateDirectoryW(path_.c_str(), nullptr) && number < 1000);
    cr_assert(SetEnvironmentVariableW(L"TMP", path_.c_str()) != 0);
  }
  Place(const Place &) = delete;
  Place &operator=(const Place &) = delete;
  [[nodiscard]] const std::wstring &path() const { return path_; }
  /// Whether nothing is left in it.
  [[nodiscard]] bool remove() const { return RemoveDirectoryW(path_.c_str()) != 0; }

 private:
  std::wstring path_;
};

std::string directory() {
  Result<std::string> made = private_directory();
  cr_assert(made.ok(), "%s", made.status().message());
  return made.value();
}

bool is_there(const std::string &path) {
  return GetFileAttributesW(wide_of(path).c_str()) != INVALID_FILE_ATTRIBUTES;
}

std::wstring program() {
  std::wstring path(32768, L'\0');
  path.resize(GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size())));
  return path;
}

/// A process that does what the test has for it, and tells its directory.
class Other {
 public:
  explicit Other(const std::wstring &test) {
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, nullptr, TRUE};
    HANDLE from = nullptr, to = nullptr, its_from = nullptr, its_to = nullptr;
    cr_assert(CreatePipe(&from, &its_to, &inherited, 0) != 0);
    cr_assert(CreatePipe(&its_from, &to, &inherited, 0) != 0);
    from_ = Handle(from);
    to_ = Handle(to);
    const Handle its_in(its_from), its_out(its_to);
    SetHandleInformation(from, HANDLE_FLAG_INHERIT, 0);
    SetHandleInformation(to, HANDLE_FLAG_INHERIT, 0);
    STARTUPINFOW startup{};
    startup.cb = sizeof startup;
    startup.dwFlags = STARTF_USESTDHANDLES;
    startup.hStdInput = its_from;
    startup.hStdOutput = its_to;
    startup.hStdError = its_to;
    std::wstring line = L"\"" + program() + L"\" --run-here private_directory/" + test + L" 1";
    PROCESS_INFORMATION info{};
    SetEnvironmentVariableW(kRole, L"other");
    cr_assert(CreateProcessW(nullptr, line.data(), nullptr, nullptr, TRUE, 0, nullptr, nullptr,
                             &startup, &info) != 0);
    SetEnvironmentVariableW(kRole, nullptr);
    process_ = Handle(info.hProcess);
    CloseHandle(info.hThread);
  }
  /// Blocks: until it has told it.
  [[nodiscard]] std::string directory() {
    std::string told;
    char letter = 0;
    for (DWORD count = 0; ReadFile(from_.get(), &letter, 1, &count, nullptr) && count == 1;) {
      if (letter == '\n') break;
      told += letter;
    }
    cr_assert(!told.empty());
    return told;
  }
  void kill() {
    cr_assert(TerminateProcess(process_.get(), 9) != 0);
    WaitForSingleObject(process_.get(), INFINITE);
  }
  void end() {
    to_ = Handle();
    WaitForSingleObject(process_.get(), INFINITE);
  }

 private:
  Handle from_;
  Handle to_;
  Handle process_;
};

/// Until the other end is closed.
void tell_and_wait(const std::string &text) {
  const std::string line = text + "\n";
  DWORD count = 0;
  WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), line.data(), static_cast<DWORD>(line.size()), &count,
            nullptr);
  char letter = 0;
  (void)ReadFile(GetStdHandle(STD_INPUT_HANDLE), &letter, 1, &count, nullptr);
}

void write_file(const std::string &path) {
  std::FILE *const file = _wfopen(wide_of(path).c_str(), L"w");
  cr_assert_not_null(file);
  std::fputs("something", file);
  std::fclose(file);
}

}  // namespace

Test(private_directory, it_stays_the_same, .timeout = 60) {
  const std::string path = directory();
  cr_assert(is_there(path));
  cr_assert_eq(directory(), path);
  write_file(path + "\\file");
}

Test(private_directory, nobody_else_can_look_into_it, .timeout = 60) {
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  PACL list = nullptr;
  cr_assert_eq(
      GetNamedSecurityInfoW(wide_of(directory()).c_str(), SE_FILE_OBJECT, DACL_SECURITY_INFORMATION,
                            nullptr, nullptr, &list, nullptr, &descriptor),
      ERROR_SUCCESS);
  cr_assert_not_null(list);
  std::byte everyone[SECURITY_MAX_SID_SIZE];
  DWORD size = sizeof everyone;
  cr_assert(CreateWellKnownSid(WinWorldSid, nullptr, everyone, &size) != 0);
  for (DWORD i = 0; i < list->AceCount; ++i) {
    ACCESS_ALLOWED_ACE *entry = nullptr;
    cr_assert(GetAce(list, i, reinterpret_cast<void **>(&entry)) != 0);
    const bool is_allowed = entry->Header.AceType == ACCESS_ALLOWED_ACE_TYPE && entry->Mask != 0;
    cr_assert(!is_allowed || !EqualSid(&entry->SidStart, everyone));
  }
  LocalFree(descriptor);
}

Test(private_directory, it_goes_with_its_process_if_nothing_in_it_is_loaded, .timeout = 60) {
  if (is_other()) {
    write_file(directory() + "\\file");
    tell_and_wait(directory());
    return;
  }
  const Place place;
  Other other(L"it_goes_with_its_process_if_nothing_in_it_is_loaded");
  const std::string path = other.directory();
  Other third(L"it_goes_with_its_process_if_nothing_in_it_is_loaded");
  cr_assert_neq(path, third.directory());
  third.end();
  cr_assert(is_there(path + "\\file"), "a process that runs keeps its own");
  cr_assert(is_there(path + ".lock"));
  other.end();
  cr_assert(place.remove());
}

Test(private_directory, what_a_killed_process_has_left_the_next_one_removes, .timeout = 60) {
  if (is_other()) {
    PrivateLibraries libraries;
    cr_assert(libraries.load("tests/mingw/fixtures/python3.dll").ok());
    tell_and_wait(directory());
    return;
  }
  const Place place;
  Other other(L"what_a_killed_process_has_left_the_next_one_removes");
  const std::string path = other.directory();
  other.kill();
  cr_assert(is_there(path));
  cr_assert(!is_there(path + ".lock"));
  Other next(L"it_goes_with_its_process_if_nothing_in_it_is_loaded");
  (void)next.directory();
  cr_assert(!is_there(path));
  next.end();
  cr_assert(place.remove());
}

Test(private_directory, a_link_leads_to_nothing_that_is_removed, .timeout = 60) {
  const Place place;
  const std::wstring elsewhere = place.path() + L"\\elsewhere";
  const std::wstring link = place.path() + L"\\interlock-link";
  cr_assert(CreateDirectoryW(elsewhere.c_str(), nullptr) != 0);
  write_file(utf8_of(elsewhere) + "\\file");
  // Wine says that it has made one, and makes none.
  const bool is_made =
      CreateSymbolicLinkW(link.c_str(), elsewhere.c_str(), SYMBOLIC_LINK_FLAG_DIRECTORY) != 0 &&
      is_there(utf8_of(link));
  if (is_made) {
    Other other(L"it_goes_with_its_process_if_nothing_in_it_is_loaded");
    (void)other.directory();
    other.end();
  }
  const bool is_kept = is_there(utf8_of(elsewhere) + "\\file");
  RemoveDirectoryW(link.c_str());
  DeleteFileW((elsewhere + L"\\file").c_str());
  RemoveDirectoryW(elsewhere.c_str());
  cr_assert(place.remove());
  if (!is_made) cr_skip_test("there are no symbolic links for this user");
  cr_assert(is_kept);
}
