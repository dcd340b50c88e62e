"""Rows and summaries as tables in a notebook, with the digits that the command prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pixelgauge.engine.pairing import Pair
from pixelgauge.engine.registry import METRICS
from pixelgauge.markup import Markup, element, name, table
from pixelgauge.metric import Metric
from pixelgauge.notebooks import figure

if TYPE_CHECKING:
    from pixelgauge.engine.rows import ScoreRow
    from pixelgauge.engine.summary import MetricSummary, Summary


def row_table(row: ScoreRow) -> Markup:
    """Table of one pair: its files, what is wrong, and a line a metric."""
    said = {"ref": row.ref, "test": row.test, "status": row.status, "message": row.message or None}
    lines = [(key, name(value)) for key, value in said.items() if value is not None]
    return table([], [*lines, *((_label(metric), _score(metric, value)) for metric, value in row.values.items())])


def metric_table(summary: MetricSummary) -> Markup:
    """Table of one metric over all rows, and of the worst ones."""
    figures = {key: getattr(summary, key) for key in ("count", "infinite", "mean", "median", "std")}
    of_all = table([], [(key, figure(value)) for key, value in figures.items()], "MetricSummary")
    if not summary.worst:
        return of_all
    return of_all + table(["worst", "pair"], [(figure(value), _pair(row)) for value, row in summary.worst])


def summary_table(summary: Summary) -> Markup:
    """Table with a line a metric, the worst pair of each, and how many were scored."""
    found = summary.compute()
    has_infinite = any(of.infinite for of in found.values())
    head = ["over images", "count", "mean", "median", "std", *["infinite"] * has_infinite, "worst", "pair"]
    rows = []
    for metric, of in found.items():
        worst = [_score(metric, of.worst[0][0]), _pair(of.worst[0][1])] if of.worst else ["-", ""]
        scores = (_score(metric, value) for value in (of.mean, of.median, of.std))
        rows.append([_label(metric), of.count, *scores, *[of.infinite] * has_infinite, *worst])
    return table(head, rows, str(summary)) if rows else element("p", summary)


def _pair(row: ScoreRow) -> Markup:
    return name(Pair(row.ref, row.test).name)


def _label(metric: str) -> Markup:
    known = _known(metric)
    return name(f"{metric} {known.unit}" if known and known.unit else metric)


def _score(metric: str, value: float | None) -> Markup:
    known = _known(metric)
    if value is None:
        return Markup("-")
    return Markup(known.written(value)) if known else figure(value)


def _known(metric: str) -> Metric[Any] | None:
    return METRICS.get(metric.partition(":")[0])
