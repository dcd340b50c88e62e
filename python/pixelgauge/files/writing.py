"""Files and folders that appear whole or not at all: exclusive temporary names beside them, and one rename at the end.

A temporary name is drawn at random and created exclusively, in the destination's own folder, so that nobody's link is
followed and no other run's file is taken. What a kill leaves behind begins with ``.pixelgauge-`` and is swept later.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from pixelgauge.files.reading import FileError, open_regular

PREFIX = ".pixelgauge-"
_LEFT_BEHIND = re.compile(re.escape(PREFIX) + r"(tmp|old)-[a-z0-9_]{8}")
_OLD_SECONDS = 24 * 3600
"""Temporary things that nobody touched for so long are of a process that died."""


def target_of(path: str | os.PathLike[str]) -> str:
    """Where a file of that name will lie: links are followed, once, so that the rename replaces what they lead to."""
    name = os.fsdecode(path)
    try:
        return os.path.realpath(name)
    except OSError as error:  # the working folder is gone
        raise OSError(error.errno, error.strerror, name) from error


def require_writable(
    path: str | os.PathLike[str], *, overwrite: bool, inputs: Iterable[str | os.PathLike[str]] = ()
) -> None:
    """Raise unless a file can be put there, before any work is done for it.

    Parameters
    ----------
    path : path
    overwrite : bool
        Whether a file that is there may be replaced.
    inputs : iterable of paths
        Files that are being read: none of them is ever replaced.

    Raises
    ------
    FileExistsError
        If there is a file, and it may not be replaced.
    OSError
        If it is a folder, a device or an input, its folder is not there, or may not be written.
    """
    name = os.fsdecode(path)
    target = target_of(name)
    try:
        found = os.stat(target)
    except FileNotFoundError:
        found = None
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from error
    if found is not None:
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, "is a folder, and a file is to be written", name)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "is no regular file: name a file", name)
        if any(_is(found, read) for read in inputs):
            raise FileExistsError(errno.EEXIST, "is read by this very command: name another file", name)
        if not overwrite:
            raise FileExistsError(errno.EEXIST, "exists", name)
    try:
        handle, temporary = tempfile.mkstemp(prefix=f"{PREFIX}tmp-", dir=os.path.dirname(target))
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from error
    os.close(handle)
    os.remove(temporary)


def require_replaceable(path: str, mark: bytes, kind: str, inputs: Iterable[str] = ()) -> None:
    """Raise unless a file can be put there: where nothing is, or in the place of another of its kind.

    Parameters
    ----------
    path : str
    mark : bytes
        What stands within the first 4096 bytes of all that are of this kind.
    kind : str
        What they are called, ``a JUnit report`` without its article.
    inputs : iterable of str
        Files that are being read.

    Raises
    ------
    FileError
        If there is a file of another kind.
    OSError
        As :func:`require_writable`.
    """
    require_writable(path, overwrite=True, inputs=inputs)
    try:
        with open_regular(path) as file:
            start = file.read(4096)
    except FileNotFoundError:
        return
    if start and mark not in start:
        raise FileError(path, f"exists and is no {kind}", "name another file, or delete it")


def _is(found: os.stat_result, path: str | os.PathLike[str]) -> bool:
    """Whether a path leads to that very file."""
    try:
        return os.path.samestat(found, os.stat(path))
    except OSError:
        return False


@contextlib.contextmanager
def replacing(
    path: str | os.PathLike[str], *, overwrite: bool = True, follow: bool = True, keep_open: bool = False
) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name once it is whole; an error leaves what was there.

    Parameters
    ----------
    path : path
    overwrite : bool, default True
        Whether a file that is there is replaced.
    follow : bool, default True
        Whether a link at the end of the path is followed; otherwise it is the link that is replaced.
    keep_open : bool, default False
        Leave the file open once it has its name, for the caller to go on with and to close; its locks stay.

    Raises
    ------
    FileExistsError
        If there is a file at the end, and it may not be replaced.
    OSError
        If it cannot be written; named by `path`, not by the temporary name.
    """
    name = os.fsdecode(path)
    folder, last = os.path.split(os.path.abspath(name))
    target = target_of(name) if follow else os.path.join(os.path.realpath(folder), last)
    temporary = file = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f"{PREFIX}tmp-", dir=os.path.dirname(target))
        file = os.fdopen(handle, "wb")
        yield file
        file.flush()
        os.fsync(file.fileno())
        if not keep_open:
            file.close()
        os.chmod(temporary, _mode_for(target))
        if overwrite:
            os.replace(temporary, target)
        else:
            place_new(temporary, target)
        temporary = None
    except OSError as error:
        if not _is_of(error, target):
            raise
        raise _same_kind(error, name) from error
    finally:
        if temporary is not None:
            if file is not None:
                with contextlib.suppress(OSError):  # what a full disk did not take is written once more
                    file.close()
            with contextlib.suppress(OSError):
                os.remove(temporary)


