"""The reference has every public name of Python, every declaration of `pixelgauge.h`, and every command."""

from __future__ import annotations

import importlib.util
import re
import sys
from types import ModuleType

import pytest

import pixelgauge
from pixelgauge import presets
from pixelgauge.cli import COMMANDS
from tests.docs.pages import DOCS
from tests.places import ROOT

HEADER = (ROOT / "cpp/include/pixelgauge/pixelgauge.h").read_text(encoding="utf-8")


def listed(module: str) -> list[str]:
    """Names in the blocks `public-names` of all pages, of one module."""
    argument = "" if module == "pixelgauge" else f" {re.escape(module)}"
    text = "".join(page.read_text(encoding="utf-8") for page in sorted((DOCS / "reference/python").glob("*.md")))
    found = re.findall(rf"^```\{{public-names\}}{argument}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return " ".join(found).split()


def test_every_public_name_is_in_the_reference_once() -> None:
    assert sorted(listed("pixelgauge")) == sorted(pixelgauge.__all__)


def test_every_name_of_presets_is_in_the_reference_once() -> None:
    own = {
        name
        for name, value in vars(presets).items()
        if not name.startswith("_") and (name.isupper() or getattr(value, "__module__", "") == presets.__name__)
    }
    assert sorted(listed("pixelgauge.presets")) == sorted(own)


def test_every_command_has_its_help_in_the_reference() -> None:
    page = (DOCS / "reference/command-help.md").read_text(encoding="utf-8")
    assert re.findall(r"^```\{command-help\} (\w+)$", page, re.MULTILINE) == list(COMMANDS)


@pytest.fixture(scope="module")
def reader() -> ModuleType:
    """The site's reader of the header, which needs Sphinx."""
    pytest.importorskip("sphinx", reason="Sphinx is not installed: pip install '.[docs]'")
    spec = importlib.util.spec_from_file_location("c_header", DOCS / "_extensions/c_header.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["c_header"] = module  # where its dataclasses look for their types
    spec.loader.exec_module(module)
    return module


def test_every_declaration_of_the_header_is_read_with_a_comment(reader: ModuleType) -> None:
    declared = [entry for section in reader.read_header(HEADER) for entry in section.declarations]
    names = {entry.name for entry in declared} | {member.name for entry in declared for member in entry.members}
    code = re.sub(r"/\*.*?\*/|^ *#.*?(?<!\\)$", "", HEADER, flags=re.DOTALL | re.MULTILINE)
    assert set(re.findall(r"\b(?:pg|PG)_\w+", code)) - {"PG_API"} <= names
    assert len(re.findall(r"^PG_API", HEADER, re.MULTILINE)) == sum(entry.kind == "function" for entry in declared)
    assert [entry.name for entry in declared if not entry.comment] == []


def test_a_header_of_another_manner_is_refused(reader: ModuleType) -> None:
    with pytest.raises(ValueError, match="does not know: union u"):
        reader.read_header(HEADER.replace("/* ---- images ---- */", "union u { int a; };", 1))
    with pytest.raises(ValueError, match='no part within extern "C"'):
        reader.read_header("int f(void);")
