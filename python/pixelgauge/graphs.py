"""Cuts an ONNX graph down to what some of its outputs need, since onnxruntime computes every output of a graph.

Works on the protobuf bytes, so that no user needs the onnx package: messages are split into their fields, and nodes,
initialisers and outputs that nothing needs are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# Field numbers of onnx.proto.
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALISER, _GRAPH_OUTPUT = 1, 5, 12
_NODE_INPUT, _NODE_OUTPUT = 1, 2
_TENSOR_NAME, _VALUE_NAME = 8, 1


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _fields(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Split a message into (number, the whole field, its content)."""
    at = 0
    while at < len(data):
        start = at
        key, at = _varint(data, at)
        wire = key & 7
        begin = at
        if wire == 0:
            _, at = _varint(data, at)
        elif wire == 2:
            length, begin = _varint(data, at)
            at = begin + length
        else:
            at += {1: 8, 5: 4}[wire]
        yield key >> 3, data[start:at], data[begin:at]


def _strings(message: bytes, number: int) -> list[str]:
    return [content.decode() for field, _, content in _fields(message) if field == number]


def _length(n: int) -> bytes:
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([*out, n])


def cut(model: bytes, outputs: Sequence[str]) -> tuple[bytes, set[str]]:
    """Leave out what `outputs` do not need.

    Parameters
    ----------
    model : bytes
        A serialised ONNX model whose nodes are in topological order, as ONNX requires.
    outputs : sequence of str
        Outputs to keep, in the graph's order.

    Returns
    -------
    bytes
        The smaller model.
    set of str
        Names of the initialisers that are left.

    Raises
    ------
    ValueError
        If the graph has no such output.
    """
    graph = next(content for number, _, content in _fields(model) if number == _MODEL_GRAPH)
    fields = list(_fields(graph))
    known = [_strings(content, _VALUE_NAME)[0] for number, _, content in fields if number == _GRAPH_OUTPUT]
    for name in outputs:
        if name not in known:
            raise ValueError(f"the graph has no output {name!r}: use one of {', '.join(map(repr, known))}")
    needed = set(outputs)
    kept: set[int] = set()
    for i in range(len(fields) - 1, -1, -1):
        number, _, content = fields[i]
        if number == _GRAPH_NODE and not needed.isdisjoint(_strings(content, _NODE_OUTPUT)):
            needed.update(_strings(content, _NODE_INPUT))
            kept.add(i)
    initialisers = set()
    parts = []
    for i, (number, whole, content) in enumerate(fields):
        if number == _GRAPH_NODE and i not in kept:
            continue
        if number == _GRAPH_OUTPUT and _strings(content, _VALUE_NAME)[0] not in outputs:
            continue
        if number == _GRAPH_INITIALISER:
            name = _strings(content, _TENSOR_NAME)[0]
            if name not in needed:
                continue
            initialisers.add(name)
        parts.append(whole)
    smaller = b"".join(parts)
    field = _length(_MODEL_GRAPH << 3 | 2) + _length(len(smaller)) + smaller
    return b"".join(field if number == _MODEL_GRAPH else whole for number, whole, _ in _fields(model)), initialisers
