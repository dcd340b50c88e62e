"""Files of rows that go on: any name comes back, folders may move, what was replaced is made anew, what does not parse is
named by its line, and one run writes at a time."""

import csv
import errno
import io
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import pixelgauge
from pixelgauge.cli import main
from pixelgauge.engine.row_files import RowFile
from pixelgauge.engine.rows import FileState, ScoreRow
from pixelgauge.files.reading import FileError
from tests.engine.runs import comparing, typed_records
from tests.pictures import random_pixels

NAMES = ["rows.csv", "rows.jsonl"]
each_text = pytest.mark.parametrize("name", NAMES)
each_format = pytest.mark.parametrize("name", [*NAMES, "rows.parquet", "rows.sqlite"])


def picture(seed=0):
    return random_pixels((16, 17, 3), seed)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Four pairs in ref/ and test/ of the working folder."""
    monkeypatch.chdir(tmp_path)
    for side, first in (("ref", 0), ("test", 10)):
        (tmp_path / side / "sub").mkdir(parents=True)
        for i in range(4):
            Image.fromarray(picture(first + i)).save(tmp_path / side / f"{'sub/' * (i % 2)}{i}.png")
    return tmp_path


def compare(capsys, *argv):
    code = main(["compare", *argv])
    out, err = capsys.readouterr()
    return code, out, err


def records(path):
    if str(path).endswith((".parquet", ".sqlite")):
        return typed_records(path)
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        if str(path).endswith("jsonl"):
            return [json.loads(line) for line in file]
        return [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]


def content(path):
    with open(path, "rb") as file:
        return file.read()


def read_counter(monkeypatch):
    """Names of the images that are read from here on."""
    from pixelgauge.engine import items

    read, whole = [], items.read_picture

    def counted(path, **options):
        read.append(os.path.basename(path))
        return whole(path, **options)

    monkeypatch.setattr(items, "read_picture", counted)
    return read


# ---- names --------------------------------------------------------------------------------------------------------

file_names = st.binary(min_size=1, max_size=20).filter(lambda b: not set(b) & {0}).map(os.fsdecode) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=20
)
awkward = st.lists(st.sampled_from(["\r", "\n", "\r\n", '"', ",", "'", "=", "+", "-", "@", "\t", " ", "./", "é", "\udcff", "\u2028", "a"]),
                   min_size=1, max_size=6).map("".join)  # fmt: skip
scores = st.floats(allow_nan=False, allow_infinity=True)


@pytest.mark.property
@given(
    st.lists(st.tuples(file_names | awkward, file_names | awkward, scores, scores), unique_by=lambda row: row[:2]),
    st.text() | st.just("\ud800"),
    st.sampled_from(NAMES),
)
def test_any_name_comes_back(rows, message, name):
    settings = comparing()
    made = [ScoreRow(a, b, "ok", message, {"psnr": x, "ssim": y}) for a, b, x, y in rows]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, name)
        with closing(RowFile(path, settings)) as file:
            for row in made:
                file.append(row)
        before = content(path)
        with closing(RowFile(path, settings, resume={(row.ref, row.test) for row in made})) as file:
            assert [(row.ref, row.test, row.values) for row in file.rows] == [(r.ref, r.test, r.values) for r in made]
        assert content(path) == before
        if name.endswith("csv"):  # another reader finds the same cells
            text = before.decode("utf-8", "surrogateescape")
            for cells, row in zip(list(csv.reader(io.StringIO(text, newline="")))[1:], made, strict=True):
                assert [cell.removeprefix("./") for cell in cells[:2]] == [
                    p.removeprefix("./") for p in (row.ref, row.test)
                ]
                assert list(map(float, cells[4:6])) == list(row.values.values())


@pytest.mark.cli
@each_format
def test_line_ends_and_quotes_in_file_names_resume(folders, capsys, name):
    for odd in (
        "a\rb.png",
        "a\nb.png",
        'a"b.png',
        "a,b.png",
        "\r\n.png",
        os.fsdecode(b"\xff.png"),
        "=1+1.png",
        "'.png",
    ):
        for side, seed in (("ref", 1), ("test", 2)):
            with open(os.fsencode(os.path.join(side, odd)), "wb") as file:
                Image.fromarray(picture(seed)).save(file, "PNG")
    assert compare(capsys, "ref", "test", "--output", name)[0] == 0
    before = content(name)
    code, out, _ = compare(capsys, "ref", "test", "--output", name, "--resume")
    assert code == 0
    assert "12 pairs: 12 scored" in out
    assert content(name) == before


@pytest.mark.boundary
@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_cell_of_text_is_a_formula(tmp_path, monkeypatch, start, capsys):
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate((f"{start}.png", f"{start}2.png")):
        Image.fromarray(picture(i)).save(name)
    first, second = f"./{start}.png", f"./{start}2.png"  # a dash would be an option
    assert main(["compare", first, second, "--output", "rows.csv"]) == 0
    with open("rows.csv", newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    for cell in row.values():
        assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r")
    assert (row["ref"], row["ref_name"]) == (first, f"./{start}.png")
    assert main(["compare", first, second, "--output", "rows.csv", "--resume"]) == 0
    assert main(["compare", str(tmp_path / first), str(tmp_path / second), "--output", "rows.csv", "--resume"]) == 0
    with closing(RowFile("other.csv", comparing())) as file:
        file.append(ScoreRow(f"{start}.png", "t.png", "unscorable", f"{start} is what a library says", {"psnr": -1.5}))
    with open("other.csv", newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["message"] == f" {start} is what a library says"
    assert row["psnr"] == "-1.5"  # a number stays one


# ---- what is kept, and what is made anew --------------------------------------------------------------------------


@pytest.mark.cli
@each_format
def test_moved_folders_are_gone_on_with(folders, capsys, name, monkeypatch):
    assert compare(capsys, "ref", "test", "--output", name)[0] == 0
    scored = records(name)
    (folders / "away").mkdir()
    for side in ("ref", "test"):
        shutil.move(side, f"away/{side}ed")
    read = read_counter(monkeypatch)
    argv = [str(folders / "away" / "refed"), str(folders / "away" / "tested"), "--output", name, "--resume"]
    code, out, _ = compare(capsys, *argv)
    assert (code, read) == (0, [])
    assert "4 pairs: 4 scored" in out
    again = records(name)
    assert [row["ref"] for row in again] == [str(folders / "away" / "refed" / row["ref_name"]) for row in scored]
    assert [row["psnr"] for row in again] == [row["psnr"] for row in scored]
    # by other ways to the same folders nothing is made either, nor after a copy that keeps the times
    monkeypatch.chdir(folders / "away")
    assert compare(capsys, "./refed/", "../away/tested", "--output", f"../{name}", "--resume")[0] == 0
    shutil.copytree("refed", "copy")
    assert compare(capsys, "copy", "tested", "--output", f"../{name}", "--resume")[0] == 0
    assert read == []


@pytest.mark.cli
@each_format
@pytest.mark.parametrize("move", [False, True])
def test_replaced_images_are_scored_anew(folders, capsys, name, move, monkeypatch):
    assert compare(capsys, "ref", "test", "--output", name)[0] == 0
    old = {row["ref_name"]: row["psnr"] for row in records(name)}
    if move:
        os.rename("ref", "moved")
    ref = "moved" if move else "ref"
    Image.fromarray(picture(99)).save(f"{ref}/sub/1.png")
    read = read_counter(monkeypatch)
    code, out, _ = compare(capsys, ref, "test", "--output", name, "--resume")
    assert (code, sorted(read)) == (0, ["1.png", "1.png"])
    assert "4 pairs: 4 scored" in out
    rows = {row["ref_name"]: row for row in records(name)}
    assert len(rows) == len(records(name)) == 4
    assert float(rows["sub/1.png"]["psnr"]) == pixelgauge.psnr(picture(99), picture(11))
    assert all(rows[key]["psnr"] == old[key] for key in old if key != "sub/1.png")
    found = os.stat(f"{ref}/sub/1.png")
    assert [int(rows["sub/1.png"][key]) for key in ("ref_bytes", "ref_mtime_ns")] == [found.st_size, found.st_mtime_ns]


@pytest.mark.boundary
@pytest.mark.parametrize("change", ["size", "time"])
def test_size_or_time_alone_tells_a_replacement(tmp_path, change):
    ref, test = (str(tmp_path / f"{side}.png") for side in ("r", "t"))
    for path in (ref, test):
        with open(path, "wb") as file:
            file.write(b"x" * 5)
    path, state = tmp_path / "rows.csv", os.stat(ref)
    row = ScoreRow(
        ref,
        test,
        "ok",
        "",
        {"psnr": 1.0, "ssim": 0.5},
        (FileState(5, state.st_mtime_ns), FileState(5, os.stat(test).st_mtime_ns)),
    )
    with closing(RowFile(path, comparing())) as file:
        file.append(row)
    with closing(RowFile(path, comparing(), resume={(ref, test)})) as file:
        assert [row.files for row in file.rows] == [row.files]
    if change == "size":
        with open(ref, "ab") as file:
            file.write(b"y")
        os.utime(ref, ns=(0, state.st_mtime_ns))
    else:
        os.utime(ref, ns=(0, state.st_mtime_ns + 1))
    with closing(RowFile(path, comparing(), resume={(ref, test)})) as file:
        assert file.rows == []
    os.remove(ref)
    with closing(RowFile(path, comparing(), resume={(ref, test)})) as file:
        assert file.rows == []


@pytest.mark.cli
@each_format
def test_other_images_under_the_same_names_are_refused(folders, capsys, name):
    """Without --overwrite no run's scores are lost because other folders happen to hold files of those names."""
    assert compare(capsys, "ref", "test", "--output", name)[0] == 0
    before = content(name)
    for argv in (["ref", "ref"], ["test", "ref"], [str(folders / "test"), "test"]):
        code, _, err = compare(capsys, *argv, "--output", name, "--resume")
        assert code == 2
        assert "which are no pair of this run" in err
    os.remove("ref/0.png")
    code, _, err = compare(capsys, "ref", "test", "--output", name, "--resume")
    assert code == 2
    assert f"{name}: has scores of ref/0.png and test/0.png, which are no pair of this run" in err
    assert content(name) == before


