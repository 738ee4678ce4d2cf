// SPDX-License-Identifier: MIT
// interlock.select(), after() and every().
#include "channel/select.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "python/arguments.hpp"
#include "python/blocking.hpp"
#include "python/channel.hpp"
#include "transfer/move.hpp"

namespace interlock {
namespace {

struct TimerObject {
  PyObject_HEAD std::int64_t at_ns;
  std::int64_t every_ns;  // 0: once, and ready ever after
};

// Seconds of every().
constexpr double kShortestTick = 1e-6;
constexpr double kLongestTick = 100 * 366 * 86400.0;

TimerObject &timer_of(PyObject *self) { return *reinterpret_cast<TimerObject *>(self); }

/// `interval_ns`: 0 for a timer that is ready once and for all.
PyObject *create_timer(Deadline first, std::int64_t interval_ns) {
  ModuleState *const state = module_state();
  PyObject *const timer = state != nullptr ? state->timer->tp_alloc(state->timer, 0) : nullptr;
  if (timer == nullptr) return nullptr;
  timer_of(timer).at_ns = first.ns;
  timer_of(timer).every_ns = interval_ns;
  return timer;
}

/// A repeating timer moves on past now; ticks that nobody took are dropped.
void move_on(TimerObject &timer) {
  if (timer.every_ns == 0) return;
  const std::int64_t late = monotonic_ns() - timer.at_ns;
  timer.at_ns += (late / timer.every_ns + 1) * timer.every_ns;
}

PyObject *repr_timer(PyObject *self) {
  const TimerObject &timer = timer_of(self);
  if (Deadline{timer.at_ns}.is_never()) return PyUnicode_FromString("<interlock timer, never due>");
  const PyRef left =
      PyRef::steal(PyFloat_FromDouble(static_cast<double>(timer.at_ns - monotonic_ns()) / 1e9));
  if (!left) return nullptr;
  return PyUnicode_FromFormat("<interlock timer, due in %S seconds%s>", left.get(),
                              timer.every_ns != 0 ? ", repeating" : "");
}

PyType_Slot timer_slots[] = {
    {Py_tp_doc, const_cast<char *>("A case of select() that becomes ready by itself.")},
    {Py_tp_repr, reinterpret_cast<void *>(repr_timer)},
    {0, nullptr}};

PyType_Spec timer_spec = {
    "_interlock.Timer", sizeof(TimerObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE, timer_slots};

/// Adds `index` to the exception that is set, as an attribute. Returns null.
PyObject *raise_with_index(std::size_t index) {
  const PyRef exception = PyRef::steal(PyErr_GetRaisedException());
  const PyRef number = PyRef::steal(PyLong_FromSize_t(index));
  if (!number || PyObject_SetAttrString(exception.get(), "index", number.get()) != 0)
    return nullptr;
  PyErr_SetRaisedException(Py_NewRef(exception.get()));
  return nullptr;
}

/// The cases of one call, and what keeps them alive.
struct Cases {
  PyRef objects;  // a tuple
  std::vector<Message> messages;
  std::vector<Move> moves;  // of the messages to be sent
  struct Marked {
    std::size_t index;
    PyObject *marker;
    PyObject *object;  // null if it has moved before
  };
  std::vector<Marked> marked;       // the items that moved() gave
  std::vector<std::size_t> leader;  // the first case that has the same item to move; or the case
  std::vector<Ref<Channel>> channels;
  std::vector<SelectCase> cases;

  [[nodiscard]] bool parse(const ModuleState &state, PyObject *sequence);
  /// Calls `function` with the channel and the message of each case that sends.
  template <typename Function>
  void for_each_sent(Function function) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
      if (channels[i] && cases[i].direction == Channel::Direction::kSend)
        function(*channels[i], std::span<const Message>(&messages[i], 1));
    }
  }
  [[nodiscard]] bool parse_one(const ModuleState &state, std::size_t index);
  [[nodiscard]] bool parse_send(std::size_t index, PyObject *handle, PyObject *item);
  [[nodiscard]] Status encode_item(std::size_t index, PyObject *item);
  [[nodiscard]] std::size_t find_leader(std::size_t index, PyObject *marker);
  /// One case was done, or none: what was to be sent by the others is given back.
  void settle(std::size_t done);
  [[nodiscard]] bool parse_channel(std::size_t index, PyObject *handle,
                                   Channel::Direction direction);
};

bool Cases::parse(const ModuleState &state, PyObject *sequence) {
  // A Channel is iterable, but not meant.
  const bool is_iterable = Py_TYPE(sequence)->tp_iter != nullptr || PySequence_Check(sequence);
  if (!is_iterable || Py_IS_TYPE(sequence, state.channel)) {
    PyErr_Format(PyExc_TypeError, "cases must be a list of cases, not %T", sequence);
    return false;
  }
  objects = PyRef::steal(PySequence_Tuple(sequence));
  if (!objects) return false;
  const auto size = static_cast<std::size_t>(PyTuple_GET_SIZE(objects.get()));
  messages.resize(size);
  moves.resize(size);
  leader.resize(size);
  std::iota(leader.begin(), leader.end(), std::size_t{0});
  channels.resize(size);
  cases.resize(size);
  for (std::size_t i = 0; i < size; ++i) {
    if (!parse_one(state, i)) return false;
  }
  return true;
}

bool Cases::parse_one(const ModuleState &state, std::size_t index) {
  PyObject *const object = PyTuple_GET_ITEM(objects.get(), static_cast<Py_ssize_t>(index));
  if (Py_IS_TYPE(object, state.timer)) {
    cases[index].at = Deadline{timer_of(object).at_ns};
    return true;
  }
  if (Py_IS_TYPE(object, state.channel))
    return parse_channel(index, object, Channel::Direction::kReceive);
  if (PyTuple_Check(object) && PyTuple_GET_SIZE(object) == 2) {
    PyObject *const handle = PyTuple_GET_ITEM(object, 0);
    if (Py_IS_TYPE(handle, state.channel) || Py_IS_TYPE(handle, state.sender))
      return parse_send(index, handle, PyTuple_GET_ITEM(object, 1));
  }
  if (Py_IS_TYPE(object, state.sender)) {
    PyErr_Format(PyExc_TypeError,
                 "cases[%zu] is a Sender, which cannot receive: to send with it, give a tuple "
                 "(sender, item)",
                 index);
    return false;
  }
  PyErr_Format(PyExc_TypeError,
               "cases[%zu] must be a Channel (to receive), a tuple (Channel or Sender, item to "
               "send), after() or every(), not %T",
               index, object);
  return false;
}

bool Cases::parse_send(std::size_t index, PyObject *handle, PyObject *item) {
  // Before the channel is looked at: this may run code that closes the Sender.
  const Status status = encode_item(index, item);
  if (!status.ok()) raise(status);
  return status.ok() && parse_channel(index, handle, Channel::Direction::kSend);
}

/// What is to move by one case may also be that of others: it goes by one of them.
Status Cases::encode_item(std::size_t index, PyObject *item) {
  const std::string root = "cases[" + std::to_string(index) + "][1]";
  if (Py_IS_TYPE(item, module_state()->transfer.moved)) leader[index] = find_leader(index, item);
  if (leader[index] == index) return encode(item, root.c_str(), messages[index], &moves[index]);
  messages[index] = messages[leader[index]].copy();
  if (!messages[index].empty()) return {};
  PyErr_NoMemory();
  return Code::kEPYTHON;
}

std::size_t Cases::find_leader(std::size_t index, PyObject *marker) {
  PyObject *const object = reinterpret_cast<MarkedObject *>(marker)->object;
  marked.push_back({index, marker, object});
  return std::ranges::find_if(marked,
                              [&](const Marked &each) {
                                return each.marker == marker ||
                                       (object != nullptr && each.object == object);
                              })
      ->index;
}

void Cases::settle(std::size_t done) {
  if (done < leader.size()) done = leader[done];
  for (std::size_t i = moves.size(); i-- != 0;) {
    if (i != done) moves[i].undo();
  }
  if (done < moves.size()) moves[done].commit();
}

bool Cases::parse_channel(std::size_t index, PyObject *handle, Channel::Direction direction) {
  Channel *const channel = usable_channel(handle);
  if (channel == nullptr) {
    raise_with_index(index);
    return false;
  }
  channels[index] = Ref<Channel>(channel);
  cases[index] = {channel, direction, &messages[index], {}};
  return true;
}

PyObject *finish(Cases &cases, const Status &status, std::size_t index) {
  if (status.code() == Code::kECLOSED || status.code() == Code::kEFULL) {
    const char *const what = status.code() == Code::kECLOSED ? "] is closed" : "] is full";
    raise(Status(status.code(), "the channel of cases[" + std::to_string(index) + what));
    return raise_with_index(index);
  }
  if (!status.ok()) return raise(status);
  const PyRef number = PyRef::steal(PyLong_FromSize_t(index));
  if (!number) return nullptr;
  const SelectCase &chosen = cases.cases[index];
  PyRef value = PyRef::borrow(Py_None);
  if (chosen.channel == nullptr) {
    move_on(timer_of(PyTuple_GET_ITEM(cases.objects.get(), static_cast<Py_ssize_t>(index))));
  } else if (chosen.direction == Channel::Direction::kReceive) {
    value = PyRef::steal(decode(cases.messages[index]));
  }
  return value ? PyTuple_Pack(2, number.get(), value.get()) : nullptr;
}

}  // namespace

