// SPDX-License-Identifier: MIT
// Walks an object graph and writes it as records. Without recursion: what is open stands on a stack
// of frames, so that depth is bounded by memory alone, and names the path to a refused object.
//
// A walk runs no Python code for as long as all it meets are leaves and plain containers; nobody
// can change the graph then, so that it holds no references, and what has one reference needs no
// number: only its one holder leads to it. At the first object that may run code, the walk starts
// again, carefully: it holds what it visits, numbers all that may be met again, and finds out what
// has changed meanwhile.
#pragma once

#include <string>
#include <vector>

#include "base/small_vector.hpp"
#include "memory/message_builder.hpp"
#include "memory/message_format.hpp"
#include "transfer/move.hpp"
#include "transfer/object_table.hpp"
#include "transfer/shapes.hpp"
#include "transfer/survey.hpp"
#include "transfer/transfer.hpp"

namespace interlock {

class Explainer;

class Encoder {
 public:
  /// `move`: where to note what leaves the sender; null if nothing may.
  Encoder(TransferState &state, const char *root, Move *move = nullptr)
      : state_(state), root_(root), move_(move) {}
  ~Encoder() {
    for (Frame &frame : frames_) release(frame);
    if (layouts_used_ != 0) forget_layouts();
  }
  Encoder(const Encoder &) = delete;
  Encoder &operator=(const Encoder &) = delete;
  /// The message will be decoded more than once.
  void set_read_often() noexcept { is_read_often_ = true; }
  /// `explainer` sees what is written. The walk is careful, so that it begins but once.
  void set_explainer(Explainer &explainer) noexcept {
    explainer_ = &explainer;
    is_careful_ = true;
  }
  /// All of it is handed over, by copies.
  void set_moving() noexcept { is_moving_ = true; }

  /// What is written is in the holes of a graph; `parts`: of the graph, to which it refers.
  void set_graph(Survey &survey, std::vector<PyRef> &parts) noexcept {
    survey_ = &survey;
    parts_ = &parts;
  }

  /// Of an exception that only the caller holds, what only it holds is handed over.
  void set_given(PyObject *exception) noexcept { given_ = exception; }

  /// Whether it is one, and not of a subclass.
  [[nodiscard]] static bool is_deque(PyObject *object) noexcept;

  /// Writes `object` and what it reaches. False with a Python exception set.
  [[nodiscard]] bool run(PyObject *object, Message &message);

 private:
  friend class PathWriter;  // transfer/path.cpp
  friend class Explainer;   // transfer/explain.cpp

  /// An object whose children are being written. References are borrowed unless the walk is
  /// careful.
  struct Frame {
    PyObject *object;
    PyObject *items = nullptr;  // owned: a tuple of the children that the object does not hold
    Py_ssize_t size;            // children to write
    Py_ssize_t next = 0;        // children begun
    // kDict: of PyDict_Next; kDictOf, kLayout, kInstance: the shape; kFrozenSet, kReduce: the next
    // number when it was opened.
    Py_ssize_t position = 0;
    PyObject *child = nullptr;  // kDict: the key; kDictOf, kInstance: the value; kList: the item
    PyObject *value = nullptr;  // kDict: owned; to be written after its key
    Tag tag;
    std::uint8_t parts = 0;  // kReduce, from kBuild on: BuildPart; kLayout: how many attributes
    bool numbered = false;   // it has its number, or a tuple: gets one at its end
    bool is_new = false;     // kReduce: a class and the arguments of its __new__
    bool is_inside;          // of an object that is rebuilt from its parts
    bool is_moving;          // what it contains is handed over
  };

  [[nodiscard]] bool walk(PyObject *object);
  [[nodiscard]] bool walk_again(PyObject *object);
  [[nodiscard]] bool step(Frame &frame);
  [[nodiscard]] bool step_list(Frame &frame);
  [[nodiscard]] bool step_dict(Frame &frame);
  [[nodiscard]] bool step_shaped(Frame &frame);
  [[nodiscard]] bool step_items(Frame &frame, PyObject *items);
  [[nodiscard]] bool step_reduce(Frame &frame);
  [[nodiscard]] bool close(Frame &frame);
  [[nodiscard]] bool close_tuple(Frame &frame);
  [[nodiscard]] bool pop(Frame &frame);

