"""What a target is, and the rules that every execution of every target is held to."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

from pixelgauge import FileError

from . import mutations

CORPUS, FOUND = Path(__file__).parent / "corpus", Path(__file__).parent / "found"
"""Inputs by target: those that corpus.py makes, and the smallest of each kind that once broke a rule."""
MOST_SECONDS = 2.0
"""Of the processor, so that a busy machine finds nothing; what waits instead is ended by the driver."""
MOST_BYTES, MOST_BYTES_FREE = 20, 200 << 20
"""What one execution may add to the process's peak memory: so many times the input, and so many bytes."""
MOST_INPUT = 1 << 16
MOST_MESSAGE = 2000


class Finding(AssertionError):
    """A rule that was broken."""


class Hang(BaseException):
    """An execution that took too long; no ``except Exception`` of a reader stops it."""


Mutate = Callable[[bytes, Random, Sequence[bytes]], bytes]


@dataclass(frozen=True)
class Target:
    """A reader, and what is true of everything it accepts.

    Parameters
    ----------
    name : str
        Of its folder in the corpus too.
    read : callable
        Bytes to a value; may raise `refusals`, which are the errors documented for bytes that are not sound.
    right : callable
        Raises, whatever it is, if the value is not right for the bytes; `same` and the bounds are checked anyway.
    mutate : callable
        Next bytes from bytes, a random state and the corpus.
    refusals : tuple of types
    same : callable
        Whether two values are equal.
    """

    name: str
    read: Callable[[bytes], Any]
    right: Callable[[Any, bytes], None]
    mutate: Mutate = mutations.blind
    refusals: tuple[type[Exception], ...] = (FileError,)
    same: Callable[[Any, Any], bool] = lambda a, b: a == b

    def seeds(self) -> list[bytes]:
        """Inputs to begin with, in a fixed order."""
        return [file.read_bytes() for file in (*_files(CORPUS / self.name), *_files(FOUND / self.name))]

    def check(self, data: bytes) -> bool:
        """Read the bytes and raise what is wrong about it; True if they were accepted, False if refused."""
        try:
            value = self.read(data)
        except self.refusals as error:
            _require_message(error)
            if not is_chosen(data, 8):
                return False
            try:
                self.read(data)
            except self.refusals as again:
                if str(again) != str(error):
                    raise Finding(f"refused first by {error}, then by {again}") from again
                return False
            raise Finding("refused, and then accepted") from error
        self.right(value, data)
        if is_chosen(data, 8) and not self.same(value, self.read(data)):
            raise Finding("read twice with different results")
        return True


def _files(place: Path) -> list[Path]:
    return sorted(place.iterdir()) if place.is_dir() else []


def is_chosen(data: bytes, of: int) -> bool:
    """One input of so many is, always the same ones: for checks that take long, and seldom see what others do not."""
    return zlib.crc32(data) % of == 0


def _require_message(error: Exception) -> None:
    text = str(error)
    if not text:
        raise Finding("an error without a message") from error
    if len(text) > MOST_MESSAGE:
        raise Finding(f"a message of {len(text)} characters") from error
    if not text.isprintable():
        raise Finding("a message that is not printable") from error


@contextmanager
def limited(seconds: float = MOST_SECONDS) -> Iterator[Callable[[int], None]]:
    """Give a function that raises if the execution before it, over so many bytes, took too much memory.

    In the block an execution that takes too long raises :class:`Hang`, from when :func:`start` was called.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang(f"took longer than {seconds} s")

    before = signal.signal(signal.SIGPROF, stop)
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def require(size: int) -> None:
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) << 10
        if grown > MOST_BYTES * size + MOST_BYTES_FREE:
            raise MemoryError(f"{size} bytes took {grown}")

    try:
        yield require
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def timed(check: Callable[[bytes], bool], data: bytes, seconds: float = MOST_SECONDS) -> bool:
    """Run a check under the clock of :func:`limited`."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return check(data)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


_folders: list[str] = []


def folder() -> str:
    """Folder of this process for what is read by name, in memory where there is such a place."""
    if not _folders:
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        _folders.append(tempfile.mkdtemp(prefix="pixelgauge-fuzz-", dir=memory))
    return _folders[0]


def forget() -> None:
    """Delete that folder."""
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)


def placed(data: bytes, name: str) -> str:
    """Path of a file that holds the bytes."""
    path = os.path.join(folder(), name)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, data)
    finally:
        os.close(handle)
    return path
