"""Every fault that a folder of images can have, by every command that reads one, and in every kind of result.

`compare` makes a row of each, in all four formats, and the rest is scored; what is mended is made by `--resume`, and the
file is then that of a clean run. `distance`, `stats` and `features` are of sets, of which no part may be lost: one line
names the file, and nothing is written, or what was done is kept for `--resume`.

Elsewhere: ends of a run at any moment in `tests/engine/test_killed_runs.py`, at every step and a full disk in
`tests/engine/test_torn_disk.py`, two runs on one file in `tests/engine/test_row_files.py`.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge.cli import main
from pixelgauge.engine import items
from pixelgauge.engine.extraction import Inception
from tests.engine.runs import typed_records
from tests.engine.stand_in import StandIn
from tests.pictures import random_pixels
from tests.places import ROOT
from tests.rights import without_roots_rights

pytestmark = [pytest.mark.cli, pytest.mark.boundary]
each_format = pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet", "rows.sqlite"])


def picture(seed: int = 0) -> Any:
    return random_pixels((20, 22, 3), seed)


def save(path: str, image: Any, form: str = "PNG", **options: Any) -> None:
    Image.fromarray(image).save(path, form, **options)


def corrupt(path: str) -> None:
    save(path, picture(1))
    data = bytearray(Path(path).read_bytes())
    data[len(data) // 2] ^= 0xFF
    Path(path).write_bytes(data)


def truncated(path: str) -> None:
    save(path, picture(1))
    os.truncate(path, os.path.getsize(path) * 2 // 3)


def bomb(path: str) -> None:
    """Header of ten billion pixels."""
    header = struct.pack(">2I5B", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    parts = (struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks)
    Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def a_socket(path: str) -> None:
    here = os.getcwd()
    os.chdir(os.path.dirname(path))  # names of sockets are short
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(os.path.basename(path))
    os.chdir(here)


def unreadable(path: str) -> None:
    save(path, picture(1))
    os.chmod(path, 0)


def animation(path: str) -> None:
    Image.fromarray(picture(1)).save(path, "PNG", save_all=True, append_images=[Image.fromarray(picture(2))])


def transparent(path: str) -> None:
    save(path, np.dstack([picture(1), picture(2)[..., 0]]))


FAULTS: dict[str, tuple[Callable[[str], object], str, str]] = {
    "corrupt": (corrupt, "unreadable", "cannot be decoded"),
    "truncated": (truncated, "unreadable", "cannot be decoded"),
    "empty": (lambda path: Path(path).write_bytes(b""), "unreadable", "the file is empty"),
    "text": (lambda path: Path(path).write_text("no image"), "unreadable", "not a readable PNG"),
    "pipe": (os.mkfifo, "unreadable", "is a pipe"),
    "device": (lambda path: os.symlink("/dev/zero", path), "unreadable", "is a device"),
    "socket": (a_socket, "unreadable", "is a socket"),
    "unreadable": (unreadable, "unreadable", "Permission denied"),
    "loop": (lambda path: os.symlink(os.path.basename(path), path), "unreadable", "Too many levels of symbolic links"),
    "dangling": (lambda path: os.symlink("nowhere", path), "unreadable", "No such file or directory"),
    "bomb": (bomb, "unreadable", "decompression bomb"),
    "animation": (animation, "unreadable", "frames or pages"),
    "alpha": (transparent, "unreadable", "alpha"),
    "cmyk": (lambda path: Image.new("CMYK", (22, 20)).save(path, "JPEG"), "unreadable", "CMYK"),
    "size": (lambda path: save(path, picture(1)[1:]), "mismatch", "size"),
    "mode": (lambda path: save(path, picture(1)[..., 0]), "mismatch", "colour mode"),
    "depth": (lambda path: save(path, random_pixels((20, 22), 1, np.uint16)), "mismatch", "bit depth"),
    "folder": (os.mkdir, "missing", "no partner in TEST"),
    "gone": (lambda path: None, "missing", "no partner in TEST"),
}
ODD = [os.fsdecode(b"\xff\xfe\n\x1b[31m,\"'.png"), "=1+1.png", "@list.png", "-option.png", " .png", "a\r\nb.png"]
"""Names that are none of the faults: their images are scored."""


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In ref/ a sound image of each name, in test/ one with the fault of its name; both lead into themselves."""
    monkeypatch.chdir(tmp_path)
    for side in ("ref", "test"):
        os.mkdir(side)
        os.symlink(".", f"{side}/itself")
    for k, name in enumerate([*ODD, *(f"{fault}.png" for fault in FAULTS)]):
        save(f"ref/{name}", picture(100 + k))
    for k, name in enumerate(ODD):
        save(f"test/{name}", picture(200 + k))
    for fault, (make, _, _) in FAULTS.items():
        make(str(tmp_path / "test" / f"{fault}.png"))
    return tmp_path


