"""Anything a distribution can come from (folders, archives, arrays, statistics) to features or their statistics."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from pixelgauge.checks import ArgumentValueError, whole_number
from pixelgauge.distribution.feature_stats import FeatureStats
from pixelgauge.distribution.samples import as_features, samples
from pixelgauge.files.archive import Archive, open_archive, read_array
from pixelgauge.files.npy import parse_npy
from pixelgauge.files.pickles import looks_pickled
from pixelgauge.files.reading import FileError, open_regular, size_of
from pixelgauge.full_reference.arguments import DataRange
from pixelgauge.images import FILE_EXTENSIONS, as_array, canonical_images, is_picture, path_name
from pixelgauge.images.folders import list_images
from pixelgauge.perceptual.image_batches import image_set
from pixelgauge.presets import INCEPTION_PRESETS, preset_row

Report = Callable[[str, int, int], None]
"""Told (name of the source, images done, images in all) after each batch."""


@dataclass(frozen=True)
class Inception:
    """How images become features, for all sides of a comparison.

    See :class:`pixelgauge.InceptionFeatures` for the fields; `outputs` are those that some side wants.
    """

    preset: str = "pytorch-fid"
    batch_size: int = 32
    weights: str | Path | None = None
    providers: Any = None
    outputs: tuple[str, ...] = ("2048",)

    def __post_init__(self) -> None:  # here too, since the network is only made where there are images
        preset_row(INCEPTION_PRESETS, self.preset)
        whole_number("batch_size", self.batch_size, 1)

    @cached_property
    def network(self) -> Any:
        """Network that ends at `outputs`: its weights are read once, when images are first met."""
        return self.extractor(list(self.outputs))

    def extractor(self, output: str | list[str]) -> Any:
        """Network that ends at `output`; what is missing raises an error that says how to get it."""
        from pixelgauge.perceptual.inception import InceptionFeatures

        return InceptionFeatures(
            self.preset,
            output=output,
            weights=self.weights,
            providers=self.providers,
            batch_size=self.batch_size,
        )


@dataclass(frozen=True)
class _Member:
    """An image of an archive, unpacked when it is read."""

    archive: Archive
    name: str

    def read(self) -> bytes:
        return self.archive.read(self.name)


class FeatureSource:
    """One side of a comparison.

    Parameters
    ----------
    x : path, FeatureStats, (mean, covariance), array_like, or list of images
        A folder or zip archive of images (with subfolders, sizes may differ), an ``.npz`` or ``.npy`` file with images,
        features or statistics, statistics, images (N, H, W, 3), or features (N, D) of floats. A list or tuple
        holds paths and PIL images, or images (H, W, 3), of any sizes.
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
        self._images: Any = None
        self._archive: str | None = None
        self._names: list[str] = []  # of the images, where some are no paths
        self._array_options: dict[str, Any] = {}
        whole_number("seed", seed, 0, 2**32 - 1)
        if limit is not None:
            whole_number("limit", limit, 1)
        if isinstance(x, str | os.PathLike):
            x = self._open(self.name)
        if _are_moments(x):
            x = FeatureStats.from_moments(x[0], x[1], name=name)
        if isinstance(x, FeatureStats):
            self.stats = x
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
                raise ValueError(
                    f"{self.name} has shape {array.shape} and dtype {array.dtype}: use uint8 images (N, H, W, 3) or "
                    "float features (N, D)"
                )
        if limit is not None:
            self._take(limit, seed)
        if self.holds_arrays:
            # The network will find the same, but of this side after the other has gone through.
            given = {"data_range": data_range, "gray": gray}
            image_set(self._images, "the network", name=self.name, **given)  # type: ignore[arg-type]
            self._array_options = {option: value for option, value in given.items() if value is not None}

    def _open(self, path: str) -> Any:
        """Read what a path leads to: names of images, an array or statistics."""
        if os.path.isdir(path):
            return list_images(path)
        with open_regular(path) as file:
            start = file.read(6)
            file.seek(0)
            if start == b"\x93NUMPY":
                return parse_npy(file, size_of(file), path)
            if looks_pickled(file):
                return FeatureStats.load(path)
            if not start.startswith(b"PK"):
                raise FileError(
                    path,
                    f"is no folder, no zip archive and no .npy, .npz or .pkl file: it begins with {start!r}",
                    "it may be truncated",
                )
            archive = Archive(file, path, once=True)
            arrays = [name for name in archive.names if name.endswith(".npy")]
            if {"mu.npy", "format.npy"} & set(arrays):
                return FeatureStats.load(path)
            if path.lower().endswith(".npz"):
                if "arr_0.npy" not in arrays and len(arrays) != 1:
                    held = ", ".join(arrays) or "nothing"
                    raise FileError(path, f"holds {held}", "one array, 'arr_0' or 'mu' is needed")
                return read_array(archive, "arr_0.npy" if "arr_0.npy" in arrays else arrays[0])
        members = sorted(
            name
            for name in archive.names
            if name.lower().endswith(FILE_EXTENSIONS)
            and not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))
        )
        if not members:
            raise FileError(path, f"holds no images ({', '.join(FILE_EXTENSIONS)})")
        self._archive = path
        self._names = [f"{path}: {name}" for name in members]
        return members

    def _take(self, limit: int, seed: int) -> None:
        if self.stats is not None:
            raise ValueError(f"{self.name} holds statistics, of which no part can be taken: leave the limit out")
        if limit > len(self):
            raise ArgumentValueError("limit", str(limit), f"exceeds the {samples(len(self))} of {self.name}")
        chosen = np.sort(np.random.RandomState(seed).choice(len(self), limit, replace=False))
        if self.features is not None:
            self.features = self.features[chosen]
        elif isinstance(self._images, list):
            self._images = [self._images[i] for i in chosen]
            self._names = [self._names[i] for i in chosen] if self._names else []
        else:
            self._images = self._images[chosen]

    def __len__(self) -> int:
        if self.stats is not None:
            return self.stats.count or 0
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
    def has_preset(self) -> bool:
        """Whether a preset decides the features: images, or statistics that say by which they were made."""
        return self.holds_images or (self.stats is not None and self.stats.preset is not None)

    @contextmanager
    def _image_input(self) -> Iterator[Any]:
        if self._archive is None:
            yield self._images
        else:
            with open_archive(self._archive, once=True) as archive:
                yield [_Member(archive, name) for name in self._images]

    def width(self, inception: Inception) -> int:
        """Features a sample, those of the network where it is needed."""
        if self.stats is not None:
            return self.stats.dim
        if self.features is not None:
            return int(self.features.shape[1])
        return int(inception.network.widths["2048"])

    def batches(self, inception: Inception, report: Report | None = None) -> Iterator[npt.NDArray[Any]]:
        """Features of the images, batch by batch: every output of the network, side by side."""
        done = 0
        with self._image_input() as images:
            network = inception.network
            if self._names:
                found = network.batches_of_files(images, self._names)
            else:
                found = network.batches(images, **self._array_options)
            for batch in found:
                done += len(batch)
                if report is not None:
                    report(self.name, done, len(self))
                yield batch

    def gaussian(self, inception: Inception, report: Report | None = None) -> FeatureStats | npt.NDArray[Any]:
        """Hand out what :func:`frechet_distance` takes: features while they are fewer than D, statistics beyond."""
        found: FeatureStats | npt.NDArray[Any] = self.collect(inception, (), ("2048",), report)["2048"]
        return found

    def collect(
        self,
        inception: Inception,
        samples: Collection[str],
        gaussians: Collection[str],
        report: Report | None = None,
    ) -> dict[str, Any]:
        """Go through the images once, for every output that is wanted.

        Parameters
        ----------
        inception : Inception
        samples : collection of str
            Outputs of `inception` whose (N, D) features are wanted; of features or statistics there is only ``"2048"``.
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
            if self.stats.preset not in (None, inception.preset):
                raise ValueError(
                    f"{self.name} was made with preset {self.stats.preset!r}, and {inception.preset!r} is asked for"
                )
            return {"2048": self.stats}
        if self.features is not None:
            return {"2048": self.features}
        widths: dict[str, int] = inception.network.widths
        ends = np.cumsum(list(widths.values()))[:-1]
        kept: dict[str, list[npt.NDArray[Any]]] = {
            output: [] for output in outputs if output in samples or len(self) <= widths[output]
        }
        summed = {o: self._new_statistics(inception, o) for o in outputs if o not in kept}
        for batch in self.batches(inception, report):
            for output, features in zip(widths, np.split(batch, ends, axis=1), strict=True):
                if output in kept:
                    kept[output].append(features)
                elif output in summed:
                    summed[output].update(features)
        return {**{output: np.concatenate(parts) for output, parts in kept.items()}, **summed}

    def _new_statistics(self, inception: Inception, output: str) -> FeatureStats:
        weights = inception.network.fingerprint.get("weights_sha256")
        label = inception.preset if output == "2048" else f"{inception.preset}/{output}"
        width = inception.network.widths[output]
        return FeatureStats(width, preset=label, weights=None if weights is None else str(weights))

    def statistics(self, inception: Inception, report: Report | None = None) -> FeatureStats:
        """Statistics of the features, labelled with preset and weights where a network made them."""
        if self.stats is not None:
            return self.stats
        if self.features is not None:
            return FeatureStats(self.features.shape[1]).update(self.features)
        stats = self._new_statistics(inception, "2048")
        for batch in self.batches(inception, report):
            stats.update(batch)
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


def require_comparable(a: FeatureSource, b: FeatureSource, inception: Inception) -> None:
    """Raise a ``ValueError`` if no Fréchet distance can come of two sides, before any image goes through the network.

    Parameters
    ----------
    a, b : FeatureSource
    inception : Inception
        Its network is loaded where a side holds images, and ends at ``"2048"`` among others.
    """
    for side in (a, b):
        if side.stats is not None and side.stats.preset not in (None, inception.preset):
            raise ValueError(
                f"{side.name} was made with preset {side.stats.preset!r}, and {inception.preset!r} is asked for"
            )
        if (side.stats is None or side.stats.count is not None) and len(side) < 2:
            raise ValueError(f"{side.name} holds {samples(len(side))}: a covariance needs at least two")
    ours, theirs = a.width(inception), b.width(inception)
    if ours != theirs:
        raise ValueError(f"{a.name} has {ours} features a sample and {b.name} {theirs}: they do not compare")
    if any(side.holds_images for side in (a, b)):
        here = inception.network.fingerprint.get("weights_sha256")
        for side in (a, b):
            made = None if side.stats is None else side.stats.weights
            if made is not None and here is not None and made != here:
                raise ValueError(
                    f"{side.name} was made with weights {made[:16]}..., and these are {str(here)[:16]}...: the numbers "
                    "do not compare"
                )


def require_arrays(
    sides: Collection[FeatureSource], data_range: DataRange, channel_axis: int | None, gray: str | None
) -> None:
    """Raise a ``ValueError`` if an option for arrays of images is given, and no side holds any."""
    if any(side.holds_arrays for side in sides):
        return
    names = " and ".join(dict.fromkeys(side.name for side in sides))
    for name, value, default in (
        ("data_range", data_range, None),
        ("channel_axis", channel_axis, -1),
        ("gray", gray, None),
    ):
        if value != default:
            raise ArgumentValueError(
                name, repr(value), "would not be used", f"there are no arrays of images in {names}"
            )


def require_used(
    sides: Collection[FeatureSource], *, preset: str | None, weights: object, providers: object = None
) -> None:
    """Raise a ``ValueError`` if a preset, weights or providers are asked for that no side uses.

    Parameters
    ----------
    sides : collection of FeatureSource
    preset : str, optional
        The one that was asked for. Statistics that record theirs use it: :meth:`FeatureSource.collect` compares.
    weights, providers : optional
    """
    if any(side.holds_images for side in sides):
        return
    names = " and ".join(dict.fromkeys(side.name for side in sides))
    if weights is not None:
        raise ArgumentValueError("weights", repr(str(weights)), "would not be used", f"there are no images in {names}")
    if providers is not None:
        shown = repr(providers)
        raise ArgumentValueError("providers", shown, "would not be used", f"there are no images in {names}")
    if preset is not None and not any(side.has_preset for side in sides):
        said = f"there are no images in {names}, and no record of how features were made"
        raise ArgumentValueError("preset", repr(preset), "would not be used", said)
