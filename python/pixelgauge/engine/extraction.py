"""How images become features, for all sides of a comparison: Inception by a preset, or any network that is given."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from pixelgauge.checks import ArgumentError, ArgumentValueError, whole_number
from pixelgauge.distribution.feature_networks import FeatureNetwork, require_network
from pixelgauge.distribution.feature_sets import MAIN, columns_of, label_of, main_output
from pixelgauge.images import path_name
from pixelgauge.images.budget import memory_size
from pixelgauge.presets import INCEPTION_PRESETS, preset_row

BATCH_SIZE = 32


class Extraction(Protocol):
    """How images become features; the network is made when it is first asked for."""

    @property
    def network(self) -> Any:
        """The network, a :class:`FeatureNetwork`."""

    @property
    def preset(self) -> str | None:
        """What statistics of the main output are called by."""

    @property
    def output(self) -> str | None:
        """The network's own name of the main output."""

    def columns(self) -> Mapping[str, slice]:
        """Columns of each output; :data:`MAIN` is that which distances are of."""

    def has(self, output: str) -> bool:
        """Whether there is an output of that name."""

    def label(self, output: str) -> str | None:
        """Name what statistics of an output are called by."""


@dataclass(frozen=True)
class Inception:
    """Inception, as :class:`pixelgauge.InceptionFeatures` has it.

    See there for the fields; `outputs` are those that some side wants.
    """

    preset: str = "pytorch-fid"
    batch_size: int = BATCH_SIZE
    weights: str | Path | None = None
    providers: Any = None
    outputs: tuple[str, ...] = (MAIN,)
    memory: int | str | None = None

    def __post_init__(self) -> None:  # here too, since the network is only made where there are images
        preset_row(INCEPTION_PRESETS, self.preset)
        whole_number("batch_size", self.batch_size, 1)
        memory_size(self.memory)

    @cached_property
    def network(self) -> Any:
        """Network that ends at `outputs`: its weights are read once, when images are first met."""
        return self.extractor(list(self.outputs))

    def extractor(self, output: str | list[str]) -> Any:
        """Network that ends at `output`; what is missing raises an error that says how to get it."""
        from pixelgauge.perceptual.inception import InceptionFeatures

        return InceptionFeatures(
            self.preset,
            output=output,
            weights=self.weights,
            providers=self.providers,
            batch_size=self.batch_size,
            memory=self.memory,
        )

    @property
    def output(self) -> str:
        """Name of the main output."""
        return MAIN

    def columns(self) -> Mapping[str, slice]:
        """Columns of each output."""
        return columns_of(self.network.widths)

    def has(self, output: str) -> bool:
        """Whether there is an output: what is wanted is made."""
        return True

    def label(self, output: str) -> str:
        """Name what statistics of an output are called by."""
        return self.preset if output == MAIN else f"{self.preset}/{output}"


@dataclass(frozen=True)
class Given:
    """A network of the caller's.

    Parameters
    ----------
    name : str
        What messages call it.
    load : callable
        Makes or hands out the network.
    """

    name: str
    load: Callable[[], FeatureNetwork]

    @cached_property
    def network(self) -> Any:
        """The network, which is loaded when images are first met."""
        return self.load()

    @property
    def preset(self) -> str | None:
        """What statistics of the main output are called by."""
        return self.label(MAIN)

    @property
    def output(self) -> str | None:
        """The network's own name of the main output."""
        return main_output(self.network.widths)

    def columns(self) -> Mapping[str, slice]:
        """Columns of each output.

        Raises
        ------
        ValueError
            If it is not plain which of several outputs distances are of.
        """
        columns = columns_of(self.network.widths)
        if MAIN not in columns:
            raise ValueError(f"{self.name} has the outputs {', '.join(self.network.widths)}: make it with one of them")
        return columns

    def has(self, output: str) -> bool:
        """Whether there is an output of that name."""
        return output in self.columns()

    def label(self, output: str) -> str | None:
        """Name what statistics of an output are called by."""
        name = self.output if output == MAIN else output
        return label_of(self.network.fingerprint, name or MAIN)


