"""Bytes of images in flight: never more than there are, in turn, and nobody waits for ever."""

from __future__ import annotations

import math
import random
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge.engine import items, pipeline
from pixelgauge.engine.pairing import find_pairs
from pixelgauge.engine.pipeline import score_pairs
from pixelgauge.images import budget as budget_module
from pixelgauge.images import read_image
from pixelgauge.images.budget import Budget, Share, memory_size
from pixelgauge.images.headers import decoding_bytes
from pixelgauge.runtime import memory_limit, release_freed_memory
from tests.engine.runs import comparing
from tests.pictures import random_pixels


@pytest.mark.property
def test_threads_never_hold_more_than_there_is_and_all_get_theirs() -> None:
    budget, rng = Budget(100), random.Random(0)
    lock, held, most = threading.Lock(), 0, 0
    needs = [[rng.choice((1, 20, 60, 100)) for _ in range(40)] for _ in range(8)]

    def work(mine: list[int]) -> None:
        nonlocal held, most
        for need in mine:
            share = Share(budget)
            assert share.admitted(lambda need=need: ("pixels", need)) == "pixels"
            with lock:
                held += need
                most = max(most, held)
            time.sleep(0.0002)
            with lock:
                held -= need
            share.keep(0)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in needs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert 60 < most <= 100
    assert not budget.is_short


@pytest.mark.property
def test_a_large_need_is_not_passed_for_ever_and_one_beyond_all_comes_alone() -> None:
    budget = Budget(100)
    first, large, small = (Share(budget) for _ in range(3))
    order: list[str] = []
    first.admitted(lambda: (None, 60))
    is_waiting = threading.Event()
    budget.short = is_waiting.set

    def take(share: Share, name: str, need: int) -> None:
        share.admitted(lambda: (None, need))
        order.append(name)
        share.keep(0)

    one = threading.Thread(target=take, args=(large, "large", 1000))
    one.start()
    assert is_waiting.wait(10)
    is_waiting.clear()
    other = threading.Thread(target=take, args=(small, "small", 10))  # which would fit beside the first
    other.start()
    assert is_waiting.wait(10)
    assert order == []
    first.keep(0)
    one.join(10)
    other.join(10)
    assert order == ["large", "small"]


@pytest.mark.property
def test_nothing_that_was_read_is_held_while_waiting() -> None:
    budget, alive = Budget(100), []

    class Data:
        def __init__(self) -> None:
            alive.append(self)

        def __del__(self) -> None:
            gone.set()

    gone = threading.Event()
    first, second = Share(budget), Share(budget)
    first.admitted(lambda: (None, 80))
    loads = []

    def load() -> tuple[Data, int]:
        loads.append(1)
        data = Data()
        alive.clear()
        return data, 50

    thread = threading.Thread(target=lambda: second.admitted(load))
    thread.start()
    assert gone.wait(10)
    assert len(loads) == 1
    first.keep(0)
    thread.join(10)
    assert len(loads) == 2


@pytest.mark.property
def test_what_a_large_image_leaves_goes_back_to_the_system_where_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[int] = []
    monkeypatch.setattr(budget_module, "release_freed_memory", lambda: released.append(1))
    budget = Budget(1 << 28)
    first, second = Share(budget), Share(budget)
    is_waiting = threading.Event()
    budget.short = is_waiting.set
    first.wait_for(1 << 28)
    first.keep(1 << 27)  # nobody waits
    assert not released
    thread = threading.Thread(target=second.wait_for, args=(1 << 28,))
    thread.start()
    assert is_waiting.wait(10)
    first.keep((1 << 27) - 1000)
    assert not released
    first.keep(0)
    thread.join(10)
    assert released
    release_freed_memory()  # whatever the system is


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (1, 1),
        ("4096", 4096),
        ("2k", 2048),
        ("500M", 500 << 20),
        ("500MiB", 500 << 20),
        ("500MB", 500_000_000),
        ("1.5G", 3 << 29),
        (" 1 TiB ", 1 << 40),
        ("7B", 7),
        (np.int64(9), 9),
    ],
)
def test_sizes_as_they_are_written(text: object, expected: int) -> None:
    assert memory_size(text) == expected


