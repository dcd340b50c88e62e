"""How sure a share of trials is: exact binomial intervals, and the beta and Student distributions behind them."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Literal, NamedTuple

from pixelgauge.checks import checked_level, one_of, whole_number
from pixelgauge.notebooks import in_notebooks

ProportionMethod = Literal["blaker", "clopper-pearson", "wilson"]

METHODS = ("blaker", "clopper-pearson", "wilson")

_MOST_TRIALS = 10**9
"""Beyond it logarithms of gamma functions have lost the digits that tell tails apart."""
_HALVINGS = 200
"""More than any two floats are apart: a bisection ends where there is none between."""


@in_notebooks
class ProportionInterval(NamedTuple):
    """A share and its confidence interval."""

    proportion: float
    low: float
    high: float


def proportion_interval(
    successes: int, trials: int, *, level: float = 0.95, method: ProportionMethod = "blaker"
) -> ProportionInterval:
    """Confidence interval of the probability of success, from a count of independent trials.

    Parameters
    ----------
    successes : int
        From 0 to `trials`.
    trials : int
        From 1 to 1e9.
    level : float, default 0.95
        In (0, 1).
    method : {"blaker", "clopper-pearson", "wilson"}, default "blaker"
        ``"blaker"`` and ``"clopper-pearson"`` cover at least `level` for every probability; Blaker's lies within the
        other. ``"wilson"`` covers `level` on average, and for some probabilities less.

    Returns
    -------
    ProportionInterval
        ``(proportion, low, high)``.

    Raises
    ------
    TypeError, ValueError
        If a count is no whole number or out of range, `level` out of range, `method` unknown.

    References
    ----------
    Clopper, Pearson: The use of confidence or fiducial limits illustrated in the case of the binomial, Biometrika 26,
    1934. Wilson: Probable inference, the law of succession, and statistical inference, JASA 22, 1927. Blaker:
    Confidence curves and improved exact confidence intervals for discrete distributions, Canadian Journal of
    Statistics 28, 2000.

    Examples
    --------
    >>> import pixelgauge
    >>> found = pixelgauge.proportion_interval(9, 10)
    >>> round(found.low, 4), round(found.high, 4)
    (0.5556, 0.9949)
    """
    trials = whole_number("trials", trials, 1, _MOST_TRIALS)
    successes = whole_number("successes", successes, 0, trials)
    level = checked_level(level)
    one_of("method", method, METHODS)
    low, high = _LIMITS[method](successes, trials, 1 - level)
    return ProportionInterval(successes / trials, low, high)


def normal_quantile(level: float) -> float:
    """Half the width, in standard errors, of a two-sided interval of the normal distribution."""
    below = (1 + level) / 2
    return NormalDist().inv_cdf(below) if below < 1 else -NormalDist().inv_cdf((1 - level) / 2)


def logit_limits(share: float, error: float, z: float) -> tuple[float, float]:
    """Find the ends of a share's interval on the scale of log(p / (1 - p)), from its error and z; not of 0 or 1."""
    centre, half = math.log(share / (1 - share)), z * error / (share * (1 - share))
    # 1 / (1 + e^-x) without overflow
    low, high = (0.5 * (1 + math.tanh(x / 2)) for x in (centre - half, centre + half))
    return low, high


def beta_cdf(x: float, a: float, b: float) -> float:
    """Regularised incomplete beta function I_x(a, b), by its continued fraction.

    References
    ----------
    NIST Digital Library of Mathematical Functions, 8.17.22.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction converges fast
        return 1 - beta_cdf(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    tiny = 1e-300
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1), tiny)
    value = d
    for m in range(1, 100_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _not_zero(1 + term * d, tiny)
            c = _not_zero(1 + term / c, tiny)
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return min(1.0, front * value)


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Value below which a beta variable lies with a probability."""
    return _root(lambda x: beta_cdf(x, a, b) - probability, 0.0, 1.0)


def student_cdf(t: float, freedom: float) -> float:
    """Probability that Student's variable lies below t."""
    if math.isinf(t):
        return float(t > 0)
    tail = beta_cdf(freedom / (freedom + t * t), freedom / 2, 0.5) / 2
    return tail if t < 0 else 1 - tail


def student_quantile(level: float, freedom: float) -> float:
    """Half the width, in standard errors, of a two-sided interval of Student's distribution."""
    # of t^2 / (freedom + t^2), which is a beta variable
    share = beta_quantile(level, 0.5, freedom / 2)
    return math.sqrt(freedom * share / (1 - share)) if share < 1 else math.inf


def _not_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that rises from below 0 to above meets 0."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at_most(count: int, trials: int, p: float) -> float:
    """P(X <= count) of a binomial variable."""
    return 1.0 if count >= trials else 0.0 if count < 0 else beta_cdf(1 - p, trials - count, count + 1)


def _at_least(count: int, trials: int, p: float) -> float:
    return 1.0 if count <= 0 else beta_cdf(p, count, trials - count + 1)


def _clopper_pearson(successes: int, trials: int, alpha: float) -> tuple[float, float]:
    failures = trials - successes
    low = beta_quantile(alpha / 2, successes, failures + 1) if successes else 0.0
    high = beta_quantile(1 - alpha / 2, successes + 1, failures) if failures else 1.0
    return low, high


def _wilson(successes: int, trials: int, alpha: float) -> tuple[float, float]:
    z = normal_quantile(1 - alpha)
    p = successes / trials
    centre = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(p * (1 - p) / trials + (z / (2 * trials)) ** 2) / (1 + z * z / trials)
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == trials else centre + half)


def _blaker(successes: int, trials: int, alpha: float) -> tuple[float, float]:
    # the upper end is the lower one of the failures
    return _blaker_low(successes, trials, alpha), 1 - _blaker_low(trials - successes, trials, alpha)


def _blaker_low(successes: int, trials: int, alpha: float) -> float:
    """Least p at which the observed count, and what is no more likely in the other tail, have a probability of alpha.

    That probability is P(X >= x) + P(X <= y), y the largest count whose lower tail is no more than the upper one of x.
    It jumps where y does; between jumps it is one minus the probability of the counts between y and x, so it falls and
    then rises.
    """
    x = successes
    if x == 0:
        return 0.0
    start = beta_quantile(alpha / 2, x, trials - x + 1)  # below, both tails are less than half of alpha

    def joins(y: int) -> float:
        return _root(lambda p: _at_least(x, trials, p) - _at_most(y, trials, p), 0.0, 1.0)

    y = -1
    upper = _at_least(x, trials, start)
    below, above = -1, x  # the last y that is in at `start`, by halving: the tails are monotone in y
    while above - below > 1:
        y = (below + above) // 2
        if _at_most(y, trials, start) <= upper:
            below = y
        else:
            above = y
    for y in range(below, x):

        def both(p: float, y: int = y) -> float:
            return _at_least(x, trials, p) + _at_most(y, trials, p) - alpha

        first = start if y == below else joins(y)
        if both(first) >= 0:
            return first
        last = joins(y + 1) if y + 1 < x else x / trials
        if last > first and both(last) >= 0:
            return _root(both, first, last)
    return x / trials


_LIMITS: dict[str, Callable[[int, int, float], tuple[float, float]]] = {
    "blaker": _blaker,
    "clopper-pearson": _clopper_pearson,
    "wilson": _wilson,
}
