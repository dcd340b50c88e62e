"""The interval of the Fréchet distance: its extrapolation, its variance against differences of the distance, its refusals."""

from __future__ import annotations

import contextlib
import itertools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import pixelgauge
from pixelgauge import FeatureStats, frechet_distance, frechet_infinity, frechet_interval
from pixelgauge.distribution.block_design import (
    BLOCKS,
    DESIGNS,
    WEIGHTS,
    BlockMoments,
    extrapolation_weights,
    pairs_met,
)
from pixelgauge.distribution.frechet_influence import Influence
from pixelgauge.distribution.score_test import Orders, ScoreTest, skewed_quantile


def sets(n: int, m: int, dim: int, seed: int = 0, gap: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((dim, dim)) / math.sqrt(dim) + np.eye(dim)
    return rng.exponential(size=(n, dim)) @ mix, rng.standard_normal((m, dim)) + gap


def weighted_moments(x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = weights @ x
    return mean, ((x - mean).T * weights) @ (x - mean)


def distance_of(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    """The formula, by eigenvalues."""
    values, vectors = np.linalg.eigh(a[1])
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    trace = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b[1] @ root), 0)).sum()
    return float(((a[0] - b[0]) ** 2).sum() + np.trace(a[1]) + np.trace(b[1]) - 2 * trace)


# ---- the extrapolation ----


@pytest.mark.property
def test_every_two_blocks_meet_equally_often() -> None:
    for subsets in DESIGNS:
        assert len(set(pairs_met(subsets).values())) == 1
        held = [sum(block in subset for subset in subsets) for block in range(BLOCKS)]
        assert len(set(held)) == 1
        assert len({len(subset) for subset in subsets}) == 1


@pytest.mark.oracle
def test_weights_take_out_three_terms_and_keep_the_rest_small() -> None:
    nodes = np.array([BLOCKS / len(subsets[0]) for subsets in DESIGNS])
    weights = np.array(WEIGHTS)
    assert_allclose(weights, np.linalg.solve(np.vander(nodes, increasing=True).T, [1, 0, 0, 0]), rtol=1e-12)
    assert_allclose([weights @ nodes**power for power in range(4)], [1, 0, 0, 0], atol=1e-13)
    assert weights @ nodes**4 == pytest.approx(-np.prod(nodes))
    assert_allclose(extrapolation_weights([1, 2]), [2, -1])


@pytest.mark.oracle
def test_moments_of_subsets_are_those_of_their_samples() -> None:
    x = sets(100, 1, 5)[0] + 1e5
    order = np.random.default_rng(1).permutation(100)
    blocks = BlockMoments(x, order)
    rows = np.array_split(order, BLOCKS)
    for subset in itertools.chain(*DESIGNS):
        chosen = x[np.concatenate([rows[block] for block in subset])]
        mean, cov = blocks.moments(subset)
        assert_allclose(mean, chosen.mean(axis=0), rtol=1e-14)
        assert_allclose(cov, np.cov(chosen.T), rtol=0, atol=1e-13 * np.trace(cov))


@pytest.mark.oracle
def test_the_estimate_is_the_weighted_sum_of_distances_of_subsets() -> None:
    x, y = sets(130, 130, 3)
    found = frechet_interval(x, y, seed=5)
    rows = np.array_split(np.random.default_rng(5).permutation(130), BLOCKS)
    averages = []
    for subsets in DESIGNS:
        chosen = [np.concatenate([rows[block] for block in subset]) for subset in subsets]
        averages.append(np.mean([frechet_distance(x[at], y[at]) for at in chosen]))
    # weights of up to 36 on distances that differ by roundings of their traces
    assert found.corrected == pytest.approx(np.dot(WEIGHTS, averages), rel=1e-11)
    assert found.distance == frechet_distance(x, y)


