// SPDX-License-Identifier: MIT
// What fuzzers call, by the name that they know, with bytes that they made.
#pragma once

#include <cstddef>
#include <cstdint>

/// Aborts if something is wrong.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);
