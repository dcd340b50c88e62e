"""Ranking metrics with scikit-learn's contract: AUROC, curves, average precision; exact, and at the speed of a sort."""

from __future__ import annotations

import math
import warnings

from pixelgauge import _core
from pixelgauge.ranking_inputs import (
    Bits,
    Scores,
    UndefinedMetricWarning,
    check_lengths,
    label_array,
    score_array,
    scores_of,
    target_type,
)


def _auroc_of_bits(bits: Bits, scores: Scores) -> float:
    """AUROC by exact counting: a fraction of two integers, rounded once."""
    twice_u, positives, negatives = _core.auroc(scores.values, bits, scores.bfloat16)
    if positives == 0 or negatives == 0:
        warnings.warn(
            "Only one class is present in y_true. ROC AUC score is not defined in that case.",
            UndefinedMetricWarning,
            stacklevel=3,
        )
        return math.nan
    return twice_u / (2 * positives * negatives)


def roc_auc_score(y_true: object, y_score: object) -> float:
    """Area under the ROC curve of binary labels."""
    labels = label_array(y_true)
    scores = score_array(y_score)
    kind, binary = target_type(labels)
    if binary is None:
        raise ValueError(f"{kind} format is not supported")
    vector = scores_of(scores)
    check_lengths(y_true=labels, y_score=vector)
    return _auroc_of_bits(binary.bits, vector)
