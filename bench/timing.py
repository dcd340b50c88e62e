"""Timing of contenders in one process: alternating rounds, medians, and the table that all benchmarks print."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np


class Seconds(NamedTuple):
    """Medians of one contender's runs, and the quickest."""

    wall: float
    processor: float
    """Of all threads of this process; those of child processes are not seen."""
    best: float
    """Wall clock of the quickest run: the least disturbed by other machines on the same processor."""


def measure(
    contenders: Mapping[str, Callable[[], Any]],
    rounds: int = 7,
    budget_s: float = 20.0,
    *,
    pause_s: float = 0.0,
    warm: bool = True,
) -> dict[str, Seconds]:
    """Median seconds of each contender; every round runs each once, so that noise meets all alike.

    Untimed runs precede the timed ones, as many: none is charged for the caches and the clock that the contender before
    it left. Runs that are long enough to be their own warm-up can do without (`warm`). Before each turn there is a pause
    for those whose idle threads spin. Runs shorter than 20 ms are repeated to that length and averaged.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    repeats = {}
    for name, run in contenders.items():
        run()
        start = time.perf_counter()
        run()
        repeats[name] = max(1, round(0.02 / (time.perf_counter() - start)))
    began = time.perf_counter()
    for _ in range(rounds):
        for name, run in contenders.items():
            time.sleep(pause_s)
            for _ in range(repeats[name] if warm else 0):
                run()
            wall, processor = time.perf_counter(), time.process_time()
            for _ in range(repeats[name]):
                run()
            times[name].append(
                ((time.perf_counter() - wall) / repeats[name], (time.process_time() - processor) / repeats[name])
            )
        if time.perf_counter() - began > budget_s and len(times[name]) >= 3:
            break
    found = {}
    for name, runs in times.items():
        walls, processors = zip(*runs, strict=True)
        found[name] = Seconds(statistics.median(walls), statistics.median(processors), min(walls))
    return found


def alternate(contenders: Mapping[str, Callable[[], Any]], rounds: int = 7, budget_s: float = 20.0) -> dict[str, float]:
    """Median wall-clock seconds of each contender; see :func:`measure`."""
    return {name: seconds.wall for name, seconds in measure(contenders, rounds, budget_s).items()}


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print one aligned table."""
    widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]
    print(f"\n{title}")
    for row in [header, ["-" * w for w in widths], *rows]:
        print(
            "  "
            + "  ".join(
                str(cell).rjust(w) if i else str(cell).ljust(w)
                for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
        )


def machine() -> str:
    """One line about the machine, for the head of a report."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            model = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, Python {platform.python_version()}, NumPy {np.__version__}"


def read_bandwidth() -> float:
    """Bytes a second that one thread reads from memory: the sum of an array too large for the caches that matter."""
    data = np.ones(64 << 20, np.uint8).view(np.uint64)
    seconds = alternate({"read": lambda: np.bitwise_xor.reduce(data)}, rounds=9)["read"]
    return data.nbytes / seconds
