// SPDX-License-Identifier: MIT
// What a send would do with each part of an object. An Explainer looks on while the encoder writes
// the message; what is refused is noted, and None written in its place. Nothing is sent.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "transfer/detach.hpp"
#include "transfer/encoder.hpp"
#include "transfer/object_table.hpp"

namespace interlock {

/// A part that is shown.
struct Part {
  static constexpr std::size_t kNone = SIZE_MAX;

  std::size_t parent = kNone;   // index of the part that contains it
  std::string step;             // from there: "[3]", ".name"; the whole path if there is no parent
  std::string type;             // its name
  std::string reason;           // or the name of what crosses by its name
  std::size_t same_as = kNone;  // the part that it is
  std::uint64_t size = 0;       // bytes in its interpreter, without its parts
  Tier tier = Tier::kCopied;
};

struct Explanation {
  /// Parts that are not shown: so many of this type in this part.
  struct Rest {
    std::size_t parent;
    std::string type;
    Tier tier;
    std::uint64_t count = 0;
  };
  struct Total {
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
  };

  std::vector<Part> parts;  // a part stands after the one that contains it
  std::vector<Rest> rests;
  std::array<Total, kTiers> totals{};  // of all parts, shown or not
};

class Explainer {
 public:
  explicit Explainer(Explanation &result) noexcept : result_(result) {}
  /// The object moves as it is: `detachment` has taken it, and given it back.
  void set_detachment(Detachment &detachment) noexcept { detachment_ = &detachment; }

  // For the encoder, in place of its own functions of the same name.
  [[nodiscard]] bool write_leaf(Encoder &encoder, PyObject *object);
  [[nodiscard]] bool write_other(Encoder &encoder, PyObject *object);
  /// The walk begins again.
  void forget();
  /// Why the object that is being written is refused, if there is more to say than that.
  void note_reason(const char *reason) { reason_ = reason != nullptr ? reason : ""; }

 private:
  /// A container whose children are being written.
  struct Open {
    std::size_t part = Part::kNone;
    std::string prefix;       // of its children's steps, if it is not shown itself
    Py_ssize_t children = 0;  // of a set that is written at once
    bool is_hidden = false;   // as are all that it contains
    bool is_inner = false;    // no part of the object, but of how it is described
  };
  /// What is known of an object before it is written.
  struct Place {
    Open open;
    std::string step;
    std::size_t depth = 0;    // frames of the encoder
    bool is_moving = false;   // the sender gives it away
    bool is_shown = false;    // then open.part is its own from add_part() on; else of who shows it
    bool is_rest = false;     // it is counted where it would be shown
    bool is_through = false;  // its children are shown in its place
  };

  [[nodiscard]] Place place_of(Encoder &encoder, PyObject *object);
  [[nodiscard]] static bool is_description(const Encoder &encoder, PyObject *object);
  [[nodiscard]] static bool is_seen_through(const Encoder &encoder, PyObject *object);
  [[nodiscard]] bool is_beginning() const noexcept { return beginning_ != nullptr; }
  void add_part(Place &place);
  void note(Encoder &encoder, PyObject *object, const Place &place, std::size_t position);
  void note_refusal(Encoder &encoder, PyObject *object, const Place &place);
  void note_rest(std::size_t parent, PyObject *object, Tier tier);
  void count(Tier tier, std::uint64_t size);
  void remember(PyObject *object, std::uint64_t what);
  [[nodiscard]] Tier tier_of_record(Encoder &encoder, PyObject *object, const Place &place, Tag tag,
                                    std::size_t position);
  [[nodiscard]] static std::string name_of_definition(PyObject *object, bool is_by_name);

  Explanation &result_;
  Detachment *detachment_ = nullptr;
  std::vector<Open> open_;         // one for each frame of the encoder, and for what is being begun
  PyObject *beginning_ = nullptr;  // of the last one, which has no frame yet
  ObjectTable seen_;               // what is remembered of an object
  std::string reason_;
};

/// What encode() would do, or with `moves` Move::encode(). Changes nothing.
/// Thread: attached.  Locks: interpreter lock held; may run Python code, as encode().
/// Errors: kEPYTHON (what is no refusal: KeyboardInterrupt, want of memory, a container that
/// changes meanwhile).
[[nodiscard]] Status explain(PyObject *object, const char *root, bool moves, Explanation &result);

}  // namespace interlock
