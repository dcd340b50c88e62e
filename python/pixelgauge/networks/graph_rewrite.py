"""Cuts an ONNX graph down to what some of its outputs need, and puts the package's own operators into it.

onnxruntime computes every output of a graph, has no Winograd convolution, and reads the features of LPIPS a dozen
times. Works on the protobuf bytes, so that no user needs the onnx package: messages are split into their fields, and
put together anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pixelgauge.networks.manifest import Tiles
from pixelgauge.networks.row_geometry import Step

# Field numbers of onnx.proto.
_MODEL_GRAPH, _MODEL_OPSET = 7, 8
_GRAPH_NODE, _GRAPH_INITIALISER, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 5, 11, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_OP, _NODE_ATTRIBUTE, _NODE_DOMAIN = 1, 2, 3, 4, 5, 7
_ATTRIBUTE_NAME, _ATTRIBUTE_INT, _ATTRIBUTE_INTS, _ATTRIBUTE_TYPE = 1, 3, 8, 20
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 1, 2, 8, 13, 14
_VALUE_NAME, _VALUE_TYPE, _TYPE_TENSOR, _TENSOR_ELEMENT = 1, 2, 1, 1
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_INT, _FLOAT, _EXTERNAL = 2, 1, 1


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


def extract_subgraph(model: bytes, outputs: Sequence[str]) -> tuple[bytes, set[str]]:
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
    field = _block(_MODEL_GRAPH, smaller)
    return b"".join(field if number == _MODEL_GRAPH else whole for number, whole, _ in _fields(model)), initialisers


def cut_subgraph(model: bytes, inputs: Sequence[str], outputs: Sequence[str]) -> tuple[bytes, set[str]]:
    """Leave the part of a graph that makes some of its tensors, all of float32, from others.

    Parameters
    ----------
    model : bytes
        A serialised ONNX model.
    inputs, outputs : sequence of str
        Tensors that become the graph's inputs and its outputs.

    Returns
    -------
    bytes
        The smaller model.
    set of str
        Names of the initialisers that are left.
    """
    graph = next(content for number, _, content in _fields(model) if number == _MODEL_GRAPH)
    declared = {
        _strings(content, _VALUE_NAME)[0]: content for number, _, content in _fields(graph) if number == _GRAPH_INPUT
    }
    parts = []
    for number, whole, content in _fields(graph):
        made = _strings(content, _NODE_OUTPUT) if number == _GRAPH_NODE else []
        if number not in (_GRAPH_INPUT, _GRAPH_OUTPUT) and set(inputs).isdisjoint(made):
            parts.append(whole)
    parts += [_block(_GRAPH_INPUT, declared.get(name) or _float_tensor(name)) for name in inputs]
    parts += [_block(_GRAPH_OUTPUT, _float_tensor(name)) for name in outputs]
    field = _block(_MODEL_GRAPH, b"".join(parts))
    cut = b"".join(field if number == _MODEL_GRAPH else whole for number, whole, _ in _fields(model))
    return extract_subgraph(cut, outputs)


def _float_tensor(name: str) -> bytes:
    """Declare a tensor of any shape."""
    kind = _block(_TYPE_TENSOR, _number(_TENSOR_ELEMENT, _FLOAT))
    return _block(_VALUE_NAME, name.encode()) + _block(_VALUE_TYPE, kind)


@dataclass(frozen=True)
class Convolution:
    """A convolution and the rectifier after it, which :func:`with_winograd` made one node."""

    weight: str
    """Its initialiser, with the shape (filters, channels, *kernel)."""
    filters: int
    channels: int
    kernel: tuple[int, int]
    tile: tuple[int, int]

    @property
    def transformed(self) -> str:
        """Name of the initialiser that takes the weight's place."""
        return f"{self.weight}.winograd"

    def facts(self, pads: Sequence[int], threads: int) -> dict[str, int]:
        """Attributes of the operator, of a convolution with these pads, in a session of so many threads."""
        return {
            "channels": self.channels,
            "filters": self.filters,
            "kernel_height": self.kernel[0],
            "kernel_width": self.kernel[1],
            "tile_height": self.tile[0],
            "tile_width": self.tile[1],
            "padding_height": pads[0],
            "padding_width": pads[1],
            "rectified": 1,
            "threads": threads,
        }


