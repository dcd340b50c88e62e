"""Charts: sound markup without styles of its own, the same bytes for the same numbers, and no number lost in silence."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelgauge.markup import Markup
from pixelgauge.report.charts import bins, scales, ticks
from pixelgauge.report.charts.curves import Axes, Band, Curve, Spot, curves
from pixelgauge.report.charts.distribution import distribution
from pixelgauge.report.charts.frame import NORMAL, Frame, Rule
from pixelgauge.report.charts.histogram import class_histogram, histogram
from pixelgauge.report.charts.intervals import Estimate, interval_plot
from pixelgauge.report.charts.outcomes import outcomes
from pixelgauge.report.charts.point_map import point_map
from pixelgauge.report.charts.scatter import MOST_DOTS, scatter
from pixelgauge.report.charts.shares import share_bars
from pixelgauge.report.charts.thinning import ERROR, thinned
from pixelgauge.report.document import package_text

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</svg><script>alert(1)</script>\"'&\n\u202eשלום" + "x" * 4000
RNG = np.random.default_rng(0)
VALUES = RNG.beta(12, 2, 500)
RISING = np.linspace(0, 1, 50)

CHARTS: dict[str, Callable[[str], Markup]] = {
    "histogram": lambda name: histogram(VALUES, title=name, x_title=name, rules=[Rule(0.8, name)]),
    "classes": lambda name: class_histogram({name: VALUES, "b": VALUES / 2}, title=name, x_title=name),
    "distribution": lambda name: distribution(VALUES, title=name, x_title=name, rules=[Rule(0.8, name)]),
    "scatter": lambda name: scatter(VALUES, VALUES**2, title=name, x_title=name, y_title=name),
    "many": lambda name: scatter(*RNG.normal(size=(2, 9999)), title=name, x_title=name, y_title=name),
    "curves": lambda name: curves(
        [Curve(name, RISING, RISING**0.3, "0.9"), Curve("b", RISING, RISING**0.5)],
        Axes(scales.percent(0, 1), scales.probit(0.01, 0.99), name, name, ((0, 0), (1, 1))),
        title=name,
        description=name,
        band=Band("band", (RISING, RISING**0.4), (RISING, RISING**0.2)),
        spots=[Spot("A", 0.2, 0.6, (0.1, 0.3), (0.5, 0.7)), Spot("B", 0.21, 0.62), Spot("C", 1.0, 1.0)],
    ),
    "intervals": lambda name: interval_plot(
        [Estimate(name, 0.5, 0.4, 0.6, "0.50 [0.40, 0.60]"), Estimate("none", np.nan, None, None, "–")],
        title=name,
        x_title=name,
        rules=[Rule(0.5, "all")],
    ),
    "map": lambda name: point_map(
        {name: RNG.normal(size=(50, 2)), "b": np.zeros((3, 2))},
        title=name,
        x_title=name,
        y_title=name,
        description=name,
    ),
    "shares": lambda name: share_bars({name: 3.0, "b": 0.0}, title=name),
    "outcomes": lambda name: outcomes((3, 4), (0, 0), title=name),
}


def parsed(chart: Markup) -> ElementTree.Element:
    assert isinstance(chart, Markup)
    return ElementTree.fromstring(chart)


def described(chart: Markup) -> str:
    return parsed(chart).findtext(f"{SVG}desc") or ""


@pytest.mark.boundary
@pytest.mark.parametrize("name", ["SSIM", HOSTILE, ""])
@pytest.mark.parametrize("draw", CHARTS.values(), ids=CHARTS)
def test_markup_is_sound_named_and_without_styles(draw: Callable[[str], Markup], name: str) -> None:
    root = parsed(draw(name))
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root[0].tag == f"{SVG}title"
    assert root[1].tag == f"{SVG}desc"
    tags = {each.tag.removeprefix(SVG) for each in root.iter()}
    assert tags <= {"svg", "title", "desc", "g", "path", "rect", "circle", "text", "tspan"}
    for each in root.iter():
        assert not {"style", "id", "href"} & set(each.attrib)
        assert not [key for key in each.attrib if key.startswith("on")]
        assert "\u202e" not in "".join(each.itertext())
        assert "\n" not in (each.text or "")
        assert not any("nan" in value or "inf" in value for value in each.attrib.values())


@pytest.mark.property
@pytest.mark.parametrize("name", ["SSIM", "a name that is longer than any picture is wide, " * 4])
@pytest.mark.parametrize("draw", CHARTS.values(), ids=CHARTS)
def test_texts_lie_within_the_picture(draw: Callable[[str], Markup], name: str) -> None:
    root = parsed(draw(name))
    *_, width, height = map(float, root.get("viewBox", "").split())
    for text in root.iter(f"{SVG}text"):
        said = re.sub("[\u2068\u2069]", "", "".join(text.itertext()))
        room, x = 7.0 * len(said), float(text.get("x", ""))
        left = {"end": x - room, "middle": x - room / 2}.get(text.get("text-anchor", ""), x)
        assert left >= -1, said
        assert left + room <= width + 1, said
        assert 8 < float(text.get("y", "")) < height, said


@pytest.mark.property
def test_the_same_numbers_give_the_same_bytes() -> None:
    first, again = (
        [draw("SSIM") for name, draw in CHARTS.items() if name not in ("many", "map")]
        + [histogram(VALUES[::-1], title="t")]
        for _ in range(2)
    )
    assert first == again
    assert histogram(VALUES, title="t") == histogram(np.flip(VALUES), title="t")


@pytest.mark.boundary
@pytest.mark.parametrize(
    "values",
    [[], [np.nan], [np.inf, -np.inf], [3.0], [0.0, 0.0], [1e308, -1e308, 1e-320], [1e9, 1e9 + 1e-6], [5e-324, 0.0],
     [-1e300, 1e300], [1.0, np.inf, np.nan]],
)  # fmt: skip
def test_odd_numbers_are_drawn_or_counted(values: list[float]) -> None:
    for chart in (
        histogram(values, title="t"),
        class_histogram({"a": values, "b": [1.0]}, title="t"),
        distribution(values, title="t"),
        scatter(values, values, title="t", x_title="x", y_title="y"),
    ):
        assert "nan" not in re.sub("<desc>.*?</desc>", "", chart)


def test_what_is_not_drawn_is_said() -> None:
    assert "2 infinite and 1 not a number, not drawn" in described(
        histogram([1, 2, np.inf, -np.inf, np.nan], title="t")
    )
    assert "1 with a number that is not finite" in described(
        scatter([1, 2, np.inf], [1, 2, 3], title="t", x_title="x", y_title="y")
    )


def test_finite_numbers_are_never_called_infinite() -> None:
    for values in ([1e308, -1e308, 1.0], [1e308, -1e308], [1.7976931348623157e308]):
        for chart in (
            histogram(values, title="t"),
            class_histogram({"a": values, "b": values}, title="t"),
            distribution([*values, 1.7976931348623157e308], title="t"),
            scatter(values, values, title="t", x_title="x", y_title="y"),
        ):
            assert "infinite" not in chart
            assert "finite: " not in chart
    assert "1 infinite and 1 beyond ±1e300, not drawn" in described(histogram([1e308, np.inf, 1.0], title="t"))


def test_a_chart_without_numbers_shows_why() -> None:
    for chart in (
        histogram([np.inf, np.inf], title="t"),
        class_histogram({"a": [np.inf], "b": [np.inf]}, title="t"),
        distribution([np.inf, np.inf], title="t"),
    ):
        texts = " ".join(one.text or "" for one in parsed(chart).iter(f"{SVG}text"))
        assert texts == "There is nothing to draw: 2 infinite."
    assert "there are no numbers" in histogram([], title="t")


def test_no_line_strikes_through_a_name() -> None:
    """Lines at numbers are drawn first, and names have a halo of the paper's colour that covers them."""
    rows = [Estimate("difference", 0.5, 0.1, 0.9, "0.5 [0.1, 0.9]")]
    for chart in (
        interval_plot(rows, title="t", x_title="", rules=[Rule(0.4, "all")]),
        distribution(
            VALUES, title="t", named={"50%": float(np.median(VALUES))}, rules=[Rule(float(np.median(VALUES)), "limit")]
        ),
    ):
        last = chart.rindex('class="chart-rule"')
        names = [
            chart.index(f'class="{role}"') for role in ("chart-key", "chart-value", "chart-label") if role in chart
        ]
        assert names
        assert min(names) > last
    halo = re.search(
        r"^(.*)\{ paint-order: stroke; stroke: var\(--paper\)", package_text("charts/charts.css"), re.MULTILINE
    )
    assert halo is not None
    assert {"chart-value", "chart-key", "chart-label", "chart-rule-name"} <= set(re.findall(r"chart-[a-z-]+", halo[1]))


