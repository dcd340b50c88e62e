"""LPIPS and Inception of image files, against onnxruntime alone on the very calls that they make.

    python -m bench.engine.network_rates --threads 2 --rounds 5

What a run asks of onnxruntime is kept once, and done again by as many threads without reading, decoding, resizing or rows: its
bare rate. The two take turns in one process. Weights are drawn at random, which changes no operation.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import pixelgauge
from bench.engine.cases import write_pairs
from bench.networks.weights import checkpoints
from pixelgauge.engine.comparison import CompareOptions, prepare
from pixelgauge.engine.pairing import find_pairs
from pixelgauge.engine.pipeline import score_pairs
from pixelgauge.networks.session import Session

SHARE = 0.95
PAIRS = 48

Call = tuple[Any, Sequence[str], dict[str, Any]]


class Kept:
    """A session of onnxruntime whose calls are written down."""

    def __init__(self, session: Any, calls: list[Call]) -> None:
        self._session, self._calls = session, calls

    def run(self, outputs: Sequence[str], inputs: dict[str, Any]) -> Any:
        """Run it."""
        self._calls.append((self._session, outputs, dict(inputs)))
        return self._session.run(outputs, inputs)


@contextmanager
def kept_calls() -> Iterator[list[Call]]:
    """Keep what any model asks of onnxruntime."""
    calls: list[Call] = []
    loaded = Session.session
    with mock.patch.object(Session, "session", lambda self, threads: Kept(loaded(self, threads), calls)):
        yield calls


def alone(calls: Sequence[Call], threads: int) -> None:
    """Make the calls, and nothing else."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda call: call[0].run(call[1], call[2]), calls))


def lpips(folder: Path, backbone: str, threads: int) -> Callable[[], None]:
    """Make a run of the engine over pairs of JPEG files."""
    network = pixelgauge.LPIPS(backbone, weights=checkpoints(f"lpips-{backbone}", folder))
    with mock.patch("pixelgauge.perceptual.lpips.LPIPS", lambda name: network):  # which has weights of its own
        comparison = prepare(CompareOptions(("lpips",), lpips_backbone=backbone))
    pairing = find_pairs(f"{folder}/ref", f"{folder}/test")

    def call() -> None:
        if any(row.status != "ok" for row in score_pairs(pairing, comparison, workers=threads)):
            raise RuntimeError("a pair was not scored")

    return call


def inception(folder: Path) -> Callable[[], None]:
    """Make features of the same files."""
    network = pixelgauge.InceptionFeatures(weights=checkpoints("inception-fid", folder)[0])
    files = sorted(map(str, folder.glob("ref/*.jpg")))

    def call() -> None:
        if len(network(files)) != len(files):
            raise RuntimeError("an image has no features")

    return call


def share(call: Callable[[], None], threads: int, rounds: int) -> tuple[float, float, float]:
    """Seconds of the run and of onnxruntime's calls by themselves, and how the second stands to the first: medians."""
    with kept_calls() as calls:
        call()
    times: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        call()
        between = time.perf_counter()
        alone(calls, threads)
        times.append((between - began, time.perf_counter() - between))
    whole, bare = zip(*times[1:], strict=True)
    return statistics.median(whole), statistics.median(bare), statistics.median(b / w for w, b in times[1:])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table: 1 if a share is below what is promised."""
    parser = argparse.ArgumentParser(prog="python -m bench.engine.network_rates", description=__doc__.split("\n\n")[0])
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    options = parser.parse_args(arguments)
    pixelgauge.set_num_threads(options.threads)
    is_slow = False
    for side in (256, 512):
        with TemporaryDirectory() as place:
            folder = Path(place)
            write_pairs(folder, PAIRS, (side, side, 3))
            runs = {f"lpips {name}": lpips(folder, name, options.threads) for name in ("alex", "squeeze", "vgg")}
            runs["inception"] = inception(folder)
            for name, call in runs.items():
                whole, bare, part = share(call, options.threads, options.rounds)
                is_slow |= part < SHARE
                print(
                    f"{name:14} {PAIRS} of {side}x{side}: {1e3 * whole / PAIRS:6.2f} ms each, onnxruntime alone "
                    f"{1e3 * bare / PAIRS:6.2f}, {part:.3f} of its rate ({SHARE:g} is promised)",
                    flush=True,
                )
    return int(is_slow)


if __name__ == "__main__":
    raise SystemExit(main())
