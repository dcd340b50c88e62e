"""The Fréchet distance against exact fractions: its bound holds at every offset, equal sets are at 0, none is negative."""

from __future__ import annotations

import io
import math
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import pixelgauge
from pixelgauge import FeatureStats, frechet_distance, trace_sqrt_product
from pixelgauge.distribution.frechet import METHODS

Moments = tuple[list[Fraction], list[list[Fraction]]]


def exact_moments(x: np.ndarray) -> Moments:
    """Mean and covariance of (N, 1) or (N, 2) features in fractions."""
    columns = [[Fraction(float(v)) for v in column] for column in x.T]
    n = len(x)
    mean = [sum(column, Fraction(0)) / n for column in columns]
    centred = [[v - m for v in column] for column, m in zip(columns, mean, strict=True)]
    return mean, [
        [sum((p * q for p, q in zip(a, b, strict=True)), Fraction(0)) / (n - 1) for b in centred] for a in centred
    ]


def as_decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def exact_distance(x: np.ndarray, y: np.ndarray) -> Decimal:
    """Of one or two features, to 60 digits: (Tr (AB)^1/2)^2 = Tr AB + 2 (det A det B)^1/2 for two."""
    (mean_x, a), (mean_y, b) = exact_moments(x), exact_moments(y)
    dim = len(mean_x)
    with localcontext() as context:
        context.prec = 80
        product = sum(a[i][k] * b[k][i] for i in range(dim) for k in range(dim))
        root = as_decimal(Fraction(product))
        if dim == 2:
            dets = [c[0][0] * c[1][1] - c[0][1] * c[1][0] for c in (a, b)]
            root += 2 * as_decimal(dets[0] * dets[1]).sqrt()
        rest = sum((p - q) ** 2 for p, q in zip(mean_x, mean_y, strict=True)) + sum(
            a[i][i] + b[i][i] for i in range(dim)
        )
        return as_decimal(Fraction(rest)) - 2 * root.sqrt()


def error_of(distance: float, exact: Decimal) -> float:
    return float(abs(Decimal(distance) - exact))


def distance_or_lost(a: Any, b: Any, method: Any) -> tuple[float, pixelgauge.FrechetInfo] | None:
    """Distance with its bound; None where the moments have lost it, and an error names `shift`."""
    try:
        return frechet_distance(a, b, method=method, return_info=True)
    except ValueError as error:
        message = str(error)
    assert "Give FeatureStats a shift= near their mean" in message
    return None


SHAPES = {
    "plain": lambda x: x, "correlated": lambda x: np.stack([x[:, 0], x[:, 0] + 1e-4 * x[:, -1]], axis=1),
    "singular": lambda x: np.stack([x[:, 0], x[:, 0]], axis=1), "one feature": lambda x: x[:, :1],
    "unequal": lambda x: x * [1, 1e-3], "constant": lambda x: np.zeros_like(x) + 1 / 3,
}  # fmt: skip


