"""The report of a comparison: what it says is what the run said, what it shows is of the files' own pixels."""

from __future__ import annotations

import csv
import errno
import gc
import json
import os
import re
import shutil
import threading
import time
import tracemalloc
import weakref
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge.cli import main
from pixelgauge.engine.compare import CompareRun
from pixelgauge.engine.comparison import CompareOptions, prepare
from pixelgauge.engine.items import ArrayItem
from pixelgauge.engine.pairing import Pairing, pair_of
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.engine.summary import Summary
from pixelgauge.report import pair_pictures
from pixelgauge.report.compare import MOST_BYTES, CompareReport
from pixelgauge.report.pictures import Picture
from tests.pictures import random_pixels
from tests.places import SHARED, needs_shared
from tests.report.runs import held, pixels_of, report_of, save_pairs
from tests.report.test_document import HOSTILE, Reader


def ids(page: str) -> set[str]:
    return set(re.findall(r' id="([^"]+)"', page))


def groups(page: str) -> dict[str, list[int]]:
    """Places in the run of the pairs of each group."""
    found = {}
    for heading, shots in re.findall(
        r'<div class="group"><h3>(.*?)</h3>.*?<ul class="shots">(.*?)</ul>', page, re.DOTALL
    ):
        found[heading] = [int(i) for i in re.findall(r'<button type="button" data-pair="pair-(\d+)"', shots)]
    return found


def test_a_report_has_its_sections_rows_and_figures(tmp_path: Path) -> None:
    save_pairs(tmp_path, 10)
    (tmp_path / "test/009.png").unlink()
    page = report_of(tmp_path, metrics=("psnr", "ssim"))
    assert {"summary", "distributions", "pairs", "rows", "made-with"} <= ids(page)
    rows = list(pixelgauge.compare(tmp_path / "ref", tmp_path / "test", metrics=("psnr", "ssim")))
    data = held(page)["rows-data"]
    assert [row[1] for row in data["rows"]] == [f"{i:03}.png" for i in range(10)]
    for row, (_, _, _, status, message, problems, values, before, _) in zip(rows, data["rows"], strict=True):
        assert data["statuses"][status] == row.status
        assert message == row.message
        assert (problems, before) == ([], None)
        numbers = {n: float(value) for n, value in zip(("psnr", "ssim"), values, strict=True) if value is not None}
        assert numbers == row.values
    assert ">9</dd>" in page
    mean = np.mean([row.values["ssim"] for row in rows if row.values])
    assert f"<td>{mean:.6f}</td>" in page
    assert "All 10 rows of the run." in page


def test_each_pair_stands_once_worst_first(tmp_path: Path) -> None:
    save_pairs(tmp_path, 70)
    found = groups(report_of(tmp_path, metrics=("mse",)))
    shown = [index for each in found.values() for index in each]
    assert len(shown) == len(set(shown)) == 64
    rows = list(pixelgauge.compare(tmp_path / "ref", tmp_path / "test", metrics=("mse",)))
    order = sorted(range(70), key=lambda i: (-rows[i].values["mse"], i))
    assert found["Worst"] == order[:24]
    best = sorted(range(70), key=lambda i: (rows[i].values["mse"], i))
    assert found["Best"] == best[:24]
    assert len(found["A random sample"]) == 16


def test_metrics_take_turns_in_what_is_worst(tmp_path: Path) -> None:
    save_pairs(tmp_path, 60)
    worst = groups(report_of(tmp_path, metrics=("mse", "ssim")))["Worst"]
    rows = list(pixelgauge.compare(tmp_path / "ref", tmp_path / "test", metrics=("mse", "ssim")))
    by_mse = sorted(range(60), key=lambda i: (-rows[i].values["mse"], i))
    by_ssim = sorted(range(60), key=lambda i: (rows[i].values["ssim"], i))
    assert worst[0] == by_mse[0]
    assert set(by_mse[:12]) | set(by_ssim[:12]) <= set(worst)


