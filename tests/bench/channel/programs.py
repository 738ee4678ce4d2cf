# SPDX-License-Identifier: MIT
"""How each program of the benchmark is started, and why one cannot be.

A program is run as `COMMAND... MILLISECONDS CPUS SCENARIO` and prints `peer scenario placement ns`.
"""

import os
import platform
import shutil
import subprocess
from pathlib import Path

FLOORS = ("cacheline", "futex", "spsc", "mpmc")
PYTHON_PEERS = (
    "interlock",
    "interlock-threads",
    "SimpleQueue",
    "interpreters.Queue",
    "mp.Pipe",
    "mp.Queue",
    "os.pipe",
    "call_soon_threadsafe",
    "asyncio.Queue",
)
# By peer: what peers/build names it, the program, its first arguments.
PEERS = {
    "crossbeam": ("rust", "rust/release/rust-channels", "crossbeam"),
    "rust-std": ("rust", "rust/release/rust-channels", "std"),
    "go": ("go", "go-channels", "goroutines"),
    "go-locked": ("go", "go-channels", "locked"),
    "moodycamel": ("moodycamel", "moodycamel"),
    "boost": ("boost", "boost", "queue"),
    "boost-spsc": ("boost", "boost", "spsc"),
    "tbb": ("tbb", "tbb"),
    "condvar": ("condvar", "condvar"),
}


def find(build):
    """The commands by the name of the program, and the reason for each that is missing."""
    directory = (build / "tests/bench/channel").resolve()
    peers = directory / "peers"
    commands = {}
    missing = {}

    def add(name, program, *arguments, reason="was not built"):
        if program.exists():
            commands[name] = [str(program), *arguments]
        else:
            missing[name] = reason

    add("interlock", directory / "ours")
    for floor in FLOORS:
        add(floor, directory / "floors", floor)
    for name, (built_as, program, *arguments) in PEERS.items():
        add(name, peers / program, *arguments, reason=reason(peers, built_as))
    erl = shutil.which("erl")
    if erl and (peers / "channels.beam").exists():
        commands["erlang"] = [erl, "-noshell", "-pa", str(peers), "-s", "channels", "main", "-extra"]
    else:
        missing["erlang"] = reason(peers, "erlang")
    script = Path(__file__).resolve().parent.parent / "bench_channel.py"
    for peer in PYTHON_PEERS:
        name = f"python-{peer}"
        add(name, (build / "interlock").resolve(), str(script), peer)
        if name in commands and not peer.startswith("interlock"):
            # Peers have the allocator of a stock python3, which the command replaces.
            commands[name] = ["env", "PYTHONMALLOC=pymalloc", *commands[name]]
    return commands, missing


def reason(peers, name):
    path = peers / f"{name}.reason"
    return path.read_text().strip() if path.exists() else "was not built"


def first_line(*command):
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return output.splitlines()[0] if output else ""


def machine(build):
    """What the figures depend on, without what names one machine."""
    processor = platform.machine()
    hypervisor = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                processor = line.split(":", 1)[1].strip()
            if line.startswith("flags") and " hypervisor" in line:
                hypervisor = ", a virtual machine"
    python = first_line(str((build / "interlock").resolve()), "--version")
    compiler = first_line("c++", "--version").split("(")[0].strip(), first_line("c++", "-dumpfullversion")
    return {
        "processor": f"{len(os.sched_getaffinity(0))} x {processor}{hypervisor}",
        "system": f"{platform.system()} {platform.release().split('-')[0]}, {' '.join(platform.libc_ver())}",
        "python": python,
        "compiler": " ".join(part for part in compiler if part),
    }
