"""Random weights of LPIPS and Inception in the official names, for tests that need no other file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.networks.references import recipe
from pixelgauge.networks.manifest import model_named


def random_weights(backbone: str, folder: Path) -> tuple[Path, Path]:
    """Small random weights of LPIPS in the official names, drawn so that activations keep their size from layer to layer."""
    rng = np.random.default_rng(5)
    parts: dict[str, dict[str, Any]] = {"backbone": {}, "heads": {}}
    for row in model_named(f"lpips-{backbone}").rows:
        if row.tensor is None:
            continue
        if row.role == "heads":
            parts["heads"][row.tensor] = rng.uniform(0, 1, (*row.shape, 1, 1)).astype(np.float32)
        elif row.role == "backbone":
            spread = np.sqrt(2 / np.prod(row.shape[1:])) if len(row.shape) == 4 else 0.1
            parts["backbone"][row.tensor] = (spread * rng.standard_normal(row.shape)).astype(np.float32)
    paths = folder / f"{backbone}.npz", folder / f"{backbone}-heads.npz"
    for path, tensors in zip(paths, parts.values(), strict=True):
        np.savez(path, **tensors)
    return paths


def own_recipe() -> dict[str, np.ndarray]:
    """Tensors of Inception in the official names, from the manifest alone, for runs without the shared folder."""
    tensors: list[tuple[str, Sequence[int], str]] = []
    for row in model_named("inception-fid").rows:
        if row.fold is None and row.tensor is not None:
            tensors.append((row.tensor, row.shape, "fc" if len(row.shape) == 2 else "bias"))
        elif len(row.shape) == 4:
            tensors.append((f"{row.fold}.conv.weight", row.shape, "conv"))
            for part, kind in (("weight", "scale"), ("bias", "bias"), ("running_mean", "bias"), ("running_var", "var")):
                tensors.append((f"{row.fold}.bn.{part}", row.shape[:1], kind))
            tensors.append((f"{row.fold}.bn.num_batches_tracked", (), "count"))
    return recipe(tensors, 7)
