"""Cells of `bench.coverage` for intervals of rankings: AUROC, whole and partial, with clusters and weights; average precision;
sensitivity and specificity; differences.

Populations by their ROC curve: two normal distributions, alike or with the positives half as wide again; two exponential ones,
whose survival functions are powers of each other; the normal ones cut into steps of a half, and into five ratings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

import pixelgauge
from bench.coverage import Cell, Interval

Array = NDArray[Any]
Draw = Callable[[np.random.Generator], tuple[Any, ...]]

PROMISED = (0.93, 0.99)
"""Of continuous figures, at level .95."""
AT_LEAST = (0.93, 1.0)
"""Of counts, which cannot be held from above."""
SIZES = ((100, (5, 10, 50)), (200, (5, 20)), (500, (5, 25, 250)), (2000, (20, 200)))
"""Samples, and how many of them are positive."""
AREAS = (0.5, 0.7, 0.9, 0.98, 0.995)


@dataclass(frozen=True)
class Population:
    """Scores of positives and negatives, and the curve they have."""

    name: str
    positives: Callable[[np.random.Generator, int], Array]
    negatives: Callable[[np.random.Generator, int], Array]
    roc: Callable[[Any], Any]
    """True positive rate at a false positive rate."""
    points: tuple[Array, Array] | None = None
    """False and true positive rates between which the curve is straight, where scores are discrete."""

    def area(self, max_fpr: float = 1.0) -> float:
        """Area up to a false positive rate, with McClish's correction."""
        if self.points is None:
            whole = quad(self.roc, 0, max_fpr, limit=500, points=[max_fpr * 10.0**-k for k in (1, 2, 4, 8)])[0]
        else:
            rates = np.unique(np.append(self.points[0][self.points[0] < max_fpr], max_fpr))
            whole = float(np.trapezoid(np.interp(rates, *self.points), rates))
        return float(0.5 * (1 + (whole - max_fpr**2 / 2) / (max_fpr - max_fpr**2 / 2)))

    def average_precision(self, prevalence: float) -> float:
        if self.points is None:
            false = np.concatenate([[0], np.logspace(-300, -1, 20_001), np.linspace(0.1, 1, 20_001)[1:]])
            true = self.roc(false)
            true[0] = 0
        else:
            false, true = self.points
        called = prevalence * true + (1 - prevalence) * false
        precision = np.divide(prevalence * true, called, out=np.ones_like(called), where=called > 0)
        steps = np.diff(true)
        if self.points is None:
            return float(steps @ (precision[1:] + precision[:-1]) / 2)
        return float(steps @ precision[1:])

    def draw(self, p: int, n: int) -> Draw:
        """Labels and scores, with as many of each class."""
        labels = np.repeat([1, 0], [p, n]).astype(np.int8)
        return lambda rng: (labels, np.concatenate([self.positives(rng, p), self.negatives(rng, n)]))


def normal(area: float, width: float = 1.0) -> Population:
    shift = ndtri(area) * math.sqrt(1 + width**2)
    return Population(
        "normal" if width == 1 else "normal-wide",
        lambda rng, p: shift + width * rng.standard_normal(p),
        lambda rng, n: rng.standard_normal(n),
        lambda fpr: ndtr((shift + ndtri(fpr)) / width),
    )


def exponential(area: float) -> Population:
    power = 1 / area - 1
    return Population(
        "exponential",
        lambda rng, p: rng.exponential(1 / power, p),
        lambda rng, n: rng.exponential(1.0, n),
        lambda fpr: fpr**power,
    )


def mirrored(area: float) -> Population:
    """The exponential curve with the classes exchanged."""
    power = 1 / area - 1
    return Population(
        "mirrored",
        lambda rng, p: -rng.exponential(1.0, p),
        lambda rng, n: -rng.exponential(1 / power, n),
        lambda fpr: -np.expm1(np.log1p(-np.minimum(fpr, 1 - 1e-16)) / power),
    )


def cut(area: float, name: str, edges: Array) -> Population:
    def rates(shift: float) -> tuple[Array, Array]:
        return tuple(np.concatenate([[0.0], ndtr(-(edges[::-1] - by)), [1.0]]) for by in (0.0, shift))  # type: ignore[return-value]

    shift = brentq(lambda by: np.trapezoid(rates(by)[1], rates(by)[0]) - area, -1, 14)
    points = rates(shift)
    return Population(
        name,
        lambda rng, p: np.searchsorted(edges, shift + rng.standard_normal(p)).astype(np.float64),
        lambda rng, n: np.searchsorted(edges, rng.standard_normal(n)).astype(np.float64),
        lambda fpr: np.interp(fpr, *points),
        points,
    )


