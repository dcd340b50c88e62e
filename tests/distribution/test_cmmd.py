"""CMMD: the core's sums against double precision loops, the authors' program in frozen numbers, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import pixelgauge
from pixelgauge import _core, cmmd
from tests.distribution.test_parity_programs import samples

# distance.py of github.com/sayakpaul/cmmd-pytorch, which is google-research/cmmd's line by line in PyTorch, on `samples()` in float64:
# as they are, and divided by their lengths first, as its embeddings are. In float32, as the program runs, the second is 0.23341.
FROZEN = {False: 5.645470423145449, True: 0.2331940078164063}


def sets(n: int, m: int, dim: int, spread: float = 1.0, dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(dim)
    x, y = rng.normal(size=(n, dim)), rng.normal(size=(m, dim)) * 1.1 + 0.2
    return (x * spread).astype(dtype), (y * spread).astype(dtype)


def means(x: np.ndarray, y: np.ndarray, gamma: float) -> np.ndarray:
    """Of the kernel less 1 within both sets and across, from differences in extended precision."""
    x, y = x.astype(np.longdouble), y.astype(np.longdouble)

    def mean(a: np.ndarray, b: np.ndarray) -> np.longdouble:
        return sum(np.expm1(-gamma * ((row - b) ** 2).sum(axis=1)).sum() for row in a) / (len(a) * len(b))

    return np.array([mean(x, x), mean(y, y), mean(x, y)])


@pytest.mark.parity
@pytest.mark.parametrize("normalize", FROZEN)
def test_frozen_numbers_of_the_program(normalize: bool) -> None:
    # its sums are of values near 1, multiplied by 1000 at the end
    assert cmmd(*samples(), normalize=normalize) == pytest.approx(FROZEN[normalize], rel=0, abs=1e-11)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("n", "m", "dim", "spread", "gamma"),
    [
        (1, 1, 1, 1.0, 0.005),
        (7, 5, 3, 1.0, 0.005),
        (40, 33, 17, 1.0, 0.5),
        (50, 64, 70, 30.0, 0.005),
        (64, 31, 400, 1.0, 0.01),
        (300, 241, 9, 1.0, 0.01),
    ],
)
def test_means_by_products_equal_the_definition(
    n: int, m: int, dim: int, spread: float, gamma: float, dtype: type, each_isa: str
) -> None:
    x, y = sets(n, m, dim, spread, dtype)
    # some hundred roundings of exponents up to gamma times the largest squared distance, and of the sums
    reach = gamma * spread**2 * dim * 4
    assert np.abs(_core.gaussian_kernel_means(x, y, gamma) - means(x, y, gamma)).max() <= 1e-15 * max(1.0, reach)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "m", "dim"), [(2, 3, 1), (64, 70, 17), (130, 250, 24), (300, 270, 48), (700, 650, 65)])
def test_means_by_moments_equal_the_definition(n: int, m: int, dim: int, dtype: type, each_isa: str) -> None:
    x, y = sets(n, m, dim, 1 / np.sqrt(dim), dtype)
    gamma = 0.01 / (2 * max(((z - x.mean(axis=0)) ** 2).sum(axis=1).max() for z in (x, y)))
    found, right = np.array(_core.gaussian_kernel_means(x, y, gamma)), means(x, y, gamma).astype(float)
    # exponents of 0.01: the bound of the rest in float32 is 1e-10 / 2 in four means, and what happens a thousandth of that
    assert np.abs(found - right).max() <= 1e-13
    assert found[0] + found[1] - 2 * found[2] == pytest.approx(right[0] + right[1] - 2 * right[2], rel=0, abs=1e-13)


@pytest.mark.oracle
def test_both_ways_agree_where_one_gives_way_to_the_other() -> None:
    x, y = sets(260, 240, 32, 1 / np.sqrt(32))
    norm = max(((z - x.mean(axis=0)) ** 2).sum(axis=1).max() for z in (x, y))
    for t in (0.011, 0.0115, 0.012, 0.0125, 0.013, 0.05):
        found = np.array(_core.gaussian_kernel_means(x, y, t / (2 * norm)))
        assert np.abs(found - means(x, y, t / (2 * norm)).astype(float)).max() <= 1e-13


@pytest.mark.oracle
def test_more_samples_than_a_block() -> None:
    x, y = sets(4200, 4099, 3)
    for gamma in (0.5, 1e-5):  # by products, and by moments
        within_x, within_y, across = _core.gaussian_kernel_means(x, y, gamma)
        parts_x, parts_y = (x[:4100], x[4100:]), (y[:77], y[77:])
        found = 0.0
        for p in parts_x:
            for q in parts_y:
                found += _core.gaussian_kernel_means(p, q, gamma)[2] * len(p) * len(q)
        assert across == pytest.approx(found / (len(x) * len(y)), rel=1e-12)
        of_parts = sum(_core.gaussian_kernel_means(p, p, gamma)[0] * len(p) ** 2 for p in parts_x)
        of_parts += 2 * _core.gaussian_kernel_means(*parts_x, gamma)[2] * len(parts_x[0]) * len(parts_x[1])
        assert within_x == pytest.approx(of_parts / len(x) ** 2, rel=1e-12)
        assert within_y == pytest.approx(_core.gaussian_kernel_means(y, y[::-1], gamma)[2], rel=1e-12)


@pytest.mark.property
@pytest.mark.parametrize("gamma", [0.005, 1e-4])
def test_threads_change_no_bit(gamma: float, restored_threads: None) -> None:
    x, y = sets(1000, 900, 20)
    found = set()
    for threads in (1, 2, 3, 7):
        pixelgauge.set_num_threads(threads)
        found.add(_core.gaussian_kernel_means(x, y, gamma))
    assert len(found) == 1


@pytest.mark.property
def test_order_sides_and_an_offset_change_nothing() -> None:
    x, y = sets(200, 180, 12, dtype=np.float64)
    right = cmmd(x, y)
    assert cmmd(y, x) == pytest.approx(right, rel=1e-9)
    assert cmmd(x[::-1], y[np.random.default_rng(0).permutation(len(y))]) == pytest.approx(right, rel=1e-9)
    assert cmmd(x + 64, y + 64, normalize=False) == pytest.approx(cmmd(x, y, normalize=False), rel=1e-9)
    assert cmmd(x * 1e-60, y * 1e60) == pytest.approx(right, rel=1e-9)
    assert cmmd(np.asfortranarray(x), y[:, ::-1][:, ::-1]) == pytest.approx(right, rel=1e-12)


@pytest.mark.property
def test_scale_sigma_and_equal_sets() -> None:
    x, y = sets(30, 20, 4, dtype=np.float64)
    assert cmmd(x, y, scale=1.0) == pytest.approx(cmmd(x, y) / 1000, rel=1e-12)
    assert cmmd(x, y, sigma=2.0, normalize=False) == pytest.approx(cmmd(x * 5, y * 5, normalize=False), rel=1e-9)
    assert cmmd(x, x.copy()) == 0.0
    assert 0 <= cmmd(x, x[::-1]) < 1e-12
    assert cmmd(x, y.astype(np.float32)) == pytest.approx(cmmd(x, y), rel=1e-5)
    # two points whose kernel is 0
    assert cmmd(np.zeros((1, 1)), np.full((1, 1), 1e4), normalize=False) == pytest.approx(2000.0)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma": 0.0}, "sigma=0 must be a number above 0"),
        ({"sigma": float("nan")}, "sigma=nan"),
        ({"sigma": 1e-150}, "sigma=1e-150 must be from 1e-100"),
        ({"scale": -1.0}, "scale=-1"),
        ({"sigma": 1e-6}, "sigma=1e-06 is so small .*give a larger one"),
    ],
)
def test_bad_options_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cmmd(*sets(5, 5, 3), **options)


@pytest.mark.boundary
def test_bad_features_are_refused() -> None:
    x, y = sets(5, 4, 3)
    with pytest.raises(ValueError, match=r"a has zeros alone in row 2.*remove that sample"):
        cmmd(x * (np.arange(5) != 2)[:, np.newaxis], y)
    with pytest.raises(ValueError, match="a has 3 features a sample and b 2"):
        cmmd(x, y[:, :2])
    with pytest.raises(ValueError, match="b holds NaN"):
        cmmd(x, y * np.float32(np.nan))
    with pytest.raises(TypeError, match="b has dtype int64"):
        cmmd(x, np.ones((4, 3), int))
    with pytest.raises(ValueError, match="b is empty"):
        cmmd(x, y[:0])
    with pytest.raises(TypeError, match="normalize=1 must be True or False"):
        cmmd(x, y, normalize=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="x and y differ in dtype"):
        _core.gaussian_kernel_means(x, y.astype(float), 1.0)
    with pytest.raises(ValueError, match="gamma=-1 must be a number above 0"):
        _core.gaussian_kernel_means(x, y, -1.0)
