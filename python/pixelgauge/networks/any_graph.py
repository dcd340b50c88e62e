"""An ONNX file of unknown origin, hashed, checked and loaded into onnxruntime: what it takes, what it gives."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy.typing as npt

from pixelgauge import _core
from pixelgauge.files.reading import FileError, cause, open_regular, read_regular, shown
from pixelgauge.networks.hashing import file_sha256
from pixelgauge.networks.onnx_file import WHOLE, contents_of, external_files, require_known_operators
from pixelgauge.networks.providers import CPU, Plan, ProviderError, onnxruntime, start

_KINDS = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
}
"""What images can be given as and features taken from, by onnxruntime's names."""


@dataclass(frozen=True)
class Port:
    """An input or an output of a graph."""

    name: str
    axes: tuple[int | str | None, ...]
    """A number where the graph fixes it, otherwise the graph's name for it or None."""
    kind: str
    """Its dtype in NumPy's words, or onnxruntime's type where images and features cannot have it."""

    def __str__(self) -> str:
        axes = ", ".join("?" if axis is None else str(axis) for axis in self.axes)
        return f"{shown(self.name)!r} ({shown(axes)}) {self.kind}"

    @property
    def sizes(self) -> tuple[int | None, ...]:
        """Axes with None for those that the graph leaves open."""
        return tuple(axis if isinstance(axis, int) and axis > 0 else None for axis in self.axes)


class AnyGraph:
    """An ONNX file of unknown origin, loaded into onnxruntime.

    Parameters
    ----------
    path : str
        The file; what it has as external data lies beside it.
    plan : Plan

    Raises
    ------
    FileError
        If it is no ONNX file, truncated, has operators of its own or weights elsewhere, or onnxruntime refuses it.
    OSError
        If it cannot be opened.
    ProviderError
        If the provider does not start.
    """

    def __init__(self, path: str, plan: Plan) -> None:
        self.path = path
        self.name = shown(path, 500)  # for messages
        self.plan = plan
        self.threads = _core.get_num_threads()
        with open_regular(path) as file:  # before it is read, so that a change meanwhile is seen
            state = _state(os.fstat(file.fileno()))
        data = read_regular(path)
        self.sha256 = hashlib.sha256(data).hexdigest()
        found = contents_of(path, data)
        require_known_operators(path, found)
        files = external_files(path, found)
        # Of what onnxruntime reads again by itself.
        self._states = {file: _state(os.stat(file)) for file in files.values()} | ({path: state} if files else {})
        self.external = {location: file_sha256(file) for location, file in files.items()}
        self._loading = Lock()
        # On the CPU many images go through side by side, a thread each, which needs no second session.
        self._sessions = {1: self._load(data, 1 if plan.provider == CPU else self.threads)}
        self.inputs = [_port(each) for each in self._sessions[1].get_inputs()]
        self.outputs = [_port(each) for each in self._sessions[1].get_outputs()]

    def _load(self, data: bytes, threads: int) -> Any:
        options = onnxruntime().SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # what it has to say comes with the error
        try:
            # What lies outside, onnxruntime finds by the graph's own path alone.
            session = start(os.path.abspath(self.path) if self.external else data, options, self.plan)
        except (ProviderError, ImportError, MemoryError):
            raise
        except Exception as error:  # onnxruntime has a dozen
            remedy = f"{WHOLE}, or needs another version of onnxruntime (this is {onnxruntime().__version__})"
            raise FileError(self.path, f"is refused by onnxruntime ({cause(error)})", remedy) from error
        for file, state in self._states.items():
            if _state(os.stat(file)) != state:
                raise FileError(file, "changed while it was read", "load it again once it is whole")
        return session

    def _session(self, threads: int) -> Any:
        """Load, or have loaded, the session whose runs on the CPU are split over so many threads."""
        if self.plan.provider != CPU:
            threads = 1
        with self._loading:
            if threads not in self._sessions:
                data = read_regular(self.path)
                if hashlib.sha256(data).hexdigest() != self.sha256:
                    raise FileError(self.path, "changed since it was loaded", "load it again once it is whole")
                self._sessions[threads] = self._load(data, threads)
            return self._sessions[threads]

    @property
    def weights_sha256(self) -> str:
        """One hash of all that decides the numbers: the file's, or with external data that of all files' hashes."""
        if not self.external:
            return self.sha256
        parts = [self.sha256, *(f"{name} {sha}" for name, sha in sorted(self.external.items()))]
        return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

    def run(self, outputs: Sequence[str], tensor: npt.NDArray[Any], threads: int = 1) -> list[npt.NDArray[Any]]:
        """Compute some outputs of the first input; on the CPU by so many threads.

        Raises
        ------
        ValueError
            If onnxruntime cannot: the message has its own.
        """
        session = self._session(threads)
        try:
            found: list[npt.NDArray[Any]] = session.run(list(outputs), {self.inputs[0].name: tensor})
        except MemoryError:
            raise
        except Exception as error:
            shape = " x ".join(map(str, tensor.shape[1:]))
            hint = ": pass batch_size=1 if it takes one image at a time" if len(tensor) > 1 else ""
            raise ValueError(
                f"{self.name}: fails on {len(tensor)} image(s) of shape {shape} ({cause(error)}){hint}"
            ) from error
        return found


def _port(found: Any) -> Port:
    axes = tuple(axis if isinstance(axis, int | str) else None for axis in found.shape)
    return Port(found.name, axes, _KINDS.get(found.type, found.type))


def _state(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns


def described(ports: Sequence[Port]) -> str:
    """Names, shapes and dtypes for a message."""
    listed = ", ".join(map(str, ports[:8]))
    return f"{listed}, ..." if len(ports) > 8 else listed


def require_one_input(graph: AnyGraph) -> Port:
    """Return the input of a graph that takes images and nothing else.

    Raises
    ------
    FileError
        If it takes several, or something that is no batch of images.
    """
    if len(graph.inputs) != 1:
        reason = f"takes {len(graph.inputs)} inputs, and only images are given: {described(graph.inputs)}"
        raise FileError(graph.path, reason, "export the part that takes images alone")
    (port,) = graph.inputs
    if port.kind not in _KINDS.values():
        reason = f"takes {port}"
        raise FileError(graph.path, reason, "images are given as float32, float16, float64 or uint8: export it so")
    if len(port.axes) != 4:
        raise FileError(graph.path, f"takes {port}, which has not the four axes of a batch of images", "export it so")
    return port
