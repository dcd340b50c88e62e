"""AUROC by size and dtype, curves, intervals, groups, AUPRO and scores on disk; counts are integers, so that most are exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.case import Call, Case, Contender
from bench.inputs import in_folder
from bench.limits import Limit
from bench.programs import program
from bench.ranking import peers
from bench.ranking.scores import anomalies, groups_of, other_scores_of, scores_of, weights_of

COUNTS = {"1e4": 10**4, "1e6": 10**6, "1e7": 10**7}
ONE_LABEL = "positive 10 %"


def converted(dtype: str) -> Callable[[np.ndarray], np.ndarray]:
    """Make float32 scores others: uint8 has 255 levels."""
    if dtype == "uint8":
        return lambda x: (x * 255).astype(np.uint8)
    return lambda x: x.astype(dtype)


def ranked(
    function: str, n: int, dtype: str = "float32", labels: str = "bool", *, weighted: bool = False
) -> Callable[[], Call]:
    """Prepare a call of a function of labels and scores."""

    def prepare() -> Call:
        import pixelgauge

        metric = getattr(pixelgauge, function)
        y, x = scores_of(n)
        truth, scores = y.astype(labels), converted(dtype)(x)
        weights = {"sample_weight": weights_of(n)} if weighted else {}
        return lambda: metric(truth, scores, **weights)

    return prepare


def parameters(dtype: str, labels: str = "bool") -> dict[str, object]:
    """What every case of labels and scores says of itself."""
    return {"dtype": dtype, "labels": labels, "layout": "N", "classes": ONE_LABEL}


def auroc() -> Iterator[Case]:
    """By size and by dtype of scores and labels."""
    for name, n in COUNTS.items():
        for dtype, labels in (
            ("float32", "bool"),
            ("uint8", "bool"),
            ("float64", "bool"),
            ("float16", "bool"),
            ("uint8", "uint8"),
            ("uint8", "int64"),
        ):
            convert = converted(dtype)
            contenders = {"numpy-sort": peers.sort(n, convert)}
            if labels == "bool" and dtype in ("float32", "float64"):
                contenders["scikit-learn"] = peers.scikit_learn("roc_auc_score", n, convert)
            if (dtype, labels) == ("float32", "bool"):
                contenders["torchmetrics"] = peers.torchmetrics(n)
            limits = {
                "float32": Limit(read=16.0 * n, why="a score read, written to its block and read from it, 16 bytes"),
                "uint8": Limit(cycles=0.5 * n, why="one added to a counter a score: two stores a cycle at most"),
            }
            yield Case(
                function="roc_auc_score",
                variant=dtype if labels == "bool" else f"{dtype}-labels-{labels}",
                size=name,
                prepare=ranked("roc_auc_score", n, dtype, labels),
                tolerance=0.0,
                parameters=parameters(dtype, labels),
                oracle=peers.look_ups(n, convert),
                contenders=contenders,
                limit=limits.get(dtype) if n > 10**4 else None,  # few stay in the caches
            )
    n = 10**8
    yield Case(
        function="roc_auc_score",
        variant="float32",
        size="1e8",
        prepare=ranked("roc_auc_score", n),
        tolerance=0.0,
        parameters=parameters("float32"),
        oracle=peers.look_ups(n, converted("float32")),
        contenders={"numpy-sort": peers.sort(n, converted("float32"))},
        memory=1.1 * 4 * n,  # docs/methods/ranking.md: no more than the scores themselves
        long=True,
    )


def area_alone(n: int) -> Contender:
    """Our AUROC, the floor of what gives more than it."""
    return Contender(prepare=ranked("roc_auc_score", n), tolerance=None)


def curves() -> Iterator[Case]:
    """What scikit-learn has under the same names, and weights."""
    for name, n in COUNTS.items():
        for function in ("average_precision_score", "roc_curve", "precision_recall_curve", "det_curve"):
            yield Case(
                function=function,
                variant="float32",
                size=name,
                prepare=ranked(function, n),
                tolerance=1e-12,
                parameters=parameters("float32"),
                contenders={
                    "scikit-learn": peers.scikit_learn(function, n, converted("float32")),
                    "pixelgauge-roc_auc_score": area_alone(n),
                },
            )
        yield Case(
            function="roc_auc_score",
            variant="weighted",
            size=name,
            prepare=ranked("roc_auc_score", n, weighted=True),
            tolerance=1e-12,
            parameters={**parameters("float32"), "weights": "float64"},
            contenders={
                "scikit-learn": peers.scikit_learn("roc_auc_score", n, converted("float32"), weighted=True),
            },
        )


def delong_test(n: int) -> Callable[[], Call]:
    """Prepare DeLong's test of two scores of the same rows."""

    def prepare() -> Call:
        import pixelgauge

        y, x = scores_of(n)
        other = other_scores_of(n)
        test = pixelgauge.delong_test
        return lambda: test(y, x, other)

    return prepare


