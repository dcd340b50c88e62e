"""The package's operators in onnxruntime: their place in each graph, and that networks give what onnxruntime's own give."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from pixelgauge import _core
from pixelgauge.networks import store as model_store
from pixelgauge.networks.graph_rewrite import (
    CONVOLUTION,
    DIFFERENCE,
    DOMAIN,
    extract_subgraph,
    with_lpips_layers,
    with_winograd,
)
from pixelgauge.networks.providers import choose_providers
from pixelgauge.networks.session import Session


def graph_of(name: str, outputs: list[str]) -> bytes:
    return extract_subgraph(model_store.model_named(name).graph_bytes(), outputs)[0]


@pytest.mark.property
def test_convolutions_of_stride_one_are_replaced() -> None:
    counts = {
        name: len(with_winograd(graph_of(name, [output]), model_store.model_named(name).winograd)[1])
        for name, output in (
            ("lpips-alex", "distance"),
            ("lpips-vgg", "distance"),
            ("lpips-squeeze", "distance"),
            ("inception-fid", "2048"),
        )
    }
    assert counts["lpips-alex"] == 4  # all but the 11x11 of stride 4
    assert counts["lpips-vgg"] == 12  # all but the first, whose three channels are too few
    assert counts["lpips-squeeze"] == 0  # its few channels gain too little
    # 13 of 3x3 and 5x5 before Mixed_6b, 24 of seven taps to Mixed_6e, 2 in Mixed_7a
    assert counts["inception-fid"] == 39
    unchanged = graph_of("lpips-alex", ["distance"])
    assert with_winograd(unchanged, {}) == (unchanged, [])


@pytest.mark.property
def test_the_new_graph_is_sound() -> None:
    onnx = pytest.importorskip("onnx", reason="the onnx package is not installed")
    before = graph_of("lpips-alex", ["distance", "per_layer"])
    after, found = with_winograd(
        before,
        model_store.model_named("lpips-alex").winograd,
        {f"features.{i}.weight": 100 + i for i in (3, 6, 8, 10)},
        3,
    )
    old, new = onnx.load_model_from_string(before), onnx.load_model_from_string(after)
    ours = [node for node in new.graph.node if node.domain == DOMAIN]
    assert [node.op_type for node in ours] == [CONVOLUTION] * 4
    assert len(new.graph.node) == len(old.graph.node) - 4  # the rectifiers are part of it
    assert [one.weight for one in found] == [f"features.{i}.weight" for i in (3, 6, 8, 10)]
    facts = {attribute.name: attribute.i for attribute in ours[0].attribute}
    assert facts == {
        "channels": 64,
        "filters": 192,
        "kernel_height": 5,
        "kernel_width": 5,
        "tile_height": 2,
        "tile_width": 2,
        "padding_height": 2,
        "padding_width": 2,
        "rectified": 1,
        "threads": 3,
    }
    assert list(ours[0].output) == ["features.3.relu"]
    shapes = {tensor.name: list(tensor.dims) for tensor in new.graph.initializer}
    assert shapes["features.3.weight.winograd"] == [103]
    assert "features.3.weight" not in shapes
    assert {entry.domain: entry.version for entry in new.opset_import} == {"": 18, DOMAIN: 1}
    assert list(new.graph.output) == list(old.graph.output)


@pytest.mark.property
@pytest.mark.parametrize(("name", "widths"), [("lpips-alex", [64, 192, 384, 256, 256]), ("lpips-squeeze", None)])
def test_each_layer_of_lpips_is_one_operator(name: str, widths: list[int] | None) -> None:
    onnx = pytest.importorskip("onnx", reason="the onnx package is not installed")
    widths = widths or [64, 128, 256, 384, 384, 512, 512]
    outputs = ["distance", "per_layer", "spatial"]
    before = onnx.load_model_from_string(graph_of(name, outputs))
    data, initialisers = extract_subgraph(with_lpips_layers(model_store.model_named(name).graph_bytes()), outputs)
    after = onnx.load_model_from_string(data)
    ours = [node for node in after.graph.node if node.domain == DOMAIN]
    assert [node.op_type for node in ours] == [DIFFERENCE] * len(widths)
    assert [list(node.output) for node in ours] == [[f"map{i}"] for i in range(len(widths))]
    shapes = {tensor.name: tensor.dims[-1] for tensor in after.graph.initializer if tensor.dims}
    flats = {node.output[0]: node.input[0] for node in before.graph.node if node.op_type == "Reshape"}
    for i, node in enumerate(ours):
        features, head, *constants = node.input
        assert features == flats[f"flat{i}"]
        assert (head, shapes[head]) == (f"lin{i}.weight", widths[i])
        assert constants == ["norm_inside", "norm_outside"]
    # What only the old head read is gone.
    assert not {node.op_type for node in after.graph.node} & {"Split", "Sqrt", "MatMul"}
    assert not [tensor for tensor in initialisers if tensor.startswith("ones")]
    assert {entry.domain: entry.version for entry in after.opset_import} == {"": 18, DOMAIN: 1}
    both, _ = with_winograd(data, model_store.model_named("lpips-alex").winograd, {})
    assert {entry.domain: entry.version for entry in onnx.load_model_from_string(both).opset_import} == {
        "": 18,
        DOMAIN: 1,
    }


def random_model(name: str) -> Any:
    rng = np.random.default_rng(1)
    model = model_store.model_named(name)
    data = np.zeros(model.data_bytes, np.uint8)
    for row in model.rows:
        if row.value is not None:
            values = np.full(row.shape, row.value)
        elif row.role == "heads":
            values = rng.uniform(0, 1, row.shape)
        else:
            spread = np.sqrt(2 / np.prod(row.shape[1:])) if len(row.shape) == 4 else 0.1
            values = spread * rng.standard_normal(row.shape)
        data[row.offset : row.offset + row.bytes].view("<f4")[:] = values.astype(np.float32).ravel()
    return model_store.Installed(model, None, data, {"weights_sha256": "0" * 64, "official": False})


@pytest.mark.property
@pytest.mark.parametrize("name", ["lpips-alex", "lpips-squeeze", "inception-fid"])
def test_sessions_agree_with_onnxruntimes_own_operators(name: str) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    rng = np.random.default_rng(2)
    model = random_model(name)
    outputs = ["2048", "spatial"] if name == "inception-fid" else ["distance", "per_layer", "spatial"]
    size = 299 if name == "inception-fid" else 95
    names = ["images"] if name == "inception-fid" else ["x", "y"]
    inputs = {key: rng.uniform(-1, 1, (2, 3, size, size)).astype(np.float32) for key in names}
    ours = Session(model, choose_providers("cpu"), outputs)
    values = [list(ours.run(inputs, threads).values()) for threads in (1, 2, 3)]
    bare = dataclasses.replace(model, model=dataclasses.replace(model.model, winograd={}, rewrites=()))
    plain = Session(bare, choose_providers("cpu"), outputs).run(inputs, 1).values()
    for run in values:
        for value, first, expected in zip(run, values[0], plain, strict=True):
            np.testing.assert_array_equal(value, first)
            # The project's tolerance for the network; maps, whose small values are sums of small differences, 1e-4.
            tolerance = 1e-4 if value.ndim == 3 else 1e-5
            assert np.linalg.norm(value - expected) < tolerance * np.linalg.norm(expected)


def run_operator(op: str, inputs: dict[str, np.ndarray], facts: dict[str, int]) -> np.ndarray:
    """What one node of the package's domain makes of arrays, or onnxruntime's error."""
    ort = pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    onnx = pytest.importorskip("onnx", reason="the onnx package is not installed")
    make = onnx.helper
    node = make.make_node(op, list(inputs), ["out"], domain=DOMAIN, **facts)
    values = [make.make_tensor_value_info(key, 1, [None] * value.ndim) for key, value in inputs.items()]
    graph = make.make_graph([node], "one", values, [make.make_tensor_value_info("out", 1, None)])
    opsets = [make.make_opsetid("", 18), make.make_opsetid(DOMAIN, 1)]
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.register_custom_ops_library(_core.__file__)
    data = make.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return session.run(None, {key: value.astype(np.float32) for key, value in inputs.items()})[0]


def convolved(shape: tuple[int, ...], **changed: int) -> np.ndarray:
    """A convolution of ones by 16 filters of ones, any of its facts changed."""
    facts = {
        "channels": 16, "filters": 16, "kernel_height": 3, "kernel_width": 3, "tile_height": 2, "tile_width": 2,
        "padding_height": 1, "padding_width": 1, "rectified": 1, "threads": 1,
    }  # fmt: skip
    filters = _core.convolution_filters(np.ones((16, 16, 3, 3), np.float32), (2, 2))
    return run_operator(CONVOLUTION, {"x": np.ones(shape), "u": filters, "b": np.zeros(16)}, {**facts, **changed})


@pytest.mark.oracle
def test_a_convolution_that_fits_its_input() -> None:
    assert convolved((1, 16, 9, 9))[0, 0, 4, 4] == pytest.approx(144)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("shape", "changed", "match"),
    [
        ((1, 17, 9, 9), {}, "another number of channels"),
        ((16, 9, 9), {}, r"takes \(count, channels, height, width\)"),
        ((1, 16, 9, 9), {"tile_height": 7}, "tiles of 7x2"),
        ((1, 16, 9, 9), {"filters": 17}, "another number of values"),
        ((1, 16, 9, 9), {"tile_height": 3, "tile_width": 3}, "another number of values"),
        ((1, 16, 2, 9), {"padding_height": 0}, "the kernel does not fit"),
    ],
)
def test_a_convolution_that_does_not_fit_its_input_is_an_error(
    shape: tuple[int, ...], changed: dict[str, int], match: str
) -> None:
    with pytest.raises(Exception, match=match):
        convolved(shape, **changed)


def difference(shape: tuple[int, ...], outside: float | list[float] = 0.0) -> np.ndarray:
    """The difference of unit vectors and none."""
    features = np.zeros(shape)
    features[: shape[0] // 2] = 1
    constants = {"inside": np.full(1, 1e-8), "outside": np.atleast_1d(outside)}
    return run_operator(DIFFERENCE, {"f": features, "w": np.ones((1, 4)), **constants}, {})


@pytest.mark.oracle
def test_a_difference_that_fits_its_input() -> None:
    np.testing.assert_allclose(difference((6, 4, 5, 7)), np.ones((3, 1, 5, 7)), rtol=1e-6)
    assert difference((0, 4, 5, 7)).shape == (0, 1, 5, 7)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (((3, 4, 5, 7),), "not pairs"),
        (((2, 5, 5, 7),), "another number of values"),
        (((2, 4, 35),), r"takes \(count, channels, height, width\)"),
        (((2, 4, 5, 7), -1.0), "must be finite, not negative"),
        (((2, 4, 5, 7), [1.0, 1.0]), "another number of values"),
        (((2, 4, 5, 7), []), "another number of values"),
    ],
)
def test_a_difference_that_does_not_fit_its_input_is_an_error(arguments: tuple[Any, ...], match: str) -> None:
    with pytest.raises(Exception, match=match):
        difference(*arguments)
