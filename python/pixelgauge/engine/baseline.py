"""A baseline: the rows of an earlier run, which the pairs of this one must not fall behind."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pixelgauge.checks import ArgumentValueError
from pixelgauge.engine.gates import Breaks, Verdict, asked_metric, finite_number
from pixelgauge.engine.row_columns import Paths, names_within, parsed
from pixelgauge.engine.row_readers import stored_rows
from pixelgauge.engine.row_records import plain_path
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.engine.summary import Summary
from pixelgauge.files.reading import FileError
from pixelgauge.metric import Metric

_NAMED = 10
_ANEW = "make the baseline anew"


@dataclass(frozen=True)
class Compared:
    """What of a run, and of its baseline, was held against each other."""

    path: str
    pairs: int
    """Pairs that have scores in both."""
    new: int
    """Scored pairs of the run that have no score in the baseline."""
    new_names: list[Paths] = field(default_factory=list)
    """The first ten of them: paths within their folders."""
    gone: int = 0
    """Scored pairs of the baseline that are not in the run; 0 where the run was stopped."""
    gone_names: list[Paths] = field(default_factory=list)


def parse_drop(text: str, metrics: Mapping[str, Metric[Any]], asked: Mapping[str, Metric[Any]]) -> tuple[str, float]:
    """Read an allowed drop, ``METRIC=AMOUNT``.

    Raises
    ------
    ArgumentValueError
        If it does not parse, is of a metric that is not asked for, or no finite number of at least 0.
    """
    name, equals, written = text.partition("=")
    if not equals:
        raise ArgumentValueError("allow_drop", repr(text), "names no amount", "write METRIC=AMOUNT, such as ssim=.001")
    metric = asked_metric("allow_drop", text, name, metrics, asked)
    amount = finite_number("allow_drop", text, written)
    if amount < 0:
        raise ArgumentValueError("allow_drop", repr(text), "is below 0", "say how much worse a score may be")
    return metric, amount


class Baseline:
    """Scores of an earlier run by pair, and the gate that no score is worse now; see :class:`~.gates.Judge`.

    Holds the scores of the file.

    Parameters
    ----------
    path : path
        A file that ``compare --output`` wrote, in any of its formats.
    metrics : mapping of str to Metric
        Of this run.
    made : str
        How the rows of this run are made.
    roots : (str, str)
        The folders that the paths of this run's rows begin with.
    allowed : mapping of str to float
        By metric, how much worse a score may be; 0 where it is not said.
    strict : bool
        Whether pairs that are in one of the two alone fail.

    Raises
    ------
    FileError
        If it is no such file, or was made otherwise, or lacks a metric of this run.
    OSError
        If it cannot be read.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        metrics: Mapping[str, Metric[Any]],
        made: str,
        roots: tuple[str, str],
        allowed: Mapping[str, float],
        *,
        strict: bool = False,
    ) -> None:
        self.path = os.fspath(path)
        self._metrics, self._made, self._roots, self._strict = metrics, made, roots, strict
        self._allowed = {name: allowed.get(name, 0.0) for name in metrics}
        self._breaks = {name: Breaks() for name in metrics}
        self._judged = dict.fromkeys(metrics, 0)
        self._pairs = self._new = 0
        self._new_names: list[Paths] = []
        self._seen: set[Paths] = set()
        self._scores: dict[Paths, tuple[float | None, ...]] = {}
        self._has_names = True  # version 0.1.0 did not write them
        self._read()

    def _read(self) -> None:
        with stored_rows(self.path) as (records, theirs):
            if lacking := [name for name in self._metrics if name not in theirs]:
                remedy = f"it has {', '.join(theirs)}: give metrics of these, or {_ANEW}"
                raise FileError(self.path, f"has no scores of {', '.join(lacking)}", remedy)
            known: set[str] = set()
            for line, record in records:
                self._has_names = "ref_name" in record
                row, names, settings = parsed(records, line, record, theirs)
                if settings not in known:
                    self._require_comparable(settings, theirs)
                    known.add(settings)
                scores = tuple(row.values.get(name) for name in self._metrics)
                if row.values and self._scores.setdefault(_key(names), scores) != scores:
                    raise records.wrong(line, "has other scores than a row before it of the same pair", _ANEW)
            if not records.is_whole and not self.path.lower().endswith(".parquet"):
                raise FileError(self.path, "ends within a row: its run was cut short", "finish it with --resume")

    def _require_comparable(self, settings: str, theirs: Sequence[str]) -> None:
        before, now = _facts(settings), _facts(self._made)
        others = {name for name in theirs if name not in self._metrics}
        for name in dict.fromkeys([*now, *before]):
            if name not in others and before.get(name) != now.get(name):
                what = f"was made with {_fact(name, before)}, this run is with {_fact(name, now)}"
                raise FileError(self.path, what, f"give the same options, or {_ANEW}")

    def before(self, row: ScoreRow) -> dict[str, float] | None:
        """Scores of the same pair in the baseline, None if it has none."""
        scores = self._scores.get(self._names_of(row))
        if scores is None:
            return None
        return {name: old for name, old in zip(self._metrics, scores, strict=True) if old is not None}

    def _names_of(self, row: ScoreRow) -> Paths:
        paths = (row.ref, row.test)
        return _key(names_within(paths, self._roots) if self._has_names else paths)

    def add(self, row: ScoreRow) -> list[str]:
        """Hold a row against the baseline: what has become worse, in words."""
        names = self._names_of(row)
        before = self._scores.get(names)
        self._seen.add(names)
        if not row.values:
            return []
        if before is None:
            self._new += 1
            if len(self._new_names) < _NAMED:
                self._new_names.append(names)
            return []
        self._pairs += 1
        return [
            problem
            for (name, metric), old in zip(self._metrics.items(), before, strict=True)
            if (problem := self._compared(row, name, metric, old))
        ]

    def _compared(self, row: ScoreRow, name: str, metric: Metric[Any], old: float | None) -> str:
        new = row.values.get(name)
        if new is None or old is None:
            return ""
        self._judged[name] += 1
        drop = 0.0 if new == old else old - new if metric.higher_is_better else new - old
        if drop <= self._allowed[name]:
            return ""
        self._breaks[name].add(-drop, new, row)
        allowed = f", and {self._allowed[name]!r} is allowed" if self._allowed[name] else ""
        return f"{name} {new!r} is worse than {old!r} of the baseline by {drop:.6g}{allowed}"

    def verdicts(self, summary: Summary, *, is_complete: bool) -> list[Verdict]:
        """How each metric came out."""
        found = self.compared(is_complete=is_complete)
        found_alone = [f"{n} {what}" for n, what in ((found.new, "new"), (found.gone, "gone")) if n]
        verdicts = []
        for name, breaks in self._breaks.items():
            judged, reasons = self._judged[name], []
            if breaks.count:
                reasons.append(f"{breaks.count} of {judged} pairs {'is' if breaks.count == 1 else 'are'} worse")
            if not judged:
                reasons.append(f"no pair has a score of {name} here and in the baseline")
            if self._strict and found_alone:
                reasons.append(f"pairs in one of the two alone: {', '.join(found_alone)}")
            gate = f"--baseline {self.path} --allow-drop {name}={self._allowed[name]!r}"
            limit, reason = self._allowed[name], "; ".join(reasons)
            verdicts.append(
                Verdict(gate, name, "drop", limit, not reasons, judged, breaks.count, None, reason, breaks.worst)
            )
        return verdicts

    def compared(self, *, is_complete: bool) -> Compared:
        """Say what was held against each other, and what could not be."""
        gone = [names for names in self._scores if names not in self._seen] if is_complete else []
        return Compared(self.path, self._pairs, self._new, self._new_names, len(gone), gone[:_NAMED])


def _key(names: Paths) -> Paths:
    """Names as all formats have them: a CSV writes some with ``./`` before them."""
    return plain_path(names[0]), plain_path(names[1])


def _facts(settings: str) -> dict[str, str]:
    """Facts that decided the scores, by name: all but the version."""
    return {name: value for name, _, value in (fact.partition("=") for fact in settings.split(" ")[2:])}


def _fact(name: str, facts: Mapping[str, str]) -> str:
    if name not in facts:
        return f"no {name}"
    return f"{name}={facts[name]}" if facts[name] else name
