"""A network of a few lines in Inception's place, as the documentation has it: on everything that holds images, and refused
where it does not do what it says."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge import FeatureSet, fid
from tests.engine.stand_in import pictures
from tests.places import ROOT

(_SOURCE,) = re.findall(
    r"^class MeanColour:\n(?:.*\n)*?(?=\n\n?\w)",
    (ROOT / "docs/methods/distribution.md").read_text(encoding="utf-8"),
    re.M,
)
_SPACE: dict[str, Any] = {"np": np, "pixelgauge": pixelgauge}
exec(_SOURCE, _SPACE)
MeanColour: Any = _SPACE["MeanColour"]


def archive_of(folder: str, path: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(Path(folder).rglob("*.png")):
            archive.write(file, file.relative_to(folder))


def opened(path: Any) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def colours(paths: Sequence[Any]) -> np.ndarray:
    return np.float32([np.asarray(opened(path)).mean(axis=(0, 1)) for path in paths])


@pytest.mark.oracle
def test_the_documented_network_takes_everything_that_holds_images(folders: Path) -> None:
    archive_of("b", "b.zip")
    a, b = sorted(map(str, Path("a").rglob("*.png"))), sorted(map(str, Path("b").rglob("*.png")))
    right = pixelgauge.frechet_distance(colours(a), colours(b))
    for one, other in (
        ("a/", "b/"),
        (a, [Path(path) for path in b]),
        ("a", "b.zip"),
        ([opened(path) for path in a], tuple(b)),
        (a[:1] + [opened(path) for path in a[1:]], "b"),
    ):
        assert fid(one, other, features=MeanColour()) == pytest.approx(right, rel=1e-6)
    stack = np.stack(list(pictures(7, 3, (9, 8))))
    for images, names, expected in (
        ("b", [path[2:] for path in b], colours(b)),
        (Path("b.zip"), [path[2:] for path in b], colours(b)),
        (b[:3], b[:3], colours(b[:3])),
        (b[0], b[:1], colours(b[:1])),
        ([opened(b[0]), b[1]], None, colours(b[:2])),
        (opened(b[0]), None, colours(b[:1])),
        (stack, None, stack.mean(axis=(1, 2)).astype(np.float32)),
        (stack[0], None, stack[:1].mean(axis=(1, 2)).astype(np.float32)),
        (list(stack), None, stack.mean(axis=(1, 2)).astype(np.float32)),
    ):
        kept = FeatureSet.from_images(images, MeanColour())
        assert kept.names == names
        np.testing.assert_allclose(kept, expected, rtol=1e-6)
    first = np.moveaxis(stack, -1, 1)
    np.testing.assert_array_equal(
        FeatureSet.from_images(first, MeanColour(), channel_axis=1), FeatureSet.from_images(stack, MeanColour())
    )


@pytest.mark.boundary
def test_options_of_arrays_reach_the_network_only_where_given(folders: Path) -> None:
    seen: list[dict[str, Any]] = []

    class Told(MeanColour):  # type: ignore[misc]
        def batches(self, images: Any, **options: Any) -> Iterator[np.ndarray]:
            seen.append(options)
            return super().batches(images)

    x = np.random.default_rng(0).random((6, 8, 8, 3), np.float32)
    FeatureSet.from_images(x, Told(), data_range=1.0)
    FeatureSet.from_images((x * 255).astype(np.uint8), Told())
    fid(x, x[:4], features=Told(), data_range=1.0)
    assert seen == [{"data_range": 1.0}, {}, {"data_range": 1.0}, {"data_range": 1.0}]
    for options in ({"data_range": 1.0}, {"gray": "repeat"}, {"channel_axis": 1}):
        name = next(iter(options))
        with pytest.raises(ValueError, match=rf"{name}=.* is for arrays of images"):
            FeatureSet.from_images("a", Told(), **options)
    with pytest.raises(TypeError, match="holds arrays beside files"):
        FeatureSet.from_images([x[0], "a/000.png"], Told())
    with pytest.raises(ValueError, match="images is an empty list"):
        FeatureSet.from_images([], Told())
    with pytest.raises(ValueError, match=r"images\[1\] is a batch"):
        FeatureSet.from_images([x[0], x], Told())
    with zipfile.ZipFile("empty.zip", "w") as archive:
        archive.writestr("readme.txt", "none")
    with pytest.raises(pixelgauge.FileError, match=r"empty\.zip: holds no images"):
        FeatureSet.from_images("empty.zip", Told())
    with pytest.raises(OSError, match="nowhere"):
        FeatureSet.from_images("nowhere", Told())


class Broken(MeanColour):  # type: ignore[misc]
    """What batches gives of images is changed."""

    def __init__(self, change: Any) -> None:
        self._change = change

    def batches(self, images: Any) -> Any:
        return self._change(np.float32([image.mean(axis=(0, 1)) for image in images]))

    def batches_of_files(self, files: Any, names: Any) -> Any:
        return self.batches([np.zeros((4, 4, 3))] * len(files))


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [rows[3:]], "gave features of 20 of the 23"),
        (lambda rows: [], "gave features of 0 of the 23"),
        (lambda rows: [rows, rows[:1]], r"gave features \(1, 3\) of float32 for images 23 and on of the 23"),
        (lambda rows: [rows.astype(np.float64)], "of float64 for images 0"),
        (lambda rows: [rows[:, :2]], r"gave features \(23, 2\)"),
        (lambda rows: [np.where(np.arange(23)[:, None] == 22, np.nan, rows)], "hold NaN or infinity"),
        (lambda rows: [rows.tolist()], "batches gave a list for images 0 and on"),
        (lambda rows: [rows[:4], None], "batches gave a NoneType for images 4 and on"),
        (lambda rows: None, "batches gave None for .*: yield arrays"),
    ],
)
def test_rows_are_looked_at(folders: Path, change: Any, message: str) -> None:
    pixels = np.zeros((23, 4, 4, 3), np.uint8)
    for images in ("a", pixels, list(pixels), sorted(map(str, Path("a").rglob("*.png")))):
        with pytest.raises((ValueError, TypeError), match=message):
            FeatureSet.from_images(images, Broken(change))
        with pytest.raises((ValueError, TypeError), match=message):
            fid(images, np.eye(3), features=Broken(change))


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("widths", {"mean": "3"}, r"\.widths=.* must be whole numbers by name, and has 'mean': '3'"),
        ("widths", {"mean": 3.0}, r"has 'mean': 3\.0"),
        ("widths", {3: 3}, "has 3: 3"),
        ("widths", {"mean": True}, "has 'mean': True"),
        ("widths", {"mean": 0}, r"\.widths=.* has 0 values of 'mean'"),
        ("widths", {}, r"\.widths={} names no output"),
        ("widths", None, r"\.widths=None must be values of each output"),
        ("fingerprint", None, r"\.fingerprint=None must be plain facts by name"),
        ("fingerprint", {"weights": np.zeros(3)}, r"\.fingerprint must hold plain facts"),
    ],
)
def test_what_a_network_says_is_looked_at(attribute: str, value: object, message: str) -> None:
    network = MeanColour()
    setattr(network, attribute, value)
    pixels = np.zeros((4, 8, 8, 3), np.uint8)
    with pytest.raises((ValueError, TypeError), match=r"network.*" + message):
        FeatureSet.from_images(pixels, network)
    with pytest.raises((ValueError, TypeError), match=r"features.*" + message):
        fid(pixels, pixels, features=network)
