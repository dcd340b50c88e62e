"""Bytes of decoded images that a run may hold at a time: its threads take them before they decode, in turn."""

from __future__ import annotations

import re
import reprlib
import threading
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from pixelgauge.checks import ArgumentTypeError, ArgumentValueError
from pixelgauge.runtime import memory_limit

_SHARE = 2
"""Of the memory that the process may use, a half is for decoded images where nothing else is said."""
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:([KMGT])(I?B)?|B)?", re.IGNORECASE | re.ASCII)
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}
_MOST = 1 << 62
"""No machine has as many bytes, and sums of two fit what counts them."""

_LONGEST = 100
"""Characters of a size."""
_Read = TypeVar("_Read")


def memory_size(value: object) -> int | None:
    """Return an argument ``memory`` in bytes; the default for None, which is None where the limit is not known.

    Parameters
    ----------
    value : int, str or None
        Bytes, also as text: ``"500M"`` and ``"500MiB"`` are of 1024 x 1024, ``"500MB"`` of a million, in any case.

    Raises
    ------
    TypeError, ValueError
        If it is no such size, less than one byte, or more than any machine has.
    """
    if value is None:
        limit = memory_limit()
        return None if limit is None else limit // _SHARE
    remedy = 'give bytes, or a number with K, M, G or T, such as "500M"'
    if isinstance(value, str):
        found = _SIZE.fullmatch(value.strip())
        if found is None or len(value) > _LONGEST:
            raise ArgumentValueError("memory", reprlib.repr(value), "is no size", remedy)
        base = 1000 if found[3] in ("B", "b") else 1024
        size = float(found[1]) * base ** _POWERS.get((found[2] or "").upper(), 0)
    elif isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ArgumentTypeError("memory", reprlib.repr(value), "is no size", remedy)
    else:
        size = value
    if size < 1:
        raise ArgumentValueError("memory", reprlib.repr(value), "is less than a byte", remedy)
    if size > _MOST:
        raise ArgumentValueError("memory", reprlib.repr(value), "is more than any machine has", remedy)
    return int(size)


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
        """Take bytes, once those who came before have theirs."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
        self.short()
        with self._changed:
            try:
                self._changed.wait_for(lambda: self._waiting[0] is ticket and self._fits(need))
                self._held += need
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def give_back(self, bytes_: int) -> None:
        """Return bytes that were taken."""
        with self._changed:
            self._held -= bytes_
            self._changed.notify_all()


class Share:
    """What is held for one pair; nothing is, where there is no budget."""

    def __init__(self, budget: Budget | None = None) -> None:
        self._budget, self._held = budget, 0

    @property
    def is_bounded(self) -> bool:
        """Whether there is a budget."""
        return self._budget is not None

    def admitted(self, load: Callable[[], tuple[_Read, int]]) -> _Read:
        """Hand out what `load` returns, once the bytes that it says are held for it.

        It is called again after waiting: meanwhile nothing is held, what it had read neither.
        """
        found, need = load()
        if self._budget is None:
            return found
        if not self._budget.took(need):
            del found
            self._budget.wait_for(need)
            self._held = need
            found, again = load()
            if again > need:  # it was replaced meanwhile
                self.keep(0)
                return self.admitted(load)
        self._held = need
        return found

    def keep(self, bytes_: int) -> None:
        """Give back what is held beyond so many bytes."""
        if self._budget is not None and self._held > bytes_:
            self._budget.give_back(self._held - bytes_)
            self._held = bytes_
