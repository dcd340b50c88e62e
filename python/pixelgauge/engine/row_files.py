"""Rows of scores in a file: written one by one by one run, whole after any kill, resumable, in four formats."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from pixelgauge.checks import ArgumentValueError
from pixelgauge.engine.comparison import Comparison
from pixelgauge.engine.row_columns import SCHEMA_VERSION, Paths, known_columns, names_within, parsed, row_columns
from pixelgauge.engine.row_database import DatabaseStore
from pixelgauge.engine.row_parquet import ParquetStore
from pixelgauge.engine.row_records import Records, json_value, plain_path
from pixelgauge.engine.row_stores import LineStore, RowStore
from pixelgauge.engine.rows import ScoreRow, file_state
from pixelgauge.files.reading import FileError
from pixelgauge.files.tables import import_parquet
from pixelgauge.files.writing import require_writable

__all__ = ["FORMATS", "FORMATS_TEXT", "RowFile", "check_row_file", "json_value"]

FORMATS = (".csv", ".jsonl", ".parquet", ".sqlite")
FORMATS_TEXT = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"


class RowFile:
    """A file of rows, open for appending, which no other run can write meanwhile.

    Columns (keys, in JSON Lines) are ``ref, test, status, message``, one a metric, ``settings``, which says how the row
    was made, what :meth:`__init__` needs to go on: ``ref_name, test_name``, the paths within their folders, and
    ``ref_bytes, test_bytes, ref_mtime_ns, test_mtime_ns``, size and time of the files that were scored; ``samples``,
    pixels times channels that were; and ``schema_version``. A missing value is empty (null), an infinite one ``inf`` in
    text (``"inf"`` in JSON). Rows are not buffered. Parquet is written by :meth:`finish`, from lines of JSON that are
    kept until then.

    Parameters
    ----------
    path : path
        Its extension, one of :data:`FORMATS`, tells the format.
    made : Comparison
        Of this run.
    roots : (str, str), optional
        The folders that the paths of rows begin with.
    resume : iterable of (str or None, str or None), optional
        Go on with the file if it exists, for a run over the pairs with these paths: :attr:`rows` are its rows that are
        ok, whose files are the ones that were scored; they may have moved with their folders. What else is there (a
        last row that was cut short, rows that are not ok or of files that were replaced, rows of a pair beyond as many
        as the run has of it) is taken out of the file, to be made again. Files of version 0.1.0, without names, sizes
        and times, are gone on with by their paths alone.
    with_samples : bool, default False
        Of rows that `resume` finds keep only those that say how many samples were scored: earlier files do not.
    overwrite : bool, default False
        Replace the file if it exists.
    inputs : iterable of paths
        What this run reads: none of it is ever replaced.

    Raises
    ------
    ValueError
        If the extension is another.
    ImportError
        If it is Parquet, and pyarrow is not installed.
    FileError
        A ValueError: if what is to be gone on with is not such a file, was made with other settings, has scores of
        other pairs or two different ones of a pair, or a row that does not parse; it is then left as it is.
    FileExistsError
        If the file exists, and neither `resume` nor `overwrite` is set, or is an input.
    BlockingIOError
        If another run is writing it.
    OSError
        If it cannot be read or written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        made: Comparison,
        *,
        roots: tuple[str, str] = ("", ""),
        resume: Iterable[Paths] | None = None,
        with_samples: bool = False,
        overwrite: bool = False,
        inputs: Iterable[str] = (),
    ) -> None:
        self.path = os.fspath(path)
        self.rows: list[ScoreRow] = []
        self._metrics, self._made, self._roots = tuple(made.metrics), str(made), roots
        self._known = known_columns(self._metrics)
        self._with_samples = with_samples
        check_row_file(self.path)
        self._store = _opened(self.path, row_columns(self._metrics))
        try:
            self._begin(resume, overwrite, inputs)
        except BaseException:
            self._store.close()
            raise

    @property
    def held_in(self) -> str:
        """File that has the rows until :meth:`finish`."""
        return self._store.held_in

    def close(self) -> None:
        """Close the file, for other runs to go on with."""
        self._store.close()

    def require_in_place(self) -> None:
        """Raise unless the file still has its name: otherwise nobody finds the rows that were written.

        Raises
        ------
        OSError
            If it was deleted, moved or replaced since it was opened.
        """
        self._store.require_in_place()

    def append(self, row: ScoreRow) -> None:
        """Write a row."""
        self._store.append(self._cells(row))

    def finish(self) -> None:
        """Bring the file into its last shape, once it has all rows; until then it is one to go on with."""
        self._store.require_in_place()
        self._store.finish()

    def _begin(self, resume: Iterable[Paths] | None, overwrite: bool, inputs: Iterable[str]) -> None:
        """Make a file whose rows are :attr:`rows`."""
        store = self._store
        if not store.is_new:
            if not store.is_empty and resume is None and not overwrite:
                raise FileExistsError(f"{self.path} exists")
            if resume is None or store.is_empty:
                read = list(inputs)
                for path in {self.path, store.held_in}:
                    require_writable(path, overwrite=True, inputs=read)
        if store.is_empty:
            store.begin()
        elif resume is None:
            store.restart()
        elif self._take_up(resume):
            store.replace(map(self._cells, self.rows))

    def _cells(self, row: ScoreRow) -> list[object]:
        """Cells of a row, by the columns."""
        values = [row.values.get(name) for name in self._metrics]
        ref, test = row.files
        paths, names = (row.ref, row.test), self._names((row.ref, row.test))
        cells = [*paths, row.status, row.message, *values, self._made, *names]
        for part in ("bytes", "mtime_ns"):
            cells += [None if state is None else getattr(state, part) for state in (ref, test)]
        return [*cells, row.samples or None, SCHEMA_VERSION]

    def _names(self, paths: Paths) -> Paths:
        """Paths within their folders."""
        return names_within(paths, self._roots)

    def _take_up(self, pairs: Iterable[Paths]) -> bool:
        """Read :attr:`rows`, and say whether something else is in the file."""
        foreign = f"is not a file of pixelgauge compare with metrics {','.join(self._metrics)}"
        records = self._store.records(self._known, self._made, foreign)
        places = self._places(pairs, is_text=records.is_text)
        found: Counter[Paths] = Counter()
        first: dict[Paths, tuple[int, ScoreRow]] = {}
        kept: list[ScoreRow] = []
        elsewhere: list[ScoreRow] = []
        moved = changed = False
        for line, record in records:
            row, names, _ = parsed(records, line, record, self._metrics, self._require_made, self._names)
            if row.status != "ok":
                changed = True
                continue
            if names not in places or None in names:
                raise self._of_no_pair(row)
            paths = places[names][min(found[names], len(places[names]) - 1)]
            status = _compared(row, paths)
            if status == "replaced" or (self._with_samples and not row.samples):
                changed = True
            elif status == "elsewhere":
                elsewhere.append(row)
            else:
                again = replace(row, ref=paths[0], test=paths[1])
                before = first.setdefault(names, (line, again))
                if before[1].values != again.values:
                    raise self._of_two_scores(records, line, before[0])
                found[names] += 1
                if found[names] > len(places[names]):
                    changed = True
                    continue
                kept.append(again)
                moved |= status == "moved"
                if (row.ref, row.test) != paths:
                    changed |= (row.ref, row.test) != tuple(map(plain_path, paths))
        if elsewhere and not moved:  # nothing says that this is the folder of that run
            raise self._of_no_pair(elsewhere[0])
        self.rows = kept
        return changed or bool(elsewhere) or not records.is_whole or records.columns != self._known[0]

    def _places(self, pairs: Iterable[Paths], *, is_text: bool) -> dict[Paths, list[Paths]]:
        """By name the paths of a pair, as often as the run has it: a list may name it several times, or spell it so."""
        places: dict[Paths, list[Paths]] = {}
        for paths in pairs:
            ref, test = self._names(paths)
            places.setdefault((plain_path(ref), plain_path(test)) if is_text else (ref, test), []).append(paths)
        return places

    @staticmethod
    def _of_two_scores(records: Records, line: int, before: int) -> FileError:
        return records.wrong(line, f"has other scores than {records.unit} {before} of the same pair")

    def _of_no_pair(self, row: ScoreRow) -> FileError:
        return FileError(
            self.path,
            f"has scores of {row.ref} and {row.test}, which are no pair of this run",
            "give the folders that it was made of, or --overwrite to replace it",
        )

    def _require_made(self, settings: str) -> None:
        if settings != self._made:
            raise FileError(
                self.path,
                f"was made with {settings!r}, this run is {self._made!r}",
                "give the same options, or --overwrite to replace it",
            )