def test_maps_are_of_the_files_own_pixels(tmp_path: Path) -> None:
    save_pairs(tmp_path, 2, (40, 32, 3))
    pair = held(report_of(tmp_path, metrics=("psnr", "ssim")))["pair-1"]
    x, y = (np.asarray(Image.open(tmp_path / side / "001.png")).astype(int) for side in ("ref", "test"))
    difference, similarity = pair["maps"]
    assert (pair["w"], pair["h"]) == (32, 40)
    assert (pixels_of(difference) == abs(x - y).max(axis=2)).all()
    assert (difference["zero"], difference["full"]) == (0, 255)
    index = pixelgauge.ssim(x.astype(np.uint8), y.astype(np.uint8), full=True)[1].mean(axis=2)
    values = similarity["zero"] + pixels_of(similarity) / 255 * (similarity["full"] - similarity["zero"])
    assert abs(values - index).max() <= (1 - similarity["full"]) / 255
    assert similarity["part"] == pytest.approx([5 / 32, 5 / 40, 22 / 32, 30 / 40])
    assert [image["exact"] for image in pair["images"]] == [True, True]
    assert (pixels_of(pair["images"][1]) == y).all()


def test_a_map_of_halved_images_covers_them(tmp_path: Path) -> None:
    save_pairs(tmp_path, 2, (640, 640, 3))
    for preset, factor in (("piq", 2), ("matlab", 3)):
        pair = held(report_of(tmp_path, metrics=("ssim",), preset=preset))["pair-1"]
        reduced = -(-640 // factor) if preset == "matlab" else 640 // factor
        covered = factor * (reduced - 10) / 640
        assert pair["maps"][1]["part"][2:] == pytest.approx([covered, covered])


def test_a_pixel_that_differs_is_never_lost_when_a_map_is_made_smaller(tmp_path: Path) -> None:
    x = np.zeros((3000, 1200, 3), np.uint8)
    y = x.copy()
    y[2345, 678, 1] = 200
    Image.fromarray(x).save(tmp_path / "x.png")
    Image.fromarray(y).save(tmp_path / "y.png")
    pixelgauge.compare_report(pixelgauge.compare(tmp_path / "x.png", tmp_path / "y.png"), tmp_path / "r.html")
    pair = held((tmp_path / "r.html").read_text())["pair-0"]
    values = pixels_of(pair["maps"][0])
    assert values.shape == (1024, 410)
    assert np.argwhere(values == 200).tolist() == [[2345 * 1024 // 3000, 678 * 410 // 1200]]
    assert not pair["images"][0]["exact"]


@pytest.mark.parametrize(
    ("dtype", "options"),
    [(np.uint16, {}), (np.uint16, {"data_range": 4095}), (np.float32, {"data_range": 1.0})],
)
def test_other_depths_are_shown_by_their_range(tmp_path: Path, dtype: type, options: dict[str, float]) -> None:
    top = options.get("data_range", 65535)
    x = (random_pixels((32, 32), 1) / 255 * top).astype(dtype)
    y = x.copy()
    y[3, 4] = top - y[3, 4]
    run = pixelgauge.compare([x], [y], channel_axis=None, **options)
    pixelgauge.compare_report(run, tmp_path / "r.html")
    pair = held((tmp_path / "r.html").read_text())["pair-0"]
    assert abs(pixels_of(pair["images"][0]).astype(float) - x.astype(float) / top * 255).max() <= 0.51
    assert pixels_of(pair["maps"][0])[3, 4] == 255
    assert pair["maps"][0]["full"] == pytest.approx(abs(float(x[3, 4]) - float(y[3, 4])))


def test_images_are_read_by_the_runs_own_options(tmp_path: Path) -> None:
    save_pairs(tmp_path, 2)
    pair = held(report_of(tmp_path, crop_border=2, luma="bt601"))["pair-1"]
    assert (pair["w"], pair["h"]) == (20, 20)
    assert pixels_of(pair["images"][0]).shape == (20, 20)


@needs_shared("weights", "images")
def test_the_map_of_lpips_is_its_spatial_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    monkeypatch.setenv("PIXELGAUGE_CACHE", str(tmp_path / "cache"))
    weights = [str(SHARED / "weights" / name) for name in ("alexnet_features.pth", "lpips_v0.1_alex.pth")]
    assert main(["models", "add", "lpips-alex", *weights]) == 0
    paths = [SHARED / "images" / name for name in ("ex_ref.png", "ex_p0.png")]
    pixelgauge.compare_report(pixelgauge.compare(*paths, metrics="lpips"), tmp_path / "r.html")
    found = held((tmp_path / "r.html").read_text())["pair-0"]["maps"][-1]
    _, distances = pixelgauge.LPIPS("alex")(*map(str, paths), spatial=True)
    assert found["name"] == "lpips"
    assert found["full"] == pytest.approx(distances.max())
    assert abs(pixels_of(found) / 255 * found["full"] - distances).max() <= 0.51 / 255 * found["full"]


def test_what_cannot_be_read_again_is_said(tmp_path: Path) -> None:
    save_pairs(tmp_path, 3)
    run = pixelgauge.compare(tmp_path / "ref", tmp_path / "test", workers=1)
    report = CompareReport(run.comparison, run.pairing)
    for row, pair in run.with_pairs():
        report.add(row, pair)
    (tmp_path / "test/001.png").unlink()
    report.write(tmp_path / "r.html", run.summary)
    page = (tmp_path / "r.html").read_text()
    assert "Not shown: <bdi>TEST: " in page
    assert set(held(page)) == {"rows-data", "pair-0", "pair-2"}


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>.png".replace("/", "\u2215"),
        "<img src=x onerror=alert(1)>.png",
        '" autofocus onfocus="alert(1).png',
        "a\n<b>\rc.png",
        "\u202egnp.gpj.png",
        "שלום.png",
        os.fsdecode(b"\xff\xfe<i>.png"),
        "{0.__class__}{title}.png",
        "x" * 240 + "&lt;.png",
        "%3Cscript%3E.png",
    ],
)
def test_hostile_names_change_nothing(tmp_path: Path, name: str) -> None:
    def made(folder: Path, stem: str) -> str:
        for side in ("ref", "test"):
            (folder / side).mkdir(parents=True)
            for i, each in enumerate((stem, "lost.png")):
                if side == "ref" or not i:
                    Image.fromarray(random_pixels((16, 16, 3), i + 7 * (side == "test"))).save(folder / side / each)
        return report_of(folder)

    plain, hostile = made(tmp_path / "a", "plain.png"), made(tmp_path / "b", name)
    ours, theirs = Reader(plain), Reader(hostile)
    assert [tag for tag, _ in theirs.elements] == [tag for tag, _ in ours.elements]
    titled = [{*attrs} - {"title"} for _, attrs in ours.elements]
    assert [{*attrs} - {"title"} for _, attrs in theirs.elements] == titled
    assert not re.search("[\u202a-\u202e\u2066-\u2069\ud800-\udfff]", hostile)
    assert hostile.count("<bdi") == plain.count("<bdi")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_of_any_length_in_rows(tmp_path: Path, text: str) -> None:
    comparison = prepare(CompareOptions(("mse",)))
    pairing = Pairing("", "", [], Counter())
    report = CompareReport(comparison, pairing)
    summary = Summary({"mse": False})
    for i in range(3):
        row = ScoreRow(f"{text}{i}", text, "unreadable", text)
        report.add(row, None, [text])
        summary.update(row)
    report.write(tmp_path / "r.html", summary)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert len(held(page)["rows-data"]["rows"]) == 3
    assert "alert(1)" not in "".join(
        inside for tag, attrs, inside in Reader(page).inside if tag == "script" and not attrs
    )


def many(report: CompareReport, summary: Summary, count: int, fails: int = 0, name: str = "{}.png") -> None:
    values = np.random.default_rng(0).random(count).tolist()
    for i, value in enumerate(values):
        path = name.format(i)
        row = ScoreRow(path, path, "missing", "gone") if i < fails else ScoreRow(path, path, "ok", "", {"mse": value})
        report.add(row, None, ["mse is over"] if value > 0.999 and i >= fails else [])
        summary.update(row)


def written(folder: Path, count: int, fails: int = 0, name: str = "{}.png") -> tuple[str, dict[str, object]]:
    comparison = prepare(CompareOptions(("mse",)))
    report = CompareReport(comparison, Pairing("", "", [], Counter()))
    summary = Summary({"mse": False})
    many(report, summary, count, fails, name)
    report.write(folder / "r.html", summary)
    page = (folder / "r.html").read_text(encoding="utf-8")
    return page, held(page)["rows-data"]


def test_a_long_table_holds_all_that_is_notable_and_a_sample(tmp_path: Path) -> None:
    page, data = written(tmp_path, 30_000, fails=500)
    rows = data["rows"]
    assert isinstance(rows, list)
    assert len(rows) == 10_000
    notable = [row for row in rows if row[3] != 0 or row[5]]
    broken = sum(1 for value in np.random.default_rng(0).random(30_000)[500:] if value > 0.999)
    assert len(notable) == 500 + broken
    assert f"10,000 of 30,000 rows: all {500 + broken} rows that failed or broke a gate, and a random sample" in page
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


def test_more_failures_than_fit_are_a_stated_sample(tmp_path: Path) -> None:
    page, data = written(tmp_path, 26_000, fails=25_000)
    assert len(data["rows"]) == 10_000 + 1_000 - 1 or len(data["rows"]) == 11_000  # type: ignore[arg-type]
    assert "a random sample of 10,000 of the 25," in page


def test_long_names_are_cut_and_said_to_be(tmp_path: Path) -> None:
    page, data = written(tmp_path, 10_000, name="x" * 4000 + "{}.png")
    assert len(page.encode()) < MOST_BYTES
    assert len(data["rows"]) == 10_000  # type: ignore[arg-type]
    assert "Names and messages are cut to 240 characters." in page


@pytest.mark.parametrize("name", ["<" * 4000 + "{}", "\u202e" * 4000 + "{}", '"' * 4000 + "{}"])
def test_a_run_of_the_most_hostile_rows_stays_within_its_bytes(tmp_path: Path, name: str) -> None:
    comparison = prepare(CompareOptions(("mse",)))
    images = [
        (ArrayItem(name.format(i), random_pixels((64, 64, 3), i)), ArrayItem(name, random_pixels((64, 64, 3), 7)))
        for i in range(80)
    ]
    report = CompareReport(comparison, Pairing("", "", [], Counter()))
    summary = Summary({"mse": False})
    for i in range(4_000):
        ref, test = images[i % 80]
        row = ScoreRow(name.format(i), name, "unscorable", name[:2000], {"mse": float(i)})
        report.add(row, pair_of(ref, test), [name[:2000]] * 3)
        summary.update(row)
    report.write(tmp_path / "r.html", summary, workers=2)
    assert (tmp_path / "r.html").stat().st_size <= MOST_BYTES
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "as many as fit into this file" in page or "are cut to 80 characters" in page
    assert len(held(page)) == 65


@pytest.mark.property
def test_a_percentile_is_one_number_all_over_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_pairs(tmp_path, 40)
    gates = ["--fail-under", "p5:psnr=100", "--fail-under", "p5:ssim=1"]
    main(["compare", "ref", "test", "--quiet", "--json", "--output", "rows.csv", "--report", "r.html", *gates])
    page = (tmp_path / "r.html").read_text()
    with open("rows.csv") as file:
        ssim = [float(row["ssim"]) for row in csv.DictReader(line for line in file if not line.startswith("#"))]
    expected = f"{np.percentile(ssim, 5):.6f}"
    assert f"<td>{expected}</td>" in page[page.index('id="summary"') : page.index('id="gates"')]
    assert f"<td>{expected}</td>" in page[page.index('id="gates"') : page.index('id="distributions"')]
    marks = re.findall(r"Empirical distribution of 40 numbers: p5  ([0-9.]+); p25", page)
    assert float(marks[0]) == pytest.approx(float(expected), abs=1e-3)
    assert "a gate on a percentile counts them" in page  # the first pair is equal


@pytest.mark.property
def test_pairs_that_are_not_shown_are_not_kept(tmp_path: Path) -> None:
    report = CompareReport(prepare(CompareOptions(("mse",))), Pairing("", "", [], Counter()))
    alive: list[weakref.ref[ArrayItem]] = []
    for i in range(600):
        items = [ArrayItem(f"{side}[{i}]", random_pixels((8, 8, 3), i)) for side in ("ref", "test")]
        alive += map(weakref.ref, items)
        row = ScoreRow(items[0].name, items[1].name, "ok", "", {"mse": float(i * 7 % 600)})
        report.add(row, pair_of(*items), ["is over"] * (i % 2))
    del items
    gc.collect()
    assert 100 < sum(one() is not None for one in alive) < 450


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    comparison = prepare(CompareOptions(("mse",)))
    most = []
    for count in (12_000, 36_000):
        report = CompareReport(comparison, Pairing("", "", [], Counter()))
        tracemalloc.start()
        many(report, Summary({"mse": False}), count)
        most.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert most[1] < most[0] + 1_500_000  # eight bytes a score of the summary, and NumPy's draw


def test_a_run_of_large_noisy_images_stays_within_its_bytes(tmp_path: Path) -> None:
    stack = random_pixels((24, 640, 640, 3), 1)
    run = pixelgauge.compare(list(stack), list(stack[::-1]), metrics=("mse",))
    pixelgauge.compare_report(run, tmp_path / "r.html")
    size = (tmp_path / "r.html").stat().st_size
    assert 0.6 * MOST_BYTES < size <= MOST_BYTES
    pair = held((tmp_path / "r.html").read_text())["pair-0"]
    assert pair["w"] == 640
    assert pair["images"][0]["w"] < 640


def test_a_baseline_shows_what_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_pairs(tmp_path, 8)
    assert main(["compare", "ref", "test", "--quiet", "--output", "old.csv"]) == 0
    Image.fromarray(random_pixels((24, 24, 3), 99)).save("test/003.png")
    Image.fromarray(random_pixels((24, 24, 3), 98)).save("test/new.png")
    Image.fromarray(random_pixels((24, 24, 3), 98)).save("ref/new.png")
    (tmp_path / "test/007.png").unlink()
    (tmp_path / "ref/007.png").unlink()
    command = ["compare", "ref", "test", "--quiet", "--report", "r.html", "--report-baseline", "old.csv"]
    assert main(command) == 0
    page = (tmp_path / "r.html").read_text()
    moved = page[page.index('<section id="moved"') : page.index('<section id="distributions"')]
    assert "7 pairs in both" in moved
    assert "1 pair new" in moved
    assert "1 pair gone" in moved
    assert re.search(r"<td>0</td><td>1</td><td>6</td>", moved)
    assert held(page)["rows-data"]["rows"][3][7] is not None
    assert held(page)["rows-data"]["rows"][-1][7] is None
    judged = [
        "compare",
        "ref",
        "test",
        "--quiet",
        "--report",
        "r.html",
        "--baseline",
        "old.csv",
        "--allow-drop",
        "ssim=9",
    ]
    assert main(judged) == 3  # of psnr
    again = (tmp_path / "r.html").read_text()
    assert again[again.index('<section id="moved"') : again.index('<section id="distributions"')] == moved


def test_psnr_of_all_pixels_together_is_shown_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save_pairs(tmp_path, 4)
    command = ["compare", "ref", "test", "--metrics", "psnr", "--quiet", "--report", "r.html"]
    assert main([*command, "--psnr", "pooled"]) == 0
    printed = re.search(r"psnr dB of all pixels together +(\S+)", capsys.readouterr().out)
    assert printed is not None
    summary = (tmp_path / "r.html").read_text().split('<section id="summary"')[1].split("</section>")[0]
    assert f"psnr dB of all pixels together: <strong>{printed[1]}</strong>" in summary
    assert main(command) == 0
    assert "of all pixels together" not in (tmp_path / "r.html").read_text()


def test_figures_that_are_none_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_pairs(tmp_path, 4)
    ssim_and_psnr = ["--metrics", "psnr,ssim", "--quiet"]
    assert main(["compare", "ref", "ref", *ssim_and_psnr, "--output", "old.csv", "--report", "same.html"]) == 0
    reason = "since no score is finite; identical images have an infinite one."
    assert f"psnr dB: no mean and no percentiles, {reason}" in (tmp_path / "same.html").read_text()
    report = ["--report", "r.html", "--report-baseline", "old.csv"]
    assert main(["compare", "ref", "test", *ssim_and_psnr, *report]) == 0
    page = (tmp_path / "r.html").read_text()
    assert "psnr dB: no mean and no change, since no score is finite in both runs" in page
    assert "Change of psnr dB" not in page
    assert "Change of ssim" in page
    assert "no mean and no percentiles" not in page


@pytest.mark.parametrize(
    ("arguments", "title", "lead"),
    [
        (["@pairs.csv"], "Pairs of pairs.csv", "Pairs listed in <code>"),
        (["ref", "test/"], "test compared with ref", "Reference <code>"),
        (["ref/000.png", "test"], "test compared with 000.png", "Reference <code>"),
        (["ref.npy", "test.npy"], "test.npy compared with ref.npy", "Reference <code>"),
        (["ref/000.png", "test/001.png"], "001.png compared with 000.png", "Reference <code>"),
    ],
)
def test_a_page_names_what_was_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], title: str, lead: str
) -> None:
    monkeypatch.chdir(tmp_path)
    save_pairs(tmp_path, 3)
    (tmp_path / "pairs.csv").write_text("ref,test\nref/000.png,test/001.png\n")
    for side in ("ref", "test"):
        np.save(f"{side}.npy", random_pixels((2, 24, 24, 3), 1))
    assert main(["compare", *arguments, "--quiet", "--report", "r.html"]) == 0
    page = (tmp_path / "r.html").read_text()
    assert f"<title>{title}</title>" in page
    assert lead in page[page.index('class="lead"') :]


