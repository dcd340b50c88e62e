"""``pixelgauge distance A B``: FID and its family between two sets of images, features or statistics."""

from __future__ import annotations

import argparse
import json
from typing import Any

from pixelgauge._version import __version__
from pixelgauge.cli import EXIT_DONE, UsageError
from pixelgauge.cli.terminal import Progress
from pixelgauge.feature_sources import Inception, Report, Source, require_used
from pixelgauge.feature_stats import require_whole
from pixelgauge.frechet import METHODS, frechet_distance
from pixelgauge.sample_metrics import inception_score, kernel_distance, neighbour_metrics

METRICS = ("fid", "kid", "is", "prdc", "sfid")
PRESETS = ("pytorch-fid", "torch-fidelity", "torchmetrics", "clean-fid")
DEFAULT_PRESET = "pytorch-fid"


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
    """Network that the options describe."""
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
    wanted = [name.strip() for name in args.metrics.split(",") if name.strip()]
    for name in wanted:
        if name not in METRICS:
            raise UsageError(f"--metrics {name!r} is not known: use some of {', '.join(METRICS)}")
    if not wanted:
        raise UsageError(f"--metrics is empty: use some of {', '.join(METRICS)}")
    facts = _facts(args, wanted)
    if args.json:
        print(json.dumps(facts))
        return EXIT_DONE
    for name, value in facts["metrics"].items():
        print(f"{name:12} {value:.10g}")
    for name, row in facts.get("explain", {}).items():
        print(f"fid under {name:15} {row['fid']:.10g}  {row['difference']:+.6g}  {row['source']}")
    return EXIT_DONE


def _facts(args: argparse.Namespace, wanted: list[str]) -> dict[str, Any]:
    samples = {"2048"} if {"kid", "prdc"} & set(wanted) else set()
    samples_of_b = samples | ({"logits_unbiased"} if "is" in wanted else set())
    layers = ({"2048"} if "fid" in wanted else set()) | ({"spatial"} if "sfid" in wanted else set())
    inception = inception_of(args, outputs=tuple(sorted(samples_of_b | layers)))
    for option, value, least in (
        ("--kid-subsets", args.kid_subsets, 1),
        ("--kid-subset-size", args.kid_subset_size, 2),
        ("--splits", args.splits, 1),
    ):
        require_whole(option, value, least)
    with Progress("img", quiet=args.quiet) as bars:
        progress = bars.reach
        a = Source(args.a, "A", limit=args.limit, seed=args.seed)
        b = Source(args.b, "B", limit=args.limit, seed=args.seed)
        require_used([a, b], preset=args.preset, weights=args.weights)
        metrics: dict[str, float] = {}
        facts: dict[str, Any] = {
            "version": __version__,
            "preset": inception.preset if any(side.has_preset for side in (a, b)) else None,
            "counts": [len(a) or None, len(b) or None],
            "metrics": metrics,
        }
        if "sfid" in wanted and not (a.holds_images and b.holds_images):
            raise ValueError("sfid needs images on both sides: features and statistics say not of which layer they are")
        if "is" in wanted and not b.holds_images:
            raise ValueError(f"is needs the images of B: {args.b} holds none")
        of_a = a.collect(inception, samples, layers, progress)
        of_b = b.collect(inception, samples_of_b, layers, progress)
        if "fid" in wanted:
            metrics["fid"], info = frechet_distance(of_a["2048"], of_b["2048"], method=args.method, return_info=True)
            facts["frechet"] = {name: getattr(info, name) for name in ("method", "space", "rank", "bound")}
        if "kid" in wanted:
            found = kernel_distance(
                of_a["2048"],
                of_b["2048"],
                subsets=args.kid_subsets,
                subset_size=args.kid_subset_size,
                seed=args.seed,
            )
            metrics |= {"kid": found.mean, "kid_std": found.std}
        if "prdc" in wanted:
            metrics |= neighbour_metrics(of_a["2048"], of_b["2048"])._asdict()
        if "sfid" in wanted:
            metrics["sfid"] = frechet_distance(of_a["spatial"], of_b["spatial"])
        if "is" in wanted:
            score = inception_score(of_b["logits_unbiased"], splits=args.splits, seed=args.seed)
            metrics |= {"is": score.mean, "is_std": score.std}
        if a.holds_images or b.holds_images:
            facts["network"] = inception.network.fingerprint
        if args.explain:
            facts["explain"] = _explained(args, a, b, metrics.get("fid"), progress)
    return facts


def _explained(
    args: argparse.Namespace, a: Source, b: Source, known: float | None, progress: Report
) -> dict[str, dict[str, Any]]:
    """FID under every preset, its difference from the chosen one, and what the preset does."""
    if not (a.holds_images and b.holds_images):
        raise ValueError("--explain needs images on both sides: features are of one preset already")
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
