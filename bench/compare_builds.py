"""Two installed builds of pixelgauge beside each other: is NEW slower than OLD, and do both give the same numbers?

    python -m bench.compare_builds OLD NEW 'ssim/*' roc_auc_score/float32/1e6

OLD and NEW are each a folder that holds the package (as `pip install --target DIR .` makes it), a virtual environment or a
Python executable. Each build runs in a process of its own, the two in turns, so that what else the machine does meets both
alike. The answer is a ratio with its interval, not two times: see "Two builds" in docs/methods/performance.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench import agreement
from bench.catalogue import CASES, select
from bench.machine import cpu_model
from bench.timing import duration

WORKER = Path(__file__).resolve().with_name("build_worker.py")
NOT_SLOWER = 0.97
SEED = 20040413
RESAMPLES = 4000
# Two processes of one build differ by a percent or two for as long as they live, by where their memory happens to lie: the
# rounds are shared among this many pairs of fresh processes, and the interval sees how the pairs differ.
SECTIONS = 8
# A turn is timed in batches of at most this many, and its time is that of the quickest: what interrupts one does not count.
BATCHES = 9
# So many rounds gave an interval within 2 % for a build beside itself on a busy machine; calls that are longer than a turn
# are repeated until they took SECONDS in each build, but no less often than the 31 rounds that a verdict needs.
ROUNDS = 200
FEWEST = 31
SECONDS = 20.0


class BuildError(Exception):
    """A build cannot be measured: it is not there, is not the one that was named, or its process ended."""


class CaseError(Exception):
    """A case cannot be measured."""

    def __init__(self, verdict: str, reason: str) -> None:
        super().__init__(reason)
        self.verdict = verdict
        self.reason = reason


@dataclass(frozen=True)
class Build:
    """Where a build is, and how its process is started."""

    label: str
    python: str
    folder: Path | None
    """Holds the package; None where it is installed for the interpreter `python`."""

    @classmethod
    def at(cls, label: str, place: str) -> Build:
        """Find out which of the three kinds `place` is.

        Raises
        ------
        BuildError
            If it is none of them.
        """
        path = Path(place)
        if path.is_dir():
            if (path / "pixelgauge" / "__init__.py").is_file():
                return cls(label, sys.executable, path.resolve())
            if (path / "pyvenv.cfg").is_file():
                return cls(label, str(path.absolute() / "bin" / "python"), None)
            raise BuildError(
                f"{label}={place!r} holds neither pixelgauge/__init__.py nor pyvenv.cfg: "
                "make it with `pip install --target DIR .`, or name a virtual environment"
            )
        if path.is_file() and os.access(path, os.X_OK):
            return cls(label, str(path.absolute()), None)  # not resolved: a venv's python is a link
        raise BuildError(f"{label}={place!r} is no folder and no Python executable")


class Worker:
    """The process of one build; started when first needed, and again after it died."""

    def __init__(self, build: Build, threads: int, isa: str | None, cpu: int | None) -> None:
        self.build = build
        self.cpu = cpu
        self.cache = tempfile.TemporaryDirectory(prefix="pixelgauge-bench-")
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIXELGAUGE_ISA"))
        }
        # A pool of a BLAS that NumPy brings would be a second set of threads.
        for name in ("PIXELGAUGE_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            self.environment[name] = str(threads)
        self.environment["PIXELGAUGE_CACHE"] = self.cache.name
        if isa is not None:
            self.environment["PIXELGAUGE_ISA"] = isa
        if build.folder is not None:
            self.environment["PYTHONPATH"] = str(build.folder)
        self.process: subprocess.Popen[str] | None = None

    def ask(self, order: str, **arguments: Any) -> dict[str, Any]:
        """Send an order and wait for the answer.

        Raises
        ------
        BuildError
            If the order failed or the process ended.
        """
        if self.process is None:
            self._start()
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            print(json.dumps({"order": order, **arguments}), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self.process.wait()
            self._close_pipes()
            raise BuildError(f"the process ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BuildError(answer["error"])
        return answer

    def _start(self) -> None:
        command = [self.build.python, "-P", "-s", str(WORKER)]
        if self.build.folder is not None:
            command.append(str(self.build.folder))
        # Not from the working directory: nothing that lies there may be imported.
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment, cwd=self.cache.name
        )
        if self.cpu is not None:
            os.sched_setaffinity(self.process.pid, {self.cpu})

    def end(self) -> None:
        """End the process, which stops when its input does; the next order starts another."""
        if self.process is not None:
            self._close_pipes()

    def _close_pipes(self) -> None:
        assert self.process is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate()
        self.process = None

    def close(self) -> None:
        """End the process and remove its folder."""
        self.end()
        self.cache.cleanup()


@dataclass(frozen=True)
class Interval:
    """Median of the rounds' ratios old / new, and its bootstrap 95 % interval."""

    median: float
    low: float
    high: float


