"""Listed pairs by the thousand: whether rate and memory of the engine stay as they are, whatever the number of pairs.

    python -m bench.engine.many_pairs --pairs 1000 --pairs 100000

Small pictures, which a list names again and again, are scored to a CSV, each number of pairs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.peak_memory import resident
from pixelgauge.engine.compare import CompareRun
from pixelgauge.engine.comparison import CompareOptions, prepare
from pixelgauge.engine.pair_lists import listed_pairs
from pixelgauge.engine.row_files import RowFile

PICTURES, SIDE = 50, 64
BYTES_A_SCORE = 8
"""What the summary keeps, for the median."""
ALLOWED = 4 << 20
"""Bytes beyond that by which two peaks may differ: what the allocator and the threads make of the same work."""


def write_list(folder: Path, count: int) -> Path:
    """Pictures of two sides, and a list of so many pairs of them."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for side in ("ref", "test"):
        (folder / side).mkdir()
        for i in range(PICTURES):
            pixels = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
            Image.fromarray(pixels).save(folder / side / f"{i:02}.png")
    names = [f"{folder}/ref/{i:02}.png\t{folder}/test/{i:02}.png\n" for i in range(PICTURES)]
    path = folder / "pairs.txt"
    with open(path, "w") as file:
        file.writelines(names[i % PICTURES] for i in range(count))
    return path


def measure_here(count: int) -> dict[str, float]:
    """Pairs a second of the first and the last tenth, and the peak of the process, which should be fresh."""
    with TemporaryDirectory() as folder:
        pairing = listed_pairs(str(write_list(Path(folder), count)), None)
        comparison = prepare(CompareOptions(("psnr", "ssim")))
        output = RowFile(f"{folder}/rows.csv", comparison)
        marks = {0, count // 10, count - count // 10, count}
        clock = {0: (time.perf_counter(), time.process_time())}
        with CompareRun(pairing, comparison) as run:
            for done, row in enumerate(run, start=1):
                output.append(row)
                if row.status != "ok":
                    raise RuntimeError(f"{row.ref}: {row.message}")
                if done in marks:
                    clock[done] = (time.perf_counter(), time.process_time())
        output.finish()
        output.close()
    first, last = ((count // 10, 0), (count, count - count // 10))
    tenths = {"first": first, "last": last, "all": (count, 0)}
    found = {name: (end - begin) / (clock[end][0] - clock[begin][0]) for name, (end, begin) in tenths.items()}
    spent = {f"cpu_{n}": (clock[end][1] - clock[begin][1]) / (end - begin) for n, (end, begin) in tenths.items()}
    return {**found, **spent, "peak": resident("VmHWM")}


def measure(count: int) -> dict[str, float]:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", "bench.engine.many_pairs", "--here", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table: 1 if memory grows by more than the scores that the summary keeps."""
    parser = argparse.ArgumentParser(prog="python -m bench.engine.many_pairs", description=__doc__.split("\n\n")[0])
    parser.add_argument("--pairs", type=int, action="append", help="default: 1000 and 100000")
    parser.add_argument("--here", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.here:
        print(json.dumps(measure_here(options.here)))
        return 0
    print(
        f"{'pairs':>8} {'pairs/s':>8} {'first tenth':>12} {'last tenth':>11} {'CPU us a pair, first':>21} {'last':>6} {'peak MB':>8}"
    )
    peaks = {}
    for count in options.pairs or [1000, 100_000]:
        found = measure(count)
        peaks[count] = found["peak"] - 2 * BYTES_A_SCORE * count
        print(
            f"{count:>8} {found['all']:>8.0f} {found['first']:>12.0f} {found['last']:>11.0f} "
            f"{1e6 * found['cpu_first']:>21.0f} {1e6 * found['cpu_last']:>6.0f} {found['peak'] / 1e6:>8.1f}",
            flush=True,
        )
    return int(max(peaks.values()) - min(peaks.values()) > ALLOWED)


if __name__ == "__main__":
    raise SystemExit(main())
