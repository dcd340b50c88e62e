"""Sections of the report of a comparison that are made of figures: summary, gates, what moved, distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge.engine.baseline import Compared
from pixelgauge.engine.gates import Verdict
from pixelgauge.engine.row_columns import names_within
from pixelgauge.engine.summary import MetricSummary, Summary
from pixelgauge.markup import Markup, element
from pixelgauge.metric import Metric
from pixelgauge.report.charts.distribution import distribution
from pixelgauge.report.charts.figures import figure, side_by_side
from pixelgauge.report.charts.frame import Rule
from pixelgauge.report.charts.histogram import histogram
from pixelgauge.report.charts.scatter import scatter
from pixelgauge.report.document import Document
from pixelgauge.report.moves import Moved
from pixelgauge.report.tables import figure_list, scrolled
from pixelgauge.report.written import change, counted, pair_name, score

Metrics = Mapping[str, Metric[Any]]

_PERCENTILES = {
    "min": 0, "p1": 1, "p5": 5, "p25": 25, "median": 50, "p75": 75, "p95": 95, "p99": 99, "max": 100,
}  # fmt: skip
_MARKED = ("p5", "p25", "median", "p75", "p95")
"""On the curve of the distribution."""
_WORDS = {True: "passed", False: "failed", None: "open"}
_LOOKS = {True: "badge pass", False: "badge fail", None: "badge warn"}
_MOST_SCATTERS = 15
"""Pairs of metrics that are drawn: of six metrics all, of more those of the first."""
_SHOWN_PAIRS = 5


@dataclass(frozen=True)
class Figures:
    """What one metric gave over all rows."""

    of_all: MetricSummary
    values: npt.NDArray[np.float64]
    """Those that are finite."""
    percentiles: Mapping[str, float]
    """Of these by name, between ranks, as the median of a summary and a gate's are; empty if there are none."""


def figures_of(summary: Summary) -> dict[str, Figures]:
    """Compute the figures of each metric, which several sections show."""
    found = {}
    for name, of_all in summary.compute().items():
        values = summary.finite(name)
        at = np.percentile(values, [*_PERCENTILES.values()]).tolist() if values.size else ()
        found[name] = Figures(of_all, values, dict(zip(_PERCENTILES, at, strict=False)))
    return found


def summary_section(
    page: Document,
    summary: Summary,
    figures: Mapping[str, Figures],
    metrics: Metrics,
    notes: Sequence[str],
    *,
    is_pooled: bool = False,
) -> None:
    """Show counts by status, and figures of each metric; where it is asked for, PSNR of all pixels together."""
    tiles = [("Pairs", summary.count, ""), ("Scored", summary.statuses["ok"], "")]
    tiles += [
        (status.capitalize(), count, "bad") for status, count in sorted(summary.statuses.items()) if status != "ok"
    ]
    counts = figure_list((name, f"{count:,}", look) for name, count, look in tiles)
    rows = []
    has_infinite = any(found.of_all.infinite for found in figures.values())
    for name, of_metric in figures.items():
        metric, found = metrics[name], of_metric.of_all
        cells = [
            score(metric, value) for value in (found.mean, found.std, *map(of_metric.percentiles.get, _PERCENTILES))
        ]
        rows.append([metric.label, f"{found.count:,}", *cells, *([f"{found.infinite:,}"] if has_infinite else [])])
    heads = ["metric", "pairs", "mean", "std", *_PERCENTILES, *(["infinite"] if has_infinite else [])]
    if has_infinite:
        notes = [*notes, "Means, std and percentiles leave infinite scores out; a gate on a percentile counts them."]
    infinite = [
        f"{metrics[name].label}: no mean and no percentiles, since no score is finite; identical images have an "
        "infinite one."
        for name, found in figures.items()
        if found.of_all.infinite and not found.values.size
    ]
    said = [element("p", note, class_="note") for note in [*infinite, *notes]]
    if is_pooled:
        metric = metrics["psnr"]
        pooled = element("strong", score(metric, summary.pooled_psnr))
        said.insert(0, element("p", f"{metric.label} of all pixels together: ", pooled))
    page.section("summary", "Summary", counts, scrolled(heads, rows, "scroll dense"), *said)


def gates_section(page: Document, verdicts: Sequence[Verdict], metrics: Metrics, roots: tuple[str, str]) -> None:
    """Show how each gate came out, and which pairs broke it."""
    if not verdicts:
        return
    rows = []
    for verdict in verdicts:
        metric = None if verdict.metric is None else metrics[verdict.metric]
        value = "–" if verdict.value is None or metric is None else score(metric, verdict.value)
        shown = [
            element(
                "li",
                pair_name(names_within((row.ref, row.test), roots)),
                "" if metric is None or found is None else Markup(" <b>{}</b>").format(score(metric, found)),
            )
            for found, row in verdict.worst[:_SHOWN_PAIRS]
        ]
        more = max(verdict.broken, len(verdict.worst)) - len(shown)
        if more > 0:
            shown.append(element("li", f"and {more:,} more"))
        broke = element("ul", *shown, class_="gate-pairs") if shown else ""
        rows.append(
            [
                element("span", verdict.gate, class_="code"),
                element("td", element("span", _WORDS[verdict.passed], class_=_LOOKS[verdict.passed]), class_="text"),
                value,
                f"{verdict.judged:,}",
                element("td", verdict.reason, broke, class_="text"),
            ]
        )
    last = element("th", "what broke it", scope="col", class_="text")
    table = scrolled(
        ["gate", element("th", "outcome", scope="col", class_="text"), "value", "judged", last], rows, "scroll gates"
    )
    page.section("gates", "Gates", table, note=gates_said(verdicts))


