"""Every public function of images over every kind of object that holds pixels: NumPy's answer, or what to write."""

from __future__ import annotations

import array
import functools
import io
import mmap
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from PIL import Image

import pixelgauge
from pixelgauge.engine.extraction import Inception
from pixelgauge.engine.feature_sources import FeatureSource
from pixelgauge.images import as_array, canonical_pair
from tests.perceptual.weights import own_recipe, random_weights
from tests.pictures import random_pixels

HEIGHT, WIDTH = 36, 44  # LPIPS needs 31, and two scales of MS-SSIM 22


def pixels(dtype: type = np.uint8, seed: int = 0, shape: tuple[int, ...] = (HEIGHT, WIDTH, 3)) -> np.ndarray:
    return random_pixels(shape, seed).astype(dtype)


def similar(x: np.ndarray, seed: int = 5) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 20, x.shape)
    return np.clip(x + noise, 0, 255).astype(np.uint8).astype(x.dtype)


# ---- objects that imitate other libraries, for runs without them ---------------------------------------------------


class Tensor:
    """What a PyTorch tensor shows of itself; DLPack hands out its memory without the lazy sign, as PyTorch's does."""

    layout = "torch.strided"
    is_quantized = is_sparse = is_meta = is_nested = requires_grad = False

    def __init__(
        self,
        memory: np.ndarray,
        *,
        negative: bool = False,
        conjugate: bool = False,
        own_array: bool = True,
        **facts: Any,
    ) -> None:
        self._memory, self._negative, self._conjugate, self._own_array = memory, negative, conjugate, own_array
        self.dtype = f"torch.{memory.dtype}"
        vars(self).update(facts)

    def is_neg(self) -> bool:
        return self._negative

    def is_conj(self) -> bool:
        return self._conjugate

    def resolve_neg(self) -> Tensor:
        return Tensor(-self._memory)

    def resolve_conj(self) -> Tensor:
        return Tensor(self._memory.conj())

    def float(self) -> Tensor:
        return Tensor(self._memory.astype(np.float32))

    def cpu(self) -> Any:
        return Tensor(self._memory)

    def __dlpack_device__(self) -> tuple[int, int]:
        return vars(self).get("device", (1, 0))

    def __dlpack__(self, **options: tuple[int, int]) -> Any:
        return self._memory.__dlpack__(**options)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        hidden = self._negative or self._conjugate or vars(self).get("zero", False)
        if hidden or self.requires_grad or self.is_quantized or self.is_sparse or self.dtype == "torch.bfloat16":
            raise RuntimeError("Can't call numpy() on this Tensor.")
        if self.__dlpack_device__()[0] != 1 or "float8" in self.dtype:
            raise TypeError("can't convert this Tensor")
        return self._memory

    def _is_zerotensor(self) -> bool:
        return vars(self).get("zero", False)


class OnlyDlpack:
    def __init__(self, memory: np.ndarray, device: tuple[int, int] | None = None) -> None:
        self._memory = memory
        self._device = device or (1, 0)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._device

    def __dlpack__(self, **options: tuple[int, int]) -> Any:
        return self._memory.__dlpack__(**options)


class OnlyLazyDlpack(OnlyDlpack):
    """A lazy sign, and no conversion of its own that would know."""

    def is_neg(self) -> bool:
        return True

    def resolve_neg(self) -> OnlyDlpack:
        return OnlyDlpack(-self._memory)


class GpuArray(OnlyDlpack):
    """CuPy's manners: DLPack on the device, a conversion that would copy in silence, and ``get``."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> None:
        raise AssertionError("must not be copied in silence")

    def get(self) -> Any:
        return self._memory


class OnlyArrayInterface:
    def __init__(self, memory: np.ndarray) -> None:
        self._memory = memory
        self.__array_interface__ = memory.__array_interface__


class Masked:
    """torch.masked's manners: DLPack drops the mask."""

    def __init__(self, memory: np.ndarray) -> None:
        self._memory = memory

    def get_mask(self) -> Any:
        return self._memory > 0

    def to_tensor(self, value: Any) -> Any:
        return self._memory

    def is_neg(self) -> bool:
        return False

    def __dlpack__(self, **options: Any) -> Any:
        return self._memory.__dlpack__(**options)

    def __array__(self, dtype: Any = None, copy: Any = None) -> None:
        raise RuntimeError(".numpy() is not supported for tensor subclasses.")


class Tracer:
    dtype, shape = np.dtype(np.float32), (HEIGHT, WIDTH, 3)

    def __array__(self, dtype: Any = None, copy: Any = None) -> None:
        raise TypeError("__array__() was called on traced array")