@pytest.mark.property
@pytest.mark.parametrize(("dim", "n"), [(3, 60), (20, 400)])
def test_the_bias_is_gone(dim: int, n: int) -> None:
    found = []
    for seed in range(60):
        x, y = np.random.default_rng(seed).standard_normal((2, n, dim))
        found.append(frechet_interval(x, y + 0.3))
    distance, corrected = (np.array([getattr(of, name) for of in found]) for name in ("distance", "corrected"))
    truth, error = dim * 0.09, corrected.std() / math.sqrt(60)
    assert abs(corrected.mean() - truth) < 3 * error
    assert distance.mean() - truth > 5 * error


# ---- the variance ----


@pytest.mark.oracle
def test_influence_equals_the_derivative_in_the_weights() -> None:
    x, y = sets(40, 50, 4)
    first, second = (weighted_moments(z, np.full(len(z), 1 / len(z))) for z in (x, y))
    influence = Influence(first, second)
    step = 1e-5
    for side, z, other in ((0, x, second), (1, y, first)):
        values = influence._influence(side, *influence._coordinates(side, z))
        values -= values.mean()
        for i in (0, 7, 39):
            ends = []
            for sign in (1, -1):
                weights = np.full(len(z), (1 - sign * step) / len(z))
                weights[i] += sign * step
                ends.append(distance_of(weighted_moments(z, weights), other))
            # the difference is off by the third derivative times the square of the step, and eigenvalues by 1e-15 / step
            assert values[i] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5, abs=1e-8)


@pytest.mark.oracle
def test_second_order_equals_the_mixed_derivative_of_equal_populations() -> None:
    # Where the map between the two is the identity the second order is all there is; of others the map's own
    # derivative comes in, but not into what varies about it.
    x = sets(60, 1, 3)[0]
    moments = weighted_moments(x, np.full(60, 1 / 60))
    influence = Influence(moments, moments)
    off, q = influence._coordinates(0, x)
    step = 1e-3
    for i, j in ((0, 1), (5, 17), (30, 59)):
        corners = []
        for u, v in itertools.product((step, -step), repeat=2):
            weights = np.full(60, (1 - u - v) / 60)
            weights[i] += u
            weights[j] += v
            corners.append(distance_of(weighted_moments(x, weights), moments))
        mixed = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * step * step)
        found = influence._pairs(off[[i]], q[[i]], off[[j]], q[[j]])[0]
        # the distance is the second order times two products of samples with each other
        assert 2 * found == pytest.approx(mixed, rel=1e-3, abs=1e-3)


@pytest.mark.oracle
def test_pairs_are_averaged_over_all_of_a_small_set() -> None:
    x, y = sets(30, 20, 4)
    influence = Influence(*(weighted_moments(z, np.full(len(z), 1 / len(z))) for z in (x, y)))
    spread = influence.spread(x, y, np.random.default_rng(0))
    coordinates = [influence._coordinates(side, z) for side, z in enumerate((x, y))]

    values = [influence._influence(side, *coordinates[side]) for side in (0, 1)]
    values = [of - of.mean() for of in values]

    def means(a: int, b: int) -> tuple[float, float]:
        (off, q), (other, r) = coordinates[a], coordinates[b]
        squares, products = [], []
        for i, j in itertools.product(range(len(off)), range(len(other))):
            if a != b or i != j:
                found = influence._pairs(off[[i]], q[[i]], other[[j]], r[[j]])[0]
                squares.append(found**2)
                products.append(found * values[a][i] * values[b][j])
        return float(np.mean(squares)), float(np.mean(products))

    squares, products = zip(means(0, 0), means(1, 1), means(0, 1), strict=True)
    assert_allclose(spread.second, squares, rtol=1e-12)
    # products of both signs cancel
    assert_allclose(spread.mixed, products, rtol=1e-9)
    assert_allclose(spread.third, [np.mean(of**3) for of in values], rtol=1e-12)


