"""LPIPS and the features of its AlexNet, from the weights in the cache: ``pixelgauge models pull lpips-alex``."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

import pixelgauge
from pixelgauge.networks.store import installed

LAYER = "features.3.relu"
"""The second of the five that LPIPS compares: 192 channels."""


@functools.cache
def lpips() -> pixelgauge.LPIPS:
    """LPIPS with AlexNet."""
    return pixelgauge.LPIPS("alex")


@functools.cache
def alexnet_means() -> pixelgauge.OnnxFeatures:
    """The network whose features are the means over positions of AlexNet's second rectified layer: 192 of them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alexnet.onnx"
        onnx.save(_cut(onnx.load(installed("lpips-alex").folder / "model.onnx")), path)
        return pixelgauge.OnnxFeatures(path, mean=0.5, std=0.5)


def _cut(lpips_graph: onnx.ModelProto) -> onnx.ModelProto:
    """Keep of LPIPS's graph what leads from the images to the layer, and average it."""
    graph = lpips_graph.graph
    makers = {output: node for node in graph.node for output in node.output}
    wanted, kept = [LAYER], []
    while wanted:
        node = makers.get(wanted.pop())
        if node is not None and node.op_type != "Concat" and node not in kept:
            kept.append(node)
            wanted += node.input
    needed = {name for node in kept for name in node.input}
    nodes = [node for node in graph.node if node in kept]
    nodes += [
        helper.make_node("GlobalAveragePool", [LAYER], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["features"]),
    ]
    image = helper.make_tensor_value_info("pair", onnx.TensorProto.FLOAT, ["N", 3, "H", "W"])
    features = helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, ["N", 192])
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    cut = helper.make_graph(nodes, "alexnet", [image], [features], weights)
    return helper.make_model(cut, opset_imports=lpips_graph.opset_import, ir_version=lpips_graph.ir_version)


def features_of(patches: np.ndarray) -> np.ndarray:
    """(N, 192) features of (N, H, W, 3) images."""
    return np.asarray(alexnet_means()(patches))
