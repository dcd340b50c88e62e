"""LPIPS: the learned perceptual distance of Zhang et al. 2018, version 0.1, without PyTorch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

import numpy as np

from pixelgauge.checks import ArgumentTypeError, ArgumentValueError, flag, one_of
from pixelgauge.full_reference.arguments import DataRange
from pixelgauge.images import Array, ImageFileError, as_array, canonical_pair, is_file, is_picture, read_image
from pixelgauge.networks.pixels import Float32Array, Pixels, in_float32
from pixelgauge.networks.preprocess import (
    are_files,
    checked_range,
    listed_files,
    require_colour,
    require_no_array_options,
)
from pixelgauge.networks.providers import CPU, OPENVINO, Precision, Providers, choose_providers
from pixelgauge.networks.session import Paths, Session
from pixelgauge.networks.store import from_files, installed
from pixelgauge.parallel import ordered_map
from pixelgauge.perceptual.lpips_strips import LpipsStrips
from pixelgauge.presets import LPIPS_BACKBONES, LPIPS_PRESETS, LPIPSPreset, preset_row

_BATCH_PIXELS = 1 << 19
"""Pixels of one side of a batch: enough work for the cores, while VGG's feature maps stay near a gigabyte."""
_FEWEST_PIXELS = 96 * 96
"""From here on Winograd convolution rounds LPIPS about as PyTorch's float32 does; smaller images have too few positions
to average its rounding out."""
_WHOLE_PIXELS = 1 << 20
"""Pixels of the largest image that is run whole; of larger ones the features would take gigabytes."""
_STRIP_BYTES = 1 << 25
"""Of all tensors that a run over a strip makes; about half of them are there at a time."""
_DEVICE_BYTES = 1 << 34
"""The same on a device, which runs images whole up to there."""
_MOST_TOGETHER = 64
"""Pairs of a stream that a device gets at a time: beyond, little is gained, and the last of a size are filled up."""
_STREAM_PIXELS = 1 << 21
"""Pixels of one side of all pairs that threads may have in hand at once; larger ones take turns."""


@dataclass(frozen=True)
class _Pairs:
    """Pairs to be scored: how many reads, and how to make one of them, (N, H, W, 3) each side."""

    count: int
    read: Callable[[int], tuple[Array, Array]]
    together: int
    """Pairs of a read, of which the last may have fewer."""
    low: float
    high: float


def _names_files(x: object) -> bool:
    """Whether any of an argument is a path."""
    return any(isinstance(item, str | os.PathLike) for item in (x if isinstance(x, list | tuple) else [x]))


def _read_file(file: Any, name: str) -> Array:
    """(H, W, 3) pixels of a file or a PIL image, by the rules of ``compare``."""
    if isinstance(file, str | os.PathLike) and os.path.isdir(file):
        raise ImageFileError(
            name, "is a folder", "list its files by pixelgauge.images.image_files, or use pixelgauge compare"
        )
    pixels = as_array(file, name) if is_picture(file) else read_image(file)
    if pixels.dtype != np.uint8:
        reason = "has more than 8 bits a channel: convert it to 8 bits first"
        raise ValueError(f"{name} {reason}") if is_picture(file) else ImageFileError(name, reason)
    return np.repeat(pixels[..., np.newaxis], 3, 2) if pixels.ndim == 2 else pixels


