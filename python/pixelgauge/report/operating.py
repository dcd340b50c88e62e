"""Operating points for a page: what each threshold is for, its figures with their intervals, and what it decides."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pixelgauge.images import Array
from pixelgauge.markup import Markup, element
from pixelgauge.proportions import ProportionInterval
from pixelgauge.ranking.operating_points import OperatingPoint, operating_point, point_of
from pixelgauge.ranking.thresholds import best_threshold, confusion_at_threshold
from pixelgauge.report.charts.figures import figure, side_by_side
from pixelgauge.report.charts.outcomes import outcomes
from pixelgauge.report.doubts import found
from pixelgauge.report.tables import scrolled


@dataclass(frozen=True)
class NamedPoint:
    """A point, what it is for, and a letter that stands for it in charts."""

    letter: str
    purpose: str
    point: OperatingPoint


def named_points(truth: Array, scores: Array, threshold: float, chosen_by: str, level: float) -> list[NamedPoint]:
    """Find the threshold that was chosen, and those that meet usual requirements; each once."""
    wanted = [
        (chosen_by, lambda: _at(truth, scores, threshold, level)),
        ("sensitivity of at least 95%", lambda: operating_point(truth, scores, tpr=0.95, level=level)),
        ("false positive rate of at most 5%", lambda: operating_point(truth, scores, fpr=0.05, level=level)),
        ("false positive rate of at most 1%", lambda: operating_point(truth, scores, fpr=0.01, level=level)),
        ("greatest F1", lambda: _at(truth, scores, best_threshold(truth, scores, criterion="f1"), level)),
    ]
    points: list[tuple[str, OperatingPoint]] = []
    for purpose, compute in wanted:
        point = found(compute).value
        if point is None:
            continue
        same = [i for i, (_, other) in enumerate(points) if other.threshold == point.threshold]
        if same:
            points[same[0]] = (f"{points[same[0]][0]}; {purpose}", points[same[0]][1])
        else:
            points.append((purpose, point))
    return [NamedPoint("ABCDE"[i], purpose, point) for i, (purpose, point) in enumerate(points)]


def _at(truth: Array, scores: Array, threshold: float, level: float) -> OperatingPoint:
    return point_of(threshold, confusion_at_threshold(truth, scores, threshold), level)


def points_section(points: Sequence[NamedPoint]) -> Markup:
    """Lay out a picture of each point's decisions, and a table of all figures."""
    pictures = [
        figure(
            outcomes(
                (one.point.confusion.true_positives, one.point.confusion.false_negatives),
                (one.point.confusion.true_negatives, one.point.confusion.false_positives),
                title=f"Decisions at {one.letter}, threshold {one.point.threshold:.6g}",
            ),
            f"{one.letter}  score ≥ {one.point.threshold:.6g}",
            one.purpose,
        )
        for one in points
    ]
    return side_by_side(*pictures, small=True) + _table(points)


def _table(points: Sequence[NamedPoint]) -> Markup:
    """Lay out a column for each point, which a sheet of paper has room for."""

    def row(title: str, figure_of: Callable[[OperatingPoint], object]) -> list[object]:
        return [title, *(figure_of(one.point) for one in points)]

    rows = [
        row("threshold", lambda point: f"{point.threshold:.6g}"),
        row("sensitivity", lambda point: _share(point.sensitivity)),
        row("specificity", lambda point: _share(point.specificity)),
        row("precision", lambda point: _share(point.precision)),
        row("negative predictive value", lambda point: _figure(point.confusion.negative_predictive_value)),
        row("accuracy", lambda point: _figure(point.confusion.accuracy)),
        row("balanced accuracy", lambda point: _figure(point.confusion.balanced_accuracy)),
        row("F1", lambda point: _figure(point.confusion.f1)),
        row("MCC", lambda point: _figure(point.confusion.mcc)),
        row("Youden's J", lambda point: _figure(point.confusion.youden_j)),
        row("true positives", lambda point: f"{point.confusion.true_positives:,.0f}"),
        row("false positives", lambda point: f"{point.confusion.false_positives:,.0f}"),
        row("false negatives", lambda point: f"{point.confusion.false_negatives:,.0f}"),
        row("true negatives", lambda point: f"{point.confusion.true_negatives:,.0f}"),
    ]
    return scrolled(("figure", *(one.letter for one in points)), rows)


def _share(interval: ProportionInterval) -> Markup:
    ends = element("span", f"{interval.low:.3f}–{interval.high:.3f}", class_="muted")
    return Markup("{}<br>{}").format(_figure(interval.proportion), ends)


def _figure(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