class Untraced:
    def __array__(self, dtype: Any = None, copy: Any = None) -> None:
        raise ZeroDivisionError("whatever a library raises\non two lines")


class ComputedMasked:
    """Dask's manners: a conversion whose answer has a mask."""

    def __init__(self, memory: np.ndarray, where: np.ndarray) -> None:
        self._memory, self._where = memory, where

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.ma.array(self._memory, mask=self._where)


class Subclass(np.ndarray):
    """Whose operators mean something else."""

    def __getitem__(self, key: Any) -> None:
        raise AssertionError("its own indexing must not be used")


# ---- the kinds -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """How to make an object of (H, W, 3) pixels, and what it must lead to: NumPy's answer unless `error` says else."""

    make: Callable[[np.ndarray], Any]
    dtype: Any = np.uint8
    error: type[Exception] | None = None
    message: str = ""


def memory_mapped(x: Any) -> Any:
    file = Path(tempfile.mkdtemp()) / "pixels"
    file.write_bytes(x.tobytes())
    return np.memmap(file, x.dtype, "r", shape=x.shape)


def read_only(x: Any) -> Any:
    x = x.copy()
    x.flags.writeable = False
    return x


def strided(x: np.ndarray) -> np.ndarray:
    wide = np.zeros((2 * x.shape[0], 3 * x.shape[1], 5), x.dtype)
    wide[::2, ::3, 1:4] = x
    return wide[::2, ::3, 1:4]


def packed_field(x: Any) -> Any:
    records = np.zeros(x.shape, [("flag", np.uint8), ("value", x.dtype)])
    records["value"] = x
    return records["value"]


def masked(x: np.ndarray, where: np.ndarray | None = None) -> Any:
    return np.ma.array(x, mask=False if where is None else where)


def buffer_of(x: np.ndarray) -> memoryview:
    return memoryview(np.ascontiguousarray(x))


def released(x: Any) -> Any:
    buffer = buffer_of(x)
    buffer.release()
    return buffer


def mapped_bytes(x: Any) -> Any:
    buffer = mmap.mmap(-1, x.nbytes)
    buffer.write(x.tobytes())
    return buffer


def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is not installed")


def jax() -> Any:
    pytest.importorskip("jax", reason="JAX is not installed")
    import jax.numpy

    return jax.numpy


def negative_bit(x: Any) -> Any:
    lazy = torch().complex(torch().from_numpy(x), torch().from_numpy(-x)).conj().imag
    assert lazy.is_neg()
    return lazy


def dataset(x: Any) -> Any:
    xarray = pytest.importorskip("xarray", reason="xarray is not installed")
    return xarray.Dataset({"a": (("y", "x", "c"), x)})


def data_array(x: np.ndarray, dims: tuple[str, ...]) -> Any:
    xarray = pytest.importorskip("xarray", reason="xarray is not installed")
    return xarray.DataArray(x, dims=dims)


def pyarrow_tensor(x: Any) -> Any:
    return pytest.importorskip("pyarrow", reason="pyarrow is not installed").Tensor.from_numpy(np.ascontiguousarray(x))


