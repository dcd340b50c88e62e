"""LPIPS: parity with the original program, a float64 NumPy oracle with random weights, invariance, refused input."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from bench.networks.references import LPIPS_CASES, official_lpips
from pixelgauge.images import ImageFileError
from pixelgauge.networks import store as model_store
from pixelgauge.networks.checkpoint import CheckpointError
from pixelgauge.networks.convert import read_sources
from pixelgauge.networks.providers import OPENVINO
from pixelgauge.networks.session import Session
from pixelgauge.perceptual import lpips as perceptual
from pixelgauge.perceptual.lpips import LPIPS
from pixelgauge.presets import LPIPS_PRESETS
from tests.perceptual.pictures import pair
from tests.perceptual.weights import random_weights
from tests.places import SHARED, needs_shared

pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")


@pytest.fixture(scope="module")
def alex(tmp_path_factory: pytest.TempPathFactory) -> LPIPS:
    return LPIPS("alex", weights=random_weights("alex", tmp_path_factory.mktemp("weights")))


# ---- oracle -------------------------------------------------------------------------------------------------------


def conv(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int, padding: int) -> np.ndarray:
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    k = weight.shape[2]
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), (1, 2))[:, ::stride, ::stride]
    return np.einsum("chwij,ocij->ohw", windows, weight, optimize=True) + bias[:, None, None]


def max_pool(x: np.ndarray) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))[:, ::2, ::2].max((3, 4))


def upsample(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear, half-pixel centres, edges repeated: torch's align_corners=False."""

    def axis(n_in, n_out):
        at = np.clip((np.arange(n_out) + 0.5) * n_in / n_out - 0.5, 0, n_in - 1)
        low = np.minimum(at.astype(int), n_in - 1)
        return low, np.minimum(low + 1, n_in - 1), at - low

    r0, r1, rw = axis(x.shape[0], height)
    c0, c1, cw = axis(x.shape[1], width)
    rows = x[r0] * (1 - rw)[:, None] + x[r1] * rw[:, None]
    return rows[:, c0] * (1 - cw) + rows[:, c1] * cw


def lpips_alex_float64(
    x: np.ndarray,
    y: np.ndarray,
    backbone: dict[str, np.ndarray],
    heads: dict[str, np.ndarray] | None,
    inside: float = 0.0,
    outside: float = 1e-10,
) -> tuple[float, np.ndarray, np.ndarray]:
    """The definition, in float64: distance, layers, map."""
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])

    def taps(image):
        h = ((image / 127.5 - 1 - shift) / scale).transpose(2, 0, 1)
        for index, stride, padding, pooled in (
            (0, 4, 2, False),
            (3, 1, 2, True),
            (6, 1, 1, True),
            (8, 1, 1, False),
            (10, 1, 1, False),
        ):
            h = max_pool(h) if pooled else h
            weight, bias = (backbone[f"features.{index}.{part}"].astype(np.float64) for part in ("weight", "bias"))
            h = np.maximum(conv(h, weight, bias, stride, padding), 0)
            yield h / (np.sqrt(inside + (h * h).sum(0)) + outside)

    maps = [
        ((a - b) ** 2 * (1 if heads is None else heads[f"lin{i}.model.1.weight"][0])).sum(0)
        for i, (a, b) in enumerate(zip(taps(x), taps(y), strict=True))
    ]
    layers = np.array([m.mean() for m in maps])
    return layers.sum(), layers, sum(upsample(m, *x.shape[:2]) for m in maps)


@pytest.mark.oracle
@pytest.mark.parametrize("linear", [True, False])
def test_alex_against_float64(tmp_path: Path, linear: bool) -> None:
    paths = random_weights("alex", tmp_path)
    metric = LPIPS("alex", linear=linear, weights=paths)
    backbone, heads = (dict(np.load(path)) for path in paths)
    x, y = pair((45, 61, 3))
    distance, map_, layers = metric(x, y, spatial=True, per_layer=True)
    expected = lpips_alex_float64(x, y, backbone, heads if linear else None)
    # float32 through five convolutions; the project's tolerance for the distance is 1e-5 and for maps 1e-4
    assert distance == pytest.approx(expected[0], rel=1e-5)
    np.testing.assert_allclose(layers, expected[1], rtol=2e-5)
    np.testing.assert_allclose(map_, expected[2], rtol=0, atol=1e-4 * expected[2].max())


