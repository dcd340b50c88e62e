"""How sure an AUROC is: the score interval, and others by the name they are published under."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, NamedTuple, overload

import numpy as np

from pixelgauge import _core, caller
from pixelgauge.checks import ArgumentValueError, checked_level, one_of, real_number, whole_number
from pixelgauge.images import Array
from pixelgauge.markup import table
from pixelgauge.notebooks import MOST_LINES, figure, in_notebooks, more
from pixelgauge.proportions import logit_limits, normal_quantile, student_quantile
from pixelgauge.ranking.binary_inputs import binary_inputs
from pixelgauge.ranking.clusters import Clusters, clusters_of
from pixelgauge.ranking.groups import group_codes
from pixelgauge.ranking.inputs import Bits, Float64Array, Scores, check_lengths, truth_of
from pixelgauge.ranking.placements import Placements, placements, weighted_counts
from pixelgauge.ranking.score_interval import AreaSample, score_interval

IntervalMethod = Literal["score", "newcombe", "logit", "delong"]

METHODS = ("score", "newcombe", "logit", "delong")

FEW = 10
"""Below so many samples of a class an interval is warned of."""
_FEW_WITHIN, _LEAST_WITHIN = 20, 10
"""Negatives within `max_fpr` below which an interval is warned of, and refused."""


@in_notebooks
class AurocInterval(NamedTuple):
    """An AUROC and its confidence interval."""

    auroc: float
    low: float
    high: float
    standard_error: float


class GroupIntervals(NamedTuple):
    """The AUROC of each group with its interval, and their mean with its own."""

    groups: dict[object, AurocInterval]
    mean: AurocInterval

    def _repr_html_(self) -> str:
        groups = [(group, *found) for group, found in islice(self.groups.items(), MOST_LINES)]
        rows = [[*map(figure, row)] for row in (*groups, ("mean", *self.mean))]
        head = ("group", *AurocInterval._fields)
        return str(table(head, rows, "GroupIntervals") + more(len(self.groups), "more groups"))


@overload
def roc_auc_interval(
    y_true: object,
    y_score: object,
    *,
    level: float = ...,
    method: IntervalMethod = ...,
    max_fpr: float | None = ...,
    sample_weight: object = ...,
    cluster: object = ...,
    groups: None = ...,
    pos_label: object = ...,
) -> AurocInterval: ...
@overload
def roc_auc_interval(
    y_true: object,
    y_score: object,
    *,
    level: float = ...,
    method: IntervalMethod = ...,
    max_fpr: float | None = ...,
    sample_weight: object = ...,
    cluster: object = ...,
    groups: object,
    pos_label: object = ...,
) -> GroupIntervals: ...
def roc_auc_interval(
    y_true: object,
    y_score: object,
    *,
    level: float = 0.95,
    method: IntervalMethod = "score",
    max_fpr: float | None = None,
    sample_weight: object = None,
    cluster: object = None,
    groups: object = None,
    pos_label: object = None,
) -> AurocInterval | GroupIntervals:
    """Confidence interval of the AUROC of the population that the samples are drawn from.

    Parameters
    ----------
    y_true, y_score, pos_label
        As for :func:`pixelgauge.roc_curve`.
    level : float, default 0.95
        In (0, 1).
    method : {"score", "newcombe", "logit", "delong"}, default "score"
        ``"score"``: every area that the sample does not speak against, its error that of DeLong's placements; covers
        where the others do not, near 1 and with few positives. ``"newcombe"``: the same with a variance that follows
        from the area alone, so for the whole area without clusters. ``"logit"``: DeLong's error on the scale of
        log(A / (1 - A)). ``"delong"``: :func:`delong_interval`.
    max_fpr : float, optional
        In (0, 1]: of the area up to this false positive rate with McClish's correction, as :func:`roc_auc_score` gives
        it. It takes 10 negatives within that rate.
    sample_weight : (N,) array_like, optional
        Finite and not negative, such as the inverse of the probability with which a sample was drawn. A class counts
        as (sum w)^2 / sum w^2 samples: weights are not counts of repeated samples, which would be more sure.
    cluster : (N,) array_like, optional
        Numbers or strings: samples of one cluster may depend on each other, such as pixels of one image or rows of one
        patient; clusters do not. The variance is Obuchowski's, the quantile Student's. Not with `sample_weight`.
    groups : (N,) array_like, optional
        Group of each sample, for an interval of each group's AUROC and one of their mean, each group counting alike.
        With `cluster`, no cluster may reach over two groups.

    Returns
    -------
    AurocInterval
        ``(auroc, low, high, standard_error)``. The error is DeLong's or Obuchowski's, taken at the estimate; only
        ``"logit"`` and ``"delong"`` are made from it. With `groups`, a :class:`GroupIntervals`: ``groups`` maps each to
        its interval, NaN where it has fewer than two samples of a class, and ``mean`` is over the others.

    Raises
    ------
    TypeError, ValueError
        As :func:`pixelgauge.roc_curve`; if `level` or `max_fpr` is out of range, `method` unknown, options do not go
        together, a class has fewer than two samples or clusters, or 10 negatives do not lie within `max_fpr`.

    Warns
    -----
    UserWarning
        Below ten samples (or clusters) of a class, and twenty negatives within `max_fpr`.

    Notes
    -----
    Coverage over populations and sizes, by method, with the mean widths: ``docs/methods/intervals.md``.

    References
    ----------
    Newcombe: Confidence intervals for an effect size measure based on the Mann-Whitney statistic, Statistics in
    Medicine 25, 2006. DeLong, DeLong, Clarke-Pearson, Biometrics 44, 1988. Obuchowski: Nonparametric analysis of
    clustered ROC curve data, Biometrics 53, 1997. McClish: Analyzing a portion of the ROC curve, Medical Decision
    Making 9, 1989.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> y = np.repeat([0, 1], [80, 20])
    >>> found = pixelgauge.roc_auc_interval(y, np.arange(100))  # all positives above all negatives
    >>> found.auroc, round(found.low, 3), found.high
    (1.0, 0.912, 1.0)
    """
    level = checked_level(level)
    one_of("method", method, METHODS)
    fpr = _checked_fpr(max_fpr)
    bits, scores, weights = binary_inputs(y_true, y_score, pos_label, sample_weight)
    refuse_both(cluster, sample_weight)
    if method == "newcombe" and (fpr < 1 or cluster is not None):
        raise ArgumentValueError("method", "'newcombe'", "is for the whole area without clusters", "use 'score'")
    codes = None if cluster is None else cluster_codes(cluster, len(scores))
    wanted = Wanted(level, method, fpr)
    if groups is not None:
        from pixelgauge.ranking.group_intervals import intervals_by_group

        return intervals_by_group(scores, truth_of(bits, len(scores)), weights, codes, groups, wanted)
    interval, positives, negatives = interval_of(scores, bits, weights, codes, wanted)
    warn_of_few(positives, negatives, "samples" if codes is None else "clusters")
    _warn_of_no_width(interval)
    return interval


@dataclass(frozen=True)
class Wanted:
    """Which interval."""

    level: float
    method: str
    max_fpr: float


def interval_of(
    scores: Scores, bits: Bits, weights: Float64Array | None, codes: Array | None, wanted: Wanted
) -> tuple[AurocInterval, float, float]:
    """Interval of checked samples, with the positives and negatives (or clusters of them) that it rests on."""
    fpr = wanted.max_fpr
    if fpr == 1 and weights is None and codes is None:
        sample, error = _from_sums(scores, bits)
        quantile, positives, negatives = normal_quantile(wanted.level), sample.positives, sample.negatives
    else:
        truth = truth_of(bits, len(scores))
        found = _placed(scores, truth, weights, fpr)
        if codes is None:
            sample, error, quantile = *_from_placements(found, fpr), normal_quantile(wanted.level)
            positives, negatives = found.positive_size, found.negative_size
        else:
            clusters = clusters_of(truth, codes)
            sample, error = _from_clusters(found, clusters, fpr)
            quantile = student_quantile(wanted.level, clusters.freedom)
            positives, negatives = clusters.with_positives, clusters.with_negatives
    low, high = _ENDS[wanted.method](sample, error, quantile)

    def area(share: float) -> float:  # McClish: 1/2 for chance, 1 for perfect
        return share if fpr == 1 else 0.5 * (1 + (share - fpr / 2) / (1 - fpr / 2))

    scale = 1 if fpr == 1 else 0.5 / (1 - fpr / 2)
    return AurocInterval(area(sample.area), area(low), area(high), scale * error), positives, negatives


def delong_interval(y_true: object, y_score: object, *, level: float = 0.95, pos_label: object = None) -> AurocInterval:
    """Confidence interval of AUROC by DeLong's variance and the normal distribution, cut to [0, 1]: pROC's figures.

    Near 1 and with few samples of a class it covers less than `level`; :func:`roc_auc_interval` does not. The sums
    behind the variance are exact integers of 128 bits, so it holds at any size.

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

    Warns
    -----
    UserWarning
        Below ten samples of a class, and where all positives lie above (or below) all negatives.

    References
    ----------
    DeLong, DeLong, Clarke-Pearson: Comparing the areas under two or more correlated receiver operating characteristic
    curves, Biometrics 44(3), 1988; pROC's ``ci.auc`` gives the same numbers.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> interval = pixelgauge.delong_interval(np.arange(40) % 3 == 0, np.arange(40) % 7)
    >>> round(interval.auroc, 4), round(interval.standard_error, 4)
    (0.5275, 0.0984)
    """
    level = checked_level(level)
    bits, scores, _ = binary_inputs(y_true, y_score, pos_label, None)
    sample, error = _from_sums(scores, bits)
    interval = AurocInterval(sample.area, *_by_delong(sample, error, normal_quantile(level)), error)
    _warn_of_method(sample, interval, "DeLong's interval")
    return interval


def bootstrap_interval(
    y_true: object,
    y_score: object,
    *,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
    cluster: object = None,
    pos_label: object = None,
) -> AurocInterval:
    """Percentile interval of AUROC under resampling within each class, or of whole clusters.

    Parameters
    ----------
    y_true, y_score, pos_label
        As for :func:`pixelgauge.roc_curve`.
    level : float, default 0.95
        In (0, 1).
    replicates : int, default 1000
        Resamples, at least 2. Each costs a pass over the scores: 1000 of 1e6 samples take minutes.
    seed : int, default 0
        Of NumPy's PCG64, at least 0; the same seed gives the same interval.
    cluster : (N,) array_like, optional
        Numbers or strings: whole clusters are drawn, whatever classes they hold. A draw without one of the classes is
        drawn again. A cluster that is drawn twice meets itself: where clusters hold both classes and pairs within them
        are easier or harder than others, the interval is off (.89 at a level of .95 with 40 pairs);
        :func:`roc_auc_interval` is not.

    Returns
    -------
    AurocInterval
        `standard_error` is the standard deviation of the replicates.

    Raises
    ------
    TypeError, ValueError
        As :func:`delong_interval`; and if `replicates` is below 2 or `seed` below 0, or a class has fewer than two
        clusters.

    Warns
    -----
    UserWarning
        As :func:`delong_interval`.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> interval = pixelgauge.bootstrap_interval(np.arange(40) % 3 == 0, np.arange(40) % 7, replicates=200)
    >>> interval.low <= interval.auroc <= interval.high
    True
    """
    level = checked_level(level)
    for name, count, least in (("replicates", replicates, 2), ("seed", seed, 0)):
        whole_number(name, count, least)
    bits, scores, _ = binary_inputs(y_true, y_score, pos_label, None)
    sample, _ = _from_sums(scores, bits)
    rng = np.random.default_rng(seed)
    clusters = None
    if cluster is None:
        values = _resampled(scores, bits, replicates, rng)
    else:
        clusters = clusters_of(truth_of(bits, len(scores)), cluster_codes(cluster, len(scores)))
        values = clusters.resampled(scores.ordered(), replicates, rng)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    interval = AurocInterval(sample.area, float(low), float(high), float(values.std(ddof=1)))
    if clusters is None:
        _warn_of_method(sample, interval, "The bootstrap's interval")
    else:
        warn_of_few(clusters.with_positives, clusters.with_negatives, "clusters")
        _warn_of_no_width(interval)
    return interval


def refuse_both(cluster: object, sample_weight: object) -> None:
    """Refuse clusters with weights."""
    if cluster is not None and sample_weight is not None:
        raise ValueError("cluster= cannot be combined with sample_weight=: there is no variance for both")


def cluster_codes(cluster: object, count: int) -> Array:
    """Return the number of each sample's cluster."""
    _, codes = group_codes(cluster, "cluster")
    check_lengths(y_true=range(count), cluster=codes)
    return codes


