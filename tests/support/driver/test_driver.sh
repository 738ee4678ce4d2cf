#!/bin/sh
# SPDX-License-Identifier: MIT
# Is every way to fail reported by the driver? Run by make check, in the build directory.
case ${INTERLOCK_TEST_CFLAGS:-} in
  *-fsanitize*)
    echo "skipped: a sanitizer makes an exit of a crash"
    exit 77
    ;;
esac
sample="${TEST_EMULATOR:-} tests/support/driver/sample${EXEEXT:-}"
directory=$(mktemp -d) || exit 1
trap 'rm -rf "$directory"' EXIT

fail() {
  echo "$*"
  cat "$directory/output"
  exit 1
}

# run ARGUMENTS...: the exit status is the driver's.
run() {
  # shellcheck disable=SC2086
  $sample "$@" 2>"$directory/errors" >"$directory/output"
}

run --tap=- --quiet && fail "the driver said that all is well"
cat >"$directory/expected" <<'EOF'
1..15
ok 1 - sample::passes
not ok 2 - sample::fails_a_check
not ok 3 - sample::fails_a_check_in_a_thread
not ok 4 - sample::fails_and_goes_on
not ok 5 - sample::crashes
not ok 6 - sample::aborts
not ok 7 - sample::hangs
not ok 8 - sample::exits
ok 9 - sample::skips # SKIP because of reasons
ok 10 - sample::is_disabled # SKIP disabled
ok 11 - sample::aborts_as_it_should
ok 12 - sample::exits_as_it_should
not ok 13 - sample::does_not_abort_as_it_should
not ok 14 - sample::does_not_exit_as_it_should
not ok 15 - sample::fails_before_it_aborts_as_it_should
EOF
grep -E '^(1\.\.|ok|not ok)' "$directory/output" >"$directory/results"
diff "$directory/expected" "$directory/results" || fail "the results are not these"
for reason in 'sample.cpp:[0-9]*: failed: 1 + 1 == 3: it is 2' '^# went on' 'crashes: ended by signal 11' \
  'aborts: ended by signal' 'hangs: timed out' 'exits: exited with 5' 'did not end by signal'; do
  grep -q "$reason" "$directory/output" || fail "nothing says: $reason"
done

run --filter=sample/passes || fail "one test that passes is all well"
grep -q '^1\.\.1$' "$directory/output" || fail "that was more than one test"
run 'sample/no*such' && fail "a pattern that fits no test is all well"
exit 0
