"""Features through any ONNX file: onnxruntime's to the bit, every kind of graph, and what is refused of each."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge import FileError, OnnxFeatures
from pixelgauge.networks import any_graph
from pixelgauge.presets import FEATURE_PRESETS, IMAGENET_MEAN, IMAGENET_STD
from tests.perceptual import graphs
from tests.pictures import random_pixels

ort = pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    def save(model: Any, **options: Any) -> Path:
        return graphs.save(model, tmp_path / "graph.onnx", **options)

    return save


def by_onnxruntime(path: Path, tensor: np.ndarray, batch: int, output: str | None = None) -> np.ndarray:
    """Features of a tensor by onnxruntime alone: padded to the batch, with the threads that pixelgauge has."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = pixelgauge.get_num_threads()
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (name,) = [each.name for each in session.get_inputs()]
    found = []
    for start in range(0, len(tensor), batch):
        part = tensor[start : start + batch]
        padded = np.concatenate([part, np.repeat(part[-1:], batch - len(part), axis=0)])
        values = session.run(None if output is None else [output], {name: padded})[0]
        found.append(values.reshape(batch, -1)[: len(part)].astype(np.float32))
    return np.concatenate(found)


# ---- what onnxruntime gives -----------------------------------------------------------------------------------------

KINDS: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "free": (graphs.network, {}),
    "static batch": (lambda: graphs.network((4, 3, 24, 24), said=(4, 6)), {}),
    "static batch of one": (lambda: graphs.network((1, 3, 24, 24), said=(1, 6)), {}),
    "unnamed axes": (lambda: graphs.network((None, 3, None, None), said=(None, None)), {"size": (24, 24)}),
    "free size": (lambda: graphs.network(("N", 3, "H", "W")), {"size": 20, "crop": (16, 20)}),
    "width that a run tells": (graphs.by_place, {"size": (24, 20)}),
    "output of no known shape": (lambda: graphs.network(said=None), {}),
    "channels last": (graphs.channels_last, {"layout": "nhwc"}),
    "float16": (lambda: graphs.network(kind=graphs.HALF), {}),
    "8 bits": (graphs.eight_bit, {}),
    "trailing axes of one": (lambda: graphs.network(outputs=[graphs.info("pooled", ["N", 8, 1, 1])]), {}),
    "weights among the inputs": (graphs.with_weights_among_the_inputs, {}),
    "own function": (graphs.with_its_own_function, {}),
}


@pytest.mark.parity
@pytest.mark.parametrize("kind", KINDS)
def test_features_are_those_of_onnxruntime_on_the_tensor_to_the_bit(saved: Callable[..., Path], kind: str) -> None:
    make, options = KINDS[kind]
    path = saved(make())
    features = OnnxFeatures(path, batch_size=4, **options)
    images = [random_pixels((30 + i, 41, 3), i) for i in range(6)]
    tensor = features.preprocess(images)
    values = features(images)
    assert values.shape == (6, features.dim)
    assert values.dtype == np.float32
    expected = by_onnxruntime(path, tensor, features.batch_size)
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(np.concatenate(list(features.batches(images))), expected)
    assert features.widths == {next(iter(features.widths)): features.dim}
    assert features.batch_size == (1 if "one" in kind and "axes" not in kind else 4)


@pytest.mark.property
def test_a_feature_depends_on_nothing_but_its_image(saved: Callable[..., Path]) -> None:
    features = OnnxFeatures(saved(graphs.network()), batch_size=4)
    images = random_pixels((9, 24, 24, 3))
    expected = features(images)
    np.testing.assert_array_equal(features(images[::-1])[::-1], expected)
    for count in (1, 3, 5):
        np.testing.assert_array_equal(features(images[:count]), expected[:count])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(features))(images), expected)


@pytest.mark.property
@pytest.mark.usefixtures("restored_threads")
def test_other_batches_and_threads_are_within_the_stated_bound(saved: Callable[..., Path]) -> None:
    path = saved(graphs.network(("N", 3, 64, 64), width=300, said=("N", 300)))
    images = random_pixels((9, 64, 64, 3))
    expected = OnnxFeatures(path, batch_size=1)(images)
    for batch_size, threads in ((2, 1), (5, 2), (8, 3), (16, 2)):
        pixelgauge.set_num_threads(threads)
        away = np.abs(OnnxFeatures(path, batch_size=batch_size)(images) - expected)
        assert away.max() <= 1e-5 * np.abs(expected).max()  # docs/methods/perceptual.md


