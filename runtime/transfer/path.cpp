// SPDX-License-Identifier: MIT
// Names for people: the path from the root of a message to the object being written, and refusals.
#include <algorithm>
#include <cstring>

#include "transfer/encoder.hpp"
#include "transfer/explain.hpp"

namespace interlock {
namespace {

constexpr std::size_t kMostShown = 12;  // steps at either end of a long path

std::string repr_of(PyObject *object) {
  const PyRef repr = PyRef::steal(PyObject_Repr(object));
  const char *const text = repr ? PyUnicode_AsUTF8(repr.get()) : nullptr;
  if (text == nullptr) {
    PyErr_Clear();
    return "?";
  }
  return std::strlen(text) <= 60 ? text : std::string(text, 57) + "...";
}

std::string name_of(PyObject *object) {
  const PyRef text = PyRef::steal(PyObject_Str(object));
  const char *const bytes = text ? PyUnicode_AsUTF8(text.get()) : nullptr;
  if (bytes != nullptr) return bytes;
  PyErr_Clear();
  return "?";
}

/// "a generator", "an open file": the type's own name, with its article.
std::string kind_of(PyObject *object) {
  std::string name = Py_TYPE(object)->tp_name;
  if (PyModule_Check(object)) {
    if (const char *module = PyModule_GetName(object)) return std::string("module ") + module;
    PyErr_Clear();
  }
  if (PyType_Check(object))
    return "class " + std::string(reinterpret_cast<PyTypeObject *>(object)->tp_name);
  name = name.substr(name.rfind('.') + 1);
  const bool vowel = !name.empty() && std::strchr("aeiouAEIOU", name[0]) != nullptr;
  return (vowel ? "an " : "a ") + name;
}

}  // namespace

/// Turns frames into steps of a path, lowest first.
class PathWriter {
 public:
  explicit PathWriter(const Encoder &encoder) : encoder_(encoder) {}

  std::string write() {
    std::vector<std::string> steps;
    for (const auto &frame : encoder_.frames_) steps.push_back(step(frame));
    std::erase_if(steps, [](const std::string &each) { return each.empty(); });
    const bool is_call = std::strcmp(encoder_.root_, "call") == 0 && !steps.empty();
    std::string path = is_call ? call_part(steps.front()) : encoder_.root_;
    if (is_call) steps.erase(steps.begin());
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (i == kMostShown && steps.size() > 2 * kMostShown + 1) {
        i = steps.size() - kMostShown;
        path += "...";
      }
      path += steps[i];
    }
    return path;
  }

  /// The last one. What a dict holds is known three steps before, or more around what moved()
  /// marks.
  std::string write_last() {
    const std::size_t count = encoder_.frames_.size();
    std::string last;
    for (std::size_t i = count < 6 ? 0 : count - 6; i < count; ++i)
      last = step(encoder_.frames_[i]);
    return last;
  }

 private:
  static std::string call_part(const std::string &step) {
    return step == "[0]" ? "function" : step == "[1]" ? "args" : "kwargs";
  }

  /// The last key or name of a shape that was begun.
  PyObject *key_of(const Encoder::Frame &frame) const {
    return encoder_.key_of(static_cast<std::size_t>(frame.position),
                           static_cast<std::size_t>(frame.next - 1));
  }

  std::string step(const Encoder::Frame &frame) {
    const bool attributes = std::exchange(attributes_, false);
    const Py_ssize_t before = std::exchange(before_, 0);
    const std::string index = "[" + std::to_string(before + frame.next - 1) + "]";
    switch (frame.tag) {
      case Tag::kTuple:
        attributes_ = attributes;  // (state of __dict__, state of __slots__)
        return attributes ? "" : index;
      case Tag::kList:
        return index;
      case Tag::kDict:
        if (frame.value != nullptr) return ".keys()" + index;
        return key_step(frame.child, attributes);
      case Tag::kDictOf:
        return key_step(key_of(frame), attributes);
      case Tag::kInstance:
        return "." + name_of(key_of(frame));
      case Tag::kLayout:
        return ".__class__";
      case Tag::kReduce:
        return reduce_step(frame);
      case Tag::kMoved:
        attributes_ = attributes;
        return "";
      default:
        return ".elements()" + index;
    }
  }

  static std::string key_step(PyObject *key, bool attributes) {
    if (key == nullptr) return "";
    return attributes && PyUnicode_Check(key) ? "." + name_of(key) : "[" + repr_of(key) + "]";
  }

  std::string reduce_step(const Encoder::Frame &frame) {
    if (frame.next == frame.size && (frame.parts & kState) != 0) {
      attributes_ = true;
      return "";
    }
    const std::string parts = ".__reduce_ex__(5)";
    if (!frame.is_new || frame.next > 2) return parts + "[" + std::to_string(frame.next - 1) + "]";
    before_ = 1;  // the class is the first argument
    return parts + (frame.next == 1 ? "[1][0]" : "[1]");
  }

  const Encoder &encoder_;
  bool attributes_ = false;  // the next dict holds attributes
  Py_ssize_t before_ = 0;    // items of the next tuple that stand elsewhere
};

std::string Encoder::path() const { return PathWriter(*this).write(); }

std::string Encoder::last_step() const { return PathWriter(*this).write_last(); }

bool Encoder::refuse(PyObject *object, const char *reason) {
  if (explainer_ != nullptr) explainer_->note_reason(reason);
  const std::string text = path() + ": " + kind_of(object) + " cannot leave its interpreter" +
                           (reason != nullptr ? std::string(": ") + reason : "");
  PyErr_SetString(state_.transfer_error, text.c_str());
  return false;
}

void Encoder::note_path() {
  if (survey_ != nullptr) return;  // it would not begin at the root
  const PyRef exception = PyRef::steal(PyErr_GetRaisedException());
  const PyRef done = PyRef::steal(
      PyObject_CallMethod(exception.get(), "add_note", "s", ("while copying " + path()).c_str()));
  if (!done) PyErr_Clear();
  PyErr_SetRaisedException(Py_NewRef(exception.get()));
}

}  // namespace interlock
