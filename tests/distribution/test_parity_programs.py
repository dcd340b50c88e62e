"""KID, Inception score, precision and recall against torch-fidelity: frozen numbers always, the program when installed;
precision, recall, density and coverage against prdc's program (Naeem et al. 2020), or its definition written out here."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import pairwise_distances

import pixelgauge

# torch-fidelity 0.4.0 on `samples()` below: KID with 20 subsets of 100, seed 2020; Inception score of `logits()` with
# 10 splits, seed 2020; precision and recall with neighbourhood 3.
FROZEN = {
    "kid": (0.07429387715605835, 0.041223198825955334),
    "is": (3.8878881097244267, 0.15590263033581364),
    "prc": (0.5299999713897705, 0.8899999856948853),
}


def samples() -> tuple[np.ndarray, np.ndarray]:
    """Features that every NumPy makes alike, in float64."""
    random = np.random.RandomState(7)
    return random.standard_normal((400, 24)), random.standard_normal((300, 24)) * 1.1 + 0.15


def logits() -> np.ndarray:
    return np.random.RandomState(8).standard_normal((333, 50)) * 2


def ours() -> dict[str, tuple[float, float]]:
    real, fake = samples()
    kid = pixelgauge.kernel_distance(real, fake, subsets=20, subset_size=100, seed=2020)
    score = pixelgauge.inception_score(logits(), splits=10, seed=2020)
    return {"kid": tuple(kid), "is": tuple(score), "prc": tuple(pixelgauge.precision_recall(real, fake, k=3))}


@pytest.mark.parity
@pytest.mark.parametrize("name", FROZEN)
def test_frozen_numbers_of_torch_fidelity(name: str) -> None:
    # both in float64 by the same definition, rounding only; its precision and recall are means in float32
    assert_allclose(ours()[name], FROZEN[name], rtol=1e-6 if name == "prc" else 1e-9, atol=1e-12)


@pytest.mark.parity
def test_torch_fidelity() -> None:
    torch = pytest.importorskip("torch", reason="torch-fidelity and PyTorch are not installed")
    pytest.importorskip("torch_fidelity", reason="torch-fidelity is not installed")
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    real, fake = (torch.from_numpy(z) for z in samples())
    kid = kid_features_to_metric(real, fake, kid_subsets=20, kid_subset_size=100, rng_seed=2020, verbose=False)
    score = isc_features_to_metric(torch.from_numpy(logits()))
    prc = prc_features_to_metric(fake, real, verbose=False)  # its first input is the generated one
    theirs = {
        "kid": (kid["kernel_inception_distance_mean"], kid["kernel_inception_distance_std"]),
        "is": (score["inception_score_mean"], score["inception_score_std"]),
        "prc": (prc["precision"], prc["recall"]),
    }
    for name, value in ours().items():
        # its precision and recall are means in float32
        assert_allclose(value, theirs[name], rtol=1e-6 if name == "prc" else 1e-9, atol=1e-12)


def prdc_by_definition(real: np.ndarray, fake: np.ndarray, k: int) -> dict[str, float]:
    """prdc's compute_prdc: k-th smallest of each row of distances, the sample itself included as the first."""
    radius, radius_fake = (np.partition(pairwise_distances(z), k, axis=1)[:, k] for z in (real, fake))
    cross = pairwise_distances(real, fake)
    return {
        "precision": (cross < radius[:, None]).any(axis=0).mean(),
        "recall": (cross < radius_fake[None]).any(axis=1).mean(),
        "density": (cross < radius[:, None]).sum(axis=0).mean() / k,
        "coverage": (cross.min(axis=1) < radius).mean(),
    }


@pytest.mark.parity
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("program", ["definition", "prdc"])
def test_prdc(program: str, k: int) -> None:
    real, fake = samples()
    if program == "prdc":
        module = pytest.importorskip("prdc", reason="the package prdc is not installed")
        theirs = module.compute_prdc(real, fake, nearest_k=k)
    else:
        theirs = prdc_by_definition(real, fake, k)
    # surfaces belong to balls here and not there for precision and recall, where no distance equals a radius
    found = pixelgauge.neighbour_metrics(real, fake, precision_k=k, density_k=k)._asdict()
    for name, value in theirs.items():
        assert_allclose(found[name], value, rtol=1e-12)
