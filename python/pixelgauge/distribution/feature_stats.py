"""Mean and covariance of features, gathered block by block, merged exactly and kept in every file dialect in use."""

from __future__ import annotations

import io
import math
import os
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pixelgauge import _core
from pixelgauge.checks import flag, whole_number
from pixelgauge.distribution.moments import checked_moments, real_array
from pixelgauge.distribution.samples import as_features, samples
from pixelgauge.distribution.statistics_files import MOST_SAMPLES, fields_of, numbers, pickled_moments, text, whole
from pixelgauge.files.archive import bytes_of, write_arrays
from pixelgauge.files.pickles import looks_pickled
from pixelgauge.files.reading import FileError, open_regular
from pixelgauge.files.writing import replacing, require_writable
from pixelgauge.images import path_name
from pixelgauge.notebooks import facts

Float64Array = npt.NDArray[np.float64]

FORMAT = "pixelgauge-feature-stats-1"

_EPS = 2.0**-53

LOST = 1e-6
"""Share that rounding may have moved before moments are refused."""

_CHUNK = 3072
"""Rows that the core adds up in float64 before it goes on in doubled precision."""

_ROWS = 64
"""Rows of a matrix that are looked at together."""


def lost_moments(name: str, rounding: float, of: float) -> ValueError:
    """Error that says which covariance rounding has lost, and that a shift keeps it."""
    return ValueError(
        f"{name}: the features lie so far from zero against their spread that the sums of FeatureStats have lost it: "
        f"rounding may have moved {rounding:.2g} of {of:.2g}. Give FeatureStats a shift= near their mean, the same "
        "for all that are merged, and update it with the features again"
    )


def _all_are(array: npt.NDArray[Any], row: Float64Array) -> bool:
    """Whether every row is that one; of others the first or the last row mostly says so."""
    if not (np.array_equal(array[0], row) and np.array_equal(array[-1], row)):
        return False
    return all((array[start : start + _ROWS] == row).all() for start in range(0, len(array), _ROWS))


def _same_rows(a: Float64Array | None, b: Float64Array | None) -> bool:
    """Whether both are known, and the same."""
    return a is not None and b is not None and np.array_equal(a, b)


