"""Anything a distribution can come from (folders, archives, arrays, statistics) to features or their statistics."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from pixelgauge.checks import ArgumentValueError, whole_number
from pixelgauge.distribution.feature_files import is_features_folder
from pixelgauge.distribution.feature_networks import sound_batches
from pixelgauge.distribution.feature_sets import MAIN, FeatureSet, Making, columns_of, in_blocks
from pixelgauge.distribution.feature_stats import FeatureStats
from pixelgauge.distribution.samples import as_features, samples
from pixelgauge.engine.extraction import Extraction
from pixelgauge.engine.rows import FileState, file_state
from pixelgauge.files.archive import Archive, read_sole_array
from pixelgauge.files.npy import map_npy, parse_npy, read_header
from pixelgauge.files.pickles import looks_pickled
from pixelgauge.files.reading import FileError, open_regular, size_of
from pixelgauge.full_reference.arguments import DataRange
from pixelgauge.images import as_array, canonical_images, is_picture, path_name
from pixelgauge.images.archives import image_members, opened_members
from pixelgauge.images.folders import list_images, names_within
from pixelgauge.perceptual.image_batches import files_as_set, image_set

_BLOCK = 3072
"""Rows that are added to statistics at a time: the core's own chunk."""

Report = Callable[[str, int, int], None]
"""Told (name of the source, images done, images in all) after each batch."""


