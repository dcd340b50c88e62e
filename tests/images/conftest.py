"""What the tests of images share: the three ways of a decoder."""

from __future__ import annotations

import pytest

from pixelgauge.images import jpeg, png


@pytest.fixture(params=["fast", "decoder", "class"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs the test by the extra `fast`, by Pillow's decoder alone, and by its class, as if its decoder were another."""
    if request.param == "fast":
        pytest.importorskip("simplejpeg", reason="the extra `fast` is not installed")
    else:
        monkeypatch.setattr(jpeg, "decoded_fast", lambda *arguments: None)
    if request.param == "class":
        for module in (jpeg, png):
            monkeypatch.setattr(module, "_decodes_directly", lambda: False)
    return str(request.param)
