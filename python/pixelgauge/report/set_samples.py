"""Pictures of two sets: some of each, and generated ones beside their nearest real ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pixelgauge.engine.feature_sources import FeatureSource
from pixelgauge.files.reading import shown
from pixelgauge.markup import Markup, element, name
from pixelgauge.report.nearest import Nearest
from pixelgauge.report.pictures import img, thumbnail
from pixelgauge.report.principal import chosen

_MOST_CHARACTERS = 80_000
"""Of one picture: a page stays far below what may be sent by mail."""
SAMPLES = 24


def sample_grid(source: FeatureSource, seed: int) -> Markup:
    """Lay out pictures of a set, drawn at random."""
    numbers = chosen(len(source), SAMPLES, seed)
    return element("div", *_pictures(source, numbers.tolist()), class_="pictures")


def neighbour_rows(a: FeatureSource, b: FeatureSource, nearest: Nearest, rows: Sequence[tuple[int, str]]) -> Markup:
    """Lay out generated samples, each beside its nearest real ones; names stand where a side has no pictures."""
    lines = []
    for row, why in rows:
        generated = _shown(b, [int(nearest.asked[row])], [why])
        others = _shown(a, nearest.places[row].tolist(), [f"at {distance:.4g}" for distance in nearest.distances[row]])
        lines.append(element("div", *generated, element("div", *others, class_="pictures"), class_="neighbours"))
    return Markup("").join(lines)


def _shown(source: FeatureSource, numbers: list[int], notes: Sequence[str]) -> list[Markup]:
    if source.holds_images:
        return _pictures(source, numbers, notes)
    return [
        element("figure", element("figcaption", f"sample {number:,}, {note}"), class_="picture")
        for number, note in zip(numbers, notes, strict=True)
    ]


def _pictures(source: FeatureSource, numbers: list[int], notes: Sequence[str] = ()) -> list[Markup]:
    names = source.image_names()
    found = []
    for i, (number, pixels) in enumerate(zip(numbers, source.pixels(numbers), strict=True)):
        small = thumbnail(np.ascontiguousarray(pixels), _MOST_CHARACTERS)
        whose = shown(names[number], 120)
        note = element("figcaption", notes[i]) if notes else element("figcaption", name(names[number], 40))
        found.append(element("figure", img(small, whose, decoding="async"), note, class_="picture", title=whose))
    return found
