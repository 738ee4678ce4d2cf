// SPDX-License-Identifier: MIT
// The reader of shared objects, on the C library's own file: whole, cut short, and with bytes
// changed at random. That nothing outside the file is touched is seen under AddressSanitizer.
#include <criterion/criterion.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/fuzz_elf.hpp"
#include "posix/elf.hpp"

using namespace interlock;

namespace {

using Bytes = std::vector<std::byte>;
using Tag = decltype(ElfFile::Entry::d_tag);  // without a sign in some headers

/// The file that has std::getenv(), which no sanitizer replaces; nothing if that is the program.
Bytes some_library() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void *>(&std::getenv), &info) == 0) return {};
  std::ifstream file(info.dli_fname, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  Bytes bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  cr_assert_gt(bytes.size(), 1000);
  return bytes;
}

/// Where the last byte stands that the linker needs.
std::size_t end_of(Bytes &bytes) {
  std::size_t end = 0;
  Result<ElfFile> file = ElfFile::open(bytes);
  for (const ElfFile::Segment &each : file.value().segments())
    end = std::max(end, static_cast<std::size_t>(each.p_offset + each.p_filesz));
  return end;
}

std::string refusal(Bytes bytes) {
  Result<ElfFile> file = ElfFile::open(bytes);
  return file.ok() ? "" : file.status().message();
}

template <typename T>
T &at(Bytes &bytes, std::size_t offset) {
  return *reinterpret_cast<T *>(bytes.data() + offset);
}

ElfFile::Header &header_of(Bytes &bytes) { return at<ElfFile::Header>(bytes, 0); }

ElfFile::Segment &segment_of(Bytes &bytes, unsigned type) {
  auto *each = &at<ElfFile::Segment>(bytes, header_of(bytes).e_phoff);
  while (each->p_type != type) ++each;
  return *each;
}

ElfFile::Entry &entry_of(Bytes &bytes, std::int64_t tag) {
  auto *each = &at<ElfFile::Entry>(bytes, segment_of(bytes, PT_DYNAMIC).p_offset);
  const auto wanted = static_cast<Tag>(tag);
  for (; each->d_tag != wanted; ++each) cr_assert_neq(each->d_tag, DT_NULL, "it has no such entry");
  return *each;
}

/// A table of them, which is in the first segment.
Bytes relocations_of(Bytes &bytes) {
  const std::int64_t tag = sizeof(void *) == 8 ? DT_RELA : DT_REL;
  const auto start = entry_of(bytes, tag).d_un.d_ptr;
  const auto size = entry_of(bytes, tag == DT_RELA ? DT_RELASZ : DT_RELSZ).d_un.d_val;
  return {&at<std::byte>(bytes, start), &at<std::byte>(bytes, start + size)};
}

constexpr std::int64_t kRelativeCount = 0x6ffffff9;  // DT_RELACOUNT, which not all headers have

/// Leaves no entry that could say that own symbols come first.
void take_room(Bytes &bytes) {
  auto *each = &at<ElfFile::Entry>(bytes, segment_of(bytes, PT_DYNAMIC).p_offset);
  for (; each->d_tag != DT_NULL; ++each) {
    if (each->d_tag == DT_FLAGS || each->d_tag == kRelativeCount) each->d_tag = DT_LOOS + 1;
  }
}

}  // namespace

#define LIBRARY_OR_SKIP(bytes)  \
  Bytes bytes = some_library(); \
  if (bytes.empty()) cr_skip_test("the C library is linked into the program")

// musl's has none.
#define NAMED_LIBRARY_OR_SKIP(bytes) \
  LIBRARY_OR_SKIP(bytes);            \
  if (ElfFile::open(bytes).value().soname().empty()) cr_skip_test("the C library has no name")

