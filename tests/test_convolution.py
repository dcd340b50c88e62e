"""Winograd convolution: a float64 oracle under each instruction set, independence of batch and threads, its place in a graph."""

import numpy as np
import pytest

import pixelgauge
from pixelgauge import _core, model_store
from pixelgauge.backbones import WINOGRAD_TILES, Session, plan
from pixelgauge.graphs import DOMAIN, OPERATOR, cut, with_winograd

FORMS = [
    ((3, 3), (2, 2)),
    ((3, 3), (3, 3)),
    ((3, 3), (4, 4)),
    ((5, 5), (2, 2)),
    ((1, 7), (1, 2)),
    ((7, 1), (2, 1)),
]


def case(kernel, channels, filters, height, width, count=2, seed=0):
    """Inputs as they come out of a rectifier, filters that keep their size."""
    rng = np.random.default_rng(seed)
    x = np.maximum(rng.standard_normal((count, channels, height, width)), 0).astype(np.float32)
    spread = np.sqrt(2 / (channels * kernel[0] * kernel[1]))
    weight = (spread * rng.standard_normal((filters, channels, *kernel))).astype(np.float32)
    return x, weight, rng.standard_normal(filters).astype(np.float32)


def convolution_float64(x, weight, bias, padding):
    """The definition: correlation with zeros beyond the edges, bias, rectifier."""
    ph, pw = padding
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], (2, 3))
    out = np.einsum("nchwij,fcij->nfhw", windows, weight.astype(np.float64), optimize=True)
    return np.maximum(out + bias.astype(np.float64)[:, None, None], 0)


def convolve(x, weight, bias, tile, padding):
    return _core.convolve(x, _core.convolution_filters(weight, tile), bias, weight.shape[2:], tile, padding)