_CALLED = {"preset": "preprocess", "output": "feature_output"}
"""What callers call arguments of ``OnnxFeatures``, beside which they have others of those names."""


def onnx_features(path: str, *, preprocess: str | None, **options: Any) -> FeatureNetwork:
    """Features of an ONNX graph, the one place that makes them for ``--features FILE.onnx``."""
    from pixelgauge.perceptual.onnx_features import OnnxFeatures

    try:
        return OnnxFeatures(path, preset=preprocess, **options)
    except ArgumentError as error:
        if error.argument == "output" and options.get("output") is None:
            remedy = f"{error.remedy} by output= of OnnxFeatures"
            raise ArgumentValueError("features", repr(path), "has several outputs", remedy) from error
        raise error.but(argument=_CALLED.get(error.argument, error.argument)) from error


def extraction_of(
    features: object,
    *,
    preset: str | None = None,
    batch_size: int | None = None,
    weights: str | Path | None = None,
    providers: Any = None,
    outputs: tuple[str, ...] = (MAIN,),
    preprocess: str | None = None,
    feature_output: str | Sequence[str] | None = None,
    token: Any = None,
    size: Any = None,
    crop: Any = None,
    memory: int | str | None = None,
) -> Extraction:
    """Find what makes features, by what a caller asks for; what is said of another one than that is refused.

    Parameters
    ----------
    features : FeatureNetwork, path, str or None
        A network; the path of an ONNX graph, which ends in ``.onnx``; one of Inception's presets; or None, Inception
        by `preset`.
    preset, batch_size, weights, providers, outputs, memory : optional
        Of Inception; `batch_size`, `providers` and `memory` also of a graph.
    preprocess : str, optional
        How a graph's images are prepared.
    feature_output, token, size, crop : optional
        Of a graph: the `output` and others of ``OnnxFeatures``.

    Raises
    ------
    TypeError, ValueError
        If `features` is none of these, or an option is not of it.
    """
    memory_size(memory)
    at_a_time = None if batch_size is None else whole_number("batch_size", batch_size, 1)
    graph = {"token": token, "size": size, "crop": crop}
    is_preset = isinstance(features, str) and features in INCEPTION_PRESETS
    is_path = isinstance(features, str | os.PathLike) and not is_preset
    if features is not None and preset is not None:
        _refuse("preset", preset, "features says what makes them")
    for argument, value in {"preprocess": preprocess, "feature_output": feature_output, **graph}.items():
        if value is not None and not is_path:
            _refuse(argument, value, "it is of an ONNX graph, which features names")
    if features is None or is_preset:
        name = str(features) if is_preset else preset or Inception.preset
        return Inception(name, at_a_time or BATCH_SIZE, weights, providers, outputs, memory)
    if weights is not None:
        _refuse("weights", str(weights), "they are Inception's, and features names another network")
    if is_path:
        path = path_name(features, "features")
        if not path.lower().endswith(".onnx"):
            remedy = f"name an .onnx file, or one of {', '.join(map(repr, INCEPTION_PRESETS))}"
            raise ArgumentValueError("features", repr(path), "is neither a preset nor an ONNX graph", remedy)
        known = {"output": feature_output, "memory": memory, **graph}
        given = {name: value for name, value in known.items() if value is not None}
        options = {"providers": providers, "batch_size": at_a_time, **given}
        return Given(path, lambda: onnx_features(path, preprocess=preprocess, **options))
    require_network(features, "features")
    for argument, value in (("providers", providers), ("batch_size", batch_size), ("memory", memory)):
        if value is not None:
            _refuse(argument, value, "the network that features is has its own")
    network: Any = features
    return Given("features", lambda: network)


def _refuse(argument: str, value: object, why: str) -> None:
    raise ArgumentValueError(argument, repr(value), "would not be used", why)
