"""What an ONNX graph needs to be told, by options that distance, stats and features share, and by those in every message."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge import FeatureSet, FeatureStats, OnnxFeatures, fid
from pixelgauge.cli import main
from pixelgauge.cli.networks import in_options
from tests.engine.stand_in import pictures, run
from tests.perceptual import graphs

pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
pytestmark = pytest.mark.cli


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders a and b; a graph of two outputs, one of tokens, and one of any size."""
    for folder, seed, count in (("a", 1, 12), ("b", 2, 14)):
        (tmp_path / folder).mkdir()
        for i, image in enumerate(pictures(count, seed)):
            Image.fromarray(image).save(tmp_path / folder / f"{i:02}.png")
    graphs.save(graphs.tokens(), tmp_path / "two.onnx")
    graphs.save(
        graphs.network(("N", 3, None, None), outputs=[graphs.info("features", ("N", 6))]), tmp_path / "any.onnx"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("graph", "options", "arguments"),
    [
        ("two.onnx", ["--feature-output", "pooler_output"], {"output": "pooler_output"}),
        (
            "two.onnx",
            ["--feature-output", "last_hidden_state", "--token", "cls"],
            {"output": "last_hidden_state", "token": "cls"},
        ),
        (
            "two.onnx",
            ["--feature-output", "last_hidden_state", "--token", "mean"],
            {"output": "last_hidden_state", "token": "mean"},
        ),
        ("any.onnx", ["--size", "16x20"], {"size": (16, 20)}),
        ("any.onnx", ["--size", "16", "--crop", "12x14"], {"size": 16, "crop": (12, 14)}),
        ("any.onnx", ["--size", "16", "--crop", "12"], {"size": 16, "crop": 12}),
        ("any.onnx", ["--size", "16", "--crop", "square"], {"size": 16, "crop": "square"}),
    ],
)
def test_options_are_the_arguments(
    work: Path, capsys: pytest.CaptureFixture[str], graph: str, options: list[str], arguments: dict[str, object]
) -> None:
    network = OnnxFeatures(graph, **arguments)  # type: ignore[arg-type]
    with_graph = ["--features", graph, *options]
    assert run(capsys, "features", "a", "-o", "a.npz", *with_graph)[0] == 0
    kept = FeatureSet.load("a.npz")
    np.testing.assert_array_equal(kept, network("a"))
    assert kept.fingerprint == network.fingerprint
    assert run(capsys, "stats", "b", "-o", "b.npz", *with_graph)[0] == 0
    assert FeatureStats.load("b.npz").count == 14
    code, out, _ = run(capsys, "distance", "a", "b", *with_graph)
    assert code == 0
    assert float(out.split()[1]) == pytest.approx(fid("a", "b", features=network), rel=1e-9)
    assert run(capsys, "distance", "a.npz", "b", *with_graph)[1] == out


