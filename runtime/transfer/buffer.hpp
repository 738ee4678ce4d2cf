// SPDX-License-Identifier: MIT
// Memory that several interpreters look at: what an object exports by the buffer protocol, lent by
// its owner, or bytes that a message brought along. Nobody's reference counts are shared; the
// layout (format, shape, strides) is a copy.
#pragma once

#include <string>
#include <vector>

#include "base/python_compat.hpp"
#include "base/ref.hpp"
#include "interpreter/returns.hpp"

namespace interlock {

/// What keeps bytes valid until the last Buffer of it goes, on any thread.
class Memory : public RefCounted {
 public:
  /// Who gets it back; null if nobody does.
  [[nodiscard]] virtual Returns *home() noexcept { return nullptr; }
};

class Buffer final : public Shared {
 public:
  /// What the receiver gets: a memoryview or a pickle.PickleBuffer.
  enum class Face : std::uint8_t { kMemoryView, kPickleBuffer };

  /// Bytes from `start` on, laid out as `layout` says. `tier`: for weight().
  Buffer(Face face, Tier tier, Ref<Memory> memory, void *start, const Py_buffer &layout);

  [[nodiscard]] Kind kind() const noexcept override { return Kind::kBuffer; }
  [[nodiscard]] Weight weight() const noexcept override {
    return {tier_, 1, static_cast<std::uint64_t>(view_.len)};
  }
  [[nodiscard]] Face face() const noexcept { return face_; }
  [[nodiscard]] const Ref<Memory> &memory() const noexcept { return memory_; }
  [[nodiscard]] const Py_buffer &layout() const noexcept { return view_; }
  /// As bf_getbuffer of `exporter`, which has a reference to this.
  [[nodiscard]] int export_as(PyObject *exporter, Py_buffer *view, int flags) noexcept;

 private:
  [[nodiscard]] const char *reason_against(int flags) const noexcept;

  const Face face_;
  const Tier tier_;
  const Ref<Memory> memory_;
  std::string format_;
  std::vector<Py_ssize_t> shape_;
  std::vector<Py_ssize_t> strides_;
  std::vector<Py_ssize_t> suboffsets_;
  Py_buffer view_{};
};

// All three are null with a Python exception set: a BufferError or ValueError that says why there
// is nothing to cross, or a MemoryError.

/// Lends the memory behind `view`, a memoryview that the caller made for it. What was lent to this
/// interpreter is lent on, so that its owner does not change. `tier`: kShared, or kMoved where the
/// owner is not to use it any more.  Thread: attached.
[[nodiscard]] Ref<Buffer> lend_buffer(PyRef view, Buffer::Face face, Tier tier);
/// Copies it, once.  Thread: attached.
[[nodiscard]] Ref<Buffer> copy_buffer(PyObject *view, Buffer::Face face);
/// A memoryview of what `object` exports, fit to be handed to these.  Thread: attached.
[[nodiscard]] PyRef open_buffer(PyObject *object);

/// The object in each interpreter that exports a Buffer; of the type TransferState::buffer.
struct BufferObject {
  PyObject_HEAD Buffer *buffer;  // owned
};

}  // namespace interlock
