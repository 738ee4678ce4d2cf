// SPDX-License-Identifier: MIT
#include "mingw/pe.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <string>

namespace interlock {
namespace {

static_assert(std::endian::native == std::endian::little, "fields are read as they are written");

// Offsets of fields, by header.
constexpr std::size_t kDosSize = 64;
constexpr std::size_t kDosNext = 60;
constexpr std::size_t kFileSize = 24;  // with the signature
constexpr std::size_t kFileSections = 6;
constexpr std::size_t kFileOptionalSize = 20;
constexpr std::size_t kFileFlags = 22;
constexpr std::size_t kOptionalSize = 112;
constexpr std::size_t kOptionalEntry = 16;
constexpr std::size_t kOptionalBase = 24;
constexpr std::size_t kOptionalMemorySize = 56;
constexpr std::size_t kOptionalHeadersSize = 60;
constexpr std::size_t kOptionalDirectories = 108;
constexpr std::size_t kDirectorySize = 8;
constexpr std::size_t kSectionSize = 40;
constexpr std::size_t kImportSize = 20;
constexpr std::size_t kDelayedSize = 32;
constexpr std::size_t kExportsSize = 40;
constexpr std::size_t kThreadSize = 40;
constexpr std::size_t kThreadCalls = 24;

enum : std::size_t { kExports = 0, kImports = 1, kThreadStorage = 9, kDelayed = 13 };

constexpr std::uint16_t kPe32Plus = 0x20b;
constexpr std::uint16_t kFixed = 0x0001;    // it cannot be relocated
constexpr std::uint16_t kLibrary = 0x2000;  // no program
constexpr std::uint32_t kDiscardable = 0x02000000;
constexpr std::uint32_t kReadable = 0x40000000;
constexpr std::uint32_t kWritable = 0x80000000;
constexpr std::uint64_t kByNumber = std::uint64_t{1} << 63;
constexpr std::size_t kLongestName = 65535;

[[nodiscard]] Status wrong(std::string what) { return {Code::kEINVAL, std::move(what)}; }

[[nodiscard]] char small(char letter) noexcept {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

[[nodiscard]] bool begins_with(std::string_view text, std::string_view start) noexcept {
  return text.size() >= start.size() && PeFile::are_same(text.substr(0, start.size()), start);
}

}  // namespace

bool PeFile::are_same(std::string_view one, std::string_view other) noexcept {
  return std::ranges::equal(one, other, {}, small, small);
}

template <typename T>
T PeFile::at(std::size_t offset) const noexcept {
  T value;
  std::memcpy(&value, bytes_.data() + offset, sizeof value);
  return value;
}

template <typename T>
void PeFile::write(std::size_t offset, T value) noexcept {
  std::memcpy(bytes_.data() + offset, &value, sizeof value);
}

std::size_t PeFile::room(std::uint64_t address, std::size_t &offset) const noexcept {
  for (const Section &each : sections_) {
    if (address < each.start || address - each.start >= each.known) continue;
    const auto skipped = static_cast<std::size_t>(address - each.start);
    offset = each.offset + skipped;
    return each.known - skipped;
  }
  return 0;
}

template <typename T>
bool PeFile::read_at(std::uint64_t address, T &value) const noexcept {
  std::size_t offset = 0;
  if (room(address, offset) < sizeof value) return false;
  value = at<T>(offset);
  return true;
}

std::string_view PeFile::text_at(std::uint64_t address) const noexcept {
  std::size_t offset = 0;
  const std::size_t longest = std::min(room(address, offset), kLongestName);
  if (longest == 0) return {};
  const auto *const first = reinterpret_cast<const char *>(bytes_.data()) + offset;
  const void *const end = std::memchr(first, 0, longest);
  if (end == nullptr) return {};
  return {first, static_cast<std::size_t>(static_cast<const char *>(end) - first)};
}

PeFile::Address PeFile::address_of(std::uint64_t linked) const noexcept {
  const bool is_inside = linked >= linked_base_ && linked - linked_base_ < memory_size_;
  return is_inside ? static_cast<Address>(linked - linked_base_) : 0;
}

Result<PeFile> PeFile::open(std::span<std::byte> bytes) {
  PeFile file(bytes);
  const Status status = file.read();
  if (!status.ok()) return status;
  return file;
}

Status PeFile::read() {
  if (!is_inside(0, kDosSize)) return wrong("it is too short to be a DLL");
  if (std::memcmp(bytes_.data(), "MZ", 2) != 0) return wrong("it is no DLL");
  const std::size_t start = at<std::uint32_t>(kDosNext);
  if (!is_inside(start, kFileSize)) return wrong("its header is not inside the file");
  if (std::memcmp(bytes_.data() + start, "PE\0", 4) != 0) return wrong("it is no DLL");
  if (at<std::uint16_t>(start + 4) != kMachine) return wrong("it is for another kind of processor");
  const auto flags = at<std::uint16_t>(start + kFileFlags);
  if ((flags & kLibrary) == 0) return wrong("it is a program, no DLL");
  if ((flags & kFixed) != 0) return wrong("it can be loaded to one address only");
  const std::size_t optional_size = at<std::uint16_t>(start + kFileOptionalSize);
  const std::size_t count = at<std::uint16_t>(start + kFileSections);
  Status status = read_optional_header(start + kFileSize, optional_size);
  if (status.ok()) status = read_sections(start + kFileSize + optional_size, count);
  for (const auto read : {&PeFile::read_imports, &PeFile::read_delayed_imports,
                          &PeFile::read_exports, &PeFile::read_thread_storage}) {
    if (status.ok()) status = (this->*read)();
  }
  return status;
}

Status PeFile::read_optional_header(std::size_t offset, std::size_t size) {
  if (size < kOptionalSize || !is_inside(offset, size))
    return wrong("its header is not inside the file");
  if (at<std::uint16_t>(offset) != kPe32Plus) return wrong("it is not for a 64-bit system");
  linked_base_ = at<std::uint64_t>(offset + kOptionalBase);
  memory_size_ = at<std::uint32_t>(offset + kOptionalMemorySize);
  entry_offset_ = offset + kOptionalEntry;
  calls_.entry = at<std::uint32_t>(entry_offset_);
  if (calls_.entry >= memory_size_) return wrong("its entry point is not inside the file");
  const std::size_t count = at<std::uint32_t>(offset + kOptionalDirectories);
  if (count > (size - kOptionalSize) / kDirectorySize)
    return wrong("its header is not inside the file");
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t each = offset + kOptionalSize + i * kDirectorySize;
    directories_.push_back({at<std::uint32_t>(each), at<std::uint32_t>(each + 4)});
  }
  directories_.resize(std::max(directories_.size(), std::size_t{kDelayed} + 1));
  // The headers are mapped, too.
  const std::uint32_t headers_size = at<std::uint32_t>(offset + kOptionalHeadersSize);
  if (!is_inside(0, headers_size) || headers_size > memory_size_)
    return wrong("it is truncated: its headers are not inside the file");
  sections_.push_back({0, headers_size, 0, headers_size, true, false});
  return {};
}

Status PeFile::read_sections(std::size_t offset, std::size_t count) {
  if (!is_inside(offset, count * kSectionSize))
    return wrong("its sections are not inside the file");
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t each = offset + i * kSectionSize;
    const auto start = at<std::uint32_t>(each + 12);
    const auto file_size = at<std::uint32_t>(each + 16);
    const auto place = at<std::uint32_t>(each + 20);
    const auto flags = at<std::uint32_t>(each + 36);
    auto size = at<std::uint32_t>(each + 8);
    if (size == 0) size = file_size;
    if (size > memory_size_ || start > memory_size_ - size)
      return wrong("a section has an impossible size");
    if (start < sections_.back().start + sections_.back().size)
      return wrong("its sections overlap or are not in order");
    const std::uint32_t known = std::min(size, file_size);
    if (!is_inside(place, known)) return wrong("it is truncated: a section is not inside the file");
    sections_.push_back({start, size, place, known,
                         (flags & (kReadable | kDiscardable)) == kReadable,
                         (flags & kWritable) != 0});
  }
  return {};
}

