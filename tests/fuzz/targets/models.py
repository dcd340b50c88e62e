"""A model's ``origin.json`` in the cache, and the JSON that our files are: objects without two equal keys."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from pixelgauge.files.reading import parse_json

from .. import mutations, readers
from ..target import Target, folder

NAME = "lpips-squeeze"
GRAPH = b"the sha256 of the graph"
"""Stands in the corpus for the hash of the graph, which may change with the package."""


@functools.cache
def _model() -> Any:
    return readers.manifest()[NAME]


@functools.cache
def _hash() -> bytes:
    return hashlib.sha256(_model().graph_bytes()).hexdigest().encode()


@functools.cache
def _place(root: str) -> Path:
    place = Path(root) / NAME
    place.mkdir(exist_ok=True)
    with open(place / _model().data_file, "wb") as file:
        file.truncate(_model().data_bytes)  # holes: it is mapped, and never read
    return place


def _read(data: bytes) -> Any:
    place = _place(folder())
    (place / "origin.json").write_bytes(data.replace(GRAPH, _hash()))
    return readers.open_model(_model(), place)


def _right(installed: Any, data: bytes) -> None:
    assert type(installed.weights_sha256) is str
    assert type(installed.official) is bool
    assert installed.data.size == _model().data_bytes
    assert json.loads(data.replace(GRAPH, _hash()))["graph_sha256"].encode() == _hash()


def _same(a: Any, b: Any) -> bool:
    return repr(a.origin) == repr(b.origin)


def _right_json(value: Any, data: bytes) -> None:
    assert value == json.loads(data)
    _require_finite(value)


def _require_finite(value: Any) -> None:
    if isinstance(value, float):
        assert math.isfinite(value), value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _require_finite(item)


def _mutate(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    return mutations.json_text(data, rng, others)


TARGETS = [
    Target("origin", _read, _right, _mutate, readers.MODEL, _same),
    Target("json", lambda data: parse_json(data, "data"), _right_json, _mutate),
]
