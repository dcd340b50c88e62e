"""What metrics of two sets share: their features, and a mean with its spread."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelgauge.distribution.feature_sets import require_made_alike
from pixelgauge.distribution.samples import as_features
from pixelgauge.notebooks import in_notebooks

Float64Array = npt.NDArray[np.float64]

Features = npt.NDArray[Any]


@in_notebooks
class MeanStd(NamedTuple):
    """Mean and standard deviation (ddof 0) over subsets or splits."""

    mean: float
    std: float


def feature_pair(a: object, b: object, name_a: str, name_b: str) -> tuple[Features, Features]:
    """Features of two sets, as wide as each other and, as far as they say it, made alike."""
    require_made_alike(a, b, name_a, name_b)
    x, y = as_features(a, name_a), as_features(b, name_b)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"{name_a} has {x.shape[1]} features a sample and {name_b} {y.shape[1]}: they do not compare")
    return x, y


def as_the_core_reads(x: Features, y: Features) -> tuple[Features, Features]:
    """Two sets in one dtype and with contiguous rows; copies only where they are not."""
    if x.dtype != y.dtype:
        x, y = x.astype(np.float64), y.astype(np.float64)
    return _with_rows(x), _with_rows(y)


def _with_rows(x: Features) -> Features:
    return x if x.strides[1] == x.itemsize else np.ascontiguousarray(x)