def mend() -> None:
    """Put a sound image in the place of each fault."""
    for k, fault in enumerate(FAULTS):
        path = f"test/{fault}.png"
        if os.path.isdir(path):
            os.rmdir(path)
        elif os.path.lexists(path):
            os.unlink(path)
        save(path, picture(300 + k))


def records(path: str) -> list[dict[str, Any]]:
    if path.endswith((".parquet", ".sqlite")):
        return typed_records(path)
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file)) if path.endswith("csv") else list(map(json.loads, file))


def by_name(path: str) -> dict[str, dict[str, Any]]:
    rows = records(path)
    found = {(row["ref_name"] or row["test_name"]).removeprefix("./"): row for row in rows}
    assert len(found) == len(rows), "an image stands in two rows"
    return found


@each_format
@pytest.mark.parametrize("workers", ["1", "3"])
def test_each_fault_is_a_row_and_what_is_mended_is_made(
    folders: Path, capsys: pytest.CaptureFixture[str], name: str, workers: str
) -> None:
    argv = ["compare", "ref", "test", "--workers", workers, "--output", name]
    with without_roots_rights():
        for more in ([], ["--resume"], ["--resume"]):
            assert main([*argv, *more]) == 1
            out, err = capsys.readouterr()
            assert err == ""
            assert all(line.isprintable() for line in out.splitlines())
            rows = by_name(name)
            assert rows.keys() == {*ODD, *(f"{fault}.png" for fault in FAULTS)}
            for fault, (_, status, words) in FAULTS.items():
                row = rows[f"{fault}.png"]
                assert (row["status"], words in row["message"]) == (status, True), row
            assert {rows[odd]["status"] for odd in ODD} == {"ok"}
    mend()
    assert main([*argv, "--resume", "--quiet"]) == 0
    assert main(["compare", "ref", "test", "--output", f"clean-{name}", "--quiet"]) == 0
    assert by_name(name) == by_name(f"clean-{name}")


