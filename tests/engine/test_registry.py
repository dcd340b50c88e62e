"""A metric is one declaration and one line of the registry: everything else follows."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge import _core
from pixelgauge.checks import one_of
from pixelgauge.cli import main
from pixelgauge.engine.registry import METRICS
from pixelgauge.metric import DATA_RANGE, Asked, Metric, Option, Pixels, Result
from tests.engine.runs import comparing


class Brightness:
    """The declaration: mean difference of brightness, of all or of the brighter pixels."""

    def prepare(self, asked: Asked) -> BrightnessScorer:
        return BrightnessScorer({metric.name: values["bright_part"] for metric, values in asked})


class BrightnessScorer:
    made_with: Mapping[str, str] = {}

    def __init__(self, parts: Mapping[str, str]) -> None:
        self._parts = parts
        self.calls = 0

    def together(self, x: Pixels) -> int:
        return 1

    def __call__(self, x: Pixels, y: Pixels) -> Mapping[str, Result]:
        self.calls += 1
        return {name: self._of(part, x, y) for name, part in self._parts.items()}

    def _of(self, part: str, x: Pixels, y: Pixels) -> Result:
        least = 128 if part == "bright" else 0
        return np.array(
            [abs(float(a[a >= least].mean()) - float(b[b >= least].mean())) for a, b in zip(x, y, strict=True)]
        )


PART = Option("bright_part", "all", "pixels that count: all or bright", lambda n, v: one_of(n, v, ("all", "bright")))
DUMMY = Metric("brightness", "levels", False, ".2f", (DATA_RANGE, PART), Brightness())


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setitem(METRICS, DUMMY.name, DUMMY)
    for name, level in (("ref", 100), ("test", 90)):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.fromarray(np.full((16, 16, 3), level - i * (name == "test"), np.uint8)).save(
                tmp_path / name / f"{i}.png"
            )
    return [str(tmp_path / "ref"), str(tmp_path / "test")]


@pytest.mark.cli
@pytest.mark.usefixtures("folders")
def test_it_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["compare", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "lpips, brightness (default: psnr,ssim)" in text
    assert "--bright-part NAME pixels that count: all or bright (default: all)" in text


@pytest.mark.cli
def test_it_is_in_rows_summary_fingerprint_and_json(folders: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *folders, "--metrics", "mse,brightness", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["fingerprint"]["metrics"] == {"mse": None, "brightness": "all"}
    assert [row["brightness"] for row in found["rows"]] == [10, 11, 12]
    assert found["summary"]["brightness"]["mean"] == 11
    assert [entry["value"] for entry in found["summary"]["brightness"]["worst"]] == [12, 11, 10]


@pytest.mark.cli
def test_it_is_in_the_table_and_in_files_of_rows(
    folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *folders, "--metrics", "brightness"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["pair", "brightness", "levels"]
    assert lines[1].split() == ["0.png", "10.00"]
    rows = tmp_path / "rows.csv"
    assert main(["compare", *folders, "--metrics", "brightness", "--output", str(rows)]) == 0
    with rows.open(newline="") as file:
        [first, *_] = csv.DictReader(file)
    assert (first["brightness"], "brightness=all" in first["settings"]) == ("10.0", True)


@pytest.mark.cli
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metrics", "brightness", "--bright-part", "dark"], "--bright-part 'dark' is not known: use one of 'all'"),
        (["--metrics", "psnr", "--bright-part", "all"], "--bright-part is for brightness, which is not among"),
    ],
)
def test_its_options_are_checked(
    folders: list[str], options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *folders, *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.property
def test_variants_are_scored_by_one_call_of_their_family(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[BrightnessScorer] = []

    class Watched(Brightness):
        def prepare(self, asked: Asked) -> BrightnessScorer:
            made.append(super().prepare(asked))
            return made[-1]

    monkeypatch.setitem(METRICS, DUMMY.name, replace(DUMMY, family=Watched()))
    x = np.repeat(np.array([[100, 200]], np.uint8), 2, 0)[np.newaxis, ..., np.newaxis]
    names = ("brightness:bright", "mse", "brightness")
    comparison = comparing(names)
    found = comparison.score(x, x // 2 + np.uint8(40))
    assert {name: values.tolist() for name, values in found.items()} == {  # type: ignore[union-attr]
        "brightness:bright": [60],
        "mse": [1850],
        "brightness": [35],
    }
    assert tuple(found) == names
    assert [scorer.calls for scorer in made] == [1]


@pytest.mark.property
def test_metrics_of_pixels_and_all_their_presets_are_one_pass(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []

    def scores(x: Pixels, y: Pixels, metrics: list[object]) -> object:
        passes.append(len(metrics))
        return whole(x, y, metrics)

    whole = _core.scores
    monkeypatch.setattr(_core, "scores", scores)
    x, y = rng.integers(0, 256, (2, 2, 176, 190, 3), np.uint8)
    names = ("ssim:skimage", "mae", "ms-ssim", "ssim", "psnr", "ms-ssim:pytorch-msssim", "mse", "ssim:opencv")
    found = comparing(names, ms_ssim_preset=None).score(x, y)
    assert passes == [len(names)]
    for name, values in found.items():
        metric, _, preset = name.partition(":")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # MS-SSIM of negative terms
            alone = getattr(pixelgauge, metric.replace("-", "_"))(x, y, **({"preset": preset} if preset else {}))
        np.testing.assert_array_equal(values, alone, err_msg=name)  # type: ignore[arg-type]


@pytest.mark.cli
def test_absolute_errors_are_a_metric_of_compare(
    folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *folders, "--metrics", "mae,mse", "--fail-over", "mae=11.5", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert [(row["mae"], row["mse"]) for row in found["rows"]] == [(10, 100), (11, 121), (12, 144)]
    assert found["fingerprint"]["metrics"] == {"mae": None, "mse": None}
    assert [entry["value"] for entry in found["summary"]["mae"]["worst"]] == [12, 11, 10]


@pytest.mark.property
def test_a_family_scores_batches_as_its_pairs(rng: np.random.Generator) -> None:
    x, y = rng.integers(0, 256, (2, 3, 176, 180, 3), np.uint8)
    comparison = comparing(("mse", "psnr", "ssim", "ms-ssim"), ms_ssim_preset="pytorch-msssim")
    together = comparison.score(x, y)
    for i in range(3):
        alone = comparison.score(x[i : i + 1], y[i : i + 1])
        for name, values in together.items():
            assert not isinstance(values, Exception)
            assert values[i] == alone[name][0]  # type: ignore[index]


@pytest.mark.boundary
def test_a_metric_that_refuses_a_batch_leaves_the_others() -> None:
    x = np.zeros((2, 40, 40, 3), np.uint8)
    found = comparing(("ms-ssim", "mse")).score(x, x)
    assert list(found) == ["ms-ssim", "mse"]
    assert isinstance(found["ms-ssim"], ValueError)
    assert found["mse"].tolist() == [0, 0]  # type: ignore[union-attr]
