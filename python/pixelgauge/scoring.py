"""The batch engine: pairs of files to rows of scores, in order, in bounded memory, with nothing lost on the way."""

from __future__ import annotations

import math
import os
from array import array
from bisect import insort
from collections import Counter, deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from pixelgauge import _core
from pixelgauge._version import __version__
from pixelgauge.files.reading import cut
from pixelgauge.full_reference import ms_ssim, mse, psnr, ssim
from pixelgauge.images import Array, ImageFileError, alpha_background, read_image, value_range_length
from pixelgauge.pairing import Pairing
from pixelgauge.presets import MS_SSIM_PRESETS, SSIM_PRESETS, preset_row
from pixelgauge.runtime import get_num_threads

if TYPE_CHECKING:
    from pixelgauge.perceptual import LPIPS

Status = Literal["ok", "missing", "ambiguous", "unreadable", "mismatch", "unscorable"]
"""``missing`` or ``ambiguous`` partner; ``unreadable`` file or subfolder; images that ``mismatch``; a metric that
cannot be computed (``unscorable``: the row has the values of the others)."""


@dataclass(frozen=True)
class Metric:
    """A metric as the engine sees it: one row of :data:`METRICS`."""

    name: str
    unit: str
    higher_is_better: bool
    digits: str
    """How to print a score: a format of a float."""
    score: Callable[[Array, Array, Settings], float]
    preset: Callable[[Settings], str | None]

    @property
    def label(self) -> str:
        """Name and unit."""
        return f"{self.name} {self.unit}" if self.unit else self.name


@dataclass(frozen=True)
class Settings:
    """What is computed, and how: everything that decides a score besides the images.

    Parameters
    ----------
    metrics : tuple of str
        Names from :data:`METRICS`.
    preset, ms_ssim_preset : str
        As :func:`pixelgauge.ssim` and :func:`pixelgauge.ms_ssim`.
    lpips_backbone : str
        As :class:`pixelgauge.LPIPS`; its model must be in the cache.
    data_range : float, optional
        Images have values in 0..data_range; others are refused. Default: the full range of 8 or 16 bits.
    gray : bool
        Score the gray images, as MATLAB's rgb2gray makes them.
    alpha : str
        As :func:`pixelgauge.images.read_image`.
    crop_border : int
        Pixels to leave out on each side.

    Raises
    ------
    ValueError
        If a value is not one of these.
    RuntimeError
        If LPIPS is asked for and its model, or onnxruntime, is missing.
    """

    metrics: tuple[str, ...] = ("psnr", "ssim")
    preset: str = "wang2004"
    ms_ssim_preset: str = "wang2003"
    lpips_backbone: str = "alex"
    data_range: float | None = None
    gray: bool = False
    alpha: str = "error"
    crop_border: int = 0

    def __post_init__(self) -> None:
        if not self.metrics or len(set(self.metrics)) < len(self.metrics):
            raise ValueError(f"metrics={','.join(self.metrics)!r} must name at least one metric, and each once")
        for name in self.metrics:
            if name not in METRICS:
                raise ValueError(f"metrics: {name!r} is not known: use some of {', '.join(METRICS)}")
        preset_row(SSIM_PRESETS, self.preset)
        preset_row(MS_SSIM_PRESETS, self.ms_ssim_preset, "ms_ssim_preset")
        if "lpips" in self.metrics:
            if self.gray:
                raise ValueError("gray: lpips is of colour images; score it in a run without gray")
            _lpips(self.lpips_backbone)
        if self.data_range is not None:
            value_range_length(self.data_range, np.dtype(np.uint8))
        alpha_background(self.alpha)
        if self.crop_border < 0:
            raise ValueError(f"crop_border={self.crop_border} must not be negative")

    def fingerprint(self) -> dict[str, object]:
        """Say what a result must about its making: version, presets, options."""
        return {
            "version": __version__,
            "metrics": {name: METRICS[name].preset(self) for name in self.metrics},
            "data_range": self.data_range,
            "gray": self.gray,
            "alpha": self.alpha,
            "crop_border": self.crop_border,
        }

    def __str__(self) -> str:
        presets = ((name, METRICS[name].preset(self)) for name in self.metrics)
        metrics = (f"{name}={preset}" if preset else name for name, preset in presets)
        options = f"range={'dtype' if self.data_range is None else format(self.data_range, '.17g')} alpha={self.alpha}"
        return f"pixelgauge {__version__} {' '.join(metrics)} {options} gray={self.gray:d} crop={self.crop_border}"


def _single(score: Any) -> float:
    return float(score)


@cache
def _lpips(backbone: str) -> LPIPS:
    from pixelgauge.perceptual import LPIPS

    return LPIPS(backbone)


def lpips_available(backbone: str = "alex") -> bool:
    """Whether LPIPS can be computed here: its model is in the cache, which can be read, and onnxruntime is installed.

    Raises
    ------
    RuntimeError
        If the model is there but damaged.
    """
    from pixelgauge.model_store import ModelMissingError

    try:
        _lpips(backbone)
    except (ImportError, ModelMissingError, PermissionError):
        return False
    return True


