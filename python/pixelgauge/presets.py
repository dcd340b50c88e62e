"""Every preset as data: one row for each program whose number pixelgauge reproduces, with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeVar

from pixelgauge.checks import one_of

Window = Literal["gaussian", "uniform"]
Border = Literal["valid", "reflect", "crop"]
Covariance = Literal["population", "sample"]
Downsample = Literal["none", "matlab", "pool"]


@dataclass(frozen=True)
class SSIMPreset:
    """How one program computes SSIM; see :func:`pixelgauge.ssim` for what the fields mean."""

    name: str
    source: str
    window: Window = "gaussian"
    window_size: int = 11
    sigma: float = 1.5
    k1: float = 0.01
    k2: float = 0.03
    border: Border = "valid"
    covariance: Covariance = "population"
    downsample: Downsample = "none"
    clips_to_range: bool = False
    """The program clips its images to a (low, high) data range."""


@dataclass(frozen=True)
class MSSSIMPreset:
    """How one program computes MS-SSIM; see :func:`pixelgauge.ms_ssim`."""

    name: str
    source: str
    pyramid: Literal["wang", "pool"]
    clamp_negative: bool
    weights: tuple[float, ...] = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


@dataclass(frozen=True)
class InceptionPreset:
    """How one program resizes 8-bit images to Inception's 299x299; see :class:`pixelgauge.InceptionFeatures`."""

    name: str
    source: str
    resize: Literal["half_pixel", "tensorflow1", "antialias", "bicubic"]
    scale: float
    """What the network sees is level * scale + offset."""
    offset: float
    clips: bool = False
    """Overshoot beyond 0..255 is clipped."""


@dataclass(frozen=True)
class LPIPSPreset:
    """How one program normalises features over their channels: by sqrt(inside + sum of squares) + outside."""

    name: str
    source: str
    inside: float
    outside: float


_Row = TypeVar("_Row", SSIMPreset, MSSSIMPreset, InceptionPreset, LPIPSPreset)


def _table(*rows: _Row) -> Mapping[str, _Row]:
    return MappingProxyType({row.name: row for row in rows})


SSIM_PRESETS: Mapping[str, SSIMPreset] = _table(
    SSIMPreset(
        "wang2004",
        "Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural similarity, "
        "IEEE TIP 13(4), 2004; ssim_index.m",
    ),
    SSIMPreset("pytorch-msssim", "pytorch-msssim 1.0, ssim()"),
    SSIMPreset("tensorflow", "TensorFlow 2, tf.image.ssim()"),
    SSIMPreset("matlab", "ssim.m by Wang, 2011: ssim_index.m after its suggested downsampling", downsample="matlab"),
    SSIMPreset("piq", "piq 0.8, piq.ssim(downsample=True)", downsample="pool"),
    SSIMPreset(
        "skimage",
        "scikit-image, structural_similarity() with its defaults",
        window="uniform",
        window_size=7,
        border="crop",
        covariance="sample",
    ),
    SSIMPreset(
        "skimage-gaussian",
        "scikit-image, structural_similarity(gaussian_weights=True)",
        border="crop",
        covariance="sample",
    ),
    SSIMPreset(
        "torchmetrics",
        "torchmetrics >= 1.5, structural_similarity_index_measure()",
        border="reflect",
        clips_to_range=True,
    ),
    SSIMPreset("opencv", "OpenCV contrib, quality.QualitySSIM", border="reflect"),
)

MS_SSIM_PRESETS: Mapping[str, MSSSIMPreset] = _table(
    MSSSIMPreset(
        "wang2003",
        "Wang, Simoncelli, Bovik: Multi-scale structural similarity for image quality assessment, Asilomar 2003",
        pyramid="wang",
        clamp_negative=False,
    ),
    MSSSIMPreset("pytorch-msssim", "pytorch-msssim 1.0, ms_ssim()", pyramid="pool", clamp_negative=True),
)

INCEPTION_PRESETS: Mapping[str, InceptionPreset] = _table(
    InceptionPreset(
        "pytorch-fid", "pytorch-fid 0.3, bilinear without antialias, 2x - 1", "half_pixel", scale=2 / 255, offset=-1.0
    ),
    InceptionPreset(
        "torch-fidelity",
        "torch-fidelity 0.4 and ADM: TensorFlow 1's bilinear",
        "tensorflow1",
        scale=1 / 128,
        offset=-1.0,
    ),
    InceptionPreset(
        "torchmetrics", "torchmetrics >= 1.8, antialiased bilinear", "antialias", scale=1 / 128, offset=-1.0
    ),
    InceptionPreset(
        "clean-fid",
        "clean-fid 0.1: Pillow's bicubic in float32, clipped, not rounded",
        "bicubic",
        scale=1 / 128,
        offset=-1.0,
        clips=True,
    ),
)

LPIPS_PRESETS: Mapping[str, LPIPSPreset] = _table(
    LPIPSPreset("lpips", "lpips 0.1.4, version 0.1 of the metric", inside=0.0, outside=1e-10),
    LPIPSPreset("torchmetrics", "torchmetrics >= 1.2", inside=1e-8, outside=0.0),
)

LPIPS_BACKBONES = ("alex", "vgg", "squeeze")
"""Networks whose features LPIPS compares."""


def preset_row(table: Mapping[str, _Row], name: str, argument: str = "preset") -> _Row:
    """Row of a table, or a ``ValueError`` that lists the names there are."""
    return table[one_of(argument, name, table)]
