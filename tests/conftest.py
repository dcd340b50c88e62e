"""What the tests share: natural pictures, degradations, and running under each instruction set and thread count."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

# Models that the user has installed change what the commands show: the tests, and what they start, see an empty cache.
os.environ["PIXELGAUGE_CACHE"] = tempfile.mkdtemp(prefix="pixelgauge-tests-")

import hypothesis
import numpy as np
import pytest
import skimage.data

import pixelgauge
from pixelgauge import _core
from pixelgauge.networks import providers

# The same examples in every run, and no clock: the machines that run them are noisy. `HYPOTHESIS_PROFILE=deep` draws new ones.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.register_profile("deep", deadline=None, print_blob=True, max_examples=5000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session", autouse=True)
def no_device() -> Iterator[None]:
    """What the tests compute they compute on the CPU, wherever they run; `test_cuda.py` shows them the card again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(providers, "cuda_devices", lambda: 0)
        yield


@pytest.fixture(scope="session")
def natural() -> dict[str, np.ndarray]:
    return {name: getattr(skimage.data, name)() for name in ("camera", "astronaut", "coffee", "chelsea")}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20040413)


@pytest.fixture
def restored_isa() -> Iterator[None]:
    before = pixelgauge.isa()
    yield
    _core.set_isa(before)


@pytest.fixture(params=_core.available_isas())
def each_isa(request: pytest.FixtureRequest, restored_isa: None) -> str:
    """Runs the test once under every instruction set this CPU has."""
    _core.set_isa(request.param)
    assert pixelgauge.isa() == request.param
    return str(request.param)


@pytest.fixture
def restored_threads() -> Iterator[None]:
    before = pixelgauge.get_num_threads()
    yield
    pixelgauge.set_num_threads(before)
