"""The distribution metrics by LAPACK's routes, and by their definitions in NumPy, on the same features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.case import Call, Contender
from bench.inputs import attribute
from bench.programs import program

Matrix = np.ndarray
Pair = Callable[[], tuple[Matrix, Matrix]]
"""Draws the two inputs of a case."""


def prepared(draw: Pair, call: Callable[[Matrix, Matrix], object]) -> Callable[[], Call]:
    """Prepare a function of both inputs."""

    def prepare() -> Call:
        a, b = draw()
        return lambda: call(a, b)

    return prepare


def product(draw: Pair, tolerance: float) -> Contender:
    """NumPy's product with the transposed second."""
    return Contender(prepare=prepared(draw, lambda a, b: a @ b.T), tolerance=tolerance)


def symmetric_product(draw: Callable[[], Matrix]) -> Contender:
    """NumPy's X.T @ X in float64, half the work of a product as ours is; its last row decides."""

    def prepare() -> Call:
        wide = draw().astype(np.float64)
        return lambda: wide.T @ wide

    return Contender(prepare=prepare, tolerance=1e-9, result=lambda found: found[-1])


def by_eigh(a: Matrix, b: Matrix) -> float:
    """The best of the LAPACK routes through NumPy: the root of one covariance, eigenvalues of a symmetric product."""
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return float(np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0)).sum())


def by_cholesky(a: Matrix, b: Matrix) -> float:
    """Another: eigenvalues of L^T B L with A = L L^T, for full rank only."""
    factor = np.linalg.cholesky(a)
    return float(np.sqrt(np.maximum(np.linalg.eigvalsh(factor.T @ b @ factor), 0)).sum())


def sqrtm() -> Callable[[Matrix, Matrix], float]:
    """SciPy's root of a matrix, as most programs take it."""
    root = program("scipy.linalg").sqrtm
    return lambda a, b: float(np.trace(root(a @ b)).real)


def traces(draw: Pair, tolerance: float) -> dict[str, Contender]:
    """The trace of the root of the product of two covariances."""

    def by_scipy() -> Call:
        trace = sqrtm()
        a, b = draw()
        return lambda: trace(a, b)

    return {
        "numpy-eigh": Contender(prepare=prepared(draw, by_eigh), tolerance=tolerance),
        "numpy-cholesky": Contender(prepare=prepared(draw, by_cholesky), tolerance=tolerance),
        "numpy-eigvalsh-alone": Contender(prepare=prepared(draw, lambda a, b: np.linalg.eigvalsh(a)), tolerance=None),
        "scipy-sqrtm": Contender(prepare=by_scipy, tolerance=tolerance),
    }


def frechet(x: Matrix, y: Matrix, trace: Callable[[Matrix, Matrix], float]) -> float:
    """The distance of two sets of features by its formula, given the trace of the root."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    a, b = np.cov(x.T), np.cov(y.T)
    means = x.mean(axis=0) - y.mean(axis=0)
    return float(means @ means + np.trace(a) + np.trace(b) - 2 * trace(a, b))


def by_formula(draw: Pair, tolerance: float) -> Contender:
    """The oracle of the distance."""
    return Contender(prepare=prepared(draw, lambda x, y: frechet(x, y, by_eigh)), tolerance=tolerance)


def by_scipy(draw: Pair, tolerance: float) -> Contender:
    """The distance as programs that use SciPy's root compute it."""

    def prepare() -> Call:
        trace = sqrtm()
        x, y = draw()
        return lambda: frechet(x, y, trace)

    return Contender(prepare=prepare, tolerance=tolerance)


def polynomial_kernel(draw: Pair, subsets: int, size: int) -> Contender:
    """The kernel distance by its definition, of the subsets that torch-fidelity's generator draws."""

    def prepare() -> Call:
        x, y = draw()

        def call() -> tuple[float, float]:
            random = np.random.RandomState(0)
            found = []
            for _ in range(subsets):
                p, q = (z[random.choice(len(z), size, replace=False)].astype(np.float64) for z in (x, y))
                within = 0.0
                for z in (p, q):
                    kernel = (z @ z.T / z.shape[1] + 1) ** 3
                    within += kernel.sum() - np.trace(kernel)
                between = ((p @ q.T / p.shape[1] + 1) ** 3).sum()
                found.append(within / (size * (size - 1)) - 2 * between / size**2)
            return float(np.mean(found)), float(np.std(found))

        return call

    return Contender(prepare=prepare, tolerance=1e-6)


