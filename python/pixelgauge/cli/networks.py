"""Options that say how images become features, which ``distance``, ``features`` and ``stats`` share."""

from __future__ import annotations

import argparse
import re

from pixelgauge.checks import whole_number
from pixelgauge.cli import add_memory_option, given
from pixelgauge.distribution.feature_sets import MAIN
from pixelgauge.engine.extraction import BATCH_SIZE, Extraction, Inception, extraction_of
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
    parser.add_argument(
        "--feature-output",
        metavar="NAME,...",
        help="output of the ONNX graph, needed where it has several; for a file of features several, side by side",
    )
    parser.add_argument(
        "--token",
        metavar="cls|mean",
        help="of an output (N, T, D) of the ONNX graph the first token, or the mean of all",
    )
    parser.add_argument(
        "--size",
        type=_size,
        metavar="N|HxW",
        help="what images of the ONNX graph are resized to: the shorter edge, or height and width (default: as the "
        "preprocessing or the graph says)",
    )
    parser.add_argument(
        "--crop",
        type=_crop,
        metavar="N|HxW",
        help="what is cut from the centre after that; or square, the largest square before (default: as --size)",
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
        help="images at a time (default: %(default)s; of an ONNX graph what it fixes, else 1 on the CPU)",
    )
    add_memory_option(parser)
    parser.add_argument("--limit", type=int, metavar="N", help=f"use N images of {sides}, chosen at random")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of every random choice (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(in_options=in_options)


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
        feature_output=None if args.feature_output is None else [one.strip() for one in args.feature_output.split(",")],
        token=args.token,
        size=args.size,
        crop=args.crop,
        memory=args.memory,
    )


def _size(text: str) -> int | tuple[int, int]:
    """Read a shorter edge, or height and width."""
    found = re.fullmatch(r"([0-9]{1,9})(?:x([0-9]{1,9}))?", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: give N, or HxW, such as 224 or 224x336")
    return int(found[1]) if found[2] is None else (int(found[1]), int(found[2]))


def _crop(text: str) -> int | tuple[int, int] | str:
    return text if text == "square" else _size(text)


_NAMES = "|".join(("size", "crop", "token", "batch_size"))
_END = r"(?=[\s,:;]|$)"
_IN_OPTIONS = (
    (r"features=$", "--features FILE.onnx"),
    (r"output= of OnnxFeatures", "--feature-output"),
    (r"token='cls' or 'mean'", "--token cls or mean"),
    (r"size as \(height, width\)", "--size HxW"),
    (rf"({_NAMES})=\((\d+), (\d+)\)", r"--\1 \2x\3"),
    (rf"({_NAMES})=None{_END}", r"no --\1"),
    (rf"({_NAMES})='?(\w+)'?{_END}", r"--\1 \2"),
    (rf"({_NAMES})=(?=\s)", r"--\1"),
    (r"--(size|crop) \((\d+), (\d+)\)", r"--\1 \2x\3"),
    (r"(size|crop)\[[01]\]=", r"--\1 "),
)


def in_options(text: str) -> str:
    """Name the options where a message names arguments of ``OnnxFeatures``."""
    for argument, option in _IN_OPTIONS:
        text = re.sub(rf"(?<![^\s(]){argument}", option, text)
    return text.replace("--batch_size", "--batch-size")


def asked_preset(args: argparse.Namespace) -> str | None:
    """Preset that the options name."""
    named: str | None = args.preset
    return args.features if args.features in INCEPTION_PRESETS else named


def asked_network(args: argparse.Namespace) -> str | None:
    """Network other than Inception that the options name."""
    return None if args.features in INCEPTION_PRESETS else args.features
