"""``pixelgauge auroc FILE``: AUROC with its interval, curves and figures at a threshold, of a table of scores."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import math
import os
import sys
import warnings
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from pixelgauge._version import __version__
from pixelgauge.checks import ArgumentValueError, byte_size
from pixelgauge.cli import EXIT_DONE, UsageError, given
from pixelgauge.cli.auroc_report import add_report_options, beside_the_scores, report_of, require_report
from pixelgauge.cli.written import after_results, naming, say_page
from pixelgauge.files.cells import EXACT, number
from pixelgauge.files.reading import FileError, shown
from pixelgauge.files.tables import PARQUET, Table, import_parquet, read_table
from pixelgauge.files.writing import replacing, require_writable, target_of
from pixelgauge.images import Array
from pixelgauge.ranking.arrays import equals
from pixelgauge.ranking.binary import (
    average_precision_score,
    det_curve,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)
from pixelgauge.ranking.inputs import label_array, score_array, target_type
from pixelgauge.ranking.intervals import (
    METHODS,
    AurocInterval,
    bootstrap_interval,
    delong_interval,
    roc_auc_interval,
)
from pixelgauge.ranking.out_of_core import LEAST_BUDGET, roc_auc_score_out_of_core
from pixelgauge.ranking.thresholds import Confusion, best_threshold, confusion_at_threshold

_CURVES = {
    "roc": (roc_curve, ("fpr", "tpr")),
    "pr": (precision_recall_curve, ("precision", "recall")),
    "det": (det_curve, ("fpr", "fnr")),
}
_MOST_SEED = 2**128
_CRITERIA = ("youden", "f1", "mcc", "accuracy", "balanced_accuracy", "closest")


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("auroc", help="AUROC, interval, curves and operating point of a table of scores")
    parser.add_argument("file", type=Path, help=".csv .tsv .jsonl .parquet .npz, or .npy of shape (N, 2): label, score")
    parser.add_argument("--label", default="label", metavar="COLUMN", help="column of the labels (default: label)")
    parser.add_argument("--score", default="score", metavar="COLUMN", help="column of the scores (default: score)")
    parser.add_argument("--pos-label", help="the positive class (default: 1, of labels 0 and 1 or -1 and 1)")
    parser.add_argument(
        "--interval",
        choices=(*METHODS, "bootstrap"),
        default="score",
        help="score covers near 1 and with few positives, where the others do not (default: score)",
    )
    parser.add_argument("--level", type=_real, default=0.95, help="of the interval (default: 0.95)")
    parser.add_argument("--seed", type=_integer, default=0, help="of the bootstrap (default: 0)")
    parser.add_argument(
        "--missing",
        choices=("error", "drop", "keep"),
        default="error",
        help="rows without a value in a column that is used (NA, null, an empty cell ...) are an error or left out; "
        "keep makes a label such as None a class (default: error)",
    )
    threshold = parser.add_mutually_exclusive_group()
    threshold.add_argument("--threshold", type=_threshold, help="show the figures at this threshold")
    threshold.add_argument("--best", choices=_CRITERIA, help="choose the threshold by a criterion (default: youden)")
    parser.add_argument("--curve", choices=tuple(_CURVES), default="roc", help="what --csv and --plot hold")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="write the curve's points")
    parser.add_argument("--plot", type=Path, metavar="OUT", help="draw the curve: .png or .svg (needs the plot extra)")
    add_report_options(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace the files of --csv and --plot if they exist")
    parser.add_argument(
        "--memory-budget", metavar="SIZE", help="AUROC alone, of a Parquet file, within so many bytes, as 2G"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read, measure, write and print."""
    _check_options(args)
    if args.memory_budget is not None:
        return _run_out_of_core(args)
    table = read_table(args.file, args.label, args.score, args.missing)
    table, beside = beside_the_scores(args, table)
    scores = _metric_input(args, "score", table.scores, score_array)
    truth = _truth(args, table)
    auroc, interval, notes = _auroc(args, scores, truth)
    threshold = args.threshold
    if threshold is None:
        threshold = best_threshold(truth, scores, criterion=args.best or "youden")
    confusion = confusion_at_threshold(truth, scores, threshold)
    result: dict[str, Any] = {
        "file": str(args.file),
        "samples": len(truth),
        **({"dropped": table.dropped} if args.missing == "drop" else {}),
        "positives": int(truth.sum()),
        "negatives": int((~truth).sum()),
        "auroc": auroc,
        "interval": args.interval,
        "level": args.level,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        **notes,
        "average_precision": average_precision_score(truth, scores),
        "threshold": threshold,
        **_figures(confusion),
        "version": __version__,
    }
    with after_results() as after:
        _print(result, args.json)
        sys.stdout.flush()
        after.code = EXIT_DONE
        _write_curves(args, truth, scores, auroc, interval, confusion, threshold)
        if args.report:
            with naming("--report", args.report):
                report_of(args, result, truth, scores, interval, beside)
            say_page(args)
    return EXIT_DONE


