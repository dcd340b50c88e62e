"""The page of ``pixelgauge auroc --report``: how well a score ranks, which threshold decides what, and for whom."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelgauge.files.reading import shown
from pixelgauge.images import Array
from pixelgauge.markup import Markup, element, name
from pixelgauge.ranking.average_precision_interval import average_precision_interval
from pixelgauge.ranking.delong_tests import delong_test
from pixelgauge.ranking.inputs import score_array, scores_of
from pixelgauge.ranking.intervals import AurocInterval, roc_auc_interval
from pixelgauge.report.charts import bins, scales
from pixelgauge.report.charts.figures import figure, side_by_side
from pixelgauge.report.charts.frame import SMALL, Rule
from pixelgauge.report.charts.histogram import class_histogram, not_drawn
from pixelgauge.report.charts.intervals import Estimate, interval_plot
from pixelgauge.report.charts.scales import Values
from pixelgauge.report.charts.thinning import ERROR
from pixelgauge.report.document import Document, document
from pixelgauge.report.doubts import found
from pixelgauge.report.operating import named_points, points_section
from pixelgauge.report.ranked import OperatingSpot, Ranked, det_chart, precision_recall_chart, roc_chart
from pixelgauge.report.tables import figure_list, scrolled
from pixelgauge.report.written import counted

_MOST_GROUPS = 30
"""Groups that are drawn: beyond it the lowest and the highest."""
_MOST_MULTIPLES = 12
"""Groups whose scores are drawn."""


@dataclass(frozen=True)
class Scored:
    """Scores of a file, with both classes among them, and what was found of them."""

    file: str
    score: str
    """Name of the column."""
    truth: Array
    """Where a row is positive."""
    scores: Array
    auroc: float
    interval: AurocInterval | None
    said: str
    """Why there is no interval, or what is to be known of it."""
    level: float
    average_precision: float
    threshold: float
    chosen_by: str
    facts: Mapping[str, Any]
    groups: tuple[str, Array] | None = None
    """Name of a column, and each row's group."""
    versus: tuple[str, Array] | None = None
    """Name of a column of other scores of the same rows, and these."""


