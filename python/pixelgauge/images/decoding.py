"""Image files, encoded data and PIL images to arrays, by one set of rules.

What they decode to is what the file says, or an error says why not; only a ``str`` or a path-like object names a file.
"""

from __future__ import annotations

import contextlib
import os
import re
import reprlib
import sys
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeGuard

import numpy as np
import numpy.typing as npt

from pixelgauge.checks import ArgumentValueError, flag
from pixelgauge.files.reading import FileError, cause, read_regular
from pixelgauge.images.fast_jpeg import jpeg_decoder
from pixelgauge.images.formats import decoding, open_image
from pixelgauge.images.opening import Opened
from pixelgauge.images.samples import pixels_of
from pixelgauge.images.tiff import RefusedError

if TYPE_CHECKING:
    from PIL import Image

Array = npt.NDArray[Any]

FILE_EXTENSIONS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".gif"),
    *(".pbm", ".pgm", ".ppm", ".pnm", ".avif", ".jp2", ".j2k"),
)
"""What :func:`image_files` takes for an image, in any case."""

ALPHA_CHOICES = ("error", "drop", "black", "white", "#rrggbb")
"""What may be done with an alpha channel that is not opaque everywhere; the last stands for any such colour."""

_ORIENTATION = 274
_MOST_BYTES = 1 << 32
"""Of a file: three times what the most pixels that are read take without compression."""


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

    Hidden files and folders are skipped, links are followed, each folder once. What is no regular file, such as a pipe
    with the name of an image, is in the list, for its reader to refuse; nothing is opened here.

    Parameters
    ----------
    folder : path
        Where to look.
    unreadable : callable, optional
        Is told the path of each subfolder that cannot be listed, relative to `folder`, and why; the rest is listed. By
        default that is an error.

    Returns
    -------
    paths : list of str
        Relative to `folder`, with ``/`` between names, sorted.
    ignored : collections.Counter
        How many other files there are, by extension in lower case.

    Raises
    ------
    OSError
        If `folder` cannot be listed, or, without `unreadable`, a folder below it.

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

    def relative(path: str) -> str:
        return os.path.relpath(path, top).replace(os.sep, "/")

    def fail(error: OSError) -> None:
        below = relative(os.fsdecode(error.filename))
        if unreadable is None or below == ".":
            raise error
        unreadable(below, error)

    for here, folders, names in os.walk(top, onerror=fail, followlinks=True):
        try:
            identity = os.stat(here)
        except OSError as error:  # it went away, or may not be searched
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
    any_samples: bool = False,
) -> Array:
    """Read an image file, or the bytes of one, with its EXIF orientation applied.

    PNG, JPEG, WebP, BMP, TIFF, GIF of one frame, PBM, PGM, PPM, JPEG 2000 and, from Pillow 11.3 on, AVIF.

    Palettes become colours, bitmaps 0 and 255. Colour profiles and gamma are not applied: the numbers are the file's.
    Of images that hold others beside the main one (thumbnails, overviews, a JPEG's embedded pictures) that one is read.

    Parameters
    ----------
    path : str, path-like, bytes, bytearray, memoryview or binary file object
        The file, or what it holds; the content, not the name, tells the format. Bytes never name a file. A file object
        is read from where it stands to its end, where it is left, and need not be seekable.
    gray : bool, default False
        Turn colour into gray as MATLAB's rgb2gray: 0.2989 R + 0.5870 G + 0.1140 B, rounded.
    alpha : {"error", "drop", "black", "white", "#rrggbb"}, default "error"
        What to do with an alpha channel that is not opaque everywhere: refuse the file, drop the channel, or composite
        over a colour, rounded once. An opaque one is dropped: it changes nothing. Where a TIFF's colours are stored
        multiplied by alpha (associated), "drop" and "black" give what is stored.
    any_samples : bool, default False
        Read also samples of which only you know what range they have, to be stated to the metric as `data_range`, as
        they are: TIFF of floating, signed and 32-bit samples and of several bands (the extra ``tiff``), and PGM and PPM
        of any maximum. Signed ones become float32, those of 32 bits float64, which hold each of them.

    Returns
    -------
    (H, W) or (H, W, 3) numpy.ndarray of uint8 or uint16
        With `any_samples` also of float16, float32 or float64, and (H, W, C) of C bands.

    Raises
    ------
    ImageFileError
        If the file or data is missing, no regular file, truncated, damaged as far as that shows, or has more than
        179 million pixels (twice ``PIL.Image.MAX_IMAGE_PIXELS``, as that stands); has several frames or pages; is CMYK,
        L*a*b*, of signed, floating or other than 1, 2, 4, 8 or 16 bits; holds samples of which it is not said what they
        are; or has an alpha channel and `alpha` is "error". Its ``reason`` and ``remedy`` say which.
    ValueError
        If `alpha` is none of the choices.
    TypeError
        If `path` is none of these.

    Notes
    -----
    At most 32 bytes are held for each pixel, and three times the file's, beside 64 MiB.

    What is damaged shows where a format has checksums (PNG), where a file ends early, and where its structure breaks.
    A flipped bit within the compressed pixels of a JPEG, WebP or TIFF mostly does not: those formats cannot tell it
    from another picture.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
    ...     Image.new("RGB", (4, 3), (255, 0, 0)).save(file.name)
    ...     read_image(file.name).shape, int(read_image(file.name, gray=True)[0, 0])
    ((3, 4, 3), 76)
    """
    return read_picture(path, gray=gray, alpha=alpha, any_samples=any_samples).pixels


