"""Whether two AUROCs differ: DeLong's test of two scores, of two sets of samples, and of several scores at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np

from pixelgauge import caller
from pixelgauge.checks import checked_level, one_of
from pixelgauge.notebooks import in_notebooks
from pixelgauge.proportions import normal_quantile, student_cdf, student_quantile
from pixelgauge.ranking.binary_inputs import binary_inputs
from pixelgauge.ranking.clusters import Clusters, clusters_of
from pixelgauge.ranking.inputs import score_array, truth_of
from pixelgauge.ranking.intervals import checked_placements, cluster_codes, refuse_both, warn_of_few
from pixelgauge.ranking.placements import Placements

Alternative = Literal["two-sided", "greater", "less"]
Correction = Literal["holm", "bonferroni", "none"]

_ALTERNATIVES = ("two-sided", "greater", "less")
_CORRECTIONS = ("holm", "bonferroni", "none")


@in_notebooks
class DelongTest(NamedTuple):
    """Two AUROCs, the z statistic of their difference and its p value, and the difference with its interval."""

    auroc_a: float
    auroc_b: float
    z: float
    p_value: float
    difference: float
    low: float
    high: float


@in_notebooks
class PairwiseTest(NamedTuple):
    """One pair of several scores: as :class:`DelongTest`, with their names and the corrected p value."""

    a: object
    b: object
    auroc_a: float
    auroc_b: float
    z: float
    p_value: float
    corrected_p: float
    difference: float
    low: float
    high: float


def delong_test(
    y_true: object,
    score_a: object,
    score_b: object,
    *,
    y_true_b: object = None,
    alternative: Alternative = "two-sided",
    level: float = 0.95,
    sample_weight: object = None,
    cluster: object = None,
    pos_label: object = None,
) -> DelongTest:
    """DeLong's test of two AUROCs: of two scores on the same samples, or of scores on two sets of samples.

    Parameters
    ----------
    y_true, pos_label
        As for :func:`pixelgauge.roc_curve`.
    score_a, score_b : (N,) array_like
        The scores to compare.
    y_true_b : (M,) array_like, optional
        Labels of `score_b` where it belongs to other samples, independent of the first: the statistic is then
        Student's with Welch's degrees of freedom, as pROC has it. Not with `sample_weight` or `cluster`.
    alternative : {"two-sided", "greater", "less"}, default "two-sided"
        What the p value speaks for: that the AUROCs differ, that a's is greater, or less.
    level : float, default 0.95
        Of the difference's interval, two-sided whatever `alternative` is; in (0, 1).
    sample_weight : (N,) array_like, optional
        As for :func:`pixelgauge.roc_auc_interval`.
    cluster : (N,) array_like, optional
        As for :func:`pixelgauge.roc_auc_interval`: Obuchowski's variance, and Student's distribution.

    Returns
    -------
    DelongTest
        ``(auroc_a, auroc_b, z, p_value, difference, low, high)``; z is 0 and p is 1 (one-sided 0.5) where the scores
        rank alike, and z is infinite where they differ without variance.

    Raises
    ------
    TypeError, ValueError
        As :func:`roc_auc_interval`; for an unknown `alternative`, or options that do not go together.

    Warns
    -----
    UserWarning
        Below ten samples (or clusters) of a class.

    References
    ----------
    DeLong, DeLong, Clarke-Pearson, Biometrics 44(3), 1988; Obuchowski, Biometrics 53, 1997; pROC's ``roc.test``.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> y = np.arange(60) % 3 == 0
    >>> test = pixelgauge.delong_test(y, np.arange(60) % 7 + y, np.arange(60) % 5)
    >>> round(test.difference, 4), round(test.z, 4), round(test.p_value, 4)
    (0.1419, 1.4933, 0.1354)
    """
    one_of("alternative", alternative, _ALTERNATIVES)
    level = checked_level(level)
    if y_true_b is not None:
        if sample_weight is not None or cluster is not None:
            raise ValueError("y_true_b= cannot be combined with sample_weight= or cluster=")
        return _unpaired((y_true, score_a), (y_true_b, score_b), pos_label, alternative, level)
    pair = _Ranked.of(y_true, [score_a, score_b], sample_weight, cluster, pos_label)
    return pair.test(0, 1, alternative, level)


def delong_pairwise(
    y_true: object,
    y_score: object,
    *,
    correction: Correction = "holm",
    level: float = 0.95,
    sample_weight: object = None,
    cluster: object = None,
    pos_label: object = None,
) -> list[PairwiseTest]:
    """DeLong's test of every pair of several scores on the same samples, corrected for their number.

    Parameters
    ----------
    y_true, sample_weight, cluster, pos_label
        As for :func:`delong_test`.
    y_score : (N, K) array_like, or mapping of K names to (N,) array_like
        One column a model; without names, such as those of a data frame, they are numbered from 0.
    correction : {"holm", "bonferroni", "none"}, default "holm"
        Both hold the probability of any false finding among the pairs; Holm's finds more.
    level : float, default 0.95
        Of each difference's interval by itself; with ``"bonferroni"`` of all of them together.

    Returns
    -------
    list of PairwiseTest
        K (K - 1) / 2, in the order of the columns.

    Raises
    ------
    TypeError, ValueError
        As :func:`delong_test`; for an unknown `correction`, or fewer than two scores.

    References
    ----------
    Holm: A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> y = np.arange(60) % 3 == 0
    >>> models = {"a": np.arange(60) % 7 + y, "b": np.arange(60) % 5, "c": np.arange(60) % 4}
    >>> [(test.a, test.b, round(test.corrected_p, 3)) for test in pixelgauge.delong_pairwise(y, models)]
    [('a', 'b', 0.406), ('a', 'c', 0.406), ('b', 'c', 1.0)]
    """
    one_of("correction", correction, _CORRECTIONS)
    level = checked_level(level)
    if isinstance(y_score, Mapping):
        names, columns = list(y_score), list(y_score.values())
    else:
        scores = score_array(y_score)
        if scores.ndim != 2:
            raise ValueError(
                f"y_score has shape {scores.shape}: give one column a model, (N, K), or a mapping of names"
            )
        labels = getattr(y_score, "columns", None)
        names = list(range(scores.shape[1])) if labels is None else list(labels)
        columns = list(scores.T)
    if len(names) < 2:
        raise ValueError(f"y_score has {len(names)} scores: there is no pair to compare")
    ranked = _Ranked.of(y_true, columns, sample_weight, cluster, pos_label)
    pairs = [(i, j) for i in range(len(names)) for j in range(i + 1, len(names))]
    if correction == "bonferroni":
        level = 1 - (1 - level) / len(pairs)
    tests = [ranked.test(i, j, "two-sided", level) for i, j in pairs]
    corrected = _corrected([test.p_value for test in tests], correction)
    return [
        PairwiseTest(
            names[i],
            names[j],
            test.auroc_a,
            test.auroc_b,
            test.z,
            test.p_value,
            p,
            test.difference,
            test.low,
            test.high,
        )
        for (i, j), test, p in zip(pairs, tests, corrected, strict=True)
    ]


@dataclass(frozen=True)
class _Ranked:
    """Placements of several scores on the same samples."""

    scores: list[Placements]
    clusters: Clusters | None

    @classmethod
    def of(
        cls, y_true: object, scores: list[object], sample_weight: object, cluster: object, pos_label: object
    ) -> _Ranked:
        refuse_both(cluster, sample_weight)
        found, clusters = [], None
        for score in scores:
            bits, vector, weights = binary_inputs(y_true, score, pos_label, sample_weight)
            truth = truth_of(bits, len(vector))
            found.append(checked_placements(vector, truth, weights))
        first = found[0]
        if cluster is None:
            warn_of_few(first.positive_size, first.negative_size)
        else:
            clusters = clusters_of(truth, cluster_codes(cluster, len(truth)))
            warn_of_few(clusters.with_positives, clusters.with_negatives, "clusters")
        return cls(found, clusters)

    def test(self, i: int, j: int, alternative: Alternative, level: float) -> DelongTest:
        a, b = self.scores[i], self.scores[j]
        # The variance of a difference is that of the differences: no cancellation between three large terms.
        apart = replace(
            a, area=a.area - b.area, positives=a.positives - b.positives, negatives=a.negatives - b.negatives
        )
        freedom = math.inf
        if self.clusters is None:
            error = math.sqrt(apart.variance)
        else:
            error, freedom = self.clusters.standard_error(apart), self.clusters.freedom
        return _tested(a.area, b.area, error, freedom, alternative, level)


def _unpaired(
    a: tuple[object, object], b: tuple[object, object], pos_label: object, alternative: Alternative, level: float
) -> DelongTest:
    areas, variances, counts = [], [], []
    for y_true, scores in (a, b):
        side = _Ranked.of(y_true, [scores], None, None, pos_label).scores[0]
        areas.append(side.area)
        variances.append(side.variance)
        counts.append(len(side.positives) + len(side.negatives))
    variance = sum(variances)
    freedom = math.inf
    if variance > 0:
        freedom = variance**2 / sum(v * v / (count - 1) for v, count in zip(variances, counts, strict=True))
    return _tested(areas[0], areas[1], math.sqrt(variance), freedom, alternative, level)


def _tested(a: float, b: float, error: float, freedom: float, alternative: Alternative, level: float) -> DelongTest:
    difference = a - b
    if error == 0 and (difference or a in (0, 1)):
        caller.warn(
            f"the AUROCs {a:.6g} and {b:.6g} differ without variance, as where both are 1: neither the p value nor the "
            "interval says anything"
        )
    z = difference / error if error > 0 else math.copysign(math.inf, difference) if difference else 0.0
    normal = math.isinf(freedom)
    half = (normal_quantile(level) if normal else student_quantile(level, freedom)) * error
    below = NormalDist().cdf if normal else lambda t: student_cdf(t, freedom)
    if alternative == "two-sided":
        p = math.erfc(abs(z) / math.sqrt(2)) if normal else 2 * below(-abs(z))
    else:
        p = below(-z if alternative == "greater" else z)
    return DelongTest(a, b, z, p, difference, difference - half, difference + half)


def _corrected(p_values: list[float], correction: Correction) -> list[float]:
    count = len(p_values)
    if correction == "none":
        return p_values
    if correction == "bonferroni":
        return [min(1.0, count * p) for p in p_values]
    found, largest = [0.0] * count, 0.0
    for rank, at in enumerate(np.argsort(p_values, kind="stable").tolist()):
        largest = max(largest, min(1.0, (count - rank) * p_values[at]))
        found[at] = largest
    return found
