"""``pixelgauge distance A B``: FID and its family between two sets of images, features or statistics."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from typing import Any

from pixelgauge._version import __version__
from pixelgauge.checks import whole_number
from pixelgauge.cli import EXIT_DONE, EXIT_SOME_FAILED, UsageError, add_option, message
from pixelgauge.cli.terminal import Progress
from pixelgauge.engine.distances import (
    DISTANCES,
    SetFamily,
    Sides,
    fingerprint,
    measure,
    outputs_of,
    require_possible,
    under_every_preset,
)
from pixelgauge.engine.feature_sources import FeatureSource, Inception, require_used
from pixelgauge.engine.options import checked_options, chosen, options_of
from pixelgauge.files.reading import printable
from pixelgauge.metric import Metric, Values
from pixelgauge.presets import INCEPTION_PRESETS

DEFAULT_PRESET = "pytorch-fid"


def add_inception_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how images become features."""
    parser.add_argument("--preset", choices=tuple(INCEPTION_PRESETS), help=f"whose numbers (default: {DEFAULT_PRESET})")
    parser.add_argument("--weights", metavar="FILE", help="Inception's state dict (default: the model in the cache)")
    parser.add_argument(
        "--providers", metavar="P,...", help="of onnxruntime: cpu, cuda, ... (default: the best there is)"
    )
    parser.add_argument(
        "--batch-size", type=int, default=32, metavar="N", help="images at a time (default: %(default)s)"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="use N images of each side, chosen at random")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of every random choice (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def inception_of(
    args: argparse.Namespace, preset: str | None = None, outputs: tuple[str, ...] = ("2048",)
) -> Inception:
    """Network that the options describe, which are checked, used or not, and named as they are given."""
    whole_number("batch_size", args.batch_size, 1)
    whole_number("seed", args.seed, 0, 2**32 - 1)
    if args.limit is not None:
        whole_number("limit", args.limit, 1)
    providers = args.providers.split(",") if args.providers else None
    return Inception(preset or args.preset or DEFAULT_PRESET, args.batch_size, args.weights, providers, outputs)


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "distance",
        help="FID, KID, IS, precision/recall, density/coverage between two sets",
        description="Compare the distribution of B (generated) with that of A (real). Each is a folder or zip archive "
        "of images, an .npy or .npz file of uint8 images or of float features, or .npz statistics (fid only). The "
        "Inception score is that of B alone.",
        epilog="exit codes: 0 all metrics computed, 1 some could not be and the others are printed, 2 wrong use",
    )
    parser.add_argument("a", metavar="A", help="the real images, features or statistics")
    parser.add_argument("b", metavar="B", help="the generated ones")
    parser.add_argument(
        "--metrics", default="fid", metavar="M,...", help=f"of {', '.join(DISTANCES)} (default: %(default)s)"
    )
    for option, _ in options_of(DISTANCES).values():
        add_option(parser, option)
    parser.add_argument(
        "--explain", action="store_true", help="also the FID under every preset, and what each differs in"
    )
    add_inception_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compute and print."""
    names = list(dict.fromkeys(name.strip() for name in args.metrics.split(",") if name.strip()))
    wanted = chosen(DISTANCES, names)
    values = checked_options(DISTANCES, wanted, (), {name: getattr(args, name) for name in options_of(DISTANCES)})
    facts = _facts(args, {name: metric for name, metric in DISTANCES.items() if name in wanted}, values)
    failed = facts.get("failed", {})
    if args.json:
        print(json.dumps(facts))
        return EXIT_SOME_FAILED if failed else EXIT_DONE
    for name, value in facts["metrics"].items():
        print(f"{name:12} {value:.10g}")
    for name, row in facts.get("explain", {}).items():
        print(f"fid under {name:15} {row['fid']:.10g}  {row['difference']:+.6g}  {row['source']}")
    print(f"\n{_fingerprint(facts)}")
    return EXIT_SOME_FAILED if failed else EXIT_DONE


def _facts(args: argparse.Namespace, wanted: dict[str, Metric[SetFamily]], values: Values) -> dict[str, Any]:
    inception = inception_of(args, outputs=outputs_of(wanted).names())
    with Progress("img", quiet=args.quiet) as bars:
        a = FeatureSource(args.a, "A", limit=args.limit, seed=args.seed)
        b = FeatureSource(args.b, "B", limit=args.limit, seed=args.seed)
        require_used([a, b], preset=args.preset, weights=args.weights, providers=args.providers)
        if args.explain and not (a.holds_images and b.holds_images):
            raise ValueError("--explain needs images on both sides: features are of one preset already")
        sides = Sides(a, b, inception, args.seed)
        impossible = require_possible(sides, wanted, values)
        left = {name: metric for name, metric in wanted.items() if name not in impossible}
        failed = _told(args, impossible, all_failed=not left)
        found = measure(sides, left, values, bars.reach)
        failed |= _told(args, found.failed, all_failed=not found.values and not args.explain)
        facts: dict[str, Any] = {
            "version": __version__,
            "counts": [len(a) or None, len(b) or None],
            "metrics": found.values,
            **found.facts,
        }
        if args.explain:
            networks = partial(inception_of, args)
            facts["explain"] = under_every_preset(sides, found.values.get("fid"), networks, bars.reach)
        facts |= fingerprint(sides)
    return {**facts, "failed": failed} if failed else facts


def _fingerprint(facts: dict[str, Any]) -> str:
    """How the numbers were made, in a line."""
    network = facts.get("network", {})
    made = {"preset": facts["preset"], "weights": network.get("weights_sha256", "")[:12], **facts.get("frechet", {})}
    shown = {name: made[name] for name in ("preset", "weights", "method") if made.get(name)}
    counts = " ".join(f"{side}={count}" for side, count in zip("AB", facts["counts"], strict=True) if count)
    return " ".join([f"pixelgauge {facts['version']}", *(f"{name}={value}" for name, value in shown.items()), counts])


def _told(args: argparse.Namespace, failed: dict[str, Exception], *, all_failed: bool) -> dict[str, str]:
    """Print why metrics failed, or raise if nothing is left; and return it."""
    reasons = {name: message(args, error) for name, error in failed.items()}
    if all_failed:
        raise UsageError("; ".join(dict.fromkeys(reasons.values())))
    for name, reason in reasons.items():
        print(f"pixelgauge distance: {name}: {printable(reason)}", file=sys.stderr)
    return reasons
