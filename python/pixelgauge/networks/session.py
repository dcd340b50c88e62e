"""ONNX sessions: made when first used, each with the graph that its provider runs best."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge import _core
from pixelgauge._version import __version__
from pixelgauge.networks.graph_rewrite import Tiles, cut, with_unit_differences, with_winograd
from pixelgauge.networks.providers import CPU, CUDA, Plan, ProviderError, onnxruntime, session_providers
from pixelgauge.networks.store import Installed

Float32Array = npt.NDArray[np.float32]

Paths = str | Path | Sequence[str | Path]

_TILES: Tiles = MappingProxyType({(3, 3): (4, 4), (5, 5): (2, 2), (1, 7): (1, 2), (7, 1): (2, 1)})

WINOGRAD_TILES: Mapping[str, Tiles] = MappingProxyType(
    {
        "lpips-alex": {**_TILES, (3, 3): (3, 3)},  # 15x15 at 256x256, a multiple of three
        "lpips-vgg": _TILES,
        "lpips-squeeze": {},  # its few channels gain too little for the digits
        # On 8x8 the transformed filters, 25 MB, take longer to read than is saved.
        "inception-fid": {**_TILES, **{f"Mixed_7{block}.branch3x3dbl_2.weight": None for block in "bc"}},
    }
)
"""What the CPU computes by the package's Winograd convolution, by model; measured, see docs/models.md."""


class BoundRuns:
    """Runs of a session with inputs and outputs in buffers on its device, made once for each shape of inputs in a row.

    A CUDA graph reads and writes where it did when it was recorded; without one this spares allocating and the
    synchronisation of every output by itself.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    outputs : sequence of str
    device : str
        ``"cuda"``, or ``"cpu"``, where it is of no use but works alike.
    device_id : int, default 0
    """

    def __init__(self, session: Any, outputs: Sequence[str], device: str, device_id: int = 0) -> None:
        self._session = session
        self._outputs = list(outputs)
        self._device = device, device_id
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._buffers: dict[str, Any] = {}
        self._binding: Any = None
        self._one_at_a_time = Lock()

    def run(self, inputs: Mapping[str, Float32Array]) -> list[Float32Array]:
        """Compute the outputs, in the order they were named."""
        with self._one_at_a_time:
            shapes = {name: value.shape for name, value in inputs.items()}
            if shapes != self._shapes:
                self._bind(shapes)
                self._shapes = shapes
            for name, value in inputs.items():
                self._buffers[name].update_inplace(value)
            self._session.run_with_iobinding(self._binding)
            # On the CPU these would be the buffers themselves, which the next run overwrites.
            return [value.copy() for value in self._binding.copy_outputs_to_cpu()]

    def _bind(self, inputs: Mapping[str, tuple[int, ...]]) -> None:
        allocate = onnxruntime().OrtValue.ortvalue_from_shape_and_type
        self._binding = self._session.io_binding()
        self._buffers = {name: allocate(shape, np.float32, *self._device) for name, shape in inputs.items()}
        for name, buffer in self._buffers.items():
            self._binding.bind_ortvalue_input(name, buffer)
        outputs = {output.name: output.shape for output in self._session.get_outputs()}
        for name in self._outputs:
            if all(isinstance(length, int) for length in outputs[name]):
                self._buffers[name] = allocate(outputs[name], np.float32, *self._device)
                self._binding.bind_ortvalue_output(name, self._buffers[name])
            else:  # its shape shows only when it is computed
                self._binding.bind_output(name, *self._device)


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
        for name, value in plan.environment.items():
            os.environ.setdefault(name, value)
        # Not for one fixed shape: providers that compile want it, and onnxruntime cannot infer the operators' shapes.
        self._own_operators = plan.provider == CPU and batch_size is None
        graph = weights.model.graph_bytes()
        if self._own_operators and weights.model.name.startswith("lpips"):
            graph = with_unit_differences(graph)
        self._graph, initialisers = cut(graph, outputs)
        # Hashed at every load, so that a fingerprint never names weights that are not those in use.
        data = weights.checked_data()
        values = {
            row.name: data[row.offset : row.offset + row.bytes].view("<f4").reshape(row.shape)
            for row in weights.model.rows
            if row.name in initialisers
        }
        values.update(replace or {})
        self._tiles = WINOGRAD_TILES[weights.model.name] if winograd and self._own_operators else {}
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
        self._loading = Lock()
        self._running = 0
        self._bound: BoundRuns | None = None
        if plan.provider != CPU:  # whether it starts is known only by starting it
            session = self.session(self.threads)
            if plan.provider == CUDA:
                device_id = int(plan.providers[0][1].get("device_id", 0))
                self._bound = BoundRuns(session, self.outputs, "cuda", device_id)

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
        if self._batch_size is not None:
            options.add_free_dimension_override_by_name("N", self._batch_size)
        options.add_external_initializers(list(self._values), list(self._values.values()))
        graph, _ = with_winograd(self._graph, self._tiles, self._transformed, threads)
        if self._own_operators:
            options.register_custom_ops_library(_core.__file__)
        session = ort.InferenceSession(
            graph, options, providers=session_providers(self.plan, self._batch_size is not None)
        )
        running = session.get_providers()
        if self.plan.provider not in running:
            raise ProviderError(f"{self.plan.provider} did not start; onnxruntime offers {', '.join(running)} instead")
        return session

    def run(self, inputs: Mapping[str, Float32Array], threads: int | None = None) -> list[Float32Array]:
        """Compute the session's outputs for a batch, in the order they were named.

        On the CPU `threads` is how many to split the run over; by default all, or one while other runs are under way.

        Raises
        ------
        ValueError
            If a result is not finite, as weights of absurd size make it.
        """
        results = self._run(inputs, threads)
        for name, result in zip(self.outputs, results, strict=True):
            if not np.isfinite(result).all():
                raise ValueError(
                    f"{self.weights.model.name} gives values of {name!r} that are not finite: with these weights "
                    f"(sha256 {self.weights.weights_sha256[:16]}...) its activations overflow; use sound weights"
                )
        return results

    def _run(self, inputs: Mapping[str, Float32Array], threads: int | None) -> list[Float32Array]:
        if self._bound is not None:
            return self._bound.run(inputs)
        with self._loading:
            alone = self._running == 0
            self._running += 1
        try:
            if self.plan.provider != CPU or (threads is None and alone):
                threads = self.threads
            return self.session(threads or 1).run(self.outputs, dict(inputs))  # type: ignore[no-any-return]
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
