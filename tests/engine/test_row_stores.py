"""Parquet and SQLite as files of rows: typed as other programs expect, whole after a kill, and refused where they are foreign."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pyarrow
import pyarrow.parquet as parquet
import pytest

from pixelgauge.engine.row_columns import row_columns
from pixelgauge.engine.row_files import RowFile
from pixelgauge.engine.rows import FileState, ScoreRow
from pixelgauge.files.reading import FileError
from tests.engine.runs import comparing, typed_records
from tests.places import ROOT

STATES = (FileState(10, 2**62), FileState(20, -5))
ROWS = [
    ScoreRow("r/a.png", "t/a.png", "ok", "", {"psnr": math.inf, "ssim": 1.0}),
    ScoreRow("r/b.png", "t/b.png", "ok", "", {"psnr": -math.inf, "ssim": 0.1 + 0.2}),
    ScoreRow("r/c.png", None, "missing", "no partner\0\n\ud800", {}, STATES),
    ScoreRow("r/d.png", "t/d.png", "unscorable", "ssim: too small", {"psnr": 5e-324}, STATES),
]
PAIRS = {(row.ref, row.test) for row in ROWS}
both = pytest.mark.parametrize("name", ["rows.parquet", "rows.sqlite"])


def kept(path, rows=ROWS, *, finish=True, **how):
    with closing(RowFile(path, comparing(), **how)) as file:
        for row in rows:
            file.append(row)
        if finish:
            file.finish()
    return path


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


@both
def test_columns_have_types(tmp_path, name):
    path = kept(tmp_path / name, roots=("r", "t"))
    first, second, third, fourth = typed_records(path)
    assert list(first) == row_columns(["psnr", "ssim"])
    assert (first["psnr"], second["psnr"], second["ssim"]) == (math.inf, -math.inf, 0.1 + 0.2)
    assert (third["test"], third["psnr"], third["message"]) == (None, None, "no partner\0\n\\ud800")
    assert (fourth["psnr"], fourth["ssim"], fourth["ref_name"]) == (5e-324, None, "d.png")
    assert (fourth["ref_bytes"], fourth["ref_mtime_ns"], fourth["test_mtime_ns"]) == (10, 2**62, -5)
    assert {row["schema_version"] for row in typed_records(path)} == {2}
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("odd", [False, True])
def test_parquet_has_text_unless_a_path_is_none(tmp_path, odd):
    rows = [*ROWS[:1], ScoreRow("r/\udcff.png" if odd else "r/é.png", "t", "ok", "", {"psnr": 1.0, "ssim": 1.0})]
    schema = parquet.read_schema(kept(tmp_path / "rows.parquet", rows))
    assert schema.field("ref").type == (pyarrow.binary() if odd else pyarrow.string())
    assert schema.field("settings").type == pyarrow.string()
    assert schema.field("psnr").type == pyarrow.float64()
    with closing(RowFile(tmp_path / "rows.parquet", comparing(), resume={(row.ref, row.test) for row in rows})) as file:
        assert file.rows == rows


def test_parquet_is_written_in_groups_of_bounded_size(tmp_path):
    rows = [ScoreRow(f"r/{i}", f"t/{i}", "ok", "", {"psnr": float(i), "ssim": 0.5}) for i in range(40_000)]
    found = parquet.ParquetFile(kept(tmp_path / "rows.parquet", rows))
    assert [found.metadata.row_group(i).num_rows for i in range(found.num_row_groups)] == [16384, 16384, 7232]
    assert found.read().column("psnr").to_pylist() == [row.values["psnr"] for row in rows]


def test_parquet_that_is_not_finished_is_lines(tmp_path):
    path = kept(tmp_path / "rows.parquet", finish=False)
    assert names(tmp_path) == ["rows.parquet.jsonl"]
    with pytest.raises(FileExistsError):
        RowFile(path, comparing())
    shutil.copy(tmp_path / "rows.parquet.jsonl", tmp_path / "before")
    with closing(RowFile(path, comparing(), resume=PAIRS)) as file:
        assert file.rows == ROWS[:2]
        assert file.held_in == str(tmp_path / "rows.parquet.jsonl")
        file.finish()
    assert [row["ref"] for row in typed_records(path)] == ["r/a.png", "r/b.png"]
    os.rename(tmp_path / "before", tmp_path / "rows.parquet.jsonl")  # as after a kill before it was deleted
    with closing(RowFile(path, comparing(), resume=PAIRS)) as file:
        assert file.rows == ROWS[:2]
        file.finish()
    assert names(tmp_path) == ["rows.parquet"]


def test_a_new_run_forgets_the_old_parquet_at_once(tmp_path):
    path = kept(tmp_path / "rows.parquet")
    kept(path, ROWS[:1], finish=False, overwrite=True)
    with closing(RowFile(path, comparing(), resume=PAIRS)) as file:
        assert file.rows == ROWS[:1]
    with closing(RowFile(kept(tmp_path / "rows.parquet", [], finish=False, overwrite=True), comparing())) as file:
        assert file.rows == []
    assert names(tmp_path) == []


@pytest.mark.boundary
@both
@pytest.mark.parametrize("content", [b"precious", b"PAR1PAR1", b"SQLite format 3\0" + bytes(84), b"\xff" * 70_000])
def test_what_is_foreign_is_refused_and_left(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileError, match="is not a file of pixelgauge compare with metrics psnr,ssim"):
        RowFile(path, comparing(), resume=PAIRS)
    with pytest.raises(FileExistsError):
        RowFile(path, comparing())
    assert path.read_bytes() == content
    assert names(tmp_path) == [name]
    kept(path, ROWS, overwrite=True)
    assert len(typed_records(path)) == 4
    with closing(RowFile(path, comparing(), resume=PAIRS)) as file:
        assert file.rows == ROWS[:2]
    with pytest.raises(FileError, match="is not a file of pixelgauge compare with metrics mse"):
        RowFile(path, comparing(("mse",)), resume=PAIRS)
    with pytest.raises(FileError, match=r"was made with 'pixelgauge .* crop=0', this run is"):
        RowFile(path, comparing(crop_border=1), resume=PAIRS)


@pytest.mark.boundary
@both
def test_damage_is_an_error_of_the_file(tmp_path, name, rng):
    """Whatever byte is changed: the rows are those that were written, or one error names the file."""
    path = kept(
        tmp_path / name, [ScoreRow(f"r/{i}", f"t/{i}", "ok", "", {"psnr": i / 7, "ssim": 0.5}) for i in range(50)]
    )
    whole, pairs = path.read_bytes(), {(f"r/{i}", f"t/{i}") for i in range(50)}
    for at in rng.integers(0, len(whole), 150):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with contextlib.suppress(FileError, OSError), closing(RowFile(path, comparing(), resume=pairs)):
            pass
        for entry in tmp_path.iterdir():
            entry.unlink()
    for size in (0, 4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with contextlib.suppress(FileError, OSError), closing(RowFile(path, comparing(), resume=pairs)) as file:
            assert size == 0 or len(file.rows) <= 50
        for entry in tmp_path.iterdir():
            entry.unlink()


@pytest.mark.boundary
@pytest.mark.parametrize(
    "statement", ["CREATE VIEW rows AS SELECT 1", "CREATE TABLE others (x)", "CREATE TABLE rows (x)"]
)
def test_other_databases_are_refused(tmp_path, statement):
    with closing(sqlite3.connect(tmp_path / "rows.sqlite")) as database:
        database.execute(statement)
        database.commit()
    with pytest.raises(FileError, match="is not a file of pixelgauge compare"):
        RowFile(tmp_path / "rows.sqlite", comparing(), resume=PAIRS)


@pytest.mark.boundary
def test_a_cell_that_is_no_score_is_named(tmp_path):
    path = kept(tmp_path / "rows.sqlite")
    for value, message in (
        ("'x'", "row 2 has, as ssim, 'x', which is no score"),
        ("NULL", "row 2 is ok and has no value of ssim"),
        ("NULL, message = NULL", "row 2 has a message that is no text"),
        ("NULL, status = 4", "row 2 has the status '4', which no row has"),
    ):
        with closing(sqlite3.connect(path)) as database:
            database.execute(f"UPDATE rows SET ssim = {value} WHERE ref = 'r/b.png'")
            database.commit()
        with pytest.raises(FileError) as caught:
            RowFile(path, comparing(), resume=PAIRS)
        assert message in str(caught.value)


def test_others_read_the_database_meanwhile(tmp_path):
    path = tmp_path / "rows.sqlite"
    with closing(RowFile(path, comparing())) as file, closing(sqlite3.connect(path)) as reader:
        for i, row in enumerate(ROWS):
            file.append(row)
            assert reader.execute("SELECT count(*) FROM rows").fetchone() == (i + 1,)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM rows").fetchone()
        file.append(ROWS[0])  # whom a reader does not hold up
    assert len(typed_records(path)) == 5


@pytest.mark.boundary
def test_a_database_that_another_program_writes_is_an_error(tmp_path, monkeypatch):
    from pixelgauge.engine import row_database

    monkeypatch.setattr(row_database, "_WAIT_SECONDS", 0.1)
    with closing(RowFile(tmp_path / "rows.sqlite", comparing())) as file, closing(sqlite3.connect(file.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BlockingIOError, match=r"database is locked: '.*rows\.sqlite'"):
            file.append(ROWS[0])
        other.rollback()
        file.append(ROWS[0])


@pytest.mark.boundary
def test_a_database_that_another_program_writes_is_not_emptied(tmp_path, monkeypatch):
    from pixelgauge.engine import row_database

    monkeypatch.setattr(row_database, "_WAIT_SECONDS", 0.1)
    path = kept(tmp_path / "rows.sqlite")
    before = path.read_bytes()
    for begin in ("BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"):
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute(begin)
            with pytest.raises(BlockingIOError, match="database is locked"):
                RowFile(path, comparing(), overwrite=True)
            assert path.read_bytes() == before
    assert len(typed_records(kept(path, ROWS[:1], overwrite=True))) == 1


KILLED = """
import os, sys
from pixelgauge.engine.row_files import RowFile
from tests.engine.runs import comparing
from tests.engine.test_row_stores import ROWS
file = RowFile(sys.argv[1], comparing())
for row in ROWS:
    file.append(row)
