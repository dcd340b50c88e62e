"""The documentation's Python examples: each block that is followed by its output prints exactly that."""

from __future__ import annotations

import contextlib
import io
import re

import pytest

from tests.places import ROOT

_BLOCK = r"((?:(?!```).*\n)*)```"
EXAMPLE = re.compile(rf"^```python\n{_BLOCK}\n\n```text\n{_BLOCK}$", re.MULTILINE)
EXAMPLES = [
    pytest.param(code, output, id=f"{page.name}-{i}")
    for page in sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    for i, (code, output) in enumerate(EXAMPLE.findall(page.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize(("code", "output"), EXAMPLES)
def test_example_prints_its_output(code: str, output: str) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "example", "exec"), {})
    assert printed.getvalue() == output


def test_the_readme_has_an_example() -> None:  # so that the pattern above still finds them
    assert any(case.id.startswith("README.md") for case in EXAMPLES)
