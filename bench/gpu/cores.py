"""How far the cores of this machine carry: SSIM, AUROC, decoding and a whole comparison, by the number of threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import pixelgauge
from bench.gpu.card import Run
from bench.images.pictures import batch, pair
from bench.timing import measure
from pixelgauge.images import read_image
from pixelgauge.parallel import ordered_map

FILES = 64


@dataclass(frozen=True)
class Scaling:
    """Seconds of a task by the number of threads."""

    task: str
    seconds: dict[int, float]

    def told(self) -> str:
        """One line: seconds of one thread, and how many times as quick more are."""
        first = self.seconds[1]
        more = ", ".join(f"{n}: {first / s:.2f}" for n, s in self.seconds.items() if n > 1)
        return f"{self.task:<34} {1e3 * first:9.2f} ms with one thread; times as quick with {more or 'no more'}"


def threads() -> list[int]:
    """1, 2, 4, ... and all that the process may use."""
    most = len(os.sched_getaffinity(0))
    return sorted({min(1 << i, most) for i in range(most.bit_length() + 1)})


def scalings(run: Run) -> Iterator[Scaling]:
    """Each task in turns by the number of threads."""
    before = pixelgauge.get_num_threads()
    try:
        for task, call in tasks(run).items():
            counts = {str(count): count for count in threads()}
            enter = {name: lambda count=count: pixelgauge.set_num_threads(count) for name, count in counts.items()}
            times = measure(dict.fromkeys(counts, call), enter, run.rounds, 30)
            yield Scaling(task, {counts[name]: seconds.best for name, seconds in times.items()})
    finally:
        pixelgauge.set_num_threads(before)


def tasks(run: Run) -> dict[str, Callable[[], object]]:
    """Calls that use all threads there are."""
    x, y = pair(256, 256) if run.quick else pair(2160, 3840)
    many = batch(4, 64, 64) if run.quick else batch(64, 256, 256)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 10_000 if run.quick else 10_000_000)
    scores = (labels + rng.standard_normal(labels.size)).astype(np.float32)
    jpeg, png = (written(run, extension) for extension in ("jpg", "png"))
    return {
        f"ssim, one {x.shape[1]}x{x.shape[0]}": lambda: pixelgauge.ssim(x, y),
        f"ssim, {len(many[0])} of {many[0].shape[2]}x{many[0].shape[1]}": lambda: pixelgauge.ssim(*many),
        f"ms_ssim, one {x.shape[1]}x{x.shape[0]}": lambda: pixelgauge.ms_ssim(x, y),
        f"roc_auc_score, {labels.size:.0e}": lambda: pixelgauge.roc_auc_score(labels, scores),
        f"decoding {FILES} JPEG": lambda: decoded(jpeg),
        f"decoding {FILES} PNG": lambda: decoded(png),
    }


def written(run: Run, extension: str) -> list[str]:
    """Files of a photograph's size."""
    size = (176, 176) if run.quick else (768, 1024)
    folder = run.folder / extension
    folder.mkdir(exist_ok=True)
    names = []
    for i in range(FILES):
        names.append(str(folder / f"{i}.{extension}"))
        if not Path(names[-1]).exists():
            Image.fromarray(np.roll(pair(*size)[0], 17 * i, axis=1)).save(names[-1])
    return names


def decoded(files: list[str]) -> int:
    """Decode files side by side; the number of their pixels."""
    count = pixelgauge.get_num_threads()
    return sum(image.size for image in ordered_map(read_image, files, count, count))