@pytest.mark.oracle
@pytest.mark.parametrize("offset", [0, 1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [2, 5, 100])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_bound_holds_at_every_offset(offset: float, shape: str, n: int, dtype: type) -> None:
    rng = np.random.default_rng([int(offset), n])
    x = (SHAPES[shape](rng.standard_normal((n, 2))) + offset).astype(dtype)
    # the other set is never constant, so that there is a scale
    y = (SHAPES["plain" if shape == "constant" else shape](0.7 * rng.standard_normal((n, 2))) + 0.3 + offset).astype(
        dtype
    )
    exact, dim = exact_distance(x, y), x.shape[1]
    near = np.full(dim, offset) + 0.125
    for shift in (None, near):
        stats = [FeatureStats(dim, shift=shift).update(z) for z in (x, y)]
        for method in METHODS:
            found = distance_or_lost(*stats, method=method)
            if found is None:  # said: only far from zero, and only where no shift was given
                assert shift is None
                assert offset >= 100
                continue
            distance, info = found
            assert distance >= 0
            assert error_of(distance, exact) <= info.bound
            if offset >= 1e6 and np.ptp(x) > 0 and np.ptp(y) > 0:
                assert shift is not None
            if shift is not None:
                assert error_of(distance, exact) <= 1e-9 * max(1, float(exact)) or offset > 1e6
    distance, info = frechet_distance(x, y, return_info=True)
    assert error_of(distance, exact) <= info.bound
    assert frechet_distance(x, y) == distance


@pytest.mark.oracle
@pytest.mark.parametrize("value", [0.1, 1 / 3, 100 / 3, 1e3 / 7])
@pytest.mark.parametrize("spread", [0, 1e-6, 1e-2])
def test_rounding_to_one_side_stays_within_the_bound(value: float, spread: float) -> None:
    # sums of equal terms round all to one side: 400 units at 3072 terms
    x = value + spread * np.random.default_rng(3).standard_normal((6200, 2))
    stats = FeatureStats(2).update(x)
    mean, cov = exact_moments(x)
    of_cov, of_mean = stats.rounding()
    found = stats._covariance()  # the public one refuses what this has lost
    off = math.sqrt(sum((Fraction(float(found[i, j])) - cov[i][j]) ** 2 for i in range(2) for j in range(2)))
    assert off <= of_cov
    assert math.sqrt(sum((Fraction(float(m)) - e) ** 2 for m, e in zip(stats.mean, mean, strict=True))) <= of_mean
    assert of_cov <= 4e-12 * value**2


@pytest.mark.boundary
def test_the_shift_is_named_and_never_chosen() -> None:
    rng = np.random.default_rng(4)
    x, y = (rng.standard_normal((500, 8)) + 1e8 for _ in "xy")
    far = [FeatureStats(8).update(z) for z in (x, y)]
    good = [FeatureStats(8, shift=np.full(8, 1e8)).update(z) for z in (x, y)]
    exact = frechet_distance(x, y)
    assert frechet_distance(*good) == pytest.approx(exact, rel=1e-5)
    # alone, with the good one on either side, from bytes, merged, and from the counted moments of the good one
    again = FeatureStats.from_bytes(far[0].to_bytes())
    merged = FeatureStats(8).update(x[:200]).merge(FeatureStats(8).update(x[200:]))
    from_moments = FeatureStats.from_moments(good[0].mean, good[0].cov(), count=500).update(x)
    for a, b, name in ((far[0], far[1], "a"), (far[0], good[1], "a"), (good[0], far[1], "b"), (again, good[1], "a"),
                       (merged, far[1], "a"), (from_moments, good[1], "a"), (good[1], merged, "b"),
                       (far[0], y, "a"), (far[0], (good[1].mean, good[1].cov()), "a")):  # fmt: skip
        for method in METHODS:
            with pytest.raises(ValueError, match=rf"^{name}: .*Give FeatureStats a shift= near their mean"):
                frechet_distance(a, b, method=method)
    for state in (*far, merged):
        assert not state._shift.any()
    # moments that are given are what they are
    assert frechet_distance((good[0].mean, good[0].cov()), (good[1].mean, good[1].cov())) == pytest.approx(
        exact, rel=1e-5
    )


@pytest.mark.boundary
@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_no_lost_covariance_is_handed_on(offset: float, tmp_path: Path) -> None:
    x = np.random.default_rng(6).random((50, 3)) + offset
    stats = FeatureStats(3).update(x)
    merged = FeatureStats(3).update(x[:20]).merge(FeatureStats(3).update(x[20:]))
    for state in (stats, merged, FeatureStats.from_bytes(stats.to_bytes())):
        for ddof in (0, 1):
            with pytest.raises(ValueError, match=r"^cov\(\): .*Give FeatureStats a shift= near their mean"):
                state.cov(ddof)
        with pytest.raises(ValueError, match=r"^save\(\): .*Give FeatureStats a shift= near their mean"):
            state.save(tmp_path / "a.npz")
        assert list(tmp_path.iterdir()) == []
        # the sums stay writable, and say nothing that another program would believe
        data = state.to_bytes()
        assert FeatureStats.from_bytes(data).to_bytes() == data
        with np.load(io.BytesIO(data)) as file:
            assert not {"mu", "sigma"} & set(file)
    near = FeatureStats(3, shift=[offset] * 3).update(x)
    near.save(tmp_path / "a.npz")
    for state in (near, FeatureStats.load(tmp_path / "a.npz")):
        for ddof in (0, 1):
            np.testing.assert_allclose(state.cov(ddof), np.cov((x - offset).T, ddof=ddof), rtol=1e-12)
    # moments that are given are exact, for any ddof
    given = FeatureStats.from_moments(near.mean, near.cov(), count=50)
    np.testing.assert_allclose(given.cov(0), near.cov(0), rtol=1e-14)


@pytest.mark.boundary
def test_sums_without_moments_are_read_only_where_they_are_lost() -> None:
    kept = FeatureStats(2).update(np.random.default_rng(7).random((9, 2)))
    fields = {name: value for name, value in kept._fields().items() if name not in ("mu", "sigma")}
    data = io.BytesIO()
    np.savez(data, **fields)
    with pytest.raises(ValueError, match="holds neither mu nor sigma, and its sums have not lost them"):
        FeatureStats.from_bytes(data.getvalue())


@pytest.mark.property
@pytest.mark.parametrize("value", [0.0, -0.0, 0.1, 1 / 3, 1e8 / 3])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shift", [None, 0.3])
def test_one_sample_over_and_over_has_no_covariance(
    value: float, dtype: type, shift: float | None, tmp_path: Path
) -> None:
    if dtype is np.float16:
        value = min(value, 6e4)
    row = np.array([value, 1, value, -2.7], dtype)

    def empty() -> FeatureStats:
        return FeatureStats(4, shift=None if shift is None else [shift] * 4)

    x = np.tile(row, (5000, 1))
    states = [empty().update(x), empty().update(x[:1]).update(x[1:]), empty().merge(empty().update(x)),
              empty().update(x[:7]).merge(empty()).merge(empty().update(x[7:]))]  # fmt: skip
    states[0].save(tmp_path / "a.npz")
    states += [FeatureStats.load(tmp_path / "a.npz"), FeatureStats.from_bytes(states[1].to_bytes())]
    states += [FeatureStats.from_bytes(empty().update(x[:2]).to_bytes()).merge(states[0])]
    for state in states:
        assert np.array_equal(state.mean, row.astype(np.float64))
        for ddof in (0, 1):
            assert not state.cov(ddof).any()
        assert state.rounding() == (0, 0)
        assert frechet_distance(state, x[:9]) == 0
        other = FeatureStats.from_bytes(state.to_bytes()).update(row[np.newaxis] + dtype(1))
        assert other.cov().any() if abs(value) < 1e4 else other._covariance().any()
    late = x[:300].copy()
    late[150, 1] += dtype(0.5)
    assert empty().update(late)._constant is None


@pytest.mark.boundary
@pytest.mark.parametrize("n", [2, 3, 4, 5, 400])
@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e8 / 3])
def test_equal_constants_of_other_sizes_are_at_zero(n: int, value: float) -> None:
    x, y = np.full((n, 3), value), np.full((7, 3), value)
    for a in (x, FeatureStats(3).update(x)):
        for b in (y, FeatureStats(3).update(y)):
            assert frechet_distance(a, b) == 0
            assert frechet_distance(b, a) == 0


