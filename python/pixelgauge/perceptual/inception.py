"""Features of the Inception network of FID, by the preprocessing of each program that publishes it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pixelgauge import _core
from pixelgauge.checks import whole_number
from pixelgauge.images import Array
from pixelgauge.images.budget import budget_of
from pixelgauge.networks.pixels import Float32Array, in_float32
from pixelgauge.networks.preprocess import batched
from pixelgauge.networks.providers import CPU, OPENVINO, Precision, Providers, choose_providers
from pixelgauge.networks.session import Session
from pixelgauge.networks.store import from_files, installed
from pixelgauge.parallel import ordered_map
from pixelgauge.perceptual.filled_batches import FilledBatches
from pixelgauge.perceptual.image_batches import ImageSet
from pixelgauge.perceptual.image_features import ImageFeatures
from pixelgauge.presets import INCEPTION_PRESETS, InceptionPreset, preset_row

INCEPTION_SIZE = 299

_STREAM_BATCH = 8
"""Images a run of OpenVINO: more gain nothing, and fewer of the last are padding."""

INCEPTION_OUTPUTS: Mapping[str, int] = MappingProxyType(
    {"64": 64, "192": 192, "768": 768, "2048": 2048, "spatial": 2023, "logits": 1008, "logits_unbiased": 1008}
)
"""Features by name: how many values each has."""


def side_by_side(outputs: Mapping[str, Float32Array]) -> Float32Array:
    """Join a network's outputs along the columns."""
    several = list(outputs.values())
    return several[0] if len(several) == 1 else np.concatenate(several, axis=1)


