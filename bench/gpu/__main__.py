"""LPIPS and Inception on a card, and SSIM, AUROC and decoding on its machine's cores: parity, rates, where the time goes.

    bench/gpu/run.sh WHEELS                 # in an environment of its own, made of a folder of wheels
    python -m bench.gpu                     # in this one
    python -m bench.gpu --provider cpu --quick

Ends with 1 where a number differs by more than it may. `--json` keeps everything that was found.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.gpu import card, cores, parity, rates, stages

SECTIONS = ("parity", "rates", "stages", "cores")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sections that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"some of {', '.join(SECTIONS)} (default: all)")
    parser.add_argument("--provider", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="small batches, once: to see that it runs")
    parser.add_argument("--batches", type=int, nargs="+", default=(1, 8, 64, 256), help="sizes of batch of `rates`")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep what was found")
    args = parser.parse_args(arguments)
    unknown = set(args.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no section is called {', '.join(sorted(unknown))}: use some of {', '.join(SECTIONS)}")
    found: dict[str, Any] = {"facts": card.facts(), "provider": args.provider}
    print(json.dumps(found["facts"], indent=1), flush=True)
    kept = True
    with card.run_in(args.provider, args.quick, args.batches, args.rounds) as run:
        for section in args.sections or SECTIONS:
            print(f"\n{section}", flush=True)
            lines = list(_SECTIONS[section](run))
            kept &= all(getattr(line, "kept", True) for line in lines)
            found[section] = [line if isinstance(line, str) else asdict(line) for line in lines]
            if args.json:  # now: a machine may be taken away
                args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if kept else 1


def _told(lines: Any, *with_: Any) -> Any:
    for line in lines:
        print("  " + (line if isinstance(line, str) else line.told(*with_)), flush=True)
        yield line


def _stages(run: card.Run) -> Any:
    size = 2 if run.quick else 64
    return _told(stages.stages(run, size), size)


_SECTIONS = {
    "parity": lambda run: _told(parity.differences(run)),
    "rates": lambda run: _told(rates.rates(run)),
    "stages": _stages,
    "cores": lambda run: _told(cores.scalings(run)),
}


if __name__ == "__main__":
    sys.exit(main())
