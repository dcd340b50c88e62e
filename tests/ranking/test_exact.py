"""Numbers that float64 would round stay what they are, from lists, arrays and tables to AUROC, curves and thresholds."""

from __future__ import annotations

import math
import warnings
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import pixelgauge
from pixelgauge import _core

P53 = 2**53
CURVES = (pixelgauge.roc_curve, pixelgauge.precision_recall_curve, pixelgauge.det_curve)

# the second of each pair is the greater, by less than a float64 tells
PAIRS = {
    "int64": np.array([P53, P53 + 1]), "list": [P53, P53 + 1], "tuple": (P53, P53 + 1), "range": range(P53, P53 + 2),
    "uint64": np.array([2**64 - 2, 2**64 - 1], np.uint64), "negative": np.array([-P53 - 1, -P53]),
    "nanoseconds": np.array([1_700_000_000_000_000_000, 1_700_000_000_000_000_001]),
    "beyond 64 bits": [2**64, 2**64 + 1], "of both signs": [-1, 2**63], "objects": np.array([P53, P53 + 1], object),
    "numpy scalars": [np.int64(P53), np.uint64(P53 + 1)], "ends": np.array([-(2**63), 2**63 - 1]),
    "fractions": [Fraction(1, 3), Fraction(1, 3) + Fraction(1, 10**30)],
    "decimals": [Decimal("0.1"), Decimal("0.10000000000000000000001")], "foreign": np.array([P53, P53 + 1], ">i8"),
    "integer above a float": [0.5 + P53 - 1, P53 + 1], "integer below a float": [P53 + 1, P53 + 2.0],
    "matrix of one column": np.array([[P53], [P53 + 1]]), "beyond any float": [10**400, 10**400 + 1],
}  # fmt: skip


@pytest.mark.oracle
@pytest.mark.parametrize("name", PAIRS)
def test_two_scores_that_a_float_cannot_tell_apart(name: str) -> None:
    pair = PAIRS[name]
    low, high = (v.item() if isinstance(v, np.generic) else v for v in np.array(pair, object).ravel())
    swapped = pair[::-1]
    for y, value in (([0, 1], 1.0), ([1, 0], 0.0)):
        assert pixelgauge.roc_auc_score(y, pair) == value
        assert pixelgauge.roc_auc_score(y, pair, sample_weight=[1, 3]) == value
        assert pixelgauge.average_precision_score(y, pair) == (1 + value) / 2
        assert pixelgauge.fpr_at_tpr(y, pair) == 1 - value
        assert pixelgauge.auroc_by_group(y, pair, [1, 1]) == {1: value}
        assert pixelgauge.auroc_by_column(y, np.array(pair, object).reshape(2, 1)).tolist() == [value]
    twice = (
        np.concatenate([pair, pair]) if isinstance(pair, np.ndarray) else [*pair, *pair]
    )  # a variance needs two of each
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of so few, and of separation
        for interval in (pixelgauge.delong_interval, pixelgauge.bootstrap_interval, pixelgauge.roc_auc_interval):
            assert interval([0, 1, 0, 1], twice).auroc == 1
        assert pixelgauge.delong_test([0, 1, 0, 1], twice, [0, 1, 1, 0])[:2] == (1, 0.5)
    assert pixelgauge.best_threshold([0, 1], pair) == high
    for threshold, called in ((low, 2), (high, 1)):
        found = pixelgauge.confusion_at_threshold([0, 1], swapped, threshold)
        assert (found.false_positives + found.true_positives, found.false_positives) == (called, 1)
    for curve in CURVES:
        thresholds = curve([0, 1], pair)[2].tolist()
        assert [t for t in thresholds if t != math.inf] == {
            pixelgauge.roc_curve: [high, low], pixelgauge.precision_recall_curve: [low, high]
        }.get(curve, [high])  # fmt: skip
        kept = set(curve([1, 0], swapped, drop_intermediate=False)[2].tolist()) - {math.inf}
        assert kept <= {low, high}


@pytest.mark.parity
@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "int64", "uint64", "float32", "float64"])
def test_thresholds_of_ordinary_scores_are_scikit_learns(dtype: str) -> None:
    sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn, the followed program, is not installed")
    y, x = [0, 1, 0, 1, 1], np.array([1, 2, 3, 4, 4], dtype)
    for curve in CURVES:
        ours, theirs = curve(y, x)[2], getattr(sk, curve.__name__)(y, x)[2]
        assert ours.tolist() == theirs.tolist()
        # of float32 scores float64 holds the same thresholds
        assert ours.dtype == theirs.dtype or dtype == "float32"
    assert isinstance(pixelgauge.best_threshold(y, x), float)


