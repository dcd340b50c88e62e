"""SSIM, MS-SSIM and PSNR beside their peers: ratios, the operation-count limit, thread scaling, memory, import time.

    python bench/bench_full_reference.py

Peers that are not installed are left out (`pip install ".[bench]"` brings them). Every result is checked before it is timed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

import pixelgauge
from pixelgauge import _core
from timing import alternate, machine, table

warnings.filterwarnings("ignore")

# Vector operations a register of output, counted in cpp/src/kernels/ssim.inl, over two arithmetic ports: 11 Gaussian taps, and
# running sums of 7 x 7.
OPERATIONS = {11: 142, 7: 49}
LANES = {"avx512": 16, "avx2": 8, "baseline": 4}


def pictures(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:height, :width]
    base = 127 + 60 * np.sin(x / 17) + 50 * np.cos(y / 23) + 10 * np.sin(x * y / 997)
    image = np.clip(base[..., None] + rng.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)
    return image, np.clip(image + rng.normal(0, 12, image.shape), 0, 255).astype(np.uint8)


def peers(x: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], float]]:
    found: dict[str, Callable[[], float]] = {}
    try:
        import cv2

        cv2.setNumThreads(1)
        found["OpenCV QualitySSIM"] = lambda: float(np.mean(cv2.quality.QualitySSIM_compute(x, y)[0][:3]))
    except (ImportError, AttributeError):
        pass
    try:
        from skimage.metrics import structural_similarity

        found["scikit-image uniform"] = lambda: structural_similarity(x, y, channel_axis=-1)
        found["scikit-image Gaussian"] = lambda: structural_similarity(x, y, channel_axis=-1, gaussian_weights=True)
    except ImportError:
        pass
    try:
        import torch

        torch.set_num_threads(1)
        tx, ty = (torch.from_numpy(a).permute(2, 0, 1)[None].float() for a in (x, y))
    except ImportError:
        return found
    try:
        import pytorch_msssim

        found["pytorch-msssim"] = lambda: float(pytorch_msssim.ssim(tx, ty, data_range=255))
    except ImportError:
        pass
    with contextlib.suppress(ImportError):
        import tvshim  # noqa: F401  (lets torchvision import beside a CPU PyTorch, where needed)
    try:
        import piq

        found["piq"] = lambda: float(piq.ssim(tx, ty, data_range=255, downsample=False))
    except ImportError:
        pass
    try:
        from torchmetrics.functional.image import structural_similarity_index_measure

        found["torchmetrics"] = lambda: float(structural_similarity_index_measure(tx, ty, data_range=255.0))
    except ImportError:
        pass
    return found


PRESET_OF = {
    "OpenCV QualitySSIM": ("opencv", 2e-6),  # float32 throughout
    "scikit-image uniform": ("skimage", 2e-6),
    "scikit-image Gaussian": ("skimage-gaussian", 2e-6),
    "pytorch-msssim": ("pytorch-msssim", 2e-5),  # its window is float32
    "piq": ("wang2004", 1e-4),  # float32 without a shift
    "torchmetrics": ("torchmetrics", 1e-4),  # float32 without a shift
}


def against_peers(height: int, width: int, rounds: int) -> None:
    x, y = pictures(height, width)
    others = peers(x, y)
    ours = {
        f"pixelgauge {p}": (lambda p=p: pixelgauge.ssim(x, y, preset=p))
        for p in ("wang2004", "skimage", "skimage-gaussian", "opencv")
    }
    for name, run in others.items():
        preset, tolerance = PRESET_OF[name]
        assert abs(run() - pixelgauge.ssim(x, y, preset=preset)) <= tolerance, name
    pixelgauge.set_num_threads(1)
    seconds = alternate({**ours, **others}, rounds)
    pixels = x.size
    rows = []
    for name, t in seconds.items():
        taps = 7 if name.endswith("skimage") else 11
        limit = ""
        if name in ours:
            limit = f"{OPERATIONS[taps] / 2 / LANES[pixelgauge.isa()]:.2f} cycles/px"
        own = {
            "scikit-image uniform": "pixelgauge skimage",
            "scikit-image Gaussian": "pixelgauge skimage-gaussian",
        }.get(name, "pixelgauge wang2004")
        rows.append([name, f"{t / seconds[own]:.1f}x", f"{t * 1e3:.2f}", f"{t / pixels * 1e9:.2f}", limit])
    table(
        f"SSIM, uint8 {width}x{height}x3 pair, one thread, {pixelgauge.isa()}",
        ["", "time / ours", "ms", "ns/px/channel", "limit"],
        rows,
    )


ALONE = """
import cv2
import pixelgauge
from bench_full_reference import pictures
from timing import alternate
cv2.setNumThreads(1)
pixelgauge.set_num_threads(1)
x, y = pictures(256, 256)
t = alternate({"ours": lambda: pixelgauge.ssim(x, y), "theirs": lambda: cv2.quality.QualitySSIM_compute(x, y)}, 28)
print(t["ours"], t["theirs"])
"""


def beside_opencv_alone() -> None:
    """Show how OpenCV fares where no other library has taught the allocator to keep large blocks.

    Then its temporaries are returned to the system and taken again, page by page, at every call.
    """
    try:
        import cv2  # noqa: F401
    except ImportError:
        return
    folder = str(Path(__file__).parent)
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {folder!r}){ALONE}"]
    ours, theirs = map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    table(
        "SSIM, uint8 256x256x3 pair, a process with OpenCV and pixelgauge only",
        ["", "time / ours", "ms"],
        [
            ["pixelgauge wang2004", "1.0x", f"{ours * 1e3:.2f}"],
            ["OpenCV QualitySSIM", f"{theirs / ours:.1f}x", f"{theirs * 1e3:.2f}"],
        ],
    )


def instruction_sets() -> None:
    x, y = pictures(1080, 1920)
    pixelgauge.set_num_threads(1)
    before = pixelgauge.isa()

    def under(isa: str) -> Callable[[], float]:
        def run() -> float:
            _core.set_isa(isa)
            return pixelgauge.ssim(x, y)

        return run

    names = pixelgauge.build_info()["available_isas"]
    contenders = {isa: under(isa) for isa in names}
    values = [run() for run in contenders.values()]
    assert max(values) - min(values) <= 1e-6
    seconds = alternate(contenders)
    _core.set_isa(before)
    best = seconds[names[-1]]
    table(
        "Instruction sets, wang2004, 1920x1080x3, one thread",
        ["", "time / best", "ms", "ns/px/channel", "limit"],
        [
            [
                n,
                f"{t / best:.2f}x",
                f"{t * 1e3:.2f}",
                f"{t / x.size * 1e9:.2f}",
                f"{OPERATIONS[11] / 2 / LANES[n]:.2f} cycles/px",
            ]
            for n, t in seconds.items()
        ],
    )


def threads() -> None:
    x, y = pictures(1080, 1920)
    small = [
        np.stack([a[i : i + 256, j : j + 256] for i in range(0, 800, 100) for j in range(0, 1600, 100)]) for a in (x, y)
    ]

    def with_threads(n: int, run: Callable[[], object]) -> Callable[[], object]:
        def timed() -> object:
            pixelgauge.set_num_threads(n)
            return run()

        return timed

    cases: dict[str, Callable[[], object]] = {
        "one 1920x1080x3 pair": lambda: pixelgauge.ssim(x, y),
        f"batch of {len(small[0])} pairs 256x256x3": lambda: pixelgauge.ssim(*small),
        "skimage preset, one pair": lambda: pixelgauge.ssim(x, y, preset="skimage"),
        "ms_ssim, one pair": lambda: pixelgauge.ms_ssim(x, y),
        "psnr, one pair": lambda: pixelgauge.psnr(x, y),
    }
    rows = []
    for name, run in cases.items():
        assert np.array_equal(with_threads(1, run)(), with_threads(2, run)())
        t = alternate({"1": with_threads(1, run), "2": with_threads(2, run)}, 15)
        rows.append([name, f"{t['1'] / t['2']:.2f}x", f"{t['1'] * 1e3:.2f}", f"{t['2'] * 1e3:.2f}"])
    table("Two threads against one", ["", "ratio", "1 thread ms", "2 threads ms"], rows)


def psnr_bandwidth() -> None:
    x, y = pictures(2160, 3840)
    pixelgauge.set_num_threads(1)
    flat = [np.ascontiguousarray(a).reshape(-1).view(np.uint64) for a in (x, y)]
    expected = 10 * np.log10(255**2 / np.mean((x.astype(np.float64) - y) ** 2))
    assert abs(pixelgauge.psnr(x, y) - expected) <= 1e-9
    t = alternate(
        {"psnr": lambda: pixelgauge.psnr(x, y), "reading both": lambda: [np.bitwise_xor.reduce(f) for f in flat]}, 15
    )
    table(
        "PSNR, uint8 3840x2160x3, one thread, against reading both images once",
        ["", "ratio", "ms", "GB/s"],
        [[n, f"{s / t['reading both']:.2f}x", f"{s * 1e3:.2f}", f"{2 * x.nbytes / s / 1e9:.1f}"] for n, s in t.items()],
    )


MEMORY = """
import sys, numpy as np, pixelgauge
rng = np.random.default_rng(0)
x = rng.integers(0, 256, (2160, 3840, 3), dtype=np.uint8); y = x[::-1].copy()
pixelgauge.set_num_threads(2)

