"""Operating points, intervals, AUPRO, histograms and files against direct implementations."""

from __future__ import annotations

import io
import math
import subprocess
import sys
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

import pixelgauge
from pixelgauge import Confusion, RankingHistogram, _core
from pixelgauge.ranking import out_of_core as module_out_of_core


def sample(rng: np.random.Generator, n: int, decimals: int | None = 1) -> tuple[np.ndarray, np.ndarray]:
    y = (rng.random(n) < 0.4).astype(int)
    y[:4] = 0, 1, 0, 1
    x = rng.standard_normal(n) + y
    return y, x if decimals is None else np.round(x, decimals)


def placements(y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong's V10 and V01, every pair looked at."""
    p, n = x[y == 1], x[y == 0]
    psi = (n[None, :] < p[:, None]) + 0.5 * (n[None, :] == p[:, None])
    return psi.mean(axis=1), psi.mean(axis=0)


@pytest.mark.oracle
@pytest.mark.parametrize("decimals", [None, 1, 0])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int8", "uint8"])
def test_delong_interval_equals_pairs(rng: np.random.Generator, decimals: int | None, dtype: str) -> None:
    y, x = sample(rng, 300, decimals)
    x = (x if dtype.startswith("f") else x * 10 + 60).astype(dtype)
    v10, v01 = placements(y, x)
    error = math.sqrt(v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01))
    interval = pixelgauge.delong_interval(y, x)
    assert interval.auroc == pytest.approx(v10.mean(), abs=1e-14)
    assert interval.standard_error == pytest.approx(error, abs=1e-14)  # a few ulp of 300-term means
    assert interval.high - interval.low == pytest.approx(2 * 1.959963984540054 * error, abs=1e-13)


@pytest.mark.oracle
def test_delong_test_equals_pairs(rng: np.random.Generator) -> None:
    y, a = sample(rng, 200)
    b = np.round(a + rng.standard_normal(200), 1)
    (a10, a01), (b10, b01) = placements(y, a), placements(y, b)
    covariance = np.cov(a10, b10) / len(a10) + np.cov(a01, b01) / len(a01)
    z = (a10.mean() - b10.mean()) / math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    test = pixelgauge.delong_test(y, a, b)
    assert test.z == pytest.approx(z, rel=1e-10)  # cancellation in the oracle's three covariances
    assert test.p_value == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), rel=1e-9)
    assert pixelgauge.delong_test(y, a, a) == (test.auroc_a, test.auroc_a, 0.0, 1.0, 0.0, 0.0, 0.0)


@pytest.mark.oracle
def test_delong_equals_a_hand_calculation() -> None:
    y = np.array([0, 0, 1, 1])
    x = np.array([0.1, 0.4, 0.35, 0.8])
    with pytest.warns(UserWarning, match="below 10 of a class"):
        interval = pixelgauge.delong_interval(y, x)
    # by hand: V10 = (1/2, 1), V01 = (1, 1/2): variance (1/8)/2 + (1/8)/2 = 1/8
    assert interval.auroc == 0.75
    assert interval.standard_error == pytest.approx(math.sqrt(1 / 8), abs=1e-15)


