dnl SPDX-License-Identifier: MIT
dnl What configure looks for. Each macro ends with a sentence that says what to do when it is missing.

AC_DEFUN([INTERLOCK_CHECK_CXX20], [
  AC_LANG_PUSH([C++])
  interlock_saved_CXX=$CXX
  AC_CACHE_CHECK([how $CXX takes C++20], [interlock_cv_cxx20], [
    interlock_cv_cxx20=no
    for flag in "" -std=c++20 -std=c++2a; do
      CXX="$interlock_saved_CXX $flag"
      AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
        #include <version>
        #include <concepts>
        #if __cplusplus < 202002L
        #error not C++20
        #endif
        template <std::integral T> T same(T value) { return value; }]], [[return same(0);]])],
        [interlock_cv_cxx20=${flag:-default}; break])
    done
    CXX=$interlock_saved_CXX])
  AS_CASE([$interlock_cv_cxx20],
    [no], [AC_MSG_ERROR([$CXX does not compile C++20: install g++ 11 or clang 14 or newer, or set CXX])],
    [default], [],
    [CXX="$CXX $interlock_cv_cxx20"])
  AC_LANG_POP([C++])
])

dnl --without-python builds the core alone: base, platform, lock, memory, channel.
AC_DEFUN([INTERLOCK_CHECK_PYTHON], [
  AC_ARG_WITH([python], [AS_HELP_STRING([--with-python=PREFIX|VERSION],
    [the CPython to build for: where it is installed, or 3.13, 3.14 or 3.15; --without-python builds the core alone
     @<:@default: the newest that pkg-config finds@:>@])], [], [with_python=auto])
  interlock_python_version=none
  interlock_python_prefix=
  AS_IF([test "$with_python" != no], [INTERLOCK_FIND_PYTHON])
  AM_CONDITIONAL([WITH_PYTHON], [test "$with_python" != no])
  AC_SUBST([PYTHON_CFLAGS])
  AC_SUBST([PYTHON_LIBS])
  AC_SUBST([PYTHON_VERSION], [$interlock_python_version])
])

