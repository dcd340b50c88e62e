"""``pixelgauge auroc FILE``: AUROC with its interval, curves and figures at a threshold, of a table of scores."""

from __future__ import annotations

import argparse
import csv
import json
import math
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np

from pixelgauge._version import __version__
from pixelgauge.auroc_intervals import AurocInterval, bootstrap_interval, delong_interval
from pixelgauge.cli import EXIT_DONE, UsageError
from pixelgauge.images import Array
from pixelgauge.operating_points import Confusion, best_threshold, confusion_at_threshold
from pixelgauge.out_of_core import roc_auc_score_out_of_core
from pixelgauge.ranking import average_precision_score, det_curve, precision_recall_curve, roc_auc_score, roc_curve
from pixelgauge.ranking_arrays import EXACT_INTEGERS, column, equals
from pixelgauge.ranking_inputs import label_array, score_array, target_type

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
    threshold.add_argument("--threshold", type=_threshold, help="show the figures at this threshold")
    threshold.add_argument("--best", choices=_CRITERIA, help="choose the threshold by a criterion (default: youden)")
    parser.add_argument("--curve", choices=tuple(_CURVES), default="roc", help="what --csv and --plot hold")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="write the curve's points")
    parser.add_argument("--plot", type=Path, metavar="OUT", help="draw the curve: .png or .svg (needs the plot extra)")
    parser.add_argument("--overwrite", action="store_true", help="replace the files of --csv and --plot if they exist")
    parser.add_argument(
        "--memory-budget", type=int, metavar="BYTES", help="AUROC alone, of a Parquet file larger than memory"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read, measure, write and print."""
    _check_options(args)
    if args.memory_budget is not None:
        return _run_out_of_core(args)
    labels, scores = _read(args.file, args.label, args.score)
    pos_label = _as_label(args.pos_label, labels)
    _check_labels(f"{args.file}, column {args.label!r}", labels, pos_label)
    truth = equals(labels, 1 if pos_label is None else pos_label)
    auroc, interval, no_interval = _auroc(args, labels, scores, truth, pos_label)
    threshold = args.threshold
    if threshold is None:
        threshold = best_threshold(labels, scores, criterion=args.best or "youden", pos_label=pos_label)
    confusion = confusion_at_threshold(labels, scores, threshold, pos_label=pos_label)
    result: dict[str, Any] = {
        "file": str(args.file),
        "samples": len(labels),
        "positives": int(truth.sum()),
        "negatives": int((~truth).sum()),
        "auroc": auroc,
        "interval": args.interval,
        "level": args.level,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        **({} if no_interval is None else {"no_interval": no_interval}),
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
            _plot(args.plot, args.curve, points, auroc, interval, args.level, confusion, threshold)
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


def _check_options(args: argparse.Namespace) -> None:
    if args.seed < 0:
        raise UsageError(f"--seed {args.seed}: give an integer of at least 0")
    if not 0 < args.level < 1:
        raise UsageError(f"--level {args.level}: give a number between 0 and 1")
    outputs = [path for path in (args.csv, args.plot) if path is not None]
    if args.overwrite and not outputs:
        raise UsageError("--overwrite needs --csv OUT or --plot OUT")
    for path in outputs:
        if path.exists() and not args.overwrite:
            raise UsageError(f"{path} exists: choose another name or give --overwrite")


def _check_labels(place: str, labels: Array, pos_label: object) -> None:
    """Raise unless the labels are classes, and it is known which one is positive."""
    try:
        _, binary = target_type(label_array(labels))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{place}: {error}") from error
    classes = (np.unique(labels) if binary is None else binary.classes).tolist()
    if pos_label is None and not any(set(classes) <= usual for usual in ({0, 1}, {-1, 1})):
        raise UsageError(f"{place} holds the labels {str(classes[:5])[1:-1]}: name the positive one by --pos-label")


def _auroc(
    args: argparse.Namespace, labels: Array, scores: Array, truth: Array, pos_label: object
) -> tuple[float, AurocInterval | None, str | None]:
    """AUROC, and its interval or why there is none."""
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if positives == 0 or negatives == 0:
        raise UsageError(
            f"{args.file}, column {args.label!r} holds one class only: {positives} positives and {negatives} negatives"
        )
    if positives == 1 or negatives == 1:
        why = f"{positives} positives and {negatives} negatives: an interval needs at least two of each"
        return cast(float, roc_auc_score(truth, scores)), None, why
    if args.interval == "delong":
        interval = delong_interval(labels, scores, level=args.level, pos_label=pos_label)
    else:
        interval = bootstrap_interval(labels, scores, level=args.level, seed=args.seed, pos_label=pos_label)
    return interval.auroc, interval, None


def _read(path: Path, label: str, score: str) -> tuple[Array, Array]:
    """Label and score columns of a table; what cannot be read is named by file, row and column."""
    if not path.is_file():
        raise UsageError(f"{path} is not a file")
    suffix = path.suffix.lower()
    try:
        if suffix in (".csv", ".tsv"):
            with path.open(newline="", encoding="utf-8-sig") as file:
                rows = _csv_rows(path, csv.reader(file, delimiter="\t" if suffix == ".tsv" else ","), label, score)
                labels, scores = _columns(path, rows, label, score)
        elif suffix in (".jsonl", ".ndjson"):
            with path.open(encoding="utf-8-sig") as file:
                labels, scores = _columns(path, _json_rows(path, file, label, score), label, score)
        elif suffix in (".parquet", ".pq"):
            labels, scores = _read_parquet(path, label, score)
        elif suffix in (".npz", ".npy"):
            labels, scores = _read_numpy(path, label, score)
        else:
            raise UsageError(f"{path} has an unknown extension: use .csv, .tsv, .jsonl, .parquet, .npz or .npy")
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a text file in UTF-8 ({error}): save it as UTF-8") from error
    labels, scores = column(labels, f"{path}, column {label!r},"), column(scores, f"{path}, column {score!r},")
    labels, scores = _known(path, label, labels, label_array), _known(path, score, scores, score_array)
    if len(labels) != len(scores):
        raise ValueError(f"{path} has {len(labels)} values of {label!r} and {len(scores)} of {score!r}: give one each")
    for name, values in ((label, labels), (score, scores)):
        if values.dtype.kind == "f" and np.isnan(values).any():
            row = int(np.argmax(np.isnan(values))) + 1
            raise ValueError(f"{path}, row {row}, column {name!r}: NaN: remove the row or fill it in")
    return labels, scores


def _known(path: Path, name: str, values: Array, read: Callable[[object, str], Array]) -> Array:
    """Labels or scores as the metrics read them, once: integers of any size stay what they are."""
    place = f"{path}, column {name!r},"
    return read(values, place) if values.size else values


def _threshold(text: str) -> float:
    value = _number(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value if abs(value) > EXACT_INTEGERS else float(value)


def _read_parquet(path: Path, label: str, score: str) -> tuple[Array, Array]:
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ImportError("Parquet files need pyarrow: pip install 'pixelgauge[arrow]'") from error
    try:
        _require_columns(path, parquet.read_schema(path).names, label, score)
        table = parquet.read_table(path, columns=[label, score])
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path} cannot be read as Parquet: {error}") from error
    if table[label].null_count or table[score].null_count:
        raise ValueError(f"{path} holds missing values: remove those rows first")
    return table[label].to_numpy(), table[score].to_numpy()


def _read_numpy(path: Path, label: str, score: str) -> tuple[Array, Array]:
    try:
        with path.open("rb") as file:  # np.load would leave a damaged archive open
            held = np.load(path, mmap_mode="r") if path.suffix.lower() == ".npy" else np.load(file)
            if not isinstance(held, np.ndarray):
                _require_columns(path, list(held), label, score)
                return held[label], held[score]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path} cannot be read ({error}): it must be a whole file of numbers by numpy.save or numpy.savez"
        ) from error
    if held.ndim != 2 or held.shape[1] != 2:
        raise ValueError(f"{path} has shape {held.shape}: a .npy file must be (N, 2), label and score")
    return held[:, 0], held[:, 1]


def _csv_rows(path: Path, lines: Iterator[list[str]], label: str, score: str) -> Iterator[tuple[str, Any, Any]]:
    """Place, label and score of each row; empty lines do not count."""
    header = next(lines, [])
    if not header:
        raise ValueError(f"{path} has no header: its first line must name the columns")
    _require_columns(path, header, label, score)
    columns = header.index(label), header.index(score)
    for number, cells in enumerate((cells for cells in lines if cells), 1):
        if len(cells) != len(header):
            raise ValueError(f"{path}, row {number}: {len(cells)} cells, but the header has {len(header)} columns")
        yield f"{path}, row {number}", cells[columns[0]], cells[columns[1]]


def _json_rows(path: Path, lines: Iterable[str], label: str, score: str) -> Iterator[tuple[str, Any, Any]]:
    """Place, label and score of each line's object; empty lines do not count, but in the number of the line."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            row = json.loads(line, object_pairs_hook=list, parse_float=_number)
        except ValueError as error:
            raise ValueError(f"{place}: not JSON: {error}") from error
        if not (isinstance(row, list) and all(isinstance(pair, tuple) for pair in row)):
            raise ValueError(f"{place}: not a JSON object")
        _require_columns(place, [name for name, _ in row], label, score)
        values = dict(row)
        yield place, values[label], values[score]


def _columns(path: Path, rows: Iterable[tuple[str, Any, Any]], label: str, score: str) -> tuple[Array, Array]:
    labels: list[Any] = []
    scores: list[Any] = []
    for place, of_label, of_score in rows:
        if of_label is None or str(of_label).strip().lower() in ("", "nan"):
            raise ValueError(f"{place}, column {label!r}: {of_label!r} is not a label: remove the row or fill it in")
        if not isinstance(of_label, str | int | float):
            raise ValueError(f"{place}, column {label!r}: {of_label!r} is not a label: use numbers or text")
        value = _number(of_score)
        if value is None or math.isnan(value):
            raise ValueError(
                f"{place}, column {score!r}: {of_score!r} is not a score: give a number, or remove the row"
            )
        labels.append(of_label)
        scores.append(value)
    if not labels:
        raise ValueError(f"{path} holds no rows")
    if all(isinstance(of_label, str) for of_label in labels):
        numbers = [_number(of_label) for of_label in labels]
        if None not in numbers:  # 1.0 and 1 are one label
            labels = numbers
    return _objects(labels), _objects(scores)


def _objects(values: list[Any]) -> Array:
    """Values as they are, for the metrics' own reading of numbers and text."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


_WHOLE = re.compile(r"[+-]?[0-9]+(\.0*)?")


def _number(value: object) -> float | None:
    """Value of a cell, if it is a number that float64 or an integer holds; Python's 1_000 is not one."""
    if isinstance(value, int):
        return value if abs(value) <= sys.float_info.max else None
    if not isinstance(value, str | float):
        return None
    try:
        number = None if isinstance(value, str) and "_" in value else float(value)
    except ValueError:
        return None
    if number is None or not isinstance(value, str):
        return number
    whole = _WHOLE.fullmatch(value.strip())
    if whole is None:
        return number
    if math.isinf(number):
        return None
    exact = int(value.strip().partition(".")[0])
    # 1.0 stays a float, unless float64 would round it
    return exact if exact != number or whole[1] is None else number


def _require_columns(place: Path | str, names: list[str], *wanted: str) -> None:
    for name in wanted:
        if name not in names:
            raise UsageError(
                f"{place} has no column {name!r}: it has {', '.join(map(repr, names))}; see --label, --score"
            )
        if names.count(name) > 1:
            raise UsageError(f"{place} has {names.count(name)} columns {name!r}: rename or remove all but one")


def _as_label(text: str | None, labels: Array) -> object:
    if text is None:
        return None
    if labels.dtype.kind in "USO":
        value: object = text
    elif labels.dtype.kind == "b":
        value = text.lower() in ("1", "true")
    else:
        number = _number(text)
        if number is None:
            raise UsageError(
                f"--pos-label {text} is not a number, and the labels are: {np.unique(labels)[:5].tolist()}"
            )
        value = number
    if not equals(labels, value).any():
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
    auroc: float,
    interval: AurocInterval | None,
    level: float,
    confusion: Confusion,
    threshold: float,
) -> None:
    from pixelgauge.ranking_display import new_axes

    if path.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"--plot {path}: use .png or .svg")
    axes = new_axes()
    text = f"AUROC {auroc:.4f}"
    if interval is not None:
        text += f" ({level:.0%}: {interval.low:.4f} to {interval.high:.4f})"
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
    axes.plot(*at, "o", label=f"threshold {float(threshold):.6g}")
    axes.legend()
    axes.figure.savefig(path, dpi=150)


def _print(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps({k: _finite(v) for k, v in result.items()}))
        return
    for name, value in result.items():
        print(f"{name:26} {value}")


def _finite(value: Any) -> Any:
    """JSON has no infinity, and no number that is neither an integer nor a float: as text."""
    known = value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
    return value if known else str(value)
