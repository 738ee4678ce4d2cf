# SPDX-License-Identifier: MIT
import numpy as np


def smoke():
    matrix = np.arange(1.0, 10.0).reshape(3, 3) + np.diag([1.0, 2.0, 3.0])
    records = np.array([(1, 2.5), (3, 4.5)], dtype=[("number", "i4"), ("value", "f8")])
    random = np.random.Generator(np.random.PCG64(42))
    objects = np.array([{"a": 1}, [2], "three"], dtype=object)
    try:
        np.ones(3) + np.ones(4)
    except ValueError as error:
        refused = str(error)
    with np.errstate(divide="ignore"):
        divided = np.isinf(np.array([1.0]) / 0).tolist()
    return {
        "solved": np.linalg.solve(matrix, [1.0, 2.0, 3.0]).round(9).tolist(),
        "eigen": np.sort(np.linalg.eigvals(matrix).real).round(9).tolist(),
        "fft": np.abs(np.fft.rfft(np.sin(np.arange(16)))).round(9).tolist(),
        "product": int((np.ones((200, 200)) @ np.full((200, 200), 2.0)).sum()),
        "einsum": np.einsum("ij,jk->i", matrix, matrix).tolist(),
        "sorted": np.sort(random.permutation(1000)).tolist() == list(range(1000)),
        "random": random.standard_normal(4).round(9).tolist(),
        "legacy": np.random.RandomState(7).randint(0, 1000, 5).tolist(),
        "records": records[records["value"] > 3].tolist(),
        "dates": np.arange("2024-02-27", "2024-03-02", dtype="M8[D]").astype(str).tolist(),
        "strings": np.char.upper(np.array(["a", "bc"])).tolist(),
        "reduced": np.add.reduceat(np.arange(8), [0, 4, 6]).tolist(),
        "vectorized": np.frompyfunc(lambda a, b: a * b, 2, 1)(np.arange(4), 3).tolist(),
        "types": [type(each).__name__ for each in objects],
        "text": repr(np.linspace(0, 1, 3)),
        "refused": refused,
        "divided": divided,
        "half": float(np.float16(1) / np.float16(3)),
    }
