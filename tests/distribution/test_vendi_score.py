"""The Vendi score: the authors' program in frozen numbers, closed forms, both ways to the eigenvalues, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pixelgauge
from pixelgauge import vendi_score
from tests.distribution.test_parity_programs import samples

# vendi.py of github.com/vertaix/Vendi-Score: score_dual of the first of `samples()`, and score_K of the cosines of its first 50.
FROZEN = {
    1.0: (23.3463163696963, 19.290825005285512),
    0.5: (23.667919886004352, 21.271551928863733),
    2.0: (22.740120898801283, 16.767043650018074),
    math.inf: (16.01444274639594, 9.546782823875818),
}


def cosines(x: np.ndarray) -> np.ndarray:
    rows = x / np.linalg.norm(x, axis=1, keepdims=True)
    return rows @ rows.T


@pytest.mark.parity
@pytest.mark.parametrize("q", FROZEN)
def test_frozen_numbers_of_the_program(q: float) -> None:
    x = samples()[0]
    dual, of_cosines = FROZEN[q]
    assert vendi_score(x, q=q) == pytest.approx(dual, rel=1e-10)
    # it keeps eigenvalues of 1e-16 that are none: below order 1 their roots count
    assert vendi_score(cosines(x[:50]), q=q, kernel="precomputed") == pytest.approx(
        of_cosines, rel=1e-6 if q < 1 else 1e-10
    )


@pytest.mark.parity
@pytest.mark.parametrize("q", [1.0, 2.0, math.inf])
def test_the_program(q: float) -> None:
    program = pytest.importorskip("vendi_score.vendi", reason="the package vendi_score is not installed")
    x = samples()[0]
    assert vendi_score(x, q=q) == pytest.approx(program.score_dual(x, q="inf" if math.isinf(q) else q), rel=1e-10)


@pytest.mark.oracle
@pytest.mark.parametrize("q", [0.0, 0.3, 0.999999, 1.0, 1.0000001, 1.4, 1.6, 2.0, 7.5, 1e6, math.inf])
@pytest.mark.parametrize(("n", "dim"), [(30, 7), (7, 30), (20, 20), (1, 3), (3, 1)])
def test_both_ways_equal_the_definition(q: float, n: int, dim: int) -> None:
    x = np.random.default_rng(n).normal(size=(n, dim))
    values = np.linalg.svd(x / np.linalg.norm(x, axis=1, keepdims=True), compute_uv=False) ** 2 / n
    p = values[values > 1e-14].astype(np.longdouble)
    p /= p.sum()  # of 1 + 1e-16, near order 1 a large power is taken
    if q == 1:
        right = np.exp(-(p * np.log(p)).sum())
    elif math.isinf(q):
        right = 1 / p.max()
    else:
        right = (p**q).sum() ** (1 / (1 - np.longdouble(q))) if q < 1e3 else 1 / p.max()
    tolerance = 1e-5 if q == 1e6 else 1e-11  # order a million is not quite infinity
    assert vendi_score(x, q=q) == pytest.approx(float(right), rel=tolerance)
    assert vendi_score(cosines(x), q=q, kernel="precomputed") == pytest.approx(float(right), rel=max(tolerance, 1e-10))


@pytest.mark.property
@pytest.mark.parametrize("q", [0.0, 0.5, 1.0, 2.0, math.inf])
def test_closed_forms(q: float) -> None:
    assert vendi_score(np.eye(6), q=q) == pytest.approx(6.0)
    assert vendi_score(np.ones((6, 3)), q=q) == pytest.approx(1.0)
    assert vendi_score(np.repeat(np.eye(3), 4, axis=0), q=q) == pytest.approx(3.0)
    assert vendi_score(np.eye(5), q=q, kernel="precomputed") == pytest.approx(5.0)
    assert 1 <= vendi_score(np.ones((1, 1)), q=q, kernel="precomputed") <= 1


@pytest.mark.property
def test_order_lengths_blocks_and_threads(restored_threads: None) -> None:
    x = np.random.default_rng(3).normal(size=(9000, 5)) + 0.5
    right = vendi_score(x)
    assert vendi_score(x[::-1]) == pytest.approx(right, rel=1e-12)
    assert vendi_score(x * np.arange(1, 9001)[:, np.newaxis]) == pytest.approx(right, rel=1e-12)
    assert vendi_score(np.vstack([x, x])) == pytest.approx(right, rel=1e-12)
    assert vendi_score(x.astype(np.float32)) == pytest.approx(right, rel=1e-6)
    orders = [vendi_score(x, q=q) for q in (0, 0.5, 1, 2, 10, math.inf)]
    assert orders == sorted(orders, reverse=True)
    found = set()
    for threads in (1, 2, 5):
        pixelgauge.set_num_threads(threads)
        found.add(vendi_score(x))
    assert found == {right}


@pytest.mark.boundary
def test_bad_arguments_are_refused() -> None:
    x = np.random.default_rng(0).normal(size=(6, 4))
    good = cosines(x)
    for q, message in ((-0.5, "q=-0.5 must be a number of at least 0"), (math.nan, "q=nan must be")):
        with pytest.raises(ValueError, match=message):
            vendi_score(x, q=q)
    with pytest.raises(TypeError, match="q='1' must be a number"):
        vendi_score(x, q="1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="kernel='rbf' is not known: use one of 'cosine', 'precomputed'"):
        vendi_score(x, kernel="rbf")
    with pytest.raises(ValueError, match=r"x has shape \(6, 4\): similarities are \(N, N\)"):
        vendi_score(x, kernel="precomputed")
    with pytest.raises(ValueError, match=r"x has 2 at \[1, 1\]: a sample's similarity with itself is 1"):
        vendi_score(good + np.diag([0, 1, 0, 0, 0, 0]), kernel="precomputed")
    uneven = good.copy()
    uneven[2, 3] += 0.1
    with pytest.raises(ValueError, match=r"at \[2, 3\] and .* at \[3, 2\]: similarities are symmetric"):
        vendi_score(uneven, kernel="precomputed")
    with pytest.raises(ValueError, match="not positive semi-definite"):
        vendi_score(np.eye(3) + 0.9 * np.array([[0, 1, -1], [1, 0, 1], [-1, 1, 0.0]]), kernel="precomputed")
    low = np.random.default_rng(5).standard_normal((200, 2))
    rounded = cosines(low).astype(np.float16)
    with pytest.raises(
        ValueError, match=r"semi-definite: .*; if they are, rounding to float16 did this: compute them in"
    ):
        vendi_score(rounded, kernel="precomputed")
    with pytest.raises(ValueError, match=r"scalar products of something$"):
        vendi_score(rounded.astype(np.float64), kernel="precomputed")
    with pytest.raises(ValueError, match="x has zeros alone in row 5000"):
        vendi_score(np.vstack([np.ones((5000, 3)), np.zeros((1, 3))]))
    with pytest.raises(ValueError, match="x holds NaN"):
        vendi_score(x * np.nan)