class FeatureStats:
    """Count, mean and covariance of features, without keeping the features.

    Parameters
    ----------
    dim : int
        D, the length of a feature vector.
    shift : (D,) array_like, optional
        Subtracted from every feature before it is squared, and kept with the state. The default, zero, suits features
        whose mean is not large against their spread (Inception's). For others any vector near the mean keeps the
        covariance from losing (mean / spread)^2 roundings; it is never chosen from the data, so that states merge.
        :meth:`cov`, :meth:`save` and :func:`frechet_distance` refuse moments that have lost too much. States merge only
        if their shifts are equal.
    preset : str, optional
        How the features were made, such as ``"pytorch-fid"``. Recorded in files; statistics of two presets neither
        merge nor compare.
    weights : str, optional
        SHA-256 of the weights that made the features; recorded in files.

    Notes
    -----
    Sums run in float64 over chunks of 3072 rows of each :meth:`update`, and chunks are added in doubled precision. What
    is promised: the number of threads changes nothing. Blocks added in another order, or merged along another tree,
    give the same mean and covariance but for an element whose exact sum lies within 2^-100, relatively, of the middle
    between two float64 numbers. Blocks cut elsewhere round differently within a chunk: about 1e-16 of the product of
    the standard deviations.

    Examples
    --------
    >>> import numpy as np
    >>> from pixelgauge import FeatureStats
    >>> x = np.random.default_rng(0).standard_normal((100, 3))
    >>> stats = FeatureStats(3).update(x[:40]).merge(FeatureStats(3).update(x[40:]))
    >>> stats.count
    100
    >>> bool(np.allclose(stats.cov(), np.cov(x.T), rtol=1e-13))
    True
    """

    def __init__(
        self, dim: int, *, shift: object = None, preset: str | None = None, weights: str | None = None
    ) -> None:
        whole_number("dim", dim, 1)
        for name, value in (("preset", preset), ("weights", weights)):
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{name}={value!r} must be a string or None")
        self.dim = int(dim)
        self.preset = preset
        self.weights = weights
        given = None if shift is None else real_array(shift, "shift").copy()
        if given is not None and (given.shape != (self.dim,) or not np.isfinite(given).all()):
            raise ValueError(f"shift has shape {given.shape}: it must be {self.dim} finite numbers")
        self._count = 0
        try:
            self._scatter = np.zeros((2, self.dim, self.dim))
        except (MemoryError, ValueError) as error:  # the latter where no array may be that large
            raise ValueError(
                f"dim={dim} takes sums of {16 * self.dim**2 / 1e9:.3g} GB, more than there is room for: give fewer "
                "features a sample"
            ) from error
        self._moments: tuple[Float64Array, Float64Array] | None = None
        self._shift = np.zeros(self.dim) if given is None else given
        self._sum = np.zeros((2, self.dim))
        # the one row that all samples so far are; sums round, and would not tell no variance from a lost one
        self._constant: Float64Array | None = None

    @classmethod
    def from_moments(
        cls,
        mean: object,
        cov: object,
        *,
        count: int | None = None,
        preset: str | None = None,
        weights: str | None = None,
        name: str = "statistics",
    ) -> FeatureStats:
        """Statistics from a mean (D,) and a covariance (D, D, ddof 1); with `count` they can be merged further.

        Raises
        ------
        TypeError
            If they are no real numbers.
        ValueError
            If the shapes do not fit, the covariance is not finite and symmetric, or `count` is no whole number of at
            least 2.
        """
        if count is not None:
            whole_number("count", count, 2, MOST_SAMPLES)
        mu, sigma = checked_moments(mean, cov, name)
        mu = mu + 0.0  # -0 is 0 to every sum: a state has one form
        stats = cls(mu.size, preset=preset, weights=weights)
        if count is None:
            stats._moments = (mu, sigma)
        else:
            stats._count = int(count)
            stats._sum[0] = mu * count
            stats._scatter[0] = sigma * (count - 1) + count * np.outer(mu, mu)
            stats._moments = (mu, sigma)
            stats._constant = None if sigma.any() else mu
        return stats

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same state: samples, shift, preset, weights and every sum."""
        if not isinstance(other, FeatureStats):
            return NotImplemented
        mine, theirs = self._fields(), other._fields()
        return mine.keys() == theirs.keys() and all(np.array_equal(mine[key], theirs[key]) for key in mine)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        count = "unknown" if self._is_frozen else self._count
        return f"FeatureStats(dim={self.dim}, count={count}, preset={self.preset!r})"

    def _repr_html_(self) -> str:
        count = "unknown" if self._is_frozen else self._count
        return str(facts("FeatureStats", {"dim": self.dim, "count": count, "preset": self.preset}))

    @property
    def _is_frozen(self) -> bool:
        return self._moments is not None and self._count == 0

    @property
    def count(self) -> int | None:
        """Number of samples; None where a file did not say."""
        return None if self._is_frozen else self._count

    def update(self, features: object) -> FeatureStats:
        """Add samples.

        Parameters
        ----------
        features : (N, D) or (D,) array_like of float16, float32 or float64
            Any strides are read in place.

        Returns
        -------
        FeatureStats
            Itself.

        Raises
        ------
        TypeError, ValueError
            If the features are of another dtype or shape, or hold NaN or infinity: nothing is added then.
        """
        self._require_count()
        array = as_features(features, "features", self.dim, finite=False)
        _core.scatter_add(array, self._shift, self._sum, self._scatter)
        if self._count == 0:
            self._constant = array[0].astype(np.float64) + 0.0  # a -0 would tell which row came first
        if self._constant is not None and not _all_are(array, self._constant):
            self._constant = None
        self._count += array.shape[0]
        self._moments = None
        return self

    def merge(self, other: FeatureStats) -> FeatureStats:
        """Add the samples of other statistics of the same dimension, shift and preset; returns itself.

        Raises
        ------
        TypeError
            If `other` is no FeatureStats.
        ValueError
            If they differ, or one of them is from a file that does not say its count.
        """
        if not isinstance(other, FeatureStats):
            raise TypeError(f"other={other!r} must be a FeatureStats: features are added by update()")
        self._require_count()
        other._require_count()
        self._require_same(other, "merge")
        if not np.array_equal(self._shift, other._shift):
            raise ValueError("statistics with different shifts cannot be merged: give all of them the same shift")
        for mine, theirs in ((self._sum, other._sum), (self._scatter, other._scatter)):
            for part in (theirs[0], theirs[1]):
                total = mine[0] + part
                virtual = total - mine[0]
                mine[1] += (mine[0] - (total - virtual)) + (part - virtual)
                mine[0] = total
            total = mine[0] + mine[1]
            mine[1] -= total - mine[0]
            mine[0] = total
        if self._count == 0:
            self._constant = other._constant
        elif other._count and not _same_rows(self._constant, other._constant):
            self._constant = None
        self._count += other._count
        self._moments = None
        return self

    def _require_count(self) -> None:
        if self._is_frozen:
            raise ValueError(
                "these statistics are from a file that does not say how many samples they hold, so nothing can be added"
            )

    def _require_same(self, other: FeatureStats, verb: str) -> None:
        if self.dim != other.dim:
            raise ValueError(f"cannot {verb} statistics of {self.dim} and {other.dim} features a sample")
        for what in ("preset", "weights"):
            mine, theirs = getattr(self, what), getattr(other, what)
            if mine is not None and theirs is not None and mine != theirs:
                raise ValueError(
                    f"cannot {verb} statistics of {what} {mine!r} and {theirs!r}: the numbers do not compare"
                )

    @property
    def mean(self) -> Float64Array:
        """(D,) mean in float64; ``ValueError`` without samples."""
        if self._moments is not None:
            return self._moments[0]
        if self._count < 1:
            raise ValueError("no features yet: call update() first")
        if self._constant is not None:
            return self._constant.copy()
        mean: Float64Array = self._shift + (self._sum[0] + self._sum[1]) / self._count
        return mean

    def cov(self, ddof: int = 1) -> Float64Array:
        """(D, D) covariance in float64.

        Parameters
        ----------
        ddof : int, default 1
            The divisor is count - ddof.

        Raises
        ------
        ValueError
            If there are not more than `ddof` samples, or a file without a count is asked for another ddof than 1; if
            the features lie so far from zero against their spread that rounding may have moved more than 1e-6 of the
            trace, which a `shift` near their mean prevents. Samples that are all the same have covariance 0 exactly.
        """
        cov = self._covariance(ddof)
        if self._is_lost(cov):
            raise lost_moments("cov()", self.rounding()[0], math.fsum(np.diag(cov)))
        return cov

    def _is_lost(self, cov: Float64Array) -> bool:
        """Whether rounding may have moved too much of a covariance; its ddof makes no odds."""
        return self.rounding()[0] > LOST * math.fsum(np.diag(cov))

    def _covariance(self, ddof: int = 1) -> Float64Array:
        """Covariance as the sums have it, lost or not."""
        if self._is_frozen and self._moments is not None:
            if ddof != 1:
                raise ValueError("these statistics are from a file without a count: only ddof=1 is known")
            return self._moments[1]
        if self._count <= ddof:
            raise ValueError(
                f"a covariance with ddof={ddof} needs more than {samples(ddof)}, and the count is {self._count}"
            )
        if self._moments is not None:  # as they were given: the sums, of large means, round
            given = self._moments[1]
            return given if ddof == 1 else np.multiply(given, (self._count - 1) / (self._count - ddof))
        if self._constant is not None:
            return np.zeros((self.dim, self.dim))
        total = self._sum[0] + self._sum[1]
        lower = np.tril(self._scatter[0]) - np.tril(np.outer(total, total / self._count)) + np.tril(self._scatter[1])
        cov: Float64Array = (lower + np.tril(lower, -1).T) / (self._count - ddof)
        np.fill_diagonal(cov, np.maximum(np.diag(cov), 0))  # a constant feature: no variance, whatever rounding says
        return cov

    def rounding(self) -> tuple[float, float]:
        """How far the covariance (Frobenius norm) and the mean (norm) may be from those of the samples.

        A sum of n terms, n up to 3072, moves by at most n units of the sum of their magnitudes, whatever the terms are:
        those of constant features round all to one side. Moments that were given are exact, and those of samples that
        are all the same.

        Returns
        -------
        covariance, mean : float
        """
        if self._moments is not None or self._constant is not None or self._count < 2:
            return 0.0, 0.0
        squares = math.fsum(np.diag(self._scatter[0])) / (self._count - 1)
        mean, about = self.mean, self.mean - self._shift
        size, distance = (math.sqrt(float(v @ v)) for v in (mean, about))
        of_mean = self._room() * math.sqrt(squares)
        # of the products, and of the square of the mean that is taken out of them
        return self._room() * squares + 2 * of_mean * distance, _EPS * size + of_mean

    def to_bytes(self) -> bytes:
        """State as bytes that :meth:`from_bytes` reads: the same on every machine, for merging elsewhere.

        A state whose covariance is lost (see :meth:`cov`) is written too, without the mean and the covariance that
        other programs would read.
        """
        buffer = io.BytesIO()
        self._write(buffer)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> FeatureStats:
        """Read what :meth:`to_bytes` wrote; ``FileError`` if it is damaged, ``TypeError`` if it is no bytes."""
        fields = fields_of(io.BytesIO(bytes_of(data, "data", "or use load() for a file")), "data")
        if "format" not in fields:
            raise FileError("data", f"is not what to_bytes() writes: it holds {', '.join(sorted(fields)) or 'nothing'}")
        return cls._from_fields(fields, "data")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an ``.npz`` file for :meth:`load` and for other programs.

        Parameters
        ----------
        path : str or path-like
            Holds ``mu`` and ``sigma``, which pytorch-fid, torch-fidelity, ADM and EDM read, and the count, preset,
            weights and exact state. Written through a temporary file beside it: an interrupted save leaves no half
            file.

        Raises
        ------
        ValueError
            If the covariance is lost, as :meth:`cov` says: nothing is written then, since other programs would read
            it. :meth:`to_bytes` still writes the sums.
        OSError
            If no file can be written there.
        """
        self.save_as(path_name(path, "path"), overwrite=True)

    def save_as(self, path: str, *, overwrite: bool) -> None:
        """As :meth:`save`; without `overwrite` a file that is there, however late it came, is a FileExistsError."""
        if self._is_frozen or self._count >= 2:
            cov = self._covariance()
            if self._is_lost(cov):
                raise lost_moments("save()", self.rounding()[0], math.fsum(np.diag(cov)))
        require_writable(path, overwrite=overwrite)
        with replacing(path, overwrite=overwrite) as file:
            self._write(file)

    def _fields(self) -> dict[str, npt.NDArray[Any]]:
        """Everything that is this state, by the names in files."""
        fields: dict[str, npt.NDArray[Any]] = {"format": np.array(FORMAT), "dim": np.array(self.dim, np.int64)}
        for what in ("preset", "weights"):
            if getattr(self, what) is not None:
                fields[what] = np.array(getattr(self, what))
        if self._is_frozen or self._count >= 2:
            cov = self._covariance()
            if not self._is_lost(cov):
                fields |= {"mu": self.mean, "sigma": cov}
        if not self._is_frozen:
            triangle = np.tril_indices(self.dim)
            fields |= {
                "count": np.array(self._count, np.int64),
                "shift": self._shift,
                "sum": self._sum,
                "scatter": np.stack([half[triangle] for half in self._scatter]),
            }
        return fields

    def _write(self, file: BinaryIO) -> None:
        write_arrays(file, self._fields())

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, spatial: bool = False) -> FeatureStats:
        """Read a statistics file: pixelgauge's own, or pytorch-fid's, torch-fidelity's, ADM's, EDM's or EDM2's.

        Parameters
        ----------
        path : str or path-like
            ``.npz`` with ``mu`` (D,) and ``sigma`` (D, D), or EDM2's ``.pkl``, of which the dict ``fid`` with both is
            read; nothing that a pickle asks for is run. The content tells which.
        spatial : bool, default False
            Read ADM's ``mu_s`` and ``sigma_s``, the moments of the spatial features (sFID).

        Raises
        ------
        FileError
            If the file is truncated or damaged, is no such file, or holds no valid mean and covariance.
        OSError
            If it cannot be opened.
        """
        spatial = flag("spatial", spatial)
        name = path_name(path, "path")
        with open_regular(name) as file:
            if not looks_pickled(file):
                return cls._read(file, name, spatial)
        if spatial:
            raise FileError(name, "is a pickle, which holds no moments of spatial features", "leave spatial out")
        return cls._of_moments(pickled_moments(name), "mu", "sigma", name)

    @classmethod
    def _read(cls, file: BinaryIO, name: str, spatial: bool = False) -> FeatureStats:
        fields = fields_of(file, name)
        if "format" in fields and not spatial:
            return cls._from_fields(fields, name)
        mean, cov = ("mu_s", "sigma_s") if spatial else ("mu", "sigma")
        if mean not in fields or cov not in fields or "scatter" in fields:
            raise FileError(
                name,
                f"holds {', '.join(sorted(fields)) or 'nothing'}, but statistics need {mean!r} and {cov!r}"
                + (", and those with sums a format" if "scatter" in fields else ""),
            )
        return cls._of_moments(fields, mean, cov, name)

    @classmethod
    def _of_moments(cls, fields: dict[str, npt.NDArray[Any]], mean: str, cov: str, name: str) -> FeatureStats:
        try:
            return cls.from_moments(fields[mean], fields[cov], name="the file")
        except (TypeError, ValueError) as error:
            raise FileError(name, f"is not a valid statistics file: {error}") from error

    @classmethod
    def _from_fields(cls, fields: dict[str, npt.NDArray[Any]], name: str) -> FeatureStats:
        try:
            form = text(fields, "format")
            if form != FORMAT:
                raise ValueError(f"its format is {str(form)[:80]!r}, and this version reads {FORMAT!r}")
            preset, weights = text(fields, "preset"), text(fields, "weights")
            dim = whole(fields, "dim", 1)
            count = whole(fields, "count", 0) if "count" in fields else None
            shapes: dict[str, tuple[int, ...]] = {}
            # sums whose covariance is lost are written without it
            lost = count is not None and count >= 2 and not fields.keys() & {"mu", "sigma"}
            if count is None or (count >= 2 and not lost):
                shapes |= {"mu": (dim,), "sigma": (dim, dim)}
            if count is not None:
                shapes |= {"shift": (dim,), "sum": (2, dim), "scatter": (2, dim * (dim + 1) // 2)}
            known = {"format", "preset", "weights", "dim", "count"}
            if fields.keys() - known != shapes.keys():
                raise ValueError(f"it holds {', '.join(sorted(fields))}, and should hold {', '.join(shapes)}")
            arrays = {what: numbers(fields, what, shape) for what, shape in shapes.items()}
            if count is None:
                return cls.from_moments(arrays["mu"], arrays["sigma"], preset=preset, weights=weights, name="it")
            stats = cls(dim, shift=arrays["shift"], preset=preset, weights=weights)
            stats._count = count
            stats._sum[:] = arrays["sum"]
            triangle = np.tril_indices(dim)
            for half, packed in zip(stats._scatter, arrays["scatter"], strict=True):
                half[triangle] = packed
            stats._require_sound()
            if count == 1:
                stats._constant = stats.mean + 0.0
            if lost and not stats._is_lost(stats._covariance()):
                raise ValueError("it holds neither mu nor sigma, and its sums have not lost them")
            if count >= 2 and not lost:
                stats._take_moments(*checked_moments(arrays["mu"], arrays["sigma"], "it"))
        except (TypeError, ValueError) as error:
            raise FileError(name, f"is not a valid statistics file: {error}") from error
        return stats

    def _require_sound(self) -> None:
        """Raise unless the sums are those of some samples."""
        total, squares = self._sum[0] + self._sum[1], np.diag(self._scatter[0]) + np.diag(self._scatter[1])
        if self._count == 0:
            if self._sum.any() or self._scatter.any():
                raise ValueError("its count is 0, and its sums are not")
            return
        # Cauchy: the square of a sum is at most the count times the sum of squares, but for what both have rounded
        if (squares < 0).any() or (total * total > self._count * squares * (1 + 4 * self._room())).any():
            raise ValueError("its sums are of no samples: a variance would be negative")

    def _room(self) -> float:
        """Share of the sums of squares that rounding may have moved."""
        return (min(self._count, _CHUNK) + 32) * _EPS

    def _take_moments(self, mean: Float64Array, cov: Float64Array) -> None:
        """Keep the moments of a file that were given: other ones than its sums have, or that its sums have lost."""
        mine, of_mine = self.mean, self._covariance()
        if not cov.any():  # samples that are all the same, which sums alone cannot tell
            self._require_near(mean, cov)
            self._constant = mean + 0.0
            return
        same = mine.tobytes() == mean.tobytes() and of_mine.tobytes() == cov.tobytes()  # -0 is not 0 here
        if same and not self._is_lost(of_mine):
            return
        self._require_near(mean, cov)
        self._moments = (mean, cov)

    def _require_near(self, mean: Float64Array, cov: Float64Array) -> None:
        """Raise unless moments are those of the sums but for rounding."""
        mine, of_mine = self.mean, self._covariance()
        spread = np.sqrt(np.diag(self._scatter[0] + self._scatter[1]) / (self._count - 1))
        room = 4 * self._room()
        if (np.abs(mine - mean) > room * (np.abs(mean) + spread)).any() or (
            np.abs(of_mine - cov) > room * np.outer(spread, spread)
        ).any():
            raise ValueError("its mean and covariance are not those of its sums")
