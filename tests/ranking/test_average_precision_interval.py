"""The interval of an average precision against plain definitions, and against draws of its own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import pixelgauge
from pixelgauge.ranking import average_precision_interval as module


def sample(
    rng: np.random.Generator, p: int, n: int, shift: float, decimals: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    y = np.repeat([1, 0], [p, n])
    s = rng.standard_normal(p + n) + shift * y
    return y, s if decimals is None else s.round(decimals)


@pytest.mark.oracle
@pytest.mark.parametrize("decimals", [None, 0])
def test_the_error_is_the_infinitesimal_jackknife(rng: np.random.Generator, decimals: int | None) -> None:
    y, s = sample(rng, 30, 70, 1.0, decimals)
    found = pixelgauge.average_precision_interval(y, s)
    assert found.average_precision == pytest.approx(pixelgauge.average_precision_score(y, s), abs=1e-12)
    step, variance = 1e-6, 0.0
    for label, count in ((1, 30), (0, 70)):
        slopes = []
        for row in np.flatnonzero(y == label):
            w = np.ones(100)
            w[y == label] -= step / count  # the class keeps its weight, and so its share
            w[row] += step
            slopes.append((pixelgauge.average_precision_score(y, s, sample_weight=w) - found.average_precision) / step)
        variance += np.var(np.array(slopes) * count, ddof=1) / count
    assert found.standard_error == pytest.approx(math.sqrt(variance), rel=1e-4)  # difference quotients


@pytest.mark.oracle
def test_the_bias_is_that_of_many_samples(rng: np.random.Generator) -> None:
    # positives and negatives alike: the population's is the share of positives
    values = []
    for _ in range(1500):
        y, s = sample(rng, 10, 90, 0.0)
        values.append(pixelgauge.average_precision_score(y, s))
    drawn = module._drawn(1.0, 10, 90, 3000)
    assert drawn.truth == pytest.approx(0.1, abs=1e-4)
    # of two means of draws
    assert drawn.values.mean() == pytest.approx(np.mean(values), abs=5 * np.std(values) / math.sqrt(1000))
    assert drawn.values.std() == pytest.approx(np.std(values), rel=0.15)
    assert 0 < drawn.bias < np.mean(values) - 0.1  # of second order: most of it


@pytest.mark.oracle
@pytest.mark.parametrize("decimals", [None, 0])
def test_the_bias_of_second_order_is_the_expansions(rng: np.random.Generator, decimals: int | None) -> None:
    y, s = sample(rng, 30, 70, 1.0, decimals)
    s = s if decimals is None else s.round(decimals)
    total = 0.0
    for row in range(30):
        a, b = float((s[:30] >= s[row]).sum()), float((s[30:] >= s[row]).sum())
        # a/(a+b) at a + the positive itself where it is not yet in, and half its curvature times both binomial variances
        own = (1 - a / 30) * b / (a + b) ** 2
        curved = (a * b * (1 - b / 70) - b * a * (1 - a / 30)) / (a + b) ** 3
        total += (own + curved) / 30
    fp, tp, _ = pixelgauge.roc_curve(y, s, drop_intermediate=False)
    found = module._linear(fp[np.newaxis, 1:] * 70, tp[np.newaxis, 1:] * 30)
    assert float(found.bias[0]) == pytest.approx(total, rel=1e-9)


@pytest.mark.oracle
@pytest.mark.parametrize("power", [0.05, 1.0, 4.0])
@pytest.mark.parametrize("prevalence", [0.02, 0.5])
def test_the_truth_of_a_population_is_its_integral(power: float, prevalence: float) -> None:
    from scipy.integrate import quad

    def precision(rate: float) -> float:
        return prevalence * rate / (prevalence * rate + (1 - prevalence) * rate ** (1 / power))

    wanted = quad(precision, 0, 1, limit=500, points=[1e-6, 1e-3, 0.1])[0]
    assert module._truth(power, prevalence) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.property
@pytest.mark.parametrize(("p", "n", "shift"), [(10, 90, 0.0), (25, 475, 1.5), (200, 1800, 1.0), (3000, 9000, 1.0)])
def test_intervals_nest_and_are_the_same_each_time(rng: np.random.Generator, p: int, n: int, shift: float) -> None:
    y, s = sample(rng, p, n, shift)
    narrow, wide = (pixelgauge.average_precision_interval(y, s, level=level) for level in (0.8, 0.95))
    assert 0 <= wide.low <= narrow.low < narrow.high <= wide.high <= 1
    assert wide.low < wide.average_precision
    module._drawn.cache_clear()
    assert pixelgauge.average_precision_interval(y, s) == wide
    shuffled = rng.permutation(p + n)
    assert pixelgauge.average_precision_interval(y[shuffled], 3 * s[shuffled] + 1) == wide


@pytest.mark.property
def test_large_samples_agree_with_the_logit(rng: np.random.Generator) -> None:
    y, s = sample(rng, 20_000, 60_000, 1.0)
    score, logit = (pixelgauge.average_precision_interval(y, s, method=method) for method in ("score", "logit"))
    width = logit.high - logit.low
    # quantiles of 800 draws
    assert (score.low, score.high) == pytest.approx((logit.low, logit.high), abs=0.15 * width)


@pytest.mark.property
def test_perfect_and_worst_rankings(rng: np.random.Generator) -> None:
    y = np.repeat([1, 0], [20, 80])
    perfect = pixelgauge.average_precision_interval(y, y)
    assert (perfect.average_precision, perfect.high) == (1, 1)
    assert 0.8 < perfect.low < 0.99
    worst = pixelgauge.average_precision_interval(y, np.arange(100))
    assert worst.low == 0
    assert worst.high < 0.15
    tied = pixelgauge.average_precision_interval(y, np.zeros(100))
    assert tied.low < 0.2 < tied.high


@pytest.mark.property
@pytest.mark.parametrize("p", [20, 80, 98, 100, 150])
def test_perfect_rankings_are_all_alike(p: int) -> None:
    y = np.repeat([0, 1], [200, p])
    found = pixelgauge.average_precision_interval(y, np.arange(200 + p))
    assert (found.average_precision, found.high, found.standard_error) == (1, 1, 0)
    assert found.low < 1 - 0.4 / p  # a misplaced one of them would not be a surprise
    with pytest.raises(ValueError, match="method='logit' has no interval"):
        pixelgauge.average_precision_interval(y, np.arange(200 + p), method="logit")


@pytest.mark.property
def test_the_estimate_is_the_score_to_the_bit(rng: np.random.Generator) -> None:
    for p, n in ((10, 40), (33, 100), (150, 90)):
        y, s = sample(rng, p, n, 1.0)
        assert pixelgauge.average_precision_interval(y, s)[0] == pixelgauge.average_precision_score(y, s)


@pytest.mark.property
def test_a_logit_interval_is_on_that_scale(rng: np.random.Generator) -> None:
    y, s = sample(rng, 60, 100, 1.0)
    found = pixelgauge.average_precision_interval(y, s, method="logit", level=0.9)
    a = found.average_precision
    half = stats.norm.ppf(0.95) * found.standard_error / (a * (1 - a))
    assert [math.log(end / (1 - end)) for end in (found.low, found.high)] == pytest.approx(
        [math.log(a / (1 - a)) - half, math.log(a / (1 - a)) + half], abs=1e-12
    )


Y = np.repeat([0, 1], [60, 20])
S = np.arange(80) % 17


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: pixelgauge.average_precision_interval(Y, S, level=0.995), ValueError, "level=0.995 .*: use at most 0.99, or method='logit'"),
        (lambda: pixelgauge.average_precision_interval(Y, S, level=0), ValueError, "level=0 must lie"),
        (lambda: pixelgauge.average_precision_interval(Y, S, method="wald"), ValueError, "method='wald' is not known"),
        (lambda: pixelgauge.average_precision_interval(Y, Y, method="logit"), ValueError, "method='logit' has no interval"),
        (lambda: pixelgauge.average_precision_interval(Y * 0, S), ValueError, "0 positives and 80 negatives"),
        (lambda: pixelgauge.average_precision_interval(Y, S[:79]), ValueError, "79"),
        (lambda: pixelgauge.average_precision_interval(Y, np.where(Y, np.nan, 1.0)), ValueError, "NaN"),
        (lambda: pixelgauge.average_precision_interval(np.arange(80) % 3, S), ValueError, "multiclass"),
    ],
)  # fmt: skip
def test_bad_input(call: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.boundary
def test_few_of_a_class_are_warned_of(rng: np.random.Generator) -> None:
    with pytest.warns(UserWarning, match="5 samples of positives and 60 of negatives: below 10"):
        found = pixelgauge.average_precision_interval(*sample(rng, 5, 60, 1.0))
    assert found.low < found.average_precision
