"""Samples that depend on each other within clusters: the variance of an AUROC, and draws of whole clusters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pixelgauge.images import Array
from pixelgauge.ranking.inputs import Float64Array, require_ranks
from pixelgauge.ranking.placements import Placements


@dataclass(frozen=True)
class Clusters:
    """To which cluster each sample belongs."""

    truth: Array
    codes: Array
    count: int
    """Clusters that hold a sample."""
    with_positives: int
    with_negatives: int

    @property
    def freedom(self) -> int:
        """Degrees of freedom of a variance over clusters."""
        return min(self.with_positives, self.with_negatives) - 1

    @property
    def largest_effect(self) -> float:
        """How many times fewer samples there would be if all of a cluster were one."""
        positives = int(np.count_nonzero(self.truth))
        negatives = len(self.truth) - positives
        return max(positives / self.with_positives, negatives / self.with_negatives)

    def standard_error(self, placements: Placements) -> float:
        """Obuchowski's (1997) standard error: DeLong's with sums over clusters in the place of samples."""
        size = int(self.codes.max()) + 1
        sums = [
            np.bincount(self.codes[of], values - values.mean(), minlength=size)
            for of, values in ((self.truth, placements.positives), (~self.truth, placements.negatives))
        ]
        m, n = len(placements.positives), len(placements.negatives)
        i, j, k = self.with_positives, self.with_negatives, self.count
        variance = (
            i / (i - 1) * float(sums[0] @ sums[0]) / m**2
            + j / (j - 1) * float(sums[1] @ sums[1]) / n**2
            + 2 * k / (k - 1) * float(sums[0] @ sums[1]) / (m * n)
        )
        return math.sqrt(max(0.0, variance))

    def resampled(self, scores: Array, replicates: int, rng: np.random.Generator) -> Float64Array:
        """AUROCs of as many clusters drawn with replacement; a draw without one of the classes is drawn again."""
        require_ranks(scores)
        order = np.argsort(scores, kind="stable")
        ordered, codes, truth = scores[order], self.codes[order], self.truth[order]
        starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        present = np.flatnonzero(np.bincount(codes))
        values = np.empty(replicates)
        drawn = np.zeros(int(codes.max()) + 1)
        for k in range(replicates):
            while True:
                drawn[present] = rng.multinomial(len(present), np.full(len(present), 1 / len(present)))
                times = drawn[codes]
                positives = np.add.reduceat(times * truth, starts)
                negatives = np.add.reduceat(times * ~truth, starts)
                pairs = float(positives.sum() * negatives.sum())
                if pairs > 0:
                    break
            below = np.cumsum(negatives) - negatives / 2
            values[k] = float(positives @ below) / pairs
        return values


def clusters_of(truth: Array, codes: Array) -> Clusters:
    """Clusters from the number of each sample's; two with positives and two with negatives are the least."""
    size = int(codes.max()) + 1
    held = [np.bincount(codes[of], minlength=size) > 0 for of in (truth, ~truth)]
    positives, negatives = (int(np.count_nonzero(of)) for of in held)
    if min(positives, negatives) < 2:
        raise ValueError(
            f"cluster= has {positives} clusters with positives and {negatives} with negatives: a variance over "
            "clusters needs at least two of each"
        )
    return Clusters(truth, codes, int(np.count_nonzero(held[0] | held[1])), positives, negatives)
