"""What a run takes pairs from: lists, patterns, one against many, archives, stacks; and what is hostile in them."""

from __future__ import annotations

import io
import json
import os
import random
import sys
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageCms

import pixelgauge
from pixelgauge.engine.pair_lists import PairList
from pixelgauge.engine.pairing import Pair, find_pairs
from pixelgauge.engine.rows import file_state
from pixelgauge.files.reading import FileError


def pictures(count, seed=0, size=16):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def encoded(picture, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def files(here):
    for side, seed in (("ref", 1), ("test", 2)):
        os.makedirs(f"{side}/sub")
        for i, picture in enumerate(pictures(4, seed)):
            (here / side / ("sub" if i % 2 else ".") / f"{i}.png").write_bytes(encoded(picture))
    return here


def scores(ref, test=None, **options):
    return [
        (row.test, row.status, row.values.get("mse")) for row in pixelgauge.compare(ref, test, metrics="mse", **options)
    ]


# ---- lists -----------------------------------------------------------------------------------------------------------


NAMES = [("a b.png", "c  d.png"), ("e.png", "f.png"), ("=1.png", 'g,"h".png'), ("ä.png", "日.png")]


def write_list(kind, pairs, columns=("ref", "test")):
    path = f"pairs{kind}"
    if kind in (".txt", ""):
        with open(path, "wb") as file:
            file.write(b"".join(os.fsencode(f"{a}\t{b}\n") for a, b in pairs))
    elif kind in (".csv", ".tsv"):
        import csv

        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter="," if kind == ".csv" else "\t")
            writer.writerows([("number", *columns), *((i, a, b) for i, (a, b) in enumerate(pairs))])
    elif kind == ".jsonl":
        with open(path, "w") as file:
            file.writelines(json.dumps({columns[1]: b, "x": 1, columns[0]: a}) + "\n" for a, b in pairs)
    else:
        arrow = pytest.importorskip("pyarrow")
        import pyarrow.parquet as parquet

        parquet.write_table(arrow.table({columns[0]: [a for a, _ in pairs], columns[1]: [b for _, b in pairs]}), path)
    return path


@pytest.mark.oracle
@pytest.mark.parametrize("kind", [".txt", "", ".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_list_of_any_kind_holds_its_pairs_in_order(kind, here):
    path = write_list(kind, NAMES * 700)
    pairs = PairList(path)
    assert len(pairs) == 2800
    for _ in range(2):
        assert list(pairs) == [Pair(a, b) for a, b in NAMES * 700]


@pytest.mark.oracle
@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".parquet"])
def test_columns_have_names(kind, here):
    path = write_list(kind, NAMES, ("gt", "out"))
    assert list(PairList(path, ("gt", "out"))) == [Pair(a, b) for a, b in NAMES]
    assert list(PairList(path, ("out", "gt"))) == [Pair(b, a) for a, b in NAMES]
    with pytest.raises(FileError, match=r"has no column 'ref': it has .*: see --columns"):
        PairList(path)


@pytest.mark.property
@pytest.mark.parametrize("kind", [".txt", ".csv", ".parquet"])
def test_a_list_is_held_at_no_time(kind, here):
    import tracemalloc

    def peak(count):
        path = write_list(kind, [(f"ref/{i:06}.png", f"test/{i:06}.png") for i in range(count)])
        assert next(iter(PairList(path))).ref == "ref/000000.png"  # what is imported for it, once
        tracemalloc.start()
        try:
            assert sum(pair.ref < pair.test for pair in PairList(path)) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # Past the 26,000 rows of three blocks of CSV, more take no more: the names of 14,000 would be 1.8 MB.
    assert peak(42000) < peak(28000) + (1 << 18)


