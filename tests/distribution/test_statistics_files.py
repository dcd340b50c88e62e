"""Files of strangers as sources of a distribution: damaged, hostile or too small, and told of before the work."""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelgauge import FeatureStats, FileError, fid, frechet_distance
from pixelgauge.cli import main
from pixelgauge.engine.extraction import Inception
from pixelgauge.engine.feature_sources import FeatureSource
from pixelgauge.images import ImageFileError
from tests.engine.stand_in import StandIn, pictures


class Counted(StandIn):
    """The stand-in network, which counts the images that go through."""

    seen = 0

    def one(self, x: np.ndarray) -> np.ndarray:
        Counted.seen += 1
        return super().one(x)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    Counted.seen = 0
    monkeypatch.setattr(Inception, "extractor", lambda self, output: Counted(output))


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images in a/ (8) and b/ (12) of the working folder."""
    monkeypatch.chdir(tmp_path)
    for name, seed, n in (("a", 1, 8), ("b", 2, 12)):
        (tmp_path / name).mkdir()
        for i, picture in enumerate(pictures(n, seed)):
            Image.fromarray(picture).save(tmp_path / name / f"{i:02}.png")
    return tmp_path


def encoded(seed: int = 0, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(next(pictures(1, seed))).save(file, kind, **options)
    return file.getvalue()


def archive(path: Path | str, members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> Path | str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile's own about two of one name
        with zipfile.ZipFile(path, "w", method) as file:
            for name, data in members:
                file.writestr(name, data)
    return path


# ---- archives -----------------------------------------------------------------------------------------------------


@pytest.mark.boundary
@pytest.mark.parametrize("names", [
    ("x.png", "x.png"), ("a.png", "/a.png"), ("x//b.png", "x/b.png"), ("./a.png", "a.png"), ("x\\b.png", "x/b.png"), ("x/./b.png", "x/b.png"),
])  # fmt: skip
def test_two_members_of_one_name_are_refused(tmp_path: Path, network: None, names: tuple[str, str]) -> None:
    path = archive(tmp_path / "x.zip", [(name, encoded(i)) for i, name in enumerate((*names, "other.png"))])
    with pytest.raises(FileError, match="twice, or under two names") as caught:
        fid(path, np.eye(10))
    assert caught.value.path == str(path)
    assert Counted.seen == 0


@pytest.mark.boundary
@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "..\\x.png"])
def test_members_that_lead_out_are_refused(tmp_path: Path, network: None, name: str) -> None:
    path = archive(tmp_path / "x.zip", [(name, encoded()), ("b.png", encoded(1))])
    with pytest.raises(FileError, match="no file within the archive"):
        fid(path, np.eye(10))


@pytest.mark.property
def test_nothing_is_unpacked_beside(folders: Path, network: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    def refused(*args, **options):
        raise AssertionError("no temporary file is needed")

    for name in ("TemporaryDirectory", "NamedTemporaryFile", "mkdtemp", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refused)
    path = archive("a.zip", [(f"sub/{name}", (folders / "a" / name).read_bytes()) for name in sorted(os.listdir("a"))])
    assert fid(path, "b") == fid("a", "b")


@pytest.mark.parity
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_an_archive_is_its_folder(folders: Path, network: None, mode: str, kind: str) -> None:
    """Also where Pillow turns an image of a file that it was given open, and not that of the same file by its path."""
    if (kind, mode) in (("PNG", "CMYK"), ("JPEG", "RGBA")):
        pytest.skip("there is no such file")
    exif = Image.Exif()
    exif[274] = 6
    for i, picture in enumerate(pictures(5, 7, (9, 14))):
        Image.fromarray(picture).convert(mode).save(folders / "a" / f"z{i}.{kind.lower()}", exif=exif)
    archive("a.zip", [(name, (folders / "a" / name).read_bytes()) for name in sorted(os.listdir("a"))])
    np.testing.assert_array_equal(
        *(FeatureSource(x, "x").collect(Inception(), ["2048"], [])["2048"] for x in ("a", "a.zip"))
    )


@pytest.mark.boundary
def test_a_damaged_member_is_named(folders: Path, network: None, capsys: pytest.CaptureFixture[str]) -> None:
    members = [(name, (folders / "a" / name).read_bytes()) for name in sorted(os.listdir("a"))]
    for i, data in enumerate((b"no image", members[3][1][:60], b"")):
        archive("x.zip", [*members, ("in/bad.png", data)])
        with pytest.raises(ImageFileError, match=r"^x\.zip: in/bad\.png: is (not an image|damaged)"):
            fid("x.zip", np.eye(10))
        assert main(["distance", "x.zip", "b"]) == 2
        assert capsys.readouterr().err.count("\n") == 1, i
    archive("x.zip", members)
    data = bytearray((folders / "x.zip").read_bytes())
    data[data.index(b"IDAT") + 10] ^= 1
    (folders / "x.zip").write_bytes(data)
    with pytest.raises(FileError, match=r"has a damaged member '00\.png'"):
        fid("x.zip", "b")


@pytest.mark.boundary
def test_an_archive_that_claims_much_is_refused(tmp_path: Path, network: None) -> None:
    path = archive(tmp_path / "x.zip", [("a.png", bytes(200 << 20)), ("b.png", encoded())], zipfile.ZIP_DEFLATED)
    assert os.path.getsize(path) < 1 << 20
    with pytest.raises(FileError, match="claims to hold"):
        fid(path, np.eye(10))


# ---- arrays and statistics ----------------------------------------------------------------------------------------


@pytest.mark.boundary
def test_every_flipped_byte_of_features_is_an_error_or_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    features = np.random.default_rng(0).standard_normal((6, 4))
    for method in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        method(file, features)
        data = file.getvalue()
        path = tmp_path / "x.npz"
        for place in range(len(data)):
            path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
            message = ""
            try:
                np.testing.assert_array_equal(FeatureSource(path, "x").features, features)
            except FileError as error:
                message = str(error)
            assert not message or (message.startswith(f"{path}: ") and len(message) <= 2000)
    path.write_bytes(data.replace(data[60:61], bytes([data[60] ^ 1]), 1)[:-30])
    assert main(["distance", str(path), str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.boundary
@pytest.mark.parametrize("header", [
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (4, 2, }", b"{'descr': '<f8', 'fortran_order': False, 'shape': (1+1, 2), }",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (1180591620717411303424, 2), }",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000, 2), }", b"{1: 2, 'descr': 3}", b"[" * 3000,
    b"{'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }", b"", b"{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }",
])  # fmt: skip
def test_headers_of_arrays_are_not_believed(tmp_path: Path, capsys: pytest.CaptureFixture[str], header: bytes) -> None:
    data = b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n" + bytes(32)
    (tmp_path / "x.npy").write_bytes(data)
    archive(tmp_path / "x.npz", [("arr_0.npy", data)])
    archive(tmp_path / "stats.npz", [("mu.npy", data), ("sigma.npy", data)])
    for name in ("x.npy", "x.npz", "stats.npz"):
        with pytest.raises(FileError) as caught:
            fid(tmp_path / name, np.eye(2))
        assert caught.value.path == str(tmp_path / name)
        assert main(["distance", str(tmp_path / name), str(tmp_path / name)]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(FileError):
        FeatureStats.load(tmp_path / "stats.npz")


@pytest.mark.boundary
def test_statistics_are_read_from_regular_files_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    for call in (FeatureStats.load, lambda path: fid(path, np.eye(2))):
        with pytest.raises(FileError, match="is a pipe"):
            call(tmp_path / "pipe.npz")
        with pytest.raises(FileNotFoundError, match=r"none\.npz"):
            call(tmp_path / "none.npz")
    with pytest.raises(IsADirectoryError):
        FeatureStats.load(tmp_path)


@pytest.mark.property
def test_a_small_file_that_says_it_is_large_costs_nothing(tmp_path: Path) -> None:
    import tracemalloc

    np.savez(
        tmp_path / "x.npz", format="pixelgauge-feature-stats-1", dim=np.int64(16000), count=np.int64(5),
        shift=np.zeros(3), sum=np.zeros((2, 3)), scatter=np.zeros((2, 6)), mu=np.zeros(3), sigma=np.zeros((3, 3)),
    )  # fmt: skip
    tracemalloc.start()
    with pytest.raises(FileError, match="should be"):
        FeatureStats.load(tmp_path / "x.npz")
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


# ---- found before the work ----------------------------------------------------------------------------------------


@pytest.mark.boundary
@pytest.mark.parametrize(("metrics", "options", "message"), [
    ("kid", [], "--kid-subset-size 1000 exceeds the samples there are (8 and 12)"),
    ("kid", ["--kid-subset-size", "9"], "--kid-subset-size 9 exceeds the samples there are (8 and 12)"),
    ("is", ["--splits", "13"], "--splits 13 exceeds the 12 samples of B"),
    ("prdc", ["--limit", "5"], "prdc needs at least 6 samples of A and 4 of B: there are 5 and 5"),
    ("sfid", ["--limit", "1"], "sfid needs at least two images"), ("fid", ["--limit", "1"], "a covariance needs at least two"),
    ("kid,is", ["--splits", "99"], "--kid-subset-size"),
])  # fmt: skip
def test_what_cannot_be_computed_is_found_before_any_image_is_read(
    folders: Path, network: None, capsys: pytest.CaptureFixture[str], metrics: str, options: list[str], message: str
) -> None:
    assert main(["distance", "a", "b", "--metrics", metrics, *options]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert (out, err.count("\n"), Counted.seen) == ("", 1, 0)
    for python in ("subset_size=", "real", "k=", "precision_k"):
        assert python not in err


@pytest.mark.cli
def test_the_other_metrics_are_still_given(folders: Path, network: None, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["distance", "a", "b", "--metrics", "fid,kid,is,prdc", "--json"])
    out, err = capsys.readouterr()
    facts = json.loads(out)
    assert code == 1
    assert facts["failed"].keys() == {"kid"}
    assert facts["metrics"].keys() == {"fid", "is", "is_std", "precision", "recall", "density", "coverage"}
    assert err == f"pixelgauge distance: kid: {facts['failed']['kid']}\n"
    assert facts["metrics"]["fid"] == pytest.approx(fid("a", "b"), rel=1e-9)  # from sums, not from features
    assert main(["distance", "a", "b", "--metrics", "fid,kid"]) == 1
    assert capsys.readouterr().out.split()[0] == "fid"
    FeatureStats(10).update(np.random.default_rng(0).standard_normal((30, 10))).save("stats.npz")
    assert main(["distance", "a", "stats.npz", "--metrics", "fid,kid,prdc,is,sfid"]) == 1
    out, err = capsys.readouterr()
    assert out.split()[0] == "fid"
    assert [line.split(":")[1].strip() for line in err.splitlines()] == ["kid", "prdc", "is", "sfid"]
    assert "stats.npz holds statistics: kid needs the images or their features" in err


@pytest.mark.cli
def test_what_fails_later_loses_no_other_metric(
    folders: Path, network: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixelgauge.engine import distances

    def failing(*args, **options):
        raise ValueError("the kernel of these features overflows\x1b")

    monkeypatch.setattr(distances, "kernel_distance", failing)
    argv = ["distance", "a", "b", "--kid-subset-size", "5", "--metrics"]
    assert main([*argv, "kid,prdc,fid", "--json"]) == 1
    out, err = capsys.readouterr()
    assert err == "pixelgauge distance: kid: the kernel of these features overflows\\x1b\n"
    assert set(json.loads(out)["metrics"]) == {"fid", "precision", "recall", "density", "coverage"}
    assert json.loads(out)["failed"] == {"kid": "the kernel of these features overflows\x1b"}
    assert main([*argv, "kid"]) == 2
    assert capsys.readouterr().err.startswith("pixelgauge distance: error: the kernel")


@pytest.mark.boundary
def test_sides_that_do_not_compare_are_found_before_any_image_is_read(
    folders: Path, network: None, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("wide.npy", np.random.default_rng(0).standard_normal((9, 12)))
    FeatureStats(11).update(np.random.default_rng(0).standard_normal((30, 11))).save("stats.npz")
    FeatureStats(10, preset="clean-fid").update(np.random.default_rng(0).standard_normal((30, 10))).save("clean.npz")
    FeatureStats(10, weights="1" * 64).update(np.random.default_rng(0).standard_normal((30, 10))).save("other.npz")
    np.save("one.npy", np.ones((1, 10)))
    for other, message in (
        ("wide.npy", "a has 10 features a sample and wide.npy 12"), ("stats.npz", "a has 10 features a sample and stats.npz 11"),
        ("clean.npz", "made with preset 'clean-fid'"), ("other.npz", "was made with weights 1111111111111111"),
        ("one.npy", "one.npy holds 1 sample"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            fid("a", other)
        assert main(["distance", "a", other]) == 2
        assert message in capsys.readouterr().err
        assert Counted.seen == 0
    for metrics in ("kid", "prdc", "fid,kid,prdc"):
        size = ["--kid-subset-size", "5"] if "kid" in metrics else []
        assert main(["distance", "a", "wide.npy", "--metrics", metrics, *size]) == 2
        assert "a has 10 features a sample and wide.npy 12" in capsys.readouterr().err
    assert Counted.seen == 0
    assert main(["distance", "a", "wide.npy", "--explain"]) == 2
    assert Counted.seen == 0


# ---- folders as sets of images ------------------------------------------------------------------------------------


@pytest.mark.property
def test_a_folder_is_listed_whole_or_not_at_all(folders: Path, network: None, monkeypatch: pytest.MonkeyPatch) -> None:
    (folders / "a" / "sub").mkdir()
    os.rename("a/00.png", "a/sub/00.png")
    scandir = os.scandir

    def failing(path):
        if os.path.basename(os.fspath(path)) == "sub":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(PermissionError, match="sub"):
        fid("a", "b")


@pytest.mark.property
def test_the_order_of_a_folder_is_that_of_its_names(folders: Path, network: None) -> None:
    (folders / "a" / "sub").mkdir()
    os.rename("a/03.png", "a/sub/03.png")
    from pixelgauge.images.folders import list_images

    listed = list_images("a")
    assert [os.path.relpath(path, "a") for path in listed] == [f"{i:02}.png" for i in (0, 1, 2, 4, 5, 6, 7)] + [
        "sub/03.png"
    ]
    expected = frechet_distance(np.concatenate(list(StandIn("2048").batches(listed))), np.eye(10))
    assert fid("a", np.eye(10)) == expected
