"""Features kept once: files of them are those of an unbroken run to the byte, whatever ended it, and give the numbers of
their images to the bit."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelgauge import FeatureSet, FeatureStats, FileError
from pixelgauge.distribution.feature_files import MANIFEST, About
from pixelgauge.engine.extraction import Inception
from pixelgauge.engine.feature_journal import SUFFIX, Journal
from pixelgauge.files.writing import PREFIX
from tests.engine.stand_in import WIDTHS, Small, pictures, run
from tests.places import ROOT


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Inception, "extractor", lambda self, output: Small(self, output))


EVERY = ["--metrics", "fid,kid,is,prdc,sfid", "--kid-subset-size", "7", "--kid-subsets", "5", "--splits", "2", "--json"]
OUTPUTS = ["--outputs", "2048,logits_unbiased,spatial"]


@pytest.mark.property
@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("name", ["f.npz", "f.parquet", "parts/"])
@pytest.mark.parametrize("limit", [[], ["--limit", "9", "--seed", "3"]], ids=["all", "limited"])
def test_features_give_the_numbers_of_their_images_to_the_bit(
    folders: Path, capsys: pytest.CaptureFixture[str], name: str, limit: list[str]
) -> None:
    if name == "f.parquet":
        pytest.importorskip("pyarrow", reason="Parquet needs pyarrow (extra 'arrow')")
    more = ["--shard-size", "7"] if name == "parts/" else []
    for side in "ab":
        code, out, err = run(capsys, "features", side, "-o", f"{side}-{name}", *OUTPUTS, *more)
        assert (code, err) == (0, "")
        assert "samples of 20 features" in out
    metrics = [EVERY, ["--metrics", "fid", "--json"], ["--metrics", "sfid,prdc", "--json"]]
    for wanted in metrics:
        facts = []
        for left, right in (("a", "b"), (f"a-{name}", "b"), (f"a-{name}", f"b-{name}")):
            code, out, err = run(capsys, "distance", left, right, *wanted, *limit)
            assert (code, err) == (0, "")
            facts.append(json.loads(out))
        assert facts[0]["metrics"] == facts[1]["metrics"] == facts[2]["metrics"]
        assert [one["preset"] for one in facts] == ["pytorch-fid"] * 3
        assert {one["network"]["weights_sha256"] for one in facts} == {"0" * 64}
        assert facts[0]["counts"] == facts[2]["counts"] == ([9, 9] if limit else [23, 31])
    assert run(capsys, "stats", "b", "-o", "images.npz", *limit)[0] == 0
    assert run(capsys, "stats", f"b-{name}", "-o", "features.npz", *limit)[0] == 0
    assert Path("images.npz").read_bytes() == Path("features.npz").read_bytes()
    assert FeatureStats.load("features.npz").preset == "pytorch-fid"


@pytest.mark.oracle
@pytest.mark.usefixtures("network")
def test_what_a_file_holds(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "features", "a", "-o", "f.npz", *OUTPUTS, "--json")
    assert code == 0
    facts = json.loads(out)
    assert (facts["output"], facts["count"], facts["dim"], facts["resumed"]) == ("f.npz", 23, 20, 0)
    assert (facts["preset"], facts["weights_sha256"], facts["outputs"]) == ("pytorch-fid", "0" * 64, WIDTHS)
    names = sorted(str(path.relative_to("a")) for path in Path("a").rglob("*.png"))
    names.sort(key=lambda name: os.path.join("a", name))
    network = Small(Inception(), list(WIDTHS))
    exact = np.concatenate(list(network.batches([os.path.join("a", name) for name in names])))
    with np.load("f.npz", allow_pickle=False) as held:
        assert held["features"].dtype == np.float32
        np.testing.assert_array_equal(held["features"], exact)
        assert held["names"].tolist() == names
        assert json.loads(str(held["fingerprint"])) == network.fingerprint
    assert run(capsys, "features", "a", "-o", "f.npy", *OUTPUTS)[0] == 0
    np.testing.assert_array_equal(np.load("f.npy"), exact)
    found = FeatureSet.load("f.npz")
    assert (found.names, found.fingerprint, found.outputs) == (names, network.fingerprint, WIDTHS)
    np.testing.assert_array_equal(found.output("spatial"), exact[:, 16:])
    with zipfile.ZipFile("f.npz") as archive, open("f.npz", "rb") as file:
        member = archive.getinfo("features.npy")
        file.seek(member.header_offset + 26)
        lengths = np.frombuffer(file.read(4), "<u2")
        assert (member.header_offset + 30 + int(lengths.sum())) % 64 == 0  # so that a map of it is aligned


@pytest.mark.oracle
@pytest.mark.usefixtures("network")
def test_names_of_archives_and_arrays(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with zipfile.ZipFile("a.zip", "w") as archive:
        for path in sorted(Path("a").rglob("*.png")):
            archive.write(path, str(path.relative_to("a")))
    np.save("images.npy", np.stack(list(pictures(9, 3, (16, 16)))))
    for source in ("a.zip", "images.npy"):
        assert run(capsys, "features", source, "-o", f"{source}.npz")[0] == 0
    assert sorted(FeatureSet.load("a.zip.npz").names or []) == sorted(
        str(path.relative_to("a")) for path in Path("a").rglob("*.png")
    )
    assert run(capsys, "features", "images.npy", "-o", "some.npz", "--limit", "3", "--seed", "1")[0] == 0
    chosen = np.sort(np.random.RandomState(1).choice(9, 3, replace=False))
    assert FeatureSet.load("some.npz").names == [str(i) for i in chosen]
    np.testing.assert_array_equal(
        FeatureSet.load("some.npz").features, FeatureSet.load("images.npy.npz").features[chosen]
    )


# ---- interruptions ------------------------------------------------------------------------------------------------


class Interrupted(Small):
    """Ends the run after some batches, as a signal does."""

    left = 3

    def batches_of_files(self, files: Any, names: Any) -> Iterator[np.ndarray]:
        for batch in super().batches_of_files(files, names):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            yield batch


@pytest.fixture
def interrupting(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    def choose(interrupts: bool) -> None:
        kind = Interrupted if interrupts else Small
        monkeypatch.setattr(Inception, "extractor", lambda self, output: kind(self, output))

    return choose


def content(path: str) -> dict[str, bytes]:
    """Bytes of a file, or of all in a folder but what a kill may leave there for a day."""
    place = Path(path)
    files = [place] if place.is_file() else sorted(place.iterdir())
    return {file.name: file.read_bytes() for file in files if not file.name.startswith(PREFIX)}


@pytest.mark.cli
@pytest.mark.parametrize("name", ["f.npz", "f.npy", "f.parquet", "parts/"])
def test_an_interrupted_run_goes_on_to_the_same_bytes(
    folders: Path, capsys: pytest.CaptureFixture[str], interrupting: Callable[[bool], None], name: str
) -> None:
    if name == "f.parquet":
        pytest.importorskip("pyarrow", reason="Parquet needs pyarrow (extra 'arrow')")
    more = ["--shard-size", "17"] if name == "parts/" else []
    interrupting(False)
    assert run(capsys, "features", "b", "-o", f"whole-{name}", *more)[0] == 0
    interrupting(True)
    place = name.rstrip("/")
    code, _, err = run(capsys, "features", "b", "-o", name, *more)
    where = place if more else name + SUFFIX
    assert (code, err) == (130, f"\n{where} holds what is done so far; --resume goes on with it\ninterrupted\n")
    if not more:
        assert not os.path.exists(name)
    else:
        assert run(capsys, "distance", place, "b")[0] == 2  # no part of a set is taken for the set
        assert run(capsys, "distance", place, "b")[2].endswith("by --resume\n")
    code, _, err = run(capsys, "features", "b", "-o", name, *more)
    assert code == 2
    assert "add --resume to go on with it, or --overwrite" in err
    ends = 0
    while True:  # each run goes some batches on
        code, out, _ = run(capsys, "features", "b", "-o", name, *more, "--resume", "--json")
        if code == 0:
            break
        ends += 1
        assert (code, ends < 5) == (130, True)
    assert ends >= 1
    assert json.loads(out)["resumed"] > 0
    assert {k.removeprefix("whole-"): v for k, v in content(f"whole-{place}").items()} == content(place)
    assert not os.path.exists(name + SUFFIX)
    # and a run over what is whole does nothing
    interrupting(True)
    if name != "f.npy":
        before = {
            file: os.stat(file).st_mtime_ns for file in (place, *(f"{place}/{n}" for n in content(place) if more))
        }
        code, out, _ = run(capsys, "features", "b", "-o", name, *more, "--resume", "--json")
        assert (code, json.loads(out)["resumed"]) == (0, 31)
        assert {file: os.stat(file).st_mtime_ns for file in before if file != place} == {
            file: when for file, when in before.items() if file != place
        }


KILLED = f"""
import os, sys, signal, time
sys.path.insert(0, {str(ROOT)!r})
from pixelgauge.engine.extraction import Inception
from tests.engine.stand_in import Small
from pixelgauge.cli import main

