"""What a user of the command line waits for: imports, the first result of a process, and tables of scores."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.case import Call, Case, Contender
from bench.inputs import attribute, in_folder
from bench.networks.weights import checkpoints
from bench.ranking.cases import converted
from bench.ranking.peers import look_ups
from bench.ranking.scores import scores_of

# What an import of the package must not bring.
HEAVY = ("PIL", "onnxruntime", "tqdm", "scipy")


def fresh(code: str, **environment: str) -> Callable[[], object]:
    """Run code in a fresh process of this build; what it prints is its result."""
    command = [sys.executable, "-P", "-c", code]

    def run() -> object:
        found = subprocess.run(
            command,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
        )
        return json.loads(found.stdout)

    return run


def importing(*modules: str, heavy: tuple[str, ...] = HEAVY) -> Callable[[], Call]:
    """Prepare a process that imports modules and says which heavy ones came with them."""
    code = f"import sys, {', '.join(modules)}; print([name in sys.modules for name in {heavy!r}].count(True))"
    return lambda: fresh(code)


def nothing() -> Call:
    """Return what no heavy module is."""
    return lambda: 0


def imports() -> Iterator[Case]:
    """Import time; that of NumPy is its floor, the same in both builds."""
    floor = {"numpy": Contender(prepare=importing("numpy"), tolerance=None)}
    for variant, heavy in (("numpy", HEAVY), ("pixelgauge", HEAVY), ("cli", ("onnxruntime", "scipy"))):
        yield Case(
            function="import",
            variant=variant,
            size="",
            prepare=importing("pixelgauge.cli" if variant == "cli" else variant, heavy=heavy),
            tolerance=0.0,
            oracle=Contender(prepare=nothing, tolerance=0.0),
            contenders={} if variant == "numpy" else floor,
        )


FIRST_PAIR = """
import numpy as np
from pixelgauge import LPIPS
if {stage} > 0:
    metric = LPIPS("alex")
if {stage} > 1:
    x = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3), np.uint8)
    assert metric(x[0], x[1]) > 0
print({stage})
"""


def first_pair(stage: int) -> Callable[[], Call]:
    """Prepare a process that imports LPIPS, loads a model of the cache, and scores a pair: as far as the stage says."""

    def make(folder: Path) -> Call:
        add = attribute("pixelgauge.networks.store:add", "pixelgauge.model_store:add")
        cache = {"PIXELGAUGE_CACHE": str(folder / "cache")}
        before = os.environ.get("PIXELGAUGE_CACHE")
        os.environ.update(cache)
        try:
            add("lpips-alex", checkpoints("lpips-alex", folder))
        finally:
            os.environ.pop("PIXELGAUGE_CACHE")
            if before is not None:
                os.environ["PIXELGAUGE_CACHE"] = before
        return fresh(FIRST_PAIR.format(stage=stage), **cache)

    return in_folder(make)


def starts() -> Iterator[Case]:
    """From the start of a process to its end."""
    for stage, variant in enumerate(("import", "load", "pair")):

        def expected(stage: int = stage) -> Call:
            return lambda: stage

        yield Case(
            function="start",
            variant="lpips-alex",
            size=variant,
            prepare=first_pair(stage),
            tolerance=0.0,
            oracle=Contender(prepare=expected, tolerance=0.0),
        )


def scored_table(suffix: str, n: int) -> Callable[[], Call]:
    """Prepare `pixelgauge auroc` of a table: reading it is nearly all."""

    def make(folder: Path) -> Call:
        main = attribute("pixelgauge.cli:main")
        y, x = scores_of(n)
        path = folder / f"table{suffix}"
        row, rows = '{{"label": {:d}, "score": {!r}}}\n', [""]
        if suffix == ".csv":
            row, rows = "{:d},{!r}\n", ["label,score\n"]
        rows += map(row.format, y.tolist(), x.tolist())
        path.write_text("".join(rows))

        def call() -> object:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                main(["auroc", str(path), "--json"])
            return float(json.loads(out.getvalue())["auroc"])

        return call

    return in_folder(make)


def tables() -> Iterator[Case]:
    """Labels and scores as text."""
    for name, n in {"1e4": 10**4, "1e5": 10**5}.items():
        for kind in ("csv", "jsonl"):
            yield Case(
                function="auroc_table",
                variant=kind,
                size=name,
                prepare=scored_table(f".{kind}", n),
                tolerance=0.0,
                parameters={"layout": "label,score"},
                oracle=look_ups(n, converted("float32")),
            )


CASES = (*imports(), *starts(), *tables())
