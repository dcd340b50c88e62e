"""Figures at one threshold: confusion figures, the false positive rate at a sensitivity, the best threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, overload

import numpy as np

from pixelgauge import _core
from pixelgauge.checks import ArgumentValueError, flag, require_number
from pixelgauge.images import Array
from pixelgauge.notebooks import in_notebooks
from pixelgauge.ranking.arrays import at_least
from pixelgauge.ranking.binary_inputs import binary_inputs
from pixelgauge.ranking.inputs import Float64Array, require_ranks, truth_of, weight_array

Criterion = Literal["youden", "f1", "mcc", "accuracy", "balanced_accuracy", "closest"]


@in_notebooks
@dataclass(frozen=True)
class Confusion:
    """Counts (or weights) of a binary decision, and the figures that follow; NaN where a denominator is zero."""

    true_positives: float
    false_positives: float
    false_negatives: float
    true_negatives: float

    @property
    def sensitivity(self) -> float:
        """TP / (TP + FN), also recall and true positive rate."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> float:
        """TN / (TN + FP)."""
        return _ratio(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def precision(self) -> float:
        """TP / (TP + FP), also positive predictive value."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def negative_predictive_value(self) -> float:
        """TN / (TN + FN)."""
        return _ratio(self.true_negatives, self.true_negatives + self.false_negatives)

    @property
    def accuracy(self) -> float:
        """(TP + TN) / all."""
        right = self.true_positives + self.true_negatives
        return _ratio(right, right + self.false_positives + self.false_negatives)

    @property
    def balanced_accuracy(self) -> float:
        """Mean of sensitivity and specificity."""
        return (self.sensitivity + self.specificity) / 2

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN)."""
        twice = 2 * self.true_positives
        return _ratio(twice, twice + self.false_positives + self.false_negatives)

    @property
    def youden_j(self) -> float:
        """Sensitivity + specificity - 1."""
        return self.sensitivity + self.specificity - 1

    @property
    def mcc(self) -> float:
        """Matthews correlation coefficient."""
        counts = self.true_positives, self.false_positives, self.false_negatives, self.true_negatives
        # by a power of two, so that products of two stay in float64's range
        tp, fp, fn, tn = (math.ldexp(count, -math.frexp(max(counts))[1]) for count in counts)
        # square roots of pairs: the product of four counts can exceed what a float holds exactly
        scale = math.sqrt((tp + fp) * (tp + fn)) * math.sqrt((tn + fp) * (tn + fn))
        return _ratio(tp * tn - fp * fn, scale)


def confusion_at_threshold(
    y_true: object,
    y_score: object,
    threshold: float,
    *,
    pos_label: object = None,
    sample_weight: object = None,
) -> Confusion:
    """Confusion figures of the decision ``y_score >= threshold``.

    Parameters
    ----------
    y_true, y_score, pos_label, sample_weight
        As for :func:`pixelgauge.roc_curve`.
    threshold : float
        Scores at it count as positive; neither it nor a score is rounded for the comparison.

    Returns
    -------
    Confusion
        Counts, and as properties sensitivity, specificity, precision, negative predictive value, accuracy, balanced
        accuracy, F1, Youden's J and MCC.

    Raises
    ------
    TypeError, ValueError
        As :func:`pixelgauge.roc_curve`; and if `threshold` is NaN.

    Examples
    --------
    >>> import pixelgauge
    >>> pixelgauge.confusion_at_threshold([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.35).sensitivity
    1.0
    """
    require_number("threshold", threshold)
    if threshold != threshold:
        raise ValueError("threshold is NaN: use a number, or inf")
    bits, scores, _ = binary_inputs(y_true, y_score, pos_label, None)
    weights = weight_array(sample_weight, len(scores))  # as they are: they are what is counted
    values = scores.decoded()
    require_ranks(values)
    called = at_least(values, threshold)
    truth = truth_of(bits, len(scores))
    tp, fp, fn, tn = (
        float(np.count_nonzero(cell) if weights is None else weights[cell].sum())
        for cell in (truth & called, ~truth & called, truth & ~called, ~truth & ~called)
    )
    if math.isinf(2 * (tp + fp + fn + tn)):
        raise ValueError("sample_weight adds up to more than float64 holds: divide the weights by their maximum")
    return Confusion(tp, fp, fn, tn)


@in_notebooks
class FprAtTpr(NamedTuple):
    """A false positive rate, and the threshold that attains it."""

    fpr: float
    threshold: float


@overload
def fpr_at_tpr(
    y_true: object,
    y_score: object,
    tpr: float = ...,
    *,
    return_threshold: Literal[False] = ...,
    pos_label: object = ...,
    sample_weight: object = ...,
) -> float: ...
@overload
def fpr_at_tpr(
    y_true: object,
    y_score: object,
    tpr: float = ...,
    *,
    return_threshold: Literal[True],
    pos_label: object = ...,
    sample_weight: object = ...,
) -> FprAtTpr: ...
def fpr_at_tpr(
    y_true: object,
    y_score: object,
    tpr: float = 0.95,
    *,
    return_threshold: bool = False,
    pos_label: object = None,
    sample_weight: object = None,
) -> float | FprAtTpr:
    """Lowest false positive rate of a threshold whose true positive rate is at least `tpr`.

    Parameters
    ----------
    y_true, y_score, pos_label, sample_weight
        As for :func:`pixelgauge.roc_curve`.
    tpr : float, default 0.95
        In (0, 1]. No interpolation: the figure belongs to a threshold that exists.
    return_threshold : bool, default False
        Also return that threshold, the highest with such a true positive rate, for ``y_score >= threshold``.

    Returns
    -------
    float, or FprAtTpr
        ``(fpr, threshold)`` with `return_threshold`. Intervals, and other requirements:
        :func:`pixelgauge.operating_point`.

    Raises
    ------
    TypeError, ValueError
        As :func:`pixelgauge.roc_curve`; and if `tpr` is out of range or a class is absent.

    Examples
    --------
    >>> import pixelgauge
    >>> pixelgauge.fpr_at_tpr([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.5
    """
    require_number("tpr", tpr)
    if not 0 < tpr <= 1:
        raise ArgumentValueError("tpr", str(tpr), "must be in (0, 1]")
    return_threshold = flag("return_threshold", return_threshold)
    fp, tp, thresholds = _two_class_counts(y_true, y_score, pos_label, sample_weight)
    at = int(np.searchsorted(tp / tp[-1], tpr))
    rate = float(fp[at] / fp[-1])
    if not return_threshold:
        return rate
    return FprAtTpr(rate, plain_threshold(thresholds, at))


def best_threshold(
    y_true: object,
    y_score: object,
    *,
    criterion: Criterion = "youden",
    pos_label: object = None,
    sample_weight: object = None,
) -> float:
    """Threshold that is best by a criterion; of several, the highest.

    Parameters
    ----------
    y_true, y_score, pos_label, sample_weight
        As for :func:`pixelgauge.roc_curve`.
    criterion : {"youden", "f1", "mcc", "accuracy", "balanced_accuracy", "closest"}, default "youden"
        ``"closest"`` is the point of the ROC curve nearest to (0, 1).

    Returns
    -------
    float
        One of the scores, to be used as ``y_score >= threshold``; inf if calling nothing positive is best. Python's
        integer where scores are integers beyond 2^53, which a float may round.

    Raises
    ------
    TypeError, ValueError
        As :func:`pixelgauge.roc_curve`; for an unknown criterion; if a class is absent.

    Examples
    --------
    >>> import pixelgauge
    >>> pixelgauge.best_threshold([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.8
    """
    fp, tp, thresholds = _two_class_counts(y_true, y_score, pos_label, sample_weight)
    positives, negatives = float(tp[-1]), float(fp[-1])
    total = positives + negatives
    fpr, tpr = fp / negatives, tp / positives
    if criterion in ("youden", "balanced_accuracy"):
        merit = tpr - fpr
    elif criterion == "closest":
        merit = -np.hypot(fpr, 1 - tpr)
    elif criterion == "accuracy":
        merit = tp - fp
    elif criterion == "f1":
        merit = 2 * tp / (tp + fp + positives)
    elif criterion == "mcc":
        called = tp + fp
        scale = np.sqrt(called * (total - called))
        merit = np.divide(tp * negatives - fp * positives, scale, out=np.zeros_like(scale), where=scale > 0)
    else:
        remedy = "use youden, f1, mcc, accuracy, balanced_accuracy, closest"
        raise ArgumentValueError("criterion", repr(criterion), "is not known", remedy)
    return plain_threshold(thresholds, int(np.argmax(merit)))


def _two_class_counts(
    y_true: object, y_score: object, pos_label: object, sample_weight: object
) -> tuple[Float64Array, Float64Array, Array]:
    """Count false and true positives (or their weight) at every threshold, from inf down."""
    bits, scores, weights = binary_inputs(y_true, y_score, pos_label, sample_weight)
    fp, tp, thresholds = scores.curve(bits, weights, _core.CurveDrop.none, rates=False)
    require_two_classes(tp[-1], fp[-1], "" if weights is None else " with any weight")
    return fp, tp, thresholds


def plain_threshold(thresholds: Array, at: int) -> float:
    """One threshold as Python's number: float, or what it is where a float would round it."""
    found: float = thresholds[at] if thresholds.dtype.kind == "O" else float(thresholds[at])
    return found


def require_two_classes(positives: float, negatives: float, of_weight: str = "") -> None:
    """Refuse counts (or weights) in which a class is absent."""
    if positives == 0 or negatives == 0:
        raise ValueError(f"Only one class is present in y_true{of_weight}: there is nothing to trade off")


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan
