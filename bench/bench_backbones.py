"""LPIPS, Inception and the resize kernels against PyTorch's originals and Pillow, alternating in one process.

``python bench/bench_backbones.py lpips inception program resize start winograd openvino``: any of them, all by default;
``alex``, ``vgg`` and ``squeeze`` are the parts of ``lpips``. PyTorch, torchvision, lpips and pytorch-fid are only needed
for the first three; where pixelgauge chooses CUDA, they run there too, TF32 off. Weights are drawn at random in the official names, which changes no operation, and both sides load the
same; each case asserts that both give the same numbers. Times are medians of wall clock; beside them the processor seconds
and each contender's best run, which other machines on the same processor have disturbed least.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import functools
import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import pixelgauge
from pixelgauge import _core
from pixelgauge.networks import providers
from pixelgauge.networks import store as model_store
from timing import measure, table

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9"))


def contest(
    title: str,
    contenders: dict[str, Callable[[], Any]],
    per_call: int = 1,
    flops: float = 0.0,
    *,
    rounds: int = ROUNDS,
    budget_s: float = 30,
    warm: bool = True,
) -> None:
    """Time an item of each contender and print the table; ours is the first. `flops` is what an item takes by count."""
    # OpenMP's idle threads spin for 200 ms before they sleep.
    results = measure(contenders, rounds, budget_s, pause_s=0.25, warm=warm)
    ours, (wall, processor, best) = next(iter(results.items()))
    rows = [
        [
            name,
            f"{w / wall:.2f}x",
            f"{p / processor:.2f}x",
            f"{b / best:.2f}x",
            f"{1e3 * w / per_call:.3f}",
            f"{per_call / w:.1f}",
        ]
        for name, (w, p, b) in results.items()
    ]
    table(title, ["contender", "wall", "processor", "best run", "ms an item", "items/s"], rows)
    if flops:
        peak, how = peak_flops()
        print(
            f"  limit without Winograd: {flops / 1e9:.2f} GFLOP at {peak / 1e9:.0f} GFLOP/s a core ({how}, measured now) = "
            f"{1e3 * flops / peak:.1f} processor ms; {ours} takes {1e3 * processor / per_call:.1f} on "
            f"{pixelgauge.get_num_threads()} threads"
        )


FMA_LOOP = """
#include <time.h>
typedef float V __attribute__((vector_size(LANES * 4)));
double flops(void) {
    V a[12]; for (int i = 0; i < 12; ++i) a[i] = (V){} + (float)i;
    const V m = (V){} + 0.997f, c = (V){} + 1e-3f;
    struct timespec begin, end; clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    for (long k = 0; k < 3000000; ++k) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; ++i) a[i] = a[i] * m + c;
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    volatile float keep = 0; for (int i = 0; i < 12; ++i) keep += a[i][0];
    return 3e6 * 12 * 2 * LANES / (end.tv_sec - begin.tv_sec + 1e-9 * (end.tv_nsec - begin.tv_nsec));
}
"""


def peak_flops() -> tuple[float, str]:
    """Floating-point operations a second of one core: multiply-adds in registers, or NumPy's sgemm without a compiler."""
    compiler = shutil.which("cc")
    if compiler:
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder, "fma.c"), Path(folder, "fma.so")
            source.write_text(FMA_LOOP)
            lanes = {"avx512": 16, "avx2": 8}.get(pixelgauge.isa(), 4)
            flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", f"-DLANES={lanes}"]
            subprocess.run([compiler, *flags, str(source), "-o", str(library)], check=True)
            loop = ctypes.CDLL(str(library)).flops
            loop.restype = ctypes.c_double
            return statistics.median(loop() for _ in range(9)), "multiply-adds in registers"
    a = np.random.default_rng(0).random((2048, 2048), np.float32)
    a @ a
    start = time.process_time()
    a @ a
    return 2 * 2048**3 / (time.process_time() - start), "NumPy's sgemm"


