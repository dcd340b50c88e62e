"""Makes the corpus: small sound files of every kind that targets read, and some that stand at a border.

``python -m tests.fuzz.corpus`` writes ``tests/fuzz/corpus/TARGET/*``; the files are committed, since encoders change.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import shutil
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import safetensors.numpy
from PIL import Image

import pixelgauge
from pixelgauge.engine.feature_journal import Journal
from pixelgauge.engine.row_files import RowFile
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.files.archive import write_arrays

from .target import CORPUS
from .targets.features import ABOUT, NAMES, ROWS, STATES
from .targets.models import GRAPH
from .targets.rows import COMPARISON


def _npy(array: Any, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(array), version)
    return file.getvalue()


def _npz(compressed: bool = False, **arrays: Any) -> bytes:
    file = io.BytesIO()
    write_arrays(file, arrays, compressed=compressed)
    return file.getvalue()


def _zip(members: dict[str, bytes], method: int = zipfile.ZIP_STORED, comment: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.comment = comment
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()


def _picture(shape: tuple[int, ...], dtype: Any = np.uint8) -> Any:
    rng = np.random.default_rng(7)
    most = np.iinfo(dtype).max
    ramp = np.linspace(0, most, shape[1])[np.newaxis, :] * np.linspace(0.3, 1, shape[0])[:, np.newaxis]
    if len(shape) == 3:
        ramp = ramp[..., np.newaxis] * np.linspace(1, 0.5, shape[2])
    return np.clip(ramp + rng.normal(0, most / 50, shape), 0, most).astype(dtype)


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _arrays() -> Iterator[tuple[str, str, bytes]]:
    yield "npy", "float64", _npy(np.arange(6.0).reshape(2, 3))
    yield "npy", "fortran-big-endian", _npy(np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3)))
    yield "npy", "scalar-v2", _npy(np.float32(1.5), (2, 0))
    yield "npy", "text-v3", _npy(np.array("abc"), (3, 0))
    yield "npy", "empty", _npy(np.zeros((0, 3), bool))
    yield "npy", "dates", _npy(np.array(["2020-01-01", "NaT"], "M8[D]"))
    yield "npz", "stored", _npz(a=np.arange(4.0), b=np.array("text"))
    yield "npz", "deflated", _npz(True, a=np.zeros(40, np.int16), b=np.ones((2, 2), np.complex64))
    yield "npz", "none", _npz()
    png = _saved(Image.fromarray(_picture((4, 5))), "PNG")
    for name in ("zip", "zip-source"):
        yield name, "images", _zip({"a.png": png, "folder/": b"", "folder/b.png": png, "notes.txt": b"text"})
        yield name, "deflated", _zip({"a.PNG": png, "é.jpg": b"", "b.bmp": png * 2}, zipfile.ZIP_DEFLATED, b"a comment")
    for name, form in (("ustar", tarfile.USTAR_FORMAT), ("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)):
        yield (
            "tar",
            name,
            _tar(
                {
                    "a.png": png,
                    "folder/b.png": png[:20],
                    "é" * (5 if name == "ustar" else 60) + ".png": b"",
                    "c.txt": b"text",
                },
                form,
            ),
        )


def _tar(members: dict[str, bytes], form: int) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "a.png"
        archive.addfile(link)
    return file.getvalue().rstrip(b"\0") + bytes(1024 + 511 - (len(file.getvalue().rstrip(b"\0")) - 1) % 512)


def _pickles() -> Iterator[tuple[str, str, bytes]]:
    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def storage(kind: str, key: str, count: int, view: bool = False) -> bytes:
        last = b"(" + text(key) + b"K\0K" + bytes([count]) + b"t" if view else b""
        return (
            b"("
            + text("storage")
            + f"ctorch\n{kind}\n".encode()
            + text(key)
            + text("cpu")
            + b"K"
            + bytes([count])
            + last
            + b"tQ"
        )

    def tensor(source: bytes, shape: bytes, strides: bytes) -> bytes:
        return (
            b"ctorch._utils\n_rebuild_tensor_v2\n(" + source + b"K\0(" + b"".join(b"K" + bytes([n]) for n in shape) + b"t("
            + b"".join(b"K" + bytes([n]) for n in strides) + b"t\x89ccollections\nOrderedDict\n)RtR"
        )  # fmt: skip

    def state(view: bool = False) -> bytes:
        first, second = storage("FloatStorage", "0", 4, view), storage("BFloat16Storage", "1", 2, view)
        return (
            b"\x80\2ccollections\nOrderedDict\nq\0)Rq\1(" + text("weight") + tensor(first, b"\2\2", b"\2\1") + text("bias")
            + tensor(second, b"\2", b"\1") + b"u}" + text("_metadata") + b"h\0)Rsb."
        )  # fmt: skip

    floats, halves = np.arange(4, dtype="<f4").tobytes(), b"\x80\x3f\0\x40"
    yield (
        "pth-zip",
        "state",
        _zip(
            {
                "m/data.pkl": state(),
                "m/byteorder": b"little",
                "m/data/0": floats,
                "m/data/1": halves,
                "m/version": b"3\n",
            }
        ),
    )
    yield "pth-zip", "empty", _zip({"m/data.pkl": b"\x80\2}.", "m/version": b"3\n"})
    legacy = b"\x80\2\x8a\x0al\xfc\x9cF\xf9\x20j\xa8P\x19.\x80\2M\xe9\3.\x80\2}q\0" + text("little_endian") + b"\x88s."
    keys = b"\x80\2](" + text("0") + text("1") + b"e."
    data = struct.pack("<q", 4) + floats + struct.pack("<q", 2) + halves
    yield "pth-legacy", "state", legacy + state(True) + keys + data
    yield "pth-legacy", "plain", legacy + state() + keys + data
    yield "pth-npz", "state", _npz(weight=np.ones((2, 3), np.float32), bias=np.zeros(3, ">f8"))
    yield "pth-npz", "deflated", _npz(True, weight=np.ones((20, 3), np.float16), steps=np.array(5))
    yield (
        "safetensors",
        "state",
        safetensors.numpy.save(
            {"weight": np.ones((2, 3), np.float32), "bias": np.zeros(3, np.int64)}, {"format": "pt"}
        ),
    )
    header = json.dumps(
        {
            "a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]},
            "b": {"dtype": "BOOL", "shape": [], "data_offsets": [4, 5]},
        }
    )
    yield "safetensors", "bfloat16", struct.pack("<Q", len(header)) + header.encode() + halves + b"\1"


def _states() -> Iterator[tuple[str, str, bytes]]:
    features = np.random.default_rng(3).normal(size=(9, 3))
    states = {
        "empty": pixelgauge.FeatureStats(2),
        "one": pixelgauge.FeatureStats(2).update(features[:1, :2]),
        "some": pixelgauge.FeatureStats(3, shift=[0.1, 0.0, 1.0], preset="pytorch-fid", weights="0" * 64).update(
            features
        ),
        "constant": pixelgauge.FeatureStats(2).update(np.ones((5, 2))),
        "moments": pixelgauge.FeatureStats.from_moments([0.0, 1.0], np.eye(2)),
    }
    for name, state in states.items():
        yield "statistics", name, state.to_bytes()
        yield "statistics-file", name, state.to_bytes()
    mean, cov = features.mean(0), np.cov(features, rowvar=False)
    yield "statistics-file", "pytorch-fid", _npz(mu=mean, sigma=cov)
    yield (
        "statistics-file",
        "adm",
        _npz(mu=mean.astype(np.float32), sigma=cov.astype(np.float32), mu_s=mean, sigma_s=cov),
    )
    yield from _features()
    histogram = pixelgauge.RankingHistogram(bins=6)
    yield "histogram", "empty", histogram.to_bytes()
    histogram.update([0, 0, 1, 1, 1], [0.1, 0.4, 0.35, 0.8, 2.0])
    yield "histogram", "some", histogram.to_bytes()
    yield "histogram", "stored", _npz(edges=np.array([0.0]), counts=np.array([[1, 2**40], [3, 4]]))
    yield "histogram", "full", _npz(edges=np.zeros(1), counts=np.array([[2**53, 0], [0, 2**53]]))


def _features() -> Iterator[tuple[str, str, bytes]]:
    made = {"preset": "pytorch-fid", "weights_sha256": "0" * 64, "precision": "float32", "size": [299, 299]}
    sets = {
        "whole": pixelgauge.FeatureSet(ROWS, NAMES, made, {"2048": 1, "logits_unbiased": 1}),
        "unnamed": pixelgauge.FeatureSet(ROWS),
        "one": pixelgauge.FeatureSet(ROWS[:1], ["\udcff\u00e9.png"], made),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, kept in sets.items():
            kept.save(f"{folder}/x.npz")
            yield "features", name, Path(folder, "x.npz").read_bytes()
            if name != "one":
                kept.save(f"{folder}/x.parquet")
                yield "features-parquet", name, Path(folder, "x.parquet").read_bytes()
        for name, ends in (("begun", []), ("some", [2, 5]), ("replacing", [3])):
            path = f"{folder}/{name}.npz"
            with Journal(path, ABOUT, resume=False, overwrite=name == "replacing") as journal:
                for start, end in zip([0, *ends], ends, strict=False):
                    journal.append(NAMES[start:end], STATES[start:end], ROWS[start:end])
            data = Path(path + ".partial").read_bytes()
            yield "features-run", name, data
            if ends:
                yield "features-run", f"{name}-cut", data[:-5]


def _images() -> Iterator[tuple[str, str, bytes]]:
    gray, colour = Image.fromarray(_picture((12, 13))), Image.fromarray(_picture((12, 11, 3)))
    small = Image.fromarray(_picture((5, 7, 3)))
    opaque = Image.fromarray(np.dstack([_picture((5, 4, 3)), np.full((5, 4), 255, np.uint8)]))
    deep = Image.fromarray(_picture((6, 5), np.uint16))
    exif = Image.Exif()
    exif[274] = 6
    yield "png", "gray", _saved(gray, "PNG")
    yield "png", "colour-turned", _saved(colour, "PNG", exif=exif)
    yield "png", "palette", _saved(small.quantize(5), "PNG")
    yield "png", "refused-key", _saved(small.quantize(5), "PNG", transparency=0)
    yield "png", "bitmap", _saved(gray.convert("1"), "PNG")
    yield "png", "deep", _saved(deep, "PNG")
    yield "png", "alpha", _saved(opaque, "PNG")
    yield "png", "deep-colour", _deep_png()
    yield "jpeg", "gray", _saved(gray, "JPEG", quality=60)
    yield "jpeg", "colour-turned", _saved(colour, "JPEG", quality=50, exif=exif, optimize=True)
    yield "jpeg", "progressive", _saved(colour, "JPEG", quality=30, progressive=True, subsampling=0)
    yield "webp", "lossless", _saved(colour, "WEBP", lossless=True)
    yield "webp", "lossy", _saved(colour, "WEBP", quality=30)
    yield "webp", "alpha-turned", _saved(opaque, "WEBP", lossless=True, exact=True, exif=exif)
    yield "bmp", "colour", _saved(small, "BMP")
    yield "bmp", "palette", _saved(small.quantize(3), "BMP")
    yield "bmp", "bitmap", _saved(small.convert("1"), "BMP")
    yield "bmp", "alpha", _saved(opaque, "BMP")
    yield "tiff", "gray", _saved(gray, "TIFF")
    yield "tiff", "colour-lzw", _saved(colour, "TIFF", compression="tiff_lzw")
    yield "tiff", "deflated-turned", _saved(small, "TIFF", compression="tiff_adobe_deflate", exif=exif)
    yield "tiff", "deep", _saved(deep, "TIFF")
    yield "tiff", "alpha-packbits", _saved(opaque, "TIFF", compression="packbits")
    yield "tiff", "bitmap-fax", _saved(gray.convert("1"), "TIFF", compression="group4")
    yield "tiff", "jpeg", _saved(small, "TIFF", compression="jpeg")
    yield from _newer_images(gray, colour, opaque, deep)


def _newer_images(
    gray: Image.Image, colour: Image.Image, opaque: Image.Image, deep: Image.Image
) -> Iterator[tuple[str, str, bytes]]:
    import tifffile

    small = gray.crop((0, 0, 4, 3))
    yield "gif", "colour", _saved(colour, "GIF")
    yield "gif", "interlaced", _saved(gray, "GIF", interlace=1)
    yield "gif", "refused-frames", _saved(gray, "GIF", save_all=True, append_images=[gray.rotate(180)])
    yield "gif", "refused-key", _saved(colour.quantize(5), "GIF", transparency=0)
    yield "pnm", "colour", _saved(colour, "PPM")
    yield "pnm", "deep", _saved(deep, "PPM")
    yield "pnm", "bitmap", _saved(gray.convert("1"), "PPM")
    yield "pnm", "text", b"P2\n# of 15\n4 3 15\n" + b" ".join(b"%d" % (17 * k % 16) for k in range(12)) + b"\n"
    yield "pnm", "text-bitmap", b"P1\n4 3\n101001110001\n"
    yield "pnm", "refused-maximum", b"P5 4 3 100\n" + small.tobytes()
    yield "avif", "colour", _saved(colour, "AVIF", quality=60)
    yield "avif", "alpha", _saved(opaque, "AVIF", quality=90)
    yield "avif", "refused-frames", _saved(gray, "AVIF", save_all=True, append_images=[gray.rotate(180)])
    yield "jpeg2000", "colour", _saved(colour, "JPEG2000")
    yield "jpeg2000", "stream", _saved(gray, "JPEG2000", no_jp2=True, irreversible=True)
    yield "jpeg2000", "deep", _saved(deep, "JPEG2000")
    yield "jpeg2000", "alpha", _saved(opaque, "JPEG2000")
    yield "pnm-any", "gray", b"P5 4 3 100\n" + bytes(k % 100 for k in small.tobytes())
    yield "pnm-any", "colour", b"P6\n2 2\n1023\n" + np.arange(0, 1020, 85, dtype=">u2").tobytes()
    yield "pnm-any", "text", b"P3\n# of 1000\n2 1 1000\n0 1000 7 8 9 10\n"
    pages = {"save_all": True, "append_images": [gray.rotate(180), gray.crop((0, 0, 5, 4))]}
    yield "frames", "tiff", _saved(gray, "TIFF", **pages)
    yield "frames", "tiff-deflated", _saved(gray, "TIFF", compression="tiff_adobe_deflate", big_tiff=True, **pages)
    yield "frames", "gif", _saved(gray, "GIF", save_all=True, append_images=[gray.rotate(180)])
    yield "frames", "webp", _saved(colour, "WEBP", lossless=True, save_all=True, append_images=[colour.rotate(180)])
    yield "frames", "one", _saved(small, "PNG")
    file = io.BytesIO()
    with tifffile.TiffWriter(file, byteorder=">") as writer:
        for k in range(2):
            page = _picture((9, 10)).astype("f4") + k
            writer.write(
                page, metadata=None, photometric="minisblack", software=False, contiguous=False, rowsperstrip=4
            )
    yield "frames", "tiff-float", file.getvalue()
    for name, dtype, bands, options in (
        ("float", "<f4", 1, {}),
        ("signed-deflated", ">i2", 3, {"compression": "zlib", "predictor": True, "rowsperstrip": 4}),
        ("five-bands", "<u1", 5, {"planarconfig": "separate"}),
        ("wide-tiles", "<u4", 1, {"tile": (16, 16)}),
    ):
        picture = np.moveaxis(_picture((9, 10, bands)), -1, 0 if "planarconfig" in options else -1)
        file = io.BytesIO()
        pixels = picture.astype(dtype) if bands > 1 else picture[..., 0].astype(dtype)
        kind = "rgb" if bands == 3 else "minisblack"
        order = ">" if dtype[0] == ">" else "<"
        tifffile.imwrite(file, pixels, photometric=kind, byteorder=order, metadata=None, **options)
        yield "tiff-bands", name, file.getvalue()


def _deep_png() -> bytes:
    import binascii
    import zlib

    pixels = _picture((4, 3, 3), np.uint16).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    chunks = (b"IHDR", struct.pack(">2I5B", 3, 4, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", binascii.crc32(kind + content))
        for kind, content in chunks
    )


def _tables() -> Iterator[tuple[str, str, bytes]]:
    for name, mark in (("csv", ","), ("tsv", "\t")):
        plain = "label,score,name\n0,0.1,a\n1,0.8,b\n0,0.35,c\n1,0.3,d\n"
        quoted = '\ufeffname,"score",label\r\n"a,\n""b""",1e-3,no\r\n\r\nb,9007199254740993,yes\r\nc,-inf,yes\r\n'
        yield name, "plain", plain.replace(",", mark).encode()
        yield name, "quoted", quoted.replace(",", mark).encode()
        yield name, "integers", f"label{mark}score\n0{mark}9007199254740992\n1{mark}9007199254740993\n".encode()
    rows = [{"label": 0, "score": 0.1}, {"label": 1, "score": 0.8, "name": "é"}, {"score": 2**53 + 1, "label": 1}]
    yield "jsonl", "numbers", "".join(json.dumps(row) + "\n" for row in rows).encode()
    yield "jsonl", "text", b'\xef\xbb\xbf{"label": "a", "score": 1e-3}\n\n{"label": "b", "score": -5}'
    yield "table-npz", "stored", _npz(label=np.array([0, 1, 1]), score=np.array([0.1, 0.5, 0.4]))
    yield (
        "table-npz",
        "deflated",
        _npz(True, label=np.array(["a", "b"]), score=np.array([1, 2], np.uint8), other=np.zeros((2, 2))),
    )
    numbers = pyarrow.table({"label": [0, 1, 1], "score": [0.1, 0.5, 0.4]})
    mixed = pyarrow.table(
        {"label": ["a", "b", "a", "b"] * 5, "score": pyarrow.array(range(20), pyarrow.int64()), "name": ["x"] * 20}
    )
    for name, table, options in (
        ("numbers", numbers, {"compression": "none", "use_dictionary": False}),
        ("text", mixed, {"compression": "snappy"}),
        (
            "groups",
            mixed,
            {"compression": "zstd", "row_group_size": 10, "data_page_version": "2.0", "use_dictionary": False},
        ),
    ):
        file = io.BytesIO()
        pyarrow.parquet.write_table(table.replace_schema_metadata(None), file, store_schema=False, **options)
        yield "parquet", name, file.getvalue()


