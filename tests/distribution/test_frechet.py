"""Fréchet distance, feature statistics and the square roots beneath them, against SVD of exact factors in float64."""

from __future__ import annotations

import io
import math
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import pixelgauge
from pixelgauge import FeatureStats, _core, frechet_distance, sqrtm_psd, trace_sqrt_product

METHODS = ("auto", "newton-schulz", "eigh", "svd")


def centred_factor(x: np.ndarray) -> np.ndarray:
    """Factor F of the covariance with ddof 1, from features in float64 (longdouble means)."""
    x = np.asarray(x, np.longdouble)
    return ((x - x.mean(axis=0)) / np.sqrt(np.longdouble(len(x) - 1))).astype(np.float64)


def distance_by_svd(x: np.ndarray, y: np.ndarray) -> float:
    """The oracle: nuclear norm of the product of exact factors."""
    f, g = centred_factor(x), centred_factor(y)
    mean = np.asarray(x, np.longdouble).mean(axis=0) - np.asarray(y, np.longdouble).mean(axis=0)
    cross = math.fsum(np.linalg.svd(f @ g.T, compute_uv=False))
    return float((mean * mean).sum()) + math.fsum((f * f).ravel()) + math.fsum((g * g).ravel()) - 2 * cross


def features(n: int, dim: int, seed: int = 0, decay: float = 1.0, dtype: type = np.float64) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((dim, dim)) / math.sqrt(dim) * np.arange(1, dim + 1.0) ** -decay
    return (rng.standard_normal((n, dim)) @ mix.T + rng.standard_normal(dim)).astype(dtype)


# ---- products ----


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 7, 3), (9, 25, 64), (50, 33, 300), (201, 515, 600)])
def test_product_equals_numpy(each_isa: str, dtype: type, shape: tuple[int, int, int]) -> None:
    m, n, k = shape
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((n, k)).astype(dtype)
    exact = a.astype(np.float64) @ b.astype(np.float64).T
    # a sum of k products of unit variance: k eps bounds it, sqrt(k) eps is what happens
    tolerance = 8 * math.sqrt(k) * np.finfo(dtype).eps * 4
    assert_allclose(_core.matmul_transposed(a, b), exact, rtol=0, atol=tolerance)
    assert_allclose(_core.matmul_transposed(np.asfortranarray(a), b[::-1]), exact[:, ::-1], rtol=0, atol=tolerance)
    square = _core.matmul_transposed(a, a)
    assert_array_equal(square, square.T)
    # the diagonal sums k positive terms, so partial sums grow to k: k eps bounds the relative error
    assert_allclose(square, a.astype(np.float64) @ a.astype(np.float64).T, rtol=k * np.finfo(dtype).eps, atol=tolerance)


@pytest.mark.property
@pytest.mark.usefixtures("restored_threads")
def test_products_and_norms_do_not_depend_on_threads(each_isa: str) -> None:
    x = features(400, 130)
    results = []
    for threads in (1, 2, 5):
        pixelgauge.set_num_threads(threads)
        stats = FeatureStats(130).update(x)
        results.append(
            (_core.matmul_transposed(x, x), stats.cov(), frechet_distance(x[:200], x[150:]), sqrtm_psd(stats.cov()))
        )
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            assert_array_equal(mine, theirs)


