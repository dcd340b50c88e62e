"""Labels, scores and weights as the ranking kernels take them, checked as scikit-learn checks them.

Labels become one bit a sample without a copy in between; scores are read where they lie, in their own dtype. Scores
that no dtype of 64 bits holds are ranked by Python's comparisons first.
"""

from __future__ import annotations

import functools
import math
import sys
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pixelgauge import _core, caller
from pixelgauge.images import Array
from pixelgauge.ranking.arrays import beyond_float64, column, exact_numbers, to_array

Bits = npt.NDArray[np.uint64]
Float64Array = npt.NDArray[np.float64]
TargetType = Literal["binary", "multiclass", "multilabel-indicator"]

_SCAN = 1 << 16
_USUAL_EXPONENT = 400
"""Weights of 2^-400 to 2^400: their products, and sums of 2^60 of these, keep all their bits in float64."""


class UndefinedMetricWarning(UserWarning):
    """A metric is not defined on these data, such as AUROC where one class is absent.

    Where scikit-learn is imported, what is warned of is of its class of this name too, so that filters for either work.
    """


def warn_undefined(message: str) -> None:
    """Warn, at the line outside of the package, that a metric is not defined."""
    theirs = getattr(sys.modules.get("sklearn.exceptions"), "UndefinedMetricWarning", None)
    caller.warn(message, UndefinedMetricWarning if theirs is None else _of_both(theirs))


@functools.cache
def _of_both(theirs: type[Warning]) -> type[Warning]:
    facts = {"__module__": __name__, "__qualname__": _OF_BOTH, "__doc__": UndefinedMetricWarning.__doc__}
    return type(UndefinedMetricWarning.__name__, (UndefinedMetricWarning, theirs), facts)


_OF_BOTH = "_UndefinedMetricWarningOfBoth"
"""What pickle asks this module for, in a process that may not have warned yet."""


def __getattr__(name: str) -> type[Warning]:
    if name == _OF_BOTH:
        from sklearn.exceptions import UndefinedMetricWarning as theirs

        return _of_both(theirs)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True)
class Scores:
    """One vector of scores as the kernels read it."""

    values: Array
    bfloat16: bool
    levels: Array | None = None
    """Where no dtype of the kernels holds the scores: the distinct ones, ascending; `values` are places among them."""

    def __len__(self) -> int:
        return len(self.values)

    def ordered(self) -> Array:
        """Numbers that NumPy orders as the scores are."""
        if not self.bfloat16:
            return self.values
        return (self.values.astype(np.uint32) << np.uint32(16)).view(np.float32)

    def decoded(self) -> Array:
        """Scores as numbers, objects where no dtype holds them."""
        return self.ordered() if self.levels is None else self.levels[self.values]

    def narrowed(self, thresholds: Array) -> Array:
        """Thresholds without inf in the scores' own dtype where they are integers."""
        if self.levels is None and not self.bfloat16 and self.values.dtype.kind in "iu":
            return thresholds.astype(self.values.dtype)
        return thresholds

    def curve(
        self, bits: Bits, weights: Float64Array | None, drop: _core.CurveDrop, *, rates: bool
    ) -> tuple[Float64Array, Float64Array, Array]:
        """Count false and true positives (or their weights, or rates) at every threshold, from inf down.

        Thresholds are float64, or objects where that would round one of the scores.
        """
        levels, values = self.levels, self.values
        if beyond_float64(values):
            levels, values = np.unique(values, return_inverse=True)
        false, true, thresholds = _core.curve(values, bits, weights, drop, rates, self.bfloat16)
        if levels is None:
            return false, true, thresholds
        exact = np.empty(len(thresholds), object)
        exact[0] = math.inf
        exact[1:] = levels[thresholds[1:].astype(np.int64)].tolist()
        return false, true, exact


@dataclass(frozen=True)
class BinaryLabels:
    """One bit a sample, set for the positive class; `classes` are the distinct labels, ascending."""

    bits: Bits
    count: int
    classes: Array


def check_lengths(**arrays: object) -> None:
    """Raise unless all arrays that are not None have the same length."""
    lengths = {name: len(a) for name, a in arrays.items() if a is not None}  # type: ignore[arg-type]
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Found input variables with inconsistent numbers of samples: {lengths}")


