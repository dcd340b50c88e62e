"""Zip archives, and .npz archives of arrays: members are checked before one is read, and expand within bounds.

Equal arrays are written as equal bytes.
"""

from __future__ import annotations

import io
import mmap
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np

from pixelgauge.files.npy import Array, view_npy
from pixelgauge.files.reading import (
    EXPANSION,
    EXPANSION_FREE,
    FileError,
    cause,
    open_regular,
    refusing,
    shown,
    size_of,
)

_END, _END_MARK = 22, b"PK\x05\x06"
_MOST_COMMENT = 1 << 16
_LOCAL_HEADER, _LOCAL_MARK = 30, b"PK\x03\x04"
"""Least bytes before a member's data."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Archive:
    """A zip archive whose members have been checked.

    Parameters
    ----------
    file : binary file
        Seekable. Stays open, and is the caller's to close.
    path : str
        What errors call it.
    kind : type
        Of the errors raised.
    once : bool, default False
        Whether members are read one by one and let go, so that the bound on what they expand to is of each alone.

    Raises
    ------
    FileError
        If it is no zip archive, or is damaged; if two members have one name, or names that lead to one file; if a
        member is encrypted, compressed by another method than deflate or overlaps another; if they claim more than 10
        times the archive's bytes plus 64 MiB.
    """

    def __init__(self, file: BinaryIO, path: str, kind: type[FileError] = FileError, *, once: bool = False) -> None:
        self.path, self._kind = path, kind
        self._size = size_of(file)
        file.seek(0)
        if (start := file.read(4))[:2] != b"PK":
            raise kind(
                path, f"is no zip archive: it begins with {start!r}", "it may be truncated or another kind of file"
            )
        self._require_one_end(file)
        with refusing(path, "is a damaged zip archive", "copy it again", kind):
            self._zip = zipfile.ZipFile(file)
            members = self._zip.infolist()
        self._require_sound(members, once)
        self.names = [member.filename for member in members if not member.is_dir()]
        """Of all members but folders, in the archive's order."""

    def _require_one_end(self, file: BinaryIO) -> None:
        """Raise if the end tells of another number of members than there are: damage may hide some from zipfile."""
        file.seek(max(0, self._size - _END - _MOST_COMMENT))
        tail = file.read()
        found = tail.rfind(_END_MARK)
        if found < 0:
            raise self._kind(self.path, "has no end of a zip archive", "it is truncated: copy it again")
        self._told = int.from_bytes(tail[found + 10 : found + 12], "little")

    def _require_sound(self, members: list[zipfile.ZipInfo], once: bool) -> None:
        if self._told not in (len(members), len(members) & 0xFFFF, 0xFFFF):  # beyond 65534 zip64 counts
            raise self._wrong(f"tells of {self._told} members, and {len(members)} are found")
        most = EXPANSION * self._size + EXPANSION_FREE
        seen: set[str] = set()
        total = 0
        for member in members:
            name = member.filename
            # zipfile ends a name at a null character, and keeps all of it beside
            if "\0" in member.orig_filename or not (place := member_place(name)):
                raise self._wrong(f"has a member '{shown(name)}', a name of no file within the archive")
            if place in seen:
                raise self._wrong(f"has member '{shown(name)}' twice, or under two names")
            seen.add(place)
            if member.flag_bits & 1:
                raise self._wrong(f"has an encrypted member '{shown(name)}'", "decrypt it first")
            if member.compress_type not in _METHODS:
                raise self._wrong(
                    f"has member '{shown(name)}' compressed by method {member.compress_type}", "store or deflate it"
                )
            if member.compress_type == zipfile.ZIP_STORED and member.file_size != member.compress_size:
                raise self._wrong(f"has member '{shown(name)}' of two sizes")
            total = max(total, member.file_size) if once else total + member.file_size
            if total > most:
                raise self._wrong(
                    f"of {self._size} bytes claims to hold {total}, and at most {EXPANSION} times its bytes and "
                    f"{EXPANSION_FREE >> 20} MiB are read",
                    "save it without compression, or in parts",
                )
        end = 0
        for member in sorted(members, key=lambda member: member.header_offset):
            if member.header_offset < end:
                raise self._wrong(f"has member '{shown(member.filename)}' within another")
            end = member.header_offset + _LOCAL_HEADER + member.compress_size
        if end > self._size:
            raise self._wrong("says its members are larger than it is")

    def _wrong(self, reason: str, remedy: str = "write or copy it again") -> FileError:
        return self._kind(self.path, reason, remedy)

    def size(self, name: str) -> int:
        """Bytes that a member claims."""
        return self._zip.getinfo(name).file_size

    def is_stored(self, name: str) -> bool:
        """Whether a member is not compressed."""
        return self._zip.getinfo(name).compress_type == zipfile.ZIP_STORED

    def read(self, name: str) -> bytes:
        """All bytes of a member, whose checksum is right; from several threads at once too.

        Raises
        ------
        FileError
            If it is not there or damaged.
        """
        if name not in self._zip.NameToInfo:
            raise self._wrong(f"has no member '{shown(name)}'")
        with refusing(self.path, f"has a damaged member '{shown(name)}'", "copy it again", self._kind):
            claimed = self.size(name)
            with self._zip.open(name) as member:
                # One byte more: zipfile compares the checksum when it meets the end, and claims may be too small.
                data = member.read(claimed + 1)
            if len(data) != claimed:
                raise ValueError(f"it claims {claimed} bytes and holds {len(data)}")
            return data

    def view(self, name: str, data: bytes | mmap.mmap) -> memoryview:
        """Bytes of a member within `data`, all bytes of the archive: copied only if it is compressed.

        Raises
        ------
        FileError
            As :meth:`read`.
        """
        if name not in self._zip.NameToInfo or not self.is_stored(name):
            return memoryview(self.read(name))
        member = self._zip.getinfo(name)
        with refusing(self.path, f"has a damaged member '{shown(name)}'", "copy it again", self._kind):
            start = member.header_offset + _LOCAL_HEADER
            header = data[member.header_offset : start]
            named, extra = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
            told = data[start : start + named].decode("utf-8" if member.flag_bits & 0x800 else "cp437")
            if header[:4] != _LOCAL_MARK or told != member.orig_filename:
                raise ValueError(f"its own header says it is '{shown(told)}'")
            start += named + extra
            found = memoryview(data)[start : start + member.file_size]
            if len(found) < member.file_size or zlib.crc32(found) != member.CRC:
                raise ValueError("its CRC-32 is wrong")
            return found


