"""The device that runs: what it is, what is installed beside it, and weights for what runs there."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import machine
from bench.networks.references import official_inception, official_lpips
from bench.networks.weights import SHARED, checkpoints

LPIPS_NETWORKS = ("alex", "vgg", "squeeze")


@dataclass(frozen=True)
class Run:
    """What a run was asked for."""

    provider: str
    """"cuda", or "cpu": the same to its end without a card."""
    quick: bool
    """Few and small batches, to see that it runs."""
    folder: Path
    """For weights, which go with it."""
    batches: Sequence[int]
    rounds: int

    @property
    def on_card(self) -> bool:
        return self.provider == "cuda"


@contextmanager
def run_in(provider: str, quick: bool, batches: Sequence[int], rounds: int) -> Iterator[Run]:
    """Give a run a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="pixelgauge-gpu-") as folder:
        yield Run(provider, quick, Path(folder), *(((1, 2), 1) if quick else (batches, rounds)))


def facts() -> dict[str, Any]:
    """Name the machine, the card with its driver, and every version."""
    found = machine.facts()
    if shutil.which("nvidia-smi"):
        query = "--query-gpu=name,driver_version,memory.total,clocks.max.sm"
        asked = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader"], capture_output=True, text=True, check=False
        )
        found["cards"] = asked.stdout.strip().splitlines()
    return found


def frozen() -> bool:
    """Whether the references of the original programs are on this machine."""
    return all((SHARED / folder).is_dir() for folder in ("reference", "weights"))


def inception_weights(run: Run) -> Path:
    """Weights that the frozen references were made with, or drawn ones where those are not here."""
    if not frozen():
        return checkpoints("inception-fid", run.folder)[0]
    path = run.folder / "inception.npz"
    if not path.exists():
        np.savez(path, **official_inception())  # type: ignore[arg-type]
    return path


def lpips_weights(run: Run, net: str) -> list[Path]:
    """Paths of the backbone and the heads, likewise."""
    return list(official_lpips(run.folder)[net]) if frozen() else checkpoints(f"lpips-{net}", run.folder)
