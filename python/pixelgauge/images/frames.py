"""Pages of a TIFF and frames of a GIF or WebP one by one, by the rules of files of one image.

A page of a TIFF is read as a file of that page alone. A frame of an animation is what is seen when it is shown, as
Pillow composes it, in colours; going from frame to frame in order decodes each once.
"""

from __future__ import annotations

import io
import struct
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pixelgauge.files.reading import cause
from pixelgauge.images.decoding import ImageFileError, Picture, alpha_background, read_picture
from pixelgauge.images.formats import decoding
from pixelgauge.images.headers import MOST_A_PIXEL, decoding_bytes
from pixelgauge.images.opening import Opened, require_size
from pixelgauge.images.profiles import profile_said
from pixelgauge.images.samples import pixels_of
from pixelgauge.images.tiff import RefusedError, page_alone

if TYPE_CHECKING:
    from PIL import Image

_SUBFILE, _OLD_SUBFILE = 254, 255


class Frames:
    """Images of one file.

    Parameters
    ----------
    name : str
        What errors call it.
    data : bytes
        The file.

    Attributes
    ----------
    count : int
        How many there are: of a TIFF all pages but overviews and masks, of any other format but GIF and WebP one.

    Raises
    ------
    ImageFileError
        If it is damaged as far as that shows before pixels are decoded.
    """

    def __init__(self, name: str, data: bytes) -> None:
        self._name, self._data = name, data
        self._lock = threading.Lock()
        self._pages: list[int] = []
        self._animation: Image.Image | None = None
        try:
            if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
                self._pages = _pages(data)
            elif data[:4] == b"GIF8" or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
                self._animation = _animation(data)
            self.count = max(1, len(self._pages), int(getattr(self._animation, "n_frames", 1)))
        except RefusedError as error:
            raise ImageFileError(name, error.reason, error.remedy) from error
        except Exception as error:  # Pillow's plugins raise whatever a corrupt file leads them to
            raise ImageFileError(name, f"cannot be decoded: {cause(error)}") from error
        if self.count == 1 and data[:4] == b"RIFF":
            self._animation = None  # a picture, which is read as any other

    def read(
        self, number: int, *, gray: bool, alpha: str, any_samples: bool = False, page: bytes | None = None
    ) -> Picture:
        """Read one, from any thread; see :func:`pixelgauge.images.read_image`. `page` is its file, if it is made."""
        try:
            if self._animation is not None:
                with self._lock:
                    return self._frame(self._animation, number, gray, alpha)
            page = self._page(number) if page is None else page
            return read_picture(page, gray=gray, alpha=alpha, any_samples=any_samples)
        except ImageFileError as error:
            raise ImageFileError(self._name, error.reason, error.remedy) from error
        except RefusedError as error:
            raise ImageFileError(self._name, error.reason, error.remedy) from error
        except MemoryError:
            raise
        except Exception as error:
            raise ImageFileError(self._name, f"cannot be decoded: {cause(error)}") from error

    def load(self, number: int) -> tuple[int, Callable[..., Picture]]:
        """Find the bytes that reading one holds at most, and what reads it: :meth:`read`, of a page made once."""
        if self._animation is not None:
            return MOST_A_PIXEL * self._animation.width * self._animation.height, partial(self.read, number)
        try:
            page = self._page(number)
        except Exception:  # whatever a damaged file leads to: reading it will say so
            return 0, partial(self.read, number)
        return decoding_bytes(page), partial(self.read, number, page=page)

    def _page(self, number: int) -> bytes:
        """File of one page."""
        return page_alone(self._data, self._pages[number]) if len(self._pages) > 1 else self._data

    def _frame(self, animation: Any, number: int, gray: bool, alpha: str) -> Picture:
        with decoding(animation):
            animation.seek(number)
            frame = animation.convert("RGBA" if animation.has_transparency_data else "RGB")
        pixels, _ = pixels_of(Opened(frame), alpha, alpha_background(alpha), gray)
        return Picture(np.ascontiguousarray(pixels), profile_said(animation.info.get("icc_profile") or b""))


def _animation(data: bytes) -> Image.Image:
    from PIL.GifImagePlugin import GifImageFile
    from PIL.WebPImagePlugin import WebPImageFile

    if data[:4] == b"GIF8":
        require_size(*struct.unpack_from("<HH", data, 6))
        return GifImageFile(io.BytesIO(data))
    image = WebPImageFile(io.BytesIO(data))
    require_size(*image.size)
    return image


def _pages(data: bytes) -> list[int]:
    """Where the directory of each page is."""
    order = "<" if data[:2] == b"II" else ">"
    big = b"+" in data[2:4]
    offset, count, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    (at,) = struct.unpack_from(order + offset, data, 8 if big else 4)
    pages: list[int] = []
    seen: set[int] = set()
    left = len(data)
    while at and at not in seen:
        seen.add(at)
        (entries,) = struct.unpack_from(order + count, data, at)
        first = at + struct.calcsize(order + count)
        after = first + entries * entry
        left -= after - at
        if left < 0:  # also keeps the work linear
            raise ValueError("has directories that overlap or lie beyond its end")
        (following,) = struct.unpack_from(order + offset, data, after)
        kind = 0
        for place in range(first, after, entry):
            tag, width = struct.unpack_from(order + "HH", data, place)
            if tag in (_SUBFILE, _OLD_SUBFILE):
                value = place + entry - struct.calcsize(order + offset)
                (found,) = struct.unpack_from(order + ("H" if width == 3 else "I"), data, value)
                kind = found if tag == _SUBFILE else int(found == 2)
        if not kind & 5:  # neither of fewer pixels nor a mask
            pages.append(at)
        at = following
    return pages
