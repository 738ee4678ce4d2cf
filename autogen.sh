#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes configure. With `demo` or `check` also does everything before and after: installs what is
# missing, gets a CPython, configures, builds, and runs the main job or the tests.
set -eu

python_release=3.13.5
python_sha256=93e583f243454e6e9e4588ca2c2662206ad961659863277afcdb96801647d640
python_suite=trixie
cache=${XDG_CACHE_HOME:-$HOME/.cache}/interlock
source_directory=$(cd "$(dirname "$0")" && pwd)
build_directory=$source_directory/build

usage() {
  cat <<EOF
usage: ./autogen.sh                             make configure, as autoreconf does
       ./autogen.sh demo [configure options]    set all up, build, run the main job
       ./autogen.sh check [configure options]   set all up, build, run the tests

       ./autogen.sh packages NAME...            install Debian packages that are missing
       ./autogen.sh source PACKAGE DIRECTORY [SUITE]
                                                get the distribution's source of a package
       ./autogen.sh python-source DIRECTORY     get the source of CPython $python_release, python.tar.xz

demo and check install packages where apt-get is there (as root, or with sudo), and build CPython
$python_release once, into $cache, where the system has none that is new enough.
The build is in $build_directory.
EOF
}

say() { printf 'autogen.sh: %s\n' "$*"; }
fail() {
  printf 'autogen.sh: %s\n' "$*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "packages are missing and must be installed as root: run as root, or install sudo"
  fi
}

# Installs those of the named packages that are missing.
install_packages() {
  missing=
  for package in "$@"; do
    dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q ' installed$' || missing="$missing $package"
  done
  [ -z "$missing" ] && return
  update_package_lists
  say "installing:$missing"
  # shellcheck disable=SC2086
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >"$log" 2>&1 ||
    { tail -20 "$log" >&2; fail "apt-get could not install:$missing"; }
}

update_package_lists() {
  [ -n "${lists_updated:-}" ] && return
  lists_updated=yes
  say "updating the package lists"
  # A snapshot of a testing suite may be past its date.
  as_root apt-get -q -o Acquire::Check-Valid-Until=false update >"$log" 2>&1 ||
    { tail -5 "$log" >&2; say "apt-get update failed: going on with the lists that are there"; }
}

has_python() { pkg-config --exists "python-$1-embed" 2>/dev/null; }

# Sets python_option for configure.
find_python() {
  python_option=
  for version in 3.15 3.14 3.13; do
    has_python $version && return
  done
  if [ -n "$has_apt" ]; then
    update_package_lists
    for version in 3.15 3.14 3.13; do
      apt-cache show "python$version-dev" >/dev/null 2>&1 || continue
      install_packages "python$version-dev" "python$version-venv" "libpython$version-testsuite"
      return
    done
  fi
  build_python
}

build_python() {
  prefix=$cache/cpython-$python_release
  python_option=--with-python=$prefix
  mkdir -p "$cache"
  # One build at a time; the others wait and find it done.
  exec 9>"$cache/lock"
  command -v flock >/dev/null && flock 9
  if [ ! -e "$prefix/complete" ]; then
    if [ -n "$has_apt" ]; then
      install_packages ca-certificates xz-utils build-essential pkg-config libssl-dev zlib1g-dev libbz2-dev \
        liblzma-dev libffi-dev libsqlite3-dev libreadline-dev libncurses-dev uuid-dev
    fi
    work=$cache/work.$$
    rm -rf "$work" "$prefix"
    mkdir -p "$work"
    trap 'rm -rf "$work"' EXIT
    (cd "$work" && fetch_python && compile_python)
    rm -rf "$work"
    trap - EXIT
  fi
  exec 9>&-
}

is_right_tarball() { [ -e "$1" ] && printf '%s  %s\n' $python_sha256 "$1" | sha256sum -c --status; }

