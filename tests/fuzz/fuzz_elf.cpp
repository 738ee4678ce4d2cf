// SPDX-License-Identifier: MIT
// Any bytes as a shared object: asks and changes what the loader of private copies does, in the
// same order, and aborts where a promise of posix/elf.hpp does not hold. That nothing outside the
// bytes is touched is seen under AddressSanitizer.
#include "fuzz/fuzz_elf.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "posix/elf.hpp"

using namespace interlock;

namespace {

using Bytes = std::vector<std::byte>;
using Places = std::vector<ElfFile::Address>;

/// What renaming may change, and what it must not.
struct Names {
  std::string soname;
  std::string search_path;
  std::vector<std::string> needed;
  std::vector<Places> of_symbols;
  bool operator==(const Names &) const = default;
};

bool is_inside(const Bytes &bytes, std::uint64_t offset, std::uint64_t size) {
  return offset <= bytes.size() && size <= bytes.size() - offset;
}

/// With the zero that ends it.
bool is_inside(const Bytes &bytes, std::string_view text) {
  if (text.empty()) return true;
  const auto *const first = reinterpret_cast<const std::byte *>(text.data());
  return first >= bytes.data() && first + text.size() < bytes.data() + bytes.size() &&
         first[text.size()] == std::byte{0};
}

/// Whether an address is of bytes of the file, and so many more.
bool is_in_file(const ElfFile &file, ElfFile::Address address, std::uint64_t size) {
  return std::ranges::any_of(file.segments(), [&](const ElfFile::Segment &each) {
    return address >= each.p_vaddr && address - each.p_vaddr < each.p_filesz &&
           size <= each.p_filesz - (address - each.p_vaddr);
  });
}

Names names_of(const ElfFile &file) {
  Names names{std::string(file.soname()), std::string(file.search_path()), {}, {}};
  for (const std::string_view each : file.needed()) names.needed.emplace_back(each);
  constexpr std::string_view kSymbols[] = {"getenv", "PyErr_Clear", "pthread_create", ""};
  names.of_symbols = file.places_of(kSymbols);
  return names;
}

void check_segments(const Bytes &bytes, const ElfFile &file) {
  CHECK(!file.segments().empty());
  CHECK(file.headers_end() >= sizeof(ElfFile::Header) && file.headers_end() <= bytes.size());
  std::uint64_t end = 0;  // of the one before, in memory
  for (const ElfFile::Segment &each : file.segments()) {
    CHECK(each.p_type == PT_LOAD);
    CHECK(each.p_filesz == 0 || is_inside(bytes, each.p_offset, each.p_filesz));
    CHECK(each.p_filesz <= each.p_memsz);
    CHECK(each.p_vaddr >= end && each.p_memsz <= UINTPTR_MAX - each.p_vaddr);
    end = std::uint64_t{each.p_vaddr} + each.p_memsz;
    const std::uint64_t early = file.read_early(each);
    CHECK(early <= each.p_filesz);
    CHECK(each.p_offset >= file.headers_end() || early == each.p_filesz ||
          each.p_offset + early >= file.headers_end());
  }
}

/// The linker looks at all that a program header tells of, but for the parts that it only maps.
void check_read_early(const Bytes &bytes, const ElfFile &file) {
  ElfFile::Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    ElfFile::Segment part;
    std::memcpy(&part, bytes.data() + header.e_phoff + i * sizeof part, sizeof part);
    if (part.p_type != PT_DYNAMIC && part.p_type != PT_NOTE && part.p_type != PT_TLS) continue;
    for (const ElfFile::Segment &each : file.segments()) {
      if (part.p_vaddr < each.p_vaddr || part.p_vaddr - each.p_vaddr >= each.p_filesz) continue;
      const std::uint64_t skipped = part.p_vaddr - each.p_vaddr;
      const std::uint64_t size = std::min<std::uint64_t>(part.p_filesz, each.p_filesz - skipped);
      CHECK(file.read_early(each) >= skipped + size);
    }
  }
}

void check_names(const Bytes &bytes, const ElfFile &file) {
  CHECK(is_inside(bytes, file.soname()));
  CHECK(is_inside(bytes, file.search_path()));
  for (const std::string_view each : file.needed()) CHECK(is_inside(bytes, each));
}

/// The name becomes another wherever it is a name of the file; nothing else does.
void rename(ElfFile &file, const std::string &name) {
  const Names before = names_of(file);
  const std::string other(name.size(), name.starts_with('x') ? 'y' : 'x');
  Names expected = before;
  if (file.rename(name, other)) {
    if (expected.soname == name) expected.soname = other;
    std::ranges::replace(expected.needed, name, other);
    CHECK(expected != before);
  }
  CHECK(names_of(file) == expected);
}

void check_calls(const ElfFile &file, const ElfFile::Calls &calls) {
  CHECK(calls.function == 0 || is_in_file(file, calls.function, 1));
  if (calls.count == 0) return;
  CHECK(calls.count <= SIZE_MAX / sizeof calls.array);
  CHECK(is_in_file(file, calls.array, calls.count * sizeof calls.array));
}

/// Takes them, and once more: nothing is left. False if they are refused.
template <typename Take>
bool take(ElfFile &file, Take take_calls) {
  Result<ElfFile::Calls> calls = take_calls(file);
  if (!calls.ok()) {
    CHECK(calls.status().code() == Code::kEINVAL);
    return false;
  }
  check_calls(file, calls.value());
  Result<ElfFile::Calls> left = take_calls(file);
  CHECK(left.ok() && left.value().function == 0 && left.value().count == 0);
  return true;
}

/// What is only asked.
void look(const Bytes &bytes, const ElfFile &file) {
  check_segments(bytes, file);
  check_names(bytes, file);
  (void)names_of(file);
  (void)file.protected_later();
  (void)file.is_changed_early();
  // What CPython defines is named as what others take from it.
  (void)(file.uses_python() || file.is_python());
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto *const first = reinterpret_cast<const std::byte *>(data);
  Bytes bytes(first, first + size);
  Result<ElfFile> opened = ElfFile::open(bytes);
  if (!opened.ok()) {
    CHECK(opened.status().code() == Code::kEINVAL && *opened.status().message() != 0);
    return 0;
  }
  ElfFile &file = opened.value();
  look(bytes, file);
  check_read_early(bytes, file);
  CHECK(std::memcmp(bytes.data(), data, size) == 0);

  const Names names = names_of(file);
  for (const std::string &each : names.needed) rename(file, each);
  rename(file, std::string(file.soname()));
  (void)file.make_private();
  CHECK(file.make_private() == 0);
  const bool has_initialisers = take(file, [](ElfFile &each) { return each.take_initialisers(); });
  const bool has_finalisers = take(file, [](ElfFile &each) { return each.take_finalisers(); });
  if (has_initialisers && has_finalisers) (void)file.prefer_own_symbols(size % 2 == 0);
  file.leave_writable();
  look(bytes, file);

  Result<ElfFile> changed = ElfFile::open(bytes);
  if (changed.ok()) look(bytes, changed.value());
  return 0;
}
