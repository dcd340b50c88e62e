"""Anything with pixels in memory to canonical arrays: the one door of every function that takes images.

What comes through has the values that its owner would print; what cannot be read so is refused with what to write.
"""

from __future__ import annotations

import math
import mmap
import numbers
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelgauge.checks import ArgumentValueError, number
from pixelgauge.images.decoding import is_picture, picture_pixels

Array = npt.NDArray[Any]

_KERNEL_TYPES = (np.uint8, np.uint16, np.float32, np.float64)
_KERNEL_DTYPES = frozenset(map(np.dtype, _KERNEL_TYPES))  # of the native byte order

# DLPack's device types whose memory the CPU reads: its own, and what CUDA and ROCm pin or manage for both.
_CPU_DEVICES = (1, 3, 11, 13)

_CHANNEL_NAMES = frozenset({"band", "bands", "c", "channel", "channels", "color", "colour", "rgb", "rgba"})
"""What a named axis is called when it holds the channels."""


def as_array(x: object, name: str) -> Array:
    """View anything on the CPU that holds numbers as a plain NumPy array, without a copy where possible.

    Parameters
    ----------
    x : array_like
        NumPy array, an array of another library that speaks DLPack or ``__array__`` (PyTorch, JAX, TensorFlow, pandas,
        xarray, pyarrow), a buffer with a shape (``memoryview``, ``array.array``), or a PIL image, which is read by the
        rules of :func:`pixelgauge.images.read_image`. PyTorch's bfloat16 becomes float32.
    name : str
        The argument's name, for messages.

    Returns
    -------
    numpy.ndarray
        No subclass: a masked array without a masked value, a matrix, a memory map are seen as the plain array.

    Raises
    ------
    TypeError
        If `x` is none of these, has masked values, or cannot be read from the CPU as it is; the message says what to
        write instead.
    ValueError
        If it is a PIL image with transparent pixels, several frames, or that cannot be loaded.
    """
    if type(x) is np.ndarray:
        return x
    if isinstance(x, np.ndarray):
        return _plain(x, f"{name} is a masked array", f"{name}.filled(value)")
    if is_picture(x):
        return picture_pixels(x, name)
    if not isinstance(x, type):
        if hasattr(x, "__dlpack__") or hasattr(x, "__array__") or hasattr(x, "__array_interface__"):
            return _of_another_library(x, name)
        if not isinstance(x, bytes | bytearray | mmap.mmap):
            try:
                buffer = memoryview(x)  # type: ignore[arg-type]
            except (BufferError, TypeError, ValueError):  # none, or released, which _instead tells
                pass
            else:
                return _read(lambda: np.asarray(buffer), x, name)
    raise TypeError(f"{name} is {_kind(x)}: {_instead(x, name)}")


def _plain(array: Array, what: str, filled: str) -> Array:
    """See a subclass as the plain array, which a masked value would make a lie."""
    if isinstance(array, np.ma.MaskedArray):
        if array.dtype.names is None and np.ma.is_masked(array):
            count = np.count_nonzero(np.ma.getmaskarray(array))
            raise TypeError(
                f"{what} with {count} masked values, which are no numbers: pass {filled} or crop to the valid part"
            )
        array = np.ma.getdata(array)
    return np.asarray(array)


def _of_another_library(x: Any, name: str) -> Array:
    """Read by DLPack where that tells the whole truth, else by ``__array__``."""

    def read() -> Array:
        array = x
        if hasattr(x, "__dlpack__") and not _on_cpu(x):  # to copy it is the caller's to ask
            raise BufferError("its memory is that of another device")
        # PyTorch's lazy bits: DLPack hands out the memory beneath, without the sign.
        for bit, resolve in (("is_conj", "resolve_conj"), ("is_neg", "resolve_neg")):
            if callable(getattr(array, bit, None)) and getattr(array, bit)():
                array = getattr(array, resolve)()
        if str(getattr(array, "dtype", "")) == "torch.bfloat16":
            array = array.float()  # exact
        has_array = hasattr(array, "__array__") or hasattr(array, "__array_interface__")
        # Its own conversion knows tensors that DLPack hands out as memory that was never written (zero tensors), or
        # without their mask.
        if hasattr(array, "is_neg") and has_array:
            return np.asanyarray(array)
        if hasattr(array, "__dlpack__"):
            try:
                return np.from_dlpack(array)
            except (BufferError, RuntimeError, TypeError, ValueError):
                if not has_array:
                    raise
                # It may be a dtype that DLPack lacks.
        return np.asanyarray(array)  # with its mask

    return _read(read, x, name)


