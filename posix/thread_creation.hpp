// SPDX-License-Identifier: MIT
// Creating threads: with what they inherit, and without.
#pragma once

#include <pthread.h>

namespace interlock {

/// As pthread_create(); the thread inherits what platform/thread_heritage.hpp says.
int create_heir(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
                void *argument) noexcept;
/// The C library's pthread_create(): for threads of the runtime, which belong to nobody.
int create_plain_thread(pthread_t *thread, const pthread_attr_t *attributes,
                        void *(*function)(void *), void *argument) noexcept;

}  // namespace interlock