@pytest.mark.property
@pytest.mark.usefixtures("restored_threads")
def test_side_by_side_or_split_over_all_threads(saved: Callable[..., Path], tmp_path: Path) -> None:
    pixelgauge.set_num_threads(3)
    path = saved(graphs.network(("N", 3, "H", "W")), external="graph.data")
    features = OnnxFeatures(path)
    assert features.batch_size == 1
    images = random_pixels((7, 40, 44, 3))
    expected = features(images)  # a thread each
    np.testing.assert_array_equal(np.concatenate([features(image) for image in images]), expected)
    assert [len(batch) for batch in features.batches(images)] == [1] * 7
    other = OnnxFeatures(path)
    for changed in ("graph.onnx", "graph.data"):
        whole = (tmp_path / changed).read_bytes()
        (tmp_path / changed).write_bytes(whole + b"\0\0")
        with pytest.raises(FileError, match=r"changed .*load it again"):
            other(images[:1])
        (tmp_path / changed).write_bytes(whole)


@pytest.mark.property
def test_files_folders_pictures_and_arrays_agree(saved: Callable[..., Path], tmp_path: Path) -> None:
    features = OnnxFeatures(saved(graphs.network()), batch_size=2)
    pictures = [random_pixels((30 + i, 50, 3), i) for i in range(3)]
    folder = tmp_path / "folder"
    folder.mkdir()
    paths = [folder / f"{i}.png" for i in range(3)]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path)
    expected = features(pictures)
    for images in (folder, f"{folder}/", paths, tuple(paths), [Image.open(path) for path in paths]):
        np.testing.assert_array_equal(features(images), expected)
    np.testing.assert_array_equal(features(paths[1]), expected[1:2])
    np.testing.assert_array_equal(np.concatenate(list(features.batches_of_files(paths, list("abc")))), expected)
    assert [len(batch) for batch in features.batches(paths)] == [2, 1]
    with pytest.raises(ValueError, match="is for arrays"):
        features(folder, gray="repeat")


@pytest.mark.property
def test_ranges_layouts_and_gray(saved: Callable[..., Path]) -> None:
    features = OnnxFeatures(saved(graphs.network()))
    images = random_pixels((2, 24, 24, 3))  # at the graph's size, so that nothing is rounded on the way
    expected = features(images)
    np.testing.assert_array_equal(features(images.transpose(0, 3, 1, 2), channel_axis=1), expected)
    for other, data_range in (
        (images / 255, 1.0),
        (images / 127.5 - 1, (-1, 1)),
        (images.astype(np.float32), 255),
        (images.astype(np.uint16) * 257, None),
    ):
        np.testing.assert_allclose(features(other, data_range=data_range), expected, rtol=0, atol=2e-6)
    gray = images[..., 0]
    repeated = features(np.repeat(gray[..., np.newaxis], 3, axis=3))
    np.testing.assert_array_equal(features(gray, channel_axis=None, gray="repeat"), repeated)
    np.testing.assert_array_equal(features(gray[..., np.newaxis], gray="repeat"), repeated)
    np.testing.assert_array_equal(features(list(gray), gray="repeat"), repeated)
    np.testing.assert_array_equal(features(images, gray="repeat"), expected)


@pytest.mark.oracle
def test_tokens(saved: Callable[..., Path]) -> None:
    path = saved(graphs.tokens())
    images = random_pixels((3, 24, 24, 3))
    every = by_onnxruntime(path, OnnxFeatures(path, output="pooler_output").preprocess(images), 8, "last_hidden_state")
    sequence = every.reshape(3, 9, 4)
    for output, token, expected in (
        ("pooler_output", None, sequence[:, 0]),
        ("last_hidden_state", "cls", sequence[:, 0]),
        ("last_hidden_state", "mean", sequence.mean(axis=1, dtype=np.float64).astype(np.float32)),
    ):
        features = OnnxFeatures(path, output=output, token=token)
        assert features.widths == {output: 4}
        np.testing.assert_array_equal(features(images), expected)
    both = OnnxFeatures(path, output=["pooler_output", "last_hidden_state"], token="mean")
    assert (both.dim, list(both.widths)) == (8, ["pooler_output", "last_hidden_state"])
    np.testing.assert_array_equal(both(images), np.hstack([sequence[:, 0], expected]))


