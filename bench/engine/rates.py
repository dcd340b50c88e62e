"""Pairs of JPEG files a second by the engine, against the least that they take: reading, decoding, and one pass of the kernels.

    python -m bench.engine.rates --pairs 300 --rounds 5

Contenders run in turns in one process: the limit and one worker on one core each, and two workers. The share of the limit is of
processor time, which others on the machine disturb least, and the gain of two workers of the quickest rounds.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pixelgauge
from bench.engine.cases import write_pairs
from pixelgauge import _core
from pixelgauge.engine.comparison import CompareOptions, prepare
from pixelgauge.engine.pairing import Pairing, find_pairs
from pixelgauge.engine.pipeline import score_pairs
from pixelgauge.files.reading import read_regular
from pixelgauge.full_reference.scores import scores
from pixelgauge.images.jpeg import open_jpeg
from pixelgauge.images.opening import Decoded

SHAPE = (1000, 1000, 3)
METRICS = (("psnr",), ("psnr", "ssim", "ms-ssim"))
SHARE, SPEED_UP = 0.95, 1.9


def least(pairing: Pairing, metrics: Sequence[str]) -> Callable[[], None]:
    """Make a loop that reads, walks the header, decodes and scores, in memory that is used again as the engine's is."""

    def pixels(path: str | None) -> object:
        opened = open_jpeg(read_regular(str(path)))
        if not isinstance(opened, Decoded):
            raise RuntimeError("simplejpeg is missing, or is not used: install pixelgauge[fast]")
        return opened.pixels

    def loop() -> None:
        memory.use()
        for pair in pairing.pairs:
            ref, test = pairing.paths(pair)
            scores(pixels(ref), pixels(test), tuple(metrics))

    def call() -> None:
        thread = threading.Thread(target=loop)
        thread.start()
        thread.join()

    memory = _core.ArrayMemory()
    return call


def engine(pairing: Pairing, metrics: Sequence[str], workers: int) -> Callable[[], None]:
    """Make a run of the engine."""
    comparison = prepare(CompareOptions(tuple(metrics)))

    def call() -> None:
        if any(row.status != "ok" for row in score_pairs(pairing, comparison, workers=workers)):
            raise RuntimeError("a pair was not scored")

    return call


def in_turns(calls: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds of the processor and of the wall of every round, after one that is not counted."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            processor, wall = time.process_time(), time.perf_counter()
            call()
            if turn:
                found[name].append((time.process_time() - processor, time.perf_counter() - wall))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables: 1 if a share is below what is promised."""
    parser = argparse.ArgumentParser(prog="python -m bench.engine.rates", description=__doc__.split("\n\n")[0])
    parser.add_argument("--pairs", type=int, default=300, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    options = parser.parse_args(arguments)
    count, is_slow = options.pairs, False
    pixelgauge.set_num_threads(1)
    with TemporaryDirectory() as folder:
        write_pairs(Path(folder), count, SHAPE)
        pairing = find_pairs(f"{folder}/ref", f"{folder}/test")
        for metrics in METRICS:
            calls = {"limit": least(pairing, metrics), "one worker": engine(pairing, metrics, 1)}
            calls["two workers"] = engine(pairing, metrics, 2)
            rounds = in_turns(calls, options.rounds)
            times = {name: (statistics.median(p for p, _ in f), min(w for _, w in f)) for name, f in rounds.items()}
            share = times["limit"][0] / times["one worker"][0]
            faster = times["one worker"][1] / times["two workers"][1]
            is_slow |= share < SHARE or faster < SPEED_UP
            print(f"{','.join(metrics)}, {count} pairs of {SHAPE[1]} x {SHAPE[0]}")
            for name, (processor, wall) in times.items():
                print(
                    f"  {name:12} {1e3 * processor / count:7.2f} ms of processor time a pair, {count / wall:6.1f} pairs/s"
                )
            print(
                f"  {share:.3f} of the limit ({SHARE:g} is promised), two workers {faster:.2f} times one ({SPEED_UP:g})"
            )
    return int(is_slow)


if __name__ == "__main__":
    raise SystemExit(main())
