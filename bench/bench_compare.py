"""Throughput of the batch engine on JPEG pairs, beside its limit: the time to decode the same files.

Run: python bench/bench_compare.py [--pairs 500] [--repeats 5] [--workers N]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

import pixelgauge
from pixelgauge.engine.pairing import find_pairs
from pixelgauge.engine.pipeline import score_pairs
from pixelgauge.engine.registry import METRICS, CompareOptions
from pixelgauge.images import read_image

SHAPE = (512, 768, 3)


def make_pairs(folder: Path, count: int) -> None:
    """Photograph-like JPEG files: waves and grain, quality 92; the partner blurred, quality 60."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for name in ("ref", "test"):
        (folder / name).mkdir()
    for i in range(count):
        period = rng.uniform(5, 60, 3)
        waves = [127 + 60 * np.sin(x / period[c] + y / period[c - 1]) + rng.normal(0, 18, x.shape) for c in range(3)]
        image = Image.fromarray(np.clip(np.stack(waves, axis=2), 0, 255).astype(np.uint8))
        image.save(folder / "ref" / f"{i:05}.jpg", quality=92)
        image.filter(ImageFilter.GaussianBlur(0.5 + i % 5)).save(folder / "test" / f"{i:05}.jpg", quality=60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--workers", type=int, default=pixelgauge.get_num_threads())
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_pairs(Path(folder), args.pairs)
        pairing = find_pairs(Path(folder, "ref"), Path(folder, "test"))
        files = [path for pair in pairing.pairs for path in pairing.paths(pair) if path is not None]

        def decode(path: str) -> None:
            with Image.open(path) as image:
                image.load()

        def decode_all() -> None:
            with ThreadPoolExecutor(args.workers) as pool:
                list(pool.map(decode, files))

        def score_all(*metrics: str) -> Callable[[], None]:
            def run() -> None:
                rows = list(score_pairs(pairing, CompareOptions(metrics=metrics), workers=args.workers))
                assert [row.status for row in rows] == ["ok"] * args.pairs
                x, y = read_image(files[-2]), read_image(files[-1])
                assert rows[-1].values["psnr"] == pixelgauge.psnr(x, y)

            return run

        contenders = {
            "decode only (Pillow)": decode_all,
            "psnr,ssim": score_all("psnr", "ssim"),
            ",".join(METRICS): score_all(*METRICS),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(args.repeats):
            for name, run in contenders.items():
                start = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - start)
    limit = statistics.median(seconds["decode only (Pillow)"])
    print(f"{args.pairs} pairs of {SHAPE[1]}x{SHAPE[0]} JPEG, {args.workers} workers, {pixelgauge.isa()}")
    print(f"{'time/decode':>11}  {'pairs/s':>8}  what")
    for name, times in seconds.items():
        middle = statistics.median(times)
        print(f"{middle / limit:>11.2f}  {args.pairs / middle:>8.1f}  {name}")


if __name__ == "__main__":
    main()
