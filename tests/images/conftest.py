"""What the tests of images share: the two ways through Pillow."""

from __future__ import annotations

import pytest

from pixelgauge.images import jpeg, png


@pytest.fixture(params=["decoder", "class"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs the test by Pillow's decoder alone, and by its class, as for a Pillow whose decoder is another."""
    if request.param == "class":
        for module in (jpeg, png):
            monkeypatch.setattr(module, "_decodes_directly", lambda: False)
    return str(request.param)
