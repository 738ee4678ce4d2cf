# SPDX-License-Identifier: MIT
"""The plot of docs/performance.md: one panel for each of some figures, bars on a logarithmic scale.

Ours is in colour, the floors are lines across the bars. Written as SVG by hand: nothing to install.
"""

import math
from xml.sax.saxutils import escape

# Titles of groups, and what is said beside them.
PANELS = [
    (
        "stream, 1 sender, 1 receiver, capacity 1024",
        "C++: stream, 1 sender to 1 receiver, capacity 1024",
        "time for a message",
    ),
    (
        "stream, 2 senders, 2 receivers, capacity 1024",
        "C++: stream, 2 senders to 2 receivers, capacity 1024",
        "time for a message",
    ),
    ("round trip, spinning", "C++: round trip, both sides spinning", "time for a round trip"),
    ("round trip, parked", "C++: round trip, both sides parked", "time for a round trip"),
    ("Python: stream of ints", "Python: stream of ints", "time for an int"),
    ("Python: round trip of an int, spinning", "Python: round trip of an int", "time for a round trip"),
    ("asyncio: round trip between loops", "asyncio: round trip between event loops", "time for a round trip"),
]

WIDTH = 960
LABELS = 352  # of the width, left of the bars
RIGHT = 92  # for the figure behind a bar
BAR = 17
STEP = 24
OURS, PEER, TEXT, FAINT, GRID = "#c2410c", "#9fb3c8", "#1f2937", "#64748b", "#e2e8f0"
FONT = "font-family='Helvetica, Arial, sans-serif'"


def human(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


class Panel:
    """The bars of one group, shortest first, on an axis of its own."""

    def __init__(self, report, group, title, unit, place):
        self.title = title
        self.unit = unit
        figures = report.measurements
        self.place = place
        # Where a peer has no figure with threads on two processors, the one of the kernel's choice.
        self.bars = []
        for row in group.rows:
            for where in (place, "unpinned"):
                if median := figures.median(group, row, where):
                    ours = row.peer.startswith("interlock")
                    name = row.name if where == place else f"{row.name} *"
                    self.bars.append((median, name, ours))
                    break
        self.bars.sort()
        self.floors = [(figures.median(group, row, place), row.name) for row in group.floors]
        self.floors = [floor for floor in self.floors if floor[0]]
        values = [bar[0] for bar in self.bars] + [floor[0] for floor in self.floors]
        self.low = math.floor(math.log10(min(values)) - 0.05)
        self.high = max(self.low + 1, math.ceil(math.log10(max(values))))

    @property
    def head(self):
        """From the top to the bars: title, and a line for the name of each floor."""
        return 44 + 15 * len(self.floors)

    @property
    def height(self):
        return self.head + STEP * len(self.bars) + 48

    def x(self, ns):
        share = (math.log10(ns) - self.low) / (self.high - self.low)
        return LABELS + share * (WIDTH - LABELS - RIGHT)

    def draw(self, top):
        bars_top = top + self.head
        bottom = bars_top + STEP * len(self.bars)
        yield text(24, top + 22, self.title, 16, "bold")
        yield text(WIDTH - 24, top + 22, self.unit, 12, colour=FAINT, anchor="end")
        for decade in range(self.low, self.high + 1):
            x = self.x(10**decade)
            yield f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{bars_top}' y2='{bottom}' stroke='{GRID}'/>"
            yield text(x, bottom + 16, human(10.0**decade), 11, colour=FAINT, anchor="middle")
        middles = [bars_top + STEP * (i + 0.5) for i in range(len(self.bars))]
        for y, (ns, _, ours) in zip(middles, self.bars):
            width = max(self.x(ns) - LABELS, 2)
            colour = OURS if ours else PEER
            yield f"<rect x='{LABELS}' y='{y - BAR / 2}' width='{width:.1f}' height='{BAR}' rx='2' fill='{colour}'/>"
        for i, (ns, name) in enumerate(sorted(self.floors)):
            x = self.x(ns)
            y = top + 48 + 15 * i
            yield f"<path d='M{x:.1f} {y - 8}V{bottom}' stroke='{TEXT}' stroke-width='1.3' stroke-dasharray='5 3'/>"
            yield text(x + 5, y, f"{name}: {human(ns)}", 11)
        for y, (ns, name, ours) in zip(middles, self.bars):
            weight, colour = ("bold", OURS) if ours else ("normal", TEXT)
            yield text(LABELS - 10, y + 4.5, name, 13, weight, colour, "end")
            yield text(self.x(ns) + 7, y + 4.5, human(ns), 13, weight, colour, halo=True)


def text(x, y, words, size, weight="normal", colour=None, anchor="start", halo=False):
    """`halo`: readable across lines."""
    more = " stroke='white' stroke-width='4' paint-order='stroke'" if halo else ""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' font-weight='{weight}' text-anchor='{anchor}' "
        f"fill='{colour or TEXT}'{more}>{escape(words)}</text>"
    )


def draw(report):
    """The text of an SVG file."""
    place = "split" if "split" in report.places else report.places[0]
    groups = {group.title: group for group in report.groups}
    panels = []
    for group, title, unit in PANELS:
        if group in groups and any(report.measurements.median(groups[group], row, place) for row in groups[group].rows):
            panels.append(Panel(report, groups[group], title, unit, place))
    height = 92 + sum(panel.height for panel in panels) + 20
    where = {"split": "threads pinned to two processors", "same": "threads pinned to one processor"}.get(
        place, "threads not pinned"
    )
    lines = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}' {FONT}>",
        "<!-- SPDX-License-Identifier: MIT; written by tests/bench/channel/plot.py -->",
        f"<rect width='{WIDTH}' height='{height}' fill='white'/>",
        text(24, 36, "Channels: time for a message or a round trip; shorter is better", 21, "bold"),
        text(
            24,
            58,
            f"Logarithmic scales; {where}; medians of {report.rounds} interleaved rounds; {report.machine['processor']}.",
            13,
            colour=FAINT,
        ),
        text(
            24,
            76,
            "Dashed: what the hardware, the kernel or a bare ring alone takes. * cannot be pinned.",
            13,
            colour=FAINT,
        ),
    ]
    top = 92
    for panel in panels:
        lines += panel.draw(top)
        top += panel.height
    return "\n".join([*lines, "</svg>", ""])
