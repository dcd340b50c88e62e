"""Every function that shares scikit-learn's name against scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import pixelgauge
from pixelgauge.ranking.inputs import relative_weights

sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn, the test oracle, is not installed")
pytestmark = pytest.mark.parity

# Weighted sums of up to 1e5 terms in another order than scikit-learn's.
WEIGHTED = 1e-12
# One rounding a ratio on either side.
EXACT = 1e-15


def sample(n: int, decimals: int | None, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(np.int64)
    y[:2] = 0, 1
    x = rng.standard_normal(n) + y
    weights = rng.random(n) * (rng.random(n) < 0.9)
    weights[:2] = 1
    return y, x if decimals is None else np.round(x, decimals), weights


CASES = [(2, None), (3, 1), (5, 0), (60, 1), (2000, None), (2000, 2), (60_000, None)]


@pytest.mark.parametrize(("n", "decimals"), CASES)
@pytest.mark.parametrize("name", ["roc_curve", "precision_recall_curve", "det_curve"])
@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "int64"])
def test_curves(n: int, decimals: int | None, name: str, drop: bool, dtype: str) -> None:
    y, x, _ = sample(n, decimals, 1)
    scores = (x if dtype.startswith("f") else np.clip(x * 20, -120, 120)).astype(dtype)
    ours = getattr(pixelgauge, name)(y, scores, drop_intermediate=drop)
    theirs = getattr(sk, name)(y, scores, drop_intermediate=drop)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=EXACT)


@pytest.mark.parametrize(("n", "decimals"), CASES)
@pytest.mark.parametrize("name", ["roc_curve", "precision_recall_curve", "det_curve"])
def test_weighted_curves(n: int, decimals: int | None, name: str) -> None:
    y, x, weights = sample(n, decimals, 2)
    for a, b in zip(
        getattr(pixelgauge, name)(y, x, sample_weight=weights, drop_intermediate=False),
        getattr(sk, name)(y, x, sample_weight=weights, drop_intermediate=False),
        strict=True,
    ):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=WEIGHTED)


@pytest.mark.parametrize(("n", "decimals"), CASES)
@pytest.mark.parametrize("name", ["roc_curve", "precision_recall_curve", "det_curve"])
@pytest.mark.parametrize("kind", ["any", "equal", "few"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
def test_weighted_curves_drop_the_same_points(n: int, decimals: int | None, name: str, kind: str, dtype: str) -> None:
    """Which points are on a line is decided by differences of rounded sums: they must be added in the same order."""
    y, x, weights = sample(n, decimals, 11)
    x = (x if dtype.startswith("f") else x * 20).astype(dtype)
    weights = {"any": weights, "equal": np.full(n, 0.1), "few": np.ceil(weights * 3) / 10}[kind]
    ours = getattr(pixelgauge, name)(y, x, sample_weight=weights, drop_intermediate=True)
    theirs = getattr(sk, name)(y, x, sample_weight=weights, drop_intermediate=True)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=WEIGHTED)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("normalize", [False, True])
def test_top_k_accuracy(k: int, weighted: bool, normalize: bool) -> None:
    rng = np.random.default_rng(21)
    y = rng.integers(0, 5, 400)
    arguments = {"k": k, "normalize": normalize, "sample_weight": rng.random(400) if weighted else None}
    for x in (rng.random((400, 5)), rng.integers(0, 4, (400, 5))):  # the second has ties
        assert pixelgauge.top_k_accuracy_score(y, x, **arguments) == pytest.approx(
            sk.top_k_accuracy_score(y, x, **arguments), abs=WEIGHTED
        )
    some = y[y < 3]
    for x in (rng.random(len(some)), rng.standard_normal(len(some))):
        one = {"k": 1, "normalize": normalize}
        assert pixelgauge.top_k_accuracy_score(some > 0, x, **one) == sk.top_k_accuracy_score(some > 0, x, **one)
    x = rng.random((len(some), 5))
    labels = np.arange(5)
    assert pixelgauge.top_k_accuracy_score(some, x, k=k, labels=labels) == sk.top_k_accuracy_score(
        some, x, k=k, labels=labels
    )


def test_top_k_of_all_classes_warns() -> None:
    with pytest.warns(pixelgauge.UndefinedMetricWarning, match="meaningless"):
        assert pixelgauge.top_k_accuracy_score([0, 1, 1], [[1, 2], [1, 2], [2, 1]], k=2) == 1


@pytest.mark.parametrize(("n", "decimals"), CASES)
def test_areas(n: int, decimals: int | None) -> None:
    y, x, weights = sample(n, decimals, 3)
    # scikit-learn's own sum of n precisions is off by about n ulp
    assert pixelgauge.average_precision_score(y, x) == pytest.approx(sk.average_precision_score(y, x), abs=1e-13)
    for max_fpr in (0.01, 0.3, 1.0, None):
        for w in (None, weights):
            ours = pixelgauge.roc_auc_score(y, x, sample_weight=w, max_fpr=max_fpr)
            assert ours == pytest.approx(sk.roc_auc_score(y, x, sample_weight=w, max_fpr=max_fpr), abs=WEIGHTED)
    assert pixelgauge.average_precision_score(y, x, sample_weight=weights) == pytest.approx(
        sk.average_precision_score(y, x, sample_weight=weights), abs=WEIGHTED
    )


def probabilities(n: int, k: int, seed: int) -> np.ndarray:
    p = np.random.default_rng(seed).random((n, k))
    return p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("multi_class", "average", "weighted"), [
    (m, a, w) for m, averages in (("ovr", ("macro", "weighted", "micro", None)), ("ovo", ("macro", "weighted")))
    for a in averages for w in ((False, True) if m == "ovr" else (False,))
])  # fmt: skip
@pytest.mark.parametrize("strings", [False, True])
def test_multiclass(multi_class: str, average: str | None, weighted: bool, strings: bool) -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 4, 300)
    labels = np.array(["a", "b", "c", "d"])[y] if strings else y
    arguments = {"multi_class": multi_class, "average": average, "sample_weight": rng.random(300) if weighted else None}
    p = probabilities(300, 4, 5)
    np.testing.assert_allclose(
        pixelgauge.roc_auc_score(labels, p, **arguments), sk.roc_auc_score(labels, p, **arguments), atol=WEIGHTED
    )


@pytest.mark.parametrize("average", ["macro", "micro", "weighted", "samples", None])
@pytest.mark.parametrize("weighted", [False, True])
def test_multilabel(average: str | None, weighted: bool) -> None:
    rng = np.random.default_rng(6)
    y = (rng.random((200, 3)) < 0.4).astype(int)
    y[y.sum(axis=1) == 0, 0] = 1
    y[y.sum(axis=1) == 3, 1] = 0
    x = rng.random((200, 3))
    weights = rng.random(200) if weighted else None
    for name in ("roc_auc_score", "average_precision_score"):
        np.testing.assert_allclose(
            getattr(pixelgauge, name)(y, x, average=average, sample_weight=weights),
            getattr(sk, name)(y, x, average=average, sample_weight=weights),
            atol=WEIGHTED,
        )


def test_multiclass_average_precision_and_pos_label() -> None:
    rng = np.random.default_rng(7)
    y, p = rng.integers(0, 3, 100), probabilities(100, 3, 8)
    assert pixelgauge.average_precision_score(y, p) == pytest.approx(sk.average_precision_score(y, p), abs=WEIGHTED)
    labels, x = np.where(y == 1, "yes", "no"), p[:, 1]
    assert pixelgauge.average_precision_score(labels, x, pos_label="no") == pytest.approx(
        sk.average_precision_score(labels, x, pos_label="no"), abs=WEIGHTED
    )
    for a, b in zip(pixelgauge.roc_curve(y, x, pos_label=1), sk.roc_curve(y, x, pos_label=1), strict=True):
        np.testing.assert_allclose(a, b, atol=EXACT)


def test_auc() -> None:
    assert pixelgauge.auc([1, 0.5, 0], [1, 1, 0]) == sk.auc([1, 0.5, 0], [1, 1, 0])


P3 = probabilities(4, 3, 9)


@pytest.mark.boundary
@pytest.mark.parametrize(("name", "args", "arguments"), [
    ("roc_auc_score", ([0, 1, 2, 1], P3), {}),
    ("roc_auc_score", ([0, 1, 2, 1], P3), {"multi_class": "ovr", "max_fpr": 0.5}),
    ("roc_auc_score", ([0, 1, 2, 1], 2 * P3), {"multi_class": "ovr"}),
    ("roc_auc_score", ([0, 1, 2, 1], P3), {"multi_class": "all"}),
    ("roc_auc_score", ([0, 1, 2, 1], P3), {"multi_class": "ovo", "average": "micro"}),
    ("roc_auc_score", ([0, 1, 2, 1], P3), {"multi_class": "ovo", "sample_weight": [1, 1, 1, 1]}),
    ("roc_auc_score", ([0, 1, 1, 1], P3[:, :2]), {"multi_class": "ovr"}),
    ("roc_auc_score", ([0, 1, 2, 1], P3), {"multi_class": "ovr", "labels": [0, 1, 1]}),
    ("roc_auc_score", ([0, 1, 2, 1], P3), {"multi_class": "ovr", "labels": [0, 2, 1]}),
    ("roc_auc_score", ([0, 1, 2, 1], P3), {"multi_class": "ovr", "labels": [0, 1]}),
    ("roc_auc_score", ([0, 1, 2, 1], P3), {"multi_class": "ovr", "labels": [0, 1, 5]}),
    ("roc_auc_score", ([0, 1, 2, 1], [0.1, 0.2, 0.3, 0.4]), {"multi_class": "ovr"}),
    ("roc_auc_score", ([0, 1], [0.1, 0.2]), {"max_fpr": 0}),
    ("roc_auc_score", ([0, 1], [0.1, 0.2]), {"max_fpr": 1.5}),
    ("roc_auc_score", ([[0, 1], [1, 0]], [[0.1, 0.2], [0.3, 0.4]]), {"average": "mean"}),
    ("roc_curve", ([1, 2], [0.1, 0.2]), {}),
    ("roc_curve", (["a", "b"], [0.1, 0.2]), {}),
    ("roc_curve", ([0, 1, 2], [0.1, 0.2, 0.3]), {}),
    ("det_curve", ([1, 1], [0.1, 0.2]), {}),
    ("average_precision_score", ([0, 1], [0.1, 0.2]), {"pos_label": 3}),
    ("auc", ([0], [1]), {}),
    ("auc", ([0, 1, 0.5], [1, 1, 1]), {}),
])  # fmt: skip
def test_what_sklearn_refuses_we_refuse(name: str, args: tuple[object, ...], arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the texts differ, that both refuse is the point
        getattr(sk, name)(*args, **arguments)
    with pytest.raises(ValueError, match=r"\w{3}"):
        getattr(pixelgauge, name)(*args, **arguments)


@pytest.mark.boundary
@pytest.mark.parametrize(("weights", "message"), [
    ([1, -1, 1], "negative"), ([0, 0, 0], "all zero"), ([1, np.nan, 1], "NaN"), ([1, 1], "expected|inconsistent"),
])  # fmt: skip
def test_bad_weights(weights: list[float], message: str) -> None:
    for name in ("roc_auc_score", "average_precision_score", "roc_curve"):
        with pytest.raises(ValueError, match=message):
            getattr(pixelgauge, name)([0, 1, 1], [0.1, 0.2, 0.3], sample_weight=weights)


def flat(result: object) -> np.ndarray:
    return np.concatenate(result) if isinstance(result, tuple) else np.atleast_1d(result)


EXTREME = [5e-324, 1e-165, 1e-162, 1e-100, 1e153, 1e308]


@pytest.mark.property
@pytest.mark.parametrize("scale", EXTREME)
def test_the_scale_of_weights_does_not_matter(scale: float) -> None:
    y, x, _ = sample(100, 1, 12)
    weights = np.full(100, scale)
    y2, x2 = np.stack([y, 1 - y], axis=1), np.stack([x, x[::-1]], axis=1)
    for name, truth, scores, arguments in (
        ("roc_auc_score", y, x, {}), ("roc_auc_score", y, x, {"max_fpr": 0.3}), ("average_precision_score", y, x, {}),
        ("roc_curve", y, x, {"drop_intermediate": False}), ("precision_recall_curve", y, x, {}), ("det_curve", y, x, {}),
        ("fpr_at_tpr", y, x, {}), ("best_threshold", y, x, {"criterion": "mcc"}),
        ("roc_auc_score", y2, x2, {"average": "weighted"}), ("roc_auc_score", y2, x2, {"average": "micro"}),
        ("roc_auc_score", y2[:40], x2[:40], {"average": "samples"}), ("top_k_accuracy_score", y, x, {"k": 1}),
    ):  # fmt: skip
        of_scale, of_one = (
            flat(getattr(pixelgauge, name)(truth, scores, sample_weight=w[: len(truth)], **arguments))
            for w in (weights, np.ones(100))
        )
        # equal weights of any size against ones: sums of 100 terms, rounded for a scale that is no power of two
        np.testing.assert_allclose(of_scale, of_one, rtol=WEIGHTED, atol=WEIGHTED)


@pytest.mark.property
def test_classes_of_weights_far_apart() -> None:
    y, x, weights = sample(200, None, 13)
    expected = pixelgauge.roc_auc_score(y, x, sample_weight=weights)
    for of_positives, of_negatives in (
        (1e-300, 1.0),
        (1e-300, 1e-20),
        (1e-20, 1e-305),
        (1e-300, 1e100),
        (1e200, 1e-150),
        (1e-155, 1e-155),
    ):
        far = weights * np.where(y == 1, of_positives, of_negatives)
        assert pixelgauge.roc_auc_score(y, x, sample_weight=far) == pytest.approx(expected, abs=WEIGHTED)


@pytest.mark.property
def test_usual_weights_are_not_touched() -> None:
    weights = np.array([0, 1e-100, 1, 1e100])
    assert np.shares_memory(relative_weights(weights, 4), weights)


@pytest.mark.boundary
def test_confusion_of_extreme_weights() -> None:
    y, x = [0, 0, 1, 1], [0.1, 0.6, 0.4, 0.8]
    figures = pixelgauge.confusion_at_threshold(y, x, 0.5, sample_weight=np.array([3, 1, 1, 3]) * 1e200)
    assert figures.true_positives == 3e200
    assert figures.mcc == pytest.approx(0.5, abs=EXACT)
    with pytest.raises(ValueError, match="divide the weights"):
        pixelgauge.confusion_at_threshold(y, x, 0.5, sample_weight=np.full(4, 1e308))


@pytest.mark.boundary
@pytest.mark.parametrize("kept", [0, 1])
def test_weights_that_remove_a_class(kept: int) -> None:
    y, x, _ = sample(50, None, 14)
    weights = np.where(y == kept, 1.0, 0.0)
    for arguments in ({}, {"max_fpr": 0.5}, {"max_fpr": 1}):
        with pytest.warns(pixelgauge.UndefinedMetricWarning, match="Only one class"):
            assert np.isnan(pixelgauge.roc_auc_score(y, x, sample_weight=weights, **arguments))
    if kept == 0:
        with pytest.warns(UserWarning, match="No positive class"):
            assert pixelgauge.average_precision_score(y, x, sample_weight=weights) == 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert sk.average_precision_score(y, x, sample_weight=weights) == 0
    else:
        assert pixelgauge.average_precision_score(y, x, sample_weight=weights) == 1


@pytest.mark.boundary
@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"multi_class": "x"}, ValueError, "multi_class='x'"),
    ({"max_fpr": "a"}, TypeError, "max_fpr='a' must be a number"),
    ({"max_fpr": 0, "groups": [1, 1]}, ValueError, "max_fpr"),
])  # fmt: skip
def test_arguments_are_checked_for_binary_labels_too(
    arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        pixelgauge.roc_auc_score([0, 1], [0.1, 0.2], **arguments)


@pytest.mark.boundary
def test_one_class_warns_as_sklearn_does() -> None:
    with pytest.warns(pixelgauge.UndefinedMetricWarning, match="No negative"):
        pixelgauge.roc_curve([1, 1], [0.1, 0.2])
    with pytest.warns(pixelgauge.UndefinedMetricWarning, match="No positive"):
        pixelgauge.roc_curve([0, 0], [0.1, 0.2])
    with pytest.warns(UserWarning, match="No positive class"):
        assert pixelgauge.average_precision_score([0, 0], [0.1, 0.2]) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert sk.average_precision_score([0, 0], [0.1, 0.2]) == 0
