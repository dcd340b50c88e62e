"""Ranking against np.sort, scikit-learn and torchmetrics on the same scores, alternating in one process.

Run: python bench/bench_ranking.py [core] [types] [large] [budget] [delong] [aupro] [--n N]; without a name, core and
types. Each part asserts its results. Peers are used where they are installed. Limits: an AUROC of float32 by one split
moves 16 bytes a score (read, written to its block, read from it), 1.6 ns at 10 GB/s; one of uint8 adds one to a counter,
two stores a score at most a cycle: 0.2 ns at 3 GHz.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

import pixelgauge

MEMORY_PROGRAM = """
import sys, time, numpy as np, pixelgauge
def kilobytes(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name))
pixelgauge.set_num_threads(2)
if sys.argv[1] == "files":
    files, budget = sys.argv[2:4], int(sys.argv[4])
    pixelgauge.roc_auc_score_out_of_core(*sys.argv[5:7])
    call = lambda: pixelgauge.roc_auc_score_out_of_core(*files, memory_budget=budget)
else:
    n = int(sys.argv[2])
    rng = np.random.default_rng(0)
    y = rng.random(n, dtype=np.float32) < 0.1
    x = rng.random(n, dtype=np.float32)
    x *= np.float32(0.8)
    x[y] += np.float32(0.2)
    call = lambda: pixelgauge.roc_auc_score(y, x)
    pixelgauge.roc_auc_score(y[:1000], x[:1000])
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = kilobytes("VmRSS")
start = time.perf_counter()
value = call()
first, peak = time.perf_counter() - start, 1024 * (kilobytes("VmHWM") - before)
later = []
for _ in range(0 if sys.argv[1] == "files" else 3):
    start = time.perf_counter()
    call()
    later.append(time.perf_counter() - start)
print(repr(float(value)), peak, first, sorted(later)[1] if later else first)
"""


def alternate(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, object]]:
    """Median seconds and the last result of each, run in turns."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    results: dict[str, object] = {}
    for _ in range(rounds):
        for name, call in contenders.items():
            start = time.perf_counter()
            results[name] = call()
            times[name].append(time.perf_counter() - start)
    return {name: (statistics.median(times[name]), results[name]) for name in contenders}


def show(title: str, n: int, measured: dict[str, tuple[float, object]]) -> None:
    base = next(iter(measured.values()))[0]
    print(f"\n{title}")
    for name, (seconds, _) in measured.items():
        print(f"  {seconds / base:8.2f}x  {seconds * 1e3:10.2f} ms  {seconds / n * 1e9:8.2f} ns a score  {name}")


