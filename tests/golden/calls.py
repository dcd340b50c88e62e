"""The calls whose values are kept from release to release: every function and preset, on inputs that never change.

Inputs are drawn by `RandomState`, whose streams NumPy has frozen, and shaped by arithmetic that rounds the same everywhere.
"""

from __future__ import annotations

import io
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import pixelgauge as pg
from pixelgauge import _core
from pixelgauge.presets import INCEPTION_PRESETS, MS_SSIM_PRESETS, SSIM_PRESETS
from tests.places import SHARED

EXACT = 0.0
"""To the bit, under one instruction set: the core alone, and sums that Python adds in order."""
SUMS = 1e-12
"""Sums and logarithms of NumPy and the C library, whose order of additions and last bits are their own."""
LAPACK = 1e-9
"""NumPy's own matrix products and decompositions, whose library differs from machine to machine."""
ONNX = 2e-5
"""onnxruntime's convolutions, relative to the value: their order of additions is its own."""


@dataclass(frozen=True)
class Call:
    """One call: its values are floats, relative to which a run may differ by `tolerance`."""

    name: str
    make: Callable[[], Any]
    tolerance: float = EXACT
    needs: tuple[Path, ...] = ()
    """Files outside the repository."""

    def values(self) -> list[float]:
        return [float(value) for value in np.ravel(np.asarray(_flat(self.make()), np.float64))]


def _flat(result: Any) -> Any:
    if isinstance(result, tuple):
        return list(itertools.chain.from_iterable(np.ravel(np.asarray(_flat(part), np.float64)) for part in result))
    if isinstance(result, dict):
        return _flat(tuple(result.values()))
    array = np.asarray(result, np.float64)
    return array if array.size <= 8 else digest(array)


