// SPDX-License-Identifier: MIT
// Event loops of the C ABI. Nothing here touches Python.
#include "channel/loop.hpp"

#include <initializer_list>
#include <new>

#include "embed/error.hpp"
#include "embed/handles.hpp"
#include "interlock.h"

using namespace interlock;

namespace {

/// An operation that was started. Its value handle is made with it: its end cannot fail.
class Pending final : public Loop::Operation {
 public:
  Pending(interlock_callback_t callback, void *data) noexcept : callback_(callback), data_(data) {}
  [[nodiscard]] bool is_valid() const noexcept { return value_ != nullptr; }

  void complete(Code code) noexcept override {
    if (!message.empty()) value_->message = std::move(message);
    callback_(data_, report(code), value_->message.empty() ? nullptr : value_.release());
  }

 private:
  const interlock_callback_t callback_;
  void *const data_;
  std::unique_ptr<interlock_value> value_{new (std::nothrow) interlock_value};
};

struct Argument {
  const char *name;
  bool is_given;
};

int check(std::initializer_list<Argument> arguments) {
  for (const Argument &each : arguments) {
    if (!each.is_given) return report(Status(Code::kEINVAL, std::string(each.name) + " is null"));
  }
  return INTERLOCK_OK;
}

/// `message`: what to send; empty for a receive. Left as it was if the operation is not started.
int start(interlock_loop_t &loop, interlock_channel_t &channel, Message &message,
          interlock_callback_t callback, void *data, uint64_t *operation) {
  std::unique_ptr<Loop::Operation> started;
  {
    std::unique_ptr<Pending> pending(new (std::nothrow) Pending(callback, data));
    if (pending == nullptr || !pending->is_valid()) return report(Code::kENOMEM);
    started = std::move(pending);
  }
  const auto direction = message.empty() ? Channel::Direction::kReceive : Channel::Direction::kSend;
  started->message = std::move(message);
  std::uint64_t id = 0;
  const Status status = loop.loop->start(channel.channel, direction, started, id);
  if (!status.ok()) {
    message = std::move(started->message);
  } else if (operation != nullptr) {
    *operation = id;
  }
  return report(status);
}

}  // namespace

extern "C" {

int interlock_loop_create(interlock_loop_t **loop) {
  if (const int code = check({{"loop", loop != nullptr}}); code != INTERLOCK_OK) return code;
  *loop = nullptr;
  auto created = Loop::create();
  if (!created.ok()) return report(created.status());
  *loop = new (std::nothrow) interlock_loop{std::move(created.value())};
  return *loop != nullptr ? INTERLOCK_OK : report(Code::kENOMEM);
}

intptr_t interlock_loop_descriptor(const interlock_loop_t *loop) {
  return check({{"loop", loop != nullptr}}) == INTERLOCK_OK ? loop->loop->descriptor() : -1;
}

int interlock_loop_dispatch(interlock_loop_t *loop) {
  if (const int code = check({{"loop", loop != nullptr}}); code != INTERLOCK_OK) return code;
  const Ref<Loop> kept = loop->loop;  // a callback may release the handle
  return report(kept->dispatch());
}

int interlock_loop_recv(interlock_loop_t *loop, interlock_channel_t *channel,
                        interlock_callback_t callback, void *data, uint64_t *operation) {
  if (const int code = check({{"loop", loop != nullptr},
                              {"channel", channel != nullptr},
                              {"callback", callback != nullptr}});
      code != INTERLOCK_OK)
    return code;
  Message nothing;
  return start(*loop, *channel, nothing, callback, data, operation);
}

int interlock_loop_send_value(interlock_loop_t *loop, interlock_channel_t *channel,
                              interlock_value_t *value, interlock_callback_t callback, void *data,
                              uint64_t *operation) {
  if (const int code = check({{"loop", loop != nullptr},
                              {"channel", channel != nullptr},
                              {"value", value != nullptr},
                              {"callback", callback != nullptr}});
      code != INTERLOCK_OK)
    return code;
  if (value->message.empty()) return report(Status(Code::kEINVAL, "value was sent before"));
  return start(*loop, *channel, value->message, callback, data, operation);
}

int interlock_loop_cancel(interlock_loop_t *loop, uint64_t operation, interlock_value_t **value) {
  if (const int code = check({{"loop", loop != nullptr}}); code != INTERLOCK_OK) return code;
  std::unique_ptr<interlock_value> unsent;
  if (value != nullptr) {
    *value = nullptr;
    unsent.reset(new (std::nothrow) interlock_value);
    if (unsent == nullptr) return report(Code::kENOMEM);
  }
  Message message;
  const Status status = loop->loop->cancel(operation, message);
  if (value != nullptr && !message.empty()) {
    unsent->message = std::move(message);
    *value = unsent.release();
  }
  return report(status);
}

int interlock_loop_release(interlock_loop_t *loop) {
  if (loop == nullptr) return INTERLOCK_OK;
  const Ref<Loop> kept = loop->loop;
  const int code = report(kept->end());
  if (code == INTERLOCK_OK) delete loop;
  return code;
}

}  // extern "C"