def draw(name: str, folder: Path) -> tuple[list[Path], dict[str, dict[str, np.ndarray]]]:
    """Random checkpoints of a model, as files and by role."""
    rng = np.random.default_rng(0)
    roles: dict[str, dict[str, np.ndarray]] = {}

    def put(role: str, tensor: str, value: np.ndarray) -> None:
        roles.setdefault(role, {})[tensor] = np.asarray(value, np.float32)

    for row in model_store.model_named(name).rows:
        normal = rng.standard_normal(row.shape)
        fan = np.prod(row.shape[1:]) if len(row.shape) > 1 else 100
        if row.fold is not None and len(row.shape) == 4:
            put(row.role, f"{row.fold}.conv.weight", normal * np.sqrt(2 / fan))
            for part in ("weight", "bias", "running_mean", "running_var"):
                put(
                    row.role,
                    f"{row.fold}.bn.{part}",
                    np.full(row.shape[0], 1.0 if part in ("weight", "running_var") else 0.1),
                )
        elif row.role == "heads":
            put(row.role, str(row.tensor), np.abs(normal).reshape(*row.shape, 1, 1))
        elif row.tensor is not None:
            put(row.role, row.tensor, normal * np.sqrt(2 / fan))
    paths = []
    for role, tensors in roles.items():
        paths.append(folder / f"{name}-{role}.npz")
        np.savez(paths[-1], **tensors)
    return paths, roles


def pytorch_device() -> str:
    """Where PyTorch is to run: as pixelgauge does by default, in float32 and with its best algorithms."""
    import torch

    torch.set_num_threads(pixelgauge.get_num_threads())
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    return "cuda" if providers.choose_providers().provider == providers.CUDA else "cpu"


# Multiply-adds of an image at 256x256.
LPIPS_PRODUCTS = {"alex": 868e6, "vgg": 20.04e9, "squeeze": 347e6}


def bench_lpips(folder: Path) -> None:
    for net in LPIPS_PRODUCTS:
        bench_backbone(folder, net)


def bench_backbone(folder: Path, net: str) -> None:
    import lpips
    import torch

    device = pytorch_device()
    paths, roles = draw(f"lpips-{net}", folder)
    ours = pixelgauge.LPIPS(net, weights=paths)
    theirs = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
    state = theirs.state_dict()
    for key in state:
        if key.startswith("net.slice"):  # net.slice1.3.weight is features.3.weight
            state[key] = torch.from_numpy(roles["backbone"]["features." + key.split(".", 2)[2]])
        elif key.startswith("lin") and not key.startswith("lins"):
            state[key] = torch.from_numpy(roles["heads"][key])
        elif key.startswith("lins."):
            state[key] = torch.from_numpy(roles["heads"][f"lin{key.split('.')[1]}.model.1.weight"])
    theirs.load_state_dict(state)
    theirs.to(device)
    rng = np.random.default_rng(1)
    for count in (1, 8) if device == "cpu" else (1, 8, 32):
        x, y = rng.integers(0, 256, (2, count, 256, 256, 3), np.uint8)
        a, b = (torch.from_numpy(image.transpose(0, 3, 1, 2) / np.float32(127.5) - 1) for image in (x, y))

        def original(a: Any = a, b: Any = b) -> np.ndarray:
            with torch.inference_mode():
                return theirs(a.to(device), b.to(device)).cpu().numpy().ravel()

        np.testing.assert_allclose(ours(x, y), original(), rtol=1e-5)
        contest(
            f"LPIPS {net}, pairs of 256x256, {count} at a time",
            {"pixelgauge": lambda x=x, y=y: ours(x, y), "lpips, PyTorch": original},
            count,
            2 * 2 * LPIPS_PRODUCTS[net],
        )


def original_inception(folder: Path, device: str) -> tuple[Path, Any]:
    """Random weights as a file, and pytorch-fid's network with them."""
    import pytorch_fid.inception
    import torch

    paths, roles = draw("inception-fid", folder)
    state = {name: torch.from_numpy(value) for name, value in roles["backbone"].items()}
    counts = {
        f"{n.removesuffix('.weight')}.num_batches_tracked": torch.tensor(0) for n in state if n.endswith("bn.weight")
    }
    pytorch_fid.inception.load_state_dict_from_url = lambda *_, **__: {**state, **counts}
    return paths[0], pytorch_fid.inception.InceptionV3().eval().to(device)


