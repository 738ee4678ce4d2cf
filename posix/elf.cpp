// SPDX-License-Identifier: MIT
#include "posix/elf.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <string>

namespace interlock {
namespace {

/// What relocations are called that write the address of a symbol, or its place in thread-local
/// storage that is not static, and those of an address that is known but for where the file is
/// loaded to.
struct Relocations {
  unsigned absolute;  // adds to the address
  unsigned of_process[3];
  unsigned of_thread[3];
  unsigned relative;
  unsigned resolved;  // by a function at that address
};

// What the dynamic linker of this process takes. Systems' headers have different names for the
// numbers of the processors' ABIs: absolute, GLOB_DAT, JUMP_SLOT; DTPMOD, DTPOFF, TLSDESC.
#if defined(__x86_64__) && defined(__LP64__)
constexpr int kMachine = EM_X86_64;
constexpr Relocations kKinds = {.absolute = 1,
                                .of_process = {1, 6, 7},
                                .of_thread = {16, 17, 36},
                                .relative = 8,
                                .resolved = 37};
#elif defined(__aarch64__)
constexpr int kMachine = EM_AARCH64;
constexpr Relocations kKinds = {.absolute = 257,
                                .of_process = {257, 1025, 1026},
                                .of_thread = {1028, 1029, 1031},
                                .relative = 1027,
                                .resolved = 1032};
#elif defined(__arm__)
constexpr int kMachine = EM_ARM;
constexpr Relocations kKinds = {
    .absolute = 2, .of_process = {2, 21, 22}, .of_thread = {}, .relative = 23, .resolved = 160};
#elif defined(__i386__)
constexpr int kMachine = EM_386;
constexpr Relocations kKinds = {
    .absolute = 1, .of_process = {1, 6, 7}, .of_thread = {}, .relative = 8, .resolved = 42};
#else
constexpr int kMachine = EM_NONE;  // any, whose relocations are not known
constexpr Relocations kKinds = {};
#endif
constexpr int kClass = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
constexpr int kByteOrder = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;

constexpr std::int64_t kRelativeRelocations = 36;    // DT_RELR, which older headers lack
constexpr std::int64_t kRelativeCount = 0x6ffffff9;  // DT_RELACOUNT
constexpr std::int64_t kIgnored = DT_LOOS + 0xfff;   // a tag that means nothing to any linker

/// ElfW(Verneed), which OpenBSD's headers lack, as its linker lacks versions.
struct VersionNeed {
  std::uint16_t version;
  std::uint16_t count;
  std::uint32_t file;
  std::uint32_t names;
  std::uint32_t next;
};

[[nodiscard]] Status wrong(std::string what) { return {Code::kEINVAL, std::move(what)}; }

[[nodiscard]] constexpr unsigned binding_of(unsigned char info) noexcept { return info >> 4; }
[[nodiscard]] constexpr unsigned type_of(unsigned char info) noexcept { return info & 15; }

/// Without a sign in some headers.
[[nodiscard]] constexpr std::int64_t tag_of(const ElfFile::Entry &each) noexcept {
  return static_cast<std::int64_t>(each.d_tag);
}

/// Whether an entry is the name of a file.
[[nodiscard]] constexpr bool is_file_name(std::int64_t tag) noexcept {
  return tag == DT_NEEDED || tag == DT_SONAME;
}
[[nodiscard]] constexpr bool is_in_names(std::int64_t tag) noexcept {
  return is_file_name(tag) || tag == DT_RPATH || tag == DT_RUNPATH;
}

template <typename Relocation>
[[nodiscard]] constexpr unsigned relocation_type(const Relocation &each) noexcept {
  if constexpr (sizeof(void *) == 8) return static_cast<unsigned>(each.r_info & 0xffffffff);
  return static_cast<unsigned>(each.r_info & 0xff);
}

template <typename Relocation>
[[nodiscard]] constexpr std::uint64_t relocation_symbol(const Relocation &each) noexcept {
  return sizeof(void *) == 8 ? std::uint64_t{each.r_info} >> 32 : each.r_info >> 8;
}

}  // namespace

Result<ElfFile> ElfFile::open(std::span<std::byte> bytes) {
  ElfFile file(bytes);
  const Status status = file.read();
  if (!status.ok()) return status;
  return file;
}

template <typename T>
std::span<T> ElfFile::at(std::uint64_t offset, std::uint64_t count) const noexcept {
  if (offset > bytes_.size() || count > (bytes_.size() - offset) / sizeof(T)) return {};
  std::byte *const first = bytes_.data() + offset;
  if (reinterpret_cast<std::uintptr_t>(first) % alignof(T) != 0) return {};
  return {reinterpret_cast<T *>(first), static_cast<std::size_t>(count)};
}

template <typename T>
std::uint64_t ElfFile::room(Address address) const noexcept {
  for (const Segment &each : segments_) {
    if (address >= each.p_vaddr && address - each.p_vaddr < each.p_filesz)
      return (each.p_filesz - (address - each.p_vaddr)) / sizeof(T);
  }
  return 0;
}

template <typename T>
std::span<T> ElfFile::mapped(Address address, std::uint64_t count) const noexcept {
  for (const Segment &each : segments_) {
    if (address < each.p_vaddr || address - each.p_vaddr >= each.p_filesz) continue;
    const std::uint64_t skipped = address - each.p_vaddr;
    if (count > (each.p_filesz - skipped) / sizeof(T)) return {};
    return at<T>(each.p_offset + skipped, count);
  }
  return {};
}

ElfFile::Entry *ElfFile::entry_of(std::int64_t tag) const noexcept {
  const auto found = std::find_if(dynamic_.rbegin(), dynamic_.rend(),
                                  [&](const Entry &each) { return tag_of(each) == tag; });
  return found != dynamic_.rend() ? &*found : nullptr;
}

bool ElfFile::has(std::int64_t tag) const noexcept { return entry_of(tag) != nullptr; }

std::uint64_t ElfFile::value_of(std::int64_t tag) const noexcept {
  const Entry *const entry = entry_of(tag);
  return entry != nullptr ? entry->d_un.d_val : 0;
}

std::string_view ElfFile::name_at(std::uint64_t index) const noexcept {
  if (index >= names_.size()) return {};
  const char *const first = names_.data() + index;
  const void *const end = std::memchr(first, 0, names_.size() - index);
  if (end == nullptr) return {};
  return {first, static_cast<std::size_t>(static_cast<const char *>(end) - first)};
}

std::vector<std::string_view> ElfFile::needed() const {
  std::vector<std::string_view> names;
  for (const Entry &each : dynamic_) {
    if (each.d_tag == DT_NEEDED) names.push_back(name_at(each.d_un.d_val));
  }
  return names;
}

Status ElfFile::read() {
  const std::span<Header> header = at<Header>(0, 1);
  if (header.empty()) return wrong("it is too short to be a shared object");
  const Header &head = header.front();
  if (std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) return wrong("it is no ELF file");
  if (head.e_ident[EI_CLASS] != kClass) {
    return wrong(sizeof(void *) == 8 ? "it is not for a 64-bit system"
                                     : "it is not for a 32-bit system");
  }
  if (head.e_ident[EI_DATA] != kByteOrder) return wrong("it has another byte order");
  if (kMachine != EM_NONE && head.e_machine != kMachine)
    return wrong("it is for another kind of processor");
  if (head.e_type != ET_DYN) return wrong("it is no shared object");
  for (const auto read :
       {&ElfFile::read_segments, &ElfFile::read_dynamic, &ElfFile::read_names,
        &ElfFile::read_symbols, &ElfFile::read_relocations, &ElfFile::check_tables}) {
    const Status status = (this->*read)();
    if (!status.ok()) return status;
  }
  find_tables();
  return {};
}

Status ElfFile::read_segments() {
  const Header &head = at<Header>(0, 1).front();
  if (head.e_phentsize != sizeof(Segment)) return wrong("its program headers have another size");
  const std::span<Segment> all = at<Segment>(head.e_phoff, head.e_phnum);
  if (all.empty()) return wrong("its program headers are not inside the file");
  for (const Segment &each : all) {
    if (each.p_type != PT_LOAD) continue;
    if (at<std::byte>(each.p_offset, each.p_filesz).size() != each.p_filesz)
      return wrong("it is truncated: a segment is not inside the file");
    if (each.p_filesz > each.p_memsz || each.p_vaddr + each.p_memsz < each.p_vaddr)
      return wrong("a segment has an impossible size");
    if (!segments_.empty() && each.p_vaddr < segments_.back().p_vaddr + segments_.back().p_memsz)
      return wrong("its segments overlap or are not in order");
    segments_.push_back(each);
  }
  if (segments_.empty()) return wrong("it has nothing to load");
  headers_end_ = std::uint64_t{head.e_phoff} + head.e_phnum * sizeof(Segment);
  for (const Segment &each : all) {
    const bool is_left_alone = each.p_type == PT_LOAD || each.p_type == PT_GNU_STACK ||
                               each.p_type == PT_GNU_RELRO || each.p_type == PT_GNU_EH_FRAME ||
                               (kMachine == EM_ARM && each.p_type == PT_ARM_EXIDX);
    if (each.p_type == PT_GNU_RELRO) protected_later_ = {each.p_vaddr, each.p_memsz};
    if (!is_left_alone)
      read_early_.push_back({each.p_vaddr, std::max(each.p_filesz, each.p_memsz)});
    if (each.p_type != PT_DYNAMIC) continue;
    const std::uint64_t count = each.p_filesz / sizeof(Entry);
    dynamic_ = mapped<Entry>(each.p_vaddr, count);
    if (dynamic_.empty()) return wrong("its dynamic section is not inside the file");
  }
  return dynamic_.empty() ? wrong("it has no dynamic section") : Status();
}

Status ElfFile::read_dynamic() {
  const auto end =
      std::ranges::find_if(dynamic_, [](const Entry &each) { return each.d_tag == DT_NULL; });
  if (end == dynamic_.end()) return wrong("its dynamic section does not end");
  dynamic_ = dynamic_.first(static_cast<std::size_t>(end - dynamic_.begin()));
  return {};
}

Status ElfFile::read_names() {
  names_ = mapped<char>(static_cast<Address>(value_of(DT_STRTAB)), value_of(DT_STRSZ));
  if (names_.empty() || names_.back() != 0)
    return wrong("its table of names is not inside the file, or does not end");
  for (const Entry &each : dynamic_) {
    if (is_in_names(each.d_tag) && each.d_un.d_val >= names_.size())
      return wrong("a name is outside its table of names");
  }
  return {};
}

std::uint64_t ElfFile::count_by_gnu_hash(Address table) const noexcept {
  const std::span<std::uint32_t> head = mapped<std::uint32_t>(table, 4);
  if (head.empty()) return 0;
  const std::uint64_t buckets_count = head[0];
  const std::uint64_t first = head[1];
  const std::uint64_t filter_size = std::uint64_t{head[2]} * sizeof(Address);
  const auto buckets_at = static_cast<Address>(table + 16 + filter_size);
  const std::span<std::uint32_t> buckets = mapped<std::uint32_t>(buckets_at, buckets_count);
  const auto chains_at = static_cast<Address>(buckets_at + 4 * buckets_count);
  if (buckets.empty()) return first;
  const std::uint64_t last_chain = *std::ranges::max_element(buckets);
  if (last_chain < first) return first;  // nothing is defined
  const std::span<std::uint32_t> chains =
      mapped<std::uint32_t>(chains_at, room<std::uint32_t>(chains_at));
  for (std::uint64_t i = last_chain - first; i < chains.size(); ++i) {
    if ((chains[i] & 1) != 0) return first + i + 1;
  }
  return 0;
}

std::uint64_t ElfFile::count_symbols() const noexcept {
  if (has(DT_GNU_HASH)) return count_by_gnu_hash(static_cast<Address>(value_of(DT_GNU_HASH)));
  const std::span<std::uint32_t> head =
      mapped<std::uint32_t>(static_cast<Address>(value_of(DT_HASH)), 2);
  return head.empty() ? 0 : head[1];
}

Status ElfFile::read_symbols() {
  if (!has(DT_SYMTAB) || (!has(DT_GNU_HASH) && !has(DT_HASH))) return wrong("it has no symbols");
  std::uint64_t count = count_symbols();
  if (count != 0) {
    // A table of what is defined may tell of nothing else.
    (void)for_each_relocation(
        [&](const auto &each) { count = std::max(count, relocation_symbol(each) + 1); });
  }
  symbols_ = mapped<Symbol>(static_cast<Address>(value_of(DT_SYMTAB)), count);
  if (symbols_.empty()) return wrong("its symbols are not inside the file");
  for (const Symbol &each : symbols_) {
    if (each.st_name >= names_.size())
      return wrong("a symbol's name is outside its table of names");
    const std::string_view name = name_at(each.st_name);
    const bool is_defined = each.st_shndx != SHN_UNDEF;
    if (name.starts_with("Py") || name.starts_with("_Py")) {
      if (!is_defined) uses_python_ = true;
      if (is_defined && name == "Py_InitializeEx") is_python_ = true;
    }
    if (is_defined && type_of(each.st_info) == STT_GNU_IFUNC) is_changed_early_ = true;
  }
  return {};
}

/// What is changed, or tells the linker where that is, stands in a place of its own: a change of
/// one table changes nothing else. Relocations of one kind may be among those of another.
Status ElfFile::check_tables() {
  const Header &head = at<Header>(0, 1).front();
  using Place = std::span<const std::byte>;
  std::vector<Place> all = {
      std::as_bytes(at<Header>(0, 1)), std::as_bytes(at<Segment>(head.e_phoff, head.e_phnum)),
      std::as_bytes(dynamic_), std::as_bytes(names_), std::as_bytes(symbols_)};
  const auto end_of = [](const Place &each) { return each.data() + each.size(); };
  const auto overlap = [&](const Place &one, const Place &other) {
    return one.data() < end_of(other) && other.data() < end_of(one);
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (overlap(all[i], all[j])) return wrong("its tables overlap");
    }
  }
  bool are_apart = true;
  (void)for_each_relocation([&](const auto &each) {
    const Place place = std::as_bytes(std::span(&each, 1));
    are_apart = are_apart && std::ranges::none_of(
                                 all, [&](const Place &other) { return overlap(place, other); });
  });
  return are_apart ? Status() : wrong("its tables overlap");
}

