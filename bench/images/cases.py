"""Decoding of image files, beside Pillow, which decodes them for us too: what is beyond its time are our checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.case import Call, Case, Contender
from bench.images.pictures import SIZES, pair
from bench.inputs import attribute, in_folder

Reader = Callable[[Path], object]


def ours() -> Reader:
    """Return our decoder."""
    reader: Reader = attribute("pixelgauge.images:read_image", "pixelgauge.images.decoding:read_image")
    return reader


def pillow() -> Reader:
    """Return Pillow as a program that needs an array uses it."""
    from PIL import Image

    def read(path: Path) -> np.ndarray:
        with Image.open(path) as image:
            return np.asarray(image)

    return read


def decoding(find: Callable[[], Reader], name: str, size: tuple[int, int], **save: Any) -> Callable[[], Call]:
    """Prepare a decoder of one file."""

    def make(folder: Path) -> Call:
        from PIL import Image

        read = find()
        path = folder / name
        Image.fromarray(pair(*size)[0]).save(path, **save)
        return lambda: read(path)

    return in_folder(make)


def read_image() -> Iterator[Case]:
    """PNG and JPEG of each size."""
    files: dict[str, tuple[str, dict[str, Any]]] = {
        "png": ("picture.png", {}),
        "jpeg": ("picture.jpg", {"quality": 92}),
    }
    for size, shape in SIZES.items():
        for kind, (file, save) in files.items():
            yield Case(
                function="read_image",
                variant=kind,
                size=size,
                prepare=decoding(ours, file, shape, **save),
                tolerance=0.0,
                parameters={"dtype": "uint8", "layout": "H,W,C"},
                contenders={"pillow": Contender(prepare=decoding(pillow, file, shape, **save), tolerance=0.0)},
            )


CASES = tuple(read_image())
