"""Gates on the command line of ``compare``: their options, and how they came out in words, in JSON and as JUnit."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from pixelgauge.checks import ArgumentValueError
from pixelgauge.cli import UsageError
from pixelgauge.cli.written import TO_READ, naming
from pixelgauge.engine.baseline import Baseline, parse_drop
from pixelgauge.engine.comparison import Comparison
from pixelgauge.engine.gates import Gate, Gates, Judge, PairJudge, RunJudge, StrictJudge, Verdict, parse_gate
from pixelgauge.engine.junit import require_junit_writable
from pixelgauge.engine.pairing import Pairing
from pixelgauge.engine.registry import METRICS
from pixelgauge.engine.row_files import json_value
from pixelgauge.files.writing import target_of
from pixelgauge.metric import Metric

_WORDS = {True: "passed", False: "FAILED", None: "open"}
_COLUMN = 11


def add_gate_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that let a run fail by its scores."""
    group = parser.add_argument_group(
        "gates",
        "Limits of pairs, or with mean: or a percentile (p5:) before them of the run, as many as you give. One that "
        "fails makes the exit code 3.",
    )
    form = "[mean:|pN:]METRIC=LIMIT"
    group.add_argument(
        "--fail-under", action="append", default=[], metavar=form, help="fail where a score is below LIMIT: ssim=.98"
    )
    group.add_argument(
        "--fail-over", action="append", default=[], metavar=form, help="fail where a score is above LIMIT: lpips=.1"
    )
    group.add_argument(
        "--baseline", metavar="FILE", help="fail where a score is worse than that of the pair in FILE, an old --output"
    )
    group.add_argument(
        "--allow-drop",
        action="append",
        default=[],
        metavar="METRIC=AMOUNT",
        help="how much worse than the baseline's a score may be (default: 0)",
    )
    group.add_argument(
        "--strict", action="store_true", help="fail where a pair is not scored, or is in one of run and baseline alone"
    )
    group.add_argument("--junit", metavar="FILE", help="write a test case a pair, and one a gate, for a CI server")
    parser.add_argument(
        "--on-error",
        choices=["skip", "fail"],
        default="skip",
        help="where a pair cannot be scored, score the rest (skip) or stop (fail) (default: %(default)s)",
    )


class AskedGates:
    """Gates as they were asked for, checked before anything is read.

    Parameters
    ----------
    args : argparse.Namespace
    asked : sequence of str
        Metrics of the run.

    Raises
    ------
    ArgumentValueError, UsageError
        If one is wrong: the message names it and what there is.
    """

    def __init__(self, args: argparse.Namespace, asked: Iterable[str]) -> None:
        self._args = args
        self._metrics: Mapping[str, Metric[Any]] = {name: METRICS[name.partition(":")[0]] for name in asked}
        self._gates: list[Gate] = []
        for direction, texts in (("under", args.fail_under), ("over", args.fail_over)):
            for text in texts:
                gate = parse_gate(text, direction, METRICS, self._metrics)  # type: ignore[arg-type]
                if any(
                    (g.metric, g.direction, g.statistic) == (gate.metric, direction, gate.statistic)
                    for g in self._gates
                ):
                    problem = f"is given twice for {gate.metric} of {gate.statistic}"
                    raise ArgumentValueError(f"fail_{direction}", repr(text), problem, "give one limit")
                self._gates.append(gate)
        self._allowed: dict[str, float] = {}
        for text in args.allow_drop:
            name, amount = parse_drop(text, METRICS, self._metrics)
            if name in self._allowed:
                raise ArgumentValueError("allow_drop", repr(text), f"is given twice for {name}", "give one amount")
            self._allowed[name] = amount
        if args.allow_drop and args.baseline is None:
            raise UsageError("--allow-drop needs --baseline FILE")

    def ready(self, comparison: Comparison, pairing: Pairing, inputs: Iterable[str]) -> ReadyGates:
        """Read the baseline, and see that the report can be written without replacing one of `inputs`."""
        args = self._args
        judges: list[Judge] = []
        for gate in self._gates:
            higher = self._metrics[gate.metric].higher_is_better
            judges.append(PairJudge(gate) if gate.statistic == "pair" else RunJudge(gate, higher))
        baseline = None
        if args.baseline is not None:
            roots = pairing.ref_root, pairing.test_root
            with naming("--baseline", args.baseline, TO_READ):
                baseline = Baseline(
                    args.baseline, self._metrics, str(comparison), roots, self._allowed, strict=args.strict
                )
            judges.append(baseline)
        if args.strict:
            judges.append(StrictJudge())
        if args.junit is not None:
            with naming("--junit", args.junit):
                require_junit_writable(args.junit, inputs)
            if args.output is not None and target_of(args.junit) == target_of(args.output):
                raise UsageError("--junit and --output name the same file: name two")
        return ReadyGates(judges, baseline, comparison)


class ReadyGates(Gates):
    """Gates that rows can be shown to, and what they came to."""

    def __init__(self, judges: list[Judge], baseline: Baseline | None, comparison: Comparison) -> None:
        super().__init__(judges)
        self.baseline, self._metrics = baseline, comparison.metrics

    def print(self, verdicts: list[Verdict], name_of: Any, *, is_complete: bool) -> None:
        """Print how each came out, and which pairs it is about."""
        if verdicts:
            print("\ngates")
        for verdict in verdicts:
            value = "" if verdict.value is None else self._metrics[verdict.metric or ""].written(verdict.value)
            said = verdict.reason or value or f"{verdict.judged} pair{'s' * (verdict.judged != 1)}"
            print(f"{_WORDS[verdict.passed]:6}  {verdict.gate}: {said}")
            for score, row in verdict.worst if verdict.value is None else ():  # the summary lists the worst of the run
                shown = "-" if verdict.metric is None else self._metrics[verdict.metric].written(score)
                print(f"{shown:>{_COLUMN}}  {name_of(row)}")
        if self.baseline is not None:
            found = self.baseline.compared(is_complete=is_complete)
            print(f"\nbaseline {found.path}: {found.pairs} pair{'s' * (found.pairs != 1)} in both")
            for what, count, names in (("new", found.new, found.new_names), ("gone", found.gone, found.gone_names)):
                if count:
                    listed = ", ".join(ref or test or "" for ref, test in names)
                    print(f"{count} {what}: {listed}{', ...' * (count > len(names))}")

    def report(self, verdicts: list[Verdict], *, is_complete: bool) -> dict[str, Any]:
        """Make the JSON of the same."""
        baseline = None if self.baseline is None else asdict(self.baseline.compared(is_complete=is_complete))
        return {"gates": [_record(verdict) for verdict in verdicts], "baseline": baseline}


def _record(verdict: Verdict) -> dict[str, Any]:
    worst = [{"ref": row.ref, "test": row.test, "value": json_value(value)} for value, row in verdict.worst]
    return {**asdict(verdict), "value": json_value(verdict.value), "worst": worst}