def _lpips_score(x: Array, y: Array, settings: Settings) -> float:
    if x.ndim == 2:  # gray is repeated, as LPIPS itself does with files
        x, y = (np.repeat(image[..., np.newaxis], 3, 2) for image in (x, y))
    return _single(_lpips(settings.lpips_backbone)(x, y, data_range=settings.data_range))


def _lpips_preset(settings: Settings) -> str:
    model = _lpips(settings.lpips_backbone).fingerprint
    return f"{model['model']}@{model['weights_sha256'][:12]}"


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("mse", "", False, ".6g", lambda x, y, s: _single(mse(x, y)), lambda s: None),
            Metric(
                "psnr", "dB", True, ".4f", lambda x, y, s: _single(psnr(x, y, data_range=s.data_range)), lambda s: None
            ),
            Metric(
                "ssim",
                "",
                True,
                ".6f",
                lambda x, y, s: _single(ssim(x, y, data_range=s.data_range, preset=s.preset)),
                lambda s: s.preset,
            ),
            Metric(
                "ms-ssim",
                "",
                True,
                ".6f",
                lambda x, y, s: _single(ms_ssim(x, y, data_range=s.data_range, preset=s.ms_ssim_preset)),
                lambda s: s.ms_ssim_preset,
            ),
            Metric("lpips", "", False, ".6f", _lpips_score, _lpips_preset),
        )
    }
)
"""Every metric that the engine knows."""


class FileState(NamedTuple):
    """What tells a file from the one that replaced it under its name."""

    bytes: int
    mtime_ns: int


