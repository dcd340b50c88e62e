"""The interval of the kernel distance: its sums against double loops, its variance against repeats and a jackknife."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import pixelgauge
from pixelgauge import kernel_distance, kernel_distance_interval
from pixelgauge.distribution import kernel_interval
from pixelgauge.distribution.polynomial_kernel import PolynomialKernel
from pixelgauge.distribution.score_test import ScoreTest


def sets(n: int, m: int, dim: int, seed: int = 0, gap: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.exponential(size=(n, dim)), rng.exponential(size=(m, dim)) + gap


def statistic(x: np.ndarray, y: np.ndarray, kernel: Callable[[np.ndarray, np.ndarray], float]) -> float:
    """The U-statistic, by its definition."""
    within = [np.mean([kernel(z[i], z[j]) for i in range(len(z)) for j in range(len(z)) if i != j]) for z in (x, y)]
    return float(sum(within) - 2 * np.mean([kernel(p, q) for p in x for q in y]))


@pytest.mark.property
@pytest.mark.parametrize("level", [5e-324, 0.01, 0.05, 0.5])
def test_ends_are_in_order_at_every_level(level: float) -> None:
    for seed in range(6):
        a, b = np.random.default_rng(seed).standard_normal((2, 30, 4))
        found = kernel_distance_interval(a, b, level=level)
        assert found.low <= found.high


@pytest.mark.boundary
@pytest.mark.parametrize("options", [{"gamma": -1.0}, {"gamma": 0.0}, {"coef0": -1.0}])
def test_a_kernel_that_is_not_positive_is_refused(options: dict[str, float]) -> None:
    a, b = np.random.default_rng(0).standard_normal((2, 30, 4))
    with pytest.raises(ValueError, match="make no positive kernel"):
        kernel_distance_interval(a, b, **options)
    for bad, message in (({"degree": 10**30}, "degree=.* from 1 to 1000"), ({"gamma": 10**400}, "must be finite")):
        with pytest.raises(ValueError, match=message):
            kernel_distance_interval(a, b, **bad)


@pytest.mark.oracle
@pytest.mark.parametrize(("degree", "gamma", "coef0"), [(3, None, 1.0), (1, 2.0, 0.0), (2, 0.1, 0.5)])
def test_distance_equals_the_double_loop(degree: int, gamma: float | None, coef0: float) -> None:
    x, y = sets(23, 21, 4)

    def kernel(p: np.ndarray, q: np.ndarray) -> float:
        return float(((0.25 if gamma is None else gamma) * (p @ q) + coef0) ** degree)

    found = kernel_distance_interval(x, y, degree=degree, gamma=gamma, coef0=coef0)
    # sums of some hundred values of up to a thousand times the distance
    assert found.distance == pytest.approx(statistic(x, y, kernel), rel=1e-11)
    assert found.low < found.distance < found.high


@pytest.mark.oracle
def test_blocks_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = sets(100, 71, 5)
    whole = kernel_distance_interval(x.astype(np.float32), y)
    monkeypatch.setattr(kernel_interval, "_ROWS", 16)
    assert_allclose(kernel_distance_interval(x.astype(np.float32), y), whole, rtol=1e-11)


@pytest.mark.oracle
def test_centred_squares_equal_their_definition() -> None:
    x, y = sets(30, 26, 3)
    kernel = PolynomialKernel(3, None, 1.0, 3)
    values = kernel.values(x, x)
    np.fill_diagonal(values, 0)
    n = len(x)
    # Szekely and Rizzo's centring, written out
    centred = (
        values
        - values.sum(axis=0) / (n - 2)
        - values.sum(axis=1)[:, np.newaxis] / (n - 2)
        + values.sum() / ((n - 1) * (n - 2))
    )
    np.fill_diagonal(centred, 0)
    found = kernel_interval._centred_within(kernel_interval._within(x, kernel, 0.7))
    assert found == pytest.approx((centred**2).sum() / (n * (n - 3)), rel=1e-10)
    across = kernel.values(x, y)
    centred = across - across.mean(axis=0) - across.mean(axis=1)[:, np.newaxis] + across.mean()
    found = kernel_interval._centred_across(kernel_interval._across(x, y, kernel, 0.7))
    assert found == pytest.approx((centred**2).sum() / (29 * 25), rel=1e-10)


@pytest.mark.oracle
def test_first_order_is_the_jackknifes_variance(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = sets(60, 50, 3, gap=0.5)

    def distance(keep_x: np.ndarray, keep_y: np.ndarray) -> float:
        kernel = PolynomialKernel(3, None, 1.0, 3)
        p, q = x[keep_x], y[keep_y]
        within = sum(
            (kernel.values(z, z).sum() - np.trace(kernel.values(z, z))) / (len(z) * (len(z) - 1)) for z in (p, q)
        )
        return float(within - 2 * kernel.values(p, q).mean())

    rows, columns = np.arange(60), np.arange(50)
    left_out = (
        np.array([distance(np.delete(rows, i), columns) for i in rows]),
        np.array([distance(rows, np.delete(columns, i)) for i in columns]),
    )
    jackknife = sum((len(v) - 1) * v.var() for v in left_out)
    given: list[tuple[Any, ...]] = []
    monkeypatch.setattr(kernel_interval, "ScoreTest", lambda *parts: given.append(parts) or ScoreTest(*parts))
    kernel_distance_interval(x, y)
    (estimate, bias, orders, inflation), kernel = given[0], PolynomialKernel(3, None, 1.0, 3)
    # leaving one out of sixty moves the rest by some 1 / 60
    assert orders.first == pytest.approx(jackknife, rel=0.05)
    assert 0 < 2 * orders.second < orders.first
    assert inflation == 1
    # the V-statistic, which keeps the products of samples with themselves, is biased by what is called the bias
    plain = kernel.values(x, x).mean() + kernel.values(y, y).mean() - 2 * kernel.values(x, y).mean()
    assert bias == pytest.approx(plain - estimate, rel=1e-9)


@pytest.mark.oracle
def test_third_and_mixed_moments_equal_their_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = sets(30, 26, 3, gap=0.5)
    kernel = PolynomialKernel(3, None, 1.0, 3)
    given: list[tuple[Any, ...]] = []
    monkeypatch.setattr(kernel_interval, "ScoreTest", lambda *parts: given.append(parts) or ScoreTest(*parts))
    kernel_distance_interval(x, y)
    within = [kernel.values(z, z) for z in (x, y)]
    across = kernel.values(x, y)
    influences = [
        2 * ((values.sum(axis=1) - values.diagonal()) / (len(values) - 1) - other.mean(axis=1))
        for values, other in zip(within, (across, across.T), strict=True)
    ]
    influences = [of - of.mean() for of in influences]
    third = sum(np.mean(of**3) / len(of) ** 2 for of in influences)
    assert given[0][2].third == pytest.approx(third, rel=1e-10)

    def product(values: np.ndarray, a: int, b: int) -> float:
        centred = values - values.mean(axis=0) - values.mean(axis=1)[:, np.newaxis] + values.mean()
        pairs = itertools.product(range(len(values)), range(values.shape[1]))
        return float(
            np.mean([influences[a][i] * influences[b][j] * centred[i, j] for i, j in pairs if a != b or i != j])
        )

    mixed = product(within[0], 0, 0) / 900 + product(within[1], 1, 1) / 676 - 2 * product(across, 0, 1) / 780
    assert given[0][2].mixed == pytest.approx(mixed, rel=1e-9)


@pytest.mark.property
def test_sampled_pairs_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = sets(900, 700, 8, gap=0.3)
    some = kernel_distance_interval(x, y)
    monkeypatch.setattr(kernel_interval, "_PAIR_SAMPLES", 900)
    every = kernel_distance_interval(x, y)
    assert some[:1] + some[3:] == every[:1] + every[3:]
    # moments of third order of 256 samples that are exponential, to the third power in the kernel, are off by a tenth
    assert_allclose(some[1:3], every[1:3], rtol=0, atol=0.2 * every.standard_error)


@pytest.mark.property
@pytest.mark.parametrize("gap", [0.0, 0.3])
def test_standard_errors_and_means_are_those_of_repeats(gap: float) -> None:
    found = [kernel_distance_interval(*sets(100, 80, 16, seed=seed, gap=gap)) for seed in range(200)]
    values, errors = (np.array([getattr(of, name) for of in found]) for name in ("distance", "standard_error"))
    # a standard deviation of 200 is off by 5 %, and that of the skewed second order by more
    assert math.sqrt(np.mean(errors**2)) == pytest.approx(values.std(), rel=0.25)
    if gap == 0:
        assert abs(values.mean()) < 3 * values.std() / math.sqrt(200)
        held = np.mean([of.low <= 0 <= of.high for of in found])
        assert 0.9 < held < 1


@pytest.mark.property
def test_subsets_estimate_the_same_figure() -> None:
    x, y = sets(400, 400, 8)
    found = kernel_distance_interval(x, y)
    means = kernel_distance(x, y, subsets=200, subset_size=100)
    # of 200 subsets the mean is off by some seventh of their deviation
    assert means.mean == pytest.approx(found.distance, abs=4 * means.std / math.sqrt(200))
    # all of one subset are all samples
    assert kernel_distance(x, y, subsets=1, subset_size=400).mean == pytest.approx(found.distance, rel=1e-10)


@pytest.mark.property
@pytest.mark.usefixtures("restored_threads")
def test_results_do_not_depend_on_threads() -> None:
    x, y = sets(1100, 90, 40)
    results = []
    for threads in (1, 3):
        pixelgauge.set_num_threads(threads)
        results.append(kernel_distance_interval(x, y))
    assert results[0] == results[1]


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda x, y: kernel_distance_interval(x[:19], y),
            ValueError,
            "a has 19 samples: an interval takes at least 20",
        ),
        (lambda x, y: kernel_distance_interval(x, y, level=1), ValueError, "level=1"),
        (lambda x, y: kernel_distance_interval(x, y, degree=0), ValueError, "degree"),
        (lambda x, y: kernel_distance_interval(x, y, gamma=math.inf), ValueError, "gamma"),
        (lambda x, y: kernel_distance_interval(x * 1e60, y * 1e60), ValueError, "overflows"),
        (lambda x, y: kernel_distance_interval(x + 1e8, y + 1e8), ValueError, "lost every digit"),
        (lambda x, y: kernel_distance_interval((np.zeros(3), np.eye(3)), y), (TypeError, ValueError), "a"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[..., Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call(*sets(30, 30, 3))


@pytest.mark.property
def test_one_image_over_and_over_is_at_distance_zero() -> None:
    assert kernel_distance_interval(np.full((30, 4), 1e8 / 3), np.full((20, 4), 1e8 / 3)) == (0, 0, 0, 0)
