"""How sure an AUROC is: DeLong's interval and paired test, and a stratified bootstrap."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from pixelgauge import _core
from pixelgauge.checks import ArgumentValueError, require_number, whole_number
from pixelgauge.images import Array
from pixelgauge.ranking.binary_inputs import binary_inputs
from pixelgauge.ranking.inputs import Scores, require_ranks


class AurocInterval(NamedTuple):
    """An AUROC and its confidence interval; `standard_error` is NaN for a bootstrap."""

    auroc: float
    low: float
    high: float
    standard_error: float


class DelongTest(NamedTuple):
    """Two AUROCs on the same samples, the z statistic of their difference and its two-sided p value."""

    auroc_a: float
    auroc_b: float
    z: float
    p_value: float


def delong_interval(y_true: object, y_score: object, *, level: float = 0.95, pos_label: object = None) -> AurocInterval:
    """Confidence interval of AUROC by DeLong's variance and the normal distribution, cut to [0, 1].

    The sums behind the variance are exact integers of 128 bits, so it holds at any size.

    Parameters
    ----------
    y_true, y_score, pos_label
        As for :func:`pixelgauge.roc_curve`.
    level : float, default 0.95
        In (0, 1).

    Returns
    -------
    AurocInterval
        ``(auroc, low, high, standard_error)``.

    Raises
    ------
    TypeError, ValueError
        As :func:`pixelgauge.roc_curve`; if `level` is out of range, or a class has fewer than two samples.

    References
    ----------
    DeLong, DeLong, Clarke-Pearson: Comparing the areas under two or more correlated receiver operating characteristic
    curves, Biometrics 44(3), 1988; pROC's ``ci.auc`` gives the same numbers.

    Examples
    --------
    >>> import pixelgauge
    >>> interval = pixelgauge.delong_interval([0, 0, 0, 1, 1, 1], [0.1, 0.4, 0.5, 0.35, 0.6, 0.8])
    >>> round(interval.auroc, 4), round(interval.standard_error, 4)
    (0.7778, 0.2485)
    """
    _check_level(level)
    bits, scores, _ = binary_inputs(y_true, y_score, pos_label, None)
    twice_u, positive_squares, negative_squares, p, n = _core.delong(scores.values, bits, scores.bfloat16)
    _check_classes(p, n)
    auroc = twice_u / (2 * p * n)
    # Sample variances of the placements, from integers: sum of squares minus square of the sum over count.
    of_positives = (p * positive_squares - twice_u**2) / (4 * n * n * p * (p - 1))
    of_negatives = (n * negative_squares - twice_u**2) / (4 * p * p * n * (n - 1))
    error = math.sqrt(of_positives / p + of_negatives / n)
    half = NormalDist().inv_cdf((1 + level) / 2) * error
    return AurocInterval(auroc, max(0.0, auroc - half), min(1.0, auroc + half), error)


def delong_test(y_true: object, score_a: object, score_b: object, *, pos_label: object = None) -> DelongTest:
    """DeLong's paired test of two scores on the same samples.

    Parameters
    ----------
    y_true, pos_label
        As for :func:`pixelgauge.roc_curve`.
    score_a, score_b : (N,) array_like
        The scores to compare.

    Returns
    -------
    DelongTest
        ``(auroc_a, auroc_b, z, p_value)``; z is 0 and p is 1 where the scores rank alike, and z is infinite where they
        differ without variance.

    Raises
    ------
    TypeError, ValueError
        As :func:`delong_interval`.

    Examples
    --------
    >>> import pixelgauge
    >>> y = [0, 0, 0, 1, 1, 1]
    >>> test = pixelgauge.delong_test(y, [0.1, 0.4, 0.5, 0.35, 0.6, 0.8], [0.5, 0.2, 0.9, 0.3, 0.7, 0.6])
    >>> round(test.z, 4), round(test.p_value, 4)
    (0.7071, 0.4795)
    """
    bits, a, _ = binary_inputs(y_true, score_a, pos_label, None)
    _, b, _ = binary_inputs(y_true, score_b, pos_label, None)
    p = int(np.bitwise_count(bits).sum(dtype=np.int64))
    n = len(a) - p
    _check_classes(p, n)
    truth = np.unpackbits(bits.view(np.uint8), bitorder="little", count=len(a)).view(np.bool_)
    aurocs, of_positives, of_negatives = [], [], []
    for scores in (a, b):
        auroc, positive, negative = _placements(scores, truth)
        aurocs.append(auroc)
        of_positives.append(positive)
        of_negatives.append(negative)
    difference = aurocs[0] - aurocs[1]
    # The variance of a difference is that of the differences: no cancellation between three large terms.
    variance = (of_positives[0] - of_positives[1]).var(ddof=1) / p + (of_negatives[0] - of_negatives[1]).var(ddof=1) / n
    if difference == 0:
        return DelongTest(aurocs[0], aurocs[1], 0.0, 1.0)
    if variance == 0:
        return DelongTest(aurocs[0], aurocs[1], math.copysign(math.inf, difference), 0.0)
    z = float(difference / math.sqrt(variance))
    return DelongTest(aurocs[0], aurocs[1], z, math.erfc(abs(z) / math.sqrt(2)))


def bootstrap_interval(
    y_true: object,
    y_score: object,
    *,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
    pos_label: object = None,
) -> AurocInterval:
    """Percentile interval of AUROC under resampling within each class.

    Parameters
    ----------
    y_true, y_score, pos_label
        As for :func:`pixelgauge.roc_curve`.
    level : float, default 0.95
        In (0, 1).
    replicates : int, default 1000
        Resamples, at least 2.
    seed : int, default 0
        Of NumPy's PCG64, at least 0; the same seed gives the same interval.

    Returns
    -------
    AurocInterval
        `standard_error` is the standard deviation of the replicates.

    Raises
    ------
    TypeError, ValueError
        As :func:`delong_interval`; and if `replicates` is below 2 or `seed` below 0.

    Examples
    --------
    >>> import pixelgauge
    >>> interval = pixelgauge.bootstrap_interval([0, 0, 0, 1, 1, 1], [0.1, 0.4, 0.5, 0.35, 0.6, 0.8], replicates=200)
    >>> interval.low <= interval.auroc <= interval.high
    True
    """
    _check_level(level)
    for name, count, least in (("replicates", replicates, 2), ("seed", seed, 0)):
        whole_number(name, count, least)
    bits, scores, _ = binary_inputs(y_true, y_score, pos_label, None)
    counts_fps, counts_tps, _ = _core.curve(scores.values, bits, None, _core.CurveDrop.none, False, scores.bfloat16)
    p, n = int(counts_tps[-1]), int(counts_fps[-1])
    _check_classes(p, n)
    positives, negatives = np.diff(counts_tps), np.diff(counts_fps)
    rng = np.random.default_rng(seed)
    values = np.empty(replicates)
    # Drawing with replacement within a class is a multinomial over its distinct scores.
    for k in range(replicates):
        drawn_p = rng.multinomial(p, positives / p)
        drawn_n = rng.multinomial(n, negatives / n)
        above = np.cumsum(drawn_p) - drawn_p
        values[k] = (2 * above + drawn_p).astype(np.float64) @ drawn_n / (2 * p * n)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    twice_u, _, _ = _core.auroc(scores.values, bits, scores.bfloat16)
    return AurocInterval(twice_u / (2 * p * n), float(low), float(high), float(values.std(ddof=1)))


def _placements(scores: Scores, truth: Array) -> tuple[float, Array, Array]:
    """AUROC, and each sample's placement: share of the other class it is on the right side of, ties by half."""
    values = scores.ordered()
    require_ranks(values)
    positive, negative = values[truth], values[~truth]
    sorted_p, sorted_n = np.sort(positive), np.sort(negative)

    def twice_below(ordered: Array, keys: Array) -> Array:
        # look-ups in order touch memory in order: 5 times faster at 1e7 rows than in the samples' order
        order = np.argsort(keys)
        ranks = np.empty(len(keys), np.int64)
        ranks[order] = np.searchsorted(ordered, keys[order], "left") + np.searchsorted(ordered, keys[order], "right")
        return ranks

    of_positive = twice_below(sorted_n, positive)
    of_negative = 2 * len(positive) - twice_below(sorted_p, negative)
    auroc = int(of_positive.sum()) / (2 * len(positive) * len(negative))
    return auroc, of_positive / (2 * len(negative)), of_negative / (2 * len(positive))


def _check_level(level: float) -> None:
    require_number("level", level)
    if not 0 < level < 1:
        raise ArgumentValueError("level", str(level), "must be in (0, 1)")


def _check_classes(positives: int, negatives: int) -> None:
    if positives < 2 or negatives < 2:
        raise ValueError(
            f"y_true has {positives} positives and {negatives} negatives: a variance needs at least two of each"
        )
