"""A run that is gone on with says what a run without a break says, to the last bit: rows, counts, figures, pooled PSNR."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pixelgauge.cli import main
from tests.engine.runs import typed_records
from tests.pictures import random_pixels

pytestmark = pytest.mark.cli

COUNT = 12
each_format = pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet", "rows.sqlite"])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve pairs of several sizes in ref/ and test/, two of them identical, and one that is missing."""
    monkeypatch.chdir(tmp_path)
    for side in ("ref", "test"):
        (tmp_path / side).mkdir()
    for i in range(COUNT):
        x = random_pixels((20 + 3 * (i % 4), 24, 3), i)
        y = x if i in (3, 7) else x ^ random_pixels(x.shape, 100 + i) >> 3 + i % 4
        for side, image in (("ref", x), ("test", y)):
            Image.fromarray(image).save(tmp_path / side / f"{i:02}.png")
    (tmp_path / "test" / "11.png").unlink()
    return tmp_path


def records(path: Path) -> list[dict[str, Any]]:
    if path.suffix in (".parquet", ".sqlite"):
        return typed_records(path)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)) if path.suffix == ".csv" else list(map(json.loads, file))


def counted(path: Path) -> Counter[str]:
    """Rows, as often as they are there."""
    return Counter(json.dumps(row) for row in records(path))


def drop(path: Path, keep: list[int]) -> None:
    """Leave these rows of a file of lines, and the header of a CSV."""
    lines = path.read_bytes().splitlines(keepends=True)
    head = 1 if path.suffix == ".csv" else 0
    path.write_bytes(b"".join(lines[:head] + [lines[head + i] for i in keep]))


def report(capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    main(["compare", *argv, "--json"])
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


@pytest.mark.oracle
@each_format
def test_pooled_psnr_and_all_figures_are_those_of_a_clean_run(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    argv = ["ref", "test", "--psnr", "pooled", "--output", name]
    clean = report(capsys, *argv)
    assert clean["summary"]["psnr"]["pooled"] is not None
    rows = counted(here / name)
    if name == "rows.csv" or name == "rows.jsonl":
        drop(here / name, [9, 2, 5])  # in another order too
    for _ in range(2):
        again = report(capsys, *argv, "--resume")
        assert again["summary"] == clean["summary"]
        assert again["counts"] == clean["counts"]
        assert counted(here / name) == rows


@pytest.mark.parametrize("old", ["schema version 1", "no schema version"])
def test_rows_that_do_not_say_their_samples_are_made_again_where_those_are_needed(
    here: Path, capsys: pytest.CaptureFixture[str], old: str
) -> None:
    argv = ["ref", "test", "--output", "rows.jsonl"]
    clean = report(capsys, *argv, "--psnr", "pooled")
    rows = records(here / "rows.jsonl")
    for row in rows:
        del row["samples"]
        row["schema_version"] = 1
        if old == "no schema version":
            del row["schema_version"]
    old_text = "".join(json.dumps(row) + "\n" for row in rows)
    (here / "rows.jsonl").write_text(old_text)
    assert report(capsys, *argv, "--resume")["counts"] == clean["counts"]
    assert [row["samples"] for row in records(here / "rows.jsonl")] == [None] * COUNT  # kept as they are
    (here / "rows.jsonl").write_text(old_text)
    assert report(capsys, *argv, "--resume", "--psnr", "pooled")["summary"] == clean["summary"]
    assert {row["samples"] for row in records(here / "rows.jsonl")} == {None, *((20 + 3 * i) * 72 for i in range(4))}


@each_format
def test_a_pair_that_a_list_names_twice_has_two_rows_after_any_break(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    numbers = [0, 1, 0, 2, 11, 0, 11, 3, 1]
    (here / "pairs.txt").write_text("".join(f"ref/{i:02}.png test/{i:02}.png\n" for i in numbers))
    argv = ["@pairs.txt", "--psnr", "pooled", "--output", name]
    clean = report(capsys, *argv)
    assert clean["counts"] == {"pairs": 9, "failed": 2, "ok": 7, "unreadable": 2}
    rows = counted(here / name)
    assert rows.total() == 9
    if name in ("rows.csv", "rows.jsonl"):
        whole = (here / name).read_bytes()
        for keep in ([], [0], [2, 0], [0, 1, 2, 3, 5], [7, 8], list(range(9))):
            (here / name).write_bytes(whole)
            drop(here / name, keep)
            again = report(capsys, *argv, "--resume")
            assert (again["counts"], again["summary"]) == (clean["counts"], clean["summary"])
            assert counted(here / name) == rows
    again = report(capsys, *argv, "--resume")
    assert (again["counts"], again["summary"]) == (clean["counts"], clean["summary"])
    assert counted(here / name) == rows
    (here / "pairs.txt").write_text(
        "ref/00.png test/00.png\nref/01.png test/01.png\nref/02.png test/02.png\n" * 2 + "ref/03.png test/03.png\n"
    )
    assert report(capsys, *argv, "--resume")["counts"] == {"pairs": 7, "failed": 0, "ok": 7}
    assert len(records(here / name)) == 7


def test_two_spellings_of_a_pair_in_a_list_have_a_row_each(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A CSV writes =a.png as ./=a.png, which a list may name beside it."""
    for side in ("ref", "test"):
        shutil.copy(here / "ref" / "00.png", here / f"={side}.png")
    (here / "pairs.txt").write_text("=ref.png =test.png\n./=ref.png ./=test.png\n=ref.png =test.png\n")
    for name in ("rows.csv", "rows.jsonl", "rows.sqlite"):
        argv = ["@pairs.txt", "--metrics", "mse", "--output", name]
        assert report(capsys, *argv)["counts"] == {"pairs": 3, "failed": 0, "ok": 3}
        rows = counted(here / name)
        if name != "rows.sqlite":
            drop(here / name, [1])
        assert report(capsys, *argv, "--resume")["counts"] == {"pairs": 3, "failed": 0, "ok": 3}
        assert counted(here / name) == rows
