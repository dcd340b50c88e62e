"""Several rankings in one call: AUROC by groups of samples, AUROC of many score columns, accuracy within the top k."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pixelgauge import _core
from pixelgauge.checks import flag, whole_number
from pixelgauge.images import Array
from pixelgauge.ranking.arrays import column, to_array
from pixelgauge.ranking.inputs import (
    BinaryLabels,
    Float64Array,
    check_lengths,
    class_codes,
    label_array,
    relative_weights,
    require_ranks,
    score_array,
    scores_of,
    target_type,
    warn_undefined,
    weight_array,
)

_LINE = 64
"""Bytes of a cache line: columns are read as many at a time as share one."""


def auroc_by_group(y_true: object, y_score: object, groups: object) -> dict[object, float]:
    """AUROC within each group, of one pass that sorts the samples by group.

    Parameters
    ----------
    y_true, y_score
        As for :func:`pixelgauge.roc_auc_score`, binary.
    groups : (N,) array_like
        Group of each sample: numbers or strings.

    Returns
    -------
    dict
        Group to AUROC, groups ascending; NaN, with one warning each, where a group holds one class only.

    Raises
    ------
    TypeError, ValueError
        As :func:`pixelgauge.roc_auc_score`; for groups that are NaN.

    Examples
    --------
    >>> import pixelgauge
    >>> pixelgauge.auroc_by_group([0, 1, 0, 1], [0.1, 0.9, 0.8, 0.2], ["a", "a", "b", "b"])
    {'a': 1.0, 'b': 0.0}
    """
    binary = _binary(y_true)
    scores = scores_of(score_array(y_score))
    names, codes = group_codes(groups, "groups")
    check_lengths(y_true=range(binary.count), y_score=scores, groups=codes)
    counts = _core.auroc_by_group(scores.values, binary.bits, codes, len(names), scores.bfloat16)
    result: dict[object, float] = {}
    for name, (twice_u, positives, negatives) in zip(names.tolist(), counts, strict=True):
        if positives + negatives == 0:
            continue
        if positives == 0 or negatives == 0:
            warn_undefined(
                f"Only one class is present in y_true of group {name!r}. ROC AUC score is not defined in that case."
            )
        result[name] = twice_u / (2 * positives * negatives) if positives and negatives else math.nan
    return result


def auroc_by_column(y_true: object, y_score: object) -> Float64Array:
    """AUROC of each of many score columns against one vector of labels, which is read once.

    Parameters
    ----------
    y_true : (N,) array_like
        Binary labels, as for :func:`pixelgauge.roc_auc_score`.
    y_score : (N, K) array_like
        One column a classifier, feature or checkpoint.

    Returns
    -------
    (K,) numpy.ndarray of float64
        NaN, with one warning, where `y_true` holds one class only.

    Raises
    ------
    TypeError, ValueError
        As :func:`pixelgauge.roc_auc_score`; and if `y_score` is not 2-D.

    Examples
    --------
    >>> import pixelgauge
    >>> pixelgauge.auroc_by_column([0, 0, 1, 1], [[0.1, 4], [0.4, 3], [0.35, 2], [0.8, 1]]).tolist()
    [0.75, 0.0]
    """
    binary = _binary(y_true)
    scores = score_array(y_score)
    if scores.ndim != 2:
        raise ValueError(f"y_score has shape {scores.shape}: give one column a ranking, (N, K)")
    check_lengths(y_true=range(binary.count), y_score=scores)
    values = np.empty(scores.shape[1])
    together = max(1, _LINE // scores.itemsize)
    for first in range(0, len(values), together):
        # columns side by side share their cache lines: moved together, each line is read once
        columns = np.ascontiguousarray(scores[:, first : first + together].T)
        for k, vector in enumerate(columns):
            one = scores_of(vector)
            twice_u, positives, negatives = _core.auroc(one.values, binary.bits, one.bfloat16)
            values[first + k] = twice_u / (2 * positives * negatives) if positives and negatives else math.nan
    if np.isnan(values).any():
        warn_undefined("Only one class is present in y_true. ROC AUC score is not defined in that case.")
    return values


def top_k_accuracy_score(
    y_true: object,
    y_score: object,
    *,
    k: int = 2,
    normalize: bool = True,
    sample_weight: object = None,
    labels: object = None,
) -> float:
    """Share of samples whose class is among the `k` highest scores, with scikit-learn's contract.

    Parameters
    ----------
    y_true : (N,) array_like
        Classes.
    y_score : (N, K) array_like, or (N,) for two classes
        A column a class, in ascending order of the classes. Of equal scores the later column ranks higher, as
        scikit-learn has it. One vector is the score of the greater class: it is called above 0.5 where all scores lie
        in [0, 1], else above 0.
    k : int, default 2
        At least 1. With every class within `k`, the result is 1, with a warning.
    normalize : bool, default True
        False gives the number (or weight) of such samples instead of their share.
    sample_weight : (N,) array_like, optional
        Finite and not negative.
    labels : array_like, optional
        The classes of the columns, ascending, where `y_true` may miss some.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        As :func:`pixelgauge.roc_auc_score`; and if `k` is below 1.

    Examples
    --------
    >>> import pixelgauge
    >>> pixelgauge.top_k_accuracy_score([0, 1, 2], [[0.5, 0.3, 0.2], [0.5, 0.4, 0.1], [0.6, 0.3, 0.1]], k=2)
    0.6666666666666666
    """
    k = whole_number("k", k, 1)
    normalize = flag("normalize", normalize)
    y = column(label_array(y_true), "y_true")
    target_type(y)  # labels that are no classes are refused
    scores = score_array(y_score)
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    check_lengths(y_true=y, y_score=scores)
    weights = (relative_weights if normalize else weight_array)(sample_weight, len(y))
    require_ranks(scores)
    classes, codes = class_codes(y, labels, 2 if scores.ndim == 1 else scores.shape[1])
    if k >= len(classes):
        warn_undefined(
            f"'k' ({k}) greater than or equal to 'n_classes' ({len(classes)}) will result in a perfect score and is "
            "therefore meaningless."
        )
    if scores.ndim == 1:
        threshold = 0.5 if scores.min() >= 0 and scores.max() <= 1 else 0
        hits = ((scores > threshold) == (codes == 1)) | (k > 1)
    else:
        own = scores[np.arange(len(y)), codes][:, None]
        later = np.arange(len(classes)) > codes[:, None]
        hits = ((scores > own) | ((scores == own) & later)).sum(axis=1) < k
    total = float(hits.sum() if weights is None else weights @ hits)
    if not normalize:
        return total
    return total / (len(y) if weights is None else float(weights.sum()))


def _binary(y_true: object) -> BinaryLabels:
    kind, binary = target_type(label_array(y_true))
    if binary is None:
        raise ValueError(f"{kind} format is not supported: y_true must hold two classes")
    return binary


def group_codes(given: object, name: str) -> tuple[Array, Array]:
    """Distinct groups (some of which may have no sample), ascending, and the number of each sample's."""
    groups = column(to_array(given, name), name)
    if groups.dtype.kind in "iu":
        low, high = int(groups.min()), int(groups.max())
        # few enough numbers: no sort is needed to tell them apart
        if high - low <= len(groups) and low > -(2**62) and high < 2**62:
            codes = groups.astype(np.int64)
            codes -= low
            return np.arange(low, high + 1), codes
    if groups.dtype.kind in "OT":
        kinds = {type(group) for group in groups.flat}
        if kinds != {int} and not all(issubclass(kind, str) for kind in kinds):
            at, group = next((i, g) for i, g in enumerate(groups.flat) if not isinstance(g, str))
            raise TypeError(
                f"{name} holds {group!r} at place {at}, of kind {type(group).__name__}: use numbers or strings, all of "
                "one kind and none missing"
            )
        groups = groups.astype(object)
    elif groups.dtype.kind not in "biufUSmM":
        raise TypeError(f"{name} has dtype {groups.dtype}: use numbers or strings")
    if groups.dtype.kind in "mM" and np.isnat(groups).any():
        raise ValueError(f"{name} holds NaT: give those samples one or leave them out")
    if groups.dtype.kind == "f" and np.isnan(groups).any():
        raise ValueError(f"{name} holds NaN: give those samples one or leave them out")
    names: Any
    names, codes = np.unique(groups, return_inverse=True)
    return names, codes.astype(np.int64)
