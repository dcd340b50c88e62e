"""Pairs of one size that wait for others, to be scored in one call; nobody waits for company that does not come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np

from pixelgauge.metric import Pixels, Result, Scorer

_MOST_BYTES = 1 << 28
"""Of images that wait: beyond, the oldest batch is scored as it is."""


@dataclass(eq=False)
class Waiting:
    """A pair that is to be scored, by scorers that take several at a time."""

    x: Pixels
    """(1, H, W, C)."""
    y: Pixels
    scorers: list[Scorer]
    done: Callable[[], None]
    """Called once its pixels are no longer needed."""
    results: dict[str, Result] = field(default_factory=dict)
    error: BaseException | None = None
    is_scored: threading.Event = field(default_factory=threading.Event)

    @property
    def bytes(self) -> int:
        """Of its pixels."""
        return self.x.nbytes + self.y.nbytes

    def score(self, scorers: list[Scorer]) -> None:
        """Score it by itself."""
        for scorer in scorers:
            self.results.update(scorer(self.x, self.y))


class Batches:
    """Gathers pairs by size and scores each batch that is full, on the thread that brought the last of it.

    All methods may be called from any thread.
    """

    def __init__(self) -> None:
        self._open: dict[Hashable, list[Waiting]] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, pair: Waiting, together: int) -> None:
        """Have a pair scored with others of its size, `together` at a time."""
        key = (*map(id, pair.scorers), pair.x.shape, pair.x.dtype)
        ready: list[list[Waiting]] = []
        with self._lock:
            batch = self._open.setdefault(key, [])
            batch.append(pair)
            self._bytes += pair.bytes
            if len(batch) >= together:
                ready.append(self._taken(key))
            while self._bytes > _MOST_BYTES:
                ready.append(self._taken(next(iter(self._open))))
        for batch in ready:
            _score(batch)

    def finish(self, pair: Waiting) -> Mapping[str, Result]:
        """Results of a pair that was added, whose batch is scored as it is if it is not full yet.

        Raises
        ------
        BaseException
            What scoring it raised.
        """
        self._score_where(lambda batch: pair in batch)
        pair.is_scored.wait()
        if pair.error is not None:
            raise pair.error
        return pair.results

    def flush(self) -> None:
        """Score all batches as they are."""
        self._score_where(lambda batch: True)

    def _score_where(self, wanted: Callable[[list[Waiting]], bool]) -> None:
        with self._lock:
            keys = [key for key, batch in self._open.items() if wanted(batch)]
            ready = [self._taken(key) for key in keys]
        for batch in ready:
            _score(batch)

    def _taken(self, key: Hashable) -> list[Waiting]:
        batch = self._open.pop(key)
        self._bytes -= sum(pair.bytes for pair in batch)
        return batch


def _score(batch: list[Waiting]) -> None:
    """Score pairs of one size, and say of each that it is done, whatever happens."""
    try:
        _score_together(batch)  # whose copies of the pixels are gone before bytes are given back
    except BaseException as error:
        for pair in batch:
            pair.error = error
    for pair in batch:
        del pair.x, pair.y
        pair.done()
        pair.is_scored.set()


def _score_together(batch: list[Waiting]) -> None:
    """Score pairs in one call; each by itself by what refuses them together, so that one does not stop the others."""
    x, y = (np.concatenate(images) for images in ([pair.x for pair in batch], [pair.y for pair in batch]))
    for scorer in batch[0].scorers:
        found = scorer(x, y)
        refused = any(isinstance(result, Exception) for result in found.values())
        for i, pair in enumerate(batch):
            if refused and len(batch) > 1:
                pair.score([scorer])
            else:
                pair.results |= {n: r if isinstance(r, Exception) else r[i : i + 1] for n, r in found.items()}