class Slow(Small):
    def batches_of_files(self, files, names):
        for batch in super().batches_of_files(files, names):
            time.sleep(0.2)
            yield batch

Inception.extractor = lambda self, output: Slow(self, output)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.cli
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
@pytest.mark.parametrize("more", [[], ["--shard-size", "9"]], ids=["file", "parts"])
@pytest.mark.usefixtures("network")
def test_a_killed_run_goes_on(
    folders: Path, capsys: pytest.CaptureFixture[str], how: signal.Signals, more: list[str]
) -> None:
    name = "parts" if more else "f.npz"
    argv = ["features", "b", "-o", name, *more]
    watched = "parts/features-00000.npz" if more else name + SUFFIX
    hears = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    with subprocess.Popen([sys.executable, "-c", KILLED, *argv], preexec_fn=hears, stderr=subprocess.PIPE) as command:
        while not os.path.exists(watched) or (not more and os.path.getsize(watched) < 1000):
            time.sleep(0.01)
            assert command.poll() is None
        code, _, err = run(capsys, *argv, "--resume")  # a second run of the same is told
        assert code == 2
        assert "another run is writing it" in err
        command.send_signal(how)
        command.communicate(timeout=60)
    assert command.returncode in (-how, 130)
    code, out, err = run(capsys, *argv, "--resume", "--json")
    assert (code, err) == (0, "")
    assert 0 < json.loads(out)["resumed"] < 31
    assert run(capsys, "features", "b", "-o", "whole" if more else "whole.npz", *more)[0] == 0
    whole = content("whole" if more else "whole.npz")
    assert {file.replace("whole", "f"): data for file, data in whole.items()} == content(name)


