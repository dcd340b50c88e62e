"""Features of images through any ONNX file: what it takes is read from the file, and what it gives checked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from threading import Lock
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pixelgauge import _core
from pixelgauge._version import __version__
from pixelgauge.checks import ArgumentTypeError, ArgumentValueError, one_of, whole_number
from pixelgauge.files.reading import FileError
from pixelgauge.full_reference.arguments import DataRange
from pixelgauge.images import Array, path_name
from pixelgauge.images.budget import budget_of
from pixelgauge.networks.any_graph import AnyGraph, require_one_input
from pixelgauge.networks.fitting import Crop, Fitting, Size, checked_fitting
from pixelgauge.networks.pixels import Float32Array
from pixelgauge.networks.providers import CPU, Precision, Providers, choose_providers, onnxruntime
from pixelgauge.parallel import ordered_map
from pixelgauge.perceptual.feature_outputs import FeatureOutputs
from pixelgauge.perceptual.image_batches import ImageSet, image_set
from pixelgauge.perceptual.image_features import ImageFeatures
from pixelgauge.perceptual.independence import require_independent_images
from pixelgauge.presets import FEATURE_PRESETS, IMAGENET_MEAN, IMAGENET_STD, FeaturePreset, preset_row

Tensor = npt.NDArray[Any]
Token = Literal["cls", "mean"]

LAYOUTS = {"nchw": (1, 2, 3), "nhwc": (3, 1, 2)}
"""Axes of channels, height and width."""
_FLOATS_A_PIXEL = 80
"""Bytes that resizing a decoded image in floats takes at most; in 8 bits it takes less than decoding does."""
_BATCH_OF_CPU, _BATCH_OF_DEVICE = 1, 32
"""On the CPU several images a run gain nothing, and a last batch that is padded is paid for."""


class OnnxFeatures(ImageFeatures):
    """Features of images through an ONNX file of any origin: DINOv2, CLIP, ConvNeXt, or a network of one's own.

    Parameters
    ----------
    path : path
        The file. External data is read beside it; custom operators are refused, and so is a graph of several inputs.
    preset : {"dinov2", "dinov2-eval", "clip", "cmmd", "convnext"}, optional
        Whose preprocessing to follow; see ``presets.FEATURE_PRESETS``. What is given beside it goes before it.
    output : str or list of str, optional
        Outputs of the graph, side by side in that order; needed where it has several. Each must be (N, D) after
        leaving out trailing axes of one.
    token : {"cls", "mean"}, optional
        What to take of an output (N, T, D), as transformers give with ``last_hidden_state``: the first token, or the
        mean over all T.
    size : int or (int, int), optional
        Shorter edge that images are resized to, or (height, width), which does not keep proportions. Default: the
        graph's own height and width where it fixes them and `crop` is not given, else images stay as they are.
    crop : int, (int, int) or "square", optional
        What is cut from the centre after resizing; ``"square"``: the largest square, before resizing.
    interpolation : {"bicubic", "bilinear", "lanczos", "box", "hamming", "nearest"}, default "bicubic"
        Pillow's filter.
    antialias : bool, default True
        Whether the filter widens where an image shrinks. True is Pillow's resize: of 8-bit images in 8 bits, of others
        in float32 and clipped to the range. False is PyTorch's ``interpolate``, "bilinear" or "bicubic", in floats.
    mean, std : three floats, optional
        On 0..1: the graph is given (x - mean) / std. Default: ImageNet's, (0.485, 0.456, 0.406) and
        (0.229, 0.224, 0.225). Not for graphs that take uint8, which scale pixels themselves.
    layout : {"nchw", "nhwc"}, default "nchw"
        Order of the input's axes.
    providers : str, sequence or None
        ``"cpu"``, ``"cuda"``, ``"openvino"`` or onnxruntime's providers. None: CUDA where a device answers, else the
        CPU.
    precision : {"float32", "tf32", "bf16"}, default "float32"
        ``"tf32"`` needs CUDA, ``"bf16"`` OpenVINO. A float16 graph computes in float16 whatever this is.
    batch_size : int, optional
        Images of each run, to which the last is padded. Default: 1 on the CPU, where runs go side by side, 32
        elsewhere. A graph that fixes its batch has its own, whatever is given.
    memory : int or str, optional
        Bytes that decoded images may take together, such as ``"2G"``; default half of the memory that the process may
        use. An image that takes more is decoded once no other is. No feature depends on it.

    Raises
    ------
    FileError
        A ValueError: if the file is no ONNX model, is truncated, needs custom operators, has external data elsewhere
        than beside it, takes several inputs, or gives no features.
    ValueError
        If outputs must be named, sizes do not fit the graph, or an argument is out of range.
    OSError
        If the file cannot be opened.
    ImportError
        If onnxruntime is not installed.
    ProviderError
        If a provider is not there or cannot do the precision.

    Notes
    -----
    The features are onnxruntime's, to the bit, on the tensor that :meth:`preprocess` gives, at the same batch and
    number of threads. Before the first image, a few runs over random pixels make sure that no image changes the
    features of its neighbours, and that a second run gives what the first gave; a graph where one does not hold
    (BatchNorm or dropout in training mode, dynamic quantisation) is refused.

    Examples
    --------
    >>> from pixelgauge import OnnxFeatures
    >>> features = OnnxFeatures("dinov2_vitl14.onnx", preset="dinov2")  # doctest: +SKIP
    >>> features("folder/").shape  # doctest: +SKIP
    (5000, 1024)
    """

    _network = "the graph"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        preset: str | None = None,
        output: str | Sequence[str] | None = None,
        token: Token | None = None,
        size: Size = None,
        crop: Crop = None,
        interpolation: str | None = None,
        antialias: bool | None = None,
        mean: Sequence[float] | float | None = None,
        std: Sequence[float] | float | None = None,
        layout: Literal["nchw", "nhwc"] = "nchw",
        providers: Providers = None,
        precision: Precision = "float32",
        batch_size: int | None = None,
        memory: int | str | None = None,
    ) -> None:
        if not isinstance(path, str | os.PathLike):
            raise ArgumentTypeError("path", repr(path), "must be the path of an ONNX file")
        file = path_name(path, "path")
        row = None if preset is None else preset_row(FEATURE_PRESETS, preset)
        one_of("layout", layout, LAYOUTS)
        if batch_size is not None:
            whole_number("batch_size", batch_size, 1)
        self._budget = budget_of(memory)
        fitting = _fitting(row, size, crop, interpolation, antialias, mean, std)
        plan = choose_providers(providers, precision)
        self.preset = preset
        self.layout = layout
        self._graph = AnyGraph(file, plan)
        self._input = require_one_input(self._graph)
        self._require_channels()
        if self._input.kind == "uint8":
            _require_whole_levels(self._graph, fitting, mean, std)
        self._fitting = self._fitted(fitting)
        fixed = self._input.sizes[0]
        self.batch_size = fixed or batch_size or (_BATCH_OF_CPU if plan.provider == CPU else _BATCH_OF_DEVICE)
        self._alone = batch_size == 1
        self._token = token
        self._outputs = FeatureOutputs(self._graph, output, token)
        self._independent_at: set[tuple[int, ...]] = set()
        self._probing = Lock()
        self._widths = self._found_widths()
        # A session cannot be pickled: what a worker gets makes its own.
        self._remake = partial(
            type(self),
            path,
            preset=preset,
            output=output,
            token=token,
            size=size,
            crop=crop,
            interpolation=interpolation,
            antialias=antialias,
            mean=mean,
            std=std,
            layout=layout,
            providers=providers,
            precision=precision,
            batch_size=batch_size,
            memory=memory,
        )

    @property
    def widths(self) -> dict[str, int]:
        """Values of each output, in the order of the columns."""
        return dict(self._widths)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What decides the digits of a result: file, outputs, preprocessing, batch, provider, precision, versions."""
        graph, fit = self._graph, self._fitting
        scaled = self._input.kind != "uint8"
        return {
            "version": __version__,
            "model": os.path.basename(graph.path),
            "weights_sha256": graph.weights_sha256,
            "graph_sha256": graph.sha256,
            "external_data": dict(graph.external),
            "preset": self.preset,
            "output": ",".join(self.widths),
            "token": self._token,
            "size": list(fit.size) if isinstance(fit.size, tuple) else fit.size,
            "crop": list(fit.crop) if isinstance(fit.crop, tuple) else fit.crop,
            "interpolation": fit.interpolation,
            "antialias": fit.antialias,
            "mean": list(fit.mean) if scaled else None,
            "std": list(fit.std) if scaled else None,
            "layout": self.layout,
            "batch_size": self.batch_size,
            "provider": graph.plan.provider,
            "precision": graph.plan.precision,
            "onnxruntime": onnxruntime().__version__,
        }

    def preprocess(
        self,
        images: object,
        *,
        data_range: DataRange = None,
        channel_axis: int | None = -1,
        gray: Literal["repeat"] | None = None,
    ) -> Tensor:
        """Make the tensor that the graph is given, all images in one batch; parameters as in :meth:`__call__`.

        Returns
        -------
        (N, 3, H, W) or (N, H, W, 3) numpy.ndarray
            Of the input's dtype.
        """
        found = image_set(images, self._network, data_range=data_range, channel_axis=channel_axis, gray=gray)
        shape = self._shape(found)
        made = ordered_map(
            lambda i: self._made(found, i, shape), range(len(found)), _core.get_num_threads(), len(found)
        )
        return np.concatenate(list(made))

    # ---- the input --------------------------------------------------------------------------------------------------

    def _require_channels(self) -> None:
        port, axis = self._input, LAYOUTS[self.layout][0]
        if port.sizes[axis] not in (None, 3):
            other = "nhwc" if self.layout == "nchw" else "nchw"
            fits = port.sizes[LAYOUTS[other][0]] == 3
            hint = f"pass layout={other!r}" if fits else "images of three channels are given"
            raise ValueError(
                f"layout={self.layout!r} has the channels on axis {axis}, and {self._graph.name} takes {port}: {hint}"
            )

    def _spatial(self) -> tuple[int | None, int | None]:
        """Height and width that the graph fixes, each None where it does not."""
        _, height, width = LAYOUTS[self.layout]
        return self._input.sizes[height], self._input.sizes[width]

    def _fitted(self, fitting: Fitting) -> Fitting:
        """Fit what was asked for to the size that the graph fixes, or raise a ``ValueError``."""
        height, width = self._spatial()
        if fitting.size is None and not isinstance(fitting.crop, tuple) and height is not None and width is not None:
            return replace(fitting, size=(height, width))
        made = fitting.fitted_size()
        wanted = f"{height or 'any'} x {width or 'any'}"
        asked = f"size={fitting.size!r} with crop={fitting.crop!r}"
        if made is not None and not all(own in (None, one) for own, one in zip((height, width), made, strict=True)):
            raise ValueError(f"{asked} makes images of {made[0]} x {made[1]}, and {self._graph.name} takes {wanted}")
        edges = [edge for edge in (height, width) if edge is not None]
        least = min(edges, default=fitting.size)
        if (
            made is None
            and isinstance(fitting.size, int)
            and (
                least < fitting.size or (len(edges) == 2 and least > fitting.size)  # type: ignore[operator]
            )
        ):
            raise ValueError(
                f"{asked} makes images with a shorter edge of {fitting.size}, and {self._graph.name} takes {wanted}: "
                "give crop= too, or size as (height, width)"
            )
        return fitting

    def _known_size(self) -> tuple[int, int] | None:
        """Height and width of what the graph is given, where that is known before an image is."""
        height, width = self._spatial()
        if height is not None and width is not None:
            return height, width
        return self._fitting.fitted_size()

    def _tensor(self, pixels: Array, low: float, high: float, name: str) -> Tensor:
        """(1, H, W, 3) pixels as a batch of one."""
        fit, kind = self._fitting, self._input.kind
        if pixels.dtype == np.uint8 and (low, high) == (0, 255) and fit.antialias:
            levels = fit.levels(pixels[0], name)
            # A look into the table for each value is the arithmetic on each value, and quicker.
            values: Tensor = (
                levels if kind == "uint8" else np.stack([fit.table[levels[..., c], c] for c in range(3)], -1)
            )
        elif kind == "uint8":
            raise ValueError(
                f"{name} has dtype {pixels.dtype}, and {self._graph.name} takes 8 bits: round it, and pass uint8"
            )
        else:
            values = fit.normalised(fit.units(pixels[0], low, high, name))
        for made, own in zip(values.shape[:2], self._spatial(), strict=True):
            if own not in (None, made):
                height, width = values.shape[:2]
                raise ValueError(
                    f"{name} becomes {height} x {width}, and {self._graph.name} takes {self._input}: give crop= too, "
                    "or size as (height, width)"
                )
        if self.layout == "nchw":
            values = values.transpose(2, 0, 1)
        return np.ascontiguousarray(values[np.newaxis], np.dtype(kind))

    def _made(self, images: ImageSet, i: int, shape: tuple[int, ...]) -> Tensor:
        """Tensor of one image, whose size must be that of the first."""
        tensor = self._made_of(
            images,
            i,
            lambda pixels: self._tensor(pixels, images.low, images.high, images.names[i]),
            0 if self._fitting.antialias else _FLOATS_A_PIXEL,
        )
        if shape not in ((), tensor.shape):
            raise ValueError(
                f"{images.names[i]} becomes {tensor.shape[1:]} and {images.names[0]} {shape[1:]}: the images of a call "
                "need one size; give size as (height, width), or crop"
            )
        return tensor

    def _shape(self, images: ImageSet) -> tuple[int, ...]:
        """Shape of each image's tensor; where nothing else tells it, the first image does."""
        size = self._known_size()
        return self._made(images, 0, ()).shape if size is None else self._of_levels(_black(1, size)).shape

    # ---- the output -------------------------------------------------------------------------------------------------

    def _found_widths(self) -> dict[str, int]:
        """Values of each output, in the order of the columns; a run tells them where the graph does not."""
        found = self._outputs.widths()
        if found is not None:
            return found
        size = self._known_size()
        if size is None:
            reason = f"says not how wide its output is ({self._outputs}), nor how large its images are"
            raise FileError(self._graph.path, reason, "pass size as (height, width), with which that is tried")
        tried = self._run(self._of_levels(_black(1, size)), self._few)
        return {name: values.shape[1] for name, values in zip(self._outputs.names, tried, strict=True)}

    @property
    def _few(self) -> int:
        """Images of a run in which something is only tried: neighbours too, unless it was said that none has any."""
        return self._input.sizes[0] or (1 if self._alone else 2)

    def _run(self, batch: Tensor, size: int, threads: int = 1) -> list[Float32Array]:
        """(N, D) features of each output; the batch is padded to a size by its last image."""
        count = len(batch)
        if count < size:
            batch = np.concatenate([batch, np.repeat(batch[-1:], size - count, axis=0)])
        results = self._outputs.columns(self._graph.run(self._outputs.names, batch, threads), len(batch))
        return [values[:count] for values in results]

    def _features(self, names: Sequence[str], tensors: Sequence[Tensor], threads: int) -> Float32Array:
        """Features of the images of one run."""
        found = np.concatenate(self._run(np.concatenate(tensors), self.batch_size, threads), axis=1)
        if found.shape[1] != self.dim:
            raise ValueError(f"{self._graph.name} gives {found.shape[1]} features, and {self.dim} before")
        finite = np.isfinite(found).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"{self._graph.name} gives features of {names[int(np.argmin(finite))]} that are not finite: look at "
                "mean and std, and at the precision of the graph"
            )
        return found

    def _each(self, images: ImageSet) -> Iterator[Float32Array]:
        """Features of images, a batch at a time."""
        if not images.names:
            return iter(())
        shape = self._shape(images)
        self._require_independent(shape[1:])
        threads, size = self._graph.threads, self.batch_size
        runs = [range(len(images))[start : start + size] for start in range(0, len(images), size)]
        if self._graph.plan.provider == CPU and len(runs) >= 2 * threads:
            # Each thread takes its images from their files to their features, and waits for no other within a layer.
            def side_by_side(run: range) -> Float32Array:
                return self._features(
                    images.names[run.start : run.stop], [self._made(images, i, shape) for i in run], 1
                )

            return ordered_map(side_by_side, runs, threads, threads)
        tensors = ordered_map(lambda i: self._made(images, i, shape), range(len(images)), threads, size)
        named = ((images.names[run.start : run.stop], list(islice(tensors, len(run)))) for run in runs)
        return ordered_map(lambda some: self._features(*some, threads), named, 1, 1)

    def _of_levels(self, pixels: npt.NDArray[np.uint8]) -> Tensor:
        """(N, H, W, 3) pixels as the graph takes them, at the size that they have."""
        values: Tensor = pixels
        if self._input.kind != "uint8":
            values = self._fitting.normalised(pixels.astype(np.float32) / np.float32(255))
        if self.layout == "nchw":
            values = values.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(values, np.dtype(self._input.kind))

    def _require_independent(self, shape: tuple[int, ...]) -> None:
        """Raise a ``ValueError`` if one image changes the features of another; tried once for a size."""
        with self._probing:
            if shape in self._independent_at:
                return
            _, height, width = (shape[axis - 1] for axis in LAYOUTS[self.layout])
            half = self._input.kind == "float16" or self._outputs.in_float16
            require_independent_images(
                lambda pixels: np.concatenate(self._run(self._of_levels(pixels), len(pixels)), axis=1),
                (self._few, height, width, 3),
                exact=self._graph.plan.precision == "float32" and not half,
                path=self._graph.name,
                free=self._input.sizes[0] is None,
            )
            self._independent_at.add(shape)


def _black(count: int, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    return np.zeros((count, *size, 3), np.uint8)


def _fitting(row: FeaturePreset | None, *given: Any) -> Fitting:
    """Fitting of what was given, then of the preset, then of the defaults."""
    defaults = (None, None, "bicubic", True, IMAGENET_MEAN, IMAGENET_STD)
    if row is not None:
        defaults = (row.size, row.crop, row.interpolation, row.antialias, row.mean, row.std)  # type: ignore[assignment]
    chosen = [default if one is None else one for one, default in zip(given, defaults, strict=True)]
    return checked_fitting(*chosen)


def _require_whole_levels(graph: AnyGraph, fitting: Fitting, mean: object, std: object) -> None:
    """Raise a ``ValueError`` if a graph of 8-bit pixels is to be given anything else."""
    for name, value in (("mean", mean), ("std", std)):
        if value is not None:
            problem = f"would not be used: {graph.name} takes 8-bit pixels and scales them itself"
            raise ArgumentValueError(name, repr(value), problem, "leave it out")
    if not fitting.antialias:
        problem = f"gives fractions, and {graph.name} takes 8-bit pixels"
        raise ArgumentValueError("antialias", "False", problem, "leave it out")