@pytest.mark.oracle
@needs_shared("weights")
@pytest.mark.parametrize("size", [(31, 31), (32, 40), (40, 40), (64, 64), (95, 97), (96, 96)])
@pytest.mark.parametrize("noise", [4, 20])
def test_sizes_against_float64(each_isa: str, size: tuple[int, int], noise: int) -> None:
    weights = SHARED / "weights"
    paths = [weights / "alexnet_features.pth", weights / "lpips_v0.1_alex.pth"]
    state = read_sources(model_store.model_named("lpips-alex"), paths)
    backbone, heads = (
        {name: np.asarray(value) for name, value in state[role].items()} for role in ("backbone", "heads")
    )
    metric = LPIPS("alex", weights=paths)
    for seed in range(3):
        x, _ = pair((*size, 3), seed)
        y = np.clip(x + np.random.default_rng(seed).normal(0, noise, x.shape), 0, 255).astype(np.uint8)
        expected = lpips_alex_float64(x, y, backbone, heads)[0]
        # The nearer images are, the more digits their features' difference loses: the original in float32 is off by up to
        # 2e-5 at 40x40 with noise of 4 (distances of about 4e-4), by 3e-6 with 20.
        assert metric(x, y) == pytest.approx(expected, rel=3e-5 if noise == 4 else 1e-5)


@pytest.mark.property
def test_small_images_go_without_winograd(alex: LPIPS) -> None:
    x, y = pair((2, 95, 97, 3))
    alone = Session(alex._model, alex._plan, ["distance"], replace=alex._replace, winograd=False)
    inputs = {name: image.transpose(0, 3, 1, 2) / np.float32(127.5) - 1 for name, image in (("x", x), ("y", y))}
    np.testing.assert_allclose(
        alex(x, y), alone.run(inputs)["distance"], rtol=1e-6
    )  # but for the rounding of the inputs
    assert not alex._loaded(spatial=False, winograd=False).uses_winograd
    assert alex._session_for(x, spatial=False) is alex._loaded(spatial=False, winograd=False)
    assert alex._session_for(pair((1, 96, 96, 3))[0], spatial=False) is alex._session
    assert alex._session.uses_winograd


@pytest.mark.oracle
@pytest.mark.parametrize("preset", LPIPS_PRESETS)
def test_presets_against_float64_where_features_vanish(tmp_path: Path, preset: str) -> None:
    paths = random_weights("alex", tmp_path)
    backbone, heads = (dict(np.load(path)) for path in paths)
    for part in ("weight", "bias"):  # the last layer's norms come to about 1e-4, the root of what torchmetrics adds
        backbone[f"features.10.{part}"] *= np.float32(1e-5)
    np.savez(paths[0], **backbone)
    row = LPIPS_PRESETS[preset]
    x, y = pair((45, 61, 3))
    metric = LPIPS("alex", weights=paths, preset=preset)
    expected = {
        row.name: lpips_alex_float64(x, y, backbone, heads, row.inside, row.outside)[0]
        for row in LPIPS_PRESETS.values()
    }
    assert metric(x, y) == pytest.approx(expected[row.name], rel=1e-5)  # the project's tolerance
    assert expected["lpips"] > 1.001 * expected["torchmetrics"]
    assert metric.fingerprint["preset"] == preset


# ---- parity -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference() -> Any:
    return np.load(SHARED / "reference" / "lpips_parity.npz")


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], LPIPS]:
    return {
        (net, linear): LPIPS(net, linear=linear, weights=files if linear else files[0])
        for net, files in official_lpips(tmp_path_factory.mktemp("vgg")).items()
        for linear in (True, False)
    }


