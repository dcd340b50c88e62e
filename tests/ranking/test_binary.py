"""AUROC against integer pair counting and scikit-learn; ranks must not depend on threads or instruction sets."""

from __future__ import annotations

import numpy as np
import pytest

import pixelgauge
from pixelgauge import _core

sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn, the test oracle, is not installed")


def pair_counting(labels: np.ndarray, scores: np.ndarray) -> float:
    """AUROC from Python's integers, every pair looked at."""
    positive, negative = scores[labels == 1].tolist(), scores[labels == 0].tolist()
    twice = sum(2 if n < p else 1 if n == p else 0 for p in positive for n in negative)
    return twice / (2 * len(positive) * len(negative))


def by_searchsorted(labels: np.ndarray, scores: np.ndarray) -> float:
    """The same through two sorted lookups, with sums in Python's integers: fit for large samples."""
    negative, positive = np.sort(scores[labels == 0]), scores[labels == 1]
    less, not_more = (int(np.searchsorted(negative, positive, side).sum()) for side in ("left", "right"))
    return (less + not_more) / (2 * len(positive) * len(negative))


def sample(rng: np.random.Generator, kind: str, n: int, prevalence: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Labels and float64 scores of one of the shapes that break ranking programs."""
    y = (rng.random(n) < prevalence).astype(np.int64)
    y[:2] = 0, 1
    x = rng.standard_normal(n) + y
    match kind:
        case "random":
            pass
        case "tied":
            x = np.round(x, 1)
        case "constant":
            x = np.full(n, 0.25)
        case "sorted":
            x = np.sort(x)
        case "reversed":
            x = np.sort(x)[::-1].copy()
        case "infinite":
            x = np.where(rng.random(n) < 0.2, np.inf, np.where(rng.random(n) < 0.2, -np.inf, x))
        case "denormal":
            x = np.round(x * 50) * 5e-324
        case "signed zeros":
            x = np.where(rng.random(n) < 0.4, -0.0, np.where(rng.random(n) < 0.5, 0.0, np.sign(x)))
        case "saturated":
            x = 1 - np.exp(-36 * rng.random(n) * (1 + y) / 2)
        case "outliers":
            x = np.where(rng.random(n) < 1e-3, 1e300, 1 + 1e-9 * x)
        case "separated":
            x = x + 10 * y
    return y, x


KINDS = ["random", "tied", "constant", "sorted", "reversed", "infinite", "denormal", "signed zeros", "saturated",
         "outliers", "separated"]  # fmt: skip
DTYPES = ["float16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


@pytest.mark.oracle
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [2, 3, 17, 64, 65, 130])
def test_small_samples_equal_pair_counting(rng: np.random.Generator, kind: str, n: int) -> None:
    y, x = sample(rng, kind, n)
    assert pixelgauge.roc_auc_score(y, x) == pair_counting(y, x)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_equals_pair_counting(rng: np.random.Generator, dtype: str) -> None:
    y, x = sample(rng, "random", 150)
    info = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else None
    scores = (x * 10 + (0 if info is None or info.min else 60)).astype(dtype)
    scores[:3] = (info.min, info.max, 0) if info else (-np.inf, np.inf, 0)
    assert pixelgauge.roc_auc_score(y, scores) == pair_counting(y, scores)


@pytest.mark.property
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.usefixtures("restored_isa", "restored_threads")
def test_large_samples_on_every_isa_and_thread_count(rng: np.random.Generator, kind: str, dtype: str) -> None:
    y, x = sample(rng, kind, 150_000, prevalence=0.1)
    with np.errstate(over="ignore"):
        scores = x.astype(dtype)
    expected = by_searchsorted(y, scores)
    for isa in _core.available_isas():
        _core.set_isa(isa)
        for threads in (1, 3):
            _core.set_num_threads(threads)
            assert pixelgauge.roc_auc_score(y, scores) == expected, (isa, threads)


@pytest.mark.oracle
def test_scores_beyond_what_a_sample_meets(rng: np.random.Generator) -> None:
    # most scores are equal and the greatest but for a few: those few must not count as equal to each other
    for top in range(13000, 13008):
        x = rng.integers(0, 12000, 300_000).astype(np.uint32)
        x[rng.random(len(x)) < 0.7] = top
        y = rng.random(len(x)) < 0.3
        few = rng.integers(0, len(x), 12)
        x[few], y[few] = np.arange(12) * 10**8 + 20000, np.arange(12) % 2
        assert pixelgauge.roc_auc_score(y, x) == by_searchsorted(y, x)
        assert len(pixelgauge.roc_curve(y, x, drop_intermediate=False)[0]) == len(np.unique(x)) + 1


@pytest.mark.oracle
@pytest.mark.usefixtures("restored_isa", "restored_threads")
def test_many_scores_are_taken_slice_by_slice(rng: np.random.Generator) -> None:
    # beyond 2 * 3 * 2^23 scores, the keys are split in two slices, each of a reading of its own
    n = 2 * (3 << 23) + 77
    x = rng.integers(0, 1 << 20, n, np.uint32)
    y = rng.random(n, np.float32) < 0.1
    x += np.uint32(1 << 16) * y
    steps = [np.bincount(part, minlength=17 << 16) for part in (x[~y], x[y])]
    x *= np.uint32(3000)
    negatives, positives = (step[::-1] for step in steps)
    below = len(y) - int(y.sum()) - np.cumsum(negatives)
    expected = int((positives * (2 * below + negatives)).sum()) / (2 * int(y.sum()) * int((~y).sum()))
    for isa in _core.available_isas():
        _core.set_isa(isa)
        assert pixelgauge.roc_auc_score(y, x) == expected, isa
    _core.set_num_threads(1)
    assert pixelgauge.roc_auc_score(y[::-1], x[::-1].astype(np.float64)) == expected
    # sorted scores: whole parts of the reading lie in one slice, and all of the memory is needed for it
    _core.set_num_threads(8)
    halved = np.sort(y), np.sort(x)[::-1]
    assert pixelgauge.roc_auc_score(*halved) == pixelgauge.roc_auc_score(halved[0][::-1], halved[1][::-1])
    assert pixelgauge.roc_auc_score(*halved) < 0.05
    distinct = positives + negatives > 0
    fpr, tpr, thresholds = pixelgauge.roc_curve(y, x, drop_intermediate=False)
    assert np.array_equal(fpr[1:], np.cumsum(negatives)[distinct] / negatives.sum())
    assert np.array_equal(tpr[1:], np.cumsum(positives)[distinct] / positives.sum())
    assert len(thresholds) == len(np.unique(thresholds))
    called = np.cumsum(positives + negatives)[positives > 0]
    precision = np.cumsum(positives)[positives > 0] / called
    # sums of a million terms of 1e-6, one of them pairwise: rounding stays below 1e-12
    assert pixelgauge.average_precision_score(y, x) == pytest.approx(
        float((positives[positives > 0] * precision).sum() / positives.sum()), rel=1e-12
    )


@pytest.mark.parity
@pytest.mark.parametrize("kind", [k for k in KINDS if k != "infinite"])  # scikit-learn refuses infinities
def test_binary_equals_sklearn(rng: np.random.Generator, kind: str) -> None:
    y, x = sample(rng, kind, 3000)
    # both are within rounding of the same fraction; theirs sums up to 3000 terms pairwise
    assert pixelgauge.roc_auc_score(y, x) == pytest.approx(sklearn_metrics.roc_auc_score(y, x), abs=1e-15)


@pytest.mark.property
def test_layouts_read_in_place(rng: np.random.Generator) -> None:
    y, x = sample(rng, "random", 5000)
    expected = pixelgauge.roc_auc_score(y, x)
    wide = np.empty((5000, 3))
    wide[:, 1] = x
    assert pixelgauge.roc_auc_score(y, wide[:, 1]) == expected
    assert pixelgauge.roc_auc_score(y[::-1], x[::-1]) == expected
    frozen = x.copy()
    frozen.setflags(write=False)
    assert pixelgauge.roc_auc_score(np.repeat(y, 2)[::2], frozen) == expected
    assert pixelgauge.roc_auc_score(y, x.astype(">f8")) == expected
    assert pixelgauge.roc_auc_score(y.tolist(), x.tolist()) == expected
    assert pixelgauge.roc_auc_score(y[:, None], x[:, None]) == expected


@pytest.mark.property
@pytest.mark.parametrize("labels", [
    lambda y: y == 1, lambda y: 2 * y - 1, lambda y: y.astype(np.float32), lambda y: -0.0 * (1 - y) + y,
    lambda y: y.astype(np.uint8), lambda y: np.where(y == 1, "sick", "healthy"),
    lambda y: np.where(y == 1, "sick", "healthy").astype(object), lambda y: y.astype(np.int16) + 7,
])  # fmt: skip
def test_any_two_labels(rng: np.random.Generator, labels: object) -> None:
    y, x = sample(rng, "random", 1000)
    assert pixelgauge.roc_auc_score(labels(y), x) == pixelgauge.roc_auc_score(y, x)  # type: ignore[operator]


@pytest.mark.boundary
def test_one_class_is_nan_with_a_warning() -> None:
    with pytest.warns(pixelgauge.UndefinedMetricWarning, match="Only one class"):
        assert np.isnan(pixelgauge.roc_auc_score([1, 1], [0.1, 0.2]))


@pytest.mark.boundary
@pytest.mark.parametrize(("y", "x", "error", "message"), [
    ([0, 1], [0.1, np.nan], ValueError, "NaN"),
    ([0, 1, 1], [0.1, 0.2], ValueError, "inconsistent numbers of samples"),
    ([], [], ValueError, "empty"),
    ([0, 1], [[0.1, 0.2], [0.3, 0.4]], ValueError, "1d array"),
    ([0.5, 1], [0.1, 0.2], ValueError, "continuous"),
    ([np.nan, 1], [0.1, 0.2], ValueError, "NaN"),
    ([0, 1], ["a", "b"], TypeError, "dtype"),
    ([0, 1], [1j, 2j], TypeError, "dtype"),
    ([0, 1], np.array([1, 2], np.longdouble), TypeError, "dtype"),
    (3, [1, 2], ValueError, "single value"),
])  # fmt: skip
def test_bad_input(y: object, x: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        pixelgauge.roc_auc_score(y, x)