def scores_of(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels with 10 % positives and float32 scores that overlap."""
    rng = np.random.default_rng(0)
    y = rng.random(n, dtype=np.float32) < 0.1
    x = rng.random(n, dtype=np.float32)
    x *= np.float32(0.8)
    x[y] += np.float32(0.2)
    return y, x


def by_searchsorted(y: np.ndarray, x: np.ndarray) -> float:
    """The same fraction from two sorted look-ups."""
    negative, positive = np.sort(x[~y]), np.sort(x[y])
    less, not_more = (int(np.searchsorted(negative, positive, side).sum()) for side in ("left", "right"))
    return (less + not_more) / (2 * len(positive) * len(negative))


def core(n: int, rounds: int) -> None:
    """AUROC, average precision and the curve against one sort of the scores, and the peers."""
    y, x = scores_of(n)
    expected = by_searchsorted(y, x)
    for threads in (1, 2):
        pixelgauge.set_num_threads(threads)
        contenders: dict[str, Callable[[], object]] = {
            "roc_auc_score": lambda: pixelgauge.roc_auc_score(y, x),
            "np.sort of the scores": lambda: np.sort(x),
            "average_precision_score": lambda: pixelgauge.average_precision_score(y, x),
            "roc_curve": lambda: pixelgauge.roc_curve(y, x),
        }
        measured = alternate(contenders, rounds)
        assert measured["roc_auc_score"][1] == expected
        fpr, tpr, _ = measured["roc_curve"][1]
        assert abs(pixelgauge.auc(fpr, tpr) - expected) < 1e-12
        show(f"{n:g} float32 scores, {threads} thread(s)", n, measured)
    contenders = {"roc_auc_score": lambda: pixelgauge.roc_auc_score(y, x)}
    tolerances = {}
    if importlib.util.find_spec("sklearn"):
        from sklearn.metrics import roc_auc_score

        contenders["scikit-learn roc_auc_score"] = lambda: roc_auc_score(y, x)
        tolerances["scikit-learn roc_auc_score"] = 1e-12
    if importlib.util.find_spec("torchmetrics"):
        if importlib.util.find_spec("tvshim"):
            import tvshim  # noqa: F401  (lets torchvision import beside a CPU PyTorch, where needed)
        import torch
        from torchmetrics.functional.classification import binary_auroc

        torch.set_num_threads(2)
        scores, labels = torch.from_numpy(x), torch.from_numpy(y.astype(np.int64))
        contenders["torchmetrics binary_auroc"] = lambda: float(binary_auroc(scores, labels))
        tolerances["torchmetrics binary_auroc"] = 1e-4
    measured = alternate(contenders, 3)
    for name, tolerance in tolerances.items():
        assert abs(float(measured[name][1]) - expected) < tolerance, name
    show(f"{n:g} float32 scores, 2 threads, the peers on 2 as well", n, measured)


def types(n: int, rounds: int) -> None:
    """Scores of other dtypes, and labels of other dtypes for uint8."""
    y, x = scores_of(n)
    pixelgauge.set_num_threads(1)
    contenders: dict[str, Callable[[], object]] = {}
    for dtype in ("uint8", "float16", "float32", "float64"):
        scores = (x * 255).astype(dtype) if dtype == "uint8" else x.astype(dtype)
        contenders[f"{dtype} scores, bool labels"] = lambda s=scores: pixelgauge.roc_auc_score(y, s)
        if dtype == "uint8":
            for kind in ("uint8", "int64"):
                labels = y.astype(kind)
                contenders[f"uint8 scores, {kind} labels"] = lambda t=labels, s=scores: pixelgauge.roc_auc_score(t, s)
    measured = alternate(contenders, rounds)
    values = [float(value) for _, value in measured.values()]
    assert values[0] == values[1] == values[2]
    assert values[-1] == values[-2] == by_searchsorted(y, x)
    show(f"{n:g} scores of other dtypes, 1 thread", n, measured)


def run_apart(*arguments: object) -> tuple[float, int, float, float]:
    """Value, peak bytes beyond what was resident before, seconds of the first call in a process of its own and of later ones."""
    command = [sys.executable, "-c", MEMORY_PROGRAM, *map(str, arguments)]
    value, extra, first, later = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(value), int(extra), float(first), float(later)


def large(n: int, rounds: int) -> None:
    """Ten times as many scores: time against linear, memory against the scores' own bytes."""
    times: dict[int, list[tuple[float, float]]] = {n: [], 10 * n: []}
    extra = 0
    for _ in range(rounds):
        for count, seconds in times.items():
            _, extra, *calls = run_apart("scores", count)
            seconds.append((calls[0], calls[1]))
    print(f"\n{10 * n:g} float32 scores, 2 threads")
    for k, kind in enumerate(("first call of a process", "later calls")):
        small, big = (statistics.median(pair[k] for pair in times[count]) for count in times)
        print(f"  {big / small / 10:.2f}x linear from {n:g} ({small * 1e3:.1f} ms and {big * 1e3:.1f} ms), {kind}")
    print(f"  {extra / (40 * n):.2f}x the scores' bytes beyond the input")
    assert extra <= 1.1 * 40 * n


def budget(n: int, _rounds: int) -> None:
    """Peak memory of the out-of-core AUROC of n float64 scores under 64 MiB."""
    y, x = scores_of(n)
    limit = 64 << 20
    expected = pixelgauge.roc_auc_score(y, x)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "y.npy", y)
        np.save(folder / "x.npy", x.astype(np.float64))
        np.save(folder / "small.npy", np.array([0, 1]))
        kinds = {"npy": (folder / "y.npy", folder / "x.npy", limit, folder / "small.npy", folder / "small.npy")}
        if importlib.util.find_spec("pyarrow"):
            import pyarrow as pa
            import pyarrow.parquet

            for file, rows in (("large", slice(None)), ("small", slice(200))):
                table = pa.table({"label": y[rows].astype(np.int8), "score": x[rows].astype(np.float64)})
                pyarrow.parquet.write_table(table, folder / f"{file}.parquet")
            names = [folder / "large.parquet"] * 2, [folder / "small.parquet"] * 2
            kinds["parquet"] = (*names[0], limit, *names[1])
        print(f"\nout of core, {n:g} float64 scores ({9 * n / 1e6:.0f} MB with labels), budget {limit / 1e6:.0f} MB")
        for kind, arguments in kinds.items():
            value, extra, seconds, _ = run_apart("files", *arguments)
            assert value == expected
            assert extra <= limit
            print(f"  {extra / limit:.2f}x the budget at the peak, {seconds:.1f} s  {kind}")


