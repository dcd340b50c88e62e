"""What the commands do with odd files and names: rows for what cannot be read, nothing replaced unasked, and no control
character on any stream."""

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge.cli import demo as cli_demo
from pixelgauge.cli import main
from pixelgauge.files import reading
from pixelgauge.files.reading import printable
from tests.pictures import random_pixels
from tests.places import ROOT

pytestmark = pytest.mark.cli

COMMAND = [sys.executable, "-m", "pixelgauge"]


def picture(seed=0):
    return random_pixels((16, 17, 3), seed)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Three pairs in ref/ and test/ of the working folder, two of them in a/ and b/."""
    monkeypatch.chdir(tmp_path)
    for side, first in (("ref", 0), ("test", 10)):
        for i, place in enumerate((".", "a", "b")):
            (tmp_path / side / place).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(first + i)).save(tmp_path / side / place / "x.png")
    return tmp_path


def run(capsys, *argv):
    code = main(list(argv))
    out, err = capsys.readouterr()
    return code, out, err


# ---- what is no regular file, and folders that cannot be listed ---------------------------------------------------


def a_socket(path):
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(path))


@pytest.mark.boundary
@pytest.mark.parametrize("side", ["ref", "test"])
@pytest.mark.parametrize(
    ("make", "what"),
    [
        (os.mkfifo, "is a pipe"),
        (lambda path: os.symlink("/dev/zero", path), "is a device"),
        (lambda path: os.symlink("/dev/null", path), "is a device"),
        (a_socket, "is a socket"),
    ],
    ids=["pipe", "zero", "null", "socket"],
)
def test_what_is_no_regular_file_is_a_row_at_once(folders, capsys, side, make, what):
    os.remove(folders / side / "x.png")
    os.chdir(folders / side)  # names of sockets are short
    make("x.png")
    os.chdir(folders)
    start = time.monotonic()
    code, out, _ = run(capsys, "compare", "ref", "test")
    assert time.monotonic() - start < 30
    assert code == 1
    assert f"unreadable: {side.upper()}: {what}" in out
    assert "3 pairs: 2 scored, 1 failed (1 unreadable)" in out
    assert run(capsys, "compare", "ref/x.png", "test/x.png")[0] == 1
    assert main(["distance", f"{side}/x.png", "test"]) == 2
    assert what in capsys.readouterr().err
    assert main(["stats", f"{side}/x.png", "-o", "s.npz"]) == 2


@pytest.mark.boundary
@pytest.mark.parametrize("side", ["ref", "test"])
@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def test_a_subfolder_that_cannot_be_listed_is_a_row(folders, capsys, monkeypatch, side, error):
    scandir = os.scandir

    def failing(path):
        if os.fspath(path).endswith(f"{side}/a"):
            raise OSError(error.errno, error.strerror, path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    for options in ([], ["--output", "rows.csv"], ["--output", "rows.csv", "--resume"]):
        code, out, _ = run(capsys, "compare", "ref", "test", *options)
        assert code == 1
        assert f" unreadable: {side.upper()}: the folder cannot be listed: {error.strerror}" in out
        assert "4 pairs: 2 scored, 2 failed (1 missing, 1 unreadable)" in out
    assert main(["distance", side, side]) == 2  # part of a set is another set
    assert error.strerror in capsys.readouterr().err


@pytest.mark.boundary
def test_a_user_without_rights_gets_the_rest(folders):
    """Permissions as they are enforced: root gives up its rights in the process that compares."""
    os.chmod(folders / "ref" / "b", 0)
    code = (
        "import os, sys; sys.path.append(sys.argv.pop(1)); import tests.rights as rights, pixelgauge.cli as cli\n"
        "os.chdir(sys.argv.pop(1))\n"
        "with rights.without_roots_rights(): sys.exit(cli.main())"
    )
    argv = [sys.executable, "-c", code, ROOT, folders, "compare", "ref", "test"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    os.chmod(folders / "ref" / "b", 0o755)
    assert (done.returncode, done.stderr) == (1, "")
    assert "unreadable: REF: the folder cannot be listed: Permission denied" in done.stdout
    assert "4 pairs: 2 scored" in done.stdout


@pytest.mark.boundary
def test_both_sides_that_cannot_be_listed_are_rows_not_an_error(folders, capsys, monkeypatch):
    for side in ("ref", "test"):
        os.remove(folders / side / "x.png")
    scandir = os.scandir

    def failing(path):
        if os.path.basename(os.fspath(path)) in ("a", "b"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    code, out, _ = run(capsys, "compare", "ref", "test")
    assert code == 1
    assert "4 pairs: 0 scored, 4 failed (4 unreadable)" in out


# ---- streams ------------------------------------------------------------------------------------------------------

ODD = "\x1b[31mred\x07\n\r\x9b2J\u202e"


@pytest.mark.boundary
@pytest.mark.parametrize("argv", [
    ["compare", f"no{ODD}", "x"], ["compare", "ref", "test", "--output", f"{ODD}.txt"], ["compare", "ref", "test", "--metrics", ODD],
    ["distance", f"no{ODD}", "x"], ["distance", "ref", "test", "--metrics", ODD], ["stats", f"no{ODD}", "-o", "x.npz"],
    ["stats", "ref", "-o", f"{ODD}/x.npz"], ["demo", "--output", f"file/{ODD}"], ["models", "add", "inception-fid", f"no{ODD}"],
["auroc", f"no{ODD}.csv"], ["auroc", f"{ODD}.xyz"],
    ["compare", "a", "b", f"--bogus{ODD}"], ["compare", "a", "b", ODD], [f"com{ODD}"], ["distance", "a", "b", "--preset", ODD],
    ["compare", "ref", "test", "--workers", ODD], ["models", f"pull{ODD}"], ["info", ODD],
])  # fmt: skip
def test_no_control_character_reaches_a_stream(folders, capsys, argv):
    (folders / "file").write_text("")
    try:
        code = main(argv)
    except SystemExit as exit:
        code = exit.code
    out, err = capsys.readouterr()
    assert code in (1, 2)
    for stream in (out, err):
        assert all(line.isprintable() for line in stream.split("\n")), stream
    assert r"\x1b[31mred" in err


@pytest.mark.boundary
@pytest.mark.parametrize("options", [[], ["--output", "rows.csv"], ["--output", f"{ODD}.csv"], ["--quiet"], ["--json"]])
def test_odd_names_are_printable_in_every_view(folders, capsys, options):
    for side in ("ref", "test"):
        os.mkdir(f"{side}/{ODD}")
        os.rename(f"{side}/x.png", f"{side}/{ODD}/{ODD}.png")
        (folders / side / f"lost{ODD}{side}.png").write_bytes(b"nonsense")
        (folders / side / f"x.{ODD}").write_bytes(b"")
    code, out, err = run(capsys, "compare", "ref", "test", *options)
    assert (code, err) == (1, "")
    assert all(line.isprintable() for line in out.split("\n"))


def test_foreign_messages_are_printable(folders, capsys, monkeypatch):
    """Whatever a library says in its errors, and whatever a command prints, passes one door."""
    from pixelgauge.cli import info

    def failing():
        raise RuntimeError(ODD)

    monkeypatch.setattr(info, "build_info", failing)
    assert run(capsys, "info") == (2, "", f"pixelgauge info: error: {printable(ODD)}\n")
    monkeypatch.setattr(info, "build_info", lambda: {"compiler": ODD})
    code, out, _ = run(capsys, "info")
    assert code == 0
    assert "\x1b" not in out
    assert "\x9b" not in out
    assert json.loads(run(capsys, "info", "--json")[1])["compiler"] == ODD


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("argv", "usage"),
    [
        (["compare", "a", "b", "--bogus"], "usage: pixelgauge compare"),
        (["compare", "a", "b", "c"], "usage: pixelgauge compare"),
        (["stats", "a", "-o", "b.npz", "--overwriting"], "usage: pixelgauge stats"),
        (["models", "pull", "inception-fid", "--bogus"], "usage: pixelgauge models pull"),
        (["models", "list", "--bogus"], "usage: pixelgauge models list"),
        (["info", "--bogus"], "usage: pixelgauge info"),
        (["--bogus", "info"], "usage: pixelgauge [-h]"),
    ],
)
def test_unknown_options_show_the_usage_of_their_command(capsys, argv, usage):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(usage)
    assert "unrecognized arguments: " in err
    assert err.splitlines()[-1].startswith(usage.removeprefix("usage: ").removesuffix(" [-h]") + ": error: ")


def test_streams_that_are_closed_are_no_error(folders):
    for redirection in (">&-", "2>&-", ">&- 2>&-", "2>&1 | head -c 1", "2>&1 >&- | cat"):
        script = f"set -o pipefail; {sys.executable} -m pixelgauge compare ref test {redirection}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0
        assert "Traceback" not in done.stdout + done.stderr
    script = f"set -o pipefail; {sys.executable} -m pixelgauge compare ref nowhere 2>&1 | true"
    assert subprocess.run(["bash", "-c", script], check=False).returncode == 2
    script = f"set -o pipefail; {sys.executable} -m pixelgauge compare --help | true"
    assert subprocess.run(["bash", "-c", script], check=False).returncode == 0


def test_rows_are_written_to_the_end_when_the_reader_leaves(folders):
    for side in ("ref", "test"):
        for i in range(300):
            os.link(f"{side}/x.png", f"{side}/{i}.png")
    script = f"set -o pipefail; {sys.executable} -m pixelgauge compare ref test --output rows.jsonl | true"
    assert subprocess.run(["bash", "-c", script], check=False).returncode == 0
    assert len((folders / "rows.jsonl").read_text().splitlines()) == 303


def test_json_says_where_the_rows_are(folders, capsys):
    without = json.loads(run(capsys, "compare", "ref", "test", "--json")[1])
    assert "output" not in without
    assert [row["ref"] for row in without["rows"]] == ["ref/a/x.png", "ref/b/x.png", "ref/x.png"]
    given = json.loads(run(capsys, "compare", "ref", "test", "--json", "--output", "rows.jsonl")[1])
    assert (given["output"], given["rows"]) == ("rows.jsonl", None)
    rows = [json.loads(line) for line in (folders / "rows.jsonl").read_text().splitlines()]
    assert [{key: row[key] for key in without["rows"][0]} for row in rows] == without["rows"]
    assert {**given, "rows": without["rows"]} == {**without, "output": "rows.jsonl"}


# ---- what is written ----------------------------------------------------------------------------------------------


@pytest.mark.boundary
def test_the_demo_writes_into_an_empty_folder_only(folders, capsys):
    (folders / "notes").mkdir()
    (folders / "notes" / "index.html").write_text("precious")
    (folders / "notes" / "mine.txt").write_text("mine")
    code, _, err = run(capsys, "demo", "--output", "notes")
    assert code == 2
    assert "notes is not empty: name another folder, or give --overwrite" in err
    assert (folders / "notes" / "index.html").read_text() == "precious"
    assert run(capsys, "demo", "--output", "notes", "--overwrite")[0] == 0
    assert (folders / "notes" / "index.html").read_text().startswith("<!doctype html>")
    assert (folders / "notes" / "mine.txt").read_text() == "mine"
    assert len(list((folders / "notes").rglob("*"))) == 96 + 6 + 3
    (folders / "empty").mkdir()
    assert run(capsys, "demo", "--output", "empty/")[0] == 0
    assert run(capsys, "demo", "--output", "new/er")[0] == 0
    for path in (folders / "new" / "er").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (folders / "empty" / path.relative_to(folders / "new" / "er")).read_bytes()
    code, _, err = run(capsys, "demo", "--overwrite")
    assert (code, err) == (2, "pixelgauge demo: error: --overwrite needs --output DIR\n")


@pytest.mark.boundary
def test_the_demo_follows_no_link_planted_in_its_folder(folders, capsys):
    (folders / "victim").mkdir()
    (folders / "victim" / "file").write_text("precious")
    (folders / "demo" / "natural").mkdir(parents=True)
    for name in ("scores.csv", "index.html", "natural/reference.png"):
        os.symlink(folders / "victim" / "file", folders / "demo" / name)
    assert run(capsys, "demo", "--output", "demo", "--overwrite")[0] == 0
    assert (folders / "victim" / "file").read_text() == "precious"
    assert not os.path.islink(folders / "demo" / "scores.csv")
    for planted in (folders / "victim", folders / "ref" / "x.png"):
        with contextlib.suppress(OSError):
            os.rename("demo/portrait", "portrait")
        os.symlink(planted, "demo/portrait")
        code, _, err = run(capsys, "demo", "--output", "demo", "--overwrite")
        assert code == 2
        assert "demo/portrait" in err
        assert err.count("\n") == 1
        assert os.listdir(folders / "victim") == ["file"]
        os.remove("demo/portrait")
    os.symlink("demo", "my-demo")  # the folder that the user names may be a link
    assert run(capsys, "demo", "--output", "my-demo", "--overwrite")[0] == 0
    assert os.path.islink("my-demo")


@pytest.mark.boundary
@pytest.mark.parametrize("link", [None, os.link, os.symlink])
def test_statistics_never_replace_their_own_input(folders, capsys, link):
    np.savez("x.npz", np.random.default_rng(0).standard_normal((20, 4)))
    output = "x.npz"
    if link:
        link("x.npz", "y.npz")
        output = "y.npz"
    before = (folders / "x.npz").read_bytes()
    code, _, err = run(capsys, "stats", "x.npz", "-o", output, "--overwrite")
    assert code == 2
    assert "is read by this very command" in err
    assert (folders / "x.npz").read_bytes() == before
    assert run(capsys, "stats", "x.npz", "-o", "z.npz")[0] == 0
    code, _, err = run(capsys, "stats", "x.npz", "-o", "z.npz")
    assert code == 2
    assert "z.npz exists: choose another name or give --overwrite" in err
    os.symlink("gone.npz", "dangling.npz")
    assert run(capsys, "stats", "x.npz", "-o", "dangling.npz")[0] == 0
    assert pixelgauge.FeatureStats.load("gone.npz").count == 20


@pytest.mark.property
def test_every_error_that_a_docstring_names_is_at_hand():
    """What may be raised is built in, or an attribute of the package."""
    import builtins
    import re

    named = set()
    for name in pixelgauge.__all__:
        text = getattr(pixelgauge, name).__doc__ or ""
        call = getattr(pixelgauge, name)
        parts = [
            text,
            *(
                getattr(getattr(call, part, None), "__doc__", "") or ""
                for part in dir(call)
                if part == "__call__" or not part.startswith("_")
            ),
        ]
        named |= set(re.findall(r"\b[A-Z]\w+Error\b", " ".join(parts)))
    assert {"FileError", "ImageFileError", "ModelMissingError", "ProviderError", "CheckpointError"} <= named
    for name in named:
        assert hasattr(builtins, name) or name in pixelgauge.__all__, name


@pytest.mark.property
def test_dir_shows_what_is_public():
    shown = dir(pixelgauge)
    assert {name for name in shown if not name.startswith("__")} == set(pixelgauge.__all__) - {"__version__"}
    code = "import pixelgauge; print(*[n for n in dir(pixelgauge) if not n.startswith('__')])"
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(fresh) == set(pixelgauge.__all__) - {"__version__"}


_EMPTY_PATHS = [
    ["compare", "", "t"],
    ["compare", "r", "t", "--output", ""],
    ["distance", "", "f.npy"],
    ["distance", "f.npy", "f.npy", "--weights", ""],
    ["stats", "f.npy", "-o", ""],
    ["auroc", ""],
    ["auroc", "t.csv", "--csv", ""],
    ["auroc", "t.csv", "--plot", ""],
    ["demo", "--output", ""],
    ["models", "add", "lpips-alex", ""],
    ["models", "export", "lpips-alex", ""],
]


@pytest.mark.boundary
@pytest.mark.parametrize("argv", _EMPTY_PATHS, ids=" ".join)
def test_an_empty_path_is_named_by_its_argument_at_once(argv, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main(argv)
    assert "is empty: name a file or folder" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


_LONG = "x" * 5000
_LONG_ARGUMENTS = [
    ["compare", "r", "r", "--output", f"{_LONG}.csv"],
    ["compare", "r", "r", "--metrics", _LONG],
    ["compare", "r", "r", "--alpha", _LONG],
    ["compare", _LONG, "r"],
    ["distance", _LONG, "f.npy"],
    ["distance", "f.npy", "f.npy", "--metrics", _LONG],
    ["distance", "f.npy", "f.npy", "--weights", _LONG],
    ["stats", "f.npy", "-o", f"{_LONG}.npz"],
    ["auroc", f"{_LONG}.csv"],
    ["demo", "--output", _LONG],
    ["models", "add", "inception-fid", _LONG],
]


@pytest.mark.boundary
@pytest.mark.parametrize("argv", _LONG_ARGUMENTS, ids=lambda argv: " ".join(argv).replace(_LONG, "long"))
def test_a_message_is_cut_whatever_the_command_was_given(argv, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r").mkdir()
    Image.fromarray(picture()).save("r/0.png")
    np.save("f.npy", np.random.default_rng(0).standard_normal((8, 3)))
    assert main(argv) in (1, 2)
    err = capsys.readouterr().err
    assert ": error: " in err
    assert len(err) <= 2000


@pytest.mark.boundary
def test_an_option_of_any_length_is_cut_by_the_parser_too(capsys):
    for argv in (["compare", "r", "r", f"--{_LONG}"], ["compare", "r", "r", "--data-range", _LONG], [_LONG]):
        with pytest.raises(SystemExit, match="2"):
            main(argv)
        assert max(map(len, capsys.readouterr().err.splitlines())) < 2100


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("distance", ["--weights", "w.pth"], "--weights 'w.pth' would not be used"),
        ("distance", ["--preset", "clean-fid"], "--preset 'clean-fid' would not be used"),
        ("distance", ["--providers", "nope"], "--providers 'nope' would not be used"),
        ("distance", ["--limit", "9"], "--limit 9 exceeds the 8 samples"),
        ("stats", ["--weights", "w.pth"], "--weights 'w.pth' would not be used"),
        ("stats", ["--providers", "cpu"], "--providers 'cpu' would not be used"),
        ("stats", ["--limit", "9"], "--limit 9 exceeds the 8 samples"),
    ],
)
def test_messages_name_options_and_no_arguments_of_python(command, options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("f.npy", np.random.default_rng(0).standard_normal((8, 3)))
    assert main([command, "f.npy", *(["-o", "s.npz"] if command == "stats" else ["f.npy"]), *options]) == 2
    assert f"error: {message}" in capsys.readouterr().err


@pytest.mark.boundary
def test_a_file_that_is_named_like_an_argument_keeps_its_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("limit=5", "preset: x"):
        with zipfile.ZipFile(name, "w") as archive:
            archive.writestr("a.txt", "nothing")
        assert main(["distance", name, name]) == 2
        assert f"error: {name}" in capsys.readouterr().err


@pytest.mark.boundary
def test_the_message_of_a_row_is_cut_however_long_the_paths_are(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    deep = "/".join(["d" * 200] * 5)
    for side, extensions in (("r", ("bmp", "tif")), ("t", ("png", "jpg"))):
        os.makedirs(f"{side}/{deep}")
        for extension in extensions:
            Image.fromarray(picture()).save(f"{side}/{deep}/one.{extension}")
    assert main(["compare", "r", "t", "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["status"] for row in rows} == {"ambiguous"}
    assert max(len(row["message"]) for row in rows) == 2000


@pytest.mark.boundary
def test_a_cache_that_is_no_folder_is_named_as_that(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cache").write_bytes(b"")
    (tmp_path / "cache").chmod(0o666)
    monkeypatch.setenv("PIXELGAUGE_CACHE", "cache")
    monkeypatch.setenv("PIXELGAUGE_OFFLINE", "1")
    (tmp_path / "w.pth").write_bytes(b"")
    for argv in (["pull", "lpips-alex"], ["add", "inception-fid", "w.pth"], ["path", "lpips-alex"]):
        main(["models", *argv])
        err = capsys.readouterr().err
        assert "is no folder" in err or "PIXELGAUGE_OFFLINE" in err
        assert "chmod" not in err


@pytest.mark.boundary
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_the_demo_finds_a_name_that_is_taken_before_its_work(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo("pipe")
    os.symlink("loop", "loop")
    monkeypatch.setattr("pixelgauge.cli.demo._scored", None)  # is not called
    for name in ("file", "pipe", "loop"):
        for options in ([], ["--overwrite"]):
            assert main(["demo", "--output", name, *options]) == 2
            assert f"--output {name}: is no folder" in capsys.readouterr().err


@pytest.mark.boundary
def test_the_demo_finds_a_folder_that_cannot_be_made_before_its_work(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr("pixelgauge.cli.demo._scored", None)
    assert main(["demo", "--output", "file/new/folder"]) == 2
    assert "--output file/new/folder: cannot be written: Not a directory" in capsys.readouterr().err
    assert os.listdir() == ["file"]


@pytest.mark.boundary
def test_statistics_that_appear_during_the_work_are_not_replaced(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("f.npy", np.random.default_rng(0).standard_normal((8, 3)))
    whole = pixelgauge.FeatureStats.update

    def slow_update(self, *args, **kwargs):
        (tmp_path / "s.npz").write_bytes(b"precious")
        return whole(self, *args, **kwargs)

    monkeypatch.setattr(pixelgauge.FeatureStats, "update", slow_update)
    assert main(["stats", "f.npy", "-o", "s.npz"]) == 2
    assert "s.npz" in capsys.readouterr().err
    assert (tmp_path / "s.npz").read_bytes() == b"precious"
    assert main(["stats", "f.npy", "-o", "s.npz", "--overwrite"]) == 0
    assert sorted(os.listdir()) == ["f.npy", "s.npz"]


@pytest.mark.boundary
@pytest.mark.parametrize("how", ["deleted", "folder", "replaced"])
def test_rows_whose_file_was_taken_away_are_not_called_written(how, folders, monkeypatch, capsys):
    out = folders / "out"
    out.mkdir()
    score = pixelgauge.engine.pipeline.score_pair

    def taking(*args):
        (out / "rows.csv").unlink(missing_ok=True)
        if how == "folder" and out.exists():
            out.rmdir()
        elif how == "replaced":
            (out / "rows.csv").write_text("another")
        return score(*args)

    monkeypatch.setattr("pixelgauge.engine.pipeline.score_pair", taking)
    assert main(["compare", "ref", "test", "--output", "out/rows.csv", "--workers", "1"]) == 2
    assert "was deleted or replaced while it was written: 'out/rows.csv'" in capsys.readouterr().err


@pytest.mark.boundary
def test_a_demo_that_appears_during_the_work_is_not_replaced(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    contents = cli_demo._contents

    def slow(*args):
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / "scores.csv").write_text("precious")
        return contents(*args)

    monkeypatch.setattr(cli_demo, "_contents", slow)
    monkeypatch.setattr(cli_demo, "CONTENTS", {"shapes": cli_demo.CONTENTS["shapes"]})
    assert main(["demo", "--output", "d"]) == 2
    assert "d is not empty" in capsys.readouterr().err
    assert (tmp_path / "d" / "scores.csv").read_text() == "precious"


def sparse(path, head=b""):
    """Write a file that claims a tebibyte and takes none."""
    with open(path, "wb") as file:
        file.write(head)
        try:
            file.truncate(1 << 40)
        except OSError as error:
            pytest.skip(f"no file of that size: {error}")


@pytest.mark.boundary
def test_an_image_of_a_tebibyte_is_a_row_and_the_rest_is_scored(folders, capsys):
    sparse(folders / "ref" / "a" / "x.png", b"\x89PNG\r\n\x1a\n")
    code, out, err = run(capsys, "compare", "ref", "test", "--json")
    assert (code, err) == (1, "")
    assert [row["status"] for row in json.loads(out)["rows"]] == ["unreadable", "ok", "ok"]
    assert "REF: has 1099511627776 bytes, more than the 4294967296" in out


@pytest.mark.boundary
@pytest.mark.parametrize("head", [b"", b"label,score\n1,2\n", b'label,score,x\n1,2,"a'], ids=["header", "row", "quote"])
@pytest.mark.parametrize("extension", ["csv", "tsv", "jsonl"])
def test_a_table_that_goes_on_without_text_is_refused_at_its_first_nul(head, extension, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if extension != "csv" and head:
        head = {"tsv": head.replace(b",", b"\t"), "jsonl": b'{"label": 1, "score": 2}\n'}[extension]
    sparse(f"t.{extension}", head)
    code, _, err = run(capsys, "auroc", f"t.{extension}")
    assert code == 2
    assert err.startswith(f"pixelgauge auroc: error: t.{extension}: ")


@pytest.mark.boundary
@pytest.mark.parametrize("name", ["x.pth", "x.npz", "x.safetensors"])
def test_a_checkpoint_beyond_the_memory_is_named(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(b"PK\3\4")

    class Large(io.BytesIO):
        def read(self, size=-1):
            raise MemoryError

    monkeypatch.setattr(reading, "open_regular", lambda *args: Large(bytes(100)))
    assert main(["models", "add", "inception-fid", name]) == 1
    assert f"{name}: has 100 bytes, more than there is memory for" in capsys.readouterr().err


@pytest.mark.boundary
def test_memory_that_ends_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def out_of_memory(*args):
        raise MemoryError

    monkeypatch.setattr("pixelgauge.cli.auroc.read_table", out_of_memory)
    assert main(["auroc", "t.csv"]) == 2
    assert capsys.readouterr().err.startswith("pixelgauge auroc: error: there is not enough memory")
