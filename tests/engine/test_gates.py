"""Gates are refused where they are wrong, judge as a plain loop over all values does, and never pass by an infinite value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelgauge.checks import ArgumentValueError
from pixelgauge.engine.gates import Gate, Gates, PairJudge, RunJudge, StrictJudge, parse_gate, statistic_of
from pixelgauge.engine.registry import METRICS
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.engine.summary import Summary

ASKED = ("psnr", "ssim", "lpips")
HIGHER = {name: METRICS[name].higher_is_better for name in ASKED}


def parse(text, direction="under"):
    return parse_gate(text, direction, METRICS, {name: METRICS[name] for name in ASKED})


def row(i, value, name="ssim"):
    return ScoreRow(f"r/{i}", f"t/{i}", "ok", "", {name: value})


FAILED = ScoreRow("r/x", None, "missing", "no partner in TEST")


def judged(judge, rows, *, is_complete=True):
    """The verdict, and what was said of each row."""
    gates, summary = Gates([judge]), Summary(HIGHER)
    problems = []
    for each in rows:
        summary.update(each)
        problems.append(gates.add(each))
    (verdict,) = gates.verdicts(summary, is_complete=is_complete)
    return verdict, problems


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("ssim=.98", Gate("ssim", "under", 0.98)),
        (" SSIM = 9.8e-1 ", Gate("ssim", "under", 0.98)),
        ("mean:psnr=30", Gate("psnr", "under", 30.0, "mean")),
        ("p5:ssim=.95", Gate("ssim", "under", 0.95, "p5")),
        ("P99.9:ssim=-.5", Gate("ssim", "under", -0.5, "p99.9")),
        ("p0:psnr=-3", Gate("psnr", "under", -3.0, "p0")),
        ("ssim=1", Gate("ssim", "under", 1.0)),
    ],
)
def test_what_a_gate_says(text, gate):
    assert parse(text) == gate
    assert parse(gate.name.removeprefix("--fail-under ")) == gate


@pytest.mark.parametrize("text", ["ssim:skimage=.5", "mean:ssim:skimage=.5", "p5:SSIM:skimage=.5"])
def test_a_metric_may_have_a_variant(text):
    asked = {"ssim:skimage": METRICS["ssim"], "ssim:matlab": METRICS["ssim"]}
    gate = parse_gate(text, "under", METRICS, asked)
    assert gate.metric == "ssim:skimage"
    assert parse_gate(gate.name.removeprefix("--fail-under "), "under", METRICS, asked) == gate
    with pytest.raises(
        ArgumentValueError, match=r"is of ssim, which is not among the metrics ssim:skimage,ssim:matlab"
    ):
        parse_gate("ssim=.5", "under", METRICS, asked)
    with pytest.raises(ArgumentValueError, match="is of ssim:piq, which is not among the metrics"):
        parse_gate("mean:ssim:piq=.5", "under", METRICS, asked)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("text", "direction", "message"),
    [
        ("ssim", "under", "names no limit: write [mean:|pN:]METRIC=LIMIT"),
        ("", "under", "names no limit"),
        ("=1", "under", "names no metric that there is: '': use one of psnr, ssim, lpips"),
        ("vmaf=90", "under", "names no metric that there is: 'vmaf': use one of psnr, ssim, lpips"),
        ("mse=9", "over", "is of mse, which is not among the metrics psnr,ssim,lpips: add mse to --metrics"),
        ("ssim=nan", "under", "has the limit 'nan': give a finite number"),
        ("ssim=inf", "over", "has the limit 'inf': give a finite number"),
        ("psnr=1e999", "under", "has the limit '1e999': give a finite number"),
        ("psnr=1_0", "under", "has the limit '1_0': give a finite number"),
        ("psnr=30=40", "under", "has the limit '30=40'"),
        ("median:ssim=.5", "under", "has the statistic 'median', which there is not: use mean:, or a percentile from"),
        (":ssim=.5", "under", "has the statistic ''"),
        ("p101:ssim=.5", "under", "has the statistic 'p101'"),
        ("p-1:ssim=.5", "under", "has the statistic 'p-1'"),
        ("mean:p5:ssim=.5", "under", "names no metric that there is: 'p5:ssim'"),
        ("ssim=-1", "under", "cannot fail: no ssim is below -1: give a limit between -1 and 1"),
        ("ssim=1", "over", "cannot fail: no ssim is above 1"),
        ("lpips=0", "under", "cannot fail: no lpips is below 0: give a limit above 0"),
        ("mean:lpips=-1", "under", "cannot fail: no lpips is below 0"),
        ("ssim=98", "under", "cannot be kept: no ssim is above 1"),
        ("lpips=-.1", "over", "cannot be kept: no lpips is below 0"),
    ],
)  # fmt: skip
def test_a_wrong_gate_is_named(text, direction, message):
    with pytest.raises(ArgumentValueError) as caught:
        parse(text, direction)
    assert str(caught.value).startswith(f"fail_{direction}={text!r} ")
    assert message in str(caught.value)


@pytest.mark.property
def test_no_metric_has_scores_beyond_its_bounds(rng):
    from pixelgauge.full_reference.pair_metrics import MS_SSIM, MSE, PSNR, SSIM

    metrics = [MSE, PSNR, SSIM, MS_SSIM]
    options = {"data_range": None, "preset": "wang2004", "ms_ssim_preset": "pytorch-msssim"}
    scorer = MSE.family.prepare([(metric, options) for metric in metrics])
    x = rng.integers(0, 256, (2, 176, 176, 1), dtype=np.uint8)
    for y in (x, 255 - x, np.zeros_like(x), rng.permuted(x, axis=1)):
        for name, values in scorer(x, y).items():
            least, most = METRICS[name].bounds
            assert ((values >= least) & (values <= most)).all(), name


@pytest.mark.oracle
@given(st.lists(st.sampled_from([-1.0, 0.1, 0.25, 0.5, 0.75, 1.0]) | st.floats(-1, 1), max_size=40), st.booleans())
def test_pairs_are_judged_one_by_one(values, under):
    gate = Gate("ssim", "under" if under else "over", 0.5)
    verdict, problems = judged(PairJudge(gate), [*(row(i, v) for i, v in enumerate(values)), FAILED])
    broken = [v for v in values if (v < 0.5 if under else v > 0.5)]
    assert [bool(p) for p in problems] == [v in broken for v in values] + [False]
    assert (verdict.judged, verdict.broken) == (len(values), len(broken))
    assert verdict.passed is (bool(values) and not broken)
    assert [v for v, _ in verdict.worst] == sorted(broken, reverse=not under)[:10]
    assert all(each.values["ssim"] == v for v, each in verdict.worst)


@pytest.mark.oracle
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40), st.floats(0, 100), st.sampled_from(["under", "over"]))
def test_percentiles_are_those_of_numpy(values, percent, direction):
    percent = round(percent, 6)
    found = statistic_of(Gate("ssim", direction, 0.5, f"p{percent}"), np.array(values), 0, 0)
    assert found == pytest.approx(np.percentile(values, percent), rel=1e-12, abs=1e-12)  # another order of additions


@pytest.mark.property
@given(
    st.lists(st.floats(0, 100), max_size=12),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from(["mean", "p0", "p5", "p37.5", "p50", "p100"]),
)
def test_an_infinite_value_never_helps(finite, below, above, statistic):
    """Put a value that is as far as any other in the place of each infinite one: no gate that fails then passes."""
    if not finite and not below and not above:
        return
    for direction in ("under", "over"):
        gate = Gate("psnr", direction, 50.0, statistic)
        found = statistic_of(gate, np.array(finite), below, above)
        assert not math.isnan(found)
        bounded = np.array([*finite, *[-1e3] * below, *[1e3] * above])
        if statistic == "mean":
            plain = bounded.mean() if len(bounded) else 0.0
        else:
            plain = np.percentile(bounded, gate.percent)
        if gate.is_broken_by(plain) and (finite or (below and above)):
            assert gate.is_broken_by(found) or found == pytest.approx(50.0)
    # alone they are what they are
    if not finite and not below:
        assert statistic_of(Gate("psnr", "under", 50.0, statistic), np.array([]), 0, above) == math.inf


@pytest.mark.parametrize(("direction", "passed"), [("under", True), ("over", False)])
@pytest.mark.parametrize("statistic", ["pair", "mean", "p50"])
def test_equal_images_have_an_infinite_psnr(direction, passed, statistic):
    gate = Gate("psnr", direction, 60.0, statistic)
    judge = PairJudge(gate) if statistic == "pair" else RunJudge(gate, True)
    verdict, _ = judged(judge, [row(0, math.inf, "psnr"), row(1, math.inf, "psnr")])
    assert (verdict.passed, verdict.judged) == (passed, 2)


def test_the_mean_leaves_out_what_would_hide_the_rest():
    verdict, _ = judged(
        RunJudge(Gate("psnr", "under", 30.0, "mean"), True), [row(0, math.inf, "psnr"), row(1, 20.0, "psnr")]
    )
    assert (verdict.passed, verdict.value) == (False, 20.0)
    assert [(v, r.ref) for v, r in verdict.worst] == [(20.0, "r/1")]


@pytest.mark.boundary
@pytest.mark.parametrize(
    "judge", [PairJudge(Gate("ssim", "under", 0.5)), RunJudge(Gate("ssim", "under", 0.5, "mean"), True)]
)
def test_a_gate_that_judged_nothing_fails(judge):
    verdict, _ = judged(judge, [FAILED])
    assert (verdict.passed, verdict.judged, verdict.reason) == (False, 0, "no pair has a score of ssim")


def test_a_run_that_was_stopped_leaves_gates_of_the_run_open():
    verdict, _ = judged(RunJudge(Gate("ssim", "under", 0.5, "mean"), True), [row(0, 0.1)], is_complete=False)
    assert verdict.passed is None
    assert "stopped" in verdict.reason
    verdict, _ = judged(PairJudge(Gate("ssim", "under", 0.5)), [row(0, 0.1)], is_complete=False)
    assert verdict.passed is False  # what broke has broken


def test_strict_counts_what_is_not_scored():
    partly = ScoreRow("r/p", "t/p", "unscorable", "ssim: too small", {"psnr": 3.0})
    verdict, problems = judged(StrictJudge(), [row(0, 0.5), FAILED, partly])
    assert (verdict.passed, verdict.judged, verdict.broken) == (False, 3, 2)
    assert problems == [[], ["missing: no partner in TEST"], ["unscorable: ssim: too small"]]
    assert judged(StrictJudge(), [row(0, 0.5)])[0].passed
