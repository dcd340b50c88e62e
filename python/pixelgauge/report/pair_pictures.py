"""A second look at a pair: both images, and maps of where they differ, as pictures for a page.

Differences and indices are computed from the pixels as they were scored, and never from what the page shows of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge.engine.comparison import Comparison
from pixelgauge.engine.items import Source
from pixelgauge.engine.pipeline import PairPixels, UnfitPairError, read_pair
from pixelgauge.files.reading import cut, printable
from pixelgauge.full_reference.ssim import ssim
from pixelgauge.images import value_range_bounds
from pixelgauge.images.budget import Budget, Share
from pixelgauge.presets import SSIM_PRESETS
from pixelgauge.report.pictures import Bytes, Picture, photograph, thumbnail, value_map

_FOR_THUMBNAILS, _FOR_IMAGES = 0.2, 0.6
"""Share of the room that both thumbnails have, and of what they leave both images; the maps have the rest."""

_TIMES = 8
"""What both images and a map of three channels take while it is made, in bytes of the images."""

Pixels = npt.NDArray[Any]


@dataclass(frozen=True)
class ValueMap:
    """Values over an image, as a picture of 8 bits: 0 stands for `zero`, 255 for `full`."""

    name: str
    title: str
    picture: Picture
    zero: float
    full: float
    digits: int
    part: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    """Of the image that it covers: left, top, width, height."""


@dataclass(frozen=True)
class PairPictures:
    """What a page shows of a pair."""

    width: int
    height: int
    thumbnails: tuple[Picture, Picture]
    images: tuple[Picture, Picture]
    maps: list[ValueMap]
    notes: list[str]


class Photographer:
    """Makes the pictures of pairs of a run; may be called from several threads.

    Parameters
    ----------
    comparison : Comparison
        Of the run: by it the images are read, and it tells which maps there are.
    memory : int, optional
        Bytes that the images and maps of all that are made at a time may take.
    """

    def __init__(self, comparison: Comparison, memory: int | None = None) -> None:
        self._options = comparison.options
        self._budget = None if memory is None else Budget(max(1, memory // _TIMES))
        values = comparison.options.values
        bases = {name: metric for name, (metric, _) in self._options.variants.items()}
        of_ssim = next((name for name, base in bases.items() if base == "ssim"), None)
        self._preset = "wang2004" if of_ssim is None else str(comparison.values_of(of_ssim, values)["preset"])
        of_lpips = next((name for name, base in bases.items() if base == "lpips"), None)
        self._network: Callable[..., Any] | None = None
        if of_lpips is not None:
            from pixelgauge.perceptual.lpips import LPIPS

            self._network = LPIPS(comparison.values_of(of_lpips, values)["lpips_backbone"])

    def __call__(self, ref: Source, test: Source, most: int) -> PairPictures | str:
        """Pictures of a pair in at most about `most` characters, or why there are none."""
        share = Share(self._budget)
        try:
            return self._pictures(read_pair(ref, test, self._options, share), most)
        except UnfitPairError as error:
            return printable(cut(error.message, 300))
        except MemoryError:
            return "there is not enough memory for its pictures"
        finally:
            share.keep(0)

    def _pictures(self, pair: PairPixels, most: int) -> PairPictures:
        x, y = pair.x[0], pair.y[0]
        low, high = self._range(pair)
        shown = [_eight_bits(image, low, high) for image in (x, y)]
        notes = [printable(note) for note in [*pair.notes, *pair.told]]
        if x.shape[2] not in (1, 3):
            notes.append(f"the first {shown[0].shape[2] if shown[0].ndim == 3 else 1} of {x.shape[2]} bands are shown")
        thumbnails = tuple(thumbnail(image, int(most * _FOR_THUMBNAILS / 2)) for image in shown)
        left = most - _size(thumbnails)
        images = tuple(photograph(image, int(left * _FOR_IMAGES / 2)) for image in shown)
        left -= _size(images)
        makers = [self._difference, self._ssim, *([self._lpips] if self._network is not None else [])]
        maps: list[ValueMap] = []
        for i, make in enumerate(makers):
            try:
                found = make(pair, high - low, left // (len(makers) - i))
            except (ValueError, MemoryError) as error:  # too small for a window, or too large for the network
                notes.append(printable(cut(f"no map: {error}", 300)))
            else:
                maps.append(found)
                left -= len(found.picture.address)
        return PairPictures(x.shape[1], x.shape[0], thumbnails, images, maps, notes)  # type: ignore[arg-type]

    def _range(self, pair: PairPixels) -> tuple[float, float]:
        given = self._options["data_range"] or pair.full_range
        if given or pair.x.dtype.kind == "u":
            return value_range_bounds(given, pair.x.dtype)
        low = min(float(pair.x.min()), float(pair.y.min()))  # of floating-point arrays without a range
        return low, max(float(pair.x.max()), float(pair.y.max()), low + 1e-9)

    def _difference(self, pair: PairPixels, length: float, most: int) -> ValueMap:
        x, y = pair.x[0], pair.y[0]
        if x.dtype == np.uint8:
            values: Pixels = (np.maximum(x, y) - np.minimum(x, y)).max(axis=2)
            full = 255.0
        else:
            apart = np.abs(x.astype(np.float64) - y).max(axis=2)
            full = float(apart.max()) or length
            values = np.ceil(apart * (255 / full)).clip(0, 255).astype(np.uint8)  # what differs is never shown as 0
        digits = 0 if x.dtype.kind == "u" else 4
        return ValueMap("difference", "Difference", value_map(values, most, largest=True), 0.0, full, digits)

    def _ssim(self, pair: PairPixels, length: float, most: int) -> ValueMap:
        given = self._options["data_range"] or pair.full_range
        found: Any = ssim(pair.x[0], pair.y[0], full=True, data_range=given, preset=self._preset)
        index = found[1].mean(axis=2)
        low = min(float(index.min()), 0.0)
        values = np.rint((1 - index) * (255 / (1 - low))).clip(0, 255).astype(np.uint8)
        picture = value_map(values, most, largest=False)
        part = _covered(pair.x.shape[1:3], index.shape, self._preset)
        return ValueMap("ssim", f"SSIM map ({self._preset})", picture, 1.0, low, 3, part)

    def _lpips(self, pair: PairPixels, length: float, most: int) -> ValueMap:
        assert self._network is not None
        x, y = ((np.repeat(image, 3, 2) if image.shape[2] == 1 else image) for image in (pair.x[0], pair.y[0]))
        _, distances = self._network(x, y, data_range=self._options["data_range"], spatial=True)
        full = float(distances.max()) or 1.0
        values = np.rint(distances * (255 / full)).clip(0, 255).astype(np.uint8)
        return ValueMap("lpips", "LPIPS map", value_map(values, most, largest=False), 0.0, full, 4)


def _size(pictures: tuple[Picture, ...]) -> int:
    return sum(len(picture.address) for picture in pictures)


def _eight_bits(pixels: Pixels, low: float, high: float) -> Bytes:
    """Pixels as a screen shows them: (H, W) or (H, W, 3)."""
    pixels = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., 0]
    if pixels.dtype == np.uint8 and (low, high) == (0, 255):
        return np.ascontiguousarray(pixels)
    scaled = (pixels.astype(np.float32) - low) * (255 / (high - low))
    bytes_: Bytes = np.rint(scaled).clip(0, 255).astype(np.uint8)
    return bytes_


def _covered(size: tuple[int, ...], of_map: tuple[int, ...], preset: str) -> tuple[float, float, float, float]:
    """Part of an image that windows have their centres in: maps of presets without borders are smaller."""
    step = SSIM_PRESETS[preset].downsample_factor(size[0], size[1])
    height, width = (min(1.0, step * length / whole) for length, whole in zip(of_map, size, strict=True))
    return ((1 - width) / 2, (1 - height) / 2, width, height)


def as_json(pictures: PairPictures) -> Mapping[str, Any]:
    """Make what the viewer needs of a pair."""

    def address(picture: Picture) -> dict[str, Any]:
        return {"src": picture.address, "w": picture.width, "h": picture.height, "exact": picture.lossless}

    return {
        "w": pictures.width,
        "h": pictures.height,
        "images": [address(picture) for picture in pictures.images],
        "maps": [
            {
                "name": found.name,
                "title": found.title,
                "zero": found.zero,
                "full": found.full,
                "digits": found.digits,
                "part": found.part,
                **address(found.picture),
            }
            for found in pictures.maps
        ],
        "notes": pictures.notes,
    }
