"""`pixelgauge auroc`: every input format, curve and plot files, JSON, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import pixelgauge
from pixelgauge.cli import main

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
    interval = pixelgauge.delong_interval(Y, S)
    assert result["auroc"] == pixelgauge.roc_auc_score(Y, S) == interval.auroc
    assert (result["low"], result["high"]) == (interval.low, interval.high)
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


def test_display_draws() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib, the plot extra, is not installed")
    axes = pixelgauge.RocCurveDisplay.from_predictions(Y, S, name="model").plot()
    assert axes.get_legend().get_texts()[0].get_text() == f"model (AUC = {pixelgauge.roc_auc_score(Y, S):.4f})"


def test_memory_budget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "t.parquet")
    assert main(["auroc", str(path), "--memory-budget", str(1 << 26), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["auroc"] == pixelgauge.roc_auc_score(Y, S)
    assert main(["auroc", str(path), "--memory-budget", str(1 << 26), "--best", "f1"]) == 2


@pytest.mark.boundary
@pytest.mark.parametrize(("name", "content", "arguments", "message"), [
    ("t.csv", "label,score\n0,0.1\n", ["--score", "p"], "no column 'p'"),
    ("t.csv", "label,score\n0,x\n", [], "row 1"),
    ("t.csv", "label,score\n", [], "no rows"),
    ("t.csv", "label,score\n0,0.1\n0,0.2\n", [], "one class|two of each"),
    ("t.csv", "label,score\n0,0.1\n1,nan\n0,1\n1,2\n", [], "NaN"),
    ("t.csv", "label,score\na,0.1\nb,0.2\na,1\nb,2\n", [], "pos_label"),
    ("t.csv", "label,score\na,0.1\nb,0.2\na,1\nb,2\n", ["--pos-label", "c"], "not among"),
    ("t.txt", "0 1\n", [], "unknown extension"),
    ("t.npy", "nothing", [], "."),
    ("t.jsonl", "{", [], "."),
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
def test_absent_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["auroc", str(tmp_path / "none.csv")]) == 2
    assert "not a file" in capsys.readouterr().err
