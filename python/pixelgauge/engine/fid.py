"""The Fréchet Inception distance of two sets of images, from wherever they come."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pixelgauge import _core
from pixelgauge.checks import whole_number
from pixelgauge.distribution.frechet import frechet_distance
from pixelgauge.engine.extraction import BATCH_SIZE, Extraction, Inception, extraction_of
from pixelgauge.engine.feature_sides import require_arrays, require_comparable, require_used
from pixelgauge.engine.feature_sources import FeatureSource
from pixelgauge.full_reference.arguments import DataRange


def fid(
    a: object,
    b: object,
    *,
    preset: str = "pytorch-fid",
    batch_size: int = 32,
    workers: int | None = None,
    providers: Any = None,
    weights: str | Path | None = None,
    limit: int | None = None,
    seed: int = 0,
    data_range: DataRange = None,
    channel_axis: int | None = -1,
    gray: Literal["repeat"] | None = None,
    features: object = None,
    memory: int | str | None = None,
) -> float:
    """Fréchet Inception distance of two sets of images, or the same of another network's features.

    Parameters
    ----------
    a, b : path, FeatureStats, FeatureSet, (mean, covariance), array_like or list of images
        Folders or zip archives of images (subfolders included, sizes may differ), ``.npz`` statistics of any dialect,
        ``.npz`` or ``.npy`` files of images or features, what :meth:`FeatureSet.save` or ``pixelgauge features`` wrote,
        images (N, H, W, 3), or features (N, D). A list or tuple holds paths and PIL images, both made RGB by Pillow's
        ``convert("RGB")``, or images (H, W, 3).
    preset : {"pytorch-fid", "torch-fidelity", "torchmetrics", "clean-fid"}, default "pytorch-fid"
        Whose number to compute: they differ in how images are resized to 299 x 299. Statistics that record another
        preset are refused, and another than the default where neither images nor statistics use it.
    batch_size : int, default 32
        Images that go through the network at a time; no digit depends on it.
    workers : int, optional
        Threads that decode images and compute: :func:`pixelgauge.set_num_threads` for the length of this call, which
        calls on other Python threads meanwhile share. Default: :func:`pixelgauge.get_num_threads`. No digit depends
        on it.
    providers : optional
        Of onnxruntime; see :class:`pixelgauge.perceptual.inception.InceptionFeatures`.
    weights : path, optional
        Inception's state dict; default the model ``inception-fid`` of the cache. Refused where there are no images.
    limit : int, optional
        Use this many images of each side, chosen at random by `seed`.
    seed : int, default 0
    data_range : float or (float, float), optional
        Of arrays of images, on both sides: R means 0..R, a pair means (low, high). Needed for float images, which are
        scaled to 0..255 and not rounded.
    channel_axis : int or None, default -1
        Axis of the three channels of such arrays, in a list that of each image; None for gray without one, (N, H, W).
    gray : {None, "repeat"}
        ``"repeat"`` takes arrays of one channel as colour of three equal ones. Default: they are refused.
    features : FeatureNetwork or path, optional
        What makes features in Inception's place: an :class:`InceptionFeatures`, an ``OnnxFeatures``, anything with
        their ``widths``, ``fingerprint``, ``batches`` and ``batches_of_files``; or the path of an ``.onnx`` graph.
        Refused where there are no images, and beside `preset` and `weights`.
    memory : int or str, optional
        Bytes that decoded images may take together, such as ``"2G"``; default half of the memory that the process may
        use. A network that `features` is has its own. No digit depends on it.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError, OSError
        If a side is none of these, is empty, damaged or has fewer than two samples, the sides do not compare, or an
        argument is out of range, used or not.
    ImportError
        If images are given and onnxruntime is not installed.

    Notes
    -----
    M. Heusel et al., NeurIPS 2017. While there are fewer images than features the distance is computed from the
    features themselves, which is exact where a singular covariance would not be; beyond that they are not kept.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.random.default_rng(0).standard_normal((50, 6))
    >>> round(pixelgauge.fid(x, x + 2), 6)  # features: no network needed
    24.0
    """
    if workers is not None:
        workers = whole_number("workers", workers, 1)
    before = _core.get_num_threads()
    if workers is not None:
        _core.set_num_threads(workers)
    try:
        asked = None if preset == Inception.preset else preset
        inception = Inception(preset, batch_size, weights, providers, memory=memory)  # checked, used or not
        extraction: Extraction = inception
        if features is not None:
            size = None if batch_size == BATCH_SIZE else batch_size
            extraction = extraction_of(
                features, preset=asked, batch_size=size, weights=weights, providers=providers, memory=memory
            )
        first, second = (
            FeatureSource(x, name, limit=limit, seed=seed, data_range=data_range, channel_axis=channel_axis, gray=gray)
            for x, name in ((a, "a"), (b, "b"))
        )
        require_arrays([first, second], data_range, channel_axis, gray)
        require_used([first, second], preset=asked, weights=weights, features=features)
        require_comparable(first, second, extraction)
        return frechet_distance(first.gaussian(extraction), second.gaussian(extraction))
    finally:
        _core.set_num_threads(before)