/// False if they are not all inside the file.
template <typename Visit>
bool ElfFile::for_each_relocation(Visit visit) const {
  const auto look = [&]<typename Relocation>(std::int64_t table, std::int64_t size, Relocation *) {
    if (!has(table)) return true;
    const std::uint64_t count = value_of(size) / sizeof(Relocation);
    const auto all = mapped<Relocation>(static_cast<Address>(value_of(table)), count);
    if (all.size() != count) return false;
    for (Relocation &each : all) visit(each);
    return true;
  };
  ElfW(Rela) *const with_addend = nullptr;
  ElfW(Rel) *const without = nullptr;
  const bool is_rela = value_of(DT_PLTREL) == DT_RELA;
  return look(DT_RELA, DT_RELASZ, with_addend) && look(DT_REL, DT_RELSZ, without) &&
         (is_rela ? look(DT_JMPREL, DT_PLTRELSZ, with_addend)
                  : look(DT_JMPREL, DT_PLTRELSZ, without));
}

Status ElfFile::read_relocations() {
  if (has(DT_TEXTREL) || (value_of(DT_FLAGS) & DF_TEXTREL) != 0) is_changed_early_ = true;
  if (kKinds.resolved == 0) is_changed_early_ = true;
  const bool are_inside = for_each_relocation([this](const auto &each) {
    if (relocation_type(each) == kKinds.resolved) is_changed_early_ = true;
  });
  return are_inside ? Status() : wrong("its relocations are not inside the file");
}