@pytest.mark.property
def test_external_data(saved: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = random_pixels((3, 30, 30, 3))
    inside = OnnxFeatures(saved(graphs.network()))
    expected, alone = inside(images), inside.fingerprint
    assert alone["external_data"] == {}
    assert alone["weights_sha256"] == alone["graph_sha256"]
    folder = tmp_path / "other"
    folder.mkdir()
    path = graphs.save(graphs.network(), folder / "graph.onnx", external="graph.data")
    assert path.stat().st_size < 1000
    beside = OnnxFeatures(path)
    np.testing.assert_array_equal(beside(images), expected)
    facts = beside.fingerprint
    assert list(facts["external_data"]) == ["graph.data"]
    assert len({facts["weights_sha256"], facts["graph_sha256"], facts["external_data"]["graph.data"]}) == 3
    monkeypatch.chdir(folder)  # a path without a folder
    np.testing.assert_array_equal(OnnxFeatures("graph.onnx")(images), expected)
    data = bytearray(Path("graph.data").read_bytes())
    data[2] ^= 64  # a bit of the first number's fraction
    Path("graph.data").write_bytes(data)
    other = OnnxFeatures("graph.onnx")
    assert (other(images) != expected).any()
    assert other.fingerprint["graph_sha256"] == facts["graph_sha256"]
    assert other.fingerprint["weights_sha256"] != facts["weights_sha256"]


@pytest.mark.oracle
def test_a_frechet_distance_of_any_network(saved: Callable[..., Path]) -> None:
    """What FD-DINOv2 is, with a small network: of folders, features or statistics alike."""
    features = OnnxFeatures(saved(graphs.network()))
    a, b = random_pixels((40, 24, 24, 3), 1), random_pixels((50, 24, 24, 3), 2) // 2
    x, y = features(a).astype(np.float64), features(b).astype(np.float64)
    first, second = np.cov(x.T), np.cov(y.T)
    roots = np.sqrt(np.maximum(np.linalg.eigvals(first @ second).real, 0)).sum()
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(first) + np.trace(second) - 2 * roots
    stats = pixelgauge.FeatureStats(features.dim, weights=features.fingerprint["weights_sha256"])
    for batch in features.batches(b):
        stats.update(batch)
    for other in (y, stats):
        assert pixelgauge.frechet_distance(features(a), other) == pytest.approx(expected, rel=1e-6)


@pytest.mark.boundary
def test_names_in_messages_are_printable(tmp_path: Path) -> None:
    path = graphs.save(graphs.tokens(), tmp_path / "a\x1b[2J\n.onnx")
    for options in ({}, {"output": "x\n"}, {"output": "pooler_output", "size": (3, 3)}):
        with pytest.raises(ValueError, match="onnx") as caught:
            OnnxFeatures(path, **options)
        assert str(caught.value).isprintable()


@pytest.mark.boundary
@pytest.mark.parametrize("name", ["graph.onnx", "graph.data"])
def test_files_that_change_while_they_are_loaded(
    saved: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = saved(graphs.network(), external="graph.data")
    start = any_graph.start

    def slowly(*arguments: Any) -> Any:
        session = start(*arguments)
        other = path.parent / name
        other.write_bytes(other.read_bytes() + b"\0\0")
        return session

    monkeypatch.setattr(any_graph, "start", slowly)
    with pytest.raises(FileError, match=rf"{name}: changed while it was read: load it again"):
        OnnxFeatures(path)


@pytest.mark.property
def test_fingerprint_tells_what_decides_the_digits(saved: Callable[..., Path]) -> None:
    path = saved(graphs.network())
    facts = OnnxFeatures(path, size=(24, 24)).fingerprint
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["model"], facts["output"], facts["provider"]) == ("graph.onnx", "features", "CPUExecutionProvider")
    assert (facts["mean"], facts["std"], facts["preset"]) == (list(IMAGENET_MEAN), list(IMAGENET_STD), None)
    seen = [facts]
    for options in (
        {"crop": "square"},
        {"interpolation": "bilinear"},
        {"interpolation": "bilinear", "antialias": False},
        {"mean": 0, "std": 1},
        {"batch_size": 3},
    ):
        other = OnnxFeatures(path, **{"size": (24, 24), **options}).fingerprint
        assert other not in seen
        seen.append(other)
    assert OnnxFeatures(saved(graphs.eight_bit())).fingerprint["mean"] is None


@pytest.mark.property
@pytest.mark.parametrize("name", FEATURE_PRESETS)
def test_a_preset_is_its_row_and_what_is_given_goes_before_it(saved: Callable[..., Path], name: str) -> None:
    row = FEATURE_PRESETS[name]
    size = row.size[0] if isinstance(row.size, tuple) else row.crop
    path = saved(graphs.network(("N", 3, size, size)))
    features = OnnxFeatures(path, preset=name)
    facts = features.fingerprint
    assert (facts["preset"], facts["mean"], facts["std"]) == (name, list(row.mean), list(row.std))
    image = random_pixels((size + 31, size + 70, 3))
    by_hand = OnnxFeatures(
        path,
        size=row.size,
        crop=row.crop,
        interpolation=row.interpolation,
        antialias=row.antialias,
        mean=row.mean,
        std=row.std,
    )
    np.testing.assert_array_equal(features(image), by_hand(image))
    assert OnnxFeatures(path, preset=name, mean=0.5).fingerprint["mean"] == [0.5] * 3
    assert OnnxFeatures(path, preset=name, mean=0.5).fingerprint["std"] == list(row.std)


# ---- coupling -------------------------------------------------------------------------------------------------------


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("make", "what"),
    [
        (graphs.less_the_batch_mean, "neighbours"),
        (lambda: graphs.less_the_batch_mean(1e-3), "neighbours"),
        (graphs.batch_norm_in_training, "neighbours"),
        (graphs.turned_round, "neighbours|place"),
        (lambda: graphs.turned_round((0, 2, 1, 3)), "neighbours|place"),
        (lambda: graphs.turned_round((3, 2, 1, 0)), "neighbours|place"),
        (graphs.by_its_place, "place"),
    ],
    ids=[
        "batch mean",
        "a thousandth of it",
        "BatchNorm in training",
        "turned round",
        "two exchanged",
        "four turned round",
        "by its place",
    ],
)
def test_graphs_that_couple_images_are_refused_before_any_is_read(
    saved: Callable[..., Path], make: Callable[[], Any], what: str
) -> None:
    features = OnnxFeatures(saved(make()))
    with pytest.raises(ValueError, match=f"once its ({what}).* changes?, an image has other features .*couples the"):
        features(["no such file.png", "nor this.png"])


