"""Weights drawn at random under the official names, which changes no operation, as checkpoints in files and in memory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from bench.inputs import kept

MANIFEST = Path(__file__).resolve().parents[2] / "models" / "manifest.json"
SHARED = Path(os.environ.get("PIXELGAUGE_SHARED", Path(__file__).resolve().parents[3] / "shared"))
"""Holds weights/ with the official files, where they are on this machine."""

State = dict[str, np.ndarray]


def batch_norm(prefix: str, channels: int) -> State:
    """One that moves and scales a little; every part is given, as the checkpoint's reader expects."""
    values = {"weight": 1.0, "bias": 0.1, "running_mean": 0.1, "running_var": 1.0}
    return {f"{prefix}.bn.{part}": np.full(channels, value, np.float32) for part, value in values.items()}


@kept
def drawn(model: str) -> dict[str, State]:
    """State dicts of a model of the manifest by role, so scaled that activations keep their size."""
    rng = np.random.default_rng(0)
    roles: dict[str, State] = {}
    entry: dict[str, Any] = json.loads(MANIFEST.read_bytes())["models"][model]
    for row in entry["tensors"]:
        shape, fold, tensor = row["shape"], row.get("fold"), row.get("tensor")
        state = roles.setdefault(row["role"], {})
        normal = rng.standard_normal(shape, dtype=np.float32)
        scaled = normal * np.float32(np.sqrt(2 / (np.prod(shape[1:]) if len(shape) > 1 else 100)))
        if fold is not None and len(shape) == 4:
            state[f"{fold}.conv.weight"] = scaled
            state.update(batch_norm(fold, shape[0]))
        elif row["role"] == "heads":
            state[tensor] = np.abs(normal).reshape(*shape, 1, 1)
        elif tensor is not None:
            state[tensor] = scaled
    return {role: state for role, state in roles.items() if state}


def checkpoints(model: str, folder: Path) -> list[Path]:
    """Write them as files that pixelgauge takes."""
    paths = []
    for role, state in drawn(model).items():
        paths.append(folder / f"{model}-{role}.npz")
        np.savez(paths[-1], **state)  # type: ignore[arg-type]
    return paths
