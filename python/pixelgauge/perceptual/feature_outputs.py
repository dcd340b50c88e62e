"""Outputs of a graph as features: (N, D) or nothing, and what to do where they are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge.checks import ArgumentTypeError, ArgumentValueError, one_of
from pixelgauge.files.reading import FileError, shown
from pixelgauge.networks.any_graph import AnyGraph, Port, described
from pixelgauge.networks.pixels import Float32Array

TOKENS = ("cls", "mean")
"""What may be taken of an output with tokens."""


class FeatureOutputs:
    """Outputs that make the features of an image, side by side.

    Parameters
    ----------
    graph : AnyGraph
    output : str, list of str or None
        None: the only one.
    token : {"cls", "mean"} or None
        What to take of an output (N, T, D).

    Raises
    ------
    TypeError, ValueError
        If there is no such output, several and none named, or one that is not (N, D).
    """

    def __init__(self, graph: AnyGraph, output: object, token: object) -> None:
        self._graph = graph
        self._token = None if token is None else one_of("token", token, TOKENS)
        self._ports = _chosen(graph, _names(output))
        self.names = [port.name for port in self._ports]
        for port in self._ports:
            if port.kind not in ("float32", "float16", "float64"):
                reason = f"gives {port}, and features are float32, float16 or float64"
                raise FileError(graph.path, reason, "name another output, or export it so")
        if token is not None and all(len(port.axes) not in (0, 3) for port in self._ports):
            problem = f"would not be used: it is for outputs (N, T, D), and there is {described(self._ports)}"
            raise ArgumentValueError("token", repr(token), problem)

    @property
    def in_float16(self) -> bool:
        """Whether any is computed in float16."""
        return any(port.kind == "float16" for port in self._ports)

    def widths(self) -> dict[str, int] | None:
        """Values of each output by its name, or None where the graph does not say."""
        found = [self._width(port, port.sizes[1:]) if port.axes else None for port in self._ports]
        known = [width for width in found if width is not None]
        return dict(zip(self.names, known, strict=True)) if len(known) == len(found) else None

    def __str__(self) -> str:
        return described(self._ports)

    def columns(self, results: Sequence[npt.NDArray[Any]], count: int) -> list[Float32Array]:
        """(N, D) float32 features of each output from what a run over `count` images gave."""
        columns = []
        for port, values in zip(self._ports, results, strict=True):
            seen = replace(port, axes=values.shape)
            width = self._width(seen, values.shape[1:])
            if len(values) != count:
                reason = f"gives {seen} for {count} images"
                raise FileError(self._graph.path, reason, "export it with the batch as the first axis")
            if values.ndim == 3 and self._token is not None:
                values = values[:, 0] if self._token == "cls" else values.mean(axis=1, dtype=np.float64)
            columns.append(values.reshape(count, width or 0).astype(np.float32))
        return columns

    def _width(self, port: Port, sizes: tuple[int | None, ...]) -> int | None:
        """Features of an output with these axes behind the batch's, or a ``FileError`` that says what to do."""
        path = self._graph.path
        if not sizes:
            raise FileError(path, f"gives {port}, not features of each image", "name another output")
        if len(sizes) == 2 and self._token is not None:
            return sizes[1]
        rest = sizes[1:]
        if all(size in (None, 1) for size in rest):
            return None if None in rest else sizes[0]
        others = [other for other in self._graph.outputs if len(other.axes) == 2]
        named = f"name another output, such as {described(others)}" if others else "export one that is (N, D)"
        if len(sizes) == 2:
            raise FileError(path, f"gives {port}: features of each token", f"{named}, or pass token='cls' or 'mean'")
        raise FileError(path, f"gives {port}, which is not (N, D)", f"{named}, averaged over its positions")


def _names(output: object) -> list[str] | None:
    """Check the names of outputs."""
    if output is None:
        return None
    names = [output] if isinstance(output, str) else output
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ArgumentTypeError("output", repr(output), "must be a name, or a list of names")
    if not names or len(set(names)) < len(names):
        raise ArgumentValueError("output", repr(output), "must be one name, or several different ones")
    return list(names)


def _chosen(graph: AnyGraph, names: Sequence[str] | None) -> list[Port]:
    if names is None and len(graph.outputs) != 1:
        problem = f"is not enough: {graph.name} has {len(graph.outputs)} outputs"
        raise ArgumentValueError("output", "None", problem, f"name one of {described(graph.outputs)}")
    by_name = {port.name: port for port in graph.outputs}
    for name in names or ():
        if name not in by_name:
            problem = f"is none of the outputs of {graph.name}"
            raise ArgumentValueError("output", repr(shown(name)), problem, f"use one of {described(graph.outputs)}")
    return [by_name[name] for name in names or by_name]