@pytest.mark.parity
@needs_shared("weights", "reference")
@pytest.mark.parametrize("case", LPIPS_CASES)
@pytest.mark.parametrize("net", ["alex", "squeeze", "vgg"])
def test_original_program(official: dict[tuple[str, bool], LPIPS], reference: Any, net: str, case: str) -> None:
    x, y = reference[f"image/{case}/ref"], reference[f"image/{case}/test"]
    distance, map_, layers = official[net, True](x, y, spatial=True, per_layer=True)
    expected = {name: reference[f"{net}/{case}/{name}"] for name in ("distance", "per_layer", "spatial", "baseline")}
    # the tolerances: 1e-5 relative for distances, 1e-4 for maps
    assert distance == pytest.approx(float(expected["distance"]), rel=1e-5)
    np.testing.assert_allclose(layers, expected["per_layer"], rtol=1e-5)
    np.testing.assert_allclose(map_, expected["spatial"], rtol=0, atol=1e-4)
    assert official[net, False](x, y) == pytest.approx(float(expected["baseline"]), rel=1e-5)
    assert layers.sum() == pytest.approx(distance, rel=1e-6)


@pytest.mark.parity
@needs_shared("weights", "reference", "images")
def test_published_example(official: dict[tuple[str, bool], LPIPS]) -> None:
    images = SHARED / "images"
    distances = official["alex", True]([images / "ex_ref.png"] * 2, [images / "ex_p0.png", str(images / "ex_p1.png")])
    np.testing.assert_allclose(distances, [0.721881, 0.137566], atol=6e-7)  # the printed digits
    assert official["alex", True](images / "ex_ref.png", images / "ex_p0.png") == distances[0]


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore")  # the program's own
@pytest.mark.parametrize("net", ["alex", "squeeze"])
def test_torchmetrics(tmp_path: Path, net: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    with contextlib.suppress(ImportError):
        import tvshim  # noqa: F401  (lets torchvision import beside a CPU PyTorch, where needed)
    program = pytest.importorskip("torchmetrics.functional.image.lpips", reason="torchmetrics is not installed")
    paths = random_weights(net, tmp_path)
    backbone, heads = (dict(np.load(path)) for path in paths)
    theirs = program._LPIPS(pretrained=False, net=net, pnet_rand=True)
    state = theirs.state_dict()
    for key in state:
        parts = key.split(".")
        if parts[0] == "net":  # net.slices.0.3.weight and net.slice1.3.weight are features.3.weight
            value = backbone[f"features.{key.split('.', 3 if parts[1] == 'slices' else 2)[-1]}"]
        else:  # lin0.model.1.weight and lins.0.model.1.weight
            value = heads[f"lin{parts[1]}.model.1.weight" if parts[0] == "lins" else key]
        state[key] = torch.from_numpy(value)
    theirs.load_state_dict(state)
    x, y = pair((64, 77, 3))
    tensors = [torch.from_numpy(image.transpose(2, 0, 1)[None] / np.float32(255)) for image in (x, y)]
    with torch.inference_mode():
        expected = float(theirs(*tensors, normalize=True))
    metric = LPIPS(net, weights=paths, preset="torchmetrics")
    assert metric(x, y) == pytest.approx(expected, rel=1e-5)  # the project's tolerance
    assert metric(x / 255, y / 255, data_range=1.0) == pytest.approx(expected, rel=1e-5)


# ---- properties ---------------------------------------------------------------------------------------------------


@pytest.mark.property
def test_identity_symmetry_and_sum_of_layers(alex: LPIPS) -> None:
    x, y = pair((64, 64, 3))
    assert alex(x, x) == 0
    assert alex(x, y) == alex(y, x)
    assert 0 < alex(x, y) < 10


@pytest.mark.property
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_openvino(tmp_path: Path, precision: str) -> None:
    ort = pytest.importorskip("onnxruntime")
    if OPENVINO not in ort.get_available_providers():
        pytest.skip("this onnxruntime has no OpenVINO: the openvino extra is not installed")
    paths = random_weights("alex", tmp_path)
    metric = LPIPS("alex", weights=paths, providers="openvino", precision=precision)
    x, y = pair((6, 64, 64, 3))
    distances = metric(x, y)
    # bf16 keeps eight bits of each feature; 0.9 % was measured with the official weights
    np.testing.assert_allclose(
        distances, LPIPS("alex", weights=paths)(x, y), rtol=2e-2 if precision == "bf16" else 1e-5
    )
    assert metric(x, x).tolist() == [0] * 6  # in any precision
    assert metric(y, x).tolist() == distances.tolist()
    assert [metric(a, b) for a, b in zip(x, y, strict=True)] == distances.tolist()


@pytest.mark.property
@pytest.mark.parametrize("count", [1, 2, 3, 9, 21])
def test_batches_for_a_device_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """A device's way through the pairs, with the CPU's session in its place."""
    metric = LPIPS("alex", weights=random_weights("alex", tmp_path))
    x, y = pair((count, 40, 36, 3))
    expected = metric(x, y, spatial=True, per_layer=True)
    assert metric(x, y).tolist() == expected[0].tolist()  # loads what goes without maps
    sizes = []
    run = metric._run
    monkeypatch.setattr(metric, "_run", lambda pairs, a, *rest: sizes.append(len(a)) or run(pairs, a, *rest))
    other = dataclasses.replace(metric._plan, providers=(("OtherExecutionProvider", {}),), fixed_batch=True)
    monkeypatch.setattr(metric, "_plan", other)
    monkeypatch.setattr(metric, "_device_pixels", 8 * 40 * 36 + 1)
    for value, right in zip(metric(x, y, spatial=True, per_layer=True), expected, strict=True):
        np.testing.assert_array_equal(value, right)
    assert sizes == {1: [1], 2: [2], 3: [4], 9: [8] * 2, 21: [8] * 3}[count]
    paths = [(tmp_path / f"x{i}.png", tmp_path / f"y{i}.png") for i in range(count)]
    for i, names in enumerate(paths):
        for name, image in zip(names, (x[i], y[i]), strict=True):
            Image.fromarray(image).save(name)
    left, right = zip(*paths, strict=True)
    assert metric(left, right).tolist() == expected[0].tolist()
    assert sizes[-count:] == [1] * count


@pytest.mark.property
def test_batches_ranges_layouts_and_dtypes_give_the_same(alex: LPIPS) -> None:
    x, y = pair((3, 40, 36, 3))
    batch = alex(x, y)
    assert batch.shape == (3,)
    assert batch.dtype == np.float64
    singles = [alex(a, b) for a, b in zip(x, y, strict=True)]
    assert batch.tolist() == singles  # not one bit
    assert alex(x.transpose(0, 3, 1, 2), y.transpose(0, 3, 1, 2), channel_axis=1).tolist() == singles
    assert alex(x[::-1, ::-1], y[::-1, ::-1]).tolist() == alex(x[::-1, ::-1].copy(), y[::-1, ::-1].copy()).tolist()
    # other ways to say the same pixels round differently, by an ulp of the input
    wide = alex(x.astype(np.uint16) * 257, y.astype(np.uint16) * 257)
    np.testing.assert_allclose(wide, singles, rtol=1e-4)
    unit = alex(x / 255, y / 255, data_range=1.0)
    np.testing.assert_allclose(unit, singles, rtol=1e-4)
    signed = alex(x / 127.5 - 1, y / 127.5 - 1, data_range=(-1, 1))
    np.testing.assert_allclose(signed, singles, rtol=1e-4)
    half = alex(x.astype(np.float16), y.astype(np.float16), data_range=255)
    np.testing.assert_allclose(half, singles, rtol=1e-4)


@pytest.mark.property
@pytest.mark.usefixtures("restored_threads")
def test_not_a_bit_depends_on_threads_or_batch(tmp_path: Path) -> None:
    paths = random_weights("squeeze", tmp_path)
    x, y = pair((5, 37, 50, 3))
    results = []
    for threads in (1, 2, 3):
        pixelgauge.set_num_threads(threads)
        metric = LPIPS("squeeze", weights=paths)
        for step in (1, 2, 5):
            parts = [metric(x[i : i + step], y[i : i + step], spatial=True, per_layer=True) for i in range(0, 5, step)]
            results.append([np.concatenate(values) for values in zip(*parts, strict=True)])
    for result in results[1:]:
        for value, expected in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(value, expected)


@pytest.mark.property
@pytest.mark.usefixtures("restored_threads")
def test_large_pairs_take_turns(alex: LPIPS, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = pair((4, 96, 100, 3))
    pixelgauge.set_num_threads(2)
    expected = alex(x, y).tolist()
    running, most = [], []
    run = alex._session.run

    def watched(inputs, threads):
        running.append(threads)
        most.append(len(running))
        result = run(inputs, threads)
        running.remove(threads)
        return result

    monkeypatch.setattr(perceptual, "_STREAM_PIXELS", 2 * 96 * 100 - 1)
    monkeypatch.setattr(alex._session, "run", watched)
    monkeypatch.setattr(alex._session, "threads", 2)
    assert alex(x, y).tolist() == expected
    assert most == [1] * 4  # one at a time, on all threads


@pytest.mark.property
def test_shapes_of_results(alex: LPIPS) -> None:
    x, y = pair((2, 40, 36, 3))
    distance, map_ = alex(x, y, spatial=True)
    assert (distance.shape, map_.shape) == ((2,), (2, 40, 36))
    distance, layers = alex(x[0], y[0], per_layer=True)
    assert isinstance(distance, float)
    assert layers.shape == (5,)
    assert alex(x[0], y[0], spatial=True)[1].shape == (40, 36)


@pytest.mark.property
def test_smallest_image(tmp_path: Path) -> None:
    for backbone, smallest in (("alex", 31), ("vgg", 16), ("squeeze", 17)):
        metric = LPIPS(backbone, weights=random_weights(backbone, tmp_path))
        x, y = pair((smallest, smallest, 3))
        assert metric(x, y) > 0
        with pytest.raises(
            ValueError, match=rf"x is {smallest - 1} x {smallest} \(height x width\).*at least {smallest} x {smallest};"
        ):
            metric(x[1:], y[1:])


@pytest.mark.property
def test_files(alex: LPIPS, tmp_path: Path) -> None:
    from PIL import Image

    pairs = [pair((40, 36, 3), 1), pair((50, 41, 3), 2)]
    for i, (x, y) in enumerate(pairs):
        Image.fromarray(x).save(tmp_path / f"x{i}.png")
        Image.fromarray(y).save(tmp_path / f"y{i}.png")
    names = [[tmp_path / f"{side}{i}.png" for i in range(2)] for side in "xy"]
    distances, maps = alex(*names, spatial=True)
    assert distances.tolist() == [alex(x, y) for x, y in pairs]
    assert alex(*[side * 4 for side in names]).tolist() == distances.tolist() * 4  # side by side
    with pytest.raises(ValueError, match=r"x1\.png is 50 x 41 and .*y0\.png is 40 x 36 \(height x width\)"):
        alex(names[0] * 4, [*names[1] * 3, tmp_path / "y0.png", tmp_path / "y0.png"])
    assert [m.shape for m in maps] == [(40, 36), (50, 41)]
    Image.fromarray(pairs[0][0]).convert("L").save(tmp_path / "gray.png")
    assert alex(tmp_path / "gray.png", tmp_path / "y0.png") > 0


@pytest.mark.property
def test_fingerprint(alex: LPIPS) -> None:
    facts = alex.fingerprint
    assert facts["model"] == "lpips-alex"
    assert facts["provider"] == "CPUExecutionProvider"
    assert facts["precision"] == "float32"
    assert facts["version"] == pixelgauge.__version__
    assert facts["official_weights"] is False
    assert len(facts["weights_sha256"]) == 64


# ---- refused ------------------------------------------------------------------------------------------------------


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("change", "data_range", "match"),
    [
        (lambda x, y: (x, y), None, "data_range is needed"),
        (lambda x, y: (x, y), (-1, 1), r"no value below zero.*pass data_range=1\.0"),
        (
            lambda x, y: (2 * x - 1, 2 * y - 1),
            1.0,
            r"outside data_range=1.0; for images in -1..1 pass data_range=\(-1, 1\)",
        ),
        (lambda x, y: (255 * x, 255 * y), 1.0, "outside data_range"),
        (lambda x, y: (x, y), 255, r"no value above one.*pass data_range=1\.0"),
        (lambda x, y: (x.astype(np.float16), y.astype(np.float16)), None, "needed for floating-point images"),
        (
            lambda x, y: (x, np.where(y > 0.5, np.nan, y)),
            1.0,
            "^y: NaN or infinity in image 0, row 0: remove or replace",
        ),
        (lambda x, y: (x, np.where(y > 0.5, np.inf, y)), 1.0, "infinity"),
        (lambda x, y: (x, y), (1, -1), "low < high"),
        (lambda x, y: (x, y), "1", "data_range"),
    ],
)
def test_ranges(alex: LPIPS, change: Callable[..., Any], data_range: Any, match: str) -> None:
    images = change(*(image / 255 for image in pair((40, 36, 3))))
    with pytest.raises(ValueError, match=match):
        alex(*images, data_range=data_range)


@pytest.mark.boundary
def test_dark_and_flat_images_are_not_refused(alex: LPIPS) -> None:
    black = np.zeros((40, 36, 3), np.float32)
    assert alex(black, black, data_range=255) == 0
    assert alex(black, black, data_range=(-1, 1)) == 0
    assert alex(black, black + 1, data_range=255) > 0


@pytest.mark.boundary
@pytest.mark.parametrize("shape", [(40, 36), (40, 36, 1), (40, 36, 4), (2, 40, 36), (3, 40, 36)])
def test_channels(alex: LPIPS, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="channel"):
        alex(*pair(shape))


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (lambda x, y: (x, y[:-1]), ValueError, "differ in shape"),
        (lambda x, y: (x, y.astype(np.uint16)), ValueError, "differ in dtype"),
        (lambda x, y: (x[:0], y[:0]), ValueError, "empty"),
        (lambda x, y: (x.astype(int), y.astype(int)), TypeError, "int64"),
        (lambda x, y: (x, "y.png"), TypeError, "both be files"),
        (lambda x, y: ("x.png", ["y.png"]), ValueError, "both be one file"),
        (lambda x, y: (["x.png"], ["y.png", "z.png"]), ValueError, "1 files and y 2"),
        (lambda x, y: (None, None), TypeError, "NoneType"),
        (lambda x, y: ([], ["y.png"]), ValueError, "x is empty: name at least one file"),
        (lambda x, y: (["x.png"], []), ValueError, "y is empty: name at least one file"),
        (lambda x, y: ([], []), ValueError, "x is empty: name at least one file"),
    ],
)
def test_shapes_dtypes_and_kinds(alex: LPIPS, change: Callable[..., Any], error: type[Exception], match: str) -> None:
    images = change(*pair((40, 36, 3)))
    with pytest.raises(error, match=match):
        alex(*images)


