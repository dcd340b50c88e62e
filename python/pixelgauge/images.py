"""Arrays and files to canonical arrays: dtype, range, channels, colour."""

from __future__ import annotations

import io
import math
import os
import re
import sys
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

Array = npt.NDArray[Any]

_KERNEL_TYPES = (np.uint8, np.uint16, np.float32, np.float64)


def as_array(x: object, name: str) -> Array:
    """View anything on the CPU that speaks DLPack or ``__array__`` as a NumPy array, without a copy where possible.

    Parameters
    ----------
    x : array_like
        NumPy array, or an array of another library (JAX, PyTorch, TensorFlow, CuPy on the CPU, Pillow).
    name : str
        The argument's name, for messages.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    TypeError
        If `x` is not an array, is masked, or is not reachable from the CPU.
    """
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, whose mask would be ignored: fill it, or crop to the valid part")
    if isinstance(x, np.ndarray):
        return x
    if hasattr(x, "__dlpack__"):
        try:
            return np.from_dlpack(x)
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            raise TypeError(
                f"{name} ({type(x).__module__}.{type(x).__qualname__}) cannot be read from the CPU: {error}. "
                "Detach it and copy it to the CPU first"
            ) from error
    if hasattr(x, "__array__") or hasattr(x, "__array_interface__"):
        return np.asarray(x)
    kind = type(x).__name__
    article = "an" if kind[0].lower() in "aeiou" else "a"
    raise TypeError(f"{name} is {article} {kind}: pass a NumPy array or one that speaks DLPack or __array__")


def canonical_images(x: object, name: str, channel_axis: int | None) -> tuple[Array, bool]:
    """View images as a (N, H, W, C) array of a dtype that the kernels take.

    Parameters
    ----------
    x : array_like
        (H, W), (H, W, C) or (N, H, W, C), or with the channels at `channel_axis`; with ``channel_axis=None``
        (H, W) or (N, H, W). uint8, uint16, float16, float32 or float64.
    name : str
        The argument's name, for messages.
    channel_axis : int or None
        Axis of the channels; None if there is none.

    Returns
    -------
    images : numpy.ndarray
        (N, H, W, C), a view unless the dtype had to be converted (float16, foreign byte order).
    single : bool
        Whether `x` was one image rather than a batch.

    Raises
    ------
    TypeError
        For a dtype that has no unambiguous range (bool, signed and wide integers, complex, objects).
    ValueError
        For a wrong number of axes, an empty array or an axis out of range.
    """
    array = as_array(x, name)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    elif array.dtype.type not in _KERNEL_TYPES:
        raise TypeError(f"{name} has dtype {array.dtype}: use uint8, uint16, float16, float32 or float64")
    elif not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.size == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}")
    if channel_axis is None:
        if array.ndim not in (2, 3):
            raise ValueError(f"{name} has shape {array.shape}: with channel_axis=None use (H, W) or (N, H, W)")
        return array.reshape((1, *array.shape, 1)) if array.ndim == 2 else array[..., np.newaxis], array.ndim == 2
    if isinstance(channel_axis, bool) or not isinstance(channel_axis, int | np.integer):
        raise TypeError(f"channel_axis={channel_axis!r} must be an integer or None")
    if array.ndim == 2:
        return array[np.newaxis, ..., np.newaxis], True
    if array.ndim not in (3, 4):
        raise ValueError(f"{name} has shape {array.shape}: use (H, W), (H, W, C) or (N, H, W, C), or set channel_axis")
    if not -array.ndim <= channel_axis < array.ndim:
        raise ValueError(f"channel_axis={channel_axis} is out of range for {name} with shape {array.shape}")
    last = channel_axis in (-1, array.ndim - 1)
    moved = array if last else np.moveaxis(array, int(channel_axis), -1)
    return (moved[np.newaxis], True) if array.ndim == 3 else (moved, False)