def gaussian_kernel(draw: Pair, *, unit: bool) -> Contender:
    """CMMD by its definition, in blocks of which NumPy takes the exponential."""

    def mean(x: Matrix, y: Matrix) -> float:
        total = 0.0
        for i in range(0, len(x), 1024):
            rows = x[i : i + 1024]
            for j in range(0, len(y), 1024):
                columns = y[j : j + 1024]
                exponents = rows @ columns.T
                exponents *= 2
                exponents -= (rows * rows).sum(axis=1)[:, np.newaxis]
                exponents -= (columns * columns).sum(axis=1)
                exponents *= 0.005
                total += float(np.exp(exponents, out=exponents).sum())
        return total / (len(x) * len(y))

    def distance(x: Matrix, y: Matrix) -> float:
        x, y = (z.astype(np.float64) for z in (x, y))
        if unit:
            x, y = (z / np.sqrt((z * z).sum(axis=1, keepdims=True)) for z in (x, y))
        return 1000 * (mean(x, x) + mean(y, y) - 2 * mean(x, y))

    return Contender(prepare=prepared(draw, distance), tolerance=1e-9)


def sliced_distance(draw: Pair, projections: int, seed: int) -> Contender:
    """MIND by its definition in NumPy, on directions of PyTorch's generator."""

    def prepare() -> Call:
        generator = attribute("pixelgauge.distribution.torch_random:TorchGenerator")
        x, y = draw()

        def call() -> float:
            directions = generator(seed).normal(projections, x.shape[1])
            directions /= np.sqrt((directions * directions).sum(axis=1, keepdims=True))
            p, q = (np.sort(directions @ z.astype(np.float64).T, axis=1) for z in (x, y))
            return 3 * x.shape[1] * float(((p - q) ** 2).mean())

        return call

    return Contender(prepare=prepare, tolerance=1e-9)


def cosine_eigenvalues(draw: Callable[[], Matrix]) -> Contender:
    """The Vendi score from the eigenvalues of all cosines."""

    def prepare() -> Call:
        x = draw()

        def call() -> float:
            rows = x.astype(np.float64)
            rows /= np.sqrt((rows * rows).sum(axis=1, keepdims=True))
            values = np.linalg.eigvalsh(rows @ rows.T / len(rows))
            values = values[values > 1e-13]
            return float(np.exp(-(values * np.log(values)).sum()))

        return call

    return Contender(prepare=prepare, tolerance=1e-9)


def squares(x: Matrix, y: Matrix) -> Matrix:
    """Squared distances in float64."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    found: Matrix = np.maximum((x * x).sum(1)[:, None] + (y * y).sum(1) - 2 * x @ y.T, 0)
    return found


def radii(z: Matrix, k: int, rows: int = 1000) -> Matrix:
    """Squared distance of each to its k-th neighbour, itself left out, a block of rows at a time."""
    blocks = [np.partition(squares(z[i : i + rows], z), k, axis=1)[:, k] for i in range(0, len(z), rows)]
    return np.concatenate(blocks)


def neighbours(real: Matrix, fake: Matrix, precision_k: int, density_k: int) -> tuple[float, float, float, float]:
    """Precision, recall, density and coverage by their definitions, in blocks, so that any number fits into memory."""
    reach, dense, far = radii(real, precision_k), radii(real, density_k), radii(fake, precision_k)
    inside, within, rows = np.zeros(len(fake), bool), 0, 1000
    recalled, covered = [], []
    for i in range(0, len(real), rows):
        cross = squares(real[i : i + rows], fake)
        # equal counts in precision and recall, and not in density and coverage, as in the programs of each pair
        inside |= (cross <= reach[i : i + rows, None]).any(axis=0)
        recalled.append((cross <= far).any(axis=1))
        within += int((cross < dense[i : i + rows, None]).sum())
        covered.append(cross.min(axis=1) < dense[i : i + rows])
    density = within / (density_k * len(fake))
    return float(inside.mean()), float(np.concatenate(recalled).mean()), density, float(np.concatenate(covered).mean())


def by_definition(
    draw: Pair, precision_k: int, density_k: int, pick: Callable[[Any], object], tolerance: float
) -> Contender:
    """The oracle of the metrics of neighbours."""
    return Contender(
        prepare=prepared(draw, lambda real, fake: neighbours(real, fake, precision_k, density_k)),
        tolerance=tolerance,
        result=pick,
    )


def prdc(draw: Pair, k: int) -> Contender:
    """The program of the prdc package, a few lines over scikit-learn: every distance at a time, in float32."""

    def prepare() -> Call:
        distances = program("sklearn.metrics").pairwise_distances
        real, fake = draw()

        def reach(z: Matrix) -> Matrix:
            found = distances(z, z, metric="euclidean", n_jobs=8)
            nearest: Matrix = np.partition(found, k, axis=-1)[:, : k + 1].max(axis=-1)
            return nearest

        def call() -> tuple[float, float, float, float]:
            r, f = reach(real), reach(fake)
            cross = distances(real, fake, metric="euclidean", n_jobs=8)
            precision = (cross < r[:, None]).any(axis=0).mean()
            recall = (cross < f[None]).any(axis=1).mean()
            density = (cross < r[:, None]).sum(axis=0).mean() / k
            return float(precision), float(recall), float(density), float((cross.min(axis=1) < r).mean())

        return call

    return Contender(prepare=prepare, tolerance=1e-3)