def bench_inception(folder: Path) -> None:
    """The network alone: tensors in, features out, resizing included in both."""
    import torch

    device = pytorch_device()
    path, theirs = original_inception(folder, device)
    for count in (8, 50) if device == "cpu" else (32, 128):
        ours = pixelgauge.InceptionFeatures(weights=path)
        x = np.random.default_rng(1).integers(0, 256, (count, 256, 256, 3), np.uint8)
        a = torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float32) / 255)
        last = a.contiguous(memory_format=torch.channels_last)

        def original(images: Any, count: int = count) -> np.ndarray:
            with torch.inference_mode():
                return theirs(images.to(device))[0].cpu().numpy().reshape(count, 2048)

        value, expected = ours(x), original(a)
        assert np.linalg.norm(value - expected) < 1e-4 * np.linalg.norm(expected)
        contest(
            f"Inception features of 256x256 images in memory, {count} at a time",
            {
                "pixelgauge": lambda x=x, ours=ours: ours(x),
                "pytorch-fid's network": lambda a=a, original=original: original(a),
                "pytorch-fid's network, channels last": lambda last=last, original=original: original(last),
            },
            count,
            2 * 5.71e9,
        )


def bench_program(folder: Path) -> None:
    """Both programs as they are run: a folder of files to features, with their own batch size and workers."""
    from PIL import Image
    from pytorch_fid.fid_score import get_activations

    device = pytorch_device()
    path, theirs = original_inception(folder, device)
    ours = pixelgauge.InceptionFeatures(weights=path)
    workers = min(pixelgauge.get_num_threads(), 8)  # as its command line chooses
    for extension, shape in (("png", (256, 256, 3)), ("jpg", (500, 375, 3))):
        files = []
        rng = np.random.default_rng(3)
        for i in range(64):
            small = Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8))
            files.append(str(folder / f"{i}.{extension}"))
            small.resize(shape[1::-1], Image.Resampling.BICUBIC).save(files[-1])

        def original(files: Any = files) -> np.ndarray:
            with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
                return get_activations(files, theirs, batch_size=50, dims=2048, device=device, num_workers=workers)

        value, expected = ours(files), original()
        assert np.linalg.norm(value - expected) < 1e-4 * np.linalg.norm(expected)
        contest(
            f"Folder of {len(files)} {extension} files {shape[1]}x{shape[0]} to features",
            {"pixelgauge": lambda files=files: ours(files), "pytorch-fid": original},
            len(files),
            rounds=3,
            warm=False,
        )


def bench_resize(_: Path) -> None:
    from PIL import Image

    size = (299, 299)

    before = pixelgauge.get_num_threads()
    pixelgauge.set_num_threads(1)
    for height, width in ((256, 256), (512, 512), (1080, 1920)):
        image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        bytes_in = Image.fromarray(image)
        planes = [Image.fromarray(image[..., c].astype(np.float32)) for c in range(3)]
        for rule, name, filter_ in (
            (_core.ResizeRule.antialias, "bilinear", Image.Resampling.BILINEAR),
            (_core.ResizeRule.bicubic, "bicubic", Image.Resampling.BICUBIC),
        ):

            def ours(rule: Any = rule, image: Any = image) -> np.ndarray:
                return _core.resize(image[None], rule, *size, 1.0, 0.0, -np.inf, np.inf)

            def floats(filter_: Any = filter_, planes: Any = planes) -> list[Any]:
                return [plane.resize(size, filter_) for plane in planes]

            expected = np.stack([np.asarray(plane) for plane in floats()])
            np.testing.assert_allclose(ours()[0], expected, rtol=0, atol=1e-3)
            contest(
                f"Resize {width}x{height} to 299x299, {name}, one thread",
                {
                    "pixelgauge": ours,
                    "Pillow, float32, the same values": floats,
                    "Pillow, uint8, rounded": lambda b=bytes_in, f=filter_: b.resize(size, f),
                },
            )
    pixelgauge.set_num_threads(before)


def bench_start(folder: Path) -> None:
    paths, _ = draw("lpips-alex", folder)
    model_store.add("lpips-alex", paths)
    code = (
        "import time; start = time.perf_counter(); import numpy as np, pixelgauge; from pixelgauge import LPIPS; "
        "imported = time.perf_counter(); metric = LPIPS('alex'); loaded = time.perf_counter(); "
        "x = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3), np.uint8); assert metric(x[0], x[1]) > 0; "
        "print(imported - start, loaded - imported, time.perf_counter() - loaded, "
        "[line.split()[1] for line in open('/proc/self/status') if line.startswith('VmRSS')][0])"
    )
    runs = []
    for _ in range(5):
        begin = time.perf_counter()
        out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
        runs.append([time.perf_counter() - begin, *map(float, out.split())])
    total, imported, loaded, first, rss = (statistics.median(run[i] for run in runs) for i in range(5))
    print(
        f"\nCold start of LPIPS alex: {total:.2f} s process to exit: import {imported:.2f}, load {loaded:.2f}, "
        f"first pair {first:.3f}; memory afterwards {rss / 1024:.0f} MiB"
    )
    assert total < 1, "the first result must come within a second"


