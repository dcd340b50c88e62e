"""A trained autoencoder as its user has it: two ONNX files, run by onnxruntime, and pixelgauge."""

import numpy as np

import onnx_export
import pixelgauge
from digits import to_levels, to_units

LATENT = 16
"""Of the digits' autoencoder."""


class Autoencoder:
    """The two files, on 8-bit images."""

    def __init__(self, encoder_path, decoder_path):
        self.encoder_path, self.decoder_path = encoder_path, decoder_path

    def reconstruct(self, images):
        """Return what is left of images after the mean of their latent."""
        mean, _ = onnx_export.run(self.encoder_path, to_units(images))
        return self.decode(mean)

    def decode(self, z):
        """Images of latents."""
        _, pixels = onnx_export.run(self.decoder_path, z)
        return to_levels(pixels)

    def sample(self, count, seed):
        """Images of latents from the prior."""
        return self.decode(np.random.default_rng(seed).standard_normal((count, LATENT)))

    def bound(self, images, seed, draws=8):
        """The two terms of the bound for each image, in nats: the first is a mean over draws of the latent."""
        x, rng = to_units(images), np.random.default_rng(seed)
        mean, log_variance = onnx_export.run(self.encoder_path, x)
        likelihoods = []
        for _ in range(draws):
            z = mean + np.exp(log_variance / 2) * rng.standard_normal(mean.shape)
            logits, _ = onnx_export.run(self.decoder_path, z)
            likelihoods.append(log_likelihood(x, logits))
        return np.mean(likelihoods, axis=0), pixelgauge.gaussian_kl(mean, log_variance)


def log_likelihood(x, logits):
    """Log-likelihood of pixels that are black or white, x the probability of white; (N,) nats in float64."""
    logits = logits.astype(np.float64)
    return (x * logits - np.logaddexp(0, logits)).sum((1, 2, 3))
