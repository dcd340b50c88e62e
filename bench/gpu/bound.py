"""A network whose inputs and outputs stay on the device: computing without copying."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pixelgauge.networks.providers import onnxruntime
from pixelgauge.networks.session import Session


class Bound:
    """Buffers for one size of batch, and the network between them."""

    def __init__(self, session: Session, device: str) -> None:
        self._network = session.session(session.threads)
        self._outputs, self._device = session.outputs, device
        self._binding = self._network.io_binding()
        self._filled: dict[str, object] = {}

    def fill(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Copy a batch to the device."""
        ort = onnxruntime()
        for name, planes in inputs.items():
            if name not in self._filled:
                self._filled[name] = ort.OrtValue.ortvalue_from_numpy(planes, self._device, 0)
                self._binding.bind_ortvalue_input(name, self._filled[name])
            else:
                self._filled[name].update_inplace(planes)  # type: ignore[attr-defined]
        if not self._binding.get_outputs():
            self._bind_outputs(len(next(iter(inputs.values()))))

    def _bind_outputs(self, batch: int) -> None:
        """Give outputs of known shape buffers of their own, which a CUDA graph needs."""
        ort = onnxruntime()
        for output in self._network.get_outputs():
            if output.name not in self._outputs:
                continue
            shape = [batch, *output.shape[1:]]
            if all(isinstance(length, int) for length in shape):
                value = ort.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, self._device, 0)
                self._binding.bind_ortvalue_output(output.name, value)
            else:
                self._binding.bind_output(output.name, self._device, 0)

    def compute(self) -> None:
        """Run the network on what was filled in, to its end."""
        self._network.run_with_iobinding(self._binding)
        self._binding.synchronize_outputs()

    def fetch(self) -> np.ndarray:
        """Copy the outputs from the device, side by side."""
        values = [value.copy().reshape(len(value), -1) for value in self._binding.copy_outputs_to_cpu()]
        return np.concatenate(values, axis=1)
