"""AUROC and average precision from mergeable histograms of bounded memory, with bounds that cannot fail."""

from __future__ import annotations

import io
import math
from typing import NamedTuple

import numpy as np

from pixelgauge.files.archive import bytes_of, read_arrays, write_arrays
from pixelgauge.files.reading import FileError
from pixelgauge.images import Array
from pixelgauge.notebooks import facts, in_notebooks
from pixelgauge.ranking.arrays import beyond_float64, column
from pixelgauge.ranking.inputs import check_lengths, label_array, require_ranks, score_array, target_type

_MOST = 2**53
"""Samples of a class: float64, in which average precision is added up, holds such counts exactly."""
_ROUNDING = 2.0**-50
"""Relative, a term: what the sums of average precision may round is added to its interval."""


@in_notebooks
class Bounds(NamedTuple):
    """An interval that contains the exact value."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """How far the exact value may be from either end."""
        return self.high - self.low


class RankingHistogram:
    """Counts of both classes between fixed edges: mergeable in any order, with deterministic bounds on AUROC and AP.

    Parameters
    ----------
    edges : (B - 1,) array_like of float, optional
        Rising inner edges; a score equal to an edge belongs above it. Scores below the first or above the last edge,
        infinities too, are counted in the outermost bins.
    bins : int, default 4096
        Where `edges` is not given: bins of equal width over `score_range`.
    score_range : (float, float), default (0, 1)
        Where most scores lie.

    Raises
    ------
    ValueError
        If edges do not rise or are not finite, `bins` is below 2, or the range is empty.

    Examples
    --------
    >>> import pixelgauge
    >>> histogram = pixelgauge.RankingHistogram(bins=8)
    >>> histogram.update([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> histogram.auroc().low <= 0.75 <= histogram.auroc().high
    True
    """

    def __init__(
        self, edges: object = None, *, bins: int = 4096, score_range: tuple[float, float] = (0.0, 1.0)
    ) -> None:
        if edges is None:
            low, high = map(float, score_range)
            if bins < 2:
                raise ValueError(f"bins={bins} must be at least 2")
            if not (np.isfinite([low, high]).all() and low < high):
                raise ValueError(f"score_range={score_range} must be finite with low < high")
            inner = np.unique(np.linspace(low, high, bins + 1)[1:-1])
        else:
            given = column(score_array(edges, "edges"), "edges")
            if given.dtype.kind == "O" or beyond_float64(given):
                raise ValueError("edges holds numbers that float64 would round: give edges that it holds")
            inner = given.astype(np.float64)
        if not np.isfinite(inner).all() or (np.diff(inner) <= 0).any():
            raise ValueError("edges must be finite and rise")
        self._edges = inner
        self._counts = np.zeros((2, len(inner) + 1), np.int64)

    def __repr__(self) -> str:
        return f"RankingHistogram({len(self._edges) + 1} bins, {self.positives} positives, {self.negatives} negatives)"

    def _repr_html_(self) -> str:
        said: dict[str, object] = {
            "bins": len(self._edges) + 1,
            "positives": self.positives,
            "negatives": self.negatives,
        }
        if self.positives and self.negatives:
            said["AUROC"] = self.auroc()
        return str(facts("RankingHistogram", said))

    @property
    def edges(self) -> Array:
        """Inner edges, rising."""
        return self._edges.copy()

    @property
    def negatives(self) -> int:
        """Samples of the negative class so far."""
        return int(self._counts[0].sum())

    @property
    def positives(self) -> int:
        """Samples of the positive class so far."""
        return int(self._counts[1].sum())

    def update(self, y_true: object, y_score: object) -> None:
        """Count samples.

        Parameters
        ----------
        y_true : (N,) array_like
            0 and 1, or booleans: a batch may hold one class only, so other labels would be ambiguous.
        y_score : (N,) array_like
            Scores, compared as float64.

        Raises
        ------
        TypeError, ValueError
            As :func:`pixelgauge.roc_auc_score`; and for labels other than 0 and 1.
        """
        labels = label_array(y_true)
        scores = column(score_array(y_score), "y_score")
        kind, binary = target_type(labels)
        if binary is None or not set(binary.classes.tolist()) <= {0, 1}:
            raise ValueError(
                f"y_true must hold 0 and 1 only, not {kind if binary is None else binary.classes.tolist()}"
            )
        labels = column(labels, "y_true")
        check_lengths(y_true=labels, y_score=scores)
        require_ranks(scores)
        if scores.dtype.kind == "O" or beyond_float64(scores):
            raise ValueError(
                "y_score holds integers beyond 2^53, or others that float64 cannot tell apart: subtract a common "
                "offset, or give their ranks"
            )
        values = scores.astype(np.float64)
        of_bin = np.searchsorted(self._edges, values, side="right")
        bins = self._counts.shape[1]
        self._add(np.bincount((labels != 0) * bins + of_bin, minlength=2 * bins).reshape(2, bins))

    def merge(self, other: RankingHistogram) -> None:
        """Add the counts of another histogram with the same edges.

        Raises
        ------
        TypeError
            If `other` is no RankingHistogram.
        ValueError
            If the edges differ, or there are more than 2^53 samples of a class then.
        """
        if not isinstance(other, RankingHistogram):
            raise TypeError(f"other={other!r} must be a RankingHistogram: samples are added by update()")
        if not np.array_equal(self._edges, other._edges):
            raise ValueError("histograms have different edges: make them with the same arguments to merge them")
        self._add(other._counts)

    def __eq__(self, other: object) -> bool:
        """Whether both have the same edges and counts."""
        if not isinstance(other, RankingHistogram):
            return NotImplemented
        return np.array_equal(self._edges, other._edges) and np.array_equal(self._counts, other._counts)

    __hash__ = None  # type: ignore[assignment]

    def _add(self, counts: Array) -> None:
        totals = [sum(mine) + sum(more) for mine, more in zip(self._counts.tolist(), counts.tolist(), strict=True)]
        if max(totals) > _MOST:
            raise ValueError(f"{max(totals)} samples of one class are more than the 2^53 that are counted")
        self._counts = self._counts + counts

    def auroc(self) -> Bounds:
        """Interval that contains the AUROC; its width is sum(p_b n_b) / (P N).

        Raises
        ------
        ValueError
            If a class has no samples yet.
        """
        negatives, positives = self._counts.tolist()
        pairs = self._pairs()
        low = within = below = 0
        for n, p in zip(negatives, positives, strict=True):
            low += p * below
            within += p * n
            below += n
        return Bounds(low / pairs, (low + within) / pairs)

    def average_precision(self) -> Bounds:
        """Interval that contains the average precision.

        Raises
        ------
        ValueError
            If a class has no samples yet.
        """
        self._pairs()
        negatives, positives = self._counts[:, ::-1].astype(np.float64)
        true, false = np.cumsum(positives), np.cumsum(negatives)
        above = true - positives
        held = positives > 0
        p, tp, fp_above, fp = positives[held], true[held], (false - negatives)[held], false[held]
        # Best: the positives of a bin tie above its negatives. Worst: they follow them one by one, and
        # sum_k (a + k) / (a + k + F) >= p - F ln(1 + p / (a + F)).
        high = float(np.sum(p * tp / (tp + fp_above))) / self.positives
        base = above[held] + fp
        loss = np.where(fp > 0, fp * np.log1p(p / np.where(base > 0, base, 1)), 0)
        low = float(np.sum(np.maximum(p - loss, 0))) / self.positives
        # outwards by what the sums of at most as many terms may have rounded, also those of the exact value's own
        rounding = _ROUNDING * (len(p) + math.log2(self.positives))
        return Bounds(max(0.0, low - rounding), min(1.0, high + rounding))

    def refined(self, width: float) -> RankingHistogram:
        """Empty histogram with finer edges, for a second pass that should narrow the AUROC's interval to `width`.

        Bins are cut in proportion to what they add to the width; scores spread evenly within a bin reach it in one
        pass, others in a few. Call it again on the result until ``auroc().width`` is small enough; ties of both classes
        set a floor, which adjacent edges of float64 reach.

        Parameters
        ----------
        width : float
            Wanted width of the AUROC's interval, above 0.

        Raises
        ------
        ValueError
            If `width` is not positive or a class has no samples yet.
        """
        if not width > 0:
            raise ValueError(f"width={width} must be positive")
        pairs = self._pairs()
        share = self._counts[0].astype(np.float64) * self._counts[1] / pairs
        if share.sum() <= width:
            return RankingHistogram(self._edges)
        # k parts of a bin leave share/k: parts in proportion to sqrt(share) are fewest for a given sum
        parts = np.ceil(2 * np.sqrt(share) * np.sqrt(share).sum() / width).astype(np.int64)
        first, last = self._edges[0], self._edges[-1]
        span = (last - first) or max(1.0, abs(first))
        outer = np.concatenate(([first - span], self._edges, [last + span]))
        edges = [
            np.linspace(a, b, max(1, k), endpoint=False) for a, b, k in zip(outer[:-1], outer[1:], parts, strict=True)
        ]
        return RankingHistogram(np.unique(np.concatenate((*edges, [outer[-1]] if parts[-1] > 1 else [last]))))

    def to_bytes(self) -> bytes:
        """Write the whole state, for :meth:`from_bytes` anywhere."""
        buffer = io.BytesIO()
        write_arrays(buffer, {"edges": self._edges, "counts": self._counts}, compressed=True)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> RankingHistogram:
        """Histogram that :meth:`to_bytes` wrote.

        Raises
        ------
        TypeError
            If `data` is not bytes.
        ValueError
            If `data` is not such a state.
        """
        buffer = io.BytesIO(bytes_of(data, "data"))
        try:
            state = read_arrays(buffer, "data")
            if set(state) != {"edges", "counts"}:
                raise ValueError(f"it holds {sorted(state)}, not counts and edges")
            edges, counts = state["edges"], state["counts"]
            if edges.dtype != np.float64 or edges.ndim != 1:
                raise ValueError(f"its edges are {edges.shape} of {edges.dtype}, not a vector of float64")
            histogram = cls(edges)
            if counts.shape != histogram._counts.shape or counts.dtype != np.int64:
                raise ValueError(
                    f"its counts are {counts.shape} of {counts.dtype}: {histogram._counts.shape} of int64 fit its edges"
                )
            if (counts < 0).any():
                raise ValueError(f"its counts do not fit its edges: one is {counts.min()}")
            histogram._add(counts)
        except FileError as error:
            raise FileError("data", f"is not a RankingHistogram: it {error.reason}", error.remedy) from error
        except ValueError as error:
            raise FileError("data", f"is not a RankingHistogram: {error}") from error
        return histogram

    def _pairs(self) -> int:
        pairs = self.positives * self.negatives
        if pairs == 0:
            raise ValueError(f"{self.positives} positives and {self.negatives} negatives so far: both are needed")
        return pairs
