"""A zip or tar archive as a set of images, whose members are decoded from memory one by one, never unpacked."""

from __future__ import annotations

import tarfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from pixelgauge.files.archive import Archive, member_place, open_archive
from pixelgauge.files.reading import FileError, refusing, shown, size_of
from pixelgauge.images.decoding import FILE_EXTENSIONS


@dataclass(frozen=True)
class Member:
    """An image of an archive, unpacked when it is read."""

    archive: Archive
    name: str

    def read(self) -> bytes:
        """Read the member's bytes."""
        return self.archive.read(self.name)


class TarArchive:
    """A tar archive without compression: where its members lie, and their bytes when they are asked for.

    Parameters
    ----------
    file : binary file
        Seekable. Stays open, and is the caller's to close.
    path : str
        What errors call it.

    Raises
    ------
    FileError
        If it is no tar archive, or is damaged or truncated; if two members have one name, or names that lead to one
        file; if one would lie outside, or is sparse.
    """

    def __init__(self, file: BinaryIO, path: str) -> None:
        self.path, self._file = path, file
        self._lock = threading.Lock()
        self._places: dict[str, tuple[int, int]] = {}
        self.ignored: Counter[str] = Counter()
        """Links, devices and others that are no files."""
        size = size_of(file)
        file.seek(0)
        with (
            refusing(path, "is a damaged tar archive", "copy it again"),
            tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape") as archive,
        ):
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # or each takes a kilobyte
                self._add(member, size)
            self._require_end(archive.offset, size)

    def _require_end(self, offset: int, size: int) -> None:
        """Raise unless a block of zeros ends it: tarfile takes a damaged header after the first for the end."""
        self._file.seek(min(offset, size))
        if any(block := self._file.read(512)) or len(block) < 512:
            self._file.seek(max(offset - 512, 0))
            if any(self._file.read(512)) or offset < 1024:
                raise self._wrong("has no end, or a damaged header before it", "it may be truncated: copy it again")

    def _add(self, member: tarfile.TarInfo, size: int) -> None:
        name = member.name
        if member.isdir():
            return
        if not member.isreg():
            self.ignored["links and devices"] += 1
            return
        if not (place := member_place(name)) or name.startswith("/") or "\0" in name:
            raise self._wrong(f"has a member '{shown(name)}', a name of no file within the archive")
        if member.issparse():
            raise self._wrong(f"has a sparse member '{shown(name)}'")
        if place in self._places:
            raise self._wrong(f"has member '{shown(name)}' twice, or under two names")
        if member.size < 0:
            raise self._wrong(f"has a member '{shown(name)}' of {member.size} bytes")
        if member.offset_data + member.size > size:
            raise self._wrong(f"ends within member '{shown(name)}'", "it is truncated: copy it again")
        self._places[place] = member.offset_data, member.size

    @property
    def names(self) -> list[str]:
        """Of all members that are files, in the archive's order."""
        return list(self._places)

    def read(self, name: str) -> bytes:
        """All bytes of a member; from several threads at once too."""
        offset, size = self._places[name]
        with self._lock:
            self._file.seek(offset)
            data = self._file.read(size)
        if len(data) < size:
            raise self._wrong(f"ends within member '{shown(name)}'", "it was cut meanwhile")
        return data

    def _wrong(self, reason: str, remedy: str = "write or copy it again") -> FileError:
        return FileError(self.path, reason, remedy)


def is_tar(file: BinaryIO) -> bool:
    """Whether a file begins as a tar archive does; its position changes."""
    file.seek(257)
    return file.read(5) == b"ustar"


def images_among(names: Iterable[str]) -> list[str]:
    """Names of images, sorted; hidden files and folders are left out, as of folders."""
    return sorted(
        name
        for name in names
        if name.lower().endswith(FILE_EXTENSIONS)
        and not any((part.startswith(".") and part != ".") or part == "__MACOSX" for part in name.split("/"))
    )


def image_members(archive: Archive) -> list[str]:
    """Names of an archive's images, sorted; a ``FileError`` if there is none."""
    if not (members := images_among(archive.names)):
        raise FileError(archive.path, f"holds no images ({', '.join(FILE_EXTENSIONS)})")
    return members


@contextmanager
def opened_members(path: str, names: list[str]) -> Iterator[list[Member]]:
    """Members of an archive, to be read while it is open."""
    with open_archive(path, once=True) as archive:
        yield [Member(archive, name) for name in names]
