"""Instruction sets and threads by environment, forked processes, and what importing the package costs."""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import multiprocessing
import os
import pkgutil
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import pixelgauge
from pixelgauge import _core


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )


@pytest.mark.property
@pytest.mark.parametrize("isa", _core.available_isas())
def test_the_environment_chooses_the_instruction_set(isa: str) -> None:
    result = run_python("import pixelgauge; print(pixelgauge.isa())", PIXELGAUGE_ISA=isa)
    assert result.stdout.strip() == isa


@pytest.mark.boundary
@pytest.mark.parametrize("isa", [name for name in ("sse9", "avx2", "avx512") if name not in _core.available_isas()])
def test_an_instruction_set_that_cannot_run_is_an_error(isa: str) -> None:
    result = run_python("import pixelgauge; pixelgauge.isa()", PIXELGAUGE_ISA=isa)
    assert result.returncode == 1
    assert f"RuntimeError: PIXELGAUGE_ISA='{isa}'" in result.stderr


@pytest.mark.property
def test_threads_by_environment() -> None:
    assert (
        run_python("import pixelgauge; print(pixelgauge.get_num_threads())", PIXELGAUGE_NUM_THREADS="3").stdout.strip()
        == "3"
    )
    result = run_python("import pixelgauge; pixelgauge.get_num_threads()", PIXELGAUGE_NUM_THREADS="many")
    assert "ValueError: PIXELGAUGE_NUM_THREADS='many' must be a whole number from 1 to 1024" in result.stderr


@pytest.mark.boundary
@pytest.mark.parametrize("n", [0, -1, 1025, 2**40])
def test_thread_counts_out_of_range(n: int) -> None:
    with pytest.raises(ValueError, match=f"n={n} must be a whole number from 1 to 1024"):
        pixelgauge.set_num_threads(n)


@pytest.mark.boundary
@pytest.mark.parametrize("n", ["2", 1.5, None, True])
def test_thread_counts_of_other_types(n: object) -> None:
    with pytest.raises(TypeError, match="must be a whole number from 1 to 1024"):
        pixelgauge.set_num_threads(n)


def _score(seed: int) -> float:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)
    return float(pixelgauge.ssim(x, x[::-1].copy()))


@pytest.mark.property
@pytest.mark.filterwarnings(
    "ignore:This process:DeprecationWarning"
)  # Python warns of fork beside threads: the case under test
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_workers_score_alike() -> None:
    expected = [_score(i) for i in range(4)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_score, range(4)) == expected


@pytest.mark.property
def test_many_callers_at_once_score_alike() -> None:
    expected = [_score(i) for i in range(8)]
    with ThreadPoolExecutor(8) as callers:
        assert list(callers.map(_score, range(8))) == expected


@pytest.mark.property
def test_importing_is_light() -> None:
    code = "import sys, json; import pixelgauge; print(json.dumps(sorted(m.partition('.')[0] for m in sys.modules)))"
    modules = set(json.loads(run_python(code).stdout))
    assert "pixelgauge" in modules
    assert not modules & {"PIL", "onnxruntime", "tqdm", "scipy", "sklearn", "skimage", "matplotlib", "torch", "pyarrow"}


def _modules() -> list[types.ModuleType]:
    names = [
        m.name
        for m in pkgutil.walk_packages(pixelgauge.__path__, "pixelgauge.")
        if not m.name.endswith(("._core", ".__main__"))
    ]
    return [pixelgauge, *map(importlib.import_module, names)]


@pytest.mark.property
def test_examples_in_docstrings_run() -> None:
    ran = 0
    for module in _modules():
        result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        assert result.failed == 0, module.__name__
        ran += result.attempted
    assert ran >= 10


@pytest.mark.property
def test_everything_public_has_a_docstring_with_an_example() -> None:
    for name in pixelgauge.__all__:
        thing = getattr(pixelgauge, name)
        if callable(thing) and not isinstance(thing, type):
            assert ">>>" in (thing.__doc__ or ""), name


def test_type_checkers_are_told_of_what_is_imported_when_used() -> None:
    """The package names its public objects twice: for those who read it without running it, and for those who do."""
    tree = ast.parse(Path(pixelgauge.__file__).read_text(encoding="utf-8"))
    told = [
        (statement.module, name.name, name.asname)
        for block in tree.body
        if isinstance(block, ast.If)
        for statement in ast.walk(block)
        if isinstance(statement, ast.ImportFrom)
        for name in statement.names
    ]
    used = [(f"pixelgauge.{module}", name, name) for name, module in pixelgauge._HOMES.items()]
    assert sorted(told) == sorted(used)
