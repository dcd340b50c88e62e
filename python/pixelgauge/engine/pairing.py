"""Two files or two folders to a list of pairs, in which every image file stands exactly once."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from pixelgauge.files.reading import cause
from pixelgauge.images import FILE_EXTENSIONS, image_files, path_name

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

    @property
    def name(self) -> str:
        """Both paths, or the one if they are equal or one is missing."""
        if self.ref is None or self.test is None or self.ref == self.test:
            return self.ref or self.test or ""
        return f"{self.ref} → {self.test}"


@dataclass(frozen=True)
class Pairing:
    """What :func:`find_pairs` found."""

    ref_root: str
    test_root: str
    pairs: list[Pair]
    ignored: Counter[str]
    """Files that are no images by their extension, in both folders."""

    def paths(self, pair: Pair) -> tuple[str | None, str | None]:
        """Join a pair's paths to their folders."""
        return (
            None if pair.ref is None else os.path.join(self.ref_root, pair.ref),
            None if pair.test is None else os.path.join(self.test_root, pair.test),
        )


def find_pairs(ref: str | os.PathLike[str], test: str | os.PathLike[str]) -> Pairing:
    """Pair two files, or the images of two folders.

    Images of folders are paired by equal relative path; those left over by relative path without the extension, however
    its accents are encoded; those still left by stem alone, if no other image of either folder has that stem. What has
    no partner, or more than one, becomes a pair with the status "missing" or "ambiguous", a subfolder that cannot be
    listed one with the status "unreadable".

    Parameters
    ----------
    ref, test : path
        Two files or two folders.

    Returns
    -------
    Pairing
        With pairs in the order of their paths.

    Raises
    ------
    FileNotFoundError
        If `ref` or `test` does not exist.
    ValueError
        If one is a file and the other a folder, or neither folder holds an image.
    OSError
        If `ref` or `test` cannot be listed.
    """
    ref, test = path_name(ref, "ref"), path_name(test, "test")
    for path in (ref, test):
        try:
            os.stat(path)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{path} does not exist") from error
    if os.path.isdir(ref) != os.path.isdir(test):
        folder, file = (ref, test) if os.path.isdir(ref) else (test, ref)
        raise ValueError(f"{folder} is a folder and {file} a file: give two files or two folders")
    if not os.path.isdir(ref):
        (ref_root, ref_name), (test_root, test_name) = os.path.split(ref), os.path.split(test)
        return Pairing(ref_root, test_root, [Pair(ref_name, test_name)], Counter())
    unlisted: list[Pair] = []
    ref_files, ref_ignored = image_files(ref, lambda path, e: unlisted.append(_unlisted(path, None, "REF", e)))
    test_files, test_ignored = image_files(test, lambda path, e: unlisted.append(_unlisted(None, path, "TEST", e)))
    if not ref_files and not test_files and not unlisted:
        raise ValueError(f"no image files in {ref} or {test} ({', '.join(FILE_EXTENSIONS)})")
    pairs = _paired(ref_files, test_files) + unlisted
    return Pairing(ref, test, sorted(pairs, key=lambda pair: pair.ref or pair.test or ""), ref_ignored + test_ignored)


def _unlisted(ref: str | None, test: str | None, side: str, error: OSError) -> Pair:
    return Pair(ref, test, "unreadable", f"{side}: the folder cannot be listed: {cause(error)}")


def _paired(ref_files: list[str], test_files: list[str]) -> list[Pair]:
    common = set(ref_files).intersection(test_files)
    pairs = [Pair(name, name) for name in common]
    left_ref = [name for name in ref_files if name not in common]
    left_test = [name for name in test_files if name not in common]
    left_ref, left_test = _match(left_ref, left_test, _without_extension, pairs)
    left_ref, left_test = _match(left_ref, left_test, _stem, pairs, among=(ref_files, test_files))
    pairs += [Pair(name, None, "missing", "no partner in TEST") for name in left_ref]
    pairs += [Pair(None, name, "missing", "no partner in REF") for name in left_test]
    return pairs


def _match(
    left_ref: list[str],
    left_test: list[str],
    key: Callable[[str], str],
    pairs: list[Pair],
    among: tuple[list[str], list[str]] | None = None,
) -> tuple[list[str], list[str]]:
    """Add the pairs of equal key and a row for each file of an ambiguous one; return the files whose key is alone.

    A key is ambiguous if it is not unique on both sides `among` these files, by default those that are left.
    """
    refs, tests = _grouped(left_ref, key), _grouped(left_test, key)
    all_refs, all_tests = (_grouped(files, key) for files in among or (left_ref, left_test))
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
