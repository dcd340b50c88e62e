"""Work in order on several threads."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from pixelgauge import _core

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class _Here(threading.local):
    """Whom this thread works for."""

    crew: _Crew[Any, Any] | None = None


_here = _Here()


class _Crew(Generic[_Item, _Result]):
    """Threads of one map, and how much there is for them to do.

    They keep the memory of arrays that they drop, such as decoded images, for the arrays that they make next: the
    system clears new pages, which costs a third of what decoding a JPEG does. No more is kept than was once in use.
    """

    def __init__(self, call: Callable[[_Item], _Result], workers: int) -> None:
        self._call, self._workers = call, workers
        self._memory = _core.ArrayMemory()
        self._pool = ThreadPoolExecutor(workers, "pixelgauge", self._join)
        self._lock = threading.Lock()
        self._given = self._done = 0
        self._process = os.getpid()

    def _join(self) -> None:
        self._memory.use()
        _here.crew = self

    def give(self, item: _Item) -> Future[_Result]:
        """Have the call made, by whoever is free."""
        self._given += 1
        return self._pool.submit(self._work, item)

    def require_here(self) -> None:
        """Raise in a process that was forked since: a fork copies no thread, and no result would ever come."""
        require_process(self._process, "this work was begun")

    def _work(self, item: _Item) -> _Result:
        try:
            return self._call(item)
        finally:
            with self._lock:
                self._done += 1

    def busy(self) -> int:
        """Threads that have something to do."""
        return min(self._workers, self._given - self._done)

    def dismiss(self) -> None:
        """Wait for the calls in work, and drop the others; in a forked process there are neither."""
        if os.getpid() != self._process:
            return
        self._pool.shutdown(cancel_futures=True)
        self._memory.close()
        del self._pool, self._call  # which would keep one another, and the files behind them


def require_process(process: int, what: str) -> None:
    """Raise a ``RuntimeError`` in any process but that of the number `process`, where `what` happened."""
    if os.getpid() != process:
        raise RuntimeError(
            f"{what} in process {process}, and this is process {os.getpid()}, forked from it: threads do not come "
            "along: begin anew here, or fork before"
        )


def side_by_side() -> int:
    """Threads that work beside the calling one for the same map, itself counted: 1 where it works for none."""
    crew = _here.crew
    return 1 if crew is None else max(1, crew.busy())


def ordered_map(
    call: Callable[[_Item], _Result], items: Iterable[_Item], workers: int, ahead: int
) -> Generator[_Result, None, None]:
    """Results of a call for each item, in the items' order, whatever the number of threads.

    Parameters
    ----------
    call : callable
        Runs on one of the threads. What it raises is raised where its result would come.
    items : iterable
        Taken as they are needed, on the caller's thread.
    workers : int
        Threads.
    ahead : int
        Results that may be waiting beyond those in work: long enough that one slow call does not idle the others.

    Yields
    ------
    object
        One an item. When the generator is closed, calls that have not begun are dropped.

    Raises
    ------
    RuntimeError
        In a process that was forked after the first of them.
    """
    crew = _Crew(call, workers)
    try:
        waiting: deque[Future[_Result]] = deque()
        for item in items:
            crew.require_here()
            waiting.append(crew.give(item))
            if len(waiting) > ahead + workers:
                yield waiting.popleft().result()
        while waiting:
            crew.require_here()
            yield waiting.popleft().result()
    finally:
        crew.dismiss()