def _write_curves(
    args: argparse.Namespace,
    truth: Array,
    scores: Array,
    auroc: float,
    interval: AurocInterval | None,
    confusion: Confusion,
    threshold: float,
) -> None:
    """Write the files of ``--csv`` and ``--plot``: neither appears before both are whole."""
    if not (args.csv or args.plot):
        return
    curve, columns = _CURVES[args.curve]
    points = curve(truth, scores)
    with naming("--csv", args.csv), naming("--plot", args.plot), contextlib.ExitStack() as both:
        if args.csv:
            _write_curve(both.enter_context(replacing(args.csv, overwrite=args.overwrite)), columns, points)
        if args.plot:
            figure = _plot(args.curve, points, auroc, interval, args.level, confusion, threshold)
            file = both.enter_context(replacing(args.plot, overwrite=args.overwrite))
            figure.savefig(file, format=args.plot.suffix.lower()[1:], dpi=150)


def _run_out_of_core(args: argparse.Namespace) -> int:
    alone = ("pos_label", "interval", "level", "seed", "missing", "threshold", "best", "curve", "csv", "plot", "report",
             "versus", "groups")  # fmt: skip
    ignored = [f"--{name.replace('_', '-')}" for name in alone if given(args, name)]
    if ignored:
        raise UsageError(f"--memory-budget gives AUROC alone: leave out {', '.join(ignored)}")
    if args.file.suffix not in PARQUET:
        raise UsageError(f"{shown(args.file)}: --memory-budget reads Parquet files: leave it out")
    auroc = roc_auc_score_out_of_core(
        args.file, args.file, memory_budget=args.memory_budget, label_column=args.label, score_column=args.score
    )
    _print({"file": str(args.file), "auroc": auroc, "version": __version__}, args.json)
    return EXIT_DONE


def _check_options(args: argparse.Namespace) -> None:
    """Raise for what can be known before the work: options, modules that are missing, files that cannot be written."""
    if not 0 <= args.seed < _MOST_SEED:
        raise UsageError(f"--seed {shown(args.seed)}: give an integer of at least 0, and below 2^128")
    if not 0 < args.level < 1 or (1 + args.level) / 2 == 1:  # a quantile of 1 is infinite
        raise UsageError(f"--level {args.level}: give a number between 0 and 1")
    if args.memory_budget is not None:
        args.memory_budget = byte_size("memory_budget", args.memory_budget)
    if args.memory_budget is not None and not LEAST_BUDGET <= args.memory_budget < 2**63:
        raise UsageError(f"--memory-budget {shown(args.memory_budget)}: give at least {LEAST_BUDGET} bytes")
    if args.label.strip() == args.score.strip():
        raise UsageError(f"--label and --score are both {shown(args.label)!r}: name two columns")
    written = {name: path for name in ("csv", "plot", "report") if (path := getattr(args, name)) is not None}
    outputs = {name: path for name, path in written.items() if name != "report"}
    if args.overwrite and not outputs:
        raise UsageError("--overwrite needs --csv OUT or --plot OUT")
    if given(args, "curve") and not outputs:
        raise UsageError("--curve needs --csv OUT or --plot OUT")
    for (first, path), (second, other) in combinations(written.items(), 2):
        if _one_file(path, other):
            raise UsageError(f"--{first} and --{second} are both {shown(path)}: name two files")
    require_report(args)
    for name, path in outputs.items():
        with naming(f"--{name}", path):
            try:
                require_writable(path, overwrite=args.overwrite, inputs=[args.file])
            except FileExistsError as error:
                rest = "" if args.overwrite else ": choose another name or give --overwrite"
                raise UsageError(f"--{name}: {shown(path)} {error.strerror}{rest}") from error
    if args.plot:
        if args.plot.suffix.lower() not in (".png", ".svg"):
            raise UsageError(f"--plot {shown(args.plot)}: use .png or .svg")
        from pixelgauge.drawing import new_axes

        new_axes()
    if args.file.suffix.lower() in PARQUET:
        import_parquet()


