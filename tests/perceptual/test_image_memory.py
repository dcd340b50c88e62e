"""Decoded images on their way into a network: within the bytes there are, in order, and nobody waits for ever."""

from __future__ import annotations

import io
import pickle
import random
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge.images import ImageFileError
from pixelgauge.images.budget import Budget, budget_of
from pixelgauge.images.headers import rgb_bytes
from pixelgauge.networks import preprocess
from pixelgauge.parallel import ordered_map
from pixelgauge.perceptual.image_batches import ImageSet
from pixelgauge.perceptual.image_features import ImageFeatures
from tests.pictures import random_pixels


class Flight:
    """Which images are decoded and not yet made into something, and how many bytes they took at most together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[int, int] = {}
        self.most_together = self.most_images = 0

    def begin(self, pixels: int) -> None:
        with self._lock:
            self._held[threading.get_ident()] = 16 * pixels
            self.most_images = max(self.most_images, len(self._held))
            if len(self._held) > 1:
                self.most_together = max(self.most_together, sum(self._held.values()))

    def end(self) -> None:
        with self._lock:
            self._held.pop(threading.get_ident(), None)


class Means(ImageFeatures):
    """Mean of each channel, made on many threads: a network that is quick."""

    _network = "the means"
    widths = {"mean": 3}  # noqa: RUF012
    fingerprint: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, memory: object = None, threads: int = 8, flight: Flight | None = None) -> None:
        self._budget = budget_of(memory)
        self._threads, self._flight = threads, flight
        self.refused_edge = 0

    def mean(self, pixels: np.ndarray) -> np.ndarray:
        if pixels.shape[1] == self.refused_edge:
            raise ValueError("refused")
        time.sleep(0.0005)
        return pixels.mean((1, 2), dtype=np.float64).astype(np.float32)

    def _each(self, images: ImageSet) -> Iterator[np.ndarray]:
        def one(i: int) -> np.ndarray:
            try:
                return self._made_of(images, i, self.made)
            finally:
                if self._flight is not None:
                    self._flight.end()

        return ordered_map(one, range(len(images)), self._threads, 4)

    def made(self, pixels: np.ndarray) -> np.ndarray:
        try:
            return self.mean(pixels)
        finally:
            if self._flight is not None:
                self._flight.end()


@pytest.fixture
def flight(monkeypatch: pytest.MonkeyPatch) -> Flight:
    """Seen from the decoder: an image is in flight from its decoding on."""
    found, decode = Flight(), preprocess.rgb_pixels

    def watched(image: Image.Image) -> np.ndarray:
        found.begin(image.width * image.height)
        return decode(image)

    monkeypatch.setattr(preprocess, "rgb_pixels", watched)
    return found


KINDS = ("png", "jpg", "bmp")


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Sixty pictures of 12 to 79 pixels an edge."""
    rng = random.Random(3)
    (tmp_path / "set").mkdir()
    paths = []
    for i in range(60):
        paths.append(str(tmp_path / "set" / f"{i:02}.{KINDS[i % 3]}"))
        Image.fromarray(random_pixels((rng.randrange(12, 80), rng.randrange(12, 80), 3), i)).save(paths[-1])
    return paths


def expected(files: list[str]) -> np.ndarray:
    found = [np.asarray(Image.open(path).convert("RGB")).mean((0, 1), dtype=np.float64) for path in files]
    return np.asarray(found, np.float32)


@pytest.mark.property
@pytest.mark.parametrize("threads", [1, 3, 16])
@pytest.mark.parametrize("memory", [1, 60_000, 300_000, 10**9])
def test_images_in_flight_stay_within_the_memory_and_in_order(
    files: list[str], flight: Flight, threads: int, memory: int
) -> None:
    found = Means(memory, threads, flight)(files)
    np.testing.assert_array_equal(found, expected(files))
    assert flight.most_together <= memory
    assert flight.most_images <= threads
    if memory == 1:
        assert flight.most_images == 1
    if (threads, memory) == (16, 10**9):
        assert flight.most_images > 1


@pytest.mark.property
def test_one_beyond_the_memory_comes_alone_and_holds_nobody_up(
    files: list[str], tmp_path: Path, flight: Flight
) -> None:
    large = str(tmp_path / "large.png")
    Image.fromarray(random_pixels((300, 400, 3), 1)).save(large)
    mixed = [path for i, path in enumerate(files) for path in ([large, path] if i % 7 == 0 else [path])]
    found = Means(200_000, 12, flight)(mixed)
    np.testing.assert_array_equal(found, expected(mixed))
    assert flight.most_together <= 200_000 < 16 * 300 * 400