def test_one_number_is_no_plural() -> None:
    assert "1 number." in described(histogram([3.0], title="t"))


def test_bars_hold_every_number() -> None:
    titles = [one.text or "" for one in parsed(histogram(VALUES, title="t")).iter(f"{SVG}title")][1:]
    assert sum(int(title.rpartition(": ")[2]) for title in titles) == len(VALUES)


def test_squares_hold_every_pair() -> None:
    x, y = RNG.normal(size=(2, MOST_DOTS + 1))
    chart = scatter(x, y, title="t", x_title="x", y_title="y")
    titles = [one.text or "" for one in parsed(chart).iter(f"{SVG}title")][1:]
    assert sum(int(title.replace(",", "")) for title in titles) == MOST_DOTS + 1


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=50))
@settings(max_examples=200, deadline=None)
def test_bins_hold_all_and_are_few(values: list[float]) -> None:
    given_values = np.array(values)
    edges = bins.round_bins(given_values)
    assert (np.diff(edges) > 0).all()
    assert edges[0] <= given_values.min()
    assert given_values.max() <= edges[-1]
    assert 1 <= len(edges) - 1 <= bins.MOST_BINS + 2


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
@settings(max_examples=200, deadline=None)
def test_bins_of_changes_have_zero_in_the_middle_of_one(values: list[float]) -> None:
    changes = np.array([0.0, *values])
    edges = bins.round_bins(changes, around_zero=True)
    assert (np.diff(edges) > 0).all()
    assert edges[0] <= changes.min()
    assert changes.max() <= edges[-1]
    assert 1 <= len(edges) - 1 <= bins.MOST_BINS + 2
    at = int(np.searchsorted(edges, 0.0, side="right"))
    assert edges[at - 1] == pytest.approx(-edges[at])


