"""Pairs that wait for others of their size: every row as alone, in order, within memory, and nobody waits for ever."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import pixelgauge
from pixelgauge.engine.comparison import CompareOptions, Comparison
from pixelgauge.engine.inputs import Given
from pixelgauge.engine.pairing import Pairing
from pixelgauge.engine.pipeline import score_pair, score_pairs
from pixelgauge.metric import Pixels, Result
from tests.pictures import random_pixels

DARK = 7
"""What refuses the first pixel of a picture."""


class Several:
    """The mean distance of pairs, so many at a time, that keeps what it was called with."""

    made_with: Mapping[str, str] = {}

    def __init__(self, together: int, pause: float = 0.0) -> None:
        self._together, self._pause = together, pause
        self.calls: list[tuple[int, ...]] = []

    def together(self, x: Pixels) -> int:
        return self._together

    def __call__(self, x: Pixels, y: Pixels) -> Mapping[str, Result]:
        self.calls.append(x.shape)
        time.sleep(self._pause)
        if (x[:, 0, 0, 0] == DARK).any():
            return {"mse": ValueError("is dark")}
        return {"mse": np.array([pixelgauge.mse(a, b) for a, b in zip(x, y, strict=True)])}


class ByCompany(Comparison):
    """Psnr of each pair by itself, mse by what takes several."""

    def __init__(self, several: Any) -> None:
        super().__init__(CompareOptions(("psnr", "mse")))
        self.several = several
        self._alone = Comparison(CompareOptions(("psnr",))).scorers()

    def scorers(self, full_range: float | None = None) -> list[Any]:
        return [*self._alone, self.several]


def pairs(sizes: list[tuple[int, int]], dark: tuple[int, ...] = ()) -> tuple[list[np.ndarray], list[np.ndarray]]:
    x, y = ([random_pixels((*size, 3), seed + i) | 8 for i, size in enumerate(sizes)] for seed in (1, 1000))
    for i in dark:
        x[i][0, 0, 0] = DARK
    return x, y


def pairing_of(x: list[np.ndarray], y: list[np.ndarray]) -> Pairing:
    return Given(-1, None).two_sides(x, y)


def plain_rows(pairing: Pairing) -> list[Any]:
    return [score_pair(*pairing.sources(pair), ByCompany(Several(1))) for pair in pairing.pairs]  # type: ignore[arg-type]


@pytest.mark.property
@pytest.mark.parametrize("together", [1, 2, 4, 7])
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_rows_are_those_of_each_pair_by_itself(together: int, workers: int) -> None:
    rng = random.Random(together)
    sizes = [rng.choice([(12, 12), (20, 13), (30, 8)]) for _ in range(50)]
    pairing = pairing_of(*pairs(sizes, dark=(3, 17)))
    expected = plain_rows(pairing)
    assert [i for i, row in enumerate(expected) if row.status != "ok"] == [3, 17]
    assert expected[3].message == "mse: is dark"
    for memory in (1, 20_000, None):
        comparison = ByCompany(Several(together, 0.0005))
        assert list(score_pairs(pairing, comparison, workers=workers, memory=memory)) == expected
        assert max(shape[0] for shape in comparison.several.calls) <= together


@pytest.mark.property
def test_batches_of_one_size_are_full() -> None:
    pairing = pairing_of(*pairs([(12, 12)] * 40))
    comparison = ByCompany(Several(8))
    list(score_pairs(pairing, comparison, workers=3))
    assert comparison.several.calls == [(8, 12, 12, 3)] * 5


@pytest.mark.property
def test_sizes_that_take_turns_fill_their_batches_and_a_size_of_its_own_does_not_stall() -> None:
    sizes = [(12, 12), (14, 14), (16, 16)] * 16
    sizes[5] = (99, 5)
    pairing = pairing_of(*pairs(sizes))
    comparison = ByCompany(Several(8))
    assert len(list(score_pairs(pairing, comparison, workers=2))) == 48
    full = [shape for shape in comparison.several.calls if shape[0] == 8]
    assert len(full) == 5  # 16, 16 and 15 of the three sizes


@pytest.mark.property
def test_an_endless_run_of_other_sizes_keeps_nobody_waiting() -> None:
    def stream() -> Any:
        yield random_pixels((12, 12, 3), 1), random_pixels((12, 12, 3), 2)
        while True:
            yield random_pixels((9, 9, 3), 3), random_pixels((9, 9, 3), 4)

    rows = score_pairs(Given(-1, None).pairs(stream()), ByCompany(Several(4)), workers=2)
    assert next(rows).status == "ok"
    rows.close()


@pytest.mark.property
def test_what_a_scorer_raises_ends_the_run() -> None:
    class Broken(Several):
        def __call__(self, x: Pixels, y: Pixels) -> Mapping[str, Result]:
            raise RuntimeError("no device")

    before = threading.active_count()
    pairing = pairing_of(*pairs([(12, 12)] * 20))
    with pytest.raises(RuntimeError, match="no device"):
        list(score_pairs(pairing, ByCompany(Broken(4)), workers=3))
    assert threading.active_count() == before


@pytest.mark.property
def test_leaving_early_stops_while_pairs_wait() -> None:
    before = threading.active_count()
    pairing = pairing_of(*pairs([(12, 12), (14, 14)] * 200))
    for memory in (1, None):
        rows = score_pairs(pairing, ByCompany(Several(64, 0.001)), workers=4, memory=memory)
        assert next(rows).status == "ok"
        rows.close()
        assert threading.active_count() == before
