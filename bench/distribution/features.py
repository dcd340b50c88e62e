"""Features as a network's are, and covariances of a known condition, the same in every process."""

from __future__ import annotations

import math

import numpy as np

from bench.inputs import kept


@kept
def inception_like(n: int, seed: int, dim: int) -> np.ndarray:
    """Features whose covariance decays as Inception's does, roughly 1 / k, with positive means."""
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((dim, dim), dtype=np.float32) / math.sqrt(dim)
    x = rng.standard_normal((n, dim), dtype=np.float32) * np.arange(1, dim + 1, dtype=np.float32) ** -0.5
    features: np.ndarray = np.abs(x @ mix + np.float32(0.4))
    return features


@kept
def gaussian(n: int, seed: int, dim: int) -> np.ndarray:
    """White noise in float32, for sets so large that mixing it would take longer than what is measured."""
    return np.random.default_rng(seed).standard_normal((n, dim), dtype=np.float32)


@kept
def covariance(n: int, seed: int, dim: int) -> np.ndarray:
    """Covariance of such features in float64."""
    covariance: np.ndarray = np.cov(inception_like(n, seed, dim).T.astype(np.float64))
    return covariance


@kept
def ill_conditioned(seed: int, dim: int) -> np.ndarray:
    """A covariance of condition 1e12, its eigenvalues evenly spaced in the logarithm."""
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, dim)))[0]
    covariance = (basis * np.logspace(0, -12, dim)) @ basis.T
    halves: np.ndarray = (covariance + covariance.T) / 2
    return halves
