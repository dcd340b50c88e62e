"""Divergence of Gaussians, the GAN's value and bits per dimension: SciPy and quadrature, exact values, what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special, stats

from pixelgauge import bits_per_dim, gan_value, gaussian_kl

moderate = st.floats(-20, 20)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("mean", "log_variance", "other_mean", "other_log_variance"),
    [(0.3, -1.2, 0.0, 0.0), (-2.0, 1.0, 1.5, -0.5), (0.0, 0.0, 0.0, 2.0), (1.0, 0.7, 1.0, 0.7)],
)
def test_divergence_is_the_integral(mean: float, log_variance: float, other_mean: float, other_log_variance: float):
    p = stats.norm(mean, math.exp(log_variance / 2))
    q = stats.norm(other_mean, math.exp(other_log_variance / 2))
    wanted, _ = integrate.quad(lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), *p.interval(1 - 1e-15), epsabs=1e-12)
    found = gaussian_kl([mean], [log_variance], [other_mean], [other_log_variance])
    assert found == pytest.approx(wanted, abs=1e-9)  # quad's own tolerance


@pytest.mark.oracle
def test_divergence_equals_the_matrix_formula(rng: np.random.Generator) -> None:
    mean, log_variance, other_mean, other_log_variance = rng.normal(size=(4, 20, 3, 5))
    found = gaussian_kl(mean, log_variance, other_mean, other_log_variance)
    for i in range(20):
        precision = np.diag(np.exp(-other_log_variance[i].ravel()))
        covariance = np.diag(np.exp(log_variance[i].ravel()))
        shift = (mean - other_mean)[i].ravel()
        determinants = np.linalg.slogdet(precision)[1] + np.linalg.slogdet(covariance)[1]
        wanted = 0.5 * (np.trace(precision @ covariance) + shift @ precision @ shift - 15 - determinants)
        assert found[i] == pytest.approx(wanted, rel=1e-12)  # some roundings of a sum of 45 terms


@pytest.mark.oracle
@pytest.mark.parametrize("d", [1e-12, -1e-9, 1e-6, -0.00999, 0.00999, 0.01, -0.0101, 0.3, -5.0])
def test_small_divergences_keep_their_digits(d: float) -> None:
    exact = sum(Fraction(d) ** k / math.factorial(k) for k in range(2, 40))  # exp(d) - 1 - d
    # above 0.01, where no series is taken, 2 roundings of d lie beside a difference of d^2 / 2
    assert gaussian_kl([0.0], [d]) == pytest.approx(float(exact) / 2, rel=1e-13)


@pytest.mark.property
@given(moderate, moderate, moderate, moderate)
def test_divergence_is_never_negative_and_zero_of_itself(mean: float, log_variance: float, other: float, narrow: float):
    assert gaussian_kl([mean], [log_variance], [other], [narrow]) >= 0
    assert gaussian_kl([mean], [log_variance], [mean], [log_variance]) == 0


@pytest.mark.property
def test_divergence_of_shapes(rng: np.random.Generator) -> None:
    mean, log_variance = rng.normal(size=(2, 6, 4))
    found = gaussian_kl(mean, log_variance)
    assert found.shape == (6,)
    assert found.dtype == np.float64
    assert gaussian_kl(mean[2], log_variance[2]) == pytest.approx(found[2], rel=1e-15)
    np.testing.assert_array_equal(gaussian_kl(mean.reshape(6, 2, 2), log_variance.reshape(6, 2, 2)), found)
    by_coordinate = gaussian_kl(mean.T, log_variance.T)
    assert by_coordinate.sum() == pytest.approx(found.sum(), rel=1e-14)  # the order of additions
    prior = gaussian_kl(mean, log_variance, np.ones(4), 0.5)
    np.testing.assert_array_equal(prior, gaussian_kl(mean, log_variance, np.ones((6, 4)), np.full((6, 4), 0.5)))


@pytest.mark.property
def test_sums_are_float64s(rng: np.random.Generator) -> None:
    mean, log_variance = rng.normal(size=(2, 3, 100_000)).astype(np.float32)
    wide = gaussian_kl(mean.astype(np.float64), log_variance.astype(np.float64))
    np.testing.assert_array_equal(gaussian_kl(mean, log_variance), wide)


@pytest.mark.boundary
def test_divergences_beyond_float64_are_infinite() -> None:
    assert gaussian_kl([0.0], [800.0]) == math.inf
    assert gaussian_kl([1.0], [0.0], [0.0], [-1600.0]) == math.inf
    assert gaussian_kl([1.0], [-1600.0], [1.0], [-1600.0]) == 0  # equal means, however narrow
    # differences that leave float64 themselves, of log variances and of means
    assert gaussian_kl([0.0], [1e308], [0.0], [-1e308]) == math.inf
    assert gaussian_kl([0.0], [-1e308], [0.0], [1e308]) == math.inf
    assert gaussian_kl([1e308], [0.0], [-1e308], [0.0]) == math.inf


@pytest.mark.boundary
def test_divergences_within_float64_are_finite_whatever_their_parts_are() -> None:
    assert gaussian_kl([1e308], [0.0], [-1e308], [1e308]) == pytest.approx(5e307, rel=1e-12)  # half the log variance
    for mean, log_variance in ((1e308, 1400.0), (1e-300, -1430.0)):  # the precision is 0, or infinite
        squares = math.exp(2 * (math.log(2) + math.log(mean)) - log_variance)
        found = gaussian_kl([mean], [log_variance], [-mean], [log_variance])
        assert found == pytest.approx(squares / 2, rel=1e-11)  # of the logarithms, which are 700


@pytest.mark.oracle
def test_value_is_the_definition(rng: np.random.Generator) -> None:
    real, fake = rng.normal(2, 3, 400), rng.normal(-1, 3, 300)
    wanted = np.log(special.expit(real)).mean() + np.log1p(-special.expit(fake)).mean()
    assert gan_value(real, fake) == pytest.approx(wanted, rel=1e-12)
    assert gan_value(real.reshape(4, 10, 10), fake[:, np.newaxis]) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.oracle
def test_value_of_the_best_discriminator_is_the_divergence() -> None:
    # two Gaussians whose best discriminator is known: its logit is log p - log q = 2x - 2 of means 2 and 0
    p, q = stats.norm(2, 1), stats.norm(0, 1)

    def half(one: stats.rv_continuous) -> float:  # divergence from the mixture
        return integrate.quad(lambda x: one.pdf(x) * (one.logpdf(x) - math.log((p.pdf(x) + q.pdf(x)) / 2)), -12, 14)[0]

    grid = (np.arange(200_000) + 0.5) / 200_000  # quantiles: the mean over them is the expectation
    value = gan_value(2 * p.ppf(grid) - 2, 2 * q.ppf(grid) - 2)
    assert value + math.log(4) == pytest.approx(half(p) + half(q), abs=1e-5)  # of the grid


@pytest.mark.property
@given(st.lists(st.floats(-1e300, 1e300), min_size=1), st.lists(st.floats(-1e300, 1e300), min_size=1))
def test_value_is_at_most_zero_and_knows_no_side(real: list[float], fake: list[float]) -> None:
    value = gan_value(real, fake)
    assert -math.inf < value <= 0 or max(map(abs, real + fake)) > 1e299  # sums beyond float64
    assert gan_value([-x for x in fake], [-x for x in real]) == value


@pytest.mark.property
def test_values_that_are_known() -> None:
    assert gan_value(np.zeros(7), np.zeros((3, 1))) == pytest.approx(-math.log(4), rel=1e-15)
    assert gan_value([40.0], [-40.0]) == pytest.approx(-2 * math.exp(-40), rel=1e-12)  # digits of a D near 1 are kept
    assert str(gan_value([800.0], [-800.0])) == "0.0"
    assert gan_value([-800.0], [900.0]) == -1700  # where the sigmoid is 0 and 1
    assert gan_value([-1e308] * 3, [0.0]) == -math.inf


@pytest.mark.oracle
@given(st.floats(-1e6, 1e6), st.integers(1, 10**7))
def test_bits_are_nats_over_log_two(nll: float, dims: int) -> None:
    assert bits_per_dim(nll, dims) == pytest.approx(nll / math.log(2) / dims, rel=1e-15)


@pytest.mark.property
def test_bits_of_shapes_and_known_codes() -> None:
    uniform = 784 * math.log(256)
    assert bits_per_dim(uniform, 784) == 8
    found = bits_per_dim(np.array([[uniform, 0.0], [math.inf, -uniform]], np.float32), 784)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [[8, 0], [math.inf, -8]], rtol=1e-7)  # float32's nats
    assert isinstance(bits_per_dim(np.float32(3.0), 2), float)
    assert bits_per_dim([1.0, 2.0], np.int64(1)).tolist() == pytest.approx([1 / math.log(2), 2 / math.log(2)])


@pytest.mark.property
def test_arrays_of_other_kinds_are_read(rng: np.random.Generator) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes, which has bfloat16, is not installed")
    logits = rng.normal(size=50).astype(ml_dtypes.bfloat16)
    assert gan_value(logits, logits) == gan_value(logits.astype(np.float64), logits.astype(np.float64))
    assert gan_value(logits.astype(np.float16)[::-2], [0, 1, 2]) <= 0
    assert gaussian_kl(np.array([[1], [2]], np.int8), np.zeros((2, 1), np.float16)).tolist() == [0.5, 2.0]


REFUSALS: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: gaussian_kl([0.0, math.nan], [0.0, 0.0]), ValueError, "mean holds nan at 1: remove or repair it"),
    (lambda: gaussian_kl([[0.0]], [[-math.inf]]), ValueError, r"log_variance holds -inf at \(0, 0\)"),
    (lambda: gaussian_kl([0.0], [0.0, 0.0]), ValueError, r"mean has shape \(1,\) and log_variance \(2,\)"),
    (lambda: gaussian_kl([], []), ValueError, r"mean is empty: its shape is \(0,\)"),
    (lambda: gaussian_kl([0.0], [0.0], [1.0, 2.0]), ValueError, r"other_mean has shape \(2,\), which does not broad"),
    (lambda: gaussian_kl([0.0], [0.0], 0.0, math.nan), ValueError, "other_log_variance holds nan: "),
    (lambda: gaussian_kl("mean", [0.0]), TypeError, "mean"),
    (lambda: gaussian_kl([True], [0.0]), TypeError, r"mean\[0\]=True is no real number"),
    (lambda: gaussian_kl(np.array([True]), [0.0]), TypeError, "mean has dtype bool: use real numbers"),
    (lambda: gaussian_kl(np.ma.masked_invalid([0.0, math.nan]), [0.0, 0.0]), TypeError, "masked"),
    (lambda: gan_value([0.0], [math.inf]), ValueError, "fake_logits holds inf at 0: remove or repair it"),
    (lambda: gan_value([], [0.0]), ValueError, "real_logits is empty"),
    (lambda: gan_value([1j], [0.0]), TypeError, r"real_logits\[0\]=1j is no real number"),
    (lambda: gan_value(None, [0.0]), TypeError, "real_logits"),
    (lambda: bits_per_dim(math.nan, 784), ValueError, "nll_nats holds NaN: remove or repair it"),
    (lambda: bits_per_dim(100.0, 10**400), ValueError, "dims has 1329 bits: give the number of values of one sample"),
    (lambda: bits_per_dim(100.0, 0), ValueError, "dims=0 must be a whole number of at least 1"),
    (lambda: bits_per_dim(100.0, 784.0), TypeError, r"dims=784\.0 must be a whole number"),
    (lambda: bits_per_dim(True, 784), TypeError, "nll_nats=True must be a real number or an array of them"),
    (lambda: bits_per_dim(np.longdouble(3), 784), TypeError, "nll_nats has dtype float128"),
]


@pytest.mark.boundary
@pytest.mark.parametrize(("call", "kind", "message"), REFUSALS)
def test_what_is_refused(call: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()
