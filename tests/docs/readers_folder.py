"""The folder in which a page's blocks run, with the files that the pages speak of as the reader's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from bench.networks.weights import checkpoints
from pixelgauge.cli import main
from pixelgauge.networks import store
from tests.places import ROOT, SHARED

WEIGHTS = SHARED / "weights"


def make_folder(folder: Path) -> None:
    """Pictures, folders of them, and features, the same each time."""
    rng = np.random.default_rng(7)
    for name, count, strength in (("real", 24, 60), ("generated", 24, 45), ("samples/1000", 24, 30)):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            _picture(rng, strength).save(folder / name / f"{i:03}.png")
    for step in ("2000", "3000"):
        shutil.copytree(folder / "samples/1000", folder / "samples" / step)
    for name in "abcd":
        _picture(rng, 40).save(folder / f"{name}.png")
    np.save(folder / "real.npy", rng.standard_normal((500, 16)))
    np.save(folder / "generated.npy", rng.standard_normal((500, 16)) * 1.2 + 0.5)


def make_clone(folder: Path) -> None:
    """What lies in a clone, but for the pages; what is built in it stays in the folder."""
    for path in ROOT.iterdir():
        if not path.name.startswith(".") and path.name not in {"build", "docs"}:
            (folder / path.name).symlink_to(path)


def make_damaged_folders(folder: Path) -> None:
    """`ref` and `test` of the page on the command line: two pictures have lost their partner, one was cut short."""
    assert main(["demo", "--output", str(folder / "made"), "--overwrite"]) == 0
    for name in ("ref", "test"):
        (folder / name).mkdir()
    for made in sorted((folder / "made").iterdir()):
        if made.is_dir():
            shutil.copy(made / "reference.png", folder / "ref" / f"{made.name}.png")
            shutil.copy(made / "jpeg-medium.png", folder / "test" / f"{made.name}.png")
    shutil.rmtree(folder / "made")
    (folder / "ref/natural.png").unlink()
    (folder / "test/shapes.png").unlink()
    text = (folder / "test/text.png").read_bytes()
    (folder / "test/text.png").write_bytes(text[: len(text) // 2])


def _picture(rng: np.random.Generator, strength: int) -> Image.Image:
    y, x = np.mgrid[:64, :64]
    waves = np.sin(y[..., None] / rng.uniform(3, 9, 3)) * np.cos(x[..., None] / rng.uniform(3, 9, 3))
    return Image.fromarray(np.clip(127 + strength * waves + rng.normal(0, 8, (64, 64, 3)), 0, 255).astype(np.uint8))


def add_model(name: str, folder: Path) -> bool:
    """Puts a model into the cache, if it can be had: LPIPS with its published weights, Inception with drawn ones.

    So pages print no number that follows from the latter.
    """
    published = [WEIGHTS / "alexnet_features.pth", WEIGHTS / "lpips_v0.1_alex.pth"]
    paths = published if name == "lpips-alex" else checkpoints(name, folder)
    if not all(path.exists() for path in paths):
        return False
    store.add(name, paths)
    return True