@pytest.mark.boundary
def test_a_file_that_is_not_there(alex: LPIPS, tmp_path: Path) -> None:
    with pytest.raises(ImageFileError, match=r"absent\.png: No such file"):
        alex(str(tmp_path / "absent.png"), "y.png")


@pytest.mark.boundary
@pytest.mark.parametrize("flag", ["spatial", "per_layer"])
def test_flags_are_true_or_false(alex: LPIPS, flag: str) -> None:
    with pytest.raises(TypeError, match=f"{flag}=3 must be True or False"):
        alex(*pair((40, 36, 3)), **{flag: 3})


@pytest.mark.boundary
def test_files_take_no_options_of_arrays(alex: LPIPS) -> None:
    with pytest.raises(ValueError, match=r"data_range=1.0 is for arrays"):
        alex("x.png", "y.png", data_range=1.0)
    with pytest.raises(ValueError, match=r"channel_axis=1 is for arrays"):
        alex("x.png", "y.png", channel_axis=1)


@pytest.mark.oracle
def test_ranges_far_from_zero_and_near_the_ends_of_float32(alex: LPIPS) -> None:
    x, y = (image.astype(np.float64) for image in pair((48, 48, 3)))
    expected = alex(x, y, data_range=255.0)
    assert alex(x, y, data_range=np.array(255.0)) == expected
    for low in (-1e3, 1e5, 1e6, 2.0**40):  # the shifted values are exact in float64
        assert alex(x + low, y + low, data_range=(low, low + 255)) == pytest.approx(expected, rel=1e-5)
    for scale in (1e-300, 1e-60, 1e37, 1e60, 1e300):
        assert alex(x * scale, y * scale, data_range=255 * scale) == pytest.approx(expected, rel=1e-5)
    tiny = np.float32(1e-38)
    value = alex(x.astype(np.float32) / 255 * tiny, y.astype(np.float32) / 255 * tiny, data_range=float(tiny))
    assert value == pytest.approx(expected, rel=1e-4)  # the values themselves are rounded to 1e-7 of the range

    class Pair:  # array-like, but neither a sequence nor an array
        def __iter__(self) -> Any:
            return iter((50, 305))

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return np.array([50.0, 305.0])

    assert alex(x + 50, y + 50, data_range=Pair()) == alex(x + 50, y + 50, data_range=(50, 305))
    with pytest.raises(ValueError, match="must be positive and finite"):
        alex(x, y, data_range=(-1.7e308, 1.7e308))