Test(elf, a_library_is_what_the_linker_takes_it_for, .timeout = 60) {
  LIBRARY_OR_SKIP(bytes);
  Result<ElfFile> file = ElfFile::open(bytes);
  cr_assert(file.ok(), "%s", file.status().message());
  const std::string_view name = file.value().soname();  // musl has none
  cr_assert(name.empty() || name.starts_with("libc."));
  cr_assert(!file.value().uses_python());
  cr_assert(!file.value().is_python());
  cr_assert(!file.value().segments().empty());
  cr_assert_eq(file.value().search_path(), "");
}

Test(elf, a_name_becomes_another_of_the_same_length, .timeout = 60) {
  NAMED_LIBRARY_OR_SKIP(bytes);
  Result<ElfFile> file = ElfFile::open(bytes);
  cr_assert(file.ok());
  const std::string name(file.value().soname());
  const std::string other = "_1_" + name.substr(3);
  cr_assert(!file.value().rename(name, other + "x"));
  cr_assert(!file.value().rename("libnobody.so", "libelsebody."));
  cr_assert(!file.value().rename("", ""));
  cr_assert(file.value().rename(name, other));
  cr_assert_eq(file.value().soname(), other);
  cr_assert(!file.value().rename(name, other), "the old name is gone");
  cr_assert_eq(ElfFile::open(bytes).value().soname(), other);
}

Test(elf, a_name_stays_where_another_one_ends_in_it, .timeout = 60) {
  NAMED_LIBRARY_OR_SKIP(bytes);
  const auto place = entry_of(bytes, DT_SONAME).d_un.d_val;
  entry_of(bytes, DT_NEEDED).d_un.d_val = place + 3;
  Result<ElfFile> file = ElfFile::open(bytes);
  cr_assert(file.ok());
  const std::string name(file.value().soname());
  cr_assert_eq(file.value().needed().front(), name.substr(3));
  cr_assert(!file.value().rename(name, std::string(name.size(), 'x')));
  entry_of(bytes, DT_NEEDED).d_tag = DT_RUNPATH;
  entry_of(bytes, DT_RUNPATH).d_un.d_val = place;
  cr_assert(!file.value().rename(name, std::string(name.size(), 'x')));
  cr_assert_eq(file.value().soname(), name);
  cr_assert_eq(file.value().search_path(), name);
}

Test(elf, what_is_there_twice_is_taken_once, .timeout = 60) {
  NAMED_LIBRARY_OR_SKIP(bytes);
  const auto early = segment_of(bytes, PT_LOAD).p_vaddr + 64;
  for (const std::int64_t tag : {DT_NEEDED, DT_SONAME}) {
    entry_of(bytes, tag).d_un.d_val = tag == DT_SONAME ? early + 1 : early;
    entry_of(bytes, tag).d_tag = DT_INIT;
  }
  Result<ElfFile> file = ElfFile::open(bytes);
  cr_assert(file.ok(), "%s", file.status().message());
  Result<ElfFile::Calls> calls = file.value().take_initialisers();
  cr_assert(calls.ok());
  cr_assert(calls.value().function == early || calls.value().function == early + 1);
  calls = file.value().take_initialisers();
  cr_assert(calls.ok());
  cr_assert_eq(calls.value().function, 0);
}

Test(elf, what_is_looked_at_early_may_seem_to_have_any_size, .timeout = 60) {
  LIBRARY_OR_SKIP(bytes);
  const std::vector<ElfFile::Segment> all = ElfFile::open(bytes).value().segments();
  cr_assert_gt(all.size(), 1);
  ElfFile::Segment &note = segment_of(bytes, PT_NOTE);
  note.p_vaddr = all[1].p_vaddr + 16;
  note.p_filesz = SIZE_MAX - 7;
  for (const std::size_t size : {std::size_t{8}, SIZE_MAX - 7}) {
    note.p_memsz = size;
    Result<ElfFile> file = ElfFile::open(bytes);
    cr_assert(file.ok());
    cr_assert_eq(file.value().read_early(all[1]), all[1].p_filesz);
  }
}