def test_gates_are_shown_with_what_broke_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_pairs(tmp_path, 6)
    gates = ["--fail-under", "ssim=.5", "--fail-over", "mse=1e9", "--fail-under", "mean:ssim=.999"]
    assert main(["compare", "ref", "test", "--metrics", "ssim,mse", "--quiet", "--report", "r.html", *gates]) == 3
    page = (tmp_path / "r.html").read_text()
    section = page[page.index('<section id="gates"') : page.index('<section id="distributions"')]
    assert "2 of 3 gates failed." in section
    assert section.count('class="badge fail"') == 2
    assert "005.png" in section
    rows = held(page)["rows-data"]["rows"]
    assert [bool(row[5]) for row in rows] == [i > 2 for i in range(6)]
    heading = held(page)["pair-5"]["scores"]
    assert heading.endswith("broke 1 gate")
    assert all(len(number.partition(".")[2]) <= 6 for number in re.findall(r"[\d.]+", heading))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--report-baseline", "old.csv"], "needs --report"),
        (["--report", "a.csv", "--output", "a.csv"], "the same file"),
        (["--report", "a.xml", "--junit", "a.xml"], "the same file"),
        (["--report", "ref/000.png"], "read by this very command"),
        (["--report", "notes.txt"], "is no report"),
        (["--report", "nowhere/a.html"], "nowhere"),
        (["--report", "a.html", "--report-baseline", "none.csv"], "none.csv"),
        (["--report", "a.html", "--report-baseline", "notes.txt"], "notes.txt"),
    ],
)
def test_wrong_use_is_told_before_any_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    save_pairs(tmp_path, 2)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SystemExit) as stopped:
        raise SystemExit(main(["compare", "ref", "test", *arguments]))
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "a.html").exists()


