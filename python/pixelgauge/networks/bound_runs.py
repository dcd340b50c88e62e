"""Runs of a session whose inputs and outputs keep their buffers on the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from queue import LifoQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge.networks.pixels import Float32Array, Pixels
from pixelgauge.networks.providers import onnxruntime

Input = Float32Array | Pixels


class BoundRuns:
    """Runs of a session on a device, some at a time: one copies to and fro while another computes.

    Buffers are made once for each shape of inputs in a row, which spares allocating and the synchronisation of every
    output by itself. 8-bit pixels are copied as they are, a quarter of the bytes, and become planes on the device.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    outputs : sequence of str
    to_planes : callable
        Gives a session of the graph ``pixels.onnx``; called when pixels come.
    device : str
        ``"cuda"``, or ``"cpu"``, where it is of no use but works alike.
    device_id : int, default 0
    at_once : int, default 2
        Sets of buffers; further runs wait.
    """

    def __init__(
        self,
        session: Any,
        outputs: Sequence[str],
        to_planes: Callable[[], Any],
        device: str,
        device_id: int = 0,
        at_once: int = 2,
    ) -> None:
        # The last one that was free has the shape of the last run.
        self._free: LifoQueue[_Buffers] = LifoQueue()
        for _ in range(at_once):
            self._free.put(_Buffers(session, list(outputs), to_planes, (device, device_id)))

    def run(self, inputs: Mapping[str, Input]) -> list[Float32Array]:
        """Compute the outputs, in the order they were named."""
        buffers = self._free.get()
        try:
            return buffers.run(inputs)
        finally:
            self._free.put(buffers)


class _Buffers:
    """Buffers of one run at a time."""

    def __init__(self, session: Any, outputs: list[str], to_planes: Callable[[], Any], device: tuple[str, int]) -> None:
        self._session = session
        self._outputs = outputs
        self._to_planes = to_planes
        self._device = device
        self._bound_for: dict[str, object] = {}
        self._binding: Any = None
        self._filled: dict[str, Any] = {}
        self._before: list[tuple[Any, Any]] = []

    def run(self, inputs: Mapping[str, Input]) -> list[Float32Array]:
        facts = {name: _facts(value) for name, value in inputs.items()}
        sent = {name: _sent(value) for name, value in inputs.items()}
        if facts != self._bound_for:
            self._bound_for = {}  # until all is bound
            self._bind(inputs, sent)
            self._bound_for = facts
        for name, array in sent.items():
            self._filled[name].update_inplace(array)
        for session, binding in self._before:
            session.run_with_iobinding(binding)
        self._session.run_with_iobinding(self._binding)
        # On the CPU these would be the buffers themselves, which the next run overwrites.
        return [value.copy() for value in self._binding.copy_outputs_to_cpu()]

    def _bind(self, inputs: Mapping[str, Input], sent: Mapping[str, npt.NDArray[Any]]) -> None:
        self._binding = self._session.io_binding()
        self._filled, self._before = {}, []
        for name, value in inputs.items():
            planes = self._filled[name] = self._buffer(sent[name].shape, sent[name].dtype.type)
            if isinstance(value, Pixels) and _sent_as_bytes(value):
                n, height, width, channels = value.images.shape
                planes = self._buffer((n, channels, height, width), np.float32)
                self._before.append(self._bound_to_planes(value, self._filled[name], planes))
            self._binding.bind_ortvalue_input(name, planes)
        shapes = {output.name: output.shape for output in self._session.get_outputs()}
        for name in self._outputs:
            if all(isinstance(length, int) for length in shapes[name]):
                self._binding.bind_ortvalue_output(name, self._buffer(shapes[name], np.float32))
            else:  # its shape shows only when it is computed
                self._binding.bind_output(name, *self._device)

    def _bound_to_planes(self, pixels: Pixels, sent: Any, planes: Any) -> tuple[Any, Any]:
        session = self._to_planes()
        binding = session.io_binding()
        binding.bind_ortvalue_input("pixels", sent)
        for name in ("scale", "offset"):
            number = np.full(1, getattr(pixels, name), np.float32)
            binding.bind_ortvalue_input(name, onnxruntime().OrtValue.ortvalue_from_numpy(number, *self._device))
        binding.bind_ortvalue_output("planes", planes)
        return session, binding

    def _buffer(self, shape: Sequence[int], dtype: type[np.generic]) -> Any:
        return onnxruntime().OrtValue.ortvalue_from_shape_and_type(shape, dtype, *self._device)


def _sent_as_bytes(value: Pixels) -> bool:
    """Whether pixels are copied as they are."""
    return value.images.dtype == np.uint8


def _sent(value: Input) -> npt.NDArray[Any]:
    if not isinstance(value, Pixels):
        return value
    return np.ascontiguousarray(value.images) if _sent_as_bytes(value) else value.planes()


def _facts(value: Input) -> object:
    """Tell what a run's buffers are made for."""
    if not isinstance(value, Pixels):
        return value.shape
    return value.images.shape, value.scale, value.offset, _sent_as_bytes(value)