def place_new(temporary: str, target: str) -> None:
    """Give a file its name if nothing has it."""
    try:
        os.link(temporary, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # a file system without hard links
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))  # the name is ours from here on
        os.replace(temporary, target)
    else:
        os.remove(temporary)


def _is_of(error: OSError, target: str) -> bool:
    """Whether an error is of what is being written, or of a temporary thing beside it, and not of another file."""
    if not isinstance(error.filename, str):
        return True
    name, target = os.path.abspath(error.filename), os.path.abspath(target)
    return name == target or name.startswith(os.path.join(os.path.dirname(target), PREFIX))


def _same_kind(error: OSError, name: str) -> OSError:
    return OSError(error.errno, error.strerror or str(error), name)  # becomes the subclass of its number


def _mode_for(target: str) -> int:
    """Permissions of the file that is replaced, or those that a new file gets."""
    with contextlib.suppress(OSError):
        found = os.lstat(target)
        if stat.S_ISREG(found.st_mode):
            return stat.S_IMODE(found.st_mode)
    return 0o666 & ~_umask()


def _umask() -> int:
    before = os.umask(0o022)
    os.umask(before)
    return before


@contextlib.contextmanager
def new_folder(path: Path, *, overwrite: bool = True, mode: int = 0o777) -> Iterator[Path]:
    """Hand out an empty folder to fill, which then stands at `path` by one rename, with `mode` less the umask.

    One that is there is exchanged for the new one in one rename where the system can (Linux, on most file systems).
    Elsewhere it is first moved aside; a kill between the two renames leaves it under ``.pixelgauge-old-...``, from
    where :func:`recover_folder` brings it back.

    Raises
    ------
    FileExistsError
        If it exists, and may not be replaced.
    OSError
        If it cannot be written; named by `path`.
    """
    staging = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        staging = Path(tempfile.mkdtemp(prefix=f"{PREFIX}tmp-", dir=path.parent))
        yield staging
        for file in staging.rglob("*"):
            if file.is_file():
                _sync(file)
        staging.chmod(mode & ~_umask())
        if not overwrite and os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "exists: name a new folder", str(path))
        if not os.path.lexists(path):
            os.replace(staging, path)
            staging = None
        elif not _exchanged(staging, path):  # if it was, what stood there is the folder to delete
            with _moved_aside(path):
                os.replace(staging, path)
            staging = None
    except OSError as error:  # in the name that the caller knows
        if staging is not None and not _is_of(error, str(path)):
            raise
        raise _same_kind(error, str(path)) from error
    finally:
        if staging is not None:
            _discard(staging)


def _discard(path: Path) -> None:
    """Delete a folder, or the file or link that stood where one was to be, as far as that can be."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _exchanged(first: Path, second: Path) -> bool:
    """Exchange two folders in one step; False where the system or the file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    at_cwd, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of linux/fs.h
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # a C library that lacks it, such as glibc before 2.28
        return False
    return bool(rename(at_cwd, os.fsencode(first), at_cwd, os.fsencode(second), exchange) == 0)


@contextlib.contextmanager
def _moved_aside(path: Path) -> Iterator[None]:
    old = Path(tempfile.mkdtemp(prefix=f"{PREFIX}old-", dir=path.parent))
    os.replace(path, old / path.name)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            os.replace(old / path.name, path)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def recover_folder(path: Path) -> None:
    """Bring back a folder that a killed replacement had moved aside, if nothing stands in its place."""
    if (aside := moved_aside(path)) is not None:
        with contextlib.suppress(OSError):
            os.replace(aside, path)
            shutil.rmtree(aside.parent, ignore_errors=True)


def moved_aside(path: Path) -> Path | None:
    """Where a killed replacement left a folder of which nothing stands in its place, None if there is none."""
    if path.exists() or not path.parent.is_dir():
        return None
    return next(
        (old / path.name for old in sorted(path.parent.glob(f"{PREFIX}old-*")) if (old / path.name).is_dir()), None
    )


def remove_folder(path: Path) -> None:
    """Take a folder away by one rename, then delete it.

    Raises
    ------
    OSError
        If it cannot be taken away, or not all of it be deleted; named by `path`.
    """
    old = None
    try:
        old = Path(tempfile.mkdtemp(prefix=f"{PREFIX}old-", dir=path.parent))
        os.replace(path, old / f"removed-{path.name}")  # a name that nothing brings back
        shutil.rmtree(old)
    except OSError as error:
        if old is not None:
            _discard(old)
        raise _same_kind(error, str(path)) from error


def sweep(folder: Path) -> None:
    """Delete temporary files and folders that a process left a day ago or longer; what cannot be deleted stays."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            if not _LEFT_BEHIND.fullmatch(entry.name):
                continue
            with contextlib.suppress(OSError):
                if time.time() - entry.stat(follow_symlinks=False).st_mtime < _OLD_SECONDS:
                    continue
                _discard(Path(entry.path))


def _sync(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
