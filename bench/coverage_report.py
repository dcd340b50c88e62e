"""Tables and pictures of what `bench.coverage --found` kept, for the documentation.

    python -m bench.coverage --found found.jsonl
    python -m bench.coverage_report found.jsonl docs/methods/coverage        # a page and a picture for each figure that is there

One row a size and method: over all populations the least, mean and highest coverage, and the mean width; then the lowest and
highest cell of each method.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.coverage import Found, read

_SHOWN = 0.8
"""Coverage at the left edge of a picture; what lies beyond is drawn there."""


def by_figure(lines: Sequence[Found]) -> dict[str, dict[str, dict[str, list[Found]]]]:
    """Lines by figure, then size, then method."""
    found: dict[str, dict[str, dict[str, list[Found]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for line in lines:
        figure, _, size = line.cell.split("/")
        found[figure][size][line.method].append(line)
    return found


def table(sizes: Mapping[str, Mapping[str, Sequence[Found]]]) -> str:
    """Markdown table of one figure."""
    rows = ["| size | method | cells | least | mean | highest | mean width |", "|---|---|---|---|---|---|---|"]
    for size, methods in sizes.items():
        for method, lines in methods.items():
            covered = [line.covered for line in lines]
            width = sum(line.width for line in lines) / len(lines)
            rows.append(
                f"| {size} | {method} | {len(lines)} | {min(covered):.3f} | {sum(covered) / len(covered):.3f} | "
                f"{max(covered):.3f} | {width:.3g} |"
            )
    return "\n".join(rows)


def draw(figure: str, sizes: Mapping[str, Mapping[str, Sequence[Found]]], file: Path) -> None:
    """Picture of one figure: a dot a cell, a row a size, a colour a method."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    methods = list(dict.fromkeys(method for of_size in sizes.values() for method in of_size))
    canvas, axes = pyplot.subplots(figsize=(8, 1.2 + 0.32 * len(sizes) * max(1, len(methods) / 2)))
    step = 0.8 / len(methods)
    for m, method in enumerate(methods):
        x, y = [], []
        for row, of_size in enumerate(sizes.values()):
            for line in of_size.get(method, []):
                x.append(max(_SHOWN, line.covered))
                y.append(row + (m - (len(methods) - 1) / 2) * step)
        axes.scatter(x, y, s=9, alpha=0.6, label=method, linewidths=0)
    axes.axvline(0.95, color="0.3", linewidth=0.8)
    axes.axvline(0.93, color="0.6", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(sizes)), list(sizes))
    axes.invert_yaxis()
    axes.set_xlim(_SHOWN - 0.005, 1.003)
    axes.set_xlabel("coverage of intervals at level 0.95 (0.80: that or less)")
    axes.set_title(figure)
    axes.legend(loc="lower left", fontsize="small")
    canvas.savefig(file, dpi=80, metadata={"Software": None}, bbox_inches="tight")
    pyplot.close(canvas)


def page(figure: str, sizes: Mapping[str, Mapping[str, Sequence[Found]]]) -> str:
    """Markdown page of one figure."""
    lines = [line for of_size in sizes.values() for found in of_size.values() for line in found]
    repeats = sorted({line.repeats for line in lines})
    drawn = " to ".join(str(count) for count in dict.fromkeys((repeats[0], repeats[-1])))
    extremes = ["| method | lowest cell | | highest cell | |", "|---|---|---|---|---|"]
    for method in dict.fromkeys(line.method for line in lines):
        of_method = sorted((line for line in lines if line.method == method), key=lambda line: line.covered)
        cells = " | ".join(f"{line.cell} | {line.covered:.4f}" for line in (of_method[0], of_method[-1]))
        extremes.append(f"| {method} | {cells} |")
    return f"""# Coverage of intervals at level 0.95: {figure}

Made by `bench.coverage_report` from what `bench.coverage` found, {drawn} samples a cell. One row a size and method: over all
populations of that size the least, mean and highest share of intervals that held the true figure, and their mean width. What
the populations are stands in `bench/*/coverage_cells.py`, what it means in [intervals](../intervals.md).

![{figure}]({figure}.png)

{table(sizes)}

{chr(10).join(extremes)}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write pages and pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("found", type=Path, nargs="+")
    parser.add_argument("folder", type=Path)
    args = parser.parse_args(arguments)
    args.folder.mkdir(parents=True, exist_ok=True)
    lines = [line for file in args.found for of_cell in read(file).values() for line in of_cell]
    for figure, sizes in by_figure(lines).items():
        draw(figure, sizes, args.folder / f"{figure}.png")
        (args.folder / f"{figure}.md").write_text(page(figure, sizes), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
