# SPDX-License-Identifier: MIT
"""How each program of the benchmark is started, and why one cannot be.

`make bench-channel` builds into tests/bench/channel/ of the build tree what it has the compiler and the
package for; what is not there is left out by name.
"""

import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
FLOORS = ("cacheline", "futex", "spsc", "mpmc")
CPP_PEERS = {
    "moodycamel": "libconcurrentqueue-dev",
    "boost": "libboost-dev",
    "tbb": "libtbb-dev",
    "condvar": "a C++ compiler",
}


def find(build):
    """The commands by the name of the program, and the reason for each that is missing."""
    directory = (build / "tests/bench/channel").resolve()
    peers = directory / "peers"
    commands = {}
    missing = {}

    def add(name, program, *arguments, reason):
        if Path(program).exists():
            commands[name] = [str(program), *arguments]
        else:
            missing[name] = reason

    add("interlock", directory / "ours", reason="not built")
    for floor in FLOORS:
        add(floor, directory / "floors", floor, reason="not built")
    for name, package in CPP_PEERS.items():
        add(name, peers / name, reason=f"not built: needs {package}")
    rust = peers / "rust/release/rust-channels"
    add("crossbeam", rust, "crossbeam", reason="not built: needs cargo and librust-crossbeam-channel-dev")
    add("rust-std", rust, "std", reason="not built: needs cargo and librust-crossbeam-channel-dev")
    add("go", peers / "go-channels", "goroutines", reason="not built: needs golang-go")
    add("go-locked", peers / "go-channels", "locked", reason="not built: needs golang-go")
    if (erl := shutil.which("erl")) and (peers / "channels.beam").exists():
        commands["erlang"] = [erl, "-noshell", "-pa", str(peers), "-s", "channels", "main", "-extra"]
    else:
        missing["erlang"] = "not built: needs erlang-base"
    return commands, missing
