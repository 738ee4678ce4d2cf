# SPDX-License-Identifier: MIT
import io

import lz4.block
import lz4.frame

DATA = b"".join(b"line %d of the text\n" % each for each in range(5000))


def smoke():
    blocks = {mode: lz4.block.compress(DATA, mode=mode) for mode in ("default", "fast", "high_compression")}
    frame = lz4.frame.compress(DATA, block_size=lz4.frame.BLOCKSIZE_MAX64KB, content_checksum=True)
    file = io.BytesIO()
    with lz4.frame.open(file, "wb") as writer:
        for start in range(0, len(DATA), 1000):
            writer.write(DATA[start : start + 1000])
    file.seek(0)
    decompressor = lz4.frame.LZ4FrameDecompressor()
    parts = [decompressor.decompress(frame[start : start + 500]) for start in range(0, len(frame), 500)]
    errors = []
    for function, broken in ((lz4.block.decompress, blocks["fast"][:50]), (lz4.frame.decompress, b"no frame")):
        try:
            function(broken)
        except (RuntimeError, lz4.block.LZ4BlockError) as error:
            errors.append(type(error).__name__)
    info = lz4.frame.get_frame_info(frame)
    short = lz4.block.compress(b"the same text", dict=b"here is the same text")
    return {
        "sizes": [len(each) for each in blocks.values()],
        "same": all(lz4.block.decompress(each) == DATA for each in blocks.values()),
        "frame": (len(frame), lz4.frame.decompress(frame) == DATA),
        "file": lz4.frame.open(file).read() == DATA,
        "parts": (b"".join(parts) == DATA, decompressor.eof),
        "info": (info["block_size"], info["content_checksum"], info["content_size"]),
        "dictionary": lz4.block.decompress(short, dict=b"here is the same text"),
        "errors": errors,
    }
