# SPDX-License-Identifier: MIT
"""The table of the benchmark, in the terminal and in docs/performance.md, and the targets."""

import statistics


def spread(values):
    """Half the distance of the quartiles, in percent of the median."""
    known = sorted(ns for ns in values if ns is not None)
    if len(known) < 2:
        return None
    quarter = statistics.quantiles(known, n=4, method="inclusive")
    return 50 * (quarter[2] - quarter[0]) / quarter[1]


def number(ns):
    if ns < 100:
        return f"{ns:.1f}"
    return f"{ns:,.0f}"


def cells(measurements, group, row, placement):
    """Nanoseconds, spread, ratio to the first floor; empty where nothing was measured."""
    median = measurements.median(group, row, placement)
    if median is None:
        return ["", "", ""]
    width = spread(measurements.of(group, row, placement))
    ratio = measurements.ratio(group, row, group.floors[0], placement)
    return [
        number(median),
        "" if width is None else f"±{width:.0f}%",
        "" if ratio is None or row is group.floors[0] else f"{ratio:.2f}",
    ]


def table(groups, measurements, places):
    """Rows of cells: title rows have one."""
    rows = [["", *(cell for place in places for cell in (f"{place}, ns", "", "× floor"))]]
    for group in groups:
        measured = []
        for row in [*group.floors, *group.rows]:
            line = [cell for place in places for cell in cells(measurements, group, row, place)]
            if any(line):
                floor = row in group.floors
                measured.append([f"{'floor: ' if floor else ''}{row.label or row.peer}", *line])
        if measured:
            rows.append([group.title])
            rows.extend(measured)
    return rows


def print_table(rows):
    width = max(len(row[0]) for row in rows if len(row) > 1) + 2
    for row in rows:
        if len(row) == 1:
            print(f"\n{row[0]}")
        else:
            print(f"  {row[0]:<{width}}" + "".join(f"{cell:>13}" if i % 3 == 0 else f"{cell:>8}" for i, cell in enumerate(row[1:])))


def write(groups, measurements, missing, options):
    print_table(table(groups, measurements, options.placements))