@pytest.mark.property
def test_dtypes_of_thresholds_that_float64_does_not_hold() -> None:
    for dtype, base in ((np.int64, P53), (np.uint64, 2**63)):
        x = np.array([base, base + 1, base + 2, base + 3], dtype)
        _, _, roc = pixelgauge.roc_curve([0, 1, 0, 1], x)
        assert (roc[0], roc[1:].tolist()) == (math.inf, [base + 3, base + 2, base + 1, base])
        assert pixelgauge.precision_recall_curve([0, 1, 0, 1], x)[2].dtype == dtype
        assert pixelgauge.det_curve([0, 1, 0, 1], x)[2].dtype == dtype
        assert pixelgauge.det_curve([1, 0, 1, 0], x)[2].tolist() == [base, base + 1, base + 2, base + 3, math.inf]
        # a comparison by NumPy with each is exact
        for k, threshold in enumerate(roc[1:]):
            assert int((x >= threshold).sum()) == k + 1


@pytest.mark.oracle
@pytest.mark.parametrize("threshold", [
    P53 + 1, P53 + 2.0, Fraction(2 * P53 + 1, 2), Decimal(P53) + Decimal("0.5"), np.int64(P53 + 1), np.uint64(P53 + 1),
    np.float32(2.0**60), 2**70, -(2**70), pytest.param(10**400, id="huge"), pytest.param(-(10**400), id="-huge"), math.inf, -math.inf, 0.1, Fraction(1, 10), Decimal("0.1"),
    np.float64(0.5), True, np.longdouble(P53) + 1,
])  # fmt: skip
@pytest.mark.parametrize("scores", [
    np.array([P53 - 1, P53, P53 + 1, P53 + 2, P53 + 3, -P53 - 1]), np.array([0, P53 + 1, P53 + 3, 2**64 - 1], np.uint64),
    np.array([0.1, 2.0**53, 2.0**53 + 2, np.inf, -np.inf, 1]), np.array([0.1, 0.5, 1, 2**60, np.inf], np.float32),
    np.array([0, 1, 127], np.int8), np.array([True, False]), np.array([P53 + 1, 0.5, Fraction(1, 10), 2**70], object),
])  # fmt: skip
def test_decisions_round_neither_score_nor_threshold(scores: Any, threshold: Any) -> None:
    if isinstance(threshold, np.longdouble) and np.finfo(np.longdouble).nmant < 60:
        pytest.skip("long double is float64 here")
    y = np.arange(len(scores)) % 2
    found = pixelgauge.confusion_at_threshold(y, scores, threshold)
    exact = Fraction(*threshold.as_integer_ratio()) if isinstance(threshold, np.longdouble) else threshold
    exact = exact.item() if isinstance(exact, np.generic) else exact
    exact = Fraction(exact) if isinstance(exact, Decimal) else exact
    assert found.true_positives + found.false_positives == sum(bool(v >= exact) for v in scores.tolist())


