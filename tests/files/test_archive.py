"""Zip archives and .npz archives: every member once, within bounds, with the right bytes or one clear error."""

from __future__ import annotations

import binascii
import io
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pixelgauge.files.archive import Archive, bytes_of, open_archive, read_array, read_arrays, write_arrays
from pixelgauge.files.reading import FileError
from tests.files.errors import OtherError

Members = list[tuple[str, bytes]]


def zipped(members: Members, method: int = zipfile.ZIP_STORED) -> bytes:
    """Archive as zipfile writes it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()


def named(*names: str) -> bytes:
    """Archive of members of those names, as zipfile would not write some, that hold one byte each."""
    body, central = bytearray(), bytearray()
    for name in names:
        raw = name.encode()
        common = struct.pack("<5H3I2H", 20, 0x800, 0, 0, 33, binascii.crc32(b"x"), 1, 1, len(raw), 0)
        central += b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<3H2I", 0, 0, 0, 0, len(body)) + raw
        body += b"PK\3\4" + common + raw + b"x"
    return (
        bytes(body + central)
        + b"PK\5\6"
        + struct.pack("<4H2IH", 0, 0, len(names), len(names), len(central), len(body), 0)
    )


def read_all(data: bytes, **options: bool) -> dict[str, bytes]:
    archive = Archive(io.BytesIO(data), "a.zip", OtherError, **options)
    return {name: archive.read(name) for name in archive.names}


def refused(data: bytes, what: str, **options: bool) -> None:
    with pytest.raises(OtherError, match=what) as caught:
        read_all(data, **options)
    assert caught.value.path == "a.zip"
    assert len(str(caught.value)) <= 2000
    assert str(caught.value).isprintable()


SOME = [("a.txt", b"alpha" * 20), ("folder/b.txt", b"beta" * 30), ("empty", b"")]


class TestSound:
    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_members(self, method: int, tmp_path: Path) -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            archive.comment = b"a comment"
            archive.mkdir("folder")
            for name, data in SOME:
                archive.writestr(name, data)
        (tmp_path / "a.zip").write_bytes(file.getvalue())
        with open_archive(tmp_path / "a.zip") as archive:
            assert archive.names == [name for name, _ in SOME]
            assert archive.path == str(tmp_path / "a.zip")
            for name, data in SOME:
                assert archive.read(name) == data
                assert archive.size(name) == len(data)
                assert archive.is_stored(name) == (method == zipfile.ZIP_STORED)
            with pytest.raises(FileError, match="has no member 'c'"):
                archive.read("c")
            with ThreadPoolExecutor(4) as pool:
                assert list(pool.map(archive.read, ["a.txt"] * 40)) == [SOME[0][1]] * 40

    @pytest.mark.property
    @given(st.dictionaries(st.text("abc/é", min_size=1, max_size=5).filter(lambda n: n.strip("/") == n and "//" not in n), st.binary(max_size=50), max_size=5),
           st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)), st.binary(max_size=30), st.binary(max_size=30))  # fmt: skip
    def test_what_zipfile_wrote_is_read(self, members: Any, method: Any, comment: Any, prefix: Any) -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            archive.comment = comment
            for name, data in members.items():
                archive.writestr(name, data)
        if b"PK" in comment:
            return
        if not members:
            assert read_all(file.getvalue()) == {}
            return
        assert read_all(file.getvalue()) == members
        refused(b"\0" + prefix + file.getvalue(), "is no zip archive: it begins with")

    def test_bytes_before_the_members(
        self,
    ) -> None:  # as of an archive that is appended to another file that begins with PK
        assert read_all(b"PK and more" + named("a", "b")) == {"a": b"x", "b": b"x"}

    def test_zip64(self) -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive, archive.open("a", "w", force_zip64=True) as member:
            member.write(b"abc")
        assert read_all(file.getvalue()) == {"a": b"abc"}

    def test_more_members_than_fit_in_the_end(self) -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for i in range(65_536):
                archive.writestr(zipfile.ZipInfo(f"{i}"), b"")
        assert len(Archive(io.BytesIO(file.getvalue()), "a.zip").names) == 65_536

    def test_a_member_as_large_as_the_bound(self) -> None:
        raw = zipped([("a", bytes(60 << 20))], zipfile.ZIP_DEFLATED)
        assert len(read_all(raw)["a"]) == 60 << 20


@pytest.mark.boundary
class TestNames:
    @pytest.mark.parametrize(
        "names",
        [("a.png", "a.png"), ("a.png", "/a.png"), ("x//b", "x/b"), ("./x", "x"), ("x/./b", "x/b"), ("a\\b", "a/b"), ("\\a", "a"), ("a", "b", "c", "a"),
         ("x/", "x//"), ("a//", "./a/")],
    )  # fmt: skip
    def test_two_of_one_place(self, names: tuple[str, ...]) -> None:
        refused(named(*names), "twice, or under two names")

    @pytest.mark.parametrize("name", ["", ".", "./.", "..", "../a", "a/../b", "a/..", "..\\a", "a\\..\\b"])
    def test_of_no_place(self, name: str) -> None:
        refused(named("first", name), "a name of no file within the archive")

    @pytest.mark.parametrize(
        "names",
        [
            ("a", "A"),
            ("a", "a "),
            ("a", "a/b"),
            ("..a", "a.."),
            ("a", "é"),
            ("a", "a/"),
            ("...", "b"),
            ("./", "a"),
            ("/", "a"),
        ],
    )
    def test_of_two_places(self, names: tuple[str, str]) -> None:
        assert list(read_all(named(*names))) == [name for name in names if not name.endswith("/")]

    def test_a_null_character(self) -> None:
        refused(named("a\0b", "c"), "a name of no file within the archive")
        refused(named("a\0b", "a"), "a name of no file within the archive")

    def test_control_characters_are_shown(self) -> None:
        refused(named("\x1b[2J\n", "\x1b[2J\n"), re.escape("\\x1b[2J\\n"))
        refused(named("a" * 5000, "a" * 5000), "twice")


def _tampered(
    data: bytes,
    *,
    central: int | None = None,
    local: int | None = None,
    member: int = 0,
    width: int = 2,
    value: int = 0,
) -> bytes:
    """Archive with a field of a header changed, by its offset within the header."""
    held = bytearray(data)
    mark, field = (b"PK\1\2", central) if central is not None else (b"PK\3\4", local)
    assert field is not None
    at = -1
    for _ in range(member + 1):
        at = held.index(mark, at + 1)
    held[at + field : at + field + width] = value.to_bytes(width, "little")
    return bytes(held)


@pytest.mark.boundary
class TestDamaged:
    @pytest.mark.parametrize("method", [1, 6, 9, 12, 14, 93, 95, 97, 99])
    def test_other_methods(self, method: int) -> None:
        raw = _tampered(named("a"), central=10, value=method)
        refused(raw, f"compressed by method {method}")

    def test_encrypted(self) -> None:
        refused(_tampered(named("a"), central=8, value=0x801), "encrypted member 'a'")

    def test_two_sizes(self) -> None:
        refused(_tampered(named("a"), central=24, width=4, value=2), "'a' of two sizes")

    def test_claims(self) -> None:
        raw = zipped([("a", b"x" * 1000)], zipfile.ZIP_DEFLATED)
        refused(
            _tampered(raw, central=24, width=4, value=(1 << 32) - 2), "claims to hold 4294967294, and at most 10 times"
        )
        refused(_tampered(raw, central=24, width=4, value=999), "damaged member 'a'")
        refused(_tampered(raw, central=24, width=4, value=1001), "damaged member 'a'")
        refused(_tampered(named("a", "b"), central=20, width=4, value=1 << 30, member=1), "of two sizes")
        both = _tampered(_tampered(named("a"), central=20, width=4, value=1 << 20), central=24, width=4, value=1 << 20)
        refused(both, "larger than it is")

    def test_a_bomb_within_its_claim(self) -> None:
        raw = zipped([("a", bytes(80 << 20))], zipfile.ZIP_DEFLATED)
        refused(raw, "claims to hold 83886080")
        small = _tampered(raw, central=24, width=4, value=10)
        refused(small, "damaged member 'a'")

    def test_many_together_and_one_by_one(self) -> None:
        raw = zipped([(f"{i}", bytes(30 << 20)) for i in range(3)], zipfile.ZIP_DEFLATED)
        refused(raw, "claims to hold")
        archive = Archive(io.BytesIO(raw), "a.zip", once=True)
        assert sum(len(archive.read(name)) for name in archive.names) == 90 << 20

    def test_overlapping_members(self) -> None:
        raw = named("a", "b", "c")
        first = raw.index(b"PK\1\2")
        at = raw.index(b"PK\1\2", first + 1)
        held = bytearray(raw)
        held[at + 42 : at + 46] = bytes(4)  # b lies where a lies
        refused(bytes(held), "within another")

    def test_fewer_members_than_there_are(self) -> None:
        raw = bytearray(named("a", "b"))
        end = raw.rindex(b"PK\5\6")
        raw[end + 8 : end + 12] = b"\1\0\1\0"
        refused(bytes(raw), "tells of 1 members, and 2 are found")

    def test_a_flipped_byte_of_a_member(self) -> None:
        raw = bytearray(zipped(SOME))
        raw[raw.index(b"alpha") + 3] ^= 1
        refused(bytes(raw), "damaged member 'a.txt'")

    @pytest.mark.parametrize(
        "data", [b"", b"P", b"PK", b"PK\3\4", b"\x93NUMPY", b"<html>", b"Rar!\x1a\7", b"PK\3\4" + bytes(100)]
    )
    def test_no_archive(self, data: bytes) -> None:
        refused(data, r"is no zip archive|has no end of a zip archive")

    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_truncated_at_every_byte(self, method: int) -> None:
        raw = zipped(SOME, method)
        for end in range(len(raw)):
            refused(raw[:end], "a.zip")

    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    @pytest.mark.property
    def test_every_bit_flipped_is_refused_or_does_nothing(self, method: int) -> None:
        raw, changed = zipped(SOME, method), 0
        names = {name for name, _ in SOME}
        for bit in range(8 * len(raw)):
            held = bytearray(raw)
            held[bit // 8] ^= 1 << bit % 8
            try:
                found = read_all(bytes(held))
            except OtherError:
                continue
            assert sorted(found.values()) == sorted(data for _, data in SOME)  # no content ever differs
            changed += set(found) != names
        # A name is in no sum: zipfile compares both of its copies, and a flag makes it of another code page.
        assert changed == 0

    def test_a_file_that_shrinks_after_it_was_opened(self, tmp_path: Path) -> None:
        raw = zipped(SOME)
        (tmp_path / "a.zip").write_bytes(raw)
        with open_archive(tmp_path / "a.zip") as archive:
            with open(tmp_path / "a.zip", "r+b") as file:
                file.truncate(10)
            with pytest.raises(FileError, match="damaged member"):
                archive.read("folder/b.txt")

    def test_what_cannot_be_opened(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError), open_archive(tmp_path / "a.zip"):
            pass
        with pytest.raises(IsADirectoryError), open_archive(tmp_path):
            pass


# ---- .npz ---------------------------------------------------------------------------------------------------------


class TestArrays:
    @pytest.mark.property
    @given(st.dictionaries(st.text("ab_é", min_size=1, max_size=4), hnp.arrays(hnp.scalar_dtypes().filter(lambda d: d.itemsize), hnp.array_shapes(min_dims=0, min_side=0, max_side=3)), max_size=4),
           st.booleans())  # fmt: skip
    def test_round_trip(self, arrays: Any, compressed: Any) -> None:
        file, again = io.BytesIO(), io.BytesIO()
        write_arrays(file, arrays, compressed=compressed)
        write_arrays(again, arrays, compressed=compressed)
        assert file.getvalue() == again.getvalue()
        found = read_arrays(file, "a.npz")
        with np.load(io.BytesIO(file.getvalue())) as other:
            assert list(found) == list(arrays) == list(other)
            for name, array in arrays.items():
                for one in (found[name], other[name]):
                    assert one.dtype == array.dtype
                    assert one.shape == array.shape
                    assert one.tobytes() == array.tobytes()

    @pytest.mark.boundary
    def test_what_is_no_array_of_plain_values(self) -> None:
        objects = io.BytesIO()
        np.savez(objects, ok=np.ones(3), bad=np.array([{}], object))
        with pytest.raises(
            OtherError, match=r"a.npz: has a member 'bad' that holds Python objects, which are never read"
        ):
            read_arrays(objects, "a.npz", OtherError)
        for raw, what in (
            (zipped([("notes", b"x" * 9)]), "has member 'notes', which is no array"),
            (zipped([("q.npy", b"x" * 9)]), "has a member 'q' that is no .npy array"),
            (zipped([("q.npy", b"")]), "has a member 'q' that is no .npy array"),
        ):
            with pytest.raises(OtherError, match=what):
                read_arrays(io.BytesIO(raw), "a.npz", OtherError)
        one = io.BytesIO()
        np.save(one, np.ones(3))
        with pytest.raises(OtherError, match=r"holds one array, and is no .npz archive of several"):
            read_arrays(one, "a.npz", OtherError)

    @pytest.mark.boundary
    def test_one_member(self) -> None:
        file = io.BytesIO()
        write_arrays(file, {"a": np.arange(3)})
        archive = Archive(file, "a.npz")
        assert read_array(archive, "a.npy").tolist() == [0, 1, 2]
        with pytest.raises(FileError, match=r"has no member 'b.npy'"):
            read_array(archive, "b.npy")

    @pytest.mark.boundary
    def test_a_flipped_byte(self) -> None:
        file = io.BytesIO()
        np.savez(file, a=np.arange(50.0))
        held = bytearray(file.getvalue())
        held[300] ^= 1
        with pytest.raises(FileError, match=r"damaged member 'a.npy'"):
            read_arrays(io.BytesIO(held), "a.npz")


@pytest.mark.boundary
class TestBytesOf:
    def test_kinds(self) -> None:
        for data in (b"ab", bytearray(b"ab"), memoryview(b"ab"), memoryview(b"axbx")[::2]):
            assert bytes_of(data, "data") == b"ab"
        for other in ("ab", None, 5, np.zeros(2, np.uint8), ["a"], io.BytesIO(b"ab")):
            with pytest.raises(TypeError, match=r"state is a .*: give the bytes of to_bytes\(\), or a file"):
                bytes_of(other, "state", "or a file")

    def test_a_released_view(self) -> None:
        view = memoryview(b"ab")
        view.release()
        with pytest.raises(ValueError, match="cannot be read"):
            bytes_of(view, "data")


# ---- memory -------------------------------------------------------------------------------------------------------

_MEASURED = """
import resource, sys
from pixelgauge.files.archive import open_archive, read_arrays
from pixelgauge.files.npy import read_npy
from pixelgauge.files.reading import FileError, parse_json, read_regular
import numpy, zipfile, json
path, how = sys.argv[1:]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    if how == "npy":
        read_npy(path)
    elif how == "npz":
        with open(path, "rb") as file:
            read_arrays(file, path)
    elif how == "json":
        parse_json(read_regular(path), path)
    else:
        with open_archive(path) as archive:
            held = [archive.read(name) for name in archive.names]
