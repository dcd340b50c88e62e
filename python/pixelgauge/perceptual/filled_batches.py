"""Batches whose images several threads make in place, in memory that is used again.

A batch of 64 for Inception is 69 MB: joining its images costs as much time as a card takes to compute them, and new
memory for each costs as much again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

from pixelgauge.networks.pixels import Float32Array
from pixelgauge.parallel import ordered_map


class FilledBatches:
    """Batches of one shape.

    Parameters
    ----------
    shape : tuple of int
        Of a whole batch; its first axis is the images.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._spare: list[Float32Array] = []

    def of(self, count: int, make: Callable[[int, Float32Array], object], threads: int) -> Iterator[Float32Array]:
        """Batches of `count` images in their order, the last of them maybe smaller.

        `make` puts image i into an array with one row; it is called on several threads, at most a batch ahead of what
        is taken.
        """
        size = self._shape[0]

        def places() -> Iterator[tuple[int, Float32Array]]:
            for i in range(count):
                if i % size == 0:
                    batch = self._batch()
                yield i, batch

        def made(place: tuple[int, Float32Array]) -> Float32Array:
            i, batch = place
            make(i, batch[i % size : i % size + 1])
            return batch

        images = ordered_map(made, places(), threads, size)
        for start in range(0, count, size):
            whole = list(islice(images, size))
            yield whole[0][: count - start]

    def used(self, batch: Float32Array) -> None:
        """Tell that a batch that was given is no longer read."""
        self._spare.append(batch if batch.base is None else batch.base)

    def _batch(self) -> Float32Array:
        try:
            return self._spare.pop()
        except IndexError:  # those there were are all in work
            return np.empty(self._shape, np.float32)
