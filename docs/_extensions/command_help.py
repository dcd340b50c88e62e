"""The directive `command-help`: what `pixelgauge COMMAND --help` prints, of the command that is its argument."""

from __future__ import annotations

import argparse
import os
from typing import Any
from unittest import mock

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

COLUMNS = "90"


class CommandHelp(SphinxDirective):
    """The help of one command, and of the commands below it, each under its name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a block of text for each parser."""
        with mock.patch.dict(os.environ, {"COLUMNS": COLUMNS, "NO_COLOR": "1"}):
            return [nodes.literal_block(text, text, language="text") for text in _help_texts(self.arguments[0])]


def _help_texts(command: str) -> list[str]:
    from pixelgauge.cli import build_parser

    parser = _below(build_parser())[command]
    return [parser.format_help(), *(each.format_help() for each in _below(parser).values())]


def _below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices
    return {}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
