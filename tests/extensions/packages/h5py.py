# SPDX-License-Identifier: MIT
import io

import h5py
import numpy as np


def fill(file):
    group = file.create_group("group")
    data = group.create_dataset("data", data=np.arange(1000).reshape(100, 10), chunks=(10, 10), compression="gzip")
    data.attrs["unit"] = "m"
    data.attrs["list"] = [1, 2, 3]
    growing = group.create_dataset("growing", (0,), "f8", maxshape=(None,), shuffle=True, fletcher32=True)
    growing.resize((5,))
    growing[1:4] = [1.5, 2.5, 3.5]
    group.create_dataset("text", data=["grün", "b"], dtype=h5py.string_dtype())
    records = np.array([(1, 2.5, b"x")], dtype=[("number", "i4"), ("value", "f8"), ("name", "S4")])
    file["records"] = records
    file["soft"] = h5py.SoftLink("/group/data")
    ragged = file.create_dataset("ragged", (2,), dtype=h5py.vlen_dtype("i4"))
    ragged[0], ragged[1] = [1, 2, 3], [4]
    file["colour"] = np.array([1, 0], dtype=h5py.enum_dtype({"RED": 0, "BLUE": 1}))


def smoke():
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        fill(file)
    with h5py.File(memory, "r") as file:
        names = []
        file.visit(names.append)
        try:
            file["absent"]
        except KeyError as error:
            refused = str(error)
        data = file["soft"]
        return {
            "names": names,
            "slice": data[10:13, ::3].tolist(),
            "chosen": data[[1, 5, 7], 2].tolist(),
            "sum": int(data[:].sum()),
            "attributes": (data.attrs["unit"], data.attrs["list"].tolist(), data.compression, data.chunks),
            "growing": file["group/growing"][:].tolist(),
            "text": file["group/text"].asstr()[:].tolist(),
            "records": file["records"][:].tolist(),
            "ragged": [each.tolist() for each in file["ragged"]],
            "enum": sorted(h5py.check_enum_dtype(file["colour"].dtype).items()),
            "refused": refused,
        }
