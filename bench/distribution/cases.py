"""Statistics of features, the distances between sets of them, and files of statistics."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.case import Call, Case, Contender
from bench.distribution import peers
from bench.distribution.features import covariance, gaussian, ill_conditioned, inception_like
from bench.inputs import attribute, in_folder
from bench.limits import Limit

WIDTH = 2048
Draw = Callable[[int, int, int], np.ndarray]


def two(make: Draw, n: int, dim: int) -> peers.Pair:
    """Draw two sets that differ."""
    return lambda: (make(n, 1, dim), make(n, 2, dim))


def of_two(function: str, draw: peers.Pair, **options: Any) -> Callable[[], Call]:
    """Prepare a call of a function of two inputs."""

    def prepare() -> Call:
        metric = attribute(f"pixelgauge:{function}")
        a, b = draw()
        return lambda: metric(a, b, **options)

    return prepare


def of_one(function: str, draw: Callable[[], np.ndarray]) -> Callable[[], Call]:
    """Prepare a call of a function of one input."""

    def prepare() -> Call:
        metric = attribute(f"pixelgauge:{function}")
        x = draw()
        return lambda: metric(x)

    return prepare


def ways(function: str, draw: peers.Pair, methods: tuple[str, ...], tolerance: float) -> dict[str, Contender]:
    """Our other methods."""
    return {
        f"pixelgauge-{method}": Contender(prepare=of_two(function, draw, method=method), tolerance=tolerance)
        for method in methods
    }


def in_float64(n: int, seed: int, dim: int) -> np.ndarray:
    """Noise for products."""
    return gaussian(n, seed, dim).astype(np.float64)


def products() -> Iterator[Case]:
    """The product that all of it stands on."""

    def ours(draw: peers.Pair) -> Call:
        multiply = attribute("pixelgauge._core:matmul_transposed")
        a, b = draw()
        return lambda: multiply(a, b)

    for dtype, make, tolerance in (("float64", in_float64, 1e-9), ("float32", gaussian, 1e-2)):
        draw = two(make, WIDTH, WIDTH)
        yield Case(
            function="matmul_transposed",
            variant=dtype,
            size=str(WIDTH),
            prepare=functools.partial(ours, draw),
            tolerance=tolerance,
            parameters={"dtype": dtype},
            contenders={"numpy": peers.product(draw, tolerance)},
            # a register holds half as many in float64, so each of those counts for two
            limit=Limit(flop=2.0 * WIDTH**3 * (2 if dtype == "float64" else 1), why="2048 multiply-adds an entry"),
        )


def updated(draw: Callable[[], np.ndarray], dim: int) -> Callable[[], Call]:
    """Prepare the statistics of a block of features."""

    def prepare() -> Call:
        x = draw()
        stats = attribute("pixelgauge:FeatureStats")
        return lambda: stats(dim).update(x)

    return prepare


def second_moments(stats: Any) -> np.ndarray:
    """Sums of products with the last feature, as X.T @ X has them."""
    found: np.ndarray = stats.cov()[-1] * (stats.count - 1) + stats.count * stats.mean * stats.mean[-1]
    return found


def statistics() -> Iterator[Case]:
    """Sums of n products in float64, in whatever order."""
    for n, dim, dtype in (
        (1000, WIDTH, "float32"),
        (1000, WIDTH, "float64"),
        (8192, WIDTH, "float32"),
        (8192, WIDTH, "float64"),
        (1000, 64, "float32"),
    ):

        def draw(n: int = n, dim: int = dim, dtype: str = dtype) -> np.ndarray:
            return inception_like(n, 1, dim).astype(dtype)

        yield Case(
            function="feature_stats",
            variant=f"update-{dtype}",
            size=f"{n}x{dim}",
            prepare=updated(draw, dim),
            tolerance=1e-9,
            parameters={"dtype": dtype, "layout": "N,D"},
            result=second_moments,
            contenders={"numpy": peers.symmetric_product(draw)},
            limit=Limit(flop=2.0 * n * dim * dim, why="half of n D^2 multiply-adds, in float64"),
        )
    yield Case(
        function="feature_stats",
        variant="update-float32",
        size=f"100000x{WIDTH}",
        prepare=updated(lambda: gaussian(100_000, 1, WIDTH), WIDTH),
        tolerance=1e-9,
        parameters={"dtype": "float32", "layout": "N,D"},
        result=second_moments,
        contenders={"numpy": peers.symmetric_product(lambda: gaussian(100_000, 1, WIDTH))},
        memory=256e6,
        long=True,
    )


def frechet() -> Iterator[Case]:
    """The trace of the root, and the distance from statistics and from features."""
    methods = ("newton-schulz", "svd")
    for variant, make, ours, theirs in (
        ("auto", functools.partial(covariance, 10_000), 1e-10, 1e-8),
        # LAPACK's routes through a root lose half of the digits of the smallest eigenvalues
        ("condition-1e12", ill_conditioned, 1e-10, 1e-2),
    ):

        def draw(make: Callable[[int, int], np.ndarray] = make) -> tuple[np.ndarray, np.ndarray]:
            return make(1, WIDTH), make(2, WIDTH)

        yield Case(
            function="trace_sqrt_product",
            variant=variant,
            size=str(WIDTH),
            prepare=of_two("trace_sqrt_product", draw),
            tolerance=1e-6,
            parameters={"dtype": "float64"},
            contenders={**peers.traces(draw, theirs), **ways("trace_sqrt_product", draw, methods, ours)},
            long=variant != "auto",
        )
    for n, dim in ((1000, 64), (4096, WIDTH)):
        yield of_statistics(n, dim)
    features = two(inception_like, 1000, WIDTH)
    yield Case(
        function="frechet_distance",
        variant="auto",
        size=f"1000x{WIDTH}",
        prepare=of_two("frechet_distance", features),
        tolerance=1e-6,
        parameters={"dtype": "float32", "layout": "N,D"},
        # LAPACK's routes through covariances of deficient rank agree among themselves to six digits or so
        oracle=peers.by_formula(features, 1e-4),
        contenders={
            **ways("frechet_distance", features, ("newton-schulz", "svd"), 1e-9),
            **ways("frechet_distance", features, ("eigh",), 1e-4),
            "scipy-sqrtm": peers.by_scipy(features, 1e-4),
        },
    )


def intervals() -> Iterator[Case]:
    """Intervals of the Fréchet distance, of which the distance is compared, and of the kernel distance."""
    for n, dim, make in ((10_000, 64, inception_like), (50_000, WIDTH, gaussian)):
        draw = two(make, n, dim)
        yield Case(
            function="frechet_interval",
            variant="features",
            size=f"{n}x{dim}",
            prepare=of_two("frechet_interval", draw),
            tolerance=1e-6,
            parameters={"dtype": "float32", "layout": "N,D"},
            result=lambda found: found.distance,
            oracle=peers.by_formula(draw, 1e-6),
            # two times seven scatters, and a dozen matrices of their size
            memory=max(256e6, 30 * 8.0 * dim * dim),
            long=dim == WIDTH,
        )
    draw = two(inception_like, 2000, WIDTH)
    yield Case(
        function="kernel_distance_interval",
        variant="cubic",
        size=f"2000x{WIDTH}",
        prepare=of_two("kernel_distance_interval", draw),
        tolerance=1e-6,
        parameters={"dtype": "float32", "layout": "N,D"},
        result=lambda found: found.distance,
        contenders={"numpy": replace(peers.polynomial_kernel(draw, 1, 2000), result=lambda found: found[0])},
        limit=Limit(
            flop=8.0 * 2000 * 2000 * WIDTH, why="three products of n x n in float64, two of them by half, doubled"
        ),
    )


def of_statistics(n: int, dim: int) -> Case:
    """The distance of two full-rank statistics; the matrix square root is iterated to a relative 1e-8 or so."""
    draw = two(inception_like, n, dim)

    def prepare() -> Call:
        stats, distance = attribute("pixelgauge:FeatureStats"), attribute("pixelgauge:frechet_distance")
        a, b = (stats(dim).update(x) for x in draw())
        return lambda: distance(a, b)

    return Case(
        function="frechet_distance",
        variant="auto",
        size=str(dim),
        prepare=prepare,
        tolerance=1e-6,
        parameters={"samples": n},
        oracle=peers.by_formula(draw, 1e-6),
    )


def subsets() -> Iterator[Case]:
    """The kernel distance."""
    for size, dim in ((1000, WIDTH), (500, 64)):
        draw = two(inception_like, 2000, dim)
        yield Case(
            function="kernel_distance",
            variant=f"10x{size}",
            size=str(dim),
            prepare=of_two("kernel_distance", draw, subsets=10, subset_size=size),
            tolerance=1e-6,
            parameters={"dtype": "float32", "layout": "N,D", "subsets": 10, "subset_size": size},
            contenders={"numpy": peers.polynomial_kernel(draw, 10, size)},
        )
    large = two(gaussian, 50_000, WIDTH)
    yield Case(
        function="kernel_distance",
        variant="10x1000",
        size=f"50000x{WIDTH}",
        prepare=of_two("kernel_distance", large, subsets=10),
        tolerance=1e-6,
        parameters={"dtype": "float32", "layout": "N,D", "subsets": 10, "subset_size": 1000},
        contenders={"numpy": peers.polynomial_kernel(large, 10, 1000)},
        memory=256e6,
        long=True,
    )


def of_any_network() -> Iterator[Case]:
    """CMMD, MIND and the Vendi score, at the widths of CLIP's, Inception's and DINOv2's features."""
    for n, make in ((1000, inception_like), (5000, gaussian), (50_000, gaussian)):
        draw = two(make, n, 768)
        yield Case(
            function="cmmd",
            variant="unit",
            size=f"{n}x768",
            prepare=of_two("cmmd", draw),
            tolerance=1e-9,
            parameters={"dtype": "float32", "layout": "N,D"},
            contenders={"numpy": peers.gaussian_kernel(draw, unit=True)},
            limit=Limit(flop=4.0 * n * n * 768, why="a product of n x n, and two symmetric ones by half, in float32"),
            # both sets as unit vectors in float64, packed copies and blocks
            memory=2 * 8.0 * n * 768 + (100 + 64) * 2**20,
            long=n > 10_000,
        )
    draw = two(gaussian, 5000, 768)
    yield Case(
        function="cmmd",
        variant="as-given",
        size="5000x768",
        prepare=of_two("cmmd", draw, normalize=False),
        tolerance=1e-9,
        parameters={"dtype": "float32", "layout": "N,D"},
        contenders={"numpy": peers.gaussian_kernel(draw, unit=False)},
        limit=Limit(flop=8.0 * 5000 * 5000 * 768, why="the same in float64, doubled"),
    )
    draw = two(inception_like, 2000, WIDTH)
    yield Case(
        function="mind",
        variant="1000",
        size=f"2000x{WIDTH}",
        prepare=of_two("mind", draw),
        tolerance=1e-9,
        parameters={"dtype": "float32", "layout": "N,D"},
        contenders={"numpy": peers.sliced_distance(draw, 1000, 2020)},
        limit=Limit(flop=8.0 * 2000 * 1000 * WIDTH, why="two products of projections and samples in float64, doubled"),
    )
    for n, dim in ((2000, 768), (1000, WIDTH)):

        def one(n: int = n, dim: int = dim) -> np.ndarray:
            return inception_like(n, 1, dim)

        yield Case(
            function="vendi_score",
            variant="cosine",
            size=f"{n}x{dim}",
            prepare=of_one("vendi_score", one),
            tolerance=1e-9,
            parameters={"dtype": "float32", "layout": "N,D"},
            contenders={"numpy-n": peers.cosine_eigenvalues(one)},
        )


