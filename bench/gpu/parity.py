"""Numbers of the card against those of the original programs, or of the CPU where those are not here, and against itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.gpu.card import LPIPS_NETWORKS, Run, frozen, inception_weights, lpips_weights
from bench.images.pictures import batch
from bench.networks.references import INCEPTION_CASES, LPIPS_CASES
from bench.networks.weights import SHARED
from pixelgauge import LPIPS, InceptionFeatures

FLOAT32, TF32 = 1e-4, 2e-3
"""What may differ from the reference, relative. TF32 keeps ten bits of what is multiplied."""
PRESETS = ("pytorch-fid", "torch-fidelity", "torchmetrics", "clean-fid")


@dataclass(frozen=True)
class Difference:
    """By how much something differs from what it is held against."""

    what: str
    precision: str
    against: str
    found: float
    bound: float

    @property
    def kept(self) -> bool:
        return self.found <= self.bound

    def told(self) -> str:
        """One line."""
        verdict = "" if self.kept else "  TOO MUCH"
        return f"{self.what:<34} {self.precision:<8} {self.found:9.2e} of {self.bound:.0e}, against {self.against}{verdict}"


def relative(found: Any, expected: Any) -> float:
    """Norm of the difference over that of what is expected, in the same order; (N, 1) is as good as (N,)."""
    a, b = np.asarray(found, np.float64).ravel(), np.asarray(expected, np.float64).ravel()
    if a.size != b.size:
        raise ValueError(f"{a.size} values were found where {b.size} are expected")
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def differences(run: Run) -> Iterator[Difference]:
    """All of them; TF32's drift only on a card."""
    for precision, bound in (("float32", FLOAT32), ("tf32", TF32)) if run.on_card else (("float32", FLOAT32),):
        yield from inception(run, precision, bound)
        for net in LPIPS_NETWORKS[:1] if run.quick else LPIPS_NETWORKS:
            yield from lpips(run, net, precision, bound)
    yield from independence(run)


def inception(run: Run, precision: str, bound: float) -> Iterator[Difference]:
    weights = inception_weights(run)
    options: dict[str, Any] = {"weights": weights, "providers": run.provider, "precision": precision}
    if frozen():
        reference = np.load(SHARED / "reference" / "inception_parity.npz")
        for preset in PRESETS[:1] if run.quick else PRESETS:
            network = InceptionFeatures(preset, output=["64", "192", "768", "2048"], **options)
            ends = np.cumsum(list(network.widths.values()))[:-1]
            for case in INCEPTION_CASES:
                parts = np.split(network(reference[f"image/{case}"]), ends, axis=1)
                worst = max(
                    relative(part, reference[f"{preset}/{case}/{output}"])
                    for output, part in zip(network.widths, parts, strict=True)
                    if f"{preset}/{case}/{output}" in reference
                )
                yield Difference(f"inception {preset} {case}", precision, "the program", worst, bound)
        return
    images = batch(4, 256, 256)[0]
    expected = InceptionFeatures(weights=weights, providers="cpu")(images)
    yield Difference("inception", precision, "the CPU", relative(InceptionFeatures(**options)(images), expected), bound)


def lpips(run: Run, net: str, precision: str, bound: float) -> Iterator[Difference]:
    weights = lpips_weights(run, net)
    metric = LPIPS(net, weights=weights, providers=run.provider, precision=precision)
    if frozen():
        reference = np.load(SHARED / "reference" / "lpips_parity.npz")
        for case in LPIPS_CASES:
            found = metric(reference[f"image/{case}/ref"], reference[f"image/{case}/test"])
            yield Difference(
                f"lpips {net} {case}",
                precision,
                "the program",
                relative(found, reference[f"{net}/{case}/distance"]),
                bound,
            )
        return
    x, y = batch(3, 128, 160)
    expected = LPIPS(net, weights=weights, providers="cpu")(x, y)
    yield Difference(f"lpips {net}", precision, "the CPU", relative(metric(x, y), expected), bound)


def independence(run: Run) -> Iterator[Difference]:
    """Not a bit may depend on the neighbours; other sizes of batch may choose another algorithm."""
    images = batch(9, 128, 160)[0]
    weights = inception_weights(run)
    features = InceptionFeatures(weights=weights, providers=run.provider, batch_size=4)
    whole = features(images)
    yield Difference("inception, reversed", "float32", "itself", relative(features(images[::-1])[::-1], whole), 0.0)
    yield Difference("inception, one alone", "float32", "itself", relative(features(images[5:6]), whole[5:6]), 0.0)
    yield Difference("inception, again", "float32", "itself", relative(features(images), whole), 0.0)
    other = InceptionFeatures(weights=weights, providers=run.provider, batch_size=2)
    yield Difference("inception, batches of 2", "float32", "itself", relative(other(images), whole), 1e-5)
    metric = LPIPS("alex", weights=lpips_weights(run, "alex"), providers=run.provider)
    x, y = batch(9, 128, 160)
    together = metric(x, y)
    yield Difference(
        "lpips alex, reversed", "float32", "itself", relative(metric(x[::-1], y[::-1])[::-1], together), 0.0
    )
    alone = [metric(a, b) for a, b in zip(x, y, strict=True)]
    yield Difference("lpips alex, one by one", "float32", "itself", relative(alone, together), 1e-5)
    yield Difference("lpips alex, equal images", "float32", "0", float(np.abs(metric(x, x)).max()), 0.0)
