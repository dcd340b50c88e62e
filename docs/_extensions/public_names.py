"""The directive `public-names`: a table of public names of Python and the entry of each, from their docstrings."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.parsing import nested_parse_to_nodes


class PublicNames(SphinxDirective):
    """Names in the order in which the page shows them, of `pixelgauge` or of the module that is the argument."""

    has_content = True
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Autosummary's table, then autodoc's entries."""
        module = self.arguments[0] if self.arguments else "pixelgauge"
        names = " ".join(self.content).split()
        home = importlib.import_module(module)
        lines = [f".. currentmodule:: {module}", "", ".. autosummary::", "", *(f"   {name}" for name in names), ""]
        for name in names:
            lines += [f".. {_directive(getattr(home, name))}:: {name}", *_options(getattr(home, name)), ""]
        block = "\n".join(["```{eval-rst}", *lines, "```"])
        return nested_parse_to_nodes(self.state, block, source=self.get_source_info()[0])


def _directive(thing: Any) -> str:
    if inspect.isclass(thing):
        return "autoexception" if issubclass(thing, BaseException) else "autoclass"
    return "autofunction" if callable(thing) else "autodata"


def _options(thing: Any) -> list[str]:
    if not inspect.isclass(thing) or issubclass(thing, BaseException):
        return [] if inspect.isroutine(thing) or inspect.isclass(thing) else ["   :no-value:"]
    if issubclass(thing, tuple):
        return ["   :members:", "   :undoc-members:", "   :member-order: bysource"]
    return ["   :members:", "   :inherited-members:", "   :special-members: __call__", "   :member-order: bysource"]


def _without_field_numbers(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Drop what Python says of the fields of named tuples."""
    if lines and re.fullmatch(r"Alias for field number \d+", lines[0]):
        lines.clear()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("public-names", PublicNames)
    app.connect("autodoc-process-docstring", _without_field_numbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
