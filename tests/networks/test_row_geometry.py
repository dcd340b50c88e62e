"""Which rows of a run over a strip are right: against runs of random windows, followed row by row."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from pixelgauge.networks.graph_rewrite import cut_subgraph, lpips_parts, steps_of, with_lpips_layers
from pixelgauge.networks.manifest import model_named
from pixelgauge.networks.row_geometry import PartGeometry, Rows, Step, rows_after
from pixelgauge.networks.row_stream import Part, RowStream

Values = list[Any]


def window(step: Step, rows: Values) -> Values:
    """Rows that a step makes: each names all that its tile reads, what lies outside as None, and its place in the tile."""
    kernel, stride, pad, after, tile = (
        sizes[0] for sizes in (step.kernel, step.strides, step.pads, step.pads_after, step.tile)
    )
    room = len(rows) + pad + after - kernel
    made = []
    for row in range((-(-room // stride) if step.ceil else room // stride) + 1):
        first = row // tile * tile
        at = range(first * stride - pad, (first + tile - 1) * stride - pad + kernel)
        made.append(hash((row - first, *(rows[i] if 0 <= i < len(rows) else None for i in at))))
    return made


def random_step(rng: random.Random, name: str) -> Step:
    kernel = rng.choice([1, 2, 3, 3, 5, 11])
    stride = rng.choice([1, 1, 2, min(kernel, 4)])
    tile = rng.choice([1, 2, 3, 4]) if stride == 1 and kernel > 1 else 1
    pad = rng.randrange(kernel) if rng.random() < 0.6 else 0
    one = (kernel, 1), (stride, 1), (pad, 0), (pad, 0), (tile, 1)
    return Step((name,), (f"{name}'",), *one, ceil=pad == 0 and kernel >= stride and rng.random() < 0.4)


def random_part(rng: random.Random, name: str = "x") -> list[Step]:
    steps: list[Step] = []
    for _ in range(rng.randint(1, 4)):
        steps.append(random_step(rng, name))
        name = steps[-1].outputs[0]
    return steps


def run(steps: list[Step], rows: Values) -> dict[str, Values]:
    found = {steps[0].inputs[0]: rows}
    for step in steps:
        found[step.outputs[0]] = window(step, found[step.inputs[0]])
    return found


@pytest.mark.property
@pytest.mark.parametrize("seed", range(150))
def test_right_rows_are_those_of_the_whole_image(seed: int) -> None:
    rng = random.Random(seed)
    steps = random_part(rng)
    outputs = [step.outputs[0] for step in steps]
    part = PartGeometry(steps, {"x": 1}, outputs, 0)
    total = rng.randint(150, 400)
    whole = run(steps, list(range(total)))
    begin = rng.randrange(total // part.alignment) * part.alignment
    end = rng.choice([total, rng.randint(min(begin + 60, total), total)])
    if end - begin < 60:
        begin, end = 0, total
    strip = run(steps, list(range(begin, end)))
    for name, rows in part.rows(begin, end, total).items():
        origin = begin // rows.stride
        assert rows.total == len(whole[name])
        right = strip[name][rows.begin - origin : rows.end - origin] if rows.begin < rows.end else []
        assert right == whole[name][rows.begin : max(rows.begin, rows.end)]
        if rows.begin < rows.end < rows.total and rows.end - origin < len(strip[name]):
            assert strip[name][rows.end - origin] != whole[name][rows.end]  # and there are no more


@pytest.mark.property
@pytest.mark.parametrize("seed", range(60))
def test_streams_pass_every_row_on_once_and_right(seed: int) -> None:
    rng = random.Random(1000 + seed)
    taken: dict[str, Values] = {}
    whole: dict[str, Values] = {"": []}
    while not all(whole.values()):  # until nothing is too small for its window
        first, total = random_part(rng), rng.randint(200, 500)
        carried = first[-1].outputs[0]
        second = random_part(rng, carried)
        whole = run(first, list(range(total)))
        whole.update(run(second, whole[carried]))

    def of(steps: list[Step], rows: int, next_one: str | None) -> Part:
        outputs = [step.outputs[0] for step in steps]
        geometry = PartGeometry(steps, {steps[0].inputs[0]: 1}, outputs, 0)

        def call(inputs: dict[str, Any]) -> dict[str, Any]:
            found = run(steps, inputs[steps[0].inputs[0]][0, 0, :, 0].tolist())
            return {name: np.array(found[name])[None, None, :, None] for name in outputs}

        return Part(call, geometry, rows, geometry.strip(rng.randint(1, 150)), next_one)

    def take(name: str, at: int, rows: np.ndarray) -> None:
        assert at == len(taken.setdefault(name, []))
        taken[name] += rows[0, 0, :, 0].tolist()

    parts = [of(first, total, carried), of(second, len(whole[carried]), None)]
    RowStream(parts, 2, lambda a, b: {"x": np.arange(a, b)[None, None, :, None]}, take).run()
    assert taken == {name: rows for name, rows in whole.items() if name not in ("x", carried)}


@pytest.mark.oracle
def test_windows_by_hand() -> None:
    step = Step(("x",), ("y",), (11, 11), (4, 4), (2, 2), (2, 2))  # AlexNet's first: row j reads 4j - 2 to 4j + 8
    assert rows_after(step, 0, Rows(0, 64, 1000)) == Rows(0, 14, 249, 4)
    assert rows_after(step, 0, Rows(64, 1000, 1000)) == Rows(17, 249, 249, 4)
    step = Step(("x",), ("y",), (3, 3), (1, 1), (1, 1), (1, 1), (4, 4))  # the tile from 4t reads 4t - 1 to 4t + 4
    assert rows_after(step, 1, Rows(8, 21, 90)) == Rows(12, 20, 90)
    assert rows_after(step, 1, Rows(8, 20, 90)) == Rows(12, 16, 90)
    step = Step(("x",), ("y",), (3, 3), (2, 2), ceil=True)
    assert rows_after(step, 0, Rows(0, 8, 8)) == Rows(0, 4, 4, 2)


@pytest.mark.property
@pytest.mark.parametrize(
    ("net", "tensors", "lost"),
    [
        ("alex", ["pool2", "pool5", "features.6.relu", "features.8.relu"], 17),
        ("vgg", ["features.0.relu", "pool3", "features.5.relu", "pool7"], 2),
        ("squeeze", ["pool2", "features.3.out", "pool6", "features.6.out"], 3),
    ],
)
def test_parts_of_the_networks(net: str, tensors: list[str], lost: int) -> None:
    model = model_named(f"lpips-{net}")
    graph = with_lpips_layers(model.graph_bytes())
    parts = lpips_parts(graph)
    assert [part.carried for part in parts][:4] == tensors
    assert parts[-1].carried is None
    assert [name for part in parts for name in part.maps] == [f"map{i}" for i in range(7 if net == "squeeze" else 5)]
    first = cut_subgraph(graph, ["x", "y"], tensors[:1])[0]
    assert PartGeometry(steps_of(first, model.winograd), {"x": 3, "y": 3}, tensors[:1], 0).lost == lost


@pytest.mark.boundary
def test_operators_that_are_not_known_are_refused() -> None:
    with pytest.raises(ValueError, match=r"AveragePool \(.*\): what it does to rows is not known"):
        steps_of(model_named("inception-fid").graph_bytes(), {})