def begun(run: CompareRun) -> None:
    next(run)


def used_up(run: CompareRun) -> None:
    assert len(list(run)) == 5


def left(run: CompareRun) -> None:
    with run:
        pass


@pytest.mark.parametrize(("use", "said"), [(begun, "gave 1 row "), (used_up, "gave 5 rows "), (left, "is closed")])
def test_a_run_that_lacks_rows_has_no_report(tmp_path: Path, use: Callable[[CompareRun], None], said: str) -> None:
    save_pairs(tmp_path, 5)
    run = pixelgauge.compare(tmp_path / "ref", tmp_path / "test")
    use(run)
    with pytest.raises(ValueError, match=f"the run {said}.*new run, before taking rows"):
        pixelgauge.compare_report(run, tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize("after", range(5))
def test_a_row_that_another_takes_meanwhile_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    save_pairs(tmp_path, 6)
    run = pixelgauge.compare(tmp_path / "ref", tmp_path / "test")
    add = CompareReport.add

    def adds(report: CompareReport, row: ScoreRow, *others: object) -> None:
        add(report, row, *others)  # type: ignore[arg-type]
        if row.ref is not None and row.ref.endswith(f"{after}.png"):
            next(run)

    monkeypatch.setattr(CompareReport, "add", adds)
    with pytest.raises(ValueError, match="the run gave 1 row elsewhere"):
        pixelgauge.compare_report(run, tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (3, 2)])
