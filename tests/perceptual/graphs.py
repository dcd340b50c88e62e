"""Small networks as ONNX files, made by the onnx package: each with one thing that a stranger's file may have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the onnx package, of the test extra, is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

Axes = Sequence[int | str | None]
FLOAT, HALF, BYTES = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8


def info(name: str, axes: Axes | None, kind: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, axes)


def weights(name: str, *shape: int, seed: int = 0, dtype: type = np.float32) -> Any:
    scale = np.sqrt(2 / max(1, np.prod(shape[1:])))
    values = np.random.default_rng(seed).standard_normal(shape) * scale
    return numpy_helper.from_array(values.astype(dtype), name)


def constant(name: str, values: Any, dtype: type = np.float32) -> Any:
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def model(
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    initialisers: Sequence[Any] = (),
    domains: Sequence[str] = (),
    **others: Any,
) -> Any:
    graph = helper.make_graph(list(nodes), "graph", list(inputs), list(outputs), list(initialisers))
    opsets = [helper.make_opsetid("", 18), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, **others)


def network(
    axes: Axes = ("N", 3, 24, 24),
    *,
    kind: int = FLOAT,
    width: int = 6,
    batch: Any = "N",
    said: Axes | None = ("N", 6),
    before: Sequence[Any] = (),
    seen: str = "images",
    after: Sequence[Any] = (),
    outputs: Sequence[Any] = (),
    initialisers: Sequence[Any] = (),
    domains: Sequence[str] = (),
) -> Any:
    """Convolution, rectifier, mean over positions, and a linear layer: "pooled" (N, 8, 1, 1) and "features" (N, 6)."""
    dtype = np.float16 if kind == HALF else np.float32
    nodes = [
        *before,
        helper.make_node("Conv", [seen, "kernel", "bias"], ["convolved"], strides=[2, 2]),
        helper.make_node("Relu", ["convolved"], ["rectified"]),
        helper.make_node("GlobalAveragePool", ["rectified"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "matrix"], ["features"]),
        *after,
    ]
    tensors = [
        weights("kernel", 8, 3, 3, 3, dtype=dtype),
        weights("bias", 8, seed=1, dtype=dtype),
        weights("matrix", 8, width, seed=2, dtype=dtype),
        *initialisers,
    ]
    default = info("features", said, FLOAT if kind == BYTES else kind)
    return model(nodes, [info("images", axes, kind)], outputs or [default], tensors, domains)


def tokens(length: int = 5, batch: Any = "N") -> Any:
    """(N, T, 4) "last_hidden_state" and (N, 4) "pooler_output", as transformers are exported."""
    nodes = [
        helper.make_node("Conv", ["images", "kernel"], ["patches"], strides=[8, 8]),
        helper.make_node("Reshape", ["patches", "shape"], ["sequence"]),
        helper.make_node("Transpose", ["sequence"], ["last_hidden_state"], perm=[0, 2, 1]),
        helper.make_node("Gather", ["last_hidden_state", "zero"], ["pooler_output"], axis=1),
    ]
    return model(
        nodes,
        [info("images", [batch, 3, 24, 24])],
        [info("last_hidden_state", [batch, 9, 4]), info("pooler_output", [batch, 4])],
        [weights("kernel", 4, 3, 8, 8), constant("shape", [0, 4, -1], np.int64), constant("zero", 0, np.int64)],
    )


def eight_bit() -> Any:
    """Takes uint8 and scales it itself."""
    before = [
        helper.make_node("Cast", ["images"], ["floats"], to=FLOAT),
        helper.make_node("Div", ["floats", "levels"], ["scaled"]),
    ]
    return network(kind=BYTES, before=before, seen="scaled", initialisers=[constant("levels", 255)])


def channels_last() -> Any:
    before = [helper.make_node("Transpose", ["images"], ["planes"], perm=[0, 3, 1, 2])]
    return network(("N", 24, 24, 3), before=before, seen="planes")


def less_the_batch_mean(share: float = 1.0) -> Any:
    """Takes a share of the batch's mean away: every image changes all others."""
    after = [
        helper.make_node("ReduceMean", ["features", "first"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "share"], ["part"]),
        helper.make_node("Sub", ["features", "part"], ["centred"]),
    ]
    tensors = [constant("first", [0], np.int64), constant("share", share)]
    return network(after=after, outputs=[info("centred", ["N", 6])], initialisers=tensors)


def batch_norm_in_training() -> Any:
    before = [
        helper.make_node(
            "BatchNormalization",
            ["images", "scale", "bias0", "mean0", "var1"],
            ["normal", "running_mean", "running_var"],
            training_mode=1,
        )
    ]
    values = {"scale": 1.5, "bias0": 0.25, "mean0": 0, "var1": 1}  # of equal ones onnxruntime keeps one
    tensors = [constant(name, np.full(3, value)) for name, value in values.items()]
    return network(before=before, seen="normal", initialisers=tensors)


