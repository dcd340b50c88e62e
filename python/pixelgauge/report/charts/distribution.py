"""The empirical distribution: the share of numbers up to each number, with some numbers named on the curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pixelgauge.markup import Markup
from pixelgauge.report.charts import scales
from pixelgauge.report.charts.frame import NORMAL, TEXT, Frame, Rule, Size, empty_picture, picture, text_width
from pixelgauge.report.charts.svg import element, label, path
from pixelgauge.report.charts.thinning import thinned
from pixelgauge.report.charts.ticks import written

_MOST_STEPS = 2000
"""Steps that are drawn: beyond it, every so many, so that the curve is within a two-thousandth of its height."""


def distribution(
    values: npt.ArrayLike,
    *,
    title: str,
    x_title: str = "",
    named: Mapping[str, float] | None = None,
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
    named : mapping of str to float, optional
        Numbers to mark on the curve by these names, lowest first, such as ``5%`` and what the page says it is.
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
    marked = dict(named or {})
    labels = [f"{name}  {text}" for name, text in zip(marked, written([*marked.values()]), strict=True)]
    told = "".join(f" {text};" for text in labels).removesuffix(";")
    return picture(
        size,
        title,
        f"Empirical distribution of {count:,} numbers{':' if told else ''}{told}.",
        *frame.axes(),
        element("path", d=path(curve), class_="chart-line chart-of-1"),
        *frame.rules(),  # below the names, which no line shall strike through
        *(
            _mark(frame, value, int(np.searchsorted(ordered, value, side="right")) / count, text)
            for value, text in zip(marked.values(), labels, strict=True)
            if drawn[0] <= value <= drawn[-1]
        ),
    )


def _mark(frame: Frame, value: float, share: float, name: str) -> Markup:
    """Draw a dot on the curve, and its name where the rising curve leaves room: right below it, or left above."""
    x, y = frame.points([value], [share])[0].tolist()
    room = text_width(name) + 12
    fits_right, fits_left = x + room <= frame.size.width, x - room >= frame.left
    dot = element("circle", cx=x, cy=y, r=3.5, class_="chart-dot chart-of-1")
    if fits_right and not (fits_left and (share < 0.15 or share > 0.85)):
        return dot + label(x + 9, min(y + 0.35 * TEXT + 3, frame.bottom - 4), name)
    return dot + label(x - 9, y - 2, name, anchor="end")
