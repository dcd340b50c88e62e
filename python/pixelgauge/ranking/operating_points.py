"""Operating points: the threshold that meets a requirement, and how sure the figures there are."""

from __future__ import annotations

import math
import reprlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pixelgauge import _core
from pixelgauge.checks import ArgumentValueError, checked_level, real_number
from pixelgauge.images import Array
from pixelgauge.notebooks import in_notebooks
from pixelgauge.proportions import ProportionInterval, ProportionMethod, proportion_interval
from pixelgauge.ranking.binary_inputs import binary_inputs
from pixelgauge.ranking.inputs import require_ranks, truth_of
from pixelgauge.ranking.intervals import warn_of_few
from pixelgauge.ranking.thresholds import Confusion, plain_threshold, require_two_classes


@in_notebooks
class SensitivityInterval(NamedTuple):
    """A sensitivity (or a specificity) with its interval, and the threshold it belongs to."""

    sensitivity: float
    low: float
    high: float
    threshold: float


@in_notebooks
class SpecificityInterval(NamedTuple):
    """A specificity with its interval, and the threshold it belongs to."""

    specificity: float
    low: float
    high: float
    threshold: float


@in_notebooks
@dataclass(frozen=True)
class OperatingPoint:
    """A threshold, what is called there, and the figures that follow with their intervals."""

    threshold: float
    """To be used as ``y_score >= threshold``; inf where nothing is called positive."""
    confusion: Confusion
    sensitivity: ProportionInterval
    specificity: ProportionInterval
    precision: ProportionInterval
    """NaN, between 0 and 1, where nothing is called positive."""


def operating_point(
    y_true: object,
    y_score: object,
    *,
    tpr: float | None = None,
    fpr: float | None = None,
    precision: float | None = None,
    level: float = 0.95,
    pos_label: object = None,
) -> OperatingPoint:
    """Threshold that meets a requirement and is best otherwise, with the figures there and their intervals.

    Samples are taken to be independent; rows of one patient are not, and make intervals too narrow.

    Parameters
    ----------
    y_true, y_score, pos_label
        As for :func:`pixelgauge.roc_curve`.
    tpr : float, optional
        In (0, 1]: the highest threshold with at least this sensitivity, so that the false positive rate is lowest.
    fpr : float, optional
        In [0, 1): the threshold with the highest sensitivity whose false positive rate is at most this.
    precision : float, optional
        In (0, 1]: the threshold with the highest sensitivity whose precision is at least this. Exactly one of the
        three.
    level : float, default 0.95
        Of each interval; in (0, 1).

    Returns
    -------
    OperatingPoint
        Of several thresholds that are as good, the highest. The intervals are Clopper and Pearson's, of the figures
        that this threshold has in the population. They cover for a threshold that is chosen by `tpr` or `fpr` from the
        same samples (it lies between two of them, and how much of the population lies between is a beta variable). A
        precision that was asked for is picked where it looks best, and its interval does not allow for that.

    Raises
    ------
    TypeError, ValueError
        As :func:`pixelgauge.roc_curve`; unless exactly one requirement is given and in range; if a class is absent, or
        no threshold has that precision.

    Warns
    -----
    UserWarning
        Below ten samples of a class.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> y = np.arange(100) % 4 == 0
    >>> point = pixelgauge.operating_point(y, np.arange(100) % 9 + 3 * y, tpr=0.9)
    >>> int(point.threshold), point.sensitivity.proportion, round(point.specificity.low, 3)
    (3, 1.0, 0.24)
    """
    level = checked_level(level)
    given = {name: value for name, value in (("tpr", tpr), ("fpr", fpr), ("precision", precision)) if value is not None}
    if len(given) != 1:
        got = " and ".join(given) or "none"
        raise ValueError(f"exactly one of tpr=, fpr= and precision= says what is required, got {got}")
    ((name, wanted),) = given.items()
    given_as, wanted = wanted, real_number(name, wanted)
    allowed, bounds = (0 <= wanted < 1, "[0, 1)") if name == "fpr" else (0 < wanted <= 1, "(0, 1]")
    if not allowed:
        raise ArgumentValueError(name, reprlib.repr(given_as), f"must be in {bounds}")
    bits, scores, _ = binary_inputs(y_true, y_score, pos_label, None)
    fp, tp, thresholds = scores.curve(bits, None, _core.CurveDrop.none, rates=False)
    p, n = float(tp[-1]), float(fp[-1])
    require_two_classes(p, n)
    warn_of_few(p, n)
    if name == "tpr":
        at = int(np.searchsorted(tp / p, wanted))
    else:
        called = tp + fp
        share = np.divide(tp, called, out=np.zeros_like(tp), where=called > 0)
        meets = fp / n <= wanted if name == "fpr" else (share >= wanted) & (tp > 0)
        if not meets.any():
            highest = float(share.max())
            raise ArgumentValueError("precision", str(wanted), f"is met by no threshold: the highest is {highest!r}")
        at = int(np.argmax(np.where(meets, tp, -1)))
    confusion = Confusion(float(tp[at]), float(fp[at]), p - float(tp[at]), n - float(fp[at]))
    return point_of(plain_threshold(thresholds, at), confusion, level)


