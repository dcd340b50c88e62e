"""What the engine itself takes for a pair, beside reading and scoring it: microseconds of processor time.

The images are there and the scores are made up, so that what is left is pairs, threads, checks, rows, summary and file.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from pixelgauge.engine.compare import CompareRun
from pixelgauge.engine.comparison import CompareOptions, Comparison, prepare
from pixelgauge.engine.items import Loaded
from pixelgauge.engine.pairing import CountedPairs, Pair, Pairing
from pixelgauge.engine.row_files import RowFile
from pixelgauge.engine.rows import FileState, file_state
from pixelgauge.images.decoding import Picture
from pixelgauge.metric import Metric, Pixels, Result

METRICS = ("psnr", "ssim", "ms-ssim")
PAIRS, ROUNDS = 5000, 7
LIMIT_US = 60.0
_PICTURE = Picture(np.zeros((64, 64, 3), np.uint8), "")


class Made:
    """An image of a file that is looked at, as a file's state always is, and never read."""

    def __init__(self, name: str) -> None:
        self.name = name

    def state(self) -> FileState | None:
        """State of the file."""
        return file_state(self.name)

    def read(self, **reading: Any) -> Picture:
        """The one picture."""
        return _PICTURE

    def load(self) -> Loaded:
        """As if it had to be decoded."""
        return Loaded(8 * _PICTURE.pixels.size, self.read)


class MadeUp:
    """Scores that cost nothing."""

    made_with: Mapping[str, str] = {}
    _values: Mapping[str, Result] = {name: np.array([1.0]) for name in METRICS}

    def together(self, x: Pixels) -> int:
        """One."""
        return 1

    def __call__(self, x: Pixels, y: Pixels) -> Mapping[str, Result]:
        """The values."""
        return self._values


class _Family:
    def prepare(self, asked: object) -> MadeUp:
        return MadeUp()


class Instead(Comparison):
    """A comparison whose metrics are none."""

    def __init__(self, comparison: Comparison) -> None:
        self.__dict__.update(comparison.__dict__)
        family = _Family()
        self.metrics: dict[str, Metric[Any]] = {
            name: dataclasses.replace(metric, family=family) for name, metric in comparison.metrics.items()
        }

    def scorers(self, full_range: float | None = None) -> list[Any]:
        """The one that makes values up."""
        return [MadeUp()]


def cost(workers: int, *, to_csv: bool) -> float:
    """Microseconds of processor time a pair: the median of some rounds."""
    comparison = Instead(prepare(CompareOptions(METRICS)))
    found = []
    with TemporaryDirectory() as folder:
        (Path(folder) / "a.png").touch()
        item = Made(str(Path(folder) / "a.png"))
        pairs = CountedPairs(PAIRS, lambda i: Pair(item.name, item.name, items=(item, item)))
        for turn in range(ROUNDS + 1):
            began = time.process_time()
            run = CompareRun(Pairing("", "", pairs, Counter()), comparison, workers)
            if to_csv:
                file = RowFile(f"{folder}/{turn}.csv", comparison)
                for row in run:
                    file.append(row)
                file.finish()
                file.close()
            else:
                for _ in run:
                    pass
            found.append(1e6 * (time.process_time() - began) / PAIRS)
    return statistics.median(found[1:])


def main() -> int:
    """Print the table: 1 if the pairs alone take more than the limit."""
    print(
        f"{'workers':>8} {'pairs, us':>10} {'and CSV, us':>12}    of processor time a pair, at most {LIMIT_US:g} without CSV"
    )
    worst = 0.0
    for workers in (1, 2, 4):
        alone, written = cost(workers, to_csv=False), cost(workers, to_csv=True)
        worst = max(worst, alone)
        print(f"{workers:>8} {alone:>10.1f} {written:>12.1f}", flush=True)
    return int(worst > LIMIT_US)


if __name__ == "__main__":
    raise SystemExit(main())
