"""A network that turns images into features: what it is asked, whatever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

import numpy as np

from pixelgauge.full_reference.arguments import DataRange
from pixelgauge.images import Array
from pixelgauge.images.budget import Budget, Share
from pixelgauge.networks.pixels import Float32Array
from pixelgauge.perceptual.image_batches import ImageSet, files_as_set, image_set

_Made = TypeVar("_Made")


class ImageFeatures:
    """Features of images of any kind, by a network that a subclass is."""

    _network: str
    """What messages call it."""
    _remake: Callable[[], ImageFeatures]
    """Makes another of the same arguments."""
    _budget: Budget | None
    """Bytes that decoded images may take together, in whatever calls."""

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return self._remake, ()

    @property
    def widths(self) -> Mapping[str, int]:
        """Values of each output, in the order of the columns."""
        raise NotImplementedError

    @property
    def dim(self) -> int:
        """Values a feature has, those of all outputs together."""
        return sum(self.widths.values())

    def _made_of(self, images: ImageSet, i: int, make: Callable[[Array], _Made], beside: int = 0) -> _Made:
        """Make something of the pixels of one image, which are held within the budget, and until then only.

        Nobody waits for ever: who holds bytes waits for nothing, decodes, makes and gives them back; who waits for them
        holds none. `beside` is the bytes a pixel that `make` takes, the pixels counted.
        """
        share = Share(self._budget)
        try:
            return make(images.read(i, share, beside))
        finally:
            share.keep(0)

    def _each(self, images: ImageSet) -> Iterator[Float32Array]:
        """Features of images, a batch at a time."""
        raise NotImplementedError

    def __call__(
        self,
        images: object,
        *,
        data_range: DataRange = None,
        channel_axis: int | None = -1,
        gray: Literal["repeat"] | None = None,
    ) -> Float32Array:
        """Features of images.

        Parameters
        ----------
        images : array_like, path, PIL image, or list of them
            Colour images (N, H, W, 3), one (H, W, 3), or a list of (H, W, 3) of any sizes; or files, a folder of them
            with its subfolders, and PIL images of any sizes, which become 8-bit RGB by Pillow's ``convert("RGB")``, as
            in the programs that publish such features.
        data_range : float or (float, float), optional
            R means 0..R, a pair means (low, high). Needed for float images, which are scaled to what the network takes
            and not rounded: a program that converts to 8 bits first gives other digits.
        channel_axis : int or None, default -1
            Axis of the three channels, in a list that of each image; None for gray without one.
        gray : {None, "repeat"}
            ``"repeat"`` takes arrays of one channel as colour of three equal ones. Default: they are refused.

        Returns
        -------
        (N, D) numpy.ndarray of float32

        Raises
        ------
        TypeError
            If the argument holds no pixels of a supported dtype, is no path, or is a list of arrays and of others.
        ValueError
            If there are not three channels, float images come without a range, values lie outside the range or so far
            inside that another one must be meant, or the network cannot take them, couples the images of a batch, or
            gives features that are not finite.
        ImageFileError
            A ValueError: if a file cannot be decoded; the message names it.
        OSError
            If a file cannot be opened.
        """
        return np.concatenate(list(self.batches(images, data_range=data_range, channel_axis=channel_axis, gray=gray)))

    def batches(
        self,
        images: object,
        *,
        data_range: DataRange = None,
        channel_axis: int | None = -1,
        gray: Literal["repeat"] | None = None,
    ) -> Iterator[Float32Array]:
        """Features as they are computed, at most `batch_size` at a time; parameters as in :meth:`__call__`."""
        found = image_set(images, self._network, data_range=data_range, channel_axis=channel_axis, gray=gray)
        return self._each(found)

    def batches_of_files(self, files: Sequence[Any], names: Sequence[str]) -> Iterator[Float32Array]:
        """Features of paths, PIL images and encoded images with ``read``, which messages call by their `names`."""
        return self._each(files_as_set(files, names))
