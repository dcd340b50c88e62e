"""What a command writes: no input is destroyed, results outlive a page that cannot be written, errors name options."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelgauge.cli import main
from tests.pictures import random_pixels
from tests.report.runs import held

pytestmark = pytest.mark.cli


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for side in ("ref", "test"):
        os.mkdir(side)
        for i in range(3):
            Image.fromarray(random_pixels((24, 24, 3), i + 10 * (side == "test"))).save(f"{side}/{i}.png")
    Path("s.csv").write_text(
        "label,score,other,place\n" + "".join(f"{i % 2},{i},{i * i % 7},{i % 3}\n" for i in range(12))
    )
    np.savez("a.npz", features=np.random.default_rng(0).normal(size=(30, 4)))
    np.savez("b.npz", features=np.random.default_rng(1).normal(size=(30, 4)))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    try:
        code = main(list(argv))
    except SystemExit as error:
        code = int(str(error.code))
    return code, *capsys.readouterr()


@pytest.mark.parametrize("option", ["--baseline", "--report-baseline"])
@pytest.mark.parametrize("output", ["base.csv", "./base.csv", "link.csv", "hard.csv"])
def test_a_baseline_is_never_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str], option: str, output: str
) -> None:
    assert run(capsys, "compare", "ref", "test", "--output", "base.csv")[0] == 0
    before = Path("base.csv").read_bytes()
    os.symlink("base.csv", "link.csv")
    os.link("base.csv", "hard.csv")
    argv = ["compare", "ref", "test", option, "base.csv", "--report", "page.html"]
    for written in (["--output", output, "--overwrite"], ["--output", output, "--resume"], ["--junit", output]):
        code, out, err = run(capsys, *argv, *written)
        assert (code, out) == (2, "")
        assert f"{written[0]}: is read by this very command: name another file: '{output}'" in err
        assert Path("base.csv").read_bytes() == before
    assert not Path("page.html").exists()


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def sync(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pixelgauge.files.writing.os.fsync", sync)


_RUNS: dict[str, tuple[list[str], str]] = {
    "compare": (["compare", "ref", "test"], "fingerprint"),
    "auroc": (["auroc", "s.csv"], "auroc"),
    "distance": (["distance", "a.npz", "b.npz"], "metrics"),
    "demo": (["demo"], "rows"),
}


@pytest.mark.parametrize("command", _RUNS)
@pytest.mark.parametrize("as_json", [False, True])
def test_results_are_not_lost_with_their_page(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str, as_json: bool
) -> None:
    argv, key = _RUNS[command]
    full_disk(monkeypatch)
    code, out, err = run(capsys, *argv, "--report", "page.html", *["--json"] * as_json)
    assert code == 2
    assert "the results are whole" in err
    assert "--report: No space left on device: 'page.html': make room" in err
    assert len(err.splitlines()) == 1
    assert not Path("page.html").exists()
    if as_json:
        assert json.loads(out)[key]
    else:
        assert "pixelgauge 0" in out or "version" in out


def test_other_files_at_the_end_take_no_results(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk(monkeypatch)
    for argv, said in (
        (["compare", "ref", "test", "--junit", "gates.xml"], "--junit: No space left on device: 'gates.xml'"),
        (["auroc", "s.csv", "--csv", "curve.csv"], "--csv: No space left on device: 'curve.csv'"),
    ):
        code, out, err = run(capsys, *argv, "--json")
        assert (code, bool(json.loads(out))) == (2, True)
        assert said in err
        assert "the results are whole" in err


def test_a_failed_gate_comes_before_a_page_that_is_not_written(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk(monkeypatch)
    code, out, err = run(capsys, "compare", "ref", "test", "--fail-under", "ssim=.9", "--report", "page.html")
    assert code == 3
    assert "FAILED" in out
    assert "No space left on device" in err


_PLACES: dict[str, tuple[list[str], list[str]]] = {
    "compare": (["compare", "ref", "test"], ["--report", "--output", "--junit"]),
    "auroc": (["auroc", "s.csv"], ["--report", "--csv"]),
    "distance": (["distance", "a.npz", "b.npz"], ["--report"]),
    "demo": (["demo"], ["--report"]),
}


@pytest.mark.parametrize("command", _PLACES)
def test_an_option_that_cannot_be_written_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    argv, options = _PLACES[command]
    for option in options:
        code, out, err = run(capsys, *argv, option, "no/where.csv")
        assert (code, out) == (2, "")
        assert f"{option}: No such file or directory: 'no/where.csv': make its folder, or name another file" in err
        os.makedirs("a.csv", exist_ok=True)
        assert (
            f"{option}: is a folder, and a file is to be written: 'a.csv': name a file in it"
            in run(capsys, *argv, option, "a.csv")[2]
        )


@pytest.mark.parametrize("option", ["--baseline", "--report-baseline"])
def test_a_baseline_that_cannot_be_read_is_named(folder: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    def said(path: str) -> Any:
        return run(capsys, "compare", "ref", "test", "--report", "page.html", option, path)[2]

    assert f"{option}: No such file or directory: 'none.csv': name a file that is there" in said("none.csv")
    assert f"{option}: s.csv: is not a file of pixelgauge compare" in said("s.csv")


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ("ssim:nosuch", "--metrics 'ssim:nosuch' names no preset that is known: use one of 'wang2004', "),
        ("psnr,ssim:", "--metrics 'ssim:' names no preset that is known: use one of 'wang2004', "),
        ("lpips:nosuch", "--metrics 'lpips:nosuch' names no "),
        (":skimage", "--metrics ':skimage' is not known: use some of mse, "),
        ("mse:skimage", "--metrics 'mse:skimage' has a variant, and mse has none"),
    ],
)
def test_a_variant_that_is_not_known_is_named_as_it_was_given(
    folder: Path, capsys: pytest.CaptureFixture[str], metrics: str, said: str
) -> None:
    code, _, err = run(capsys, "compare", "ref", "test", "--metrics", metrics)
    assert code == 2
    assert said in err


@pytest.mark.parametrize("command", ["compare", "auroc", "distance"])
def test_the_last_line_says_where_the_page_is(folder: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    argv = [*_RUNS[command][0], "--report", "page.html"]
    code, out, _ = run(capsys, *argv)
    assert (code, out.splitlines()[-1]) == (0, "page in page.html")
    for silent in (["--json"], *([] if command == "auroc" else [["--quiet"]])):
        assert "page in" not in run(capsys, *argv, *silent)[1]


@pytest.mark.parametrize("command", ["compare", "auroc", "distance"])
def test_a_page_replaces_any_page_or_an_empty_file_and_nothing_else(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    argv = [*_RUNS[command][0], "--report", "page.html"]
    Path("page.html").touch()
    assert run(capsys, *argv)[0] == 0
    other = [*_RUNS["auroc" if command == "compare" else "compare"][0], "--report", "page.html"]
    assert run(capsys, *other)[0] == 0
    assert run(capsys, *argv)[0] == 0
    Path("page.html").write_text("\n")
    code, _, err = run(capsys, *argv)
    assert code == 2
    assert "--report: page.html: exists and is no report of pixelgauge: name another file, or delete it" in err
    assert Path("page.html").read_text() == "\n"


@pytest.mark.parametrize("sides", [("ref/0.png", "-"), ("-", "test/0.png"), ("-", "test")])
@pytest.mark.parametrize("memory", [[], ["--memory", "1"]])
def test_a_page_shows_the_picture_of_standard_input(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    sides: tuple[str, str],
    memory: list[str],
) -> None:
    class Piped:
        def __init__(self) -> None:
            self.buffer = io.BytesIO(Path("ref/0.png" if sides[0] == "-" else "test/0.png").read_bytes())

    monkeypatch.setattr(sys, "stdin", Piped())
    code, out, _ = run(capsys, "compare", *sides, "--json", "--report", "page.html", *memory)
    assert (code, json.loads(out)["counts"]["failed"]) == (0, 0)
    pairs = [value for name, value in held(Path("page.html").read_text()).items() if name.startswith("pair-")]
    assert len(pairs) == (3 if sides[1] == "test" else 1)
    assert all(len(pair["images"]) == 2 for pair in pairs)


def test_errors_speak_of_options_and_of_what_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = [Image.fromarray(random_pixels((16, 16, 3), i)) for i in range(3)]
    for name in ("p.tif", "p.gif", "p.webp"):
        pages[0].save(name, save_all=True, append_images=pages[1:])
        out = run(capsys, "compare", name, name)[1]
        assert (
            "3 frames or pages: save the one to compare as a file of its own, or have compare score each, by --frames"
            in out
        )
        assert run(capsys, "compare", name, name, "--frames")[0] == 0
    np.save("f.npy", np.random.default_rng(0).random((2, 16, 16), np.float32))
    out = run(capsys, "compare", "f.npy", "f.npy", "--metrics", "psnr")[1]
    assert (
        "data_range is needed for floating-point images: give --data-range 1 (data_range=1) for values in 0..1" in out
    )
    assert run(capsys, "compare", "f.npy", "f.npy", "--metrics", "psnr", "--data-range", "1")[0] == 0
    Path("one.csv").write_text("label,score\n0,1\n0,2\n")
    err = run(capsys, "auroc", "one.csv")[2]
    assert "one class only: 0 positives and 2 negatives: give a file with rows of both, or name other labels" in err
    Path("two.csv").write_text("label,score\n0,1\n1,2\n")
    assert run(capsys, "auroc", "two.csv", "--report", "two.html")[0] == 0
    assert "y_true" not in Path("two.html").read_text()
    features = np.random.default_rng(0).normal(size=(30, 4))
    features[7, 2] = np.nan
    np.savez("nan.npz", features=features)
    err = run(capsys, "distance", "nan.npz", "a.npz")[2]
    assert "nan.npz holds NaN or infinity, first in column 2, row 7: remove or repair it" in err
