// SPDX-License-Identifier: MIT
// A test's process is the same program, told to run that one test. Windows ends a process with a
// code where POSIX names a signal: abort() with 3, a fault with the number of the exception.
#include <fcntl.h>
#include <io.h>
#include <windows.h>

#include <string>

#include "driver.hpp"

namespace test_driver {
namespace {

constexpr DWORD kAborted = 3;

int signal_of(DWORD code) {
  switch (code) {
    case kAborted:
      return SIGABRT;
    case EXCEPTION_ACCESS_VIOLATION:
    case EXCEPTION_STACK_OVERFLOW:
      return SIGSEGV;
    case EXCEPTION_INT_DIVIDE_BY_ZERO:
      return SIGFPE;
    case EXCEPTION_ILLEGAL_INSTRUCTION:
      return SIGILL;
    default:
      return 0;
  }
}

/// No window, no debugger: the process ends, and its code says why.
LONG WINAPI end_by_exception(EXCEPTION_POINTERS *exception) {
  TerminateProcess(GetCurrentProcess(), exception->ExceptionRecord->ExceptionCode);
  return EXCEPTION_EXECUTE_HANDLER;
}

// TAP's lines end as they do elsewhere.
const int previous_mode = _setmode(_fileno(stdout), _O_BINARY);
const auto previous_filter = SetUnhandledExceptionFilter(end_by_exception);

}  // namespace

Outcome run_isolated(const TestCase &test, int number, double seconds) {
  char program[MAX_PATH];
  GetModuleFileNameA(nullptr, program, sizeof program);
  std::string line = "\"" + std::string(program) + "\" --run-here " + test.suite + "/" + test.name +
                     " " + std::to_string(number);
  STARTUPINFOA startup{};
  startup.cb = sizeof startup;
  PROCESS_INFORMATION process{};
  if (!CreateProcessA(program, line.data(), nullptr, nullptr, TRUE, 0, nullptr, nullptr, &startup,
                      &process)) {
    std::printf("# CreateProcess: error %lu\n", GetLastError());
    return {Outcome::Kind::kExited, kFailed};
  }
  CloseHandle(process.hThread);
  const bool timed_out =
      WaitForSingleObject(process.hProcess, static_cast<DWORD>(seconds * 1000)) == WAIT_TIMEOUT;
  if (timed_out) {
    TerminateProcess(process.hProcess, kFailed);
    WaitForSingleObject(process.hProcess, INFINITE);
  }
  DWORD code = 0;
  GetExitCodeProcess(process.hProcess, &code);
  CloseHandle(process.hProcess);
  if (timed_out) return {Outcome::Kind::kTimedOut, 0};
  if (const int signal = signal_of(code); signal != 0) return {Outcome::Kind::kSignalled, signal};
  return {Outcome::Kind::kExited, static_cast<int>(code)};
}

}  // namespace test_driver
