"""LPIPS and Inception of image files, against onnxruntime alone on the very calls that they make, and decoding alone.

    python -m bench.engine.network_rates --threads 2 --rounds 5

What a run asks of onnxruntime is kept once, and done again by as many threads: its bare rate. Decoding takes the same cores, so
that the limit of a run is both, one after the other. The three take turns in one process. Weights are drawn at random, which
changes no operation.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import pixelgauge
from bench.engine.cases import write_pairs
from bench.engine.rates import in_turns
from bench.networks.weights import checkpoints
from pixelgauge.engine.comparison import CompareOptions, prepare
from pixelgauge.engine.pairing import find_pairs
from pixelgauge.engine.pipeline import score_pairs
from pixelgauge.images import read_image
from pixelgauge.networks.session import Session

SHARE = 0.95
PAIRS = 24

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


def decoded(files: Sequence[str], threads: int) -> None:
    """Decode them, and nothing else."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(read_image, files))


def lpips(folder: Path, backbone: str, threads: int) -> Callable[[], None]:
    """Make a run of the engine over pairs of JPEG files."""
    network = pixelgauge.LPIPS(backbone, weights=checkpoints(f"lpips-{backbone}", folder))
    with mock.patch("pixelgauge.perceptual.lpips.LPIPS", return_value=network):  # which has weights of its own
        comparison = prepare(CompareOptions(("lpips",), lpips_backbone=backbone))
    pairing = find_pairs(f"{folder}/ref", f"{folder}/test")

    def call() -> None:
        if any(row.status != "ok" for row in score_pairs(pairing, comparison, workers=threads)):
            raise RuntimeError("a pair was not scored")

    return call


def inception(files: Sequence[str], folder: Path) -> Callable[[], None]:
    """Make features of files."""
    network = pixelgauge.InceptionFeatures(weights=checkpoints("inception-fid", folder)[0])

    def call() -> None:
        if len(network(files)) != len(files):
            raise RuntimeError("an image has no features")

    return call


def seconds(run: Callable[[], None], files: Sequence[str], threads: int, rounds: int) -> list[float]:
    """Seconds of a run, of its calls of onnxruntime by themselves, and of decoding: medians."""
    with kept_calls() as calls:
        run()
    contenders = {
        "run": run,
        "onnxruntime": lambda: alone(calls, threads),
        "decoding": lambda: decoded(files, threads),
    }
    return [statistics.median(wall for _, wall in times) for times in in_turns(contenders, rounds).values()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table: 1 if a share is below what is promised."""
    parser = argparse.ArgumentParser(prog="python -m bench.engine.network_rates", description=__doc__.split("\n\n")[0])
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    options = parser.parse_args(arguments)
    pixelgauge.set_num_threads(options.threads)
    is_slow = False
    print(
        f"ms each, of {PAIRS}; {SHARE:g} of the limit is promised\n{'':24}   run  onnxruntime  decoding  of onnxruntime  of limit"
    )
    for side in (256, 512):
        with TemporaryDirectory() as place:
            folder = Path(place)
            write_pairs(folder, PAIRS, (side, side, 3))
            pairs, images = (sorted(map(str, folder.glob(names))) for names in ("*/*.jpg", "ref/*.jpg"))
            runs = {
                f"lpips {name}": (lpips(folder, name, options.threads), pairs) for name in ("alex", "squeeze", "vgg")
            }
            runs["inception"] = inception(images, folder), images
            for name, (run, files) in runs.items():
                whole, bare, reading = seconds(run, files, options.threads, options.rounds)
                is_slow |= bare + reading < SHARE * whole
                print(
                    f"{name:14} {side}x{side} {1e3 * whole / PAIRS:8.2f} {1e3 * bare / PAIRS:12.2f} {1e3 * reading / PAIRS:9.2f} "
                    f"{bare / whole:15.3f} {(bare + reading) / whole:9.3f}",
                    flush=True,
                )
    return int(is_slow)


if __name__ == "__main__":
    raise SystemExit(main())
