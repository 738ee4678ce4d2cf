# SPDX-License-Identifier: MIT
import numpy as np
from scipy import fft, integrate, interpolate, linalg, ndimage, optimize, signal, sparse, spatial, special, stats
from scipy.sparse import csgraph
from scipy.sparse import linalg as sparse_linalg


def smoke():
    matrix = np.array([[4.0, 1, 0], [1, 3, 1], [0, 1, 2]])
    points = np.array([[0, 0], [2, 0], [2, 2], [0, 2], [1, 1.0], [0.5, 1.5]])
    x = np.linspace(0, 6, 20)
    graph = sparse.csr_array([[0, 1, 4], [0, 0, 2], [0, 0, 0.0]])
    minimum = optimize.minimize(lambda p: (p[0] - 1) ** 2 + (p[1] + 2) ** 2, [0, 0], method="L-BFGS-B")
    try:
        linalg.cholesky(-matrix)
    except linalg.LinAlgError as error:
        refused = str(error)
    solved = integrate.solve_ivp(lambda t, y: -y, (0, 1), [1.0], rtol=1e-8)
    return {
        "inverse": linalg.inv(matrix).round(9).tolist(),
        "exponential": linalg.expm(matrix / 4).round(9).tolist(),
        "minimum": minimum.x.round(4).tolist(),
        "root": round(optimize.brentq(lambda t: t**3 - 2, 0, 2), 9),
        "integral": round(integrate.quad(np.exp, 0, 1)[0], 9),
        "solved": round(float(solved.y[0, -1]), 6),
        "spline": interpolate.CubicSpline(x, np.sin(x))([0.5, 1.5]).round(6).tolist(),
        "filtered": signal.sosfilt(signal.butter(3, 0.2, output="sos"), np.ones(5)).round(9).tolist(),
        "fft": np.abs(fft.rfft(np.sin(x), workers=2)).round(6).tolist()[:4],
        "special": [round(float(each), 9) for each in (special.gamma(4.5), special.jv(1, 2.0), special.erf(0.3))],
        "hull": sorted(spatial.ConvexHull(points).vertices.tolist()),
        "nearest": spatial.cKDTree(points).query([1.1, 0.9], k=2)[1].tolist(),
        "sparse": sparse_linalg.spsolve(sparse.csc_array(matrix), [1.0, 2, 3]).round(9).tolist(),
        "path": csgraph.shortest_path(graph)[0].tolist(),
        "labels": ndimage.label([[1, 0, 1], [1, 0, 0]])[1],
        "test": round(float(stats.ttest_ind([1, 2, 3.0], [2, 3, 5.0]).pvalue), 9),
        "programme": optimize.linprog([-1, -2], [[1, 1]], [4]).x.round(6).tolist(),
        "refused": refused,
    }
