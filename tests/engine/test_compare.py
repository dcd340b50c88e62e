"""pixelgauge.compare: what it takes, what it refuses at the call, and that threads and early ends do no harm."""

from __future__ import annotations

import functools
import itertools
import operator
import os
import pickle
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge.engine import items
from pixelgauge.engine.rows import ScoreRow, file_state
from pixelgauge.engine.summary import Summary


def pictures(count, seed=0, size=24):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for side, seed in (("ref", 1), ("test", 2)):
        os.mkdir(side)
        for i, picture in enumerate(pictures(5, seed)):
            Image.fromarray(picture).save(f"{side}/{i}.png")
    return tmp_path


def listed(side, count=5):
    return [f"{side}/{i}.png" for i in range(count)]


@pytest.mark.oracle
def test_every_kind_of_input_has_the_same_scores(files):
    x, y = pictures(5, 1), pictures(5, 2)
    want = [[pixelgauge.psnr(a, b), pixelgauge.ssim(a, b)] for a, b in zip(x, y, strict=True)]
    opened = [[Image.open(path) for path in listed(side)] for side in ("ref", "test")]
    for ref, test, name in (
        ("ref", "test", os.path.join("test", "3.png")),
        (listed("ref"), listed("test"), "test/3.png"),
        (x, y, "test[3]"),
        (list(x), list(y), "test[3]"),
        (*opened, "test[3]"),
        (listed("ref"), list(y), "test[3]"),
        (zip(listed("ref"), y, strict=True), None, "test[3]"),
    ):
        run = pixelgauge.compare(ref, test, workers=2)
        rows = list(run)
        assert [list(row.values.values()) for row in rows] == want
        assert rows[3].test == name
        assert run.summary.compute()["ssim"].mean == pytest.approx(np.mean([ssim for _, ssim in want]), rel=1e-14)
    assert run.fingerprint["metrics"] == {"psnr": None, "ssim": "wang2004"}


@pytest.mark.oracle
def test_one_reference_against_many_is_read_once(files, monkeypatch):
    x, y = pictures(5, 1), pictures(5, 2)
    want = [pixelgauge.mse(x[0], b) for b in y]
    for ref, test in (("ref/0.png", listed("test")), (x[0], y), (Image.fromarray(x[0]), listed("test"))):
        assert [row.values["mse"] for row in pixelgauge.compare(ref, test, metrics="mse")] == want
    reads = []
    read = items.read_picture
    monkeypatch.setattr(items, "read_picture", lambda path, **options: (reads.append(path), read(path, **options))[1])
    rows = list(pixelgauge.compare("ref/0.png", listed("test"), metrics="mse", workers=4))
    assert reads.count("ref/0.png") == 1
    assert rows[0].ref == "ref/0.png"
    assert rows[0].files == (file_state("ref/0.png"), file_state("test/0.png"))
    lost = list(pixelgauge.compare("ref/none.png", listed("test"), metrics="mse"))
    assert {row.message for row in lost} == {"REF: No such file or directory"}


