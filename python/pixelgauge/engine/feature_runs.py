"""Images to a file of their features, or a folder of parts: appended as they come, gone on with after any kill."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pixelgauge.checks import ArgumentValueError, whole_number
from pixelgauge.distribution.feature_files import (
    KINDS,
    MANIFEST,
    About,
    Manifest,
    Part,
    checked_about,
    kind_of,
    read_features,
    read_manifest,
    read_part,
    require_names,
    write_npz,
    writer_of,
)
from pixelgauge.distribution.feature_sets import in_blocks
from pixelgauge.engine.extraction import Extraction
from pixelgauge.engine.feature_journal import SUFFIX, Journal
from pixelgauge.engine.feature_sources import FeatureSource, Report
from pixelgauge.engine.rows import FileState
from pixelgauge.files.lock import open_for_one, try_lock
from pixelgauge.files.reading import FileError
from pixelgauge.files.writing import replacing, require_writable, sweep

SHARD_SIZE = 10_000
"""Images of a part of a folder, if nothing else is asked for."""
_BLOCK = 1024
_OURS = re.compile(rf"features-\d{{5,}}\.npz({re.escape(SUFFIX)})?")


class UnreadableImageError(FileError):
    """An image that cannot be read ended the run; what was done before it is kept."""


@dataclass(frozen=True)
class Output:
    """Where features go, and what may become of what is there.

    Parameters
    ----------
    path : str
        A file of one of :data:`KINDS`, or the folder of parts.
    shard_size : int or None
        Images of a part; None: a file.
    resume, overwrite : bool
        Go on with what is there, or replace it; never both.
    """

    path: str
    shard_size: int | None
    resume: bool
    overwrite: bool


def output_at(path: str, *, shard_size: int | None, resume: bool = False, overwrite: bool = False) -> Output:
    """Tell a file from a folder of parts, which a size of parts or a ``/`` at the end asks for.

    Raises
    ------
    ArgumentError
        If it is neither.
    ImportError
        If it is Parquet and pyarrow is not installed.
    """
    is_folder = path.endswith(("/", os.sep)) or shard_size is not None
    if not is_folder:
        if os.path.splitext(path)[1].lower() not in KINDS:
            remedy = "end it in / for a folder of parts"
            raise ArgumentValueError("output", repr(path), f"ends in none of {', '.join(KINDS)}", remedy)
        writer_of(path)
        return Output(path, None, resume, overwrite)
    size = SHARD_SIZE if shard_size is None else whole_number("shard_size", shard_size, 1)
    name = path.rstrip("/" + os.sep) or path
    if os.path.splitext(name)[1].lower() in KINDS:
        raise ArgumentValueError("output", repr(path), "is the name of a file, and parts lie in a folder", "name one")
    return Output(name, size, resume, overwrite)


@dataclass(frozen=True)
class Kept:
    """What came of a run."""

    about: About
    count: int
    made: int
    """Rows of this run; the others were there."""


def keep(
    source: FeatureSource,
    extraction: Extraction,
    output: Output,
    *,
    inputs: Iterable[str] = (),
    started: Callable[[int], None] = lambda done: None,
    report: Report | None = None,
) -> Kept:
    """Write the features of images.

    Parameters
    ----------
    source : FeatureSource
        Of images.
    extraction : Extraction
        Every output of its network is kept.
    output : Output
    inputs : iterable of paths
        What is read: none of it is ever replaced.
    started : callable
        Told how many rows are there before images are read.
    report : callable, optional
        Told (name of the source, images done, images in all) after each batch.

    Raises
    ------
    UnreadableImageError
        If an image cannot be read; what was done before it is kept.
    FileError
        If what is to be gone on with is of other images, was made in another way, or is damaged.
    FileExistsError
        If something is there, and is neither to be gone on with nor to be replaced.
    BlockingIOError
        If another run is writing it.
    OSError
        If it cannot be written.
    """
    run = _Run(source, extraction, started, report)
    if output.shard_size is None:
        return run.to_file(output, inputs)
    return run.to_folder(output, output.shard_size)


class _Run:
    """Images on their way to their features."""

    def __init__(
        self, source: FeatureSource, extraction: Extraction, started: Callable[[int], None], report: Report | None
    ) -> None:
        self._source, self._extraction = source, extraction
        self._started, self._report = started, report
        self._names, self._states = source.image_names(), source.image_states()
        self._made = 0

    def _about(self) -> About:
        """How images become features; the network is loaded for it."""
        network = self._extraction.network
        return checked_about(network.widths, network.fingerprint)

    def _batch_size(self) -> int:
        """Images that go through the network together."""
        return getattr(self._extraction.network, "batch_size", None) or 1

    def _kept(self, about: About) -> Kept:
        return Kept(about, len(self._names), self._made)

    def to_file(self, output: Output, inputs: Iterable[str]) -> Kept:
        """Write one file."""
        path, is_there = output.path, os.path.lexists(output.path)
        require_names(path, self._names)
        if is_there and not (output.resume or output.overwrite):
            raise FileExistsError(f"{path} exists")
        if not is_there or output.overwrite:
            require_writable(path, overwrite=output.overwrite, inputs=inputs)
        about = self._about()
        whole = Part(0, len(self._names), len(self._names))
        with Journal(path, about, resume=output.resume, overwrite=output.overwrite) as journal:
            if os.path.lexists(path) and not journal.overwrites:
                self._require_same(path, about, journal)
                self._started(len(self._names))
                journal.remove()
                return self._kept(about)
            self._started(journal.keep(self._names, self._states, self._batch_size()))
            self._fill(journal, whole)
            with replacing(path, overwrite=journal.overwrites, follow=journal.overwrites) as file:
                writer_of(path)(file, in_blocks(journal.blocks(), _BLOCK), len(journal), about, self._names)
            journal.remove()
        return self._kept(about)

    def _require_same(self, path: str, about: About, journal: Journal) -> None:
        """Raise unless a file that is there is what this run would write."""
        done = len(journal) and journal.keep(self._names, self._states)
        stored = read_features(path)
        if done == len(self._names):  # killed between the last two steps
            rows = sum(map(len, stored.pieces))
            blocks = zip(in_blocks(iter(stored.pieces), _BLOCK), in_blocks(journal.blocks(), _BLOCK), strict=False)
            if rows == done and all(a.tobytes() == b.tobytes() for a, b in blocks):
                return
        elif kind_of(path) == ".npy":
            raise FileError(path, "is there, and does not say of which images it is", "give --overwrite to replace it")
        if stored.about != about or stored.names != self._names:
            raise FileError(path, "is of other images or was made in another way", "give --overwrite to replace it")
        if self._replaced_since(path, range(len(self._names))):
            raise FileError(path, "is older than some of its images", "give --overwrite to make it again")

    def _replaced_since(self, path: str, rows: range) -> bool:
        """Whether an image is newer than the file of its features."""
        made = os.stat(path).st_mtime_ns
        states: Iterator[FileState | None] = (self._states[i] for i in rows)
        return any(state is not None and state.mtime_ns > made for state in states)

    def _fill(self, journal: Journal, part: Part) -> None:
        """Append what a journal lacks of a part."""
        start = part.start + len(journal)
        if start == part.stop:
            return
        source = self._source.part(start, part.stop)

        def told(name: str, done: int, total: int) -> None:
            if self._report is not None:
                self._report(name, start + done, len(self._names))

        at = start
        with _images_named(self._source):
            for batch in source.batches(self._extraction, told):
                rows = slice(at, at + len(batch))
                journal.append(self._names[rows], self._states[rows], batch)
                at += len(batch)
        self._made += at - start

    def to_folder(self, output: Output, shard_size: int) -> Kept:
        """Write a folder of parts."""
        folder = output.path
        _require_ours(folder, resume=output.resume, overwrite=output.overwrite)
        about = self._about()
        manifest = Manifest(len(self._names), shard_size, about)
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)
        sweep(Path(folder))
        with _locked_manifest(folder, manifest, overwrite=output.overwrite):
            done = sum(self._is_done(folder, name, part, about) for name, part in manifest.parts().items())
            self._started(done)
            for name, part in manifest.parts().items():
                self._write_part(os.path.join(folder, name), part, about)
        return self._kept(about)

    def _is_done(self, folder: str, name: str, part: Part, about: About) -> int:
        """Rows of a part that is there, 0 where it is to be made; one of other images is an error."""
        path = os.path.join(folder, name)
        if (stored := read_part(folder, name, part, about)) is None:
            return 0
        if stored.names != self._names[part.start : part.stop]:
            raise FileError(path, "is of other images", "give --overwrite to replace all")
        if self._replaced_since(path, range(part.start, part.stop)):
            os.remove(path)
            return 0
        return part.stop - part.start

    def _write_part(self, path: str, part: Part, about: About) -> None:
        rows = slice(part.start, part.stop)
        if os.path.lexists(path):
            with contextlib.suppress(FileNotFoundError):
                os.remove(path + SUFFIX)
            return
        with Journal(path, about, resume=True, overwrite=False) as journal:
            journal.keep(self._names[rows], self._states[rows], self._batch_size())
            self._fill(journal, part)
            with replacing(path, overwrite=False, follow=False) as file:
                write_npz(file, in_blocks(journal.blocks(), _BLOCK), len(journal), about, self._names[rows], part)
            journal.remove()


@contextlib.contextmanager
def _images_named(source: FeatureSource) -> Iterator[None]:
    """Turn what reading an image leads to into one kind of error, which tells it from errors of the output."""
    try:
        yield
    except FileError as error:
        raise UnreadableImageError(error.path, error.reason, _REMEDY) from error
    except OSError as error:
        if not isinstance(error.filename, str) or error.filename.endswith(SUFFIX):
            raise
        raise UnreadableImageError(error.filename, error.strerror or str(error), _REMEDY) from error


_REMEDY = "replace or remove it, then go on with --resume"


def _require_ours(folder: str, *, resume: bool, overwrite: bool) -> None:
    """Raise unless a folder is absent, empty, or one of features with which something may be done."""
    if not os.path.lexists(folder):
        return
    if not os.path.isdir(folder):
        raise NotADirectoryError(errno.ENOTDIR, "is no folder, and parts are to be written", folder)
    held = os.listdir(folder)
    if MANIFEST not in held and any(not name.startswith(".pixelgauge-") for name in held):
        raise OSError(errno.EEXIST, "holds other things than features: name a new folder", folder)
    if MANIFEST in held and not (resume or overwrite):
        raise FileExistsError(f"{folder} exists")


@contextlib.contextmanager
def _locked_manifest(folder: str, manifest: Manifest, *, overwrite: bool) -> Iterator[None]:
    """Hold the folder for this run alone, its manifest being that of this run."""
    path = os.path.join(folder, MANIFEST)
    try:
        with replacing(path, overwrite=False, follow=False, keep_open=True) as file:
            try_lock(file)
            file.write(manifest.to_bytes())
    except FileExistsError:
        file, _ = open_for_one(path, follow=False)
        with file:
            if not overwrite:
                _require_manifest(folder, manifest)
                yield
                return
            for name in os.listdir(folder):
                if _OURS.fullmatch(name):
                    os.remove(os.path.join(folder, name))
            with replacing(path, follow=False, keep_open=True) as again:
                try_lock(again)
                again.write(manifest.to_bytes())
            with again:
                yield
        return
    with file:
        yield


def _require_manifest(folder: str, manifest: Manifest) -> None:
    found = read_manifest(folder)
    if found == manifest:
        return
    for what in ("count", "shard_size"):
        mine, here = getattr(found, what), getattr(manifest, what)
        if mine != here:
            said = {"count": "images", "shard_size": "images a part"}[what]
            raise FileError(
                folder, f"is of {mine} {said}, and this run has {here}", "give the same, or --overwrite to begin anew"
            )
    raise FileError(folder, "was made in another way", "give the same options, or --overwrite to begin anew")