DOMAIN = "pixelgauge"
CONVOLUTION, DIFFERENCE = "WinogradConv", "LpipsLayer"
_FEWEST_CHANNELS = 16
"""Of a register; with fewer, an image's three, the transforms would cost more than they save."""


def _number(field: int, value: int) -> bytes:
    return _length(field << 3) + _length(value)


def _block(field: int, content: bytes) -> bytes:
    return _length(field << 3 | 2) + _length(len(content)) + content


def _ints(message: bytes, number: int) -> list[int]:
    """Values of a repeated integer, packed or not."""
    values = []
    for field, whole, content in _fields(message):
        if field != number:
            continue
        data, at = (content, 0) if whole[0] & 7 == 2 else (whole, _varint(whole, 0)[1])
        while at < len(data):
            value, at = _varint(data, at)
            values.append(value)
    return values


def _operator(op: str, inputs: Sequence[str], output: str, attributes: Mapping[str, int]) -> bytes:
    """Field of a graph: a node of the package's domain, named after its output."""
    node = b"".join(_block(_NODE_INPUT, name.encode()) for name in inputs)
    node += _block(_NODE_OUTPUT, output.encode()) + _block(_NODE_NAME, output.encode())
    node += _block(_NODE_OP, op.encode()) + _block(_NODE_DOMAIN, DOMAIN.encode())
    for name, value in attributes.items():
        attribute = _block(_ATTRIBUTE_NAME, name.encode()) + _number(_ATTRIBUTE_INT, value)
        node += _block(_NODE_ATTRIBUTE, attribute + _number(_ATTRIBUTE_TYPE, _INT))
    return _block(_GRAPH_NODE, node)


def _importing(model: bytes, graph: Sequence[bytes]) -> bytes:
    """Put new fields in the place of a model's graph, which may use the package's operators."""
    opset = _block(_MODEL_OPSET, _block(_OPSET_DOMAIN, DOMAIN.encode()) + _number(_OPSET_VERSION, 1))
    parts = [whole for number, whole, _ in _fields(model) if number != _MODEL_GRAPH and whole != opset]
    return b"".join([*parts, _block(_MODEL_GRAPH, b"".join(graph)), opset])


def with_lpips_layers(model: bytes) -> bytes:
    """Compute each layer of an LPIPS graph, from its features to its map, by one operator of the package.

    What the operator makes superfluous is left for :func:`extract_subgraph`.

    Parameters
    ----------
    model : bytes
        One of the package's LPIPS graphs, serialised.

    Returns
    -------
    bytes
        The model, in which ``map0``, ``map1`` and so on are outputs of the operator.
    """
    graph = next(content for number, _, content in _fields(model) if number == _MODEL_GRAPH)
    fields = list(_fields(graph))
    inputs = {
        output: _strings(content, _NODE_INPUT)
        for number, _, content in fields
        if number == _GRAPH_NODE
        for output in _strings(content, _NODE_OUTPUT)
    }
    parts = []
    for number, whole, content in fields:
        output = _strings(content, _NODE_OUTPUT)[0] if number == _GRAPH_NODE else ""
        if output.startswith("map") and output[3:].isdigit():
            features, head = inputs[f"flat{output[3:]}"][0], inputs[f"weighted{output[3:]}"][0]
            parts.append(_operator(DIFFERENCE, [features, head, "norm_inside", "norm_outside"], output, {}))
        else:
            parts.append(whole)
    return _importing(model, parts)


@dataclass(frozen=True)
class LpipsPart:
    """A part of an LPIPS graph: the maps of the layers whose features it makes, and where the next begins."""

    maps: tuple[str, ...]
    carried: str | None
    """None of the last part."""