def _read(read: Callable[[], Array], x: object, name: str) -> Array:
    try:
        array = read()
    except MemoryError:
        raise
    except Exception as error:  # other libraries raise what they like
        why = str(error).partition("\n")[0].rstrip(". ") or type(error).__name__
        remedy = _remedy(x, name)
        raise TypeError(f"{name} is {_kind(x)} and cannot be read as it is ({why})" + remedy) from error
    return _plain(array, f"{name} is {_kind(x)} that becomes a masked array", f"numpy.asanyarray({name}).filled(value)")


def _on_cpu(x: Any) -> bool:
    """Whether the CPU reads its memory; also where the device is not told."""
    try:
        return int(x.__dlpack_device__()[0]) in _CPU_DEVICES
    except Exception:  # such as an array that lies on several devices
        return True


def _remedy(x: Any, name: str) -> str:
    """Say what to write for an array that could not be read, by what it tells of itself."""
    if "tracer" in type(x).__name__.lower():
        return ": it has no values yet, so call this outside of what is traced"
    if getattr(x, "is_nested", None) is True:
        return f": pass its images as a list, list({name}.unbind())"
    if getattr(x, "is_meta", None) is True:
        return ": a tensor on the meta device holds no values"
    if hasattr(x, "get_mask") and hasattr(x, "to_tensor"):
        return f": pass {name}.to_tensor(value), with a value for what is masked"
    calls = ".detach()" if getattr(x, "requires_grad", None) is True else ""
    layout = str(getattr(x, "layout", ""))
    if getattr(x, "is_quantized", None) is True:
        calls += ".dequantize()"
    if getattr(x, "is_sparse", None) is True or (layout.startswith("torch.") and layout != "torch.strided"):
        calls += ".to_dense()"
    elif hasattr(x, "todense"):
        calls += ".todense()"
    if not _on_cpu(x):
        if hasattr(x, "cpu"):
            calls += ".cpu()"
        elif hasattr(x, "get"):
            calls += ".get()"
        else:
            return f": copy it to the CPU, for JAX by jax.device_get({name})"
    if not calls and callable(getattr(x, "_is_zerotensor", None)) and x._is_zerotensor():
        calls = ".numpy(force=True)"
    dtype = str(getattr(x, "dtype", "")).rpartition(".")[2]
    if "float" in dtype and dtype not in ("float16", "float32", "float64") and callable(getattr(x, "float", None)):
        calls += ".float()"
    return f": pass {name}{calls}" if calls else "; pass a NumPy array of its values"


def _kind(x: object) -> str:
    of = type(x)
    kind = of.__qualname__ if of.__module__ == "builtins" else f"{of.__module__}.{of.__qualname__}"
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"


def _instead(x: object, name: str) -> str:
    """Say what to write for something that is no array."""
    if isinstance(x, str | os.PathLike):
        return f"decode a file with pixelgauge.images.read_image({name})"
    if isinstance(x, bytes | bytearray | mmap.mmap):
        return (
            f"decode an image file's bytes with pixelgauge.images.read_image({name}), view raw pixels with "
            f"numpy.frombuffer({name}, numpy.uint8).reshape(height, width, channels)"
        )
    if isinstance(x, memoryview):
        return "it has been released, so it holds no values: pass it before, or pass what it was a view of"
    if callable(getattr(x, "read", None)):
        return f"decode a binary file object with pixelgauge.images.read_image({name})"
    if isinstance(x, list | tuple):
        return f"pass numpy.asarray({name}, dtype) if it holds numbers, numpy.stack({name}) if arrays"
    for method in ("toarray", "todense", "to_dense", "to_numpy", "numpy"):
        if callable(getattr(x, method, None)) and not isinstance(x, type):
            return f"pass {name}.{method}()"
    if hasattr(x, "__next__"):
        return f"pass list({name}) if it yields images"
    return "pass a NumPy array or one that speaks DLPack or __array__"