std::vector<std::vector<ElfFile::Address>> ElfFile::places_of(
    std::span<const std::string_view> symbols) const {
  std::vector<std::vector<Address>> places(symbols.size());
  // Of each symbol of the file, which of those it is; or none of them.
  std::vector<std::size_t> which(symbols_.size(), symbols.size());
  for (std::size_t i = 0; i < symbols_.size(); ++i) {
    if (symbols_[i].st_shndx != SHN_UNDEF) continue;
    const auto found = std::ranges::find(symbols, name_at(symbols_[i].st_name));
    which[i] = static_cast<std::size_t>(found - symbols.begin());
  }
  (void)for_each_relocation([&](const auto &each) {
    const std::uint64_t index = relocation_symbol(each);
    if (index < which.size() && which[index] < symbols.size())
      places[which[index]].push_back(each.r_offset);
  });
  return places;
}

bool ElfFile::rename(std::string_view name, std::string_view other) noexcept {
  if (name.empty() || name.size() != other.size()) return false;
  std::vector<std::uint64_t> places;
  const auto meet = [&](std::uint64_t index) {
    if (name_at(index) == name) places.push_back(index);
  };
  for (const Entry &each : dynamic_) {
    if (is_file_name(each.d_tag)) meet(each.d_un.d_val);
  }
  if (places.empty()) return false;
  // The versions of symbols name the file that they are from once more.
  auto need_at = static_cast<Address>(value_of(DT_VERNEED));
  for (std::uint64_t left = value_of(DT_VERNEEDNUM); left != 0; --left) {
    const std::span<VersionNeed> need = mapped<VersionNeed>(need_at, 1);
    if (need.empty()) return false;
    meet(need.front().file);
    if (need.front().next == 0) break;
    need_at += need.front().next;
  }
  // Linkers let a name be the end of a longer one.
  const auto is_shared = [&](std::uint64_t place) {
    if (place != 0 && names_[place - 1] != 0) return true;
    const auto is_touched = [&](std::uint64_t index) {
      return index >= place && index < place + name.size() && index != 0;
    };
    return std::ranges::any_of(symbols_,
                               [&](const Symbol &each) { return is_touched(each.st_name); }) ||
           std::ranges::any_of(dynamic_, [&](const Entry &each) {
             const std::uint64_t index = each.d_un.d_val;
             const bool becomes_other = is_file_name(each.d_tag) && index == place;
             return is_in_names(each.d_tag) && is_touched(index) && !becomes_other;
           });
  };
  if (std::ranges::any_of(places, is_shared)) return false;
  for (const std::uint64_t place : places) std::ranges::copy(other, names_.data() + place);
  return true;
}

