"""Zip and tar archives of images: members are those that Python's modules see, each once, with the bytes that they read."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import Any

from pixelgauge.files.archive import member_place, open_archive

from .. import formats, readers
from ..target import Target, placed


def _read(data: bytes) -> Any:
    with open_archive(placed(data, "images.zip")) as archive:
        return {name: archive.read(name) for name in archive.names}


def _right(members: Any, data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        assert list(members) == names, names
        for name in names:
            assert members[name] == archive.read(name), name
            assert len(members[name]) <= 10 * len(data) + (64 << 20)


def _read_source(data: bytes) -> Any:
    return readers.FeatureSource(placed(data, "source.zip"), "real")


def _right_source(source: Any, data: bytes) -> None:
    assert source.holds_images
    assert len(source) >= 1
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert len(source) <= len(set(archive.namelist())), "a member is counted twice"


def _read_tar(data: bytes) -> Any:
    archive = readers.TarArchive(io.BytesIO(data), "images.tar")
    return {name: archive.read(name) for name in archive.names}


def _right_tar(members: Any, data: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
        found: dict[str | None, bytes] = {}
        for member in archive:
            if member.isreg():
                held = archive.extractfile(member)
                assert member_place(member.name) not in found, f"{member.name} is there twice"
                found[member_place(member.name)] = held.read() if held else b""
    assert members == found
    assert all(name and ".." not in name.split("/") and "\0" not in name for name in members)
    assert sum(map(len, members.values())) <= max(len(data), 1) * max(len(members), 1)


_mutations = formats.zip_mutations(lambda name, data, rng, others: formats.png(data, rng))

TARGETS = [
    Target("zip", _read, _right, _mutations),
    Target("tar", _read_tar, _right_tar, formats.tar, readers.ARCHIVE),
    Target("zip-source", _read_source, _right_source, _mutations, readers.SOURCE, lambda a, b: len(a) == len(b)),
]
