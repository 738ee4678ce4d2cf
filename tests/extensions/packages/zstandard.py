# SPDX-License-Identifier: MIT
import io

import zstandard

DATA = b"".join(b"line %d of the text\n" % each for each in range(5000))


def smoke():
    packed = zstandard.ZstdCompressor(level=5, write_checksum=True, write_content_size=True).compress(DATA)
    dictionary = zstandard.train_dictionary(2048, [b"sample %d of what there is" % each for each in range(1000)])
    with_dictionary = zstandard.ZstdCompressor(dict_data=dictionary).compress(b"sample 7 of what there is")
    threads = zstandard.ZstdCompressor(threads=2).compress(DATA * 20)
    file = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(file, closefd=False) as writer:
        for start in range(0, len(DATA), 1000):
            writer.write(DATA[start : start + 1000])
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(file.getvalue()))
    try:
        zstandard.ZstdDecompressor().decompress(packed[:50] + b"broken" + packed[60:])
    except zstandard.ZstdError as error:
        refused = type(error).__name__
    parameters = zstandard.get_frame_parameters(packed)
    buffers = zstandard.ZstdCompressor().multi_compress_to_buffer([b"a" * 100, b"b" * 50])
    return {
        "backend": zstandard.backend,
        "packed": (len(packed) < len(DATA) / 5, zstandard.ZstdDecompressor().decompress(packed) == DATA),
        "dictionary": zstandard.ZstdDecompressor(dict_data=dictionary).decompress(with_dictionary).decode(),
        "threads": len(zstandard.ZstdDecompressor().decompress(threads, max_output_size=len(DATA) * 20)),
        "streamed": reader.read(100)[-10:].decode(),
        "parameters": (parameters.content_size, parameters.has_checksum),
        "iterated": sum(len(each) for each in zstandard.ZstdDecompressor().read_to_iter(io.BytesIO(packed))),
        "buffers": [each.tobytes().hex() for each in buffers],
        "refused": refused,
    }
