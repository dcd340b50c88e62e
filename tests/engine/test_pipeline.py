"""Pairing, the batch engine and its row files: nothing lost, order kept, summaries against plain NumPy."""

import csv
import json
import math
import threading
import time
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge.engine import items, pipeline
from pixelgauge.engine.comparison import CompareOptions
from pixelgauge.engine.pairing import Pair, find_pairs
from pixelgauge.engine.pipeline import UnfitPairError, score_pair, score_pairs
from pixelgauge.engine.row_files import RowFile
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.engine.summary import Summary
from pixelgauge.images import ImageFileError
from tests.engine.runs import comparing
from tests.pictures import random_pixels


def picture(seed=0, shape=(40, 44, 3), dtype=np.uint8):
    return random_pixels(shape, seed, dtype)


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    root.mkdir(exist_ok=True)
    return root


def found(tmp_path, ref, test):
    return find_pairs(touch(tmp_path / "ref", *ref), touch(tmp_path / "test", *test)).pairs


@pytest.mark.property
def test_pairs_by_path_then_without_extension_then_by_unique_stem(tmp_path):
    pairs = found(
        tmp_path,
        ["a/x.png", "a/y.png", "z.png", "b/x.PNG", "only.png"],
        ["a/x.png", "a/y.jpg", "deep/er/z.webp", "b/x.tif", "a/other.png"],
    )
    assert [(p.ref, p.test, p.status) for p in pairs] == [
        (None, "a/other.png", "missing"),
        ("a/x.png", "a/x.png", "ok"),
        ("a/y.png", "a/y.jpg", "ok"),
        ("b/x.PNG", "b/x.tif", "ok"),
        ("only.png", None, "missing"),
        ("z.png", "deep/er/z.webp", "ok"),
    ]
    assert pairs[0].message == "no partner in REF"
    assert pairs[4].message == "no partner in TEST"
    assert [p.name for p in pairs[1:3]] == ["a/x.png", "a/y.png → a/y.jpg"]


@pytest.mark.property
def test_an_equal_path_wins_over_an_equal_stem(tmp_path):
    pairs = found(tmp_path, ["x.png"], ["x.png", "x.jpg"])
    assert [(p.ref, p.test, p.status) for p in pairs] == [(None, "x.jpg", "missing"), ("x.png", "x.png", "ok")]


@pytest.mark.property
def test_accents_pair_however_they_are_encoded(tmp_path):
    pairs = found(tmp_path, ["caf\u00e9/\u00fc.png"], ["cafe\u0301/u\u0308.png"])
    assert [p.status for p in pairs] == ["ok"]


@pytest.mark.property
def test_ambiguous_stems_are_rows_and_never_pairs(tmp_path):
    pairs = found(tmp_path, ["x.png", "1/s.png"], ["x.jpg", "x.webp", "2/s.png", "3/s.png", "4/s.png", "5/s.png"])
    assert {p.status for p in pairs} == {"ambiguous"}
    assert sorted(p.ref or p.test for p in pairs) == sorted(
        ["x.png", "1/s.png", "x.jpg", "x.webp", "2/s.png", "3/s.png", "4/s.png", "5/s.png"]
    )
    messages = {p.ref: p.message for p in pairs}
    assert messages["x.png"] == "several files of this name: x.png in REF, x.jpg, x.webp in TEST"
    assert messages["1/s.png"].endswith("2/s.png, 3/s.png, 4/s.png and 1 more in TEST")


@pytest.mark.property
def test_a_stem_that_recurs_anywhere_pairs_no_folders(tmp_path):
    pairs = found(tmp_path, ["a/1.png", "b/1.png"], ["b/1.png", "c/1.png"])
    assert [(p.ref, p.test, p.status) for p in pairs] == [
        ("a/1.png", None, "ambiguous"),
        ("b/1.png", "b/1.png", "ok"),
        (None, "c/1.png", "ambiguous"),
    ]


@pytest.mark.property
def test_every_file_stands_in_exactly_one_row(tmp_path):
    rng = np.random.default_rng(0)
    sides = []
    for _ in range(2):
        names = {
            f"{rng.choice(['', 'a/', 'b/', 'a/c/'])}{rng.integers(12)}{rng.choice(['.png', '.JPG', '.tif'])}"
            for _ in range(60)
        }
        sides.append(sorted(names))
    pairs = found(tmp_path, *sides)
    assert sorted(p.ref for p in pairs if p.ref) == sides[0]
    assert sorted(p.test for p in pairs if p.test) == sides[1]
    assert [p.ref or p.test for p in pairs] == sorted(p.ref or p.test for p in pairs)