def bfloat16(x: Any) -> Any:
    return x.astype(pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed").bfloat16)


KINDS = {
    # NumPy's own
    "array": Kind(lambda x: x),
    "float16": Kind(lambda x: x.astype(np.float16), np.float32),
    "float64": Kind(lambda x: x, np.float64),
    "uint16": Kind(lambda x: x, np.uint16),
    "subclass": Kind(lambda x: x.view(Subclass)),
    "memory map": Kind(memory_mapped),
    "read-only": Kind(read_only),
    "fortran": Kind(np.asfortranarray),
    "strided": Kind(strided),
    "strided floats": Kind(strided, np.float32),
    "negative strides": Kind(lambda x: x[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1]),
    "transposed": Kind(lambda x: np.ascontiguousarray(x.transpose(2, 1, 0)).transpose(2, 1, 0), np.float64),
    "foreign uint16": Kind(lambda x: x.astype(x.dtype.newbyteorder()), np.uint16),
    "foreign float32": Kind(lambda x: x.astype(x.dtype.newbyteorder()), np.float32),
    "foreign float64": Kind(lambda x: x.astype(x.dtype.newbyteorder()), np.float64),
    "unaligned uint16": Kind(packed_field, np.uint16),
    "unaligned float32": Kind(packed_field, np.float32),
    "masked, none": Kind(masked),
    "masked, none of a full mask": Kind(lambda x: masked(x, np.zeros(x.shape, bool))),
    "masked, some": Kind(lambda x: masked(x, x > 250), np.uint8, TypeError, r"masked values.*\.filled\(value\)"),
    "bfloat16": Kind(bfloat16, np.float32),
    "float8": Kind(
        lambda x: x.astype(pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed").float8_e5m2),
        np.float32,
        TypeError,
        r"dtype float8_e5m2.*\.astype\(numpy.float32\)",
    ),
    "bool": Kind(lambda x: x > 127, np.uint8, TypeError, r"dtype bool.*\.astype\(numpy.uint8\)"),
    "int64": Kind(lambda x: x, np.int64, TypeError, r"dtype int64.*\.astype\(numpy.uint8\)"),
    "complex": Kind(lambda x: x, np.complex64, TypeError, r"dtype complex64.*pass abs\("),
    "objects": Kind(lambda x: x, object, TypeError, r"dtype object.*numpy.stack\(.*\.astype\("),
    "records": Kind(
        lambda x: x.view([("r", "u1"), ("g", "u1"), ("b", "u1")])[..., 0],
        np.uint8,
        TypeError,
        r"one field, such as \S+\['r'\]",
    ),
    "text": Kind(lambda x: x.astype(str), np.uint8, TypeError, "has dtype <U3: use uint8, uint16"),
    "empty": Kind(lambda x: x[:0], np.uint8, ValueError, "is empty: its shape is"),
    "0-d": Kind(lambda x: x[0, 0, 0], np.uint8, ValueError, r"has shape \(\)"),
    # other holders of memory
    "memoryview": Kind(buffer_of),
    "memoryview, released": Kind(released, np.uint8, TypeError, "it has been released.*pass what it was a view of"),
    "array.array": Kind(lambda x: array.array("B", x.tobytes()), np.uint8, ValueError, r"has shape \(4752,\)"),
    "bytes": Kind(lambda x: x.tobytes(), np.uint8, TypeError, r"read_image\(.*numpy.frombuffer\("),
    "bytearray": Kind(lambda x: bytearray(x.tobytes()), np.uint8, TypeError, r"read_image\(.*numpy.frombuffer\("),
    "mapped bytes": Kind(mapped_bytes, np.uint8, TypeError, r"read_image\(.*numpy.frombuffer\("),
    "file object": Kind(lambda x: io.BytesIO(x.tobytes()), np.uint8, TypeError, r"read_image\("),
    "__array_interface__": Kind(OnlyArrayInterface),
    "generator": Kind(lambda x: iter([x]), np.uint8, TypeError, r"pass list\("),
    "None": Kind(lambda x: None, np.uint8, TypeError, "pass a NumPy array or one that speaks DLPack"),
    "number": Kind(lambda x: 3, np.uint8, TypeError, "pass a NumPy array"),
    "class": Kind(type, np.uint8, TypeError, "pass a NumPy array"),
    "lists of numbers": Kind(np.ndarray.tolist, np.uint8, TypeError, r"numpy.asarray\("),
    "PIL image": Kind(Image.fromarray),
    # what imitates other libraries
    "DLPack": Kind(OnlyDlpack, np.float32),
    "DLPack, expanded": Kind(
        lambda x: OnlyDlpack(np.lib.stride_tricks.as_strided(x, x.shape, (0, *x.strides[1:]))), np.float32
    ),
    "tensor": Kind(Tensor, np.float32),
    "tensor, negative bit": Kind(lambda x: Tensor(-x, negative=True), np.float32),
    "tensor, negative bit, DLPack alone": Kind(lambda x: OnlyLazyDlpack(-x), np.float32),
    "tensor, conjugate bit": Kind(
        lambda x: Tensor(x, conjugate=True), np.complex64, TypeError, r"dtype complex64.*pass abs\("
    ),
    "tensor, bfloat16": Kind(lambda x: Tensor(x, dtype="torch.bfloat16"), np.float32),
    "tensor, float8": Kind(
        lambda x: Tensor(x, dtype="torch.float8_e5m2"), np.float32, TypeError, r"pass \S+\.float\(\)"
    ),
    "tensor, gradient": Kind(lambda x: Tensor(x, requires_grad=True), np.float32, TypeError, r"pass \S+\.detach\(\)"),
    "tensor, quantised": Kind(
        lambda x: Tensor(x, is_quantized=True), np.float32, TypeError, r"pass \S+\.dequantize\(\)"
    ),
    "tensor, sparse": Kind(
        lambda x: Tensor(x, is_sparse=True, layout="torch.sparse_coo"),
        np.float32,
        TypeError,
        r"pass \S+\.to_dense\(\)",
    ),
    "tensor, sparse with gradient": Kind(
        lambda x: Tensor(x, is_sparse=True, requires_grad=True), np.float32, TypeError, r"\.detach\(\)\.to_dense\(\)"
    ),
    "tensor, device": Kind(lambda x: Tensor(x, device=(2, 0)), np.float32, TypeError, r"pass \S+\.cpu\(\)"),
    "tensor, never written": Kind(lambda x: Tensor(x, zero=True), np.float32, TypeError, r"numpy\(force=True\)"),
    "tensor, masked": Kind(Masked, np.float32, TypeError, r"pass \S+\.to_tensor\(value\)"),
    "converted to masked, none": Kind(lambda x: ComputedMasked(x, np.zeros(x.shape, bool))),
    "converted to masked, some": Kind(
        lambda x: ComputedMasked(x, x > 250),
        np.uint8,
        TypeError,
        r"becomes a masked array with \d+ masked values.*numpy.asanyarray\(\S+\)\.filled\(value\)",
    ),
    "array of a device": Kind(lambda x: GpuArray(x, (2, 0)), np.float32, TypeError, r"pass \S+\.get\(\)"),
    "DLPack of a device": Kind(lambda x: OnlyDlpack(x, (2, 0)), np.float32, TypeError, "copy it to the CPU"),
    "traced": Kind(lambda x: Tracer(), np.float32, TypeError, "outside of what is traced"),
    "raises": Kind(lambda x: Untraced(), np.float32, TypeError, r"\(whatever a library raises\); pass a NumPy array"),
    # other libraries
    "torch": Kind(lambda x: torch().from_numpy(x), np.float32),
    "torch, channels last": Kind(
        lambda x: torch().from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1))).permute(1, 2, 0), np.uint8
    ),
    "torch, negative bit": Kind(negative_bit, np.float32),
    "torch, conjugate bit": Kind(
        lambda x: torch().complex(torch().from_numpy(x), torch().from_numpy(x)).conj(),
        np.float32,
        TypeError,
        "dtype complex64",
    ),
    "torch, real part of a conjugate": Kind(
        lambda x: torch().complex(torch().from_numpy(x), torch().from_numpy(x)).conj().real, np.float32
    ),
    "torch, gradient": Kind(
        lambda x: torch().from_numpy(x).requires_grad_(), np.float32, TypeError, r"pass \S+\.detach\(\)"
    ),
    "torch, bfloat16": Kind(lambda x: torch().from_numpy(x).bfloat16(), np.float32),
    "torch, bfloat16 with gradient": Kind(
        lambda x: torch().from_numpy(x).requires_grad_().bfloat16(), np.float32, TypeError, r"pass \S+\.detach\(\)"
    ),
    "torch, float8": Kind(
        lambda x: torch().from_numpy(x).to(torch().float8_e5m2), np.float32, TypeError, r"pass \S+\.float\(\)"
    ),
    "torch, sparse": Kind(lambda x: torch().from_numpy(x).to_sparse(), np.float32, TypeError, r"\.to_dense\(\)"),
    "torch, never written": Kind(
        lambda x: torch()._efficientzerotensor(x.shape), np.float32, TypeError, r"numpy\(force=True\)"
    ),
    "torch, meta": Kind(lambda x: torch().from_numpy(x).to("meta"), np.float32, TypeError, "holds no values"),
    "jax": Kind(lambda x: jax().asarray(x), np.float32),
    "jax, bfloat16": Kind(lambda x: jax().asarray(x, jax().bfloat16), np.float32),
    "xarray": Kind(lambda x: data_array(x, ("y", "x", "channel"))),
    "xarray, channels elsewhere": Kind(
        lambda x: data_array(x.transpose(2, 0, 1), ("band", "y", "x")), np.uint8, ValueError, "pass channel_axis=0, or"
    ),
    "xarray, a set": Kind(dataset, np.uint8, TypeError, "cannot be read as it is"),
    "pyarrow": Kind(pyarrow_tensor),
}