# Leaves the checked source in python.tar.xz of the working directory.
fetch_python() {
  kept=$cache/python-$python_release.tar.xz
  if is_right_tarball "$kept"; then
    ln -s "$kept" python.tar.xz
    return
  fi
  if [ -n "$has_apt" ] && fetch_from_distribution "python${python_release%.*}" $python_suite &&
    mv ./*"_$python_release.orig.tar.xz" python.tar.xz && is_right_tarball python.tar.xz; then
    say "the source of CPython $python_release came from the distribution's archive"
  else
    say "getting the source of CPython $python_release from python.org"
    url=https://www.python.org/ftp/python/$python_release/Python-$python_release.tar.xz
    { curl -fsSL -o python.tar.xz "$url" || wget -q -O python.tar.xz "$url"; } 2>/dev/null ||
      fail "the source of CPython could not be had: put Python-$python_release.tar.xz into $kept"
    is_right_tarball python.tar.xz || fail "Python-$python_release.tar.xz does not have the expected SHA-256"
  fi
  cp python.tar.xz "$kept.$$" && mv "$kept.$$" "$kept"
}

# fetch_from_distribution PACKAGE SUITE: its source files, into the working directory, from the mirror
# that apt is configured for, with package lists of our own.
fetch_from_distribution() {
  # shellcheck disable=SC2016
  mirror=$(apt-get indextargets --format '$(CREATED_BY) $(REPO_URI) $(COMPONENT)' 2>/dev/null |
    awk '$1 == "Packages" && $3 == "main" && $2 !~ /security/ { print $2; exit }')
  [ -n "$mirror" ] || return 1
  package=$1
  mkdir -p lists/partial archives/partial
  printf 'deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
    "$mirror" "$2" >sources.list
  set -- -q -o Dir::Etc::SourceList="$PWD/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD" -o Acquire::Check-Valid-Until=false \
    -o APT::Sandbox::User="$(id -un)"
  say "getting the source of $package from the distribution's archive"
  apt-get "$@" update >apt.log 2>&1 && apt-get "$@" source --download-only "$package" >>apt.log 2>&1
}

compile_python() {
  say "building CPython $python_release into $prefix (once, some minutes)"
  tar -xf python.tar.xz
  cd "Python-$python_release"
  ./configure -q --prefix="$prefix" --enable-shared --with-ensurepip=install \
    OPT='-DNDEBUG -O3 -g -Wall' LDFLAGS="-Wl,-rpath,$prefix/lib" >"$log" 2>&1 ||
    { tail -20 "$log" >&2; fail "configuring CPython failed: see $log"; }
  make -j"$jobs" >"$log" 2>&1 &
  show_progress $! "$log"
  wait $! || { tail -20 "$log" >&2; fail "building CPython failed: see $log"; }
  make install >"$log" 2>&1 || { tail -20 "$log" >&2; fail "installing CPython failed: see $log"; }
  touch "$prefix/complete"
}

# A line every ten seconds for as long as a process runs.
show_progress() {
  seconds=0
  while kill -0 "$1" 2>/dev/null; do
    sleep 1
    seconds=$((seconds + 1))
    [ $((seconds % 10)) = 0 ] && say "  $seconds s, $(grep -c ' -c ' "$2" || :) files compiled"
  done
  return 0
}

# Where nothing can be installed: names everything that is missing.
require_tools() {
  lacking=
  for tool in autoreconf automake libtoolize make pkg-config; do
    command -v $tool >/dev/null || lacking="$lacking $tool"
  done
  command -v "${CXX:-c++}" >/dev/null || command -v g++ >/dev/null || lacking="$lacking g++"
  if command -v pkg-config >/dev/null; then
    pkg-config --exists 'libuv >= 1.44' || lacking="$lacking libuv-1.44"
    pkg-config --exists 'criterion >= 2.4' || lacking="$lacking criterion-2.4"
  fi
  [ -z "$lacking" ] || fail "this is no system with apt-get; please install:$lacking"
}

look_for_apt() {
  has_apt=
  ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null || has_apt=yes
}

set_up() {
  jobs=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
  mkdir -p "$build_directory"
  log=$build_directory/set-up.log
  look_for_apt
  if [ -n "$has_apt" ]; then
    install_packages autoconf automake libtool make g++ pkg-config libuv1-dev libcriterion-dev
  else
    require_tools
  fi
  find_python
}

build() {
  autoreconf -fi >"$log" 2>&1 || { tail -20 "$log" >&2; fail "autoreconf failed: see $log"; }
  cd "$build_directory"
  # shellcheck disable=SC2086
  "$source_directory/configure" $python_option "$@"
  make -j"$jobs"
}

cd "$source_directory"
case ${1-} in
  '')
    command -v autoreconf >/dev/null || fail "autoreconf is missing: install autoconf, automake and libtool"
    exec autoreconf -fi
    ;;
  demo)
    shift
    set_up
    build "$@"
    exec ./interlock "$source_directory/examples/stdlib_metrics.py" --compare
    ;;
  check)
    shift
    set_up
    build "$@"
    exec make -j2 check
    ;;
  packages)
    shift
    look_for_apt
    [ -n "$has_apt" ] || fail "this is no system with apt-get; please install what Debian calls: $*"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    install_packages "$@"
    ;;
  source)
    look_for_apt
    [ -n "$has_apt" ] || fail "this is no system with apt-get: the source of $2 cannot be had"
    cd "$3"
    # shellcheck disable=SC1091
    fetch_from_distribution "$2" "${4-$(. /etc/os-release && echo "$VERSION_CODENAME")}" ||
      { tail -5 apt.log >&2; fail "the source of $2 could not be had"; }
    ;;
  python-source)
    look_for_apt
    mkdir -p "$cache"
    cd "$2"
    fetch_python
    ;;
  -h | --help)
    usage
    ;;
  *)
    usage >&2
    fail "unknown argument: $1"
    ;;
esac
