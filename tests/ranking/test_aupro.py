"""AUPRO's masks and maps in every layout that means the same images, and the masks that mean nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixelgauge


@pytest.fixture
def masks(rng: np.random.Generator) -> np.ndarray:
    return (rng.random((3, 14, 11)) < 0.15).astype(np.uint8)


@pytest.fixture
def maps(rng: np.random.Generator, masks: np.ndarray) -> np.ndarray:
    return np.round(rng.random((3, 14, 11)) + 0.5 * masks, 2)


LAYOUTS = {
    "N, H, W": lambda a: a, "N, H, W, 1": lambda a: a[..., np.newaxis], "N, 1, H, W": lambda a: a[:, np.newaxis],
    "list of H, W": list, "tuple of H, W": tuple, "list of H, W, 1": lambda a: list(a[..., np.newaxis]),
    "list of 1, H, W": lambda a: list(a[:, np.newaxis]), "nested lists": lambda a: a.tolist(),
    "Fortran": np.asfortranarray, "masked array": np.ma.array,
}  # fmt: skip


@pytest.mark.property
@pytest.mark.parametrize("of_masks", LAYOUTS)
@pytest.mark.parametrize("of_maps", LAYOUTS)
def test_layouts_of_a_batch(masks: np.ndarray, maps: np.ndarray, of_masks: str, of_maps: str) -> None:
    assert pixelgauge.aupro(LAYOUTS[of_masks](masks), LAYOUTS[of_maps](maps)) == pixelgauge.aupro(masks, maps)


@pytest.mark.property
@pytest.mark.parametrize("layout", [
    lambda a: a, lambda a: a[..., np.newaxis], lambda a: a[np.newaxis], lambda a: a[np.newaxis, ..., np.newaxis],
    lambda a: a[np.newaxis, np.newaxis], lambda a: [a], lambda a: a.tolist(), lambda a: [a.tolist()],
])  # fmt: skip
def test_layouts_of_one_image(masks: np.ndarray, maps: np.ndarray, layout: Any) -> None:
    expected = pixelgauge.aupro(masks[0], maps[0])
    assert pixelgauge.aupro(layout(masks[0]), maps[0]) == expected
    assert pixelgauge.aupro(masks[0], layout(maps[0])) == expected


@pytest.mark.property
@pytest.mark.parametrize("convert", [
    lambda m: m.astype(bool), lambda m: m.astype(np.int64), lambda m: m.astype(np.float32), lambda m: m * 255,
    lambda m: m.astype(float) * 255, lambda m: m * 3, lambda m: m.astype(np.float16), lambda m: m.astype(">i4"),
])  # fmt: skip
def test_masks_of_every_dtype(masks: np.ndarray, maps: np.ndarray, convert: Any) -> None:
    assert pixelgauge.aupro(convert(masks), maps) == pixelgauge.aupro(masks, maps)


@pytest.mark.oracle
def test_images_of_several_sizes_are_one_curve(rng: np.random.Generator) -> None:
    # the same pixels in two images of other heights: regions that no cut crosses stay what they are
    mask, scores = np.zeros((20, 9), np.uint8), np.round(rng.random((20, 9)), 2)
    mask[2:5, 1:4] = mask[13:17, 5:8] = 1
    scores = np.round(scores + 0.4 * mask, 2)
    whole = pixelgauge.aupro(mask, scores)
    assert pixelgauge.aupro([mask[:8], mask[8:]], [scores[:8], scores[8:]]) == whole
    assert pixelgauge.aupro([mask[:8], mask[8:]], [scores[:8].astype(np.float32).astype(float), scores[8:]]) == (
        pytest.approx(whole, abs=0.02)
    )
    big = [np.array([[2**53, 2**53 + 1]]), np.array([[0.5], [2.0**53]])]
    # 2^53 + 1 alone is anomalous and above all: rounded to a float it would tie with both normal 2^53
    assert pixelgauge.aupro([np.array([[0, 1]]), np.array([[0], [0]])], big, max_fpr=1) == 1


@pytest.mark.boundary
@pytest.mark.parametrize(("mask", "error", "message"), [
    (np.full((4, 4), np.nan), ValueError, "masks holds nan"), (np.where(np.eye(4), np.inf, 0), ValueError, "masks holds inf"),
    (np.eye(4) * 0.5, ValueError, r"masks holds 0\.5: .*masks > 0\.5"), (-np.eye(4), ValueError, "masks holds -1"),
    (-np.eye(4, dtype=np.int8), ValueError, "masks holds -1"), (np.eye(4).astype(str), TypeError, "dtype <U"),
    (np.eye(4).astype(complex), TypeError, "complex"), (np.eye(4).astype(object), TypeError, "object"),
    (np.ma.array(np.eye(4), mask=np.eye(4)), ValueError, "4 masked values"),
    (np.eye(5), ValueError, "must both be"), (np.eye(4)[np.newaxis].repeat(2, 0), ValueError, "must both be"),
    (np.zeros((4, 4, 3)), ValueError, "must both be"), (np.zeros((2, 4, 4, 3)), ValueError, "must both be"),
    (np.zeros(4), ValueError, "must both be"), ([np.eye(4), np.eye(4)], ValueError, "masks are 2 images"),
    ([np.eye(4), 3], ValueError, "masks"), ((m for m in [np.eye(4)]), TypeError, "generator"), ([], ValueError, "empty"),
    (Image.new("P", (4, 4)), TypeError, "picture"), ([Image.new("L", (4, 4))], TypeError, "picture"),
    ([np.zeros((4, 4, 2))], ValueError, r"masks\[0\] has shape"),
])  # fmt: skip
def test_masks_that_mean_nothing(mask: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        pixelgauge.aupro(mask, np.zeros((4, 4)))


@pytest.mark.boundary
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.25, -1])
def test_one_bad_pixel_of_many_is_found_in_masks(masks: np.ndarray, maps: np.ndarray, bad: float) -> None:
    masks = masks.astype(float)
    masks[2, 3:7, 3:7] = bad
    for given in (masks, list(masks), masks[..., np.newaxis]):
        with pytest.raises(ValueError, match="masks holds"):
            pixelgauge.aupro(given, maps)


@pytest.mark.boundary
def test_one_bad_pixel_of_many_is_found_in_maps(masks: np.ndarray, maps: np.ndarray) -> None:
    maps[1, 2, 3] = np.nan
    for given in (maps, list(maps)):
        with pytest.raises(ValueError, match="maps holds NaN"):
            pixelgauge.aupro(masks, given)


@pytest.mark.boundary
def test_a_bound_of_text_is_refused(masks: np.ndarray, maps: np.ndarray) -> None:
    with pytest.raises(TypeError, match=r"max_fpr='0\.3' must be a number"):
        pixelgauge.aupro(masks, maps, max_fpr="0.3")  # type: ignore[arg-type]