@pytest.mark.boundary
def test_what_cannot_be_paired_at_all_is_an_error(tmp_path):
    folder, file = touch(tmp_path / "f", "notes.txt"), tmp_path / "x.png"
    file.write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist"):
        find_pairs(folder, tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"is a folder and .* a file"):
        find_pairs(folder, file)
    with pytest.raises(ValueError, match="no image files in"):
        find_pairs(folder, folder)


@pytest.mark.property
def test_two_files_are_a_pair_whatever_their_names(tmp_path):
    save(tmp_path / "a.png", picture())
    save(tmp_path / "b.png", picture(1))
    pairing = find_pairs(tmp_path / "a.png", tmp_path / "b.png")
    assert pairing.pairs == [Pair("a.png", "b.png")]
    assert pairing.paths(pairing.pairs[0]) == (str(tmp_path / "a.png"), str(tmp_path / "b.png"))


ALL = comparing(metrics=("mse", "psnr", "ssim", "ms-ssim"))  # what needs no model


@pytest.mark.oracle
@pytest.mark.parametrize(
    "settings",
    [
        ALL,
        comparing(metrics=("ssim", "ms-ssim"), preset="skimage", ms_ssim_preset="pytorch-msssim"),
        comparing(metrics=("psnr", "ssim"), data_range=300, gray=True, crop_border=7),
    ],
)
def test_a_row_has_the_scores_of_the_functions(tmp_path, settings):
    x = picture(shape=(200, 190, 3))
    y = (x // 2 + picture(1, x.shape) // 2).astype(np.uint8)
    save(tmp_path / "x.png", x)
    save(tmp_path / "y.png", y)
    row = score_pair(str(tmp_path / "x.png"), str(tmp_path / "y.png"), settings)
    if settings.options["gray"]:
        weights = np.array([0.298936021293775, 0.587043074451121, 0.114020904255103])
        x, y = (np.floor(image @ weights + 0.5).astype(np.uint8) for image in (x, y))
    if n := settings.options["crop_border"]:
        x, y = x[n:-n, n:-n], y[n:-n, n:-n]
    length = settings.options["data_range"]
    expected = {
        "mse": pixelgauge.mse(x, y),
        "psnr": pixelgauge.psnr(x, y, data_range=length),
        "ssim": pixelgauge.ssim(x, y, data_range=length, preset=settings.options["preset"]),
    }
    if "ms-ssim" in settings.metrics:
        expected["ms-ssim"] = pixelgauge.ms_ssim(x, y, data_range=length, preset=settings.options["ms_ssim_preset"])
    assert row.status == "ok"
    assert row.values == {name: expected[name] for name in settings.metrics}


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("test", "status", "message"),
    [
        (picture(shape=(40, 43, 3)), "mismatch", "size (height x width) differs: REF 40 x 44, TEST 40 x 43"),
        (picture(shape=(40, 44)), "mismatch", "colour mode differs: REF RGB, TEST gray; --gray scores both in gray"),
        (
            picture(shape=(9, 9), dtype=np.uint16),
            "mismatch",
            "size (height x width) differs: REF 40 x 44, TEST 9 x 9; "
            "colour mode differs: REF RGB, TEST gray; bit depth differs: REF 8-bit, "
            "TEST 16-bit; --gray scores both in gray",
        ),
        (b"", "unreadable", "TEST: the file is empty"),
        (
            b"nonsense",
            "unreadable",
            "TEST: not a readable PNG, JPEG, WebP, BMP, TIFF, GIF, PNM, AVIF or JPEG 2000 image",
        ),
        (None, "unreadable", "TEST: No such file or directory"),
    ],
)
def test_a_bad_partner_becomes_a_row(tmp_path, test, status, message):
    ref, other = tmp_path / "ref.png", tmp_path / "test.png"
    save(ref, picture())
    if isinstance(test, bytes):
        other.write_bytes(test)
    elif test is not None:
        save(other, test)
    assert score_pair(str(ref), str(other), comparing()) == ScoreRow(str(ref), str(other), status, message)
    swapped = score_pair(str(other), str(ref), comparing())
    assert swapped.status == status
    if status == "unreadable":
        assert swapped.message == message.replace("TEST", "REF")


@pytest.mark.boundary
def test_one_metric_that_fails_leaves_the_others(tmp_path):
    save(tmp_path / "x.png", picture())
    row = score_pair(str(tmp_path / "x.png"), str(tmp_path / "x.png"), ALL)
    assert row.status == "unscorable"
    assert row.message.startswith("ms-ssim: ")
    assert row.values == {"mse": 0.0, "psnr": math.inf, "ssim": 1.0}


