"""Every block of code in the documentation runs, and prints what the page says.

The blocks of a page run in its order, in a folder that holds the files which the pages speak of: Python blocks each in a
namespace of its own, shell blocks and the commands of consoles in bash. A block that is followed by one of text prints
exactly that; of a console, numbers may differ in the last digit, as between instruction sets, and times at all.
A block that cannot run here says why in a comment before it, and is only parsed.
"""

from __future__ import annotations

import contextlib
import doctest
import functools
import importlib.util
import io
import math
import os
import re
import shlex
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pixelgauge.cli import build_parser
from tests.docs.pages import PAGES, Block, blocks, name_of
from tests.docs.readers_folder import add_model, make_clone, make_damaged_folders, make_folder
from tests.places import ROOT

RUN, SHOWN = {"python", "sh", "console"}, {"", "text", "json", "yaml", "c", "cpp", "cmake"}
PREPARED = {"docs/reference/command-line.md": make_damaged_folders, "docs/reference/c-api.md": make_clone}
"""What a page wants beside the files that all of them share."""
PACKAGES = {"matplotlib"}
"""What a block may need that is no model, and no test brings."""
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str | None]:
    """The cache of a block that needs a model, or none: an empty one. None where the model, or a package, is not there."""

    @functools.cache
    def made(model: str) -> str | None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PIXELGAUGE_CACHE", str(folder := tmp_path_factory.mktemp("cache")))
            if model in PACKAGES:
                return str(folder) if importlib.util.find_spec(model) else None
            there = not model or add_model(model, tmp_path_factory.mktemp("checkpoints"))
        return str(folder) if there else None

    return made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.language in RUN for b in blocks(page))], ids=name_of)
def test_the_blocks_of_a_page_run(
    page: Path, folder: Path, cache: Callable[[str], str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    if name_of(page) == "docs/reference/c-api.md" and "PIXELGAUGE_DOCS" not in os.environ:
        pytest.skip("builds the library, for minutes: set PIXELGAUGE_DOCS=all, as the stage docs does")
    PREPARED.get(name_of(page), lambda folder: None)(folder)
    failed = []
    here = blocks(page)
    for block, following in zip(here, [*here[1:], None], strict=True):
        if block.file:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.text, encoding="utf-8")
        if block.not_run or block.language not in RUN or (models := cache(block.needs)) is None:
            continue
        monkeypatch.setenv("PIXELGAUGE_CACHE", models)
        try:
            run(block, following.text if following is not None and following.language == "text" else None)
        except Exception:
            failed.append(f"{block.place}\n{traceback.format_exc(limit=3)}")
    assert not failed, "\n".join(failed)


def run(block: Block, output: str | None) -> None:
    """Runs a block, and compares what it prints with what the page says."""
    if block.language == "python":
        printed = run_python(block)
        assert output is None or printed == output
    elif block.language == "sh":
        run_bash(f"set -euo pipefail\n{block.text}", block)
    elif block.language == "console":
        run_console(block)


def run_python(block: Block) -> str:
    """What a block prints; one of an interpreter's session is compared here."""
    if block.text.startswith(">>> "):
        session = doctest.DocTestParser().get_doctest(block.text, {}, block.place, None, block.line)
        assert doctest.DocTestRunner(verbose=False).run(session).failed == 0
        return ""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block.text, block.place, "exec"), {"__name__": "example"})
    return printed.getvalue()


def run_bash(script: str, block: Block) -> str:
    """What bash prints, errors too, where `pixelgauge` and `python` are those under test."""
    python = shlex.quote(sys.executable)
    prelude = f'pixelgauge() {{ {python} -m pixelgauge "$@"; }}\npython() {{ {python} "$@"; }}\n'
    paths = os.pathsep.join(filter(None, [str(ROOT / "python"), os.environ.get("PYTHONPATH", "")]))
    environment = os.environ | ({"PYTHONPATH": paths} if "PYTHONPATH" in os.environ else {})
    done = subprocess.run(
        ["bash", "-c", prelude + script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        timeout=600,
    )
    assert done.returncode == 0, f"{block.place} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def run_console(block: Block) -> None:
    told = list(commands(block.text))
    parting = "== end of a command =="
    script = "".join(f"{{ {command}\n}} 2>&1; ended=$?; echo '{parting}'; (exit $ended)\n" for command, _ in told)
    printed = run_bash(f"{script}exit 0", block).split(f"{parting}\n")
    for (command, expected), found in zip(told, printed, strict=False):
        assert agree(expected, found), f"$ {command}\n{found}"


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Commands of a console, each with what it printed."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def agree(expected: str, printed: str) -> bool:
    """Whether two outputs differ in times, instruction sets, decoders and last digits alone."""
    for loose in (r"in \d+\.\d s\b", r'"isa": "\w+"', r'"(?:jpeg|others)": "\w+ [\d.]+"'):
        expected, printed = re.sub(loose, "", expected), re.sub(loose, "", printed)
    numbers = zip(NUMBER.findall(expected), NUMBER.findall(printed), strict=False)
    if not all(near(a, b) for a, b in numbers):
        return False
    return NUMBER.sub("#", expected).split() == NUMBER.sub("#", printed).split()


def near(a: str, b: str) -> bool:
    """Whether two numbers differ by one in the last digit, or by what instruction sets may."""
    decimals = len(a.partition(".")[2].partition("e")[0])
    last = 0 if decimals == 0 else 10.0**-decimals
    return a == b or math.isclose(float(a), float(b), rel_tol=1e-6, abs_tol=1.01 * last)


@pytest.mark.parametrize(
    "block", [b for page in PAGES for b in blocks(page) if b.not_run], ids=lambda block: block.place
)
def test_a_block_that_is_not_run_says_why_and_is_right_as_far_as_its_words_go(block: Block) -> None:
    assert len(block.not_run.split()) >= 2
    if block.language == "python":
        compile(block.text, block.place, "exec")
    for command in re.findall(r"^(?:\$ )?\s*(pixelgauge .*)$", block.text, re.MULTILINE):
        words = shlex.split(re.sub(r"\s*(?:2?>>?|\||&&).*", "", command), comments=True)
        build_parser().parse_args(words[1:])


def test_blocks_are_of_known_languages() -> None:  # another would be neither run nor known to be shown
    assert [b.place for page in PAGES for b in blocks(page) if b.language not in RUN | SHOWN] == []
    assert any(b.language == "python" for b in blocks(ROOT / "README.md"))


def test_text_without_a_language_holds_no_commands() -> None:  # which would not be run
    assert [b.place for page in PAGES for b in blocks(page) if not b.language and "pixelgauge " in b.text] == []


def test_what_agrees_and_what_does_not() -> None:
    assert agree("scored in 0.8 s\nssim  0.123456", "scored in 1.1 s\nssim 0.123457")
    assert not agree("ssim 0.123456", "ssim 0.123458")
    assert not agree("3 pairs", "4 pairs")
    assert not agree("3 pairs", "3 pairs more")
    assert list(commands("$ a\n1\n$ b\n")) == [("a", "1\n"), ("b", "")]
