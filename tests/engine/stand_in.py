"""A small stand-in for the Inception network, and pictures of many sizes to go through it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelgauge.cli import main
from pixelgauge.engine.extraction import Inception
from pixelgauge.networks.preprocess import read_rgb
from pixelgauge.perceptual.image_batches import image_set


class StandIn:
    """Ten numbers an image, from its pixels: what the network does, small."""

    dim = 10

    def __init__(self, output: str | list[str]) -> None:
        self.outputs = [output] if isinstance(output, str) else output
        self.widths = dict.fromkeys(self.outputs, self.dim)
        self.fingerprint = {"weights_sha256": "0" * 64, "preset": "stand-in"}

    def batches(self, images: Sequence[Any], **options: Any) -> Iterator[np.ndarray]:
        if options:  # of arrays, whose 8 bits they tell
            found = image_set(images, "the stand-in", **options)
            levels = [found.read(i)[0].astype(float) - found.low for i in range(len(found))]
            images = [np.rint(level * 255 / (found.high - found.low)).astype(np.uint8) for level in levels]
        for i in range(0, len(images), 4):
            part = images[i : i + 4]
            pixels = [np.asarray(Image.open(p).convert("RGB")) if isinstance(p, str) else p for p in part]
            yield np.stack([self.one(x) for x in pixels])

    def batches_of_files(self, files: Sequence[Any], names: Sequence[str]) -> Iterator[np.ndarray]:
        for i in range(0, len(files), 4):
            yield np.stack([self.one(read_rgb(*item)) for item in list(zip(files, names, strict=True))[i : i + 4]])

    def one(self, x: np.ndarray) -> np.ndarray:
        small = np.asarray(Image.fromarray(x).resize((4, 4)), np.float32).ravel() / 255
        weights = [np.random.default_rng(len(o)).standard_normal((small.size, self.dim)) for o in self.outputs]
        return (small @ np.hstack(weights)).astype(np.float32)


def pictures(n: int, seed: int, size: tuple[int, int] | None = None) -> Iterator[np.ndarray]:
    """Random pictures in colour, of sizes from 8 to 39 unless one is given."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        h, w = size or rng.integers(8, 40, 2)
        yield rng.integers(0, 256, (h, w, 3), dtype=np.uint8)


WIDTHS = {"2048": 10, "logits_unbiased": 6, "spatial": 4}


class Small(StandIn):
    """A stand-in that has widths of its own by output, and says how it was made as Inception does."""

    batch_size = 4

    def __init__(self, inception: Inception, output: str | list[str]) -> None:
        super().__init__(output)
        self.widths = {name: WIDTHS[name] for name in self.outputs}
        weights = "0" * 64 if inception.weights is None else "1" * 64
        self.fingerprint = {
            "version": "1",
            "weights_sha256": weights,
            "preset": inception.preset,
            "precision": "float32",
        }

    def batches_of_files(self, files: Any, names: Any) -> Iterator[np.ndarray]:
        yield from map(self.cut, super().batches_of_files(files, names))

    def batches(self, images: Any) -> Iterator[np.ndarray]:
        if isinstance(images, list) and isinstance(images[0], str):
            yield from self.batches_of_files(images, images)
        else:
            yield from map(self.cut, super().batches(images))

    def cut(self, batch: np.ndarray) -> np.ndarray:
        parts = np.split(batch, len(self.outputs), axis=1)
        return np.hstack([part[:, : WIDTHS[name]] for name, part in zip(self.outputs, parts, strict=True)])


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """Exit code of the command line, and what it printed."""
    code = main(list(argv))
    out, err = capsys.readouterr()
    return code, out, err
