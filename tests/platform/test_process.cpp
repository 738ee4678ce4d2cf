// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <string>

#include "platform/process.hpp"

using namespace interlock;

namespace {

const int kOwn = 0;

bool names_this_program(const std::string &path) {
  return path.find("test_process") != std::string::npos;
}

bool is_absolute(const std::string &path) {
  return path.starts_with("/") || (path.size() > 2 && path[1] == ':');
}

}  // namespace

Test(process, knows_its_executable) {
  const std::string path = executable_path();
  cr_assert(is_absolute(path), "%s", path.c_str());
  cr_assert(names_this_program(path), "%s", path.c_str());
}

Test(process, knows_which_object_holds_an_address) {
  const std::string path = object_path(&kOwn);
  if (path.empty()) cr_skip("the C library does not know where this program is");
  cr_assert(is_absolute(path), "%s", path.c_str());
  cr_assert(names_this_program(path), "%s", path.c_str());
}

Test(process, an_address_outside_all_objects_has_none) {
  int on_the_stack = 0;
  cr_assert(object_path(&on_the_stack).empty());
}

Test(process, has_a_number) { cr_assert_gt(process_id(), 0); }
