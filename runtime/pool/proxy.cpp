// SPDX-License-Identifier: MIT
#include "pool/proxy.hpp"

#include "interpreter/end.hpp"
#include "pool/worker.hpp"
#include "transfer/move.hpp"
#include "transfer/transfer.hpp"

namespace interlock {
namespace {

/// Sends a home thread to the inbox of its interpreter. The call may be done by then: a home thread
/// that waits for somebody serves as well.
class ServeInbox final : public Work {
 public:
  explicit ServeInbox(Ref<ProxyServer> server) : server_(std::move(server)) {}
  void run() override;
  void fail(const Status &) override { server_->end(); }
  bool cancel() override { return false; }

 private:
  const Ref<ProxyServer> server_;
};

void ServeInbox::run() {
  Message number;
  const PyRef module = PyRef::steal(PyImport_ImportModule("interlock._proxy_server"));
  const PyRef owner = module ? PyRef::steal(PyObject_GetAttrString(module.get(), "home")) : PyRef();
  if (owner && server_->inbox().try_recv(number).ok())
    (void)serve_number(*server_, *number.as_int64(), owner.get());
  if (PyErr_Occurred()) PyErr_WriteUnraisable(nullptr);
  flush_standard_streams();
}

}  // namespace

PyRef ProxyCall::start() {
  const Message call = begin();
  if (call.empty()) return {};
  PyRef parts = PyRef::steal(decode(call));
  if (!parts) raised();
  return parts;
}

void ProxyCall::raised() { finish(false, encode_raised()); }

void ProxyCall::returned(PyRef result, PyObject *owner) {
  Message outcome;
  if (give_away(result, "result", outcome).ok()) return finish(true, std::move(outcome));
  const TransferState *const state = transfer_state();
  if (state == nullptr || !PyErr_ExceptionMatches(state->transfer_error)) return raised();
  PyErr_Clear();
  const PyRef proxy = PyRef::steal(PyObject_CallMethod(owner, "stand_in", "(O)", result.get()));
  if (!proxy || !encode(proxy.get(), "result", outcome).ok()) return raised();
  finish(true, std::move(outcome));
}

Status ProxyServer::why_ended() const { return Status(Code::kEENDED, owner_ + " has ended"); }

bool ProxyServer::has_ended() const {
  MutexGuard guard(mutex_);
  return ended_;
}

Status ProxyServer::submit(Ref<ProxyCall> call) {
  std::int64_t number = 0;
  {
    MutexGuard guard(mutex_);
    if (ended_) return why_ended();
    number = ++last_call_;
    calls_.emplace(number, std::move(call));
  }
  post(number);  // if it ends meanwhile, the call has failed
  return {};
}

void ProxyServer::drop(std::int64_t key) {
  if (!has_ended()) post(-key);
}

void ProxyServer::post(std::int64_t number) {
  Message message = Message::from_int64(number);
  (void)inbox_->try_send(message);  // closed: end() has been called
  if (!home_) return;
  auto &worker = static_cast<Worker &>(home_->service());
  const auto work = make_ref<ServeInbox>(Ref<ProxyServer>(this));
  if (!worker.queue().push(work, &worker).ok()) end();
}

Ref<ProxyCall> ProxyServer::call(std::int64_t number) {
  MutexGuard guard(mutex_);
  const auto found = calls_.find(number);
  return found != calls_.end() ? found->second : Ref<ProxyCall>();
}

void ProxyServer::forget(std::int64_t number) {
  Ref<ProxyCall> dropped;  // its end comes after the lock's
  MutexGuard guard(mutex_);
  const auto found = calls_.find(number);
  if (found == calls_.end()) return;
  dropped = std::move(found->second);
  calls_.erase(found);
}

void ProxyServer::end() {
  std::unordered_map<std::int64_t, Ref<ProxyCall>> failed;
  {
    MutexGuard guard(mutex_);
    ended_ = true;
    failed.swap(calls_);
  }
  inbox_->cancel();
  for (const auto &[number, call] : failed) call->fail(why_ended());
}

namespace {

void drop_object(std::int64_t key, PyObject *owner) {
  const PyRef done =
      PyRef::steal(PyObject_CallMethod(owner, "drop", "L", static_cast<long long>(key)));
  if (!done) PyErr_WriteUnraisable(owner);
}

}  // namespace

PyRef serve_number(ProxyServer &server, std::int64_t number, PyObject *owner) {
  if (number < 0) {
    drop_object(-number, owner);
    return PyRef::borrow(Py_None);
  }
  const Ref<ProxyCall> call = server.call(number);
  const PyRef parts = call ? call->start() : PyRef();
  if (!parts) {
    server.forget(number);
    return PyRef::borrow(Py_None);
  }
  PyRef result = PyRef::steal(
      PyObject_CallMethod(owner, "perform", "OOO", PyTuple_GET_ITEM(parts.get(), 0),
                          PyTuple_GET_ITEM(parts.get(), 1), PyTuple_GET_ITEM(parts.get(), 2)));
  if (result && PyCoro_CheckExact(result.get())) return result;
  if (result) {
    call->returned(std::move(result), owner);
  } else {
    call->raised();
  }
  server.forget(number);
  return PyRef::borrow(Py_None);
}

}  // namespace interlock