def populations(area: float) -> list[Population]:
    ratings = np.linspace(-0.5, max(1.5, ndtri(area) * math.sqrt(2) + 0.3), 4)
    return [
        normal(area),
        exponential(area),
        cut(area, "steps", np.arange(-4.0, 9.0, 0.5)),
        cut(area, "ratings", ratings),
    ]


def ends(found: Any) -> Interval:
    return found.low, found.high


def auroc(method: str, **options: Any) -> Callable[..., Interval]:
    return lambda y, s: ends(pixelgauge.roc_auc_interval(y, s, method=method, **options))


def or_whole(call: Callable[..., Interval]) -> Callable[..., Interval]:
    """The range of the figure where there is no interval."""

    def made(*drawn: Any) -> Interval:
        try:
            return call(*drawn)
        except ValueError:
            return 0.0, 1.0

    return made


def size_name(n: int, p: int) -> str:
    return f"n{n}-p{p}"


def areas() -> Iterator[Cell]:
    methods = {name: auroc(name) for name in ("score", "newcombe", "delong")}
    methods["logit"] = or_whole(auroc("logit"))
    for n, positives in (*SIZES, (100, (90,))):
        for p in positives:
            for area in AREAS:
                for population in [*populations(area), mirrored(area), normal(area, 1.5)]:
                    yield Cell(
                        figure="roc_auc",
                        population=f"{population.name}-{area}",
                        size=size_name(n, p),
                        truth=area,
                        draw=population.draw(p, n - p),
                        methods=methods,
                        promised=promised_of(population, p, n - p),
                    )


def promised_of(population: Population, p: int, n: int) -> dict[str, Interval]:
    """What is promised of AUROC's interval.

    Where few samples of the smaller class are expected to be misplaced, one interval has to serve populations in which they are
    so and those in which one sample is misplaced for many: it cannot be held from above. Neither can it where the larger class
    is the one that varies. What varies more than the family has it, the wider positives, is shown.
    """
    if population.name == "normal-wide":
        return {}
    held = can_be_held(min(p, n), population.area()) and population.name != "mirrored" and p <= n
    return {"score": PROMISED if held else AT_LEAST}


def can_be_held(units: float, area: float) -> bool:
    """Whether enough samples, or clusters, of the smaller class are misplaced to tell how much they vary."""
    return area <= 0.9 or units * (1 - area) >= 5


def partial_areas() -> Iterator[Cell]:
    for n, p, max_fpr in (
        (200, 20, 0.2),
        (500, 25, 0.1),
        (500, 250, 0.2),
        (2000, 20, 0.05),
        (2000, 200, 0.1),
        (2000, 200, 0.5),
    ):
        for area in AREAS:
            for population in populations(area):
                yield Cell(
                    figure="partial_roc_auc",
                    population=f"{population.name}-{area}",
                    size=f"{size_name(n, p)}-fpr{max_fpr}",
                    truth=population.area(max_fpr),
                    draw=population.draw(p, n - p),
                    methods={"score": auroc("score", max_fpr=max_fpr), "delong": auroc("delong", max_fpr=max_fpr)},
                    promised={"score": PROMISED if can_be_held(p, population.area(max_fpr)) else AT_LEAST},
                )


def average_precisions() -> Iterator[Cell]:
    methods: dict[str, Callable[..., Interval]] = {
        "score": lambda y, s: ends(pixelgauge.average_precision_interval(y, s)),
        "logit": or_whole(lambda y, s: ends(pixelgauge.average_precision_interval(y, s, method="logit"))),
    }
    for n, positives in SIZES:
        for p in positives:
            for area in AREAS:
                for population in populations(area):
                    yield Cell(
                        figure="average_precision",
                        population=f"{population.name}-{area}",
                        size=size_name(n, p),
                        truth=population.average_precision(p / n),
                        draw=population.draw(p, n - p),
                        methods=methods,
                        # drawn samples have no ties: of few ratings it is wide
                        promised={
                            "score": PROMISED if population.points is None and can_be_held(p, area) else AT_LEAST
                        },
                    )