Status PeFile::read_functions(const Named &library, Address names, Address places,
                              bool is_delayed) {
  for (std::uint64_t i = 0;; ++i) {
    std::uint64_t entry = 0;
    const std::uint64_t place = places + i * sizeof entry;
    if (!read_at(names + i * sizeof entry, entry) || place > memory_size_ - sizeof entry)
      return wrong("its imports are not inside the file");
    if (entry == 0) return {};
    // Each has an entry of its own, unless the same ones are told of again and again.
    if (imports_.size() > bytes_.size() / sizeof entry) return wrong("its imports overlap");
    std::string_view name;
    if ((entry & kByNumber) == 0) {
      name = text_at(entry + sizeof(std::uint16_t));  // after a hint
      if (name.empty()) return wrong("the name of an import is not inside the file");
    }
    imports_.push_back({library.name, name, static_cast<Address>(place), is_delayed});
  }
}

Status PeFile::read_imports() {
  const Directory directory = directories_[kImports];
  if (directory.start == 0) return {};
  for (std::uint64_t address = directory.start;; address += kImportSize) {
    struct {
      Address names;
      std::uint32_t time;
      std::uint32_t chain;
      Address library;
      Address places;
    } each;
    static_assert(sizeof each == kImportSize);
    if (!read_at(address, each)) return wrong("its imports are not inside the file");
    if (each.library == 0 || each.places == 0) return {};
    const std::string_view name = text_at(each.library);
    if (name.empty()) return wrong("the name of what it needs is not inside the file");
    if (needed_.size() > bytes_.size() / kImportSize) return wrong("its imports overlap");
    needed_.push_back({offset_of(name), name});
    const Status status = read_functions(needed_.back(), each.names != 0 ? each.names : each.places,
                                         each.places, false);
    if (!status.ok()) return status;
  }
}

