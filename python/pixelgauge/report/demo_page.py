"""The page of ``pixelgauge demo --report``: what each metric says of the same damage, and how that looks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge.markup import Markup, element
from pixelgauge.metric import Metric
from pixelgauge.report.charts.figures import figure, side_by_side
from pixelgauge.report.charts.intervals import Estimate, interval_plot
from pixelgauge.report.charts.scatter import scatter
from pixelgauge.report.document import Document, document
from pixelgauge.report.pictures import img, thumbnail
from pixelgauge.report.written import score

Pixels = npt.NDArray[np.uint8]

_MOST_CHARACTERS = 100_000
"""Of one picture: a page stays far below what may be sent by mail."""
_MIDDLE = 1
"""Of the three strengths, that which is shown."""


@dataclass(frozen=True)
class Case:
    """A picture that was damaged in one way, and its scores."""

    content: str
    degradation: str
    strength: int
    """0, 1 or 2."""
    scores: Mapping[str, float]
    picture: Pixels


@dataclass(frozen=True)
class Demo:
    """Pictures, and what was found of their damaged versions."""

    references: Mapping[str, Pixels]
    cases: Sequence[Case]
    metrics: Mapping[str, Metric[Any]]
    """Of the scores, by name."""
    left_out: Mapping[str, str]
    """Label of a metric that was not computed, and what brings it."""
    facts: Mapping[str, Any]


def write_demo_page(path: str | os.PathLike[str], demo: Demo) -> None:
    """Write the page.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with document(path, "How each metric answers", "demo") as page:
        page.style("charts/charts.css")
        page.style("sets.css")
        page.facts = demo.facts
        page.lead = Markup(
            '<p class="lead"><strong>{} pictures</strong>, made from numbers alone, each damaged in {} ways at three '
            "strengths, and what {} metrics say of them.</p>"
        ).format(len(demo.references), len(_ways(demo)), len(demo.metrics))
        _answers(page, demo)
        _disagreement(page, demo)
        _pictures(page, demo)
        _next(page, demo)


def _ways(demo: Demo) -> list[str]:
    return list(dict.fromkeys(case.degradation for case in demo.cases))


def _answers(page: Document, demo: Demo) -> None:
    """Draw a metric each: of every damage the mean over the pictures, from mild to strong."""
    plots = []
    for name, metric in demo.metrics.items():
        rows = []
        for way in _ways(demo):
            mild, medium, strong = (
                fmean(case.scores[name] for case in demo.cases if (case.degradation, case.strength) == (way, i))
                for i in range(3)
            )
            rows.append(Estimate(way, medium, min(mild, strong), max(mild, strong), score(metric, medium)))
        better = "higher is better" if metric.higher_is_better else "lower is better"
        heading = Markup("{} <span class='muted'>{}</span>").format(name.upper(), better)
        title = name.upper() + (f", {metric.unit}" if metric.unit else "")
        plots.append(figure(interval_plot(rows, title=title, x_title=title), heading))
    page.section(
        "answers",
        "What each metric says",
        side_by_side(*plots),
        note="The dot is the mean over the pictures at medium strength, the line goes from mild to strong. The same "
        "damage is grave to one metric and slight to another: a shift of few pixels hardly shows, and costs much.",
    )


def _disagreement(page: Document, demo: Demo) -> None:
    if not {"psnr", "ssim"} <= set(demo.metrics):
        return
    psnr, ssim = ([case.scores[name] for case in demo.cases] for name in ("psnr", "ssim"))
    chart = scatter(psnr, ssim, title="SSIM over PSNR of every damaged picture", x_title="PSNR, dB", y_title="SSIM")
    page.section(
        "disagreement",
        "Where they disagree",
        side_by_side(figure(chart, "SSIM over PSNR", "A dot is a damaged picture.")),
        note="If two metrics said the same, the dots would lie on one line. Choose the metric that answers as your "
        "readers of images would.",
    )


def _pictures(page: Document, demo: Demo) -> None:
    shown = [name for name in ("psnr", "ssim", "lpips") if name in demo.metrics]
    with page.open_section("pictures", "The pictures", note="At medium strength."):
        for content, reference in demo.references.items():
            found = [_picture(reference, content, "reference", [])]
            for case in demo.cases:
                if case.content == content and case.strength == _MIDDLE:
                    scores = [f"{name.upper()} {score(demo.metrics[name], case.scores[name])}" for name in shown]
                    found.append(_picture(case.picture, content, case.degradation, scores))
            page.add(element("h3", content), element("div", *found, class_="pictures pictures-large"))


def _picture(pixels: Pixels, content: str, name: str, scores: Sequence[str]) -> Markup:
    small = thumbnail(pixels, _MOST_CHARACTERS)
    shown = img(small, f"{content}, {name}", decoding="async")
    caption = element("figcaption", element("strong", name), *(element("span", one) for one in scores))
    return element("figure", shown, caption, class_="picture")


def _next(page: Document, demo: Demo) -> None:
    left_out = [element("li", f"{label} was left out: {remedy}") for label, remedy in demo.left_out.items()]
    commands = (
        ("Two folders of images, pair by pair", "pixelgauge compare REFERENCE TEST --report report.html"),
        ("A set of generated images against real ones", "pixelgauge distance REAL GENERATED --report report.html"),
        ("A table of labels and scores", "pixelgauge auroc scores.csv --report report.html"),
    )
    listed = [element("li", f"{what}: ", element("code", command)) for what, command in commands]
    page.section("next", "With your own images", element("ul", *listed, *left_out))