def check_classes(positives: float, negatives: float, what: str = "") -> None:
    """Refuse a class of one."""
    if positives < 2 or negatives < 2:
        raise ValueError(
            f"{positives:.6g} positives and {negatives:.6g} negatives{what}: a variance needs at least two of each"
        )


def warn_of_few(positives: float, negatives: float, what: str = "samples") -> None:
    """Warn below ten of a class."""
    if min(positives, negatives) < FEW:
        counts = f"{positives:.3g} {what} of positives and {negatives:.3g} of negatives"
        caller.warn(f"{counts}: below {FEW} an interval says little and may cover less than its level")


def _checked_fpr(max_fpr: float | None) -> float:
    if max_fpr is None:
        return 1.0
    found = real_number("max_fpr", max_fpr)
    if not 0 < found <= 1:
        raise ArgumentValueError("max_fpr", reprlib.repr(max_fpr), "must be in (0, 1]")
    return found


def _warn_of_method(sample: AreaSample, interval: AurocInterval, what: str) -> None:
    problem = ""
    if interval.low == interval.high:
        problem = "it has no width, as where no pair is misplaced or all scores are tied"
    elif min(sample.positives, sample.negatives) < FEW:
        problem = f"it covers less than its level below {FEW} of a class"
    if problem:
        caller.warn(
            f"{what} of {sample.positives:g} positives and {sample.negatives:g} negatives with AUROC "
            f"{sample.area:.6g}: {problem}; use roc_auc_interval"
        )