def point_of(threshold: float, confusion: Confusion, level: float) -> OperatingPoint:
    """Point of a threshold, with Clopper and Pearson's intervals of what whole samples it decides."""

    def interval(successes: float, failures: float) -> ProportionInterval:
        if successes + failures == 0:
            return ProportionInterval(math.nan, 0.0, 1.0)
        return proportion_interval(int(successes), int(successes + failures), level=level, method="clopper-pearson")

    return OperatingPoint(
        threshold,
        confusion,
        interval(confusion.true_positives, confusion.false_negatives),
        interval(confusion.true_negatives, confusion.false_positives),
        interval(confusion.true_positives, confusion.false_positives),
    )


def sensitivity_interval(
    y_true: object,
    y_score: object,
    *,
    specificity: float,
    level: float = 0.95,
    method: ProportionMethod = "blaker",
    pos_label: object = None,
) -> SensitivityInterval:
    """Sensitivity of the threshold that leaves a share of the negatives below, with its confidence interval.

    Samples are taken to be independent; rows of one patient are not, and make intervals too narrow.

    Parameters
    ----------
    y_true, y_score, pos_label
        As for :func:`pixelgauge.roc_curve`.
    specificity : float
        In [0, 1]: the threshold is the next number above the least negative that at least this share of the negatives
        does not exceed. So it depends on the negatives alone, and the positives are independent trials.
    level : float, default 0.95
        In (0, 1).
    method : {"blaker", "clopper-pearson", "wilson"}, default "blaker"
        As for :func:`pixelgauge.proportion_interval`.

    Returns
    -------
    SensitivityInterval
        ``(sensitivity, low, high, threshold)``: of the share of the population's positives that this threshold finds.
        What specificity the threshold has in the population is another question, with the interval of
        :func:`operating_point`. The threshold is for ``y_score >= threshold``: the next number of the scores' dtype
        (of bfloat16 that of float32), of integers one more.

    Raises
    ------
    TypeError, ValueError
        As :func:`pixelgauge.roc_curve`; if `specificity` or `level` is out of range, `method` unknown, or a class
        absent.

    Warns
    -----
    UserWarning
        Below ten samples of a class.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> y = np.arange(100) % 4 == 0
    >>> found = pixelgauge.sensitivity_interval(y, np.arange(100) % 9 + 3 * y, specificity=0.9)
    >>> found.sensitivity, round(found.low, 3), found.threshold
    (0.36, 0.19, 9)
    """
    positives, negatives = _classes(y_true, y_score, pos_label)
    ordered = np.sort(negatives)
    place = max(0, math.ceil(_share("specificity", specificity) * len(ordered) - 1e-9) - 1)
    found = int(np.count_nonzero(positives > ordered[place]))
    threshold = _next_above(ordered[place], positives)
    share, low, high = proportion_interval(found, len(positives), level=level, method=method)
    return SensitivityInterval(share, low, high, _plain(threshold))


