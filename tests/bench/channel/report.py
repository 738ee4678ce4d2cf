# SPDX-License-Identifier: MIT
"""The table of the benchmark, in the terminal and in docs/performance.md, and whether targets are met."""

import statistics

import plan

BEGIN = "<!-- make bench-channel-docs writes from here -->"
END = "<!-- to here -->"


def spread(values):
    """Half the distance of the quartiles, in percent of the median; None for less than two values."""
    if len(values) < 2:
        return None
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return 50 * (high - low) / middle


def number(ns):
    return f"{ns:,.1f}" if ns < 100 else f"{ns:,.0f}"


def aligned(table, left=1):
    """Lines of a table whose first `left` columns are aligned to the left."""
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        cells = [
            cell.ljust(width) if i < left else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))
        ]
        yield "  ".join(cells).rstrip()


class Report:
    def __init__(self, groups, measurements, missing, places, machine):
        self.groups = groups
        self.measurements = measurements
        self.missing = missing
        self.places = places
        self.machine = machine
        self.rounds = max(map(len, measurements.values.values()), default=0)

    # Single figures.

    def cells(self, group, row):
        """For each placement: nanoseconds, spread, ratio to the floor; empty where nothing was measured."""
        cells = []
        for place in self.places:
            median = self.measurements.median(group, row, place)
            if median is None:
                cells += ["", "", ""]
                continue
            width = spread(self.measurements.of(group, row, place))
            ratio = None if row is group.floors[0] else self.measurements.ratio(group, row, group.floors[0], place)
            cells += [
                number(median),
                "" if width is None else f"±{width:.0f}%",
                "" if ratio is None else f"{ratio:.2f}" if ratio < 100 else f"{ratio:,.0f}",
            ]
        return cells

    def rows(self, group):
        """The rows of a group that were measured, floors first: row, name, cells."""
        for row in [*group.floors, *group.rows]:
            cells = self.cells(group, row)
            if any(cells):
                yield row, f"floor: {row.name}" if row in group.floors else row.name, cells

    def targets(self):
        """For each target: figure, what is asked, what was reached, met or not (None: it cannot be told)."""
        place = "split" if "split" in self.places else self.places[0]
        for target in plan.TARGETS:
            group = next((each for each in self.groups if each.title == target.group), None)
            found = None
            if group is not None:
                rows = {}
                used = set()
                for row in [*group.floors, *group.rows]:
                    rows.setdefault(row.peer, row)
                    rows[row.peer, row.scenario] = row

                def ratio(name, other, group=group, rows=rows, used=used):
                    if name not in rows or other not in rows:
                        return None
                    used.update((rows[name], rows[other]))
                    return self.measurements.ratio(group, rows[name], rows[other], place)

                def ns(name, group=group, rows=rows, used=used):
                    if name not in rows:
                        return None
                    used.add(rows[name])
                    return self.measurements.median(group, rows[name], place)

                found = target.test(ratio, ns)
                if found and any(self.measurements.is_disturbed(group, row, place) for row in used):
                    found = f"{found[0]}, while others used the processors", None
            reached, met = found or ("not measured", None)
            yield target.figure, target.asked, reached, met

    def absent(self):
        """Who was left out, and why."""
        lines = {}
        for group in self.groups:
            for row in group.rows:
                if row.program in self.missing:
                    lines[row.name] = self.missing[row.program]
                elif reason := self.measurements.reasons.get((row.peer, row.scenario)):
                    lines[f"{row.name} ({row.scenario})"] = reason
        return lines

    # Pages.

    def print(self):
        header = ["", *(cell for place in self.places for cell in (f"{place}, ns", "", "floors"))]
        table = [header]
        for group in self.groups:
            rows = [["  " + name, *cells] for _, name, cells in self.rows(group)]
            if rows:
                table += [[""] * len(header), [group.title, *[""] * (len(header) - 1)], *rows]
        print("\n".join(aligned(table)))
        print()
        marks = {True: "met", False: "NOT MET", None: "?"}
        print(
            "\n".join(
                aligned(
                    [["figure", "at least", "reached", ""], *([a, b, c, marks[d]] for a, b, c, d in self.targets())], 4
                )
            )
        )
        if absent := self.absent():
            print("\nleft out:")
            for name, reason in absent.items():
                print(f"  {name}: {reason}")
        print(f"\n{self.method()}")

    def method(self):
        m = self.measurements
        text = f"Medians of {self.rounds} rounds; ± half the distance of the quartiles."
        if m.disturbed:
            text += f" While {m.disturbed} of {m.runs} measurements ran, others used the processors."
        return text

    def markdown(self):
        lines = [
            f"Measured on {self.machine['processor']}; {self.machine['system']}; {self.machine['python']}; {self.machine['compiler']}. {self.method()}",
            "",
        ]
        lines += ["| figure | at least | reached | |", "|---|---|---|---|"]
        marks = {True: "met", False: "**not met**", None: "?"}
        lines += [f"| {a} | {b} | {c} | {marks[d]} |" for a, b, c, d in self.targets()]
        lines += ["", "| nanoseconds | " + " | ".join(f"{place} | | × floor" for place in self.places) + " |"]
        lines.append("|---|" + "---:|" * 3 * len(self.places))
        for group in self.groups:
            rows = list(self.rows(group))
            if not rows:
                continue
            lines.append(f"| **{group.title}** |" + " |" * 3 * len(self.places))
            for row, name, cells in rows:
                ours = row in group.rows and row.peer.startswith("interlock")
                lines.append("| " + " | ".join([f"**{name}**" if ours else name, *cells]) + " |")
        if absent := self.absent():
            lines += ["", "Left out: " + "; ".join(f"{name}: {reason}" for name, reason in absent.items()) + "."]
        return "\n".join(lines)

    def write_into(self, path):
        """Replaces what stands between the markers of a page."""
        page = path.read_text()
        before, _, rest = page.partition(BEGIN)
        _, _, after = rest.partition(END)
        path.write_text(f"{before}{BEGIN}\n\n{self.markdown()}\n\n{END}{after}")

    def as_json(self):
        figures = []
        for group in self.groups:
            for row in [*group.floors, *group.rows]:
                for place in self.places:
                    if values := self.measurements.rounds(group, row, place):
                        figures.append(
                            {
                                "figure": group.title,
                                "layer": group.layer,
                                "peer": row.name,
                                "scenario": row.scenario,
                                "floor": row in group.floors,
                                "placement": place,
                                "ns": [ns for ns, _ in values],
                                "disturbed": [disturbed for _, disturbed in values],
                                "median": self.measurements.median(group, row, place),
                                "ratio": self.measurements.ratio(group, row, group.floors[0], place),
                            }
                        )
        names = ("figure", "asked", "reached", "met")
        return {
            "machine": self.machine,
            "rounds": self.rounds,
            "disturbed": self.measurements.disturbed,
            "runs": self.measurements.runs,
            "targets": [dict(zip(names, target)) for target in self.targets()],
            "left out": self.absent(),
            "figures": figures,
        }
