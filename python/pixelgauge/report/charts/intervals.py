"""Numbers with their intervals, one below the other along one scale: how sure each is, and which overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pixelgauge.markup import Markup
from pixelgauge.report.charts import scales
from pixelgauge.report.charts.frame import TEXT, Frame, Rule, Size, picture, shortened, text_width
from pixelgauge.report.charts.svg import element, label

_ROW = 38.0
_WIDTH = 440.0


@dataclass(frozen=True)
class Estimate:
    """A number, its interval where there is one, and how both are written."""

    name: str
    value: float
    low: float | None
    high: float | None
    written: str
    """The number and its interval, with the digits that they shall have."""


def interval_plot(
    rows: Sequence[Estimate], *, title: str, x_title: str, rules: Sequence[Rule] = (), scale: scales.Scale | None = None
) -> Markup:
    """Draw numbers with their intervals.

    Parameters
    ----------
    rows : sequence of Estimate
        Those that are NaN have no dot.
    title : str
        The chart's accessible name.
    x_title : str
        What the numbers are.
    rules : sequence of Rule
        Numbers to draw a line at.
    scale : Scale, optional
        Default: what holds all of it.

    Returns
    -------
    Markup
        An element ``svg``.
    """
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None and math.isfinite(end)]
    scale = scales.spanning(ends, room=0.05) if scale is None else scale
    none = scales.Scale(0.0, 1.0, ())
    above = 40.0 + (TEXT + 3) * bool(rules)
    size = Size(_WIDTH, above + _ROW * len(rows) + 30, "chart")
    frame = Frame(size, scale, none, x_title=x_title, y_title="", rules=rules)
    marks = frame.axes()
    step = (frame.bottom - frame.top) / max(1, len(rows))
    for i, row in enumerate(rows):
        y = frame.top + (i + 0.76) * step
        room = frame.right - frame.left - text_width(row.written) - 12
        marks.append(label(frame.left, y - 11, shortened(row.name, room), role="chart-key"))
        marks.append(label(frame.right, y - 11, row.written, anchor="end", role="chart-value"))
        marks.append(element("path", d=f"M{frame.left:.2f} {y:.2f}H{frame.right:.2f}", class_="chart-grid"))
        if row.low is not None and row.high is not None:
            left, right = frame.across([row.low, row.high]).tolist()
            data = f"M{left:.2f} {y - 4:.2f}v8M{left:.2f} {y:.2f}H{right:.2f}M{right:.2f} {y - 4:.2f}v8"
            marks.append(element("path", d=data, class_="chart-interval chart-of-1"))
        if math.isfinite(row.value):
            x = float(frame.across([row.value])[0])
            marks.append(element("circle", cx=x, cy=y, r=4.5, class_="chart-dot chart-of-1"))
    told = "; ".join(f"{row.name} {row.written}" for row in rows)
    return picture(size, title, told, *frame.rules(), *marks)
