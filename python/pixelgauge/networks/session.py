"""ONNX sessions: made when first used, each with the graph that its provider runs best."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from pixelgauge import _core
from pixelgauge._version import __version__
from pixelgauge.files.reading import printable
from pixelgauge.networks.bound_runs import BoundRuns, Input
from pixelgauge.networks.graph_rewrite import (
    LpipsPart,
    cut_subgraph,
    extract_subgraph,
    lpips_parts,
    steps_of,
    with_lpips_layers,
    with_winograd,
)
from pixelgauge.networks.manifest import graph_named
from pixelgauge.networks.pixels import Float32Array, Pixels
from pixelgauge.networks.providers import (
    CPU,
    CUDA,
    Plan,
    ProviderError,
    onnxruntime,
    start,
)
from pixelgauge.networks.row_geometry import Step
from pixelgauge.networks.store import Installed
from pixelgauge.parallel import side_by_side

Paths = str | Path | Sequence[str | Path]

_REWRITES = {"lpips_layers": with_lpips_layers}
"""What the CPU runs otherwise than the graph says, by the manifest's names."""
_AT_ONCE = 3
"""Runs on a CUDA device: while one computes, others' inputs are copied."""
_BUFFERS = 2
"""Runs of pixels, whose copies are a quarter as long."""


