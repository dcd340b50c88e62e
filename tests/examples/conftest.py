"""What the tests of the examples share: one short run of the autoencoder, as a reader would start it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import ROOT


@pytest.fixture(scope="session")
def vae_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for needed in ("jax", "optax", "mlxtend", "matplotlib"):
        pytest.importorskip(needed, reason=f"{needed} of the extra `examples` is not installed")
    output = tmp_path_factory.mktemp("generative") / "vae"
    command = [
        sys.executable,
        "-W",
        "error",
        str(ROOT / "examples/generative/vae.py"),
        "--quick",
        "--output",
        str(output),
    ]
    subprocess.run(command, check=True, timeout=900)
    return output
