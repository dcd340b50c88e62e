"""``pixelgauge compare REF TEST``: two files or folders of images to a row of scores a pair, and a summary."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import warnings
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from typing import Any

from pixelgauge.checks import whole_number
from pixelgauge.cli import EXIT_DONE, EXIT_GATE_FAILED, EXIT_SOME_FAILED, UsageError, add_option
from pixelgauge.cli.compare_gates import AskedGates, ReadyGates, add_gate_options
from pixelgauge.cli.terminal import Progress, columns_of, number, pad, shortened, width
from pixelgauge.engine.comparison import CompareOptions, Comparison, compare_options, prepare
from pixelgauge.engine.gates import Verdict
from pixelgauge.engine.junit import junit_report
from pixelgauge.engine.pairing import Pair, Pairing, find_pairs
from pixelgauge.engine.pipeline import score_pairs
from pixelgauge.engine.registry import METRICS
from pixelgauge.engine.row_columns import SCHEMA_VERSION
from pixelgauge.engine.row_files import FORMATS_TEXT, RowFile, check_row_file, json_value
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.engine.summary import MetricSummary, Summary
from pixelgauge.files.reading import printable
from pixelgauge.runtime import get_num_threads, isa

_COLUMN = 11
_FAILURES_SHOWN = 20

_DESCRIPTION = """\
Score the images of TEST against those of REF: two files, or two folders with all their subfolders.
PNG, JPEG, WebP, BMP, TIFF, GIF, PNM, JPEG 2000 and AVIF of 8 or 16 bits; with --data-range also floating and signed
TIFF and bands. Files of folders are paired by relative path, then by relative path without the extension, then by a
stem that is unique in both. What cannot be scored (no partner, corrupt, of another size, mode or bit depth) becomes a
row that says so; the rest is scored."""

_EPILOG = """\
In a CSV, a cell of text never begins with = + - @, which a spreadsheet would calculate: a path of such a name
begins with ./, and is the same path.

exit codes: 0 all pairs scored, 1 some failed, 2 wrong use, 3 a gate failed, whatever else did. They are of all pairs
also where a reader of the table (| head) leaves: the work goes on."""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "compare",
        help="score images against references: two files or two folders",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ref", metavar="REF", help="reference image or folder")
    parser.add_argument("test", metavar="TEST", help="image or folder to score")
    parser.add_argument(
        "--metrics", default="psnr,ssim", metavar="M,...", help=f"of {', '.join(METRICS)} (default: %(default)s)"
    )
    for option in compare_options():
        add_option(parser, option)
    parser.add_argument("--output", metavar="FILE", help=f"write the rows to FILE, {FORMATS_TEXT}, one by one")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument(
        "--resume",
        action="store_true",
        help="go on with FILE: make only the rows it lacks, that failed, or whose images were replaced since; the "
        "folders may have moved",
    )
    existing.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object instead of the table; the rows are in 'rows', with --output in FILE alone, which "
        "'output' names",
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="pairs in work at a time (default: the cores there are)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no rows, only the summary")
    add_gate_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Score the pairs; print rows and summary."""
    comparison, pairing, gates = _checked(args)
    try:
        resume = {pairing.paths(pair) for pair in pairing.pairs} if args.resume else None
        output = None
        if args.output is not None:
            output = RowFile(
                args.output,
                comparison,
                roots=(pairing.ref_root, pairing.test_root),
                resume=resume,
                overwrite=args.overwrite,
                inputs=_inputs(args, pairing),
            )
    except FileExistsError as error:
        if error.errno is not None:  # it is an input
            raise UsageError(str(error)) from error
        raise UsageError(f"{error}: add --resume to go on with it, or --overwrite to replace it") from error
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from error
    # what Pillow warns of is metadata, while bad pixels are its errors
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        return _compare(args, comparison, pairing, gates, output)
    except KeyboardInterrupt:
        if output is not None:
            print(
                f"\n{printable(output.held_in)} holds the rows done so far; --resume goes on with it", file=sys.stderr
            )
        raise
    except OSError as error:  # such as a full disk under the output file
        raise UsageError(f"stopped: {error}") from error
    finally:
        if output is not None:
            output.close()


def _inputs(args: argparse.Namespace, pairing: Pairing) -> Iterator[str]:
    yield from (path for pair in pairing.pairs for path in pairing.paths(pair) if path is not None)
    if args.baseline is not None:
        yield args.baseline


