"""Every case by name, wing by wing, and the globs that choose some."""

from __future__ import annotations

from fnmatch import fnmatchcase

from bench.case import Case
from bench.cli.cases import CASES as CLI
from bench.distribution.cases import CASES as DISTRIBUTION
from bench.engine.cases import CASES as ENGINE
from bench.full_reference.cases import CASES as FULL_REFERENCE
from bench.images.cases import CASES as IMAGES
from bench.networks.cases import CASES as NETWORKS
from bench.perceptual.cases import CASES as PERCEPTUAL
from bench.ranking.cases import CASES as RANKING

ALL: tuple[Case, ...] = (
    *FULL_REFERENCE,
    *IMAGES,
    *RANKING,
    *DISTRIBUTION,
    *NETWORKS,
    *PERCEPTUAL,
    *ENGINE,
    *CLI,
)
CASES: dict[str, Case] = {case.name: case for case in ALL}


def select(patterns: list[str]) -> list[str]:
    """Names of the cases that the globs choose, each once, in the order of the globs; long ones by their own name alone.

    Raises
    ------
    ValueError
        If a glob chooses none.
    """
    chosen: dict[str, None] = {}
    for pattern in patterns:
        matches = [
            name for name, case in CASES.items() if name == pattern or (fnmatchcase(name, pattern) and not case.long)
        ]
        if not matches:
            raise ValueError(
                f"no case is called {pattern!r}: --list shows all, and a glob such as 'ssim/*' chooses some "
                "(a long case has to be called by its name)"
            )
        chosen.update(dict.fromkeys(matches))
    return list(chosen)
