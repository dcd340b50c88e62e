"""The command line: one file a command, each with ``register`` for its options and ``run`` for its work."""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Sequence

from pixelgauge._version import __version__

COMMANDS = ("compare", "distance", "stats", "auroc", "demo", "models", "info")
"""Modules of this package, in the order the help lists them."""

EXIT_DONE, EXIT_SOME_FAILED, EXIT_WRONG_USE = 0, 1, 2


class UsageError(Exception):
    """Wrong use that only shows after parsing: printed like an argument error, exit code 2."""


def build_parser() -> argparse.ArgumentParser:
    """Parser of the whole command line."""
    parser = argparse.ArgumentParser(prog="pixelgauge", description=sys.modules["pixelgauge"].__doc__)
    parser.add_argument("--version", action="version", version=f"pixelgauge {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f"{__name__}.{name}").register(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 some inputs failed, 2 wrong use."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # file names may hold what the terminal's encoding does not
        sys.stdout.reconfigure(errors="backslashreplace")
    parser = build_parser()
    args = parser.parse_args(argv)
    try:
        return int(args.run(args))
    except UsageError as error:
        print(f"pixelgauge {args.command}: error: {error}", file=sys.stderr)
        return EXIT_WRONG_USE
    except BrokenPipeError:  # the reader of our output went away
        sys.stderr.close()
        return EXIT_DONE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
