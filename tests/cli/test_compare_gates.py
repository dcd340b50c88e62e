"""A run fails by its scores, says by which, and the exit code says it before all else; wrong gates fail before any work."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ElementTree

import pytest
from PIL import Image

import pixelgauge
from pixelgauge.cli import main
from tests.pictures import random_pixels

pytestmark = pytest.mark.cli
each_format = pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet", "rows.sqlite"])


def save(path, seed, noise=0):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    pixels = random_pixels((24, 24, 3), seed)
    pixels[:noise] = random_pixels((24, 24, 3), seed + 100)[:noise]
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Six pairs, each worse than the one before it; the first is of equal images."""
    monkeypatch.chdir(tmp_path)
    for i in range(6):
        save(f"ref/{i}.png", i)
        save(f"test/{i}.png", i, noise=2 * i)
    return tmp_path


def run(capsys, *argv):
    try:
        code = main(["compare", "ref", "test", *argv])
    except SystemExit as error:
        code = error.code
    out, err = capsys.readouterr()
    return code, out, err


def report(capsys, *argv):
    code, out, _ = run(capsys, "--json", *argv)
    return code, json.loads(out)


def scores(capsys):
    return [row["ssim"] for row in report(capsys)[1]["rows"]]


def test_gates_pass_and_fail(folders, capsys):
    values = scores(capsys)
    limit = (values[3] + values[4]) / 2
    code, out, err = run(
        capsys, "--fail-under", f"ssim={limit}", "--fail-under", "mean:ssim=.1", "--fail-under", "p0:ssim=-.9"
    )
    assert (code, err) == (3, "")
    assert (
        f"FAILED  --fail-under ssim={limit!r}: 2 of 6 pairs are under {limit!r}\n{values[5]:>11.6f}  5.png\n{values[4]:>11.6f}  4.png\n"
        in out
    )
    assert f"passed  --fail-under mean:ssim=0.1: {sum(values) / 6:.6f}\n" in out
    assert f"passed  --fail-under p0:ssim=-0.9: {values[5]:.6f}\n" in out
    assert run(capsys, "--fail-under", "ssim=-.9", "--fail-over", "psnr=1e9")[0] == 3  # the first has an infinite one
    assert run(capsys, "--fail-under", "ssim=-.9")[0] == 0
    code, found = report(capsys, "--fail-under", f"ssim={limit}")
    assert code == 3
    (gate,) = found["gates"]
    assert (gate["passed"], gate["broken"], gate["judged"], gate["limit"]) == (False, 2, 6, limit)
    assert gate["worst"][0] == {"ref": "ref/5.png", "test": "test/5.png", "value": values[5]}


def test_the_exit_code_of_a_gate_comes_first(folders, capsys):
    os.remove("test/0.png")
    (folders / "test" / "1.png").write_bytes(b"no image")
    assert run(capsys, "--fail-under", "ssim=-.9")[0] == 1
    assert run(capsys, "--fail-under", "ssim=.9")[0] == 3
    code, out, _ = run(capsys, "--strict")
    assert code == 3
    assert "FAILED  --strict: 2 of 6 pairs were not scored\n          -  0.png\n          -  1.png\n" in out
    code, found = report(capsys, "--strict", "--fail-under", "ssim=-.9")
    assert (code, [gate["passed"] for gate in found["gates"]]) == (3, [True, False])


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--fail-under", "ssim=98"], "--fail-under 'ssim=98' cannot be kept: no ssim is above 1"),
        (["--fail-under", "lpips=.1"], "--fail-under 'lpips=.1' is of lpips, which is not among the metrics psnr,ssim"),
        (["--fail-over", "x=1"], "--fail-over 'x=1' names no metric that there is: 'x': use one of psnr, ssim"),
        (["--fail-under", "ssim=.5", "--fail-under", "ssim=.6"], "'ssim=.6' is given twice for ssim of pair: give one"),
        (["--allow-drop", "ssim=.1"], "--allow-drop needs --baseline FILE"),
        (["--baseline", "none.csv"], "No such file or directory: 'none.csv'"),
        (["--baseline", "old.csv", "--allow-drop", "ssim=-1"], "--allow-drop 'ssim=-1' is below 0"),
        (["--baseline", "full.csv"], "full.csv: is not a file of pixelgauge compare"),
        (["--junit", "full.csv"], "full.csv: exists and is no JUnit report"),
        (["--junit", "no/where.xml"], "No such file or directory: 'no/where.xml'"),
        (["--junit", "ref/0.png"], "is read by this very command"),
        (["--junit", "rows.csv", "--output", "rows.csv"], "--junit and --output name the same file"),
        (["--on-error", "stop"], "--on-error: invalid choice: 'stop'"),
        (["--baseline", ""], "--baseline: is empty"),
    ],
)  # fmt: skip
def test_wrong_gates_fail_before_any_work(folders, capsys, monkeypatch, argv, message):
    from pixelgauge.engine.comparison import Comparison

    (folders / "full.csv").write_text("precious\n")
    monkeypatch.setattr(Comparison, "score", lambda *_, **__: pytest.fail("a pair was scored"))
    code, out, err = run(capsys, *argv)
    assert (code, out) == (2, "")
    assert message in err
    assert sorted(os.listdir()) == ["full.csv", "ref", "test"]
    assert (folders / "full.csv").read_text() == "precious\n"