def canonical_pair(x: object, y: object, channel_axis: int | None) -> tuple[Array, Array, bool]:
    """View two batches of images of the same shape and dtype as (N, H, W, C) arrays."""
    a, single = canonical_images(x, "x", channel_axis)
    b, single_y = canonical_images(y, "y", channel_axis)
    if a.shape != b.shape or single != single_y:
        shapes = " and ".join(str(as_array(images, name).shape) for images, name in ((x, "x"), (y, "y")))
        raise ValueError(f"x and y differ in shape: {shapes}; resize or crop one of them")
    if a.dtype != b.dtype:
        raise ValueError(f"x and y differ in dtype: {a.dtype} and {b.dtype}; convert one of them")
    return a, b, single


def value_range_bounds(data_range: float | Sequence[float] | None, dtype: np.dtype[Any]) -> tuple[float, float]:
    """Lowest and highest value of the data range.

    Parameters
    ----------
    data_range : float, (float, float) or None
        R means 0..R, a pair means (low, high). None means the dtype's full range, for integers only.
    dtype : numpy.dtype
        Of the images.

    Raises
    ------
    ValueError
        If float images come without a range, or the range is empty, not finite or the wrong way round.
    """
    if data_range is None:
        if dtype.kind != "u":
            raise ValueError(
                "data_range is needed for floating-point images: pass 1.0 for values in 0..1, 255 for 0..255, "
                "or (low, high) such as (-1, 1)"
            )
        return 0.0, float(np.iinfo(dtype).max)
    try:
        if isinstance(data_range, str | bytes | bool | np.bool_):
            raise TypeError
        low, high = (0.0, float(data_range)) if np.ndim(data_range) == 0 else map(float, data_range)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ValueError(f"data_range={data_range!r} must be a number or a pair (low, high)") from error
    if not (math.isfinite(high - low) and low < high):
        raise ValueError(f"data_range={data_range!r} must be positive and finite, or a pair with low < high")
    return low, high


def value_range_length(data_range: float | Sequence[float] | None, dtype: np.dtype[Any]) -> float:
    """Length L of the data range; parameters and errors as of :func:`value_range_bounds`."""
    low, high = value_range_bounds(data_range, dtype)
    return high - low


FILE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff")
"""What :func:`image_files` takes for an image, in any case."""

ALPHA_CHOICES = ("error", "drop", "black", "white", "#rrggbb")
"""What may be done with an alpha channel that is not opaque everywhere; the last stands for any such colour."""

_FILE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")

# Pillow keeps the high bytes of 16-bit colour. Reading the same bytes as if of the other order keeps the low ones.
_OTHER_BYTE = {
    "RGB;16B": "RGB;16L",
    "RGB;16L": "RGB;16B",
    "RGB;16N": f"RGB;16{'B' if sys.byteorder == 'little' else 'L'}",
    "RGBA;16B": "RGBA;16L",
    "RGBA;16L": "RGBA;16B",
    "RGBA;16N": f"RGBA;16{'B' if sys.byteorder == 'little' else 'L'}",
}

_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_PLANAR, _ORIENTATION = 258, 262, 284, 274

# As MATLAB's rgb2gray.
_GRAY_WEIGHTS = (0.298936021293775, 0.587043074451121, 0.114020904255103)


