"""An ONNX file's features from the commands and from Python: kept and compared, the same to the last bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge import FeatureSet, OnnxFeatures, fid
from tests.engine.stand_in import pictures, run
from tests.perceptual import graphs

pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
METRICS = "fid,kid,prdc"


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two folders of pictures of all sizes, and a network of images of any size."""
    for folder, seed, count in (("a", 1, 40), ("b", 2, 50)):
        (tmp_path / folder).mkdir()
        for i, image in enumerate(pictures(count, seed)):
            Image.fromarray(image).save(tmp_path / folder / f"{i:02}.png")
    graphs.save(graphs.network(("N", 3, None, None), outputs=[graphs.info("features", ("N", 6))]), tmp_path / "g.onnx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.oracle
def test_kept_features_give_the_numbers_of_the_folders(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = ["--features", "g.onnx", "--preprocess", "clip"]
    limits = ["--metrics", METRICS, "--kid-subset-size", "20", "--json"]
    code, out, err = run(capsys, "distance", "a", "b", *network, *limits)
    assert (code, err) == (0, "")
    facts = json.loads(out)
    own = OnnxFeatures("g.onnx", preset="clip")
    x, y = own("a"), own("b")
    assert facts["metrics"]["fid"] == pixelgauge.frechet_distance(x, y)
    assert facts["metrics"]["kid"] == pixelgauge.kernel_distance(x, y, subset_size=20).mean
    assert facts["network"]["weights_sha256"] == own.fingerprint["weights_sha256"]
    assert facts["network"]["crop"] == [224, 224]
    for side in "ab":
        assert run(capsys, "features", side, "-o", f"{side}.npz", *network)[0] == 0
    np.testing.assert_array_equal(FeatureSet.load("a.npz"), x)
    for a, b in (("a.npz", "b.npz"), ("a.npz", "b"), ("a", "b.npz")):
        used = [] if {a, b} == {"a.npz", "b.npz"} else network
        code, out, err = run(capsys, "distance", a, b, *used, *limits)
        assert (code, err, json.loads(out)["metrics"]) == (0, "", facts["metrics"])
    # of sums rather than of features, which differ in rounding
    assert fid("a", "b", features=own) == pytest.approx(facts["metrics"]["fid"], rel=1e-9)


@pytest.mark.boundary
def test_other_preprocessing_is_another_network(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "features", "a", "-o", "a.npz", "--features", "g.onnx", "--preprocess", "clip")[0] == 0
    code, _, err = run(capsys, "distance", "a.npz", "b", "--features", "g.onnx", "--preprocess", "dinov2")
    assert code == 2
    assert "a.npz was made with preset" in err
    code, _, err = run(capsys, "distance", "a.npz", "b", "--features", "g.onnx", "--preprocess", "clap")
    assert code == 2
    assert "'clap' is not known" in err
    for a, b in (("a.npz", "b"), ("b", "a.npz")):
        code, _, err = run(capsys, "distance", a, b)
        assert code == 2
        assert "a.npz was made with preset 'clip@" in err
        assert err.endswith("which is none of Inception's, through which images go ('pytorch-fid'): name its network "
                            "by --features FILE.onnx\n")  # fmt: skip
    gray = np.zeros((5, 8, 8), np.uint8)
    with pytest.raises(ValueError, match=r"a has shape \(5, 8, 8\) .*; for gray .* channel_axis=None, gray='repeat'"):
        fid(gray, gray, features=OnnxFeatures("g.onnx"))
    assert fid(gray, gray, features=OnnxFeatures("g.onnx"), channel_axis=None, gray="repeat") == 0


@pytest.mark.oracle
def test_arrays_of_every_layout(work: Path) -> None:
    """Channel-first floats in 0..1 and gray, by the options that fid and the network share."""
    own = OnnxFeatures("g.onnx", size=(16, 16), antialias=False, interpolation="bilinear")
    rng = np.random.default_rng(3)
    first, second = rng.random((2, 30, 3, 12, 14), dtype=np.float32)
    options: dict[str, Any] = {"data_range": 1.0, "channel_axis": 1}
    expected = pixelgauge.frechet_distance(own(first, **options), own(second, **options))
    assert fid(first, second, features=own, **options) == pytest.approx(expected, rel=1e-9)
    gray = {**options, "gray": "repeat"}
    one = np.repeat(first[:, :1], 3, axis=1)
    assert fid(first[:, :1], second[:, :1], features=own, **gray) == fid(
        one, second[:, [0, 0, 0]], features=own, **options
    )
    kept = FeatureSet.from_images(first[:, :1], own, **gray)
    np.testing.assert_array_equal(kept, own(one, **options))
