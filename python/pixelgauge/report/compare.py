"""The report of a comparison: one file of HTML that says what the scores mean and shows the pairs that matter."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pixelgauge.checks import ArgumentTypeError, whole_number
from pixelgauge.engine.baseline import Baseline
from pixelgauge.engine.compare import CompareRun
from pixelgauge.engine.comparison import Comparison
from pixelgauge.engine.gates import Verdict
from pixelgauge.engine.pairing import Pair, Pairing
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.engine.summary import Summary
from pixelgauge.files.reading import cut
from pixelgauge.images import path_name
from pixelgauge.images.budget import memory_size
from pixelgauge.markup import Markup, element
from pixelgauge.report.compare_sections import (
    Sample,
    distributions_section,
    figures_of,
    gates_said,
    gates_section,
    moves_section,
    summary_section,
)
from pixelgauge.report.document import Document, document, require_report_writable
from pixelgauge.report.gallery import Gallery, picture_ids
from pixelgauge.report.moves import Moves
from pixelgauge.report.pair_pictures import Photographer
from pixelgauge.report.row_table import table_data, table_markup
from pixelgauge.report.selection import Kept, Reservoir, Selection
from pixelgauge.report.written import counted, name
from pixelgauge.runtime import get_num_threads, isa

MOST_BYTES = 20_000_000
"""Of a report of any run."""
_REST = 600_000
"""Room for the table's markup, the fingerprint, styles and scripts."""
_LEAST_FOR_PAIRS = 4_000_000
_MOST_POINTS = 5_000
"""Pairs of which metrics are drawn over each other."""


def compare_report(
    run: CompareRun,
    path: str | os.PathLike[str],
    *,
    baseline: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    memory: int | str | None = None,
) -> Summary:
    """Take all rows of a run, and write a report of them: one file of HTML.

    Parameters
    ----------
    run : CompareRun
        From :func:`compare`, of which no row was taken.
    path : path
        Of the report; a page of pixelgauge that is there, or an empty file, is replaced, another file is not.
    baseline : path, optional
        A file of rows that ``compare --output`` wrote: the report shows what moved since.
    workers : int, optional
        Pairs whose pictures are made at a time; default :func:`get_num_threads`.
    memory : int or str, optional
        Bytes that these may take together, as of :func:`compare`.

    Returns
    -------
    Summary
        Of its rows.

    Raises
    ------
    TypeError, ValueError
        If an argument is of another kind or value; also if rows of the run were taken before, or are meanwhile, or it
        is closed: a page of a part would not say what is missing.
    FileError
        A ValueError: if `baseline` is no such file or was made with other options, or `path` is a file of another
        kind.
    OSError
        If the report cannot be written.

    Notes
    -----
    The page is at most 20 MB, holds all it shows and asks for nothing elsewhere. The worst, best and some random pairs
    are read a second time for their pictures, by the run's own options. Pairs of arrays are kept as long as they may be
    shown: some two hundred of them.

    Examples
    --------
    >>> import numpy as np, os, pixelgauge, tempfile
    >>> ref = np.zeros((3, 32, 32), np.uint8)
    >>> test = ref + np.arange(3, dtype=np.uint8)[:, None, None]
    >>> run = pixelgauge.compare(ref, test, metrics=("mse", "psnr"), channel_axis=None)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pixelgauge.compare_report(run, os.path.join(folder, "report.html")).count
    3
    """
    if not isinstance(run, CompareRun):
        raise ArgumentTypeError(
            "run", "", f"must be a CompareRun, not {type(run).__name__}", "pass what compare() returns"
        )
    workers = get_num_threads() if workers is None else whole_number("workers", workers, 1)
    bytes_at_most = memory_size(memory)
    require_report_writable(path_name(path, "path"))
    before = None if baseline is None else report_baseline(path_name(baseline, "baseline"), run.comparison, run.pairing)
    report = CompareReport(run.comparison, run.pairing, before)
    summary = Summary({name: metric.higher_is_better for name, metric in run.comparison.metrics.items()})
    for row, pair in run.whole():
        summary.update(row)
        if before is not None:
            before.add(row)
        report.add(row, pair)
    report.write(path, summary, workers=workers, memory=bytes_at_most)
    return summary


def report_baseline(path: str, comparison: Comparison, pairing: Pairing) -> Baseline:
    """Rows of an earlier run, to show what moved since; errors as of :class:`~pixelgauge.engine.baseline.Baseline`."""
    return Baseline(path, comparison.metrics, str(comparison), (pairing.ref_root, pairing.test_root), {})


