"""The Inception score of logits."""

from __future__ import annotations

import math

import numpy as np

from pixelgauge.checks import ArgumentValueError, whole_number
from pixelgauge.distribution.feature_sets import LOGITS, FeatureSet
from pixelgauge.distribution.sample_pairs import MeanStd
from pixelgauge.distribution.samples import as_features, samples


def inception_score(logits: object, *, splits: int = 10, seed: int | None = None) -> MeanStd:
    """Inception score: exp of the mean divergence of a sample's class probabilities from those of its split.

    Parameters
    ----------
    logits : (N, C) array_like of float
        Scores before the softmax: Inception's ``"logits_unbiased"`` for the published number. A :class:`FeatureSet`
        must not say that it holds another output.
    splits : int, default 10
    seed : int, optional
        Shuffle the samples by NumPy's ``RandomState`` first, as torch-fidelity does (its default is 2020); None keeps
        their order.

    Returns
    -------
    MeanStd
        Over the splits; from 1 to C.

    Raises
    ------
    TypeError, ValueError
        If the logits are not finite floats (N, C), there are fewer samples than splits, or a set says that they are of
        another output.

    References
    ----------
    T. Salimans, I. Goodfellow, W. Zaremba, V. Cheung, A. Radford, X. Chen: Improved techniques for training GANs,
    NeurIPS 2016; torch-fidelity 0.4.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> round(pixelgauge.inception_score(50 * np.tile(np.eye(4), (5, 1)), splits=2).mean, 6)
    3.920263
    """
    _require_logits(logits)
    x = as_features(logits, "logits", squared=False)
    whole_number("splits", splits, 1)
    n = len(x)
    if n < splits:
        raise ArgumentValueError("splits", str(splits), f"exceeds the {samples(n)} given")
    if seed is not None:
        x = x[np.random.RandomState(seed).permutation(n)]
    scores = np.empty(splits)
    for i in range(splits):
        part = x[i * n // splits : (i + 1) * n // splits].astype(np.float64)
        part -= part.max(axis=1, keepdims=True)
        log_p = part - np.log(np.exp(part).sum(axis=1, keepdims=True))
        p = np.exp(log_p)
        marginal = p.mean(axis=0)
        # classes that no sample of the split has count nothing: 0 log 0 = 0
        entropy = float((marginal[marginal > 0] * np.log(marginal[marginal > 0])).sum())
        divergence = float((p * log_p).sum()) / len(p) - entropy
        # a divergence is from 0 to log C; rounding must not leave that
        scores[i] = min(math.exp(max(0.0, divergence)), float(p.shape[1]))
    return MeanStd(float(scores.mean()), float(scores.std()))


def _require_logits(logits: object) -> None:
    """Raise a ``ValueError`` if a set says that it holds another output, or holds logits beside others."""
    if not isinstance(logits, FeatureSet) or not (named := logits.named_outputs):
        return
    held = [name for name in (LOGITS, "logits") if name in named]
    if held and len(named) == 1:
        return
    seen = ", ".join(map(repr, named))
    if held:
        remedy = f"pass .output({held[0]!r}) of it"
    else:
        remedy = f"make the set with output={LOGITS!r}, or pass numpy.asarray of it if they are scores before a softmax"
    raise ArgumentValueError("logits", "", f"logits holds the output{'s' * (len(named) > 1)} {seen}", remedy)
