"""What is measured on a card runs to its end without one, with the same checks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")

from bench.gpu import __main__ as gpu
from bench.gpu import parity
from bench.gpu.parity import Difference


def test_all_sections_on_the_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "found.json"
    assert gpu.main(["--provider", "cpu", "--quick", "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert set(gpu.SECTIONS) < set(found)
    assert {line["against"] for line in found["parity"]} >= {"itself", "0"}
    rates = [line for line in found["rates"] if isinstance(line, dict)]
    assert {(line["task"], line["batch"]) for line in rates} == {
        (t, b) for t in ("inception", "lpips alex") for b in (1, 2)
    }
    assert all(line["a_second"] > 0 for line in rates)
    stages = [line["what"].strip() for line in found["stages"]]
    assert stages[:2] == ["the whole call", "resizing to 299x299, on the CPU"]
    assert any(what.startswith("Conv ") for what in stages)
    assert all(line["seconds"]["1"] > 0 for line in found["cores"])
    assert "off by" in capsys.readouterr().out


def test_a_number_that_is_off_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = Difference("lpips alex", "float32", "the program", 1e-3, 1e-4)
    monkeypatch.setattr(parity, "differences", lambda run: iter([wrong]))
    assert gpu.main(["parity", "--provider", "cpu"]) == 1
    assert "TOO MUCH" in capsys.readouterr().out


def test_an_unknown_section_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        gpu.main(["speed"])
    assert stop.value.code == 2
    assert "no section is called speed: use some of parity, rates, stages, cores" in capsys.readouterr().err