PyObject *select(PyObject *, PyObject *const *values, Py_ssize_t count, PyObject *names) {
  static constexpr const char *kParameters[] = {"cases", "timeout", "*biased"};
  PyObject *slots[3];
  Deadline deadline;
  const ModuleState *const state = module_state();
  if (state == nullptr || !Arguments{values, count, names}.parse("select", kParameters, 1, slots) ||
      !parse_timeout(slots[1], deadline))
    return nullptr;
  const int biased = slots[2] != nullptr ? PyObject_IsTrue(slots[2]) : 0;
  Cases cases;
  if (biased < 0) return nullptr;
  if (!cases.parse(*state, slots[0])) {
    cases.settle(SIZE_MAX);
    return nullptr;
  }
  std::size_t index = 0;
  cases.for_each_sent([&](Channel &channel, std::span<const Message> sent) {
    count_sending(*state, channel, sent);
  });
  Status status = try_select(cases.cases, biased != 0, index);
  if (status.code() == Code::kEEMPTY)
    status = run_detached([&] { return select_until(cases.cases, biased != 0, deadline, index); });
  cases.for_each_sent([](Channel &channel, std::span<const Message> left) {
    take_back(channel, left);  // but for what was chosen
  });
  cases.settle(status.ok() ? index : SIZE_MAX);
  return finish(cases, status, index);
}

PyObject *after(PyObject *, PyObject *seconds) {
  Deadline first = Deadline::never();
  if (!Py_IsNone(seconds) &&
      !parse_delay(seconds, "seconds must be a number >= 0, or None for never", first))
    return nullptr;
  return create_timer(first, 0);
}

PyObject *every(PyObject *, PyObject *seconds) {
  double value;
  if (!parse_seconds(seconds,
                     "seconds must be a number from a microsecond to 100 years (in seconds)",
                     {kShortestTick, kLongestTick}, value))
    return nullptr;
  const auto interval_ns = static_cast<std::int64_t>(value * 1e9);
  return create_timer(Deadline::after_ns(interval_ns), interval_ns);
}

bool add_select(PyObject *module, ModuleState &state) {
  return add_type(module, timer_spec, nullptr, state.timer);
}

}  // namespace interlock