@pytest.mark.cli
@pytest.mark.parametrize("name", ["f.npz", "f.npy", "parts/"])
def test_a_replacement_that_was_interrupted_goes_on(
    folders: Path, capsys: pytest.CaptureFixture[str], interrupting: Callable[[bool], None], name: str
) -> None:
    interrupting(False)
    place = name.rstrip("/")
    assert run(capsys, "features", "a", "-o", name)[0] == 0
    assert run(capsys, "features", "b", "-o", f"whole-{name}")[0] == 0
    before = content(place)
    interrupting(True)
    assert run(capsys, "features", "b", "-o", name, "--overwrite")[0] == 130
    if name != "parts/":
        assert content(place) == before  # until there is something in its place
    interrupting(False)
    code, out, _ = run(capsys, "features", "b", "-o", name, "--resume", "--json")
    assert (code, json.loads(out)["resumed"]) == (0, 12)
    assert list(content(place).values()) == list(content(f"whole-{place}").values())


LIMITED = KILLED.replace(
    "sys.exit(main", "resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))\nsys.exit(main"
).replace(
    "import os, sys, signal, time",
    "import os, resource, sys, signal, time\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
)


@pytest.mark.boundary
@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("size", [0, 60, 700, 3500])
def test_a_full_disk_is_one_line_of_error_and_leaves_what_resumes(
    folders: Path, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    code = LIMITED.replace("ROOM", str(size)).replace("0.2", "0")
    argv = [sys.executable, "-c", code, "features", "b", "-o", "f.npz"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    where = "f.npz" if size == 3500 else "f.npz.partial"  # the file itself is larger, with its header
    assert done.stderr == f"pixelgauge features: error: [Errno 27] File too large: '{where}'\n"
    assert sorted(set(os.listdir()) - {"a", "b"}) == (["f.npz.partial"] if size > 60 else [])
    assert run(capsys, "features", "b", "-o", "f.npz", "--resume")[0] == 0
    assert run(capsys, "features", "b", "-o", "whole.npz")[0] == 0
    assert content("f.npz")["f.npz"] == content("whole.npz")["whole.npz"]


@pytest.mark.boundary
def test_what_a_crash_cut_off_or_damaged_is_made_again(
    folders: Path, capsys: pytest.CaptureFixture[str], interrupting: Callable[[bool], None]
) -> None:
    interrupting(False)
    assert run(capsys, "features", "b", "-o", "whole.npz")[0] == 0
    interrupting(True)
    assert run(capsys, "features", "b", "-o", "f.npz")[0] == 130
    partial = Path("f.npz" + SUFFIX)
    data = partial.read_bytes()
    interrupting(False)
    flipped = bytearray(data)
    flipped[-3] ^= 1
    for size in sorted({0, 1, 30, 60, len(data) - 1, *np.random.default_rng(0).integers(0, len(data), 20)}):
        for damaged in (data[:size], data[:size] + bytes(len(data) - size), bytes(flipped)):
            partial.write_bytes(damaged)
            code, _, err = run(capsys, "features", "b", "-o", "f.npz", "--resume")
            if code != 0:  # zeros where the first line was are no file of ours
                assert "f.npz.partial: " in err
                assert partial.read_bytes() == damaged
                continue
            assert content("f.npz")["f.npz"] == content("whole.npz")["whole.npz"]
            os.remove("f.npz")


@pytest.mark.property
def test_what_is_left_begins_with_a_whole_batch(tmp_path: Path) -> None:
    """A batch of more than a block's rows that was cut off between two blocks is made again."""
    names, rows = [str(i) for i in range(250)], np.arange(250, dtype=np.float32)[:, np.newaxis]
    path, about = str(tmp_path / "f.npz"), About({"a": 1}, {"preset": "x"})
    with Journal(path, about, resume=False, overwrite=False) as journal:
        for start in (0, 100):
            journal.append(names[start : start + 100], [None] * 100, rows[start : start + 100])
    whole = Path(path + SUFFIX).read_bytes()
    for lost, batch_size, left in ((1, 100, 100), (1, 1, 164), (1, 64, 64), (0, 100, 200), (0, 250, 0)):
        Path(path + SUFFIX).write_bytes(whole[: len(whole) - lost])
        with Journal(path, about, resume=True, overwrite=False) as journal:
            assert journal.keep(names, [None] * 250, batch_size) == left
            np.testing.assert_array_equal(np.concatenate([rows[:0], *journal.blocks()]), rows[:left])
            assert journal.keep(names[:left], [None] * left, 7) == left  # all there are


@pytest.mark.boundary
def test_an_image_that_was_replaced_is_read_again(
    folders: Path, capsys: pytest.CaptureFixture[str], interrupting: Callable[[bool], None]
) -> None:
    interrupting(True)
    for output in (["f.npz"], ["parts", "--shard-size", "5"]):
        assert run(capsys, "features", "b", "-o", *output)[0] == 130
    first = sorted(Path("b").rglob("*.png"), key=str)[6]
    Image.fromarray(next(pictures(1, 99))).save(first)
    interrupting(False)
    assert run(capsys, "features", "b", "-o", "whole.npz")[0] == 0
    code, out, _ = run(capsys, "features", "b", "-o", "f.npz", "--resume", "--json")
    assert (code, json.loads(out)["resumed"]) == (0, 4)
    assert content("f.npz")["f.npz"] == content("whole.npz")["whole.npz"]
    assert run(capsys, "features", "b", "-o", "parts", "--shard-size", "5", "--resume")[0] == 0
    np.testing.assert_array_equal(FeatureSet.load("parts").features, FeatureSet.load("whole.npz").features)
    # of what is whole too
    Image.fromarray(next(pictures(1, 98))).save(first)
    os.utime(first, ns=(time.time_ns() + 10**10,) * 2)
    code, _, err = run(capsys, "features", "b", "-o", "f.npz", "--resume")
    assert (code, "f.npz: is older than some of its images" in err) == (2, True)
    code, out, _ = run(capsys, "features", "b", "-o", "parts", "--shard-size", "5", "--resume", "--json")
    assert (code, json.loads(out)["resumed"]) == (0, 26)


@pytest.mark.boundary
def test_a_run_over_other_images_or_by_other_options_is_refused(
    folders: Path, capsys: pytest.CaptureFixture[str], interrupting: Callable[[bool], None]
) -> None:
    interrupting(True)
    for output in (["f.npz"], ["parts", "--shard-size", "5"]):
        assert run(capsys, "features", "b", "-o", *output)[0] == 130
    Path("w.npz").touch()
    before = content("parts") | content("f.npz" + SUFFIX)
    interrupting(False)
    for argv, message in (
        (["a", "-o", "f.npz"], "has rows of other images of the same names"),
        (["b", "-o", "f.npz", "--preset", "clean-fid"], "was made with preset 'pytorch-fid', and this run has 'clean-fid'"),
        (["b", "-o", "f.npz", "--weights", "w.npz"], "was made with weights_sha256"),
        (["b", "-o", "f.npz", "--outputs", "2048,spatial"], "was made with outputs 2048, and this run has 2048,spatial"),
        (["a", "-o", "parts", "--shard-size", "5"], "parts: is of 31 images, and this run has 23"),
        (["b", "-o", "parts", "--shard-size", "6"], "parts: is of 5 images a part, and this run has 6"),
        (["b", "-o", "parts", "--shard-size", "5", "--preset", "clean-fid"], "parts: was made in another way"),
    ):  # fmt: skip
        code, out, err = run(capsys, "features", *argv, "--resume")
        assert (code, out) == (2, "")
        assert message in err, argv
        assert err.count("\n") == 1
        assert content("parts") | content("f.npz" + SUFFIX) == before
    os.rename("b/000.png", "b/00.png")
    code, _, err = run(capsys, "features", "b", "-o", "f.npz", "--resume")
    assert (code, "has row 1 of '000.png', and this run has '00.png' there" in err) == (2, True)
    assert run(capsys, "features", "b", "-o", "f.npz", "--overwrite")[0] == 0
    assert run(capsys, "features", "b", "-o", "parts", "--shard-size", "6", "--overwrite")[0] == 0
    np.testing.assert_array_equal(FeatureSet.load("parts").features, FeatureSet.load("f.npz").features)
    assert len(content("parts")) == 7


@pytest.mark.boundary
@pytest.mark.usefixtures("network")
def test_an_unreadable_image_is_named_and_what_was_done_is_kept(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = sorted(Path("b").rglob("*.png"), key=str)[9]
    bad.write_bytes(bad.read_bytes()[:40])
    code, out, err = run(capsys, "features", "b", "-o", "f.npz")
    assert (code, out) == (1, "")
    assert err.startswith(f"pixelgauge features: error: {bad}: is ")
    assert err.endswith(": replace or remove it, then go on with --resume\n")
    assert not os.path.exists("f.npz")
    bad.unlink()
    code, out, _ = run(capsys, "features", "b", "-o", "f.npz", "--resume", "--json")
    assert (code, json.loads(out)["count"], json.loads(out)["resumed"]) == (0, 30, 8)
    assert run(capsys, "features", "b", "-o", "whole.npz")[0] == 0
    assert content("f.npz")["f.npz"] == content("whole.npz")["whole.npz"]


# ---- outputs that are in the way ----------------------------------------------------------------------------------


@pytest.mark.boundary
@pytest.mark.usefixtures("network")
def test_nothing_that_is_there_is_replaced_unasked(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.npz").write_bytes(b"precious")
    Path("mine2.npz" + SUFFIX).write_bytes(b"precious")
    os.mkdir("full")
    Path("full/notes").write_bytes(b"precious")
    os.symlink("elsewhere.npz", "link.npz")
    Path("victim").write_bytes(b"precious")
    os.symlink("victim", "planted.npz" + SUFFIX)
    os.mkfifo("pipe.npz" + SUFFIX)
    for argv, message in (
        (["-o", "mine.npz"], "mine.npz exists: add --resume to go on with it, or --overwrite to replace it"),
        (["-o", "mine.npz", "--resume"], "mine.npz: is no zip archive"),
        (["-o", "mine2.npz"], "mine2.npz.partial: is in the way, and no unfinished file of features"),
        (["-o", "mine2.npz", "--overwrite"], "mine2.npz.partial: is in the way"),
        (["-o", "link.npz"], "link.npz exists"),
        (["-o", "planted.npz"], "is a link: delete it, or name another file: 'planted.npz.partial'"),
        (["-o", "planted.npz", "--overwrite"], "is a link"),
        (["-o", "pipe.npz"], "is no regular file"),
        (["-o", "full/"], "holds other things than features: name a new folder: 'full'"),
        (["-o", "full/", "--overwrite"], "holds other things than features"),
        (["-o", "victim/"], "is no folder, and parts are to be written: 'victim'"),
        (["-o", "a/", "--shard-size", "5", "--overwrite"], "holds other things than features"),
        (["-o", "nowhere/f.npz"], "No such file or directory: 'nowhere/f.npz'"),
        (["-o", "nowhere/parts/"], "No such file or directory: 'nowhere/parts'"),
        (["-o", "f.txt"], "--output 'f.txt' ends in none of .npz, .npy, .parquet: end it in / for a folder of parts"),
        (["-o", "f.npz", "--shard-size", "5"], "--output 'f.npz' is the name of a file"),
        (["-o", "parts", "--shard-size", "0"], "--shard-size 0 must be a whole number of at least 1"),
        (["-o", "f.npz", "--outputs", "2048,nope"], "--outputs 'nope' is not known"),
    ):  # fmt: skip
        code, out, err = run(capsys, "features", "a", *argv)
        assert (code, out) == (2, ""), argv
        assert message in err, (argv, err)
        assert err.count("\n") == 1
    for name in ("mine.npz", "mine2.npz.partial", "full/notes", "victim"):
        assert Path(name).read_bytes() == b"precious"
    assert not os.path.exists("elsewhere.npz")
    assert not os.path.lexists("nowhere")


@pytest.mark.boundary
@pytest.mark.usefixtures("network")
def test_what_is_no_set_of_images_is_refused(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("x.npy", np.eye(9, dtype=np.float32))
    FeatureStats(3).update(np.eye(3)).save("s.npz")
    for name, message in (("x.npy", "holds features already"), ("s.npz", "holds statistics already"), ("nope", "nope")):
        code, _, err = run(capsys, "features", name, "-o", "f.npz")
        assert (code, message in err) == (2, True)
    np.save("images.npy", np.stack(list(pictures(9, 3, (16, 16)))))
    for more in (["--overwrite"], []):
        code, _, err = run(capsys, "features", "images.npy", "-o", "images.npy", *more)
        assert code == 2
        assert "exists" in err or "is read by this very command" in err
    assert len(np.load("images.npy")) == 9


# ---- folders of parts that are not what they say ------------------------------------------------------------------


@pytest.fixture
def parts(folders: Path, network: None, capsys: pytest.CaptureFixture[str]) -> Path:
    assert run(capsys, "features", "b", "-o", "parts", "--shard-size", "8")[0] == 0
    assert run(capsys, "features", "a", "-o", "other", "--shard-size", "8", "--preset", "clean-fid")[0] == 0
    return Path("parts")


def exchange(folder: Path) -> None:
    os.rename(folder / "features-00000.npz", folder / "x")
    os.rename(folder / "features-00001.npz", folder / "features-00000.npz")
    os.rename(folder / "x", folder / "features-00001.npz")


def told(folder: Path, **facts: Any) -> None:
    held = json.loads((folder / MANIFEST).read_text()) | facts
    (folder / MANIFEST).write_text(json.dumps(held))


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: os.remove(folder / "features-00002.npz"), "lacks features-00002.npz, rows 16 to 24 of 31"),
        (exchange, "features-00000.npz: is rows 8 to 16 of 31, and should be rows 0 to 8 of 31"),
        (lambda folder: shutil.copy("other/features-00000.npz", folder), "is rows 0 to 8 of 23, and should be"),
        (lambda folder: (folder / MANIFEST).write_bytes(b"{"), "is not JSON"),
        (lambda folder: (folder / MANIFEST).write_bytes(b"{}"), "does not describe a folder of features"),
        (lambda folder: told(folder, count=2**60), "says count is 1152921504606846976"),
        (lambda folder: told(folder, count=2**50), "holds fewer than its"),
        (lambda folder: told(folder, shard_size=True), "says shard_size is True"),
        (lambda folder: told(folder, fingerprint={"preset": "x"}), "was made in another way than its folder says"),
        (lambda folder: told(folder, outputs={"2048": -1}), "has the width -1"),
        (lambda folder: told(folder, fingerprint=[1]), "facts by name are wanted"),
        (lambda folder: (folder / "features-00001.npz").write_bytes(b"PK"), "features-00001.npz: "),
    ],
)  # fmt: skip
def test_parts_that_are_not_what_their_folder_says(
    parts: Path, capsys: pytest.CaptureFixture[str], harm: Callable[[Path], Any], message: str
) -> None:
    harm(parts)
    with pytest.raises(FileError) as caught:
        FeatureSet.load(parts)
    assert message in str(caught.value)
    code, _, err = run(capsys, "distance", "parts", "a")
    assert (code, message in err) == (2, True)
    with pytest.raises(FileError, match="name the folder"):
        FeatureSet.load("other/features-00001.npz")


@pytest.mark.cli
@pytest.mark.usefixtures("network")
def test_sets_that_were_made_in_two_ways_are_refused_before_an_image_is_read(
    folders: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("w.npz").touch()
    for name, more in (
        ("plain", []),
        ("clean", ["--preset", "clean-fid"]),
        ("weights", ["--weights", "w.npz"]),
        ("spatial", ["--outputs", "spatial"]),
        ("both", ["--outputs", "2048,logits_unbiased"]),
    ):
        assert run(capsys, "features", "a", "-o", f"{name}.npz", *more)[0] == 0
    assert run(capsys, "stats", "a", "-o", "s.npz", "--preset", "clean-fid")[0] == 0

    def unread(self: Any, images: Any) -> Any:
        pytest.fail("an image was read")

    monkeypatch.setattr(Small, "batches", unread)
    refused: list[tuple[list[str], str]] = [
        (["clean.npz", "b"], "clean.npz was made with preset 'clean-fid', and 'pytorch-fid' is asked for"),
        (["b", "clean.npz"], "clean.npz was made with preset 'clean-fid', and 'pytorch-fid' is asked for"),
        (["plain.npz", "b", "--preset", "clean-fid"], "plain.npz was made with preset 'pytorch-fid', and 'clean-fid'"),
        (["plain.npz", "clean.npz"], "plain.npz was made with preset 'pytorch-fid', and clean.npz with 'clean-fid'"),
        (["plain.npz", "s.npz"], "plain.npz was made with preset 'pytorch-fid', and s.npz with 'clean-fid'"),
        (["weights.npz", "b"], "weights.npz was made with weights 1111111111111111..., and these are 0000000000000000..."),
        (["plain.npz", "weights.npz"], "plain.npz was made with weights 0000000000000000..., and weights.npz with 1111"),
        (["plain.npz", "spatial.npz"], "plain.npz was made with output '2048', and spatial.npz with 'spatial'"),
        (["clean.npz", "s.npz", "--preset", "pytorch-fid"], "clean.npz was made with preset 'clean-fid'"),
        (["plain.npz", "plain.npz", "--weights", "w.npz"], "--weights 'w.npz' would not be used"),
        (["plain.npz", "plain.npz", "--metrics", "is"], "is needs Inception's output 'logits_unbiased' of B"),
        (["plain.npz", "b", "--metrics", "sfid"], "sfid needs Inception's output 'spatial' on both sides"),
        (["clean.npz", "b", "--metrics", "kid", "--kid-subset-size", "5"], "clean.npz was made with preset 'clean-fid'"),
        (["spatial.npz", "b", "--metrics", "sfid", "--preset", "clean-fid"], "spatial.npz was made with preset"),
        (["plain.npz", "b", "--explain"], "--explain needs images on both sides"),
    ]  # fmt: skip
    for argv, message in refused:
        code, out, err = run(capsys, "distance", *argv)
        assert (code, out) == (2, ""), argv
        assert message in err, (argv, err)
    for argv in (["clean.npz", "s.npz"], ["both.npz", "both.npz", "--metrics", "fid,is", "--splits", "3"]):
        code, out, err = run(capsys, "distance", *argv, "--json")
        assert (code, err) == (0, ""), err
    # what is too small is found before, and the others are given
    code, out, err = run(capsys, "distance", "both.npz", "plain.npz", "--metrics", "fid,kid,is,prdc", "--json")
    assert code == 1
    facts = json.loads(out)
    assert sorted(facts["failed"]) == ["is", "kid"]
    assert "--kid-subset-size 1000 exceeds the samples there are (23 and 23)" in err
    assert facts["metrics"]["fid"] == 0
