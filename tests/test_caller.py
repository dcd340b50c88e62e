"""Warnings point at the line that called, and flags are True or False: of every public function that warns or takes one."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixelgauge as pg
from pixelgauge.images import read_image

ONE_CLASS = ([1, 1, 1], [0.1, 0.2, 0.3])
LABELS = ([0, 1, 1], [0.1, 0.2, 0.3])
CLASSES = [[0.5, 0.3, 0.2], [0.5, 0.4, 0.1], [0.6, 0.3, 0.1]]
TWO_OF_THREE = {"labels": [0, 1, 2], "multi_class": "ovr"}
IMAGE = np.zeros((16, 16), np.uint8)

WARNING_CALLS: dict[str, Callable[[], Any]] = {
    "roc_auc_score": lambda: pg.roc_auc_score(*ONE_CLASS),
    "roc_auc_score, partial": lambda: pg.roc_auc_score([0, 1], [0.1, 0.2], max_fpr=0.5, sample_weight=[0, 1]),
    "roc_auc_score, a class that is absent": lambda: pg.roc_auc_score([0, 1, 1], CLASSES, **TWO_OF_THREE),
    "roc_auc_score, a label that is absent": lambda: pg.roc_auc_score([[0, 1], [0, 0]], [[0.1, 0.2], [0.3, 0.4]]),
    "roc_auc_score, by group": lambda: pg.roc_auc_score(*ONE_CLASS, groups=["a", "a", "b"]),
    "roc_curve": lambda: pg.roc_curve(*ONE_CLASS),
    "precision_recall_curve": lambda: pg.precision_recall_curve([0, 0], [0.1, 0.2], pos_label=1),
    "average_precision_score": lambda: pg.average_precision_score([0, 0], [0.1, 0.2]),
    "average_precision_score, a label that is absent": lambda: pg.average_precision_score(
        [[0, 1], [0, 0]], [[0.1, 0.2], [0.3, 0.4]]
    ),
    "top_k_accuracy_score": lambda: pg.top_k_accuracy_score([0, 1, 2], CLASSES, k=3),
}


@pytest.mark.property
@pytest.mark.parametrize("name", WARNING_CALLS)
def test_warnings_point_at_the_caller(name: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        WARNING_CALLS[name]()
    assert caught, "nothing was warned of"
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.property
def test_a_warning_on_a_thread_does_not_point_into_the_package() -> None:
    with warnings.catch_warnings(record=True) as caught, ThreadPoolExecutor(1) as pool:
        warnings.simplefilter("always")
        pool.submit(pg.roc_auc_score, *ONE_CLASS).result()
    assert [warning.filename.endswith("thread.py") for warning in caught] == [True]


@pytest.mark.property
def test_filters_for_either_class_work(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = pytest.importorskip("sklearn.exceptions", reason="scikit-learn is not installed").UndefinedMetricWarning
    for category in (pg.UndefinedMetricWarning, theirs):
        with warnings.catch_warnings():
            warnings.simplefilter("error", category)
            with pytest.raises(category, match="Only one class"):
                pg.roc_auc_score(*ONE_CLASS)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", category)
            assert np.isnan(pg.roc_auc_score(*ONE_CLASS))
    monkeypatch.delitem(sys.modules, "sklearn.exceptions")
    with pytest.warns(pg.UndefinedMetricWarning) as caught:
        pg.roc_auc_score(*ONE_CLASS)
    assert [warning.category for warning in caught] == [pg.UndefinedMetricWarning]


@pytest.mark.property
def test_warnings_of_both_classes_are_pickled() -> None:
    pytest.importorskip("sklearn.exceptions", reason="scikit-learn is not installed")
    import pickle

    with pytest.warns(pg.UndefinedMetricWarning) as caught:
        pg.roc_auc_score(*ONE_CLASS)
    again = pickle.loads(pickle.dumps(caught[0].message))
    assert (type(again), again.args) == (type(caught[0].message), caught[0].message.args)  # type: ignore[union-attr]
    assert pickle.loads(pickle.dumps(caught[0].category)) is caught[0].category
    assert caught[0].category.__name__ == "UndefinedMetricWarning"


@pytest.mark.property
def test_where_there_is_no_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.warns(pg.UndefinedMetricWarning) as caught:
        exec(compile("pg.roc_auc_score([1, 1], [0.1, 0.2])", "<cell>", "exec"), {"pg": pg})
    assert caught[0].filename == "<cell>"


FLAG_CALLS: dict[str, Callable[[Any], Any]] = {
    "roc_curve drop_intermediate": lambda flag: pg.roc_curve(*LABELS, drop_intermediate=flag),
    "precision_recall_curve drop_intermediate": lambda flag: pg.precision_recall_curve(*LABELS, drop_intermediate=flag),
    "det_curve drop_intermediate": lambda flag: pg.det_curve(*LABELS, drop_intermediate=flag),
    "top_k_accuracy_score normalize": lambda flag: pg.top_k_accuracy_score([0, 1, 2], CLASSES, normalize=flag),
    "ssim full": lambda flag: pg.ssim(IMAGE, IMAGE, full=flag),
    "ssim components": lambda flag: pg.ssim(IMAGE, IMAGE, components=flag),
    "frechet_distance return_info": lambda flag: pg.frechet_distance(
        np.eye(3)[[0, 1, 2, 0]], np.eye(3)[[0, 1, 2, 1]], return_info=flag
    ),
    "FeatureStats.load spatial": lambda flag: pg.FeatureStats.load("nowhere.npz", spatial=flag),
    "read_image gray": lambda flag: read_image("nowhere.png", gray=flag),
}


@pytest.mark.boundary
@pytest.mark.parametrize("value", ["no", "True", 1, 0, None, 1.0, [True]])
@pytest.mark.parametrize("name", FLAG_CALLS)
def test_flags_are_true_or_false(name: str, value: Any) -> None:
    argument = name.split()[-1]
    with pytest.raises(TypeError, match=f"{argument}=.* must be True or False"):
        FLAG_CALLS[name](value)


@pytest.mark.property
@pytest.mark.parametrize("name", [name for name in FLAG_CALLS if not name.startswith(("FeatureStats", "read"))])
def test_flags_of_numpy_are_taken(name: str) -> None:
    for value in (True, False):
        assert repr(FLAG_CALLS[name](np.bool_(value)))[:9] == repr(FLAG_CALLS[name](value))[:9]


@pytest.mark.parity
def test_det_curve_takes_the_positive_label_as_scikit_learn_does() -> None:
    for ours, same in zip(pg.det_curve(*LABELS, 1), pg.det_curve(*LABELS, pos_label=1), strict=True):
        np.testing.assert_array_equal(ours, same)
