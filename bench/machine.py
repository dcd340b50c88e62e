"""What this machine is, and how a process is set up on it: threads and the instruction set."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import programs


def cpu_model() -> str:
    """Return the processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@dataclass(frozen=True)
class Setting:
    """What a contender runs with."""

    threads: int
    isa: str

    @classmethod
    def found(cls) -> Setting:
        """The one that the process is in."""
        import pixelgauge

        return cls(pixelgauge.get_num_threads(), pixelgauge.isa())

    def enter(self) -> None:
        """Give ours and the peers that are loaded these threads, and ours this instruction set."""
        import pixelgauge
        from pixelgauge import _core

        pixelgauge.set_num_threads(self.threads)
        _core.set_isa(self.isa)
        programs.use_threads(self.threads)


def settings(threads: list[int], isas: list[str]) -> list[Setting]:
    """Every combination.

    Raises
    ------
    ValueError
        If a number of threads is below 1, or this processor lacks an instruction set.
    """
    from pixelgauge import _core

    for count in threads:
        if count < 1:
            raise ValueError(f"threads={count} must be at least 1")
    for isa in isas:
        if isa not in _core.available_isas():
            raise ValueError(f"isa={isa!r} is not here: use some of {', '.join(_core.available_isas())}")
    return [Setting(count, isa) for isa in isas for count in threads]


def facts() -> dict[str, Any]:
    """What a record of times has to say of where they were taken."""
    import numpy as np

    import pixelgauge

    return {
        "cpu_model": cpu_model(),
        "processors": os.cpu_count(),
        "pixelgauge": pixelgauge.build_info(),
        "numpy": np.__version__,
        "peers": programs.versions(),
        "environment": {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("PIXELGAUGE_ISA", "PIXELGAUGE_NUM_THREADS", "OPENBLAS_", "OMP_", "MKL_"))
        },
    }