def specificity_interval(
    y_true: object,
    y_score: object,
    *,
    sensitivity: float,
    level: float = 0.95,
    method: ProportionMethod = "blaker",
    pos_label: object = None,
) -> SpecificityInterval:
    """Specificity of the highest threshold that finds a share of the positives, with its confidence interval.

    Samples are taken to be independent; rows of one patient are not, and make intervals too narrow.

    Parameters
    ----------
    y_true, y_score, pos_label
        As for :func:`pixelgauge.roc_curve`.
    sensitivity : float
        In (0, 1]: the threshold is the highest positive that at least this share of the positives reaches. So it
        depends on the positives alone, and the negatives are independent trials.
    level : float, default 0.95
        In (0, 1).
    method : {"blaker", "clopper-pearson", "wilson"}, default "blaker"
        As for :func:`pixelgauge.proportion_interval`.

    Returns
    -------
    SpecificityInterval
        ``(specificity, low, high, threshold)``: of the share of the population's negatives below this threshold.

    Raises
    ------
    TypeError, ValueError
        As :func:`sensitivity_interval`.

    Warns
    -----
    UserWarning
        Below ten samples of a class.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> y = np.arange(100) % 4 == 0
    >>> found = pixelgauge.specificity_interval(y, np.arange(100) % 9 + 3 * y, sensitivity=0.9)
    >>> round(found.specificity, 3), round(found.low, 3), found.threshold
    (0.347, 0.244, 3)
    """
    wanted = _share("sensitivity", sensitivity)
    if wanted == 0:
        raise ArgumentValueError("sensitivity", str(sensitivity), "must be in (0, 1]")
    positives, negatives = _classes(y_true, y_score, pos_label)
    ordered = np.sort(positives)
    threshold = ordered[len(ordered) - max(1, math.ceil(wanted * len(ordered) - 1e-9))]
    below = int(np.count_nonzero(negatives < threshold))
    share, low, high = proportion_interval(below, len(negatives), level=level, method=method)
    return SpecificityInterval(share, low, high, _plain(threshold))


def _classes(y_true: object, y_score: object, pos_label: object) -> tuple[Array, Array]:
    """Scores of both classes."""
    bits, scores, _ = binary_inputs(y_true, y_score, pos_label, None)
    values = scores.decoded()
    require_ranks(values)
    truth = truth_of(bits, len(values))
    positives, negatives = values[truth], values[~truth]
    require_two_classes(len(positives), len(negatives))
    warn_of_few(len(positives), len(negatives))
    return positives, negatives


def _share(name: str, value: object) -> float:
    share = real_number(name, value)
    if not 0 <= share <= 1:
        raise ArgumentValueError(name, reprlib.repr(value), "must be in [0, 1]")
    return share


def _next_above(score: object, positives: Array) -> object:
    """Least number of a score's own kind that is greater, where there is a least: else the least positive that is."""
    if isinstance(score, np.floating):
        if score == np.inf:
            raise ValueError(
                "a negative at infinity cannot be left below any threshold: ask for less specificity, or give that "
                "score a number"
            )
        with np.errstate(over="ignore"):  # above the largest number is infinity
            return np.nextafter(score, np.asarray(np.inf, score.dtype)[()])
    if isinstance(score, np.integer | int):
        return int(score) + 1
    return min((value for value in positives if value > score), default=math.inf)


def _plain(threshold: object) -> float:
    found: float = threshold.item() if isinstance(threshold, np.generic) else threshold  # type: ignore[assignment]
    return found