def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key)) / 1024

with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak begins anew
before = status("VmRSS")
exec(sys.argv[1])
print(status("VmHWM") - before)
"""


def memory() -> None:
    rows = []
    for call in (
        "pixelgauge.ssim(x, y)",
        "pixelgauge.ssim(x, y, preset='skimage')",
        "pixelgauge.ssim(x, y, preset='matlab')",
        "pixelgauge.psnr(x, y)",
        "pixelgauge.ms_ssim(x, y, combine='sum')",
    ):
        out = subprocess.run([sys.executable, "-c", MEMORY, call], capture_output=True, text=True, check=True)
        rows.append([call, f"{float(out.stdout):.1f}"])
        assert float(out.stdout) <= 16, call
    out = subprocess.run(
        [sys.executable, "-c", MEMORY, "z = x.astype(np.float32)"], capture_output=True, text=True, check=True
    )
    assert float(out.stdout) > 90, "the measurement does not see a float32 copy of one image (95 MB)"
    rows.append(["(one float32 copy of an image)", f"{float(out.stdout):.1f}"])
    table("Peak memory above the inputs, 3840x2160x3 pair (limit 16 MB)", ["", "MB"], rows)


def import_time() -> None:
    def run(code: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True)

    t = alternate({"numpy": run("import numpy"), "pixelgauge": run("import pixelgauge")}, 11)
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, json, pixelgauge; print(json.dumps([m for m in ('PIL', 'onnxruntime', 'tqdm', 'scipy') if m in sys.modules]))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(loaded.stdout) == []
    table(
        "Import",
        ["", "ms"],
        [[n, f"{s * 1e3:.0f}"] for n, s in t.items()]
        + [["difference (limit 60)", f"{(t['pixelgauge'] - t['numpy']) * 1e3:.0f}"]],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    sections = {
        "large": lambda: against_peers(1080, 1920, args.rounds),
        "small": lambda: against_peers(256, 256, 4 * args.rounds),
        "alone": beside_opencv_alone,
        "isa": instruction_sets,
        "threads": threads,
        "psnr": psnr_bandwidth,
        "memory": memory,
        "import": import_time,
    }
    parser.add_argument("sections", nargs="*", choices=[*sections, []], help="default: all")
    args = parser.parse_args()
    print(machine())
    for name in args.sections or sections:
        sections[name]()


if __name__ == "__main__":
    main()
