"""LPIPS in ``pixelgauge compare`` and ``demo``: the published number from the command line, and what a missing model says."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelgauge.cli import main
from tests.places import SHARED

needs_shared = pytest.mark.skipif(
    not (SHARED / "weights").is_dir() or not (SHARED / "images").is_dir(),
    reason=f"the shared weights and images are not at {SHARED}: set PIXELGAUGE_SHARED",
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIXELGAUGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def alex(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = SHARED / "weights"
    assert (
        main(
            ["models", "add", "lpips-alex", str(weights / "alexnet_features.pth"), str(weights / "lpips_v0.1_alex.pth")]
        )
        == 0
    )
    capsys.readouterr()


@pytest.mark.cli
@pytest.mark.usefixtures("cache")
def test_a_missing_model_is_wrong_use_and_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    assert main(["compare", str(tmp_path / "a.png"), str(tmp_path / "a.png"), "--metrics", "lpips"]) == 2
    error = capsys.readouterr().err
    assert "pixelgauge models pull lpips-alex" in error
    assert "pixelgauge models add lpips-alex" in error


@pytest.mark.cli
@pytest.mark.usefixtures("cache")
def test_the_option_without_the_metric_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(tmp_path), str(tmp_path), "--lpips-backbone", "vgg"]) == 2
    assert "--lpips-backbone is for lpips" in capsys.readouterr().err


@pytest.mark.cli
@pytest.mark.parity
@needs_shared
@pytest.mark.usefixtures("alex")
@pytest.mark.parametrize(("name", "published"), [("ex_p0", 0.721881), ("ex_p1", 0.137566)])
def test_the_original_programs_numbers(name: str, published: float, capsys: pytest.CaptureFixture[str]) -> None:
    images = SHARED / "images"
    assert (
        main(["compare", str(images / "ex_ref.png"), str(images / f"{name}.png"), "--metrics", "lpips", "--json"]) == 0
    )
    result = json.loads(capsys.readouterr().out)
    # the published figures have six decimals
    assert abs(result["summary"]["lpips"]["mean"] - published) <= 1e-6
    assert result["fingerprint"]["metrics"]["lpips"].startswith("lpips-alex@")


@pytest.mark.cli
@needs_shared
@pytest.mark.usefixtures("alex")
def test_gray_images_are_repeated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for folder in ("ref", "test"):
        (tmp_path / folder).mkdir()
        gray = rng.integers(0, 256, (64, 64), np.uint8)
        Image.fromarray(gray).save(tmp_path / folder / "gray.png")
        Image.fromarray(np.repeat(gray[..., None], 3, 2)).save(tmp_path / folder / "rgb.png")
    folders = [str(tmp_path / "ref"), str(tmp_path / "test")]
    table = tmp_path / "rows.csv"
    assert main(["compare", *folders, "--metrics", "psnr,lpips", "--output", str(table)]) == 0
    with table.open(newline="") as file:
        scores = [row["lpips"] for row in csv.DictReader(file)]
    assert len(scores) == 2
    assert scores[0] == scores[1] != "0"
    capsys.readouterr()
    assert main(["compare", *folders, "--metrics", "psnr,lpips", "--gray"]) == 2
    assert "lpips is of colour images" in capsys.readouterr().err


@pytest.mark.cli
@needs_shared
@pytest.mark.usefixtures("alex")
def test_damaged_weights_stop_compare_and_demo(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    victim = cache / "models" / "lpips-alex" / "weights.bin"
    data = np.fromfile(victim, np.float32)
    data[:300_000] *= 3
    data.tofile(victim)
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    picture = str(tmp_path / "a.png")
    for arguments in (["compare", picture, picture, "--metrics", "lpips"], ["demo"]):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert "weights.bin: is damaged: its sha256 is" in error
        assert "pixelgauge models pull lpips-alex" in error


@pytest.mark.cli
@needs_shared
@pytest.mark.usefixtures("alex")
def test_lpips_joins_the_demo_when_its_weights_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["left_out"] == {}
    assert all(row["lpips"] > 0 for row in report["rows"])


@pytest.mark.cli
@pytest.mark.usefixtures("cache")
def test_the_demo_offers_the_pull_of_what_it_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    assert "lpips is left out: its weights are not here; this brings them: pixelgauge models pull lpips-alex" in out
    assert main(["demo", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["left_out"]["lpips"].endswith("pixelgauge models pull lpips-alex")
    assert "lpips" not in report["rows"][0]