def interval_of(sections: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Interval:
    """Median of old / new over all rounds, with its 95 % percentile interval.

    Rounds of one pair of processes have its memory in common, so they are not independent: the bootstrap draws pairs of
    processes first, and then rounds of each. Its seed is fixed.
    """
    ratios = [np.asarray(old) / np.asarray(new) for old, new in sections]
    lengths = np.array([len(r) for r in ratios])  # equal, or some one less: each pair gives as many as the longest
    starts = np.cumsum(lengths) - lengths
    pooled = np.concatenate(ratios)
    rng = np.random.default_rng(SEED)
    pairs = rng.integers(0, len(ratios), (RESAMPLES, len(ratios)))[..., None]
    rounds = rng.integers(0, lengths[pairs], (*pairs.shape[:2], lengths.max()))
    medians = np.median(pooled[starts[pairs] + rounds].reshape(RESAMPLES, -1), axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return Interval(float(np.median(pooled)), float(low), float(high))


def verdict_of(interval: Interval, limit: float) -> str:
    """Say whether the interval of old / new reaches `limit`.

    An interval that reaches it only because it is wide proves nothing: one wider than twice what the limit allows, and
    not wholly above the limit, is "unclear".
    """
    if interval.high < limit:
        return "slower"
    if interval.low < limit and interval.high - interval.low > 2 * (1 - limit):
        return "unclear"
    return "not slower"


def orders(rounds: int, seed: int = SEED) -> list[bool]:
    """Whether OLD goes first in each round: pairs of rounds, one either way, which comes first drawn by lot."""
    lot = random.Random(seed)
    first: list[bool] = []
    while len(first) < rounds:
        old_first = lot.random() < 0.5
        first += [old_first, not old_first]
    return first[:rounds]


def difference_of(old: Path, new: Path, tolerance: float) -> str:
    """Say where two files of results differ by more than tolerance * max(1, |old|), or nothing."""
    with np.load(old) as a, np.load(new) as b:
        return agreement.difference([a[name] for name in a.files], [b[name] for name in b.files], tolerance)


def processor_ticks() -> tuple[float, float, float]:
    """Seconds of all processors so far: in all, busy, and of those stolen by the machine's host."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    tick = os.sysconf("SC_CLK_TCK")
    idle, steal = fields[3] + fields[4], fields[7]
    return sum(fields) / tick, (sum(fields) - idle) / tick, steal / tick


def own_seconds(workers: Sequence[Worker]) -> float:
    """Return processor seconds of this process and of the workers with the processes that they waited for."""
    found = sum(os.times()[:2])
    for worker in workers:
        if worker.process is not None:
            words = Path(f"/proc/{worker.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            found += sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")
    return found


@dataclass
class Outcome:
    """What was found out about one case."""

    case: str
    verdict: str
    """not slower, slower, unclear, skipped (OLD cannot run it, or neither can) or broken (NEW alone cannot)."""
    reason: str = ""
    wall: Interval | None = None
    processor: Interval | None = None
    difference: str = ""
    others: float = 0.0
    """Share of the machine's processors that other processes and its host had meanwhile."""
    times: dict[str, dict[str, list[list[float]]]] = field(default_factory=dict)
    """Seconds a call, by clock, build, pair of processes and round."""

    @property
    def passes(self) -> bool:
        """Whether a gate lets it through; a case that OLD cannot run is no fault of NEW."""
        return self.verdict in ("not slower", "skipped") and not self.difference

    def seconds(self, build: str) -> np.ndarray:
        """Wall-clock seconds of all rounds of a build."""
        return np.concatenate(self.times["wall"][build])


@dataclass(frozen=True)
class Plan:
    """How each case is measured and judged."""

    rounds: int | None
    """None: by the length of a turn, see ROUNDS."""
    target: float
    """Seconds of a turn."""
    limit: float
    """What old / new has to reach."""
    clock: str
    """The verdict's: wall or processor."""


def rounds_of(turn: float) -> int:
    """Rounds whose turns take so many seconds."""
    return max(FEWEST, min(ROUNDS, round(SECONDS / turn)))


def described(worker: Worker) -> dict[str, Any]:
    """What a build says of itself; its errors name the build."""
    try:
        return worker.ask("describe")
    except BuildError as error:
        raise BuildError(f"{worker.build.label}: {error}") from None


def prepare(case: str, tolerance: float, workers: Sequence[Worker]) -> tuple[float, str]:
    """Make a case in both; seconds of a call in the quicker build, and where their results differ.

    Raises
    ------
    CaseError
        If a build cannot.
    """
    seconds, failures = [], {}
    with tempfile.TemporaryDirectory() as folder:
        results = [Path(folder, f"{worker.build.label}.npz") for worker in workers]
        for worker, result in zip(workers, results, strict=True):
            try:
                seconds.append(worker.ask("prepare", case=case, results=str(result))["seconds"])
            except BuildError as error:
                failures[worker.build.label] = f"{worker.build.label}: {error}"
        if failures:
            raise CaseError("skipped" if "OLD" in failures else "broken", "; ".join(failures.values()))
        return max(min(seconds), 1e-9), difference_of(*results, tolerance)


def compare(case: str, tolerance: float, workers: Sequence[Worker], plan: Plan) -> Outcome:
    """Measure one case in both builds."""
    labels = [worker.build.label for worker in workers]
    outcome = Outcome(case, "", times={clock: {label: [] for label in labels} for clock in ("wall", "processor")})
    calls = batches = 0
    rounds = plan.rounds
    other = spent = 0.0
    try:
        for section in range(SECTIONS):
            if rounds is not None and rounds + section < SECTIONS:
                continue  # no round for this pair
            for worker in workers:
                worker.end()
            seconds, difference = prepare(case, tolerance, workers)
            outcome.difference = outcome.difference or difference
            if rounds is None:
                rounds = rounds_of(max(seconds, plan.target))
            if not calls:
                total = max(1, round(plan.target / seconds))
                batches = min(BATCHES, total)
                calls = max(1, round(total / batches))
            mine: dict[str, list[list[float]]] = {clock: [[], []] for clock in ("wall", "processor")}
            before, own = processor_ticks(), own_seconds(workers)
            # as equal shares of the rounds as there can be
            for old_first in orders((rounds + section) // SECTIONS, SEED + section):
                for k in (0, 1) if old_first else (1, 0):
                    answer = workers[k].ask("measure", warm=calls if batches > 1 else 0, batches=batches, calls=calls)
                    for clock, kept in mine.items():
                        kept[k].append(min(answer[clock]) / calls)
            after = processor_ticks()
            spent += after[0] - before[0]
            other += (after[1] - before[1]) - (own_seconds(workers) - own)
            for clock, kept in mine.items():
                for label, seconds_of_rounds in zip(labels, kept, strict=True):
                    outcome.times[clock][label].append(seconds_of_rounds)
    except CaseError as error:
        return Outcome(case, error.verdict, error.reason)
    except BuildError as error:
        return Outcome(case, "broken", str(error))
    outcome.others = max(0.0, other / max(spent, 1e-9))
    outcome.wall, outcome.processor = (
        interval_of(list(zip(*outcome.times[clock].values(), strict=True))) for clock in ("wall", "processor")
    )
    outcome.verdict = verdict_of(outcome.wall if plan.clock == "wall" else outcome.processor, plan.limit)
    return outcome


HEADER = (
    f"{'case':38} {'old':>9} {'new':>9}  {'old min':>9} {'new min':>9}  {'wall old/new, 95 %':22}  "
    f"{'processor old/new, 95 %':23} others  verdict"
)


def line_of(outcome: Outcome) -> str:
    """One line of the table."""
    head = f"{outcome.case:38} "
    if outcome.wall is None or outcome.processor is None:
        return f"{head}{outcome.verdict}: {outcome.reason}"
    old, new = outcome.seconds("OLD"), outcome.seconds("NEW")
    intervals = [f"{i.median:.3f} ({i.low:.3f} to {i.high:.3f})" for i in (outcome.wall, outcome.processor)]
    text = (
        f"{head}{duration(float(np.median(old))):>9} {duration(float(np.median(new))):>9}  "
        f"{duration(old.min()):>9} {duration(new.min()):>9}  {intervals[0]:22}  {intervals[1]:22}  "
        f"{outcome.others:5.0%}  {outcome.verdict}"
    )
    return text + (f"\n{'':38} RESULTS DIFFER: {outcome.difference}" if outcome.difference else "")


def parser_of() -> argparse.ArgumentParser:
    """Options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare_builds", description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("old", metavar="OLD", nargs="?", help="folder with the package, virtual environment or Python executable")
    add("new", metavar="NEW", nargs="?", help="the same, of the other build")
    add("cases", metavar="CASE", nargs="*", help="names or globs (default: all but the long ones)")
    add("--list", action="store_true", help="print the cases' names and end")
    add("--rounds", type=int, help=f"turns of each build (default: {ROUNDS}, down to {FEWEST} for calls of a second)")
    add("--target", type=float, default=10.0, metavar="MS", help="length of a turn (default: %(default)s)")
    add("--threads", type=int, default=1, help="of each build (default: %(default)s)")
    add("--isa", help="PIXELGAUGE_ISA of both builds (default: what each chooses)")
    add("--pin", type=int, metavar="CPU", help="run both builds on this processor")
    add(
        "--within",
        type=float,
        metavar="FACTOR",
        help="NEW may take FACTOR times as long (default: 1/0.97, 'not slower')",
    )
    add(
        "--clock",
        choices=("wall", "processor"),
        default="wall",
        help="the verdict's: processor time is steadier on a busy machine, and blind to waiting (default: %(default)s)",
    )
    add("--gate", action="store_true", help="exit with 1 if a case is slower, unclear, broken or has other results")
    add("--json", type=Path, metavar="FILE", help="write all that was measured")
    return parser


def run(options: argparse.Namespace, names: Sequence[str], builds: Sequence[Build]) -> int:
    """Measure the cases, print the table, and return the exit code."""
    limit = NOT_SLOWER if options.within is None else 1 / options.within
    plan = Plan(options.rounds, options.target / 1e3, limit, options.clock)
    workers = [Worker(build, options.threads, options.isa, options.pin) for build in builds]
    outcomes: list[Outcome] = []
    began, before = time.monotonic(), processor_ticks()
    try:
        facts = {worker.build.label: described(worker) for worker in workers}
        for label, fact in facts.items():
            print(
                f"{label}  {fact['version']} {fact['isa']} {fact['build_type']} {fact['compiler']}, {fact['threads']} "
                f"thread(s), Python {fact['python']}, NumPy {fact['numpy']}: {fact['path']}"
            )
        start_load = os.getloadavg()
        print(f"{cpu_model()}, {os.cpu_count()} processors, load {start_load[0]:.2f} {start_load[1]:.2f}")
        print(f"old/new above 1: NEW is quicker; the {plan.clock} interval has to reach {plan.limit:.3f}")
        if plan.rounds is not None and plan.rounds < FEWEST:
            print(f"{plan.rounds} rounds try the runner: a verdict that counts needs {FEWEST}")
        print(HEADER)
        for name in names:
            outcomes.append(compare(name, CASES[name].tolerance, workers, plan))
            print(line_of(outcomes[-1]), flush=True)
    finally:
        for worker in workers:
            worker.close()
    end_load, after = os.getloadavg(), processor_ticks()
    stolen = (after[2] - before[2]) / max(after[0] - before[0], 1e-9)
    counts = Counter(outcome.verdict for outcome in outcomes)
    differing = sum(bool(outcome.difference) for outcome in outcomes)
    print(
        f"{', '.join(f'{count} {verdict}' for verdict, count in counts.items())}; {differing} with other results; "
        f"{time.monotonic() - began:.0f} s, load {end_load[0]:.2f} {end_load[1]:.2f}, {stolen:.1%} stolen by the host"
    )
    if options.json is not None:
        record = {
            "builds": facts,
            "cpu": cpu_model(),
            "load": {"start": start_load, "end": end_load},
            "stolen": stolen,
            "options": {key: value for key, value in vars(options).items() if key not in ("list", "json")},
            "limit": limit,
            "outcomes": [asdict(outcome) for outcome in outcomes],
        }
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    measured = any(outcome.wall is not None for outcome in outcomes)
    return int(options.gate and not (measured and all(outcome.passes for outcome in outcomes)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0, or 1 where a gate failed; wrong use ends with 2."""
    parser = parser_of()
    options = parser.parse_intermixed_args(arguments)
    if options.list:
        print("\n".join(CASES))
        return 0
    if options.new is None:
        parser.error("OLD and NEW are needed")
    if options.rounds is not None and options.rounds < 2:
        parser.error(f"--rounds {options.rounds}: an interval needs 2 rounds, a verdict that counts needs {FEWEST}")
    if not options.target > 0:
        parser.error(f"--target {options.target}: use a length in ms")
    if options.within is not None and not options.within > 1:
        parser.error(f"--within {options.within}: use a factor above 1, such as 1.10")
    if options.pin is not None and options.pin not in os.sched_getaffinity(0):
        parser.error(f"--pin {options.pin}: use one of {sorted(os.sched_getaffinity(0))}")
    try:
        names = select(options.cases or ["*"])
        builds = [Build.at("OLD", options.old), Build.at("NEW", options.new)]
        return run(options, names, builds)
    except (BuildError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
