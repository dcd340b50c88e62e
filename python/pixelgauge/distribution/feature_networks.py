"""What turns images into features: what is asked of a network, and checks that it does what it says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from pixelgauge.checks import ArgumentTypeError, ArgumentValueError
from pixelgauge.distribution.feature_files import plain_facts
from pixelgauge.files.archive import open_archive
from pixelgauge.files.reading import open_regular, shown
from pixelgauge.images import canonical_images, is_file, is_picture, path_name
from pixelgauge.images.archives import image_members, opened_members
from pixelgauge.images.folders import list_images, names_within


@runtime_checkable
class FeatureNetwork(Protocol):
    """What turns images into features: :class:`pixelgauge.InceptionFeatures`, or any other of these methods."""

    @property
    def widths(self) -> Mapping[str, int]:
        """Values of each output, in the order of the columns."""

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """What decides the digits of a feature: plain facts by name."""

    def batches(self, images: Any, *, data_range: Any = None, gray: Any = None) -> Iterator[Any]:
        """Features of images in memory, some rows of float32 at a time, every output side by side.

        The images are an array (N, H, W, C) or a list of (H, W, C), whatever the layout was. Either keyword is only
        passed where it is given, so that a network which knows neither serves too.
        """

    def batches_of_files(self, files: Sequence[Any], names: Sequence[str]) -> Iterator[Any]:
        """Features of paths, PIL images and encoded images with ``read``, which messages call by their `names`."""


def require_network(network: object, name: str) -> None:
    """Raise a ``TypeError`` or ``ValueError`` unless an argument turns images into features, and says which."""
    if not isinstance(network, FeatureNetwork) or isinstance(network, type):
        raise TypeError(f"{name}={network!r} makes no features of images: pass an InceptionFeatures or OnnxFeatures")
    widths, fingerprint = network.widths, network.fingerprint
    if not isinstance(widths, Mapping):
        raise ArgumentTypeError(f"{name}.widths", shown(repr(widths)), "must be values of each output by its name")
    if not widths:
        raise ArgumentValueError(f"{name}.widths", "{}", "names no output", "give one, such as {'mean': 3}")
    for output, width in widths.items():
        if not isinstance(output, str) or isinstance(width, bool) or not isinstance(width, int):
            problem = f"must be whole numbers by name, and has {shown(repr(output))}: {shown(repr(width))}"
            raise ArgumentTypeError(f"{name}.widths", shown(repr(dict(widths))), problem)
        if width < 1:
            raise ArgumentValueError(f"{name}.widths", shown(repr(dict(widths))), f"has {width} values of {output!r}")
    if not isinstance(fingerprint, Mapping):
        problem = "must be plain facts by name"
        raise ArgumentTypeError(f"{name}.fingerprint", shown(repr(fingerprint)), problem, "{} where nothing is known")
    try:
        plain_facts(fingerprint)
    except ValueError as error:
        problem = f"{name}.fingerprint must hold plain facts by name: {error}"
        raise ArgumentValueError(f"{name}.fingerprint", "", problem) from error


def sound_batches(
    found: Any, network: FeatureNetwork, count: int, name: str, image_names: Sequence[str]
) -> Iterator[npt.NDArray[np.float32]]:
    """Hand on what a network gives, batch by batch, each looked at.

    Parameters
    ----------
    found : iterable of (N, D) numpy.ndarray of float32
        What it gave.
    network : FeatureNetwork
    count : int
        Images that it was given.
    name : str
        What messages call them together.
    image_names : sequence of str
        What messages call each.

    Raises
    ------
    TypeError, ValueError
        If it is something else, of other widths, has more or fewer rows than there are images, or is not finite.
    """
    width, done = sum(network.widths.values()), 0
    if not hasattr(found, "__iter__"):
        raise TypeError(f"the network's batches gave {shown(repr(found))} for {name}: yield arrays (N, D) of float32")
    for batch in found:
        _require_sound(batch, done, width, count, name, image_names)
        done += len(batch)
        yield batch
    if done < count:
        raise ValueError(f"the network gave features of {done} of the {count} images of {name}")


def _require_sound(batch: Any, start: int, width: int, count: int, name: str, image_names: Sequence[str]) -> None:
    if not isinstance(batch, np.ndarray):
        raise TypeError(
            f"the network's batches gave a {type(batch).__name__} for images {start} and on of the {count} of {name}: "
            "yield arrays (N, D) of float32"
        )
    if batch.ndim != 2 or batch.shape[1] != width or batch.dtype != np.float32 or start + len(batch) > count:
        raise ValueError(
            f"the network gave features {batch.shape} of {batch.dtype} for images {start} and on of the "
            f"{count} of {name}: rows of {width} float32 are wanted, one an image"
        )
    finite = np.isfinite(batch).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"the network's features of {image_names[start + int(np.argmin(finite))]} in {name} hold NaN or infinity"
        )


def features_of(
    images: object, network: FeatureNetwork, *, data_range: Any, channel_axis: int | None, gray: str | None
) -> tuple[list[npt.NDArray[np.float32]], list[str] | None]:
    """Features of images, a batch at a time, and the names of those that are files; see `FeatureSet.from_images`."""
    listed = list(images) if isinstance(images, list | tuple) else [images]
    if listed and all(map(is_file, listed)):
        for argument, value, default in (("data_range", data_range, None), ("channel_axis", channel_axis, -1),
                                         ("gray", gray, None)):  # fmt: skip
            if value != default:
                problem, remedy = "is for arrays of images, and images are files or PIL images", "leave it out"
                raise ArgumentValueError(argument, repr(value), problem, remedy)
        return _of_files(images, network)
    if any(map(is_file, listed)):
        raise TypeError("images holds arrays beside files or PIL images: convert one to the other")
    pixels = _arrays(images, channel_axis)
    options = {name: value for name, value in (("data_range", data_range), ("gray", gray)) if value is not None}
    numbers = [f"images[{i}]" for i in range(len(pixels))]
    return list(sound_batches(network.batches(pixels, **options), network, len(pixels), "images", numbers)), None


def _of_files(images: Any, network: FeatureNetwork) -> tuple[list[npt.NDArray[np.float32]], list[str] | None]:
    """Features of a folder, an archive, a file, a PIL image or a list of the last two."""
    if isinstance(images, str | os.PathLike):
        path = path_name(images, "images")
        if os.path.isdir(path):
            files = list_images(path)
            return _checked(files, files, network, path), names_within(files, path)
        with open_regular(path) as file:
            is_archive = file.read(2) == b"PK"
        if is_archive:
            with open_archive(path, once=True) as archive:
                members = image_members(archive)
            with opened_members(path, members) as opened:
                return _checked(opened, [f"{path}: {name}" for name in members], network, path), members
    listed = list(images) if isinstance(images, list | tuple) else [images]
    given = [item if is_picture(item) else path_name(item, f"images[{i}]") for i, item in enumerate(listed)]
    names = [item if isinstance(item, str) else f"images[{i}]" for i, item in enumerate(given)]
    return _checked(given, names, network, "images"), None if any(map(is_picture, given)) else names


def _checked(
    files: Sequence[Any], names: list[str], network: FeatureNetwork, name: str
) -> list[npt.NDArray[np.float32]]:
    return list(sound_batches(network.batches_of_files(files, names), network, len(files), name, names))


def _arrays(images: Any, channel_axis: int | None) -> Any:
    """Images in memory with their channels last: (N, H, W, C), or a list of (H, W, C)."""
    if not isinstance(images, list | tuple):
        return canonical_images(images, "images", channel_axis).pixels
    if not images:
        raise ValueError("images is an empty list: name at least one image")
    found = []
    for i, item in enumerate(images):
        one = canonical_images(item, f"images[{i}]", channel_axis)
        if not one.single:
            raise ValueError(f"images[{i}] is a batch: a list holds single images; join batches with numpy.concatenate")
        found.append(one.pixels[0])
    return found
