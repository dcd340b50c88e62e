"""Bytes of decoded images that a run may hold at a time: its threads take them before they decode, in turn."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from pixelgauge.checks import byte_size
from pixelgauge.runtime import memory_limit, release_freed_memory

_SHARE = 2
"""Of the memory that the process may use, a half is for decoded images where nothing else is said."""
_LARGE = 1 << 25
"""Bytes that are worth giving back to the system, which takes milliseconds: of fewer the C library keeps little."""

_Read = TypeVar("_Read")


def memory_size(value: object) -> int | None:
    """Return an argument ``memory`` in bytes; the default for None, which is None where the limit is not known.

    Parameters
    ----------
    value : int, str or None
        As of :func:`pixelgauge.checks.byte_size`, with its errors.
    """
    if value is None:
        limit = memory_limit()
        return None if limit is None else limit // _SHARE
    return byte_size("memory", value)


class BudgetClosedError(Exception):
    """Bytes were waited for, and nobody needs what they were for any more."""


def budget_of(memory: object) -> Budget | None:
    """Make a budget of an argument ``memory``, as :func:`memory_size` reads it; None where there is no bound."""
    most = memory_size(memory)
    return None if most is None else Budget(most)


class Budget:
    """Bytes that threads hold for images, first come, first served; any thread may give back what another took.

    What needs more than there is gets all of it, once nobody holds anything.

    Parameters
    ----------
    most : int
        Bytes.
    """

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._is_closed = False
        self.short: Callable[[], None] = lambda: None
        """Called on a thread that will have to wait, before it does: to have bytes given back that are held for no more
        than company."""

    @property
    def is_short(self) -> bool:
        """Whether anyone waits."""
        return bool(self._waiting)

    def _fits(self, need: int) -> bool:
        return self._held == 0 or self._held + need <= self._most

    def took(self, need: int) -> bool:
        """Take bytes if they are there and nobody waits, and say whether."""
        with self._changed:
            if self._waiting or not self._fits(need):
                return False
            self._held += need
            return True

    def wait_for(self, need: int) -> None:
        """Take bytes, once those who came before have theirs.

        Raises
        ------
        BudgetClosedError
            If the budget is closed first.
        """
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
        try:
            self.short()
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or (self._waiting[0] is ticket and self._fits(need)))
                if self._is_closed:
                    raise BudgetClosedError
                self._held += need
        finally:
            with self._changed:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def close(self) -> None:
        """Send away those who wait: they have not begun, and need not."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def give_back(self, bytes_: int) -> None:
        """Return bytes that were taken, once what they were taken for is freed."""
        if self._waiting and bytes_ >= _LARGE:
            # Or else each thread keeps what its image left, beside the one that another decodes within the bound: four
            # threads, one image of 48 megapixels at a time, peaked at 690 to 830 MB, and do now at 460.
            release_freed_memory()
        with self._changed:
            self._held -= bytes_
            self._changed.notify_all()


class Share:
    """What is held for one pair or one image; nothing is, where there is no budget."""

    def __init__(self, budget: Budget | None = None) -> None:
        self._budget, self._held = budget, 0

    @property
    def is_bounded(self) -> bool:
        """Whether there is a budget."""
        return self._budget is not None

    def took(self, need: int) -> bool:
        """Hold so many bytes and no more, if that takes no waiting, and say whether; else nothing is held."""
        if self._budget is None:
            return True
        if self._held < need:
            self.keep(0)
            if not self._budget.took(need):
                return False
            self._held = need
        self.keep(need)
        return True

    def wait_for(self, need: int) -> None:
        """Hold so many bytes, once those who came before have theirs; until then nothing is held."""
        self.keep(0)
        if self._budget is not None:
            self._budget.wait_for(need)
            self._held = need

    def admitted(self, load: Callable[[], tuple[_Read, int]]) -> _Read:
        """Hand out what `load` returns, once the bytes that it says are held for it.

        It is called again after waiting: meanwhile nothing is held, what it had read neither.
        """
        found, need = load()
        while not self.took(need):  # once, unless it is replaced meanwhile by what needs more
            del found
            self.wait_for(need)
            found, need = load()
        return found

    def keep(self, bytes_: int) -> None:
        """Give back what is held beyond so many bytes."""
        if self._budget is not None and self._held > bytes_:
            self._budget.give_back(self._held - bytes_)
            self._held = bytes_
