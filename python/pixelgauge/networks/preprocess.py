"""Images as networks take them: files to RGB, batches to planes, ranges checked."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge.checks import ArgumentValueError
from pixelgauge.files.reading import FileError, cause, open_regular, size_of
from pixelgauge.full_reference.arguments import DataRange, range_of
from pixelgauge.images import (
    Array,
    ImageFileError,
    Images,
    is_file,
    is_picture,
    path_name,
    value_range_bounds,
)
from pixelgauge.images.archives import Member
from pixelgauge.images.budget import Share
from pixelgauge.images.headers import rgb_bytes
from pixelgauge.images.libtiff import libtiff_errors_raised
from pixelgauge.images.pillow import rgb_pixels
from pixelgauge.networks.pixels import Float32Array


def batched(arrays: Iterator[Float32Array], count: int) -> Iterator[Float32Array]:
    """Join `count` arrays at a time along their first axis; the last may be fewer."""
    while some := list(islice(arrays, count)):
        yield np.concatenate(some)


def read_rgb(image: Any, name: str = "image", share: Share | None = None, beside: int = 0) -> npt.NDArray[np.uint8]:
    """Decode to (H, W, 3) uint8 as programs that compute FID do, which is Pillow's ``convert("RGB")``.

    Alpha is dropped, gray repeated, palettes are applied, CMYK is converted, orientation tags are ignored, and the
    first frame of an animation is read.

    Parameters
    ----------
    image : path, PIL.Image.Image, or object with ``read``
        A file, what Pillow made of one, or what reads the bytes of one: the same numbers, of an animation those of the
        frame it stands at.
    name : str
        What to call anything but a path in messages.
    share : Share, optional
        Holds the bytes that this takes, from before anything is decoded; whoever gave it gives them back.
    beside : int, default 0
        Bytes a pixel that what is done with the result afterwards takes, the result counted.

    Raises
    ------
    ImageFileError
        A ValueError: if a file or its bytes are no image, damaged, or have more than 8 bits a channel, which a
        conversion would clip.
    ValueError
        If a PIL image has more than 8 bits a channel, or cannot be loaded.
    OSError
        If a file cannot be opened.
    """
    share = Share() if share is None else share
    if is_picture(image):
        if not _is_deep(image.mode):
            need = rgb_bytes(image, beside=beside)
            if not share.took(need):
                share.wait_for(need)
            try:
                return _in_rgb(image)
            except MemoryError:
                raise
            except Exception as error:  # what Pillow's plugins raise
                raise ValueError(
                    f"{name} is a PIL image of mode {image.mode} that cannot be made RGB ({error}): its file may be "
                    "truncated, damaged or closed"
                ) from error
        raise ValueError(f"{name} has more than 8 bits a channel (mode {image.mode}): convert it to 8 bits first")
    from PIL import Image, UnidentifiedImageError

    is_path = isinstance(image, str | os.PathLike)
    path = path_name(image, name) if is_path else name
    try:
        # After waiting, a member of an archive is read again; of other objects it is not known whether they can be.
        source = path if is_path else image if isinstance(image, Member) else image.read()
        while isinstance(found := _decoded(source, path, share, beside), int):
            share.wait_for(found)  # with nothing open
        return found
    except (FileError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise ImageFileError(path, "is not an image that Pillow can read") from error
    except OSError as error:
        if is_path and error.filename is not None:
            raise
        raise ImageFileError(path, f"is damaged: {cause(error)}") from error
    except Image.DecompressionBombError as error:
        raise ImageFileError(path, f"is refused by Pillow: {cause(error)}") from error
    except Exception as error:  # Pillow's plugins raise whatever a damaged file leads them to
        raise ImageFileError(path, f"is damaged: {cause(error)}") from error


def _decoded(image: Any, path: str, share: Share, beside: int) -> npt.NDArray[np.uint8] | int:
    """(H, W, 3) pixels; or how many bytes they take, where these would have to be waited for."""
    from PIL import Image

    with _openable(image) as (file, size), Image.open(file) as opened:
        if _is_deep(opened.mode):
            reason = f"has more than 8 bits a channel (mode {opened.mode})"
            raise ImageFileError(path, reason, "convert it to 8 bits first")
        need = rgb_bytes(opened, size, beside)
        if not share.took(need):
            return need
        with libtiff_errors_raised(opened):
            return _in_rgb(opened)


def _in_rgb(image: Any) -> npt.NDArray[np.uint8]:
    """Pixels by Pillow's conversion; of what is RGB that is a copy, which takes a fifth of the time of a JPEG."""
    image.load()
    return rgb_pixels(image if image.mode == "RGB" else image.convert("RGB"))