@pytest.mark.boundary
def test_coupling_graphs_take_one_image_at_a_time(saved: Callable[..., Path]) -> None:
    path = saved(graphs.less_the_batch_mean(0.5))
    with pytest.raises(ValueError, match="pass batch_size=1"):
        OnnxFeatures(path)(random_pixels((2, 24, 24, 3)))
    features = OnnxFeatures(path, batch_size=1)
    images = random_pixels((3, 24, 24, 3))
    np.testing.assert_array_equal(features(images)[1:2], features(images[1:2]))


@pytest.mark.boundary
def test_graphs_that_only_say_that_their_batch_is_free(saved: Callable[..., Path]) -> None:
    path = saved(graphs.of_one_image())
    with pytest.raises(ValueError, match=r"fails on 2 image.*: pass batch_size=1 if it takes one image at a time"):
        OnnxFeatures(path)(["no such file.png"])
    assert OnnxFeatures(path, batch_size=1)(random_pixels((3, 24, 24, 3))).shape == (3, 6)


@pytest.mark.boundary
@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("make", [graphs.dropout_in_training, graphs.with_state])
def test_graphs_that_draw_random_numbers_or_have_a_memory(
    saved: Callable[..., Path], make: Callable[[], Any], batch_size: int
) -> None:
    features = OnnxFeatures(saved(make()), batch_size=batch_size)
    with pytest.raises(ValueError, match=r"the second time, an image has other features .*draws random numbers"):
        features(random_pixels((2, 24, 24, 3)))