def test_marks_lie_on_the_curve_by_their_own_numbers() -> None:
    chart = distribution([1.0, 2.0, 4.0, np.inf], title="t", named={"low": 1.0, "middle": 3.0, "far": 9.0})
    assert described(chart) == "Empirical distribution of 4 numbers: low  1; middle  3; far  9."
    names = [
        "".join(text.itertext()) for text in parsed(chart).iter(f"{SVG}text") if text.get("class") == "chart-label"
    ]
    assert names == ["low  1", "middle  3"]
    heights = [float(dot.get("cy", "")) for dot in parsed(chart).iter(f"{SVG}circle")]
    bottom = float(re.findall(r'd="M[0-9.]+ ([0-9.]+)H', chart)[0])
    assert (bottom - heights[1]) / (bottom - heights[0]) == pytest.approx(2, rel=1e-3)  # half of them, and a quarter


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300), st.integers(2, 10))
@settings(max_examples=300, deadline=None)
def test_ticks_are_few_rising_within_and_told_apart(one: float, other: float, most: int) -> None:
    scale = scales.linear(min(one, other), max(one, other), most=most)
    numbers = [value for value, _ in scale.ticks]
    assert 1 <= len(numbers) <= most + 1
    assert numbers == sorted(set(numbers))
    assert len({text for _, text in scale.ticks}) == len(numbers)
    room = 1e-9 * (scale.high - scale.low)
    assert scale.low - room <= numbers[0]
    assert numbers[-1] <= scale.high + room
    places = scale.place(numbers)
    assert ((places >= 0) & (places <= 1)).all()


def test_ticks_are_round() -> None:
    assert ticks.round_numbers(0, 1, 5) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks.written([0, 0.2, 0.4]) == ["0.0", "0.2", "0.4"]
    assert ticks.written([0, 5000, 10000]) == ["0", "5,000", "10,000"]
    assert ticks.written([-2, 0, 2]) == ["−2", "0", "2"]


@given(st.lists(st.tuples(st.floats(0, 440), st.floats(0, 280)), min_size=1, max_size=80))
@settings(max_examples=100, deadline=None)
def test_a_thinned_curve_is_within_its_bound(points: list[tuple[float, float]]) -> None:
    curve = np.array(points)
    few = thinned(curve)
    assert (few[0] == curve[0]).all()
    assert (few[-1] == curve[-1]).all()
    for point in curve:
        starts, ends = few[:-1], few[1:]
        if not len(starts):
            assert np.hypot(*(few[0] - point)) <= ERROR
            continue
        along = ends - starts
        lengths = (along**2).sum(axis=1)
        share = np.clip(((point - starts) * along).sum(axis=1) / np.where(lengths > 0, lengths, 1), 0, 1)
        assert np.hypot(*(starts + share[:, np.newaxis] * along - point).T).min() <= ERROR + 1e-9


def test_a_long_curve_becomes_short() -> None:
    x = np.linspace(0, 400, 1_000_000)
    assert len(thinned(np.stack([x, 100 + 50 * np.sin(x / 40)], axis=1))) < 200


def test_names_of_rules_do_not_meet() -> None:
    frame = Frame(
        NORMAL, scales.linear(0, 1), scales.counts(5), x_title="", y_title="",
        rules=[Rule(value, "a name of some length") for value in (0.1, 0.12, 0.5, 0.93, 0.95)],
    )  # fmt: skip
    places = {
        (float(t.get("x", "")) // 60, t.get("y"))
        for t in parsed(Markup("<g>{}</g>").format(Markup("").join(frame.rules()))).iter("text")
    }
    assert len(places) == 5


def test_the_probit_scale_is_even_in_quantiles() -> None:
    scale = scales.probit(0.01, 0.99)
    assert scale.at(0.5) == pytest.approx(0.5)
    assert scale.at(0.01) == 0
    assert scale.at(0.84134) - 0.5 == pytest.approx(0.5 / 2.3263, rel=1e-3)