@pytest.mark.boundary
@pytest.mark.parametrize("shape", [(8, 64), (2, 64, 3)])
def test_too_small_images_advise_what_the_command_line_has(tmp_path, shape):
    save(tmp_path / "x.png", picture(shape=shape))
    row = score_pair(str(tmp_path / "x.png"), str(tmp_path / "x.png"), comparing(metrics=("ssim", "ms-ssim")))
    ssim, ms_ssim = row.message.split("; ms-ssim: ")
    assert "at least 11 x 11 is needed" in ssim
    assert "at least 161 x 161 is needed" in ms_ssim
    for part in (ssim, ms_ssim):
        assert part.endswith("use larger images, or leave this metric out of --metrics")


@pytest.mark.boundary
def test_nan_is_no_score(tmp_path):
    x = picture(shape=(176, 176))
    save(tmp_path / "x.png", x)
    save(tmp_path / "y.png", 255 - x)
    row = score_pair(str(tmp_path / "x.png"), str(tmp_path / "y.png"), comparing(metrics=("mse", "ms-ssim")))
    assert (row.status, list(row.values)) == ("unscorable", ["mse"])
    assert "--ms-ssim-preset pytorch-msssim" in row.message


@pytest.mark.boundary
def test_values_beyond_the_data_range_are_refused(tmp_path):
    save(tmp_path / "x.png", np.full((40, 40), 7, np.uint8))
    path = str(tmp_path / "x.png")
    assert score_pair(path, path, comparing(data_range=7)).status == "ok"
    row = score_pair(path, path, comparing(data_range=1.0))
    assert (row.status, row.message) == ("unscorable", "has values up to 7, beyond the data range of 1")


@pytest.mark.boundary
def test_a_border_that_leaves_nothing_is_refused(tmp_path):
    save(tmp_path / "x.png", picture())
    path = str(tmp_path / "x.png")
    assert score_pair(path, path, comparing(metrics=("mse",), crop_border=19)).status == "ok"
    row = score_pair(path, path, comparing(metrics=("mse",), crop_border=20))
    assert row.message == "nothing is left of 40 x 44 pixels after a crop border of 20"


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ("psnr", "vmaf")}, "'vmaf' is not known: use some of mse, mae, psnr, ssim, ms-ssim"),
        ({"metrics": ()}, "must name at least one metric"),
        ({"metrics": ("psnr", "psnr")}, "each once"),
        ({"preset": "best"}, "preset='best' is not known"),
        ({"metrics": ("ms-ssim",), "ms_ssim_preset": "best"}, "ms_ssim_preset='best' is not known"),
        ({"data_range": 0}, "data_range=0 must be a number above 0"),
        ({"data_range": math.nan}, "data_range=nan must be a number above 0"),
        ({"metrics": ("psnr",), "preset": "matlab"}, "--preset is for ssim, which is not among the metrics psnr"),
        ({"metrics": ("psnr",), "gray": True, "lpips_backbone": "vgg"}, "--lpips-backbone is for lpips"),
        ({"metrics": ("lpips",), "gray": True}, "lpips is of colour images"),
        ({"crop_border": -1}, "crop_border=-1 must be a whole number of at least 0"),
        ({"alpha": "grey"}, "alpha='grey' is not known"),
    ],
)
def test_wrong_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CompareOptions(**options)


def folders(tmp_path, count):
    for i in range(count):
        save(tmp_path / "ref" / f"{i:03}.png", picture(i))
        save(tmp_path / "test" / f"{i:03}.png", picture(i + 1))
    return find_pairs(tmp_path / "ref", tmp_path / "test")


@pytest.mark.property
def test_rows_keep_the_order_whatever_the_workers(tmp_path):
    pairing = folders(tmp_path, 40)
    (tmp_path / "test" / "007.png").unlink()
    (tmp_path / "ref" / "021.png").write_bytes(b"broken")
    pairing = find_pairs(tmp_path / "ref", tmp_path / "test")
    rows = [list(score_pairs(pairing, comparing(), workers=workers)) for workers in (1, 2, 7)]
    assert rows[0] == rows[1] == rows[2]
    assert [(row.ref, row.test) for row in rows[0]] == [pairing.paths(pair) for pair in pairing.pairs]
    assert [row.status for row in rows[0] if row.status != "ok"] == ["missing", "unreadable"]


