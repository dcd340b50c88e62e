"""``pixelgauge info``: what this machine has and what pixelgauge would use."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pixelgauge.cli.models import facts_of
from pixelgauge.networks import providers
from pixelgauge.networks.cache import cache_folder
from pixelgauge.networks.manifest import manifest
from pixelgauge.runtime import build_info


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("info", help="show what this machine has and what pixelgauge would use")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def schema_files() -> list[Path]:
    """Give the JSON Schemas of what commands print and write."""
    return sorted((Path(__file__).parents[1] / "schemas").glob("*.json"))


def run(args: argparse.Namespace) -> int:
    """Print the facts."""
    facts = {**build_info(), **providers.facts()}
    facts["cache"] = str(cache_folder())
    facts["models"] = {name: facts_of(name)["state"] for name in manifest()}
    facts["schemas"] = [str(path) for path in schema_files()]
    facts["models_checked"] = "size only: pixelgauge models verify hashes the files, as every load does"
    if args.json:
        print(json.dumps(facts))
    else:
        for name, value in facts.items():
            if isinstance(value, dict):
                value = [f"{key}: {entry}" for key, entry in value.items()]
            print(f"{name:15} {', '.join(value) if isinstance(value, list) else value}")
    return 0