def _checked(args: argparse.Namespace) -> tuple[Comparison, Pairing, ReadyGates]:
    metrics = tuple(name.strip().lower().replace("_", "-") for name in args.metrics.split(","))
    if args.output is None and (args.resume or args.overwrite):
        raise UsageError("--resume and --overwrite need --output FILE")
    options = CompareOptions(metrics, **{option.name: getattr(args, option.name) for option in compare_options()})
    args.workers = get_num_threads() if args.workers is None else whole_number("workers", args.workers, 1)
    if args.output is not None:
        check_row_file(args.output)
    asked = AskedGates(args, options.metrics)
    isa()
    comparison, pairing = prepare(options), find_pairs(args.ref, args.test)
    return comparison, pairing, asked.ready(comparison, pairing, _inputs(args, pairing))


def _compare(
    args: argparse.Namespace, comparison: Comparison, pairing: Pairing, gates: ReadyGates, output: RowFile | None
) -> int:
    summary = Summary({name: metric.higher_is_better for name, metric in comparison.metrics.items()})
    table = None if args.json or args.quiet or output is not None else _Table(comparison, pairing)
    rows: list[ScoreRow] = []
    failures: list[ScoreRow] = []
    if table is not None:
        print(table.head())
    done = 0 if output is None else len(output.rows)
    is_complete = True
    with ExitStack() as stack:
        junit = None if args.junit is None else stack.enter_context(junit_report(args.junit, str(comparison)))
        progress = stack.enter_context(Progress("pair", quiet=args.quiet))
        progress.start(len(pairing.pairs), done)
        for row in stack.enter_context(closing(_rows(args, comparison, pairing, output, progress))):
            summary.add(row)
            problems = gates.add(row)
            if junit is not None:
                junit.add(_name(row, pairing), row, problems)
            if row.status != "ok":
                failures.append(row)
            if table is not None:
                progress.print(table.line(row))
            elif args.json and output is None:
                rows.append(row)
            if row.status != "ok" and args.on_error == "fail":
                is_complete = False
                break
        verdicts = gates.verdicts(summary, is_complete=is_complete)
        if output is not None:
            output.finish()
        if junit is not None:
            junit.finish(verdicts)
    if args.json:
        of_gates = {**gates.report(verdicts, is_complete=is_complete), "stopped": not is_complete}
        report = _report(args, comparison, pairing, summary, rows, failures, of_gates)
        print(json.dumps(report, indent=2, allow_nan=False))
    else:
        if table is None:
            _print_failures(failures, pairing, args.output)
        _print_summary(summary, comparison, pairing)
        gates.print(verdicts, lambda row: _name(row, pairing), is_complete=is_complete)
        _print_settings(args, comparison, is_complete=is_complete)
    return _exit_code(summary, verdicts)


def _exit_code(summary: Summary, verdicts: list[Verdict]) -> int:
    if any(verdict.passed is False for verdict in verdicts):
        return EXIT_GATE_FAILED
    return EXIT_SOME_FAILED if summary.failed else EXIT_DONE


def _rows(
    args: argparse.Namespace, comparison: Comparison, pairing: Pairing, output: RowFile | None, progress: Progress
) -> Generator[ScoreRow, None, None]:
    """All rows, those that the output file already has first."""
    if output is not None and output.rows:
        done = {(row.ref, row.test) for row in output.rows}
        left = [pair for pair in pairing.pairs if pairing.paths(pair) not in done]
        pairing = dataclasses.replace(pairing, pairs=left)
        yield from output.rows
    with closing(score_pairs(pairing, comparison, workers=args.workers)) as scored:
        for row in scored:
            if output is not None:
                output.append(row)
            progress.step()
            yield row


class _Table:
    """Lines of the table: the name of a pair, then a column a metric, or what is wrong."""

    def __init__(self, comparison: Comparison, pairing: Pairing) -> None:
        self._metrics, self._pairing = comparison.metrics, pairing
        longest = max(width(printable(pair.name)) for pair in pairing.pairs)
        columns = columns_of(sys.stdout)
        room = longest if columns is None else columns - 1 - (_COLUMN + 1) * len(comparison.metrics)
        self._width = max(4, min(longest, max(room, 20)))

    def head(self) -> str:
        names = (f"{metric.label:>{_COLUMN}}" for metric in self._metrics.values())
        return " ".join([pad("pair", self._width), *names])

    def line(self, row: ScoreRow) -> str:
        cells = [pad(shortened(_name(row, self._pairing), self._width), self._width)]
        if row.values or row.status == "ok":
            cells += [f"{number(m, row.values.get(name)):>{_COLUMN}}" for name, m in self._metrics.items()]
        if row.status != "ok":
            cells.append(f" {row.status}: {printable(row.message)}")
        elif row.message:
            cells.append(f" {printable(row.message)}")
        return " ".join(cells)


