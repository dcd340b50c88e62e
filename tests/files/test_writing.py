"""Writing: whole or not at all, exclusively, in one rename, as the caller names it; and locks that a death frees."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pixelgauge.files import writing
from pixelgauge.files.writing import new_folder, recover_folder, remove_folder, replacing, require_writable, sweep
from tests.rights import without_roots_rights

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def write(path: Any, data: bytes = b"new", **options: bool) -> None:
    with replacing(path, **options) as file:
        file.write(data)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Makes the random names known in advance, so that an attacker can plant them."""
    order = [f"{i:08d}" for i in range(20)]

    def draw() -> Iterator[str]:
        return iter(order)

    monkeypatch.setattr(writing.tempfile, "_name_sequence", draw())
    return order


class TestReplacing:
    def test_new_and_there(self, tmp_path: Path) -> None:
        write(tmp_path / "a", b"one")
        assert (tmp_path / "a").read_bytes() == b"one"
        write(str(tmp_path / "a"), b"two")
        write(os.fsencode(tmp_path / "a"), b"three")
        assert (tmp_path / "a").read_bytes() == b"three"
        assert names(tmp_path) == ["a"]

    def test_nothing_is_seen_before_the_end(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"old")
        with replacing(tmp_path / "a") as file:
            file.write(b"new")
            file.flush()
            assert (tmp_path / "a").read_bytes() == b"old"
            (temporary,) = set(names(tmp_path)) - {"a"}
            assert temporary.startswith(writing.PREFIX)
            assert stat.S_IMODE((tmp_path / temporary).stat().st_mode) == 0o600
        assert (tmp_path / "a").read_bytes() == b"new"

    @pytest.mark.parametrize(
        "error", [ValueError("x"), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device"), MemoryError()]
    )
    def test_an_error_leaves_what_was_there(self, tmp_path: Path, error: Any) -> None:
        (tmp_path / "a").write_bytes(b"old")
        with pytest.raises(type(error)), replacing(tmp_path / "a") as file:  # noqa: PT012
            file.write(b"half")
            raise error
        assert (tmp_path / "a").read_bytes() == b"old"
        assert names(tmp_path) == ["a"]

    @pytest.mark.boundary
    def test_errors_name_what_the_caller_named(self, tmp_path: Path) -> None:
        for path in (tmp_path / "nowhere" / "a", tmp_path / "file" / "a"):
            (tmp_path / "file").touch()
            with pytest.raises(OSError, match=r"No such|Not a dir") as caught:
                write(path)
            assert caught.value.filename == str(path)
        with pytest.raises(OSError, match="No space") as caught, replacing(tmp_path / "a"):
            raise OSError(errno.ENOSPC, "No space left on device")
        assert caught.value.filename == str(tmp_path / "a")
        with pytest.raises(FileNotFoundError) as missing, replacing(tmp_path / "a"):
            open(tmp_path / "another")  # noqa: SIM115
        assert missing.value.filename == str(tmp_path / "another")
        (tmp_path / "folder").mkdir()
        with pytest.raises(IsADirectoryError) as folder:
            write(tmp_path / "folder")
        assert folder.value.filename == str(tmp_path / "folder")
        assert names(tmp_path) == ["file", "folder"]

    @pytest.mark.boundary
    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
    def test_a_full_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = os.fdopen

        def full(handle: int, mode: str) -> Any:
            os.close(handle)
            return real(os.open("/dev/full", os.O_WRONLY), mode)

        (tmp_path / "a").write_bytes(b"old")
        monkeypatch.setattr(writing.os, "fdopen", full)
        with pytest.raises(OSError, match="No space left") as caught:
            write(tmp_path / "a")
        monkeypatch.undo()
        assert caught.value.errno == errno.ENOSPC
        assert caught.value.filename == str(tmp_path / "a")
        assert (tmp_path / "a").read_bytes() == b"old"
        assert names(tmp_path) == ["a"]

    @pytest.mark.boundary
    def test_planted_names_are_never_followed(self, tmp_path: Path, drawn: list[str]) -> None:
        victim = tmp_path / "victim"
        victim.write_bytes(b"theirs")
        place = tmp_path / "place"
        place.mkdir()
        planted = [place / f"{writing.PREFIX}tmp-{name}" for name in drawn[:4]]
        planted[0].write_bytes(b"a file")
        planted[1].symlink_to(victim)
        planted[2].symlink_to(tmp_path / "nowhere")
        planted[3].mkdir()
        write(place / "a")
        assert (place / "a").read_bytes() == b"new"
        assert victim.read_bytes() == b"theirs"
        assert planted[0].read_bytes() == b"a file"
        assert not (tmp_path / "nowhere").exists()
        assert not any(planted[3].iterdir())
        assert not (place / "a").is_symlink()

    def test_permissions_are_kept_and_the_umask_honoured(self, tmp_path: Path) -> None:
        for mask, mode in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
            before = os.umask(mask)
            try:
                write(tmp_path / f"{mask}")
            finally:
                assert os.umask(before) == mask
            assert stat.S_IMODE((tmp_path / f"{mask}").stat().st_mode) == mode
        for mode in (0o600, 0o640, 0o666, 0o444):
            (tmp_path / "18").chmod(mode)
            write(tmp_path / "18")
            assert stat.S_IMODE((tmp_path / "18").stat().st_mode) == mode

    def test_a_link_is_written_through(self, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "real").write_bytes(b"old")
        (tmp_path / "link").symlink_to("folder/real")
        (tmp_path / "dangling").symlink_to("folder/new")
        write(tmp_path / "link", b"one")
        write(tmp_path / "dangling", b"two")
        assert (tmp_path / "folder" / "real").read_bytes() == b"one"
        assert (tmp_path / "folder" / "new").read_bytes() == b"two"
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "dangling").is_symlink()
        assert names(tmp_path / "folder") == ["new", "real"]

    @pytest.mark.parametrize("links", [True, False])
    def test_not_overwriting(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
        if not links:
            monkeypatch.setattr(writing.os, "link", _no_links)
        write(tmp_path / "a", b"one", overwrite=False)
        with pytest.raises(FileExistsError) as caught:
            write(tmp_path / "a", b"two", overwrite=False)
        assert caught.value.filename == str(tmp_path / "a")
        assert (tmp_path / "a").read_bytes() == b"one"
        (tmp_path / "folder").mkdir()
        with pytest.raises(FileExistsError):
            write(tmp_path / "folder", overwrite=False)
        assert names(tmp_path) == ["a", "folder"]

    @pytest.mark.parametrize("links", [True, False])
    def test_a_race_has_one_winner(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
        if not links:
            monkeypatch.setattr(writing.os, "link", _no_links)
        for i in range(30):
            outcomes: list[bytes] = []
            barrier = threading.Barrier(4)

            def race(
                data: bytes, path: Path = tmp_path / f"{i}", barrier: Any = barrier, outcomes: list[bytes] = outcomes
            ) -> None:
                with contextlib.suppress(FileExistsError), replacing(path, overwrite=False) as file:
                    file.write(data)
                    barrier.wait()
                    outcomes.append(b"")  # both are in the block
                    barrier.wait()
                    outcomes.clear()
                with contextlib.suppress(OSError):
                    if path.read_bytes() == data:
                        outcomes.append(data)

            threads = [threading.Thread(target=race, args=(f"{n}".encode() * 100,)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert (tmp_path / f"{i}").read_bytes() in {f"{n}".encode() * 100 for n in range(4)}
        assert names(tmp_path) == sorted(f"{i}" for i in range(30))

    def test_a_race_of_processes(self, tmp_path: Path) -> None:
        code = "import sys\nfrom pixelgauge.files.writing import replacing\nsys.stdin.readline()\n" + textwrap.dedent("""
            try:
                with replacing(sys.argv[1], overwrite=False) as file:
                    file.write(sys.argv[2].encode() * 1000)
            except FileExistsError:
                sys.exit(3)
        """)
        runs = [
            subprocess.Popen([sys.executable, "-c", code, tmp_path / "a", str(n)], stdin=subprocess.PIPE, text=True)
            for n in range(3)
        ]
        for run in runs:
            assert run.stdin is not None
            run.stdin.write("go\n")
            run.stdin.close()
        codes = [run.wait(60) for run in runs]
        assert sorted(codes) == [0, 3, 3]
        assert (tmp_path / "a").read_bytes() == str(codes.index(0)).encode() * 1000
        assert names(tmp_path) == ["a"]

    def test_a_kill_leaves_the_old_file(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"old")
        code = "import sys, time\nfrom pixelgauge.files.writing import replacing\nwith replacing(sys.argv[1]) as f:\n    f.write(b'x'); f.flush(); print(flush=True); time.sleep(60)\n"
        with subprocess.Popen([sys.executable, "-c", code, tmp_path / "a"], stdout=subprocess.PIPE) as run:
            assert run.stdout is not None
            run.stdout.readline()
            run.kill()
        assert (tmp_path / "a").read_bytes() == b"old"
        (left,) = set(names(tmp_path)) - {"a"}
        sweep(tmp_path)
        assert left in names(tmp_path)  # of a process that may live
        os.utime(tmp_path / left, (0, 0))
        sweep(tmp_path)
        assert names(tmp_path) == ["a"]


def _no_links(*args: Any, **options: Any) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.boundary
class TestRequireWritable:
    def test_what_may_be_written(self, tmp_path: Path) -> None:
        require_writable(tmp_path / "a", overwrite=False)
        (tmp_path / "a").write_bytes(b"old")
        require_writable(tmp_path / "a", overwrite=True, inputs=[tmp_path / "b", "nowhere"])
        (tmp_path / "dangling").symlink_to("new")
        require_writable(tmp_path / "dangling", overwrite=False)
        assert names(tmp_path) == ["a", "dangling"]
        assert (tmp_path / "a").read_bytes() == b"old"

    @pytest.mark.parametrize("linked", [False, True])
    def test_what_may_not(self, tmp_path: Path, linked: bool) -> None:
        (tmp_path / "a").write_bytes(b"old")
        (tmp_path / "folder").mkdir()
        os.mkfifo(tmp_path / "pipe")

        def name(of: str) -> str:
            if not linked:
                return str(tmp_path / of)
            (tmp_path / f"link-{of}").symlink_to(of)
            return str(tmp_path / f"link-{of}")

        file, folder, pipe = name("a"), name("folder"), name("pipe")
        for path, error, options in (
            (file, FileExistsError, {"overwrite": False}),
            (file, FileExistsError, {"overwrite": True, "inputs": [tmp_path / "a"]}),
            (file, FileExistsError, {"overwrite": True, "inputs": ["nowhere", file]}),
            (folder, IsADirectoryError, {"overwrite": True}),
            (pipe, OSError, {"overwrite": True}),
            ("/dev/null", OSError, {"overwrite": True}),
            (str(tmp_path / "nowhere" / "a"), FileNotFoundError, {"overwrite": True}),
            (str(tmp_path / "a" / "b"), NotADirectoryError, {"overwrite": True}),
        ):
            with pytest.raises(error) as caught:
                require_writable(path, **options)
            assert caught.value.filename == path

    def test_an_input_by_another_name(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"old")
        os.link(tmp_path / "a", tmp_path / "hard")
        with pytest.raises(FileExistsError, match="read by this very command"):
            require_writable(tmp_path / "hard", overwrite=True, inputs=[tmp_path / "a"])


# ---- folders ------------------------------------------------------------------------------------------------------


def fill(path: Path, text: str = "new", **options: bool) -> None:
    with new_folder(path, **options) as staging:
        (staging / "inner").mkdir()
        (staging / "inner" / "file").write_text(text)


def content(path: Path) -> str:
    return (path / "inner" / "file").read_text()


class TestNewFolder:
    @pytest.fixture(params=["exchange", "fallback"], autouse=True)
    def way(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        if request.param == "fallback":
            monkeypatch.setattr(writing, "_exchanged", lambda first, second: False)

    def test_new_and_there(self, tmp_path: Path) -> None:
        fill(tmp_path / "deep" / "a", "one")
        assert content(tmp_path / "deep" / "a") == "one"
        (tmp_path / "deep" / "a" / "more").touch()
        fill(tmp_path / "deep" / "a", "two")
        assert content(tmp_path / "deep" / "a") == "two"
        assert names(tmp_path / "deep") == ["a"]
        assert names(tmp_path / "deep" / "a") == ["inner"]

    def test_a_file_in_its_place(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("a file")
        fill(tmp_path / "a")
        assert content(tmp_path / "a") == "new"
        assert names(tmp_path) == ["a"]

    def test_a_link_in_its_place_is_replaced_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "theirs").mkdir()
        (tmp_path / "theirs" / "file").touch()
        (tmp_path / "a").symlink_to("theirs")
        fill(tmp_path / "a")
        assert content(tmp_path / "a") == "new"
        assert not (tmp_path / "a").is_symlink()
        assert names(tmp_path) == ["a", "theirs"]
        assert names(tmp_path / "theirs") == ["file"]

    def test_not_overwriting(self, tmp_path: Path) -> None:
        fill(tmp_path / "a", "one", overwrite=False)
        for make in (lambda: None, lambda: (tmp_path / "b").mkdir(), lambda: (tmp_path / "c").symlink_to("nowhere")):
            make()
        for name in ("a", "b", "c"):
            with pytest.raises(FileExistsError) as caught:
                fill(tmp_path / name, "two", overwrite=False)
            assert caught.value.filename == str(tmp_path / name)
        assert content(tmp_path / "a") == "one"
        assert names(tmp_path) == ["a", "b", "c"]

    @pytest.mark.parametrize(
        "error", [ValueError("x"), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")]
    )
    def test_an_error_leaves_what_was_there(self, tmp_path: Path, error: Any) -> None:
        fill(tmp_path / "a", "old")
        with pytest.raises(type(error)) as caught, new_folder(tmp_path / "a") as staging:  # noqa: PT012
            (staging / "half").touch()
            raise error
        if isinstance(error, OSError):
            assert caught.value.filename == str(tmp_path / "a")
        assert content(tmp_path / "a") == "old"
        assert names(tmp_path) == ["a"]

    def test_a_failing_rename_leaves_what_was_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fill(tmp_path / "a", "old")
        real = os.replace

        def failing(source: Any, target: Any) -> None:
            if str(target) == str(tmp_path / "a") and "tmp-" in str(source):
                raise OSError(errno.EIO, "Input/output error", str(source))
            real(source, target)

        monkeypatch.setattr(writing, "_exchanged", lambda first, second: False)
        monkeypatch.setattr(writing.os, "replace", failing)
        with pytest.raises(OSError, match="Input/output") as caught:
            fill(tmp_path / "a")
        assert caught.value.filename == str(tmp_path / "a")
        assert content(tmp_path / "a") == "old"
        assert names(tmp_path) == ["a"]

    def test_errors_name_what_the_caller_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(OSError, match=r"exists|Not a directory") as caught:
            fill(tmp_path / "file" / "a")
        assert caught.value.filename == str(tmp_path / "file" / "a")

    def test_a_relative_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        fill(Path("a"), "one")
        fill(Path("a"), "two")
        assert content(Path("a")) == "two"
        write("file", b"x")
        with pytest.raises(IsADirectoryError) as caught:
            write("a")
        assert caught.value.filename == "a"
        assert names(tmp_path) == ["a", "file"]

    def test_permissions(self, tmp_path: Path) -> None:
        before = os.umask(0o027)
        try:
            fill(tmp_path / "a")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o750

    def test_leftovers_of_a_day_ago_are_swept(self, tmp_path: Path) -> None:
        old, new = tmp_path / f"{writing.PREFIX}tmp-abcdefgh", tmp_path / f"{writing.PREFIX}tmp-abcdefgi"
        for folder in (old, new):
            (folder / "x").mkdir(parents=True)
        os.utime(old, (0, 0))
        fill(tmp_path / "a")
        assert names(tmp_path) == [new.name, "a"]


def test_exchanged_where_the_system_can(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not writing._exchanged(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this file system does not exchange")
    assert names(tmp_path / "a") == ["b"]
    assert names(tmp_path / "b") == ["a"]
    assert not writing._exchanged(tmp_path / "a", tmp_path / "nowhere")


class TestRecoverAndSweep:
    def test_a_kill_between_two_renames(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fill(tmp_path / "a", "old")
        with writing._moved_aside(tmp_path / "a"):
            assert not (tmp_path / "a").exists()
            (left,) = names(tmp_path)
            held = tmp_path / "held"
            os.rename(tmp_path / left, held)  # as if the process ended here
            (tmp_path / "a").mkdir()
        (tmp_path / "a").rmdir()
        os.rename(held, tmp_path / left)
        recover_folder(tmp_path / "other")
        assert not (tmp_path / "other").exists()
        recover_folder(tmp_path / "a")
        assert content(tmp_path / "a") == "old"
        assert names(tmp_path) == ["a"]

    def test_nothing_is_brought_back_over_what_is_there(self, tmp_path: Path) -> None:
        fill(tmp_path / "a", "new")
        old = tmp_path / f"{writing.PREFIX}old-abcdefgh"
        (old / "a").mkdir(parents=True)
        recover_folder(tmp_path / "a")
        assert content(tmp_path / "a") == "new"
        recover_folder(tmp_path / "nowhere" / "a")
        assert names(tmp_path) == [old.name, "a"]

    def test_what_was_removed_does_not_come_back(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fill(tmp_path / "a")
        monkeypatch.setattr(writing.shutil, "rmtree", lambda path: None)  # killed before it is deleted
        remove_folder(tmp_path / "a")
        monkeypatch.undo()
        assert not (tmp_path / "a").exists()
        recover_folder(tmp_path / "a")
        assert not (tmp_path / "a").exists()
        fill(tmp_path / "b")
        remove_folder(tmp_path / "b")
        assert not (tmp_path / "b").exists()

    @pytest.mark.parametrize("step", ["folder", "rename"])
    def test_what_may_not_be_removed_is_named_and_stays(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        fill(tmp_path / "a")
        if step == "folder":
            tmp_path.chmod(0o555)
        else:

            def failing(source: Any, target: Any) -> None:
                raise PermissionError(errno.EACCES, "Permission denied", target)

            monkeypatch.setattr(writing.os, "replace", failing)
        with without_roots_rights(), pytest.raises(PermissionError) as caught:
            remove_folder(tmp_path / "a")
        assert caught.value.filename == str(tmp_path / "a")
        tmp_path.chmod(0o755)
        assert names(tmp_path) == ["a"]

    def test_sweeping_takes_only_its_own_and_follows_nothing(self, tmp_path: Path) -> None:
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        (theirs / "file").touch()
        kept = [
            "theirs",
            ".pixelgauge-tmp-short",
            ".pixelgauge-tmp-ABCDEFGH",
            ".pixelgauge-tmp-abcdefgh.txt",
            "pixelgauge-tmp-abcdefgh",
            ".pixelgauge",
        ]
        for name in kept[1:]:
            (tmp_path / name).touch()
            os.utime(tmp_path / name, (0, 0))
        link = tmp_path / f"{writing.PREFIX}tmp-abcdefgh"
        link.symlink_to(theirs)
        os.utime(link, (0, 0), follow_symlinks=False)
        inner = tmp_path / f"{writing.PREFIX}old-abcdefgh"
        inner.mkdir()
        (inner / "link").symlink_to(theirs)
        os.utime(inner, (0, 0))
        sweep(tmp_path)
        assert names(tmp_path) == sorted(kept)
        assert names(theirs) == ["file"]
        sweep(tmp_path / "nowhere")
