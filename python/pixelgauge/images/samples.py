"""Decoded samples to pixels: palettes, 16 bits, alpha and gray, by one set of rules for files and for PIL images.

All but the decoding is done in strips of a million pixels, so that what is held is Pillow's image, the result, and
little more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pixelgauge.images.opening import Decoded, Opened
from pixelgauge.images.pillow import rgb_pixels
from pixelgauge.images.tiff import RefusedError

if TYPE_CHECKING:
    from PIL import Image

Array = npt.NDArray[Any]

# Pillow keeps the high bytes of 16-bit colour. Reading the same bytes as if of the other order keeps the low ones.
_OTHER_BYTE = {
    "RGB;16B": "RGB;16L",
    "RGB;16L": "RGB;16B",
    "RGB;16N": f"RGB;16{'B' if sys.byteorder == 'little' else 'L'}",
    "RGBA;16B": "RGBA;16L",
    "RGBA;16L": "RGBA;16B",
    "RGBA;16N": f"RGBA;16{'B' if sys.byteorder == 'little' else 'L'}",
}

_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_PLANAR, _TIFF_EXTRA, _TIFF_FORMAT = 258, 262, 284, 338, 339

_STRIP_PIXELS = 1 << 20
"""Pixels that are composited, made gray or split at a time."""

# As MATLAB's rgb2gray.
_GRAY_WEIGHTS = (0.298936021293775, 0.587043074451121, 0.114020904255103)

Split = Callable[[int, int], tuple[Array, Array | None]]
"""Rows from one to before another: (H, W) or (H, W, 3) pixels and, if there is alpha, the (H, W) opacity."""


def pixels_of(
    opened: Opened | Decoded, alpha: str, background: tuple[int, int, int] | None = None, gray: bool = False
) -> tuple[Array, bool]:
    """(H, W) or (H, W, 3) pixels with what is asked for done to them, and whether there are transparent ones.

    With ``alpha="see"`` nothing is done about these.
    """
    (split, in_strips), whole, seen = _split(opened), None, False
    width, height = opened.size
    # Pixels that are taken as they are need no strips, which would copy them twice.
    step = max(1, _STRIP_PIXELS // max(1, width)) if in_strips or gray else max(1, height)
    for top in range(0, max(1, height), step):
        bottom = min(top + step, height)
        pixels, opacity = split(top, bottom)
        if opacity is not None and opacity.size and opacity.min() != np.iinfo(opacity.dtype).max:
            if alpha == "error":
                raise RefusedError(
                    "has transparent pixels",
                    "choose alpha drop, black, white or #rrggbb, or save it without alpha channel",
                )
            seen = True
            if background is not None:
                pixels = _composite(pixels, opacity, background, opened.associated)
        if gray and pixels.ndim == 3:
            if pixels.shape[2] != 3:
                raise RefusedError(f"has {pixels.shape[2]} bands, of which no gray is made", "compare it without gray")
            pixels = to_gray(pixels)
        if step >= height:
            return pixels, seen
        if whole is None:
            whole = np.empty((height, *pixels.shape[1:]), pixels.dtype)
        whole[top:bottom] = pixels
    assert whole is not None
    return whole, seen


def _split(opened: Opened | Decoded) -> tuple[Split, bool]:
    """Decode an image; how its rows are taken from it, and whether something is done to them on the way."""
    if isinstance(opened, Decoded):
        pixels, opacity = opened.pixels, opened.opacity
        if opacity is None:
            return lambda top, bottom: (pixels[top:bottom], None), False
        return lambda top, bottom: (pixels[top:bottom], opacity[top:bottom]), True
    image = opened.image
    if image.format == "TIFF":
        _check_tiff(image)
    rawmodes = {_rawmode(tile) for tile in getattr(image, "tile", ())}
    if any(";16" in rawmode or ";15" in rawmode for rawmode in rawmodes) and image.mode in ("RGB", "RGBA", "LA"):
        if opened.reopen is None:
            bits = "16-bit colour, which Pillow reads as" if image.format != "BMP" else "5 bits a channel, made"
            raise RefusedError(
                f"was opened from a file of {bits} 8 bits", "pass pixelgauge.images.read_image of the file"
            )
        return _split_sixteen_bit_colour(opened, rawmodes), True
    # Not left to NumPy, which takes an AttributeError, as of a closed file, for an object without pixels.
    image.load()
    mode, key = image.mode, image.info.get("transparency")
    if mode.startswith("I;16") or (mode == "I" and image.format == "PNG"):  # "I": Pillow < 11
        inverted = opened.inverted
        if opened.reopen is None and image.format == "TIFF":  # Pillow inverts white-is-zero at 8 bits only
            inverted = image.tag_v2.get(_TIFF_PHOTOMETRIC) == 0  # type: ignore[attr-defined]

        def sixteen_bit_gray(top: int, bottom: int) -> tuple[Array, Array | None]:
            rows = np.asarray(_rows(image, top, bottom)).astype(np.uint16)
            rows = 65535 - rows if inverted else rows
            return rows, _keyed_opacity(rows, key)

        return sixteen_bit_gray, True
    if mode in ("P", "PA"):
        if opened.reopen is not None:
            _require_entries(image)
        if mode == "P" and key is None and not (image.palette is not None and image.palette.mode.endswith("A")):
            return lambda top, bottom: (rgb_pixels(_rows(image, top, bottom).convert("RGB")), None), True
        return lambda top, bottom: _split_alpha(np.asarray(_rows(image, top, bottom).convert("RGBA"))), True
    if mode == "RGBA" and not opened.gray and image.getchannel("A").getextrema() == (255, 255):
        return lambda top, bottom: (rgb_pixels(_rows(image, top, bottom)), None), False
    if mode in ("LA", "RGBA"):

        def with_alpha(top: int, bottom: int) -> tuple[Array, Array | None]:
            rows, opacity = _split_alpha(np.asarray(_rows(image, top, bottom)))
            return _as_gray(rows, opened.gray), opacity

        return with_alpha, True
    if mode == "RGBX":  # X is padding
        return lambda top, bottom: (np.asarray(_rows(image, top, bottom))[..., :3], None), True
    if mode in ("1", "L", "RGB"):
        keys = _keys(opened)

        def plain(top: int, bottom: int) -> tuple[Array, Array | None]:
            rows = _rows(image, top, bottom)
            pixels = rgb_pixels(rows) if mode == "RGB" else np.asarray(rows.convert("L") if mode == "1" else rows)
            pixels = _as_gray(pixels, opened.gray)
            return pixels, _keyed_opacity(pixels, *keys)

        return plain, keys != (None,)
    raise RefusedError(f"has colour mode {mode}", "convert it to 8- or 16-bit gray or RGB")


def _as_gray(pixels: Array, gray: bool) -> Array:
    """One channel of pixels whose channels are equal, if they are gray."""
    return pixels[..., 0] if gray and pixels.ndim == 3 else pixels


def _rows(image: Image.Image, top: int, bottom: int) -> Image.Image:
    return image if bottom - top == image.height else image.crop((0, top, image.width, bottom))


def _keys(opened: Opened) -> tuple[object, ...]:
    """Colours of an image of mode 1, L or RGB that are transparent; None for none."""
    image = opened.image
    key = image.info.get("transparency")
    if not isinstance(key, int) or image.mode == "RGB":
        return (key,)
    # The key is in samples of the file's bit depth, which an image alone does not tell.
    if image.mode == "1":  # as 0 and 1, or by newer Pillow 0 and 255
        return (255 if key else 0,)
    depths: tuple[int, ...] = (2, 4, 8) if opened.reopen is None else (opened.bits,)
    return tuple(key * 255 // (2**bits - 1) for bits in depths)


def _require_entries(image: Image.Image) -> None:
    """Refuse indices beyond the palette, whose colour each program chooses for itself."""
    if image.mode != "P" or image.palette is None or image.format == "TIFF":
        return
    entries = len(image.palette.palette) // len(image.palette.mode)
    most = np.asarray(image.getextrema()).max()
    if most >= entries:
        raise ValueError(f"it has index {most} of a palette of {entries} colours")


def _check_tiff(image: Image.Image) -> None:
    """Refuse what Pillow reads otherwise than :func:`pixelgauge.images.read_image`, of an image that it opened."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    bits = set(tags.get(_TIFF_BITS, (1,)))
    if len(bits) != 1 or not bits <= {1, 2, 4, 8, 16} or image.mode in ("I", "F"):
        raise RefusedError(
            f"has {', '.join(map(str, sorted(bits)))}-bit {image.mode} samples", "convert to 8 or 16 bits"
        )
    if set(tags.get(_TIFF_FORMAT, (1,))) != {1}:
        raise RefusedError("has samples that are signed or floating", "convert to 8 or 16 unsigned bits")
    extra = tags.get(_TIFF_EXTRA, ())
    if 0 in extra:
        raise RefusedError("has samples of which it is not said what they are", "save it without them")
    if 1 in extra:
        raise RefusedError(
            "was opened from a file whose colours are multiplied by alpha, which Pillow divides by it and rounds",
            "pass pixelgauge.images.read_image of the file, with alpha",
        )
    if tags.get(_TIFF_PLANAR, 1) == 2 and (bits == {16} or image.mode not in ("L", "RGB", "RGBA")):
        # Pillow reads these planes as if they were 8-bit, or interleaved.
        raise RefusedError("has planes stored apart", "save it with interleaved channels")


