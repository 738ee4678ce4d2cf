# SPDX-License-Identifier: MIT
import hashlib
import io
import re

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import figure, mathtext, path, tri
from matplotlib.backends import backend_agg


def smoke():
    drawn = figure.Figure(figsize=(4, 3), dpi=80)
    canvas = backend_agg.FigureCanvasAgg(drawn)
    axes = drawn.subplots(2, 2)
    x = np.linspace(0, 6, 50)
    axes[0, 0].plot(x, np.sin(x), label="sine")
    axes[0, 0].legend()
    axes[0, 0].set_title(r"$\sum_i \frac{x_i}{2}$")
    axes[0, 1].contourf(np.outer(np.sin(x), np.cos(x)))
    axes[1, 0].scatter(x, x**2, c=x, s=20)
    axes[1, 1].imshow(np.arange(100).reshape(10, 10), interpolation="bilinear")
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    vector = io.BytesIO()
    drawn.savefig(vector, format="svg", metadata={"Date": None})
    printed = io.BytesIO()
    drawn.savefig(printed, format="pdf")
    triangles = tri.Triangulation([0, 1, 0, 1], [0, 0, 1, 1])
    circle = path.Path.unit_circle()
    return {
        "backend": matplotlib.get_backend(),
        "shape": pixels.shape,
        "pixels": hashlib.sha256(pixels.tobytes()).hexdigest(),
        "svg": len(re.findall(b"<path", vector.getvalue())),
        "pdf": printed.getvalue()[:5],
        "triangles": triangles.triangles.tolist(),
        "inside": circle.contains_points([(0, 0), (2, 2)]).tolist(),
        "extents": [float(each) for each in circle.get_extents().bounds],
        "text": float(mathtext.MathTextParser("path").parse(r"$\alpha^2$").width),
        "colour": [float(each) for each in matplotlib.colormaps["viridis"](0.5)],
    }
