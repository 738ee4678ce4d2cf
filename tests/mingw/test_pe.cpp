// SPDX-License-Identifier: MIT
// The reader of DLLs, on one that is made here and, on Windows, on others: whole, cut short, and
// with bytes changed at random. That nothing outside the file is touched is seen under
// AddressSanitizer.
#include <criterion/criterion.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "mingw/pe.hpp"
#include "mingw/pe_bytes.hpp"

using namespace interlock;

namespace {

using Bytes = std::vector<std::byte>;

std::string refusal(Bytes bytes) {
  Result<PeFile> file = PeFile::open(bytes);
  return file.ok() ? "" : file.status().message();
}

template <typename T>
std::string refusal_with(std::size_t offset, T value) {
  PeBytes made;
  made.put<T>(offset, value);
  return refusal(made.bytes);
}

template <typename T>
std::string refusal_at(std::uint32_t address, T value) {
  PeBytes made;
  made.at<T>(address, value);
  return refusal(made.bytes);
}

/// What there is here of DLLs that others made.
std::vector<Bytes> libraries() {
  std::vector<Bytes> all = {PeBytes().bytes};
  for (const char *const path :
       {"tests/mingw/fixtures/library.dll", "tests/mingw/fixtures/libwinpthread-1.dll",
        "C:\\windows\\system32\\kernel32.dll", "C:\\windows\\system32\\msvcrt.dll"}) {
    std::ifstream file(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    if (text.empty()) continue;
    Bytes &bytes = all.emplace_back(text.size());
    std::memcpy(bytes.data(), text.data(), text.size());
  }
  return all;
}

bool is_inside(const Bytes &bytes, std::string_view text) {
  const auto *const first = reinterpret_cast<const std::byte *>(text.data());
  return first >= bytes.data() && first + text.size() < bytes.data() + bytes.size() &&
         first[text.size()] == std::byte{0};
}

/// Asks and changes all that the loader of private copies does. False if the file is refused.
bool look(Bytes &bytes) {
  Result<PeFile> opened = PeFile::open(bytes);
  if (!opened.ok()) {
    cr_assert_neq(opened.status().message()[0], 0);
    cr_assert_eq(opened.status().code(), Code::kEINVAL);
    return false;
  }
  PeFile &file = opened.value();
  std::uint64_t end = 0;
  for (const PeFile::Section &each : file.sections()) {
    cr_assert(each.start >= end && each.known <= each.size);
    cr_assert(each.offset <= bytes.size() && each.known <= bytes.size() - each.offset);
    end = std::uint64_t{each.start} + each.size;
    cr_assert_leq(end, file.memory_size());
  }
  for (const PeFile::Import &each : file.imports()) {
    cr_assert(is_inside(bytes, each.library));
    cr_assert(each.name.empty() || is_inside(bytes, each.name));
    cr_assert_leq(each.place, file.memory_size() - sizeof(std::uint64_t));
  }
  cr_assert(file.thread_index() < file.memory_size());
  (void)(file.is_python() || file.uses_python());
  std::vector<std::string> names;
  for (const std::string_view each : file.needed()) names.emplace_back(each);
  for (const std::string &each : names) {
    const std::string other(each.size(),
                            each.starts_with('x') || each.starts_with('X') ? 'y' : 'x');
    if (!file.rename(each, other)) continue;
    cr_assert(!file.rename(each, other));
    const std::vector<std::string_view> now = file.needed();
    cr_assert(std::ranges::find(now, other) != now.end());
  }
  const PeFile::Calls calls = file.take_calls();
  cr_assert(calls.entry < file.memory_size());
  cr_assert(calls.count == 0 || calls.array + std::uint64_t{calls.count} * 8 <= file.memory_size());
  const PeFile::Calls left = file.take_calls();
  cr_assert(left.entry == 0 && left.count == 0);
  return true;
}

}  // namespace

Test(pe, a_library_is_what_the_linker_takes_it_for, .timeout = 60) {
  PeBytes made;
  Result<PeFile> opened = PeFile::open(made.bytes);
  cr_assert(opened.ok(), "%s", opened.status().message());
  PeFile &file = opened.value();
  cr_assert_eq(file.memory_size(), PeBytes::kMemorySize);
  cr_assert_eq(file.sections().size(), 3);  // and the headers
  const PeFile::Section &data = file.sections()[1];
  cr_assert(data.is_writable && data.start == PeBytes::kData && data.size == 0x2000);
  cr_assert(data.offset == PeBytes::kHeadersSize && data.known == 0xc00);
  cr_assert(!file.sections()[2].is_writable);
  cr_assert(file.needed() ==
            std::vector<std::string_view>({"Python313.dll", "KERNEL32.dll", "later.dll"}));
  cr_assert_eq(file.imports().size(), 5);
  cr_assert_eq(file.imports()[1].name, "Py_IsInitialized");
  cr_assert_eq(file.imports()[1].place, 0x1208);
  cr_assert_eq(file.imports()[2].name, "");
  cr_assert_eq(file.imports()[3].library, "KERNEL32.dll");
  cr_assert(!file.imports()[3].is_delayed && file.imports()[4].is_delayed);
  cr_assert_eq(file.imports()[4].place, 0x1340);
  cr_assert(file.uses_python());
  cr_assert(!file.is_python());
  cr_assert(file.has_export("another"));
  cr_assert(!file.has_export("anothe"));
  cr_assert(!file.has_export("another_one"));
  cr_assert_eq(file.thread_index(), PeBytes::kZeros + 8);
}

Test(pe, what_it_calls_is_taken_once, .timeout = 60) {
  PeBytes made;
  PeFile::Calls calls = PeFile::open(made.bytes).value().take_calls();
  cr_assert_eq(calls.entry, PeBytes::kCode + 32);
  cr_assert_eq(calls.array, PeBytes::kCalls);
  cr_assert_eq(calls.count, 2);
  calls = PeFile::open(made.bytes).value().take_calls();
  cr_assert_eq(calls.entry, 0);
  cr_assert_eq(calls.array, PeBytes::kCalls + 16, "where the list ends");
  cr_assert_eq(calls.count, 0);
}

Test(pe, python_is_told_by_its_name_or_by_what_it_has, .timeout = 60) {
  for (const char *const name : {"PYTHON3.dll\0\0", "python314.dll", "LibPython3.13"}) {
    PeBytes made;
    made.at<char[14]>(0x1400, {});
    std::memcpy(made.bytes.data() + 0x800, name, 13);
    cr_assert(PeFile::open(made.bytes).value().uses_python(), "%s", name);
  }
  for (const char *const name : {"python27.dll\0", "xpython3.dll\0", "python\0\0\0\0\0\0\0"}) {
    PeBytes made;
    std::memcpy(made.bytes.data() + 0x800, name, 13);
    cr_assert(!PeFile::open(made.bytes).value().uses_python(), "%s", name);
  }
  PeBytes made;
  made.at<char[16]>(0x1660, {"Py_InitializeEx"});
  cr_assert(PeFile::open(made.bytes).value().is_python());
}

Test(pe, a_name_becomes_another_of_the_same_length, .timeout = 60) {
  PeBytes made;
  Result<PeFile> file = PeFile::open(made.bytes);
  cr_assert(!file.value().rename("later.dll", "later_one.dll"));
  cr_assert(!file.value().rename("never.dll", "other.dll"));
  cr_assert(!file.value().rename("", ""));
  cr_assert(file.value().rename("Later.DLL", "other.dll"));
  cr_assert(file.value().rename("python313.dll", "0001on313.dll"));
  Result<PeFile> again = PeFile::open(made.bytes);
  cr_assert(again.value().needed() ==
            std::vector<std::string_view>({"0001on313.dll", "KERNEL32.dll", "other.dll"}));
  cr_assert(!again.value().uses_python());
}

Test(pe, a_name_stays_where_another_one_ends_in_it, .timeout = 60) {
  PeBytes made;
  made.at<std::uint32_t>(PeBytes::kImports + 20 + 12, 0x1404);
  Result<PeFile> file = PeFile::open(made.bytes);
  cr_assert_eq(file.value().needed()[1], "on313.dll");
  cr_assert(!file.value().rename("Python313.dll", "0001on313.dll"));
  cr_assert(!file.value().rename("on313.dll", "0001n.dll"));
  cr_assert_eq(file.value().needed()[0], "Python313.dll");
}

Test(pe, what_is_no_library_is_refused_with_the_reason, .timeout = 60) {
  using Half = std::uint16_t;
  using Word = std::uint32_t;
  constexpr std::size_t kHeader = PeBytes::kHeader;
  constexpr std::size_t kOptional = PeBytes::kOptional;
  cr_assert_eq(refusal({}), "it is too short to be a DLL");
  cr_assert_eq(refusal_with<char>(0, 'X'), "it is no DLL");
  cr_assert_eq(refusal_with<Word>(60, 0xfffffff0), "its header is not inside the file");
  cr_assert_eq(refusal_with<char>(kHeader, 'X'), "it is no DLL");
  cr_assert_eq(refusal_with<Half>(kHeader + 4, 0x14c), "it is for another kind of processor");
  cr_assert_eq(refusal_with<Half>(kHeader + 22, 0x0022), "it is a program, no DLL");
  cr_assert_eq(refusal_with<Half>(kHeader + 22, 0x2023), "it can be loaded to one address only");
  cr_assert_eq(refusal_with<Half>(kOptional, 0x10b), "it is not for a 64-bit system");
  cr_assert_eq(refusal_with<Word>(kOptional + 16, 0x4000),
               "its entry point is not inside the file");
  cr_assert_eq(refusal_with<Word>(kOptional + 108, 17), "its header is not inside the file");
  cr_assert_eq(refusal_with<Half>(kHeader + 6, 0xffff), "its sections are not inside the file");
  cr_assert_eq(refusal_with<Word>(PeBytes::kSections + 40 + 12, 0x2000),
               "its sections overlap or are not in order");
  cr_assert_eq(refusal_with<Word>(PeBytes::kSections + 40 + 8, 0x2000),
               "a section has an impossible size");
  Bytes bytes = PeBytes().bytes;
  bytes.pop_back();
  cr_assert_eq(refusal(bytes), "it is truncated: a section is not inside the file");
  cr_assert_eq(refusal_at<Word>(PeBytes::kImports + 16, 0xfffffff0),
               "its imports are not inside the file");
  cr_assert_eq(refusal_at<Word>(PeBytes::kImports + 12, PeBytes::kZeros),
               "the name of what it needs is not inside the file");
  cr_assert_eq(refusal_at<std::uint64_t>(0x1100, 0x5000),
               "the name of an import is not inside the file");
  cr_assert_eq(refusal_at<Word>(PeBytes::kDelayed, 0), "its delayed imports are of an old kind");
  cr_assert_eq(refusal_at<Word>(PeBytes::kExports + 24, 0xffffffff),
               "its exports are not inside the file");
  cr_assert_eq(refusal_at<std::uint64_t>(PeBytes::kThreadStorage + 16, 1),
               "its thread-local storage is not inside the file");
  cr_assert_eq(refusal_at<std::uint64_t>(PeBytes::kThreadStorage + 24, PeBytes::kBase + 0x1bfc),
               "its list of what threads call is not inside the file, or does not end");
}

Test(pe, libraries_of_others_are_read, .timeout = 120) {
  for (Bytes &each : libraries()) {
    cr_assert_eq(refusal(each), "");
    cr_assert(look(each));
  }
}

Test(pe, any_length_is_opened_or_refused, .timeout = 120) {
  for (const Bytes &whole : libraries()) {
    for (std::size_t i = 0; i < 3000; ++i) {
      const std::size_t size = i < 2000 ? i : 2000 + (i - 2000) * (whole.size() - 2000) / 1000;
      if (size >= whole.size()) break;
      Bytes bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      (void)look(bytes);
      if (size < PeBytes::kHeadersSize) cr_assert_neq(refusal(bytes), "");
    }
  }
}

/// Where a change tells: the headers and what they lead to, not the code.
Test(pe, any_bytes_are_opened_or_refused, .timeout = 300) {
  constexpr unsigned kTelling[] = {0, 1, 2, 0x7f, 0x80, 0xff};
  for (const Bytes &whole : libraries()) {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < PeBytes::kHeadersSize; ++i) places.push_back(i);
    Bytes bytes = whole;
    {
      Result<PeFile> file = PeFile::open(bytes);
      for (const PeFile::Section &each : file.value().sections()) {
        for (std::size_t i = 0; each.is_writable && i < std::min(each.known, 8192U); ++i)
          places.push_back(each.offset + i);
      }
    }
    unsigned opened = 0;
    constexpr unsigned kSeeds = 4000;
    for (unsigned seed = 0; seed < kSeeds; ++seed) {
      std::mt19937 random(seed);
      for (unsigned left = 1 + random() % 4; left != 0; --left) {
        const std::size_t place = places[random() % places.size()];
        const unsigned value =
            random() % 2 != 0 ? kTelling[random() % std::size(kTelling)] : random() & 0xff;
        bytes[place] = static_cast<std::byte>(value);
      }
      if (look(bytes)) ++opened;
      bytes = whole;
    }
    cr_assert_gt(opened, 0);
    cr_assert_lt(opened, kSeeds);
  }
}
