"""Populations of features whose distances are known, for the coverage of intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def laplace(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.laplace(size=shape) / math.sqrt(2)


def student(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Elliptical, of ten degrees of freedom and unit variance."""
    radii = np.sqrt(8 / rng.chisquare(10, size=(shape[0], 1)))
    noise: np.ndarray = rng.standard_normal(shape) * radii
    return noise


def exponential(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.exponential(size=shape) - 1


NOISE: dict[str, tuple[Draw, float]] = {
    "gaussian": (lambda rng, shape: rng.standard_normal(shape), 0.0),
    "laplace": (laplace, 0.0),
    "student": (student, 0.0),
    "spectrum": (exponential, 2.0),
}
"""Noise of unit variance, and the third cumulant of one of its coordinates."""
CHANGES = ("null", "mean", "covariance")


def eigenvalues(kind: str, dim: int) -> np.ndarray:
    """Variances of the noise: of "spectrum" they fall by 4.5 decades as a power, as those of Inception's features do."""
    if kind != "spectrum":
        return np.ones(dim)
    values: np.ndarray = np.arange(1.0, dim + 1) ** (-4.5 / math.log10(dim))
    return values


@dataclass(frozen=True)
class Mixture:
    """mean + noise @ mix.T: noise of a kind, mixed by a matrix."""

    kind: str
    mean: np.ndarray
    mix: np.ndarray

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        drawn: np.ndarray = NOISE[self.kind][0](rng, (n, len(self.mean))) @ self.mix.T + self.mean
        return drawn

    @property
    def cov(self) -> np.ndarray:
        covariance: np.ndarray = self.mix @ self.mix.T
        return covariance


def mixtures(kind: str, change: str, dim: int) -> tuple[Mixture, Mixture]:
    """Two populations: the same, or the second moved, or its features scaled each by another factor.

    Of "spectrum" the features are sums of exponential variables, so none is below zero.
    """
    rng = np.random.default_rng(dim)
    mix = rng.standard_normal((dim, dim)) / math.sqrt(dim)
    mix = np.abs(mix) if kind == "spectrum" else mix + 0.5 * np.eye(dim)
    mix = mix * np.sqrt(eigenvalues(kind, dim))
    mean = mix.sum(axis=1) if kind == "spectrum" else np.zeros(dim)
    first = Mixture(kind, mean, mix)
    if change == "null":
        return first, first
    if change == "mean":  # by half of the spread, along a direction that the features themselves take
        return first, Mixture(kind, mean + 0.5 * mix @ np.ones(dim), mix)
    factors = rng.uniform(0.7, 1.6, dim)
    return first, Mixture(kind, factors * mean, factors[:, np.newaxis] * mix)


def frechet_distance_of(first: Mixture, second: Mixture) -> float:
    """From the moments, through the singular values of the product of the mixing matrices."""
    gap = first.mean - second.mean
    root = np.linalg.svd(first.mix.T @ second.mix, compute_uv=False).sum()
    traces = (first.mix**2).sum() + (second.mix**2).sum()
    return 0.0 if first is second else float(gap @ gap + traces - 2 * root)


@dataclass(frozen=True)
class Independent:
    """mean + scale * noise, a feature each: the kernel distance does not see rotations."""

    kind: str
    mean: np.ndarray
    scale: np.ndarray

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        drawn: np.ndarray = NOISE[self.kind][0](rng, (n, len(self.mean))) * self.scale + self.mean
        return drawn


def independents(kind: str, change: str, dim: int) -> tuple[Independent, Independent]:
    """Two populations with the mean and the trace that Inception's features have, about .4 and .16 a feature."""
    values = eigenvalues(kind, dim)
    scale = 0.4 * np.sqrt(values / values.mean())
    mean = np.full(dim, 0.4)
    first = Independent(kind, mean, scale)
    if change == "null":
        return first, first
    if change == "mean":
        signs = np.random.default_rng(dim).choice([-1.0, 1.0], dim)
        return first, Independent(kind, mean + 0.25 * scale * signs, scale)
    return first, Independent(kind, mean, 1.3 * scale)


def kernel_distance_of(first: Independent, second: Independent) -> float:
    """Squared MMD of the cubic kernel (x.y / D + 1)^3, from the first three moments."""
    if first is second:
        return 0.0
    pairs = ((first, first, 1.0), (second, second, 1.0), (first, second, -2.0))
    return math.fsum(sign * _mean_kernel(p, q) for p, q, sign in pairs)


def _mean_kernel(p: Independent, q: Independent) -> float:
    m, n, c, f = p.mean, q.mean, p.scale**2, q.scale**2
    third_p, third_q = (NOISE[side.kind][1] * side.scale**3 for side in (p, q))
    first = m @ n
    second = first**2 + f @ m**2 + c @ n**2 + c @ f
    third = first**3 + 3 * first * (f @ m**2 + c @ n**2 + c @ f) + 6 * (m * n) @ (c * f)
    third += third_p @ (n**3 + 3 * n * f) + third_q @ (m**3 + 3 * m * c) + third_p @ third_q
    dim = len(m)
    return float(1 + 3 * first / dim + 3 * second / dim**2 + third / dim**3)