def bench_openvino(folder: Path) -> None:
    if providers.OPENVINO not in providers.onnxruntime().get_available_providers():
        print("\nOpenVINO: this onnxruntime does not have it")
        return
    paths, _ = draw("inception-fid", folder)
    rng = np.random.default_rng(1)
    # Two sets that differ: blobs of colour, the second with more contrast and noise.
    blobs = rng.integers(60, 190, (128, 13, 13, 3)).repeat(23, 1).repeat(23, 2)
    blobs[64:] = np.clip(1.3 * blobs[64:] - 30 + rng.normal(0, 8, blobs[64:].shape), 0, 255)
    images = blobs.astype(np.uint8)
    names = {
        "float32, CPU": ("cpu", "float32"),
        "float32, OpenVINO": ("openvino", "float32"),
        "bf16, OpenVINO": ("openvino", "bf16"),
    }
    sessions = {
        name: pixelgauge.InceptionFeatures(weights=paths[0], providers=provider, precision=precision)  # type: ignore[arg-type]
        for name, (provider, precision) in names.items()
    }
    expected = sessions["float32, CPU"](images)
    distance = pixelgauge.frechet_distance(expected[:64], expected[64:])
    print()
    for name, run in sessions.items():
        value = run(images)
        error = np.linalg.norm(value - expected) / np.linalg.norm(expected)
        fid = pixelgauge.frechet_distance(value[:64], value[64:])
        print(f"{name}: features off by {error:.2e} relative, FID {fid:.6g} by {abs(fid / distance - 1):.1e}")
        assert error < (0.02 if "bf16" in name else 1e-5)
        assert abs(fid / distance - 1) < (0.02 if "bf16" in name else 1e-4)
    contest(
        "Inception features of 299x299 images, 128 at a time",
        {name: lambda s=s: s(images) for name, s in sessions.items()},
        len(images),
        2 * 5.71e9,
        rounds=2 * ROUNDS,
        budget_s=60,
        warm=False,
    )


def bench_winograd(folder: Path) -> None:
    """Our convolutions against onnxruntime's own in the same graphs, the same values within 1e-5."""
    for name, size, count in (
        ("lpips-alex", 256, 8),
        ("lpips-squeeze", 256, 8),
        ("lpips-vgg", 256, 2),
        ("inception-fid", 299, 8),
    ):
        paths, _ = draw(name, folder)

        def made(model: Any, name: str = name, paths: list[Path] = paths) -> Callable[..., np.ndarray]:
            with mock.patch.dict(model_store.manifest(), {name: model}):
                if name == "inception-fid":
                    return pixelgauge.InceptionFeatures(weights=paths[0])
                return pixelgauge.LPIPS(name.removeprefix("lpips-"), weights=paths)

        # SqueezeNet goes without: the comparison is why.
        tiles = model_store.model_named(name).winograd or model_store.model_named("lpips-vgg").winograd
        ours, plain = (
            made(dataclasses.replace(model_store.model_named(name), winograd=chosen)) for chosen in (tiles, {})
        )
        images = np.random.default_rng(1).integers(0, 256, (2, count, size, size, 3), np.uint8)
        inputs = images[:1] if name == "inception-fid" else images
        expected = plain(*inputs)
        assert np.linalg.norm(ours(*inputs) - expected) < 1e-5 * np.linalg.norm(expected)
        contest(
            f"{name} at {size}x{size}, {count} at a time",
            {
                "with Winograd": lambda f=ours, x=inputs: f(*x),
                "onnxruntime's convolutions": lambda f=plain, x=inputs: f(*x),
            },
            count,
            rounds=5,
        )


CASES = {
    "lpips": bench_lpips,
    **{net: functools.partial(bench_backbone, net=net) for net in LPIPS_PRODUCTS},
    "inception": bench_inception,
    "program": bench_program,
    "resize": bench_resize,
    "start": bench_start,
    "winograd": bench_winograd,
    "openvino": bench_openvino,
}

if __name__ == "__main__":
    print({k: v for k, v in pixelgauge.build_info().items() if k in ("version", "isa", "threads")})
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["PIXELGAUGE_CACHE"] = temporary
        for case in sys.argv[1:] or [name for name in CASES if name not in LPIPS_PRODUCTS]:
            CASES[case](Path(temporary))
