"""What the report of a run takes beyond the run: time, memory, and the size of its page.

    python -m bench.report.cost --pairs 10000 --pairs 40000

Small pictures, which a list names again and again, are scored with a report, each number of pairs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.engine.many_pairs import ALLOWED, BYTES_A_SCORE, write_list
from bench.peak_memory import resident
from pixelgauge.engine.compare import CompareRun
from pixelgauge.engine.comparison import CompareOptions, prepare
from pixelgauge.engine.pair_lists import listed_pairs
from pixelgauge.report.compare import MOST_BYTES, CompareReport
from pixelgauge.report.selection import TABLE_ROWS

METRICS = ("psnr", "ssim")
SECONDS = 10.0
"""Allowed beyond the run."""


def measure_here(count: int) -> dict[str, float]:
    """Seconds of the run and beyond it, bytes of the page, and the peak of the process, which should be fresh."""
    beyond = 0.0
    with TemporaryDirectory() as folder:
        pairing = listed_pairs(str(write_list(Path(folder), count)), None)
        comparison = prepare(CompareOptions(METRICS))
        report = CompareReport(comparison, pairing)
        page = Path(folder) / "report.html"
        begin = time.perf_counter()
        with CompareRun(pairing, comparison) as run:
            for row, pair in run.with_pairs():
                if row.status != "ok":
                    raise RuntimeError(f"{row.ref}: {row.message}")
                added = time.perf_counter()
                report.add(row, pair)
                beyond += time.perf_counter() - added
        whole = time.perf_counter() - begin
        report.write(page, run.summary, workers=2)
        written = time.perf_counter() - begin - whole
        rows = re.search(r'<script type="application/json" id="rows-data">(.*?)</script>', page.read_text(), re.DOTALL)
        if rows is None or len(json.loads(rows[1])["rows"]) != min(count, TABLE_ROWS):
            raise RuntimeError("the page has not the rows that it should have")
        size = page.stat().st_size
    return {"run": whole - beyond, "beyond": beyond + written, "size": size, "peak": resident("VmHWM")}


def measure(count: int) -> dict[str, float]:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", "bench.report.cost", "--here", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table: 1 if a report takes too long, its page is too large, or memory grows with the run."""
    parser = argparse.ArgumentParser(prog="python -m bench.report.cost", description=__doc__.split("\n\n")[0])
    parser.add_argument("--pairs", type=int, action="append", help="default: 10000 and 40000")
    parser.add_argument("--here", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.here:
        print(json.dumps(measure_here(options.here)))
        return 0
    print(f"{'pairs':>8} {'run s':>8} {'beyond s':>9} {'page MB':>8} {'peak MB':>8}")
    kept, broken = [], False
    for count in options.pairs or [10_000, 40_000]:
        found = measure(count)
        kept.append(found["peak"] - len(METRICS) * BYTES_A_SCORE * count)
        broken |= found["beyond"] > SECONDS or found["size"] > MOST_BYTES
        print(
            f"{count:>8} {found['run']:>8.1f} {found['beyond']:>9.2f} {found['size'] / 1e6:>8.2f} "
            f"{found['peak'] / 1e6:>8.1f}",
            flush=True,
        )
    return int(broken or max(kept) - min(kept) > ALLOWED)


if __name__ == "__main__":
    raise SystemExit(main())
