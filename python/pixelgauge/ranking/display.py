"""Plots of ranking curves, as scikit-learn's Display objects do them; needs matplotlib, the `plot` extra."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Self, cast

import numpy as np

from pixelgauge.drawing import Display
from pixelgauge.images import Array
from pixelgauge.ranking.aupro import area_below, overlap_curve
from pixelgauge.ranking.binary import (
    average_precision_score,
    det_curve,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)
from pixelgauge.ranking.binary_inputs import binary_inputs
from pixelgauge.ranking.inputs import Float64Array, truth_of

_CHANCE = {"color": "0.7", "linestyle": "--", "linewidth": 1}

_LEAST_RATE = np.finfo(np.float64).eps
"""scikit-learn's."""
_PROBIT_TICKS = (0.001, 0.01, 0.05, 0.20, 0.5, 0.80, 0.95, 0.99, 0.999)


class CurveDisplay(Display):
    """A curve; `plot` sets ``line_`` too, and ``chance_level_`` where it draws that."""

    line_: Any = None
    """Line of the curve."""
    chance_level_: Any = None
    """Line of what a guess would give; None if it was not asked for."""

    def _draw(
        self, ax: Any, points: tuple[Array, Array], label: str, line: dict[str, Any], axes: dict[str, Any]
    ) -> Any:
        drawn_on = self._on(ax)
        (self.line_,) = drawn_on.plot(*points, **({"label": label} if label else {}) | line)
        drawn_on.set(**axes)
        return drawn_on

    def _draw_chance(self, points: tuple[Any, Any], label: str, line: dict[str, Any] | None) -> None:
        (self.chance_level_,) = self.ax_.plot(*points, **{"label": label} | _CHANCE | (line or {}))

    def _finish(self, place: str) -> Self:
        if self.ax_.get_legend_handles_labels()[1]:
            self.ax_.legend(loc=place)
        return self


@dataclass(eq=False)
class RocCurveDisplay(CurveDisplay):
    """A ROC curve that can be drawn.

    Parameters
    ----------
    fpr, tpr : (M,) numpy.ndarray of float64
        As :func:`pixelgauge.roc_curve` returns them.
    roc_auc : float, optional
        Shown in the legend.
    name : str, optional
        Of the classifier, for the legend.
    pos_label : scalar, optional
        The positive class, for the labels of the axes.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        What was drawn on; None before :meth:`plot`.
    line_, chance_level_ : matplotlib lines
        The curve, and the diagonal where it was asked for.

    Examples
    --------
    >>> import pixelgauge
    >>> display = pixelgauge.RocCurveDisplay.from_predictions([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> display.roc_auc
    0.75
    """

    fpr: Float64Array
    tpr: Float64Array
    roc_auc: float | None = None
    name: str | None = None
    pos_label: object = None

    @classmethod
    def from_predictions(
        cls, y_true: object, y_score: object, *, sample_weight: object = None, drop_intermediate: bool = True,
        pos_label: object = None, name: str | None = None,
    ) -> RocCurveDisplay:  # fmt: skip
        """Display of the curve of labels and scores, not drawn yet; arguments as :func:`pixelgauge.roc_curve`."""
        fpr, tpr, _ = roc_curve(
            y_true, y_score, pos_label=pos_label, sample_weight=sample_weight, drop_intermediate=drop_intermediate
        )
        truth, _ = _truth(y_true, y_score, pos_label, sample_weight)
        area = roc_auc_score(truth, y_score, sample_weight=sample_weight)
        return cls(fpr, tpr, cast(float, area), name, pos_label)

    def plot(
        self, ax: Any = None, *, name: str | None = None, plot_chance_level: bool = False,
        chance_level_kw: dict[str, Any] | None = None, **line: Any,
    ) -> Self:  # fmt: skip
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib axes, optional
            To draw on; default those of a new figure, which no window shows.
        name : str, optional
            For the legend, in place of the display's.
        plot_chance_level : bool, default False
            Draw the diagonal too.
        chance_level_kw, **line
            For matplotlib's ``plot``, of the diagonal and of the curve.

        Returns
        -------
        RocCurveDisplay
            This one, with ``ax_``, ``figure_`` and ``line_``.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        axes = {
            "xlabel": _axis("False positive rate", self.pos_label),
            "ylabel": _axis("True positive rate", self.pos_label),
            "xlim": (-0.01, 1.01),
            "ylim": (-0.01, 1.01),
            "aspect": "equal",
        }
        self._draw(ax, (self.fpr, self.tpr), _label(name or self.name, "AUC", self.roc_auc), line, axes)
        if plot_chance_level:
            self._draw_chance(([0, 1], [0, 1]), "chance (AUC = 0.5)", chance_level_kw)
        return self._finish("lower right")


