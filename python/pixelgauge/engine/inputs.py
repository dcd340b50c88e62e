"""What a caller of Python hands over to pairs: paths, lists, PIL images, arrays and batches of them, pairs."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from pixelgauge.checks import ArgumentTypeError, ArgumentValueError
from pixelgauge.engine.items import ArrayItem, HeldItem, PictureItem, Source
from pixelgauge.engine.pairing import CountedPairs, Pair, Pairing, pair_of
from pixelgauge.images import canonical_images, is_picture, path_name, value_range_bounds

Sources = Callable[[int], Source]
"""The images of one side by number, made when they are asked for."""


class Given:
    """Reads arguments; the options are of all arrays among them.

    Parameters
    ----------
    channel_axis : int or None
        Of arrays.
    data_range : float or None
        Arrays of floats need it.
    """

    def __init__(self, channel_axis: int | None, data_range: float | None) -> None:
        self._channel_axis, self._data_range = channel_axis, data_range
        self._locks: dict[int, threading.Lock] = {}
        self._lock: threading.Lock | None = None

    def two_sides(self, ref: object, test: object) -> Pairing:
        """Pair two images, two collections of as many, or one reference with many.

        Raises
        ------
        TypeError, ValueError
            If one holds no images, or they differ in number.
        """
        ours, theirs = self._side(ref, "ref"), self._side(test, "test")
        (count, at_ref), (tests, at_test) = ours, theirs
        if count is None and tests is not None:
            held = HeldItem(at_ref(0))
            return _pairing(tests, lambda i: (held, at_test(i)))
        if count != tests:
            given = f"{1 if count is None else count} images in ref and {1 if tests is None else tests} in test"
            raise ValueError(f"there are {given}: give as many, or one reference")
        return _pairing(1 if count is None else count, lambda i: (at_ref(i), at_test(i)))

    def pairs(self, pairs: Iterable[Any]) -> Pairing:
        """Pairs of two images each, taken as they are needed."""
        self._lock = threading.Lock()  # one for all: an identity is another image's once an image is gone
        return Pairing("", "", _Streamed(pairs, self._pair), Counter())

    def _pair(self, number: int, pair: object) -> Pair:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            kind = f"{type(pair).__name__} of {len(pair)}" if isinstance(pair, list | tuple) else type(pair).__name__
            raise ArgumentTypeError(
                "ref", "", f"pair {number} is a {kind}", "without test, ref holds pairs (ref, test) of images"
            )
        ref, test = (
            self._single(image, f"{side}[{number}]", side) for side, image in zip(("ref", "test"), pair, strict=True)
        )
        return pair_of(ref, test)

    def _side(self, x: object, name: str) -> tuple[int | None, Sources]:
        """Return the number of images of a side, None if it is one alone, and what makes them."""
        if isinstance(x, list | tuple):
            if not x:
                raise ValueError(f"{name} is empty: it needs at least one image")
            sources = [self._single(item, f"{name}[{i}]", name) for i, item in enumerate(x)]
            return len(sources), sources.__getitem__
        if isinstance(x, str | os.PathLike) or is_picture(x):
            source = self._single(x, name, name)
            return None, lambda i: source
        found = canonical_images(x, name, self._channel_axis)
        self._require_range(found.pixels, name)
        if found.single:
            return None, lambda i: ArrayItem(name, found.pixels[0])
        return len(found.pixels), lambda i: ArrayItem(f"{name}[{i}]", found.pixels[i])

    def _single(self, x: Any, name: str, side: str) -> Source:
        if isinstance(x, str | os.PathLike):
            path = path_name(x, name)
            if os.path.isdir(path):
                raise IsADirectoryError(21, f"{name} is a folder: give two folders, or the paths of its images", path)
            return path
        if is_picture(x):
            return PictureItem(name, x, self._lock or self._locks.setdefault(id(x), threading.Lock()))
        found = canonical_images(x, name, self._channel_axis)
        if not found.single:
            raise ValueError(f"{name} is a batch of {len(found.pixels)}: a list holds single images")
        self._require_range(found.pixels, name)
        return ArrayItem(name, found.pixels[0])

    def _require_range(self, pixels: np.ndarray[Any, Any], name: str) -> None:
        if self._data_range is None and pixels.dtype.kind == "f":
            try:
                value_range_bounds(None, pixels.dtype)
            except ValueError as error:
                raise ArgumentValueError("data_range", "", f"{name} has dtype {pixels.dtype}: {error}") from error


def _pairing(count: int, at: Callable[[int], tuple[Source, Source]]) -> Pairing:
    return Pairing("", "", CountedPairs(count, lambda i: pair_of(*at(i))), Counter())


class _Streamed(Iterable[Pair]):
    """Pairs of an iterable, as often as that can be gone through."""

    def __init__(self, pairs: Iterable[Any], read: Callable[[int, object], Pair]) -> None:
        self._pairs, self._read = pairs, read

    def __iter__(self) -> Iterator[Pair]:
        return (self._read(number, pair) for number, pair in enumerate(self._pairs))
