"""``--report`` of ``pixelgauge auroc``: its options, the columns beside the scores, and the page."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelgauge.cli import UsageError, given
from pixelgauge.cli.written import naming
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
    if args.report is not None:
        from pixelgauge.report.document import require_report_writable

        with naming("--report", args.report):
            require_report_writable(str(args.report), [str(args.file)])


@dataclass(frozen=True)
class Beside:
    """Columns beside the scores."""

    versus: tuple[str, Array] | None = None
    groups: tuple[str, Array] | None = None


def beside_the_scores(args: argparse.Namespace, table: Table) -> Beside:
    """Read the columns that the page alone needs; rows are the same, or that is an error."""
    versus = groups = None
    if args.versus is not None:
        other = read_table(args.file, args.label, args.versus, args.missing)
        _require_rows(args, "versus", table, other)
        try:
            versus = (args.versus, score_array(other.scores, f"column {args.versus!r},"))
        except (TypeError, ValueError) as error:
            raise FileError(str(args.file), str(error), "see --versus") from error
    if args.groups is not None:
        other = read_table(args.file, args.groups, args.score, args.missing)
        _require_rows(args, "groups", table, other)
        names = other.labels if other.classes is None else np.array(other.classes, object)[other.labels]
        groups = (args.groups, np.asarray(names).astype(str) if other.classes else label_array(names))
    return Beside(versus, groups)


def _require_rows(args: argparse.Namespace, option: str, table: Table, other: Table) -> None:
    if table.dropped or other.dropped:
        column = getattr(args, option)
        raise UsageError(
            f"--{option} {shown(column)}: rows are left out for missing values, and not the same in each column: fill "
            "them in, or remove those rows from the file"
        )


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
