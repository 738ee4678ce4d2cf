# SPDX-License-Identifier: MIT
"""Runs everything of `make bench-channel` in turn, round by round, and prints one table.

    python3 tests/bench/channel/run.py --build DIR [--rounds N] [--only PEER,...] [--groups WORDS]... ...

A figure is the median over the rounds; the ratio is the median of the ratios to the floor that was
measured just before it in the same round. Programs time themselves: this one only starts them.
"""

import argparse
import contextlib
import fcntl
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import plan
import plot
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
    """Nanoseconds by group, row and placement, one for each round; None where a program gave nothing.

    Of those during which others used the processors only if there are no better ones.
    """

    def __init__(self):
        self.values = {}
        self.reasons = {}  # by peer and scenario: why there is nothing
        self.disturbed = 0
        self.runs = 0

    def add(self, group, row, placement, ns, disturbed):
        self.runs += 1
        self.disturbed += disturbed
        self.values.setdefault((group.title, row.peer, row.scenario, placement), []).append((ns, disturbed))

    def rounds(self, group, row, placement):
        return self.values.get((group.title, row.peer, row.scenario, placement), [])

    def of(self, group, row, placement):
        known = [each for each in self.rounds(group, row, placement) if each[0] is not None]
        return [ns for ns, disturbed in known if not disturbed] or [ns for ns, _ in known]

    def median(self, group, row, placement):
        values = self.of(group, row, placement)
        return statistics.median(values) if values else None

    def is_disturbed(self, group, row, placement):
        """Whether others used the processors in every round."""
        return all(disturbed for _, disturbed in self.rounds(group, row, placement))

    def ratio(self, group, row, other, placement):
        """The median of row / other of the same round."""
        pairs = zip(self.rounds(group, row, placement), self.rounds(group, other, placement))
        ratios = [(a / b, d or e) for (a, d), (b, e) in pairs if a is not None and b]
        best = [ratio for ratio, disturbed in ratios if not disturbed] or [ratio for ratio, _ in ratios]
        return statistics.median(best) if best else None


def busy_seconds():
    """What all processors did, and what the host took from them; None where the system does not tell."""
    try:
        with open("/proc/stat") as file:
            fields = [int(word) for word in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = fields
    return (user + nice + system + interrupts + soft_interrupts + stolen) / os.sysconf("SC_CLK_TCK")


class Watch:
    """Whether others used the processors while a program ran: then it is measured again."""

    def __enter__(self):
        self.before = busy_seconds()
        self.own = self.own_seconds()
        self.started = time.monotonic()
        return self

    def __exit__(self, *_):
        self.disturbed = False
        after = busy_seconds()
        if after is None:
            return
        others = after - self.before - (self.own_seconds() - self.own)
        # /proc/stat counts in hundredths of a second.
        self.disturbed = others > max(0.025, 0.15 * (time.monotonic() - self.started))

    @staticmethod
    def own_seconds():
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system


@contextlib.contextmanager
def alone():
    """Keeps the measurements of another run of this program apart from ours."""
    with open(Path(tempfile.gettempdir()) / "interlock-bench.lock", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def prepare(cpus, ahead):
    """In the child, before a program starts."""
    if cpus != "any":
        # For what a program cannot pin: goroutines, Erlang's schedulers.
        os.sched_setaffinity(0, {int(cpu) for cpu in cpus.split(",")})
    if ahead:
        os.setsid()
        os.setpriority(os.PRIO_PROCESS, 0, -10)
        # Where sessions share the processors evenly, whatever the priorities within them.
        with contextlib.suppress(OSError), open("/proc/self/autogroup", "w") as file:
            file.write("-12")


def run_once(measurements, command, row, milliseconds, cpus, ahead):
    """Nanoseconds, or None."""
    arguments = [*command, str(milliseconds), cpus, row.scenario]
    start = functools.partial(prepare, cpus, ahead)
    try:
        done = subprocess.run(
            arguments, capture_output=True, text=True, timeout=20 + milliseconds / 10, preexec_fn=start
        )
    except subprocess.TimeoutExpired:
        measurements.reasons[row.peer, row.scenario] = "took too long"
        return None
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) == 4 and words[1] == row.scenario:
            return float(words[3])
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        measurements.reasons[row.peer, row.scenario] = last[0]
    return None


def measure_row(measurements, command, row, milliseconds, cpus, ahead, patience):
    """The same, measured again while others use the processors, as often as `patience` has tries left.

    Also whether they did to the last.
    """
    while True:
        with alone(), Watch() as watch:
            ns = run_once(measurements, command, row, milliseconds, cpus, ahead)
        if not watch.disturbed or ns is None or patience[0] == 0:
            return ns, watch.disturbed
        patience[0] -= 1


def measure(groups, commands, places, options, measurements):
    rows = sum(len(group.floors) + len(group.rows) for group in groups)
    for round_number in range(options.rounds):
        started = time.monotonic()
        patience = [round(options.patience * rows * len(places))]
        for group in groups:
            for placement, cpus in places.items():
                for row in [*group.floors, *group.rows]:
                    if row.program not in commands or (row.peer, row.scenario) in measurements.reasons:
                        continue
                    milliseconds = max(1, round(options.milliseconds * group.longer))
                    command = commands[row.program]
                    found = measure_row(measurements, command, row, milliseconds, cpus, options.ahead, patience)
                    measurements.add(group, row, placement, *found)
        seconds = time.monotonic() - started
        print(f"round {round_number + 1} of {options.rounds}: {seconds:.0f} s", file=sys.stderr, flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words = {"type": lambda text: text.split(",") if text else []}
    parser.add_argument("--build", type=Path, default=Path("build"), help="where make was run")
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS") or 3))
    parser.add_argument("--milliseconds", type=int, default=20, help="of each measurement")
    parser.add_argument("--patience", type=float, default=0.5, help="how many disturbed measurements to repeat, of all")
    parser.add_argument("--ahead", action="store_true", help="of what else the machine does; as root")
    parser.add_argument("--only", **words, default=[], help="peers; floors always run")
    parser.add_argument("--groups", action="append", default=[], metavar="WORDS", help="those with it in their title")
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
        for group in plan.groups()
        if (not options.groups or any(word in group.title for word in options.groups))
        and options.layer in (None, group.layer)
    ]
    if options.only:
        for group in groups:
            group.rows = [row for row in group.rows if row.peer in options.only]
    places = placements(options.placements)
    measurements = Measurements()
    measure(groups, commands, places, options, measurements)
    result = report.Report(groups, measurements, missing, list(places), programs.machine(options.build))
    result.print()
    if options.json:
        options.json.write_text(json.dumps(result.as_json(), indent=1) + "\n")
    if options.document:
        result.write_into(options.document)
    if options.plot:
        options.plot.write_text(plot.draw(result))


if __name__ == "__main__":
    main()