def score_array(y_score: object, name: str = "y_score") -> Array:
    """Scores of any shape in a dtype that has an order the kernels know; of objects where none holds them exactly."""
    array = to_array(y_score, name)
    if array.dtype.kind == "b":
        return array.view(np.uint8)
    if array.dtype.kind == "O":
        return exact_numbers(array, name)
    if array.dtype.kind in "mM":
        raise TypeError(f"{name} has dtype {array.dtype}: give its integers, such as by .astype('int64')")
    if array.dtype.name != "bfloat16" and (array.dtype.kind not in "iuf" or array.dtype.itemsize > 8):
        raise TypeError(f"{name} has dtype {array.dtype}: use float16, float32, float64, bfloat16 or integers")
    return array


def scores_of(array: Array, name: str = "y_score") -> Scores:
    """One vector of scores."""
    vector = column(array, name)
    if vector.dtype.name == "bfloat16":
        return Scores(vector.view(np.uint16), True)
    if vector.dtype.kind == "O":
        levels, places = np.unique(vector, return_inverse=True)
        return Scores(places.astype(np.int64), False, levels)
    return Scores(vector, False)


def require_ranks(scores: Array, name: str = "y_score") -> None:
    """Raise where a score is NaN."""
    if (scores.dtype.kind == "f" or scores.dtype.name == "bfloat16") and np.isnan(scores).any():
        raise ValueError(f"{name} holds NaN, which has no rank: remove or impute those samples first")


def label_array(y_true: object, name: str = "y_true") -> Array:
    """Labels as an array whose values can be told apart and ordered."""
    array = to_array(y_true, name)
    if array.dtype.kind in "OT":
        array = _label_objects(array.astype(object), name)
    if array.dtype.kind not in "biufUS":
        raise ValueError(f"{name} has dtype {array.dtype}: use booleans, integers or strings as labels")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        raise TypeError(f"{name} has dtype {array.dtype}: use integers")
    return array


def _label_objects(array: Array, name: str) -> Array:
    kinds = set(map(type, array.flat))
    for text in (str, bytes):
        if all(issubclass(kind, text) for kind in kinds):
            return array.astype(text)
    if kinds <= {bool, np.bool_}:
        return array.astype(bool)
    if any(issubclass(kind, str | bytes) for kind in kinds):
        at, value = next((i, v) for i, v in enumerate(array.flat) if not isinstance(v, str))
        raise ValueError(f"{name} holds text, and {value!r} at place {at}: use one kind of labels, all of them known")
    try:
        array = exact_numbers(array, name)
    except TypeError as error:
        raise ValueError(f"{error}, or strings, as labels") from error
    if array.dtype.kind == "O":
        raise ValueError(f"{name} holds numbers of more than 64 bits or no integers: use smaller integers or strings")
    return array


def _spellings(value: Any, dtype: np.dtype[Any]) -> Array:
    """List the two bit patterns that are this label: only floating zero has two."""
    both = np.array([value, value], dtype)
    if dtype.kind == "f" and value == 0:
        both[1] = -0.0
    return both


def _second_value(labels: Array) -> Any:
    """First label that differs from the first one; None where all are equal."""
    first = labels[0]
    for start in range(0, len(labels), _SCAN):
        part = labels[start : start + _SCAN]
        other = np.flatnonzero(part != first)
        if other.size:
            return part[other[0]]
    return None


def _bits_of(labels: Array, positive: Any, negative: Any) -> Bits | None:
    if labels.dtype.kind == "b":
        labels = labels.view(np.uint8)
    dtype = labels.dtype
    return _core.label_bits(labels, _spellings(positive, dtype), _spellings(negative, dtype))


def pack(mask: Array) -> Bits:
    """Bits of a vector of booleans or of 0 and 1."""
    vector = mask.view(np.uint8) if mask.dtype == np.bool_ else mask
    bits = _bits_of(vector, 1, 0)
    if bits is None:
        raise ValueError("labels must be 0 or 1 here")
    return bits


def truth_of(bits: Bits, count: int) -> Array:
    """Labels as booleans, from their bits."""
    return np.unpackbits(bits.view(np.uint8), bitorder="little", count=count).view(np.bool_)