@pytest.mark.boundary
def test_a_batch_that_is_lost_is_seen_before_any_image_is_read(saved: Callable[..., Path]) -> None:
    after = [graphs.helper.make_node("ReduceMean", ["features", "first"], ["all"], keepdims=1)]
    made = {"outputs": [graphs.info("all", None)], "initialisers": [graphs.constant("first", [0], np.int64)]}
    features = OnnxFeatures(saved(graphs.network(after=after, **made)))
    with pytest.raises(FileError, match=r"gives 'all' \(1, 6\) float32 for 2 images: export it with the batch as"):
        features(["no such file.png"])


@pytest.mark.property
def test_the_probe_runs_once_for_a_size(saved: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    features = OnnxFeatures(saved(graphs.network(("N", 3, "H", "W"))), batch_size=2)
    runs: list[tuple[int, ...]] = []
    run = features._graph.run
    monkeypatch.setattr(
        features._graph, "run", lambda names, batch, threads: runs.append(batch.shape) or run(names, batch, threads)
    )
    for _ in range(2):
        features(random_pixels((4, 24, 30, 3)))
    assert len(runs) == 2 + 2 + 2
    features(random_pixels((2, 40, 30, 3)))
    assert len(runs) == 6 + 2 + 1


# ---- refused --------------------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Callable[[], Any], dict[str, Any], str]] = {
    "several outputs": (
        graphs.tokens,
        {},
        r"output=None is not enough: .* has 2 outputs: name one of 'last_hidden_state' \(N, 9, 4\) float32, "
        r"'pooler_output' \(N, 4\)",
    ),
    "no such output": (graphs.network, {"output": "x"}, r"output='x' is none of .*use one of 'features' \(N, 6\)"),
    "tokens": (
        graphs.tokens,
        {"output": "last_hidden_state"},
        r"features of each token: name another output, such as 'pooler_output' .* or pass token='cls'",
    ),
    "token for nothing": (graphs.network, {"token": "cls"}, "token='cls' would not be used"),
    "positions": (
        lambda: graphs.network(outputs=[graphs.info("rectified", ["N", 8, 11, 11])]),
        {},
        r"gives 'rectified' \(N, 8, 11, 11\) float32, which is not \(N, D\)",
    ),
    "positions that are not said": (
        lambda: graphs.network(outputs=[graphs.info("rectified", None)]),
        {},
        r"which is not \(N, D\): export one",
    ),
    "one number": (
        lambda: graphs.network(
            after=[graphs.helper.make_node("ReduceMean", ["features"], ["all"], keepdims=0)],
            outputs=[graphs.info("all", [])],
        ),
        {},
        "not features of each image",
    ),
    "integers": (
        lambda: graphs.network(
            after=[graphs.helper.make_node("ArgMax", ["features"], ["class"], axis=1)],
            outputs=[graphs.info("class", ["N", 1], graphs.TensorProto.INT64)],
        ),
        {},
        r"tensor\(int64\), and features are float32",
    ),
    "two inputs": (graphs.two_inputs, {}, r"takes 2 inputs.*'images' \(N, 3, 24, 24\) float32, 'text' \(N, 6\)"),
    "input of integers": (
        lambda: graphs.network(
            kind=graphs.TensorProto.INT32,
            before=[graphs.helper.make_node("Cast", ["images"], ["floats"], to=1)],
            seen="floats",
            outputs=[graphs.info("features", ["N", 6])],
        ),
        {},
        r"takes 'images' .* tensor\(int32\): images are given as float32",
    ),
    "input of two axes": (
        lambda: graphs.model(
            [graphs.helper.make_node("Relu", ["x"], ["y"])], [graphs.info("x", ["N", 9])], [graphs.info("y", ["N", 9])]
        ),
        {},
        "has not the four axes",
    ),
    "custom operator": (graphs.custom, {}, "needs custom operators, of which no code is loaded: acme.ops::SecretNorm"),
    "custom operator in a branch": (graphs.custom_in_a_branch, {}, "acme.ops::Hidden"),
    "other layout": (graphs.channels_last, {}, "pass layout='nhwc'"),
    "other layout still": (graphs.network, {"layout": "nhwc"}, "pass layout='nchw'"),
    "one channel": (
        lambda: graphs.network(("N", 1, 24, 24)),
        {},
        "images of three channels are given",
    ),
    "another size": (graphs.network, {"size": (32, 24)}, "makes images of 32 x 24, and .* takes 24 x 24"),
    "another crop": (graphs.network, {"size": 32, "crop": 28}, "makes images of 28 x 28"),
    "a longer edge": (graphs.network, {"size": 32}, "shorter edge of 32, and .* takes 24 x 24: give crop="),
    "nothing known": (
        lambda: graphs.by_place(),
        {},
        "says not how wide its output is .*pass size",
    ),
    "mean of 8 bits": (graphs.eight_bit, {"mean": 0.5}, "mean=0.5 would not be used"),
    "fractions of 8 bits": (
        graphs.eight_bit,
        {"antialias": False},
        "antialias=False gives fractions",
    ),
    "a graph of nothing": (lambda: graphs.onnx.ModelProto(), {}, "holds no graph"),
    "unknown operator": (
        lambda: graphs.network(
            after=[graphs.helper.make_node("NoSuchThing", ["features"], ["y"])], outputs=[graphs.info("y", ["N", 6])]
        ),
        {},
        "is refused by onnxruntime .*NoSuchThing",
    ),
}


