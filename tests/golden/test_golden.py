"""Every function and preset gives the numbers it gave when `tests/golden/values.json` was written."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.golden.calls import Call, calls

VALUES = json.loads(Path(__file__).with_name("values.json").read_text())
# Of an instruction set without values of its own: the kernels' float32 sums, which the sets add in another order.
OTHER_SET = 2e-6


@pytest.mark.parity
@pytest.mark.parametrize("call", calls(), ids=lambda call: call.name)
def test_values_are_those_that_were_written(call: Call, each_isa: str) -> None:
    missing = [path for path in call.needs if not path.exists()]
    if missing:
        pytest.skip(f"needs {missing[0].name}: PIXELGAUGE_SHARED names the folder that holds weights/")
    own = each_isa in VALUES
    expected = [float.fromhex(text) for text in VALUES[each_isa if own else "baseline"][call.name]]
    tolerance = call.tolerance if own else max(call.tolerance, OTHER_SET)
    values = call.values()
    assert len(values) == len(expected)
    for value, right in zip(values, expected, strict=True):
        if tolerance == 0:
            assert value.hex() == right.hex()
        else:
            assert math.isclose(value, right, rel_tol=tolerance, abs_tol=tolerance), (value, right)


def test_no_value_is_left_of_a_call_that_is_gone() -> None:
    names = {call.name for call in calls()}
    for values in VALUES.values():
        assert set(values) == names
