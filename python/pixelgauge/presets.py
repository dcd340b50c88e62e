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

    def downsample_factor(self, height: int, width: int) -> int:
        """Pixels along a side of which one is made before the windows slide: MATLAB rounds halves up, piq to even."""
        if self.downsample == "none":
            return 1
        least = min(height, width) / 256
        return max(1, int(least + 0.5) if self.downsample == "matlab" else round(least))


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


@dataclass(frozen=True)
class FeaturePreset:
    """How one program makes 8-bit images the input of its network; see :class:`pixelgauge.OnnxFeatures`."""

    name: str
    source: str
    size: int | tuple[int, int]
    """The shorter edge, or (height, width), to which both are brought whatever the proportions."""
    crop: int | Literal["square"] | None
    """Cut from the centre: after resizing, or for "square" the largest square, before it."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Literal["bicubic", "bilinear", "lanczos", "box", "hamming", "nearest"] = "bicubic"
    antialias: bool = True
    """Filters that widen where an image shrinks, as Pillow's."""


_Row = TypeVar("_Row", SSIMPreset, MSSSIMPreset, InceptionPreset, LPIPSPreset, FeaturePreset)


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

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's channels on 0..1, as torchvision and timm have them."""
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of the images that CLIP was trained on."""

FEATURE_PRESETS: Mapping[str, FeaturePreset] = _table(
    FeaturePreset(
        "dinov2",
        "dgm-eval, DINOv2Encoder (FD-DINOv2 of Stein et al., NeurIPS 2023): Pillow's bicubic to 224 x 224, proportions "
        "not kept",
        size=(224, 224),
        crop=None,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    ),
    FeaturePreset(
        "dinov2-eval",
        "facebookresearch/dinov2, make_classification_eval_transform, and the processor of Hugging Face's checkpoints",
        size=256,
        crop=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    ),
    FeaturePreset(
        "clip",
        "openai/CLIP, clip.load's transform of 224-pixel models; clean-fid 0.1's clip_vit_b_32; open_clip",
        size=224,
        crop=224,
        mean=CLIP_MEAN,
        std=CLIP_STD,
    ),
    FeaturePreset(
        "cmmd",
        "google-research/cmmd (Jayasumana et al., CVPR 2024): the largest centred square, then Pillow's bicubic to "
        "336 x 336",
        size=(336, 336),
        crop="square",
        mean=CLIP_MEAN,
        std=CLIP_STD,
    ),
    FeaturePreset(
        "convnext",
        "facebookresearch/ConvNeXt's evaluation at 224 pixels, and dgm-eval's ConvNeXTEncoder",
        size=256,
        crop=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    ),
)

LPIPS_BACKBONES = ("alex", "vgg", "squeeze")
"""Networks whose features LPIPS compares."""


def preset_row(table: Mapping[str, _Row], name: str, argument: str = "preset") -> _Row:
    """Row of a table, or a ``ValueError`` that lists the names there are."""
    return table[one_of(argument, name, table)]
