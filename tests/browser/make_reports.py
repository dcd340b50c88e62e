"""Every report, made by the package's own commands: ``python -m tests.browser.make_reports FOLDER``.

Pictures are generated, LPIPS and Inception have drawn weights. What a command printed is shown where it failed.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

HOSTILE = [
    "<script>window.__ran = 1<",  # with the next folder's name an element that closes
    "<img src=x onerror='window.__ran = 2'>.png",
    '"><svg onload="window.__ran = 3">.png',
    "' autofocus onfocus='window.__ran = 4' x='.png",
    "&lt;marquee&gt; &amp; &#60;marquee&#62;.png",
    "<marquee>.png",
    "</title><style>*{display:none}<",
    "{{constructor.constructor('window.__ran = 5')()}} ${window.__ran = 6}.png",
    "javascript:window.__ran = 7.png",
    "gnp.exe\u202egpj.png",
    "שלום עולם.png",
    "two\nlines\tand a tab\r.png",
    "\u2028\u2029\u200b\u00ad.png",
    "bytes \udcff\udc80.png",
    "-->]]>.png",
    "=HYPERLINK(1).png",
    "ﷺ" * 60 + ".png",
    "n" * 251 + ".png",
]


def picture(rng: np.random.Generator, size: int) -> Image.Image:
    """Waves with squares on them."""
    y, x = np.mgrid[:size, :size]
    waves = np.sin(y[..., None] / rng.uniform(3, size / 8, 3)) * np.cos(x[..., None] / rng.uniform(3, size / 8, 3))
    pixels = np.clip(127 + rng.uniform(30, 90) * waves, 0, 255).astype(np.uint8)
    for _ in range(3):
        top, left = rng.integers(0, size // 2, 2)
        pixels[top : top + size // 4, left : left + size // 3] = rng.integers(0, 256, 3)
    return Image.fromarray(pixels)


def degraded(image: Image.Image, rng: np.random.Generator, kind: int) -> Image.Image:
    """Blurred, noisy, darker, or changed in one place."""
    if kind == 0:
        return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 3))))
    pixels = np.asarray(image).astype(np.float64)
    if kind == 1:
        pixels = pixels + rng.normal(0, rng.uniform(1, 40), pixels.shape)
    elif kind == 2:
        pixels = pixels * rng.uniform(0.5, 1)
    else:
        top, left = rng.integers(0, len(pixels) // 2, 2)
        pixels[top : top + 24, left : left + 24] = 255
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def folders(place: Path, names: Sequence[str], size: int, seed: int) -> tuple[str, str]:
    """`ref` and `test` with a picture under each name; later tests are worse."""
    rng = np.random.default_rng(seed)
    for i, name in enumerate(names):
        whole = picture(rng, size)
        for side, image in (("ref", whole), ("test", degraded(whole, rng, i % 4))):
            path = place / side / name
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path, "PNG")
    return str(place / "ref"), str(place / "test")


def compare(work: Path, out: Path) -> None:
    """A run with everything: two metrics and LPIPS, gates that break, files that cannot be scored."""
    names = [f"scene {i % 5}/frame {i:03}.png" for i in range(90)]
    ref, test = folders(work, names, 192, 1)
    (Path(test) / names[3]).write_bytes((Path(test) / names[3]).read_bytes()[:2000])
    (Path(test) / names[4]).unlink()
    Image.new("RGB", (50, 60)).save(Path(test) / names[5])
    Image.open(Path(ref) / names[6]).save(Path(test) / names[6])
    gates = ("--fail-under", "ssim=0.6", "--fail-under", "mean:psnr=20")
    command(work, (0, 1, 3), "compare", ref, test, "--metrics", "psnr,ssim,lpips", *gates, "--report", str(out))


def baseline(work: Path, out: Path) -> None:
    """What moved since an earlier run."""
    names = [f"{i:03}.png" for i in range(40)]
    ref, test = folders(work, names, 96, 2)
    old = str(work / "old.csv")
    command(work, (0,), "compare", ref, test, "--output", old)
    folders(work, names[:10], 96, 3)
    command(work, (0, 1, 3), "compare", ref, test, "--report", str(out), "--report-baseline", old)


def hostile(work: Path, out: Path) -> None:
    """Names and messages that are markup, script, quotes, right-to-left, of several lines, and of 4 kB."""
    names = [f"{name}/script>.png" if name.endswith("<") else name for name in HOSTILE]
    ref, test = folders(work, names, 160, 4)
    for name in names[::3]:  # messages that repeat the name
        (Path(test) / name).write_bytes(b"<script>window.__ran = 8</script>")
    longest = "/".join(["<marquee>" + "x" * 240] * 16) + "/<script>window.__ran = 9<"
    pairs = [(name, name) for name in names] + [(longest, longest), (names[0], longest)]
    with (work / "pairs.csv").open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("ref", "test"))
        decoded = [(f"ref/{a}", f"test/{b}") for a, b in pairs if "\udcff" not in a]
        writer.writerows(decoded)
    command(work, (0, 1, 3), "compare", "@" + str(work / "pairs.csv"), "--report", str(out))
    command(
        work,
        (0, 1, 3),
        "compare",
        ref,
        test,
        "--fail-under",
        "ssim=0.9",
        "--report",
        str(out.with_stem("compare-hostile-folders")),
    )


def large(work: Path, out: Path) -> None:
    """Ten thousand pairs, a hundred files many times over."""
    names = [f"{i:03}.png" for i in range(100)]
    folders(work, names, 64, 5)
    for side in ("ref", "test"):
        for i in range(10_000):
            group = work / side / f"group {i // 100:02}"
            group.mkdir(exist_ok=True)
            os.link(work / side / names[i % 100], group / f"{i % 100:02} of {i // 100}.png")
        for name in names:
            (work / side / name).unlink()
    command(work, (0, 1, 3), "compare", str(work / "ref"), str(work / "test"), "--report", str(out), "--quiet")


def distance(work: Path, out: Path) -> None:
    """Two folders of pictures, every metric, and the spread over presets."""
    real, generated = folders(work, [f"{i:03}.png" for i in range(48)], 64, 6)
    metrics = ("--metrics", "fid,kid,prdc,is", "--kid-subset-size", "20", "--splits", "4", "--explain")
    command(work, (0, 1), "distance", real, generated, *metrics, "--report", str(out))


def auroc(work: Path, out: Path) -> None:
    """A table with two scores, and groups whose names are hostile."""
    rng = np.random.default_rng(7)
    truth = rng.integers(0, 2, 600)
    with (work / "scores.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("label", "score", "other <b>score</b>", "group"))
        for label in truth:
            scores = label + rng.normal(0, 1, 2)
            writer.writerow((label, *scores, ["clinic <i>A</i>", "שלום", "C"][rng.integers(3)]))
    more = ("--versus", "other <b>score</b>", "--groups", "group", "--report", str(out))
    command(work, (0,), "auroc", str(work / "scores.csv"), *more)


def demo(work: Path, out: Path) -> None:
    """A newcomer's first minute."""
    command(work, (0,), "demo", "--report", str(out))


