// SPDX-License-Identifier: MIT
// Where nobody has written yet how a shared object is loaded twice.
#include "platform/library.hpp"

namespace interlock {

class PrivateLibraries::Library {};
struct PrivateLibraries::Impl {};

PrivateLibraries::PrivateLibraries(std::span<const Redirection>,
                                   std::function<void(std::span<std::byte>)>) {}
PrivateLibraries::~PrivateLibraries() = default;
PrivateLibraries::PrivateLibraries(PrivateLibraries &&) noexcept = default;
PrivateLibraries &PrivateLibraries::operator=(PrivateLibraries &&) noexcept = default;

void PrivateLibraries::leave_finaliser() noexcept {}

void PrivateLibraries::reset_after_fork() noexcept {}

bool PrivateLibraries::are_possible() noexcept { return false; }

Result<PrivateLibraries::Library *> PrivateLibraries::load(const std::string &path, Needed) {
  return Status(Code::kESYSTEM, "'" + path + "': this system has no private copies of libraries");
}

void PrivateLibraries::end_threads_at_end(Library &) noexcept {}

void *PrivateLibraries::handle(const Library &) noexcept { return nullptr; }

void *PrivateLibraries::find(const Library &, const char *) noexcept { return nullptr; }

std::vector<PrivateLibraries::Copy> PrivateLibraries::all() const { return {}; }

}  // namespace interlock
