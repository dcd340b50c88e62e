"""Two images, folders, archives or stacks to pairs, in which every image stands exactly once; or one against many."""

from __future__ import annotations

import os
import posixpath
import re
import reprlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import BinaryIO, Literal

from pixelgauge.checks import ArgumentValueError
from pixelgauge.engine.items import HeldItem, Item, Source, name_of
from pixelgauge.engine.sides import ImageSide, NamedSide, Side, StackSide, side_of
from pixelgauge.images import FILE_EXTENSIONS, path_name

PairStatus = Literal["ok", "missing", "ambiguous", "unreadable"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A reference image and its partner: paths relative to their folders, None where there is none.

    Also a subfolder that cannot be listed (``unreadable``), on its side alone.
    """

    ref: str | None
    test: str | None
    status: PairStatus = "ok"
    message: str = ""
    items: tuple[Item | None, Item | None] = (None, None)
    """What is no file of its own; paths of both are the items' names then."""

    @property
    def name(self) -> str:
        """Both paths, or the one if they are equal or one is missing."""
        if self.ref is None or self.test is None or self.ref == self.test:
            return self.ref or self.test or ""
        return f"{self.ref} → {self.test}"


@dataclass(frozen=True)
class Pairing:
    """Pairs of a run, and what was left out of it."""

    ref_root: str
    test_root: str
    pairs: Iterable[Pair]
    ignored: Counter[str]
    """Files that are no images by their extension, on both sides."""
    places: tuple[Callable[[str], Source] | None, Callable[[str], Source] | None] = (None, None)
    """What makes an image of a path of each side, where that is not the file of this name below its root."""
    unmatched: int = 0
    """Images whose names are not of the pattern of their side."""

    @property
    def count(self) -> int | None:
        """Number of pairs, None if that is not known before they are gone through."""
        return len(self.pairs) if isinstance(self.pairs, Sized) else None

    def paths(self, pair: Pair) -> tuple[str | None, str | None]:
        """Join a pair's paths to their folders."""
        return (
            None if pair.ref is None else os.path.join(self.ref_root, pair.ref),
            None if pair.test is None else os.path.join(self.test_root, pair.test),
        )

    def sources(self, pair: Pair) -> tuple[Source | None, Source | None]:
        """Paths of files, and items."""

        def source(at: int, name: str | None, path: str | None) -> Source | None:
            make = self.places[at]
            return pair.items[at] or (path if name is None or make is None else make(name))

        ref, test = self.paths(pair)
        return source(0, pair.ref, ref), source(1, pair.test, test)


class CountedPairs(Collection[Pair]):
    """Pairs that are made one by one, each time they are gone through."""

    def __init__(self, count: int, at: Callable[[int], Pair]) -> None:
        self._count, self._at = count, at

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Pair]:
        return map(self._at, range(self._count))

    def __contains__(self, pair: object) -> bool:
        return any(pair == other for other in self)


def pair_of(ref: Source, test: Source) -> Pair:
    """Pair of two sources."""
    items = (None if isinstance(ref, str) else ref, None if isinstance(test, str) else test)
    return Pair(name_of(ref), name_of(test), items=items)


