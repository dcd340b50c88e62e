"""A baseline in any format finds what has become worse, by each metric's own direction, and says what it could not compare."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing

import pytest

from pixelgauge.checks import ArgumentValueError
from pixelgauge.engine.baseline import Baseline, parse_drop
from pixelgauge.engine.registry import METRICS
from pixelgauge.engine.row_files import RowFile
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.engine.summary import Summary
from pixelgauge.files.reading import FileError
from tests.engine.runs import comparing

each_format = pytest.mark.parametrize("name", ["old.csv", "old.jsonl", "old.parquet", "old.sqlite"])
KINDS = ("mse", "psnr")
ROOTS = ("r", "t")


def row(name, mse, psnr, root="r"):
    return ScoreRow(f"{root}/{name}", f"t/{name}", "ok", "", {"mse": mse, "psnr": psnr})


OLD = [
    row("a", 10.0, 30.0),
    row("b", 20.0, 28.0),
    row("c", 0.0, math.inf),
    row("=d", 5.0, 35.0),
    row("e\udcff", 5.0, 35.0),
]


@pytest.fixture
def made():
    return comparing(KINDS)


def kept(path, made, rows=OLD, *, finish=True):
    with closing(RowFile(path, made, roots=ROOTS)) as file:
        for each in rows:
            file.append(each)
        if finish:
            file.finish()
    return path


def against(path, made, rows, *, allowed=None, strict=False, roots=ROOTS, is_complete=True):
    baseline = Baseline(path, made.metrics, str(made), roots, allowed or {}, strict=strict)
    problems = [baseline.add(each) for each in rows]
    verdicts = {v.metric: v for v in baseline.verdicts(Summary({"mse": False, "psnr": True}), is_complete=is_complete)}
    return verdicts, problems, baseline.compared(is_complete=is_complete)


@pytest.mark.property
@each_format
def test_the_same_scores_pass(tmp_path, made, name):
    verdicts, problems, found = against(kept(tmp_path / name, made), made, OLD, strict=True)
    assert all(v.passed and v.judged == 5 for v in verdicts.values())
    assert problems == [[]] * 5
    assert (found.pairs, found.new, found.gone) == (5, 0, 0)


@each_format
def test_worse_is_by_the_direction_of_each_metric(tmp_path, made, name):
    path = kept(tmp_path / name, made)
    now = [row("a", 12.5, 31.0), row("b", 5.0, 27.0), row("c", 1.0, 48.0), *OLD[3:]]
    verdicts, problems, _ = against(path, made, now)
    assert [len(p) for p in problems] == [1, 1, 2, 0, 0]
    assert problems[0] == ["mse 12.5 is worse than 10.0 of the baseline by 2.5"]
    assert problems[2][1] == "psnr 48.0 is worse than inf of the baseline by inf"
    assert (verdicts["mse"].passed, verdicts["mse"].broken, verdicts["psnr"].broken) == (False, 2, 2)
    assert [each.ref for _, each in verdicts["psnr"].worst] == ["r/c", "r/b"]
    verdicts, _, _ = against(path, made, now, allowed={"mse": 2.5, "psnr": 1.0})
    assert (verdicts["mse"].passed, verdicts["psnr"].passed, verdicts["psnr"].broken) == (True, False, 1)
    better, _, _ = against(path, made, [row("a", 1.0, math.inf)])
    assert all(v.passed for v in better.values())


@each_format
def test_pairs_of_one_alone_are_said_and_fail_where_it_is_strict(tmp_path, made, name):
    path = kept(tmp_path / name, made, [*OLD, ScoreRow("r/x", "t/x", "mismatch", "size differs")])
    now = [OLD[0], row("new", 1.0, 40.0), row("x", 1.0, 40.0), ScoreRow("r/b", "t/b", "unreadable", "REF: cut short")]
    verdicts, problems, found = against(path, made, now)
    assert problems == [[]] * 4
    assert all(v.passed for v in verdicts.values())
    assert (found.pairs, found.new, found.gone) == (1, 2, 3)
    assert found.new_names == [("new", "new"), ("x", "x")]
    assert found.gone_names == [("c", "c"), ("=d", "=d"), ("e\udcff", "e\udcff")]
    verdicts, _, _ = against(path, made, now, strict=True)
    assert {v.reason for v in verdicts.values()} == {"pairs in one of the two alone: 2 new, 3 gone"}
    verdicts, _, found = against(path, made, now[:1], strict=True, is_complete=False)
    assert (found.gone, verdicts["mse"].passed) == (0, True)  # the rest was not looked at


@each_format
def test_folders_may_have_moved(tmp_path, made, name):
    path = kept(tmp_path / name, made)
    _, _, found = against(path, made, [row("a", 10.0, 30.0, "elsewhere")], roots=("elsewhere", "t"))
    assert found.pairs == 1


@pytest.mark.boundary
@each_format
def test_nothing_in_common_is_no_pass(tmp_path, made, name):
    verdicts, _, _ = against(kept(tmp_path / name, made), made, [row("other", 1.0, 1.0)])
    assert all(v.passed is False for v in verdicts.values())
    assert verdicts["mse"].reason == "no pair has a score of mse here and in the baseline"


@pytest.mark.boundary
@each_format
def test_what_cannot_be_compared_is_refused(tmp_path, name):
    path = kept(tmp_path / name, comparing(("psnr", "ssim"), preset="skimage"),
                [ScoreRow("r/a", "t/a", "ok", "", {"psnr": 30.0, "ssim": 0.5})])  # fmt: skip

    def refused(made):
        with pytest.raises(FileError) as caught:
            Baseline(path, made.metrics, str(made), ROOTS, {})
        return str(caught.value)

    assert "has no scores of mse: it has psnr, ssim" in refused(comparing(("mse", "psnr")))
    assert "was made with ssim=skimage, this run is with ssim=wang2004" in refused(comparing(("ssim",)))
    assert "was made with crop=0, this run is with crop=2" in refused(comparing(("psnr",), crop_border=2))
    assert "was made with range=dtype, this run is with range=255" in refused(comparing(("psnr",), data_range=255.0))
    psnr = comparing(("psnr",))  # of a preset that plays no part
    assert (
        Baseline(path, psnr.metrics, str(psnr), ROOTS, {}).add(ScoreRow("r/a", "t/a", "ok", "", {"psnr": 30.0})) == []
    )


@pytest.mark.boundary
@each_format
@pytest.mark.parametrize("content", [b"", b"precious", b"a,b\n1,2\n", b'{"a": 1}\n', b"PAR1PAR1", b"SQLite format 3\0" + bytes(200), b"\xff" * 5000])  # fmt: skip
def test_what_is_no_such_file_is_named(tmp_path, made, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        Baseline(path, made.metrics, str(made), ROOTS, {})
    assert str(caught.value).startswith(f"{path}: is not a file of pixelgauge compare")
    assert path.read_bytes() == content


@pytest.mark.boundary
def test_other_files_are_named(tmp_path, made):
    for name, message in (("old.txt", "has an unknown extension: give a file that ends in .csv"), ("old", "unknown")):
        with pytest.raises(FileError, match=message):
            Baseline(tmp_path / name, made.metrics, str(made), ROOTS, {})
    with pytest.raises(FileNotFoundError):
        Baseline(tmp_path / "none.csv", made.metrics, str(made), ROOTS, {})
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as database:
        database.execute("CREATE VIEW rows AS SELECT 1 AS ref")
        database.commit()
    with pytest.raises(FileError, match="is not a file of pixelgauge compare"):
        Baseline(tmp_path / "other.sqlite", made.metrics, str(made), ROOTS, {})


@pytest.mark.boundary
@pytest.mark.parametrize("name", ["old.csv", "old.jsonl"])
def test_a_baseline_that_was_cut_short_is_no_baseline(tmp_path, made, name):
    path = kept(tmp_path / name, made)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FileError, match="ends within a row: its run was cut short: finish it with --resume"):
        Baseline(path, made.metrics, str(made), ROOTS, {})


@pytest.mark.boundary
def test_two_scores_of_a_pair_are_refused(tmp_path, made):
    path = kept(tmp_path / "old.jsonl", made, [OLD[0], row("a", 1.0, 1.0)])
    with pytest.raises(FileError, match="line 2 has other scores than a row before it of the same pair"):
        Baseline(path, made.metrics, str(made), ROOTS, {})


@pytest.mark.boundary
def test_rows_of_another_schema_are_refused(tmp_path, made):
    path = kept(tmp_path / "old.jsonl", made)
    path.write_text(path.read_text().replace('"schema_version": 2', '"schema_version": 3'))
    with pytest.raises(FileError, match="line 1 has schema_version 3, and this program reads 2 of these columns"):
        Baseline(path, made.metrics, str(made), ROOTS, {})


def test_rows_of_version_0_1_0_are_compared_by_their_paths(tmp_path, made):
    path = kept(tmp_path / "old.jsonl", made)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    old = ("ref", "test", "status", "message", *KINDS, "settings")
    path.write_text("".join(json.dumps({key: line[key] for key in old}) + "\n" for line in lines))
    verdicts, _, found = against(path, made, [row("a", 11.0, 30.0)])
    assert (found.pairs, verdicts["mse"].passed) == (1, False)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ssim", "names no amount: write METRIC=AMOUNT"),
        ("psnr=-1", "is below 0"),
        ("psnr=nan", "give a finite number"),
        ("ssim=.1", "is of ssim, which is not among the metrics mse,psnr"),
        ("vmaf=1", "names no metric that there is"),
    ],
)
def test_a_wrong_drop_is_named(text, message):
    with pytest.raises(ArgumentValueError) as caught:
        parse_drop(text, METRICS, {name: METRICS[name] for name in KINDS})
    assert str(caught.value).startswith(f"allow_drop={text!r} ")
    assert message in str(caught.value)
