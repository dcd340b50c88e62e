"""Reading within bounds: regular files only, one family of errors, JSON and .npy; archives and writing have files of their own."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import socket
import sys
import threading
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import pixelgauge
from pixelgauge.files import reading
from pixelgauge.files.npy import map_npy, parse_npy, read_header, read_npy
from pixelgauge.files.reading import (
    FileError,
    cause,
    open_regular,
    parse_json,
    printable,
    read_regular,
    refusing,
    shown,
)

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


class OtherError(FileError):
    """A subclass, as readers have."""


# ---- the error ----------------------------------------------------------------------------------------------------


@pytest.mark.boundary
class TestFileError:
    def test_fields_and_message(self):
        error = FileError("a.npz", "is truncated", "copy it again")
        assert (error.path, error.reason, error.remedy) == ("a.npz", "is truncated", "copy it again")
        assert str(error) == "a.npz: is truncated: copy it again"
        assert str(FileError("a.npz", "is truncated")) == "a.npz: is truncated"
        assert isinstance(error, ValueError)
        assert pixelgauge.FileError is FileError

    @pytest.mark.parametrize("kind", [FileError, OtherError])
    def test_is_pickled_whole(self, kind):  # as a process pool does
        again = pickle.loads(pickle.dumps(kind("a\n", "b" * 5000, "c")))
        assert type(again) is kind
        assert (again.path, again.reason, again.remedy) == ("a\n", "b" * 5000, "c")
        assert str(again) == str(kind("a\n", "b" * 5000, "c"))

    @given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30), st.integers(1, 400))
    @pytest.mark.property
    def test_any_text_is_short_and_printable(self, path, reason, remedy, times):
        text = str(FileError(path * times, reason * times, remedy * times))
        assert len(text) <= reading.MOST_MESSAGE
        assert text.isprintable()

    def test_what_is_cut_shows_both_ends(self):
        text = str(FileError("p" * 3000 + "/last.png", "begins" + "r" * 5000 + "ends", "do this"))
        assert "/last.png" in text
        assert "begins" in text
        assert "ends: do this" in text

    def test_subclasses_are_of_the_family(self):
        assert issubclass(pixelgauge.images.ImageFileError, FileError)


@pytest.mark.property
class TestShown:
    @given(st.text(max_size=300), st.integers(10, 300))
    def test_fits_and_prints(self, text, most):
        found = shown(text, most)
        assert len(found) <= most
        assert found.isprintable()
        if text.isprintable() and len(text) <= most:
            assert found == text

    def test_does_no_more_than_it_shows(self):
        assert len(shown("\0" * 10**7)) <= reading.MOST_SHOWN  # ten million escapes would take seconds, and 40 MB

    @pytest.mark.parametrize(
        ("text", "escaped"),
        [
            ("\x1b[2J", "\\x1b[2J"),
            ("a\r\nb", "a\\r\\nb"),
            ("\ud800", "\\ud800"),
            ("\u202e", "\\u202e"),
            ("\udcff", "\\udcff"),
            ("é ok", "é ok"),
        ],
    )
    def test_control_characters(self, text, escaped):
        assert printable(text) == escaped

    def test_other_values_and_causes(self):
        assert shown(5) == "5"
        assert cause(KeyError()) == "KeyError"
        assert cause(OSError(2, "No such file", "x")) == "No such file"
        assert cause(ValueError("a\nb")) == "a\\nb"


@pytest.mark.boundary
class TestRefusing:
    @pytest.mark.parametrize(
        "error",
        [RecursionError("deep"), MemoryError(), OverflowError("big"), KeyError("a"), SyntaxError("x"), EOFError(), OSError(5, "Input/output error"),
         UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), StopIteration(), ZeroDivisionError("by zero"), AssertionError()],
    )  # fmt: skip
    def test_every_kind_becomes_the_family(self, error):
        with (
            pytest.raises(OtherError, match=r"^a\.zip: is damaged \(.+\): copy it$") as caught,
            refusing("a.zip", "is damaged", "copy it", OtherError),
        ):
            raise error
        assert caught.value.__cause__ is error

    @pytest.mark.parametrize(
        "error",
        [
            OtherError("b", "c"),
            FileNotFoundError(2, "No such file", "b"),
            ImportError("pip install it"),
            KeyboardInterrupt(),
            SystemExit(3),
        ],
    )
    def test_what_is_not_the_files_passes(self, error):
        with pytest.raises(type(error)) as caught, refusing("a.zip", "is damaged"):
            raise error
        assert caught.value is error


# ---- opening ------------------------------------------------------------------------------------------------------


def _within_seconds(call: Any, seconds: float) -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it does not end"
    assert not failed, failed


@pytest.mark.boundary
class TestOpenRegular:
    def test_a_file_and_a_link_to_it(self, tmp_path):
        (tmp_path / "a").write_bytes(b"abc")
        assert read_regular(tmp_path / "a") == b"abc"
        (tmp_path / "link").symlink_to("a")
        assert read_regular(str(tmp_path / "link")) == b"abc"
        assert read_regular(os.fsencode(tmp_path / "a")) == b"abc"

    def test_an_empty_one(self, tmp_path):
        (tmp_path / "a").touch()
        assert read_regular(tmp_path / "a") == b""

    @posix
    @pytest.mark.parametrize("linked", [False, True])
    def test_pipes_sockets_and_devices_are_named_at_once(self, tmp_path, linked, monkeypatch):
        monkeypatch.chdir(tmp_path)  # a socket's name is short
        os.mkfifo("pipe")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket")
            for name, what in (
                ("pipe", "is a pipe"),
                ("socket", "is a socket"),
                ("/dev/zero", "is a device"),
                ("/dev/tty", "is a device"),
            ):
                if not os.path.exists(name):
                    continue
                place = name
                if linked:
                    place = f"to-{os.path.basename(name)}"
                    os.symlink(name, place)

                def call(place: str = place, what: str = what) -> None:
                    with pytest.raises(OtherError, match=rf"{what}: only regular files") as caught:
                        open_regular(place, OtherError)
                    assert caught.value.path == place

                _within_seconds(call, 10)

    @posix
    def test_a_pipe_with_a_writer_is_not_read(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        handle = os.open(tmp_path / "pipe", os.O_RDWR)
        try:
            os.write(handle, b"left")
            with pytest.raises(FileError, match="is a pipe"):
                read_regular(tmp_path / "pipe")
            assert os.read(handle, 4) == b"left"
        finally:
            os.close(handle)

    @pytest.mark.parametrize("name", ["a\0b", "\0"])
    def test_a_null_character(self, name):
        with pytest.raises(FileError, match="null") as caught:
            open_regular(name)
        assert str(caught.value).isprintable()

    def test_what_is_not_there(self, tmp_path):
        with pytest.raises(FileNotFoundError) as caught:
            open_regular(tmp_path / "a")
        assert caught.value.filename == str(tmp_path / "a")
        (tmp_path / "dangling").symlink_to("nowhere")
        with pytest.raises(FileNotFoundError) as caught:
            open_regular(tmp_path / "dangling")
        assert caught.value.filename == str(tmp_path / "dangling")
        (tmp_path / "round").symlink_to("round")
        with pytest.raises(OSError, match="ymbolic link"):
            open_regular(tmp_path / "round")
        with pytest.raises(OSError, match="too long"):
            open_regular(tmp_path / ("a" * 300))

    def test_a_folder(self, tmp_path):
        with pytest.raises(IsADirectoryError) as caught:
            open_regular(tmp_path)
        assert caught.value.filename == str(tmp_path)

    @posix
    @pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
    def test_what_may_not_be_read(self, tmp_path):
        (tmp_path / "a").write_bytes(b"abc")
        (tmp_path / "a").chmod(0)
        with pytest.raises(PermissionError):
            open_regular(tmp_path / "a")

    def test_no_handle_is_left(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
        for _ in range(20):
            with pytest.raises(FileError):
                open_regular(tmp_path / "pipe")
            with pytest.raises(IsADirectoryError):
                open_regular(tmp_path)
        if before is not None:
            assert len(os.listdir("/proc/self/fd")) == before

    def test_the_most_that_is_read(self, tmp_path):
        (tmp_path / "a").write_bytes(b"abc")
        assert read_regular(tmp_path / "a", 3) == b"abc"
        with pytest.raises(OtherError, match="has 3 bytes, more than the 2"):
            read_regular(tmp_path / "a", 2, OtherError)

    @posix
    def test_a_sparse_file_is_refused_before_it_is_read(self, tmp_path):
        with open(tmp_path / "a", "wb") as file:
            file.truncate(1 << 40)
        with pytest.raises(FileError, match="more than the"):
            read_regular(tmp_path / "a", 1 << 20)


# ---- JSON ---------------------------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


class TestParseJson:
    @pytest.mark.property
    @given(_JSON)
    def test_what_json_wrote_is_read(self, value):
        assert parse_json(json.dumps(value).encode(), "a") == value
        assert parse_json(json.dumps(value, ensure_ascii=False), "a") == value

    @pytest.mark.boundary
    @pytest.mark.parametrize(
        ("text", "what"),
        [
            (b"", "is not JSON"),
            (b"{", "is not JSON"),
            (b"\xff\xfe\xfd", "is not JSON"),
            (b"[" * 100_000, "is not JSON"),
            (b'{"a":' * 100_000, "is not JSON"),
            (b"NaN", "NaN is no JSON value"),
            (b"[-Infinity]", "-Infinity is no JSON value"),
            (b"1e999", "1e999 is beyond float64"),
            (b"[-1e309]", "-1e309 is beyond float64"),
            (b"1" + b"0" * 400 + b".5", "is beyond float64"),
            (b"1" * 5000, "is not JSON"),
            (b'{"a": 1, "a": 1}', "key 'a' is there twice"),
            (b'{"b": [{"a": 1, "c": 2, "\\u0061": 3}]}', "key 'a' is there twice"),
            (b'{"\\u001b[2J": 1, "\\u001b[2J": 1}', "is there twice"),
            (b"1 2", "is not JSON"),
        ],
    )
    def test_what_is_none(self, text, what):
        with pytest.raises(OtherError, match=re.escape(what)) as caught:
            parse_json(text, "a.json", kind=OtherError)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) <= reading.MOST_MESSAGE

    @pytest.mark.boundary
    def test_the_most_that_is_read(self):
        most = b'"' + b"a" * (reading.MOST_JSON - 2) + b'"'
        assert len(parse_json(most, "a")) == reading.MOST_JSON - 2
        with pytest.raises(FileError, match=f"at most {reading.MOST_JSON} are read"):
            parse_json(most + b" ", "a", "is no header")

    @pytest.mark.boundary
    def test_two_equal_keys_of_many_are_found_in_linear_time(self):
        text = "{" + "".join(f'"{i:x}":0,' for i in range(250_000)) + '"last":0,"last":0}'

        def call() -> None:
            with pytest.raises(FileError, match="key 'last' is there twice"):
                parse_json(text, "a")

        _within_seconds(call, 30)  # half a second, and a quarter of an hour if each was counted

    @pytest.mark.boundary
    def test_a_great_integer_is_exact(self):
        assert parse_json(b"9007199254740993", "a") == 2**53 + 1


# ---- .npy ---------------------------------------------------------------------------------------------------------


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
    def test_what_numpy_saves_is_read_equal(self, data):
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

    def test_headers_of_other_writers(self):
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
            ("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (6,), }", "damaged .npy header"),
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
    def test_headers(self, header, what):
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
            (b"\x93NUMPY", "is no .npy array"),
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
    def test_other_bytes(self, data, what, tmp_path):
        with pytest.raises(FileError, match=re.escape(what)):
            parsed(data)
        (tmp_path / "a.npy").write_bytes(data)
        with pytest.raises(OtherError, match=re.escape(what)) as caught:
            read_npy(tmp_path / "a.npy", OtherError)
        assert caught.value.path == str(tmp_path / "a.npy")

    def test_the_last_character_there_is(self):
        array = np.array([chr(sys.maxunicode), "a", ""])
        assert parsed(saved(array)).tolist() == array.tolist()
        assert parsed(saved(array.astype(">U1"))).tolist() == array.tolist()

    @pytest.mark.property
    @given(st.data())
    @settings(max_examples=300)
    def test_a_changed_header_is_right_or_refused(self, data):
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
         "(1,)" + " " * 64_000, "(1,)}" + " " * 60_000 + "x", "(" + "\n" * 64_000 + "x"],
    )  # fmt: skip
    def test_headers_are_read_in_linear_time(self, end):
        data = with_header(f"{{'descr': '<i4', 'fortran_order': False, 'shape': {end}}}", b"", 2)

        def call() -> None:
            with pytest.raises(FileError, match=r"damaged \.npy header"):
                parsed(data)

        _within_seconds(call, 5)  # a millisecond; ten seconds while spaces could belong to two parts of the pattern

    @pytest.mark.boundary
    def test_every_truncation(self):
        source = saved(np.arange(6.0))
        for end in range(len(source)):
            with pytest.raises(FileError):
                parsed(source[:end])

    @pytest.mark.boundary
    def test_the_position_after_a_header(self):
        file = io.BytesIO(with_header(PLAIN, VALUES))
        header = read_header(file, "a.npy")
        assert (header.shape, header.size, header.bytes, header.fortran_order) == ((2, 3), 6, 24, False)
        assert file.tell() == header.offset
        assert file.read() == VALUES

    def test_mapped(self, tmp_path):
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
    def test_nothing_is_not_mapped(self, tmp_path, shape):
        (tmp_path / "a.npy").write_bytes(with_header(f"{{'descr': '<i4', 'fortran_order': False, 'shape': {shape}, }}"))
        with pytest.raises(FileError, match="holds no value"):
            map_npy(tmp_path / "a.npy")
        assert read_npy(tmp_path / "a.npy").shape == shape

    @pytest.mark.boundary
    def test_what_is_too_short_is_not_mapped(self, tmp_path):
        (tmp_path / "a.npy").write_bytes(with_header(PLAIN, VALUES[:-1]))
        with pytest.raises(FileError, match="may be truncated"):
            map_npy(tmp_path / "a.npy")
        with pytest.raises(FileNotFoundError):
            map_npy(tmp_path / "b.npy")
        os.mkfifo(tmp_path / "pipe.npy")
        for read in (read_npy, map_npy):
            with pytest.raises(FileError, match="is a pipe"):
                read(tmp_path / "pipe.npy")