@pytest.mark.oracle
def test_arrays_of_floats_channels_first_and_gray(files):
    x, y = (pictures(2, seed).transpose(0, 3, 1, 2) / 255 for seed in (1, 2))
    rows = list(pixelgauge.compare(x, y, data_range=1.0, channel_axis=1))
    assert [row.values["ssim"] for row in rows] == pixelgauge.ssim(x, y, data_range=1.0, channel_axis=1).tolist()
    gray = [pixelgauge.images.read_image(f"{side}/0.png", gray=True) for side in ("ref", "test")]
    both = [pixelgauge.compare(*pair, gray=True) for pair in ((pictures(1, 1), pictures(1, 2)), gray)]
    assert next(both[0]).values == next(both[1]).values
    assert next(pixelgauge.compare(np.zeros((20, 20)), np.zeros((20, 20, 4)), data_range=1)).message == (
        "colour mode differs: REF gray, TEST 4 bands; --gray scores both in gray"
    )


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((pictures(2), pictures(3)), ValueError, "there are 2 images in ref and 3 in test: give as many"),
        ((np.zeros((1, 20, 20, 3)), pictures(1)), ValueError, "ref has dtype float64: data_range is needed"),
        (([], []), ValueError, "ref is empty"),
        (("a.png",), TypeError, "there is no test, and ref is a str"),
        ((pictures(2),), TypeError, "there is no test, and ref is a ndarray"),
        ((3, pictures(1)), TypeError, "ref is an? int"),
        (([pictures(2)], [pictures(2)]), ValueError, r"ref\[0\] is a batch of 2"),
        ((["."], ["x.png"]), OSError, r"ref\[0\] is a folder"),
        (("nowhere", "."), FileNotFoundError, "nowhere does not exist"),
    ],
)
def test_wrong_inputs_are_refused_at_the_call(arguments, error, message, files):
    with pytest.raises(error, match=message):
        pixelgauge.compare(*arguments)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"presett": "skimage"}, TypeError, "'presett' is no option"),
        ({"preset": "skimag"}, ValueError, "preset='skimag'"),
        ({"metrics": "psnr", "preset": "skimage"}, ValueError, "is for ssim, which is not among"),
        ({"metrics": "vmaf"}, ValueError, "metrics='vmaf' is not known"),
        ({"metrics": None}, TypeError, "metrics=None must be names of metrics: give a tuple such as"),
        ({"metrics": 3}, TypeError, "metrics=3 must be names"),
        ({"metrics": b"mse"}, TypeError, "metrics=b'mse' must be names"),
        ({"metrics": ("mse", 3)}, TypeError, r"metrics=\('mse', 3\) must be names"),
        ({"metrics": ""}, ValueError, "metrics='' is not known"),
        ({"metrics": ()}, ValueError, "must name at least one"),
        ({"metrics": "mse, mse"}, ValueError, "each once"),
        (
            {"metrics": "ssim:nosuch"},
            ValueError,
            "metrics='ssim:nosuch' names no preset that is known: use one of 'wang",
        ),
        ({"metrics": "ssim:"}, ValueError, "metrics='ssim:' names no preset that is known: use one of 'wang2004'"),
        ({"metrics": "ms-ssim:x"}, ValueError, "metrics='ms-ssim:x' names no ms ssim preset that is known: use one of"),
        ({"metrics": ":skimage"}, ValueError, "metrics=':skimage' is not known: use some of mse"),
        ({"metrics": "nosuch:skimage"}, ValueError, "metrics='nosuch:skimage' is not known: use some of mse"),
        ({"memory": 1.5}, TypeError, 'memory=1.5 is no size: give bytes, or a number .* such as "500M"'),
        ({"memory": b"5M"}, TypeError, "memory=b'5M' is no size"),
        ({"memory": "9" * 30}, ValueError, "is more than any machine has"),
        ({"memory": 10**30}, ValueError, "is more than any machine has"),
        ({"memory": "9999999T"}, ValueError, "is more than any machine has"),
        ({"workers": 0}, ValueError, "workers=0 must be"),
        ({"crop_border": -1}, ValueError, "crop_border=-1 must be"),
        ({"channel_axis": "last"}, TypeError, "channel_axis='last'"),
    ],
)
def test_wrong_options_are_refused_at_the_call(options, error, message):
    with pytest.raises(error, match=message):
        pixelgauge.compare(pictures(1), pictures(1), **options)


def test_an_unknown_option_lists_each_once():
    with pytest.raises(TypeError) as caught:
        pixelgauge.compare(pictures(1), pictures(1), nosuch=1)
    listed = str(caught.value).partition("there are ")[2].split(", ")
    assert len(listed) == len(set(listed)) > 5


@pytest.mark.parametrize("metrics", ["ssim:skimage,ssim:wang2004", "ssim:skimage, ssim:wang2004"])
def test_metrics_of_one_text_are_those_of_the_command_line(metrics):
    x, y = pictures(1), pictures(1, seed=1)
    (row,), (other,) = (
        pixelgauge.compare(x, y, metrics=given) for given in (metrics, ("ssim:skimage", "ssim:wang2004"))
    )
    assert row == other
    assert list(row.values) == ["ssim:skimage", "ssim:wang2004"]


@pytest.mark.boundary
def test_pairs_of_an_iterable_are_checked_as_they_come(files):
    run = pixelgauge.compare([("ref/0.png", "test/0.png"), ("ref/1.png",)], workers=1)
    with pytest.raises(TypeError, match="pair 1 is a tuple of 1: without test, ref holds pairs"):
        list(run)


@pytest.mark.property
def test_an_endless_iterable_is_taken_as_needed_and_closing_stops_the_work(files):
    taken, before = itertools.count(), set(threading.enumerate())
    with pixelgauge.compare(("ref/0.png", "test/0.png") for _ in taken) as run:
        assert next(run).status == "ok"
    assert next(taken) <= 16 * pixelgauge.get_num_threads() + 3
    assert list(run) == []
    assert run.summary.count == 1
    left = set(threading.enumerate()) - before
    assert not [thread for thread in left if thread.name.startswith("pixelgauge")]


@pytest.mark.property
def test_threads_share_a_run_and_each_row_goes_to_one():
    x = np.zeros((400, 8, 8), np.uint8)
    run = pixelgauge.compare(x, x, metrics="mse", channel_axis=None, workers=3)
    found, asked = [[] for _ in range(4)], []

    def take(rows):
        for row in run:
            rows.append(row.ref)
            asked.append(run.summary.compute()["mse"].count)

    threads = [threading.Thread(target=take, args=(rows,)) for rows in found]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(functools.reduce(operator.iadd, found, [])) == sorted(f"ref[{i}]" for i in range(400))
    assert all(rows == sorted(rows, key=lambda name: int(name[4:-1])) for rows in found)
    assert run.summary.count == 400
    assert run.summary.compute()["mse"].count == 400


