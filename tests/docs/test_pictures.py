"""The documentation's pictures: their scripts run, pages show them with words beside, and say what the metrics say."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from pixelgauge.networks import store
from tests.places import ROOT, SHARED, needs_shared

for needed in ("matplotlib", "onnx", "onnxruntime"):
    pytest.importorskip(needed, reason=f"{needed}, which draws the pictures or runs their networks, is not installed")

canvas, gallery = (importlib.import_module(f"docs.pictures.{name}") for name in ("canvas", "gallery"))
PICTURES = importlib.import_module("docs.pictures.catalogue").PICTURES

FOLDER = ROOT / "docs" / "pictures"
MOST_BYTES = 150_000
OF_NETWORKS = {"same_error", "lpips_layers", "lpips_map"} | {name for name in PICTURES if name.startswith("gallery_")}
DRAWN = set(PICTURES) - {f"gallery_{kind.name}" for kind in gallery.DEGRADATIONS[1:]}
"""Of the gallery's ten degradations one: they are one function, and the test of the table scores all."""
SHOWN = re.compile(r"!\[([^\]]*)\]\((?:\.\./)*pictures/(\w+)\.png\)")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """LPIPS's published weights in the cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXELGAUGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        store.add("lpips-alex", [SHARED / "weights" / name for name in ("alexnet_features.pth", "lpips_v0.1_alex.pth")])
        yield


def draw(name: str, folder: Path) -> None:
    """Draw a picture as its script does, and look whether it is as large as the one that is kept."""
    canvas.save(PICTURES[name](), folder / f"{name}.png")
    with Image.open(folder / f"{name}.png") as drawn, Image.open(FOLDER / f"{name}.png") as kept:
        assert drawn.size == kept.size
        assert len(drawn.convert("RGB").getcolors(2**24) or []) > 10
    assert (folder / f"{name}.png").stat().st_size <= MOST_BYTES


@pytest.mark.parametrize("name", sorted(DRAWN - OF_NETWORKS))
def test_a_picture_is_drawn(name: str, tmp_path: Path) -> None:
    draw(name, tmp_path)


@needs_shared("weights")
@pytest.mark.parametrize("name", sorted(DRAWN & OF_NETWORKS))
@pytest.mark.usefixtures("weights")
def test_a_picture_of_networks_is_drawn(name: str, tmp_path: Path) -> None:
    draw(name, tmp_path)


@needs_shared("weights")
@pytest.mark.usefixtures("weights")
def test_the_gallery_says_what_the_metrics_say() -> None:
    kept = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    found = gallery.table()
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in found.splitlines()]
    for row in rows[2:]:
        (line,) = re.findall(rf"^\| {re.escape(row[0])} \|.*$", kept, re.MULTILINE)
        said = [cell.strip() for cell in line.strip("|").split("|")]
        assert said[1] == row[1]
        # JPEG encoders and splines of other versions move the third digit
        assert [float(x) for x in said[2:]] == pytest.approx([float(x) for x in row[2:]], rel=0.02, abs=0.005)


def test_every_picture_is_kept_small_and_shown_with_words() -> None:
    kept = {path.stem: path.stat().st_size for path in FOLDER.glob("*.png")}
    assert set(kept) == set(PICTURES)
    assert {name: size for name, size in kept.items() if size > MOST_BYTES} == {}
    words: dict[str, str] = {}
    for page in (ROOT / "docs").rglob("*.md"):
        words |= {name: text for text, name in SHOWN.findall(page.read_text(encoding="utf-8"))}
    assert set(words) == set(PICTURES)
    assert [name for name, text in words.items() if len(text.split()) < 10] == []


def test_every_picture_of_the_models_is_kept_small_and_shown_with_words() -> None:
    folder, words = ROOT / "docs" / "generative", {}
    for page in folder.glob("*.md"):
        words |= {name: text for text, name in re.findall(r"!\[([^\]]*)\]\((\w+\.png)\)", page.read_text("utf-8"))}
    kept = {path.name: path.stat().st_size for path in folder.glob("*.png")}
    assert {name: size for name, size in kept.items() if size > MOST_BYTES} == {}
    assert set(words) == set(kept)
    assert [name for name, text in words.items() if len(text.split()) < 5] == []
