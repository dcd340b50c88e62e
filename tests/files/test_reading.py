"""Reading within bounds: regular files only, one family of errors, JSON; arrays, archives and writing have files of their own."""

from __future__ import annotations

import json
import os
import pickle
import re
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pixelgauge
from pixelgauge.files import reading
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
from tests.files.errors import OtherError
from tests.rights import without_roots_rights

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


# ---- the error ----------------------------------------------------------------------------------------------------


@pytest.mark.boundary
class TestFileError:
    def test_fields_and_message(self) -> None:
        error = FileError("a.npz", "is truncated", "copy it again")
        assert (error.path, error.reason, error.remedy) == ("a.npz", "is truncated", "copy it again")
        assert str(error) == "a.npz: is truncated: copy it again"
        assert str(FileError("a.npz", "is truncated")) == "a.npz: is truncated"
        assert isinstance(error, ValueError)
        assert pixelgauge.FileError is FileError

    @pytest.mark.parametrize("kind", [FileError, OtherError])
    def test_is_pickled_whole(self, kind: type[Exception]) -> None:  # as a process pool does
        again = pickle.loads(pickle.dumps(kind("a\n", "b" * 5000, "c")))
        assert type(again) is kind
        assert (again.path, again.reason, again.remedy) == ("a\n", "b" * 5000, "c")
        assert str(again) == str(kind("a\n", "b" * 5000, "c"))

    @given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30), st.integers(1, 400))
    @pytest.mark.property
    def test_any_text_is_short_and_printable(self, path: Any, reason: Any, remedy: Any, times: Any) -> None:
        text = str(FileError(path * times, reason * times, remedy * times))
        assert len(text) <= reading.MOST_MESSAGE
        assert text.isprintable()

    def test_what_is_cut_shows_both_ends(self) -> None:
        text = str(FileError("p" * 3000 + "/last.png", "begins" + "r" * 5000 + "ends", "do this"))
        assert "/last.png" in text
        assert "begins" in text
        assert "ends: do this" in text

    def test_subclasses_are_of_the_family(self) -> None:
        assert issubclass(pixelgauge.images.ImageFileError, FileError)


@pytest.mark.property
class TestShown:
    @given(st.text(max_size=300), st.integers(10, 300))
    def test_fits_and_prints(self, text: Any, most: Any) -> None:
        found = shown(text, most)
        assert len(found) <= most
        assert found.isprintable()
        if text.isprintable() and len(text) <= most:
            assert found == text

    def test_does_no_more_than_it_shows(self) -> None:
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
    def test_control_characters(self, text: str, escaped: str) -> None:
        assert printable(text) == escaped

    def test_other_values_and_causes(self) -> None:
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
    def test_every_kind_becomes_the_family(self, error: Any) -> None:
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
    def test_what_is_not_the_files_passes(self, error: Any) -> None:
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
    def test_a_file_and_a_link_to_it(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"abc")
        assert read_regular(tmp_path / "a") == b"abc"
        (tmp_path / "link").symlink_to("a")
        assert read_regular(str(tmp_path / "link")) == b"abc"
        assert read_regular(os.fsencode(tmp_path / "a")) == b"abc"

    def test_an_empty_one(self, tmp_path: Path) -> None:
        (tmp_path / "a").touch()
        assert read_regular(tmp_path / "a") == b""

    @posix
    @pytest.mark.parametrize("linked", [False, True])
    def test_pipes_sockets_and_devices_are_named_at_once(
        self, tmp_path: Path, linked: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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
    def test_a_pipe_with_a_writer_is_not_read(self, tmp_path: Path) -> None:
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
    def test_a_null_character(self, name: str) -> None:
        with pytest.raises(FileError, match="null") as caught:
            open_regular(name)
        assert str(caught.value).isprintable()

    def test_what_is_not_there(self, tmp_path: Path) -> None:
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

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(IsADirectoryError) as caught:
            open_regular(tmp_path)
        assert caught.value.filename == str(tmp_path)

    @posix
    def test_what_may_not_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"abc")
        (tmp_path / "a").chmod(0)
        with without_roots_rights(), pytest.raises(PermissionError):
            open_regular(tmp_path / "a")

    def test_no_handle_is_left(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
        for _ in range(20):
            with pytest.raises(FileError):
                open_regular(tmp_path / "pipe")
            with pytest.raises(IsADirectoryError):
                open_regular(tmp_path)
        if before is not None:
            assert len(os.listdir("/proc/self/fd")) == before

    def test_the_most_that_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"abc")
        assert read_regular(tmp_path / "a", 3) == b"abc"
        with pytest.raises(OtherError, match="has 3 bytes, more than the 2"):
            read_regular(tmp_path / "a", 2, OtherError)

    @posix
    def test_a_sparse_file_is_refused_before_it_is_read(self, tmp_path: Path) -> None:
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
    def test_what_json_wrote_is_read(self, value: Any) -> None:
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
    def test_what_is_none(self, text: bytes, what: str) -> None:
        with pytest.raises(OtherError, match=re.escape(what)) as caught:
            parse_json(text, "a.json", kind=OtherError)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) <= reading.MOST_MESSAGE

    @pytest.mark.boundary
    def test_the_most_that_is_read(self) -> None:
        most = b'"' + b"a" * (reading.MOST_JSON - 2) + b'"'
        assert len(parse_json(most, "a")) == reading.MOST_JSON - 2
        with pytest.raises(FileError, match=f"at most {reading.MOST_JSON} are read"):
            parse_json(most + b" ", "a", "is no header")

    @pytest.mark.boundary
    def test_two_equal_keys_of_many_are_found_in_linear_time(self) -> None:
        text = "{" + "".join(f'"{i:x}":0,' for i in range(200_000)) + '"last":0,"last":0}'

        def call() -> None:
            with pytest.raises(FileError, match="key 'last' is there twice"):
                parse_json(text, "a")

        _within_seconds(call, 30)  # half a second, and a quarter of an hour if each was counted

    @pytest.mark.boundary
    def test_a_great_integer_is_exact(self) -> None:
        assert parse_json(b"9007199254740993", "a") == 2**53 + 1


class TestNesting:
    @pytest.mark.boundary
    @pytest.mark.parametrize("levels", [101, 980, 100_000])
    @pytest.mark.parametrize("brackets", ["[]", '{"a":}'])
    def test_deep_json_is_refused_alike_whoever_calls(self, levels: int, brackets: str) -> None:
        text = brackets[:-1] * levels + "1" + brackets[-1] * levels
        with pytest.raises(FileError, match="it nests more than 100 levels deep"):
            parse_json(text, "x")

    @pytest.mark.property
    @pytest.mark.parametrize(
        "text",
        ["[" * 100 + "]" * 100, "[" + "[]," * 5000 + "1]", '["' + "[{" * 5000 + '"]', r'["\"' + "[" * 300 + '"]'],
    )
    def test_what_is_wide_or_within_quotes_is_not_deep(self, text: str) -> None:
        assert parse_json(text, "x") == json.loads(text)
