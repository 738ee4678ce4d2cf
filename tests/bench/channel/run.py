# SPDX-License-Identifier: MIT
"""Runs everything of `make bench-channel` in turn, round by round, and prints one table.

    python3 tests/bench/channel/run.py [--build DIR] [--rounds N] [--milliseconds N] [--only PEER,...]
        [--groups WORD,...] [--placements split,...] [--json FILE] [--document FILE] [--plot FILE]

A figure is the median over the rounds; the ratio is the median of the ratios to the floor that was
measured just before it in the same round. Programs time themselves: this one only starts them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import plan
import programs
import report


def processors():
    """Two that are no siblings of one core, where there are such."""
    allowed = sorted(os.sched_getaffinity(0))
    siblings = Path(f"/sys/devices/system/cpu/cpu{allowed[0]}/topology/thread_siblings_list")
    own = siblings.read_text().strip() if siblings.exists() else ""
    for other in allowed[1:]:
        path = Path(f"/sys/devices/system/cpu/cpu{other}/topology/thread_siblings_list")
        if not path.exists() or path.read_text().strip() != own:
            return allowed[0], other
    return allowed[0], allowed[1] if len(allowed) > 1 else allowed[0]


def placements(names):
    first, second = processors()
    all_of_them = {"split": f"{first},{second}", "same": f"{first},{first}", "unpinned": "any"}
    if first == second:
        del all_of_them["split"]
    return {name: all_of_them[name] for name in plan.PLACEMENTS if name in names and name in all_of_them}


class Measurements:
    """Nanoseconds by group, row and placement, one for each round; None where a program gave nothing."""

    def __init__(self):
        self.values = {}
        self.failures = {}

    def add(self, group, row, placement, ns):
        self.values.setdefault((group.title, row.peer, row.scenario, placement), []).append(ns)

    def of(self, group, row, placement):
        return self.values.get((group.title, row.peer, row.scenario, placement), [])

    def median(self, group, row, placement):
        known = [ns for ns in self.of(group, row, placement) if ns is not None]
        return statistics.median(known) if known else None

    def ratio(self, group, row, floor, placement):
        """The median of row / floor of the same round."""
        pairs = zip(self.of(group, row, placement), self.of(group, floor, placement))
        ratios = [ours / theirs for ours, theirs in pairs if ours is not None and theirs]
        return statistics.median(ratios) if ratios else None


def run_once(measurements, command, row, milliseconds, cpus):
    """Nanoseconds, or None."""
    arguments = [*command, str(milliseconds), cpus, row.scenario]
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60 + milliseconds / 10)
    except subprocess.TimeoutExpired:
        measurements.failures[row.peer, row.scenario] = "took too long"
        return None
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) == 4 and words[1] == row.scenario:
            return float(words[3])
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        measurements.failures[row.peer, row.scenario] = last[0]
    else:
        measurements.failures[row.peer, row.scenario] = "not there"
    return None


def measure(groups, commands, places, options, measurements):
    for round_number in range(options.rounds):
        started = time.monotonic()
        for group in groups:
            for placement, cpus in places.items():
                if placement not in group.placements:
                    continue
                for row in [*group.floors, *group.rows]:
                    if row.program not in commands or (row.peer, row.scenario) in measurements.failures:
                        continue
                    milliseconds = max(1, round(options.milliseconds * group.budget))
                    ns = run_once(measurements, commands[row.program], row, milliseconds, cpus)
                    measurements.add(group, row, placement, ns)
        print(f"round {round_number + 1} of {options.rounds}: {time.monotonic() - started:.0f} s", file=sys.stderr)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words = {"type": lambda text: text.split(",") if text else []}
    parser.add_argument("--build", type=Path, default=Path("build"), help="where make was run")
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS") or 3))
    parser.add_argument("--milliseconds", type=int, default=20, help="of each measurement")
    parser.add_argument("--only", **words, default=[], help="peers; floors always run")
    parser.add_argument("--groups", **words, default=[], help="words of their titles")
    parser.add_argument("--placements", **words, default=list(plan.PLACEMENTS))
    parser.add_argument("--layer", choices=("C++", "Python"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--document", type=Path, help="a page to write the table into, between its markers")
    parser.add_argument("--plot", type=Path)
    return parser.parse_args()


def main():
    options = parse()
    commands, missing = programs.find(options.build)
    groups = [
        group
        for group in plan.cpp_groups()
        if (not options.groups or any(word in group.title for word in options.groups))
        and options.layer in (None, group.layer)
    ]
    if options.only:
        for group in groups:
            group.rows = [row for row in group.rows if row.peer in options.only]
    measurements = Measurements()
    measure(groups, commands, placements(options.placements), options, measurements)
    report.write(groups, measurements, missing, options)
    if options.json:
        options.json.write_text(json.dumps(report.as_json(groups, measurements, missing, options), indent=1) + "\n")


if __name__ == "__main__":
    main()