def test_pairs_too_small_for_a_window_have_pictures_and_say_what_they_lack(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    x, y = random_pixels((*size, 3), 1), random_pixels((*size, 3), 2)
    pixelgauge.compare_report(pixelgauge.compare([x], [y], metrics="mse"), tmp_path / "r.html")
    pair = held((tmp_path / "r.html").read_text())["pair-0"]
    assert [found["name"] for found in pair["maps"]] == ["difference"]
    assert any("no map" in note for note in pair["notes"])


@pytest.mark.parametrize(("run", "said"), [("ref", "must be a CompareRun"), (None, "must be a CompareRun")])
def test_what_is_no_run_is_refused(tmp_path: Path, run: object, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        pixelgauge.compare_report(run, tmp_path / "r.html")  # type: ignore[arg-type]


def test_a_report_replaces_a_report(tmp_path: Path) -> None:
    save_pairs(tmp_path, 2)
    assert report_of(tmp_path)[:9] == report_of(tmp_path)[:9] == "<!doctype"


def test_archives_frames_and_rows_from_before_are_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_pairs(tmp_path, 3)
    for side in ("ref", "test"):
        shutil.make_archive(side, "zip", side)
    command = ["compare", "ref.zip", "test.zip", "--quiet", "--output", "rows.csv", "--report", "r.html"]
    assert main(command) == 0
    assert {"pair-0", "pair-1", "pair-2"} <= set(held((tmp_path / "r.html").read_text()))
    assert main([*command, "--resume"]) == 0
    assert {"pair-0", "pair-1", "pair-2"} <= set(held((tmp_path / "r.html").read_text()))
    pages = [Image.fromarray(random_pixels((16, 16, 3), i)) for i in range(3)]
    pages[0].save("a.tif", save_all=True, append_images=pages[1:])
    pages[1].save("b.tif", save_all=True, append_images=pages[1:])
    assert main(["compare", "a.tif", "b.tif", "--frames", "--quiet", "--report", "r.html"]) == 0
    data = held((tmp_path / "r.html").read_text())
    assert [row[1] for row in data["rows-data"]["rows"]] == ["a.tif[0]", "a.tif[1]", "a.tif[2]"]
    assert {"pair-0", "pair-1", "pair-2"} <= set(data)


@pytest.mark.property
def test_pictures_are_made_within_the_memory_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_pairs(tmp_path, 12)
    (tmp_path / "ref/005.png").write_bytes(b"broken")
    lock, active, most = threading.Lock(), 0, 0
    photograph = pair_pictures.photograph

    def slow(pixels: np.ndarray, room: int) -> Picture:
        nonlocal active, most
        with lock:
            active += 1
            most = max(most, active)
        time.sleep(0.002)
        found = photograph(pixels, room)
        with lock:
            active -= 1
        return found

    monkeypatch.setattr(pair_pictures, "photograph", slow)
    pages = []
    for memory in (1, None):
        run = pixelgauge.compare(tmp_path / "ref", tmp_path / "test", workers=2)
        pixelgauge.compare_report(run, tmp_path / "r.html", workers=4, memory=memory)
        if memory == 1:
            assert most == 1
        pages.append(held((tmp_path / "r.html").read_text(encoding="utf-8")))
    assert pages[0] == pages[1]
    assert len(pages[0]) == 12
    with pytest.raises(ValueError, match="memory="):
        pixelgauge.compare_report(run, tmp_path / "r.html", memory="0")


@pytest.mark.cli
def test_a_page_that_cannot_be_written_costs_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "r.html")

    monkeypatch.chdir(tmp_path)
    save_pairs(tmp_path, 3)
    monkeypatch.setattr(CompareReport, "write", full)
    command = ["compare", "ref", "test", "--quiet", "--json", "--report", "r.html", "--junit", "r.xml"]
    assert main(command) == 2
    told = capsys.readouterr()
    assert json.loads(told.out)["counts"]["ok"] == 3
    assert "r.html" in told.err
    assert "<testsuite" in (tmp_path / "r.xml").read_text()


def test_an_empty_run_has_a_page(tmp_path: Path) -> None:
    for side in ("ref", "test"):
        (tmp_path / side).mkdir()
        Image.fromarray(random_pixels((16, 16, 3), 0)).save(tmp_path / side / f"{side}.png")
    page = report_of(tmp_path)
    assert "pairs" not in {*re.findall(r'<section id="([^"]+)"', page)}
    assert len(held(page)["rows-data"]["rows"]) == 2


class Labels(HTMLParser):
    """Ids of controls, those that labels are for, and controls with a name of their own."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.controls: list[dict[str, str | None]] = []
        self.labelled: set[str | None] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in ("input", "select"):
            self.controls.append(found)
        if tag == "label":
            self.labelled.add(found.get("for"))


def test_every_control_has_a_name(tmp_path: Path) -> None:
    save_pairs(tmp_path, 4)
    labels = Labels(report_of(tmp_path, metrics=("psnr", "ssim", "mse")))
    assert len(labels.controls) > 10
    assert [c for c in labels.controls if "aria-label" not in c and c.get("id") not in labels.labelled] == []
