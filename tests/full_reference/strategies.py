"""What hypothesis draws: pictures of every size, layout, dtype and content, and the instruction set and threads they run under."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

import pixelgauge
from pixelgauge import _core


@contextmanager
def running_on(isa: str, threads: int | None = None) -> Iterator[None]:
    before, threads_before = pixelgauge.isa(), pixelgauge.get_num_threads()
    _core.set_isa(isa)
    if threads is not None:
        pixelgauge.set_num_threads(threads)
    try:
        yield
    finally:
        _core.set_isa(before)
        pixelgauge.set_num_threads(threads_before)


isas = st.sampled_from(_core.available_isas())


def sides(least: int = 1) -> st.SearchStrategy[int]:
    """Sides of pictures: small ones, those about a tile's band (128 rows) and strip (512 pixels) with their windows, any to 700."""
    return st.one_of(
        st.integers(least, least + 40),
        st.integers(max(least, 120), 150),
        st.integers(500, 530),
        st.integers(least, 700),
    )


@dataclass(frozen=True)
class Pair:
    """Two pictures (H, W) or (H, W, C) of one dtype, and the length of their range."""

    x: np.ndarray
    y: np.ndarray
    length: float

    @property
    def channel_axis(self) -> int | None:
        return None if self.x.ndim == 2 else -1


CONTENTS = ("flat", "edge", "stripes", "dots", "ramp", "noise", "uniform")


def content(kind: str, rng: np.random.Generator, shape: tuple[int, ...], level: float, second: float) -> np.ndarray:
    """One picture with values about 0..1, of the two levels where the kind has two."""
    h, w = shape[:2]
    rows, columns = np.mgrid[:h, :w]
    if kind == "flat":
        plane = np.full((h, w), level)
    elif kind == "edge":  # at any offset, down, across or slanting
        position = (columns, rows, rows + columns)[rng.integers(3)]
        plane = np.where(position < rng.integers(0, position.max() + 2), level, second)
    elif kind == "stripes":
        period = rng.integers(2, 17)
        plane = np.where(
            (columns, rows, rows + columns)[rng.integers(3)] % period < rng.integers(1, period), level, second
        )
    elif kind == "dots":  # one bright pixel to a window, wherever it falls
        down, across = rng.integers(3, 17, 2)
        plane = np.where(
            (rows % down == rng.integers(down)) & (columns % across == rng.integers(across)), second, level
        )
    elif kind == "ramp":
        plane = level + (second - level) * (columns + rows) / max(1, h + w - 2)
    elif kind == "noise":
        plane = level + rng.normal(0, second / 4, (h, w))
    else:
        plane = rng.random((h, w))
    if len(shape) == 3:
        plane = plane[..., None] + rng.choice([0, 0.25, -0.1], shape[2])
    return np.clip(plane, 0, 1)


def laid_out(image: np.ndarray, layout: str) -> np.ndarray:
    """The same pixels with other strides."""
    if layout == "fortran":
        return np.asfortranarray(image)
    if layout == "planes":
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(image, -1, 0)), 0, -1) if image.ndim == 3 else image
    if layout in ("rgbx", "bgrx") and image.ndim == 3:  # one element a pixel that is no channel's
        wide = np.full((*image.shape[:2], image.shape[2] + 1), 99, image.dtype)
        seen = wide[..., :-1] if layout == "rgbx" else wide[..., -2::-1]
        seen[...] = image
        return seen
    if layout == "reversed":
        return np.ascontiguousarray(image[::-1, ::-1])[::-1, ::-1]
    if layout == "strided":
        wide = np.zeros((image.shape[0] * 2, image.shape[1] * 3 + 1, *image.shape[2:]), image.dtype)
        wide[::2, 1::3] = image
        return wide[::2, 1::3]
    return image


DTYPES = ("uint8", "uint16", "float16", "float32", "float64")


@st.composite
def pairs(draw: st.DrawFn, least: int = 1, dtypes: tuple[str, ...] = DTYPES, equal: bool = False) -> Pair:
    shape: tuple[int, ...] = (draw(sides(least)), draw(sides(least)))
    if draw(st.booleans()):
        shape = (*shape, draw(st.integers(1, 5)))
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    levels = st.one_of(st.sampled_from([0.0, 1.0]), st.integers(0, 255).map(lambda v: v / 255))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    first, second = draw(levels), draw(levels)
    x = content(draw(st.sampled_from(CONTENTS)), rng, shape, first, second)
    if equal:
        y = x
    elif draw(st.booleans()):
        y = content(draw(st.sampled_from(CONTENTS)), rng, shape, draw(levels), draw(levels))
    else:  # the same a little off, as degraded pictures are
        y = np.clip(x + rng.normal(0, draw(st.sampled_from([0.002, 0.02, 0.2])), x.shape), 0, 1)
    length = float(np.iinfo(dtype).max) if dtype.kind == "u" else draw(st.sampled_from([1.0, 255.0]))
    x, y = (np.rint(v * length) if dtype.kind == "u" else v * length for v in (x, y))
    layouts = st.sampled_from(("c", "c", "fortran", "planes", "reversed", "strided", "rgbx", "bgrx"))
    return Pair(laid_out(x.astype(dtype), draw(layouts)), laid_out(y.astype(dtype), draw(layouts)), length)
