"""ONNX sessions: the only file that imports onnxruntime, and only when a session is first made."""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import math
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Lock
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, get_args

import numpy as np
import numpy.typing as npt

from pixelgauge import _core
from pixelgauge._version import __version__
from pixelgauge.checks import whole_number
from pixelgauge.files.reading import FileError, cause, open_regular
from pixelgauge.full_reference.ssim import DataRange
from pixelgauge.images import (
    Array,
    ImageFileError,
    Images,
    canonical_images,
    is_picture,
    path_name,
    value_range_bounds,
)
from pixelgauge.images.folders import list_images
from pixelgauge.images.tiff import libtiff_errors_raised
from pixelgauge.networks.graph_rewrite import Tiles, cut, with_unit_differences, with_winograd
from pixelgauge.networks.store import Installed, from_files, installed
from pixelgauge.presets import INCEPTION_PRESETS, InceptionPreset, preset_row

if TYPE_CHECKING:
    pass

Float32Array = npt.NDArray[np.float32]
Precision = Literal["float32", "tf32", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
Paths = str | Path | Sequence[str | Path]
Providers = str | Sequence[str | tuple[str, Mapping[str, Any]]] | None

_SHORT_NAMES: Mapping[str, str] = MappingProxyType(
    {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "openvino": "OpenVINOExecutionProvider"}
)
CPU, CUDA, OPENVINO = _SHORT_NAMES.values()


class ProviderError(RuntimeError):
    """An execution provider that is not installed, has no device, or cannot do what was asked."""


def onnxruntime() -> ModuleType:
    """Import onnxruntime, or raise an ``ImportError`` that says which extra brings it."""
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise ImportError(
            "learned metrics need onnxruntime: pip install 'pixelgauge[cpu]' (or [gpu], or [openvino])"
        ) from error
    return cast(ModuleType, ort)


def cuda_devices() -> int:
    """CUDA devices that the driver shows; 0 without a driver."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def facts() -> dict[str, Any]:
    """Tell what this machine has for the networks and what would be used, for ``pixelgauge info``."""
    try:
        ort = onnxruntime()
    except ImportError:
        return {"onnxruntime": "not installed: pip install 'pixelgauge[cpu]' (or [gpu], or [openvino])"}
    chosen = {}
    for precision in PRECISIONS:
        try:
            chosen[precision] = plan(precision=precision).provider
        except ProviderError as error:
            chosen[precision] = f"no: {error}"
    return {
        "onnxruntime": ort.__version__,
        "providers": list(ort.get_available_providers()),
        "cuda_devices": cuda_devices(),
        "precisions": chosen,
    }


@dataclass(frozen=True)
class Plan:
    """How a session will run: decided before onnxruntime is asked, so that it can be inspected without a device."""

    providers: tuple[tuple[str, Mapping[str, Any]], ...]
    precision: Precision
    fixed_batch: bool
    """Pad each batch to one size: a provider may choose another algorithm for another shape."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that are set, unless they are, before the provider is loaded."""

    @property
    def provider(self) -> str:
        """Provider that runs what it can; those after it take the rest."""
        return self.providers[0][0]


def plan(
    providers: Providers = None,
    precision: Precision = "float32",
    *,
    available: Sequence[str] | None = None,
    devices: int | None = None,
) -> Plan:
    """Choose providers and their options.

    Parameters
    ----------
    providers : str, sequence or None
        ``"cpu"``, ``"cuda"``, ``"openvino"``, an onnxruntime provider's name, or a sequence of such names or
        (name, options) pairs, which are passed on with their options. None: CUDA when onnxruntime has it and a device
        answers, else the CPU; for ``precision="bf16"`` OpenVINO.
    precision : {"float32", "tf32", "bf16"}
        ``"tf32"`` needs CUDA, ``"bf16"`` OpenVINO.
    available : sequence of str, optional
        Providers of the installed onnxruntime, which is asked by default.
    devices : int, optional
        CUDA devices, which the driver is asked for by default.

    Raises
    ------
    ProviderError
        If a provider is not installed, has no device, or cannot do the precision.
    ValueError
        For a name or precision that is not known.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r} is not known: use 'float32', 'tf32' or 'bf16'")
    have = list(onnxruntime().get_available_providers() if available is None else available)
    if providers is None:
        if precision == "bf16":
            chosen: list[tuple[str, Mapping[str, Any]]] = [(OPENVINO, {})]
        elif CUDA in have and (cuda_devices() if devices is None else devices) > 0:
            chosen = [(CUDA, {}), (CPU, {})]
        else:
            chosen = [(CPU, {})]
    else:
        if not isinstance(providers, str | list | tuple):
            raise TypeError(f"providers={providers!r} must be a name, or a list of names and (name, options) pairs")
        chosen = [_named(item) for item in ([providers] if isinstance(providers, str) else providers)]
        if not chosen:
            raise ValueError("providers is empty: name one, or pass None")
    for name, _ in chosen:
        if name not in have:
            extra = {CUDA: "gpu", OPENVINO: "openvino"}.get(name)
            hint = f"pip install 'pixelgauge[{extra}]', or " if extra else ""
            raise ProviderError(f"this onnxruntime has no {name}: {hint}use one of {', '.join(have)}")
    first = chosen[0][0]
    if first == CUDA and (cuda_devices() if devices is None else devices) == 0:
        raise ProviderError("CUDAExecutionProvider was asked for, but no CUDA device answers: use providers='cpu'")
    if precision == "tf32" and first != CUDA:
        raise ProviderError(f"precision='tf32' needs CUDA, not {first}")
    if precision == "bf16" and first != OPENVINO:
        raise ProviderError(f"precision='bf16' needs OpenVINO, not {first}: pip install 'pixelgauge[openvino]'")
    defaults = {CUDA: _cuda_options, OPENVINO: _openvino_options}
    full = tuple((name, {**(defaults[name](precision) if name in defaults else {}), **given}) for name, given in chosen)
    # A path of cuDNN has used TF32 whatever use_tf32 said; the driver's own switch covers it.
    environment = {"NVIDIA_TF32_OVERRIDE": "0"} if first == CUDA and precision == "float32" else {}
    return Plan(full, precision, fixed_batch=first != CPU, environment=environment)


def _named(item: str | tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    pair = (item, {}) if isinstance(item, str) else item
    if not (
        isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], Mapping)
    ):
        raise TypeError(f"providers: {item!r} must be a name or a pair of a name and a dict of options, in a list")
    name, options = pair
    full = _SHORT_NAMES.get(name, name)
    if not full.endswith("ExecutionProvider"):
        raise ValueError(
            f"provider {name!r} is not known: use {', '.join(map(repr, _SHORT_NAMES))} or onnxruntime's name"
        )
    return full, options


def _cuda_options(precision: Precision) -> dict[str, str]:
    tensor_cores = "1" if precision == "tf32" else "0"
    return {
        "use_tf32": tensor_cores,
        # Tensor cores want channels last; the float32 kernels do not, and would pay for transposing.
        "prefer_nhwc": tensor_cores,
        # The search runs once, since the batch is padded to one shape.
        "cudnn_conv_algo_search": "EXHAUSTIVE",
    }


def _openvino_options(precision: Precision) -> dict[str, str]:
    # On a CPU with AMX OpenVINO computes in bf16 unless told otherwise.
    # A stream a thread: runs side by side do not wait for one another within a layer.
    hint = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "NUM_STREAMS": str(_core.get_num_threads()),
    }
    return {"device_type": "CPU", "load_config": json.dumps({"CPU": hint})}


def session_providers(plan: Plan, one_shape: bool) -> list[tuple[str, dict[str, Any]]]:
    """List a plan's providers for onnxruntime; with CUDA, runs of `one_shape` are recorded as a CUDA graph."""
    graph = {"enable_cuda_graph": "1"} if one_shape else {}
    return [(name, {**(graph if name == CUDA else {}), **given}) for name, given in plan.providers]


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


_Result = TypeVar("_Result")


def in_order(call: Callable[[int], _Result], count: int, threads: int, ahead: int) -> Iterator[_Result]:
    """Results of call(0) ... call(count - 1), in order, from so many threads that run at most `ahead` calls ahead."""
    with ThreadPoolExecutor(threads, "pixelgauge-network") as pool:
        try:
            waiting: deque[Future[_Result]] = deque()
            for i in range(count):
                waiting.append(pool.submit(call, i))
                if len(waiting) > ahead + threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def batched(arrays: Iterator[Float32Array], count: int) -> Iterator[Float32Array]:
    """Join `count` arrays at a time along their first axis; the last may be fewer."""
    while some := list(islice(arrays, count)):
        yield np.concatenate(some)


# ---- images for the networks --------------------------------------------------------------------------------------


def read_rgb(image: Any, name: str = "image") -> npt.NDArray[np.uint8]:
    """Decode to (H, W, 3) uint8 as programs that compute FID do, which is Pillow's ``convert("RGB")``.

    Alpha is dropped, gray repeated, palettes are applied, CMYK is converted, orientation tags are ignored, and the
    first frame of an animation is read.

    Parameters
    ----------
    image : path, PIL.Image.Image, or object with ``read``
        A file, what Pillow made of one, or what reads the bytes of one: the same numbers, of an animation those of the
        frame it stands at.
    name : str
        What to call anything but a path in messages.

    Raises
    ------
    ImageFileError
        A ValueError: if a file or its bytes are no image, damaged, or have more than 8 bits a channel, which a
        conversion would clip.
    ValueError
        If a PIL image has more than 8 bits a channel, or cannot be loaded.
    OSError
        If a file cannot be opened.
    """
    if is_picture(image):
        if not _is_deep(image.mode):
            try:
                return np.asarray(image.convert("RGB"))
            except MemoryError:
                raise
            except Exception as error:  # what Pillow's plugins raise
                raise ValueError(
                    f"{name} is a PIL image of mode {image.mode} that cannot be made RGB ({error}): its file may be "
                    "truncated, damaged or closed"
                ) from error
        raise ValueError(f"{name} has more than 8 bits a channel (mode {image.mode}): convert it to 8 bits first")
    from PIL import Image, UnidentifiedImageError

    is_path = isinstance(image, str | os.PathLike)
    path = path_name(image, name) if is_path else name
    try:
        with _openable(path if is_path else image) as file, Image.open(file) as opened:
            if not _is_deep(opened.mode):
                libtiff = getattr(opened, "use_load_libtiff", False)
                with libtiff_errors_raised() if libtiff else contextlib.nullcontext():
                    return np.asarray(opened.convert("RGB"))
    except (FileError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise ImageFileError(path, "is not an image that Pillow can read") from error
    except OSError as error:
        if is_path and error.filename is not None:
            raise
        raise ImageFileError(path, f"is damaged: {cause(error)}") from error
    except Image.DecompressionBombError as error:
        raise ImageFileError(path, f"is refused by Pillow: {cause(error)}") from error
    except Exception as error:  # Pillow's plugins raise whatever a damaged file leads them to
        raise ImageFileError(path, f"is damaged: {cause(error)}") from error
    reason = f"has more than 8 bits a channel (mode {opened.mode})"
    raise ImageFileError(path, reason, "convert it to 8 bits first")


@contextmanager
def _openable(image: Any) -> Iterator[Any]:
    """Hand out what Pillow is to open: a path as it is, as the programs do, or the bytes of an encoded image.

    Of bytes it turns every TIFF as its tag says, of a path some: there those bytes get one.
    """
    if isinstance(image, str):
        open_regular(image, ImageFileError).close()  # never waits for a pipe; Pillow itself is given the path
        yield image
    elif (data := image.read())[:4] not in _TIFF_STARTS:
        yield io.BytesIO(data)
    else:
        with tempfile.NamedTemporaryFile(prefix="pixelgauge-", suffix=".tiff") as file:
            file.write(data)
            file.flush()
            yield file.name


_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _is_deep(mode: str) -> bool:
    return mode in ("I", "F") or mode.startswith("I;")


def in_float32(pixels: npt.NDArray[Any], low: float, high: float) -> tuple[npt.NDArray[Any], float, float]:
    """Pixels and their bounds as float32 arithmetic can scale them without losing digits.

    Ranges far from zero, of which little is left after subtracting `low`, and those near the ends of float32 are scaled
    to 0..1 in float64; others stay as they are.
    """
    length = high - low
    if 1e-30 <= length <= 1e30 and max(abs(low), abs(high)) <= 4 * length:
        return pixels, low, high
    return (pixels.astype(np.float64) - low) / length, 0.0, 1.0


def network_input(images: npt.NDArray[Any], scale: float, offset: float) -> Float32Array:
    """(N, H, W, 3) of any kernel dtype to (N, 3, H, W) float32, each value times `scale` plus `offset`."""
    # At its own size, resizing is a change of layout and scale.
    return _core.resize(
        images, _core.ResizeRule.half_pixel, images.shape[1], images.shape[2], scale, offset, -math.inf, math.inf
    )


def is_file(x: object) -> bool:
    """Whether an argument is a file or, which is read by the same rules, a PIL image: not an array."""
    return isinstance(x, str | os.PathLike) or is_picture(x)


def are_files(x: object) -> bool:
    """Whether an argument is a file, a PIL image or a list of them."""
    return is_file(x) or (isinstance(x, list | tuple) and len(x) > 0 and all(map(is_file, x)))


def listed_files(x: Any, name: str) -> tuple[list[Any], list[str]]:
    """Files and PIL images of an argument, and what to call them in messages."""
    items = [x] if is_file(x) else list(x)
    names = [name] if is_file(x) else [f"{name}[{i}]" for i in range(len(items))]
    return items, [of if is_picture(item) else path_name(item, of) for item, of in zip(items, names, strict=True)]


def require_colour(images: Images, name: str, network: str) -> None:
    """Raise a ``ValueError`` unless the images have three channels; it suggests the axis that has three."""
    channels = images.pixels.shape[3]
    if channels == 3:
        return
    shape = images.in_layout(images.pixels).shape
    axis = 0 if images.single else 1
    hint = "repeat a gray channel three times, drop alpha"
    if len(shape) == axis + 3 and shape[axis] == 3:
        hint = f"its shape is {shape}, so pass channel_axis={axis}"
    raise ValueError(f"{name} has {channels} channel(s): {network} takes colour images; {hint}")


def require_no_array_options(data_range: DataRange, channel_axis: int | None) -> None:
    """Raise a ``ValueError`` if options for arrays are given with files."""
    if data_range is not None:
        raise ValueError(f"data_range={data_range!r} is for arrays: files and PIL images are decoded to 8 bits")
    if channel_axis != -1:
        raise ValueError(f"channel_axis={channel_axis!r} is for arrays: leave it out for files and PIL images")


def checked_range(
    images: Mapping[str, Array], data_range: DataRange, together: str | None = None
) -> tuple[float, float]:
    """Bounds of the declared range, which the images must fit: not beyond it, and not plainly in another one.

    Parameters
    ----------
    images : mapping of str to array
        By the argument's name, for messages.
    data_range : float, (float, float) or None
    together : str, optional
        What to call all of them; default their names.

    Raises
    ------
    ValueError
        If values lie outside the range, are NaN or infinite; or if float images declared as (-1, 1) have no negative
        value, or declared as 0..255 lie in 0..1 without being whole numbers.
    """
    dtype = next(iter(images.values())).dtype
    low, high = value_range_bounds(data_range, dtype)
    bounds = {name: _bounds(name, pixels) for name, pixels in images.items()}
    for name, (least, most) in bounds.items():
        if least < low or most > high:
            signed = -1 <= least < 0 and most <= 1 and low == 0
            hint = "; for images in -1..1 pass data_range=(-1, 1)" if signed else ""
            raise ValueError(f"{name} has values in {least:g}..{most:g}, outside data_range={data_range!r}{hint}")
    least, most = min(b[0] for b in bounds.values()), max(b[1] for b in bounds.values())
    if dtype.kind == "f" and least < most:
        names = together or " and ".join(images)
        if low < 0 and least >= 0:
            raise ValueError(
                f"{names}: no value below zero ({least:g}..{most:g}), though data_range={data_range!r}. For images in "
                "0..1 pass data_range=1.0; if they really are that bright, pass (x - low) / (high - low) with "
                "data_range=1.0"
            )
        if high > 2 and low == 0 and most <= 1 and any((pixels != np.rint(pixels)).any() for pixels in images.values()):
            raise ValueError(
                f"{names}: no value above one ({least:g}..{most:g}), though data_range={data_range!r}. For images in "
                "0..1 pass data_range=1.0; if they really are that dark, divide them by the range and pass "
                "data_range=1.0"
            )
    return low, high


def _bounds(name: str, pixels: Array) -> tuple[float, float]:
    try:
        return _core.value_range(pixels)
    except ValueError as error:
        raise ValueError(f"{name}: {error}: remove or replace such values first") from error


# ---- Inception ----------------------------------------------------------------------------------------------------

INCEPTION_SIZE = 299


def side_by_side(outputs: list[Float32Array]) -> Float32Array:
    """Join a network's outputs along the columns."""
    return outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=1)


_STREAM_BATCH = 8
"""Images a run of OpenVINO: more gain nothing, and fewer of the last are padding."""
INCEPTION_OUTPUTS: Mapping[str, int] = MappingProxyType(
    {"64": 64, "192": 192, "768": 768, "2048": 2048, "spatial": 2023, "logits": 1008, "logits_unbiased": 1008}
)
"""Features by name: how many values each has."""


class InceptionFeatures:
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

    def __init__(
        self,
        preset: str = "pytorch-fid",
        *,
        output: str | list[str] | tuple[str, ...] = "2048",
        weights: str | Path | None = None,
        providers: Providers = None,
        batch_size: int = 32,
        precision: Precision = "float32",
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
        chosen = plan(providers, precision)
        model = installed("inception-fid") if weights is None else from_files("inception-fid", [weights])
        self.output = output
        self.batch_size = int(batch_size)
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
        )

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return self._remake, ()

    @property
    def widths(self) -> dict[str, int]:
        """Values of each output, in the order of the columns."""
        return {name: INCEPTION_OUTPUTS[name] for name in self._session.outputs}

    @property
    def dim(self) -> int:
        """Values a feature has, those of all outputs together."""
        return sum(self.widths.values())

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What decides the digits of a result: version, preset, output, weights, provider, precision."""
        return {**self._session.fingerprint, "preset": self.preset.name, "output": ",".join(self._session.outputs)}

    def __call__(self, images: object, *, data_range: DataRange = None, channel_axis: int | None = -1) -> Float32Array:
        """Features of images.

        Parameters
        ----------
        images : array_like, path, PIL image, or list of them
            Colour images (N, H, W, 3), one (H, W, 3), or a list of (H, W, 3) of any sizes; or files, a folder of them
            with its subfolders, and PIL images of any sizes, which become 8-bit RGB by Pillow's ``convert("RGB")``, as
            in the programs that publish FID.
        data_range : float or (float, float), optional
            R means 0..R, a pair means (low, high). Needed for float images, which are scaled to 0..255 and not rounded:
            a program that converts to 8 bits first gives other digits.
        channel_axis : int, default -1
            Axis of the three channels, in a list that of each image.

        Returns
        -------
        (N, D) numpy.ndarray of float32

        Raises
        ------
        TypeError
            If the argument holds no pixels of a supported dtype, is no path, or is a list of arrays and of others.
        ValueError
            If there are not three channels, float images come without a range, or values lie outside the range or so
            far inside that another one must be meant.
        ImageFileError
            A ValueError: if a file cannot be decoded; the message names it.
        OSError
            If a file cannot be opened.
        """
        batches = list(self.batches(images, data_range=data_range, channel_axis=channel_axis))
        return np.concatenate(batches)

    def batches(
        self, images: object, *, data_range: DataRange = None, channel_axis: int | None = -1
    ) -> Iterator[Float32Array]:
        """Features as they are computed, at most `batch_size` at a time; parameters as in :meth:`__call__`."""
        if are_files(images):
            require_no_array_options(data_range, channel_axis)
            if isinstance(images, str | os.PathLike) and os.path.isdir(images):
                images = list_images(images)
            return self.batches_of_files(*listed_files(images, "images"))
        if isinstance(images, list | tuple):
            return self._batches_of_list(images, data_range, channel_axis)
        found = canonical_images(images, "images", channel_axis)
        require_colour(found, "images", "Inception")
        pixels = found.pixels
        low, high = checked_range({"images": pixels}, data_range)
        return self._each(len(pixels), lambda i: self.resized(pixels[i : i + 1], low, high))

    def batches_of_files(self, files: Sequence[Any], names: Sequence[str]) -> Iterator[Float32Array]:
        """Features of paths, PIL images and encoded images with ``read``, which messages call by their `names`."""
        return self._each(len(files), lambda i: self.resized(read_rgb(files[i], names[i])[np.newaxis]))

    def _batches_of_list(
        self, images: Sequence[object], data_range: DataRange, channel_axis: int | None
    ) -> Iterator[Float32Array]:
        """Features of a list of arrays, which may differ in size."""
        if not images:
            raise ValueError("images is empty: name at least one file, or pass an array")
        if any(map(is_file, images)):
            raise TypeError("images holds arrays beside files or PIL images: pass them in two calls")
        pixels: dict[str, Array] = {}
        for i, item in enumerate(images):
            name = f"images[{i}]"
            found = canonical_images(item, name, channel_axis)
            if not found.single:
                raise ValueError(f"{name} is a batch: a list holds single images; join batches with numpy.concatenate")
            require_colour(found, name, "Inception")
            pixels[name] = found.pixels
            if found.pixels.dtype != pixels["images[0]"].dtype:
                dtypes = f"{found.pixels.dtype} and images[0] {pixels['images[0]'].dtype}"
                raise ValueError(f"{name} has dtype {dtypes}: convert one of them")
        low, high = checked_range(pixels, data_range, "images")
        each = list(pixels.values())
        return self._each(len(each), lambda i: self.resized(each[i], low, high))

    def resized(self, pixels: Array, low: float = 0.0, high: float = 255.0) -> Float32Array:
        """Turn (N, H, W, 3) pixels in low..high into the network's input, (N, 3, 299, 299), by the preset."""
        row = self.preset
        pixels, low, high = in_float32(pixels, low, high)
        levels = 255 / (high - low)
        scale, offset = row.scale * levels, row.offset - row.scale * levels * low
        bounds = (row.offset, row.scale * 255 + row.offset) if row.clips else (-math.inf, math.inf)
        rule = getattr(_core.ResizeRule, row.resize)
        return _core.resize(pixels, rule, INCEPTION_SIZE, INCEPTION_SIZE, scale, offset, *bounds)

    def _each(self, count: int, one: Callable[[int], Float32Array]) -> Iterator[Float32Array]:
        """Features of images that `one` decodes and resizes, a batch at a time."""
        session, size, provider = self._session, self._run_size, self._session.plan.provider
        if provider == CPU and count >= 2 * session.threads:
            # Each thread takes an image from its file to its feature.
            def alone(i: int) -> Float32Array:
                return side_by_side(session.run({"images": one(i)}, threads=1))

            return batched(in_order(alone, count, session.threads, size), size)
        if provider == OPENVINO:  # each thread a batch, on a stream of its own

            def some(batch: int) -> Float32Array:
                return self._features(np.concatenate([one(i) for i in range(count)[batch * size :][:size]]))

            return batched(in_order(some, -(-count // size), session.threads, session.threads), self.batch_size // size)
        return map(self._features, batched(in_order(one, count, session.threads, size), size))

    def _features(self, batch: Float32Array) -> Float32Array:
        count = len(batch)
        if self._session.plan.fixed_batch and count < self._run_size:
            batch = np.concatenate([batch, np.zeros((self._run_size - count, *batch.shape[1:]), np.float32)])
        return side_by_side(self._session.run({"images": batch}))[:count]
