// SPDX-License-Identifier: MIT
// A small DLL that has something of everything, made here: not every system has one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "mingw/pe.hpp"

/// Two sections: of data, with zeros behind what the file has, and of code.
class PeBytes {
 public:
  static constexpr std::size_t kHeader = 0x80;  // in the file
  static constexpr std::size_t kOptional = kHeader + 24;
  static constexpr std::size_t kDirectories = kOptional + 112;
  static constexpr std::size_t kSections = kDirectories + 16 * 8;
  static constexpr std::size_t kHeadersSize = 0x400;
  static constexpr std::size_t kSize = 0x1200;
  // In memory; the code has no tables.
  static constexpr std::uint32_t kData = 0x1000;
  static constexpr std::uint32_t kImports = kData;
  static constexpr std::uint32_t kDelayed = 0x1280;
  static constexpr std::uint32_t kExports = 0x1600;
  static constexpr std::uint32_t kThreadStorage = 0x1700;
  static constexpr std::uint32_t kCalls = 0x1740;
  static constexpr std::uint32_t kZeros = 0x1c00;
  static constexpr std::uint32_t kCode = 0x3000;
  static constexpr std::uint32_t kMemorySize = 0x4000;
  static constexpr std::uint64_t kBase = 0x180000000;

  PeBytes() : bytes(kSize) {
    write_headers();
    write_imports();
    write_exports();
    const std::uint64_t storage[] = {0, 0, kBase + kZeros + 8, kBase + kCalls, 0};
    const std::uint64_t calls[] = {kBase + kCode, kBase + kCode + 16, 0};
    at<std::uint64_t[5]>(kThreadStorage, storage);
    at<std::uint64_t[3]>(kCalls, calls);
  }

  /// Writes at an offset in the file.
  template <typename T>
  void put(std::size_t offset, const T &value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
  }
  /// Writes at an address in memory, of the data.
  template <typename T>
  void at(std::uint32_t address, const T &value) {
    put(address - kData + kHeadersSize, value);
  }

  std::vector<std::byte> bytes;

 private:
  void text(std::uint32_t address, std::string_view given) {
    std::memcpy(bytes.data() + (address - kData + kHeadersSize), given.data(), given.size());
  }
  void section(std::size_t number, std::uint32_t address, std::uint32_t size, std::uint32_t offset,
               std::uint32_t known, std::uint32_t flags) {
    const std::uint32_t fields[] = {size, address, known, offset};
    put(kSections + 40 * number + 8, fields);
    put(kSections + 40 * number + 36, flags);
  }
  void write_headers() {
    std::memcpy(bytes.data(), "MZ", 2);
    put<std::uint32_t>(60, kHeader);
    std::memcpy(bytes.data() + kHeader, "PE", 2);
    put<std::uint16_t>(kHeader + 4, interlock::PeFile::kMachine);
    put<std::uint16_t>(kHeader + 6, 2);
    put<std::uint16_t>(kHeader + 20, 112 + 16 * 8);
    put<std::uint16_t>(kHeader + 22, 0x2022);
    put<std::uint16_t>(kOptional, 0x20b);
    put<std::uint32_t>(kOptional + 16, kCode + 32);
    put<std::uint64_t>(kOptional + 24, kBase);
    put<std::uint32_t>(kOptional + 56, kMemorySize);
    put<std::uint32_t>(kOptional + 60, kHeadersSize);
    put<std::uint32_t>(kOptional + 108, 16);
    put<std::uint32_t>(kDirectories, kExports);
    put<std::uint32_t>(kDirectories + 8 * 1, kImports);
    put<std::uint32_t>(kDirectories + 8 * 9, kThreadStorage);
    put<std::uint32_t>(kDirectories + 8 * 13, kDelayed);
    section(0, kData, 0x2000, kHeadersSize, kZeros - kData, 0xc0000040);
    section(1, kCode, 0x200, 0x1000, 0x200, 0x60000020);
  }
  void write_imports() {
    const std::uint32_t imports[] = {0x1100, 0, 0, 0x1400, 0x1200, 0x1140, 0, 0, 0x1410, 0x1240};
    const std::uint64_t of_python[] = {0x1440, 0x1460, 0};
    const std::uint64_t of_system[] = {std::uint64_t{1} << 63 | 5, 0x1480, 0};
    const std::uint32_t delayed[] = {1, 0x1420, 0, 0x1340, 0x1300, 0, 0, 0};
    const std::uint64_t of_delayed[] = {0x14a0, 0};
    at(kImports, imports);
    at(0x1100, of_python);
    at(0x1140, of_system);
    at(kDelayed, delayed);
    at(0x1300, of_delayed);
    text(0x1400, "Python313.dll");
    text(0x1410, "KERNEL32.dll");
    text(0x1420, "later.dll");
    text(0x1440 + 2, "PyErr_Clear");
    text(0x1460 + 2, "Py_IsInitialized");
    text(0x1480 + 2, "CreateThread");
    text(0x14a0 + 2, "later");
  }
  void write_exports() {
    const std::uint32_t exports[] = {0, 0, 0, 0, 1, 2, 2, 0, 0x1640, 0};
    const std::uint32_t names[] = {0x1650, 0x1660};
    at(kExports, exports);
    at(0x1640, names);
    text(0x1650, "PyInit_one");
    text(0x1660, "another");
  }
};