@pytest.mark.oracle
def test_the_variance_moves_with_a_sample_as_third_and_mixed_moments_say() -> None:
    # of populations between which the map is the identity, as above; their means differ, so that there is a first order
    x = sets(60, 1, 3)[0]
    even = np.full(60, 1 / 60)
    mean, cov = weighted_moments(x, even)
    other = mean + np.array([1.0, -0.5, 0.2]), cov

    def variance(weights: np.ndarray) -> float:
        influence = Influence(weighted_moments(x, weights), other)
        values = influence._influence(0, *influence._coordinates(0, x))
        return float(weights @ (values - weights @ values) ** 2)

    influence = Influence((mean, cov), other)
    values = influence._influence(0, *influence._coordinates(0, x))
    values -= values.mean()
    step, slopes = 1e-5, []
    for i in range(60):
        ends = [variance((1 - u) * even + u * (np.arange(60) == i)) for u in (step, -step)]
        slopes.append((ends[0] - ends[1]) / (2 * step))
    weighted = influence._weighted(0, *influence._coordinates(0, x))
    # the pairs of a sample with itself belong to this derivative, and not to the mixed moment of a U-statistic
    expected = np.mean(values**3) + 4 * influence._mixed(weighted, weighted)
    assert values @ slopes / 60 == pytest.approx(expected, rel=1e-6)


@pytest.mark.property
def test_the_slope_of_the_variance_is_that_of_repeats() -> None:
    slopes, estimates, variances = [], [], []
    for seed in range(400):
        x, y = np.random.default_rng(seed).exponential(size=(2, 300, 2))
        y = y * [1.6, 0.9]
        spread = Influence(*((z.mean(axis=0), np.cov(z.T)) for z in (x, y))).spread(x, y, np.random.default_rng(0))
        orders = spread.of_sizes(300, 300)
        slopes.append((orders.third + 4 * orders.mixed) / orders.first)
        estimates.append(frechet_distance(x, y))
        variances.append(orders.first)
    seen = np.cov(estimates, variances)[0, 1] / np.var(estimates)
    # third moments of skewed samples come out too low more often than not
    assert 0.6 * seen < np.mean(slopes) < 1.1 * seen
    # variance over estimate, the slope of a noncentral chi-squared variable's, is far from it
    assert np.mean(variances) / np.mean(estimates) < 0.75 * seen


@pytest.mark.property
@pytest.mark.parametrize("gap", [0.0, 0.4])
def test_standard_errors_are_those_of_repeats(gap: float) -> None:
    found = []
    for seed in range(150):
        x, y = np.random.default_rng(seed).standard_normal((2, 300, 8))
        found.append(frechet_interval(x, y + gap, seed=seed))
    errors = np.array([of.standard_error for of in found])
    # of equal populations half of the estimates are held at 0; then the error is compared with what the rest says
    values = np.array([of.corrected for of in found])
    spread = values.std() if gap else math.sqrt(2 * np.mean(values**2))
    # a standard deviation of 150 is off by 6 %
    assert math.sqrt(np.mean(errors**2)) == pytest.approx(spread, rel=0.2)


@pytest.mark.property
def test_the_interval_covers() -> None:
    # bench/distribution/coverage_cells.py asks it of many populations; 170 of 200 are eight standard errors from .95
    held = 0
    for seed in range(200):
        x, y = sets(160, 200, 6, seed=seed, gap=0.0)
        mix = np.random.default_rng(seed).standard_normal((6, 6)) / math.sqrt(6) + np.eye(6)
        truth = distance_of((np.ones(6) @ mix, mix.T @ mix), (np.zeros(6), np.eye(6)))
        found = frechet_interval(x, y)
        held += found.low <= truth <= found.high
    assert held >= 180


# ---- the test ----


@pytest.mark.oracle
def test_skewed_quantiles_are_those_of_chi_squared() -> None:
    stats = pytest.importorskip("scipy.stats")
    for freedom in (1.0, 4.0, 50.0, 1e5):
        skewness = math.sqrt(8 / freedom)
        for probability in (0.9, 0.975, 0.995):
            exact = (stats.chi2.ppf(probability, freedom) - freedom) / math.sqrt(2 * freedom)
            # Wilson and Hilferty are off by 3 % at one degree of freedom
            assert skewed_quantile(stats.norm.ppf(probability), skewness) == pytest.approx(exact, rel=0.04)