class Picture(NamedTuple):
    """What an image file holds, or pixels that are not of a file."""

    pixels: Array
    colours: str | None = None
    """What it says of its colours that is not sRGB: ``"ICC profile 'Display P3'"``, ``"gamma 1"``, or nothing. None
    where that is not known."""


def read_picture(
    path: str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO,
    *,
    gray: bool = False,
    alpha: str = "error",
    any_samples: bool = False,
    data: bytes | None = None,
) -> Picture:
    """Pixels as of :func:`read_image`, and what the file says of its colours, which is not applied.

    `data` is what the file holds, where that has been read already.
    """
    background, gray = alpha_background(alpha), flag("gray", gray)
    any_samples = flag("any_samples", any_samples)
    name, data = encoded_image(path) if data is None else (os.fsdecode(path), data)  # type: ignore[arg-type]
    try:
        return _from_bytes(data, gray, alpha, background, any_samples)
    except RefusedError as error:
        raise ImageFileError(name, error.reason, error.remedy) from error
    except Exception as error:  # Pillow's plugins raise whatever a corrupt file leads them to
        raise ImageFileError(name, f"cannot be decoded: {cause(error)}") from error


def decoders() -> dict[str, str]:
    """Name and version of what decodes JPEG in this process, and of what decodes the others."""
    from importlib.metadata import version

    return {"jpeg": jpeg_decoder(), "others": f"Pillow {version('Pillow')}"}


def encoded_image(path: Any) -> tuple[str, bytes]:
    """Read an encoded image, after what to call it in errors, which are those of :func:`read_image`."""
    if isinstance(path, str | os.PathLike):
        name = path_name(path, "path")
        try:
            return name, read_regular(name, _MOST_BYTES, ImageFileError)
        except OSError as error:
            raise ImageFileError(name, cause(error)) from error
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
    # While another thread imports the module, it is there without its class, and no image is.
    kind = getattr(sys.modules.get("PIL.Image"), "Image", None)
    return kind is not None and isinstance(x, kind)


def is_file(x: object) -> bool:
    """Whether an argument is a file or, which is read by the same rules, a PIL image: not an array."""
    return isinstance(x, str | os.PathLike) or is_picture(x)


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
            raise RefusedError(f"has {frames} frames or pages", f"seek to the one to score and pass {name}.copy()")
        with decoding(image):
            pixels, transparent = pixels_of(Opened(image), "see")
        # Read after decoding: Pillow turns TIFF itself, and then forgets the tag.
        orientation = image.getexif().get(_ORIENTATION, 1)
    except RefusedError as error:
        remedy = _MODE_REMEDIES.get(image.mode)
        if remedy is None:
            raise ValueError(f"{name} is a PIL image that {error.reason}: {error.remedy}") from error
        raise TypeError(f"{name} is a PIL image of mode {image.mode}: pass {remedy.format(name=name)}") from error
    except MemoryError:
        raise
    except Exception as error:  # what Pillow's plugins raise
        raise ValueError(
            f"{name} is a PIL image whose pixels cannot be loaded ({error}): its file may be truncated, damaged or "
            "closed"
        ) from error
    if transparent:
        turned = name if orientation == 1 else f"ImageOps.exif_transpose({name})"
        drop = f"numpy.asarray({turned})" if pixels.dtype == np.uint16 else f'numpy.asarray({turned}.convert("RGB"))'
        raise ValueError(
            f"{name} is a PIL image with transparent pixels: {drop} drops the transparency; to composite it, pass "
            f'numpy.asarray(Image.alpha_composite(background, {turned}.convert("RGBA")).convert("RGB"))'
        )
    return _oriented(pixels, orientation)


def alpha_background(alpha: str) -> tuple[int, int, int] | None:
    """Red, green and blue to composite over, None for "error" and "drop"; ``ValueError`` if it is no such choice."""
    named = {"error": None, "drop": None, "black": (0, 0, 0), "white": (255, 255, 255)}
    if alpha in named:
        return named[alpha]
    if re.fullmatch("#[0-9a-fA-F]{6}", str(alpha)):
        return int(alpha[1:3], 16), int(alpha[3:5], 16), int(alpha[5:7], 16)
    raise ArgumentValueError("alpha", repr(alpha), "is not known", f"use one of {', '.join(map(repr, ALPHA_CHOICES))}")


def _from_bytes(
    data: bytes, gray: bool, alpha: str, background: tuple[int, int, int] | None, any_samples: bool
) -> Picture:
    if not data:
        raise RefusedError("the file is empty")
    opened = open_image(data, any_samples)
    image = opened.image if isinstance(opened, Opened) else None
    with image or contextlib.nullcontext(), decoding(image):
        pixels, _ = pixels_of(opened, alpha, background, gray)
    return Picture(_oriented(pixels, opened.orientation), opened.colours)


def _oriented(pixels: Array, orientation: int) -> Array:
    """Pixels as a viewer turns and mirrors them, row after row in memory."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if pixels.ndim == 2 or orientation in (1, 4):  # whole rows
        return np.ascontiguousarray(pixels)
    turned = np.empty_like(pixels, order="C")
    for channel in range(pixels.shape[2]):  # NumPy would copy a pixel at a time, five to ten times as slow
        turned[..., channel] = pixels[..., channel]
    return turned