@each_format
def test_an_image_that_vanishes_or_grows_into_another_is_a_row(
    folders: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """During the run: the file that was listed is gone, a link, or another image by the time it is read."""
    mend()
    read, whole = [], items.read_picture

    def meanwhile(path: Any, **options: Any) -> Any:
        if not read:
            os.unlink("test/truncated.png")
            os.unlink("test/size.png")
            os.mkfifo("test/size.png")
            shutil.copy("test/mode.png", "test/text.png")
        read.append(path)
        return whole(path, **options)

    monkeypatch.setattr(items, "read_picture", meanwhile)
    assert main(["compare", "ref", "test", "--workers", "1", "--output", name]) == 1
    rows = by_name(name)
    assert rows["truncated.png"]["message"] == "TEST: No such file or directory"
    assert rows["size.png"]["message"].startswith("TEST: is a pipe")
    assert sorted(n for n, row in rows.items() if row["status"] != "ok") == ["size.png", "truncated.png"]
    monkeypatch.undo()
    os.chdir(folders)
    mend()
    assert main(["compare", "ref", "test", "--output", name, "--resume"]) == 0
    assert main(["compare", "ref", "test", "--output", f"clean-{name}"]) == 0
    capsys.readouterr()
    assert by_name(name) == by_name(f"clean-{name}")


# ---- sets -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Inception, "extractor", lambda self, output: StandIn(output))


OF_SETS = {"size", "mode", "alpha", "cmyk", "animation"}
"""What a set may hold: all that the programs whose presets these are turn into RGB, of an animation the first frame."""
NO_IMAGES = {"folder", "gone"}
"""What is no image of a set at all."""


def commands(folder: str) -> list[tuple[list[str], int]]:
    """Each command on a folder, and its exit code where an image cannot be read."""
    return [
        (["distance", folder, "ref"], 2),
        (["distance", "ref", folder], 2),
        (["stats", folder, "-o", "s.npz"], 2),
        (["features", folder, "-o", "f.npz"], 1),
        (["features", folder, "-o", "f.parquet"], 1),
        (["features", folder, "-o", "parts/"], 1),
    ]


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in OF_SETS | NO_IMAGES])
def test_a_fault_in_a_set_is_one_line_that_names_the_file(
    folders: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    os.mkdir("set")
    for k in (0, 1, 2, 4, 5):
        save(f"set/{k}.png", picture(k))
    FAULTS[fault][0](str(folders / "set" / "3.png"))
    with without_roots_rights():
        for argv, code in commands("set"):
            assert main([*argv, "--quiet"]) == code, argv
            out, err = capsys.readouterr()
            assert out == ""
            assert err.count("\n") == 1
            assert err.startswith(f"pixelgauge {argv[0]}: error: ")
            assert "3.png" in err
            assert not os.path.exists("s.npz")
            assert not os.path.exists("f.npz")
            assert not os.path.exists("f.parquet")
            assert not os.path.exists("parts/manifest.json")
    os.unlink("set/3.png")
    save("set/3.png", picture(3))
    for argv, _ in commands("set"):
        again = ["--resume"] if argv[0] == "features" else []
        assert main([*argv, *again]) == 0, argv
    capsys.readouterr()
    assert main(["features", "set", "-o", "clean.npz"]) == 0
    assert Path("f.npz").read_bytes() == Path("clean.npz").read_bytes()


@pytest.mark.usefixtures("network")
def test_sets_hold_every_size_mode_and_name_each_once(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkdir("set")
    os.mkdir("plain")
    os.symlink(".", "set/itself")
    os.symlink("../set", "set/again")
    pictures = [picture(1), picture(2)[:9], picture(3)[..., 0], random_pixels((20, 22), 4, np.uint16) >> 8 << 8]
    for k, name in enumerate(sorted(ODD)):
        for folder, called in (("set", name), ("plain", f"{k}.png")):
            save(f"{folder}/{called}", pictures[k % 3])
    for command in (["stats"], ["features"]):
        for folder in ("set", "plain"):
            assert main([*command, folder, "-o", f"{folder}-{command[0]}.npz", "--json"]) == 0
            assert json.loads(capsys.readouterr().out)["count"] == len(ODD)
    one, other = (pixelgauge.FeatureStats.load(f"{folder}-stats.npz") for folder in ("set", "plain"))
    assert one == other
    assert pixelgauge.FeatureSet.load("set-features.npz").names == sorted(ODD)
    assert main(["distance", "set", "plain", "--json"]) == 0
    assert abs(json.loads(capsys.readouterr().out)["metrics"]["fid"]) < 1e-6


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("how", ["vanishes", "becomes a pipe", "is cut"])
def test_an_image_of_a_set_that_changes_meanwhile_is_named(
    folders: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    os.mkdir("set")
    for argv, code in commands("set"):
        for k in range(9):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"set/{k}.png")
            save(f"set/{k}.png", picture(k))
        seen: list[int] = []
        plain = StandIn.one

        def one(self: StandIn, x: Any, seen: list[int] = seen, plain: Any = plain) -> Any:
            if not seen:
                if how == "is cut":
                    os.truncate("set/8.png", 100)
                else:
                    os.unlink("set/8.png")
                if how == "becomes a pipe":
                    os.mkfifo("set/8.png")
            seen.append(1)
            return plain(self, x)

        monkeypatch.setattr(StandIn, "one", one)
        assert main([*argv, "--quiet"]) == code, argv
        monkeypatch.setattr(StandIn, "one", plain)
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert "8.png" in err
        assert not {"s.npz", "f.npz", "f.parquet"} & set(os.listdir())


SLOW = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from pixelgauge.engine.extraction import Inception
from tests.engine.stand_in import StandIn
from pixelgauge.cli import main

class Slow(StandIn):
    def batches_of_files(self, files, names):
        for batch in super().batches_of_files(files, names):
            open("begun", "w").close()
            time.sleep(0.3)
            yield batch

Inception.extractor = lambda self, output: Slow(output)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
@pytest.mark.parametrize(
    "argv", [["distance", "set", "set"], ["stats", "set", "-o", "s.npz"]], ids=lambda argv: argv[0]
)
def test_an_end_by_any_signal_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: signal.Signals, argv: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir("set")
    for k in range(30):
        save(f"set/{k}.png", picture(k))
    hears = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    command = [sys.executable, "-c", SLOW, *argv]
    with subprocess.Popen(
        command, preexec_fn=hears, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not os.path.exists("begun"):
            time.sleep(0.01)
            assert process.poll() is None
        process.send_signal(how)
        out, err = process.communicate(timeout=60)
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    assert (out, err) == ("", "interrupted\n" if how == signal.SIGINT else "")
    assert set(os.listdir()) == {"set", "begun"}
