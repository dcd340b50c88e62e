"""Display objects of curves: the points of the curves, scikit-learn's words and order, and one clear error without matplotlib."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from scipy.stats import norm

import pixelgauge

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, 200)
S = 0.7 * Y + RNG.normal(size=200)
W = RNG.random(200)
MASKS = np.zeros((2, 20, 20), int)
MASKS[0, 3:9, 3:9] = MASKS[1, 10:18, 2:14] = 1
MAPS = 0.5 * MASKS + RNG.random(MASKS.shape)

DISPLAYS = [
    pixelgauge.RocCurveDisplay,
    pixelgauge.PrecisionRecallDisplay,
    pixelgauge.DetCurveDisplay,
    pixelgauge.AuproCurveDisplay,
]


def made(kind: Any, **options: Any) -> Any:
    return kind.from_predictions(*(MASKS, MAPS) if kind is pixelgauge.AuproCurveDisplay else (Y, S), **options)


def points(display: Any) -> list[np.ndarray]:
    return [getattr(display, field.name) for field in dataclasses.fields(display)[:2]]


@pytest.fixture
def drawing() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib, the plot extra, is not installed")


@pytest.mark.parametrize("pos_label", [None, 0, 1])
@pytest.mark.parametrize("weights", [None, W])
def test_points_and_areas_are_those_of_the_functions(pos_label: int | None, weights: np.ndarray | None) -> None:
    options: dict[str, Any] = {"pos_label": pos_label, "sample_weight": weights}
    truth = (1 if pos_label is None else pos_label) == Y
    roc = pixelgauge.RocCurveDisplay.from_predictions(Y, S, **options)
    fpr, tpr, _ = pixelgauge.roc_curve(Y, S, **options)
    np.testing.assert_array_equal([roc.fpr, roc.tpr], [fpr, tpr])
    assert roc.roc_auc == pixelgauge.roc_auc_score(truth, S, sample_weight=weights)
    pr = pixelgauge.PrecisionRecallDisplay.from_predictions(Y, S, **options)
    precision, recall, _ = pixelgauge.precision_recall_curve(Y, S, **options)
    np.testing.assert_array_equal([pr.precision, pr.recall], [precision, recall])
    assert pr.average_precision == pixelgauge.average_precision_score(truth, S, sample_weight=weights)
    assert pr.prevalence_pos_label == pytest.approx(np.average(truth, weights=weights), rel=1e-15)
    det = pixelgauge.DetCurveDisplay.from_predictions(Y, S, **options)
    fpr, fnr, _ = pixelgauge.det_curve(Y, S, drop_intermediate=True, **options)
    np.testing.assert_array_equal([det.fpr, det.fnr], [fpr, fnr])


def test_any_labels_with_a_positive_one() -> None:
    names = np.where(Y == 1, "ill", "well")
    for kind in DISPLAYS[:3]:
        shown = kind.from_predictions(names, S, pos_label="ill")
        plain = kind.from_predictions(Y, S)
        np.testing.assert_array_equal(
            shown.__dict__[next(iter(shown.__dict__))], plain.__dict__[next(iter(plain.__dict__))]
        )
        with pytest.raises(ValueError, match="pos_label is not specified"):
            kind.from_predictions(names, S)


def test_the_area_below_the_overlap_curve() -> None:
    for max_fpr in (0.05, 0.3, 1):
        display = made(pixelgauge.AuproCurveDisplay, max_fpr=max_fpr)
        assert display.aupro == pixelgauge.aupro(MASKS, MAPS, max_fpr=max_fpr)
        assert (display.fpr[0], display.overlap[0]) == (0, 0)
        assert display.fpr[-1] == max_fpr
        assert (np.diff(display.fpr) >= 0).all()
        assert (np.diff(display.overlap) >= 0).all()
        assert np.trapezoid(display.overlap, display.fpr) / max_fpr == pytest.approx(display.aupro, rel=1e-12)


@pytest.mark.parametrize("kind", DISPLAYS)
@pytest.mark.usefixtures("drawing")
def test_plot_returns_the_display_with_what_it_drew(kind: Any) -> None:
    from matplotlib.figure import Figure

    display = made(kind, name="model")
    assert display.ax_ is display.figure_ is display.line_ is None
    assert display.plot() is display
    assert isinstance(display.figure_, Figure)
    assert display.ax_.figure is display.figure_
    assert display.line_ in display.ax_.lines
    assert display.line_.get_label().startswith("model")
    axes = Figure().subplots()
    assert display.plot(axes, name="other", color="red", linewidth=3).ax_ is axes
    assert display.line_.get_label().startswith("other")
    assert (display.line_.get_color(), display.line_.get_linewidth()) == ("red", 3)


@pytest.mark.parametrize("kind", DISPLAYS)
@pytest.mark.usefixtures("drawing")
def test_lines_have_the_points(kind: Any) -> None:
    display = made(kind).plot()
    x, y = display.line_.get_data()
    if kind is pixelgauge.DetCurveDisplay:
        for drawn, rates in ((x, display.fpr), (y, display.fnr)):
            inside = (rates > 0) & (rates < 1)
            np.testing.assert_allclose(drawn[inside], norm.ppf(rates[inside]), rtol=1e-9, atol=1e-9)
            assert (np.abs(drawn[~inside]) > 8).all()
            assert (~inside).any()
    else:
        first, second = points(display)
        expected = (second, first) if kind is pixelgauge.PrecisionRecallDisplay else (first, second)
        np.testing.assert_array_equal([x, y], expected)


@pytest.mark.usefixtures("drawing")
def test_labels() -> None:
    roc = made(pixelgauge.RocCurveDisplay, name="model", pos_label=1).plot(plot_chance_level=True)
    texts = [text.get_text() for text in roc.ax_.get_legend().get_texts()]
    assert texts == [f"model (AUC = {roc.roc_auc:.4f})", "chance (AUC = 0.5)"]
    assert roc.ax_.get_xlabel() == "False positive rate (positive: 1)"
    pr = made(pixelgauge.PrecisionRecallDisplay).plot(plot_chance_level=True, chance_level_kw={"color": "red"})
    texts = [text.get_text() for text in pr.ax_.get_legend().get_texts()]
    assert texts == [f"AP = {pr.average_precision:.4f}", f"chance (AP = {pr.prevalence_pos_label:.4f})"]
    assert pr.chance_level_.get_color() == "red"
    assert pr.line_.get_drawstyle() == "steps-post"
    assert made(pixelgauge.RocCurveDisplay).plot().chance_level_ is None
    assert pixelgauge.RocCurveDisplay(roc.fpr, roc.tpr).plot().ax_.get_legend() is None
    assert made(pixelgauge.DetCurveDisplay).plot().ax_.get_legend() is None


@pytest.mark.boundary
@pytest.mark.usefixtures("drawing")
def test_a_prevalence_that_is_not_known_is_not_drawn() -> None:
    with pytest.raises(ValueError, match="plot_chance_level=True needs prevalence_pos_label"):
        pixelgauge.PrecisionRecallDisplay(np.ones(2), np.ones(2)).plot(plot_chance_level=True)


@pytest.mark.parametrize("name", ["RocCurveDisplay", "PrecisionRecallDisplay", "DetCurveDisplay"])
@pytest.mark.usefixtures("drawing")
def test_scikit_learn_draws_the_same_line(name: str) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    expected = getattr(sklearn.metrics, name).from_predictions(Y, S)
    drawn = getattr(pixelgauge, name).from_predictions(Y, S).plot()
    np.testing.assert_allclose(drawn.line_.get_xydata(), expected.line_.get_xydata(), rtol=1e-9, atol=1e-9)
    pyplot.close("all")


@pytest.mark.parametrize("kind", DISPLAYS)
@pytest.mark.usefixtures("drawing")
def test_a_notebook_shows_a_figure_that_is_its_own(kind: Any) -> None:
    from matplotlib.figure import Figure

    assert made(kind)._repr_png_().startswith(b"\x89PNG")
    assert made(kind).plot()._repr_png_().startswith(b"\x89PNG")
    assert made(kind).plot(Figure().subplots())._repr_png_() is None


@pytest.mark.boundary
@pytest.mark.parametrize("kind", DISPLAYS)
def test_without_matplotlib(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    display = made(kind)
    with pytest.raises(ImportError, match=r"plots need matplotlib: pip install 'pixelgauge\[plot\]'"):
        display.plot()
    assert display._repr_png_() is None


def test_matplotlib_is_imported_when_something_is_drawn() -> None:
    names = ", ".join(f"pixelgauge.{kind.__name__}" for kind in (*DISPLAYS, pixelgauge.ScoreMapDisplay))
    code = (
        f"import sys, pixelgauge; {names}; "
        "pixelgauge.RocCurveDisplay.from_predictions([0, 1], [0, 1]); assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_one_class_is_warned_of_as_by_the_score() -> None:
    with pytest.warns(pixelgauge.UndefinedMetricWarning):
        assert math.isnan(pixelgauge.RocCurveDisplay.from_predictions([1, 1], [0.1, 0.2]).roc_auc)
