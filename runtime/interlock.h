/* SPDX-License-Identifier: MIT
 * The C ABI of Interlock: Python interpreters with their own locks inside a C program, and channels
 * between them and the program's own threads.
 *
 * Functions return INTERLOCK_OK or a negative code; interlock_error_message() then says more, with the
 * Python traceback where there is one. Unless a comment says otherwise, every function may be called
 * from any thread, also one that Python has never seen, and none needs a Python lock held.
 * Timeouts are seconds; INTERLOCK_FOREVER, or any negative number, waits without end; 0 does not wait.
 */
#ifndef INTERLOCK_H
#define INTERLOCK_H

#include <stddef.h>
#include <stdint.h>

/* How its functions leave the library; a build for a system without this attribute defines another. */
#ifndef INTERLOCK_API
#define INTERLOCK_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define INTERLOCK_FOREVER (-1.0)

enum {
  INTERLOCK_OK = 0,
  INTERLOCK_EINVAL = -1,        /* invalid argument */
  INTERLOCK_ENOMEM = -2,        /* out of memory */
  INTERLOCK_ETIMEDOUT = -3,     /* timed out */
  INTERLOCK_ECLOSED = -4,       /* closed, and empty for a receiver */
  INTERLOCK_EFULL = -5,         /* full: a send with timeout 0 */
  INTERLOCK_EEMPTY = -6,        /* empty: a receive with timeout 0 */
  INTERLOCK_EINTERRUPTED = -7,  /* a signal came; nothing was sent or taken */
  INTERLOCK_EREFUSED = -8,      /* the object cannot leave its interpreter */
  INTERLOCK_EPYTHON = -9,       /* a Python exception was raised */
  INTERLOCK_EENDED = -10,       /* the interpreter has ended */
  INTERLOCK_ETYPE = -11,        /* the value has another type, or does not fit */
  INTERLOCK_ESTATE = -12,       /* not possible in this state */
  INTERLOCK_ESYSTEM = -13,      /* the operating system refused */
  INTERLOCK_ECANCELLED = -14,   /* cancelled */
  INTERLOCK_EBROKEN = -15       /* the barrier is broken */
};

typedef struct interlock_interpreter interlock_interpreter_t;
typedef struct interlock_channel interlock_channel_t;
typedef struct interlock_value interlock_value_t;
typedef struct interlock_loop interlock_loop_t;

/* The fixed sentence for a code. Never null. */
INTERLOCK_API const char *interlock_code_meaning(int code);
/* What went wrong in the last call of the calling thread that failed. Never null; valid until the
 * thread's next call of this library. */
INTERLOCK_API const char *interlock_error_message(void);
/* "0.1.0" */
INTERLOCK_API const char *interlock_version(void);

/* ---- The runtime: once in a process. ---- */

/* Starts Python with the runtime inside. argv becomes sys.argv and may be null with argc 0. Signals are
 * left to the program. The calling thread becomes Python's main thread; it holds no lock afterwards.
 * Errors: ESTATE if Python or the runtime has been started before; EPYTHON. */
INTERLOCK_API int interlock_runtime_start(int argc, char *const *argv);
/* Ends every interpreter (each may finish what it has for timeout seconds, then it is interrupted, then
 * abandoned), then Python. Channels live on. For the thread that started the runtime.
 * Errors: ESTATE. */
INTERLOCK_API int interlock_runtime_end(double timeout);

/* ---- Interpreters ---- */

/* name: null for a name of the runtime's. Owns: *interpreter is released with
 * interlock_interpreter_close(). Blocks until the interpreter is ready.
 * Errors: ESTATE, EPYTHON. */
INTERLOCK_API int interlock_interpreter_create(const char *name,
                                               interlock_interpreter_t **interpreter);
/* Runs UTF-8 source text in __main__ of the interpreter and waits for its end.
 * Errors: EPYTHON if it raised, EENDED. */
INTERLOCK_API int interlock_interpreter_run(interlock_interpreter_t *interpreter, const char *source);
/* Makes the channel known in __main__ as `name`. Errors: EINVAL if that is no identifier, EENDED. */
INTERLOCK_API int interlock_interpreter_give_channel(interlock_interpreter_t *interpreter,
                                                     const char *name,
                                                     interlock_channel_t *channel);
/* Raises KeyboardInterrupt in what the interpreter is running, if anything. */
INTERLOCK_API int interlock_interpreter_interrupt(interlock_interpreter_t *interpreter);
/* Lets it finish for timeout seconds, then interrupts it, then abandons it; releases the handle in any
 * case. Errors: ETIMEDOUT if it was abandoned. */
INTERLOCK_API int interlock_interpreter_close(interlock_interpreter_t *interpreter, double timeout);

/* ---- Channels: many senders, many receivers, first in first out. ---- */

#define INTERLOCK_UNBOUNDED SIZE_MAX
/* capacity: how many values may wait for a receiver; 0 for a rendezvous, where a send returns when its
 * value was taken; or INTERLOCK_UNBOUNDED. Needs no runtime.
 * Owns: *channel is released with interlock_channel_release(). Errors: EINVAL (too large), ENOMEM. */
