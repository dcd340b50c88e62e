"""Intervals of precision, recall, density and coverage: exact shares, counts by definition, and what they cover."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pixelgauge import (
    density_coverage,
    density_coverage_interval,
    precision_recall,
    precision_recall_interval,
    proportion_interval,
)
from pixelgauge.distribution import neighbour_intervals


def sets(n: int, m: int, dim: int = 4, seed: int = 0, gap: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, dim)), rng.standard_normal((m, dim)) + gap


def inside_balls(real: np.ndarray, fake: np.ndarray, k: int) -> np.ndarray:
    """Which generated sample lies in the open ball of which real one."""
    within = np.sort(np.linalg.norm(real[:, np.newaxis] - real, axis=2), axis=1)[:, k]
    return np.linalg.norm(real[:, np.newaxis] - fake, axis=2) < within[:, np.newaxis]


@pytest.mark.oracle
def test_balls_are_counted_as_defined(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = sets(50, 40)
    inside = inside_balls(real, fake, 5)
    alone = inside[inside.sum(axis=1) == 1].sum(axis=0)
    for elements in (2**22, 500):  # some rows at a time
        monkeypatch.setattr(neighbour_intervals, "_ELEMENTS", elements)
        counts, found = neighbour_intervals._balls(real, fake, 5)
        assert_array_equal(counts, inside.sum(axis=0))
        assert_array_equal(found, alone)


@pytest.mark.oracle
def test_coverage_has_the_jackknifes_variance() -> None:
    real, fake = sets(60, 50, gap=1.5)
    inside = inside_balls(real, fake, 5)
    left_out = [np.delete(inside, j, axis=1).any(axis=1).mean() for j in range(50)]
    error = np.sqrt(49 * np.var(left_out))
    found = density_coverage_interval(real, fake).coverage
    share = proportion_interval(round(found.value * 60), 60, level=0.95, method="clopper-pearson")[1:]
    assert_allclose(found.low, min(found.value - 1.959964 * error, share[0]), rtol=1e-6)
    assert_allclose(found.high, max(found.value + 1.959964 * error, share[1]), rtol=1e-6)


@pytest.mark.property
def test_values_are_the_figures() -> None:
    real, fake = sets(90, 70)
    assert tuple(of.value for of in precision_recall_interval(real, fake, k=4)) == precision_recall(real, fake, k=4)
    assert tuple(of.value for of in density_coverage_interval(real, fake, k=4)) == density_coverage(real, fake, k=4)


@pytest.mark.property
def test_they_cover_given_the_real_set() -> None:
    real, many = sets(100, 40_000)
    inside = inside_balls(real[:, :], many[:10_000], 5)
    density, share = inside.sum() / (5 * 10_000), inside.mean(axis=1)
    within = np.sort(np.linalg.norm(real[:, np.newaxis] - real, axis=2), axis=1)[:, 3]
    precision = (
        (np.linalg.norm(real[:, np.newaxis] - many[:10_000], axis=2) <= within[:, np.newaxis]).any(axis=0).mean()
    )
    coverage = (1 - (1 - share) ** 80).mean()
    held = np.zeros(3)
    for seed in range(200):
        fake = sets(1, 80, seed=seed + 1)[1]
        of_balls = density_coverage_interval(real, fake)
        found = (precision_recall_interval(real, fake).precision, *of_balls)
        held += [of.low <= truth <= of.high for of, truth in zip(found, (precision, density, coverage), strict=True)]
    # 200 repeats of .93: 174 is three standard errors below
    assert (held >= 174).all()


@pytest.mark.property
def test_ends_are_within_their_range_and_levels_widen() -> None:
    for gap in (0.0, 1.0, 2.5):
        real, fake = sets(80, 60, gap=gap)
        for function in (precision_recall_interval, density_coverage_interval):
            for name, of in function(real, fake)._asdict().items():
                assert 0 <= of.low <= of.value <= of.high
                assert name == "density" or of.high <= 1
                wide = getattr(function(real, fake, level=0.99), name)
                assert wide.low <= of.low < of.high <= wide.high
    far = precision_recall_interval(*sets(80, 60, gap=100.0))
    assert far.precision.value == far.precision.low == 0
    assert 0 < far.precision.high < 0.1


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda x, y: precision_recall_interval(x, y, level=1.0), ValueError, "level"),
        (lambda x, y: density_coverage_interval(x, y, level="x"), TypeError, "level"),
        (lambda x, y: precision_recall_interval(x[:3], y), ValueError, "k=3 needs at least 4"),
        (lambda x, y: density_coverage_interval(x[:5], y), ValueError, "k=5 needs at least 6"),
        (lambda x, y: density_coverage_interval(x, y[:, :2]), ValueError, "do not compare"),
        (lambda x, y: density_coverage_interval(x, y + 100), ValueError, "density is 0"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[..., Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call(*sets(30, 30))


@pytest.mark.property
def test_one_generated_sample_is_enough() -> None:
    real, fake = sets(50, 1, gap=0.0)
    found = density_coverage_interval(real, fake * 0)
    assert found.density.low < found.density.value <= found.density.high
    assert found.coverage.low < found.coverage.high < 1
