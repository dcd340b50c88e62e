"""What the two sides of a comparison must have in common, and which options they must use, before a network runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from pixelgauge.checks import ArgumentValueError
from pixelgauge.distribution.feature_sets import Making
from pixelgauge.distribution.samples import samples
from pixelgauge.engine.extraction import Extraction, Inception
from pixelgauge.engine.feature_sources import FeatureSource
from pixelgauge.full_reference.arguments import DataRange
from pixelgauge.presets import INCEPTION_PRESETS


def require_comparable(a: FeatureSource, b: FeatureSource, extraction: Extraction) -> None:
    """Raise a ``ValueError`` if no Fréchet distance can come of two sides, before any image goes through the network.

    Parameters
    ----------
    a, b : FeatureSource
    extraction : Extraction
        Its network is loaded where a side holds images.
    """
    sides = (a, b)
    asked = Making()
    if any(side.holds_images for side in sides):  # the preset of Inception is known before it is loaded
        asked = Making(preset=extraction.preset) if isinstance(extraction, Inception) else _made_by(extraction)
    for side in sides:
        if isinstance(extraction, Inception):
            _require_inception(side, asked)
    _require_alike(sides, [asked if side.holds_images else side.made for side in sides])
    for side in sides:
        if (side.stats is None or side.stats.count is not None) and len(side) < 2:
            raise ValueError(f"{side.name} holds {samples(len(side))}: a covariance needs at least two")
    ours, theirs = a.width(extraction), b.width(extraction)
    if ours != theirs:
        raise ValueError(f"{a.name} has {ours} features a sample and {b.name} {theirs}: they do not compare")
    if any(side.holds_images for side in sides):
        made = _made_by(extraction)
        _require_alike(sides, [made if side.holds_images else side.made for side in sides])


def require_same_network(a: FeatureSource, b: FeatureSource, extraction: Extraction) -> None:
    """Raise a ``ValueError`` if both sides know their network, and it is not one; whatever their outputs are."""
    made = [_made_by(extraction) if side.holds_images else side.made for side in (a, b)]
    _require_alike((a, b), [replace(one, output=None) for one in made])


def _made_by(extraction: Extraction) -> Making:
    """How images become features."""
    network = extraction.network
    found = Making.by(network.fingerprint, network.widths)
    return replace(found, output=extraction.output, preset=extraction.preset)


def _require_alike(sides: tuple[FeatureSource, FeatureSource], made: list[Making]) -> None:
    """Raise a ``ValueError`` if both sides say how they are made, and not alike."""
    order = (1, 0) if sides[0].holds_images else (0, 1)  # what was made is told first, then what is asked for
    a, b = (sides[i] for i in order)
    if (found := made[order[0]].unlike(made[order[1]])) is None:
        return
    found = found._replace(fact=found.fact.removesuffix("_sha256"))
    theirs = found.said(found.theirs, short=True)
    other = f"{b.name} with {theirs}"
    if b.holds_images:
        other = f"these are {theirs}" if found.fact == "weights" else f"{theirs} is asked for"
    raise ValueError(f"{a.name} was made with {found.said(found.mine)}, and {other}: the numbers do not compare")


def _require_inception(side: FeatureSource, asked: Making) -> None:
    """Raise a ``ValueError`` if images go through Inception since no other network is named, and a side was by one."""
    made = side.made.preset
    if None in (made, asked.preset) or side.holds_images or str(made).split("/")[0] in INCEPTION_PRESETS:
        return
    raise ValueError(
        f"{side.name} was made with preset {made!r}, which is none of Inception's, through which images go "
        f"({asked.preset!r}): name its network by features="
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
    sides: Collection[FeatureSource],
    *,
    preset: str | None,
    weights: object,
    providers: object = None,
    features: object = None,
) -> None:
    """Raise a ``ValueError`` if a preset, a network, weights or providers are asked for that no side uses.

    Parameters
    ----------
    sides : collection of FeatureSource
    preset : str, optional
        The one that was asked for. Features and statistics that record theirs use it, and must record that one.
    weights, providers, features : optional
    """
    if any(side.holds_images for side in sides):
        return
    names = " and ".join(dict.fromkeys(side.name for side in sides))
    shown = {"weights": None if weights is None else str(weights), "providers": providers, "features": features}
    for argument, value in shown.items():
        if value is not None:
            raise ArgumentValueError(argument, repr(value), "would not be used", f"there are no images in {names}")
    if preset is None:
        return
    if not any(side.has_preset for side in sides):
        said = f"there are no images in {names}, and no record of how features were made"
        raise ArgumentValueError("preset", repr(preset), "would not be used", said)
    for side in sides:
        if side.made.preset not in (None, preset):
            raise ValueError(f"{side.name} was made with preset {side.made.preset!r}, and {preset!r} is asked for")