@pytest.mark.boundary
@pytest.mark.parametrize("case", REFUSED)
def test_graphs_that_are_refused(saved: Callable[..., Path], case: str) -> None:
    make, options, match = REFUSED[case]
    path = saved(make())
    with pytest.raises(ValueError, match=match):
        OnnxFeatures(path, **options)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"preset": "dino"}, ValueError, "preset='dino' is not known"),
        ({"output": 3}, TypeError, "output=3 must be a name"),
        ({"output": []}, ValueError, "must be one name, or several"),
        ({"output": ["features", "features"]}, ValueError, "several different ones"),
        ({"token": "first"}, ValueError, "token='first' is not known: use one of 'cls', 'mean'"),
        ({"size": 0}, ValueError, "size=0 must be a whole number"),
        ({"size": 2.5}, TypeError, "size=2.5"),
        ({"size": "24"}, TypeError, "size='24' must be a whole number, or a pair"),
        ({"size": (24, 24, 3)}, ValueError, r"size=\(24, 24, 3\)"),
        ({"size": (24, -1)}, ValueError, r"size\[1\]=-1"),
        ({"crop": "circle"}, ValueError, "crop='circle' is not known"),
        ({"size": 20, "crop": 24}, ValueError, "crop=24 is more than size=20 leaves"),
        ({"interpolation": "cubic"}, ValueError, "interpolation='cubic' is not known"),
        ({"interpolation": "lanczos", "antialias": False}, ValueError, "antialias=False is not known of"),
        ({"antialias": "no"}, TypeError, "antialias='no'"),
        ({"mean": (0.5, 0.5)}, ValueError, r"mean=\(0.5, 0.5\) must be three finite numbers"),
        ({"mean": "imagenet"}, TypeError, "mean='imagenet'"),
        ({"mean": np.nan}, ValueError, "mean=nan"),
        ({"std": (0.2, 0, 0.2)}, ValueError, "std=.* must be three numbers above 0"),
        ({"layout": "chw"}, ValueError, "layout='chw' is not known"),
        ({"batch_size": 0}, ValueError, "batch_size=0"),
        ({"batch_size": True}, TypeError, "batch_size=True"),
        ({"providers": "tpu"}, ValueError, "providers='tpu' is not known"),
        ({"precision": "int8"}, ValueError, "precision='int8'"),
        ({"precision": "tf32"}, pixelgauge.ProviderError, "precision='tf32' needs CUDA"),
    ],
)
def test_bad_arguments(
    saved: Callable[..., Path], arguments: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        OnnxFeatures(saved(graphs.network()), **arguments)


@pytest.mark.boundary
def test_bad_paths(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("<html>not found</html>")
    (tmp_path / "empty.onnx").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.onnx")
    for name, error, match in (
        ("absent.onnx", FileNotFoundError, "absent"),
        ("text.onnx", FileError, "may be truncated, or is no ONNX file"),
        ("empty.onnx", FileError, "holds no graph"),
        ("pipe.onnx", FileError, "is a pipe"),
        (".", IsADirectoryError, "is a folder"),
    ):
        with pytest.raises(error, match=match):
            OnnxFeatures(tmp_path / name)
    with pytest.raises(TypeError, match="path=b'x' must be the path of an ONNX file"):
        OnnxFeatures(b"x")  # type: ignore[arg-type]


@pytest.mark.boundary
def test_every_truncation_is_one_error(saved: Callable[..., Path]) -> None:
    whole = saved(graphs.network()).read_bytes()
    path = saved(graphs.network())
    for end in sorted({*range(0, len(whole), max(1, len(whole) // 60)), *range(len(whole) - 12, len(whole))}):
        path.write_bytes(whole[:end])
        try:
            OnnxFeatures(path)
        except FileError as error:
            assert str(error).startswith(str(path))  # noqa: PT017
        else:  # what is cut off may be a field that says nothing of the numbers
            assert end > len(whole) - 30


EXTERNAL: dict[str, tuple[dict[str, str | None], str]] = {
    "above": ({"location": "../graph.data"}, "only read beside the graph"),
    "above further on": ({"location": "a/../../graph.data"}, "only read beside the graph"),
    "above on Windows": ({"location": "..\\graph.data"}, "only read beside the graph"),
    "absolute": ({"location": "/etc/hostname"}, "only read beside the graph"),
    "absolute on Windows": ({"location": "C:\\graph.data"}, "only read beside the graph"),
    "nowhere": ({"location": None}, "only read beside the graph"),
    "null": ({"location": "a\0b"}, "only read beside the graph"),
    "absent": ({"location": "other.data"}, "lies in 'other.data', which is not there: copy the data file"),
    "a folder": ({"location": "a"}, "lies in 'a', which cannot be opened"),
    "too long": ({"location": "x" * 5000}, "cannot be opened"),
    "beyond": ({"offset": "1000000"}, "up to byte 1000"),
    "negative": ({"offset": "-8"}, "at no number"),
    "no number": ({"length": "all"}, "at no number"),
}


@pytest.mark.boundary
@pytest.mark.parametrize("case", EXTERNAL)
def test_external_data_elsewhere_is_refused(tmp_path: Path, case: str) -> None:
    entries, match = EXTERNAL[case]
    (tmp_path / "model" / "a").mkdir(parents=True)
    path = graphs.save(graphs.network(), tmp_path / "model" / "graph.onnx", external="graph.data")
    for place in (tmp_path, tmp_path / "model" / "a"):
        shutil.copy(tmp_path / "model" / "graph.data", place / "graph.data")
    graphs.relocated(path, **entries)
    with pytest.raises(FileError, match=match):
        OnnxFeatures(path)


@pytest.mark.boundary
def test_external_data_behind_a_link_out_of_the_folder(tmp_path: Path) -> None:
    """As Hugging Face's cache holds its files."""
    for folder in ("blobs", "snapshot"):
        (tmp_path / folder).mkdir()
    graphs.save(graphs.network(), tmp_path / "blobs" / "graph.onnx", external="graph.data")
    for name in ("graph.onnx", "graph.data"):
        (tmp_path / "snapshot" / name).symlink_to(Path("..", "blobs", name))
    with pytest.raises(FileError, match=r"is a link to .*blobs/graph.data.*copy both files .*cp -L"):
        OnnxFeatures(tmp_path / "snapshot" / "graph.onnx")
    graphs.save(graphs.network(), tmp_path / "blobs" / "graph.onnx")  # a graph with its weights inside is itself
    assert OnnxFeatures(tmp_path / "snapshot" / "graph.onnx").dim == 6


@pytest.mark.boundary
def test_truncated_external_data_is_named(tmp_path: Path) -> None:
    path = graphs.save(graphs.network(), tmp_path / "graph.onnx", external="graph.data")
    data = (tmp_path / "graph.data").read_bytes()
    (tmp_path / "graph.data").write_bytes(data[:-5])
    with pytest.raises(FileError, match=f"'graph.data' up to byte {len(data)}, and that file has {len(data) - 5}"):
        OnnxFeatures(path)


@pytest.fixture
def features(saved: Callable[..., Path]) -> OnnxFeatures:
    return OnnxFeatures(saved(graphs.network()), size=24)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("images", "arguments", "error", "match"),
    [
        (np.zeros((2, 3, 24, 24), np.uint8), {}, ValueError, r"so pass channel_axis=1"),
        (np.zeros((2, 24, 24, 1), np.uint8), {}, ValueError, "1 channel.*pass gray='repeat'"),
        (np.zeros((2, 24, 24), np.uint8), {"channel_axis": None}, ValueError, "pass gray='repeat'"),
        (np.zeros((2, 24, 24, 2), np.uint8), {"gray": "repeat"}, ValueError, "2 channel.*drop alpha"),
        (np.zeros((2, 24, 24, 3), np.uint8), {"gray": "yes"}, ValueError, "gray='yes' is not known"),
        (np.zeros((2, 24, 24, 3)), {}, ValueError, "data_range is needed"),
        (np.full((2, 24, 24, 3), 3.0), {"data_range": 1.0}, ValueError, "outside data_range"),
        (np.full((2, 24, 24, 3), np.nan), {"data_range": 1.0}, ValueError, "NaN"),
        (np.zeros((2, 24, 24, 3), np.int16), {}, TypeError, "int16"),
        (np.zeros((0, 24, 24, 3), np.uint8), {}, ValueError, "empty"),
        ([], {}, ValueError, "empty"),
        (np.zeros((2, 24, 30, 3), np.uint8), {}, ValueError, r"images\[0\] becomes 24 x 30.*give crop="),
    ],
)
def test_bad_images(
    features: OnnxFeatures, images: Any, arguments: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        features(images, **arguments)


@pytest.mark.boundary
def test_images_of_several_sizes_need_one(saved: Callable[..., Path]) -> None:
    path = saved(graphs.network(("N", 3, "H", "W")))
    images = [random_pixels((30, 30, 3)), random_pixels((30, 31, 3))]
    with pytest.raises(ValueError, match=r"images\[1\] becomes \(3, 30, 31\) and images\[0\] \(3, 30, 30\)"):
        OnnxFeatures(path)(images)
    assert OnnxFeatures(path, crop="square")(images).shape == (2, 6)
    with pytest.raises(ValueError, match=r"images\[0\] is 30 x 30 where it is cropped to \(40, 40\)"):
        OnnxFeatures(path, crop=40)(images)
    with pytest.raises(ValueError, match="fails on 2 image"):  # smaller than the kernel
        OnnxFeatures(path)(np.zeros((1, 2, 2, 3), np.uint8))


@pytest.mark.boundary
def test_a_graph_of_8_bits_takes_no_others(saved: Callable[..., Path]) -> None:
    features = OnnxFeatures(saved(graphs.eight_bit()))
    assert features.preprocess(np.zeros((1, 9, 9, 3), np.uint8)).dtype == np.uint8
    with pytest.raises(ValueError, match=r"images\[0\] has dtype float64, and .* takes 8 bits: round it"):
        features(np.zeros((2, 24, 24, 3)), data_range=1.0)


@pytest.mark.boundary
def test_features_that_are_not_finite_are_named(saved: Callable[..., Path]) -> None:
    after = [graphs.helper.make_node("Log", ["pooled"], ["logs"])]
    features = OnnxFeatures(saved(graphs.network(after=after, outputs=[graphs.info("logs", ["N", 8, 1, 1])])), mean=0)
    images = random_pixels((3, 24, 24, 3))
    images[1] = 0
    with pytest.raises(ValueError, match=r"features of images\[1\] that are not finite"):
        features(images)