@pytest.mark.property
def test_delong_sums_at_size_equal_python_integers() -> None:
    n = 400_000
    y = np.arange(n) % 2
    x = np.arange(n) // 4  # two of each class tied
    bits = _core.label_bits(y.astype(np.uint8), np.array([1, 1], np.uint8), np.array([0, 0], np.uint8))
    twice_u, positive_squares, negative_squares, p, q = _core.delong(x, bits)
    groups = n // 4
    # a positive of group g has 2 g negatives below and 2 tied: twice its placement is 4 g + 2
    assert twice_u == sum(2 * (4 * g + 2) for g in range(groups))
    assert positive_squares == sum(2 * (4 * g + 2) ** 2 for g in range(groups)) == negative_squares
    assert (p, q) == (n // 2, n // 2)


@pytest.mark.property
def test_bootstrap_is_seeded_and_covers_the_value(rng: np.random.Generator) -> None:
    y, x = sample(rng, 500)
    a = pixelgauge.bootstrap_interval(y, x, replicates=400, seed=3)
    assert a == pixelgauge.bootstrap_interval(y, x, replicates=400, seed=3)
    assert a != pixelgauge.bootstrap_interval(y, x, replicates=400, seed=4)
    delong = pixelgauge.delong_interval(y, x)
    assert a.low < a.auroc < a.high
    # 400 replicates know a standard deviation to 1/sqrt(800) = 3.5 %; four of those
    assert a.standard_error == pytest.approx(delong.standard_error, rel=0.15)


@pytest.mark.property
def test_groups_equal_separate_calls(rng: np.random.Generator) -> None:
    y, x = sample(rng, 300)
    groups = np.array(["u", "v", "w"])[rng.integers(0, 3, 300)]
    result = pixelgauge.auroc_by_group(y, x, groups)
    assert list(result) == ["u", "v", "w"]
    for name, value in result.items():
        assert value == pixelgauge.roc_auc_score(y[groups == name], x[groups == name])


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float64", "float32", "int8"])
def test_confusion_equals_counting(rng: np.random.Generator, dtype: str) -> None:
    y, x = sample(rng, 200)
    x = (x * (10 if dtype == "int8" else 1)).astype(dtype)
    threshold = float(x[7])
    c = pixelgauge.confusion_at_threshold(y, x, threshold)
    called = x >= threshold
    tp, fp = int((called & (y == 1)).sum()), int((called & (y == 0)).sum())
    fn, tn = int((~called & (y == 1)).sum()), int((~called & (y == 0)).sum())
    assert c == Confusion(tp, fp, fn, tn)
    assert c.sensitivity == tp / (tp + fn)
    assert c.specificity == tn / (tn + fp)
    assert c.precision == tp / (tp + fp)
    assert c.negative_predictive_value == tn / (tn + fn)
    assert c.accuracy == (tp + tn) / 200
    assert c.f1 == 2 * tp / (2 * tp + fp + fn)
    assert c.mcc == pytest.approx(np.corrcoef(y, called)[0, 1], abs=1e-13)
    assert c.youden_j == c.sensitivity + c.specificity - 1
    assert c.balanced_accuracy == (c.sensitivity + c.specificity) / 2
    assert math.isnan(pixelgauge.confusion_at_threshold(y, x, np.inf).precision)


@pytest.mark.oracle
@pytest.mark.parametrize("criterion", ["youden", "f1", "mcc", "accuracy", "balanced_accuracy", "closest"])
def test_best_threshold_equals_trying_all(rng: np.random.Generator, criterion: str) -> None:
    y, x = sample(rng, 150)

    def merit(threshold: float) -> float:
        c = pixelgauge.confusion_at_threshold(y, x, threshold)
        if criterion == "closest":
            return -math.hypot(1 - c.specificity, 1 - c.sensitivity)
        value = float(getattr(c, "youden_j" if criterion == "youden" else criterion))
        return 0.0 if math.isnan(value) else value

    best = max(merit(t) for t in [np.inf, *np.unique(x)])
    # the two ways round differently by an ulp or two
    assert merit(pixelgauge.best_threshold(y, x, criterion=criterion)) == pytest.approx(best, abs=1e-14)


@pytest.mark.oracle
@pytest.mark.parametrize("tpr", [0.05, 0.5, 0.95, 1.0])
def test_fpr_at_tpr_equals_trying_all(rng: np.random.Generator, tpr: float) -> None:
    y, x = sample(rng, 150)
    rates = [((x[y == 0] >= t).mean(), (x[y == 1] >= t).mean()) for t in np.unique(x)]
    assert pixelgauge.fpr_at_tpr(y, x, tpr) == min(f for f, t in rates if t >= tpr)


def direct_aupro(masks: np.ndarray, maps: np.ndarray, max_fpr: float) -> float:
    """A threshold sweep over every distinct score, regions by SciPy."""
    ndimage = pytest.importorskip("scipy.ndimage", reason="SciPy, the oracle of connected regions, is not installed")
    regions = []
    for mask, scores in zip(masks, maps, strict=True):
        labels, n = ndimage.label(mask, structure=np.ones((3, 3)))
        regions += [scores[labels == k + 1] for k in range(n)]
    normal = maps[masks == 0]
    fpr, pro = [0.0], [0.0]
    for t in np.unique(maps)[::-1]:
        fpr.append(float((normal >= t).mean()))
        pro.append(float(np.mean([(r >= t).mean() for r in regions])))
    area = 0.0
    for k in range(1, len(fpr)):
        if fpr[k - 1] >= max_fpr:
            break
        right = min(fpr[k], max_fpr)
        step = fpr[k] - fpr[k - 1]
        height = pro[k] if step == 0 else pro[k - 1] + (pro[k] - pro[k - 1]) * (right - fpr[k - 1]) / step
        area += (right - fpr[k - 1]) * (pro[k - 1] + height) / 2
    return area / max_fpr


@pytest.mark.oracle
@pytest.mark.parametrize("max_fpr", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8"])
def test_aupro_equals_sweep(rng: np.random.Generator, max_fpr: float, dtype: str) -> None:
    masks = rng.random((3, 17, 23)) < 0.15
    maps = rng.random((3, 17, 23)) + 0.5 * masks
    maps = (maps * 100).astype(dtype) if dtype == "uint8" else np.round(maps, 2).astype(dtype)
    assert pixelgauge.aupro(masks, maps, max_fpr=max_fpr) == pytest.approx(direct_aupro(masks, maps, max_fpr), abs=1e-9)


@pytest.mark.oracle
@pytest.mark.parametrize("density", [0.02, 0.3, 0.5, 0.9])
def test_regions_equal_scipy(rng: np.random.Generator, density: float) -> None:
    ndimage = pytest.importorskip("scipy.ndimage", reason="SciPy, the oracle of connected regions, is not installed")
    masks = (rng.random((4, 40, 31)) < density).astype(np.uint8)
    labels, counts = _core.connected_components(masks)
    for mask, ours, n in zip(masks, labels, counts, strict=True):
        theirs, m = ndimage.label(mask, structure=np.ones((3, 3)))
        assert n == m
        assert len({*zip(ours.ravel().tolist(), theirs.ravel().tolist(), strict=True)}) == n + (mask == 0).any()


@pytest.mark.property
def test_histogram_contains_merges_and_refines(rng: np.random.Generator) -> None:
    y, x = sample(rng, 20_000, None)
    exact, ap = pixelgauge.roc_auc_score(y, x), pixelgauge.average_precision_score(y, x)
    whole = RankingHistogram(bins=64, score_range=(-3, 4))
    whole.update(y, x)
    merged = RankingHistogram(bins=64, score_range=(-3, 4))
    for part in (slice(15_000, None), slice(0, 15_000)):
        one = RankingHistogram(bins=64, score_range=(-3, 4))
        one.update(y[part], x[part])
        merged.merge(RankingHistogram.from_bytes(one.to_bytes()))
    assert merged.auroc() == whole.auroc()
    assert (merged.positives, merged.negatives) == (y.sum(), len(y) - y.sum())
    for bounds, value in ((whole.auroc(), exact), (whole.average_precision(), ap)):
        assert bounds.low <= value <= bounds.high
        assert bounds.width < 0.05
    histogram = whole
    for _ in range(3):
        histogram = histogram.refined(1e-4)
        histogram.update(y, x)
    assert histogram.auroc().low <= exact <= histogram.auroc().high
    assert histogram.auroc().width <= 1e-4


@pytest.mark.property
@pytest.mark.parametrize("seed", range(20))
def test_histogram_bounds_hold_on_small_samples(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 12)
    y[:2] = 0, 1
    x = np.round(rng.normal(size=12), 1)
    x[3:5] = np.inf, -np.inf
    histogram = RankingHistogram([-0.5, 0.0, 0.5])
    histogram.update(y, x)
    rounding = 1e-15
    for bounds, value in (
        (histogram.auroc(), pixelgauge.roc_auc_score(y, x)),
        (histogram.average_precision(), pixelgauge.average_precision_score(y, x)),
    ):
        assert bounds.low - rounding <= value <= bounds.high + rounding


@pytest.fixture
def many_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module_out_of_core, "LEAST_BUDGET", 1 << 16)


@pytest.mark.property
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8", "uint64"])
@pytest.mark.parametrize("budget", [1 << 17, 1 << 26])
def test_out_of_core_equals_in_core(
    rng: np.random.Generator, tmp_path: Path, dtype: str, budget: int, many_passes: None
) -> None:
    y, x = sample(rng, 30_000, 2)
    x = (x if dtype.startswith("f") else np.abs(x) * 30).astype(dtype)
    if dtype.startswith("f"):
        x[:7] = np.inf, -np.inf, -0.0, 0.0, 1e30, -1e30, 5e-324
    np.save(tmp_path / "y.npy", y)
    np.save(tmp_path / "x.npy", x)
    files = tmp_path / "y.npy", tmp_path / "x.npy"
    assert pixelgauge.roc_auc_score_out_of_core(*files, memory_budget=budget) == pixelgauge.roc_auc_score(y, x)


@pytest.mark.property
def test_out_of_core_stays_within_its_budget(rng: np.random.Generator, tmp_path: Path) -> None:
    y, x = sample(rng, 4_000_000, None)
    np.save(tmp_path / "y.npy", y.astype(np.uint8))
    np.save(tmp_path / "x.npy", x)
    expected = pixelgauge.roc_auc_score(y, x)
    tracemalloc.start()
    try:
        value = pixelgauge.roc_auc_score_out_of_core(tmp_path / "y.npy", tmp_path / "x.npy", memory_budget=32 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert value == expected
    # tracemalloc sees NumPy's memory but not the kernel's copy of the held keys: 8 of 20 bytes of half the budget
    assert peak + (32 << 20) // 2 * 8 // 20 <= 32 << 20


@pytest.mark.property
def test_out_of_core_parquet(rng: np.random.Generator, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow, the arrow extra, is not installed")
    import pyarrow.parquet

    y, x = sample(rng, 5000)
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table({"label": y, "score": x}), path)
    assert pixelgauge.roc_auc_score_out_of_core(path, path) == pixelgauge.roc_auc_score(y, x)
    with pytest.raises(ValueError, match="no column"):
        pixelgauge.roc_auc_score_out_of_core(path, path, score_column="p")
    pyarrow.parquet.write_table(pa.table({"label": [0, 1, None], "score": [0.1, 0.2, 0.3]}), path)
    with pytest.raises(ValueError, match="missing values"):
        pixelgauge.roc_auc_score_out_of_core(path, path)


def saved(array: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (saved(np.array([0.1, 0.2])), "inconsistent"),
        (saved(np.ones((3, 1))), "1d array"),
        (saved(np.array([0.1, np.nan, 0.2])), "NaN"),
        (saved(np.array([0.1, 0.2, 0.3]))[:-8], "truncated"),
        (b"not an array", r"is no \.npy array"),
    ],
    ids=["shorter", "two axes", "NaN", "truncated", "no array"],
)
def test_out_of_core_bad_scores(tmp_path: Path, data: bytes, message: str) -> None:
    np.save(tmp_path / "labels.npy", np.array([0, 1, 1]))
    (tmp_path / "scores.npy").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        pixelgauge.roc_auc_score_out_of_core(tmp_path / "labels.npy", tmp_path / "scores.npy")


@pytest.mark.boundary
def test_out_of_core_bad_files(tmp_path: Path) -> None:
    labels, scores = tmp_path / "labels.npy", tmp_path / "scores.npy"
    np.save(labels, np.array([0, 1, 1]))
    np.save(scores, np.array([0.1, 0.2, 0.3]))
    call = pixelgauge.roc_auc_score_out_of_core
    with pytest.raises(ValueError, match="0 and 1 only"):
        call(scores, scores)
    with pytest.raises(ValueError, match="memory_budget"):
        call(labels, scores, memory_budget=1000)
    with pytest.raises(ValueError, match="give two"):
        call(tmp_path / "a.csv", tmp_path / "b.csv")
    with pytest.raises(FileNotFoundError):
        call(tmp_path / "none.npy", labels)


@pytest.mark.boundary
@pytest.mark.parametrize(("call", "message"), [
    (lambda: pixelgauge.delong_interval([0, 1, 1], [1, 2, 3]), "two of each"),
    (lambda: pixelgauge.delong_interval([0, 0, 1, 1], [1, 2, 3, 4], level=1.5), "level"),
    (lambda: pixelgauge.delong_test([0, 0, 1, 1], [1, 2, 3, 4], [1, 2, np.nan, 3]), "NaN"),
    (lambda: pixelgauge.bootstrap_interval([0, 0, 1, 1], [1, 2, 3, 4], replicates=1), "replicates"),
    (lambda: pixelgauge.bootstrap_interval([0, 0, 1, 1], [1, 2, 3, 4], seed=-1), "seed=-1 must be a whole number of at least 0"),
    (lambda: pixelgauge.fpr_at_tpr([0, 1], [1, 2], 0), "tpr"),
    (lambda: pixelgauge.fpr_at_tpr([1, 1], [1, 2]), "one class"),
    (lambda: pixelgauge.best_threshold([0, 1], [1, 2], criterion="g"), "criterion"),
    (lambda: pixelgauge.confusion_at_threshold([0, 1], [1, 2], math.nan), "threshold"),
    (lambda: pixelgauge.confusion_at_threshold([0, 1], [1, np.nan], 0.5), "NaN"),
    (lambda: pixelgauge.auroc_by_group([0, 1], [1, 2], ["a"]), "inconsistent"),
    (lambda: pixelgauge.auroc_by_group([0, 1, 2], [1, 2, 3], [1, 1, 1]), "multiclass"),
    (lambda: pixelgauge.auroc_by_group([0, 1], [1, np.nan], [1, 1]), "NaN"),
    (lambda: pixelgauge.auroc_by_group([0, 1], [1, 2], [1, np.nan]), "NaN"),
    (lambda: pixelgauge.roc_auc_score([0, 1], [1, 2], groups=[1, 1], max_fpr=0.5), "groups="),
    (lambda: pixelgauge.auroc_by_column([0, 1], [1, 2]), "one column"),
    (lambda: pixelgauge.auroc_by_column([0, 1, 1], [[1], [2]]), "inconsistent"),
    (lambda: pixelgauge.auroc_by_column([0, 1], [[1], [np.nan]]), "NaN"),
    (lambda: pixelgauge.top_k_accuracy_score([0, 1], [1, 2], k=0), "k=0"),
    (lambda: pixelgauge.top_k_accuracy_score([0, 1], [1, np.nan]), "NaN"),
    (lambda: pixelgauge.top_k_accuracy_score([0, 1, 2], [[1, 2], [1, 2], [1, 2]]), "Number of classes"),
    (lambda: pixelgauge.aupro(np.zeros((4, 4)), np.zeros((4, 4))), "anomalous"),
    (lambda: pixelgauge.aupro(np.ones((4, 4)), np.zeros((4, 4))), "normal"),
    (lambda: pixelgauge.aupro(np.eye(4), np.zeros((4, 5))), "must both be"),
    (lambda: pixelgauge.aupro(np.eye(4), np.full((4, 4), np.nan)), "NaN"),
    (lambda: pixelgauge.aupro(np.eye(4), np.zeros((4, 4)), max_fpr=0), "max_fpr"),
    (lambda: RankingHistogram(bins=1), "bins"),
    (lambda: RankingHistogram(score_range=(1, 0)), "score_range"),
    (lambda: RankingHistogram([1, 1]), "rise"),
    (lambda: RankingHistogram().auroc(), "both are needed"),
    (lambda: RankingHistogram().update([0, 2], [0.1, 0.2]), "0 and 1"),
    (lambda: RankingHistogram().update([0, 1], [0.1, np.nan]), "NaN"),
    (lambda: RankingHistogram().merge(RankingHistogram(bins=8)), "different edges"),
    (lambda: RankingHistogram.from_bytes(b"no"), "not a RankingHistogram"),
])  # fmt: skip
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


@pytest.mark.boundary
@pytest.mark.parametrize(("call", "message"), [
    (lambda: pixelgauge.confusion_at_threshold([0, 1], [1, 2], "a"), "threshold='a' must be a number"),
    (lambda: pixelgauge.confusion_at_threshold([0, 1], [1, 2], None), "threshold=None must be a number"),
    (lambda: pixelgauge.fpr_at_tpr([0, 1], [1, 2], "a"), "tpr='a' must be a number"),
    (lambda: pixelgauge.delong_interval([0, 0, 1, 1], [1, 2, 3, 4], level="a"), "level='a' must be a number"),
    (lambda: pixelgauge.bootstrap_interval([0, 0, 1, 1], [1, 2, 3, 4], seed="a"), "seed='a' must be a whole number"),
    (lambda: pixelgauge.bootstrap_interval([0, 0, 1, 1], [1, 2, 3, 4], replicates=2.5), "replicates=2.5 must be"),
])  # fmt: skip
def test_arguments_of_the_wrong_type(call: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()  # type: ignore[operator]


@pytest.mark.parity
def test_delong_equals_a_published_example() -> None:
    """Ratings of 109 CT images (Hanley and McNeil, Radiology 143, 1982, table I); DeLong's figures from Stata's manual.

    Stata [R] roctab, example 1: area 0.8932, standard error 0.0307, 95 % interval 0.83295 to 0.95339.
    """
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    y = np.repeat([0, 1], [sum(normal), sum(abnormal)])
    x = np.concatenate([np.repeat(np.arange(1, 6), counts) for counts in (normal, abnormal)])
    interval = pixelgauge.delong_interval(y, x)
    # as many digits as are printed
    assert round(interval.auroc, 4) == 0.8932
    assert round(interval.standard_error, 4) == 0.0307
    assert (round(interval.low, 5), round(interval.high, 5)) == (0.83295, 0.95339)


@pytest.mark.property
@pytest.mark.parametrize("decimals", [None, 2])
@pytest.mark.usefixtures("restored_isa")
def test_statistics_do_not_depend_on_isa_or_threads(
    rng: np.random.Generator, decimals: int | None, restored_threads: None
) -> None:
    y, x = sample(rng, 120_000, decimals)
    x = x.astype(np.float32)
    b = np.round(x + rng.standard_normal(len(x)), 2)
    weights = rng.random(len(x))
    masks = np.zeros((2, 60, 70), bool)
    masks[:, 10:30, 20:40] = True
    maps = np.round(rng.random(masks.shape) + 0.5 * masks, 3)

    def everything() -> list[np.ndarray]:
        results: list[object] = [
            pixelgauge.average_precision_score(y, x), pixelgauge.average_precision_score(y, x, sample_weight=weights),
            pixelgauge.roc_auc_score(y, x, sample_weight=weights), pixelgauge.roc_auc_score(y, x, max_fpr=0.2),
            pixelgauge.delong_interval(y, x), pixelgauge.delong_test(y, x, b), pixelgauge.aupro(masks, maps),
            list(pixelgauge.roc_auc_score(y, x, groups=np.arange(len(x)) % 5).values()),
        ]  # fmt: skip
        for drop in (False, True):
            for w in (None, weights):
                for curve in (pixelgauge.roc_curve, pixelgauge.precision_recall_curve, pixelgauge.det_curve):
                    results += curve(y, x, drop_intermediate=drop, sample_weight=w)
        return [np.asarray(r) for r in results]

    pixelgauge.set_num_threads(1)
    expected = everything()
    for isa in _core.available_isas():
        _core.set_isa(isa)
        for threads in (1, 2, 5):
            pixelgauge.set_num_threads(threads)
            for one, other in zip(everything(), expected, strict=True):
                np.testing.assert_array_equal(one, other, err_msg=f"{isa}, {threads} threads")


@pytest.mark.property
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "uint64"])
@pytest.mark.parametrize("kind", ["few", "many", "one large", "strings"])
def test_groups_in_one_pass_equal_separate_calls(rng: np.random.Generator, dtype: str, kind: str) -> None:
    n = 4000 if kind != "one large" else 400_000
    y, x = sample(rng, n)
    x = (x if dtype.startswith("f") else np.abs(x) * 20).astype(dtype)
    groups = {
        "few": rng.integers(-3, 4, n), "many": rng.integers(0, 900, n) * 7,
        "one large": np.where(rng.random(n) < 0.9, 2, 5), "strings": np.array(["u", "v", "w"])[rng.integers(0, 3, n)],
    }[kind]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pixelgauge.UndefinedMetricWarning)
        result = pixelgauge.roc_auc_score(y, x, groups=groups)
        expected = {
            name: pixelgauge.roc_auc_score(y[groups == name], x[groups == name])
            for name in np.unique(groups).tolist()[:50]
            if len(np.unique(y[groups == name])) == 2
        }
    assert list(result) == np.unique(groups).tolist()
    assert {name: result[name] for name in expected} == expected


