"""The plan of the rooms holds: imports go downwards, the check would see one that does not, and files stay one idea long."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import ROOT

MOST_LINES = 550


def lint(package: Path) -> subprocess.CompletedProcess[str]:
    """Check the import contracts of a copy of the package."""
    pytest.importorskip("importlinter", reason="import-linter, of the dev and test extras, is not installed")
    code = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    command = [sys.executable, "-c", code, "--no-cache", "--config", str(ROOT / "pyproject.toml")]
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    return subprocess.run(
        command, cwd=package.parent, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(
        ROOT / "python" / "pixelgauge", tmp_path / "pixelgauge", ignore=shutil.ignore_patterns("*.so", "models")
    )
    return tmp_path / "pixelgauge"


def test_imports_go_downwards(copied: Path) -> None:
    done = lint(copied)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("images/arrays.py", "from pixelgauge.engine.rows import ScoreRow"),  # upwards
        ("checks.py", "import pixelgauge.presets"),
        ("ranking/aupro.py", "from pixelgauge.distribution.samples import samples"),  # sideways
        ("full_reference/ssim.py", "def late():\n    from pixelgauge.perceptual import lpips"),  # inside a function too
    ],
)
def test_an_import_that_does_not_is_seen(copied: Path, file: str, line: str) -> None:
    with (copied / file).open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")
    done = lint(copied)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout


def test_files_are_one_idea_long() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("the sources are no git repository here")
    sources = [
        ROOT / name for name in listed.stdout.split() if name.endswith((".py", ".pyi", ".cpp", ".h", ".hpp", ".inl"))
    ]
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in sources
    }
    assert len(lengths) > 100
    held = {name: length for name, length in lengths.items() if not name.startswith(("tests/", "cpp/tests/"))}
    assert {name: length for name, length in held.items() if length > MOST_LINES} == {}
