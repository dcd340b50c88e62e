"""Features that know their images and what made them, so that sets made in two ways are not compared."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelgauge.checks import ArgumentTypeError, ArgumentValueError
from pixelgauge.distribution.feature_files import (
    KINDS,
    About,
    Stored,
    checked_about,
    kind_of,
    plain_facts,
    read_features,
    require_names,
    writer_of,
)
from pixelgauge.distribution.feature_networks import FeatureNetwork, features_of, require_network
from pixelgauge.distribution.feature_stats import FeatureStats
from pixelgauge.distribution.samples import as_features
from pixelgauge.files.reading import shown
from pixelgauge.files.writing import replacing, require_writable
from pixelgauge.images import path_name
from pixelgauge.notebooks import facts
from pixelgauge.presets import INCEPTION_PRESETS

MAIN = "2048"
"""Output that distances are of: Inception's, and what other networks have in its place."""
LOGITS, SPATIAL = "logits_unbiased", "spatial"
"""Outputs of the Inception score and of sFID."""

_BESIDE = frozenset({LOGITS, SPATIAL, "logits"})
_FREE = frozenset({"version", "model", "official_weights", "provider", "onnxruntime", "output", "batch_size"})
"""Facts that two sides may differ in: the same network computes the same features, but for rounding."""
_BLOCK = 1024
_UNNAMED = "features"
"""Output of features that come without the names of theirs."""


def columns_of(outputs: Mapping[str, int]) -> dict[str, slice]:
    """Columns of each output by name, and of :data:`MAIN` by that name too.

    In its place is the only output that is neither of logits nor spatial, or the only one; where there are several it
    is absent.
    """
    ends = np.cumsum(list(outputs.values()))
    columns = {
        name: slice(int(end) - width, int(end)) for (name, width), end in zip(outputs.items(), ends, strict=True)
    }
    main = main_output(outputs)
    return columns if main is None else {**columns, MAIN: columns[main]}


def main_output(outputs: Mapping[str, int]) -> str | None:
    """Name of the output that distances are of, None where several could be."""
    left = [name for name in outputs if name not in _BESIDE] or list(outputs)
    if MAIN in outputs:
        return MAIN
    return left[0] if len(left) == 1 else None


def label_of(fingerprint: Mapping[str, Any], output: str) -> str | None:
    """How statistics say what made their features, None if that is not known.

    Of Inception it is the preset. Of other networks a preset does not say all: what else decides is hashed.
    """
    made = fingerprint.get("preset")
    deciding = {fact: value for fact, value in plain_facts(fingerprint).items() if fact not in _FREE | {"preset"}}
    if made not in INCEPTION_PRESETS and deciding:
        digest = hashlib.sha256(json.dumps([made, deciding], sort_keys=True).encode()).hexdigest()
        made = f"{made or 'network'}@{digest[:12]}"
    if made is None:
        return None
    return str(made) if output in (MAIN, _UNNAMED) else f"{made}/{output}"


class Unlike(NamedTuple):
    """A fact that decides features, in which two sides differ, and what each says of it."""

    fact: str
    mine: str
    theirs: str

    def said(self, told: str, *, short: bool = False) -> str:
        """Name the fact and what was told of it; in short only the latter, but where there is no preset or output."""
        if told == "None" and self.fact in ("preset", "output"):
            return f"no {self.fact}"
        return told if short else f"{self.fact} {told}"