@pytest.mark.property
def test_at_most_as_many_pairs_as_workers_are_in_memory_and_work_starts_before_the_end(tmp_path, monkeypatch):
    pairing = folders(tmp_path, 1)
    pairing.pairs[:] = pairing.pairs * 200
    running, most, started = 0, 0, 0
    lock = threading.Lock()

    def slow(ref, test, options, share):
        nonlocal running, most, started
        with lock:
            running += 1
            started += 1
            most = max(most, running)
        time.sleep(0.001)
        with lock:
            running -= 1
        raise UnfitPairError("mismatch", "slow")

    monkeypatch.setattr(pipeline, "read_pair", slow)
    rows = score_pairs(pairing, comparing(), workers=3)
    assert next(rows).message == "slow"
    assert 0 < started <= 16 * 3 + 2  # the window, and not all 200
    rows.close()
    assert running == 0
    assert started < 200
    assert most <= 3


@pytest.mark.boundary
def test_no_workers_is_refused(tmp_path):
    with pytest.raises(ValueError, match="workers=0 must be a whole number of at least 1"):
        score_pairs(folders(tmp_path, 1), comparing(), workers=0)


@pytest.mark.oracle
def test_the_summary_is_numpys():
    rng = np.random.default_rng(0)
    summary = Summary({"mse": False, "psnr": True})
    mse, psnr = rng.exponential(50, 101), rng.normal(30, 5, 101)
    for i in range(101):
        summary.update(ScoreRow(f"{i}", f"{i}", "ok", "", {"mse": mse[i], "psnr": psnr[i]}))
    summary.update(ScoreRow("same", "same", "ok", "", {"mse": 0.0, "psnr": math.inf}))
    summary.update(ScoreRow("lost", None, "missing", "no partner in TEST"))
    result = summary.compute()
    assert (summary.count, summary.failed, summary.statuses["missing"]) == (103, 1, 1)
    got = result["psnr"]
    assert (got.count, got.infinite) == (102, 1)
    assert (got.mean, got.median) == (math.fsum(psnr) / 101, np.median(psnr))
    assert (got.mean, got.std) == (pytest.approx(psnr.mean(), rel=1e-15), pytest.approx(psnr.std(ddof=1), rel=1e-14))
    assert [value for value, _ in got.worst] == sorted(psnr)[:10]
    assert [value for value, _ in result["mse"].worst] == sorted(mse)[:-11:-1]
    assert all(mse[int(row.ref)] == value for value, row in result["mse"].worst)


@pytest.mark.property
def test_ties_among_the_worst_keep_the_order_of_rows():
    summary = Summary({"ssim": True})
    for i in range(30):
        summary.update(ScoreRow(f"{i}", f"{i}", "ok", "", {"ssim": 0.5}))
    assert [row.ref for _, row in summary.compute()["ssim"].worst] == [str(i) for i in range(10)]


@pytest.mark.boundary
def test_the_summary_of_little_says_none():
    summary = Summary({"psnr": True})
    nothing = summary.compute()["psnr"]
    assert (nothing.count, nothing.mean, nothing.median, nothing.std, nothing.worst) == (0, None, None, None, [])
    summary.update(ScoreRow("a", "a", "ok", "", {"psnr": math.inf}))
    same = summary.compute()["psnr"]
    assert (same.count, same.infinite, same.mean) == (1, 1, None)
    summary.update(ScoreRow("b", "b", "ok", "", {"psnr": 30.0}))
    assert (summary.compute()["psnr"].mean, summary.compute()["psnr"].std) == (30.0, None)


ROWS = [
    ScoreRow("r/a,b.png", 't/"q".png', "ok", "", {"psnr": 0.1 + 0.2, "ssim": 1 / 3}),
    ScoreRow("r/ü\n.png", "t/\udcff.png", "ok", "", {"psnr": math.inf, "ssim": 1.0}),
    ScoreRow("r/c.png", None, "missing", "no partner in TEST"),
    ScoreRow("r/d.png", "t/d.png", "unscorable", "ssim: too small", {"psnr": 12.5}),
]

PAIRS = {(row.ref, row.test) for row in ROWS}