/// Once all has been read.
void ElfFile::find_tables() {
  const auto add = [this](std::int64_t tag, std::uint64_t size) {
    if (has(tag)) read_early_.push_back({static_cast<Address>(value_of(tag)), size});
  };
  add(DT_SYMTAB, symbols_.size_bytes());
  add(DT_STRTAB, names_.size());
  add(DT_VERSYM, symbols_.size() * sizeof(ElfW(Half)));
  add(DT_RELA, value_of(DT_RELASZ));
  add(DT_REL, value_of(DT_RELSZ));
  add(DT_JMPREL, value_of(DT_PLTRELSZ));
  for (const std::int64_t tag :
       {std::int64_t{DT_HASH}, std::int64_t{DT_GNU_HASH}, std::int64_t{DT_VERDEF},
        std::int64_t{DT_VERNEED}, kRelativeRelocations, std::int64_t{DT_PLTGOT},
        std::int64_t{DT_INIT_ARRAY}, std::int64_t{DT_FINI_ARRAY}})
    add(tag, 0);
}

std::uint64_t ElfFile::read_early(const Segment &segment) const noexcept {
  std::uint64_t end = segment.p_offset < headers_end_ ? headers_end_ - segment.p_offset : 0;
  const Table *last = nullptr;
  for (const Table &each : read_early_) {
    if (each.start < segment.p_vaddr || each.start - segment.p_vaddr >= segment.p_filesz) continue;
    const std::uint64_t skipped = each.start - segment.p_vaddr;
    end = std::max(end, skipped + std::min(each.size, segment.p_filesz - skipped));
    if (last == nullptr || each.start > last->start ||
        (each.start == last->start && each.size == 0))
      last = &each;
  }
  const bool has_end = last == nullptr || last->size != 0;
  return has_end ? std::min(end, std::uint64_t{segment.p_filesz}) : segment.p_filesz;
}

