// SPDX-License-Identifier: MIT
// RAII over interlock.h, header only. Every failure is an interlock::Error.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "interlock.h"

namespace interlock {
inline namespace api {

class Error : public std::runtime_error {
 public:
  explicit Error(int code) : std::runtime_error(interlock_error_message()), code_(code) {}
  /// One of INTERLOCK_E...
  [[nodiscard]] int code() const noexcept { return code_; }

 private:
  int code_;
};

namespace detail {
inline void check(int code) {
  if (code != INTERLOCK_OK) throw Error(code);
}
template <auto release>
struct Release {
  template <typename T>
  void operator()(T *handle) const noexcept {
    release(handle);
  }
};
}  // namespace detail

/// How long to wait: Timeout() is for ever.
class Timeout {
 public:
  Timeout() noexcept = default;
  template <typename Rep, typename Period>
  Timeout(
      std::chrono::duration<Rep, Period> length) noexcept  // NOLINT: durations convert on purpose
      : seconds_(std::chrono::duration<double>(length).count()) {
    if (seconds_ < 0) seconds_ = 0;
  }
  [[nodiscard]] double seconds() const noexcept { return seconds_; }

 private:
  double seconds_ = INTERLOCK_FOREVER;
};

/// Python with the runtime inside, for the life of the object. One in a process, on one thread.
class Runtime {
 public:
  [[nodiscard]] explicit Runtime(int argc = 0, char *const *argv = nullptr) {
    detail::check(interlock_runtime_start(argc, argv));
  }
  ~Runtime() { interlock_runtime_end(INTERLOCK_FOREVER); }
  Runtime(const Runtime &) = delete;
  Runtime &operator=(const Runtime &) = delete;
};

/// A value that came out of a channel, or is to go into one.
class Value {
 public:
  explicit Value(interlock_value_t *owned) noexcept : value_(owned) {}
  [[nodiscard]] static Value from(std::nullptr_t) { return make<interlock_value_from_none>(); }
  [[nodiscard]] static Value from(bool truth) { return make<interlock_value_from_bool>(truth); }
  [[nodiscard]] static Value from(std::int64_t number) {
    return make<interlock_value_from_int64>(number);
  }
  [[nodiscard]] static Value from(int number) { return from(std::int64_t{number}); }
  [[nodiscard]] static Value from(double number) {
    return make<interlock_value_from_double>(number);
  }
  /// UTF-8; arrives as str.
  [[nodiscard]] static Value from(std::string_view text) {
    return make<interlock_value_from_string>(text.data(), text.size());
  }
  [[nodiscard]] static Value from(const char *text) { return from(std::string_view(text)); }
  [[nodiscard]] static Value from_bytes(std::string_view data) {
    return make<interlock_value_from_bytes>(data.data(), data.size());
  }

  [[nodiscard]] interlock_type_t type() const noexcept {
    return interlock_value_type(value_.get());
  }
  [[nodiscard]] bool as_bool() const {
    int result = 0;
    detail::check(interlock_value_as_bool(value_.get(), &result));
    return result != 0;
  }
  [[nodiscard]] std::int64_t as_int64() const {
    std::int64_t result = 0;
    detail::check(interlock_value_as_int64(value_.get(), &result));
    return result;
  }
  [[nodiscard]] double as_double() const {
    double result = 0;
    detail::check(interlock_value_as_double(value_.get(), &result));
    return result;
  }
  [[nodiscard]] std::string as_string() const {
    const char *text = nullptr;
    std::size_t size = 0;
    detail::check(interlock_value_as_string(value_.get(), &text, &size));
    return {text, size};
  }
  /// Lives as long as the value.
  [[nodiscard]] std::string_view as_bytes() const {
    const void *data = nullptr;
    std::size_t size = 0;
    detail::check(interlock_value_as_bytes(value_.get(), &data, &size));
    return {static_cast<const char *>(data), size};
  }
  [[nodiscard]] interlock_value_t *get() const noexcept { return value_.get(); }

 private:
  template <auto create, typename... Arguments>
  static Value make(Arguments... arguments) {
    interlock_value_t *value = nullptr;
    detail::check(create(arguments..., &value));
    return Value(value);
  }

  std::unique_ptr<interlock_value_t, detail::Release<interlock_value_release>> value_;
};

/// Thread: any thread may use the same Channel.
class Channel {
 public:
  explicit Channel(std::size_t capacity = 1) {
    interlock_channel_t *channel = nullptr;
    detail::check(interlock_channel_create(capacity, &channel));
    channel_.reset(channel);
  }
  void send(std::nullptr_t, Timeout timeout = {}) {
    detail::check(interlock_channel_send_none(get(), timeout.seconds()));
  }
  void send(bool value, Timeout timeout = {}) {
    detail::check(interlock_channel_send_bool(get(), value, timeout.seconds()));
  }
  void send(std::int64_t value, Timeout timeout = {}) {
    detail::check(interlock_channel_send_int64(get(), value, timeout.seconds()));
  }
  void send(int value, Timeout timeout = {}) { send(std::int64_t{value}, timeout); }
  void send(double value, Timeout timeout = {}) {
    detail::check(interlock_channel_send_double(get(), value, timeout.seconds()));
  }
  /// UTF-8; arrives as str.
  void send(std::string_view text, Timeout timeout = {}) {
    detail::check(
        interlock_channel_send_string(get(), text.data(), text.size(), timeout.seconds()));
  }
  void send(const char *text, Timeout timeout = {}) { send(std::string_view(text), timeout); }
  void send_bytes(std::string_view data, Timeout timeout = {}) {
    detail::check(interlock_channel_send_bytes(get(), data.data(), data.size(), timeout.seconds()));
  }
  void send(Value value, Timeout timeout = {}) {
    detail::check(interlock_channel_send_value(get(), value.get(), timeout.seconds()));
  }
  [[nodiscard]] Value recv(Timeout timeout = {}) {
    interlock_value_t *value = nullptr;
    detail::check(interlock_channel_recv(get(), &value, timeout.seconds()));
    return Value(value);
  }
  /// Nothing once the channel is closed and empty.
  [[nodiscard]] std::optional<Value> next() {
    interlock_value_t *value = nullptr;
    const int code = interlock_channel_recv(get(), &value, INTERLOCK_FOREVER);
    if (code == INTERLOCK_ECLOSED) return std::nullopt;
    detail::check(code);
    return Value(value);
  }
  void close() { detail::check(interlock_channel_close(get())); }
  [[nodiscard]] interlock_channel_t *get() const noexcept { return channel_.get(); }

 private:
  std::unique_ptr<interlock_channel_t, detail::Release<interlock_channel_release>> channel_;
};

/// An interpreter with its own lock, on its own thread; its destructor lets it finish, then ends
/// it.
class Interpreter {
 public:
  explicit Interpreter(const char *name = nullptr) {
    detail::check(interlock_interpreter_create(name, &interpreter_));
  }
  ~Interpreter() {
    if (interpreter_ != nullptr) interlock_interpreter_close(interpreter_, INTERLOCK_FOREVER);
  }
  Interpreter(Interpreter &&other) noexcept
      : interpreter_(std::exchange(other.interpreter_, nullptr)) {}
  Interpreter &operator=(Interpreter &&) = delete;

  /// Runs source text in __main__ and waits for its end.
  void run(const std::string &source) {
    detail::check(interlock_interpreter_run(interpreter_, source.c_str()));
  }
  void give(const std::string &name, const Channel &channel) {
    detail::check(interlock_interpreter_give_channel(interpreter_, name.c_str(), channel.get()));
  }
  void interrupt() { detail::check(interlock_interpreter_interrupt(interpreter_)); }
  void close(Timeout timeout = {}) {
    detail::check(
        interlock_interpreter_close(std::exchange(interpreter_, nullptr), timeout.seconds()));
  }

 private:
  interlock_interpreter_t *interpreter_ = nullptr;
};

/// Channels for a thread that waits in an event loop of its own: interlock.h says how they meet.
/// Thread: one at a time; the destructor's too.
class Loop {
 public:
  /// code: INTERLOCK_OK, ECLOSED or EFULL; value: what was received, or could not be sent.
  using Callback = std::function<void(int code, std::optional<Value> value)>;
  using Operation = std::uint64_t;

  Loop() : state_(std::make_shared<State>()) {
    interlock_loop_t *loop = nullptr;
    detail::check(interlock_loop_create(&loop));
    loop_.reset(loop);
  }
  /// What to wait for, for reading.
  [[nodiscard]] std::intptr_t descriptor() const noexcept {
    return interlock_loop_descriptor(loop_.get());
  }
  /// Once the descriptor is readable: runs callbacks. If some of them threw, the first exception
  /// comes out of here after the others have run. A callback may destroy the Loop.
  void dispatch() {
    const std::shared_ptr<State> state = state_;
    detail::check(interlock_loop_dispatch(loop_.get()));
    if (state->error) std::rethrow_exception(std::exchange(state->error, nullptr));
  }
  /// Never runs the callback itself: dispatch() does.
  Operation recv(const Channel &channel, Callback callback) {
    return start(std::move(callback), [&](Pending *pending, Operation *operation) {
      return interlock_loop_recv(loop_.get(), channel.get(), complete, pending, operation);
    });
  }
  Operation send(const Channel &channel, Value value, Callback callback) {
    return start(std::move(callback), [&](Pending *pending, Operation *operation) {
      return interlock_loop_send_value(loop_.get(), channel.get(), value.get(), complete, pending,
                                       operation);
    });
  }
  /// False if its callback has run or is running, or if the other side has received the value; else
  /// the callback will not run. `unsent`: null, or where to put what was to be sent.
  bool cancel(Operation operation, std::optional<Value> *unsent = nullptr) {
    interlock_value_t *value = nullptr;
    const int code =
        interlock_loop_cancel(loop_.get(), operation, unsent != nullptr ? &value : nullptr);
    if (code == INTERLOCK_EINVAL) return false;
    detail::check(code);
    if (value != nullptr) unsent->emplace(value);
    state_->pending.erase(operation);
    return true;
  }

 private:
  struct Pending;
  /// Outlives the loop while a callback runs.
  struct State : std::enable_shared_from_this<State> {
    std::unordered_map<Operation, std::unique_ptr<Pending>> pending;
    std::exception_ptr error;
  };
  struct Pending {
    State &state;
    Callback callback;
    Operation operation = 0;
  };

  template <typename Start>
  Operation start(Callback callback, Start start_it) {
    auto pending = std::unique_ptr<Pending>(new Pending{*state_, std::move(callback)});
    detail::check(start_it(pending.get(), &pending->operation));
    const Operation operation = pending->operation;
    state_->pending.emplace(operation, std::move(pending));
    return operation;
  }
  static void complete(void *data, int code, interlock_value_t *value) noexcept {
    const auto &pending = *static_cast<Pending *>(data);
    const std::shared_ptr<State> state = pending.state.shared_from_this();
    const auto kept = state->pending.extract(pending.operation);
    std::optional<Value> given;
    if (value != nullptr) given.emplace(value);
    try {
      pending.callback(code, std::move(given));
    } catch (...) {
      if (!state->error) state->error = std::current_exception();
    }
  }

  std::shared_ptr<State> state_;
  std::unique_ptr<interlock_loop_t, detail::Release<interlock_loop_release>> loop_;
};

}  // namespace api
}  // namespace interlock
