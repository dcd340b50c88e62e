"""How cases come by their inputs: drawn once and kept for the contenders of a case, and files in folders of their own."""

from __future__ import annotations

import functools
import importlib
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from bench.case import Call

P = ParamSpec("P")
T = TypeVar("T")
_forget: list[Callable[[], None]] = []


def kept(make: Callable[P, T]) -> Callable[P, T]:
    """Keep what a function made of its last four arguments, for the next contender of the case."""
    cached = functools.lru_cache(maxsize=4)(make)
    _forget.append(cached.cache_clear)
    return cached  # type: ignore[return-value]


def forget_inputs() -> None:
    """Let go of inputs that were kept for the next case: new ones lie elsewhere in memory."""
    for forget in _forget:
        forget()


def attribute(*addresses: str) -> Any:
    """Return the first of `module:name` that this build has: a function that is not public may move between builds."""
    for address in addresses:
        module, name = address.split(":")
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise AttributeError(f"this build has none of {', '.join(addresses)}")


def in_folder(make: Callable[[Path], Call]) -> Callable[[], Call]:
    """Prepare a call in a folder of its own, which goes with the call."""

    def prepare() -> Call:
        folder = tempfile.mkdtemp(prefix="pixelgauge-bench-")
        made = make(Path(folder))

        def call() -> object:
            return made()

        weakref.finalize(call, shutil.rmtree, folder)
        return call

    return prepare