class ImageFileError(ValueError):
    """An image file cannot be read: missing, truncated, corrupt, or of a kind whose pixels would be ambiguous.

    Attributes
    ----------
    path : str
        The file.
    reason : str
        What is wrong with it and, where there is something to do, what.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type[ImageFileError], tuple[str, str]]:
        return type(self), (self.path, self.reason)


def image_files(folder: str | os.PathLike[str]) -> tuple[list[str], Counter[str]]:
    """Image files of a folder and its subfolders.

    Hidden files and folders are skipped, links are followed, each folder once.

    Parameters
    ----------
    folder : path
        Where to look.

    Returns
    -------
    paths : list of str
        Relative to `folder`, with ``/`` between names, sorted.
    ignored : collections.Counter
        How many other files there are, by extension in lower case.

    Raises
    ------
    OSError
        If a folder cannot be listed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("b.PNG", "a.jpg", ".hidden.png", "notes.txt"):
    ...         _ = pathlib.Path(folder, name).write_bytes(b"")
    ...     image_files(folder)
    (['a.jpg', 'b.PNG'], Counter({'.txt': 1}))
    """
    paths, ignored = [], Counter[str]()
    seen = set()

    def fail(error: OSError) -> None:
        raise error

    top = os.fspath(folder)
    for here, folders, names in os.walk(top, onerror=fail, followlinks=True):
        identity = os.stat(here)
        if (identity.st_dev, identity.st_ino) in seen:  # a link back into the tree
            folders.clear()
            continue
        seen.add((identity.st_dev, identity.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        prefix = os.path.relpath(here, top).replace(os.sep, "/") + "/"
        for name in names:
            if name.startswith("."):
                continue
            extension = os.path.splitext(name)[1].lower()
            if extension in FILE_EXTENSIONS:
                paths.append((prefix + name).removeprefix("./"))
            else:
                ignored[extension] += 1
    return sorted(paths), ignored


def read_image(path: str | os.PathLike[str], *, gray: bool = False, alpha: str = "error") -> Array:
    """Read a PNG, JPEG, WebP, BMP or TIFF file, with its EXIF orientation applied.

    Palettes become colours, bitmaps 0 and 255. Colour profiles and gamma are not applied: the numbers are the file's.

    Parameters
    ----------
    path : path
        The file; its content, not its name, tells the format.
    gray : bool, default False
        Turn colour into gray as MATLAB's rgb2gray: 0.2989 R + 0.5870 G + 0.1140 B, rounded.
    alpha : {"error", "drop", "black", "white", "#rrggbb"}, default "error"
        What to do with an alpha channel that is not opaque everywhere: refuse the file, drop the channel, or composite
        over a colour, rounded. An opaque one is dropped: it changes nothing.

    Returns
    -------
    (H, W) or (H, W, 3) numpy.ndarray of uint8 or uint16

    Raises
    ------
    ImageFileError
        If the file is missing, truncated, corrupt or larger than Pillow's limit for decompression bombs; has several
        frames or pages (of a JPEG with embedded pictures the main one is read); is CMYK, L*a*b*, of signed, floating or
        other than 1, 2, 4, 8 or 16 bits; or has an alpha channel and `alpha` is "error".
    ValueError
        If `alpha` is none of the choices.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
    ...     Image.new("RGB", (4, 3), (255, 0, 0)).save(file.name)
    ...     read_image(file.name).shape, int(read_image(file.name, gray=True)[0, 0])
    ((3, 4, 3), 76)
    """
    background = alpha_background(alpha)
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            data = file.read()
    except OSError as error:
        raise ImageFileError(name, error.strerror or str(error)) from error
    try:
        return _from_bytes(data, gray, alpha, background)
    except Exception as error:  # Pillow's plugins raise whatever a corrupt file leads them to
        raise ImageFileError(name, _reason(data, error)) from error


class _RefusedError(Exception):
    """The file is sound, but its pixels would be ambiguous."""


def alpha_background(alpha: str) -> tuple[int, int, int] | None:
    """Red, green and blue to composite over, None for "error" and "drop"; ``ValueError`` if it is no such choice."""
    named = {"error": None, "drop": None, "black": (0, 0, 0), "white": (255, 255, 255)}
    if alpha in named:
        return named[alpha]
    if re.fullmatch("#[0-9a-fA-F]{6}", str(alpha)):
        return int(alpha[1:3], 16), int(alpha[3:5], 16), int(alpha[5:7], 16)
    raise ValueError(f"alpha={alpha!r} is not known: use one of {', '.join(map(repr, ALPHA_CHOICES))}")


def _reason(data: bytes, error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if not data:
        return "the file is empty"
    if isinstance(error, UnidentifiedImageError):
        return "not a readable PNG, JPEG, WebP, BMP or TIFF image"
    text = str(error) or type(error).__name__
    return text if isinstance(error, _RefusedError) else f"cannot be decoded: {text}"


def _from_bytes(data: bytes, gray: bool, alpha: str, background: tuple[int, int, int] | None) -> Array:
    from PIL import Image

    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        _check_png(data)
    with Image.open(io.BytesIO(data), formats=_FILE_FORMATS) as image:
        if image.format != "MPO" and (frames := getattr(image, "n_frames", 1)) > 1:
            raise _RefusedError(f"holds {frames} frames or pages: save the one to compare as a file of its own")
        pixels, opacity = _pixels(image, data)
        # Read after decoding: Pillow turns TIFF itself, and then forgets the tag.
        orientation = image.getexif().get(_ORIENTATION, 1)
    if opacity is not None and opacity.min() != np.iinfo(opacity.dtype).max:
        if alpha == "error":
            raise _RefusedError(
                "has transparent pixels: choose alpha drop, black, white or #rrggbb, or save it without alpha channel"
            )
        if background is not None:
            pixels = _composite(pixels, opacity, background)
    if gray and pixels.ndim == 3:
        pixels = _to_gray(pixels)
    return np.ascontiguousarray(_oriented(pixels, orientation))


def _check_png(data: bytes) -> None:
    """Check every chunk: Pillow skips the checksums of image data, so a flipped bit would become a wrong number."""
    position = 8
    while position + 12 <= len(data):
        length, kind = int.from_bytes(data[position : position + 4]), data[position + 4 : position + 8]
        end = position + 8 + length
        if end + 4 > len(data):
            break
        if zlib.crc32(memoryview(data)[position + 4 : end]) != int.from_bytes(data[end : end + 4]):
            raise ValueError(f"chunk {kind.decode('latin-1')!r} has a wrong checksum")
        if kind == b"IEND":
            return
        position = end + 4
    raise ValueError("the file is truncated")


def _pixels(image: Image.Image, data: bytes) -> tuple[Array, Array | None]:
    """(H, W) or (H, W, 3) pixels and, if there is an alpha channel or transparent colour, the (H, W) opacity."""
    if image.format == "TIFF":
        _check_tiff(image)
    rawmodes = {_rawmode(tile) for tile in getattr(image, "tile", ())}
    if any(";16" in rawmode for rawmode in rawmodes) and image.mode in ("RGB", "RGBA", "LA"):
        return _sixteen_bit_colour(image, rawmodes, data)
    if image.mode in ("I;16", "I;16B", "I;16L") or (image.mode == "I" and image.format == "PNG"):  # "I": Pillow < 11
        gray = np.asarray(image).astype(np.uint16)
        if image.format == "TIFF" and image.tag_v2.get(_TIFF_PHOTOMETRIC) == 0:  # type: ignore[attr-defined]
            gray = 65535 - gray  # Pillow inverts white-is-zero at 8 bits only
        return gray, _keyed_opacity(gray, image.info.get("transparency"))
    if image.mode in ("P", "PA"):
        if image.mode == "P" and "transparency" not in image.info:
            return np.asarray(image.convert("RGB")), None
        return _split_alpha(np.asarray(image.convert("RGBA")))
    if image.mode in ("LA", "RGBA"):
        return _split_alpha(np.asarray(image))
    if image.mode in ("1", "L", "RGB"):
        pixels = np.asarray(image.convert("L") if image.mode == "1" else image)
        key = image.info.get("transparency")
        if isinstance(key, int) and image.format == "PNG":
            key = key * 255 // (2 ** data[24] - 1)  # the key is in samples of the file's bit depth
        return pixels, _keyed_opacity(pixels, key)
    raise _RefusedError(f"has colour mode {image.mode}: convert it to 8- or 16-bit gray or RGB")


def _check_tiff(image: Image.Image) -> None:
    tags = image.tag_v2  # type: ignore[attr-defined]
    bits = set(tags.get(_TIFF_BITS, (1,)))
    if len(bits) != 1 or not bits <= {1, 2, 4, 8, 16} or image.mode in ("I", "F"):
        raise _RefusedError(
            f"has {', '.join(map(str, sorted(bits)))}-bit {image.mode} samples: convert to 8 or 16 bits"
        )
    if tags.get(_TIFF_PLANAR, 1) == 2 and (bits == {16} or image.mode not in ("L", "RGB", "RGBA")):
        # Pillow reads these planes as if they were 8-bit, or interleaved.
        raise _RefusedError("has planes stored apart: save it with interleaved channels")


def _rawmode(tile: tuple[Any, ...]) -> str:
    args = tile[3]
    return str(args[0] if isinstance(args, tuple) else args)


def _sixteen_bit_colour(image: Image.Image, rawmodes: set[str], data: bytes) -> tuple[Array, Array | None]:
    from PIL import Image

    (rawmode,) = rawmodes if len(rawmodes) == 1 else ("several layouts",)
    if rawmode == "LA;16B" and image.mode == "RGBA":
        _reinterpret(image, "RGBA")  # the four bytes of a gray and an alpha sample
        both = np.asarray(image).view(">u2").astype(np.uint16)
        return both[..., 0], both[..., 1]
    if rawmode not in _OTHER_BYTE:
        raise _RefusedError(
            f"has 16-bit colour stored as {rawmode}, which Pillow reads as 8 bits: save it as plain RGB"
        )
    high = np.asarray(image).astype(np.uint16)
    with Image.open(io.BytesIO(data), formats=_FILE_FORMATS) as again:
        _reinterpret(again, _OTHER_BYTE[rawmode])
        pixels = high << 8 | np.asarray(again)
    if image.mode == "RGBA":
        return _split_alpha(pixels)
    return pixels, _keyed_opacity(pixels, image.info.get("transparency"))


def _reinterpret(image: Any, rawmode: str) -> None:
    image.tile = [
        tuple.__new__(type(tile), (*tile[:3], (rawmode, *tile[3][1:]) if isinstance(tile[3], tuple) else rawmode))
        for tile in image.tile
    ]


def _split_alpha(pixels: Array) -> tuple[Array, Array]:
    return (pixels[..., 0] if pixels.shape[2] == 2 else pixels[..., :3]), pixels[..., -1]


def _keyed_opacity(pixels: Array, key: object) -> Array | None:
    if key is None:
        return None
    transparent = pixels == np.array(key, dtype=np.int64)
    if pixels.ndim == 3:
        transparent = transparent.all(axis=2)
    return np.where(transparent, 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)


def _composite(pixels: Array, opacity: Array, background: tuple[int, int, int]) -> Array:
    full = int(np.iinfo(pixels.dtype).max)
    colour = np.array(background, dtype=np.uint64) * (full // 255)
    if pixels.ndim == 2:
        if len(set(background)) > 1:
            raise _RefusedError("is gray: it cannot be composited over a colour; choose black, white or a gray #rrggbb")
        colour = colour[0]
    else:
        opacity = opacity[..., np.newaxis]
    over = pixels.astype(np.uint64) * opacity + colour * (full - opacity.astype(np.uint64))
    return ((2 * over + full) // (2 * full)).astype(pixels.dtype)


def _to_gray(pixels: Array) -> Array:
    gray = pixels[..., 0] * _GRAY_WEIGHTS[0]
    gray += pixels[..., 1] * _GRAY_WEIGHTS[1]
    gray += pixels[..., 2] * _GRAY_WEIGHTS[2]
    gray += 0.5
    return gray.astype(pixels.dtype)


def _oriented(pixels: Array, orientation: int) -> Array:
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