class FeatureSource:
    """One side of a comparison.

    Parameters
    ----------
    x : path, FeatureStats, FeatureSet, (mean, covariance), array_like, or list of images
        A folder or zip archive of images (with subfolders, sizes may differ), an ``.npz`` or ``.npy`` file with images,
        features or statistics, a file or folder of a FeatureSet, statistics, images (N, H, W, 3), or features
        (N, D) of floats. A list or tuple holds paths and PIL images, or images (H, W, 3), of any sizes.
    name : str
        The argument's name, for messages.
    data_range, channel_axis, gray : optional
        Of arrays of images, as of :class:`pixelgauge.InceptionFeatures`; nothing else is read by them.
    limit : int, optional
        Use this many images or samples, chosen at random by `seed`.
    seed : int, default 0

    Raises
    ------
    TypeError, ValueError, OSError
        If it is none of these, is empty or unreadable, or holds fewer than `limit`. What a file's bytes lead to is a
        :class:`pixelgauge.FileError`.
    """

    def __init__(
        self,
        x: object,
        name: str,
        *,
        limit: int | None = None,
        seed: int = 0,
        data_range: DataRange = None,
        channel_axis: int | None = -1,
        gray: str | None = None,
    ) -> None:
        self.name = path_name(x, name) if isinstance(x, str | os.PathLike) else name
        self.stats: FeatureStats | None = None
        self.features: npt.NDArray[Any] | None = None
        self.kept: FeatureSet | None = None
        self._images: Any = None
        self._folder: str | None = None
        self._numbers: npt.NDArray[np.int64] | None = None  # of the images, where some were chosen
        self._archive: str | None = None
        self._file: str | None = None
        self._names: list[str] = []  # of the images, where some are no paths
        self._array_options: dict[str, Any] = {}
        whole_number("seed", seed, 0, 2**32 - 1)
        if limit is not None:
            whole_number("limit", limit, 1)
        if isinstance(x, str | os.PathLike):
            self._file = self.name
            x = self._open(self.name)
        if _are_moments(x):
            x = FeatureStats.from_moments(x[0], x[1], name=name)
        if isinstance(x, FeatureStats):
            self.stats = x
        elif isinstance(x, FeatureSet):
            self.kept = x
        elif isinstance(x, list | tuple):
            if not x:
                raise ValueError(f"{self.name} is an empty list: name at least one image")
            if self._archive is None:
                x = [_listed(item, f"{self.name}[{i}]", channel_axis, data_range) for i, item in enumerate(x)]
            self._images = list(x)
            if any(map(is_picture, x)):
                self._names = [item if isinstance(item, str) else f"{name}[{i}]" for i, item in enumerate(self._images)]
            arrays = sum(isinstance(item, np.ndarray) for item in self._images)
            if 0 < arrays < len(x):
                raise TypeError(f"{self.name} holds arrays beside files or PIL images: convert one to the other")
        elif is_picture(x):
            raise ValueError(f"{name} is one PIL image, and a distance is one of sets: pass a list of images")
        else:
            array = as_array(x, name)
            if array.ndim == 2:
                self.features = as_features(array, self.name)
            elif array.ndim == 4 or (array.ndim == 3 and channel_axis is None):
                self._images = _images(array, self.name, channel_axis, data_range)
            else:
                gray = "; for gray images (N, H, W), in Python, channel_axis=None, gray='repeat'"
                raise ValueError(
                    f"{self.name} has shape {array.shape} and dtype {array.dtype}: use uint8 images (N, H, W, 3) or "
                    f"float features (N, D){gray * (array.ndim == 3 and array.shape[2] > 4)}"
                )
        if limit is not None:
            self._take(limit, seed)
        if self.holds_arrays:
            # The network will find the same, but of this side after the other has gone through.
            given = {"data_range": data_range, "gray": gray}
            image_set(self._images, "the network", name=self.name, **given)  # type: ignore[arg-type]
            self._array_options = {option: value for option, value in given.items() if value is not None}

    def _open(self, path: str) -> Any:
        """Read what a path leads to: names of images, an array, features or statistics."""
        if os.path.isdir(path):
            if is_features_folder(path):
                return FeatureSet.load(path)
            self._folder = path
            return list_images(path)
        with open_regular(path) as file:
            start = file.read(6)
            file.seek(0)
            if start == b"\x93NUMPY":
                if read_header(file, path).bytes:
                    return map_npy(path, exactly=True)[1]
                file.seek(0)
                return parse_npy(file, size_of(file), path)
            if start.startswith(b"PAR1"):
                return FeatureSet.load(path)
            if looks_pickled(file):
                return FeatureStats.load(path)
            if not start.startswith(b"PK"):
                raise FileError(
                    path,
                    f"is no folder, no zip archive and no .npy, .npz or .pkl file: it begins with {start!r}",
                    "it may be truncated",
                )
            archive = Archive(file, path, once=True)
            if {"features.npy", "format.npy"} <= set(archive.names):
                return FeatureSet.load(path)
            if {"mu.npy", "format.npy"} & set(archive.names):
                return FeatureStats.load(path)
            if path.lower().endswith(".npz"):
                return read_sole_array(archive, "one array, 'arr_0' or 'mu' is needed")
        members = image_members(archive)
        self._archive = path
        self._names = [f"{path}: {name}" for name in members]
        return members

    def _take(self, limit: int, seed: int) -> None:
        if self.stats is not None:
            raise ValueError(f"{self.name} holds statistics, of which no part can be taken: leave the limit out")
        if limit > len(self):
            raise ArgumentValueError("limit", str(limit), f"exceeds the {samples(len(self))} of {self.name}")
        chosen = np.sort(np.random.RandomState(seed).choice(len(self), limit, replace=False))
        if self.kept is not None:
            self.kept = self.kept.take(chosen)
        elif self.features is not None:
            self.features = self.features[chosen]
        else:
            self._numbers = chosen
            self._choose(chosen)

    def _choose(self, chosen: npt.NDArray[np.int64]) -> None:
        if isinstance(self._images, list):
            self._images = [self._images[i] for i in chosen]
            self._names = [self._names[i] for i in chosen] if self._names else []
        else:
            self._images = self._images[chosen]

    def __len__(self) -> int:
        if self.stats is not None:
            return self.stats.count or 0
        if self.kept is not None:
            return len(self.kept)
        return len(self._images if self.features is None else self.features)

    @property
    def holds_images(self) -> bool:
        """Whether a network is needed to get features."""
        return self._images is not None

    @property
    def holds_arrays(self) -> bool:
        """Whether images are in memory, to be read by a range and an axis."""
        images = self._images
        return isinstance(images, np.ndarray) or (bool(images) and isinstance(images[0], np.ndarray))

    @property
    def made(self) -> Making:
        """How features or statistics were made, as far as they say it."""
        return Making.of(self.stats if self.kept is None else self.kept)

    @property
    def has_preset(self) -> bool:
        """Whether a preset decides the features: of images, or of features and statistics that record theirs."""
        return self.holds_images or self.made.preset is not None

    def columns(self, extraction: Extraction) -> Mapping[str, slice]:
        """Columns of each output of the images or of features that were kept."""
        return extraction.columns() if self.kept is None else columns_of(self.kept.outputs)

    def has(self, output: str, extraction: Extraction) -> bool:
        """Whether samples of an output can be had; of features that nothing is known of, those of the main one."""
        if self.holds_images:
            return extraction.has(output)
        if self.kept is not None:
            return output in self.columns(extraction)
        return output == MAIN and self.features is not None

    def image_names(self) -> list[str]:
        """Names of the images: within their folder or archive, as paths of a list, or their numbers."""
        if self._archive is not None:
            return list(self._images)
        if self._folder is not None:
            return names_within(self._images, self._folder)
        if isinstance(self._images, list) and all(isinstance(image, str) for image in self._images):
            return list(self._images)
        numbers = range(len(self)) if self._numbers is None else self._numbers
        return [str(number) for number in numbers]

    def image_states(self) -> list[FileState | None]:
        """Size and time of the images' files: what tells that one was replaced."""
        if self._archive is not None:
            return [file_state(self._archive)] * len(self)
        if isinstance(self._images, list):
            return [file_state(image) if isinstance(image, str) else None for image in self._images]
        return [None if self._file is None else file_state(self._file)] * len(self)

    def part(self, start: int, stop: int) -> FeatureSource:
        """Images `start` to `stop`."""
        found = copy(self)
        found._choose(np.arange(start, stop))
        return found

    def pixels(self, numbers: Sequence[int]) -> Iterator[npt.NDArray[np.uint8]]:
        """Images of some places as (H, W, 3) of 8 bits, to be looked at."""
        some = copy(self)
        some._choose(np.asarray(numbers, np.int64))
        with some._image_input() as images:
            if self.holds_arrays:
                found = image_set(images, "a page", name=self.name, **self._array_options)
            else:
                found = files_as_set(images, some._names or some.image_names())
            for i in range(len(found)):
                levels = found.read(i)[0]
                if levels.dtype != np.uint8 or (found.low, found.high) != (0, 255):
                    share = (levels.astype(np.float64) - found.low) / (found.high - found.low)
                    levels = np.rint(255 * np.clip(share, 0, 1)).astype(np.uint8)
                yield levels

    @contextmanager
    def _image_input(self) -> Iterator[Any]:
        if self._archive is None:
            yield self._images
        else:
            with opened_members(self._archive, self._images) as members:
                yield members

    def width(self, extraction: Extraction) -> int:
        """Features a sample, those of the network where it is needed."""
        if self.stats is not None:
            return self.stats.dim
        if self.features is not None:
            return int(self.features.shape[1])
        columns = self.columns(extraction)
        if MAIN not in columns:
            held = ", ".join(columns)
            raise ValueError(f"{self.name} holds the outputs {held}, and which distances are of is not said")
        main = columns[MAIN]
        return int(main.stop) - int(main.start)

    def batches(self, extraction: Extraction, report: Report | None = None) -> Iterator[npt.NDArray[Any]]:
        """Features of the images, batch by batch: every output of the network, side by side."""
        done = 0
        with self._image_input() as images:
            network = extraction.network
            if self.holds_arrays:
                found = network.batches(images, **self._array_options)
            else:
                found = network.batches_of_files(images, self._names or images)
            for batch in sound_batches(found, network, len(self), self.name, self.image_names()):
                done += len(batch)
                if report is not None:
                    report(self.name, done, len(self))
                yield batch

    def _rows(self, extraction: Extraction, report: Report | None) -> Iterator[npt.NDArray[Any]]:
        """Features in blocks of one size, so that sums over them round alike wherever they come from."""
        if self.kept is not None:
            return self.kept.blocks(_BLOCK)
        return in_blocks(self.batches(extraction, report), _BLOCK)

    def gaussian(self, extraction: Extraction, report: Report | None = None) -> FeatureStats | npt.NDArray[Any]:
        """Hand out what :func:`frechet_distance` takes: features while they are fewer than D, statistics beyond."""
        found: FeatureStats | npt.NDArray[Any] = self.collect(extraction, (), (MAIN,), report)[MAIN]
        return found

    def collect(
        self,
        extraction: Extraction,
        samples: Collection[str],
        gaussians: Collection[str],
        report: Report | None = None,
    ) -> dict[str, Any]:
        """Go through the images once, for every output that is wanted.

        Parameters
        ----------
        extraction : Extraction
        samples : collection of str
            Outputs whose (N, D) features are wanted; of plain features or statistics there is only :data:`MAIN`.
        gaussians : collection of str
            Outputs of which what :func:`frechet_distance` takes is enough; those among `samples` are their features.
        report : callable, optional

        Returns
        -------
        dict of str to numpy.ndarray or FeatureStats
        """
        outputs = sorted({*samples, *gaussians})
        if not outputs:
            return {}
        if self.stats is not None:
            if samples:
                raise ValueError(f"{self.name} holds statistics: this metric needs the images or their features")
            return {MAIN: self.stats}
        if self.features is not None:
            return {MAIN: self.features}
        columns = self.columns(extraction)
        widths = {output: columns[output].stop - columns[output].start for output in outputs}
        kept: dict[str, list[npt.NDArray[Any]]] = {
            output: [] for output in outputs if output in samples or len(self) <= widths[output]
        }
        if self.kept is not None and list(kept) == outputs and len(self.kept.outputs) == 1:
            return dict.fromkeys(outputs, self.kept.features)  # mapped, where it is
        summed = {o: self._new_statistics(extraction, o, widths[o]) for o in outputs if o not in kept}
        for block in self._rows(extraction, report):
            for output in outputs:
                features = block[:, columns[output]]
                if output in kept:
                    kept[output].append(features)
                else:
                    summed[output].update(features)
        return {**{output: np.concatenate(parts) for output, parts in kept.items()}, **summed}

    def summed(
        self, features: npt.NDArray[Any], extraction: Extraction, output: str
    ) -> FeatureStats | npt.NDArray[Any]:
        """Return what :meth:`collect` gives where samples are not wanted, of samples that it gave."""
        count, width = features.shape
        if self.features is not None or count <= width:
            return features
        stats = self._new_statistics(extraction, output, width)
        for start in range(0, count, _BLOCK):
            stats.update(features[start : start + _BLOCK])
        return stats

    def _new_statistics(self, extraction: Extraction, output: str, width: int) -> FeatureStats:
        if self.kept is not None:
            made = self.made
            return FeatureStats(width, preset=made.preset if output == MAIN else None, weights=made.weights)
        weights = extraction.network.fingerprint.get("weights_sha256")
        return FeatureStats(width, preset=extraction.label(output), weights=None if weights is None else str(weights))

    def statistics(self, extraction: Extraction, report: Report | None = None) -> FeatureStats:
        """Statistics of the features, labelled with preset and weights where a network made them."""
        if self.stats is not None:
            return self.stats
        if self.features is not None:
            return FeatureStats(self.features.shape[1]).update(self.features)
        stats = self._new_statistics(extraction, MAIN, self.width(extraction))
        columns = self.columns(extraction)[MAIN]
        for block in self._rows(extraction, report):
            stats.update(block[:, columns])
        return stats