@pytest.mark.property
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_columns_equal_separate_calls(rng: np.random.Generator, order: str, dtype: str) -> None:
    y = (rng.random(500) < 0.3).astype(int)
    x = np.asarray((rng.random((500, 37)) * 100 + y[:, None]).astype(dtype), order=order)
    expected = [pixelgauge.roc_auc_score(y, x[:, k]) for k in range(37)]
    assert pixelgauge.auroc_by_column(y, x).tolist() == expected
    with pytest.warns(pixelgauge.UndefinedMetricWarning, match="one class"):
        assert np.isnan(pixelgauge.auroc_by_column(np.ones(500), x)).all()


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint16"])
def test_heavy_ties_and_oversize_buckets(rng: np.random.Generator, dtype: str) -> None:
    """Most scores equal, or within one bucket of the split: buckets are split again, or counted without being kept."""
    n = 600_000
    y = rng.random(n) < 0.2
    x = np.where(rng.random(n) < 0.7, 7, rng.integers(0, 100, n)).astype(np.float64)
    if dtype == "float64":
        x = np.where(rng.random(n) < 1e-4, 1e300 * rng.standard_normal(n), 1 + x * 2.0**-50)
    x = x.astype(dtype)
    values, codes = np.unique(x, return_inverse=True)
    p, q = (np.bincount(codes[y == label], minlength=len(values)) for label in (True, False))
    below = np.cumsum(q) - q
    twice = int((p * (2 * below + q)).sum())
    assert pixelgauge.roc_auc_score(y, x) == twice / (2 * int(p.sum()) * int(q.sum()))
    tp, called = np.cumsum(p[::-1]), np.cumsum((p + q)[::-1])
    # one rounding a term, some hundreds of terms
    expected = float((p[::-1] * (tp / called)).sum() / p.sum())
    assert pixelgauge.average_precision_score(y, x) == pytest.approx(expected, abs=1e-13)
    _, tpr, thresholds = pixelgauge.roc_curve(y, x, drop_intermediate=False)
    np.testing.assert_array_equal(thresholds[1:], values[::-1].astype(np.float64))
    np.testing.assert_array_equal(tpr[1:], tp / p.sum())