# ---- the functions -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """LPIPS, Inception and a graph of random weights: which they are does not matter to what goes in."""
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    from pixelgauge import LPIPS, InceptionFeatures, OnnxFeatures
    from tests.perceptual import graphs

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXELGAUGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        folder = tmp_path_factory.mktemp("weights")
        np.savez(folder / "inception.npz", **own_recipe())
        lpips = LPIPS("alex", weights=random_weights("alex", folder))
        inception = InceptionFeatures(output="64", weights=folder / "inception.npz", batch_size=2)
        own = OnnxFeatures(graphs.save(graphs.network(), folder / "graph.onnx"))
        made = {"LPIPS": lpips, "InceptionFeatures": inception, "OnnxFeatures": own}
        yield {**made, "weights": folder / "inception.npz"}


FUNCTIONS = ("mse", "psnr", "ssim", "ssim's map", "ms_ssim", "LPIPS", "InceptionFeatures", "OnnxFeatures")


@pytest.fixture(params=FUNCTIONS)
def function(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """A function of two images, and of their data range, which arrays of floats need."""
    two_scales = functools.partial(pixelgauge.ms_ssim, weights=(0.5, 0.5))
    calls = {
        "mse": lambda x, y, data_range: pixelgauge.mse(x, y),
        "psnr": pixelgauge.psnr,
        "ssim": pixelgauge.ssim,
        "ssim's map": lambda x, y, data_range: pixelgauge.ssim(x, y, data_range=data_range, full=True)[1],
        "ms_ssim": lambda x, y, data_range: two_scales(x, y, data_range=data_range),
    }
    if request.param in calls:
        call = calls[request.param]
        return lambda x, y, data_range: call(x, y, data_range=data_range)
    network = request.getfixturevalue("networks")[request.param]
    if request.param == "LPIPS":
        return lambda x, y, data_range: network(x, y, data_range=data_range)
    return lambda x, y, data_range: np.concatenate([network(image, data_range=data_range) for image in (x, y)])


def declared(dtype: type) -> int | None:
    """Data range of whole levels in this dtype; unsigned integers have their own, but for uint16 that holds 8 bits."""
    return None if dtype is np.uint8 else 255


@pytest.mark.property
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_numpys_answer_or_says_what_to_write(function: Callable[..., Any], kind: str) -> None:
    kind = KINDS[kind]
    x = pixels(kind.dtype)
    y = similar(x) if np.dtype(kind.dtype).kind in "uf" else x
    first, second = kind.make(x), kind.make(y)
    data_range = declared(kind.dtype)
    if kind.error is not None:
        with pytest.raises(kind.error, match=kind.message):
            function(first, second, data_range)
        return
    # bfloat16 and expanded views hold other values than they were made of
    plain = [np.asarray(as_array(image, "x"), dtype=kind.dtype) for image in (first, second)]
    if "bfloat16" not in str(getattr(first, "dtype", "")) and not isinstance(first, OnlyDlpack):
        np.testing.assert_array_equal(plain[0], x)
    np.testing.assert_array_equal(function(first, second, data_range), function(*plain, data_range))


@pytest.mark.property
@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.error is None])
def test_lists_of_every_kind_are_batches(function: Callable[..., Any], kind: str) -> None:
    kind = KINDS[kind]
    x = np.stack([pixels(kind.dtype, seed) for seed in range(2)])
    y = similar(x)
    lists = [[kind.make(image) for image in batch] for batch in (x, y)]
    plain = [np.stack([as_array(image, "x") for image in batch]).astype(kind.dtype) for batch in lists]
    data_range = declared(kind.dtype)
    expected = function(*plain, data_range)
    np.testing.assert_array_equal(function(*lists, data_range), expected)
    np.testing.assert_array_equal(function(*map(tuple, lists), data_range), expected)


