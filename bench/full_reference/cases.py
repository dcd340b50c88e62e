"""SSIM by preset, size, dtype and layout, MS-SSIM, MSE and PSNR, beside the programs that the presets are named after; several
metrics in one pass, and pixels in other layouts, beside our own functions and pixels that are packed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bench.case import Call, Case, Contender, itself
from bench.full_reference import peers
from bench.images.pictures import SIZES, batch, pair, screenshot
from bench.inputs import attribute
from bench.limits import Limit

LARGE = {"3840x2160": (2160, 3840)}
SSIM_PRESETS = ("wang2004", "skimage", "skimage-gaussian", "torchmetrics", "matlab", "pytorch-msssim", "opencv")
# docs/reference/presets.md promises a mean index within 2e-6 of float64; a build on either side of it may be off by that much.
MEAN_INDEX = 4e-6
ORACLE = 2e-6
# One window's index in float32 has fewer digits than the mean of many.
ONE_WINDOW = 1e-4
# Vector operations a register of output, counted in cpp/src/kernels/ssim.inl, each in the slot of a multiply-add of two
# floating-point operations: 11 Gaussian taps, and running sums of 7 x 7.
OPERATIONS = {preset: 142 for preset in SSIM_PRESETS if preset not in ("skimage", "matlab")} | {"skimage": 49}
# docs/methods/performance.md promises no more beside the images, whatever their size.
MEMORY = 16e6

Pictures = tuple[np.ndarray, np.ndarray]


def gray(image: np.ndarray) -> np.ndarray:
    """Return the green plane."""
    return image[..., 1]


def planar(image: np.ndarray) -> np.ndarray:
    """Return planes in a batch of one."""
    return np.moveaxis(image, -1, 0)[None]


def drawn(
    size: tuple[int, int],
    dtype: str = "uint8",
    make: Callable[..., Pictures] = pair,
    change: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Pictures:
    """Draw the two pictures of a case."""
    x, y = make(*size, dtype) if make is pair else make(*size)
    if change is not None:
        x, y = np.ascontiguousarray(change(x)), np.ascontiguousarray(change(y))
    return x, y


def of_pair(function: str, draw: Callable[[], Pictures], **options: Any) -> Callable[[], Call]:
    """Prepare a call of a function of two pictures."""

    def prepare() -> Call:
        import pixelgauge

        metric = getattr(pixelgauge, function)
        x, y = draw()
        return lambda: metric(x, y, **options)

    return prepare


def defined(
    function: str,
    draw: Callable[[], Pictures],
    *options: str,
    tolerance: float = ORACLE,
    result: Callable[[Any], object] = itself,
) -> Contender:
    """The plain float64 definition that the tests compare with, of the same pictures."""

    def prepare() -> Call:
        metric = attribute(f"tests.full_reference.oracles:{function}")
        # channels last, whatever the layout: the definition knows no other
        x, y = (np.moveaxis(image[0], 0, -1) if image.ndim == 4 else image for image in draw())
        length = float(np.iinfo(x.dtype).max) if x.dtype.kind == "u" else 1.0
        return lambda: metric(x, y, length, *options)

    return Contender(prepare=prepare, tolerance=tolerance, result=result)


def first(result: Any) -> Any:
    """Of a score and a map, the score."""
    return result[0]


def in_one(result: Any) -> tuple[float, ...]:
    """Make a tuple of what has fields."""
    return tuple(result)


def ssim_presets() -> Iterator[Case]:
    """Every preset beside its program, and what the largest pictures take of memory."""
    for name, size in {**SIZES, **LARGE}.items():
        draw = functools.partial(drawn, size)
        for preset in SSIM_PRESETS:
            if name in LARGE and preset not in ("wang2004", "skimage", "matlab"):
                continue
            yield Case(
                function="ssim",
                variant=preset,
                size=name,
                prepare=of_pair("ssim", draw, preset=preset),
                tolerance=MEAN_INDEX,
                parameters={"preset": preset, "dtype": "uint8", "layout": "H,W,C"},
                oracle=defined("ssim", draw, preset, result=first),
                contenders={} if name in LARGE else peers.ssim(preset, draw),
                limit=Limit(
                    flop=2.0 * OPERATIONS[preset] * 3 * size[0] * size[1], why=f"{OPERATIONS[preset]} vector operations"
                )
                if preset in OPERATIONS
                else None,
                memory=MEMORY if name in LARGE else None,
            )


def ssim_variants() -> Iterator[Case]:
    """What the preset of the paper takes of other pictures, and what else it gives."""
    variants: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "gray": ({"change": gray}, {}),
        "float32": ({"dtype": "float32"}, {"data_range": 1.0}),
        "float64": ({"dtype": "float64"}, {"data_range": 1.0}),
        "uint16": ({"dtype": "uint16"}, {}),
        "planar": ({"change": planar}, {"channel_axis": 1}),
        "flat": ({"make": screenshot}, {}),
        "full": ({}, {"full": True}),
        "components": ({}, {"components": True}),
    }
    layouts = {"gray": "H,W", "planar": "1,C,H,W"}
    for name, size in SIZES.items():
        for variant, (drawing, options) in variants.items():
            draw = functools.partial(drawn, size, **drawing)
            of_map = variant == "full"
            yield Case(
                function="ssim",
                variant=variant,
                size=name,
                prepare=of_pair("ssim", draw, **options),
                tolerance=ONE_WINDOW if of_map else MEAN_INDEX,
                parameters={
                    "preset": "wang2004",
                    "dtype": drawing.get("dtype", "uint8"),
                    "layout": layouts.get(variant, "H,W,C"),
                },
                result={"components": in_one, "planar": np.squeeze}.get(variant, itself),
                oracle=defined(
                    "components" if variant == "components" else "ssim",
                    draw,
                    tolerance=ONE_WINDOW if of_map else ORACLE,
                    result=in_one if variant in ("full", "components") else first,
                ),
            )


def of_batches() -> Iterator[Case]:
    """Many pairs at a time, which have to be what each is alone, to the last bit."""
    for function, preset, count, name in (
        ("ssim", "wang2004", 128, "256x256"),
        ("ssim", "wang2004", 16, "1920x1080"),
        ("ms_ssim", "wang2003", 64, "256x256"),
        ("ms_ssim", "wang2003", 16, "1920x1080"),
    ):
        draw = functools.partial(batch, count, *SIZES[name])

        def alone(function: str = function, draw: Callable[[], Pictures] = draw) -> Call:
            metric = attribute(f"pixelgauge:{function}")
            x, y = draw()
            return lambda: np.array([metric(a, b) for a, b in zip(x, y, strict=True)])

        yield Case(
            function=function,
            variant=preset,
            size=f"{count}x{name}",
            prepare=of_pair(function, draw),
            tolerance=MEAN_INDEX,
            parameters={"preset": preset, "dtype": "uint8", "layout": "N,H,W,C"},
            oracle=Contender(prepare=alone, tolerance=0.0),
        )


def ms_ssim() -> Iterator[Case]:
    """Five scales, which need 176 pixels a side."""
    for name, size in {**SIZES, **LARGE}.items():
        draw = functools.partial(drawn, size)
        for preset in ("wang2003", "pytorch-msssim"):
            if name == "64x64" or (name in LARGE and preset != "wang2003"):
                continue
            yield Case(
                function="ms_ssim",
                variant=preset,
                size=name,
                prepare=of_pair("ms_ssim", draw, preset=preset),
                tolerance=MEAN_INDEX,
                parameters={"preset": preset, "dtype": "uint8", "layout": "H,W,C"},
                oracle=defined("ms_ssim", draw, preset),
                contenders=peers.ms_ssim(preset, draw),
                memory=MEMORY if name in LARGE else None,
            )


def pixel_error() -> Iterator[Case]:
    """MSE and PSNR, which read both pictures once."""

    def definition(draw: Callable[[], Pictures], length: float | None, tolerance: float) -> Contender:
        def prepare() -> Call:
            x, y = (image.astype(np.float64) for image in draw())

            def call() -> object:
                error = np.mean((x - y) ** 2)
                return error if length is None else 10 * np.log10(length**2 / error)

            return call

        return Contender(prepare=prepare, tolerance=tolerance)

    for name, size in {**SIZES, **LARGE}.items():
        for function, dtype, length in (("mse", "uint8", None), ("psnr", "uint8", 255), ("psnr", "float32", 1.0)):
            if name in LARGE and (function, dtype) != ("psnr", "uint8"):
                continue
            draw = functools.partial(drawn, size, dtype)
            tolerance = 1e-9 if dtype == "float32" else 1e-12
            yield Case(
                function=function,
                variant=dtype,
                size=name,
                prepare=of_pair(function, draw, **({"data_range": length} if dtype == "float32" else {})),
                tolerance=tolerance,
                parameters={"dtype": dtype, "layout": "H,W,C"},
                oracle=definition(draw, length, tolerance),
                contenders={} if length is None else peers.psnr(draw, length),
                limit=Limit(read=2.0 * 3 * size[0] * size[1] * np.dtype(dtype).itemsize, why="both read once")
                if size[0] > 1000  # smaller ones stay in the caches
                else None,
                memory=MEMORY if name in LARGE else None,
            )


# Several metrics, and the one of them that is most of the work.
TOGETHER = {
    "three": (("psnr", "ssim", "ms-ssim"), "ms-ssim"),
    "presets": (("ssim", "ssim:skimage-gaussian", "ssim:torchmetrics", "ms-ssim"), "ms-ssim"),
    "one-window": (("ssim", "ssim:skimage-gaussian"), "ssim"),
}


def in_order(result: Any) -> tuple[float, ...]:
    """Make a tuple of scores by name."""
    return tuple(result.values())


def one_after_another(metrics: tuple[str, ...], draw: Callable[[], Pictures], options: dict[str, Any]) -> Contender:
    """Every metric by its own function, which has to give the same bits."""

    def prepare() -> Call:
        import pixelgauge

        x, y = draw()
        calls = []
        for metric, _, preset in (name.partition(":") for name in metrics):
            of_preset = {"preset": preset} if preset else {}
            function = getattr(pixelgauge, metric.replace("-", "_"))
            calls.append(functools.partial(function, x, y, **of_preset, **options))
        return lambda: tuple(call() for call in calls)

    return Contender(prepare=prepare, tolerance=0.0)


def in_one_pass() -> Iterator[Case]:
    """Several metrics at once beside each by itself, and beside the one that is most of the work alone."""
    for name, size in SIZES.items():
        for variant, (metrics, most) in TOGETHER.items():
            for dtype in ("uint8", "float32"):
                if min(size) < 176 and "ms-ssim" in metrics:
                    continue
                draw = functools.partial(drawn, size, dtype)
                options: dict[str, Any] = {"data_range": 1.0} if dtype == "float32" else {}
                apart = one_after_another(metrics, draw, options)
                yield Case(
                    function="scores",
                    variant=f"{variant}-{dtype}",
                    size=name,
                    prepare=of_pair("scores", draw, metrics=metrics, **options),
                    tolerance=MEAN_INDEX,
                    parameters={"dtype": dtype, "layout": "H,W,C", "metrics": ", ".join(metrics)},
                    result=in_order,
                    oracle=apart,
                    contenders={
                        "one after another": apart,
                        f"{most} alone": Contender(
                            prepare=of_pair(most.replace("-", "_"), draw, **options), tolerance=None
                        ),
                    },
                )


def of_four(image: np.ndarray) -> np.ndarray:
    """Three channels among four elements a pixel."""
    return np.concatenate([image, image[..., :1]], axis=-1)[..., :3]


def cropped(image: np.ndarray) -> np.ndarray:
    """The same within rows that are longer."""
    return np.pad(image, ((0, 0), (0, 7), (0, 0)))[:, :-7]


def turned(axis: int) -> Callable[[np.ndarray], np.ndarray]:
    """The same read from the other end of an axis."""
    return lambda image: np.ascontiguousarray(np.flip(image, axis))[(slice(None),) * axis + (slice(None, None, -1),)]


LAYOUTS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], int]] = {
    "planar": (lambda image: np.ascontiguousarray(np.moveaxis(image, -1, 0)), 0),
    "rgbx": (of_four, -1),
    "cropped": (cropped, -1),
    "flipped": (turned(0), -1),
    "mirrored": (turned(1), -1),
    "bgr": (turned(2), -1),
}


def layouts() -> Iterator[Case]:
    """Pixels that lie otherwise, beside the same pixels packed, whose result they have to the last bit."""

    def laid(draw: Callable[[], Pictures], layout: str) -> Pictures:
        x, y = draw()
        return LAYOUTS[layout][0](x), LAYOUTS[layout][0](y)

    for name, size in SIZES.items():
        for function in ("mse", "mae", "psnr", "ssim", "ms_ssim"):
            for dtype in ("uint8", "uint16", "float32"):
                if min(size) < 176 and function == "ms_ssim":
                    continue
                draw = functools.partial(drawn, size, dtype)
                of_range = dtype == "float32" and function not in ("mse", "mae")
                options: dict[str, Any] = {"data_range": 1.0} if of_range else {}
                for layout, (_, channel_axis) in LAYOUTS.items():
                    packed = Contender(prepare=of_pair(function, draw, **options), tolerance=0.0)
                    yield Case(
                        function=function,
                        variant=f"{layout}-{dtype}",
                        size=name,
                        prepare=of_pair(
                            function, functools.partial(laid, draw, layout), channel_axis=channel_axis, **options
                        ),
                        tolerance=MEAN_INDEX,
                        parameters={"dtype": dtype, "layout": layout},
                        oracle=packed,
                        contenders={"packed": packed},
                    )


CASES = (
    *ssim_presets(),
    *ssim_variants(),
    *of_batches(),
    *ms_ssim(),
    *pixel_error(),
    *in_one_pass(),
    *layouts(),
)
