"""Mean and covariance of features, gathered block by block, merged exactly and kept in every file dialect in use."""

from __future__ import annotations

import errno
import io
import math
import os
import zipfile
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pixelgauge import _core
from pixelgauge.images import as_array

Float64Array = npt.NDArray[np.float64]

FORMAT = "pixelgauge-feature-stats-1"
_ROWS = 64
"""Rows of a matrix that are looked at together."""
_LEAST, _MOST = 1e-70, 1e70
"""Within these the fourth powers of features, of which eigenvalues of products of covariances are sums, stay normal
float64 numbers, with room for the sums."""


def require_whole(name: str, value: object, least: int, most: int | None = None) -> None:
    """Raise a ``ValueError`` unless the argument is a whole number of at least `least` and at most `most`."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):  # type: ignore[operator]
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name}={value!r} must be a whole number {bounds}")


def samples(count: int | None) -> str:
    """Say how many samples there are."""
    return f"{count} sample{'s' * (count != 1)}"


def require_writable(path: str) -> None:
    """Raise an ``OSError`` that names the path if no file can be put there."""
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, "this is a folder, and a file is to be written", path)
    temporary = _beside(path)
    try:
        with open(temporary, "wb"):
            pass
        os.remove(temporary)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


def _beside(path: str) -> str:
    """Name of the temporary file that becomes `path` when it is whole."""
    return f"{path}.{os.getpid()}.tmp"


def as_features(
    x: object, name: str, dim: int | None = None, *, finite: bool = True, squared: bool = True
) -> npt.NDArray[Any]:
    """View (N, D) features as float32 or float64.

    Parameters
    ----------
    x : array_like
        (N, D), or (D,) for one sample when `dim` says D; float16 is widened to float32.
    name : str
        The argument's name, for messages.
    dim : int, optional
        The D that is expected.
    finite : bool, default True
        Look for NaN and infinity; False where the core looks itself.
    squared : bool, default True
        Refuse values whose squares, and those of the squares, leave float64's room.

    Returns
    -------
    numpy.ndarray
        A view where the dtype allows.

    Raises
    ------
    TypeError
        If `x` is no array of floats.
    ValueError
        If it has another shape, is empty, holds NaN or infinity, or its largest magnitude is neither 0 nor within 1e-70
        to 1e70.
    """
    if isinstance(x, str | os.PathLike):
        raise TypeError(
            f"{name}={os.fspath(x)!r} is a path: read statistics by FeatureStats.load, features by numpy.load, or give "
            "it to fid, which takes files"
        )
    array = as_array(x, name)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise TypeError(f"{name} has dtype {array.dtype}: features must be float16, float32 or float64")
    if array.dtype == np.float16 or not array.dtype.isnative:
        array = array.astype(np.float64 if array.dtype.itemsize == 8 else np.float32)
    if array.ndim == 1 and dim is not None:
        array = array[np.newaxis]
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}: features are (N, D), one row a sample")
    if array.size == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}")
    if dim is not None and array.shape[1] != dim:
        raise ValueError(f"{name} has {array.shape[1]} features a sample, but {dim} are expected")
    if any(stride % array.itemsize for stride in array.strides):
        array = np.ascontiguousarray(array)
    scale = _magnitude(array) if array.dtype == np.float64 else None  # float32 never leaves the room of squares
    if squared and scale is not None and math.isfinite(scale) and (scale > _MOST or 0 < scale < _LEAST):
        raise ValueError(
            f"{name} holds values up to {scale:.3g}, whose squares leave float64's room: scale the features to a "
            f"largest magnitude within {_LEAST:g} to {_MOST:g}"
        )
    if finite and (scale is None or not math.isfinite(scale)):
        with np.errstate(invalid="ignore"):
            columns = np.isfinite(array.sum(axis=0, dtype=np.float64))
        if not columns.all():
            bad = int(np.argmin(columns))
            raise ValueError(f"{name} holds NaN or infinity, first in column {bad}: remove or repair it")
    return array


def _magnitude(array: npt.NDArray[Any]) -> float:
    """Largest absolute value, NaN if there is one; by blocks that stay in the cache."""
    largest = 0.0
    for start in range(0, len(array), _ROWS):
        rows = array[start : start + _ROWS]
        largest = float(np.max([largest, rows.max(), -rows.min()]))
    return largest


def checked_moments(mean: object, cov: object, name: str) -> tuple[Float64Array, Float64Array]:
    """View a mean (D,) and a covariance (D, D) as float64, or raise a ``ValueError`` that says what is wrong."""
    mu = np.ascontiguousarray(as_array(mean, f"{name} mean"), dtype=np.float64)
    sigma = np.ascontiguousarray(as_array(cov, f"{name} covariance"), dtype=np.float64)
    mu = np.atleast_1d(mu)
    sigma = np.atleast_2d(sigma)
    if mu.ndim != 1 or mu.size == 0 or sigma.shape != (mu.size, mu.size):
        raise ValueError(
            f"{name} has a mean of shape {mu.shape} and a covariance of shape {sigma.shape}: use (D,) and (D, D)"
        )
    scale = asymmetry = 0.0
    for start in range(0, mu.size, _ROWS):  # blocks that stay in the cache: the whole would be written out three times
        rows = sigma[start : start + _ROWS, : start + _ROWS]
        columns = sigma[: start + _ROWS, start : start + _ROWS].T
        # Python's max would drop NaN
        scale = float(np.max([scale, rows.max(), -rows.min(), columns.max(), -columns.min()]))
        if not math.isfinite(scale):
            break
        asymmetry = max(asymmetry, float(np.abs(rows - columns).max()))
    if not (math.isfinite(scale) and np.isfinite(mu).all()):
        raise ValueError(f"{name} holds NaN or infinity in its mean or covariance: compute the statistics again")
    # numpy.cov and torch differ between the halves by some roundings of float32 at worst
    if asymmetry > 1e-5 * scale:
        raise ValueError(
            f"{name} has a covariance that is not symmetric (by {asymmetry:.3g}, and its largest element is "
            f"{scale:.3g}): the file is damaged or holds something else"
        )
    if asymmetry:
        sigma = (sigma + sigma.T) / 2
    return mu, sigma


class FeatureStats:
    """Count, mean and covariance of features, without keeping the features.

    Parameters
    ----------
    dim : int
        D, the length of a feature vector.
    shift : (D,) array_like, optional
        Subtracted from every feature before it is squared, and kept with the state. The default, zero, suits features
        whose mean is not large against their spread (Inception's). For others any vector near the mean keeps the
        covariance from losing (mean / spread)^2 roundings. States merge only if their shifts are equal.
    preset : str, optional
        How the features were made, such as ``"pytorch-fid"``. Recorded in files; statistics of two presets neither
        merge nor compare.
    weights : str, optional
        SHA-256 of the weights that made the features; recorded in files.

    Notes
    -----
    Sums run in float64 over chunks of 1536 rows of each :meth:`update`, and chunks are added in doubled precision. What
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
        require_whole("dim", dim, 1)
        for name, value in (("preset", preset), ("weights", weights)):
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{name}={value!r} must be a string or None")
        self.dim = int(dim)
        self.preset = preset
        self.weights = weights
        self._shift = np.zeros(self.dim) if shift is None else np.array(as_array(shift, "shift"), dtype=np.float64)
        if self._shift.shape != (self.dim,) or not np.isfinite(self._shift).all():
            raise ValueError(f"shift has shape {self._shift.shape}: it must be {self.dim} finite numbers")
        self._count = 0
        self._sum = np.zeros((2, self.dim))
        self._scatter = np.zeros((2, self.dim, self.dim))
        self._moments: tuple[Float64Array, Float64Array] | None = None

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
        ValueError
            If the shapes do not fit, or the covariance is not finite and symmetric.
        """
        mu, sigma = checked_moments(mean, cov, name)
        stats = cls(mu.size, preset=preset, weights=weights)
        if count is not None and count < 2:
            raise ValueError(f"count={count} must be at least 2")
        if count is None:
            stats._moments = (mu, sigma)
        else:
            stats._count = int(count)
            stats._sum[0] = mu * count
            stats._scatter[0] = sigma * (count - 1) + count * np.outer(mu, mu)
            stats._moments = (mu, sigma)
        return stats

    def __repr__(self) -> str:
        count = "unknown" if self._is_frozen else self._count
        return f"FeatureStats(dim={self.dim}, count={count}, preset={self.preset!r})"

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
            If there are not more than `ddof` samples, or a file without a count is asked for another ddof than 1.
        """
        if self._is_frozen and self._moments is not None:
            if ddof != 1:
                raise ValueError("these statistics are from a file without a count: only ddof=1 is known")
            return self._moments[1]
        if self._count <= ddof:
            raise ValueError(
                f"a covariance with ddof={ddof} needs more than {samples(ddof)}, and the count is {self._count}"
            )
        if self._moments is not None and ddof == 1:
            return self._moments[1]
        total = self._sum[0] + self._sum[1]
        lower = np.tril(self._scatter[0]) - np.tril(np.outer(total, total / self._count)) + np.tril(self._scatter[1])
        cov: Float64Array = (lower + np.tril(lower, -1).T) / (self._count - ddof)
        np.fill_diagonal(cov, np.maximum(np.diag(cov), 0))  # a constant feature: no variance, whatever rounding says
        return cov

    def to_bytes(self) -> bytes:
        """State as bytes that :meth:`from_bytes` reads: the same on every machine, for merging elsewhere."""
        buffer = io.BytesIO()
        self._write(buffer)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> FeatureStats:
        """Read what :meth:`to_bytes` wrote; ``ValueError`` if it is damaged."""
        return cls._read(io.BytesIO(data), "data")

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
        OSError
            If no file can be written there.
        """
        path = os.fspath(path)
        require_writable(path)
        temporary = _beside(path)
        try:
            with open(temporary, "wb") as file:
                self._write(file)
            os.replace(temporary, path)
        except OSError as error:  # such as a full disk: in the name that the caller knows
            raise OSError(error.errno, error.strerror, path) from error
        finally:
            if os.path.exists(temporary):
                os.remove(temporary)

    def _write(self, file: BinaryIO) -> None:
        fields: dict[str, Any] = {"format": np.str_(FORMAT), "dim": np.int64(self.dim)}
        for what in ("preset", "weights"):
            if getattr(self, what) is not None:
                fields[what] = np.str_(getattr(self, what))
        if self._is_frozen or self._count >= 2:
            fields |= {"mu": self.mean, "sigma": self.cov()}
        if not self._is_frozen:
            triangle = np.tril_indices(self.dim)
            fields |= {
                "count": np.int64(self._count),
                "shift": self._shift,
                "sum": self._sum,
                "scatter": np.stack([half[triangle] for half in self._scatter]),
            }
        # no dates, so equal states are equal bytes
        with zipfile.ZipFile(file, "w") as archive:
            for key, value in fields.items():
                array = io.BytesIO()
                np.lib.format.write_array(array, np.asarray(value), allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{key}.npy"), array.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, spatial: bool = False) -> FeatureStats:
        """Read a statistics file: pixelgauge's own, or pytorch-fid's, torch-fidelity's, ADM's or EDM's.

        Parameters
        ----------
        path : str or path-like
            ``.npz`` with ``mu`` (D,) and ``sigma`` (D, D).
        spatial : bool, default False
            Read ADM's ``mu_s`` and ``sigma_s``, the moments of the spatial features (sFID).

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is truncated, is no such archive, or holds no valid mean and covariance.
        """
        with open(path, "rb") as file:
            return cls._read(file, os.fspath(path), spatial)

    @classmethod
    def _read(cls, file: BinaryIO, name: str, spatial: bool = False) -> FeatureStats:
        try:
            start = file.read(2)
            if start not in (b"PK", b"\x93N"):  # NumPy would take it for a pickle, and advise to allow that
                raise ValueError(f"it begins with {start!r} and is no archive")
            file.seek(0)
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it holds one array, not an archive")
            with archive:
                fields = {key: archive[key] for key in archive.files}
        except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(f"{name} is not a readable .npz statistics file ({error}): it may be truncated") from error
        if "format" in fields and not spatial:
            return cls._from_fields(fields, name)
        mean, cov = ("mu_s", "sigma_s") if spatial else ("mu", "sigma")
        if mean not in fields or cov not in fields:
            raise ValueError(
                f"{name} holds {', '.join(sorted(fields)) or 'nothing'}, but statistics need {mean!r} and {cov!r}"
            )
        return cls.from_moments(fields[mean], fields[cov], name=name)

    @classmethod
    def _from_fields(cls, fields: dict[str, npt.NDArray[Any]], name: str) -> FeatureStats:
        try:
            if str(fields["format"]) != FORMAT:
                raise ValueError(f"its format is {str(fields['format'])!r}, and this version reads {FORMAT!r}")
            preset, weights = (str(fields[what]) if what in fields else None for what in ("preset", "weights"))
            if "count" not in fields:
                return cls.from_moments(fields["mu"], fields["sigma"], preset=preset, weights=weights, name=name)
            dim = int(fields["dim"])
            stats = cls(dim, shift=fields["shift"], preset=preset, weights=weights)
            stats._count = int(fields["count"])
            triangle = np.tril_indices(dim)
            stats._sum[:] = fields["sum"]
            for half, packed in zip(stats._scatter, fields["scatter"], strict=True):
                half[triangle] = packed
            if stats._count < 0 or not (np.isfinite(stats._sum).all() and np.isfinite(stats._scatter).all()):
                raise ValueError("its sums are not finite")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{name} is not a valid statistics file: {error}") from error
        return stats
