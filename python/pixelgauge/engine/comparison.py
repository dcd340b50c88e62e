"""What a run of pairs computes: options that are checked, then metrics that are loaded, and the fingerprint of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pixelgauge._version import __version__
from pixelgauge.checks import ArgumentValueError, flag
from pixelgauge.engine.options import checked_options, chosen, options_of
from pixelgauge.engine.registry import METRICS
from pixelgauge.images import ALPHA_CHOICES, alpha_background, decoders
from pixelgauge.metric import DATA_RANGE, Metric, Option, PairFamily, Pixels, Result, Scorer, at_least


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
READING = (DATA_RANGE, GRAY, ALPHA, CROP_BORDER)
"""How images are read, whatever is computed of them."""


def compare_options() -> list[Option]:
    """Every option of a run: those that the metrics have to themselves, then those of reading."""
    return [option for option, _ in options_of(METRICS).values() if option not in READING] + list(READING)


class CompareOptions:
    """What is computed, and how: everything that decides a score besides the images and the weights of networks.

    Parameters
    ----------
    metrics : sequence of str
        Names from :data:`pixelgauge.engine.registry.METRICS`.
    **given
        Options of these metrics, as they declare them; and `data_range` (images have values in 0..data_range, others
        are refused; default: the full range of 8 or 16 bits), `gray`, `alpha` (as :func:`pixelgauge.images.read_image`)
        and `crop_border` (pixels to leave out on each side).

    Raises
    ------
    TypeError, ValueError
        If an option or a value is not one of these.
    """

    def __init__(self, metrics: tuple[str, ...] = ("psnr", "ssim"), **given: Any) -> None:
        wanted = chosen(METRICS, metrics)
        self.metrics: tuple[str, ...] = tuple(metrics)
        self.values = checked_options(METRICS, wanted, READING, given)
        of_colour = [name for name, metric in wanted.items() if metric.colour]
        if self.values["gray"] and of_colour:
            problem = f"{GRAY.flag}: {of_colour[0]} is of colour images"
            raise ArgumentValueError("gray", "", problem, f"score it in a run without {GRAY.flag}")

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


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
        self.metrics: dict[str, Metric[PairFamily]] = {name: METRICS[name] for name in options.metrics}
        families = list(dict.fromkeys(metric.family for metric in self.metrics.values()))
        self._scorers: list[Scorer] = [
            family.prepare([(m, options.values) for m in self.metrics.values() if m.family is family])
            for family in families
        ]
        facts = {name: text for scorer in self._scorers for name, text in scorer.made_with.items()}
        self._made_with = {name: facts.get(name, self._own(metric)) for name, metric in self.metrics.items()}

    def _own(self, metric: Metric[PairFamily]) -> str | None:
        """Values of the options that are this metric's: of a single one as it is."""
        own = [option.name for option in metric.options if option not in READING]
        if len(own) == 1:
            return str(self.options[own[0]])
        return ",".join(f"{name}={self.options[name]}" for name in own) or None

    def score(self, x: Pixels, y: Pixels) -> Mapping[str, Result]:
        """Values of a batch of pairs, (N, H, W, C) each, by metric in their order; an error where one refuses it."""
        results = {name: result for scorer in self._scorers for name, result in scorer(x, y).items()}
        return {name: results[name] for name in self.metrics}

    def fingerprint(self) -> dict[str, object]:
        """Say what a result must about its making: version, presets, options."""
        of_reading = {option.name: self.options[option.name] for option in READING}
        return {
            "version": __version__,
            "metrics": dict(self._made_with),
            **of_reading,
            "decoders": decoders(),
        }

    def __str__(self) -> str:
        metrics = (f"{name}={made}" if made else name for name, made in self._made_with.items())
        data_range = self.options["data_range"]
        options = f"range={'dtype' if data_range is None else format(data_range, '.17g')} alpha={self.options['alpha']}"
        crop, gray = self.options["crop_border"], self.options["gray"]
        return f"pixelgauge {__version__} {' '.join(metrics)} {options} gray={gray:d} crop={crop}"
