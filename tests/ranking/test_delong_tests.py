"""Tests of differences between AUROCs against pROC's published figures and plain definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import pixelgauge
from tests.ranking.aneurysms import NDKA, OUTCOME, S100B, WFNS


@pytest.mark.parity
@pytest.mark.parametrize(
    ("a", "b", "z", "p", "low", "high"),
    [
        (WFNS, S100B, 2.20898359144091, 0.0271757822291882, 0.0104061769564846, 0.174214419249478),
        (WFNS, NDKA, 2.79777591868904, 0.00514557970691098, 0.0634011709339876, 0.3600405634833566),
        (NDKA, S100B, -1.39077002573558, 0.164295175223054, -0.2876917446341914, 0.0488706064228094),
    ],
)
def test_paired_figures_of_proc(a: np.ndarray, b: np.ndarray, z: float, p: float, low: float, high: float) -> None:
    # pROC 1.19, tests/testthat/test-roc.test.R
    found = pixelgauge.delong_test(OUTCOME, a, b)
    assert (found.z, found.p_value, found.low, found.high) == pytest.approx((z, p, low, high), abs=1e-12)
    assert found.difference == pytest.approx(found.auroc_a - found.auroc_b, abs=1e-15)


@pytest.mark.parity
@pytest.mark.parametrize(
    ("a", "b", "statistic", "p"),
    [
        (WFNS, S100B, 1.43490640926908, 0.152825378808796),
        (WFNS, NDKA, 3.10125096778969, 0.00220950791756457),
        (NDKA, S100B, -1.55995743389685, 0.120192832430845),
    ],
)
def test_unpaired_figures_of_proc(a: np.ndarray, b: np.ndarray, statistic: float, p: float) -> None:
    found = pixelgauge.delong_test(OUTCOME, a, b, y_true_b=OUTCOME)
    assert (found.z, found.p_value) == pytest.approx((statistic, p), abs=1e-9)
    back = pixelgauge.delong_test(OUTCOME, b, a, y_true_b=OUTCOME)
    assert (back.z, back.p_value, back.low) == pytest.approx((-found.z, found.p_value, -found.high), abs=1e-12)


@pytest.mark.parity
def test_one_sided_figures_of_proc() -> None:
    greater = pixelgauge.delong_test(OUTCOME, WFNS, S100B, alternative="greater")
    less = pixelgauge.delong_test(OUTCOME, WFNS, S100B, alternative="less")
    assert (greater.p_value, less.p_value) == pytest.approx((0.0135878911145941, 0.986412108885406), abs=1e-12)
    assert greater.z == less.z
    assert greater.low == less.low  # the interval is two-sided


@pytest.mark.oracle
def test_weights_are_the_linear_approximation(rng: np.random.Generator) -> None:
    y = np.repeat([1, 0], [40, 110])
    a = rng.standard_normal(150) + y
    b = np.round(a + rng.standard_normal(150), 1)
    w = rng.uniform(0.2, 3, 150)
    found = pixelgauge.delong_test(y, a, b, sample_weight=w)
    p, q = w[:40] / w[:40].sum(), w[40:] / w[40:].sum()

    def psi(s: np.ndarray) -> np.ndarray:
        return (s[None, 40:] < s[:40, None]) + 0.5 * (s[None, 40:] == s[:40, None])

    d = psi(a) - psi(b)
    v10, v01 = d @ q, p @ d
    mean = p @ v10
    variance = 0.0
    for share, v in ((p, v10), (q, v01)):
        size = 1 / (share @ share)
        variance += ((share * (v - mean)) ** 2).sum() * size / (size - 1)
    assert found.difference == pytest.approx(mean, abs=1e-12)
    assert found.z == pytest.approx(mean / math.sqrt(variance), rel=1e-10)


@pytest.mark.property
def test_clusters_of_one_are_delongs_with_students_tail(rng: np.random.Generator) -> None:
    y = np.repeat([1, 0], [30, 50])
    a, b = rng.standard_normal((2, 80)) + y
    plain = pixelgauge.delong_test(y, a, b)
    found = pixelgauge.delong_test(y, a, b, cluster=np.arange(80))
    assert found.z == pytest.approx(plain.z, rel=1e-12)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(plain.z), 29), rel=1e-9)
    doubled = pixelgauge.delong_test(np.tile(y, 2), np.tile(a, 2), np.tile(b, 2), cluster=np.tile(np.arange(80), 2))
    assert doubled.z == pytest.approx(plain.z, rel=1e-12)


@pytest.mark.oracle
def test_pairs_are_separate_tests_and_holm_is_the_step_down(rng: np.random.Generator) -> None:
    y = np.repeat([1, 0], [40, 60])
    scores = rng.standard_normal((100, 4)) + y[:, None] * [0, 0.5, 1, 3]
    pairs = pixelgauge.delong_pairwise(y, scores)
    assert [(pair.a, pair.b) for pair in pairs] == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    for pair in pairs:
        alone = pixelgauge.delong_test(y, scores[:, pair.a], scores[:, pair.b])
        assert (pair.auroc_a, pair.auroc_b, pair.z, pair.p_value, pair.difference, pair.low, pair.high) == alone
    ordered = sorted(pair.p_value for pair in pairs)
    for pair in pairs:
        rank = ordered.index(pair.p_value)
        assert pair.corrected_p == min(1.0, max((6 - k) * ordered[k] for k in range(rank + 1)))
    plain = pixelgauge.delong_pairwise(y, scores, correction="none")
    assert [pair.corrected_p for pair in plain] == [pair.p_value for pair in pairs]
    wide = pixelgauge.delong_pairwise(y, dict(zip("abcd", scores.T, strict=True)), correction="bonferroni")
    assert [pair.a for pair in wide][:3] == ["a", "a", "a"]
    assert wide[0].corrected_p == min(1.0, 6 * pairs[0].p_value)
    assert wide[0].low == pixelgauge.delong_test(y, scores[:, 0], scores[:, 1], level=1 - 0.05 / 6).low


@pytest.mark.property
def test_columns_of_a_table_keep_their_names(rng: np.random.Generator) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    y = np.repeat([1, 0], [40, 60])
    table = pandas.DataFrame(rng.standard_normal((100, 3)), columns=["a", "b", "c"])
    assert [(pair.a, pair.b) for pair in pixelgauge.delong_pairwise(y, table)] == [("a", "b"), ("a", "c"), ("b", "c")]


@pytest.mark.boundary
def test_scores_that_rank_alike_and_scores_without_variance() -> None:
    y = np.repeat([0, 1], [20, 20])
    a = np.arange(40) % 23
    assert pixelgauge.delong_test(y, a, 2 * a)[2:] == (0, 1, 0, 0, 0)
    with pytest.warns(UserWarning, match="differ without variance"):
        found = pixelgauge.delong_test(y, np.arange(40), -np.arange(40))
    assert (found.z, found.p_value) == (math.inf, 0)
    with pytest.warns(UserWarning, match="differ without variance"):
        assert pixelgauge.delong_test(y, np.arange(40), np.arange(40) ** 2).p_value == 1
    with pytest.warns(UserWarning, match="2 samples of positives and 2 of negatives"):
        pixelgauge.delong_test([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], [0.3, 0.1, 0.2, 0.4])


Y = np.repeat([0, 1], [30, 20])
A, B = np.arange(50) % 17, np.arange(50) % 11


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pixelgauge.delong_test(Y, A, B, alternative="both"), "alternative='both' is not known: use one of 'two-sided'"),
        (lambda: pixelgauge.delong_test(Y, A, B, level=2), "level=2 must lie"),
        (lambda: pixelgauge.delong_test(Y, A, B[:49]), "50"),
        (lambda: pixelgauge.delong_test(Y, A, B, y_true_b=Y, sample_weight=Y + 1), "y_true_b= cannot be combined"),
        (lambda: pixelgauge.delong_test(Y, A, B, cluster=A, sample_weight=Y + 1), "cannot be combined"),
        (lambda: pixelgauge.delong_test(Y, A, np.where(Y, np.nan, 1.0)), "NaN"),
        (lambda: pixelgauge.delong_pairwise(Y, A), r"y_score has shape \(50,\): give one column a model"),
        (lambda: pixelgauge.delong_pairwise(Y, A[:, None]), "there is no pair"),
        (lambda: pixelgauge.delong_pairwise(Y, {"a": A}), "1 scores"),
        (lambda: pixelgauge.delong_pairwise(Y, np.c_[A, B], correction="fdr"), "correction='fdr' is not known"),
    ],
)  # fmt: skip
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
