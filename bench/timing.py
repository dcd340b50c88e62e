"""Timing of contenders in one process, in turns: medians of rounds in which each runs once, and a table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

TURN = 0.02
OWN_WARM_UP = 1.0
# OpenMP's idle threads spin for 200 ms before they sleep.
PAUSE = 0.25


class Seconds(NamedTuple):
    """Medians of one contender's runs, and the quickest."""

    wall: float
    processor: float
    """Of all threads of this process; those of child processes are not seen."""
    best: float
    """Wall clock of the quickest run: the least disturbed by other machines on the same processor."""


def measure(
    contenders: Mapping[str, Callable[[], Any]],
    enter: Mapping[str, Callable[[], Any]],
    rounds: int,
    budget_s: float,
) -> dict[str, Seconds]:
    """Median seconds of each contender; every round runs each once, so that noise meets all alike.

    `enter` sets the process up before a contender's turn. Untimed runs precede the timed ones, as many: none is charged for
    the caches and the clock that the contender before it left. Runs of a second are their own warm-up. Before each turn there
    is a pause for those whose idle threads spin. Runs shorter than 20 ms are repeated to that length and averaged.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    repeats, warm = {}, {}
    for name, run in contenders.items():
        enter[name]()
        start = time.perf_counter()
        run()
        seconds = time.perf_counter() - start
        repeats[name] = max(1, round(TURN / seconds))
        warm[name] = repeats[name] if seconds < OWN_WARM_UP else 0
    began = time.perf_counter()
    for _ in range(rounds):
        for name, run in contenders.items():
            enter[name]()
            time.sleep(PAUSE)
            for _ in range(warm[name]):
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


def duration(seconds: float) -> str:
    """Four digits and a unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * scale >= 1 or unit == "us":
            return f"{seconds * scale:.4g} {unit}"
    raise AssertionError(seconds)


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
