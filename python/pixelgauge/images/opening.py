"""What the readers of all image formats share: an image about to be decoded, the limit of pixels, a row to watch."""

from __future__ import annotations

import contextlib
import functools
import io
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelgauge.images.tiff import RefusedError

if TYPE_CHECKING:
    from PIL import Image

_WATCHED = 16
"""Pixels of a row that are drawn: what a picture has in all of them is none of these by chance."""
LEAST_WATCHED = 64
"""Pixels that a row must have to be watched."""


def watched_row(image: Any, row: int, width: int, bands: int) -> Callable[[], bool]:
    """Draw what no picture has into a row of an image's core, and return what tells whether it stands there still."""
    drawn = [((k * (width - 1) // (_WATCHED - 1), row), colour) for k, colour in enumerate(_drawn_colours(bands))]
    for place, colour in drawn:
        image.putpixel(place, colour)
    return lambda: all(image.getpixel(place) == colour for place, colour in drawn)


@functools.cache
def _drawn_colours(bands: int) -> list[Any]:
    values = [(37 * i * i + 11 * i + 59) & 255 for i in range(bands * _WATCHED)]
    return values if bands == 1 else list(zip(*[iter(values)] * bands, strict=True))


class Opened(NamedTuple):
    """An image whose pixels are still to be decoded."""

    image: Image.Image
    reopen: Callable[[], Image.Image] | None = None
    """Opens it once more, to be decoded in another way; None for a PIL image, of whose file nothing is known."""
    orientation: int = 1
    """As EXIF's, 1 to 8."""
    associated: bool = False
    """Whether its colours were multiplied by alpha."""
    inverted: bool = False
    """Whether 0 is white in 16 bits, which the decoder was not told."""
    gray: bool = False
    """Whether it is gray although decoded to RGB."""
    colours: str = ""
    """What it says of them beside sRGB, as :mod:`pixelgauge.images.profiles`."""
    bits: int = 8
    """Of a sample of a PNG, which a transparent colour is in."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.image.size


class Decoded(NamedTuple):
    """Pixels that are decoded without an image of Pillow's."""

    pixels: npt.NDArray[np.generic]
    """(H, W), or (H, W, C)."""
    opacity: npt.NDArray[np.generic] | None = None
    """(H, W) alpha of the same type, if there is any."""
    orientation: int = 1
    associated: bool = False
    colours: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]


def _most_pixels() -> int | None:
    from PIL import Image

    return None if Image.MAX_IMAGE_PIXELS is None else 2 * Image.MAX_IMAGE_PIXELS


class SizeTold(Exception):
    """Ends the opening of an image of which nothing but the size was asked for."""

    def __init__(self, pixels: int) -> None:
        super().__init__(pixels)
        self.pixels = pixels
        """Pixels of three samples or fewer that take as much as the image does."""


class _Asked(threading.local):
    size = False


_asked = _Asked()


@contextlib.contextmanager
def size_asked() -> Iterator[None]:
    """Within, on this thread, opening an image raises :class:`SizeTold` before anything is made room for."""
    _asked.size = True
    try:
        yield
    finally:
        _asked.size = False


def require_size(width: int, height: int, samples: int = 3) -> None:
    """Refuse more pixels than Pillow would, of three samples or fewer, before anything is made room for."""
    if _asked.size:
        raise SizeTold(width * height * parts_of(samples, 3))
    most = _most_pixels()
    if most is not None and width * height * parts_of(samples, 3) > most:
        many = f"{width} x {height} pixels" + (f" of {samples} samples" if samples > 3 else "")
        raise RefusedError(
            f"has {many}, more than the {most} that are read, so it could be a decompression bomb",
            "set PIL.Image.MAX_IMAGE_PIXELS, of which that is twice, if it is none",
        )


def opened_of(kind: type[Image.Image], data: bytes, **known: Any) -> Opened:
    """Open the data of an image by the class of its format, with what is known of it."""

    def reopen() -> Image.Image:
        image: Image.Image = kind(io.BytesIO(data))  # type: ignore[call-arg]
        require_size(*image.size)
        return image

    return Opened(reopen(), reopen, **known)


@contextlib.contextmanager
def decoding_into(
    mode: str, size: tuple[int, int], codec: str, *options: str | int, filled: int | None = None
) -> Iterator[tuple[Image.Image, Any]]:
    """Hand out a new image, `filled` or with pixels that are not set, and a decoder of Pillow's that sets them."""
    from PIL import Image

    image = Image.new(mode, size, filled)
    decoder = Image._getdecoder(mode, codec, options)
    try:
        decoder.setimage(image.im, (0, 0, *size))
        yield image, decoder
    finally:
        decoder.cleanup()


def parts_of(whole: int, size: int) -> int:
    """Parts of a size that cover a whole."""
    return -(-whole // size)
