"""Which distances a test keeps: the interval of an estimate whose variance depends on what it estimates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from pixelgauge.proportions import normal_quantile

_MOST_SKEWED = math.sqrt(8)
"""A single square: of chi-squared variables none is more skewed."""
_HALVINGS = 100
_LEAST_ERROR = 1e-100
"""Below it, and above its inverse, third powers leave float64."""


def skewed_quantile(z: float, skewness: float) -> float:
    """Quantile of a standardised chi-squared variable of a skewness, at a normal quantile (Wilson and Hilferty)."""
    if skewness < 1e-3:  # where the difference below loses digits, and its first term is right to 1e-6
        return z + skewness * (z * z - 1) / 6
    root = 1 + skewness * z / 6 - skewness * skewness / 36
    return (2 / skewness) * (max(root, 0.0) ** 3 - 1)


@dataclass(frozen=True)
class Orders:
    """Moments of the two orders of an estimate: of the mean influence of its samples, and of a U-statistic of pairs."""

    first: float
    """Variance of the mean influence, which holds twice the second order besides the first."""
    second: float
    """Variance of the second order."""
    third: float
    """Third central moment of the mean influence."""
    mixed: float
    """Half of the covariance of the second order with the square of the mean influence."""


class ScoreTest:
    """Test of a squared distance: of a sum of squares that samples blur, without its bias.

    If the true distance is t, the estimate e has variance S + F(t): S of its second order, whatever t is, and of its
    first order F(t), above e the line F(e) + b (t - e), below it the power of t that has the same slope and is 0 at 0.
    b is the slope of the estimated variance against the estimate, over samples: (third + 4 mixed) / first, since a
    sample that moves the estimate moves the variance by its squared influence, and by what it makes of the influence
    of the others. It is at least F(e) / e, which it would be of a noncentral chi-squared variable. The skewness of the
    second order is that of a chi-squared variable whose mean is the bias and whose variance is S; the third cumulant
    of the first is F(t) (third + 6 mixed) / first, and at least what would go with such a variable. It moves the low
    end up. The high end is the normal one: there the slope gives room enough, and third moments of few samples are not
    known.

    Parameters
    ----------
    estimate : float
        Without bias, and perhaps below 0.
    bias : float
        What was taken out.
    orders : Orders
    inflation : float
        Of the variance of the second order, by which the estimate's is larger.
    """

    def __init__(self, estimate: float, bias: float, orders: Orders, inflation: float) -> None:
        self.estimate = estimate
        self._kept = inflation * orders.second
        error = math.sqrt(orders.second)
        both = math.sqrt(orders.first + orders.second)
        if 0 < both <= _LEAST_ERROR or both >= 1 / _LEAST_ERROR:  # NaN is of a kernel that overflows: told apart
            raise ValueError(
                f"the features are of such a size that their distance has the standard error {both:.2g}, whose powers "
                "float64 does not hold: divide both sets by one number, such as their largest value"
            )
        # a mean of fewer than one degree of freedom is noise of the bias
        bias = max(bias, math.sqrt(self._kept / 2))
        self._from = max(estimate, 0.0)
        # The first order over the distance is noise over noise near 0. There two errors of the bias are mixed in, with
        # the first order that a bias shows, twice the second: their ratio is of the same size. It fades at four errors.
        weight = min(1.0, 2 * error / bias) / (1 + self._from**2 / (16 * orders.second)) if orders.second > 0 else 0.0
        below = self._from + weight * bias
        rate = (max(orders.first - 2 * orders.second, 0.0) + 2 * orders.second * weight) / below if below > 0 else 0.0
        self._first = rate * self._from
        scale = self._kept / (2 * bias) if bias > 0 else 0.0
        self._third_of_second = 4 * scale * self._kept
        self._slope, self._third_of_first = rate, 6 * scale
        if orders.first > 0:
            self._slope = max(rate, (orders.third + 4 * orders.mixed) / orders.first)
            self._third_of_first = max(6 * scale, (orders.third + 6 * orders.mixed) / orders.first)

    @property
    def standard_error(self) -> float:
        """At the estimate."""
        return self._error(self._from)

    def _first_order(self, distance: float) -> float:
        if distance >= self._from:
            return self._first + self._slope * (distance - self._from)
        if distance <= 0 or self._first == 0:
            return 0.0
        return self._first * math.pow(distance / self._from, self._slope * self._from / self._first)

    def _error(self, distance: float) -> float:
        return math.sqrt(self._kept + self._first_order(distance))

    def _skewness(self, distance: float) -> float:
        error = self._error(distance)
        third = self._third_of_second + self._third_of_first * self._first_order(distance)
        return min(third / error**3, _MOST_SKEWED) if error > 0 else 0.0

    def interval(self, level: float, *, clipped: bool = True) -> tuple[float, float]:
        """Least and largest distance of which the estimate is a likely one; none below 0 where they are clipped."""
        z = normal_quantile(level)

        def room(distance: float) -> float:
            # at low levels the quantile of a skewed variable lies below its mean
            return max(0.0, skewed_quantile(z, self._skewness(distance))) * self._error(distance)

        if self.standard_error == 0:
            end = max(self.estimate, 0.0) if clipped else self.estimate
            return end, end
        # of an estimate that lies far below 0 no distance would be likely, but the distances are there
        estimate = max(self.estimate, -self._error(0.0)) if clipped else self.estimate
        if self.estimate > room(0.0):
            low = _last(lambda distance: self.estimate - distance > room(distance), 0.0, self.estimate)
        else:
            low = 0.0 if clipped else self.estimate - room(0.0)
        # where (t - estimate)^2 = z^2 (S + F(t)), of which F is a line there
        half = z * z * self._slope / 2
        variance = self._kept + self._first + self._slope * (estimate - self._from)
        high = estimate + half + math.sqrt(half * half + z * z * max(variance, 0.0))
        return low, max(low, high, estimate + z * self._error(0.0))


def _last(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Largest number of which a condition holds that holds below it and not above."""
    for _ in range(_HALVINGS):
        middle = low + (high - low) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