Result<ElfFile::Calls> ElfFile::take_calls(CallTags tags) noexcept {
  Calls taken;
  taken.function = static_cast<Address>(value_of(tags.function));
  if (has(tags.array)) {
    taken.array = static_cast<Address>(value_of(tags.array));
    taken.count = value_of(tags.size) / sizeof(Address);
  }
  for (Entry &each : dynamic_) {
    if (tag_of(each) == tags.function) each.d_tag = kIgnored;
    if (tag_of(each) == tags.size) each.d_un.d_val = 0;
  }
  const bool are_inside = (taken.function == 0 || !mapped<std::byte>(taken.function, 1).empty()) &&
                          (taken.count == 0 || !mapped<Address>(taken.array, taken.count).empty());
  if (!are_inside) return wrong("its initialisers are not inside the file");
  return taken;
}

Result<ElfFile::Calls> ElfFile::take_initialisers() noexcept {
  return take_calls({DT_INIT, DT_INIT_ARRAY, DT_INIT_ARRAYSZ});
}

Result<ElfFile::Calls> ElfFile::take_finalisers() noexcept {
  return take_calls({DT_FINI, DT_FINI_ARRAY, DT_FINI_ARRAYSZ});
}

template <typename Relocation>
void ElfFile::bind(Relocation &relocation) const noexcept {
  const std::uint64_t index = relocation_symbol(relocation);
  if (index == 0 || index >= symbols_.size()) return;
  const Symbol &symbol = symbols_[index];
  if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS) return;
  const unsigned type = relocation_type(relocation);
  const bool is_of_thread = type_of(symbol.st_info) == STT_TLS;
  const std::span<const unsigned> kinds =
      is_of_thread ? std::span<const unsigned>(kKinds.of_thread) : kKinds.of_process;
  if (type == 0 || std::ranges::find(kinds, type) == kinds.end()) return;
  if constexpr (requires { relocation.r_addend; }) {
    relocation.r_addend = static_cast<decltype(relocation.r_addend)>(
        symbol.st_value + static_cast<Address>(relocation.r_addend));
  } else {
    const std::span<Address> place = mapped<Address>(relocation.r_offset, 1);
    if (is_of_thread || place.empty()) return;
    place.front() = symbol.st_value + (type == kKinds.absolute ? place.front() : 0);
  }
  // Without a symbol it is of this file.
  if (is_of_thread) {
    relocation.r_info = type;
  } else {
    const bool is_resolved = type_of(symbol.st_info) == STT_GNU_IFUNC;
    relocation.r_info = is_resolved ? kKinds.resolved : kKinds.relative;
  }
}

