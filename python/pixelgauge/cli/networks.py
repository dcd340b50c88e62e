"""Options that say how images become features, which ``distance``, ``features`` and ``stats`` share."""

from __future__ import annotations

import argparse

from pixelgauge.checks import whole_number
from pixelgauge.cli import given
from pixelgauge.distribution.feature_sets import MAIN
from pixelgauge.engine.feature_networks import BATCH_SIZE, Extraction, Inception, extraction_of
from pixelgauge.presets import INCEPTION_PRESETS

DEFAULT_PRESET = Inception.preset


def add_network_options(parser: argparse.ArgumentParser, sides: str = "A") -> None:
    """Add the options; `sides` is what a limit is of."""
    parser.add_argument("--preset", choices=tuple(INCEPTION_PRESETS), help=f"whose numbers (default: {DEFAULT_PRESET})")
    parser.add_argument(
        "--features",
        metavar="FILE",
        help="another network in Inception's place: an ONNX graph, FILE.onnx; or a preset, as --preset",
    )
    parser.add_argument(
        "--preprocess",
        metavar="NAME",
        help="how the images of the ONNX graph are prepared: dinov2, clip, convnext, ... (default: as the graph says)",
    )
    parser.add_argument("--weights", metavar="FILE", help="Inception's state dict (default: the model in the cache)")
    parser.add_argument(
        "--providers", metavar="P,...", help="of onnxruntime: cpu, cuda, ... (default: the best there is)"
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=BATCH_SIZE,
        metavar="N",
        help="images at a time (default: %(default)s, or what the graph has)",
    )
    parser.add_argument("--limit", type=int, metavar="N", help=f"use N images of {sides}, chosen at random")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of every random choice (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def extraction_from(
    args: argparse.Namespace, preset: str | None = None, outputs: tuple[str, ...] = (MAIN,)
) -> Extraction:
    """Make what the options describe, which are checked, used or not, and named as they are given."""
    whole_number("batch_size", args.batch_size, 1)
    whole_number("seed", args.seed, 0, 2**32 - 1)
    if args.limit is not None:
        whole_number("limit", args.limit, 1)
    return extraction_of(
        args.features,
        preset=preset or args.preset,
        batch_size=args.batch_size if given(args, "batch_size") else None,
        weights=args.weights,
        providers=args.providers.split(",") if args.providers else None,
        outputs=outputs,
        preprocess=args.preprocess,
    )


def asked_preset(args: argparse.Namespace) -> str | None:
    """Preset that the options name."""
    named: str | None = args.preset
    return args.features if args.features in INCEPTION_PRESETS else named


def asked_network(args: argparse.Namespace) -> str | None:
    """Network other than Inception that the options name."""
    return None if args.features in INCEPTION_PRESETS else args.features
