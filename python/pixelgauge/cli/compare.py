"""``pixelgauge compare REF TEST``: two files or folders of images to a row of scores a pair, and a summary."""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from pixelgauge.checks import whole_number
from pixelgauge.cli import EXIT_DONE, EXIT_GATE_FAILED, EXIT_SOME_FAILED, UsageError, add_memory_option, add_option
from pixelgauge.cli.compare_gates import AskedGates, ReadyGates, add_gate_options
from pixelgauge.cli.compare_report import RunReport, add_report_options
from pixelgauge.cli.interrupts import interrupts_first
from pixelgauge.cli.terminal import Progress, columns_of, pad, shortened, width
from pixelgauge.cli.written import after_results, naming, say_page
from pixelgauge.engine.compare import CompareRun
from pixelgauge.engine.comparison import CompareOptions, Comparison, compare_options, prepare
from pixelgauge.engine.frame_pairs import of_frames
from pixelgauge.engine.gates import Verdict
from pixelgauge.engine.junit import junit_report
from pixelgauge.engine.pair_lists import listed_pairs
from pixelgauge.engine.pairing import Pair, Pairing, find_pairs
from pixelgauge.engine.registry import METRICS
from pixelgauge.engine.row_columns import SCHEMA_VERSION
from pixelgauge.engine.row_files import FORMATS_TEXT, RowFile, check_row_file, json_value
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.engine.summary import MetricSummary, Summary
from pixelgauge.files.reading import printable
from pixelgauge.images.budget import memory_size
from pixelgauge.metric import Metric
from pixelgauge.runtime import get_num_threads, isa

_COLUMN = 11
_NAME = 40
"""Columns of a pair's name where the longest is not known."""
_FAILURES_SHOWN = 20

_DESCRIPTION = """\
Score the images of TEST against those of REF: two files, two folders with all their subfolders, zip or tar archives,
.npy or .npz stacks, or one image against many; or the pairs of a list, @LIST: a table, or text with two paths a line.
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
    parser.add_argument(
        "ref", metavar="REF", help="reference image, folder, zip or tar archive, .npy or .npz stack; or @LIST of pairs"
    )
    parser.add_argument("test", metavar="TEST", nargs="?", help="what to score; - reads one image from standard input")
    parser.add_argument("--columns", metavar="REF,TEST", help="columns of a LIST that is a table (default: ref,test)")
    parser.add_argument(
        "--pair",
        nargs=2,
        metavar=("REF", "TEST"),
        help="pair images of two folders or archives by the names' {stem}, such as '{stem}_gt' '{stem}_out'",
    )
    parser.add_argument(
        "--frames",
        action="store_true",
        help="score pages of TIFF and frames of GIF and WebP files one by one, in rows name[3]",
    )
    parser.add_argument(
        "--metrics",
        default="psnr,ssim",
        metavar="M,...",
        help=f"of {', '.join(METRICS)} (default: %(default)s); one with several presets: ssim:skimage,ssim:wang2004",
    )
    for option in compare_options():
        add_option(parser, option)
    parser.add_argument(
        "--psnr",
        choices=("mean", "pooled"),
        default="mean",
        help="pooled: beside the mean of the images' PSNR, that of all their pixels together (default: %(default)s)",
    )
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
    add_memory_option(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no rows, only the summary")
    add_gate_options(parser)
    add_report_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Score the pairs; print rows and summary."""
    comparison, pairing, gates, report = _checked(args)
    if args.resume:
        _require_no_baseline(args)
    try:
        resume = map(pairing.paths, pairing.pairs) if args.resume else None
        output = None
        if args.output is not None:
            with naming("--output", args.output):
                output = RowFile(
                    args.output,
                    comparison,
                    roots=(pairing.ref_root, pairing.test_root),
                    resume=resume,
                    with_samples=args.psnr == "pooled",
                    overwrite=args.overwrite,
                    inputs=_inputs(args, pairing),
                )
    except FileExistsError as error:
        raise UsageError(f"{error}: add --resume to go on with it, or --overwrite to replace it") from error
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from error
    # what Pillow warns of is metadata, while bad pixels are its errors
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        with interrupts_first():
            return _compare(args, comparison, pairing, gates, report, output)
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


def _require_no_baseline(args: argparse.Namespace) -> None:
    """Raise for a file to go on with that the run is held against: rows of replaced images would leave it."""
    for baseline in (args.baseline, args.report_baseline):
        with naming("--output", args.output), contextlib.suppress(FileNotFoundError):
            if baseline is not None and os.path.samefile(baseline, args.output):
                raise FileExistsError(errno.EEXIST, "is read by this very command: name another file", args.output)