def without_states(path):
    """Turn a file into one of version 0.1.0, which had no names, sizes and times."""
    rows = records(path)
    old = [{key: row[key] for key in ("ref", "test", "status", "message", "psnr", "ssim", "settings")} for row in rows]
    with open(path, "w", encoding="utf-8", newline="") as file:
        if str(path).endswith("jsonl"):
            file.writelines(json.dumps(row) + "\n" for row in old)
        else:
            table = csv.DictWriter(file, list(old[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(old)


@pytest.mark.cli
@each_text
def test_files_without_sizes_and_times_are_gone_on_with_by_path(folders, capsys, name, monkeypatch):
    assert compare(capsys, "ref", "test", "--output", name)[0] == 0
    without_states(name)
    (folders / "test" / "extra.png").write_bytes((folders / "ref" / "0.png").read_bytes())
    (folders / "ref" / "extra.png").write_bytes((folders / "ref" / "0.png").read_bytes())
    read = read_counter(monkeypatch)
    assert compare(capsys, "ref", "test", "--output", name, "--resume")[0] == 0
    assert read == ["extra.png", "extra.png"]
    rows = records(name)
    assert [row["ref_name"] for row in rows] == ["0.png", "2.png", "sub/1.png", "sub/3.png", "extra.png"]
    assert [row["ref_bytes"] is None for row in rows] == [True] * 4 + [False]
    assert compare(capsys, str(folders / "ref"), "test", "--output", name, "--resume")[0] == 0  # the same place
    os.rename("ref", "moved")
    without_states(name)
    code, _, err = compare(capsys, "moved", "test", "--output", name, "--resume")
    assert code == 2
    assert "no pair of this run" in err


# ---- what does not parse ------------------------------------------------------------------------------------------

GOOD = ScoreRow("r/a.png", "t/a.png", "ok", "", {"psnr": 30.5, "ssim": 0.25})
PAIRS = {("r/a.png", "t/a.png"), ("r/b.png", "t/b.png")}


def written(path, *rows):
    with closing(RowFile(path, comparing(), overwrite=True)) as file:
        for row in rows:
            file.append(row)
        file.finish()
    return path


def refused(path):
    before = path.read_bytes()
    with pytest.raises(FileError) as caught:
        RowFile(path, comparing(), resume=PAIRS)
    assert path.read_bytes() == before
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) <= 2000
    return str(caught.value)


@pytest.mark.boundary
@each_text
@pytest.mark.parametrize("value", [
    "1_0", "nan", "NaN", "-nan", "Infinity", "infinity", "+inf", "INF", "1e999", " 30.5", "30,5", "0x1p3", "٣", "true", "--1", "1e", "9" * 500,
])  # fmt: skip
def test_what_is_no_score_is_named_by_its_line(tmp_path, name, value):
    path = written(tmp_path / name, GOOD, ScoreRow("r/b.png", "t/b.png", "ok", "", {"psnr": 30.5, "ssim": 0.75}))
    text = path.read_text()
    if name.endswith("csv"):
        path.write_text(text.replace(",0.75,", f',"{value}",' if "," in value else f",{value},"))
        line = 3
    else:
        path.write_text(text.replace("0.75", json.dumps(value)))
        line = 2
    assert f"line {line} has, as ssim, '{value[:20]}" in refused(path)


@pytest.mark.boundary
@pytest.mark.parametrize("value", ["NaN", "Infinity", "true", "[]", "{}", '"0.75"', "1" + "0" * 400, "1e999"])
def test_what_is_no_score_in_json_is_named_by_its_line(tmp_path, value):
    path = written(tmp_path / "rows.jsonl", GOOD)
    path.write_text(path.read_text().replace("0.25", value))
    assert "line 1 " in refused(path)


@pytest.mark.boundary
@each_text
@pytest.mark.parametrize(("field", "value", "message"), [
    ("ssim", None, "is ok and has no value of ssim"), ("ref", None, "is ok and names no pair"),
    ("status", "fine", "has the status 'fine'"), ("ref_bytes", "many", "has, as ref_bytes, 'many'"),
    ("test_mtime_ns", "1.5", "has, as test_mtime_ns, '1.5'"), ("samples", "0", "as samples, "), ("samples", "-3", "as samples, "),
    ("samples", str(2**53), "as samples, "), ("settings", "by hand", "was made with 'by hand'"),
])  # fmt: skip
def test_rows_that_are_none_are_named(tmp_path, name, field, value, message):
    path = written(
        tmp_path / name,
        ScoreRow("r/a.png", "t/a.png", "ok", "", {"psnr": 30.5, "ssim": 0.25}, (FileState(1, 2), FileState(3, 4))),
    )
    (row,) = records(path)
    row[field] = value
    if name.endswith("csv"):
        buffer = io.StringIO(newline="")
        table = csv.DictWriter(buffer, list(row), lineterminator="\n")
        table.writeheader()
        table.writerow(row)
        path.write_text(buffer.getvalue())
    else:
        path.write_text(json.dumps(row) + "\n")
    text = refused(path)
    assert message in text
    assert field == "settings" or f"line {2 if name.endswith('csv') else 1} " in text


@pytest.mark.boundary
def test_a_file_of_three_runs_is_named(tmp_path):
    path = written(tmp_path / "rows.csv", GOOD)
    path.write_bytes(path.read_bytes() * 3)
    assert "line 3 is a header again: several runs wrote this file" in refused(path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert "line 3 is a header again" in refused(path)


@pytest.mark.property
@each_format
def test_each_pair_counts_once(tmp_path, name):
    path = written(tmp_path / name, GOOD, ScoreRow("r/b.png", "t/b.png", "mismatch", "size differs"), GOOD, GOOD)
    with closing(RowFile(path, comparing(), resume=[*PAIRS, ("r/a.png", "t/a.png")])) as file:
        assert file.rows == [GOOD, GOOD]  # as often as the run has it
        file.finish()
    assert len(records(path)) == 2
    with closing(RowFile(path, comparing(), resume=PAIRS)) as file:
        assert file.rows == [GOOD]
        file.finish()
    assert len(records(path)) == 1
    path = written(path, GOOD, ScoreRow("r/a.png", "t/a.png", "ok", "", {"psnr": 30.5, "ssim": 0.5}))
    unit, number = {".csv": ("line", 3), ".jsonl": ("line", 2)}.get(path.suffix, ("row", 2))
    assert f"{unit} {number} has other scores than {unit} {number - 1} of the same pair" in refused(path)


@pytest.mark.boundary
@each_text
@pytest.mark.parametrize(
    "text",
    [
        "precious",
        "a,b",
        "{}",
        '{"x": 1',
        "ref,test,precious",
        '"',
        "\0",
        "[" * 100000,
        "ref,test,status,message,psnr,ssim,settings,more",
    ],
)
def test_one_line_without_an_end_is_not_taken_for_a_row_cut_short(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    assert "is not a file of pixelgauge compare" in refused(path)


@pytest.mark.boundary
def test_damage_within_is_no_row_cut_short(tmp_path):
    path = written(tmp_path / "rows.csv", GOOD, ScoreRow("r/b.png", "t/b.png", "ok", "", {"psnr": 30.5, "ssim": 0.75}))
    whole = path.read_text()
    path.write_text(whole.replace("r/a", '"r/a', 1))  # a quote that swallows all that follows
    assert "line 2 opens a quote that is not closed" in refused(path)
    path.write_text(whole.replace("r/a", 'r"/"a', 1))
    assert "line 2 has not the 15 cells of the header" in refused(path)
    path.write_text(whole.replace(",0.25,", ",", 1))
    assert "line 2 has not the 15 cells" in refused(path)
    path.write_text(whole.replace("0.25", "," * 2_000_000))
    refused(path)
    path.write_text(whole.replace("r/a", '"' + "\n" * 2_000_000, 1))
    refused(path)
    path = tmp_path / "rows.jsonl"
    for line in ("[" * 200_000 + "\n", "1" * 5000 + "\n", '{"ref": ' * 50_000 + "\n", "\n", "x" * 2_000_000):
        path.write_text(line)
        assert "is not a file of pixelgauge compare" in refused(path)


@pytest.mark.property
def test_an_editor_may_have_changed_the_line_ends(tmp_path):
    path = written(tmp_path / "rows.csv", GOOD)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    with closing(RowFile(path, comparing(), resume=PAIRS)) as file:
        assert file.rows == [GOOD]


# ---- one writer, and nothing else is touched ----------------------------------------------------------------------


@pytest.mark.boundary
@each_format
def test_one_run_writes_at_a_time(tmp_path, name):
    path = tmp_path / name
    for how in ({}, {"resume": PAIRS}, {"overwrite": True}):
        with closing(RowFile(path, comparing(), **how)) as file:
            file.append(ScoreRow("r/b.png", "t/b.png", "mismatch", "size differs"))
            for other in ({"resume": PAIRS}, {"overwrite": True}):
                with pytest.raises(BlockingIOError, match=rf"another run is writing it.*{name}"):
                    RowFile(path, comparing(), **other)
            file.append(GOOD)
            file.finish()
        assert [row["ref"] for row in records(path)][-2:] == ["r/b.png", "r/a.png"]
        if how == {}:
            with closing(
                RowFile(path, comparing(), resume=PAIRS)
            ) as file:  # rewritten, and the lock is on what is written
                with pytest.raises(BlockingIOError):
                    RowFile(path, comparing(), resume=PAIRS)
                file.append(ScoreRow("r/b.png", "t/b.png", "ok", "", {"psnr": 1.0, "ssim": 1.0}))
                file.finish()
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.boundary
def test_a_file_replaced_between_opening_and_lock_is_not_written(tmp_path, monkeypatch):
    from pixelgauge.files import lock

    path = written(tmp_path / "rows.csv", GOOD)
    whole = lock.try_lock

    def replaced_meanwhile(file):
        os.replace(shutil.copy(path, tmp_path / "new"), path)
        return whole(file)

    monkeypatch.setattr(lock, "try_lock", replaced_meanwhile)
    with pytest.raises(BlockingIOError):
        RowFile(path, comparing(), resume=PAIRS)


@pytest.mark.boundary
@each_format
@pytest.mark.parametrize("how", ["--overwrite", "--resume"])
@pytest.mark.parametrize("kind", ["list", "archive", "other archive", "stack", "baseline"])
def test_what_a_run_is_given_is_never_replaced(folders, capsys, name, how, kind):
    """A list of pairs, an archive, a stack, whatever their names: the content tells what they are."""
    argv = ["ref", "test"]
    if kind == "list":
        if name.endswith(("csv", "jsonl")):
            line = json.dumps({"ref": "ref/0.png", "test": "test/0.png"})
            text = "ref,test\nref/0.png,test/0.png\n" if name.endswith("csv") else f"{line}\n"
        else:
            text = "ref/0.png test/0.png\n"
        (folders / name).write_text(text)
        if name.endswith("parquet"):
            pyarrow.parquet.write_table(pyarrow.table({"ref": ["ref/0.png"], "test": ["test/0.png"]}), name)
        argv = [f"@{name}"]
    elif "archive" in kind:
        shutil.make_archive("packed", "tar" if kind == "archive" else "zip", "test")
        os.rename("packed.tar" if kind == "archive" else "packed.zip", name)
        argv = ["ref", name]
    elif kind == "stack":
        np.save("stack.npy", np.stack([picture(1), picture(2)]))
        os.rename("stack.npy", name)
        argv = ["ref/0.png", name]
    elif kind == "baseline":
        assert compare(capsys, *argv, "--output", name)[0] == 0
        if how == "--resume":
            return  # it is the file that is gone on with
        argv += ["--baseline", name]
    before = content(name)
    code, _, err = compare(capsys, *argv, "--output", name, how)
    assert (code, name in err, err.count("\n")) == (2, True, 1)
    assert content(name) == before
    assert {entry.name for entry in folders.iterdir()} == {"ref", "test", name}


@pytest.mark.boundary
@pytest.mark.parametrize("how", [[], ["--overwrite"], ["--resume"]])
@each_format
def test_a_folder_is_no_file_of_rows(folders, capsys, how, name):
    os.mkdir(name)
    code, _, err = compare(capsys, "ref", "test", "--output", name, *how)
    assert (code, f"is a folder, and a file is to be written: '{name}'" in err) == (2, True)
    assert os.listdir(name) == []
    assert {entry.name for entry in folders.iterdir()} == {"ref", "test", name}


@pytest.mark.cli
@each_format
def test_of_two_runs_at_once_one_is_told(folders, name):
    for side in ("ref", "test"):
        for i in range(4, 400):
            os.link(f"{side}/0.png", f"{side}/{i}.png")
    argv = [sys.executable, "-m", "pixelgauge", "compare", "ref", "test", "--output", name, "--resume"]
    runs = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    ended = [(run.communicate(timeout=120), run.returncode) for run in runs]
    rows = records(name)
    assert len(rows) == len({row["ref"] for row in rows}) == 400
    for (_, err), code in ended:
        assert (code, err) == (0, "") or (code == 2 and name in err and err.count("\n") == 1)
    assert [code for _, code in ended].count(0) >= 1
    # the union of what they made, and of what one that was killed left to the next, is that of a clean run
    other = [*argv[:-2], f"killed-{name}", "--resume"]
    first, second = (subprocess.Popen(other, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2))
    while not any(entry.startswith("killed-") for entry in os.listdir()):
        assert first.poll() is None or second.poll() is None
    first.kill()
    for run in (first, second):
        run.communicate(timeout=120)
    for output in (f"killed-{name}", f"clean-{name}"):
        assert subprocess.run([*argv[:-2], output, "--resume"], capture_output=True, check=False).returncode == 0
    clean = sorted(records(f"clean-{name}"), key=lambda row: row["ref"])
    assert sorted(rows, key=lambda row: row["ref"]) == clean
    assert sorted(records(f"killed-{name}"), key=lambda row: row["ref"]) == clean


@pytest.mark.boundary
@pytest.mark.parametrize("link", [os.link, os.symlink])
@pytest.mark.parametrize("side", ["ref", "test"])
def test_an_input_is_never_replaced(folders, capsys, link, side):
    link(folders / side / "sub" / "1.png", folders / "rows.csv")
    before = (folders / side / "sub" / "1.png").read_bytes()
    for options in (["--overwrite"], ["--resume"], []):
        code, _, err = compare(capsys, "ref", "test", "--output", "rows.csv", *options)
        assert code == 2
        assert "read by this very command" in err or options != ["--overwrite"]
        assert (folders / side / "sub" / "1.png").read_bytes() == before
    os.rename("ref/0.png", "image.csv")
    assert compare(capsys, "image.csv", "test/0.png", "--output", "image.csv", "--overwrite")[0] == 2
    Image.open("image.csv").verify()


@pytest.mark.boundary
@each_text
def test_no_link_that_was_planted_is_followed(tmp_path, name):
    path, victim = tmp_path / name, tmp_path / "victim"
    victim.write_text("precious")
    for planted in (f"{name}.resuming", f"{name}.{os.getpid()}.tmp"):
        os.symlink(victim, tmp_path / planted)
    written(path, GOOD, ScoreRow("r/b.png", "t/b.png", "mismatch", "size differs"))
    RowFile(path, comparing(), resume=PAIRS).close()
    assert victim.read_text() == "precious"
    os.symlink(
        victim, tmp_path / f"link-{name}"
    )  # the user's own link to the output is followed, to a file that exists
    with pytest.raises(FileExistsError):
        RowFile(tmp_path / f"link-{name}", comparing())
    assert victim.read_text() == "precious"


@pytest.mark.boundary
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/full", path)])
@pytest.mark.parametrize("how", [{}, {"resume": PAIRS}, {"overwrite": True}])
def test_only_regular_files_are_written(tmp_path, make, how):
    make(tmp_path / "rows.csv")
    with pytest.raises(OSError, match=r"rows\.csv") as caught:
        RowFile(tmp_path / "rows.csv", comparing(), **how)
    assert caught.value.errno in (errno.EISDIR, errno.EINVAL)


@pytest.mark.property
def test_permissions_and_links_stay_when_a_file_is_rewritten(tmp_path):
    path = written(tmp_path / "real.csv", GOOD, ScoreRow("r/b.png", "t/b.png", "mismatch", "size differs"))
    path.chmod(0o640)
    os.symlink("real.csv", tmp_path / "rows.csv")
    with closing(RowFile(tmp_path / "rows.csv", comparing(), resume=PAIRS)) as file:
        file.append(GOOD)
    assert os.path.islink(tmp_path / "rows.csv")
    assert path.stat().st_mode & 0o777 == 0o640
    assert len(records(path)) == 2


@pytest.mark.property
def test_a_row_of_any_number_comes_back_to_the_last_bit(tmp_path, rng):
    values = [
        0.0,
        -0.0,
        5e-324,
        1.7976931348623157e308,
        math.inf,
        -math.inf,
        *(rng.standard_normal(50) * 10.0 ** rng.integers(-300, 300, 50)),
    ]
    rows = [ScoreRow(f"r/{i}", f"t/{i}", "ok", "", {"psnr": float(v), "ssim": float(v)}) for i, v in enumerate(values)]
    for name in NAMES:
        path = written(tmp_path / name, *rows)
        with closing(RowFile(path, comparing(), resume={(r.ref, r.test) for r in rows})) as file:
            assert [repr(row.values) for row in file.rows] == [repr(row.values) for row in rows]
