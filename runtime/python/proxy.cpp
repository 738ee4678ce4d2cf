// SPDX-License-Identifier: MIT
// Proxy, ProxyServer and ProxyCall of `_interlock`, on which interlock._proxy and
// interlock._proxy_server are written.
#include "python/proxy.hpp"

#include "channel/select.hpp"
#include "interpreter/registry.hpp"
#include "pool/proxy.hpp"
#include "python/arguments.hpp"
#include "python/blocking.hpp"
#include "python/channel.hpp"
#include "python/holder.hpp"
#include "python/task.hpp"

namespace interlock {
namespace {

struct ProxyObject {
  HandleObject base;
  PyObject *description;  // null until it was asked for
};

ProxyTarget &target_of(PyObject *self) {
  return static_cast<ProxyTarget &>(*reinterpret_cast<HandleObject *>(self)->shared);
}

ProxyServer &server_of(PyObject *self) { return Holder<ProxyServer>::of(self); }

void dealloc_proxy(PyObject *self) {
  PyTypeObject *const type = Py_TYPE(self);
  Py_XDECREF(reinterpret_cast<ProxyObject *>(self)->description);
  if (Shared *const shared = reinterpret_cast<HandleObject *>(self)->shared) shared->release();
  type->tp_free(self);
  Py_DECREF(type);
}

/// _begin(completions, key, operation, args, kwargs): a Task.
PyObject *begin(PyObject *self, PyObject *args) {
  PyObject *completions, *key, *operation, *arguments, *keywords;
  if (!PyArg_ParseTuple(args, "OOOO!O!:_begin", &completions, &key, &operation, &PyTuple_Type,
                        &arguments, &PyDict_Type, &keywords) ||
      !check_process(target_of(self), "Proxy"))
    return nullptr;
  const Ref<ProxyTarget> target(&target_of(self));
  const PyRef what =
      PyRef::steal(Py_BuildValue("(OL)", operation, static_cast<long long>(target->key())));
  Message message;
  if (!what) return nullptr;
  Move move;
  if (Status status = encode_call(what.get(), arguments, keywords, message, move); !status.ok())
    return raise(status);
  const auto make = [](Message call, Ref<Completions> its_completions, Ref<Channel> bell) {
    return Ref<CallTask>(
        make_ref<ProxyCall>(std::move(call), std::move(its_completions), std::move(bell)));
  };
  PyObject *object = nullptr;
  const Ref<CallTask> task = create_task(completions, key, std::move(message), make, &object);
  if (!task) {
    move.undo();
    return nullptr;
  }
  PyRef owned = PyRef::steal(object);
  const Ref<ProxyCall> call(static_cast<ProxyCall *>(task.get()));
  if (Status status = target->server().submit(call); !status.ok()) {
    forget_task(completions, *task);
    move.undo();
    return raise(status);
  }
  move.commit();
  return owned.release();
}

PyObject *get_description(PyObject *self, void *) {
  PyObject *&description = reinterpret_cast<ProxyObject *>(self)->description;
  if (!check_process(target_of(self), "Proxy")) return nullptr;
  if (description == nullptr) {
    PyObject *const made = decode(target_of(self).description());
    if (made == nullptr) return nullptr;
    Py_XSETREF(description, made);
  }
  return Py_NewRef(description);
}

PyObject *get_server_number(PyObject *self, void *) {
  if (!check_process(target_of(self), "Proxy")) return nullptr;
  return PyLong_FromLongLong(target_of(self).server().number());
}

PyObject *get_key(PyObject *self, void *) { return PyLong_FromLongLong(target_of(self).key()); }

PyObject *get_owner(PyObject *self, void *) {
  const ProxyTarget &target = target_of(self);
  if (target.is_from_parent()) return PyUnicode_FromString("the parent process");
  const std::string text =
      target.server().owner() + (target.server().has_ended() ? ", which has ended" : "");
  return PyUnicode_DecodeFSDefault(text.c_str());
}

PyMethodDef proxy_methods[] = {
    {"_begin", begin, METH_VARARGS,
     "_begin($self, completions, key, operation, args, kwargs, /)\n--\n\n"
     "A Task of the owner's. Its end is reported to completions: Completions, a Channel or None."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef proxy_properties[] = {
    {"_description", get_description, nullptr, "What the owner said of the object.", nullptr},
    {"_server", get_server_number, nullptr, "The number of the ProxyServer.", nullptr},
    {"_key", get_key, nullptr, "The number of the object there.", nullptr},
    {"_owner", get_owner, nullptr, "A text that names the owner.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot proxy_slots[] = {
    {Py_tp_doc, const_cast<char *>("A handle to an object of another interpreter.")},
    {Py_tp_dealloc, reinterpret_cast<void *>(dealloc_proxy)},
    {Py_tp_methods, proxy_methods},
    {Py_tp_getset, proxy_properties},
    {0, nullptr}};

PyType_Spec proxy_spec = {
    "_interlock.Proxy", sizeof(ProxyObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION, proxy_slots};

// ProxyServer.

Ref<Interpreter> interpreter_of_id(std::int64_t id) {
  for (const Ref<Interpreter> &each : InterpreterRegistry::instance().all()) {
    if (each->id() == id) return each;
  }
  return {};
}

std::string name_of_owner(std::int64_t id, const Interpreter *home) {
  if (home != nullptr) return "interpreter '" + home->name() + "' (id " + std::to_string(id) + ")";
  return id == 0 ? "the main interpreter" : "interpreter " + std::to_string(id);
}

/// ProxyServer(number, by, ...): `by`: None if the home thread serves, else who does, as a text.
PyObject *create_server(PyTypeObject *type, PyObject *args, PyObject *) {
  long long number = 0;
  const char *by = nullptr;
  if (!PyArg_ParseTuple(args, "Lz:ProxyServer", &number, &by)) return nullptr;
  auto inbox = Channel::create(Channel::kUnbounded);
  if (!inbox.ok()) return raise(inbox.status());
  const std::int64_t id = PyInterpreterState_GetID(PyInterpreterState_Get());
  Ref<Interpreter> home = interpreter_of_id(id);
  const std::string owner = (by != nullptr ? by : "") + name_of_owner(id, home.get());
  if (by != nullptr) home = {};
  return Holder<ProxyServer>::create(
      type, make_ref<ProxyServer>(number, inbox.value(), std::move(home), id, owner));
}

PyObject *get_inbox(PyObject *self, void *) {
  return wrap_shared(Ref<Channel>(&server_of(self).inbox()));
}

PyObject *get_home(PyObject *self, void *) { return PyBool_FromLong(server_of(self).has_home()); }

PyObject *get_ended(PyObject *self, void *) { return PyBool_FromLong(server_of(self).has_ended()); }

PyObject *wrap_object(PyObject *self, PyObject *args) {
  long long key = 0;
  PyObject *description = nullptr;
  ModuleState *const state = module_state();
  Message message;
  if (state == nullptr || !PyArg_ParseTuple(args, "LO:proxy", &key, &description)) return nullptr;
  if (Status status = encode(description, "description", message); !status.ok())
    return raise(status);
  return wrap_proxy(
      *state, make_ref<ProxyTarget>(Ref<ProxyServer>(&server_of(self)), key, std::move(message)));
}

PyObject *end(PyObject *self, PyObject *) {
  if (!server_of(self).is_from_parent()) server_of(self).end();
  Py_RETURN_NONE;
}

/// Does what a number of the inbox stands for; None, or (number, coroutine).
PyObject *run_number(PyObject *self, std::int64_t number, PyObject *owner) {
  const Ref<ProxyServer> server(&server_of(self));
  if (Py_EnterRecursiveCall(" in a call by proxy") != 0) {
    if (const Ref<ProxyCall> call = server->call(number); call && call->start())
      call->raised();
    else
      PyErr_Clear();
    server->forget(number);
    Py_RETURN_NONE;
  }
  PyRef result = serve_number(*server, number, owner);
  Py_LeaveRecursiveCall();
  if (!result || Py_IsNone(result.get())) return result.release();
  return Py_BuildValue("LO", static_cast<long long>(number), result.get());
}

PyObject *run(PyObject *self, PyObject *args) {
  long long number = 0;
  PyObject *owner = nullptr;
  if (!PyArg_ParseTuple(args, "LO:run", &number, &owner)) return nullptr;
  return run_number(self, number, owner);
}

/// Waits for `until`, if there is one, and the inbox. kECLOSED once the inbox is closed.
Status wait_for_number(Channel &inbox, Channel *until, Deadline deadline, Message &number,
                       bool &is_over) {
  Message done;
  SelectCase cases[2];
  cases[0] = {&inbox, Channel::Direction::kReceive, &number, {}};
  std::size_t count = 1;
  if (until != nullptr) cases[count++] = {until, Channel::Direction::kReceive, &done, {}};
  if (until != nullptr) std::swap(cases[0], cases[1]);
  std::size_t index = 0;
  const std::span<SelectCase> all(cases, count);
  Status status = try_select(all, true, index);
  if (status.code() == Code::kEEMPTY)
    status = run_detached([&] { return select_until(all, true, deadline, index); });
  is_over = status.ok() && until != nullptr && index == 0;
  if (status.code() != Code::kECLOSED || until == nullptr) return status;
  // Nothing is served any more; what is waited for still comes.
  status = run_detached([&] { return until->recv_until(done, deadline); });
  is_over = true;
  return status;
}

PyObject *serve(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
  static constexpr const char *kParameters[] = {"owner", "until", "timeout"};
  PyObject *slots[3];
  Deadline deadline;
  if (!Arguments{values, count, names}.parse("serve", kParameters, 1, slots) ||
      !parse_timeout(slots[2], deadline) || !check_process(server_of(self), "ProxyServer"))
    return nullptr;
  const Ref<ProxyServer> server(&server_of(self));
  Ref<Channel> until;
  if (slots[1] != nullptr && !Py_IsNone(slots[1])) {
    until = Ref<Channel>(usable_channel(slots[1]));
    if (!until) return nullptr;
  }
  for (;;) {
    Message number;
    bool is_over = false;
    const Status status = wait_for_number(server->inbox(), until.get(), deadline, number, is_over);
    if (status.code() == Code::kECLOSED && !until) Py_RETURN_NONE;
    if (!status.ok()) return raise(status);
    if (is_over) Py_RETURN_NONE;
    const PyRef done = PyRef::steal(run_number(self, *number.as_int64(), slots[0]));
    if (!done) return nullptr;
  }
}

/// finish(number, owner, result) and fail(number, exception), for what run() gave.
PyObject *finish_call(PyObject *self, PyObject *args) {
  long long number = 0;
  PyObject *owner, *result;
  if (!PyArg_ParseTuple(args, "LOO:finish", &number, &owner, &result)) return nullptr;
  const Ref<ProxyServer> server(&server_of(self));
  if (const Ref<ProxyCall> call = server->call(number))
    call->returned(PyRef::borrow(result), owner);
  server->forget(number);
  Py_RETURN_NONE;
}

PyObject *fail_call(PyObject *self, PyObject *args) {
  long long number = 0;
  PyObject *exception = nullptr;
  if (!PyArg_ParseTuple(args, "LO:fail", &number, &exception)) return nullptr;
  const Ref<ProxyServer> server(&server_of(self));
  if (const Ref<ProxyCall> call = server->call(number)) {
    PyErr_SetRaisedException(Py_NewRef(exception));
    call->raised();
  }
  server->forget(number);
  Py_RETURN_NONE;
}

PyMethodDef server_methods[] = {
    {"proxy", wrap_object, METH_VARARGS,
     "proxy($self, key, description, /)\n--\n\nA Proxy of the object that the owner knows by key."},
    {"serve", as_method(serve), METH_FASTCALL | METH_KEYWORDS,
     "serve($self, owner, until=None, timeout=None)\n--\n\n"
     "Do what comes in, until the Channel has an item, which is taken, or the server has ended."},
    {"run", run, METH_VARARGS,
     "run($self, number, owner, /)\n--\n\n"
     "Do what a number of the inbox stands for. (number, coroutine) if its result is still due."},
    {"finish", finish_call, METH_VARARGS,
     "finish($self, number, owner, result, /)\n--\n\nThe result of a coroutine that run() gave."},
    {"fail", fail_call, METH_VARARGS,
     "fail($self, number, exception, /)\n--\n\nWhat the coroutine raised."},
    {"end", end, METH_NOARGS, "end($self, /)\n--\n\nFail all calls, now and later. Idempotent."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef server_properties[] = {
    {"inbox", get_inbox, nullptr, "A Channel of numbers for run().", nullptr},
    {"has_home", get_home, nullptr, "Whether a home thread serves; else serve() is to be called.",
     nullptr},
    {"ended", get_ended, nullptr, "Whether end() was called.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot server_slots[] = {
    {Py_tp_doc, const_cast<char *>("ProxyServer(number, by)\n--\n\nWhere calls by proxy are run.")},
    {Py_tp_new, reinterpret_cast<void *>(create_server)},
    {Py_tp_dealloc, reinterpret_cast<void *>(Holder<ProxyServer>::dealloc)},
    {Py_tp_methods, server_methods},
    {Py_tp_getset, server_properties},
    {0, nullptr}};

PyType_Spec server_spec = {"_interlock.ProxyServer", sizeof(Holder<ProxyServer>), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, server_slots};

}  // namespace

PyObject *set_proxy_class(PyObject *, PyObject *type) {
  ModuleState *const state = module_state();
  if (state == nullptr) return nullptr;
  if (!PyType_Check(type) ||
      !PyType_IsSubtype(reinterpret_cast<PyTypeObject *>(type), state->proxy)) {
    PyErr_SetString(PyExc_TypeError, "the class of proxies must derive from _interlock.Proxy");
    return nullptr;
  }
  Py_XSETREF(state->proxy_class, Py_NewRef(type));
  Py_RETURN_NONE;
}

PyObject *wrap_proxy(ModuleState &state, Ref<Shared> target) {
  if (state.proxy_class == nullptr) {
    const PyRef module = PyRef::steal(PyImport_ImportModule("interlock._proxy"));
    if (!module) return nullptr;
  }
  if (state.proxy_class == nullptr)
    return raise(Status(Code::kESTATE, "there are no proxies here"));
  auto *const type = reinterpret_cast<PyTypeObject *>(state.proxy_class);
  auto *const handle = reinterpret_cast<ProxyObject *>(type->tp_alloc(type, 0));
  if (handle != nullptr) handle->base.shared = target.leak();
  return reinterpret_cast<PyObject *>(handle);
}

bool add_proxy(PyObject *module, ModuleState &state) {
  return add_type(module, proxy_spec, state.transfer.handle, state.proxy) &&
         add_type(module, server_spec, nullptr, state.proxy_server);
}

}  // namespace interlock
