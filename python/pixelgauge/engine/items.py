"""One image of a run, wherever it is: a file by its path, or an item that knows its name and how it is read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pixelgauge.engine.rows import FileState, file_state
from pixelgauge.files.reading import FileError, cause
from pixelgauge.images import Array, ImageFileError, read_picture, to_gray
from pixelgauge.images.decoding import Picture, encoded_image, picture_pixels
from pixelgauge.images.headers import MOST_A_PIXEL, decoding_bytes

if TYPE_CHECKING:
    from PIL import Image


class Loaded(NamedTuple):
    """An image that is about to be decoded."""

    need: int
    """Bytes that this holds at most."""
    read: Callable[..., Picture]
    """Decodes it, by the options of :meth:`Item.read` and with its errors."""


class Item(Protocol):
    """An image that is not a file of its own."""

    @property
    def name(self) -> str:
        """What rows call it."""

    def state(self) -> FileState | None:
        """State of the file that holds it, None if there is none."""

    def read(self, *, gray: bool, alpha: str, any_samples: bool) -> Picture:
        """Read it, from any thread; an ``ImageFileError`` says why it cannot be."""

    def load(self) -> Loaded:
        """Find out what reading it takes; whatever is wrong with it, its reader will say."""


Source = str | Item
"""A path, or an item."""


def name_of(source: Source) -> str:
    """Say what rows call it."""
    return source if isinstance(source, str) else source.name


def state_of(source: Source) -> FileState | None:
    """State of its file."""
    return file_state(source) if isinstance(source, str) else source.state()


def read_source(source: Source, *, gray: bool, alpha: str, any_samples: bool) -> Picture:
    """Read a file or an item; errors as of :func:`pixelgauge.images.read_image`."""
    if isinstance(source, str):
        return read_picture(source, gray=gray, alpha=alpha, any_samples=any_samples)
    return source.read(gray=gray, alpha=alpha, any_samples=any_samples)


def load_source(source: Source) -> Loaded:
    """Read what a file or an item holds, and find out what decoding it takes."""
    if not isinstance(source, str):
        return source.load()
    try:
        _, data = encoded_image(source)
    except ImageFileError as error:
        return _refused(error)
    return Loaded(decoding_bytes(data), partial(read_picture, source, data=data))


def _refused(error: ImageFileError) -> Loaded:
    """Image that cannot be read, as its reader will say."""
    parts = error.path, error.reason, error.remedy  # an error that is raised again would hold all that it went through

    def read(**reading: Any) -> Picture:
        raise ImageFileError(*parts)

    return Loaded(0, read)


class ArrayItem:
    """Pixels in memory or mapped, (H, W, C), of a file where `in_file` says so."""

    def __init__(self, name: str, pixels: Array, *, in_file: bool = False) -> None:
        self.name = name
        self._pixels, self._in_file = pixels, in_file

    def state(self) -> FileState | None:
        """State of the file, None if there is none."""
        return file_state(self.name) if self._in_file else None

    def read(self, *, gray: bool, alpha: str, any_samples: bool) -> Picture:
        """Pixels as they are, or in gray."""
        return Picture(in_memory(self._pixels, gray))

    def load(self) -> Loaded:
        """Nothing beyond the pixels, which may be mapped."""
        return Loaded(self._pixels.nbytes, self.read)


class StoredItem:
    """An image of an array in a file: `pixels` reads what it has, (H, W, C) of so many bytes, when it is needed."""

    def __init__(self, name: str, pixels: Callable[[], Array], size: int) -> None:
        self.name = name
        self._pixels, self._size = pixels, size

    def state(self) -> FileState | None:
        """State of the file."""
        return file_state(self.name)

    def read(self, *, gray: bool, alpha: str, any_samples: bool) -> Picture:
        """Pixels as they are, or in gray."""
        try:
            return Picture(in_memory(self._pixels(), gray))
        except FileError as error:
            raise ImageFileError(self.name, error.reason, error.remedy) from error
        except OSError as error:
            raise ImageFileError(self.name, cause(error)) from error

    def load(self) -> Loaded:
        """Nothing but the pixels."""
        return Loaded(self._size, self.read)


class PictureItem:
    """A PIL image, loaded under a lock that all items of one image share."""

    def __init__(self, name: str, image: Image.Image, lock: threading.Lock) -> None:
        self.name = name
        self._image, self._lock = image, lock

    def state(self) -> None:
        """No file is known."""

    def read(self, *, gray: bool, alpha: str, any_samples: bool) -> Picture:
        """Pixels by the rules of files."""
        try:
            with self._lock:
                pixels = picture_pixels(self._image, "it")
        except (TypeError, ValueError) as error:
            raise ImageFileError(self.name, str(error).removeprefix("it is ")) from error
        return Picture(in_memory(pixels, gray))

    def load(self) -> Loaded:
        """By its size."""
        return Loaded(MOST_A_PIXEL * self._image.width * self._image.height, self.read)


class EncodedItem:
    """The bytes of an image file, read when they are needed by `data`, such as a member of an archive."""

    def __init__(self, name: str, data: Callable[[], bytes]) -> None:
        self.name = name
        self.data = data

    def state(self) -> FileState | None:
        """State of the file that holds it."""
        return file_state(self.name)

    def read(self, *, gray: bool, alpha: str, any_samples: bool) -> Picture:
        """Pixels by the rules of files."""
        return self._decoded(self.data, gray=gray, alpha=alpha, any_samples=any_samples)

    def load(self) -> Loaded:
        """Read the bytes, and what their header says."""
        try:
            data = self.data()
        except (FileError, OSError) as error:
            return _refused(self._error(error))
        return Loaded(decoding_bytes(data), partial(self._decoded, lambda: data))

    def _decoded(self, data: Callable[[], bytes], **reading: Any) -> Picture:
        try:
            return read_picture(data(), **reading)
        except (FileError, OSError) as error:
            raise self._error(error) from error

    def _error(self, error: FileError | OSError) -> ImageFileError:
        if isinstance(error, FileError):
            return ImageFileError(self.name, error.reason, error.remedy)
        return ImageFileError(self.name, cause(error))


class HeldItem:
    """An image that is read once and held: the one reference of many."""

    def __init__(self, source: Source) -> None:
        self.name = name_of(source)
        self._source = source
        self._lock = threading.Lock()
        self._loaded: Loaded | None = None
        self._found: Picture | ImageFileError | None = None

    def state(self) -> FileState | None:
        """State of its file."""
        return state_of(self._source)

    def read(self, *, gray: bool, alpha: str, any_samples: bool) -> Picture:
        """Pixels, by the options of the first call."""
        with self._lock:
            if self._found is None:
                loaded, self._loaded = self._loaded, None
                read = partial(read_source, self._source) if loaded is None else loaded.read
                try:
                    self._found = read(gray=gray, alpha=alpha, any_samples=any_samples)
                except ImageFileError as error:
                    self._found = error
        if isinstance(self._found, ImageFileError):
            raise ImageFileError(self.name, self._found.reason, self._found.remedy) from self._found
        return self._found

    def load(self) -> Loaded:
        """Find out what reading it takes the first time; later it is there."""
        with self._lock:
            if self._found is not None:
                return Loaded(0, self.read)
            if self._loaded is None:  # standard input is there once
                self._loaded = load_source(self._source)
            return Loaded(self._loaded.need, self.read)


def in_memory(pixels: Array, gray: bool) -> Array:
    """Pixels as a file's are: without an axis for one channel, and in gray where that is asked of colour."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        return pixels[..., 0]
    found: Any = to_gray(pixels) if gray and pixels.ndim == 3 and pixels.shape[2] == 3 else pixels
    return found  # type: ignore[no-any-return]