class Images(NamedTuple):
    """Images as the kernels take them, and how the argument held them."""

    pixels: Array
    """(N, H, W, C), of a dtype that the kernels take."""
    single: bool
    """Whether the argument was one image rather than a batch."""
    channel_axis: int | None
    """The argument's axis of the channels, None if it has none; of a list, that of the batch which its images make."""
    dims: tuple[str, ...] | None = None
    """Names of the argument's axes, where it has them."""

    def in_layout(self, values: Array) -> Array:
        """View (N, H, W, C) values with the axes of the argument."""
        if self.channel_axis is None:
            values = values[..., 0]
            return values[0] if self.single else values
        return np.moveaxis(values[0] if self.single else values, -1, self.channel_axis)


def canonical_images(x: object, name: str, channel_axis: int | None) -> Images:
    """View images as a (N, H, W, C) array of a dtype that the kernels take.

    Parameters
    ----------
    x : array_like, PIL image, or list of them
        (H, W), (H, W, C) or (N, H, W, C), or with the channels at `channel_axis`; with ``channel_axis=None``
        (H, W) or (N, H, W). uint8, uint16, bfloat16, float16, float32 or float64. A list or tuple holds images of one
        size, channels and dtype. See :func:`as_array` for what counts as an array.
    name : str
        The argument's name, for messages.
    channel_axis : int or None
        Axis of the channels; None if there is none. In a list, of each image. A PIL image knows its own.

    Returns
    -------
    Images
        Whose pixels are a view unless they had to be converted (float16, bfloat16, foreign byte order, elements that
        are not aligned) or joined (a list).

    Raises
    ------
    TypeError
        For what holds no pixels, and for a dtype that has no unambiguous range (bool, signed and wide integers,
        complex, objects).
    ValueError
        For a wrong number of axes, an empty array or an axis out of range; for images of a list that differ.
    """
    if channel_axis is not None and type(channel_axis) is not int:
        if isinstance(channel_axis, bool) or not isinstance(channel_axis, int | np.integer):
            raise TypeError(f"channel_axis={channel_axis!r} must be a whole number or None")
        channel_axis = int(channel_axis)
    dims = None
    # Nothing else is asked of a plain array: the metrics of a small image take hardly longer than a few questions.
    if type(x) is np.ndarray:
        array = x if x.dtype in _KERNEL_DTYPES and x.flags.aligned else _kernel_array(x, x, name)
    elif isinstance(x, list | tuple):
        return _joined(x, name, channel_axis)
    else:
        array = _kernel_array(as_array(x, name), x, name)
        if array.size > 0 and is_picture(x):
            return _of_picture(array, name, channel_axis)
        dims = _axis_names(x, array.ndim)
    if array.size == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}")
    if channel_axis is None:
        if array.ndim not in (2, 3):
            raise ValueError(f"{name} has shape {array.shape}: with channel_axis=None use (H, W) or (N, H, W)")
        pixels = array.reshape((1, *array.shape, 1)) if array.ndim == 2 else array[..., np.newaxis]
        return Images(pixels, array.ndim == 2, None, dims)
    ndim = array.ndim
    if ndim == 2:
        return Images(array[np.newaxis, ..., np.newaxis], True, None, dims)
    if ndim not in (3, 4):
        raise ValueError(f"{name} has shape {array.shape}: use (H, W), (H, W, C) or (N, H, W, C), or set channel_axis")
    if not -ndim <= channel_axis < ndim:
        raise ValueError(f"channel_axis={channel_axis} is out of range for {name} with shape {array.shape}")
    if dims is not None:
        _require_named_channels(dims, channel_axis, name)
    moved = array
    if channel_axis not in (-1, ndim - 1):  # np.moveaxis takes as long as MSE of a small image
        others = [axis for axis in range(ndim) if axis != channel_axis % ndim]
        moved = array.transpose(*others, channel_axis)
    single = ndim == 3
    return Images(moved[np.newaxis] if single else moved, single, channel_axis, dims)


