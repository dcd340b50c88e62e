"""Every picture of the documentation by the name of its file: a function that draws it."""

from __future__ import annotations

import functools
from collections.abc import Callable

from matplotlib.figure import Figure

from docs.pictures import (
    feature_distances,
    frechet,
    gallery,
    gallery_sets,
    inception_score,
    likelihood,
    lpips,
    neighbours,
    pixel_error,
    ranking,
    structural_similarity,
)
from docs.pictures.degradations import DEGRADATIONS

PICTURES: dict[str, Callable[[], Figure]] = {
    "same_error": pixel_error.same_error,
    "ssim_map": structural_similarity.ssim_map,
    "ssim_factors": structural_similarity.ssim_factors,
    "ms_ssim_scales": structural_similarity.ms_ssim_scales,
    "lpips_layers": lpips.layers,
    "lpips_map": lpips.spatial,
    "frechet_gaussians": frechet.gaussians,
    "frechet_bias": frechet.bias,
    "kernel_bias": frechet.kernel_bias,
    "same_moments": frechet.blind,
    "cmmd_saturates": feature_distances.cmmd_saturates,
    "mind_projection": feature_distances.mind_projection,
    "vendi_modes": feature_distances.vendi_modes,
    "inception_score": inception_score.cases,
    "neighbours": neighbours.cases,
    "threshold": ranking.threshold,
    "roc": ranking.roc,
    "prevalence": ranking.prevalence,
    "aupro": ranking.aupro,
    "gaussian_divergence": likelihood.divergence,
    "gan_equilibrium": likelihood.equilibrium,
    **{f"gallery_{kind.name}": functools.partial(gallery.picture, kind) for kind in DEGRADATIONS},
    "gallery_sets": gallery_sets.degraded,
    "gallery_fewer": gallery_sets.fewer,
}
