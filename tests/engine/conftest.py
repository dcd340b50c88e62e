"""What the tests of kept features share: two folders of pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.engine.stand_in import pictures


def save(folder: Path, count: int, seed: int) -> None:
    (folder / "deeper").mkdir(parents=True)
    for i, picture in enumerate(pictures(count, seed)):
        Image.fromarray(picture).save(folder / ("deeper" if i % 3 else ".") / f"{i:03}.png")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders a/ of 23 images and b/ of 31 in the working folder."""
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "a", 23, 1)
    save(tmp_path / "b", 31, 2)
    return tmp_path
