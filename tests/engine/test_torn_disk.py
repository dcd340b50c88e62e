"""A kill at every step of every writer, and a disk that is full: what is there afterwards is old or new, and whole, and the
next run succeeds."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelgauge import FeatureStats, FileError
from pixelgauge.cli import main
from pixelgauge.engine.row_files import RowFile
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.files.writing import PREFIX
from tests.engine.runs import comparing, typed_records
from tests.rights import without_roots_rights

pytestmark = pytest.mark.boundary

STEPS = (
    "write", "replace", "rename", "link", "unlink", "remove", "fsync", "chmod", "mkdir", "rmdir", "open", "close",
    "ftruncate", "truncate", "symlink",
)  # fmt: skip

IMPORTS = """
from pixelgauge import FeatureStats
from pixelgauge.cli import demo
from pixelgauge.engine.row_files import RowFile
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.engine.comparison import CompareOptions, prepare
from pixelgauge.engine.extraction import extraction_of
from pixelgauge.engine.feature_runs import keep, output_at
from pixelgauge.engine.feature_sources import FeatureSource
import numpy as np
"""

SERVER = f"""
import os, signal, sys, traceback
{IMPORTS}
names = {STEPS!r}
count = 0

def stepping(name, call):
    def step(*args, **options):
        global count
        if name == "open" and not args[1] & (os.O_CREAT | os.O_TRUNC):
            return call(*args, **options)
        count += 1
        if count == after:
            if name == "write" and half == "half":
                call(args[0], bytes(args[1])[: len(args[1]) // 2])
            elif half == "after":
                call(*args, **options)
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **options)
    return step

work = compile(sys.argv[1], "work", "exec")
for line in sys.stdin:
    after, half = int(line.split()[0]), line.split()[1]
    child = os.fork()
    if child == 0:
        try:
            for name in names:
                setattr(os, name, stepping(name, getattr(os, name)))
            exec(work)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def every_kill(work: str, folder: Path, prepare: Callable[..., Any], check: Callable[..., Any], most: int = 200) -> int:
    """Kill some work before, in the middle of and after each of its steps; how many kills that were."""
    kills = 0
    argv = [sys.executable, "-W", "ignore", "-c", SERVER, work]  # imports once, and forks for each kill
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(argv, cwd=folder, text=True, **pipes) as server:
        for half in ("before", "half", "after"):
            for after in range(1, most):
                prepare()
                server.stdin.write(f"{after} {half}\n")
                server.stdin.flush()
                code = int(server.stdout.readline())
                if code == 0:
                    break
                assert code == -9
                kills += 1
                check()
            else:
                pytest.fail("the work has no end")
        server.stdin.close()
    return kills


def left_behind(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir() if entry.name.startswith(PREFIX)]


def clean(folder: Path) -> None:
    for entry in folder.iterdir():
        entry.unlink()


ROWS = [ScoreRow(f"r/{i}.png", f"t/{i}.png", "ok", "", {"psnr": 20 + i / 7, "ssim": i / 9}) for i in range(3)]
PAIRS = {(row.ref, row.test) for row in ROWS}
FAILED = ScoreRow("r/1.png", "t/1.png", "mismatch", "size differs")

WORK_WITH_ROWS = """
rows = [ScoreRow(f"r/{i}.png", f"t/{i}.png", "ok", "", {"psnr": 20 + i / 7, "ssim": i / 9}) for i in range(3)]
file = RowFile(NAME, prepare(CompareOptions()), **HOW)
for row in rows:
    if row not in file.rows:
        file.append(row)
file.finish()
file.close()
"""


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet", "rows.sqlite"])
@pytest.mark.parametrize("how", ["new", "append", "resume", "overwrite"])
def test_rows_survive_a_kill_at_every_step(tmp_path: Path, name: str, how: str) -> None:
    path = tmp_path / name
    resume = f"{{'resume': {PAIRS!r}}}"
    options = {"new": "{}", "append": resume, "resume": resume, "overwrite": "{'overwrite': True}"}[how]
    before = {"new": [], "append": ROWS[:1], "resume": [ROWS[0], FAILED], "overwrite": [ROWS[2], FAILED]}[how]

    def prepare():
        clean(tmp_path)
        if before:
            with closing(RowFile(path, comparing())) as file:
                for row in before:
                    file.append(row)
                file.finish()

    def check():
        assert len(left_behind(tmp_path)) <= 1
        with closing(RowFile(path, comparing(), resume=PAIRS)) as file:
            found = list(file.rows)
            if how != "overwrite":  # what was there is there
                assert found[: len(before) - (FAILED in before)] == [row for row in before if row is not FAILED]
            assert all(row in ROWS for row in found)
            assert len({row.ref for row in found}) == len(found)
            for row in ROWS:
                if row not in found:
                    file.append(row)
            file.finish()
        assert [entry.name for entry in tmp_path.iterdir() if not entry.name.startswith(PREFIX)] == [name]
        with closing(RowFile(path, comparing(), resume=PAIRS)) as file:
            assert sorted(row.ref for row in file.rows) == [row.ref for row in ROWS]
            file.finish()

    kills = every_kill(WORK_WITH_ROWS.replace("NAME", repr(name)).replace("HOW", options), tmp_path, prepare, check)
    # SQLite writes by itself, past the steps of Python: `test_rows_survive_a_kill_at_any_time` is of it
    assert kills >= (1 if name.endswith("sqlite") else 3 * (2 if how == "append" else 4))


def test_statistics_survive_a_kill_at_every_step(tmp_path: Path) -> None:
    old, new = (FeatureStats(3).update(np.random.default_rng(seed).random((9, 3))) for seed in (0, 1))
    work = """
stats = FeatureStats(3).update(np.random.default_rng(1).random((9, 3)))
stats.save("stats.npz")
"""
    for exists in (False, True):

        def prepare(exists=exists):
            clean(tmp_path)
            if exists:
                old.save(tmp_path / "stats.npz")

        def check(exists=exists):
            if exists or (tmp_path / "stats.npz").exists():
                assert FeatureStats.load(tmp_path / "stats.npz") in (old, new)
            new.save(tmp_path / "stats.npz")
            assert FeatureStats.load(tmp_path / "stats.npz") == new

        assert every_kill(work, tmp_path, prepare, check) >= 9


WORK_WITH_FEATURES = """
class Means:
    widths = {"mean": 3}
    fingerprint = {"preset": "means"}

    def batches(self, images):
        for i in range(0, len(images), 2):
            yield np.float32([image.mean(axis=(0, 1)) for image in images[i : i + 2]])

    def batches_of_files(self, files, names):
        raise NotImplementedError

def run(name, **how):
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), np.uint8)
    output = output_at(name, shard_size=None if "." in name else 3, **how)
    return keep(FeatureSource(images, "images"), extraction_of(Means()), output)
"""


@pytest.mark.parametrize("name", ["f.npz", "f.npy", "parts"])
@pytest.mark.parametrize("how", ["new", "overwrite"])
def test_features_survive_a_kill_at_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, how: str
) -> None:
    work: dict[str, Any] = {}
    exec(f"{IMPORTS}\n{WORK_WITH_FEATURES}", work)
    run = work["run"]
    place, whole = tmp_path / "work", tmp_path / "whole"
    monkeypatch.chdir(tmp_path)
    whole.mkdir()
    run(f"whole/{name}")
    right = content(whole)

    def prepare():
        subprocess.run(["rm", "-rf", place], check=True)
        shutil.copytree(whole, place) if how == "overwrite" else place.mkdir()

    def check():
        if (place / "f.npy").exists():  # whole, and may be refused: it does not say of which images it is
            with contextlib.suppress(FileError):
                run(f"work/{name}", resume=True)
            assert content(place)["f.npy"] == right["f.npy"]
            return
        assert run(f"work/{name}", resume=True).count == 5
        assert content(place) == right

    options = "" if how == "new" else ", overwrite=True"
    work_of_run = f"{WORK_WITH_FEATURES}\nrun('work/{name}'{options})"
    assert every_kill(work_of_run, tmp_path, prepare, check) >= 20


