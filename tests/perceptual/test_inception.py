"""Inception features: parity with every program and output, invariance, the parts of the graph, refused input."""

from __future__ import annotations

import dataclasses
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from bench.networks.references import INCEPTION_CASES, official_inception
from pixelgauge.images import ImageFileError
from pixelgauge.networks import store as model_store
from pixelgauge.networks.bound_runs import BoundRuns
from pixelgauge.networks.checkpoint import CheckpointError
from pixelgauge.networks.providers import OPENVINO, choose_providers
from pixelgauge.networks.session import Session
from pixelgauge.perceptual.inception import INCEPTION_OUTPUTS, InceptionFeatures
from pixelgauge.presets import INCEPTION_PRESETS
from tests.perceptual.pictures import relative
from tests.perceptual.weights import own_recipe
from tests.pictures import random_pixels
from tests.places import SHARED, needs_shared

pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")


@pytest.fixture(scope="module")
def state() -> dict[str, np.ndarray]:
    return own_recipe()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, state: dict[str, np.ndarray]) -> Path:
    path = tmp_path_factory.mktemp("weights") / "inception.npz"
    np.savez(path, **state)
    return path


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("official") / "inception.npz"
    np.savez(path, **official_inception())
    return path


@pytest.fixture(scope="module")
def features(weights: Path) -> InceptionFeatures:
    return InceptionFeatures(weights=weights, batch_size=2)


# ---- parity -------------------------------------------------------------------------------------------------------


@pytest.mark.parity
@needs_shared("reference")
@pytest.mark.parametrize("preset", INCEPTION_PRESETS)
def test_original_programs(official: Path, preset: str) -> None:
    reference = np.load(SHARED / "reference" / "inception_parity.npz")
    checked = 0
    everything = Session(
        model_store.from_files("inception-fid", [official]), choose_providers("cpu"), list(INCEPTION_OUTPUTS)
    )
    one = InceptionFeatures(preset, weights=official)
    for case in INCEPTION_CASES:
        values = list(everything.run({"images": one.resized(reference[f"image/{case}"])}).values())
        # at 299x299 only the network is at work; elsewhere the resizing too, and pytorch-fid's indices are float32
        tolerance = 1e-5 if case == "exact_299x299" else 1e-4
        for output, value in zip(INCEPTION_OUTPUTS, values, strict=True):
            key = f"{preset}/{case}/{output}"
            if key in reference:
                assert relative(value, reference[key]) < tolerance, key
                checked += 1
        np.testing.assert_array_equal(one(reference[f"image/{case}"]), values[list(INCEPTION_OUTPUTS).index("2048")])
    assert checked == (12 if preset == "pytorch-fid" else 21)


# ---- properties ---------------------------------------------------------------------------------------------------


@pytest.mark.oracle
def test_first_layers_against_float64(weights: Path, state: dict[str, np.ndarray]) -> None:
    """Conv2d_1a to the first pool in float64, BatchNorm unfolded: what "64" means."""
    images = random_pixels((1, 299, 299, 3))
    x = images[0].astype(np.float64).transpose(2, 0, 1) * 2 / 255 - 1
    for name, stride, padding in (("Conv2d_1a_3x3", 2, 0), ("Conv2d_2a_3x3", 1, 0), ("Conv2d_2b_3x3", 1, 1)):
        x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))[:, ::stride, ::stride]
        x = np.einsum("chwij,ocij->ohw", windows, state[f"{name}.conv.weight"].astype(np.float64), optimize=True)
        gamma, beta, mean, variance = (
            state[f"{name}.bn.{part}"].astype(np.float64)[:, None, None]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        x = np.maximum((x - mean) / np.sqrt(variance + 1e-3) * gamma + beta, 0)
    pooled = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))[:, ::2, ::2].max((3, 4))
    value = InceptionFeatures(output="64", weights=weights)(images)
    assert relative(value[0], pooled.mean((1, 2))) < 1e-5  # the project's tolerance for the network


@pytest.mark.property
def test_each_output_alone_is_the_same_as_all_together(weights: Path) -> None:
    images = random_pixels((1, 40, 50, 3))
    together = Session(
        model_store.from_files("inception-fid", [weights]), choose_providers("cpu"), list(INCEPTION_OUTPUTS)
    )
    one = InceptionFeatures(weights=weights)
    for (output, width), value in zip(
        INCEPTION_OUTPUTS.items(), together.run({"images": one.resized(images)}).values(), strict=True
    ):
        alone = InceptionFeatures(output=output, weights=weights)
        assert alone.dim == width
        features = alone(images)
        assert features.shape == (1, width)
        assert features.dtype == np.float32
        np.testing.assert_array_equal(features, value)
    pair = InceptionFeatures(output=["spatial", "64"], weights=weights)
    assert (pair.dim, pair.widths) == (2087, {"spatial": 2023, "64": 64})
    expected = [InceptionFeatures(output=output, weights=weights)(images) for output in ("spatial", "64")]
    np.testing.assert_array_equal(pair(images), np.hstack(expected))


