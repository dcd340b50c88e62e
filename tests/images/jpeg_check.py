"""Makes the small JPEGs that a decoder beside Pillow is tried on before it is used: one of each kind that it is given.

``python -m tests.images.jpeg_check`` writes ``python/pixelgauge/images/jpeg_check/*.jpg``, with Pillow, and simplejpeg for
the sampling that Pillow does not write; the files are committed, since encoders change.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.places import ROOT

FOLDER = ROOT / "python" / "pixelgauge" / "images" / "jpeg_check"


def picture(height: int, width: int) -> np.ndarray:
    """Edges of strong colour, a slope and grain: every frequency, and values at both ends."""
    rng = np.random.default_rng([height, width])
    coarse = rng.choice([0, 64, 200, 255], (-(-height // 6), -(-width // 6), 3)).repeat(6, 0).repeat(6, 1)
    slope = np.linspace(-40, 40, width)[:, np.newaxis]
    return np.clip(coarse[:height, :width] + slope + rng.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)


def samples() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each."""

    def saved(image: np.ndarray, **options: object) -> bytes:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", **options)
        return file.getvalue()

    yield "gray", saved(picture(33, 41)[..., 0], quality=85)
    yield "gray-progressive", saved(picture(25, 30)[..., 0], quality=75, progressive=True)
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        yield f"{name}", saved(picture(35, 45), quality=88, subsampling=subsampling)
        yield f"{name}-even", saved(picture(32, 48), quality=60, subsampling=subsampling, optimize=True)
        yield f"{name}-progressive", saved(picture(31, 37), quality=80, subsampling=subsampling, progressive=True)
    yield "420-restarts", saved(picture(40, 51), quality=90, subsampling=2, restart_marker_blocks=2)
    yield "420-coarse", saved(picture(50, 49), quality=8, subsampling=2)
    yield "420-fine", saved(picture(23, 29), quality=100, subsampling=2)
    yield "rgb", saved(picture(21, 27), quality=85, keep_rgb=True)
    yield "420-narrow", saved(picture(19, 1), quality=85, subsampling=2)
    yield "422-two", saved(picture(3, 2), quality=85, subsampling=1)

    import simplejpeg

    yield "440", simplejpeg.encode_jpeg(picture(39, 43), quality=85, colorsubsampling="440", fastdct=False)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, data in samples():
        (FOLDER / f"{name}.jpg").write_bytes(data)
