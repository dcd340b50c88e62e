"""Networks as ONNX, written node by node from the weights; JAX itself has no export.

`Graph` has the layers of `layers.py` under the same names: the function that is the network in JAX, called with a graph
instead, writes it. `require_equal` then runs both.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
_IR_VERSION = 8  # of that opset: older runtimes read the file too
_TO_CHANNELS_FIRST, _TO_CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


class Graph:
    """An ONNX graph that is being written; values are known by their names.

    Layers take and give (N, H, W, C) as in JAX, between transpositions that onnxruntime cancels out.
    """

    def __init__(self):
        self._nodes, self._weights, self._inputs = [], [], []

    def input(self, name, *shape):
        """Take an input of float32 (N, *shape)."""
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape]))
        return name

    def node(self, operator, *inputs, **attributes):
        """Append one node of any operator, and return the name of its output."""
        output = f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, value, dtype=np.float32):
        """Keep an array in the file, and return its name."""
        name = f"weight_{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype), name))
        return name

    def save(self, path, **outputs):
        """Write the file, with outputs NAME=value; onnx checks it first."""
        made = [helper.make_empty_tensor_value_info(name) for name in outputs]  # onnx infers their shapes
        named = [helper.make_node("Identity", [value], [name]) for name, value in outputs.items()]
        graph = helper.make_graph(self._nodes + named, "network", self._inputs, made, self._weights)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="pixelgauge")
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)

    # ---- the layers of layers.py ------------------------------------------------------------------------------------

    def dense(self, x, weights):
        product = self.node("MatMul", x, self.constant(weights["kernel"]))
        return self.node("Add", product, self.constant(weights["bias"]))

    def conv(self, x, weights, stride=1, padding="SAME"):
        kernel = np.transpose(weights["kernel"], (3, 2, 0, 1))
        auto_pad = {"SAME": "SAME_UPPER", "VALID": "VALID"}[padding]
        return self._images("Conv", x, [kernel, weights["bias"]], strides=[stride, stride], auto_pad=auto_pad)

    def conv_transpose(self, x, weights, stride=2):
        # JAX correlates the spread pixels with the kernel; ONNX adds the kernel at each of them: the same, turned round
        kernel = np.transpose(weights["kernel"][::-1, ::-1], (2, 3, 0, 1))
        before, after = _cropped(kernel.shape[2], stride)
        pads = [before, before, after, after]
        return self._images("ConvTranspose", x, [kernel, weights["bias"]], strides=[stride, stride], pads=pads)

    def pixel_shuffle(self, x):
        return self._images("DepthToSpace", x, [], blocksize=2)

    def relu(self, x):
        return self.node("Relu", x)

    def leaky_relu(self, x, slope=0.2):
        return self.node("LeakyRelu", x, alpha=slope)

    def sigmoid(self, x):
        return self.node("Sigmoid", x)

    def add(self, x, y):
        return self.node("Add", x, y)

    def mean_channels(self, x):
        return self.node("ReduceMean", x, axes=[-1], keepdims=1)

    def reshape(self, x, *shape):
        return self.node("Reshape", x, self.constant([0, *shape], np.int64))  # 0: as many as there are

    def _images(self, operator, x, weights, **attributes):
        first = self.node("Transpose", x, perm=_TO_CHANNELS_FIRST)
        made = self.node(operator, first, *map(self.constant, weights), **attributes)
        return self.node("Transpose", made, perm=_TO_CHANNELS_LAST)


def _cropped(size, stride):
    """Rows that a transposed convolution loses before and after, for JAX's padding "SAME"."""
    if size < stride:
        raise ValueError(f"a kernel of {size} leaves gaps at stride {stride}: it takes at least {stride} taps")
    padded = size + stride - 2
    before = size - 1 if stride > size - 1 else -(-padded // 2)
    return size - 1 - before, size - 1 - (padded - before)


def export(path, network, weights, shape, *outputs):
    """Write a network of one input (N, *shape), a function of `ops`, weights and input.

    It returns one value, or as many as there are names of outputs.
    """
    graph = Graph()
    made = network(graph, weights, graph.input("x", *shape))
    graph.save(path, **dict(zip(outputs, made if isinstance(made, tuple) else (made,), strict=True)))


def run(path, *inputs, batch_size=250):
    """Outputs of a file for float32 inputs (N, ...), a tuple of arrays: all that a user without JAX needs."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    named = {taken.name: np.asarray(x, np.float32) for taken, x in zip(session.get_inputs(), inputs, strict=True)}
    cuts = [slice(at, at + batch_size) for at in range(0, len(inputs[0]), batch_size)]
    runs = [session.run(None, {name: x[cut] for name, x in named.items()}) for cut in cuts]
    return tuple(np.concatenate(parts) for parts in zip(*runs, strict=True))


def require_equal(path, outputs, *inputs, tolerance=1e-5):
    """Raise unless a file gives the outputs that JAX gave for the same inputs.

    Returns the largest difference, in units of the largest value where that is above 1: float32 has 24 bits.
    """
    found, wanted = run(path, *inputs), outputs if isinstance(outputs, tuple) else (outputs,)
    worst = 0.0
    for ours, theirs in zip(found, map(np.asarray, wanted), strict=True):
        if ours.shape != theirs.shape:
            raise ValueError(f"{path} gives {ours.shape} where JAX gives {theirs.shape}")
        worst = max(worst, float(np.abs(ours - theirs).max()) / max(1.0, float(np.abs(theirs).max())))
    if not worst <= tolerance:
        raise ValueError(f"{path} and JAX differ by {worst:.2e}, more than {tolerance:g}")
    return worst