@pytest.mark.boundary
@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.error is not None])
def test_a_wrong_item_of_a_list_is_named(function: Callable[..., Any], kind: str) -> None:
    kind = KINDS[kind]
    good = pixels()
    if kind.make is np.ndarray.tolist:
        return  # is refused as a list of numbers, above
    lists = [good, kind.make(pixels(kind.dtype))], [good, good]
    with pytest.raises((TypeError, ValueError), match=r"(x|images)\[1\]|axes.*pass channel_axis|beside"):
        function(*lists, None)


# ---- single cases --------------------------------------------------------------------------------------------------


@pytest.mark.oracle
def test_the_negative_bit_of_torch_is_a_sign() -> None:
    ones = torch().ones(32, 32)
    lazy = torch().complex(ones, ones).conj().imag
    assert pixelgauge.mse(lazy, -ones) == 0.0
    assert pixelgauge.mse(lazy, ones) == 4.0


@pytest.mark.oracle
@pytest.mark.parametrize("make", [lambda x: Tensor(x, negative=True), OnlyLazyDlpack])
def test_the_negative_bit_is_a_sign(make: Callable[..., Any] | type) -> None:
    ones = np.ones((32, 32), np.float32)
    assert np.array_equal(np.from_dlpack(make(ones)), ones)  # the trap
    assert pixelgauge.mse(make(ones), -ones) == 0.0