dnl Sets PYTHON_CFLAGS, PYTHON_LIBS (with an rpath where the library is in a private prefix), PYTHON.
AC_DEFUN([INTERLOCK_FIND_PYTHON], [
  interlock_versions="3.15 3.14 3.13"
  AS_CASE([$with_python],
    [auto|yes], [],
    [3.13|3.14|3.15], [interlock_versions=$with_python],
    [/*], [
      AS_IF([test ! -d "$with_python/lib/pkgconfig"],
        [AC_MSG_ERROR([--with-python=$with_python: no lib/pkgconfig there; give the prefix of a CPython built with --enable-shared])])
      PKG_CONFIG_PATH="$with_python/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
      export PKG_CONFIG_PATH],
    [AC_MSG_ERROR([--with-python=$with_python: give an absolute prefix, or 3.13, 3.14 or 3.15])])
  interlock_python_version=
  for version in $interlock_versions; do
    AS_IF([$PKG_CONFIG --exists "python-$version-embed"], [interlock_python_version=$version; break])
  done
  AS_IF([test -z "$interlock_python_version"],
    [AC_MSG_ERROR([no CPython 3.13, 3.14 or 3.15 for embedding was found (python-3.X-embed in pkg-config).
    Install python3.13-dev or newer, or let './autogen.sh check' build one, or give --with-python=PREFIX.])])
  PKG_CHECK_MODULES([PYTHON], [python-$interlock_python_version-embed])
  interlock_python_prefix=`$PKG_CONFIG --variable=exec_prefix python-$interlock_python_version-embed`
  interlock_python_libdir=`$PKG_CONFIG --variable=libdir python-$interlock_python_version-embed`
  AS_CASE([$interlock_python_libdir],
    [/usr/lib|/usr/lib/*|/usr/lib64|/lib|/lib64|/lib/*], [],
    [PYTHON_LIBS="$PYTHON_LIBS -Wl,-rpath,$interlock_python_libdir"])
  AC_CACHE_CHECK([whether CPython $interlock_python_version can be linked], [interlock_cv_python_links], [
    interlock_saved_CPPFLAGS=$CPPFLAGS; interlock_saved_LIBS=$LIBS
    CPPFLAGS="$CPPFLAGS $PYTHON_CFLAGS"; LIBS="$PYTHON_LIBS $LIBS"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <Python.h>]], [[Py_IsInitialized();]])],
      [interlock_cv_python_links=yes], [interlock_cv_python_links=no])
    CPPFLAGS=$interlock_saved_CPPFLAGS; LIBS=$interlock_saved_LIBS])
  AS_IF([test "$interlock_cv_python_links" != yes],
    [AC_MSG_ERROR([a program cannot be linked with CPython $interlock_python_version: see config.log])])
  AC_PATH_PROGS([PYTHON], [python$interlock_python_version], [], [$interlock_python_prefix/bin:$PATH])
  AC_DEFINE([INTERLOCK_WITH_PYTHON], [1], [Define where CPython runs in the process.])
])

AC_DEFUN([INTERLOCK_CHECK_LIBRARIES], [
  PKG_CHECK_MODULES([LIBUV], [libuv >= 1.44],
    [interlock_libuv_version=`$PKG_CONFIG --modversion libuv`],
    [AC_MSG_ERROR([libuv 1.44 or newer is missing: install libuv1-dev (Debian), libuv-devel or libuv])])
  AC_ARG_WITH([criterion], [AS_HELP_STRING([--without-criterion],
    [run the tests of the core with the driver of tests/support/driver @<:@default: where Criterion is missing@:>@])],
    [], [with_criterion=yes])
  interlock_criterion_version=
  AS_IF([test "$with_criterion" != no], [
    PKG_CHECK_MODULES([CRITERION], [criterion >= 2.4],
      [interlock_criterion_version=`$PKG_CONFIG --modversion criterion`], [:])])
  AC_SEARCH_LIBS([pthread_create], [pthread])
  AC_SEARCH_LIBS([dlsym], [dl])
  AC_CHECK_HEADERS([pthread_np.h])
  AS_CASE([$host_os], [mingw*], [ac_cv_func_sched_getcpu=yes])  # from mingw/sched.h
  AC_CHECK_FUNCS([eventfd pthread_set_name_np sched_getcpu])
  INTERLOCK_CHECK_THREAD_NAMES
  INTERLOCK_CHECK_ATOMICS
])

dnl Some systems declare pthread_setname_np elsewhere or with other parameters.
AC_DEFUN([INTERLOCK_CHECK_THREAD_NAMES], [
  AC_CACHE_CHECK([for pthread_setname_np of a thread and a name], [interlock_cv_setname], [
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[
      #include <pthread.h>
      #ifdef HAVE_PTHREAD_NP_H
      #include <pthread_np.h>
      #endif]], [[pthread_setname_np(pthread_self(), "x");]])],
      [interlock_cv_setname=yes], [interlock_cv_setname=no])])
  AS_IF([test "$interlock_cv_setname" = yes],
    [AC_DEFINE([HAVE_PTHREAD_SETNAME_NP], [1], [Define where pthread_setname_np takes a thread and a name.])])
])

dnl Channels need atomic words of 64 bits, which some 32-bit systems have in a library.
AC_DEFUN([INTERLOCK_CHECK_ATOMICS], [
  AC_CACHE_CHECK([what 64-bit atomics need], [interlock_cv_atomics], [
    interlock_cv_atomics=missing
    interlock_saved_LIBS=$LIBS
    for library in "" -latomic; do
      LIBS="$interlock_saved_LIBS $library"
      AC_LINK_IFELSE([AC_LANG_PROGRAM([[
        #include <atomic>
        #include <cstdint>
        std::atomic<std::uint64_t> word;]], [[return static_cast<int>(word.fetch_add(1));]])],
        [interlock_cv_atomics=${library:-nothing}; break])
    done
    LIBS=$interlock_saved_LIBS])
  AS_CASE([$interlock_cv_atomics],
    [missing], [AC_MSG_ERROR([$CXX has no 64-bit atomics for $host])],
    [nothing], [],
    [LIBS="$LIBS $interlock_cv_atomics"])
])

dnl How threads wait on a word. Sets interlock_wait.
AC_DEFUN([INTERLOCK_CHECK_WAIT], [
  AS_CASE([$host_os],
    [linux*], [interlock_wait=futex],
    [freebsd*|dragonfly*], [interlock_wait=umtx],
    [openbsd*], [interlock_wait=openbsd],
    [mingw*], [interlock_wait=waitonaddress],
    [interlock_wait=pthread])
  AC_ARG_WITH([wait], [AS_HELP_STRING([--with-wait=futex|umtx|openbsd|waitonaddress|pthread],
    [how threads wait: by the system call of Linux, FreeBSD, OpenBSD, Windows, or in plain POSIX
     @<:@default: by the host@:>@])], [interlock_wait=$withval])
  AS_CASE([$interlock_wait],
    [futex], [interlock_wait_header=linux/futex.h],
    [umtx], [interlock_wait_header=sys/umtx.h],
    [openbsd], [interlock_wait_header=sys/futex.h],
    [waitonaddress], [interlock_wait_header=synchapi.h],
    [pthread], [interlock_wait_header=pthread.h],
    [AC_MSG_ERROR([--with-wait=$interlock_wait: give futex, umtx, openbsd, waitonaddress or pthread])])
  AC_CHECK_HEADER([$interlock_wait_header], [],
    [AC_MSG_ERROR([--with-wait=$interlock_wait: $interlock_wait_header is missing: give --with-wait=pthread])],
    [[#include <sys/types.h>
      #ifdef _WIN32
      #include <windows.h>
      #endif]])
  AS_IF([test "$interlock_wait" = waitonaddress], [LIBS="-lsynchronization $LIBS"])
  AM_CONDITIONAL([WAIT_FUTEX], [test "$interlock_wait" = futex])
  AM_CONDITIONAL([WAIT_UMTX], [test "$interlock_wait" = umtx])
  AM_CONDITIONAL([WAIT_OPENBSD], [test "$interlock_wait" = openbsd])
  AM_CONDITIONAL([WAIT_ADDRESS], [test "$interlock_wait" = waitonaddress])
  AM_CONDITIONAL([WAIT_PTHREAD], [test "$interlock_wait" = pthread])
])

AC_DEFUN([INTERLOCK_CHECK_OPTIONS], [
  AC_ARG_ENABLE([asan], [AS_HELP_STRING([--enable-asan], [build with AddressSanitizer and UBSan])],
    [], [enable_asan=no])
  AC_ARG_ENABLE([tsan], [AS_HELP_STRING([--enable-tsan], [build with ThreadSanitizer])],
    [], [enable_tsan=no])
  AC_ARG_ENABLE([lock-checks], [AS_HELP_STRING([--enable-lock-checks],
    [check the order of locks at run time and abort on a breach])], [], [enable_lock_checks=no])
  AC_ARG_ENABLE([owner-tags], [AS_HELP_STRING([--enable-owner-tags],
    [tag all memory of CPython with its owner and abort when another touches it])], [], [enable_owner_tags=no])
  AS_IF([test "$enable_asan" = yes && test "$enable_tsan" = yes],
    [AC_MSG_ERROR([--enable-asan and --enable-tsan exclude each other])])
  SANITIZE_FLAGS=
  AS_IF([test "$enable_asan" = yes],
    [SANITIZE_FLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"])
  AS_IF([test "$enable_tsan" = yes], [SANITIZE_FLAGS="-fsanitize=thread -fno-omit-frame-pointer"])
  AC_SUBST([SANITIZE_FLAGS])
  dnl The asserts of CPython's headers cost more than the operations that they guard.
  AS_IF([test "$enable_asan$enable_tsan$enable_lock_checks" = nonono], [CPPFLAGS="$CPPFLAGS -DNDEBUG"])
  AM_CONDITIONAL([ASAN], [test "$enable_asan" = yes])
  AM_CONDITIONAL([TSAN], [test "$enable_tsan" = yes])
  # Criterion cannot allocate the memory that it shares with its tests under ThreadSanitizer.
  AS_IF([test "$enable_tsan" = yes], [interlock_criterion_version=])
  AM_CONDITIONAL([HAVE_CRITERION], [test -n "$interlock_criterion_version"])
  AM_CONDITIONAL([LINUX], [AS_CASE([$host_os], [linux*], [:], [false])])
  # ELF, and a dynamic linker that posix/linker.hpp tells of.
  AM_CONDITIONAL([PRIVATE_LIBRARIES], [AS_CASE([$host_os], [linux*|freebsd*|openbsd*], [:], [false])])
  AM_CONDITIONAL([MINGW], [AS_CASE([$host_os], [mingw*], [:], [false])])
  AC_ARG_VAR([TEST_EMULATOR], [what runs the tests' programs where this machine cannot, for example qemu-arm])
  AS_IF([test "$enable_lock_checks" = yes],
    [AC_DEFINE([INTERLOCK_LOCK_CHECKS], [1], [Define to check the order of locks at run time.])])
  AS_IF([test "$enable_owner_tags" = yes],
    [AC_DEFINE([INTERLOCK_OWNER_TAGS], [1], [Define to check at run time who owns memory of CPython.])])
  AM_CONDITIONAL([OWNER_TAGS], [test "$enable_owner_tags" = yes])
])