def _rawmode(tile: tuple[Any, ...]) -> str:
    args = tile[3]
    return str(args[0] if isinstance(args, tuple) else args)


def _split_sixteen_bit_colour(opened: Opened, rawmodes: set[str]) -> Split:
    image = opened.image
    (rawmode,) = rawmodes if len(rawmodes) == 1 else ("several layouts",)
    if rawmode == "LA;16B" and image.mode == "RGBA":
        _reinterpret(image, "RGBA")  # the four bytes of a gray and an alpha sample
        image.load()

        def gray_and_alpha(top: int, bottom: int) -> tuple[Array, Array | None]:
            both = np.asarray(_rows(image, top, bottom)).view(">u2").astype(np.uint16)
            return both[..., 0], both[..., 1]

        return gray_and_alpha
    if rawmode not in _OTHER_BYTE:
        raise RefusedError(
            f"has 16-bit colour stored as {rawmode}, which Pillow reads as 8 bits", "save it as plain RGB"
        )
    image.load()
    assert opened.reopen is not None
    again = opened.reopen()
    _reinterpret(again, _OTHER_BYTE[rawmode])
    again.load()
    key = image.info.get("transparency")

    def colour(top: int, bottom: int) -> tuple[Array, Array | None]:
        pixels = np.asarray(_rows(image, top, bottom)).astype(np.uint16)
        pixels <<= 8
        pixels |= np.asarray(_rows(again, top, bottom))
        return _split_alpha(pixels) if image.mode == "RGBA" else (pixels, _keyed_opacity(pixels, key))

    return colour


