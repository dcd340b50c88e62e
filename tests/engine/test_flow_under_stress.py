"""Runs in any order of events: tiny memories, pairs that wait for company, failures and ends in the middle of it all."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from pixelgauge.engine import pipeline
from pixelgauge.engine.items import Loaded
from pixelgauge.engine.pairing import Pair, Pairing, pair_of
from pixelgauge.engine.pipeline import score_pair, score_pairs
from pixelgauge.images import ImageFileError
from pixelgauge.images.budget import Budget, BudgetClosedError
from pixelgauge.images.decoding import Picture
from tests.engine.test_batches import DARK, ByCompany, Several, pairing_of, plain_rows
from tests.pictures import random_pixels

SIZES = [(12, 12), (20, 13), (30, 8), (12, 13)]


class Whimsical:
    """An image that needs now this much and now that, takes its time, or cannot be read."""

    def __init__(self, name: str, pixels: np.ndarray, rng: random.Random) -> None:
        self.name = name
        self._pixels, self._rng = pixels, random.Random(rng.random())
        self._is_broken = rng.random() < 0.1

    def state(self) -> None:
        return None

    def read(self, **reading: object) -> Picture:
        time.sleep(self._rng.choice([0, 0, 0.0005]))
        if self._is_broken:
            raise ImageFileError(self.name, "is broken")
        return Picture(self._pixels.copy())

    def load(self) -> Loaded:
        return Loaded(self._pixels.nbytes * self._rng.choice([0, 1, 1, 2, 9]), self.read)


def pairs_of(rng: random.Random, count: int) -> list[Pair]:
    found = []
    for i in range(count):
        shape = (*rng.choice(SIZES), 3)
        x, y = (random_pixels(shape, seed + i) | 8 for seed in (1, 1000))
        x[0, 0, 0] = DARK if rng.random() < 0.1 else 8
        found.append(pair_of(Whimsical(f"x[{i}]", x, rng), Whimsical(f"y[{i}]", y, rng)))
    return found


class FailsOnce(Several):
    """Raises at one of its calls."""

    def __init__(self, together: int, at: int) -> None:
        super().__init__(together, 0.0003)
        self._left = at

    def __call__(self, x: Any, y: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            raise RuntimeError("no device")
        return super().__call__(x, y)


def ending(pairs: list[Pair], at: int) -> Iterator[Pair]:
    yield from pairs[:at]
    raise OSError("the list ended")


def in_time(call: Callable[[], None], seconds: float = 60) -> None:
    """Make a call that must end, and raise what it raises."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it waits for ever"
    if raised:
        raise raised[0]


@pytest.fixture
def budgets(monkeypatch: pytest.MonkeyPatch) -> list[Budget]:
    """All budgets that runs make from now on."""
    made: list[Budget] = []

    class Noted(Budget):
        def __init__(self, most: int) -> None:
            super().__init__(most)
            made.append(self)

    monkeypatch.setattr(pipeline, "Budget", Noted)
    return made


@pytest.mark.property
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("end", ["none", "left", "scorer", "pairs"])
def test_every_run_ends_and_gives_back_what_it_took(seed: int, end: str, budgets: list[Budget]) -> None:
    rng = random.Random(f"{seed} {end}")
    pairs = pairs_of(rng, rng.randrange(1, 60))
    memory, workers, together = rng.choice([1, 900, 5_000, 50_000]), rng.randrange(1, 13), rng.randrange(1, 9)
    at = rng.randrange(1, len(pairs) + 1)
    before = threading.active_count()
    several = FailsOnce(together, at) if end == "scorer" else Several(together, 0.0003)
    given = ending(pairs, at - 1) if end == "pairs" else pairs
    pairing = Pairing("", "", given, {})  # type: ignore[arg-type]

    def run() -> None:
        rows = score_pairs(pairing, ByCompany(several), workers=workers, memory=memory)
        if end == "left":
            for _ in range(at):
                next(rows)
            rows.close()
            return
        found = list(rows)
        assert end in ("none", "scorer")  # of which no call may have come
        assert found == [score_pair(*pairing.sources(pair), ByCompany(Several(1))) for pair in pairs]  # type: ignore[arg-type]

    if end == "pairs":
        with pytest.raises(OSError, match="the list ended"):
            in_time(run)
    elif end == "scorer":
        with contextlib.suppress(RuntimeError):  # there may be fewer calls
            in_time(run)
    else:
        in_time(run)
    assert threading.active_count() == before
    assert len(budgets) == 1
    assert not budgets[0].is_short
    if end == "none":
        assert budgets[0].took(memory), "bytes were not given back"


@pytest.mark.property
def test_pairs_that_wait_for_memory_when_a_run_is_left_are_not_begun() -> None:
    pairing = pairing_of(*([random_pixels((12, 12, 3), i + seed) for i in range(80)] for seed in (1, 99)))
    comparison = ByCompany(Several(1, 0.05))
    rows = score_pairs(pairing, comparison, workers=16, memory=1)
    assert next(rows).status == "ok"
    begun = len(comparison.several.calls)
    in_time(rows.close)
    assert len(comparison.several.calls) <= begun + 2
    assert begun < 8


@pytest.mark.property
def test_who_waits_for_a_budget_that_is_closed_is_sent_away() -> None:
    budget = Budget(10)
    assert budget.took(10)
    is_waiting = threading.Event()
    budget.short = is_waiting.set
    found: list[type] = []

    def wait() -> None:
        try:
            budget.wait_for(5)
        except BudgetClosedError as error:
            found.append(type(error))

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert is_waiting.wait(10)
    budget.close()
    for thread in threads:
        thread.join(10)
    assert found == [BudgetClosedError] * 3
    assert not budget.is_short


@pytest.mark.property
def test_rows_do_not_wait_for_company_that_others_had() -> None:
    """A batch that was scored is handed out at once, whatever is still to come."""
    pairing = pairing_of(*([random_pixels((12, 12, 3), i + seed) for i in range(60)] for seed in (1, 99)))
    taken = 0

    def counted() -> Iterator[Pair]:
        nonlocal taken
        for pair in pairing.pairs:
            taken += 1
            yield pair

    streamed = Pairing(pairing.ref_root, pairing.test_root, counted(), pairing.ignored)  # type: ignore[arg-type]
    rows = score_pairs(streamed, ByCompany(Several(4)), workers=1)
    assert next(rows).status == "ok"
    assert taken < 40
    assert [row.values for row in rows] == [row.values for row in plain_rows(pairing)[1:]]