def first_two(found: Any) -> tuple[float, ...]:
    """Precision and recall of all four."""
    return tuple(found)[:2]


def last_two(found: Any) -> tuple[float, ...]:
    """Density and coverage of all four."""
    return tuple(found)[-2:]


def neighbours() -> Iterator[Case]:
    """Counts of neighbours: those within a rounding of the radius may count or not."""
    for function, variant, n, dim, pick in (
        ("precision_recall", "k3", 2000, WIDTH, first_two),
        ("density_coverage", "k5", 2000, 64, last_two),
    ):
        draw = two(inception_like, n, dim)
        yield Case(
            function=function,
            variant=variant,
            size=f"{n}x{dim}",
            prepare=of_two(function, draw),
            tolerance=2e-3,
            parameters={"dtype": "float32", "layout": "N,D"},
            result=tuple,
            oracle=peers.by_definition(draw, 3, 5, pick, 2e-3),
        )
    for n in (2000, 10_000):
        yield all_four(n)
    for n in (20_000, 50_000, 100_000):
        draw = two(gaussian, n, WIDTH)
        yield Case(
            function="neighbour_metrics",
            variant="k3-k5",
            size=f"{n}x{WIDTH}",
            prepare=of_two("neighbour_metrics", draw),
            tolerance=2e-3,
            parameters={"dtype": "float32", "layout": "N,D"},
            result=tuple,
            oracle=peers.by_definition(draw, 3, 5, tuple, 2e-3),
            # 100 MB of packed copies and blocks, 64 MB of blocks kept for reuse, 500 bytes a sample
            memory=(100 + 64) * 2**20 + 2 * n * 500,
            long=True,
        )


