"""Speed of the distribution metrics beside what people run today: contenders alternate in one process, medians, ratios.

    python bench/bench_distribution.py [gemm] [stats] [frechet] [routes] [ill] [gram] [neighbours] [memory] [large]
    [--repeats N] [--threads N] [--samples N]

Needs scipy for ``frechet``, ``ill`` and ``gram``, scikit-learn for ``neighbours`` (the prdc package is a few lines over it,
repeated here). ``large``, of 100,000 x 2048, takes ten minutes or so and runs only by name. Every case asserts its result.
Set OPENBLAS_NUM_THREADS to the same number of threads, and PIXELGAUGE_ISA with OPENBLAS_CORETYPE=Haswell to compare AVX2.
"""

import argparse
import math
import resource
import statistics
import time
from functools import partial

import numpy as np

import pixelgauge
from pixelgauge import _core
from timing import alternate, machine

D = 2048


def keeping(contenders, results):
    """The contenders, each leaving what it returned in `results` under its name."""

    def keep(name, call):
        results[name] = call()

    return {name: partial(keep, name, call) for name, call in contenders.items()}


def timed(contenders, repeats):
    """Median seconds of each of {name: call}, and their last results."""
    results = {}
    return alternate(keeping(contenders, results), repeats, budget_s=40), results


def timed_in_turn(contenders, repeats):
    """The same for programs that take many seconds, each run timed but one of the first contender, which would otherwise
    pay for the process's first threads and pages."""
    results, seconds = {}, {name: [] for name in contenders}
    next(iter(contenders.values()))()
    for _ in range(repeats):
        for name, call in keeping(contenders, results).items():
            # a BLAS keeps its threads spinning for a while after a call, on the cores of the next contender
            time.sleep(0.2)
            start = time.perf_counter()
            call()
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
        times, found = timed({"pixelgauge": lambda: _core.matmul_transposed(a, b), "numpy": lambda: a @ b.T}, repeats)  # noqa: B023
        assert np.allclose(found["pixelgauge"], found["numpy"], atol=1e-2 if dtype == np.float32 else 1e-9)
        table(f"product {np.dtype(dtype).name} {D}", times, 2 * D**3)


def bench_stats(repeats):
    for n in (1000, 8192):
        for dtype in (np.float32, np.float64):
            x = inception_like(n, 1).astype(dtype)
            wide = x.astype(np.float64)
            stats = pixelgauge.FeatureStats(D)
            times, found = timed(
                {
                    f"update {x.dtype}": lambda stats=stats, x=x: stats.update(x),
                    "numpy X.T @ X float64": lambda wide=wide: wide.T @ wide,
                },
                repeats,
            )
            total = found[f"update {x.dtype}"]._scatter[0][-1]
            assert np.allclose(total / (stats.count / n), found["numpy X.T @ X float64"][-1], rtol=1e-12)
            table(f"statistics {n} x {D}", times, n * D * D)


def numpy_eigh_route(a, b):
    """The best of the LAPACK routes through NumPy: the root of one covariance, eigenvalues of a symmetric product."""
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0)).sum()


def numpy_cholesky_route(a, b):
    """Another: eigenvalues of L^T B L with A = L L^T, for full rank only."""
    factor = np.linalg.cholesky(a)
    return np.sqrt(np.maximum(np.linalg.eigvalsh(factor.T @ b @ factor), 0)).sum()


def traces_of_the_root(title, a, b, repeats, tolerance):
    import scipy.linalg

    contenders = {
        method: (lambda method=method: pixelgauge.trace_sqrt_product(a, b, method=method))
        for method in ("auto", "newton-schulz", "svd")
    }
    contenders["numpy eigh"] = lambda: numpy_eigh_route(a, b)
    contenders["numpy cholesky, eigvalsh"] = lambda: numpy_cholesky_route(a, b)
    contenders["scipy sqrtm"] = lambda: np.trace(scipy.linalg.sqrtm(a @ b)).real
    times, found = timed_in_turn(contenders, repeats)
    info = pixelgauge.frechet_distance((np.zeros(D), a), (np.zeros(D), b), return_info=True)[1]
    print(
        f"{title}: auto takes {info.method}, {info.iterations} steps, bound {info.bound:.1e}, traces of the covariances "
        f"{np.trace(a) + np.trace(b):.6g}"
    )
    for name, value in found.items():
        print(f"    {name:28} {value:.15g}, off svd's by {value / found['svd'] - 1:+.1e}")
        assert abs(value / found["svd"] - 1) < (1e-10 if name in ("auto", "newton-schulz") else tolerance), (
            name,
            value,
        )
    table(title, times)


def bench_frechet(repeats):
    a, b = (pixelgauge.FeatureStats(D).update(inception_like(10000, seed)).cov() for seed in (1, 2))
    traces_of_the_root("trace of the root, 2048", a, b, repeats, 1e-8)