def _of_picture(array: Array, name: str, channel_axis: int | None) -> Images:
    """Take the pixels of a PIL image, which knows its channels."""
    if array.ndim == 2:
        return Images(array[np.newaxis, ..., np.newaxis], True, None)
    if channel_axis is None:
        raise ValueError(f'{name} is a PIL image in colour: leave channel_axis=None out, or pass {name}.convert("L")')
    return Images(array[np.newaxis], True, -1)


def _kernel_array(array: Array, x: object, name: str) -> Array:
    """View or convert to a dtype and memory that the kernels read."""
    if array.dtype == np.float16 or array.dtype.name == "bfloat16":
        return array.astype(np.float32)
    if array.dtype.type not in _KERNEL_TYPES:
        use = "use uint8, uint16, float16, float32 or float64"
        raise TypeError(f"{name} has dtype {array.dtype}: {use}{_cast(array, x, name)}")
    if not array.dtype.isnative:
        return array.astype(array.dtype.newbyteorder("="))
    if not array.flags.aligned:  # such as a field of packed records
        return array.copy()
    return array


def _cast(array: Array, x: object, name: str) -> str:
    """Say what to write to get one of the dtypes."""
    kind = array.dtype.kind
    if array.dtype.names is not None:
        return f"; pass one field, such as {name}[{array.dtype.names[0]!r}], or numpy.stack the fields"
    if kind == "O":
        if callable(getattr(x, "to_numpy_ndarray", None)):
            return f"; pass {name}.to_numpy_ndarray()"
        if callable(getattr(x, "to_numpy", None)):
            return f"; pass {name}.to_numpy(dtype), such as numpy.float32, with na_value where values are missing"
        return f"; pass numpy.stack({name}) if it holds images, {name}.astype(dtype) if it holds numbers"
    if kind in "biu":
        return f"; pass {name}.astype(numpy.uint8), or numpy.uint16, if that holds its values"
    if kind == "c":
        return f"; pass abs({name}), or its real or imaginary part"
    return f"; pass {name}.astype(numpy.float32)" if kind in "fV" else ""


def _axis_names(x: object, ndim: int) -> tuple[str, ...] | None:
    """Names of the axes of xarray's objects."""
    dims = getattr(x, "dims", None)
    return tuple(map(str, dims)) if isinstance(dims, tuple) and len(dims) == ndim and ndim > 0 else None


def _require_named_channels(dims: tuple[str, ...], axis: int, name: str) -> None:
    """Raise a ``ValueError`` if the names of the axes say that the channels lie elsewhere."""
    named = [i for i, dim in enumerate(dims) if dim.lower() in _CHANNEL_NAMES]
    if len(named) == 1 and named[0] != axis % len(dims):
        raise ValueError(
            f"{name} has axes {dims}: channel_axis={axis} is {dims[axis]!r}, and the channels seem to be "
            f"{dims[named[0]]!r}: pass channel_axis={named[0]}, or {name}.transpose(..., {dims[named[0]]!r})"
        )


