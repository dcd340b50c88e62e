"""Curves of any number of points to few, within a stated distance: half a unit of the picture at most."""

from __future__ import annotations

import numpy as np

from pixelgauge.report.charts.svg import Points

ERROR = 0.5
"""How far, in units of the picture, a thinned curve is from the curve at most: a 440th of a small chart's width."""


def thinned(points: Points) -> Points:
    """Leave points of a curve out, so that what is left is within :data:`ERROR` of each of them.

    Parameters
    ----------
    points : (N, 2) numpy.ndarray of float64
        Places in the picture.

    Returns
    -------
    (M, 2) numpy.ndarray of float64
        Some of the points, first and last among them.

    References
    ----------
    Douglas, Peucker: Algorithms for the reduction of the number of points required to represent a digitized line,
    Cartographica 10, 1973.
    """
    if len(points) <= 2:
        return points
    # those that lie in one square with the point before: no work beyond is done for what no eye tells apart
    squares = np.floor(points / (ERROR / 2 / np.sqrt(2)))
    is_new = np.concatenate([[True], (np.diff(squares, axis=0) != 0).any(axis=1)])
    is_new[-1] = True
    points = points[is_new]
    kept = np.zeros(len(points), bool)
    kept[[0, -1]] = True
    parts = [(0, len(points) - 1)]
    while parts:
        start, end = parts.pop()
        if end - start < 2:
            continue
        between = points[start + 1 : end]
        distances = _distances(between, points[start], points[end])
        farthest = int(np.argmax(distances))
        if distances[farthest] > ERROR / 2:
            middle = start + 1 + farthest
            kept[middle] = True
            parts += [(start, middle), (middle, end)]
    return points[kept]


def _distances(points: Points, start: Points, end: Points) -> Points:
    """Distance of each point from the line between two others."""
    along = end - start
    length = float(along @ along)
    if length == 0:
        return np.asarray(np.hypot(*(points - start).T))
    share = np.clip((points - start) @ along / length, 0, 1)
    return np.asarray(np.hypot(*(points - start - share[:, np.newaxis] * along).T))
