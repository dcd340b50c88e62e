"""Locks that other processes honour too: one writer a file, one converter a model; a death frees them."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pixelgauge.files.reading import CAREFULLY, NO_LINK

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