def _inputs(args: argparse.Namespace, pairing: Pairing) -> Iterator[str]:
    yield from (args.ref.removeprefix("@"), *([] if args.test is None else [args.test]))  # a list, an archive, a stack
    yield from (path for pair in pairing.pairs for path in pairing.paths(pair) if path is not None)
    yield from (path for path in (args.baseline, args.report_baseline) if path is not None)


def _checked(args: argparse.Namespace) -> tuple[Comparison, Pairing, ReadyGates, RunReport]:
    metrics = tuple(name.strip().lower().replace("_", "-") for name in args.metrics.split(","))
    if args.output is None and (args.resume or args.overwrite):
        raise UsageError("--resume and --overwrite need --output FILE")
    if args.psnr == "pooled" and "psnr" not in metrics:
        raise UsageError("--psnr pooled is for psnr, which is not among the metrics")
    options = CompareOptions(metrics, **{option.name: getattr(args, option.name) for option in compare_options()})
    args.workers = get_num_threads() if args.workers is None else whole_number("workers", args.workers, 1)
    args.memory = memory_size(args.memory)
    if args.output is not None:
        check_row_file(args.output)
    asked = AskedGates(args, options.metrics)
    isa()
    comparison = prepare(options)
    pairing = _pairing(args)
    pairing = of_frames(pairing) if args.frames else pairing
    gates = asked.ready(comparison, pairing, _inputs(args, pairing))
    return comparison, pairing, gates, RunReport(args, comparison, pairing, _inputs(args, pairing), gates.baseline)


def _pairing(args: argparse.Namespace) -> Pairing:
    """Pairs of the two arguments, or of a list."""
    columns = None if args.columns is None else tuple(name.strip() for name in args.columns.split(","))
    if columns is not None and len(columns) != 2:
        raise UsageError(f"--columns {args.columns} must be two names, as ref,test")
    if "-" in (args.ref.removeprefix("@"), args.test) and sys.stdin is None:
        raise UsageError("- is standard input, which is closed: name a file")
    if args.ref.startswith("@"):
        if args.ref == "@":
            raise UsageError("@ names no list: give @LIST, or @- for one on standard input")
        if args.test is not None or args.pair is not None:
            raise UsageError(
                f"{args.ref} is a list of pairs: leave TEST and --pair out; a file of this name is ./{args.ref}"
            )
        return listed_pairs(args.ref[1:], columns)
    if columns is not None:
        raise UsageError("--columns is for a list of pairs, @LIST")
    if args.test is None:
        raise UsageError("TEST is missing: give REF and TEST, or @LIST; @- is a list on standard input")
    return find_pairs(args.ref, args.test, patterns=args.pair, standard_input=getattr(sys.stdin, "buffer", None))


def _compare(
    args: argparse.Namespace,
    comparison: Comparison,
    pairing: Pairing,
    gates: ReadyGates,
    page: RunReport,
    output: RowFile | None,
) -> int:
    before = [] if output is None else output.rows
    run = CompareRun(pairing, comparison, args.workers, memory=args.memory, before=before)
    table = None if args.json or args.quiet or output is not None else _Table(comparison, pairing)
    rows: list[ScoreRow] = []
    failures: list[ScoreRow] = []
    if table is not None:
        print(table.head())
    is_complete = True
    with after_results() as after:
        with contextlib.ExitStack() as stack:
            stack.enter_context(naming("--junit", args.junit))
            junit = None if args.junit is None else stack.enter_context(junit_report(args.junit, str(comparison)))
            with Progress("pair", quiet=args.quiet) as progress, run:
                progress.start(pairing.count, len(before))
                for number, (row, pair) in enumerate(run.with_pairs()):
                    if number >= len(before):
                        if output is not None:
                            output.append(row)
                        progress.step()
                    problems = gates.add(row)
                    page.add(row, pair, problems)
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
            verdicts = gates.verdicts(run.summary, is_complete=is_complete)
            if output is not None:
                output.finish()
            if args.json:
                of_gates = {**gates.report(verdicts, is_complete=is_complete), "stopped": not is_complete}
                report = _report(args, comparison, pairing, run.summary, rows, failures, of_gates)
                print(json.dumps(report, indent=2, allow_nan=False))
            else:
                if table is None:
                    _print_failures(failures, pairing, args.output)
                _print_summary(run.summary, comparison, pairing, args)
                gates.print(verdicts, lambda row: _name(row, pairing), is_complete=is_complete)
                _print_settings(args, comparison, is_complete=is_complete)
            sys.stdout.flush()
            after.code = _exit_code(run.summary, verdicts)
            if junit is not None:
                junit.finish(verdicts)
        page.write(run.summary, verdicts, is_complete=is_complete)
        say_page(args)
    return after.code