@pytest.mark.oracle
def test_the_low_end_of_a_mean_is_johnsons() -> None:
    # of a mean with nothing of second order, to the first order of a small skewness
    z, error, skewness = 1.959963984540054, 0.01, 0.02
    orders = Orders(first=error**2, second=0.0, third=skewness * error**3, mixed=0.0)
    low, high = ScoreTest(1.0, 0.0, orders, 7 / 6).interval(0.95)
    rate = error**2 / 1.0  # of the variance over the estimate: the slope is not less
    assert rate < skewness * error
    johnson = skewness * error * (1 / 6 + z * z / 3)
    assert low == pytest.approx(1 - z * error + johnson, abs=2 * skewness**2 * error)
    # the high end is the score test's alone, which is further
    assert high == pytest.approx(1 + z * error + skewness * error * z * z / 2, abs=2 * skewness**2 * error)


@pytest.mark.oracle
def test_a_noncentral_chi_squared_estimate_has_the_slope_that_is_assumed_at_least() -> None:
    # |mean|^2 of n normal samples of D dimensions
    n, dim, square = 50, 8, 2.0
    second, first = 2 * dim / n**2, 4 * square / n
    plain = ScoreTest(square, dim / n, Orders(first + 2 * second, second, 0.0, 0.0), 1.0)
    known = ScoreTest(square, dim / n, Orders(first + 2 * second, second, 0.0, 4 * square / n**2), 1.0)
    assert known.interval(0.95) == plain.interval(0.95)
    more = ScoreTest(square, dim / n, Orders(first + 2 * second, second, 0.0, 8 * square / n**2), 1.0)
    low, high = more.interval(0.95)
    assert low > plain.interval(0.95)[0]
    assert high > plain.interval(0.95)[1]


@pytest.mark.property
def test_intervals_of_higher_levels_hold_those_of_lower() -> None:
    for estimate, bias, *orders in (
        (1.0, 0.5, 0.1, 0.01, 0.0, 0.0),
        (1.0, 0.5, 0.1, 0.01, 0.02, 0.01),
        (1.0, 0.1, 0.1, 0.0001, 0.2, 0.0),
        (1.0, 0.5, 0.1, 0.01, -0.02, -0.01),
        (0.0, 0.5, 0.1, 0.05, 0.0, 0.01),
        (-1.0, 0.5, 0.1, 0.05, 0.0, 0.0),
        (2, 0, 1, 0, 0, 0),
    ):
        test = ScoreTest(estimate, bias, Orders(*orders), 7 / 6)
        ends = [test.interval(level) for level in (0.5, 0.8, 0.95, 0.999)]
        lows, highs = zip(*ends, strict=True)
        assert list(lows) == sorted(lows, reverse=True)
        assert list(highs) == sorted(highs)
        assert lows[-1] >= 0
        assert test.interval(0.95, clipped=False)[0] <= ends[2][0]
    assert ScoreTest(3.0, 0.0, Orders(0.0, 0.0, 0.0, 0.0), 7 / 6).interval(0.95) == pytest.approx((3.0, 3.0), abs=0)


# ---- inputs ----


@pytest.mark.property
def test_moments_are_a_fixed_reference() -> None:
    x, _ = sets(300, 1, 4)
    reference = np.ones(4), 2 * np.eye(4)
    found = frechet_interval(x, reference)
    # from the other side the same, but for the rounding of a product the other way round
    assert_allclose(frechet_interval(reference, x), found, rtol=1e-9)
    stats = FeatureStats.from_moments(*reference)
    assert_allclose(frechet_interval(x, stats), found, rtol=1e-12)
    # another set's error comes in where that is sampled
    other = np.random.default_rng(1).standard_normal((300, 4)) * math.sqrt(2) + 1
    assert found.standard_error < frechet_interval(x, other).standard_error


