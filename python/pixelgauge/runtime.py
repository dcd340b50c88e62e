"""The instruction set and the threads that the kernels run on, and how the package was built."""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pixelgauge import _core
from pixelgauge._version import __version__
from pixelgauge.checks import whole_number


def isa() -> str:
    """Instruction set that the kernels use.

    Returns
    -------
    str
        ``"baseline"`` (SSE2 on x86-64, NEON on aarch64), ``"avx2"`` or ``"avx512"``: the best this CPU has, or the one
        that the environment variable ``PIXELGAUGE_ISA`` names.

    Raises
    ------
    RuntimeError
        If ``PIXELGAUGE_ISA`` names an instruction set that does not exist or cannot run here.

    Examples
    --------
    >>> import pixelgauge
    >>> pixelgauge.isa() in ("baseline", "avx2", "avx512")
    True
    """
    return _core.isa()


def set_num_threads(n: int) -> None:
    """Set how many threads one call may use. Results do not depend on it.

    Parameters
    ----------
    n : int
        From 1 to 1024. The default is ``PIXELGAUGE_NUM_THREADS``, else the cores that the process may run on
        (affinity and cgroup quota).

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If `n` is out of range.

    Examples
    --------
    >>> import pixelgauge
    >>> before = pixelgauge.get_num_threads()
    >>> pixelgauge.set_num_threads(1)
    >>> pixelgauge.get_num_threads()
    1
    >>> pixelgauge.set_num_threads(before)
    """
    _core.set_num_threads(whole_number("n", n, 1, 1024))


def get_num_threads() -> int:
    """Threads that one call may use.

    Raises
    ------
    ValueError
        If ``PIXELGAUGE_NUM_THREADS`` is set and is not a whole number from 1 to 1024.

    Examples
    --------
    >>> import pixelgauge
    >>> pixelgauge.get_num_threads() >= 1
    True
    """
    return _core.get_num_threads()


def memory_limit() -> int | None:
    """Bytes of memory that the process may use: the machine's, or fewer where a cgroup says so; None if not known."""
    limits: list[int | None] = []
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    try:
        groups = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:  # no Linux
        groups = []
    for line in groups:
        _, kinds, path = line.split(":", 2)
        if kinds == "":
            root, name = Path("/sys/fs/cgroup"), "memory.max"
        elif "memory" in kinds.split(","):
            root, name = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"
        else:
            continue
        here = root / path.lstrip("/")
        limits += [_bytes_in(folder / name) for folder in (here, *here.parents) if folder.is_relative_to(root)]
    return min((limit for limit in limits if limit is not None and limit > 0), default=None)


def _bytes_in(file: Path) -> int | None:
    """Read a limit of a cgroup, None where there is none."""
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def build_info() -> dict[str, object]:
    """Facts of the build and the machine that a bug report needs.

    Returns
    -------
    dict
        ``version``, ``compiler``, ``build_type``, ``isa``, ``available_isas``, ``threads``, ``python``, ``numpy``,
        ``platform``.

    Examples
    --------
    >>> import pixelgauge
    >>> pixelgauge.build_info()["version"] == pixelgauge.__version__
    True
    """
    return {
        **_core.build_info(),
        "version": __version__,
        "isa": _core.isa(),
        "available_isas": _core.available_isas(),
        "threads": _core.get_num_threads(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
    }


def release_freed_memory() -> None:
    """Have the C library give the system what was freed and it keeps; the GNU one keeps it for each thread."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    """Find what gives it back, which the GNU C library alone has."""
    import ctypes

    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return found
