"""Patches of photographs: none is seen twice, and a mask covers exactly what was changed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.places import ROOT

pytest.importorskip("sklearn", reason="scikit-learn, whose photographs are cut, is not installed")


def test_patches_and_defects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples/generative")
    import photographs

    held_out = photographs.held_out_patches()
    assert held_out.shape == (48, 64, 64, 3)
    assert photographs.training_patches(3, 0).shape == (3, 64, 64, 3)
    whole = photographs.put_together(held_out)
    np.testing.assert_array_equal(whole[1, 64:128, :64], held_out[28])
    planted, masks = photographs.with_defects(held_out, 0)
    changed = np.any(planted != held_out, axis=-1)
    assert not np.any(changed & ~masks)
    assert np.count_nonzero(changed) > 0.9 * np.count_nonzero(masks)  # a colour may be that which was there
    assert np.count_nonzero(masks.any((1, 2))) == 32