Status PeFile::read_delayed_imports() {
  const Directory directory = directories_[kDelayed];
  if (directory.start == 0) return {};
  for (std::uint64_t address = directory.start;; address += kDelayedSize) {
    struct {
      std::uint32_t flags;
      Address library;
      Address handle;
      Address places;
      Address names;
      Address bound;
      Address unload;
      std::uint32_t time;
    } each;
    static_assert(sizeof each == kDelayedSize);
    if (!read_at(address, each)) return wrong("its delayed imports are not inside the file");
    if (each.library == 0) return {};
    if ((each.flags & 1) == 0) return wrong("its delayed imports are of an old kind");
    const std::string_view name = text_at(each.library);
    if (name.empty()) return wrong("the name of what it needs is not inside the file");
    needed_.push_back({offset_of(name), name});
    const Status status = read_functions(needed_.back(), each.names, each.places, true);
    if (!status.ok()) return status;
  }
}

Status PeFile::read_exports() {
  const Directory directory = directories_[kExports];
  if (directory.start == 0) return {};
  std::size_t offset = 0;
  if (room(directory.start, offset) < kExportsSize)
    return wrong("its exports are not inside the file");
  const std::uint64_t count = at<std::uint32_t>(offset + 24);
  export_names_ = at<std::uint32_t>(offset + 32);
  if (count != 0 && room(export_names_, offset) / sizeof(Address) < count)
    return wrong("its exports are not inside the file");
  export_count_ = static_cast<std::size_t>(count);
  return {};
}

Status PeFile::read_thread_storage() {
  const Directory directory = directories_[kThreadStorage];
  if (directory.start == 0) return {};
  std::size_t offset = 0;
  if (room(directory.start, offset) < kThreadSize)
    return wrong("its thread-local storage is not inside the file");
  const auto index = at<std::uint64_t>(offset + 16);
  const auto calls = at<std::uint64_t>(offset + kThreadCalls);
  thread_index_ = address_of(index);
  if (index != 0 && (thread_index_ == 0 || thread_index_ > memory_size_ - sizeof(std::uint32_t)))
    return wrong("its thread-local storage is not inside the file");
  if (calls == 0) return {};
  calls_.array = address_of(calls);
  calls_offset_ = offset + kThreadCalls;
  for (std::uint64_t function = 0;; ++calls_.count) {
    const std::uint64_t address = calls_.array + std::uint64_t{calls_.count} * sizeof function;
    if (calls_.array == 0 || !read_at(address, function))
      return wrong("its list of what threads call is not inside the file, or does not end");
    if (function == 0) return {};
  }
}

std::vector<std::string_view> PeFile::needed() const {
  std::vector<std::string_view> names;
  for (const Named &each : needed_) {
    const auto is_known = [&](std::string_view known) { return are_same(known, each.name); };
    if (std::ranges::none_of(names, is_known)) names.push_back(each.name);
  }
  return names;
}

bool PeFile::uses_python() const noexcept {
  return std::ranges::any_of(needed_, [](const Named &each) {
    return begins_with(each.name, "python3") || begins_with(each.name, "libpython3");
  });
}

bool PeFile::has_export(std::string_view name) const noexcept {
  std::size_t offset = 0;
  if (export_count_ == 0 || room(export_names_, offset) == 0) return false;
  for (std::size_t i = 0; i < export_count_; ++i) {
    std::size_t place = 0;
    if (room(at<Address>(offset + i * sizeof(Address)), place) <= name.size()) continue;
    const auto *const text = reinterpret_cast<const char *>(bytes_.data()) + place;
    if (std::memcmp(text, name.data(), name.size()) == 0 && text[name.size()] == 0) return true;
  }
  return false;
}

PeFile::Calls PeFile::take_calls() noexcept {
  const Calls taken = calls_;
  write(entry_offset_, Address{0});
  // The list begins where it ends. Its address is relocated, so it cannot be cleared.
  if (calls_offset_ != 0) {
    const auto list = at<std::uint64_t>(calls_offset_);
    write(calls_offset_, list + calls_.count * sizeof(std::uint64_t));
  }
  calls_ = {};
  calls_offset_ = 0;
  return taken;
}

bool PeFile::rename(std::string_view name, std::string_view other) noexcept {
  if (name.empty() || name.size() != other.size()) return false;
  std::vector<std::size_t> places;
  for (const Named &each : needed_) {
    if (are_same(each.name, name)) places.push_back(each.offset);
  }
  // A name may be the end of another one, or of a function's.
  const auto is_touched = [&](std::string_view text) {
    const std::size_t start = offset_of(text);
    return !text.empty() && std::ranges::any_of(places, [&](std::size_t place) {
      return start <= place + name.size() && place <= start + text.size() &&
             !(start == place && text.size() == name.size());
    });
  };
  const bool is_shared =
      std::ranges::any_of(needed_, [&](const Named &each) { return is_touched(each.name); }) ||
      std::ranges::any_of(imports_, [&](const Import &each) { return is_touched(each.name); });
  if (is_shared) return false;
  for (const std::size_t place : places)
    std::memcpy(bytes_.data() + place, other.data(), other.size());
  return !places.empty();
}

}  // namespace interlock