def _joined(items: Sequence[object], name: str, channel_axis: int | None) -> Images:
    """Make a batch of a list of images."""
    if not items:
        raise ValueError(f"{name} is empty: it needs at least one image")
    leaf = items[0]
    for _ in range(3):  # numbers of (N, H, W, C) lie no deeper, and a list may hold itself
        if isinstance(leaf, list | tuple) and leaf:
            leaf = leaf[0]
    if isinstance(leaf, numbers.Number | np.generic):
        raise TypeError(
            f"{name} is a {type(items).__name__} of numbers, which say no dtype: pass numpy.asarray({name}, dtype), "
            "such as numpy.uint8"
        )
    if isinstance(items[0], list | tuple):
        raise TypeError(
            f"{name}[0] is a {type(items[0]).__name__}: a list holds single images; pass {name}[0] if that is the "
            "batch, or join the lists"
        )
    images = [canonical_images(item, f"{name}[{i}]", channel_axis) for i, item in enumerate(items)]
    first = images[0]
    for i, image in enumerate(images):
        if not image.single:
            raise ValueError(
                f"{name}[{i}] is a batch of {len(image.pixels)}: a list holds single images; join batches with "
                "numpy.concatenate"
            )
        for what, ours, theirs in (
            ("(height, width, channels)", image.pixels.shape[1:], first.pixels.shape[1:]),
            ("dtype", image.pixels.dtype, first.pixels.dtype),
        ):
            if ours != theirs:
                raise ValueError(
                    f"{name}[{i}] has {what} {ours} and {name}[0] {theirs}: a batch needs images of a kind; score them "
                    "one by one, or convert them"
                )
    axis = first.channel_axis
    if axis is not None and axis >= 0:
        axis += 1
    return Images(np.concatenate([image.pixels for image in images]), False, axis)


def canonical_pair(x: object, y: object, channel_axis: int | None) -> tuple[Images, Images]:
    """View two batches of images of the same shape and dtype; errors as :func:`canonical_images`."""
    a, b = canonical_images(x, "x", channel_axis), canonical_images(y, "y", channel_axis)
    if a.pixels.shape != b.pixels.shape or a.single != b.single:
        shapes = [images.in_layout(images.pixels).shape for images in (a, b)]
        if shapes[0] == shapes[1]:
            raise ValueError(
                f"x and y have one shape, {shapes[0]}, but x was read as {_reading(a)} and y as {_reading(b)}: set "
                "channel_axis to the axis of the channels, or to None if there is none"
            )
        raise ValueError(f"x and y differ in shape: {shapes[0]} and {shapes[1]}; resize or crop one of them")
    if a.pixels.dtype != b.pixels.dtype:
        raise ValueError(f"x and y differ in dtype: {a.pixels.dtype} and {b.pixels.dtype}; convert one of them")
    if a.dims and b.dims and a.dims != b.dims and sorted(a.dims) == sorted(b.dims):
        raise ValueError(f"x has axes {a.dims} and y {b.dims}: pass y.transpose(*x.dims)")
    return a, b


def _reading(images: Images) -> str:
    """Say how the axes of an argument were read."""
    count, height, width, channels = images.pixels.shape
    what = "one image" if images.single else f"a batch of {count} images"
    return f"{what} of {height} x {width} with {channels} channel{'s' * (channels > 1)}"


def value_range_bounds(data_range: float | Sequence[float] | None, dtype: np.dtype[Any]) -> tuple[float, float]:
    """Lowest and highest value of the data range.

    Parameters
    ----------
    data_range : float, (float, float) or None
        R means 0..R, a pair means (low, high). None means the dtype's full range, for integers only.
    dtype : numpy.dtype
        Of the images.

    Raises
    ------
    ValueError
        If float images come without a range, or the range is empty, not finite or the wrong way round.
    """
    if data_range is None:
        if dtype.kind != "u":
            raise ArgumentValueError(
                "data_range",
                "",
                "data_range is needed for floating-point images",
                "pass 1.0 for values in 0..1, 255 for 0..255, or (low, high) such as (-1, 1)",
                kind="missing",
            )
        return 0.0, float((1 << 8 * dtype.itemsize) - 1)
    try:
        low, high = (0.0, number(data_range)) if np.ndim(data_range) == 0 else map(number, data_range)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        problem = "must be a number or a pair (low, high)"
        raise ArgumentValueError("data_range", repr(data_range), problem) from error
    if not (math.isfinite(high - low) and low < high):
        problem = "must be positive and finite, or a pair with low < high"
        raise ArgumentValueError("data_range", repr(data_range), problem)
    return low, high


def value_range_length(data_range: float | Sequence[float] | None, dtype: np.dtype[Any]) -> float:
    """Length L of the data range; parameters and errors as of :func:`value_range_bounds`."""
    low, high = value_range_bounds(data_range, dtype)
    return high - low
