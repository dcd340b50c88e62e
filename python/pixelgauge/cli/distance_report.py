"""``--report`` of ``pixelgauge distance``: its options, and the page."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from pixelgauge.cli.written import naming
from pixelgauge.distribution.feature_sets import MAIN
from pixelgauge.engine.distances import Measured, Outputs, Sides


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--report",
        metavar="FILE",
        help="write a page to look at: figures with intervals, samples, nearest real neighbours, a map of the features",
    )


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
    with naming("--report", args.report):
        write_distance_page(args.report, compared)
