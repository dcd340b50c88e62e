"""The numbers that PyTorch's generator on a CPU draws, from NumPy's: both are the Mersenne Twister, seeded alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MOST_SEED = 2**32 - 1
_GROUP = 16
"""Values that PyTorch makes at a time, of which one half of the uniform numbers are lengths and the other angles."""


class TorchGenerator:
    """What ``torch.Generator().manual_seed(seed)`` draws, `seed` from 0 to 2^32 - 1.

    ``aten/src/ATen/native/cpu/DistributionTemplates.h`` of PyTorch 2 says how: `permutation` gives the same order,
    `normal` the same values but for the rounding of float32's logarithm, sine and cosine, which differs from processor
    to processor there.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.RandomState(seed)

    def permutation(self, count: int) -> npt.NDArray[np.int64]:
        """``torch.randperm(count)``."""
        order = list(range(count))
        # each place is exchanged with one of those from it on
        steps = (
            self._words(count - 1) % np.arange(count, 1, -1, dtype=np.uint32) if count > 1 else np.empty(0, np.uint32)
        )
        for place, step in enumerate(steps.tolist()):
            order[place], order[place + step] = order[place + step], order[place]
        return np.array(order, np.int64)

    def normal(self, rows: int, columns: int) -> npt.NDArray[np.float64]:
        """``torch.randn(rows, columns)`` in float32, before the rounding to it."""
        count = rows * columns
        if count < _GROUP:
            return self._few(count).reshape(rows, columns)
        uniform = self._uniform(count)
        whole = count - count % _GROUP
        values = np.empty(count)
        values[:whole] = _by_groups(uniform[:whole])
        if whole < count:  # the last group overlaps the one before, and is drawn anew
            values[-_GROUP:] = _by_groups(self._uniform(_GROUP))
        return values.reshape(rows, columns)

    def _words(self, count: int) -> npt.NDArray[np.uint32]:
        return self._random.randint(0, 2**32, count, np.uint32)

    def _uniform(self, count: int) -> npt.NDArray[np.float64]:
        """From 0 to 1, to 24 bits."""
        return np.ldexp((self._words(count) & 0xFFFFFF).astype(np.float64), -24)

    def _few(self, count: int) -> npt.NDArray[np.float64]:
        """Fewer than a group come in pairs, from uniform numbers of 53 bits."""
        words = self._words(4 * ((count + 1) // 2)).astype(np.uint64).reshape(-1, 2, 2)
        uniform = ((words[..., 0] << np.uint64(32) | words[..., 1]) & np.uint64(2**53 - 1)) * 2.0**-53
        angles, lengths = 2 * np.pi * uniform[:, 0], np.sqrt(-2 * np.log1p(-uniform[:, 1]))
        return np.column_stack([lengths * np.cos(angles), lengths * np.sin(angles)]).ravel()[:count]


def _by_groups(uniform: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Box and Muller's transform of groups: lengths first, angles after them."""
    groups = uniform.reshape(-1, 2, _GROUP // 2)
    lengths, angles = np.sqrt(-2 * np.log(1 - groups[:, 0])), 2 * np.pi * groups[:, 1]
    return np.stack([lengths * np.cos(angles), lengths * np.sin(angles)], axis=1).ravel()