def _compared(row: ScoreRow, paths: Paths) -> str:
    """Whether a row's files are those at these paths: ``same``, ``moved``, ``replaced``; or of ``elsewhere``."""
    is_here = (row.ref, row.test) == paths or (_same_path(row.ref, paths[0]) and _same_path(row.test, paths[1]))
    if row.files[0] is None or row.files[1] is None:  # a file of version 0.1.0 does not say
        return "same" if is_here else "elsewhere"
    if row.files == (file_state(paths[0]), file_state(paths[1])):
        return "same" if is_here else "moved"
    return "replaced" if is_here else "elsewhere"


def _same_path(a: str | None, b: str | None) -> bool:
    return a == b or (a is not None and b is not None and os.path.abspath(a) == os.path.abspath(b))


def check_row_file(path: str) -> None:
    """Raise unless rows can be written to a file of that name: by its extension, and by what is installed.

    Raises
    ------
    ArgumentValueError
        If it ends in none of :data:`FORMATS`.
    ImportError
        If it is Parquet, and pyarrow is not installed.
    """
    extension = os.path.splitext(path)[1].lower()
    if extension not in FORMATS:
        raise ArgumentValueError("output", repr(path), f"must end in {FORMATS_TEXT}")
    if extension == ".parquet":
        import_parquet()


def _opened(path: str, columns: list[str]) -> RowStore:
    extension = os.path.splitext(path)[1].lower()
    if extension == ".parquet":
        return ParquetStore(path, columns)
    if extension == ".sqlite":
        return DatabaseStore(path, columns)
    return LineStore(path, columns, extension == ".jsonl")