@pytest.mark.property
def test_any_bytes_are_names_of_a_list(here):
    odd = [bytes(random.Random(i).choices([c for c in range(1, 256) if c not in b"\t\n\r"], k=9)) for i in range(300)]
    (here / "pairs").write_bytes(b"".join(b"%s\t%s\r\n" % (name, name[::-1]) for name in odd))
    assert [(os.fsencode(p.ref), os.fsencode(p.test)) for p in PairList("pairs")] == [(n, n[::-1]) for n in odd]
    (here / "pairs.jsonl").write_text("".join(json.dumps({"ref": os.fsdecode(n), "test": "t"}) + "\n" for n in odd))
    assert [os.fsencode(pair.ref) for pair in PairList("pairs.jsonl")] == odd


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a b c\n", "line 1: 'a b c' has 3 words: give two paths a line, parted by a tab if they hold blanks"),
        (b"a b\n\na\n", "line 3: 'a' has 1 words"),
        (b"a\tb\tc\n", "line 1: .* has 3 columns"),
        (b"a\t\n", "line 1: .* has 2 columns"),
        (b"", "pairs: holds no pairs"),
        (b"\n \n", "pairs: holds no pairs"),
        (b"a b\n" + b"x" * 70000, "line 2: it has 65536 bytes or more"),
    ],
)
def test_a_line_that_is_no_pair_is_named_before_any_is_scored(content, message, here):
    (here / "pairs").write_bytes(content)
    with pytest.raises(FileError, match=message):
        pixelgauge.compare("@pairs")


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.csv", b"ref,test\na,\n", "row 1: column 'test' is empty"),
        ("p.csv", b"ref,test\na\n", "row 1: 1 cells"),
        ("p.jsonl", b'{"ref": "a", "test": 3}\n', "line 1: column 'test' is 3, which is no path"),
        ("p.jsonl", b'{"ref": "a", "test": null}\n', "line 1: column 'test' is empty"),
        ("p.jsonl", b"[1]\n", "not a JSON object"),
        ("p.parquet", b"PAR1", "cannot be read as a list of pairs|Parquet"),
    ],
)
def test_a_row_that_is_no_pair_is_named(name, content, message, here):
    (here / name).write_bytes(content)
    with pytest.raises(FileError, match=message):
        PairList(name)


@pytest.mark.boundary
def test_a_list_that_is_no_file_is_refused(here):
    os.mkfifo("pipe")
    for path, error in (("pipe", FileError), ("none", FileNotFoundError), (".", IsADirectoryError)):
        with pytest.raises(error):
            PairList(path)
    (here / "pairs").write_text("a b\n")
    with pytest.raises(ValueError, match="pairs is text of two columns: leave them out"):
        pixelgauge.compare("@pairs", columns=("a", "b"))


@pytest.mark.oracle
def test_listed_pairs_have_the_scores_of_folders_and_faults_are_rows(files):
    os.mkfifo("pipe.png")
    os.symlink("loop.png", "loop.png")
    (files / "cut.png").write_bytes(encoded(pictures(1)[0])[:200])
    faults = ["pipe.png", "loop.png", "cut.png", "none.png", "/dev/zero", "ref", "nul\0.png"]
    names = [f"sub/{i}.png" if i % 2 else f"{i}.png" for i in range(4)]
    write_list(".txt", [(f"ref/{n}", f"test/{n}") for n in names] + [(f"ref/{names[0]}", fault) for fault in faults])
    found = scores("@pairs.txt", workers=3)
    want = {name: value for name, _, value in scores("ref", "test")}
    assert found[:4] == [(f"test/{n}", "ok", want[f"test/{n}"]) for n in names]
    assert found[4:] == [(fault, "unreadable", None) for fault in faults]


@pytest.mark.boundary
def test_a_file_that_vanishes_during_the_run_is_a_row(files):
    run = pixelgauge.compare([("ref/0.png", "test/0.png")] * 200, metrics="mse", workers=1)
    assert next(run).status == "ok"
    os.unlink("test/0.png")
    statuses = [row.status for row in run]
    assert (len(statuses), statuses[-1]) == (199, "unreadable")


# ---- patterns and one against many ------------------------------------------------------------------------------------


