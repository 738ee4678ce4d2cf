// SPDX-License-Identifier: MIT
// `_interlock.MapJob`: the iterator that Pool.map() returns. It takes arguments from an iterator,
// hands them to the workers in batches, and yields results in order.
#include "pool/map_job.hpp"

#include "python/blocking.hpp"
#include "python/task.hpp"
#include "transfer/move.hpp"
#include "transfer/transfer.hpp"

namespace interlock {
namespace {

// What is encoded before the workers are told: enough to pay for the wake-up, never held for long.
constexpr std::size_t kBatch = 64;
constexpr std::int64_t kBatchNs = 200'000;

struct MapJobObject {
  PyObject_HEAD MapJob *job;
  PyObject *arguments;     // iterator of argument tuples; null once exhausted
  PyObject *owner;         // kept alive for as long as the job
  Py_ssize_t buffer_size;  // most items submitted and not yielded; -1 for all
  Deadline deadline;
};

MapJobObject &self_of(PyObject *self) { return *reinterpret_cast<MapJobObject *>(self); }

/// Reads up to `most` tuples into `batch`, and what they hand over into `moves`, as long as that is
/// quick. False with an exception set.
bool fill_batch(MapJobObject &self, std::size_t most, std::vector<Message> &batch,
                std::vector<Move> &moves) {
  const std::int64_t start = monotonic_ns();
  while (batch.size() < most && monotonic_ns() - start < kBatchNs) {
    const PyRef tuple = PyRef::steal(PyIter_Next(self.arguments));
    if (!tuple) {
      if (PyErr_Occurred()) return false;
      Py_CLEAR(self.arguments);
      return true;
    }
    batch.emplace_back();
    Move move;
    if (Status status = encode(tuple.get(), "args", batch.back(), &move); !status.ok()) {
      raise(status);
      return false;
    }
    if (!move.empty()) moves.push_back(std::move(move));
  }
  return true;
}

/// Submits items until the buffer is full or the arguments are exhausted.
bool feed(MapJobObject &self) {
  std::vector<Message> batch;
  std::vector<Move> moves;
  const auto undo_all = [&] {
    while (!moves.empty()) {
      moves.back().undo();
      moves.pop_back();
    }
  };
  while (self.arguments != nullptr) {
    std::size_t most = kBatch;
    if (self.buffer_size >= 0) {
      const std::size_t held = self.job->size();
      const auto limit = static_cast<std::size_t>(self.buffer_size);
      if (held >= limit) return true;
      most = std::min(most, limit - held);
    }
    if (!fill_batch(self, most, batch, moves)) {
      undo_all();
      return false;
    }
    if (Status status = self.job->add(batch); !status.ok()) {
      undo_all();
      raise_for_interpreter(status);
      return false;
    }
    for (Move &move : moves) move.commit();
    moves.clear();
  }
  return true;
}

bool feed_or_cancel(MapJobObject &self) {
  if (feed(self)) return true;
  Py_CLEAR(self.arguments);
  self.job->fail_pending(Code::kECANCELLED);
  return false;
}

PyObject *create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static const char *names[] = {"queue",      "function", "arguments", "workers", "chunksize",
                                "buffersize", "timeout",  "owner",     nullptr};
  PyObject *queue, *function, *arguments, *timeout, *owner;
  unsigned workers;
  Py_ssize_t chunk_size, buffer_size;
  Deadline deadline;
  const ModuleState *const state = module_state();
  if (state == nullptr ||
      !PyArg_ParseTupleAndKeywords(args, kwargs, "O!OOInnOO:MapJob", const_cast<char **>(names),
                                   state->task_queue, &queue, &function, &arguments, &workers,
                                   &chunk_size, &buffer_size, &timeout, &owner) ||
      !parse_timeout(timeout, deadline) || !check_process(task_queue_of(queue), "Pool"))
    return nullptr;
  Message callable;
  if (Status status = encode_for_many(function, "function", callable); !status.ok())
    return raise(status);
  PyRef iterator = PyRef::steal(PyObject_GetIter(arguments));
  auto *const self = iterator ? reinterpret_cast<MapJobObject *>(type->tp_alloc(type, 0)) : nullptr;
  if (self == nullptr) return nullptr;
  self->job = make_ref<MapJob>(Ref<TaskQueue>(&task_queue_of(queue)), std::move(callable), workers,
                               static_cast<std::size_t>(chunk_size))
                  .leak();
  self->arguments = iterator.release();
  self->owner = Py_NewRef(owner);
  self->buffer_size = buffer_size;
  self->deadline = deadline;
  PyRef object = PyRef::steal(reinterpret_cast<PyObject *>(self));
  if (!feed_or_cancel(*self)) return nullptr;
  return object.release();
}

int traverse(PyObject *self, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(self_of(self).arguments);
  Py_VISIT(self_of(self).owner);
  return 0;
}

int clear(PyObject *self) {
  Py_CLEAR(self_of(self).arguments);
  Py_CLEAR(self_of(self).owner);
  return 0;
}

void dealloc(PyObject *self) {
  PyObject_GC_UnTrack(self);
  (void)clear(self);
  PyTypeObject *const type = Py_TYPE(self);
  // What was submitted is still done, as with the executors of the standard library.
  if (MapJob *const job = self_of(self).job) job->release();
  type->tp_free(self);
  Py_DECREF(type);
}

/// The value of `item`, or null with its exception raised; then what is left is cancelled.
PyObject *item_result(MapJobObject &self, const MapJob::Item &item) {
  PyObject *result = nullptr;
  if (item.state == MapJob::ItemState::kDone) {
    result = decode(item.message);
  } else if (item.state == MapJob::ItemState::kRaised) {
    PyObject *const exception = decode_exception(item.message);
    if (exception != nullptr) PyErr_SetRaisedException(exception);
  } else {
    raise_for_interpreter(self.job->failure());
  }
  if (result == nullptr) {
    Py_CLEAR(self.arguments);
    self.job->fail_pending(Code::kECANCELLED);
  }
  return result;
}

PyObject *next(PyObject *object) {
  MapJobObject &self = self_of(object);
  if (!check_process(*self.job, "map")) return nullptr;
  std::unique_ptr<MapJob::Item> item = self.job->try_pop_first();
  if (item == nullptr) {
    const Status status = run_detached([&] { return self.job->wait_first(self.deadline); });
    if (status.code() == Code::kEEMPTY) return nullptr;
    if (!status.ok()) {
      Py_CLEAR(self.arguments);
      self.job->fail_pending(Code::kECANCELLED);
      return raise(status);
    }
    item = self.job->try_pop_first();
    if (item == nullptr) return nullptr;  // another thread took it
  }
  PyRef result = PyRef::steal(item_result(self, *item));
  if (!result) return nullptr;
  if (self.arguments != nullptr && !feed_or_cancel(self)) return nullptr;
  return result.release();
}

PyObject *close(PyObject *self, PyObject *) {
  Py_CLEAR(self_of(self).arguments);
  if (self_of(self).job->is_from_parent()) Py_RETURN_NONE;
  self_of(self).job->fail_pending(Code::kECANCELLED);
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"close", close, METH_NOARGS,
     "close($self, /)\n--\n\nCancel what has not begun; those items raise CancelledError."},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot slots[] = {{Py_tp_doc, const_cast<char *>("The results of Pool.map(), in order.")},
                       {Py_tp_new, reinterpret_cast<void *>(create)},
                       {Py_tp_traverse, reinterpret_cast<void *>(traverse)},
                       {Py_tp_clear, reinterpret_cast<void *>(clear)},
                       {Py_tp_dealloc, reinterpret_cast<void *>(dealloc)},
                       {Py_tp_iter, reinterpret_cast<void *>(PyObject_SelfIter)},
                       {Py_tp_iternext, reinterpret_cast<void *>(next)},
                       {Py_tp_methods, methods},
                       {0, nullptr}};

PyType_Spec spec = {"interlock.MapJob", sizeof(MapJobObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE, slots};

}  // namespace

bool add_map_job(PyObject *module, ModuleState &state) {
  return add_type(module, spec, nullptr, state.map_job);
}

}  // namespace interlock