def _are_moments(x: object) -> TypeGuard[tuple[Any, Any]]:
    """Whether an argument is a mean and a covariance rather than two images."""
    if not (isinstance(x, tuple) and len(x) == 2):
        return False
    if any(isinstance(item, str | bytes | os.PathLike) or is_picture(item) for item in x):
        return False
    first = x[0]
    return isinstance(first, list | tuple) or as_array(first, "the first of the pair").ndim < 3


def _images(array: npt.NDArray[Any], name: str, channel_axis: int | None, data_range: DataRange) -> npt.NDArray[Any]:
    """(N, H, W, C) view of images in an array."""
    _require_range(array, name, data_range)
    if channel_axis in (-1, 3) and array.shape[3] != 3 and array.shape[1] == 3:
        raise ValueError(
            f"{name} has shape {array.shape}, and images are (N, H, W, 3): pass channel_axis=1, or "
            f"numpy.moveaxis({name}, 1, -1)"
        )
    return canonical_images(array, name, channel_axis).pixels


def _require_range(array: npt.NDArray[Any], name: str, data_range: DataRange) -> None:
    if array.dtype.kind == "f" and data_range is None:
        raise ValueError(
            f"{name} has shape {array.shape} and dtype {array.dtype}: floating-point images need data_range, such as "
            "1.0 for values in 0..1; uint8 images and features (N, D) do not"
        )


def _listed(item: object, name: str, channel_axis: int | None, data_range: DataRange) -> Any:
    """Check an image of a list: the name of a file, a PIL image, or an array, of which (H, W, C) is a view."""
    if isinstance(item, str | os.PathLike):
        return path_name(item, name)
    if is_picture(item):
        return item
    array = as_array(item, name)
    _require_range(array, name, data_range)
    found = canonical_images(array, name, channel_axis)
    if not found.single:
        raise ValueError(
            f"{name} has shape {found.in_layout(found.pixels).shape}: a list holds paths, PIL images or single images "
            "(H, W, 3)"
        )
    return found.pixels[0]
