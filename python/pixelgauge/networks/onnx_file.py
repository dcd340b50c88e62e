"""What an ONNX file of unknown origin holds, read from its protobuf bytes: no user needs the onnx package.

Refused by name: operators that onnxruntime does not bring, and weights that lie elsewhere than beside the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath

from pixelgauge.files.reading import FileError, cause, open_regular, shown, size_of

# Field numbers of onnx.proto.
_MODEL_GRAPH, _MODEL_FUNCTION = 7, 25
_GRAPH_NODE, _GRAPH_INITIALISER, _GRAPH_SPARSE_INITIALISER = 1, 5, 15
_NODE_OP, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_TENSOR_NAME, _TENSOR_EXTERNAL, _ENTRY_KEY, _ENTRY_VALUE = 8, 13, 1, 2
_SPARSE_PARTS = (1, 2)
_FUNCTION_NAME, _FUNCTION_NODE, _FUNCTION_DOMAIN = 1, 7, 10

_DOMAINS = frozenset(
    {"", "com.ms.internal.nhwc"}
    | {f"ai.onnx{part}" for part in ("", ".ml", ".training", ".preview.training")}
    | {f"com.microsoft{part}" for part in ("", ".nchwc", ".experimental")}
)
"""Whose operators onnxruntime brings."""
_MOST_LEVELS = 32
"""Of graphs within one another."""
WHOLE = "it may be truncated, or is no ONNX file"
"""What to say of a file that cannot be read."""


@dataclass
class Contents:
    """What is asked of a model before it is loaded."""

    operators: dict[tuple[str, str], None] = field(default_factory=dict)
    """(domain, operator) of every node."""
    own: set[tuple[str, str]] = field(default_factory=set)
    """(domain, name) of the functions that the model defines itself."""
    external: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Name and whereabouts of every tensor outside of the file."""


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than 64 bits")


