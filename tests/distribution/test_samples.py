"""Kernel distance, Inception score, precision/recall, density/coverage and the uncertainty of the Fréchet distance,
against plain float64 programs written from the definitions of torch-fidelity, Kynkäänniemi et al. and prdc."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.spatial.distance
from numpy.testing import assert_allclose

import pixelgauge
from pixelgauge import (
    density_coverage,
    frechet_distance,
    frechet_infinity,
    frechet_interval,
    inception_score,
    kernel_distance,
    neighbour_metrics,
    precision_recall,
)


def pair(
    n: int = 120, m: int = 90, dim: int = 16, seed: int = 0, dtype: type = np.float64
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return (
        rng.standard_normal((n, dim)).astype(dtype),
        (rng.standard_normal((m, dim)) * 1.1 + 0.2).astype(dtype),
    )


def kid_oracle(
    a: np.ndarray,
    b: np.ndarray,
    subsets: int,
    size: int,
    seed: int,
    degree: int = 3,
    gamma: float | None = None,
    coef0: float = 1.0,
) -> tuple[float, float]:
    rng = np.random.RandomState(seed)
    gamma = 1 / a.shape[1] if gamma is None else gamma
    values = []
    for _ in range(subsets):
        x = a[rng.choice(len(a), size, replace=False)].astype(np.float64)
        y = b[rng.choice(len(b), size, replace=False)].astype(np.float64)
        xx, yy, xy = ((p @ q.T * gamma + coef0) ** degree for p, q in ((x, x), (y, y), (x, y)))
        off = 1 - np.eye(size)
        values.append(((xx * off).sum() + (yy * off).sum()) / (size * (size - 1)) - 2 * xy.mean())
    return np.mean(values), np.std(values)


@pytest.mark.oracle
@pytest.mark.parametrize("options", [{}, {"degree": 1}, {"degree": 2, "gamma": 0.3, "coef0": 0.5}])
def test_kernel_distance(options: dict[str, Any]) -> None:
    a, b = pair(dtype=np.float32)
    found = kernel_distance(a, b, subsets=7, subset_size=50, seed=2020, **options)
    assert_allclose(found, kid_oracle(a, b, 7, 50, 2020, **options), rtol=1e-10, atol=1e-13)


def inception_score_oracle(logits: np.ndarray, splits: int, seed: int | None) -> tuple[float, float]:
    n = len(logits)
    if seed is not None:
        logits = logits[np.random.RandomState(seed).permutation(n)]
    logits = logits.astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    scores = []
    for i in range(splits):
        part = p[i * n // splits : (i + 1) * n // splits]
        scores.append(np.exp((part * (np.log(part) - np.log(part.mean(axis=0)))).sum(axis=1).mean()))
    return np.mean(scores), np.std(scores)


@pytest.mark.oracle
@pytest.mark.parametrize("seed", [None, 2020])
@pytest.mark.parametrize("splits", [1, 3, 10])
def test_inception_score(splits: int, seed: int | None) -> None:
    logits = (3 * np.random.default_rng(1).standard_normal((53, 20))).astype(np.float32)
    assert_allclose(
        inception_score(logits, splits=splits, seed=seed), inception_score_oracle(logits, splits, seed), rtol=1e-12
    )


@pytest.mark.property
def test_inception_score_of_certain_and_huge_logits() -> None:
    certain = 1e4 * np.tile(np.eye(5), (4, 1))
    assert_allclose(inception_score(certain, splits=1), (5, 0), rtol=1e-12)
    assert_allclose(inception_score(np.full((20, 7), -1e30)), (1, 0), rtol=1e-12)


def distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared distances in float64 by differences."""
    return scipy.spatial.distance.cdist(x.astype(np.float64), y.astype(np.float64), "sqeuclidean")


def neighbour_oracle(
    real: np.ndarray, fake: np.ndarray, precision_k: int, density_k: int
) -> tuple[float, float, float, float]:
    own, other, cross = distances(real, real), distances(fake, fake), distances(real, fake)
    own.sort(axis=1)  # column 0 is the sample itself
    radius, radius_fake, opened = own[:, precision_k], np.sort(other, axis=1)[:, precision_k], own[:, density_k]
    return (
        (cross <= radius[:, None]).any(axis=0).mean(),
        (cross <= radius_fake).any(axis=1).mean(),
        (cross < opened[:, None]).sum() / (density_k * len(fake)),
        (cross.min(axis=1) < opened).mean(),
    )


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 3, 5, 20])
def test_neighbour_metrics(each_isa: str, dtype: type, k: int) -> None:
    real, fake = pair(dtype=dtype)
    exact = neighbour_oracle(real, fake, k, k)
    # counts over the number of samples: equal or wrong
    assert_allclose(precision_recall(real, fake, k=k), exact[:2], rtol=1e-15)
    assert_allclose(density_coverage(real, fake, k=k), exact[2:], rtol=1e-15)
    assert_allclose(
        neighbour_metrics(real, fake, precision_k=k, density_k=7), neighbour_oracle(real, fake, k, 7), rtol=1e-15
    )