def _warn_of_no_width(interval: AurocInterval) -> None:
    if interval.low == interval.high:
        caller.warn(
            f"the interval of AUROC {interval.auroc:.6g} has no width, as where no pair is misplaced or all scores are "
            "tied, and says nothing: use method='score' of roc_auc_interval"
        )


def _from_sums(scores: Scores, bits: Bits) -> tuple[AreaSample, float]:
    """Sample and DeLong's error, from integers of the core."""
    twice_u, positive_squares, negative_squares, p, n = _core.delong(scores.values, bits, scores.bfloat16)
    check_classes(p, n)
    # Sample variances of the placements, from integers: sum of squares minus square of the sum over count.
    of_positives = (p * positive_squares - twice_u**2) / (4 * n * n * p * (p - 1))
    of_negatives = (n * negative_squares - twice_u**2) / (4 * p * p * n * (n - 1))
    error = math.sqrt(of_positives / p + of_negatives / n)
    return AreaSample(twice_u / (2 * p * n), of_positives, of_negatives, p, n), error


def checked_placements(scores: Scores, truth: Array, weights: Float64Array | None, max_fpr: float = 1.0) -> Placements:
    """Find placements of which there is a variance: of two samples of each class, and by their weights as many."""
    check_classes(*weighted_counts(truth, weights), "" if weights is None else " with any weight")
    found = placements(scores, truth, weights, max_fpr)
    check_classes(found.positive_size, found.negative_size, " by their weights")
    return found


