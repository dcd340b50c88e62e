"""The report of ``compare``: its options, what is checked before any work, and the page at the end."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from pixelgauge.cli import UsageError
from pixelgauge.cli.terminal import Progress
from pixelgauge.engine.comparison import Comparison
from pixelgauge.engine.gates import Verdict
from pixelgauge.engine.pairing import Pair, Pairing
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.engine.summary import Summary
from pixelgauge.files.writing import target_of


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the report."""
    group = parser.add_argument_group("report")
    group.add_argument(
        "--report", metavar="FILE", help="write a page to look at: figures, charts, the worst and best pairs, all rows"
    )
    group.add_argument(
        "--report-baseline",
        metavar="FILE",
        help="show in it what moved since FILE, an old --output (default: that of --baseline)",
    )


class RunReport:
    """The report that was asked for, or none; everything is checked when it is made.

    Parameters
    ----------
    args : argparse.Namespace
    comparison : Comparison
    pairing : Pairing
    inputs : iterable of str
        Files that the command reads.
    """

    def __init__(
        self, args: argparse.Namespace, comparison: Comparison, pairing: Pairing, inputs: Iterable[str]
    ) -> None:
        self._path, self._workers, self._is_pooled = args.report, args.workers, args.psnr == "pooled"
        if self._path is None:
            if args.report_baseline is not None:
                raise UsageError("--report-baseline needs --report FILE")
            return
        from pixelgauge.report.compare import CompareReport, report_baseline
        from pixelgauge.report.document import require_report_writable

        for other in ("output", "junit"):
            path = getattr(args, other)
            if path is not None and target_of(path) == target_of(self._path):
                raise UsageError(f"--report and --{other} name the same file: name two")
        before = args.report_baseline if args.report_baseline is not None else args.baseline
        require_report_writable(self._path, [*inputs, *([] if before is None else [before])])
        baseline = None if before is None else report_baseline(before, comparison, pairing)
        ref = "standard input" if args.ref == "@-" else args.ref.removeprefix("@") if args.test is None else args.ref
        test = "standard input" if args.test == "-" else args.test or ""
        self._report = CompareReport(comparison, pairing, baseline, (ref, test))

    def add(self, row: ScoreRow, pair: Pair | None, problems: Sequence[str]) -> None:
        """Look at a row."""
        if self._path is not None:
            self._report.add(row, pair, problems)

    def write(self, summary: Summary, verdicts: Sequence[Verdict], progress: Progress, *, is_complete: bool) -> None:
        """Write the page."""
        if self._path is not None:
            progress.start(None, name="report")
            self._report.write(
                self._path,
                summary,
                verdicts=verdicts,
                workers=self._workers,
                is_complete=is_complete,
                is_pooled=self._is_pooled,
                step=progress.step,
            )
