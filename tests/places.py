"""Where things lie: the repository, and the folder of weights, references and images that is not part of it."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("PIXELGAUGE_SHARED", ROOT.parent / "shared"))