Test(elf, what_it_takes_is_seen_where_it_defines_nothing, .timeout = 60) {
  LIBRARY_OR_SKIP(bytes);
  const std::string_view taken = "_rtld_global";
  const auto places = [&] {
    return ElfFile::open(bytes).value().places_of({&taken, 1}).front().size();
  };
  if (places() == 0) cr_skip_test("it does not take what the C library of GNU takes");
  const std::size_t before = places();
  // In the first segment, addresses are offsets; the linker writes this where there are no names.
  auto *const table = &at<std::uint32_t>(bytes, entry_of(bytes, DT_GNU_HASH).d_un.d_ptr);
  std::fill_n(table, 6 + sizeof(void *) / 4, 0);
  std::fill_n(table, 3, 1);
  cr_assert_eq(places(), before);
}

Test(elf, own_symbols_come_first_by_a_flag_where_the_linker_knows_it, .timeout = 60) {
  NAMED_LIBRARY_OR_SKIP(bytes);
  for (const bool has_flags : {true, false}) {
    Bytes changed = bytes;
    take_room(changed);
    const std::int64_t tag = has_flags ? DT_FLAGS : kRelativeCount;
    entry_of(changed, DT_SONAME) = {.d_tag = static_cast<Tag>(tag), .d_un = {}};
    const auto start = entry_of(changed, DT_SYMTAB).d_un.d_ptr;
    const auto count = (entry_of(changed, DT_STRTAB).d_un.d_ptr - start) / sizeof(ElfFile::Symbol);
    const std::span all(&at<ElfFile::Symbol>(changed, start), count);
    const auto is_weak = [](const ElfFile::Symbol &each) {
      return each.st_info >> 4 == STB_WEAK && each.st_shndx != SHN_UNDEF;
    };
    cr_assert(std::ranges::any_of(all, is_weak));
    const Bytes relocations = relocations_of(changed);
    Result<ElfFile> file = ElfFile::open(changed);
    cr_assert(file.ok(), "%s", file.status().message());
    cr_assert(file.value().prefer_own_symbols(true));
    cr_assert(std::ranges::none_of(all, is_weak));
    cr_assert(relocations_of(changed) == relocations);
    if (has_flags) {
      cr_assert_neq(entry_of(changed, DT_FLAGS).d_un.d_val & DF_SYMBOLIC, 0);
    } else {
      (void)entry_of(changed, DT_SYMBOLIC);
    }
    (void)file.value().prefer_own_symbols(false);
    cr_assert(relocations_of(changed) != relocations);
  }
}

Test(elf, a_flag_needs_room, .timeout = 60) {
  LIBRARY_OR_SKIP(bytes);
  take_room(bytes);
  cr_assert(!ElfFile::open(bytes).value().prefer_own_symbols(true));
  cr_assert(ElfFile::open(bytes).value().prefer_own_symbols(false));
}

Test(elf, what_the_linker_would_protect_is_left_to_us, .timeout = 60) {
  LIBRARY_OR_SKIP(bytes);
  const ElfFile::Segment before = segment_of(bytes, PT_GNU_RELRO);
  ElfFile file = std::move(ElfFile::open(bytes).value());
  file.leave_writable();
  cr_assert_eq(file.protected_later().start, before.p_vaddr);
  cr_assert_eq(file.protected_later().size, before.p_memsz);
  cr_assert_eq(ElfFile::open(bytes).value().protected_later().size, 0);
}

