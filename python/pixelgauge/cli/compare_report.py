"""The report of ``compare``: its options, what is checked before any work, and the page at the end."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from pixelgauge.cli import UsageError
from pixelgauge.cli.terminal import Progress
from pixelgauge.cli.written import TO_READ, naming, require_page
from pixelgauge.engine.baseline import Baseline
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
    judged : Baseline, optional
        Which a gate holds the rows against: it is read and held once.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        comparison: Comparison,
        pairing: Pairing,
        inputs: Iterable[str],
        judged: Baseline | None,
    ) -> None:
        self._path, self._workers, self._memory, self._quiet = args.report, args.workers, args.memory, args.quiet
        self._is_pooled = args.psnr == "pooled"
        if self._path is None:
            if args.report_baseline is not None:
                raise UsageError("--report-baseline needs --report FILE")
            return
        from pixelgauge.report.compare import CompareReport, report_baseline

        for other in ("output", "junit"):
            path = getattr(args, other)
            if path is not None and target_of(path) == target_of(self._path):
                raise UsageError(f"--report and --{other} name the same file: name two")
        require_page(self._path, inputs)
        self._own: Baseline | None = None
        if args.report_baseline is not None:
            with naming("--report-baseline", args.report_baseline, TO_READ):
                self._own = report_baseline(args.report_baseline, comparison, pairing)
        self._report = CompareReport(comparison, pairing, self._own or judged, _given(args))

    def add(self, row: ScoreRow, pair: Pair | None, problems: Sequence[str]) -> None:
        """Look at a row."""
        if self._path is None:
            return
        if self._own is not None:
            self._own.add(row)
        self._report.add(row, pair, problems)

    def write(self, summary: Summary, verdicts: Sequence[Verdict], *, is_complete: bool) -> None:
        """Write the page; errors name the option."""
        if self._path is None:
            return
        with naming("--report", self._path), Progress("pair", quiet=self._quiet) as progress:
            progress.start(None, name="report")
            self._report.write(
                self._path,
                summary,
                verdicts=verdicts,
                workers=self._workers,
                memory=self._memory,
                is_complete=is_complete,
                is_pooled=self._is_pooled,
                step=progress.step,
            )


def _given(args: argparse.Namespace) -> tuple[str, str]:
    """Name what the command was asked to compare: two things, or a list and nothing."""
    ref = "standard input" if args.ref == "@-" else args.ref.removeprefix("@") if args.test is None else args.ref
    return ref, "standard input" if args.test == "-" else args.test or ""
