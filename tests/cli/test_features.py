"""The documented recipes of kept features, as they stand in the pages, with a small stand-in for Inception; and the command on
a terminal."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge.engine.extraction import Inception
from tests.cli.test_commands import on_terminal
from tests.engine.stand_in import Small, pictures
from tests.places import ROOT

pytestmark = pytest.mark.cli

COMMAND = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT)!r})
from pixelgauge.cli import main
from pixelgauge.engine.extraction import Inception
from tests.engine.stand_in import Small
Inception.extractor = lambda self, output: Small(self, output)
sys.exit(main())
"""


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders real/, generated/ and samples/1000 to 3000, and a command pixelgauge of the stand-in in the path."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("real", "generated", "samples/1000", "samples/2000", "samples/3000")):
        os.makedirs(name)
        for i, picture in enumerate(pictures(30, seed)):
            Image.fromarray(picture).save(f"{name}/{i}.png")
    command = tmp_path / "bin" / "pixelgauge"
    command.parent.mkdir()
    command.write_text(COMMAND)
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(pixelgauge.__file__)))
    return tmp_path


def blocks(page: str, language: str, containing: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for block in found if containing in block]


def test_the_recipe_of_a_training_run(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (recipe,) = blocks("methods/distribution.md", "sh", "for step in")
    done = subprocess.run(["bash", "-c", recipe], capture_output=True, text=True, check=False)
    assert "30 samples of 16 features" in done.stdout
    rows = [json.loads(line) for line in Path("scores.jsonl").read_text().splitlines()]
    assert len(rows) == 3
    for step, row in zip((1000, 2000, 3000), rows, strict=True):
        assert list(row["failed"]) == ["kid"]  # 30 images are too few for its subsets of 1000
        line = ["pixelgauge", "distance", "real", f"samples/{step}", "--metrics", "fid,is,prdc", "--json"]
        images = subprocess.run(line, capture_output=True, text=True, check=True)
        assert row["metrics"] == json.loads(images.stdout)["metrics"]

    (recipe,) = blocks("methods/distribution.md", "python", "for step in")
    monkeypatch.setattr(pixelgauge, "InceptionFeatures", lambda preset: Small(Inception(preset), "2048"))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(recipe, "recipe", "exec"), {})
    lines = printed.getvalue().splitlines()
    assert len(lines) == 3
    for step, row, line in zip((1000, 2000, 3000), rows, lines, strict=True):
        assert line.startswith(f"{step}: fid {row['metrics']['fid']:.3f}, kid ")
        assert line.endswith(f"precision {row['metrics']['precision']:.3f}, recall {row['metrics']['recall']:.3f}")


def test_the_documented_commands(run_folder: Path) -> None:
    (session,) = blocks("reference/command-line.md", "console", "pixelgauge features")
    commands = [line[2:] for line in session.splitlines() if line.startswith("$ ")]
    assert len(commands) == 2
    for command in commands:
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    assert sorted(np.load("real.npz").files) == ["features", "fingerprint", "format", "names", "outputs"]


def test_a_terminal_gets_a_bar_that_begins_with_what_is_there(run_folder: Path) -> None:
    command = str(run_folder / "bin" / "pixelgauge")
    Path("generated/9.png").write_bytes(b"")  # the last by name
    code, written = on_terminal([command, "features", "generated", "-o", "f.npz"], 90)
    assert code == 1
    assert "generated:   0%" in written
    assert "0/30 [" in written
    for i, picture in enumerate(pictures(1, 9)):
        Image.fromarray(picture).save(f"generated/{9 - i}.png")
    code, written = on_terminal([command, "features", "generated", "-o", "f.npz", "--resume"], 90)
    assert code == 0
    assert "28/30 [" in written
    assert "0/30" not in written
    code, written = on_terminal([command, "features", "generated", "-o", "g.npz", "--quiet"], 90)
    assert (code, "/30" in written) == (0, False)
