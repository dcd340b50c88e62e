"""Decoding of image files, beside Pillow, which decodes them for us too: what is beyond its time are our checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.case import Call, Case, Contender
from bench.images.pictures import SIZES, pair
from bench.inputs import attribute, in_folder
from bench.programs import program

Reader = Callable[[Path], object]
ORIENTATION = 274
"""Of EXIF's tags."""


def ours() -> Reader:
    """Return our decoder."""
    reader: Reader = attribute("pixelgauge.images:read_image", "pixelgauge.images.decoding:read_image")
    return reader


def pillow() -> Reader:
    """Return Pillow as a program that needs an array of colours, the right way up, uses it."""
    from PIL import Image, ImageOps

    def read(path: Path) -> np.ndarray:
        with Image.open(path) as image:
            if image.getexif().get(ORIENTATION, 1) != 1:
                return np.asarray(ImageOps.exif_transpose(image))
            return np.asarray(image.convert("RGB") if image.mode == "RGBA" else image)

    return read


def simplejpeg() -> Reader:
    """Return simplejpeg alone: neither a marker nor a warning is looked at."""
    decode = program("simplejpeg").decode_jpeg
    return lambda path: decode(path.read_bytes(), fastdct=False, fastupsample=False)


def decoding(find: Callable[[], Reader], name: str, size: tuple[int, int], **save: Any) -> Callable[[], Call]:
    """Prepare a decoder of one file, of the picture or, with `opaque`, of it and alpha."""

    def make(folder: Path) -> Call:
        from PIL import Image

        read = find()
        path = folder / name
        pixels = pair(*size)[0]
        if "opaque" in name:
            pixels = np.dstack([pixels, np.full(size, 255, np.uint8)])
        exif = Image.Exif()
        if "turned" in name:
            exif[ORIENTATION] = 6
        Image.fromarray(pixels).save(path, exif=exif, **save)
        return lambda: read(path)

    return in_folder(make)


def read_image() -> Iterator[Case]:
    """PNG and JPEG of each size and kind."""
    jpeg = {"quality": 92}
    files: dict[str, tuple[str, dict[str, Any]]] = {
        "png": ("picture.png", {}),
        "png-opaque": ("opaque.png", {}),
        "jpeg": ("picture.jpg", jpeg),
        "jpeg-444": ("picture444.jpg", jpeg | {"subsampling": 0}),
        "jpeg-progressive": ("progressive.jpg", jpeg | {"progressive": True}),
        "jpeg-turned": ("turned.jpg", jpeg),
        "ppm": ("picture.ppm", {}),
    }
    for size, shape in SIZES.items():
        for kind, (file, save) in files.items():
            contenders = {"pillow": Contender(prepare=decoding(pillow, file, shape, **save), tolerance=0.0)}
            if kind.startswith("jpeg") and kind != "jpeg-turned":
                bare = decoding(simplejpeg, file, shape, **save)
                contenders["simplejpeg"] = Contender(prepare=bare, tolerance=0.0)
            yield Case(
                function="read_image",
                variant=kind,
                size=size,
                prepare=decoding(ours, file, shape, **save),
                tolerance=0.0,
                parameters={"dtype": "uint8", "layout": "H,W,C"},
                contenders=contenders,
            )


CASES = tuple(read_image())
