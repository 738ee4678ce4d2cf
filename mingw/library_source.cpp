// SPDX-License-Identifier: MIT
// Shared objects of Windows. What a file needs has names only, and where to look is known to the
// linker: the directories of the program and of the system, and those that the program has added.
// It knows what is loaded by its name. So what lies beside the original is loaded, or copied,
// before the copy. What uses the Python C API and lies elsewhere (a PACKAGE.libs,
// os.add_dll_directory()) is found by the linker alone, and shared.
#include "posix/library_source.hpp"

#include <windows.h>

#include <optional>
#include <utility>

#include "mingw/error.hpp"
#include "mingw/handle.hpp"
#include "mingw/library_copy.hpp"
#include "mingw/pe.hpp"

namespace interlock {
namespace {

using mingw::Handle;
using mingw::refused;
using mingw::wide_of;

/// A file that is mapped to be changed: pages that are, become private ones.
class MappedFile {
 public:
  /// Errors: kEINVAL; kESYSTEM, saying what the system says.
  [[nodiscard]] static Result<MappedFile> open(const std::string &path);
  MappedFile(MappedFile &&other) noexcept
      : bytes_(std::exchange(other.bytes_, {})), identity_(other.identity_) {}
  MappedFile &operator=(MappedFile &&) = delete;
  ~MappedFile() {
    if (!bytes_.empty()) UnmapViewOfFile(bytes_.data());
  }
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
  [[nodiscard]] const FileIdentity &identity() const noexcept { return identity_; }

 private:
  MappedFile() noexcept = default;

  std::span<std::byte> bytes_;
  FileIdentity identity_{};
};

[[nodiscard]] constexpr std::uint64_t whole(DWORD high, DWORD low) noexcept {
  return std::uint64_t{high} << 32 | low;
}

Result<MappedFile> MappedFile::open(const std::string &path) {
  const std::wstring wide = wide_of(path);
  const DWORD attributes = GetFileAttributesW(wide.c_str());
  if (attributes == INVALID_FILE_ATTRIBUTES) return refused("cannot open", path);
  const bool is_directory = (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
  const Handle file(is_directory ? nullptr
                                 : CreateFileW(wide.c_str(), GENERIC_READ,
                                               FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr,
                                               OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr));
  if (!is_directory && !file) return refused("cannot open", path);
  if (is_directory || GetFileType(file.get()) != FILE_TYPE_DISK)
    return Status(Code::kEINVAL, "'" + path + "' is no file");
  BY_HANDLE_FILE_INFORMATION info{};
  if (!GetFileInformationByHandle(file.get(), &info)) return refused("cannot open", path);
  const std::uint64_t size = whole(info.nFileSizeHigh, info.nFileSizeLow);
  if (size == 0) return Status(Code::kEINVAL, "'" + path + "' is empty");
  const Handle mapping(CreateFileMappingW(file.get(), nullptr, PAGE_WRITECOPY, 0, 0, nullptr));
  void *const bytes = mapping ? MapViewOfFile(mapping.get(), FILE_MAP_COPY, 0, 0, 0) : nullptr;
  if (bytes == nullptr) return refused("cannot map", path);
  MappedFile mapped;
  mapped.bytes_ = {static_cast<std::byte *>(bytes), static_cast<std::size_t>(size)};
  constexpr std::uint64_t kTicks = 10'000'000;  // a second
  const std::uint64_t changed =
      whole(info.ftLastWriteTime.dwHighDateTime, info.ftLastWriteTime.dwLowDateTime);
  mapped.identity_ = {info.dwVolumeSerialNumber, whole(info.nFileIndexHigh, info.nFileIndexLow),
                      static_cast<std::int64_t>(size), static_cast<std::int64_t>(changed / kTicks),
                      static_cast<std::int64_t>(changed % kTicks) * 100};
  return mapped;
}

/// Names of sets of the system's functions, which no file stands for.
[[nodiscard]] bool is_of_system(std::string_view name) noexcept {
  return PeFile::are_same(name.substr(0, 7), "api-ms-") ||
         PeFile::are_same(name.substr(0, 7), "ext-ms-");
}

class PeSource final : public MappedSource<MappedFile, PeFile> {
 public:
  using MappedSource::MappedSource;
  ~PeSource() override {
    for (const HMODULE each : shared_) FreeLibrary(each);
  }

  [[nodiscard]] std::vector<Needed> needed() const override {
    const std::string directory = path_.substr(0, path_.find_last_of("\\/") + 1);
    std::vector<Needed> all;
    for (const std::string_view name : file_->needed()) {
      const std::string path = directory + std::string(name);
      const DWORD attributes = GetFileAttributesW(wide_of(path).c_str());
      const bool is_file =
          attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0;
      if (is_file && !is_of_system(name)) all.push_back({std::string(name), path});
    }
    return all;
  }
  /// That of the file, if another one can be made of it that ends as it does.
  [[nodiscard]] std::string name() const override {
    const std::string name = path_.substr(path_.find_last_of("\\/") + 1);
    constexpr std::size_t kChanged = 4;
    const bool is_plain = name.find_first_not_of(kPlain) == std::string::npos;
    const std::size_t end = name.rfind('.');
    return is_plain && end != std::string::npos && end >= kChanged ? name : "";
  }
  [[nodiscard]] bool rename(const std::string &name, const std::string &other) override {
    return (!name.empty() && name == this->name()) || file_->rename(name, other);
  }
  [[nodiscard]] Status share(const Needed &needed) override {
    if (GetModuleHandleW(wide_of(needed.name).c_str()) != nullptr) return {};
    const HMODULE module =
        LoadLibraryExW(wide_of(needed.path).c_str(), nullptr,
                       LOAD_LIBRARY_SEARCH_DEFAULT_DIRS | LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR);
    if (module == nullptr) return refused("cannot load", needed.path);
    shared_.push_back(module);
    return {};
  }
  [[nodiscard]] Result<std::unique_ptr<PrivateCopy>> load(
      const std::string &name, std::span<const Redirection> redirections) override {
    return LibraryCopy::load(path_, name, mapped_.bytes(), *file_, redirections);
  }

 private:
  static constexpr const char *kPlain =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-._~@#$%&()!, ";

  std::vector<HMODULE> shared_;
};

}  // namespace

Result<std::unique_ptr<LibrarySource>> LibrarySource::open(const std::string &path) {
  Result<MappedFile> mapped = MappedFile::open(path);
  if (!mapped.ok()) return mapped.status();
  return std::unique_ptr<LibrarySource>(new PeSource(path, std::move(mapped.value())));
}

void reset_copies_after_fork() noexcept {}

}  // namespace interlock