@pytest.mark.oracle
@pytest.mark.parametrize("make", [bfloat16, lambda x: torch().from_numpy(x).bfloat16()], ids=["ml_dtypes", "torch"])
def test_bfloat16_is_read_exactly(make: Callable[..., Any]) -> None:
    x = np.random.default_rng(0).uniform(-3, 3, (16, 16)).astype(np.float32)
    upper_half = (x.view(np.uint32) & 0xFFFF0000).view(np.float32)  # exact in bfloat16
    np.testing.assert_array_equal(np.asarray(as_array(make(upper_half), "x"), np.float32), upper_half)
    assert pixelgauge.mse(make(upper_half), upper_half) == 0.0


@pytest.mark.property
@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_matrices_and_frames_are_read_as_arrays() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    x = pixels(shape=(32, 40))
    y = similar(x)
    expected = pixelgauge.ssim(x, y)
    for make in (np.matrix, pandas.DataFrame, lambda a: pandas.DataFrame(a).astype("category")):
        assert pixelgauge.ssim(make(x), make(y)) == expected
    with pytest.raises(TypeError, match=r"dtype object.*x\.to_numpy\(dtype\)"):
        pixelgauge.ssim(pandas.DataFrame(x).astype("UInt8"), y)


@pytest.mark.boundary
def test_named_axes_in_another_order_are_refused() -> None:
    x = pixels(shape=(32, 32))
    with pytest.raises(ValueError, match=r"y\.transpose\(\*x\.dims\)"):
        pixelgauge.ssim(data_array(x, ("y", "x")), data_array(x.T, ("x", "y")))
    bands = data_array(pixels().transpose(2, 0, 1), ("band", "y", "x"))
    assert pixelgauge.ssim(bands, bands, channel_axis=0) == 1.0


@pytest.mark.boundary
def test_a_batch_of_unequal_images_names_the_first_that_differs(
    function: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    x = [pixels(), pixels(), pixels(shape=(HEIGHT, WIDTH - 1, 3))]
    if "Features" in request.node.name:  # resizes each image by itself
        features = function(x, x, None)[:3]
        np.testing.assert_array_equal(features, np.concatenate([function(image, image, None)[:1] for image in x]))
        return
    with pytest.raises(
        ValueError, match=r"x\[2\] has \(height, width, channels\) \(36, 43, 3\) and x\[0\] \(36, 44, 3\)"
    ):
        function(x, x, None)


@pytest.mark.oracle
def test_lists_of_gray_and_of_planes_are_batches() -> None:
    gray, colour = pixels(shape=(32, 32)), pixels(shape=(32, 32, 3))
    assert pixelgauge.ssim([gray, gray], [gray, gray]).shape == (2,)  # not (H, W, C)
    assert pixelgauge.ssim([gray, gray], [gray, gray], full=True)[1].shape == (2, 22, 22)
    assert pixelgauge.ssim([colour.transpose(2, 0, 1)], [colour.transpose(2, 0, 1)], channel_axis=0).tolist() == [1.0]
    _, index = pixelgauge.ssim(
        [colour.transpose(2, 0, 1)] * 2, [colour.transpose(2, 0, 1)] * 2, channel_axis=0, full=True
    )
    assert index.shape == (2, 3, 22, 22)


def list_in_itself() -> list[list[list[Any]]]:
    itself: list = []
    itself.append(itself)
    return itself


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda gray, colour: ([], []), ValueError, "x is empty"),
        (
            lambda gray, colour: ([gray, gray / 1.0], [gray, gray]),
            ValueError,
            r"x\[1\] has dtype float64 and x\[0\] uint8",
        ),
        (
            lambda gray, colour: ([colour[None]], [colour[None]]),
            ValueError,
            r"x\[0\] is a batch of 1.*numpy.concatenate",
        ),
        (
            lambda gray, colour: ([gray, "b.png"], [gray, gray]),
            TypeError,
            r"x\[1\] is a str.*read_image\(x\[1\]\)",
        ),
        (lambda gray, colour: ([1, 2], [1, 2]), TypeError, r"is a list of numbers.*numpy.asarray\(x, dtype\)"),
        *(
            (
                lambda gray, colour, nested=nested: (nested(gray), [gray]),
                TypeError,
                r"x\[0\] is a (list|tuple): a list holds single images",
            )
            for nested in (
                lambda gray: [[gray]],
                lambda gray: [(gray, gray)],
                lambda gray: [[]],
                lambda gray: list_in_itself(),
            )
        ),
    ],
)
def test_lists_that_are_no_batch(make: Callable[..., Any], error: type[Exception], match: str) -> None:
    x, y = make(pixels(shape=(32, 32)), pixels(shape=(32, 32, 3)))
    with pytest.raises(error, match=match):
        pixelgauge.mse(x, y)