REPORTS: dict[str, Callable[[Path, Path], None]] = {
    "compare": compare,
    "compare-baseline": baseline,
    "compare-hostile": hostile,
    "compare-large": large,
    "distance": distance,
    "auroc": auroc,
    "demo": demo,
}


class FailedError(Exception):
    """A command that ended otherwise than it should."""


def command(work: Path, codes: Sequence[int], *arguments: str) -> None:
    """Run a command in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "pixelgauge", *arguments], cwd=work, capture_output=True, check=False, timeout=1800
    )
    if done.returncode not in codes:
        said = (done.stdout[-1000:] + done.stderr[-3000:]).decode(errors="replace")
        raise FailedError(f"pixelgauge {' '.join(map(ascii, arguments))} ended with {done.returncode}\n{said}")


def add_models(cache: Path) -> None:
    """Put models with drawn weights into a cache of this run."""
    from bench.networks.weights import checkpoints
    from pixelgauge.networks import store

    os.environ["PIXELGAUGE_CACHE"] = str(cache / "cache")
    for name in ("lpips-alex", "inception-fid"):
        store.add(name, checkpoints(name, cache))


def main() -> int:
    """Make the reports that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for the pages, and for what they are made of")
    parser.add_argument("names", nargs="*", metavar="REPORT", help=f"of {', '.join(REPORTS)}")
    args = parser.parse_args()
    folder = args.folder.resolve()
    (folder / "models").mkdir(parents=True, exist_ok=True)
    add_models(folder / "models")
    failed = 0
    for name in args.names or REPORTS:
        work = folder / "made" / name
        work.mkdir(parents=True)
        try:
            REPORTS[name](work, folder / f"{name}.html")
        except FailedError as error:
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
        else:
            print(f"{name}: {(folder / f'{name}.html').stat().st_size / 1e6:.2f} MB")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
