"""One side of a run by its path: an image, a set of images by name (folder, zip, tar), or a stack of them by number."""

from __future__ import annotations

import os
import posixpath
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from pixelgauge.engine.items import ArrayItem, EncodedItem, Source, StoredItem
from pixelgauge.files.archive import Archive, read_sole_array
from pixelgauge.files.npy import Header, map_npy
from pixelgauge.files.reading import FileError, cause, open_regular, shown
from pixelgauge.images import Array, canonical_images, image_files
from pixelgauge.images.archives import TarArchive, images_among, is_tar

_MOST_INPUT = 1 << 32
"""Bytes of standard input, as of a file: an image that is cut there is one that is truncated."""
_COMPRESSED = (".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")


@dataclass
class ImageSide:
    """One image."""

    source: Source


@dataclass
class NamedSide:
    """Images by their names below a root, with ``/`` between parts."""

    root: str
    kind: str
    names: list[str]
    at: Callable[[str], Source]
    ignored: Counter[str] = field(default_factory=Counter)
    unlisted: list[tuple[str, str]] = field(default_factory=list)
    """Subfolders that cannot be listed, and why."""


@dataclass
class StackSide:
    """Images by number."""

    count: int
    at: Callable[[int], Source]
    kind: str = "stack"


Side = ImageSide | NamedSide | StackSide


class _ReadOnce:
    """Bytes of a stream, which gives them once, for whoever asks again: after a wait for memory, or for a page."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._data: bytes | None = None

    def __call__(self) -> bytes:
        with self._lock:
            if self._data is None:
                self._data = self._stream.read(_MOST_INPUT)
            return self._data


def side_of(path: str, standard_input: BinaryIO | None = None) -> Side:
    """Look at what a path leads to; what cannot be opened is an image, whose row will say so.

    Parameters
    ----------
    path : str
    standard_input : binary file, optional
        What ``-`` stands for.

    Raises
    ------
    FileError
        If it is an archive or array that is damaged, or holds no images.
    OSError
        If it is a folder that cannot be listed.
    """
    if standard_input is not None and path == "-":
        return ImageSide(EncodedItem(path, _ReadOnce(standard_input)))
    if os.path.isdir(path):
        return _folder(path)
    if path.lower().endswith(_COMPRESSED):
        raise FileError(path, "is a compressed tar archive, in which members cannot be found", "decompress it first")
    try:
        file = open_regular(path)
        start = file.read(6)
    except (OSError, FileError):
        return ImageSide(path)
    if start == b"\x93NUMPY":
        with file:
            header, array = map_npy(path, exactly=True)
            side = _stack(path, array)
            if isinstance(side, StackSide) and not header.fortran_order:
                stored = _Stored(path, header)
                side = StackSide(side.count, stored.item)
        return side
    try:
        if start.startswith(b"PK"):
            if path.lower().endswith(".npz"):
                with file:
                    return _stack(path, read_sole_array(Archive(file, path), "one array, or 'arr_0', is needed"))
            return _members(path, "zip archive", file, Archive(file, path, once=True))
        if is_tar(file):
            return _members(path, "tar archive", file, TarArchive(file, path))
    except BaseException:
        file.close()
        raise
    file.close()
    return ImageSide(path)


class _Stored:
    """Images of a .npy file one by one: of a mapped file that is written anew meanwhile nothing could be told."""

    def __init__(self, path: str, header: Header) -> None:
        self._path, self._header = path, header
        self._bytes = header.bytes // header.shape[0]
        self._file = open_regular(path)
        weakref.finalize(self, self._file.close)  # items read from it as long as there are any

    def item(self, number: int) -> StoredItem:
        """Image by its number."""
        return StoredItem(f"{self._path}[{number}]", lambda: self._read(number), self._bytes)

    def _read(self, number: int) -> Array:
        header = self._header
        data = os.pread(self._file.fileno(), self._bytes, header.offset + number * self._bytes)
        if len(data) < self._bytes:
            raise FileError(self._path, "ends before this image", "it was cut meanwhile")
        shape = header.shape[1:]
        image = np.frombuffer(data, header.dtype).reshape(shape)
        found: Array = canonical_images(image, "the array", -1 if len(shape) == 3 else None).pixels[0]
        return found


def _folder(path: str) -> NamedSide:
    unlisted: list[tuple[str, str]] = []
    names, ignored = image_files(path, lambda below, error: unlisted.append((below, cause(error))))
    return NamedSide(path, "folder", names, lambda name: os.path.join(path, name), ignored, unlisted)


def _members(path: str, kind: str, file: BinaryIO, archive: Archive | TarArchive) -> NamedSide:
    names, read = archive.names, archive.read
    images = images_among(names)
    if away := next((name for name in images if os.path.isabs(name)), None):  # rows would tell of another file
        reason = f"has a member '{shown(away)}', a name of no file within the archive"
        raise FileError(path, reason, "write or copy it again")
    if not images:
        raise FileError(path, "holds no images", "images are told by their extensions")
    others = set(names).difference(images)
    ignored = Counter(posixpath.splitext(name)[1].lower() for name in others)
    if isinstance(archive, TarArchive):
        ignored += archive.ignored
    side = NamedSide(
        path, kind, images, lambda name: EncodedItem(os.path.join(path, name), lambda: read(name)), ignored
    )
    weakref.finalize(archive, file.close)  # items read from it as long as there are any
    return side


def _stack(path: str, array: Array) -> ImageSide | StackSide:
    """Images of an array: (H, W), (H, W, 3), (N, H, W), (N, H, W, C)."""
    has_channels = array.ndim == 4 or (array.ndim == 3 and array.shape[2] == 3)
    if array.ndim == 4 and array.shape[3] > 4 and array.shape[1] in (1, 3):
        raise FileError(path, f"has shape {array.shape}", "images are (N, H, W, C): move the channels with moveaxis")
    try:
        found = canonical_images(array, "the array", -1 if has_channels else None)
    except (TypeError, ValueError) as error:
        raise FileError(path, f"holds no images: {error}") from error
    pixels: Any = found.pixels
    if found.single:
        return ImageSide(ArrayItem(path, pixels[0], in_file=True))
    return StackSide(len(pixels), lambda i: ArrayItem(f"{path}[{i}]", pixels[i], in_file=True))
