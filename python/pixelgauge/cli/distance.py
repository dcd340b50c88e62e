"""``pixelgauge distance A B``: FID and its family between two sets of images, features or statistics."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pixelgauge._version import __version__
from pixelgauge.checks import whole_number
from pixelgauge.cli import EXIT_DONE, EXIT_SOME_FAILED, UsageError
from pixelgauge.cli.terminal import Progress
from pixelgauge.distribution.frechet import METHODS, frechet_distance
from pixelgauge.distribution.inception_score import inception_score
from pixelgauge.distribution.kernel_distance import kernel_distance
from pixelgauge.distribution.nearest_neighbours import neighbour_metrics
from pixelgauge.distribution.samples import samples as count_of
from pixelgauge.engine.feature_sources import FeatureSource, Inception, Report, require_comparable, require_used
from pixelgauge.files.reading import printable

METRICS = ("fid", "kid", "is", "prdc", "sfid")
PRESETS = ("pytorch-fid", "torch-fidelity", "torchmetrics", "clean-fid")
DEFAULT_PRESET = "pytorch-fid"
PRECISION_K, DENSITY_K = 3, 5
"""Neighbours of the balls, as published."""

Features = Mapping[str, Any]
"""What :meth:`FeatureSource.collect` hands out."""


def add_inception_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how images become features."""
    parser.add_argument("--preset", choices=PRESETS, help=f"whose numbers (default: {DEFAULT_PRESET})")
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
    whole_number("--batch-size", args.batch_size, 1)
    whole_number("--seed", args.seed, 0, 2**32 - 1)
    if args.limit is not None:
        whole_number("--limit", args.limit, 1)
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
        "--metrics", default="fid", metavar="M,...", help=f"of {', '.join(METRICS)} (default: %(default)s)"
    )
    parser.add_argument("--method", default="auto", choices=METHODS, help="of the matrix square root (default: auto)")
    parser.add_argument("--kid-subsets", type=int, default=100, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--kid-subset-size", type=int, default=1000, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--splits", type=int, default=10, metavar="N", help="of the Inception score (default: 10)")
    parser.add_argument(
        "--explain", action="store_true", help="also the FID under every preset, and what each differs in"
    )
    add_inception_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compute and print."""
    wanted = list(dict.fromkeys(name.strip() for name in args.metrics.split(",") if name.strip()))
    for name in wanted:
        if name not in METRICS:
            raise UsageError(f"--metrics {name!r} is not known: use some of {', '.join(METRICS)}")
    if not wanted:
        raise UsageError(f"--metrics is empty: use some of {', '.join(METRICS)}")
    for option, value, least in (
        ("--kid-subsets", args.kid_subsets, 1),
        ("--kid-subset-size", args.kid_subset_size, 2),
        ("--splits", args.splits, 1),
    ):
        whole_number(option, value, least)
    facts = _facts(args, wanted)
    failed = facts.get("failed", {})
    if args.json:
        print(json.dumps(facts))
        return EXIT_SOME_FAILED if failed else EXIT_DONE
    for name, value in facts["metrics"].items():
        print(f"{name:12} {value:.10g}")
    for name, row in facts.get("explain", {}).items():
        print(f"fid under {name:15} {row['fid']:.10g}  {row['difference']:+.6g}  {row['source']}")
    return EXIT_SOME_FAILED if failed else EXIT_DONE


@dataclass
class _Sides:
    """What is compared, and what is wanted of it."""

    args: argparse.Namespace
    a: FeatureSource
    b: FeatureSource
    inception: Inception


def _outputs(wanted: Collection[str]) -> tuple[set[str], set[str], set[str]]:
    """Tell of which outputs of the network samples are needed of A, of B, and of which moments will do."""
    samples = {"2048"} if {"kid", "prdc"} & set(wanted) else set()
    samples_of_b = samples | ({"logits_unbiased"} if "is" in wanted else set())
    layers = ({"2048"} if "fid" in wanted else set()) | ({"spatial"} if "sfid" in wanted else set())
    return samples, samples_of_b, layers


def _facts(args: argparse.Namespace, wanted: list[str]) -> dict[str, Any]:
    samples, samples_of_b, layers = _outputs(wanted)
    inception = inception_of(args, outputs=tuple(sorted(samples_of_b | layers)))
    with Progress("img", quiet=args.quiet) as bars:
        a = FeatureSource(args.a, "A", limit=args.limit, seed=args.seed)
        b = FeatureSource(args.b, "B", limit=args.limit, seed=args.seed)
        require_used([a, b], preset=args.preset, weights=args.weights, providers=args.providers)
        if args.explain and not (a.holds_images and b.holds_images):
            raise ValueError("--explain needs images on both sides: features are of one preset already")
        # What cannot be computed is found before any image goes through the network, and told then.
        failed = _impossible(_Sides(args, a, b, inception), wanted)
        left = [name for name in wanted if name not in failed]
        if not left:
            raise UsageError("; ".join(dict.fromkeys(failed.values())))
        for name, reason in failed.items():
            _tell(name, reason)
        samples, samples_of_b, layers = _outputs(left)
        sides = _Sides(args, a, b, inception)
        metrics: dict[str, float] = {}
        facts: dict[str, Any] = {
            "version": __version__,
            "preset": inception.preset if any(side.has_preset for side in (a, b)) else None,
            "counts": [len(a) or None, len(b) or None],
            "metrics": metrics,
        }
        of_a = a.collect(inception, samples, layers, bars.reach)
        of_b = b.collect(inception, samples_of_b, layers, bars.reach)
        steps = {name: partial(compute, sides, of_a, of_b, facts) for name, compute in _COMPUTE.items() if name in left}
        if args.explain:
            steps["explain"] = partial(_explain, sides, bars.reach, facts)
        for name, step in steps.items():
            try:
                step()
            except (ValueError, TypeError, OSError, RuntimeError) as error:
                if len(steps) == 1 or (name == list(steps)[-1] and not metrics):
                    raise
                failed[name] = str(error)  # the others are not lost
                _tell(name, failed[name])
        if a.holds_images or b.holds_images:
            facts["network"] = inception.network.fingerprint
    if failed:
        facts["failed"] = failed
    return facts


def _tell(name: str, reason: str) -> None:
    print(f"pixelgauge distance: {name}: {printable(reason)}", file=sys.stderr)


def _impossible(sides: _Sides, wanted: Collection[str]) -> dict[str, str]:
    """Why metrics cannot be computed, by name, of what is known before the images are read."""
    args, a, b, inception = sides.args, sides.a, sides.b, sides.inception
    failed: dict[str, str] = {}
    unfit = ""
    if {"fid", "kid", "prdc"} & set(wanted):
        try:
            require_comparable(a, b, inception)
        except ValueError as error:
            unfit = str(error)
    statistics = [side.name for side in (a, b) if side.stats is not None]
    of_statistics = f"{' and '.join(statistics)} holds statistics: {{}} needs the images or their features"
    fewest = min(len(a), len(b))
    if "fid" in wanted and unfit:
        failed["fid"] = unfit
    if "kid" in wanted:
        if statistics:
            failed["kid"] = of_statistics.format("kid")
        elif args.kid_subset_size > fewest:
            failed["kid"] = (
                f"--kid-subset-size {args.kid_subset_size} exceeds the samples there are ({len(a)} and {len(b)}): "
                "give a smaller one"
            )
        elif unfit:
            failed["kid"] = unfit
    if "prdc" in wanted:
        if statistics:
            failed["prdc"] = of_statistics.format("prdc")
        elif len(a) <= max(PRECISION_K, DENSITY_K) or len(b) <= PRECISION_K:
            failed["prdc"] = (
                f"prdc needs at least {max(PRECISION_K, DENSITY_K) + 1} samples of A and {PRECISION_K + 1} of B: there "
                f"are {len(a)} and {len(b)}"
            )
        elif unfit:
            failed["prdc"] = unfit
    if "is" in wanted:
        if not b.holds_images:
            failed["is"] = f"is needs the images of B: {args.b} holds none"
        elif args.splits > len(b):
            failed["is"] = f"--splits {args.splits} exceeds the {count_of(len(b))} of B: give fewer"
    if "sfid" in wanted:
        if not (a.holds_images and b.holds_images):
            failed["sfid"] = "sfid needs images on both sides: features and statistics say not of which layer they are"
        elif fewest < 2:
            failed["sfid"] = "sfid needs at least two images on each side"
    return failed


def _fid(sides: _Sides, of_a: Features, of_b: Features, facts: dict[str, Any]) -> None:
    value, info = frechet_distance(of_a["2048"], of_b["2048"], method=sides.args.method, return_info=True)
    facts["metrics"]["fid"] = value
    facts["frechet"] = {name: getattr(info, name) for name in ("method", "space", "rank", "bound")}


def _kid(sides: _Sides, of_a: Features, of_b: Features, facts: dict[str, Any]) -> None:
    args = sides.args
    found = kernel_distance(
        of_a["2048"], of_b["2048"], subsets=args.kid_subsets, subset_size=args.kid_subset_size, seed=args.seed
    )
    facts["metrics"] |= {"kid": found.mean, "kid_std": found.std}


def _is(sides: _Sides, of_a: Features, of_b: Features, facts: dict[str, Any]) -> None:
    score = inception_score(of_b["logits_unbiased"], splits=sides.args.splits, seed=sides.args.seed)
    facts["metrics"] |= {"is": score.mean, "is_std": score.std}


def _prdc(sides: _Sides, of_a: Features, of_b: Features, facts: dict[str, Any]) -> None:
    found = neighbour_metrics(of_a["2048"], of_b["2048"], precision_k=PRECISION_K, density_k=DENSITY_K)
    facts["metrics"] |= found._asdict()


def _sfid(sides: _Sides, of_a: Features, of_b: Features, facts: dict[str, Any]) -> None:
    facts["metrics"]["sfid"] = frechet_distance(of_a["spatial"], of_b["spatial"])


_COMPUTE = {"fid": _fid, "kid": _kid, "prdc": _prdc, "sfid": _sfid, "is": _is}
"""By metric, in the order they are printed."""


def _explain(sides: _Sides, progress: Report, facts: dict[str, Any]) -> None:
    facts["explain"] = _explained(sides.args, sides.a, sides.b, facts["metrics"].get("fid"), progress)


def _explained(
    args: argparse.Namespace, a: FeatureSource, b: FeatureSource, known: float | None, progress: Report
) -> dict[str, dict[str, Any]]:
    """FID under every preset, its difference from the chosen one, and what the preset does."""
    from pixelgauge.presets import INCEPTION_PRESETS

    chosen = args.preset or DEFAULT_PRESET
    values: dict[str, float] = {}
    for name in PRESETS:
        if name == chosen and known is not None:
            values[name] = known
            continue
        inception = inception_of(args, name)
        values[name] = frechet_distance(*(side.gaussian(inception, report=progress) for side in (a, b)))
    return {
        name: {
            "fid": value,
            "difference": value - values[chosen],
            "source": INCEPTION_PRESETS[name].source,
        }
        for name, value in values.items()
    }
