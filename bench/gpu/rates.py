"""Images a second of Inception and LPIPS by batch, beside PyTorch on the same device, and what each setting of ours is worth."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.gpu.bound import Bound
from bench.gpu.card import LPIPS_NETWORKS, Run
from bench.gpu.parity import relative
from bench.images.pictures import batch
from bench.networks.weights import checkpoints
from bench.perceptual import originals
from bench.programs import MissingError, torch_on_our_device
from bench.timing import measure
from pixelgauge import LPIPS, InceptionFeatures
from pixelgauge.networks.providers import Precision, ProviderError, Providers, choose_providers
from pixelgauge.networks.session import Session
from pixelgauge.networks.store import from_files

Call = Callable[[], Any]
Made = tuple[str, Callable[[], Call], float]
"""A contender's name, what makes its call, and how far it may be off."""

SAME, TF32 = 1e-4, 5e-3
"""How far a result may be from ours in float32, relative; that of TF32, whose features and distances add up."""


@dataclass(frozen=True)
class Rate:
    """One contender's rate."""

    task: str
    batch: int
    contender: str
    a_second: float
    off: float
    """Relative difference from ours."""

    def told(self) -> str:
        """One line."""
        return f"{self.task:<16} {self.batch:>4}  {self.contender:<34} {self.a_second:10.1f}/s   off by {self.off:.1e}"


def rates(run: Run) -> Iterator[Rate | str]:
    """Every task and batch; a string tells what is left out and why."""
    for size in run.batches:
        yield from timed(run, "inception", size, 2 * size, inception(run, size))
        for net in LPIPS_NETWORKS[:1] if run.quick else LPIPS_NETWORKS:
            if (net, size) != ("vgg", 256):  # seconds a call, and nothing new
                yield from timed(run, f"lpips {net}", size, size, lpips(run, net, size))


def timed(run: Run, task: str, size: int, count: int, made: Iterator[Made]) -> Iterator[Rate | str]:
    """Check each contender's result against the first's, then time them in turns."""
    calls, off = {}, {}
    expected: Any = None
    for name, make, tolerance in made:
        try:
            call = make()
            found = call()
        except (MissingError, ProviderError) as error:
            yield f"{task} {size}: {name} is left out: {error}"
            continue
        expected = found if expected is None else expected
        off[name] = relative(found, expected)
        if not off[name] <= tolerance:
            raise AssertionError(f"{task} {size}: {name} is off by {off[name]:.2e}, more than {tolerance:g}")
        calls[name] = call
    times = measure(calls, dict.fromkeys(calls, lambda: None), run.rounds, 60)
    for name, seconds in times.items():
        yield Rate(task, size, name, count / seconds.wall, off[name])


def inception(run: Run, size: int) -> Iterator[Made]:
    """Contenders: the whole call first; the network alone by each setting."""
    images = batch(2 * size, 256, 256)[0]
    weights = checkpoints("inception-fid", run.folder)

    def ours(precision: Precision = "float32") -> Call:
        features = InceptionFeatures(weights=weights[0], providers=run.provider, precision=precision, batch_size=size)
        return lambda: features(images)

    yield "pixelgauge", ours, 0.0
    yield "PyTorch, from host memory", lambda: torch_inception(run, images, size, on_card=False), SAME
    yield "PyTorch, input on the card", lambda: torch_inception(run, images, size, on_card=True), SAME
    planes = InceptionFeatures(weights=weights[0], providers="cpu").resized(images)
    alone = network_alone(run, "inception-fid", weights, ["2048"], {"images": planes}, size)
    yield "network alone, buffers bound", alone, SAME
    if run.on_card:
        yield "pixelgauge, TF32", lambda: ours("tf32"), TF32
        yield from settings(run, "inception-fid", weights, ["2048"], {"images": planes}, size)


def lpips(run: Run, net: str, size: int) -> Iterator[Made]:
    """Contenders of distances of pairs of 256x256."""
    x, y = batch(size, 256, 256)
    weights = checkpoints(f"lpips-{net}", run.folder)

    def ours(precision: Precision = "float32") -> Call:
        metric = LPIPS(net, weights=weights, providers=run.provider, precision=precision)
        return lambda: metric(x, y)

    yield "pixelgauge", ours, 0.0
    yield "PyTorch, from host memory", lambda: torch_lpips(run, net, x, y, on_card=False), SAME
    yield "PyTorch, input on the card", lambda: torch_lpips(run, net, x, y, on_card=True), SAME
    inputs = {
        name: np.ascontiguousarray(np.moveaxis(images, -1, 1) / np.float32(127.5) - 1)
        for name, images in (("x", x), ("y", y))
    }
    if not run.on_card:  # the CPU's graph has operators of the package, which take no binding
        return
    yield "network alone, buffers bound", network_alone(run, f"lpips-{net}", weights, ["distance"], inputs, size), SAME
    yield "pixelgauge, TF32", lambda: ours("tf32"), TF32
    yield from settings(run, f"lpips-{net}", weights, ["distance"], inputs, size)


