"""A folder compared with another, beside the time to decode the same files, which is its limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from bench.case import Call, Case, Contender
from bench.inputs import attribute, in_folder

SHAPE = (512, 768, 3)
METRICS = {"psnr-ssim": ("psnr", "ssim"), "pixels": ("mse", "psnr", "ssim", "ms-ssim")}


def write_pairs(folder: Path, count: int, shape: tuple[int, int, int] = SHAPE) -> list[tuple[Path, Path]]:
    """Photograph-like JPEG files: waves and grain, quality 92; the partner blurred, quality 60."""
    from PIL import Image, ImageFilter

    rng = np.random.default_rng(0)
    y, x = np.mgrid[: shape[0], : shape[1]]
    pairs = []
    for name in ("ref", "test"):
        (folder / name).mkdir()
    for i in range(count):
        period = rng.uniform(5, 60, 3)
        waves = [127 + 60 * np.sin(x / period[c] + y / period[c - 1]) + rng.normal(0, 18, x.shape) for c in range(3)]
        image = Image.fromarray(np.clip(np.stack(waves, axis=2), 0, 255).astype(np.uint8))
        pairs.append((folder / "ref" / f"{i:05}.jpg", folder / "test" / f"{i:05}.jpg"))
        image.save(pairs[-1][0], quality=92)
        image.filter(ImageFilter.GaussianBlur(0.5 + i % 5)).save(pairs[-1][1], quality=60)
    return pairs


def scored(count: int, metrics: tuple[str, ...]) -> Callable[[], Call]:
    """Prepare the engine; a worker a thread."""

    def make(folder: Path) -> Call:
        find = attribute("pixelgauge.engine.pairing:find_pairs", "pixelgauge.pairing:find_pairs")
        score = attribute("pixelgauge.engine.pipeline:score_pairs", "pixelgauge.scoring:score_pairs")
        options = attribute(
            "pixelgauge.engine.comparison:CompareOptions",
            "pixelgauge.engine.registry:CompareOptions",
            "pixelgauge.scoring:Settings",
        )
        workers = attribute("pixelgauge:get_num_threads")
        write_pairs(folder, count)
        pairing = find(folder / "ref", folder / "test")
        try:
            prepare = attribute("pixelgauge.engine.comparison:prepare")
        except AttributeError:  # an earlier build, which takes the options as they are
            return lambda: list(score(pairing, options(metrics=metrics), workers=workers()))
        return lambda: list(score(pairing, prepare(options(metrics=metrics)), workers=workers()))

    return in_folder(make)


def scores(metrics: tuple[str, ...]) -> Callable[[Any], list[list[float]]]:
    """Scores of rows, which all have to be there."""

    def of_rows(rows: Any) -> list[list[float]]:
        return [[row.values[name] for name in metrics] if row.status == "ok" else [] for row in rows]

    return of_rows


def one_by_one(count: int, metrics: tuple[str, ...]) -> Callable[[], Call]:
    """Prepare Pillow's pixels and the public functions."""

    def make(folder: Path) -> Call:
        from PIL import Image

        functions = [attribute(f"pixelgauge:{name.replace('-', '_')}") for name in metrics]
        pairs = write_pairs(folder, count)

        def call() -> list[list[float]]:
            found = []
            for files in pairs:
                x, y = (np.asarray(Image.open(file)) for file in files)
                found.append([function(x, y) for function in functions])
            return found

        return call

    return in_folder(make)


def decoded(count: int) -> Callable[[], Call]:
    """Prepare the decoding of both files of every pair, a thread a worker."""

    def make(folder: Path) -> Call:
        from PIL import Image

        workers = attribute("pixelgauge:get_num_threads")
        files = [file for pair in write_pairs(folder, count) for file in pair]

        def decode(file: Path) -> None:
            with Image.open(file) as image:
                image.load()

        def call() -> None:
            with ThreadPoolExecutor(workers()) as pool:
                list(pool.map(decode, files))

        return call

    return in_folder(make)


def compare() -> Iterator[Case]:
    """Rows of every pair of a folder of JPEG files."""
    for count in (20, 500):
        for variant, metrics in METRICS.items():
            yield Case(
                function="score_pairs",
                variant=variant,
                size=f"{count}x{SHAPE[1]}x{SHAPE[0]}",
                prepare=scored(count, metrics),
                tolerance=4e-6,
                parameters={"dtype": "uint8", "layout": "JPEG files", "metrics": metrics},
                result=scores(metrics),
                oracle=Contender(prepare=one_by_one(count, metrics), tolerance=0.0),
                contenders={"pillow-decoding": Contender(prepare=decoded(count), tolerance=None)},
                long=count == 500,
            )


CASES = tuple(compare())
