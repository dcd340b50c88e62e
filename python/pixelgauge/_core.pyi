import enum
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_Float64Array = npt.NDArray[np.float64]
_Images = npt.NDArray[Any]

class Window(enum.Enum):
    gaussian = 0
    uniform = 1

class Border(enum.Enum):
    valid = 0
    reflect = 1
    crop = 2

class Covariance(enum.Enum):
    population = 0
    sample = 1

class Downsample(enum.Enum):
    none = 0
    matlab = 1
    pool = 2

class Pyramid(enum.Enum):
    wang = 0
    pool = 1

class Combine(enum.Enum):
    product = 0
    sum = 1

class ResizeRule(enum.Enum):
    half_pixel = 0
    tensorflow1 = 1
    antialias = 2
    bicubic = 3

class SsimOptions:
    def __init__(
        self,
        *,
        data_range: float,
        k1: float,
        k2: float,
        sigma: float,
        window_size: int,
        window: Window,
        border: Border,
        covariance: Covariance,
        downsample: Downsample,
        exponents: Sequence[float],
    ) -> None: ...

class MsSsimOptions:
    def __init__(
        self,
        *,
        ssim: SsimOptions,
        weights: Sequence[float],
        pyramid: Pyramid,
        combine: Combine,
        clamp_negative: bool,
    ) -> None: ...

def isa() -> str: ...
def set_isa(name: str) -> None: ...
def available_isas() -> list[str]: ...
def set_num_threads(n: int) -> None: ...
def get_num_threads() -> int: ...
def build_info() -> dict[str, str]: ...
def value_range(images: _Images) -> tuple[float, float]: ...
def mse(x: _Images, y: _Images) -> _Float64Array: ...
def mae(x: _Images, y: _Images) -> _Float64Array: ...
def ssim(
    x: _Images, y: _Images, options: SsimOptions, full: bool, components: bool
) -> tuple[_Float64Array, _Images | None, _Float64Array]: ...
def ms_ssim(x: _Images, y: _Images, options: MsSsimOptions) -> _Float64Array: ...
def scores(x: _Images, y: _Images, metrics: list[str | SsimOptions | MsSsimOptions]) -> _Float64Array: ...
def resize(
    images: _Images,
    rule: ResizeRule,
    height: int,
    width: int,
    scale: float,
    offset: float,
    low: float,
    high: float,
    out: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]: ...

class ArrayMemory:
    def __init__(self) -> None: ...
    def use(self) -> None: ...
    def close(self) -> None: ...
    @property
    def held(self) -> int: ...

def rgb_of_arrow(schema: object, array: object, out: npt.NDArray[np.uint8]) -> bool: ...
def convolution_filters(filters: npt.NDArray[np.float32], tile: tuple[int, int]) -> npt.NDArray[np.float32]: ...
def convolve(
    x: npt.NDArray[np.float32],
    transformed: npt.NDArray[np.float32],
    bias: npt.NDArray[np.float32],
    kernel: tuple[int, int],
    tile: tuple[int, int],
    padding: tuple[int, int],
) -> npt.NDArray[np.float32]: ...
def lpips_layer(
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float32],
    inside: float,
    outside: float,
) -> npt.NDArray[np.float32]: ...
def matmul_transposed(a: _Images, b: _Images) -> _Images: ...
def scatter_add(features: _Images, shift: _Float64Array, sum: _Float64Array, scatter: _Float64Array) -> None: ...
def count_neighbours(real: _Images, fake: _Images, precision_k: int, density_k: int) -> tuple[int, int, int, int]: ...
def gaussian_kernel_means(x: _Images, y: _Images, gamma: float) -> tuple[float, float, float]: ...
def pivoted_cholesky(a: _Float64Array) -> tuple[_Float64Array, int, float]: ...
def nuclear_norm(m: _Images) -> tuple[float, float, int, int]: ...
def sqrtm_psd(a: _Float64Array) -> _Float64Array: ...
def label_bits(labels: _Images, positive: _Images, negative: _Images) -> npt.NDArray[np.uint64] | None: ...
def auroc(scores: _Images, labels: npt.NDArray[np.uint64], bfloat16: bool = False) -> tuple[int, int, int]: ...
def auroc_by_group(
    scores: _Images,
    labels: npt.NDArray[np.uint64],
    groups: npt.NDArray[np.int64],
    group_count: int,
    bfloat16: bool = False,
) -> list[tuple[int, int, int]]: ...

class CurveDrop(enum.Enum):
    none = 0
    equal_steps = 1
    same_positives = 2

def curve(
    scores: _Images,
    labels: npt.NDArray[np.uint64],
    weights: _Float64Array | None,
    drop: CurveDrop,
    rates: bool,
    bfloat16: bool = False,
) -> tuple[_Float64Array, _Float64Array, _Float64Array]: ...
def average_precision(
    scores: _Images, labels: npt.NDArray[np.uint64], weights: _Float64Array | None, bfloat16: bool = False
) -> float: ...
def weighted_auroc(
    scores: _Images, labels: npt.NDArray[np.uint64], weights: _Float64Array, bfloat16: bool = False
) -> float: ...
def delong(
    scores: _Images, labels: npt.NDArray[np.uint64], bfloat16: bool = False
) -> tuple[int, int, int, int, int]: ...
def connected_components(masks: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]: ...
