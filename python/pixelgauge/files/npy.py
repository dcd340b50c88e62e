"""Arrays in NumPy's .npy format: the header is matched, never evaluated, and believed as far as there are bytes."""

from __future__ import annotations

import io
import math
import os
import re
import sys
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pixelgauge.files.reading import FileError, cause, open_regular, shown, size_of

Array = npt.NDArray[Any]

_MAGIC = b"\x93NUMPY"
_MOST_HEADER = 1 << 16
"""Bytes; that of a plain array has 118."""
_MOST_DIMENSIONS = 32
_SPACES = " \t\n\r\f"
"""What Python's own parser, which NumPy uses, passes over; the pattern gives none back, so it is linear."""
_FIELD = re.compile(
    r"""S*(?P<quote>['"])(?P<key>descr|fortran_order|shape)(?P=quote)S*:S*
    (?:(?P<mark>['"])(?P<descr>[<>|=]?[A-Za-z?][0-9]{0,9}(?:\[[0-9]{0,9}[A-Za-z]{1,10}\])?)(?P=mark)
    |(?P<order>True|False)
    |\(S*(?P<shape>(?:N(?:S*,S*N)+(?:S*,)?|NS*,)?)S*\))
    S*(?P<end>,|(?=\}))""".replace("S*", f"[{_SPACES}]*+").replace("N", "(?:0|[1-9][0-9]{0,18})L?"),
    re.VERBOSE,
)
_RECORDS = re.compile(rb"""['"]descr['"]\s*:\s*\[""")
_KINDS = {"descr": "descr", "fortran_order": "order", "shape": "shape"}


@dataclass(frozen=True)
class Header:
    """What a .npy file says it holds, and where that begins."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    offset: int

    @property
    def size(self) -> int:
        """Values."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Of all values."""
        return self.size * self.dtype.itemsize


def read_header(file: BinaryIO, path: str, kind: type[FileError] = FileError) -> Header:
    """Header of a .npy file whose position is at its start; afterwards it is at the first value.

    Raises
    ------
    FileError
        If it is none, or is of Python objects, of records, or of values without a size.
    """
    start = file.read(8)
    if start[:6] == _MAGIC and len(start) < 8:
        raise kind(path, "ends within its .npy header", "it is truncated: copy it again")
    if start[:6] != _MAGIC:
        raise kind(path, f"is no .npy array: it begins with {start!r}", "write it with numpy.save")
    if start[6] not in (1, 2, 3) or start[7] != 0:
        raise kind(path, f"is a .npy array of format {start[6]}.{start[7]}, and 1.0, 2.0 and 3.0 are known")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    if length > _MOST_HEADER:
        raise kind(path, f"has a .npy header of {length} bytes, and at most {_MOST_HEADER} are read")
    data = file.read(length)
    if len(data) < length:
        raise kind(path, "ends within its .npy header", "it is truncated: copy it again")
    fields = _fields(data.decode("latin-1"))
    if fields is None:
        if _RECORDS.search(data):
            raise kind(path, "holds records of several values", "save an array of numbers")
        raise kind(path, f"has a damaged .npy header: {shown(data.decode('latin-1'))}", "write it with numpy.save")
    descr, order, shape = fields
    sizes = tuple(int(n.strip().removesuffix("L")) for n in shape.split(",") if n.strip())
    if descr.lstrip("<>|=").startswith("O"):
        raise kind(path, "holds Python objects, which are never read", "save numbers")
    try:
        dtype = np.dtype(descr)
    except Exception as error:  # NumPy parses it, and meets nonsense with several kinds
        raise kind(path, f"has a .npy header of dtype '{shown(descr)}': {cause(error)}") from error
    if dtype.hasobject or dtype.itemsize == 0:
        raise kind(path, f"has a .npy header of dtype {dtype}", "save numbers")
    if len(sizes) > _MOST_DIMENSIONS or any(n >= 2**63 for n in sizes):
        raise kind(path, f"has a .npy header of shape {shown(shape)}, which no array has")
    if math.prod(sizes) * dtype.itemsize >= 2**63:
        raise kind(path, f"has a .npy header of shape {shown(shape)} of {dtype}, which no file holds")
    return Header(sizes, order == "True", dtype, 8 + width + length)