class CompareReport:
    """A report of a run whose rows are shown to it as they come.

    Its memory does not grow with the run, but for sixteen bytes a score of what is held against a baseline.

    Parameters
    ----------
    comparison : Comparison
    pairing : Pairing
    baseline : Baseline, optional
        Of an earlier run; whoever made it holds the rows against it.
    given : (str, str), optional
        What the run was asked to compare, such as two folders, or a list of pairs and nothing; default: the folders
        that the pairs lie in, where they lie in two.
    """

    def __init__(
        self,
        comparison: Comparison,
        pairing: Pairing,
        baseline: Baseline | None = None,
        given: tuple[str, str] | None = None,
    ) -> None:
        self._comparison, self._pairing, self._baseline = comparison, pairing, baseline
        self._metrics: Mapping[str, Any] = comparison.metrics
        self._roots = pairing.ref_root, pairing.test_root
        self._given = given or (self._roots if all(self._roots) else ("", ""))
        self._selection = Selection({name: metric.higher_is_better for name, metric in self._metrics.items()})
        self._points: Reservoir[Mapping[str, float]] = Reservoir(_MOST_POINTS, 3)
        self._moves = Moves(self._metrics)
        self._count = 0

    def add(self, row: ScoreRow, pair: Pair | None, problems: Sequence[str] = ()) -> None:
        """Look at a row, and at the gates that it broke, in words."""
        before = None if self._baseline is None else self._baseline.before(row)
        kept = Kept(self._count, row, pair, problems, before)
        self._count += 1
        self._selection.add(kept)
        self._moves.add(kept)
        if row.values:
            self._points.add(row.values)

    def write(
        self,
        path: str | os.PathLike[str],
        summary: Summary,
        *,
        verdicts: Sequence[Verdict] = (),
        workers: int = 1,
        memory: int | None = None,
        is_complete: bool = True,
        is_pooled: bool = False,
        step: Callable[[], None] = lambda: None,
    ) -> None:
        """Write the page.

        Parameters
        ----------
        path : path
        summary : Summary
            Of the same rows.
        verdicts : sequence of Verdict
        workers : int
            Pairs whose pictures are made at a time.
        memory : int, optional
            Bytes that these may take together.
        is_complete : bool
            Whether the run was not stopped.
        is_pooled : bool
            Whether to show PSNR of all pixels together too; the run has the metric ``psnr`` then.
        step : callable
            Called after the pictures of each pair.
        """
        groups = self._selection.groups()
        data = table_data(self._selection.table(), self._metrics, self._roots, picture_ids(groups))
        with document(path, self._title(), "compare") as page:
            page.style("compare.css")
            page.lead = self._lead(summary, verdicts)
            page.facts = {**self._comparison.fingerprint(), "isa": isa(), "settings": str(self._comparison)}
            figures, notes = figures_of(summary), list(self._notes(is_complete))
            summary_section(page, summary, figures, self._metrics, notes, is_pooled=is_pooled)
            gates_section(page, verdicts, self._metrics, self._roots)
            self._write_moves(page, is_complete)
            limits: dict[str, list[float]] = {}
            for verdict in verdicts:
                if verdict.statistic == "pair" and verdict.metric is not None and verdict.limit is not None:
                    limits.setdefault(verdict.metric, []).append(verdict.limit)
            sample = Sample(list(self._metrics), self._points.items, self._points.count)
            distributions_section(page, figures, self._metrics, limits, sample)
            page.script("choice.js")
            room = max(MOST_BYTES - _REST - page.size - len(data.json), _LEAST_FOR_PAIRS)
            gallery = Gallery(self._pairing, self._metrics, Photographer(self._comparison, memory))
            gallery.write(page, groups, room, workers, step)
            page.section("rows", "Rows", table_markup(self._metrics), note=data.note)
            page.data("rows-data", data.json)
            page.script("rows.js", "table.js")

    def _title(self) -> str:
        ref, test = (cut(_last(side), 60) for side in self._given)
        if ref and test:
            return f"{test} compared with {ref}"
        return f"Pairs of {ref}" if ref else "Comparison of images"

    def _lead(self, summary: Summary, verdicts: Sequence[Verdict]) -> Markup:
        failed = f", {summary.failed:,} failed" if summary.failed else ""
        said: list[object] = [
            element("strong", counted(summary.count, "pair")),
            f": {summary.statuses['ok']:,} scored{failed}.",
        ]
        if verdicts:
            said.append(f" {gates_said(verdicts)}")
        ref, test = (name(side, 120) if side else None for side in self._given)
        if ref and test:
            said.append(Markup("<br>Reference <code>{}</code>, test <code>{}</code>").format(ref, test))
        elif ref:
            said.append(Markup("<br>Pairs listed in <code>{}</code>").format(ref))
        return element("p", *said, class_="lead")

    def _notes(self, is_complete: bool) -> Iterable[str]:
        if not is_complete:
            yield "The run was stopped at the first pair that could not be scored."
        if self._pairing.ignored:
            kinds = ", ".join(f"{n} {kind or 'without extension'}" for kind, n in self._pairing.ignored.most_common(5))
            yield f"Not images by their extension, ignored: {cut(kinds, 300)}."
        if self._pairing.unmatched:
            yield f"Images that no pattern is of, left out: {self._pairing.unmatched:,}."

    def _write_moves(self, page: Document, is_complete: bool) -> None:
        if self._baseline is not None:
            compared = self._baseline.compared(is_complete=is_complete)
            moves_section(page, self._moves.found(), compared, self._metrics)


def _last(path: str) -> str:
    """Last part of a path: what tells it from its neighbours."""
    return os.path.basename(os.path.normpath(path)) if path else ""
