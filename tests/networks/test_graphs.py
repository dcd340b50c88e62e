"""The shipped graphs: rebuilt they are unchanged, they hold no weights, and the wheel carries them."""

from __future__ import annotations

import importlib.util
import json
from importlib import resources

import numpy as np
import pytest

from pixelgauge.networks.manifest import manifest
from tests.places import ROOT

MODELS = ROOT / "models"
SHIPPED = resources.files("pixelgauge").joinpath("models")
GRAPHS = ("lpips_alex", "lpips_vgg", "lpips_squeeze", "inception_fid")


@pytest.mark.property
def test_rebuilding_changes_nothing() -> None:
    pytest.importorskip("onnx", reason="the onnx package, which builds the graphs, is not installed")
    spec = importlib.util.spec_from_file_location("build_graphs", MODELS / "build_graphs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    built = module.build()
    assert sorted(built) == sorted([*(f"{graph}.onnx" for graph in GRAPHS), "pixels.onnx", "manifest.json"])
    for name, data in built.items():
        assert (MODELS / name).read_bytes() == data, f"{name}: run python models/build_graphs.py"


@pytest.mark.property
@pytest.mark.parametrize("graph", GRAPHS)
def test_graph_structure(graph: str) -> None:
    onnx = pytest.importorskip("onnx", reason="the onnx package is not installed")
    data = SHIPPED.joinpath(f"{graph}.onnx").read_bytes()
    assert len(data) < 100_000
    model = onnx.load_model_from_string(data)
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    external = [tensor for tensor in model.graph.initializer if tensor.data_location == onnx.TensorProto.EXTERNAL]
    inline = [tensor for tensor in model.graph.initializer if tensor.data_location != onnx.TensorProto.EXTERNAL]
    assert all(tensor.ByteSize() < 256 for tensor in inline)
    rows = next(model for model in manifest().values() if model.graph == f"{graph}.onnx").rows
    assert [tensor.name for tensor in external] == [row.name for row in rows]
    for tensor, row in zip(external, rows, strict=True):
        facts = {entry.key: entry.value for entry in tensor.external_data}
        assert facts == {"location": "weights.bin", "offset": str(row.offset), "length": str(row.bytes)}
        assert tuple(tensor.dims) == row.shape
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    if graph == "inception_fid":
        widths = {
            "64": 64,
            "192": 192,
            "768": 768,
            "2048": 2048,
            "spatial": 2023,
            "logits": 1008,
            "logits_unbiased": 1008,
        }
        assert shapes == {"images": ["N", 3, 299, 299], **{name: ["N", width] for name, width in widths.items()}}
    else:
        image = ["N", 3, "H", "W"]
        layers = 7 if graph == "lpips_squeeze" else 5
        assert shapes == {
            "x": image,
            "y": image,
            "distance": ["N"],
            "per_layer": ["N", layers],
            "spatial": ["N", "H", "W"],
        }


@pytest.mark.property
def test_rows_do_not_overlap() -> None:
    for model in manifest().values():
        spans = np.array([(row.offset, row.offset + row.bytes) for row in model.rows])
        assert (spans[1:, 0] >= spans[:-1, 1]).all()
        assert (spans[:, 0] % 64 == 0).all()


@pytest.mark.property
def test_manifest_is_complete() -> None:
    facts = json.loads(SHIPPED.joinpath("manifest.json").read_text())
    assert sorted(facts["models"]) == ["inception-fid", "lpips-alex", "lpips-squeeze", "lpips-vgg"]
    for model in manifest().values():
        for source in model.sources:
            assert source.address.startswith("https://")
            assert len(source.sha256) == 64
            assert source.licence in ("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause")
            assert source.address.endswith(".pth")
