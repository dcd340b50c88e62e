"""Gates: what the scores of a run must keep to, checked before any work, judged row by row.

A gate of pairs counts and keeps the ten worst; one of the run needs no more than the values that a
:class:`~pixelgauge.engine.summary.Summary` has anyway.
"""

from __future__ import annotations

import math
import re
from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from pixelgauge.checks import ArgumentValueError
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.engine.summary import Summary
from pixelgauge.metric import Metric

Direction = Literal["under", "over"]
_FORM = "[mean:|pN:]METRIC=LIMIT, such as ssim=.98, mean:ssim=.98 or p5:ssim=.95"
_PERCENTILE = re.compile(r"p([0-9]{1,3}(?:\.[0-9]{1,6})?)")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:e[+-]?[0-9]{1,3})?", re.IGNORECASE)


@dataclass(frozen=True)
class Gate:
    """A limit on a metric: of each pair, or of the run."""

    metric: str
    direction: Direction
    """The side of the limit that fails."""
    limit: float
    statistic: str = "pair"
    """``pair``, ``mean``, or a percentile, ``p5``."""

    @property
    def name(self) -> str:
        """As it is given on the command line."""
        statistic = "" if self.statistic == "pair" else f"{self.statistic}:"
        return f"--fail-{self.direction} {statistic}{self.metric}={self.limit!r}"

    @property
    def percent(self) -> float:
        """Of a percentile."""
        return float(self.statistic[1:])

    def is_broken_by(self, value: float) -> bool:
        """Whether a value is on the side of the limit that fails; the limit itself is not."""
        return value < self.limit if self.direction == "under" else value > self.limit


@dataclass(frozen=True)
class Verdict:
    """How a gate came out."""

    gate: str
    """As it is given on the command line."""
    metric: str | None
    statistic: str
    limit: float | None
    passed: bool | None
    """None where it was not judged, since the run was stopped."""
    judged: int
    """Pairs that had what it judges."""
    broken: int
    """Pairs that broke it, one by one; 0 where it is of the run."""
    value: float | None
    """Of the run; None where it is of pairs."""
    reason: str
    """Why it failed, or was not judged; empty where it passed."""
    worst: list[tuple[float | None, ScoreRow]] = field(default_factory=list)
    """Up to ten pairs that broke it, or that brought the run's value where it is, worst first."""


class Judge(Protocol):
    """A gate, or several that look at the same thing, while rows come."""

    def add(self, row: ScoreRow) -> list[str]:
        """Look at a row: what it breaks, in words."""

    def verdicts(self, summary: Summary, *, is_complete: bool) -> list[Verdict]:
        """How each gate came out over the rows that were added; `summary` is of the same."""


def parse_gate(
    text: str, direction: Direction, metrics: Mapping[str, Metric[Any]], asked: Mapping[str, Metric[Any]]
) -> Gate:
    """Read a gate.

    Parameters
    ----------
    text : str
        ``[mean:|pN:]METRIC=LIMIT``.
    direction : {"under", "over"}
        The side of the limit that fails.
    metrics, asked : mapping of str to Metric
        All there are, and those of the run.

    Raises
    ------
    ArgumentValueError
        If it does not parse, is of a metric that is not asked for, has a limit that is no finite number, or one that
        every score, or none, keeps to.
    """
    argument = f"fail_{direction}"
    head, equals, written = text.partition("=")
    if not equals:
        raise ArgumentValueError(argument, repr(text), "names no limit", f"write {_FORM}")
    first, colon, rest = head.partition(":")  # a metric may have a variant behind a colon of its own
    statistic, name = (first.strip().lower(), rest) if colon and not _is_metric(first, metrics) else ("pair", head)
    percentile = _PERCENTILE.fullmatch(statistic)
    if statistic not in ("pair", "mean") and not (percentile and float(percentile[1]) <= 100):
        problem = f"has the statistic {statistic!r}, which there is not"
        raise ArgumentValueError(argument, repr(text), problem, "use mean:, or a percentile from p0: to p100:")
    metric = asked_metric(argument, text, name, metrics, asked)
    limit = finite_number(argument, text, written)
    least, most = asked[metric].bounds
    bound = least if direction == "under" else most
    other = most if direction == "under" else least
    if (limit <= bound) if direction == "under" else (limit >= bound):
        beyond = "below" if direction == "under" else "above"
        problem = f"cannot fail: no {metric} is {beyond} {bound:g}"
        raise ArgumentValueError(argument, repr(text), problem, f"give a limit {_between(least, most)}")
    if (limit > other) if direction == "under" else (limit < other):
        beyond = "above" if direction == "under" else "below"
        problem = f"cannot be kept: no {metric} is {beyond} {other:g}"
        raise ArgumentValueError(argument, repr(text), problem, f"give a limit {_between(least, most)}")
    return Gate(metric, direction, limit, statistic)