def digest(array: np.ndarray) -> list[float]:
    """Few values that tell a large array: its ends, its middle, and sums in which every entry has its own weight."""
    flat = np.ravel(array)
    finite = np.where(np.isfinite(flat), flat, 0.0)
    weights = np.arange(1, flat.size + 1) % 97
    return [
        float(flat.size),
        *(float(flat[at]) for at in (0, flat.size // 2, -1)),
        _core_sum(finite),
        _core_sum(finite * weights),
    ]


def _core_sum(values: np.ndarray) -> float:
    """Sum in order, whatever NumPy's own order is."""
    return float(np.cumsum(values)[-1])


def _noise(seed: int, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
    return np.random.RandomState(seed).randint(low, high, shape)


def picture(height: int, width: int, channels: int = 0, dtype: str = "uint8") -> tuple[np.ndarray, np.ndarray]:
    """Two pictures with a slope, a flat part and grain; floats are of 0..1."""
    shape = (height, width, channels) if channels else (height, width)
    rows, columns = np.mgrid[:height, :width]
    slope = (rows * 3 + columns * 2) % 200 + 20
    slope[: height // 4] = 180
    base = slope.reshape(shape[:2] + (1,) * bool(channels)) + _noise(height * width, shape, 0, 24)
    other = np.clip(base * 7 // 8 + _noise(height + width, shape, 0, 40), 0, 255)
    if dtype == "uint8":
        return base.astype(np.uint8), other.astype(np.uint8)
    if dtype == "uint16":
        return (base * 257).astype(np.uint16), (other * 257 - other // 3).astype(np.uint16)
    return tuple((image / 256).astype(dtype) for image in (base, other))  # type: ignore[return-value]


def scores(n: int, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Labels and overlapping scores."""
    truth = _noise(n, (n,), 0, 3) == 0
    values = _noise(n + 1, (n,), 0, 64 if ties else 1 << 20) + truth * (20 if ties else 300_000)
    return truth.astype(np.int64), values.astype(np.float64) / 1024


def features(n: int, dim: int, seed: int) -> np.ndarray:
    """Features whose covariance decays, float32."""
    raw = _noise(seed, (n, dim), -1000, 1001).astype(np.float64) / 512
    raw[:, 1:] += raw[:, :-1] / 2
    return (raw / np.arange(1, dim + 1) + seed / 64).astype(np.float32)


def full_reference() -> Iterator[Call]:
    sizes = {"45x61": (45, 61, 0), "150x530": (150, 530, 0), "70x64x3": (70, 64, 3)}
    for (size, of), dtype in itertools.product(sizes.items(), ("uint8", "uint16", "float32", "float64")):
        x, y = picture(*of, dtype=dtype)
        axis = -1 if of[2] else None
        length: dict[str, Any] = {"data_range": 1.0} if dtype.startswith("float") else {}
        where = f"{dtype}/{size}"
        yield Call(f"mse/{where}", lambda x=x, y=y, a=axis: pg.mse(x, y, channel_axis=a))
        yield Call(f"psnr/{where}", lambda x=x, y=y, a=axis, r=length: pg.psnr(x, y, channel_axis=a, **r))
        for preset in SSIM_PRESETS:
            yield Call(
                f"ssim/{preset}/{where}",
                lambda x=x, y=y, a=axis, r=length, p=preset: pg.ssim(x, y, channel_axis=a, preset=p, full=True, **r),
            )
    x, y = picture(45, 61)
    for name, options in {
        "components": {"components": True},
        "exponents": {"exponents": (1, 2, 0.5)},
        "window": {"window_size": 9, "sigma": 2.0},
        "uniform": {"window": "uniform", "window_size": 5},
        "constants": {"k1": 0.03, "k2": 0.05},
        "reflect": {"border": "reflect"},
        "crop": {"border": "crop"},
        "sample": {"covariance": "sample"},
        "pool": {"downsample": "pool"},
        "matlab": {"downsample": "matlab"},
        "range": {"data_range": (-10, 300)},
    }.items():
        yield Call(f"ssim/{name}", lambda o=options: _tuple(pg.ssim(x, y, channel_axis=None, **o)))
    for dtype, preset in itertools.product(("uint8", "float32"), MS_SSIM_PRESETS):
        a, b = picture(190, 233, 3, dtype)
        length = {"data_range": 1.0} if dtype.startswith("float") else {}
        yield Call(f"ms_ssim/{preset}/{dtype}", lambda a=a, b=b, r=length, p=preset: pg.ms_ssim(a, b, preset=p, **r))
    a, b = picture(190, 233, 3)
    yield Call("ms_ssim/sum", lambda: pg.ms_ssim(a, b, combine="sum"))
    yield Call("ms_ssim/weights", lambda: pg.ms_ssim(a, b, weights=(0.5, 0.3, 0.2)))


def _tuple(result: Any) -> Any:
    return tuple(result) if isinstance(result, tuple) else result


def resizing() -> Iterator[Call]:
    images = picture(61, 45, 3)[0][None]
    for name, preset in INCEPTION_PRESETS.items():
        high, low = (255.0, 0.0) if preset.clips else (np.inf, -np.inf)
        yield Call(
            f"resize/{name}",
            lambda p=preset, lo=low, hi=high: _core.resize(
                images, getattr(_core.ResizeRule, p.resize), 299, 299, p.scale, p.offset, lo, hi
            ),
        )


def distribution() -> Iterator[Call]:
    x, y = features(300, 24, 1), features(260, 24, 2)
    few = features(15, 24, 3), features(18, 24, 4)

    def stats(values: np.ndarray) -> pg.FeatureStats:
        return pg.FeatureStats(values.shape[1]).update(values[:100]).update(values[100:])

    yield Call("feature_stats/mean", lambda: stats(x).mean)
    yield Call("feature_stats/cov", lambda: stats(x).cov())
    yield Call("feature_stats/cov0", lambda: stats(x).cov(ddof=0))
    yield Call("feature_stats/merge", lambda: stats(x).merge(stats(y)).cov())
    yield Call("feature_stats/shift", lambda: pg.FeatureStats(24, shift=np.full(24, 3.0)).update(x).cov())
    for method in ("auto", "newton-schulz", "eigh", "svd"):
        yield Call(f"frechet_distance/{method}", lambda m=method: pg.frechet_distance(x, y, method=m), LAPACK)
        yield Call(
            f"trace_sqrt_product/{method}",
            lambda m=method: pg.trace_sqrt_product(stats(x).cov(), stats(y).cov(), method=m),
            LAPACK,
        )
    yield Call("frechet_distance/few", lambda: pg.frechet_distance(*few), LAPACK)
    yield Call("frechet_distance/stats", lambda: pg.frechet_distance(stats(x), stats(y)), LAPACK)
    yield Call("frechet_infinity", lambda: pg.frechet_infinity(features(600, 8, 5), features(600, 8, 6)), LAPACK)
    yield Call("frechet_interval", lambda: pg.frechet_interval(features(400, 6, 7), features(400, 6, 8)), LAPACK)
    yield Call("sqrtm_psd", lambda: pg.sqrtm_psd(stats(x).cov()), LAPACK)
    yield Call("fid/features", lambda: pg.fid(x, y), LAPACK)
    yield Call("kernel_distance", lambda: pg.kernel_distance(x, y, subsets=7, subset_size=100), LAPACK)
    yield Call("kernel_distance/rbf", lambda: pg.kernel_distance(x, y, subsets=3, subset_size=50, degree=2), LAPACK)
    yield Call("kernel_distance_interval", lambda: pg.kernel_distance_interval(x, y), LAPACK)
    logits = features(200, 10, 9) * 3
    yield Call("inception_score", lambda: pg.inception_score(logits, splits=4), LAPACK)
    yield Call("inception_score/seed", lambda: pg.inception_score(logits, splits=4, seed=3), LAPACK)
    yield Call("precision_recall", lambda: pg.precision_recall(x, y), LAPACK)
    yield Call("density_coverage", lambda: pg.density_coverage(x, y), LAPACK)
    yield Call("neighbour_metrics", lambda: pg.neighbour_metrics(x, y), LAPACK)
    yield Call("cmmd", lambda: pg.cmmd(x, y), SUMS)
    yield Call("cmmd/as-given", lambda: pg.cmmd(x, y, normalize=False), SUMS)
    yield Call("mind", lambda: pg.mind(x, y, projections=50), LAPACK)
    yield Call("vendi_score", lambda: pg.vendi_score(x), LAPACK)
    yield Call("vendi_score/few", lambda: pg.vendi_score(few[0], q=2), LAPACK)


def ranking() -> Iterator[Call]:
    for kind, ties in (("spread", False), ("ties", True)):
        y, s = scores(3000, ties)
        weights = (_noise(5, (3000,), 1, 9) / 4).astype(np.float64)
        other = s * 3 // 4 + _noise(6, (3000,), 0, 100)
        yield Call(f"roc_auc_score/{kind}", lambda y=y, s=s: pg.roc_auc_score(y, s))
        yield Call(f"roc_auc_score/{kind}/float32", lambda y=y, s=s: pg.roc_auc_score(y, s.astype(np.float32)))
        yield Call(f"roc_auc_score/{kind}/int64", lambda y=y, s=s: pg.roc_auc_score(y, (s * 1024).astype(np.int64)))
        yield Call(f"roc_auc_score/{kind}/partial", lambda y=y, s=s: pg.roc_auc_score(y, s, max_fpr=0.2))
        yield Call(
            f"roc_auc_score/{kind}/weighted", lambda y=y, s=s, w=weights: pg.roc_auc_score(y, s, sample_weight=w)
        )
        yield Call(f"average_precision_score/{kind}", lambda y=y, s=s: pg.average_precision_score(y, s))
        yield Call(f"roc_curve/{kind}", lambda y=y, s=s: _finite(pg.roc_curve(y, s)))
        yield Call(f"roc_curve/{kind}/all", lambda y=y, s=s: _finite(pg.roc_curve(y, s, drop_intermediate=False)))
        yield Call(f"precision_recall_curve/{kind}", lambda y=y, s=s: pg.precision_recall_curve(y, s))
        yield Call(f"det_curve/{kind}", lambda y=y, s=s: _finite(pg.det_curve(y, s)))
        yield Call(f"delong_interval/{kind}", lambda y=y, s=s: _numbers(pg.delong_interval(y, s)))
        yield Call(f"delong_test/{kind}", lambda y=y, s=s, o=other: _numbers(pg.delong_test(y, s, o))[:4])
        yield Call(
            f"delong_test/{kind}/interval", lambda y=y, s=s, o=other: _numbers(pg.delong_test(y, s, o))[4:], SUMS
        )
        yield from _intervals(kind, y, s, weights)
        yield Call(f"bootstrap_interval/{kind}", lambda y=y, s=s: _numbers(pg.bootstrap_interval(y[:400], s[:400])))
        yield Call(f"fpr_at_tpr/{kind}", lambda y=y, s=s: pg.fpr_at_tpr(y, s))
        for criterion in ("youden", "f1", "mcc", "accuracy", "balanced_accuracy", "closest"):
            yield Call(
                f"best_threshold/{kind}/{criterion}", lambda y=y, s=s, c=criterion: pg.best_threshold(y, s, criterion=c)
            )
        yield Call(f"auroc_by_group/{kind}", lambda y=y, s=s: pg.auroc_by_group(y, s, np.arange(len(y)) % 7))
        yield Call(
            f"histogram/{kind}",
            lambda y=y, s=s: _histogram(y, s),
        )
    y, s = scores(900)
    columns = np.stack([s, s % 37, -s], 1)
    yield Call("auroc_by_column", lambda: pg.auroc_by_column(y, columns))
    several = _noise(8, (900,), 0, 4)
    chances = (_noise(9, (900, 4), 1, 50) + 40 * (several[:, None] == np.arange(4))).astype(np.float64)
    chances /= chances.sum(1, keepdims=True)
    for multi, average in itertools.product(("ovr", "ovo"), ("macro", "weighted")):
        yield Call(
            f"roc_auc_score/{multi}/{average}",
            lambda m=multi, a=average: pg.roc_auc_score(several, chances, multi_class=m, average=a),
            1e-14,
        )
    yield Call("top_k_accuracy_score", lambda: pg.top_k_accuracy_score(several, chances, k=2))
    masks = np.zeros((3, 40, 50), np.uint8)
    masks[0, 5:12, 7:20], masks[1, 20:25, 3:9], masks[1, 30:38, 30:44] = 1, 1, 1
    maps = (_noise(10, masks.shape, 0, 1000) + 300 * masks.astype(np.int64)).astype(np.float32)
    yield Call("aupro", lambda: pg.aupro(masks, maps))
    yield Call("aupro/0.05", lambda: pg.aupro(masks, maps, max_fpr=0.05))


def likelihood() -> Iterator[Call]:
    mean, log_variance = features(40, 6, 21), features(40, 6, 22)
    logits = features(300, 1, 23)
    yield Call("gaussian_kl", lambda: pg.gaussian_kl(mean, log_variance), SUMS)
    yield Call("gaussian_kl/other", lambda: pg.gaussian_kl(mean, log_variance, mean[:1], log_variance[:1]), SUMS)
    yield Call("gan_value", lambda: pg.gan_value(logits[:200], logits[200:]), SUMS)
    yield Call("bits_per_dim", lambda: pg.bits_per_dim(np.square(logits), 784), SUMS)


def _intervals(kind: str, y: np.ndarray, s: np.ndarray, weights: np.ndarray) -> Iterator[Call]:
    image = np.arange(len(y)) // 30
    for name, options in (
        ("score", {}),
        ("newcombe", {"method": "newcombe"}),
        ("logit", {"method": "logit"}),
        ("partial", {"max_fpr": 0.2}),
        ("weighted", {"sample_weight": weights}),
        ("clustered", {"cluster": image}),
    ):
        yield Call(f"roc_auc_interval/{kind}/{name}", lambda o=options: _numbers(pg.roc_auc_interval(y, s, **o)), SUMS)
    yield Call(
        f"average_precision_interval/{kind}", lambda: _numbers(pg.average_precision_interval(y[:400], s[:400])), SUMS
    )
    yield Call(f"sensitivity_interval/{kind}", lambda: _numbers(pg.sensitivity_interval(y, s, specificity=0.9)), SUMS)
    yield Call(f"specificity_interval/{kind}", lambda: _numbers(pg.specificity_interval(y, s, sensitivity=0.9)), SUMS)


def _histogram(y: np.ndarray, s: np.ndarray) -> tuple[float, ...]:
    histogram = pg.RankingHistogram(np.linspace(0, 1300, 200))
    histogram.update(y, s)
    return tuple(float(value) for bounds in (histogram.auroc(), histogram.average_precision()) for value in bounds)


def _numbers(result: Any) -> tuple[float, ...]:
    """Numbers of a result, in the order of its fields."""
    fields = result._asdict() if hasattr(result, "_asdict") else vars(result)
    return tuple(float(value) for value in fields.values() if isinstance(value, int | float))


def _finite(curve: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    return tuple(np.where(np.isfinite(part), part, -1.0) for part in curve)


def decoding() -> Iterator[Call]:
    from PIL import Image

    from pixelgauge.images import read_image

    def decoded(array: np.ndarray, extension: str, **options: Any) -> Callable[[], Any]:
        def call() -> Any:
            file = io.BytesIO()
            Image.fromarray(array).save(file, extension, **options)
            return read_image(file.getvalue())

        return call

    colour, gray = picture(30, 41, 3)[0], picture(30, 41)[0]
    for extension in ("PNG", "BMP", "TIFF"):
        yield Call(f"read_image/{extension.lower()}", decoded(colour, extension))
        yield Call(f"read_image/{extension.lower()}/gray", decoded(gray, extension))
    yield Call("read_image/gray=True", lambda: read_image(_png(colour), gray=True))


def _png(array: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def perceptual() -> Iterator[Call]:
    files = {
        "alex": ("alexnet_features.pth", "lpips_v0.1_alex.pth"),
        "squeeze": ("squeezenet1_1_features.pth", "lpips_v0.1_squeeze.pth"),
    }
    x, y = picture(96, 80, 3)
    for backbone, names in files.items():
        weights = tuple(SHARED / "weights" / name for name in names)

        def score(backbone: str = backbone, weights: tuple[Path, ...] = weights, **options: Any) -> Any:
            before = os.environ.get("PIXELGAUGE_CACHE")
            with tempfile.TemporaryDirectory() as cache:
                os.environ["PIXELGAUGE_CACHE"] = cache
                try:
                    return pg.LPIPS(backbone, weights=weights, providers=["cpu"])(x, y, **options)
                finally:
                    if before is None:
                        del os.environ["PIXELGAUGE_CACHE"]
                    else:
                        os.environ["PIXELGAUGE_CACHE"] = before

        yield Call(f"lpips/{backbone}", score, ONNX, weights)
        yield Call(f"lpips/{backbone}/per_layer", lambda s=score: s(per_layer=True), ONNX, weights)
        yield Call(f"lpips/{backbone}/spatial", lambda s=score: s(spatial=True), ONNX, weights)


def calls() -> list[Call]:
    """All of them."""
    found = [
        *full_reference(), *resizing(), *distribution(), *ranking(), *likelihood(), *decoding(), *perceptual()
    ]  # fmt: skip
    names = [call.name for call in found]
    assert len(set(names)) == len(names)
    return found