@pytest.mark.boundary
def test_equal_shapes_that_are_read_otherwise() -> None:
    gray = pixels(shape=(16, 16))
    read = (
        "one shape, .*a batch of 2 images of 16 x 16 with 1 channel and y as one image of 2 x 16 with 16 channels: set"
    )
    with pytest.raises(ValueError, match=read):
        pixelgauge.psnr([gray, gray], np.stack([gray, gray]))
    assert pixelgauge.psnr([gray, gray], np.stack([gray, gray]), channel_axis=None).shape == (2,)
    colour = pixels(shape=(16, 16, 3))
    with pytest.raises(
        ValueError, match=r"x was read as one image of 16 x 16 with 3 channels and y as .* 16 x 3 with 16"
    ):
        pixelgauge.psnr(Image.fromarray(colour), colour, channel_axis=0)


@pytest.mark.property
@given(
    st.sampled_from([np.uint8, np.uint16, np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
    st.permutations([0, 1, 2]),
    st.lists(st.sampled_from([-3, -2, -1, 1, 2, 3]), min_size=3, max_size=3),
    st.integers(0, 7),
    st.booleans(),
)
def test_the_same_pixels_in_any_memory_give_the_same_bits(
    dtype: Any, seed: Any, order: Any, steps: Any, offset: Any, foreign: Any
) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(11, 40)), int(rng.integers(11, 40)), int(rng.integers(1, 5)))
    x, y = (rng.integers(0, 256, shape).astype(dtype) for _ in range(2))
    stored = x.astype(x.dtype.newbyteorder()) if foreign else x
    # Axes in any order, any steps of either sign, at any byte.
    lengths = [shape[axis] * abs(steps[axis]) for axis in order]
    memory = np.zeros(offset + int(np.prod(lengths)) * x.itemsize, np.uint8)
    wide = memory[offset:].view(stored.dtype).reshape(lengths).transpose(np.argsort(order))
    laid = wide[tuple(slice(None, None, step) for step in steps)]
    laid[...] = stored
    assert pixelgauge.mse(laid, y) == pixelgauge.mse(x, y)
    score, index = pixelgauge.ssim(laid, y, data_range=255, full=True)
    plain, plain_index = pixelgauge.ssim(x, y, data_range=255, full=True)
    assert score == plain
    np.testing.assert_array_equal(index, plain_index)


@pytest.mark.property
def test_plain_arrays_are_asked_for_nothing_else() -> None:
    x = pixels(shape=(16, 16, 3))
    calls = []
    sys.setprofile(lambda frame, event, function: calls.append(function) if event in ("call", "c_call") else None)
    try:
        canonical_pair(x, x, -1)
    finally:
        sys.setprofile(None)
    assert len(calls) <= 10  # some 0.3 us each, beside 20 of the whole metric of a small image


@pytest.fixture(scope="module")
def side_features(networks: dict[str, Any]) -> Callable[..., Any]:
    """Features of one side of a distance, by a network that is loaded once and cut where it is cheap."""
    inception = Inception(weights=networks["weights"], outputs=("64",))
    return lambda side, limit=None: FeatureSource(side, "a", limit=limit).collect(inception, ("64",), ())["64"]


@pytest.mark.property
def test_sides_of_distances_are_lists_of_images(side_features: Callable[..., Any]) -> None:
    images = [pixels(seed=0), pixels(seed=1)]  # a pair, which could be taken for a mean and a covariance
    expected = side_features(np.stack(images))
    for make in (Image.fromarray, Tensor, OnlyDlpack, masked, strided, lambda x: data_array(x, ("y", "x", "c"))):
        for kind in (list, tuple):
            np.testing.assert_array_equal(side_features(kind(make(image) for image in images)), expected)


@pytest.mark.property
def test_images_of_many_sizes_are_taken_as_their_files(side_features: Callable[..., Any], tmp_path: Path) -> None:
    images = [pixels(seed=seed, shape=(40 + seed, 50 - seed, 3)) for seed in range(3)]
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for image, path in zip(images, paths, strict=True):
        Image.fromarray(image).save(path)
    opened = [Image.open(path) for path in paths]
    expected = side_features(paths)
    for side in (tuple(paths), list(map(str, paths)), images, opened, tuple(opened), [paths[0], *opened[1:]]):
        np.testing.assert_array_equal(side_features(side), expected)
    for side in (images, opened):
        np.testing.assert_array_equal(side_features(side, limit=2), side_features(paths, limit=2))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"])