@pytest.mark.oracle
def test_patterns_pair_by_the_stem_within_one_folder_and_across_folders(here):
    for name in ("a_gt.png", "a_out.jpg", "sub/b_gt.png", "sub/b_out.png", "c_gt.png", "d_out.png", "notes.png"):
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        (here / name).write_bytes(b"")
    pairing = find_pairs(".", ".", patterns=("{stem}_gt", "{stem}_out"))
    assert pairing.pairs == [
        Pair("a_gt.png", "a_out.jpg"),
        Pair("c_gt.png", None, "missing", "no partner in TEST"),
        Pair(None, "d_out.png", "missing", "no partner in REF"),
        Pair("sub/b_gt.png", "sub/b_out.png"),
    ]
    assert pairing.unmatched == 14 - 6
    assert find_pairs(".", ".", patterns=("sub/{stem}_gt", "{stem}_out.jpg")).pairs[0].status == "missing"
    assert find_pairs(".", ".", patterns=("{stem}_gt.png", "sub/{stem}_out")).unmatched == 14 - 4


@pytest.mark.boundary
def test_patterns_that_cannot_pair_are_refused(files):
    for pattern in ("out", "{stem}{stem}", "{name}_out", ""):
        with pytest.raises(ValueError, match=r"must hold \{stem\} once"):
            find_pairs("ref", "test", patterns=(pattern, "{stem}"))
    with pytest.raises(ValueError, match=r"pair='\{stem\}_out' is the pattern of no image in test: there is \['0.png'"):
        find_pairs("ref", "test", patterns=("{stem}", "{stem}_out"))
    with pytest.raises(ValueError, match="patterns are of two folders"):
        find_pairs("ref/0.png", "test/0.png", patterns=("{stem}", "{stem}"))


@pytest.mark.property
def test_two_files_of_one_key_are_ambiguous(here):
    for name in ("a_gt.png", "a_gt.jpg", "a_out.png"):
        (here / name).write_bytes(b"")
    pairs = find_pairs(".", ".", patterns=("{stem}_gt", "{stem}_out")).pairs
    assert [pair.status for pair in pairs] == ["ambiguous"] * 3


@pytest.mark.oracle
def test_one_reference_against_a_folder(files):
    want = [pixelgauge.mse(pictures(4, 1)[0], picture) for picture in pictures(4, 2)]
    found = scores("ref/0.png", "test")
    assert [name for name, _, _ in found] == ["test/0.png", "test/2.png", "test/sub/1.png", "test/sub/3.png"]
    assert [value for _, _, value in found] == [want[0], want[2], want[1], want[3]]
    with pytest.raises(ValueError, match=r"ref is a folder and test/0.png a file: .* or one reference and many"):
        find_pairs("ref", "test/0.png")


# ---- archives and stacks ----------------------------------------------------------------------------------------------


def pack(folder, path):
    names = sorted(os.path.relpath(os.path.join(at, n), folder) for at, _, ns in os.walk(folder) for n in ns)
    if path.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.write(os.path.join(folder, name), name)
    else:
        with tarfile.open(path, "w") as archive:
            archive.add(folder, ".")
    return path


@pytest.mark.oracle
@pytest.mark.parametrize("kinds", [("zip", "zip"), ("tar", "tar"), ("zip", "tar"), ("", "tar"), ("zip", "")])
def test_archives_pair_like_folders_and_nothing_is_unpacked(kinds, files):
    want = [(status, value) for _, status, value in scores("ref", "test")]
    sides = [pack(side, f"{side}.{kind}") if kind else side for side, kind in zip(("ref", "test"), kinds, strict=True)]
    before = sorted(os.walk("."))
    rows = list(pixelgauge.compare(*sides, metrics="mse", workers=4))
    assert [(row.status, row.values["mse"]) for row in rows] == want
    assert [row.ref for row in rows] == [f"{sides[0]}/{name}" for name in ("0.png", "2.png", "sub/1.png", "sub/3.png")]
    assert rows[2].files == (file_state(rows[2].ref), file_state(rows[2].test))
    assert rows[2].files[0].bytes == os.path.getsize(sides[0] if kinds[0] else "ref/sub/1.png")
    assert sorted(os.walk(".")) == before