@pytest.mark.oracle
@pytest.mark.parametrize(("kernel", "tile"), FORMS)
@pytest.mark.parametrize(
    ("channels", "filters", "height", "width"),
    [(1, 1, 7, 8), (16, 16, 9, 7), (20, 35, 15, 15), (33, 48, 7, 40), (64, 17, 31, 12)],
)
def test_against_float64(each_isa, kernel, tile, channels, filters, height, width):
    x, weight, bias = case(kernel, channels, filters, height, width)
    for padding in {(kernel[0] // 2, kernel[1] // 2), (0, 0)}:
        expected = convolution_float64(x, weight, bias, padding)
        value = convolve(x, weight, bias, tile, padding)
        assert value.shape == expected.shape
        # A direct float32 sum over up to 1600 products is off by 1e-6 of the root mean square; the transforms of six and
        # eight points lose up to four times that, and the worst of some thousand values lies five deviations out.
        scale = np.sqrt((expected**2).mean())
        assert np.sqrt(((value - expected) ** 2).mean()) < 4e-6 * scale
        assert np.abs(value - expected).max() < 2.5e-5 * scale


@pytest.mark.oracle
@pytest.mark.parametrize(("kernel", "tile"), FORMS)
def test_images_wider_and_deeper_than_a_block(each_isa, kernel, tile):
    for channels, height, width in ((3, 8, 700), (520, 8, 8)):
        x, weight, bias = case(kernel, channels, 18, height, width, count=3)
        padding = (kernel[0] // 2, kernel[1] // 2)
        expected = convolution_float64(x, weight, bias, padding)
        # as above; the sums are eight times as long
        scale = np.sqrt((expected**2).mean())
        assert np.abs(convolve(x, weight, bias, tile, padding) - expected).max() < 5e-5 * scale


@pytest.mark.property
@pytest.mark.parametrize(("kernel", "tile"), FORMS)
def test_not_a_bit_depends_on_batch_or_threads(restored_threads, kernel, tile):
    x, weight, bias = case(kernel, 40, 50, 19, 21, count=5)
    padding = (kernel[0] // 2, kernel[1] // 2)
    pixelgauge.set_num_threads(1)
    alone = np.concatenate([convolve(x[i : i + 1], weight, bias, tile, padding) for i in range(5)])
    for threads in (1, 2, 3, 16):
        pixelgauge.set_num_threads(threads)
        for step in (1, 2, 5):
            parts = [convolve(x[i : i + step], weight, bias, tile, padding) for i in range(0, 5, step)]
            np.testing.assert_array_equal(np.concatenate(parts), alone)


@pytest.mark.property
def test_not_finite_values_stay_so():
    x, weight, bias = case((3, 3), 16, 16, 9, 9)
    x[0, 3, 4, 4] = np.nan
    value = convolve(x, weight, bias, (2, 2), (1, 1))
    assert np.isnan(value[0, :, 3:6, 3:6]).all()
    assert np.isfinite(value[1]).all()


@pytest.mark.property
def test_no_images():
    x, weight, bias = case((3, 3), 16, 16, 9, 9)
    assert convolve(x[:0], weight, bias, (2, 2), (1, 1)).shape == (0, 16, 9, 9)


@pytest.mark.boundary
def test_refused():
    x, weight, bias = case((3, 3), 16, 18, 9, 9)
    transformed = _core.convolution_filters(weight, (2, 2))
    for call, match in (
        (lambda: _core.convolution_filters(weight, (5, 5)), "3x3 with tiles of 5x5"),
        (lambda: _core.convolution_filters(weight[0], (2, 2)), "4 axes"),
        (lambda: _core.convolution_filters(weight[:0], (2, 2)), "0 filters"),
        (lambda: _core.convolve(x[0], transformed, bias, (3, 3), (2, 2), (1, 1)), "4 axes"),
        (lambda: _core.convolve(x, transformed[1:], bias, (3, 3), (2, 2), (1, 1)), "make it with convolution_filters"),
        (lambda: _core.convolve(x, transformed, bias, (3, 3), (3, 3), (1, 1)), "make it with convolution_filters"),
        (lambda: _core.convolve(x, transformed, bias, (3, 3), (2, 2), (3, 1)), "padding=3, 1"),
        (lambda: _core.convolve(x, transformed, bias, (3, 3), (2, 2), (-1, 0)), "padding=-1, 0"),
        (lambda: _core.convolve(x[..., :2], transformed, bias, (3, 3), (2, 2), (0, 0)), "smaller than the kernel"),
    ):
        with pytest.raises(ValueError, match=match):
            call()


# ---- in a graph ---------------------------------------------------------------------------------------------------


def graph_of(name, outputs):
    return cut(model_store.model_named(name).graph_bytes(), outputs)[0]


@pytest.mark.property
def test_convolutions_of_stride_one_are_replaced():
    counts = {
        name: len(with_winograd(graph_of(name, [output]), WINOGRAD_TILES[name])[1])
        for name, output in (
            ("lpips-alex", "distance"),
            ("lpips-vgg", "distance"),
            ("lpips-squeeze", "distance"),
            ("inception-fid", "2048"),
        )
    }
    assert counts["lpips-alex"] == 4  # all but the 11x11 of stride 4
    assert counts["lpips-vgg"] == 12  # all but the first, whose three channels are too few
    assert counts["lpips-squeeze"] == 8  # a fire module's 3x3
    # 13 of 3x3 and 5x5 before Mixed_6b, 24 of seven taps to Mixed_6e, 2 in Mixed_7a
    assert counts["inception-fid"] == 39
    unchanged = graph_of("lpips-alex", ["distance"])
    assert with_winograd(unchanged, {}) == (unchanged, [])


@pytest.mark.property
def test_the_new_graph_is_sound():
    onnx = pytest.importorskip("onnx", reason="the onnx package is not installed")
    before = graph_of("lpips-alex", ["distance", "per_layer"])
    after, found = with_winograd(
        before, WINOGRAD_TILES["lpips-alex"], {f"features.{i}.weight": 100 + i for i in (3, 6, 8, 10)}, 3
    )
    old, new = onnx.load_model_from_string(before), onnx.load_model_from_string(after)
    ours = [node for node in new.graph.node if node.domain == DOMAIN]
    assert [node.op_type for node in ours] == [OPERATOR] * 4
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


def random_model(name):
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
def test_sessions_agree_with_onnxruntimes_own_convolution(monkeypatch, name):
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    rng = np.random.default_rng(2)
    model = random_model(name)
    outputs = ["2048", "spatial"] if name == "inception-fid" else ["distance", "per_layer", "spatial"]
    size = 299 if name == "inception-fid" else 95
    names = ["images"] if name == "inception-fid" else ["x", "y"]
    inputs = {key: rng.uniform(-1, 1, (2, 3, size, size)).astype(np.float32) for key in names}
    ours = Session(model, plan("cpu"), outputs)
    values = [ours.run(inputs, threads) for threads in (1, 2, 3)]
    monkeypatch.setattr("pixelgauge.backbones.WINOGRAD_TILES", {name: {}})
    plain = Session(model, plan("cpu"), outputs).run(inputs, 1)
    for run in values:
        for value, first, expected in zip(run, values[0], plain, strict=True):
            np.testing.assert_array_equal(value, first)
            # The project's tolerance for the network; maps, whose small values are sums of small differences, 1e-4.
            tolerance = 1e-4 if value.ndim == 3 else 1e-5
            assert np.linalg.norm(value - expected) < tolerance * np.linalg.norm(expected)


@pytest.mark.boundary
def test_an_operator_that_does_not_fit_its_input_is_an_error():
    ort = pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    onnx = pytest.importorskip("onnx", reason="the onnx package is not installed")
    facts = {
        "channels": 16, "filters": 16, "kernel_height": 3, "kernel_width": 3, "tile_height": 2, "tile_width": 2,
        "padding_height": 1, "padding_width": 1, "rectified": 1, "threads": 1,
    }  # fmt: skip

    def run(shape, **changed):
        make = onnx.helper
        node = make.make_node(OPERATOR, ["x", "u", "b"], ["y"], domain=DOMAIN, **{**facts, **changed})
        values = [
            make.make_tensor_value_info(key, 1, [None] * rank) for key, rank in (("x", len(shape)), ("u", 1), ("b", 1))
        ]
        graph = make.make_graph([node], "one", values, [make.make_tensor_value_info("y", 1, None)])
        opsets = [make.make_opsetid("", 18), make.make_opsetid(DOMAIN, 1)]
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.register_custom_ops_library(_core.__file__)
        data = make.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        filters = _core.convolution_filters(np.ones((16, 16, 3, 3), np.float32), (2, 2))
        return session.run(None, {"x": np.ones(shape, np.float32), "u": filters, "b": np.zeros(16, np.float32)})[0]

    assert run((1, 16, 9, 9))[0, 0, 4, 4] == pytest.approx(144)
    for shape, changed, match in (
        ((1, 17, 9, 9), {}, "another number of channels"),
        ((16, 9, 9), {}, r"takes \(count, channels, height, width\)"),
        ((1, 16, 9, 9), {"tile_height": 7}, "tiles of 7x2"),
        ((1, 16, 2, 9), {"padding_height": 0}, "the kernel does not fit"),
    ):
        with pytest.raises(Exception, match=match):
            run(shape, **changed)
