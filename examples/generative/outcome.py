"""What an example prints and leaves behind: lines `name value`, `figures.json` with the same, pictures and samples."""

import argparse
import json
import math
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


class Outcome:
    """The output folder of a run and its figures; made at the start, since it takes the time."""

    def __init__(self, name, description, trains=True):
        parser = argparse.ArgumentParser(description=description.partition("\n")[0])
        parser.set_defaults(quick=False)
        if trains:
            parser.add_argument("--quick", action="store_true", help="a short run on few images, to see that all works")
        parser.add_argument("--output", type=Path, default=Path("generative", name), help="folder of what is written")
        parser.add_argument("--seed", type=_seed, default=0, help="of whatever is drawn, from 0 on (default: 0)")
        given = parser.parse_args()
        self.quick, self.seed, self.folder = given.quick, given.seed, given.output
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.folder).close()
        except OSError as error:  # now, and not after minutes
            parser.error(f"argument --output: nothing can be written to {self.folder}: {error.strerror}")
        self.figures = {}
        self._start = time.perf_counter()

    def add(self, name, value):
        """Keep and print a figure: a number, or one with the ends of its interval."""
        numbers = [float(number) for number in np.atleast_1d(value)]
        self.figures[name] = numbers if len(numbers) > 1 else numbers[0]
        text = f"{numbers[0]:.4g}" if len(numbers) == 1 else "{:.4g} [{:.4g}, {:.4g}]".format(*numbers)
        print(name, text, flush=True)

    def add_all(self, prefix, named):
        """Keep and print figures {name: value} as `prefix.name`."""
        for name, value in named.items():
            self.add(f"{prefix}.{name}", value)

    def curve(self, name, values):
        """Keep the values along training, and print the first and the last."""
        self.figures[name] = [float(value) for value in values]
        print(name, f"{self.figures[name][0]:.4g} ... {self.figures[name][-1]:.4g}", flush=True)

    def path(self, name):
        """Where a file goes."""
        return self.folder / name

    def save(self, samples=None):
        """Write `samples.npy`, uint8 (N, 28, 28, 1), and `figures.json`, after the time and the memory."""
        if samples is not None:
            np.save(self.path("samples.npy"), samples)
        self.add("seconds", time.perf_counter() - self._start)
        self.add("cpu_seconds", time.process_time())
        unit = 2**20 if sys.platform == "darwin" else 2**10
        self.add("peak_mb", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
        strict = {name: _without_nan(value) for name, value in self.figures.items()}
        self.path("figures.json").write_text(json.dumps(strict, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _seed(text):
    """Whole number that JAX and NumPy both take, and the next one too."""
    if not (text.isdecimal() and int(text) < 2**31 - 1):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to {2**31 - 2}")
    return int(text)


def _without_nan(value):
    if isinstance(value, list):
        return [_without_nan(one) for one in value]
    return value if math.isfinite(value) else None