def _named(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _is_metric(name: str, metrics: Mapping[str, Metric[Any]]) -> bool:
    return _named(name) in metrics


def _between(least: float, most: float) -> str:
    if math.isinf(most):
        return f"above {least:g}"
    return f"between {least:g} and {most:g}"


def asked_metric(
    argument: str, text: str, name: str, metrics: Mapping[str, Metric[Any]], asked: Mapping[str, Metric[Any]]
) -> str:
    """Name of a metric that is asked for, or an error that names those that are."""
    metric = _named(name)
    if metric in asked:
        return metric
    if not _is_metric(metric.partition(":")[0], metrics):
        problem, remedy = f"names no metric that there is: {name.strip()!r}", f"use one of {', '.join(asked)}"
    else:
        problem = f"is of {metric}, which is not among the metrics {','.join(asked)}"
        remedy = f"add {metric} to --metrics"
    raise ArgumentValueError(argument, repr(text), problem, remedy)


def finite_number(argument: str, text: str, written: str) -> float:
    """Return a limit that is a finite number, or raise an error that says what was given."""
    number = float(written) if _NUMBER.fullmatch(written.strip()) else math.nan
    if not math.isfinite(number):
        raise ArgumentValueError(argument, repr(text), f"has the limit {written.strip()!r}", "give a finite number")
    return number


class Breaks:
    """Pairs that broke a gate: their number, and the worst of them."""

    def __init__(self) -> None:
        self.count = 0
        self._worst: list[tuple[float, int, float | None, ScoreRow]] = []

    def add(self, goodness: float, value: float | None, row: ScoreRow) -> None:
        """Count a pair; of less `goodness` is worse."""
        entry = (goodness, self.count, value, row)
        self.count += 1
        if len(self._worst) < Summary.WORST or goodness < self._worst[-1][0]:
            insort(self._worst, entry, key=lambda kept: kept[:2])
            del self._worst[Summary.WORST :]

    @property
    def worst(self) -> list[tuple[float | None, ScoreRow]]:
        """Up to ten, worst first."""
        return [(value, row) for _, _, value, row in self._worst]


class PairJudge:
    """A gate that each pair must keep to."""

    def __init__(self, gate: Gate) -> None:
        self._gate, self._judged, self._breaks = gate, 0, Breaks()

    def add(self, row: ScoreRow) -> list[str]:
        """Look at a row."""
        gate, value = self._gate, row.values.get(self._gate.metric)
        if value is None:
            return []
        self._judged += 1
        if not gate.is_broken_by(value):
            return []
        self._breaks.add(value if gate.direction == "under" else -value, value, row)
        return [f"{gate.metric} {value!r} is {gate.direction} {gate.limit!r}"]

    def verdicts(self, summary: Summary, *, is_complete: bool) -> list[Verdict]:
        """How it came out."""
        gate, broken = self._gate, self._breaks.count
        reason = ""
        if broken:
            verb = "is" if broken == 1 else "are"
            reason = f"{broken} of {self._judged} pairs {verb} {gate.direction} {gate.limit!r}"
        if not self._judged:
            reason = nothing_judged(gate.metric)
        passed = not broken and self._judged > 0
        return [
            Verdict(
                gate.name,
                gate.metric,
                gate.statistic,
                gate.limit,
                passed,
                self._judged,
                broken,
                None,
                reason,
                self._breaks.worst,
            )
        ]


class RunJudge:
    """A gate on the mean, or a percentile, of a run."""

    def __init__(self, gate: Gate, higher_is_better: bool) -> None:
        self._gate = gate
        self._below = self._above = 0
        self._is_of_worst = higher_is_better == (gate.direction == "under")

    def add(self, row: ScoreRow) -> list[str]:
        """Count infinite values; the summary has the others."""
        value = row.values.get(self._gate.metric, 0.0)
        self._below += value == -math.inf
        self._above += value == math.inf
        return []

    def verdicts(self, summary: Summary, *, is_complete: bool) -> list[Verdict]:
        """How it came out."""
        gate, finite = self._gate, summary.finite(self._gate.metric)
        judged = finite.size + self._below + self._above
        value, passed, reason, worst = None, None, "", []
        if not is_complete:
            reason = "not judged: the run was stopped"
        elif not judged:
            passed, reason = False, nothing_judged(gate.metric)
        else:
            value = statistic_of(gate, finite, self._below, self._above)
            passed = not gate.is_broken_by(value)
            if not passed:
                pairs = f"{judged} pair{'s' * (judged != 1)}"
                reason = f"{gate.statistic} {value!r} of {pairs} is {gate.direction} {gate.limit!r}"
                worst = list(summary.compute()[gate.metric].worst) if self._is_of_worst else []
        return [Verdict(gate.name, gate.metric, gate.statistic, gate.limit, passed, judged, 0, value, reason, [*worst])]


def nothing_judged(metric: str) -> str:
    """Why a gate fails that judged no pair."""
    return f"no pair has a score of {metric}"


def statistic_of(gate: Gate, finite: npt.NDArray[np.float64], below: int, above: int) -> float:
    """Mean or percentile that a gate judges, of at least one value.

    An infinite value never helps: a mean leaves out those on the side that keeps to the limit, unless all are, and is
    infinite where one is on the side that fails. A percentile interpolates linearly between ranks, as NumPy's does;
    where one neighbour is infinite it is the one that is nearer to failing.

    Parameters
    ----------
    gate : Gate
    finite : (N,) numpy.ndarray
    below, above : int
        How many more are -inf and inf.
    """
    under = gate.direction == "under"
    if gate.statistic == "mean":
        if below if under else above:
            return -math.inf if under else math.inf
        if finite.size:
            return math.fsum(finite) / finite.size  # of rows in any order the same, as --resume needs
        return math.inf if under else -math.inf
    ordered = np.sort(finite)

    def ranked(i: int) -> float:
        if i < below:
            return -math.inf
        return float(ordered[i - below]) if i < below + ordered.size else math.inf

    position = gate.percent / 100 * (below + ordered.size + above - 1)
    rank = math.floor(position)
    part = position - rank
    low = ranked(rank)
    if not part:
        return low
    high = ranked(rank + 1)
    if math.isinf(low) or math.isinf(high):
        return low if under else high
    return low + part * (high - low)


class StrictJudge:
    """The gate that every pair is scored."""

    def __init__(self) -> None:
        self._count, self._breaks = 0, Breaks()

    def add(self, row: ScoreRow) -> list[str]:
        """Look at a row."""
        self._count += 1
        if row.status == "ok":
            return []
        self._breaks.add(0.0, None, row)
        return [f"{row.status}: {row.message}"]

    def verdicts(self, summary: Summary, *, is_complete: bool) -> list[Verdict]:
        """How it came out."""
        broken = self._breaks.count
        reason = f"{broken} of {self._count} pairs {'was' if broken == 1 else 'were'} not scored" if broken else ""
        return [
            Verdict("--strict", None, "pair", None, not broken, self._count, broken, None, reason, self._breaks.worst)
        ]


class Gates:
    """All gates of a run."""

    def __init__(self, judges: list[Judge]) -> None:
        self._judges = judges

    def __bool__(self) -> bool:
        return bool(self._judges)

    def add(self, row: ScoreRow) -> list[str]:
        """Look at a row: what it breaks, in words."""
        return [problem for judge in self._judges for problem in judge.add(row)]

    def verdicts(self, summary: Summary, *, is_complete: bool = True) -> list[Verdict]:
        """How each gate came out, in the order given."""
        return [v for judge in self._judges for v in judge.verdicts(summary, is_complete=is_complete)]
