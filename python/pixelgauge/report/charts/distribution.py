"""The empirical distribution: the share of numbers up to each number, with percentiles named on the curve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pixelgauge.markup import Markup
from pixelgauge.report.charts import scales
from pixelgauge.report.charts.frame import NORMAL, TEXT, Frame, Rule, Size, empty_picture, picture, text_width
from pixelgauge.report.charts.svg import element, label, path
from pixelgauge.report.charts.thinning import thinned
from pixelgauge.report.charts.ticks import written

PERCENTILES = (5, 25, 50, 75, 95)
_MOST_STEPS = 2000
"""Steps that are drawn: beyond it, every so many, so that the curve is within a two-thousandth of its height."""


def distribution(
    values: npt.ArrayLike,
    *,
    title: str,
    x_title: str = "",
    percentiles: Sequence[float] = PERCENTILES,
    rules: Sequence[Rule] = (),
    size: Size = NORMAL,
) -> Markup:
    """Draw the share of some numbers that each number is not below.

    Parameters
    ----------
    values : (N,) array_like of float
        Infinities count, at either end of the curve; NaN does not.
    title : str
        The chart's accessible name.
    x_title : str
        What the numbers are.
    percentiles : sequence of float
        To mark and to name, of 0 to 100; each is one of the numbers.
    rules : sequence of Rule
        Numbers to draw a line at.
    size : Size

    Returns
    -------
    Markup
        An element ``svg``.
    """
    given = np.ravel(np.asarray(values, np.float64))
    ordered = np.sort(given[~np.isnan(given)])
    drawn = ordered[scales.drawable(ordered)]
    if not drawn.size:
        return empty_picture(size, title, scales.undrawable(given) or "there are no numbers")
    count, below = len(ordered), int((ordered < drawn[0]).sum())
    frame = Frame(
        size,
        scales.spanning(drawn),
        scales.percent(0, 1, most=4),
        x_title=x_title,
        y_title="share up to here",
        rules=rules,
    )
    ranks = np.unique(np.linspace(1, len(drawn), min(len(drawn), _MOST_STEPS)).astype(np.int64))
    steps = np.stack([np.repeat(drawn[ranks - 1], 2), np.repeat((below + ranks) / count, 2)])
    # each step goes up where its number is: the height before it is that of the step before
    heights = np.concatenate([[below / count], steps[1][:-1]])
    curve = thinned(frame.points(steps[0], heights))
    found = _percentiles(ordered, percentiles)
    names = written([value for _, value in found])
    told = ", ".join(f"{percent:g}% up to {name}" for (percent, _), name in zip(found, names, strict=True))
    return picture(
        size,
        title,
        f"Empirical distribution of {count:,} numbers: {told}.",
        *frame.axes(),
        element("path", d=path(curve), class_="chart-line chart-of-1"),
        *frame.rules(),  # below the names, which no line shall strike through
        *(
            _named(frame, percent, value, name)
            for (percent, value), name in zip(found, names, strict=True)
            if drawn[0] <= value <= drawn[-1]
        ),
    )


def _percentiles(ordered: scales.Values, percentiles: Sequence[float]) -> list[tuple[float, float]]:
    """Least of the numbers that so many percent do not exceed."""
    ranks = [max(1, int(np.ceil(percent / 100 * len(ordered) - 1e-9))) for percent in percentiles]
    return [(percent, float(ordered[rank - 1])) for percent, rank in zip(percentiles, ranks, strict=True)]


def _named(frame: Frame, percent: float, value: float, written_value: str) -> Markup:
    """Draw a dot on the curve, and its name where the rising curve leaves room: right below it, or left above."""
    x, y = frame.points([value], [percent / 100])[0].tolist()
    name = f"{percent:g}%  {written_value}"
    room = text_width(name) + 12
    fits_right, fits_left = x + room <= frame.size.width, x - room >= frame.left
    dot = element("circle", cx=x, cy=y, r=3.5, class_="chart-dot chart-of-1")
    if fits_right and not (fits_left and (percent < 15 or percent > 85)):
        return dot + label(x + 9, min(y + 0.35 * TEXT + 3, frame.bottom - 4), name)
    return dot + label(x - 9, y - 2, name, anchor="end")
