"""Which distances a test keeps: the interval of an estimate whose variance depends on what it estimates."""

from __future__ import annotations

import math
from collections.abc import Callable

from pixelgauge.proportions import normal_quantile

_MOST_SKEWED = math.sqrt(8)
"""A single square: of chi-squared variables none is more skewed."""
_HALVINGS = 100


def skewed_quantile(z: float, skewness: float) -> float:
    """Quantile of a standardised chi-squared variable of a skewness, at a normal quantile (Wilson and Hilferty)."""
    if skewness < 1e-3:  # where the difference below loses digits, and its first term is right to 1e-6
        return z + skewness * (z * z - 1) / 6
    root = 1 + skewness * z / 6 - skewness * skewness / 36
    return (2 / skewness) * (max(root, 0.0) ** 3 - 1)


class ScoreTest:
    """Test of a squared distance: of a sum of squares that samples blur, without its bias.

    If the true distance is t, the estimate has variance S + r t: S of its second order, whatever t is, and a first
    order in proportion to the distance, as that of a noncentral chi-squared variable. Its skewness is one's too, with
    the scale that makes the bias its mean and S its variance, and moves the low end up. The high end is the normal one:
    where tails are heavy, a low estimate comes with a variance that is too low, and ends that the skewness moved down
    missed the distance in up to 1 of 10 cases.

    Parameters
    ----------
    estimate : float
        Without bias, and perhaps below 0.
    bias : float
        What was taken out.
    first : float
        Variance of the mean influence, which holds twice the second order besides the first.
    second : float
        Variance of a U-statistic's second order.
    inflation : float
        Of that, by which the estimate's is larger.
    """

    def __init__(self, estimate: float, bias: float, first: float, second: float, inflation: float) -> None:
        self.estimate = estimate
        self._kept = inflation * second
        error = math.sqrt(second)
        # a mean of fewer than one degree of freedom is noise of the bias
        bias = max(bias, math.sqrt(self._kept / 2))
        at_least = max(estimate, 0.0)
        # The first order over the distance is noise over noise near 0. There two errors of the bias are mixed in, with
        # the first order that a bias shows, twice the second: their ratio is of the same size. It fades at four errors.
        weight = min(1.0, 2 * error / bias) / (1 + at_least**2 / (16 * second)) if second > 0 else 0.0
        below = at_least + weight * bias
        self._rate = (max(first - 2 * second, 0.0) + 2 * second * weight) / below if below > 0 else 0.0
        self._scale = self._kept / (2 * bias) if bias > 0 else 0.0

    @property
    def standard_error(self) -> float:
        """At the estimate."""
        return self._error(max(self.estimate, 0.0))

    def _error(self, distance: float) -> float:
        return math.sqrt(self._kept + self._rate * distance)

    def _skewness(self, distance: float) -> float:
        error = self._error(distance)
        third = self._scale * (4 * self._kept + 6 * self._rate * distance)
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
        # where (t - estimate)^2 = z^2 (S + r t)
        half = z * z * self._rate / 2
        high = estimate + half + math.sqrt(half * half + z * z * max(self._kept + self._rate * estimate, 0.0))
        return low, max(low, high, estimate + z * self._error(0.0))


def _last(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Largest number of which a condition holds that holds below it and not above."""
    for _ in range(_HALVINGS):
        middle = low + (high - low) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