def test_several_outputs_are_kept_side_by_side(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = ["--features", "two.onnx", "--feature-output", "pooler_output, last_hidden_state", "--token", "cls"]
    assert run(capsys, "features", "a", "-o", "a.npz", *both)[0] == 0
    assert FeatureSet.load("a.npz").outputs == {"pooler_output": 4, "last_hidden_state": 4}
    code, _, err = run(capsys, "distance", "a", "b", *both)
    assert (code, "two.onnx has the outputs pooler_output, last_hidden_state: make it with one of them" in err) == (
        2,
        True,
    )


def test_images_go_within_a_memory_to_the_same_bytes(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = ["--features", "two.onnx", "--feature-output", "pooler_output"]
    printed = []
    for i, memory in enumerate(([], ["--memory", "1"], ["--memory", "1.5MB"])):
        assert run(capsys, "features", "a", "-o", f"{i}.npz", *graph, *memory)[0] == 0
        assert run(capsys, "stats", "b", "-o", f"s{i}.npz", *graph, *memory)[0] == 0
        printed.append(run(capsys, "distance", "a", "b", *graph, *memory))
    assert printed[0][0] == 0
    assert printed[0] == printed[1] == printed[2]
    for name in ("{}.npz", "s{}.npz"):
        assert Path(name.format(0)).read_bytes() == Path(name.format(1)).read_bytes()


@pytest.mark.boundary
def test_a_memory_that_is_no_size_is_refused_used_or_not(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("f.npy", np.eye(5, dtype=np.float32))
    for command in (
        ["distance", "a", "b"],
        ["distance", "f.npy", "f.npy"],
        ["stats", "a", "-o", "o.npz"],
        ["features", "a", "-o", "o.npz"],
        ["distance", "a", "b", "--features", "two.onnx", "--feature-output", "pooler_output"],
        ["compare", "a", "b"],
    ):
        code, _, err = run(capsys, *command, "--memory", "1X")
        assert (code, "--memory '1X' is no size: give bytes, or a number with K, M, G or T" in err) == (2, True), err
        code, _, err = run(capsys, *command, "--memory", "0.1B")
        assert (code, "--memory '0.1B' is less than a byte" in err) == (2, True), err


@pytest.mark.boundary
def test_messages_name_the_options(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["distance", "a", "b"], ["stats", "a", "-o", "o.npz"], ["features", "a", "-o", "o.npz"]):
        for options, message in (
            (["two.onnx"], "--features 'two.onnx' has several outputs: name one of 'last_hidden_state'"),
            (["two.onnx"], "by --feature-output\n"),
            (["two.onnx", "--feature-output", "x"], "--feature-output 'x' is none of the outputs of two.onnx"),
            (["two.onnx", "--feature-output", ""], "--feature-output '' is none of the outputs"),
            (["two.onnx", "--feature-output", "last_hidden_state"], "or pass --token cls or mean"),
            (["two.onnx", "--feature-output", "pooler_output", "--token", "cls"], "--token 'cls' would not be used"),
            (["two.onnx", "--feature-output", "last_hidden_state", "--token", "x"], "--token 'x' is not known"),
            (["any.onnx", "--preprocess", "foo"], "--preprocess 'foo' is not known"),
            (["any.onnx", "--size", "8x8", "--crop", "9x9"], "--crop 9x9 is more than --size 8x8 leaves"),
            (["any.onnx", "--size", "70000x8"], "--size 70000 must be a whole number from 1 to 32768"),
            (["any.onnx"], "give --size HxW"),
            (["two.onnx", "--feature-output", "pooler_output", "--size", "9x9"], "--size 9x9 with no --crop makes images"),
            (["two.onnx", "--feature-output", "pooler_output", "--size", "48"], "give --crop too, or --size HxW"),
        ):  # fmt: skip
            code, _, err = run(capsys, *command, "--features", *options)
            assert code == 2, (command, options)
            assert message in err, (command, options)
            assert "None" not in err
            assert "--output " not in err
            assert "--preset" not in err
        for option, value in (("--feature-output", "x"), ("--token", "cls"), ("--size", "8"), ("--crop", "8x9")):
            for network in ([], ["--features", "clean-fid"]):
                code, _, err = run(capsys, *command, *network, option, value)
                assert (code, f"{option} " in err) == (2, True)
                assert "would not be used: it is of an ONNX graph, which features names" in err
        for option in ("--size", "--crop"):
            for value in ("", "x", "3x", "1.5", "-3", "3x4x5", "squares"):
                with pytest.raises(SystemExit, match="2"):
                    main([*command, "--features", "any.onnx", f"{option}={value}"])
                assert f"argument {option}: {value!r} is no size: give N, or HxW" in capsys.readouterr().err


def test_in_python_the_graph_is_made_with_an_output(work: Path) -> None:
    with pytest.raises(ValueError, match=r"features='two\.onnx' has several outputs: .* by output= of OnnxFeatures"):
        fid("a", "b", features="two.onnx")
    assert in_options("a/size=3.png: cut") == "a/size=3.png: cut"
    assert pixelgauge.fid("a", "b", features=OnnxFeatures("two.onnx", output="pooler_output")) > 0


def test_places_that_cannot_be_written_are_told_without_numbers_of_errors(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("held").mkdir()
    Path("held/x.txt").write_text("x")
    Path("file").write_text("x")
    Path("x.npz").mkdir()
    for output, message in (
        ("held/", "error: holds other things than features: name a new folder: 'held'"),
        ("file/", "error: is no folder, and parts are to be written: 'file'"),
        ("x.npz", "error: is a folder, and a file is to be written: 'x.npz'"),
    ):
        code, _, err = run(
            capsys, "features", "a", "-o", output, "--features", "any.onnx", "--size", "8x8", "--overwrite"
        )
        assert (code, message in err, "Errno" in err) == (2, True, False), err