def intervals() -> Iterator[Case]:
    """DeLong's interval and test."""
    for name, n in COUNTS.items():
        yield Case(
            function="delong_interval",
            variant="float32",
            size=name,
            prepare=ranked("delong_interval", n),
            tolerance=1e-12,
            parameters=parameters("float32"),
            result=lambda interval: (interval.auroc, interval.standard_error),
            oracle=peers.delong_error(n),
            contenders={"pixelgauge-roc_auc_score": area_alone(n)},
        )
        yield Case(
            function="delong_test",
            variant="float32",
            size=name,
            prepare=delong_test(n),
            tolerance=1e-12,
            parameters=parameters("float32"),
            result=lambda test: (test.auroc_a, test.auroc_b, test.z, test.p_value),
            oracle=peers.delong_difference(n),
        )


def by_group(n: int, groups: int) -> Callable[[], Call]:
    """Prepare the AUROC of each of many groups."""

    def prepare() -> Call:
        import pixelgauge

        y, x = scores_of(n)
        of_row = groups_of(n, groups)
        metric = pixelgauge.auroc_by_group
        return lambda: metric(y, x, of_row)

    return prepare


def aupro(count: int, side: int) -> Callable[[], Call]:
    """Prepare AUPRO of maps."""

    def prepare() -> Call:
        import pixelgauge

        masks, maps = anomalies(count, side)
        metric = pixelgauge.aupro
        return lambda: metric(masks, maps)

    return prepare


def many() -> Iterator[Case]:
    """Groups of rows, and images of anomalies."""
    yield Case(
        function="auroc_by_group",
        variant="float32",
        size="1e6",
        prepare=by_group(10**6, 1000),
        tolerance=0.0,
        parameters={**parameters("float32"), "groups": 1000},
        result=lambda areas: list(areas.values()),
        oracle=peers.each_group(10**6, 1000),
    )
    for count, side in ((8, 256), (4, 1024), (100, 1024)):
        yield Case(
            function="aupro",
            variant="float32",
            size=f"{count}x{side}x{side}",
            prepare=aupro(count, side),
            tolerance=1e-12,
            parameters={"dtype": "float32", "layout": "N,H,W", "regions": "3 a map"},
            oracle=peers.overlap_curve(count, side),
            contenders={"one-threshold-of-a-sweep": peers.one_threshold(count, side)},
            long=count == 100,
        )


BUDGET = 64 << 20


def on_disk(n: int, kind: str) -> Callable[[], Call]:
    """Prepare AUROC of float64 scores in files; what a first call imports is imported by a small one."""

    def write(folder: Path, name: str, y: np.ndarray, x: np.ndarray) -> tuple[Path, Path]:
        if kind == "npy":
            paths = folder / f"{name}-labels.npy", folder / f"{name}-scores.npy"
            np.save(paths[0], y)
            np.save(paths[1], x.astype(np.float64))
            return paths
        arrow, parquet = program("pyarrow"), program("pyarrow.parquet")
        path = folder / f"{name}.parquet"
        parquet.write_table(arrow.table({"label": y.astype(np.int8), "score": x.astype(np.float64)}), path)
        return path, path

    def make(folder: Path) -> Call:
        import pixelgauge

        metric: Any = pixelgauge.roc_auc_score_out_of_core
        y, x = scores_of(n)
        small, large = write(folder, "small", y[:200], x[:200]), write(folder, "large", y, x)
        metric(*small)
        return lambda: metric(*large, memory_budget=BUDGET)

    return in_folder(make)


def out_of_core() -> Iterator[Case]:
    """Scores that stay on disk, within a budget of memory."""
    for kind in ("npy", "parquet"):
        for name in ("1e6", "1e7"):
            n = COUNTS[name]
            yield Case(
                function="roc_auc_score_out_of_core",
                variant=kind,
                size=name,
                prepare=on_disk(n, kind),
                tolerance=0.0,
                parameters={**parameters("float64"), "memory_budget": BUDGET},
                oracle=peers.look_ups(n, converted("float64")),
                memory=BUDGET if name == "1e7" else None,
            )


CASES = (*auroc(), *curves(), *intervals(), *many(), *out_of_core())
