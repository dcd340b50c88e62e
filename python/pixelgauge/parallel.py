"""Work in order on several threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from pixelgauge import _core

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def ordered_map(
    call: Callable[[_Item], _Result], items: Iterable[_Item], workers: int, ahead: int
) -> Generator[_Result, None, None]:
    """Results of a call for each item, in the items' order, whatever the number of threads.

    The threads keep the memory of arrays that they drop, such as decoded images, for the arrays that they make next: new
    pages of the system's cost a third of what decoding a JPEG does. They never keep more than was once in use.

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
    """
    memory = _core.ArrayMemory()
    pool = ThreadPoolExecutor(workers, "pixelgauge", memory.use)
    try:
        waiting: deque[Future[_Result]] = deque()
        for item in items:
            waiting.append(pool.submit(call, item))
            if len(waiting) > ahead + workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        memory.close()