def unlike(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Unlike | None:
    """Find in what two fingerprints differ that decides features; None where they do not, or one is not known."""
    if not mine or not theirs:
        return None
    for fact in sorted((mine.keys() | theirs.keys()) - _FREE, key=lambda fact: (fact != "preset", fact)):
        if mine.get(fact) != theirs.get(fact):
            return Unlike(fact, _told(mine.get(fact)), _told(theirs.get(fact)))
    return None


@dataclass(frozen=True)
class Making:
    """How features were made, as far as that is known."""

    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    output: str | None = None
    preset: str | None = None
    """As statistics record it."""
    weights: str | None = None

    @classmethod
    def of(cls, x: object) -> Making:
        """How a set, or what statistics are of, was made."""
        if isinstance(x, FeatureStats):
            return cls(preset=x.preset, weights=x.weights)
        return cls.by(x.fingerprint, x.outputs) if isinstance(x, FeatureSet) else cls()

    @classmethod
    def by(cls, fingerprint: Mapping[str, Any], outputs: Mapping[str, int]) -> Making:
        """How a network of these outputs makes what distances are of."""
        output = main_output(outputs) if fingerprint else None
        weights = fingerprint.get("weights_sha256")
        preset = None if output is None else label_of(fingerprint, output)
        return cls(plain_facts(fingerprint), output, preset, None if weights is None else str(weights))

    def unlike(self, other: Making) -> Unlike | None:
        """Find in what two sides differ; None where they do not, or one does not say."""
        if self.fingerprint and other.fingerprint:
            found = unlike(self.fingerprint, other.fingerprint)
            if found is None and self.output != other.output:
                found = Unlike("output", repr(self.output), repr(other.output))
            return found
        for fact in ("preset", "weights"):
            mine, theirs = getattr(self, fact), getattr(other, fact)
            if None not in (mine, theirs) and mine != theirs:
                return Unlike(fact, _told(mine), _told(theirs))
        return None


def _told(fact: Any) -> str:
    """Show a fact; of a long one, such as a hash, the beginning."""
    return f"{fact[:16]}..." if isinstance(fact, str) and len(fact) > 40 else repr(fact)


class FeatureSet:
    """Features of a set of images, with the images' names and what made them.

    Every function that takes features takes it. What knows how both of its sides were made (two of these, or one and a
    :class:`FeatureStats`) refuses sides that differ in preset, weights, output or precision.

    Parameters
    ----------
    features : (N, D) array_like of float16 or float32
    names : sequence of str, optional
        Of the N images, in order.
    fingerprint : mapping, optional
        What made the features: plain facts by name, such as :attr:`InceptionFeatures.fingerprint`.
    outputs : mapping of str to int, optional
        The network's outputs that stand side by side, in the order of the columns, and their widths. Default: one.

    Raises
    ------
    TypeError, ValueError
        If the features are of another dtype or shape, or hold NaN; if the others do not fit them.

    Examples
    --------
    >>> import numpy as np, pixelgauge, tempfile
    >>> x = np.random.default_rng(0).standard_normal((50, 6)).astype(np.float32)
    >>> real = pixelgauge.FeatureSet(x, [f"{i}.png" for i in range(50)], {"preset": "mine"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     real.save(f"{folder}/real.npz")
    ...     again = pixelgauge.FeatureSet.load(f"{folder}/real.npz")
    >>> again
    FeatureSet(50 samples, features=6, preset='mine')
    >>> pixelgauge.frechet_distance(real, again)
    0.0
    """

    def __init__(
        self,
        features: object,
        names: Sequence[str] | None = None,
        fingerprint: Mapping[str, Any] | None = None,
        outputs: Mapping[str, int] | None = None,
    ) -> None:
        array = as_features(features, "features")
        if array.dtype != np.float32:
            raise TypeError(
                f"features has dtype {array.dtype}: files hold float32; pass features.astype(numpy.float32)"
            )
        if names is not None:
            names = list(names)
            if not all(isinstance(name, str) and "\0" not in name for name in names):
                raise TypeError("names must be texts without a null character")
            if len(names) != len(array):
                raise ValueError(f"names has {len(names)} of {len(array)} samples: give each one")
        about = checked_about({_UNNAMED: array.shape[1]} if outputs is None else outputs, fingerprint or {})
        if about.dim != array.shape[1]:
            raise ValueError(f"outputs={about.outputs} has {about.dim} columns, and features {array.shape[1]}")
        self._take(Stored([array], names, about))

    def _take(self, stored: Stored) -> None:
        self._pieces, self._names, self._about = stored

    @classmethod
    def from_images(
        cls,
        images: object,
        network: FeatureNetwork,
        *,
        data_range: Any = None,
        channel_axis: int | None = -1,
        gray: str | None = None,
    ) -> FeatureSet:
        """Features of images; of the files of a folder, a zip archive or a list with their names.

        Parameters
        ----------
        images : path, array_like or list
            A folder or zip archive of images, a file, images (N, H, W, 3) or one (H, W, 3), or a list of paths and PIL
            images, or of images (H, W, 3).
        network : InceptionFeatures or another FeatureNetwork
        data_range, channel_axis, gray : optional
            Of arrays; see :meth:`InceptionFeatures.__call__`. The network is given its images with the channels last,
            and `data_range` and `gray` where they are given.

        Raises
        ------
        TypeError, ValueError, OSError
            As `network` does for what it cannot read; if `network` is none, or gives something else than what it says:
            rows of other widths, more or fewer than there are images, or values that are not finite.
        """
        require_network(network, "network")
        batches, names = features_of(images, network, data_range=data_range, channel_axis=channel_axis, gray=gray)
        return cls(np.concatenate(batches), names, network.fingerprint, network.widths)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FeatureSet:
        """Read what :meth:`save` or ``pixelgauge features`` wrote, a folder of parts too; large files are mapped.

        Raises
        ------
        FileError
            If it is damaged, of another kind, or a part of a set.
        OSError
            If it cannot be opened.
        """
        found = cls.__new__(cls)
        found._take(read_features(path_name(path, "path")))
        return found

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an ``.npz`` file, which holds everything, ``.parquet`` likewise, or ``.npy`` of the features alone.

        The file appears once it is whole; one that is there is replaced.

        Raises
        ------
        ValueError
            If the name has another extension.
        ImportError
            If it is Parquet and pyarrow is not installed.
        OSError
            If no file can be written there.
        """
        name = path_name(path, "path")
        if not name.lower().endswith(KINDS):
            kind_of(name)
        write = writer_of(name)
        require_names(name, self._names or [])
        require_writable(name, overwrite=True)
        with replacing(name) as file:
            write(file, self.blocks(_BLOCK), len(self), self._about, self._names)

    @property
    def features(self) -> npt.NDArray[Any]:
        """(N, D) features, every output side by side; those of a folder are read into one array now."""
        if len(self._pieces) > 1:
            self._pieces = [np.concatenate(self._pieces)]
        return self._pieces[0]

    @property
    def names(self) -> list[str] | None:
        """Of the N images, in order; None where they are not known."""
        return None if self._names is None else list(self._names)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What made the features; empty where that is not known."""
        return dict(self._about.fingerprint)

    @property
    def outputs(self) -> dict[str, int]:
        """Width of each output, in the order of the columns."""
        return dict(self._about.outputs)

    @property
    def named_outputs(self) -> list[str]:
        """Names of the outputs, none where the features came without."""
        names = list(self._about.outputs)
        return [] if names == [_UNNAMED] and self._about.fingerprint.get("output") != _UNNAMED else names

    def output(self, name: str) -> FeatureSet:
        """Features of one output alone, such as the ``"logits_unbiased"`` of the Inception score.

        Raises
        ------
        ValueError
            If there is none of that name.
        """
        if name not in self._about.outputs:
            raise ValueError(f"output={name!r} is not held: there are {', '.join(map(repr, self._about.outputs))}")
        columns = columns_of(self._about.outputs)[name]
        pieces = [np.ascontiguousarray(piece[:, columns]) for piece in self._pieces]
        found = type(self).__new__(type(self))
        found._take(Stored(pieces, self._names, About({name: self._about.outputs[name]}, self._about.fingerprint)))
        return found

    def blocks(self, rows: int) -> Iterator[npt.NDArray[Any]]:
        """Features, so many rows at a time."""
        return in_blocks(iter(self._pieces), rows)

    def take(self, chosen: npt.ArrayLike) -> FeatureSet:
        """Take the samples of these numbers.

        Raises
        ------
        TypeError, ValueError
            If they are no whole numbers from 0 to N - 1, or do not rise.
        """
        chosen = np.asarray(chosen)
        if chosen.ndim != 1 or (chosen.dtype.kind not in "iu" and chosen.size > 0):
            raise ArgumentTypeError("chosen", shown(repr(chosen)), "must be whole numbers, a list or an array (K,)")
        if len(chosen) == 0:
            raise ArgumentValueError("chosen", "[]", "names no sample", "name at least one")
        if int(chosen[0]) < 0 or int(chosen[-1]) >= len(self) or not (chosen[1:] > chosen[:-1]).all():
            problem = f"must rise from 0 or more to {len(self) - 1} or less, each number once"
            raise ArgumentValueError("chosen", shown(repr(chosen)), problem)
        pieces, start = [], 0
        for piece in self._pieces:
            here = chosen[(chosen >= start) & (chosen < start + len(piece))] - start
            if len(here):
                pieces.append(piece[here])
            start += len(piece)
        names = None if self._names is None else [self._names[i] for i in chosen]
        found = type(self).__new__(type(self))
        found._take(Stored(pieces, names, self._about))
        return found

    def __len__(self) -> int:
        return sum(map(len, self._pieces))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if len(self._about.outputs) > 1:
            held = ", ".join(map(repr, self._about.outputs))
            one = main_output(self._about.outputs) or next(iter(self._about.outputs))
            raise ValueError(f"it holds the outputs {held}: say which, such as by .output({one!r})")
        return np.array(self.features, dtype, copy=copy)

    def __repr__(self) -> str:
        outputs = ", ".join(f"{name}={width}" for name, width in self._about.outputs.items())
        made = self._about.fingerprint.get("preset")
        return f"FeatureSet({len(self)} samples, {outputs}, preset={made!r})"

    def _repr_html_(self) -> str:
        made = self._about.fingerprint.get("preset")
        said = {"samples": len(self), "outputs": self._about.outputs, "preset": made}
        return str(facts("FeatureSet", said))


def in_blocks(batches: Iterator[npt.NDArray[Any]], rows: int) -> Iterator[npt.NDArray[Any]]:
    """Join or cut batches of rows to blocks of so many; the last may have fewer."""
    waiting: list[npt.NDArray[Any]] = []
    held = 0
    for batch in batches:
        at = 0
        while held + len(batch) - at >= rows:
            end = at + rows - held
            waiting.append(batch[at:end])
            yield waiting[0] if len(waiting) == 1 else np.concatenate(waiting)
            waiting, held, at = [], 0, end
        if at < len(batch):
            waiting.append(batch[at:])
            held += len(batch) - at
    if waiting:
        yield waiting[0] if len(waiting) == 1 else np.concatenate(waiting)


def require_made_alike(a: object, b: object, name_a: str, name_b: str) -> None:
    """Raise a ``ValueError`` if two sides say that they were made in different ways, as far as both say it."""
    if not (isinstance(a, FeatureSet) or isinstance(b, FeatureSet)):
        return
    if (found := Making.of(a).unlike(Making.of(b))) is not None:
        raise ValueError(
            f"{name_a} was made with {found.said(found.mine)}, and {name_b} with "
            f"{found.said(found.theirs, short=True)}: the numbers do not compare"
        )
