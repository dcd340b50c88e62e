"""``pixelgauge distance A B``: FID and its family between two sets of images, features or statistics."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from pixelgauge._version import __version__
from pixelgauge.cli import EXIT_DONE, EXIT_SOME_FAILED, UsageError, add_option, message
from pixelgauge.cli.distance_report import add_report_options, report_of, samples_for
from pixelgauge.cli.networks import add_network_options, asked_network, asked_preset, extraction_from
from pixelgauge.cli.terminal import Progress
from pixelgauge.cli.written import after_results, require_page, say_page
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
from pixelgauge.engine.extraction import Extraction, Inception
from pixelgauge.engine.feature_sides import require_used
from pixelgauge.engine.feature_sources import FeatureSource
from pixelgauge.engine.options import checked_options, chosen, options_of
from pixelgauge.files.reading import printable
from pixelgauge.metric import Metric, Values


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "distance",
        help="FID, KID, IS, precision/recall, density/coverage between two sets",
        description="Compare the distribution of B (generated) with that of A (real). Each is a folder or zip archive "
        "of images, what pixelgauge features wrote, an .npy or .npz file of uint8 images or of float features, or .npz "
        "statistics (fid only). The Inception score is that of B alone.",
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
    add_report_options(parser)
    add_network_options(parser, "each side")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compute and print."""
    require_page(args.report, [args.a, args.b])
    names = list(dict.fromkeys(name.strip() for name in args.metrics.split(",") if name.strip()))
    wanted = chosen(DISTANCES, names)
    values = checked_options(DISTANCES, wanted, (), {name: getattr(args, name) for name in options_of(DISTANCES)})
    facts, write_page = _facts(args, {name: metric for name, metric in DISTANCES.items() if name in wanted}, values)
    code = EXIT_SOME_FAILED if facts.get("failed") else EXIT_DONE
    with after_results() as after:
        _print(facts, as_json=args.json)
        sys.stdout.flush()
        after.code = code
        write_page()
        say_page(args)
    return code


def _print(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts))
        return
    for name, value in facts["metrics"].items():
        print(f"{name:12} {value:.10g}")
    for name, row in facts.get("explain", {}).items():
        print(f"fid under {name:15} {row['fid']:.10g}  {row['difference']:+.6g}  {row['source']}")
    print(f"\n{_fingerprint(facts)}")


def _facts(
    args: argparse.Namespace, wanted: dict[str, Metric[SetFamily]], values: Values
) -> tuple[dict[str, Any], Callable[[], None]]:
    """Compute; and return what writes the page, if one is asked for."""
    extraction = extraction_from(args, outputs=outputs_of(wanted).names())
    with Progress("img", quiet=args.quiet) as bars:
        a = FeatureSource(args.a, "A", limit=args.limit, seed=args.seed)
        b = FeatureSource(args.b, "B", limit=args.limit, seed=args.seed)
        require_used(
            [a, b],
            preset=asked_preset(args),
            weights=args.weights,
            providers=args.providers,
            features=asked_network(args),
        )
        if args.explain and not (a.holds_images and b.holds_images and isinstance(extraction, Inception)):
            raise ValueError("--explain needs images on both sides, and Inception: features are of one preset already")
        sides = Sides(a, b, extraction, args.seed)
        impossible = require_possible(sides, wanted, values)
        left = {name: metric for name, metric in wanted.items() if name not in impossible}
        failed = _told(args, impossible, all_failed=not left)
        also = None if args.report is None else samples_for(sides)
        found = measure(sides, left, values, bars.reach, also)
        failed |= _told(args, found.failed, all_failed=not found.values and not args.explain)
        facts: dict[str, Any] = {
            "version": __version__,
            "counts": [len(a) or None, len(b) or None],
            "metrics": found.values,
            **found.facts,
        }
        if args.explain:
            networks = partial(_under, args)
            facts["explain"] = under_every_preset(sides, found.values.get("fid"), networks, bars.reach)
        facts |= fingerprint(sides)
    whole = {**facts, "failed": failed} if failed else facts
    return whole, lambda: None if args.report is None else report_of(args, sides, found, facts, failed)


def _under(args: argparse.Namespace, preset: str) -> Extraction:
    """Inception under another preset."""
    return extraction_from(argparse.Namespace(**{**vars(args), "features": None}), preset)


def _fingerprint(facts: dict[str, Any]) -> str:
    """How the numbers were made, in a line."""
    network = facts.get("network", {})
    weights = str(network.get("weights_sha256") or "")[:12]
    made = {"preset": facts["preset"], "weights": weights, **facts.get("frechet", {})}
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
