"""Where things lie: the repository, and the folder of weights, references and images that is not part of it, and which
tests need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("PIXELGAUGE_SHARED", ROOT.parent / "shared"))


def needs_shared(*folders: str) -> pytest.MarkDecorator:
    """Mark of a test that is skipped where those of the shared folders are not."""
    return pytest.mark.skipif(
        not all((SHARED / folder).is_dir() for folder in folders),
        reason=f"the shared {' and '.join(folders)} are not at {SHARED}: set PIXELGAUGE_SHARED",
    )
