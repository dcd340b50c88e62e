"""Operating points, intervals, AUPRO, histograms and files against direct implementations."""

from __future__ import annotations

import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import pixelgauge
from pixelgauge import Confusion, RankingHistogram, _core
from pixelgauge import out_of_core as module_out_of_core

RNG = np.random.default_rng(99)


def sample(n: int, decimals: int | None = 1) -> tuple[np.ndarray, np.ndarray]:
    y = (RNG.random(n) < 0.4).astype(int)
    y[:4] = 0, 1, 0, 1
    x = RNG.standard_normal(n) + y
    return y, x if decimals is None else np.round(x, decimals)


def placements(y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong's V10 and V01, every pair looked at."""
    p, n = x[y == 1], x[y == 0]
    psi = (n[None, :] < p[:, None]) + 0.5 * (n[None, :] == p[:, None])
    return psi.mean(axis=1), psi.mean(axis=0)


@pytest.mark.oracle
@pytest.mark.parametrize("decimals", [None, 1, 0])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int8", "uint8"])
def test_delong_interval_equals_pairs(decimals: int | None, dtype: str) -> None:
    y, x = sample(300, decimals)
    x = (x if dtype.startswith("f") else x * 10 + 60).astype(dtype)
    v10, v01 = placements(y, x)
    error = math.sqrt(v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01))
    interval = pixelgauge.delong_interval(y, x)
    assert interval.auroc == pytest.approx(v10.mean(), abs=1e-14)
    assert interval.standard_error == pytest.approx(error, abs=1e-14)  # a few ulp of 300-term means
    assert interval.high - interval.low == pytest.approx(2 * 1.959963984540054 * error, abs=1e-13)


@pytest.mark.oracle
def test_delong_test_equals_pairs() -> None:
    y, a = sample(200)
    b = np.round(a + RNG.standard_normal(200), 1)
    (a10, a01), (b10, b01) = placements(y, a), placements(y, b)
    covariance = np.cov(a10, b10) / len(a10) + np.cov(a01, b01) / len(a01)
    z = (a10.mean() - b10.mean()) / math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    test = pixelgauge.delong_test(y, a, b)
    assert test.z == pytest.approx(z, rel=1e-10)  # cancellation in the oracle's three covariances
    assert test.p_value == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), rel=1e-9)
    assert pixelgauge.delong_test(y, a, a) == (test.auroc_a, test.auroc_a, 0.0, 1.0)


@pytest.mark.oracle
def test_delong_equals_a_hand_calculation() -> None:
    y = np.array([0, 0, 1, 1])
    x = np.array([0.1, 0.4, 0.35, 0.8])
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
def test_bootstrap_is_seeded_and_covers_the_value() -> None:
    y, x = sample(500)
    a = pixelgauge.bootstrap_interval(y, x, replicates=400, seed=3)
    assert a == pixelgauge.bootstrap_interval(y, x, replicates=400, seed=3)
    assert a != pixelgauge.bootstrap_interval(y, x, replicates=400, seed=4)
    delong = pixelgauge.delong_interval(y, x)
    assert a.low < a.auroc < a.high
    # 400 replicates know a standard deviation to 1/sqrt(800) = 3.5 %; four of those
    assert a.standard_error == pytest.approx(delong.standard_error, rel=0.15)


@pytest.mark.property
def test_groups_equal_separate_calls() -> None:
    y, x = sample(300)
    groups = np.array(["u", "v", "w"])[RNG.integers(0, 3, 300)]
    result = pixelgauge.auroc_by_group(y, x, groups)
    assert list(result) == ["u", "v", "w"]
    for name, value in result.items():
        assert value == pixelgauge.roc_auc_score(y[groups == name], x[groups == name])


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float64", "float32", "int8"])
def test_confusion_equals_counting(dtype: str) -> None:
    y, x = sample(200)
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
def test_best_threshold_equals_trying_all(criterion: str) -> None:
    y, x = sample(150)

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
def test_fpr_at_tpr_equals_trying_all(tpr: float) -> None:
    y, x = sample(150)
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
def test_aupro_equals_sweep(max_fpr: float, dtype: str) -> None:
    masks = RNG.random((3, 17, 23)) < 0.15
    maps = RNG.random((3, 17, 23)) + 0.5 * masks
    maps = (maps * 100).astype(dtype) if dtype == "uint8" else np.round(maps, 2).astype(dtype)
    assert pixelgauge.aupro(masks, maps, max_fpr=max_fpr) == pytest.approx(direct_aupro(masks, maps, max_fpr), abs=1e-9)


@pytest.mark.oracle
@pytest.mark.parametrize("density", [0.02, 0.3, 0.5, 0.9])
def test_regions_equal_scipy(density: float) -> None:
    ndimage = pytest.importorskip("scipy.ndimage", reason="SciPy, the oracle of connected regions, is not installed")
    masks = (RNG.random((4, 40, 31)) < density).astype(np.uint8)
    labels, counts = _core.label_regions(masks)
    for mask, ours, n in zip(masks, labels, counts, strict=True):
        theirs, m = ndimage.label(mask, structure=np.ones((3, 3)))
        assert n == m
        assert len({*zip(ours.ravel().tolist(), theirs.ravel().tolist(), strict=True)}) == n + (mask == 0).any()


