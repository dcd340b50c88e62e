"""LPIPS and Inception on a CUDA device: parity with the original programs, and what a device must not change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixelgauge
from bench.networks.references import INCEPTION_CASES, LPIPS_CASES, official_inception, official_lpips
from pixelgauge import OnnxFeatures
from pixelgauge.networks import providers
from pixelgauge.networks import store as model_store
from pixelgauge.networks.session import Session
from pixelgauge.perceptual import lpips as perceptual
from pixelgauge.perceptual.inception import INCEPTION_OUTPUTS, InceptionFeatures
from pixelgauge.perceptual.lpips import LPIPS
from pixelgauge.perceptual.lpips_strips import LpipsStrips
from pixelgauge.presets import LPIPS_BACKBONES
from tests.perceptual import graphs
from tests.perceptual.pictures import pair, relative
from tests.perceptual.weights import own_recipe, random_weights
from tests.pictures import random_pixels
from tests.places import SHARED, needs_shared

ort = pytest.importorskip("onnxruntime", reason="onnxruntime, the gpu extra, is not installed")
DEVICES = providers.cuda_devices()
if providers.CUDA not in ort.get_available_providers():
    pytest.skip("this onnxruntime has no CUDA: the gpu extra is not installed", allow_module_level=True)
if DEVICES == 0:
    pytest.skip("no CUDA device answers", allow_module_level=True)

# TF32 keeps ten bits of what is multiplied: 4e-4 was measured for features, up to 7e-4 for distances.
TF32 = 2e-3
# Equal images that another place in the batch rounds otherwise: the square of what features may be off by.
EQUAL_IN_TF32 = TF32**2


@pytest.fixture(scope="module", autouse=True)
def device() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(providers, "cuda_devices", lambda: DEVICES)
        yield


@pytest.fixture(scope="module")
def inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("official") / "inception.npz"
    np.savez(path, **official_inception())
    return path


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    return official_lpips(tmp_path_factory.mktemp("vgg"))


def test_it_is_the_default(tmp_path: Path) -> None:
    metric = LPIPS("alex", weights=random_weights("alex", tmp_path))
    assert metric.fingerprint["provider"] == "CUDAExecutionProvider"


@pytest.mark.parity
@needs_shared("reference")
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("tf32", TF32)])
def test_inception_programs(inception: Path, precision: str, tolerance: float) -> None:
    reference = np.load(SHARED / "reference" / "inception_parity.npz")
    model = model_store.from_files("inception-fid", [inception])
    session = Session(model, providers.choose_providers("cuda", precision), list(INCEPTION_OUTPUTS))
    for preset in ("pytorch-fid", "torch-fidelity", "torchmetrics", "clean-fid"):
        inputs = InceptionFeatures(preset, weights=inception, providers="cpu")
        for case in INCEPTION_CASES:
            values = session.run({"images": inputs.resized(reference[f"image/{case}"])})
            bound = tolerance if case == "exact_299x299" else max(tolerance, 1e-4)
            for output, value in values.items():
                key = f"{preset}/{case}/{output}"
                if key in reference:
                    assert relative(value, reference[key]) < bound, key


@pytest.mark.parity
@needs_shared("weights", "reference")
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("tf32", TF32)])
@pytest.mark.parametrize("net", LPIPS_BACKBONES)
def test_lpips_program(official: dict[str, tuple[Path, Path]], net: str, precision: str, tolerance: float) -> None:
    reference = np.load(SHARED / "reference" / "lpips_parity.npz")
    metric = LPIPS(net, weights=official[net], providers="cuda", precision=precision)
    for case in LPIPS_CASES:
        x, y = reference[f"image/{case}/ref"], reference[f"image/{case}/test"]
        expected = {name: reference[f"{net}/{case}/{name}"] for name in ("distance", "per_layer", "spatial")}
        distance, map_, layers = metric(x, y, spatial=True, per_layer=True)
        assert distance == pytest.approx(float(expected["distance"]), rel=tolerance)
        if precision == "float32":
            np.testing.assert_allclose(layers, expected["per_layer"], rtol=tolerance)
            np.testing.assert_allclose(map_, expected["spatial"], rtol=0, atol=1e-4)
        # Pixels as floats go another way to the device.
        assert metric(x / 255, y / 255, data_range=1.0) == pytest.approx(float(expected["distance"]), rel=tolerance)
        assert metric(x, x) == pytest.approx(0, abs=0 if precision == "float32" else EQUAL_IN_TF32)


@pytest.mark.property
@pytest.mark.parametrize("precision", ["float32", "tf32"])
def test_lpips_of_a_batch_does_not_depend_on_what_else_is_in_it(tmp_path: Path, precision: str) -> None:
    metric = LPIPS("alex", weights=random_weights("alex", tmp_path), precision=precision)
    x, y = pair((40, 64, 72, 3))
    distances = metric(x, y)
    assert metric(x, y).tolist() == distances.tolist()
    order = np.random.default_rng(0).permutation(len(x))
    assert metric(x[order], y[order]).tolist() == distances[order].tolist()
    alone = np.array([metric(a, b) for a, b in zip(x, y, strict=True)])  # another size of batch
    np.testing.assert_allclose(alone, distances, rtol=1e-5 if precision == "float32" else TF32)
    np.testing.assert_allclose(metric(x[:5], y[:5]), distances[:5], rtol=1e-5 if precision == "float32" else TF32)


@pytest.mark.property
def test_rows_of_a_run_do_not_depend_on_what_goes_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metric = LPIPS("alex", weights=random_weights("alex", tmp_path))
    monkeypatch.setattr(perceptual, "LPIPS", lambda backbone: metric)
    x, y = pair((80, 64, 72, 3))

    def run(order: Sequence[int], others: bool = False) -> dict[int, float]:
        images = {i: (x[i], y[i]) for i in order}
        if others:  # between them
            images |= {100 + i: (x[i][:50], y[i][:50]) for i in order}
            images = {i: images[i] for i in sorted(images, key=lambda i: i % 100)}
        rows = pixelgauge.compare(images.values(), metrics="lpips", workers=4)
        return dict(zip(images, (row.values["lpips"] for row in rows), strict=True))

    found = run(range(80))
    assert run(range(79, -1, -1)) == found
    for order in (range(3, 8), [17], range(0, 80, 3)):
        assert run(order) == {i: found[i] for i in order}
    assert {i: value for i, value in run(range(20), others=True).items() if i < 100} == {i: found[i] for i in range(20)}
    alone = np.array([metric(a, b) for a, b in zip(x, y, strict=True)])
    np.testing.assert_allclose(list(found.values()), alone, rtol=1e-5)


@pytest.mark.property
def test_inception_does_not_depend_on_neighbours(tmp_path: Path) -> None:
    path = tmp_path / "inception.npz"
    np.savez(path, **own_recipe())
    images = random_pixels((70, 60, 50, 3))
    features = InceptionFeatures(weights=path, batch_size=16)
    values = features(images)
    np.testing.assert_array_equal(features(images[::-1]), values[::-1])
    np.testing.assert_array_equal(features(images[7:8]), values[7:8])
    cpu = InceptionFeatures(weights=path, providers="cpu")(images[:4])
    assert relative(values[:4], cpu) < 1e-5


@pytest.mark.property
def test_tf32_after_float32_in_one_process(tmp_path: Path) -> None:
    """No switch of the whole process decides: the second session has its own precision."""
    path: Path = tmp_path / "inception.npz"
    np.savez(path, **own_recipe())
    images = random_pixels((2, 60, 50, 3))
    exact = InceptionFeatures(weights=path)(images)
    rounded = InceptionFeatures(weights=path, precision="tf32")(images)
    assert 1e-5 < relative(rounded, exact) < TF32
    np.testing.assert_array_equal(InceptionFeatures(weights=path)(images), exact)


@pytest.mark.property
@pytest.mark.parametrize("net", LPIPS_BACKBONES)
def test_large_images_whole_and_by_strips(tmp_path: Path, net: str) -> None:
    metric = LPIPS(net, weights=random_weights(net, tmp_path))
    x, y = pair((1100, 1030, 3))
    distance, map_, layers = metric(x, y, spatial=True, per_layer=True)
    cpu = LPIPS(net, weights=random_weights(net, tmp_path), providers="cpu")(x, y, spatial=True, per_layer=True)
    assert distance == pytest.approx(cpu[0], rel=1e-5)
    np.testing.assert_allclose(layers, cpu[2], rtol=1e-5)
    np.testing.assert_allclose(map_, cpu[1], rtol=0, atol=1e-4)
    metric._strips = LpipsStrips(metric._session, 1 << 25, in_parts=False)
    metric._goes_whole = lambda images: False  # type: ignore[method-assign]
    strips = metric(x, y, spatial=True, per_layer=True)
    assert strips[0] == pytest.approx(distance, rel=1e-5)
    np.testing.assert_allclose(strips[1], map_, rtol=0, atol=1e-4)


@pytest.mark.property
@pytest.mark.parametrize(
    ("made", "options"),
    [
        (graphs.network, {}),
        (lambda: graphs.network((4, 3, 24, 24), said=(4, 6)), {}),
        (lambda: graphs.network(("N", 3, "H", "W")), {"size": 20, "crop": (16, 20)}),
        (graphs.channels_last, {"layout": "nhwc"}),
        (graphs.tokens, {"output": "last_hidden_state", "token": "cls"}),
    ],
    ids=["free", "static batch", "free size", "channels last", "tokens"],
)
def test_features_of_any_graph(tmp_path: Path, made: Callable[[], Any], options: dict[str, Any]) -> None:
    path = graphs.save(made(), tmp_path / "graph.onnx")
    images = random_pixels((70, 24, 24, 3))
    features = OnnxFeatures(path, **options)
    assert features.fingerprint["provider"] == "CUDAExecutionProvider"
    values = features(images)
    assert relative(values, OnnxFeatures(path, providers="cpu", **options)(images)) < 1e-5
    np.testing.assert_array_equal(features(images[::-1]), values[::-1])
    np.testing.assert_array_equal(features(images[7:8]), values[7:8])
