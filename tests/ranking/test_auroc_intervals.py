"""Intervals of AUROC against published figures, plain definitions and each other."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

import pixelgauge
from pixelgauge.ranking.placements import placements
from pixelgauge.ranking.score_interval import AreaSample, _proportional_hazards, score_interval
from tests.ranking.aneurysms import NDKA, OUTCOME, S100B, WFNS


def sample(rng: np.random.Generator, p: int, n: int, shift: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    y = np.repeat([1, 0], [p, n])
    return y, rng.standard_normal(p + n) + shift * y


def rows_of(found: tuple[float, ...]) -> tuple[float, float]:
    return found[1], found[2]


@pytest.mark.parity
def test_delong_gives_procs_published_figures() -> None:
    # pROC 1.19, tests/testthat/test-ci.auc.R
    found = pixelgauge.delong_interval(OUTCOME, NDKA)
    assert (found.low, found.auroc, found.high) == pytest.approx(
        (0.501244999271703, 0.611957994579946, 0.722670989888189), abs=1e-12
    )


@pytest.mark.oracle
def test_newcombe_solves_its_equation(rng: np.random.Generator) -> None:
    y, s = sample(rng, 20, 60)
    found = pixelgauge.roc_auc_interval(y, s, method="newcombe")
    z = stats.norm.ppf(0.975)
    for end in (found.low, found.high):
        half = (20 + 60) / 2 - 1
        variance = end * (1 - end) * (1 + half * (1 - end) / (2 - end) + half * end / (1 + end)) / (20 * 60)
        assert abs(found.auroc - end) == pytest.approx(z * math.sqrt(variance), rel=1e-9)


@pytest.mark.oracle
@pytest.mark.parametrize("max_fpr", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("t", [0.02, 0.4, 0.97])
def test_the_family_has_the_variances_that_integrals_give(t: float, max_fpr: float) -> None:
    # the true positive rate q is u^k at a false positive rate u: integrals over q have no pole
    k = _power(t, max_fpr)
    q = (np.arange(400_000) + 0.5) / 400_000 * max_fpr**k
    positives = 1 - q ** (1 / k) / max_fpr
    u = (np.arange(400_000) + 0.5) / 400_000 * max_fpr
    negatives = (max_fpr**k - u**k) / max_fpr
    top, found = max_fpr**k, _proportional_hazards(t, max_fpr)
    assert positives.mean() * top == pytest.approx(t, abs=1e-6)
    assert found[0] == pytest.approx((positives**2).mean() * top - t * t, abs=1e-6)
    mean = negatives.mean() * max_fpr
    assert found[1] == pytest.approx(((negatives**2).mean() * max_fpr - mean**2) * max_fpr, abs=1e-6)


def _power(t: float, max_fpr: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(lambda k: k * math.log(max_fpr) - math.log1p(k) - math.log(t), 0, 500))


@pytest.mark.property
def test_the_whole_area_is_the_limit_of_partial_ones() -> None:
    whole = _proportional_hazards(0.8, 1.0)
    assert _proportional_hazards(0.8, 1 - 1e-12) == pytest.approx(whole, abs=1e-9)


@pytest.mark.oracle
@pytest.mark.parametrize("max_fpr", [0.1, 0.25, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("decimals", [None, 0])
def test_placements_are_the_derivative_of_the_area(
    rng: np.random.Generator, max_fpr: float, weighted: bool, decimals: int | None
) -> None:
    y, s = sample(rng, 30, 70)
    s = s if decimals is None else np.round(s, decimals)
    w = rng.uniform(0.5, 2, 100) if weighted else np.ones(100)
    scores = pixelgauge.ranking.inputs.scores_of(s)
    found = placements(scores, y == 1, w if weighted else None, max_fpr)
    assert found.area == pytest.approx(share(y, s, w, max_fpr), abs=1e-12)
    mean = float(np.average(found.negatives, weights=w[y == 0]))
    step = 1e-6
    for row in (0, 7, 31, 60, 99):
        more = w.copy()
        more[row] += step
        slope = (share(y, s, more, max_fpr) - share(y, s, w, max_fpr)) / step
        class_weight = w[y == y[row]].sum()
        own = found.positives[row] - found.area if row < 30 else found.negatives[row - 30] - mean
        assert slope * class_weight == pytest.approx(own, abs=2e-5)  # a difference quotient


def share(y: np.ndarray, s: np.ndarray, w: np.ndarray, max_fpr: float) -> float:
    """Area up to a rate as a share of it, from scikit-learn's, with McClish's correction taken back."""
    corrected = float(roc_auc_score(y, s, sample_weight=w, max_fpr=max_fpr))
    if max_fpr == 1:
        return corrected
    return (2 * corrected - 1) * (1 - max_fpr / 2) + max_fpr / 2


@pytest.mark.property
@pytest.mark.parametrize(
    "options", [{}, {"max_fpr": 0.2}, {"sample_weight": np.linspace(1, 2, 400)}, {"method": "newcombe"}]
)
@pytest.mark.parametrize("shift", [0.0, 1.0, 8.0])
def test_an_interval_holds_its_estimate_and_nests(
    rng: np.random.Generator, options: dict[str, object], shift: float
) -> None:
    y, s = sample(rng, 100, 300, shift)
    ends = [pixelgauge.roc_auc_interval(y, s, level=level, **options) for level in (0.5, 0.95, 0.999)]
    given = {name: value for name, value in options.items() if name != "method"}
    assert ends[0].auroc == pytest.approx(pixelgauge.roc_auc_score(y, s, **given), abs=1e-12)
    for inner, outer in itertools.pairwise(ends):
        assert outer.low < inner.low < inner.auroc <= inner.high <= outer.high <= 1
    assert ends[1].low < 1


@pytest.mark.property
def test_reversed_scores_give_the_mirrored_interval(rng: np.random.Generator) -> None:
    y, s = sample(rng, 40, 90)
    a, b = pixelgauge.roc_auc_interval(y, s), pixelgauge.roc_auc_interval(y, -s)
    assert (b.low, b.high) == pytest.approx((1 - a.high, 1 - a.low), abs=1e-12)
    swapped = pixelgauge.roc_auc_interval(1 - y, -s)
    assert (swapped.low, swapped.high) == pytest.approx((a.low, a.high), abs=1e-12)


@pytest.mark.property
def test_weights_that_are_equal_are_none(rng: np.random.Generator) -> None:
    y, s = sample(rng, 40, 90)
    plain = pixelgauge.roc_auc_interval(y, s)
    assert pixelgauge.roc_auc_interval(y, s, sample_weight=np.full(130, 3.0)) == pytest.approx(plain, abs=1e-12)


@pytest.mark.property
def test_large_samples_agree_whatever_the_method(rng: np.random.Generator) -> None:
    y, s = sample(rng, 20_000, 30_000)
    ends = {method: pixelgauge.roc_auc_interval(y, s, method=method) for method in ("score", "logit", "delong")}
    for found in ends.values():
        assert rows_of(found) == pytest.approx(rows_of(ends["delong"]), abs=1e-4)


@pytest.mark.boundary
def test_separation_has_a_width_and_delong_warns() -> None:
    y, s = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])
    with pytest.warns(UserWarning, match="2 samples of positives and 2 of negatives: below 10"):
        found = pixelgauge.roc_auc_interval(y, s)
    assert found.high == 1
    assert found.low < 0.5
    with pytest.warns(UserWarning, match="no width, as where no pair is misplaced .*; use roc_auc_interval"):
        assert pixelgauge.delong_interval(y, s)[:3] == (1, 1, 1)
    with pytest.warns(UserWarning, match="use roc_auc_interval"):
        pixelgauge.bootstrap_interval(y, s, replicates=10)
    y, s = np.repeat([0, 1], 20), np.arange(40)
    with pytest.warns(UserWarning, match="no width"):
        pixelgauge.delong_interval(y, s)
    with pytest.raises(ValueError, match=r"method='logit' has no interval where no pair is misplaced.*use 'score'"):
        pixelgauge.roc_auc_interval(y, s, method="logit")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pixelgauge.roc_auc_interval(y, s).low < 1


@pytest.mark.boundary
def test_a_warning_points_at_the_line_that_called() -> None:
    with pytest.warns(UserWarning, match="below 10") as found:
        pixelgauge.roc_auc_interval([0, 0, 1, 1], [0.1, 0.7, 0.6, 0.9])
    assert found[0].filename == __file__


@pytest.mark.oracle
def test_obuchowski_is_the_formula_summed_cluster_by_cluster(rng: np.random.Generator) -> None:
    code = np.arange(120) // 4
    y = (rng.random(120) < 0.4).astype(int)
    y[:2], y[-2:] = (0, 1), (1, 0)
    s = rng.standard_normal(120) + y + 0.7 * rng.standard_normal(30)[code]
    found = pixelgauge.roc_auc_interval(y, s, cluster=[f"image {k}" for k in code], method="delong")
    v10 = {i: float(np.mean(s[y == 0] < s[i])) for i in np.flatnonzero(y)}
    v01 = {i: float(np.mean(s[y == 1] > s[i])) for i in np.flatnonzero(y == 0)}
    area = float(np.mean(list(v10.values())))
    total = {"10": 0.0, "01": 0.0, "11": 0.0}
    with_positives = with_negatives = 0
    for k in range(30):
        rows = np.flatnonzero(code == k)
        a = sum(v10[i] - area for i in rows if y[i])
        b = sum(v01[i] - area for i in rows if not y[i])
        with_positives += bool(y[rows].any())
        with_negatives += bool((y[rows] == 0).any())
        total["10"] += a * a
        total["01"] += b * b
        total["11"] += a * b
    m, n = int(y.sum()), int((y == 0).sum())
    s10 = with_positives / ((with_positives - 1) * m) * total["10"]
    s01 = with_negatives / ((with_negatives - 1) * n) * total["01"]
    s11 = 30 / 29 * total["11"]
    error = math.sqrt(s10 / m + s01 / n + 2 * s11 / (m * n))
    assert found.standard_error == pytest.approx(error, rel=1e-12)
    t = stats.t.ppf(0.975, min(with_positives, with_negatives) - 1)
    assert rows_of(found) == pytest.approx((area - t * error, area + t * error), abs=1e-10)


@pytest.mark.property
def test_clusters_of_one_are_delongs(rng: np.random.Generator) -> None:
    y, s = sample(rng, 40, 90)
    found = pixelgauge.roc_auc_interval(y, s, cluster=np.arange(130))
    plain = pixelgauge.roc_auc_interval(y, s)
    # sums over clusters divide by clusters less one, as samples do; no cluster has both classes
    assert found.standard_error == pytest.approx(plain.standard_error, rel=1e-12)
    assert found.low < plain.low  # Student's quantile
    assert found.low == pytest.approx(plain.low, abs=0.005)


@pytest.mark.property
def test_repeating_rows_of_a_cluster_adds_no_certainty(rng: np.random.Generator) -> None:
    y, s = sample(rng, 30, 30, 0.8)
    once = pixelgauge.roc_auc_interval(y, s, cluster=np.arange(60))
    thrice = pixelgauge.roc_auc_interval(np.repeat(y, 3), np.repeat(s, 3), cluster=np.repeat(np.arange(60), 3))
    assert thrice.standard_error == pytest.approx(once.standard_error, rel=1e-12)
    assert rows_of(thrice) == pytest.approx(rows_of(once), abs=0.01)
    assert pixelgauge.roc_auc_interval(np.repeat(y, 3), np.repeat(s, 3)).standard_error < 0.7 * once.standard_error


@pytest.mark.property
def test_a_bootstrap_of_clusters_is_seeded_and_near_obuchowski(rng: np.random.Generator) -> None:
    code = np.arange(400) // 10
    y = (np.arange(400) % 5 == 0).astype(int)
    s = rng.standard_normal(400) + y + rng.standard_normal(40)[code]
    found = pixelgauge.bootstrap_interval(y, s, cluster=code, replicates=400)
    assert found == pixelgauge.bootstrap_interval(y, s, cluster=code, replicates=400)
    error = pixelgauge.roc_auc_interval(y, s, cluster=code).standard_error
    assert found.standard_error == pytest.approx(error, rel=0.15)  # of 400 replicates
    assert found.auroc == pixelgauge.roc_auc_score(y, s)


@pytest.mark.oracle
def test_groups_are_separate_calls_and_the_mean_is_movers(rng: np.random.Generator) -> None:
    group = np.array(["b", "a", "c"])[np.arange(300) % 3]
    y = (rng.random(300) < 0.4).astype(int)
    s = (rng.standard_normal(300) + y).astype(np.float32)
    found = pixelgauge.roc_auc_interval(y, s, groups=group)
    assert list(found.groups) == ["a", "b", "c"]
    for name, interval in found.groups.items():
        assert interval == pixelgauge.roc_auc_interval(y[group == name], s[group == name])
    gaps = [(i.auroc - i.low, i.high - i.auroc) for i in found.groups.values()]
    mean = sum(i.auroc for i in found.groups.values()) / 3
    assert found.mean.auroc == pytest.approx(mean, abs=1e-15)
    assert found.mean.low == pytest.approx(mean - math.sqrt(sum(low**2 for low, _ in gaps)) / 3, abs=1e-15)
    assert found.mean.high == pytest.approx(mean + math.sqrt(sum(high**2 for _, high in gaps)) / 3, abs=1e-15)


@pytest.mark.boundary
def test_groups_without_an_interval_are_named_once(rng: np.random.Generator) -> None:
    y = np.array([1, 0] * 20 + [1, 0, 0] + [1, 1, 0, 0])
    s = rng.standard_normal(len(y))
    group = np.repeat(["whole", "single", "few"], [40, 3, 4])
    with pytest.warns(UserWarning, match="has fewer than") as warned:
        found = pixelgauge.roc_auc_interval(y, s, groups=group)
    assert [str(w.message).split(":")[0] for w in warned] == [
        "group 'single' has fewer than two samples of a class",
        "group 'few' has fewer than 10 of a class",
    ]
    assert math.isnan(found.groups["single"].low)
    assert found.mean.auroc == (found.groups["whole"].auroc + found.groups["few"].auroc) / 2
    with pytest.raises(ValueError, match="a cluster reaches over groups 'whole' and 'single'"):
        pixelgauge.roc_auc_interval(y, s, groups=group, cluster=np.arange(len(y)) % 40)


Y = np.repeat([0, 1], [60, 20])
S = np.arange(80) % 17


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: pixelgauge.roc_auc_interval(Y, S, level=1), ValueError, r"level=1 must lie between 0 and 1"),
        (lambda: pixelgauge.roc_auc_interval(Y, S, level="0.9"), TypeError, "level='0.9' must be a number"),
        (lambda: pixelgauge.roc_auc_interval(Y, S, level=math.nan), ValueError, "level=nan"),
        (lambda: pixelgauge.roc_auc_interval(Y, S, level=True), TypeError, "level=True must be a number"),
        (lambda: pixelgauge.roc_auc_interval(Y, S, max_fpr=True), TypeError, "max_fpr=True must be a number"),
        (lambda: pixelgauge.roc_auc_interval(Y, S, max_fpr=1e-300), ValueError, r"at least 1e\+301 negatives"),
        (lambda: pixelgauge.roc_auc_interval(Y, S, method="wald"), ValueError, "method='wald' is not known: use one of 'score'"),
        (lambda: pixelgauge.roc_auc_interval(Y, S, max_fpr=0), ValueError, r"max_fpr=0 must be in \(0, 1\]"),
        (lambda: pixelgauge.roc_auc_interval(Y, S, max_fpr=0.1), ValueError, "max_fpr=0.1 leaves 6 negatives .* at least 100 negatives"),
        (lambda: pixelgauge.roc_auc_interval(Y, S, max_fpr=0.5, method="newcombe"), ValueError, "whole area"),
        (lambda: pixelgauge.roc_auc_interval(Y, S, cluster=Y, sample_weight=Y + 1), ValueError, "cannot be combined"),
        (lambda: pixelgauge.roc_auc_interval(Y, S, cluster=Y), ValueError, "1 clusters with positives"),
        (lambda: pixelgauge.roc_auc_interval(Y, S, cluster=np.arange(79)), ValueError, "79"),
        (lambda: pixelgauge.roc_auc_interval(Y, S, cluster=np.where(Y, np.nan, 1.0)), ValueError, "cluster holds NaN"),
        (lambda: pixelgauge.roc_auc_interval(Y, S, groups=np.arange(79)), ValueError, "79"),
        (lambda: pixelgauge.roc_auc_interval(Y, np.where(Y, np.nan, 1.0)), ValueError, "NaN"),
        (lambda: pixelgauge.roc_auc_interval([0, 0, 0, 1], [1, 2, 3, 4]), ValueError, "1 positives and 3 negatives"),
        (lambda: pixelgauge.roc_auc_interval(Y, S, sample_weight=[1] * 60 + [1e9] + [1e-9] * 19), ValueError, "by their weights"),
        (lambda: pixelgauge.roc_auc_interval(Y, S, sample_weight=-np.ones(80)), ValueError, "negative"),
    ],
)  # fmt: skip
def test_bad_input(call: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.property
@pytest.mark.parametrize("options", [{}, {"max_fpr": 0.5}, {"method": "delong"}])
def test_the_scale_of_weights_does_not_matter(rng: np.random.Generator, options: dict[str, object]) -> None:
    y, s = sample(rng, 40, 120)
    w = rng.uniform(0.5, 2, 160)
    plain = pixelgauge.roc_auc_interval(y, s, sample_weight=w, **options)
    for scale in (1e-300, 1e300, np.where(y, 1e200, 1e-100)):
        assert pixelgauge.roc_auc_interval(y, s, sample_weight=w * scale, **options) == pytest.approx(plain, rel=1e-9)
    # samples without weight are not there
    kept = np.arange(160) % 4 > 0
    found = pixelgauge.roc_auc_interval(y, s, sample_weight=w * kept, **options)
    assert found == pytest.approx(
        pixelgauge.roc_auc_interval(y[kept], s[kept], sample_weight=w[kept], **options), abs=1e-12
    )


@pytest.mark.boundary
def test_weights_that_remove_a_class_are_named(rng: np.random.Generator) -> None:
    y, s = sample(rng, 30, 30)
    for call in (
        lambda w: pixelgauge.roc_auc_interval(y, s, sample_weight=w),
        lambda w: pixelgauge.roc_auc_interval(y, s, sample_weight=w, max_fpr=0.5),
        lambda w: pixelgauge.delong_test(y, s, -s, sample_weight=w),
        lambda w: pixelgauge.delong_pairwise(y, np.c_[s, -s], sample_weight=w),
    ):
        with pytest.raises(ValueError, match="30 positives and 0 negatives with any weight"):
            call(y * 1.0)
    group = np.arange(60) % 3
    with pytest.warns(UserWarning, match="group 0 has fewer than two|fewer than 10"):
        found = pixelgauge.roc_auc_interval(y, s, groups=group, sample_weight=np.where((group == 0) & (y == 1), 0, 1))
    assert math.isnan(found.groups[0].low)
    assert not math.isnan(found.mean.low)


@pytest.mark.boundary
def test_an_interval_without_width_is_warned_of(rng: np.random.Generator) -> None:
    y = np.tile([0, 1], 50)
    for call in (
        lambda: pixelgauge.delong_interval(y, y * 0),
        lambda: pixelgauge.bootstrap_interval(y, y * 0, replicates=9),
        lambda: pixelgauge.bootstrap_interval(y, y, replicates=9, cluster=np.arange(100) // 2),
        lambda: pixelgauge.roc_auc_interval(y, y, method="delong"),
        lambda: pixelgauge.roc_auc_interval(y, y, method="delong", sample_weight=rng.random(100)),
        lambda: pixelgauge.roc_auc_interval(y, y * 0, method="logit"),
    ):
        with pytest.warns(UserWarning, match="no width"):
            found = call()
        assert found.low == found.auroc == found.high
    with pytest.raises(ValueError, match="method='logit' has no interval"):
        pixelgauge.roc_auc_interval(y, y, method="logit", sample_weight=rng.random(100))


@pytest.mark.boundary
def test_an_error_within_a_group_names_it(rng: np.random.Generator) -> None:
    y, s = sample(rng, 40, 40)
    group = np.arange(80) % 2
    cluster = np.where(group == 1, 99, np.arange(80))
    with pytest.raises(ValueError, match="in group 1: cluster= has 1 clusters with positives"):
        pixelgauge.roc_auc_interval(y, s, groups=group, cluster=cluster)


@pytest.mark.property
def test_clusters_may_be_any_integers_or_strings(rng: np.random.Generator) -> None:
    y, s = sample(rng, 40, 40)
    code = np.arange(80) // 4
    plain = pixelgauge.roc_auc_interval(y, s, cluster=code)
    for other in (
        code - 7,
        code * 2**50,
        [int(c) * 2**70 for c in code],
        [f"c{c:03}" for c in code],
        code.astype(float),
    ):
        assert pixelgauge.roc_auc_interval(y, s, cluster=other) == pytest.approx(plain, abs=1e-14)
    with pytest.raises(TypeError, match="cluster holds None at place 0, of kind NoneType: use numbers or strings"):
        pixelgauge.roc_auc_interval(y, s, cluster=[None, *code[1:].tolist()])


@pytest.mark.property
def test_every_kind_of_scores_gives_the_same_interval(rng: np.random.Generator) -> None:
    y = rng.integers(0, 2, 200)
    s = rng.integers(0, 50, 200)
    plain = pixelgauge.roc_auc_interval(y, s, max_fpr=0.5)
    objects = np.array([2**70 + int(value) for value in s], object)
    for other in (s.astype(np.uint8), s.astype(np.float16), (s * 1.0)[::-1][::-1], objects):
        assert pixelgauge.roc_auc_interval(y, other, max_fpr=0.5) == plain
        assert pixelgauge.roc_auc_interval(y, other).auroc == pixelgauge.roc_auc_interval(y, s).auroc


@pytest.mark.property
def test_score_interval_at_the_ends() -> None:
    for area in (0.0, 1.0):
        low, high = score_interval(AreaSample(area, 0.0, 0.0, 20, 80), 1.96)
        assert (low, high)[int(area)] == area
        assert 0.02 < high - low < 0.2


def test_published_scores_are_ranked_as_published() -> None:
    # pROC's documentation: 0.7314, 0.612 and 0.8237
    assert [round(pixelgauge.roc_auc_score(OUTCOME, s), 4) for s in (S100B, NDKA, WFNS)] == [0.7314, 0.612, 0.8237]
