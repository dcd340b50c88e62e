"""Patches of scikit-learn's two photographs, large enough for LPIPS, and defects that are planted on them.

`china.jpg` and `flower.jpg`, 427 x 640, come with scikit-learn under Creative Commons Attribution 2.0; it names their
authors danielbuechele and vultilion, of Flickr. Models learn from the left of each and are judged on its right, which
they never see.
"""

from typing import NamedTuple

import numpy as np

SIDE = 64
_COLUMNS = 384  # that are for training
_ROWS_OF_PATCHES, _COLUMNS_OF_PATCHES = 6, 4


def _photographs():
    from sklearn.datasets import load_sample_images

    return np.stack(load_sample_images().images)


def training_patches(count, seed):
    """Patches (N, 64, 64, 3) uint8 from random places of the left."""
    photographs, rng = _photographs()[:, :, :_COLUMNS], np.random.default_rng(seed)
    rows, columns = (edge - SIDE + 1 for edge in photographs.shape[1:3])
    places = zip(rng.integers(0, 2, count), rng.integers(0, rows, count), rng.integers(0, columns, count), strict=True)
    return np.stack([photographs[which, top : top + SIDE, left : left + SIDE] for which, top, left in places])


def held_out_patches():
    """The 48 patches that the right of both photographs is cut into, row after row."""
    right = _photographs()[:, : _ROWS_OF_PATCHES * SIDE, _COLUMNS:]
    cut = right.reshape(2, _ROWS_OF_PATCHES, SIDE, _COLUMNS_OF_PATCHES, SIDE, 3)
    return np.ascontiguousarray(cut.swapaxes(2, 3)).reshape(-1, SIDE, SIDE, 3)


def put_together(patches):
    """The two images (2, 384, 256, 3) that held-out patches are of."""
    cut = patches.reshape(2, _ROWS_OF_PATCHES, _COLUMNS_OF_PATCHES, SIDE, SIDE, 3)
    return cut.swapaxes(2, 3).reshape(2, _ROWS_OF_PATCHES * SIDE, _COLUMNS_OF_PATCHES * SIDE, 3)


class Defects(NamedTuple):
    """Patches with defects, and where they are."""

    patches: np.ndarray
    """(N, 64, 64, 3) uint8."""
    masks: np.ndarray
    """(N, 64, 64) bool."""


def with_defects(patches, seed):
    """Plant a scratch, a blot or a misplaced piece on two patches of three, each kind as often."""
    rng, planted = np.random.default_rng(seed), patches.copy()
    masks = np.zeros(patches.shape[:3], bool)
    kinds = (_scratch, _blot, _misplaced)
    for i in range(len(patches)):
        if i % 3:
            kinds[(i // 3 + i) % 3](planted[i], masks[i], patches, rng)
    return Defects(planted, masks)


def _scratch(patch, mask, _patches, rng):
    """A straight line, two pixels wide, that keeps a tenth of what it covers."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    row, column = rng.uniform(16, 48, 2)
    angle = rng.uniform(0, np.pi)
    across = (rows - row) * np.cos(angle) - (columns - column) * np.sin(angle)
    along = (rows - row) * np.sin(angle) + (columns - column) * np.cos(angle)
    mask |= (np.abs(across) < 1) & (np.abs(along) < rng.uniform(10, 25))
    _mix(patch, mask, 255 * rng.integers(0, 2), 0.9)


def _blot(patch, mask, _patches, rng):
    """An ellipse of one colour that shines through by half."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    (row, column), (high, wide) = rng.uniform(14, 50, 2), rng.uniform(4, 9, 2)
    mask |= ((rows - row) / high) ** 2 + ((columns - column) / wide) ** 2 < 1
    _mix(patch, mask, rng.integers(0, 256, 3), 0.5)


def _misplaced(patch, mask, patches, rng):
    """A square from some patch, put elsewhere."""
    edge = rng.integers(10, 18)
    top, left, from_top, from_left = rng.integers(0, SIDE - edge, 4)
    source = patches[rng.integers(len(patches))]
    mask[top : top + edge, left : left + edge] = True
    patch[top : top + edge, left : left + edge] = source[from_top : from_top + edge, from_left : from_left + edge]


def _mix(patch, mask, colour, share):
    patch[mask] = np.rint((1 - share) * patch[mask] + share * np.asarray(colour))