@pytest.mark.boundary
def test_weights_that_overflow_are_an_error_not_nan(tmp_path: Path) -> None:
    paths = random_weights("alex", tmp_path)
    backbone = {name: value * np.float32(1e15) for name, value in np.load(paths[0]).items()}
    np.savez(paths[0], **backbone)
    x, y = pair((40, 40, 3))
    with pytest.raises(
        ValueError, match=r"lpips-alex gives values of 'distance' that are not finite: .* use sound weights"
    ):
        LPIPS("alex", weights=paths)(x, y)


@pytest.mark.property
def test_copies_and_pickles_make_their_own_sessions(tmp_path: Path) -> None:
    metric = LPIPS("alex", weights=random_weights("alex", tmp_path), preset="torchmetrics", linear=False)
    x, y = pair((40, 40, 3))
    for other in (pickle.loads(pickle.dumps(metric)), copy.deepcopy(metric)):
        assert other is not metric
        assert other.fingerprint == metric.fingerprint
        assert other(x, y) == metric(x, y)


@pytest.mark.boundary
def test_a_file_that_is_too_small_is_named(alex: LPIPS, tmp_path: Path) -> None:
    from PIL import Image

    for name, size in (("good", 40), ("small", 20)):
        Image.fromarray(pair((size, size, 3))[0]).save(tmp_path / f"{name}.png")
    files = [tmp_path / "good.png", tmp_path / "small.png"]
    with pytest.raises(ValueError, match=r"small\.png is 20 x 20 .* alex needs at least 31 x 31"):
        alex(files, files)


