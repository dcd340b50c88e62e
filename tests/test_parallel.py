"""Work in order on threads, and the memory of their arrays: used again, never shared, never more than was in use."""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
import threading

import numpy as np
import pytest

from pixelgauge import _core
from pixelgauge.parallel import ordered_map, side_by_side

KEPT = 64 << 10
"""Bytes from which on memory is kept."""


def on_a_thread(memory: _core.ArrayMemory, call: object) -> None:
    """Run a call where arrays come from a memory, and raise what it raises."""
    found: list[BaseException] = []

    def run() -> None:
        memory.use()
        try:
            call()  # type: ignore[operator]
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if found:
        raise found[0]


@pytest.mark.property
def test_results_come_in_order_and_errors_where_they_belong() -> None:
    def call(i: int) -> int:
        if i == 30:
            raise KeyError(i)
        return i * i

    found = ordered_map(call, range(100), 4, 8)
    assert [next(found) for _ in range(30)] == [i * i for i in range(30)]
    with pytest.raises(KeyError, match="30"):
        next(found)


@pytest.mark.property
def test_threads_know_how_many_work_beside_them() -> None:
    assert side_by_side() == 1
    begun = threading.Barrier(3)

    def call(i: int) -> int:
        if i < 3:
            begun.wait(10)
        return side_by_side()

    assert max(ordered_map(call, range(12), 3, 0)) == 3
    assert list(ordered_map(lambda i: side_by_side(), range(1), 3, 0)) == [1]
    assert list(ordered_map(lambda i: side_by_side(), range(5), 1, 0)) == [1] * 5


@pytest.mark.property
def test_arrays_are_never_of_one_memory_and_hold_what_was_written() -> None:
    memory = _core.ArrayMemory()
    rng = random.Random(0)

    def work() -> None:
        arrays: list[tuple[int, np.ndarray]] = []
        for step in range(2000):
            if arrays and rng.random() < 0.5:
                value, array = arrays.pop(rng.randrange(len(arrays)))
                assert (array == value).all()
                if rng.random() < 0.2:  # its memory moves
                    array = array.copy()
                    array.resize(rng.randrange(1, 2 * array.size + 2), refcheck=False)
                    assert set(np.unique(array)) <= {value, 0}
            if len(arrays) < 12:
                size = rng.choice([0, 1, 100, KEPT - 1, KEPT, 3 * KEPT, rng.randrange(1, 8 * KEPT)])
                array = np.zeros(size, np.uint8) if rng.random() < 0.3 else np.empty(size, np.uint8)
                if step % 3 == 0:
                    assert not np.zeros(size, np.uint8).any()
                array[:] = value = step % 255 + 1
                assert array.ctypes.data % 64 == 0
                arrays.append((value, array))

    on_a_thread(memory, work)
    gc.collect()
    memory.close()
    assert memory.held == 0


@pytest.mark.property
def test_memory_is_used_again_and_no_more_is_held_than_was_in_use() -> None:
    memory = _core.ArrayMemory()
    seen = []

    def work() -> None:
        for _ in range(50):
            x, y = np.empty(3 * KEPT, np.uint8), np.empty(2 * KEPT, np.uint8)
            seen.append({x.ctypes.data, y.ctypes.data})
            del x, y
            assert memory.held == 5 * KEPT
        for size in range(KEPT, 6 * KEPT, 4096):
            np.empty(size, np.uint8).fill(1)
            assert memory.held <= max(5 * KEPT, size)

    on_a_thread(memory, work)
    assert all(places == seen[0] for places in seen)
    memory.close()
    assert memory.held == 0


@pytest.mark.property
def test_what_is_not_asked_for_again_goes_back() -> None:
    memory = _core.ArrayMemory()

    def work() -> None:
        del_me = np.empty(100 * KEPT, np.uint8)
        del del_me
        assert memory.held == 100 * KEPT
        for _ in range(200):
            np.empty(KEPT, np.uint8).fill(1)
        assert memory.held < 3 * KEPT

    on_a_thread(memory, work)


@pytest.mark.property
def test_arrays_outlive_the_threads_and_the_memory() -> None:
    made = list(ordered_map(lambda i: np.full(2 * KEPT, i, np.uint8), range(40), 3, 5))
    gc.collect()
    assert all((array == i).all() for i, array in enumerate(made))
    grown = made.pop()
    grown.resize(9 * KEPT, refcheck=False)
    assert grown[: 2 * KEPT].min() == 39


@pytest.mark.property
def test_two_memories_keep_apart() -> None:
    first, second = _core.ArrayMemory(), _core.ArrayMemory()
    kept: list[np.ndarray] = []
    on_a_thread(first, lambda: kept.append(np.empty(2 * KEPT, np.uint8)))
    assert (first.held, second.held) == (2 * KEPT, 0)
    on_a_thread(second, kept.clear)  # freed by a thread of the other
    assert (first.held, second.held) == (2 * KEPT, 0)
    first.close()
    assert first.held == 0


@pytest.mark.boundary
def test_what_cannot_be_had_is_an_error_and_counts_for_nothing() -> None:
    memory = _core.ArrayMemory()

    def work() -> None:
        for shape in ((1 << 62,), (1 << 46,)):
            with pytest.raises(MemoryError):
                np.empty(shape, np.uint8)
        assert memory.held == 0
        for size in range(KEPT, 40 * KEPT, 4096):  # each larger than all that are spare
            np.empty(size, np.uint8).fill(1)
            assert memory.held <= 2 * size

    on_a_thread(memory, work)


FORKS = """
import os, sys, threading, numpy as np
from pixelgauge import _core

memory, kept, stop = _core.ArrayMemory(), [], threading.Event()

def work():
    memory.use()
    kept.append([np.ones(100_000, np.uint8) for _ in range(8)])
    while not stop.is_set():
        np.empty(100_000, np.uint8), np.empty(300_000, np.uint8)

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
while len(kept) < len(threads):
    pass
children = []
for _ in range(40):
    child = os.fork()
    if child == 0:
        whole = all(array.all() for arrays in kept for array in arrays)
        kept.clear()
        memory.close()
        os._exit(0 if whole and memory.held == 0 else 1)
    children.append(child)
ends = {os.waitpid(child, 0)[1] for child in children}
stop.set()
for thread in threads:
    thread.join()
sys.exit(0 if ends == {0} else 1)
"""


@pytest.mark.property
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_children_of_a_fork_drop_arrays_whoever_held_the_lock() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
