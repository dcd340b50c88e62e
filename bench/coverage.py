"""Do the intervals cover? Repeats of known populations, each interval asked whether it holds the true figure.

    python -m bench.coverage                                  # every cell, 4000 repeats: hours
    python -m bench.coverage 'roc_auc/*/n100-*' --repeats 500
    python -m bench.coverage --found found.jsonl              # which `bench.coverage_report` draws

A cell is one population with its sizes: what it draws, the figure that is true of it, and the methods whose intervals
are asked. Repeat r of a cell is drawn from the seed (cell's name, r), so that a cell gives the same numbers alone, beside
others, and on any number of processes. A method that a cell promises for has to cover within the cell's bounds; another
is shown beside it. Ends with 1 where a promise is not kept. `--found` keeps each cell as it ends: the same command again
goes on with the cells that are not in the file, or have fewer repeats there.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import math
import multiprocessing
import os
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One population and its sizes."""

    figure: str
    """What is estimated: the name of the function without `_interval`."""
    population: str
    size: str
    truth: float
    draw: Callable[[np.random.Generator], tuple[Any, ...]]
    """Draws one data set: what is handed to each method."""
    methods: Mapping[str, Callable[..., Interval]]
    """Low and high end, by the method's name."""
    promised: Mapping[str, Interval]
    """Least and most coverage that the documentation promises, of the methods for which it does."""
    level: float = 0.95
    repeats: int | None = None
    """At most so many, where one takes seconds."""

    @property
    def name(self) -> str:
        """Figure, population and size, parted by slashes, so that a glob selects."""
        return "/".join((self.figure, self.population, self.size))


@dataclass(frozen=True)
class Found:
    """What the repeats of a cell gave for one method."""

    cell: str
    method: str
    truth: float
    repeats: int
    covered: float
    below: float
    """Share of the intervals that lie below the true figure."""
    above: float
    width: float
    """Mean."""
    promised: Interval | None

    @property
    def kept(self) -> bool:
        return self.promised is None or self.promised[0] <= self.covered <= self.promised[1]


def cells() -> list[Cell]:
    """All cells, as the wings list them."""
    from bench.distribution.coverage_cells import CELLS as OF_SETS
    from bench.ranking.coverage_cells import CELLS as OF_SCORES

    return [*OF_SCORES, *OF_SETS]


def run(cell: Cell, repeats: int, first: int = 0) -> dict[str, list[Interval]]:
    """Intervals of some of a cell's repeats, by method."""
    key = zlib.crc32(cell.name.encode())
    found: dict[str, list[Interval]] = {method: [] for method in cell.methods}
    for repeat in range(first, first + repeats):
        drawn = cell.draw(np.random.default_rng([key, repeat]))
        for method, interval in cell.methods.items():
            with warnings.catch_warnings():  # of few samples, which is what the cells are there for
                warnings.simplefilter("ignore")
                low, high = interval(*drawn)
            found[method].append((float(low), float(high)))
    return found


def judged(cell: Cell, intervals: Mapping[str, Sequence[Interval]]) -> list[Found]:
    """How often the intervals hold the true figure."""
    found = []
    for method, ends in intervals.items():
        low, high = np.array(ends).T
        below, above = float((high < cell.truth).mean()), float((low > cell.truth).mean())
        width = float((high - low).mean())
        if math.isnan(width):
            raise ValueError(f"{cell.name}: {method} gave an interval with NaN")
        promised = cell.promised.get(method)
        found.append(Found(cell.name, method, cell.truth, len(low), 1 - below - above, below, above, width, promised))
    return found


def _part(task: tuple[str, int, int]) -> tuple[str, dict[str, list[Interval]]]:
    name, first, repeats = task
    cell = next(cell for cell in cells() if cell.name == name)
    return name, run(cell, repeats, first)


def wanted(cell: Cell, repeats: int) -> int:
    """So many repeats of a cell, where so many are asked for."""
    return min(repeats, cell.repeats or repeats)


def measure(chosen: Sequence[Cell], repeats: int, processes: int, part: int = 250) -> Iterator[list[Found]]:
    """Run cells on several processes, a part of a cell's repeats at a time; gives each cell as it ends."""
    import pixelgauge

    tasks = []
    for cell in chosen:
        count = wanted(cell, repeats)
        tasks += [(cell.name, first, min(part, count - first)) for first in range(0, count, part)]
    by_name = {cell.name: cell for cell in chosen}
    left = {name: sum(task[0] == name for task in tasks) for name in by_name}
    intervals: dict[str, dict[str, list[Interval]]] = {name: {} for name in by_name}
    with multiprocessing.get_context("spawn").Pool(processes, pixelgauge.set_num_threads, (1,)) as pool:
        for name, ends in pool.imap(_part, tasks):
            for method, of_method in ends.items():
                intervals[name].setdefault(method, []).extend(of_method)
            left[name] -= 1
            if left[name] == 0:
                yield judged(by_name[name], intervals.pop(name))


def read(file: Path) -> dict[str, list[Found]]:
    """What a file has of each cell; of a cell that stands there twice, the later."""
    by_cell: dict[str, dict[str, Found]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        found = Found(**json.loads(line))
        by_cell.setdefault(found.cell, {})[found.method] = found
    return {cell: list(methods.values()) for cell, methods in by_cell.items()}


def finished(cell: Cell, kept: Sequence[Found], repeats: int) -> list[Found]:
    """What was kept of a cell, held against its promises of today; nothing where repeats or a method lack."""
    found = [line for line in kept if line.method in cell.methods and line.repeats >= wanted(cell, repeats)]
    return (
        [replace(line, promised=cell.promised.get(line.method)) for line in found]
        if len(found) == len(cell.methods)
        else []
    )


def append(file: Path, of_cell: Sequence[Found]) -> None:
    """Keep what was found of a cell."""
    with file.open("a", encoding="utf-8") as kept:
        kept.writelines(json.dumps(asdict(found)) + "\n" for found in of_cell)


def told(line: Found) -> str:
    """One line of the table."""
    promise = "" if line.promised is None else f"  promised {line.promised[0]:.2f} to {line.promised[1]:.2f}"
    return (
        f"{line.cell:<58} {line.method:<12} {line.covered:.4f} (below {line.below:.4f}, above {line.above:.4f}) "
        f"width {line.width:.4g}{promise}{'' if line.kept else '  BROKEN'}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cells that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", nargs="*", metavar="CELL", help="names or globs (default: all)")
    parser.add_argument("--list", action="store_true", help="print the cells' names and end")
    parser.add_argument("--repeats", type=int, default=4000)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--found", type=Path, metavar="FILE", help="keep what is found here, and go on from there")
    args = parser.parse_args(arguments)
    patterns = args.cells or ["*"]
    chosen = [cell for cell in cells() if any(fnmatch.fnmatchcase(cell.name, pattern) for pattern in patterns)]
    if not chosen:
        parser.error(f"no cell is called {' or '.join(patterns)}: see --list")
    if args.list:
        print(*(cell.name for cell in chosen), sep="\n")
        return 0
    kept = read(args.found) if args.found and args.found.exists() else {}
    before = {cell.name: finished(cell, kept.get(cell.name, []), args.repeats) for cell in chosen}
    found = [line for lines in before.values() for line in lines]
    for of_cell in measure([cell for cell in chosen if not before[cell.name]], args.repeats, args.processes):
        for line in of_cell:
            print(told(line), flush=True)
        if args.found:
            append(args.found, of_cell)
        found += of_cell
    broken = [line for line in found if not line.kept]
    print(f"{len(found) - len(broken)} of {len(found)} intervals keep what is promised of them")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
