"""The comparison of models, on a short run of one and stand-ins for the others: what it says holds without them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.places import ROOT

SCRIPT = ROOT / "examples/generative/compare_models.py"


@pytest.fixture(scope="module")
def figures(short_run: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    vae_folder = short_run("vae")
    folder = tmp_path_factory.mktemp("compared")
    shutil.copytree(vae_folder, folder / "vae")
    samples = np.load(vae_folder / "samples.npy")
    others = {"gan": samples[::-1], "autoregressive": np.minimum(samples, 200)}
    told = {"gan": {"final.value": [-1.3, -1.4, -1.2]}, "autoregressive": {"bits_held_out": 0.4, "baseline_bits": 0.8}}
    for name, images in others.items():
        (folder / name).mkdir()
        np.save(folder / name / "samples.npy", images)
        (folder / name / "figures.json").write_text(json.dumps(told[name]), encoding="utf-8")
    output = folder / "compare_models"
    without_jax = "import runpy, sys; sys.argv.pop(0); sys.path.insert(0, sys.argv.pop(0)); "
    without_jax += "runpy.run_path(sys.argv[0], run_name='__main__'); assert 'jax' not in sys.modules"
    command = [sys.executable, "-W", "error", "-c", without_jax, str(SCRIPT.parent), str(SCRIPT)]
    subprocess.run([*command, "--output", str(output)], check=True, timeout=900)
    return json.loads((output / "figures.json").read_text(encoding="utf-8"))


def test_the_frechet_distance_forgives_memorising(figures: dict[str, Any]) -> None:
    copies = figures["samples.training digits.frechet"][0]
    assert copies < min(figures[f"samples.{name}.frechet"][0] for name in ("vae", "fifty of them"))
    assert figures["samples.training digits.copied"][1] > 0.99
    # what a few copies miss is seen by recall and coverage
    for metric in ("recall", "coverage"):
        assert figures[f"samples.fifty of them.{metric}"][2] < figures[f"samples.training digits.{metric}"][1] - 0.2


def test_ssim_likes_blur(figures: dict[str, Any]) -> None:
    """A blurred digit is nearer by SSIM than a sharp one of its kind, or itself moved by a pixel, and further as a set."""
    assert figures["changed.blurred.ssim"] > figures["changed.another_of_its_kind.ssim"] + 0.05
    assert figures["changed.blurred.ssim"] > figures["changed.shifted_1.ssim"] + 0.1
    assert figures["changed.blurred.frechet"][1] > figures["changed.another_of_its_kind.frechet"][2]


def test_likelihood_misleads(figures: dict[str, Any]) -> None:
    # nothing is more likely to a model of digits than an image of none
    assert figures["likelihood.blank.bits_per_dim"] < figures["likelihood.held_out.bits_per_dim"]
    assert figures["likelihood.blank.auroc"][2] < 0.5


def test_missing_models_are_named(tmp_path: Path) -> None:
    pytest.importorskip("mlxtend", reason="mlxtend of the extra `examples` is not installed")
    command = [sys.executable, str(SCRIPT), "--output", str(tmp_path / "compare_models")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert "python examples/generative/gan.py --output" in done.stderr


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "-1"], "argument --seed: '-1' is no whole number from 0 to 2147483646"),
        (["--seed", "one"], "argument --seed: 'one' is no whole number"),
        (["--output", "file"], "argument --output: nothing can be written to file: File exists"),
        (["--output", "file/folder"], "argument --output: nothing can be written to file/folder: Not a directory"),
        (["--quick"], "unrecognized arguments: --quick"),  # nothing is trained
    ],
)
def test_what_is_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    pytest.importorskip("mlxtend", reason="mlxtend of the extra `examples` is not installed")
    (tmp_path / "file").touch()
    command = [sys.executable, str(SCRIPT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
