"""The divergence of the VAE's bound, and the value of the GAN's game at the best discriminator."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from docs.pictures import canvas


def divergence() -> Figure:
    """KL of a normal distribution from the standard one, over its mean and its spread."""
    figure, (left, right) = canvas.new_axes(3.2, 1, 2, sharey=True)
    means, spreads = np.linspace(-3, 3, 61), np.geomspace(0.05, 3, 60)
    for spread, style in ((1.0, "-"), (0.5, "--"), (0.1, ":")):
        values = 0.5 * (means**2 + spread**2 - 1 - np.log(spread**2))
        left.plot(means, values, style, color=canvas.BLUE, label=f"σ {spread:g}")
    for mean, style in ((0.0, "-"), (1.0, "--"), (2.0, ":")):
        values = 0.5 * (mean**2 + spreads**2 - 1 - np.log(spreads**2))
        right.plot(spreads, values, style, color=canvas.ORANGE, label=f"μ {mean:g}")
    left.set(xlabel="mean μ", ylabel="KL from N(0, 1), nats", ylim=(0, 6))
    right.set(xlabel="standard deviation σ")
    for one in (left, right):
        one.legend()
    return figure


def equilibrium() -> Figure:
    """V of the best discriminator, and of one that always says one half, as two normal populations come together."""
    rng = np.random.default_rng(0)
    apart = np.linspace(0, 6, 25)
    drawn = rng.standard_normal(200_000)
    best = []
    for distance in apart:
        # the best discriminator's logit is log p_data / p_generated: here distance^2 / 2 - distance x
        real, fake = (distance**2 / 2 - distance * (drawn + shift) for shift in (0, distance))
        best.append(-np.logaddexp(0, -real).mean() - np.logaddexp(0, fake).mean())
    figure, axes = canvas.new_axes(3.4)
    axes.plot(apart, best, "o-", color=canvas.BLUE, label="V at the best discriminator")
    axes.axhline(-np.log(4), color=canvas.ORANGE, linestyle="--", label="-log 4 = -1.386: D = 1/2 everywhere")
    axes.set(
        xlabel="distance of generated from real, in standard deviations", ylabel="V(D, G), nats", ylim=(-1.5, 0.05)
    )
    axes.legend(loc="center right")
    return figure
