"""Archives of arrays (.npz): written the same to the byte for equal arrays, read without believing what a header says.

What is read is bounded by the bytes that are there, and whatever is wrong with them is one ``ValueError``.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np

from pixelgauge.images import Array

_MOST_INFLATION = 1100
"""Deflate makes at most 1032 bytes of one."""
_END = 22
"""Bytes of the record that ends a zip archive without a comment."""


def write_arrays(file: BinaryIO, arrays: Mapping[str, object], *, compressed: bool = False) -> None:
    """Write an .npz archive that holds no dates, so that equal arrays are equal bytes."""
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, value in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(value), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), kind)


def bytes_of(data: object, name: str, otherwise: str = "") -> bytes:
    """Bytes of an argument that holds them, of a memoryview whatever its strides.

    Raises
    ------
    TypeError
        If it is of another kind; the message says what to give, and `otherwise` what else there is.
    ValueError
        If it is a memoryview that cannot be read.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        rest = f", {otherwise}" if otherwise else ""
        raise TypeError(f"{name} is a {type(data).__name__}: give the bytes of to_bytes(){rest}")
    try:
        return bytes(data)
    except (BufferError, NotImplementedError, ValueError) as error:  # such as a released one
        raise ValueError(f"{name} is a memoryview that cannot be read: {error}") from error


def read_arrays(file: BinaryIO) -> dict[str, Array]:
    """Arrays of an .npz archive by name.

    Raises
    ------
    ValueError
        If it is no such archive, is damaged, holds anything but arrays of plain values, or two of one name.
    """
    start = file.read(2)
    if start == b"\x93N":
        raise ValueError("it holds one array, not an archive")
    if start != b"PK":
        raise ValueError(f"it begins with {start!r} and is no archive")
    try:
        with zipfile.ZipFile(file) as archive:
            _require_all_members(file, len(archive.infolist()))
            arrays: dict[str, Array] = {}
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                if name == member.filename or name in arrays:
                    raise ValueError(f"its member {member.filename[:80]!r} is no array, or there twice")
                if member.file_size > _MOST_INFLATION * (member.compress_size + 1):
                    raise ValueError(f"its member {name[:80]!r} claims {member.file_size} bytes")
                arrays[name] = _array_of(archive.read(member), name)
            return arrays
    except ValueError:
        raise
    except Exception as error:  # zipfile and zlib meet damage with a dozen kinds of exceptions
        raise ValueError(f"{type(error).__name__}: {str(error)[:200]}") from error


def _require_all_members(file: BinaryIO, found: int) -> None:
    """Raise if the end of the archive tells of another number of members: damage may hide some from zipfile."""
    file.seek(-_END, io.SEEK_END)
    end = file.read(_END)
    told = int.from_bytes(end[10:12], "little")
    if end.startswith(b"PK\x05\x06") and told != found:
        raise ValueError(f"it tells of {told} members, and {found} are found")


def _array_of(data: bytes, name: str) -> Array:
    """Array of a .npy file's bytes, all of which it must take."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = read(stream)
    except Exception as error:  # a header is parsed as Python's source
        raise ValueError(f"its member {name[:80]!r} is no array: {str(error)[:200]}") from error
    if dtype.hasobject:
        raise ValueError(f"its member {name[:80]!r} has dtype {dtype}, which is never read")
    if any(isinstance(n, bool) or n < 0 for n in shape):
        raise ValueError(f"its member {name[:80]!r} says its shape is {shape}")
    left = data[stream.tell() :]
    size = math.prod(shape)
    if dtype.itemsize == 0 or size * dtype.itemsize != len(left):
        raise ValueError(
            f"its member {name[:80]!r} says {shape} of {dtype}, and holds {len(left)} bytes: it may be truncated"
        )
    return np.frombuffer(left, dtype).reshape(shape, order="F" if fortran_order else "C")
