// SPDX-License-Identifier: MIT
// Objects that other interpreters use without having them. A ProxyServer stands for where the calls
// of an owner are run: an interpreter's home thread, a thread of its own, or an event loop. What
// there is to do comes as numbers through its inbox: calls, and, negative, objects that no proxy
// stands for any more. lib/interlock/_proxy_server.py has the objects.
// Lock: mutex_ (kPool) guards calls_ and ended_.
#pragma once

#include <string>
#include <unordered_map>

#include "interpreter/interpreter.hpp"
#include "pool/call_task.hpp"

namespace interlock {

/// A call by proxy: carries ((operation, key of the object), arguments, keyword arguments).
class ProxyCall final : public CallTask {
 public:
  using CallTask::CallTask;
  /// What it carries; null if there is nothing (more) to do.  Thread: the server's, attached.
  [[nodiscard]] PyRef start();
  /// Its result. What cannot cross does so as `owner.stand_in(result)`. Thread: as start().
  void returned(PyRef result, PyObject *owner);
  /// The Python exception that is set is the outcome; it is no longer set. Thread: as start().
  void raised();
};

class ProxyServer final : public RefCounted {
 public:
  /// `home`: whose home thread serves; null if another thread does, which waits for the inbox.
  /// `owner`: names the interpreter in errors.
  ProxyServer(std::int64_t number, Ref<Channel> inbox, Ref<Interpreter> home,
              std::int64_t interpreter, std::string owner)
      : number_(number),
        inbox_(std::move(inbox)),
        home_(std::move(home)),
        interpreter_(interpreter),
        owner_(std::move(owner)) {}

  /// Thread: any.  Blocks: never.  Errors: kEENDED.
  [[nodiscard]] Status submit(Ref<ProxyCall> call);
  /// No proxy stands for the object `key` any more. Thread: any.
  void drop(std::int64_t key);
  /// The call of that number, or null. It stays known until forget(). Thread: any.
  [[nodiscard]] Ref<ProxyCall> call(std::int64_t number);
  void forget(std::int64_t number);
  /// Nothing is served any more: fails every call that has not ended. Idempotent. Thread: any.
  void end();

  [[nodiscard]] std::int64_t number() const noexcept { return number_; }
  [[nodiscard]] Channel &inbox() const noexcept { return *inbox_; }
  [[nodiscard]] std::int64_t interpreter() const noexcept { return interpreter_; }
  [[nodiscard]] const std::string &owner() const noexcept { return owner_; }
  [[nodiscard]] bool has_ended() const;
  [[nodiscard]] bool has_home() const noexcept { return static_cast<bool>(home_); }

 private:
  void post(std::int64_t number);
  [[nodiscard]] Status why_ended() const;

  const std::int64_t number_;  // unique in the process
  const Ref<Channel> inbox_;
  const Ref<Interpreter> home_;
  const std::int64_t interpreter_;
  const std::string owner_;
  mutable Mutex mutex_{LockRank::kPool};
  std::unordered_map<std::int64_t, Ref<ProxyCall>> calls_;
  std::int64_t last_call_ = 0;
  bool ended_ = false;
};

/// What every handle of one proxy stands for. The last one gone, the owner drops the object.
class ProxyTarget final : public Shared {
 public:
  /// `description`: what the handles know of the object.
  ProxyTarget(Ref<ProxyServer> server, std::int64_t key, Message description)
      : server_(std::move(server)), key_(key), description_(std::move(description)) {}

  [[nodiscard]] Kind kind() const noexcept override { return Kind::kProxy; }
  [[nodiscard]] ProxyServer &server() const noexcept { return *server_; }
  [[nodiscard]] std::int64_t key() const noexcept { return key_; }
  [[nodiscard]] const Message &description() const noexcept { return description_; }

 private:
  ~ProxyTarget() override { server_->drop(key_); }

  const Ref<ProxyServer> server_;
  const std::int64_t key_;
  const Message description_;
};

/// Does what `number` from the inbox stands for, with `owner.perform()` or `owner.drop()`. A
/// coroutine that a call gave is returned: its outcome is still due. Else None; null with a Python
/// exception only for want of memory, or if calls are nested too deeply.
/// Thread: the server's, attached.
[[nodiscard]] PyRef serve_number(ProxyServer &server, std::int64_t number, PyObject *owner);

}  // namespace interlock