def tar_of(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in members:
            if len(data) > 1:  # a kind is one character
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
            else:
                info = tarfile.TarInfo(name)
                info.type = data
                info.linkname = "/etc/passwd"
                archive.addfile(info)
    return buffer.getvalue()


PNG = encoded(pictures(1)[0])


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (tar_of(("../x.png", PNG)), "a name of no file within the archive"),
        (tar_of(("/x.png", PNG)), "a name of no file within the archive"),
        (tar_of(("x.png", PNG), ("./x.png", PNG)), "twice, or under two names"),
        (tar_of(("x.txt", PNG)), "holds no images"),
        (tar_of(("x.png", tarfile.SYMTYPE)), "holds no images"),
        (tar_of(("x.png", PNG), ("y.png", PNG))[:700], "damaged|ends within"),
        (tar_of(("x.png", PNG), ("y.png", PNG))[:2000], "damaged|no end|ends within"),
        (tar_of(("x.png", PNG * 9), ("y.png", PNG)).replace(b"y.png", b"z.png", 1), "damaged|no end"),
    ],
)
def test_hostile_and_damaged_tar_archives_are_refused(data, message, here):
    (here / "x.tar").write_bytes(data)
    with pytest.raises(FileError, match=message):
        find_pairs("x.tar", "x.tar")


@pytest.mark.boundary
def test_links_devices_and_pipes_of_a_tar_are_left_out_and_counted(here):
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)
    (here / "x.tar").write_bytes(tar_of(("a.png", PNG), *((f"{i}.png", kind) for i, kind in enumerate(kinds))))
    pairing = find_pairs("x.tar", "x.tar")
    assert list(pairing.pairs) == [Pair("a.png", "a.png")]
    assert pairing.ignored == {"links and devices": 8}


