"""What a command writes beside its results: errors name the option, and none of them takes results that are there."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
from collections.abc import Iterable, Iterator

from pixelgauge.cli import EXIT_GATE_FAILED, EXIT_WRONG_USE, UsageError, is_nameless
from pixelgauge.files.reading import FileError, printable

TO_WRITE = {
    errno.ENOENT: "make its folder, or name another file",
    errno.ENOTDIR: "name a file in a folder",
    errno.EISDIR: "name a file in it",
    errno.EACCES: "name a file in a folder that you may write to",
    errno.EPERM: "name a file in a folder that you may write to",
    errno.EROFS: "name a file on a disk that can be written",
    errno.ENOSPC: "make room, or name a file on another disk",
    errno.EDQUOT: "make room, or name a file on another disk",
    errno.EFBIG: "name a file on a disk that takes one as large",
    errno.ENAMETOOLONG: "give a shorter name",
}
"""What to do where a file cannot be written, by the system's reason."""
TO_READ = {
    errno.ENOENT: "name a file that is there",
    errno.EACCES: "name a file that you may read",
}
"""What to do where one cannot be read."""


@contextlib.contextmanager
def naming(option: str, path: str | os.PathLike[str] | None, remedies: dict[int, str] | None = None) -> Iterator[None]:
    """Name the option in an error of the file that it names, and say what to do; errors of other files pass."""
    remedies = TO_WRITE if remedies is None else remedies
    try:
        yield
    except FileError as error:
        if path is None or error.path != os.fspath(path):
            raise
        raise UsageError(f"{option}: {error}") from error
    except OSError as error:
        if path is None or error.filename != os.fspath(path):
            raise
        remedy = remedies.get(error.errno or 0)
        raise UsageError(f"{option}: {error.strerror}: {error.filename!r}{f': {remedy}' if remedy else ''}") from error


def require_page(path: str | os.PathLike[str] | None, inputs: Iterable[str] = ()) -> None:
    """Raise before any work for a page that ``--report`` asks for and that cannot be written there."""
    if path is None:
        return
    from pixelgauge.report.document import require_report_writable

    with naming("--report", path):
        require_report_writable(os.fspath(path), inputs)


class LateError(UsageError):
    """What could not be written once the results were printed."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class AfterResults:
    """Exit code of results that are printed, None as long as they are not; from :func:`after_results`."""

    code: int | None = None


@contextlib.contextmanager
def after_results() -> Iterator[AfterResults]:
    """Say of what fails after the results were printed that they stand; a failed gate's exit code comes first.

    The block sets ``code`` once they are printed.
    """
    after = AfterResults()
    try:
        yield after
    except (UsageError, OSError, ValueError, TypeError, ImportError, RuntimeError, MemoryError) as error:
        if after.code is None or (isinstance(error, OSError) and is_nameless(error)):  # stdout did not take them
            raise
        code = after.code if after.code == EXIT_GATE_FAILED else EXIT_WRONG_USE
        why = "there is not enough memory" if isinstance(error, MemoryError) else str(error)
        raise LateError(f"the results are whole, but not all files could be written: {why}", code) from error


def say_page(args: argparse.Namespace) -> None:
    """Print where the page is, if one was written and words are printed."""
    if args.report is not None and not args.json and not vars(args).get("quiet"):
        print(f"page in {printable(str(args.report))}")
