"""Images that go through a network one by one, from whatever holds them: files, folders, PIL images and arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelgauge.checks import one_of
from pixelgauge.full_reference.arguments import DataRange
from pixelgauge.images import Array, Images, canonical_images, is_file
from pixelgauge.images.folders import list_images
from pixelgauge.networks.preprocess import (
    are_files,
    checked_range,
    listed_files,
    read_rgb,
    require_colour,
    require_no_array_options,
)

GRAY_CHOICES = ("repeat",)


@dataclass(frozen=True)
class ImageSet:
    """Images of one dtype and range, read as they are needed and by several threads."""

    names: Sequence[str]
    """What to call each in messages."""
    read: Callable[..., Array]
    """Gives the (1, H, W, 3) pixels of one; a file is decoded within a :class:`Share`, if one is given, with so many
    bytes a pixel for what is done with it."""
    low: float = 0.0
    high: float = 255.0

    def __len__(self) -> int:
        return len(self.names)


def files_as_set(files: Sequence[Any], names: Sequence[str]) -> ImageSet:
    """Files, PIL images and encoded images with ``read`` as 8-bit RGB, by Pillow's ``convert("RGB")``."""
    return ImageSet(names, lambda i, *bytes_: read_rgb(files[i], names[i], *bytes_)[np.newaxis])


def image_set(
    images: object,
    network: str,
    *,
    name: str = "images",
    data_range: DataRange = None,
    channel_axis: int | None = -1,
    gray: str | None = None,
) -> ImageSet:
    """Check an argument that holds images, of which arrays are in memory and files are read later.

    Parameters
    ----------
    images : array_like, path, PIL image, or list of them
        Images (N, H, W, 3), one (H, W, 3), or a list of (H, W, 3) of any sizes; files, a folder, PIL images.
    network : str
        What takes them, for messages.
    name : str, default "images"
        The argument's name, for messages.
    data_range : float, (float, float) or None
        Of arrays; needed for floats.
    channel_axis : int or None, default -1
        Of arrays, in a list of each. None: they have none, which ``gray="repeat"`` allows.
    gray : {None, "repeat"}
        "repeat": arrays with one channel are colour of three equal channels. None: they are refused.

    Raises
    ------
    TypeError, ValueError
        If they are no images, differ in dtype, have not three channels, or do not fit their range.
    OSError
        If a folder cannot be listed.
    """
    if gray is not None:
        one_of("gray", gray, GRAY_CHOICES)
    if are_files(images):
        require_no_array_options(data_range, channel_axis, gray)
        if isinstance(images, str | os.PathLike) and os.path.isdir(images):
            images = list_images(images)
        return files_as_set(*listed_files(images, name))
    if isinstance(images, list | tuple):
        found = _list_of_arrays(images, network, name, channel_axis, gray)
        low, high = checked_range(found, data_range, name)
        each = list(found.values())
        return ImageSet(list(found), lambda i, *_: _in_colour(each[i]), low, high)
    batch = _colour(images, network, name, channel_axis, gray).pixels
    low, high = checked_range({name: batch}, data_range)
    names = [f"{name}[{i}]" for i in range(len(batch))]
    return ImageSet(names, lambda i, *_: _in_colour(batch[i : i + 1]), low, high)


def _colour(images: object, network: str, name: str, channel_axis: int | None, gray: str | None) -> Images:
    found = canonical_images(images, name, channel_axis)
    require_colour(found, name, network, gray=gray, repeats=True)
    return found


def _in_colour(pixels: Array) -> Array:
    return pixels if pixels.shape[3] == 3 else np.repeat(pixels, 3, axis=3)


def _list_of_arrays(
    images: Sequence[object], network: str, name: str, channel_axis: int | None, gray: str | None
) -> dict[str, Array]:
    """Pixels of a list of arrays, which may differ in size, by their names."""
    if not images:
        raise ValueError(f"{name} is empty: name at least one file, or pass an array")
    if any(map(is_file, images)):
        raise TypeError(f"{name} holds arrays beside files or PIL images: pass them in two calls")
    pixels: dict[str, Array] = {}
    for i, item in enumerate(images):
        one = f"{name}[{i}]"
        found = _colour(item, network, one, channel_axis, gray)
        if not found.single:
            raise ValueError(f"{one} is a batch: a list holds single images; join batches with numpy.concatenate")
        pixels[one] = found.pixels
        first = pixels[f"{name}[0]"].dtype
        if found.pixels.dtype != first:
            raise ValueError(f"{one} has dtype {found.pixels.dtype} and {name}[0] {first}: convert one of them")
    return pixels
