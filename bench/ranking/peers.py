"""AUROC, its curves and intervals as others compute them, and as plain NumPy does, on the same labels and scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.case import Call, Contender
from bench.programs import program, torch_program
from bench.ranking.scores import anomalies, groups_of, other_scores_of, scores_of, weights_of

Scores = Callable[[np.ndarray], np.ndarray]
"""From float32 scores to those of a case."""


def fraction(negative: np.ndarray, positive: np.ndarray) -> float:
    """AUROC by two sorted look-ups, whose counts are integers: exact."""
    negative, positive = np.sort(negative), np.sort(positive)
    less, not_more = (int(np.searchsorted(negative, positive, side).sum()) for side in ("left", "right"))
    return (less + not_more) / (2 * len(positive) * len(negative))


def look_ups(n: int, convert: Scores) -> Contender:
    """The oracle of AUROC."""

    def prepare() -> Call:
        y, x = scores_of(n)
        scores = convert(x)
        return lambda: fraction(scores[~y], scores[y])

    return Contender(prepare=prepare, tolerance=0.0)


def sort(n: int, convert: Scores) -> Contender:
    """A floor for whoever sorts."""

    def prepare() -> Call:
        scores = convert(scores_of(n)[1])
        return lambda: np.sort(scores)

    return Contender(prepare=prepare, tolerance=None)


def scikit_learn(function: str, n: int, convert: Scores, *, weighted: bool = False, **options: Any) -> Contender:
    """Its function of the same name."""

    def prepare() -> Call:
        metric = getattr(program("sklearn.metrics"), function)
        y, x = scores_of(n)
        scores = convert(x)
        weights = {"sample_weight": weights_of(n)} if weighted else {}
        return lambda: metric(y, scores, **weights, **options)

    return Contender(prepare=prepare, tolerance=1e-12)


def torchmetrics(n: int) -> Contender:
    """Its AUROC, whose trapezoids are float32."""

    def prepare() -> Call:
        metric = torch_program("torchmetrics.functional.classification").binary_auroc
        torch = program("torch")
        y, x = scores_of(n)
        scores, labels = torch.from_numpy(x), torch.from_numpy(y.astype(np.int64))
        return lambda: float(metric(scores, labels))

    return Contender(prepare=prepare, tolerance=1e-4)


def each_group(n: int, groups: int) -> Contender:
    """The look-ups once a group."""

    def prepare() -> Call:
        y, x = scores_of(n)
        of_row = groups_of(n, groups)

        def call() -> list[float]:
            order = np.argsort(of_row, kind="stable")
            bounds = np.cumsum(np.bincount(of_row))[:-1]
            pieces = zip(np.split(y[order], bounds), np.split(x[order], bounds), strict=True)
            return [fraction(scores[~labels], scores[labels]) for labels, scores in pieces]

        return call

    return Contender(prepare=prepare, tolerance=0.0)


def placements(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Twice how many of the others each lies above, ties as one."""
    other = np.sort(other)
    return np.searchsorted(other, own, "left") + np.searchsorted(other, own, "right")


def delong_error(n: int) -> Contender:
    """AUROC and DeLong's standard error from sums in Python's integers, which are exact."""

    def prepare() -> Call:
        y, x = scores_of(n)

        def call() -> tuple[float, float]:
            squares, totals, counts = [], [], (int(y.sum()), int((~y).sum()))
            for own, other in ((x[y], x[~y]), (x[~y], x[y])):
                twice = placements(own, other)
                # the square of a placement is below 2^50: sums of 2^13 of them fit 64 bits
                pieces = np.split(twice, range(1 << 13, len(twice), 1 << 13))
                squares.append(sum(int((piece * piece).sum()) for piece in pieces))
                totals.append(int(twice.sum()))
            p, q = counts
            variances = [
                (m * s - t * t) / (4 * o * o * m * (m - 1))
                for s, t, m, o in zip(squares, totals, counts, counts[::-1], strict=True)
            ]
            return totals[0] / (2 * p * q), math.sqrt(variances[0] / p + variances[1] / q)

        return call

    return Contender(prepare=prepare, tolerance=1e-14)


def delong_difference(n: int) -> Contender:
    """DeLong's paired test from placements and their covariances in float64."""

    def prepare() -> Call:
        y, x = scores_of(n)
        both = (x, other_scores_of(n))

        def call() -> tuple[float, float, float, float]:
            variance, areas = 0.0, [0.0, 0.0]
            for own, other in ((y, ~y), (~y, y)):
                shares = [placements(s[own], s[other]) / (2 * int(other.sum())) for s in both]
                variance += float(np.var(shares[0] - shares[1], ddof=1)) / int(own.sum())
                if own is y:
                    areas = [float(share.mean()) for share in shares]
            z = (areas[0] - areas[1]) / math.sqrt(variance)
            return areas[0], areas[1], z, math.erfc(abs(z) / math.sqrt(2))

        return call

    return Contender(prepare=prepare, tolerance=1e-9)


def regions(masks: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """Connected regions of each mask, eight neighbours."""
    label = program("scipy.ndimage").label
    return [label(mask, structure=np.ones((3, 3))) for mask in masks]


def overlap_curve(count: int, side: int) -> Contender:
    """AUPRO from all scores in order: a pixel of a region adds its share of that region, a normal one to the rate."""

    def prepare() -> Call:
        masks, maps = anomalies(count, side)

        def call() -> float:
            shares, number = np.zeros(masks.shape), 0
            for share, (labels, found) in zip(shares, regions(masks), strict=True):
                sizes = np.bincount(labels.ravel()).astype(np.float64)
                share[labels > 0] = 1 / sizes[labels[labels > 0]]
                number += found
            order = np.argsort(-maps.ravel(), kind="stable")
            scores, normal = maps.ravel()[order], ~masks.ravel()[order]
            last = np.append(scores[1:] != scores[:-1], True)
            rate = np.append(0, (np.cumsum(normal) / normal.sum())[last])
            overlap = np.append(0, (np.cumsum(shares.ravel()[order]) / number)[last])
            below = rate < 0.3
            rates = np.append(rate[below], 0.3)
            return float(np.trapezoid(np.append(overlap[below], np.interp(0.3, rate, overlap)), rates) / 0.3)

        return call

    return Contender(prepare=prepare, tolerance=1e-9)


def one_threshold(count: int, side: int) -> Contender:
    """One threshold of a straightforward sweep, which takes a thousand: overlap of every region and the rate."""

    def prepare() -> Call:
        ndimage = program("scipy.ndimage")
        masks, maps = anomalies(count, side)
        labelled = regions(masks)
        threshold = (float(maps.max()) + float(maps.min())) / 2

        def call() -> None:
            for (labels, found), scores in zip(labelled, maps, strict=True):
                called = scores >= threshold
                ndimage.mean(called, labels, np.arange(1, found + 1))
                np.count_nonzero(called & (labels == 0))

        return call

    return Contender(prepare=prepare, tolerance=None)
