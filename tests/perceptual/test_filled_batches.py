"""Batches filled in place by several threads: the images in their order, whatever the threads, and memory that comes back."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelgauge import _core
from pixelgauge.perceptual.filled_batches import FilledBatches


@pytest.mark.property
@given(st.integers(0, 40), st.integers(1, 9), st.integers(1, 5), st.data())
def test_every_image_in_its_place(count: int, size: int, threads: int, data: st.DataObject) -> None:
    batches = FilledBatches((size, 2, 3))
    slow = data.draw(st.sets(st.integers(0, max(0, count - 1)), max_size=3))

    def make(i: int, out: np.ndarray) -> None:
        time.sleep(0.002 * (i in slow))
        out[...] = i

    memory, held, found = set(), [], []
    for batch in batches.of(count, make, threads):
        assert batch.shape[1:] == (2, 3)
        assert (batch == batch[:, :1, :1]).all()
        found += batch[:, 0, 0].tolist()
        memory.add(batch.__array_interface__["data"][0])
        held.append(batch)
        if len(held) > 1:  # a reader may be one batch behind
            batches.used(held.pop(0))
    assert found == list(range(count))
    assert len(memory) <= 2 + 2 + -(-threads // size)


@pytest.mark.boundary
def test_an_error_comes_where_its_batch_would() -> None:
    def make(i: int, out: np.ndarray) -> None:
        if i == 5:
            raise ValueError("the sixth")
        out[...] = i

    batches = FilledBatches((4, 1)).of(10, make, 2)
    assert next(batches).tolist() == [[0], [1], [2], [3]]
    with pytest.raises(ValueError, match="the sixth"):
        next(batches)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.empty((1, 3, 4, 5)), TypeError, "out must be a C-contiguous array of float32"),
        (np.empty((1, 3, 4, 10), np.float32)[..., ::2], TypeError, "out must be a C-contiguous array of float32"),
        (np.empty((1, 3, 5, 4), np.float32), ValueError, r"out must have the shape \(count, 3, height, width\)"),
        (np.empty((3, 4, 5), np.float32), ValueError, r"out must have the shape \(count, 3, height, width\)"),
        (np.broadcast_to(np.float32(0), (1, 3, 4, 5)), TypeError, "out must be a C-contiguous array of float32"),
    ],
)
def test_where_a_resize_cannot_go(out: np.ndarray, error: type[Exception], message: str) -> None:
    pixels = np.zeros((1, 8, 8, 3), np.uint8)
    with pytest.raises(error, match=message):
        _core.resize(pixels, _core.ResizeRule.half_pixel, 4, 5, 1.0, 0.0, 0.0, 255.0, out)


@pytest.mark.boundary
def test_a_resize_into_what_is_read_only() -> None:
    out = np.empty((1, 3, 4, 5), np.float32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="not writeable"):
        _core.resize(np.zeros((1, 8, 8, 3), np.uint8), _core.ResizeRule.half_pixel, 4, 5, 1.0, 0.0, 0.0, 255.0, out)
