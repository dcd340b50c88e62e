"""Permissions as they are enforced: root, whom none stops, does without what sets it apart."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION_3 = 0x20080522  # of linux/capability.h
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2


@contextmanager
def without_roots_rights() -> Iterator[None]:
    """Have this thread, and those it starts, stopped by permissions as their owner is.

    The user stays root, so that what root alone may read, a virtual environment in a private folder for one, can still
    be imported. Nothing is changed for other users, who are stopped anyway.
    """
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable: of capabilities 0 to 31, then of the others

    def call(name: str) -> None:
        if getattr(libc, name)(header, sets) != 0:
            raise OSError(ctypes.get_errno(), name)

    call("capget")
    before = sets[0]
    sets[0] &= ~(1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH)
    call("capset")
    try:
        yield
    finally:
        sets[0] = before
        call("capset")