def _rows() -> Iterator[tuple[str, str, bytes]]:
    made = str(COMPARISON)
    columns = ["ref", "test", "status", "message", "ssim", "psnr", "settings"]
    rows = [
        ["a/0.png", "b/0.png", "ok", "", 0.5, 31.25, made],
        ["a/1.png", "b/1.png", "unreadable", "b/1.png: is truncated", None, None, made],
        ["a/2.png", "b/2.png", "ok", "", 1.0, float("inf"), made],
        ["a/\u00e9.png", "b/\r.png", "ok", "", -0.25, 0.0, made],
    ]
    for name, count, end in (("whole", 4, "\n"), ("cut", 3, ""), ("header", 0, "\n")):
        text = "".join(",".join(map(_cell, row)) + "\n" for row in [columns, *rows[:count]])
        yield "rows-csv", name, (text if end else text[:-9]).encode()
        lines = [
            json.dumps(dict(zip(columns, ("inf" if cell == float("inf") else cell for cell in row), strict=True)))
            for row in rows[:count]
        ]
        joined = "".join(line + "\n" for line in lines)
        yield "rows-jsonl", name, (joined if end else joined[:-9]).encode()


def _runs() -> Iterator[tuple[str, str, bytes]]:
    """What runs of pairs write now, and are given."""
    rows = [
        ScoreRow("a/0.png", "b/0.png", "ok", "", {"ssim": 0.5, "psnr": 31.25}, samples=300),
        ScoreRow("a/1.png", "b/1.png", "unreadable", "b/1.png: is truncated", {}),
        ScoreRow("a/2.png", "b/2.png", "ok", "", {"ssim": 1.0, "psnr": math.inf}, samples=48),
        ScoreRow("a/é.png", "b/\r.png", "ok", "", {"ssim": -0.25, "psnr": 0.0}, samples=7),
    ]
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("csv", "jsonl", "parquet", "sqlite"):
            path = f"{folder}/rows.{suffix}"
            with contextlib.closing(RowFile(path, COMPARISON)) as file:
                for row in rows:
                    file.append(row)
                file.finish()
            yield f"rows-{suffix}", "now", Path(path).read_bytes()
    for name, count in (("none", 0), ("some", 4)):
        summary = pixelgauge.Summary({"ssim": True, "psnr": True})
        for row in rows[:count]:
            summary.update(row)
        yield "summary", name, summary.to_bytes()
    names = [("a/0.png", "b/0.png"), ("a/1.png", "b/1 .png"), ("a/é.png", "b/2.png"), ("a/0.png", "b/0.png")]
    yield "pairs-text", "blanks", b"a/0.png  b/0.png\n\n\xff.png b.png\r\n"
    yield "pairs-text", "tabs", b"\xef\xbb\xbf" + "".join(f"{ref}\t{test}\n" for ref, test in names).encode()
    yield "pairs-csv", "named", ("ref,test\n" + "".join(f'"{ref}",{test}\n' for ref, test in names)).encode()
    yield "pairs-csv", "more", b"id,test,ref\r\n1,b/0.png,a/0.png\r\n2,b/1.png,a/1.png\r\n"
    yield "pairs-jsonl", "named", "".join(json.dumps({"ref": r, "test": t}) + "\n" for r, t in names).encode()
    file = io.BytesIO()
    table = pyarrow.table({"ref": [ref for ref, _ in names], "test": [test.encode() for _, test in names]})
    pyarrow.parquet.write_table(table, file, store_schema=False)
    yield "pairs-parquet", "named", file.getvalue()
    colour = np.stack([_picture((5, 4, 3)) + k for k in range(3)])
    for name, stack in (
        ("colour", colour),
        ("gray", colour[..., 0]),
        ("one", colour[0]),
        ("floats", colour[..., :1] / np.float32(255)),
    ):
        yield "stack", name, _npy(stack)
    yield "stack", "archive", _npz(arr_0=colour)
    yield "stack", "archive-deflated", _npz(True, images=colour[..., 0].astype(">u2"))


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text