@pytest.mark.property
def test_inception_makes_images_rgb_as_their_files(networks: dict[str, Any], mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("image.png" if mode in ("1", "L", "LA", "P", "RGBA") else "image.tiff")
    exif = Image.Exif()
    exif[274] = 6  # is ignored, as the programs ignore it
    Image.fromarray(pixels()).convert(mode).save(path, exif=exif)
    with Image.open(path) as image:
        np.testing.assert_array_equal(networks["InceptionFeatures"](image), networks["InceptionFeatures"](path))


@pytest.mark.property
def test_fid_takes_lists(networks: dict[str, Any]) -> None:
    sides = [[pixels(seed=seed) for seed in seeds] for seeds in ((0, 1, 2), (3, 4))]
    expected = pixelgauge.fid(*map(np.stack, sides), weights=networks["weights"])
    pictures = [tuple(map(Image.fromarray, side)) for side in sides]
    assert pixelgauge.fid(*pictures, weights=networks["weights"]) == expected


@pytest.mark.boundary
def test_distances_name_the_image_that_cannot_be_read(side_features: Callable[..., Any]) -> None:
    whole = Image.fromarray(pixels())
    data = io.BytesIO()
    whole.save(data, "PNG")
    cut = Image.open(io.BytesIO(data.getvalue()[:900]))
    with pytest.raises(ValueError, match=r"^a\[2\] is a PIL image of mode RGB that cannot be made RGB .*truncated"):
        side_features([whole, whole, cut])
    with pytest.raises(ValueError, match=r"^a\[1\] has more than 8 bits a channel \(mode I;16\)"):
        side_features([whole, Image.new("I;16", (40, 40))])


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("side", "error", "message"),
    [
        ([b"a.png", b"b.png"], TypeError, r"a\[0\] is a bytes.*read_image\("),
        ((b"a.png", b"b.png"), TypeError, r"a\[0\] is a bytes.*read_image\("),
        ([pixels(), "b.png"], TypeError, "a holds arrays beside files or PIL images"),
        ([pixels(np.float32)], ValueError, r"a\[0\] has shape .* and dtype float32"),
        ([pixels()[..., 0]], ValueError, r"a\[0\] has 1 channel\(s\).*pass gray='repeat'"),
        ([pixels().tolist()], TypeError, r"a\[0\] is a list"),
        (Image.new("RGB", (40, 40)), ValueError, "a is one PIL image.*pass a list of images"),
        (np.zeros((3, 3, 40, 40), np.uint8), ValueError, r"pass channel_axis=1, or numpy.moveaxis\(a, 1, -1\)"),
        (np.zeros((3, 40, 40, 1), np.uint8), ValueError, "pass gray='repeat' to repeat a gray channel"),
        (b"folder", TypeError, r"a is a bytes.*read_image\("),
        ([], ValueError, "a is an empty list"),
        ((), ValueError, "a is an empty list"),
    ],
)
def test_fid_refuses_what_is_no_set_of_images(side: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        pixelgauge.fid(side, side)


@pytest.mark.boundary
def test_networks_suggest_the_axis_of_the_channels(networks: dict[str, Any]) -> None:
    first = np.zeros((2, 3, 40, 44), np.uint8)
    lpips = networks["LPIPS"]
    for call in (lambda x, **axis: lpips(x, x, **axis), networks["InceptionFeatures"], networks["OnnxFeatures"]):
        with pytest.raises(ValueError, match=r"44 channel\(s\).*shape is \(2, 3, 40, 44\), so pass channel_axis=1"):
            call(first)
        with pytest.raises(ValueError, match=r"44 channel\(s\).*shape is \(3, 40, 44\), so pass channel_axis=0"):
            call(first[0])
        assert len(np.atleast_1d(call(first, channel_axis=1))) == 2
        with pytest.raises(ValueError, match=r"2 channel\(s\).*drop alpha"):
            call(np.zeros((40, 44, 2), np.uint8))


@pytest.mark.boundary
def test_inception_refuses_arrays_beside_files(networks: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="arrays beside files or PIL images"):
        networks["InceptionFeatures"]([pixels(), Image.fromarray(pixels())])
    with pytest.raises(ValueError, match=r"images\[1\] has dtype uint16 and images\[0\] uint8"):
        networks["InceptionFeatures"]([pixels(), pixels(np.uint16)])


@pytest.mark.property
def test_inception_checks_the_range_of_a_list_as_a_whole(networks: dict[str, Any]) -> None:
    dark, bright = pixels(np.float32) / 512, pixels(np.float32, seed=1)
    together = networks["InceptionFeatures"](np.stack([dark, bright]), data_range=255)
    np.testing.assert_array_equal(networks["InceptionFeatures"]([dark, bright], data_range=255), together)
    with pytest.raises(ValueError, match="images: no value above one"):
        networks["InceptionFeatures"]([dark, dark], data_range=255)