  [[nodiscard]] bool write(PyObject *object);
  /// Writes an object that holds no others and runs no code; false if it is none.
  [[nodiscard]] bool write_leaf(PyObject *object);
  [[nodiscard]] bool write_constant(PyObject *object);
  void write_int(PyObject *object);
  [[nodiscard]] bool write_key(PyObject *object);
  void write_text(PyObject *object, std::uint64_t flags = 0);
  void write_bytes(PyObject *object);
  [[nodiscard]] bool write_other(PyObject *object);
  // The same, unseen by an Explainer.
  [[nodiscard]] bool put_leaf(PyObject *object);
  [[nodiscard]] bool put_other(PyObject *object);
  [[nodiscard]] bool write_again(PyObject *object);
  [[nodiscard]] bool write_shared(PyObject *object) { return write_shared(object, object); }
  /// `handle` crosses in the place of `object`.
  [[nodiscard]] bool write_shared(PyObject *object, PyObject *handle);
  void write_reference(PyObject *object, Shared *shared);
  void write_frozen(PyObject *object, ArenaMemory &memory);
  void write_part(PyObject *object);
  [[nodiscard]] bool open_container(PyObject *object, PyTypeObject *type, bool &opened);
  [[nodiscard]] bool open_late(Tag tag, PyObject *object, PyRef items, Py_ssize_t size);
  [[nodiscard]] bool open_list(PyObject *list);
  [[nodiscard]] bool open_tuple(PyObject *tuple);
  [[nodiscard]] bool open_dict(PyObject *dict);
  [[nodiscard]] bool open_shaped(PyObject *dict, std::size_t shape);
  [[nodiscard]] bool open_elements(Tag tag, PyObject *set);
  // A shape is one of shapes_ or, with this bit, one of the interpreter's NameTable.
  static constexpr std::size_t kKnownShape = std::size_t{1} << 24;
  [[nodiscard]] std::size_t find_known_shape(PyObject **pairs, std::size_t size) noexcept;
  [[nodiscard]] std::size_t add_shape(PyObject **pairs, std::size_t size);
  [[nodiscard]] static std::uint64_t header_of_shape(Tag tag, std::size_t shape) noexcept {
    const bool is_known = (shape & kKnownShape) != 0;
    return make_header(tag, shape & ~kKnownShape, is_known ? kKnown : 0);
  }
  [[nodiscard]] PyObject *key_of(std::size_t shape, std::size_t index) const noexcept;
  [[nodiscard]] bool has_keys(std::size_t shape, PyObject **pairs, std::size_t size) const noexcept;
  void write_shape(std::size_t shape);
  void write_bytearray(PyObject *object);
  [[nodiscard]] bool push(Tag tag, PyObject *object, Py_ssize_t size);
  [[nodiscard]] bool push_items(Tag tag, PyObject *object, PyRef items, Py_ssize_t size);
  /// Ends the open time of an object; true, and it is closed, if it was made deeper down.
  [[nodiscard]] bool made_meanwhile(const Frame &frame);

  // transfer/marked.cpp: what moved() marks.
  [[nodiscard]] bool write_marked(PyObject *marker);
  [[nodiscard]] bool step_marked(Frame &frame);
  [[nodiscard]] bool hand_over_marked();
  [[nodiscard]] bool shares_parts(PyObject *marked) const;
  [[nodiscard]] PyRef give_parts(PyObject *exception, PyRef parts);
  [[nodiscard]] PyRef give_items(PyObject *tuple);
  [[nodiscard]] PyRef give_values(PyObject *state);
  [[nodiscard]] PyRef give(PyObject *object);
  [[nodiscard]] PyRef mark(PyObject *object, bool is_spared);
  [[nodiscard]] PyRef give_contents(PyObject *deque, PyRef contents);
  [[nodiscard]] bool shares_given() const;
  [[nodiscard]] bool empty_deques();

  // transfer/buffer.cpp: what has memory to share.
  [[nodiscard]] static bool is_buffer(PyObject *object, PyTypeObject *type) noexcept;
  [[nodiscard]] bool write_buffer(PyObject *object);
  [[nodiscard]] bool spare_lent(PyObject *object, PyObject *owner);
  [[nodiscard]] bool write_bytes_of(PyObject *object, PyObject *view);
  bool refuse_buffer(PyObject *object);

