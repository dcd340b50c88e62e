"""The score interval of an area under the ROC curve: every area that the sample does not speak against.

An area t belongs to it if |estimate - t| is at most z standard errors of a sample whose area is t. So the error is not
taken where the estimate happens to lie, which is 0 at perfect separation. How the error depends on t is that of
proportional hazards (one survival function a power of the other, as in Hanley and McNeil's variance); how large it is,
that of the sample's placements, as far as enough samples are misplaced to tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

_PRIOR_OF_MORE, _PRIOR_OF_LESS = 2.0, 10.0
"""How many misplaced samples weigh as much as the family of curves, where they vary more than it has them and where
they vary less: a small sample that happens to vary little is believed less. Of 1 to 10, by coverage."""
_HALVINGS = 60
_NEWTON = 40


@dataclass(frozen=True)
class AreaSample:
    """What the interval needs to know of a sample."""

    area: float
    """As a share of `max_fpr`."""
    positive_variance: float
    """Of the positives' placements."""
    negative_variance: float
    """Of the negatives' placements, over their effective size."""
    positives: float
    """Effective size."""
    negatives: float
    """Effective size within `max_fpr`."""
    max_fpr: float = 1.0


def score_interval(sample: AreaSample, z: float, *, newcombe: bool = False) -> tuple[float, float]:
    """Find the ends of the interval, as shares of `max_fpr`; z is its half width in standard errors."""
    variance = _newcombe_variance(sample) if newcombe else _variance_by_area(sample)

    def outside(t: float) -> bool:
        return (sample.area - t) ** 2 > z * z * variance(t)

    ends = []
    for bound in (0.0, 1.0):
        near, far = sample.area, bound
        if not outside(bound):
            near = bound
        for _ in range(_HALVINGS):
            middle = (near + far) / 2
            if outside(middle):
                far = middle
            else:
                near = middle
        ends.append((near + far) / 2)
    return ends[0], ends[1]


def _newcombe_variance(sample: AreaSample) -> Callable[[float], float]:
    """Newcombe's method 5: Hanley and McNeil's variance, both classes taken to be of the mean size."""
    m, n = sample.positives, sample.negatives
    size = (m + n) / 2 - 1
    return lambda t: t * (1 - t) * (1 + size * (1 - t) / (2 - t) + size * t / (1 + t)) / (m * n)


def _variance_by_area(sample: AreaSample) -> Callable[[float], float]:
    """Variance that the estimate of such a sample would have if the area were t."""
    m, n, area = sample.positives, sample.negatives, sample.area
    spread = area * (1 - area)  # variance of one pair of samples
    # placements are themselves estimates: what a sample of the other class adds to their variance is taken out
    rest = max(0.0, spread - sample.positive_variance - sample.negative_variance)
    of_positives = max(0.0, sample.positive_variance - rest / n)
    of_negatives = max(0.0, sample.negative_variance - rest / m)
    usual_positives, usual_negatives = _usual(area, sample)
    more_positives = _believed(of_positives, usual_positives, min(m - 1, 4 * m * spread))
    more_negatives = _believed(of_negatives, usual_negatives, min(n - 1, 4 * n * spread))

    def variance(t: float) -> float:
        pair = t * (1 - t)
        if pair <= 0:
            return 0.0
        near = math.sqrt(min(1.0, spread / pair))  # what was seen at the estimate fades away from it
        positives, negatives = _usual(t, sample)
        positives *= 1 + (more_positives - 1) * near
        negatives *= 1 + (more_negatives - 1) * near
        return (pair + (m - 1) * negatives + (n - 1) * positives) / (m * n)

    return variance


def _believed(seen: float, usual: float, misplaced: float) -> float:
    """Ratio of a variance that was seen to the usual one, drawn to 1 where few samples are misplaced."""
    ratio = seen / usual if usual > 0 else 1.0
    prior = _PRIOR_OF_MORE if ratio > 1 else _PRIOR_OF_LESS
    return (misplaced * ratio + prior) / (misplaced + prior)


def _usual(t: float, sample: AreaSample) -> tuple[float, float]:
    """Variance of the placements of positives and negatives in the family of curves.

    The family can be laid either way round, and one class then varies far more than the other. Of a whole area that is
    the smaller class: it is the safe side, and which class is called positive makes no difference.
    """
    positives, negatives = _proportional_hazards(t, sample.max_fpr)
    if sample.max_fpr < 1:
        return positives, negatives
    if sample.positives == sample.negatives:
        return (positives + negatives) / 2, (positives + negatives) / 2
    less, more = sorted((positives, negatives))
    return (more, less) if sample.positives < sample.negatives else (less, more)


def _proportional_hazards(t: float, max_fpr: float) -> tuple[float, float]:
    """Variance of the placements of positives and negatives where the true positive rate is the false one to a power.

    With that power k, the area up to f is f^k / (1 + k), as a share of f.
    """
    if t >= 1 or t <= 0:
        return 0.0, 0.0
    if max_fpr == 1:
        return 2 * t * t / (1 + t) - t * t, t / (2 - t) - t * t
    steep = -math.log(max_fpr)
    k = 0.0  # of k steep + log(1 + k) = -log t, which is concave in k: from below Newton's steps stay below
    for _ in range(_NEWTON):
        step = (k * steep + math.log1p(k) + math.log(t)) / (steep + 1 / (1 + k))
        k -= step
        if abs(step) <= 1e-15 * k:
            break
    top = max_fpr**k
    positives = 2 * top / ((1 + k) * (2 + k)) - t * t
    negatives = top * top * (1 - 2 / (k + 1) + 1 / (2 * k + 1) - max_fpr * (k / (k + 1)) ** 2)
    return max(0.0, positives), max(0.0, negatives)