def _reinterpret(image: Any, rawmode: str) -> None:
    image.tile = [
        tuple.__new__(type(tile), (*tile[:3], (rawmode, *tile[3][1:]) if isinstance(tile[3], tuple) else rawmode))
        for tile in image.tile
    ]


def _split_alpha(pixels: Array) -> tuple[Array, Array]:
    return (pixels[..., 0] if pixels.shape[2] == 2 else pixels[..., :3]), pixels[..., -1]


def _keyed_opacity(pixels: Array, *keys: object) -> Array | None:
    """0 where a pixel is one of the keys, full elsewhere; None for the key None."""
    if keys == (None,):
        return None
    transparent = np.zeros(pixels.shape[:2], bool)
    for key in keys:
        equal = pixels == np.array(key, dtype=np.int64)
        transparent |= equal.all(axis=2) if pixels.ndim == 3 else equal
    return np.where(transparent, 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)


def _composite(pixels: Array, opacity: Array, background: tuple[int, int, int], associated: bool) -> Array:
    """Pixels over a colour, rounded once; in 32 bits, which hold the square of 65535 and half of it."""
    full = np.uint32(np.iinfo(pixels.dtype).max)
    colour = np.array(background, dtype=np.uint32) * (full // np.uint32(255))
    if pixels.ndim == 2:
        if len(set(background)) > 1:
            raise RefusedError(
                "is gray: it cannot be composited over a colour", "choose black, white or a gray #rrggbb"
            )
        colour = colour[0]
    else:
        opacity = opacity[..., np.newaxis]
    over = colour * (full - opacity) + full // np.uint32(2)
    if not associated:
        over += pixels * opacity.astype(np.uint32)
        over //= full
    else:  # as if opaque, and at most full where the file says more than its alpha allows
        over //= full
        over += pixels
        np.minimum(over, full, out=over)
    return over.astype(pixels.dtype)


def to_gray(pixels: Array) -> Array:
    """Gray of (H, W, 3) as by MATLAB's rgb2gray, in the same dtype, rounded where that is of integers."""
    gray = pixels[..., 0] * _GRAY_WEIGHTS[0]
    gray += pixels[..., 1] * _GRAY_WEIGHTS[1]
    gray += pixels[..., 2] * _GRAY_WEIGHTS[2]
    if pixels.dtype.kind != "f":
        gray += 0.5
    return gray.astype(pixels.dtype)
