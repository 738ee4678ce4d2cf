# SPDX-License-Identifier: MIT
import hashlib

import brotli

DATA = b"".join(b"line %d of the text\n" % each for each in range(5000))


def smoke():
    packed = brotli.compress(DATA, mode=brotli.MODE_TEXT, quality=5)
    compressor, decompressor = brotli.Compressor(quality=3), brotli.Decompressor()
    parts = [compressor.process(DATA[start : start + 1000]) for start in range(0, len(DATA), 1000)]
    streamed = b"".join(parts) + compressor.finish()
    unpacked = [decompressor.process(streamed[start : start + 300]) for start in range(0, len(streamed), 300)]
    errors = []
    for broken in (packed[:20], b"no brotli"):
        try:
            brotli.decompress(broken)
        except brotli.error as error:
            errors.append(str(error))
    return {
        "packed": (len(packed), hashlib.sha256(packed).hexdigest()),
        "same": brotli.decompress(packed) == DATA,
        "streamed": (b"".join(unpacked) == DATA, decompressor.is_finished()),
        "levels": [len(brotli.compress(DATA[:2000], quality=each, lgwin=16)) for each in (0, 6, 11)],
        "errors": errors,
    }