@pytest.mark.property
def test_bfloat16_bits_equal_their_float32(rng: np.random.Generator) -> None:
    y, x = sample(rng, 5000, None)
    bits = (x.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    widened = (bits.astype(np.uint32) << 16).view(np.float32)
    packed = _core.label_bits(y.astype(np.uint8), np.array([1, 1], np.uint8), np.array([0, 0], np.uint8))
    twice_u, p, n = _core.auroc(bits, packed, True)
    assert twice_u / (2 * p * n) == pixelgauge.roc_auc_score(y, widened)
    ours = _core.curve(bits, packed, None, _core.CurveDrop.none, True, True)
    for a, b in zip(ours, pixelgauge.roc_curve(y, widened, drop_intermediate=False), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.property
def test_bfloat16_arrays(rng: np.random.Generator) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes, which gives NumPy bfloat16, is not installed")
    y, x = sample(rng, 3000, None)
    scores = x.astype(ml_dtypes.bfloat16)
    assert pixelgauge.roc_auc_score(y, scores) == pixelgauge.roc_auc_score(y, scores.astype(np.float32))
    weights = rng.random(len(y))
    assert pixelgauge.roc_auc_score(y, scores, sample_weight=weights) == pytest.approx(
        pixelgauge.roc_auc_score(y, scores.astype(np.float32), sample_weight=weights), abs=1e-14
    )  # the buckets differ, so the sums are grouped otherwise


BUDGET_PROGRAM = """
import sys, numpy as np, pixelgauge
def kilobytes(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name))
small = sys.argv[4:]
pixelgauge.roc_auc_score_out_of_core(*small)  # libraries and pools are there before the budget counts
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = kilobytes("VmRSS")
value = pixelgauge.roc_auc_score_out_of_core(*sys.argv[1:3], memory_budget=int(sys.argv[3]))
print(repr(value), 1024 * (kilobytes("VmHWM") - before))
"""


@pytest.mark.property
@pytest.mark.parametrize("kind", ["npy", "parquet"])
def test_out_of_core_peak_memory_is_within_the_budget(rng: np.random.Generator, tmp_path: Path, kind: str) -> None:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("peak memory is read from Linux's /proc")
    n, budget = 6_000_000, 32 << 20
    y, x = sample(rng, n, None)
    x = x.astype(np.float64)

    def write(name: str, labels: np.ndarray, scores: np.ndarray) -> list[str]:
        if kind == "parquet":
            pa = pytest.importorskip("pyarrow", reason="pyarrow, the arrow extra, is not installed")
            import pyarrow.parquet

            path = tmp_path / f"{name}.parquet"
            pyarrow.parquet.write_table(pa.table({"label": labels.astype(np.int8), "score": scores}), path)
            return [str(path), str(path)]
        np.save(tmp_path / f"{name}-y.npy", labels.astype(np.int8))
        np.save(tmp_path / f"{name}-x.npy", scores)
        return [str(tmp_path / f"{name}-y.npy"), str(tmp_path / f"{name}-x.npy")]

    files, small = write("large", y, x), write("small", y[:100], x[:100])
    run = subprocess.run(
        [sys.executable, "-c", BUDGET_PROGRAM, *files, str(budget), *small], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    value, extra = run.stdout.split()
    assert float(value) == pixelgauge.roc_auc_score(y, x)
    assert int(extra) <= budget