def lpips_parts(model: bytes) -> list[LpipsPart]:
    """Part an LPIPS graph wherever all that follows depends on a single tensor.

    Every part has a window; a rectifier or a pool goes with the convolution before it.
    """
    graph = next(content for number, _, content in _fields(model) if number == _MODEL_GRAPH)
    nodes = [content for number, _, content in _fields(graph) if number == _GRAPH_NODE]
    makers = {name: node for node in nodes for name in _strings(node, _NODE_OUTPUT)}
    taps = {}
    for name, node in makers.items():
        if name.startswith("map") and name[3:].isdigit():
            replaced = _strings(node, _NODE_OP) == [DIFFERENCE]
            taps[_strings(node if replaced else makers[f"flat{name[3:]}"], _NODE_INPUT)[0]] = name
    chain = _ancestors(nodes, list(taps)[-1])
    last_reader = {name: i for i, node in enumerate(chain) for name in _strings(node, _NODE_INPUT)}
    parts: list[LpipsPart] = []
    live: set[str] = set()
    maps: list[str] = []
    windowed = False
    for i, node in enumerate(chain):
        made = _strings(node, _NODE_OUTPUT)[0]
        live = {name for name in (*live, made) if last_reader.get(name, -1) > i}
        maps += [taps[made]] if made in taps else []
        windowed |= any(of > 1 for of in _attributes(node).get("kernel_shape", ()))
        goes_on = i + 1 < len(chain) and _strings(chain[i + 1], _NODE_OP)[0] in ("Relu", "MaxPool")
        if windowed and live == {made} and not goes_on:
            parts.append(LpipsPart(tuple(maps), made))
            maps, windowed = [], False
    return [*parts, LpipsPart(tuple(maps), None)]


def _ancestors(nodes: Sequence[bytes], tensor: str) -> list[bytes]:
    """Nodes that a tensor needs, in order."""
    needed, found = {tensor}, []
    for node in reversed(nodes):
        if not needed.isdisjoint(_strings(node, _NODE_OUTPUT)):
            needed.update(_strings(node, _NODE_INPUT))
            found.append(node)
    return found[::-1]


_BY_POSITION = {"Add", "Concat", "Div", "MatMul", "Mul", "Relu", "Reshape", "Split", "Sqrt", "Sub", DIFFERENCE}
"""Operators that make a row of the same row of their inputs. MatMul and Reshape are on this list for LPIPS's heads."""


def steps_of(model: bytes, tiles: Tiles) -> list[Step]:
    """Tell what the operators of a graph, of which some go by Winograd convolution, do to the rows of its tensors.

    Raises
    ------
    ValueError
        If the graph has an operator of which that is not known.
    """
    graph = next(content for number, _, content in _fields(model) if number == _MODEL_GRAPH)
    fields = list(_fields(graph))
    shapes = {
        _strings(content, _TENSOR_NAME)[0]: tuple(_ints(content, _TENSOR_DIMS))
        for number, _, content in fields
        if number == _GRAPH_INITIALISER
    }
    tiled = {place: one.tile for place, _, one, _ in _rectified_convolutions(fields, tiles)}
    steps = []
    for i, (number, _, node) in enumerate(fields):
        if number != _GRAPH_NODE:
            continue
        op, inputs = _strings(node, _NODE_OP)[0], _strings(node, _NODE_INPUT)
        made = tuple(name for name in inputs if name not in shapes), tuple(_strings(node, _NODE_OUTPUT))
        facts = {name: tuple(values) for name, values in _attributes(node).items()}
        if op in _BY_POSITION:
            steps.append(Step(*made, joins=op == "Concat", sums=op in ("MatMul", DIFFERENCE)))
        elif op in ("Conv", "MaxPool"):
            pads = facts.get("pads", (0, 0, 0, 0))
            sizes = (facts["kernel_shape"], facts["strides"], pads[:2], pads[2:])
            filters, channels = shapes[inputs[1]][:2] if op == "Conv" else (1, 1)
            steps.append(Step(*made, *sizes, tiled.get(i, (1, 1)), _single(node, "ceil_mode") == 1, filters, channels))
        elif op != "Shape":  # which has no rows
            raise ValueError(f"{op} ({made[1][0]}): what it does to rows is not known")
    return steps


def _single(node: bytes, name: str) -> int:
    """Value of an attribute that is one integer; 0 if it is not there."""
    for number, _, attribute in _fields(node):
        if number == _NODE_ATTRIBUTE and _strings(attribute, _ATTRIBUTE_NAME) == [name]:
            return sum(_ints(attribute, _ATTRIBUTE_INT))
    return 0


