"""Pixels to pictures that a page holds, each within so many bytes: smaller and coarser until it fits.

Photographs may be coded with losses; maps never are, since their values are read off. Where a map is made smaller, a
pixel of a difference is the largest of those that it stands for, so that none vanishes.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, features

from pixelgauge.markup import Markup, element

Bytes = npt.NDArray[np.uint8]
SIDES = (1024, 768, 576, 432, 320, 240, 180, 128, 96, 64, 32, 16)
"""Longest sides that are tried, in pixels."""
_THUMBNAILS = (256, 192, 128, 96, 64, 32)
_JPEG_QUALITY, _WEBP_QUALITY, _THUMBNAIL_QUALITY = 90, 80, 80
_WEBP_GAIN = 3
"""How many times as many bytes the JPEG of a photograph has, at these qualities."""
_SMALL = 1 << 14
"""Pixels of an image that is coded without asking first whether it may fit."""
_DATA = "data:image/{};base64,{}"


@dataclass(frozen=True)
class Picture:
    """A picture as the address that holds it, and its size in pixels."""

    address: str
    width: int
    height: int
    lossless: bool


def photograph(pixels: Bytes, most: int) -> Picture:
    """Picture of (H, W) or (H, W, 3) pixels of at most about `most` characters: without losses where that fits.

    The smallest size there is stands, whatever it takes.
    """
    image = Image.fromarray(pixels)
    for side in _sides(max(image.size)):
        smaller = _within(image, side, Image.Resampling.BOX if side * 2 < max(image.size) else Image.Resampling.LANCZOS)
        for kind, data in _coded(smaller, most):
            if _characters(data) <= most:
                return _picture(kind, data, smaller, lossless=kind == "png" and smaller.size == image.size)
    return _picture(kind, data, smaller, lossless=False)


def thumbnail(pixels: Bytes, most: int) -> Picture:
    """Small picture of (H, W) or (H, W, 3) pixels, of at most about `most` characters."""
    whole = Image.fromarray(pixels)
    for side in _THUMBNAILS:
        image = _within(whole, side, Image.Resampling.BOX)
        codings = {"jpeg": _saved(image, "JPEG", quality=_THUMBNAIL_QUALITY)}
        if _may_fit(image, len(codings["jpeg"])):
            codings["png"] = _png(image)
        kind, data = min(codings.items(), key=lambda coding: len(coding[1]))
        if _characters(data) <= most:
            break
    return _picture(kind, data, image, lossless=kind == "png" and image.size == whole.size)


def value_map(values: Bytes, most: int, *, largest: bool) -> Picture:
    """Picture of (H, W) values of at most about `most` characters, exact but for its size.

    Parameters
    ----------
    values : (H, W) numpy.ndarray of uint8
    most : int
    largest : bool
        Of pixels that become one, take the largest; otherwise their mean.
    """
    for side in _sides(max(values.shape)):
        image = Image.fromarray(_pooled(values, side) if largest else _mean(values, side))
        if side > SIDES[-1] and not _may_fit(image, most):
            continue
        data = _png(image)
        if _characters(data) <= most:
            break
    return _picture("png", data, image, lossless=image.size == (values.shape[1], values.shape[0]))


def img(picture: Picture, alt: str, **named: object) -> Markup:
    """Build the element that shows a picture, with further attributes."""
    return element("img", src=Markup(picture.address), alt=alt, width=picture.width, height=picture.height, **named)


def _sides(longest: int) -> list[int]:
    first = min(longest, SIDES[0])
    return [first, *(side for side in SIDES if side < first)]


def _within(image: Image.Image, side: int, by: Image.Resampling) -> Image.Image:
    longest = max(image.size)
    if longest <= side:
        return image
    width, height = (max(1, round(length * side / longest)) for length in image.size)
    return image.resize((width, height), by)


def _coded(image: Image.Image, most: int) -> Iterator[tuple[str, bytes]]:
    """Codings of one size that may be of at most so many characters, the best first."""
    if _may_fit(image, most):
        yield "png", _png(image)
    jpeg = _saved(image, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    yield "jpeg", jpeg
    if _characters(jpeg) < _WEBP_GAIN * most and _has_webp():  # which takes ten times as long
        yield "webp", _saved(image.convert("RGB"), "WEBP", quality=_WEBP_QUALITY, method=2)


def _may_fit(image: Image.Image, most: int) -> bool:
    """Whether an image without losses may be of at most so many characters, by an eighth of its rows."""
    if image.width * image.height < _SMALL:
        return True
    rows = max(1, image.height // 24)
    tops = [image.height * i // 7 for i in (1, 3, 5)]
    parts = (image.crop((0, top, image.width, top + rows)) for top in tops)
    return sum(_characters(_png(part)) for part in parts) * image.height / (3 * rows) < 1.25 * most


@cache
def _has_webp() -> bool:
    return bool(features.check("webp"))


def _png(image: Image.Image) -> bytes:
    return _saved(image, "PNG", compress_level=4)


def _saved(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _characters(data: bytes) -> int:
    return 4 * len(data) // 3 + 40


def _picture(kind: str, data: bytes, image: Image.Image, *, lossless: bool) -> Picture:
    return Picture(_DATA.format(kind, b64encode(data).decode()), image.width, image.height, lossless)


def _pooled(values: Bytes, side: int) -> Bytes:
    """Largest value of each block, with as many blocks along the longer side as `side`."""
    longest = max(values.shape)
    if longest > side:
        for axis, length in enumerate(values.shape):
            parts = max(1, round(length * side / longest))
            values = np.maximum.reduceat(values, np.arange(parts) * length // parts, axis=axis)
    return values


def _mean(values: Bytes, side: int) -> Bytes:
    return np.asarray(_within(Image.fromarray(values), side, Image.Resampling.BOX))