@pytest.mark.property
@pytest.mark.parametrize("seed", range(6))
def test_failing_images_give_back_what_they_held(files: list[str], seed: int) -> None:
    """Broken headers, data that ends early and an image that the network refuses, among many on 12 threads."""
    rng = random.Random(seed)
    broken = sorted(rng.sample(range(60), 9))
    for i in broken:
        data = Path(files[i]).read_bytes()
        Path(files[i]).write_bytes(data[: rng.choice((0, 10, len(data) // 2))])
    network = Means(rng.choice((1, 50_000)), 12)
    with pytest.raises(ImageFileError) as caught:
        network(files)
    assert caught.value.path == files[broken[0]]
    sound = [path for i, path in enumerate(files) if i not in broken]
    with Image.open(sound[20]) as image:
        network.refused_edge = image.height
    with pytest.raises(ValueError, match="refused"):
        network(sound)
    network.refused_edge = 0
    np.testing.assert_array_equal(network(sound), expected(sound))
    assert isinstance(network._budget, Budget)
    assert network._budget.took(10**12)  # as only one may to whom all is free


@pytest.mark.property
def test_a_run_that_is_left_while_threads_wait_ends(files: list[str]) -> None:
    before, network = threading.active_count(), Means(1, 16)
    for taken in (0, 1, 7):
        batches = network.batches(files)
        for _ in range(taken):
            next(batches)
        batches.close()  # type: ignore[attr-defined]
        assert threading.active_count() == before
    np.testing.assert_array_equal(network(files), expected(files))


@pytest.mark.property
def test_two_runs_of_one_network_share_its_memory(files: list[str], flight: Flight) -> None:
    network = Means(60_000, 6, flight)
    first, second = network.batches(files), network.batches(files[::-1])
    one, other = zip(*zip(first, second, strict=True), strict=True)
    np.testing.assert_array_equal(np.concatenate(one), expected(files))
    np.testing.assert_array_equal(np.concatenate(other), expected(files[::-1]))
    assert flight.most_together <= 60_000


@pytest.mark.property
def test_what_can_be_read_once_is_read_once(files: list[str], tmp_path: Path) -> None:
    network, whole = Means(1, 12), expected(files)
    opened: list[Any] = [io.BytesIO(Path(path).read_bytes()) for path in files]
    np.testing.assert_array_equal(np.concatenate(list(network.batches_of_files(opened, files))), whole)
    pictures = [Image.open(path) for path in files]
    np.testing.assert_array_equal(network(pictures), whole)
    np.testing.assert_array_equal(network([np.asarray(picture.convert("RGB")) for picture in pictures]), whole)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in files:
            archive.write(path, Path(path).name)
    kept = pixelgauge.FeatureSet.from_images(tmp_path / "set.zip", network)
    np.testing.assert_array_equal(kept.features, whole)
    np.testing.assert_array_equal(pixelgauge.FeatureSet.from_images(tmp_path / "set", network).features, whole)


# ---- the networks ---------------------------------------------------------------------------------------------------


@pytest.mark.property
@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("options", [{}, {"antialias": False, "interpolation": "bilinear"}, {"crop": "square"}])
def test_a_graph_gives_the_same_bits_within_any_memory(
    files: list[str], tmp_path: Path, batch_size: int, options: dict[str, Any]
) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    from tests.perceptual import graphs

    path = graphs.save(graphs.network(("N", 3, 24, 24)), tmp_path / "graph.onnx")
    size = 24 if "crop" in options else (24, 24)
    found = [
        pixelgauge.OnnxFeatures(path, size=size, batch_size=batch_size, memory=memory, **options)
        for memory in (None, 1, "40k")
    ]
    values = [network(files) for network in (*found, pickle.loads(pickle.dumps(found[1])))]
    for other in values[1:]:
        np.testing.assert_array_equal(other, values[0])
    assert found[0].fingerprint == found[1].fingerprint


@pytest.mark.property
def test_inception_gives_the_same_bits_within_any_memory(files: list[str], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    from tests.perceptual.weights import own_recipe

    np.savez(tmp_path / "inception.npz", **own_recipe())
    found = [
        pixelgauge.InceptionFeatures(weights=tmp_path / "inception.npz", output="64", batch_size=4, memory=memory)
        for memory in (None, 1)
    ]
    for count in (3, 12):  # by batches, and by images
        np.testing.assert_array_equal(found[0](files[:count]), found[1](files[:count]))
    assert found[0].fingerprint == found[1].fingerprint


@pytest.mark.boundary
@pytest.mark.parametrize("memory", ["", "1X", 0, -1, "0.1B"])
def test_what_is_no_size_is_refused_before_anything_is_opened(memory: object) -> None:
    x = np.random.default_rng(0).standard_normal((50, 6))
    for call in (
        lambda: pixelgauge.InceptionFeatures(weights="none.pth", memory=memory),  # type: ignore[arg-type]
        lambda: pixelgauge.OnnxFeatures("none.onnx", memory=memory),  # type: ignore[arg-type]
        lambda: pixelgauge.fid(x, x, memory=memory),  # type: ignore[arg-type]
        lambda: pixelgauge.fid("a", "b", features="none.onnx", memory=memory),  # type: ignore[arg-type]
    ):
        with pytest.raises(ValueError, match="memory="):
            call()
    with pytest.raises(TypeError, match=r"memory=1\.5"):
        pixelgauge.fid(x, x, memory=1.5)  # type: ignore[arg-type]


# ---- what is taken --------------------------------------------------------------------------------------------------

_PEAKS = """
import os, sys
from PIL import Image
from pixelgauge.images.headers import rgb_bytes
from pixelgauge.networks.preprocess import read_rgb

def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(name))

for path in sys.argv[1:]:
    with Image.open(path) as image:
        need = rgb_bytes(image, os.path.getsize(path))
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = status("VmRSS")
    read_rgb(path)
    print(os.path.basename(path), status("VmHWM") - before, need)
"""

SAVED: dict[str, tuple[str, dict[str, Any]]] = {
    "rgb.jpg": ("RGB", {"subsampling": 0}),
    "progressive.jpg": ("RGB", {"subsampling": 0, "progressive": True}),
    "cmyk.jpg": ("CMYK", {}),
    "gray.jpg": ("L", {}),
    "rgb.png": ("RGB", {"compress_level": 1}),
    "alpha.png": ("RGBA", {"compress_level": 1}),
    "palette.png": ("P", {"compress_level": 1}),
    "rgb.bmp": ("RGB", {}),
    "lossless.webp": ("RGB", {"lossless": True, "quality": 0, "method": 0}),
    "alpha.webp": ("RGBA", {"method": 0}),
    "deflate.tif": ("RGB", {"compression": "tiff_deflate"}),
    "lzw.tif": ("RGBA", {"compression": "tiff_lzw"}),
    "palette.gif": ("P", {}),
    "rgb.jp2": ("RGB", {}),
    "rgb.ppm": ("RGB", {}),
}


@pytest.mark.property
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read as Linux tells it")
def test_decoding_takes_no_more_than_was_told(tmp_path: Path) -> None:
    picture = Image.fromarray(random_pixels((30, 40, 3), 1)).resize((2000, 1500))
    small = picture.resize((30, 20))
    paths = []
    for name, (mode, options) in SAVED.items():
        small.convert(mode).save(tmp_path / f"small-{name}", **options)
        picture.convert(mode).save(tmp_path / name, **options)
        paths += [tmp_path / f"small-{name}", tmp_path / name]  # the small one loads what decodes the large one
    told = subprocess.run(
        [sys.executable, "-c", _PEAKS, *paths], capture_output=True, text=True, check=True, timeout=120
    )
    for line in told.stdout.splitlines():
        name, took, need = line.split()
        if not name.startswith("small-"):
            assert int(took) <= int(need), name
    assert len(told.stdout.splitlines()) == 2 * len(SAVED)


@pytest.mark.parity
@pytest.mark.parametrize("edges", [(1500, 1499), (7, 5)])
def test_every_kind_is_what_pillow_converts(tmp_path: Path, edges: tuple[int, int]) -> None:
    picture = Image.fromarray(random_pixels((30, 40, 3), 1)).resize(edges)
    for name, (mode, options) in SAVED.items():
        picture.convert(mode).save(tmp_path / name, **options)
        with Image.open(tmp_path / name) as image:
            expected = np.asarray(image.convert("RGB"))
        np.testing.assert_array_equal(preprocess.read_rgb(tmp_path / name), expected, name)


@pytest.mark.property
def test_what_is_told_grows_with_the_file_and_with_what_comes_after(tmp_path: Path) -> None:
    Image.fromarray(random_pixels((20, 30, 3), 1)).save(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert rgb_bytes(image) == 16 * 600
        assert rgb_bytes(image, 100) == 16 * 600 + 300
        assert rgb_bytes(image, 100, beside=80) == 80 * 600 + 300
    Image.fromarray(random_pixels((20, 30, 3), 1)).save(tmp_path / "x.webp")
    with Image.open(tmp_path / "x.webp") as image:
        assert rgb_bytes(image) == 32 * 600
        assert rgb_bytes(image.convert("L")) == 16 * 600
