"""LPIPS as the engine knows it: its network is loaded when it is asked for, and not before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pixelgauge.metric import DATA_RANGE, Asked, Metric, Option, PairFamily, Pixels, Result, among, attempted
from pixelgauge.presets import LPIPS_BACKBONES

if TYPE_CHECKING:
    from pixelgauge.perceptual.lpips import LPIPS as Network


BACKBONE = Option("lpips_backbone", "alex", f"LPIPS of: {', '.join(LPIPS_BACKBONES)}", among(LPIPS_BACKBONES))


class _Perceptual:
    def prepare(self, asked: Asked) -> _Distances:
        from pixelgauge.perceptual.lpips import LPIPS

        networks = {metric.name: (LPIPS(values["lpips_backbone"]), values["data_range"]) for metric, values in asked}
        return _Distances(networks)


class _Distances:
    def __init__(self, networks: Mapping[str, tuple[Network, float | None]]) -> None:
        self._networks = networks

    @property
    def made_with(self) -> dict[str, str]:
        facts = {name: network.fingerprint for name, (network, _) in self._networks.items()}
        return {name: f"{fact['model']}@{fact['weights_sha256'][:12]}" for name, fact in facts.items()}

    def together(self, x: Pixels) -> int:
        """As many as fill a device; on the CPU one: 4 or 16 of 256 x 256 take the time of as many single ones."""
        return max(network.together(x) for network, _ in self._networks.values())

    def __call__(self, x: Pixels, y: Pixels) -> dict[str, Result]:
        from pixelgauge.perceptual.lpips import filled_up

        count, whole = len(x), self.together(x)
        if count < whole:
            x, y = (filled_up(images, whole) for images in (x, y))
        if x.shape[3] == 1:  # gray is repeated, as LPIPS itself does with files
            x, y = (np.repeat(images, 3, 3) for images in (x, y))
        calls = {n: partial(network, x, y, data_range=of) for n, (network, of) in self._networks.items()}
        return {n: found if isinstance(found, Exception) else found[:count] for n, found in attempted(calls).items()}


_FAMILY: PairFamily = _Perceptual()

LPIPS = Metric(
    "lpips",
    "",
    False,
    ".6f",
    (DATA_RANGE, BACKBONE),
    _FAMILY,
    needs_model=True,
    colour=True,
    bounds=(0.0, math.inf),
)
