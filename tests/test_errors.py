"""Errors in parts: what exceptions say of the argument, the place and the size needed, and how front ends retell them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pixelgauge
from pixelgauge import _core
from pixelgauge.checks import ArgumentError, ArgumentTypeError, ArgumentValueError
from tests.test_runtime import run_python

pytestmark = pytest.mark.boundary

PARTS = ("argument", "value", "problem", "remedy", "kind", "image", "row", "column", "required")


def features(row: int, column: int, dtype: type = np.float64) -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(dtype)
    x[row, column] = np.nan
    return x


def pictures(image: int, row: int) -> np.ndarray:
    x = np.full((3, 32, 32), 0.5)
    x[image, row, 9] = np.inf
    return x


def options(**others: Any) -> _core.SsimOptions:
    usual = {
        "data_range": 1.0,
        "k1": 0.01,
        "k2": 0.03,
        "sigma": 1.5,
        "window_size": 11,
        "window": _core.Window.gaussian,
        "border": _core.Border.valid,
        "covariance": _core.Covariance.population,
        "downsample": _core.Downsample.none,
        "exponents": [1, 1, 1],
    }
    return _core.SsimOptions(**(usual | others))


def ssim(x: np.ndarray, y: np.ndarray, **others: Any) -> object:
    return _core.ssim(x[..., np.newaxis], y[..., np.newaxis], options(**others), False, False)


FLAT = np.zeros((1, 10, 64))
SCORES, BITS = np.array([0.5, 0.25]), np.array([1], np.uint64)

REFUSALS: dict[str, tuple[Callable[[], object], dict[str, Any]]] = {
    "a window of an even size": (
        lambda: ssim(pictures(0, 0), pictures(0, 0), window_size=12),
        {
            "argument": "window_size",
            "value": "12",
            "problem": "must be odd and at least 3",
            "remedy": "",
            "kind": "value",
        },
    ),
    "images smaller than the window": (
        lambda: ssim(FLAT, FLAT),
        {
            "argument": "x",
            "value": "",
            "problem": "images of 10 x 64 are too small for a window of 11",
            "remedy": "at least 11 x 11 is needed; use larger images or a smaller window_size",
            "kind": "too_small",
            "required": 11,
        },
    ),
    "images smaller than half the window": (
        lambda: ssim(FLAT[:, :5], FLAT[:, :5], border=_core.Border.reflect),
        {"kind": "too_small", "required": 6},
    ),
    "infinity in a picture": (
        lambda: ssim(np.zeros((3, 32, 32)), pictures(2, 5)),
        {"argument": "y", "kind": "not_finite", "image": 2, "row": 5, "remedy": "remove or replace such values first"},
    ),
    "infinity in a picture's error": (
        lambda: pixelgauge.mse(np.zeros((3, 32, 32)), pictures(1, 4), channel_axis=None),
        {"argument": "y", "kind": "not_finite", "image": 1, "row": 4},
    ),
    "a range without room": (
        lambda: ssim(pictures(0, 0), pictures(0, 0), data_range=1e200),
        {"argument": "data_range", "value": "1e+200", "kind": "overflow"},
    ),
    "two shapes": (
        lambda: _core.mse(np.zeros((1, 4, 4, 1)), np.zeros((1, 4, 5, 1))),
        {"argument": "y", "kind": "mismatch", "remedy": "crop or resize one of them"},
    ),
    "no images": (lambda: _core.value_range(np.zeros((0, 4, 4, 1))), {"argument": "images", "kind": "missing"}),
    "an axis too few": (
        lambda: _core.value_range(np.zeros((4, 4, 1))),
        {"argument": "images", "problem": "images must have 4 axes, not 3", "kind": "value"},
    ),
    "NaN in features": (
        lambda: _core.scatter_add(features(5, 2), np.zeros(4), np.zeros((2, 4)), np.zeros((2, 4, 4))),
        {
            "argument": "features",
            "problem": "features hold NaN or infinity in column 2",
            "remedy": "remove or repair them first",
            "kind": "not_finite",
            "row": 5,
            "column": 2,
        },
    ),
    "NaN in a factor": (
        lambda: _core.matmul_transposed(features(1, 1, np.float32), features(4, 3, np.float32)),
        {"argument": "a", "kind": "not_finite", "row": 1, "column": 1},
    ),
    "NaN among neighbours": (
        lambda: _core.count_neighbours(features(3, 0), features(4, 3), 1, 1),
        {"argument": "real", "kind": "not_finite", "row": 3},
    ),
    "too few samples": (
        lambda: _core.count_neighbours(np.zeros((9, 4)), np.zeros((6, 4)), 6, 0),
        {"argument": "fake", "kind": "too_small", "required": 7},
    ),
    "a negative variance": (
        lambda: _core.pivoted_cholesky(np.diag([1.0, 2.0, -1.0])),
        {"argument": "a", "kind": "value", "row": 2, "column": 2},
    ),
    "NaN among scores": (
        lambda: _core.auroc(np.array([0.5, np.nan]), BITS),
        {"argument": "y_score", "kind": "not_finite", "remedy": "remove or impute those samples first"},
    ),
    "an unknown group": (
        lambda: _core.auroc_by_group(SCORES, BITS, np.array([0, 7]), 2),
        {"argument": "groups", "kind": "value", "row": 1},
    ),
    "a negative weight": (
        lambda: _core.weighted_auroc(SCORES, BITS, np.array([1.0, -2.0])),
        {"argument": "sample_weight", "kind": "value", "row": 1},
    ),
    "as many threads as none": (
        lambda: _core.set_num_threads(0),
        {"argument": "n", "value": "0", "problem": "threads", "remedy": "use 1 to 1024", "kind": "value"},
    ),
    "axes that look swapped": (
        lambda: pixelgauge.ssim(np.zeros((3, 64, 64), np.uint8), np.zeros((3, 64, 64), np.uint8), channel_axis=-1),
        {
            "argument": "x",
            "kind": "too_small",
            "required": 11,
            "problem": "images of 3 x 64 are too small for a window of 11",
        },
    ),
    "a value outside of a preset's range": (
        lambda: pixelgauge.ssim(pictures(0, 3)[0], pictures(0, 3)[0], data_range=(0, 1), preset="piq"),
        {"argument": "x", "kind": "not_finite", "image": 0, "row": 3},
    ),
    "a covariance that is none": (
        lambda: pixelgauge.frechet_distance(
            (np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]])), (np.zeros(2), np.eye(2))
        ),
        {"argument": "a", "kind": "value"},
    ),
}


def refusal(call: Callable[[], object]) -> ArgumentError:
    with pytest.raises(ArgumentError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("name", REFUSALS)
def test_an_error_has_the_parts_of_its_failure(name: str) -> None:
    call, expected = REFUSALS[name]
    error = refusal(call)
    assert isinstance(error, ArgumentValueError)
    unknown = dict.fromkeys(("image", "row", "column", "required"))
    assert {part: getattr(error, part) for part in unknown | expected} == unknown | expected
    subject = f"{error.argument}={error.value} " if error.value else ""
    assert str(error) == subject + error.problem + (f": {error.remedy}" if error.remedy else "")


@pytest.mark.parametrize("name", REFUSALS)
def test_an_error_survives_a_pickle(name: str) -> None:
    error = refusal(REFUSALS[name][0])
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert [getattr(again, part) for part in PARTS] == [getattr(error, part) for part in PARTS]


def test_a_dtype_is_an_error_of_type() -> None:
    error = refusal(lambda: _core.value_range(np.zeros((1, 4, 4, 1), np.int32)))
    assert isinstance(error, ArgumentTypeError)
    assert (error.argument, error.problem) == ("images", "images has dtype int32")


def test_an_error_keeps_its_other_parts() -> None:
    error = ArgumentValueError("x", "", "x is odd", "even it", kind="mismatch", image=1, row=2, column=3, required=4)
    other = error.but(argument="y", problem="y is odd")
    assert type(other) is ArgumentValueError
    assert str(other) == "y is odd: even it"
    kept = ("remedy", "kind", "image", "row", "column", "required")
    assert [getattr(other, part) for part in kept] == ["even it", "mismatch", 1, 2, 3, 4]
    assert str(error) == "x is odd: even it"


def test_axes_that_look_swapped_are_told_after_the_remedy() -> None:
    error = refusal(REFUSALS["axes that look swapped"][0])
    assert error.remedy.startswith("at least 11 x 11 is needed; use larger images or a smaller window_size. The images")
    assert error.remedy.endswith("or to None if there is none")
    assert isinstance(error.__cause__, ArgumentValueError)


@pytest.mark.parametrize(("call", "kind"), [("isa", RuntimeError), ("get_num_threads", ValueError)])
def test_settings_that_are_no_text_are_refused_all_the_same(call: str, kind: type[Exception]) -> None:
    name = {"isa": "PIXELGAUGE_ISA", "get_num_threads": "PIXELGAUGE_NUM_THREADS"}[call]
    result = run_python(f"import pixelgauge; pixelgauge.{call}()", **{name: "\udcff" * 300})
    assert result.returncode == 1
    assert f"{kind.__name__}: {name}='\N{REPLACEMENT CHARACTER}" in result.stderr
