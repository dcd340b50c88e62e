"""Checkpoints of small random weights for a model of the manifest, as the tests of the model store need them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pixelgauge.networks.manifest import model_named

MODEL = "lpips-squeeze"


def checkpoints(folder: Path, name: str = MODEL, seed: int = 1) -> list[Path]:
    """Files of a model's roles, .npz."""
    rng = np.random.default_rng(seed)
    roles: dict[str, dict[str, Any]] = {}
    for row in model_named(name).rows:
        if row.tensor is not None:
            shape = (*row.shape, 1, 1) if row.role == "heads" else row.shape
            roles.setdefault(row.role, {})[row.tensor] = rng.uniform(-0.1, 0.1, shape).astype(np.float32)
    paths = []
    for role, tensors in roles.items():
        paths.append(folder / f"{role}.npz")
        np.savez(paths[-1], **tensors)
    return paths