@pytest.mark.boundary
def test_product_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="columns"):
        _core.matmul_transposed(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(TypeError, match="dtype"):
        _core.matmul_transposed(np.ones((2, 3), np.int32), np.ones((2, 3), np.int32))
    with pytest.raises(ValueError, match="differ in dtype"):
        _core.matmul_transposed(np.ones((2, 3), np.float32), np.ones((2, 3)))
    with pytest.raises(ValueError, match="empty"):
        _core.matmul_transposed(np.ones((0, 3)), np.ones((2, 3)))


# ---- square roots ----

SPECTRA = {
    "ones": lambda n: np.ones(n),
    "power": lambda n: np.arange(1, n + 1.0) ** -1.5,
    "condition 1e6": lambda n: np.logspace(0, -6, n),
    "condition 1e12": lambda n: np.logspace(0, -12, n),
    "one large": lambda n: np.r_[1e8, np.ones(n - 1)],
    "half null": lambda n: np.r_[np.ones(n - n // 2), np.zeros(n // 2)],
}


@pytest.mark.oracle
@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("n", [1, 2, 17, 64, 65, 150])
def test_nuclear_norm_bounds_hold(each_isa: str, spectrum: str, n: int) -> None:
    rng = np.random.default_rng(n)
    left, right = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    values = SPECTRA[spectrum](n) * 1e3
    m = (left * values) @ right
    exact = math.fsum(np.linalg.svd(m, compute_uv=False))
    for matrix in (m, m.T, np.vstack([m, 0 * m])):
        lower, upper, _, _ = _core.nuclear_norm(matrix)
        slack = 4 * n * 2.0**-53 * values.max()  # rounding in the bounds themselves and in the SVD
        assert lower - slack <= exact <= upper + slack
        assert exact - lower <= 1e-12 * exact + slack
        # Null directions of U are amplified rounding: the certificate's ridge must exceed what they leave in U^T M,
        # some 1e-10 of the largest singular value each (the routes of the distance remove null directions first).
        assert upper - exact <= 1e-7 * exact


@pytest.mark.boundary
def test_nuclear_norm_of_zero_and_of_nan() -> None:
    assert _core.nuclear_norm(np.zeros((3, 4)))[:2] == (0, 0)
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="NaN or infinity"):
            _core.nuclear_norm(np.full((3, 3), bad))


@pytest.mark.oracle
@pytest.mark.parametrize("n", [1, 3, 64, 130])
def test_pivoted_cholesky_reveals_the_rank(each_isa: str, n: int) -> None:
    for rank in {1, max(1, n // 2), n}:
        x = features(rank, n, seed=rank, decay=0)
        a = x.T @ x
        factor, found, remainder = _core.pivoted_cholesky(a)
        assert found == rank
        assert_allclose(factor @ factor.T, a, rtol=0, atol=4 * n * 2.0**-53 * np.diag(a).max())
        assert not factor[:, rank:].any()
        assert 0 <= remainder <= n * n * 2.0**-53 * np.diag(a).max()


@pytest.mark.oracle
@pytest.mark.parametrize("n", [1, 2, 30, 129])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_sqrtm_psd(each_isa: str, n: int, spectrum: str) -> None:
    basis = np.linalg.qr(np.random.default_rng(n).standard_normal((n, n)))[0]
    values = SPECTRA[spectrum](n)
    a = (basis * values) @ basis.T
    a = (a + a.T) / 2
    root = sqrtm_psd(a)
    assert_array_equal(root, root.T)
    # backward error: products of n terms, and pivots below n eps left out
    assert_allclose(root @ root, a, rtol=0, atol=8 * n * 2.0**-53 * values.max() * max(1, math.sqrt(n)))


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((2, 3)), "square"),
        (np.array([[1.0, 2.0], [0.0, 1.0]]), "not symmetric"),
        (np.diag([1.0, -1.0]), "not positive semi-definite"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), "not positive semi-definite"),
        (np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.5], [0.0, 0.5, 0.0]]), "not positive semi-definite"),
        (np.full((2, 2), np.nan), "NaN"),
        (np.zeros((0, 0)), "square"),
    ],
)
def test_covariances_are_checked(matrix: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sqrtm_psd(matrix)
    with pytest.raises(ValueError, match=message):
        trace_sqrt_product(matrix, matrix)


# ---- Fréchet distance ----

PAIRS = {
    "full rank": lambda: (features(500, 60, 1), features(450, 60, 2)),
    "fewer samples than features": lambda: (features(40, 200, 1), features(50, 200, 2)),
    "mixed": lambda: (features(40, 200, 1), features(500, 200, 2)),
    "scaled": lambda: (features(300, 50, 1) * 1e-9, features(300, 50, 2) * 1e-9),
    "large": lambda: (features(300, 50, 1) * 1e9, features(300, 50, 2) * 1e9),
    "one feature constant": lambda: tuple(
        x * np.r_[np.ones(39), 0] + 3 for x in (features(300, 40, 1), features(300, 40, 2))
    ),
    "decaying to 1e-12": lambda: tuple(
        np.random.default_rng(s).standard_normal((300, 40)) * np.logspace(0, -6, 40) for s in (1, 2)
    ),
    "dim 1": lambda: (features(30, 1, 1), features(40, 1, 2)),
    "far from zero": lambda: (features(300, 30, 1) + 1e4, features(300, 30, 2) + 1e4),
    "float32": lambda: (features(300, 30, 1, dtype=np.float32), features(280, 30, 2, dtype=np.float32)),
}


@pytest.mark.oracle
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pair", PAIRS)
def test_distance_from_features_against_svd(pair: str, method: str) -> None:
    x, y = PAIRS[pair]()
    exact = distance_by_svd(x, y)
    distance, info = frechet_distance(x, y, method=method, return_info=True)
    trace = (centred_factor(x) ** 2).sum() + (centred_factor(y) ** 2).sum()
    assert abs(distance - exact) <= info.bound + 1e-14 * (trace + exact)
    if method != "eigh":  # eigenvalues of a singular Gram matrix: only their bound is promised
        assert_allclose(distance, exact, rtol=1e-9)


@pytest.mark.oracle
@pytest.mark.parametrize("method", METHODS)
def test_distance_from_singular_moments_stays_within_its_bound(method: str) -> None:
    x, y = features(100, 200, 1), features(120, 200, 2)
    exact = distance_by_svd(x, y)
    a, b = ((z.mean(axis=0), np.cov(z.T)) for z in (x, y))
    distance, info = frechet_distance(a, b, method=method, return_info=True)
    assert info.rank == (99, 119)
    assert abs(distance - exact) <= info.bound
    assert abs(distance - exact) <= 1e-9 * exact  # the pivots reveal the rank
    assert info.bound <= 1e-6 * exact


# Eigenvalues of both covariances at 320, where auto tries LAPACK's eigenvalues first, and the route it then takes. Below
# 1.1e-7 of the largest a singular value is lost to the eigenvalues of the Gram matrix; one such the determinant brings
# back; several turn auto to the polar iteration, which converges in one round down to 1e-11 and in two below.
LARGE = {
    "down to 1e-5": (lambda n: np.logspace(0, -5, n), "eigh"),
    "one at 1e-9": (lambda n: np.r_[np.logspace(0, -5, n - 1), 1e-9], "eigh"),
    "two at 1e-9": (lambda n: np.r_[np.logspace(0, -5, n - 2), 1e-9, 1e-9], "newton-schulz"),
    "down to 1e-7": (lambda n: np.logspace(0, -7, n), None),  # either, by how the rounding falls
    "down to 1e-10": (lambda n: np.logspace(0, -10, n), "newton-schulz"),
    "down to 1e-12": (lambda n: np.logspace(0, -12, n), "newton-schulz"),
    "half at 1e-12": (lambda n: np.r_[np.ones(n // 2), np.full(n - n // 2, 1e-12)], "newton-schulz"),
}


@pytest.mark.oracle
@pytest.mark.parametrize("related", [False, True])
@pytest.mark.parametrize("spectrum", LARGE)
def test_every_route_on_both_sides_of_autos_choices(spectrum: str, related: bool) -> None:
    n, rng = 320, np.random.default_rng(4)
    values, route = LARGE[spectrum][0](n), LARGE[spectrum][1]
    first = np.linalg.qr(rng.standard_normal((n, n)))[0] * np.sqrt(values)
    second = (
        first * rng.uniform(0.7, 1.4, n) if related else np.linalg.qr(rng.standard_normal((n, n)))[0] * np.sqrt(values)
    )
    exact_trace = math.fsum(np.linalg.svd(first.T @ second, compute_uv=False))
    traces = (first**2).sum() + (second**2).sum()
    exact = traces - 2 * exact_trace
    pair = [(np.zeros(n), (f @ f.T + (f @ f.T).T) / 2) for f in (first, second)]
    for method in METHODS:
        distance, info = frechet_distance(*pair, method=method, return_info=True)
        # the covariances are rounded, by n eps of their norm at worst, and the smallest variances feel it
        assert abs(distance - exact) <= info.bound + 1e-14 * traces * math.sqrt(n)
        if method == "auto":
            assert_allclose(distance, exact, rtol=1e-9)
            assert info.bound <= max(1e-10 * distance, 2e-11 * traces) * 1.01  # and what rounding adds to it
            # a small distance asks more of the bound than eigenvalues may give
            assert route in (None, info.method) or (related and route == "eigh")
            assert_allclose(trace_sqrt_product(pair[0][1], pair[1][1]), exact_trace, rtol=1e-10)


@pytest.mark.property
@pytest.mark.parametrize("shape", [(300, 40), (30, 100), (2, 1), (2, 64)])
def test_identical_sets_are_at_distance_zero(shape: tuple[int, int]) -> None:
    x = features(*shape)
    trace = 2 * (centred_factor(x) ** 2).sum()
    for a in (x, (x.mean(axis=0), np.cov(x.T))):
        assert abs(frechet_distance(a, a)) <= 1e-9 * trace
    y = x + 1e-3 * features(*shape, seed=5)
    assert_allclose(frechet_distance(x, y), distance_by_svd(x, y), rtol=1e-9)


@pytest.mark.oracle
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dim", [1, 8, 2048])
def test_unit_shift_is_the_dimension_exactly(method: str, dim: int) -> None:
    if dim > 100 and method in ("eigh", "svd"):
        pytest.skip("LAPACK at 2048 takes seconds and is the same code at 8")
    identity = np.eye(dim)
    distance = frechet_distance((np.zeros(dim), identity), (np.ones(dim), identity), method=method)
    assert_allclose(distance, dim, rtol=1e-13)


@pytest.mark.oracle
@pytest.mark.parametrize("method", METHODS)
def test_commuting_covariances(method: str) -> None:
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.standard_normal((80, 80)))[0]
    a, b = rng.uniform(0.1, 2, 80), rng.uniform(0.1, 2, 80)
    distance = frechet_distance(
        (np.zeros(80), (basis * a) @ basis.T), (np.zeros(80), (basis * b) @ basis.T), method=method
    )
    assert_allclose(distance, ((np.sqrt(a) - np.sqrt(b)) ** 2).sum(), rtol=1e-11)


@pytest.mark.property
def test_distance_is_symmetric_and_takes_every_form() -> None:
    x, y = features(90, 20, 1), features(80, 20, 2)
    sx, sy = FeatureStats(20).update(x), FeatureStats(20).update(y)
    value = frechet_distance(x, y)
    assert_allclose(frechet_distance(y, x), value, rtol=1e-12)
    assert_allclose(frechet_distance(sx, (y.mean(axis=0), np.cov(y.T))), value, rtol=1e-11)
    assert_allclose(frechet_distance(sx, sy), value, rtol=1e-11)
    assert_allclose(frechet_distance(x[:, ::-1], y[:, ::-1]), value, rtol=1e-11)


def with_nan(x: Any) -> Any:
    x = x.copy()
    x[3, 2] = np.nan
    return x


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda x: x[:1], ValueError, "at least two"),
        (lambda x: FeatureStats(4).update(x[:1]), ValueError, "at least two"),
        (lambda x: FeatureStats(4), ValueError, "at least two"),
        (with_nan, ValueError, "column 2"),
        (lambda x: x[:0], ValueError, "empty"),
        (lambda x: x[:, :3], ValueError, "do not compare"),
        (lambda x: (np.zeros(3), np.eye(4)), ValueError, "mean of shape"),
        (lambda x: (np.zeros(4), np.full((4, 4), np.inf)), ValueError, "NaN or infinity"),
        (
            lambda x: (np.zeros(4), -np.eye(4)),
            ValueError,
            "a has a covariance that is not positive semi-definite",
        ),
        (lambda x: x[0], ValueError, "shape"),
        (lambda x: x.astype(int), TypeError, "dtype"),
    ],
)
def test_bad_input_is_refused(make: Callable[..., Any], error: type[Exception], match: str) -> None:
    a = make(features(10, 4))
    with pytest.raises(error, match=match):
        frechet_distance(a, (np.zeros(4), np.eye(4)))


