"""Curves over a scale each way, with the band that each lies in and points of its own that are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pixelgauge.markup import Markup
from pixelgauge.report.charts.frame import SQUARE, TEXT, Frame, Key, Size, picture, text_width
from pixelgauge.report.charts.scales import Scale, Values
from pixelgauge.report.charts.svg import Points, element, label, path
from pixelgauge.report.charts.thinning import thinned

_LOOKS = ("solid", "dashed", "dotted", "solid")


@dataclass(frozen=True)
class Curve:
    """A line through points."""

    name: str
    x: Values
    y: Values
    note: str = ""
    """After the name."""


@dataclass(frozen=True)
class Band:
    """Between two lines."""

    name: str
    low: tuple[Values, Values]
    """(x, y) of the lower line."""
    high: tuple[Values, Values]


@dataclass(frozen=True)
class Spot:
    """A point with a name, and how far it may lie elsewhere."""

    name: str
    x: float
    y: float
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Axes:
    """The two scales and their names."""

    x: Scale
    y: Scale
    x_title: str
    y_title: str
    chance: tuple[tuple[float, float], tuple[float, float]] | None = None
    """Ends of a line to compare with."""


def curves(
    lines: Sequence[Curve],
    axes: Axes,
    *,
    title: str,
    description: str,
    band: Band | None = None,
    spots: Sequence[Spot] = (),
    size: Size = SQUARE,
) -> Markup:
    """Draw curves of any number of points; each is drawn within half a unit of the picture.

    Parameters
    ----------
    lines : sequence of Curve
        Up to four.
    axes : Axes
    title, description : str
        The chart's accessible name, and what it shows in numbers.
    band : Band, optional
        Of the first curve.
    spots : sequence of Spot
    size : Size

    Returns
    -------
    Markup
        An element ``svg``.
    """
    keys = [Key(line.name, _swatch(i), line.note) for i, line in enumerate(lines)]
    if band is not None:
        keys.append(Key(band.name, element("path", d="M-11 6V-6H11V6Z", class_="chart-band chart-of-1")))
    frame = Frame(size, axes.x, axes.y, x_title=axes.x_title, y_title=axes.y_title, keys=keys)
    marks = frame.axes()
    if axes.chance is not None:
        ends = np.array(axes.chance)
        marks.append(element("path", d=path(frame.points(ends[:, 0], ends[:, 1])), class_="chart-chance"))
    if band is not None:
        low, high = (thinned(frame.points(*line)) for line in (band.low, band.high))
        area = path(np.concatenate([low, high[::-1]]))
        marks.append(element("path", d=f"{area}Z", class_="chart-band chart-of-1"))
    for i, line in reversed(list(enumerate(lines))):
        data = path(thinned(frame.points(line.x, line.y)))
        marks.append(element("path", d=data, class_=f"chart-line chart-{_LOOKS[i]} chart-of-{i + 1}"))
    curve = frame.points(lines[0].x, lines[0].y)
    return picture(size, title, description, *marks, *_named(frame, spots, curve))


def _swatch(i: int) -> Markup:
    return element("path", d="M-11 0H11", class_=f"chart-line chart-{_LOOKS[i]} chart-of-{i + 1}")


def _named(frame: Frame, spots: Sequence[Spot], curve: Points) -> list[Markup]:
    """Spots with their ranges, and their names where neither a name before nor the curve is in the way."""
    marks: list[Markup] = []
    taken: list[tuple[float, float, float, float]] = []
    for spot in spots:
        x, y = frame.points([spot.x], [spot.y])[0].tolist()
        if spot.x_range is not None:
            left, right = frame.across(spot.x_range).tolist()
            marks.append(element("path", d=f"M{left:.2f} {y:.2f}H{right:.2f}", class_="chart-whisker chart-of-2"))
        if spot.y_range is not None:
            bottom, top = frame.up(spot.y_range).tolist()
            marks.append(element("path", d=f"M{x:.2f} {bottom:.2f}V{top:.2f}", class_="chart-whisker chart-of-2"))
        taken.append((x - 5, y - 5, x + 5, y + 5))
    for spot in spots:
        x, y = frame.points([spot.x], [spot.y])[0].tolist()
        marks.append(element("circle", cx=x, cy=y, r=4.5, class_="chart-hollow chart-of-2"))
        box = _place(frame, (x, y), text_width(spot.name), taken, curve)
        taken.append(box)
        marks.append(label(box[0], box[3] - 3, spot.name))
    return marks


def _place(
    frame: Frame,
    spot: tuple[float, float],
    width: float,
    taken: Sequence[tuple[float, float, float, float]],
    curve: Points,
) -> tuple[float, float, float, float]:
    """Find the box (left, top, right, bottom) beside a spot that covers least of what is there."""
    x, y = spot
    best, least = (x, y, x, y), np.inf
    for far in (10, 24, 40):
        for left in (x + far, x - far - width, x - width / 2):
            for middle in (y, y + far, y - far, y + 2 * far, y - 2 * far):
                box = (left, middle - TEXT / 2 - 1, left + width, middle + TEXT / 2 + 3)
                if box[0] < frame.left + 2 or box[2] > frame.right or box[1] < frame.top or box[3] > frame.bottom - 2:
                    continue
                covered = sum(_overlap(box, other) for other in taken)
                on_curve = (
                    (curve[:, 0] > box[0]) & (curve[:, 0] < box[2]) & (curve[:, 1] > box[1]) & (curve[:, 1] < box[3])
                )
                cost = 50 * covered + 200 * bool(on_curve.any()) + far + abs(middle - y)
                if cost < least:
                    best, least = box, cost
    return best


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width * height if width > 0 and height > 0 else 0.0