@pytest.mark.boundary
def test_lost_features_are_told_what_helps_them() -> None:
    # the mean of so many that are so far is off by more than the one step that a single row takes
    x = np.full((20001, 1), 1e8 + 1 / 3)
    x[7] = np.nextafter(x[7], np.inf)
    y = np.full((3, 1), x[0, 0])
    try:
        distance, info = frechet_distance(x, y, return_info=True)
    except ValueError as error:
        assert "Subtract one vector near their mean from the features of both" in str(error)  # noqa: PT017
        assert "FeatureStats" not in str(error)  # noqa: PT017
    else:
        assert error_of(distance, exact_distance(x, y)) <= info.bound


@pytest.fixture
def two_samples() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    return rng.random((9, 3)), rng.random((8, 3))


@pytest.mark.oracle
def test_lists_of_numbers_are_read(two_samples: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = two_samples
    mean, cov = y.mean(axis=0), np.cov(y.T)
    exact = frechet_distance(x, y)
    assert frechet_distance(x.tolist(), y.tolist()) == exact
    assert frechet_distance(list(x), [tuple(row) for row in y]) == exact
    of_moments = frechet_distance(x, (mean, cov))
    for pair in ((mean.tolist(), cov), (mean, cov.tolist()), (tuple(mean), list(cov))):
        assert frechet_distance(x, pair) == of_moments
    assert np.allclose(pixelgauge.sqrtm_psd([[4.0, 0.0], [0, 9]]), np.diag([2.0, 3.0]), rtol=1e-14)
    assert trace_sqrt_product([[4, 0], [0, 9]], np.eye(2)) == pytest.approx(5, rel=1e-14)
    assert pixelgauge.kernel_distance(x.tolist(), y, subset_size=8) == pixelgauge.kernel_distance(x, y, subset_size=8)
    stats = FeatureStats(3, shift=[1, 2, 3]).update(x.tolist()).update(list(y[0]))
    assert np.array_equal(stats.cov(), FeatureStats(3, shift=np.arange(1.0, 4)).update(x).update(y[0]).cov())


@pytest.mark.boundary
def test_a_list_of_moments_is_named(two_samples: tuple[np.ndarray, np.ndarray]) -> None:
    _, y = two_samples
    with pytest.raises(TypeError, match=r"^a is a list of a mean and a covariance: give them as a tuple"):
        frechet_distance([y.mean(axis=0), np.cov(y.T)], y)


@pytest.mark.boundary
@pytest.mark.parametrize(("bad", "error", "message"), [
    ([[1.0, 2.0], [3.0]], ValueError, r"a is a list of parts of shapes \(1,\) and \(2,\)"),
    ([[1.0, "2"]], TypeError, r"a\[0\]\[1\]='2' is no real number"),
    ([[1.0, None]], TypeError, r"a\[0\]\[1\]=None is no real number"),
    ([[1.0, True]], TypeError, r"a\[0\]\[1\]=True is no real number"),
    ([[1.0, 2j]], TypeError, r"a\[0\]\[1\]=2j is no real number"),
    ([[1.0, np.ma.masked]], TypeError, "masked"),
    ([np.ma.array([1.0, 2.0], mask=[0, 1])], TypeError, "masked"),
    ([[1, 2], [3, 4]], TypeError, "dtype int64"), ([], ValueError, r"shape \(0,\)"),
])  # fmt: skip
def test_other_lists_are_named(
    two_samples: tuple[np.ndarray, np.ndarray], bad: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        frechet_distance(bad, two_samples[1])


@pytest.mark.boundary
def test_states_are_read_from_any_view_of_bytes() -> None:
    histogram = pixelgauge.RankingHistogram([0.0, 0.5, 1.0])
    for state in (FeatureStats(2).update(np.ones((3, 2))), histogram):
        data = state.to_bytes()
        spaced = bytearray(2 * len(data))
        spaced[::2] = data
        for view in (memoryview(data), memoryview(spaced)[::2], bytearray(data)):
            assert type(state).from_bytes(view).to_bytes() == data
        with pytest.raises(ValueError, match="begins with b'aaaa'"):
            type(state).from_bytes(memoryview(b"ab" * 50)[::2])
        gone = memoryview(data)
        gone.release()
        with pytest.raises(ValueError, match="data is a memoryview that cannot be read"):
            type(state).from_bytes(gone)


@pytest.mark.boundary
def test_indefinite_moments_are_no_rounding() -> None:
    good = (np.zeros(4), np.eye(4))
    turned = np.eye(4)
    turned[0, 0] = -1e-3
    for cov in (-np.eye(4), turned):
        for method in METHODS:
            with pytest.raises(ValueError, match="not positive semi-definite"):
                frechet_distance((np.zeros(4), cov), good, method=method)
        with pytest.raises(ValueError, match=r"statistics has a covariance that is not positive semi-definite"):
            FeatureStats.from_moments(np.zeros(4), cov)
    # of which the diagonal says nothing
    indefinite = np.eye(4)
    indefinite[0, 1] = indefinite[1, 0] = 2
    stats = FeatureStats.from_moments(np.zeros(4), indefinite)
    for moments in ((np.zeros(4), indefinite), stats):
        for method in METHODS:
            with pytest.raises(ValueError, match="not positive semi-definite"):
                frechet_distance(moments, good, method=method)


@pytest.mark.property
def test_a_collapsed_set_is_no_lost_one() -> None:
    # one image over and over: its covariance is 0, and the distance that of the means and the other's trace
    rng = np.random.default_rng(5)
    y = rng.random((400, 16))
    for value in (0.0, 0.37, 1 / 3):
        for n in (2, 5000):
            x = np.full((n, 16), value)
            expected = ((y.mean(axis=0) - value) ** 2).sum() + y.var(axis=0, ddof=1).sum()
            for a in (FeatureStats(16).update(x), x):
                distance, info = frechet_distance(a, y, return_info=True)
                assert abs(distance - expected) <= info.bound + 1e-13
                assert distance == pytest.approx(expected, rel=1e-12)
            assert frechet_distance(FeatureStats(16).update(x), FeatureStats(16).update(x)) == 0


@pytest.mark.property
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(2, 1), (2, 5), (5, 2), (7, 40), (120, 90), (400, 320)])
def test_identical_sets_are_at_zero(method: Any, shape: tuple[int, int], tmp_path: Any) -> None:
    if shape[0] == 400 and method != "auto":
        pytest.skip("the size is that at which auto takes eigenvalues: the methods are the same code at 90")
    x = np.random.default_rng(6).standard_normal(shape) * np.linspace(1e-3, 30, shape[1]) + 0.4
    dim = shape[1]
    stats = FeatureStats(dim).update(x)
    stats.save(tmp_path / "x.npz")
    np.savez(tmp_path / "y.npz", mu=stats.mean, sigma=stats.cov())
    for a, b in (
        (x, x), (x, x.copy()), (x, np.asfortranarray(x)), (x[::-1], x[::-1].copy()), (stats, stats),
        (stats, FeatureStats(dim).update(x.copy())), (stats, FeatureStats.load(tmp_path / "x.npz")),
        (stats, FeatureStats.load(tmp_path / "y.npz")), (stats, (stats.mean, stats.cov())),
        ((stats.mean, stats.cov()), (stats.mean.copy(), stats.cov().T)), (x.astype(np.float32), x.astype(np.float32)),
        (x.astype(np.float32), x.astype(np.float32).astype(float)), (x, np.repeat(x, 2, axis=1)[:, ::2]),
    ):  # fmt: skip
        assert frechet_distance(a, b, method=method) == 0
        distance, info = frechet_distance(a, b, method=method, return_info=True)
        assert (distance, info.mean_term, info.trace_term) == (0, 0, 0)
        assert info.bound < 1e-5 * max(1, x.var(axis=0).sum())
    # the same samples in another order, or in other blocks, are near 0 and never below
    blocks = FeatureStats(dim).update(x[:1]).update(x[1:])
    for a, b in ((x, x[::-1]), (stats, blocks), (x, stats), (stats, x[::-1]), (x, x + 1e-9)):
        distance, info = frechet_distance(a, b, method=method, return_info=True)
        assert 0 <= distance <= info.bound + 1e-12


