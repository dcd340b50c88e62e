"""Results in notebooks: tables with the figures of the text, in which nothing runs and nothing is loaded."""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
from typing import Any

import numpy as np
import pytest

import pixelgauge
from pixelgauge.drawing import Display
from pixelgauge.files.reading import printable
from pixelgauge.notebooks import MOST_LINES, figure, in_notebooks
from tests.test_markup import HOSTILE, Seen

TAGS = {"table", "caption", "thead", "tbody", "tr", "th", "td", "bdi", "p"}
Y = [0, 0, 1, 1] * 10
S = [0.1, 0.4, 0.35, 0.8, 0.3, 0.2, 0.9, 0.6] * 5


def is_record(kind: Any) -> bool:
    return inspect.isclass(kind) and (hasattr(kind, "_fields") or dataclasses.is_dataclass(kind))


RECORDS = [kind for name in pixelgauge.__all__ if is_record(kind := getattr(pixelgauge, name))]


def test_every_result_is_shown() -> None:
    assert len(RECORDS) > 25
    for kind in RECORDS:
        assert hasattr(kind, "_repr_html_") or issubclass(kind, Display), kind.__name__
    for kind in (pixelgauge.Summary, pixelgauge.CompareRun, pixelgauge.FeatureSet, pixelgauge.FeatureStats,
                 pixelgauge.RankingHistogram):  # fmt: skip
        assert hasattr(kind, "_repr_html_"), kind.__name__


def results() -> list[Any]:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 60, 3))
    image = rng.integers(0, 256, (32, 32), dtype=np.uint8)
    return [
        pixelgauge.roc_auc_interval(Y, S),
        pixelgauge.delong_test(Y, S, S[::-1]),
        pixelgauge.confusion_at_threshold(Y, S, 0.5),
        pixelgauge.fpr_at_tpr(Y, S, return_threshold=True),
        pixelgauge.operating_point(Y, S, fpr=0.1),
        pixelgauge.average_precision_interval(Y, S),
        pixelgauge.sensitivity_interval(Y, S, specificity=0.9),
        pixelgauge.proportion_interval(3, 10),
        pixelgauge.ssim(image, 255 - image, components=True),
        pixelgauge.frechet_distance(x, y, return_info=True)[1],
        pixelgauge.kernel_distance(x, y, subset_size=20),
        pixelgauge.frechet_interval(x, y),
        pixelgauge.density_coverage_interval(x, y),
        pixelgauge.precision_recall(x, y),
    ]


def test_figures_are_those_of_the_text() -> None:
    for result in results():
        seen = Seen(result._repr_html_())
        assert set(seen.tags) <= TAGS
        assert seen.attributes == [("scope", "row")] * len(result.__annotations__)
        for value in re.findall(r"\d\.\d+(?:e-?\d+)?", str(result).partition("seconds=")[0]):
            assert value in seen.text, (result, value)
        assert type(result).__name__ in seen.text
        assert len(result._repr_html_()) < 2000


def test_numbers_of_numpy_are_numbers() -> None:
    assert figure(np.float64(0.1)) == figure(0.1) == "0.1"
    assert figure(np.float32(0.1)) == "0.1"
    assert figure(np.int64(3)) == "3"
    assert [figure(value) for value in (math.nan, math.inf, None, True)] == ["nan", "inf", "None", "True"]


def test_arrays_are_shown_by_their_ends() -> None:
    assert figure(np.arange(3.0)) == "[0. 1. 2.]"
    assert figure(np.arange(100)) == "[ 0  1  2 ... 97 98 99]"
    assert figure(np.zeros((4, 1000, 1000))) == "(4, 1000, 1000) float64"
    assert figure(np.array(2.5)) == "2.5"


@pytest.mark.boundary
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_names_change_nothing(text: str) -> None:
    scored = pixelgauge.ScoreRow(text, text, "ok", text, {"psnr": 30.0, text: 0.5})
    failed = pixelgauge.ScoreRow(text, None, "missing", text)
    summary = pixelgauge.Summary({"psnr": True, text: False})
    summary.update(scored)
    summary.update(failed)
    groups = pixelgauge.roc_auc_interval(Y, S, groups=[text, "b"] * 20) if "\0" not in text else scored
    pair = pixelgauge.PairwiseTest(text, text, *[0.5] * 8)
    shown = [scored, failed, summary, summary.compute()["psnr"], groups, pair]
    for result in shown:
        html = result._repr_html_()
        seen = Seen(html)
        assert set(seen.tags) <= TAGS
        assert {key for key, _ in seen.attributes} == {"scope"}
        assert html.isprintable()
        html.encode()
        assert len(html) < 5000
        if len(text) < 200:
            assert printable(text) in seen.text


def test_rows_and_summaries_have_the_digits_of_the_command() -> None:
    ref = np.zeros((2, 32, 32), np.uint8)
    test = ref + np.arange(2, dtype=np.uint8)[:, None, None]
    run = pixelgauge.compare(ref, test, metrics=("psnr", "ssim", "ssim:skimage"), channel_axis=None)
    rows = list(run)
    text = Seen(rows[1]._repr_html_()).text
    assert text == (
        f"refref[1]testtest[1]statusokpsnr dB{rows[1].values['psnr']:.4f}"
        f"ssim{rows[1].values['ssim']:.6f}ssim:skimage{rows[1].values['ssim:skimage']:.6f}"
    )
    for result in (run, run.summary):
        text = Seen(result._repr_html_()).text
        assert text.startswith("2 pairs: 2 scoredover imagescountmeanmedianstdinfinite")
        assert f"{run.summary.compute()['psnr'].mean:.4f}" in text
        assert "ref[1] → test[1]" in text
    assert "ssim=wang2004" in Seen(run._repr_html_()).text


def test_an_empty_summary_is_shown() -> None:
    assert pixelgauge.Summary({})._repr_html_() == "<p>0 pairs: 0 scored</p>"
    assert "0 pairs" in pixelgauge.Summary({"psnr": True})._repr_html_()
    assert Seen(pixelgauge.Summary({"psnr": True}).compute()["psnr"]._repr_html_()).text.endswith("stdNone")


def test_accumulators_are_shown() -> None:
    stats = pixelgauge.FeatureStats(2).update(np.eye(2))
    assert Seen(stats._repr_html_()).text == "FeatureStatsdim2count2presetNone"
    histogram = pixelgauge.RankingHistogram(bins=8)
    assert Seen(histogram._repr_html_()).text == "RankingHistogrambins8positives0negatives0"
    assert repr(histogram) == "RankingHistogram(8 bins, 0 positives, 0 negatives)"
    histogram.update(Y, S)
    assert f"low {histogram.auroc().low}" in Seen(histogram._repr_html_()).text


def test_many_groups_are_cut() -> None:
    groups = np.repeat(np.arange(100), 40)
    found = pixelgauge.roc_auc_interval(Y * 100, S * 100, groups=groups)
    text = Seen(found._repr_html_()).text
    assert text.endswith(f"… and {100 - MOST_LINES} more groups")
    assert f"mean{found.mean.auroc}" in text


def test_a_large_mapping_is_cut() -> None:
    @in_notebooks
    @dataclasses.dataclass
    class Held:
        values: dict[str, int]

    assert "… and 980 more" in Held({str(i): i for i in range(1000)})._repr_html_()  # type: ignore[attr-defined]
