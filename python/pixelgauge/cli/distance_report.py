"""``--report`` of ``pixelgauge distance``: its options, and the page."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelgauge.cli import UsageError
from pixelgauge.distribution.feature_sets import MAIN
from pixelgauge.engine.distances import Measured, Outputs, Sides
from pixelgauge.files.reading import shown
from pixelgauge.files.writing import require_writable


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--report",
        type=Path,
        metavar="OUT",
        help="write a page of HTML: figures with intervals, samples, nearest real neighbours, a map of the features",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file of --report if it exists")


def require_report(args: argparse.Namespace) -> None:
    """Raise for a page that cannot be written, before the work."""
    if args.report is None:
        if args.overwrite:
            raise UsageError("--overwrite needs --report OUT")
        return
    try:
        require_writable(args.report, overwrite=args.overwrite, inputs=[args.a, args.b])
    except FileExistsError as error:
        rest = "" if args.overwrite else ": choose another name or give --overwrite"
        raise UsageError(f"--report: {shown(args.report)} {error.strerror}{rest}") from error


def samples_for(sides: Sides) -> Outputs:
    """Say what a page is made of, beside what the figures need: the features of all samples there are."""
    a, b = (
        frozenset({MAIN}) if side.stats is None and side.has(MAIN, sides.extraction) else frozenset[str]()
        for side in (sides.a, sides.b)
    )
    return Outputs() if sides.unlike is not None else Outputs(a, b, frozenset({MAIN}))


def report_of(
    args: argparse.Namespace, sides: Sides, measured: Measured, facts: Mapping[str, Any], failed: Mapping[str, str]
) -> None:
    """Write the page."""
    from pixelgauge.report.distance_page import Compared, write_distance_page

    left_out = ("metrics", "explain", "failed")
    compared = Compared(
        sides,
        measured.values,
        failed,
        measured.features,
        {"A": sides.a.name, "B": sides.b.name, **{key: value for key, value in facts.items() if key not in left_out}},
        facts.get("explain", {}),
    )
    write_distance_page(args.report, compared)