Test(elf, what_is_no_library_is_refused_with_the_reason, .timeout = 60) {
  LIBRARY_OR_SKIP(whole);
  const auto changed = [&](auto change) {
    Bytes bytes = whole;
    change(bytes);
    return refusal(std::move(bytes));
  };
  cr_assert_eq(refusal({}), "it is too short to be a shared object");
  cr_assert_eq(changed([](Bytes &all) { all[0] = std::byte{1}; }), "it is no ELF file");
  cr_assert_eq(changed([](Bytes &all) { header_of(all).e_type = ET_REL; }),
               "it is no shared object");
  cr_assert_eq(changed([](Bytes &all) { header_of(all).e_machine = EM_MIPS; }),
               "it is for another kind of processor");
  cr_assert_eq(changed([](Bytes &all) { header_of(all).e_phoff = SIZE_MAX - 7; }),
               "its program headers are not inside the file");
  cr_assert_eq(changed([](Bytes &all) { header_of(all).e_phnum = 0; }),
               "its program headers are not inside the file");
  cr_assert_eq(changed([](Bytes &all) { all.resize(end_of(all) - 1); }),
               "it is truncated: a segment is not inside the file");
  cr_assert_eq(changed([](Bytes &all) {
                 const auto symbols = entry_of(all, DT_SYMTAB).d_un.d_ptr;
                 auto &names = entry_of(all, DT_STRTAB).d_un.d_ptr;
                 entry_of(all, DT_STRSZ).d_un.d_val += names - symbols;
                 names = symbols;
               }),
               "its tables overlap");
  cr_assert_eq(changed([](Bytes &all) {
                 // The names end with the first relocation's place.
                 const auto end = entry_of(all, DT_JMPREL).d_un.d_ptr + sizeof(ElfFile::Address);
                 entry_of(all, DT_STRSZ).d_un.d_val = end - entry_of(all, DT_STRTAB).d_un.d_ptr;
               }),
               "its tables overlap");
}

Test(elf, any_length_is_opened_or_refused, .timeout = 120) {
  LIBRARY_OR_SKIP(whole);
  const std::size_t end = end_of(whole);
  for (std::size_t size = 0; size < 2000; ++size)
    cr_assert_neq(refusal(Bytes(whole.begin(), whole.begin() + static_cast<long>(size))), "");
  for (std::size_t size = 2000; size < end; size += end / 50)
    cr_assert_neq(refusal(Bytes(whole.begin(), whole.begin() + static_cast<long>(size))), "");
}

/// Where a change tells: the headers and the tables, not the code.
Test(elf, any_bytes_are_opened_or_refused, .timeout = 300) {
  LIBRARY_OR_SKIP(bytes);
  const char *const given = std::getenv("INTERLOCK_SEED");
  const unsigned seed =
      given != nullptr ? static_cast<unsigned>(std::atoi(given)) : std::random_device()();
  std::printf("# seed %u\n", seed);
  std::mt19937 random(seed);
  std::vector<std::size_t> places;
  {
    Result<ElfFile> file = ElfFile::open(bytes);
    for (std::size_t i = 0; i < 1024; ++i) places.push_back(i);
    const auto *const all =
        reinterpret_cast<const ElfFile::Segment *>(bytes.data() + header_of(bytes).e_phoff);
    for (std::size_t i = 0; i < header_of(bytes).e_phnum; ++i) {
      if (all[i].p_type != PT_DYNAMIC) continue;
      for (std::size_t j = 0; j < all[i].p_filesz; ++j) places.push_back(all[i].p_offset + j);
    }
  }
  constexpr unsigned kTelling[] = {0, 1, 2, 0x7f, 0x80, 0xff};
  std::size_t opened = 0;
  for (int turn = 0; turn < 3000; ++turn) {
    std::vector<std::pair<std::size_t, std::byte>> before;
    for (unsigned left = 1 + random() % 4; left != 0; --left) {
      const std::size_t place = places[random() % places.size()];
      before.emplace_back(place, bytes[place]);
      const unsigned value =
          random() % 2 != 0 ? kTelling[random() % std::size(kTelling)] : random() & 0xff;
      bytes[place] = static_cast<std::byte>(value);
    }
    if (ElfFile::open(bytes).ok()) ++opened;
    (void)LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t *>(bytes.data()),
                                 bytes.size());
    std::for_each(before.rbegin(), before.rend(),
                  [&](const auto &each) { bytes[each.first] = each.second; });
  }
  cr_assert_gt(opened, 0);
  cr_assert_lt(opened, 3000);
}
