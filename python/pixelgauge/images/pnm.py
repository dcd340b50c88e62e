"""PBM, PGM and PPM, in text or not, read here: Pillow would scale any maximum to 8 bits, and leave out what follows."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge.images.opening import Decoded, require_size
from pixelgauge.images.tiff import RANGE_STATED, RefusedError

_SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"
_HEADERS = {
    bitmap: re.compile(rb"P[1-6]" + rb"".join([_SPACE + rb"(\d{1,9})"] * (2 if bitmap else 3)) + rb"\s")
    for bitmap in (True, False)
}
_DIGITS, _BLANKS = b"0123456789", b" \t\n\v\f\r"


def open_pnm(data: bytes, any_samples: bool = False) -> Decoded:
    """Decode a picture whose samples fill 8 or 16 bits evenly; with `any_samples` others as they are.

    Raises
    ------
    RefusedError
        If their maximum is another, or there are several pictures.
    ValueError
        If it is damaged.
    """
    kind = data[1] - ord("0")
    header = _HEADERS[kind in (1, 4)].match(data)
    if header is None:
        raise ValueError("the file is damaged: its header is no PNM's")
    width, height, most = (*map(int, header.groups()), 1)[:3]
    if width < 1 or height < 1 or not 1 <= most <= 65535:
        raise ValueError(f"the file is damaged: it says {width} x {height} pixels of 0 to {most}")
    require_size(width, height)
    shape = (height, width, 3) if kind in (3, 6) else (height, width)
    body = memoryview(data)[header.end() :]
    pixels = _plain(bytes(body), shape, kind == 1) if kind <= 3 else _raw(body, shape, kind == 4, most)
    if (kind <= 3 or most not in (255, 65535)) and pixels.max() > most and kind not in (1, 4):
        raise ValueError(f"the file is damaged: it says that samples are at most {most}, and has {pixels.max()}")
    if kind in (1, 4):
        return Decoded(((1 - pixels) * 255).astype(np.uint8))
    full = 255 if most <= 255 else 65535
    samples: npt.NDArray[Any] = pixels.astype(np.uint8 if full == 255 else np.uint16)
    if full % most == 0:
        samples *= samples.dtype.type(full // most)
    elif not any_samples:
        raise RefusedError(
            f"has samples of 0 to {most}, which do not fill 8 or 16 bits evenly", f"{RANGE_STATED}, or convert it"
        )
    return Decoded(samples)


def _plain(body: bytes, shape: tuple[int, ...], bitmap: bool) -> npt.NDArray[Any]:
    """Read samples that are text."""
    count = int(np.prod(shape))
    strange = body.translate(None, (b"01" if bitmap else _DIGITS) + _BLANKS)
    if strange:
        if strange[:1] == b"P":
            raise _several()
        raise ValueError(f"the file is damaged: byte {strange[0]:#x} stands among its samples")
    if bitmap:  # whose digits need nothing between
        samples: npt.NDArray[Any] = np.frombuffer(body.translate(None, _BLANKS), np.uint8) - np.uint8(ord("0"))
    else:
        samples = np.fromstring(body, np.float64, sep=" ")  # what is too large for any whole number shows
    if samples.size < count:
        raise ValueError(f"the file is truncated: it has {samples.size} of {count} samples")
    if samples.size > count:
        raise ValueError(f"the file is damaged: it has {samples.size} samples where its size makes {count}")
    if not bitmap and samples.max() > 65535:
        raise ValueError(f"the file is damaged: it has a sample of {samples.max():g}")
    return (samples if bitmap else samples.astype(np.uint16)).reshape(shape)


def _raw(body: memoryview, shape: tuple[int, ...], bitmap: bool, most: int) -> npt.NDArray[Any]:
    height, row = shape[0], -(-shape[1] // 8) if bitmap else int(np.prod(shape[1:])) * (1 if most <= 255 else 2)
    if len(body) < height * row:
        raise ValueError("the file is truncated")
    rest = bytes(body[height * row :]).strip(_BLANKS)
    if re.match(rb"P[1-6]\s", rest):
        raise _several()
    if rest:
        raise ValueError(f"the file is damaged: {len(rest)} bytes follow its pixels")
    body = body[: height * row]
    if bitmap:
        return np.unpackbits(np.frombuffer(body, np.uint8).reshape(height, row), axis=1, count=shape[1])
    return np.frombuffer(body, np.uint8 if most <= 255 else ">u2").reshape(shape)


def _several() -> RefusedError:
    return RefusedError("holds several frames or pages", "save the one to compare as a file of its own")
