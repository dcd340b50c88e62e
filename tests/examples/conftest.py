"""What the tests of the examples share: one short run of each model, as a reader would start it, and the figures it leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.places import ROOT


@pytest.fixture(scope="session")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of an example's outputs after ``--quick``; it is run when first asked for."""
    for needed in ("jax", "optax", "mlxtend", "matplotlib"):
        pytest.importorskip(needed, reason=f"{needed} of the extra `examples` is not installed")
    outputs = tmp_path_factory.mktemp("generative models")  # a path with a space

    def run(example: str) -> Path:
        folder = outputs / example
        if not folder.exists():
            script = str(ROOT / f"examples/generative/{example}.py")
            command = [sys.executable, "-W", "error", script, "--quick", "--output", str(folder)]
            subprocess.run(command, check=True, timeout=900)
        return folder

    return run


@pytest.fixture(scope="module")
def folder(short_run: Callable[[str], Path], request: pytest.FixtureRequest) -> Path:
    """Outputs of the example that a module names in EXAMPLE."""
    return short_run(request.module.EXAMPLE)


@pytest.fixture(scope="module")
def figures(folder: Path) -> dict[str, Any]:
    """What that example printed, by name."""
    found: dict[str, Any] = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    return found
