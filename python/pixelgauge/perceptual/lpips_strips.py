"""LPIPS of large images by strips: the layers are those of the whole image, the memory that of a strip."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge.images import Array
from pixelgauge.networks.pixels import Float32Array, Pixels
from pixelgauge.networks.row_geometry import PartGeometry
from pixelgauge.networks.row_stream import Part, RowStream
from pixelgauge.networks.session import Session

Places = npt.NDArray[np.int64]

_INPUTS = {"x": 3.0, "y": 3.0}
"""Values of a pixel, by the graph's inputs."""
_MOST_CARRIED = 64
"""Values for a pixel of the image that may pass from part to part; to copy more would take longer than to compute some
rows twice."""
_LEAST_LENGTH = 8
"""Times the rows that a strip shares with the next, which a strip has at least, however wide the image."""
_MAP_PIXELS = 1 << 18
"""Of the map that are made at a time."""


@dataclass(frozen=True)
class _Stage:
    """A part of the network, ready to run."""

    session: Session
    inputs: tuple[str, ...]
    maps: tuple[str, ...]
    carried: str | None
    along: tuple[PartGeometry, PartGeometry]
    """Of its rows and of its columns."""


class LpipsStrips:
    """The layers of a session's LPIPS graph, computed by strips across an image's longer side.

    Parameters
    ----------
    session : Session
    strip_bytes : int
        What the tensors of a strip may take, were all of them kept.
    in_parts : bool
        Whether the network itself is cut too: less is computed twice, but features go to and from the session.
    """

    def __init__(self, session: Session, strip_bytes: int, *, in_parts: bool) -> None:
        self._bytes = strip_bytes
        self._stages: list[_Stage] = []
        found = session.lpips_parts()
        tensors = [of.carried for of in found if of.carried is not None]
        whole = PartGeometry(session.part([*_INPUTS], tensors).steps(), _INPUTS, tensors, 0)
        inputs = dict(_INPUTS)
        maps: tuple[str, ...] = ()
        for of in found:
            maps = (*maps, *of.maps)
            carried = of.carried
            if carried and not (in_parts and whole.values[carried] <= _MOST_CARRIED * whole.strides[carried] ** 2):
                continue
            outputs = [*maps, *([carried] if carried else [])]
            of_part = session.part([*inputs], outputs)
            rows, columns = (PartGeometry(of_part.steps(), inputs, outputs, axis) for axis in (0, 1))
            self._stages.append(_Stage(of_part, tuple(inputs), maps, carried, (rows, columns)))
            inputs, maps = ({carried: rows.values[carried]} if carried else {}), ()

    @property
    def bytes_a_pixel(self) -> float:
        """Of all the tensors of a run over an image, for a pixel of a pair."""
        return 4 * self._stages[0].along[0].floats

    def run(
        self,
        x: Array,
        y: Array,
        pixels: Callable[[Array], Pixels],
        *,
        spatial: bool = False,
        threads: int | None = None,
        rows: int | None = None,
    ) -> dict[str, npt.NDArray[Any]]:
        """Compute the outputs of the graph for a pair, (1, H, W, 3) each, by strips of so many rows if that is given.

        Of each layer a row is summed, then the sums of all rows, both in float64: strips change no bit.
        """
        height, width = x.shape[1:3]
        axis = 0 if height >= width else 1  # a strip goes across the shorter side
        maps: dict[str, Float32Array] = {}
        sums: dict[str, npt.NDArray[np.float64]] = {}
        counts: dict[str, int] = {}
        parts = []
        sides = height, width
        for stage in self._stages:
            totals = [of.rows(0, side, side) for of, side in zip(stage.along, sides, strict=True)]
            for name in stage.maps:
                shape = totals[0][name].total, totals[1][name].total
                sums[name], counts[name] = np.zeros(shape[axis]), math.prod(shape)
                if spatial:
                    maps[name] = np.empty(shape, np.float32)
            geometry, across = stage.along[axis], sides[1 - axis]
            fit = rows or max(int(self._bytes / (4 * geometry.floats * across)), _LEAST_LENGTH * geometry.lost)
            run = partial(stage.session.run, threads=threads)
            parts.append(Part(run, geometry, sides[axis], geometry.strip(fit), stage.carried))
            if stage.carried is not None:
                sides = totals[0][stage.carried].total, totals[1][stage.carried].total

        def read(begin: int, end: int) -> dict[str, Pixels]:
            at = (slice(None), slice(begin, end)) if axis == 0 else (slice(None), slice(None), slice(begin, end))
            return {"x": pixels(x[at]), "y": pixels(y[at])}

        def take(name: str, at: int, found: Float32Array) -> None:
            strip = found[0, 0]
            lines = np.ascontiguousarray(strip if axis == 0 else strip.T, np.float64)
            sums[name][at : at + len(lines)] = lines.sum(1)
            if spatial:
                to = maps[name][at:] if axis == 0 else maps[name][:, at:]
                to[: strip.shape[0], : strip.shape[1]] = strip

        RowStream(parts, axis + 2, read, take).run()
        layers = np.array([[sums[name].sum() / counts[name] for name in sums]])
        found: dict[str, npt.NDArray[Any]] = {"distance": layers.sum(1), "per_layer": layers}
        if spatial:
            found["spatial"] = _summed(maps, height, width)[np.newaxis]
        return found


def _summed(maps: Mapping[str, Float32Array], height: int, width: int) -> Float32Array:
    """Sum of the maps, each resized to the image: bilinear, half-pixel centres, edges repeated."""
    total = np.zeros((height, width), np.float32)
    step = max(1, _MAP_PIXELS // width)
    columns = {name: _neighbours(np.arange(width), one.shape[1], width) for name, one in maps.items()}
    for begin in range(0, height, step):
        rows = np.arange(begin, min(begin + step, height))
        for name, one in maps.items():
            above, below, weight = _neighbours(rows, len(one), height)
            lines = one[above] + weight[:, np.newaxis] * (one[below] - one[above])
            left, right, weight = columns[name]
            total[begin : begin + step] += lines[:, left] + weight * (lines[:, right] - lines[:, left])
    return total


def _neighbours(places: Places, short: int, long: int) -> tuple[Places, Places, Float32Array]:
    """Find what each of some places of a side lies between on a shorter one, and how near to the second."""
    at = np.clip((places + 0.5) * short / long - 0.5, 0, short - 1)
    first = at.astype(np.int64)
    return first, np.minimum(first + 1, short - 1), (at - first).astype(np.float32)