@pytest.mark.boundary
@pytest.mark.parametrize("text", ["", "much", "-1", "1X", "1e9", "0", "0.1B", "2 GB of it", "1" * 30, "nan", "inf"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="memory="):
        memory_size(text)
    with pytest.raises(ValueError, match="memory="):
        pixelgauge.compare(np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8), memory=text)


@pytest.mark.boundary
@pytest.mark.parametrize("value", [1.5, True, b"2G", math.inf])
def test_sizes_of_another_kind_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="memory="):
        memory_size(value)
    with pytest.raises(ValueError, match="memory=0"):
        memory_size(0)


@pytest.mark.property
def test_the_default_is_half_of_what_there_is() -> None:
    limit = memory_limit()
    if limit is None:
        pytest.skip("this system does not tell how much memory there is")
    assert memory_size(None) == limit // 2
    assert limit > 1 << 26


FORMATS = {
    "png": {},
    "jpg": {"quality": 90},
    "webp": {"lossless": True},
    "bmp": {},
    "tif": {"compression": "tiff_deflate"},
    "gif": {},
    "ppm": {},
    "jp2": {},
}


@pytest.mark.property
@pytest.mark.parametrize("kind", FORMATS)
def test_an_estimate_is_never_below_the_pixels_nor_beyond_what_is_promised(kind: str, tmp_path: Path) -> None:
    for shape in ((40, 50, 3), (40, 50)):
        Image.fromarray(random_pixels(shape, 1)).save(tmp_path / f"x.{kind}", **FORMATS[kind])
        data = (tmp_path / f"x.{kind}").read_bytes()
        pixels = read_image(data)
        assert pixels.nbytes + len(data) < decoding_bytes(data) <= 32 * 40 * 50 + 3 * len(data)


@pytest.mark.property
def test_deep_samples_count_as_such(tmp_path: Path) -> None:
    deep = random_pixels((40, 50), 1, np.uint16)
    for kind in ("png", "tif"):
        Image.fromarray(deep).save(tmp_path / f"x.{kind}")
        assert decoding_bytes((tmp_path / f"x.{kind}").read_bytes()) >= 32 * deep.size


@pytest.mark.boundary
@pytest.mark.parametrize("data", [b"", b"nonsense", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"GIF89a"])
def test_what_is_no_image_counts_as_its_bytes(data: bytes) -> None:
    assert decoding_bytes(data) == 3 * len(data)


def folders(tmp_path: Path, sizes: list[tuple[int, int]]) -> None:
    for side, seed in (("ref", 1), ("test", 2)):
        (tmp_path / side).mkdir()
        for i, size in enumerate(sizes):
            Image.fromarray(random_pixels((*size, 3), seed + i)).save(tmp_path / side / f"{i:02}.png")


@pytest.mark.property
@pytest.mark.parametrize("memory", [1, 40_000, 200_000, 10**9])
def test_rows_are_the_same_within_any_memory(tmp_path: Path, memory: int) -> None:
    rng = random.Random(1)
    folders(tmp_path, [(rng.randrange(12, 80), rng.randrange(12, 80)) for _ in range(30)])
    (tmp_path / "test" / "03.png").write_bytes(b"broken")
    (tmp_path / "ref" / "04.png").write_bytes(b"")
    (tmp_path / "test" / "04.png").unlink()
    pairing = find_pairs(tmp_path / "ref", tmp_path / "test")
    plain = [pipeline.score_pair(*pairing.sources(p), comparing()) for p in pairing.pairs if p.status == "ok"]
    for workers in (1, 3):
        rows = list(score_pairs(pairing, comparing(), workers=workers, memory=memory))
        assert [row for row in rows if row.status != "missing"] == plain


