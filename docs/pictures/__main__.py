"""Draw the documentation's pictures again, from real runs with fixed seeds.

    python -m docs.pictures                            # all of them, into this folder: a minute
    python -m docs.pictures ssim_map roc               # these
    python -m docs.pictures --table                    # the gallery's table, to standard output

LPIPS's weights are needed (``pixelgauge models pull lpips-alex``), and scikit-image, scikit-learn, SciPy, onnx,
onnxruntime and matplotlib.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from docs.pictures import canvas, gallery
from docs.pictures.catalogue import PICTURES


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pictures that were asked for, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(PICTURES)}")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args(arguments)
    if args.table:
        print(gallery.table())
        return 0
    if unknown := [name for name in args.names if name not in PICTURES]:
        parser.error(f"there is no picture {', '.join(unknown)}: use {', '.join(PICTURES)}")
    args.folder.mkdir(parents=True, exist_ok=True)
    for name in args.names or PICTURES:
        canvas.save(PICTURES[name](), args.folder / f"{name}.png")
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