class LPIPS:
    """Learned perceptual image patch similarity, version 0.1: 0 for equal images, larger for more different ones.

    Parameters
    ----------
    backbone : {"alex", "vgg", "squeeze"}, default "alex"
        ``"alex"`` is what the authors recommend for evaluation.
    linear : bool, default True
        With the learned heads. Without: the plain sum over channels (the authors' baseline).
    weights : path or pair of paths, optional
        State dicts in the official names, ``.pth``, ``.npz`` or ``.safetensors``: the backbone's and the heads'; with
        ``linear=False`` the backbone's alone will do. Default: the model ``lpips-<backbone>`` of the cache.
    providers : str, sequence or None
        ``"cpu"``, ``"cuda"``, ``"openvino"`` or onnxruntime's providers. None: CUDA where a device answers, else the
        CPU.
    precision : {"float32", "tf32", "bf16"}, default "float32"
        ``"tf32"`` needs CUDA, ``"bf16"`` OpenVINO. Part of :attr:`fingerprint`.
    preset : {"lpips", "torchmetrics"}, default "lpips"
        Whose normalisation of features to follow; see ``presets.LPIPS_PRESETS``. They part where a pixel's features
        vanish, which those of the official weights hardly do.

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
    Zhang, Isola, Efros, Shechtman, Wang: The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR
    2018; the program is the ``lpips`` package, whose distances are met within 1e-5 relative above about 0.004; of
    nearer images both programs lose digits alike (docs/methods/perceptual.md).

    Images of more than 1024x1024 pixels are computed by strips, whose number changes no bit, in memory that does not
    grow with the longer side.

    Examples
    --------
    >>> from pixelgauge import LPIPS
    >>> metric = LPIPS("alex")  # doctest: +SKIP
    >>> metric("ex_ref.png", "ex_p0.png")  # doctest: +SKIP
    0.72188...
    """

    def __init__(
        self,
        backbone: str = "alex",
        *,
        linear: bool = True,
        weights: Paths | None = None,
        providers: Providers = None,
        precision: Precision = "float32",
        preset: str = "lpips",
    ) -> None:
        self.preset: LPIPSPreset = preset_row(LPIPS_PRESETS, preset)
        name = f"lpips-{one_of('backbone', backbone, LPIPS_BACKBONES)}"
        flag("linear", linear)
        sequence = isinstance(weights, Sequence) and not isinstance(weights, bytes | bytearray | memoryview)
        if not (weights is None or sequence or isinstance(weights, os.PathLike)):
            raise ArgumentTypeError(
                "weights", repr(weights), "must be a path, or a pair of paths", "backbone and heads"
            )
        chosen = choose_providers(providers, precision)
        if weights is None:
            model = installed(name)
        else:
            files = [weights] if isinstance(weights, str | os.PathLike) else list(weights)
            if linear and len(files) != 2:
                raise ValueError(
                    f"weights names {len(files)} file(s): LPIPS takes a pair, backbone and heads; "
                    "with linear=False the backbone alone will do"
                )
            model = from_files(name, files)
        heads = [row for row in model.model.rows if row.role == "heads"]
        replace = {
            "norm_inside": np.full(1, self.preset.inside, np.float32),
            "norm_outside": np.full(1, self.preset.outside, np.float32),
        }
        if not linear:
            replace.update({row.name: np.ones(row.shape, np.float32) for row in heads})
        self.backbone = backbone
        self.linear = linear
        # A session cannot be pickled: what a worker gets makes its own.
        self._remake = partial(
            type(self),
            backbone,
            linear=linear,
            weights=weights,
            providers=providers,
            precision=precision,
            preset=preset,
        )
        self._smallest = model.model.smallest
        self._device_pixels = model.model.device_pixels or _BATCH_PIXELS
        self._model, self._plan, self._replace = model, chosen, replace
        self._sessions: dict[tuple[bool, bool], Session] = {}
        self._loading = Lock()
        self._session = self._loaded(spatial=False, winograd=True)
        self._large = Lock()
        self._strips: LpipsStrips | None = None
        self._whole_pixels = _WHOLE_PIXELS

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return self._remake, ()

    def _loaded(self, *, spatial: bool, winograd: bool) -> Session:
        """Session that gives maps or not, loaded when first asked for: those who want no maps do not pay for them."""
        outputs = ["distance", "per_layer", *(["spatial"] if spatial else [])]
        with self._loading:
            if (spatial, winograd) not in self._sessions:
                self._sessions[spatial, winograd] = Session(
                    self._model, self._plan, outputs, replace=self._replace, winograd=winograd
                )
            return self._sessions[spatial, winograd]

    def _session_for(self, images: Array, spatial: bool) -> Session:
        large = images.shape[1] * images.shape[2] >= _FEWEST_PIXELS
        return self._loaded(spatial=spatial, winograd=large or not self._session.uses_winograd)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What decides the digits of a result: version, preset, weights, provider, precision."""
        return {**self._session.fingerprint, "preset": self.preset.name, "linear": self.linear}

    def __call__(
        self,
        x: object,
        y: object,
        *,
        data_range: DataRange = None,
        spatial: bool = False,
        per_layer: bool = False,
        channel_axis: int | None = -1,
    ) -> Any:
        """Distance of each pair.

        Parameters
        ----------
        x, y : array_like, path, PIL image, or list of them
            Colour images (H, W, 3) or batches (N, H, W, 3) of the same shape and dtype, or files and PIL images of 8
            bits a channel, read as by :func:`pixelgauge.images.read_image`, gray repeated; pairs of those may differ in
            size from one another. A list of arrays of one shape is a batch.
        data_range : float or (float, float), optional
            R means 0..R, a pair means (low, high). Needed for float images: 1.0 for 0..1, ``(-1, 1)`` for what the
            original program takes.
        spatial : bool, default False
            Also return the map of distances, of the images' size.
        per_layer : bool, default False
            Also return the distance of each layer, whose sum is the distance.
        channel_axis : int, default -1
            Axis of the three channels, in a list that of each image.

        Returns
        -------
        distance : float or (N,) numpy.ndarray of float64
        map : (H, W) or (N, H, W) numpy.ndarray of float32
            Only with `spatial`; a list of (H, W) arrays for files of different sizes.
        layers : (L,) or (N, L) numpy.ndarray of float64
            Only with `per_layer`: 5 layers, 7 for ``"squeeze"``.

        Raises
        ------
        TypeError
            If an argument holds no pixels of a supported dtype and is no path, or a flag is not True or False.
        ImageFileError
            A ValueError: if a file cannot be read, has several frames, is CMYK, transparent or of more than 8 bits.
        ValueError
            If shapes differ, there are not three channels, an image is too small for the network, a PIL image is of
            several frames, transparent or of more than 8 bits, float images come without a range, or values lie outside
            the range or so far inside that another one must be meant.
        """
        flag("spatial", spatial)
        flag("per_layer", per_layer)
        for name, images in (("x", x), ("y", y)):
            if isinstance(images, list | tuple) and not images:
                raise ValueError(f"{name} is empty: name at least one file, or pass an array")
        # A PIL image beside an array is an array, beside a file or another PIL image it is read as a file.
        if (are_files(x) and are_files(y)) or _names_files(x) or _names_files(y):
            require_no_array_options(data_range, channel_axis)
            pairs, single = self._files(x, y)
        else:
            pairs, single = self._arrays(x, y, data_range, channel_axis)
        results = list(self._results(pairs, spatial))
        distance = np.concatenate([result["distance"] for result in results]).astype(np.float64)
        answer: list[Any] = [float(distance[0]) if single else distance]
        if spatial:
            maps = [result["spatial"] for result in results]
            if len({m.shape[1:] for m in maps}) == 1:
                together = np.concatenate(maps)
                answer.append(together[0] if single else together)
            else:
                answer.append([one for m in maps for one in m])
        if per_layer:
            layers = np.concatenate([result["per_layer"] for result in results]).astype(np.float64)
            answer.append(layers[0] if single else layers)
        return tuple(answer) if len(answer) > 1 else answer[0]

    def _arrays(self, x: object, y: object, data_range: DataRange, channel_axis: int | None) -> tuple[_Pairs, bool]:
        left, right = canonical_pair(x, y, channel_axis)
        require_colour(left, "x", "LPIPS")
        a, b, single = left.pixels, right.pixels, left.single
        low, high = checked_range({"x": a, "y": b}, data_range)
        self._check_size(a)
        if self._on_device:
            step = self._device_batch(a)
        else:
            # Where a provider may choose another algorithm for another batch, pairs go one by one.
            most = 1 if self._plan.fixed_batch else max(1, _BATCH_PIXELS // (a.shape[1] * a.shape[2]))
            step = 1 if len(a) >= 2 * self._session.threads else most
        count = -(-len(a) // step)
        return _Pairs(count, lambda i: (a[i * step :][:step], b[i * step :][:step]), step, low, high), single

    def _files(self, x: object, y: object) -> tuple[_Pairs, bool]:
        if not (are_files(x) and are_files(y)):
            raise TypeError("x and y must both be files or both be arrays")
        single = is_file(x)
        if single != is_file(y):
            raise ValueError("x and y must both be one file, or lists of as many files")
        (first, names), (second, other_names) = listed_files(x, "x"), listed_files(y, "y")
        if len(first) != len(second):
            raise ValueError(f"x names {len(first)} files and y {len(second)}: name as many")

        def read(i: int) -> tuple[Array, Array]:
            left, right = names[i], other_names[i]
            a, b = _read_file(first[i], left), _read_file(second[i], right)
            if a.shape != b.shape:
                raise ValueError(
                    f"{left} is {a.shape[0]} x {a.shape[1]} and {right} is {b.shape[0]} x {b.shape[1]} "
                    "(height x width): resize or crop one of them"
                )
            self._check_size(a[np.newaxis], left)
            return a[np.newaxis], b[np.newaxis]

        return _Pairs(len(first), read, 1, 0.0, 255.0), single

    def _check_size(self, images: Array, name: str = "x") -> None:
        height, width = images.shape[1:3]
        if min(height, width) < self._smallest:
            least = self._smallest
            problem = f"{name} is {height} x {width} (height x width)"
            remedy = f"{self.backbone} needs at least {least} x {least}; enlarge the images"
            raise ArgumentValueError(name, "", problem, remedy, kind="too_small", required=least)

    def _results(self, pairs: _Pairs, spatial: bool) -> Iterator[dict[str, Float32Array]]:
        session, each = self._session, range(pairs.count)
        if not self._on_device:
            if pairs.count < 2 * session.threads:
                return (self._run(pairs, *pairs.read(i), spatial) for i in each)
            return ordered_map(partial(self._side_by_side, pairs, spatial), each, session.threads, session.threads)

        def filled(batch: tuple[Array, Array]) -> dict[str, Float32Array]:
            count = len(batch[0])
            a, b = (filled_up(images, pairs.together) for images in batch)
            return {name: result[:count] for name, result in self._run(pairs, a, b, spatial).items()}

        if pairs.count == 1:  # threads would take longer to start than it takes
            return iter([filled(pairs.read(0))])
        return ordered_map(filled, ordered_map(pairs.read, each, session.threads, session.threads), session.at_once, 1)

    def _run(
        self, pairs: _Pairs, a: Array, b: Array, spatial: bool, threads: int | None = None
    ) -> dict[str, Float32Array]:
        """Distances, layers and, if asked for, maps of pairs of one size."""

        def signed(images: Array) -> Pixels:
            pixels, low, high = in_float32(images, pairs.low, pairs.high)
            return Pixels(pixels, 2 / (high - low), -1 - 2 * low / (high - low))

        if not self._goes_whole(a):
            strips = self._in_strips()
            each = [strips.run(a[i:][:1], b[i:][:1], signed, spatial=spatial, threads=threads) for i in range(len(a))]
            return {name: np.concatenate([one[name] for one in each]) for name in each[0]}
        return self._session_for(a, spatial).run({"x": signed(a), "y": signed(b)}, threads)

    def _goes_whole(self, images: Array) -> bool:
        pixels = images.shape[1] * images.shape[2]
        if pixels <= self._whole_pixels or self._plan.provider == OPENVINO:
            return True
        return self._on_device and pixels * self._in_strips().bytes_a_pixel <= _DEVICE_BYTES

    def _in_strips(self) -> LpipsStrips:
        """Make, or have made, what computes large images."""
        with self._loading:
            if self._strips is None:
                most = _DEVICE_BYTES if self._on_device else _STRIP_BYTES
                self._strips = LpipsStrips(self._session, most, in_parts=not self._on_device)
            return self._strips

    def _side_by_side(self, pairs: _Pairs, spatial: bool, i: int) -> dict[str, Float32Array]:
        """One of several runs at a time, on a thread each."""
        a, b = pairs.read(i)
        if a[..., 0].size * self._session.threads > _STREAM_PIXELS:
            with self._large:
                return self._run(pairs, a, b, spatial, self._session.threads)
        return self._run(pairs, a, b, spatial, 1)

    @property
    def _on_device(self) -> bool:
        """Whether batches go to a device, which may compute one of another size by another algorithm."""
        return self._plan.provider not in (CPU, OPENVINO)

    def together(self, images: Array) -> int:
        """Pairs of a stream that are best given in one call, of images like these, (N, H, W, C): one on the CPU.

        A device may compute another number of them by another algorithm, whose last bits differ: a stream whose scores
        must not depend on what comes with them fills every call up to this many.
        """
        if not self._on_device or images.dtype != np.uint8:
            return 1
        return min(self._device_most(images), _MOST_TOGETHER)

    def _device_most(self, images: Array) -> int:
        most = max(1, self._device_pixels // int(images.shape[1] * images.shape[2]))
        return 1 << (most.bit_length() - 1)

    def _device_batch(self, images: Array) -> int:
        """Pairs that a device computes at a time of a call's: a power of two, for each may cost it a search."""
        return min(self._device_most(images), 1 << (len(images) - 1).bit_length())


def filled_up(images: Array, count: int) -> Array:
    """Images (N, H, W, C) with black ones behind them, `count` altogether."""
    missing = count - len(images)
    return np.concatenate([images, np.zeros((missing, *images.shape[1:]), images.dtype)]) if missing else images
