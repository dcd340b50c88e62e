"""Where the time of a batch goes: preparing the pixels, copies to and fro, the network, and its operators."""

from __future__ import annotations

import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from bench.gpu.bound import Bound
from bench.gpu.card import Run
from bench.gpu.rates import loaded
from bench.images.pictures import batch
from bench.networks.weights import checkpoints
from pixelgauge import InceptionFeatures
from pixelgauge.networks.providers import onnxruntime

SHOWN = 8
"""Kinds of operators that are listed, the slowest first."""


@dataclass(frozen=True)
class Stage:
    """Seconds of one part of a batch."""

    what: str
    seconds: float

    def told(self, images: int) -> str:
        """One line."""
        return f"{self.what:<40} {1e3 * self.seconds:9.3f} ms  {1e6 * self.seconds / images:9.1f} us an image"


def median(call: Callable[[], object], rounds: int) -> float:
    """Median seconds of a call, after one that is not counted."""
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def stages(run: Run, size: int) -> Iterator[Stage]:
    """Of Inception's features of so many arrays of 256x256."""
    images = batch(size, 256, 256)[0]
    weights = checkpoints("inception-fid", run.folder)
    features = InceptionFeatures(weights=weights[0], providers=run.provider, batch_size=size)
    rounds = max(3, run.rounds)
    yield Stage("the whole call", median(lambda: features(images), rounds))
    yield Stage("resizing to 299x299, on the CPU", median(lambda: features.resized(images), rounds))
    planes = features.resized(images)
    bound = Bound(loaded(run, "inception-fid", weights, ["2048"], size), run.provider)
    yield Stage("copying the batch to the device", median(lambda: bound.fill({"images": planes}), rounds))
    yield Stage("the network", median(bound.compute, rounds))
    yield Stage("copying the features from the device", median(bound.fetch, rounds))
    yield from operators(run, weights, planes)


def operators(run: Run, weights: list[Path], planes: np.ndarray) -> Iterator[Stage]:
    """What onnxruntime's own profile says of the network, by kind of operator: kernels where it has their times."""
    ort = onnxruntime()

    class Profiled(ort.SessionOptions):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.enable_profiling = True
            self.profile_file_prefix = str(run.folder / "profile")

    with mock.patch.object(ort, "SessionOptions", Profiled):
        session = loaded(run, "inception-fid", weights, ["2048"], len(planes))
        network = session.session(session.threads)
    runs = 3
    for _ in range(runs + 1):
        network.run(["2048"], {"images": planes})
    events = json.loads(Path(network.end_profiling()).read_text(encoding="utf-8"))
    starts = [event["ts"] for event in events if event["name"] == "model_run"]
    counted = [event for event in events if event["ts"] >= starts[1]]  # the first run allocates
    kernels = [event for event in counted if event.get("cat") == "Kernel"]
    nodes = [event for event in counted if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")]
    spent: dict[str, float] = defaultdict(float)
    for event in kernels or nodes:
        spent[event.get("args", {}).get("op_name", event["name"])] += event["dur"] / 1e6 / runs
    kind = "kernels" if kernels or not run.on_card else "as launched"
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1])[:SHOWN]:
        yield Stage(f"  {name} ({kind})", seconds)
