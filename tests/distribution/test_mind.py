"""MIND: torch-fidelity's program in frozen numbers, PyTorch's generator, the definition, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import pixelgauge
from pixelgauge import mind
from pixelgauge.distribution import mind as module
from pixelgauge.distribution.torch_random import TorchGenerator
from tests.distribution.test_parity_programs import samples

# metric_mind.py of torch-fidelity at a51aa64 on `samples()` with 200 projections and seed 2020: 400 and 300 samples, and the first 300.
FROZEN = {"more": 3.230442613363266, "as many": 3.579263359308243}
# PyTorch 2.13 on a CPU, seed 2020: torch.randperm(10), torch.randn(3, 7) in rows, torch.randn(5).
PERMUTATION = [0, 7, 5, 4, 2, 6, 1, 8, 9, 3]
NORMAL = [
    -0.00866926,
    -0.3212534,
    -1.28986,
    0.163177,
    0.2056071,
    -1.199971,
    -0.5481621,
    0.9875658,
    -1.03841,
    1.003678,
    -0.04936625,
    1.144282,
    0.2170943,
    0.1302999,
    -1.745859,
    -0.02125896,
    -0.5520127,
    0.9001331,
    -0.3156399,
    1.24114,
    -0.8506703,
]
FEW = [1.237228, -0.9603988, 1.541529, -0.4078654, 0.8805791]


@pytest.mark.parity
@pytest.mark.parametrize("size", FROZEN)
def test_frozen_numbers_of_torch_fidelity(size: str) -> None:
    a, b = samples()
    a = a if size == "more" else a[: len(b)]
    # it works in float32, on projections of a few units
    assert mind(a, b, projections=200) == pytest.approx(FROZEN[size], rel=2e-6)
    assert mind(b, a, projections=200) == pytest.approx(FROZEN[size], rel=2e-6)


@pytest.mark.parity
def test_torch_fidelity() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    program = pytest.importorskip("torch_fidelity.metric_mind", reason="torch-fidelity, from 0.5 on, is not installed")
    a, b = samples()
    options = {"mind_num_projections": 200, "cuda": False, "rng_seed": 11, "verbose": False}
    found = program.mind_features_to_metric(torch.from_numpy(a), torch.from_numpy(b), **options)
    assert mind(a, b, projections=200, seed=11) == pytest.approx(found["monge_inception_distance"], rel=2e-6)


@pytest.mark.parity
def test_frozen_numbers_of_pytorch() -> None:
    assert_array_equal(TorchGenerator(2020).permutation(10), PERMUTATION)
    # its logarithms and cosines in float32 are off by some units of the last bit
    assert_allclose(TorchGenerator(2020).normal(3, 7).ravel(), NORMAL, rtol=0, atol=2e-6)
    assert_allclose(TorchGenerator(2020).normal(1, 5).ravel(), FEW, rtol=0, atol=2e-6)


@pytest.mark.parity
@pytest.mark.parametrize("seed", [0, 2020, 2**32 - 1])
def test_pytorch(seed: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    theirs, ours = torch.Generator().manual_seed(seed), TorchGenerator(seed)
    for rows, columns in ((1, 1), (3, 5), (4, 4), (1, 17), (100, 33)):
        assert_array_equal(ours.permutation(rows * columns), torch.randperm(rows * columns, generator=theirs).numpy())
    for rows, columns in ((4, 4), (1, 17), (100, 33)):
        assert_allclose(ours.normal(rows, columns), torch.randn(rows, columns, generator=theirs).numpy(), atol=5e-6)


@pytest.mark.oracle
@pytest.mark.parametrize("dim", [1, 3, 20])
def test_value_equals_the_definition(dim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(dim)
    a, b = rng.exponential(size=(57, dim)), rng.exponential(size=(57, dim)) + 0.3
    directions = TorchGenerator(5).normal(40, dim)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    gaps = [((np.sort(a @ u) - np.sort(b @ u)) ** 2).mean() for u in directions]
    assert mind(a, b, projections=40, seed=5) == pytest.approx(3 * dim * np.mean(gaps), rel=1e-11)
    monkeypatch.setattr(module, "_VALUES", 57 * 7)  # directions in blocks of seven
    monkeypatch.setattr(module, "_ROWS", 16)
    assert mind(a, b, projections=40, seed=5) == pytest.approx(3 * dim * np.mean(gaps), rel=1e-11)


@pytest.mark.property
def test_order_sides_threads_and_offsets(restored_threads: None) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 80, 6)).astype(np.float32)
    right = mind(a, b, projections=50)
    assert mind(b, a, projections=50) == pytest.approx(right, rel=1e-12)
    assert mind(a[::-1], b, projections=50) == pytest.approx(right, rel=1e-12)
    assert mind(a + 512, b + 512, projections=50) == pytest.approx(right, rel=1e-2)  # features of 5e-5 less precision
    assert mind(a, a.copy()) == 0.0
    assert mind(3 * a, 3 * b, projections=50) == pytest.approx(9 * right, rel=1e-6)
    found = set()
    for threads in (1, 2, 5):
        pixelgauge.set_num_threads(threads)
        found.add(mind(a, b, projections=50))
    assert found == {right}


@pytest.mark.boundary
def test_bad_arguments_are_refused() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 5, 3))
    for options, message in (
        ({"projections": 0}, "projections=0 must be a whole number of at least 1"),
        ({"seed": -1}, "seed=-1 must be a whole number from 0"),
        ({"seed": 2**32}, "seed=4294967296 must be a whole number"),
    ):
        with pytest.raises(ValueError, match=message):
            mind(a, b, **options)
    with pytest.raises(TypeError, match=r"projections=2\.0"):
        mind(a, b, projections=2.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a has 3 features a sample and b 2"):
        mind(a, b[:, :2])
    with pytest.raises(ValueError, match="b holds NaN"):
        mind(a, b * np.nan)
