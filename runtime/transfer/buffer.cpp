// SPDX-License-Identifier: MIT
#include "transfer/buffer.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "transfer/encoder.hpp"
#include "transfer/numpy.hpp"
#include "transfer/owner_check.hpp"

namespace interlock {
namespace {

class Block final : public Memory {
 public:
  explicit Block(std::size_t size) : data_(std::malloc(size != 0 ? size : 1)) {}
  [[nodiscard]] void *data() const noexcept { return data_; }

 private:
  ~Block() override { std::free(data_); }
  void *const data_;
};

/// A memoryview that keeps an exporter in its interpreter from changing what it exports.
class Loan final : public Returned {
 public:
  explicit Loan(PyRef view) noexcept : held_(view.release()) {}

  void release_at_home() noexcept override {
    Py_DECREF(held_);
    delete this;
  }
  /// Bytes that nothing but this loan has are taken out of the view, which leads to its
  /// interpreter.
  void owner_ends() noexcept override {
    take_bytes();
    if (is_alone_) {
      owner_tags::leave_leaf(held_);
    } else {
      // It stays for ever, and nobody is to explain its references.
      Py_SET_REFCNT(held_, Py_REFCNT(held_) + kManyReferences);
    }
  }
  void release_after_end() noexcept override {
    if (is_alone_) {
      if (PyByteArray_CheckExact(held_)) ByteArrayStorage::free(held_);
      PyObject_Free(held_);
    }
    delete this;
  }

 private:
  static constexpr Py_ssize_t kManyReferences = 1 << 20;

  void take_bytes() noexcept {
    PyObject *const base = PyMemoryView_GET_BASE(held_);
    if (base == nullptr || !SharedAllocator::is_in_use()) return;
    if (!PyBytes_CheckExact(base) && !PyByteArray_CheckExact(base)) return;
    if (Py_REFCNT(base) != 1 || Py_REFCNT(held_) != 1) return;
    Py_INCREF(base);
    Py_DECREF(std::exchange(held_, base));
    is_alone_ = Py_REFCNT(base) == 1;
  }

  PyObject *held_;
  bool is_alone_ = false;
};

class LentMemory final : public Memory {
 public:
  LentMemory(Ref<Returns> home, Loan *loan) : home_(std::move(home)), loan_(loan) {}
  [[nodiscard]] Returns *home() noexcept override { return home_.get(); }

