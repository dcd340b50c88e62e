"""Execution providers of onnxruntime: which there are, which one runs, and with what options."""

from __future__ import annotations

import ctypes
import io
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any, Literal, cast, get_args

from pixelgauge import _core
from pixelgauge.checks import ArgumentTypeError, ArgumentValueError
from pixelgauge.files.reading import printable

Precision = Literal["float32", "tf32", "bf16"]

PRECISIONS: tuple[Precision, ...] = get_args(Precision)

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


@cache
def load_cuda_libraries() -> str:
    """Have onnxruntime load CUDA and cuDNN from the packages beside it, where the system's linker does not look.

    Returns
    -------
    str
        What onnxruntime says of those that it does not find; empty if there are none.
    """
    preload = getattr(onnxruntime(), "preload_dlls", None)  # since onnxruntime 1.21
    said = io.StringIO()
    if preload is not None:
        with redirect_stdout(said):  # it prints
            preload()
    return " ".join(said.getvalue().split())


def facts() -> dict[str, Any]:
    """Tell what this machine has for the networks and what would be used, for ``pixelgauge info``."""
    try:
        ort = onnxruntime()
    except ImportError:
        return {"onnxruntime": "not installed: pip install 'pixelgauge[cpu]' (or [gpu], or [openvino])"}
    chosen = {}
    for precision in PRECISIONS:
        try:
            chosen[precision] = choose_providers(precision=precision).provider
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

    @property
    def provider(self) -> str:
        """Provider that runs what it can; those after it take the rest."""
        return self.providers[0][0]


def choose_providers(
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
        raise ArgumentValueError("precision", repr(precision), "is not known", "use 'float32', 'tf32' or 'bf16'")
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
            problem = "must be a name, or a list of names and (name, options) pairs"
            raise ArgumentTypeError("providers", repr(providers), problem)
        chosen = [_named(item) for item in ([providers] if isinstance(providers, str) else providers)]
        if not chosen:
            raise ArgumentValueError("providers", "[]", "names none", "name one, or pass None")
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
    switch = os.environ.get("NVIDIA_TF32_OVERRIDE")  # the driver's, which goes before what a session says
    if first == CUDA and switch is not None and switch != {"float32": "0", "tf32": "1"}[precision]:
        raise ProviderError(
            f"precision={precision!r}, but NVIDIA_TF32_OVERRIDE={printable(switch)} decides for the whole process: "
            "unset it before the process starts"
        )
    return Plan(full, precision, fixed_batch=first != CPU)


def start(graph: bytes | str, options: Any, plan: Plan) -> Any:
    """Load a graph, or the file of a path, into an ``onnxruntime.InferenceSession`` of a plan's providers.

    Raises
    ------
    ProviderError
        If the first of them did not start, where onnxruntime would go on with another.
    """
    missing = load_cuda_libraries() if plan.provider == CUDA else ""
    session = onnxruntime().InferenceSession(graph, options, providers=list(plan.providers))
    running = session.get_providers()
    if plan.provider not in running:
        hint = ": pip install 'onnxruntime-gpu[cuda,cudnn]' brings CUDA's libraries" if plan.provider == CUDA else ""
        said = f" (onnxruntime: {printable(missing[:1000])})" if missing else ""
        raise ProviderError(
            f"{plan.provider} did not start; onnxruntime offers {', '.join(running)} instead{hint}{said}"
        )
    return session


def _named(item: str | tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    pair = (item, {}) if isinstance(item, str) else item
    if not (
        isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], Mapping)
    ):
        problem = "must be a name or a pair of a name and a dict of options, in a list"
        raise ArgumentTypeError("providers", repr(item), problem)
    name, options = pair
    full = _SHORT_NAMES.get(name, name)
    if not full.endswith("ExecutionProvider"):
        remedy = f"use {', '.join(map(repr, _SHORT_NAMES))} or onnxruntime's name"
        raise ArgumentValueError("providers", repr(name), "is not known", remedy)
    return full, options


def _cuda_options(precision: Precision) -> dict[str, str]:
    tensor_cores = "1" if precision == "tf32" else "0"
    return {
        "use_tf32": tensor_cores,
        # Tensor cores want channels last; the float32 kernels do not, and would pay for transposing.
        "prefer_nhwc": tensor_cores,
        # By rule: a search may find another algorithm quickest the next time, and each new size would wait for one.
        "cudnn_conv_algo_search": "HEURISTIC",
    }


def _openvino_options(precision: Precision) -> dict[str, str]:
    # On a CPU with AMX OpenVINO computes in bf16 unless told otherwise.
    # A stream a thread: runs side by side do not wait for one another within a layer.
    hint = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "NUM_STREAMS": str(_core.get_num_threads()),
    }
    return {"device_type": "CPU", "load_config": json.dumps({"CPU": hint})}