def _placed(scores: Scores, truth: Array, weights: Float64Array | None, fpr: float) -> Placements:
    found = checked_placements(scores, truth, weights, fpr)
    within = found.negative_size * fpr
    if fpr < 1 and within < _LEAST_WITHIN:
        raise ArgumentValueError(
            "max_fpr",
            f"{fpr:g}",
            f"leaves {within:.3g} negatives within it, and below {_LEAST_WITHIN} no interval was found to cover",
            f"use a larger one, or at least {math.ceil(_LEAST_WITHIN / fpr):.6g} negatives",
        )
    if fpr < 1 and within < _FEW_WITHIN:
        caller.warn(
            f"{within:.3g} negatives lie within max_fpr={fpr:g}: below {_FEW_WITHIN} an interval may cover less than "
            "its level"
        )
    return found


def _from_placements(found: Placements, fpr: float) -> tuple[AreaSample, float]:
    """Sample and error of a partial area, or with weights."""
    sizes = found.positive_size, found.negative_size * fpr
    sample = AreaSample(found.area, found.positive_variance, found.negative_variance * fpr, *sizes, fpr)
    return sample, math.sqrt(found.variance)


def _from_clusters(found: Placements, clusters: Clusters, fpr: float) -> tuple[AreaSample, float]:
    """As many independent samples as would be as sure, and Obuchowski's error."""
    sample, independent = _from_placements(found, fpr)
    error = clusters.standard_error(found)
    effect = (error / independent) ** 2 if error > 0 else clusters.largest_effect
    m, n = (max(2.0, size / effect) for size in (sample.positives, sample.negatives))
    return replace(sample, positives=m, negatives=n), error


