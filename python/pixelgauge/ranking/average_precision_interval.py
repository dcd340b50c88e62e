"""How sure an average precision is: every value under which the sample's own would not be a surprise.

What average precision does in small samples has no formula: it is biased upwards, since each positive is counted among
those above itself, and its distribution is skewed. So both are drawn: for a family of populations, proportional
hazards (one survival function a power of the other), average precisions of samples of the same size are drawn from
fixed seeds, and the estimate is held against them. How wide they spread is then scaled to the sample's own variance,
as far as enough positives are misplaced to tell.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from pixelgauge import _core
from pixelgauge.checks import ArgumentValueError, checked_level, one_of
from pixelgauge.notebooks import in_notebooks
from pixelgauge.proportions import logit_limits, normal_quantile, student_quantile
from pixelgauge.ranking.binary_inputs import binary_inputs
from pixelgauge.ranking.inputs import Float64Array
from pixelgauge.ranking.intervals import check_classes, warn_of_few

AveragePrecisionMethod = Literal["score", "logit"]

_METHODS = ("score", "logit")
_POWERS = np.exp(np.linspace(math.log(30.0), math.log(1e-4), 36))
"""Of the false positive rate, from populations that rank the wrong way round to such as are nearly apart."""
_MOST_DRAWN = 500
"""Positives of a drawn sample at most; of larger ones the spread is scaled, and nearly normal."""
_PRIOR_OF_MORE, _PRIOR_OF_LESS = 3.0, 15.0
"""How many misplaced positives weigh as much as the family of populations, where they vary more than it has them and
where they vary less; of 3 to 15, by coverage."""
_MOST_LEVEL = 0.99
"""Beyond it the tails would be made of too few draws."""
_ROUNDING = 1e-12
"""Within which a value and a quantile are the same: samples of perfect order have the same average precision."""
_ROUGH = 100
"""Draws by which populations are left out."""
_FAR = 7.0
"""Standard deviations beyond which they are."""
_FINE = 12
"""Cells into which an interpolation divides the distance of two powers."""


@in_notebooks
class AveragePrecisionInterval(NamedTuple):
    """An average precision and its confidence interval."""

    average_precision: float
    low: float
    high: float
    standard_error: float


def average_precision_interval(
    y_true: object,
    y_score: object,
    *,
    level: float = 0.95,
    method: AveragePrecisionMethod = "score",
    pos_label: object = None,
) -> AveragePrecisionInterval:
    """Confidence interval of the average precision of the population, at the share of positives that the samples have.

    Parameters
    ----------
    y_true, y_score, pos_label
        As for :func:`pixelgauge.average_precision_score`, binary.
    level : float, default 0.95
        In (0, 1); up to 0.99 for ``"score"``.
    method : {"score", "logit"}, default "score"
        ``"score"``: every value under which the sample's average precision would not be a surprise, by samples drawn
        from fixed seeds; a second or less at any size, and the same interval each time. ``"logit"``: the error of the
        linear approximation on the scale of log(A / (1 - A)), which costs no draws, for hundreds of positives.

    Returns
    -------
    AveragePrecisionInterval
        ``(average_precision, low, high, standard_error)``. The estimate is biased upwards where positives are few (by
        .04 for ten positives among a hundred that rank at random), and the interval allows for that: the estimate may
        lie near its upper end, or above it. The error is that of the linear approximation.

    Raises
    ------
    TypeError, ValueError
        As :func:`pixelgauge.average_precision_score`; if `level` is out of range, `method` unknown or a class has
        fewer than two samples.

    Warns
    -----
    UserWarning
        Below ten samples of a class.

    Notes
    -----
    Another share of positives is another figure: average precision at 1 % says nothing of that at 10 %. Coverage over
    populations and sizes: ``docs/methods/intervals.md``.

    References
    ----------
    Boyd, Eng, Page: Area under the precision-recall curve: point estimates and confidence intervals, ECML PKDD 2013.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> y = np.arange(200) % 5 == 0
    >>> found = pixelgauge.average_precision_interval(y, y + np.random.default_rng(0).standard_normal(200))
    >>> found.low < found.average_precision < found.high
    True
    """
    level = checked_level(level)
    one_of("method", method, _METHODS)
    if method == "score" and level > _MOST_LEVEL:
        remedy = f"use at most {_MOST_LEVEL}, or method='logit'"
        raise ArgumentValueError("level", str(level), "is more than the tails of drawn samples tell", remedy)
    bits, scores, _ = binary_inputs(y_true, y_score, pos_label, None)
    fp, tp, _ = scores.curve(bits, None, _core.CurveDrop.none, rates=False)
    check_classes(int(tp[-1]), int(fp[-1]))
    warn_of_few(int(tp[-1]), int(fp[-1]))
    sample = _linear(fp[np.newaxis, 1:], tp[np.newaxis, 1:])
    value = _core.average_precision(scores.values, bits, None, scores.bfloat16)
    error = math.sqrt(float(sample.variance[0]))
    if method == "logit":
        low, high = _logit(value, error, normal_quantile(level))
    else:
        low, high = _score(value, sample, int(tp[-1]), int(fp[-1]), 1 - level)
    return AveragePrecisionInterval(value, low, high, error)


@dataclass(frozen=True)
class _Linear:
    """Average precisions of samples, a row each, with what a linear approximation says of them."""

    value: Float64Array
    variance: Float64Array
    bias: Float64Array
    """Of second order: what each positive adds to the precision at its own place, and the curvature of a ratio."""


def _linear(fp: Float64Array, tp: Float64Array) -> _Linear:
    """From the counts (samples, thresholds) at and above each threshold, from the highest down."""
    p, n = tp[:, -1:], fp[:, -1:]
    positives, negatives = np.diff(tp, axis=1, prepend=0), np.diff(fp, axis=1, prepend=0)
    called = tp + fp
    precision = tp / called
    share = positives / p
    value = (share * precision).sum(axis=1)
    # a sample moves the precision at its own threshold and all lower ones; a positive is also averaged over
    by_positive = _from_here(share * fp / called**2) * p + precision
    by_negative = _from_here(share * tp / called**2) * n
    variance = _variance(by_positive, positives, p) / p[:, 0] + _variance(by_negative, negatives, n) / n[:, 0]
    own = (1 - tp / p) * fp / called**2
    bent = tp * fp * (tp / p - fp / n) / called**3
    return _Linear(value, variance, (share * (own + bent)).sum(axis=1))


def _from_here(values: Float64Array) -> Float64Array:
    """Sum of each value and all behind it."""
    sums: Float64Array = np.cumsum(values[:, ::-1], axis=1)[:, ::-1]
    return sums


def _variance(values: Float64Array, counts: Float64Array, total: Float64Array) -> Float64Array:
    mean = (counts * values).sum(axis=1, keepdims=True) / total
    variance: Float64Array = (counts * (values - mean) ** 2).sum(axis=1) / (total[:, 0] - 1)
    return variance


def _logit(value: float, error: float, z: float) -> tuple[float, float]:
    if value == 1:
        remedy = "use 'score'"
        raise ArgumentValueError("method", "'logit'", "has no interval where every positive is above", remedy)
    return logit_limits(value, error, z)


@dataclass(frozen=True)
class _Drawn:
    """Samples of one population."""

    truth: float
    values: Float64Array
    """Their average precisions, ascending."""
    mean: float
    spread: float
    """Standard deviation."""
    variance: float
    """Mean of what their linear approximations say."""
    bias: float
    """Mean of the same."""

    def quantile(self, share: float) -> float:
        """Value that a share of them lies below, interpolated."""
        place = share * (len(self.values) - 1)
        first = int(place)
        low, high = self.values[first], self.values[min(first + 1, len(self.values) - 1)]
        return float(low + (place - first) * (high - low))


def _score(value: float, sample: _Linear, p: int, n: int, alpha: float) -> tuple[float, float]:
    """Find the populations under which the sample's value lies within the central share of draws."""
    drawn_p = min(p, _MOST_DRAWN)
    drawn_n = max(2, round(n * drawn_p / p))
    draws = max(math.ceil(20 / alpha) * 2, min(4000, 400_000 // drawn_p))
    family = _near(value, drawn_p, drawn_n, draws, drawn_p / p)
    scale = drawn_p / p
    # between two powers all figures are interpolated; from wrong to perfect
    places = np.linspace(0, len(family) - 1, _FINE * (len(family) - 1) + 1)

    def along(figures: list[float]) -> Float64Array:
        return np.interp(places, np.arange(len(figures)), figures)

    truth, usual, bias = (
        along(list(figures)) for figures in zip(*[(of.truth, of.variance, of.bias) for of in family], strict=True)
    )
    mean = along([of.mean for of in family])
    low, high = (along([of.quantile(share) for of in family]) - mean for share in (alpha / 2, 1 - alpha / 2))
    variance = float(sample.variance[0])
    place = int(np.argmin(np.abs(truth + (mean - truth) * scale - value)))
    more = variance / (usual[place] * scale) if usual[place] > 0 else 1.0
    misplaced = min(p, 4 * p * value * (1 - value))
    prior = _PRIOR_OF_MORE if more > 1 else _PRIOR_OF_LESS
    more = (misplaced * more + prior) / (misplaced + prior)
    # that ratio is itself known from so many samples and the prior's; bounded ones tell twice as well as normal ones
    wider = student_quantile(1 - alpha, 2 * (misplaced + prior)) / normal_quantile(1 - alpha)
    own_bias = float(sample.bias[0]) / (bias[place] * scale) if bias[place] > 1e-3 * value else 1.0
    centre = truth + (mean - truth) * scale * min(1.0, max(0.0, own_bias))
    # what was seen at the estimate fades away from it
    at = truth[place] * (1 - truth[place]) if value < 1 else 0.0
    near = np.sqrt(np.minimum(1.0, at / np.maximum(truth * (1 - truth), 1e-300)))
    width = wider * np.sqrt(scale * (1 + (more - 1) * near))
    off = value - centre
    # where all but the tail's share of draws are of perfect order, the low quantile is above the mean: nothing to widen
    low *= np.where(low < 0, width, np.minimum(width, 1.0))
    # from below: the value is no longer too high to come from there; from above: no longer too low
    start = _crossing(truth, off - high * width - _ROUNDING, 0.0, float(truth[-1]))
    end = _crossing(truth[::-1], (low - off)[::-1] - _ROUNDING, 1.0, float(truth[0]))
    return start, max(start, end)


def _near(value: float, p: int, n: int, draws: int, scale: float) -> list[_Drawn]:
    """Draw from the populations that a value may come from and one beyond on each side; few draws of all find them."""
    rough = [_drawn(float(power), p, n, _ROUGH) for power in _POWERS]
    off = [
        of.values[0] - _ROUNDING <= value <= of.values[-1] + _ROUNDING
        or abs(value - of.truth - (of.mean - of.truth) * scale) <= _FAR * of.spread * math.sqrt(scale)
        for of in rough
    ]
    near = np.flatnonzero(off)
    if near.size == 0:
        near = np.array([int(np.argmin([abs(value - of.truth) for of in rough]))])
    first, last = max(0, int(near[0]) - 1), min(len(rough) - 1, int(near[-1]) + 1)
    return [_drawn(float(power), p, n, draws) for power in _POWERS[first : last + 1]]


def _crossing(truth: Float64Array, falling: Float64Array, before: float, after: float) -> float:
    """Find where a figure first falls below 0; `before` where it is from the start, `after` where it never is."""
    below = np.flatnonzero(falling <= 0)
    if below.size == 0:
        return after
    at = int(below[0])
    if at == 0:
        return before
    share = falling[at - 1] / (falling[at - 1] - falling[at])
    return float(truth[at - 1] + (truth[at] - truth[at - 1]) * share)


@functools.lru_cache(maxsize=512)
def _drawn(power: float, p: int, n: int, draws: int) -> _Drawn:
    """Draw samples of a population in which the true positive rate is the false one to a power; always the same."""
    rng = np.random.default_rng([p, n])
    # the share of all positives at or above each, from the highest down, and of all negatives
    positives = np.sort(rng.random((draws, p)), axis=1)
    with np.errstate(under="ignore"):
        passed = positives ** (1 / power)
    fp = np.empty((draws, p))
    count, before = np.zeros(draws, np.int64), np.zeros(draws)
    for k in range(p):
        left = np.maximum(1 - before, 1e-300)
        count = count + rng.binomial(n - count, np.clip((passed[:, k] - before) / left, 0, 1))
        fp[:, k], before = count, passed[:, k]
    # the last column holds all negatives: those below the last positive count for variance alone
    fp = np.concatenate([fp, np.full((draws, 1), float(n))], axis=1)
    tp = np.concatenate([np.broadcast_to(np.arange(1.0, p + 1), (draws, p)), np.full((draws, 1), float(p))], axis=1)
    found = _linear(fp, tp)
    truth = _truth(power, p / (p + n))
    return _Drawn(
        truth,
        np.sort(found.value),
        float(found.value.mean()),
        float(found.value.std()),
        float(found.variance.mean()),
        float(found.bias.mean()),
    )


def _truth(power: float, prevalence: float) -> float:
    """Average precision of the population: the mean precision over its true positive rates."""
    x = (np.arange(4000) + 0.5) / 4000
    rate, weight = x**4, 4 * x**3  # most points where the precision changes most
    with np.errstate(under="ignore"):
        false = rate ** (1 / power)
    precision = prevalence * rate / (prevalence * rate + (1 - prevalence) * false)
    return float(weight @ precision / weight.sum())
