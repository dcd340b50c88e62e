"""Counts and figures over the rows of a run, which parts of it can make apart and bring together."""

from __future__ import annotations

import io
import json
import math
import threading
from array import array
from bisect import insort
from collections import Counter
from collections.abc import Mapping
from copy import copy
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from pixelgauge.engine.rows import FileState, ScoreRow, Status
from pixelgauge.files.archive import bytes_of, read_arrays, write_arrays
from pixelgauge.files.reading import FileError, parse_json, refusing


@dataclass(frozen=True)
class MetricSummary:
    """One metric over all rows that have it."""

    count: int
    """Rows with a value, infinite ones too."""
    infinite: int
    """Rows whose value is infinite (the PSNR of identical images); mean, median and std leave them out."""
    mean: float | None
    """Mean of the images' values; None if there is no finite one."""
    median: float | None
    std: float | None
    """Sample standard deviation (n - 1); None for fewer than two values."""
    worst: list[tuple[float, ScoreRow]]
    """The ten worst that are finite, worst first."""

    def _repr_html_(self) -> str:
        from pixelgauge.engine.row_tables import metric_table

        return str(metric_table(self))


class Summary:
    """Counts and, for each metric, mean, median, standard deviation and the worst ten, of rows added one by one.

    Keeps eight bytes a score. May be updated, merged and asked from several threads at once.

    Parameters
    ----------
    higher_is_better : mapping of str to bool
        By metric, in the order that they are summed up in.

    Examples
    --------
    Parts of a run, made apart and brought together:

    >>> parts = [Summary({"psnr": True}), Summary({"psnr": True})]
    >>> parts[0].update(ScoreRow("a.png", "a.png", "ok", "", {"psnr": 30.0}))
    >>> parts[1].update(ScoreRow("b.png", "b.png", "ok", "", {"psnr": 40.0}))
    >>> parts[0].merge(Summary.from_bytes(parts[1].to_bytes()))
    >>> parts[0].count, parts[0].compute()["psnr"].mean
    (2, 35.0)
    """

    WORST = 10

    def __init__(self, higher_is_better: Mapping[str, bool]) -> None:
        self._lock = threading.Lock()
        self._pooled = _Pooled()
        self.statuses: Counter[Status] = Counter()
        self._values = {name: _Values(better) for name, better in higher_is_better.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        return Summary.from_bytes, (self.to_bytes(),)

    def __str__(self) -> str:
        statuses = ", ".join(f"{n} {status}" for status, n in sorted(self.statuses.items()) if status != "ok")
        failed = f", {self.failed} failed ({statuses})" if self.failed else ""
        return f"{self.count} pair{'s' * (self.count != 1)}: {self.statuses['ok']} scored{failed}"

    def _repr_html_(self) -> str:
        from pixelgauge.engine.row_tables import summary_table

        return str(summary_table(self))

    def update(self, row: ScoreRow) -> None:
        """Count a row in."""
        with self._lock:
            index = self.count
            self.statuses[row.status] += 1
            for name, value in row.values.items():
                self._values[name].add(value, index, row)
            if "psnr" in row.values:
                self._pooled += _Pooled.of(row.values["psnr"], row.samples)

    def merge(self, other: Summary) -> None:
        """Count the rows of another in, as if they were added after those of this one.

        Raises
        ------
        ValueError
            If the other is of other metrics.
        """
        ours, theirs = self._kinds(), other._kinds()
        if ours != theirs:
            raise ValueError(f"a summary of {theirs} does not go into one of {ours}: make both for the same metrics")
        with other._lock:  # never both at once: two threads may merge two summaries into each other
            statuses, parts = Counter(other.statuses), {name: copy(values) for name, values in other._values.items()}
            pooled = other._pooled
        with self._lock:
            before = self.count
            for name, values in self._values.items():
                values.merge(parts[name], before)
            self.statuses.update(statuses)
            self._pooled += pooled

    def _kinds(self) -> dict[str, bool]:
        return {name: values.higher_is_better for name, values in self._values.items()}

    @property
    def count(self) -> int:
        """Rows added."""
        return self.statuses.total()

    @property
    def failed(self) -> int:
        """Rows that are not ``"ok"``."""
        return self.count - self.statuses["ok"]

    def compute(self) -> dict[str, MetricSummary]:
        """By name, in the order given."""
        with self._lock:
            return {name: values.summary() for name, values in self._values.items()}

    @property
    def pooled_psnr(self) -> float | None:
        """PSNR over all pixels of the rows that have one, of their joint mean squared error.

        Images weigh by their pixels, and identical ones count, as they do not in the mean of the images' values. Errors
        are relative to each image's range. None if there are none, or rows are of an earlier run, whose file does not
        say how many pixels they are of.
        """
        with self._lock:
            pooled = self._pooled
        if not pooled.samples or pooled.unknown:
            return None
        return -10 * math.log10(pooled.error / pooled.samples) if pooled.error else math.inf

    def finite(self, metric: str) -> npt.NDArray[np.float64]:
        """Values of one metric that are finite, in the order in which they were added; good until the next one is."""
        return np.frombuffer(self._values[metric].finite, np.float64)

    def to_bytes(self) -> bytes:
        """Write the whole state, for :meth:`from_bytes` in another process."""
        with self._lock:
            return self._state()

    def _state(self) -> bytes:
        facts = {
            "statuses": self.statuses,
            "pooled": self._pooled,
            "metrics": [[name, values.higher_is_better, values.infinite] for name, values in self._values.items()],
            "worst": [[[i, value, _record(row)] for _, i, value, row in v.worst] for v in self._values.values()],
        }
        arrays: dict[str, object] = {"facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)}
        arrays |= {f"values_{i}": np.asarray(values.finite) for i, values in enumerate(self._values.values())}
        buffer = io.BytesIO()
        write_arrays(buffer, arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Summary:
        """Summary that :meth:`to_bytes` wrote.

        Raises
        ------
        TypeError
            If `data` is not bytes.
        ValueError
            If `data` is not such a state.
        """
        buffer = io.BytesIO(bytes_of(data, "data"))
        with refusing("data", "is not a Summary", "it may be truncated or damaged"):
            arrays = read_arrays(buffer, "data")
            facts = parse_json(bytes(arrays.pop("facts")), "data")
            found = cls({name: higher for name, higher, _ in facts["metrics"]})
            for status, count in facts["statuses"].items():
                if status not in get_args(Status):
                    raise FileError("data", f"is not a Summary: it counts rows of status {status!r}")
                found.statuses[status] = _whole(count)
            found._pooled = _Pooled.restored(facts["pooled"])
            if set(arrays) != {f"values_{i}" for i in range(len(found._values))}:
                raise FileError("data", f"is not a Summary: it holds {sorted(arrays)}")
            for i, values in enumerate(found._values.values()):
                values.restore(arrays[f"values_{i}"], facts["metrics"][i][2], facts["worst"][i], found.count)
        return found


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


class _Pooled(NamedTuple):
    """What the PSNR of many images together is made of."""

    error: float = 0.0
    """Sum over samples of squared errors, relative to the squared range."""
    samples: int = 0
    unknown: int = 0
    """Rows whose samples are not known."""

    @classmethod
    def of(cls, psnr: float, samples: int) -> _Pooled:
        return cls(samples * 10 ** (-psnr / 10), samples, int(samples == 0))

    @classmethod
    def restored(cls, state: Any) -> _Pooled:
        error, samples, unknown = state
        if type(error) is not float or not 0 <= error < math.inf:
            raise ValueError(f"{error!r} is no sum of squares")
        return cls(error, _whole(samples), _whole(unknown))

    def __add__(self, other: object) -> _Pooled:  # of figures, not of tuples
        if not isinstance(other, _Pooled):
            return NotImplemented
        return _Pooled(self.error + other.error, self.samples + other.samples, self.unknown + other.unknown)


class _Values:
    """Values of one metric."""

    def __copy__(self) -> _Values:
        found = _Values(self.higher_is_better)
        found.finite, found.infinite, found.worst = self.finite[:], self.infinite, self.worst[:]
        return found

    def __init__(self, higher_is_better: bool) -> None:
        self.higher_is_better = higher_is_better
        self.finite: array[float] = array("d")
        self.infinite = 0
        self.worst: list[tuple[float, int, float, ScoreRow]] = []

    def add(self, value: float, index: int, row: ScoreRow) -> None:
        if math.isinf(value):
            self.infinite += 1
            return
        self.finite.append(value)
        self._rank(value, index, row)

    def _rank(self, value: float, index: int, row: ScoreRow) -> None:
        goodness = value if self.higher_is_better else -value
        if len(self.worst) < Summary.WORST or goodness < self.worst[-1][0]:
            insort(self.worst, (goodness, index, value, row), key=lambda entry: entry[:2])
            del self.worst[Summary.WORST :]

    def merge(self, other: _Values, before: int) -> None:
        self.finite.extend(other.finite)
        self.infinite += other.infinite
        for _, index, value, row in other.worst:
            self._rank(value, before + index, row)

    def restore(self, finite: Any, infinite: object, worst: list[Any], rows: int) -> None:
        """Take a state, or raise a ``ValueError``: what is ranked must be the worst of the values."""
        if finite.dtype != np.float64 or finite.ndim != 1 or not np.isfinite(finite).all():
            raise ValueError("its values are no vector of finite numbers")
        self.finite, self.infinite = array("d", finite.tobytes()), _whole(infinite)
        if finite.size + self.infinite > rows:
            raise ValueError(f"it has {finite.size + self.infinite} values of {rows} rows")
        for index, value, record in worst:
            self._rank(float(value), _whole(index), _row(record))
        sign = 1 if self.higher_is_better else -1
        lowest = np.sort(sign * finite)[: Summary.WORST].tolist()
        indices = [index for _, index, _, _ in self.worst]
        apart = len(set(indices)) == len(indices) and max(indices, default=-1) < rows
        if not apart or [entry[0] for entry in self.worst] != lowest:
            raise ValueError("the rows that it ranks are not those of its values")

    def summary(self) -> MetricSummary:
        finite = np.frombuffer(self.finite, np.float64)
        return MetricSummary(
            count=finite.size + self.infinite,
            infinite=self.infinite,
            mean=float(finite.mean()) if finite.size else None,
            median=float(np.median(finite)) if finite.size else None,
            std=float(finite.std(ddof=1)) if finite.size > 1 else None,
            worst=[(value, row) for _, _, value, row in self.worst],
        )


_INFINITE = {"inf": math.inf, "-inf": -math.inf}


def _record(row: ScoreRow) -> dict[str, Any]:
    """Fields of a row for JSON, which has no infinities."""
    values = {name: str(value) if math.isinf(value) else value for name, value in row.values.items()}
    return {**asdict(row), "values": values}


def _row(record: dict[str, Any]) -> ScoreRow:
    """Row of such fields."""
    values = {name: _INFINITE[v] if isinstance(v, str) else v for name, v in record.pop("values").items()}
    states = tuple(None if state is None else FileState(*map(_whole, state)) for state in record.pop("files"))
    row = ScoreRow(**record, values=values, files=states)  # type: ignore[arg-type]
    texts = (row.ref or "", row.test or "", row.message)
    sound = all(isinstance(value, float) for value in values.values()) and all(isinstance(text, str) for text in texts)
    if not sound or row.status not in get_args(Status):
        raise ValueError(f"{record!r} is no row")
    return row
