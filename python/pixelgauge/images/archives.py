"""A zip archive as a set of images, whose members are decoded from memory one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pixelgauge.files.archive import Archive, open_archive
from pixelgauge.files.reading import FileError
from pixelgauge.images.decoding import FILE_EXTENSIONS


@dataclass(frozen=True)
class Member:
    """An image of an archive, unpacked when it is read."""

    archive: Archive
    name: str

    def read(self) -> bytes:
        """Read the member's bytes."""
        return self.archive.read(self.name)


def image_members(archive: Archive) -> list[str]:
    """Names of an archive's images, sorted; a ``FileError`` if there is none."""
    members = sorted(
        name
        for name in archive.names
        if name.lower().endswith(FILE_EXTENSIONS)
        and not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))
    )
    if not members:
        raise FileError(archive.path, f"holds no images ({', '.join(FILE_EXTENSIONS)})")
    return members


@contextmanager
def opened_members(path: str, names: list[str]) -> Iterator[list[Member]]:
    """Members of an archive, to be read while it is open."""
    with open_archive(path, once=True) as archive:
        yield [Member(archive, name) for name in names]
