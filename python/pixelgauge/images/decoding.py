"""Image files, encoded data and PIL images to arrays, by one set of rules.

What they decode to is what the file says, or an error says why not; only a ``str`` or a path-like object names a file.
"""

from __future__ import annotations

import io
import os
import re
import reprlib
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, TypeGuard

import numpy as np
import numpy.typing as npt

from pixelgauge.files.reading import FileError, read_regular

if TYPE_CHECKING:
    from PIL import Image

Array = npt.NDArray[Any]


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


class ImageFileError(FileError):
    """An image file cannot be read: missing, truncated, corrupt, or of a kind whose pixels would be ambiguous.

    A :class:`pixelgauge.FileError`; ``path`` is ``"the image data"`` of what was in memory.
    """


IN_MEMORY = "the image data"
"""What errors call an encoded image that is no file."""


def path_name(path: object, name: str) -> str:
    """Name of a file or folder, or a ``TypeError``: nothing but a ``str`` or a path-like object is a path.

    A path-like object of bytes, such as an entry of ``os.scandir(b".")``, is a path all the same, decoded as the file
    system's names are.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{name}={reprlib.repr(path)} must be a path, a str or an os.PathLike")
    return os.fsdecode(path)


def image_files(
    folder: str | os.PathLike[str], unreadable: Callable[[str, OSError], None] | None = None
) -> tuple[list[str], Counter[str]]:
    """Image files of a folder and its subfolders.

    Hidden files and folders are skipped, links are followed, each folder once.

    Parameters
    ----------
    folder : path
        Where to look.
    unreadable : callable, optional
        Told of each subfolder that cannot be listed, by its path relative to `folder` and the error. Default: raise it.

    Returns
    -------
    paths : list of str
        Relative to `folder`, with ``/`` between names, sorted.
    ignored : collections.Counter
        How many other files there are, by extension in lower case.

    Raises
    ------
    OSError
        If `folder` cannot be listed, or a subfolder where nobody is told.

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

    top = path_name(folder, "folder")

    def fail(error: OSError) -> None:
        here = relative(error.filename)
        if unreadable is None or here == ".":
            raise error
        unreadable(here, error)

    def relative(here: str) -> str:
        return os.path.relpath(here, top).replace(os.sep, "/")

    for here, folders, names in os.walk(top, onerror=fail, followlinks=True):
        try:
            identity = os.stat(here)
        except OSError as error:
            fail(error)
            folders.clear()
            continue
        if (identity.st_dev, identity.st_ino) in seen:  # a link back into the tree
            folders.clear()
            continue
        seen.add((identity.st_dev, identity.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        prefix = relative(here) + "/"
        for name in names:
            if name.startswith("."):
                continue
            extension = os.path.splitext(name)[1].lower()
            if extension in FILE_EXTENSIONS:
                paths.append((prefix + name).removeprefix("./"))
            else:
                ignored[extension] += 1
    return sorted(paths), ignored


def read_image(
    path: str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO,
    *,
    gray: bool = False,
    alpha: str = "error",
) -> Array:
    """Read a PNG, JPEG, WebP, BMP or TIFF file, or the bytes of one, with its EXIF orientation applied.

    Palettes become colours, bitmaps 0 and 255. Colour profiles and gamma are not applied: the numbers are the file's.

    Parameters
    ----------
    path : str, path-like, bytes, bytearray, memoryview or binary file object
        The file, or what it holds; the content, not the name, tells the format. Bytes never name a file. A file object
        is read from where it stands to its end, where it is left, and need not be seekable.
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
        If the file or data is missing, truncated, corrupt or beyond Pillow's limit for decompression bombs; has several
        frames or pages (of a JPEG with embedded pictures the main one is read); is CMYK, L*a*b*, of signed, floating or
        other than 1, 2, 4, 8 or 16 bits; or has an alpha channel and `alpha` is "error".
    ValueError
        If `alpha` is none of the choices.
    TypeError
        If `path` is none of these.

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
    name, data = _named_data(path)
    try:
        return _from_bytes(data, gray, alpha, background)
    except Exception as error:  # Pillow's plugins raise whatever a corrupt file leads them to
        raise ImageFileError(name, _reason(data, error)) from error


def _named_data(path: Any) -> tuple[str, bytes]:
    """Read an encoded image, with what to call it in errors."""
    if isinstance(path, str | os.PathLike):
        name = path_name(path, "path")
        try:
            return name, read_regular(name, kind=ImageFileError)
        except OSError as error:
            raise ImageFileError(name, error.strerror or str(error)) from error
    if isinstance(path, bytes | bytearray | memoryview):
        return IN_MEMORY, bytes(path)
    if not callable(getattr(path, "read", None)):
        hint = "; a PIL image and an array are pixels already" if is_picture(path) or hasattr(path, "dtype") else ""
        raise TypeError(
            f"path is a {type(path).__name__}: pass a path (str or os.PathLike), the bytes of a file, or a binary file "
            f"object{hint}"
        )
    try:
        data = path.read()
    except (OSError, ValueError) as error:  # ValueError: it is closed
        raise ImageFileError(IN_MEMORY, f"cannot be read from the file object: {error}") from error
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"path is a file object that reads {type(data).__name__}, not bytes: open it in mode 'rb'")
    if not data and callable(getattr(path, "seekable", None)) and path.seekable() and path.tell() > 0:
        raise ImageFileError(IN_MEMORY, "is empty: the file object stands at its end, so seek(0) first")
    return IN_MEMORY, bytes(data)


def is_picture(x: object) -> TypeGuard[Image.Image]:
    """Whether `x` is a PIL image; without importing Pillow, which made it if it is one."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(x, pillow.Image)


_MODE_REMEDIES = {
    **dict.fromkeys(("CMYK", "YCbCr", "LAB", "HSV"), '{name}.convert("RGB")'),
    "RGBa": '{name}.convert("RGBA")',
    "La": '{name}.convert("LA")',
    "F": "numpy.asarray({name}), with its data_range",
    "I": "numpy.asarray({name}).astype(numpy.uint16) if its values are 0..65535",
}
"""What to write for a PIL image of a mode that is no gray and no RGB of 8 or 16 bits."""


def picture_pixels(image: Image.Image, name: str) -> Array:
    """Pixels of a PIL image by the rules of :func:`read_image`: those of its file, if it was opened from one.

    Parameters
    ----------
    image : PIL.Image.Image
        Is loaded, if it is not yet, and otherwise left as it is.
    name : str
        The argument's name, for messages.

    Returns
    -------
    (H, W) or (H, W, 3) numpy.ndarray of uint8 or uint16

    Raises
    ------
    TypeError
        If its mode is premultiplied, no gray and no RGB, or signed or floating.
    ValueError
        If it has transparent pixels or several frames, or cannot be loaded.
    """
    try:
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        if frames > 1:
            raise _RefusedError(f"has {frames} frames or pages: seek to the one to score and pass {name}.copy()")
        pixels, opacity = _pixels(image, None)
        # Read after decoding: Pillow turns TIFF itself, and then forgets the tag.
        orientation = image.getexif().get(_ORIENTATION, 1)
    except _RefusedError as error:
        remedy = _MODE_REMEDIES.get(image.mode)
        if remedy is None:
            raise ValueError(f"{name} is a PIL image that {error}") from error
        raise TypeError(f"{name} is a PIL image of mode {image.mode}: pass {remedy.format(name=name)}") from error
    except MemoryError:
        raise
    except Exception as error:  # what Pillow's plugins raise
        raise ValueError(
            f"{name} is a PIL image whose pixels cannot be loaded ({error}): its file may be truncated, damaged or "
            "closed"
        ) from error
    if opacity is not None and opacity.size and opacity.min() != np.iinfo(opacity.dtype).max:
        turned = name if orientation == 1 else f"ImageOps.exif_transpose({name})"
        drop = f"numpy.asarray({turned})" if pixels.dtype == np.uint16 else f'numpy.asarray({turned}.convert("RGB"))'
        raise ValueError(
            f"{name} is a PIL image with transparent pixels: {drop} drops the transparency; to composite it, pass "
            f'numpy.asarray(Image.alpha_composite(background, {turned}.convert("RGBA")).convert("RGB"))'
        )
    return np.ascontiguousarray(_oriented(pixels, orientation))


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


def _pixels(image: Image.Image, data: bytes | None) -> tuple[Array, Array | None]:
    """(H, W) or (H, W, 3) pixels and, if there is an alpha channel or transparent colour, the (H, W) opacity.

    `data` is the file that `image` was opened from, None if there is only the image.
    """
    if image.format == "TIFF":
        _check_tiff(image)
    rawmodes = {_rawmode(tile) for tile in getattr(image, "tile", ())}
    if any(";16" in rawmode for rawmode in rawmodes) and image.mode in ("RGB", "RGBA", "LA"):
        if data is None:
            raise _RefusedError(
                "was opened from a file of 16-bit colour, which Pillow reads as 8 bits: pass "
                "pixelgauge.images.read_image of the file"
            )
        return _sixteen_bit_colour(image, rawmodes, data)
    # Not left to NumPy, which takes an AttributeError, as of a closed file, for an object without pixels.
    image.load()
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):  # "I": Pillow < 11
        gray = np.asarray(image).astype(np.uint16)
        if image.format == "TIFF" and image.tag_v2.get(_TIFF_PHOTOMETRIC) == 0:  # type: ignore[attr-defined]
            gray = 65535 - gray  # Pillow inverts white-is-zero at 8 bits only
        return gray, _keyed_opacity(gray, image.info.get("transparency"))
    if image.mode in ("P", "PA"):
        opaque = image.mode == "P" and "transparency" not in image.info
        if opaque and not (image.palette is not None and image.palette.mode.endswith("A")):
            return np.asarray(image.convert("RGB")), None
        return _split_alpha(np.asarray(image.convert("RGBA")))
    if image.mode in ("LA", "RGBA"):
        return _split_alpha(np.asarray(image))
    if image.mode == "RGBX":  # X is padding
        return np.asarray(image)[..., :3], None
    if image.mode in ("1", "L", "RGB"):
        pixels = np.asarray(image.convert("L") if image.mode == "1" else image)
        key = image.info.get("transparency")
        if not isinstance(key, int) or image.mode == "RGB":
            return pixels, _keyed_opacity(pixels, key)
        # The key is in samples of the file's bit depth, which an image alone does not tell.
        if image.mode == "1":  # as 0 and 1, or by newer Pillow 0 and 255
            return pixels, _keyed_opacity(pixels, 255 if key else 0)
        depths: tuple[int, ...] = (8,)
        if data is None:
            depths = (2, 4, 8)
        elif image.format == "PNG":
            depths = (data[24],)
        return pixels, _keyed_opacity(pixels, *(key * 255 // (2**bits - 1) for bits in depths))
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
        image.load()
        both = np.asarray(image).view(">u2").astype(np.uint16)
        return both[..., 0], both[..., 1]
    if rawmode not in _OTHER_BYTE:
        raise _RefusedError(
            f"has 16-bit colour stored as {rawmode}, which Pillow reads as 8 bits: save it as plain RGB"
        )
    image.load()
    high = np.asarray(image).astype(np.uint16)
    with Image.open(io.BytesIO(data), formats=_FILE_FORMATS) as again:
        _reinterpret(again, _OTHER_BYTE[rawmode])
        again.load()
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


def _keyed_opacity(pixels: Array, *keys: object) -> Array | None:
    """0 where a pixel is one of the keys, full elsewhere; None for the key None."""
    if keys == (None,):
        return None
    transparent = np.zeros(pixels.shape[:2], bool)
    for key in keys:
        equal = pixels == np.array(key, dtype=np.int64)
        transparent |= equal.all(axis=2) if pixels.ndim == 3 else equal
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
