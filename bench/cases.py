"""What is timed on our side, each case once: a name, what makes its call, and how far two builds' results may differ.

A case is made in the process that runs it: `prepare` draws the inputs, always the same, and returns a call without arguments.
Pictures look like photographs (a spectrum that falls with frequency, edges, a flat sky, grain), scores overlap and tie, features
decay as Inception's do: pure noise would hide the branches that real inputs take. Nothing here needs more than NumPy and Pillow,
and pixelgauge itself is imported by `prepare` alone, so that a process may read the list without any build.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

Call = Callable[[], object]

SHARED = Path(os.environ.get("PIXELGAUGE_SHARED", Path(__file__).resolve().parents[2] / "shared"))


class MissingInputError(Exception):
    """A case's input or a program that it needs is not on this machine."""


@dataclass(frozen=True)
class Case:
    """One call that is timed."""

    name: str
    """Family, function, variant and size, parted by slashes, so that a glob selects."""
    prepare: Callable[[], Call]
    """Draws the inputs and returns the call."""
    tolerance: float
    """How far the results a and b of two builds may differ: |a - b| <= tolerance * max(1, |a|), entry by entry."""


# Pictures.


@functools.lru_cache(maxsize=4)
def photograph(height: int, width: int) -> np.ndarray:
    """An RGB picture in float64 of 0..255: 1/f texture, discs with sharp edges, a flat sky on top and grain of a sensor."""
    rng = np.random.default_rng([20040413, height, width])
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    light, hue = (
        np.fft.irfft2(np.fft.rfft2(rng.standard_normal((height, width))) / frequency, (height, width)) for _ in range(2)
    )
    light *= 38 / light.std()
    hue *= 12 / hue.std()
    image = 118 + np.stack([light + hue, light, light - hue], axis=-1)
    for _ in range(12):
        radius = round(rng.uniform(0.03, 0.15) * min(height, width))
        top, left = rng.integers(0, height - 2 * radius), rng.integers(0, width - 2 * radius)
        across = np.arange(2 * radius) - radius
        disc = image[top : top + 2 * radius, left : left + 2 * radius]
        inside = np.hypot(across[:, None], across[None]) < radius
        disc[inside] = 0.5 * disc[inside] + 0.5 * rng.uniform(20, 235, 3)
    image += rng.normal(0, 2.5, image.shape)
    image[: height // 6] = (168, 196, 228)
    return np.clip(image, 0, 255)


@functools.lru_cache(maxsize=4)
def pair(height: int, width: int, dtype: str = "uint8") -> tuple[np.ndarray, np.ndarray]:
    """The picture, and a copy with less contrast, softer and with more grain; floats are of 0..1."""
    rng = np.random.default_rng([7, height, width])
    reference = photograph(height, width)
    softer = (np.roll(reference, 1, 0) + 2 * reference + np.roll(reference, -1, 1)) / 4
    test = np.clip(0.93 * softer + 8 + rng.normal(0, 5, reference.shape), 0, 255)
    if np.dtype(dtype).kind == "f":
        return (reference / 255).astype(dtype), (test / 255).astype(dtype)
    scale = np.iinfo(dtype).max / 255
    return np.rint(reference * scale).astype(dtype), np.rint(test * scale).astype(dtype)


@functools.lru_cache(maxsize=4)
def screenshot(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat panels and rows of dark strokes, and the same a grey level lighter here and there: most windows have no variance."""
    rng = np.random.default_rng([11, height, width])
    image = np.full((height, width, 3), 245, np.uint8)
    image[:, : width // 5] = (38, 44, 60)
    strokes = rng.random((height, width)) < 0.3
    strokes[:, : width // 4] = False
    strokes[np.arange(height) % 24 < 12] = False
    image[strokes] = 20
    test = image.copy()
    test[height // 2 :, width // 2 :] -= 1
    return image, test


def of_pair(
    function: str,
    size: tuple[int, int],
    *,
    dtype: str = "uint8",
    make: Callable[..., tuple[np.ndarray, np.ndarray]] = pair,
    change: Callable[[np.ndarray], np.ndarray] | None = None,
    **options: Any,
) -> Callable[[], Call]:
    """Prepare a call of a function of two pictures."""

    def prepare() -> Call:
        import pixelgauge

        metric = getattr(pixelgauge, function)
        x, y = make(*size, dtype) if make is pair else make(*size)
        if change is not None:
            x, y = np.ascontiguousarray(change(x)), np.ascontiguousarray(change(y))
        return lambda: metric(x, y, **options)

    return prepare


# Sizes are height and width here, and width x height in names, as people say them.
SIZES = {"1920x1080": (1080, 1920), "256x256": (256, 256), "64x64": (64, 64)}
SSIM_PRESETS = ("wang2004", "skimage", "skimage-gaussian", "torchmetrics", "matlab", "pytorch-msssim")
# docs/presets.md promises a mean index within 2e-6 of float64; a build on either side of it may be off by that much.
MEAN_INDEX = 4e-6
# One window's index in float32 has fewer digits than the mean of many.
ONE_WINDOW = 1e-4


def full_reference() -> Iterator[Case]:
    """SSIM by preset, size, dtype and layout, MS-SSIM, MSE and PSNR."""

    def gray(image: np.ndarray) -> np.ndarray:
        return image[..., 1]

    def planar(image: np.ndarray) -> np.ndarray:
        return np.moveaxis(image, -1, 0)[None]

    for name, size in SIZES.items():
        for preset in SSIM_PRESETS:
            yield Case(f"ssim/{preset}/{name}", of_pair("ssim", size, preset=preset), MEAN_INDEX)
        variants: dict[str, tuple[float, dict[str, Any]]] = {
            "gray": (MEAN_INDEX, {"change": gray}),
            "float32": (MEAN_INDEX, {"dtype": "float32", "data_range": 1.0}),
            "float64": (MEAN_INDEX, {"dtype": "float64", "data_range": 1.0}),
            "uint16": (MEAN_INDEX, {"dtype": "uint16"}),
            "planar": (MEAN_INDEX, {"change": planar, "channel_axis": 1}),
            "flat": (MEAN_INDEX, {"make": screenshot}),
            "full": (ONE_WINDOW, {"full": True}),
            "components": (MEAN_INDEX, {"components": True}),
        }
        for variant, (tolerance, options) in variants.items():
            yield Case(f"ssim/{variant}/{name}", of_pair("ssim", size, **options), tolerance)
        if name != "64x64":  # five scales need 176 pixels a side
            yield Case(f"ms_ssim/wang2003/{name}", of_pair("ms_ssim", size), MEAN_INDEX)
        yield Case(f"mse/uint8/{name}", of_pair("mse", size), 1e-12)
        yield Case(f"psnr/uint8/{name}", of_pair("psnr", size), 1e-12)
        yield Case(f"psnr/float32/{name}", of_pair("psnr", size, dtype="float32", data_range=1.0), 1e-9)


def attribute(*addresses: str) -> Any:
    """Return the first of `module:name` that this build has: a function that is not public may move between builds."""
    for address in addresses:
        module, name = address.split(":")
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise AttributeError(f"this build has none of {', '.join(addresses)}")


def resized(rule: str, size: tuple[int, int]) -> Callable[[], Call]:
    """Prepare a resize to the 299 x 299 of Inception."""

    def prepare() -> Call:
        core = importlib.import_module("pixelgauge._core")
        image, chosen = pair(*size)[0][None], getattr(core.ResizeRule, rule)
        return lambda: core.resize(image, chosen, 299, 299, 1.0, 0.0, -math.inf, math.inf)

    return prepare


def in_folder(make: Callable[[Path], Call]) -> Callable[[], Call]:
    """Prepare a call in a folder of its own, which goes with the call."""

    def prepare() -> Call:
        folder = tempfile.mkdtemp(prefix="pixelgauge-bench-")
        made = make(Path(folder))

        def call() -> object:
            return made()

        weakref.finalize(call, shutil.rmtree, folder)
        return call

    return prepare


def read(name: str, size: tuple[int, int], **save: Any) -> Callable[[], Call]:
    """Prepare the decoding of an image file."""

    def make(folder: Path) -> Call:
        from PIL import Image

        read_image = attribute("pixelgauge.images:read_image", "pixelgauge.images.decoding:read_image")
        path = folder / name
        Image.fromarray(pair(*size)[0]).save(path, **save)
        return lambda: read_image(path)

    return in_folder(make)


def images() -> Iterator[Case]:
    """What happens to pictures before they are scored: decoding and resizing."""
    for name, size in SIZES.items():
        yield Case(f"read_image/png/{name}", read("picture.png", size), 0.0)
        yield Case(f"read_image/jpeg/{name}", read("picture.jpg", size, quality=92), 0.0)
        for rule in ("half_pixel", "tensorflow1", "antialias", "bicubic"):
            yield Case(f"resize/{rule}/{name}", resized(rule, size), 1e-5)


# Scores and labels.


@functools.lru_cache(maxsize=2)
def scores_of(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels with 10 % positives and float32 scores that overlap, one in sixteen of them rounded so that some tie."""
    rng = np.random.default_rng(0)
    y = rng.random(n, dtype=np.float32) < 0.1
    x = rng.random(n, dtype=np.float32)
    x *= np.float32(0.8)
    x[y] += np.float32(0.2)
    x[::16] = np.rint(x[::16] * 1024) / 1024
    return y, x


def ranked(function: str, n: int, dtype: str = "float32", **options: Any) -> Callable[[], Call]:
    """Prepare a call of a function of labels and scores."""

    def prepare() -> Call:
        import pixelgauge

        metric = getattr(pixelgauge, function)
        y, x = scores_of(n)
        scores = (x * 255).astype(np.uint8) if dtype == "uint8" else x.astype(dtype)
        return lambda: metric(y, scores, **options)

    return prepare


def weighted(function: str, n: int) -> Callable[[], Call]:
    """Prepare a call with a weight a score."""

    def prepare() -> Call:
        import pixelgauge

        metric = getattr(pixelgauge, function)
        y, x = scores_of(n)
        weights = np.random.default_rng(1).uniform(0.5, 2.0, n)
        return lambda: metric(y, x, sample_weight=weights)

    return prepare


def by_group(n: int, groups: int) -> Callable[[], Call]:
    """Prepare the AUROC of each of many groups of unlike sizes, none so small that it has one class only."""

    def prepare() -> Call:
        import pixelgauge

        y, x = scores_of(n)
        of_row = (groups * np.random.default_rng(2).random(n) ** 2).astype(np.int64)

        def call() -> list[float]:
            return list(pixelgauge.auroc_by_group(y, x, of_row).values())

        return call

    return prepare


def delong_test(n: int) -> Callable[[], Call]:
    """Prepare DeLong's test of two scores of the same rows."""

    def prepare() -> Call:
        import pixelgauge

        y, x = scores_of(n)
        other = x + np.random.default_rng(3).normal(0, 0.05, n).astype(np.float32)
        test = pixelgauge.delong_test
        return lambda: test(y, x, other)

    return prepare


def anomalies(count: int, side: int) -> Callable[[], Call]:
    """Prepare AUPRO of maps with three square defects each."""

    def prepare() -> Call:
        import pixelgauge

        rng = np.random.default_rng(0)
        masks = np.zeros((count, side, side), bool)
        for mask in masks:
            for top, left in rng.integers(0, side - side // 16, (3, 2)):
                mask[top : top + side // 16, left : left + side // 16] = True
        maps = rng.random(masks.shape, dtype=np.float32)
        maps[masks] += np.float32(0.3)
        aupro = pixelgauge.aupro
        return lambda: aupro(masks, maps)

    return prepare


def ranking() -> Iterator[Case]:
    """AUROC by size and dtype, curves, intervals, groups and AUPRO; counts are integers, so that most results are exact."""
    for name, n in {"1e4": 10**4, "1e6": 10**6, "1e7": 10**7}.items():
        yield Case(f"roc_auc_score/float32/{name}", ranked("roc_auc_score", n), 0.0)
        yield Case(f"roc_auc_score/uint8/{name}", ranked("roc_auc_score", n, "uint8"), 0.0)
    for name, n in {"1e4": 10**4, "1e6": 10**6}.items():
        yield Case(f"roc_auc_score/float64/{name}", ranked("roc_auc_score", n, "float64"), 0.0)
        yield Case(f"roc_auc_score/weighted/{name}", weighted("roc_auc_score", n), 1e-12)
        yield Case(f"average_precision_score/float32/{name}", ranked("average_precision_score", n), 1e-12)
        for curve in ("roc_curve", "precision_recall_curve", "det_curve"):
            yield Case(f"{curve}/float32/{name}", ranked(curve, n), 1e-12)
        yield Case(f"delong_interval/float32/{name}", ranked("delong_interval", n), 1e-12)
        yield Case(f"delong_test/float32/{name}", delong_test(n), 1e-12)
    yield Case("auroc_by_group/float32/1e6", by_group(10**6, 1000), 0.0)
    yield Case("aupro/float32/8x256x256", anomalies(8, 256), 1e-12)
    yield Case("aupro/float32/4x1024x1024", anomalies(4, 1024), 1e-12)


# Features.


@functools.lru_cache(maxsize=4)
def inception_like(n: int, seed: int, dim: int) -> np.ndarray:
    """Features whose covariance decays as Inception's does, roughly 1 / k, with positive means."""
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((dim, dim), dtype=np.float32) / math.sqrt(dim)
    x = rng.standard_normal((n, dim), dtype=np.float32) * np.arange(1, dim + 1, dtype=np.float32) ** -0.5
    features: np.ndarray = np.abs(x @ mix + np.float32(0.4))
    return features


def updated(n: int, dim: int, dtype: str = "float32") -> Callable[[], Call]:
    """Prepare the statistics of a block of features."""

    def prepare() -> Call:
        import pixelgauge

        x = inception_like(n, 1, dim).astype(dtype)
        stats = pixelgauge.FeatureStats

        def call() -> Any:
            return stats(dim).update(x).mean

        return call

    return prepare


def frechet(n: int, dim: int) -> Callable[[], Call]:
    """Prepare the Fréchet distance of two full-rank statistics."""

    def prepare() -> Call:
        import pixelgauge

        a, b = (pixelgauge.FeatureStats(dim).update(inception_like(n, seed, dim)) for seed in (1, 2))
        distance = pixelgauge.frechet_distance
        return lambda: distance(a, b)

    return prepare


def of_samples(function: str, n: int, dim: int, **options: Any) -> Callable[[], Call]:
    """Prepare a call of a function of two sets of features."""

    def prepare() -> Call:
        import pixelgauge

        metric = getattr(pixelgauge, function)
        real, fake = (inception_like(n, seed, dim) for seed in (1, 2))
        return lambda: metric(real, fake, **options)

    return prepare


def distribution() -> Iterator[Case]:
    """Statistics of features and the distances between sets of them."""
    # sums of n products in float64, in whatever order
    yield Case("feature_stats/update-float32/1000x2048", updated(1000, 2048), 1e-9)
    yield Case("feature_stats/update-float64/1000x2048", updated(1000, 2048, "float64"), 1e-9)
    yield Case("feature_stats/update-float32/1000x64", updated(1000, 64), 1e-9)
    # the matrix square root is iterated to a relative 1e-8 or so
    yield Case("frechet_distance/auto/64", frechet(1000, 64), 1e-6)
    yield Case("frechet_distance/auto/2048", frechet(4096, 2048), 1e-6)
    yield Case("kernel_distance/10x1000/2048", of_samples("kernel_distance", 2000, 2048, subsets=10), 1e-6)
    yield Case("kernel_distance/10x500/64", of_samples("kernel_distance", 2000, 64, subsets=10, subset_size=500), 1e-6)
    # neighbours within a rounding of the radius may count or not
    yield Case("precision_recall/k3/2000x2048", of_samples("precision_recall", 2000, 2048), 2e-3)
    yield Case("density_coverage/k5/2000x64", of_samples("density_coverage", 2000, 64), 2e-3)


# Files.


def statistics_file(dim: int, *, saves: bool) -> Callable[[], Call]:
    """Prepare writing a file of statistics anew, or reading it."""

    def make(folder: Path) -> Call:
        import pixelgauge

        stats = pixelgauge.FeatureStats(dim).update(inception_like(1000, 1, dim))
        path = folder / "stats.npz"
        stats.save(path)

        def save() -> object:
            path.unlink()
            stats.save(path)
            return stats.count

        def load() -> object:
            found = pixelgauge.FeatureStats.load(path)
            return found.count, found.mean

        return save if saves else load

    return in_folder(make)


def first_values(tensors: dict[str, np.ndarray]) -> list[float]:
    """Make the tensors of a checkpoint a result to compare by the first value of each: to add all up would be what is timed."""
    return [float(tensor.flat[0]) for tensor in tensors.values()]


def written_checkpoint(count: int, side: int) -> Callable[[], Call]:
    """Prepare reading an .npz of square matrices as a state dict."""

    def make(folder: Path) -> Call:
        read_checkpoint = attribute(
            "pixelgauge.networks.checkpoint:read_checkpoint", "pixelgauge.checkpoints:read_checkpoint"
        )
        rng = np.random.default_rng(0)
        path = folder / "weights.npz"
        np.savez(path, **{f"{i}.weight": rng.standard_normal((side, side), dtype=np.float32) for i in range(count)})
        return lambda: first_values(read_checkpoint(path))

    return in_folder(make)


def official_checkpoint(file: str) -> Callable[[], Call]:
    """Prepare reading one of the official files of weights."""

    def prepare() -> Call:
        read_checkpoint = attribute(
            "pixelgauge.networks.checkpoint:read_checkpoint", "pixelgauge.checkpoints:read_checkpoint"
        )
        path = SHARED / "weights" / file
        if not path.is_file():
            raise MissingInputError(f"{path} is not there: PIXELGAUGE_SHARED names the folder that holds weights/")
        return lambda: first_values(read_checkpoint(path))

    return prepare


def scored_table(suffix: str, n: int) -> Callable[[], Call]:
    """Prepare `pixelgauge auroc` of a table: reading it is nearly all."""

    def make(folder: Path) -> Call:
        main = attribute("pixelgauge.cli:main")
        y, x = scores_of(n)
        path = folder / f"table{suffix}"
        row, rows = '{{"label": {:d}, "score": {!r}}}\n', [""]
        if suffix == ".csv":
            row, rows = "{:d},{!r}\n", ["label,score\n"]
        rows += map(row.format, y.tolist(), x.tolist())
        path.write_text("".join(rows))

        def call() -> object:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                main(["auroc", str(path), "--json"])
            return float(json.loads(out.getvalue())["auroc"])

        return call

    return in_folder(make)


def files() -> Iterator[Case]:
    """Strangers' files, read and written: statistics, checkpoints and tables."""
    for dim in (64, 2048):
        yield Case(f"feature_stats/save/{dim}", statistics_file(dim, saves=True), 0.0)
        yield Case(f"feature_stats/load/{dim}", statistics_file(dim, saves=False), 1e-12)
    yield Case("read_checkpoint/npz/64", written_checkpoint(64, 64), 0.0)
    yield Case("read_checkpoint/npz/16x1024", written_checkpoint(16, 1024), 0.0)
    yield Case("read_checkpoint/pth/heads", official_checkpoint("lpips_v0.1_alex.pth"), 0.0)
    yield Case("read_checkpoint/pth/squeezenet", official_checkpoint("squeezenet1_1_features.pth"), 0.0)
    for name, n in {"1e4": 10**4, "1e5": 10**5}.items():
        yield Case(f"auroc_table/csv/{name}", scored_table(".csv", n), 0.0)
        yield Case(f"auroc_table/jsonl/{name}", scored_table(".jsonl", n), 0.0)


# Starting, and networks.


def fresh_import(module: str) -> Callable[[], Call]:
    """Prepare a fresh process that imports a module of this build."""

    def prepare() -> Call:
        command = [sys.executable, "-P", "-c", f"import {module}"]
        return lambda: subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

    return prepare


def perceptual_distance(backbone: str, file: str, size: tuple[int, int]) -> Callable[[], Call]:
    """Prepare LPIPS of one pair with the official weights."""

    def prepare() -> Call:
        import pixelgauge

        files = [SHARED / "weights" / name for name in (file, f"lpips_v0.1_{backbone}.pth")]
        for path in files:
            if not path.is_file():
                raise MissingInputError(f"{path} is not there: PIXELGAUGE_SHARED names the folder that holds weights/")
        metric, (x, y) = pixelgauge.LPIPS(backbone, weights=files), pair(*size)
        return lambda: metric(x, y)

    return prepare


def starting() -> Iterator[Case]:
    """Import time; `numpy` is its floor, the same in both builds."""
    yield Case("import/numpy", fresh_import("numpy"), 0.0)
    yield Case("import/pixelgauge", fresh_import("pixelgauge"), 0.0)
    yield Case("import/cli", fresh_import("pixelgauge.cli"), 0.0)


def networks() -> Iterator[Case]:
    """LPIPS of one pair; the same float32 network by other routes differs in the sixth digit."""
    yield Case("lpips/alex/256x256", perceptual_distance("alex", "alexnet_features.pth", (256, 256)), 1e-5)
    yield Case("lpips/alex/64x64", perceptual_distance("alex", "alexnet_features.pth", (64, 64)), 1e-5)
    yield Case("lpips/squeeze/256x256", perceptual_distance("squeeze", "squeezenet1_1_features.pth", (256, 256)), 1e-5)


def forget_inputs() -> None:
    """Let go of inputs that were kept for the next case: new ones lie elsewhere in memory."""
    for kept in (photograph, pair, screenshot, scores_of, inception_like):
        kept.cache_clear()


CASES = {
    case.name: case
    for family in (full_reference, images, ranking, distribution, files, networks, starting)
    for case in family()
}


def select(patterns: list[str]) -> list[str]:
    """Names of the cases that the globs choose, each once, in the order of the globs.

    Raises
    ------
    ValueError
        If a glob chooses none.
    """
    chosen: dict[str, None] = {}
    for pattern in patterns:
        matches = [name for name in CASES if fnmatchcase(name, pattern)]
        if not matches:
            raise ValueError(
                f"no case is called {pattern!r}: --list shows all, and a glob such as 'ssim/*' chooses some"
            )
        chosen.update(dict.fromkeys(matches))
    return list(chosen)
