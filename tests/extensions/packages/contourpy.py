# SPDX-License-Identifier: MIT
import contourpy
import numpy as np


def smoke():
    y, x = np.mgrid[-2:2:21j, -3:3:31j]
    z = np.sin(x) * np.cos(y)
    result = {}
    for name in ("serial", "threaded", "mpl2014", "mpl2005"):
        options = {"thread_count": 2, "chunk_count": 2} if name == "threaded" else {}
        generator = contourpy.contour_generator(x, y, z, name=name, **options)
        lines, filled = generator.lines(0.5), generator.filled(0.2, 0.6)
        points = lines[0] if isinstance(lines, tuple) else lines  # without codes
        total = sum(float(np.abs(each).sum()) for each in points if each is not None)
        result[name] = (len(points), round(total, 9), len(filled[0]))
    masked = contourpy.contour_generator(z=np.ma.masked_greater(z, 0.8), corner_mask=True)
    try:
        contourpy.contour_generator(z=[[1.0, 2.0], [3.0]])
    except (TypeError, ValueError) as error:
        result["refused"] = type(error).__name__
    codes = contourpy.contour_generator(x, y, z, line_type="SeparateCode").lines(0.5)[1]
    return result | {"masked": len(masked.lines(0.7)), "codes": [each.tolist()[:3] for each in codes]}
