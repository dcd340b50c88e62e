"""JPEG by simplejpeg, the extra ``fast``, once it has shown in this process that it decodes to Pillow's very pixels.

It is a second libjpeg-turbo beside Pillow's, and two wheels drift apart: each process tries it on small files of every
kind that it is given. What it so much as warns of is left to Pillow, so that errors and rows are the same with it.
"""

from __future__ import annotations

import contextlib
import functools
import io
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge.caller import warn

Decode = Callable[[bytes, str], npt.NDArray[np.uint8]]

_LOCK = threading.Lock()


def decoded_fast(data: bytes, mode: str, size: tuple[int, int]) -> npt.NDArray[np.uint8] | None:
    """Pixels of a JPEG of mode L or RGB, and of a width and height; None where Pillow is to decode it."""
    with _LOCK:  # tried once, whoever comes first
        decode = _decoder()
    if decode is None:
        return None
    try:
        pixels = decode(data, mode)
    except ValueError:  # it warned, or is damaged: Pillow's decoder tells what is wrong
        return None
    return pixels if pixels.shape[1::-1] == size else None


def jpeg_decoder() -> str:
    """Name and version of what decodes JPEG."""
    from importlib.metadata import version

    with _LOCK:
        name = "simplejpeg" if _decoder() is not None else "Pillow"
    return f"{name} {version(name)}"


@functools.cache
def _decoder() -> Decode | None:
    try:
        import simplejpeg
    except ImportError:
        return None

    def decode(data: bytes, mode: str) -> npt.NDArray[np.uint8]:
        colours = "GRAY" if mode == "L" else "RGB"
        pixels: Any = simplejpeg.decode_jpeg(data, colours, fastdct=False, fastupsample=False, strict=True)
        decoded: npt.NDArray[np.uint8] = pixels[..., 0] if mode == "L" else pixels
        return decoded

    try:
        different = _difference(decode)
    except Exception as error:  # whatever another version of it does
        different = f"fails on {type(error).__name__}: {error}"
    if not different:
        return decode
    warn(f"simplejpeg {different}; Pillow decodes JPEG instead: install another version, or remove it", RuntimeWarning)
    return None


def _difference(decode: Decode) -> str:
    """Say what a decoder does otherwise than Pillow on the files beside this one; nothing if it does the same."""
    from importlib.resources import files as files_of

    from PIL import Image

    folder = files_of("pixelgauge.images") / "jpeg_check"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".jpg")), key=lambda file: file.name)
    for file in files:
        data = file.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            expected, mode = np.asarray(image), image.mode
        found = decode(data, mode)
        if found.dtype != np.uint8 or found.shape != expected.shape or (found != expected).any():
            return f"decodes {file.name} of its trial otherwise than Pillow"
        with contextlib.suppress(ValueError):
            decode(data[: len(data) * 3 // 4] + data[-2:], mode)
            return f"does not tell that {file.name} of its trial is cut short"
    return "" if files else "cannot be tried: the files of its trial are missing"
