"""Thresholds that meet a requirement, and the intervals of the figures there, against trying all thresholds."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import pixelgauge

CP = {"method": "clopper-pearson"}


def sample(rng: np.random.Generator, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    y = (rng.random(150) < 0.4).astype(int)
    s = np.clip(rng.standard_normal(150) * 12 + 40 + 15 * y, 0, 120).round(0 if dtype != "float64" else 3)
    return y, s.astype(dtype)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float64", "float16", "uint8", "int64"])
@pytest.mark.parametrize("wanted", [{"tpr": 0.8}, {"tpr": 1.0}, {"fpr": 0.0}, {"fpr": 0.2}, {"precision": 0.7}])
def test_operating_point_equals_trying_all(rng: np.random.Generator, dtype: str, wanted: dict[str, float]) -> None:
    y, s = sample(rng, dtype)
    best: tuple[float, ...] | None = None
    for threshold in [math.inf, *sorted(set(s.tolist()), reverse=True)]:
        called = s >= threshold
        tp, fp = int((called & (y == 1)).sum()), int((called & (y == 0)).sum())
        tpr, fpr = tp / (y == 1).sum(), fp / (y == 0).sum()
        if "tpr" in wanted:
            meets, merit = tpr >= wanted["tpr"], -fpr
        elif "fpr" in wanted:
            meets, merit = fpr <= wanted["fpr"], tpr
        else:
            meets, merit = tp > 0 and tp / (tp + fp) >= wanted["precision"], tpr
        if meets and (best is None or merit > best[0]):
            best = merit, threshold, tp, fp
    assert best is not None
    _, threshold, tp, fp = best
    found = pixelgauge.operating_point(y, s, **wanted)
    assert found.threshold == threshold
    assert found.confusion == pixelgauge.confusion_at_threshold(y, s, threshold)
    p, n = int((y == 1).sum()), int((y == 0).sum())
    assert found.sensitivity == pixelgauge.proportion_interval(tp, p, **CP)
    assert found.specificity == pixelgauge.proportion_interval(n - fp, n, **CP)
    if tp + fp:
        assert found.precision == pixelgauge.proportion_interval(tp, tp + fp, **CP)
    else:
        assert math.isnan(found.precision.proportion)
        assert found.precision[1:] == (0, 1)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "uint8", "int64", "object"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 1.0])
def test_sensitivity_at_a_specificity(rng: np.random.Generator, dtype: str, share: float) -> None:
    y, s = sample(rng, "uint8" if dtype == "object" else dtype)
    s = np.array([Fraction(int(value), 7) for value in s], object) if dtype == "object" else s
    found = pixelgauge.sensitivity_interval(y, s, specificity=share)
    negatives, positives = np.sort(s[y == 0]), s[y == 1]
    edge = negatives[max(0, math.ceil(share * len(negatives)) - 1)]
    count = int((positives > edge).sum())
    assert found[:3] == pixelgauge.proportion_interval(count, len(positives))
    called = pixelgauge.confusion_at_threshold(y, s, found.threshold)
    assert called.true_positives == count
    assert called.specificity >= share
    assert found.threshold > edge


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float64", "float16", "uint8"])
@pytest.mark.parametrize("share", [0.01, 0.9, 1.0])
def test_specificity_at_a_sensitivity(rng: np.random.Generator, dtype: str, share: float) -> None:
    y, s = sample(rng, dtype)
    found = pixelgauge.specificity_interval(y, s, sensitivity=share, level=0.9, method="wilson")
    called = pixelgauge.confusion_at_threshold(y, s, found.threshold)
    assert called.sensitivity >= share
    assert pixelgauge.confusion_at_threshold(y, s, np.nextafter(found.threshold, np.inf)).sensitivity < share
    wanted = pixelgauge.proportion_interval(int(called.true_negatives), int((y == 0).sum()), level=0.9, method="wilson")
    assert found[:3] == wanted


@pytest.mark.oracle
@pytest.mark.parametrize("weighted", [False, True])
def test_the_rate_at_a_sensitivity_comes_with_its_threshold(rng: np.random.Generator, weighted: bool) -> None:
    y, s = sample(rng, "float64")
    w = rng.uniform(0, 2, 150) if weighted else None
    found = pixelgauge.fpr_at_tpr(y, s, 0.7, return_threshold=True, sample_weight=w)
    assert found.fpr == pixelgauge.fpr_at_tpr(y, s, 0.7, sample_weight=w)
    called = pixelgauge.confusion_at_threshold(y, s, found.threshold, sample_weight=w)
    assert 1 - called.specificity == pytest.approx(found.fpr, abs=1e-12)
    assert called.sensitivity >= 0.7 - 1e-12
    above = pixelgauge.confusion_at_threshold(y, s, np.nextafter(found.threshold, np.inf), sample_weight=w)
    assert above.sensitivity < 0.7


@pytest.mark.property
def test_integers_beyond_floats_keep_their_threshold() -> None:
    s = np.array([2**60 + k for k in range(40)])
    y = np.arange(40) >= 20
    assert pixelgauge.operating_point(y, s, tpr=1.0).threshold == 2**60 + 20
    assert pixelgauge.sensitivity_interval(y, s, specificity=1.0).threshold == 2**60 + 20
    assert pixelgauge.fpr_at_tpr(y, s, 0.5, return_threshold=True).threshold == 2**60 + 30
    top = np.array([255] * 20 + list(range(20)), np.uint8)
    assert pixelgauge.sensitivity_interval(~y, top[::-1], specificity=1.0).threshold == 256


@pytest.mark.oracle
def test_a_precision_that_is_met_exactly_is_met() -> None:
    for called in range(20, 60):
        for tp in range(10, called + 1):
            y = np.repeat([1, 0, 0], [tp, called - tp, 20])
            s = np.repeat([1, 0], [called, 20])
            found = pixelgauge.operating_point(np.append(y, [1] * 10), np.append(s, [-1] * 10), precision=tp / called)
            assert found.threshold <= 1


@pytest.mark.boundary
def test_a_negative_at_the_largest_number_leaves_infinity() -> None:
    y = np.repeat([0, 1], [20, 20])
    for dtype in (np.float16, np.float32, np.float64):
        s = np.where(y, 1, np.finfo(dtype).max).astype(dtype)
        assert pixelgauge.sensitivity_interval(y, s, specificity=1.0)[0::3] == (0, math.inf)


Y = np.repeat([0, 1], [30, 20])
S = np.arange(50) % 17


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: pixelgauge.operating_point(Y, S), ValueError, "exactly one of tpr=, fpr= and precision= .*, got none"),
        (lambda: pixelgauge.operating_point(Y, S, tpr=0.5, fpr=0.5), ValueError, "got tpr and fpr"),
        (lambda: pixelgauge.operating_point(Y, S, tpr=0), ValueError, r"tpr=0 must be in \(0, 1\]"),
        (lambda: pixelgauge.operating_point(Y, S, fpr=1), ValueError, r"fpr=1 must be in \[0, 1\)"),
        (lambda: pixelgauge.operating_point(Y, S, precision=math.nan), ValueError, "precision=nan"),
        (lambda: pixelgauge.operating_point(Y, S, tpr="0.9"), TypeError, "tpr='0.9' must be a number"),
        (lambda: pixelgauge.operating_point(Y, -S - 100 * Y, precision=0.99), ValueError, "precision=0.99 is met by no threshold: the highest is 0.4"),
        (lambda: pixelgauge.operating_point(Y * 0, S, tpr=0.9), ValueError, "Only one class"),
        (lambda: pixelgauge.operating_point(Y, S, tpr=0.9, level=0), ValueError, "level=0"),
        (lambda: pixelgauge.sensitivity_interval(Y, S, specificity=1.2), ValueError, r"specificity=1.2 must be in \[0, 1\]"),
        (lambda: pixelgauge.sensitivity_interval(Y, S, specificity=0.9, method="wald"), ValueError, "method='wald'"),
        (lambda: pixelgauge.sensitivity_interval(Y, np.where(Y, 1.0, np.inf), specificity=0.9), ValueError, "a negative at infinity"),
        (lambda: pixelgauge.sensitivity_interval(Y, np.where(Y, 1.0, np.nan), specificity=0.9), ValueError, "NaN"),
        (lambda: pixelgauge.sensitivity_interval(Y * 0, S, specificity=0.9), ValueError, "Only one class"),
        (lambda: pixelgauge.sensitivity_interval(Y, S, specificity=10**400), ValueError, "specificity=1000.*must be in"),
        (lambda: pixelgauge.sensitivity_interval(Y, S, specificity=True), TypeError, "specificity=True must be a number"),
        (lambda: pixelgauge.specificity_interval(Y, S, sensitivity=0), ValueError, "sensitivity=0 must be in"),
        (lambda: pixelgauge.specificity_interval(Y, S, sensitivity=None), TypeError, "sensitivity=None"),
        (lambda: pixelgauge.fpr_at_tpr(Y, S, return_threshold="no"), TypeError, "return_threshold='no' must be True or False"),
    ],
)  # fmt: skip
def test_bad_input(call: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.boundary
def test_few_of_a_class_are_warned_of() -> None:
    for call, at in (
        (pixelgauge.sensitivity_interval, "specificity"),
        (pixelgauge.specificity_interval, "sensitivity"),
    ):
        with pytest.warns(UserWarning, match="4 samples of positives and 30 of negatives: below 10"):
            call(np.repeat([1, 0], [4, 30]), np.arange(34), **{at: 0.9})
    with pytest.warns(UserWarning, match="4 samples of positives and 30 of negatives: below 10"):
        pixelgauge.operating_point(np.repeat([1, 0], [4, 30]), np.arange(34), tpr=0.9)