  // transfer/array.cpp
  [[nodiscard]] bool write_array(PyObject *object);
  [[nodiscard]] bool hand_over_bytes(PyObject *bytearray, bool &done);

  // transfer/instance.cpp: what has nothing but attributes.
  /// How the instances of a class look that the message has described.
  struct Layout {
    PyObject *type;  // owned
    std::size_t shape;
    std::size_t size;  // how many attributes they have
    std::uint64_t number;
  };
  static constexpr std::size_t kLayouts = 8;
  [[nodiscard]] static std::size_t place_of_layout(const PyTypeObject *type) noexcept {
    return reinterpret_cast<std::uintptr_t>(type) / 64 % kLayouts;
  }
  /// Null if the message has none of the class, or none any more.
  [[nodiscard]] const Layout *find_layout(PyTypeObject *type) const noexcept {
    const std::size_t place = place_of_layout(type);
    const bool is_used = (layouts_used_ >> place & 1) != 0;
    const Layout &layout = layouts_[place];
    return is_used && layout.type == reinterpret_cast<PyObject *>(type) ? &layout : nullptr;
  }
  const Layout &add_layout(PyTypeObject *type, std::size_t shape, std::size_t size) noexcept;
  void forget_layouts() noexcept;
  [[nodiscard]] bool write_instance(PyObject *object, PyTypeObject *type, bool &written);
  [[nodiscard]] bool open_layout(PyObject *object, const Attributes &attributes);
  [[nodiscard]] bool step_layout(Frame &frame);
  [[nodiscard]] bool begin_instance(PyObject *object, const Layout &layout);
  [[nodiscard]] bool step_instance(Frame &frame);

  // transfer/named.cpp: what crosses by name or definition.
  [[nodiscard]] bool write_known(PyObject *object, bool &written);
  [[nodiscard]] bool write_definition(PyObject *object, PyObject *definition);
  [[nodiscard]] bool write_module(PyObject *object);
  [[nodiscard]] bool write_named(PyObject *object, bool &written);
  [[nodiscard]] bool write_under(PyObject *object, PyRef name);
  [[nodiscard]] bool write_global(PyObject *object, PyObject *module, PyObject *name);
  [[nodiscard]] bool open_name(Tag tag, PyObject *object, PyRef names);

  // transfer/reduce.cpp: what crosses by its parts.
  [[nodiscard]] bool write_by_parts(PyObject *object, PyTypeObject *type);
  [[nodiscard]] bool find_reducer(PyTypeObject *type, PyObject *&reducer);
  [[nodiscard]] bool find_registered(PyTypeObject *type, PyObject *&reducer);
  [[nodiscard]] PyRef parts_of(PyObject *object, PyObject *reducer);
  [[nodiscard]] PyRef parts_by_protocol(PyObject *object);
  [[nodiscard]] PyRef parts_of_numpy(PyObject *object) noexcept;
  void learn_numpy(PyObject *parts) noexcept;
  [[nodiscard]] bool parts_of_foreign(PyObject *object, PyRef &parts);
  [[nodiscard]] bool open_reduce(PyObject *object, PyRef parts);
  /// Appends a note with the path to the exception that Python code of the object raised.
  void note_path();
  bool explain_refusal(PyObject *object);

