"""Distances between two sets: what each needs of both sides, what stands against it before any work, its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from pixelgauge.checks import ArgumentValueError
from pixelgauge.distribution.feature_sets import LOGITS, MAIN, SPATIAL
from pixelgauge.distribution.frechet import METHODS, frechet_distance
from pixelgauge.distribution.inception_score import inception_score
from pixelgauge.distribution.kernel_distance import kernel_distance
from pixelgauge.distribution.nearest_neighbours import neighbour_metrics
from pixelgauge.distribution.samples import samples as count_of
from pixelgauge.engine.extraction import Extraction
from pixelgauge.engine.feature_sides import require_comparable, require_same_network
from pixelgauge.engine.feature_sources import FeatureSource, Report
from pixelgauge.metric import Metric, Option, Values, among, at_least
from pixelgauge.presets import INCEPTION_PRESETS

PRECISION_K, DENSITY_K = 3, 5
"""Neighbours of the balls, as published."""

Features = Mapping[str, Any]
"""What :meth:`FeatureSource.collect` hands out."""


@dataclass(frozen=True)
class Sides:
    """What is compared."""

    a: FeatureSource
    b: FeatureSource
    extraction: Extraction
    seed: int = 0

    @cached_property
    def unlike(self) -> ValueError | None:
        """Why features of the two do not compare, where that is known before images are read."""
        try:
            require_comparable(self.a, self.b, self.extraction)
        except ValueError as error:
            return error
        return None

    def require_alike(self) -> None:
        """Raise unless features of the two compare."""
        if self.unlike is not None:
            raise self.unlike

    def require_samples(self, metric: str) -> None:
        """Raise if a side holds statistics."""
        held = [side.name for side in (self.a, self.b) if side.stats is not None]
        if held:
            raise ValueError(f"{' and '.join(held)} holds statistics: {metric} needs the images or their features")


@dataclass(frozen=True)
class Outputs:
    """Outputs of the network: of which samples are needed, of A and of B, and of which moments will do."""

    samples_of_a: frozenset[str] = frozenset()
    samples_of_b: frozenset[str] = frozenset()
    moments: frozenset[str] = frozenset()

    def __or__(self, other: Outputs) -> Outputs:
        return Outputs(
            self.samples_of_a | other.samples_of_a,
            self.samples_of_b | other.samples_of_b,
            self.moments | other.moments,
        )

    def names(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(sorted(self.samples_of_a | self.samples_of_b | self.moments))


@dataclass(frozen=True)
class Found:
    """Numbers of a metric by name, and what else is worth telling."""

    values: dict[str, float]
    facts: dict[str, Any] = field(default_factory=dict)


class SetFamily(Protocol):
    """A metric of two sets: what the engine asks of it."""

    @property
    def outputs(self) -> Outputs:
        """What it needs."""

    def require(self, sides: Sides, values: Values) -> None:
        """Raise a ``ValueError`` for what stands against it, as far as that is known before images are read."""

    def measure(self, sides: Sides, of_a: Features, of_b: Features, values: Values) -> Found:
        """Compute it."""


@dataclass(frozen=True)
class _Frechet:
    """Of the features, or of the layer that keeps their places, of which only images tell."""

    name: str
    layer: str

    @property
    def outputs(self) -> Outputs:
        return Outputs(moments=frozenset({self.layer}))

    def require(self, sides: Sides, values: Values) -> None:
        a, b = sides.a, sides.b
        if self.layer == MAIN:
            sides.require_alike()
        elif lacking := [side.name for side in (a, b) if not side.has(self.layer, sides.extraction)]:
            raise ValueError(
                f"{self.name} needs Inception's output {self.layer!r} on both sides, of images or kept beside the "
                f"features: {' and '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} none"
            )
        elif min(len(a), len(b)) < 2:
            raise ValueError(f"{self.name} needs at least two images on each side")
        else:
            require_same_network(a, b, sides.extraction)

    def measure(self, sides: Sides, of_a: Features, of_b: Features, values: Values) -> Found:
        x, y = of_a[self.layer], of_b[self.layer]
        value, info = frechet_distance(x, y, method=values["method"], return_info=True)
        facts = {name: getattr(info, name) for name in ("method", "space", "rank", "bound")}
        return Found({self.name: value}, {"frechet" if self.name == "fid" else f"frechet_of_{self.name}": facts})


@dataclass(frozen=True)
class _Kernel:
    outputs: Outputs = Outputs(frozenset({MAIN}), frozenset({MAIN}))

    def require(self, sides: Sides, values: Values) -> None:
        sides.require_samples("kid")
        ours, theirs = len(sides.a), len(sides.b)
        if values["kid_subset_size"] > min(ours, theirs):
            problem = f"exceeds the samples there are ({ours} and {theirs})"
            raise ArgumentValueError("kid_subset_size", str(values["kid_subset_size"]), problem, "give a smaller one")
        sides.require_alike()

    def measure(self, sides: Sides, of_a: Features, of_b: Features, values: Values) -> Found:
        subsets, size = values["kid_subsets"], values["kid_subset_size"]
        found = kernel_distance(of_a[MAIN], of_b[MAIN], subsets=subsets, subset_size=size, seed=sides.seed)
        return Found({"kid": found.mean, "kid_std": found.std})


@dataclass(frozen=True)
class _Neighbours:
    outputs: Outputs = Outputs(frozenset({MAIN}), frozenset({MAIN}))

    def require(self, sides: Sides, values: Values) -> None:
        sides.require_samples("prdc")
        ours, theirs = len(sides.a), len(sides.b)
        most = max(PRECISION_K, DENSITY_K)
        if ours <= most or theirs <= PRECISION_K:
            raise ValueError(
                f"prdc needs at least {most + 1} samples of A and {PRECISION_K + 1} of B: there are {ours} and {theirs}"
            )
        sides.require_alike()

    def measure(self, sides: Sides, of_a: Features, of_b: Features, values: Values) -> Found:
        found = neighbour_metrics(of_a[MAIN], of_b[MAIN], precision_k=PRECISION_K, density_k=DENSITY_K)
        return Found(found._asdict())


@dataclass(frozen=True)
class _InceptionScore:
    outputs: Outputs = Outputs(samples_of_b=frozenset({LOGITS}))

    def require(self, sides: Sides, values: Values) -> None:
        if not sides.b.has(LOGITS, sides.extraction):
            raise ValueError(
                f"is needs Inception's output {LOGITS!r} of B, of images or kept beside the features: "
                f"{sides.b.name} has none"
            )
        if values["splits"] > len(sides.b):
            problem = f"exceeds the {count_of(len(sides.b))} of B"
            raise ArgumentValueError("splits", str(values["splits"]), problem, "give fewer")

    def measure(self, sides: Sides, of_a: Features, of_b: Features, values: Values) -> Found:
        score = inception_score(of_b[LOGITS], splits=values["splits"], seed=sides.seed)
        return Found({"is": score.mean, "is_std": score.std})


METHOD = Option("method", "auto", f"of the matrix square root, one of {', '.join(METHODS)}", among(METHODS))
SUBSETS = Option("kid_subsets", 100, "subsets that KID is the mean of", at_least(1), int, "N")
SUBSET_SIZE = Option("kid_subset_size", 1000, "samples of each", at_least(2), int, "N")
SPLITS = Option("splits", 10, "of the Inception score", at_least(1), int, "N")

DISTANCES: dict[str, Metric[SetFamily]] = {
    metric.name: metric
    for metric in (
        Metric[SetFamily]("fid", "", False, ".10g", (METHOD,), _Frechet("fid", MAIN)),
        Metric[SetFamily]("kid", "", False, ".10g", (SUBSETS, SUBSET_SIZE), _Kernel()),
        Metric[SetFamily]("prdc", "", True, ".10g", (), _Neighbours()),
        Metric[SetFamily]("is", "", True, ".10g", (SPLITS,), _InceptionScore()),
        Metric[SetFamily]("sfid", "", False, ".10g", (METHOD,), _Frechet("sfid", SPATIAL)),
    )
}
"""Metrics of two sets, by name, in the order they are printed."""


def outputs_of(metrics: Mapping[str, Metric[SetFamily]]) -> Outputs:
    """Collect what some metrics need together."""
    needed = Outputs()
    for metric in metrics.values():
        needed |= metric.family.outputs
    return needed


@dataclass
class Measured:
    """What came of a measurement."""

    values: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)
    features: tuple[Features, Features] = ({}, {})
    """What was collected of each side, by output."""


def require_possible(sides: Sides, metrics: Mapping[str, Metric[SetFamily]], values: Values) -> dict[str, Exception]:
    """Find what cannot be computed before any image goes through the network: why, by metric."""
    failed: dict[str, Exception] = {}
    for name, metric in metrics.items():
        try:
            metric.family.require(sides, values)
        except ValueError as error:
            failed[name] = error
    return failed


def measure(
    sides: Sides,
    metrics: Mapping[str, Metric[SetFamily]],
    values: Values,
    report: Report | None = None,
    also: Outputs | None = None,
) -> Measured:
    """Go through the images of each side once, and compute every metric; one that fails does not lose the others.

    Parameters
    ----------
    sides : Sides
    metrics : mapping of str to Metric
        Of :data:`DISTANCES`; what :func:`require_possible` named left out.
    values : mapping of str to object
        Their options.
    report : callable, optional
        Told of the progress.
    also : Outputs, optional
        What is collected beside what the metrics need, and changes none of them.
    """
    own = outputs_of(metrics)
    needed = own | (also or Outputs())
    of_a: Features = sides.a.collect(sides.extraction, needed.samples_of_a, needed.moments, report)
    of_b: Features = sides.b.collect(sides.extraction, needed.samples_of_b, needed.moments, report)
    found = Measured(features=(of_a, of_b))
    of_a = _as_needed(sides.a, of_a, needed.samples_of_a - own.samples_of_a, sides.extraction)
    of_b = _as_needed(sides.b, of_b, needed.samples_of_b - own.samples_of_b, sides.extraction)
    for name, metric in metrics.items():
        try:
            one = metric.family.measure(sides, of_a, of_b, values)
        except (ValueError, TypeError, OSError, RuntimeError) as error:
            found.failed[name] = error
            continue
        found.values |= one.values
        found.facts |= one.facts
    return found


def _as_needed(side: FeatureSource, of_side: Features, extra: frozenset[str], extraction: Extraction) -> Features:
    """Give metrics what they would have without the samples that were collected for others."""
    return {
        output: side.summed(found, extraction, output) if output in extra and side.stats is None else found
        for output, found in of_side.items()
    }


def under_every_preset(
    sides: Sides, known: float | None, networks: Callable[[str], Extraction], report: Report | None = None
) -> dict[str, dict[str, Any]]:
    """FID under every preset, its difference from the chosen one, and what the preset does.

    Parameters
    ----------
    sides : Sides
        Of images.
    known : float or None
        FID under the preset of `sides`, where it was computed.
    networks : callable
        Makes the network of a preset.
    report : callable, optional
    """
    chosen = str(sides.extraction.preset)
    fids: dict[str, float] = {}
    for name in INCEPTION_PRESETS:
        if name == chosen and known is not None:
            fids[name] = known
            continue
        extraction = networks(name)
        fids[name] = frechet_distance(*(side.gaussian(extraction, report=report) for side in (sides.a, sides.b)))
    return {
        name: {"fid": fid, "difference": fid - fids[chosen], "source": INCEPTION_PRESETS[name].source}
        for name, fid in fids.items()
    }


def fingerprint(sides: Sides) -> dict[str, Any]:
    """Preset and network that made the features, where that is known."""
    both = (sides.a, sides.b)
    if any(side.holds_images for side in both):
        return {"preset": sides.extraction.preset, "network": dict(sides.extraction.network.fingerprint)}
    presets = [side.made.preset for side in both if side.made.preset is not None]
    networks = [dict(side.made.fingerprint) for side in both if side.made.fingerprint]
    return {"preset": presets[0] if presets else None, **({"network": networks[0]} if networks else {})}