def find_pairs(
    ref: str | os.PathLike[str],
    test: str | os.PathLike[str],
    *,
    patterns: tuple[str, str] | None = None,
    standard_input: BinaryIO | None = None,
) -> Pairing:
    """Pair two images, the images of two folders or archives, or one reference with many.

    Images of folders and of zip and tar archives are paired by equal relative path; those left over by relative path
    without the extension, however its accents are encoded; those still left by stem alone, if no other image of either
    side has that stem. What has no partner, or more than one, becomes a pair with the status "missing" or "ambiguous",
    a subfolder that cannot be listed one with the status "unreadable". Stacks of arrays (.npy, .npz) are paired by
    number.

    Parameters
    ----------
    ref, test : path
        Two images; two of folders and archives; two stacks; or an image and many.
    patterns : (str, str), optional
        Pair images of folders and archives by what stands for ``{stem}``; see :class:`_Pattern`. Images of other names
        are left out.
    standard_input : binary file, optional
        What ``-`` stands for: one encoded image.

    Returns
    -------
    Pairing
        With pairs in the order of their paths.

    Raises
    ------
    FileNotFoundError
        If `ref` or `test` does not exist.
    ValueError
        If one is many images and the other cannot be paired with them, there are none, or an archive is damaged.
    OSError
        If `ref` or `test` cannot be listed.
    """
    ref, test = path_name(ref, "ref"), path_name(test, "test")
    if standard_input is not None and ref == test == "-":
        raise ValueError("REF and TEST are both standard input, which holds one image: give a file for one of them")
    for path in (ref, test):
        try:
            if standard_input is None or path != "-":
                os.stat(path)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{path} does not exist") from error
    ours, theirs = side_of(ref, standard_input), side_of(test, standard_input)
    if isinstance(ours, NamedSide) and isinstance(theirs, NamedSide):
        return _named(ours, theirs, patterns)
    if patterns is not None:
        raise ArgumentValueError("pair", "", "patterns are of two folders or archives", "leave them out")
    if isinstance(ours, ImageSide):
        return _with_one(ours.source, theirs, test)
    if isinstance(ours, StackSide) and isinstance(theirs, StackSide):
        return Pairing("", "", CountedPairs(max(ours.count, theirs.count), _by_number(ours, theirs)), Counter())
    ours_kind, theirs_kind = ("a file" if isinstance(side, ImageSide) else f"a {side.kind}" for side in (ours, theirs))
    what = f"{ref} is {ours_kind} and {test} {theirs_kind}"
    raise ValueError(f"{what}: give two files or two folders, or one reference and many images")


def _with_one(ref: Source, side: Side, path: str) -> Pairing:
    """Pair one reference with one image or with many."""
    if isinstance(side, ImageSide):
        if isinstance(ref, str) and isinstance(side.source, str):
            (ref_root, ref_name), (test_root, test_name) = os.path.split(ref), os.path.split(side.source)
            return Pairing(ref_root, test_root, [Pair(ref_name, test_name)], Counter())
        return Pairing("", "", [pair_of(ref, side.source)], Counter())
    held, name = HeldItem(ref), name_of(ref)
    if isinstance(side, StackSide):
        return Pairing("", "", CountedPairs(side.count, lambda i: pair_of(held, side.at(i))), Counter())
    pairs = [Pair(name, below, items=(held, None)) for below in side.names]
    pairs += [Pair(None, *unlisted) for unlisted in _unlisted(side, "TEST")]
    if not pairs:
        raise ValueError(f"no image files in {path} ({', '.join(FILE_EXTENSIONS)})")
    return Pairing("", side.root, pairs, side.ignored, (None, side.at))


def _by_number(ours: StackSide, theirs: StackSide) -> Callable[[int], Pair]:
    def pair(i: int) -> Pair:
        if i >= theirs.count:
            return Pair(name_of(ours.at(i)), None, "missing", "no partner in TEST")
        if i >= ours.count:
            return Pair(None, name_of(theirs.at(i)), "missing", "no partner in REF")
        return pair_of(ours.at(i), theirs.at(i))

    return pair


def _named(ours: NamedSide, theirs: NamedSide, patterns: tuple[str, str] | None) -> Pairing:
    pairs = [Pair(path, None, status, why) for path, status, why in _unlisted(ours, "REF")]
    pairs += [Pair(None, *unlisted) for unlisted in _unlisted(theirs, "TEST")]
    if not ours.names and not theirs.names and not pairs:
        raise ValueError(f"no image files in {ours.root} or {theirs.root} ({', '.join(FILE_EXTENSIONS)})")
    unmatched = 0
    if patterns is None:
        pairs += _paired(ours.names, theirs.names)
    else:
        found, unmatched = _by_patterns(ours, theirs, patterns)
        pairs += found
    pairs.sort(key=lambda pair: pair.ref or pair.test or "")
    places = ours.at, theirs.at
    return Pairing(ours.root, theirs.root, pairs, ours.ignored + theirs.ignored, places, unmatched)


def _unlisted(side: NamedSide, name: str) -> list[tuple[str, PairStatus, str]]:
    return [(path, "unreadable", f"{name}: the folder cannot be listed: {why}") for path, why in side.unlisted]