def sensitivities() -> Iterator[Cell]:
    """Of the threshold that was found: the interval is moved by what is true of it, so that 0 is to be covered."""

    def moved(population: Population, function: str, method: str, **at: float) -> Callable[..., Interval]:
        def interval(y: Array, s: Array) -> Interval:
            found = getattr(pixelgauge, function)(y, s, method=method, **at)
            fpr = float(ndtr(-(found.threshold)))
            truth = float(population.roc(fpr)) if function == "sensitivity_interval" else 1 - fpr
            return found.low - truth, found.high - truth

        return interval

    for n, positives in SIZES:
        for p in positives:
            for area in (0.7, 0.9, 0.98):
                population = normal(area)
                for function, at in (
                    ("sensitivity_interval", {"specificity": 0.9}),
                    ("specificity_interval", {"sensitivity": 0.9}),
                ):
                    yield Cell(
                        figure=function.removesuffix("_interval"),
                        population=f"normal-{area}",
                        size=size_name(n, p),
                        truth=0.0,
                        draw=population.draw(p, n - p),
                        methods={
                            name: moved(population, function, name, **at)
                            for name in ("blaker", "clopper-pearson", "wilson")
                        },
                        promised={"blaker": AT_LEAST},
                    )


def operating_points() -> Iterator[Cell]:
    def moved(population: Population, figure: str, **wanted: float) -> Callable[..., Interval]:
        def interval(y: Array, s: Array) -> Interval:
            try:
                point = pixelgauge.operating_point(y, s, **wanted)
            except ValueError:  # no threshold has that precision
                return -1.0, 1.0
            fpr = float(ndtr(-(point.threshold)))
            tpr, share = float(population.roc(fpr)), float(y.mean())
            truth = {
                "sensitivity": tpr,
                "specificity": 1 - fpr,
                "precision": share * tpr / max(share * tpr + (1 - share) * fpr, 1e-300),
            }
            found = getattr(point, figure)
            return found.low - truth[figure], found.high - truth[figure]

        return interval

    for n, p in ((100, 10), (500, 25), (500, 250), (2000, 200)):
        for area in (0.8, 0.95):
            population = normal(area)
            for wanted in ({"tpr": 0.9}, {"fpr": 0.1}, {"precision": 0.8}):
                ((name, value),) = wanted.items()
                yield Cell(
                    figure="operating_point",
                    population=f"normal-{area}",
                    size=f"{size_name(n, p)}-{name}{value}",
                    truth=0.0,
                    draw=population.draw(p, n - p),
                    methods={
                        figure: moved(population, figure, **wanted)
                        for figure in ("sensitivity", "specificity", "precision")
                    },
                    promised={} if name == "precision" else {"sensitivity": AT_LEAST, "specificity": AT_LEAST},
                )


def clustered() -> Iterator[Cell]:
    """Clusters of ten whose scores share a part, with both classes in each or one alone."""

    def draw(area: float, clusters: int, share: float, mixed: bool) -> Draw:
        shift, each = ndtri(area) * math.sqrt(2), 10
        code = np.repeat(np.arange(clusters), each)
        y = (np.arange(clusters * each) % 5 == 0 if mixed else code % 4 == 0).astype(np.int8)

        def drawn(rng: np.random.Generator) -> tuple[Any, ...]:
            common, own = rng.standard_normal(clusters)[code], rng.standard_normal(len(code))
            return y, shift * y + math.sqrt(share) * common + math.sqrt(1 - share) * own, code

        return drawn

    def by(method: str) -> Callable[..., Interval]:
        return lambda y, s, code: ends(pixelgauge.roc_auc_interval(y, s, method=method, cluster=code))

    for clusters in (40, 100):
        for area in (0.7, 0.9, 0.98):
            for share in (0.2, 0.6):
                for mixed in (True, False):
                    # of two samples of different clusters; those of one cluster are a vanishing part of the pairs
                    yield Cell(
                        figure="clustered_roc_auc",
                        population=f"normal-{area}-{'mixed' if mixed else 'apart'}-{share}",
                        size=f"c{clusters}",
                        truth=area if not mixed else _mixed_area(area, clusters, share),
                        draw=draw(area, clusters, share, mixed),
                        methods={
                            "score": by("score"),
                            "delong": by("delong"),
                            "bootstrap": lambda y, s, code: ends(
                                pixelgauge.bootstrap_interval(y, s, cluster=code, replicates=500)
                            ),
                        },
                        # the positives are in all clusters, or in a quarter of them
                        promised={
                            "score": PROMISED if can_be_held(clusters if mixed else clusters / 4, area) else AT_LEAST
                        },
                        repeats=4000 if clusters == 40 else 2000,
                    )