def gates_said(verdicts: Sequence[Verdict]) -> str:
    """Say in a sentence how gates came out."""
    failed = sum(verdict.passed is False for verdict in verdicts)
    if failed and len(verdicts) == 1:
        return "The gate failed."
    return f"{failed} of {len(verdicts)} gates failed." if failed else "No gate failed."


def moves_section(page: Document, moved: Mapping[str, Moved], compared: Compared, metrics: Metrics) -> None:
    """Show what moved since the earlier run."""
    rows, charts, unknown = [], [], list[Markup]()
    for name, found in moved.items():
        metric = metrics[name]
        by = None if found.before is None or found.after is None else found.after - found.before
        better = by is not None and by != 0 and (by > 0) == metric.higher_is_better
        look = "better" if better else "worse" if by else None
        rows.append(
            [
                metric.label,
                score(metric, found.before),
                score(metric, found.after),
                element("td", "–" if by is None else change(metric, by), class_=look),
                f"{found.better:,}",
                f"{found.worse:,}",
                f"{found.same:,}",
            ]
        )
        unknown += _no_change(metric, found)
        if found.changes.size and (found.better or found.worse):
            title = f"Change of {metric.label}"
            chart = histogram(
                found.changes,
                title=title,
                x_title=f"new less old, {metric.label}",
                rules=[Rule(0.0, "0")],
                around_zero=True,
            )
            charts.append(figure(chart, title, f"{'Higher' if metric.higher_is_better else 'Lower'} is better."))
    heads = ["metric", "mean before", "mean now", "change", "pairs better", "worse", "same"]
    listed = [
        element("p", f"{counted(count, 'pair')} {what}: ", Markup(", ").join(map(pair_name, names)), class_="note")
        for what, count, names in (
            ("new, not in the baseline", compared.new, compared.new_names),
            ("gone, in the baseline alone", compared.gone, compared.gone_names),
        )
        if count
    ]
    note = f"{counted(compared.pairs, 'pair')} in both; means are over the scores that are finite in both."
    table = element("div", scrolled(heads, rows), class_="moves")
    page.section("moved", "Since the baseline", table, *unknown, *listed, side_by_side(*charts), note=note)


def _no_change(metric: Metric[Any], found: Moved) -> list[Markup]:
    """Say why a metric has no mean and no change; nothing where it has."""
    both = found.better + found.worse + found.same
    if found.changes.size:
        return []
    why = "no score is finite in both runs; identical images have an infinite one" if both else "no pair has it in both"
    return [element("p", f"{metric.label}: no mean and no change, since {why}.", class_="note")]


def distributions_section(
    page: Document,
    figures: Mapping[str, Figures],
    metrics: Metrics,
    limits: Mapping[str, Sequence[float]],
    sample: Sample,
) -> None:
    """Show histogram and distribution of each metric, and metrics over each other."""
    blocks = []
    for name, found in figures.items():
        metric, values, infinite = metrics[name], found.values, found.of_all.infinite
        if values.size < 2:
            continue
        rules = [Rule(limit, f"limit {limit:g}") for limit in limits.get(name, ())]
        better = "Higher is better." if metric.higher_is_better else "Lower is better."
        lost = f" {infinite:,} infinite of identical images are left out." if infinite else ""
        first = histogram(values, title=f"Histogram of {metric.label}", x_title=metric.label, rules=rules)
        second = distribution(
            values,
            title=f"Distribution of {metric.label}",
            x_title=metric.label,
            named={which: found.percentiles[which] for which in _MARKED},
            rules=rules,
        )
        blocks.append(
            side_by_side(
                figure(first, metric.label, f"{better}{lost}"),
                figure(second, "Share of pairs at or below", "Percentiles of the table above are marked."),
            )
        )
    if not blocks:
        return
    page.style("charts/charts.css")
    page.section(
        "distributions", "Distributions", element("div", *blocks, class_="metric-charts"), *_scatters(sample, metrics)
    )


class Sample:
    """Scores of some pairs, a column a metric."""

    def __init__(self, names: Sequence[str], rows: Sequence[Mapping[str, float]], total: int) -> None:
        self.columns: dict[str, npt.NDArray[np.float64]] = {
            name: np.array([row.get(name, np.nan) for row in rows], np.float64) for name in names
        }
        self.count, self.total = len(rows), total


def _scatters(sample: Sample, metrics: Metrics) -> list[Markup]:
    pairs = list(combinations(metrics, 2))[:_MOST_SCATTERS]
    if not pairs or sample.count < 2:
        return []
    figures, options = [], []
    of = "all pairs" if sample.count == sample.total else f"a random {sample.count:,} of {sample.total:,} pairs"
    for i, (x, y) in enumerate(pairs):
        title = f"{metrics[y].label} over {metrics[x].label}"
        chart = scatter(
            sample.columns[x], sample.columns[y], title=title, x_title=metrics[x].label, y_title=metrics[y].label
        )
        figures.append(element("div", figure(chart, title, f"Of {of}."), id=f"scatter-{i}", hidden=i > 0))
        options.append(element("option", title, value=f"scatter-{i}"))
    choice = element(
        "div",
        element("label", "Two metrics", for_="scatter-choice"),
        element("select", *options, id="scatter-choice", data_shows=True),
        class_="choice screen-only",
    )
    return [element("div", choice if len(pairs) > 1 else "", *figures, class_="scatters")]