@each_format
def test_gates_are_of_all_rows_after_going_on(folders, capsys, name):
    whole = report(capsys, "--fail-under", "ssim=.5", "--fail-under", "p25:ssim=.5", "--fail-under", "mean:psnr=20")
    os.rename("test/2.png", "2.png")
    assert run(capsys, "--output", name)[0] == 1
    os.rename("2.png", "test/2.png")
    code, found = report(
        capsys,
        "--output",
        name,
        "--resume",
        "--fail-under",
        "ssim=.5",
        "--fail-under",
        "p25:ssim=.5",
        "--fail-under",
        "mean:psnr=20",
        "--junit",
        "out.xml",
    )
    assert code == whole[0] == 3
    assert found["gates"] == whole[1]["gates"]
    assert int(ElementTree.parse("out.xml").getroot().attrib["tests"]) == 6 + 3


@each_format
def test_a_drop_from_the_baseline_fails(folders, capsys, name):
    assert run(capsys, "--output", name)[0] == 0
    assert run(capsys, "--baseline", name)[0] == 0
    save("test/1.png", 1, noise=8)
    os.remove("test/4.png")
    os.remove("ref/4.png")
    save("ref/new.png", 50)
    save("test/new.png", 50)
    code, out, _ = run(capsys, "--baseline", name, "--metrics", "ssim")
    assert code == 3
    assert f"FAILED  --baseline {name} --allow-drop ssim=0.0: 1 of 5 pairs is worse\n" in out
    assert "  1.png\n" in out
    assert f"baseline {name}: 5 pairs in both\n1 new: new.png\n1 gone: 4.png\n" in out
    assert run(capsys, "--baseline", name, "--metrics", "ssim", "--allow-drop", "ssim=1")[0] == 0
    code, found = report(capsys, "--baseline", name, "--metrics", "ssim", "--allow-drop", "ssim=1", "--strict")
    assert code == 3
    assert found["gates"][0]["reason"] == "pairs in one of the two alone: 1 new, 1 gone"
    assert found["baseline"] == {
        "path": name,
        "pairs": 5,
        "new": 1,
        "new_names": [["new.png", "new.png"]],
        "gone": 1,
        "gone_names": [["4.png", "4.png"]],
    }
    code, _, err = run(capsys, "--baseline", name, "--output", name, "--overwrite")
    assert (code, "read by this very command" in err) == (2, True)


def test_a_report_for_ci_names_what_broke(folders, capsys):
    os.remove("test/0.png")
    odd = os.fsdecode(b'\xff<"&>\x1b.png')
    for side in ("ref", "test"):
        with open(os.fsencode(f"{side}/{odd}"), "wb") as file:
            Image.fromarray(random_pixels((24, 24, 3), 9 if side == "ref" else 8)).save(file, "PNG")
    for strict in ([], ["--strict"]):
        code, _, _ = run(capsys, "--fail-under", "ssim=.2", "--junit", "out.xml", *strict)
        assert code == 3
        cases = {case.attrib["name"]: [c.tag for c in case] for case in ElementTree.parse("out.xml").iter("testcase")}
        assert cases["0.png"] == (["failure"] if strict else ["skipped"])
        assert cases["1.png"] == []
        assert cases['\\udcff<"&>\\x1b.png'] == ["failure"]
        assert cases["--fail-under ssim=0.2"] == ["failure"]
        assert "--strict" in cases or not strict


@each_format
def test_an_error_can_end_the_run(folders, capsys, name):
    (folders / "test" / "2.png").write_bytes(b"no image")
    argv = ["--on-error", "fail", "--output", name, "--workers", "1", "--fail-under", "mean:ssim=.1"]
    code, out, _ = run(capsys, *argv)
    assert code == 1
    assert "3 pairs: 2 scored, 1 failed" in out
    assert "open    --fail-under mean:ssim=0.1: not judged: the run was stopped\n" in out
    assert "stopped at the first pair that could not be scored" in out
    save("test/2.png", 2)
    code, found = report(capsys, *argv, "--resume")
    assert (code, found["stopped"], found["counts"]["ok"]) == (0, False, 6)


def test_nothing_to_judge_is_no_pass(folders, capsys):
    for i in range(6):
        os.remove(f"test/{i}.png")
    code, out, _ = run(capsys, "--fail-under", "ssim=.5")
    assert code == 3
    assert "FAILED  --fail-under ssim=0.5: no pair has a score of ssim" in out


def test_schemas_are_found_by_info(capsys):
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["schemas"]
    assert [os.path.basename(path) for path in found] == ["compare-row.schema.json", "compare.schema.json"]
    assert all(path.startswith(os.path.dirname(pixelgauge.__file__)) for path in found)