@pytest.fixture
def odd_files(tmp_path: Path) -> Path:
    """A folder with good.png and files that are no images of its size and kind."""
    from PIL import Image

    good = tmp_path / "good.png"
    Image.fromarray(pair((40, 36, 3))[0]).save(good)
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:500])
    Image.fromarray(np.zeros((40, 36), np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(pair((41, 36, 3))[0]).save(tmp_path / "taller.png")
    pictures = [Image.fromarray(image) for image in pair((40, 36, 3))]
    for name in ("frames.gif", "frames.png", "pages.tif"):
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:])
    pictures[0].convert("CMYK").save(tmp_path / "cmyk.jpg")
    clear = pictures[0].copy()
    clear.putalpha(100)
    clear.save(tmp_path / "clear.png")
    return tmp_path


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("name", "error", "match"),
    [
        ("text.png", ImageFileError, r"text\.png: not a readable PNG"),
        ("cut.png", ImageFileError, r"cut\.png: cannot be decoded: the file is truncated"),
        ("deep.png", ImageFileError, r"deep\.png: has more than 8 bits"),
        ("taller.png", ValueError, r"41 x 36.*40 x 36"),
        ("frames.gif", ImageFileError, r"frames\.gif: holds 2 frames"),
        ("frames.png", ImageFileError, r"frames\.png: holds 2 frames"),
        ("pages.tif", ImageFileError, r"pages\.tif: holds 2 frames or pages: save the one"),
        ("cmyk.jpg", ImageFileError, r"cmyk\.jpg: has colour mode CMYK: convert"),
        ("clear.png", ImageFileError, r"clear\.png: has transparent pixels: .* or save it without alpha channel"),
    ],
)
def test_files_that_are_no_images(alex: LPIPS, odd_files: Path, name: str, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        alex(odd_files / name, odd_files / "good.png")


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("backbone", "arguments", "match"),
    [
        ("vgg16", {}, "backbone='vgg16' is not known"),
        ("alex", {"preset": "lpips-0.2"}, r"preset='lpips-0\.2' is not known: use one of 'lpips', 'torchmetrics'"),
    ],
)
def test_unknown_names(backbone: str, arguments: dict[str, str], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        LPIPS(backbone, **arguments)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda backbone, heads: LPIPS("alex", weights=backbone), ValueError, "takes a pair"),
        (
            lambda backbone, heads: LPIPS("alex", weights=(backbone, heads), precision="half"),
            ValueError,
            "precision='half'",
        ),
        (
            lambda backbone, heads: LPIPS("alex", weights=(heads, backbone)),
            CheckpointError,
            r"tensor 'features\.0\.weight' is missing",
        ),
        (
            lambda backbone, heads: LPIPS("vgg", weights=(backbone, heads)),
            CheckpointError,
            r"tensor 'features\.0\.weight' has shape",
        ),
        (lambda backbone, heads: LPIPS("alex", linear="no"), TypeError, "linear='no' must be True or False"),
        (lambda backbone, heads: LPIPS("alex", weights=5), TypeError, r"weights=5 must be .*path"),
        (lambda backbone, heads: LPIPS("alex", weights=(5, heads)), TypeError, r"weights=5 must be .*path"),
        (
            lambda backbone, heads: LPIPS("alex", weights=(backbone.parent / "absent.pth", heads)),
            FileNotFoundError,
            None,
        ),
    ],
)
def test_wrong_constructor_arguments(
    tmp_path: Path, make: Callable[..., Any], error: type[Exception], match: str | None
) -> None:
    files = random_weights("alex", tmp_path)
    with pytest.raises(error, match=match):
        make(*files)


@pytest.mark.boundary
def test_missing_model_says_both_commands() -> None:
    with pytest.raises(model_store.ModelMissingError) as caught:
        LPIPS("alex")
    message = str(caught.value)
    assert "pixelgauge models pull lpips-alex" in message
    assert "pixelgauge models add lpips-alex alexnet-owt-7be5be79.pth lpips_v0.1_alex.pth" in message


@pytest.mark.boundary
def test_a_folder_is_no_image(alex: LPIPS, tmp_path: Path) -> None:
    for x in (tmp_path, [tmp_path]):
        with pytest.raises(ImageFileError, match=r"is a folder: list its files by pixelgauge\.images\.image_files"):
            alex(x, x)
