"""What generative models are trained by, as figures to report: divergence, the GAN's value, bits per dimension.

Sums are in float64, whatever the precision of the model.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pixelgauge.checks import ArgumentTypeError, ArgumentValueError, whole_number
from pixelgauge.distribution.moments import number_array

Float64Array = npt.NDArray[np.float64]

_MOST_DIMS = 1 << 53
_SERIES_BELOW = 0.01
"""Differences of log variances of which exp(d) - 1 - d is taken as a series: six terms leave 1e-16 of it there."""


def gaussian_kl(
    mean: object, log_variance: object, other_mean: object = 0.0, other_log_variance: object = 0.0
) -> float | Float64Array:
    """Kullback-Leibler divergence of Gaussians of independent coordinates, in nats: of a posterior from its prior.

    Parameters
    ----------
    mean, log_variance : (N, ...) array_like of float
        Of each coordinate, as a VAE's encoder gives them; the natural logarithm of the variance, not of the standard
        deviation. One Gaussian may be given without its first axis, as (D,).
    other_mean, other_log_variance : array_like of float, default 0
        The Gaussian that it is held against, in shapes that broadcast to those of the first. Default: mean 0 and
        variance 1 of every coordinate.

    Returns
    -------
    float or (N,) numpy.ndarray
        Sum over all coordinates, never below 0: a float for (D,), float64 for a batch. inf where it leaves float64.

    Raises
    ------
    TypeError
        If an argument is no array of real numbers.
    ValueError
        If one holds NaN or infinity, or is empty, or shapes do not fit.

    Notes
    -----
    1/2 sum(exp(d) - 1 - d + (mean - other_mean)^2 / other_variance), d the difference of the log variances; near 0 by a
    series, so that the smallest divergences keep their digits. Transposed arrays, ``gaussian_kl(mean.T,
    log_variance.T) / N``, give the mean of each coordinate: those near 0 are unused by the model.

    References
    ----------
    D. P. Kingma, M. Welling: Auto-encoding variational Bayes, ICLR 2014 (appendix B).

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> pixelgauge.gaussian_kl([1.0, 0.0], [0.0, 0.0])
    0.5
    >>> pixelgauge.gaussian_kl(np.zeros((2, 3)), np.log([[1, 1, 1], [2, 2, 2]])).round(4).tolist()
    [0.0, 0.4603]
    """
    mu, log_var = _finite(mean, "mean"), _finite(log_variance, "log_variance")
    if mu.shape != log_var.shape:
        raise ValueError(f"mean has shape {mu.shape} and log_variance {log_var.shape}: both are (N, ...) or (D,)")
    other_mu = _like(other_mean, "other_mean", mu.shape)
    other_log_var = _like(other_log_variance, "other_log_variance", mu.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        # by halves and roots, which stay within float64 where their product does
        half, root = mu / 2 - other_mu / 2, np.exp(-other_log_var / 4)
        # 0 times an infinite precision is 0: equal means differ by nothing, however narrow they are
        shift = np.where(half == 0, 0.0, 2 * (half * root * root))
        terms = np.square(shift) + _exp_less_tangent(log_var - other_log_var)
        kl = 0.5 * (terms.reshape(len(terms), -1).sum(axis=1) if terms.ndim > 1 else terms.sum())
    return kl if isinstance(kl, np.ndarray) else float(kl)


def gan_value(real_logits: object, fake_logits: object) -> float:
    """Value of the GAN's two-player game, E log D(x) + E log(1 - D(G(z))), in nats.

    Parameters
    ----------
    real_logits, fake_logits : (N,) array_like of float
        What the discriminator gives for real and for generated samples, before the sigmoid: D = 1 / (1 + exp(-logit)).
        Any shape, such as (N, 1), or (N, H, W) of a discriminator of patches; numbers may differ.

    Returns
    -------
    float
        At most 0, which a discriminator without error reaches. One that tells nothing, D = 1/2 everywhere, has
        -log 4 = -1.386: so it is at the equilibrium, where the generator's samples are as the data. Lower: it is worse
        than that. -inf where the sum of the logits leaves float64.

    Raises
    ------
    TypeError
        If an argument is no array of real numbers.
    ValueError
        If one holds NaN or infinity, or is empty.

    Notes
    -----
    By log(1 + exp(.)) of the logits, which neither overflows nor loses the digits of a D near 0 or 1. For the best
    discriminator the value is 2 JSD - log 4, with the Jensen-Shannon divergence of data and samples; for any other it
    lies below that, so that value + log 4 is a lower bound of 2 JSD on samples that it was not trained on.

    References
    ----------
    I. Goodfellow et al.: Generative adversarial nets, NeurIPS 2014 (equation 1, theorem 1).

    Examples
    --------
    >>> import pixelgauge
    >>> round(pixelgauge.gan_value([0.0, 0.0], [0.0]), 6)
    -1.386294
    >>> round(pixelgauge.gan_value([8.0, 9.0], [-8.0, -9.0]), 6)
    -0.000459
    """
    real, fake = _finite(real_logits, "real_logits"), _finite(fake_logits, "fake_logits")
    with np.errstate(over="ignore"):
        return 0.0 - float(np.logaddexp(0.0, -real).mean()) - float(np.logaddexp(0.0, fake).mean())


def bits_per_dim(nll_nats: object, dims: int) -> float | Float64Array:
    """Bits per dimension of a negative log-likelihood in nats: nll / (dims log 2).

    Parameters
    ----------
    nll_nats : float or array_like of float
        Of whole images: summed over their pixels and channels, not averaged. Of one image, the mean of many, or one of
        each in any shape.
    dims : int
        Values of an image, H * W * C.

    Returns
    -------
    float or numpy.ndarray
        Float64 of the same shape. 8 bits a value are what uniform guesses among 256 levels cost; fewer are better.
        inf for an image that the model holds impossible.

    Raises
    ------
    TypeError
        If `nll_nats` is no array of real numbers, or `dims` no whole number.
    ValueError
        If `nll_nats` holds NaN or is empty, or `dims` is below 1 or above 2^53.

    Notes
    -----
    Figures compare if they are of one discrete variable. A density of pixels that were scaled from 0..256 to 0..1 is
    256^dims times that of the levels: add ``dims * log(256)`` nats first. Unless noise fills the gaps between the
    levels a density has no bound, and its figure no meaning. A VAE's evidence lower bound gives an upper bound of the
    bits. Low bits do not mean good samples, nor the reverse.

    References
    ----------
    L. Theis, A. van den Oord, M. Bethge: A note on the evaluation of generative models, ICLR 2016 (section 3.1).

    Examples
    --------
    >>> import math, pixelgauge
    >>> pixelgauge.bits_per_dim(28 * 28 * math.log(256), 28 * 28)
    8.0
    """
    nll = _real(nll_nats, "nll_nats")
    dims = whole_number("dims", dims, 1)
    if dims > _MOST_DIMS:
        raise ArgumentValueError(
            "dims", "", f"dims has {dims.bit_length()} bits", "give the number of values of one sample"
        )
    if np.isnan(nll).any():
        raise ArgumentValueError("nll_nats", "", "nll_nats holds NaN", "remove or repair it")
    bits = nll / math.log(2) / dims  # divided twice: the product of a large `dims` would round first
    return bits if bits.ndim else float(bits)


def _exp_less_tangent(d: Float64Array) -> Float64Array:
    """exp(d) - 1 - d, which is never negative; infinite where d is, of either sign."""
    series = d * d / 2 * (1 + d / 3 * (1 + d / 4 * (1 + d / 5 * (1 + d / 6 * (1 + d / 7)))))
    return np.where(np.abs(d) < _SERIES_BELOW, series, np.expm1(d) - np.minimum(d, np.finfo(np.float64).max))


def _real(x: object, name: str) -> Float64Array:
    """Array of real numbers as float64, or an error; of one number without axes."""
    if isinstance(x, bool | np.bool_ | complex):
        raise ArgumentTypeError(name, repr(x), "must be a real number or an array of them")
    array = np.asarray(x) if isinstance(x, int | float | np.number) else number_array(x, name)
    if array.dtype.name != "bfloat16" and (array.dtype.kind not in "fiu" or array.dtype.itemsize > 8):
        raise TypeError(f"{name} has dtype {array.dtype}: use real numbers, of at most 64 bits")
    if array.size == 0:
        raise ArgumentValueError(name, "", f"{name} is empty: its shape is {array.shape}")
    return array.astype(np.float64)


def _finite(x: object, name: str) -> Float64Array:
    """Array of finite numbers as float64, or an error that names the first that is not."""
    array = _real(x, name)
    finite = np.isfinite(array)
    if not finite.all():
        place = tuple(map(int, np.argwhere(~finite)[0]))
        where = f" at {place if len(place) > 1 else place[0]}" if place else ""
        raise ArgumentValueError(name, "", f"{name} holds {array[place]}{where}", "remove or repair it")
    return array


def _like(x: object, name: str, shape: tuple[int, ...]) -> Float64Array:
    """Array of finite numbers that broadcasts to a shape."""
    array = _finite(x, name)
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"{name} has shape {array.shape}, which does not broadcast to that of mean, {shape}") from None
