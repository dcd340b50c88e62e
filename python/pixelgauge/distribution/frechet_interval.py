"""An interval of the Fréchet distance that covers: the bias extrapolated away, the variance to second order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelgauge import caller
from pixelgauge.checks import ArgumentValueError, checked_level, flag, whole_number
from pixelgauge.distribution.block_design import DESIGNS, INFLATION, WEIGHTS, BlockMoments, Subset
from pixelgauge.distribution.frechet import frechet_distance, given_moments
from pixelgauge.distribution.frechet_influence import Influence
from pixelgauge.distribution.sample_pairs import feature_pair
from pixelgauge.distribution.samples import as_features, samples
from pixelgauge.distribution.score_test import ScoreTest
from pixelgauge.notebooks import in_notebooks

Float64Array = npt.NDArray[np.float64]
Moments = tuple[Float64Array, Float64Array]
Features = npt.NDArray[np.floating]

SAMPLES_A_FEATURE, FEWEST = 10, 40
"""Least samples of a set: so many a feature, and so many in all."""
SURE_A_FEATURE = 20
"""Samples a feature below which a warning is given: what is left of the bias, and skewed features, tell most there."""


@in_notebooks
class FrechetInterval(NamedTuple):
    """A Fréchet distance, the interval of the distance of the populations, and the estimate that the interval is of."""

    distance: float
    """Of the samples, as :func:`frechet_distance` gives it: biased upwards, so that it may lie above the interval."""
    low: float
    high: float
    standard_error: float
    """Of `corrected`."""
    corrected: float
    """The distance without its bias; 0 where what is left is below."""


def frechet_interval(
    a: object, b: object, *, level: float = 0.95, seed: int = 0, progress: bool = False
) -> FrechetInterval:
    """Confidence interval of the Fréchet distance between the populations of two sets of features.

    Parameters
    ----------
    a, b : (N, D) array_like of float features, FeatureStats, or (mean, covariance)
        Features: at least 10 D samples, and 40, of each set, drawn independently; below 20 D a warning. One side may
        be moments: it counts as a fixed reference without sampling error, whatever number of samples it was made of.
    level : float, default 0.95
    seed : int, default 0
        Of the random blocks.
    progress : bool, default False
        Show a progress bar where standard error is a terminal.

    Returns
    -------
    FrechetInterval
        The ends are never below 0. The distance of the samples is biased upwards by about D / N of the traces and may
        lie above the interval, whose centre is `corrected`.

    Raises
    ------
    TypeError, ValueError
        As :func:`frechet_distance`; if a set has too few samples, and then how many it takes; if both sides are
        moments; or `level` is out of range.

    Warns
    -----
    UserWarning
        If a set has fewer than 20 samples a feature: at 10 the interval covered as little as .93 in simulations.

    Notes
    -----
    The bias of the distance is a series in 1 / N. Both sets are cut at random into seven blocks. Of subsets of 7, 6, 4
    and 3 blocks the average distances are combined so that the first three terms of the series cancel; the subsets are
    those of the Fano plane, in which all pairs of blocks meet alike, so that the combination has the variance of the
    whole sample to first order, and 7/6 of a U-statistic's to second. That variance comes from the influence function
    of the distance and from the mean square of its second derivative over pairs of samples: near equal populations the
    first order vanishes and the second is all there is. Along the distances that are tested the second order stays and
    the first follows the distance, by the slope that third moments of the samples give (as in Johnson's modified t),
    and at least in proportion. The interval is of those distances that a test at `level` keeps (a score interval), the
    low end moved for the skewness of both orders. ``docs/methods/intervals.md`` has what it covered in simulations,
    heavy tails and steep spectra included.

    References
    ----------
    W. R. Schucany, H. L. Gray, D. B. Owen: On bias reduction in estimation, J. Am. Stat. Assoc. 66, 1971 (the
    extrapolation); N. J. Johnson: Modified t tests and confidence intervals for asymmetrical populations, J. Am. Stat.
    Assoc. 73, 1978; M. Binkowski et al., ICLR 2018 (no estimator of the distance is unbiased).

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x, y = np.random.default_rng(0).standard_normal((2, 600, 3))
    >>> found = pixelgauge.frechet_interval(x, y + 1)
    >>> found.low < 3 < found.high
    True
    """
    level = checked_level(level)
    whole_number("seed", seed, 0)
    progress = flag("progress", progress)
    first, second = _side(a, "a"), _side(b, "b")
    if isinstance(first, tuple) and isinstance(second, tuple):
        raise ValueError("a and b are both moments, which have no sampling error: give the features of one of them")
    if not isinstance(first, tuple) and not isinstance(second, tuple):
        feature_pair(first, second, "a", "b")
    drawn = [(side, name) for side, name in ((first, "a"), (second, "b")) if not isinstance(side, tuple)]
    for check in (_require_samples, _warn_of_few):
        for side, name in drawn:
            check(side, name)
    with Steps(sum(map(len, DESIGNS)) + 1, progress) as step:
        # statistics as they were given know their preset and their rounding
        distance = frechet_distance(
            *(given if isinstance(side, tuple) else side for side, given in ((first, a), (second, b)))
        )
        step()
        found = _test(distance, first, second, np.random.default_rng(seed), step)
    low, high = found.interval(level)
    return FrechetInterval(distance, low, high, found.standard_error, max(0.0, found.estimate))


def _side(side: object, name: str) -> Features | Moments:
    given = given_moments(side, name)
    return as_features(side, name) if given is None else given


def _test(
    distance: float,
    first: Features | Moments,
    second: Features | Moments,
    random: np.random.Generator,
    step: Callable[[], None],
) -> ScoreTest:
    """Test of the distance between populations, or between one and moments."""
    orders: dict[int, npt.NDArray[np.int64]] = {}

    def subsets_of(side: Features | Moments) -> Callable[[Subset], Moments]:
        if isinstance(side, tuple):
            fixed = side
            return lambda subset: fixed
        if len(side) not in orders:
            # sets of one size are cut alike: samples that belong together, or are the same, stay in one subset
            orders[len(side)] = random.permutation(len(side))
        return BlockMoments(side, orders[len(side)]).moments

    of_first, of_second = subsets_of(first), subsets_of(second)
    averages = [distance]
    for subsets in DESIGNS[1:]:
        found = []
        for subset in subsets:
            found.append(frechet_distance(of_first(subset), of_second(subset)))
            step()
        averages.append(math.fsum(found) / len(found))
    estimate = math.fsum(weight * value for weight, value in zip(WEIGHTS, averages, strict=True))
    whole = DESIGNS[0][0]
    x, y = (None if isinstance(side, tuple) else side for side in (first, second))
    spread = Influence(of_first(whole), of_second(whole)).spread(x, y, random)
    step()
    n, m = (1 if z is None else len(z) for z in (x, y))
    return ScoreTest(estimate, distance - estimate, spread.of_sizes(n, m), INFLATION)


def _require_samples(features: Features, name: str) -> None:
    """Refuse sets in which the series of the bias does not end soon enough, and say how many samples it takes."""
    count, dim = features.shape
    needed = max(SAMPLES_A_FEATURE * dim, FEWEST)
    if count < needed:
        raise ArgumentValueError(
            name,
            "",
            f"{name} has {samples(count)} of {dim} features: an interval of the distance takes at least {needed}, "
            f"{SAMPLES_A_FEATURE} a feature and {FEWEST} in all",
            "give more samples, or features of fewer dimensions",
            kind="too_small",
            required=needed,
        )


def _warn_of_few(features: Features, name: str) -> None:
    count, dim = features.shape
    if count < SURE_A_FEATURE * dim:
        caller.warn(
            f"{name} has {samples(count)} of {dim} features: below {SURE_A_FEATURE} a feature, {SURE_A_FEATURE * dim} "
            "here, an interval at level 0.95 covered as little as 0.93 in simulations"
        )


class Steps:
    """Counts steps on a progress bar, where one is asked for and standard error is a terminal."""

    def __init__(self, total: int, shown: bool) -> None:
        self._total, self._shown = total, shown
        self._bar: Any = None

    def __enter__(self) -> Callable[[], None]:
        if self._shown:
            from tqdm import tqdm

            self._bar = tqdm(total=self._total, unit="distance", disable=None)  # None: off unless it is a terminal
        return self._step

    def _step(self) -> None:
        if self._bar is not None:
            self._bar.update()

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
