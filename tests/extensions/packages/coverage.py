# SPDX-License-Identifier: MIT
import pathlib
import tempfile
import threading

import coverage
import coverage.tracer

SOURCE = """
def choose(x):
    if x > 1:
        return "large"
    else:
        return "small"

def never():
    return 1

class Thing:
    def __iter__(self):
        for each in range(3):
            if each == 2:
                break
            yield each

results = [choose(each) for each in range(2)], list(Thing())
"""


def measured(core, branch):
    with tempfile.TemporaryDirectory() as place:
        path = pathlib.Path(place, "measured.py").resolve()
        path.write_text(SOURCE)
        measuring = coverage.Coverage(data_file=None, branch=branch, include=[str(path)], config_file=False)
        measuring.set_option("run:core", core)
        measuring.start()
        names = {}
        exec(compile(SOURCE, str(path), "exec"), names)
        thread = threading.Thread(target=names["choose"], args=(5,))
        if core == "ctrace":
            thread.start()
            thread.join()
        measuring.stop()
        data = measuring.get_data()
        _, statements, _, missing, _ = measuring.analysis2(str(path))
        arcs = sorted(data.arcs(str(path)) or ())
        return sorted(data.lines(str(path))), statements, missing, arcs


def smoke():
    return {
        "compiled": coverage.tracer.CTracer.__name__,
        "lines": measured("ctrace", False),
        "branches": measured("ctrace", True),
    }