def with_winograd(
    model: bytes,
    tiles: Tiles,
    lengths: Mapping[str, int] | None = None,
    threads: int = 1,
) -> tuple[bytes, list[Convolution]]:
    """Replace convolutions of stride 1, with the rectifier after them, by the package's operator.

    Parameters
    ----------
    model : bytes
        A serialised ONNX model as :func:`extract_subgraph` leaves it.
    tiles : mapping
        Which kernels to replace, and how; see :data:`Tiles`. None leaves a convolution as it is.
    lengths : mapping of str to int, optional
        Values of each transformed weight, by the weight's name; needed for the model to be loaded.
    threads : int, default 1
        Threads of the session that will run it.

    Returns
    -------
    bytes
        The model, in which ``WEIGHT.winograd`` takes the place of WEIGHT.
    list of Convolution
        Those that were replaced.
    """
    graph = next(content for number, _, content in _fields(model) if number == _MODEL_GRAPH)
    fields = list(_fields(graph))
    replaced: dict[int, bytes] = {}
    found: list[Convolution] = []
    for place, after, one, bias in _rectified_convolutions(fields, tiles):
        node, rectifier = fields[place][2], fields[after][2]
        inputs = [_strings(node, _NODE_INPUT)[0], one.transformed, bias]
        result = _strings(rectifier, _NODE_OUTPUT)[0]
        replaced[place] = _operator(CONVOLUTION, inputs, result, one.facts(_attributes(node)["pads"], threads))
        replaced[after] = b""
        found.append(one)
    by_weight = {one.weight: one for one in found}
    parts = []
    for i, (number, whole, content) in enumerate(fields):
        if i in replaced:
            parts.append(replaced[i])
        elif number == _GRAPH_INITIALISER and _strings(content, _TENSOR_NAME)[0] in by_weight:
            one = by_weight[_strings(content, _TENSOR_NAME)[0]]
            parts.append(_transformed_weight(content, one, (lengths or {}).get(one.weight, 0)))
        else:
            parts.append(whole)
    return (_importing(model, parts) if found else model), found


def _attributes(node: bytes) -> dict[str, list[int]]:
    """Attributes of a node that are lists of integers, by name."""
    return {
        _strings(attribute, _ATTRIBUTE_NAME)[0]: _ints(attribute, _ATTRIBUTE_INTS)
        for number, _, attribute in _fields(node)
        if number == _NODE_ATTRIBUTE
    }


def _rectified_convolutions(
    fields: Sequence[tuple[int, bytes, bytes]], tiles: Tiles
) -> Iterator[tuple[int, int, Convolution, str]]:
    """Find what can be replaced: the places of convolution and rectifier, what it is, and the name of its bias."""
    shapes = {
        _strings(content, _TENSOR_NAME)[0]: tuple(_ints(content, _TENSOR_DIMS))
        for number, _, content in fields
        if number == _GRAPH_INITIALISER
    }
    nodes = {i: content for i, (number, _, content) in enumerate(fields) if number == _GRAPH_NODE}
    readers: dict[str, list[int]] = {}
    for i, content in nodes.items():
        for name in _strings(content, _NODE_INPUT):
            readers.setdefault(name, []).append(i)
    for i, content in nodes.items():
        if _strings(content, _NODE_OP) != ["Conv"]:
            continue
        _, weight, bias = _strings(content, _NODE_INPUT)
        attributes = _attributes(content)
        filters, channels, height, width = shapes[weight]
        tile = tiles.get(weight, tiles.get((height, width)))
        after = readers[_strings(content, _NODE_OUTPUT)[0]]
        if (
            tile is not None
            and channels >= _FEWEST_CHANNELS
            and attributes["strides"] == [1, 1]
            and attributes["pads"][:2] == attributes["pads"][2:]
            and len(after) == 1
            and _strings(nodes[after[0]], _NODE_OP) == ["Relu"]
            and len(readers[weight]) == 1
        ):
            yield i, after[0], Convolution(weight, filters, channels, (height, width), tile), bias


def _transformed_weight(tensor: bytes, one: Convolution, length: int) -> bytes:
    """Make the initialiser of so many values that takes the place of a convolution's weight."""
    made = _number(_TENSOR_DIMS, length) + _number(_TENSOR_TYPE, _FLOAT)
    made += _block(_TENSOR_NAME, one.transformed.encode())
    # Where an external initialiser would lie must be said, though it is never read: values replace it.
    made += b"".join(whole for field, whole, _ in _fields(tensor) if field == _TENSOR_EXTERNAL)
    return _block(_GRAPH_INITIALISER, made + _number(_TENSOR_LOCATION, _EXTERNAL))
