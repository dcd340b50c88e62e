"""The kernel distance of two sets of features, an unbiased squared maximum mean discrepancy over subsets."""

from __future__ import annotations

import math

import numpy as np

from pixelgauge.checks import ArgumentValueError, whole_number
from pixelgauge.distribution.polynomial_kernel import PolynomialKernel, one_point
from pixelgauge.distribution.sample_pairs import Features, MeanStd, feature_pair


def kernel_distance(
    a: object,
    b: object,
    *,
    degree: int = 3,
    gamma: float | None = None,
    coef0: float = 1.0,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> MeanStd:
    """Kernel distance (KID): unbiased squared MMD with the polynomial kernel (gamma x.y + coef0)^degree.

    Parameters
    ----------
    a, b : (N, D) array_like of float features
    degree : int, default 3
    gamma : float, optional
        Default 1 / D.
    coef0 : float, default 1
    subsets : int, default 100
        How many pairs of random subsets are compared.
    subset_size : int, default 1000
        Samples of each subset, drawn without replacement; may not exceed the samples there are.
    seed : int, default 0
        Of NumPy's ``RandomState``, drawn from as torch-fidelity does (whose default seed is 2020).

    Returns
    -------
    MeanStd
        Over the subsets. Slightly negative means are right for equal distributions.

    Raises
    ------
    TypeError, ValueError
        If the features do not fit together or hold NaN, or `subset_size` exceeds the samples; if they lie so far from
        zero against their spread that no subset keeps one digit of the distance.

    References
    ----------
    M. Binkowski, D. J. Sutherland, M. Arbel, A. Gretton: Demystifying MMD GANs, ICLR 2018; torch-fidelity 0.4.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> pixelgauge.kernel_distance(x[:100], x[100:] + 1, subsets=10, subset_size=50).mean > 1
    True
    """
    x, y = feature_pair(a, b, "a", "b")
    kernel = PolynomialKernel(degree, gamma, coef0, x.shape[1])
    for name, value, least in (("subsets", subsets, 1), ("subset_size", subset_size, 2)):
        whole_number(name, value, least)
    if subset_size > min(len(x), len(y)):
        problem = f"exceeds the samples there are ({len(x)} and {len(y)})"
        raise ArgumentValueError("subset_size", str(subset_size), problem, "give a smaller one")
    random = np.random.RandomState(seed)
    m = subset_size
    values = np.empty(subsets)
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(subsets):
            p = x[random.choice(len(x), m, replace=False)].astype(np.float64)
            q = y[random.choice(len(y), m, replace=False)].astype(np.float64)
            within = _total_within(kernel, p) + _total_within(kernel, q)
            values[i] = within / (m * (m - 1)) - 2 * float(kernel.values(p, q).sum()) / (m * m)
            if not math.isfinite(values[i]):
                break
        found = MeanStd(float(values[: i + 1].mean()), float(values[: i + 1].std()))
    if not all(map(math.isfinite, found)):
        raise kernel.overflow()
    largest = float(np.abs(values).max())
    if kernel.is_lost(largest):
        if one_point(x, y):
            return MeanStd(0.0, 0.0)
        raise kernel.loss(f"{largest:.2g} at most in any subset")
    return found


def _total_within(kernel: PolynomialKernel, p: Features) -> float:
    """Sum of the kernel over pairs of different samples."""
    values = kernel.values(p, p)
    return float(values.sum()) - float(np.trace(values))
