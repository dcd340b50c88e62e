"""Weights that the frozen references of LPIPS and Inception were made with, and where those are: see their README."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from bench.networks.weights import SHARED

LPIPS_FILES = {"alex": "alexnet_features.pth", "squeeze": "squeezenet1_1_features.pth"}
"""Backbones whose own weights are in the shared folder; those of vgg are made by a recipe."""

LPIPS_CASES = ("odd_97x131", "square_256", "tiny_64", "ex_p0", "ex_p1")
INCEPTION_CASES = ("small_96x128", "exact_299x299", "large_400x520")
"""Pictures of the shared references, by their keys."""


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
