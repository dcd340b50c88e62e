"""Speed of the distribution metrics beside what people run today: contenders alternate in one process, medians, ratios.

    python bench/bench_distribution.py [gemm] [stats] [frechet] [gram] [neighbours] [--repeats N] [--threads N]

Needs scipy for ``frechet`` and ``gram``, scikit-learn for ``neighbours`` (the prdc package is a few lines over it,
repeated here). Every case asserts its result. Set OPENBLAS_NUM_THREADS to the same number of threads, and
PIXELGAUGE_ISA with OPENBLAS_CORETYPE=Haswell to compare AVX2.
"""

import argparse
import math
import statistics
import time

import numpy as np

import pixelgauge
from pixelgauge import _core

D = 2048


def timed(contenders, repeats):
    """Median seconds of each of {name: call}, the first alternating with the others; results of the last round."""
    seconds, results = {name: [] for name in contenders}, {}
    for _ in range(repeats):
        for name, call in contenders.items():
            start = time.perf_counter()
            results[name] = call()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}, results


def table(title, times, operations=None):
    ours = next(iter(times))
    for name, seconds in times.items():
        rate = f"{operations / seconds / 1e9:8.1f} GFLOP/s" if operations else ""
        ratio = "" if name == ours else f"{seconds / times[ours]:7.2f} x {ours}"
        print(f"{title:34} {name:28} {seconds * 1e3:9.1f} ms {rate} {ratio}", flush=True)


def inception_like(n, seed, dim=D):
    """Features whose covariance decays as Inception's does, roughly 1 / k, with positive means."""
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((dim, dim), dtype=np.float32) / math.sqrt(dim)
    x = rng.standard_normal((n, dim), dtype=np.float32) * np.arange(1, dim + 1, dtype=np.float32) ** -0.5
    return np.abs(x @ mix + 0.4)


def bench_gemm(repeats):
    rng = np.random.default_rng(0)
    for dtype in (np.float64, np.float32):
        a, b = (rng.standard_normal((D, D)).astype(dtype) for _ in range(2))
        times, found = timed({"pixelgauge": lambda: _core.product(a, b), "numpy": lambda: a @ b.T}, repeats)  # noqa: B023
        assert np.allclose(found["pixelgauge"], found["numpy"], atol=1e-2 if dtype == np.float32 else 1e-9)
        table(f"product {np.dtype(dtype).name} {D}", times, 2 * D**3)


def bench_stats(repeats):
    x = inception_like(8192, 1)
    wide = x.astype(np.float64)
    times, found = timed(
        {
            "update float32": lambda: pixelgauge.FeatureStats(D).update(x),
            "numpy X.T @ X float64": lambda: wide.T @ wide,
        },
        repeats,
    )
    assert np.allclose(found["update float32"]._scatter[0][-1], found["numpy X.T @ X float64"][-1], rtol=1e-12)
    table("statistics 8192 x 2048", times, len(x) * D * D)


def numpy_eigh_route(a, b):
    """The best of the LAPACK routes through NumPy: the root of one covariance, eigenvalues of a symmetric product."""
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0)).sum()


def numpy_cholesky_route(a, b):
    """Another: eigenvalues of L^T B L with A = L L^T, for full rank only."""
    factor = np.linalg.cholesky(a)
    return np.sqrt(np.maximum(np.linalg.eigvalsh(factor.T @ b @ factor), 0)).sum()


def bench_frechet(repeats):
    import scipy.linalg

    a, b = (pixelgauge.FeatureStats(D).update(inception_like(10000, seed)).cov() for seed in (1, 2))
    contenders = {
        method: (lambda method=method: pixelgauge.trace_sqrt_product(a, b, method=method))
        for method in ("auto", "newton-schulz", "eigh")
    }
    contenders["numpy eigh"] = lambda: numpy_eigh_route(a, b)
    contenders["numpy cholesky, eigvalsh"] = lambda: numpy_cholesky_route(a, b)
    contenders["scipy sqrtm"] = lambda: np.trace(scipy.linalg.sqrtm(a @ b)).real
    times, found = timed(contenders, repeats)
    for name, value in found.items():
        assert abs(value - found["newton-schulz"]) < 1e-8 * value, (name, value)
    table("trace of the root, 2048", times)


def bench_gram(repeats):
    import scipy.linalg

    x, y = (inception_like(1000, seed).astype(np.float64) for seed in (1, 2))

    def by_sqrtm():
        product = np.cov(x.T) @ np.cov(y.T)
        root = scipy.linalg.sqrtm(product)
        means = x.mean(axis=0) - y.mean(axis=0)
        return means @ means + np.trace(np.cov(x.T) + np.cov(y.T) - 2 * np.real(root))

    contenders = {
        method: (lambda method=method: pixelgauge.frechet_distance(x, y, method=method))
        for method in ("auto", "newton-schulz", "svd", "eigh")
    }
    contenders["scipy sqrtm"] = by_sqrtm
    times, found = timed(contenders, repeats)
    assert abs(found["auto"] - found["svd"]) < 1e-9 * found["svd"]
    table("distance from 1000 x 2048", times)


def bench_neighbours(repeats):
    from sklearn.metrics import pairwise_distances

    real, fake = inception_like(10000, 1), inception_like(10000, 2)

    def prdc():
        def radii(z):
            return np.partition(pairwise_distances(z, z, metric="euclidean", n_jobs=8), 5, axis=-1)[:, :6].max(axis=-1)

        r, f = radii(real), radii(fake)
        cross = pairwise_distances(real, fake, metric="euclidean", n_jobs=8)
        precision = (cross < r[:, None]).any(axis=0).mean()
        recall = (cross < f[None]).any(axis=1).mean()
        density = (cross < r[:, None]).sum(axis=0).mean() / 5
        return precision, recall, density, (cross.min(axis=1) < r).mean()

    def ours():
        return (*pixelgauge.precision_recall(real, fake, k=5), *pixelgauge.density_coverage(real, fake, k=5))

    times, found = timed({"pixelgauge": ours, "prdc": prdc}, repeats)
    assert np.allclose(found["pixelgauge"], found["prdc"], atol=1e-3)  # prdc works in float32
    table("precision .. coverage 10000 x 2048", times)


CASES = {
    "gemm": bench_gemm,
    "stats": bench_stats,
    "frechet": bench_frechet,
    "gram": bench_gram,
    "neighbours": bench_neighbours,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES), help=", ".join(CASES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    if args.threads:
        pixelgauge.set_num_threads(args.threads)
    threads = pixelgauge.get_num_threads()
    print(f"pixelgauge {pixelgauge.__version__} {pixelgauge.isa()}, {threads} threads, numpy {np.__version__}")
    for case in args.cases:
        CASES[case](args.repeats)


if __name__ == "__main__":
    main()
