# SPDX-License-Identifier: MIT
"""explain(): how each part of an object would cross, before it is sent."""

import collections
import types

import _interlock

_MOST_REFUSED = 20  # lines for what is refused among what is not shown


class Part(collections.namedtuple("Part", "path type tier size reason depth")):
    """One part of what was explained.

    path: as TransferError gives it. type: the name of its type. tier: "shared", "moved", "copied", "rebuilt" or
    "refused". size: bytes that it takes in this interpreter, without its parts. reason: why it is refused; the name
    of what crosses by name; or where the same object stands that crosses but once. depth: 0 for the whole.
    """

    __slots__ = ()


class Explanation:
    """What explain() found. Iterable over its Parts, each before those that it contains; str() is a table.

    Keys of dicts that hold nothing themselves are no Parts. Of a large object only the first ten parts of each container are Parts, but all that are refused, which come
    last if they are further in. `totals` counts all: tier -> (objects, bytes).
    """

    def __init__(self, parts, rests, totals):
        self.totals = types.MappingProxyType(totals)
        self._parts = []
        self._children = {}  # index of a Part -> those of the Parts in it
        self._rests = {}  # index of a Part -> [(type, tier, count)]
        for parent, step, kind, tier, size, reason, same_as in parts:
            above = self._parts[parent] if parent is not None else None
            path = above.path + step if above else step
            if same_as is not None:
                reason = f"the same as {self._parts[same_as].path}"
            depth = above.depth + 1 if above else 0
            self._children.setdefault(parent, []).append(len(self._parts))
            self._parts.append(Part(path, kind, tier, size, reason, depth))
        for parent, kind, tier, count in rests:
            self._rests.setdefault(parent, []).append((kind, tier, count))

    @property
    def refused(self):
        """The Parts that cannot cross; none if the object can be sent."""
        return [part for part in self._parts if part.tier == "refused"]

    def __iter__(self):
        return iter(self._parts)

    def __len__(self):
        return len(self._parts)

    def __repr__(self):
        counts = ", ".join(f"{objects:,} {tier}" for tier, (objects, _) in self.totals.items())
        return f"<interlock.Explanation: {counts}>"

    def __str__(self):
        rows = []
        self._add_rows(rows, 0)
        far = [part for part in self._parts[1:] if not part.depth]
        rows += map(_row, far[:_MOST_REFUSED])
        if len(far) > _MOST_REFUSED:
            rows.append((f"... {len(far) - _MOST_REFUSED:,} more refused", "", "", "", ""))
        return _table(rows)

    def _add_rows(self, rows, index):
        """A Part with what it contains. Of Parts that are alike, one after the other, only the first."""
        part = self._parts[index]
        rows.append(_row(part))
        shown = None  # the last child that got a row, and what it looks like
        alike = 0
        for child in self._children.get(index, ()):
            look = self._look(child)
            if shown is not None and look == shown[1]:
                alike += 1
                continue
            self._add_rest(rows, part, shown, alike)
            self._add_rows(rows, child)
            shown, alike = (child, look), 0
        for kind, tier, count in self._rests.get(index, ()):
            if shown is not None and shown[1][:2] == (kind, tier):
                alike += count
                continue
            self._add_rest(rows, part, shown, alike)
            self._add_rest(rows, part, None, count, kind, tier)
            alike = 0
        self._add_rest(rows, part, shown, alike)

    def _add_rest(self, rows, part, shown, count, kind="", tier=""):
        if count:
            like = f" like {self._parts[shown[0]].path.removeprefix(part.path)}" if shown is not None else ""
            rows.append((f"{'  ' * (part.depth + 1)}... {count:,} more{like}", kind, tier, "", ""))

    def _look(self, index):
        """Type and tier of a Part and of all that it contains."""
        part = self._parts[index]
        if part.tier == "refused":
            return index
        children = [self._look(child) for child in self._children.get(index, ())]
        return part.type, part.tier, part.reason, children, self._rests.get(index)


def _row(part):
    return "  " * part.depth + part.path, part.type, part.tier, f"{part.size:,}", part.reason


def _table(rows):
    rows = [("part", "type", "tier", "bytes", ""), *rows]
    widths = [min(60, max(len(row[column]) for row in rows)) for column in range(4)]
    return "\n".join(
        f"{path:<{widths[0]}}  {kind:<{widths[1]}}  {tier:<{widths[2]}}  {size:>{widths[3]}}  {reason}".rstrip()
        for path, kind, tier, size, reason in rows
    )


def explain(obj, move=False):
    """How each part of obj would cross if it was sent, as an Explanation; print it.

    Does what send(obj, move=move) does, but for sending: it takes the same time and memory, calls `__reduce_ex__`
    and registered functions, and raises what those do beyond Exception, MemoryError, and the RuntimeError of a
    container that changes meanwhile. Afterwards obj is as it was. What cannot cross is reported.
    """
    return Explanation(*_interlock.explain(obj, move))
