"""Binomial intervals, and the distributions behind them, against SciPy and plain definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import special, stats

import pixelgauge
from pixelgauge import proportions


@pytest.mark.oracle
def test_beta_equals_scipys(rng: np.random.Generator) -> None:
    for a, b in np.exp(rng.uniform(-2, 12, (300, 2))):
        x = float(rng.beta(a, b))
        # logarithms of gamma functions lose digits as they grow
        assert proportions.beta_cdf(x, a, b) == pytest.approx(special.betainc(a, b, x), rel=1e-9, abs=1e-300)
    assert proportions.beta_cdf(0, 2, 3) == 0
    assert proportions.beta_cdf(1, 2, 3) == 1
    for a, b, q in itertools.product((0.5, 3, 400), (0.5, 7, 90), (1e-6, 0.025, 0.5, 0.999)):
        assert proportions.beta_quantile(q, a, b) == pytest.approx(special.betaincinv(a, b, q), rel=1e-9)


@pytest.mark.oracle
@pytest.mark.parametrize("freedom", [1, 2.5, 4, 30, 1000])
def test_student_equals_scipys(freedom: float) -> None:
    for level in (0.5, 0.9, 0.95, 0.999):
        assert proportions.student_quantile(level, freedom) == pytest.approx(
            stats.t.ppf((1 + level) / 2, freedom), rel=1e-9
        )
    for t in (-math.inf, -3.0, 0.0, 0.1, 2.0, math.inf):
        assert proportions.student_cdf(t, freedom) == pytest.approx(stats.t.cdf(t, freedom), rel=1e-9)


@pytest.mark.oracle
@pytest.mark.parametrize(("method", "theirs"), [("clopper-pearson", "exact"), ("wilson", "wilson")])
def test_intervals_equal_scipys(method: str, theirs: str) -> None:
    for trials in (1, 2, 9, 60):
        for successes in range(trials + 1):
            found = pixelgauge.proportion_interval(successes, trials, level=0.9, method=method)
            wanted = stats.binomtest(successes, trials).proportion_ci(0.9, theirs)
            assert found == pytest.approx((successes / trials, wanted.low, wanted.high), abs=1e-9)


def blaker(successes: int, trials: int, alpha: float, grid: np.ndarray) -> tuple[float, float]:
    """Least and greatest probability at which the acceptability is alpha, looked for on a grid."""
    counts = np.arange(trials + 1)
    accepted = []
    for p in grid:
        mass = stats.binom.pmf(counts, trials, p)
        tail = np.minimum(np.cumsum(mass), np.cumsum(mass[::-1])[::-1])
        if mass[tail <= tail[successes] * (1 + 1e-9)].sum() >= alpha:
            accepted.append(p)
    return min(accepted), max(accepted)


@pytest.mark.oracle
@pytest.mark.parametrize("trials", [1, 5, 12, 30])
def test_blaker_equals_a_search(trials: int) -> None:
    grid = np.linspace(0, 1, 4001)
    for successes in range(trials + 1):
        found = pixelgauge.proportion_interval(successes, trials)
        assert found[1:] == pytest.approx(blaker(successes, trials, 0.05, grid), abs=1 / 4000)


@pytest.mark.property
@pytest.mark.parametrize("trials", [1, 2, 5, 17, 60])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_blaker_covers_everywhere_within_clopper_pearson(trials: int, level: float) -> None:
    ends = np.array([pixelgauge.proportion_interval(k, trials, level=level)[1:] for k in range(trials + 1)])
    wide = np.array(
        [
            pixelgauge.proportion_interval(k, trials, level=level, method="clopper-pearson")[1:]
            for k in range(trials + 1)
        ]
    )
    assert (ends[:, 0] >= wide[:, 0] - 1e-12).all()
    assert (ends[:, 1] <= wide[:, 1] + 1e-12).all()
    assert ends == pytest.approx(1 - ends[::-1, ::-1], abs=1e-12)
    assert (np.diff(ends, axis=0) >= -1e-12).all()
    for p in np.linspace(0.0005, 0.9995, 1000):
        holds = (ends[:, 0] <= p) & (p <= ends[:, 1])
        assert stats.binom.pmf(np.arange(trials + 1), trials, p) @ holds >= level - 1e-9


@pytest.mark.property
@pytest.mark.parametrize("level", [1e-300, 1e-9, 1 - 1e-12, 1 - 2**-53])
def test_levels_near_the_ends(level: float) -> None:
    for method in ("blaker", "clopper-pearson", "wilson"):
        found = pixelgauge.proportion_interval(7, 20, level=level, method=method)
        assert 0 < found.low <= found.high < 1
    assert proportions.normal_quantile(1 - 2**-53) == pytest.approx(8.2923611, abs=1e-6)


@pytest.mark.property
def test_many_trials() -> None:
    found = pixelgauge.proportion_interval(900_000, 1_000_000)
    assert found[1:] == pytest.approx(pixelgauge.proportion_interval(900_000, 1_000_000, method="wilson")[1:], abs=1e-6)
    none = pixelgauge.proportion_interval(0, 10**9)
    assert none.low == 0
    assert -math.log(0.05) / 1e9 < none.high < -math.log(0.025) / 1e9  # one tail, and both alike


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("arguments", "options", "kind", "message"),
    [
        ((3, 2), {}, ValueError, "successes=3 must be a whole number from 0 to 2"),
        ((-1, 2), {}, ValueError, "successes=-1"),
        ((1.0, 2), {}, TypeError, "successes=1.0 must be a whole number"),
        ((0, 0), {}, ValueError, "trials=0"),
        ((5, 10**18), {}, ValueError, "trials=1000000000000000000 must be a whole number from 1 to 1000000000"),
        ((1, 2), {"level": True}, TypeError, "level=True must be a number"),
        ((True, 2), {}, TypeError, "successes=True"),
        ((1, 2), {"level": 0}, ValueError, "level=0 must lie between 0 and 1"),
        ((1, 2), {"level": None}, TypeError, "level=None must be a number"),
        ((1, 2), {"method": "wald"}, ValueError, "method='wald' is not known: use one of 'blaker'"),
    ],
)
def test_bad_input(
    arguments: tuple[object, ...], options: dict[str, object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        pixelgauge.proportion_interval(*arguments, **options)
