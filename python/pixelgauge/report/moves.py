"""What moved since an earlier run: changes of each metric over the pairs that are in both."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge.metric import Metric
from pixelgauge.report.selection import Kept


@dataclass(frozen=True)
class Moved:
    """One metric over the pairs that have it in both runs."""

    changes: npt.NDArray[np.float64]
    """New less old, where both are finite."""
    before: float | None
    """Mean of the old scores that are finite in both."""
    after: float | None
    better: int
    worse: int
    same: int


class Moves:
    """Changes of scores, added up while rows come; keeps 16 bytes a score."""

    def __init__(self, metrics: Mapping[str, Metric[Any]]) -> None:
        self._metrics = metrics
        self._old: dict[str, array[float]] = {name: array("d") for name in metrics}
        self._new: dict[str, array[float]] = {name: array("d") for name in metrics}

    def add(self, kept: Kept) -> None:
        """Look at a row."""
        for name, new in kept.row.values.items():
            old = None if kept.before is None else kept.before.get(name)
            if old is not None:
                self._old[name].append(old)
                self._new[name].append(new)

    def found(self) -> dict[str, Moved]:
        """By metric."""
        return {name: self._moved(name, metric.higher_is_better) for name, metric in self._metrics.items()}

    def _moved(self, name: str, higher_is_better: bool) -> Moved:
        old, new = (np.array(values, np.float64) for values in (self._old[name], self._new[name]))
        both = np.isfinite(old) & np.isfinite(new)
        up, down = int((new > old).sum()), int((new < old).sum())
        better, worse = (up, down) if higher_is_better else (down, up)
        before, after = old[both], new[both]
        means = [math.fsum(values) / values.size if values.size else None for values in (before, after)]  # as a Summary
        return Moved(after - before, means[0], means[1], better, worse, old.size - up - down)
