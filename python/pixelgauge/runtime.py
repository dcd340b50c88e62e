"""The instruction set and the threads that the kernels run on, and how the package was built."""

from __future__ import annotations

import platform

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