def with_state() -> Any:
    """BatchNorm in training mode whose bias is its running mean, which onnxruntime changes where it lies."""
    found = batch_norm_in_training()
    found.graph.node[0].input[2] = "mean0"
    return found


def dropout_in_training() -> Any:
    after = [helper.make_node("Dropout", ["features", "half", "yes"], ["dropped"])]
    tensors = [constant("half", 0.5), constant("yes", True, np.bool_)]
    return network(after=after, outputs=[info("dropped", ["N", 6])], initialisers=tensors)


def by_place() -> Any:
    """Features by their place: as many as the size of an image makes, which the graph leaves open."""
    after = [helper.make_node("Flatten", ["rectified"], ["places"])]
    return network(("N", 3, "H", "W"), after=after, outputs=[info("places", ["N", "D"])])


def of_one_image() -> Any:
    """Says that its batch is free, and has it fixed to one inside."""
    after = [helper.make_node("Reshape", ["features", "one"], ["fixed"])]
    return network(after=after, outputs=[info("fixed", ["N", 6])], initialisers=[constant("one", [1, 6], np.int64)])


def with_weights_among_the_inputs() -> Any:
    """As exporters wrote until 2019."""
    found = network()
    found.ir_version = 3
    found.opset_import[0].version = 7
    for tensor in found.graph.initializer:
        found.graph.input.append(info(tensor.name, tensor.dims))
    found.graph.initializer.append(constant("zero", [0.0] * 6))
    found.graph.input.append(info("zero", [6]))
    found.graph.node[-1].input.append("zero")
    return found


def turned_round(order: Sequence[int] = (1, 0)) -> Any:
    """Gives the features of the batch in another order."""
    count = len(order)
    after = [helper.make_node("Gather", ["features", "order"], ["turned"], axis=0)]
    return network(
        (count, 3, 24, 24),
        after=after,
        outputs=[info("turned", [count, 6])],
        initialisers=[constant("order", order, np.int64)],
        said=(count, 6),
    )


def by_its_place() -> Any:
    """Adds to the features of an image what belongs to its place in the batch."""
    after = [helper.make_node("Add", ["features", "places"], ["placed"])]
    tensors = [constant("places", np.arange(3)[:, np.newaxis])]
    return network((3, 3, 24, 24), after=after, outputs=[info("placed", [3, 6])], initialisers=tensors, said=(3, 6))


def custom() -> Any:
    after = [helper.make_node("SecretNorm", ["features"], ["normed"], domain="acme.ops")]
    return network(after=after, outputs=[info("normed", ["N", 6])], domains=["acme.ops"])


def custom_in_a_branch() -> Any:
    """The operator lies in a graph within the graph."""
    branch = helper.make_graph(
        [helper.make_node("Hidden", ["features"], ["inner"], domain="acme.ops")], "b", [], [info("inner", ["N", 6])]
    )
    after = [helper.make_node("If", ["yes"], ["chosen"], then_branch=branch, else_branch=branch)]
    return network(
        after=after,
        outputs=[info("chosen", ["N", 6])],
        initialisers=[constant("yes", True, np.bool_)],
        domains=["acme.ops"],
    )


def with_its_own_function() -> Any:
    """An operator of a domain of its own that the model itself defines, as exporters from PyTorch write them."""
    found = network(
        after=[helper.make_node("Twice", ["features"], ["doubled"], domain="local")],
        outputs=[info("doubled", ["N", 6])],
        domains=["local"],
    )
    twice = helper.make_function(
        "local", "Twice", ["x"], ["y"], [helper.make_node("Add", ["x", "x"], ["y"])], [helper.make_opsetid("", 18)]
    )
    found.functions.append(twice)
    return found


def two_inputs() -> Any:
    found = network(after=[helper.make_node("Add", ["features", "text"], ["sum"])], outputs=[info("sum", ["N", 6])])
    found.graph.input.append(info("text", ["N", 6]))
    return found


def save(found: Any, path: Path, *, external: str | None = None) -> Path:
    """Write a model; its tensors into another file where one is named."""
    if external is not None:
        onnx.save_model(
            found, str(path), save_as_external_data=True, location=external, size_threshold=0, convert_attribute=False
        )
    else:
        path.write_bytes(found.SerializeToString())
    return path


def relocated(path: Path, **entries: str | None) -> Path:
    """Change what a model says of its external data; None leaves an entry out."""
    found = onnx.load(str(path), load_external_data=False)
    for tensor in found.graph.initializer:
        facts = {entry.key: entry.value for entry in tensor.external_data} | entries
        del tensor.external_data[:]
        for key, value in facts.items():
            if value is not None:
                tensor.external_data.add(key=key, value=value)
    path.write_bytes(found.SerializeToString())
    return path