@dataclass(eq=False)
class PrecisionRecallDisplay(CurveDisplay):
    """A precision-recall curve that can be drawn, in the steps that the average precision is the area below.

    Parameters
    ----------
    precision, recall : (M,) numpy.ndarray of float64
        As :func:`pixelgauge.precision_recall_curve` returns them.
    average_precision : float, optional
        Shown in the legend.
    name : str, optional
        Of the classifier, for the legend.
    pos_label : scalar, optional
        The positive class, for the labels of the axes.
    prevalence_pos_label : float, optional
        Share of the positives, the precision of a guess.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        What was drawn on; None before :meth:`plot`.
    line_, chance_level_ : matplotlib lines
        The curve, and the prevalence where it was asked for.

    Examples
    --------
    >>> import pixelgauge
    >>> display = pixelgauge.PrecisionRecallDisplay.from_predictions([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> round(display.average_precision, 4), display.prevalence_pos_label
    (0.8333, 0.5)
    """

    precision: Float64Array
    recall: Float64Array
    average_precision: float | None = None
    name: str | None = None
    pos_label: object = None
    prevalence_pos_label: float | None = None

    @classmethod
    def from_predictions(
        cls, y_true: object, y_score: object, *, sample_weight: object = None, drop_intermediate: bool = False,
        pos_label: object = None, name: str | None = None,
    ) -> PrecisionRecallDisplay:  # fmt: skip
        """Display of the curve of labels and scores, not drawn yet; as :func:`pixelgauge.precision_recall_curve`."""
        precision, recall, _ = precision_recall_curve(
            y_true, y_score, pos_label=pos_label, sample_weight=sample_weight, drop_intermediate=drop_intermediate
        )
        truth, weights = _truth(y_true, y_score, pos_label, sample_weight)
        area = average_precision_score(truth, y_score, sample_weight=sample_weight)
        return cls(precision, recall, cast(float, area), name, pos_label, float(np.average(truth, weights=weights)))

    def plot(
        self, ax: Any = None, *, name: str | None = None, plot_chance_level: bool = False,
        chance_level_kw: dict[str, Any] | None = None, **line: Any,
    ) -> Self:  # fmt: skip
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib axes, optional
            To draw on; default those of a new figure, which no window shows.
        name : str, optional
            For the legend, in place of the display's.
        plot_chance_level : bool, default False
            Draw the prevalence too.
        chance_level_kw, **line
            For matplotlib's ``plot``, of the prevalence and of the curve.

        Returns
        -------
        PrecisionRecallDisplay
            This one, with ``ax_``, ``figure_`` and ``line_``.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If the prevalence is to be drawn and `prevalence_pos_label` is not known.
        """
        share = self.prevalence_pos_label
        if plot_chance_level and share is None:
            raise ValueError(
                "plot_chance_level=True needs prevalence_pos_label, the share of the positives: give it, or use "
                "from_predictions"
            )
        axes = {
            "xlabel": _axis("Recall", self.pos_label),
            "ylabel": _axis("Precision", self.pos_label),
            "xlim": (-0.01, 1.01),
            "ylim": (-0.01, 1.01),
            "aspect": "equal",
        }
        label = _label(name or self.name, "AP", self.average_precision)
        self._draw(ax, (self.recall, self.precision), label, {"drawstyle": "steps-post"} | line, axes)
        if plot_chance_level:
            self._draw_chance(([0, 1], [share, share]), f"chance (AP = {share:.4f})", chance_level_kw)
        return self._finish("lower left")


@dataclass(eq=False)
class DetCurveDisplay(CurveDisplay):
    """A detection error tradeoff curve that can be drawn, on the scales of normal deviates.

    Parameters
    ----------
    fpr, fnr : (M,) numpy.ndarray of float64
        As :func:`pixelgauge.det_curve` returns them. Where a rate is 0 or 1 the line leaves the axes.
    name : str, optional
        Of the classifier, for the legend.
    pos_label : scalar, optional
        The positive class, for the labels of the axes.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        What was drawn on; None before :meth:`plot`.
    line_ : matplotlib line
        The curve.

    Examples
    --------
    >>> import pixelgauge
    >>> display = pixelgauge.DetCurveDisplay.from_predictions([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> display.fpr.tolist(), display.fnr.tolist()
    ([0.5, 0.5, 0.0], [0.0, 0.5, 0.5])
    """

    fpr: Float64Array
    fnr: Float64Array
    name: str | None = None
    pos_label: object = None

    @classmethod
    def from_predictions(
        cls, y_true: object, y_score: object, *, sample_weight: object = None, drop_intermediate: bool = True,
        pos_label: object = None, name: str | None = None,
    ) -> DetCurveDisplay:  # fmt: skip
        """Display of the curve of labels and scores, not drawn yet; arguments as :func:`pixelgauge.det_curve`."""
        fpr, fnr, _ = det_curve(
            y_true, y_score, pos_label, sample_weight=sample_weight, drop_intermediate=drop_intermediate
        )
        return cls(fpr, fnr, name, pos_label)

    def plot(self, ax: Any = None, *, name: str | None = None, **line: Any) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib axes, optional
            To draw on; default those of a new figure, which no window shows.
        name : str, optional
            For the legend, in place of the display's.
        **line
            For matplotlib's ``plot``.

        Returns
        -------
        DetCurveDisplay
            This one, with ``ax_``, ``figure_`` and ``line_``.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ticks, texts = _probit(np.array(_PROBIT_TICKS)), [f"{100 * rate:.3g}%" for rate in _PROBIT_TICKS]
        axes = {
            "xlabel": _axis("False positive rate", self.pos_label),
            "ylabel": _axis("False negative rate", self.pos_label),
            "xlim": (-3, 3),
            "ylim": (-3, 3),
            "aspect": "equal",
        }
        points = _probit(self.fpr), _probit(self.fnr)
        drawn_on = self._draw(ax, points, name or self.name or "", line, axes)
        drawn_on.set_xticks(ticks, texts)
        drawn_on.set_yticks(ticks, texts)
        return self._finish("upper right")


@dataclass(eq=False)
class AuproCurveDisplay(CurveDisplay):
    """A per-region overlap curve that can be drawn, with the area below it up to its last false positive rate.

    Parameters
    ----------
    fpr, overlap : (M,) numpy.ndarray of float64
        From (0, 0) to the rate that the curve ends at; linear between the points.
    aupro : float, optional
        Shown in the legend.
    name : str, optional
        Of the detector, for the legend.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        What was drawn on; None before :meth:`plot`.
    line_ : matplotlib line
        The curve.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> mask = np.array([[1, 1, 0, 0], [0, 0, 0, 1]])
    >>> maps = np.array([[0.9, 0.8, 0.1, 0.85], [0.3, 0.1, 0.2, 0.7]])
    >>> display = pixelgauge.AuproCurveDisplay.from_predictions(mask, maps, max_fpr=0.5)
    >>> display.aupro == pixelgauge.aupro(mask, maps, max_fpr=0.5)
    True
    """

    fpr: Float64Array
    overlap: Float64Array
    aupro: float | None = None
    name: str | None = None

    @classmethod
    def from_predictions(
        cls, masks: object, maps: object, *, max_fpr: float = 0.3, name: str | None = None
    ) -> AuproCurveDisplay:
        """Display of the curve of masks and anomaly maps, not drawn yet; arguments as :func:`pixelgauge.aupro`."""
        fpr, overlap = overlap_curve(masks, maps, max_fpr)
        return cls(fpr, overlap, area_below(fpr, overlap, max_fpr), name)

    def plot(self, ax: Any = None, *, name: str | None = None, **line: Any) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib axes, optional
            To draw on; default those of a new figure, which no window shows.
        name : str, optional
            For the legend, in place of the display's.
        **line
            For matplotlib's ``plot``.

        Returns
        -------
        AuproCurveDisplay
            This one, with ``ax_``, ``figure_`` and ``line_``.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        axes = {"xlabel": "False positive rate", "ylabel": "Per-region overlap", "ylim": (-0.01, 1.01)}
        label = _label(name or self.name, "AUPRO", self.aupro)
        self._draw(ax, (self.fpr, self.overlap), label, line, axes)
        return self._finish("lower right")


def _truth(
    y_true: object, y_score: object, pos_label: object, sample_weight: object
) -> tuple[Array, Float64Array | None]:
    """Which samples are positive, and their weights."""
    bits, scores, weights = binary_inputs(y_true, y_score, pos_label, sample_weight)
    return truth_of(bits, len(scores)), weights


def _label(name: str | None, figure: str, value: float | None) -> str:
    said = "" if value is None else f"{figure} = {value:.4f}"
    return f"{name} ({said})" if name and said else name or said


def _axis(rate: str, pos_label: object) -> str:
    return rate if pos_label is None else f"{rate} (positive: {pos_label})"


def _probit(rates: Float64Array) -> Float64Array:
    """Turn rates into normal deviates; 0 and 1 lie far outside of the axes, so that the line goes on to their edge."""
    values, places = np.unique(np.clip(rates, _LEAST_RATE, 1 - _LEAST_RATE), return_inverse=True)
    return np.array([NormalDist().inv_cdf(rate) for rate in values.tolist()])[places]