def _resampled(scores: Scores, bits: Bits, replicates: int, rng: np.random.Generator) -> Float64Array:
    fps, tps, _ = _core.curve(scores.values, bits, None, _core.CurveDrop.none, False, scores.bfloat16)
    p, n = int(tps[-1]), int(fps[-1])
    positives, negatives = np.diff(tps), np.diff(fps)
    values = np.empty(replicates)
    # Drawing with replacement within a class is a multinomial over its distinct scores.
    for k in range(replicates):
        drawn_p = rng.multinomial(p, positives / p)
        drawn_n = rng.multinomial(n, negatives / n)
        above = np.cumsum(drawn_p) - drawn_p
        values[k] = (2 * above + drawn_p).astype(np.float64) @ drawn_n / (2 * p * n)
    return values


def _by_score(sample: AreaSample, _error: float, z: float) -> tuple[float, float]:
    return score_interval(sample, z)


def _by_newcombe(sample: AreaSample, _error: float, z: float) -> tuple[float, float]:
    return score_interval(sample, z, newcombe=True)


def _by_logit(sample: AreaSample, error: float, z: float) -> tuple[float, float]:
    area = sample.area
    if area in (0, 1):
        raise ArgumentValueError(
            "method", "'logit'", "has no interval where no pair is misplaced: the logarithm is infinite", "use 'score'"
        )
    return logit_limits(area, error, z)


def _by_delong(sample: AreaSample, error: float, z: float) -> tuple[float, float]:
    return max(0.0, sample.area - z * error), min(1.0, sample.area + z * error)


_ENDS: dict[str, Callable[[AreaSample, float, float], tuple[float, float]]] = {
    "score": _by_score,
    "newcombe": _by_newcombe,
    "logit": _by_logit,
    "delong": _by_delong,
}
