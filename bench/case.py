"""A case: one task that is timed, with its parameters as data, what decides its result, and who does the same beside ours.

Whoever measures reads the same list: `pytest bench`, `bench.beside` (contenders in turns), `bench.peak_memory` and
`bench.compare_builds` (two builds in turns). A case is made in the process that runs it: `prepare` draws the inputs, always the
same, and returns a call without arguments. pixelgauge and the peers are imported by `prepare` alone, so that a process may read
the list without any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.limits import Limit

Call = Callable[[], object]


def itself(result: Any) -> Any:
    """Take a result as it is."""
    return result


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Another way to what a case does: a peer's program, another route of ours, the plain definition, or a floor."""

    prepare: Callable[[], Call]
    """Draws the inputs and returns the call; raises MissingError where a program is not there."""
    tolerance: float | None
    """How far its result and ours may differ, as for two builds; None for a floor, which does a part of the work alone."""
    result: Callable[[Any], object] = itself
    """Makes the call's result comparable with ours; not timed."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One task, done by ours."""

    function: str
    variant: str
    size: str
    prepare: Callable[[], Call]
    tolerance: float
    """How far the results a and b of two builds may differ: |a - b| <= tolerance * max(1, |a|), entry by entry."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """What else the case is: dtype, layout, preset, options."""
    result: Callable[[Any], object] = itself
    oracle: Contender | None = None
    """Decides ours and is not timed; where there is none, the contenders decide."""
    contenders: Mapping[str, Contender] = field(default_factory=dict)
    limit: Limit | None = None
    memory: float | None = None
    """Bytes that a call may take beyond its inputs."""
    long: bool = False
    """Takes a minute or more, or gigabytes: measured where it is named or asked for."""

    @property
    def name(self) -> str:
        """Function, variant and size where it has one, parted by slashes, so that a glob selects."""
        return "/".join(filter(None, (self.function, self.variant, self.size)))

    def facts(self) -> dict[str, object]:
        """Every parameter by name."""
        return {"function": self.function, "variant": self.variant, "size": self.size, **self.parameters}
