#!/bin/sh
# SPDX-License-Identifier: MIT
# Does the reader of shared objects keep its promises about those that the linker of this system
# writes? Run by make check, in the build directory.
directory=$(mktemp -d) || exit 1
trap 'rm -rf "$directory"' EXIT
# shellcheck disable=SC2154
sh "$srcdir/tests/fuzz/seeds/make" "$directory" || exit 1
tests/fuzz/replay "$directory"