os.kill(os.getpid(), 9)
"""


def test_the_log_of_a_killed_run_is_taken_in(tmp_path):
    path = tmp_path / "rows.sqlite"

    def killed(*extra):
        command = [sys.executable, "-c", KILLED, str(path)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == -9, done.stderr
        assert f"{path.name}-wal" in names(tmp_path)

    killed()
    with closing(RowFile(path, comparing(), resume=PAIRS)) as file:
        assert file.rows == ROWS[:2]
    assert names(tmp_path) == ["rows.sqlite"]
    path.unlink()
    killed()
    assert len(typed_records(kept(path, ROWS[:1], overwrite=True))) == 1  # no old log is taken for one of the new file
    path.unlink()
    killed()
    path.unlink()  # by hand, the log left
    assert len(typed_records(kept(path, ROWS[:1]))) == 1


@pytest.mark.boundary
@pytest.mark.parametrize("name", ["rows.parquet", "rows.parquet.jsonl"])
def test_no_input_is_replaced_by_either_file_of_parquet(tmp_path, name):
    (tmp_path / name).write_text("an image")
    with pytest.raises(FileExistsError, match="read by this very command"):
        RowFile(tmp_path / "rows.parquet", comparing(), overwrite=True, inputs=[str(tmp_path / name)])
    assert (tmp_path / name).read_text() == "an image"


@pytest.mark.boundary
def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match=r"pip install 'pixelgauge\[arrow\]'"):
        RowFile(tmp_path / "rows.parquet", comparing())
    assert names(tmp_path) == []