def file_state(path: str | None) -> FileState | None:
    """State of a file, None if there is none."""
    if path is None:
        return None
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # ValueError: no file has such a name
        return None
    return FileState(found.st_size, found.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Row:
    """The result for one pair.

    Parameters
    ----------
    ref, test : str or None
        Paths of the files, None where there is none.
    status : str
        ``"ok"``, or what is wrong; see :data:`Status`.
    message : str
        What is wrong, in words.
    values : mapping of str to float
        Scores by metric; empty if there are none.
    files : pair of FileState or None
        What the two files were before they were read, where that is known. Does not count when rows are compared.
    """

    ref: str | None
    test: str | None
    status: Status
    message: str
    values: Mapping[str, float] = field(default_factory=dict)
    files: tuple[FileState | None, FileState | None] = field(default=(None, None), compare=False)


def score_pair(ref: str, test: str, settings: Settings) -> Row:
    """Read two files and score them; whatever is wrong with them is in the row.

    Parameters
    ----------
    ref, test : str
        Paths.
    settings : Settings
        What to compute.
    """
    files = file_state(ref), file_state(test)  # before they are read: a replacement meanwhile then shows

    def row(status: Status, message: str, values: Mapping[str, float] | None = None) -> Row:
        return Row(ref, test, status, cut(message), values or {}, files)

    try:
        x = read_image(ref, gray=settings.gray, alpha=settings.alpha)
        y = read_image(test, gray=settings.gray, alpha=settings.alpha)
    except ImageFileError as error:
        side = "REF" if error.path == ref else "TEST"
        remedy = f": {error.remedy}" if error.remedy else ""
        return row("unreadable", f"{side}: {error.reason}{remedy}")
    except MemoryError:
        return row("unreadable", "there is not enough memory to read it: give fewer workers")
    if different := _difference(x, y):
        return row("mismatch", different)
    if wrong := _unfit(x, settings) or _unfit(y, settings):
        return row("unscorable", wrong)
    if border := settings.crop_border:
        x, y = x[border:-border, border:-border], y[border:-border, border:-border]
    values, problems = {}, []
    for name in settings.metrics:
        try:
            value = METRICS[name].score(x, y, settings)
        except Exception as error:  # a pair that one metric refuses must not stop the others, nor the run
            problems.append(f"{name}: {_with_own_remedy(str(error)) or type(error).__name__}")
            continue
        if math.isnan(value):
            problems.append(
                f"{name}: negative terms have no fractional power; --ms-ssim-preset pytorch-msssim counts them as 0"
            )
        else:
            values[name] = value
    return row("unscorable" if problems else "ok", "; ".join(problems), values)


_ARRAY_REMEDIES = (
    ("larger images or a smaller window_size", "larger images, or leave this metric out of --metrics"),
    ("larger images or fewer weights", "larger images, or leave this metric out of --metrics"),
)
"""What the functions for arrays advise, by their arguments, and what a user of files can do instead."""


def _with_own_remedy(message: str) -> str:
    message = message.partition(". The images were read as")[0]  # how arrays may be laid out does not matter to files
    for theirs, ours in _ARRAY_REMEDIES:
        message = message.replace(theirs, ours)
    return message


def score_pairs(pairing: Pairing, settings: Settings, *, workers: int | None = None) -> Generator[Row, None, None]:
    """Score pairs in parallel; rows come in the order of the pairs, whatever the number of workers.

    Each worker reads a pair and scores it before it takes the next, so at most `workers` pairs are in memory and
    files are decoded while others are scored.

    Parameters
    ----------
    pairing : Pairing
        From :func:`pixelgauge.pairing.find_pairs`.
    settings : Settings
        What to compute.
    workers : int, optional
        Default: :func:`pixelgauge.get_num_threads`.

    Yields
    ------
    Row
        One a pair.

    Raises
    ------
    ValueError
        If `workers` is less than 1.
    """
    workers = get_num_threads() if workers is None else workers
    if workers < 1:
        raise ValueError(f"workers={workers} must be at least 1")
    return _scored(pairing, settings, workers)


def _scored(pairing: Pairing, settings: Settings, workers: int) -> Generator[Row, None, None]:
    window: deque[Future[Row] | Row] = deque()
    pool = ThreadPoolExecutor(workers, "pixelgauge-score")
    try:
        for pair in pairing.pairs:
            ref, test = pairing.paths(pair)
            if pair.status != "ok" or ref is None or test is None:
                window.append(Row(ref, test, pair.status, cut(pair.message)))
            else:
                window.append(pool.submit(score_pair, ref, test, settings))
            # Long enough that one slow pair at its head does not idle the other workers; it holds rows, not images.
            if len(window) > 16 * workers:
                yield _done(window.popleft())
        while window:
            yield _done(window.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _done(entry: Future[Row] | Row) -> Row:
    return entry if isinstance(entry, Row) else entry.result()


def _difference(x: Array, y: Array) -> str:
    def described(image: Array) -> tuple[str, str, str]:
        return f"{image.shape[0]} x {image.shape[1]}", "gray" if image.ndim == 2 else "RGB", f"{8 * image.itemsize}-bit"

    kinds = zip(("size (height x width)", "colour mode", "bit depth"), described(x), described(y), strict=True)
    return "; ".join(f"{kind} differs: REF {ours}, TEST {theirs}" for kind, ours, theirs in kinds if ours != theirs)


def _unfit(image: Array, settings: Settings) -> str:
    if 2 * settings.crop_border >= min(image.shape[:2]):
        height, width = image.shape[:2]
        return f"nothing is left of {height} x {width} pixels after a crop border of {settings.crop_border}"
    if settings.data_range is not None:
        most = _core.value_range(np.atleast_3d(image)[np.newaxis])[1]
        if most > settings.data_range:
            return f"has values up to {most:g}, beyond the data range of {settings.data_range:g}"
    return ""


@dataclass(frozen=True)
class MetricSummary:
    """One metric over all rows that have it."""

    count: int
    """Rows with a value, infinite ones too."""
    infinite: int
    """Rows whose value is infinite (the PSNR of identical images); mean, median and std leave them out."""
    mean: float | None
    """Mean of the images' values; None if there is no finite one."""
    median: float | None
    std: float | None
    """Sample standard deviation (n - 1); None for fewer than two values."""
    worst: list[tuple[float, Row]]
    """The ten worst that are finite, worst first."""


class Summary:
    """Counts and, for each metric, mean, median, standard deviation and the worst ten, of rows added one by one.

    Keeps eight bytes a score.

    Parameters
    ----------
    metrics : sequence of str
        Names from :data:`METRICS`.
    """

    WORST = 10

    def __init__(self, metrics: Sequence[str]) -> None:
        self.statuses: Counter[Status] = Counter()
        self._values = {name: _Values() for name in metrics}

    def add(self, row: Row) -> None:
        """Count a row in."""
        index = self.count
        self.statuses[row.status] += 1
        for name, value in row.values.items():
            self._values[name].add(value, value if METRICS[name].higher_is_better else -value, index, row)

    @property
    def count(self) -> int:
        """Rows added."""
        return self.statuses.total()

    @property
    def failed(self) -> int:
        """Rows that are not ``"ok"``."""
        return self.count - self.statuses["ok"]

    def metrics(self) -> dict[str, MetricSummary]:
        """By name, in the order given."""
        return {name: values.summary() for name, values in self._values.items()}


class _Values:
    def __init__(self) -> None:
        self.finite: array[float] = array("d")
        self.infinite = 0
        self.worst: list[tuple[float, int, float, Row]] = []

    def add(self, value: float, goodness: float, index: int, row: Row) -> None:
        if math.isinf(value):
            self.infinite += 1
            return
        self.finite.append(value)
        if len(self.worst) < Summary.WORST or goodness < self.worst[-1][0]:
            insort(self.worst, (goodness, index, value, row), key=lambda entry: entry[:2])
            del self.worst[Summary.WORST :]

    def summary(self) -> MetricSummary:
        finite = np.frombuffer(self.finite, np.float64)
        return MetricSummary(
            count=finite.size + self.infinite,
            infinite=self.infinite,
            mean=float(finite.mean()) if finite.size else None,
            median=float(np.median(finite)) if finite.size else None,
            std=float(finite.std(ddof=1)) if finite.size > 1 else None,
            worst=[(value, row) for _, _, value, row in self.worst],
        )