 private:
  ~LentMemory() override { home_->give_back(loan_); }
  const Ref<Returns> home_;
  Loan *const loan_;
};

/// Whether items are, or contain, references to objects: 'O', but not in the name of a field
/// (PEP 3118: between colons).
bool holds_objects(const char *format) noexcept {
  bool is_name = false;
  for (; format != nullptr && *format != '\0'; ++format) {
    if (*format == ':') is_name = !is_name;
    if (*format == 'O' && !is_name) return true;
  }
  return false;
}

/// Where bytes begin and end; nowhere if there are none, or if pointers lead to them.
struct Extent {
  const char *begin = nullptr;
  const char *end = nullptr;
};
Extent extent_of(const Py_buffer &layout) noexcept {
  if (layout.len == 0 || layout.suboffsets != nullptr) return {};
  const auto *begin = static_cast<const char *>(layout.buf);
  if (layout.strides == nullptr) return {begin, begin + layout.len};
  const char *end = begin + layout.itemsize;
  for (int i = 0; i < layout.ndim; ++i) {
    const Py_ssize_t way = layout.strides[i] * (layout.shape[i] - 1);
    (way < 0 ? begin : end) += way;
  }
  return {begin, end};
}

/// What an object that exports memory has it from, if that is known of its type; else null.
PyRef origin_of(PyObject *object) noexcept {
  if (PyMemoryView_Check(object)) return PyRef::borrow(PyMemoryView_GET_BASE(object));
  PyRef origin;
  if (PyPickleBuffer_Check(object)) {
    const Py_buffer *const view = PyPickleBuffer_GetBuffer(object);
    if (view != nullptr) origin = PyRef::borrow(view->obj);
  } else if (is_ndarray(Py_TYPE(object))) {
    origin = PyRef::steal(PyObject_GetAttrString(object, "base"));
  }
  PyErr_Clear();
  return origin;
}

/// The exporter of this module in whose memory all that a view shows lies, because it was made of
/// that through other views and arrays; or null.
PyRef received_base(PyObject *view, PyTypeObject *type) noexcept {
  PyRef base = origin_of(view);
  while (base && !Py_IS_TYPE(base.get(), type)) base = origin_of(base.get());
  if (!base) return base;
  // An array may have been told to look elsewhere.
  const Extent all = extent_of(reinterpret_cast<BufferObject *>(base.get())->buffer->layout());
  const Extent shown = extent_of(*PyMemoryView_GET_BUFFER(view));
  const bool is_within = all.begin == nullptr || (all.begin <= shown.begin && shown.end <= all.end);
  return is_within ? std::move(base) : PyRef();
}

Ref<Memory> lend_memory(PyRef view) {
  Returns *const home = Returns::current();
  auto loan = new Loan(std::move(view));
  if (home != nullptr && home->lend(*loan)) return make_ref<LentMemory>(Ref<Returns>(home), loan);
  loan->release_at_home();
  PyErr_SetString(PyExc_BufferError, "its interpreter ends");
  return {};
}

constexpr const char *kHasMoved = "it has moved with another part of the message";

bool is_contiguous(const Py_buffer &view) noexcept {
  return PyBuffer_IsContiguous(&view, 'A') != 0;
}

}  // namespace

Buffer::Buffer(Face face, Tier tier, Ref<Memory> memory, void *start, const Py_buffer &layout)
    : face_(face), tier_(tier), memory_(std::move(memory)) {
  const auto copy = [&](const Py_ssize_t *numbers, std::vector<Py_ssize_t> &to) {
    if (numbers != nullptr) to.assign(numbers, numbers + layout.ndim);
    return numbers != nullptr && layout.ndim != 0 ? to.data() : nullptr;
  };
  view_.buf = start;
  view_.len = layout.len;
  view_.itemsize = layout.itemsize;
  view_.readonly = layout.readonly;
  view_.ndim = layout.ndim;
  format_ = layout.format != nullptr ? layout.format : "B";
  view_.format = format_.data();
  view_.shape = copy(layout.shape, shape_);
  view_.strides = copy(layout.strides, strides_);
  view_.suboffsets = copy(layout.suboffsets, suboffsets_);
}

const char *Buffer::reason_against(int flags) const noexcept {
  const auto wants = [&](int what) { return (flags & what) == what; };
  const auto is = [&](char order) { return PyBuffer_IsContiguous(&view_, order) != 0; };
  if (wants(PyBUF_WRITABLE) && view_.readonly) return "underlying buffer is not writable";
  if (wants(PyBUF_C_CONTIGUOUS) && !is('C')) return "underlying buffer is not C-contiguous";
  if (wants(PyBUF_F_CONTIGUOUS) && !is('F')) return "underlying buffer is not Fortran contiguous";
  if (wants(PyBUF_ANY_CONTIGUOUS) && !is('A')) return "underlying buffer is not contiguous";
  if (!wants(PyBUF_INDIRECT) && view_.suboffsets != nullptr)
    return "underlying buffer requires suboffsets";
  if (!wants(PyBUF_STRIDES) && !is('C')) return "underlying buffer is not C-contiguous";
  return nullptr;
}

int Buffer::export_as(PyObject *exporter, Py_buffer *view, int flags) noexcept {
  if (const char *const reason = reason_against(flags)) {
    view->obj = nullptr;
    PyErr_SetString(PyExc_BufferError, reason);
    return -1;
  }
  *view = view_;
  view->obj = Py_NewRef(exporter);
  if ((flags & PyBUF_FORMAT) == 0) view->format = nullptr;
  if ((flags & PyBUF_ND) == 0) {
    view->ndim = 1;
    view->shape = nullptr;
  }
  if ((flags & PyBUF_STRIDES) != PyBUF_STRIDES) view->strides = nullptr;
  return 0;
}

PyRef open_buffer(PyObject *object) {
  PyRef view = PyRef::steal(PyMemoryView_FromObject(object));
  if (!view || !holds_objects(PyMemoryView_GET_BUFFER(view.get())->format)) return view;
  PyErr_SetString(PyExc_BufferError, "its items are objects");
  return {};
}

Ref<Buffer> lend_buffer(PyRef view, Buffer::Face face, Tier tier) {
  TransferState *const state = transfer_state();
  if (state == nullptr) return {};
  const Py_buffer layout = *PyMemoryView_GET_BUFFER(view.get());
  if (layout.len == 0) return copy_buffer(view.get(), face);  // there is nothing to be shared
  if (const PyRef base = received_base(view.get(), state->buffer)) {
    const Buffer *const received = reinterpret_cast<BufferObject *>(base.get())->buffer;
    return make_ref<Buffer>(face, tier, received->memory(), layout.buf, layout);
  }
  // The layout's arrays are the view's, which the loan keeps.
  Ref<Memory> memory = lend_memory(std::move(view));
  if (!memory) return {};
  return make_ref<Buffer>(face, tier, std::move(memory), layout.buf, layout);
}

Ref<Buffer> copy_buffer(PyObject *view, Buffer::Face face) {
  Py_buffer layout = *PyMemoryView_GET_BUFFER(view);
  Ref<Block> block = make_ref<Block>(static_cast<std::size_t>(layout.len));
  if (block->data() == nullptr) {
    PyErr_NoMemory();
    return {};
  }
  std::vector<Py_ssize_t> strides(static_cast<std::size_t>(layout.ndim));
  if (is_contiguous(layout)) {
    if (layout.len != 0)
      std::memcpy(block->data(), layout.buf, static_cast<std::size_t>(layout.len));
  } else {
    if (PyBuffer_ToContiguous(block->data(), &layout, layout.len, 'C') != 0) return {};
    PyBuffer_FillContiguousStrides(layout.ndim, layout.shape, strides.data(),
                                   static_cast<int>(layout.itemsize), 'C');
    layout.strides = strides.data();
    layout.suboffsets = nullptr;
  }
  void *const start = block->data();
  return make_ref<Buffer>(face, Tier::kCopied, Ref<Memory>(std::move(block)), start, layout);
}

bool Encoder::is_buffer(PyObject *object, PyTypeObject *type) noexcept {
  return PyMemoryView_Check(object) || PyPickleBuffer_Check(object) ||
         std::strcmp(type->tp_name, "mmap.mmap") == 0;
}

/// After open_buffer() and its like: says where it was. A refusal, but for want of memory.
bool Encoder::refuse_buffer(PyObject *object) {
  if (PyErr_ExceptionMatches(PyExc_MemoryError)) return false;
  const PyRef raised = PyRef::steal(PyErr_GetRaisedException());
  const PyRef text = PyRef::steal(PyObject_Str(raised.get()));
  const char *const reason = text ? PyUnicode_AsUTF8(text.get()) : nullptr;
  if (reason == nullptr) PyErr_Clear();
  return refuse(object, reason);
}

/// A move does not empty what lends itself as one of its own parts. It cannot lend what it empties:
/// false then, and refused.
bool Encoder::spare_lent(PyObject *object, PyObject *owner) {
  if (owner == nullptr || !is_container(owner)) return true;
  if (survey_ != nullptr && survey_->is_part(owner)) return refuse(object, kHasMoved);
  const auto noted = std::ranges::find_if(
      move_->steps, [owner](const CopiedContainer &each) { return each.object.get() == owner; });
  if (noted == move_->steps.end()) return true;
  const bool is_open =
      std::ranges::any_of(frames_, [owner](const Frame &each) { return each.object == owner; });
  if (!is_open) return refuse(object, kHasMoved);
  move_->steps.erase(noted);
  return true;
}

bool Encoder::write_buffer(PyObject *object) {
  PyRef view = open_buffer(object);
  if (!view) return refuse_buffer(object);
  if (moves() && !spare_lent(object, PyMemoryView_GET_BUFFER(view.get())->obj)) return false;
  const bool is_part = PyPickleBuffer_Check(object) && is_inside();
  const bool is_copied = is_part && !moves();
  if (is_copied && is_read_often_) return write_bytes_of(object, view.get());
  const auto face =
      PyPickleBuffer_Check(object) ? Buffer::Face::kPickleBuffer : Buffer::Face::kMemoryView;
  Ref<Buffer> buffer =
      is_copied ? copy_buffer(view.get(), face)
                : lend_buffer(std::move(view), face, is_part ? Tier::kMoved : Tier::kShared);
  if (!buffer) return refuse_buffer(object);
  put(Tag::kShared, records_.shared.size(), number_if(true, object));
  records_.shared.emplace_back(std::move(buffer));
  return true;
}

/// In the message itself, from which every reader makes its own.
bool Encoder::write_bytes_of(PyObject *object, PyObject *view) {
  const Py_buffer &layout = *PyMemoryView_GET_BUFFER(view);
  const auto size = static_cast<std::size_t>(layout.len);
  const Tag tag = layout.readonly ? Tag::kBytes : Tag::kByteArray;
  void *const room = records_.put_room(make_header(tag, size, number_if(true, object)), size);
  const char order = PyBuffer_IsContiguous(&layout, 'F') ? 'F' : 'C';
  if (room == nullptr || size == 0) return true;  // for want of memory, the end of the walk fails
  return PyBuffer_ToContiguous(room, &layout, layout.len, order) == 0;
}

}  // namespace interlock
