"""An interrupt that comes while something is closed ends a command as any other does."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, NoReturn

import pytest
from PIL import Image

import pixelgauge.cli.info
from pixelgauge.cli import InputError, UsageError, main
from pixelgauge.engine.extraction import Inception
from tests.engine.stand_in import Small, pictures

pytestmark = pytest.mark.boundary


@pytest.mark.parametrize("kind", [ValueError, TypeError, OSError, MemoryError, RuntimeError, UsageError, InputError])
def test_an_error_made_of_an_interrupt_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: type[Exception]
) -> None:
    def run(args: Any) -> NoReturn:
        try:
            try:
                raise KeyboardInterrupt
            finally:
                open("there is no such file")  # noqa: SIM115
        except OSError as error:
            raise kind("cannot be closed") from error

    monkeypatch.setattr(pixelgauge.cli.info, "run", run)
    assert main(["info"]) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def test_errors_of_their_own_stay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(args: Any) -> NoReturn:
        try:
            raise OSError("first")
        except OSError as error:
            raise InputError("then") from error

    monkeypatch.setattr(pixelgauge.cli.info, "run", run)
    assert main(["info"]) == 1
    assert capsys.readouterr() == ("", "pixelgauge info: error: then\n")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of the archive, which stays open
def test_an_archive_that_is_being_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its member is left open by the interrupt, and it refuses to be closed for that."""

    def interrupted(self: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Inception, "extractor", lambda self, output: Small(self, output))
    (tmp_path / "images").mkdir()
    for i, pixels in enumerate(pictures(3, 0)):
        Image.fromarray(pixels).save(tmp_path / "images" / f"{i}.png")
    argv = ["features", "images", "-o", "f.npz", "--quiet"]
    with monkeypatch.context() as patched:
        patched.setattr(zipfile._ZipWriteFile, "close", interrupted)
        assert main(argv) == 130
    err = capsys.readouterr().err
    assert err == "\nf.npz.partial holds what is done so far; --resume goes on with it\ninterrupted\n"
    assert main([*argv, "--resume"]) == 0
    assert capsys.readouterr().out.startswith("f.npz: 3 samples")