def _one_file(first: Path, second: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samefile(first, second)
    return target_of(first) == target_of(second)


def _metric_input(args: argparse.Namespace, option: str, values: Array, read: Callable[[object, str], Array]) -> Array:
    """Labels or scores as the metrics read them, once: integers of any size stay what they are."""
    try:
        return read(values, f"column {getattr(args, option)!r},")
    except (TypeError, ValueError) as error:
        raise FileError(str(args.file), str(error), f"see --{option}") from error


def _truth(args: argparse.Namespace, table: Table) -> Array:
    """Where a row is positive; raise unless the labels are classes, and it is known which one that is."""
    place = f"{shown(args.file)}: column {args.label!r}"
    if table.classes is not None:
        labels, classes = table.labels, table.classes
        if args.pos_label is None:
            raise UsageError(
                f"{place} holds the labels {_listed(sorted(classes))}: name the positive one by --pos-label"
            )
        text = args.pos_label.strip()
        found: Array = labels == classes.index(text) if text in classes else np.zeros(len(labels), bool)
        classes = sorted(classes)
    else:
        labels = _metric_input(args, "label", table.labels, label_array)
        try:
            _, binary = target_type(labels)
        except (TypeError, ValueError) as error:
            raise FileError(str(args.file), f"column {args.label!r}: {error}") from error
        classes = (np.unique(labels) if binary is None else binary.classes).tolist()
        if args.pos_label is None and not any(set(classes) <= usual for usual in ({0, 1}, {-1, 1})):
            raise UsageError(f"{place} holds the labels {_listed(classes)}: name the positive one by --pos-label")
        found = equals(labels, 1 if args.pos_label is None else _as_number(args.pos_label, labels, classes))
    if args.pos_label is not None and not found.any():
        raise UsageError(f"--pos-label {shown(args.pos_label)} is not among the labels {_listed(classes)} of {place}")
    return found


def _listed(classes: list[Any]) -> str:
    return shown(", ".join(map(repr, classes[:5])) + (", ..." if len(classes) > 5 else ""))


def _as_number(text: str, labels: Array, classes: list[Any]) -> float:
    """Label that an option names: a number, of booleans true or false too."""
    value = number(text)
    if value is None and labels.dtype.kind == "b":
        value = {"true": 1, "false": 0}.get(text.strip().lower())
    if value is None:
        raise UsageError(f"--pos-label {shown(text)} is not a number, and the labels are: {_listed(classes)}")
    return value


def _auroc(args: argparse.Namespace, scores: Array, truth: Array) -> tuple[float, AurocInterval | None, dict[str, str]]:
    """AUROC, its interval, and what is to be said of that: why there is none, or how far it can be trusted."""
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if positives == 0 or negatives == 0:
        place = f"{shown(args.file)}, column {args.label!r}"
        remedy = "give a file with rows of both, or name other labels by --label or --pos-label"
        raise UsageError(f"{place} holds one class only: {positives} positives and {negatives} negatives: {remedy}")
    auroc = cast(float, roc_auc_score(truth, scores))
    if positives == 1 or negatives == 1:
        why = f"{positives} positives and {negatives} negatives: an interval needs at least two of each"
        return auroc, None, {"no_interval": why}
    with warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        try:
            interval = _interval(args, scores, truth)
        except ArgumentValueError as error:
            if error.argument != "method":
                raise
            return auroc, None, {"no_interval": error.told(f"--interval {args.interval}", "use --interval score")}
    doubt = "; ".join(str(warning.message) for warning in doubts)
    return auroc, interval, {"interval_doubt": doubt} if doubt else {}


def _interval(args: argparse.Namespace, scores: Array, truth: Array) -> AurocInterval:
    if args.interval == "bootstrap":
        return bootstrap_interval(truth, scores, level=args.level, seed=args.seed)
    if args.interval == "delong":
        return delong_interval(truth, scores, level=args.level)
    return roc_auc_interval(truth, scores, level=args.level, method=args.interval)


def _threshold(text: str) -> float:
    value = number(text)
    if value is None or math.isnan(value):
        raise argparse.ArgumentTypeError(f"{shown(text)!r} is not a number")
    return value if abs(value) > EXACT else float(value)


def _real(text: str) -> float:
    value = number(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"{shown(text)!r} is not a number")
    return value


def _integer(text: str) -> int:
    value = number(text)
    if not isinstance(value, int):
        raise argparse.ArgumentTypeError(f"{shown(text)!r} is not an integer")
    return value


def _figures(confusion: Confusion) -> dict[str, float | None]:
    names = ("sensitivity", "specificity", "precision", "negative_predictive_value", "accuracy", "balanced_accuracy",
             "f1", "mcc", "youden_j")  # fmt: skip
    values = {name: getattr(confusion, name) for name in names}
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def _write_curve(file: BinaryIO, columns: tuple[str, str], points: tuple[Array, Array, Array]) -> None:
    first, second, thresholds = points
    # the last point of a precision-recall curve has no threshold
    padded = [*thresholds.tolist(), *[""] * (len(first) - len(thresholds))]
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    try:
        writer = csv.writer(text)
        writer.writerow((*columns, "threshold"))
        writer.writerows(zip(first.tolist(), second.tolist(), padded, strict=True))
    finally:
        text.detach()  # the file is closed by whoever opened it


def _plot(
    kind: str,
    points: tuple[Array, Array, Array],
    auroc: float,
    interval: AurocInterval | None,
    level: float,
    confusion: Confusion,
    threshold: float,
) -> Any:
    """Figure of a curve, with the point of a threshold."""
    from pixelgauge.drawing import new_axes

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
    return axes.figure


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