def _mixed_area(area: float, clusters: int, share: float) -> float:
    """The expected area where a pair is of one cluster with probability 1 / clusters."""
    shift = ndtri(area) * math.sqrt(2)
    return float((1 - 1 / clusters) * area + ndtr(shift / math.sqrt(2 * (1 - share))) / clusters)


def weighted() -> Iterator[Cell]:
    """Half of the negatives are drawn from one stratum, half from another that is nine times as frequent."""

    def draw(shifts: tuple[float, float], p: int, n: int) -> Draw:
        y = np.repeat([1, 0], [p, n]).astype(np.int8)
        stratum = np.concatenate([np.zeros(p, np.int64), np.arange(n) % 2])
        weight = np.where(y == 1, 1.0, np.where(stratum == 1, 9.0, 1.0))

        def drawn(rng: np.random.Generator) -> tuple[Any, ...]:
            return y, rng.standard_normal(p + n) + np.where(y == 1, 0, np.array(shifts)[stratum]), weight

        return drawn

    for p, n in ((20, 200), (100, 400)):
        for shifts in ((-1.0, -1.5), (-2.0, -3.0)):
            truth = float(np.average(ndtr(-np.array(shifts) / math.sqrt(2)), weights=[1, 9]))
            yield Cell(
                figure="weighted_roc_auc",
                population=f"strata{shifts[0]:g}{shifts[1]:g}",
                size=size_name(n + p, p),
                truth=truth,
                draw=draw(shifts, p, n),
                methods={
                    method: lambda y, s, w, method=method: ends(
                        pixelgauge.roc_auc_interval(y, s, sample_weight=w, method=method)
                    )
                    for method in ("score", "delong")
                },
                promised={"score": PROMISED if can_be_held(p, truth) else AT_LEAST},
            )


def grouped() -> Iterator[Cell]:
    """The mean of five groups of different difficulty."""
    shifts = np.array([0.5, 1.0, 1.5, 2.0, 3.0])
    truth = float(ndtr(shifts / math.sqrt(2)).mean())

    def draw(p: int, n: int) -> Draw:
        group = np.repeat(np.arange(5), p + n)
        y = np.tile(np.repeat([1, 0], [p, n]), 5).astype(np.int8)
        return lambda rng: (y, rng.standard_normal(len(y)) + y * shifts[group], group)

    for p, n in ((10, 40), (50, 200)):
        yield Cell(
            figure="grouped_roc_auc",
            population="normal-five",
            size=size_name(p + n, p),
            truth=truth,
            draw=draw(p, n),
            methods={
                method: lambda y, s, g, method=method: ends(
                    pixelgauge.roc_auc_interval(y, s, groups=g, method=method).mean
                )
                for method in ("score", "delong")
            },
            promised={"score": PROMISED},
        )


def differences() -> Iterator[Cell]:
    """DeLong's interval of a difference: the published one, whose coverage is shown and not promised."""
    for n, p in ((100, 10), (500, 50), (2000, 200)):
        for first, second in ((0.7, 0.7), (0.9, 0.8), (0.98, 0.9)):
            shifts = ndtri([first, second]) * math.sqrt(2)
            y = np.repeat([1, 0], [p, n - p]).astype(np.int8)

            def draw(rng: np.random.Generator, y: Array = y, shifts: Array = shifts) -> tuple[Any, ...]:
                common, own = rng.standard_normal(len(y)), rng.standard_normal((2, len(y)))
                a, b = math.sqrt(0.5) * common + math.sqrt(0.5) * own + y * shifts[:, np.newaxis]
                return y, a, b

            yield Cell(
                figure="auroc_difference",
                population=f"normal-{first}-{second}",
                size=size_name(n, p),
                truth=first - second,
                draw=draw,
                methods={"delong": lambda y, a, b: ends(pixelgauge.delong_test(y, a, b))},
                promised={},
            )


CELLS = [
    *areas(),
    *partial_areas(),
    *average_precisions(),
    *sensitivities(),
    *operating_points(),
    *clustered(),
    *weighted(),
    *grouped(),
    *differences(),
]
