"""`pixelgauge auroc`: every input format, curve and plot files, JSON, and what it refuses."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixelgauge
from pixelgauge.cli import build_parser, main

pytestmark = pytest.mark.cli

Y = np.array([0, 0, 1, 1, 0, 1])
S = np.array([0.1, 0.4, 0.35, 0.8, 0.2, 0.9])


def write(path: Path) -> Path:
    """The same table in the format of the extension."""
    match path.suffix:
        case ".csv" | ".tsv":
            with path.open("w", newline="") as file:
                rows = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
                rows.writerow(["id", "label", "score"])
                rows.writerows((i, y, s) for i, (y, s) in enumerate(zip(Y.tolist(), S.tolist(), strict=True)))
        case ".jsonl":
            lines = [json.dumps({"label": y, "score": s}) for y, s in zip(Y.tolist(), S.tolist(), strict=True)]
            path.write_text("\n".join(lines))
        case ".npz":
            np.savez(path, label=Y, score=S)
        case ".npy":
            np.save(path, np.stack([Y, S], axis=1))
        case ".parquet":
            pa = pytest.importorskip("pyarrow", reason="pyarrow, the arrow extra, is not installed")
            import pyarrow.parquet

            pyarrow.parquet.write_table(pa.table({"label": Y, "score": S}), path)
    return path


@pytest.mark.parametrize("extension", ["csv", "tsv", "jsonl", "npz", "npy", "parquet"])
def test_formats(tmp_path: Path, capsys: pytest.CaptureFixture[str], extension: str) -> None:
    assert main(["auroc", str(write(tmp_path / f"t.{extension}")), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    with pytest.warns(UserWarning, match="below 10"):
        interval = pixelgauge.roc_auc_interval(Y, S)
    assert result["auroc"] == pixelgauge.roc_auc_score(Y, S) == interval.auroc
    assert (result["low"], result["high"]) == (interval.low, interval.high)
    assert result["interval"] == "score"
    assert result["interval_doubt"].startswith("3 samples of positives and 3 of negatives: below 10")
    assert (result["positives"], result["negatives"]) == (3, 3)
    assert result["threshold"] == pixelgauge.best_threshold(Y, S)


def test_text_labels_bootstrap_and_threshold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.csv"
    path.write_text("truth,p\n" + "\n".join(f"{'ill' if y else 'well'},{s}" for y, s in zip(Y, S, strict=True)))
    arguments = [
        "--label",
        "truth",
        "--score",
        "p",
        "--pos-label",
        "ill",
        "--interval",
        "bootstrap",
        "--threshold",
        "0.35",
    ]
    assert main(["auroc", str(path), *arguments]) == 0
    out = capsys.readouterr().out
    assert "sensitivity                1.0" in out


@pytest.mark.parametrize("kind", ["newcombe", "logit", "delong"])
def test_an_interval_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    path = tmp_path / "t.npz"
    y, s = np.repeat([0, 1], [60, 30]), np.arange(90) % 31
    np.savez(path, label=y, score=s)
    assert main(["auroc", str(path), "--interval", kind, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    wanted = pixelgauge.roc_auc_interval(y, s, method=kind)  # type: ignore[call-overload]
    assert (result["interval"], result["low"], result["high"]) == (kind, wanted.low, wanted.high)
    assert "interval_doubt" not in result


def test_an_interval_that_separation_leaves_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, label=np.repeat([0, 1], 20), score=np.arange(40))
    assert main(["auroc", str(path), "--interval", "logit", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["auroc"], result["low"]) == (1, None)
    assert result["no_interval"].startswith("--interval logit has no interval where no pair is misplaced")
    assert result["no_interval"].endswith("use --interval score")
    assert main(["auroc", str(path), "--interval", "delong"]) == 0
    assert "interval_doubt" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["roc", "pr", "det"])
def test_curve_to_csv(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "curve.csv"
    assert main(["auroc", str(write(tmp_path / "t.csv")), "--curve", kind, "--csv", str(out), "--json"]) == 0
    with out.open() as file:
        rows = list(csv.DictReader(file))
    curve = {
        "roc": pixelgauge.roc_curve, "pr": pixelgauge.precision_recall_curve, "det": pixelgauge.det_curve
    }[kind](Y, S)  # fmt: skip
    first = {"roc": "fpr", "pr": "precision", "det": "fpr"}[kind]
    assert [float(row[first]) for row in rows] == curve[0].tolist()


@pytest.mark.parametrize("kind", ["roc", "pr", "det"])
@pytest.mark.parametrize("extension", ["png", "svg"])
def test_plot(tmp_path: Path, kind: str, extension: str) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib, the plot extra, is not installed")
    out = tmp_path / f"curve.{extension}"
    assert main(["auroc", str(write(tmp_path / "t.csv")), "--curve", kind, "--plot", str(out), "--json"]) == 0
    assert out.read_bytes().startswith(b"\x89PNG" if extension == "png" else b"<?xml")


def test_memory_budget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "t.parquet")
    assert main(["auroc", str(path), "--memory-budget", str(1 << 26), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["auroc"] == pixelgauge.roc_auc_score(Y, S)
    assert main(["auroc", str(path), "--memory-budget", "64M", "--json"]) == 0
    assert main(["auroc", str(path), "--memory-budget", str(1 << 26), "--best", "f1"]) == 2


@pytest.mark.boundary
@pytest.mark.parametrize(("name", "content", "arguments", "message"), [
    ("t.csv", "label,score\n0,0.1\n", ["--score", "p"], "no column 'p'"),
    ("t.csv", "label,score\n0,x\n", [], r"t\.csv: row 1, column 'score': 'x' is not a score"),
    ("t.csv", "label,score\n0,1\n1,2,3\n", [], r"t\.csv: row 2: 3 cells, but the header has 2"),
    ("t.csv", "label,score\n0,1\n1\n", [], r"t\.csv: row 2: 1 cells"),
    ("t.csv", "label,score,score\n0,1,2\n", [], "2 columns 'score'"),
    ("t.csv", "label,score\n0,1\n\n1,1_000\n", [], "row 2, column 'score': '1_000' is not a score"),
    ("t.csv", "label,score\n0,1\n1,\n", [], "row 2, column 'score': '' is not a score"),
    ("t.csv", "label,score\n0,1\n1,nan\n", [], "row 2, column 'score': 'nan' is not a score"),
    ("t.csv", "label,score\n0,1\nnan,1\n", [], "row 2, column 'label': 'nan' is not a label"),
    ("t.csv", "label,score\n0,1\n,1\n", [], "row 2, column 'label': '' is not a label"),
    ("t.csv", "label,score\n0,1\n1,2\n2,1\n", [], "column 'label' holds the labels 0, 1, 2: name the positive one"),
    ("t.csv", "label,score\n0,1\n1.5,2\n", [], "column 'label': continuous"),
    ("t.csv", "label,score\n0,1\n1,2\n", ["--pos-label", "x"], "--pos-label x is not a number"),
    ("t.csv", "", [], "no header"),
    ("t.jsonl", '{"label": 0, "score": 1}\n\n{"label": 1}', [], r"t\.jsonl: line 3 has no column 'score'"),
    ("t.jsonl", '{"label": 0, "score": 1}\n{"label":', [], r"t\.jsonl: line 2: not JSON"),
    ("t.jsonl", '{"label": 0, "score": 1}\n[1, 2]', [], r"t\.jsonl: line 2: not a JSON object"),
    ("t.jsonl", '{"label": 0, "score": NaN}', [], "line 1, column 'score': nan is not a score"),
    ("t.jsonl", '{"label": null, "score": 1}', [], "line 1, column 'label': None is not a label"),
    ("t.jsonl", '{"label": 0, "score": 1, "score": 2}', [], "2 columns 'score'"),
    ("t.npz", "nothing", [], r"t\.npz: is no zip archive"),
    ("t.csv", "label,score\n0,1\n1,2\n", ["--seed", "-1"], "--seed -1: give an integer of at least 0"),
    ("t.csv", "label,score\n0,1\n1,2\n", ["--level", "1"], "--level 1"),
    ("t.csv", "label,score\n0,1\n1,2\n", ["--overwrite"], "--overwrite needs"),
    ("t.csv", "label,score\n", [], "no rows"),
    ("t.csv", "label,score\n0,0.1\n0,0.2\n", [], "one class only: 0 positives and 2 negatives"),
    ("t.csv", "label,score\na,0.1\nb,0.2\na,1\nb,2\n", [], "labels 'a', 'b': name the positive one by --pos-label"),
    ("t.csv", "label,score\na,0.1\nb,0.2\na,1\nb,2\n", ["--pos-label", "c"], "not among"),
    ("t.txt", "0 1\n", [], "unknown extension"),
    ("t.npy", "nothing", [], r"t\.npy: is no .npy array"),
    ("t.csv", "label,score\n0,1\n1,2\n0,3\n1,4\n", ["--plot", "x.pdf"], "png or .svg"),
])  # fmt: skip
def test_refusals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, arguments: list[str], message: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert main(["auroc", str(path), *arguments]) == 2
    import re

    assert re.search(message, capsys.readouterr().err)


@pytest.mark.boundary
@pytest.mark.parametrize(("name", "array", "cut", "message"), [
    ("t.npy", np.ones((3, 2)), 8, "which is 48 bytes, and holds 40"),
    ("t.npy", np.array([[0, 1], [1, None]], object), 0, "holds Python objects"),
    ("t.npy", np.ones(3), 0, "shape"),
    ("t.npy", np.array([[0, 1], [1, np.nan], [1, 2]]), 0, "row 2, column 'score': NaN"),
    ("t.npz", {"label": np.array([0, 1]), "score": np.array([1, None])}, 0, "'score' that holds Python objects"),
    ("t.npz", {"label": np.array([0, 1]), "score": np.array([1, 2])}, 30, "it is truncated"),
    ("t.npz", {"label": np.eye(2), "score": np.array([1, 2])}, 0, "column 'label', should be a 1d array"),
    ("t.npz", {"label": np.array([0, 1, 1]), "score": np.array([1, 2])}, 0, "3 values of 'label' and 2 of 'score'"),
])  # fmt: skip
def test_bad_arrays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, array: Any, cut: int, message: str
) -> None:
    path = tmp_path / name
    if isinstance(array, dict):
        np.savez(path, **array)
    else:
        np.save(path, array)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - cut])
    assert main(["auroc", str(path)]) == 2
    err = capsys.readouterr().err
    assert name in err
    assert message in err


@pytest.mark.boundary
@pytest.mark.parametrize(("name", "data"), [
    ("t.csv", "label,score\n0,1\n".encode("utf-16")), ("t.csv", b"label,score\n0,\xff\xfe\n"),
    ("t.jsonl", '{"label": 0, "score": 1}'.encode("utf-16")),
])  # fmt: skip
def test_tables_that_are_not_utf8_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, data: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert main(["auroc", str(path)]) == 2
    assert f"{name}: is not a text file in UTF-8" in capsys.readouterr().err


@pytest.mark.boundary
def test_bad_parquet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow, the arrow extra, is not installed")
    path = write(tmp_path / "t.parquet")
    path.write_bytes(path.read_bytes()[:-50])
    assert main(["auroc", str(path)]) == 2
    assert "t.parquet: cannot be read as Parquet" in capsys.readouterr().err


def test_labels_written_in_two_ways_are_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.csv"
    path.write_text("label,score,other,other\n" + "\n".join(f"{y}{'.0' * (i % 2)},{s},," for i, (y, s) in
                                                           enumerate(zip(Y, S, strict=True))))  # fmt: skip
    assert main(["auroc", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["auroc"] == pixelgauge.roc_auc_score(Y, S)


@pytest.mark.parametrize("kind", ["score", "delong", "bootstrap"])
def test_one_positive_has_an_auroc_without_an_interval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("label,score\n0,0.1\n1,0.3\n0,0.2\n0,0.4\n")
    assert main(["auroc", str(path), "--interval", kind, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["auroc"] == 2 / 3
    assert result["low"] is result["high"] is None
    assert result["no_interval"] == "1 positives and 3 negatives: an interval needs at least two of each"


def test_existing_files_are_not_overwritten_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, out = str(write(tmp_path / "t.csv")), tmp_path / "curve.csv"
    out.write_text("mine")
    for option in ("--csv", "--plot"):
        assert main(["auroc", table, option, str(out)]) == 2
        assert "curve.csv exists: choose another name or give --overwrite" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main(["auroc", table, "--csv", str(out), "--overwrite"]) == 0
    assert out.read_text().startswith("fpr,tpr,threshold")


BIG = 2**53


def text_of(extension: str, scores: list[Any], labels: list[Any]) -> str:
    rows = list(zip(labels, scores, strict=True))
    if extension == "jsonl":
        return "\n".join(f'{{"label": {y}, "score": {x}}}' for y, x in rows)
    return "label,score\n" + "\n".join(f"{y},{x}" for y, x in rows)


@pytest.mark.oracle
@pytest.mark.parametrize("extension", ["csv", "jsonl"])
@pytest.mark.parametrize(("scores", "threshold"), [
    ([BIG, BIG + 1, BIG, BIG + 1], BIG + 1), ([f"{BIG}.0", f"{BIG + 1}.0", f"{BIG}.00", f"{BIG + 1}.0"], BIG + 1),
    ([1_700_000_000_000_000_000, 1_700_000_000_000_000_001] * 2, 1_700_000_000_000_000_001),
    ([2**64, 2**64 + 1] * 2, 2**64 + 1), ([-BIG - 1, -BIG] * 2, -BIG), ([0.5, BIG + 1, BIG, BIG + 1], BIG + 1),
    ([1, 1.5, 0, 2], 1.5), ([2**63 - 1, 2**63, -1, 2**64 - 1], 2**63), ([0, "1e0", "-0", "1.0"], 1.0),
])  # fmt: skip
def test_integers_stay_integers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extension: str, scores: list[Any], threshold: float
) -> None:
    path, out = tmp_path / f"t.{extension}", tmp_path / "curve.csv"
    path.write_text(text_of(extension, scores, [0, 1, 0, 1]))
    assert main(["auroc", str(path), "--json", "--csv", str(out)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["auroc"], result["average_precision"], result["threshold"]) == (1, 1, threshold)
    assert type(result["threshold"]) is type(threshold)
    assert str(threshold) in out.read_text()
    # the threshold as text gives the figures of the threshold
    assert main(["auroc", str(path), "--json", "--threshold", str(threshold)]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["sensitivity"], again["specificity"], again["threshold"]) == (1, 1, threshold)
    for curve in ("pr", "det"):
        arguments = ["auroc", str(path), "--json", "--curve", curve, "--csv", str(out), "--overwrite"]
        assert main(arguments) == 0
        capsys.readouterr()
        assert str(threshold) in out.read_text()


@pytest.mark.oracle
@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet", "npz"])
def test_labels_are_integers_too(tmp_path: Path, capsys: pytest.CaptureFixture[str], extension: str) -> None:
    path, labels, scores = tmp_path / f"t.{extension}", [BIG, BIG + 1] * 2, [1, 2, 3, 4]
    if extension in ("csv", "jsonl"):
        path.write_text(text_of(extension, scores, labels))
    elif extension == "npz":
        np.savez(path, label=labels, score=scores)
    else:
        pa = pytest.importorskip("pyarrow", reason="pyarrow, the arrow extra, is not installed")
        import pyarrow.parquet

        pyarrow.parquet.write_table(pa.table({"label": labels, "score": scores}), path)
    for positive, auroc in ((BIG, 0.25), (BIG + 1, 0.75)):
        assert main(["auroc", str(path), "--json", "--pos-label", str(positive)]) == 0
        assert json.loads(capsys.readouterr().out)["auroc"] == auroc
    assert main(["auroc", str(path), "--pos-label", str(BIG + 2)]) == 2


@pytest.mark.oracle
def test_parquet_columns_are_not_rounded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow, the arrow extra, is not installed")
    import datetime
    from decimal import Decimal

    import pyarrow.parquet

    path = tmp_path / "t.parquet"
    for column in (
        pa.array([BIG, BIG + 1] * 2), pa.array([2**64 - 2, 2**64 - 1] * 2, pa.uint64()),
        pa.array([Decimal("0.10000000000000000000"), Decimal("0.10000000000000000001")] * 2),
        pa.array([BIG, BIG + 1] * 2).dictionary_encode(), pa.array([False, True] * 2),
    ):  # fmt: skip
        pyarrow.parquet.write_table(pa.table({"label": [0, 1] * 2, "score": column}), path)
        assert main(["auroc", str(path), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["auroc"] == 1
    for refused, message in (
        (pa.array([datetime.datetime(2020, 1, 1)] * 4), "column 'score', has dtype timestamp[us]: give its integers"),
        (pa.array(["1", "2"] * 2), "column 'score', holds text: use numbers"),
    ):
        pyarrow.parquet.write_table(pa.table({"label": [0, 1] * 2, "score": refused}), path)
        assert main(["auroc", str(path)]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.boundary
@pytest.mark.parametrize("extension", ["csv", "jsonl"])
@pytest.mark.parametrize("score", ["1" * 400, "-" + "1" * 400, "1" * 5000])
def test_numbers_beyond_any_float(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extension: str, score: str
) -> None:
    path = tmp_path / f"t.{extension}"
    path.write_text(text_of(extension, [score, 1], [0, 1]))
    assert main(["auroc", str(path)]) == 2
    assert f"t.{extension}: " in capsys.readouterr().err


@pytest.mark.boundary
def test_labels_of_two_kinds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"label": 0, "score": 1}\n{"label": "1", "score": 2}')
    assert main(["auroc", str(path)]) == 2
    assert "t.jsonl: line 1, column 'label', holds text, and 0: use one kind of labels" in capsys.readouterr().err


@pytest.mark.boundary
def test_absent_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["auroc", str(tmp_path / "none.csv")]) == 2
    assert "No such file or directory" in capsys.readouterr().err


@pytest.mark.boundary
@pytest.mark.parametrize("marker", ["NA", "NULL", "null", "None", ""])
def test_missing_labels_are_no_negatives(tmp_path: Path, capsys: pytest.CaptureFixture[str], marker: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"label,score\n1,0.9\n0,0.1\n{marker},0.5\n1,0.8\n0,0.85\n")
    assert main(["auroc", str(path), "--pos-label", "1"]) == 2
    assert f"row 3, column 'label': {marker!r} is not a label" in capsys.readouterr().err
    assert main(["auroc", str(path), "--pos-label", "1", "--missing", "drop", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["auroc"], result["samples"], result["negatives"], result["dropped"]) == (0.75, 4, 2, 1)
    assert main(["auroc", str(path), "--missing", "drop"]) == 0
    assert "dropped                    1\n" in capsys.readouterr().out


def test_text_labels_are_stripped_as_numbers_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.csv"
    path.write_text("label,score\nyes ,0.9\n no,0.1\nyes,0.8\n\tno,0.85\n")
    for positive in ("yes", " yes"):
        assert main(["auroc", str(path), "--pos-label", positive, "--json"]) == 0
        result = json.loads(capsys.readouterr().out)
        assert (result["auroc"], result["positives"]) == (0.75, 2)
    path.write_text("label,score\nNone,0.9\ncrack,0.1\ncrack,0.8\nNone,0.05\n")
    assert main(["auroc", str(path), "--pos-label", "crack"]) == 2
    assert "--missing keep" in capsys.readouterr().err
    assert main(["auroc", str(path), "--pos-label", "crack", "--missing", "keep", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["auroc"] == 0.5


def test_labels_that_are_true_or_false(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, label=Y.astype(bool), score=S)
    expected = pixelgauge.roc_auc_score(Y, S)
    for positive, auroc in (("true", expected), ("1", expected), ("False", 1 - expected)):
        assert main(["auroc", str(path), "--pos-label", positive, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["auroc"] == pytest.approx(auroc, abs=1e-15)
    assert main(["auroc", str(path), "--pos-label", "yes"]) == 2
    assert "--pos-label yes is not a number" in capsys.readouterr().err


@pytest.mark.boundary
@pytest.mark.parametrize(("arguments", "message"), [
    (["--label", "score"], "--label and --score are both 'score'"),
    (["--level", "nan"], "--level nan: give a number between 0 and 1"),
    (["--level", "0.99999999999999999"], "--level 1.0: give a number between 0 and 1"),
    (["--seed", str(2**128)], "--seed 340282366920938463463374607431768211456: give an integer of at least 0, and below"),
    (["--memory-budget", "1000"], "--memory-budget 1000: give at least 33554432 bytes"),
    (["--memory-budget", "2k"], "--memory-budget 2048: give at least 33554432 bytes"),
    (["--memory-budget", "9999999T"], "--memory-budget '9999999T' is more than any machine has: give bytes"),
    (["--memory-budget", str(10**30)], "0' is more than any machine has: give bytes, or a number with K, M, G or T"),
    (["--memory-budget", "2x"], "--memory-budget '2x' is no size: give bytes, or a number with K, M, G or T"),
    (["--memory-budget", "40000000"], "--memory-budget reads Parquet files"),
    (["--memory-budget", "40000000", "--seed", "0", "--missing", "error"], "AUROC alone: leave out --seed, --missing"),
    (["--pos-label", "7"], "--pos-label 7 is not among the labels 0, 1 of"),
    (["--curve", "roc"], "--curve needs --csv OUT or --plot OUT"),
])  # fmt: skip
def test_messages_name_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["auroc", str(write(tmp_path / "t.csv")), *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.boundary
@pytest.mark.parametrize(("arguments", "message"), [
    (["--threshold", "nan"], "--threshold: 'nan' is not a number"), (["--level", "x"], "--level: 'x' is not a number"),
    (["--seed", "1.5"], "--seed: '1.5' is not an integer"), (["--seed", "1" * 5000], "--seed: '111"),
])  # fmt: skip
def test_arguments_that_are_no_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        main(["auroc", str(tmp_path / "t.csv"), *arguments])
    err = capsys.readouterr().err
    assert message in err
    assert len(err) < 2000


def test_out_of_core_names_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow, the arrow extra, is not installed")
    import pyarrow.parquet

    path = tmp_path / "t.parquet"
    for table, message in (
        ({"label": [0, 2], "score": [1, 2]}, "t.parquet, column 'label', must hold 0 and 1 only"),
        ({"label": [0, 1], "score": [1, np.nan]}, "t.parquet, column 'score', holds NaN"),
        ({"label": [0, 1, 1], "score": [1, 2, None]}, "t.parquet: row 3, column 'score' holds missing values"),
        ({"label": [1, 1], "score": [1, 2]}, "t.parquet, column 'label',: 2 positives"),
        ({"label": [1, 1], "p": [1, 2]}, "t.parquet: has no column 'score'"),
        ({"label": pa.array([], pa.int8()), "score": pa.array([], pa.int8())}, "are empty"),
    ):
        pyarrow.parquet.write_table(pa.table(table), path)
        assert main(["auroc", str(path), "--memory-budget", str(1 << 26)]) == 2
        assert message in capsys.readouterr().err
    path.write_bytes(path.read_bytes()[:-40])
    assert main(["auroc", str(path), "--memory-budget", str(1 << 26)]) == 2
    assert "t.parquet: cannot be read as Parquet" in capsys.readouterr().err


def test_nothing_is_begun_that_cannot_be_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing, or cannot be written, is found before the table is read."""
    table, curve, plot = write(tmp_path / "t.csv"), tmp_path / "c.csv", tmp_path / "c.png"

    def never(*_: object) -> None:
        raise AssertionError("read")

    with monkeypatch.context() as patch:
        patch.setattr("pixelgauge.cli.auroc.read_table", never)
        for outputs, message in (
            (["--csv", table, "--overwrite"], "t.csv is read by this very command"),
            (["--csv", plot, "--plot", tmp_path / "x" / ".." / "c.png"], "--csv and --plot are both"),
            (["--csv", tmp_path / "none" / "c.csv"], "No such file or directory"),
            (["--csv", curve, "--plot", tmp_path / "none" / "c.png"], "No such file or directory"),
            (["--csv", tmp_path], "is a folder"),
            (["--csv", curve, "--plot", tmp_path / "c.pdf"], "use .png or .svg"),
        ):
            (tmp_path / "x").mkdir(exist_ok=True)
            assert main(["auroc", str(table), *map(str, outputs)]) == 2
            assert message in capsys.readouterr().err
        patch.setitem(sys.modules, "matplotlib.figure", None)
        assert main(["auroc", str(table), "--csv", str(curve), "--plot", str(plot)]) == 2
        assert "plots need matplotlib" in capsys.readouterr().err
        patch.setitem(sys.modules, "pyarrow.parquet", None)
        assert main(["auroc", str(tmp_path / "t.parquet")]) == 2
        assert "Parquet files need pyarrow" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv", "x"]