def _name(row: ScoreRow, pairing: Pairing) -> str:
    ref = None if row.ref is None else row.ref.removeprefix(os.path.join(pairing.ref_root, ""))
    test = None if row.test is None else row.test.removeprefix(os.path.join(pairing.test_root, ""))
    return printable(Pair(ref, test).name)


def _print_failures(failures: list[ScoreRow], pairing: Pairing, output: str | None) -> None:
    for row in failures[:_FAILURES_SHOWN]:
        print(f"{_name(row, pairing)}  {row.status}: {printable(row.message)}")
    if len(failures) > _FAILURES_SHOWN:
        print(f"... and {len(failures) - _FAILURES_SHOWN} more{f', in {printable(output)}' if output else ''}")


def _print_summary(summary: Summary, comparison: Comparison, pairing: Pairing) -> None:
    statuses = ", ".join(f"{n} {status}" for status, n in sorted(summary.statuses.items()) if status != "ok")
    failed = f", {summary.failed} failed ({statuses})" if summary.failed else ""
    print(f"\n{summary.count} pair{'s' * (summary.count != 1)}: {summary.statuses['ok']} scored{failed}")
    if pairing.ignored:
        kinds = ", ".join(f"{n} {kind or 'without extension'}" for kind, n in pairing.ignored.most_common(5))
        print(f"not images by their extension, ignored: {printable(kinds)}{', ...' * (len(pairing.ignored) > 5)}")
    figures = [(comparison.metrics[name], found) for name, found in summary.metrics().items()]
    columns = columns_of(sys.stdout)
    room = sys.maxsize if columns is None else max(columns - _COLUMN - 3, 20)
    if any(found.count > 1 for _, found in figures):
        print(f"\n{'over images':12} {'count':>8} {'mean':>{_COLUMN}} {'median':>{_COLUMN}} {'std':>{_COLUMN}}")
        for metric, found in figures:
            cells = (f"{number(metric, value):>{_COLUMN}}" for value in (found.mean, found.median, found.std))
            print(f"{metric.label:12} {found.count:>8} {' '.join(cells)}{_infinite_note(found)}")
        for metric, found in figures:
            if found.worst:
                print(f"\nworst by {metric.label}")
            for value, row in found.worst:
                print(f"{number(metric, value):>{_COLUMN}}  {shortened(_name(row, pairing), room)}")


def _print_settings(args: argparse.Namespace, comparison: Comparison, *, is_complete: bool) -> None:
    if not is_complete:
        print("\nstopped at the first pair that could not be scored, as --on-error fail says")
    print(f"\n{comparison}")
    if args.output is not None:
        print(f"rows in {printable(args.output)}")


def _infinite_note(metric: MetricSummary) -> str:
    return f"  without {metric.infinite} infinite (identical images)" if metric.infinite else ""


def _report(
    args: argparse.Namespace,
    comparison: Comparison,
    pairing: Pairing,
    summary: Summary,
    rows: list[ScoreRow],
    failures: list[ScoreRow],
    of_gates: dict[str, Any],
) -> dict[str, Any]:
    report: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "fingerprint": {**comparison.fingerprint(), "isa": isa(), "ref": args.ref, "test": args.test},
        "counts": {"pairs": summary.count, "failed": summary.failed, **summary.statuses},
        "ignored": dict(pairing.ignored),
        "summary": {
            name: {
                "count": metric.count,
                "infinite": metric.infinite,
                "mean": metric.mean,
                "median": metric.median,
                "std": metric.std,
                "worst": [
                    {"ref": row.ref, "test": row.test, "value": json_value(value)} for value, row in metric.worst
                ],
            }
            for name, metric in summary.metrics().items()
        },
        "failures": [_record(row) for row in failures],
        **of_gates,
    }
    if args.output is not None:
        return {**report, "output": args.output, "rows": None}
    return {**report, "rows": [_record(row) for row in rows]}


def _record(row: ScoreRow) -> dict[str, Any]:
    scores = {name: json_value(value) for name, value in row.values.items()}
    return {"ref": row.ref, "test": row.test, "status": row.status, "message": row.message, **scores}
