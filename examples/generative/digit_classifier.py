"""A small classifier of digits, whose last hidden layer gives the features that samples are judged by.

Inception's 2048 features are of photographs, and want tens of thousands of samples. Sixteen features that were learnt
on these digits say more about digits, and a thousand samples are enough for an interval (twenty a feature).
"""

from functools import partial

import jax
import numpy as np
import optax

import layers
import onnx_export
from digits import to_units

FEATURES = 16


def network(ops, weights, x):
    """Features (N, 16) and logits (N, 10) of images (N, 28, 28, 1) on 0 to 1."""
    hidden = ops.relu(ops.conv(x, weights["conv1"], stride=2))
    hidden = ops.relu(ops.conv(hidden, weights["conv2"], stride=2))
    hidden = ops.relu(ops.dense(ops.reshape(hidden, 7 * 7 * 32), weights["hidden"]))
    features = ops.dense(hidden, weights["features"])
    return features, ops.dense(features, weights["logits"])


def initial(key):
    """Weights before training."""
    keys = jax.random.split(key, 5)
    return {
        "conv1": layers.conv_weights(keys[0], 3, 1, 16),
        "conv2": layers.conv_weights(keys[1], 3, 16, 32),
        "hidden": layers.dense_weights(keys[2], 7 * 7 * 32, 64),
        "features": layers.dense_weights(keys[3], 64, FEATURES, gain=1.0),
        "logits": layers.dense_weights(keys[4], FEATURES, 10, gain=1.0),
    }


def loss(weights, x, labels):
    """Cross entropy."""
    _, logits = network(layers, weights, x)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def train(digits, epochs=15, batch_size=100, seed=0):
    """Weights that have learnt some digits, with features of mean 0 and variance 1 over them."""
    weights = initial(jax.random.key(seed))
    optimizer = optax.adam(1e-3)
    state = optimizer.init(weights)

    @jax.jit
    def step(weights, state, x, labels):
        changes, state = optimizer.update(jax.grad(loss)(weights, x, labels), state)
        return optax.apply_updates(weights, changes), state

    x, rng = to_units(digits.images), np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for at in range(0, len(x) - batch_size + 1, batch_size):
            batch = order[at : at + batch_size]
            weights, state = step(weights, state, x[batch], digits.labels[batch])
    return standardised(weights, x)


def standardised(weights, x):
    """The same logits from features of mean 0 and variance 1 over some images: distances are in units of these."""
    features, _ = network(layers, weights, x)
    mean, deviation = features.mean(0), features.std(0)
    last, logits = weights["features"], weights["logits"]
    return weights | {
        "features": {"kernel": last["kernel"] / deviation, "bias": (last["bias"] - mean) / deviation},
        "logits": {"kernel": logits["kernel"] * deviation[:, None], "bias": logits["bias"] + mean @ logits["kernel"]},
    }


def three_channels(ops, weights, x):
    """The network for (N, 28, 28, 3), as images are given to ONNX files of features: gray ones repeated."""
    return network(ops, weights, ops.mean_channels(x))


def export(path, weights, digits):
    """Write the classifier, and make sure that it equals JAX's; returns the largest difference."""
    onnx_export.export(path, three_channels, weights, (28, 28, 3), "features", "logits")
    x = np.repeat(to_units(digits.images[:100]), 3, axis=-1)
    return onnx_export.require_equal(path, jax.jit(partial(three_channels, layers))(weights, x), x)
