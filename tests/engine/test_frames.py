"""Pages and frames of files, one by one: the pixels of files of one image, and what is damaged or unequal in them."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageCms

import pixelgauge
from pixelgauge.cli import main
from pixelgauge.engine.rows import file_state
from pixelgauge.images.decoding import ImageFileError
from pixelgauge.images.frames import Frames
from pixelgauge.images.tiff import page_alone


def pictures(count, seed=0, dtype=np.uint8):
    shape = (count, 24, 20) if dtype == np.uint16 else (count, 24, 20, 3)
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def encoded(stack, kind, **options):
    first, *rest = map(Image.fromarray, stack)
    buffer = io.BytesIO()
    first.save(buffer, kind, save_all=True, append_images=rest, **options)
    return buffer.getvalue()


def read(data, gray=False, alpha="error"):
    frames = Frames("x", data)
    return [frames.read(i, gray=gray, alpha=alpha).pixels for i in range(frames.count)]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.oracle
@pytest.mark.parametrize("options", [{}, {"compression": "tiff_adobe_deflate"}, {"big_tiff": True}])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pages_of_a_tiff_are_what_was_saved(options, dtype):
    stack = pictures(5, dtype=dtype)
    assert np.array_equal(read(encoded(stack, "TIFF", **options)), stack)


def written(stack, **options):
    """TIFF of a page an image, by tifffile."""
    tifffile = pytest.importorskip("tifffile", reason="tifffile, of the test extra, is not installed")
    buffer = io.BytesIO()
    with tifffile.TiffWriter(
        buffer, bigtiff=options.pop("bigtiff", False), byteorder=options.pop("byteorder", "<")
    ) as file:
        for image in stack:
            file.write(image, contiguous=False, **options)
    return buffer.getvalue()


@pytest.mark.oracle
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"compression": "adobe_deflate"},
        {"tile": (16, 16)},
        {"rowsperstrip": 5},
        {"tile": (16, 32), "compression": "adobe_deflate", "byteorder": ">", "bigtiff": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i2", "u4", "i1"])
def test_pages_of_any_samples_are_read_where_their_range_is_stated(options, dtype):
    kind = np.dtype(dtype)
    scale = 1 if kind.kind == "f" else 100
    stack = (np.random.default_rng(3).random((4, 24, 20)) * scale).astype(kind)
    data = written(stack, photometric="minisblack", **options)
    frames = Frames("x", data)
    assert frames.count == 4
    found = [frames.read(i, gray=False, alpha="error", any_samples=True).pixels for i in (2, 0, 3, 1)]
    assert np.array_equal(found, stack[[2, 0, 3, 1]])
    assert found[0].dtype.kind == "f"
    with pytest.raises(ImageFileError, match="--data-range"):
        frames.read(0, gray=False, alpha="error")


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("channels", "apart"), [((), False), ((3,), False), ((3,), True), ((5,), False), ((5,), True)], ids=str
)
def test_pages_of_16_bits_and_bands_are_what_was_saved(channels, apart):
    stack = np.random.default_rng(4).integers(0, 65536, (3, 24, 20, *channels), dtype=np.uint16)
    options = {"planarconfig": "separate" if apart else "contig"} if channels else {}
    pages = np.moveaxis(stack, -1, 1) if apart else stack
    data = written(pages, photometric="rgb" if channels == (3,) else "minisblack", **options)
    frames = Frames("x", data)
    if apart and channels == (3,):
        with pytest.raises(ImageFileError, match="planes stored apart"):
            frames.read(0, gray=False, alpha="error", any_samples=True)
        return
    found = [frames.read(i, gray=False, alpha="error", any_samples=True).pixels for i in range(3)]
    assert np.array_equal(found, stack)


@pytest.mark.property
def test_a_page_is_made_of_its_own_bytes_alone():
    """Of a file of many pages each costs its own size, whatever it is stored by; and what is wrong in one is in one."""
    for options in ({}, {"compression": "tiff_adobe_deflate"}, {"compression": "jpeg"}, {"compression": "tiff_lzw"}):
        data = encoded(pictures(40), "TIFF", **options)
        frames = Frames("x", data)
        sizes = [len(page_alone(data, at)) for at in frames._pages]
        assert sum(sizes) <= 1.5 * len(data) + 40 * 1000
    stack = pictures(3)
    whole = bytearray(encoded(stack, "TIFF"))
    found = whole.find(stack[1].tobytes())
    assert found > 0
    whole[found : found + 9] = bytes(9)
    assert np.array_equal(np.array(read(bytes(whole)))[[0, 2]], stack[[0, 2]])


@pytest.mark.oracle
def test_frames_of_a_lossless_webp_are_what_was_saved():
    stack = pictures(4)
    assert np.array_equal(read(encoded(stack, "WEBP", lossless=True)), stack)


@pytest.mark.oracle
def test_frames_of_a_gif_are_what_is_shown():
    colours = np.random.default_rng(0).integers(0, 256, (16, 3), dtype=np.uint8)
    stack = colours[np.random.default_rng(1).integers(0, 16, (4, 24, 20))]
    data = encoded(stack, "GIF")
    assert np.array_equal(read(data), stack)
    frames = Frames("x", data)  # backwards too
    backwards = [frames.read(i, gray=False, alpha="error").pixels for i in (3, 0, 2, 1)]
    assert np.array_equal(backwards, stack[[3, 0, 2, 1]])
    assert np.array_equal(read(encoded(stack[:1], "GIF")), stack[:1])


@pytest.mark.property
def test_transparent_frames_need_a_choice():
    layer = np.full((3, 24, 20, 4), (200, 10, 30, 0), np.uint8)
    layer[:, 5:9, 5:9, 3] = 255
    layer[1, 5:9, 5:9, 0] = 9
    data = encoded(layer, "WEBP", lossless=True, exact=True)
    with pytest.raises(ImageFileError, match=r"alpha|transparen"):
        read(data)
    assert read(data, alpha="white")[2][0, 0].tolist() == [255, 255, 255]


@pytest.mark.property
def test_overviews_are_no_pages_and_a_chain_that_bites_its_tail_ends():
    data = bytearray(encoded(pictures(3), "TIFF"))
    first = struct.unpack_from("<I", data, 4)[0]
    assert Frames("x", bytes(data)).count == 3
    place = first
    for _ in range(2):
        place = struct.unpack_from("<I", data, place + 2 + 12 * struct.unpack_from("<H", data, place)[0])[0]
    struct.pack_into("<I", data, place + 2 + 12 * struct.unpack_from("<H", data, place)[0], first)
    assert Frames("x", bytes(data)).count == 3


@pytest.mark.boundary
def test_damaged_files_are_one_kind_of_error():
    rng = np.random.default_rng(0)
    for kind in ("TIFF", "GIF", "WEBP"):
        data = encoded(pictures(3), kind)
        for _ in range(150):
            broken = bytearray(data[: rng.integers(1, len(data) + 1)])
            for at in rng.integers(0, len(broken), 3):
                broken[at] = rng.integers(256)
            with contextlib.suppress(ImageFileError):
                read(bytes(broken))


@pytest.mark.oracle
def test_rows_are_named_by_number_and_a_shorter_file_lacks_partners(here):
    x, y = pictures(3, 1), pictures(5, 2)
    (here / "x.tif").write_bytes(encoded(x, "TIFF"))
    (here / "y.tif").write_bytes(encoded(y, "TIFF"))
    assert next(pixelgauge.compare("x.tif", "y.tif")).status == "unreadable"
    rows = list(pixelgauge.compare("x.tif", "y.tif", metrics="mse", frames=True, workers=3))
    assert [(row.ref, row.test) for row in rows[:3]] == [(f"x.tif[{i}]", f"y.tif[{i}]") for i in range(3)]
    assert [row.values["mse"] for row in rows[:3]] == [pixelgauge.mse(a, b) for a, b in zip(x, y, strict=False)]
    assert [(row.ref, row.test, row.status) for row in rows[3:]] == [(None, f"y.tif[{i}]", "missing") for i in (3, 4)]
    assert rows[3].message == "no partner in REF: it has 3 frames or pages"
    assert rows[0].files == (file_state("x.tif"), file_state("y.tif"))


@pytest.mark.oracle
def test_folders_and_archives_mix_files_of_one_and_of_many(here):
    for side, seed in (("ref", 1), ("test", 2)):
        (here / side).mkdir()
        (here / side / "a.tif").write_bytes(encoded(pictures(2, seed), "TIFF"))
        (here / side / "b.png").write_bytes(encoded(pictures(1, seed), "PNG"))
        (here / side / "c.webp").write_bytes(encoded(pictures(2, seed), "WEBP", lossless=True))
        with zipfile.ZipFile(f"{side}.zip", "w") as archive:
            for name in "a.tif", "b.png", "c.webp":
                archive.write(f"{side}/{name}", name)
    (here / "ref" / "d.tif").write_bytes(b"II*\0\xff\xff")
    (here / "test" / "d.tif").write_bytes(b"")
    rows = list(pixelgauge.compare("ref", "test", metrics="mse", frames=True))
    names = [f"test/{name}" for name in ("a.tif[0]", "a.tif[1]", "b.png", "c.webp[0]", "c.webp[1]", "d.tif")]
    assert [row.test for row in rows] == names
    assert [row.status for row in rows] == ["ok"] * 5 + ["unreadable"]
    zipped = list(pixelgauge.compare("ref.zip", "test.zip", metrics="mse", frames=True))
    assert [row.values for row in zipped] == [row.values for row in rows[:5]]
    assert [row.test for row in zipped] == [name.replace("test/", "test.zip/") for name in names[:5]]


@pytest.mark.cli
def test_pages_of_floats_are_scored_with_a_data_range(here, capsys):
    x = np.random.default_rng(5).random((3, 24, 20)).astype(np.float32)
    y = np.clip(x + np.float32(0.01), 0, 1)
    (here / "x.tif").write_bytes(written(x, photometric="minisblack"))
    (here / "y.tif").write_bytes(written(y, photometric="minisblack"))
    rows = list(pixelgauge.compare("x.tif", "y.tif", frames=True, data_range=1.0))
    assert [row.values for row in rows] == [
        {"psnr": pixelgauge.psnr(a, b, data_range=1.0), "ssim": pixelgauge.ssim(a, b, data_range=1.0)}
        for a, b in zip(x, y, strict=True)
    ]
    assert [row.test for row in rows] == [f"y.tif[{i}]" for i in range(3)]
    assert main(["compare", "x.tif", "y.tif", "--frames", "--data-range", "1", "--quiet"]) == 0
    assert main(["compare", "x.tif", "y.tif", "--frames", "--quiet"]) == 1
    assert "state their range with --data-range" in capsys.readouterr().out
    beyond = list(pixelgauge.compare("x.tif", "y.tif", frames=True, data_range=0.5))
    assert all("beyond the data range of 0.5" in row.message for row in beyond)


@pytest.mark.property
def test_profiles_of_pages_and_of_animations_are_told(here):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    x = pictures(2)
    for kind, options in (("TIFF", {}), ("WEBP", {"lossless": True})):
        (here / f"x.{kind}").write_bytes(encoded(x, kind, **options))
        (here / f"y.{kind}").write_bytes(encoded(x, kind, icc_profile=profile, **options))
        rows = list(pixelgauge.compare(f"x.{kind}", f"y.{kind}", frames=True))
        assert [row.status for row in rows] == ["ok", "ok"]
        assert all(row.message.startswith("colour profile differs and is not applied: REF sRGB") for row in rows), kind


@pytest.mark.cli
def test_the_command_line_goes_on_with_frames(here, capsys):
    (here / "x.gif").write_bytes(encoded(pictures(3, 1), "GIF"))
    (here / "y.gif").write_bytes(encoded(pictures(3, 2), "GIF"))
    arguments = ["compare", "x.gif", "y.gif", "--frames", "--metrics", "mse"]
    assert main(arguments) == 0
    assert "x.gif[2] → y.gif[2]" in capsys.readouterr().out
    assert main([*arguments, "--output", "rows.csv"]) == 0
    whole = (here / "rows.csv").read_bytes()
    (here / "rows.csv").write_bytes(whole[:-20])
    assert main([*arguments, "--output", "rows.csv", "--resume"]) == 0
    assert (here / "rows.csv").read_bytes() == whole
