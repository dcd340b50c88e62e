"""LPIPS and Inception's features beside the originals, onnxruntime's own convolutions and other providers.

Weights are drawn at random in the official names, which changes no operation, and all contenders load the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from bench.case import Call, Case, Contender
from bench.images.pictures import batch, pair
from bench.inputs import attribute, in_folder, kept
from bench.limits import Limit
from bench.networks.weights import checkpoints
from bench.perceptual import originals
from bench.programs import MissingError

# Multiply-adds of an image at 256x256, and of Inception's.
LPIPS_PRODUCTS = {"alex": 868e6, "vgg": 20.04e9, "squeeze": 347e6}
INCEPTION_PRODUCTS = 5.71e9

Pictures = tuple[np.ndarray, np.ndarray]


def pictures(count: int, side: int) -> Pictures:
    """A pair, or a batch of them."""
    found: Pictures = pair(side, side) if count == 1 else batch(count, side, side)
    return found


@contextlib.contextmanager
def with_tiles(model: str, tiles: Any) -> Iterator[None]:
    """Let the manifest say what the package's own convolutions take: those of another model, or none."""
    if tiles is None:
        yield
        return
    manifest = attribute(
        "pixelgauge.networks.manifest:manifest", "pixelgauge.networks.store:manifest", "pixelgauge.model_store:manifest"
    )
    # SqueezeNet goes without: the comparison is why.
    chosen = manifest()["lpips-vgg"].winograd if tiles else {}
    with mock.patch.dict(manifest(), {model: dataclasses.replace(manifest()[model], winograd=chosen)}):
        yield


def lpips(net: str, draw: Callable[[], Pictures], tiles: Any = None) -> Callable[[], Call]:
    """Prepare our distance."""

    def make(folder: Path) -> Call:
        kind = attribute("pixelgauge:LPIPS")
        with with_tiles(f"lpips-{net}", tiles):
            metric, (x, y) = kind(net, weights=checkpoints(f"lpips-{net}", folder)), draw()
        return lambda: metric(x, y)

    return in_folder(make)


def relative(distances: Any) -> np.ndarray:
    """Logarithms, whose differences are the distances' relative ones."""
    found: np.ndarray = np.log(np.squeeze(np.asarray(distances, np.float64)))
    return found


def lpips_cases() -> Iterator[Case]:
    """By backbone, number of pairs and size; the same float32 network by other routes differs in the sixth digit."""
    for net, products in LPIPS_PRODUCTS.items():
        for count, side in ((1, 64), (1, 256), (8, 256), (32, 256)):
            draw = functools.partial(pictures, count, side)
            contenders = {"lpips": Contender(prepare=originals.lpips(net, draw), tolerance=1e-5, result=relative)}
            if side == 256:
                way = {"onnxruntime-convolutions": False} if net != "squeeze" else {"winograd": True}
                for name, tiles in way.items():
                    contenders[name] = Contender(prepare=lpips(net, draw, tiles), tolerance=1e-5, result=relative)
            yield Case(
                function="lpips",
                variant=net,
                size=f"{side}x{side}" if count == 1 else f"{count}x{side}x{side}",
                prepare=lpips(net, draw),
                tolerance=1e-5,
                parameters={"dtype": "uint8", "layout": "H,W,C" if count == 1 else "N,H,W,C"},
                result=relative,
                contenders=contenders,
                limit=Limit(flop=count * 2 * 2 * products, why="direct convolutions") if side == 256 else None,
                long=count == 32,
            )


def whole_lpips(net: str, draw: Callable[[], Pictures]) -> Callable[[], Call]:
    """Prepare our distance without strips."""

    def prepare() -> Call:
        with mock.patch("pixelgauge.perceptual.lpips._WHOLE_PIXELS", 1 << 62):
            return lpips(net, draw)()

    return prepare


def large_lpips_cases() -> Iterator[Case]:
    """Images that are computed by strips, beside the same run whole, which sums each layer in float32; vgg's would take 20 GB."""
    for net, (height, width), memory in (
        ("alex", (3000, 4000), 400e6),
        ("squeeze", (3000, 4000), 700e6),
        ("vgg", (1100, 1500), 1100e6),
    ):
        draw = functools.partial(pair, height, width)
        yield Case(
            function="lpips",
            variant=net,
            size=f"{width}x{height}",
            prepare=lpips(net, draw),
            tolerance=1e-5,
            parameters={"dtype": "uint8", "layout": "H,W,C"},
            result=relative,
            contenders={"whole": Contender(prepare=whole_lpips(net, draw), tolerance=1e-5, result=relative)},
            limit=Limit(flop=height * width / 65536 * 4 * LPIPS_PRODUCTS[net], why="direct convolutions"),
            memory=memory,
            long=True,
        )


def features(draw: Callable[[], np.ndarray], tiles: Any = None, **options: str) -> Callable[[], Call]:
    """Prepare our features of images in memory."""

    def make(folder: Path) -> Call:
        kind = attribute("pixelgauge:InceptionFeatures")
        if options.get("providers") == "openvino":
            available = attribute("onnxruntime:get_available_providers")()
            if "OpenVINOExecutionProvider" not in available:
                raise MissingError("this onnxruntime has no OpenVINO: pip install '.[openvino]' brings it")
        with with_tiles("inception-fid", tiles):
            network, images = kind(weights=checkpoints("inception-fid", folder)[0], **options), draw()
        return lambda: network(images)

    return in_folder(make)