def bench_routes(repeats):
    """The quick ones alone, for medians of several rounds."""
    a, b = (pixelgauge.FeatureStats(D).update(inception_like(10000, seed)).cov() for seed in (1, 2))
    contenders = {
        "auto": lambda: pixelgauge.trace_sqrt_product(a, b),
        "newton-schulz": lambda: pixelgauge.trace_sqrt_product(a, b, method="newton-schulz"),
        "numpy cholesky, eigvalsh": lambda: numpy_cholesky_route(a, b),
        "numpy eigvalsh alone": lambda: np.linalg.eigvalsh(a).sum(),
    }
    times, found = timed(contenders, repeats)
    for name in ("newton-schulz", "numpy cholesky, eigvalsh"):
        assert abs(found[name] / found["auto"] - 1) < 1e-10
    table("trace of the root, 2048", times)


def bench_ill(repeats):
    """Covariances of condition 1e12, their eigenvalues evenly spaced in the logarithm."""
    rng = np.random.default_rng(0)
    pair = []
    for _ in range(2):
        basis = np.linalg.qr(rng.standard_normal((D, D)))[0]
        cov = (basis * np.logspace(0, -12, D)) @ basis.T
        pair.append((cov + cov.T) / 2)
    traces_of_the_root("condition 1e12, 2048", *pair, repeats, 1e-2)


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
    times, found = timed_in_turn(contenders, repeats)
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

    def separately():
        return (*pixelgauge.precision_recall(real, fake, k=5), *pixelgauge.density_coverage(real, fake, k=5))

    contenders = {
        "neighbour_metrics": lambda: pixelgauge.neighbour_metrics(real, fake, precision_k=5, density_k=5),
        "both functions": separately,
        "prdc": prdc,
    }
    times, found = timed_in_turn(contenders, repeats)
    assert tuple(found["neighbour_metrics"]) == found["both functions"]
    assert np.allclose(found["both functions"], found["prdc"], atol=1e-3)  # prdc works in float32
    table("precision .. coverage 10000 x 2048", times)


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bench_memory(repeats):
    """Peak memory beyond the features, of which there are 100,000 x 2048, and 20,000 for the quadratic metrics."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100_000, D), dtype=np.float32)
    y = x[50_000:]
    tasks = {
        "statistics of 100,000": lambda: pixelgauge.FeatureStats(D).update(x),
        "kernel_distance of 100,000 and 50,000, 10 subsets": lambda: pixelgauge.kernel_distance(x, y, subsets=10),
        "neighbour_metrics of 20,000 and 20,000": lambda: pixelgauge.neighbour_metrics(x[:20_000], y[:20_000]),
    }
    print(f"features {x.nbytes / 2**20:.0f} MB, peak with them {peak_megabytes():.0f} MB")
    for name, task in tasks.items():
        before, start = peak_megabytes(), time.perf_counter()
        task()
        print(
            f"{name:52} {time.perf_counter() - start:8.2f} s, peak grows by {peak_megabytes() - before:6.0f} MB",
            flush=True,
        )


def bench_large(n):
    """`neighbour_metrics` of n and n x 2048, once: that it ends, how long it takes, and its memory."""
    rng = np.random.default_rng(0)
    real, fake = (rng.standard_normal((n, D), dtype=np.float32) for _ in range(2))
    before, start = peak_megabytes(), time.perf_counter()
    found = pixelgauge.neighbour_metrics(real, fake)
    seconds, grown = time.perf_counter() - start, peak_megabytes() - before
    print(
        f"neighbour_metrics of {n} and {n} x {D}: {seconds:.0f} s, peak grows by {grown:.0f} MB over the features; {found}"
    )
    print(f"    {4 * n * n * D / seconds / 1e9:.0f} GFLOP/s of products, symmetric ones counted by half")
    # 100 MB of packed copies and blocks, 64 MB of blocks kept for reuse, 500 bytes a sample
    assert grown < 100 + 64 + 2 * n * 500 / 2**20
    # two samples of one distribution: what holds for one side holds for the other, within the spread of n counts
    assert abs(found.precision - found.recall) < 0.02
    assert 0.9 < found.density < 1.1


CASES = {
    "gemm": bench_gemm,
    "stats": bench_stats,
    "frechet": bench_frechet,
    "routes": bench_routes,
    "ill": bench_ill,
    "gram": bench_gram,
    "neighbours": bench_neighbours,
    "memory": bench_memory,
    "large": bench_large,
}
BY_NAME_ONLY = ("large",)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "cases", nargs="*", default=[name for name in CASES if name not in BY_NAME_ONLY], help=", ".join(CASES)
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--samples", type=int, default=100_000, help="of each set of `large` (default: %(default)s)")
    args = parser.parse_args()
    if args.threads:
        pixelgauge.set_num_threads(args.threads)
    threads = pixelgauge.get_num_threads()
    print(f"pixelgauge {pixelgauge.__version__} {pixelgauge.isa()}, {threads} threads; {machine()}")
    for case in args.cases:
        CASES[case](args.samples if case in BY_NAME_ONLY else args.repeats)


if __name__ == "__main__":
    main()
