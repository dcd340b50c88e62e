"""ONNX sessions: the only file that imports onnxruntime, and only when a session is first made."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from pixelgauge import _core
from pixelgauge._version import __version__
from pixelgauge.model_store import Installed

Float32Array = npt.NDArray[np.float32]
Precision = Literal["float32", "tf32", "bf16"]
Providers = str | Sequence[str | tuple[str, Mapping[str, Any]]] | None

_SHORT_NAMES: Mapping[str, str] = MappingProxyType(
    {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "openvino": "OpenVINOExecutionProvider"}
)
CPU, CUDA, OPENVINO = _SHORT_NAMES.values()


class ProviderError(RuntimeError):
    """An execution provider that is not installed, has no device, or cannot do what was asked."""


def onnxruntime() -> ModuleType:
    """The onnxruntime module, or an ``ImportError`` that says which extra brings it."""
    try:
        import onnxruntime as ort  # type: ignore[import-untyped]
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


@dataclass(frozen=True)
class Plan:
    """How a session will run: decided before onnxruntime is asked, so that it can be inspected without a device."""

    providers: tuple[tuple[str, Mapping[str, Any]], ...]
    precision: Precision
    fixed_batch: bool
    """Pad each batch to one size: a provider may choose another algorithm for another shape."""
    config: Mapping[str, str] = field(default_factory=dict)
    """Session configuration entries."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that are set, unless they are, before the provider is loaded."""

    @property
    def provider(self) -> str:
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
    if precision not in ("float32", "tf32", "bf16"):
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
    defaults = {CUDA: _cuda_options(precision), OPENVINO: _openvino_options(precision)}
    full = tuple((name, {**defaults.get(name, {}), **options}) for name, options in chosen)
    # A path of cuDNN has used TF32 whatever use_tf32 said; the driver's own switch covers it.
    environment = {"NVIDIA_TF32_OVERRIDE": "0"} if first == CUDA and precision == "float32" else {}
    return Plan(full, precision, fixed_batch=first != CPU, environment=environment)


def _named(item: str | tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    name, options = (item, {}) if isinstance(item, str) else item
    full = _SHORT_NAMES.get(name, name)
    if not full.endswith("ExecutionProvider"):
        raise ValueError(
            f"provider {name!r} is not known: use {', '.join(map(repr, _SHORT_NAMES))} or onnxruntime's name"
        )
    return full, options


def _cuda_options(precision: Precision) -> dict[str, str]:
    # The exhaustive search runs once, since the batch is padded to one shape.
    return {"use_tf32": "1" if precision == "tf32" else "0", "cudnn_conv_algo_search": "EXHAUSTIVE"}


def _openvino_options(precision: Precision) -> dict[str, str]:
    # On a CPU with AMX OpenVINO computes in bf16 unless told otherwise.
    hint = "bf16" if precision == "bf16" else "f32"
    return {"device_type": "CPU", "load_config": f'{{"CPU": {{"INFERENCE_PRECISION_HINT": "{hint}"}}}}'}


class Session:
    """A model loaded into onnxruntime: the package's graph with the weights of the cache as external initialisers."""

    def __init__(self, weights: Installed, plan: Plan, *, replace: Mapping[str, Float32Array] | None = None) -> None:
        ort = onnxruntime()
        for name, value in plan.environment.items():
            os.environ.setdefault(name, value)
        options = ort.SessionOptions()
        options.intra_op_num_threads = _core.get_num_threads()
        options.log_severity_level = 3
        for name, value in plan.config.items():
            options.add_session_config_entry(name, value)
        values = {
            row.name: weights.data[row.offset : row.offset + row.bytes].view("<f4").reshape(row.shape)
            for row in weights.model.rows
        }
        values.update(replace or {})
        held = [ort.OrtValue.ortvalue_from_numpy(value) for value in values.values()]
        options.add_external_initializers(list(values), held)
        self.options = options
        self.plan = plan
        self.weights = weights
        self.session = ort.InferenceSession(
            weights.model.graph_bytes(), options, providers=[(name, dict(given)) for name, given in plan.providers]
        )
        running = self.session.get_providers()
        if plan.provider not in running:
            raise ProviderError(f"{plan.provider} did not start; onnxruntime offers {', '.join(running)} instead")

    def run(self, outputs: Sequence[str], inputs: Mapping[str, Float32Array]) -> list[Float32Array]:
        return self.session.run(list(outputs), dict(inputs))  # type: ignore[no-any-return]

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


# ---- images for the networks --------------------------------------------------------------------------------------


def read_rgb(path: str | Path) -> npt.NDArray[np.uint8]:
    """Decode a file to (H, W, 3) uint8, as the original programs do: alpha dropped, gray repeated, palettes applied.

    Raises
    ------
    OSError
        If the file cannot be opened, is truncated or is not an image; the message names it.
    ValueError
        If it has more than 8 bits a channel, which a conversion would clip.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            if image.mode in ("I", "F") or image.mode.startswith("I;"):
                raise ValueError(
                    f"{path} has more than 8 bits a channel (mode {image.mode}): convert it to 8 bits first"
                )
            return np.asarray(image.convert("RGB"))
    except UnidentifiedImageError as error:
        raise OSError(f"{path} is not an image that Pillow can read") from error
    except (SyntaxError, EOFError) as error:  # Pillow's decoders raise these for damaged files
        raise OSError(f"{path} is damaged: {error}") from error
    except OSError as error:
        if error.filename is None:
            raise OSError(f"{path} is damaged: {error}") from error
        raise


def network_input(images: npt.NDArray[Any], scale: float, offset: float) -> Float32Array:
    """(N, H, W, 3) of any kernel dtype to (N, 3, H, W) float32, each value times `scale` plus `offset`."""
    # At its own size, resizing is a change of layout and scale.
    return _core.resize(
        images, _core.ResizeRule.half_pixel, images.shape[1], images.shape[2], scale, offset, -math.inf, math.inf
    )
