"""Ranking metrics with scikit-learn's contract: AUROC, curves, average precision; exact, and at the speed of a sort."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations
from typing import Any, Literal

import numpy as np

from pixelgauge import _core, caller
from pixelgauge.checks import flag, require_number
from pixelgauge.images import Array
from pixelgauge.ranking.arrays import beyond_float64, column
from pixelgauge.ranking.binary_inputs import binary_inputs, with_positive
from pixelgauge.ranking.inputs import (
    BinaryLabels,
    Bits,
    Float64Array,
    Scores,
    check_lengths,
    class_codes,
    label_array,
    pack,
    relative_weights,
    require_ranks,
    score_array,
    scores_of,
    target_type,
    warn_undefined,
)

Average = Literal["micro", "macro", "samples", "weighted"] | None

Curve = tuple[Float64Array, Float64Array, Array]

_BinaryMetric = Callable[[Bits, Scores, Float64Array | None], float]


def roc_auc_score(
    y_true: object,
    y_score: object,
    *,
    average: Average = "macro",
    sample_weight: object = None,
    max_fpr: float | None = None,
    multi_class: Literal["raise", "ovr", "ovo"] = "raise",
    labels: object = None,
    groups: object = None,
) -> float | Float64Array | dict[object, float]:
    """Area under the ROC curve, with scikit-learn's contract.

    Without weights it is exact: (2 #{negative < positive} + #{negative = positive}) / (2 P N), counted in 128-bit
    integers and rounded once.

    Parameters
    ----------
    y_true : array_like
        (N,) labels: booleans, integers or strings; of two classes, the greater is positive. (N, K) zeros and ones are
        multilabel.
    y_score : array_like
        (N,) scores, or (N, K) for multiclass (probabilities that sum to one) and multilabel: float16, bfloat16,
        float32, float64 or integers, compared in their own dtype; integers of any size, ``Fraction`` and ``Decimal`` as
        objects, compared by Python. No sigmoid is ever applied; infinities are ordinary scores.
    average : {"macro", "micro", "weighted", "samples", None}, default "macro"
        How (N, K) scores become one number; None gives one a column. Ignored where labels are binary.
    sample_weight : (N,) array_like, optional
        Finite and not negative; sums are then in float64. The scale of the weights does not matter.
    max_fpr : float, optional
        In (0, 1]: the area up to this false positive rate, with McClish's correction (0.5 for chance, 1 for perfect).
    multi_class : {"raise", "ovr", "ovo"}, default "raise"
        One class against the rest, or every pair of classes (Hand and Till, 2001).
    labels : array_like, optional
        The classes of the columns, ascending, where `y_true` may miss some.
    groups : (N,) array_like, optional
        Group of each sample, for one value a group of binary data: :func:`pixelgauge.auroc_by_group`. Not
        scikit-learn's.

    Returns
    -------
    float or (K,) numpy.ndarray of float64
        NaN, with an :class:`UndefinedMetricWarning`, where a class is absent or has no weight. With `groups`, a dict of
        floats.

    Raises
    ------
    TypeError
        For scores of a dtype without an order, or of more than 64 bits; for a `max_fpr` that is no number.
    ValueError
        For NaN, lengths that differ, empty arrays, labels that are not classes, probabilities that do not sum to one,
        weights that are negative or all zero, a `max_fpr` out of range, an unknown `average` or `multi_class`.

    References
    ----------
    scikit-learn, ``sklearn.metrics.roc_auc_score``.

    Examples
    --------
    >>> import pixelgauge
    >>> pixelgauge.roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    if multi_class not in ("raise", "ovr", "ovo"):
        raise ValueError(f"multi_class={multi_class!r} is not known: use 'raise', 'ovr' or 'ovo'")
    if max_fpr is not None:
        require_number("max_fpr", max_fpr)
        if not 0 < max_fpr <= 1:
            raise ValueError(f"Expected max_fpr in range (0, 1], got: {max_fpr!r}")
    if groups is not None:
        if sample_weight is not None or max_fpr is not None:
            raise ValueError("groups= cannot be combined with sample_weight= or max_fpr=: call once for each group")
        from pixelgauge.ranking.groups import auroc_by_group

        return auroc_by_group(y_true, y_score, groups)
    y = label_array(y_true)
    scores = score_array(y_score)
    kind, binary = target_type(y)
    if kind == "multiclass" or (binary is not None and scores.ndim == 2 and scores.shape[1] > 2):
        if max_fpr is not None and max_fpr != 1:
            raise ValueError(
                "Partial AUC computation not available in multiclass setting, 'max_fpr' must be set to `None`, "
                f"received `max_fpr={max_fpr}` instead"
            )
        if multi_class == "raise":
            raise ValueError("multi_class must be in ('ovo', 'ovr')")
        return _multiclass_auroc(column(y, "y_true"), scores, labels, multi_class, average, sample_weight)
    _check_average(average)

    def metric(bits: Bits, vector: Scores, weights: Float64Array | None) -> float:
        return _binary_auroc(bits, vector, weights, max_fpr)

    if binary is not None:
        return _of_binary(metric, binary, scores, sample_weight)
    return _averaged(metric, y, scores, average, sample_weight)


def roc_curve(
    y_true: object,
    y_score: object,
    *,
    pos_label: object = None,
    sample_weight: object = None,
    drop_intermediate: bool = True,
) -> Curve:
    """Points of the ROC curve, with scikit-learn's contract.

    Parameters
    ----------
    y_true : (N,) array_like
        Binary labels; without `pos_label` they must be {0, 1} or {-1, 1}.
    y_score : (N,) array_like
        As for :func:`roc_auc_score`.
    pos_label : scalar, optional
        The positive class; all others are negative.
    sample_weight : (N,) array_like, optional
        Samples of weight zero do not count.
    drop_intermediate : bool, default True
        Leave out points on straight lines, as scikit-learn does.

    Returns
    -------
    fpr, tpr, thresholds : (M,) numpy.ndarray of float64
        Both rates rise as the thresholds fall; the first threshold is inf. Where a score is an integer beyond 2^53,
        which float64 may round, thresholds are objects: Python's integers, and inf.

    Raises
    ------
    TypeError, ValueError
        As :func:`roc_auc_score`; and if `pos_label` is needed or unknown.

    Examples
    --------
    >>> import pixelgauge
    >>> fpr, tpr, thresholds = pixelgauge.roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> fpr.tolist(), tpr.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    bits, scores, weights = binary_inputs(y_true, y_score, pos_label, sample_weight)
    drop = _core.CurveDrop.equal_steps if flag("drop_intermediate", drop_intermediate) else _core.CurveDrop.none
    return _roc_of_bits(bits, scores, weights, drop)


def precision_recall_curve(
    y_true: object,
    y_score: object,
    *,
    pos_label: object = None,
    sample_weight: object = None,
    drop_intermediate: bool = False,
) -> Curve:
    """Precision and recall at every threshold, with scikit-learn's contract.

    Parameters
    ----------
    y_true, y_score, pos_label, sample_weight
        As for :func:`roc_curve`.
    drop_intermediate : bool, default False
        Leave out points amid runs in which recall does not change.

    Returns
    -------
    precision, recall : (M + 1,) numpy.ndarray of float64
        Recall falls; the last point is (1, 0) and has no threshold.
    thresholds : (M,) numpy.ndarray
        float64, rising; in the scores' own dtype where scores are integers, objects where no dtype holds them.

    Raises
    ------
    TypeError, ValueError
        As :func:`roc_curve`.

    Examples
    --------
    >>> import pixelgauge
    >>> precision, recall, _ = pixelgauge.precision_recall_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> recall.tolist()
    [1.0, 1.0, 0.5, 0.5, 0.0]
    """
    bits, scores, weights = binary_inputs(y_true, y_score, pos_label, sample_weight)
    drop = _core.CurveDrop.same_positives if flag("drop_intermediate", drop_intermediate) else _core.CurveDrop.none
    # the curve's first point, at infinity, is the last one here: nothing is called, and precision is 1 by convention
    fps, tps, thresholds = scores.curve(bits, weights, drop, rates=False)
    fps += tps
    precision = np.ones_like(tps)
    np.divide(tps[1:], fps[1:], out=precision[1:])
    if tps[-1] == 0:
        caller.warn("No positive class found in y_true, recall is set to one for all thresholds.")
        tps[1:] = 1
    else:
        tps /= tps[-1]
    return precision[::-1], tps[::-1], scores.narrowed(thresholds[:0:-1])


def det_curve(
    y_true: object,
    y_score: object,
    pos_label: object = None,
    *,
    sample_weight: object = None,
    drop_intermediate: bool = False,
) -> Curve:
    """Trade off detection errors: false negatives against false positives, with scikit-learn's contract.

    Parameters
    ----------
    y_true, y_score, pos_label, sample_weight, drop_intermediate
        As for :func:`precision_recall_curve`.

    Returns
    -------
    fpr, fnr, thresholds : (M,) numpy.ndarray of float64
        For rising thresholds, the last of which may be inf. Where a score is an integer beyond 2^53, thresholds are
        integers, or objects with inf among them.

    Raises
    ------
    ValueError
        As :func:`roc_curve`; and if only one class is present.

    Examples
    --------
    >>> import pixelgauge
    >>> fpr, fnr, _ = pixelgauge.det_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> fpr.tolist(), fnr.tolist()
    ([0.5, 0.5, 0.0], [0.0, 0.5, 0.5])
    """
    bits, scores, weights = binary_inputs(y_true, y_score, pos_label, sample_weight)
    fps, tps, thresholds = scores.curve(bits, weights, _core.CurveDrop.none, rates=False)
    if tps[-1] == 0 or fps[-1] == 0:
        raise ValueError(
            "Only one class is present in y_true. Detection error tradeoff curve is not defined in that case."
        )
    if flag("drop_intermediate", drop_intermediate) and len(fps) > 2:
        stays = np.concatenate(([True], (np.diff(tps[:-1]) != 0) | (np.diff(tps[1:]) != 0), [True]))
        fps, tps, thresholds = fps[stays], tps[stays], thresholds[stays]
    # from the last point without false positives to the first with all true ones
    first = np.searchsorted(fps, fps[0], side="right") - 1
    part = slice(first, np.searchsorted(tps, tps[-1]) + 1)
    kept = thresholds[part][::-1].copy()
    if kept.dtype.kind == "O" and kept[-1] != math.inf:
        kept = scores.narrowed(kept)
    return fps[part][::-1] / fps[-1], (tps[-1] - tps[part])[::-1] / tps[-1], kept


def average_precision_score(
    y_true: object,
    y_score: object,
    *,
    average: Average = "macro",
    pos_label: Any = 1,
    sample_weight: object = None,
) -> float | Float64Array:
    """Average precision: the precision at each distinct score, weighted by the rise in recall; scikit-learn's contract.

    Parameters
    ----------
    y_true : array_like
        (N,) labels, of more than two classes one against the rest; or (N, K) zeros and ones.
    y_score : array_like
        (N,) or (N, K) scores, as for :func:`roc_auc_score`; they need not be probabilities.
    average : {"macro", "micro", "weighted", "samples", None}, default "macro"
        How (N, K) scores become one number.
    pos_label : scalar, default 1
        The positive class of binary labels.
    sample_weight : (N,) array_like, optional
        Finite and not negative.

    Returns
    -------
    float or (K,) numpy.ndarray of float64
        0, with a warning, where there is no positive, or none with any weight.

    Raises
    ------
    TypeError, ValueError
        As :func:`roc_auc_score`; and if `pos_label` is not a label.

    Examples
    --------
    >>> import pixelgauge
    >>> round(pixelgauge.average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.8333
    """
    y = label_array(y_true)
    scores = score_array(y_score)
    kind, binary = target_type(y)
    _check_average(average)
    if binary is not None:
        if len(binary.classes) == 2 and pos_label not in binary.classes.tolist():
            raise ValueError(f"pos_label={pos_label} is not a valid label. It should be one of {binary.classes}")
        return _of_binary(_binary_average_precision, with_positive(binary, y, pos_label), scores, sample_weight)
    if pos_label != 1:
        raise ValueError(
            f"Parameter pos_label is fixed to 1 for {kind} y_true. Do not set pos_label or set pos_label to 1."
        )
    if kind == "multiclass":
        vector = column(y, "y_true")
        classes = np.unique(vector)
        if scores.shape != (len(vector), len(classes)):
            raise ValueError(
                "`y_score` needs to be of shape `(n_samples, n_classes)`, since `y_true` contains multiple classes. "
                f"Got `y_score.shape={scores.shape}`."
            )
        y = vector[:, None] == classes
    return _averaged(_binary_average_precision, y, scores, average, sample_weight)


def auc(x: object, y: object) -> float:
    """Area under a curve by the trapezoidal rule, with scikit-learn's contract.

    Parameters
    ----------
    x : (M,) array_like
        Rising or falling, at least two points.
    y : (M,) array_like
        Heights.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If there are fewer than two points, lengths differ, or `x` is not monotone.

    Examples
    --------
    >>> import pixelgauge
    >>> pixelgauge.auc([0, 0.5, 1], [0, 1, 1])
    0.75
    """
    xs, ys = (column(score_array(values, name), name) for values, name in ((x, "x"), (y, "y")))
    check_lengths(x=xs, y=ys)
    if len(xs) < 2:
        raise ValueError(f"At least 2 points are needed to compute area under curve, but x.shape = {xs.shape}")
    # differences of narrow or unsigned integers would wrap around, sums of float16 overflow
    exact = any(a.dtype.kind == "O" or beyond_float64(a) for a in (xs, ys))
    if not all(np.isfinite(a.astype(np.float64)).all() for a in (xs, ys)):
        raise ValueError("x or y holds NaN or infinity")
    xs, ys = (np.array(list(map(Fraction, a.tolist()))) if exact else a.astype(np.float64) for a in (xs, ys))
    steps = np.diff(xs)
    if (steps >= 0).all():
        direction = 1
    elif (steps <= 0).all():
        direction = -1
    else:
        raise ValueError(f"x is neither increasing nor decreasing : {xs}.")
    return direction * float(np.sum(steps * (ys[1:] + ys[:-1]) / 2))


def _of_binary(metric: _BinaryMetric, binary: BinaryLabels, scores: Array, sample_weight: object) -> float:
    vector = scores_of(scores)
    check_lengths(y_true=range(binary.count), y_score=vector)
    return metric(binary.bits, vector, relative_weights(sample_weight, binary.count))


def _roc_of_bits(bits: Bits, scores: Scores, weights: Float64Array | None, drop: _core.CurveDrop) -> Curve:
    fpr, tpr, thresholds = scores.curve(bits, weights, drop, rates=True)
    for rates, sign, rate in ((fpr, "negative", "false positive"), (tpr, "positive", "true positive")):
        if math.isnan(rates[0]):
            warn_undefined(f"No {sign} samples in y_true, {rate} value should be meaningless")
    return fpr, tpr, thresholds


def _binary_auroc(bits: Bits, scores: Scores, weights: Float64Array | None, max_fpr: float | None = None) -> float:
    positives = int(np.bitwise_count(bits).sum(dtype=np.int64))
    if positives in (0, len(scores)):
        return _undefined_auroc("")
    if max_fpr is not None and max_fpr != 1:
        fpr, tpr, _ = _core.curve(scores.values, bits, weights, _core.CurveDrop.equal_steps, True, scores.bfloat16)
        if math.isnan(fpr[0] + tpr[0]):
            return _undefined_auroc(" with any weight")
        stop = int(np.searchsorted(fpr, max_fpr, "right"))
        height = np.interp(max_fpr, fpr[stop - 1 : stop + 1], tpr[stop - 1 : stop + 1])
        partial = auc(np.append(fpr[:stop], max_fpr), np.append(tpr[:stop], height))
        least = 0.5 * max_fpr**2
        return float(0.5 * (1 + (partial - least) / (max_fpr - least)))
    if weights is not None:
        value = _core.weighted_auroc(scores.values, bits, weights, scores.bfloat16)
        return _undefined_auroc(" with any weight") if math.isnan(value) else value  # 0/0: a class weighs nothing
    twice_u, positives, negatives = _core.auroc(scores.values, bits, scores.bfloat16)
    return twice_u / (2 * positives * negatives)


def _undefined_auroc(of_weight: str) -> float:
    warn_undefined(f"Only one class is present in y_true{of_weight}. ROC AUC score is not defined in that case.")
    return math.nan


def _binary_average_precision(bits: Bits, scores: Scores, weights: Float64Array | None) -> float:
    value = _core.average_precision(scores.values, bits, weights, scores.bfloat16) if bits.any() else math.nan
    if math.isnan(value):  # 0/0: no positive, or none with any weight
        caller.warn("No positive class found in y_true, recall is set to one for all thresholds.")
        return 0.0
    return value


def _check_average(average: object) -> None:
    options = (None, "micro", "macro", "weighted", "samples")
    if average not in options:
        raise ValueError(f"average has to be one of {options}, not {average!r}")


def _averaged(
    metric: _BinaryMetric, y: Array, scores: Array, average: Average, sample_weight: object
) -> float | Float64Array:
    """Metric of every column (or row) of multilabel data and their average."""
    if scores.shape != y.shape:
        raise ValueError(f"y_true has shape {y.shape} and y_score {scores.shape}: they must be the same")
    weights = relative_weights(sample_weight, len(y))
    column_weights: Array | None = None
    if average == "micro":
        repeated = None if weights is None else np.repeat(weights, y.shape[1])
        return metric(
            pack(np.ascontiguousarray(y).ravel() != 0), scores_of(np.ascontiguousarray(scores).ravel()), repeated
        )
    if average == "weighted":
        column_weights = (y != 0).sum(axis=0) if weights is None else weights @ (y != 0)
        if not column_weights.any():
            return 0.0
    elif average == "samples":
        column_weights, weights = weights, None
        y, scores = y.T, scores.T
    values = np.array([metric(pack(y[:, k] != 0), scores_of(scores[:, k]), weights) for k in range(y.shape[1])])
    if average is None:
        return values
    if column_weights is not None:
        values[column_weights == 0] = 0
    return float(np.average(values, weights=column_weights))


def _multiclass_auroc(
    y: Array, scores: Array, labels: object, multi_class: str, average: Average, sample_weight: object
) -> float | Float64Array:
    if scores.ndim != 2:
        raise ValueError(
            "`y_score` needs to be of shape `(n_samples, n_classes)`, since `y_true` contains multiple classes. "
            f"Got `y_score.shape={scores.shape}`."
        )
    check_lengths(y_true=y, y_score=scores)
    require_ranks(scores)
    if not np.allclose(1, (scores.astype(np.float64) if scores.dtype.kind == "O" else scores).sum(axis=1)):
        raise ValueError(
            "Target scores need to be probabilities for multiclass roc_auc, i.e. they should sum up to 1.0 over classes"
        )
    options = ("micro", "macro", "weighted", None) if multi_class == "ovr" else ("macro", "weighted", None)
    if average not in options:
        raise ValueError(f"average must be one of {options} for multiclass problems")
    if average is None and multi_class == "ovo":
        raise NotImplementedError("average=None is not implemented for multi_class='ovo'.")
    classes, codes = class_codes(y, labels, scores.shape[1])
    if multi_class == "ovr":
        return _averaged(_binary_auroc, codes[:, None] == np.arange(len(classes)), scores, average, sample_weight)
    if sample_weight is not None:
        raise ValueError(
            "sample_weight is not supported for multiclass one-vs-one ROC AUC, "
            "'sample_weight' must be None in this case."
        )
    present = np.unique(codes)
    pair_scores, prevalence = [], []
    for a, b in combinations(present.tolist(), 2):
        of_pair = (codes == a) | (codes == b)
        of_a = codes[of_pair] == a
        both = [_binary_auroc(pack(truth), scores_of(scores[of_pair, k]), None) for truth, k in ((of_a, a), (~of_a, b))]
        pair_scores.append(sum(both) / 2)
        prevalence.append(of_pair.mean())
    return float(np.average(pair_scores, weights=prevalence if average == "weighted" else None))
