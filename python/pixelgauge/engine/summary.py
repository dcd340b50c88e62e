"""Counts and figures over the rows of a run."""

from __future__ import annotations

import math
from array import array
from bisect import insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pixelgauge.engine.registry import METRICS
from pixelgauge.engine.rows import ScoreRow, Status


@dataclass(frozen=True)
class MetricSummary:
    """One metric over all rows that have it."""

    count: int
    """Rows with a value, infinite ones too."""
    infinite: int
    """Rows whose value is infinite (the PSNR of identical images); mean, median and std leave them out."""
    mean: float | None
    """Mean of the images' values; None if there is no finite one."""
    median: float | None
    std: float | None
    """Sample standard deviation (n - 1); None for fewer than two values."""
    worst: list[tuple[float, ScoreRow]]
    """The ten worst that are finite, worst first."""


class Summary:
    """Counts and, for each metric, mean, median, standard deviation and the worst ten, of rows added one by one.

    Keeps eight bytes a score.

    Parameters
    ----------
    metrics : sequence of str
        Names from :data:`METRICS`.
    """

    WORST = 10

    def __init__(self, metrics: Sequence[str]) -> None:
        self.statuses: Counter[Status] = Counter()
        self._values = {name: _Values() for name in metrics}

    def add(self, row: ScoreRow) -> None:
        """Count a row in."""
        index = self.count
        self.statuses[row.status] += 1
        for name, value in row.values.items():
            self._values[name].add(value, value if METRICS[name].higher_is_better else -value, index, row)

    @property
    def count(self) -> int:
        """Rows added."""
        return self.statuses.total()

    @property
    def failed(self) -> int:
        """Rows that are not ``"ok"``."""
        return self.count - self.statuses["ok"]

    def metrics(self) -> dict[str, MetricSummary]:
        """By name, in the order given."""
        return {name: values.summary() for name, values in self._values.items()}


class _Values:
    def __init__(self) -> None:
        self.finite: array[float] = array("d")
        self.infinite = 0
        self.worst: list[tuple[float, int, float, ScoreRow]] = []

    def add(self, value: float, goodness: float, index: int, row: ScoreRow) -> None:
        if math.isinf(value):
            self.infinite += 1
            return
        self.finite.append(value)
        if len(self.worst) < Summary.WORST or goodness < self.worst[-1][0]:
            insort(self.worst, (goodness, index, value, row), key=lambda entry: entry[:2])
            del self.worst[Summary.WORST :]

    def summary(self) -> MetricSummary:
        finite = np.frombuffer(self.finite, np.float64)
        return MetricSummary(
            count=finite.size + self.infinite,
            infinite=self.infinite,
            mean=float(finite.mean()) if finite.size else None,
            median=float(np.median(finite)) if finite.size else None,
            std=float(finite.std(ddof=1)) if finite.size > 1 else None,
            worst=[(value, row) for _, _, value, row in self.worst],
        )
