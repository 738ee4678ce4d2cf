// SPDX-License-Identifier: MIT
#include "posix/library_copy.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/check.hpp"
#include "posix/finaliser.hpp"
#include "posix/library_calls.hpp"
#include "posix/library_file.hpp"
#include "posix/library_names.hpp"
#include "posix/library_threads.hpp"
#include "posix/linker.hpp"

extern char **environ;

namespace interlock {
namespace {

using Address = ElfFile::Address;

[[nodiscard]] std::uint64_t page_size() noexcept {
  static const auto size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return size;
}
[[nodiscard]] std::uint64_t page_of(std::uint64_t at) noexcept { return at & ~(page_size() - 1); }

[[nodiscard]] Status refused(const std::string &what, const std::string &path) {
  return {Code::kESYSTEM, what + " '" + path + "': " + std::strerror(errno)};
}

[[nodiscard]] bool begins_at(Address base, const ElfFile &file) noexcept {
  const void *const start = reinterpret_cast<const void *>(base);
  return std::memcmp(start, &file.header(), sizeof(ElfFile::Header)) == 0;
}

[[nodiscard]] Status no_place(const std::string &path, const Status &status) {
  return {status.code(), "no place for a copy of '" + path + "': " + status.message()};
}

[[nodiscard]] int protection_of(const ElfFile::Segment &segment) noexcept {
  return ((segment.p_flags & PF_R) != 0 ? PROT_READ : 0) |
         ((segment.p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
         ((segment.p_flags & PF_X) != 0 ? PROT_EXEC : 0);
}

class Copying {
 public:
  Copying(const MappedFile &original, ElfFile &file) noexcept : original_(original), file_(file) {}

  /// Decides what is shared with the original.
  void prepare() {
    if (!kLinker.lets_change_mappings) return;
    for (const ElfFile::Segment &each : file_.segments()) {
      if (can_be_lent(each)) add_lent(each);
    }
  }
  /// Writes the copy, all but what lend() brings.
  [[nodiscard]] bool write(const LinkerFile &to) {
    std::uint64_t end = file_.headers_end();
    for (const ElfFile::Segment &each : file_.segments())
      end = std::max(end, std::uint64_t{each.p_offset} + each.p_filesz);
    if (::ftruncate(to.descriptor(), static_cast<off_t>(end)) != 0) return false;
    if (!write_part(to, 0, file_.headers_end())) return false;
    return std::ranges::all_of(file_.segments(), [&](const ElfFile::Segment &each) {
      return write_part(to, each.p_offset, each.p_filesz - lent_of(each));
    });
  }
  /// Puts the pages of the original where `base` has none.
  [[nodiscard]] bool lend(Address base) const {
    return std::ranges::all_of(lent_, [&](const Lent &each) {
      void *const place = reinterpret_cast<void *>(base + each.address);
      return ::mmap(place, each.size, each.protection, MAP_PRIVATE | MAP_FIXED,
                    original_.descriptor(), static_cast<off_t>(each.offset)) == place;
    });
  }
  [[nodiscard]] std::size_t written() const noexcept { return written_; }

 private:
  /// The pages from somewhere in a segment to its end.
  struct Lent {
    std::uint64_t address;
    std::uint64_t offset;
    std::uint64_t size;
    int protection;
  };

  [[nodiscard]] bool can_be_lent(const ElfFile::Segment &segment) const {
    return !file_.is_changed_early() && (segment.p_flags & PF_W) == 0 &&
           segment.p_filesz == segment.p_memsz &&
           segment.p_vaddr % page_size() == segment.p_offset % page_size();
  }
  void add_lent(const ElfFile::Segment &segment) {
    const std::uint64_t kept = file_.read_early(segment);
    // The segment's first page is lent, too, if none of it is looked at.
    const std::uint64_t first =
        kept == 0 ? page_of(segment.p_offset) : page_of(segment.p_offset + kept + page_size() - 1);
    const std::uint64_t end = segment.p_offset + segment.p_filesz;
    if (first >= end) return;
    lent_.push_back(
        {segment.p_vaddr - segment.p_offset + first, first, end - first, protection_of(segment)});
  }
  /// Bytes of a segment that are lent.
  [[nodiscard]] std::uint64_t lent_of(const ElfFile::Segment &segment) const {
    const std::uint64_t end = segment.p_offset + segment.p_filesz;
    for (const Lent &each : lent_) {
      if (each.offset + each.size == end &&
          each.address + each.size == segment.p_vaddr + segment.p_filesz)
        return std::min(each.size, std::uint64_t{segment.p_filesz});
    }
    return 0;
  }
  [[nodiscard]] bool write_part(const LinkerFile &to, std::uint64_t offset, std::uint64_t size) {
    written_ += size;
    return to.write(offset, original_.bytes().subspan(offset, size));
  }

  const MappedFile &original_;
  ElfFile &file_;
  std::vector<Lent> lent_;
  std::size_t written_ = 0;
};

/// What stands in a list of functions.
[[nodiscard]] constexpr bool is_function(Address address) noexcept {
  return address != 0 && address != static_cast<Address>(-1);
}

/// Whole pages are given back: they are zero when they are looked at.
void clear(std::byte *start, std::size_t size) noexcept {
  const auto first = reinterpret_cast<std::uintptr_t>(start);
  const std::uintptr_t pages = page_of(first + page_size() - 1);
  const std::uintptr_t end = page_of(first + size);
  if (pages < end) {
    void *const place = reinterpret_cast<void *>(pages);
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    if (::mmap(place, end - pages, PROT_READ | PROT_WRITE, kFlags, -1, 0) == place) {
      std::memset(start, 0, pages - first);
      std::memset(reinterpret_cast<void *>(end), 0, first + size - end);
      return;
    }
  }
  std::memset(start, 0, size);
}

/// Whether what is written there may be run.
[[nodiscard]] bool can_be_run(const LinkerFile &file) {
  void *const page =
      ::mmap(nullptr, page_size(), PROT_READ | PROT_EXEC, MAP_PRIVATE, file.descriptor(), 0);
  if (page == MAP_FAILED) return false;
  ::munmap(page, page_size());
  return true;
}

[[nodiscard]] std::string linker_error(const LinkerFile &file, const std::string &copy_path,
                                       const std::string &path) {
  const char *const given = ::dlerror();
  std::string text = given != nullptr ? given : "the dynamic linker refuses it";
  for (std::size_t at = 0; (at = text.find(copy_path, at)) != std::string::npos;)
    text.replace(at, copy_path.size(), path), at += path.size();
  if (text.find(path) == std::string::npos) text = "'" + path + "': " + text;
  // What glibc says when thread-local storage of a fixed size has run out.
  if (text.find("static TLS block") != std::string::npos)
    text += ": start the process with GLIBC_TUNABLES=glibc.rtld.optional_static_tls=65536 or more";
  if (file.has_name() && !can_be_run(file))
    text +=
        ": nothing in '" + file.path() + "' may be run: set TMPDIR to a directory without noexec";
  return text;
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::string &path) {
  MappedFile file;
  file.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct ::stat info = {};
  if (file.descriptor_ < 0 || ::fstat(file.descriptor_, &info) != 0)
    return refused("cannot open", path);
  if (!S_ISREG(info.st_mode)) return Status(Code::kEINVAL, "'" + path + "' is no file");
  if (info.st_size == 0) return Status(Code::kEINVAL, "'" + path + "' is empty");
  const auto size = static_cast<std::size_t>(info.st_size);
  void *const bytes =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.descriptor_, 0);
  if (bytes == MAP_FAILED) return refused("cannot map", path);
  file.bytes_ = {static_cast<std::byte *>(bytes), size};
  file.identity_ = {static_cast<std::uint64_t>(info.st_dev),
                    static_cast<std::uint64_t>(info.st_ino), info.st_size, info.st_mtim.tv_sec,
                    info.st_mtim.tv_nsec};
  return file;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<LibraryCopy> LibraryCopy::load(const std::string &path, const std::string &name,
                                      const MappedFile &original, ElfFile &file,
                                      std::span<const Redirection> redirections) {
  const ElfFile::Segment &first = file.segments().front();
  if (!kLinker.has_link_maps && (first.p_vaddr != 0 || first.p_offset != 0))
    return Status(Code::kEINVAL, "'" + path + "': it does not begin at address 0");
  LinkerFile written;
  constexpr std::size_t kLongestName = 200;  // the system adds to it
  const std::string base_name = path.substr(path.rfind('/') + 1, kLongestName);
  if (const Status status = written.open(base_name); !status.ok()) return no_place(path, status);
  LinkerName named;
  const bool is_named = !name.empty() && !linker_knows_sonames(file.header());
  if (is_named) {
    if (const Status status = named.create(name, written.path()); !status.ok())
      return no_place(path, status);
  }
  LibraryCopy copy;
  // Theirs is another time: initialisers need code that is not there yet, and their effects must be
  // told from those of the linker.
  Result<ElfFile::Calls> initialisers = file.take_initialisers();
  Result<ElfFile::Calls> finalisers = file.take_finalisers();
  if (!initialisers.ok()) return initialisers.status();
  if (!finalisers.ok()) return finalisers.status();
  copy.initialisers_ = initialisers.value();
  copy.finalisers_ = finalisers.value();
  if (!file.prefer_own_symbols(kLinker.knows_symbolic))
    return Status(Code::kEINVAL, "'" + path + "': there is no room for DT_SYMBOLIC");
  if (!kLinker.lets_change_mappings) file.leave_writable();
  Copying copying(original, file);
  copying.prepare();
  if (!copying.write(written)) return refused("cannot copy '" + path + "' to", written.path());
  copy.copied_ = copying.written();
  const std::string copy_path = is_named ? named.path() : written.path();
  void *const handle = ::dlopen(copy_path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return Status(Code::kESYSTEM, linker_error(written, copy_path, path));
  copy.base_ = static_cast<Address>(base_of(handle, copy_path));
  const bool is_found = copy.base_ != 0 && (kLinker.has_link_maps || begins_at(copy.base_, file));
  if (!is_found) {
    ::dlclose(handle);
    return Status(Code::kESYSTEM,
                  "the dynamic linker does not say where it has loaded a copy of '" + path + "'");
  }
  if (!copying.lend(copy.base_)) {
    // Its code is not there: it cannot be unloaded either, which would run some.
    return refused("cannot map the code of", path);
  }
  copy.handle_ = handle;
  if (is_named) {
    void *const needing = load_as_needed(file.header(), name, named.directory(), false);
    if (needing == nullptr) return Status(Code::kESYSTEM, linker_error(written, copy_path, path));
    ::dlclose(needing);
  }
  rename_for_people(handle, path);
  const ElfFile::Segment &last = file.segments().back();
  const Address start = page_of(first.p_vaddr);
  copy.memory_ = {reinterpret_cast<std::byte *>(copy.base_ + start),
                  static_cast<std::size_t>(last.p_vaddr + last.p_memsz - start)};
  std::vector<Redirection> all;
  for (const auto &each :
       {redirections, LibraryCalls::redirections(), LibraryThreads::redirections()})
    all.insert(all.end(), each.begin(), each.end());
  if (!copy.redirect(file, all)) return refused("cannot redirect calls of", path);
  if (!kLinker.lets_change_mappings) copy.protect(file);
  copy.save(file);
  return copy;
}

LibraryCopy::~LibraryCopy() {
  if (handle_ != nullptr) ::dlclose(handle_);
}

/// What is protected from writing, in whole pages.
[[nodiscard]] ElfFile::Table fixed_of(const ElfFile &file) {
  const ElfFile::Table given = file.protected_later();
  const Address start = page_of(given.start);
  return {start, page_of(given.start + given.size) - start};
}

/// Of memory that the linker is done with.
[[nodiscard]] int protection_at(const ElfFile &file, Address address) {
  const ElfFile::Table fixed = fixed_of(file);
  const bool is_fixed = address >= fixed.start && address - fixed.start < fixed.size;
  if (is_fixed && kLinker.lets_change_mappings) return PROT_READ;
  for (const ElfFile::Segment &each : file.segments()) {
    if (address < each.p_vaddr || address - each.p_vaddr >= each.p_memsz) continue;
    return protection_of(each);
  }
  return PROT_READ | PROT_WRITE;
}

/// The linker has found the function, as one of `originals`; what it wrote is written over, also
/// where it has protected that since.
bool LibraryCopy::redirect(const ElfFile &file, Address address, const Originals &originals,
                           void *function) const {
  auto *const place = reinterpret_cast<void **>(base_ + address);
  const auto *const first = reinterpret_cast<std::byte *>(place);
  const bool is_inside =
      first >= memory_.data() && first + sizeof *place <= memory_.data() + memory_.size();
  if (!is_inside || *place == nullptr || std::ranges::find(originals, *place) == originals.end())
    return true;
  const int protection = protection_at(file, address);
  void *const page = reinterpret_cast<void *>(page_of(base_ + address));
  const std::size_t size =
      page_of(base_ + address + sizeof *place - 1) + page_size() - page_of(base_ + address);
  const bool is_fixed = (protection & PROT_WRITE) == 0;
  if (is_fixed && ::mprotect(page, size, protection | PROT_WRITE) != 0) return false;
  *place = function;
  return !is_fixed || ::mprotect(page, size, protection) == 0;
}

bool LibraryCopy::redirect(const ElfFile &file, std::span<const Redirection> redirections) const {
  std::vector<std::string_view> names;
  for (const Redirection &each : redirections) names.emplace_back(each.name);
  const std::vector<std::vector<Address>> places = file.places_of(names);
  for (std::size_t i = 0; i < redirections.size(); ++i) {
    if (places[i].empty()) continue;
    // Of the program, or of what the copy needs.
    const char *const name = redirections[i].name;
    const Originals originals = {::dlsym(RTLD_DEFAULT, name), ::dlsym(handle_, name)};
    for (const Address each : places[i]) {
      if (!redirect(file, each, originals, redirections[i].function)) return false;
    }
  }
  return true;
}

void LibraryCopy::protect(const ElfFile &file) const {
  const ElfFile::Table fixed = fixed_of(file);
  // It is as good without: nothing of it is meant to be written.
  if (fixed.size != 0)
    (void)::mprotect(reinterpret_cast<void *>(base_ + fixed.start), fixed.size, PROT_READ);
}

void LibraryCopy::save(const ElfFile &file) {
  const ElfFile::Table fixed = fixed_of(file);
  const Address fixed_start = fixed.start;
  const Address fixed_end = fixed.start + fixed.size;
  for (const ElfFile::Segment &each : file.segments()) {
    if ((each.p_flags & PF_W) == 0) continue;
    const Address begin = each.p_vaddr;
    const Address end = begin + each.p_memsz;
    const auto add = [&](Address from, Address to) {
      if (from >= to) return;
      auto *const start = reinterpret_cast<std::byte *>(base_ + from);
      const Address known_end = std::clamp(begin + each.p_filesz, from, to);
      data_.push_back({start, {start, start + (known_end - from)}, to - known_end});
    };
    const bool is_fixed = fixed_start < fixed_end && fixed_start < end && fixed_end > begin;
    add(begin, is_fixed ? fixed_start : end);
    if (is_fixed) add(std::max(begin, fixed_end), end);
  }
}

Status LibraryCopy::start() {
  // As the linker calls them. What they may be told of the command line is the program's name.
  char *const arguments[] = {const_cast<char *>(""), nullptr};
  using Function = void (*)(int, char **, char **);
  const auto call = [&](Address address) {
    reinterpret_cast<Function>(address)(1, const_cast<char **>(arguments), environ);
  };
  if (initialisers_.function != 0) call(base_ + initialisers_.function);
  const auto *const functions = reinterpret_cast<const Address *>(base_ + initialisers_.array);
  for (std::uint64_t i = 0; i < initialisers_.count; ++i) {
    if (is_function(functions[i])) call(functions[i]);
  }
  return {};
}

void LibraryCopy::stop(bool ends_threads_at_fork) {
  for (const LibraryCalls::Function prepare : LibraryCalls::take_fork_calls(memory_)) {
    if (ends_threads_at_fork && LibraryThreads::are_running(memory_)) (void)Finaliser::run(prepare);
  }
  using Function = void (*)();
  const auto run = [](Address address) {
    (void)Finaliser::run(reinterpret_cast<Function>(address));
  };
  const auto *const functions = reinterpret_cast<const Address *>(base_ + finalisers_.array);
  for (std::uint64_t i = finalisers_.count; i-- > 0;) {
    if (is_function(functions[i])) run(functions[i]);
  }
  if (finalisers_.function != 0) run(base_ + finalisers_.function);
  for (bool is_last = false; !is_last;)
    (void)Finaliser::run([&] { is_last = !LibraryCalls::call_at_exit(memory_); });
}

bool LibraryCopy::has_threads() const {
  return LibraryThreads::are_running(memory_) || LibraryCalls::is_in_fork_call(memory_);
}

void LibraryCopy::restore() {
  LibraryCalls::forget(memory_);
  for (const Data &each : data_) {
    std::ranges::copy(each.before, each.start);
    clear(each.start + each.before.size(), each.zeros);
  }
}

void *LibraryCopy::find(const char *name) const noexcept { return ::dlsym(handle_, name); }

std::vector<std::span<std::byte>> LibraryCopy::data() const {
  std::vector<std::span<std::byte>> all;
  for (const Data &each : data_) all.emplace_back(each.start, each.before.size() + each.zeros);
  return all;
}

std::size_t LibraryCopy::size() const noexcept {
  std::size_t size = copied_;
  for (const Data &each : data_) size += each.before.size();
  return size;
}

}  // namespace interlock