bool ElfFile::say_symbolic() noexcept {
  if (has(DT_SYMBOLIC)) return true;
  if (Entry *const flags = entry_of(DT_FLAGS)) {
    flags->d_un.d_val |= DF_SYMBOLIC;
    return true;
  }
  // How many relocations are relative, and first, lets linkers be faster; they look at each, too.
  for (const std::int64_t tag : {kIgnored, kRelativeCount}) {
    if (Entry *const unused = entry_of(tag)) {
      *unused = {.d_tag = DT_SYMBOLIC, .d_un = {}};
      return true;
    }
  }
  return false;
}

bool ElfFile::prefer_own_symbols(bool linker_knows_symbolic) noexcept {
  const bool is_said = say_symbolic();
  if (!linker_knows_symbolic) {
    if (kMachine != EM_NONE) (void)for_each_relocation([this](auto &each) { bind(each); });
    return true;
  }
  // The linkers of FreeBSD and OpenBSD go on looking for a symbol that is not weak.
  for (Symbol &each : symbols_) {
    if (binding_of(each.st_info) == STB_WEAK && each.st_shndx != SHN_UNDEF)
      each.st_info = static_cast<unsigned char>(STB_GLOBAL << 4 | type_of(each.st_info));
  }
  return is_said;
}

void ElfFile::leave_writable() noexcept {
  const Header &head = at<Header>(0, 1).front();
  for (Segment &each : at<Segment>(head.e_phoff, head.e_phnum)) {
    if (each.p_type == PT_GNU_RELRO) each.p_type = PT_NULL;
  }
}

std::size_t ElfFile::make_private() noexcept {
  std::size_t count = 0;
  for (Symbol &each : symbols_) {
    if (binding_of(each.st_info) != STB_GNU_UNIQUE) continue;
    each.st_info = static_cast<unsigned char>(STB_GLOBAL << 4 | type_of(each.st_info));
    ++count;
  }
  return count;
}

}  // namespace interlock
