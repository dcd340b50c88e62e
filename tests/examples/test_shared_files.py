"""What the generative examples share: the split of the digits, and layers that are in ONNX what they are in JAX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.places import ROOT

jax = pytest.importorskip("jax", reason="jax of the extra `examples` is not installed")
pytest.importorskip("mlxtend", reason="mlxtend of the extra `examples` is not installed")


@pytest.fixture(autouse=True)
def beside_the_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples/generative")


def test_digits_are_split_by_label_and_no_image_is_on_both_sides() -> None:
    import digits

    train, held_out = digits.load()
    assert np.bincount(train.labels).tolist() == [400] * 10
    assert np.bincount(held_out.labels).tolist() == [100] * 10
    assert train.images.shape[1:] == (28, 28, 1)
    assert train.images.dtype == np.uint8
    assert not {image.tobytes() for image in train.images} & {image.tobytes() for image in held_out.images}
    assert set(train.first(100).labels) == set(range(10))
    assert 3 not in train.without(3).labels
    np.testing.assert_array_equal(digits.to_levels(digits.to_units(held_out.images)), held_out.images)


@pytest.mark.parity
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (3, 1), (4, 1), (2, 2), (3, 2), (4, 2), (5, 2), (3, 3), (5, 3)])
@pytest.mark.parametrize("operator", ["conv", "conv_transpose"])
def test_convolutions_are_jaxs(operator: str, size: int, stride: int, tmp_path: Path) -> None:
    import layers
    import onnx_export

    weights = layers.conv_weights(jax.random.key(size), size, 3, 5)
    weights["bias"] += 1

    def network(ops, weights, x):
        return getattr(ops, operator)(x, weights, stride=stride)

    x = np.random.default_rng(stride).normal(size=(2, 9, 12, 3)).astype(np.float32)
    onnx_export.export(tmp_path / "layer.onnx", network, weights, x.shape[1:], "y")
    assert onnx_export.require_equal(tmp_path / "layer.onnx", network(layers, weights, x), x) < 1e-5


@pytest.mark.parity
def test_the_other_layers_are_jaxs(tmp_path: Path) -> None:
    import layers
    import onnx_export

    weights = layers.dense_weights(jax.random.key(1), 24, 7)

    def network(ops, weights, x):
        y = ops.dense(ops.reshape(x, 24), weights)
        return ops.add(ops.relu(y), ops.leaky_relu(y)), ops.pixel_shuffle(x), ops.sigmoid(y), ops.mean_channels(x)

    x = np.random.default_rng(0).normal(size=(300, 2, 1, 12)).astype(np.float32)  # more than a batch of the runs
    onnx_export.export(tmp_path / "layers.onnx", network, weights, x.shape[1:], *"abcd")
    assert onnx_export.require_equal(tmp_path / "layers.onnx", network(layers, weights, x), x) < 1e-6


@pytest.mark.boundary
def test_a_file_that_differs_is_an_error(tmp_path: Path) -> None:
    import layers
    import onnx_export

    weights = layers.dense_weights(jax.random.key(1), 3, 2)

    def network(ops, weights, x):
        return ops.dense(x, weights)

    x = np.ones((4, 3), np.float32)
    onnx_export.export(tmp_path / "layer.onnx", network, weights, (3,), "y")
    right = np.asarray(network(layers, weights, x))
    with pytest.raises(ValueError, match="and JAX differ by"):
        onnx_export.require_equal(tmp_path / "layer.onnx", right + 1, x)
    with pytest.raises(ValueError, match="gives"):
        onnx_export.require_equal(tmp_path / "layer.onnx", right[:3], x)
    with pytest.raises(ValueError, match="leaves gaps at stride 2"):
        onnx_export.Graph().conv_transpose("x", layers.conv_weights(jax.random.key(0), 1, 1, 1))