@pytest.mark.property
@pytest.mark.usefixtures("restored_threads")
def test_not_a_bit_depends_on_neighbours_batch_size_or_threads(weights: Path) -> None:
    images = random_pixels((4, 60, 50, 3))
    pixelgauge.set_num_threads(1)
    expected = InceptionFeatures(output="logits", weights=weights, batch_size=1)(images)
    # alone on one thread, side by side on one, all over two and three threads
    for threads, batch_size in ((1, 2), (2, 2), (3, 3)):
        pixelgauge.set_num_threads(threads)
        one = InceptionFeatures(output="logits", weights=weights, batch_size=batch_size)
        np.testing.assert_array_equal(one(images), expected)
    np.testing.assert_array_equal(one(images[::-1]), expected[::-1])


@pytest.mark.property
def test_padding_to_a_fixed_batch_changes_nothing(features: InceptionFeatures, monkeypatch: pytest.MonkeyPatch) -> None:
    images = random_pixels((3, 60, 50, 3))
    expected = features(images)

    shapes = []
    run = features._session.run
    monkeypatch.setattr(features._session, "plan", dataclasses.replace(features._session.plan, fixed_batch=True))
    monkeypatch.setattr(features._session, "run", lambda feed: shapes.append(feed["images"].shape[0]) or run(feed))
    np.testing.assert_array_equal(features(images), expected)
    assert shapes == [2, 2]


