"""Rows of a run that a report keeps, while they come: the worst and best, a random sample, and those of its table.

What is kept is bounded, however long the run: a few hundred pairs for pictures, and rows for a table of ten thousand,
without their pairs, which may hold pixels or whole files.
"""

from __future__ import annotations

import math
import random
from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Generic, TypeVar

from pixelgauge.engine.pairing import Pair
from pixelgauge.engine.rows import ScoreRow

TABLE_ROWS = 10_000
"""Rows that a table has at most, and failures and gate breakers that it has beside a sample of the others."""
LEAST_SAMPLE = 1_000
"""Of the rows that did not fail, where failures alone would fill the table."""
WORST, BEST, RANDOM, MOVED = 24, 24, 16, 12
"""Pairs with pictures."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Kept:
    """A row and what a report says of it."""

    index: int
    """Its place in the run, from 0."""
    row: ScoreRow
    pair: Pair | None
    problems: Sequence[str] = ()
    """Gates that it broke, in words."""
    before: Mapping[str, float] | None = None
    """Scores of the pair in an earlier run."""

    @property
    def is_notable(self) -> bool:
        """Whether it failed, or broke a gate."""
        return self.row.status != "ok" or bool(self.problems)


class Ranked:
    """The first few of many by a figure, lowest first; of equal ones those that came first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: list[tuple[float, int, Kept]] = []

    def add(self, figure: float, kept: Kept) -> None:
        """Look at one more."""
        if len(self._entries) < self._most or figure < self._entries[-1][0]:
            insort(self._entries, (figure, kept.index, kept), key=lambda entry: entry[:2])
            del self._entries[self._most :]

    def __iter__(self) -> Iterator[Kept]:
        return (kept for _, _, kept in self._entries)


class Reservoir(Generic[Item]):
    """A random sample of many, each with the same chance; the same for the same seed."""

    def __init__(self, most: int, seed: int) -> None:
        self._most, self._random = most, random.Random(seed)
        self.count = 0
        self.items: list[Item] = []

    def add(self, item: Item) -> None:
        """Look at one more."""
        self.count += 1
        if len(self.items) < self._most:
            self.items.append(item)
        elif (place := self._random.randrange(self.count)) < self._most:
            self.items[place] = item


@dataclass(frozen=True)
class Group:
    """Pairs that are shown together."""

    name: str
    """``worst``, ``best``, ``random`` or ``moved``."""
    pairs: list[Kept]


@dataclass(frozen=True)
class TableRows:
    """Rows of the table, in the order of the run, and what they are of."""

    rows: list[Kept]
    total: int
    notable: int
    """Failures and gate breakers of the run."""
    notable_shown: int


class Selection:
    """What a report keeps of the rows that it is shown.

    Parameters
    ----------
    higher_is_better : mapping of str to bool
        By metric.
    seed : int
        Of the random samples.
    """

    def __init__(self, higher_is_better: Mapping[str, bool], seed: int = 0) -> None:
        self._signs = {name: 1.0 if better else -1.0 for name, better in higher_is_better.items()}
        self._worst = {name: Ranked(WORST) for name in higher_is_better}
        self._best = {name: Ranked(WORST + BEST) for name in higher_is_better}
        self._moved = {name: Ranked(MOVED) for name in higher_is_better}
        self._random: Reservoir[Kept] = Reservoir(WORST + BEST + MOVED + RANDOM, seed)
        self._notable: Reservoir[Kept] = Reservoir(TABLE_ROWS, seed + 1)
        self._plain: Reservoir[Kept] = Reservoir(TABLE_ROWS, seed + 2)

    def add(self, kept: Kept) -> None:
        """Look at a row."""
        values = kept.row.values
        for name, value in values.items():
            goodness = self._signs[name] * value
            self._worst[name].add(goodness, kept)
            self._best[name].add(-goodness, kept)
            old = None if kept.before is None else kept.before.get(name)
            if old is not None and value != old:
                change = goodness - self._signs[name] * old
                if change < 0:
                    self._moved[name].add(-math.inf if math.isnan(change) else change, kept)
        if values:
            self._random.add(kept)
        (self._notable if kept.is_notable else self._plain).add(replace(kept, pair=None))

    def groups(self) -> list[Group]:
        """Pairs to show with pictures, each once: by each metric in turn, then at random from all others."""
        seen: set[int] = set()

        def taken(name: str, found: Iterator[Kept], most: int) -> Group:
            group = Group(name, [])
            for kept in found:
                if len(group.pairs) < most and kept.index not in seen:
                    seen.add(kept.index)
                    group.pairs.append(kept)
            return group

        sample = sorted(self._random.items, key=lambda kept: kept.index) if self._all_fit else self._random.items
        groups = [
            taken("worst", _in_turn(self._worst), WORST),
            taken("moved", _in_turn(self._moved), MOVED),
            taken("best", _in_turn(self._best), BEST),
            taken("random", iter(sample), RANDOM),
        ]
        return [group for group in groups if group.pairs]

    @property
    def _all_fit(self) -> bool:
        return self._random.count == len(self._random.items)

    def table(self) -> TableRows:
        """Rows of the table: all of them, or all that are notable and a sample of the others."""
        notable, plain = self._notable, self._plain
        total = notable.count + plain.count
        room = TABLE_ROWS if total <= TABLE_ROWS else max(TABLE_ROWS - len(notable.items), LEAST_SAMPLE)
        rows = sorted([*notable.items, *plain.items[:room]], key=lambda kept: kept.index)
        return TableRows(rows, total, notable.count, len(notable.items))


def _in_turn(ranked: Mapping[str, Ranked]) -> Iterator[Kept]:
    """First of each metric, then second of each."""
    for rank in zip_longest(*ranked.values()):
        yield from (kept for kept in rank if kept is not None)