@pytest.mark.boundary
def test_bad_arguments_are_refused() -> None:
    x = features(10, 4)
    with pytest.raises(ValueError, match="method"):
        frechet_distance(x, (np.zeros(4), np.eye(4)), method="sqrtm")
    with pytest.raises(ValueError, match="preset"):
        frechet_distance(FeatureStats(4, preset="a").update(x), FeatureStats(4, preset="b").update(x))


# ---- statistics ----


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(2, 1), (9, 5), (700, 33), (9000, 3)])
def test_stats_equal_numpy(each_isa: str, dtype: type, shape: tuple[int, int]) -> None:
    x = features(*shape).astype(dtype)
    stats = FeatureStats(shape[1]).update(x)
    wide = x.astype(np.float64)
    assert stats.count == len(x)
    assert_allclose(stats.mean, wide.mean(axis=0), rtol=0, atol=1e-15 * np.abs(wide).max() * 4)
    for ddof in (0, 1):
        exact = np.atleast_2d(np.cov(wide.T, ddof=ddof))
        # mean squares are removed after summing: a few eps of the second moment
        assert_allclose(stats.cov(ddof), exact, rtol=0, atol=3e-15 * (wide**2).mean(axis=0).max() * 4)
    cov = stats.cov()
    assert_array_equal(cov, cov.T)


