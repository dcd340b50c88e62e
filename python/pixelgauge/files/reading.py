"""Strangers' bytes: regular files only, memory bounded by their size, one kind of error for all that is wrong.

The rule, which `docs/reference/files.md` states for users: a reader never holds more than ten times a file's bytes plus
64 MiB, never does work that is not linear in them, and never repeats more than a line of them in a message.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import stat
from collections.abc import Iterator
from typing import Any, BinaryIO

MOST_MESSAGE = 2000
"""Characters of an error's message."""
MOST_SHOWN = 200
"""Characters of a file's own text, or of a foreign error's, within a message."""
EXPANSION, EXPANSION_FREE = 10, 64 << 20
"""What compressed data may grow to: so many times the file's bytes, and so many bytes more."""
MOST_LEVELS = 100
"""Of arrays and objects within one another in JSON: Python's own limit depends on who calls."""
MOST_JSON = 2 << 20
"""Bytes of one JSON document: its objects take up to thirty times as many."""


class FileError(ValueError):
    """A file that is damaged, hostile or of another kind than was asked for.

    Every reader of this package raises it, or a subclass, whatever a file's bytes lead to; the error that they led to,
    if there was one, is its ``__cause__``. A file that cannot be opened at all is an ``OSError``.

    Parameters
    ----------
    path : str
        The file, as it was named by the caller.
    reason : str
        What is wrong with it.
    remedy : str, optional
        What to do.

    Attributes
    ----------
    path, reason, remedy : str
        As given. The message, ``path: reason: remedy``, is cut to 2000 characters, its control characters are escaped.

    Examples
    --------
    >>> try:
    ...     raise FileError("stats.npz", "is truncated", "copy it again")
    ... except FileError as error:
    ...     print(error, "|", error.reason)
    stats.npz: is truncated: copy it again | is truncated
    """

    def __init__(self, path: str, reason: str, remedy: str = "") -> None:
        self.path, self.reason, self.remedy = path, reason, remedy
        name = shown(path, MOST_MESSAGE // 4)
        rest = f": {shown(remedy, MOST_MESSAGE // 4)}" if remedy else ""
        super().__init__(f"{name}: {shown(reason, MOST_MESSAGE - len(name) - len(rest) - 2)}{rest}")

    def __reduce__(self) -> tuple[type[FileError], tuple[str, str, str]]:
        return type(self), (self.path, self.reason, self.remedy)


def printable(text: str) -> str:
    """Escape what a line of text may not hold: control characters, line ends and undecodable bytes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)


def shown(value: object, most: int = MOST_SHOWN) -> str:
    """Text for a message: printable, and cut in the middle to at most `most` characters."""
    text = value if isinstance(value, str) else str(value)
    return cut(printable(text if len(text) <= 2 * most else f"{text[:most]}{text[-most:]}"), most)


def cut(text: str, most: int = MOST_MESSAGE) -> str:
    """Leave out the middle of a text of more than `most` characters."""
    if len(text) <= most:
        return text
    tail = (most - 5) // 3
    return f"{text[: most - 5 - tail]} ... {text[len(text) - tail :]}"


def cause(error: BaseException) -> str:
    """Say what a foreign error says, within a message: its text, or its kind where it has none."""
    text = getattr(error, "strerror", None) or str(error)
    text = text.partition("; use sys.")[0]  # what Python advises its programmers on long integers
    return shown(text) if text else type(error).__name__


@contextlib.contextmanager
def refusing(
    path: str, what: str, remedy: str = "it may be truncated or damaged", kind: type[FileError] = FileError
) -> Iterator[None]:
    """Turn whatever reading a file leads to into one `kind` of error: ``path: what (the foreign error): remedy``.

    An error of the family passes, as do ``ImportError``, for what is missing is not the file, and an ``OSError`` that
    names a file.
    """
    try:
        yield
    except (FileError, ImportError):
        raise
    except OSError as error:
        if error.filename is not None:
            raise
        raise kind(path, f"{what} ({cause(error)})", remedy) from error
    except Exception as error:
        # Readers meet damage with a dozen kinds: RecursionError, OverflowError, MemoryError, SyntaxError, KeyError ...
        raise kind(path, f"{what} ({cause(error)})", remedy) from error


CAREFULLY = 0
"""Flags to open a file with, of those that the system has: no pipe is waited for, no terminal taken, nothing inherited
by other programs, no byte changed."""
for _flag in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"):
    CAREFULLY |= getattr(os, _flag, 0)
NO_LINK = getattr(os, "O_NOFOLLOW", 0)
"""Flag that refuses a link instead of writing where it leads."""


def open_regular(path: str | os.PathLike[str], kind: type[FileError] = FileError) -> BinaryIO:
    """Open a regular file to read its bytes, without waiting for whoever writes to a pipe of that name.

    Raises
    ------
    FileError
        If it is a pipe, a device or a socket, or its name holds a null character.
    OSError
        If it is not there, is a folder, or may not be read.
    """
    name = os.fsdecode(path)
    try:
        handle = os.open(name, os.O_RDONLY | CAREFULLY)
    except ValueError as error:
        raise kind(name, str(error), "name another file") from error
    except OSError as error:  # of a socket, among others
        with contextlib.suppress(OSError):
            _require_regular(os.stat(name).st_mode, name, kind)
        raise error
    try:
        _require_regular(os.fstat(handle).st_mode, name, kind)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _require_regular(mode: int, name: str, kind: type[FileError]) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = {
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(21, "is a folder, and a file is wanted", name)
    what = kinds.get(stat.S_IFMT(mode), "no regular file")
    raise kind(name, f"is {what}", "only regular files are read; save its content as one")


def size_of(file: BinaryIO) -> int:
    """Bytes of an open file; its position stays."""
    before = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(before)
    return end


def read_regular(path: str | os.PathLike[str], most: int | None = None, kind: type[FileError] = FileError) -> bytes:
    """All bytes of a regular file, of at most `most`.

    Raises
    ------
    FileError
        If it is no regular file, or larger.
    OSError
        If it cannot be opened or read.
    """
    name = os.fsdecode(path)
    with open_regular(name, kind) as file:
        size = size_of(file)
        if most is not None and size > most:
            raise kind(name, f"has {size} bytes, more than the {most} that such a file may have")
        try:
            return file.read(size)  # not one more: room for what is asked is made before it is there
        except OSError as error:
            raise OSError(error.errno, error.strerror, name) from error
        except (MemoryError, OverflowError) as error:
            raise kind(name, f"has {size} bytes, more than there is memory for") from error


def parse_json(data: bytes | str, path: str, what: str = "is not JSON", kind: type[FileError] = FileError) -> Any:
    """Value of one JSON document of at most 2 MiB; of two equal keys the file is refused, as are NaN and infinities.

    Raises
    ------
    FileError
        If it is none, or larger.
    """
    if len(data) > MOST_JSON:
        raise kind(path, f"{what}: it has {len(data)} bytes, and at most {MOST_JSON} are read")
    with refusing(path, what, kind=kind):
        text = data if isinstance(data, str) else data.decode(json.detect_encoding(data))
        require_levels(text)
        return _JSON.decode(text)


_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?+|[\[{]|[\]}]', re.DOTALL)


def require_levels(text: str) -> None:
    """Raise a ``ValueError`` if JSON nests more than 100 levels deep."""
    if text.count("[") + text.count("{") <= MOST_LEVELS:
        return
    level = 0
    for match in _BRACKET.finditer(text):
        mark = match[0]
        level += (mark in "[{") - (mark in "]}")
        if level > MOST_LEVELS:
            raise ValueError(f"it nests more than {MOST_LEVELS} levels deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"key '{shown(name)}' is there twice")
            seen.add(name)
    return found


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON value")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{shown(text)} is beyond float64")
    return value


_JSON = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite)