def _messages(data: memoryview, *numbers: int) -> Iterator[tuple[int, memoryview]]:
    """Fields of a message with one of some numbers that hold bytes: text, or messages."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        wire = key & 7
        if wire == 0:
            _, at = _varint(data, at)
            continue
        if wire == 2:
            length, at = _varint(data, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"a field of wire type {wire}")
        if length > end - at:
            raise ValueError(f"a field of {length} bytes where {end - at} are left")
        if wire == 2 and key >> 3 in numbers:
            yield key >> 3, data[at : at + length]
        at += length


def _text(message: memoryview, number: int) -> str:
    found = ""
    for _, content in _messages(message, number):  # of several the last counts
        found = bytes(content).decode()
    return found


def contents_of(path: str, data: bytes) -> Contents:
    """Operators and external tensors of a model.

    Raises
    ------
    FileError
        If the bytes of `path` are no model, or end too early.
    """
    found = Contents()
    try:
        graphs = 0
        for number, content in _messages(memoryview(data), _MODEL_GRAPH, _MODEL_FUNCTION):
            if number == _MODEL_GRAPH:
                graphs += 1
                _walk_graph(content, found, 0)
                continue
            found.own.add((_text(content, _FUNCTION_DOMAIN), _text(content, _FUNCTION_NAME)))
            for _, node in _messages(content, _FUNCTION_NODE):
                _walk_node(node, found, 0)
    except (ValueError, IndexError) as error:
        said = cause(error) if isinstance(error, ValueError) else "it ends within a field"
        raise FileError(path, f"cannot be read as an ONNX model ({said})", WHOLE) from error
    if graphs != 1:
        raise FileError(path, f"holds {graphs or 'no'} graph{'s' * (graphs > 1)}", WHOLE)
    return found


def _walk_graph(graph: memoryview, found: Contents, level: int) -> None:
    if level > _MOST_LEVELS:
        raise ValueError(f"graphs lie more than {_MOST_LEVELS} levels deep")
    for number, content in _messages(graph, _GRAPH_NODE, _GRAPH_INITIALISER, _GRAPH_SPARSE_INITIALISER):
        if number == _GRAPH_NODE:
            _walk_node(content, found, level)
        elif number == _GRAPH_INITIALISER:
            _note_tensor(content, found)
        else:
            _note_sparse(content, found)


def _walk_node(node: memoryview, found: Contents, level: int) -> None:
    found.operators[_text(node, _NODE_DOMAIN), _text(node, _NODE_OP)] = None
    for _, attribute in _messages(node, _NODE_ATTRIBUTE):
        for number, content in _messages(attribute, *_ATTRIBUTE_TENSORS, *_ATTRIBUTE_GRAPHS, *_ATTRIBUTE_SPARSE):
            if number in _ATTRIBUTE_TENSORS:
                _note_tensor(content, found)
            elif number in _ATTRIBUTE_GRAPHS:
                _walk_graph(content, found, level + 1)
            else:
                _note_sparse(content, found)


def _note_sparse(sparse: memoryview, found: Contents) -> None:
    for _, tensor in _messages(sparse, *_SPARSE_PARTS):
        _note_tensor(tensor, found)


def _note_tensor(tensor: memoryview, found: Contents) -> None:
    entries = {_text(entry, _ENTRY_KEY): _text(entry, _ENTRY_VALUE) for _, entry in _messages(tensor, _TENSOR_EXTERNAL)}
    if entries:
        found.external.append((_text(tensor, _TENSOR_NAME), entries))


def require_known_operators(path: str, found: Contents) -> None:
    """Raise a ``FileError`` that names the operators of a model that onnxruntime does not bring."""
    custom = sorted(
        f"{domain}::{op}" for domain, op in found.operators if domain not in _DOMAINS and (domain, op) not in found.own
    )
    if custom:
        names = ", ".join(shown(name, 80) for name in custom[:5]) + (", ..." if len(custom) > 5 else "")
        remedy = "export it with standard ONNX operators alone"
        raise FileError(path, f"needs custom operators, of which no code is loaded: {names}", remedy)


def external_files(path: str, found: Contents) -> dict[str, str]:
    """List the files of the external data, by the location that the model names.

    Raises
    ------
    FileError
        If one does not lie beside the model, is not there, or is too short.
    """
    files: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for tensor, entries in found.external:
        location = entries.get("location", "")
        what = f"tensor {shown(tensor, 80)!r} lies in {shown(location, 200)!r}"
        windows = PureWindowsPath(location)
        parts = {*PurePosixPath(location).parts, *windows.parts}
        if not location or "\0" in location or ".." in parts or location.startswith("/") or windows.anchor:
            reason = f"{what}, and external data is only read beside the graph"
            raise FileError(path, reason, "save the model again with its data file in the same folder")
        if location not in files:
            folder = os.path.dirname(os.path.abspath(path))
            file = os.path.join(folder, location)
            if os.path.commonpath([os.path.realpath(folder), real := os.path.realpath(file)]) != os.path.realpath(
                folder
            ):
                reason = (
                    f"{what}, which is a link to {shown(real, 200)}, and onnxruntime follows none out of the folder"
                )
                raise FileError(path, reason, "copy both files themselves into one folder (cp -L)")
            try:
                with open_regular(file) as opened:
                    sizes[location] = size_of(opened)
            except OSError as error:
                remedy = "copy the data file to the folder of the graph, under that name"
                why = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be opened ({cause(error)})"
                raise FileError(path, f"{what}, which {why}", remedy) from error
            files[location] = file
        numbers = [entries.get(key, "0") for key in ("offset", "length")]
        if not all(text.isascii() and text.isdecimal() and len(text) < 20 for text in numbers):
            raise FileError(path, f"{what} at no number ({shown(' and '.join(numbers), 80)})", WHOLE)
        offset, length = map(int, numbers)
        if offset + length > sizes[location]:
            reason = f"{what} up to byte {offset + length}, and that file has {sizes[location]}"
            raise FileError(path, reason, "the data file may be truncated, or belong to another graph")
    return files
