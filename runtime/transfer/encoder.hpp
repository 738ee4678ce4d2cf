// SPDX-License-Identifier: MIT
// Walks an object graph and writes it as records. Without recursion: what is open stands on a stack
// of frames, so that depth is bounded by memory alone, and names the path to a refused object.
#pragma once

#include <string>
#include <vector>

#include "memory/message.hpp"
#include "memory/message_format.hpp"
#include "transfer/object_table.hpp"
#include "transfer/transfer.hpp"

namespace interlock {

/// A container as it was when it was copied.
struct CopiedContainer {
  PyRef object;
  Py_ssize_t size = 0;  // of a list, dict or bytearray
  PyRef elements;       // of a set: the same ones, in another
};

class Encoder {
 public:
  /// `containers`: null, or where to note the containers that a move leaves empty.
  Encoder(TransferState &state, const char *root,
          std::vector<CopiedContainer> *containers = nullptr)
      : state_(state), root_(root), containers_(containers) {}

  /// Writes `object` and what it reaches. False with a Python exception set.
  [[nodiscard]] bool run(PyObject *object);
  [[nodiscard]] Message take() { return Message(std::move(body_)); }

 private:
  friend class PathWriter;  // transfer/path.cpp

  /// An object whose children are being written.
  struct Frame {
    Tag tag;
    std::uint8_t parts = 0;  // kReduce, from kBuild on: BuildPart
    bool numbered = false;   // it has its number, or a tuple: gets one at its end
    bool is_inside = false;  // of an object that is rebuilt from its parts
    PyRef object;
    PyRef items;              // a tuple of the children, where the object itself does not hold them
    Py_ssize_t size = 0;      // children to write
    Py_ssize_t next = 0;      // children begun
    Py_ssize_t position = 0;  // kDict: of PyDict_Next
    PyRef held;   // kList: the child being written, which the list may let go; kDict: its key
    PyRef value;  // kDict: the value to write next, or being written
    bool value_due = false;  // kDict: the key is being written
  };

  [[nodiscard]] bool step();
  [[nodiscard]] bool next_child(Frame &frame, PyObject *&child);
  [[nodiscard]] bool next_of_dict(Frame &frame, PyObject *&child);
  [[nodiscard]] bool next_of_reduce(Frame &frame, PyObject *&child);
  [[nodiscard]] bool close(Frame &frame);
  [[nodiscard]] bool close_tuple(Frame &frame);

  [[nodiscard]] bool write(PyObject *object);
  [[nodiscard]] bool write_leaf(PyObject *object, PyTypeObject *type, bool &written);
  [[nodiscard]] bool write_int(PyObject *object);
  void write_text(PyObject *object);
  void write_data(Tag tag, std::size_t count, const void *data, std::size_t size,
                  std::uint64_t flags = 0);
  [[nodiscard]] bool write_again(PyObject *object);
  [[nodiscard]] bool write_shared(PyObject *object);
  [[nodiscard]] bool open_container(PyObject *object, PyTypeObject *type, bool &opened);
  [[nodiscard]] bool open_late(Tag tag, PyObject *object, PyRef items, Py_ssize_t size);
  [[nodiscard]] bool open_items(Tag tag, PyObject *object, Py_ssize_t size);
  void push(Tag tag, PyObject *object, PyRef items, Py_ssize_t size);
  [[nodiscard]] bool made_meanwhile(PyObject *object);
  [[nodiscard]] bool open_elements(Tag tag, PyObject *object);

  // transfer/reduce.cpp: what crosses by name or by its parts.
  [[nodiscard]] bool write_by_parts(PyObject *object, PyTypeObject *type);
  [[nodiscard]] bool find_reducer(PyTypeObject *type, PyObject *&reducer);
  [[nodiscard]] PyRef parts_of(PyObject *object, PyObject *reducer);
  [[nodiscard]] PyRef parts_by_protocol(PyObject *object);
  [[nodiscard]] bool open_reduce(PyObject *object, PyRef parts);
  [[nodiscard]] bool open_name(Tag tag, PyObject *object, PyRef names);
  [[nodiscard]] bool write_module(PyObject *object);
  [[nodiscard]] bool write_named(PyObject *object, bool &written);
  /// Appends a note with the path to the exception that Python code of the object raised.
  void note_path();
  bool explain_refusal(PyObject *object);

  void put(Tag tag, std::uint64_t operand = 0, std::uint64_t flags = 0) {
    body_.words.push_back(make_header(tag, operand, flags));
  }
  void number(PyObject *object);
  /// Sets TransferError for `object`, which the top frame's path leads to. Returns false.
  bool refuse(PyObject *object, const char *reason = nullptr);
  [[nodiscard]] std::string path() const;

  /// Notes a container that a move leaves empty. False, and refused, if it cannot be emptied.
  [[nodiscard]] bool note_container(PyObject *object, PyTypeObject *type);

  TransferState &state_;
  const char *const root_;
  std::vector<CopiedContainer> *const containers_;
  Message::Body body_;
  std::vector<Frame> frames_;
  ObjectTable numbers_;
  std::vector<PyRef> numbered_;  // keeps the keys of numbers_ alive
  ObjectTable open_counts_;      // of kFrozenSet and kReduce: frames that have not made theirs
};

/// As encode(), and notes the containers that a move leaves empty.
[[nodiscard]] Status encode_noting(PyObject *object, const char *root, Message &message,
                                   std::vector<CopiedContainer> &containers);

}  // namespace interlock
