"""What networks need before they run: checkpoints as state dicts, and pictures at the size that Inception takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.case import Call, Case, Contender
from bench.images.pictures import SIZES, pair
from bench.inputs import attribute, in_folder
from bench.networks.weights import SHARED
from bench.programs import MissingError, program

SIDE = 299
Read = Callable[[Path], dict[str, Any]]
Place = Callable[[Path], Path]
"""Where a checkpoint is, given a folder that it may be written to."""


def ours() -> Read:
    """Return our reader."""
    reader: Read = attribute("pixelgauge.networks.checkpoint:read_checkpoint", "pixelgauge.checkpoints:read_checkpoint")
    return reader


def numpy() -> Read:
    """Return NumPy's reader of .npz, every array read."""

    def read(path: Path) -> dict[str, np.ndarray]:
        with np.load(path) as arrays:
            return dict(arrays)

    return read


def pytorch() -> Read:
    """Return PyTorch's reader of weights."""
    torch = program("torch")
    return lambda path: dict(torch.load(path, map_location="cpu", weights_only=True))


def values(tensors: dict[str, Any]) -> list[np.ndarray]:
    """Arrays of a state dict in the order of their names."""
    return [np.asarray(tensors[name]) for name in sorted(tensors)]


def reading(find: Callable[[], Read], place: Place) -> Callable[[], Call]:
    """Prepare a reader of a checkpoint."""

    def make(folder: Path) -> Call:
        read, path = find(), place(folder)
        return lambda: read(path)

    return in_folder(make)


def squares(count: int, side: int) -> Place:
    """An .npz of square matrices."""

    def place(folder: Path) -> Path:
        rng = np.random.default_rng(0)
        path = folder / "weights.npz"
        np.savez(path, **{f"{i}.weight": rng.standard_normal((side, side), dtype=np.float32) for i in range(count)})  # type: ignore[arg-type]
        return path

    return place


def official(file: str) -> Place:
    """One of the official files of weights."""

    def place(_: Path) -> Path:
        path = SHARED / "weights" / file
        if not path.is_file():
            raise MissingError(f"{path} is not there: PIXELGAUGE_SHARED names the folder that holds weights/")
        return path

    return place


def read_checkpoint() -> Iterator[Case]:
    """Each kind of file, beside the reader of the program that wrote it."""
    for variant, size, place, peer in (
        ("npz", "64", squares(64, 64), {"numpy": numpy}),
        ("npz", "16x1024", squares(16, 1024), {"numpy": numpy}),
        ("pth", "heads", official("lpips_v0.1_alex.pth"), {"pytorch": pytorch}),
        ("pth", "squeezenet", official("squeezenet1_1_features.pth"), {"pytorch": pytorch}),
    ):
        yield Case(
            function="read_checkpoint",
            variant=variant,
            size=size,
            prepare=reading(ours, place),
            tolerance=0.0,
            parameters={"dtype": "float32"},
            result=values,
            contenders={
                name: Contender(prepare=reading(find, place), tolerance=0.0, result=values)
                for name, find in peer.items()
            },
        )


def resized(rule: str, size: tuple[int, int]) -> Callable[[], Call]:
    """Prepare our resize."""

    def prepare() -> Call:
        resize = attribute("pixelgauge._core:resize")
        chosen = getattr(attribute("pixelgauge._core:ResizeRule"), rule)
        image = pair(*size)[0][None]
        return lambda: resize(image, chosen, SIDE, SIDE, 1.0, 0.0, -math.inf, math.inf)

    return prepare


def interpolation(rule: str, n: int) -> np.ndarray:
    """Weights of one axis of n pixels, (299, n): linear between the two neighbours."""
    step = n / SIDE
    at = (np.arange(SIDE) + 0.5) * step - 0.5 if rule == "half_pixel" else np.arange(SIDE) * step
    return np.array([np.interp(at, np.arange(n), one) for one in np.eye(n)]).T


def definition(rule: str, size: tuple[int, int]) -> Contender:
    """The rules without a filter, in float64."""

    def prepare() -> Call:
        rows, columns = (interpolation(rule, n) for n in size)
        planes = np.moveaxis(pair(*size)[0], -1, 0).astype(np.float64)
        return lambda: rows @ planes @ columns.T

    # weights and sums of float32; a position of TensorFlow's is rounded to 299 times that
    return Contender(prepare=prepare, tolerance=1e-3)


def pillow(filtered: str, size: tuple[int, int]) -> dict[str, Contender]:
    """Return Pillow with the same filter: in float32 the same values, in uint8 rounded, so a floor of another kind."""

    def floats() -> Call:
        from PIL import Image

        planes = [Image.fromarray(plane) for plane in np.moveaxis(pair(*size)[0], -1, 0).astype(np.float32)]
        chosen = Image.Resampling[filtered]
        return lambda: [plane.resize((SIDE, SIDE), chosen) for plane in planes]

    def rounded() -> Call:
        from PIL import Image

        image, chosen = Image.fromarray(pair(*size)[0]), Image.Resampling[filtered]
        return lambda: image.resize((SIDE, SIDE), chosen)

    return {
        "pillow-float32": Contender(
            prepare=floats, tolerance=1e-3, result=lambda planes: np.stack([np.asarray(plane) for plane in planes])
        ),
        "pillow-uint8": Contender(prepare=rounded, tolerance=None),
    }


def resize() -> Iterator[Case]:
    """Every rule, from each size."""
    filters = {"antialias": "BILINEAR", "bicubic": "BICUBIC"}
    for name, size in {**SIZES, "512x512": (512, 512)}.items():
        for rule in ("half_pixel", "tensorflow1", "antialias", "bicubic"):
            yield Case(
                function="resize",
                variant=rule,
                size=name,
                prepare=resized(rule, size),
                tolerance=1e-5,
                parameters={"dtype": "uint8", "layout": "N,H,W,C", "to": f"{SIDE}x{SIDE}"},
                result=lambda images: images[0],
                oracle=None if rule in filters else definition(rule, size),
                contenders=pillow(filters[rule], size) if rule in filters else {},
            )


CASES = (*read_checkpoint(), *resize())