@pytest.mark.property
@given(
    st.integers(2, 6), st.integers(1, 4), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 37.5]),
    st.sampled_from([1.0, 1e-3, 1e-8, 0.0]), st.sampled_from(METHODS),
)  # fmt: skip
def test_no_distance_is_negative(n: int, dim: int, seed: int, offset: float, moved: float, method: Any) -> None:
    rng = np.random.default_rng(seed)
    x = np.round(rng.standard_normal((n, dim)), 1) + offset
    y = x + moved * rng.standard_normal((n, dim))
    sides = [(x, y)]
    if n > 1:
        sides.append(tuple(FeatureStats(dim).update(z) for z in (x, y)))  # type: ignore[arg-type]
    for a, b in sides:
        found = distance_or_lost(a, b, method)
        if found is None:  # two sets of one point each, closer to each other than their squares tell
            assert isinstance(a, FeatureStats)
            assert 0 < moved < 1
            continue
        distance, info = found
        assert distance >= 0
        assert info.trace_term >= 0
        if moved == 0:
            assert distance == 0
        assert trace_sqrt_product(np.atleast_2d(np.cov(x.T)), np.atleast_2d(np.cov(x.T)), method="svd") >= 0


@pytest.mark.property
@pytest.mark.parametrize("method", METHODS)
def test_traces_of_roots_are_not_negative(method: Any) -> None:
    for size in (1, 5, 70, 310):
        zero, one = np.zeros((size, size)), np.eye(size)
        low = np.zeros((size, size))
        low[0, 0] = 1e-300
        for a, b, value in ((zero, zero, 0), (zero, one, 0), (one, zero, 0), (one, one, size), (low, low, 1e-300)):
            found = trace_sqrt_product(a, b, method=method)
            assert found >= 0
            assert found == pytest.approx(value, rel=1e-12)