@pytest.mark.property
def test_any_thread_closes_a_run_that_others_go_through():
    x = np.zeros((100_000, 2, 2), np.uint8)
    run = pixelgauge.compare(x, x, metrics="mse", channel_axis=None, workers=2)
    counts = [0] * 3

    def take(i):
        for _ in run:
            counts[i] += 1

    threads = [threading.Thread(target=take, args=(i,)) for i in range(3)]
    [thread.start() for thread in threads]
    while run.summary.count < 50:
        time.sleep(0.001)
    run.close()
    [thread.join(60) for thread in threads]
    assert not any(thread.is_alive() for thread in threads)
    assert 50 <= sum(counts) == run.summary.count < 100_000
    run.close()
    assert list(run) == []


_FORKED = """
import os, sys, warnings
import numpy as np, pixelgauge
from pixelgauge.parallel import ordered_map
warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads, which is what this is about
run = pixelgauge.compare([np.zeros((16, 16), np.uint8)] * 200, [np.zeros((16, 16), np.uint8)] * 200, workers=2)
mapped = ordered_map(abs, range(100), 2, 2)
next(run), next(mapped)
if os.fork() == 0:
    for rows in (run, mapped):
        try:
            list(rows)
        except RuntimeError as error:
            print(error)
    with run:
        pass
    sys.exit()
assert os.wait()[1] == 0
assert len(list(run)) == 199
assert len(list(mapped)) == 99
"""


@pytest.mark.boundary
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_run_in_a_forked_process_is_an_error_and_goes_on_in_its_own():
    done = subprocess.run([sys.executable, "-c", _FORKED], capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.partition(" in process ")[0] for line in done.stdout.splitlines()] == [
        "this run was made",
        "this work was begun",
    ]
    assert done.stdout.count("begin anew here") == 2


@pytest.mark.boundary
def test_what_ends_a_run_is_raised_in_every_thread_and_is_no_end(files):
    run = pixelgauge.compare([("ref/0.png", "test/0.png")] * 20 + ["none"], metrics="mse", workers=2)
    rows, errors = [], []

    def take():
        try:
            for row in run:
                rows.append(row)
        except TypeError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=take) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    assert len(errors) == 4
    assert all("pair 20 is a str: without test, ref holds pairs" in error for error in errors)
    with pytest.raises(TypeError, match="pair 20 is a str"):
        next(run)
    assert run.summary.count == len(rows) <= 20


@pytest.mark.property
def test_options_and_metrics_of_runs_do_not_mix(files):
    """Runs at once over the same files, each with its own metrics, range and presets, through shared decoders."""
    kinds = [
        {"metrics": "ssim", "preset": "skimage"},
        {"metrics": ("psnr", "ssim:wang2004")},
        {"metrics": "mse", "gray": True},
        {"metrics": "psnr", "crop_border": 2},
        {"metrics": "ssim", "luma": "bt601"},
        {"metrics": "psnr", "data_range": 300},
    ]
    want = [list(pixelgauge.compare("ref", "test", **kind)) for kind in kinds]
    found = [None] * len(kinds)

    def score(i):
        found[i] = [list(pixelgauge.compare("ref", "test", workers=3, **kinds[i])) for _ in range(4)]

    threads = [threading.Thread(target=score, args=(i,)) for i in range(len(kinds))]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert all(rows == want[i] for i, several in enumerate(found) for rows in several)


@pytest.mark.property
def test_runs_at_the_same_time_do_not_disturb_one_another(files):
    want = list(pixelgauge.compare("ref", "test"))
    found = [None] * 6

    def score(i):
        found[i] = list(pixelgauge.compare("ref", "test", workers=2))

    threads = [threading.Thread(target=score, args=(i,)) for i in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert all(rows == want for rows in found)


@pytest.mark.property
def test_one_opened_picture_on_many_threads_is_loaded_once(files):
    image = Image.open("ref/0.png")
    rows = list(pixelgauge.compare([image] * 30, [image] * 30, metrics="mse", workers=8))
    assert [row.values for row in rows] == [{"mse": 0.0}] * 30
    image = Image.open("ref/1.png")
    rows = list(pixelgauge.compare(((image, image) for _ in range(30)), metrics="mse", workers=8))
    assert [row.values for row in rows] == [{"mse": 0.0}] * 30


@pytest.mark.property
def test_summaries_merge_into_each_other_from_two_threads_and_pickle():
    a, b = Summary({"mse": False}), Summary({"mse": False})
    a.update(ScoreRow("a", "a", "ok", "", {"mse": 1.0}))
    b.update(ScoreRow("b", "b", "ok", "", {"mse": 2.0}))
    threads = [threading.Thread(target=x.merge, args=(y,)) for x, y in ((a, b), (b, a))]
    [thread.start() for thread in threads]
    [thread.join(10) for thread in threads]
    assert not any(thread.is_alive() for thread in threads)
    a.merge(a)
    assert pickle.loads(pickle.dumps(a)).compute() == a.compute()


@pytest.mark.boundary
def test_a_picture_that_cannot_be_read_is_a_row(files):
    rows = list(pixelgauge.compare([Image.new("CMYK", (20, 20)), pictures(1)[0]], list(pictures(2))))
    assert [row.status for row in rows] == ["unreadable", "ok"]
    assert rows[0].message.startswith("REF: a PIL image of mode CMYK")