@pytest.mark.property
def test_decoded_images_stay_within_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders(tmp_path, [(64, 64)] * 40)
    lock, held, most = threading.Lock(), 0, 0
    read = items.read_picture
    need = 2 * decoding_bytes((tmp_path / "ref" / "00.png").read_bytes())

    def slow(path: str, **options: object) -> object:
        nonlocal held, most
        with lock:
            held += need // 2
            most = max(most, held)
        time.sleep(0.001)
        found = read(path, **options)  # type: ignore[arg-type]
        with lock:
            held -= need // 2
        return found

    monkeypatch.setattr(items, "read_picture", slow)
    pairing = find_pairs(tmp_path / "ref", tmp_path / "test")
    rows = list(score_pairs(pairing, comparing(), workers=8, memory=2 * need + 1))
    assert len(rows) == 40
    assert most <= 2 * need // 2  # each pair decodes one at a time, and two pairs at most are in work


@pytest.mark.property
def test_every_kind_of_input_goes_within_a_small_memory(tmp_path: Path) -> None:
    x, y = random_pixels((3, 20, 30, 3), 1), random_pixels((3, 20, 30, 3), 2)
    pictures = [Image.fromarray(one) for one in y]
    folders(tmp_path, [(20, 30)] * 3)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    Image.fromarray(x[0]).save(tmp_path / "x.gif", save_all=True, append_images=[Image.fromarray(one) for one in x[1:]])
    paths = [str(tmp_path / name) for name in ("ref/00.png", "test/00.png")]
    runs = {
        "arrays": ((x, y), {}),
        "one array": ((x[0], pictures), {}),
        "one file": ((paths[0], [paths[1]] * 3), {}),
        "stacks": ((tmp_path / "x.npy", tmp_path / "y.npy"), {}),
        "frames": ((tmp_path / "x.gif", tmp_path / "x.gif"), {"frames": True}),
    }
    for name, (given, options) in runs.items():
        rows = [list(pixelgauge.compare(*given, memory=memory, workers=3, **options)) for memory in (1, 10**9)]
        assert len(rows[0]) == 3, name
        assert [row.status for row in rows[0]] == ["ok"] * 3, name
        assert rows[0] == rows[1], name


@pytest.mark.property
def test_a_run_that_is_left_while_threads_wait_for_memory_ends(tmp_path: Path) -> None:
    folders(tmp_path, [(64, 64)] * 60)
    before = threading.active_count()
    with pixelgauge.compare(tmp_path / "ref", tmp_path / "test", workers=6, memory=1) as run:
        assert next(run).status == "ok"
    assert threading.active_count() == before


@pytest.mark.cli
def test_the_command_takes_a_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pixelgauge.cli import main

    folders(tmp_path, [(20, 30)] * 2)
    sides = [str(tmp_path / side) for side in ("ref", "test")]
    assert main(["compare", *sides, "--memory", "1M", "--quiet"]) == 0
    assert main(["compare", *sides, "--memory", "1X"]) == 2
    assert "--memory '1X' is no size: give bytes, or a number with K, M, G or T" in capsys.readouterr().err


@pytest.mark.boundary
@pytest.mark.skipif(sys.platform != "linux", reason="cgroups are Linux's")
def test_a_cgroup_of_less_memory_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "/proc/self/cgroup": "12:memory:/a/b\n0::/c/d\n",
        "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": str(1 << 62),
        "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": str(3 << 20),
        "/sys/fs/cgroup/c/d/memory.max": "max\n",
        "/sys/fs/cgroup/c/memory.max": f"{2 << 20}\n",
    }

    def read_text(path: Path) -> str:
        if str(path) not in files:
            raise FileNotFoundError(path)
        return files[str(path)]

    monkeypatch.setattr(Path, "read_text", read_text)
    assert memory_limit() == 2 << 20
    del files["/sys/fs/cgroup/c/memory.max"]
    assert memory_limit() == 3 << 20
    files.clear()
    assert (memory_limit() or 1 << 30) > 1 << 26