class InceptionFeatures(ImageFeatures):
    """Features of the 2015-12-05 Inception network, as the programs that publish FID compute them.

    Parameters
    ----------
    preset : {"pytorch-fid", "torch-fidelity", "torchmetrics", "clean-fid"}, default "pytorch-fid"
        Whose resizing to 299x299 to follow; see ``presets.INCEPTION_PRESETS``.
    output : {"64", "192", "768", "2048", "spatial", "logits", "logits_unbiased"} or a list of them, default "2048"
        ``"2048"`` for FID and KID, ``"spatial"`` for sFID, ``"logits_unbiased"`` for the Inception score. Several are
        computed in one pass and stand side by side, in that order.
    weights : path, optional
        State dict in the official names, ``.pth``, ``.npz`` or ``.safetensors``. Default: the model ``inception-fid``
        of the cache.
    providers : str, sequence or None
        ``"cpu"``, ``"cuda"``, ``"openvino"`` or onnxruntime's providers. None: CUDA where a device answers, else the
        CPU.
    batch_size : int, default 32
        Images that go through the network at a time. No feature depends on it, nor on its neighbours.
    precision : {"float32", "tf32", "bf16"}, default "float32"
        ``"tf32"`` needs CUDA, ``"bf16"`` OpenVINO. Part of :attr:`fingerprint`.
    memory : int or str, optional
        Bytes that decoded images may take together, such as ``"2G"``; default half of the memory that the process may
        use. An image that takes more is decoded once no other is. No feature depends on it.

    Raises
    ------
    ModelMissingError
        If the weights are not in the cache; the message gives the two commands that supply them.
    CheckpointError
        If `weights` is damaged, hostile or does not fit.
    ImportError
        If onnxruntime is not installed.
    ProviderError
        If a provider is not there or cannot do the precision.

    Notes
    -----
    Szegedy et al.: Rethinking the Inception Architecture, CVPR 2016, with the weights of TensorFlow's
    inception-2015-12-05; Heusel et al.: GANs Trained by a Two Time-Scale Update Rule, NeurIPS 2017.

    Examples
    --------
    >>> from pixelgauge import InceptionFeatures
    >>> features = InceptionFeatures("pytorch-fid")  # doctest: +SKIP
    >>> features(["a.png", "b.png"]).shape  # doctest: +SKIP
    (2, 2048)
    """

    _network = "Inception"

    def __init__(
        self,
        preset: str = "pytorch-fid",
        *,
        output: str | list[str] | tuple[str, ...] = "2048",
        weights: str | Path | None = None,
        providers: Providers = None,
        batch_size: int = 32,
        precision: Precision = "float32",
        memory: int | str | None = None,
    ) -> None:
        self.preset: InceptionPreset = preset_row(INCEPTION_PRESETS, preset)
        outputs = list(output) if isinstance(output, list | tuple) else [output]
        known = all(isinstance(name, str) and name in INCEPTION_OUTPUTS for name in outputs)
        if not outputs or not known or len(set(outputs)) < len(outputs):
            raise ValueError(
                f"output={output!r} is not known: use one of {', '.join(map(repr, INCEPTION_OUTPUTS))}, or several "
                "different ones"
            )
        batch_size = whole_number("batch_size", batch_size, 1)
        self._budget = budget_of(memory)
        chosen = choose_providers(providers, precision)
        model = installed("inception-fid") if weights is None else from_files("inception-fid", [weights])
        self.output = output
        self.batch_size = batch_size
        self._run_size = min(self.batch_size, _STREAM_BATCH) if chosen.provider == OPENVINO else self.batch_size
        fixed = self._run_size if chosen.fixed_batch else None
        self._session = Session(model, chosen, outputs, batch_size=fixed)
        # A session cannot be pickled: what a worker gets makes its own.
        self._remake = partial(
            type(self),
            preset,
            output=output,
            weights=weights,
            providers=providers,
            batch_size=self.batch_size,
            precision=precision,
            memory=memory,
        )

    @property
    def widths(self) -> dict[str, int]:
        """Values of each output, in the order of the columns."""
        return {name: INCEPTION_OUTPUTS[name] for name in self._session.outputs}

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What decides the digits of a result: version, preset, output, weights, provider, precision."""
        return {**self._session.fingerprint, "preset": self.preset.name, "output": ",".join(self._session.outputs)}

    def resized(
        self, pixels: Array, low: float = 0.0, high: float = 255.0, out: Float32Array | None = None
    ) -> Float32Array:
        """Turn (N, H, W, 3) pixels in low..high into the network's input, (N, 3, 299, 299), by the preset."""
        row = self.preset
        pixels, low, high = in_float32(pixels, low, high)
        levels = 255 / (high - low)
        scale, offset = row.scale * levels, row.offset - row.scale * levels * low
        bounds = (row.offset, row.scale * 255 + row.offset) if row.clips else (-math.inf, math.inf)
        rule = getattr(_core.ResizeRule, row.resize)
        return _core.resize(pixels, rule, INCEPTION_SIZE, INCEPTION_SIZE, scale, offset, *bounds, out)

    def _each(self, images: ImageSet) -> Iterator[Float32Array]:
        """Features of images, a batch at a time."""
        session, size, provider = self._session, self._run_size, self._session.plan.provider
        count = len(images)

        def one(i: int, out: Float32Array | None = None) -> Float32Array:
            return self._made_of(images, i, lambda pixels: self.resized(pixels, images.low, images.high, out))

        if provider == CPU and count >= 2 * session.threads:
            # Each thread takes an image from its file to its feature.
            def alone(i: int) -> Float32Array:
                return side_by_side(session.run({"images": one(i)}, threads=1))

            return batched(ordered_map(alone, range(count), session.threads, size), size)
        if provider == OPENVINO:  # each thread a batch, on a stream of its own

            def some(batch: int) -> Float32Array:
                return self._features(np.concatenate([one(i) for i in range(count)[batch * size :][:size]]))

            return batched(
                ordered_map(some, range(-(-count // size)), session.threads, session.threads), self.batch_size // size
            )
        batches = FilledBatches((max(1, min(size, count)), 3, INCEPTION_SIZE, INCEPTION_SIZE))

        def features(batch: Float32Array) -> Float32Array:
            found = self._features(batch)
            batches.used(batch)
            return found

        return ordered_map(features, batches.of(count, one, session.threads), session.at_once, 1)

    def _features(self, batch: Float32Array) -> Float32Array:
        count = len(batch)
        if self._session.plan.fixed_batch and count < self._run_size:
            batch = np.concatenate([batch, np.zeros((self._run_size - count, *batch.shape[1:]), np.float32)])
        return side_by_side(self._session.run({"images": batch}))[:count]