def content(folder: Path) -> dict[str, bytes]:
    """Files of a folder and those below it, but what a kill may leave for a day."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if PREFIX not in name}


WORK_WITH_DEMO = """
demo._write("demo", {"a/reference.png": b"1" * 9, "a/blur.png": b"2" * 9, "scores.csv": b"3" * 9, "index.html": b"4" * 9})
"""
FILES = {"a/reference.png": b"1" * 9, "a/blur.png": b"2" * 9, "scores.csv": b"3" * 9, "index.html": b"4" * 9}


def test_a_new_demo_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    from pixelgauge.cli import demo

    folder = tmp_path / "demo"

    def prepare():
        subprocess.run(["rm", "-rf", folder], check=True)

    def check():
        if folder.exists():
            assert {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == FILES
        else:
            demo._require_empty(str(folder))
            demo._write(str(folder), FILES)

    assert every_kill(WORK_WITH_DEMO, tmp_path, prepare, check) >= 6


def test_an_old_demo_has_whole_files_after_a_kill(tmp_path: Path) -> None:
    from pixelgauge.cli import demo

    folder = tmp_path / "demo"
    old = dict.fromkeys(FILES, b"old")

    def prepare():
        subprocess.run(["rm", "-rf", folder], check=True)
        demo._write(str(folder), {**old, "notes": b"mine"})

    def check():
        found = {
            str(p.relative_to(folder)): p.read_bytes()
            for p in folder.rglob("*")
            if p.is_file() and not p.name.startswith(PREFIX)
        }
        assert found.pop("notes") == b"mine"
        assert all(data in (b"old", FILES[name]) for name, data in found.items())
        assert found.keys() == FILES.keys()
        demo._write(str(folder), FILES)
        assert (folder / "index.html").read_bytes() == FILES["index.html"]

    assert every_kill(WORK_WITH_DEMO, tmp_path, prepare, check) >= 12


# ---- a full disk --------------------------------------------------------------------------------------------------

LIMITED = """
import resource, signal, sys
from pixelgauge.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(main(sys.argv[2:]))
"""


def on_a_disk_of(size: int, folder: Path, *argv: str) -> Any:
    command = [sys.executable, "-c", LIMITED, str(size), *argv]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for side in ("ref", "test"):
        (tmp_path / side).mkdir()
        for i in range(3):
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(tmp_path / side / f"{i}.png")
    np.save(tmp_path / "features.npy", rng.standard_normal((40, 30)))
    return tmp_path


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet", "rows.sqlite"])
@pytest.mark.parametrize("size", [0, 10, 300, 700, 3000, 9000])
def test_rows_on_a_full_disk_are_one_line_of_error_and_resume(folders: Path, name: str, size: int) -> None:
    argv = ["compare", "ref", "test", "--output", name]
    done = on_a_disk_of(size, folders, *argv)
    fits = size >= {"parquet": 9000, "sqlite": 10**5}.get(name.rpartition(".")[2], 3000)
    assert done.returncode == (0 if fits else 2)
    if not fits:
        assert done.stderr.startswith("pixelgauge compare: error: ")
        said = "disk I/O error" if name.endswith("sqlite") else "File too large"
        # the option is named where the file is the one that it names, and not a file beside it
        remedy = ": name a file on a disk that takes one as large" if said == "File too large" else ""
        named = rf"--output: {said}: '{name}'{remedy}"
        assert re.search(rf"({named}|\[Errno \d+\] {said}: '{name}(.jsonl)?')\n$", done.stderr)
        assert done.stderr.count("\n") == 1
        done = on_a_disk_of(10**6, folders, *argv, "--resume")
        assert (done.returncode, done.stderr) == (0, "")
    assert [row["status"] for row in rows_of(folders / name)] == ["ok"] * 3
    assert {entry.name for entry in folders.iterdir()} == {"ref", "test", "features.npy", name}


def rows_of(path: Path) -> list[Any]:
    if path.suffix in (".parquet", ".sqlite"):
        return typed_records(path)
    with open(path, newline="") as file:
        return list(csv.DictReader(file)) if path.suffix == ".csv" else list(map(json.loads, file))


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
@pytest.mark.parametrize("options", [["--resume"], ["--overwrite"]])
def test_a_file_that_the_disk_has_no_room_to_rewrite_stays(folders: Path, name: str, options: list[str]) -> None:
    (folders / "test" / "1.png").unlink()
    assert on_a_disk_of(10**6, folders, "compare", "ref", "test", "--output", name).returncode == 1
    before = (folders / name).read_bytes()
    done = on_a_disk_of(60, folders, "compare", "ref", "test", "--output", name, *options)
    if name.endswith("csv") or options == ["--resume"]:
        assert (folders / name).read_bytes() == before
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"File too large: '{name}'" in done.stderr
    assert left_behind(folders) == []


def test_statistics_on_a_full_disk_leave_what_was_there(folders: Path) -> None:
    argv = ["stats", "features.npy", "-o", "stats.npz"]
    for size in (0, 5000):
        done = on_a_disk_of(size, folders, *argv)
        assert done.returncode == 2
        assert done.stderr == "pixelgauge stats: error: [Errno 27] File too large: 'stats.npz'\n"
        assert sorted(os.listdir(folders)) == ["features.npy", "ref", "test"]
    assert on_a_disk_of(10**6, folders, *argv).returncode == 0
    before = (folders / "stats.npz").read_bytes()
    assert on_a_disk_of(5000, folders, *argv, "--overwrite").returncode == 2
    assert (folders / "stats.npz").read_bytes() == before


def test_a_demo_on_a_full_disk_leaves_nothing(folders: Path) -> None:
    done = on_a_disk_of(3000, folders, "demo", "--output", "demo")
    assert done.returncode == 2
    said = "the results are whole, but not all files could be written: --output demo: "
    assert done.stderr.startswith(f"pixelgauge demo: error: {said}")
    assert done.stderr.count("\n") == 1
    assert sorted(os.listdir(folders)) == ["features.npy", "ref", "test"]


def test_a_folder_that_may_not_be_written_is_named(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders.chmod(0o555)
    monkeypatch.chdir(folders)
    with without_roots_rights():
        for argv in (["compare", "ref", "test", "--output", "rows.csv"], ["stats", "features.npy", "-o", "stats.npz"]):
            assert main(argv) == 2
            assert f"Permission denied: '{argv[-1]}'" in capsys.readouterr().err
    folders.chmod(0o755)