INTERLOCK_API int interlock_channel_create(size_t capacity, interlock_channel_t **channel);
/* Gives up this handle; the channel lives while interpreters or other handles have it. Null is allowed. */
INTERLOCK_API void interlock_channel_release(interlock_channel_t *channel);
/* Refuses further sends, lets receivers drain it. */
INTERLOCK_API int interlock_channel_close(interlock_channel_t *channel);

/* Blocks until there is room. Errors: ETIMEDOUT, EFULL (timeout 0), ECLOSED, EINTERRUPTED. */
INTERLOCK_API int interlock_channel_send_none(interlock_channel_t *channel, double timeout);
INTERLOCK_API int interlock_channel_send_bool(interlock_channel_t *channel, int value, double timeout);
INTERLOCK_API int interlock_channel_send_int64(interlock_channel_t *channel, int64_t value,
                                               double timeout);
INTERLOCK_API int interlock_channel_send_double(interlock_channel_t *channel, double value,
                                                double timeout);
/* text: size bytes of UTF-8, arrives as str. Errors: also EINVAL if it is not UTF-8. */
INTERLOCK_API int interlock_channel_send_string(interlock_channel_t *channel, const char *text,
                                                size_t size, double timeout);
INTERLOCK_API int interlock_channel_send_bytes(interlock_channel_t *channel, const void *data,
                                               size_t size, double timeout);
/* Blocks until there is something. Owns: *value is released with interlock_value_release().
 * Errors: ETIMEDOUT, EEMPTY (timeout 0), ECLOSED, EINTERRUPTED. */
INTERLOCK_API int interlock_channel_recv(interlock_channel_t *channel, interlock_value_t **value,
                                         double timeout);

/* ---- Values ---- */

typedef enum {
  INTERLOCK_TYPE_NONE,
  INTERLOCK_TYPE_BOOL,
  INTERLOCK_TYPE_INT,
  INTERLOCK_TYPE_DOUBLE,
  INTERLOCK_TYPE_STRING,
  INTERLOCK_TYPE_BYTES,
  INTERLOCK_TYPE_OTHER /* a Python object of any other type: pass it on, or drop it */
} interlock_type_t;

/* A value of the program's own, as the sends above make it. Owns: *value is released with
 * interlock_value_release(). Errors: ENOMEM; EINVAL if text is not UTF-8. */
INTERLOCK_API int interlock_value_from_none(interlock_value_t **value);
INTERLOCK_API int interlock_value_from_bool(int truth, interlock_value_t **value);
INTERLOCK_API int interlock_value_from_int64(int64_t number, interlock_value_t **value);
INTERLOCK_API int interlock_value_from_double(double number, interlock_value_t **value);
INTERLOCK_API int interlock_value_from_string(const char *text, size_t size,
                                              interlock_value_t **value);
INTERLOCK_API int interlock_value_from_bytes(const void *data, size_t size,
                                             interlock_value_t **value);
INTERLOCK_API interlock_type_t interlock_value_type(const interlock_value_t *value);
/* Errors: ETYPE if the value is of another type, or an int that does not fit in 64 bits. */
INTERLOCK_API int interlock_value_as_bool(const interlock_value_t *value, int *result);
INTERLOCK_API int interlock_value_as_int64(const interlock_value_t *value, int64_t *result);
INTERLOCK_API int interlock_value_as_double(const interlock_value_t *value, double *result);
/* *text ends with a null byte that *size does not count; both live as long as the value.
 * Errors: ETYPE, also for a str with lone surrogates. */
INTERLOCK_API int interlock_value_as_string(interlock_value_t *value, const char **text, size_t *size);
INTERLOCK_API int interlock_value_as_bytes(const interlock_value_t *value, const void **data,
                                           size_t *size);
/* Sends a received value of any type on; it is empty afterwards and is still to be released.
 * Errors: as for the other sends; the value then stays as it was. */
INTERLOCK_API int interlock_channel_send_value(interlock_channel_t *channel, interlock_value_t *value,
                                               double timeout);
/* Null is allowed. */
INTERLOCK_API void interlock_value_release(interlock_value_t *value);

/* ---- Event loops: channels for a thread that waits in a loop of its own (libuv, GLib, Qt, epoll). ----
 * The program's loop waits for the descriptor to become readable, beside all else that it waits for, and
 * then calls interlock_loop_dispatch(), which calls the callbacks of what has completed. No thread is
 * started, nothing polls, no callback is called from anywhere else. Needs no runtime.
 * Thread: one at a time is in the functions of a loop, callbacks included; another one that meets it there
 * gets ESTATE, and nothing has happened. ESTATE also for a loop from before a fork. */

