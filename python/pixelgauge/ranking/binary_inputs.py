"""What the metrics of two classes share: labels as bits, scores as the kernels take them, weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from pixelgauge.images import Array
from pixelgauge.ranking.arrays import column, equals
from pixelgauge.ranking.inputs import (
    BinaryLabels,
    Bits,
    Float64Array,
    Scores,
    check_lengths,
    label_array,
    pack,
    relative_weights,
    score_array,
    scores_of,
    target_type,
)


def binary_inputs(
    y_true: object, y_score: object, pos_label: object, sample_weight: object
) -> tuple[Bits, Scores, Float64Array | None]:
    """Bits, scores and weights of the curves, which take binary labels or a `pos_label`."""
    if np.ma.is_masked(pos_label):
        raise TypeError(f"pos_label={pos_label!r} is a masked value, which is no label: use one of those in y_true")
    y = label_array(y_true)
    kind, binary = target_type(y)
    vector = scores_of(score_array(y_score))
    if kind == "multilabel-indicator" or (binary is None and pos_label is None):
        raise ValueError(f"{kind} format is not supported")
    labels = column(y, "y_true")
    check_lengths(y_true=labels, y_score=vector)
    weights = relative_weights(sample_weight, len(labels))
    if binary is None:
        return pack(equals(labels, pos_label)), vector, weights
    if pos_label is None:
        classes = binary.classes.tolist()
        if not any(set(classes) <= allowed for allowed in ({0, 1}, {-1, 1})):
            raise ValueError(
                f"y_true takes value in {set(classes)} and pos_label is not specified: either make y_true take value "
                "in {0, 1} or {-1, 1} or pass pos_label explicitly."
            )
        pos_label = 1
    return with_positive(binary, y, pos_label).bits, vector, weights


def with_positive(binary: BinaryLabels, y: Array, pos_label: Any) -> BinaryLabels:
    """Make another class the positive one."""
    if len(binary.classes) == 2 and binary.classes.tolist()[1] == pos_label:
        return binary
    return BinaryLabels(pack(equals(column(y, "y_true"), pos_label)), binary.count, binary.classes)