  void put(Tag tag, std::uint64_t operand = 0, std::uint64_t flags = 0) {
    records_.put(make_header(tag, operand, flags));
  }
  /// Whether `object`, not met before, may be met again.
  [[nodiscard]] bool needs_number(PyObject *object) noexcept {
    // What is in a hole is also held by the survey, and by the tuple of all that are.
    const bool is_in_hole = survey_ != nullptr && frames_.size() == 1;
    return is_careful_ || Py_REFCNT(object) > (is_in_hole ? 3 : 1);
  }
  /// The flag of a record that gets a number, which it does if `needed`.
  [[nodiscard]] std::uint64_t number_if(bool needed, PyObject *object) {
    if (needed) number(object);
    return needed ? kNumbered : 0;
  }
  void number(PyObject *object);
  /// Replaces what a frame holds of the child that is being written.
  void hold(PyObject *&place, PyObject *child) noexcept;
  /// Before code may run: false, without an exception, if the walk has to start again.
  [[nodiscard]] bool is_careful_now();
  /// Forgets all that was written.
  void forget() noexcept;
  void release(Frame &frame) noexcept;
  static bool fail_changed(const char *what);
  /// Sets TransferError for `object`, which the top frame's path leads to. Returns false.
  bool refuse(PyObject *object, const char *reason = nullptr);
  [[nodiscard]] std::string path() const;
  /// From the object that is open to the one being written.
  [[nodiscard]] std::string last_step() const;
  /// Whether the sender gives away what comes next.
  [[nodiscard]] bool moves() const noexcept {
    return frames_.empty() ? is_moving_ : frames_.back().is_moving;
  }
  /// Whether what comes next is part of an object that is rebuilt: a move leaves that as it is.
  [[nodiscard]] bool is_inside() noexcept { return !frames_.empty() && frames_.back().is_inside; }

  /// Notes a container that a move leaves empty. False, and refused, if it cannot be emptied.
  [[nodiscard]] bool note_container(PyObject *object);
  [[nodiscard]] static bool is_container(PyObject *object) noexcept;

  TransferState &state_;
  const char *const root_;
  Move *const move_;
  Explainer *explainer_ = nullptr;
  bool is_careful_ = false;
  bool is_moving_ = false;
  bool copies_marked_ = false;  // what moved() marks cannot leave as it is
  bool is_read_often_ = false;
  PyObject *given_ = nullptr;
  PyRef given_parts_;  // of given_, which no longer has them
  /// What a deque contains, with a marker.
  struct GivenContents {
    std::size_t step;  // of move_: that of the deque
    PyRef marker;
    std::unique_ptr<Survey> survey;  // of the contents
  };
  std::vector<GivenContents> given_contents_;
  bool starts_again_ = false;
  MessageBuilder records_;
  SmallVector<Frame, 8> frames_;
  ObjectTable numbers_;
  std::uint64_t next_number_ = 0;
  std::vector<PyRef> numbered_;        // keeps the keys of numbers_ alive, if the walk is careful
  std::vector<PyRef> marked_;          // what moved() gave, to be handed over when the walk is done
  ArenaMemory *last_arena_ = nullptr;  // of those that the message holds
  Survey *survey_ = nullptr;           // null unless the message fills the holes of a graph
  std::vector<PyRef> *parts_ = nullptr;
  ObjectTable part_indices_;
  ShapeCache shapes_;
  Layout layouts_[kLayouts];       // some of those that were written
  std::uint8_t layouts_used_ = 0;  // a bit for each
  std::uint64_t layouts_written_ = 0;
  ObjectTable open_counts_;  // of kFrozenSet and kReduce: frames that have not made theirs
};

inline bool Encoder::push(Tag tag, PyObject *object, Py_ssize_t size) {
  const bool is_instance = tag == Tag::kReduce || tag == Tag::kInstance;
  const bool is_inside = is_instance || this->is_inside();
  const bool is_moving = moves();
  Frame *const frame = frames_.add();
  if (frame == nullptr) {
    PyErr_NoMemory();
    return false;
  }
  *frame = {
      .object = object, .size = size, .tag = tag, .is_inside = is_inside, .is_moving = is_moving};
  ++records_.plain_containers;
  const bool is_dict = tag == Tag::kDict || tag == Tag::kDictOf;
  records_.objects += static_cast<std::uint32_t>(is_dict ? 2 * size : size);
  if (tag == Tag::kReduce) ++records_.rebuilt;
  if (is_careful_) Py_INCREF(object);
  return true;
}

/// As encode(), and hands over what only `exception`, which may be null, holds. The caller alone
/// has it, and drops it.
[[nodiscard]] Status encode_giving(PyObject *object, PyObject *exception, const char *root,
                                   Message &message, Move &move);
/// As Move::encode(), by copies.
[[nodiscard]] Status encode_moving(PyObject *object, const char *root, Message &message,
                                   Move &move);

}  // namespace interlock