def _exit_code(summary: Summary, verdicts: list[Verdict]) -> int:
    if any(verdict.passed is False for verdict in verdicts):
        return EXIT_GATE_FAILED
    return EXIT_SOME_FAILED if summary.failed else EXIT_DONE


class _Table:
    """Lines of the table: the name of a pair, then a column a metric, or what is wrong."""

    def __init__(self, comparison: Comparison, pairing: Pairing) -> None:
        self._metrics, self._pairing = comparison.metrics, pairing
        names = () if pairing.count is None else (width(printable(pair.name)) for pair in pairing.pairs)
        longest = max(names, default=_NAME)
        columns = columns_of(sys.stdout)
        room = (
            longest
            if columns is None
            else columns - 1 - sum(_column(metric) + 1 for metric in comparison.metrics.values())
        )
        self._width = max(4, min(longest, max(room, 20)))

    def head(self) -> str:
        names = (f"{metric.label:>{_column(metric)}}" for metric in self._metrics.values())
        return " ".join([pad("pair", self._width), *names])

    def line(self, row: ScoreRow) -> str:
        cells = [pad(shortened(_name(row, self._pairing), self._width), self._width)]
        if row.values or row.status == "ok":
            cells += [f"{m.written(row.values.get(name)):>{_column(m)}}" for name, m in self._metrics.items()]
        if row.status != "ok":
            cells.append(f" {row.status}: {printable(row.message)}")
        elif row.message:
            cells.append(f" {printable(row.message)}")
        return " ".join(cells)


def _column(metric: Metric[Any]) -> int:
    return max(_COLUMN, len(metric.label))


def _name(row: ScoreRow, pairing: Pairing) -> str:
    ref = None if row.ref is None else row.ref.removeprefix(os.path.join(pairing.ref_root, ""))
    test = None if row.test is None else row.test.removeprefix(os.path.join(pairing.test_root, ""))
    return printable(Pair(ref, test).name)


def _print_failures(failures: list[ScoreRow], pairing: Pairing, output: str | None) -> None:
    for row in failures[:_FAILURES_SHOWN]:
        print(f"{_name(row, pairing)}  {row.status}: {printable(row.message)}")
    if len(failures) > _FAILURES_SHOWN:
        print(f"... and {len(failures) - _FAILURES_SHOWN} more{f', in {printable(output)}' if output else ''}")


def _print_summary(summary: Summary, comparison: Comparison, pairing: Pairing, args: argparse.Namespace) -> None:
    print(f"\n{summary}")
    if pairing.ignored:
        kinds = ", ".join(f"{n} {kind or 'without extension'}" for kind, n in pairing.ignored.most_common(5))
        print(f"not images by their extension, ignored: {printable(kinds)}{', ...' * (len(pairing.ignored) > 5)}")
    if pairing.unmatched:
        print(f"images that no pattern of --pair is of, left out: {pairing.unmatched}")
    figures = [(comparison.metrics[name], found) for name, found in summary.compute().items()]
    columns = columns_of(sys.stdout)
    room = sys.maxsize if columns is None else max(columns - _COLUMN - 3, 20)
    if any(found.count > 1 for _, found in figures):
        first = max(12, *(len(metric.label) for metric, _ in figures))
        print(f"\n{'over images':{first}} {'count':>8} {'mean':>{_COLUMN}} {'median':>{_COLUMN}} {'std':>{_COLUMN}}")
        for metric, found in figures:
            cells = (f"{metric.written(value):>{_COLUMN}}" for value in (found.mean, found.median, found.std))
            print(f"{metric.label:{first}} {found.count:>8} {' '.join(cells)}{_infinite_note(found)}")
        if args.psnr == "pooled":
            pooled = METRICS["psnr"].written(summary.pooled_psnr)
            print(f"{'psnr dB of all pixels together':{first + 9}} {pooled:>{_COLUMN}}")
        for metric, found in figures:
            if found.worst:
                print(f"\nworst by {metric.label}")
            for value, row in found.worst:
                print(f"{metric.written(value):>{_COLUMN}}  {shortened(_name(row, pairing), room)}")


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
        **({"unmatched": pairing.unmatched} if args.pair else {}),
        "summary": {
            name: {
                "count": metric.count,
                "infinite": metric.infinite,
                "mean": metric.mean,
                "median": metric.median,
                "std": metric.std,
                **({"pooled": json_value(summary.pooled_psnr)} if (name, args.psnr) == ("psnr", "pooled") else {}),
                "worst": [
                    {"ref": row.ref, "test": row.test, "value": json_value(value)} for value, row in metric.worst
                ],
            }
            for name, metric in summary.compute().items()
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
