"""``python -m tests.golden.write``: writes the values of this build under each instruction set of this processor.

Run it only when a number is meant to change, look at the difference, and say in the commit which changed and why. Values of
instruction sets that this processor lacks stay as they are in the file.
"""

from __future__ import annotations

import json
from pathlib import Path

from pixelgauge import _core
from tests.golden.calls import calls

FILE = Path(__file__).with_name("values.json")


def main() -> None:
    """Compute and write; calls whose files are not here keep their values."""
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    before = _core.isa()
    for isa in _core.available_isas():
        _core.set_isa(isa)
        values = known.setdefault(isa, {})
        for call in calls():
            if all(path.exists() for path in call.needs):
                values[call.name] = [value.hex() for value in call.values()]
        names = {call.name for call in calls()}
        known[isa] = {name: values[name] for name in sorted(values) if name in names}
    _core.set_isa(before)
    FILE.write_text(json.dumps(known, indent=0) + "\n")


if __name__ == "__main__":
    main()
