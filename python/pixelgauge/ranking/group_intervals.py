"""AUROC with its interval within each group, and the mean over groups with one of its own."""

from __future__ import annotations

import math

import numpy as np

from pixelgauge import caller
from pixelgauge.images import Array
from pixelgauge.ranking.groups import group_codes
from pixelgauge.ranking.inputs import Float64Array, Scores, check_lengths, pack
from pixelgauge.ranking.intervals import FEW, AurocInterval, GroupIntervals, Wanted, interval_of
from pixelgauge.ranking.placements import weighted_counts


def intervals_by_group(
    scores: Scores,
    truth: Array,
    weights: Float64Array | None,
    clusters: Array | None,
    groups: object,
    wanted: Wanted,
) -> GroupIntervals:
    """Intervals of checked samples by group.

    The mean's ends follow from the groups' own (Zou and Donner: Construction of confidence limits about effect
    measures: a general approach, Statistics in Medicine 27, 2008): groups are independent of each other.
    """
    names, codes = group_codes(groups, "groups")
    check_lengths(y_true=truth, groups=codes)
    if clusters is not None:
        _require_clusters_within(clusters, codes, names)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(names)))
    found: dict[object, AurocInterval] = {}
    without, few = [], []
    for k, name in enumerate(names.tolist()):
        rows = order[ends[k - 1] if k else 0 : ends[k]]
        if not rows.size:
            continue
        own = truth[rows]
        if min(weighted_counts(own, None if weights is None else weights[rows])) < 2:
            without.append(name)
            found[name] = AurocInterval(*[math.nan] * 4)
            continue
        part = Scores(np.ascontiguousarray(scores.values[rows]), scores.bfloat16, scores.levels)
        try:
            interval, positives, negatives = interval_of(
                part,
                pack(own),
                None if weights is None else weights[rows],
                None if clusters is None else clusters[rows],
                wanted,
            )
        except ValueError as error:
            raise ValueError(f"in group {name!r}: {error}") from error
        if min(positives, negatives) < FEW:
            few.append(name)
        found[name] = interval
    if without:
        caller.warn(f"{_list(without)} fewer than two samples of a class: no AUROC interval, and left out of the mean")
    if few:
        caller.warn(
            f"{_list(few)} fewer than {FEW} of a class: an interval says little and may cover less than its level"
        )
    return GroupIntervals(found, _mean([interval for interval in found.values() if not math.isnan(interval.auroc)]))


def _mean(intervals: list[AurocInterval]) -> AurocInterval:
    if not intervals:
        return AurocInterval(*[math.nan] * 4)
    areas, lows, highs, errors = (np.array(values) for values in zip(*intervals, strict=True))
    count = len(intervals)
    mean = float(areas.mean())
    low, high = (math.sqrt(float((gap**2).sum())) / count for gap in (areas - lows, highs - areas))
    return AurocInterval(mean, mean - low, mean + high, math.sqrt(float(errors @ errors)) / count)


def _require_clusters_within(clusters: Array, groups: Array, names: Array) -> None:
    first = np.full(int(clusters.max()) + 1, -1)
    first[clusters[::-1]] = groups[::-1]
    across = np.flatnonzero(first[clusters] != groups)
    if across.size:
        at, told = int(across[0]), names.tolist()
        raise ValueError(
            f"a cluster reaches over groups {told[first[clusters[at]]]!r} and {told[groups[at]]!r}: groups must be "
            "independent of each other; give clusters of different groups different numbers"
        )


def _list(names: list[object]) -> str:
    shown = ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"{'groups' if len(names) > 1 else 'group'} {shown} {'have' if len(names) > 1 else 'has'}"
