"""The page of ``pixelgauge distance --report``: how far two sets are apart, how sure that is, how they look."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from pixelgauge.distribution.feature_sets import MAIN
from pixelgauge.distribution.feature_stats import FeatureStats
from pixelgauge.engine.distances import Features, Sides
from pixelgauge.engine.feature_sources import FeatureSource
from pixelgauge.files.reading import shown
from pixelgauge.markup import Markup, element, name
from pixelgauge.report.charts import ticks
from pixelgauge.report.charts.figures import figure, side_by_side
from pixelgauge.report.charts.histogram import class_histogram
from pixelgauge.report.charts.intervals import Estimate, interval_plot
from pixelgauge.report.charts.point_map import point_map
from pixelgauge.report.charts.scales import linear
from pixelgauge.report.charts.shares import share_bars
from pixelgauge.report.document import Document, document
from pixelgauge.report.nearest import Nearest, nearest_real
from pixelgauge.report.principal import MOST_SAMPLES, principal_plane
from pixelgauge.report.set_figures import SetFigure, set_figures
from pixelgauge.report.set_samples import SAMPLES, neighbour_rows, sample_grid
from pixelgauge.report.tables import scrolled

_OF_FILES = ("preset", "weights")
"""Facts that a file of features may not say; of others None stands for the default."""


@dataclass(frozen=True)
class Compared:
    """Two sets and what was found of them."""

    sides: Sides
    values: Mapping[str, float]
    failed: Mapping[str, str]
    """Why a metric could not be computed."""
    features: tuple[Features, Features]
    """What was collected of each side, by output."""
    facts: Mapping[str, Any]
    """What decided the numbers."""
    explained: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """FID under every preset, where it was asked for."""

    @property
    def samples(self) -> tuple[Any, Any]:
        """Features (N, D) of each side, None of one of which there are statistics alone."""
        a, b = (None if isinstance(x := side.get(MAIN), FeatureStats) else x for side in self.features)
        return a, b


def write_distance_page(path: str | os.PathLike[str], compared: Compared) -> None:
    """Write the page.

    Raises
    ------
    OSError
        If it cannot be written, or an image can no longer be read.
    """
    sides = compared.sides
    with document(path, f"{shown(_short(sides.b), 60)} against {shown(_short(sides.a), 60)}", "distance") as page:
        page.style("charts/charts.css")
        page.style("sets.css")
        page.facts = _made_with(compared.facts)
        figures = set_figures(compared.values, *compared.features, sides.seed)
        page.lead = _lead(compared, figures)
        _figures(page, compared, figures)
        if compared.explained:
            _presets(page, compared)
        _pictures(page, compared)
        a, b = compared.samples
        if a is not None and b is not None:
            _neighbours(page, compared, a, b)
            _map(page, compared, a, b)
        _lacking(page, compared)


def _made_with(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Put what decided the numbers in words: a fact of both sides stands for each by itself."""
    written: dict[str, Any] = {}
    for key, value in facts.items():
        if isinstance(value, Mapping):
            written[key] = _made_with(value)
        elif isinstance(value, (list, tuple)) and len(value) == 2:
            one = "samples" if key == "counts" else key
            for side, each in zip("AB", value, strict=True):
                written[f"{one} of {side}"] = "not known" if each is None else each
        elif value is None and key in _OF_FILES:
            written[key] = "not known"
        else:
            written[key] = f"{value:.3g}" if isinstance(value, float) else value
    return written


def _short(source: FeatureSource) -> str:
    return os.path.basename(os.path.normpath(source.name)) or source.name


def _lead(compared: Compared, figures: list[SetFigure]) -> Markup:
    sides = compared.sides
    first = figures[0] if figures else None
    said = (
        Markup("<strong>{} {}</strong>, {}. ").format(first.name, f"{first.value:.5g}", first.better) if first else ""
    )
    counts = [f"{len(side):,}" if len(side) else "statistics of" for side in (sides.a, sides.b)]
    return Markup('<p class="lead">{}{} generated samples of {} against {} real ones of {}.</p>').format(
        said, counts[1], name(sides.b.name), counts[0], name(sides.a.name)
    )