def delong(n: int, rounds: int) -> None:
    """DeLong's interval of n scores; its sums against sorted look-ups in Python's integers."""
    y, x = scores_of(n)
    pixelgauge.set_num_threads(2)
    measured = alternate({"roc_auc_score": lambda: pixelgauge.roc_auc_score(y, x),
                          "delong_interval": lambda: pixelgauge.delong_interval(y, x)}, rounds)  # fmt: skip
    interval = measured["delong_interval"][1]
    squares, totals = [], []
    for own, other in ((np.sort(x[y]), np.sort(x[~y])), (np.sort(x[~y]), np.sort(x[y]))):
        twice = np.searchsorted(other, own, "left") + np.searchsorted(other, own, "right")
        # the square of a placement is below 2^50: sums of 2^13 of them fit 64 bits
        pieces = np.split(twice, range(1 << 13, len(twice), 1 << 13))
        squares.append(sum(int((piece * piece).sum()) for piece in pieces))
        totals.append(int(twice.sum()))
    p, q = int(y.sum()), int((~y).sum())
    variance = [
        (m * s - t * t) / (4 * o * o * m * (m - 1)) for s, t, m, o in zip(squares, totals, (p, q), (q, p), strict=True)
    ]
    error = (variance[0] / p + variance[1] / q) ** 0.5
    assert interval.auroc == totals[0] / (2 * p * q)
    assert abs(interval.standard_error / error - 1) < 1e-14
    show(f"DeLong's interval of {n:g} float32 scores, 2 threads", n, measured)


def sweep_aupro(masks: np.ndarray, maps: np.ndarray, thresholds: int) -> float:
    """Seconds a threshold of a straightforward sweep: overlap of every region and the rate of normal pixels."""
    from scipy import ndimage

    labels = [ndimage.label(mask, structure=np.ones((3, 3))) for mask in masks]
    start = time.perf_counter()
    for t in np.linspace(maps.max(), maps.min(), thresholds):
        for (regions, count), scores in zip(labels, maps, strict=True):
            called = scores >= t
            ndimage.mean(called, regions, np.arange(1, count + 1))
            np.count_nonzero(called & (regions == 0))
    return (time.perf_counter() - start) / thresholds


def aupro(_n: int, _rounds: int) -> None:
    """AUPRO of 100 maps of 1024 x 1024 against a sweep of 1000 thresholds, of which some on some maps are run."""
    rng = np.random.default_rng(0)
    pixelgauge.set_num_threads(2)
    masks = np.zeros((100, 1024, 1024), bool)
    for mask in masks:
        for _ in range(3):
            top, left = rng.integers(0, 960, 2)
            mask[top : top + 60, left : left + 60] = True
    maps = rng.random(masks.shape, dtype=np.float32)
    maps[masks] += np.float32(0.3)
    start = time.perf_counter()
    value = pixelgauge.aupro(masks, maps)
    ours = time.perf_counter() - start
    assert 0 < value < 1
    sweep = sweep_aupro(masks[:5], maps[:5], 4) * 20 * 1000
    print(f"\nAUPRO, 100 maps of 1024 x 1024, 2 threads: {ours:.2f} s; {sweep / ours:.0f}x a sweep of 1000 thresholds,")
    print(f"  whose {sweep:.0f} s are scaled from 5 maps and 4 thresholds (the whole takes that long)")


PARTS = {"core": core, "types": types, "large": large, "budget": budget, "delong": delong, "aupro": aupro}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=(*PARTS, []), help="what to measure (default: core types)")
    parser.add_argument("--n", type=float, default=1e7, help="scores (default: 1e7)")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(
        f"pixelgauge {pixelgauge.__version__}, {pixelgauge.isa()}, NumPy {np.__version__}; medians of {args.rounds} rounds"
    )
    for name in args.parts or ("core", "types"):
        PARTS[name](int(args.n), args.rounds)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