def test_both_outputs_or_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = pytest.importorskip("matplotlib.figure", reason="matplotlib, the plot extra, is not installed")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    table, curve, plot = write(tmp_path / "t.csv"), tmp_path / "c.csv", tmp_path / "c.png"
    curve.write_text("before")
    arguments = ["auroc", str(table), "--csv", str(curve), "--plot", str(plot), "--overwrite"]
    with monkeypatch.context() as patch:
        patch.setattr(figure.Figure, "savefig", full)
        assert main(arguments) == 2
    assert f"No space left on device: '{plot}'" in capsys.readouterr().err
    assert curve.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.csv", "t.csv"]
    assert main(arguments) == 0
    assert curve.read_text().startswith("fpr,tpr,threshold")
    assert plot.read_bytes().startswith(b"\x89PNG")


def parsers_of(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    found = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                found += parsers_of(inner)
    return found


VALUED = [
    (parser.prog, option)
    for parser in parsers_of(build_parser())
    for action in parser._actions
    if isinstance(action, argparse._StoreAction)
    for option in action.option_strings
]


@pytest.mark.boundary
@pytest.mark.parametrize(("program", "option"), VALUED)
def test_an_option_is_given_once(capsys: pytest.CaptureFixture[str], program: str, option: str) -> None:
    parser = next(parser for parser in parsers_of(build_parser()) if parser.prog == program)
    action = parser._option_string_actions[option]
    values = [str(next(iter(action.choices)) if action.choices else 1)] * (action.nargs or 1)
    joined = f"{option}={values[0]}" if option.startswith("--") else f"{option}{values[0]}"
    twice = [option, *values, *([joined] if len(values) == 1 else [option, *values])]
    files = [
        str(next(iter(inner.choices))) if inner.choices else "x"
        for inner in parser._actions
        if isinstance(inner, argparse._StoreAction) and not inner.option_strings
    ]
    with pytest.raises(SystemExit) as caught:
        main([*program.split()[1:], *files, *twice])
    assert caught.value.code == 2
    assert "is given twice: give it once" in capsys.readouterr().err


def test_options_of_two_calls_are_not_confused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["auroc", str(write(tmp_path / "t.csv")), "--level", "0.9", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["level"] == 0.9
    assert {option for _, option in VALUED} >= {"--score", "--output", "-o", "--metrics", "--preset", "--weights"}