@pytest.mark.property
def test_streams_of_batches_change_nothing(features: InceptionFeatures, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO's way through the images, with the CPU's session in its place."""
    images = random_pixels((9, 60, 50, 3))
    expected = features(images)
    features._session.session(features._session.threads)  # loaded for the CPU before the plan says otherwise

    shapes = []
    run = features._session.run
    streams = dataclasses.replace(choose_providers("cpu"), providers=((OPENVINO, {}),), fixed_batch=True)
    monkeypatch.setattr(features._session, "plan", streams)
    monkeypatch.setattr(features, "batch_size", 4)
    monkeypatch.setattr(features._session, "run", lambda feed: shapes.append(feed["images"].shape[0]) or run(feed))
    batches = list(features.batches(images))
    assert [len(batch) for batch in batches] == [4, 4, 1]
    np.testing.assert_array_equal(np.concatenate(batches), expected)
    assert shapes == [2] * 5


@pytest.mark.property
def test_bound_outputs_of_one_shape(weights: Path) -> None:
    """What CUDA does for a fixed batch, on the CPU: outputs land in buffers made before the run."""
    model = model_store.from_files("inception-fid", [weights])
    started = Session(model, choose_providers("cpu"), ["64", "768"], batch_size=2).session(1)
    bound = BoundRuns(started, ["64", "768"], pytest.fail, "cpu", at_once=1)
    inputs = [np.random.default_rng(i).uniform(-1, 1, (2, 3, 299, 299)).astype(np.float32) for i in range(2)]
    values = [bound.run({"images": images}) for images in inputs]
    for images, value in zip(inputs, values, strict=True):
        for one, expected in zip(value, started.run(["64", "768"], {"images": images}), strict=True):
            np.testing.assert_array_equal(one, expected)


@pytest.mark.property
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_openvino_itself(weights: Path, features: InceptionFeatures, precision: str) -> None:
    ort = pytest.importorskip("onnxruntime")
    if OPENVINO not in ort.get_available_providers():
        pytest.skip("this onnxruntime has no OpenVINO: the openvino extra is not installed")
    images = random_pixels((11, 60, 50, 3))
    one = InceptionFeatures(weights=weights, providers="openvino", precision=precision, batch_size=4)
    values = one(images)
    # bf16 keeps eight bits; 3e-3 to 6e-3 were measured on several sets of images
    assert relative(values, features(images)) < (2e-2 if precision == "bf16" else 1e-5)
    np.testing.assert_array_equal(one(images[::-1]), values[::-1])


@pytest.mark.property
def test_files_and_arrays_agree(features: InceptionFeatures, tmp_path: Path) -> None:
    from PIL import Image

    pictures = [random_pixels((40 + i, 50, 3), i) for i in range(3)]
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path)
    expected = np.concatenate([features(picture) for picture in pictures])
    np.testing.assert_array_equal(features(paths), expected)
    np.testing.assert_array_equal(features(paths * 4), np.tile(expected, (4, 1)))  # enough for a thread each
    np.testing.assert_array_equal(features(str(paths[2])), expected[2:3])
    assert [len(batch) for batch in features.batches(tuple(paths))] == [2, 1]


@pytest.mark.property
def test_ranges_and_layouts(features: InceptionFeatures) -> None:
    images = random_pixels((2, 40, 50, 3))
    expected = features(images)
    np.testing.assert_array_equal(features(images.transpose(0, 3, 1, 2), channel_axis=1), expected)
    for other, data_range in ((images / 255, 1.0), (images / 127.5 - 1, (-1, 1)), (images.astype(np.float32), 255)):
        assert relative(features(other, data_range=data_range), expected) < 1e-5  # input rounding
    assert relative(features(images.astype(np.uint16) * 257), expected) < 1e-5


@pytest.mark.property
def test_gray_is_repeated_where_asked(features: InceptionFeatures) -> None:
    gray = random_pixels((2, 40, 50, 1))
    expected = features(np.repeat(gray, 3, axis=3))
    for images, options in (
        (gray, {}),
        (gray[..., 0], {"channel_axis": None}),
        (list(gray), {}),
        (list(gray[..., 0]), {}),
        (np.repeat(gray, 3, axis=3), {}),
        (gray.transpose(0, 3, 1, 2), {"channel_axis": 1}),
    ):
        np.testing.assert_array_equal(features(images, gray="repeat", **options), expected)
    for images, options, match in (
        (gray, {}, r"1 channel\(s\): Inception takes colour images; pass gray='repeat'"),
        (gray[..., 0], {"channel_axis": None}, "pass gray='repeat'"),
        (gray[..., [0, 0]], {"gray": "repeat"}, "2 channel.*drop alpha"),
        (gray, {"gray": True}, "gray=True is not known: use one of 'repeat'"),
        ("a.png", {"gray": "repeat"}, "gray='repeat' is for arrays"),
    ):
        with pytest.raises(ValueError, match=match):
            features(images, **options)


@pytest.mark.property
def test_fingerprint(features: InceptionFeatures) -> None:
    facts = features.fingerprint
    assert (facts["preset"], facts["output"], facts["model"]) == ("pytorch-fid", "2048", "inception-fid")
    assert (facts["provider"], facts["precision"]) == ("CPUExecutionProvider", "float32")
    assert len(facts["weights_sha256"]) == 64


# ---- refused ------------------------------------------------------------------------------------------------------


@pytest.mark.property
def test_a_folder_is_its_images(features: InceptionFeatures, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for i, name in enumerate(("b.png", "a.PNG", "sub/c.bmp")):
        Image.fromarray(random_pixels((40, 50, 3), i)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    listed = [tmp_path / name for name in ("a.PNG", "b.png", "sub/c.bmp")]
    for folder in (tmp_path, f"{tmp_path}/"):
        np.testing.assert_array_equal(features(folder), features(listed))
    (tmp_path / "empty").mkdir()
    for images, error, match in (
        (tmp_path / "empty", ValueError, "empty holds no images"),
        ([tmp_path, tmp_path], IsADirectoryError, "is a folder, and a file is wanted"),
    ):
        with pytest.raises(error, match=match):
            features(images)
    with pytest.raises(ValueError, match="is for arrays"):
        features(tmp_path, data_range=1.0)


@pytest.mark.boundary
def test_what_is_no_regular_file_is_refused_at_once(features: InceptionFeatures, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    os.symlink("/dev/zero", tmp_path / "zero.png")
    for name, what in (("pipe.png", "is a pipe"), ("zero.png", "is a device")):
        with pytest.raises(ImageFileError, match=what):
            features([tmp_path / name])


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("change", "arguments", "error", "match"),
    [
        (lambda good: good[..., :1], {}, ValueError, "1 channel"),
        (lambda good: good / 255, {}, ValueError, "data_range is needed"),
        (lambda good: good / 255, {"data_range": (-1, 1)}, ValueError, "no value below zero"),
        (lambda good: good / 127.5 - 1, {"data_range": 1.0}, ValueError, "outside data_range"),
        (lambda good: good / 255, {"data_range": 255}, ValueError, "no value above one"),
        (lambda good: np.where(good > 9, np.nan, good), {"data_range": 255}, ValueError, "NaN"),
        (lambda good: good[:0], {}, ValueError, "empty"),
        (lambda good: [], {}, ValueError, "empty"),
        (lambda good: good.astype(np.int32), {}, TypeError, "int32"),
        (lambda good: "a.png", {"data_range": 1.0}, ValueError, "is for arrays"),
        (lambda good: "a.png", {"channel_axis": 1}, ValueError, "is for arrays"),
    ],
)
def test_bad_images(
    features: InceptionFeatures,
    change: Callable[..., Any],
    arguments: dict[str, Any],
    error: type[Exception],
    match: str,
) -> None:
    images = change(random_pixels((2, 40, 50, 3)))
    with pytest.raises(error, match=match):
        features(images, **arguments)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("name", "data", "error", "match"),
    [
        ("text.png", b"hello", ImageFileError, "text.png: is not an image"),
        ("absent.png", None, FileNotFoundError, "absent.png"),
        # A header that promises 60000 x 60000 pixels, and one that ends within its first chunk.
        (
            "bomb.bmp",
            b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 60000, 60000, 1, 24, *[0] * 6),
            ImageFileError,
            "bomb.bmp: is refused by Pillow",
        ),
        (
            "chunk.png",
            b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sI", 5, b"IHDR", 1) + bytes(9),
            ImageFileError,
            "chunk.png: is damaged",
        ),
    ],
    ids=["text", "absent", "bomb", "chunk"],
)
def test_bad_files(
    features: InceptionFeatures, tmp_path: Path, name: str, data: bytes | None, error: type[Exception], match: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(error, match=match):
        features([tmp_path / name])


@pytest.mark.oracle
def test_ranges_far_from_zero_and_near_the_ends_of_float32(features: InceptionFeatures) -> None:
    good = random_pixels((1, 40, 50, 3)).astype(np.float64)
    expected = features(good, data_range=255.0)
    for low, scale in ((1e6, 1), (2.0**40, 1), (0, 1e60), (0, 1e-60)):
        value = features(good * scale + low, data_range=(low, low + 255 * scale))
        assert np.linalg.norm(value - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.property
def test_copies_and_pickles_make_their_own_sessions(weights: Path) -> None:
    features = InceptionFeatures("clean-fid", output=["64", "192"], weights=weights, batch_size=3)
    other = pickle.loads(pickle.dumps(features))
    assert (other.fingerprint, other.batch_size) == (features.fingerprint, 3)
    images = random_pixels((1, 40, 50, 3))
    np.testing.assert_array_equal(other(images), features(images))


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"preset": "fid"}, ValueError, "preset='fid' is not known"),
        ({"output": "1024"}, ValueError, "output='1024' is not known"),
        ({"output": []}, ValueError, r"output=\[\] is not known"),
        ({"output": 64}, ValueError, "output=64 is not known"),
        ({"output": [["64"]]}, ValueError, r"output=\[\['64'\]\] is not known"),
        ({"output": ["64", "64"]}, ValueError, "or several different ones"),
        ({"batch_size": 0}, ValueError, "batch_size=0"),
        ({"batch_size": 2.5}, TypeError, "batch_size=2.5"),
        ({"batch_size": True}, TypeError, "batch_size=True"),
        ({"precision": "int8"}, ValueError, "precision='int8'"),
        ({"providers": "tpu"}, ValueError, "providers='tpu' is not known"),
    ],
)
def test_bad_constructor_arguments(
    weights: Path, arguments: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        InceptionFeatures(**{"weights": weights, **arguments})


@pytest.mark.boundary
def test_missing_weights_say_how_to_get_them() -> None:
    with pytest.raises(model_store.ModelMissingError, match="pixelgauge models pull inception-fid"):
        InceptionFeatures()


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("fc.bias", None, "tensor 'fc.bias' is missing"),
        ("Mixed_6d.branch1x1.bn.running_var", None, "running_var' is missing"),
        ("fc.weight", lambda w: w.T, r"tensor 'fc.weight' has shape \(2048, 1008\)"),
        ("fc.bias", lambda b: np.where(b > 0, np.nan, b), "tensor 'fc.bias' holds NaN"),
        ("fc.bias", lambda b: np.where(b > 0, np.inf, b), "tensor 'fc.bias' holds NaN or infinities"),
        ("fc.bias", lambda b: b.astype(np.float64) * 1e39, "initialiser 'fc.bias' overflows float32"),
        ("fc.bias", lambda b: b.astype(int), "tensor 'fc.bias' has dtype int64"),
        ("Conv2d_1a_3x3.bn.running_var", lambda v: -v, "negative variances"),
        ("Conv2d_1a_3x3.bn.running_var", lambda v: v * 0 - 1e-3, "negative variances"),
        ("extra.weight", lambda _: np.zeros(3, np.float32), "tensor 'extra.weight' does not belong"),
    ],
)
def test_wrong_weights_are_named(
    state: dict[str, np.ndarray], name: str, change: Callable[..., Any] | None, match: str
) -> None:
    wrong = {**state, name: None if change is None else change(state.get(name))}
    wrong = {key: value for key, value in wrong.items() if value is not None}
    with pytest.raises(CheckpointError, match=match):
        model_store.convert(model_store.model_named("inception-fid"), {"backbone": wrong})


@pytest.mark.boundary
def test_no_files_give_no_batches(features: InceptionFeatures) -> None:
    assert list(features.batches_of_files([], [])) == []