def clusters(n: int, spread: float, seed: int, dim: int = 24) -> np.ndarray:
    """Samples in four tight groups far apart: distances within a group drown in the rounding of float32 products."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(9).standard_normal((4, dim))
    return centres[rng.integers(0, 4, n)] + spread * rng.standard_normal((n, dim))


NEIGHBOURHOODS = {
    "small values": lambda: tuple(z * 1e-24 for z in pair()),
    "large values": lambda: tuple(z * 1e24 for z in pair()),
    "far from zero": lambda: tuple(z + 1e5 for z in pair()),
    "groups, decided in float32": lambda: (clusters(300, 1e-2, 1), clusters(280, 1e-2, 2)),
    "groups, in doubt in float32": lambda: (clusters(300, 1e-5, 1), clusters(280, 1e-5, 2)),
    "groups, in doubt in float64": lambda: (clusters(300, 1e-9, 1), clusters(280, 1e-9, 2)),
    "few distinct values": lambda: tuple(
        np.random.default_rng(s).integers(0, 3, (300, 3)).astype(float) for s in (1, 2)
    ),
    "one value": lambda: (np.ones((40, 5)), np.ones((30, 5))),
    "one feature": lambda: tuple(z[:, :1] for z in pair()),
    "more than a pass holds": lambda: pair(4500, 4200, 6, dtype=np.float32),
    "mixed dtypes": lambda: (pair()[0], pair(dtype=np.float32)[1]),
    "strides": lambda: (np.asfortranarray(pair()[0]), pair(90, 180)[1][::-2]),
}


@pytest.mark.oracle
@pytest.mark.parametrize("case", NEIGHBOURHOODS)
def test_neighbour_metrics_where_rounding_decides(each_isa: str, case: str) -> None:
    real, fake = NEIGHBOURHOODS[case]()
    assert_allclose(neighbour_metrics(real, fake), neighbour_oracle(real, fake, 3, 5), rtol=1e-15)


@pytest.mark.property
@pytest.mark.usefixtures("restored_threads")
def test_neighbour_metrics_do_not_depend_on_threads_or_order() -> None:
    real, fake = pair(700, 600, 40)
    found = []
    for threads in (1, 4):
        pixelgauge.set_num_threads(threads)
        found.append(neighbour_metrics(real, fake))
    rng = np.random.default_rng(0)
    assert found[0] == found[1] == neighbour_metrics(rng.permutation(real), rng.permutation(fake))


@pytest.mark.property
def test_neighbour_metrics_with_duplicates_and_offsets() -> None:
    x, y = pair()
    assert precision_recall(x, x) == (1, 1)
    twice = np.concatenate([x, x])
    # with k=1 the nearest neighbour is the duplicate, so every ball is a point: closed balls hold it, open ones nothing
    assert precision_recall(twice + 50, x + 50, k=1)[0] == 1
    assert density_coverage(twice + 50, x + 50, k=1) == (0, 0)
    assert_allclose(precision_recall(x + 1e3, y + 1e3), precision_recall(x, y), atol=1e-12)


@pytest.mark.boundary
@pytest.mark.parametrize("degree", [1, 3])
def test_kernel_distances_without_a_digit_are_refused(degree: int) -> None:
    rng = np.random.default_rng(11)
    x, y = rng.random((90, 8)), rng.random((80, 8))
    for scale in (1e-20, 1.0, 1e3):  # where there are digits, equal distributions included
        kernel_distance(x * scale, y * scale, subset_size=50, degree=degree, coef0=1.0 if scale >= 1 else 0.0)
    for far in (1e8, -1e9):
        with pytest.raises(ValueError, match=r"has lost every digit: .*subtract one vector near their mean"):
            kernel_distance(x + far, y + far, subset_size=50, degree=degree)
    # far, and further apart than rounding
    assert kernel_distance(x + 1e8, y + 2e8, subset_size=50, degree=degree).mean > 1e10
    # one image over and over is at distance 0 from itself, whatever rounding says
    for value in (0.0, 1 / 3, 1e8 / 3):
        assert kernel_distance(np.full((60, 8), value), np.full((70, 8), value), subset_size=50, degree=degree) == (
            0,
            0,
        )
    for name in ("gamma", "coef0"):
        for bad in (np.ma.masked, "1", None if name == "coef0" else 1j):
            with pytest.raises(TypeError, match=f"{name}=.* must be a number"):
                kernel_distance(x, y, subset_size=50, **{name: bad})


OF_TWO_SAMPLES = {
    "kernel_distance": lambda a, b: kernel_distance(a, b, subset_size=2),
    "precision_recall": lambda a, b: precision_recall(a, b, k=1),
    "density_coverage": lambda a, b: density_coverage(a, b, k=1),
    "neighbour_metrics": lambda a, b: neighbour_metrics(a, b, precision_k=1, density_k=1),
    "frechet_interval": lambda a, b: frechet_interval(a, b),
}


def with_nan(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x[0, 0] = np.nan
    return x


@pytest.mark.boundary
@pytest.mark.parametrize("function", OF_TWO_SAMPLES)
@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        pytest.param(lambda x, y: (x, y[:, :5]), ValueError, "do not compare", id="widths"),
        pytest.param(lambda x, y: (x, with_nan(y)), ValueError, "NaN", id="NaN"),
        pytest.param(lambda x, y: (x[:0], y), ValueError, "empty", id="empty"),
        pytest.param(lambda x, y: (x.astype(int), y), TypeError, "dtype", id="integers"),
        pytest.param(lambda x, y: (x[:1], y), ValueError, None, id="one sample"),  # each says it in its own words
        *(
            pytest.param(
                lambda x, y, scale=scale: (x * scale, y * scale),
                ValueError,
                "within 1e-70 to 1e\\+70",
                id=f"times {scale}",
            )
            for scale in (1e200, 1e120, 1e-162)
        ),
    ],
)
def test_bad_samples_are_refused(
    function: str, change: Callable[..., Any], error: type[Exception], match: str | None
) -> None:
    samples = change(*pair())
    with pytest.raises(error, match=match):
        OF_TWO_SAMPLES[function](*samples)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda x, y: kernel_distance(x, y), ValueError, "subset_size=1000 exceeds"),
        (lambda x, y: kernel_distance(x, y, subset_size=10, degree=0), ValueError, "degree"),
        (lambda x, y: kernel_distance(x, y, subset_size=10, subsets=0), ValueError, "subsets"),
        (lambda x, y: kernel_distance(x, y, subset_size=0), ValueError, "subset_size"),
        (lambda x, y: kernel_distance(x, y, subset_size=10, gamma=np.inf), ValueError, "gamma"),
        (
            lambda x, y: kernel_distance(x * 1e60, y * 1e60, subset_size=10),
            ValueError,
            "kernel of degree=3 of these features overflows",
        ),
        (lambda x, y: precision_recall(x, y, k=90), ValueError, "90 samples"),
        (lambda x, y: precision_recall(x, y, k=None), TypeError, r"^k=None must be"),
        (lambda x, y: precision_recall(x[:1], y), ValueError, "real has 1 sample: k=3 needs at least 4"),
        (lambda x, y: density_coverage(x, y, k=None), TypeError, r"^k=None must be"),
        (lambda x, y: neighbour_metrics(x, y, density_k=0), ValueError, "k=0"),
        (lambda x, y: inception_score(x[:9]), ValueError, "splits=10"),
        (lambda x, y: frechet_interval(x, y, level=1.0), ValueError, "level"),
        (lambda x, y: frechet_interval(x, y, resamples=20), TypeError, "resamples"),
        (lambda x, y: frechet_infinity(x, y, smallest=90), ValueError, "smallest"),
        (lambda x, y: frechet_infinity(x, y, points=1), ValueError, "points"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[..., Any], error: type[Exception], match: str) -> None:
    x, y = pair()
    with pytest.raises(error, match=match):
        call(x, y)


@pytest.mark.property
def test_extrapolation_takes_the_bias_out() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4000, 20))
    reference = (np.zeros(20), np.eye(20))
    found = frechet_infinity(reference, x)
    # the true distance is 0; the plain one carries a bias of about D (D + 5) / 4 N + D / N
    assert abs(found.distance) < frechet_distance(reference, x) / 3
    assert found.slope > 0
    assert found == frechet_infinity(reference, x)
    assert found != frechet_infinity(reference, x, seed=1)


@pytest.mark.property
@pytest.mark.usefixtures("restored_threads")
def test_results_do_not_depend_on_threads() -> None:
    a, b = pair()
    results = []
    for threads in (1, 3):
        pixelgauge.set_num_threads(threads)
        results.append((kernel_distance(a, b, subset_size=60, subsets=3), frechet_interval(a[:, :4], b[:, :4])))
    assert results[0] == results[1]
