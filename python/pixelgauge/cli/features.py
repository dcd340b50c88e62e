"""``pixelgauge features IMAGES -o f.npz``: the features of images, kept once for every later comparison."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from pixelgauge._version import __version__
from pixelgauge.cli import EXIT_DONE, InputError, UsageError
from pixelgauge.cli.interrupts import interrupts_first
from pixelgauge.cli.networks import add_network_options, extraction_from
from pixelgauge.cli.terminal import Progress
from pixelgauge.distribution.feature_sets import Making
from pixelgauge.engine.feature_journal import SUFFIX
from pixelgauge.engine.feature_runs import SHARD_SIZE, Kept, Output, UnreadableImageError, keep, output_at
from pixelgauge.engine.feature_sources import FeatureSource
from pixelgauge.files.reading import printable
from pixelgauge.perceptual.inception import INCEPTION_OUTPUTS

_DESCRIPTION = """\
Write the features of IMAGES, a folder, a zip archive or an array of images, for distance, stats and Python
(pixelgauge.FeatureSet.load). An .npz file, a .parquet file (extra arrow) and a folder of parts hold the images' names
and what made the features, so that sets that do not compare are refused; an .npy file holds the features alone."""

_EPILOG = """\
What is done is kept as it comes, in FILE.partial: after Ctrl-C or any kill the same command with --resume goes on,
and the file is that of a run without a break.

exit codes: 0 done, 1 an image could not be read (the ones before it are kept), 2 wrong use"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "features",
        help="write the features of images to a file",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("images", metavar="IMAGES", help="folder or zip of images, or .npy/.npz of uint8 images")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="the .npz, .parquet or .npy file to write; with / at its end, or --shard-size, a folder of parts",
    )
    parser.add_argument(
        "--outputs",
        metavar="NAME,...",
        help=f"of Inception, side by side: {', '.join(INCEPTION_OUTPUTS)} (default: 2048; fid, kid and prdc are of "
        "2048, is of logits_unbiased, sfid of spatial)",
    )
    parser.add_argument(
        "--shard-size", type=int, metavar="N", help=f"write a folder of parts of N images (default: {SHARD_SIZE})"
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="go on with FILE after an interruption")
    existing.add_argument("--overwrite", action="store_true", help="replace FILE if it exists, and begin anew")
    add_network_options(parser, "IMAGES")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compute and write."""
    output = output_at(args.output, shard_size=args.shard_size, resume=args.resume, overwrite=args.overwrite)
    extraction = extraction_from(args, outputs=_outputs(args))
    source = FeatureSource(args.images, "IMAGES", limit=args.limit, seed=args.seed)
    if not source.holds_images:
        held = "statistics" if source.stats is not None else "features"
        raise UsageError(f"{printable(args.images)} holds {held} already: name a folder, a zip or an array of images")
    inputs = [path for path in (args.images, args.weights, args.features) if path is not None]
    try:
        with interrupts_first(), Progress("img", quiet=args.quiet) as progress:
            kept = keep(
                source,
                extraction,
                output,
                inputs=inputs,
                started=lambda done: progress.start(len(source), done, source.name),
                report=progress.reach,
            )
    except UnreadableImageError as error:
        raise InputError(str(error)) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        if error.errno is not None:  # it is an input, came meanwhile, or is of another kind
            raise UsageError(f"{error.strerror}: {error.filename!r}" if error.filename else str(error)) from error
        raise UsageError(f"{error}: add --resume to go on with it, or --overwrite to replace it") from error
    except KeyboardInterrupt:
        place = output.path if output.shard_size is not None else output.path + SUFFIX
        if os.path.lexists(place):
            print(f"\n{printable(place)} holds what is done so far; --resume goes on with it", file=sys.stderr)
        raise
    _tell(args, output, kept)
    return EXIT_DONE


def _outputs(args: argparse.Namespace) -> tuple[str, ...]:
    if args.outputs is None:
        return ("2048",)
    names = tuple(dict.fromkeys(name.strip() for name in args.outputs.split(",")))
    if args.features is not None and args.features.lower().endswith(".onnx"):
        raise UsageError(
            f"--outputs {args.outputs} are Inception's, and --features names another network: use --feature-output"
        )
    for name in names:
        if name not in INCEPTION_OUTPUTS:
            raise UsageError(f"--outputs {name!r} is not known: use some of {', '.join(INCEPTION_OUTPUTS)}")
    return names


def _tell(args: argparse.Namespace, output: Output, kept: Kept) -> None:
    made = Making.by(kept.about.fingerprint, kept.about.outputs)
    if args.json:
        facts: dict[str, Any] = {
            "version": __version__,
            "output": output.path,
            "count": kept.count,
            "resumed": kept.count - kept.made,
            "dim": kept.about.dim,
            "preset": made.preset,
            "weights_sha256": made.weights,
            **kept.about.parts(),
        }
        print(json.dumps(facts))
        return
    lost = ""
    if output.path.lower().endswith(".npy"):
        lost = "; .npy holds neither names nor what made them: .npz does"
    print(f"{printable(output.path)}: {kept.count} samples of {kept.about.dim} features{lost}")
