"""What a run of pairs computes: options that are checked, then metrics that are loaded, and the fingerprint of both."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pixelgauge._version import __version__
from pixelgauge.checks import ArgumentError, ArgumentValueError, flag
from pixelgauge.engine.options import checked_options, chosen, metric_names, options_of
from pixelgauge.engine.registry import METRICS
from pixelgauge.images import ALPHA_CHOICES, alpha_background, decoders
from pixelgauge.images.luma import LUMAS
from pixelgauge.images.resizing import KERNELS
from pixelgauge.metric import DATA_RANGE, Metric, Option, PairFamily, Pixels, Result, Scorer, Values, among, at_least


def _alpha(argument: str, value: Any) -> Any:
    alpha_background(value)
    return value


GRAY = Option("gray", False, "score gray images, made as by MATLAB's rgb2gray", flag, None)
ALPHA = Option(
    "alpha",
    "error",
    f"transparent pixels: one of {', '.join(ALPHA_CHOICES)}: refuse the file, drop the channel, or composite over a "
    "colour",
    _alpha,
    metavar="CHOICE",
)
CROP_BORDER = Option("crop_border", 0, "leave out N pixels on each side", at_least(0), int, "N")
LUMA = Option(
    "luma",
    None,
    f"score Y of YCbCr in limited range, one of {', '.join(LUMAS)}: as basicsr, or rounded as by MATLAB's rgb2ycbcr of "
    "integers",
    among(LUMAS),
    shown_default="the colours as they are",
)
RESIZE = Option(
    "resize",
    None,
    f"resize TEST to the size of REF where they differ, by a kernel of Pillow's: {', '.join(KERNELS)}",
    among(KERNELS),
    metavar="KERNEL",
    shown_default="such pairs are not scored",
)
READING = (DATA_RANGE, GRAY, LUMA, ALPHA, RESIZE, CROP_BORDER)
"""How images are read, whatever is computed of them."""


def compare_options() -> list[Option]:
    """Every option of a run: those that the metrics have to themselves, then those of reading."""
    return [option for option, _ in options_of(METRICS).values() if option not in READING] + list(READING)


class CompareOptions:
    """What is computed, and how: everything that decides a score besides the images and the weights of networks.

    Parameters
    ----------
    metrics : str or sequence of str
        Names from :data:`pixelgauge.engine.registry.METRICS`, each alone or with its variant, ``ssim:skimage``; of one
        text, parted by commas.
    **given
        Options of these metrics, as they declare them; and `data_range` (images have values in 0..data_range, others
        are refused; default: the full range of 8 or 16 bits), `gray`, `alpha` (as
        :func:`pixelgauge.images.read_image`), `luma`, `resize` and `crop_border` (pixels to leave out on each side).

    Raises
    ------
    TypeError, ValueError
        If an option or a value is not one of these.
    """

    def __init__(self, metrics: str | Sequence[str] = ("psnr", "ssim"), **given: Any) -> None:
        self.metrics: tuple[str, ...] = metric_names(metrics)
        self.variants = _variants(self.metrics)
        wanted = chosen(METRICS, tuple(dict.fromkeys(base for base, _ in self.variants.values())))
        self.values = checked_options(METRICS, wanted, READING, given)
        for name, metric in wanted.items():
            option = metric.variant
            plain = (name, None) in self.variants.values()
            if option is not None and not plain and given.get(option.name) is not None:
                problem = f"{option.flag}: every {name} among the metrics names its own"
                raise ArgumentValueError(option.name, "", problem, "leave it out")
        if self.values["gray"] and self.values["luma"]:
            problem = f"{GRAY.flag} and {LUMA.flag} are two ways to one channel"
            raise ArgumentValueError("luma", "", problem, "give one of them")
        of_colour = [name for name, metric in wanted.items() if metric.colour]
        for option in (GRAY, LUMA):
            if self.values[option.name] and of_colour:
                problem = f"{option.flag}: {of_colour[0]} is of colour images"
                raise ArgumentValueError(option.name, "", problem, f"score it in a run without {option.flag}")

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def _variants(names: tuple[str, ...]) -> dict[str, tuple[str, Any]]:
    """By name of a column: the metric, and the value of its variant, None if it has none."""
    found: dict[str, tuple[str, Any]] = {}
    for name in names:
        base, colon, variant = name.partition(":")
        value = None
        if colon:
            if base not in METRICS:
                raise ArgumentValueError("metrics", repr(name), "is not known", f"use some of {', '.join(METRICS)}")
            if (option := METRICS[base].variant) is None:
                raise ArgumentValueError("metrics", repr(name), f"has a variant, and {base} has none", f"use {base}")
            try:
                value = option.check(option.name, variant)
            except ArgumentError as error:  # it names the option, which was not given
                problem = f"names no {option.name.replace('_', ' ')} that is known"
                raise error.but(argument="metrics", value=repr(name), problem=problem) from error
        found[name] = base, value
    if not found or len(found) < len(names):
        raise ArgumentValueError("metrics", repr(",".join(names)), "must name at least one metric, and each once")
    return found


def prepare(options: CompareOptions) -> Comparison:
    """Load what the metrics need.

    Raises
    ------
    ImportError, RuntimeError, OSError
        If a model or onnxruntime is missing, or damaged; the message says what to do.
    """
    return Comparison(options)


class Comparison:
    """Metrics that are ready to score pairs; from :func:`prepare`."""

    def __init__(self, options: CompareOptions) -> None:
        self.options = options
        bases = {name: METRICS[base] for name, (base, _) in options.variants.items()}
        self.metrics: dict[str, Metric[PairFamily]] = {
            name: metric if name == metric.name else replace(metric, name=name) for name, metric in bases.items()
        }
        self._scorers = self._prepared(options.values)
        self._of_ranges: dict[float, list[Scorer]] = {}
        self._lock = threading.Lock()
        facts = {name: text for scorer in self._scorers for name, text in scorer.made_with.items()}
        self._made_with = {name: facts.get(name, self._own(name)) for name in self.metrics}

    def values_of(self, name: str, values: Values) -> Values:
        """Options that a column is made with, its variant among them."""
        base, variant = self.options.variants[name]
        option = METRICS[base].variant
        return values if variant is None or option is None else {**values, option.name: variant}

    def _prepared(self, values: Values) -> list[Scorer]:
        """Make a scorer for every family, of all its metrics and their variants."""
        families: dict[int, list[tuple[Metric[PairFamily], Values]]] = {}
        for name, metric in self.metrics.items():
            families.setdefault(id(metric.family), []).append((metric, self.values_of(name, values)))
        return [asked[0][0].family.prepare(asked) for asked in families.values()]

    def _own(self, name: str) -> str | None:
        """Values of the options that are this metric's: of a single one as it is."""
        values = self.values_of(name, self.options.values)
        own = [option.name for option in self.metrics[name].options if option not in READING]
        if len(own) == 1:
            return str(values[own[0]])
        return ",".join(f"{option}={values[option]}" for option in own) or None

    def score(self, x: Pixels, y: Pixels, full_range: float | None = None) -> Mapping[str, Result]:
        """Values of a batch of pairs, (N, H, W, C) each, by metric in their order; an error where one refuses it.

        `full_range` is that of pixels which were computed of integers, where `data_range` was not given.
        """
        results = {name: result for scorer in self.scorers(full_range) for name, result in scorer(x, y).items()}
        return {name: results[name] for name in self.metrics}

    def scorers(self, full_range: float | None = None) -> list[Scorer]:
        """Hand out what scores a batch of pixels of that full range; see :meth:`score`."""
        if full_range is None or self.options["data_range"] is not None:
            return self._scorers
        with self._lock:
            if full_range not in self._of_ranges:
                self._of_ranges[full_range] = self._prepared({**self.options.values, "data_range": full_range})
            return self._of_ranges[full_range]

    def fingerprint(self) -> dict[str, object]:
        """Say what a result must about its making: version, presets, options."""
        unset = [option.name for option in (LUMA, RESIZE) if self.options[option.name] is None]
        of_reading = {option.name: self.options[option.name] for option in READING if option.name not in unset}
        return {"version": __version__, "metrics": dict(self._made_with), **of_reading, "decoders": decoders()}

    def __str__(self) -> str:
        metrics = (
            f"{name}={made}" if made and name.partition(":")[2] != made else name
            for name, made in self._made_with.items()
        )
        data_range = self.options["data_range"]
        options = f"range={'dtype' if data_range is None else format(data_range, '.17g')} alpha={self.options['alpha']}"
        crop, gray = self.options["crop_border"], self.options["gray"]
        others = "".join(f" {o.name}={self.options[o.name]}" for o in (LUMA, RESIZE) if self.options[o.name])
        return f"pixelgauge {__version__} {' '.join(metrics)} {options} gray={gray:d} crop={crop}{others}"
