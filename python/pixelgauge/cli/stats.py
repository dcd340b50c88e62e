"""``pixelgauge stats A -o stats.npz``: the mean and covariance of a set of images, for later comparisons."""

from __future__ import annotations

import argparse
import json
import os

from pixelgauge._version import __version__
from pixelgauge.cli import EXIT_DONE, UsageError
from pixelgauge.cli.networks import add_network_options, asked_network, asked_preset, extraction_from
from pixelgauge.cli.terminal import Progress
from pixelgauge.engine.feature_sides import require_used
from pixelgauge.engine.feature_sources import FeatureSource
from pixelgauge.files.reading import printable
from pixelgauge.files.writing import require_writable


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "stats",
        help="write the mean and covariance of images or features to a file",
        description="Write the mean and covariance of the Inception features of A, or of features, to an .npz file "
        "that pixelgauge, pytorch-fid, torch-fidelity, ADM and EDM read.",
    )
    parser.add_argument("a", metavar="A", help="folder or zip of images, features, or .npy/.npz of either")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the .npz file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    add_network_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compute and save."""
    if os.path.exists(args.output) and not args.overwrite:
        raise UsageError(f"{args.output} exists: choose another name or give --overwrite")
    if not args.output.endswith(".npz"):
        raise UsageError(f"--output {args.output}: the name must end in .npz")
    inputs = [path for path in (args.a, args.weights) if path is not None]
    require_writable(args.output, overwrite=args.overwrite, inputs=inputs)
    extraction = extraction_from(args)
    with Progress("img", quiet=args.quiet) as progress:
        source = FeatureSource(args.a, "A", limit=args.limit, seed=args.seed)
        if source.stats is not None:
            raise UsageError(f"{args.a} holds statistics already")
        if len(source) < 2:
            raise UsageError(f"{args.a} gives {len(source)} sample: a covariance needs at least two")
        require_used(
            [source],
            preset=asked_preset(args),
            weights=args.weights,
            providers=args.providers,
            features=asked_network(args),
        )
        stats = source.statistics(extraction, report=progress.reach)
    stats.save_as(args.output, overwrite=args.overwrite)
    facts = {
        "version": __version__,
        "output": args.output,
        "count": stats.count,
        "dim": stats.dim,
        "preset": stats.preset,
        "weights_sha256": stats.weights,
    }
    print(
        json.dumps(facts) if args.json else f"{printable(args.output)}: {stats.count} samples of {stats.dim} features"
    )
    return EXIT_DONE
