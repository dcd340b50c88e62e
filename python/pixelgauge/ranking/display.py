"""Plots of ranking curves, as scikit-learn's Display objects do them; needs matplotlib, the `plot` extra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from pixelgauge.ranking.arrays import column, equals
from pixelgauge.ranking.binary import roc_auc_score, roc_curve
from pixelgauge.ranking.inputs import Float64Array, label_array


def new_axes() -> Any:
    """Axes of a new figure that no window shows."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'pixelgauge[plot]'") from error
    return Figure(figsize=(5, 5), layout="constrained").subplots()


@dataclass
class RocCurveDisplay:
    """A ROC curve that can be drawn.

    Parameters
    ----------
    fpr, tpr : (M,) numpy.ndarray of float64
        As :func:`pixelgauge.roc_curve` returns them.
    roc_auc : float, optional
        Shown in the legend.
    name : str, optional
        Of the classifier, for the legend.

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

    @classmethod
    def from_predictions(
        cls, y_true: object, y_score: object, *, pos_label: object = None, sample_weight: object = None,
        name: str | None = None,
    ) -> RocCurveDisplay:  # fmt: skip
        """Display of the curve of labels and scores, not drawn yet; arguments as :func:`pixelgauge.roc_curve`."""
        fpr, tpr, _ = roc_curve(y_true, y_score, pos_label=pos_label, sample_weight=sample_weight)
        labels = column(label_array(y_true), "y_true")
        truth = labels if pos_label is None else equals(labels, pos_label)
        return cls(fpr, tpr, cast(float, roc_auc_score(truth, y_score, sample_weight=sample_weight)), name)

    def plot(self, ax: Any = None, **line: Any) -> Any:
        """Draw on `ax`, or on a new figure's axes, and return them; further arguments go to matplotlib's ``plot``.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        axes = new_axes() if ax is None else ax
        parts = [self.name or "", "" if self.roc_auc is None else f"(AUC = {self.roc_auc:.4f})"]
        label = " ".join(part for part in parts if part)
        axes.plot(self.fpr, self.tpr, **({"label": label} if label else {}), **line)
        axes.plot([0, 1], [0, 1], color="0.7", linestyle="--", linewidth=1)
        axes.set(xlabel="False positive rate", ylabel="True positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.set_aspect("equal")
        if label:
            axes.legend(loc="lower right")
        return axes