/* Owns: *loop is released with interlock_loop_release(). Errors: ESYSTEM. */
INTERLOCK_API int interlock_loop_create(interlock_loop_t **loop);
/* What to wait for, for reading, level- or edge-triggered; on Windows a SOCKET. It rings once for any number
 * of operations, until the next dispatch. It stays the loop's: only wait for it. -1 if loop is null. */
INTERLOCK_API intptr_t interlock_loop_descriptor(const interlock_loop_t *loop);
/* Completes the operations that are possible now and calls their callbacks; those that callbacks start
 * are for the next call, which the bell asks for if they are possible. May be called at any time, also
 * from a callback (a nested loop). Blocks: for a millisecond at most, and only if another thread stopped
 * in the middle of a channel's cell; otherwise never. */
INTERLOCK_API int interlock_loop_dispatch(interlock_loop_t *loop);
/* Cancels what is pending, without callbacks; what was to be sent is dropped. Stop waiting for the
 * descriptor before. Allowed in a callback: it is the last one, also of that dispatch. Thread: any, once
 * no other is in the loop. Null is allowed. Errors: ESTATE; then the loop is as it was. */
INTERLOCK_API int interlock_loop_release(interlock_loop_t *loop);

/* How an operation ended: OK, ECLOSED, or for a send EFULL (the channel refuses instead of waiting); for
 * these interlock_error_message() has the sentence.
 * value: what was received, or what could not be sent; else null.
 * Owns: value is now the callback's, to be released with interlock_value_release().
 * Thread: that which dispatches. May call every function, also start and cancel operations; must return. */
typedef void (*interlock_callback_t)(void *data, int code, interlock_value_t *value);
/* Each of the two starts an operation, never blocks and never calls the callback itself: that is called
 * exactly once, unless the operation is cancelled. Nothing is received before the callback is called, so
 * nothing gets lost with an operation. Operations of a loop on the same channel in the same direction
 * complete in the order in which they were started.
 * operation: null, or where to put the operation's number for interlock_loop_cancel(): not 0, and never
 * that of another operation of this loop. The handle of the channel may be released meanwhile.
 * Errors: EINVAL (null, or the value was sent before), ENOMEM. */
INTERLOCK_API int interlock_loop_recv(interlock_loop_t *loop, interlock_channel_t *channel,
                                      interlock_callback_t callback, void *data,
                                      uint64_t *operation);
/* Takes what the value holds, which is empty afterwards and is still to be released; left as it was on
 * an error. */
INTERLOCK_API int interlock_loop_send_value(interlock_loop_t *loop, interlock_channel_t *channel,
                                            interlock_value_t *value,
                                            interlock_callback_t callback, void *data,
                                            uint64_t *operation);
/* Gives a pending operation up: its callback will not be called, and what it waited for is there for
 * others. value: null, or where to put what was to be sent (null for a receive), to be released with
 * interlock_value_release().
 * Errors: EINVAL if its callback has been called or is running, or if the other side of a rendezvous has
 * received the value and the callback is still to come. */
INTERLOCK_API int interlock_loop_cancel(interlock_loop_t *loop, uint64_t operation,
                                        interlock_value_t **value);

/* ---- PEP 788, for CPython 3.13 and 3.14: as CPython 3.15 has it. For who has included Python.h. ---- */

#if defined(PY_VERSION_HEX) && PY_VERSION_HEX < 0x030f0000

/* While there is a guard its interpreter waits with its end. A view does not keep it from that. */
typedef struct PyInterpreterGuard PyInterpreterGuard;
typedef struct PyInterpreterView PyInterpreterView;
typedef void PyThreadStateToken;

/* Thread: attached. Null with a Python exception set: MemoryError; PythonFinalizationError once the end has
 * begun. */
INTERLOCK_API PyInterpreterGuard *PyInterpreterGuard_FromCurrent(void);
/* Null without an exception: no memory, or the end has begun. */
INTERLOCK_API PyInterpreterGuard *PyInterpreterGuard_FromView(PyInterpreterView *view);
INTERLOCK_API void PyInterpreterGuard_Close(PyInterpreterGuard *guard);

/* Thread: attached. Null with MemoryError set. */
INTERLOCK_API PyInterpreterView *PyInterpreterView_FromCurrent(void);
/* Null without an exception: no memory. */
INTERLOCK_API PyInterpreterView *PyInterpreterView_FromMain(void);
INTERLOCK_API void PyInterpreterView_Close(PyInterpreterView *view);

/* Attaches the thread to the guard's interpreter, which must stay guarded until the release; a thread that is
 * attached to another one leaves that meanwhile. Null without an exception for want of memory. */
INTERLOCK_API PyThreadStateToken *PyThreadState_Ensure(PyInterpreterGuard *guard);
/* The same, and guards the interpreter. Null without an exception: no memory, or the end has begun. */
INTERLOCK_API PyThreadStateToken *PyThreadState_EnsureFromView(PyInterpreterView *view);
/* Goes back to where the thread was. Calls are nested: the last first. */
INTERLOCK_API void PyThreadState_Release(PyThreadStateToken *token);

#endif

#ifdef __cplusplus
}
#endif

#endif