except FileError as error:
    print("refused", str(error)[:200].replace(path, ""), end=" ")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before << 10)
"""


@pytest.mark.boundary
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes there")
@pytest.mark.parametrize(
    ("how", "make"),
    [
        (
            "npy",
            lambda: (
                b"\x93NUMPY\1\0\x50\0"
                + b"{'descr': '<f8', 'fortran_order': False, 'shape': (8000000000,), }".ljust(0x50)
            ),
        ),
        ("npy", lambda: b"\x93NUMPY\2\0\xff\xff\xff\x7f" + bytes(1000)),
        ("npz", lambda: zipped([("a.npy", bytes(1 << 29))], zipfile.ZIP_DEFLATED)),
        ("zip", lambda: zipped([(f"{i}", bytes(70 << 20)) for i in range(8)], zipfile.ZIP_DEFLATED)),
        ("zip", lambda: _tampered(zipped([("a", bytes(1 << 29))], zipfile.ZIP_DEFLATED), central=24, width=4, value=5)),
        ("zip", lambda: named(*(f"{i}" for i in range(60_000)))),
        ("json", lambda: b"[" + b"{}," * 1_300_000 + b"{}]"),
        ("json", lambda: b"[" * 4_000_000),
        ("json", lambda: b"1" * 4_000_000),
    ],
)
def test_memory_of_hostile_cases(how: str, make: Callable[..., Any], tmp_path: Path) -> None:
    data = make()
    (tmp_path / "file").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, tmp_path / "file", how],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert int(done.stdout.split()[-1]) < 20 * len(data) + (200 << 20), done.stdout