@pytest.mark.property
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda x: np.c_[x, x[:, :2]], id="features twice"),
        pytest.param(lambda x: np.c_[x, np.full((len(x), 2), 1 / 3)], id="constant features"),
        pytest.param(lambda x: x @ np.ones((4, 6)), id="one direction"),
    ],
)
def test_singular_covariances(change: Callable[[np.ndarray], np.ndarray]) -> None:
    x, y = (change(z) for z in sets(400, 300, 4))
    found = frechet_interval(x, y)
    # the same features in fewer dimensions: of the range, by an orthogonal basis
    basis = np.linalg.svd(np.vstack([x, y]), full_matrices=False)[2]
    rank = np.linalg.matrix_rank(np.vstack([x, y]))
    fewer = frechet_interval(x @ basis[:rank].T, y @ basis[:rank].T)
    assert_allclose(found, fewer, rtol=1e-6)


@pytest.mark.property
def test_degenerate_sets() -> None:
    x = sets(200, 1, 3)[0]
    same = frechet_interval(x, x)
    assert (same.distance, same.low, same.corrected) == (0, 0, 0)
    assert same.high > 0
    one, two = np.full((64, 3), 1 / 3), np.full((64, 3), 4 / 3)
    assert_allclose(frechet_interval(one, two), [3, 3, 3, 0, 3], rtol=1e-12)
    half = frechet_interval(x, np.full((60, 3), 1 / 3))
    assert half.low < half.corrected < half.high
    assert_allclose(
        frechet_interval(x + 1e7, sets(1, 200, 3)[1] + 1e7), frechet_interval(x, sets(1, 200, 3)[1]), rtol=1e-6
    )
    assert frechet_interval(x[:, :1], x[:, 1:2]).high > 0


@pytest.mark.property
def test_equal_arguments_give_equal_intervals() -> None:
    x, y = sets(200, 260, 5)
    found = frechet_interval(x, y)
    assert found == frechet_interval(x, y)
    assert found != frechet_interval(x, y, seed=1)
    assert found.standard_error == pytest.approx(frechet_interval(x, y, seed=1).standard_error, rel=0.1)
    wide = frechet_interval(x, y, level=0.99)
    assert wide.low < found.low < found.high < wide.high


@pytest.mark.boundary
@pytest.mark.parametrize(("dim", "needed"), [(1, 40), (4, 40), (7, 70), (30, 300)])
@pytest.mark.parametrize("short", ["a", "b"])
def test_too_few_samples_are_refused_by_the_number_that_it_takes(dim: int, needed: int, short: str) -> None:
    x, y = sets(needed, needed, dim)
    few = {"a": (x[:-1], y), "b": (x, y[:-1])}[short]
    message = rf"{short} has {needed - 1} samples of {dim} features: .* takes at least {needed}"
    with pytest.raises(ValueError, match=message) as caught:
        frechet_interval(*few)
    assert caught.value.required == needed  # type: ignore[attr-defined]
    with contextlib.nullcontext() if needed >= 20 * dim else pytest.warns(UserWarning, match="below 20 a feature"):
        found = frechet_interval(x, y)
    assert 0 <= found.low <= found.high < math.inf


@pytest.mark.oracle
def test_case_a11_is_refused_by_the_number_that_it_takes_and_right_with_that() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 640, 64))
    with pytest.raises(ValueError, match=r"a has 100 samples of 64 features: .* takes at least 640"):
        frechet_interval(x[:100], y[:100] + 0.2)
    with pytest.warns(UserWarning, match="has 640 samples of 64 features: below 20 a feature, 1280 here"):
        found = frechet_interval(x, y + 0.2)
    assert found.low < 2.56 < found.high < found.distance


@pytest.mark.boundary
def test_few_samples_are_told_of_each_side_that_has_them() -> None:
    x, y = sets(60, 60, 3)
    frechet_interval(x, y)  # a warning is an error here
    for a, b, name in ((x[:59], y, "a"), (x, y[:59], "b")):
        with pytest.warns(
            UserWarning, match=f"^{name} has 59 samples of 3 features: below 20 a feature, 60 here"
        ) as told:
            frechet_interval(a, b)
        assert [warning.filename for warning in told] == [__file__]
    with pytest.warns(UserWarning, match="has 59 samples") as told:
        frechet_interval(x[:59], y[:59])
    assert len(told) == 2