def _figures(page: Document, compared: Compared, figures: list[SetFigure]) -> None:
    plots = []
    for (said, better), together in groupby(figures, key=lambda one: (one.said, one.better)):
        these = list(together)
        names = ", ".join(one.name for one in these)
        rows = [_estimate(one, one.name if len(these) > 1 else "") for one in these]
        heading = Markup("{} <span class='muted'>{}</span>").format(names, better)
        plots.append(figure(interval_plot(rows, title=names, x_title=""), heading, said))
    failed = [element("p", f"{metric}: {reason}", class_="note") for metric, reason in compared.failed.items()]
    parts = _frechet_parts(compared)
    page.section(
        "figures",
        "Figures",
        side_by_side(*plots, *([] if parts is None else [parts])),
        *failed,
        _needs(compared),
        note="A 95% interval holds the values that these samples do not speak against; what it is of is said at each "
        "figure. Where the intervals of two models overlap, their difference may be chance.",
    )


def _estimate(one: SetFigure, row: str) -> Estimate:
    if one.low is None or one.high is None:
        return Estimate(row, one.value, None, None, ticks.figure(one.value, ".5g"))
    ends = f"[{ticks.figure(one.low, '.4g')}, {ticks.figure(one.high, '.4g')}]"
    return Estimate(row, one.value, one.low, one.high, f"{ticks.figure(one.value, '.5g')} {ends}")


def _frechet_parts(compared: Compared) -> Markup | None:
    """Which part of the Fréchet distance comes of the means, and which of the covariances."""
    a, b = (side.get(MAIN) for side in compared.features)
    if "fid" not in compared.values or a is None or b is None:
        return None
    means = [side.mean if isinstance(side, FeatureStats) else side.mean(axis=0, dtype=np.float64) for side in (a, b)]
    of_means = float(((means[0] - means[1]) ** 2).sum())
    parts = {"means": of_means, "covariances": max(0.0, compared.values["fid"] - of_means)}
    chart = share_bars(parts, title="Parts of the Fréchet distance")
    return figure(chart, "Where the FID comes from", "The squared distance of the means, and that of the covariances.")


def _needs(compared: Compared) -> Markup:
    """Lay out samples and features of each side: their ratio decides which figures have intervals."""
    rows = []
    for letter, role, source, side in zip(
        "AB", ("real", "generated"), (compared.sides.a, compared.sides.b), compared.features, strict=True
    ):
        features = side.get(MAIN)
        dim = 0 if features is None else features.dim if isinstance(features, FeatureStats) else features.shape[1]
        count = len(source)
        ratio = f"{count / dim:.3g}" if dim and count else "–"
        held = "statistics" if source.stats is not None else "images" if source.holds_images else "features"
        rows.append(
            (f"{letter}, {role}", held, f"{count:,}" if count else "unknown", f"{dim:,}" if dim else "–", ratio)
        )
    return scrolled(("side", "holds", "samples", "features", "samples a feature"), rows)


def _presets(page: Document, compared: Compared) -> None:
    rows = [
        Estimate(preset, row["fid"], None, None, f"{row['fid']:.5g}  {_difference(row)}")
        for preset, row in compared.explained.items()
    ]
    highest = max(row["fid"] for row in compared.explained.values())
    listed = [
        (preset, f"{row['fid']:.6g}", _difference(row), element("td", row["source"], class_="text"))
        for preset, row in compared.explained.items()
    ]
    head = ("preset", "FID", "difference", element("th", "what it does", scope="col", class_="text"))
    chart = interval_plot(rows, title="FID under every preset", x_title="FID", scale=linear(0.0, 1.05 * highest))
    page.section(
        "presets",
        "Under other presets",
        side_by_side(figure(chart, "FID by preset", "The same images, resized and scaled as each program does it.")),
        scrolled(head, listed),
        note="Figures compare only within one preset. The spread here is of programs, not of models.",
    )