class Session:
    """A model loaded into onnxruntime: the package's graph with the weights of the cache as external initialisers.

    On the CPU it is loaded when it is first run, once for each number of threads in use: a run that has the machine to
    itself is split over all threads, runs side by side keep to one thread each and are spared the waiting at the end of
    every layer. No bit depends on it.

    Parameters
    ----------
    weights : Installed
    plan : Plan
    outputs : sequence of str
        What :meth:`run` returns; nothing else is computed.
    replace : mapping of str to array, optional
        Initialisers to use instead of the model's.
    batch_size : int, optional
        The one batch size that will be run, for providers that compile for a shape.
    winograd : bool, default True
        Whether the CPU may use the package's Winograd convolution; it rounds more than direct summation.
    """

    def __init__(
        self,
        weights: Installed,
        plan: Plan,
        outputs: Sequence[str],
        *,
        replace: Mapping[str, Float32Array] | None = None,
        batch_size: int | None = None,
        winograd: bool = True,
    ) -> None:
        ort = onnxruntime()
        # Not for one fixed shape: providers that compile want it, and onnxruntime cannot infer the operators' shapes.
        self._own_operators = plan.provider == CPU and batch_size is None
        graph = weights.model.graph_bytes()
        for name in weights.model.rewrites if self._own_operators else ():
            graph = _REWRITES[name](graph)
        self._graph, initialisers = extract_subgraph(graph, outputs)
        # Hashed when they are read, so that a fingerprint never names weights that are not those in use.
        data = weights.checked_data()
        values = {
            row.name: data[row.offset : row.offset + row.bytes].view("<f4").reshape(row.shape)
            for row in weights.model.rows
            if row.name in initialisers
        }
        values.update(replace or {})
        self._tiles = weights.model.winograd if winograd and self._own_operators else {}
        self._transformed: dict[str, int] = {}
        for one in with_winograd(self._graph, self._tiles)[1]:
            filters = _core.convolution_filters(values.pop(one.weight), one.tile)
            values[one.transformed] = filters
            self._transformed[one.weight] = filters.size
        # onnxruntime may go on reading what it has no need to rearrange, so the values live as long as the session.
        self._values = {name: ort.OrtValue.ortvalue_from_numpy(value) for name, value in values.items()}
        self._batch_size = batch_size
        self.plan = plan
        self.weights = weights
        self.outputs = list(outputs)
        self.threads = _core.get_num_threads()
        self._loaded: dict[int, Any] = {}
        self._pixels: Any = None
        self._loading = Lock()
        self._running = 0
        self._is_part = False
        self._bound: BoundRuns | None = None
        if plan.provider != CPU:  # whether it starts is known only by starting it
            session = self.session(self.threads)
            if plan.provider == CUDA:
                device_id = int(plan.providers[0][1].get("device_id", 0))
                self._bound = BoundRuns(session, self.outputs, self._to_planes, "cuda", device_id, _BUFFERS)

    def part(self, inputs: Sequence[str], outputs: Sequence[str]) -> Session:
        """Session of what makes some of the graph's tensors from others, with the same weights in memory.

        It is for runs of many shapes: onnxruntime would keep a block of memory for each.
        """
        part = copy.copy(self)
        part._graph, initialisers = cut_subgraph(self._graph, inputs, outputs)
        names = {f"{name}.winograd" if name in self._transformed else name for name in initialisers}
        part._values = {name: value for name, value in self._values.items() if name in names}
        part._transformed = {name: size for name, size in self._transformed.items() if name in initialisers}
        part._is_part = True
        part.outputs = list(outputs)
        part._loaded, part._pixels, part._bound = {}, None, None
        part._loading, part._running = Lock(), 0
        return part

    def lpips_parts(self) -> list[LpipsPart]:
        """Parts, one for each layer, of an LPIPS graph."""
        return lpips_parts(self._graph)

    def steps(self) -> list[Step]:
        """Tell what the graph's operators do to the rows of its tensors."""
        return steps_of(self._graph, self._tiles)

    def session(self, threads: int) -> Any:
        """Load, or have loaded, the ``onnxruntime.InferenceSession`` that splits a run over so many threads."""
        with self._loading:
            if threads not in self._loaded:
                self._loaded[threads] = self._load(threads)
            return self._loaded[threads]

    def _load(self, threads: int) -> Any:
        ort = onnxruntime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.enable_mem_pattern = not self._is_part
        if self._is_part:  # its threads would go on spinning beside those of the part that runs next
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if self._batch_size is not None:
            options.add_free_dimension_override_by_name("N", self._batch_size)
        options.add_external_initializers(list(self._values), list(self._values.values()))
        graph, _ = with_winograd(self._graph, self._tiles, self._transformed, threads)
        if self._own_operators:
            options.register_custom_ops_library(_core.__file__)
        try:
            return start(graph, options, self.plan)
        except ProviderError:
            raise
        except Exception as error:  # onnxruntime's: the graph is sound, so that it is the provider or its options
            raise ProviderError(
                f"{self.plan.provider} does not start {self.weights.model.name} with the options "
                f"{dict(self.plan.providers[0][1])}: {printable(str(error)[:1000])}"
            ) from error

    def _to_planes(self) -> Any:
        """Load, or have loaded, what turns 8-bit pixels into planes on the device."""
        with self._loading:
            if self._pixels is None:
                options = onnxruntime().SessionOptions()
                options.log_severity_level = 3
                self._pixels = start(graph_named("pixels.onnx"), options, self.plan)
            return self._pixels

    @property
    def at_once(self) -> int:
        """Runs that are worth having under way at a time on a device; on the CPU it is up to the threads."""
        return _AT_ONCE if self._bound is not None else 1

    def run(self, inputs: Mapping[str, Input], threads: int | None = None) -> dict[str, Float32Array]:
        """Compute the session's outputs for a batch of planes or pixels, by name.

        On the CPU `threads` is how many to split the run over; by default all, or one while other runs are under way
        or as many threads as there are have work of their own.

        Raises
        ------
        ValueError
            If a result is not finite, as weights of absurd size make it.
        """
        results = dict(zip(self.outputs, self._run(inputs, threads), strict=True))
        for name, result in results.items():
            if not np.isfinite(result).all():
                raise ValueError(
                    f"{self.weights.model.name} gives values of {name!r} that are not finite: with these weights "
                    f"(sha256 {self.weights.weights_sha256[:16]}...) its activations overflow; use sound weights"
                )
        return results

    def _run(self, inputs: Mapping[str, Input], threads: int | None) -> list[Float32Array]:
        # Planes go without buffers of their own: filling those holds Python's lock for as long as they are copied, and
        # other threads wait with their images. On an H200 with 16 cores Inception gains 5 to 13 %, in TF32 14 to 50 %.
        if self._bound is not None and any(isinstance(value, Pixels) for value in inputs.values()):
            return self._bound.run(inputs)
        planes = {name: value.planes() if isinstance(value, Pixels) else value for name, value in inputs.items()}
        with self._loading:
            alone = self._running == 0
            self._running += 1
        try:
            if self.plan.provider != CPU or (threads is None and alone and side_by_side() < max(2, self.threads)):
                threads = self.threads
            return self.session(threads or 1).run(self.outputs, planes)  # type: ignore[no-any-return]
        finally:
            with self._loading:
                self._running -= 1

    @property
    def uses_winograd(self) -> bool:
        """Whether any convolution is the package's Winograd convolution."""
        return bool(self._transformed)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What decides the digits of a result."""
        return {
            "version": __version__,
            "model": self.weights.model.name,
            "weights_sha256": self.weights.weights_sha256,
            "official_weights": self.weights.official,
            "provider": self.plan.provider,
            "precision": self.plan.precision,
            "onnxruntime": onnxruntime().__version__,
        }
