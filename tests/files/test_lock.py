"""Locks: one process at a time, waited for, and freed by whatever ends the process that has them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pixelgauge.files.lock import locked, try_lock

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")

_HOLD = """
import sys, time
from pathlib import Path
from pixelgauge.files.lock import locked
with locked(Path(sys.argv[1])):
    print(flush=True)
    time.sleep(float(sys.argv[2]))
"""


@contextlib.contextmanager
def holder(path: Path, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", _HOLD, path, str(seconds)], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        run.stdout.readline()
        try:
            yield run
        finally:
            run.kill()


class TestLocks:
    def test_one_at_a_time(self, tmp_path: Path) -> None:
        path = tmp_path / "folder" / "lock"
        with holder(path, 0.5), open(path, "rb") as file:
            assert not try_lock(file)
            begin = time.monotonic()
            with locked(path):
                assert time.monotonic() - begin < 30
        with open(path, "rb") as file, open(path, "rb") as other:
            assert try_lock(file)
            assert not try_lock(other)
        with open(path, "rb") as file:
            assert try_lock(file)  # closing freed it
        assert path.read_bytes() == b""

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
    def test_a_death_frees_it(self, tmp_path: Path, number: Any) -> None:
        path = tmp_path / "lock"
        with holder(path, 60) as run:
            with open(path, "rb") as file:
                assert not try_lock(file)
            run.send_signal(number)
            run.wait(30)
            with locked(path):
                pass

    def test_an_error_frees_it(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="x"), locked(tmp_path / "lock"):
            raise ValueError("x")
        with open(tmp_path / "lock", "rb") as file:
            assert try_lock(file)

    def test_threads_wait_for_each_other(self, tmp_path: Path) -> None:
        inside, most = [0], [0]

        def work() -> None:
            for _ in range(20):
                with locked(tmp_path / "lock"):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    inside[0] -= 1

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert most == [1]

    @pytest.mark.boundary
    def test_a_planted_link_or_pipe_is_not_opened(self, tmp_path: Path) -> None:
        (tmp_path / "victim").write_bytes(b"theirs")
        (tmp_path / "lock").symlink_to("victim")
        with pytest.raises(OSError, match="symbolic link"), locked(tmp_path / "lock"):
            pass
        (tmp_path / "dangling").symlink_to("nowhere")
        with pytest.raises(OSError, match="symbolic link"), locked(tmp_path / "dangling"):
            pass
        assert sorted(os.listdir(tmp_path)) == ["dangling", "lock", "victim"]
        (tmp_path / "folder").mkdir()
        with pytest.raises(IsADirectoryError), locked(tmp_path / "folder"):
            pass
