"""Locks that other processes honour too: one writer a file, one converter a model; a death frees them."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

from pixelgauge.files.reading import CAREFULLY, NO_LINK
from pixelgauge.files.writing import target_of

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def try_lock(file: IO[Any]) -> bool:
    """Lock an open file for this process alone, until it is closed; False if another has it.

    On a file system that knows no locks nobody is kept out.
    """
    try:
        if sys.platform == "win32":
            # Beyond any end, so that reading and writing the file itself stays free.
            file.seek(0, os.SEEK_END)
            before = file.tell()
            file.seek(2**62)
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            finally:
                file.seek(before)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if sys.platform == "win32":
            return False
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
    return True


def open_for_one(path: str, *, follow: bool = True) -> tuple[BinaryIO, bool]:
    """Open a file to append to that no other process writes meanwhile, or create it; and say whether it was not there.

    Parameters
    ----------
    path : str
    follow : bool, default True
        Whether a link at the end of the path is followed; otherwise it is refused.

    Raises
    ------
    BlockingIOError
        If another process is writing it.
    OSError
        If it is no regular file, or cannot be opened; named by `path`.
    """
    target = target_of(path) if follow else path
    flags = os.O_RDWR | os.O_APPEND | CAREFULLY | NO_LINK
    try:
        try:
            handle, is_new = os.open(target, flags | os.O_CREAT | os.O_EXCL, 0o666), True
        except FileExistsError:
            mode = os.stat(target, follow_symlinks=follow).st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, "is a folder, and a file is to be written", target) from None
            if stat.S_ISLNK(mode):
                raise OSError(errno.ELOOP, "is a link: delete it, or name another file", target) from None
            if not stat.S_ISREG(mode):
                raise OSError(errno.EINVAL, "is no regular file: name a file", target) from None
            handle, is_new = os.open(target, flags), False
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    file = os.fdopen(handle, "rb")
    try:
        _take(file, target, path)
    except BaseException:
        file.close()
        raise
    return file, is_new


def _take(file: BinaryIO, target: str, path: str) -> None:
    """Lock a file that was opened, and that still has its name."""
    try:
        # Another run may have replaced the file and ended between our opening and our lock.
        if try_lock(file) and os.path.samestat(os.fstat(file.fileno()), os.stat(target)):
            return
    except FileNotFoundError:
        pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    raise BlockingIOError(errno.EWOULDBLOCK, "another run is writing it: wait for its end, or name another file", path)


def write_all(file: BinaryIO, data: bytes | memoryview, path: str) -> None:
    """Write bytes to a file that is open unbuffered; an error names it by `path`."""
    rest = memoryview(data)
    try:
        while rest:  # a full disk takes a part first
            rest = rest[os.write(file.fileno(), rest) :]
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of that name, an empty file that stays; wait for it as long as another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | CAREFULLY | NO_LINK, 0o666)
    with os.fdopen(handle, "r+b", buffering=0) as file:
        if sys.platform == "win32":
            while not try_lock(file):
                time.sleep(0.05)
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
