"""LPIPS of large images by strips: the bits of the whole image's layers, whatever the strips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixelgauge.networks.pixels import Pixels
from pixelgauge.networks.session import Session
from pixelgauge.perceptual.lpips import LPIPS
from pixelgauge.perceptual.lpips_strips import LpipsStrips
from tests.perceptual.pictures import pair
from tests.perceptual.test_lpips import lpips_alex_float64
from tests.perceptual.weights import random_weights

pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")

SIZES = {"alex": [(331, 173), (31, 410)], "vgg": [(149, 67), (16, 211)], "squeeze": [(257, 131), (17, 302)]}
"""Tall, wide, odd, prime, and of the smallest side the network takes."""


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LPIPS]:
    return {net: LPIPS(net, weights=random_weights(net, tmp_path_factory.mktemp(net))) for net in SIZES}


def signed(images: np.ndarray) -> Pixels:
    return Pixels(images, 2 / 255, -1)


@pytest.mark.property
@pytest.mark.parametrize("net", SIZES)
def test_strips_change_no_bit(metrics: dict[str, LPIPS], net: str) -> None:
    session = metrics[net]._session
    for height, width in SIZES[net]:
        x, y = (image[np.newaxis] for image in pair((height, width, 3)))
        whole = LpipsStrips(session, 1 << 62, in_parts=False).run(x, y, signed, spatial=True, rows=10**6)
        for strips, rows in (
            (LpipsStrips(session, 1 << 20, in_parts=True), None),
            (LpipsStrips(session, 1 << 62, in_parts=True), 1),
            (LpipsStrips(session, 1 << 62, in_parts=True), 37),
            (LpipsStrips(session, 1 << 62, in_parts=False), 50),
        ):
            for threads in (1, None):
                found = strips.run(x, y, signed, spatial=True, rows=rows, threads=threads)
                for name, values in whole.items():
                    np.testing.assert_array_equal(found[name], values, err_msg=f"{height}x{width} {rows} {name}")


@pytest.mark.property
@pytest.mark.parametrize("net", SIZES)
def test_strips_against_the_graph(metrics: dict[str, LPIPS], net: str, monkeypatch: pytest.MonkeyPatch) -> None:
    metric = metrics[net]
    for height, width in ((331, 173), (101, 239)):
        x, y = pair((height, width, 3))
        expected = metric(x, y, spatial=True, per_layer=True)
        with monkeypatch.context() as patch:
            patch.setattr(metric, "_whole_pixels", height * width)
            assert metric(x, y) == expected[0]  # an image of so many pixels goes whole, one more goes by strips
            patch.setattr(metric, "_whole_pixels", height * width - 1)
            distance, map_, layers = metric(x, y, spatial=True, per_layer=True)
        # The same maps, to the bit: the graph averages them in float32 and interpolates at places rounded to float32.
        assert distance == pytest.approx(expected[0], rel=1e-6)
        np.testing.assert_allclose(layers, expected[2], rtol=1e-6)
        np.testing.assert_allclose(map_, expected[1], rtol=0, atol=1e-5 * expected[1].max())
        assert map_.dtype == np.float32
        assert layers.sum() == distance


@pytest.mark.oracle
@pytest.mark.parametrize("size", [(211, 83), (64, 173)])
def test_alex_by_strips_against_float64(tmp_path: Path, size: tuple[int, int]) -> None:
    paths = random_weights("alex", tmp_path)
    backbone, heads = (dict(np.load(path)) for path in paths)
    metric = LPIPS("alex", weights=paths)
    x, y = pair((*size, 3))
    expected = lpips_alex_float64(x, y, backbone, heads)
    found = metric._in_strips().run(x[np.newaxis], y[np.newaxis], signed, spatial=True, rows=1)
    assert found["distance"][0] == pytest.approx(expected[0], rel=1e-5)  # as of images that are run whole
    np.testing.assert_allclose(found["per_layer"][0], expected[1], rtol=2e-5)
    np.testing.assert_allclose(found["spatial"][0], expected[2], rtol=0, atol=1e-4 * expected[2].max())


@pytest.mark.property
def test_layouts_dtypes_batches_and_files_alike(metrics: dict[str, LPIPS], tmp_path: Path) -> None:
    from PIL import Image

    metric = metrics["alex"]
    metric._whole_pixels = 5000
    try:
        x, y = pair((3, 97, 61, 3))
        distances, maps, layers = metric(x, y, spatial=True, per_layer=True)
        assert (distances.shape, maps.shape, layers.shape) == ((3,), (3, 97, 61), (3, 5))
        assert metric(x[1], y[1]) == distances[1]
        planes = [np.moveaxis(images, 3, 1) for images in (x, y)]
        np.testing.assert_array_equal(metric(*planes, channel_axis=1), distances)
        wide = metric(x[0].swapaxes(0, 1), y[0].swapaxes(0, 1))  # columns are cut, and nothing is contiguous
        assert wide == metric(x[0].swapaxes(0, 1).copy(), y[0].swapaxes(0, 1).copy())
        np.testing.assert_array_equal(metric(np.tile(x, (3, 1, 1, 1)), np.tile(y, (3, 1, 1, 1))), np.tile(distances, 3))
        for name, images in (("x", x), ("y", y)):
            Image.fromarray(images[0]).save(tmp_path / f"{name}.png")
        assert metric(tmp_path / "x.png", tmp_path / "y.png") == distances[0]
        floats = [images[0].astype(np.float32) for images in (x, y)]
        assert metric(*floats, data_range=255.0) == distances[0]
        far = [images[0].astype(np.float64) + 1e6 for images in (x, y)]
        assert metric(*far, data_range=(1e6, 1e6 + 255)) == pytest.approx(distances[0], rel=1e-5)
        assert metric(x[0], x[0]) == 0
    finally:
        metric._whole_pixels = 1 << 20


@pytest.mark.property
def test_the_graph_of_other_providers_by_strips(metrics: dict[str, LPIPS]) -> None:
    metric = metrics["alex"]
    plain = Session(metric._model, metric._plan, ["distance", "per_layer"], replace=metric._replace, batch_size=1)
    assert not plain.uses_winograd
    x, y = (image[np.newaxis] for image in pair((401, 97, 3)))
    found = LpipsStrips(plain, 1 << 34, in_parts=False).run(x, y, signed, rows=240)
    expected = plain.run({"x": signed(x), "y": signed(y)})
    # The products of the heads may be summed in another order for another number of positions.
    np.testing.assert_allclose(found["per_layer"], expected["per_layer"], rtol=1e-6)


@pytest.mark.property
def test_no_run_sees_more_than_a_strip(metrics: dict[str, LPIPS], monkeypatch: pytest.MonkeyPatch) -> None:
    metric, most = metrics["alex"], 1 << 20
    strips = LpipsStrips(metric._session, most, in_parts=True)
    seen = []
    run = Session.run

    def counted(self: Session, inputs: dict, threads: int | None = None) -> dict:
        arrays = [value.images if isinstance(value, Pixels) else value for value in inputs.values()]
        results = run(self, inputs, threads)
        seen.append(sum(array.size * 4 for array in (*arrays, *results.values())))
        return results

    monkeypatch.setattr(Session, "run", counted)
    x, y = (image[np.newaxis] for image in pair((2003, 67, 3)))
    strips.run(x, y, signed)
    assert len(seen) > 30
    assert max(seen) < most


@pytest.mark.boundary
def test_weights_that_overflow_are_an_error_by_strips_too(tmp_path: Path) -> None:
    paths = random_weights("alex", tmp_path)
    np.savez(paths[0], **{name: value * np.float32(1e15) for name, value in np.load(paths[0]).items()})
    metric = LPIPS("alex", weights=paths)
    metric._whole_pixels = 0
    with pytest.raises(ValueError, match=r"lpips-alex gives values of .* that are not finite: .* use sound weights"):
        metric(*pair((97, 61, 3)))
