# SPDX-License-Identifier: MIT
import io

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset
import pyarrow.json
import pyarrow.parquet


def smoke():
    table = pa.table({"group": ["a", "b", "a", "c"] * 2500, "value": list(range(10000))})
    file = io.BytesIO()
    pa.parquet.write_table(table, file, compression="zstd")
    file.seek(0)
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table, max_chunksize=1000)
    nested = pa.array([{"x": 1, "y": [1, 2]}, None, {"x": 3, "y": []}])
    try:
        pa.array([1, "a"])
    except pa.ArrowInvalid as error:
        refused = str(error)
    in_memory = pa.dataset.dataset(table)
    grouped = table.group_by("group").aggregate([("value", "sum"), ("value", "max")]).sort_by("group")
    return {
        "grouped": grouped.to_pydict(),
        "joined": table.join(pa.table({"group": ["a"], "name": ["first"]}), "group", join_type="inner").num_rows,
        "filtered": in_memory.to_table(filter=pc.field("value") > 9990, columns=["value"])["value"].to_pylist(),
        "computed": pc.utf8_upper(pc.unique(table["group"])).to_pylist(),
        "parquet": pa.parquet.read_table(file).equals(table),
        "streamed": pa.ipc.open_stream(stream.getvalue()).read_all().num_rows,
        "csv": pa.csv.read_csv(io.BytesIO(b"x,y\n1,a\n2,b\n")).to_pylist(),
        "json": pa.json.read_json(io.BytesIO(b'{"a": 1}\n{"a": 2}\n')).to_pylist(),
        "nested": nested.flatten()[1].to_pylist(),
        "decimal": str(pc.sum(pa.array([1, 2]).cast(pa.decimal128(22, 2))).as_py()),
        "buffer": pa.py_buffer(b"abc").slice(1).to_pybytes(),
        "threads": pa.cpu_count() > 0,
        "refused": refused,
    }
