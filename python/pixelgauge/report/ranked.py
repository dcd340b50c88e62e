"""Curves of a ranking for a page: ROC, precision over recall, DET, each with the band of its thresholds' intervals.

All three come from one count of false and true positives at every threshold. A band is pointwise: at each of some
thresholds the rates lie in Wilson's intervals, of each by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pixelgauge.images import Array
from pixelgauge.markup import Markup
from pixelgauge.proportions import proportion_interval
from pixelgauge.ranking.binary import roc_curve
from pixelgauge.ranking.operating_points import OperatingPoint
from pixelgauge.report.charts import scales
from pixelgauge.report.charts.curves import Axes, Band, Curve, Spot, curves
from pixelgauge.report.charts.scales import Values

_BAND_POINTS = 120


@dataclass(frozen=True)
class Ranked:
    """False and true positives at every threshold, from infinity down."""

    false: Values
    true: Values
    level: float

    @classmethod
    def of(cls, truth: Array, scores: Array, level: float) -> Ranked:
        """Count them."""
        fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
        positives = int(np.count_nonzero(truth))
        return cls(np.rint(fpr * (len(truth) - positives)), np.rint(tpr * positives), level)

    @property
    def negatives(self) -> int:
        """Samples of the negative class."""
        return int(self.false[-1])

    @property
    def positives(self) -> int:
        """Samples of the positive class."""
        return int(self.true[-1])

    @property
    def rates(self) -> tuple[Values, Values]:
        """False and true positive rate at every threshold."""
        return self.false / self.negatives, self.true / self.positives

    @property
    def steps(self) -> tuple[Values, Values]:
        """Recall and precision in steps: up to each recall, the precision of the threshold that reaches it."""
        called = self.false + self.true
        some = called > 0
        recall, precision = self.true[some] / self.positives, self.true[some] / called[some]
        return np.repeat(np.concatenate([[0.0], recall]), 2)[1:-1], np.repeat(precision, 2)

    @cached_property
    def limits(self) -> tuple[Values, Values, Values]:
        """Of some thresholds: counts (2, K) and ends of the intervals of both rates (2, 2, K) and precision (2, K)."""
        fpr, tpr = self.rates
        along = fpr + tpr
        chosen = np.unique(np.searchsorted(along, np.linspace(0, 2, _BAND_POINTS)).clip(0, len(along) - 1))
        false, true = self.false[chosen], self.true[chosen]
        rates = np.stack([self._ends(false, self.negatives), self._ends(true, self.positives)])
        return np.stack([false, true]), rates, self._ends(true, false + true)

    def _ends(self, successes: Values, trials: Values | int) -> Values:
        found = [
            proportion_interval(int(k), int(n), level=self.level, method="wilson")[1:] if n else (0.0, 1.0)
            for k, n in np.broadcast(successes, trials)
        ]
        return np.array(found).T


def roc_chart(ranked: Ranked, name: str, spots: Sequence[OperatingSpot], other: tuple[str, Ranked] | None) -> Markup:
    """Draw the ROC curve, that of another score beside it if there is one."""
    _, ((fpr_low, fpr_high), (tpr_low, tpr_high)), _ = ranked.limits
    band = Band(_band_name(ranked), (fpr_high, tpr_low), (fpr_low, tpr_high))
    lines = [Curve(name, *ranked.rates)] + ([Curve(other[0], *other[1].rates)] if other else [])
    axes = Axes(
        scales.percent(0, 1), scales.percent(0, 1), "false positive rate", "true positive rate", ((0, 0), (1, 1))
    )
    return curves(
        lines,
        axes,
        title="ROC curve",
        description=f"True over false positive rate. {_told(spots)}",
        band=band,
        spots=[Spot(s.name, s.fpr, s.tpr, s.fpr_range, s.tpr_range) for s in spots],
    )


def precision_recall_chart(
    ranked: Ranked, name: str, spots: Sequence[OperatingSpot], other: tuple[str, Ranked] | None
) -> Markup:
    """Draw precision over recall."""
    (false, true), _, (low, high) = ranked.limits
    some = false + true > 0
    recall = true[some] / ranked.positives
    band = Band(f"{_level(ranked)} of the precision", (recall, low[some]), (recall, high[some]))
    lines = [Curve(name, *ranked.steps)] + ([Curve(other[0], *other[1].steps)] if other else [])
    share = ranked.positives / (ranked.positives + ranked.negatives)
    axes = Axes(scales.percent(0, 1), scales.percent(0, 1), "recall", "precision", ((0, share), (1, share)))
    return curves(
        lines,
        axes,
        title="Precision over recall",
        description=f"Precision over recall; {share:.1%} of the samples are positive. {_told(spots)}",
        band=band,
        spots=[
            Spot(s.name, s.tpr, s.precision, s.tpr_range, s.precision_range) for s in spots if s.precision is not None
        ],
    )


def det_chart(ranked: Ranked, name: str, spots: Sequence[OperatingSpot], other: tuple[str, Ranked] | None) -> Markup:
    """Draw false negatives over false positives on scales of normal quantiles."""
    _, ((fpr_low, fpr_high), (tpr_low, tpr_high)), _ = ranked.limits
    x, y = (scales.probit(_least(count), 1 - _least(count)) for count in (ranked.negatives, ranked.positives))
    band = Band(_band_name(ranked), (fpr_low, 1 - tpr_high), (fpr_high, 1 - tpr_low))
    lines = [_errors(name, ranked)] + ([_errors(*other)] if other else [])
    return curves(
        lines,
        Axes(x, y, "false positive rate", "false negative rate"),
        title="Detection error trade-off",
        description=f"False negative over false positive rate, both on scales of normal quantiles. {_told(spots)}",
        band=band,
        spots=[Spot(s.name, s.fpr, 1 - s.tpr, s.fpr_range, (1 - s.tpr_range[1], 1 - s.tpr_range[0])) for s in spots],
    )


def _errors(name: str, ranked: Ranked) -> Curve:
    fpr, tpr = ranked.rates
    return Curve(name, fpr, 1 - tpr)


def _least(count: int) -> float:
    """Least rate that is drawn: half of one sample's share, within what the scale is made for."""
    return min(0.2, max(0.5 / count, 1e-4))


@dataclass(frozen=True)
class OperatingSpot:
    """Rates at a threshold with their intervals, and what the threshold is for."""

    name: str
    fpr: float
    tpr: float
    precision: float | None
    fpr_range: tuple[float, float]
    tpr_range: tuple[float, float]
    precision_range: tuple[float, float]

    @classmethod
    def of(cls, name: str, point: OperatingPoint) -> OperatingSpot:
        """Take the rates of an operating point."""
        specificity, precision = point.specificity, point.precision
        return cls(
            name,
            1 - specificity.proportion,
            point.sensitivity.proportion,
            None if np.isnan(precision.proportion) else precision.proportion,
            (1 - specificity.high, 1 - specificity.low),
            (point.sensitivity.low, point.sensitivity.high),
            (precision.low, precision.high),
        )


def _level(ranked: Ranked) -> str:
    return f"{100 * ranked.level:g}% interval"


def _band_name(ranked: Ranked) -> str:
    return f"{_level(ranked)} of both rates"


def _told(spots: Sequence[OperatingSpot]) -> str:
    return " ".join(
        f"{spot.name}: true positive rate {spot.tpr:.1%}, false positive rate {spot.fpr:.1%}." for spot in spots
    )
