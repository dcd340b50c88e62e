"""Any network's features in Inception's place, in Python and by `--features`: checked before an image is read, used by every
metric, kept in files; and Inception itself, whose files give the numbers of its images."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge import FeatureSet, FeatureStats, fid
from pixelgauge.cli import main
from pixelgauge.engine.extraction import FeatureNetwork, Inception
from pixelgauge.engine.feature_sources import FeatureSource
from tests.engine.stand_in import StandIn, pictures, run
from tests.perceptual.weights import own_recipe


class Graph(StandIn):
    """A network of another kind than Inception, with one output of its own name."""

    made: list[tuple[str, dict[str, Any]]] = []  # noqa: RUF012

    def __init__(
        self, path: str, *, preset: str | None = None, providers: Any = None, batch_size: int | None = 32
    ) -> None:
        super().__init__("pooled")
        self.made.append((path, {"preset": preset, "providers": providers, "batch_size": batch_size}))
        self.fingerprint = {"version": "1", "model": "graph.onnx", "weights_sha256": "d" * 64, "preset": preset,
                            "size": 224, "precision": "float32", "provider": "CPU"}  # fmt: skip
        self.batch_size = batch_size

    def batches(self, images: Any, *, data_range: Any = None, channel_axis: int | None = -1) -> Iterator[np.ndarray]:
        if isinstance(images, str | os.PathLike):
            images = [os.fspath(images)]
        yield from super().batches([os.fspath(i) if isinstance(i, os.PathLike) else i for i in images])


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """The module of ONNX features, with that network in it; what was made of it is listed."""
    module = types.ModuleType("pixelgauge.perceptual.onnx_features")
    module.OnnxFeatures = Graph  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(Graph, "made", [])
    return Graph.made


def exact(folder: str) -> np.ndarray:
    return np.concatenate(list(Graph("x").batches(FeatureSource(folder, "a")._images)))


@pytest.mark.oracle
def test_fid_of_any_network(folders: Path, graph: list[Any]) -> None:
    x, y = exact("a"), exact("b")
    network = Graph("g.onnx")
    assert isinstance(network, FeatureNetwork)
    right = pixelgauge.frechet_distance(x, y)
    for a, b, features in (
        ("a", "b", network),
        ("a", "b", "g.onnx"),
        ("a", Path("b"), Path("g.ONNX")),
        (x, "b", network),
    ):
        assert fid(a, b, features=features) == pytest.approx(right, rel=1e-9)
    kept = FeatureSet.from_images("a", network)
    assert kept.names == FeatureSource("a", "a").image_names()
    np.testing.assert_array_equal(kept, x)
    assert fid(kept, "b", features=network) == fid("a", "b", features=network)
    paths = [Path("a") / name for name in kept.names[:3]]
    assert FeatureSet.from_images(paths, network).names == [str(path) for path in paths]
    arrays = list(pictures(3, 1, (9, 9)))
    assert FeatureSet.from_images(arrays, network).names is None
    stats = FeatureSource("b", "b").statistics(_given(network))
    label = "network@de7c156828c3/pooled"
    assert (stats.preset, stats.weights) == (label, "d" * 64)
    renamed, sized = Graph("g.onnx"), Graph("g.onnx")
    renamed.fingerprint = {**renamed.fingerprint, "model": "other.onnx", "provider": "CUDA", "batch_size": 3}
    assert fid("a", stats, features=renamed) == pytest.approx(right, rel=1e-9)
    sized.fingerprint = {**sized.fingerprint, "size": 336}
    with pytest.raises(
        ValueError, match=f"was made with preset '{label}', and 'network@[0-9a-f]*/pooled' is asked for"
    ):
        fid("a", stats, features=sized)
    assert fid("a", stats, features=network) == pytest.approx(right, rel=1e-9)
    assert fid(kept, stats) == pytest.approx(right, rel=1e-9)


def _given(network: Any) -> Any:
    from pixelgauge.engine.extraction import extraction_of

    return extraction_of(network)


@pytest.mark.boundary
def test_networks_that_do_not_compare_are_found_before_an_image_is_read(
    folders: Path,
    graph: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Graph("g.onnx")
    kept = FeatureSet.from_images("a", network)
    wide = np.random.default_rng(0).standard_normal((30, 12)).astype(np.float32)
    two = Graph("g.onnx")
    two.widths = {"pooled": 5, "tokens": 5}
    other = Graph("g.onnx", preset="dinov2")
    heavy = Graph("g.onnx")
    heavy.fingerprint = {**heavy.fingerprint, "weights_sha256": "e" * 64}
    sized = Graph("g.onnx")
    sized.fingerprint = {**sized.fingerprint, "size": 336}
    inception = FeatureSet(wide[:, :10], None, {"preset": "pytorch-fid", "weights_sha256": "0" * 64}, {"2048": 10})

    def unread(self: Any, *images: Any) -> Any:
        pytest.fail("an image was read")

    for name in ("batches", "batches_of_files"):
        monkeypatch.setattr(Graph, name, unread)
    for a, options, message in (
        (wide, {"features": network}, "has 12 features a sample and b 10"),
        ("a", {"features": two}, "features has the outputs pooled, tokens: make it with one of them"),
        (kept, {"features": other}, "a was made with no preset, and 'dinov2' is asked for"),
        (kept, {"features": heavy}, "a was made with weights dddddddddddddddd..., and these are eeeeeeeeeeeeeeee..."),
        (kept, {"features": sized}, "a was made with size 224, and 336 is asked for"),
        (kept, {}, "a was made with preset 'network@de7c156828c3/pooled', which is none of Inception's, through which images go ('pytorch-fid'): name its network by features="),
        (inception, {"features": network}, "a was made with preset 'pytorch-fid', and no preset is asked for"),
        ("a", {"features": network, "preset": "clean-fid"}, "preset='clean-fid' would not be used: features says"),
        ("a", {"features": network, "weights": "w.npz"}, "weights='w.npz' would not be used"),
        ("a", {"features": network, "providers": "cpu"}, "providers='cpu' would not be used"),
        ("a", {"features": network, "batch_size": 3}, "batch_size=3 would not be used"),
        ("a", {"features": network, "memory": "1G"}, "memory='1G' would not be used: the network that features is has its own"),
        ("a", {"features": network, "memory": "1X"}, "memory='1X' is no size"),
        ("a", {"features": "g.onnx", "weights": "w.npz"}, "weights='w.npz' would not be used"),
        ("a", {"features": "graph.pth"}, "features='graph.pth' is neither a preset nor an ONNX graph: name an .onnx file"),
        ("a", {"features": 3}, "features=3 makes no features of images"),
        ("a", {"features": Graph}, "makes no features of images"),
    ):  # fmt: skip
        with pytest.raises((ValueError, TypeError)) as caught:
            fid(a, "b", **options)
        assert message in str(caught.value).replace("\n", " "), options
    with pytest.raises(ValueError, match="would not be used: there are no images in a and b"):
        fid(wide, wide, features=network)


class Wrong:
    """A network that does not do what it says."""

    widths: dict[str, int] = {"mean": 3}  # noqa: RUF012
    fingerprint: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, batches: list[np.ndarray]) -> None:
        self._batches = batches

    def batches(self, images: Any) -> Iterator[np.ndarray]:
        return iter(self._batches)

    batches_of_files = batches  # type: ignore[assignment]


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("batches", "message"),
    [
        (
            [np.zeros((4, 2), np.float32)],
            r"gave features \(4, 2\) of float32 for images 0 and on of the 4 of a: rows of 3",
        ),
        ([np.zeros((4, 3))], "of float64 for images 0"),
        ([np.zeros(3, np.float32)], r"gave features \(3,\)"),
        ([np.zeros((3, 3), np.float32), np.zeros((2, 3), np.float32)], "for images 3 and on of the 4"),
        ([np.zeros((3, 3), np.float32)], "gave features of 3 of the 4 images of a"),
        ([np.zeros((3, 3), np.float32), np.full((1, 3), np.nan, np.float32)], "features of 3 in a hold NaN"),
    ],
)
def test_networks_that_do_not_do_what_they_say(batches: list[np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fid(np.zeros((4, 8, 8, 3), np.uint8), np.eye(3), features=Wrong(batches))


@pytest.mark.cli
def test_the_command_line_takes_a_graph(folders: Path, graph: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    x, y = exact("a"), exact("b")
    graph.clear()
    assert run(capsys, "distance", "a", "b", "--features", "g.onnx")[0] == 0
    assert graph.pop() == ("g.onnx", {"preset": None, "providers": None, "batch_size": None})
    with_graph = ["--features", "g.onnx", "--preprocess", "dinov2", "--batch-size", "8", "--providers", "cpu"]
    every = ["--metrics", "fid,kid,prdc", "--kid-subset-size", "7", "--json"]
    code, out, err = run(capsys, "distance", "a", "b", *with_graph, *every)
    assert (code, err) == (0, "")
    assert graph == [("g.onnx", {"preset": "dinov2", "providers": ["cpu"], "batch_size": 8})]
    facts = json.loads(out)
    assert facts["metrics"]["fid"] == pytest.approx(pixelgauge.frechet_distance(x, y), rel=1e-12)
    assert facts["metrics"]["recall"] == pixelgauge.precision_recall(x, y).recall
    assert facts["preset"].startswith("dinov2@")
    assert facts["network"]["size"] == 224
    for side in "ab":
        assert run(capsys, "features", side, "-o", f"{side}.npz", *with_graph)[0] == 0
    for left, right, more in (("a.npz", "b", with_graph), ("a.npz", "b.npz", [])):
        code, out, err = run(capsys, "distance", left, right, *more, *every)
        assert (code, err, json.loads(out)["metrics"]) == (0, "", facts["metrics"])
    assert run(capsys, "stats", "b", "-o", "s.npz", *with_graph)[0] == 0
    assert run(capsys, "stats", "b.npz", "-o", "t.npz")[0] == 0
    assert Path("s.npz").read_bytes() == Path("t.npz").read_bytes()
    assert FeatureStats.load("s.npz").preset == facts["preset"]
    assert run(capsys, "distance", "a.npz", "s.npz")[0] == 0
    # the others are given where one cannot be
    code, out, err = run(capsys, "distance", "a", "b", *with_graph, "--metrics", "fid,kid,is,sfid", "--json")
    assert code == 1
    assert sorted(json.loads(out)["failed"]) == ["is", "kid", "sfid"]
    # of sums rather than of features, which differ in rounding
    assert json.loads(out)["metrics"] == {"fid": pytest.approx(facts["metrics"]["fid"], rel=1e-9)}
    assert "--kid-subset-size 1000 exceeds the samples there are (23 and 31)" in err
    assert "is needs Inception's output 'logits_unbiased' of B" in err


@pytest.mark.boundary
def test_options_of_another_network_are_refused(
    folders: Path,
    graph: list[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    np.save("x.npy", np.eye(9, dtype=np.float32))
    for argv, message in (
        (["a", "b", "--features", "g.onnx", "--preset", "clean-fid"], "--preset 'clean-fid' would not be used"),
        (["a", "b", "--features", "g.onnx", "--weights", "w.npz"], "--weights 'w.npz' would not be used"),
        (["a", "b", "--features", "g.onnx", "--explain"], "--explain needs images on both sides, and Inception"),
        (["a", "b", "--preprocess", "clip"], "--preprocess 'clip' would not be used: it is of an ONNX graph"),
        (["a", "b", "--features", "clean-fid", "--preprocess", "clip"], "--preprocess 'clip' would not be used"),
        (["a", "b", "--features", "clean-fid", "--preset", "clean-fid"], "--preset 'clean-fid' would not be used"),
        (["a", "b", "--features", "nope"], "--features 'nope' is neither a preset nor an ONNX graph"),
        (["a", "b", "--features", ""], "is empty: name a file"),
        (["x.npy", "x.npy", "--features", "g.onnx"], "--features 'g.onnx' would not be used: there are no images in"),
        (["x.npy", "x.npy", "--features", "clean-fid"], "--preset 'clean-fid' would not be used: there are no images in"),
    ):  # fmt: skip
        try:
            code = main(["distance", *argv])
        except SystemExit as end:
            code = end.code
        assert code == 2
        assert message in capsys.readouterr().err, argv
    code, _, err = run(capsys, "features", "a", "-o", "f.npz", "--features", "g.onnx", "--outputs", "2048")
    assert (code, "--outputs 2048 are Inception's" in err) == (2, True)
    assert graph == []


@pytest.mark.cli
def test_a_preset_as_features(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    presets = []
    monkeypatch.setattr(Inception, "extractor", lambda self, output: presets.append(self.preset) or StandIn(output))
    assert run(capsys, "distance", "a", "b", "--features", "clean-fid")[0] == 0
    assert presets == ["clean-fid"]


# ---- Inception itself ---------------------------------------------------------------------------------------------


@pytest.mark.parity
def test_files_of_inception_give_the_numbers_of_its_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime", reason="the network runs in onnxruntime (extra 'cpu')")
    np.savez(tmp_path / "inception.npz", **own_recipe())
    for side, count in (("a", 5), ("b", 7)):
        (tmp_path / side).mkdir()
        for i, picture in enumerate(pictures(count, ord(side))):
            Image.fromarray(picture).save(tmp_path / side / f"{i}.png")
    env = {**os.environ, "PIXELGAUGE_CACHE": str(tmp_path / "cache")}

    def command(*argv: str, code: int = 0) -> str:
        line = [sys.executable, "-m", "pixelgauge", *argv]
        done = subprocess.run(line, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout or done.stderr

    weights = ["--weights", "inception.npz"]
    for side in "ab":
        said = command("features", side, "-o", f"{side}.npz", "--outputs", "2048,logits_unbiased", *weights)
        assert said == f"{side}.npz: {5 if side == 'a' else 7} samples of 3056 features\n"
    every = ["--metrics", "fid,kid,is,prdc", "--kid-subset-size", "4", "--kid-subsets", "3", "--splits", "2", "--json"]
    found = [
        json.loads(command("distance", *sides, *more, *every, code=1))
        for sides, more in ((("a", "b"), weights), (("a.npz", "b"), weights), (("a.npz", "b.npz"), []))
    ]
    assert found[0]["metrics"] == found[1]["metrics"] == found[2]["metrics"]
    assert {"fid", "kid", "is"} <= set(found[0]["metrics"])
    assert list(found[0]["failed"]) == ["prdc"]  # of 5 images
    network = pixelgauge.InceptionFeatures(weights=tmp_path / "inception.npz")
    kept = FeatureSet.load(tmp_path / "b.npz")
    assert kept.fingerprint == {**network.fingerprint, "output": "2048,logits_unbiased"}
    again = FeatureSet.from_images(tmp_path / "b", network)
    np.testing.assert_array_equal(again, kept.output("2048"))
    assert again.names == kept.names == [f"{i}.png" for i in range(7)]
    # rows that were there are gone on with to the same bytes, wherever the break was
    (tmp_path / "b" / "5.png").rename(tmp_path / "5.png")
    (tmp_path / "b" / "5.png").write_bytes(b"")
    options = ["-o", "c.npz", "--outputs", "2048,logits_unbiased", "--batch-size", "3", *weights]
    assert "5.png: is not an image that Pillow can read: replace or remove it" in command(
        "features", "b", *options, code=1
    )
    os.replace(tmp_path / "5.png", tmp_path / "b" / "5.png")
    assert json.loads(command("features", "b", *options, "--resume", "--json"))["resumed"] == 3
    assert (tmp_path / "c.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
