"""LPIPS in a run of pairs: what a device is given at a time, and that no distance depends on it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge.cli import main
from pixelgauge.networks.providers import CUDA
from pixelgauge.perceptual import lpips as perceptual
from pixelgauge.perceptual.lpips import LPIPS
from tests.perceptual.pictures import pair
from tests.perceptual.weights import random_weights
from tests.pictures import random_pixels

pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")


@pytest.fixture(scope="module")
def on_cpu(tmp_path_factory: pytest.TempPathFactory) -> LPIPS:
    metric = LPIPS("alex", weights=random_weights("alex", tmp_path_factory.mktemp("weights")), providers="cpu")
    metric(*pair((40, 36, 3)))  # loads what small images go through
    return metric


@pytest.fixture
def as_on_a_device(on_cpu: LPIPS, monkeypatch: pytest.MonkeyPatch) -> LPIPS:
    """The same, which takes batches as if it ran on a device; ``compare`` finds it instead of the model."""
    monkeypatch.setattr(on_cpu, "_plan", dataclasses.replace(on_cpu._plan, providers=((CUDA, {}),)))
    monkeypatch.setattr(perceptual, "LPIPS", lambda backbone: on_cpu)
    return on_cpu


@pytest.mark.property
def test_the_cpu_takes_pairs_one_by_one(on_cpu: LPIPS) -> None:
    assert on_cpu.together(np.zeros((1, 64, 64, 3), np.uint8)) == 1


@pytest.mark.property
def test_a_device_takes_as_many_as_fill_it(as_on_a_device: LPIPS) -> None:
    sizes = {(256, 256): 32, (64, 64): 64, (1024, 1024): 2, (1500, 1000): 1, (4000, 3000): 1}
    for size, together in sizes.items():
        assert as_on_a_device.together(np.zeros((1, *size, 3), np.uint8)) == together
    assert as_on_a_device.together(np.zeros((1, 64, 64, 3), np.float32)) == 1


@pytest.mark.property
def test_rows_are_those_of_the_function_whatever_goes_with_them(
    as_on_a_device: LPIPS, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = pair((70, 40, 36, 3))
    x, y = list(x), list(y)
    x[9], y[9] = random_pixels((50, 44, 3), 1), random_pixels((50, 44, 3), 2)
    x[20], y[20] = x[20][..., 0], y[20][..., 0]  # gray, which is repeated
    sizes = []
    run = as_on_a_device._run

    def watched(pairs: Any, a: np.ndarray, *rest: Any) -> Any:
        sizes.append(a.shape)
        return run(pairs, a, *rest)

    monkeypatch.setattr(as_on_a_device, "_run", watched)
    rows = list(pixelgauge.compare(x, y, metrics=("psnr", "lpips"), workers=3))
    assert [row.message for row in rows] == [""] * 70
    assert {shape[0] for shape in sizes} == {64}
    x[20], y[20] = (np.repeat(one[..., np.newaxis], 3, 2) for one in (x[20], y[20]))
    expected = [as_on_a_device(a, b) for a, b in zip(x, y, strict=True)]
    assert [row.values["lpips"] for row in rows] == expected


@pytest.mark.boundary
def test_images_too_small_are_told_one_by_one(as_on_a_device: LPIPS, tmp_path: Path) -> None:
    x, y = pair((3, 12, 12, 3))
    rows = list(pixelgauge.compare(x, y, metrics=("mse", "lpips")))
    assert [row.status for row in rows] == ["unscorable"] * 3
    assert all("at least 31 x 31" in row.message and "mse" in row.values for row in rows)


@pytest.mark.property
def test_a_run_that_is_stopped_while_pairs_wait_is_gone_on_with(
    as_on_a_device: LPIPS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(perceptual, "_MOST_TOGETHER", 4)
    x, y = pair((22, 40, 36, 3))
    for side, images in (("ref", x), ("test", y)):
        (tmp_path / side).mkdir()
        for i, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / side / f"{i:02}.png")
    run, calls = as_on_a_device._run, []

    def stopped(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return run(*args)

    command = ["compare", str(tmp_path / "ref"), str(tmp_path / "test"), "--metrics", "psnr,lpips", "--workers", "2"]
    whole, parts = (str(tmp_path / name) for name in ("whole.csv", "parts.csv"))
    assert main([*command, "--output", whole]) == 0
    monkeypatch.setattr(as_on_a_device, "_run", stopped)
    assert main([*command, "--output", parts]) == 130
    done = Path(parts).read_text().splitlines()
    assert 1 <= len(done) < 23
    assert all(row.split(",")[2] == "ok" for row in done[1:])
    monkeypatch.setattr(as_on_a_device, "_run", run)
    assert main([*command, "--output", parts, "--resume"]) == 0
    assert Path(parts).read_text() == Path(whole).read_text()
    assert "--resume goes on with it" in capsys.readouterr().err