def all_four(n: int) -> Case:
    """All four of the same k, as prdc's program computes them."""
    draw = two(inception_like, n, WIDTH)

    def both() -> Call:
        precision, density = attribute("pixelgauge:precision_recall"), attribute("pixelgauge:density_coverage")
        real, fake = draw()
        return lambda: (*precision(real, fake, k=5), *density(real, fake, k=5))

    return Case(
        function="neighbour_metrics",
        variant="k5",
        size=f"{n}x{WIDTH}",
        prepare=of_two("neighbour_metrics", draw, precision_k=5, density_k=5),
        tolerance=2e-3,
        parameters={"dtype": "float32", "layout": "N,D"},
        result=tuple,
        oracle=peers.by_definition(draw, 5, 5, tuple, 2e-3),
        contenders={
            "pixelgauge-separately": Contender(prepare=both, tolerance=0.0),
            "prdc": peers.prdc(draw, 5),
        },
        limit=Limit(flop=4.0 * n * n * WIDTH, why="a product of n x n, and two symmetric ones by half"),
        long=n > 2000,
    )


def statistics_file(dim: int, *, saves: bool) -> Callable[[], Call]:
    """Prepare writing a file of statistics anew, or reading it."""

    def make(folder: Path) -> Call:
        kind = attribute("pixelgauge:FeatureStats")
        stats = kind(dim).update(inception_like(1000, 1, dim))
        path = folder / "stats.npz"
        stats.save(path)

        def save() -> Path:
            path.unlink()
            stats.save(path)
            return path

        def load() -> Any:
            return kind.load(path)

        return save if saves else load

    return in_folder(make)


def written(path: Path) -> list[np.ndarray]:
    """What pytorch-fid reads of a file."""
    with np.load(path) as arrays:
        return [arrays["mu"], arrays["sigma"]]


def files() -> Iterator[Case]:
    """Statistics written and read."""
    for dim in (64, WIDTH):

        def plain(dim: int = dim) -> Call:
            x = inception_like(1000, 1, dim).astype(np.float64)
            return lambda: [x.mean(axis=0), np.cov(x.T)]

        for variant, result in (("save", written), ("load", lambda stats: [stats.mean, stats.cov()])):
            yield Case(
                function="feature_stats",
                variant=variant,
                size=str(dim),
                prepare=statistics_file(dim, saves=variant == "save"),
                tolerance=1e-12,
                parameters={"dtype": "float64"},
                result=result,
                oracle=Contender(prepare=plain, tolerance=1e-9),
            )


CASES = (
    *products(), *statistics(), *frechet(), *intervals(), *subsets(), *of_any_network(), *neighbours(), *files()
)  # fmt: skip