@contextmanager
def _openable(image: Any) -> Iterator[tuple[Any, int]]:
    """Hand out what Pillow is to open, and the bytes of that: a path as it is, as the programs do, or encoded data.

    Of data it turns every TIFF as its tag says, of a path some: there that data gets one.
    """
    if isinstance(image, str):
        with open_regular(image, ImageFileError) as opened:  # never waits for a pipe; Pillow itself is given the path
            size = size_of(opened)
        yield image, size
    elif (data := image.read() if isinstance(image, Member) else image)[:4] not in _TIFF_STARTS:
        yield io.BytesIO(data), len(data)
    else:
        with tempfile.NamedTemporaryFile(prefix="pixelgauge-", suffix=".tiff") as file:
            file.write(data)
            file.flush()
            yield file.name, len(data)


_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _is_deep(mode: str) -> bool:
    return mode in ("I", "F") or mode.startswith("I;")


def are_files(x: object) -> bool:
    """Whether an argument is a file, a PIL image or a list of them."""
    return is_file(x) or (isinstance(x, list | tuple) and len(x) > 0 and all(map(is_file, x)))


def listed_files(x: Any, name: str) -> tuple[list[Any], list[str]]:
    """Files and PIL images of an argument, and what to call them in messages."""
    items = [x] if is_file(x) else list(x)
    names = [name] if is_file(x) else [f"{name}[{i}]" for i in range(len(items))]
    return items, [of if is_picture(item) else path_name(item, of) for item, of in zip(items, names, strict=True)]


def require_colour(images: Images, name: str, network: str, *, gray: str | None = None, repeats: bool = False) -> None:
    """Raise a ``ValueError`` unless the images have three channels; it suggests the axis that has three.

    Parameters
    ----------
    images : Images
    name, network : str
        Of the argument and of what takes it, for messages.
    gray : {None, "repeat"}
        "repeat" lets one channel pass, which the caller will repeat.
    repeats : bool, default False
        Whether there is such an option, which the message then names.
    """
    channels = images.pixels.shape[3]
    if channels == 3 or (channels == 1 and gray == "repeat"):
        return
    shape = images.in_layout(images.pixels).shape
    axis = 0 if images.single else 1
    hint = "repeat a gray channel three times, drop alpha"
    if repeats and channels == 1:
        hint = "pass gray='repeat' to repeat a gray channel three times"
    if len(shape) == axis + 3 and shape[axis] == 3:
        hint = f"its shape is {shape}, so pass channel_axis={axis}"
    raise ValueError(f"{name} has {channels} channel(s): {network} takes colour images; {hint}")


def require_no_array_options(data_range: DataRange, channel_axis: int | None, gray: str | None = None) -> None:
    """Raise a ``ValueError`` if options for arrays are given with files."""
    if gray is not None:
        remedy = "files and PIL images become RGB anyhow"
        raise ArgumentValueError("gray", repr(gray), "is for arrays", remedy)
    if data_range is not None:
        said = "files and PIL images are decoded to 8 bits"
        raise ArgumentValueError("data_range", repr(data_range), "is for arrays", said)
    if channel_axis != -1:
        remedy = "leave it out for files and PIL images"
        raise ArgumentValueError("channel_axis", repr(channel_axis), "is for arrays", remedy)


def checked_range(
    images: Mapping[str, Array], data_range: DataRange, together: str | None = None
) -> tuple[float, float]:
    """Bounds of the declared range, which the images must fit: not beyond it, and not plainly in another one.

    Parameters
    ----------
    images : mapping of str to array
        By the argument's name, for messages.
    data_range : float, (float, float) or None
    together : str, optional
        What to call all of them; default their names.

    Raises
    ------
    ValueError
        If values lie outside the range, are NaN or infinite; or if float images declared as (-1, 1) have no negative
        value, or declared as 0..255 lie in 0..1 without being whole numbers.
    """
    dtype = next(iter(images.values())).dtype
    low, high = value_range_bounds(data_range, dtype)
    bounds = {name: range_of(name, pixels, "remove or replace such values first") for name, pixels in images.items()}
    for name, (least, most) in bounds.items():
        if least < low or most > high:
            signed = -1 <= least < 0 and most <= 1 and low == 0
            hint = "; for images in -1..1 pass data_range=(-1, 1)" if signed else ""
            raise ValueError(f"{name} has values in {least:g}..{most:g}, outside data_range={data_range!r}{hint}")
    least, most = min(b[0] for b in bounds.values()), max(b[1] for b in bounds.values())
    if dtype.kind == "f" and least < most:
        names = together or " and ".join(images)
        if low < 0 and least >= 0:
            raise ValueError(
                f"{names}: no value below zero ({least:g}..{most:g}), though data_range={data_range!r}. For images in "
                "0..1 pass data_range=1.0; if they really are that bright, pass (x - low) / (high - low) with "
                "data_range=1.0"
            )
        if high > 2 and low == 0 and most <= 1 and any((pixels != np.rint(pixels)).any() for pixels in images.values()):
            raise ValueError(
                f"{names}: no value above one ({least:g}..{most:g}), though data_range={data_range!r}. For images in "
                "0..1 pass data_range=1.0; if they really are that dark, divide them by the range and pass "
                "data_range=1.0"
            )
    return low, high
