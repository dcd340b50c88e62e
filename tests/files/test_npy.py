"""Arrays in NumPy's format: what NumPy saves is read equal, and any other header is right or refused, in linear time."""

from __future__ import annotations

import io
import os
import re
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pixelgauge.files.npy import map_npy, parse_npy, read_header, read_npy
from pixelgauge.files.reading import FileError
from tests.files.errors import OtherError


def saved(array: Any, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that version 2 or 3 was needed
        np.lib.format.write_array(file, array, version)
    return file.getvalue()


def parsed(data: bytes) -> Any:
    return parse_npy(io.BytesIO(data), len(data), "a.npy")


def with_header(header: str | bytes, values: bytes = b"", version: int = 1) -> bytes:
    raw = header if isinstance(header, bytes) else header.encode("latin-1")
    return b"\x93NUMPY" + bytes([version, 0]) + len(raw).to_bytes(2 if version == 1 else 4, "little") + raw + values


PLAIN = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }"
VALUES = np.arange(6, dtype="<i4").tobytes()

_DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64, 128)),
    hnp.complex_number_dtypes(endianness="?"),
    hnp.datetime64_dtypes(endianness="?"),
    hnp.timedelta64_dtypes(endianness="?"),
    hnp.byte_string_dtypes(min_len=1, max_len=9),
    hnp.unicode_string_dtypes(endianness="?", min_len=1, max_len=5),
)


