"""What compare prints and writes is what its JSON Schemas say, and those say what they are of."""

from __future__ import annotations

import json
import os

import pytest
from PIL import Image

import pixelgauge
from pixelgauge.cli import main
from pixelgauge.engine.registry import METRICS
from pixelgauge.engine.row_columns import SCHEMA_VERSION
from pixelgauge.engine.row_records import json_value
from tests.engine.runs import typed_records
from tests.pictures import random_pixels

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema, of the test extra, is not installed")
pytestmark = pytest.mark.cli

SCHEMAS = os.path.join(os.path.dirname(pixelgauge.__file__), "schemas")


def validator(name):
    with open(os.path.join(SCHEMAS, f"{name}.schema.json"), encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["schema_version"] == {"const": SCHEMA_VERSION}
    assert schema["$id"].endswith(f":{SCHEMA_VERSION}")
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A row of every status, infinite scores among them."""
    monkeypatch.chdir(tmp_path)
    names = {
        "0.png": (0, 0),
        "1.png": (1, 2),
        "shape.png": (3, 4),
        "lost.png": (5, None),
        "bad.png": (6, 7),
        os.fsdecode(b"\xff.png"): (1, 3),
    }
    for i, (name, seeds) in enumerate(names.items()):
        for side, seed in zip(("ref", "test"), seeds, strict=True):
            os.makedirs(side, exist_ok=True)
            if seed is not None:
                with open(os.fsencode(f"{side}/{name}"), "wb") as file:
                    height = 30 if (name, side) == ("shape.png", "ref") else 24
                    Image.fromarray(random_pixels((height, 24, 3), 10 * i + seed)).save(file, "PNG")
    with open("test/bad.png", "wb") as file:
        file.write(b"no image")
    for name in ("ref/two.png", "test/sub/two.jpg", "test/sub/two.bmp"):
        os.makedirs(os.path.dirname(name), exist_ok=True)
        Image.fromarray(random_pixels((24, 24, 3), 1)).save(name)
    for side in ("ref", "test"):
        Image.fromarray(random_pixels((8, 8, 3), 1)).save(f"{side}/small.png")
        with open(f"{side}/notes.txt", "w") as file:
            file.write("no image")
    return tmp_path


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--output", "rows.jsonl"],
        ["--fail-under", "ssim=.5", "--fail-over", "mean:psnr=9", "--fail-under", "p5:psnr=100", "--strict"],
        ["--baseline", "old.csv", "--allow-drop", "psnr=1", "--strict", "--junit", "out.xml"],
        ["--on-error", "fail", "--fail-under", "mean:ssim=.5", "--data-range", "255"],
        ["--metrics", "mse"],
    ],
)
def test_reports(folders, capsys, options):
    if "--baseline" in options:
        main(["compare", "ref", "test", "--output", "old.csv"])
        os.remove("ref/1.png")
        capsys.readouterr()
    main(["compare", "ref", "test", "--json", *options])
    report = json.loads(capsys.readouterr().out)
    validator("compare").validate(report)
    if not options:
        found = {row["status"] for row in report["rows"]}
        assert found == {"ok", "missing", "ambiguous", "unreadable", "mismatch", "unscorable"}
        assert "inf" in [row.get("psnr") for row in report["rows"]]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet", "rows.sqlite"])
def test_rows(folders, capsys, name):
    main(["compare", "ref", "test", "--output", name])
    if name.endswith("jsonl"):
        with open(name, encoding="utf-8") as file:
            rows = list(map(json.loads, file))
    else:
        rows = [{key: json_value(value) for key, value in row.items()} for row in typed_records(name)]
    assert {row["status"] for row in rows} == {"ok", "missing", "ambiguous", "unreadable", "mismatch", "unscorable"}
    for row in rows:
        validator("compare-row").validate(row)


@pytest.mark.boundary
@pytest.mark.parametrize(
    "change",
    [{"schema_version": 1}, {"samples": 0}, {"status": "fine"}, {"ssim": "0.5"}, {"ssim": "nan"}, {"ref": None}, {"ref_bytes": -1}, {"message": None}],
)  # fmt: skip
def test_what_is_no_row_does_not_pass(folders, capsys, change):
    main(["compare", "ref/1.png", "test/1.png", "--output", "rows.jsonl"])
    with open("rows.jsonl", encoding="utf-8") as file:
        row = json.loads(file.read())
    assert validator("compare-row").is_valid(row)
    assert not validator("compare-row").is_valid({**row, **change})


def test_no_metric_has_the_name_of_a_column():
    with open(os.path.join(SCHEMAS, "compare-row.schema.json"), encoding="utf-8") as file:
        columns = json.load(file)["properties"]
    assert not set(columns) & set(METRICS)