def scaled(found: Any) -> np.ndarray:
    """Features in units of their root mean square, so that a tolerance is relative to that."""
    values: np.ndarray = np.asarray(found, np.float64)
    unit: np.ndarray = values / np.sqrt(np.mean(values**2))
    return unit


def scaled_and_distance(found: Any) -> list[Any]:
    """The same, and the Fréchet distance of one half from the other."""
    half = len(found) // 2
    return [scaled(found), float(attribute("pixelgauge:frechet_distance")(found[:half], found[half:]))]


@kept
def blobs() -> np.ndarray:
    """Two sets of 64 images that differ: blobs of colour, the second with more contrast and noise."""
    rng = np.random.default_rng(1)
    images = rng.integers(60, 190, (128, 13, 13, 3)).repeat(23, 1).repeat(23, 2)
    images[64:] = np.clip(1.3 * images[64:] - 30 + rng.normal(0, 8, images[64:].shape), 0, 255)
    return images.astype(np.uint8)


def inception_cases() -> Iterator[Case]:
    """Features of images in memory, resized by both; entries, of which the largest is some ten times their mean, to 1e-4."""
    for count, side in ((8, 256), (50, 256), (32, 256), (128, 256), (8, 299)):

        def draw(count: int = count, side: int = side) -> np.ndarray:
            return batch(count, side, side)[1]

        yield Case(
            function="inception",
            variant="arrays",
            size=f"{count}x{side}x{side}",
            prepare=features(draw),
            tolerance=1e-4,
            parameters={"dtype": "uint8", "layout": "N,H,W,C"},
            result=scaled,
            contenders={
                "pytorch-fid-network": Contender(
                    prepare=originals.inception(draw, channels_last=False), tolerance=1e-4, result=scaled
                ),
                "pytorch-fid-network-channels-last": Contender(
                    prepare=originals.inception(draw, channels_last=True), tolerance=1e-4, result=scaled
                ),
                "onnxruntime-convolutions": Contender(prepare=features(draw, False), tolerance=1e-4, result=scaled),
            },
            limit=Limit(flop=count * 2 * INCEPTION_PRODUCTS, why="direct convolutions"),
            long=count in (32, 128),
        )
    openvino = {"float32": 1e-3, "bf16": 0.1}  # bf16 has three digits
    yield Case(
        function="inception",
        variant="providers",
        size="128x299x299",
        prepare=features(blobs),
        tolerance=1e-3,
        parameters={"dtype": "uint8", "layout": "N,H,W,C"},
        result=scaled_and_distance,
        contenders={
            f"openvino-{precision}": Contender(
                prepare=features(blobs, providers="openvino", precision=precision),
                tolerance=tolerance,
                result=scaled_and_distance,
            )
            for precision, tolerance in openvino.items()
        }
        | {
            "onnxruntime-convolutions": Contender(
                prepare=features(blobs, False), tolerance=1e-3, result=scaled_and_distance
            )
        },
        limit=Limit(flop=128 * 2 * INCEPTION_PRODUCTS, why="direct convolutions"),
        long=True,
    )


def written(extension: str, shape: tuple[int, int], count: int, folder: Path) -> Sequence[str]:
    """Write files of smooth colours, as large as photographs."""
    from PIL import Image

    rng, names = np.random.default_rng(3), []
    for i in range(count):
        names.append(str(folder / f"{i}.{extension}"))
        small = Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8))
        small.resize(shape[::-1], Image.Resampling.BICUBIC).save(names[-1])
    return names


def file_cases() -> Iterator[Case]:
    """Both programs as they are run: files to features, with their own batch size and workers."""
    for extension, shape in (("png", (256, 256)), ("jpg", (500, 375))):
        write = functools.partial(written, extension, shape, 64)

        def ours(folder: Path, write: Callable[[Path], Sequence[str]] = write) -> Call:
            kind = attribute("pixelgauge:InceptionFeatures")
            network, files = kind(weights=checkpoints("inception-fid", folder)[0]), list(write(folder))
            return lambda: network(files)

        def theirs(folder: Path, write: Callable[[Path], Sequence[str]] = write) -> Call:
            # as its command line chooses
            workers = min(attribute("pixelgauge:get_num_threads")(), 8)
            return originals.pytorch_fid(write, folder, workers)

        yield Case(
            function="inception",
            variant=f"files-{extension}",
            size=f"64x{shape[1]}x{shape[0]}",
            prepare=in_folder(ours),
            tolerance=1e-4,
            parameters={"dtype": "uint8", "layout": "files"},
            result=scaled,
            contenders={"pytorch-fid": Contender(prepare=in_folder(theirs), tolerance=1e-4, result=scaled)},
            limit=Limit(flop=64 * 2 * INCEPTION_PRODUCTS, why="direct convolutions"),
        )


CASES = (*lpips_cases(), *large_lpips_cases(), *inception_cases(), *file_cases())