@pytest.mark.property
def test_intervals_and_extrapolations_are_not_negative() -> None:
    for seed in range(20):
        x, y = np.random.default_rng(seed).standard_normal((2, 60, 3))
        interval = pixelgauge.frechet_interval(x, y, seed=seed)
        assert 0 <= interval.low <= interval.high
        assert interval.distance >= 0
    same = pixelgauge.frechet_interval(x, x)
    assert (same.distance, same.low) == (0, 0)
    for seed in range(20):
        found = pixelgauge.frechet_infinity(
            (np.zeros(4), np.eye(4)), np.random.default_rng(seed).standard_normal((600, 4))
        )
        assert 0 <= found.distance < 0.1
    # subsets of fewer samples than features: the line means nothing, and a zero would hide it
    x = np.random.default_rng(0).standard_normal((1000, 256))
    with pytest.raises(ValueError, match=r"1000 samples of 256 features: .* takes 5120 samples: .*smallest="):
        pixelgauge.frechet_infinity((np.full(256, 0.1), np.eye(256)), x)
    with pytest.raises(ValueError, match=r"smallest=100 must be above the 256 features"):
        pixelgauge.frechet_infinity((np.full(256, 0.1), np.eye(256)), x, smallest=100)


@pytest.mark.property
@given(st.integers(1, 6), st.integers(1, 8), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e-9, 1.0, 60.0]))
def test_inception_scores_lie_from_one_to_the_classes(splits: int, classes: int, seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    n = splits * int(rng.integers(1, 6))
    logits = scale * rng.standard_normal((n, classes))
    if seed % 3 == 0:
        logits = scale * np.eye(classes)[np.arange(n) % classes]
    found = pixelgauge.inception_score(logits, splits=splits)
    assert 1 <= found.mean <= classes
    assert found.std >= 0


@pytest.mark.property
def test_kernel_distances_of_equal_sets_may_be_negative() -> None:
    # the estimate is unbiased: of two subsets of one set it must fall on both sides of 0
    x = np.random.default_rng(7).standard_normal((200, 8))
    assert pixelgauge.kernel_distance(x, x, subsets=20, subset_size=100).mean < 0


@pytest.mark.property
@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(1, 5), st.integers(0, 2**32 - 1), st.data())
def test_merged_statistics_are_those_of_one_pass(sizes: list[int], dim: int, seed: int, data: st.DataObject) -> None:
    assume(sum(sizes) > 1)
    blocks = [np.random.default_rng([seed, k]).standard_normal((n, dim)) * 10 for k, n in enumerate(sizes)]
    whole = FeatureStats(dim)
    for block in blocks:
        whole.update(block)
    parts = [FeatureStats(dim).update(block) for block in data.draw(st.permutations(blocks))]
    while len(parts) > 1:
        k = data.draw(st.integers(0, len(parts) - 2))
        parts[k].merge(FeatureStats.from_bytes(parts.pop(k + 1).to_bytes()))
    assert parts[0].count == whole.count
    np.testing.assert_array_equal(parts[0].mean, whole.mean)
    np.testing.assert_array_equal(parts[0].cov(), whole.cov())


@pytest.mark.property
def test_a_variance_that_rounding_made_negative_counts_as_none() -> None:
    cov = np.diag([1.0, -1e-9, 2.0])
    kept = cov.copy()
    assert np.array_equal(FeatureStats.from_moments(np.zeros(3), cov).cov(), np.diag([1.0, 0.0, 2.0]))
    assert np.array_equal(cov, kept)
