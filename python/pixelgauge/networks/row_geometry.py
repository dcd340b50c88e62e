"""Which rows a network computes as it would of the whole image, when it is run on part of the image's rows.

Whatever is said of rows holds of columns too, along the axis that an image is cut.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Step:
    """An operator of a graph; sizes are (height, width)."""

    inputs: tuple[str, ...]
    """Without its weights."""
    outputs: tuple[str, ...]
    kernel: tuple[int, ...] = (1, 1)
    strides: tuple[int, ...] = (1, 1)
    pads: tuple[int, ...] = (0, 0)
    """Before the first row or column."""
    pads_after: tuple[int, ...] = (0, 0)
    tile: tuple[int, ...] = (1, 1)
    """Outputs that are computed together, of which each depends, in the last bit, on all that the tile reads."""
    ceil: bool = False
    """Whether a last window may reach beyond the padding."""
    filters: int = 1
    channels: int = 1
    joins: bool = False
    """Whether the values of a position are those of all inputs."""
    sums: bool = False
    """Whether it makes one value of all that a position has."""


@dataclass(frozen=True)
class Rows:
    """Rows of a tensor that are as they are in a run over the whole image."""

    begin: int
    end: int
    total: int
    """Rows that the tensor of the whole image has."""
    stride: int = 1
    """Of the part's input, to a row of this one."""
    values: float = 1
    """At a position."""


def rows_after(step: Step, axis: int, rows: Rows) -> Rows:
    """Tell which rows a window's output may be trusted in, given its input's, axis 0 for rows and 1 for columns.

    A tile is right where all that it reads is, or lies beyond an end of the image: there both runs pad.
    """
    kernel, stride, tile = step.kernel[axis], step.strides[axis], step.tile[axis]
    before, after = step.pads[axis], step.pads_after[axis]
    room = rows.total + before + after - kernel
    total = (-(-room // stride) if step.ceil else room // stride) + 1
    begin = 0 if rows.begin == 0 else tile * -(-(rows.begin + before) // (stride * tile))
    end = total
    if rows.end < rows.total:
        end = tile * ((rows.end - kernel + before - stride * (tile - 1)) // (stride * tile) + 1)
    values = rows.values / step.channels * step.filters
    return Rows(min(begin, total), max(0, min(end, total)), total, rows.stride * stride, values)


class PartGeometry:
    """Rows of the outputs of a part of a network, as they follow from those of its inputs.

    Parameters
    ----------
    steps : sequence of Step
    inputs : mapping of str to float
        Values that each input has at a position.
    outputs : sequence of str
    axis : {0, 1}
        Whether rows or columns are meant.
    """

    def __init__(self, steps: Sequence[Step], inputs: Mapping[str, float], outputs: Sequence[str], axis: int) -> None:
        self._steps, self._inputs, self._outputs, self._axis = steps, inputs, outputs, axis
        found = self._all(0, 1 << 40, 1 << 40)
        self.strides = {name: found[name].stride for name in outputs}
        self.values = {name: found[name].values for name in outputs}
        self.alignment = math.lcm(
            *(found[step.outputs[0]].stride * step.tile[axis] for step in steps if step.outputs[0] in found)
        )
        """Rows at whose multiples a run may begin: every window and tile is then where it is in the whole image."""
        self.floats = sum(rows.values / rows.stride**2 for rows in found.values())
        """Of all tensors, for a position of the input."""
        lost = {more: self._lost((self.alignment << 10) + more) for more in range(self.alignment)}
        self.beyond = min(lost, key=lost.__getitem__)
        """Rows that a run has beyond a multiple of the alignment, for the fewest to be read again."""
        self.lost = lost[self.beyond]
        """Rows of such a run within an image that the next one reads again."""

    def strip(self, rows: int) -> int:
        """Rows to run at a time: at least those asked for, and enough to get on."""
        blocks = -(-(max(rows, self.lost + self.alignment) - self.beyond) // self.alignment)
        return blocks * self.alignment + self.beyond

    def _lost(self, length: int) -> int:
        total, start = 1 << 40, self.alignment << 20
        done = {name: of.end for name, of in self.rows(start, start + length, total).items()}
        return start + length - self.restart(start, done, total)

    def rows(self, begin: int, end: int, total: int) -> dict[str, Rows]:
        """Right rows of the outputs in a run over the rows from `begin` to `end`, of an image of `total`."""
        found = self._all(begin, end, total)
        return {name: found[name] for name in self._outputs}

    def restart(self, begin: int, done: Mapping[str, int], total: int) -> int:
        """Find the last row to begin at, from `begin` on, so that no row is missing after those that are `done`."""
        unfinished = [
            (name, done[name]) for name, of in self.rows(begin, total, total).items() if done[name] < of.total
        ]
        latest = max((end * self.strides[name] for name, end in unfinished), default=begin)
        at = max(latest // self.alignment * self.alignment, begin)
        while at > begin:
            rows = self.rows(at, total, total)
            if all(rows[name].begin <= end for name, end in unfinished):
                break
            at -= self.alignment
        return max(at, begin)

    def _all(self, begin: int, end: int, total: int) -> dict[str, Rows]:
        """Rows of every tensor that has any."""
        found = {name: Rows(begin, end, total, 1, values) for name, values in self._inputs.items()}
        for step in self._steps:
            inputs = [found[name] for name in step.inputs if name in found]
            if not inputs:
                continue
            of = replace(
                inputs[0],
                begin=max(rows.begin for rows in inputs),
                end=min(rows.end for rows in inputs),
                values=sum(rows.values for rows in inputs) if step.joins else inputs[0].values,
            )
            of = replace(of, values=1) if step.sums else rows_after(step, self._axis, of)
            found.update(dict.fromkeys(step.outputs, of))
        return found