def member_place(name: str) -> str | None:
    """Where a member would lie if it was unpacked, None if that is outside; two names of one place are one member."""
    parts: list[str] = []
    for part in name.replace("\\", "/").split("/"):
        if part == "..":
            return None
        if part not in ("", "."):
            parts.append(part)
    return "/".join(parts) + ("/" if name.endswith("/") else "")


@contextmanager
def open_archive(
    path: str | os.PathLike[str], kind: type[FileError] = FileError, *, once: bool = False
) -> Iterator[Archive]:
    """Open a zip archive; see :class:`Archive`.

    Raises
    ------
    FileError
        As :class:`Archive`.
    OSError
        If it cannot be opened.
    """
    name = os.fsdecode(path)
    with open_regular(name, kind) as file:
        yield Archive(file, name, kind, once=once)


def read_arrays(file: BinaryIO, path: str, kind: type[FileError] = FileError) -> dict[str, Array]:
    """Arrays of an .npz archive by name.

    Raises
    ------
    FileError
        If it is no such archive, is damaged, holds anything but arrays of plain values, or two of one name.
    """
    file.seek(0)
    if file.read(6) == b"\x93NUMPY":
        raise kind(path, "holds one array, and is no .npz archive of several", "write it with numpy.savez")
    archive = Archive(file, path, kind)
    return {name.removesuffix(".npy"): read_array(archive, name, kind) for name in archive.names}


def read_array(
    archive: Archive, name: str, kind: type[FileError] = FileError, *, whole: bytes | mmap.mmap | None = None
) -> Array:
    """Array of one member ``NAME.npy`` of an archive; `whole`, the archive's bytes, saves a copy of what is stored.

    Raises
    ------
    FileError
        If it is none, is damaged, or holds anything but plain values.
    """
    if not name.endswith(".npy"):
        raise kind(archive.path, f"has member '{shown(name)}', which is no array")
    data = archive.read(name) if whole is None else archive.view(name, whole)
    try:
        return view_npy(data, name, kind)
    except FileError as error:
        reason = f"has a member '{shown(name.removesuffix('.npy'))}' that {error.reason}"
        raise kind(archive.path, reason, error.remedy) from error


def read_sole_array(archive: Archive, needed: str) -> Array:
    """Array ``arr_0`` of an archive, or the only one that it has.

    Raises
    ------
    FileError
        If there are none, or several of other names, with `needed` as the remedy; or as :func:`read_array`.
    """
    arrays = [name for name in archive.names if name.endswith(".npy")]
    if "arr_0.npy" not in arrays and len(arrays) != 1:
        raise FileError(archive.path, f"holds {', '.join(arrays) or 'nothing'}", needed)
    return read_array(archive, "arr_0.npy" if "arr_0.npy" in arrays else arrays[0])


def write_arrays(file: BinaryIO, arrays: Mapping[str, object], *, compressed: bool = False) -> None:
    """Write an .npz archive that holds no dates, so that equal arrays are equal bytes."""
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, value in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(value), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), method)


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
        raise ValueError(f"{name} is a memoryview that cannot be read: {cause(error)}") from error
