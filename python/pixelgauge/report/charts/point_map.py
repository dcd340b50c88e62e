"""A map of two sets of points: circles of one, crosses of the other, told apart by their shape as by their colour."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from pixelgauge.markup import Markup
from pixelgauge.report.charts import scales
from pixelgauge.report.charts.frame import SQUARE, Frame, Key, Size, picture
from pixelgauge.report.charts.scatter import dots
from pixelgauge.report.charts.svg import Points, coordinate, element

_ARM = 2.6


def point_map(
    sets: Mapping[str, npt.ArrayLike], *, title: str, x_title: str, y_title: str, description: str, size: Size = SQUARE
) -> Markup:
    """Draw two sets of points, with the same scale in both directions.

    Parameters
    ----------
    sets : mapping of str to (N, 2) array_like of float
        Two sets by name, of finite numbers: some thousand of points, for each is drawn.
    title, description : str
        The chart's accessible name, and what it shows.
    x_title, y_title : str
        What the coordinates are.
    size : Size

    Returns
    -------
    Markup
        An element ``svg``.
    """
    points = [np.asarray(values, np.float64).reshape(-1, 2) for values in sets.values()]
    everything = np.concatenate(points)
    x, y = _alike(everything, size)
    looks = (dots, _crosses)
    marks = [dots(np.zeros((1, 2)), _of(0)), _crosses(np.zeros((1, 2)), _of(1))]
    counts = [f"{len(values):,}" for values in points]
    keys = [Key(name, mark, count) for name, mark, count in zip(sets, marks, counts, strict=True)]
    frame = Frame(size, x, y, x_title=x_title, y_title=y_title, keys=keys)
    drawn = [
        look(frame.points(values[:, 0], values[:, 1]), _of(i))
        for i, (look, values) in enumerate(zip(looks, points, strict=True))
    ]
    return picture(size, title, description, *frame.axes(), *drawn)


def _of(i: int) -> str:
    return f"chart-{('dots', 'crosses')[i]} chart-of-{i + 1}"


def _crosses(points: Points, look: str) -> Markup:
    """One slanted cross a point, in one path."""
    arm, arms = coordinate(_ARM), coordinate(2 * _ARM)
    data = "".join(
        f"M{coordinate(x - _ARM)} {coordinate(y - _ARM)}l{arms} {arms}m-{arms} 0l{arms} -{arms}m-{arm} {arm}"
        for x, y in points.tolist()
    )
    return element("path", d=data, class_=look)


def _alike(points: Points, size: Size) -> tuple[scales.Scale, scales.Scale]:
    """Scales on which a step is as long across as it is up, nearly: the field is a little wider than it is tall."""
    low, high = points.min(axis=0), points.max(axis=0)
    wide, tall = size.width - 70, size.height - 100
    unit = max((high[0] - low[0]) / wide, (high[1] - low[1]) / tall) * 1.06 or 1.0
    ends = [
        (middle - unit * room / 2, middle + unit * room / 2)
        for middle, room in zip((low + high) / 2, (wide, tall), strict=True)
    ]
    x, y = (scales.linear(float(start), float(end), most=5) for start, end in ends)
    return x, y