@pytest.mark.property
def test_histogram_contains_merges_and_refines() -> None:
    y, x = sample(20_000, None)
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
    monkeypatch.setattr(module_out_of_core, "_LEAST_BUDGET", 1 << 16)


@pytest.mark.property
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8", "uint64"])
@pytest.mark.parametrize("budget", [1 << 17, 1 << 26])
def test_out_of_core_equals_in_core(tmp_path: Path, dtype: str, budget: int, many_passes: None) -> None:
    y, x = sample(30_000, 2)
    x = (x if dtype.startswith("f") else np.abs(x) * 30).astype(dtype)
    if dtype.startswith("f"):
        x[:7] = np.inf, -np.inf, -0.0, 0.0, 1e30, -1e30, 5e-324
    np.save(tmp_path / "y.npy", y)
    np.save(tmp_path / "x.npy", x)
    files = tmp_path / "y.npy", tmp_path / "x.npy"
    assert pixelgauge.roc_auc_score_out_of_core(*files, memory_budget=budget) == pixelgauge.roc_auc_score(y, x)


@pytest.mark.property
def test_out_of_core_stays_within_its_budget(tmp_path: Path) -> None:
    y, x = sample(4_000_000, None)
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
def test_out_of_core_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow, the arrow extra, is not installed")
    import pyarrow.parquet

    y, x = sample(5000)
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table({"label": y, "score": x}), path)
    assert pixelgauge.roc_auc_score_out_of_core(path, path) == pixelgauge.roc_auc_score(y, x)
    with pytest.raises(ValueError, match="no column"):
        pixelgauge.roc_auc_score_out_of_core(path, path, score_column="p")
    pyarrow.parquet.write_table(pa.table({"label": [0, 1, None], "score": [0.1, 0.2, 0.3]}), path)
    with pytest.raises(ValueError, match="missing values"):
        pixelgauge.roc_auc_score_out_of_core(path, path)


@pytest.mark.boundary
def test_out_of_core_bad_files(tmp_path: Path) -> None:
    good, other = tmp_path / "good.npy", tmp_path / "other.npy"
    np.save(good, np.array([0, 1, 1]))
    call = pixelgauge.roc_auc_score_out_of_core
    for content, message in (
        (np.array([0.1, 0.2]), "inconsistent"), (np.ones((3, 1)), "1d array"), (np.array([0.1, np.nan, 0.2]), "NaN"),
    ):  # fmt: skip
        np.save(other, content)
        with pytest.raises(ValueError, match=message):
            call(good, other)
    np.save(other, np.array([0.1, 0.2, 0.3]))
    with pytest.raises(ValueError, match="0 and 1 only"):
        call(other, other)
    with pytest.raises(ValueError, match="memory_budget"):
        call(good, other, memory_budget=1000)
    other.write_bytes(other.read_bytes()[:-8])
    with pytest.raises(ValueError, match="truncated"):
        call(good, other)
    other.write_bytes(b"not an array")
    with pytest.raises(ValueError, match=r"not a \.npy"):
        call(good, other)
    with pytest.raises(ValueError, match="give two"):
        call(tmp_path / "a.csv", tmp_path / "b.csv")
    with pytest.raises(FileNotFoundError):
        call(tmp_path / "none.npy", good)


@pytest.mark.boundary
@pytest.mark.parametrize(("call", "message"), [
    (lambda: pixelgauge.delong_interval([0, 1, 1], [1, 2, 3]), "two of each"),
    (lambda: pixelgauge.delong_interval([0, 0, 1, 1], [1, 2, 3, 4], level=1.5), "level"),
    (lambda: pixelgauge.delong_test([0, 0, 1, 1], [1, 2, 3, 4], [1, 2, np.nan, 3]), "NaN"),
    (lambda: pixelgauge.bootstrap_interval([0, 0, 1, 1], [1, 2, 3, 4], replicates=1), "replicates"),
    (lambda: pixelgauge.fpr_at_tpr([0, 1], [1, 2], 0), "tpr"),
    (lambda: pixelgauge.fpr_at_tpr([1, 1], [1, 2]), "one class"),
    (lambda: pixelgauge.best_threshold([0, 1], [1, 2], criterion="g"), "criterion"),
    (lambda: pixelgauge.confusion_at_threshold([0, 1], [1, 2], math.nan), "threshold"),
    (lambda: pixelgauge.confusion_at_threshold([0, 1], [1, np.nan], 0.5), "NaN"),
    (lambda: pixelgauge.auroc_by_group([0, 1], [1, 2], ["a"]), "inconsistent"),
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