def binary_labels(labels: Array, name: str = "y_true") -> BinaryLabels | None:
    """Bits of labels of one or two classes, the greater being positive; None if there are more classes."""
    if labels.dtype.kind in "US":
        classes, codes = np.unique(labels, return_inverse=True)
        if len(classes) > 2:
            return None
        return BinaryLabels(pack(codes.astype(np.uint8)), len(labels), classes)
    second = _second_value(labels)
    first = labels[0]
    values = np.sort(np.array([first] if second is None else [first, second], labels.dtype))
    if labels.dtype.kind == "f":
        if np.isnan(values).any():
            raise ValueError(f"{name} holds NaN: labels must be known")
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds infinity: labels must be finite")
        if (values != np.floor(values)).any():
            raise ValueError(
                f"continuous format is not supported: {name} holds {values[values != np.floor(values)][0]}"
            )
    # a single class is positive where its label is one, as scikit-learn has it
    if second is None:
        bits = _bits_of(labels, first, first) if first == 1 else pack(np.zeros(len(labels), np.uint8))
    else:
        bits = _bits_of(labels, values[1], values[0])
    return None if bits is None else BinaryLabels(bits, len(labels), values)


def target_type(labels: Array, name: str = "y_true") -> tuple[TargetType, BinaryLabels | None]:
    """Say what scikit-learn's ``type_of_target`` would, with the bits where that is binary."""
    if labels.ndim > 2:
        raise ValueError(f"unknown format is not supported: {name} has shape {labels.shape}")
    if labels.ndim == 2 and labels.shape[1] > 1:
        if labels.dtype.kind in "US" or not ((labels == 0) | (labels == 1)).all():
            raise ValueError(f"multiclass-multioutput format is not supported: 2-D {name} must hold 0 and 1 only")
        return "multilabel-indicator", None
    vector = column(labels, name)
    binary = binary_labels(vector, name)
    if binary is not None:
        return "binary", binary
    if vector.dtype.kind == "f":
        if np.isnan(vector).any():
            raise ValueError(f"{name} holds NaN: labels must be known")
        if (vector != np.floor(vector)).any():
            raise ValueError(f"continuous format is not supported: {name} holds values that are not whole numbers")
    return "multiclass", None


def weight_array(sample_weight: object, count: int) -> Float64Array | None:
    """Weights as float64, finite and not negative, not all zero; None where there are none."""
    if sample_weight is None:
        return None
    array = column(to_array(sample_weight, "sample_weight"), "sample_weight")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"sample_weight has dtype {array.dtype}: use numbers")
    weights = np.ascontiguousarray(array, np.float64)
    if len(weights) != count:
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {(count,)}!")
    if not np.isfinite(weights).all():
        raise ValueError("sample_weight holds NaN or infinity: use finite weights")
    if weights.min() < 0:
        raise ValueError(f"sample_weight holds {weights.min()}: weights must not be negative")
    if not weights.any():
        raise ValueError("sample_weight is all zero: no sample would count")
    return weights


def relative_weights(sample_weight: object, count: int) -> Float64Array | None:
    """Weights for figures that do not depend on their scale: very large or small ones times a power of two.

    Products of two weights then stay in float64's range, unless one is 2^1400 times the other and outweighs it anyway.
    Usual weights come back as they are.
    """
    weights = weight_array(sample_weight, count)
    if weights is None:
        return None
    _, largest = math.frexp(weights.max())
    least = weights.min()
    if least == 0:
        least = weights.min(where=weights > 0, initial=math.inf)
    if largest <= _USUAL_EXPONENT and math.frexp(least)[1] >= -_USUAL_EXPONENT:
        return weights
    return np.ldexp(weights, _USUAL_EXPONENT - largest)


def class_codes(y: Array, labels: object, columns: int) -> tuple[Array, Array]:
    """Classes of the columns, and the column of each sample; `labels` are the classes where `y` may miss some."""
    if labels is None:
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) != columns:
            raise ValueError(
                f"Number of classes in y_true ({len(classes)}) not equal to the number of columns in 'y_score' "
                f"({columns}): pass labels= if a class is absent"
            )
        return classes, codes
    classes = column(label_array(labels, "labels"), "labels")
    if len(np.unique(classes)) != len(classes):
        raise ValueError("Parameter 'labels' must be unique")
    if not np.array_equal(np.sort(classes), classes):
        raise ValueError("Parameter 'labels' must be ordered")
    if len(classes) != columns:
        raise ValueError(
            f"Number of given labels, {len(classes)}, not equal to the number of columns in 'y_score', {columns}"
        )
    if beyond_float64(y) or beyond_float64(classes):  # of two dtypes NumPy might make float64
        y, classes = y.astype(object), classes.astype(object)
    unknown = np.setdiff1d(y, classes)
    if len(unknown):
        raise ValueError(f"'y_true' contains labels not in parameter 'labels': {unknown[:5]}")
    return classes, np.searchsorted(classes, y)