@pytest.mark.oracle
def test_labels_are_told_apart_exactly() -> None:
    y = np.array([P53, P53 + 1, P53, P53 + 1])
    for labels in (y, y.tolist(), y.astype(object), [P53, P53 + 1.0 + 1, P53, P53 + 2]):
        assert pixelgauge.roc_auc_score(labels, [1, 3, 2, 4]) == 1
    for positive, value in ((P53, 0), (P53 + 1, 1), (np.int64(P53 + 1), 1), (float(P53), 0), (Fraction(P53), 0)):
        fpr, tpr, _ = pixelgauge.roc_curve(y, [1, 3, 2, 4], pos_label=positive)
        assert pixelgauge.auc(fpr, tpr) == value
        assert pixelgauge.RocCurveDisplay.from_predictions(y, [1, 3, 2, 4], pos_label=positive).roc_auc == value
    for labels in ([2**64, 2**64 + 1], [P53 + 1, 0.5], [0.0, P53 + 1]):
        with pytest.raises(ValueError, match=r"y_true holds numbers of more than 64 bits|continuous|use smaller"):
            pixelgauge.roc_auc_score(labels, [1, 2])
    classes = [P53, P53 + 1, P53 + 2]
    scores = np.eye(3)
    assert pixelgauge.top_k_accuracy_score(classes, scores, k=1) == 1
    assert pixelgauge.top_k_accuracy_score(np.array(classes, np.uint64), scores, k=1, labels=np.array(classes)) == 1


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint64", "int64", "float16", "bool", "object"])
def test_areas_do_not_wrap_around(dtype: str) -> None:
    x, y = np.array([1, 1, 0] if dtype == "bool" else [100, 50, 0], dtype), np.array([1, 1, 1], dtype)
    assert pixelgauge.auc(x, y) == float(x[0]) == pixelgauge.auc(x[::-1], y)
    top = {"uint8": 250, "int8": 120, "uint64": 2**63, "int64": 2**61, "float16": 6e4, "bool": 1, "object": 10**30}[
        dtype
    ]
    assert pixelgauge.auc(np.array([0, 1], dtype), np.array([top, top], dtype)) == float(top)
    with pytest.raises(TypeError, match=r"x holds 'a'|x has dtype <U"):
        pixelgauge.auc(["a", "b"], [1, 2])


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["int64", "uint64", "parquet"])
def test_columns_out_of_core_are_not_rounded(dtype: str, tmp_path: Path) -> None:
    y, x = np.array([0, 1] * 50), np.arange(100) + P53
    if dtype == "parquet":
        pa = pytest.importorskip("pyarrow", reason="pyarrow, the arrow extra, is not installed")
        import pyarrow.parquet

        path = tmp_path / "t.parquet"
        pyarrow.parquet.write_table(pa.table({"label": y, "score": x}), path)
        found = pixelgauge.roc_auc_score_out_of_core(path, path)
    else:
        np.save(tmp_path / "y.npy", y)
        np.save(tmp_path / "x.npy", x.astype(dtype))
        found = pixelgauge.roc_auc_score_out_of_core(tmp_path / "y.npy", tmp_path / "x.npy")
    assert found == float(pairs(y.tolist(), x.tolist())) == pixelgauge.roc_auc_score(y, x)


@pytest.mark.boundary
def test_histograms_refuse_what_their_edges_cannot_tell_apart() -> None:
    histogram = pixelgauge.RankingHistogram([float(P53)])
    histogram.update([0, 1], [P53 - 1, P53])
    for scores in ([0, P53 + 1], [0, -P53 - 1], np.array([0, 2**64 - 1], np.uint64), [0, Fraction(1, 3)], [0, 2**70]):
        with pytest.raises(ValueError, match="float64 cannot tell apart"):
            histogram.update([0, 1], scores)
    for edges in ([0, P53 + 1], [Fraction(1, 3), 1], [0, 2**70]):
        with pytest.raises(ValueError, match="edges holds numbers that float64 would round"):
            pixelgauge.RankingHistogram(edges)
    assert pixelgauge.RankingHistogram.from_bytes(histogram.to_bytes()).auroc() == (1, 1)


# ---- properties ----

wide = st.integers(-(2**66), 2**66) | st.sampled_from(
    [P53 - 1, P53, P53 + 1, P53 + 2, 2**63 - 1, 2**63, 2**64 - 1, -P53 - 1]
)
floats = st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, math.inf, -math.inf, 5e-324, float(P53)])
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def of_dtype(dtype: str) -> st.SearchStrategy[Any]:
    if dtype in INTEGERS:
        info = np.iinfo(dtype)
        some = st.sampled_from(
            sorted({info.min, info.max, info.max - 1, max(info.min, -1), 0, 1, min(info.max, P53 + 1)})
        )
        return st.integers(int(info.min), int(info.max)) | some
    return {
        "float16": st.floats(allow_nan=False, width=16) | st.sampled_from([0.0, -0.0, 1.0]),
        "float32": st.floats(allow_nan=False, width=32) | st.sampled_from([0.0, -0.0, 1.0]),
        "float64": floats, "list of integers": wide, "list of both": wide | floats,
        "list of fractions": st.fractions() | st.integers(-3, 3),
    }[dtype]  # fmt: skip


@st.composite
def rankings(draw: st.DrawFn, most: int = 40) -> tuple[list[int], list[Any], Any]:
    """Labels of both classes, scores as Python's numbers, and the same as they are given."""
    dtype = draw(st.sampled_from([*INTEGERS, "float16", "float32", "float64", "list of integers", "list of both",
                                  "list of fractions"]))  # fmt: skip
    pool = draw(st.lists(of_dtype(dtype), min_size=1, max_size=most))
    scores = draw(st.lists(st.sampled_from(pool), min_size=2, max_size=most)) if draw(st.booleans()) else pool
    assume(len(scores) >= 2)
    y = draw(st.lists(st.integers(0, 1), min_size=len(scores), max_size=len(scores)))
    assume(0 < sum(y) < len(y))
    given_as = scores if dtype.startswith("list") else np.array(scores, dtype)
    return y, scores if dtype.startswith("list") else given_as.tolist(), given_as