def settings(
    run: Run, model: str, weights: list[Path], outputs: list[str], inputs: dict[str, np.ndarray], size: int
) -> Iterator[Made]:
    """The network alone by the options of the provider."""
    for name, precision, options in (
        ("NHWC", "float32", {"prefer_nhwc": "1"}),
        ("CUDA graph", "float32", {"enable_cuda_graph": "1"}),
        ("EXHAUSTIVE search", "float32", {"cudnn_conv_algo_search": "EXHAUSTIVE"}),
        ("TF32, NHWC", "tf32", {}),
        ("TF32, NCHW", "tf32", {"prefer_nhwc": "0"}),
        ("TF32, NHWC, CUDA graph", "tf32", {"enable_cuda_graph": "1"}),
    ):
        tolerance = SAME if precision == "float32" else TF32
        made = network_alone(run, model, weights, outputs, inputs, size, precision, options)
        yield f"network alone, {name}", made, tolerance
    yield "network alone, not bound", network_unbound(run, model, weights, outputs, inputs, size), SAME


def provider(run: Run, options: dict[str, Any]) -> Providers:
    """The run's provider with options of its own."""
    return [("CUDAExecutionProvider", options), "cpu"] if run.on_card and options else run.provider


def loaded(
    run: Run,
    model: str,
    weights: list[Path],
    outputs: list[str],
    size: int,
    precision: Precision = "float32",
    options: dict[str, Any] | None = None,
) -> Session:
    """A session for batches of one size."""
    plan = choose_providers(provider(run, options or {}), precision)
    return Session(from_files(model, weights), plan, outputs, batch_size=size if plan.fixed_batch else None)


def network_alone(
    run: Run,
    model: str,
    weights: list[Path],
    outputs: list[str],
    inputs: dict[str, np.ndarray],
    size: int,
    precision: Precision = "float32",
    options: dict[str, Any] | None = None,
) -> Callable[[], Call]:
    """Prepare batches whose input lies on the device, and whose output is fetched once at the end."""

    def make() -> Call:
        bound = Bound(loaded(run, model, weights, outputs, size, precision, options), run.provider)
        count = len(next(iter(inputs.values())))
        bound.fill({name: planes[:size] for name, planes in inputs.items()})

        def call() -> np.ndarray:
            for _ in range(count // size):
                bound.compute()
            return np.concatenate([bound.fetch()] * (count // size))

        # What lies there is the first batch: the result is held against ours with every batch filled anew.
        def checked() -> np.ndarray:
            found = []
            for i in range(0, count, size):
                bound.fill({name: planes[i : i + size] for name, planes in inputs.items()})
                bound.compute()
                found.append(bound.fetch())
            return np.concatenate(found)

        return first_then(checked, call)

    return make


def network_unbound(
    run: Run, model: str, weights: list[Path], outputs: list[str], inputs: dict[str, np.ndarray], size: int
) -> Callable[[], Call]:
    """Prepare batches given to onnxruntime as arrays."""

    def make() -> Call:
        session = loaded(run, model, weights, outputs, size)
        network = session.session(session.threads)
        count = len(next(iter(inputs.values())))

        def call() -> np.ndarray:
            parts = [{name: planes[i : i + size] for name, planes in inputs.items()} for i in range(0, count, size)]
            return np.concatenate([network.run(outputs, part)[0] for part in parts])

        return call

    return make


def first_then(first: Call, then: Call) -> Call:
    """Make a call that is one thing the first time and another afterwards."""
    calls = [then, first]
    return lambda: (calls.pop() if len(calls) > 1 else calls[0])()


def torch_inception(run: Run, images: np.ndarray, size: int, *, on_card: bool) -> Call:
    """pytorch-fid's network, resizing included, a batch at a time."""
    network = originals.loaded_inception()
    torch, device = torch_on(run)
    network = network.to(device)
    tensor = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    tensor = tensor.to(device) if on_card else tensor

    def call() -> np.ndarray:
        with torch.inference_mode():
            parts = [network(part.to(device))[0].cpu().numpy().reshape(len(part), -1) for part in tensor.split(size)]
            return np.concatenate(parts)

    return call


def torch_lpips(run: Run, net: str, x: np.ndarray, y: np.ndarray, *, on_card: bool) -> Call:
    """The lpips package's network."""
    network = originals.loaded_lpips(net)
    torch, device = torch_on(run)
    network = network.to(device)
    pair = [torch.from_numpy(np.moveaxis(images, -1, 1) / np.float32(127.5) - 1) for images in (x, y)]
    pair = [tensor.to(device) if on_card else tensor for tensor in pair]

    def call() -> np.ndarray:
        with torch.inference_mode():
            distances: np.ndarray = network(*(tensor.to(device) for tensor in pair)).cpu().numpy().ravel()
            return distances

    return call


def torch_on(run: Run) -> tuple[Any, str]:
    """PyTorch in float32 with its best algorithms, on the run's device."""
    torch, _ = torch_on_our_device()
    with contextlib.suppress(AttributeError):
        torch.set_float32_matmul_precision("highest")
    return torch, run.provider
