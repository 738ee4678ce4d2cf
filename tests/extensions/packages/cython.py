# SPDX-License-Identifier: MIT
import pathlib
import tempfile

import Cython
import Cython.Compiler.Scanning
import Cython.Shadow
from Cython.Compiler import Errors, Main, Options

SOURCE = """
# cython: language_level=3
cdef class Counter:
    cdef readonly long count
    cpdef long add(self, long n=1) except -1:
        self.count += n
        return self.count

def total(double[:] values):
    cdef double sum = 0
    cdef Py_ssize_t i
    with nogil:
        for i in range(values.shape[0]):
            sum += values[i]
    return sum

def squares(n):
    return [x * x for x in range(n) if x % 2]
"""


def translated(source):
    with tempfile.TemporaryDirectory() as place:
        path = pathlib.Path(place, "module.pyx")
        path.write_text(source)
        options = Options.CompilationOptions(Options.default_options, output_file=str(path.with_suffix(".c")))
        result = Main.compile_single(str(path), options, "module")
        return result.num_errors, pathlib.Path(result.c_file).read_text() if not result.num_errors else ""


def smoke():
    errors, text = translated(SOURCE)
    try:
        broken = translated("cdef int f(:\n")[0]
    except Errors.CompileError as error:
        broken = type(error).__name__
    return {
        "compiled": Cython.Compiler.Scanning.__file__.endswith(".so"),
        "errors": errors,
        "names": [each in text for each in ("PyInit_module", "__pyx_pw_6module_1total", "__pyx_obj_6module_Counter")],
        "lines": text.count("\n") > 3000,
        "broken": broken,
        "shadow": Cython.Shadow.typeof(1.5),
    }