def _models() -> Iterator[tuple[str, str, bytes]]:
    origin = {
        "graph_sha256": GRAPH.decode(),
        "weights_sha256": "0" * 64,
        "official": True,
        "sources": [{"file": "a.pth", "sha256": "1" * 64}],
        "version": "0.1.0",
    }
    yield "origin", "official", json.dumps(origin, indent=1).encode()
    yield "origin", "own", json.dumps({**origin, "official": False, "sources": []}).encode()
    yield "json", "object", b'{"a": [1, 2.5, -3e2, "\\u00e9\\n"], "b": {"c": null, "d": true}}'
    yield "json", "text", '"é"'.encode()
    yield "json", "numbers", b"[0, -0.0, 1e300, 123456789012345678901234567890]"


def _graphs() -> Iterator[tuple[str, str, bytes]]:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def model(nodes: Any, initialisers: Any = (), functions: Any = ()) -> bytes:
        info = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])
        graph = helper.make_graph(nodes, "g", [info], [helper.make_empty_tensor_value_info("y")], initialisers)
        return bytes(helper.make_model(graph, functions=functions, ir_version=9).SerializeToString(deterministic=True))

    plain = helper.make_node("Add", ["x", "w"], ["y"])
    weight = numpy_helper.from_array(np.arange(3, dtype=np.float32), "w")
    yield "onnx", "plain", model([plain], [weight])
    outside = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3], data_location=1)
    for key, value in (("location", "graph.data"), ("offset", "16"), ("length", "12")):
        outside.external_data.add(key=key, value=value)
    yield "onnx", "external", model([plain], [outside])
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["z"])], "b", [], [])
    chosen = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    yield "onnx", "branches", model([helper.make_node("Constant", [], ["c"], value=weight), chosen])
    twice = helper.make_function("local", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [])
    yield "onnx", "function", model([helper.make_node("Twice", ["x"], ["y"], domain="local")], functions=[twice])


def main() -> None:
    """Write the corpus anew."""
    shutil.rmtree(CORPUS, ignore_errors=True)
    total = 0
    for part in (_arrays, _pickles, _states, _images, _tables, _rows, _runs, _models, _graphs):
        for target, name, data in part():
            path = Path(CORPUS, target, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            total += len(data)
    print(f"{total} bytes")


if __name__ == "__main__":
    main()
