// SPDX-License-Identifier: MIT
// Rebuilds objects from records. Like the encoder without recursion: a frame for each object whose
// children are still to come. A message is made by this process, so its layout is not doubted; but
// what it rebuilds may run code, which may change what is still being filled.
#pragma once

#include <vector>

#include "base/small_vector.hpp"
#include "memory/message.hpp"
#include "memory/message_format.hpp"
#include "transfer/collector_pace.hpp"
#include "transfer/moved_graph.hpp"
#include "transfer/transfer.hpp"

namespace interlock {

class Decoder {
 public:
  /// `limit`: how many children of the top-level object to build. `graph`: null, or in which the
  /// object is to stand.
  Decoder(const Message &message, std::size_t limit, const MovedGraph *graph = nullptr)
      : message_(message),
        inline_(message.is_inline() ? message.header() : 0),
        next_(message.is_inline() ? &inline_ : message.body()->words()),
        end_(next_ + (message.is_inline() ? 1 : message.body()->size)),
        limit_(limit),
        graph_(graph) {}
  /// Of a message whose first record describes instances of `type`, which was imported.
  Decoder(const Message &message, PyObject *type) : Decoder(message, SIZE_MAX) { type_ = type; }
  ~Decoder();
  Decoder(const Decoder &) = delete;
  Decoder &operator=(const Decoder &) = delete;

  /// The object (new reference), or null with a Python exception set.
  [[nodiscard]] PyObject *run();

 private:
  /// How an instance gets its attributes.
  enum class Filling : std::uint8_t {
    kInline,   // into the places that it has for them
    kInDict,   // into its __dict__
    kInSlots,  // into its slots
    kByState,  // all together, as its class wants it
  };
  /// How some instances look.
  struct Layout {
    PyRef type;
    PyRef shape;  // a dict with the names of their attributes
  };

  /// References are owned.
  struct Frame {
    PyObject *object = nullptr;  // null for what is made after its children
    PyObject *first = nullptr;   // kDict: the key; kReduce: the callable; kFrozenSet: a list;
                                 // kInstance: a dict, kByState
    PyObject *second = nullptr;  // kReduce: the arguments, later the state setter; kDictOf,
                                 // kLayout: a dict with the names of its shape
    std::size_t size = 0;        // children that this stage takes
    std::size_t have = 0;
    std::size_t slot = 0;  // kGlobal, kModule: its number, taken before those of its children
                           // kTuple: whether it gets one; kInstance: that of the layout
    Tag tag;
    std::uint8_t parts = 0;    // kReduce: of BuildPart, those not yet applied
    bool has_objects = false;  // kTuple, kDictOf: some that the collector may know
    bool is_own = false;       // made here, by CPython alone
    Filling filling = Filling::kInDict;
  };

  [[nodiscard]] PyObject *read_all();
  /// Reads children of the top frame for as long as they are leaves.
  [[nodiscard]] bool fill(Frame &frame);
  [[nodiscard]] static bool is_leaf(std::uint64_t header) noexcept {
    return tag_of(header) < Tag::kTuple;
  }
  [[nodiscard]] PyObject *read_numbered_leaf(std::uint64_t header);
  /// Reads one record. It gives an object, or opens a frame, or completes a late one.
  [[nodiscard]] bool read(PyObject *&object);
  [[nodiscard]] PyObject *read_leaf(std::uint64_t header);
  [[nodiscard]] PyObject *read_moved(MovedGraph &graph);
  [[nodiscard]] PyObject *read_marked(Py_ssize_t index);
  [[nodiscard]] bool read_shape(std::size_t size);
  [[nodiscard]] bool open(std::uint64_t header);
  [[nodiscard]] bool open_container(Frame &frame, std::uint64_t header);
  [[nodiscard]] bool build(std::uint64_t header);
  [[nodiscard]] bool use(std::uint64_t header);

  /// Gives `child`, which it takes over, to the top frame.
  [[nodiscard]] bool add(Frame &frame, PyObject *child);
  [[nodiscard]] static bool add_item(Frame &frame, PyObject *child);
  [[nodiscard]] bool set_shape(Frame &frame, std::uint64_t header);  // transfer/known_names.cpp
  [[nodiscard]] bool add_shaped(Frame &frame, std::size_t index, PyObject *child);
  [[nodiscard]] static bool add_part(Frame &frame, PyObject *child);
  // transfer/named.cpp
  [[nodiscard]] PyObject *read_known_global(std::size_t number);
  [[nodiscard]] PyObject *read_definition(Shared &shared);
  // transfer/instance.cpp
  void add_layout(Frame &frame, PyObject *type);
  [[nodiscard]] bool open_instance(Frame &frame);
  [[nodiscard]] bool add_attribute(Frame &frame, std::size_t index, PyObject *value);
  [[nodiscard]] static bool finish_instance(const Frame &frame);
  [[nodiscard]] bool import(Frame &frame);
  /// The object of a frame that is complete, if it is of one; the frame is gone.
  [[nodiscard]] bool close(Frame &frame, PyObject *&object);
  [[nodiscard]] PyObject *close_tuple(PyObject *tuple);
  [[nodiscard]] static bool is_complete(const Frame &frame) noexcept {
    const bool late = frame.tag == Tag::kReduce || frame.tag == Tag::kFrozenSet;
    return frame.have == frame.size && (!late || frame.object != nullptr);
  }
  static void release(Frame &frame) noexcept;
  /// Tells the collector of a container that is complete.
  void track(const Frame &frame, PyObject *object);
  [[nodiscard]] PyObject **add_number();
  void number(PyObject *object) { *add_number() = Py_NewRef(object); }
  [[nodiscard]] PyObject *numbered(std::size_t index) const noexcept { return numbered_[index]; }

  const Message &message_;
  const std::uint64_t inline_;  // the record of a message that has no body
  const std::uint64_t *next_;
  const std::uint64_t *const end_;
  const std::size_t limit_;
  const MovedGraph *const graph_;
  PyObject *type_ = nullptr;  // what the next place of a class leads to, if that is known
  SmallVector<Frame, 8> frames_;
  SmallVector<PyObject *, 8> numbered_;  // owned
  std::vector<PyRef> shapes_;            // a dict of each, with None as values
  PyRef marked_;                         // the list of what kMarked refers to
  std::vector<Layout> layouts_;
  CollectorPause pause_;
};

}  // namespace interlock