class _Pattern:
    """Names of images with a part that tells which belong together: ``{stem}_out`` or ``gt/{stem}.png``.

    ``{stem}`` stands for any characters but ``/``, at least one. Without an extension of an image the pattern is of
    names without theirs; without a ``/`` it is of the last part of a path, and the folders must be equal.
    """

    def __init__(self, text: str) -> None:
        if not isinstance(text, str) or text.count("{stem}") != 1:
            raise ArgumentValueError("pair", reprlib.repr(text), "must hold {stem} once, as '{stem}_out' does")
        before, _, after = text.partition("{stem}")
        self._of_paths = "/" in text
        self._with_extension = text.lower().endswith(FILE_EXTENSIONS)
        self._pattern = re.compile(f"{re.escape(before)}([^/]+){re.escape(after)}", re.DOTALL)

    def key(self, path: str) -> str | None:
        """Folders and stem, None if the path is not of the pattern."""
        folder, name = ("", path) if self._of_paths else posixpath.split(path)
        if not self._with_extension:
            name = posixpath.splitext(name)[0]
        found = self._pattern.fullmatch(name)
        return unicodedata.normalize("NFC", posixpath.join(folder, found[1])) if found else None


def _by_patterns(ours: NamedSide, theirs: NamedSide, patterns: tuple[str, str]) -> tuple[list[Pair], int]:
    keys: list[dict[str, str]] = []
    for side, text in zip((ours, theirs), patterns, strict=True):
        pattern = _Pattern(text)
        found = {path: key for path in side.names if (key := pattern.key(path)) is not None}
        if not found:
            problem = f"is the pattern of no image in {side.root}"
            raise ArgumentValueError("pair", repr(text), problem, f"there is {reprlib.repr(side.names[:3])}")
        keys.append(found)
    pairs: list[Pair] = []
    left = _match(list(keys[0]), list(keys[1]), (keys[0].__getitem__, keys[1].__getitem__), pairs)
    unmatched = len(ours.names) + len(theirs.names) - len(keys[0]) - len(keys[1])
    return pairs + _without_partner(*left), unmatched


def _paired(ref_files: list[str], test_files: list[str]) -> list[Pair]:
    common = set(ref_files).intersection(test_files)
    pairs = [Pair(name, name) for name in common]
    left_ref = [name for name in ref_files if name not in common]
    left_test = [name for name in test_files if name not in common]
    left_ref, left_test = _match(left_ref, left_test, (_without_extension,) * 2, pairs)
    left_ref, left_test = _match(left_ref, left_test, (_stem,) * 2, pairs, among=(ref_files, test_files))
    return pairs + _without_partner(left_ref, left_test)


def _without_partner(refs: list[str], tests: list[str]) -> list[Pair]:
    pairs = [Pair(name, None, "missing", "no partner in TEST") for name in refs]
    return pairs + [Pair(None, name, "missing", "no partner in REF") for name in tests]


def _match(
    left_ref: list[str],
    left_test: list[str],
    keys: tuple[Callable[[str], str], Callable[[str], str]],
    pairs: list[Pair],
    among: tuple[list[str], list[str]] | None = None,
) -> tuple[list[str], list[str]]:
    """Add the pairs of equal key and a row for each file of an ambiguous one; return the files whose key is alone.

    A key, of each side's own making, is ambiguous if it is not unique on both sides `among` these files, by default
    those that are left.
    """
    refs, tests = _grouped(left_ref, keys[0]), _grouped(left_test, keys[1])
    all_refs, all_tests = map(_grouped, among or (left_ref, left_test), keys)
    for name in refs.keys() & tests.keys():
        ours, theirs = refs.pop(name), tests.pop(name)
        if len(all_refs[name]) == len(all_tests[name]) == 1:
            pairs.append(Pair(ours[0], theirs[0]))
            continue
        message = f"several files of this name: {_listed(all_refs[name])} in REF, {_listed(all_tests[name])} in TEST"
        pairs += [Pair(path, None, "ambiguous", message) for path in ours]
        pairs += [Pair(None, path, "ambiguous", message) for path in theirs]
    return [path for group in refs.values() for path in group], [path for group in tests.values() for path in group]


def _listed(paths: list[str]) -> str:
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _grouped(files: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    groups = defaultdict(list)
    for path in files:
        groups[key(path)].append(path)
    return dict(groups)


def _without_extension(path: str) -> str:
    # macOS writes accents apart from their letters, others do not: the same name to every eye.
    return unicodedata.normalize("NFC", posixpath.splitext(path)[0])


def _stem(path: str) -> str:
    return posixpath.basename(_without_extension(path))