def pairs(y: list[int], scores: list[Any], weights: list[int] | None = None) -> Fraction:
    """AUROC by looking at every pair, in Python's numbers."""
    w = weights or [1] * len(y)
    twice = total = 0
    for a, x, u in zip(y, scores, w, strict=True):
        for b, z, v in zip(y, scores, w, strict=True):
            if a == 1 and b == 0:
                twice += u * v * (2 if z < x else 1 if z == x else 0)
                total += 2 * u * v
    return Fraction(twice, total)


@pytest.mark.property
@given(rankings())
def test_auroc_is_the_count_of_pairs(ranking: tuple[list[int], list[Any], Any]) -> None:
    y, scores, given_as = ranking
    exact = float(pairs(y, scores))
    assert pixelgauge.roc_auc_score(y, given_as) == exact
    assert pixelgauge.auroc_by_group(y, given_as, ["a"] * len(y)) == {"a": exact}
    repeated = given_as * 2 if isinstance(given_as, list) else np.concatenate([given_as, given_as])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of few samples, and of separation
        assert pixelgauge.delong_interval(y * 2, repeated).auroc == exact
        assert pixelgauge.roc_auc_interval(y * 2, repeated).auroc == exact


@pytest.mark.property
@given(rankings(), st.data())
def test_integer_weights_are_repetitions(ranking: tuple[list[int], list[Any], Any], data: st.DataObject) -> None:
    y, scores, given_as = ranking
    weights = data.draw(st.lists(st.integers(0, 5), min_size=len(y), max_size=len(y)))
    assume(any(w for w, label in zip(weights, y, strict=True) if label) and any(
        w for w, label in zip(weights, y, strict=True) if not label))  # fmt: skip
    # sums of small integers are exact in float64, the quotient is rounded once
    assert pixelgauge.roc_auc_score(y, given_as, sample_weight=weights) == pytest.approx(
        float(pairs(y, scores, weights)), rel=1e-15
    )


@pytest.mark.property
@given(rankings())
def test_curves_and_decisions_are_the_counts_at_each_score(ranking: tuple[list[int], list[Any], Any]) -> None:
    y, scores, given_as = ranking
    positives, negatives = sum(y), len(y) - sum(y)
    fpr, tpr, thresholds = pixelgauge.roc_curve(y, given_as, drop_intermediate=False)
    distinct = sorted(set(scores), reverse=True)
    finite = thresholds.tolist()[1:]
    assert thresholds.tolist()[0] == math.inf
    assert finite == distinct
    precision, recall, rising = pixelgauge.precision_recall_curve(y, given_as)
    assert rising.tolist() == distinct[::-1]
    for k, threshold in enumerate(finite, 1):
        called = [x >= threshold for x in scores]
        tp = sum(label for label, c in zip(y, called, strict=True) if c)
        fp = sum(called) - tp
        assert (fpr[k], tpr[k]) == (fp / negatives, tp / positives)
        assert (precision[-k - 1], recall[-k - 1]) == (tp / (tp + fp), tp / positives)
        found = pixelgauge.confusion_at_threshold(y, given_as, threshold)
        assert (found.true_positives, found.false_positives) == (tp, fp)
    best = pixelgauge.best_threshold(y, given_as)
    merit = [-math.inf, *(t - f for f, t in zip(fpr[1:], tpr[1:], strict=True))]
    merit[0] = 0.0
    assert best == [math.inf, *distinct][int(np.argmax(merit))]


@pytest.mark.property
@given(rankings(most=12), st.integers(1, 400))
def test_neither_threads_nor_instruction_sets_matter(ranking: tuple[list[int], list[Any], Any], times: int) -> None:
    y, _, given_as = ranking
    scores = given_as * times if isinstance(given_as, list) else np.tile(given_as, times)
    found = set()
    isa, threads = pixelgauge.isa(), pixelgauge.get_num_threads()
    try:
        for name in _core.available_isas():
            _core.set_isa(name)
            for n in (1, 3):
                pixelgauge.set_num_threads(n)
                curve = pixelgauge.roc_curve(y * times, scores)
                found.add((pixelgauge.roc_auc_score(y * times, scores), pixelgauge.average_precision_score(y * times, scores),
                           *(tuple(part.tolist()) for part in curve)))  # fmt: skip
    finally:
        _core.set_isa(isa)
        pixelgauge.set_num_threads(threads)
    assert len(found) == 1
