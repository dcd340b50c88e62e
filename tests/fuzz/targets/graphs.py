"""ONNX files, as they are read before onnxruntime is: the operators and the whereabouts of the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from .. import mutations, readers
from ..target import Target, folder


def _read(data: bytes) -> Any:
    place = Path(folder())
    (place / "graph.data").write_bytes(bytes(64))
    return readers.read_onnx(data, str(place / "graph.onnx"))


def _right(found: Any, data: bytes) -> None:
    for _, entries in found.external:
        assert ".." not in entries["location"].split("/")
        assert int(entries.get("offset", "0")) + int(entries.get("length", "0")) <= 64
    try:
        model = onnx.ModelProto.FromString(data)
    except Exception:  # what lies in fields that are not asked for
        return
    nodes = {(node.domain, node.op_type) for node in model.graph.node}
    assert nodes <= set(found.operators), nodes


TARGETS = [
    Target(
        "onnx",
        _read,
        _right,
        mutations.with_tokens(b"location", b"graph.data", b"../", b"offset", b"com.acme", b"Relu", b"\x7a", b"\x3a"),
        readers.ONNX,
    )
]
