"""Work in order on several threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    pass


_Result = TypeVar("_Result")


def in_order(call: Callable[[int], _Result], count: int, threads: int, ahead: int) -> Iterator[_Result]:
    """Results of call(0) ... call(count - 1), in order, from so many threads that run at most `ahead` calls ahead."""
    with ThreadPoolExecutor(threads, "pixelgauge-network") as pool:
        try:
            waiting: deque[Future[_Result]] = deque()
            for i in range(count):
                waiting.append(pool.submit(call, i))
                if len(waiting) > ahead + threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