@pytest.mark.property
def test_progress_is_shown_on_terminals_only(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = sets(60, 60, 3)
    assert frechet_interval(x, y, progress=True) == frechet_interval(x, y)
    assert capsys.readouterr().err == ""


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda x, y: frechet_interval(x, y, level=0), ValueError, "level=0"),
        (lambda x, y: frechet_interval(x, y, level="0.9"), TypeError, "level"),
        (lambda x, y: frechet_interval(x, y, seed=-1), ValueError, "seed"),
        (lambda x, y: frechet_interval(x, y, progress=1), TypeError, "progress"),
        (
            lambda x, y: frechet_interval((np.zeros(3), np.eye(3)), FeatureStats(3).update(x)),
            ValueError,
            "both moments",
        ),
        (lambda x, y: frechet_interval(x, (np.zeros(4), np.eye(4))), ValueError, "do not compare"),
        (lambda x, y: frechet_interval(x, (np.zeros(3),)), ValueError, "tuple of 1"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[..., Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call(*sets(60, 60, 3))


# ---- to infinitely many samples ----


@pytest.mark.oracle
def test_case_a12_is_right_within_its_error_or_says_what_it_takes() -> None:
    reference = np.full(256, 0.1), np.eye(256)
    x = np.random.default_rng(0).standard_normal((5120, 256))
    with pytest.raises(ValueError, match="takes 5120 samples") as caught:
        frechet_infinity(reference, x[:1000])
    assert caught.value.required == 5120  # type: ignore[attr-defined]
    found = frechet_infinity(reference, x, points=4)
    assert abs(found.distance - 2.56) < 2 * found.standard_error < 0.6
    # a smaller subset than the line allows is an error that says by how much it bends
    bent = frechet_infinity(reference, x[:1000], smallest=500, points=4)
    assert abs(bent.distance - 2.56) < 2 * bent.standard_error


@pytest.mark.property
@pytest.mark.parametrize("gap", [0.0, 0.3])
def test_errors_of_the_extrapolation_are_those_of_repeats(gap: float) -> None:
    reference = np.full(6, gap), np.eye(6)
    found = [
        frechet_infinity(reference, np.random.default_rng(i).standard_normal((200, 6)), seed=i) for i in range(100)
    ]
    values, errors = (np.array([getattr(of, name) for of in found]) for name in ("distance", "standard_error"))
    assert (values >= 0).all()
    spread = values.std() if gap else math.sqrt(2 * np.mean(values**2))
    assert math.sqrt(np.mean(errors**2)) == pytest.approx(spread, rel=0.35)
    assert np.mean(np.abs(values - 6 * gap**2) <= 2 * errors) > 0.85


@pytest.mark.property
@pytest.mark.usefixtures("restored_threads")
def test_intervals_do_not_depend_on_threads() -> None:
    x, y = sets(1400, 1420, 70)
    results = []
    for threads in (1, 3):
        pixelgauge.set_num_threads(threads)
        results.append((frechet_interval(x, y), frechet_infinity(y[:, :9], x[:, :9], points=3)))
    assert results[0] == results[1]


@pytest.mark.boundary
@pytest.mark.parametrize("scale", [1e-60, 1e-52, 1e52, 1e60])
@pytest.mark.parametrize("interval", [pixelgauge.frechet_interval, pixelgauge.kernel_distance_interval])
def test_features_whose_third_moments_leave_float64(interval: Any, scale: float) -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 200, 4)) * scale
    options = {} if interval is pixelgauge.frechet_interval else {"coef0": 0.0, "gamma": 1.0, "degree": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(ValueError, match="divide both sets by one number"):
            interval(x, y, **options)


@pytest.mark.property
@pytest.mark.parametrize("scale", [2.0**-150, 2.0**150])
def test_an_interval_grows_with_the_square_of_the_features(scale: float) -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 200, 4))
    plain, scaled = (np.array(pixelgauge.frechet_interval(x * by, (y + 1) * by)) for by in (1.0, scale))
    np.testing.assert_allclose(scaled, plain * scale**2, rtol=1e-12)
