# SPDX-License-Identifier: MIT
import pickle

import numpy as np
import shapely
from shapely import affinity, ops
from shapely.geometry import LineString, Point, Polygon, shape


def smoke():
    square = Polygon([(0, 0), (4, 0), (4, 4), (0, 4)], [[(1, 1), (2, 1), (2, 2), (1, 2)]])
    circle = Point(4, 4).buffer(2)
    tree = shapely.STRtree([Point(each, each) for each in range(10)])
    points = shapely.points(np.arange(6.0), np.arange(6.0)[::-1])
    try:
        shapely.from_wkt("POLYGON ((0 0")
    except shapely.errors.ShapelyError as error:
        refused = type(error).__name__
    return {
        "areas": [round(each.area, 9) for each in (square, circle, square & circle, square | circle)],
        "predicates": [square.contains(Point(3, 3)), square.contains(Point(1.5, 1.5)), square.touches(Point(0, 2))],
        "wkt": shapely.to_wkt(square),
        "wkb": shapely.to_wkb(Point(1, 2), hex=True),
        "json": shape({"type": "Point", "coordinates": [1, 2]}).wkt,
        "nearest": tree.nearest(Point(3.2, 3.1)).item(),
        "queried": sorted(tree.query(circle).tolist()),
        "vectorized": shapely.within(points, square).tolist(),
        "distances": shapely.distance(points, Point(0, 0)).round(9).tolist(),
        "turned": affinity.rotate(LineString([(0, 0), (2, 0)]), 90).wkt,
        "union": ops.unary_union([Point(each, 0).buffer(0.6) for each in range(3)]).geom_type,
        "split": len(ops.split(square, LineString([(-1, 3), (5, 3)])).geoms),
        "invalid": shapely.is_valid_reason(Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])),
        "pickled": pickle.loads(pickle.dumps(square)).equals(square),
        "prepared": shapely.contains_xy(square, [3, 9], [3, 9]).tolist(),
        "refused": refused,
    }
