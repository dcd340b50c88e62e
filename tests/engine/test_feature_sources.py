"""Folders, archives, arrays and statistics to distances: in Python and on the command line, with a small stand-in for
the Inception network, and once with the network itself where its weights can be made."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

import pixelgauge
from bench.networks.references import official_inception
from pixelgauge import FeatureStats, fid, frechet_distance
from pixelgauge.cli import main
from pixelgauge.cli.terminal import Progress
from pixelgauge.engine.extraction import Inception
from pixelgauge.engine.feature_sources import FeatureSource
from pixelgauge.images.folders import list_images
from tests.engine.stand_in import StandIn, pictures
from tests.places import SHARED


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Inception, "extractor", lambda self, output: StandIn(output))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name, seed, n in (("a", 1, 8), ("b", 2, 25)):
        folder = tmp_path / name / "deeper"
        folder.mkdir(parents=True)
        for i, picture in enumerate(pictures(n, seed)):
            Image.fromarray(picture).save(
                folder.parent / ("deeper/" * (i % 2) + f"{i:03}.{('png', 'PNG', 'bmp')[i % 3]}")
            )
        (folder / ".hidden.png").write_bytes(b"")
        (folder / "notes.txt").write_text("not an image")
    return tmp_path / "a", tmp_path / "b"


def features_of(folder: Path | str) -> np.ndarray:
    return np.concatenate(list(StandIn("2048").batches(list_images(folder))))


@pytest.mark.oracle
def test_fid_of_folders_archives_and_lists(folders: tuple[Path, Path], tmp_path: Path, stand_in: None) -> None:
    a, b = folders
    x, y = features_of(a), features_of(b)
    assert (len(x), len(y)) == (8, 25)
    exact = frechet_distance(x.astype(np.float64), y.astype(np.float64), method="svd")
    assert_allclose(fid(a, b), exact, rtol=1e-9)
    assert_allclose(fid(list_images(a), str(b), workers=1), exact, rtol=1e-9)
    for folder in (a, b):
        with zipfile.ZipFile(f"{folder}.zip", "w") as archive:
            for path in list_images(folder):
                archive.write(path, os.path.relpath(path, folder))
            archive.writestr("__MACOSX/x.png", b"")
    assert_allclose(fid(f"{a}.zip", f"{b}.zip"), exact, rtol=1e-9)
    assert_allclose(fid(x, FeatureStats(10).update(y)), exact, rtol=1e-9)
    before = pixelgauge.get_num_threads()
    fid(x, y, workers=1)
    assert pixelgauge.get_num_threads() == before
    for workers, error in ((0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)):
        with pytest.raises(error, match="workers"):
            fid(x, y, workers=workers)


@pytest.mark.oracle
def test_arrays_of_images_and_files_of_arrays(tmp_path: Path, stand_in: None) -> None:
    images = np.stack(list(pictures(20, 3, (16, 16))))
    features = np.concatenate(list(StandIn("2048").batches(images)))
    np.save(tmp_path / "images.npy", images)
    np.savez(tmp_path / "images.npz", images)
    np.save(tmp_path / "features.npy", features)
    np.savez(tmp_path / "stats.npz", mu=features.mean(axis=0, dtype=float), sigma=np.cov(features.T.astype(float)))
    other = np.random.default_rng(0).standard_normal((30, 10))
    exact = frechet_distance(features, other)
    for source in (images, *(tmp_path / name for name in ("images.npy", "images.npz", "features.npy", "stats.npz"))):
        assert_allclose(fid(source, other), exact, rtol=1e-9)


@pytest.mark.property
def test_arrays_by_their_range_and_axis(folders: tuple[Path, Path], tmp_path: Path, stand_in: None) -> None:
    images = np.stack(list(pictures(20, 3, (16, 16))))
    other = np.stack(list(pictures(12, 4, (20, 16))))
    expected = fid(images, other)
    moved, others_moved = images.transpose(0, 3, 1, 2), other.transpose(0, 3, 1, 2)
    np.save(tmp_path / "floats.npy", images / 255)
    for a, b, options in (
        (moved, others_moved, {"channel_axis": 1}),
        (images / 255, other / 255, {"data_range": 1.0}),
        (moved / 127.5 - 1, others_moved / 127.5 - 1, {"data_range": (-1, 1), "channel_axis": 1}),
        (tmp_path / "floats.npy", other / 255, {"data_range": 1}),
        (list(images), list(other), {}),
        (list(images / 255), list(other / 255), {"data_range": 1.0}),
        (tuple(moved), list(others_moved), {"channel_axis": 0}),
        (images.astype(np.uint16), other.astype(np.uint16), {"data_range": 255}),
        ([Image.fromarray(x) for x in images], list(other), {}),
        ([Image.fromarray(x) for x in images], list(other / 255), {"data_range": 1.0}),
    ):
        assert fid(a, b, **options) == expected
    gray, others_gray = images[..., 0], other[..., 0]
    expected = fid(*(np.repeat(x[..., np.newaxis], 3, axis=3) for x in (gray, others_gray)))
    for a, b, options in (
        (gray, others_gray, {"channel_axis": None}),
        (gray[..., np.newaxis], others_gray[..., np.newaxis], {}),
        (list(gray), list(others_gray), {}),
        (gray / 255, others_gray / 255, {"data_range": 1.0, "channel_axis": None}),
    ):
        assert fid(a, b, gray="repeat", **options) == expected
    part = fid(images / 255, other / 255, data_range=1.0, limit=7, seed=3)
    assert part == fid(images, other, limit=7, seed=3)
    assert fid(folders[0], images / 255, data_range=1.0) == fid(folders[0], images)


@pytest.mark.boundary
@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("a", "options", "error", "message"),
    [
        (np.zeros((4, 8, 8, 3)), {}, ValueError, "floating-point images need data_range"),
        ([np.zeros((8, 8, 3))] * 4, {}, ValueError, r"b\[0\] has shape .* need data_range"),
        (np.zeros((4, 3, 8, 8), np.uint8), {}, ValueError, "pass channel_axis=1"),
        ([np.zeros((3, 8, 8), np.uint8)] * 4, {}, ValueError, r"b\[0\].*so pass channel_axis=0"),
        (np.zeros((4, 8, 8, 1), np.uint8), {}, ValueError, "b has 1 channel.*pass gray='repeat'"),
        (np.zeros((4, 8, 8), np.uint8), {"channel_axis": None}, ValueError, "pass gray='repeat'"),
        (
            np.zeros((4, 8, 8, 1), np.uint8),
            {"gray": "copy"},
            ValueError,
            "gray='copy' is not known: use one of 'repeat'",
        ),
        (np.full((4, 8, 8, 3), 2.0), {"data_range": 1.0}, ValueError, "b has values in 2..2, outside data_range"),
        (np.full((4, 8, 8, 3), -1.0), {"data_range": 1.0}, ValueError, r"pass data_range=\(-1, 1\)"),
        ([np.zeros((2, 8, 8, 3), np.uint8)], {}, ValueError, r"b\[0\] has shape \(2, 8, 8, 3\): a list holds"),
        (np.zeros((4, 8, 8, 3), np.int32), {}, TypeError, "b has dtype int32"),
        (
            np.eye(10),
            {"data_range": 1.0},
            ValueError,
            "data_range=1.0 would not be used: there are no arrays of images",
        ),
        (np.eye(10), {"channel_axis": None}, ValueError, "channel_axis=None would not be used"),
        (np.eye(10), {"gray": "repeat"}, ValueError, "gray='repeat' would not be used"),
    ],
)
def test_arrays_that_are_refused_before_the_other_side_is_read(
    tmp_path: Path, a: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(error, match=message):
        fid([tmp_path / "broken.png"] * 3, a, **options)


@pytest.mark.property
def test_limit_takes_the_same_random_part(folders: tuple[Path, Path], stand_in: None) -> None:
    a, b = folders
    chosen = np.sort(np.random.RandomState(5).choice(25, 6, replace=False))
    expected = frechet_distance(
        features_of(a)[np.sort(np.random.RandomState(5).choice(8, 6, replace=False))], features_of(b)[chosen]
    )
    assert_allclose(fid(a, b, limit=6, seed=5), expected, rtol=1e-12)
    assert fid(a, b, limit=6, seed=6) != fid(a, b, limit=6, seed=5)


@pytest.mark.cli
def test_progress_shows_a_bar_a_source_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream, quiet, shown in ((Terminal(), False, True), (Terminal(), True, False), (io.StringIO(), False, False)):
        monkeypatch.setattr("sys.stderr", stream)
        with Progress("img", quiet=quiet) as progress:
            for name in ("A", "B"):
                for done in (2, 4):
                    progress.reach(name, done, 4)
        assert ("A:" in stream.getvalue() and "B:" in stream.getvalue()) is shown
        assert bool(stream.getvalue()) is shown


@pytest.mark.cli
def test_every_metric_comes_from_one_pass_over_each_side(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = map(str, folders)
    passes = []

    class Counted(StandIn):
        def batches_of_files(self, files, names):
            passes.append(self.outputs)
            yield from super().batches_of_files(files, names)

    monkeypatch.setattr(Inception, "extractor", lambda self, output: Counted(output))
    of_kid, of_is = ["--kid-subset-size", "7", "--kid-subsets", "4"], ["--splits", "2"]
    found = {}
    for metrics in ("fid,kid,is,prdc,sfid", "fid", "kid", "is", "prdc", "sfid"):
        passes.clear()
        few = of_kid * ("kid" in metrics) + of_is * ("is" in metrics)
        assert main(["distance", a, b, "--metrics", metrics, "--json", *few]) == 0
        found[metrics] = json.loads(capsys.readouterr().out)["metrics"]
        assert len(passes) == (1 if metrics == "is" else 2)
    together = found.pop("fid,kid,is,prdc,sfid")
    apart = {name: value for metrics in found.values() for name, value in metrics.items()}
    assert together.keys() == apart.keys()
    for name, value in apart.items():  # fid from features and from statistics differ in rounding
        assert_allclose(together[name], value, rtol=1e-9, err_msg=name)


@pytest.mark.cli
def test_distance_and_stats_commands(
    folders: tuple[Path, Path],
    tmp_path: Path,
    stand_in: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, b = map(str, folders)
    x, y = features_of(a), features_of(b)
    argv = ["distance", a, b, "--metrics", "fid,kid,is,prdc,sfid", "--kid-subset-size", "7", "--kid-subsets", "4"]
    assert main([*argv, "--splits", "2", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["counts"] == [8, 25]
    assert facts["preset"] == "pytorch-fid"
    assert facts["network"]["weights_sha256"] == "0" * 64
    found = facts["metrics"]
    assert_allclose(found["fid"], frechet_distance(x, y), rtol=1e-12)
    assert_allclose(found["kid"], pixelgauge.kernel_distance(x, y, subsets=4, subset_size=7).mean, rtol=1e-12)
    assert found["precision"] == pixelgauge.precision_recall(x, y).precision
    assert found["coverage"] == pixelgauge.density_coverage(x, y).coverage
    assert {"sfid", "is", "is_std", "recall", "density", "kid_std"} <= set(found)

    output = str(tmp_path / "b.npz")
    assert main(["stats", b, "-o", output]) == 0
    assert "25 samples of 10 features" in capsys.readouterr().out
    stats = FeatureStats.load(output)
    assert (stats.count, stats.preset, stats.weights) == (25, "pytorch-fid", "0" * 64)
    assert main(["distance", a, output, "--quiet"]) == 0
    first, _, made = capsys.readouterr().out.splitlines()
    name, value = first.split()
    assert name == "fid"
    assert made == f"pixelgauge {pixelgauge.__version__} preset=pytorch-fid weights=000000000000 method=svd A=8 B=25"
    assert_allclose(float(value), frechet_distance(x, y), rtol=1e-8)
    assert main(["stats", b, "-o", output]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["distance", a, output, "--preset", "clean-fid"]) == 2
    assert "'pytorch-fid'" in capsys.readouterr().err


@pytest.mark.cli
def test_explain_names_every_preset(
    folders: tuple[Path, Path], stand_in: None, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip(
        "pixelgauge.perceptual.inception", reason="the Inception presets come with pixelgauge.perceptual.inception"
    )
    a, b = map(str, folders)
    assert main(["distance", a, b, "--explain", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["explain"]
    assert set(rows) == {"pytorch-fid", "torch-fidelity", "torchmetrics", "clean-fid"}
    assert rows["pytorch-fid"]["difference"] == 0


def zip_of_text(path: Any) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "")


BAD_SOURCES = {
    "empty": (lambda path: path.mkdir(), "no images"),
    "cut.npz": (
        lambda path: path.write_bytes(FeatureStats(3).update(np.eye(3)).to_bytes()[:200]),
        "truncated",
    ),
    "cut.npy": (lambda path: path.write_bytes(b"\x93NUMPY\x01"), "truncated"),
    "text.zip": (lambda path: path.write_text("no archive"), "no zip archive"),
    "two.npz": (lambda path: np.savez(path, x=np.zeros(3), y=np.zeros(3)), "arr_0"),
    "none.zip": (zip_of_text, "no images"),
    "indefinite.npz": (
        lambda path: np.savez(path, mu=np.zeros(10), sigma=-np.eye(10)),
        "not positive semi-definite",
    ),
    "missing": (lambda path: None, "missing"),
}


@pytest.mark.boundary
@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("name", BAD_SOURCES)
def test_bad_sources(folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    write, message = BAD_SOURCES[name]
    write(tmp_path / name)
    with pytest.raises((ValueError, OSError), match=message):
        fid(tmp_path / name, folders[0])
    assert main(["distance", str(tmp_path / name), str(folders[0])]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.boundary
@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "empty list"),
        (np.zeros((4, 8, 8, 3)), "uint8 images"),
        (np.zeros((8, 8, 3), np.uint8), "uint8 images"),
        (np.zeros((1, 10)), "at least two"),
    ],
    ids=["empty list", "images of floats", "one image", "one row"],
)
def test_bad_sources_in_memory(folders: tuple[Path, Path], bad: list[Any] | np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fid(bad, folders[0])


@pytest.mark.boundary
@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: fid(a, a, limit=9), "limit=9 exceeds"),
        (lambda a: fid(a, a, limit=0), "limit=0"),
        (lambda a: fid(FeatureStats(10).update(np.eye(10)), a, limit=3), "no part"),
        (
            lambda a: FeatureSource(FeatureStats(10).update(np.eye(10)), "a").collect(Inception(), ("2048",), ()),
            "needs the images",
        ),
    ],
)
def test_what_sources_cannot_give(folders: tuple[Path, Path], call: Callable[..., Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(folders[0])


@pytest.mark.boundary
@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ("fid,nope", "nope"),
        (",", "--metrics '' must name at least one metric"),
        ("kid", "--kid-subset-size 1000 exceeds the samples there are (8 and 8)"),
    ],
)
def test_metrics_that_cannot_be_had(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str], metrics: str, message: str
) -> None:
    assert main(["distance", str(folders[0]), str(folders[0]), "--metrics", metrics]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.boundary
@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("metric", ["sfid", "is"])
def test_metrics_that_need_more_than_features(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], metric: str
) -> None:
    np.save(tmp_path / "features.npy", np.eye(10))
    assert main(["distance", str(folders[0]), str(tmp_path / "features.npy"), "--metrics", metric]) == 2
    assert metric in capsys.readouterr().err


@pytest.mark.boundary
def test_bad_members_of_archives_are_named(tmp_path: Path, stand_in: None) -> None:
    good = io.BytesIO()
    Image.fromarray(next(pictures(1, 0))).save(good, "png")
    for kind, message in (
        ("text", ": in/a.png: is not an image that Pillow can read"),
        ("damaged", ": has a damaged member 'in/a.png'"),
    ):
        path = tmp_path / f"{kind}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("in/a.png", b"no image" if kind == "text" else good.getvalue())
            archive.writestr("b.png", good.getvalue())
        if kind == "damaged":
            path.write_bytes(path.read_bytes().replace(b"IDAT", b"IDAX", 1))
        with pytest.raises(pixelgauge.FileError, match=r"a\.png") as caught:
            fid(path, np.eye(10))
        assert str(caught.value).startswith(f"{path}{message}")


@pytest.fixture
def features_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features x.npy and their statistics, of a preset in clean.npz and of none in unsaid.npz, in the working folder."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.random.default_rng(0).standard_normal((20, 4)))
    FeatureStats(4, preset="clean-fid").update(np.load("x.npy")).save("clean.npz")
    FeatureStats(4).update(np.load("x.npy")).save("unsaid.npz")


@pytest.mark.boundary
@pytest.mark.usefixtures("features_files", "stand_in")
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("preset", "x", "preset='x' is not known"),
        ("batch_size", 0, "batch_size=0"),
        ("seed", -1, "seed=-1"),
        ("limit", 0, "limit=0"),
        ("preset", "clean-fid", "preset='clean-fid' would not be used"),
        ("weights", "nope.pth", "weights='nope.pth' would not be used"),
    ],
)
def test_what_is_not_used_is_checked_and_refused(
    capsys: pytest.CaptureFixture[str], option: str, value: int | str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fid("unsaid.npz", "x.npy", **{option: value})
    if value != "x":  # which does not parse
        assert main(["distance", "unsaid.npz", "x.npy", f"--{option.replace('_', '-')}={value}"]) == 2
        by_option = message.replace(f"{option}=", f"--{option.replace('_', '-')} ")
        assert by_option in capsys.readouterr().err


@pytest.mark.boundary
@pytest.mark.usefixtures("features_files", "stand_in")
@pytest.mark.parametrize(
    ("metric", "option"),
    [("is", "--splits"), ("kid", "--kid-subsets"), ("kid", "--kid-subset-size"), ("fid and sfid", "--method")],
)
def test_options_of_metrics_are_checked(capsys: pytest.CaptureFixture[str], metric: str, option: str) -> None:
    wanted = metric.partition(" ")[0]
    assert main(["distance", "x.npy", "x.npy", "--metrics", wanted, option, "0"]) == 2
    assert re.search(f"{option} '?0'? (must be a whole number|is not known)", capsys.readouterr().err)
    assert main(["distance", "x.npy", "x.npy", "--metrics", "prdc", option, "7"]) == 2
    assert f"{option} is for {metric}, which is not among the metrics prdc" in capsys.readouterr().err


@pytest.mark.boundary
@pytest.mark.usefixtures("features_files", "stand_in")
@pytest.mark.parametrize(
    ("argv", "preset"), [(["clean.npz", "--preset", "clean-fid"], "clean-fid"), (["unsaid.npz"], None)]
)
def test_the_preset_is_that_of_the_statistics(
    capsys: pytest.CaptureFixture[str], argv: list[str], preset: str | None
) -> None:
    assert main(["distance", "x.npy", *argv, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["preset"] == preset


@pytest.mark.boundary
@pytest.mark.usefixtures("features_files", "stand_in")
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["-o", "y.npz", "--limit", "1"], "a covariance needs at least two"),
        (["-o", "y.npz", "--preset", "pytorch-fid"], "would not be used"),
        (["-o", "none/y.npz"], "'none/y.npz'"),
    ],
)
def test_statistics_that_cannot_be_made(capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    assert main(["stats", "x.npy", *argv]) == 2
    assert message in capsys.readouterr().err
    assert not os.path.exists("y.npz")


@pytest.mark.boundary
def test_one_image_is_too_few(tmp_path: Path, stand_in: None) -> None:
    Image.fromarray(next(pictures(1, 0))).save(tmp_path / "only.png")
    with pytest.raises(ValueError, match="at least two"):
        fid(tmp_path, np.eye(10))


@pytest.mark.parity
def test_command_line_with_the_network_equals_step_by_step(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    backbones = pytest.importorskip(
        "pixelgauge.perceptual.inception", reason="the network comes with pixelgauge.perceptual.inception"
    )
    pytest.importorskip("onnxruntime", reason="the network runs in onnxruntime (extra 'cpu')")
    if not (SHARED / "reference" / "inception_recipe.json").exists():
        pytest.skip("the recipe of the weights is not here: set PIXELGAUGE_SHARED")
    monkeypatch.setenv("PIXELGAUGE_CACHE", str(tmp_path / "cache"))
    weights = tmp_path / "inception.npz"
    np.savez(weights, **official_inception())
    a, b = folders
    assert main(["distance", str(a), str(b), "--limit", "6", "--weights", str(weights), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["metrics"]["fid"]
    network = backbones.InceptionFeatures(weights=weights)
    x, y = (
        np.concatenate([network([path]) for path in FeatureSource(folder, "a", limit=6)._images]).astype(np.float64)
        for folder in (a, b)
    )
    f, g = ((z - z.mean(axis=0)) / np.sqrt(len(z) - 1) for z in (x, y))
    nuclear = np.linalg.svd(f @ g.T, compute_uv=False).sum()
    exact = ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum() + (f * f).sum() + (g * g).sum() - 2 * nuclear
    # batches of another size round the network's float32 otherwise: 1e-5 of the distance covers it
    assert_allclose(found, exact, rtol=1e-5)
    assert fid(x, y) == pytest.approx(exact, rel=1e-9)
