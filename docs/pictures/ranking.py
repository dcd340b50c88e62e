"""Thresholds, ROC curves, precision-recall curves and AUPRO, of scores drawn from two normal populations."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from scipy import ndimage

import pixelgauge
from docs.pictures import canvas


def drawn(positives: int, negatives: int, apart: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores: the positives' mean is `apart` above the negatives', both of spread 1."""
    labels = np.repeat([0, 1], [negatives, positives])
    return labels, np.random.default_rng(seed).standard_normal(len(labels)) + apart * labels


def threshold() -> Figure:
    """Two histograms parted by a threshold, and five figures over all thresholds."""
    labels, scores = drawn(400, 1600, 2)
    at = 1.2
    figure, (top, below) = canvas.new_axes(6.4, 2, 1, sharex=True)
    edges = np.arange(-3.6, 5.8, 0.2)
    for label, name, low, high in ((0, "negatives", "TN", "FP"), (1, "positives", "FN", "TP")):
        colour, sign = (canvas.BLUE, 1) if label == 0 else (canvas.ORANGE, -1)
        of_class = scores[labels == label]
        counts, _ = np.histogram(of_class, edges)
        middle = (edges[:-1] + edges[1:]) / 2
        above = middle >= at
        top.bar(middle[~above], sign * counts[~above], 0.19, color=colour, alpha=0.4 if label else 0.9)
        top.bar(middle[above], sign * counts[above], 0.19, color=colour, alpha=0.9 if label else 0.4, label=name)
        for text, x, side in ((low, at - 0.15, "right"), (high, at + 0.15, "left")):
            number = int(((of_class >= at) == (side == "left")).sum())
            top.text(
                x + (-1.4 if side == "right" else 1.6),
                120 if sign > 0 else -45,
                f"{text} {number}",
                ha=side,
                va="center",
            )
    top.axvline(at, color="black")
    top.axhline(0, color="black", linewidth=0.8)
    top.set_yticks([-50, 0, 50, 100, 150], ["50", "0", "50", "100", "150"])
    top.set_ylim(-65, 150)
    top.set(ylabel="samples", title=f"threshold {at}")
    top.legend(loc="center right")
    cuts = np.linspace(-3.4, 5.2, 87)
    found = [pixelgauge.confusion_at_threshold(labels, scores, cut) for cut in cuts]
    names = ("sensitivity", "specificity", "precision", "accuracy", "f1")
    for name, colour, style in zip(
        names, canvas.COLOURS, ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))), strict=False
    ):
        below.plot(cuts, [getattr(one, name) for one in found], color=colour, linestyle=style, label=name)
    below.axvline(at, color="black")
    below.set(xlabel="threshold", ylim=(-0.03, 1.03))
    below.legend(loc="lower left", fontsize=9)
    return figure


def roc() -> Figure:
    """Three ROC curves and an operating point of each: the highest sensitivity at a false positive rate of 0.1."""
    figure, axes = canvas.new_axes(5.4)
    for apart, colour, style in ((0.0, canvas.GREY, ":"), (1.0, canvas.BLUE, "--"), (2.0, canvas.ORANGE, "-")):
        labels, scores = drawn(300, 300, apart, seed=1)
        fpr, tpr, _ = pixelgauge.roc_curve(labels, scores)
        area = pixelgauge.roc_auc_score(labels, scores)
        axes.plot(fpr, tpr, style, color=colour, label=f"means {apart:g} apart: AUROC {area:.3f}")
        point = pixelgauge.operating_point(labels, scores, fpr=0.1)
        axes.plot(1 - point.specificity.proportion, point.sensitivity.proportion, "o", color=colour, markersize=9)
    axes.axvline(0.1, color="0.6", linewidth=0.8)
    axes.set(xlabel="false positive rate = 1 - specificity", ylabel="true positive rate = sensitivity = recall")
    axes.set_aspect("equal")
    axes.legend(loc="lower right")
    return figure


def prevalence() -> Figure:
    """ROC and precision-recall curves of the same two populations at three shares of positives."""
    figure, (left, right) = canvas.new_axes(4.3, 1, 2)
    for share, colour, style in ((0.5, canvas.BLUE, "-"), (0.1, canvas.ORANGE, "--"), (0.01, canvas.GREEN, "-.")):
        labels, scores = drawn(int(20000 * share), int(20000 * (1 - share)), 2, seed=2)
        fpr, tpr, _ = pixelgauge.roc_curve(labels, scores)
        precision, recall, _ = pixelgauge.precision_recall_curve(labels, scores)
        area, mean = pixelgauge.roc_auc_score(labels, scores), pixelgauge.average_precision_score(labels, scores)
        left.plot(fpr, tpr, linestyle=style, color=colour, label=f"{share:g}: AUROC {area:.2f}, AP {mean:.2f}")
        right.plot(recall, precision, linestyle=style, color=colour)
        right.axhline(share, color=colour, linewidth=0.6)
    left.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC")
    right.set(xlabel="recall", ylabel="precision", title="precision-recall", ylim=(-0.03, 1.03))
    figure.legend(title="share of positives", loc="outside lower center", fontsize=10)
    return figure


def regions() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A mask of one large and three small regions, and two maps: one finds the large alone, one half of each."""
    rng = np.random.default_rng(4)
    mask = np.zeros((64, 64), int)
    mask[8:40, 8:40] = 1
    for row, column in ((48, 10), (50, 30), (12, 50)):
        mask[row : row + 5, column : column + 5] = 1
    noise = rng.standard_normal((2, 64, 64))
    large, each = noise[0].copy(), noise[1].copy()
    large[8:40, 8:40] += 4
    each += 4 * mask * (rng.random((64, 64)) < 0.75)
    return mask, {"finds the large one": large, "finds 3/4 of each": each}


def aupro() -> Figure:
    """The mask, the two maps, and their curves of overlap by region."""
    mask, maps = regions()
    figure = canvas.new_figure(5.8)
    top, below = figure.subfigures(2, 1, height_ratios=(2.5, 3.3))
    panels = top.subplots(1, 3)
    panels[0].imshow(mask, cmap="gray_r", vmin=0, vmax=1.5)
    panels[0].set_title("four defects", fontsize=10)
    curves = below.subplots()
    labelled, count = ndimage.label(mask, structure=np.ones((3, 3)))
    for panel, (name, scores), colour, style in zip(
        panels[1:], maps.items(), canvas.COLOURS, ("-", "--"), strict=False
    ):
        panel.imshow(scores, cmap="magma", vmin=-2, vmax=5)
        area = pixelgauge.roc_auc_score(mask.ravel(), scores.ravel())
        panel.set_title(f"{name}\npixel AUROC {area:.2f}", fontsize=10)
        cuts = np.quantile(scores, np.linspace(0, 1, 400))[::-1]
        rate = [float((scores[mask == 0] >= cut).mean()) for cut in cuts]
        overlap = [np.mean([(scores[labelled == i] >= cut).mean() for i in range(1, count + 1)]) for cut in cuts]
        label = f"{name}: AUPRO {pixelgauge.aupro(mask, scores):.2f}"
        curves.plot(rate, overlap, color=colour, linestyle=style, label=label)
    curves.axvspan(0, 0.3, color="0.93", zorder=0)
    curves.set(xlabel="false positive rate over all normal pixels (gray: up to 0.3)", ylabel="overlap, mean of regions")
    curves.legend(loc="lower right")
    for panel in panels:
        panel.set_axis_off()
    return figure
