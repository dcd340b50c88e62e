"""Weights of LPIPS and Inception for the tests: random ones of the official names, and those of the references."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelgauge.networks.manifest import model_named
from tests.places import SHARED

LPIPS_FILES = {"alex": "alexnet_features.pth", "squeeze": "squeezenet1_1_features.pth"}
"""Backbones whose own weights are in the shared folder; those of vgg are made by a recipe."""


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


def vgg_recipe(path: Path) -> Path:
    """The weights that the references of LPIPS with vgg were made with."""
    recipe = json.loads((SHARED / "reference" / "vgg16_recipe.json").read_text())
    rng = np.random.Generator(np.random.PCG64(recipe["seed"]))
    tensors = {}
    for name, shape, kind in recipe["tensors"]:
        z = rng.standard_normal(shape, dtype=np.float32)
        tensors[name] = z * np.float32(np.sqrt(2 / np.prod(shape[1:])) if kind == "conv" else 0.1)
    np.savez(path, **tensors)
    return path


def recipe(tensors: Iterable[tuple[str, Sequence[int], str]], seed: int) -> dict[str, np.ndarray]:
    """The recipe of the references of Inception, for tensors of a name, a shape and a kind: see their README."""
    rng = np.random.Generator(np.random.PCG64(seed))
    state: dict[str, np.ndarray] = {}
    for name, shape, kind in tensors:
        if kind == "count":
            state[name] = np.zeros(shape, np.int64)
            continue
        z = rng.standard_normal(shape, dtype=np.float32)
        state[name] = {
            "conv": lambda z=z: z * np.float32(np.sqrt(2 / np.prod(z.shape[1:]))),
            "fc": lambda z=z: z * np.float32(np.sqrt(1 / z.shape[1])),
            "bias": lambda z=z: z * np.float32(0.1),
            "scale": lambda z=z: 1 + np.float32(0.1) * z,
            "var": lambda z=z: 1 + np.float32(0.1) * np.abs(z),
        }[kind]()
    return state


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


def official_inception() -> dict[str, np.ndarray]:
    """The weights that the references of Inception were made with."""
    facts = json.loads((SHARED / "reference" / "inception_recipe.json").read_text())
    state = recipe(facts["tensors"], facts["seed"])
    digest = hashlib.sha256()
    for tensor in state.values():
        digest.update(tensor.tobytes())
    assert digest.hexdigest() == facts["sha256"]
    return state


def official_lpips(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Files of the backbone and the heads, by the backbone's name, that the references of LPIPS were made with."""
    weights = SHARED / "weights"
    files = {net: weights / file for net, file in LPIPS_FILES.items()}
    files["vgg"] = vgg_recipe(folder / "vgg16.npz")
    return {net: (file, weights / f"lpips_v0.1_{net}.pth") for net, file in files.items()}
