"""The parts of the pages' scripts that compute, by Node's own test runner."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.places import ROOT

SCRIPTS = sorted((ROOT / "python/pixelgauge/report").glob("*.js"))
TESTS = sorted(Path(__file__).parent.glob("*.test.js"))


def written() -> list[list[object]]:
    """Numbers as Python writes them."""
    rng = np.random.default_rng(1)
    values = [0.0, 1.0, -1.0, 0.5, 1e-5, 123456.0, 1234567.0, 99.99999, 0.000123456789, 1e-7, 2.5e9, 848.252]
    values += (rng.standard_normal(200) * 10.0 ** rng.integers(-8, 9, 200)).tolist()
    values += (rng.integers(-(2**20), 2**20, 400) / 2.0 ** rng.integers(0, 22, 400)).tolist()  # ties among them
    values += [0.5, 1.5, 0.03125, -0.03125, 123.0625, 12.28125, 1234565.0, 1234575.0, 0.0000152587890625]
    return [[value, digits, format(value, digits)] for value in values for digits in (".0f", ".4f", ".6f", ".6g")]


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_what_scripts_compute(path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    environment = {**os.environ, "WRITTEN": json.dumps(written())}
    done = subprocess.run([node, "--test", str(path)], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_strict_and_make_no_markup_of_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("'use strict';\n")
    assert "</script" not in text
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|fetch\(|https?:", text
    )