@pytest.mark.property
def test_any_order_of_blocks_and_merges_gives_the_same_bits() -> None:
    x = features(1000, 24, dtype=np.float32)
    blocks = np.split(x, [10, 300, 301, 650])
    forward = FeatureStats(24)
    for block in blocks:
        forward.update(block)
    rng = np.random.default_rng(0)
    for _ in range(5):
        order = rng.permutation(len(blocks))
        half = int(rng.integers(1, len(blocks)))
        parts = []
        for some in (order[:half], order[half:]):
            part = FeatureStats(24)
            for i in some:
                part.update(blocks[i])
            parts.append(FeatureStats.from_bytes(part.to_bytes()))
        merged = parts[0].merge(parts[1])
        assert merged.count == 1000
        assert_array_equal(merged.mean, forward.mean)
        assert_array_equal(merged.cov(), forward.cov())
    whole = FeatureStats(24).update(x)
    assert_allclose(whole.cov(), forward.cov(), rtol=0, atol=4e-15 * (x.astype(float) ** 2).mean(axis=0).max())


@pytest.mark.property
def test_strides_shift_and_single_rows() -> None:
    x = features(200, 12)
    exact = np.cov(x.T)
    read_only = x.copy()
    read_only.setflags(write=False)
    for view in (np.asfortranarray(x), x[::-1], read_only, np.repeat(x, 2, axis=1)[:, ::2]):
        assert_allclose(FeatureStats(12).update(view).cov(), exact, rtol=0, atol=1e-14)
    rows = FeatureStats(12)
    for row in x:
        rows.update(row)
    assert_allclose(rows.cov(), exact, rtol=0, atol=1e-14)
    far = x + 1e6
    assert_allclose(FeatureStats(12, shift=far[0]).update(far).cov(), np.cov(far.T), rtol=1e-8, atol=1e-9)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (np.ones((2, 4)), ValueError),
        (np.array([[1.0, np.inf, 0.0]]), ValueError),
        (np.ones((0, 3)), ValueError),
        (np.ones((2, 3), int), TypeError),
        (np.ones((2, 3), complex), TypeError),
        ([[1.0, 2.0, None]], TypeError),
        ([[1.0, 2.0], [3.0]], ValueError),
        (np.ones((2, 3, 1)), ValueError),
    ],
    ids=["wide", "infinite", "empty", "integers", "complex", "None", "ragged", "three axes"],
)
def test_stats_refuse_bad_input_and_keep_their_state(bad: list[Any] | np.ndarray, error: type[Exception]) -> None:
    stats = FeatureStats(3).update(np.ones((2, 3)))
    before = stats.to_bytes()
    with pytest.raises(error):
        stats.update(bad)
    assert stats.to_bytes() == before


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: FeatureStats(3).update(np.ones((2, 3))).merge(FeatureStats(4)), ValueError, "4 features"),
        (
            lambda: FeatureStats(3).update(np.ones((2, 3))).merge(FeatureStats(3, shift=np.ones(3))),
            ValueError,
            "shifts",
        ),
        (lambda: FeatureStats(3).update(np.ones((2, 3))).merge(3), TypeError, "other=3 must be a FeatureStats"),
        (lambda: FeatureStats(3).update(np.ones((1, 3))).cov(), ValueError, "ddof"),
        (lambda: FeatureStats(3).mean, ValueError, "no features"),
        (lambda: FeatureStats(10**9), ValueError, r"dim=1000000000 takes sums of 1\.6e\+10 GB"),
        (lambda: FeatureStats(0), ValueError, "dim"),
        (lambda: FeatureStats(-1), ValueError, "dim"),
        (lambda: FeatureStats(2.5), TypeError, "dim"),
        (lambda: FeatureStats(True), TypeError, "dim"),
        (lambda: FeatureStats(3, shift=np.ones(4)), ValueError, "shift"),
        (lambda: FeatureStats(3, preset=5), TypeError, "preset=5 must be a string"),
        (lambda: FeatureStats(3, weights=5), TypeError, "weights=5 must be a string"),
        (lambda: FeatureStats.from_bytes(b"abc"), ValueError, "is no zip archive: it begins with b'ab"),
    ],
)
def test_stats_refuse_what_they_cannot_be(call: Callable[..., Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()


@pytest.mark.boundary
def test_extremes_of_features_are_refused_and_just_inside_are_right() -> None:
    x, y = features(60, 6), features(60, 6) + 1
    exact = frechet_distance(x, y)
    for scale in (1e200, 1e-200):
        for call in (lambda z: frechet_distance(z, y), lambda z: FeatureStats(6).update(z)):
            with pytest.raises(ValueError, match="within 1e-70 to 1e\\+70"):
                call(x * scale)
    for scale in (1e69, 1e-69):
        for method in METHODS:
            assert_allclose(frechet_distance(x * scale, y * scale, method=method) / scale**2, exact, rtol=1e-8)
    with pytest.raises(TypeError, match=r"a='a.npz' is a path: read statistics by FeatureStats.load"):
        frechet_distance("a.npz", y)


@pytest.mark.boundary
def test_what_cannot_be_saved_is_named_as_given(tmp_path: Path) -> None:
    stats = FeatureStats(3).update(features(5, 3))
    for path in (tmp_path / "none" / "x.npz", tmp_path):
        with pytest.raises(OSError, match=r"such file|folder") as caught:
            stats.save(path)
        assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parity
def test_files_in_every_dialect(tmp_path: Path) -> None:
    x = features(50, 6)
    mu, sigma = x.mean(axis=0), np.cov(x.T)
    stats = FeatureStats(6, preset="pytorch-fid", weights="ab" * 32).update(x)
    path = tmp_path / "own.npz"
    stats.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["own.npz"]
    with np.load(path) as file:  # what pytorch-fid, torch-fidelity, ADM and EDM read
        assert_allclose(file["mu"], mu)
        assert_allclose(file["sigma"], sigma, atol=1e-14)
    again = FeatureStats.load(path)
    assert (again.count, again.preset, again.weights) == (50, "pytorch-fid", "ab" * 32)
    assert_array_equal(again.cov(), stats.cov())
    assert again.to_bytes() == stats.to_bytes() == path.read_bytes()
    foreign = tmp_path / "adm.npz"
    np.savez(foreign, mu=mu, sigma=sigma, mu_s=mu + 1, sigma_s=sigma * 2)
    read = FeatureStats.load(foreign)
    assert read.count is None
    assert_array_equal(read.cov(), (sigma + sigma.T) / 2)
    assert_array_equal(FeatureStats.load(foreign, spatial=True).mean, mu + 1)
    assert_allclose(frechet_distance(read, stats), 0, atol=1e-12)
    assert FeatureStats.from_bytes(read.to_bytes()).count is None
    with pytest.raises(ValueError, match="how many samples"):
        read.update(x)
    with pytest.raises(ValueError, match="ddof"):
        read.cov(ddof=0)
    counted = FeatureStats.from_moments(mu, sigma, count=50)
    assert_allclose(counted.merge(FeatureStats(6).update(x)).cov(ddof=0), np.cov(x.T, ddof=0), atol=1e-13)


def saved(value: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, value)
    return file.getvalue()


def saved_as(**fields: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **fields)
    return file.getvalue()


def without_scatter(data: Any) -> Any:
    missing = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(missing, "w") as target:
        for name in source.namelist():
            if name != "scatter.npy":
                target.writestr(name, source.read(name))
    return missing.getvalue()


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda data: data[:0], "truncated"),
        (lambda data: data[:10], "truncated"),
        (lambda data: data[: len(data) // 2], "truncated"),
        (lambda data: data[: len(data) - 30], "truncated"),
        (lambda data: saved(np.zeros(3)), "one array"),
        (lambda data: saved_as(mu=np.array([{}], dtype=object), sigma=np.eye(1)), "readable"),
        (without_scatter, "scatter"),
    ],
)
def test_damaged_files_are_refused(damage: Callable[..., Any], match: str) -> None:
    data = damage(FeatureStats(6).update(features(50, 6)).to_bytes())
    with pytest.raises(ValueError, match=match):
        FeatureStats.from_bytes(data)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"mean": np.zeros(3)}, "'mu' and 'sigma'"),
        ({"mu": np.zeros(3), "sigma": np.eye(4)}, "shape"),
        ({"mu": np.zeros(2), "sigma": np.array([[1.0, 2.0], [0.0, 1.0]])}, "not symmetric"),
        ({"mu": np.zeros(2), "sigma": np.full((2, 2), np.nan)}, "NaN"),
        ({"format": "pixelgauge-feature-stats-9", "dim": 2}, "format"),
    ],
)
def test_files_of_other_fields_are_refused(tmp_path: Path, fields: dict[str, Any], match: str) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **fields)
    with pytest.raises(ValueError, match=match):
        FeatureStats.load(path)


@pytest.mark.boundary
def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FeatureStats.load(tmp_path / "none.npz")


@pytest.mark.property
def test_import_stays_light() -> None:
    code = "import sys, pixelgauge; print([m for m in ('scipy', 'onnxruntime', 'PIL', 'torch') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
