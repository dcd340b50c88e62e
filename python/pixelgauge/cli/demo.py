"""``pixelgauge demo``: pictures made on the spot, degraded in several ways, and how each metric answers."""

from __future__ import annotations

import argparse
import csv
import errno
import io
import json
import os
import stat
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from pixelgauge.cli import EXIT_DONE, UsageError
from pixelgauge.cli.demo_images import CONTENTS, DEGRADATIONS, SIZE, STRENGTHS, Picture
from pixelgauge.cli.demo_page import demo_page
from pixelgauge.cli.written import after_results, naming, require_page
from pixelgauge.engine.comparison import CompareOptions, Comparison, prepare
from pixelgauge.engine.registry import METRICS
from pixelgauge.files.reading import printable
from pixelgauge.files.writing import PREFIX, new_folder, replacing
from pixelgauge.networks.manifest import ModelMissingError
from pixelgauge.runtime import get_num_threads, isa

_BY_CONTENT = ("psnr", "ssim")


@dataclass(frozen=True)
class _Result:
    content: str
    degradation: str
    strength: str
    level: float
    scores: dict[str, float]
    picture: Picture

    def record(self) -> dict[str, object]:
        fields = asdict(self)
        del fields["picture"]
        return {**fields, **fields.pop("scores")}


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "demo",
        help="make pictures, degrade them, and show how each metric answers",
        description="Make pictures of several kinds, degrade each in several ways at several strengths, and show how "
        "each metric answers. Needs no data and no network.",
    )
    parser.add_argument("--output", metavar="DIR", help="also write the pictures, scores.csv and index.html to DIR")
    parser.add_argument("--report", metavar="FILE", help="also write a page to look at, all of it in one file")
    parser.add_argument(
        "--overwrite", action="store_true", help="write to a DIR that is not empty; other files there stay as they are"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make, degrade, score and show."""
    if args.overwrite and args.output is None:
        raise UsageError("--overwrite needs --output DIR")
    require_page(args.report)
    if args.output is not None:
        _require_folder_or_nothing(args.output)
        if not args.overwrite:
            _require_empty(args.output)
    isa()  # an environment variable that cannot be followed is told of before the work
    get_num_threads()
    comparison, left_out = _comparison()
    start = time.perf_counter()
    pictures = {name: make() for name, make in CONTENTS.items()}
    results = [
        _scored(content, picture, index, comparison) for content, picture in pictures.items() for index in range(_CASES)
    ]
    seconds = time.perf_counter() - start
    fingerprint = {**comparison.fingerprint(), "isa": isa()}
    with after_results() as after:
        _print(pictures, results, comparison, left_out, fingerprint, seconds=None if args.json else seconds)
        sys.stdout.flush()
        after.code = EXIT_DONE
        if args.output is not None:
            try:
                _write(args.output, _contents(pictures, results, comparison), overwrite=args.overwrite)
            except OSError as error:
                raise UsageError(f"--output {args.output}: {error}") from error
            if not args.json:
                print(f"pictures, scores.csv and index.html in {printable(args.output)}")
        if args.report is not None:
            with naming("--report", args.report):
                _write_page(args.report, pictures, results, left_out, fingerprint)
            if not args.json:
                print(f"the page is {printable(args.report)}: open it in any browser")
    return EXIT_DONE


_CASES = len(DEGRADATIONS) * len(STRENGTHS)


def _print(
    pictures: dict[str, Picture],
    results: list[_Result],
    comparison: Comparison,
    left_out: dict[str, str],
    fingerprint: dict[str, object],
    *,
    seconds: float | None,
) -> None:
    """Print tables, and how long it took; None: one JSON object."""
    if seconds is None:
        rows = [result.record() for result in results]
        found = {"fingerprint": fingerprint, "left_out": left_out, "rows": rows}
        print(json.dumps(found, indent=2, allow_nan=False))
        return
    print(f"{len(pictures)} pictures of {SIZE}x{SIZE}x3, {len(results)} degraded, scored in {seconds:.1f} s\n")
    _print_by_degradation(results)
    for metric in _BY_CONTENT:
        _print_by_content(results, metric)
    print(f"\n{comparison}")
    for metric, remedy in left_out.items():
        print(f"{METRICS[metric].label} is left out: {printable(remedy)}")


def _comparison() -> tuple[Comparison, dict[str, str]]:
    """Every metric whose model is here, which onnxruntime can run and the user may read; and what brings the others."""

    def options(*metrics: str) -> CompareOptions:
        # The strongest shift makes contrast-structure terms negative, of which wang2003 has no power.
        return CompareOptions(metrics, ms_ssim_preset="pytorch-msssim")

    try:
        return prepare(options(*METRICS)), {}
    except ModelMissingError as error:
        remedy = f"its weights are not here; this brings them: pixelgauge models pull {error.name}"
    except (ImportError, PermissionError) as error:
        remedy = str(error)
    left_out = {name: remedy for name, metric in METRICS.items() if metric.needs_model}
    return prepare(options(*(name for name in METRICS if name not in left_out))), left_out


def _scored(content: str, picture: Picture, case: int, comparison: Comparison) -> _Result:
    degradation, strength = DEGRADATIONS[case // len(STRENGTHS)], case % len(STRENGTHS)
    level = degradation.levels[strength]
    degraded = degradation.apply(picture, level)
    scores = {}
    for name, result in comparison.score(picture[np.newaxis], degraded[np.newaxis]).items():
        if isinstance(result, Exception):
            raise result
        scores[name] = float(result[0])
    return _Result(content, degradation.name, STRENGTHS[strength], level, scores, degraded)


def _write_page(
    path: str,
    pictures: dict[str, Picture],
    results: list[_Result],
    left_out: dict[str, str],
    fingerprint: dict[str, object],
) -> None:
    from pixelgauge.report.demo_page import Case, Demo, write_demo_page

    cases = [Case(r.content, r.degradation, STRENGTHS.index(r.strength), r.scores, r.picture) for r in results]
    metrics = {name: METRICS[name] for name in results[0].scores}
    remedies = {METRICS[name].label: remedy for name, remedy in left_out.items()}
    write_demo_page(path, Demo(pictures, cases, metrics, remedies, fingerprint))


def _print_by_degradation(results: list[_Result]) -> None:
    print("mean over the pictures")
    print(f"{'':10} {'':8} {'':>19} " + " ".join(f"{METRICS[name].label:>9}" for name in results[0].scores))
    for degradation in DEGRADATIONS:
        for strength, level in zip(STRENGTHS, degradation.levels, strict=True):
            these = [r.scores for r in results if (r.degradation, r.strength) == (degradation.name, strength)]
            cells = (
                f"{METRICS[name].written(fmean(scores[name] for scores in these)):>9}" for name in results[0].scores
            )
            head = degradation.name if strength == STRENGTHS[0] else ""
            print(f"{head:10} {strength:8} {level:>5g} {degradation.level:13} " + " ".join(cells))


def _print_by_content(results: list[_Result], metric: str) -> None:
    strength = STRENGTHS[1]
    print(f"\n{METRICS[metric].label} by picture, {strength} strength")
    print(f"{'':10} " + " ".join(f"{degradation.name:>9}" for degradation in DEGRADATIONS))
    for content in CONTENTS:
        these = {r.degradation: r.scores[metric] for r in results if (r.content, r.strength) == (content, strength)}
        print(
            f"{content:10} "
            + " ".join(f"{METRICS[metric].written(these[degradation.name]):>9}" for degradation in DEGRADATIONS)
        )


def _require_folder_or_nothing(folder: str) -> None:
    """Raise for what cannot be written into, before the work."""
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise UsageError(f"--output {folder}: is no folder, and one is to be written into: name another")
    try:
        above = os.path.abspath(folder)
        while not os.path.lexists(above):
            above = os.path.dirname(above)
        os.rmdir(tempfile.mkdtemp(prefix=f"{PREFIX}tmp-", dir=above))
    except OSError as error:
        raise UsageError(f"--output {folder}: cannot be written: {error.strerror}") from error


def _require_empty(folder: str) -> None:
    try:
        with os.scandir(folder) as entries:
            is_empty = next(entries, None) is None
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"--output {folder}: {error}") from error
    if not is_empty:
        raise UsageError(f"{folder} is not empty: name another folder, or give --overwrite to write into it")


def _contents(pictures: dict[str, Picture], results: list[_Result], comparison: Comparison) -> dict[str, bytes]:
    """Everything that is written, by path."""
    files, sections = {}, {}
    for content, picture in pictures.items():
        address = f"{content}/reference.png"
        files[address] = _encoded(picture)
        sections[content] = [(address, "reference")]
    scores = io.StringIO()
    table = csv.DictWriter(scores, [*results[0].record(), "settings"], lineterminator="\n")
    table.writeheader()
    for result in results:
        address = f"{result.content}/{result.degradation}-{result.strength}.png"
        files[address] = _encoded(result.picture)
        table.writerow({**result.record(), "settings": str(comparison)})
        lines = "\n".join(
            f"{METRICS[name].label:8} {METRICS[name].written(score)}" for name, score in result.scores.items()
        )
        sections[result.content].append((address, f"{result.degradation} {result.level:g}\n{lines}"))
    page = demo_page("pixelgauge demo: how each metric answers", str(comparison), sections)
    return {**files, "scores.csv": scores.getvalue().encode(), "index.html": page.encode()}


def _encoded(picture: Picture) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def _write(folder: str, files: dict[str, bytes], *, overwrite: bool = True) -> None:
    """Write the files into a new folder, which appears when all are there, or one by one into one that is there."""
    if not os.path.lexists(folder):
        with new_folder(Path(folder), overwrite=False) as staging:
            for address, data in files.items():
                (staging / address).parent.mkdir(exist_ok=True)
                (staging / address).write_bytes(data)
        return
    if not overwrite:
        _require_empty(folder)  # once more: another may have come during the work
    for address, data in files.items():
        if "/" in address:
            _require_folder(os.path.join(folder, os.path.dirname(address)))
        with replacing(os.path.join(folder, address), overwrite=overwrite, follow=False) as file:
            file.write(data)


def _require_folder(path: str) -> None:
    """Make a folder, or raise if its name leads elsewhere."""
    try:
        os.mkdir(path)
    except FileExistsError:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "is no folder, and one is to be written into", path) from None
