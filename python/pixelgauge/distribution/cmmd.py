"""CMMD: the squared maximum mean discrepancy of two sets of unit vectors under a Gaussian kernel."""

from __future__ import annotations

from pixelgauge import _core
from pixelgauge.checks import ArgumentValueError, flag, positive_number
from pixelgauge.distribution.sample_pairs import as_the_core_reads, feature_pair
from pixelgauge.distribution.samples import unit_rows

_LEAST_SIGMA, _MOST_SIGMA = 1e-100, 1e100
"""Within these the squares are normal float64 numbers."""


def cmmd(a: object, b: object, *, sigma: float = 10.0, scale: float = 1000.0, normalize: bool = True) -> float:
    """CMMD: `scale` times the squared MMD of two sets of features, kernel ``exp(-|x - y|^2 / (2 sigma^2))``.

    Parameters
    ----------
    a, b : (N, D) array_like of float features
        CLIP's image embeddings (ViT-L/14 at 336 pixels) for the published number.
    sigma : float, default 10
        Width of the kernel.
    scale : float, default 1000
        What the result is multiplied by.
    normalize : bool, default True
        Divide each feature vector by its length first, as the authors' program does where it makes the embeddings;
        False takes features as they are, as its function of two arrays does.

    Returns
    -------
    float
        The estimate with all pairs, a sample and itself among them (V-statistic), as in the authors' program: 0 for
        equal sets and never below, and for equal populations about ``scale * (1/N + 1/M)`` times how far the kernel's
        mean is from 1.

    Raises
    ------
    TypeError, ValueError
        If the features do not fit together or hold NaN, a feature vector to be normalized is zero, or `sigma` is no
        number from 1e-100 to 1e100, or so small that rounding would decide the kernel.

    Notes
    -----
    All sums are in float64, whatever the dtype of the features, about the mean of `a`, and of the kernel less 1, which
    keeps its digits where the kernel is near 1. Where samples lie within a tenth of `sigma` or so of their mean, as
    unit vectors do, only what the exponential series has past its squares comes from a product in float32: that moves
    the squared MMD by less than 1e-10 whatever the features are. Time grows with N M, memory with N + M.

    References
    ----------
    S. Jayasumana, S. Ramalingam, A. Veit, D. Glasner, A. Chakrabarti, S. Kumar: Rethinking FID: towards a better
    evaluation metric for image generation, CVPR 2024; its program, google-research/cmmd.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> round(pixelgauge.cmmd(x[:100], x[100:] + 1), 3)
    5.719
    """
    x, y = feature_pair(a, b, "a", "b")
    sigma, scale = positive_number("sigma", sigma), positive_number("scale", scale)
    if not _LEAST_SIGMA <= sigma <= _MOST_SIGMA:
        raise ArgumentValueError("sigma", f"{sigma:g}", f"must be from {_LEAST_SIGMA:g} to {_MOST_SIGMA:g}")
    if flag("normalize", normalize):
        x, y = unit_rows(x, "a"), unit_rows(y, "b")
    if x.shape == y.shape and bool((x == y).all()):
        return 0.0
    try:
        within_a, within_b, across = _core.gaussian_kernel_means(*as_the_core_reads(x, y), 0.5 / sigma**2)
    except ArgumentValueError as error:
        if error.argument != "gamma":
            raise
        raise error.but(
            argument="sigma",
            value=f"{sigma:g}",
            problem="is so small beside the distances of the features that rounding would decide the kernel",
            remedy="give a larger one, or scale the features down",
        ) from None
    # the difference of two means of a set cannot be negative, and is none but rounding where it is
    return max(0.0, scale * (within_a + within_b - 2 * across))
