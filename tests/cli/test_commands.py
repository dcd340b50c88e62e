"""The command line as its users run it: tables, files, pipes, interruptions, and every wrong use."""

import csv
import fcntl
import functools
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge.cli import main
from pixelgauge.cli.terminal import pad, shortened, width
from pixelgauge.files.reading import printable
from pixelgauge.images import decoders
from tests.engine.runs import typed_records
from tests.pictures import random_pixels

pytestmark = pytest.mark.cli

COMMAND = [sys.executable, "-m", "pixelgauge"]


def picture(seed=0, shape=(40, 44, 3), dtype=np.uint8):
    return random_pixels(shape, seed, dtype)


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return str(path)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Three sound pairs, one of them of equal images, in ref/ and test/ of the working folder."""
    monkeypatch.chdir(tmp_path)
    for i, other in enumerate((10, 11, 2)):
        save(tmp_path / "ref" / f"{i}.png", picture(i))
        save(tmp_path / "test" / f"{i}.png", picture(other))
    return tmp_path


def run(capsys, *argv):
    code = main(["compare", *argv])
    out, err = capsys.readouterr()
    return code, out, err


def test_two_folders_become_a_table(folders, capsys):
    code, out, err = run(capsys, "ref", "test")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].split() == ["pair", "psnr", "dB", "ssim"]
    x, y = picture(0), picture(10)
    assert lines[1].split() == ["0.png", f"{pixelgauge.psnr(x, y):.4f}", f"{pixelgauge.ssim(x, y):.6f}"]
    assert lines[3].split() == ["2.png", "inf", "1.000000"]
    assert "3 pairs: 3 scored" in lines
    (psnr,) = (line for line in lines if line.startswith("psnr dB"))
    mean = np.mean([pixelgauge.psnr(picture(i), picture(10 + i)) for i in range(2)])
    assert psnr.split()[2:4] == ["3", f"{mean:.4f}"]
    assert psnr.endswith("without 1 infinite (identical images)")
    assert lines[-1] == f"pixelgauge {pixelgauge.__version__} psnr ssim=wang2004 range=dtype alpha=error gray=0 crop=0"


def test_two_files_become_a_row(folders, capsys):
    code, out, _ = run(capsys, "ref/0.png", "test/1.png", "--metrics", "mse")
    assert code == 0
    assert out.splitlines()[1].split() == ["0.png", "→", "1.png", f"{pixelgauge.mse(picture(0), picture(11)):.6g}"]
    assert "mean" not in out


def test_whatever_fails_is_a_row_and_the_exit_code_is_1(folders, capsys):
    save(folders / "ref" / "lost.png", picture())
    save(folders / "test" / "extra.png", picture())
    (folders / "test" / "1.png").write_bytes(b"nonsense")
    save(folders / "test" / "0.png", picture(shape=(40, 44)))
    (folders / "test" / "notes.txt").write_text("")
    code, out, _ = run(capsys, "ref", "test")
    assert code == 1
    found = {line.split()[0]: line.split(maxsplit=1)[1] for line in out.splitlines() if ".png" in line}
    assert found["0.png"] == "mismatch: colour mode differs: REF RGB, TEST gray; --gray scores both in gray"
    assert (
        found["1.png"]
        == "unreadable: TEST: not a readable PNG, JPEG, WebP, BMP, TIFF, GIF, PNM, AVIF or JPEG 2000 image"
    )
    assert found["extra.png"] == "missing: no partner in REF"
    assert found["lost.png"] == "missing: no partner in TEST"
    assert "5 pairs: 1 scored, 4 failed (1 mismatch, 2 missing, 1 unreadable)" in out
    assert "ignored: 1 .txt" in out


def test_options_reach_the_scores(folders, capsys):
    options = ["--metrics", "SSIM,ms_ssim", "--preset", "skimage", "--ms-ssim-preset", "pytorch-msssim"]
    x, y = picture(0, (200, 200, 3)), picture(1, (200, 200, 3))
    save(folders / "x.png", x)
    save(folders / "y.png", y)
    code, out, _ = run(capsys, "x.png", "y.png", *options, "--crop-border", "5", "--data-range", "300", "--json")
    values = json.loads(out)["rows"][0]
    x, y = x[5:-5, 5:-5], y[5:-5, 5:-5]
    assert code == 0
    assert values["ssim"] == pixelgauge.ssim(x, y, preset="skimage", data_range=300)
    assert values["ms-ssim"] == pixelgauge.ms_ssim(x, y, preset="pytorch-msssim", data_range=300)
    assert json.loads(out)["fingerprint"]["metrics"] == {"ssim": "skimage", "ms-ssim": "pytorch-msssim"}


def test_alpha_and_gray_reach_the_files(folders, capsys):
    save(folders / "x.png", picture(0, (40, 40, 4)))
    save(folders / "y.png", picture(1, (40, 40)))
    code, out, _ = run(capsys, "x.png", "y.png")
    assert code == 1
    assert "choose alpha drop, black, white or #rrggbb" in out
    code, out, _ = run(capsys, "x.png", "y.png", "--alpha", "#102030", "--gray")
    assert code == 0


def test_json_is_one_object_with_a_fingerprint(folders, capsys):
    save(folders / "ref" / "lost.png", picture())
    code, out, err = run(capsys, "ref", "test", "--json")
    report = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert (code, err) == (1, "")
    assert list(report) == [
        *("schema_version", "fingerprint", "counts", "ignored", "summary", "failures"),
        *("gates", "baseline", "stopped", "rows"),
    ]
    assert report["fingerprint"] == {
        "version": pixelgauge.__version__,
        "metrics": {"psnr": None, "ssim": "wang2004"},
        "data_range": None,
        "gray": False,
        "alpha": "error",
        "crop_border": 0,
        "decoders": decoders(),
        "isa": pixelgauge.isa(),
        "ref": "ref",
        "test": "test",
    }
    assert report["counts"] == {"pairs": 4, "failed": 1, "ok": 3, "missing": 1}
    assert report["rows"][0]["ssim"] == pixelgauge.ssim(picture(0), picture(10))
    assert report["rows"][2]["psnr"] == "inf"
    assert report["failures"] == [
        {"ref": "ref/lost.png", "test": None, "status": "missing", "message": "no partner in TEST"}
    ]
    psnr = [pixelgauge.psnr(picture(i), picture(10 + i)) for i in range(2)]
    assert report["summary"]["psnr"]["mean"] == pytest.approx(np.mean(psnr), rel=1e-15)  # order of two additions
    assert report["summary"]["psnr"]["infinite"] == 1
    assert [entry["value"] for entry in report["summary"]["psnr"]["worst"]] == sorted(psnr)


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet", "rows.sqlite"])
def test_output_files_hold_every_row_and_resume(folders, capsys, name):
    save(folders / "ref" / "3.png", picture())
    code, out, _ = run(capsys, "ref", "test", "--output", name)
    assert code == 1
    assert out.splitlines()[0] == "3.png  missing: no partner in TEST"
    assert out.splitlines()[-1] == f"rows in {name}"

    def rows():
        if not name.endswith(("csv", "jsonl")):
            return typed_records(name)
        text = (folders / name).read_text()
        return (
            list(csv.DictReader(text.splitlines()))
            if name.endswith("csv")
            else list(map(json.loads, text.splitlines()))
        )

    assert [row["ref"] for row in rows()] == [f"ref/{i}.png" for i in range(4)]
    save(folders / "test" / "3.png", picture(1))
    kept = (folders / "test" / "0.png").stat()  # of this size and time it counts as the file that was scored
    (folders / "test" / "0.png").write_bytes(b"not read again".ljust(kept.st_size))
    os.utime(folders / "test" / "0.png", ns=(0, kept.st_mtime_ns))
    code, out, _ = run(capsys, "ref", "test", "--output", name, "--resume")
    assert code == 0
    assert "4 pairs: 4 scored" in out
    assert [row["status"] for row in rows()] == ["ok"] * 4
    code, out, _ = run(capsys, "ref", "test", "--output", name, "--overwrite")
    assert code == 1
    assert [row["status"] for row in rows()] == ["unreadable", "ok", "ok", "ok"]


def test_a_file_of_other_folders_is_not_resumed(folders, capsys):
    run(capsys, "ref", "test", "--output", "rows.csv")
    before = (folders / "rows.csv").read_bytes()
    code, _, err = run(capsys, "ref", "ref", "--output", "rows.csv", "--resume")
    assert code == 2
    assert "rows.csv: has scores of ref/0.png and test/0.png, which are no pair of this run" in err
    assert (folders / "rows.csv").read_bytes() == before


def test_quiet_prints_the_summary_only(folders, capsys):
    code, out, err = run(capsys, "ref", "test", "--quiet")
    assert (code, err) == (0, "")
    assert out.splitlines()[1] == "3 pairs: 3 scored"


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["ref", "nowhere"], "nowhere does not exist"),
        (["ref", "test/0.png"], "ref is a folder and test/0.png a file: give two files or two folders"),
        (["empty", "empty"], "no image files in empty or empty (.png, "),
        (
            ["ref", "test", "--metrics", "psnr,vmaf"],
            "'vmaf' is not known: use some of mse, mae, psnr, ssim, ms-ssim, lpips",
        ),
        (["ref", "test", "--metrics", ""], "'' is not known"),
        (["ref", "test", "--preset", "best"], "--preset 'best' is not known: use one of 'wang2004'"),
        (["ref", "test", "--metrics", "psnr", "--preset", "matlab"], "--preset is for ssim, which is not among"),
        (["ref", "test", "--ms-ssim-preset", "wang2003"], "--ms-ssim-preset is for ms-ssim"),
        (["ref", "test", "--data-range", "-1"], "--data-range -1 must be a number above 0"),
        (["ref", "test", "--alpha", "grey"], "--alpha 'grey' is not known"),
        (["ref", "test", "--crop-border", "-1"], "--crop-border -1 must be a whole number of at least 0"),
        (["ref", "test", "--workers", "0"], "--workers 0 must be a whole number of at least 1"),
        (["ref", "test", "--output", "rows.txt"], "--output 'rows.txt' must end in .csv, .jsonl, .parquet or .sqlite"),
        (["ref", "test", "--output", "no/where/rows.csv"], "No such file or directory: 'no/where/rows.csv'"),
        (["ref", "test", "--resume"], "--resume and --overwrite need --output FILE"),
        (["ref", "test", "--output", "full.csv"], "full.csv exists: add --resume to go on with it, or --overwrite"),
        (["ref", "test", "--output", "full.csv", "--resume"], "full.csv: is not a file of pixelgauge compare"),
    ],
)
def test_wrong_use_is_exit_code_2_and_says_what_is_wrong(folders, capsys, argv, message):
    (folders / "empty").mkdir()
    (folders / "full.csv").write_text("precious\n")
    code, out, err = run(capsys, *argv)
    assert (code, out) == (2, "")
    assert err.startswith("pixelgauge compare: error: ")
    assert message in err
    assert (folders / "full.csv").read_text() == "precious\n"
    assert not (folders / "rows.txt").exists()


@pytest.mark.boundary
@pytest.mark.parametrize("argv", [[], ["compare"], ["score", "a", "b"], ["compare", "a", "b", "--workers", "x"]])
def test_arguments_that_do_not_parse_are_exit_code_2(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage: pixelgauge" in capsys.readouterr().err


@pytest.mark.boundary
@pytest.mark.parametrize(("name", "value"), [("PIXELGAUGE_ISA", "sse9"), ("PIXELGAUGE_NUM_THREADS", "many")])
@pytest.mark.parametrize("command", [["compare", "ref", "test"], ["demo"]])
def test_a_wrong_environment_is_wrong_use(folders, name, value, command):
    done = subprocess.run(
        [*COMMAND, *command], env={**os.environ, name: value}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_python_m_and_version():
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"pixelgauge {pixelgauge.__version__}\n"


@pytest.mark.parametrize("failing", [False, True])
def test_a_reader_that_leaves_hides_nothing(folders, failing):
    """The exit code is that of all pairs, however early the reader of the table left, and stderr has no word."""
    for i in range(3, 300):
        os.link(folders / "ref" / "0.png", folders / "ref" / f"{i}.png")
        os.link(folders / "test" / "0.png", folders / "test" / f"{i}.png")
    if failing:
        (folders / "ref" / "zz.png").write_bytes(b"")
    command = subprocess.Popen([*COMMAND, "compare", "ref", "test"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert command.stdout.readline().startswith(b"pair")
    command.stdout.close()
    assert command.stderr.read() == b""
    command.stderr.close()
    assert command.wait(60) == failing


def test_a_pipeline_fails_where_rows_failed(folders):
    (folders / "test" / "1.png").unlink()
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m pixelgauge compare ref test 2>&1 | head -1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.split(), done.stderr) == (1, ["pair", "psnr", "dB", "ssim"], "")


PRINTING = [
    ["info"],
    ["models", "list", "--json"],
    ["distance", "features.npy", "features.npy"],
    ["stats", "features.npy", "-o", "stats.npz"],
    ["auroc", "scores.csv"],
    ["compare", "ref", "test", "--json"],
]


@pytest.fixture
def tables(folders):
    np.save("features.npy", np.random.default_rng(0).standard_normal((20, 4)))
    (folders / "scores.csv").write_text("label,score\n0,0.1\n1,0.9\n0,0.3\n1,0.2\n")


@pytest.mark.boundary
@pytest.mark.parametrize("argv", PRINTING, ids=lambda argv: argv[0])
def test_a_full_disk_under_stdout_is_one_line(tables, argv):
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, *argv], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    name = " ".join(argv[:2]) if argv[0] == "models" else argv[0]
    assert done.stderr == f"pixelgauge {name}: error: stopped: [Errno 28] No space left on device\n"
    assert done.returncode == 2


@pytest.mark.boundary
@pytest.mark.parametrize("argv", PRINTING, ids=lambda argv: argv[0])
def test_a_reader_that_never_read_is_no_error(tables, argv):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        done = subprocess.run([*COMMAND, *argv], stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.boundary
@pytest.mark.parametrize(
    "argv",
    [["distance", "ref", "test"], ["stats", "ref", "-o", "stats.npz"], ["features", "ref", "-o", "stats.npz"]],
)
def test_a_missing_model_is_said_not_thrown(folders, capsys, argv):
    pytest.importorskip("onnxruntime", reason="without onnxruntime, that is what is missing (extra 'cpu')")
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"pixelgauge {argv[0]}: error: model 'inception-fid' is not in the cache")
    assert "pixelgauge models pull inception-fid" in err
    assert out == ""
    assert not (folders / "stats.npz").exists()


@pytest.mark.parametrize(("name", "held"), [("rows.csv", "rows.csv"), ("rows.parquet", "rows.parquet.jsonl")])
def test_an_interruption_leaves_whole_rows_and_a_word(folders, name, held):
    for i in range(3, 3000):
        os.link(folders / "ref" / "0.png", folders / "ref" / f"{i}.png")
        os.link(folders / "test" / "0.png", folders / "test" / f"{i}.png")
    argv = [*COMMAND, "compare", "ref", "test", "--output", name, "--workers", "1"]
    # A background job of a shell ignores SIGINT, and so do its children: here it must arrive.
    hears = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hears) as command:
        while not os.path.exists(held) or os.path.getsize(held) < 1000:
            time.sleep(0.005)
            assert command.poll() is None
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=60)
    assert command.returncode == 130
    assert err == f"\n{held} holds the rows done so far; --resume goes on with it\ninterrupted\n"
    text = (folders / held).read_text()
    assert text.endswith("\n")
    with open(held, newline="") as file:
        rows = list(csv.DictReader(file) if name == held else map(json.loads, file))
    assert 0 < len(rows) < 3000
    assert all(row["status"] == "ok" and None not in row.values() for row in rows)


@pytest.mark.boundary
def test_a_full_disk_is_an_error_and_leaves_a_file_that_resumes(folders):
    limited = (
        "import resource, signal, sys; from pixelgauge.cli import main;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400));"
        "sys.exit(main(['compare', 'ref', 'test', '--output', 'rows.csv']))"
    )
    done = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "pixelgauge compare: error: stopped: [Errno 27] File too large: 'rows.csv'\n"
    assert os.path.getsize("rows.csv") == 400
    argv = [*COMMAND, "compare", "ref", "test", "--output", "rows.csv", "--resume"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    with open("rows.csv", newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["ok"] * 3


def on_terminal(argv, columns):
    """What a command writes to a terminal of this width."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.execv(argv[0], argv)
    written = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        written += chunk
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), written.decode()


