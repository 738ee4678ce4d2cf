# SPDX-License-Identifier: MIT
import cffi


def smoke():
    ffi = cffi.FFI()
    ffi.cdef("""
        typedef struct { int number; double value; char name[8]; struct { unsigned low : 4, high : 4; }; } record;
        typedef int (*operation)(int, int);
        enum colour { RED, GREEN = 5, BLUE };
        size_t strlen(const char *);
        void qsort(void *, size_t, size_t, int (*)(const void *, const void *));
        int snprintf(char *, size_t, const char *, ...);
    """)
    c = ffi.dlopen(None)
    record = ffi.new("record *", {"number": 7, "value": 2.5, "name": b"abc"})
    record.high = 9

    @ffi.callback("int(const void *, const void *)")
    def compare(left, right):
        return ffi.cast("int *", left)[0] - ffi.cast("int *", right)[0]

    numbers = ffi.new("int[]", [5, 3, 9, 1])
    c.qsort(numbers, 4, ffi.sizeof("int"), compare)
    text = ffi.new("char[]", 64)
    c.snprintf(text, 64, b"%d %s %.2f", ffi.cast("int", 42), ffi.new("char[]", b"text"), ffi.cast("double", 1.5))
    add = ffi.callback("operation", lambda a, b: a + b)
    handle = ffi.new_handle({"kept": 1})
    freed = []
    ended = ffi.gc(ffi.new("int *"), lambda each: freed.append(1))
    ffi.release(ended)
    errors = []
    for broken in (lambda: ffi.new("int[2]", [1, 2, 3]), lambda: ffi.cdef("int f(;"), lambda: numbers[4]):
        try:
            broken()
        except (IndexError, cffi.CDefError) as error:
            errors.append(type(error).__name__)
    return {
        "length": c.strlen(b"length"),
        "record": (record.number, record.value, ffi.string(record.name), record.high, ffi.sizeof("record")),
        "sorted": list(numbers),
        "printed": ffi.string(text),
        "callback": add(2, 3),
        "colours": [c.BLUE, ffi.string(ffi.cast("enum colour", 5))],
        "handle": ffi.from_handle(handle),
        "buffer": bytes(ffi.buffer(numbers)[0:4]),
        "from buffer": list(ffi.from_buffer("unsigned char[]", bytearray(b"xyz"))),
        "type": str(ffi.typeof(record)),
        "freed": freed,
        "errors": errors,
    }