class TestNpy:
    @pytest.mark.property
    @given(st.data())
    def test_what_numpy_saves_is_read_equal(self, data: Any) -> None:
        array = data.draw(
            hnp.arrays(data.draw(_DTYPES), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
        )
        array = np.asfortranarray(array) if data.draw(st.booleans()) else array
        for version in ((1, 0), (2, 0), (3, 0)):
            found = parsed(saved(array, version))
            assert found.dtype == array.dtype
            assert found.shape == array.shape
            assert found.tobytes("A") == array.tobytes("A")
            assert not found.flags.writeable
            assert found.flags.f_contiguous == array.flags.f_contiguous
            assert found.flags.c_contiguous == array.flags.c_contiguous

    def test_headers_of_other_writers(self) -> None:
        for header in (
            '{"descr": "<i4", "fortran_order": False, "shape": (2, 3)}',
            "{'shape': (2, 3), 'fortran_order': False, 'descr': '<i4'}\n",
            "{'descr':'<i4','fortran_order':False,'shape':(2,3)}   ",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (2L, 3L), }\n",  # Python 2
            "{ 'descr' : '<i4' ,\n'fortran_order' : False , 'shape' : ( 2 , 3 , ) }",
        ):
            assert parsed(with_header(header, VALUES)).tolist() == [[0, 1, 2], [3, 4, 5]], header

    @pytest.mark.boundary
    @pytest.mark.parametrize(
        ("header", "what"),
        [
            ("{'descr': '<i4', 'fortran_order': False, 'shape': (4, 2, }", "damaged .npy header"),
            ("{'descr': '<i4', 'fortran_order': False, 'shape': (1+1+1, 2), }", "damaged .npy header"),
            (f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({'1+' * 20000}1,), }}", "damaged .npy header"),
            (f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({'(' * 5000}, }}", "damaged .npy header"),
            (f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({2**70},), }}", "damaged .npy header"),
            (f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({2**63},), }}", "which no array has"),
            (f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({2**62}, 4), }}", "which no file holds"),
            (f"{{'descr': '<i4', 'fortran_order': False, 'shape': (0, {2**63}), }}", "which no array has"),
            ("{'descr': '<i4', 'fortran_order': False, 'shape': (100000000000,), }", "400000000000 bytes, and holds 24"),
            (f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({'1, ' * 33}), }}", "which no array has"),
            ("{'descr': '<i4', 'fortran_order': False, 'shape': (-2, -3), }", "damaged .npy header"),
            ("{'descr': '<i4', 'fortran_order': False, 'shape': (6), }", "damaged .npy header"),
            ("{'descr': '<i4', 'fortran_order': False, 'shape': (02, 3), }", "damaged .npy header"),
            ("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3.0), }", "damaged .npy header"),
            ("{'descr': '<i4', 'fortran_order': 0, 'shape': (2, 3), }", "damaged .npy header"),
            ("{'descr': '<i4', 'fortran_order': 'False', 'shape': (2, 3), }", "damaged .npy header"),
            ("{'descr': (2, 3), 'fortran_order': False, 'shape': (2, 3), }", "damaged .npy header"),
            ("{'descr': '<i4', 'fortran_order': False, }", "damaged .npy header"),
            ("{'descr': '<i4', 'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }", "damaged .npy header"),
            ("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), 'extra': 1}", "damaged .npy header"),
            ("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), } 5", "damaged .npy header"),
            ("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }\xa0", "damaged .npy header"),
            ("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }\0", "damaged .npy header"),
            ("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }\n  ", "damaged .npy header"),
            (" {'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }", "damaged .npy header"),
            ("", "damaged .npy header"),
            ("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }", "Python objects, which are never read"),
            ("{'descr': 'O8', 'fortran_order': False, 'shape': (2, 3), }", "Python objects, which are never read"),
            ("{'descr': '|V8', 'fortran_order': False, 'shape': (3,), }", None),
            ("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (6,), }", "a.npy: "),
            ("{'descr': '(2,3)i4', 'fortran_order': False, 'shape': (1,), }", "damaged .npy header"),
            ("{'descr': 'i4,i4', 'fortran_order': False, 'shape': (3,), }", "damaged .npy header"),
            ("{'descr': 'x4', 'fortran_order': False, 'shape': (2, 3), }", "dtype 'x4'"),
            ("{'descr': '<i3', 'fortran_order': False, 'shape': (2, 3), }", "dtype '<i3'"),
            ("{'descr': '|S0', 'fortran_order': False, 'shape': (2, 3), }", "save numbers"),
            ("{'descr': 'T', 'fortran_order': False, 'shape': (1,), }", "dtype"),
            ("{'descr': '<M8[xx]', 'fortran_order': False, 'shape': (3,), }", "dtype '<M8"),
            ("{'descr': '<f999999999', 'fortran_order': False, 'shape': (3,), }", "dtype"),
        ],
    )  # fmt: skip
    def test_headers(self, header: str, what: str | None) -> None:
        data = with_header(header, VALUES, 2)
        if what is None:
            assert parsed(data).shape == (3,)
            return
        with pytest.raises(FileError, match=re.escape(what)) as caught:
            parsed(data)
        assert len(str(caught.value)) <= 2000
        assert str(caught.value).isprintable()

    @pytest.mark.boundary
    @pytest.mark.parametrize(
        ("data", "what"),
        [
            (b"", "is no .npy array: it begins with b''"),
            (b"\x93NUMPY", "a.npy: "),
            (b"PK\3\4" + bytes(60), "is no .npy array"),
            (b"\x93NUMPY\4\0", "of format 4.0"),
            (b"\x93NUMPY\0\0", "of format 0.0"),
            (b"\x93NUMPY\1\1", "of format 1.1"),
            (b"\x93NUMPY\1\0\xff", "ends within its .npy header"),
            (b"\x93NUMPY\2\0\xff\xff\xff\xff", "header of 4294967295 bytes"),
            (with_header(PLAIN, VALUES[:-1]), "24 bytes, and holds 23: it may be truncated"),
            (with_header(PLAIN, VALUES + b"\0"), "24 bytes, and holds 25"),
            (
                with_header("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }", b"\0\0\x11\0"),
                "character 0x110000",
            ),
            (
                with_header("{'descr': '>U1', 'fortran_order': False, 'shape': (1,), }", b"\0\x11\0\0"),
                "character 0x110000",
            ),
        ],
    )
    def test_other_bytes(self, data: bytes, what: str, tmp_path: Path) -> None:
        with pytest.raises(FileError, match=re.escape(what)):
            parsed(data)
        (tmp_path / "a.npy").write_bytes(data)
        with pytest.raises(OtherError, match=re.escape(what)) as caught:
            read_npy(tmp_path / "a.npy", OtherError)
        assert caught.value.path == str(tmp_path / "a.npy")

    def test_the_last_character_there_is(self) -> None:
        array = np.array([chr(sys.maxunicode), "a", ""])
        assert parsed(saved(array)).tolist() == array.tolist()
        assert parsed(saved(array.astype(">U1"))).tolist() == array.tolist()

    @pytest.mark.property
    @given(st.data())
    @settings(max_examples=300)
    def test_a_changed_header_is_right_or_refused(self, data: Any) -> None:
        values = np.arange(6).reshape(2, 3).astype(data.draw(st.sampled_from(("<i4", ">f4", "<U1"))))
        source = saved(values, data.draw(st.sampled_from(((1, 0), (2, 0)))))
        held = bytearray(source)
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, 70))
            held[at] = data.draw(st.sampled_from(b"0123456789(),'<>=|LfiuUOS? :{}\n\0\xff\xa0") | st.integers(0, 255))
        try:
            found = parsed(bytes(held))
        except FileError:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            other = np.lib.format.read_array(io.BytesIO(held), allow_pickle=False)
        assert found.dtype == other.dtype
        assert found.shape == other.shape
        assert found.tobytes() == other.tobytes()

    @pytest.mark.boundary
    @pytest.mark.parametrize(
        "end",
        ["(" + " " * 64_000, "(1" + " " * 64_000, "(1, 1" + " " * 64_000, "(" + "1," * 32_000, "(" + "1 , " * 16_000, "(" + "1" * 64_000, " " * 64_000,
         "(1,)}" + " " * 60_000 + "x", "(" + "\n" * 64_000 + "x"],
    )  # fmt: skip
    def test_headers_are_read_in_linear_time(self, end: str) -> None:
        data = with_header(f"{{'descr': '<i4', 'fortran_order': False, 'shape': {end}}}", b"", 2)

        begin = time.process_time()
        with pytest.raises(FileError, match=r"damaged \.npy header"):
            parsed(data)
        assert (
            time.process_time() - begin < 2
        )  # a millisecond; ten seconds while spaces could belong to two parts of the pattern

    @pytest.mark.boundary
    def test_every_truncation(self) -> None:
        source = saved(np.arange(6.0))
        for end in range(len(source)):
            with pytest.raises(FileError):
                parsed(source[:end])

    @pytest.mark.boundary
    def test_the_position_after_a_header(self) -> None:
        file = io.BytesIO(with_header(PLAIN, VALUES))
        header = read_header(file, "a.npy")
        assert (header.shape, header.size, header.bytes, header.fortran_order) == ((2, 3), 6, 24, False)
        assert file.tell() == header.offset
        assert file.read() == VALUES

    def test_mapped(self, tmp_path: Path) -> None:
        array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
        np.save(tmp_path / "a.npy", array)
        header, mapped = map_npy(tmp_path / "a.npy")
        assert header.fortran_order
        assert mapped.flags.f_contiguous
        assert np.array_equal(mapped, array)
        with pytest.raises(ValueError, match="read-only"):
            mapped[0, 0] = 1
        (tmp_path / "a.npy").write_bytes(
            (tmp_path / "a.npy").read_bytes() + b"more"
        )  # as a writer that goes on leaves it
        assert np.array_equal(map_npy(tmp_path / "a.npy")[1], array)

    @pytest.mark.boundary
    @pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 2**40)])
    def test_nothing_is_not_mapped(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        (tmp_path / "a.npy").write_bytes(with_header(f"{{'descr': '<i4', 'fortran_order': False, 'shape': {shape}, }}"))
        with pytest.raises(FileError, match="holds no value"):
            map_npy(tmp_path / "a.npy")
        assert read_npy(tmp_path / "a.npy").shape == shape

    @pytest.mark.boundary
    def test_what_is_too_short_is_not_mapped(self, tmp_path: Path) -> None:
        (tmp_path / "a.npy").write_bytes(with_header(PLAIN, VALUES[:-1]))
        with pytest.raises(FileError, match="may be truncated"):
            map_npy(tmp_path / "a.npy")
        with pytest.raises(FileNotFoundError):
            map_npy(tmp_path / "b.npy")
        os.mkfifo(tmp_path / "pipe.npy")
        for read in (read_npy, map_npy):
            with pytest.raises(FileError, match="is a pipe"):
                read(tmp_path / "pipe.npy")
