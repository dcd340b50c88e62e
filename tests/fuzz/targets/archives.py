"""Zip archives of images: members are those that zipfile sees, each once, with the bytes that zipfile reads."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from pixelgauge.files.archive import open_archive

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


_mutations = formats.zip_mutations(lambda name, data, rng, others: formats.png(data, rng))

TARGETS = [
    Target("zip", _read, _right, _mutations),
    Target("zip-source", _read_source, _right_source, _mutations, readers.SOURCE, lambda a, b: len(a) == len(b)),
]
