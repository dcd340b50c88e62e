"""The layers that the networks are made of, in JAX: images are (N, H, W, C), weights plain dictionaries of arrays.

`onnx_export.Graph` has functions of the same names. A network is written once, as a function of `ops`, which is this
module to train it and such a graph to export it:

    def decoder(ops, weights, z):
        hidden = ops.relu(ops.dense(z, weights["hidden"]))
        return ops.sigmoid(ops.dense(hidden, weights["pixels"]))
"""

import jax
import jax.numpy as jnp
from jax import lax

_IMAGES = ("NHWC", "HWIO", "NHWC")


def dense_weights(key, inputs, outputs, gain=2.0):
    """Weights of a dense layer: normal, variance gain / inputs (He et al. 2015), no bias."""
    return {
        "kernel": jax.random.normal(key, (inputs, outputs)) * (gain / inputs) ** 0.5,
        "bias": jnp.zeros(outputs),
    }


def conv_weights(key, size, inputs, outputs, gain=2.0):
    """Weights of a convolution, or a transposed one, of size x size taps."""
    scale = (gain / (inputs * size * size)) ** 0.5
    return {"kernel": jax.random.normal(key, (size, size, inputs, outputs)) * scale, "bias": jnp.zeros(outputs)}


def dense(x, weights):
    """(..., inputs) to (..., outputs)."""
    return x @ weights["kernel"] + weights["bias"]


def conv(x, weights, stride=1, padding="SAME"):
    """Convolution, padded with zeros so that H becomes ceil(H / stride); with "VALID" nothing is padded."""
    strides = (stride, stride)
    return lax.conv_general_dilated(x, weights["kernel"], strides, padding, dimension_numbers=_IMAGES) + weights["bias"]


def conv_transpose(x, weights, stride=2):
    """Transposed convolution: H becomes stride H."""
    strides = (stride, stride)
    return lax.conv_transpose(x, weights["kernel"], strides, "SAME", dimension_numbers=_IMAGES) + weights["bias"]


def pixel_shuffle(x):
    """(N, H, W, 4 C) to (N, 2 H, 2 W, C): four channels become a square of 2 x 2 pixels (Shi et al. 2016)."""
    count, height, width, channels = x.shape
    squares = x.reshape(count, height, width, 2, 2, channels // 4).transpose(0, 1, 3, 2, 4, 5)
    return squares.reshape(count, 2 * height, 2 * width, channels // 4)


def relu(x):
    """max(x, 0)."""
    return jnp.maximum(x, 0)


def leaky_relu(x, slope=0.2):
    """X where it is positive, slope x elsewhere."""
    return jnp.where(x > 0, x, slope * x)


def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return jax.nn.sigmoid(x)


def add(x, y):
    """Sum of two arrays of one shape."""
    return x + y


def mean_channels(x):
    """(N, H, W, C) to (N, H, W, 1)."""
    return x.mean(-1, keepdims=True)


def reshape(x, *shape):
    """(N, ...) to (N, *shape)."""
    return x.reshape(len(x), *shape)