@pytest.mark.property
@pytest.mark.parametrize("name", ["rows.csv", "rows.JSONL"])
def test_row_files_give_back_the_rows_to_the_last_bit(tmp_path, name):
    path = tmp_path / name
    file = RowFile(path, comparing())
    for row in ROWS:
        file.append(row)
    file.close()
    again = RowFile(path, comparing(), resume=PAIRS)
    again.close()
    assert again.rows == ROWS[:2]
    for row in ROWS[2:]:  # failed rows were taken out, to be made again
        again = RowFile(path, comparing(), resume=PAIRS)
        again.append(row)
        again.close()
    with closing(RowFile(path, comparing(), resume=PAIRS)) as file:
        assert file.rows == ROWS[:2]
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.property
def test_row_files_are_plain_csv_and_json(tmp_path):
    for name in ("rows.csv", "rows.jsonl"):
        file = RowFile(tmp_path / name, comparing())
        for row in ROWS:
            file.append(row)
        file.close()
    with open(tmp_path / "rows.csv", encoding="utf-8", errors="surrogateescape", newline="") as file:
        table = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    first = ["ref", "test", "status", "message", "psnr", "ssim", "settings"]
    then = ["ref_name", "test_name", "ref_bytes", "test_bytes", "ref_mtime_ns", "test_mtime_ns"]
    then += ["samples", "schema_version"]
    assert [list(line) for line in (table[0], lines[0])] == [first + then] * 2
    assert (table[1]["psnr"], lines[1]["psnr"]) == ("inf", "inf")
    assert (table[2]["psnr"], lines[2]["psnr"]) == ("", None)
    assert (float(table[0]["ssim"]), lines[0]["ssim"]) == (1 / 3, 1 / 3)
    assert table[0]["settings"] == lines[0]["settings"] == str(comparing())


@pytest.mark.property
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_a_row_file_cut_anywhere_resumes_to_the_same_rows(tmp_path, name):
    plain = [ScoreRow(f"r/{i}.png", f"t/{i}.png", "ok", "", {"psnr": 20 + i / 7, "ssim": i / 9}) for i in range(4)]
    path = tmp_path / name
    file = RowFile(path, comparing())
    for row in plain:
        file.append(row)
    file.close()
    whole = path.read_bytes()
    pairs = {(row.ref, row.test) for row in plain}
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        file = RowFile(path, comparing(), resume=pairs)
        assert file.rows == plain[: len(file.rows)]
        for row in plain[len(file.rows) :]:
            file.append(row)
        file.close()
        assert path.read_bytes() == whole


@pytest.mark.boundary
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_row_files_of_other_settings_are_not_mixed(tmp_path, name):
    path = tmp_path / name
    file = RowFile(path, comparing())
    file.append(ROWS[0])
    file.close()
    with pytest.raises(FileExistsError):
        RowFile(path, comparing())
    with pytest.raises(ValueError, match=r"was made with .*ssim=wang2004.*, this run is .*ssim=matlab"):
        RowFile(path, comparing(preset="matlab"), resume=PAIRS)
    with pytest.raises(ValueError, match=r"was made with|is not a file of pixelgauge compare with metrics mse"):
        RowFile(path, comparing(metrics=("mse",)), resume=PAIRS)
    assert path.read_text().count("\n") == (2 if name.endswith("csv") else 1)
    file = RowFile(path, comparing(preset="matlab"), overwrite=True)
    file.close()
    assert "wang" not in path.read_text()


@pytest.mark.boundary
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_row_files_of_other_pairs_are_left_as_they_are(tmp_path, name):
    path = tmp_path / name
    file = RowFile(path, comparing())
    for row in ROWS:
        file.append(row)
    file.close()
    before = path.read_bytes()
    with pytest.raises(ValueError, match="which are no pair of this run"):
        RowFile(path, comparing(), resume=PAIRS - {(ROWS[1].ref, ROWS[1].test)})
    assert path.read_bytes() == before


@pytest.mark.boundary
@pytest.mark.parametrize("text", ["a,b\n1,2\n", "hello\n", "[1]\n", '{"settings": 3}\n', "{}\n", '"\n'])
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_foreign_files_are_not_taken_up(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=r"is not a file of pixelgauge compare|was made with"):
        RowFile(path, comparing(), resume=PAIRS)
    assert path.read_text() == text


@pytest.mark.boundary
def test_only_known_kinds_of_files_are_written(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.csv, \.jsonl"):
        RowFile(tmp_path / "rows.txt", comparing())


@pytest.mark.property
def test_settings_say_how_a_row_was_made():
    text = str(
        comparing(metrics=("mse", "ssim"), preset="piq", data_range=4095, gray=True, crop_border=2, alpha="drop")
    )
    assert text == f"pixelgauge {pixelgauge.__version__} mse ssim=piq range=4095 alpha=drop gray=1 crop=2"
    assert comparing().fingerprint()["metrics"] == {"psnr": None, "ssim": "wang2004"}


@pytest.mark.boundary
def test_an_error_other_than_of_the_file_is_not_swallowed(monkeypatch):
    def fail(path, **options):
        raise ImageFileError(path, "is odd")

    monkeypatch.setattr(items, "read_picture", fail)
    assert score_pair("r", "t", comparing()) == ScoreRow("r", "t", "unreadable", "REF: is odd")
