"""``--report`` of ``pixelgauge auroc``: its options, the columns beside the scores, and the page."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from pixelgauge.cli import UsageError, given
from pixelgauge.cli.written import require_page
from pixelgauge.files.reading import FileError, shown
from pixelgauge.files.tables import Table, read_table
from pixelgauge.images import Array
from pixelgauge.ranking.inputs import label_array, score_array
from pixelgauge.ranking.intervals import AurocInterval

_CHOSEN_BY = {
    "youden": "greatest Youden's J",
    "f1": "greatest F1",
    "mcc": "greatest MCC",
    "accuracy": "greatest accuracy",
    "balanced_accuracy": "greatest balanced accuracy",
    "closest": "nearest to a perfect point of the ROC curve",
}


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write a page to look at: curves, operating points, scores by class"
    )
    parser.add_argument(
        "--versus", metavar="COLUMN", help="scores of another model, which the page compares by DeLong's paired test"
    )
    parser.add_argument("--groups", metavar="COLUMN", help="groups of rows, of each of which the page shows the AUROC")


def require_report(args: argparse.Namespace) -> None:
    """Raise for options of the page that lead nowhere."""
    for option in ("versus", "groups"):
        column = getattr(args, option)
        if column is None:
            continue
        if args.report is None:
            raise UsageError(f"--{option} needs --report FILE: it says what the page shows")
        if column.strip() in (args.label.strip(), args.score.strip()):
            taken = "--label" if column.strip() == args.label.strip() else "--score"
            raise UsageError(f"--{option} and {taken} are both {shown(column)}: name another column")
    if args.report is not None and args.file.suffix.lower() == ".npy" and (args.versus or args.groups):
        raise UsageError(f"{shown(args.file)}: a .npy file has no columns but label and score: use another kind")
    require_page(args.report, [str(args.file)])


@dataclass(frozen=True)
class Beside:
    """Columns beside the scores."""

    versus: tuple[str, Array] | None = None
    groups: tuple[str, Array] | None = None


def beside_the_scores(args: argparse.Namespace, table: Table) -> tuple[Table, Beside]:
    """Read the columns that the page alone needs; and return rows that have a value in each of them."""
    others = {}
    if args.versus is not None:
        others["versus"] = read_table(args.file, args.label, args.versus, args.missing)
    if args.groups is not None:
        others["groups"] = read_table(args.file, args.groups, args.score, args.missing)
    if others and args.missing == "drop":
        table, others = _in_common(args, table, others)
    versus = groups = None
    if "versus" in others:
        try:
            versus = (args.versus, score_array(others["versus"].scores, f"column {args.versus!r},"))
        except (TypeError, ValueError) as error:
            raise FileError(str(args.file), str(error), "see --versus") from error
    if "groups" in others:
        other = others["groups"]
        names = other.labels if other.classes is None else np.array(other.classes, object)[other.labels]
        groups = (args.groups, np.asarray(names).astype(str) if other.classes else label_array(names))
    return table, Beside(versus, groups)


def _in_common(args: argparse.Namespace, table: Table, others: Mapping[str, Table]) -> tuple[Table, dict[str, Table]]:
    """Rows that no column lacks a value of."""
    common = reduce(np.intersect1d, (other.rows for other in (table, *others.values()) if other.rows is not None))
    if not len(common):
        columns = ", ".join(shown(getattr(args, option)) for option in ("label", "score", *others))
        raise UsageError(f"{shown(args.file)}: no row has a value in each of the columns {columns}: fill them in")
    return table.among(common), {option: other.among(common) for option, other in others.items()}


def report_of(
    args: argparse.Namespace,
    result: Mapping[str, Any],
    truth: Array,
    scores: Array,
    interval: AurocInterval | None,
    beside: Beside,
) -> None:
    """Write the page."""
    from pixelgauge.report.auroc_page import Scored, write_auroc_page

    chosen_by = "the threshold that was given" if given(args, "threshold") else _CHOSEN_BY[args.best or "youden"]
    kept = ("file", "samples", "dropped", "positives", "negatives", "interval", "level", "threshold", "version")
    scored = Scored(
        file=args.file.name,
        score=args.score,
        truth=truth,
        scores=scores,
        auroc=result["auroc"],
        interval=interval,
        said=result.get("no_interval") or result.get("interval_doubt") or "",
        level=args.level,
        average_precision=result["average_precision"],
        threshold=float(result["threshold"]),
        chosen_by=chosen_by,
        facts={name: result[name] for name in kept if name in result},
        groups=beside.groups,
        versus=beside.versus,
    )
    write_auroc_page(args.report, scored)
