"""Runs a network part by part and strip by strip over an image: every row comes out as if the image had been run whole.

A part keeps the rows of its input that its next strip reads again, so only what lies between those is computed twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pixelgauge.networks.pixels import Float32Array
from pixelgauge.networks.row_geometry import PartGeometry


@dataclass
class Part:
    """A part of a network, and how far it has come with an image."""

    run: Callable[[dict[str, Any]], Mapping[str, Float32Array]]
    geometry: PartGeometry
    total: int
    """Rows of its input."""
    strip: int
    """Rows to run at a time."""
    carried: str | None
    """The output that the next part reads, under that name."""
    begin: int = 0
    """First row of the next strip."""
    available: int = 0
    pieces: list[Float32Array] = field(default_factory=list)
    """The rows of its input from `begin` to `available`."""
    done: dict[str, int] = field(default_factory=dict)
    """Rows of each output that have been passed on."""

    @property
    def end(self) -> int:
        """Where the next strip ends."""
        return min(self.begin + self.strip, self.total)

    @property
    def ready(self) -> bool:
        """Whether the next strip can be run, and is needed."""
        if self.available < self.end:
            return False
        rows = self.geometry.rows(self.begin, self.total, self.total)
        return any(self.done.get(name, 0) < of.total for name, of in rows.items())


class RowStream:
    """A run of parts, one after another, over an image.

    Parameters
    ----------
    parts : sequence of Part
        The first reads the image, each of the others what the one before it carries.
    axis : {2, 3}
        Axis of (N, C, H, W) that is cut; its places are called rows here.
    read : callable
        Gives the first part's inputs from one row to another.
    take : callable
        Is given each other output's name, the place of the first row, and rows: every row once, in order.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        axis: int,
        read: Callable[[int, int], dict[str, Any]],
        take: Callable[[str, int, Float32Array], None],
    ) -> None:
        self._parts, self._axis, self._read, self._take = parts, axis, read, take

    def run(self) -> None:
        """Run over the whole image; of the parts that can go on, the last one does, so that little is kept."""
        self._parts[0].available = self._parts[0].total
        while ready := [index for index, part in enumerate(self._parts) if part.ready]:
            self._run_strip(ready[-1])

    def _run_strip(self, index: int) -> None:
        part = self._parts[index]
        begin, end = part.begin, part.end
        results = part.run(self._inputs(index))
        for name, rows in part.geometry.rows(begin, end, part.total).items():
            done, origin = part.done.get(name, 0), begin // part.geometry.strides[name]
            part.done[name] = max(done, rows.end)
            if rows.end <= done:
                continue
            new = self._rows(results[name], done - origin, rows.end - origin)
            if name == part.carried:
                self._parts[index + 1].pieces.append(new)
                self._parts[index + 1].available = rows.end
            else:
                self._take(name, done, new)
        part.begin = part.geometry.restart(begin, part.done, part.total)
        self._forget(part, part.begin - begin)

    def _rows(self, array: Float32Array, begin: int, end: int | None = None) -> Float32Array:
        rows: Float32Array = array[:, :, begin:end] if self._axis == 2 else array[..., begin:end]
        return rows

    def _inputs(self, index: int) -> dict[str, Any]:
        part = self._parts[index]
        if index == 0:
            return self._read(part.begin, part.end)
        wanted, length, pieces = part.end - part.begin, 0, []
        for piece in part.pieces:
            pieces.append(self._rows(piece, 0, max(wanted - length, 0)))
            length += piece.shape[self._axis]
        return {self._parts[index - 1].carried or "": np.concatenate(pieces, self._axis)}

    def _forget(self, part: Part, count: int) -> None:
        """Drop the first rows of a part's input."""
        while part.pieces and count >= (length := part.pieces[0].shape[self._axis]):
            part.pieces.pop(0)
            count -= length
        if part.pieces and count:
            part.pieces[0] = self._rows(part.pieces[0], count).copy()  # lets go of the rest