def _fields(text: str) -> tuple[str, str, str] | None:
    """Type, order and shape of a header, each there once, or None: nothing else may stand in it."""
    text = text.removesuffix("\n").rstrip(" ")  # as every writer fills it up
    found: dict[str, str] = {}
    position = 1
    if not (text.startswith("{") and text.endswith("}")):
        return None
    while match := _FIELD.match(text, position):
        value = match[_KINDS[match["key"]]]
        if value is None or match["key"] in found:
            return None
        found[match["key"]] = value
        position = match.end()
    if len(found) < 3 or text[position:].strip(_SPACES) != "}":
        return None
    return found["descr"], found["fortran_order"], found["shape"]


def parse_npy(file: BinaryIO, size: int, path: str, kind: type[FileError] = FileError) -> Array:
    """Array of a .npy file of `size` bytes, all of which it must take.

    Raises
    ------
    FileError
        If its header is not sound, or tells of another number of bytes.
    """
    header = read_header(file, path, kind)
    _require_bytes(header, size - header.offset, path, kind, exactly=True)
    data = file.read(header.bytes)
    if len(data) < header.bytes:
        raise kind(path, f"ends after {len(data)} of {header.bytes} bytes", "it is truncated: copy it again")
    return _shaped(np.frombuffer(data, header.dtype), header, path, kind)


def _shaped(values: Array, header: Header, path: str, kind: type[FileError]) -> Array:
    """Values of a header in its shape; text only of characters that there are, since Python has no others."""
    if values.dtype.kind == "U" and values.size:
        characters = values.view(np.dtype(np.uint32).newbyteorder(values.dtype.byteorder))
        if (largest := int(characters.max())) > sys.maxunicode:
            raise kind(path, f"holds the character {largest:#x}, which there is not", "write it again")
    return values.reshape(header.shape, order="F" if header.fortran_order else "C")


def view_npy(data: bytes | memoryview, path: str, kind: type[FileError] = FileError) -> Array:
    """Array of a .npy file that is in memory: a view of its bytes, all of which it must take.

    Raises
    ------
    FileError
        As :func:`parse_npy`.
    """
    header = read_header(io.BytesIO(data[: _MOST_HEADER + 12]), path, kind)
    _require_bytes(header, len(data) - header.offset, path, kind, exactly=True)
    return _shaped(np.frombuffer(data, header.dtype, header.size, header.offset), header, path, kind)


def read_npy(path: str | os.PathLike[str], kind: type[FileError] = FileError) -> Array:
    """Array of a .npy file.

    Raises
    ------
    FileError
        If it is none, is damaged or truncated, or holds anything but plain values.
    OSError
        If it cannot be opened.
    """
    name = os.fsdecode(path)
    with open_regular(name, kind) as file:
        return parse_npy(file, size_of(file), name, kind)


def map_npy(
    path: str | os.PathLike[str], kind: type[FileError] = FileError, *, exactly: bool = False
) -> tuple[Header, Array]:
    """Header and array of a .npy file, mapped, not read; the array can only be read.

    Parameters
    ----------
    path : path
    kind : type
        Of the errors raised.
    exactly : bool, default False
        Whether it must take all bytes of the file, as for :func:`read_npy`.

    Raises
    ------
    FileError
        As :func:`read_npy`; and if it holds no value, since nothing cannot be mapped.
    OSError
        If it cannot be opened.
    """
    name = os.fsdecode(path)
    with open_regular(name, kind) as file:
        header = read_header(file, name, kind)
        _require_bytes(header, size_of(file) - header.offset, name, kind, exactly=exactly)
        if header.bytes == 0:
            raise kind(name, f"holds no value: its shape is {header.shape}")
        order = "F" if header.fortran_order else "C"
        return header, np.memmap(file, header.dtype, "r", header.offset, header.shape, order)  # type: ignore[call-overload]


def _require_bytes(header: Header, left: int, path: str, kind: type[FileError], *, exactly: bool) -> None:
    if left < header.bytes or (exactly and left > header.bytes):
        raise kind(
            path,
            f"says {shown(header.shape)} of {header.dtype}, which is {header.bytes} bytes, and holds {left}",
            "it may be truncated: write it again",
        )