def write_auroc_page(path: str | os.PathLike[str], scored: Scored) -> None:
    """Write the page.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with document(path, f"How well {shown(scored.score, 80)} ranks", "auroc") as page:
        page.style("charts/charts.css")
        page.facts = scored.facts
        page.lead = _lead(scored)
        _summary(page, scored)
        points = named_points(scored.truth, scored.scores, scored.threshold, scored.chosen_by, scored.level)
        spots = [OperatingSpot.of(one.letter, one.point) for one in points]
        _curves(page, scored, spots)
        page.section(
            "operating-points",
            "Operating points",
            points_section(points),
            note="What is decided if every score at or above a threshold is called positive. The intervals of "
            "sensitivity, specificity and precision are Clopper and Pearson's; of a threshold that was chosen where a "
            "figure looks best, they do not allow for the choice.",
        )
        if scored.groups is not None:
            _groups(page, scored, *scored.groups)
        if scored.versus is not None:
            _versus(page, scored, *scored.versus)


def _lead(scored: Scored) -> Markup:
    ends = ""
    if scored.interval is not None:
        ends = f", {_level(scored)} interval {_plain(scored.interval.low)} to {_plain(scored.interval.high)}"
    return Markup(
        '<p class="lead"><strong>AUROC {}</strong>{}. In {} of all pairs of a positive and a negative of {}, the '
        "positive has the higher score, ties counted half.</p>"
    ).format(_plain(scored.auroc), ends, f"{scored.auroc:.1%}", name(scored.file))


def _summary(page: Document, scored: Scored) -> None:
    ap = found(lambda: average_precision_interval(scored.truth, scored.scores, level=scored.level))
    positives, count = int(scored.truth.sum()), len(scored.truth)
    rows = [
        _estimate("AUROC", scored.auroc, scored.interval),
        _estimate("average precision", scored.average_precision, ap.value),
    ]
    figures = [
        ("samples", f"{count:,}", ""),
        ("positives", f"{positives:,}", ""),
        ("share of positives", f"{positives / count:.1%}", ""),
    ]
    told = [said for said in (scored.said, ap.said and f"average precision: {ap.said}") if said]
    chart = interval_plot(rows, title="AUROC and average precision with their intervals", x_title="")
    note = f"The {_level(scored)} intervals of the population that the samples come from."
    page.section(
        "summary",
        "Summary",
        figure_list(figures),
        side_by_side(_scores(scored), figure(chart, "How sure the figures are", note)),
        *(element("p", doubt, class_="note") for doubt in told),
    )


def _curves(page: Document, scored: Scored, spots: list[OperatingSpot]) -> None:
    ranked = Ranked.of(scored.truth, scored.scores, scored.level)
    other = None
    if scored.versus is not None:
        other = (scored.versus[0], Ranked.of(scored.truth, scored.versus[1], scored.level))
    page.section(
        "curves",
        "Curves",
        side_by_side(
            figure(roc_chart(ranked, scored.score, spots, other), "ROC", "What is found for what is called in vain."),
            figure(
                precision_recall_chart(ranked, scored.score, spots, other),
                "Precision and recall",
                "How many of those called are positive; the dotted line is calling at random.",
            ),
            figure(
                det_chart(ranked, scored.score, spots, other),
                "Detection error trade-off",
                "Both errors on scales of normal quantiles: low rates have room, and normal scores give a line.",
            ),
        ),
        note=f"Letters are the operating points below. Bands are of each threshold by itself, by Wilson's intervals. "
        f"Every curve is drawn within {ERROR / 360:.2%} of an axis.",
    )


def _scores(scored: Scored) -> Markup:
    values, truth = _floats(scored.scores), np.asarray(scored.truth, bool)
    drawn = values[scales.drawable(values)]
    has_line = drawn.size > 0 and bool(scales.drawable(scored.threshold))
    chart = class_histogram(
        {"negative": values[~truth], "positive": values[truth]},
        title="Scores of both classes",
        x_title=scored.score,
        rules=[Rule(float(scored.threshold), "A")] if has_line else [],
    )
    note = "Shares of each class by itself" + ("; the line is the threshold of operating point A." if has_line else ".")
    lost = not_drawn(values)
    return figure(chart, "Scores by class", f"{note} {lost}." if lost else note)


def _groups(page: Document, scored: Scored, column: str, groups: Array) -> None:
    intervals = found(lambda: roc_auc_interval(scored.truth, scored.scores, level=scored.level, groups=groups))
    if intervals.value is None:
        page.section("groups", "Groups", element("p", intervals.said, class_="note"))
        return
    known = {str(group): one for group, one in intervals.value.groups.items() if not math.isnan(one.auroc)}
    if not known:
        page.section("groups", "Groups", element("p", f"No group has a figure: {intervals.said}.", class_="note"))
        return
    ordered = sorted(known, key=lambda group: (known[group].auroc, group))
    drawn = ordered
    if len(ordered) > _MOST_GROUPS:
        drawn = ordered[: _MOST_GROUPS // 2] + ordered[-_MOST_GROUPS // 2 :]
    mean = intervals.value.mean
    rows = [] if math.isnan(mean.auroc) else [_estimate("mean of the groups", mean.auroc, mean)]
    rows += [_estimate(group, known[group].auroc, known[group]) for group in drawn]
    plot = interval_plot(rows, title="AUROC of each group", x_title="AUROC", rules=[Rule(scored.auroc, "all")])
    values, truth, names = _floats(scored.scores), np.asarray(scored.truth, bool), np.asarray(groups).astype(str)
    multiples = []
    drawable = values[scales.drawable(values)]
    edges = bins.round_bins(drawable) if drawable.size else None
    for group in drawn[:_MOST_MULTIPLES]:
        here = names == group
        positives = int((here & truth).sum())
        chart = class_histogram(
            {"negative": values[here & ~truth], "positive": values[here & truth]}, title=f"Scores of {group}",
            x_title=scored.score, edges=edges, size=SMALL,
        )  # fmt: skip
        multiples.append(figure(chart, name(group), f"{positives:,} of {int(here.sum()):,} are positive"))
    some = f": the {_MOST_GROUPS // 2} lowest and the {_MOST_GROUPS // 2} highest" if len(ordered) > len(drawn) else ""
    said = [
        f"{counted(len(known), 'group')} of column {shown(column, 80)}, by their AUROC{some}.",
        f"{intervals.said[:1].upper()}{intervals.said[1:]}." if intervals.said else "",
    ]
    page.section(
        "groups",
        "Groups",
        side_by_side(figure(plot, f"AUROC with {_level(scored)} intervals")),
        element("h3", "Scores by class" + (f", the {_MOST_MULTIPLES} lowest" if len(drawn) > _MOST_MULTIPLES else "")),
        side_by_side(*multiples, small=True),
        note=" ".join(one for one in said if one),
    )


def _versus(page: Document, scored: Scored, column: str, others: Array) -> None:
    test = found(lambda: delong_test(scored.truth, scored.scores, others, level=scored.level))
    if test.value is None:
        page.section("comparison", "Paired comparison", element("p", test.said, class_="note"))
        return
    by = test.value
    other = found(lambda: roc_auc_interval(scored.truth, others, level=scored.level)).value
    rows = [_estimate(scored.score, by.auroc_a, scored.interval), _estimate(column, by.auroc_b, other)]
    difference = Estimate(
        "difference", by.difference, by.low, by.high, f"{by.difference:+.4f} [{by.low:+.4f}, {by.high:+.4f}]"
    )
    reach = scales.spanning([0.0, by.low, by.high], room=0.05)
    p = "< 0.0001" if by.p_value < 1e-4 else f"{by.p_value:.4f}"
    page.section(
        "comparison",
        "Paired comparison",
        side_by_side(
            figure(interval_plot(rows, title="AUROC of both scores", x_title="AUROC"), "AUROC of each"),
            figure(
                interval_plot(
                    [difference],
                    title="Difference of the AUROCs",
                    x_title="",
                    rules=[Rule(0.0, "none")],
                    scale=reach,
                ),
                "Their difference",
                "Of the same rows, so it may be surer than the two figures by themselves.",
            ),
        ),
        scrolled(("test", "z", "p"), [("DeLong, two-sided", f"{by.z:.4g}", p)]),
        note=" ".join(one for one in ("Both scores of the same rows, by DeLong's test.", test.said) if one),
    )


def _estimate(title: str, value: float, interval: Any) -> Estimate:
    if interval is None or math.isnan(interval.low):
        return Estimate(title, value, None, None, _plain(value))
    written = f"{_plain(value)} [{_plain(interval.low)}, {_plain(interval.high)}]"
    return Estimate(title, value, interval.low, interval.high, written)


def _floats(scores: Array) -> Values:
    """Scores as they are drawn, rounded where whole numbers have more digits than a float."""
    return np.asarray(scores_of(score_array(scores)).decoded(), np.float64)


def _level(scored: Scored) -> str:
    return f"{100 * scored.level:g}%"


def _plain(value: float) -> str:
    return f"{value:.4f}"
