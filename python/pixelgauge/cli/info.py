"""``pixelgauge info``: what this machine has and what pixelgauge would use."""

from __future__ import annotations

import argparse
import json

from pixelgauge.cli import UsageError
from pixelgauge.runtime import build_info


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("info", help="show what this machine has and what pixelgauge would use")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the facts."""
    try:
        facts = build_info()
    except (RuntimeError, ValueError) as error:  # an environment variable that cannot be followed
        raise UsageError(str(error)) from error
    if args.json:
        print(json.dumps(facts))
    else:
        for name, value in facts.items():
            print(f"{name:15} {', '.join(value) if isinstance(value, list) else value}")
    return 0
