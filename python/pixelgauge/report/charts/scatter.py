"""Two numbers of each of many things: a dot each while they are few, and beyond that squares by how many lie there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pixelgauge.markup import Markup
from pixelgauge.report.charts import scales
from pixelgauge.report.charts.frame import SQUARE, Frame, Size, empty_picture, picture
from pixelgauge.report.charts.svg import Points, coordinate, element
from pixelgauge.report.charts.ticks import figure

MOST_DOTS = 3000
_SQUARE = 8.0
"""Side of the squares that dots are counted in, in units of the picture."""


def scatter(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    title: str,
    x_title: str,
    y_title: str,
    size: Size = SQUARE,
) -> Markup:
    """Draw one number of each thing over another.

    Parameters
    ----------
    x, y : (N,) array_like of float
        Pairs of which one is NaN or infinite are counted in the description, and not drawn.
    title : str
        The chart's accessible name.
    x_title, y_title : str
        What the numbers are.
    size : Size

    Returns
    -------
    Markup
        An element ``svg``: beyond :data:`MOST_DOTS` pairs, a dot for each small square of the picture, whose area grows
        with the number of pairs there.
    """
    pairs = np.stack([np.ravel(np.asarray(x, np.float64)), np.ravel(np.asarray(y, np.float64))])
    drawn = pairs[:, scales.drawable(pairs).all(axis=0)]
    count, lost = drawn.shape[1], pairs.shape[1] - drawn.shape[1]
    if not count:
        return empty_picture(size, title, f"of {pairs.shape[1]:,} pairs none has two numbers that can be drawn")
    across, up = scales.spanning(drawn[0]), scales.spanning(drawn[1])
    frame = Frame(size, across, up, x_title=x_title, y_title=y_title)
    points = frame.points(drawn[0], drawn[1])
    how = "" if count <= MOST_DOTS else " A dot's area grows with the number of pairs in its square."
    left_out = f" {lost:,} with a number that is not finite, or beyond ±1e300, are not drawn." if lost else ""
    where = f"{x_title} {_range(drawn[0])}, {y_title} {_range(drawn[1])}"
    told = f"{count:,} {'pair' if count == 1 else 'pairs'}: {where}.{left_out}{how}"
    marks = dots(points) if count <= MOST_DOTS else counted(points)
    return picture(size, title, told, *frame.axes(), marks)


def dots(points: Points, look: str = "chart-dots chart-of-1") -> Markup:
    """One dot a point: a path of many ends that have a width and no length."""
    data = "".join(f"M{coordinate(round(x, 1))} {coordinate(round(y, 1))}h0" for x, y in points.tolist())
    return element("path", d=data, class_=look)


def counted(points: Points, look: str = "chart-counts chart-of-1") -> Markup:
    """One dot a square that holds points, with an area by the logarithm of their number."""
    squares, counts = np.unique(np.floor(points / _SQUARE), axis=0, return_counts=True)
    places = (squares + 0.5) * _SQUARE
    radii = 0.55 * _SQUARE * np.sqrt(np.log1p(counts) / np.log1p(counts.max()))
    return element(
        "g",
        *(
            element("circle", element("title", f"{number:,}"), cx=px, cy=py, r=radius)
            for (px, py), radius, number in zip(places.tolist(), radii.tolist(), counts.tolist(), strict=True)
        ),
        class_=look,
    )


def _range(values: scales.Values) -> str:
    return f"{figure(float(values.min()))} to {figure(float(values.max()))}"