@pytest.mark.boundary
def test_a_zip_bomb_and_a_compressed_tar_are_refused(here):
    with zipfile.ZipFile("bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(200 << 20))
    with pytest.raises(FileError, match="claims to hold 209715200, and at most 10 times"):
        find_pairs("bomb.zip", "bomb.zip")
    with tarfile.open("x.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("x.png"))
    with pytest.raises(FileError, match=r"is a compressed tar archive.*: decompress it first"):
        find_pairs("x.tar.gz", "x.tar.gz")


@pytest.mark.boundary
@pytest.mark.parametrize("name", ["/etc/b.png", "//b.png"])
def test_a_member_of_the_root_is_refused(here, name):
    """Its row would be of a file beside the archive, and so would size and time."""
    with zipfile.ZipFile("x.zip", "w") as archive:
        archive.writestr("a.png", PNG)
        archive.writestr(name, PNG)
    with pytest.raises(FileError, match=f"has a member '{name}', a name of no file within the archive"):
        find_pairs("x.zip", "x.zip")


@pytest.mark.boundary
def test_a_damaged_member_is_a_row(here):
    for name, broken in (("ref.zip", False), ("test.zip", True)):
        with zipfile.ZipFile(name, "w") as archive:
            archive.writestr("a.png", PNG)
            archive.writestr("b.png", PNG)
        if broken:
            data = bytearray((here / name).read_bytes())
            data[data.index(b"IDAT") + 5] ^= 1
            (here / name).write_bytes(data)
    assert [status for _, status, _ in scores("ref.zip", "test.zip")] == ["unreadable", "ok"]


@pytest.mark.property
def test_files_of_archives_are_closed(files):
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc")
    pack("ref", "ref.zip")
    pack("test", "test.tar")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        next(pixelgauge.compare("ref.zip", "test.tar"))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.oracle
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_stacks_pair_by_number(kind, here):
    x, y = pictures(5, 1), pictures(7, 2)
    for name, stack in (("x", x), ("y", y)):
        np.save(name, stack) if kind == "npy" else np.savez(name, stack)
    rows = list(pixelgauge.compare(f"x.{kind}", f"y.{kind}", metrics="mse"))
    assert [row.values["mse"] for row in rows[:5]] == [pixelgauge.mse(a, b) for a, b in zip(x, y, strict=False)]
    assert (rows[4].ref, rows[4].test) == (f"x.{kind}[4]", f"y.{kind}[4]")
    assert [(row.ref, row.test, row.status) for row in rows[5:]] == [
        (None, f"y.{kind}[{i}]", "missing") for i in (5, 6)
    ]
    assert rows[0].files[0] == file_state(f"x.{kind}")


@pytest.mark.boundary
@pytest.mark.parametrize("kind", ["cut", "written anew", "vanished"])
def test_a_stack_that_changes_during_the_run_is_rows(kind, here):
    """Of a file that is mapped, cutting it would end the process."""
    np.save("x.npy", pictures(300, 1))
    np.save("y.npy", pictures(300, 2))
    run = pixelgauge.compare("x.npy", "y.npy", metrics="mse", workers=1)
    first = next(run)
    if kind == "cut":
        os.truncate("y.npy", 5000)
    elif kind == "written anew":
        np.save("y.npy", pictures(3, 3))
    else:
        os.unlink("y.npy")
    rows = [first, *run]
    assert len(rows) == 300
    if kind == "vanished":  # it is open
        assert {row.status for row in rows} == {"ok"}
        return
    assert (rows[-1].status, rows[-1].message) == (
        "unreadable",
        "TEST: ends before this image: it was cut meanwhile",
    )


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<f2", ">f4", "f8"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(3, 20, 16), (3, 20, 16, 3), (3, 20, 16, 1)])
def test_stacks_of_any_order_and_samples(here, dtype, order, shape):
    stack = (np.random.default_rng(1).random(shape) * (200 if dtype[-2] == "u" else 1)).astype(dtype)
    np.save("x.npy", np.array(stack, order=order))
    np.save("y.npy", np.array(stack[::-1], order=order))
    options = {} if stack.dtype.kind == "u" else {"data_range": 1.0}
    axis = None if len(shape) == 3 else -1
    want = [row.values for row in pixelgauge.compare(stack, stack[::-1], channel_axis=axis, **options)]
    assert [row.values for row in pixelgauge.compare("x.npy", "y.npy", **options)] == want
    assert all(want)


@pytest.mark.oracle
def test_shapes_of_stacks(here):
    (here / "one.png").write_bytes(encoded(pictures(1)[0]))
    for shape, names in (
        ((16, 16), ["x.npy"]),
        ((16, 16, 3), ["x.npy"]),
        ((4, 16, 16), [f"x.npy[{i}]" for i in range(4)]),
        ((2, 16, 16, 3), ["x.npy[0]", "x.npy[1]"]),
        ((2, 16, 16, 1), ["x.npy[0]", "x.npy[1]"]),
    ):
        np.save("x.npy", np.zeros(shape, np.uint8))
        assert [name for name, _, _ in scores("x.npy", "x.npy")] == names
        assert [name for name, _, _ in scores("one.png", "x.npy")] == names
    for array, message in (
        (np.zeros((2, 3, 16, 16), np.uint8), "move the channels with moveaxis"),
        (np.zeros((2, 16, 16, 3), np.int32), "holds no images: the array has dtype int32"),
        (np.zeros(4, np.uint8), "holds no images"),
        (np.zeros((0, 16, 16, 3), np.uint8), "holds no value"),
    ):
        np.save("x.npy", array)
        with pytest.raises(FileError, match=message):
            find_pairs("x.npy", "x.npy")
    np.save("x.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(FileError):
        find_pairs("x.npy", "x.npy")


# ---- the command line -------------------------------------------------------------------------------------------------


def run(capsys, *arguments):
    from pixelgauge.cli import main

    code = main(["compare", "--metrics", "mse", *arguments])
    return code, *capsys.readouterr()


class Bytes:
    def __init__(self, data):
        self.buffer = io.BytesIO(data)


@pytest.mark.cli
def test_lists_and_images_on_standard_input(files, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Bytes(b"ref/0.png test/0.png\nref/2.png\ttest/none.png\n"))
    code, out, _ = run(capsys, "@-")
    assert code == 1
    assert "ref/0.png → test/0.png" in out
    assert "2 pairs: 1 scored, 1 failed (1 unreadable)" in out
    monkeypatch.setattr(sys, "stdin", Bytes((files / "test" / "0.png").read_bytes()))
    code, out, _ = run(capsys, "ref/0.png", "-", "--json")
    row = json.loads(out)["rows"][0]
    assert (code, row["test"], row["mse"]) == (0, "-", scores("ref/0.png", "test/0.png")[0][2])
    code, _, err = run(capsys, "-", "-")
    assert code == 2
    assert "both standard input" in err


@pytest.mark.cli
def test_a_list_with_columns_and_an_output_that_is_gone_on_with(files, capsys):
    names = ["0.png", "2.png", "sub/1.png", "sub/3.png"]
    path = write_list(".csv", [(f"ref/{n}", f"test/{n}") for n in names], ("gt", "out"))
    assert run(capsys, f"@{path}", "--columns", "gt,out", "--output", "rows.csv")[0] == 0
    whole = (files / "rows.csv").read_bytes()
    (files / "rows.csv").write_bytes(b"".join(whole.splitlines(keepends=True)[:3]) + b"ref/su")
    code, out, _ = run(capsys, f"@{path}", "--columns", "gt,out", "--output", "rows.csv", "--resume")
    assert code == 0
    assert "4 pairs: 4 scored" in out
    assert (files / "rows.csv").read_bytes() == whole


@pytest.mark.cli
def test_a_stack_that_was_replaced_is_scored_again(here, capsys):
    np.save("x.npy", pictures(3, 1))
    np.save("y.npy", pictures(3, 2))
    assert run(capsys, "x.npy", "y.npy", "--output", "rows.csv")[0] == 0
    assert run(capsys, "x.npy", "y.npy", "--output", "rows.csv", "--resume")[0] == 0
    np.save("y.npy", pictures(3, 3))
    os.utime("y.npy", ns=(1, 1))
    assert run(capsys, "x.npy", "y.npy", "--output", "rows.csv", "--resume")[0] == 0
    want = scores("x.npy", "y.npy")
    rows = (here / "rows.csv").read_text().splitlines()[1:]
    assert [float(row.split(",")[4]) for row in rows] == [value for _, _, value in want]


@pytest.mark.cli
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("@p", "test"), "@p is a list of pairs: leave TEST and --pair out"),
        (("@none",), "No such file"),
        (("ref",), "TEST is missing: give REF and TEST, or @LIST"),
        (("ref", "test", "--columns", "a,b"), "--columns is for a list"),
        (("@p", "--columns", "a"), "--columns a must be two names"),
        (("ref", "test", "--pair", "a", "b"), "--pair 'a' must hold {stem} once"),
    ],
)
def test_wrong_use(arguments, message, files, capsys):
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert message in err


@pytest.mark.property
def test_profiles_of_members_and_of_the_one_reference_are_told(tmp_path, monkeypatch):
    """As those of files are: the colours of both sides are named where they differ."""
    monkeypatch.chdir(tmp_path)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    image = Image.new("RGB", (20, 20))
    image.save("plain.png")
    image.save("tagged.png", icc_profile=profile)
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.write("tagged.png", "plain.png")
    os.mkdir("folder")
    image.save("folder/plain.png")
    (alone,) = pixelgauge.compare("plain.png", "tagged.png", metrics="mse")
    assert "colour profile differs" in alone.message
    for ref, test in (("folder", "a.zip"), ("plain.png", "a.zip")):
        (row,) = pixelgauge.compare(ref, test, metrics="mse")
        assert row.message == alone.message
