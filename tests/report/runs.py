"""Runs of small pictures and their reports, and what a page holds."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import pixelgauge
from tests.pictures import random_pixels


def save_pairs(folder: Path, count: int, shape: tuple[int, ...] = (24, 24, 3)) -> None:
    """Pairs in `ref` and `test`, each with more noise than the one before; the first are equal."""
    for side in ("ref", "test"):
        (folder / side).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        pixels = random_pixels(shape, i)
        Image.fromarray(pixels).save(folder / "ref" / f"{i:03}.png")
        rows = i * shape[0] // max(count, 1)
        pixels[:rows] = random_pixels(shape, i + 1000)[:rows]
        Image.fromarray(pixels).save(folder / "test" / f"{i:03}.png")


def report_of(folder: Path, **options: Any) -> str:
    """Report of the pairs in `ref` and `test`."""
    path = folder / "report.html"
    pixelgauge.compare_report(pixelgauge.compare(folder / "ref", folder / "test", workers=2, **options), path)
    return path.read_text(encoding="utf-8")


def held(page: str) -> dict[str, Any]:
    """JSON that a page holds, by the ids of its elements."""
    found = re.findall(r'<script type="application/json" id="([^"]+)"[^>]*>(.*?)</script>', page, re.DOTALL)
    return {name: json.loads(text) for name, text in found}


def pixels_of(picture: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """Pixels of a picture that a page holds."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture["src"].partition("base64,")[2]))))
