"""Ranking against np.sort, scikit-learn and torchmetrics on the same scores, alternating in one process.

Run: python bench/bench_ranking.py [N] [--threads T]. Each case asserts that the contenders agree. The limit of
an exact AUROC of float32 by one split is memory: scores read twice, written and read once, 16 bytes a score:
1.6 ns at 10 GB/s a core.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np

import pixelgauge

BYTES_A_SCORE = 16


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


def show(title: str, n: int, measured: dict[str, tuple[float, object]], ours: str) -> None:
    base = measured[ours][0]
    print(f"\n{title}")
    for name, (seconds, _) in measured.items():
        print(f"  {seconds / base:8.2f}x  {seconds * 1e3:10.2f} ms  {seconds / n * 1e9:8.2f} ns a score  {name}")


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=float, nargs="?", default=1e7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", action="store_true", help="scikit-learn and torchmetrics too: seconds a round")
    parser.add_argument("--aupro", action="store_true", help="100 maps of 1024 x 1024 against 1000 thresholds")
    args = parser.parse_args()
    n = int(args.n)
    rng = np.random.default_rng(0)
    y = rng.random(n, dtype=np.float32) < 0.1
    x = rng.random(n, dtype=np.float32) * np.float32(0.8) + np.float32(0.2) * y
    print(
        f"n = {n:g}, float32, 10 % positives, {pixelgauge.isa()}; limit at 10 GB/s a core {BYTES_A_SCORE / 10:.1f} ns"
    )

    for threads in sorted({1, args.threads}):
        pixelgauge.set_num_threads(threads)
        contenders: dict[str, Callable[[], object]] = {
            "roc_auc_score": lambda: pixelgauge.roc_auc_score(y, x),
            "np.sort of the scores": lambda: np.sort(x),
            "average_precision_score": lambda: pixelgauge.average_precision_score(y, x),
            "roc_curve": lambda: pixelgauge.roc_curve(y, x),
        }
        if args.peers and threads == args.threads:
            if importlib.util.find_spec("sklearn"):
                from sklearn.metrics import roc_auc_score

                contenders["scikit-learn roc_auc_score"] = lambda f=roc_auc_score: f(y, x)
            if importlib.util.find_spec("torchmetrics"):
                import torch
                from torchmetrics.functional.classification import binary_auroc

                torch.set_num_threads(threads)
                scores, labels = torch.from_numpy(x), torch.from_numpy(y.astype(np.int64))
                contenders["torchmetrics binary_auroc"] = lambda f=binary_auroc, s=scores, t=labels: float(f(s, t))
        measured = alternate(contenders, args.rounds)
        value = measured["roc_auc_score"][1]
        for name, tolerance in (("scikit-learn roc_auc_score", 1e-12), ("torchmetrics binary_auroc", 1e-4)):
            if name in measured:
                assert abs(float(measured[name][1]) - float(value)) < tolerance, name
        fpr, tpr, _ = measured["roc_curve"][1]
        assert abs(pixelgauge.auc(fpr, tpr) - float(value)) < 1e-12
        show(f"{threads} thread(s)", n, measured, "roc_auc_score")

    pixelgauge.set_num_threads(1)
    for dtype in ("uint8", "float16", "float64"):
        scores = (x * 255).astype(dtype) if dtype == "uint8" else x.astype(dtype)
        measured = alternate({f"roc_auc_score {dtype}": lambda s=scores: pixelgauge.roc_auc_score(y, s)}, args.rounds)
        show(f"{dtype}, 1 thread", n, measured, f"roc_auc_score {dtype}")

    if args.aupro:
        pixelgauge.set_num_threads(args.threads)
        masks = np.zeros((100, 1024, 1024), bool)
        for mask in masks:
            for _ in range(3):
                top, left = rng.integers(0, 960, 2)
                mask[top : top + 60, left : left + 60] = True
        maps = rng.random(masks.shape, dtype=np.float32) + np.float32(0.3) * masks
        start = time.perf_counter()
        value = pixelgauge.aupro(masks, maps)
        ours = time.perf_counter() - start
        assert 0 < value < 1
        sweep = sweep_aupro(masks[:5], maps[:5], 4) * 20 * 1000
        print(
            f"\nAUPRO, 100 maps of 1024 x 1024: {ours:.2f} s; {sweep / ours:.0f}x a sweep of 1000 thresholds, which is"
        )
        print(f"{sweep:.0f} s scaled from 5 maps and 4 thresholds")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
