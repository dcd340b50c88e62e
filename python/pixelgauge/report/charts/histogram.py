"""Histograms: of one set of numbers, or of several, each told from the others by fill, line and dash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pixelgauge.markup import Markup
from pixelgauge.report.charts import bins, scales
from pixelgauge.report.charts.frame import NORMAL, Frame, Key, Rule, Size, empty_picture, picture
from pixelgauge.report.charts.scales import Values
from pixelgauge.report.charts.svg import element, path
from pixelgauge.report.charts.ticks import figure, written

_LOOKS = ("filled", "solid", "dashed", "dotted")
"""Of the sets in turn: the first is an area, the others are lines."""


def histogram(
    values: npt.ArrayLike,
    *,
    title: str,
    x_title: str = "",
    rules: Sequence[Rule] = (),
    around_zero: bool = False,
    size: Size = NORMAL,
) -> Markup:
    """Draw how many of some numbers lie where.

    Parameters
    ----------
    values : (N,) array_like of float
        Those that are NaN or infinite are counted in the description, and not drawn.
    title : str
        The chart's accessible name.
    x_title : str
        What the numbers are.
    rules : sequence of Rule
        Numbers to draw a line at.
    around_zero : bool
        Whether 0 is the middle of a bin.
    size : Size

    Returns
    -------
    Markup
        An element ``svg``.
    """
    given = np.ravel(np.asarray(values, np.float64))
    finite = given[scales.drawable(given)]
    if not finite.size:
        return empty_picture(size, title, scales.undrawable(given) or "there are no numbers")
    edges = bins.round_bins(finite, around_zero=around_zero)
    counts = _counts(finite, edges)
    y = scales.counts(int(counts.max()))
    x = scales.linear(float(edges[0]), float(edges[-1]))
    frame = Frame(size, x, y, x_title=x_title, y_title="count", rules=rules)
    places, names = frame.across(edges), written(edges.tolist())
    bars = []
    for i in np.flatnonzero(counts).tolist():
        left, right, top = places[i], places[i + 1], frame.up([counts[i]])[0]
        gap = min(1.0, (right - left) / 8)
        told = element("title", f"{names[i]} to {names[i + 1]}: {counts[i]:,}")
        width, height = right - left - gap, max(frame.bottom - top, 1.0)
        bar = element("rect", told, x=left + gap / 2, y=frame.bottom - height, width=width, height=height)
        bars.append(bar)
    return picture(
        size,
        title,
        f"Histogram of {_number(given)}. {_where(finite)}",
        *frame.axes(),
        element("g", *bars, class_="chart-bars"),
        *frame.rules(),
    )


def class_histogram(
    classes: Mapping[str, npt.ArrayLike],
    *,
    title: str,
    x_title: str = "",
    rules: Sequence[Rule] = (),
    edges: Values | None = None,
    size: Size = NORMAL,
) -> Markup:
    """Draw several sets of numbers over each other, each as shares of its own.

    Parameters
    ----------
    classes : mapping of str to (N,) array_like of float
        Up to four sets by name.
    title, x_title, rules, size
        As of :func:`histogram`.
    edges : (B + 1,) numpy.ndarray of float64, optional
        Of the bins, which several charts share; what lies beyond them is counted in the outermost.

    Returns
    -------
    Markup
        An element ``svg``.
    """
    given = {name: np.ravel(np.asarray(values, np.float64)) for name, values in classes.items()}
    finite = {name: values[scales.drawable(values)] for name, values in given.items()}
    everything = np.concatenate(list(finite.values()))
    if not everything.size:
        lost = scales.undrawable(np.concatenate(list(given.values())))
        return empty_picture(size, title, lost or "there are no numbers")
    edges = bins.round_bins(everything) if edges is None else edges
    shares = {name: _counts(values, edges) / max(1, len(values)) for name, values in finite.items()}
    highest = max(float(share.max()) for share in shares.values())
    looks = dict(zip(given, _LOOKS, strict=False))
    keys = [Key(name, _swatch(i, looks[name]), f"{len(given[name]):,}") for i, name in enumerate(given)]
    x = scales.linear(float(edges[0]), float(edges[-1]))
    y = scales.percent(0, highest * 1.04, most=4)
    frame = Frame(size, x, y, x_title=x_title, y_title="share of each", keys=keys, rules=rules)
    outlines = [
        element(
            "path",
            d=_outline(frame, edges, share),
            class_=f"chart-outline chart-{looks[name]} chart-of-{i + 1}",
        )
        for i, (name, share) in enumerate(shares.items())
    ]
    told = " ".join(f"{name}: {_number(given[name])}. {_where(values)}" for name, values in finite.items())
    return picture(size, title, f"Histograms. {told}", *frame.axes(), *outlines, *frame.rules())


def _counts(values: Values, edges: Values) -> npt.NDArray[np.int64]:
    inside = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    return np.bincount(inside, minlength=len(edges) - 1)


def _outline(frame: Frame, edges: Values, share: Values) -> str:
    """Path along the tops of bars, from the axis and back to it."""
    x = np.repeat(edges, 2)
    y = np.concatenate([[0.0], np.repeat(share, 2), [0.0]])
    return path(frame.points(x, y))


def _swatch(i: int, look: str) -> Markup:
    return element("path", d="M-11 6H-7V-6H7V6H11", class_=f"chart-outline chart-{look} chart-of-{i + 1}")


def _number(given: Values) -> str:
    """How many numbers there are, and how many of them are not drawn."""
    lost = not_drawn(given)
    return f"{len(given):,} {'number' if len(given) == 1 else 'numbers'}" + (f" ({lost})" if lost else "")


def _where(finite: Values) -> str:
    if not finite.size:
        return ""
    low, middle, high = (figure(float(value)) for value in (finite.min(), np.median(finite), finite.max()))
    return f"From {low} to {high}, median {middle}."


def not_drawn(values: npt.ArrayLike) -> str:
    """Say how many numbers a chart does not show, for the text beside it; empty if it shows all."""
    lost = scales.undrawable(values)
    return f"{lost}, not drawn" if lost else ""