def test_a_terminal_gets_a_progress_bar_and_short_names(folders):
    name = "ein_sehr_langer_name_" * 5 + "画像.png"
    save(folders / "ref" / name, picture())
    save(folders / "test" / name, picture(1))
    code, written = on_terminal([*COMMAND, "compare", "ref", "test"], 70)
    assert code == 0
    assert "0/4 [" in written
    lines = [line.strip() for line in written.replace("\r", "\n").splitlines()]
    named = [line for line in lines if "画像.png" in line]
    assert len(named) == 3  # a row, and twice among the worst
    assert all(width(line) <= 70 and "…" in line for line in named)
    _, quiet = on_terminal([*COMMAND, "compare", "ref", "test", "--quiet"], 70)
    assert "0/4" not in quiet


def test_any_file_name_can_be_printed(folders):
    name = os.fsencode(folders) + b"/ref/\xff\n\x1b[31m.png"
    with open(name, "wb") as file, open(name.replace(b"/ref/", b"/test/"), "wb") as other:
        data = (folders / "ref" / "0.png").read_bytes()
        file.write(data)
        other.write(data)
    for options in ([], ["--output", "rows.csv"], ["--output", "rows.jsonl"], ["--json"]):
        done = subprocess.run(
            [*COMMAND, "compare", "ref", "test", *options],
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"\x1b" not in done.stdout
    resumed = subprocess.run(
        [*COMMAND, "compare", "ref", "test", "--output", "rows.csv", "--resume"], capture_output=True, check=False
    )
    assert resumed.returncode == 0
    assert b"4 pairs: 4 scored" in resumed.stdout


def test_columns_line_up_in_any_script():
    assert [width(text) for text in ("abc", "日本", "e\u0301", "")] == [3, 4, 1, 0]
    assert pad("日本", 6) == "日本  "
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdef", 4) == "…def"
    assert shortened("日本語", 4) == "…語"
    assert printable("a\nb\udcff\x1b") == r"a\nb\udcff\x1b"


def test_info_says_what_is_wrong_with_the_environment():
    for name, value in (("PIXELGAUGE_ISA", "avx9"), ("PIXELGAUGE_NUM_THREADS", "none")):
        done = subprocess.run([*COMMAND, "info"], capture_output=True, text=True, env={**os.environ, name: value})
        assert done.returncode == 2
        assert done.stderr.startswith(f"pixelgauge info: error: {name}=")


def test_info_prints_json(capsys):
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["isa"] == pixelgauge.isa()


def test_the_demo_shows_every_metric_and_degradation(capsys):
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    for word in ("blur", "noise", "jpeg", "contrast", "shift", "mse", "psnr dB", "ssim", "ms-ssim", "portrait"):
        assert word in out
    assert "nan" not in out


def test_the_demo_is_the_same_each_time_and_stronger_is_worse(capsys):
    reports = []
    for _ in range(2):
        assert main(["demo", "--json"]) == 0
        reports.append(json.loads(capsys.readouterr().out))
    assert reports[0] == reports[1]
    rows = reports[0]["rows"]
    assert len(rows) == 6 * 5 * 3
    for start in range(0, len(rows), 3):
        assert [row["strength"] for row in rows[start : start + 3]] == ["mild", "medium", "strong"]
        mse = [row["mse"] for row in rows[start : start + 3]]
        # A shift of a periodic texture or of text may meet itself again.
        assert mse == sorted(mse) or rows[start]["degradation"] == "shift"


def test_the_demo_writes_pictures_that_compare_scores_alike(tmp_path, capsys):
    assert main(["demo", "--output", str(tmp_path / "demo")]) == 0
    capsys.readouterr()
    with open(tmp_path / "demo" / "scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 90
    for row in rows[::17]:
        folder = tmp_path / "demo" / row["content"]
        degraded = folder / f"{row['degradation']}-{row['strength']}.png"
        code, out, _ = run(capsys, str(folder / "reference.png"), str(degraded), "--json")
        assert code == 0
        assert json.loads(out)["rows"][0]["ssim"] == float(row["ssim"])
    page = (tmp_path / "demo" / "index.html").read_text()
    pictures = sorted(path.relative_to(tmp_path / "demo").as_posix() for path in (tmp_path / "demo").rglob("*.png"))
    assert len(pictures) == 96
    assert all(f'src="{path}"' in page for path in pictures)
    assert "http" not in page


@pytest.mark.boundary
def test_the_demo_cannot_write_into_a_file(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["demo", "--output", str(tmp_path / "file")]) == 2
    assert "pixelgauge demo: error: --output" in capsys.readouterr().err
