"""``--report`` of ``pixelgauge demo``: its options, and what is checked before the work."""

from __future__ import annotations

import argparse
from pathlib import Path

from pixelgauge.cli import UsageError
from pixelgauge.files.reading import shown
from pixelgauge.files.writing import require_writable


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add the option."""
    parser.add_argument(
        "--report",
        type=Path,
        metavar="OUT",
        help="also write a page of HTML that shows all of it in one file",
    )


def require_report(args: argparse.Namespace) -> None:
    """Raise for a page that cannot be written."""
    if args.report is None:
        return
    try:
        require_writable(args.report, overwrite=args.overwrite)
    except FileExistsError as error:
        rest = "" if args.overwrite else ": choose another name or give --overwrite"
        raise UsageError(f"--report: {shown(args.report)} {error.strerror}{rest}") from error