def _difference(row: Mapping[str, Any]) -> str:
    """Write the difference from the preset that was chosen."""
    return "±0" if abs(row["difference"]) <= 1e-9 * abs(row["fid"]) else f"{row['difference']:+.4g}"


def _pictures(page: Document, compared: Compared) -> None:
    sides = [
        (heading, source)
        for heading, source in (("Real", compared.sides.a), ("Generated", compared.sides.b))
        if source.holds_images
    ]
    if not sides:
        return
    with page.open_section("samples", "Samples", note=f"Up to {SAMPLES} of each, drawn by seed {compared.sides.seed}."):
        for heading, source in sides:
            page.add(element("h3", heading), sample_grid(source, compared.sides.seed))


def _neighbours(page: Document, compared: Compared, a: Any, b: Any) -> None:
    seed = compared.sides.seed
    nearest = nearest_real(a, b, seed)
    sets = {"generated to nearest real": nearest.distances[:, 0]}
    if len(nearest.among_real):
        sets["real to nearest other real"] = nearest.among_real
    chart = class_histogram(sets, title="Distances to the nearest real sample", x_title="distance of features")
    said = [_said_of_nearness(nearest)] if len(nearest.among_real) else []
    if equal := int((nearest.distances[:, 0] == 0).sum()):
        said.append(f"{equal:,} {'has' if equal == 1 else 'have'} the very features of a real one: copies.")
    page.section(
        "neighbours",
        "Nearest real samples",
        side_by_side(figure(chart, "How near", " ".join(said))),
        neighbour_rows(compared.sides.a, compared.sides.b, nearest, nearest.examples(seed)),
        note="Left a generated sample, right the real ones whose features are nearest, with their distances. A model "
        "that repeats its training images shows it here.",
    )


def _said_of_nearness(nearest: Nearest) -> str:
    """Say how many generated samples are nearer to a real one than real ones are to each other."""
    least, asked = float(nearest.among_real.min()), len(nearest.asked)
    closer = int((nearest.distances[:, 0] < least).sum())
    return (
        f"The least distance between two real samples is {least:.4g}, of {len(nearest.among_real):,} that were asked; "
        f"{closer:,} of {asked:,} generated ones ({closer / asked:.1%}) {'lies' if closer == 1 else 'lie'} nearer than "
        "that to a real one."
    )


def _map(page: Document, compared: Compared, a: Any, b: Any) -> None:
    plane = principal_plane(a, b, compared.sides.seed)
    first, second = plane.shares
    chart = point_map(
        {"real": plane.a, "generated": plane.b},
        title="Map of the features",
        x_title=f"first component, {first:.0%} of the variance",
        y_title=f"second, {second:.0%}",
        description=f"Principal components of both sets together: {first:.1%} and {second:.1%} of the variance.",
    )
    page.section(
        "map",
        "Map of the features",
        side_by_side(
            figure(chart, "Principal components", "Where the sets do not overlap, one has what the other lacks.")
        ),
        note=f"Two directions of {a.shape[1]:,}, of up to {MOST_SAMPLES:,} samples of each set: what is apart here is "
        f"apart; what overlaps here may still differ in the other {max(0.0, 1 - first - second):.0%}.",
    )


def _lacking(page: Document, compared: Compared) -> None:
    """Say what the page cannot show, and why."""
    said = []
    for letter, source in (("A", compared.sides.a), ("B", compared.sides.b)):
        if source.stats is not None:
            said.append(
                f"{letter} holds statistics, a mean and a covariance: its samples, their neighbours and the map need "
                "the images, or their features (pixelgauge features keeps them)."
            )
        elif not source.holds_images:
            said.append(f"{letter} holds features: its pictures are not in the file, and are not shown.")
    if not said:
        return
    page.section("not-shown", "What is not shown", *(element("p", one) for one in said))
