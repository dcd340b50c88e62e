"""``pixelgauge auroc FILE``: AUROC with its interval, curves and figures at a threshold, of a table of scores."""

from __future__ import annotations

import argparse
import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from pixelgauge._version import __version__
from pixelgauge.auroc_intervals import AurocInterval, bootstrap_interval, delong_interval
from pixelgauge.cli import EXIT_DONE, UsageError
from pixelgauge.images import Array
from pixelgauge.operating_points import Confusion, best_threshold, confusion_at_threshold
from pixelgauge.out_of_core import roc_auc_score_out_of_core
from pixelgauge.ranking import average_precision_score, det_curve, precision_recall_curve, roc_curve

_CURVES = {
    "roc": (roc_curve, ("fpr", "tpr")),
    "pr": (precision_recall_curve, ("precision", "recall")),
    "det": (det_curve, ("fpr", "fnr")),
}
_CRITERIA = ("youden", "f1", "mcc", "accuracy", "balanced_accuracy", "closest")


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("auroc", help="AUROC, interval, curves and operating point of a table of scores")
    parser.add_argument("file", type=Path, help=".csv .tsv .jsonl .parquet .npz, or .npy of shape (N, 2): label, score")
    parser.add_argument("--label", default="label", metavar="COLUMN", help="column of the labels (default: label)")
    parser.add_argument("--score", default="score", metavar="COLUMN", help="column of the scores (default: score)")
    parser.add_argument("--pos-label", help="the positive class (default: 1, of labels 0 and 1 or -1 and 1)")
    parser.add_argument("--interval", choices=("delong", "bootstrap"), default="delong")
    parser.add_argument("--level", type=float, default=0.95, help="of the interval (default: 0.95)")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    threshold = parser.add_mutually_exclusive_group()
    threshold.add_argument("--threshold", type=float, help="show the figures at this threshold")
    threshold.add_argument("--best", choices=_CRITERIA, help="choose the threshold by a criterion (default: youden)")
    parser.add_argument("--curve", choices=tuple(_CURVES), default="roc", help="what --csv and --plot hold")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="write the curve's points")
    parser.add_argument("--plot", type=Path, metavar="OUT", help="draw the curve: .png or .svg (needs the plot extra)")
    parser.add_argument(
        "--memory-budget", type=int, metavar="BYTES", help="AUROC alone, of a Parquet file larger than memory"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read, measure, write and print."""
    if args.memory_budget is not None:
        return _run_out_of_core(args)
    labels, scores = _read(args.file, args.label, args.score)
    pos_label = _as_label(args.pos_label, labels)
    interval = _interval(args, labels, scores, pos_label)
    threshold = args.threshold
    if threshold is None:
        threshold = best_threshold(labels, scores, criterion=args.best or "youden", pos_label=pos_label)
    confusion = confusion_at_threshold(labels, scores, threshold, pos_label=pos_label)
    truth = labels == (1 if pos_label is None else pos_label)
    result: dict[str, Any] = {
        "file": str(args.file),
        "samples": len(labels),
        "positives": int(truth.sum()),
        "negatives": int((~truth).sum()),
        "auroc": interval.auroc,
        "interval": args.interval,
        "level": args.level,
        "low": interval.low,
        "high": interval.high,
        "average_precision": average_precision_score(truth, scores),
        "threshold": threshold,
        **_figures(confusion),
        "version": __version__,
    }
    if args.csv or args.plot:
        curve, columns = _CURVES[args.curve]
        points = curve(labels, scores, pos_label=pos_label)
        if args.csv:
            _write_curve(args.csv, columns, points)
        if args.plot:
            _plot(args.plot, args.curve, points, interval, args.level, confusion, threshold)
    _print(result, args.json)
    return EXIT_DONE


def _run_out_of_core(args: argparse.Namespace) -> int:
    ignored = [f"--{name}" for name in ("csv", "plot", "threshold", "best") if getattr(args, name) is not None]
    if ignored or args.pos_label is not None:
        raise UsageError(f"--memory-budget gives AUROC alone: leave out {', '.join(ignored) or '--pos-label'}")
    auroc = roc_auc_score_out_of_core(
        args.file, args.file, memory_budget=args.memory_budget, label_column=args.label, score_column=args.score
    )
    _print({"file": str(args.file), "auroc": auroc, "version": __version__}, args.json)
    return EXIT_DONE


def _interval(args: argparse.Namespace, labels: Array, scores: Array, pos_label: object) -> AurocInterval:
    if args.interval == "delong":
        return delong_interval(labels, scores, level=args.level, pos_label=pos_label)
    return bootstrap_interval(labels, scores, level=args.level, seed=args.seed, pos_label=pos_label)


def _read(path: Path, label: str, score: str) -> tuple[Array, Array]:
    """Label and score columns of a table."""
    if not path.is_file():
        raise UsageError(f"{path} is not a file")
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file, delimiter="\t" if suffix == ".tsv" else ",")
            return _columns(path, rows, label, score)
    if suffix in (".jsonl", ".ndjson"):
        with path.open(encoding="utf-8") as file:
            return _columns(path, (json.loads(line) for line in file if line.strip()), label, score)
    if suffix in (".parquet", ".pq"):
        try:
            import pyarrow.parquet as parquet
        except ImportError as error:
            raise ImportError("Parquet files need pyarrow: pip install 'pixelgauge[arrow]'") from error
        names = parquet.read_schema(path).names
        _require_columns(path, names, label, score)
        table = parquet.read_table(path, columns=[label, score])
        if table[label].null_count or table[score].null_count:
            raise ValueError(f"{path} holds missing values: remove those rows first")
        return table[label].to_numpy(), table[score].to_numpy()
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            _require_columns(path, list(arrays), label, score)
            return arrays[label], arrays[score]
    if suffix == ".npy":
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.ndim != 2 or array.shape[1] != 2:
            raise ValueError(f"{path} has shape {array.shape}: a .npy file must be (N, 2), label and score")
        return array[:, 0], array[:, 1]
    raise UsageError(f"{path} has an unknown extension: use .csv, .tsv, .jsonl, .parquet, .npz or .npy")


def _columns(path: Path, rows: Any, label: str, score: str) -> tuple[Array, Array]:
    labels: list[Any] = []
    scores: list[float] = []
    for number, row in enumerate(rows, 1):
        if number == 1:
            _require_columns(path, list(row), label, score)
        try:
            labels.append(row[label])
            scores.append(float(row[score]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}, row {number}: {error!r} in columns {label!r} and {score!r}") from error
    if not labels:
        raise ValueError(f"{path} holds no rows")
    texts = [v for v in labels if isinstance(v, str)]
    if len(texts) == len(labels):
        try:
            return np.array([int(v) for v in texts]), np.array(scores)
        except ValueError:
            return np.array(texts), np.array(scores)
    return np.array(labels), np.array(scores)


def _require_columns(path: Path, names: list[str], *wanted: str) -> None:
    missing = [name for name in wanted if name not in names]
    if missing:
        raise UsageError(
            f"{path} has no column {missing[0]!r}: it has {', '.join(map(repr, names))}; see --label, --score"
        )


def _as_label(text: str | None, labels: Array) -> object:
    if text is None:
        return None
    if labels.dtype.kind in "USO":
        value: object = text
    elif labels.dtype.kind == "b":
        value = text.lower() in ("1", "true")
    else:
        value = float(text)
    if not (labels == value).any():
        raise UsageError(f"--pos-label {text} is not among the labels {np.unique(labels)[:5].tolist()}")
    return value


def _figures(confusion: Confusion) -> dict[str, float | None]:
    names = ("sensitivity", "specificity", "precision", "negative_predictive_value", "accuracy", "balanced_accuracy",
             "f1", "mcc", "youden_j")  # fmt: skip
    values = {name: getattr(confusion, name) for name in names}
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def _write_curve(path: Path, columns: tuple[str, str], points: tuple[Array, Array, Array]) -> None:
    first, second, thresholds = points
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow((*columns, "threshold"))
        # the last point of a precision-recall curve has no threshold
        padded = [*thresholds.tolist(), *[""] * (len(first) - len(thresholds))]
        writer.writerows(zip(first.tolist(), second.tolist(), padded, strict=True))


def _plot(
    path: Path,
    kind: str,
    points: tuple[Array, Array, Array],
    interval: AurocInterval,
    level: float,
    confusion: Confusion,
    threshold: float,
) -> None:
    from pixelgauge.ranking_display import new_axes

    if path.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"--plot {path}: use .png or .svg")
    axes = new_axes()
    text = f"AUROC {interval.auroc:.4f} ({level:.0%}: {interval.low:.4f} to {interval.high:.4f})"
    if kind == "roc":
        x, y = points[0], points[1]
        at = (1 - confusion.specificity, confusion.sensitivity)
        axes.plot([0, 1], [0, 1], color="0.7", linestyle="--", linewidth=1)
        axes.set(xlabel="False positive rate", ylabel="True positive rate")
    elif kind == "pr":
        x, y = points[1], points[0]
        at = (confusion.sensitivity, confusion.precision)
        axes.set(xlabel="Recall", ylabel="Precision")
    else:
        x, y = points[0], points[1]
        at = (1 - confusion.specificity, 1 - confusion.sensitivity)
        axes.set(xlabel="False positive rate", ylabel="False negative rate")
    axes.plot(x, y, label=text)
    axes.plot(*at, "o", label=f"threshold {threshold:.6g}")
    axes.legend()
    axes.figure.savefig(path, dpi=150)


def _print(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps({k: _finite(v) for k, v in result.items()}))
        return
    for name, value in result.items():
        print(f"{name:26} {value}")


def _finite(value: Any) -> Any:
    """JSON has no infinity: as text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
